"""What a document says of itself, who speaks, which work it is and since when it was public."""

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ingest.document import Authority, DocType, Document, Metadata, Where
from ingest.manifest import read_manifest
from ingest.metadata import (
    authority,
    cited_releases,
    describe,
    identifiers,
    public_moment,
)
from ingest.moment import parse_moment
from ingest.parse import markdown, release, text

RELEASE = """https://www.sec.gov/rules/final/2031/34-99001.txt

I.0.0.0 Release No. 34-11111 in the contents

<END TABLE OF CONTENTS>

SECURITIES AND EXCHANGE COMMISSION 17 CFR PARTS 240 and 242

[Release No. 34-99001; File No. S7-99-31] RIN 3235-ZZ01

LANTERNS OF REGULATION NMS

AGENCY: Securities and Exchange Commission.

ACTION: Final rule.

SUMMARY: The Commission is adopting amendments to Rule 612 and Rule 15c3-5. They follow Release
No. 34-22222 (May 5, 2029).

DATES: {dates}

FOR FURTHER INFORMATION CONTACT: The lantern desk.

<END HEADER>

<h>I. Introduction</h>

Release No. 34-33333 (June 6, 2030), 95 FR 4444 (June 16, 2030), was about oil. The last letter
came on August 3, 2030.

<END MAIN TEXT>

1 See File No. S7-11-11.
"""

ORDER = """[Federal Register Volume 96, Number 12 (Friday, January 17, 2031)]
[Notices]
[Pages 5001-5003]
[FR Doc No: 2031-00999]

SECURITIES AND EXCHANGE COMMISSION

[Release No. 34-99002; File No. SR-LAMP-2030-015]

Self-Regulatory Organizations; Lamp Exchange; Order Approving a Proposed Rule Change on Oil

January 10, 2031.

I. Introduction

    On May 1, 2030, the exchange filed a change.
"""

TRACKER = """Final Rule

Lanterns of Regulation NMS

Summary:

The Commission is adopting amendments.

Key Dates
Citation: 96 FR 5001
Effective Date: March 9, 2031. Compliance dates: See section VI.

Document Details

Document Number2031-00998
PublishedJan 8, 2031
Docket IDRelease No. 34-99001
"""

PRESS = """SEC Adopts Lantern Rule

Washington, D.C.--(Newsfile Corp. - February 7, 2031) - The Securities and Exchange Commission today
adopted a rule on lanterns. The effective date is soon.
"""

STATEMENT = """Statement on Lanterns

Chair Example

Sept. 18, 2030

Today the Commission considers lanterns. I am pleased to support the rule.
"""

FAQ = """Frequently Asked Questions on Lanterns

April 15, 2030

These answers were prepared by the staff of the Division of Lanterns.
"""

PAGE = "Lanterns! Rule 612 of the Securities and Exchange Commission says lanterns must be lit by 2031."


def read(source: str, name: str = "x.txt", given: Mapping[str, str] | None = None) -> Document:
    data = source.encode()
    if name.endswith(".md"):
        document = markdown.parse(data, name)
    else:
        parser = release if release.is_release(data) else text
        document = parser.parse(data, name)
    describe(document, name, given)
    document.check()
    return document


def final(dates: str) -> Metadata:
    return read(RELEASE.format(dates=dates)).metadata


def test_a_release_takes_its_own_numbers_not_those_it_cites() -> None:
    metadata = final("Effective Date: March 3, 2031.")

    assert metadata.release == "34-99001"
    assert metadata.file_numbers == ("S7-99-31",)
    assert metadata.rin == ("3235-ZZ01",)
    assert metadata.fr_document is None
    assert metadata.title == "Lanterns of Regulation NMS"
    assert metadata.agency == "Securities and Exchange Commission"
    assert metadata.doc_type is DocType.FINAL_RULE
    assert metadata.authority is Authority.OFFICIAL_TEXT


def test_sections_come_from_title_and_summary_then_the_parts() -> None:
    metadata = final("Effective Date: March 3, 2031.")

    assert metadata.cfr_sections == ("240.15c3-5", "242.612", "240", "242")


def test_a_value_says_where_it_was_read() -> None:
    document = read(RELEASE.format(dates="Effective Date: March 3, 2031."))
    where = document.metadata.where["effective_on"]

    assert document.text[where.start : where.end] == "March 3, 2031"
    assert "DATES" in where.place


