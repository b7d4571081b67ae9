"""A server's address in; its sentiment features, live, as they were, or pushed, out.

    with Features("http://127.0.0.1:8350") as features:
        now = features.get("AAPL")                                     # Vector
        past = features.matrix(["AAPL"], instants, names=["sentiment_mean_5m"])   # Matrix: NumPy and Arrow
        for update in features.stream(["AAPL"]):                       # Update after Update, none missed, none twice
            ...

`AsyncFeatures` is the same with await. A server that is busy (429) or starts (503) is asked again when it says; every other error
is a Problem with what the server said of it. Needs httpx and NumPy, and pyarrow for matrices; nothing else of RegTape.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow

_ARROW = "application/vnd.apache.arrow.stream"
_TRIES = 5
_LONGEST_PAUSE = 10.0  # seconds before a stream that broke off is opened again
_SILENCE = 60.0  # seconds without even a heartbeat after which a stream counts as broken


@dataclass(frozen=True, slots=True)
class Freshness:
    """How up to date a read is. watermark: everything known up to it had a score."""

    newest_known_at: datetime | None
    scoring_lag_seconds: float
    watermark: datetime


@dataclass(frozen=True, slots=True)
class Vector:
    """The features of one symbol as of one instant: None where there is nothing, and `status` says why.

    known_at: of the newest item that contributes. receipt: from it `regtape features verify` computes the same values.
    """

    symbol: str
    entity: str
    as_of: datetime
    known_at: datetime | None
    values: Mapping[str, float | None]
    status: Mapping[str, str]
    model_version: str | None
    feature_version: str
    freshness: Freshness
    backfilled: bool
    model_lookahead: bool | None
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Update:
    """The features of a symbol after the score at offset `seq` touched it. prev: seq of the update before it."""

    seq: int
    prev: int
    symbol: str
    as_of: datetime
    values: Mapping[str, float | None]
    status: Mapping[str, str]
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """s symbols at m instants. table: s × m rows, symbol after symbol, as the server wrote them."""

    symbols: tuple[str, ...]
    names: tuple[str, ...]
    table: "pyarrow.Table"

    @property
    def values(self) -> NDArray[np.float64]:
        """float64[s, m, f]; NaN where there is nothing."""
        columns = [self.table[name].to_numpy() for name in self.names]
        return np.stack(columns, axis=-1).reshape(len(self.symbols), -1, len(self.names))

    @property
    def instants(self) -> NDArray[np.datetime64]:
        """datetime64[us][m], UTC."""
        rows = len(self.table) // len(self.symbols)
        at: NDArray[np.datetime64] = self.table["as_of"].slice(0, rows).to_numpy()
        return at

    @property
    def stated(self) -> Mapping[str, Any]:
        """offset and hash of the log that was read, feature_version, model_versions, features."""
        found: Mapping[str, Any] = json.loads(self.table.schema.metadata[b"regtape"])
        return found


@dataclass(frozen=True, slots=True)
class Feature:
    """What a feature is. empty: what null means; available: whether the server computes it yet."""

    name: str
    scope: str
    window: str
    meaning: str
    unit: str
    empty: str
    version: int
    half_life: float | None
    ddof: int | None
    available: bool


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All features by name, and the named sets of them."""

    feature_version: str
    features: Mapping[str, Feature]
    sets: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Grid:
    """Instants from `start`, before `end`, every "500ms", "1s", "5m", "1h" or "1d"."""

    start: datetime
    end: datetime
    every: str


Instants = Sequence[datetime] | NDArray[Any]


