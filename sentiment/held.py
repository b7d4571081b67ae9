"""What a read has in hand, from the store or the tape, and what it makes of that at instants: values, what stands, the feed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sentiment import history
from sentiment.compute import Kept, compute
from sentiment.features import DEPTH, SECOND, Regulation
from sentiment.history import WAIT_LEAST, WAIT_MOST, Snapshot
from sentiment.log import Tape
from sentiment.question import Question
from sentiment.rolling import FOREVER, NEVER, Bools, Contributions, Floats, Ints, Panel
from sentiment.sources import Weights

_NOTHING = Contributions.empty()
_NOT_ON_TAPE = -2  # code of a company that no score names


@dataclass(frozen=True, eq=False)
class Held:
    """A snapshot of some companies and, where a question needs one, the panel of all.

    summed: the snapshot that the panel was made of, maybe an earlier one. live: it is of a store, so it is read again.
    """

    snapshot: Snapshot
    panel: Panel | None = None
    summed: Snapshot | None = None
    live: bool = False
    _newest_item: list[int] = field(default_factory=list, repr=False)

    @property
    def codes(self) -> Mapping[str, int]:
        """Of companies in the panel."""
        return {} if self.summed is None else self.summed.entities

    @property
    def offset(self) -> int:
        """Of the newest record that was read."""
        return self.snapshot.head.offset

    def newest_item(self, tape: Tape) -> int:
        """known_at of the newest item that was read; NEVER where there is none. Looked up once."""
        if not self._newest_item:
            self._newest_item.append(int(_known_items(tape, self.offset, FOREVER, FOREVER)[-1]))
        return self._newest_item[0]

    def own(self, company: str) -> Contributions:
        """The rows of a company."""
        return self.snapshot.own.get(company, _NOTHING)

    def versions(self, codes: Iterable[int]) -> tuple[str, ...]:
        """The model versions that these codes stand for."""
        return tuple(self.snapshot.versions[code] for code in codes)


def from_tape(
    tape: Tape,
    question: Question,
    companies: Sequence[str],
    first: int,
    last: int,
    head: int | None,
    *,
    panel: bool,
    weights: Weights | None,
) -> Held:
    """What the tape held at a head for reads in [first, last], µs."""
    snapshot = history.snapshot(
        tape, entities=companies, head=head, view=question.view, model=question.model, latency=question.latency,
        since=first - DEPTH, until=last, waiting_since=first - WAIT_MOST, panel=panel,
        weights=weights,
    )  # fmt: skip
    return with_panel(snapshot)


def with_panel(snapshot: Snapshot, *, live: bool = False) -> Held:
    """A snapshot, with its panel where it holds the rows of all."""
    if snapshot.items is None or snapshot.each is None:
        return Held(snapshot, live=live)
    return Held(snapshot, Panel(snapshot.items, snapshot.each), snapshot, live)


def values(
    question: Question,
    symbol: str,
    company: str,
    at: Ints,
    held: Held,
    feed: "Feed",
    regulation: Regulation,
    kept: Kept | None = None,
) -> Floats:
    """float64[m, f]: the features of a company at instants int64[m], NaN where there is nothing. kept: of the company."""
    code = held.codes.get(company, _NOT_ON_TAPE)
    found = compute(
        question.features, at, held.own(company), code, held.panel, held.snapshot.first_known,
        kept=kept,
    )  # fmt: skip
    for place in question.feed:
        found[:, place] = feed.measure(question.features[place].measure)
    if question.regulation:
        ruled = [question.features[place] for place in question.regulation]
        found[:, question.regulation] = regulation.values(ruled, at, symbol)
    return found


def newest_in_force(rows: Contributions, at: Ints) -> Ints:
    """int64[m]: the moment of the newest row in force at each instant; NEVER where none is."""
    return largest(rows.start, np.minimum(rows.end, rows.moment + DEPTH), rows.moment, at)


def any_in_force(rows: Contributions, at: Ints) -> Bools:
    """bool[m]: whether any row is in force at each instant."""
    found: Bools = newest_in_force(rows, at) != NEVER
    return found


def largest(begin: Ints, end: Ints, value: Ints, at: Ints) -> Ints:
    """int64[m]: the largest value int64[n] of the intervals [begin, end) that an instant lies in; NEVER where it lies in none.

    Each interval covers a run of the sorted instants, and a run is the union of two whose length is a power of two: what
    holds for a run of 2**k holds for both its halves.
    """
    if not begin.size:
        return np.full(len(at), NEVER)
    order = np.argsort(at, kind="stable")
    ordered = at[order]
    first, last = np.searchsorted(ordered, begin, "left"), np.searchsorted(ordered, end, "left")
    covers = first < last
    first, last, value = first[covers], last[covers], value[covers]
    power = np.frexp((last - first).astype(np.float64))[1] - 1
    found = np.full(len(at), NEVER)
    for k in range(int(power.max(initial=0)), -1, -1):
        half = 1 << k
        found[half:] = np.maximum(found[half:], found[:-half])
        these = power == k
        np.maximum.at(found, first[these], value[these])
        np.maximum.at(found, last[these] - half, value[these])
    unsorted = np.empty_like(found)
    unsorted[order] = found
    return unsorted


# ---- the feed


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """The news feed at instants int64[m]. newest: known_at of the newest item known by then, NEVER: none is; oldest: that of
    the item that waits longest for its first score, NEVER: none waits. lag: µs that it has waited, else 0."""

    at: Ints
    newest: Ints
    oldest: Ints
    lag: Ints

    def take(self, places: "slice | Bools") -> "Feed":
        """At some of its instants."""
        return Feed(self.at[places], self.newest[places], self.oldest[places], self.lag[places])

    def measure(self, name: str) -> Floats:
        """Of the catalogue's feed features: seconds, NaN where nothing is known yet."""
        micros = self.lag if name == "feed_lag" else self.at - self.newest
        return np.where(self.newest == NEVER, np.nan, micros / SECOND)


def feed_of(tape: Tape, held: Held, at: Ints) -> Feed:
    """The feed as it was at instants."""
    newest, waiting = _newest_known(tape, held, at), held.snapshot.waiting
    if not len(waiting):
        return Feed(at, newest, np.full(len(at), NEVER), np.zeros(len(at), np.int64))
    known, until = waiting[:, 0], waiting[:, 1]
    negated = largest(known + WAIT_LEAST + 1, until, -known, at)
    waits = negated != NEVER
    return Feed(at, newest, np.where(waits, -negated, NEVER), np.where(waits, at + negated, 0))


def _newest_known(tape: Tape, held: Held, at: Ints) -> Ints:
    first, last = int(at.min()), int(at.max())
    if held.live and held.snapshot.newest is not None and first >= held.snapshot.newest:
        return np.full(len(at), held.newest_item(tape))
    times = _known_items(tape, held.offset, first, last)
    return times[np.searchsorted(times, at, "right") - 1]


def _known_items(tape: Tape, head: int, first: int, last: int) -> Ints:
    """int64[k], in order: known_at of the items known by `first` at last and until `last`; NEVER before them all."""
    query = (
        "SELECT known_at FROM records INDEXED BY items_by_known"
        " WHERE kind <> 'score' AND known_at <= ? AND offset <= ?"
    )
    with tape.reading() as database:
        known = database.execute(
            f"{query} ORDER BY known_at DESC LIMIT 1", (first, head)
        ).fetchall()
        if first < last:
            later = f"{query} AND known_at > ? ORDER BY known_at"
            known += database.execute(later, (last, head, first)).fetchall()
    return np.array([(NEVER,), *known], np.int64)[:, 0]
