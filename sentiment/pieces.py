"""A text and where it names its target in; what runs of the model read out: word pieces, and which of them are the target's.

Each mention of the target is wrapped in two word pieces that the vocabulary has and no text can give, since they are put in
after the text is cut into pieces:

    [CLS] [unused1] shell [unused2] gains as bp slides [SEP]

A figure that the text compares with another one (sentiment/comparisons.py) is followed by a piece that says whether it is more
or less:

    [CLS] profit 3 . 1 mn [unused4] vs 4 . 5 mn [SEP]

One text is one run. A text that is longer than the model is read sentence by sentence, each a run of its own; with a target,
those sentences alone that name it. What is then still too long is cut: at the end, or around the first mention.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from ingest.encoder import encodable
from ingest.errors import BadRequest, ModelMissing
from ingest.sentences import sentences
from sentiment.comparisons import COMPARISONS_VERSION, comparisons
from sentiment.scorer import Marked, Span

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PIECES_VERSION = f"2-{COMPARISONS_VERSION}"  # raise it whenever the same text becomes other pieces

OPENS, CLOSES, MORE, LESS = MARKS = "[unused1]", "[unused2]", "[unused3]", "[unused4]"
LONGEST = 64  # sentences read of a text that is longer than the model


class Pieces(NamedTuple):
    """What one run reads.

    ids     word pieces, with [CLS], [SEP] and the marks
    shares  of each piece in the mean of the target's, adding up to 1: the pieces between marks; without a target, all
    size    pieces that are of the text itself, by which runs of one text are weighted
    """

    ids: list[int]
    shares: list[float]
    size: int


class Reader:
    """Makes Pieces. max_tokens: of one run, all included; marks, compares: whether the model has learnt what those of a
    target and of a comparison mean.

    Safe to use from several threads. Raises ModelMissing when marks are wanted and the vocabulary has none.
    """

    def __init__(
        self, tokenizer: "Tokenizer", max_tokens: int, *, marks: bool, compares: bool = False
    ) -> None:
        self._tokenizer, self._marks, self._compares = tokenizer, marks, compares
        around = tokenizer.encode("", add_special_tokens=True).ids  # [CLS] [SEP]
        self._before, self._after = around[: len(around) // 2], around[len(around) // 2 :]
        self._room = max_tokens - len(around)
        ids = [tokenizer.token_to_id(mark) for mark in MARKS]
        if (marks and None in ids[:2]) or (compares and None in ids[2:]):
            raise ModelMissing(
                f"the vocabulary has no {OPENS} and {CLOSES} to mark a target with"
                if None in ids[:2]
                else f"the vocabulary has no {MORE} and {LESS} to mark a figure with"
            )
        self._opens, self._closes, self._more, self._less = (each or 0 for each in ids)

    def read(self, text: str | Marked) -> list[Pieces]:
        """The runs that a text takes: one, or one for each sentence; none where there is nothing to read.

        Raises BadRequest on a span that is not inside the text.
        """
        words, spans = _checked(text)
        if not self._marks:
            spans = ()
        ids, named = self._cut_up(words, spans)
        if not ids:
            return []
        if len(ids) + 2 * len(named) <= self._room:
            return [self._pieces(ids, named)]
        parts = list(_sentences(words, spans))[:LONGEST]
        return [self._fitting(*self._cut_up(*part)) for part in parts]

    def _cut_up(self, text: str, spans: tuple[Span, ...]) -> tuple[list[int], list[Span]]:
        """Ids of the word pieces, and the mentions as half-open ranges of pieces; one that no piece is part of is none."""
        found = self._tokenizer.encode(text, add_special_tokens=False)
        ids, places = found.ids, found.offsets
        if self._compares:
            self._say_comparisons(text, ids, places)
        named: list[Span] = []
        for start, end in spans:
            inside = [at for at, (a, b) in enumerate(places) if a < end and start < b and a < b]
            if not inside:
                continue
            if named and inside[0] < named[-1][1]:
                named[-1] = named[-1][0], max(named[-1][1], inside[-1] + 1)
            else:
                named.append((inside[0], inside[-1] + 1))
        return ids, named

    def _say_comparisons(self, text: str, ids: list[int], places: list[Span]) -> None:
        """Put in what figures are; such a piece stands for no character, so no mention begins or ends with it."""
        starts = [start for start, _ in places]
        for figure in reversed(comparisons(text)):
            at = bisect_left(starts, figure.end)
            ids.insert(at, self._more if figure.more else self._less)
            places.insert(at, (figure.end, figure.end))

    def _fitting(self, ids: list[int], named: list[Span]) -> Pieces:
        """As much as there is room for: from the start, or around the first mention where that is too far on."""
        first, length = 0, self._room
        if named:
            start, end = named[0]
            if end + 2 > self._room:
                first = max(0, min(start, (start + end - self._room) // 2))
            while length + 2 * len(_inside(named, first, first + length)) > self._room:
                length -= 1
        inside = _inside(named, first, first + length)
        return self._pieces(
            ids[first : first + length], [(start - first, end - first) for start, end in inside]
        )

    def _pieces(self, ids: list[int], named: list[Span]) -> Pieces:
        made, shares, size = list(self._before), [0.0] * len(self._before), len(ids)
        at = 0
        for start, end in named:
            made += [*ids[at:start], self._opens, *ids[start:end], self._closes]
            shares += [0.0] * (start - at + 1) + [1.0] * (end - start) + [0.0]
            at = end
        made += [*ids[at:], *self._after]
        shares += [0.0] * (len(made) - len(shares))
        whole = sum(shares)
        shares = [share / whole for share in shares] if whole else [1 / len(made)] * len(made)
        return Pieces(made, shares, size)


def _checked(text: str | Marked) -> tuple[str, tuple[Span, ...]]:
    if isinstance(text, str):
        return encodable(text), ()
    for start, end in text.spans:
        if not 0 <= start < end <= len(text.text):
            raise BadRequest(f"{start}..{end} is no part of a text of {len(text.text)} characters")
    return encodable(text.text), tuple(sorted(text.spans))


def _sentences(text: str, spans: tuple[Span, ...]) -> Iterator[tuple[str, tuple[Span, ...]]]:
    """The sentences, or those that a span touches; sentences that a span runs across count as one."""
    joined: list[Span] = []
    for start, end in sentences(text):
        if joined and any(a < joined[-1][1] and start < b for a, b in spans):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    for start, end in joined:
        inside = tuple(
            (max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and start < b
        )
        if inside or not spans:
            yield text[start:end], inside


def _inside(named: list[Span], first: int, last: int) -> list[Span]:
    """The mentions that a cut keeps; the first one, where it alone is too long, as far as it is kept."""
    kept = [(start, end) for start, end in named if first <= start and end <= last]
    if kept or not named:
        return kept
    start, end = named[0]
    return [(max(start, first), min(end, last))]
