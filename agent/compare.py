"""Two texts in; which paragraphs stayed, moved, changed, came and went, and which numbers changed, out.

`compare` aligns paragraphs by their words, wherever they stand and whatever their label is; `changed_words` shows what
changed inside a pair; `patch` and `apply` are the same alignment as a recipe: apply(patch(a, b), a) == b for any two texts.
Texts that share hardly a paragraph (a rule release and another of the same subject) are compared by topic instead:
`topics` pairs their sections, and lists what each requires that the other does not.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from math import log, sqrt

from agent.parameters import Parameter, changed_parameters
from ingest.document import Kind, Section
from ingest.sentences import sentences

ALIKE = 0.45  # cosine of two paragraphs' words from which they are one paragraph, edited
SAME_TEXT = 0.5  # share of the characters of the shorter text that must be aligned, else texts differ wholly
ALIKE_TOPIC = 0.2  # the same for sections and their headings
ALIKE_DUTY = 0.55  # cosine from which two requirements say the same
_POSTINGS = 60  # a word in more paragraphs than this does not propose pairs


class Fate(StrEnum):
    """What became of a paragraph."""

    SAME = "same"
    RENUMBERED = "renumbered"  # the same words under another label
    CHANGED = "changed"
    MOVED = "moved"  # elsewhere in the order, whether its words changed or not
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open [start, end) of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pair:
    """One paragraph before and after; None on the side where it does not stand. labels: "(b)(1)", "" where it has none."""

    fate: Fate
    before: Span | None
    after: Span | None
    old_label: str = ""
    new_label: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """A run of words that is kept (" "), taken out ("-") or put in ("+")."""

    mark: str
    text: str


@dataclass(frozen=True, slots=True)
class Duty:
    """A sentence that requires something, on one side only. span: in the text of its side."""

    side: str  # "before" or "after"
    span: Span


@dataclass(frozen=True, slots=True)
class Topic:
    """Two sections on one subject: their headings, and the requirements that only the text of one of them states."""

    before: tuple[str, ...]
    after: tuple[str, ...]
    likeness: float
    duties: tuple[Duty, ...]
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """pairs: in the order of the new text, what was removed where it stood. aligned: share of the shorter text's characters."""

    pairs: tuple[Pair, ...]
    parameters: tuple[Parameter, ...]
    aligned: float
    topics: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """Take [start, end) of the old text."""

    start: int
    end: int


Step = Copy | str  # a piece of the old text, or new text


def compare(
    before: str,
    after: str,
    old_sections: Sequence[Section] = (),
    new_sections: Sequence[Section] = (),
) -> Comparison:
    """Align two texts. Sections, where given, are used for texts that differ wholly, and to leave out tables of contents."""
    old, new = _paragraphs(before, old_sections), _paragraphs(after, new_sections)
    matched = _align(
        [p.words for p in old], [p.words for p in new], [p.body for p in old], [p.body for p in new]
    )
    pairs = _pairs(old, new, matched)
    aligned = _aligned(before, after, old, new, matched)
    parameters = [
        parameter
        for pair in pairs
        if pair.before
        and pair.after
        and before[pair.before.start : pair.before.end] != after[pair.after.start : pair.after.end]
        for parameter in changed_parameters(
            before, after, _bounds(pair.before), _bounds(pair.after)
        )
    ]
    differ = aligned < SAME_TEXT and bool(old_sections and new_sections)
    found = topics(before, after, old_sections, new_sections) if differ else ()
    return Comparison(tuple(pairs), tuple(parameters), aligned, found)


def changed_words(before: str, after: str) -> tuple[Word, ...]:
    """Word by word; what is kept and put in spells `after`, what is kept and taken out spells `before`."""
    old, new = _WORD.findall(before), _WORD.findall(after)
    out: list[Word] = []
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            out.append(Word(" ", "".join(old[a0:a1])))
            continue
        if a1 > a0:
            out.append(Word("-", "".join(old[a0:a1])))
        if b1 > b0:
            out.append(Word("+", "".join(new[b0:b1])))
    return tuple(out)


