"""`regtape chat`: what is typed is answered, follow-ups included, and kept; in a terminal, from a pipe, and line by line."""

import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from rich.console import Console

from agent.reply import Answer
from agent.threads import NEW, Threads
from api.chat import Chat
from api.exports import answers_in
from api.services import Services
from ingest.errors import BadRequest, NotKnown
from tests.api.fakes import FakeAgent, fake_services
from tests.conftest import Regtape

QUESTION = "What is the access fee cap for quotations priced at $1.00 or more?"


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path / "home") as services:
        yield services


@pytest.fixture(name="chat")
def _chat(services: Services) -> Iterator[Chat]:
    with Threads(services.settings.home) as threads:
        yield Chat(services, threads, Console(file=io.StringIO(), width=100))


def said(chat: Chat) -> str:
    file: Any = chat.console.file
    text: str = file.getvalue()
    file.seek(0)
    file.truncate()
    return text


def test_questions_are_turns_of_one_conversation(chat: Chat) -> None:
    chat.take("How many lamps?")
    chat.take("And why so many lamps?")

    assert "Each venue must keep one lamp lit." in said(chat)
    (row,) = chat.threads.all()
    assert (row.id, row.turns) == (chat.thread, 2)


def test_a_conversation_is_left_listed_and_gone_on_with(chat: Chat) -> None:
    chat.take("How many lamps?")
    first = chat.thread
    chat.take("/new")
    assert chat.thread == NEW
    chat.take("Any lamps?")
    said(chat)

    chat.take("/threads")
    assert re.findall(r"[0-9a-f]{16}", said(chat)) == [chat.thread, first]
    chat.take(f"/resume {first[:9]}")
    assert (chat.thread, "How many lamps? (1 turns" in said(chat)) == (first, True)
    chat.take("/sources")
    assert "[1] Lamps" in said(chat)


def test_a_quote_is_opened_where_it_stands(chat: Chat) -> None:
    chat.take("How many lamps?")
    said(chat)
    chat.take("/open 1")
    assert "A lamp rule. Each venue must keep one lamp lit. The lamp may be green." in said(chat)


def test_the_day_holds_until_it_is_ended(chat: Chat, services: Services) -> None:
    agent: Any = services.agent
    assert isinstance(agent, FakeAgent)
    for line in ("/as-of 2024-01-31", "How many lamps?", "/as-of now", "How many lamps?"):
        chat.take(line)
    assert [as_of and as_of.year for _, as_of, _ in agent.asked] == [2024, None]


@pytest.mark.parametrize("name", ["talk.md", "talk.json"])
def test_an_export_can_be_verified(chat: Chat, tmp_path: Path, name: str) -> None:
    chat.take("How many lamps?")
    chat.take(f"/export {tmp_path / name}")
    (answer,) = answers_in((tmp_path / name).read_text(), name)
    assert answer.citations[0].quote == "Each venue must keep one lamp lit."


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("/nope", BadRequest), ("/", BadRequest), ("/open 1", BadRequest), ("/sources", BadRequest),
        ("/export x.md", BadRequest), ("/export", BadRequest), ("/resume zz", NotKnown), ("/as-of never", BadRequest),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(chat: Chat, line: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        chat.take(line)
    assert not chat.done


def test_a_command_may_be_cut_short_and_help_names_them_all(chat: Chat) -> None:
    chat.take("/he")
    text = said(chat)
    for name in ("as-of", "sources", "open", "export", "threads", "resume", "steps", "new"):
        assert f"/{name}" in text
    chat.take("/q")
    assert chat.done


def test_ctrl_c_ends_the_answer_and_not_the_conversation(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat.take("How many lamps?")
    before = chat.threads.turns(chat.thread)

    def slow(agent: FakeAgent, question: str, **more: Any) -> Answer:
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        while True:
            time.sleep(0.01)
            more["budget"].check()

    monkeypatch.setattr(FakeAgent, "ask", slow)
    chat.take("How many more lamps?")

    assert "Stopped; nothing of it is kept." in said(chat)
    assert chat.threads.turns(chat.thread) == before


# ---- the real command


@pytest.mark.slow
def test_piped_questions_are_answered_one_a_line_and_follow_up(
    regtape: Regtape, sample_home: Path, tmp_path: Path
) -> None:
    home = _copied(sample_home, tmp_path)
    lines = f"{QUESTION}\nand below that?\n"
    done = regtape(
        "chat", "--json", stdin=lines, REGTAPE_HOME=str(home), REGTAPE_EMBEDDER="hashing"
    )

    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0, done.stderr
    assert first["thread"] == second["thread"]
    assert (first["turn"], second["turn"]) == (1, 2)
    assert second["asked_as"] == "What is the access fee cap for quotations priced below $1.00?"
    (tmp_path / "talk.jsonl").write_text(done.stdout)
    checked = regtape("verify", str(tmp_path / "talk.jsonl"), REGTAPE_HOME=str(home))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.slow
def test_a_person_at_a_terminal_asks_opens_exports_and_leaves(
    regtape: Regtape, sample_home: Path, tmp_path: Path
) -> None:
    home, file = _copied(sample_home, tmp_path), tmp_path / "talk.md"
    with _Terminal("chat", REGTAPE_HOME=str(home), REGTAPE_EMBEDDER="hashing") as terminal:
        terminal.until("Ctrl-D leaves")
        terminal.type(QUESTION)
        shown = terminal.until("drafted by")
        assert "[1]" in shown
        assert "\x1b[" in shown  # colours, for there is somebody to see them
        terminal.type("/nope")
        terminal.until("no command /nope")
        terminal.type(f"/export {file}")
        terminal.until("check it again with")
        terminal.type("/quit")  # Ctrl-D before the prompt is back would go to nobody
        assert terminal.ended() == 0

    checked = regtape("verify", str(file), REGTAPE_HOME=str(home))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert QUESTION in (home / "chat-history").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_completion(regtape: Regtape, shell: str) -> None:
    done = regtape("completion", shell)
    assert done.returncode == 0
    assert f"_REGTAPE_COMPLETE={shell}_complete" in done.stdout


def test_completion_knows_commands_and_options(regtape: Regtape) -> None:
    def completed(words: str) -> str:
        count = str(len(words.split()) - 1)
        return regtape(_REGTAPE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=count).stdout

    assert "plain,chat" in completed("regtape ch")
    assert "plain,--resume" in completed("regtape chat --re")


def _copied(home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(home, tmp_path / "copied"))


class _Terminal:
    """`regtape …` as it runs for a person: behind a pseudo-terminal."""

    def __init__(self, *words: str, **environment: str) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self._process = subprocess.Popen(
            [str(Path(sys.executable).parent / "regtape"), *words],
            stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | environment | {"TERM": "xterm"},
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)

    def type(self, words: str) -> None:
        os.write(self._ours, f"{words}\n".encode())

    def until(self, words: str, seconds: float = 60) -> str:
        shown, deadline = "", time.monotonic() + seconds
        while words not in shown:
            assert time.monotonic() < deadline, f"{words!r} was not shown, but {shown[-2000:]!r}"
            if select.select([self._ours], [], [], 0.1)[0]:
                shown += os.read(self._ours, 65536).decode(errors="replace")
        return shown

    def ended(self) -> int:
        return self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)
