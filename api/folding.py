"""A tape that grows in; a store that follows it out, in a thread beside the server.

Reading what changed takes ten times as long as applying it, and whoever computes in the server's process keeps feature reads
waiting. So, once the store has caught up, another process reads the tape: asked what comes after a head it answers with a
batch. It holds nothing, so it can end at any time; while there is none, the thread reads for itself.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Protocol

from api.beside import CONTEXT, a_bell, begin, heard_within, ring
from api.services import open_tape, source_weights
from api.settings import Settings
from sentiment.history import Batch
from sentiment.log import Receipt, Tape
from sentiment.read import AHEAD_SECONDS
from sentiment.sources import Weights
from sentiment.store import Store, next_batch

POLL_SECONDS = 0.01  # how much later than it could a score is folded, at most, where another process recorded it
_WAIT_SECONDS = 0.25  # until it is looked whether to stop
_PAUSE_SECONDS = 1.0  # after a fault

log = logging.getLogger(__name__)


class Following(Protocol):
    """Tells what a store lacks."""

    def after(self, over: Receipt, seconds: float) -> Batch | None:
        """What comes after a head; waits for it no longer than that. None: nothing does."""
        ...

    def wake(self) -> None:
        """The tape has grown. Never waits."""
        ...

    def close(self) -> None:
        """A call of `after` ends soon."""
        ...


class Folding:
    """Keeps a store in step with a tape. fault: why it does not, "" while it does.

    folded: called in its thread whenever the store has changed, and AHEAD_SECONDS before a minute begins.
    """

    def __init__(self, store: Store, following: Following, folded: Callable[[], object]) -> None:
        self.fault = "it is rebuilt from the log"
        self._caught_up, self._stopping = threading.Event(), threading.Event()
        self._store, self._following, self._folded = store, following, folded
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)
        self._thread.start()

    @property
    def ready(self) -> bool:
        """Whether it has caught up once."""
        return self._caught_up.is_set()

    def wait(self, seconds: float) -> None:
        """Until it is ready, or that long."""
        self._caught_up.wait(seconds)

    def wake(self) -> None:
        """The tape has grown."""
        self._following.wake()

    def close(self) -> None:
        """Stop after the batch that is being applied."""
        self._stopping.set()
        self._following.close()
        self._thread.join()

    def _run(self) -> None:
        minute = 0
        while not self._stopping.is_set():
            try:
                batch = self._following.after(self._store.applied(), self._patience())
                if batch is not None:
                    self._store.apply(batch)
                coming = int(time.time() + AHEAD_SECONDS) // 60
                if batch is not None or coming != minute:
                    minute = coming
                    self._folded()
            except Exception as exc:  # tried again, whatever it was; a reader is told
                if self._stopping.is_set():
                    return
                self.fault = str(exc) or type(exc).__name__
                log.exception("the feature store could not follow the log")
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                if batch is None:
                    self.fault = ""
                    self._caught_up.set()

    def _patience(self) -> float:
        """Seconds to wait for a batch: not beyond where the next minute is to be summed up."""
        until_minute = 60 - (time.time() + AHEAD_SECONDS) % 60
        return min(_WAIT_SECONDS, until_minute) if self.ready else 0.0


class Here:
    """Reads the tape itself."""

    def __init__(self, tape: Tape, weights: Weights | None = None) -> None:
        self._tape, self._weights = tape, weights
        self._woken = threading.Event()

    def after(self, over: Receipt, seconds: float) -> Batch | None:
        """As of Following."""
        until = time.monotonic() + seconds
        while True:
            batch = next_batch(self._tape, over, weights=self._weights)
            if batch is not None or time.monotonic() >= until:
                return batch
            self._woken.wait(POLL_SECONDS)
            self._woken.clear()

    def wake(self) -> None:
        """As of Following."""
        self._woken.set()

    def close(self) -> None:
        """As of Following."""


class Beside:
    """Has a process read the tape; `here` does while there is none."""

    def __init__(self, settings: Settings, here: Here) -> None:
        self._here, self._settings = here, settings
        self._asked, theirs = CONTEXT.Pipe()
        heard, self._bell = a_bell()
        self._process = CONTEXT.Process(
            target=_read_beside, args=(settings, theirs, heard), name="folding", daemon=True
        )
        self._process.start()
        theirs.close()  # else its end would not be seen
        heard.close()
        self._open = self._closed = False

    def after(self, over: Receipt, seconds: float) -> Batch | None:
        """As of Following."""
        if not seconds or not self._is_open():
            return self._here.after(over, seconds)
        try:
            self._asked.send((over, seconds))
            found: Batch | None = self._asked.recv()
        except (EOFError, OSError):
            if not self._closed:
                log.warning("the process that reads the log has ended; the server reads it itself")
            self._open, self._closed = False, True
            return None
        return found

    def _is_open(self) -> bool:
        if not self._open and not self._closed and self._asked.poll():
            with suppress(EOFError):
                self._open = self._asked.recv() == "open"
            self._closed = not self._open
        return self._open

    def wake(self) -> None:
        """As of Following."""
        ring(self._bell)
        self._here.wake()

    def close(self) -> None:
        """As of Following."""
        self._closed = True
        self._process.kill()
        self._process.join()


# ---- inside the process


def _read_beside(settings: Settings, asked: Connection, heard: Connection) -> None:
    begin(19)  # a feature read goes first; beside two busy programs a batch takes some 70 ms
    weights = source_weights(settings)
    with open_tape(settings) as tape:
        asked.send("open")
        while True:
            over, seconds = asked.recv()
            until = time.monotonic() + seconds
            while (batch := next_batch(tape, over, weights=weights)) is None:
                if time.monotonic() >= until:
                    break
                heard_within(heard, POLL_SECONDS)
            asked.send(batch)
