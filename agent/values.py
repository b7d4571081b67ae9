"""A sentence in; its typed values out: money, rates, counts, durations, dates, times, rules, releases, citations.

Two wordings of one value get one key: "0.1 percent" is "10 basis points", "30 mils" is "$0.003", "Rule 612" is
"17 CFR 242.612" and the Sub-Penny Rule. Marks of footnotes and pages are not values.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

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
        return {one.unit, other.unit} <= _homes(one.amount)
    return True


_HOMES: tuple[tuple[range, str], ...] = (
    (range(100, 106), "Regulation M"),
    (range(200, 205), "Regulation SHO"),
    (range(300, 305), "Regulation ATS"),
    (range(600, 615), "Regulation NMS"),
    (range(1000, 1008), "Regulation SCI"),
)


def _homes(amount: str) -> set[str]:
    """The units that mean the same for this rule number: no unit, its part, its regulation."""
    number = re.match(r"\d+", amount)
    if re.match(r"\d+[A-Za-z]+\d*-\d", amount):  # 15c3-5, 10b-5, 13f-2: the Exchange Act's own
        return {"", "part 240"}
    for numbers, regulation in _HOMES:
        if number and int(number[0]) in numbers:
            return {"", "part 242", regulation}
    return {""}


@lru_cache(maxsize=4096)
def values(sentence: str) -> tuple[Value, ...]:
    """The typed values of a sentence, in order, never overlapping."""
    found: list[Value] = []
    reach = 0
    for start, end, kind, amount, unit in _scan(sentence):
        if start < reach:
            continue
        bound, spans = _bound(sentence, start, end, kind, reach)
        role = _role(sentence, start, end, kind)
        words = sentence[start:end]
        found.append(Value(kind, amount, unit, bound, role, start, end, words, spans))
        reach = end
    return tuple(found)


# --- numbers -----------------------------------------------------------------------------------------------------

_ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_TENS = dict(
    zip(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(),
        range(20, 100, 10),
        strict=True,
    )
)
_ORDINALS = {
    word: n
    for n, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth"
        " fifteenth".split(),
        1,
    )
} | {"twentieth": 20, "thirtieth": 30, "sixtieth": 60, "ninetieth": 90}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "eighth": 8,
    "tenth": 10,
    "sixteenth": 16,
}
_PARTS |= {"hundredth": 100, "thousandth": 1000}
_MAGNITUDES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_MAGNITUDES |= {"bn": 10**9, "mn": 10**6, "m": 10**6, "b": 10**9, "k": 10**3}

_DIGITS = (
    r"(?:(?<![\w.])\d{1,3}(?:,\d{3})+(?:\.\d+)?"  # 10,000
    r"|(?<![\w.])\d{1,3}(?: \d{3})+(?![\w])"  # 10 000, as EU texts write it
    r"|(?<![\w.])\d+(?:\.\d+)?(?![\d])|(?<![\w.])\.\d+)"
)
_ONE = "|".join(sorted(_ONES, key=len, reverse=True))
_TEN = "|".join(_TENS)
_PART = "|".join(_PARTS)
_WORD = rf"(?i:\b(?:{_TEN})(?:[- ](?:{_ONE}))?\b|\b(?:{_ONE})(?:(?: |-)hundred)?\b)"
_FRACTION = rf"(?i:\b(?:(?:one|two|three|five|seven|nine|a)[- ])?(?:{_PART})s?\b)"
_MAGNITUDE = r"(?:[ -]?(?:hundred|thousand|million|billion|trillion)\b)"
_NUMBER = rf"(?:(?:{_DIGITS}|{_WORD}){_MAGNITUDE}?)"


def _number(words: str) -> Decimal:
    """A number in digits or words; raises KeyError or ArithmeticError on what is none."""
    text = words.lower().replace(",", "").strip()
    total = Decimal(1)
    magnitude = re.search(r"[\s-]?([a-z]+)$", text)
    if magnitude and magnitude[1] in _MAGNITUDES and magnitude.start() > 0:
        total = Decimal(_MAGNITUDES[magnitude[1]])
        text = text[: magnitude.start()]
    if re.fullmatch(r"[\d.\s]+", text):
        return Decimal(re.sub(r"\s", "", text)) * total
    amount = 0
    for word in re.split(r"[\s-]+", text):
        if word == "hundred":
            amount *= 100
        else:
            amount += _TENS[word] if word in _TENS else _ONES[word]
    return Decimal(amount) * total


def _fraction(words: str) -> Decimal:
    parts = re.split(r"[\s-]+", words.lower())
    part = parts[-1] if parts[-1] in _PARTS else parts[-1].removesuffix("s")
    above = _ONES.get(parts[0], 1) if len(parts) > 1 else 1
    return Decimal(above) / Decimal(_PARTS[part])


def _plain(number: Decimal) -> str:
    text = format(number.normalize(), "f")
    return text if len(text) <= 24 else text[:24]


# --- the scanner -------------------------------------------------------------------------------------------------

_MONTHS = {
    name: n
    for n, names in enumerate(
        (
            "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,september sept sep,"
            "october oct,november nov,december dec"
        ).split(","),
        1,
    )
    for name in names.split()
}
_MONTH = r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?"
_MONTH += r"|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?|"
_MONTH += r"JANUARY|FEBRUARY|MARCH|APRIL|MAY|JUNE|JULY|AUGUST|SEPTEMBER|OCTOBER|NOVEMBER|DECEMBER)"
_YEAR = r"(?:19|20)\d{2}"
_TIMED = r"(?:calendar|business|trading|settlement|consecutive|full|additional|U\.S\.)"
_SPAN_UNIT = r"(?:days?|weeks?|months?|years?|hours?|minutes?|seconds?|milliseconds?|microseconds?|nanoseconds?)"
_RULE_NUMBER = r"\d{1,4}[A-Za-z]{0,2}\d{0,2}(?:-\d{1,2}[A-Za-z]?)?(?![\d,]\d)"
_SUBS = r"(?:\s?\((?:[a-z]{1,5}|[A-Z]{1,4}|\d{1,3})\))*"
_ROMAN = r"[IVXL]{1,6}(?:\.[A-Z0-9][A-Za-z0-9]{0,2})*"
_SHARE = r"(?:[ -](?:per|a)[ -]|/)(?:share|contract|order|trade|security|transaction|year|filing|hour)s?\b"
_CENT = r"(?:cents?|penn(?:y|ies)|mils?|mills?|nickels?|dimes?|dollars?|euros?)"
_CENTS = {"cent": "0.01", "penny": "0.01", "pennies": "0.01", "mil": "0.0001", "mill": "0.0001"}
# The market's mil is a hundredth of a cent ("30 mils" is the $0.003 cap), not the dictionary's tenth of one.
_CENTS |= {"nickel": "0.05", "dime": "0.1", "dollar": "1"}
_ZONE = r"(?:\s*\(?(?:Eastern|Central|Pacific|U\.S\. Eastern)(?:\s(?:Standard|Daylight))?(?:\s[Tt]ime)?\)?"
_ZONE += r"|\s(?:E[SD]?T|CET|UTC|GMT|C[SD]T|P[SD]T)\b)?"
_REGULATION = r"(?:\sof\sRegulation\s(?:NMS|SHO|ATS|SCI|M|AC|A|D|S))?"

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("fr", r"\b\d{1,3}\s(?:FR|F\.R\.|Fed\.\sReg\.)\s(?:at\s)?\d[\d,]*(?<!,)"),
    ("usc", r"\b\d{1,2}\sU\.?S\.?C\.?\s(?:§\s?)?\d+[a-z]{0,2}(?:[-–]\d+[a-z]?)?" + _SUBS),
    (
        "release",
        r"\b(?:(?:Securities\s)?(?:Exchange\sAct|Securities\sAct|Act)\s)?Release\sNos?\.\s?(?:[A-Z]{2}-)?\d[\d-]*",
    ),
    ("file", r"\b(?:S7|SR|4)-[A-Za-z]*-?[\d-]+\b"),
    (
        "cfr",
        r"\b\d{1,2}\sC\.?F\.?R\.?\s?(?:§+\s?|[Pp]arts?\s)?\d{2,4}(?:\.[\dA-Za-z]+(?:-\d+)?"
        + _SUBS
        + ")?",
    ),
    ("mark", r"§+\s?(?:\d{2,4}\.)?" + _RULE_NUMBER + _SUBS),
    (
        "rules",
        r"\b(?:Exchange\sAct\s|Securities\sExchange\sAct\s)?(?:Rules?|rules?)\s(?=\d)"
        + _RULE_NUMBER
        + _SUBS,
    ),
    ("section", r"\b[Ss]ections?\s(?:" + _RULE_NUMBER + _SUBS + "|" + _ROMAN + r"\b)"),
    (
        "article",
        r"\b(?:[Aa]rticles?|[Aa]nnex(?:es)?|[Rr]ecitals?|Items?|Table|Part)\s(?:\d+[a-z]?"
        + _SUBS
        + "|"
        + _ROMAN
        + r"\b)",
    ),
    (
        "paragraph",
        r"\b(?:[Pp]aragraphs?|[Ss]ubparagraphs?|[Ss]ubsections?)\s(?:\((?:[a-z]{1,4}|[A-Z]|\d+)\)\s?)+",
    ),
    ("law", r"\b(?:Regulation|Directive)\s(?:\(E[UC]\)\s)?(?:No\.?\s)?\d+/\d+(?:/E[UC])?"),
    (
        "day",
        rf"\b{_MONTH}\s\d{{1,2}},?\s{_YEAR}\b|\b\d{{1,2}}\s{_MONTH}\s{_YEAR}\b|\b{_YEAR}-\d{{2}}-\d{{2}}\b",
    ),
    ("slashed", rf"\b\d{{1,2}}/\d{{1,2}}/{_YEAR}\b"),
    (
        "quarter",
        rf"\b(?:[Ff]irst|[Ss]econd|[Tt]hird|[Ff]ourth)\s(?:calendar\s)?quarter\s(?:of\s)?{_YEAR}\b|\bQ[1-4]\s{_YEAR}\b",
    ),
    ("month", rf"\b{_MONTH},?\s{_YEAR}\b"),
    ("monthday", rf"\b{_MONTH}\s\d{{1,2}}\b(?![,\d]\d)"),
    (
        "time",
        r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?"
        + _ZONE
        + r"|\b\d{1,2}\s?[ap]\.m\."
        + _ZONE,
    ),
    ("cycle", r"\bT\s?\+\s?\d\b"),
    (
        "dollar",
        rf"(?:US|U\.S\.)?\s?(?:\$|€|£|\bEUR\s|\bUSD\s|\bGBP\s)\s?{_DIGITS}(?:{_MAGNITUDE}|\s?[kmb]n?\b)?(?:{_SHARE})?".replace(
            r"(?<![\w.])", ""
        ),
    ),
    ("half", rf"(?:{_FRACTION}[\s-](?:of\s)?(?:an?\s|one\s)?{_CENT}\b(?:{_SHARE})?)"),
    ("cents", rf"(?:{_NUMBER}|\ba)[\s-]{_CENT}\b(?:{_SHARE})?"),
    (
        "fraction_rate",
        rf"{_FRACTION}\s(?:of\s)?(?:(?:a|one|1)\s)?(?:percent\b|per\scent(?:um)?\b|%|basis\spoint\b)",
    ),
    (
        "rate",
        rf"{_NUMBER}[\s-]?(?:percent(?:age\spoints?)?\b|per\scent(?:um)?\b|%|basis\spoints?\b|bps?\b)",
    ),
    ("duration", rf"{_NUMBER}[\s-](?:{_TIMED}[\s-])*{_SPAN_UNIT}\b"),
    (
        "year",
        rf"\b{_YEAR}\b(?!\s(?:shares|securities|symbols|stocks|orders|hours|entities|firms))(?![\d,.]\d)(?!-\d)",
    ),
    ("ordinal", r"(?i:\b(?:" + "|".join(_ORDINALS) + r")\b(?!,))|\b\d{1,2}(?:st|nd|rd|th)\b"),
    ("fraction", rf"\b(?:one|two|three|five|seven)[- ](?:{_PART})s?\b"),
    ("number", rf"{_NUMBER}"),
)
_SCANNER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS))
# Thirty patterns tried at every character cost a millisecond a sentence; values begin at few places.
_STARTS = re.compile(
    r"(?<![\w.])(?:[\d$€£§]|\.\d|(?:T\s?\+|Q[1-4]\s|US|U\.S\.|EUR|USD|GBP|S7|SR|Securities|Exchange\sAct|Act|Release|Regulation"
    r"|Directive|[Rr]ules?|[Ss]ections?|[Aa]rticles?|[Aa]nnex|[Rr]ecitals?|Items?|Table|Part|(?:[Ss]ub)?[Pp]aragraphs?|[Ss]ubsections?"
    rf"|{_MONTH}|(?i:{_TEN}|{_ONE}|an?\s(?:{_PART}|cent|penny|mil|nickel|dime|dollar|euro)|{_PART}|{'|'.join(_ORDINALS)}))"
    r"(?![A-Za-z]{3}))"
)


# What each pattern makes of its words: (kind, amount, unit).
_Read = Callable[[str], tuple[ValueKind, str, str]]


def _money(words: str) -> tuple[ValueKind, str, str]:
    share = re.search(_SHARE + "$", words)
    unit = "USD"
    for mark, name in (("€", "EUR"), ("EUR", "EUR"), ("£", "GBP"), ("GBP", "GBP"), ("euro", "EUR")):
        unit = name if mark in words else unit
    if share:
        unit += "/" + re.sub(r"^[ -]?(?:per|a)?[ -]?/?", "", share[0]).removesuffix("s")
        words = words[: share.start()]
    number = re.search(
        rf"(?:{_DIGITS}|(?<=[$€£])\d[\d,]*(?:\.\d+)?|\.\d+){_MAGNITUDE}?(?:\s?[kmb]n?\b)?", words
    )
    return ValueKind.MONEY, _plain(_number(number[0] if number else "0")), unit


def _cents(words: str) -> tuple[ValueKind, str, str]:
    share = re.search(_SHARE + "$", words)
    unit = "EUR" if "euro" in words else "USD"
    if share:
        unit += "/" + re.sub(r"^[ -]?(?:per|a)?[ -]?/?", "", share[0]).removesuffix("s")
        words = words[: share.start()]
    *amount, coin = re.split(r"[\s-]+", words)
    worth = Decimal(_CENTS.get(coin, _CENTS.get(coin.removesuffix("s"), "1")))
    how_many = "one" if amount in (["a"], ["A"]) else " ".join(amount)
    return ValueKind.MONEY, _plain(_number(how_many) * worth), unit


def _half_cent(words: str) -> tuple[ValueKind, str, str]:
    fraction = re.match(_FRACTION, words)
    kind, amount, unit = _cents(
        "one "
        + words[fraction.end() if fraction else 0 :]
        .split("of ")[-1]
        .lstrip(" -")
        .removeprefix("a ")
        .removeprefix("one ")
    )
    return kind, _plain(Decimal(amount) * _fraction(fraction[0] if fraction else "half")), unit


def _rate(words: str) -> tuple[ValueKind, str, str]:
    number = re.match(_NUMBER, words)
    amount = _number(number[0] if number else "0")
    return _as_percent(amount, words)


def _fraction_rate(words: str) -> tuple[ValueKind, str, str]:
    fraction = re.match(_FRACTION, words)
    return _as_percent(_fraction(fraction[0] if fraction else "half"), words)


def _as_percent(amount: Decimal, words: str) -> tuple[ValueKind, str, str]:
    if re.search(r"basis|bps?\b", words):
        return ValueKind.RATE, _plain(amount / 100), "percent"
    return ValueKind.RATE, _plain(amount), "percentage point" if "point" in words else "percent"


def _duration(words: str) -> tuple[ValueKind, str, str]:
    number = re.match(_NUMBER, words)
    amount, rest = (number[0], words[number.end() :]) if number else ("0", words)
    unit = " ".join(re.split(r"[\s-]+", rest.strip(" -").lower())).removesuffix("s")
    return ValueKind.DURATION, _plain(_number(amount)), unit


def _day(words: str) -> tuple[ValueKind, str, str]:
    if re.match(r"\d{4}-", words):
        return ValueKind.DATE, words, ""
    year = words[-4:]
    month = _MONTHS[re.sub(r"[^a-z]", "", words.lower())]
    day = int(re.findall(r"\d+", words)[0])
    return ValueKind.DATE, f"{year}-{month:02d}-{day:02d}", ""


def _slashed(words: str) -> tuple[ValueKind, str, str]:
    month, day, year = words.split("/")
    return ValueKind.DATE, f"{year}-{int(month):02d}-{int(day):02d}", ""


def _month(words: str) -> tuple[ValueKind, str, str]:
    return ValueKind.DATE, f"{words[-4:]}-{_MONTHS[re.sub(r'[^a-z]', '', words.lower())]:02d}", ""


def _month_day(words: str) -> tuple[ValueKind, str, str]:
    month, day = words.rsplit(None, 1)
    return ValueKind.DATE, f"--{_MONTHS[month.lower().rstrip('.')]:02d}-{int(day):02d}", ""


def _quarter(words: str) -> tuple[ValueKind, str, str]:
    number = words[1] if words[0] == "Q" else str(_ORDINALS[words.split()[0].lower()])
    return ValueKind.DATE, f"{words[-4:]}-Q{number}", ""


def _time(words: str) -> tuple[ValueKind, str, str]:
    clock = re.match(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s?([ap])?\.?(?:m\b\.?)?", words)
    assert clock is not None  # the scanner matched it
    hour = int(clock[1]) % 12 + (12 if clock[4] == "p" else 0) if clock[4] else int(clock[1])
    if not clock[4] and not clock[1].startswith("0") and hour <= 12:  # "4:00" of which half-day?
        return ValueKind.TIME, f"{hour}:{clock[2]}", "unmarked"
    zone = words[clock.end() :].strip(" ()")
    unit = "ET" if zone.startswith(("Eastern", "U.S. Eastern", "ET", "EST", "EDT")) else zone
    seconds = f":{clock[3]}" if clock[3] else ""
    return ValueKind.TIME, f"{hour:02d}:{clock[2] or '00'}{seconds}", unit


def _cfr(words: str) -> tuple[ValueKind, str, str]:
    title = re.match(r"\d+", words)
    number = re.sub(r"^\d+\sC\.?F\.?R\.?\s?(?:§+\s?|[Pp]arts?\s)?", "", words)
    if title is None or title[0] != "17":
        return ValueKind.RULE, f"{title[0] if title else ''} CFR {number}", ""
    return _codified(number)


def _mark(words: str) -> tuple[ValueKind, str, str]:
    number = re.sub(r"[§\s]", "", words)
    return _codified(words.lstrip("§ ")) if "." in number else (ValueKind.SECTION, number, "")


def _codified(words: str) -> tuple[ValueKind, str, str]:
    """ "242.611 of Regulation NMS": the regulation adds nothing when it is the rule's own."""
    number, _, regulation = words.partition(" of ")
    amount, unit = _without_part(re.sub(r"\s", "", number))
    if regulation and regulation not in _homes(amount):
        unit = f"{unit} of {regulation}"
    return ValueKind.RULE, amount, unit


