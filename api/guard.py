"""Requests in; those from elsewhere or too large are turned away, and every response carries security headers.

Pure ASGI: Starlette's BaseHTTPMiddleware buffers and would hold back server-sent events.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import respond
from api.schemas import Problem

# Without keys only this machine may ask. A page elsewhere that rebinds its name to 127.0.0.1 still sends that name.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_NOT_HERE = "this server answers to 127.0.0.1 and localhost only"

HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"cache-control": b"no-store",
}


class Guard:
    """Host check, body limit and headers around an app."""

    def __init__(
        self, app: ASGIApp, *, request_bytes: int, of_paths: Mapping[str, int] = {}
    ) -> None:
        self._app = app
        self._most = request_bytes
        self._of_paths = of_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._guard_socket(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._of_paths.get(scope["path"], self._most)
        refusal = self._refusal(Headers(scope=scope), scope["path"], most)
        if refusal is not None:
            await respond(refusal)(scope, receive, _with_headers(send))
        else:
            await self._app(scope, _counted(receive, most), _with_headers(send))

    async def _guard_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A browser opens a socket to anywhere for any page, and says only in `Origin` for which."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if is_here(headers.get("host", "")) and (
            origin is None or is_here(urlsplit(origin).netloc)
        ):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": _NOT_HERE})

    @staticmethod
    def _refusal(headers: Headers, path: str, most: int) -> Problem | None:
        if not is_here(headers.get("host", "")):
            return Problem(title="Misdirected Request", status=421, detail=_NOT_HERE, instance=path)
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > most:
            return Problem(
                title="Content Too Large", status=413, detail=_limit(most), instance=path
            )
        return None


def is_here(host: str) -> bool:
    """Whether a request to this host, a name with a port or without, is one to this machine."""
    named = host.lower()
    return named.rsplit(":", 1)[0] in LOOPBACK or named in LOOPBACK


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


def _with_headers(send: Send) -> Send:
    async def write(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            held = {name for name, _ in headers}
            headers += (pair for pair in HEADERS.items() if pair[0] not in held)
            message["headers"] = headers
        await send(message)

    return write
