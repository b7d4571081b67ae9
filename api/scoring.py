"""A home in, its news scored as it arrives: one process of low priority that `serve` keeps running beside it.

It reads what waits from the log and writes scores to the log, so nothing passes between it and the server but what it is
and why it stopped. Killed or broken, it is started again and goes on where the log says.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import NamedTuple, NoReturn

from api.asking import die_with_parent
from api.services import open_scoring, open_tape
from api.settings import Settings
from ingest.errors import RegTapeError

POLL_SECONDS = 0.1  # a score comes this much later than it could, at most
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # before another process is started
_LIVED = 60.0  # seconds after which a process counts as having worked

log = logging.getLogger(__name__)


class Opened(NamedTuple):
    """The process scores, with this version of its model."""

    version: str


class Fault(NamedTuple):
    """The process cannot score, and why."""

    message: str


class BackgroundScorer:
    """Keeps one scoring process alive; make it on the event loop. Not running, or with the setting "none", it keeps none.

    version: of the model that scores, None until it is open; fault: why nothing is scored just now, "" while it is.
    """

    def __init__(self, settings: Settings, *, running: bool = True) -> None:
        self.name = settings.news_scorer
        self.version: str | None = None
        self.fault = "still opening"
        self._settings = settings
        self._process: multiprocessing.process.BaseProcess | None = None
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
        context = multiprocessing.get_context("spawn")  # forking a process with threads can hang
        ours, theirs = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_score_here, args=(self._settings, theirs), name="news-scorer", daemon=True
        )
        try:
            self._process.start()
        except OSError as exc:
            self.fault = f"no process can be started: {exc}"
            return
        finally:
            theirs.close()  # else its end would not be seen
        why = ""
        with ours, suppress(EOFError):
            while True:
                told = await asyncio.to_thread(ours.recv)
                if isinstance(told, Opened):
                    self.version, self.fault = told.version, ""
                else:
                    why = told.message
        self._process.join()
        self.fault = why or f"ended with {self._process.exitcode}"


@contextmanager
def scoring_beside(settings: Settings) -> Iterator[None]:
    """While the block runs, a process scores what arrives; it ends with the block, and what it had not recorded waits."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_score_here, args=(settings, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield
    finally:
        process.kill()
        process.join()
        ours.close()


# ---- inside the process


def _score_here(settings: Settings, told: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; it ends this one
    threading.Thread(target=die_with_parent, daemon=True).start()
    os.nice(10)
    try:
        _score_forever(settings, told)
    except RegTapeError as exc:
        told.send(Fault(str(exc)))


def _score_forever(settings: Settings, told: Connection) -> NoReturn:
    from sentiment.stream import StoriesOfTape, score_backlog

    with open_tape(settings) as tape:
        scoring = open_scoring(settings)
        stories = StoriesOfTape(tape, scoring.resolver)
        told.send(Opened(scoring.scorer.version))
        failed: dict[int, str] = {}
        while True:
            done = score_backlog(tape, scoring.resolver, stories, scoring.scorer, leave=failed)
            for offset, why in done.failed.items():
                log.warning("the item at offset %d cannot be scored: %s", offset, why)
            failed |= done.failed
            if not done.items:
                time.sleep(POLL_SECONDS)
