"""Turns are kept as JSON, one checkpoint each, and nothing else is ever read back."""

import json
import pickle
import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.conversation import converse
from agent.reply import Answer
from agent.threads import FILE, NEW, Threads
from ingest.errors import Damaged, NotKnown

AT = datetime(2026, 1, 1, tzinfo=UTC)


def answering(question: str) -> Answer:
    return Answer(question, AT)


def keep(answer: Answer) -> dict[str, Any]:
    return {"text": f"on {answer.question}", "asked_as": answer.asked_as}


def say(threads: Threads, words: str, thread: str = NEW, ask: Any = answering) -> Answer:
    return converse(threads, thread, words, None, ask, keep)


def test_follow_ups_are_read_against_the_thread_even_by_another_process(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(question: str) -> Answer:
        asked.append(question)
        return Answer(question, AT)

    with Threads(tmp_path) as threads:
        id = say(threads, "When must exchanges comply with Rule 612?", ask=ask).thread or ""
    with Threads(tmp_path) as threads:
        second = say(threads, "what about Rule 610?", id, ask)

    assert asked[1] == second.asked_as == "When must exchanges comply with Rule 610?"
    assert (second.question, second.turn) == ("what about Rule 610?", 2)


def test_a_turn_is_one_checkpoint_of_json(tmp_path: Path) -> None:
    with Threads(tmp_path) as threads:
        id = say(threads, "When?").thread or ""
        say(threads, "Why on earth does it rain?", id)

    with sqlite3.connect(tmp_path / FILE) as found:
        rows = found.execute("SELECT type, checkpoint FROM checkpoints").fetchall()
    assert [kind for kind, _ in rows] == ["json", "json"]
    assert json.loads(rows[1][1])["channel_values"]["turn"]["number"] == 2


def test_a_pickle_put_into_the_file_is_refused_and_never_loaded(tmp_path: Path) -> None:
    with Threads(tmp_path) as threads:
        id = say(threads, "When?").thread or ""
        threads.connection.execute(
            "UPDATE checkpoints SET type = 'pickle', checkpoint = ?", (pickle.dumps(Loaded()),)
        )

        with pytest.raises(Damaged, match="pickle"):
            threads.turns(id)
        with pytest.raises(Damaged, match="pickle"):
            say(threads, "Why?", id)
    assert not Loaded.loaded


class Loaded:
    """Tells when it is unpickled."""

    loaded = False

    def __reduce__(self) -> Any:
        return setattr, (Loaded, "loaded", True)


def test_a_turn_that_was_cut_off_is_not_kept(tmp_path: Path) -> None:
    def fail(question: str) -> Answer:
        raise KeyboardInterrupt

    with Threads(tmp_path) as threads:
        id = say(threads, "When?").thread or ""
        before = threads.turns(id)
        with pytest.raises(KeyboardInterrupt):
            say(threads, "Why?", id, fail)
        with pytest.raises(KeyboardInterrupt):
            say(threads, "Why?", NEW, fail)

        assert threads.turns(id) == before
        assert [row.id for row in threads.all()] == [id]
        assert say(threads, "Who then?", id).turn == 2
        assert [turn.number for turn in threads.turns(id)] == [1, 2]


def test_two_questions_of_one_thread_wait_for_each_other_across_connections(tmp_path: Path) -> None:
    inside: list[int] = []

    def slow(question: str) -> Answer:
        inside.append(1)
        time.sleep(0.1)
        assert len(inside) == 1
        inside.pop()
        return Answer(question, AT)

    with Threads(tmp_path) as threads:
        id = say(threads, "When?").thread or ""

    def talk(number: int) -> None:
        with Threads(tmp_path) as mine:
            say(mine, f"Is {number} a number?", id, slow)

    both = [threading.Thread(target=talk, args=(n,)) for n in (1, 2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    with Threads(tmp_path) as threads:
        assert [turn.number for turn in threads.turns(id)] == [1, 2, 3]


def test_threads_are_listed_by_when_they_were_last_spoken_in(tmp_path: Path) -> None:
    ticks = iter(range(100))
    with Threads(tmp_path, clock=lambda: AT + timedelta(seconds=next(ticks))) as threads:
        first = say(threads, "One " * 40).thread or ""
        second = say(threads, "Two").thread or ""
        say(threads, "More of one", first)

        assert [row.id for row in threads.all()] == [first, second]
        assert len(threads.all()[0].title) <= 80
        assert threads.all()[0].title.endswith("…")


def test_a_thread_that_is_deleted_is_not_known(tmp_path: Path) -> None:
    with Threads(tmp_path) as threads:
        id = say(threads, "When?").thread or ""
        threads.delete(id)
        for use in (threads.turns, threads.thread, threads.delete):
            with pytest.raises(NotKnown):
                use(id)
        with pytest.raises(NotKnown):
            say(threads, "Why?", id)


def test_a_file_that_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database at all" * 100)
    with pytest.raises(Damaged, match="cannot be read"):
        Threads(tmp_path)
