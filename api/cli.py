"""`regtape …` in, an exit code out: 0 done, 1 failed, 2 usage, 3 refused or nothing found."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from api.console import DONE, FAILED, USAGE, Command, common_options, fail, note

# In the order a newcomer needs them. Each module api/commands/NAME.py holds one `command`.
COMMANDS = (
    "demo",
    "ingest",
    "ask",
    "chat",
    "search",
    "documents",
    "rule",
    "impacts",
    "compare",
    "verify",
    "news",
    "features",
    "serve",
    "keys",
    "mcp",
    "job",
    "doctor",
    "train",
    "models",
    "completion",
    "eval",
)


class _Commands(click.Group):
    """Imports a command's module when it is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"api.commands.{cmd_name}").command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """A wrong name is answered with the nearest right one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, 1)
            there = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {there}", ctx) from None


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"regtape {version('regtape')}")
        ctx.exit()


@click.group(
    "regtape",
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=common_options(as_json=False),
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 refused or nothing found.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Print the version and leave.",
)  # fmt: skip
def regtape() -> None:
    """Checked, cited answers about market-structure rules, as of any moment.

    Begin with `regtape demo`; then `regtape ingest FOLDER` and `regtape ask "QUESTION"`.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    told: dict[str, Any] = {}
    words = None if arguments is None else list(arguments)
    try:
        code: Any = regtape.main(args=words, standalone_mode=False, obj=told)
    except click.UsageError as exc:
        return _misused(exc)
    except click.Abort:
        note("regtape: stopped; the same command goes on from where it was")
        return FAILED
    except Exception as exc:  # noqa: BLE001 - the edge: a person reads a sentence, --debug shows the trace
        return fail(exc, told)
    return code if isinstance(code, int) else DONE


def _misused(error: click.UsageError) -> int:
    where = error.ctx.command_path if error.ctx else "regtape"
    note(f"regtape: {error.format_message()}")
    examples = (
        error.ctx.command.examples if error.ctx and isinstance(error.ctx.command, Command) else ()
    )
    note(f"For example: {examples[0]}" if examples else f"See `{where} --help`.")
    return USAGE


def main() -> None:
    """The installed `regtape`."""
    sys.exit(run())


if __name__ == "__main__":
    main()