@pytest.mark.parametrize(
    ("dates", "effective", "effective_text", "compliance", "compliance_text"),
    [
        ("Effective Date : May 10, 2031", date(2031, 5, 10), None, None, None),
        (
            "Effective date: May 30, 2031. Compliance date: September 5, 2031.",
            date(2031, 5, 30),
            None,
            date(2031, 9, 5),
            None,
        ),
        (
            "Effective Date: [insert date 60 days after publication], except that part 9 shall "
            "become effective on April 1, 2032.",
            None,
            "[insert date 60 days after publication], except that part 9 shall become effective "
            "on April 1, 2032.",
            None,
            None,
        ),
        (
            "Effective Date: May 1, 2031. Compliance Dates : For phase-in dates, see section VII.",
            date(2031, 5, 1),
            None,
            None,
            "For phase-in dates, see section VII.",
        ),
        (
            "Effective Date: May 1, 2031. Compliance Date: The compliance date for rule 9 is "
            "June 3, 2031. Others have the same.",
            date(2031, 5, 1),
            None,
            date(2031, 6, 3),
            None,
        ),
        ("This rule is effective on May 7, 2031.", date(2031, 5, 7), None, None, None),
        ("Comments should be received on or before May 2, 2031.", None, None, None, None),
    ],
)
def test_only_a_stated_civil_day_becomes_a_date(
    dates: str,
    effective: date | None,
    effective_text: str | None,
    compliance: date | None,
    compliance_text: str | None,
) -> None:
    metadata = final(dates)

    assert (metadata.effective_on, metadata.effective_text) == (effective, effective_text)
    assert (metadata.compliance_on, metadata.compliance_text) == (compliance, compliance_text)


def test_a_federal_register_print_gives_number_citation_and_day() -> None:
    metadata = read(ORDER).metadata

    assert metadata.doc_type is DocType.ORDER
    assert metadata.release == "34-99002"
    assert metadata.file_numbers == ("SR-LAMP-2030-015",)
    assert metadata.fr_document == "2031-00999"
    assert metadata.fr_citation == "96 FR 5001"
    assert metadata.published_on == date(2031, 1, 17)
    assert public_moment(metadata, None) == (
        datetime(2031, 1, 17, 11, tzinfo=UTC),
        "federal register",
    )


def test_the_filed_stamp_is_the_public_moment() -> None:
    filed = ORDER + "\n[FR Doc. 2031-00999 Filed 1-16-31; 4:15 pm]\n"

    assert public_moment(read(filed).metadata, None) == (
        datetime(2031, 1, 16, 21, 15, tzinfo=UTC),
        "federal register",
    )


def test_a_day_line_of_an_order_is_its_signature() -> None:
    unprinted = ORDER.split("\n\n", 1)[1]
    metadata = read("[FR Doc No: 2031-00999]\n\n" + unprinted).metadata

    assert metadata.published_on == date(2031, 1, 10)
    assert public_moment(metadata, None) == (datetime(2031, 1, 11, 5, tzinfo=UTC), "release date")


def test_a_tracker_is_secondary_names_its_primary_and_takes_none_of_its_identifiers() -> None:
    metadata = read(TRACKER, given={"url": "https://frtracker.app/fr/2031-00998"}).metadata

    assert metadata.authority is Authority.SECONDARY
    assert metadata.primary == "fr:2031-00998"
    assert metadata.release is None
    assert metadata.published_on == date(2031, 1, 8)
    assert metadata.effective_on == date(2031, 3, 9)
    assert identifiers(metadata) == []
    assert public_moment(metadata, parse_moment("2032-01-01"))[1] == "federal register"


@pytest.mark.parametrize(
    ("source", "doc_type", "published"),
    [
        (PRESS, DocType.PRESS_RELEASE, date(2031, 2, 7)),
        (STATEMENT, DocType.STATEMENT, date(2030, 9, 18)),
        (FAQ, DocType.FAQ, date(2030, 4, 15)),
    ],
)
def test_press_releases_speeches_and_faq_are_statements(
    source: str, doc_type: DocType, published: date
) -> None:
    metadata = read(source).metadata

    assert metadata.authority is Authority.OFFICIAL_STATEMENT
    assert metadata.doc_type is doc_type
    assert metadata.published_on == published
    assert metadata.effective_on is None
    assert identifiers(metadata) == []


def test_a_page_of_unknown_origin_is_secondary_and_known_when_retrieved() -> None:
    retrieved = datetime(2032, 1, 1, tzinfo=UTC)
    metadata = read(PAGE, given={"url": "https://tips.example/?p=1"}).metadata

    assert metadata.authority is Authority.SECONDARY
    assert public_moment(metadata, retrieved) == (retrieved, "retrieved")
    assert public_moment(metadata, None) == (None, "unknown")


