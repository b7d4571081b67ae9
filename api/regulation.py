"""The rule book of a home in, the regulatory features of the catalogue (sentiment/features.py) out.

The values are the same for every symbol: the rules that the documents speak of hold for the market. Where their sentences name
a group of instruments (ingest/rules/groups.toml), what they say of it is a feature of its own, `pressure_VARIABLE_GROUP`; who
belongs to a group is for the reader of features to know.

A value at T rests on the documents whose public moment is not after T, of the first HEAD that the catalog recorded. What is
recorded later adds to the past only at a later head. A receipt names the state of the rule book that was read, HEAD-HASH, so
that it can be had again; HASH is of all that values follow from, so it tells where a later program reads otherwise.
"""

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import cast

import numpy as np

from api.rule_steps import (
    Pressed,
    Push,
    Reading,
    Turn,
    about,
    pressures,
    pushes,
    pushing,
    sections_pushed,
    turns,
)
from ingest.catalog import Catalog, Held
from ingest.errors import NotKnown
from ingest.moment import to_micros
from ingest.rules.groups import fingerprint as groups_fingerprint
from ingest.rules.held import Book, Known, open_book, rebuild
from ingest.rules.impacts import EXTRACTOR
from ingest.rules.stated import Stated, stated_in
from sentiment.features import FEATURES, Feature, NoRegulation, Regulation
from sentiment.rolling import Floats, Ints
from sentiment.sessions import days

METHOD = 1  # raise it whenever the same book gives other numbers
LOOK_SECONDS = 0.5  # how often a server looks whether documents were added, at most
_REST_SECONDS = 0.005  # between sections, so that reads beside are not delayed
_BUSY = 20  # a refresh is followed by this many times its length without one
_STATES, _SECTIONS, _TABLES = 8, 512, 32  # kept

_NEVER = np.iinfo(np.int64).min

log = logging.getLogger(__name__)


class Rules:
    """The rule book at one state, as features read it. A section is worked out when a feature of it is first asked for.

    stated: what documents say of effects. known: turns that another state had; shared between states of one home.
    """

    def __init__(
        self,
        book: Book,
        head: int,
        stated: Callable[[Sequence[Held]], Sequence[Stated]],
        known: "_Turns",
    ) -> None:
        self.state = f"{head}-{_hash(book)}"
        self._book, self._stated, self._known = book, stated, known
        self._sections: dict[str, tuple[Turn, ...]] = {}
        self._tables: OrderedDict[tuple[Feature, ...], _Table] = OrderedDict()
        self._pressed: tuple[Pressed, ...] | None = None
        self._lock = threading.RLock()

    def values(self, features: Sequence[Feature], instants: Ints, symbol: str) -> Floats:
        """float64[m, f] of features with scope "regulation", whatever the symbol; NaN where nothing is known."""
        key = tuple(features)
        table = self._tables.get(key)
        if table is None:
            table = self._table(key)
        return table.at(instants)

    def _table(self, features: tuple[Feature, ...]) -> "_Table":
        with self._lock:
            made = self._tables[features] = _Table([self._steps(f) for f in features], features)
            while len(self._tables) > _TABLES:
                self._tables.popitem(last=False)
        return made

    def prepare(self) -> None:
        """Work out all that any feature rests on, at leisure."""
        for section in sorted({f.subject for f in FEATURES.values() if f.measure in _OF_A_SECTION}):
            self._turns(section)
            time.sleep(_REST_SECONDS)
        every = [f for f in FEATURES.values() if f.scope == "regulation"]
        self.values(every, np.zeros(1, np.int64), "")  # tables and calendars too

    def _turns(self, section: str) -> tuple[Turn, ...]:
        if section not in self._sections:
            self._sections[section] = self._known.of(self._book, section)
        return self._sections[section]

    def _steps(self, feature: Feature) -> "_Steps":
        if feature.measure == "pressure":
            return [(p.at, float(p.by_variable.get(feature.subject, 0))) for p in self._pressures()]
        read = _OF_A_SECTION[feature.measure]
        return [(turn.at, read(turn.reading)) for turn in self._turns(feature.subject)]

    def _pressures(self) -> tuple[Pressed, ...]:
        with self._lock:
            if self._pressed is None:
                self._pressed = tuple(self._found_pressures())
            return self._pressed

    def _found_pressures(self) -> Iterator[Pressed]:
        """From the first event on, 0 where nothing pushes."""
        if not self._book.events:
            return
        by_work = pushing(self._book)
        effects: dict[int, list[Stated]] = {}
        for each in self._stated([k.held for known in by_work.values() for k in known]):
            effects.setdefault(each.held.offset, []).append(each)
        works: dict[str, tuple[Push, ...]] = {}
        for work, known in by_work.items():
            works[work] = pushes(
                (to_micros(k.known_at), effects.get(k.held.offset, ())) for k in known
            )
        works = {work: found for work, found in works.items() if any(p.signs for p in found)}
        sections = sections_pushed(self._book, works)
        found = pressures([self._turns(s) for s in sections], works)
        first = to_micros(self._book.events[0].known_at)
        if not found or found[0].at > first:
            yield Pressed(first, {})
        yield from found


