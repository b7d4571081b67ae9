"""A question in; its checked answer out, as JSON or, step by step, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from pydantic import BaseModel

from agent.reply import Step
from api import schemas
from api.asking import Asker, Question
from api.deps import AskerDep
from api.problems import problem_of
from ingest.errors import RegTapeError

router = APIRouter(tags=["ask"])

_KEEPALIVE_SECONDS = 10.0  # proxies close a connection that says nothing for half a minute

_EVENTS = """event: step
data: {"name":"retrieve","detail":"12 passages of 5 works, of 310 known by then","milliseconds":41.2}

event: sentence
data: {"text":"…","lead_in":"","verbatim":true,"citations":[1]}

event: citation
data: {"number":1,"document_id":"…","quote":"…","sha256":"…"}

event: done
data: {"question":"…","refusal":null,"status":["…"],"not_found":[]}

"""


@router.post(
    "/v1/ask",
    response_model=schemas.Answer,
    summary="One checked answer, or a refusal with its reason",
    responses={
        200: {
            "description": "The answer. With `Accept: text/event-stream`: events step, sentence, citation, refusal, error, done.",
            "content": {"text/event-stream": {"example": _EVENTS}},
        }
    },
)
async def ask(wanted: schemas.AskRequest, request: Request, asker: AskerDep) -> Any:
    """A refusal is an answer too: status 200, with `refusal` in place of sentences."""
    question = Question(wanted.question, wanted.as_of, wanted.filters.to_catalog())
    if "text/event-stream" in request.headers.get("accept", ""):
        return StreamingResponse(_events(asker, question), media_type="text/event-stream")
    found = await asker.ask(question, lambda _: None)
    return JSONResponse(schemas.Answer.of(found).model_dump(mode="json"))


async def _events(asker: Asker, question: Question) -> AsyncIterator[bytes]:
    """Steps as they end; then, since nothing ships before the gate, the sentences with their citations."""
    told: asyncio.Queue[Step] = asyncio.Queue()
    asking = asyncio.ensure_future(asker.ask(question, told.put_nowait))
    shown = 0
    try:
        while not asking.done() or not told.empty():
            step = await _next(told, asking)
            if isinstance(step, Step):
                shown += 1
                yield _event("step", schemas.Step.model_validate(step))
            elif step is None:
                yield KEEPALIVE_COMMENT
        answer = schemas.Answer.of(asking.result())
    except RegTapeError as exc:
        yield _event("error", problem_of(exc, "/v1/ask"))
        return
    finally:
        asking.cancel()
    for late in answer.steps[shown:]:  # a step may arrive after the answer it belongs to
        yield _event("step", late)
    for event in _told(answer):
        yield event


async def _next(told: asyncio.Queue[Step], asking: asyncio.Future[Any]) -> Step | bool | None:
    """The next step; True when the answer is there; None when nothing happened for a while."""
    step = asyncio.ensure_future(told.get())
    done, _ = await asyncio.wait(
        {step, asking}, timeout=_KEEPALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
    )
    if step in done:
        return step.result()
    step.cancel()
    return True if asking in done else None


def _told(answer: schemas.Answer) -> list[bytes]:
    events: list[bytes] = []
    sent: set[int] = set()
    by_number = {c.number: c for c in answer.citations}
    for sentence in answer.sentences:
        events.append(_event("sentence", sentence))
        for number in sentence.citations:
            if number not in sent:
                sent.add(number)
                events.append(_event("citation", by_number[number]))
    # Quotes that only a rule's state or the brief rests on: these come with "done".
    events += [_event("citation", c) for c in answer.citations if c.number not in sent]
    if answer.refusal:
        events.append(_event("refusal", answer.refusal))
    rest = answer.model_dump_json(exclude={"sentences", "citations", "steps"})
    return [*events, format_sse_event(event="done", data_str=rest)]


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())
