"""A store that keeps up in; for each reader who listens, the features of its symbols after whatever changes them out.

What is told is a function of the tape alone: a record at offset N that touches a symbol (a score, a correction or retraction
of what was scored) is told as the features of that symbol as of its known_at, in the log as it ended at N. So what a reader
missed is computed again from the tape and is what it would have been told, whatever happened between. (What is filled in so
far back that no window reaches from it to when it was recorded is not told.)

One thread computes for all; what is told waits in a queue for each reader, and a reader whose queue is full is dropped.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from api.metrics import Metrics
from ingest.errors import BadRequest
from sentiment.features import DEPTH
from sentiment.history import Touched, touched
from sentiment.log import Tape
from sentiment.read import Reader, Vector

MOST_SYMBOLS = 200
MOST_READERS = 1000

log = logging.getLogger(__name__)

_PAGE = 32  # messages computed at once for a reader who catches up
_FAILED = "the server failed; its log has the trace"
_SCANNED = 5_000  # records looked at in one read of the tape


class Place(NamedTuple):
    """Where a reader is: after the `told`th symbol of its own that the record at `seq` touched."""

    seq: int
    told: int

    def __str__(self) -> str:
        return str(self.seq) if self.told >= MOST_SYMBOLS else f"{self.seq}/{self.told}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """As `str` wrote it. Raises BadRequest."""
        seq, _, told = text.strip().partition("/")
        if not (seq.isdecimal() and (told or "0").isdecimal() and len(text) < 40):
            raise BadRequest(f"after {text!r} is not the id of an event; write e.g. 1234")
        return cls.behind(int(seq)) if not told else cls(int(seq), int(told))

    @classmethod
    def behind(cls, seq: int) -> "Place":
        """After all that the record at `seq` touched."""
        return cls(seq, MOST_SYMBOLS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which symbols, in the order in which they are told, and which features: names, or else a set."""

    symbols: tuple[str, ...]
    names: tuple[str, ...] | None
    feature_set: str | None


class Told(NamedTuple):
    """One message: the features of one symbol after the record at place.seq. body: its JSON, but for seq and prev."""

    place: Place
    body: bytes

    def json(self, prev: int) -> bytes:
        """The message as it is sent; prev: seq of the message before it."""
        return b'{"seq":%d,"prev":%d,' % (self.place.seq, prev) + self.body[1:]


class Dropped(Exception):
    """The reader is no longer told anything; the message says why."""


@dataclass(slots=True, eq=False)
class _Listener:
    wanted: Wanted
    place: Place
    ring: Callable[[], object]
    waiting: deque[Told] = field(default_factory=deque)
    dropped: str = ""


