"""The tape in, what is known of each company now out: the online side of the features, in memory or in Redis.

    follow   tape → what changed since the store's head → store       one batch at a time, each applied whole or not at all

A store holds what became known in the last HELD before the newest record, at one head of the tape: the same rows that
`history.snapshot` reads there. Everything in it can be built again from the tape, and is, where it is lost.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.errors import NotKnown
from sentiment.features import DEPTH
from sentiment.history import (
    DAY,
    MINUTE,
    WAITS_HELD,
    Batch,
    Snapshot,
    changes,
    everything,
)
from sentiment.log import Receipt, Tape
from sentiment.log_record import START
from sentiment.rolling import Contributions, Ints
from sentiment.sources import Weights

# Microseconds behind the newest record: any instant of the last day can be read.
HELD = DEPTH + DAY

NOTHING = Receipt(0, START.hex())

RECORDS_AT_ONCE = 1000


class Store(Protocol):
    """State that is read while it is written. Methods may be called from any thread; a snapshot waits for no batch."""

    def applied(self) -> Receipt:
        """The head of the tape that the store is at; that of an empty tape where it holds nothing."""
        ...

    def apply(self, batch: Batch) -> bool:
        """Go from batch.over to batch.head, whole or not at all; False, and nothing changes, where it is elsewhere."""
        ...

    def snapshot(self, entities: Collection[str] | None, *, panel: bool = False) -> Snapshot:
        """What is known of these entities (None: all), as `history.snapshot` tells it at the head applied, view `known`.

        Rows of moments before its `since` may be there or not, waits of items known more than WAITS_HELD ago as well.
        """
        ...

    def items(self) -> int:
        """How many items it holds anything of."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def follow(
    tape: Tape,
    store: Store,
    *,
    weights: Weights | None = None,
    limit: int = RECORDS_AT_ONCE,
    stopping: Callable[[], bool] = lambda: False,
) -> int:
    """Fold what is new on the tape into a store, at most `limit` records at a time; how many records that were.

    A store that holds nothing, or what is not of this tape, is built anew in one batch. Several may follow into one store:
    a batch that comes second is not applied. Ends at the tape's head, or, between two batches, when `stopping` says so.
    """
    folded = 0
    while not stopping():
        over = store.applied()
        batch = next_batch(tape, over, weights=weights, limit=limit)
        if batch is None:
            break
        if store.apply(batch):
            folded += batch.head.offset - (0 if batch.whole else over.offset)
    return folded


def next_batch(
    tape: Tape, over: Receipt, *, weights: Weights | None = None, limit: int = RECORDS_AT_ONCE
) -> Batch | None:
    """What brings a store at this head on: what at most `limit` further records change, or all, where it is of another tape
    or holds nothing; None where nothing is new."""
    head = tape.head()
    if _is_of(over, tape):
        new = over.offset < head
        return changes(tape, over, HELD, limit=limit, weights=weights) if new else None
    return everything(tape, over, HELD, weights) if head else None


def _is_of(receipt: Receipt, tape: Tape) -> bool:
    """Whether a store at this head can go on from there."""
    try:
        return receipt.offset > 0 and tape.receipt(receipt.offset) == receipt
    except NotKnown:
        return False


# ---- in memory


@dataclass(frozen=True, slots=True)
class _State:
    """What a MemoryStore holds at one head; replaced as a whole, so that readers need no lock."""

    head: Receipt = NOTHING
    rows: Mapping[str, Contributions] = field(default_factory=dict)
    entities: Mapping[str, int] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    since: int = 0
    first_known: int | None = None
    newest: int | None = None
    waiting: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    rewound: int = 0