def test_official_words_on_an_unknown_site_are_secondary() -> None:
    source = RELEASE.replace("https://www.sec.gov/rules/final/2031/34-99001.txt", "")
    source = source.format(dates="Effective Date: March 3, 2031.")
    known = {"url": "https://scribble.example/document/34-99001"}

    assert read(source, given={"url": "https://scribble.example/d/7"}).metadata.authority is (
        Authority.SECONDARY
    )
    assert read(source, given=known).metadata.authority is Authority.OFFICIAL_TEXT
    assert read(source).metadata.authority is Authority.OFFICIAL_TEXT


def test_authority_needs_no_describe() -> None:
    document = text.parse(PAGE.encode(), "p.txt")

    assert authority(document, "p.txt", None) is Authority.SECONDARY


def test_a_manifest_value_wins_and_says_so_even_the_second_time() -> None:
    document = read(RELEASE.format(dates="Effective Date: March 3, 2031."))
    describe(document, "x.txt", {"published_on": "2031-01-05", "effective_on": "2031-04-04"})

    assert document.metadata.published_on == date(2031, 1, 5)
    assert document.metadata.effective_on == date(2031, 4, 4)
    assert document.metadata.where["effective_on"] == Where("manifest")
    assert document.metadata.release == "34-99001"


def test_what_the_parser_has_set_is_kept() -> None:
    document = text.parse(PRESS.encode(), "x.txt")
    document.metadata.title = "As the parser read it"
    describe(document, "x.txt")

    assert document.metadata.title == "As the parser read it"


def test_codified_text_is_one_work_a_section() -> None:
    section = (
        "##### § 242.999 Lanterns. #####\n\n(a) Lanterns shall be lit in the trading center.\n"
    )
    metadata = read(section, "s.md").metadata

    assert metadata.doc_type is DocType.REGULATION
    assert metadata.authority is Authority.OFFICIAL_TEXT
    assert identifiers(metadata) == [("cfr", "17:242.999")]


def test_a_note_on_a_coming_amendment_dates_codified_text() -> None:
    section = (
        "##### § 242.999 Lanterns. #####\n\nLink to an amendment published at 95 FR 100, Oct. 8, "
        "2030.\n\n(a) Lanterns kept since June 4, 1975, shall be lit in the trading center.\n\n"
        "(b) A lantern that is not lit shall be put out of the center before the next day.\n"
    )
    moment = public_moment(read(section, "s.md").metadata, datetime(2032, 1, 1, tzinfo=UTC))

    assert moment == (datetime(2030, 10, 9, 4, tzinfo=UTC), "latest date in text")


def test_a_subsection_in_a_file_of_its_own_is_a_work_of_its_own() -> None:
    statute = (
        "# Title 15— TRADE\n### CHAPTER 9— LANTERNS\n#### § 99k–1. Lanterns for trade\n"
        "##### (i) Findings\n\n(1) Lanterns kept since June 4, 1975, are useful to the public.\n"
    )
    metadata = read(statute, "u.md").metadata

    assert identifiers(metadata) == [("usc", "15:99k-1(i)(1)")]
    assert metadata.doc_type is DocType.STATUTE
    assert public_moment(metadata, None) == (None, "unknown")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rts99_2030-99_oil/Article_7.md", "2030/99:Article 7"),
        ("lamp_60-2014/TITLE_I/Article_7.md", "60/2014:Article 7"),
        ("rts99_2030-99_oil_fr/Article_7.md", "2030/99:Article 7:fr"),
    ],
)
def test_an_article_is_a_work_and_its_translation_another(name: str, value: str) -> None:
    article = "# Article 7 - Oil\n\n1.   The oil of the lanterns is to be clean.\n"

    assert identifiers(read(article, name).metadata) == [("eu", value)]


def test_the_cover_of_a_filing_is_read() -> None:
    cover = (
        "UNITED STATES SECURITIES AND EXCHANGE COMMISSION\n\nFORM 10-K\n\n"
        "For the fiscal year ended December 31, 2030\n\nLAMP OIL, INC.\n"
        "(Exact name of registrant as specified in its charter)\n\nOil is sold.\n\n"
        "SIGNATURES\n\nDate: February 24, 2031\n"
    )
    metadata = read(cover, "0001234567-31-000123.txt").metadata

    assert metadata.doc_type is DocType.FILING
    assert metadata.form == "10-K"
    assert metadata.company == "LAMP OIL, INC."
    assert metadata.period == date(2030, 12, 31)
    assert metadata.published_on == date(2031, 2, 24)
    assert identifiers(metadata) == [("accession", "0001234567-31-000123")]