def patch(before: str, after: str) -> tuple[Step, ...]:
    """How to make `after` out of `before`: copies of what stands there, and what is new."""
    old, new = _pieces(before), _pieces(after)
    lines = [before[a:b] for a, b in old], [after[a:b] for a, b in new]
    vectors = [_vector(line) for line in lines[0]], [_vector(line) for line in lines[1]]
    matched = dict(_align(*vectors, *lines))
    steps: list[Step] = []
    for at, (start, end) in enumerate(new):
        words = after[start:end]
        if at not in matched:
            _put(steps, words)
            continue
        low = old[matched[at]][0]
        for word in changed_words(before[slice(*old[matched[at]])], words):
            if word.mark != "+":
                if word.mark == " ":
                    _put(steps, Copy(low, low + len(word.text)))
                low += len(word.text)
            else:
                _put(steps, word.text)
    return tuple(steps)


def apply(steps: Iterable[Step], before: str) -> str:
    """The new text, from the recipe and the old one."""
    return "".join(before[s.start : s.end] if isinstance(s, Copy) else s for s in steps)


def _put(steps: list[Step], step: Step) -> None:
    last = steps[-1] if steps else None
    if isinstance(step, Copy) and isinstance(last, Copy) and last.end == step.start:
        steps[-1] = Copy(last.start, step.end)
    elif isinstance(step, str) and isinstance(last, str):
        steps[-1] = last + step
    else:
        steps.append(step)


# --- paragraphs --------------------------------------------------------------------------------------------------

_WORD = re.compile(r"\s+|\w+(?:[.,'’-]\w+)*|[^\w\s]")
_PIECE = re.compile(r"[^\n]*\n+|[^\n]+")
_LABEL = re.compile(
    r"\s*((?:\((?:[a-z]{1,5}|[A-Z]{1,2}|\d{1,3})\)\s?)+|(?:\d{1,2}|[A-Z]|[IVX]{1,5})\.(?=\s)|§\s?[\d.]+\w*)"
)
_STOPPED = frozenset(
    "the of to a an and or in for by on that is be as with any such this at from it its are not which".split()
)

Vector = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Paragraph:
    span: Span
    label: str
    body: str  # its words without label, spaces made single
    words: Vector


def _paragraphs(text: str, sections: Sequence[Section]) -> list[_Paragraph]:
    """The lines of a text that say something; those of a table of contents are left out."""
    contents = [(s.start, s.end) for s in sections if s.kind is Kind.CONTENTS]
    found: list[_Paragraph] = []
    for start, end in _pieces(text):
        words = text[start:end]
        if not words.strip() or any(low <= start < high for low, high in contents):
            continue
        low, high = start + len(words) - len(words.lstrip()), start + len(words.rstrip())
        label = _LABEL.match(text[low:high])
        body = " ".join(text[low + (label.end() if label else 0) : high].split())
        found.append(
            _Paragraph(
                Span(low, high), re.sub(r"\s", "", label[1]) if label else "", body, _vector(body)
            )
        )
    return found


def _pieces(text: str) -> list[tuple[int, int]]:
    """Lines with the line ends behind them: together they are the text."""
    return (
        [match.span() for match in _PIECE.finditer(text)]
        if not text.startswith("\n")
        else _led(text)
    )


def _led(text: str) -> list[tuple[int, int]]:
    lead = len(text) - len(text.lstrip("\n"))
    return [(0, lead), *((lead + a, lead + b) for a, b in _pieces(text[lead:]))]


def _vector(text: str) -> Vector:
    """Its words, how often each; numbers are what changes while a paragraph stays, so they count only where nothing else is."""
    words = [w for w in re.findall(r"\w+", text.lower()) if w not in _STOPPED]
    plain = [w for w in words if not w[0].isdigit()]
    return Counter(plain or words)  # type: ignore[return-value]


def _align(
    old: Sequence[Vector], new: Sequence[Vector], old_texts: Sequence[str], new_texts: Sequence[str]
) -> list[tuple[int, int]]:
    """(new index, old index) of paragraphs that are one: equal texts first, then equal words, in order where they repeat,
    then the most alike."""
    matched: dict[int, int] = {}
    used: set[int] = set()
    for mine, theirs in (
        (old_texts, new_texts),
        ([frozenset(words.items()) for words in old], [frozenset(words.items()) for words in new]),
    ):
        waiting: dict[object, list[int]] = defaultdict(list)
        for at, key in enumerate(mine):
            if at not in used:
                waiting[key].append(at)
        for at, key in enumerate(theirs):
            if at not in matched and waiting.get(key):
                matched[at] = waiting[key].pop(0)
                used.add(matched[at])
    rest_old = [n for n in range(len(old)) if n not in used]
    rest_new = [n for n in range(len(new)) if n not in matched]
    for likeness, b, a in sorted(
        _likenesses(old, new, rest_old, rest_new), key=lambda t: (-t[0], t[1], t[2])
    ):
        if likeness >= ALIKE and b not in matched and a not in used:
            matched[b] = a
            used.add(a)
    return sorted(matched.items())


