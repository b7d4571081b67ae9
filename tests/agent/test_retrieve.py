"""What stands for a passage besides its words: where it stands, and which rule its document says it concerns."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from agent.retrieve import Query, _document_prior, _passage_prior, understand
from ingest.catalog import Held
from ingest.document import Authority, DocType, Kind, Metadata
from ingest.embed import open_embedder
from ingest.index import Row

KNOWN = datetime(2026, 6, 1, tzinfo=UTC)
HELD = Held(
    offset=1,
    id="note.1",
    work_id="note",
    version=1,
    sha256="00",
    path="note.txt",
    format="text",
    title="Price bands",
    reference="",
    authority=Authority.OFFICIAL_TEXT,
    doc_type=DocType.FINAL_RULE,
    known_at=KNOWN,
    known_basis="stated",
    backfilled=True,
    recorded_at=KNOWN,
    characters=10_000,
    pages=1,
    metadata=Metadata(published_on=date(2026, 2, 3), cfr_sections=("242.610T", "242.999")),
)
ROW = Row(0, "note#0", 1, 0, 100, 200, 0, "Price bands › I. Discussion", Kind.BODY, "", 1, 7)
QUERY = Query("", {}, {}, (), frozenset(), frozenset(), np.zeros(1, np.float32))


def test_an_overview_up_front_weighs_more_than_an_argument() -> None:
    plain = _passage_prior(ROW, HELD)

    assert _passage_prior(replace(ROW, context="Price bands › I. Executive Summary"), HELD) > plain
    late = replace(ROW, context="Price bands › VI. Overview", start=9_000, end=9_100)
    assert _passage_prior(late, HELD) == plain


@pytest.mark.parametrize(
    ("question", "rules"),
    [
        ("How long was Rule 610T to last?", {"610t"}),
        ("What does 15c3-5 ask of brokers?", {"15c3-5"}),
        ("What is in § 242.999 and rule 13h-1?", {"999", "13h-1"}),
        ("What was adopted in 2005 for 100 shares?", set()),
    ],
)
def test_rules_named_by_number_are_read_from_the_question(question: str, rules: set[str]) -> None:
    query = understand(question, open_embedder("hashing"))

    assert query.rules == rules
    unnamed = replace(query, rules=frozenset())
    assert (_document_prior(HELD, query) > _document_prior(HELD, unnamed)) == bool(
        rules & {"610t", "999"}
    )
