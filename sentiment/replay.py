"""Receipts in, whether the same values come out of the tape again: of one read, or of all that were ever recorded.

A read at (T, offset) sees what is known by T. So in the view `known` the tape tells it the same at every later head, up to the
next record that was known by T: many reads share a head. The heads are gone through in their order, and a store of its own
follows them. In the other views a later record can change the past, and no head is shared.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np

from ingest.errors import BadRequest, NotKnown
from sentiment.features import NoRegulation
from sentiment.held import feed_of, values
from sentiment.history import changes, known_times
from sentiment.log import Tape
from sentiment.question import Question, question
from sentiment.read import Reader
from sentiment.receipt import Outcome, Receipt, Verdict, canonical, digest
from sentiment.rolling import Floats, Ints
from sentiment.sources import Weights
from sentiment.store import HELD, MemoryStore

SHOWN = 20  # of those that differ
AT_ONCE = 100_000  # vectors that are sorted together
_WORTH_FOLDING = 20  # heads
_NONE = NoRegulation()

Values = Mapping[str, float | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Recorded:
    """A vector that was served. values: as they were, where they were kept."""

    receipt: Receipt
    values: Values | None = None


@dataclass(slots=True)
class Replayed:
    """What became of recorded vectors so far. values: how many were computed again; different: the first that did not match."""

    vectors: int = 0
    values: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    different: list[tuple[Receipt, Verdict]] = field(default_factory=list)


def verify(reader: Reader, recorded: Recorded) -> Verdict:
    """Whether a vector that was served comes out of the tape again, whatever was appended since."""
    ((verdict, _),) = _verdicts(reader, [recorded])
    return verdict


def replay(
    reader: Reader,
    recorded: Iterable[Recorded],
    progress: Callable[[Replayed], None] = lambda _: None,
) -> Replayed:
    """Verify many: the verdicts that `verify` has, in much less time."""
    done, rest = Replayed(), iter(recorded)
    while batch := list(islice(rest, AT_ONCE)):
        for one, (verdict, computed) in zip(batch, _verdicts(reader, batch), strict=True):
            done.vectors += 1
            done.values += computed
            done.outcomes[verdict.outcome] += 1
            if verdict.outcome is not Outcome.MATCH and len(done.different) < SHOWN:
                done.different.append((one.receipt, verdict))
        progress(done)
    return done


def _verdicts(reader: Reader, batch: Sequence[Recorded]) -> Iterator[tuple[Verdict, int]]:
    """Of each, in order, and how many values were computed for it."""
    refusals = _Refusals(reader)
    verdicts: dict[int, Verdict] = {}
    reads: list[_Read] = []
    for place, one in enumerate(batch):
        found = refusals.of(one.receipt)
        if isinstance(found, Verdict):
            verdicts[place] = found
        else:
            reads.append(_Read(place, one.receipt, found))
    sizes: dict[int, int] = {}
    for read, row in _computed(reader, reads):
        verdicts[read.place] = _judged(reader, batch[read.place], read.wanted, row)
        sizes[read.place] = len(row)
    return ((verdicts[place], sizes.get(place, 0)) for place in range(len(batch)))


class _Read(NamedTuple):
    """What a receipt asks for."""

    place: int
    receipt: Receipt
    wanted: Question

    @property
    def company(self) -> tuple[str, str]:
        """The symbol as it was asked for, and whom it meant."""
        return self.receipt.symbol, self.receipt.entity


class _Refusals:
    """Why a receipt cannot be computed again, or else the question it was the answer to."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._hashes: dict[int, str | None] = {}

    def of(self, receipt: Receipt) -> Verdict | Question:
        ours = self._reader.feature_version
        if receipt.feature_version != ours:
            return Verdict(
                Outcome.EXPIRED,
                f"its features are of version {receipt.feature_version}; this program computes {ours}",
            )
        offset = receipt.offset
        if offset not in self._hashes:
            self._hashes[offset] = self._hash(offset)
        if self._hashes[offset] is None:
            return Verdict(Outcome.NOT_THIS_TAPE, f"the tape ends before its offset {offset}")
        if self._hashes[offset] != receipt.hash:
            return Verdict(
                Outcome.NOT_THIS_TAPE, f"other records stand on the tape up to its offset {offset}"
            )
        if receipt.model is not None and not self._reader.has_scores_of(receipt.model):
            return Verdict(
                Outcome.NOT_THIS_TAPE, f"no score of its model {receipt.model} is on the tape"
            )
        features = receipt.features
        named = (None, features) if isinstance(features, str) else (features, None)
        try:
            wanted = question(*named, receipt.view, receipt.model, receipt.latency)
            if wanted.regulation:
                self._reader.regulation.at(receipt.rules)
        except BadRequest as exc:
            return Verdict(Outcome.EXPIRED, str(exc))
        except NotKnown as exc:
            return Verdict(Outcome.NOT_THIS_TAPE, str(exc))
        return wanted

    def _hash(self, offset: int) -> str | None:
        try:
            return self._reader.tape.receipt(offset).hash
        except NotKnown:
            return None


