"""Records of threads and their scores in, from when until when each score stands out; pure.

A **thread** is what one source published under one id, and all that is linked to it by `refers_to`. Its records are taken
in the order of (known_at, offset), so that at any instant T those known by then decide alone:

- a record ends what stood in its thread, and stands itself; a retraction stands for nothing;
- but an original that comes after a record that refers to it (the first text of its id, told late or filled in later) never
  stands: what referred to it stands on, and what it itself refers to ends.

So of a thread one record stands at most. What a score says stands from `start` until before `end`:

    view     moment                  start                  end: what comes first of
    known    the item's known_at     the score's known_at   the item's end, the start of a newer score of the item
    latest   the thread's known_at   = moment               never; only the newest score of what stands last is a row
    as_if    the item's known_at     moment + latency       the item's end; only the newest score of each item is a row

Newer means later in (known_at, offset). Rows that stand at no instant are left out.
"""

from collections.abc import Hashable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentiment.rolling import FOREVER, Ints

View = Literal["known", "latest", "as_if"]
VIEWS: tuple[View, ...] = ("known", "latest", "as_if")


class Record(NamedTuple):
    """An item, correction or retraction. id, refers_to: what no other source shares, e.g. (source, id).

    original: the first text under its id that the tape took; known_at: microseconds since 1970 UTC.
    """

    offset: int
    known_at: int
    id: Hashable
    refers_to: Hashable | None
    original: bool
    retracts: bool


class Life(NamedTuple):
    """began: known_at of the first record of the thread; end: until when the record stands (its known_at: never)."""

    began: int
    end: int


class Standing(NamedTuple):
    """Rows that stand at some instant: places among the scores that came in, and the times of each."""

    rows: NDArray[np.intp]
    moment: Ints
    start: Ints
    end: Ints


def lives(records: Iterable[Record]) -> dict[int, Life]:
    """By offset, when each record stands; of any number of whole threads, in any order."""
    threads = _Threads()
    referred: set[Hashable] = set()
    stands: dict[Hashable, int] = {}  # thread -> offset of what stands in it
    end: dict[int, int] = {}
    ordered = sorted(records, key=lambda record: (record.known_at, record.offset))
    for record in ordered:
        own = threads.find(record.id)
        other = own if record.refers_to is None else threads.find(record.refers_to)
        superseding, superseded = stands.pop(own, None), stands.pop(other, None)
        thread = threads.join(own, other)
        end[record.offset] = record.known_at
        if record.original and record.id in referred:
            if superseding is not None:
                stands[thread] = superseding
        else:
            if superseding is not None:
                end[superseding] = record.known_at
            if not record.retracts:
                stands[thread] = record.offset
                end[record.offset] = FOREVER
        if superseded is not None:
            end[superseded] = record.known_at
        if record.refers_to is not None:
            referred.add(record.refers_to)
    began: dict[Hashable, int] = {}
    for record in ordered:
        began.setdefault(threads.find(record.id), record.known_at)
    return {r.offset: Life(began[threads.find(r.id)], end[r.offset]) for r in ordered}


class _Threads:
    """Ids that belong together (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, id: Hashable) -> Hashable:
        while (parent := self._parent.setdefault(id, id)) != id:
            self._parent[id] = self._parent[parent]  # halve the path
            id = parent
        return id

    def join(self, one: Hashable, other: Hashable) -> Hashable:
        self._parent[other] = one
        return one


def standing(
    view: View, latency: int, *, item: Ints, known_at: Ints, moment: Ints, began: Ints, end: Ints, offset: Ints
) -> Standing:  # fmt: skip
    """When each of n scores stands; all scores of an item have to be among them.

    Of each score: item, the item's offset; known_at, its own; moment, the item's known_at; began and end, the item's Life;
    offset, its own. latency: microseconds, for as_if.
    """
    order = np.lexsort((offset, known_at, item))
    newest = np.ones(len(order), np.bool_)
    newest[:-1] = item[order[1:]] != item[order[:-1]]
    if view == "known":
        start = known_at[order]
        next_start = np.full(len(order), FOREVER)
        next_start[:-1] = np.where(newest[:-1], FOREVER, start[1:])
        rows, moment, end = order, moment[order], np.minimum(end[order], next_start)
    elif view == "latest":
        rows = order[newest & (end[order] == FOREVER)]
        moment, end = began[rows], end[rows]
        start = moment
    else:
        rows = order[newest]
        moment, end = moment[rows], end[rows]
        start = moment + latency
    stands = end > start
    return Standing(rows[stands], moment[stands], start[stands], end[stands])