class Push:
    """Tells readers. Made and closed by who opens the store; `advance` may be called from any thread.

    applied: the offset up to which it could have told everything.
    """

    def __init__(self, tape: Tape, reader: Reader, metrics: Metrics, *, most_waiting: int) -> None:
        self._tape, self._reader, self._metrics = tape, reader, metrics
        self._most_waiting = most_waiting
        self.applied = 0
        self._told = 0  # to those who listen
        self._listening: set[_Listener] = set()
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Tell nobody any more; a second call does nothing."""
        self._stopping = True
        self._woken.set()
        self._thread.join()
        with self._lock:
            while self._listening:
                self._drop(self._listening.pop(), "the server stops")

    def advance(self, applied: int) -> None:
        """The store has taken in the records up to this offset."""
        self.applied = applied
        self._woken.set()

    # ---- for one reader

    def place(self, after: str | None) -> Place:
        """Where a reader begins: behind the id it names, or what is applied now. Raises BadRequest."""
        if after is None:
            return Place.behind(self.applied)
        place = Place.parse(after)
        if place.seq > self.applied:
            raise BadRequest(
                f"after {after} lies ahead of the log, which is told up to {self.applied}"
            )
        if len(self._listening) >= MOST_READERS:
            raise BadRequest(f"symbols are told to {MOST_READERS} readers already")
        return place

    async def messages(
        self, wanted: Wanted, place: Place, silence: float
    ) -> AsyncIterator[Told | None]:
        """What comes after a place, first what was missed; None after so many seconds in which there was nothing.

        Raises Dropped when this reader falls behind or the server stops.
        """
        loop, rung = asyncio.get_running_loop(), asyncio.Event()
        listener = _Listener(wanted, place, lambda: loop.call_soon_threadsafe(rung.set))
        try:
            while not self._join(listener):
                for told in await self._caught_up(listener):
                    yield told
            while True:
                rung.clear()
                while listener.waiting:
                    yield listener.waiting.popleft()
                if listener.dropped:
                    raise Dropped(listener.dropped)
                try:
                    async with asyncio.timeout(silence):
                        await rung.wait()
                except TimeoutError:
                    yield None
        finally:
            with self._lock:
                self._listening.discard(listener)
                self._metrics.listening.set(len(self._listening))

    async def _caught_up(self, listener: _Listener) -> list[Told]:
        try:
            return await asyncio.to_thread(self._missed, listener)
        except Exception as exc:
            log.exception("what a reader missed could not be computed")
            raise Dropped(_FAILED) from exc

    def _join(self, listener: _Listener) -> bool:
        """Listen from now on, unless something was told to others that this one has missed."""
        with self._lock:
            if not self._listening:
                self._told = self.applied
            if listener.place < Place.behind(self._told):
                return False
            self._listening.add(listener)
            self._metrics.listening.set(len(self._listening))
            return True

    def _missed(self, listener: _Listener) -> list[Told]:
        """The next few messages that the tape has for a reader; it is then behind the last of them."""
        until = self.applied
        missed: list[Told] = []
        for record in self._touched(listener.place.seq - 1, until):
            missed += [
                Told(place, self._body(symbol, record, listener.wanted))
                for place, symbol in self._about(record, listener)
            ]
            if len(missed) >= _PAGE:
                until = record.offset
                break
        listener.place = Place.behind(until)
        return missed

    # ---- for all

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._stopping:
                return
            with self._lock:
                told, self._told = self._told, self.applied
                listeners = list(self._listening)
            try:
                if listeners:
                    self._tell(told, self._told, listeners)
            except (
                Exception
            ):  # each can go on from where it is, which a silent stream would not tell
                log.exception("features could not be pushed")
                with self._lock:
                    for listener in listeners:
                        self._listening.discard(listener)
                        self._drop(listener, _FAILED)

    def _tell(self, after: int, until: int, listeners: Sequence[_Listener]) -> None:
        for record in self._touched(after, until):
            bodies: dict[tuple[str, object], bytes] = {}
            for listener in listeners:
                for place, symbol in self._about(record, listener):
                    key = symbol, (listener.wanted.names, listener.wanted.feature_set)
                    if key not in bodies:
                        bodies[key] = self._body(symbol, record, listener.wanted)
                    self._hand(listener, Told(place, bodies[key]))

    def _hand(self, listener: _Listener, told: Told) -> None:
        with self._lock:
            if listener.dropped:
                return
            if len(listener.waiting) >= self._most_waiting:
                self._listening.discard(listener)
                self._drop(listener, f"{self._most_waiting} messages wait to be read")
            else:
                listener.waiting.append(told)
                self._metrics.pushed.inc()
        listener.ring()

    def _drop(self, listener: _Listener, why: str) -> None:
        self._metrics.dropped.inc()
        listener.waiting.clear()
        listener.dropped = why
        listener.ring()

    def _touched(self, after: int, until: int) -> Iterator[Touched]:
        """The records in (after, until] that change something of a company, in their order."""
        while after < until:
            last = min(until, after + _SCANNED)
            yield from touched(self._tape, after, last, DEPTH)
            after = last

    def _about(self, record: Touched, listener: _Listener) -> list[tuple[Place, str]]:
        """Those of a reader's symbols that a record touches and that are still to be told, and its place after each."""
        found = [
            symbol
            for symbol in listener.wanted.symbols
            if self._reader.entity(symbol, record.known_at) in record.entities
        ]
        places = [Place(record.offset, n) for n in range(1, len(found))]
        places += [Place.behind(record.offset)] if found else []
        return [
            (place, symbol)
            for place, symbol in zip(places, found, strict=True)
            if place > listener.place
        ]

    def _body(self, symbol: str, record: Touched, wanted: Wanted) -> bytes:
        vector = self._reader.vector(
            symbol, as_of=record.known_at, head=record.offset,
            names=wanted.names, feature_set=wanted.feature_set,
        )  # fmt: skip
        return message_of(vector)


def message_of(vector: Vector) -> bytes:
    """The JSON of a message, but for seq and prev."""
    told = {
        "symbol": vector.symbol,
        "as_of": vector.as_of,
        "values": vector.values,
        "status": vector.status,
        "receipt": vector.receipt.fields(),
    }
    return orjson.dumps(told, option=orjson.OPT_UTC_Z)