def _without_part(number: str) -> tuple[str, str]:
    """ "242.612(b)" -> ("612(b)", "part 242"); a part alone is its own number."""
    part, _, rule = number.partition(".")
    return (rule, f"part {part}") if rule else (f"part {part}", "")


def _rule(words: str) -> tuple[ValueKind, str, str]:
    regulation = re.search(r"\sof\sRegulation\s(\w+)$", words)
    unit = f"Regulation {regulation[1]}" if regulation else ""
    words = words[: regulation.start()] if regulation else words
    number = re.sub(r"^.*?[Rr]ules?\s", "", words)
    return ValueKind.RULE, re.sub(r"\s", "", number), unit


def _section(words: str) -> tuple[ValueKind, str, str]:
    name, number = words.split(None, 1)
    name = name.lower()
    name = "annex" if name == "annexes" else name.removesuffix("s")
    unit = "paragraph" if "paragraph" in name or name == "subsection" else name
    return ValueKind.SECTION, re.sub(r"\s", "", number), "" if unit == "section" else unit


def _release(words: str) -> tuple[ValueKind, str, str]:
    number = re.sub(r"^.*Nos?\.\s?", "", words).strip("-")
    if words.startswith(("Exchange", "Securities Exchange")) and re.fullmatch(r"\d+", number):
        number = f"34-{number}"
    return ValueKind.RELEASE, number, ""


