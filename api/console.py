"""What every command shares: its options, how it prints, how it shows progress, how it fails.

Imports click and the error tree alone, so that `regtape --help` answers at once; rich is imported when something prints.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingest.errors import BadRequest, NotKnown, RegTapeError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from api.schemas import Filters
    from api.settings import Settings

DONE, FAILED, USAGE, NOTHING = 0, 1, 2, 3

_PLAIN_WIDTH = 100  # where there is no terminal to ask
_PLAIN_SECONDS = 2.0  # between progress lines that go to a file


def remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Keep a common option for whoever asks later; it may stand before or after the command's name."""
    if value is not None and value is not False:
        ctx.find_root().obj[parameter.name] = value


def common_options(*, as_json: bool) -> list[click.Parameter]:
    """What every command takes."""
    json_option = click.Option(
        ["--json", "as_json"], is_flag=True, expose_value=False, callback=remember,
        help="Print one JSON object, for programs.",
    )  # fmt: skip
    home = click.Option(
        ["--home"], type=click.Path(file_okay=False, path_type=Path), expose_value=False, callback=remember,
        help="Use this folder instead of REGTAPE_HOME.",
    )  # fmt: skip
    debug = click.Option(
        ["--debug"], is_flag=True, expose_value=False, callback=remember,
        help="On an error, show the trace.",
    )  # fmt: skip
    return [json_option, home, debug] if as_json else [home, debug]


class Command(click.Command):
    """A command that says what it does and shows how: `examples` are printed as they are typed."""

    def __init__(
        self,
        name: str | None,
        *,
        examples: Sequence[str] = (),
        params: Sequence[click.Parameter] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(name, params=[*params, *common_options(as_json=True)], **kwargs)
        self.examples = tuple(examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples are never wrapped: what is copied must run."""
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"  {example}\n")


def regtape_command(
    name: str, *, examples: Sequence[str], **kwargs: Any
) -> Callable[[Callable[..., Any]], Command]:
    """A command with the options that every one has: --json, --home, --debug."""

    def decorate(function: Callable[..., Any]) -> Command:
        made = click.command(name, cls=Command, examples=examples, **kwargs)(function)
        assert isinstance(made, Command)
        return made

    return decorate


def _told(name: str) -> Any:
    return click.get_current_context().find_root().obj.get(name)


def wants_json() -> bool:
    """Whether --json was given."""
    return bool(_told("as_json"))


def settings(**chosen: Any) -> "Settings":
    """The settings, with --home and what is not None in `chosen` in place of the environment's."""
    from api.settings import load_settings

    return load_settings(home=_told("home"), **chosen)


# ---- options that several commands have


class _MomentType(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        from ingest.moment import parse_moment

        try:
            return parse_moment(str(value))
        except BadRequest as exc:
            self.fail(str(exc), param, ctx)


MOMENT = _MomentType()

as_of_option = click.option(
    "--as-of", type=MOMENT, metavar="T",
    help="Read what was known by then: 2025-01-15 (its end in New York) or an instant with its zone. Default: now.",
)  # fmt: skip


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--type, --agency, … ; the command takes them as **filters and calls `filters_of`."""
    options = (
        click.option("--type", "doc_type", metavar="TYPE", help="Only this kind, e.g. 'final rule'."),
        click.option("--agency", metavar="NAME", help="Only this agency's."),
        click.option("--authority", metavar="WHO", help="'official text', 'official statement' or 'secondary'."),
        click.option("--release", metavar="NUMBER", help="Only this release, e.g. 34-51808."),
        click.option("--section", "cfr_section", metavar="CFR", help="Only documents on this section, e.g. 242.612."),
        click.option("--company", metavar="NAME", help="Only filings of a company with this in its name."),
        click.option("--form", metavar="FORM", help="Only filings on this form, e.g. 10-K."),
        click.option("--document", metavar="ID", help="Only this document."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def filters_of(given: dict[str, str | None]) -> "Filters":
    """The filters as typed; a wrong kind or authority lists the right ones."""
    from api.schemas import Filters
    from ingest.document import Authority, DocType

    for name, kinds in (("doc_type", DocType), ("authority", Authority)):
        value = given.get(name)
        if value is not None and value.lower() not in list(kinds):
            raise BadRequest(f"no {name.replace('_', ' ')} {value!r}; there are {', '.join(kinds)}")
    return Filters.model_validate(
        {
            name: value.lower() if value and name in ("doc_type", "authority") else value
            for name, value in given.items()
        }
    )


# ---- printing


def console(*, stderr: bool = False) -> "Console":
    """Rich, which is plain where no person looks."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PLAIN_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def print_json(value: "BaseModel | dict[str, Any]") -> None:
    """One object, readable by people as well."""
    plain = value if isinstance(value, dict) else value.model_dump(mode="json")
    click.echo(json.dumps(plain, indent=2, ensure_ascii=False))


def note(words: str) -> None:
    """A line for the person at the terminal, out of the way of what a program reads."""
    click.echo(words, err=True)


Tell = Callable[[int, int | None, str], None]


@contextmanager
def progress(what: str, unit: str) -> Iterator[Tell]:
    """Show (done, total or None, detail) on stderr: a bar in a terminal, a line every two seconds elsewhere."""
    if sys.stderr.isatty():
        with _bar(what) as tell:
            yield tell
    else:
        yield _lines(what, unit)


@contextmanager
def _bar(what: str) -> Iterator[Tell]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task(what, total=None, detail="")

        def tell(done: int, total: int | None, detail: str) -> None:
            bar.update(task, completed=done, total=total, detail=detail[-48:])

        yield tell


def _lines(what: str, unit: str) -> Tell:
    last = 0.0

    def tell(done: int, total: int | None, detail: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PLAIN_SECONDS or done == total:
            last = now
            of = "" if total is None else f" of {total}"
            note(f"{what}: {done}{of} {unit}{', ' + detail if detail else ''}")

    return tell


# ---- failing


def fail(error: Exception, told: Mapping[str, Any]) -> int:
    """Say in one sentence what is wrong and what to do; the exit code. `told`: the common options as given."""
    if told.get("debug"):
        import traceback

        traceback.print_exception(error)
    words, hint = _sentence(error), getattr(error, "hint", "")
    if told.get("as_json"):
        kind = type(error).__name__
        print_json({"error": {"kind": kind, "message": words, "hint": hint}})
    else:
        note(f"regtape: {words}" + (f"; {hint}" if hint else ""))
    return _code(error)


def _sentence(error: Exception) -> str:
    if isinstance(error, RegTapeError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed; run `make demo` in the clone, or pip install it"
    if isinstance(error, PermissionError):
        return f"not allowed to use {error.filename}"
    return f"unexpected {type(error).__name__}: {error}; run it again with --debug to see where"


def _code(error: Exception) -> int:
    if isinstance(error, BadRequest):
        return USAGE
    return NOTHING if isinstance(error, NotKnown) else FAILED
