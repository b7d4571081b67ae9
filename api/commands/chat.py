"""Questions as they are typed in, or one a line from a pipe; their answers out, each read in the light of those before."""

import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.console import (
    DONE,
    FAILED,
    NOTHING,
    as_of_option,
    console,
    note,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import RegTapeError

if TYPE_CHECKING:
    from api.chat import Chat

_HISTORY = "chat-history"
_REMEMBERED = 1000  # lines


@regtape_command(
    "chat",
    short_help="A conversation: follow-ups, sources, export.",
    examples=(
        "regtape chat",
        "regtape chat --resume 3f9c",
        "printf 'When must exchanges comply with Rule 612?\\nand Rule 610?\\n' | regtape chat",
    ),
)
@as_of_option
@click.option(
    "--llm", metavar="NAME",
    help="A chat model that drafts, e.g. embedded; 'none': the evidence's own words. Default: REGTAPE_LLM.",
)  # fmt: skip
@click.option(
    "--resume", metavar="ID", help="Go on with this conversation; 'last': with the newest."
)
def command(as_of: datetime | None, llm: str | None, resume: str | None) -> int:
    """Ask, and ask on: what a question leaves out is taken from those before it. /help lists what else can be typed.

    Without a terminal, questions are read one a line; --json then prints one answer a line. Exit code 3 when none is answered.
    """
    chosen = settings(llm=llm)
    from agent.threads import Threads
    from api.chat import Chat
    from api.services import open_services

    live = sys.stdin.isatty() and sys.stdout.isatty() and not wants_json()
    with open_services(chosen) as services, Threads(chosen.home) as threads:
        chat = Chat(
            services, threads, console(), as_of=as_of, as_json=wants_json(), live=live
        )  # fmt: skip
        if resume:
            rows = threads.all()
            chat.resume(rows[0].id if resume == "last" and rows else resume)
        failed = _talk(chat, _typed(chat, chosen.home) if live else iter(sys.stdin), live)
    if failed:
        return FAILED
    return NOTHING if chat.answered and chat.answered == chat.refused else DONE


def _talk(chat: "Chat", lines: Iterator[str], live: bool) -> bool:
    """Take every line. What cannot be done is said, and the next one taken; whether that happened with nobody watching."""
    failed = False
    for line in lines:
        if not live and line.strip() and not chat.as_json:
            from api.render import show_question

            show_question(line.strip(), None, chat.console)
        try:
            chat.take(line)
        except RegTapeError as exc:
            note(f"regtape: {exc}")
            failed = not live
        if chat.done:
            break
    return failed


def _typed(chat: "Chat", home: Path) -> Iterator[str]:
    """Lines of a terminal, with history and completion of what follows a slash; Ctrl-C empties a line, Ctrl-D ends."""
    from api.chat import HELP

    note(HELP.partition("\n")[0] + " /help lists commands, Ctrl-D leaves.")
    with _LineEditing(chat, home / _HISTORY):
        while True:
            try:
                yield input("\n? ")
            except KeyboardInterrupt:
                note("")
            except EOFError:
                note("")
                return


class _LineEditing:
    """Python's own line editor, where it was built with one."""

    def __init__(self, chat: "Chat", file: Path) -> None:
        self._chat, self._file = chat, file

    def __enter__(self) -> None:
        with suppress(ImportError, OSError):
            import readline

            readline.set_completer_delims(" ")
            readline.set_completer(self._complete)
            readline.parse_and_bind("tab: complete")
            readline.set_history_length(_REMEMBERED)
            if self._file.exists():
                readline.read_history_file(self._file)

    def __exit__(self, *_: object) -> None:
        with suppress(ImportError, OSError):
            import readline

            self._file.touch(mode=0o600)
            readline.write_history_file(self._file)

    def _complete(self, text: str, number: int) -> str | None:
        found = [f"/{c} " for c in self._chat.commands if f"/{c}".startswith(text)]
        return found[number] if text.startswith("/") and number < len(found) else None
