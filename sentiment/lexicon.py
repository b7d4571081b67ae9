"""Headlines in, probabilities out, by a word list: no weights, nothing learnt but two numbers; the baseline and the stand-in.

Words point up or down, and what goes up or down decides whether that is good: "narrows loss" is, "narrows margin" is not. The
rules, in the order in which they act:

1. A text is divided into clauses; after "but" a clause counts more ("beats but lowers outlook"), after "although" less.
2. In a clause, a word of direction takes the nearest thing that has a better side, the one that follows it first; without
   one it speaks of a price. Two figures with "vs", "from" or "compared with" between them have a direction as well.
3. A negation up to three words before turns it round, and takes some of it.
4. With a target, its own clause counts in full and the others little; where its own says nothing, all count.

The sum becomes probabilities by a slope and a share of neutral chosen on Twitter financial news (9,543; accuracy 0.68) and on
SEntFiN headlines with their targets (11,630; accuracy 0.68). The words are in sentiment/lexicon.tsv.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from hashlib import sha256
from math import copysign
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sentiment.scorer import LABELS, NEUTRAL, RULES_VERSION, Marked, Probabilities, Span

LEXICON_VERSION = 1  # raise it whenever the same words give other numbers

SLOPE, NEUTRAL_LOGIT = 1.1, 0.9
_TURNED = -0.7  # what a negation leaves
_NOUN_AHEAD, _NOUN_BEFORE, _NEGATION_BEFORE = 4, 6, 3  # words
_THING = {
    "more": 0.15,
    "less": -0.8,
}  # of a thing without a direction: a profit is expected, a loss is news
_OTHER_CLAUSE = 0.1

_FILE = Path(__file__).with_name("lexicon.tsv")
_WORD = re.compile(r"[$€£]?\d[\d,]*(?:\.\d+)?%?|[a-z]+(?:[-'’.&][a-z]+)*|--|[;:—]")
_NUMBER = re.compile(r"[$€£]?(\d[\d,]*(?:\.\d+)?)$")
_SCALES = {
    "k": 1e3,
    "thousand": 1e3,
    "m": 1e6,
    "mn": 1e6,
    "mln": 1e6,
    "million": 1e6,
    "b": 1e9,
    "bn": 1e9,
}
_SCALES |= {"bln": 1e9, "billion": 1e9, "crore": 1e7, "cr": 1e7, "lakh": 1e5, "trillion": 1e12}


class _Word(NamedTuple):
    """A word or phrase of the text: kind "" and weight 0 when the list does not have it."""

    text: str
    kind: str
    weight: float
    start: int


class Lexicon:
    """A Scorer that needs nothing."""

    name = "lexicon"
    trained_through: str | None = None
    notice: str | None = None
    reads_targets = True

    def __init__(self) -> None:
        identity = f"{LEXICON_VERSION} {RULES_VERSION} {SLOPE} {NEUTRAL_LOGIT}".encode()
        self.version = "lexicon-" + sha256(identity + _FILE.read_bytes()).hexdigest()[:8]

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        found = np.zeros((len(texts), len(LABELS)), np.float32)
        for row, text in zip(found, texts, strict=True):
            words, spans = (text, ()) if isinstance(text, str) else text
            if words.strip():
                row[:] = _shares(tone(words, spans))
            else:
                row[NEUTRAL] = 1
        return found


def _shares(tone: float) -> Probabilities:
    raised = np.exp([-SLOPE * tone, NEUTRAL_LOGIT, SLOPE * tone])
    shares: Probabilities = (raised / raised.sum()).astype(np.float32)
    return shares


def tone(text: str, spans: Sequence[Span] = ()) -> float:
    """How good (above 0) or bad what a text says is, for the target where spans mention one; within -3 and 3."""
    clauses = list(_clauses(list(_words(text))))
    tones = [weight * _clause_tone(words) for weight, words in clauses]
    if spans:
        own = [any(_touches(words, span, text) for span in spans) for _, words in clauses]
        if any(said and mine for said, mine in zip(tones, own, strict=True)):
            tones = [
                said if mine else _OTHER_CLAUSE * said
                for said, mine in zip(tones, own, strict=True)
            ]
    total = sum(tones)
    return copysign(min(abs(total), 3.0), total)


def _touches(words: Sequence[_Word], span: Span, text: str) -> bool:
    end = words[-1].start + len(words[-1].text)
    return words[0].start < span[1] and span[0] < end


# ---- words


@cache
def _list() -> dict[str, tuple[str, float]]:
    """Each form: its kind and weight."""
    found: dict[str, tuple[str, float]] = {}
    for line in _FILE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        kind, weight, forms = line.split("\t")
        for form in forms.split(", "):
            found[form.strip()] = kind, float(weight)
    return found


@cache
def _longest() -> int:
    return max(len(form.split()) for form in _list())


def _words(text: str) -> Iterator[_Word]:
    known = _list()
    plain = text.lower()
    if len(plain) != len(text):  # a letter that grows in lower case would shift every place
        plain = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    found = [(match[0], match.start()) for match in _WORD.finditer(plain)]
    at = 0
    while at < len(found):
        for size in range(min(_longest(), len(found) - at), 0, -1):
            phrase = " ".join(word for word, _ in found[at : at + size])
            if phrase in known:
                kind, weight = known[phrase]
                start, (last, end) = found[at][1], found[at + size - 1]
                yield _Word(plain[start : end + len(last)], kind, weight, start)
                at += size
                break
        else:
            word, start = found[at]
            kind = "not" if word.endswith(("n't", "n’t")) else ""
            yield _Word(word, kind, float(bool(kind)), start)
            at += 1


def _clauses(words: list[_Word]) -> Iterator[tuple[float, list[_Word]]]:
    """Clauses with at least a word, and how much each counts."""
    weight, held = 1.0, list[_Word]()
    for word in words:
        if word.kind in ("but", "although", "clause"):
            if held:
                yield weight, held
            weight, held = word.weight, []
        else:
            held.append(word)
    if held:
        yield weight, held


# ---- one clause


def _clause_tone(words: Sequence[_Word]) -> float:
    things = {at: word for at, word in enumerate(words) if word.kind in ("more", "less")}
    figures = _figures(words)
    total = 0.0
    for at, word in enumerate(words):
        if word.kind in ("up", "down"):
            thing = _thing_of(at, words, things)
            side = 1.0 if thing is None else _side(things.pop(thing))
            value = word.weight * side * (1 if word.kind == "up" else -1)
        elif word.kind in ("good", "bad"):
            value = word.weight * (1 if word.kind == "good" else -1)
        elif word.kind == "fails":
            total -= word.weight
            continue
        else:
            continue
        total += value * (_TURNED if _negated(at, words) else 1)
    past = {at for at in things if any(w.kind == "before" for w in words[max(0, at - 3) : at])}
    if things and figures and not total and not past:
        return figures * _side(next(iter(things.values())))
    for at, word in things.items():
        value = _THING[word.kind] * (-1 if at in past else 1)
        total += value * (_TURNED if _negated(at, words) else 1)
    return total


def _side(thing: _Word) -> float:
    return thing.weight if thing.kind == "more" else -thing.weight


def _thing_of(at: int, words: Sequence[_Word], things: dict[int, _Word]) -> int | None:
    """What a word of direction is about: the next thing soon after it, else the last before it; not across a comparison."""
    for place in range(at + 1, min(len(words), at + 1 + _NOUN_AHEAD)):
        if words[place].kind in ("before", "up", "down"):
            break
        if place in things:
            return place
    for place in range(at - 1, max(-1, at - 1 - _NOUN_BEFORE), -1):
        if place in things:
            return place
    return None


def _negated(at: int, words: Sequence[_Word]) -> bool:
    return any(each.kind in ("not", "fails") for each in words[max(0, at - _NEGATION_BEFORE) : at])


def _figures(words: Sequence[_Word]) -> float:
    """1 or -1 where two figures are compared and the first is the higher or the lower; 0 where none are."""
    for at, word in enumerate(words):
        if word.kind == "before":
            now = [_figure(words, place) for place in range(at)]
            then = [_figure(words, place) for place in range(at + 1, len(words))]
            ours = [value for value in now if value is not None][-1:]
            past = [value for value in then if value is not None][:1]
            if ours and past and ours != past:
                return 1.0 if ours > past else -1.0
    return 0.0


def _figure(words: Sequence[_Word], at: int) -> float | None:
    match = _NUMBER.match(words[at].text)
    if match is None:
        return None
    after = words[at + 1].text if at + 1 < len(words) else ""
    return float(match[1].replace(",", "")) * _SCALES.get(after, 1.0)
