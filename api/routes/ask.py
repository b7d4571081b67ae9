"""A question in; its checked answer out, as JSON or, step by step, as server-sent events."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect

from agent.reply import Answer, Step
from agent.threads import NEW, Threads
from api import schemas
from api.asking import Limits, Question
from api.deps import Opened, OpenedDep, OwnerDep

router = APIRouter(tags=["ask"])

T = TypeVar("T")

_EVENTS = """id: 5b1f7c2d9e0a4c31-1
event: step
data: {"name":"retrieve","detail":"12 passages of 5 works, of 310 known by then","milliseconds":41.2}

id: 5b1f7c2d9e0a4c31-2
event: sentence
data: {"text":"…","lead_in":"","verbatim":true,"citations":[1]}

id: 5b1f7c2d9e0a4c31-3
event: citation
data: {"number":1,"document_id":"…","quote":"…","sha256":"…"}

id: 5b1f7c2d9e0a4c31-4
event: done
data: {"question":"…","thread":"9f3c…","turn":2,"asked_as":"…","refusal":null,"status":["…"],"not_found":[]}

"""


@router.post(
    "/v1/ask",
    response_model=schemas.Answer,
    summary="One checked answer, or a refusal with its reason",
    responses={
        200: {
            "description": "The answer. With `Accept: text/event-stream`: events step, sentence, citation, refusal, error, done, "
            "each with an id. A stream that broke is read on by the same request with `Last-Event-ID`, for some minutes; one "
            "that nobody reads on within ten seconds is cancelled.",
            "content": {"text/event-stream": {"example": _EVENTS}},
        }
    },
)
async def ask(
    wanted: schemas.AskRequest,
    request: Request,
    opened: OpenedDep,
    owner: OwnerDep,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=80)] = None,
) -> Any:
    """A refusal is an answer too: status 200, with `refusal` in place of sentences."""
    streaming = "text/event-stream" in request.headers.get("accept", "")
    if streaming and last_event_id:
        running, after = opened.answering.after(last_event_id)
        return StreamingResponse(running.follow(after), media_type="text/event-stream")
    if wanted.thread not in (None, NEW):
        await run_in_threadpool(_known, opened, wanted.thread, owner)

    async def asked(on_step: Callable[[Step], None]) -> Answer:
        question = Question(
            wanted.question,
            wanted.as_of,
            wanted.filters.to_catalog(),
            thread=wanted.thread,
            owner=owner,
            limits=Limits(**wanted.budget.model_dump()),
        )
        async with opened.answering.turn(None if wanted.thread == NEW else wanted.thread):
            return await opened.asker.ask(question, on_step)

    if streaming:
        running = opened.answering.begin(asked)
        return StreamingResponse(running.follow(), media_type="text/event-stream")
    found = await _while_heard(request, asked(lambda _: None))
    return JSONResponse(schemas.Answer.of(found).model_dump(mode="json"))


@router.delete("/v1/ask/{answer_id}", status_code=204, summary="Cancel an answer that is streamed")
async def cancel(answer_id: str, opened: OpenedDep) -> Response:
    """`answer_id`: what stands before the last hyphen in the ids of its events. One that has ended is left as it is."""
    opened.answering.find(answer_id).cancel()
    return Response(status_code=204)


def _known(opened: Opened, thread: str, owner: str | None) -> None:
    with Threads(opened.settings.home, owner=owner) as threads:
        threads.thread(thread)


async def _while_heard(request: Request, asked: Coroutine[Any, Any, T]) -> T:
    """What is awaited, unless the client goes first: then it is cancelled."""
    asking = asyncio.ensure_future(asked)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({asking, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asking.done():
            raise ClientDisconnect
        return asking.result()
    finally:
        asking.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
