"""The bundled sample: honest about what it is, readable in every format, and its questions have their answers in it."""

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from api.sample import QUESTIONS, Question, documents, manifest, questions
from ingest.document import Authority, Document, Kind
from ingest.manifest import read_manifest
from ingest.metadata import describe, identifiers
from ingest.parse import parse

FILES = sorted(path.name for path in documents().iterdir())
ROWS = read_manifest(manifest())
MONTHS = (
    "January February March April May June July August September October November December".split()
)
# Days after publication that a note may name: deadlines and start dates set by what it restates, each read and judged.
DEADLINES = {
    "market-access-rule-15c3-5.pdf": {"2011-07-14", "2011-11-30"},
    "reg-sci.md": {"2015-02-03", "2015-11-03"},
    "reg-sho-rule-201.txt": {"2010-11-10", "2011-02-28"},
    "regulation-nms-2005.txt": {"2005-08-29", "2006-01-31", "2006-06-29", "2006-08-31"},
    "rule-13f-2-form-sho.md": {"2026-02-17", "2028-02-14"},
    "rule-605-execution-quality.md": {"2025-12-14", "2026-08-01"},
    "rule-606-order-routing.txt": {"2019-10-01", "2020-01-01", "2020-04-30"},
    "rule-611-rescission-proposal-2026.md": {"2026-08-17"},
    "rule-612-exemptive-order-2025.md": {"2025-11-03", "2026-02-02"},
    "rule-612-final-2024.xml": {"2024-12-09"},
    "rule-612-proposal-2022.xml": {"2023-03-31"},
    "settlement-t1.md": {"2023-05-05", "2024-03-31", "2024-05-28", "2024-09-03"},
    "transaction-fee-pilot.pdf": {"2023-12-29"},
}


def read(name: str) -> Document:
    document = parse((documents() / name).read_bytes(), name)
    describe(document, name, ROWS[name])
    document.check()
    return document


NOTES = {name: read(name) for name in FILES}


def test_the_manifest_describes_every_note_and_nothing_else() -> None:
    assert sorted(ROWS) == FILES


def test_the_formats_that_people_bring_are_all_there() -> None:
    endings = Counter(name.rsplit(".", 1)[1] for name in FILES)
    assert endings["pdf"] >= 2
    assert endings["html"] >= 2
    assert endings["xml"] >= 2
    assert endings["txt"] >= 3
    assert endings["md"] >= 4
    assert {"fr-xml", "ecfr-xml", "sec-release", "pdf", "html", "markdown", "text"} <= {
        note.format for note in NOTES.values()
    }


@pytest.mark.parametrize("name", FILES)
def test_a_note_says_at_its_top_that_it_is_not_the_official_text(name: str) -> None:
    top = " ".join(NOTES[name].text[:2500].split())
    assert "summary note written for the RegTape sample" in top
    assert re.search(r"not the official text|does not exist", top)


@pytest.mark.parametrize("name", FILES)
def test_a_note_never_passes_for_the_official_text_it_restates(name: str) -> None:
    metadata = NOTES[name].metadata
    assert metadata.authority is Authority.SECONDARY
    assert not metadata.release
    assert not metadata.fr_citation
    assert not metadata.fr_document
    assert identifiers(metadata) == []  # so it is never one work with a real document


@pytest.mark.parametrize("name", FILES)
def test_a_note_names_its_primary_source_or_is_an_invented_filing(name: str) -> None:
    metadata = NOTES[name].metadata
    if metadata.primary:
        number = metadata.primary.split(":")[1]
        assert number in NOTES[name].text or "89 FR 81620" in NOTES[name].text
    else:
        assert "invented" in (metadata.company or "").lower()


@pytest.mark.parametrize("name", FILES)
def test_a_note_speaks_of_no_day_after_it_was_public_but_the_deadlines_it_sets(name: str) -> None:
    """Else an answer "as of" would know the future."""
    note = NOTES[name]
    text = " ".join(note.text.split())
    named = re.findall(rf"({'|'.join(MONTHS)}) (\d{{1,2}}), (\d{{4}})", text)
    days = {date(int(year), MONTHS.index(month) + 1, int(day)) for month, day, year in named}
    published = note.metadata.published_on
    assert published is not None
    assert {str(day) for day in days if day > published} == DEADLINES.get(name, set())


@pytest.mark.parametrize("name", FILES)
def test_a_note_has_the_length_and_the_sections_of_a_document(name: str) -> None:
    note = NOTES[name]
    assert 300 <= len(note.text.split()) <= 1200
    assert len({section.path for section in note.sections}) >= 3


def test_tables_footnotes_and_rule_text_are_found() -> None:
    kinds = Counter(section.kind for note in NOTES.values() for section in note.sections)
    assert kinds[Kind.TABLE] >= 4
    assert kinds[Kind.FOOTNOTE] >= 10
    assert kinds[Kind.RULE_TEXT] >= 10
    assert kinds[Kind.CONTENTS] >= 1


def test_the_two_column_print_reads_down_each_column_without_its_running_head() -> None:
    text = NOTES["transaction-fee-pilot.pdf"].text
    order = [
        "I. Background",
        "II. The Pilot as Proposed",
        "III. The Pilot as Adopted",
        "IV. Comments",
        "VI. Vacated",
    ]
    assert [text.index(heading) for heading in order] == sorted(text.index(h) for h in order)
    assert "Notes on market structure" not in text
    assert (
        "because commenters were concerned about the size of the pilot. In Test Group 2"
        in " ".join(text.split())
    )


def test_no_script_or_navigation_of_the_web_note_is_in_its_text() -> None:
    text = NOTES["access-fees-web-note.html"].text
    assert "dataLayer" not in text
    assert "About" not in text


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.id)
def test_a_question_has_its_facts_in_the_quoted_notes(question: Question) -> None:
    said = ""
    for evidence in question.evidence:
        text = " ".join(NOTES[evidence["file"]].text.split())
        assert " ".join(evidence["quote"].split()) in text
        said += text
    assert question.answerable == bool(question.evidence) == bool(question.key_facts)
    for fact in question.key_facts:
        assert any(variant in said for variant in fact["any_of"])


@pytest.mark.parametrize("question", questions(), ids=lambda q: q.id)
def test_a_question_as_of_a_day_is_answered_by_what_was_public_by_then(question: Question) -> None:
    for evidence in question.evidence if question.as_of else ():
        published = NOTES[evidence["file"]].metadata.published_on
        assert published is not None
        assert published < date.fromisoformat(question.as_of or "")


def test_the_demo_asks_one_question_as_of_two_days_and_one_that_cannot_be_answered() -> None:
    asked = [question for question, _ in QUESTIONS]
    assert 3 <= len(asked) <= 6
    assert max(Counter(asked).values()) == 2
    assert any(not q.answerable for q in questions() if q.demo)
    assert sum(not q.answerable for q in questions()) == 3


def test_the_committed_pdfs_say_what_their_script_says(tmp_path: Path) -> None:
    make_pdfs = pytest.importorskip("api.sample.make_pdfs", reason="needs fpdf2")
    for what in (make_pdfs.FEE_PILOT, make_pdfs.MARKET_ACCESS):
        made = make_pdfs.make(what, tmp_path)
        assert parse(made.read_bytes(), made.name).text == NOTES[made.name].text
