"""A host and a port in, a running server out."""

import click

from api.console import DONE, note, regtape_command, settings
from ingest.errors import BadRequest

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@regtape_command(
    "serve",
    short_help="Answer over HTTP.",
    examples=("regtape serve", "regtape serve --port 8080 --workers 2"),
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="An address of this machine's loopback."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8350, show_default=True, help="Port."
)
@click.option(
    "--workers", type=click.IntRange(0),
    help="Processes that answer; 0: threads of the server. Default: REGTAPE_ASK_WORKERS, 1.",
)  # fmt: skip
def command(host: str, port: int, workers: int | None) -> int:
    """Serve /v1/ask, /v1/search and /v1/documents on this machine until stopped.

    What another process ingests meanwhile is seen without a restart.
    """
    if host not in _LOOPBACK:
        raise BadRequest(
            f"serve has no API keys yet, so it binds to {', '.join(_LOOPBACK)} and not to {host}"
        )
    chosen = settings(ask_workers=workers)
    import uvicorn

    from api.app import create_app

    note(f"regtape: serving {chosen.home} on http://{host}:{port} (interface: /openapi.json)")
    uvicorn.run(create_app(chosen), host=host, port=port, log_level="warning", server_header=False)
    return DONE
