"""A host and a port in, a running server out."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.console import DONE, FAILED, note, regtape_command, settings
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.settings import Settings

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
@click.option(
    "--record-reads", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Keep every feature read there, for `features replay`. Default: REGTAPE_RECORD_READS, none.",
)  # fmt: skip
def command(host: str, port: int, workers: int | None, record_reads: Path | None) -> int:
    """Serve answers, documents, news and features on this machine until stopped.

    What another process ingests meanwhile is seen without a restart.
    """
    if host not in _LOOPBACK:
        raise BadRequest(
            f"serve has no API keys yet, so it binds to {', '.join(_LOOPBACK)} and not to {host}"
        )
    chosen = settings(ask_workers=workers, record_reads=record_reads)
    from api.app import create_app
    from api.server import Server

    _read_rules(chosen)
    note(f"regtape: serving {chosen.home} on http://{host}:{port} (interface: /openapi.json)")
    server = Server(create_app(chosen), host, port)
    with suppress(KeyboardInterrupt):
        server.run()
    return DONE if server.started else FAILED


def _read_rules(chosen: "Settings") -> None:
    """Read the rule events that this version has not read, before anyone asks: the first to ask would wait for all."""
    from api.services import open_catalog
    from ingest.rules.events import EXTRACTOR
    from ingest.rules.held import KIND, rebuild

    with open_catalog(chosen) as catalog:
        if unread := len(catalog.unread(KIND, EXTRACTOR)):
            note(
                f"regtape: first reading the rules of {unread} documents, which this version has not read"
            )
            rebuild(catalog)
