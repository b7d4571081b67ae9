"""The brief of a question on what a rule changes: every line with quotes that stand, nothing known later, gaps shown."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from agent.brief import asks_impact
from agent.reply import Brief
from ingest.document import DocType
from ingest.moment import parse_moment
from ingest.quote import check
from tests.agent.test_rules_in_answers import Held
from tests.ingest.test_rules_state import a_document

ADOPTED = a_document(
    "34-12", date(2020, 9, 1),
    ("SUMMARY", "The Commission is adopting amendments to Rule 611 to dim lamps."),
    ("DATES", "Effective Date: November 2, 2020. Compliance Date: May 3, 2021."),
    ("", "Amended Rule 611 reduces the lamp fee cap from $0.0030 per share to $0.0010 per share for lamps in NMS stocks."),
    ("", "Amended Rule 611 applies to each trading center that keeps lamps, and a trading center must dim its lamps by night."),
    ("", "The Commission believes that amended Rule 611 will narrow quoted spreads under lamps."),
    ("", "One commenter stated that amended Rule 611 would reduce quoted depth at lamps of smaller trading centers."),
)  # fmt: skip
LATER = a_document(
    "34-13", date(2022, 9, 1),
    ("SUMMARY", "The Commission is proposing amendments to Rule 611 to light lamps again."),
    ("", "Proposed Rule 611 would raise the lamp fee cap from $0.0010 per share to $0.0090 per share for lamps in NMS stocks."),
    doc_type=DocType.PROPOSED_RULE,
)  # fmt: skip
QUESTION = "What changes for lamps in NMS stocks under amended Rule 611, and how does it affect quoted spreads?"


@pytest.fixture(name="held")
def _held(tmp_path: Path) -> Iterator[Held]:
    held = Held(tmp_path / "home")
    held.put(ADOPTED, LATER)
    yield held
    held.index.close()
    held.catalog.close()


def the_brief(held: Held, as_of: str = "2021-12-31", question: str = QUESTION) -> Brief:
    found = held.ask(question, as_of).brief
    assert found is not None
    return found


def test_before_and_after_come_out_of_a_sentence_that_states_both(held: Held) -> None:
    (change, *_) = the_brief(held).changes

    assert change.text == "$0.0030 per share → $0.0010 per share"
    assert "from $0.0030 per share to $0.0010 per share" in change.citations[0].quote


def test_for_whom_from_when_and_with_what_effect_are_told(held: Held) -> None:
    brief = the_brief(held)

    assert any("applies to each trading center" in line.text for line in brief.whom)
    assert any("Effective since November 2, 2020" in line.text for line in brief.dates)
    assert brief.effects[0].label == "Quoted spread, down, hedged, Commission"
    assert "in force" in brief.says


def test_every_line_rests_on_quotes_that_stand_and_were_known(held: Held) -> None:
    for line in the_brief(held).lines:
        assert line.citations, line
        for c in line.citations:
            assert c.known_at <= parse_moment("2021-12-31")
            assert check(held.catalog.text(c.document_id), c.start, c.end, c.quote, c.sha256)


def test_what_is_only_proposed_is_so_labelled(held: Held) -> None:
    proposed = [
        c
        for line in the_brief(held, "2022-12-31").lines
        for c in line.citations
        if "$0.0090" in c.quote
    ]

    assert {c.force for c in proposed} <= {"proposed, not adopted"}
    assert not any("$0.0090" in c.quote for line in the_brief(held).lines for c in line.citations)


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("What changes for tick-constrained stocks under amended Rule 612, and from when?", True),
        ("How would Rule 610T affect queue length?", True),
        ("What is the impact of Rule 201 on depth?", True),
        ("What is the effective date of Rule 612?", False),
        ("Is Rule 611 in force?", False),
    ],
)
def test_impact_questions_are_told_apart(question: str, asks: bool) -> None:
    assert asks_impact(question) is asks


def test_another_question_has_no_brief(held: Held) -> None:
    assert held.ask("Is Rule 611 in force?").brief is None
