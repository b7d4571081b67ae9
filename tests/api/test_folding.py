"""A store follows the log through another process, and goes on when that process is killed."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.folding import Beside, Folding, Here
from api.settings import Settings
from sentiment.history import Batch
from sentiment.log import Receipt, Tape
from sentiment.store import MemoryStore
from tests.api.serving import scored


@pytest.fixture(name="tape")
def _tape(tmp_path: Path) -> Iterator[Tape]:
    with Tape(tmp_path) as tape:
        yield tape


def wait(condition: Callable[[], Any], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.01)


def test_a_store_follows_through_a_process_and_without_it_once_that_is_killed(
    tape: Tape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(tape, "a", "LAMP")
    store, here = MemoryStore(), Here(tape)
    read_here: list[Receipt] = []
    after = Here.after

    def noted(self: Here, over: Receipt, seconds: float) -> Batch | None:
        found = after(self, over, seconds)
        if found is not None:
            read_here.append(over)
        return found

    monkeypatch.setattr(Here, "after", noted)
    following = Beside(Settings(home=tmp_path), here)
    folded: list[int] = []
    folding = Folding(store, following, lambda: folded.append(store.applied().offset))
    try:
        wait(lambda: folding.ready)
        assert store.applied().offset == tape.head() == 2
        wait(lambda: following._open)
        read_here.clear()
        scored(tape, "b", "LAMP")
        following.wake()
        wait(lambda: store.applied().offset == tape.head())
        assert not read_here

        assert following._process.pid is not None
        os.kill(following._process.pid, signal.SIGKILL)
        wait(lambda: not following._process.is_alive())
        scored(tape, "c", "LAMP")
        wait(lambda: store.applied().offset == tape.head())
        assert read_here
        assert folded[-1] == tape.head()
        assert folding.fault == ""
    finally:
        folding.close()
    assert not following._process.is_alive()


def test_a_store_that_fails_is_told_of_and_tried_again(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored(tape, "a", "LAMP")
    store, failing = MemoryStore(), [True]

    def folded() -> None:
        if failing:
            raise OSError("no room")

    monkeypatch.setattr("api.folding._PAUSE_SECONDS", 0.01)
    folding = Folding(store, Here(tape), folded)
    try:
        wait(lambda: folding.fault == "no room")
        failing.clear()
        scored(tape, "b", "LAMP")
        wait(lambda: store.applied().offset == tape.head())
        wait(lambda: folding.ready and not folding.fault)
    finally:
        folding.close()
