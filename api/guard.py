"""Requests in; those from elsewhere or too large are turned away, and every response carries security headers.

Pure ASGI: Starlette's BaseHTTPMiddleware buffers and would hold back server-sent events.
"""

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import respond
from api.schemas import Problem

# Without keys only this machine may ask. A page elsewhere that rebinds its name to 127.0.0.1 still sends that name.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})

_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Guard:
    """Host check, body limit and headers around an app."""

    def __init__(self, app: ASGIApp, *, request_bytes: int) -> None:
        self._app = app
        self._most = request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), scope["path"])
        if refusal is not None:
            await respond(refusal)(scope, receive, _with_headers(send))
        else:
            await self._app(scope, self._counted(receive), _with_headers(send))

    def _refusal(self, headers: Headers, path: str) -> Problem | None:
        host = headers.get("host", "").lower()
        if host.rsplit(":", 1)[0] not in LOOPBACK and host not in LOOPBACK:
            detail = "this server answers to 127.0.0.1 and localhost only"
            return Problem(title="Misdirected Request", status=421, detail=detail, instance=path)
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._most:
            return Problem(
                title="Content Too Large", status=413, detail=self._limit(), instance=path
            )
        return None

    def _limit(self) -> str:
        return f"a request body may have {self._most} bytes"

    def _counted(self, receive: Receive) -> Receive:
        """For bodies that do not declare their length."""
        seen = 0

        async def read() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise HTTPException(413, self._limit())
            return message

        return read


def _with_headers(send: Send) -> Send:
    async def write(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return write