def _count(words: str) -> tuple[ValueKind, str, str]:
    return ValueKind.COUNT, _plain(_number(words)), ""


def _ordinal(words: str) -> tuple[ValueKind, str, str]:
    digits = re.match(r"\d+", words)
    return ValueKind.ORDINAL, digits[0] if digits else str(_ORDINALS[words.lower()]), ""


def _as_written(kind: ValueKind) -> _Read:
    return lambda words: (kind, re.sub(r"[\s.]+", " ", words.replace("–", "-")).strip(), "")


_READ: dict[str, _Read] = {
    "fr": lambda words: (
        ValueKind.CITATION,
        re.sub(r"\s\D+\s", " FR ", words).replace(",", ""),
        "",
    ),
    "usc": _as_written(ValueKind.CITATION),
    "release": _release,
    "file": lambda words: (ValueKind.RELEASE, words, ""),
    "cfr": _cfr,
    "mark": _mark,
    "rules": _rule,
    "section": _section,
    "article": _section,
    "paragraph": _section,
    "law": lambda words: (
        ValueKind.CITATION,
        re.sub(r"^.*?(\d+/\d+).*$", r"\1", words),
        words.split()[0].lower(),
    ),
    "day": _day,
    "slashed": _slashed,
    "quarter": _quarter,
    "month": _month,
    "monthday": _month_day,
    "time": _time,
    "cycle": lambda words: (ValueKind.CYCLE, re.sub(r"\D", "", words), ""),
    "dollar": _money,
    "half": _half_cent,
    "cents": _cents,
    "fraction_rate": _fraction_rate,
    "rate": _rate,
    "duration": _duration,
    "year": lambda words: (ValueKind.DATE, words, ""),
    "ordinal": _ordinal,
    "fraction": lambda words: (ValueKind.COUNT, _plain(_fraction(words)), ""),
    "number": _count,
}

