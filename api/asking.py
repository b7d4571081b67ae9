"""Questions in, answers out, away from the event loop: in worker processes of lower priority, or in threads.

Processes are the default: an answer computes for a quarter of a second in Python and BLAS, and in a thread of the
server it would hold up every read meanwhile. Each process opens its own services once, and sees what other
processes ingest because the index refreshes itself before each read.
"""

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from agent.budget import Budget
from agent.conversation import converse
from agent.reply import Answer, Passage, Step
from agent.threads import Threads
from api import schemas
from api.beside import CONTEXT, begin
from api.services import Services, open_services
from api.settings import Settings
from ingest.catalog import Filters
from ingest.errors import OverBudget, RegTapeError, SourceDown

T = TypeVar("T")
_STOPS = 256  # questions under way at once, by far; a slot is the ticket of one that was cancelled
OnStep = Callable[[Step], None]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take; None: what settings say, which is the most that can be asked for."""

    seconds: float | None = None
    tokens: int | None = None
    steps: int | None = None

    def budget(self, settings: Settings, stopped: Callable[[], bool]) -> Budget:
        """From now on."""
        return Budget(
            min(self.seconds or settings.answer_seconds, settings.answer_seconds),
            min(self.tokens or settings.answer_tokens, settings.answer_tokens),
            min(self.steps or settings.answer_steps, settings.answer_steps),
            stopped,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask, as of when (None: now), and in what."""

    words: str
    as_of: datetime | None = None
    filters: Filters | None = None
    k: int = 10
    thread: str | None = None  # NEW, the id of one, or None: a question by itself
    owner: str | None = None  # of the thread; None: whoever
    limits: Limits = field(default_factory=Limits)


class Asker(Protocol):
    """Answers questions without holding up the event loop. `on_step` is called on the loop's own thread."""

    async def ask(self, question: Question, on_step: OnStep) -> Answer: ...

    async def search(self, question: Question) -> tuple[Passage, ...]: ...

    async def ping(self) -> dict[str, str]:
        """Name of each part → "" when it answers, else what is wrong."""

    async def close(self) -> None: ...


class ThreadAsker:
    """Answers in two threads of this process, with services that are open already: for tests and small machines."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ask")

    async def ask(self, question: Question, on_step: OnStep) -> Answer:
        loop = asyncio.get_running_loop()

        def tell(step: Step) -> None:
            loop.call_soon_threadsafe(on_step, step)

        stop = threading.Event()
        try:
            return await self._run(lambda: answer(self._services, question, tell, stop.is_set))
        finally:
            stop.set()  # a thread cannot be ended, but it looks at this

    async def search(self, question: Question) -> tuple[Passage, ...]:
        return await self._run(lambda: find(self._services, question))

    async def ping(self) -> dict[str, str]:
        return await self._run(lambda: ping(self._services))

    async def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    async def _run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)


def answer(
    services: Services,
    question: Question,
    on_step: OnStep,
    stopped: Callable[[], bool] = lambda: False,
) -> Answer:
    """One checked answer, as a turn of its thread where it is of one. Raises OverBudget once it is `stopped`."""
    budget = question.limits.budget(services.settings, stopped)

    def ask(words: str) -> Answer:
        return services.agent.ask(
            words, as_of=question.as_of, filters=question.filters, on_step=on_step, budget=budget
        )

    if question.thread is None:
        return ask(question.words)
    with Threads(services.settings.home, owner=question.owner) as threads:
        return converse(threads, question.thread, question.words, question.as_of, ask, public_json)


def public_json(answer: Answer) -> dict[str, Any]:
    """The answer as HTTP and `--json` tell it."""
    return schemas.Answer.of(answer).model_dump(mode="json")


def find(services: Services, question: Question) -> tuple[Passage, ...]:
    """The best passages."""
    return tuple(
        services.agent.search(
            question.words, k=question.k, as_of=question.as_of, filters=question.filters
        )
    )


def ping(services: Services) -> dict[str, str]:
    """Ask each part for the least it can do."""
    return {
        "catalog": _fault(services.catalog.head),
        "index": _fault(services.index.refresh),
        "embedder": _fault(lambda: services.embedder.embed(["ready"])),
    }


def _fault(probe: Callable[[], object]) -> str:
    try:
        probe()
    except Exception as exc:  # noqa: BLE001 - whatever is wrong with a part is its state, not ours
        return str(exc) or type(exc).__name__
    return ""


class ProcessAsker:
    """Answers in worker processes. A worker that dies or overruns its time is replaced; the rest never notice."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(settings.ask_workers)
        self._waiting = 0
        self._tickets = itertools.count(1)
        self._watching: dict[int, OnStep] = {}
        self._loop = asyncio.get_running_loop()
        self._crew = self._new_crew()
        self._state = dict.fromkeys(("catalog", "index", "embedder"), "still opening")
        self._warming = [
            asyncio.ensure_future(self._warm_up()) for _ in range(settings.ask_workers)
        ]

    def _new_crew(self) -> "_Crew":
        return _Crew(self._settings, self._deliver)

    async def _warm_up(self) -> None:
        with contextlib.suppress(RegTapeError):  # readyz tells what is wrong
            self._state = await self._run(_ping_here)

    async def ask(self, question: Question, on_step: OnStep) -> Answer:
        ticket = next(self._tickets)
        self._watching[ticket] = on_step
        try:
            return await self._run(_answer_here, question, ticket)
        except asyncio.CancelledError:
            self._crew.stop(ticket)
            raise
        finally:
            del self._watching[ticket]

    async def search(self, question: Question) -> tuple[Passage, ...]:
        return await self._run(_find_here, question)

    async def ping(self) -> dict[str, str]:
        """The state of the workers; while all of them are busy, what it was when they last had time."""
        if self._free.locked():
            return self._state
        self._state = await self._run(_ping_here)
        return self._state

    async def close(self) -> None:
        for task in self._warming:
            task.cancel()
        await asyncio.gather(*self._warming, return_exceptions=True)
        self._crew.dismiss()

    def _deliver(self, ticket: int, step: Step) -> None:
        """Called by the crew's reading thread."""
        with contextlib.suppress(RuntimeError):  # the loop has closed
            self._loop.call_soon_threadsafe(self._tell, ticket, step)

    def _tell(self, ticket: int, step: Step) -> None:
        if ticket in self._watching:  # else the request has ended
            self._watching[ticket](step)

    async def _run(self, job: Callable[..., T], *args: Any) -> T:
        if self._waiting >= self._settings.ask_queue:
            raise OverBudget("queue", "too many requests are waiting for an answer; try again soon")
        self._waiting += 1
        try:
            async with self._free:
                return await self._run_once_more(job, *args)
        finally:
            self._waiting -= 1

    async def _run_once_more(self, job: Callable[..., T], *args: Any) -> T:
        """Run a job; a second time when it was lost with a worker that another request had killed."""
        for _ in range(2):
            crew = self._crew
            try:
                return await crew.run(job, *args, seconds=self._settings.ask_seconds)
            except BrokenProcessPool:
                log.warning("a worker process died; starting another")
                self._replace(crew)
            except TimeoutError:
                self._replace(crew)
                raise OverBudget(
                    "time",
                    f"the answer took longer than {self._settings.ask_seconds:g} seconds",
                    "raise REGTAPE_ASK_SECONDS",
                ) from None
        raise SourceDown("the worker processes keep dying; see the server's log")

    def _replace(self, crew: "_Crew") -> None:
        if self._crew is crew:
            self._crew = self._new_crew()
            crew.dismiss()


