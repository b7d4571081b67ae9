"""An application in, a server that runs until it is told to stop out."""

import socket
import sys

import uvicorn
from fastapi import FastAPI

# A feature read waits for whichever thread computes no longer than this; Python's own 5 ms would be most of its time.
_SWITCH_SECONDS = 0.0005
_GRACE_SECONDS = 3  # for requests that are being answered when the server is told to stop


class Server(uvicorn.Server):
    """uvicorn on one address, which ends pushed streams before it waits for requests to end: those never would."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app, host=host, port=port, log_level="warning", log_config=None, access_log=False, server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )  # fmt: skip

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal; its lifespan is over when this returns."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        super().run(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Called by uvicorn when it has been told to stop."""
        self._app.state.opened.features.push.close()
        await super().shutdown(sockets)
