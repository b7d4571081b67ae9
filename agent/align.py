"""A draft's and a quote's tokens in; whether the draft is the quote after licensed edits, or where it first is not."""

from collections.abc import Sequence

from agent.lemmas import lemma, participle
from agent.trims import Stretch
from agent.values import same
from agent.wording import Token

Stuck = tuple[Token | None, Token | None]  # the quote's and the draft's token that would not fit


def aligned(
    said: Sequence[Token], stored: Sequence[Token], stretches: Sequence[Stretch]
) -> tuple[bool, Stuck]:
    """Walk both from left to right; a step matches two tokens, passes a weak one, or leaves out a licensed stretch."""
    leave: dict[int, list[int]] = {}
    for start, end in stretches:
        leave.setdefault(start, []).append(end)
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    best = (0, 0)
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        i, j = place
        if i == len(stored) and j == len(said):
            return True, (None, None)
        best = max(best, (j, i))
        if j < len(said) and said[j].weak:
            todo.append((i, j + 1))
        if i < len(stored):
            if stored[i].weak:
                todo.append((i + 1, j))
            todo += [(end, j) for end in leave.get(i, ())]
            if j < len(said) and _equal(stored[i], said[j]):
                todo.append((i + 1, j + 1))
    j, i = best
    return False, (stored[i] if i < len(stored) else None, said[j] if j < len(said) else None)


def _equal(one: Token, other: Token) -> bool:
    if one.value is not None and other.value is not None:
        return same(one.value, other.value)
    if one.verb or other.verb:
        pattern, surface = (one, other) if one.verb else (other, one)
        return _told_as(pattern, surface)
    return one.word == other.word and one.value is None and other.value is None


def _told_as(pattern: Token, surface: Token) -> bool:
    """Whether a surface verb has the lemma and tense that the undone passive asks for."""
    base = pattern.word.split(":")[0]
    word = surface.word
    if surface.value is not None:
        return False
    if word == f"did-{base}":
        return pattern.verb in {"past", "present"}
    if surface.verb:
        return word == pattern.word
    if lemma(word) != base:
        return False
    if pattern.verb == "past":
        return participle(word) or word in _PASTS
    if pattern.verb == "base":
        return word == base
    return word == base or (word.endswith("s") and not participle(word))


_PASTS = set(
    "took gave wrote began chose drew knew saw showed withdrew undertook made held set".split()
)
