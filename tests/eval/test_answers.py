"""A made-up agent in; whether what it ships is asked, checked and counted as it should be."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.reply import Answer, Citation, Passage, Reason, Sentence, Speaker, Stage
from eval.answers import evaluate, is_valid, run, table
from ingest.document import Authority
from ingest.errors import NotKnown, SourceDown

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
KNOWN = datetime(2020, 3, 2, tzinfo=UTC)
TEXT = (
    "The Board adopts the rule. The cap on the fee is 30 mils a share. It binds from May 1, 2020."
)
QUOTE = "The cap on the fee is 30 mils a share."
START = TEXT.index(QUOTE)

CITATION = Citation(
    document_id="doc-1",
    title="The Fee Cap",
    reference="Release No. 1",
    authority=Authority.OFFICIAL_TEXT,
    section="II. The cap",
    page=3,
    start=START,
    end=START + len(QUOTE),
    quote=QUOTE,
    sha256=hashlib.sha256(QUOTE.encode()).hexdigest(),
    speaker=Speaker.COMMISSION,
    stage=Stage.ADOPTED,
    known_at=KNOWN,
    backfilled=True,
)
PASSAGE = Passage(
    chunk_id="doc-1/0",
    document_id="doc-1",
    work_id="work-1",
    start=0,
    end=len(TEXT),
    text=TEXT,
    title="The Fee Cap",
    reference="Release No. 1",
    authority=Authority.OFFICIAL_TEXT,
    doc_type="final rule",
    section="II. The cap",
    page=3,
    known_at=KNOWN,
    backfilled=True,
    score=1.0,
)


def read_text(document_id: str) -> str:
    if document_id != "doc-1":
        raise NotKnown(f"no document {document_id}")
    return TEXT


def an_answer(*citations: Citation, as_of: datetime = NOW) -> Answer:
    sentences = (Sentence(QUOTE, citations, verbatim=True),) if citations else ()
    refusal = None if citations else Reason.NOT_FOUND
    return Answer(
        "How high is the cap?", as_of, sentences, refusal, passages=(PASSAGE,), fingerprint="f1"
    )


def answering(question: str, as_of: datetime | None) -> Answer:
    """Knows one thing, and refuses the rest."""
    return an_answer(CITATION, as_of=as_of or NOW) if "cap" in question else an_answer()


def a_row(name: str, **changed: Any) -> dict[str, Any]:
    row = {
        "id": name,
        "type": "lookup",
        "question": "How high is the cap?",
        "answerable": True,
        "as_of": None,
        "evidence": [{"file": "release.txt", "quote": QUOTE}],
        "key_facts": [{"any_of": ["30 mils"], "kind": "number"}],
        "answer": "30 mils.",
        "notes": None,
    }
    return row | changed


UNANSWERABLE = a_row(
    "u", type="unanswerable", question="Who voted no?", answerable=False, evidence=[], key_facts=[]
)


@pytest.fixture
def gold(tmp_path: Path) -> Path:
    file = tmp_path / "ours.jsonl"
    rows = [a_row("a"), a_row("b", as_of="2024-07-01"), UNANSWERABLE]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return file


def values(report: dict[str, Any]) -> dict[str, float]:
    return {name: measure["value"] for name, measure in report["metrics"].items()}


def test_a_right_agent_scores_full_marks(gold: Path) -> None:
    report: Any = run(gold, answering, read_text)

    scored = values(report)
    assert (report["task"], report["dataset"], report["n"]) == ("answers", "ours", 3)
    assert scored["fact_recall"] == 1.0
    assert scored["evidence_hit_at_10"] == 1.0
    assert scored["citation_validity"] == 1.0
    assert scored["refusal_recall"] == 1.0
    assert scored["false_refusal"] == 0.0
    assert scored["anachronism_rate"] == 0.0
    assert scored["sentences_per_answer"] == 1.0
    assert scored["characters_per_answer"] == len(QUOTE)
    assert scored["passage_characters"] == len(TEXT)
    assert report["groups"].keys() == {"lookup", "unanswerable"}
    assert report["settings"]["fingerprints"] == ["f1"]
    assert report["settings"]["dataset_sha256"] == hashlib.sha256(gold.read_bytes()).hexdigest()


def test_the_report_is_plain_json(gold: Path) -> None:
    report = run(gold, answering, read_text)

    assert json.loads(json.dumps(report)) == report


def test_a_civil_day_asks_as_of_its_end_in_new_york_and_none_as_of_now(gold: Path) -> None:
    moments: list[datetime | None] = []

    def ask(question: str, as_of: datetime | None) -> Answer:
        moments.append(as_of)
        return answering(question, as_of)

    run(gold, ask, read_text)

    assert moments == [None, datetime(2024, 7, 2, 3, 59, 59, 999999, tzinfo=UTC), None]


@pytest.mark.parametrize(
    "forged",
    [
        replace(CITATION, start=START + 1),
        replace(CITATION, quote=QUOTE.replace("30", "10")),
        replace(CITATION, sha256="0" * 64),
        replace(CITATION, start=START - len(TEXT), end=START + len(QUOTE) - len(TEXT)),
        replace(CITATION, document_id="doc-2"),
        replace(CITATION, start=5, end=5, quote="", sha256=hashlib.sha256(b"").hexdigest()),
    ],
    ids=["shifted", "reworded", "other hash", "negative offsets", "unknown document", "empty"],
)
def test_a_citation_that_does_not_stand_where_it_says_is_invalid(
    gold: Path, forged: Citation
) -> None:
    report: Any = run(gold, lambda question, as_of: an_answer(CITATION, forged), read_text)

    assert is_valid(CITATION, read_text)
    assert not is_valid(forged, read_text)
    assert values(report)["citation_validity"] == 0.5


def test_a_citation_known_only_after_the_asked_moment_is_an_anachronism(gold: Path) -> None:
    late = replace(CITATION, known_at=datetime(2025, 1, 1, tzinfo=UTC))

    def ask(question: str, as_of: datetime | None) -> Answer:
        return an_answer(late, as_of=NOW)  # it claims to have answered as of now

    report: Any = run(gold, ask, read_text)

    assert values(report)["anachronism_rate"] == pytest.approx(1 / 3)  # only as of 2024-07-01


def test_words_that_were_shipped_are_no_refusal_whatever_the_reason_says(gold: Path) -> None:
    def ask(question: str, as_of: datetime | None) -> Answer:
        return replace(an_answer(CITATION), refusal=Reason.NOT_FOUND)

    assert values(run(gold, ask, read_text))["refusal_recall"] == 0.0


def test_an_error_of_the_agent_is_not_a_refusal(gold: Path) -> None:
    def ask(question: str, as_of: datetime | None) -> Answer:
        raise SourceDown("the model's server does not answer")

    with pytest.raises(SourceDown):
        run(gold, ask, read_text)


def test_rows_hold_what_a_reader_needs_and_a_verdict_on_each_fact(
    gold: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.jsonl"

    run(gold, answering, read_text, rows=rows)

    first, second, last = (json.loads(line) for line in rows.read_text("utf-8").splitlines())
    assert first["question"] == "How high is the cap?"
    assert first["facts"] == [{"any_of": ["30 mils"], "kind": "number", "found": True}]
    assert first["evidence"] == [{"file": "release.txt", "quote": QUOTE, "rank": 1}]
    assert first["sentences"][0]["quotes"][0]["stage"] == "adopted"
    assert first["citations"] == [{"quote": QUOTE, "valid": True}]
    assert second["as_of"] == "2024-07-02T03:59:59.999999+00:00"
    assert (last["refused"], last["reason"], last["retrieved"]) == (True, "not_found", [TEXT])


def test_progress_is_told_after_each_question(gold: Path) -> None:
    told: list[tuple[int, int]] = []

    run(gold, answering, read_text, progress=lambda done, of: told.append((done, of)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_an_agent_and_a_catalog_are_all_that_is_needed(gold: Path) -> None:
    class OneAnswer:
        def ask(self, question: str, *, as_of: datetime | None) -> Answer:
            return answering(question, as_of)

    class OneText:
        def text(self, document_id: str) -> str:
            return read_text(document_id)

    report: Any = evaluate(gold, OneAnswer(), OneText())

    assert values(report)["fact_recall"] == 1.0


def test_the_table_shows_every_metric_with_its_interval_and_what_could_not_be_scored(
    tmp_path: Path,
) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(UNANSWERABLE), encoding="utf-8")

    shown = table(run(file, answering, read_text))

    assert shown.splitlines()[0] == "one, 1 questions"
    assert re.search(r"refusal_recall +1\.000  \[1\.000, 1\.000\]  n=1", shown)
    assert re.search(r"anachronism_rate +none", shown)  # nothing was cited