Raw = tuple[int, int, ValueKind, str, str]


def _scan(sentence: str) -> Iterator[Raw]:
    """Every value with its span: named rules, what the patterns find, the rest of rule lists."""
    named = list(_named_rules(sentence))
    position = 0
    while begin := _STARTS.search(sentence, position):
        found = _SCANNER.match(sentence, begin.start())
        if found is None:
            position = begin.start() + 1
            continue
        start, position = found.span()
        while named and named[0][1] <= start:
            yield named.pop(0)
        if named and named[0][0] < position:
            continue
        for item in _read(sentence, start, position, str(found.lastgroup)):
            yield item
            position = item[1]
    yield from named


def _read(sentence: str, start: int, end: int, name: str) -> Iterator[Raw]:
    if name in ("rules", "cfr", "mark"):
        end = _with_regulation(sentence, end)
    words = sentence[start:end].rstrip()
    end = start + len(words)
    try:
        kind, amount, unit = _READ[name](words)
    except (KeyError, ArithmeticError, ValueError):  # a false friend, "May 99"
        return
    if kind is ValueKind.COUNT:
        unit = _counted(sentence, end)
    yield start, end, kind, amount, unit
    if name in ("rules", "section", "mark", "paragraph", "article"):
        yield from _listed(sentence, end, kind, unit)


