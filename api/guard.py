"""Requests in; those from elsewhere, too large, without a key or too many are turned away. Every response carries security
headers and the id of its request, and is counted and logged: its route and never its path, the id of a key and never the key.

Pure ASGI: Starlette's BaseHTTPMiddleware buffers and would hold back server-sent events. It stands around everything else, the
short way of feature reads too, so what it does it does on one walk through the headers.
"""

import re
import secrets
import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import Access, Caller, Refused, login_page
from api.logs import REQUEST, Log
from api.metrics import Metrics
from api.problems import respond
from api.schemas import Problem

# Without keys only this machine may ask. A page elsewhere that rebinds its name to 127.0.0.1 still sends that name.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

# In a scope: who asks, and the route where something answers before the router.
CALLER, ROUTE = "regtape.caller", "regtape.route"

HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    # Nothing is told to other sites; but with "no-referrer" a form of our own comes with the origin "null", as a stranger's.
    b"referrer-policy": b"same-origin",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}

_READ_HERE = frozenset(
    {b"host", b"origin", b"content-length", b"authorization", b"x-api-key", b"cookie", b"x-request-id", b"accept"}
)  # fmt: skip
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_SAFE = ("GET", "HEAD")


class Guard:
    """All that stands before an app.

    hosts: names that it answers to besides those of the loopback; {"*"}: any. origins: pages elsewhere that may ask, as in CORS.
    Without access everybody may.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        request_bytes: int,
        of_paths: Mapping[str, int] = {},
        hosts: Collection[str] = (),
        origins: Collection[str] = (),
        access: Access | None = None,
        metrics: Metrics | None = None,
        log: Log | None = None,
    ) -> None:
        self._app = app
        self._most = request_bytes
        self._of_paths = of_paths
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._not_here = f"this server answers to {_listed(self._hosts)} only"
        self._origins = frozenset(origins)
        self._access, self._metrics, self._log = access, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        told, hosts = _told(scope["headers"])
        id = _request_id(told.get(b"x-request-id"))
        REQUEST.set(id.decode())
        answer = _Answer(send, id)
        caller: Caller | None = None
        try:
            scope[CALLER] = caller = self._admitted(scope, told, hosts)
            await self._pass_on(scope, receive, answer, caller)
        except Refused as refused:
            await _turn_away(scope, receive, answer, told, refused)
        finally:
            self._note(scope, answer, id, caller, 1000 * (time.perf_counter() - began))

    def _admitted(self, scope: Scope, told: Mapping[bytes, bytes], hosts: int) -> Caller:
        """Who asks. Raises Refused."""
        path: str = scope["path"]
        if hosts != 1 or not self._is_here(told.get(b"host", b"").decode("latin-1")):
            raise _refused(421, "Misdirected Request", self._not_here, path)
        method: str = scope.get("method", "WEBSOCKET")  # which any page may open to anywhere
        if method not in _SAFE and not self._may_act(told.get(b"origin")):
            # A browser lets any page send some requests anywhere, and says only here for which.
            raise _refused(403, "Forbidden", "a page elsewhere may not ask this", path)
        length = told.get(b"content-length", b"0")
        most = self._of_paths.get(path, self._most)
        if length.isdigit() and int(length) > most:
            raise _refused(413, "Content Too Large", _limit(most), path)
        if self._access is None:
            return Caller(None)
        client = scope.get("client")
        asked = "GET" if method == "WEBSOCKET" else method
        return self._access.admit(asked, path, told, client[0] if client else "")

    async def _pass_on(
        self, scope: Scope, receive: Receive, answer: "_Answer", caller: Caller
    ) -> None:
        if scope["type"] == "http" and scope["method"] != "GET":
            receive = _counted(receive, self._of_paths.get(scope["path"], self._most))
        if self._access is None or caller.key is None:
            await self._app(scope, receive, answer)
            return
        try:
            await self._app(scope, receive, _while_allowed(answer, self._access, caller))
        except* _KeyEnded:
            await answer(_END[scope["type"]])

    def _is_here(self, host: str) -> bool:
        """Whether this host, a name with a port or without, is one of ours."""
        named = host.lower()
        return "*" in self._hosts or named in self._hosts or named.rsplit(":", 1)[0] in self._hosts

    def _may_act(self, origin: bytes | None) -> bool:
        if origin is None:
            return True
        named = origin.decode("latin-1")
        return not self._origins.isdisjoint((named, "*")) or self._is_here(urlsplit(named).netloc)

    def _note(
        self, scope: Scope, answer: "_Answer", id: bytes, caller: Caller | None, ms: float
    ) -> None:
        route = _route(scope)
        if self._metrics is not None and answer.status:
            self._metrics.answered(route, answer.status, ms / 1000)
        # Plain feature reads come by the hundred a second: those that end well are counted, not told one by one.
        if self._log is not None and not (ROUTE in scope and answer.status == 200):
            self._log.tell(
                "request", id=id.decode(), method=scope.get("method", "WEBSOCKET"), route=route,
                status=answer.status, ms=round(ms, 2), key=caller.key if caller else None,
            )  # fmt: skip


class _KeyEnded(BaseException):
    """In the middle of a stream. No error of the app's: its handlers let it pass."""