class Problem(Exception):
    """What the server says is wrong (RFC 9457). errors: which parts of the request, and why."""

    def __init__(
        self, status: int, title: str, detail: str, errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status, self.title, self.detail, self.errors = status, title, detail, tuple(errors)


class Missed(Exception):
    """A stream left something out, and left it out again when it was opened anew."""


class Features:
    """A client; close it, or use it as a context manager. Safe to share between threads.

    key: unset: that of REGTAPE_KEY, if any; timeout: seconds for an answer; transport: of httpx, e.g. to reach an app
    without a socket.
    """

    def __init__(
        self,
        address: str = "http://127.0.0.1:8350",
        *,
        key: str | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=address, headers=_bearer(key), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(
        self,
        symbol: str,
        *,
        as_of: datetime | None = None,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> Vector:
        """The features of a symbol, now or as of an aware instant. Raises Problem."""
        how = _how(names, feature_set, view, model, head)
        return _vector(self._answer(_get(self._http, symbol, as_of, how)).json())

    def several(
        self,
        symbols: Sequence[str],
        *,
        as_of: datetime | None = None,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> list[Vector]:
        """The features of symbols as of one instant, of one state of the log. Raises Problem."""
        how = _how(names, feature_set, view, model, head)
        found = self._answer(_post(self._http, symbols, how | _moment("as_of", as_of))).json()
        return [_vector(each) for each in found["vectors"]]

    def matrix(
        self,
        symbols: Sequence[str],
        instants: Instants | Grid,
        *,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> Matrix:
        """The features of symbols at instants, at each only what was known then. Raises Problem.

        instants: aware datetimes, or an array of datetime64 (UTC) or of whole microseconds since 1970 UTC; or a Grid.
        """
        how = _how(names, feature_set, view, model, head) | _instants(instants)
        answer = self._answer(_post(self._http, symbols, how, accept=_ARROW))
        return _matrix(symbols, answer.content)

    def catalogue(self) -> Catalogue:
        """What there is."""
        return _catalogue(self._answer(_list(self._http)).json())

    def stream(
        self,
        symbols: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        after: int | str | None = None,
    ) -> Iterator[Update]:
        """Updates for ever, from now on or from what came after an offset. Opened again where it breaks off, each update
        once. Raises Problem; Missed, should the server leave something out twice.
        """
        following = _Following(symbols, names, feature_set, after)
        while True:
            with suppress(httpx.TransportError, _Again):
                request = following.request(self._http)
                with closing(self._open(request)) as answer:
                    yield from following.updates(answer.iter_lines())
            time.sleep(following.pause())

    def _open(self, request: httpx.Request) -> httpx.Response:
        answer = self._http.send(request, stream=True)
        if answer.status_code != 200:
            answer.read()
            answer.close()
            _raise_unless_busy(answer)
            raise _Again
        return answer

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.send(request)
            except httpx.TransportError:
                if not left:
                    raise
                time.sleep(1.0)
                continue
            if answer.status_code == 200:
                return answer
            if not left:
                raise _problem(answer)
            _raise_unless_busy(answer)
            time.sleep(_retry_after(answer))
        raise AssertionError("the last try returns or raises")


class AsyncFeatures:
    """`Features` with await: close it, or use it as an async context manager."""

    def __init__(
        self,
        address: str = "http://127.0.0.1:8350",
        *,
        key: str | None = None,
        timeout: float = 30.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=address, headers=_bearer(key), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def get(
        self,
        symbol: str,
        *,
        as_of: datetime | None = None,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> Vector:
        """As Features.get."""
        how = _how(names, feature_set, view, model, head)
        return _vector((await self._answer(_get(self._http, symbol, as_of, how))).json())

    async def several(
        self,
        symbols: Sequence[str],
        *,
        as_of: datetime | None = None,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> list[Vector]:
        """As Features.several."""
        how = _how(names, feature_set, view, model, head) | _moment("as_of", as_of)
        found = (await self._answer(_post(self._http, symbols, how))).json()
        return [_vector(each) for each in found["vectors"]]

    async def matrix(
        self,
        symbols: Sequence[str],
        instants: Instants | Grid,
        *,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        view: str | None = None,
        model: str | None = None,
        head: int | None = None,
    ) -> Matrix:
        """As Features.matrix."""
        how = _how(names, feature_set, view, model, head) | _instants(instants)
        answer = await self._answer(_post(self._http, symbols, how, accept=_ARROW))
        return _matrix(symbols, answer.content)

    async def catalogue(self) -> Catalogue:
        """As Features.catalogue."""
        return _catalogue((await self._answer(_list(self._http))).json())

    async def stream(
        self,
        symbols: Sequence[str],
        *,
        names: Sequence[str] | None = None,
        feature_set: str | None = None,
        after: int | str | None = None,
    ) -> AsyncIterator[Update]:
        """As Features.stream."""
        following = _Following(symbols, names, feature_set, after)
        while True:
            with suppress(httpx.TransportError, _Again):
                request = following.request(self._http)
                async with aclosing(await self._open(request)) as answer:
                    async for line in answer.aiter_lines():
                        if update := following.take(line):
                            yield update
            await asyncio.sleep(following.pause())

    async def _open(self, request: httpx.Request) -> httpx.Response:
        answer = await self._http.send(request, stream=True)
        if answer.status_code != 200:
            await answer.aread()
            await answer.aclose()
            _raise_unless_busy(answer)
            raise _Again
        return answer

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        for left in reversed(range(_TRIES)):
            try:
                answer = await self._http.send(request)
            except httpx.TransportError:
                if not left:
                    raise
                await asyncio.sleep(1.0)
                continue
            if answer.status_code == 200:
                return answer
            if not left:
                raise _problem(answer)
            _raise_unless_busy(answer)
            await asyncio.sleep(_retry_after(answer))
        raise AssertionError("the last try returns or raises")


# ---- what is asked

_Http = httpx.Client | httpx.AsyncClient


def _bearer(key: str | None) -> dict[str, str]:
    given = key or os.environ.get("REGTAPE_KEY")
    return {"Authorization": f"Bearer {given}"} if given else {}


def _how(
    names: Sequence[str] | None,
    feature_set: str | None,
    view: str | None,
    model: str | None,
    head: int | None,
) -> dict[str, Any]:
    how = {
        "names": names and list(names),
        "set": feature_set,
        "view": view,
        "model": model,
        "head": head,
    }
    return {name: value for name, value in how.items() if value is not None}


def _moment(name: str, at: datetime | None) -> dict[str, str]:
    if at is None:
        return {}
    if at.tzinfo is None:
        raise ValueError(f"{name} {at.isoformat()} has no time zone")
    return {name: at.isoformat()}


def _instants(given: Instants | Grid) -> dict[str, Any]:
    if isinstance(given, Grid):
        return _moment("from", given.start) | _moment("to", given.end) | {"every": given.every}
    if isinstance(given, np.ndarray):
        micros = given.astype("datetime64[us]") if given.dtype.kind == "M" else given
        return {"instants": micros.astype(np.int64).tolist()}
    return {"instants": [moment for each in given for moment in _moment("instants", each).values()]}


def _get(http: _Http, symbol: str, as_of: datetime | None, how: Mapping[str, Any]) -> httpx.Request:
    query = {**how, **_moment("as_of", as_of)}
    return http.build_request("GET", f"/v1/features/{quote(symbol, safe='')}", params=query)


def _post(
    http: _Http, symbols: Sequence[str], how: Mapping[str, Any], accept: str = "application/json"
) -> httpx.Request:
    body = {"symbols": list(symbols), **how}
    return http.build_request("POST", "/v1/features", json=body, headers={"Accept": accept})


def _list(http: _Http) -> httpx.Request:
    return http.build_request("GET", "/v1/features")


# ---- what is answered


def _vector(found: Mapping[str, Any]) -> Vector:
    fresh = found["freshness"]
    freshness = Freshness(
        _read_moment(fresh["newest_known_at"]), fresh["scoring_lag_seconds"], datetime.fromisoformat(fresh["watermark"]),
    )  # fmt: skip
    return Vector(
        **{
            **found,
            "as_of": datetime.fromisoformat(found["as_of"]),
            "known_at": _read_moment(found["known_at"]),
            "freshness": freshness,
        }
    )


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _matrix(symbols: Sequence[str], content: bytes) -> Matrix:
    import pyarrow as pa

    table = pa.ipc.open_stream(content).read_all()
    stated = json.loads(table.schema.metadata[b"regtape"])
    return Matrix(tuple(symbols), tuple(stated["features"]), table)


def _catalogue(found: Mapping[str, Any]) -> Catalogue:
    return Catalogue(
        found["feature_version"],
        {each["name"]: Feature(**each) for each in found["features"]},
        {each["name"]: tuple(each["names"]) for each in found["sets"]},
    )


def _problem(answer: httpx.Response) -> Problem:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    if not isinstance(found, dict):
        found = {}
    title = found.get("title", answer.reason_phrase)
    return Problem(
        answer.status_code, title, found.get("detail", answer.text[:200]), found.get("errors") or ()
    )


def _raise_unless_busy(answer: httpx.Response) -> None:
    if answer.status_code not in (429, 503):
        raise _problem(answer)


def _retry_after(answer: httpx.Response) -> float:
    said = answer.headers.get("Retry-After", "")
    return min(float(said), _LONGEST_PAUSE) if said.isdecimal() else 1.0


# ---- a stream


class _Again(Exception):
    """Open the stream anew."""


class _Following:
    """Where a stream is: lines in, updates out, each once and none missed, however often it is opened."""

    def __init__(
        self,
        symbols: Sequence[str],
        names: Sequence[str] | None,
        feature_set: str | None,
        after: int | str | None,
    ) -> None:
        self._query = {"symbols": list(symbols), **_how(names, feature_set, None, None, None)}
        self._id = None if after is None else str(after)
        self._seq: int | None = None
        self._missed = False
        self._pause = 0.0
        self._event: dict[str, str] = {}

    def request(self, http: _Http) -> httpx.Request:
        """To open it after what was seen last."""
        self._event = {}
        headers = {} if self._id is None else {"Last-Event-ID": self._id}
        return http.build_request(
            "GET", "/v1/stream/features", params=self._query, headers=headers, timeout=_SILENCE
        )

    def pause(self) -> float:
        """Seconds until it is opened again: longer each time, as long as nothing comes."""
        self._pause = min(max(0.1, 2 * self._pause), _LONGEST_PAUSE)
        return self._pause

    def updates(self, lines: Iterable[str]) -> Iterator[Update]:
        """Those that lines of server-sent events tell."""
        for line in lines:
            if update := self.take(line):
                yield update

    def take(self, line: str) -> Update | None:
        """The update that a line completes. Raises Missed, _Again."""
        name, _, value = line.partition(": ")
        if name:
            self._event[name] = value
            return None
        event, self._event = self._event, {}
        kind = event.get("event")
        if kind not in ("start", "features", "dropped"):
            return None
        if kind == "dropped":
            raise _Again
        found = json.loads(event["data"])
        if kind == "start":
            self._id, self._seq = event["id"], found["after"]
            return None
        if found["prev"] != self._seq:
            if self._missed:
                raise Missed(
                    f"after {self._seq} came {found['seq']}, which follows {found['prev']}"
                )
            self._missed = True
            raise _Again
        self._id, self._seq, self._missed, self._pause = event["id"], found["seq"], False, 0.0
        return Update(**{**found, "as_of": datetime.fromisoformat(found["as_of"])})