def _with_regulation(sentence: str, end: int) -> int:
    regulation = re.compile(_REGULATION).match(sentence, end)
    return regulation.end() if regulation else end


_NEXT = re.compile(
    rf"(?:,\s(?:and\s|or\s)?|\s(?:and|or|through|to)\s)(?P<item>(?:(?:\d+\.)?{_RULE_NUMBER}{_SUBS}|(?:\((?:[a-z]{{1,4}}|[A-Z]|\d+)\)\s?)+))"
    r"(?!\s?(?:percent|per cent|%|shares|days|business|trading|calendar|months|years|basis|cents|[a-z]+s\b))"
)


def _listed(sentence: str, end: int, kind: ValueKind, unit: str) -> Iterator[Raw]:
    """The further numbers of "Rules 610(f) and 612(d)", which have no word of their own."""
    while found := _NEXT.match(sentence, end):
        item = re.sub(r"\s", "", found["item"])
        amount = _without_part(item)[0] if "." in item else item
        bare_number = re.fullmatch(r"\d{1,2}", amount)
        if bare_number and kind is ValueKind.RULE:  # "Rule 612 and 2 others"
            return
        start, end = found.span("item")
        end = start + len(sentence[start:end].rstrip())
        yield start, end, kind, amount, unit


def _counted(sentence: str, end: int) -> str:
    """The noun a count counts, as the next word that is no function word; "" when there is none."""
    following = re.compile(r"[\s-]+(?:or\s(?:more|fewer|less)\s)?([A-Za-z]{3,})").match(
        sentence, end
    )
    return following[1].lower().removesuffix("s") if following else ""


