"""An exported answer is re-checked against the catalog: every forgery of every part is found."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.recheck import recheck
from api.schemas import Answer
from ingest.catalog import Catalog
from ingest.stance import lead_in, stance
from tests.api.fakes import an_answer, fill


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        fill(catalog)
        yield catalog


@pytest.fixture(name="answer")
def _answer(catalog: Catalog) -> dict[str, Any]:
    """A true answer as exported JSON, labelled as its place says."""
    exported = Answer.of(an_answer(catalog)).model_dump(mode="json")
    (citation,) = exported["citations"]
    held = catalog.document(citation["document_id"])
    before = catalog.text(held.id)[: citation["start"]]
    citation["speaker"], citation["stage"] = stance(
        citation["quote"], path=("I. Lamps",), doc_type=held.doc_type, kind="body", before=before
    )
    lead = lead_in(citation["speaker"], citation["stage"], citation["quote"])
    exported["sentences"][0]["lead_in"] = lead
    exported["text"] = f"{lead} {citation['quote']}".strip()
    return exported


def faults(answer: dict[str, Any], catalog: Catalog) -> str:
    return "; ".join(recheck(Answer.model_validate(answer), catalog))


def test_a_true_answer_holds(answer: dict[str, Any], catalog: Catalog) -> None:
    assert faults(answer, catalog) == ""


def another_quote(citation: dict[str, Any]) -> None:
    citation["quote"] = citation["quote"].replace("one lamp", "two lamps")
    citation["sha256"] = sha256(citation["quote"].encode()).hexdigest()


FORGERIES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another quote": (another_quote, "is not what"),
    "another span": (lambda c: c.update(start=c["start"] + 1), "is not what"),
    "a span from the end": (lambda c: c.update(start=-60, end=-26), "is not what"),
    "another hash": (lambda c: c.update(sha256="0" * 64), "is not what"),
    "another document": (lambda c: c.update(document_id="none"), "no document 'none'"),
    "another title": (lambda c: c.update(title="The Lamp Act"), "another title"),
    "another authority": (lambda c: c.update(authority="secondary"), "another authority"),
    "another moment": (lambda c: c.update(known_at="2001-01-01T00:00:00Z"), "another known_at"),
    "another speaker": (lambda c: c.update(speaker="study"), "is labelled study"),
    "another stage": (lambda c: c.update(stage="hypothetical"), "is labelled"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_citation_does_not_hold(
    answer: dict[str, Any], catalog: Catalog, forgery: str
) -> None:
    forge, says = FORGERIES[forgery]
    forge(answer["citations"][0])

    assert says in faults(answer, catalog)
    assert "sentence 1 has no citation that holds" in faults(answer, catalog)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"text": "Each venue must keep two lamps lit."}, "is marked verbatim"),
        ({"text": "Each venue must keep two lamps lit.", "verbatim": False}, "is not supported"),
        ({"citations": []}, "has no citation that holds"),
        ({"lead_in": "As everyone knows:"}, "its label asks for"),
    ],
)
def test_a_forged_sentence_does_not_hold(
    answer: dict[str, Any], catalog: Catalog, change: dict[str, Any], says: str
) -> None:
    answer["sentences"][0].update(change)

    assert says in faults(answer, catalog)


def test_a_forged_text_does_not_hold(answer: dict[str, Any], catalog: Catalog) -> None:
    answer["text"] = "Each venue must keep two lamps lit."

    assert "its text is not that of its sentences" in faults(answer, catalog)


def test_what_was_not_known_by_then_does_not_hold(answer: dict[str, Any], catalog: Catalog) -> None:
    answer["as_of"] = datetime(2019, 1, 1, tzinfo=UTC).isoformat()

    assert "was not known by 2019" in faults(answer, catalog)
