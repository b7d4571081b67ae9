"""The words of one value in; its kind, canonical amount and unit out. One reader for each pattern."""

import re
from collections.abc import Callable
from decimal import Decimal

from agent.values.nouns import ValueKind, homes
from agent.values.numbers import (
    DIGITS,
    FRACTION,
    MAGNITUDE,
    NUMBER,
    ORDINALS,
    fraction,
    number,
    plain,
)

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
SHARE = r"(?:[ -](?:per|a)[ -]|/)(?:share|contract|order|trade|security|transaction|year|filing|hour)s?\b"
_CENTS = {"cent": "0.01", "penny": "0.01", "pennies": "0.01", "mil": "0.0001", "mill": "0.0001"}
# The market's mil is a hundredth of a cent ("30 mils" is the $0.003 cap), not the dictionary's tenth of one.
_CENTS |= {"nickel": "0.05", "dime": "0.1", "dollar": "1"}

# What each pattern makes of its words: (kind, amount, unit).
_Read = Callable[[str], tuple[ValueKind, str, str]]


def _money(words: str) -> tuple[ValueKind, str, str]:
    share = re.search(SHARE + "$", words)
    unit = "USD"
    for mark, name in (("€", "EUR"), ("EUR", "EUR"), ("£", "GBP"), ("GBP", "GBP"), ("euro", "EUR")):
        unit = name if mark in words else unit
    if share:
        unit += "/" + re.sub(r"^[ -]?(?:per|a)?[ -]?/?", "", share[0]).removesuffix("s")
        words = words[: share.start()]
    found = re.search(
        rf"(?:{DIGITS}|(?<=[$€£])\d[\d,]*(?:\.\d+)?|\.\d+){MAGNITUDE}?(?:\s?[kmb]n?\b)?", words
    )
    return ValueKind.MONEY, plain(number(found[0] if found else "0")), unit


def _cents(words: str) -> tuple[ValueKind, str, str]:
    share = re.search(SHARE + "$", words)
    unit = "EUR" if "euro" in words else "USD"
    if share:
        unit += "/" + re.sub(r"^[ -]?(?:per|a)?[ -]?/?", "", share[0]).removesuffix("s")
        words = words[: share.start()]
    *amount, coin = re.split(r"[\s-]+", words)
    worth = Decimal(_CENTS.get(coin, _CENTS.get(coin.removesuffix("s"), "1")))
    how_many = "one" if amount in (["a"], ["A"]) else " ".join(amount)
    return ValueKind.MONEY, plain(number(how_many) * worth), unit


def _half_cent(words: str) -> tuple[ValueKind, str, str]:
    found = re.match(FRACTION, words)
    kind, amount, unit = _cents(
        "one "
        + words[found.end() if found else 0 :]
        .split("of ")[-1]
        .lstrip(" -")
        .removeprefix("a ")
        .removeprefix("one ")
    )
    return kind, plain(Decimal(amount) * fraction(found[0] if found else "half")), unit


def _rate(words: str) -> tuple[ValueKind, str, str]:
    found = re.match(NUMBER, words)
    amount = number(found[0] if found else "0")
    return _as_percent(amount, words)


def _fraction_rate(words: str) -> tuple[ValueKind, str, str]:
    found = re.match(FRACTION, words)
    return _as_percent(fraction(found[0] if found else "half"), words)


def _as_percent(amount: Decimal, words: str) -> tuple[ValueKind, str, str]:
    if re.search(r"basis|bps?\b", words):
        return ValueKind.RATE, plain(amount / 100), "percent"
    return ValueKind.RATE, plain(amount), "percentage point" if "point" in words else "percent"


def _duration(words: str) -> tuple[ValueKind, str, str]:
    found = re.match(NUMBER, words)
    amount, rest = (found[0], words[found.end() :]) if found else ("0", words)
    unit = " ".join(re.split(r"[\s-]+", rest.strip(" -").lower())).removesuffix("s")
    return ValueKind.DURATION, plain(number(amount)), unit


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
    number = words[1] if words[0] == "Q" else str(ORDINALS[words.split()[0].lower()])
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
    amount, unit = without_part(re.sub(r"\s", "", number))
    if regulation and regulation not in homes(amount):
        unit = f"{unit} of {regulation}"
    return ValueKind.RULE, amount, unit


def without_part(number: str) -> tuple[str, str]:
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
    return ValueKind.COUNT, plain(number(words)), ""


def _ordinal(words: str) -> tuple[ValueKind, str, str]:
    digits = re.match(r"\d+", words)
    return ValueKind.ORDINAL, digits[0] if digits else str(ORDINALS[words.lower()]), ""


def _as_written(kind: ValueKind) -> _Read:
    return lambda words: (kind, re.sub(r"[\s.]+", " ", words.replace("–", "-")).strip(), "")


READ: dict[str, _Read] = {
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
    "fraction": lambda words: (ValueKind.COUNT, plain(fraction(words)), ""),
    "number": _count,
}