@cache
def _rule_names() -> tuple[dict[str, str], re.Pattern[str]]:
    table = tomllib.loads(Path(__file__).with_name("synonyms.toml").read_text("utf-8"))["rules"]
    names = {str(name): str(number) for name, number in table.items()}
    ordered = sorted(names, key=len, reverse=True)
    return names, re.compile(r"\b(?:" + "|".join(map(re.escape, ordered)) + r")\b")


def _named_rules(sentence: str) -> Iterator[Raw]:
    names, pattern = _rule_names()
    for found in pattern.finditer(sentence):
        yield *found.span(), ValueKind.RULE, names[found[0]], ""


# --- bounds and roles --------------------------------------------------------------------------------------------

_BEFORE: tuple[tuple[Bound, str], ...] = (
    (
        Bound.AT_LEAST,
        r"at least|not? (?:less|fewer|lower) than|a minimum of|at a minimum|equal to or (?:greater|more|higher) than|(?:greater|more|higher) than or equal to|at or above",
    ),
    (
        Bound.AT_MOST,
        r"not? (?:more|greater|higher|later) than|not (?:to )?exceed(?:ing)?|at most|up to|a maximum of|equal to or (?:less|lower) than|(?:less|lower) than or equal to|at or below",
    ),
    (Bound.ABOVE, r"(?:more|greater|higher) than|in excess of|exceed(?:s|ed|ing)?|above|over"),
    (Bound.BELOW, r"(?:less|fewer|lower) than|below|under"),
    (Bound.ABOUT, r"approximately|about|around|roughly|an estimated"),
    (Bound.EXACT, r"exactly|precisely"),
)
_BEFORE_VALUE = re.compile(
    "|".join(
        f"(?P<b{i}>(?<![\\w-])(?:{words}) (?:the |an? )?$)" for i, (_, words) in enumerate(_BEFORE)
    ),
    re.IGNORECASE,
)
_AFTER: tuple[tuple[Bound, str], ...] = (
    (Bound.AT_LEAST, r"(?:or|and) (?:more|greater|higher|above|longer)"),
    (Bound.AT_MOST, r"or (?:less|fewer|lower|below|under|shorter|earlier)"),
)
# "10,000 shares or more per security": the bound may stand one or two words behind its value.
_AFTER_VALUE = re.compile(
    "|".join(
        rf"(?P<a{i}>(?:[ -][A-Za-z]+){{0,2}}? \b{words}\b)" for i, (_, words) in enumerate(_AFTER)
    )
)
_BOUNDED = {
    ValueKind.MONEY,
    ValueKind.RATE,
    ValueKind.COUNT,
    ValueKind.DURATION,
    ValueKind.DATE,
    ValueKind.TIME,
}


