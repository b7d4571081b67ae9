"""A thread's id in, its turns out: conversations as threads.db keeps them, read without LangGraph.

agent/conversation.py writes each turn as one checkpoint of a LangGraph; what is stored is JSON, and nothing else is ever
read back. This module lists, reads and deletes threads, and lets one turn at a time into each.
"""

import fcntl
import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest.errors import Damaged, NotKnown
from ingest.moment import Clock, now

NEW = "new"  # in place of an id: begin a thread
FILE = "threads.db"
_TITLE = 80  # characters
_LOCKS = 64  # files that keep turns of one thread apart; two threads may share one and wait in vain, never wrongly
_BUSY_SECONDS = 30.0  # that a statement waits while another process writes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS threads (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, turns INTEGER NOT NULL,
    owner TEXT NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class ThreadRow:
    """A thread in a listing; title: the beginning of its first question."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int


@dataclass(frozen=True, slots=True)
class Turn:
    """One question of a thread. asked_as: the question that was answered, "" where it is the words themselves; as_of: as
    asked, None for now; answer: the public JSON of an answer.
    """

    number: int
    question: str
    asked_as: str
    as_of: str | None
    answer: dict[str, Any]


class Threads:
    """The conversations of one home. Open it where it is used, and close it: several processes may have it open.

    owner: whose threads there are, the others' being as good as not there; None: everybody's.
    """

    def __init__(self, home: Path, *, owner: str | None = None, clock: Clock = now) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._locks = home / "threads-locks"
        self._clock, self._owner = clock, owner
        self.connection = sqlite3.connect(
            home / FILE, check_same_thread=False, timeout=_BUSY_SECONDS, isolation_level=None
        )
        try:
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("PRAGMA secure_delete=ON")  # a deleted conversation is gone
            self.connection.execute(_SCHEMA)
        except sqlite3.DatabaseError as exc:
            self.connection.close()
            raise Damaged(f"{FILE} cannot be read ({exc}); move it away to begin anew") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()

    # ---- reading

    def all(self) -> list[ThreadRow]:
        """Threads with at least one turn, the one last spoken in first."""
        rows = self.connection.execute(
            "SELECT id, title, created_at, updated_at, turns FROM threads"
            " WHERE turns > 0 AND owner = coalesce(?, owner) ORDER BY updated_at DESC, id",
            (self._owner,),
        )
        return [_row(each) for each in rows]

    def thread(self, id: str) -> ThreadRow:
        """One thread. Raises NotKnown."""
        found = self.connection.execute(
            "SELECT id, title, created_at, updated_at, turns FROM threads WHERE id = ? AND owner = coalesce(?, owner)",
            (id, self._owner),
        ).fetchone()
        if found is None:
            raise NotKnown(f"no thread {id!r}; it was deleted, or never begun in this home")
        return _row(found)

    def turns(self, id: str) -> list[Turn]:
        """The turns of a thread in order. Raises NotKnown."""
        if not self.thread(id).turns:
            return []
        rows = self.connection.execute(
            "SELECT type, checkpoint FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY checkpoint_id",
            (id,),
        )
        found: dict[int, Turn] = {}
        for kind, blob in rows:
            turn = read_json(kind, blob)["channel_values"].get("turn")
            if turn:
                found[turn["number"]] = Turn(**turn)
        return list(found.values())

    # ---- writing

    def begin(self, question: str) -> str:
        """The id of a new thread; it is listed once it has a turn."""
        id, at = secrets.token_hex(8), self._clock().isoformat()
        title = question if len(question) <= _TITLE else question[: _TITLE - 1].rstrip() + "…"
        self.connection.execute(
            "INSERT INTO threads VALUES (?, ?, ?, ?, 0, ?)", (id, title, at, at, self._owner or "")
        )
        return id

    def spoken(self, id: str, turns: int) -> None:
        """A turn was kept."""
        self.connection.execute(
            "UPDATE threads SET updated_at = ?, turns = ? WHERE id = ?",
            (self._clock().isoformat(), turns, id),
        )

    def delete(self, id: str) -> None:
        """Forget a thread with all it said. Raises NotKnown."""
        self.thread(id)
        with self.alone(id):
            self.forget(id)

    def forget(self, id: str) -> None:
        """As `delete`, for whoever is alone in the thread already."""
        tables = self.connection.execute(
            "SELECT name FROM sqlite_master WHERE name IN ('checkpoints', 'writes')"
        ).fetchall()
        self.connection.execute("BEGIN IMMEDIATE")
        for (table,) in tables:
            self.connection.execute(f"DELETE FROM {table} WHERE thread_id = ?", (id,))
        self.connection.execute("DELETE FROM threads WHERE id = ?", (id,))
        self.connection.execute("COMMIT")

    @contextmanager
    def alone(self, id: str) -> Iterator[None]:
        """Within it no other thread or process is in a turn of this thread; a process that dies lets go."""
        self._locks.mkdir(exist_ok=True)
        which = sum(id.encode()) % _LOCKS
        with closing((self._locks / str(which)).open("w")) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def to_json(value: object) -> tuple[str, bytes]:
    """What is stored of a checkpoint. An error that ended a turn is kept as its words."""
    return "json", json.dumps(value, ensure_ascii=False, default=repr).encode()


def read_json(kind: str, stored: bytes) -> Any:
    """The same, read. Raises Damaged for anything but JSON: nothing is ever unpickled."""
    if kind != "json":
        raise Damaged(f"{FILE} holds {kind!r} where only JSON is written; it is not read")
    return json.loads(stored)


def _row(found: tuple[str, str, str, str, int]) -> ThreadRow:
    id, title, created, updated, turns = found
    return ThreadRow(
        id, title, datetime.fromisoformat(created), datetime.fromisoformat(updated), turns
    )