def _likenesses(
    old: Sequence[Vector], new: Sequence[Vector], rest_old: Sequence[int], rest_new: Sequence[int]
) -> Iterable[tuple[float, int, int]]:
    """(cosine, new, old) of the pairs that share a telling word."""
    seen = Counter(word for n in rest_old for word in old[n]) + Counter(
        word for n in rest_new for word in new[n]
    )
    total = len(rest_old) + len(rest_new)
    weigh = {word: log(1 + total / count) for word, count in seen.items()}
    at: dict[str, list[int]] = defaultdict(list)
    for n in rest_old:
        for word in old[n]:
            at[word].append(n)
    for b in rest_new:
        telling = sorted((w for w in new[b] if w in at), key=lambda w: len(at[w]))[:12]
        near = {a for word in telling for a in at[word][:_POSTINGS]}
        for a in near:
            yield _cosine(old[a], new[b], weigh), b, a


def _cosine(one: Vector, other: Vector, weigh: dict[str, float]) -> float:
    shared = sum(
        min(count, other[w]) ** 2 * weigh.get(w, 1.0) ** 2 for w, count in one.items() if w in other
    )
    return shared / (_length(one, weigh) * _length(other, weigh) or 1.0)


def _length(words: Vector, weigh: dict[str, float]) -> float:
    return sqrt(sum((count * weigh.get(w, 1.0)) ** 2 for w, count in words.items()))


def _pairs(
    old: Sequence[_Paragraph], new: Sequence[_Paragraph], matched: Sequence[tuple[int, int]]
) -> list[Pair]:
    stays = _in_order([a for _, a in matched])
    of_new = {b: (a, kept) for (b, a), kept in zip(matched, stays, strict=True)}
    gone = sorted(set(range(len(old))) - {a for _, a in matched})
    pairs: list[Pair] = []
    reached = -1
    for b, paragraph in enumerate(new):
        if b not in of_new:
            pairs.append(Pair(Fate.ADDED, None, paragraph.span, "", paragraph.label))
            continue
        a, kept = of_new[b]
        if kept:
            pairs += [_removed(old[n]) for n in gone if reached < n < a]
            reached = a
        pairs.append(
            Pair(
                _fate(old[a], paragraph, kept),
                old[a].span,
                paragraph.span,
                old[a].label,
                paragraph.label,
            )
        )
    return pairs + [_removed(old[n]) for n in gone if n > reached]


def _removed(paragraph: _Paragraph) -> Pair:
    return Pair(Fate.REMOVED, paragraph.span, None, paragraph.label, "")


def _fate(old: _Paragraph, new: _Paragraph, kept: bool) -> Fate:
    if not kept:
        return Fate.MOVED
    if old.body != new.body:
        return Fate.CHANGED
    return Fate.SAME if old.label == new.label else Fate.RENUMBERED


def _in_order(places: Sequence[int]) -> list[bool]:
    """Which of a sequence belong to its longest rising part: the others are what moved."""
    tails: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for n, place in enumerate(places):
        at = bisect_left(tails, place)
        before.append(last[at - 1] if at else -1)
        if at == len(tails):
            tails.append(place)
            last.append(n)
        else:
            tails[at], last[at] = place, n
    stays = [False] * len(places)
    n = last[-1] if last else -1
    while n >= 0:
        stays[n], n = True, before[n]
    return stays


def _aligned(
    before: str,
    after: str,
    old: Sequence[_Paragraph],
    new: Sequence[_Paragraph],
    matched: Sequence[tuple[int, int]],
) -> float:
    if len(before) <= len(after):
        held = sum(old[a].span.end - old[a].span.start for _, a in matched)
        return held / max(1, sum(p.span.end - p.span.start for p in old))
    held = sum(new[b].span.end - new[b].span.start for b, _ in matched)
    return held / max(1, sum(p.span.end - p.span.start for p in new))