_END: Mapping[str, Message] = {
    "http": {"type": "http.response.body", "body": b"", "more_body": False},
    "websocket": {"type": "websocket.close", "code": 1008, "reason": "the key has ended"},
}


def _while_allowed(answer: Send, access: Access, caller: Caller) -> Send:
    """What is pushed for hours ends when the key does."""

    async def write(message: Message) -> None:
        going_on = message.get("more_body") or message["type"] == "websocket.send"
        if going_on and not access.still(caller):
            raise _KeyEnded
        await answer(message)

    return write


class _Answer:
    """Sends on, with security headers and the id of the request; status: of what was sent."""

    def __init__(self, send: Send, id: bytes) -> None:
        self._send, self._id = send, id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            held = {name for name, _ in headers}
            headers += [pair for pair in HEADERS.items() if pair[0] not in held]
            headers.append((b"x-request-id", self._id))
            message = {**message, "headers": headers}
        elif kind == "websocket.accept":
            self.status = 101
        elif kind == "websocket.close" and not self.status:
            self.status = 403
        await self._send(message)


def _told(headers: Any) -> tuple[dict[bytes, bytes], int]:
    """The last header of each name that is read here; how many hosts there are."""
    told: dict[bytes, bytes] = {}
    hosts = 0
    for name, value in headers:
        if name in _READ_HERE:
            told[name] = value
            hosts += name == b"host"
    return told, hosts


def _request_id(given: bytes | None) -> bytes:
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(8).encode()


def _route(scope: Scope) -> str | None:
    """The template of what answered; None where nothing did: a path that is not ours may hold anything."""
    named: str | None = scope.get(ROUTE)
    return named or getattr(scope.get("route"), "path_format", None)


def _listed(hosts: frozenset[str]) -> str:
    *first, last = sorted(hosts - LOOPBACK) or ["127.0.0.1", "localhost"]
    return f"{', '.join(first)} and {last}" if first else last


def _refused(status: int, title: str, detail: str, path: str) -> Refused:
    return Refused(Problem(title=title, status=status, detail=detail, instance=path), {})


async def _turn_away(
    scope: Scope, receive: Receive, send: Send, told: Mapping[bytes, bytes], refused: Refused
) -> None:
    problem = refused.problem
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" in scope.get("extensions", {}):
            await respond(problem, refused.headers)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": problem.detail[:120]})
    elif problem.status == 401 and _wants_page(scope, told):
        there = login_page(scope["path"], scope["query_string"])
        await send(
            {"type": "http.response.start", "status": 303, "headers": [(b"location", there.encode()), (b"content-length", b"0")]}
        )  # fmt: skip
        await send({"type": "http.response.body", "body": b""})
    else:
        await respond(problem, refused.headers)(scope, receive, send)


def _wants_page(scope: Scope, told: Mapping[bytes, bytes]) -> bool:
    """Whether a person looks for a page."""
    machine = scope["path"].startswith("/v1/") or b"authorization" in told or b"x-api-key" in told
    return scope["method"] == "GET" and not machine and b"text/html" in told.get(b"accept", b"")


def _limit(most: int) -> str:
    return f"a request body may have {most} bytes"


def _counted(receive: Receive, most: int) -> Receive:
    """For bodies that do not declare their length."""
    seen = 0

    async def read() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise HTTPException(413, _limit(most))
        return message

    return read