class MemoryStore:
    """The state of one process. A row takes 90 bytes; room is kept for a quarter more, and an eighth may be too old."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of writers
        self._state = _State()
        self._tables: dict[str, _Table] = {}
        self._where = _Where()
        self._swept = 0
        self._days = Days()

    def applied(self) -> Receipt:
        return self._state.head

    def apply(self, batch: Batch) -> bool:
        with self._lock:
            before = self._state
            if before.head != batch.over:
                return False
            if batch.whole:
                self._tables, self._where, before = {}, _Where(), _State()
            gone = self._where.take_out(batch.items)
            codes, rows = dict(before.entities), dict(before.rows)
            for name in gone.keys() | batch.rows.keys():
                new = batch.rows.get(name, Contributions.empty())
                if name[0] == "e":
                    code = codes.setdefault(name[1:], len(codes))
                    new = replace(new, entity=np.full(len(new), code, np.int32))
                table = self._tables.setdefault(name, _Table())
                rows[name] = table.change(gone.get(name, ()), new)
            self._where.put({name: new.item for name, new in batch.rows.items()})
            if batch.whole or batch.since - self._swept >= MINUTE:
                self._sweep(rows, batch.since)
            self._state = _State(
                batch.head, rows, codes, batch.versions, batch.since, batch.first_known, batch.newest,
                merged_waits(before.waiting, batch), max(before.rewound, batch.rewound),
            )  # fmt: skip
            return True

    def _sweep(self, rows: dict[str, Contributions], since: int) -> None:
        """Drop what is too old where it is more than an eighth, at most once a minute."""
        self._swept = since
        for name, held in list(rows.items()):
            old = held.moment < since
            if 8 * np.count_nonzero(old) > len(held):  # else it is not worth the moving
                self._where.drop(held.item[old], name)
                rows[name] = self._tables[name].tidy(~old)
            if not len(rows[name]):
                del rows[name], self._tables[name]

    def snapshot(self, entities: Collection[str] | None, *, panel: bool = False) -> Snapshot:
        state = self._state
        return Snapshot(
            head=state.head,
            view="known",
            model=None,
            own=_Own(state.rows) if entities is None else {e: r for e in entities if (r := _own(state.rows, e)) is not None},
            items=self._days.of(state.rows) if panel else None,
            each=(lambda: companies(state.rows)) if panel else None,
            entities=state.entities,
            versions=state.versions,
            since=state.since,
            first_known=state.first_known,
            newest=state.newest,
            waiting=state.waiting[:, 1:],
            rewound=state.rewound,
        )  # fmt: skip

    def items(self) -> int:
        return self._where.items()

    def close(self) -> None:
        with self._lock:
            self._state, self._tables, self._where = _State(), {}, _Where()
            self._days = Days()


class _Where:
    """Which tables hold rows of an item, in 12 bytes an item: a dict of tuples takes 110.

    items: int64, in order. codes: of the tuple of tables that each is in; _GONE: in none.
    """

    def __init__(self) -> None:
        self._items, self._codes = np.empty(0, np.int64), np.empty(0, np.int32)
        self._held = 0  # of both arrays; behind it is room
        self._tables: list[tuple[str, ...]] = []
        self._code: dict[tuple[str, ...], int] = {}

    def take_out(self, items: Ints) -> dict[str, list[int]]:
        """By table, which of these items had rows there; from now on they are in none."""
        gone: dict[str, list[int]] = {}
        places, items = self._places(items)
        for item, code in zip(items.tolist(), self._codes[places].tolist(), strict=True):
            for name in self._tables[code] if code != _GONE else ():
                gone.setdefault(name, []).append(item)
        self._codes[places] = _GONE
        return gone

    def put(self, rows: Mapping[str, Ints]) -> None:
        """The items of new rows, by table; none of them was in any."""
        named: dict[int, list[str]] = {}
        for name, items in rows.items():
            for item in dict.fromkeys(items.tolist()):
                named.setdefault(item, []).append(name)
        new = np.array(sorted(named), np.int64)
        codes = np.array([self._code_of(tuple(named[n])) for n in new.tolist()], np.int32)
        places, known = self._places(new)
        again = np.isin(new, known, assume_unique=True)
        self._codes[places] = codes[again]
        self._insert(new[~again], codes[~again])

    def drop(self, items: Ints, name: str) -> None:
        """Rows of these items are no longer in a table."""
        places, _ = self._places(np.unique(items))
        without = np.array(
            [self._code_of(tuple(t for t in tables if t != name)) for tables in list(self._tables)],
            np.int32,
        )
        self._codes[places] = without[self._codes[places]]
        kept = self._codes[: self._held] != _GONE
        if 8 * np.count_nonzero(~kept) > self._held:
            self._items, self._codes = (
                self._items[: self._held][kept],
                self._codes[: self._held][kept],
            )
            self._held = len(self._items)

    def items(self) -> int:
        """How many items are in any table."""
        return int(np.count_nonzero(self._codes[: self._held] != _GONE))

    def _places(self, items: Ints) -> tuple[NDArray[np.intp], Ints]:
        """Where those of the items are that were ever put, and which these are."""
        held = self._items[: self._held]
        places = np.searchsorted(held, items)
        found = places < self._held
        found[found] = held[places[found]] == items[found]
        return places[found], items[found]

    def _insert(self, new: Ints, codes: NDArray[np.int32]) -> None:
        """Items come as a rule in order, so behind all others, where there is room."""
        first, last = self._held, self._held + len(new)
        if not len(new):
            return
        if first and new[0] < self._items[first - 1]:
            places = np.searchsorted(self._items[:first], new)
            self._items = np.insert(self._items[:first], places, new)
            self._codes = np.insert(self._codes[:first], places, codes)
        else:
            if last > len(self._items):
                more = last + last // 8
                self._items, self._codes = (
                    np.concatenate([a[:first], np.empty(more - first, a.dtype)]) for a in (self._items, self._codes)
                )  # fmt: skip
            self._items[first:last], self._codes[first:last] = new, codes
        self._held = last

    def _code_of(self, tables: tuple[str, ...]) -> int:
        if not tables:
            return _GONE
        if tables not in self._code:
            self._code[tables] = len(self._tables)
            self._tables.append(tables)
        return self._code[tables]


_GONE = -1

Tables = Mapping[str, Contributions]  # named as in history.Batch


class Days:
    """The rows of whole items of all days. Past days, once put in order, are kept: as a rule only the last one changes."""

    def __init__(self) -> None:
        self._past: tuple[list[Contributions], Contributions] = [], Contributions.empty()

    def of(self, tables: Tables) -> Contributions:
        """In order of moment."""
        days = [tables[f"i{day}"] for day in sorted(int(n[1:]) for n in tables if n[0] == "i")]
        past, last = days[:-1], days[-1:]
        held, ordered = self._past
        if len(held) != len(past) or any(a is not b for a, b in zip(held, past, strict=True)):
            ordered = Contributions.concat([day.ordered() for day in past])
            self._past = past, ordered
        return Contributions.concat([ordered, *(day.ordered() for day in last)])


def companies(tables: Tables) -> Contributions:
    """The rows of all companies."""
    return Contributions.concat([rows for name, rows in tables.items() if name[0] == "e"])


def _own(tables: Tables, entity: str) -> Contributions | None:
    """The rows of a company, where there are any."""
    rows = tables.get(f"e{entity}")
    return rows if rows is not None and len(rows) else None


class _Own(Mapping[str, Contributions]):
    """The rows of all companies, by entity id: found when asked for, since a read asks for few."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def __getitem__(self, entity: str) -> Contributions:
        if (rows := _own(self._tables, entity)) is None:
            raise KeyError(entity)
        return rows

    def __iter__(self) -> Iterator[str]:
        return (name[1:] for name, rows in self._tables.items() if name[0] == "e" and len(rows))

    def __len__(self) -> int:
        return sum(1 for _ in self)


