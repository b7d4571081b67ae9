"""A home in, its jobs run as they are added: one process of the lowest priority, started when there are any.

It reads what is to be done from jobs.db and writes there what became of it, so nothing passes between it and the server but
which job it is at, why it stopped, and a nudge that there is more. Killed or broken, it is started again, and goes on where
the jobs say. With nothing to do it ends after a while, and its models' memory with it.
"""

import asyncio
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

from api.beside import CONTEXT, a_bell, begin, heard_within, ring
from api.services import open_services, open_web, open_workers
from api.settings import Settings
from ingest.errors import RegTapeError
from ingest.jobs import Job, Jobs, run
from ingest.pipeline import complete, ingest

LOOK_SECONDS = 1.0  # how long a job that another process added or cancelled goes unnoticed, at most
LINGER_SECONDS = 60.0  # that the process waits for the next job with its models loaded
_TELLING_SECONDS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0  # before another process is started

log = logging.getLogger(__name__)


class At(NamedTuple):
    """The process runs this job now; None: none."""

    id: str | None


class Fault(NamedTuple):
    """The process cannot run jobs, and why."""

    message: str


class BackgroundJobs:
    """Keeps a process that runs jobs while there are any; make it on the event loop. Not running, it keeps none.

    fault: why no job is run just now, "" while nothing hinders.
    """

    def __init__(self, settings: Settings, jobs: Jobs, *, running: bool = True) -> None:
        self.fault = "" if running else "nothing runs jobs here; `regtape job run` does"
        self._settings, self._jobs = settings, jobs
        self._woken, self._stopping = asyncio.Event(), False
        self._process: multiprocessing.process.BaseProcess | None = None
        self._told: Connection | None = None
        self._bell: Connection | None = None
        self._at: str | None = None
        self._why = ""
        self._pause, self._not_before = _FIRST_PAUSE, 0.0
        self._keeping = asyncio.ensure_future(self._keep()) if running else None

    async def close(self) -> None:
        """End the process at once; what it was at is gone on with by the next."""
        self._stopping = True
        self._woken.set()
        if self._keeping is not None:
            await self._keeping
        self._end()

    def wake(self) -> None:
        """Say that a job was added or cancelled; call it on the event loop. Never waits."""
        self._woken.set()

    async def _keep(self) -> None:
        while not self._stopping:
            try:
                await asyncio.to_thread(self._look)
            except Exception as exc:  # a full disk, for one; tried again
                self.fault = str(exc) or type(exc).__name__
                log.exception("the jobs could not be looked at")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
            self._woken.clear()

    def _look(self) -> None:
        """Bury what has ended, end what is cancelled, begin what is due."""
        self._hear()
        if self._process is not None and not self._process.is_alive():
            self._bury()
        if self._is_cancelled():
            # A file may take two minutes to parse. Killing is safe, and the next process indexes what this one recorded.
            self._end()
            self._start()
            return
        waiting = self._jobs.waiting()
        if not waiting.queued and not waiting.running:
            return
        if self._bell is not None:
            ring(self._bell)
        elif time.monotonic() >= self._not_before and not self._stopping and self._free():
            self._start()

    def _bury(self) -> None:
        self._hear()
        assert self._process is not None
        code = self._process.exitcode
        self._end()
        if code or self._why:
            self.fault = self._why or f"the process that runs jobs ended with {code}"
            log.warning("%s; another starts in %.0f s", self.fault, self._pause)
            self._not_before = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _is_cancelled(self) -> bool:
        """Whether the process is at a job that nobody wants any more."""
        if self._at is None or self._jobs.stands(self._at):
            return False
        time.sleep(
            _TELLING_SECONDS
        )  # the job may have ended by itself, and the process be about to tell
        self._hear()
        return self._at is not None and not self._jobs.stands(self._at)

    def _free(self) -> bool:
        """Whether nobody else runs the jobs of this home."""
        with self._jobs.turn() as free:
            return free

    def _start(self) -> None:
        self._told, theirs = CONTEXT.Pipe(duplex=False)
        heard, self._bell = a_bell()
        self._why = ""
        self._process = CONTEXT.Process(
            target=_run_here, args=(self._settings, theirs, heard), name="jobs", daemon=True
        )
        try:
            self._process.start()
        finally:
            theirs.close()  # else its end would not be seen
            heard.close()

    def _hear(self) -> None:
        with suppress(EOFError, OSError):
            while self._told is not None and self._told.poll():
                told = self._told.recv()
                if isinstance(told, At):
                    self._at, self.fault, self._pause = told.id, "", _FIRST_PAUSE
                else:
                    self._why = told.message

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
        for end in (self._told, self._bell):
            if end is not None:
                end.close()
        self._process = self._told = self._bell = self._at = None


@contextmanager
def open_runner(settings: Settings, jobs: Jobs) -> Iterator[Callable[..., None]]:
    """What runs a job, and tells how far it is if asked to; what an earlier process recorded and did not index, is indexed first.

    Raises ModelMissing when the embedder is not installed, Damaged when home was written by another schema.
    """
    chosen = settings.model_copy(update={"llm": "none"})  # nothing is answered here
    fetch = open_web(settings).download
    with open_services(chosen, writing=True) as services, open_workers(chosen) as workers:
        complete(services.catalog, services.index, services.embedder, chosen.chunk)
        jobs.sweep(services.catalog)
        bring_in = partial(
            ingest, catalog=services.catalog, index=services.index, embedder=services.embedder,
            workers=workers, settings=chosen.chunk,
        )  # fmt: skip

        def one(job: Job, settled: Callable[[Job], object] = lambda _: None) -> None:
            run(job, jobs, services.catalog, bring_in, fetch, settled)
            jobs.sweep(services.catalog)

        yield one


# ---- inside the process


def _run_here(settings: Settings, told: Connection, heard: Connection) -> None:
    begin(19)
    # Beside a server one of each, unless settings say more: both cores busy with a job held up a feature read in fifty.
    few = settings.model_copy(
        update={"threads": settings.threads or 1, "parse_workers": settings.job_workers}
    )
    try:
        with Jobs(settings.home) as jobs, jobs.turn() as ours:
            if ours:
                _run_all(few, jobs, told, heard)
    except RegTapeError as exc:
        told.send(Fault(str(exc)))
    except Exception as exc:
        told.send(Fault(f"{type(exc).__name__}: {exc}"))
        raise


def _run_all(settings: Settings, jobs: Jobs, told: Connection, heard: Connection) -> None:
    with open_runner(settings, jobs) as run_one:
        while True:
            job = jobs.claim()
            if job is not None:
                told.send(At(job.id))
                run_one(job)
                told.send(At(None))
            elif not heard_within(heard, LINGER_SECONDS):
                return
