"""The benchmark of features: a client that charges a server for its stalls, and figures put together as they were measured."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval import load, speed_features
from eval.load import Load, Stream
from eval.speed_features import PARTS, command, features_speed, plot, write_history
from ingest.errors import BadRequest
from ingest.moment import now, to_micros
from sentiment.log import Tape
from sentiment.store import HELD, MemoryStore, follow


@contextmanager
def a_server(
    stall_at: int = -1, stall: float = 0.0, answer: bytes = b"", silent: int = -1
) -> Iterator[str]:
    """Answers each request at once, but for one: it stalls before that, or never answers it."""
    answer = answer or b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            await reader.readexactly(length)
            seen += 1
            if seen - 1 == silent:
                continue
            if seen - 1 == stall_at:
                threading.Event().wait(stall)  # the whole server, as a busy one would
            half = len(answer) // 2
            writer.write(answer[:half])
            await asyncio.sleep(0)
            writer.write(answer[half:])

    async def main() -> None:
        server = await asyncio.start_server(_until_closed(serve), "127.0.0.1", 0)
        port.append(server.sockets[0].getsockname()[1])
        started.set()
        while not stopping.is_set():
            await asyncio.sleep(0.02)
        server.close()

    port: list[int] = []
    started, stopping = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    started.wait()
    try:
        yield f"http://127.0.0.1:{port[0]}"
    finally:
        stopping.set()
        thread.join()


def _until_closed(serve: Any) -> Any:
    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return until_closed


def loaded(
    folder: Path, address: str, rate: float = 100, seconds: float = 1.0, **more: Any
) -> Load:
    stream = Stream([load.get(address, "/a"), load.post(address, "/b", {"x": 1})], rate, **more)
    return load.run(address, {"reads": stream}, seconds, folder)["reads"]


def test_a_stall_is_charged_for_everybody_who_would_have_come_meanwhile(tmp_path: Path) -> None:
    with a_server(stall_at=30, stall=0.5) as address:
        found = loaded(tmp_path, address, connections=2)
    slow = found.seconds[30:75]

    assert len(found.due) == 100
    assert (found.refused, found.unanswered) == (0, 0)
    assert slow[0] >= 0.5
    # Due every 10 ms while the server stood still: each waited 10 ms less than the one before it.
    assert np.all(slow[:40] > 0.45 - 0.01 * np.arange(40))
    assert found.seconds[:25].mean() < 0.2
    assert np.quantile(found.seconds, 0.99) > 0.4


def test_answers_in_chunks_and_of_another_status_are_told(tmp_path: Path) -> None:
    chunked = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    with a_server(answer=chunked) as address:
        found = loaded(tmp_path, address, seconds=0.3)
    assert (len(found.due), found.refused, found.unanswered) == (30, 30, 0)
    assert found.figures()["refused"] == {"value": 30, "low": 30, "high": 30, "n": 30}


def test_what_is_not_answered_counts_as_long_as_was_waited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_server(silent=3) as address:
        found = loaded(tmp_path, address, rate=20, seconds=0.5)
    assert found.unanswered == 1
    assert found.seconds.max() >= load.GRACE
    assert np.sort(found.seconds)[-2] < 1


def test_a_client_that_cannot_connect_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the load client failed"):
        loaded(tmp_path, "http://127.0.0.1:1", seconds=0.1)


def test_a_quantile_has_the_interval_of_its_rank() -> None:
    found = load.quantile(np.arange(1000.0), 0.99)
    assert found == {"value": pytest.approx(989.01), "low": 983, "high": 995, "n": 1000}
    assert load.quantile(np.empty(0), 0.5)["value"] is None


# ---- what is measured


def figure(value: float, n: int = 100) -> dict[str, float | int | None]:
    return {"value": value, "low": value, "high": value, "n": n}


@pytest.fixture(name="measured")
def _measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Parts that measure nothing."""
    measured: list[str] = []

    def http(job: Any) -> dict[str, Any]:
        measured.append("http")
        assert job.seconds == 2
        ours = {f"regtape, one symbol, {rate}/s": {"p99_ms": figure(rate / 100)} for rate in (100, 500)}  # fmt: skip
        return ours | {"regtape, ten symbols, 100/s": {"p99_ms": figure(7)}}

    def live(job: Any) -> dict[str, Any]:
        measured.append("live")
        return {"live": {"p99_ms": figure(20)}}

    monkeypatch.setattr(speed_features, "PARTS", {"http": http, "live": live})
    monkeypatch.setattr(speed_features, "redis_server", _no_redis)
    return measured