class _Crew:
    """Worker processes, the queue their steps come through, and the thread that reads it."""

    def __init__(self, settings: Settings, deliver: Callable[[int, Step], None]) -> None:
        self._steps: Any = CONTEXT.SimpleQueue()
        self._stopped: Any = CONTEXT.RawArray("q", _STOPS)
        self._deliver = deliver
        self._pool: Executor = ProcessPoolExecutor(
            settings.ask_workers,
            mp_context=CONTEXT,
            initializer=_open_here,
            initargs=(settings, self._steps, self._stopped),
        )
        self._reader = threading.Thread(target=self._read, name="steps", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while (told := self._steps.get()) is not None:
            self._deliver(*told)

    async def run(self, job: Callable[..., T], *args: Any, seconds: float) -> T:
        future = self._pool.submit(job, *args)
        return await asyncio.wait_for(asyncio.wrap_future(future), seconds)

    def stop(self, ticket: int) -> None:
        """Tell whichever worker answers it that nobody waits for it any longer."""
        self._stopped[ticket % _STOPS] = ticket

    def dismiss(self) -> None:
        """End the workers at once; what they compute is lost, and nothing else: they only read."""
        # The pool has no public way to end a busy worker before Python 3.14 (kill_workers).
        for process in list((getattr(self._pool, "_processes", None) or {}).values()):
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._steps.put(None)
        self._reader.join(timeout=5)


# ---- inside a worker process: its services, or why there are none

_services: Services | RegTapeError | None = None
_steps: Any = None
_stopped: Any = None
_stack = ExitStack()


def _open_here(settings: Settings, steps: Any, stopped: Any) -> None:
    global _services, _steps, _stopped
    begin(10)
    _steps, _stopped = steps, stopped
    try:
        _services = _stack.enter_context(open_services(settings))
    except RegTapeError as exc:
        _services = exc  # raised in the initializer it would reach no one
        return
    _services.agent.ask("Is everything loaded?")  # the first ask imports and caches; not a user's


def _here() -> Services:
    if isinstance(_services, Services):
        return _services
    raise _services or RegTapeError("the worker process was not opened")


def _answer_here(question: Question, ticket: int) -> Answer:
    def is_stopped() -> bool:
        return bool(_stopped[ticket % _STOPS] == ticket)

    return answer(_here(), question, lambda step: _steps.put((ticket, step)), is_stopped)


def _find_here(question: Question) -> tuple[Passage, ...]:
    return find(_here(), question)


def _ping_here() -> dict[str, str]:
    return ping(_here())
