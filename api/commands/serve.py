"""A host and a port in, a running server out."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.console import DONE, FAILED, note, regtape_command, settings
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.settings import Settings

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = ("0.0.0.0", "::")


@regtape_command(
    "serve",
    short_help="Answer over HTTP.",
    examples=(
        "regtape serve",
        "regtape serve --port 8080 --workers 2",
        "regtape keys create desk --scope read && regtape serve --host 10.1.2.3",
    ),
)
@click.option(
    "--host", default="127.0.0.1", show_default=True,
    help="An address of this machine. Off its loopback keys are needed, and REGTAPE_HOSTS names it to more names.",
)  # fmt: skip
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
    """Serve answers, documents, news and features until stopped. Each request is a line of JSON on stderr.

    What another process ingests meanwhile is seen without a restart, and so are keys that are created or revoked. Without keys
    it answers to this machine alone.
    """
    chosen = reachable(settings(ask_workers=workers, record_reads=record_reads), host)
    from api.app import create_app
    from api.logs import logging_to
    from api.server import Server

    _read_rules(chosen)
    note(f"regtape: serving {chosen.home} on http://{host}:{port} (interface: /openapi.json)")
    with logging_to(sys.stderr) as log:
        server = Server(create_app(chosen, log=log), host, port)
        with suppress(KeyboardInterrupt):
            server.run()
    return DONE if server.started else FAILED


def reachable(chosen: "Settings", host: str) -> "Settings":
    """Settings with which a server may bind to a host. Raises BadRequest where nobody could be kept out, or let in."""
    named = () if host in (*_LOOPBACK, *_EVERYWHERE) else (f"[{host}]" if ":" in host else host,)
    hosts = (*chosen.hosts, *named)
    if (hosts or host in _EVERYWHERE) and not _usable_keys(chosen):
        raise BadRequest(
            f"without a key serve answers to this machine only ({', '.join(_LOOPBACK)}); "
            "make one: regtape keys create NAME --scope read"
        )
    if host in _EVERYWHERE and not hosts:
        raise BadRequest(
            f"{host} is every address of this machine; say by which names it is asked, e.g. REGTAPE_HOSTS=tape.desk"
        )
    return chosen.model_copy(update={"hosts": hosts})


def _usable_keys(chosen: "Settings") -> bool:
    from api.keys import FILE, KeyStore
    from ingest.moment import now

    if not (chosen.home / FILE).exists():
        return False
    with KeyStore(chosen.home) as store:
        return any(key.state(now()) == "usable" for key in store.held())


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
