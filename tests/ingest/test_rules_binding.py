"""What does not bind is never called binding: notes that tell of the past, relief, stays, paragraphs, old numbers."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.catalog import Catalog
from ingest.document import Authority, DocType, Document, Metadata, Section
from ingest.moment import end_of_day
from ingest.rules.events import About, EventKind, Role, events
from ingest.rules.held import Book, open_book
from ingest.rules.overlay import Overlay
from ingest.rules.state import Part, Standing, State, first_business_day, state
from tests.ingest.test_rules_state import ADOPTED, a_document, on

NOTHING_LAID = Overlay()


def a_note(words: str, *sections: str, doc_type: DocType = DocType.FINAL_RULE) -> Document:
    meta = Metadata(
        title="A note", doc_type=doc_type, authority=Authority.SECONDARY, primary="sec:34-1",
        cfr_sections=sections, effective_on=date(2024, 6, 14),
    )  # fmt: skip
    return Document(words, "markdown", (Section(0, len(words)),), (), meta)


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        yield catalog


# ---- what a note says of its own rule without its number


def test_the_compliance_date_of_no_rule_in_particular_is_that_of_the_notes_own() -> None:
    (event,) = events(
        a_note("The Commission extended the compliance date to August 1, 2026.", "242.605")
    )

    assert (event.kind, event.on, event.sections) == (
        EventKind.DELAYED,
        date(2026, 8, 1),
        ("242.605",),
    )


def test_a_date_that_is_extended_for_another_rule_is_not_its_own() -> None:
    (event,) = events(
        a_note("The Commission extended the compliance date for Rule 606 to August 1, 2026.", "242.605")
    )  # fmt: skip

    assert (event.sections, event.about) == (("242.606",), About.OTHER)


def test_a_note_may_tell_in_the_past_how_its_rule_took_effect() -> None:
    (event,) = events(a_note("The rule became effective on June 14, 2024.", "242.605"))

    assert (event.kind, event.about, event.sections) == (
        EventKind.EFFECTIVE,
        About.OWN,
        ("242.605",),
    )


def test_relief_without_a_number_is_from_what_the_sentence_before_names() -> None:
    words = (
        "In June 2026 the Commission extended the temporary exemption from Rules 610(c) and 612 of Regulation NMS. "
        "The exemption now lasts until the first business day of November 2027."
    )

    *_, until = events(a_note(words, "242.610", "242.612", doc_type=DocType.ORDER))

    assert (until.kind, until.sections, until.relative) == (
        EventKind.EXEMPTED,
        ("242.610(c)", "242.612"),
        "the first business day of November 2027",
    )


def test_relief_granted_to_one_firm_is_not_that_of_the_rule() -> None:
    words = "On May 3, 2025, the Commission granted Lamp Exchange, Inc. an exemption from Rule 605."

    (event,) = events(a_note(words, "242.605"))

    assert event.about is About.EARLIER


def test_certain_aspects_of_a_rule_are_a_part_of_it() -> None:
    title = "Order Granting Temporary Exemptive Relief From Rule 611 and From Certain Aspects of Rule 612"
    document = a_document(
        "34-4", date(2025, 8, 1), ("", title), doc_type=DocType.ORDER, title=title
    ).document

    (event,) = (e for e in events(document) if e.kind is EventKind.EXEMPTED)

    assert (event.sections, event.partly) == (("242.611", "242.612"), ("242.612",))


def test_petitions_that_were_denied_are_no_stay_and_no_vacatur() -> None:
    words = (
        "On October 14, 2025, the United States Court of Appeals denied the petitions for review."
    )

    (event,) = events(a_note(words, "242.612", doc_type=DocType.ORDER))

    assert (event.kind, event.on, event.role) == (
        EventKind.UPHELD,
        date(2025, 10, 14),
        Role.ACTION,
    )


def test_what_a_rule_took_away_with_another_is_removed_and_what_it_added_is_not() -> None:
    words = "Effective July 3, 2007, the Commission eliminated Rule 610 and added Rule 611 of Regulation NMS."

    (event,) = (e for e in events(a_note(words, "242.610", "242.611")) if e.removes)

    assert event.removes == ("242.610",)


# ---- the fold


def kept(catalog: Catalog, *documents: object) -> Book:
    catalog.record([ADOPTED, *documents])  # type: ignore[list-item]
    return open_book(catalog, NOTHING_LAID)


STAY = a_document(
    "34-10", date(2021, 6, 1),
    ("", "On June 1, 2021, the Commission stayed Rule 611 pending judicial review."), doc_type=DocType.ORDER,
)  # fmt: skip
DENIAL = a_document(
    "34-11", date(2021, 9, 1),
    ("", "On September 1, 2021, the Court of Appeals denied the petitions for review of Rule 611."), doc_type=DocType.ORDER,
)  # fmt: skip
RELIEF_TITLE = "Order Granting Temporary Exemptive Relief From Compliance With Rule 611"
RELIEF = a_document(
    "34-12", date(2021, 9, 20), ("", RELIEF_TITLE),
    ("", "The exemption from Rule 611 lasts until the first business day of November 2022."),
    doc_type=DocType.ORDER, title=RELIEF_TITLE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("day", "standing"),
    [
        ("2021-05-20", Standing.IN_FORCE),
        ("2021-06-15", Standing.STAYED),
        ("2021-09-10", Standing.STAYED),  # the mandate is still to come
        ("2021-10-01", Standing.EXEMPTED),
        ("2022-10-31", Standing.EXEMPTED),
        ("2022-11-01", Standing.IN_FORCE),
    ],
)
def test_relief_after_a_stay_decides_and_ends_on_its_day(
    catalog: Catalog, day: str, standing: Standing
) -> None:
    assert on(kept(catalog, STAY, DENIAL, RELIEF), day).standing is standing


def test_a_stay_pending_review_ends_some_time_after_the_petitions_are_denied(
    catalog: Catalog,
) -> None:
    found = on(kept(catalog, STAY, DENIAL), "2021-12-01")

    assert found.standing is Standing.IN_FORCE
    assert any(line.part is Part.GAP and line.inferred for line in found.lines)


def test_a_passed_compliance_date_is_not_in_force_under_relief(catalog: Catalog) -> None:
    found = on(kept(catalog, STAY, DENIAL, RELIEF), "2021-10-01")

    assert Part.IN_FORCE not in {line.part for line in found.lines}
    assert "compliance date stated: May 3, 2021" in {line.text for line in found.lines}


def test_a_stay_that_is_told_of_again_later_stays_nothing_anew(catalog: Catalog) -> None:
    again = a_document(
        "34-13", date(2023, 1, 3), ("", "An order of the Commission stayed Rule 611 for a time in 2021."),
        doc_type=DocType.NOTICE,
    )  # fmt: skip

    assert (
        on(kept(catalog, STAY, DENIAL, RELIEF, again), "2023-02-01").standing is Standing.IN_FORCE
    )


def test_a_paragraph_under_relief_is_told_apart_from_its_section(catalog: Catalog) -> None:
    title = "Order Granting Temporary Exemptive Relief From Compliance With Rule 611(b)"
    relief = a_document(
        "34-14", date(2021, 9, 20), ("", title), doc_type=DocType.ORDER, title=title
    )

    found = on(kept(catalog, relief), "2021-10-01")

    assert (found.standing, found.apart) == (
        Standing.IN_FORCE,
        (("242.611(b)", Standing.EXEMPTED),),
    )


def test_dates_of_other_firms_are_not_counted_from_the_print(catalog: Catalog) -> None:
    adopted = a_document(
        "34-15", date(2022, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("DATES", "Effective Date: November 1, 2022."),
        ("", "Firms should be provided an additional six months from the time that they first meet the thresholds to comply "
         "with the requirements of Rule 611."),
    )  # fmt: skip

    texts = {line.text for line in on(kept(catalog, adopted), "2023-06-01").lines}

    assert not any(text.startswith("compliance required since") for text in texts)


def test_the_newest_word_on_when_a_rule_ends_decides_and_differing_ones_are_shown(
    catalog: Catalog,
) -> None:
    pilot = a_document(
        "34-16", date(2004, 8, 6), ("SUMMARY", "The Commission is adopting Rule 202T."),
        ("DATES", "Effective Date: September 7, 2004 to September 7, 2007."), section="242.202T",
    )  # fmt: skip
    later = a_document(
        "34-17", date(2007, 7, 3), ("", "Temporary Rule 202T expires on August 6, 2007."), section="242.201"
    )  # fmt: skip
    book = kept(catalog, pilot, later)

    assert on(book, "2007-08-20", "242.202T").standing is Standing.EXPIRED
    assert Part.CONFLICT in {line.part for line in on(book, "2007-07-20", "242.202T").lines}


def test_an_old_number_is_removed_once_regulation_nms_gave_it_a_new_one(catalog: Catalog) -> None:
    old = a_document(
        "34-18", date(2000, 11, 17), ("SUMMARY", "The Commission is adopting Rule 11Ac1-5."),
        ("DATES", "Effective Date: January 30, 2001."), section="240.11Ac1-5",
    )  # fmt: skip
    nms = a_document(
        "34-51808", date(2005, 6, 9), ("SUMMARY", "The Commission is adopting Rule 605."),
        ("DATES", "Effective Date: August 29, 2005."), section="242.605",
    )  # fmt: skip
    book = kept(catalog, old, nms)

    assert on(book, "2005-08-28", "240.11Ac1-5").standing is Standing.IN_FORCE
    assert on(book, "2005-08-29", "240.11Ac1-5").standing is Standing.REMOVED


def test_one_proposal_told_of_twice_is_one_line(catalog: Catalog) -> None:
    proposed = a_document(
        "34-19", date(2023, 1, 10), ("SUMMARY", "The Commission is proposing amendments to Rule 611."),
        doc_type=DocType.PROPOSED_RULE,
    )  # fmt: skip
    told = a_document(
        "34-20", date(2023, 2, 1), ("", "On January 10, 2023, the Commission proposed amendments to Rule 611."),
        section="242.610", doc_type=DocType.NOTICE,
    )  # fmt: skip

    lines = [
        x for x in on(kept(catalog, proposed, told), "2023-03-01").lines if "proposed" in x.text
    ]

    assert [len(line.basis) for line in lines] == [2]


@pytest.mark.parametrize(
    ("words", "day"),
    [
        ("the first business day of November 2026", date(2026, 11, 2)),
        ("the first business day of February 2026", date(2026, 2, 2)),
        ("the first business day of January 2029", date(2029, 1, 2)),
        ("the first business day of September 2025", date(2025, 9, 2)),
        ("November 2026", None),
    ],
)
def test_the_first_business_day_of_a_month_is_a_day(words: str, day: date | None) -> None:
    assert first_business_day(words) == day


# ---- the bundled sample: what its notes say, read by hand


@pytest.mark.parametrize(
    ("section", "day", "standing"),
    [
        ("242.605", "2026-03-01", Standing.EFFECTIVE),
        ("242.605", "2026-08-01", Standing.IN_FORCE),
        ("240.13f-2", "2026-03-01", Standing.EXEMPTED),
        ("242.612", "2025-01-15", Standing.EFFECTIVE),
        ("242.612", "2026-01-15", Standing.EXEMPTED),
        ("242.612", "2026-11-05", Standing.EXEMPTED),
        ("242.610(d)", "2026-01-15", Standing.EXEMPTED),
        ("242.610(d)", "2026-03-01", Standing.IN_FORCE),
        ("242.610(c)", "2026-03-01", Standing.EXEMPTED),
        ("242.611", "2006-01-02", Standing.EFFECTIVE),
        ("242.611", "2026-07-01", Standing.TO_BE_RESCINDED),
        ("242.612", "2005-12-01", Standing.EFFECTIVE),
        ("242.201", "2011-01-15", Standing.EFFECTIVE),
        ("242.201", "2011-03-01", Standing.IN_FORCE),
        ("240.15c3-5", "2011-08-01", Standing.IN_FORCE),
        ("240.15c3-5(c)(1)(i)", "2011-08-01", Standing.EFFECTIVE),
        ("242.606", "2019-09-20", Standing.EFFECTIVE),
        ("242.606(a)", "2020-02-01", Standing.EFFECTIVE),
        ("242.1000", "2015-06-01", Standing.EFFECTIVE),
        ("240.15c6-1", "2023-06-01", Standing.EFFECTIVE),
        ("240.15c6-2", "2023-06-01", Standing.EFFECTIVE),
        ("240.15c6-1", "2024-05-28", Standing.IN_FORCE),
        ("242.610T", "2021-01-04", Standing.VACATED),
        ("242.613", "2020-01-02", Standing.IN_FORCE),
        ("242.615", "2026-01-02", Standing.UNKNOWN),
    ],
)
def test_the_sample_is_told_right(
    sample_book: Book, section: str, day: str, standing: Standing
) -> None:
    found: State = state(sample_book, section, end_of_day(date.fromisoformat(day)))

    assert found.standing is standing, [line.text for line in found.lines]


@pytest.fixture(name="sample_book", scope="session")
def _sample_book(sample_home: Path) -> Book:
    with Catalog(sample_home) as catalog:
        return open_book(catalog, NOTHING_LAID)


def test_what_an_earlier_release_did_is_not_the_effect_of_this_one(catalog: Catalog) -> None:
    later = a_document(
        "34-21", date(2023, 2, 1), ("SUMMARY", "The Commission is adopting amendments to Rule 611."),
        ("DATES", "Effective Date: May 1, 2023."),
        ("", "Effective July 3, 2007, the Commission eliminated Rule 610 and added Rule 611 of Regulation NMS."),
    )  # fmt: skip

    lines = on(kept(catalog, later), "2023-06-01").lines

    assert not [line.text for line in lines if line.part is Part.CONFLICT]


def test_a_date_to_come_that_newer_relief_may_put_off_is_not_pending(catalog: Catalog) -> None:
    first = a_document(
        "34-22", date(2021, 2, 1), ("", RELIEF_TITLE),
        ("", "Compliance with Rule 611 is required. Reports under Rule 611 are due by May 2, 2022."),
        doc_type=DocType.ORDER, title=RELIEF_TITLE,
    )  # fmt: skip
    again = a_document(
        "34-23", date(2022, 2, 1), ("", RELIEF_TITLE), doc_type=DocType.ORDER, title=RELIEF_TITLE
    )

    before, after = (on(kept(catalog, first, again), day) for day in ("2022-01-10", "2022-03-01"))

    assert "compliance required from May 2, 2022" in {line.text for line in before.lines}
    assert "compliance date stated before the relief: May 2, 2022" in {x.text for x in after.lines}
    assert after.standing is Standing.EXEMPTED