def _flag(value: bool | None) -> float:
    return np.nan if value is None else float(value)


def _ordinal(day: date | None) -> float:
    return np.nan if day is None else float(day.toordinal())


_OF_A_SECTION: Mapping[str, Callable[[Reading], float]] = {
    "in_force": lambda reading: _flag(reading.in_force),
    "relieved": lambda reading: _flag(reading.relieved),
    "days_to_effective": lambda reading: _ordinal(reading.effective),
    "days_to_compliance": lambda reading: _ordinal(reading.compliance),
    "days_to_comment_close": lambda reading: _ordinal(reading.comments),
}

_Steps = list[tuple[int, float]]


class _Table:
    """Steps of several features over one grid of instants; a date among them is taken against the day."""

    def __init__(self, steps: Sequence[_Steps], features: Sequence[Feature]) -> None:
        grid = sorted({at for each in steps for at, _ in each})
        self._grid = np.array([_NEVER, *grid], np.int64)
        self._rows = np.full((len(self._grid), len(steps)), np.nan)
        for column, each in enumerate(steps):
            if each:
                places = np.searchsorted([at for at, _ in each], self._grid, "right") - 1
                values = np.array([value for _, value in each])
                self._rows[:, column] = np.where(places < 0, np.nan, values[places])
        self._dates = [n for n, each in enumerate(features) if each.unit == "days"]

    def at(self, instants: Ints) -> Floats:
        found: Floats = self._rows[np.searchsorted(self._grid, instants, "right") - 1]
        if self._dates:
            found[:, self._dates] -= days(instants)[:, np.newaxis]
        return found