def test_without_a_day_of_its_own_a_release_is_public_by_its_effective_date() -> None:
    metadata = final("Effective Date: March 3, 2031.")

    assert metadata.published_on is None
    assert public_moment(metadata, None) == (
        datetime(2031, 3, 3, 11, tzinfo=UTC),
        "effective date",
    )


def test_without_that_it_is_public_by_the_end_of_the_year_it_is_filed_under() -> None:
    metadata = final("Effective Date: [insert date 60 days after publication].")

    assert public_moment(metadata, None) == (datetime(2032, 1, 1, 5, tzinfo=UTC), "address")


def test_without_anything_else_the_latest_past_day_of_the_text_bounds_it() -> None:
    source = RELEASE.replace("/final/2031/", "/final/").format(dates="Later.")

    assert public_moment(read(source).metadata, None) == (
        datetime(2030, 8, 4, 4, tzinfo=UTC),
        "latest date in text",
    )


def test_edgar_acceptance_comes_before_everything() -> None:
    accepted = datetime(2031, 2, 3, 21, 30, tzinfo=UTC)
    metadata = Metadata(accepted_at=accepted, published_on=date(2031, 2, 1))

    assert public_moment(metadata, None) == (accepted, "edgar acceptance")


def test_identifiers_come_strongest_first() -> None:
    metadata = Metadata(
        authority=Authority.OFFICIAL_TEXT,
        release="34-99001",
        fr_document="2031-00998",
        fr_citation="96 FR 5001",
    )

    assert identifiers(metadata) == [
        ("sec", "34-99001"),
        ("fr", "2031-00998"),
        ("frcite", "96 FR 5001"),
    ]


def test_a_cited_release_gives_its_days() -> None:
    cited = cited_releases(
        "See Securities Exchange Act Release No. 33333 (Jun. 6, 2030), 95 FR 4444, 4450 (June 16, "
        "2030). And Release No. 34-33334 (July 7, 2030)."
    )

    assert [(c.release, c.signed_on, c.fr_citation, c.fr_on) for c in cited] == [
        ("34-33333", date(2030, 6, 6), "95 FR 4444", date(2030, 6, 16)),
        ("34-33334", date(2030, 7, 7), None, None),
    ]


EXPECTED = {
    "sec_final_releases_txt/34-51808.txt": ("34-51808", DocType.FINAL_RULE, "2005-08-29"),
    "sec_final_releases_txt/34-80295.txt": ("34-80295", DocType.FINAL_RULE, "2017-05-30"),
    "sec_final_releases_txt/34-84528.txt": ("34-84528", DocType.FINAL_RULE, None),
    "page_excerpts/fr-2026-12163_rule611_rescission_proposed.txt": (
        "34-105655",
        DocType.PROPOSED_RULE,
        None,
    ),
    "page_excerpts/fr-2015-28795_tick_pilot_exemption_80FR70284.txt": (
        "34-76382",
        DocType.ORDER,
        None,
    ),
    "web/page-90105731.txt": (None, DocType.OTHER, None),
}


@pytest.mark.data
@pytest.mark.parametrize("file", sorted(EXPECTED))
def test_documents_of_the_shared_corpus_are_described(file: str) -> None:
    data = _data()
    rows = read_manifest(data / "manifest.jsonl")
    source = (data / "corpus" / file).read_text(encoding="utf-8")
    metadata = read(source, file, rows.get(file)).metadata
    effective = metadata.effective_on.isoformat() if metadata.effective_on else None

    assert (metadata.release, metadata.doc_type, effective) == EXPECTED[file]


@pytest.mark.data
def test_as_of_2009_shows_the_release_of_2007_and_not_that_of_2010() -> None:
    folder = _data() / "corpus" / "sec_final_releases_txt"
    asked = parse_moment("2009-01-02")
    known = {}
    for number in ("34-55970", "34-61595"):
        source = (folder / f"{number}.txt").read_text(encoding="utf-8")
        known[number], _ = public_moment(read(source, f"{number}.txt").metadata, None)

    assert known["34-55970"] is not None
    assert known["34-61595"] is not None
    assert known["34-55970"] <= asked < known["34-61595"]


def _data() -> Path:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    return Path(data)