_TIMES = {ValueKind.DURATION, ValueKind.DATE, ValueKind.TIME}


def _bound(
    sentence: str, start: int, end: int, kind: ValueKind, reach: int
) -> tuple[Bound, tuple[Span, ...]]:
    if kind not in _BOUNDED:
        return Bound.EXACT, ((start, end),)
    low = max(reach, start - 40)
    before = _BEFORE_VALUE.search(sentence[low:start])
    if before:
        bound = _BEFORE[int(str(before.lastgroup)[1:])][0]
        if kind in _TIMES and before[0].lower().split()[0] in {"over", "above", "under", "below"}:
            return Bound.EXACT, (
                (start, end),
            )  # "phased in over two years" is during, not more than
        return bound, ((low + before.start(), end),)
    after = _AFTER_VALUE.match(sentence, end)
    if after and kind not in (ValueKind.DATE, ValueKind.TIME):
        bound, words = _AFTER[int(str(after.lastgroup)[1:])]
        tail = re.search(rf"\b{words}$", after[0])
        assert tail is not None  # the pattern ends with it
        return bound, ((start, end), (after.start() + tail.start(), after.end()))
    return Bound.EXACT, ((start, end),)


_ROLES: tuple[tuple[str, str], ...] = (
    ("comments due", r"comments?\b.{0,40}\b(?:due|received|submitted)|comment period"),
    ("compliance", r"complian\w+|comply"),
    ("effective", r"effective|take effect|in force"),
    ("published", r"published|publication"),
    ("adopted", r"adopted|adopting|approved|issued"),
    ("until", r"until|expires?|expiration"),
    ("increment", r"increments?|tick"),
    ("cap", r"caps?|capped|maximum|limit(?:s|ed)?|ceiling"),
    ("threshold", r"thresholds?"),
    ("fee", r"fees?|rebates?|charge[sd]?"),
)
_ROLE = re.compile(
    "|".join(rf"(?P<r{i}>\b(?:{words})\b)" for i, (_, words) in enumerate(_ROLES)), re.IGNORECASE
)
_DATE_ROLES = {"comments due", "compliance", "effective", "published", "adopted", "until"}
_DATED = {ValueKind.DATE, ValueKind.TIME, ValueKind.ORDINAL}
_REFERENCES = {
    ValueKind.RULE,
    ValueKind.SECTION,
    ValueKind.RELEASE,
    ValueKind.CITATION,
    ValueKind.CYCLE,
}
_CLAUSE_END = re.compile(r"[;:]|, (?:and|but|which|while|whereas|although)\b")


def _role(sentence: str, start: int, end: int, kind: ValueKind) -> str:
    """What the value does, from the nearest cue of its clause; a cue before it wins over one behind it."""
    if kind in _REFERENCES:
        return ""
    low = max((m.end() for m in _CLAUSE_END.finditer(sentence, 0, start)), default=0)
    stop = _CLAUSE_END.search(sentence, end)
    high = stop.start() if stop else len(sentence)
    fits = [role for role, _ in _ROLES if (role in _DATE_ROLES) == (kind in _DATED)]
    behind = [_ROLES[int(str(m.lastgroup)[1:])][0] for m in _ROLE.finditer(sentence, low, start)]
    ahead = [_ROLES[int(str(m.lastgroup)[1:])][0] for m in _ROLE.finditer(sentence, end, high)]
    for role in (*reversed(behind), *ahead):
        if role in fits:
            return role
    return ""
