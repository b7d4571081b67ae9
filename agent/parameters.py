"""Two versions of a paragraph in; the numbers that changed, before and after, with unit and quotes, out.

A number that changed stands among words that did not: the two wordings are aligned value by value, each value taken with
the words around it. A value that only one side states is no change of a parameter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from agent.values import Value, ValueKind, same, values
from ingest.sentences import sentences

_KINDS = {
    ValueKind.MONEY: "amount", ValueKind.RATE: "rate", ValueKind.COUNT: "count", ValueKind.DURATION: "duration",
    ValueKind.DATE: "date", ValueKind.TIME: "time", ValueKind.CYCLE: "settlement cycle",
}  # fmt: skip
_AROUND = 6  # words to either side that say what a value is of
_ALIKE = 0.4  # share of those words that must be the same


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
    words: tuple[str, ...]  # around it


def changed_parameters(
    before: str, after: str, old: tuple[int, int], new: tuple[int, int]
) -> list[Parameter]:
    """The values at [old) of one text that became others at [new) of the other, in the order of the new text."""
    mine, theirs = _placed(before, old), _placed(after, new)
    mine, theirs = _unequal(mine, theirs)
    found: list[Parameter] = []
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
    for likeness, n, m in likely:
        if likeness < _ALIKE or n in used[0] or m in used[1]:
            continue
        used[0].add(n)
        used[1].add(m)
        a, b = mine[n], theirs[m]
        if a.value.key == b.value.key:
            continue  # the same number, bound otherwise
        found.append(
            Parameter(
                _KINDS[b.value.kind], b.value.role or a.value.role, before[a.start : a.end], after[b.start : b.end],
                b.value.unit, (a.start, a.end), (b.start, b.end), a.quote, b.quote,
            )
        )  # fmt: skip
    return sorted(found, key=lambda parameter: parameter.after_span)


def _placed(text: str, span: tuple[int, int]) -> list[_Placed]:
    found: list[_Placed] = []
    for start, end in sentences(text[span[0] : span[1]], span[0]):
        sentence = text[start:end]
        for value in values(sentence):
            if value.kind not in _KINDS or _is_mark(sentence, value):
                continue
            words = (
                _words(sentence[: value.start])[-_AROUND:],
                _words(sentence[value.end :])[:_AROUND],
            )
            found.append(
                _Placed(
                    value,
                    start + value.start,
                    start + value.end,
                    (start, end),
                    (*words[0], "#", *words[1]),
                )
            )
    return found


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
    alone = re.fullmatch(r"\s*\(?\s*", before) is not None and behind[:1] in ("", ".", ")")
    return (
        glued
        or alone
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
    shared = SequenceMatcher(None, one.words, other.words, autojunk=False)
    size = sum(block.size for block in shared.get_matching_blocks()) - 1
    likeness = size / max(1, min(len(one.words), len(other.words)) - 1)
    apart = bool(one.value.role and other.value.role and one.value.role != other.value.role)
    return likeness - 0.2 * apart