def _judged(reader: Reader, recorded: Recorded, wanted: Question, row: Floats) -> Verdict:
    """MATCH where the values are those that were served; where they are not, EXPIRED if the rulebook reads otherwise now."""
    verdict = _compared(recorded, wanted.names, row)
    if verdict.outcome is Outcome.MISMATCH and wanted.regulation:
        served, ours = recorded.receipt.rules, reader.regulation.at(recorded.receipt.rules).state
        if served != ours:
            reason = f"the rulebook was read in its state {served}; of the same documents it has {ours} now"
            return Verdict(Outcome.EXPIRED, reason)
    return verdict


def _compared(recorded: Recorded, names: Sequence[str], row: Floats) -> Verdict:
    """By their hash and, where they were kept, one by one."""
    if recorded.values is not None:
        served = recorded.values
        for name, value in zip(names, canonical(row).tolist(), strict=True):
            computed = None if value != value else value
            if name not in served or served[name] != computed:
                was = served.get(name)
                reason = f"{name} was served as {was}, the tape gives {computed}"
                return Verdict(Outcome.MISMATCH, reason, name, was, computed)
    if digest(names, row) != recorded.receipt.values:
        return Verdict(Outcome.MISMATCH, "the tape gives values of another hash")
    return Verdict(Outcome.MATCH)


# ---- computing


def _computed(reader: Reader, reads: Sequence[_Read]) -> Iterator[tuple[_Read, Floats]]:
    """Each read with its values float64[f], in any order."""
    for group in _by(
        reads, lambda read: (read.wanted.view, read.wanted.model, read.wanted.latency)
    ):
        at = np.array([read.receipt.as_of for read in group], np.int64)
        heads = np.array([read.receipt.offset for read in group], np.int64)
        if group[0].wanted.view == "known":
            heads = shared_heads(known_times(reader.tape), at, heads)
        at_heads = defaultdict(list)
        for read, head in zip(group, heads.tolist(), strict=True):
            at_heads[head].append(read)
        # A fold pays where many heads are near each other; a head alone is read from the tape at once.
        store = MemoryStore() if len(at_heads) >= _WORTH_FOLDING else None
        following = reader.with_store(store)
        for head in sorted(at_heads):
            if store is not None:
                _fold(reader.tape, store, head, reader.weights)
            yield from _at_head(following, head, at_heads[head])


def _fold(tape: Tape, store: MemoryStore, head: int, weights: Weights | None) -> None:
    """Take a store to a later head."""
    over = store.applied()
    if over.offset < head:
        store.apply(changes(tape, over, HELD, limit=head - over.offset, weights=weights))


def _at_head(reader: Reader, head: int, reads: Sequence[_Read]) -> Iterator[tuple[_Read, Floats]]:
    for alike in _by(reads, lambda read: read.wanted.needs_panel):
        companies = sorted({read.receipt.entity for read in alike})
        instants = [read.receipt.as_of for read in alike]
        held = reader.held(alike[0].wanted, companies, min(instants), max(instants), head)
        for group in _by(alike, lambda read: (read.company, read.wanted, read.receipt.rules)):
            (symbol, company), wanted = group[0].company, group[0].wanted
            rules = reader.regulation.at(group[0].receipt.rules) if wanted.regulation else _NONE
            at = np.array([read.receipt.as_of for read in group], np.int64)
            feed = feed_of(reader.tape, held, at)
            found = values(wanted, symbol, company, at, held, feed, rules)
            found[at < reader.first_known(wanted, company, held, int(at.min()))] = np.nan
            yield from zip(group, found, strict=True)


def _by(values: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return list(groups.values())


def shared_heads(known: Ints, at: Ints, offsets: Ints) -> Ints:
    """int64[n]: for reads at instants of a tape that ended at offsets, as few heads as can be at which it tells each the same.

    known: known_at of the records of the whole tape. Each read can go up to before the next record known by its instant; the
    fewest points that meet all these intervals are their ends, taken from the left wherever none was met.
    """
    latest = _before_next_known(known, at, offsets)
    heads, head = np.empty_like(offsets), -1
    for place in np.argsort(latest, kind="stable").tolist():
        if offsets[place] > head:
            head = int(latest[place])
        heads[place] = head
    return heads


def _before_next_known(known: Ints, at: Ints, offsets: Ints) -> Ints:
    """int64[n]: the last offset before the next record after each of `offsets` that is known by its instant."""
    least = np.append(np.minimum.accumulate(known[::-1])[::-1], np.iinfo(np.int64).max)
    latest = np.full(len(at), len(known), np.int64)
    for place in np.flatnonzero(least[offsets] <= at).tolist():
        start, width = int(offsets[place]), 64
        while not (by_then := known[start : start + width] <= at[place]).any():
            start, width = start + width, 2 * width
        latest[place] = start + int(by_then.argmax())
    return latest
