"""A text in; where it compares two figures, and whether what came is more or less than what it is compared with, out.

    Operating profit totalled EUR 3.1 mn, compared to EUR 4.5 mn a year earlier.     less, at "EUR 3.1 mn"
    Net sales grew from 3.9 to 4.4 million euros.                                    more, at "4.4 million"
    The pretax loss was $2.1m, as against a loss of $5m.                             more, at "$2.1m": a loss is below nought

A network of this size does not compare numbers by itself; sentiment/pieces.py tells it what this found. Only figures of one
kind (money of one currency, shares in percent, plain numbers) are compared; years and days are no figures. What is not
certain is left out: a wrong word from here would be believed.
"""

import re
from bisect import bisect_left
from typing import NamedTuple

COMPARISONS_VERSION = 1  # raise it whenever the same text gives other comparisons


class Compared(NamedTuple):
    """The figure that came, as a half-open span of the text, and whether it is more than what it is compared with."""

    start: int
    end: int
    more: bool


class _Figure(NamedTuple):
    start: int
    end: int
    kind: str  # "%", a currency, or "" for a plain number
    value: float
    scale: float  # 0 where none is said


def comparisons(text: str) -> list[Compared]:
    """In order of the text, each figure at most once; equal figures are not compared."""
    if not _JOINS.search(text):
        return []
    plain = _ASIDE.sub(lambda m: " " * len(m[0]), text)
    figures = [f for m in _FIGURE.finditer(plain) if (f := _figure(m, plain))]
    starts = [figure.start for figure in figures]
    found: dict[int, Compared] = {}
    for join in _JOINS.finditer(plain):
        at = bisect_left(starts, join.end())  # the first figure after it
        if at == len(figures) or not _leads(plain[join.end() : starts[at]], join[0].lower()):
            continue
        near, then = figures[max(0, at - _REACH) : at + 2], figures[at]
        now = _came(plain, near, join, then)
        if now is None:
            continue
        one, other = _signed(plain, near, now, then)
        if one != other:
            found.setdefault(now.start, Compared(now.start, now.end, one > other))
    return [found[at] for at in sorted(found)]


# ---- the two figures of a comparison

_ASIDE = re.compile(r"\([^()]{0,60}\d[^()]{0,60}\)")  # "(USD 4.1 m)": the same amount again
_JOINS = re.compile(
    r"(?<![\w-])(?:from|versus|vs\.?|v/s|(?:as )?against|(?:as )?compared (?:with|to)|in comparison (?:with|to))(?![\w-])",
    re.IGNORECASE,
)
_CURRENCY = (
    r"EUR|euros?|USD|US\$|\$|€|£|GBP|SEK|NOK|DKK|CHF|RUB|PLN|LVL|EEK|LTL|Rs\.?|INR|₹|C\$|JPY|¥"
)
_SCALE = r"k|thousand|m|mn|mln|million|b|bn|bln|billion|cr|crores?|lakhs?|trillion"
_FIGURE = re.compile(
    rf"(?<![\w.,])(?P<before>{_CURRENCY})?\s?(?P<sign>-)?(?P<number>\d{{1,3}}(?:\s?,\d{{3}})+(?:\s?\.\d+)?|\d+(?:\s?\.\d+)?)"
    rf"(?:[\s-]?(?P<scale>{_SCALE})(?![\w]))?(?P<after>\s?(?:%|percent(?!age)|per cent|pct|pc(?!\w)|p(?!\w)|{_CURRENCY})(?!\w))?",
    re.IGNORECASE,
)
_SCALES = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "mln": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "bln": 1e9,
    "billion": 1e9, "cr": 1e7, "crore": 1e7, "crores": 1e7, "lakh": 1e5, "lakhs": 1e5, "trillion": 1e12,
}  # fmt: skip
_ALIKE = {"euro": "eur", "euros": "eur", "€": "eur", "usd": "$", "us$": "$", "rs": "inr", "rs.": "inr", "₹": "inr", "£": "gbp",
          "%": "%", "percent": "%", "per cent": "%", "pct": "%", "pc": "%", "¥": "jpy", "p": "gbp/100"}  # fmt: skip
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_DAY_BEFORE = re.compile(rf"{_MONTH}\s*$", re.IGNORECASE)
_DAY_AFTER = re.compile(
    rf"^\s*(?:{_MONTH}(?!\w)|(?:-?(?:year|month|week|day|quarter)s?\b)|th\b|st\b|nd\b|rd\b|[:/-]\d)",
    re.IGNORECASE,
)
_LEAD = frozenset(
    "a an the just only about around some approximately nearly over almost adjusted restated net operating pretax pre-tax "
    "after-tax quarterly annual profit loss income losses earnings revenue sales of last year's previous year 's earlier "
    "prior".split()
)
# Words between what came and the join, between the join and what it is compared with.
_AFAR, _NEAR = 14, 8
# Figures before a join, and characters on either side, that are looked at: a long text takes no more than its length.
_REACH, _FAR = 6, 300


