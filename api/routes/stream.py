"""Symbols in; their features after whatever changes them out, as server-sent events or over a WebSocket.

Both tell the same messages: {seq, prev, symbol, as_of, values, status, receipt}. seq is the offset of the record, prev the
seq of the message before it: where prev is not the seq that a reader saw last, it has missed something. The first event,
`start`, says in `after` what the prev of the first message will be; who comes back with the id of the last event it saw
gets what it missed, computed from the log, and then what happens, each message once.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Query, WebSocket, WebSocketDisconnect
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from api import schemas
from api.deps import FeaturesDep, SettingsDep
from api.features import Features
from api.problems import naming_field, problem_of_request, read_form
from api.push import MOST_SYMBOLS, Dropped, Wanted
from api.routes.features import split
from ingest.errors import BadRequest
from sentiment.features import fingerprint
from sentiment.question import checked_names, checked_symbols, question

router = APIRouter(prefix="/v1/stream/features", tags=["features"])

_SENDING_SECONDS = 30.0  # a reader that takes nothing for so long is gone
_TRY_AGAIN_LATER = 1013
_POLICY = 1008
_REASON = 120  # bytes of a reason for closing

_EVENTS = """event: start
id: 1200
data: {"after":1200,"symbols":["AAPL"],"feature_version":"…"}

event: features
id: 1234
data: {"seq":1234,"prev":1200,"symbol":"AAPL","as_of":"…","values":{…},"status":{…},"receipt":{…}}

event: heartbeat
data: {"head":1240,"prev":1234}

event: dropped
data: {"reason":"256 messages wait to be read","prev":1234}

"""


class Subscription(schemas.Form):
    """What is wanted of the stream. The first message of a WebSocket whose address names no symbols, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbols: list[str] = Field(
        min_length=1, max_length=MOST_SYMBOLS, description="In a query also with commas between.", examples=[["AAPL", "BRK.B"]]
    )  # fmt: skip
    names: list[str] | None = Field(default=None, examples=[["sentiment_mean_1d", "volume_1d"]])
    feature_set: str | None = Field(default=None, alias="set", examples=["core50"])
    after: str | int | None = Field(
        default=None, description="Go on after this id of an event, or offset of the log; unset: from now on.", examples=["1234"]
    )  # fmt: skip

    def to_wanted(self) -> Wanted:
        """Checked. Raises BadRequest."""
        symbols = tuple(dict.fromkeys(checked_symbols(split(self.symbols))))
        if len(symbols) > MOST_SYMBOLS:
            raise BadRequest(f"symbols has {len(symbols)} in it; a stream may have {MOST_SYMBOLS}")
        names = split(self.names)
        question(checked_names(names), self.feature_set)
        return Wanted(symbols, names, self.feature_set)


class _Stream:
    """One reader's events, in order: a name, the id to come back with, and data as JSON."""

    def __init__(self, features: Features, asked: Subscription, silence: float) -> None:
        features.check()
        self._push, self._silence = features.push, silence
        self._wanted = asked.to_wanted()
        self._begin = features.push.place(None if asked.after is None else str(asked.after))

    async def events(self) -> AsyncIterator[tuple[str, str | None, bytes]]:
        prev = self._begin.seq
        started = {
            "after": prev,
            "symbols": self._wanted.symbols,
            "feature_version": fingerprint(),
        }
        yield "start", str(self._begin), orjson.dumps(started)
        try:
            async for told in self._push.messages(self._wanted, self._begin, self._silence):
                if told is None:
                    beat = {"head": self._push.applied, "prev": prev}
                    yield "heartbeat", None, orjson.dumps(beat)
                else:
                    yield "features", str(told.place), told.json(prev)
                    prev = told.place.seq
        except Dropped as exc:
            yield "dropped", None, orjson.dumps({"reason": str(exc), "prev": prev})


@router.get(
    "",
    summary="Features after every score, correction or retraction that touches a symbol, as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events start, features, heartbeat, dropped. Come back with `Last-Event-ID` and nothing is missed.",
            "content": {"text/event-stream": {"example": _EVENTS}},
        },
        503: {"model": schemas.Problem, "description": "The feature store is being rebuilt."},
    },
)  # fmt: skip
async def stream(
    asked: Annotated[Subscription, Query()],
    features: FeaturesDep,
    settings: SettingsDep,
    last_event_id: Annotated[str | None, Header(description="Instead of `after`.")] = None,
) -> StreamingResponse:
    """A reader that falls too far behind is dropped, with the reason; coming back, it misses nothing."""
    if last_event_id:
        asked = asked.model_copy(update={"after": last_event_id})
    with naming_field("query"):
        told = _Stream(features, asked, settings.push_seconds)
    return _Patient(_written(told), media_type="text/event-stream")


async def _written(told: _Stream) -> AsyncIterator[bytes]:
    async for name, id, data in told.events():
        yield format_sse_event(event=name, id=id, data_str=data.decode())


class _Patient(StreamingResponse):
    """A stream that ends when its reader takes nothing for a while: what fills its socket is not held for ever."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def write(message: Message) -> None:
            async with asyncio.timeout(_SENDING_SECONDS):
                await send(message)

        with suppress(TimeoutError):
            await super().__call__(scope, receive, write)


@router.websocket("/ws")
async def stream_socket(socket: WebSocket, features: FeaturesDep, settings: SettingsDep) -> None:
    """The same over a WebSocket: {"start": …}, then messages, {"heartbeat": …}.

    What is wanted stands in the query, or, where that names no symbols, in the first message as JSON: {"symbols": ["AAPL"],
    "set": "core50", "after": 1234}. What cannot be meant is answered with {"error": problem} and code 1008; a reader that
    is dropped gets 1013 and the reason.
    """
    await socket.accept()
    with suppress(WebSocketDisconnect, TimeoutError):
        try:
            with naming_field("body"):
                told = _Stream(features, await _subscription(socket), settings.push_seconds)
        except RequestValidationError as exc:
            error = problem_of_request(exc, socket.url.path).model_dump_json(exclude_none=True)
            await socket.send_text(f'{{"error":{error}}}')
            await socket.close(_POLICY, "what is wanted cannot be read")
        except HTTPException as exc:
            await socket.close(_TRY_AGAIN_LATER, exc.detail[:_REASON])
        else:
            await _either(_tell(socket, told), _hear(socket))


async def _subscription(socket: WebSocket) -> Subscription:
    query = socket.query_params
    found: object = {name: query[name] for name in query} | {
        name: query.getlist(name) for name in ("symbols", "names") if name in query
    }
    if "symbols" not in query:
        async with asyncio.timeout(_SENDING_SECONDS):
            found = _object(await socket.receive_text())
    return read_form(Subscription, found, "body")


def _object(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"body is not JSON: {exc}") from exc


async def _tell(socket: WebSocket, told: _Stream) -> None:
    async for name, _, data in told.events():
        async with asyncio.timeout(_SENDING_SECONDS):
            if name == "dropped":
                await socket.close(_TRY_AGAIN_LATER, orjson.loads(data)["reason"][:_REASON])
                return
            text = data.decode()
            await socket.send_text(text if name == "features" else f'{{"{name}":{text}}}')


async def _hear(socket: WebSocket) -> None:
    """Until the reader leaves; what it says is of no matter."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _either(*each: Coroutine[Any, Any, None]) -> None:
    """Until the first is done; the others are given up."""
    tasks = [asyncio.ensure_future(one) for one in each]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
