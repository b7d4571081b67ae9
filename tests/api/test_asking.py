"""Worker processes: one that dies or overruns its time is replaced, and too long a queue is refused."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from api.asking import ProcessAsker, Question
from api.settings import Settings
from ingest.errors import NotKnown, OverBudget, SourceDown

# Module-level: a worker process imports them by name.


def die() -> None:
    os._exit(3)


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def priority() -> int:
    return os.nice(0)


def settings(home: Path, **chosen: object) -> Settings:
    return Settings.model_validate({"home": home, "embedder": "hashing", **chosen})


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced(tmp_path: Path) -> None:
    async def scenario() -> str:
        asker = ProcessAsker(settings(tmp_path))
        try:
            with pytest.raises(SourceDown, match="keep dying"):
                await asker._run(die)
            return await asker._run(sleep, 0)
        finally:
            await asker.close()

    assert asyncio.run(scenario()) == "slept"


@pytest.mark.slow
def test_what_takes_too_long_is_given_up_and_the_next_is_served(tmp_path: Path) -> None:
    async def scenario() -> dict[str, str]:
        asker = ProcessAsker(settings(tmp_path, ask_seconds=15))
        try:
            await asker.ping()
            with pytest.raises(OverBudget, match="longer than 15 seconds"):
                await asker._run(sleep, 60)
            return await asker.ping()
        finally:
            await asker.close()

    assert asyncio.run(scenario()) == {"catalog": "", "index": "", "embedder": ""}


@pytest.mark.slow
def test_workers_answer_at_lower_priority_and_a_full_queue_is_refused(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, list[object]]:
        asker = ProcessAsker(settings(tmp_path, ask_queue=2))
        try:
            nice = await asker._run(priority)
            await asyncio.gather(*asker._warming)
            jobs = (asker._run(sleep, 0.3) for _ in range(3))
            return nice, list(await asyncio.gather(*jobs, return_exceptions=True))
        finally:
            await asker.close()

    nice, outcomes = asyncio.run(scenario())
    assert nice == os.nice(0) + 10
    assert outcomes[:2] == ["slept", "slept"]
    assert isinstance(outcomes[2], OverBudget)


@pytest.mark.slow
def test_a_worker_that_cannot_open_says_why(tmp_path: Path) -> None:
    async def scenario() -> None:
        asker = ProcessAsker(settings(tmp_path, embedder="word3vec"))
        try:
            await asker.ask(Question("anything?"), lambda _: None)
        finally:
            await asker.close()

    with pytest.raises(NotKnown, match="word3vec"):
        asyncio.run(scenario())


@pytest.mark.slow
def test_an_answer_that_nobody_waits_for_is_stopped_inside_its_worker(tmp_path: Path) -> None:
    async def scenario() -> tuple[bool, dict[str, str]]:
        asker = ProcessAsker(settings(tmp_path))
        try:
            await asyncio.gather(*asker._warming)
            asked = asyncio.ensure_future(asker.ask(Question("anything?"), lambda _: None))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            told = 1 in list(asker._crew._stopped)
            return told, await asker.ping()
        finally:
            await asker.close()

    told, state = asyncio.run(scenario())
    assert told
    assert state == {"catalog": "", "index": "", "embedder": ""}
