"""A home in, an MCP server over it out, on stdin and stdout or over HTTP."""

import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import click

from api.commands.serve import reachable
from api.console import DONE, FAILED, note, regtape_command, settings
from ingest.errors import ModelMissing

if TYPE_CHECKING:
    from api.settings import Settings


@regtape_command(
    "mcp",
    short_help="Tools for a model, over MCP.",
    examples=("regtape mcp", "regtape mcp --http 8351"),
)
@click.option(
    "--http", "port", type=click.IntRange(1, 65535), metavar="PORT",
    help="Answer at http://HOST:PORT/mcp (streamable HTTP) instead of on stdin and stdout.",
)  # fmt: skip
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="With --http, as of `serve`: off the loopback keys are needed."
)  # fmt: skip
def command(port: int | None, host: str) -> int:
    """Serve the tools ask, rule_state, compare, impacts, features and verify to an MCP client; all of them only read.

    In a client's configuration: {"command": "regtape", "args": ["mcp"], "env": {"REGTAPE_HOME": "…"}}. Over HTTP the keys of
    the home apply as they do for `serve`.
    """
    chosen = settings() if port is None else reachable(settings(), host)
    try:
        from api.mcp import mcp_server
    except ModuleNotFoundError as exc:
        if exc.name and exc.name.partition(".")[0] in ("mcp", "mcp_types"):
            raise ModelMissing(
                "the package mcp is not installed: pip install 'regtape[mcp]', in the clone pip install '.[mcp]'"
            ) from exc
        raise
    from api.services import open_reader, open_services, open_tape

    with ExitStack() as stack:
        services = stack.enter_context(open_services(chosen))
        reader = open_reader(chosen, stack.enter_context(open_tape(chosen)))
        server = mcp_server(services, reader)
        if port is None:
            server.run("stdio")
            return DONE
        note(f"regtape: tools over {chosen.home} on http://{host}:{port}/mcp")
        return _over_http(server, chosen, host, port)


def _over_http(server: Any, chosen: "Settings", host: str, port: int) -> int:
    import uvicorn

    from api.access import Access
    from api.logs import logging_to
    from api.mcp import guarded

    with logging_to(sys.stderr) as log:
        access = Access(chosen.home, demanded=bool(chosen.hosts), rate=chosen.rate)
        app = guarded(server, chosen, access, log if chosen.log_requests else None)
        config = uvicorn.Config(
            app, host=host, port=port, log_level="warning", log_config=None, access_log=False, server_header=False,
            proxy_headers=False, timeout_graceful_shutdown=3,
        )  # fmt: skip
        running = uvicorn.Server(config)
        with suppress(KeyboardInterrupt):
            running.run()
        access.close()
    return DONE if running.started else FAILED
