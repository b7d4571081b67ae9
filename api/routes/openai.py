"""Chat messages in, a checked answer as an OpenAI client reads it out, whole or as a stream; and the models it can name."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from agent.reply import Step
from api import schemas
from api.asking import Question
from api.completions import MODEL, ChatRequest, more, write
from api.deps import OpenedDep
from api.problems import openai_error, problem_of
from api.routes.ask import _while_heard
from ingest.errors import NotKnown, RegTapeError
from ingest.moment import now

router = APIRouter(
    prefix="/v1",
    tags=["openai"],
    responses={
        422: {"model": schemas.OpenAIProblem, "description": "The request cannot be meant."},
        "default": {"model": schemas.OpenAIProblem, "description": "Any other error, as OpenAI's and as RFC 9457 problem."},
    },
)  # fmt: skip

_KEEPALIVE_SECONDS = 10.0  # proxies close a connection that says nothing for half a minute
_PATH = "/v1/chat/completions"
_STARTED = int(now().timestamp())

_EXAMPLE: dict[str, Any] = {
    "id": "chatcmpl-5b1f7c2d9e0a4c31",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "“Each venue must keep one lamp lit.” [1]",
                "refusal": None,
                "annotations": [
                    {
                        "type": "url_citation",
                        "url_citation": {
                            "start_index": 0, "end_index": 37, "title": "Lamps",
                            "url": "http://127.0.0.1:8350/documents/lamps?at=14&to=49",
                        },
                        "citation": {"number": 1, "document_id": "lamps", "start": 14, "end": 49},
                    }
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 4, "completion_tokens": 13, "total_tokens": 17},
}  # fmt: skip


@router.post(
    "/chat/completions",
    summary="One checked answer, as OpenAI's chat completions",
    responses={200: {"content": {"application/json": {"example": _EXAMPLE}, "text/event-stream": {}}}},
)  # fmt: skip
async def complete(wanted: ChatRequest, request: Request, opened: OpenedDep) -> Response:
    """The last message of the user is answered, in the light of the turns before it. What is refused says so as content, and
    in `refusal`. A stream tells sentence by sentence, each checked; its last chunk has the annotations.
    """
    _known(wanted.model)
    question = Question(wanted.asked(), wanted.as_of, wanted.filters.to_catalog())
    root = str(request.base_url).rstrip("/")
    if not wanted.stream:
        found = await _while_heard(request, opened.asker.ask(question, lambda _: None))
        return JSONResponse(_completion(wanted, schemas.Answer.of(found), root))
    told: asyncio.Queue[Step] = asyncio.Queue()
    asking = asyncio.ensure_future(opened.asker.ask(question, told.put_nowait))
    begun = asyncio.ensure_future(told.get())
    # Until something is found out the request can still fail with a status of its own.
    try:
        await asyncio.wait({asking, begun}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        asking.cancel()
        raise
    finally:
        begun.cancel()
    if asking.done():
        asking.result()
    return StreamingResponse(_chunks(wanted, asking, root), media_type="text/event-stream")


@router.get("/models", summary="The models that a completion can name")
async def list_models(opened: OpenedDep) -> schemas.Models:
    """One: what answers here. Who drafts is chosen where the server starts."""
    return schemas.Models(data=(_model(opened.settings.llm),))


@router.get("/models/{name}", summary="A model")
async def read_model(name: str, opened: OpenedDep) -> schemas.Model:
    """404 when there is none of that name."""
    _known(name)
    return _model(opened.settings.llm)


def _model(llm: str) -> schemas.Model:
    drafter = "the evidence's own words" if llm == "none" else llm
    return schemas.Model(id=MODEL, created=_STARTED, drafter=drafter)


def _known(name: str) -> None:
    if name != MODEL:
        raise NotKnown(f"no model {name[:80]!r}; there is {MODEL!r}")


def _head(kind: str) -> dict[str, Any]:
    id, created = f"chatcmpl-{secrets.token_hex(8)}", int(now().timestamp())
    return {"id": id, "object": kind, "created": created, "model": MODEL}


def _completion(wanted: ChatRequest, answer: schemas.Answer, root: str) -> dict[str, Any]:
    written = write(answer, root, sources=wanted.sources)
    message = {
        "role": "assistant", "content": written.content, "refusal": written.refusal,
        "annotations": list(written.annotations),
    }  # fmt: skip
    return {
        **_head("chat.completion"),
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": written.usage(wanted),
        "regtape": more(answer),
    }


async def _chunks(
    wanted: ChatRequest, asking: "asyncio.Future[Any]", root: str
) -> AsyncIterator[bytes]:
    head = _head("chat.completion.chunk")
    usage = {"usage": None} if wanted.stream_options and wanted.stream_options.include_usage else {}

    def chunk(delta: dict[str, Any], end: str | None = None, **rest: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": end, "logprobs": None}
        return _event({**head, "choices": [choice], **usage, **rest})

    try:
        yield chunk({"role": "assistant", "content": ""})
        while not asking.done():
            await asyncio.wait({asking}, timeout=_KEEPALIVE_SECONDS)
            if not asking.done():
                yield b": still here\n\n"
        try:
            answer = schemas.Answer.of(asking.result())
        except RegTapeError as exc:
            yield _event({"error": openai_error(problem_of(exc, _PATH))})
            return
        written = write(answer, root, sources=wanted.sources)
        for piece in written.pieces:
            yield chunk({"content": piece})
        last = {"annotations": list(written.annotations), "refusal": written.refusal}
        yield chunk(last, "stop", regtape=more(answer))
        if usage:
            yield _event({**head, "choices": [], "usage": written.usage(wanted)})
        yield b"data: [DONE]\n\n"
    finally:
        asking.cancel()


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
