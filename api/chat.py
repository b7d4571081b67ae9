"""Lines that a person types in, answers of one conversation out: what `regtape chat` does, apart from where lines come from."""

import contextlib
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.budget import is_stop
from agent.reply import Step
from agent.threads import NEW, Threads
from api.asking import Question, answer, public_json
from api.exports import as_json, as_markdown, read_thread
from api.render import paragraph, safe, show_answer
from api.schemas import Answer
from api.services import Services
from ingest.errors import BadRequest, NotKnown, RegTapeError
from ingest.moment import civil_day, parse_moment

_AROUND = 500  # characters shown before and after a quote that is opened

HELP = """\
Type a question; what it leaves out is taken from the questions before it ("and for stocks under a dollar?", "why?").
  /as-of DAY      from now on, what was known by then; /as-of now ends it
  /sources        the quotes of the last answer
  /open N         quote N where it stands
  /steps          what was done for the last answer, what was dropped and why
  /threads        conversations kept
  /resume ID      go on with one; the beginning of its id is enough
  /new            begin another
  /export FILE    this conversation as FILE.json or FILE.md; `regtape verify FILE` checks it again
  /help, /quit"""


@dataclass
class Chat:
    """One conversation with one person. thread: its id, NEW before its first turn; shows: as JSON lines, or for people."""

    services: Services
    threads: Threads
    console: Console
    thread: str = NEW
    as_of: datetime | None = None
    as_json: bool = False
    live: bool = False
    answered: int = 0
    refused: int = 0
    last: Answer | None = None
    done: bool = False
    _commands: dict[str, Callable[[str], None]] = field(init=False)

    def __post_init__(self) -> None:
        self._commands = {
            "as-of": self._as_of, "sources": self._sources, "open": self._open, "steps": self._steps,
            "threads": self._threads, "resume": self.resume, "new": self._new, "export": self._export,
            "help": self._help, "quit": self._quit, "exit": self._quit,
        }  # fmt: skip

    @property
    def commands(self) -> list[str]:
        """What may follow a slash."""
        return sorted(self._commands)

    def take(self, line: str) -> None:
        """Answer a question, or do what a line with a slash says. Raises RegTapeError where it cannot be."""
        words = line.strip()
        if not words:
            return
        if not words.startswith("/"):
            self._ask(words)
            return
        name, _, rest = words[1:].partition(" ")
        found = [each for each in self._commands if each.startswith(name)] if name else []
        if name in self._commands:
            found = [name]
        if len(found) != 1:
            raise BadRequest(f"no command /{name}; there are /{', /'.join(self.commands)}")
        self._commands[found[0]](rest.strip())

    def resume(self, id: str) -> None:
        """Go on with a conversation, named by its id or the beginning of it. Raises NotKnown, BadRequest."""
        found = [row for row in self.threads.all() if id and row.id.startswith(id)]
        if not found:
            raise NotKnown(f"no conversation {id!r}; /threads lists them")
        if len(found) > 1:
            raise BadRequest(f"{len(found)} conversations begin with {id!r}; give more of the id")
        self.thread = found[0].id
        turns = read_thread(self.threads, self.thread).turns
        self.last = turns[-1].answer
        self._say(f"{found[0].title} ({len(turns)} turns; the last: {turns[-1].question})")

    def _ask(self, words: str) -> None:
        question = Question(words, self.as_of, thread=self.thread)
        try:
            with self._working() as tell, _until_interrupted() as stopped:
                found = answer(self.services, question, tell, stopped)
        except RegTapeError as exc:
            if not is_stop(exc):
                raise
            self._say("Stopped; nothing of it is kept.")
            return
        self.thread = found.thread or NEW
        self.last = Answer.of(found)
        self.answered += 1
        self.refused += found.refusal is not None
        if self.as_json:
            self.console.file.write(json.dumps(public_json(found), ensure_ascii=False) + "\n")
            self.console.file.flush()
        else:
            show_answer(self.last, self.console)

    @contextlib.contextmanager
    def _working(self) -> Iterator[Callable[[Step], None]]:
        """Within it each step is told as it ends, on a line that goes away again."""
        if not self.live:
            yield lambda _: None
            return
        with self.console.status("…") as status:

            def tell(step: Step) -> None:
                status.update(Text(f"{step.name}: {safe(step.detail)[:80]}", style="dim"))

            yield tell

    # ---- what a slash says

    def _as_of(self, when: str) -> None:
        self.as_of = None if when.lower() in ("", "now") else parse_moment(when)
        self._say(f"As of {civil_day(self.as_of)} from now on." if self.as_of else "As of now.")

    def _sources(self, _: str) -> None:
        for c in self._answer().citations:
            page = f"page {c.page}" if c.page is not None else ""
            place = " · ".join(filter(None, [c.title, c.reference, c.section, page]))
            paragraph(
                self.console,
                f"[{c.number}] {place} · {c.speaker}, {c.stage}",
                indent="    ",
                first="",
            )
        if not self._answer().citations:
            self._say("The last answer quotes nothing.")

    def _open(self, number: str) -> None:
        cited = {str(c.number): c for c in self._answer().citations}
        if number not in cited:
            raise BadRequest(f"no quote {number or '…'}; the last answer has 1 to {len(cited)}")
        c = cited[number]
        text = self.services.catalog.text(c.document_id)
        before = text[max(0, c.start - _AROUND) : c.start]
        after = text[c.end : c.end + _AROUND]
        shown = Text(safe(_flat(before)), style="dim")
        shown.append(safe(_flat(text[c.start : c.end])), style="default bold reverse")
        shown.append(safe(_flat(after)), style="dim")
        self.console.print(Text(f"{c.title} · {c.document_id} [{c.start}, {c.end})", style="bold"))
        self.console.print(shown)

    def _steps(self, _: str) -> None:
        for step in self._answer().steps:
            self._say(f"{step.name} {step.milliseconds:.0f} ms: {step.detail}")
        for dropped in self._answer().dropped:
            self._say(f"dropped ({dropped.point}: {dropped.reason}) {dropped.text}")

    def _threads(self, _: str) -> None:
        rows = self.threads.all()
        for row in rows:
            mark = "*" if row.id == self.thread else " "
            self._say(
                f"{mark} {row.id}  {row.updated_at:%Y-%m-%d %H:%M}  {row.turns:>3} turns  {row.title}"
            )
        if not rows:
            self._say("No conversation is kept yet.")

    def _new(self, _: str) -> None:
        self.thread, self.last = NEW, None
        self._say("A new conversation.")

    def _export(self, file: str) -> None:
        if not file:
            raise BadRequest("say where to: /export FILE.json or /export FILE.md")
        if self.thread == NEW:
            raise BadRequest("nothing has been asked yet")
        path = Path(file).expanduser()
        written = as_markdown if path.suffix in (".md", ".markdown") else as_json
        try:
            path.write_text(written(read_thread(self.threads, self.thread)), encoding="utf-8")
        except OSError as exc:
            raise BadRequest(f"{path} cannot be written: {exc.strerror}") from exc
        self._say(f"Written to {path}; check it again with: regtape verify {path}")

    def _help(self, _: str) -> None:
        self._say(HELP)

    def _quit(self, _: str) -> None:
        self.done = True

    def _answer(self) -> Answer:
        if self.last is None:
            raise BadRequest("nothing has been asked yet")
        return self.last

    def _say(self, words: str) -> None:
        for line in words.splitlines():
            self.console.print(Text(safe(line)), soft_wrap=True)


@contextlib.contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Within it Ctrl-C ends the answer and not the program: what is yielded tells whether it was pressed."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    before = signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _flat(words: str) -> str:
    return re.sub(r"\s+", " ", words)