@contextmanager
def _no_redis() -> Iterator[None]:
    yield None


def test_figures_with_goals_stand_apart(measured: list[str]) -> None:
    found = features_speed(seconds=2, items=1000, instants=1000)
    values = {name: measure["value"] for name, measure in found["metrics"].items()}

    assert measured == ["http", "live"]
    assert values == {"p99_ms": 5, "ten_symbols_p99_ms": 7, "live_p99_ms": 20}
    assert (found["task"], found["dataset"], found["n"]) == ("speed", "features", 200)
    json.dumps(found)


@pytest.mark.usefixtures("measured")
def test_the_command_prints_a_table_or_one_object() -> None:
    words = ["--seconds", "2", "--part", "http"]
    table = CliRunner().invoke(command, words, obj={}, catch_exceptions=False)
    assert "regtape, one symbol, 500/s" in table.output
    plain = CliRunner().invoke(command, [*words, "--json"], obj={}, catch_exceptions=False)
    assert "live_p99_ms" not in json.loads(plain.stdout)["metrics"]
    with pytest.raises(BadRequest, match="they go with --minutes"):
        CliRunner().invoke(command, ["--plot", "x.png"], obj={}, catch_exceptions=False)


def test_a_history_has_a_score_for_each_item_and_none_waits(tmp_path: Path) -> None:
    write_history(tmp_path, 60, ("BAC", "ZZZZZ"), "drawn-1")
    with Tape(tmp_path) as tape:
        items, scores = tape.items(), tape.scores()
        assert tape.lag("drawn-1").waiting == 0
    assert len(items) == len(scores) == 60
    assert all(one.backfilled for one in items)
    assert {target.symbol for one in scores for target in one.score.targets} == {"BAC", "ZZZZZ"}


def test_of_a_steady_history_some_are_about_to_leave_what_a_store_holds(tmp_path: Path) -> None:
    began = to_micros(now())
    write_history(tmp_path, 150, ("BAC",), "drawn-1", leaving=50)
    with Tape(tmp_path) as tape:
        store = MemoryStore()
        follow(tape, store)
        known = np.array([to_micros(one.known_at) for one in tape.items()])
    leave = np.sort(known)[:50] + HELD
    assert store.items() == 150
    assert np.all((leave > began) & (leave < began + 5 * 60 * 10**6))
    assert np.sort(known)[50] + HELD > began + 86_400 * 10**6


def test_news_of_a_run_is_all_new() -> None:
    stream = speed_features.news("http://127.0.0.1:1", 3.0, "a")
    rows = [json.loads(one.partition(b"\r\n\r\n")[2]) for one in stream.requests]
    assert len({row["id"] for row in rows}) == len({row["headline"] for row in rows}) == 150
    assert all(len(row["symbols"]) == 1 for row in rows)


@pytest.mark.slow
def test_a_load_over_time_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    series = {
        "seconds": [0.0, 10.0], "p50_ms": [1.0, 1.1], "p99_ms": [2.0, 2.2], "memory_seconds": [0.0, 1.0],
        "memory_mib": {"server": [100.0, 101.0], "others": [300.0, 300.0]},
    }  # fmt: skip
    settings = {"reads_per_second": 500.0, "news_per_second": 50.0}
    plot({"series": series, "settings": settings}, tmp_path / "load.png")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_parts_that_need_no_server_run_for_real() -> None:
    found = features_speed(items=2000, instants=2000, parts=["sustained", "replay"])
    assert found["metrics"]["sustained_per_second"]["value"] > 100
    assert 0 < found["metrics"]["replay_seconds"]["value"] < 60
    assert found["metrics"]["bytes_per_symbol"]["value"] > 4 * 90, "four items a symbol"


@pytest.mark.slow
@pytest.mark.model
def test_the_load_over_http_and_the_live_part_run_for_real() -> None:
    found = features_speed(seconds=2, parts=["http", "live"])
    assert set(PARTS) >= {"http", "live"}
    for name in ("p99_ms", "ten_symbols_p99_ms", "live_p99_ms"):
        assert found["metrics"][name]["value"] > 0
    for group in found["groups"].values():
        assert group.get("refused", figure(0))["value"] == 0
