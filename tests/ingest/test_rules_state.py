"""A small book of events written for the purpose; what a section was on a day, and that nothing known later shows."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from ingest.catalog import Arrival, Catalog
from ingest.civil import spoken
from ingest.document import Authority, DocType, Document, Kind, Metadata, Section
from ingest.errors import BadRequest
from ingest.moment import end_of_day, next_midnight
from ingest.rules.events import EXTRACTOR, EventKind
from ingest.rules.held import KIND, Book, derive, open_book, rebuild
from ingest.rules.overlay import Overlay, read_overlay
from ingest.rules.state import Part, Standing, State, state

SEC = "Securities and Exchange Commission"
NOTHING_LAID = Overlay()


def a_document(
    name: str,
    on: date,
    *parts: tuple[str, str],
    doc_type: DocType = DocType.FINAL_RULE,
    section: str = "242.611",
    title: str = "Lamps",
) -> Arrival:
    text, spans = "", []
    for label, words in parts:
        text += "\n\n" if text else ""
        start = len(text)
        text += f"{label}: {words}" if label else words
        spans.append(
            Section(start, len(text), (), Kind.HEADER if label else Kind.BODY, label or None)
        )
    meta = Metadata(
        title=title, doc_type=doc_type, agency=SEC, authority=Authority.OFFICIAL_TEXT, release=name, published_on=on,
        cfr_sections=(section,),
    )  # fmt: skip
    document = Document(text, "sec-release", tuple(spans), (), meta)
    digest = sha256(text.encode()).hexdigest()
    return Arrival(
        document, digest, f"{name}.txt", next_midnight(on), "release date", [("sec", name)]
    )


PROPOSED = a_document(
    "34-1", date(2020, 1, 10),
    ("SUMMARY", "The Commission is proposing amendments to Rule 611 to light lamps."),
    ("DATES", "Comments should be received on or before March 2, 2020."),
    doc_type=DocType.PROPOSED_RULE,
)  # fmt: skip
ADOPTED = a_document(
    "34-2", date(2020, 9, 1),
    ("SUMMARY", "The Commission is adopting amendments to Rule 611 to light lamps."),
    ("DATES", "Effective Date: November 2, 2020. Compliance Date: May 3, 2021."),
)  # fmt: skip
MOVED = a_document(
    "34-3", date(2021, 3, 1),
    ("SUMMARY", "The Commission is extending the compliance date for Rule 611 from May 3, 2021, to May 2, 2022."),
)  # fmt: skip
RELIEF = a_document(
    "34-4", date(2022, 8, 1),
    ("", "Order Granting Temporary Exemptive Relief From Compliance With Rule 611"),
    ("", "Dealers are exempt from Rule 611 until February 6, 2023."),
    doc_type=DocType.ORDER, title="Order Granting Temporary Exemptive Relief From Compliance With Rule 611",
)  # fmt: skip
REMOVAL = a_document(
    "34-5", date(2024, 6, 3),
    ("SUMMARY", "The Commission is proposing amendments. The proposed amendments would rescind Rule 611 in full."),
    ("DATES", "Comments should be received on or before August 5, 2024."),
    doc_type=DocType.PROPOSED_RULE,
)  # fmt: skip
ALL = (PROPOSED, ADOPTED, MOVED, RELIEF, REMOVAL)


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        yield catalog


@pytest.fixture(name="book")
def _book(catalog: Catalog) -> Book:
    catalog.record(ALL)
    return open_book(catalog, NOTHING_LAID)


def on(book: Book, day: str, section: str = "242.611") -> State:
    return state(book, section, end_of_day(date.fromisoformat(day)))


@pytest.mark.parametrize(
    ("day", "standing"),
    [
        ("2020-01-09", Standing.UNKNOWN),
        ("2020-02-01", Standing.PROPOSED),
        ("2020-09-15", Standing.ADOPTED),
        ("2020-11-01", Standing.ADOPTED),
        ("2020-11-02", Standing.EFFECTIVE),
        ("2021-05-10", Standing.EFFECTIVE),  # the date was moved in March
        ("2022-05-02", Standing.IN_FORCE),
        ("2022-09-01", Standing.EXEMPTED),
        ("2023-02-06", Standing.IN_FORCE),
        ("2024-07-01", Standing.TO_BE_RESCINDED),
    ],
)
def test_a_rule_goes_through_its_states(book: Book, day: str, standing: Standing) -> None:
    assert on(book, day).standing is standing


def test_no_line_rests_on_what_was_known_later(book: Book) -> None:
    for days in range(0, 2000, 37):
        found = on(book, (date(2019, 12, 1) + timedelta(days=days)).isoformat())

        assert all(known.known_at <= found.as_of for known in found.basis)


def test_what_is_added_later_changes_no_state_before(catalog: Catalog) -> None:
    catalog.record(ALL[:3])
    before = {
        d: on(open_book(catalog, NOTHING_LAID), d)
        for d in ("2020-10-01", "2021-04-01", "2021-07-01")
    }
    catalog.record(ALL[3:])
    after = open_book(catalog, NOTHING_LAID)

    assert {d: (s.standing, [x.text for x in s.lines]) for d, s in before.items()} == {
        d: (on(after, d).standing, [x.text for x in on(after, d).lines]) for d in before
    }


def test_a_moved_date_is_shown_as_moved(book: Book) -> None:
    lines = [line.text for line in on(book, "2021-04-01").lines]

    assert "compliance date since moved: May 3, 2021" in lines
    assert "compliance required from May 2, 2022" in lines


def test_a_paragraph_shares_what_is_said_of_its_section_alone(book: Book) -> None:
    assert on(book, "2020-11-02", "242.611(b)").standing is Standing.EFFECTIVE
    assert on(book, "2020-11-02", "242.612").standing is Standing.UNKNOWN


def test_dates_that_differ_are_a_conflict(catalog: Catalog) -> None:
    document = a_document(
        "34-9", date(2020, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("DATES", "Effective Date: November 2, 2020."),
        ("", "Rule 611 will become effective on December 7, 2020."),
    )  # fmt: skip
    catalog.record([document])

    found = on(open_book(catalog, NOTHING_LAID), "2021-01-04")

    assert [x.text for x in found.lines if x.part is Part.CONFLICT] == [
        "another passage states December 7, 2020 as its effective date"
    ]


def test_a_placeholder_counts_from_the_print_once_that_is_known(catalog: Catalog) -> None:
    adopted = a_document(
        "34-77777", date(2020, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("DATES", "Effective Date: [insert date 60 days after publication in the Federal Register]."),
    )  # fmt: skip
    citing = a_document(
        "34-8", date(2023, 1, 2),
        ("", "See Exchange Act Release No. 77777 (Sept. 1, 2020), 85 FR 1234 (Sept. 10, 2020) (“Lamps Adopting Release”)."),
        section="242.612",
    )  # fmt: skip
    catalog.record([adopted])
    alone = on(open_book(catalog, NOTHING_LAID), "2020-11-10")
    catalog.record([citing])
    told = on(open_book(catalog, NOTHING_LAID), "2020-11-10")

    assert (
        alone.standing is Standing.ADOPTED
    )  # somewhere between 60 days after September 1 and months later
    assert told.standing is Standing.IN_FORCE
    assert any("computed" in x.text and "September 10, 2020" in x.text for x in told.lines)


def test_an_adoption_without_dates_becomes_unknown_and_not_in_force(catalog: Catalog) -> None:
    catalog.record(
        [
            a_document(
                "34-6", date(2020, 9, 1), ("SUMMARY", "We are adopting amendments to Rule 611.")
            )
        ]
    )
    book = open_book(catalog, NOTHING_LAID)

    assert on(book, "2020-10-01").standing is Standing.ADOPTED
    assert on(book, "2022-01-03").standing is Standing.UNKNOWN


def test_the_events_file_speaks_apart_from_the_documents(catalog: Catalog) -> None:
    pilot = a_document(
        "34-7", date(2018, 12, 19),
        ("SUMMARY", "The Commission is adopting new Rule 610T to conduct a Transaction Fee Pilot."),
        ("DATES", "Effective Date: April 22, 2019 through December 29, 2023.\n\n"
         "Compliance Date: As designated by Notice pursuant to 17 CFR 242.610T(c)(2)."),
        section="242.610T", title="Transaction Fee Pilot",
    )  # fmt: skip
    catalog.record([pilot])
    book = open_book(catalog)

    before, stayed, vacated = (
        on(book, d, "242.610T") for d in ("2019-03-15", "2019-06-03", "2021-06-01")
    )

    assert (before.standing, before.with_file) == (Standing.ADOPTED, Standing.ADOPTED)
    assert (stayed.standing, stayed.with_file) == (Standing.EFFECTIVE, Standing.STAYED)
    assert (vacated.standing, vacated.with_file) == (Standing.EFFECTIVE, Standing.VACATED)
    assert all("No. 19-1042" in x.text for x in vacated.lines if x.laid and "vacated" in x.text)
    assert on(book, "2024-03-01", "242.610T").standing is Standing.EXPIRED


def test_events_are_derived_once_and_again_for_another_extractor(catalog: Catalog) -> None:
    held = catalog.record(ALL)

    assert derive(catalog, held) > len(ALL)
    assert catalog.unread(KIND, EXTRACTOR) == []
    assert len(catalog.unread(KIND, "another")) == len(ALL)
    assert rebuild(catalog) == 0
    assert rebuild(catalog, everything=True) == len(ALL)


def test_a_release_without_a_day_is_known_from_the_day_others_cite(catalog: Catalog) -> None:
    undated = a_document(
        "34-55555", date(2020, 9, 1), ("SUMMARY", "We are adopting amendments to Rule 611.")
    )
    undated = Arrival(
        undated.document,
        undated.sha256,
        undated.path,
        datetime(2021, 1, 1, tzinfo=UTC),
        "address",
        undated.identifiers,
    )
    citing = a_document(
        "34-8",
        date(2023, 1, 2),
        (
            "",
            "See Securities Exchange Act Release No. 55555 (Sept. 1, 2020) (“Lamps Adopting Release”).",
        ),
    )
    catalog.record([undated, citing])

    (known,) = {
        k.known_at
        for k in open_book(catalog, NOTHING_LAID).events
        if k.held.metadata.release == "34-55555"
    }

    assert known == next_midnight(date(2020, 9, 1))


def test_the_shipped_events_file_reads_and_cites() -> None:
    laid = read_overlay()

    assert {str(x.event.kind) for x in laid.events} == {"stayed", "vacated"}
    assert all(event.citation for event in laid.events)
    assert all(release.citation for release in laid.releases)


def test_a_broken_events_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "overlay.toml"
    path.write_text('[[event]]\nkind = "dimmed"\nsections = []\n', "utf-8")

    with pytest.raises(BadRequest, match="no events file"):
        read_overlay(path)


def test_days_that_are_not_stated_are_computed_apart(catalog: Catalog) -> None:
    adopted = a_document(
        "34-77777", date(2020, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("DATES", "Effective Date: [insert date 60 days after publication in the Federal Register]."),
        ("", "The Commission proposed amendments to Rule 611 in May 2019."),
    )  # fmt: skip
    citing = a_document(
        "34-8", date(2020, 10, 2),
        ("", "See Exchange Act Release No. 77777 (Sept. 1, 2020), 85 FR 1234 (Sept. 10, 2020) (“Lamps Adopting Release”)."),
        section="242.612",
    )  # fmt: skip
    catalog.record([adopted, citing])
    found = on(open_book(catalog, NOTHING_LAID), "2020-12-01")

    computed = {str(event.kind): day for (_, event), day in found.computed.items()}

    assert computed == {"effective": date(2020, 11, 9), "adopted": date(2020, 9, 1)}
    assert on(open_book(catalog, NOTHING_LAID), "2020-09-09").computed == {}


def test_a_line_holds_the_day_it_states_and_whose_act_it_is(book: Book) -> None:
    lines = [line for line in on(book, "2020-12-01").lines if line.on or line.by]

    assert {(line.part, line.kind, line.on, line.by) for line in lines} == {
        (Part.ADOPTED, EventKind.ADOPTED, None, "Release 34-2"),
        (Part.ADOPTED, EventKind.EFFECTIVE, date(2020, 11, 2), ""),
        (Part.PENDING, EventKind.COMPLIANCE, date(2021, 5, 3), ""),
    }


def test_every_day_that_a_line_of_dates_states_stands_in_its_words_too(book: Book) -> None:
    for days in range(0, 2000, 37):
        found = on(book, (date(2019, 12, 1) + timedelta(days=days)).isoformat())

        assert all(spoken(line.on) in line.text for line in found.lines if line.on)
        assert all(line.by in line.text for line in found.lines)


def test_whose_act_an_adoption_is_holds_a_title_with_commas(catalog: Catalog) -> None:
    title = "Lamps, Lanterns, and Wicks"
    untold = a_document(
        "2020-0901", date(2020, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611 to light lamps."),
        title=title,
    )  # fmt: skip
    meta = replace(untold.document.metadata, release=None)
    catalog.record([replace(untold, document=replace(untold.document, metadata=meta))])

    found = on(open_book(catalog, NOTHING_LAID), "2020-09-15")

    assert [line.by for line in found.lines if line.kind is EventKind.ADOPTED] == [title]


def test_a_proposal_that_its_own_adopting_release_tells_of_is_not_pending(catalog: Catalog) -> None:
    first = a_document(
        "34-20", date(2005, 6, 9),
        ("SUMMARY", "The Commission is adopting Rule 607 to light lamps."),
        ("DATES", "Effective Date: August 29, 2005."),
        section="242.607",
    )  # fmt: skip
    later = a_document(
        "34-21", date(2018, 11, 2),
        ("SUMMARY", "The Commission is adopting amendments to Rule 606 to light lamps."),
        ("", "In July 2016, the Commission proposed to amend Rule 606 and to amend Rule 607 for consistency."),
        section="242.606",
    )  # fmt: skip
    catalog.record([first, later])
    found = on(open_book(catalog, NOTHING_LAID), "2019-06-01", "242.607")

    assert found.standing is Standing.IN_FORCE
    assert [line.text for line in found.lines if line.part is Part.PENDING] == []
    told = {(line.part, line.text) for line in found.lines}
    assert (Part.HISTORY, "what was proposed July 2016 was answered by Release 34-21") in told
    assert (Part.GAP, "what Release 34-21 adopted of it is not in the passages read") in told


def test_relief_from_certain_aspects_tells_of_an_adopted_rule(catalog: Catalog) -> None:
    title = "Order Granting Temporary Exemptive Relief From Certain Aspects of Rule 10c-1a"
    order = a_document(
        "34-22", date(2025, 12, 3),
        ("", title),
        ("", "On October 13, 2023, the Commission adopted Rule 13f-2 and Rule 10c-1a under the Exchange Act."),
        doc_type=DocType.ORDER, section="240.10c-1a", title=title,
    )  # fmt: skip
    catalog.record([order])
    book = open_book(catalog, NOTHING_LAID)
    found = on(book, "2026-01-05", "240.10c-1a")

    assert found.standing is Standing.PARTLY
    (relief, rest) = [line for line in found.lines if line.part is Part.RELIEF]
    assert relief.text.startswith("exemptive relief of certain of its requirements")
    assert "certain aspects only" in rest.text
    assert rest.inferred
    assert any(line.part is Part.GAP and "effective" in line.text for line in found.lines)
    assert on(book, "2028-01-05", "240.10c-1a").standing is Standing.UNKNOWN, "relief has lapsed"
