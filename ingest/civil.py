"""Words in, civil dates out: "June 9, 2005", "Oct. 8, 2024", "2019-02-20" and where they stand."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

_NAMES = (
    ("january", "jan"),
    ("february", "feb"),
    ("march", "mar"),
    ("april", "apr"),
    ("may",),
    ("june", "jun"),
    ("july", "jul"),
    ("august", "aug"),
    ("september", "sept", "sep"),
    ("october", "oct"),
    ("november", "nov"),
    ("december", "dec"),
)
_MONTHS = {name: number for number, names in enumerate(_NAMES, start=1) for name in names}
MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|"
    r"Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
DAY = re.compile(
    rf"({MONTH})\.? (\d{{1,2}}), ?(\d{{4}})\b|\b(\d{{4}})-(\d\d)-(\d\d)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Day:
    on: date
    start: int
    end: int


def spoken(day: date) -> str:
    """ "December 9, 2024"."""
    return f"{day:%B} {day.day}, {day.year}"


def days(text: str) -> Iterable[Day]:
    for match in DAY.finditer(text):
        if day := _civil(match):
            yield Day(day, match.start(), match.end())


def _civil(match: re.Match[str]) -> date | None:
    try:
        if match[4]:
            return date(int(match[4]), int(match[5]), int(match[6]))
        return date(int(match[3]), _MONTHS[match[1].lower()], int(match[2]))
    except (ValueError, KeyError):
        return None


def day_at(text: str, start: int) -> Day | None:
    """A date that begins within a few characters of `start`."""
    day = next(iter(days(text[start : start + 60])), None)
    return Day(day.on, start + day.start, start + day.end) if day and day.start <= 12 else None


def day_before(text: str, end: int) -> Day | None:
    """A date that ends right before `end`, as on covers that print the date over its caption."""
    begin = max(0, end - 60)
    found = list(days(text[begin:end]))
    if not found:
        return None
    return Day(found[-1].on, begin + found[-1].start, begin + found[-1].end)
