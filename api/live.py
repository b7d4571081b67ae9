"""The plain live read, `GET /v1/features/{symbol}` with at most names and set, answered before the middleware and the router.

Those, the query's form and exit stacks cost more than reading 50 features does. What is not plain or cannot be answered goes on,
and is told why; so does everything while the store is not in memory or has not caught up. The guard stands before both.
"""

import time
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from api.feature_forms import vector_json
from api.features import Features
from api.guard import ROUTE
from ingest.errors import RegTapeError

_PREFIX = "/v1/features/"
_ROUTE = "/v1/features/{symbol}"
_TYPE = (b"content-type", b"application/json")


class _Plain(NamedTuple):
    """What a plain query asks for."""

    names: tuple[str, ...] | None
    feature_set: str | None


class LiveReads:
    """The short way around an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _answer(scope) if scope["type"] == "http" else None
        if body is None:
            await self._app(scope, receive, send)
            return
        scope[ROUTE] = _ROUTE
        headers = [_TYPE, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _answer(scope: Scope) -> bytes | None:
    """The vector that is asked for, as JSON; None where the route is to answer."""
    path: str = scope["path"]
    if scope["method"] != "GET" or not path.startswith(_PREFIX):
        return None
    asked = _plain(scope["query_string"])
    features: Features = scope["app"].state.opened.features
    if asked is None or not (features.at_hand and features.folding.ready):
        return None
    began = time.perf_counter()
    try:
        vector = features.reader.vector(
            path[len(_PREFIX) :], names=asked.names, feature_set=asked.feature_set
        )
    except RegTapeError:
        return None
    features.served((vector,), "one", began)
    return vector_json(vector)


@lru_cache(maxsize=256)
def _plain(query: bytes) -> _Plain | None:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        return None
    names = [name for key, listed in pairs if key == "names" for name in listed.split(",")]
    sets = [value for key, value in pairs if key == "set"]
    if len(sets) > 1 or any(key not in ("names", "set") for key, _ in pairs):
        return None
    return _Plain(tuple(names) or None, sets[0] if sets else None)
