"""When a retrieved piece counts as lying on a gold page; and the bundled PDFs asked through the whole pipeline."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.sample import documents
from eval.financebench import STAGES, Gold, Piece, rank_of, read_questions
from eval.retrieval import command
from ingest.errors import BadRequest

GOLD = (Gold("3M_2018_10K", 60, "Net income including noncontrolling interest was 5,363 million dollars."),)  # fmt: skip


@pytest.mark.parametrize(
    ("pieces", "rank"),
    [
        ([Piece("3M_2018_10K", 60, 60, "…")], 1),
        ([Piece("3M_2018_10K", 61, 62, "…"), Piece("3M_2018_10K", 58, 61, "…")], 2),
        ([Piece("3M_2017_10K", 60, 60, "…")], None),
        ([Piece("3M_2018_10K", None, None, "…")], None),
        ([Piece("3M_2018_10K", 12, 12, "including noncontrolling interest was 5,363 million")], 1),
        ([Piece("3M_2018_10K", 12, 12, "5,363 million")], None),
        ([], None),
    ],
)
def test_a_piece_counts_on_a_gold_page_of_its_document_or_in_the_words_of_one(
    pieces: list[Piece], rank: int | None
) -> None:
    assert rank_of(pieces, GOLD) == rank


def row(**given: object) -> dict[str, object]:
    evidence = [
        {"doc_name": "market-access-rule-15c3-5", "page_index0": 0, "text": "not to be found"}
    ]
    return {
        "id": "one", "question": "Who must have risk management controls for market access?",
        "doc_name": "market-access-rule-15c3-5", "evidence": evidence,
    } | given  # fmt: skip


def test_the_bundled_pdfs_are_asked_by_page(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps(row()), "utf-8")
    pdfs = tmp_path / "pdfs"
    pdfs.mkdir()
    for pdf in documents().glob("*.pdf"):
        (pdfs / pdf.name).write_bytes(pdf.read_bytes())
    asked = [
        "--financebench",
        str(questions),
        "--pdfs",
        str(pdfs),
        "--keep",
        str(tmp_path / "kept"),
    ]
    done = CliRunner().invoke(command, asked, obj={})

    assert done.exit_code == 0, done.output
    lines = [line for line in done.stdout.splitlines() if "page@" not in line]
    assert [line.split("  ")[0] for line in lines[:-1]] == [
        f"{scope}, {stage}" for scope in ("shared index", "own document") for stage in STAGES
    ]
    assert lines[-1] == "1 questions of questions.jsonl"
    assert all(line.rstrip().endswith("1.0000") for line in lines[:-1])

    questions.write_text(json.dumps(row(doc_name="unheard")), "utf-8")
    done = CliRunner().invoke(command, asked, obj={})
    assert isinstance(done.exception, BadRequest)
    assert "has no unheard.pdf" in str(done.exception)


def test_what_is_asked_has_to_be_whole(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(f"{json.dumps(row())}\n{json.dumps(row(evidence=[{}]))}", "utf-8")

    with pytest.raises(BadRequest, match="line 2: needs id"):
        read_questions(questions)
    assert CliRunner().invoke(command, [], obj={}).exit_code == 2
