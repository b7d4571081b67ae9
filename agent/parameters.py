"""Two versions of a paragraph in; the numbers that changed, before and after, with unit and quotes, out.

A number that changed stands among words that did not: the two wordings are aligned word by word, all values of one kind
being one word, and where a value meets another one, it changed. Values that meet none are then compared by the words around
them. Rows of a table are compared cell by cell. A value that only one side states is no change of a parameter, nor is the
year of a report.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from agent.values import Value, ValueKind, same, values
from ingest.sentences import sentences

_KINDS = {
    ValueKind.MONEY: "amount", ValueKind.RATE: "rate", ValueKind.COUNT: "count", ValueKind.DURATION: "duration",
    ValueKind.DATE: "date", ValueKind.TIME: "time", ValueKind.CYCLE: "settlement cycle",
}  # fmt: skip
_AROUND = 6  # words to either side that say what a value is of
_ALIKE = 0.4  # share of those words that must be the same where two values meet
_LIKEST = 0.5  # and where they do not


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that changed. kind: "amount", "rate", "count", "duration", "date", "time", "settlement cycle".

    role       what it does, "cap", "effective", "" where the words do not say
    before, after   as written; unit: of the newer one ("$", "%", "days", the counted noun), "" where it has none
    *_quote    half-open offsets of the sentence in the old and the new text
    """

    kind: str
    role: str
    before: str
    after: str
    unit: str
    before_span: tuple[int, int]
    after_span: tuple[int, int]
    before_quote: tuple[int, int]
    after_quote: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Placed:
    value: Value
    start: int  # in its text
    end: int
    quote: tuple[int, int]
    left: tuple[str, ...]  # the words before it
    right: tuple[str, ...]


def changed_parameters(
    before: str, after: str, old: tuple[int, int], new: tuple[int, int]
) -> list[Parameter]:
    """The values at [old) of one text that became others at [new) of the other, in the order of the new text."""
    rows = _cells(before, old), _cells(after, new)
    if len(rows[0]) > 1 and len(rows[1]) > 1:
        return list(_changed_cells(before, after, *rows))
    mine, theirs = _placed(before, old), _placed(after, new)
    met = _met(before, after, old, new, mine, theirs)
    used = {n for n, _ in met}, {m for _, m in met}
    left = _unequal(
        [p for n, p in enumerate(mine) if n not in used[0]],
        [p for m, p in enumerate(theirs) if m not in used[1]],
    )
    pairs = [(mine[n], theirs[m]) for n, m in met]
    pairs += _likest(*left)
    found = [
        Parameter(
            _KINDS[b.value.kind], b.value.role or a.value.role, before[a.start : a.end], after[b.start : b.end],
            b.value.unit, (a.start, a.end), (b.start, b.end), a.quote, b.quote,
        )
        for a, b in pairs
        if a.value.key != b.value.key and not _one_date(a.value, b.value)  # else only the bound is another
    ]  # fmt: skip
    return sorted(found, key=lambda parameter: parameter.after_span)


def _met(
    before: str,
    after: str,
    old: tuple[int, int],
    new: tuple[int, int],
    mine: Sequence[_Placed],
    theirs: Sequence[_Placed],
) -> list[tuple[int, int]]:
    """Which value stands where which stood, when both wordings are laid side by side."""
    one, other = _tokens(before, old, mine), _tokens(after, new, theirs)
    matcher = SequenceMatcher(None, [w for w, _ in one], [w for w, _ in other], autojunk=False)
    found: list[tuple[int, int]] = []
    for block in matcher.get_matching_blocks():
        for (_, n), (_, m) in zip(
            one[block.a : block.a + block.size], other[block.b : block.b + block.size], strict=True
        ):
            if n is None or m is None:
                continue
            likeness = _alike(mine[n], theirs[m])
            moved = any(
                same(mine[n].value, b.value) and _alike(mine[n], b) > likeness for b in theirs
            )
            if likeness >= _ALIKE and not moved:
                found.append((n, m))
    return found