_SPARE = 4  # rows, of a table that has few

_COLUMNS = tuple(column.name for column in fields(Contributions))


class _Table:
    """Rows in arrays with room to grow.

    What was handed out stays as it was: new rows go behind its end, and whatever else changes goes into new arrays.
    """

    def __init__(self) -> None:
        self._held = Contributions.empty()
        self._room: list[NDArray[Any]] = [getattr(self._held, name) for name in _COLUMNS]

    def change(self, gone: Collection[int], new: Contributions) -> Contributions:
        """Without the rows of these items, and with new ones."""
        if gone:
            kept = ~np.isin(self._held.item, np.fromiter(gone, np.int64, len(gone)))
            self._move(kept, len(new))
        elif len(self._held) + len(new) > len(self._room[0]):
            self._move(np.ones(len(self._held), np.bool_), len(new) + _SPARE + len(self._held) // 4)
        first, last = len(self._held), len(self._held) + len(new)
        for column, name in zip(self._room, _COLUMNS, strict=True):
            column[first:last] = getattr(new, name)
        self._held = Contributions(*(column[:last] for column in self._room))
        return self._held

    def tidy(self, kept: NDArray[np.bool_]) -> Contributions:
        """Without the other rows, and without room."""
        self._move(kept, 0)
        return self._held

    def _move(self, kept: NDArray[np.bool_], more: int) -> None:
        rows = int(np.count_nonzero(kept))
        moved = [np.empty(rows + more, column.dtype) for column in self._room]
        for column, name in zip(moved, _COLUMNS, strict=True):
            column[:rows] = getattr(self._held, name)[kept]
        self._room = moved
        self._held = Contributions(*(column[:rows] for column in moved))


def merged_waits(held: Ints, batch: Batch) -> Ints:
    """The waits (item, known_at, until) after a batch, by known_at."""
    if not len(held):
        return batch.waiting
    kept = held[
        ~np.isin(held[:, 0], batch.items) & (held[:, 1] >= (batch.newest or 0) - WAITS_HELD)
    ]
    if not len(batch.waiting):
        return kept
    both = np.concatenate([kept, batch.waiting])
    return both[np.lexsort((both[:, 0], both[:, 1]))]
