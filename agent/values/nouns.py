"""The nouns of a value: its kind, its bound, the value itself, and when two are the same."""

import re
from dataclasses import dataclass
from enum import StrEnum

Span = tuple[int, int]


class ValueKind(StrEnum):
    """What a value is a value of."""

    MONEY = "money"
    RATE = "rate"
    COUNT = "count"
    ORDINAL = "ordinal"
    DURATION = "duration"
    CYCLE = "settlement cycle"
    DATE = "date"
    TIME = "time"
    RULE = "rule"
    SECTION = "section"
    RELEASE = "release"
    CITATION = "citation"


class Bound(StrEnum):
    """How the value limits what it is said of."""

    EXACT = "="
    AT_LEAST = "≥"
    AT_MOST = "≤"
    ABOVE = ">"
    BELOW = "<"
    ABOUT = "≈"


@dataclass(frozen=True, slots=True)
class Value:
    """One value at [start, end) of the sentence.

    amount  canonical words: plain decimals ("0.003", percent for rates), ISO dates ("2004-09-18", "2004-09", "2016-Q3"),
            24-hour times ("08:00"), rule numbers without title and part ("612(b)(1)")
    unit    "USD", "USD/share", "percent", "business day", "ET", "Regulation NMS", the noun a count counts; or ""
    role    "cap", "increment", "threshold", "fee", "effective", "compliance", "comments due", "published", "adopted",
            "until"; "" when the sentence does not say
    spans   the value's own words and those of its bound ("or more" can stand apart), in order
    """

    kind: ValueKind
    amount: str
    unit: str
    bound: Bound
    role: str
    start: int
    end: int
    text: str
    spans: tuple[Span, ...]

    @property
    def key(self) -> tuple[ValueKind, str, str]:
        """Kind, amount and unit; a rule's regulation and a count's noun are left to `same`."""
        loose = self.kind in (ValueKind.RULE, ValueKind.COUNT, ValueKind.ORDINAL)
        return self.kind, self.amount, "" if loose else self.unit


def same(one: Value, other: Value) -> bool:
    """Equal in kind, amount, unit and bound.

    "Rule 612" may leave out its part (17 CFR 242) or regulation (NMS), and only its own: it is not
    "Rule 612 of Regulation SHO".
    """
    if one.key != other.key or one.bound != other.bound:
        return False
    if one.kind is ValueKind.RULE and one.unit != other.unit:
        return {one.unit, other.unit} <= homes(one.amount)
    return True


_HOMES: tuple[tuple[range, str], ...] = (
    (range(100, 106), "Regulation M"),
    (range(200, 205), "Regulation SHO"),
    (range(300, 305), "Regulation ATS"),
    (range(600, 615), "Regulation NMS"),
    (range(1000, 1008), "Regulation SCI"),
)


def homes(amount: str) -> set[str]:
    """The units that mean the same for this rule number: no unit, its part, its regulation."""
    number = re.match(r"\d+", amount)
    if re.match(r"\d+[A-Za-z]+\d*-\d", amount):  # 15c3-5, 10b-5, 13f-2: the Exchange Act's own
        return {"", "part 240"}
    for numbers, regulation in _HOMES:
        if number and int(number[0]) in numbers:
            return {"", "part 242", regulation}
    return {""}
