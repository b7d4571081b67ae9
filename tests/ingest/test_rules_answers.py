"""Which proposal an adoption answers: by the release it names, the file number, the RIN; on real documents where held."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from ingest.catalog import Arrival, Catalog
from ingest.document import DocType
from ingest.moment import end_of_day
from ingest.rules.answers import Answered
from ingest.rules.held import open_book
from ingest.rules.overlay import Overlay
from ingest.rules.state import Part, state
from tests.conftest import Regtape
from tests.ingest.test_rules_state import a_document

NOTHING_LAID = Overlay()
CORPUS = Path(os.environ.get("REGTAPE_DATA", "/nowhere")) / "corpus"


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        yield catalog


def of_file(arrival: Arrival, *, files: tuple[str, ...] = (), rin: tuple[str, ...] = ()) -> Arrival:
    meta = replace(arrival.document.metadata, file_numbers=files, rin=rin)
    return replace(arrival, document=replace(arrival.document, metadata=meta))


PROPOSAL = a_document(
    "34-70001", date(2013, 10, 1), ("SUMMARY", "The Commission is proposing amendments to Rule 611."),
    doc_type=DocType.PROPOSED_RULE,
)  # fmt: skip
ADOPTION = a_document(
    "34-72001", date(2014, 9, 1), ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
    ("DATES", "Effective Date: November 3, 2014."),
)  # fmt: skip
NAMING = a_document(
    "34-72001", date(2014, 9, 1), ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
    ("", "See Securities Exchange Act Release No. 70001 (Oct. 1, 2013), 78 FR 1234, 1240 (Oct. 9, 2013) (“Proposing Release”)."),
)  # fmt: skip


def answers(
    catalog: Catalog, *documents: Arrival, on: date = date(2015, 1, 5)
) -> tuple[Answered, ...]:
    catalog.record(documents)
    return state(open_book(catalog, NOTHING_LAID), "242.611", end_of_day(on)).answers


def test_a_file_number_in_common_ties(catalog: Catalog) -> None:
    tied = (of_file(PROPOSAL, files=("S7-09-13",)), of_file(ADOPTION, files=("S7-09-13",)))

    (found,) = answers(catalog, *tied)

    assert (found.release, found.ties) == ("34-70001", ("file number S7-09-13",))
    assert found.held is not None


def test_a_rin_ties_only_what_speaks_of_one_section(catalog: Catalog) -> None:
    other = replace(
        a_document(
            "34-70002", date(2013, 10, 2), ("SUMMARY", "The Commission is proposing amendments to Rule 605."),
            doc_type=DocType.PROPOSED_RULE, section="242.605",
        )
    )  # fmt: skip
    tied = [of_file(each, rin=("3235-ZZ01",)) for each in (PROPOSAL, other, ADOPTION)]

    assert [each.release for each in answers(catalog, *tied)] == ["34-70001"]


def test_a_release_that_is_named_is_answered_though_it_is_not_held(catalog: Catalog) -> None:
    (found,) = answers(catalog, NAMING)

    assert (found.release, found.on, found.held) == ("34-70001", date(2013, 10, 1), None)
    assert found.ties == ("named in the adopting release",)


def test_ties_to_one_proposal_are_told_together(catalog: Catalog) -> None:
    tied = (of_file(PROPOSAL, files=("S7-09-13",)), of_file(NAMING, files=("S7-09-13",)))

    (found,) = answers(catalog, *tied)

    assert found.ties == ("named in the adopting release", "file number S7-09-13")


def test_a_proposal_of_another_time_is_not_answered(catalog: Catalog) -> None:
    old = a_document(
        "34-72001", date(2014, 9, 1), ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("", "See Exchange Act Release No. 39884 (Apr. 21, 1998), 63 FR 23504 (Apr. 29, 1998) (“1998 Proposing Release”)."),
    )  # fmt: skip

    assert answers(catalog, old) == ()


def test_nothing_is_answered_before_the_adoption_is_known(catalog: Catalog) -> None:
    tied = (of_file(PROPOSAL, files=("S7-09-13",)), of_file(ADOPTION, files=("S7-09-13",)))

    assert answers(catalog, *tied, on=date(2014, 8, 1)) == ()


def test_the_line_says_what_ties_and_rests_on_passages(catalog: Catalog) -> None:
    catalog.record([of_file(NAMING, files=("S7-09-13",))])
    found = state(open_book(catalog, NOTHING_LAID), "242.611", end_of_day(date(2014, 9, 9)))

    (line,) = (x for x in found.lines if x.text.startswith("answers the proposal"))

    assert line.part is Part.ADOPTED
    assert line.text == (
        "answers the proposal of Release 34-70001 (October 1, 2013): named in the adopting release"
    )
    assert line.basis


REAL = {
    "242.611": ("2006-12-01", {"34-49325", "34-50870"}, {"34-50870"}),
    "240.15c3-5": ("2012-01-03", {"34-61379"}, {"34-61379"}),
    "242.610T": ("2019-05-01", {"34-82873"}, {"34-82873"}),
    "242.201": ("2012-01-03", {"34-59748"}, set()),
}


@pytest.mark.skipif(not CORPUS.is_dir(), reason="REGTAPE_DATA names no folder with the corpus")
def test_real_adoptions_answer_their_proposals(tmp_path: Path, regtape: Regtape) -> None:
    files = [
        *(f"sec_final_releases_txt/{n}.txt" for n in ("34-51808", "34-63241", "34-84875", "34-61595")),
        "page_excerpts/34-50870_regnms_reproposal_69FR77424.txt",
        "page_excerpts/34-61379_market_access_proposed_2010.txt",
        "page_excerpts/fr-2018-05545_transaction_fee_pilot_proposed_83FR13008.txt",
    ]  # fmt: skip
    for file in files:
        (tmp_path / "corpus" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CORPUS / file, tmp_path / "corpus" / file)
    done = regtape(
        "ingest", str(tmp_path / "corpus"), "--manifest", str(CORPUS.parent / "manifest.jsonl"),
        REGTAPE_HOME=str(tmp_path / "real"), REGTAPE_EMBEDDER="hashing",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr

    with Catalog(tmp_path / "real") as catalog:
        book = open_book(catalog)
        for section, (day, releases, held) in REAL.items():
            found = state(book, section, end_of_day(date.fromisoformat(day))).answers
            assert {each.release for each in found} == releases, section
            assert {each.release for each in found if each.held} == held, section