def _leads(between: str, join: str) -> bool:
    """Whether these words, from a join to a figure, say that the figure is what is compared."""
    if len(between) > _FAR:
        return False
    if join == "from":  # an order from somewhere, from the third quarter: most are no comparisons
        return _LEAD.issuperset(between.lower().lstrip(" ,").split())
    return len(between.split()) <= _NEAR and not re.search(r"[;:]|\. ", between)


def _came(text: str, figures: list[_Figure], join: re.Match[str], then: _Figure) -> _Figure | None:
    """The figure that is compared with `then`: the last of its kind before the join; in "from 3 to 4", the next."""
    after = next((f for f in figures if f.start >= then.end), None)
    if join[0].lower() == "from" and after and _TO.fullmatch(text[then.end : after.start]):
        return after if _alike(then, after) else None
    for figure in reversed([f for f in figures if f.end <= join.start()]):
        between = text[figure.end : join.start()]
        if (
            len(between) > _FAR
            or len(between.split()) > _AFAR
            or re.search(r";|\. [A-Z`\"]", between)
        ):
            return None
        if _alike(figure, then):
            return figure
    return None


_TO = re.compile(
    r"(?:\s+(?:a share|per share|in \d{4}))?\s*,?\s+to\s+(?:about|around|some|over|nearly)?\s*",
    re.I,
)


def _alike(one: _Figure, other: _Figure) -> bool:
    return one.kind == other.kind or (
        "%" not in (one.kind, other.kind) and "" in (one.kind, other.kind)
    )


def _figure(match: re.Match[str], text: str) -> _Figure | None:
    """What a number is; None for a year or a day."""
    number = re.sub(r"[\s,]", "", match["number"])
    unit = (match["before"] or match["after"] or "").strip().lower()
    kind, scale = _ALIKE.get(unit, unit), _SCALES.get((match["scale"] or "").lower(), 0.0)
    if not kind and not scale and number.isdigit():
        if re.fullmatch(r"(?:19|20)\d\d", number):
            return None
        if _DAY_BEFORE.search(text[max(0, match.start() - 12) : match.start()]) or _DAY_AFTER.match(
            text[match.end() : match.end() + 20]
        ):
            return None
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    value = float(number) * (-1 if match["sign"] and kind != "%" else 1)
    return _Figure(start, match.end(), kind, value, scale)


def _signed(text: str, figures: list[_Figure], now: _Figure, then: _Figure) -> tuple[float, float]:
    """Both values on one scale; those of losses below nought. A scale or a loss that one alone is said to be is of both."""
    scales = [now.scale, then.scale]
    if not all(scales):
        known = max(scales)
        scales = [
            s or (known if f.value < 1000 else 1.0) or 1.0
            for s, f in zip(scales, (now, then), strict=True)
        ]
    signs = [_sign(text, figures, figure) for figure in (now, then)]
    first, second = (sign or next((s for s in signs if s), 1) for sign in signs)
    return abs(now.value) * scales[0] * (first if now.value >= 0 else -1), abs(then.value) * scales[
        1
    ] * (second if then.value >= 0 else -1)


def _sign(text: str, figures: list[_Figure], figure: _Figure) -> int:
    """-1 where the last such word since the figure before says a loss, 1 where it says a profit, 0 where neither."""
    since = max((f.end for f in figures if f.end <= figure.start), default=0)
    since = max(since, figure.start - _FAR)
    said = _RESULT.findall(text[since : figure.start].lower())
    return 0 if not said else -1 if said[-1].startswith(("loss", "deficit")) else 1


_RESULT = re.compile(r"\b(?:loss(?:es)?|deficit|profits?|income|earnings|ebit|ebitda|surplus)\b")
