"""Made-up gold rows in; whether evidence by offsets becomes the words it points at."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF

import eval.questions
from eval.questions import Evidence, Fact, load_questions, locate
from eval.scoring import fact_found
from ingest.errors import BadRequest, Damaged, NotKnown

RELEASE = "SUMMARY: The cap on the fee is 30 mils.\r\nDATES: It binds from May 1.\n"
FILING = "<p>The board set a dividend of&#160;<b>90</b> cents &amp; no more.</p>"
WORDS = "The cap on the fee is 30 mils."
GOLD = Path(eval.questions.__file__).parent / "gold"
DEV, HELD = GOLD / "ours_dev.jsonl", GOLD / "ours_held.jsonl"


def a_row(**changed: Any) -> dict[str, Any]:
    row = {
        "id": "a",
        "type": "lookup",
        "question": "How high is the cap?",
        "answerable": True,
        "as_of": None,
        "evidence": [{"file": "release.txt", "quote": WORDS}],
        "key_facts": [{"any_of": ["30 mils"], "kind": "number"}],
        "answer": "30 mils.",
        "notes": None,
    }
    return row | changed


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "gold.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return file


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "corpus"
    folder.mkdir(parents=True)
    (folder / "release.txt").write_bytes(RELEASE.encode())
    (folder / "filing.html").write_text(FILING, encoding="utf-8")
    return folder


def test_evidence_with_its_words_needs_no_documents(tmp_path: Path) -> None:
    [question] = load_questions(written(tmp_path, a_row()))

    assert question.evidence == (Evidence("release.txt", WORDS),)
    assert question.key_facts == (Fact(("30 mils",), "number"),)


def test_offsets_become_the_words_they_point_at(tmp_path: Path, corpus: Path) -> None:
    span = {"file": "release.txt", **locate(corpus / "release.txt", "DATES: It binds from May 1.")}

    [question] = load_questions(written(tmp_path, a_row(evidence=[span])), corpus)

    assert span["start"] == RELEASE.index("DATES")  # line ends are counted as they stand
    assert question.evidence == (Evidence("release.txt", "DATES: It binds from May 1."),)


def test_the_folder_above_the_corpus_will_do(tmp_path: Path, corpus: Path) -> None:
    span = {"file": "release.txt", **locate(corpus / "release.txt", WORDS)}

    [question] = load_questions(written(tmp_path, a_row(evidence=[span])), corpus.parent)

    assert question.evidence[0].quote == WORDS


def test_markup_is_removed_from_the_words(tmp_path: Path, corpus: Path) -> None:
    raw = "a dividend of&#160;<b>90</b> cents &amp; no more"
    span = {"file": "filing.html", **locate(corpus / "filing.html", raw)}

    [question] = load_questions(written(tmp_path, a_row(evidence=[span])), corpus)

    assert question.evidence[0].quote == "a dividend of\u00a090 cents & no more"


def test_offsets_into_a_pdf_count_in_its_page(tmp_path: Path, corpus: Path) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for words in ("On the first page is nothing.", "The cap is 30 mils on the second."):
        pdf.add_page()
        pdf.cell(text=words)
    pdf.output(str(corpus / "paper.pdf"))
    span = {"file": "paper.pdf", **locate(corpus / "paper.pdf", "30 mils", page_index0=1)}

    [question] = load_questions(written(tmp_path, a_row(evidence=[span])), corpus)

    assert span["page_index0"] == 1
    assert question.evidence[0].quote == "30 mils"


def test_a_changed_document_is_noticed(tmp_path: Path, corpus: Path) -> None:
    span = {"file": "release.txt", **locate(corpus / "release.txt", WORDS)}
    changed = tmp_path / "changed"
    changed.mkdir()
    (changed / "release.txt").write_text(RELEASE.replace("30", "10"), encoding="utf-8")

    with pytest.raises(Damaged, match="no longer says"):
        load_questions(written(tmp_path, a_row(evidence=[span])), changed)


def test_a_missing_document_is_named(tmp_path: Path, corpus: Path) -> None:
    span = {"file": "other.txt", "start": 0, "end": 4, "sha256": "0"}

    with pytest.raises(NotKnown, match=r"other\.txt"):
        load_questions(written(tmp_path, a_row(evidence=[span])), corpus)


def test_offsets_without_documents_say_what_to_give(tmp_path: Path) -> None:
    span = {"file": "release.txt", "start": 0, "end": 4, "sha256": "0"}

    with pytest.raises(BadRequest, match="--data"):
        load_questions(written(tmp_path, a_row(evidence=[span])))


def test_words_that_stand_twice_cannot_be_located(corpus: Path) -> None:
    with pytest.raises(NotKnown, match="2 times"):
        locate(corpus / "release.txt", ": ")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (a_row(key_facts=[{"any_of": [], "kind": "number"}]), "any_of"),
        (a_row(key_facts=[{"any_of": "30 mils", "kind": "number"}]), "any_of"),
        (a_row(key_facts=[{"any_of": ["30 mils"], "kind": "numeral"}]), "number, date"),
        ({"id": "a"}, "not a gold question"),
    ],
)
def test_a_malformed_row_is_refused(tmp_path: Path, row: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        load_questions(written(tmp_path, row))


def test_an_id_used_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="used twice"):
        load_questions(written(tmp_path, a_row(), a_row()))


def test_a_line_that_is_not_json_is_refused_with_its_number(tmp_path: Path) -> None:
    file = written(tmp_path, a_row())
    file.write_text(file.read_text(encoding="utf-8") + "{oops\n", encoding="utf-8")

    with pytest.raises(BadRequest, match=r"gold\.jsonl:2"):
        load_questions(file)


def committed(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_our_questions_carry_no_text_of_a_document() -> None:
    spans = [span for file in (DEV, HELD) for row in committed(file) for span in row["evidence"]]

    allowed = {"file", "start", "end", "sha256", "page_index0"}
    assert len(spans) >= 44
    assert all(span.keys() <= allowed for span in spans)
    assert all(0 <= span["start"] < span["end"] for span in spans)


def test_our_two_halves_are_balanced_and_share_no_question() -> None:
    dev, held = committed(DEV), committed(HELD)

    assert Counter(row["type"] for row in dev) == Counter(row["type"] for row in held)
    assert sum(not row["answerable"] for row in dev) >= 10
    assert not {row["id"] for row in dev} & {row["id"] for row in held}
    assert not {row["question"] for row in dev} & {row["question"] for row in held}


def test_what_is_answerable_has_facts_and_evidence_and_what_is_not_has_none() -> None:
    for row in committed(DEV) + committed(HELD):
        assert bool(row["evidence"]) is row["answerable"], row["id"]
        assert bool(row["key_facts"]) is row["answerable"], row["id"]
        assert row["answerable"] is (row["type"] != "unanswerable"), row["id"]


def test_the_written_answer_of_each_of_our_questions_states_its_facts() -> None:
    missing = [
        (row["id"], fact["any_of"][0])
        for row in committed(DEV) + committed(HELD)
        for fact in row["key_facts"]
        if not fact_found(Fact(tuple(fact["any_of"]), fact["kind"]), row["answer"])
    ]

    assert missing == []


@pytest.mark.data
@pytest.mark.parametrize("file", [DEV, HELD], ids=lambda file: file.stem)
def test_every_span_of_our_questions_still_holds_what_was_hashed(file: Path) -> None:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")

    questions = load_questions(file, Path(data))

    assert all(evidence.quote.strip() for q in questions for evidence in q.evidence)
    assert not any("<" in evidence.quote for q in questions for evidence in q.evidence)
