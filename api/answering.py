"""Questions that are being answered, each under an id of its own, their events kept a while: whoever lost the connection
reads on from the last event that arrived, and an answer for which nobody waits any longer is given up.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel

from agent.reply import Answer, Step
from api import schemas
from api.problems import problem_of
from api.schemas import Problem
from ingest.errors import BadRequest, NotKnown, RegTapeError

KEPT_SECONDS = 300.0  # after its end
GRACE_SECONDS = 10.0  # for which an answer goes on with nobody listening
_KEPT_MOST = 64
_KEEPALIVE_SECONDS = 10.0  # proxies close a connection that says nothing for half a minute

log = logging.getLogger(__name__)

Asked = Callable[[Callable[[Step], None]], Awaitable[Answer]]


@dataclass(slots=True, eq=False)
class Running:
    """One answer in the making: its events so far, as (name, data), and who listens."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    events: list[tuple[str, str]] = field(default_factory=list)
    ended: bool = False
    listening: int = 0
    task: asyncio.Task[None] | None = None
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, name: str, data: BaseModel | str) -> None:
        """One more event."""
        self.events.append((name, data if isinstance(data, str) else data.model_dump_json()))
        self._ring()

    def end(self) -> None:
        """No more events."""
        self.ended = True
        self._ring()

    def _ring(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()

    async def follow(self, after: int = 0) -> AsyncIterator[bytes]:
        """The events after the first `after`, with ids, and those to come."""
        self.listening += 1
        try:
            while True:
                for number, (name, data) in enumerate(self.events[after:], start=after + 1):
                    yield format_sse_event(event=name, data_str=data, id=f"{self.id}-{number}")
                    after = number
                if self.ended and after == len(self.events):
                    return
                bell = self._bell
                if after < len(self.events):
                    continue
                try:
                    await asyncio.wait_for(bell.wait(), _KEEPALIVE_SECONDS)
                except TimeoutError:
                    yield KEEPALIVE_COMMENT
        finally:
            self.listening -= 1
            if not self.listening and not self.ended:
                asyncio.get_running_loop().call_later(GRACE_SECONDS, self._give_up)

    def _give_up(self) -> None:
        if not self.listening:
            self.cancel()

    def cancel(self) -> None:
        """Stop it where it is."""
        if self.task and not self.ended:
            self.task.cancel()


class Answering:
    """The answers of one server that run or ended lately; and, for each conversation, one at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, Running] = {}
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    def begin(self, ask: Asked) -> Running:
        """Start to answer; the events come through `Running.follow`."""
        running = Running()
        running.task = asyncio.get_running_loop().create_task(self._run(running, ask))
        self._kept[running.id] = running
        for id in [id for id, each in self._kept.items() if each.ended][:-_KEPT_MOST]:
            del self._kept[id]
        return running

    def find(self, id: str) -> Running:
        """The answer of this id. Raises NotKnown."""
        if id not in self._kept:
            raise NotKnown("that answer is no longer kept; ask again")
        return self._kept[id]

    def after(self, event_id: str) -> tuple[Running, int]:
        """What `Last-Event-ID` names: the answer, and how many of its events arrived. Raises BadRequest, NotKnown."""
        id, _, number = event_id.rpartition("-")
        if not number.isascii() or not number.isdigit():
            raise BadRequest(f"Last-Event-ID {event_id[:80]!r} is none of ours")
        running = self.find(id)
        return running, min(int(number), len(running.events))

    @asynccontextmanager
    async def turn(self, thread: str | None) -> AsyncIterator[None]:
        """Within it, the only question of this conversation; others wait here, not in a worker process."""
        if thread is None:
            yield
            return
        lock, waiting = self._turns.get(thread, (asyncio.Lock(), 0))
        self._turns[thread] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns.pop(thread)
            if waiting > 1:
                self._turns[thread] = lock, waiting - 1

    async def _run(self, running: Running, ask: Asked) -> None:
        steps = 0

        def tell(step: Step) -> None:
            nonlocal steps
            steps += 1
            if not running.ended:
                running.put("step", schemas.Step.model_validate(step))

        try:
            answer = schemas.Answer.of(await ask(tell))
            for late in answer.steps[steps:]:  # a step may arrive after the answer it belongs to
                running.put("step", late)
            for name, data in told(answer):
                running.put(name, data)
        except asyncio.CancelledError:
            running.put("error", Problem(title="Cancelled", status=499, detail="it was cancelled"))
        except RegTapeError as exc:
            running.put("error", problem_of(exc, "/v1/ask"))
        except Exception:
            log.exception("unexpected error while answering")
            detail = "something went wrong here; the server's log has the trace"
            running.put("error", Problem(title="Internal Server Error", status=500, detail=detail))
        finally:
            running.end()
            asyncio.get_running_loop().call_later(KEPT_SECONDS, self._kept.pop, running.id, None)


def told(answer: schemas.Answer) -> list[tuple[str, BaseModel | str]]:
    """An answer as events: since nothing ships before the gate, its sentences come at once, each before its citations."""
    events: list[tuple[str, BaseModel | str]] = []
    sent: set[int] = set()
    by_number = {c.number: c for c in answer.citations}
    for sentence in answer.sentences:
        events.append(("sentence", sentence))
        for number in sentence.citations:
            if number not in sent:
                sent.add(number)
                events.append(("citation", by_number[number]))
    # Quotes that only a rule's state or the brief rests on: these come with "done".
    events += [("citation", c) for c in answer.citations if c.number not in sent]
    if answer.refusal:
        events.append(("refusal", answer.refusal))
    rest = answer.model_dump_json(exclude={"sentences", "citations", "steps"})
    return [*events, ("done", rest)]
