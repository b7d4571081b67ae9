"""Citations as counsel writes them: what the metadata say, no page or day that they do not."""

import dataclasses
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.catalog import Catalog, Held
from ingest.document import Authority, DocType, Kind, Metadata, Page, Section, page_at
from ingest.moment import end_of_day
from ingest.rules.cite import Citation, Print, cite, day, paragraph_of
from ingest.rules.held import open_book
from ingest.rules.overlay import Overlay
from tests.ingest.test_rules_state import a_document

_HELD = Held(
    0, "id", "work", 1, "0" * 64, "x.txt", "text", "Lamps", "", Authority.OFFICIAL_TEXT, DocType.FINAL_RULE,
    datetime(2024, 10, 8, 10, tzinfo=UTC), "federal register", False, datetime(2025, 1, 1, tzinfo=UTC), 1000, 0, Metadata(),
)  # fmt: skip


def held(
    reference: str = "",
    authority: Authority = Authority.OFFICIAL_TEXT,
    basis: str = "federal register",
    **meta: object,
) -> Held:
    return dataclasses.replace(
        _HELD, reference=reference, authority=authority, known_basis=basis,
        metadata=Metadata(title="Lamps", **meta),  # type: ignore[arg-type]
    )  # fmt: skip


PRINT = held(
    release="34-101070", fr_citation="89 FR 81620", published_on=date(2024, 10, 8), file_numbers=("S7-30-22",),
)  # fmt: skip


def test_a_print_is_cited_by_page_with_its_first_page_and_day() -> None:
    found = cite(PRINT, page=Page(21, 0, 9, "81640"), signed=date(2024, 9, 18))

    assert found == Citation(
        "89 FR 81620, 81640 (Oct. 8, 2024)",
        "Lamps, Release No. 34-101070 (Sept. 18, 2024), 89 FR 81620, 81640 (Oct. 8, 2024) (File No. S7-30-22)",
    )


@pytest.mark.parametrize("printed", [None, "81620", "9739", "iv"])
def test_no_page_is_added_that_is_the_first_or_cannot_be(printed: str | None) -> None:
    assert cite(PRINT, page=Page(1, 0, 9, printed)).short == "89 FR 81620 (Oct. 8, 2024)"


def test_a_release_is_cited_with_the_day_it_was_made() -> None:
    release = held(release="34-101070", published_on=date(2024, 9, 18), basis="release date")

    assert cite(release).short == "Release No. 34-101070 (Sept. 18, 2024)"


def test_a_release_takes_its_print_from_those_that_cite_it() -> None:
    found = cite(held(release="34-43590"), printed=Print("65 FR 75414", date(2000, 12, 1)))

    assert found.short == "65 FR 75414 (Dec. 1, 2000)"
    assert found.full == "Lamps, Release No. 34-43590, 65 FR 75414 (Dec. 1, 2000)"


def test_a_day_that_is_not_known_is_not_written() -> None:
    assert cite(held(release="34-43590", published_on=date(2001, 1, 1), basis="day stamp")).short == (
        "Release No. 34-43590"
    )  # fmt: skip


def test_codified_text_is_cited_by_paragraph() -> None:
    codified = held("17 CFR 242.612", doc_type=DocType.REGULATION, cfr_sections=("242.612",))

    assert cite(codified, paragraph="(b)").short == "17 CFR 242.612(b)"


def test_a_note_is_cited_as_itself_and_never_as_what_it_restates() -> None:
    note = held("on Release No. 34-99679", Authority.SECONDARY, published_on=date(2025, 10, 2))

    assert cite(note).short == (
        "Lamps (Oct. 2, 2025) (secondary source on Release No. 34-99679)"
    )  # fmt: skip


def test_a_statement_has_its_title_and_day() -> None:
    statement = held(
        authority=Authority.OFFICIAL_STATEMENT, doc_type=DocType.STATEMENT, published_on=date(2025, 10, 15)
    )  # fmt: skip

    assert cite(statement).short == "Lamps (Oct. 15, 2025)"


@given(st.dates(date(1934, 1, 1), date(2100, 1, 1)))
def test_a_day_is_written_so_that_it_can_be_read_back(on: date) -> None:
    written = day(on)
    month, number, year = re.fullmatch(r"(\w+)\.? (\d{1,2}), (\d{4})", written).groups()  # type: ignore[union-attr]

    assert datetime.strptime(f"{month[:3]} {number} {year}", "%b %d %Y").date() == on  # noqa: DTZ007


@given(
    st.integers(30, 99),
    st.integers(1, 99_999),
    st.integers(-2_000, 2_000),
    st.dates(date(1970, 1, 1), date(2030, 1, 1)),
)
def test_a_print_is_always_volume_first_page_and_perhaps_a_later_one(
    volume: int, first: int, further: int, on: date
) -> None:
    page = Page(1, 0, 9, str(first + further) if first + further > 0 else None)
    found = cite(held(fr_citation=f"{volume} FR {first}", published_on=on), page=page).short

    match = re.fullmatch(r"(\d+) FR (\d+)(?:, (\d+))? \([A-Z][a-z]+\.? \d{1,2}, \d{4}\)", found)
    assert match is not None, found
    assert (int(match[1]), int(match[2])) == (volume, first)
    assert match[3] is None or int(match[3]) > first


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.data())
def test_the_page_of_a_place_holds_it(lengths: list[int], data: st.DataObject) -> None:
    starts = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    pages = [Page(n + 1, starts[n], starts[n + 1]) for n in range(len(lengths))]
    offset = data.draw(st.integers(0, starts[-1] - 1))

    page = page_at(pages, offset)

    assert page is not None
    assert page.start <= offset < page.end


def test_the_paragraph_of_a_place_is_that_of_rule_text_alone() -> None:
    sections = [
        Section(0, 10, (), Kind.BODY, "3"),
        Section(10, 20, (), Kind.RULE_TEXT, "(b)(1)"),
    ]

    assert [paragraph_of(sections, at) for at in (5, 15)] == ["", "(b)(1)"]


def test_a_print_is_not_cited_before_it_was_out(tmp_path: Path) -> None:
    release = a_document("34-77777", date(2020, 9, 1), ("SUMMARY", "We are adopting Rule 611."))
    citing = a_document(
        "34-8", date(2023, 1, 2),
        ("", "See Exchange Act Release No. 77777 (Sept. 1, 2020), 85 FR 1234 (Sept. 10, 2020) (“Lamps Adopting Release”)."),
        section="242.612",
    )  # fmt: skip
    with Catalog(tmp_path / "home") as catalog:
        (first, _) = catalog.record([release, citing])
        book = open_book(catalog, Overlay())

    before, after = (
        book.cite(first, end_of_day(date(2020, 9, n))).short for n in (9, 10)
    )  # fmt: skip

    assert before == "Release No. 34-77777 (Sept. 1, 2020)"
    assert after == "85 FR 1234 (Sept. 10, 2020)"
