"""A question and the filings held in, how much each is one that it asks about out: the filer by its name, the period as said.

    "FY2018 capex of Lamp Oil"          the annual report for the year, then the one after it, which states the year too
    "LMP's stores in Q2 of FY2024"      the quarterly report; fiscal years are named by the year in which they end
    "what did the holders vote on May 3, 2023?"   what was filed about that day

Nothing is left out for it: a filing that is meant goes ahead of others that say the same.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from threading import Lock
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ingest.catalog import Catalog
from ingest.civil import days

NAMED, PERIOD = 0.5, 0.3  # added to a fused score, which is 0 to 1; chosen on the dev questions

_ANNUAL = frozenset(["10-K", "20-F", "40-F"])
_QUARTERLY = "10-Q"
_REPORTED_WITHIN = timedelta(days=100)  # the results of a quarter, from its end
_ABOUT = timedelta(days=5)  # from what happened to the day that a current report names
_WEEK = timedelta(days=7)  # a year of 52 or 53 weeks ends as late as this in the next month


class Filing(NamedTuple):
    """A document of a company. offset: in the catalog; on: the last day of its period, else the day it was published."""

    offset: int
    known_at: datetime
    company: str
    form: str | None
    on: date | None


_read: "WeakKeyDictionary[Catalog, tuple[int, tuple[Filing, ...]]]" = WeakKeyDictionary()
_reading = Lock()


def filings_of(catalog: Catalog) -> tuple[Filing, ...]:
    """Those of a catalog; what was read once is kept, since what is recorded stays."""
    with _reading:
        head, held = _read.get(catalog, (0, ()))
        if catalog.head() > head:
            new = catalog.documents(after=head)
            held += tuple(
                Filing(each.offset, each.known_at, each.metadata.company, each.metadata.form,
                       each.metadata.period or each.metadata.published_on)
                for each in new if each.metadata.company
            )  # fmt: skip
            _read[catalog] = new[-1].offset, held
        return held


def asked_filings(question: str, filings: Iterable[Filing]) -> dict[int, float]:
    """Offset of each filing of a company that the question names → what its passages gain, NAMED to NAMED + PERIOD."""
    of_company: dict[str, list[Filing]] = {}
    for each in filings:
        of_company.setdefault(_short(each.company), []).append(each)
    asked = _period(question)
    return {
        each.offset: NAMED + PERIOD * _fit(each, asked, _year_end(of_company[name]))
        for name in of_company
        if _is_named(name, question)
        for each in of_company[name]
    }


# ---- the company

_LEGAL = re.compile(
    r"[\s,.&]*\b(?:inc|incorporated|corp|corporation|co|com|company|companies|ltd|limited|llc|lp|plc|nv|sa|ag|the|de)\b[\s.]*$"
)
# First words by which nobody calls a company alone.
_GENERAL = frozenset(
    """advanced allied american applied associated best capital central citizens consolidated digital eastern energy
    first foot general global great group home international interactive national new north northern pacific public republic
    royal southern standard state texas union united universal us western world""".split()
)
_INITIALS_OF_OTHERS = frozenset(
    "AGM CEO CFO COGS DPO EBIT EPS ESG ETF FASB GAAP NYSE PPE SEC USA USD VAR".split()
)


@lru_cache(1 << 16)
def _short(company: str) -> str:
    """As people say it: without "The", "Inc." and the like, in lower case."""
    name = re.sub(r"\s+", " ", company.strip().lower())
    name = re.sub(
        r"^the |\s*/\w{2,3}/?$", "", name
    )  # "WELLS & CO /MN/": a state, as EDGAR writes it
    while (shorter := _LEGAL.sub("", name)) and shorter != name:
        name = shorter
    return name.strip(" ,.&")


def _is_named(name: str, question: str) -> bool:
    """Whether a question says a name, its first word where that is its own, or letters of its words: "JPM", "AMEX"."""
    words, said = _said(name)
    if said is None:
        return False
    if any(not match[0][0].islower() for match in said.finditer(question)):
        return True
    letters = set(re.findall(r"\b[A-Z]{3,5}\b", question)) - _INITIALS_OF_OTHERS
    return any(_abbreviates(each.lower(), words) for each in letters)


@lru_cache(1 << 16)
def _said(name: str) -> tuple[list[str], re.Pattern[str] | None]:
    """The words of a name, and what finds it or its own first word; spaces may be left out."""
    words = re.findall(r"\w+", name)
    if not words:
        return words, None
    own = len(words[0]) > 3 and words[0] not in _GENERAL
    rest = r"(?:[\W_]*" + r"[\W_]*".join(map(re.escape, words[1:])) + ")" if words[1:] else ""
    found = re.escape(words[0]) + rest + ("?" if own and rest else "")
    return words, re.compile(rf"\b{found}\b", re.IGNORECASE)


def _abbreviates(letters: str, words: Sequence[str]) -> bool:
    """Whether letters are the beginnings of words, one after another, none of the words but the last left out."""
    if not letters:
        return True
    if not words:
        return False
    return any(
        letters[:many] == words[0][:many] and _abbreviates(letters[many:], words[1:])
        for many in range(1, len(letters) + 1)
    )


# ---- the period


@dataclass(frozen=True, slots=True)
class _Asked:
    years: frozenset[int]
    quarters: frozenset[tuple[int, int]]
    days: frozenset[date]


_YEAR = r"(?:FY|fiscal(?:\s+year)?)?\s*'?(?P<year>(?:19|20)\d\d|(?<=FY)\d\d|(?<=FY )\d\d)(?!\d)"
_A_YEAR = re.compile(rf"(?<![\d.$]){_YEAR}(?![.,]?\d)", re.IGNORECASE)
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4}
_QUARTERS = (
    re.compile(rf"\bQ(?P<quarter>[1-4])\s*(?:of\s+|,\s*)?{_YEAR}", re.IGNORECASE),
    re.compile(rf"{_YEAR}\s*-?Q(?P<quarter>[1-4])\b", re.IGNORECASE),
    re.compile(
        rf"\b(?P<quarter>{'|'.join(_ORDINALS)})\s+(?:fiscal\s+)?quarter\s+(?:of\s+)?{_YEAR}",
        re.IGNORECASE,
    ),
)


def _period(question: str) -> _Asked:
    quarters = {
        (_full(match["year"]), _ORDINALS.get(match["quarter"].lower()) or int(match["quarter"]))
        for pattern in _QUARTERS
        for match in pattern.finditer(question)
    }
    on = list(days(question))
    years = {
        _full(match["year"])
        for match in _A_YEAR.finditer(question)
        if not any(day.start <= match.start("year") < day.end for day in on)
    }
    return _Asked(frozenset(years), frozenset(quarters), frozenset(day.on for day in on))


def _full(year: str) -> int:
    return int(year) + (2000 if len(year) == 2 else 0)


def _year_end(filings: Sequence[Filing]) -> int:
    """The month in which a company's fiscal years end; December where no annual report is held."""
    ends = [(each.on - _WEEK).month for each in filings if each.form in _ANNUAL and each.on]
    return ends[-1] if ends else 12


def _fit(filing: Filing, asked: _Asked, year_end: int) -> float:
    """How well the period of a filing is the one asked about, 0 to 1."""
    on = filing.on
    if on is None:
        return 0.0
    if any(abs(day - on) <= _ABOUT for day in asked.days):
        return 1.0
    last = on - _WEEK
    year = last.year + (last.month > year_end)
    quarter = ((last.month - year_end - 1) % 12) // 3 + 1
    latest = max(asked.years, default=0)
    if filing.form in _ANNUAL:
        if asked.quarters:
            return 0.25 * (year == latest)
        return {0: 1.0, 1: 0.5}.get(year - latest, 0.25 * (year in asked.years))
    if filing.form == _QUARTERLY:
        return 1.0 if (year, quarter) in asked.quarters else 0.25 * (year == latest)
    ends = [_quarter_end(*each, year_end) for each in asked.quarters]
    if any(-_WEEK <= on - end <= _REPORTED_WITHIN for end in ends):
        return 0.8
    return 0.5 * (latest <= on.year <= latest + 1)


def _quarter_end(year: int, quarter: int, year_end: int) -> date:
    month = (year_end + 3 * quarter - 1) % 12 + 1
    year -= month > year_end
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
