"""A question and what happened to its rules in, the day whose state of affairs it asks for out. Pure.

A question has two times. What may be used is fixed by `as_of` alone (--as-of, default now): nothing known later is read.
What is asked about is a civil day in New York, never after the day of `as_of`; it comes from the question's own words:

    "as of March 2025", "on January 15, 2025"   that day; of a month or a year its last day: the state at its end
    "start of 2009", "mid-2023"                 its first day; its middle
    "was it in force in 2019?"                  the last day of 2019
    "before the 2024 amendments"                the day before they were adopted, while the old law stood
    "after the stay", "under the relief"        the day of it, by whose end it had happened
    "when Rule 611 was adopted"                 that day; but "when was Rule 611 adopted?" asks for a day and names none

Where no words say so it is the day of `as_of`. A date that only tells a document or an act apart is none of these: "the
2022 proposal", "Rule 612 as adopted in 2005", "what did it propose in April 2009?". Words on an event that no document
held states ("after the stay" of a rule never stayed) fall back on their year where they have one, else are passed over.
"""

import calendar
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ingest.civil import MONTH, days
from ingest.rules.kinds import EventKind

_ONE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened to a rule asked about, on a civil day, as a document known by `as_of` states."""

    kind: EventKind
    on: date


@dataclass(frozen=True, slots=True)
class AskedDay:
    """The day asked about; words: those of the question that say so, "" where none do; later: they name one after `as_of`."""

    on: date
    words: str = ""
    later: bool = False


def asked_day(question: str, today: date, happened: Iterable[Happening] = ()) -> AskedDay:
    """The day whose state of affairs a question asks for; `today`: the New York day of `as_of`, the latest there is."""
    known = sorted((h for h in happened if h.on <= today), key=lambda h: (h.on, h.kind))
    for read in (_relative, _stated):
        if found := read(question, known):
            on, words = found
            return AskedDay(min(on, today), words, on > today)
    return AskedDay(today)


# --- days that the words state ------------------------------------------------------------------

_WHEN = re.compile(
    rf"(?P<lead>\b(?:as of|as at|back in|by the end of|at the end of|at the start of|at the beginning of|on|in|during|at)\s|^)"
    rf"(?P<part>(?:the\s)?(?:start|beginning|end|middle)\sof\s|mid-|early\s|late\s)?"
    rf"(?:(?P<day>{MONTH}\.?\s\d{{1,2}},?\s\d{{4}}|\d{{1,2}}\s{MONTH}\s\d{{4}}|\d{{4}}-\d\d-\d\d)"
    rf"|(?P<month>{MONTH})\.?,?\s(?P<of>\d{{4}})|(?P<year>(?:19[89]|20[0-4])\d))(?![\w-])(?!\s(?:proposal|rule|amendment|order))",
    re.IGNORECASE,
)
_DAY_FIRST = re.compile(rf"^(\d{{1,2}})\s({MONTH})\s(\d{{4}})$", re.IGNORECASE)
# Words of doing: a date right behind one of them says when that was done, not what day is asked about.
_DOING = (
    r"(?:(?:adopt|propos|repropos|announc|issu|creat|strip|publish|repeal|extend|approv|remov|ma[dk]e|bought|buy|declar|"
    r"report|disclos|sa(?:y|id)|stat|expect|releas|found|fil|let|grow|grew|rise|rose|fell|accord|warn|argu|estimat)\w*|amend\w*(?!\s(?:rule|§)))"
)
_DONE_THEN = re.compile(
    rf"\b{_DOING}(?:\s[^\s,;]+){{0,3}}\s?$|\b(?:did|does|do)\b.*\b{_DOING}\b", re.IGNORECASE
)
_THEN_DONE = re.compile(rf"^(?:\s[\w’']+){{1,3}}?\s{_DOING}\b", re.IGNORECASE)
_PART_OF = re.compile(r"[,;:]\s|\band\b|\bthat\b")


def _stated(question: str, _: Sequence[Happening]) -> tuple[date, str] | None:
    for match in _WHEN.finditer(question):
        plain = match["lead"].strip().lower()
        if not plain and not (match["part"] or match["day"]):
            continue  # "2019 amendments": no word makes a day of it
        if not plain.startswith("as ") and _tells_an_act(question, match.start(), match.end()):
            continue
        edge = f"{match['lead']} {match['part'] or ''}".lower()
        if day := _day_of(match, edge):
            return day, match[0].strip()
    return None


def _tells_an_act(question: str, start: int, end: int) -> bool:
    """Whether the date says when something was done: "as adopted in 2005", "did it propose in 2009", "In 2012 Congress let"."""
    part = _PART_OF.split(question[:start])[-1]
    return bool(_DONE_THEN.search(part)) or bool(start == 0 and _THEN_DONE.search(question[end:]))


def _day_of(match: re.Match[str], edge: str) -> date | None:
    if match["day"]:
        words = _DAY_FIRST.sub(r"\2 \1, \3", match["day"]).replace(".", "")
        words = re.sub(r"(\d) (\d{4})$", r"\1, \2", words)
        return next((day.on for day in days(words)), None)
    if match["month"]:
        first = next((day.on for day in days(f"{match['month']} 1, {match['of']}")), None)
        if first is None:
            return None
        last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
        return _edge(first, last, edge)
    year = int(match["year"])
    return _edge(date(year, 1, 1), date(year, 12, 31), edge)


def _edge(first: date, last: date, edge: str) -> date:
    if re.search(r"start|beginning|early", edge):
        return first
    if re.search(r"mid|middle", edge):
        return first + (last - first) // 2
    return last


# --- days told by what happened -----------------------------------------------------------------

_AFTER = {
    "amend": (EventKind.ADOPTED,),
    "adopt": (EventKind.ADOPTED,),
    "final rule": (EventKind.ADOPTED,),
    "propos": (EventKind.PROPOSED,),
    "repropos": (EventKind.PROPOSED,),
    "stay": (EventKind.STAYED,),
    "vacat": (EventKind.VACATED,),
    "withdr": (EventKind.WITHDRAWN,),
    "relief": (EventKind.EXEMPTED,),
    "exempt": (EventKind.EXEMPTED,),
    "effective": (EventKind.EFFECTIVE,),
    "in effect": (EventKind.EFFECTIVE,),
    "took effect": (EventKind.EFFECTIVE,),
    "complian": (EventKind.COMPLIANCE,),
    "repeal": (EventKind.ADOPTED,),
    "rescission": (EventKind.ADOPTED,),
    "rescind": (EventKind.ADOPTED,),
    "delay": (EventKind.DELAYED,),
    "postpone": (EventKind.DELAYED,),
}
_WHAT = (
    r"amendments?|amended|adoption|adopted|final rule|reproposal|reproposed|proposal|proposed|stayed|stay|vacatur|vacated|"
    r"withdrawal|withdrawn|exemptive (?:relief|order)|exemption|relief|effective date|effective|took effect|in effect|"
    r"compliance date|repealed|repeal|rescission|rescinded|delayed|delay|postponed"
)
# "before the 2024 amendments", "after the stay of Rule 612"
_NOUN = re.compile(
    rf"\b(?P<side>just before|before|prior to|ahead of|just after|after|following|under|at the time of|at)\s"
    rf"(?:the|its|their|any)\s(?:(?P<month>{MONTH})\s)?(?:(?P<year>(?:19|20)\d\d)\s)?(?:\w+\s)?(?P<what>{_WHAT})\b",
    re.IGNORECASE,
)
# "when Rule 611 was adopted", "once it became effective", "before the rule was stayed"; not "when was it adopted?"
_CLAUSE = re.compile(
    rf"\b(?P<side>when|once|before|after|until|by the time)\s(?!was|were|is|are|did|does|do|will|would|must|may|can|could|should|"
    rf"had|has)(?:[\w.()§-]+\s){{1,5}}?(?:was|were|is|are|became|becomes|had been|been|being)?\s?(?:first\s)?(?P<what>{_WHAT})\b"
    rf"(?:\sin\s(?:(?P<month>{MONTH})\s)?(?P<year>(?:19|20)\d\d))?",
    re.IGNORECASE,
)
_NOT_A_DAY = re.compile(r"^\s*(?:when|by when|until when|how (?:long|soon|many))\b", re.IGNORECASE)


def _relative(question: str, known: Sequence[Happening]) -> tuple[date, str] | None:
    if _NOT_A_DAY.search(question):
        return None
    for pattern in (_NOUN, _CLAUSE):
        for match in pattern.finditer(question):
            if day := _told(match, known):
                return day, match[0].strip()
    return None


def _told(match: re.Match[str], known: Sequence[Happening]) -> date | None:
    side, what = match["side"].lower(), match["what"].lower()
    year = int(match["year"]) if match["year"] else None
    before = side.endswith("before") or side in ("prior to", "ahead of", "until")
    if not before and side == "under" and not re.search("stay|relief|exempt", what):
        return None  # "under the final rule" says what is asked about, not when
    kinds = next(kinds for stem, kinds in _AFTER.items() if what.startswith(stem))
    fits = [h.on for h in known if h.kind in kinds and year in (None, h.on.year)]
    if fits:
        # What is called "the amendments" without a year is the newest; a clause "when it was adopted" tells of the first.
        chosen = fits[-1] if year is None and side != "when" else fits[0]
        return chosen - _ONE if before else chosen
    if year is None:
        return None
    return date(year, 1, 1) - _ONE if before else date(year, 12, 31)
