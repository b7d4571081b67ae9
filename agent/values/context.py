"""A value's place in its sentence in; its bound (at least, up to) and its role (cap, effective) out."""

import re

from agent.values.nouns import Bound, Span, ValueKind

_BEFORE: tuple[tuple[Bound, str], ...] = (
    (
        Bound.AT_LEAST,
        r"at least|not? (?:less|fewer|lower) than|a minimum of|at a minimum|at or above"
        r"|equal to or (?:greater|more|higher) than|(?:greater|more|higher) than or equal to",
    ),
    (
        Bound.AT_MOST,
        r"not? (?:more|greater|higher|later) than|not (?:to )?exceed(?:ing)?|at most|up to|a maximum of|at or below"
        r"|equal to or (?:less|lower) than|(?:less|lower) than or equal to",
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


def bound_of(
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


# "Effective date: May 30, 2017.": the label says it, though its colon ends a clause.
_LABEL = re.compile(r"\b(effective|compliance|comments?)(?: due)? dates?\s*:\s*$", re.IGNORECASE)


def role_of(sentence: str, start: int, end: int, kind: ValueKind) -> str:
    """What the value does, from the nearest cue of its clause; a cue before it wins over one behind it."""
    if kind in _REFERENCES:
        return ""
    if kind in _DATED and (label := _LABEL.search(sentence, 0, start)):
        word = label[1].lower()
        return word if word in _DATE_ROLES else "comments due"
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