class _Turns:
    """Turns of sections, kept by all that they follow from."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], tuple[Turn, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, book: Book, section: str) -> tuple[Turn, ...]:
        narrow = about(book, section)
        key = section, _hash(narrow)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = turns(narrow, section)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > _SECTIONS:
                self._kept.popitem(last=False)
        return found


def _hash(book: Book) -> str:
    """12 hex digits of what states of the book, and the effects its documents state, follow from."""
    releases = {k.event.release for k in book.events} | {
        k.held.metadata.release for k in book.events
    }
    told = [
        METHOD,
        EXTRACTOR,
        groups_fingerprint(),
        [_facts(known) for known in book.events],
        [asdict(laid) for laid in book.overlay],
        [(name, asdict(each)) for name, each in sorted(book.printed.items()) if name in releases],
        book.redesignated_at,
    ]
    return sha256(json.dumps(told, default=str).encode()).hexdigest()[:12]


def _facts(known: Known) -> list[object]:
    held = known.held
    return [held.id, held.doc_type, held.authority, held.metadata.release, held.metadata.compliance_text,
            to_micros(known.known_at), asdict(known.event)]  # fmt: skip


# ---- the book of a home


class HomeRules:
    """The rule book of a home as it stands, and as it stood.

    live: for a server. What was added is then worked out in a thread of its own while reads go on with the state before it; until
    the first is there nothing is known of rules (`wait`). Else it is worked out when it is asked for.
    """

    def __init__(self, home: Path, *, live: bool = False) -> None:
        self._path, self._live = home / "catalog.db", live
        self._known = _Turns()
        self._states: OrderedDict[int, Rules] = OrderedDict()
        self._now: Rules | None = None
        self._nothing = Rules(_NOTHING, 0, lambda held: (), self._known)
        self._seen: object = _UNSEEN
        self._next_look = 0.0
        self._lock = threading.Lock()
        self._there = threading.Event()
        if live:
            self._look()

    def wait(self, seconds: float) -> None:
        """Until the first state is there, or that long."""
        self._there.wait(seconds)

    def now(self) -> Rules:
        """The newest state; of a server, the newest that is worked out."""
        if self._live:
            if time.monotonic() >= self._next_look:
                self._look()
            return self._now or self._nothing
        with self._lock:
            stamp = self._stamp()
            if self._now is None or stamp != self._seen:
                self._seen, self._now = stamp, self._opened(None)
            return self._now

    def at(self, state: str | None) -> Regulation:
        """The state with the head that this one names; no rule book where none is named. Raises NotKnown on a later head."""
        if state is None:
            return NoRegulation()
        head, _, _ = state.partition("-")
        if not head.isdecimal():
            raise NotKnown(f"{state!r} names no state of a rule book, e.g. 1289-0a1b2c3d4e5f")
        with self._lock:
            found = self._states.get(int(head))
            if found is None:
                found = self._states[int(head)] = self._opened(int(head))
                while len(self._states) > _STATES:
                    self._states.popitem(last=False)
            return found

    def _look(self) -> None:
        """Start working out what was added, unless that is being done."""
        self._next_look = time.monotonic() + LOOK_SECONDS
        if not self._lock.acquire(blocking=False):
            return
        stamp = self._stamp()
        if stamp == self._seen:
            self._lock.release()
            return
        self._seen = stamp
        threading.Thread(target=self._refresh, name="rules", daemon=True).start()

    def _refresh(self) -> None:
        """Holds the lock, and gives it back."""
        began = time.monotonic()
        try:
            found = self._opened(None)
            if self._now is None or found.state != self._now.state:
                found.prepare()
                self._now = found
        except Exception:
            log.exception("the rules could not be read; the features of rules stay as they were")
        finally:
            took = time.monotonic() - began
            self._next_look = time.monotonic() + max(LOOK_SECONDS, _BUSY * took)
            self._there.set()
            self._lock.release()

    def _stamp(self) -> object:
        """Another one whenever the catalog was written to."""
        found: list[tuple[int, int] | None] = []
        for path in (self._path, self._path.with_name(f"{self._path.name}-wal")):
            try:
                stat = path.stat()
            except FileNotFoundError:
                found.append(None)
            else:
                found.append((stat.st_mtime_ns, stat.st_size))
        return found

    def _opened(self, head: int | None) -> Rules:
        """The state with that head, or the newest."""
        if not self._path.exists():
            newest, book = 0, _NOTHING
        else:
            with Catalog(self._path.parent) as catalog:
                newest = catalog.head()
                held = newest if head is None else min(head, newest)
                if held:
                    rebuild(catalog)
                book = open_book(cast(Catalog, _Until(catalog, held))) if held else _NOTHING
        if head is not None and head > newest:
            raise NotKnown(f"the catalog ends before its document {head}")
        return Rules(book, newest if head is None else head, self._stated, self._known)

    def _stated(self, held: Sequence[Held]) -> Sequence[Stated]:
        with Catalog(self._path.parent) as catalog:
            return stated_in(catalog, held)


_UNSEEN = object()
_NOTHING = Book((), (), {}, {}, (), None)


class _Until:
    """What of a catalog a book is opened from, as it was when it ended at a head."""

    def __init__(self, catalog: Catalog, head: int) -> None:
        self._catalog, self._head = catalog, head
        self.at, self.through = catalog.at, catalog.through

    def unread(self, kind: str, extractor: str) -> list[int]:
        return []

    def readings(self, kind: str) -> list[tuple[int, str]]:
        return [row for row in self._catalog.readings(kind) if row[0] <= self._head]

    def moments(self) -> list[tuple[int, int]]:
        return [row for row in self._catalog.moments() if row[0] <= self._head]