def _tokens(
    text: str, span: tuple[int, int], placed: Sequence[_Placed]
) -> list[tuple[str, int | None]]:
    """The words of a passage; a value is one, by its kind alone, with its place among the values."""
    found: list[tuple[str, int | None]] = []
    reached = span[0]
    for n, each in enumerate(placed):
        found += [(word, None) for word in _words(text[reached : each.start])]
        found.append((f"#{each.value.kind}", n))
        reached = each.end
    return found + [(word, None) for word in _words(text[reached : span[1]])]


def _likest(mine: Sequence[_Placed], theirs: Sequence[_Placed]) -> list[tuple[_Placed, _Placed]]:
    """The values of one kind with the most alike words around them, each once."""
    likely = sorted(
        (
            (_alike(a, b), n, m)
            for n, a in enumerate(mine)
            for m, b in enumerate(theirs)
            if a.value.kind is b.value.kind
        ),
        key=lambda t: (-t[0], abs(t[1] - t[2]), t[1]),
    )
    used: tuple[set[int], set[int]] = set(), set()
    found: list[tuple[_Placed, _Placed]] = []
    for likeness, n, m in likely:
        if likeness >= _LIKEST and n not in used[0] and m not in used[1]:
            used[0].add(n)
            used[1].add(m)
            found.append((mine[n], theirs[m]))
    return found


def _one_date(one: Value, other: Value) -> bool:
    """Whether one of two dates leaves out the day or the year of the other: "March 2007" and "March 26, 2007"."""
    if one.kind is not ValueKind.DATE or other.kind is not ValueKind.DATE:
        return False
    short, long = sorted((one.amount.lstrip("-"), other.amount.lstrip("-")), key=len)
    return long.startswith(short) or long.endswith(short)


# ---- rows of tables

# A number in brackets is below zero.
_NUMBER = re.compile(
    r"(?<![\w.,])(?:[$€£]?\([$€£]?\d[\d,]*(?:\.\d+)?%?\)%?|[$€£]?\d[\d,]*(?:\.\d+)?%?(?!\w|[.,]\d))"
)


