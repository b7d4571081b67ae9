"""A sentence in; where its values are and what they say, one after the other, out."""

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agent.values.nouns import ValueKind
from agent.values.numbers import DIGITS, FRACTION, MAGNITUDE, NUMBER, ONE, ORDINALS, PART, TEN
from agent.values.readers import READ, SHARE, without_part

_MONTH = r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|June?|July?|Aug(?:ust|\.)?"
_MONTH += r"|Sept?(?:ember|\.)?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|Dec(?:ember|\.)?|"
_MONTH += r"JANUARY|FEBRUARY|MARCH|APRIL|MAY|JUNE|JULY|AUGUST|SEPTEMBER|OCTOBER|NOVEMBER|DECEMBER)"
_YEAR = r"(?:19|20)\d{2}"
_TIMED = r"(?:calendar|business|trading|settlement|consecutive|full|additional|U\.S\.)"
_SPAN_UNIT = r"(?:days?|weeks?|months?|years?|hours?|minutes?|seconds?|milliseconds?|microseconds?|nanoseconds?)"
_RULE_NUMBER = r"\d{1,4}[A-Za-z]{0,2}\d{0,2}(?:-\d{1,2}[A-Za-z]?)?(?![\d,]\d)"
_SUBS = r"(?:\s?\((?:[a-z]{1,5}|[A-Z]{1,4}|\d{1,3})\))*"
_ROMAN = r"[IVXL]{1,6}(?:\.[A-Z0-9][A-Za-z0-9]{0,2})*"
_CENT = r"(?:cents?|penn(?:y|ies)|mils?|mills?|nickels?|dimes?|dollars?|euros?)"
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
        rf"(?:US|U\.S\.)?\s?(?:\$|€|£|\bEUR\s|\bUSD\s|\bGBP\s)\s?{DIGITS}(?:{MAGNITUDE}|\s?[kmb]n?\b)?(?:{SHARE})?".replace(
            r"(?<![\w.])", ""
        ),
    ),
    ("half", rf"(?:{FRACTION}[\s-](?:of\s)?(?:an?\s|one\s)?{_CENT}\b(?:{SHARE})?)"),
    ("cents", rf"(?:{NUMBER}|\ba)[\s-]{_CENT}\b(?:{SHARE})?"),
    (
        "fraction_rate",
        rf"{FRACTION}\s(?:of\s)?(?:(?:a|one|1)\s)?(?:percent\b|per\scent(?:um)?\b|%|basis\spoint\b)",
    ),
    (
        "rate",
        rf"{NUMBER}[\s-]?(?:percent(?:age\spoints?)?\b|per\scent(?:um)?\b|%|basis\spoints?\b|bps?\b)",
    ),
    ("duration", rf"{NUMBER}[\s-](?:{_TIMED}[\s-])*{_SPAN_UNIT}\b"),
    (
        "year",
        rf"\b{_YEAR}\b(?!\s(?:shares|securities|symbols|stocks|orders|hours|entities|firms))(?![\d,.]\d)(?!-\d)",
    ),
    ("ordinal", r"(?i:\b(?:" + "|".join(ORDINALS) + r")\b(?!,))|\b\d{1,2}(?:st|nd|rd|th)\b"),
    ("fraction", rf"\b(?:one|two|three|five|seven)[- ](?:{PART})s?\b"),
    ("number", rf"{NUMBER}"),
)
_SCANNER = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _PATTERNS))
# Thirty patterns tried at every character cost a millisecond a sentence; values begin at few places.
_STARTS = re.compile(
    r"(?<![\w.])(?:[\d$€£§]|\.\d|(?:T\s?\+|Q[1-4]\s|US|U\.S\.|EUR|USD|GBP|S7|SR|Securities|Exchange\sAct|Act|Release|Regulation"
    r"|Directive|[Rr]ules?|[Ss]ections?|[Aa]rticles?|[Aa]nnex|[Rr]ecitals?|Items?|Table|Part|(?:[Ss]ub)?[Pp]aragraphs?|[Ss]ubsections?"
    rf"|{_MONTH}|(?i:{TEN}|{ONE}|an?\s(?:{PART}|cent|penny|mil|nickel|dime|dollar|euro)|{PART}|{'|'.join(ORDINALS)}))"
    r"(?![A-Za-z]{3}))"
)


Raw = tuple[int, int, ValueKind, str, str]  # start, end, kind, amount, unit


def scan(sentence: str) -> Iterator[Raw]:
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
        kind, amount, unit = READ[name](words)
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
        amount = without_part(item)[0] if "." in item else item
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
    noun = following[1].lower().removesuffix("s") if following else ""
    return "" if noun in _NO_NOUNS else noun


_NO_NOUNS = set(
    "and but for from the that thi with than per are were was wa ha have had not into under each".split()
)


@cache
def _rule_names() -> tuple[dict[str, str], re.Pattern[str]]:
    table = tomllib.loads(Path(__file__).parents[1].joinpath("synonyms.toml").read_text("utf-8"))[
        "rules"
    ]
    names = {str(name): str(number) for name, number in table.items()}
    ordered = sorted(names, key=len, reverse=True)
    return names, re.compile(r"\b(?:" + "|".join(map(re.escape, ordered)) + r")\b")


def _named_rules(sentence: str) -> Iterator[Raw]:
    names, pattern = _rule_names()
    for found in pattern.finditer(sentence):
        yield *found.span(), ValueKind.RULE, names[found[0]], ""
