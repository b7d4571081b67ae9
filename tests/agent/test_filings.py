"""Which filings a question asks about: by the filer's name as people say it, and by the period as they count it."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from agent.filings import NAMED, PERIOD, Filing, asked_filings, filings_of
from ingest.catalog import Catalog
from tests.ingest.test_rules_state import ALL

KNOWN = datetime(2026, 6, 1, tzinfo=UTC)


def filings(*rows: tuple[str, str | None, date | None]) -> list[Filing]:
    """Offsets from 1, in the order of the rows."""
    return [Filing(n, KNOWN, *row) for n, row in enumerate(rows, start=1)]


@pytest.mark.parametrize(
    ("company", "question", "named"),
    [
        ("THE LAMP OIL COMPANY, INC.", "What did Lamp Oil pay in FY2020?", True),
        ("THE LAMP OIL COMPANY, INC.", "What does lamp oil cost?", False),
        ("Foot Lamp, Inc.", "Who runs Footlamp?", True),
        ("JPLamp Chase & Co.", "What was JPLamp's revenue?", True),
        ("JPLamp Chase & Co.", "If JPL went under?", True),
        ("AMERICAN LAMP CORPORATION", "Does AMLA have margins?", True),
        ("AMERICAN LAMP CORPORATION", "What do American investors pay?", False),
        ("3L COMPANY", "Is 3L capital-intensive?", True),
        ("LAMPS.COM, INC.", "What did Lamps sell in 2017?", True),
        ("WELLS & LAMP/MN", "How many work for Wells & Lamp?", True),
        ("Lamp & Bell plc", "What does the SEC say of bells?", False),
        ("Southern Electric Company", "What did the SEC adopt?", False),
    ],
)
def test_a_company_is_named_as_people_say_it(company: str, question: str, named: bool) -> None:
    assert bool(asked_filings(question, filings((company, "10-K", None)))) is named


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("Lamp's FY2021 capex?", 2),
        ("Lamp's FY21 capex?", 2),
        ("Lamp's margin, FY2019 - FY2021 average?", 2),
        ("Lamp's sales in fiscal year 2020?", 1),
        ("Lamp's stores in Q2 of FY2022?", 3),
        ("Which of Lamp's segments led in 2022 Q2?", 3),
        ("Lamp's sales in the second fiscal quarter of 2022?", 3),
        ("What did Lamp's holders vote on May 3, 2021?", 4),
    ],
)
def test_the_filing_for_the_period_goes_first(question: str, best: int) -> None:
    """Of a company whose years end on the Saturday nearest the end of January."""
    held = filings(
        ("Lamp Inc.", "10-K", date(2020, 2, 1)),
        ("Lamp Inc.", "10-K", date(2021, 1, 30)),
        ("Lamp Inc.", "10-Q", date(2021, 7, 31)),
        ("Lamp Inc.", "8-K", date(2021, 5, 2)),
    )
    found = asked_filings(question, held)

    assert max(found, key=lambda offset: found[offset]) == best
    assert all(NAMED <= gain <= NAMED + PERIOD for gain in found.values())


def test_results_of_a_quarter_are_told_soon_after_it() -> None:
    held = filings(
        ("Lamp Inc.", None, date(2022, 12, 31)),
        ("Lamp Inc.", None, date(2023, 3, 25)),
        ("Lamp Inc.", "8-K", date(2023, 9, 30)),
    )
    found = asked_filings("As of FY2023Q1, why did Lamp raise its guidance?", held)

    assert max(found, key=lambda offset: found[offset]) == 2


def test_without_a_company_nothing_is_meant() -> None:
    assert asked_filings("What was revenue in FY2020?", filings(("Lamp Inc.", "10-K", None))) == {}


def test_filings_are_read_as_they_come(tmp_path: Path) -> None:
    with Catalog(tmp_path / "home") as catalog:
        assert filings_of(catalog) == ()
        catalog.record(ALL)
        companies = [held.offset for held in catalog.documents() if held.metadata.company]
        assert [each.offset for each in filings_of(catalog)] == companies