def _cells(text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
    """The cells of a row as the parsers write it, "Total | 7.8 | 12.6"; one where there is no row."""
    found: list[tuple[int, int]] = []
    start = span[0]
    for match in re.finditer(r" \| ", text[span[0] : span[1]]):
        found.append((start, span[0] + match.start()))
        start = span[0] + match.end()
    return [*found, (start, span[1])]


def _changed_cells(
    before: str, after: str, old: Sequence[tuple[int, int]], new: Sequence[tuple[int, int]]
) -> Iterator[Parameter]:
    """Of two rows with one heading and as many cells: the numbers of each cell, in turn."""
    if len(old) != len(new) or _heading(before, old[0]) != _heading(after, new[0]):
        return
    quotes = (old[0][0], old[-1][1]), (new[0][0], new[-1][1])
    for one, other in zip(old[1:], new[1:], strict=True):
        mine, theirs = _numbers(before, one), _numbers(after, other)
        if len(mine) != len(theirs):
            continue
        for a, b in zip(mine, theirs, strict=True):
            was, now = before[slice(*a)], after[slice(*b)]
            if was != now:
                unit = next((mark for mark in "%$€£" if mark in now), "")
                kind = {"%": "rate", "": "count"}.get(unit, "amount")
                yield Parameter(kind, "", was, now, unit, a, b, *quotes)


def _heading(text: str, cell: tuple[int, int]) -> list[str]:
    return re.findall(r"[a-z]+", text[slice(*cell)].lower())


def _numbers(text: str, cell: tuple[int, int]) -> list[tuple[int, int]]:
    return [
        (cell[0] + match.start(), cell[0] + match.end())
        for match in _NUMBER.finditer(text[slice(*cell)])
    ]


# ---- values in prose


def _placed(text: str, span: tuple[int, int]) -> list[_Placed]:
    found: list[_Placed] = []
    for start, end in sentences(text[span[0] : span[1]], span[0]):
        sentence = text[start:end]
        for value in values(sentence):
            if value.kind not in _KINDS or _is_mark(sentence, value) or _is_year(sentence, value):
                continue
            found.append(
                _Placed(
                    value,
                    start + value.start,
                    start + value.end,
                    (start, end),
                    tuple(_words(sentence[: value.start])[-_AROUND:]),
                    tuple(_words(sentence[value.end :])[:_AROUND]),
                )
            )
    return found


_UNTIL = re.compile(
    r"\b(?:until|through|by|before|after|than|expires?|ends?)(?: in| the end of)?\s$", re.IGNORECASE
)


def _is_year(sentence: str, value: Value) -> bool:
    """Whether it is the year of a report, and no term that ends with it."""
    words = sentence[value.start : value.end]
    if not re.fullmatch(r"(?:19|20)\d\d", words):
        return False
    return not _UNTIL.search(sentence[: value.start])


_ADDRESS = re.compile(r"(?:https?:|www\.|/)\S*$|\"[^\"\s]*$")
_REFERENCE = re.compile(
    r"(?:\bnotes?|\bcode|\bsuite|\broom|\bdocket|\brelease|\btelephone|\bfile|\bamendment|\bno|\bpages?|"
    r"\bat|\bpart|\bitem|\bno\.|\bparagraph|\bsection|\bchapter|\btitle|§)\s*$",
    re.IGNORECASE,
)


def _is_mark(sentence: str, value: Value) -> bool:
    """Whether a value is part of a number by which something is called: a note, a docket, a telephone, an address."""
    before, behind = sentence[: value.start], sentence[value.end :]
    cited = (
        value.kind is ValueKind.DATE and before.endswith("(") and behind.startswith(")")
    )  # "70 FR 37496 (June 29, 2005)"
    if (
        cited
        or _ADDRESS.search(before)
        or (value.kind is ValueKind.DATE and re.search(r"[\w/]$|[-\u2013]$", before))
    ):
        return True
    if value.kind is not ValueKind.COUNT:
        return False
    words = sentence[value.start : value.end]
    glued = bool(
        re.search(r"[-\u2010-\u2015/]$", before) or re.match(r"[-\u2010-\u2015/]\w", behind)
    )
    alone = re.fullmatch(r"\s*\(?\s*", before) is not None and re.match(r"[.)]|$|\s[A-Z]", behind)
    return (
        glued
        or bool(alone)
        or words.startswith("0")
        or bool(_REFERENCE.search(before))
        or words.lower() in ("one", "a", "an")
    )


def _words(text: str) -> list[str]:
    return [("#" if word[0].isdigit() else word) for word in re.findall(r"\w+", text.lower())]


def _unequal(
    mine: Sequence[_Placed], theirs: Sequence[_Placed]
) -> tuple[list[_Placed], list[_Placed]]:
    """What is left when values that stayed are taken out: in order first, then wherever they went."""
    keys = [[(p.value.kind, p.value.amount, p.value.unit) for p in side] for side in (mine, theirs)]
    gone: tuple[set[int], set[int]] = set(), set()
    for low, high, size in SequenceMatcher(
        None, keys[0], keys[1], autojunk=False
    ).get_matching_blocks():
        gone[0].update(range(low, low + size))
        gone[1].update(range(high, high + size))
    for n, a in enumerate(mine):
        for m, b in enumerate(theirs):
            if n not in gone[0] and m not in gone[1] and same(a.value, b.value):
                gone[0].add(n)
                gone[1].add(m)
    return [p for n, p in enumerate(mine) if n not in gone[0]], [
        p for m, p in enumerate(theirs) if m not in gone[1]
    ]


def _alike(one: _Placed, other: _Placed) -> float:
    """The share of words around two values that are the same, in order; the role counts when both tell one."""
    shared = _shared(one.left, other.left) + _shared(one.right, other.right)
    least = min(len(one.left), len(other.left)) + min(len(one.right), len(other.right))
    apart = bool(one.value.role and other.value.role and one.value.role != other.value.role)
    return shared / max(1, least) - 0.2 * apart


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    return sum(block.size for block in matcher.get_matching_blocks())
