"""A home in, its news scored as it arrives: one process of low priority that `serve` keeps running beside it.

It reads what waits from the log and writes scores to the log, so nothing passes between it and the server but what it is,
why it stopped, and a nudge each way: that there is news, that there are scores. Killed or broken, it is started again and
goes on where the log says.
"""

import asyncio
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple, NoReturn

from api.beside import CONTEXT, a_bell, begin, heard_within, ring
from api.services import open_scoring, open_tape
from api.settings import Settings
from ingest.errors import RegTapeError
from ingest.moment import now

POLL_SECONDS = 0.01  # how much later than it could a score comes, at most, where another process logged the item
# Items scored together: a small batch costs throughput of a backlog, a large one makes what comes in live wait for it.
_TOGETHER = 32
_LATE = timedelta(seconds=0.1)  # an item that has waited so long is not scored idly
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # before another process is started
_LIVED = 60.0  # seconds after which a process counts as having worked

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """The process scores, with this version of its model."""

    version: str


class Recorded(NamedTuple):
    """The process has recorded scores."""


class Fault(NamedTuple):
    """The process cannot score, and why."""

    message: str


class BackgroundScorer:
    """Keeps one scoring process alive; make it on the event loop. Not running, or with the setting "none", it keeps none.

    version: of the model that scores, None until it is open; fault: why nothing is scored just now, "" while it is.
    recorded: called on the event loop when it has recorded scores.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        running: bool = True,
        recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self._recorded = recorded
        self.name = settings.news_scorer
        self.version: str | None = None
        self.fault = "still opening"
        self._settings = settings
        self._process: multiprocessing.process.BaseProcess | None = None
        self._bell: Connection | None = None
        self._stopping = asyncio.Event()
        self._keeping: asyncio.Future[None] | None = None
        if running and self.name != "none":
            self._keeping = asyncio.ensure_future(self._keep())
        else:
            self.fault = "nothing scores here; `regtape news score` does"

    async def close(self) -> None:
        """End the process at once; what it had not recorded waits in the log."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
        if self._keeping is not None:
            await self._keeping

    def wake(self) -> None:
        """Say that news was logged; call it on the event loop. Never waits."""
        if self._bell is not None:
            ring(self._bell)

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            await self._run()
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - began > _LIVED else pause
            log.warning("the news scorer stopped (%s); another starts in %.0f s", self.fault, pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _run(self) -> None:
        """One process, from its start to its end."""
        ours, theirs = CONTEXT.Pipe(duplex=False)
        heard, bell = a_bell()
        self._process = CONTEXT.Process(
            target=_score_here,
            args=(self._settings, theirs, heard),
            name="news-scorer",
            daemon=True,
        )
        try:
            self._process.start()
        except OSError as exc:
            self.fault = f"no process can be started: {exc}"
            return
        finally:
            theirs.close()  # else its end would not be seen
            heard.close()
        self._bell = bell
        why = ""
        with ours, bell, suppress(EOFError):
            while True:
                told = await asyncio.to_thread(ours.recv)
                if isinstance(told, Recorded):
                    self._recorded()
                elif isinstance(told, Opened):
                    self.version, self.fault = told.version, ""
                else:
                    why = told.message
        self._bell = None
        self._process.join()
        self.fault = why or f"ended with {self._process.exitcode}"


@contextmanager
def scoring_beside(settings: Settings) -> Iterator[None]:
    """While the block runs, a process scores what arrives; it ends with the block, and what it had not recorded waits."""
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_score_here, args=(settings, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield
    finally:
        process.kill()
        process.join()
        ours.close()


# ---- inside the process


def _score_here(settings: Settings, told: Connection, heard: Connection | None = None) -> None:
    begin(10)
    try:
        _score_forever(settings, told, heard)
    except RegTapeError as exc:
        told.send(Fault(str(exc)))


def _score_forever(settings: Settings, told: Connection, heard: Connection | None) -> NoReturn:
    from sentiment.stream import SCORE_ITEMS, StoriesOfTape, score_backlog

    # Beside a server one thread, unless settings say more: on two busy cores a second one waits for the first with its core
    # held, and a headline took 33 ms instead of 7 (median).
    threads, together = (1, _TOGETHER) if heard else (None, SCORE_ITEMS)
    chosen = settings.model_copy(update={"threads": settings.threads or threads})

    def recorded(_: object) -> None:
        if heard:  # else nobody reads, and a full pipe would stop the scoring
            told.send(Recorded())

    with open_tape(settings) as tape, ThreadPoolExecutor(1, initializer=_idle) as idly:
        scoring = open_scoring(chosen)
        stories = StoriesOfTape(tape, scoring.resolver)
        told.send(Opened(scoring.scorer.version))
        failed: dict[int, str] = {}
        while True:
            head = tape.head()
            score = partial(
                score_backlog, tape, scoring.resolver, stories, scoring.scorer,
                batch=together, leave=failed, progress=recorded,
            )  # fmt: skip
            if heard is None or _late(tape.lag(scoring.scorer.version).oldest):
                done = score()
            else:
                done = idly.submit(score, stopping=lambda scored: _late(scored.oldest)).result()
            for offset, why in done.failed.items():
                log.warning("the item at offset %d cannot be scored: %s", offset, why)
            failed |= done.failed
            while not done.items and tape.head() == head:
                _wait(heard)


def _idle() -> None:
    """Let this thread run only where nothing else would, if the system can: on two cores a headline that is being scored
    held up one feature read in fifty for 4 ms, a tick of the scheduler."""
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _late(oldest: datetime | None) -> bool:
    return oldest is not None and now() - oldest > _LATE


def _wait(heard: Connection | None) -> None:
    """Until the bell rings, or it is time to look for what others have logged."""
    if heard is None:
        time.sleep(POLL_SECONDS)
    else:
        heard_within(heard, POLL_SECONDS)