def _bounds(span: Span) -> tuple[int, int]:
    return span.start, span.end


# --- topics ------------------------------------------------------------------------------------------------------

_DUTY = re.compile(
    r"\b(?:must|shall|may not|will be (?:required|prohibited|permitted|subject)|(?:is|are) (?:required|"
    r"prohibited|exempt)|requires?|prohibits?|would (?:require|prohibit)|"
    r"will (?:require|prohibit|apply))\b"
)
_NO_DUTY = re.compile(
    r"\?\s*$|\bcomment(?:ers?|ed)?\b|^(?:See|Cf|Id)\b|\bCommission (?:must|shall|is required)\b|\brequires? the Commission\b"
)
_READ = {Kind.BODY, Kind.RULE_TEXT}
_SHORTEST = 300  # characters of a section: less is a heading
_HEADING_WEIGHT = 4


@dataclass(frozen=True, slots=True)
class _Part:
    path: tuple[str, ...]
    spans: tuple[Span, ...]
    words: Vector


def topics(
    before: str, after: str, old_sections: Sequence[Section], new_sections: Sequence[Section]
) -> tuple[Topic, ...]:
    """Sections of two texts paired by subject, the most alike first; with what they require and the other text does not."""
    old, new = _parts(before, old_sections), _parts(after, new_sections)
    duties = [_duties(before, p.spans) for p in old], [_duties(after, p.spans) for p in new]
    alike = _alike_duties(before, after, *([d for part in side for d in part] for side in duties))
    found: list[Topic] = []
    used_old: set[int] = set()
    used_new: set[int] = set()
    likely = _likenesses(
        [p.words for p in old], [p.words for p in new], range(len(old)), range(len(new))
    )
    for likeness, b, a in sorted(likely, key=lambda t: (-t[0], t[1], t[2])):
        if likeness < ALIKE_TOPIC or a in used_old or b in used_new:
            continue
        used_old.add(a)
        used_new.add(b)
        mine, theirs = duties[0][a], duties[1][b]
        here = [(x, y) for x, y in alike if x in set(mine) and y in set(theirs)]
        alone = [Duty("before", d) for d in mine if d not in {x for x, _ in alike}]
        alone += [Duty("after", d) for d in theirs if d not in {y for _, y in alike}]
        parameters = [
            parameter
            for x, y in here
            for parameter in changed_parameters(before, after, _bounds(x), _bounds(y))
        ]
        found.append(
            Topic(old[a].path, new[b].path, round(likeness, 3), tuple(alone), tuple(parameters))
        )
    return tuple(found)


def _alike_duties(
    before: str, after: str, mine: Sequence[Span], theirs: Sequence[Span]
) -> list[tuple[Span, Span]]:
    """The requirements that say the same, wherever in the two texts each stands."""
    vectors = (
        [_vector(before[s.start : s.end]) for s in mine],
        [_vector(after[s.start : s.end]) for s in theirs],
    )
    return [
        (mine[a], theirs[b])
        for likeness, b, a in _likenesses(*vectors, range(len(mine)), range(len(theirs)))
        if likeness >= ALIKE_DUTY
    ]


def _parts(text: str, sections: Sequence[Section]) -> list[_Part]:
    by_path: dict[tuple[str, ...], list[Span]] = defaultdict(list)
    for section in sections:
        if section.kind in _READ:
            by_path[section.path].append(Span(section.start, section.end))
    parts: list[_Part] = []
    for path, spans in by_path.items():
        if sum(s.end - s.start for s in spans) < _SHORTEST:
            continue
        words = Counter(_vector(" ".join(text[s.start : s.end] for s in spans)))
        for word in _vector(" ".join(path[-2:])):
            words[word] += _HEADING_WEIGHT
        parts.append(_Part(path, tuple(spans), {w: log(1 + n) for w, n in words.items()}))
    return parts


def _duties(text: str, spans: Sequence[Span]) -> list[Span]:
    return [
        Span(start, end)
        for span in spans
        for start, end in sentences(text[span.start : span.end], span.start)
        if _DUTY.search(text, start, end) and not _NO_DUTY.search(text[start:end])
    ]
