"""Pushed features: whatever changes a symbol's is told once, in order, and what was missed is told again the same."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api.app import create_app
from api.deps import Opened
from sentiment.log import Tape
from tests.api.fakes import fake_services
from tests.api.serving import an_item, scored, served, wait_until_folded

NAMES = "sentiment_mean_1d,volume_1d,age_seconds,sentiment_ewma_5m"


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        settings = services.settings.model_copy(
            update={"push_seconds": 0.2, "push_waiting": 16, "request_bytes": 100_000}
        )
        yield create_app(settings, services)


@pytest.fixture(name="address")
def _address(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


def tape_of(app: FastAPI) -> Tape:
    opened: Opened = app.state.opened
    return opened.tape


class Events:
    """What a stream tells: `next` gives an event by name, past those of other names."""

    def __init__(self, response: httpx2.Response) -> None:
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        event: dict[str, Any] = {}
        for line in self._lines:
            name, _, value = line.partition(": ")
            if name:
                event[name] = json.loads(value) if name == "data" else value
            else:
                yield event
                event = {}

    def next(self, *names: str) -> dict[str, Any]:
        return next(event for event in self if event.get("event") in names)


@contextmanager
def listening(
    address: str, symbols: str, *, after: str | int | None = None, last: str | None = None
) -> Iterator[Events]:
    query = {"symbols": symbols, "names": NAMES} | (
        {"after": str(after)} if after is not None else {}
    )
    headers = {"Last-Event-ID": last} if last else {}
    with httpx2.stream(
        "GET", f"{address}/v1/stream/features", params=query, headers=headers, timeout=20
    ) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)


def told(events: Events, number: int) -> list[dict[str, Any]]:
    return [events.next("features", "dropped") for _ in range(number)]


# ---- in order, none missed


def test_every_score_that_touches_a_symbol_is_told_once_and_in_order(
    app: FastAPI, address: str
) -> None:
    tape = tape_of(app)
    with listening(address, "LAMP,BELL") as events:
        start = events.next("start")
        offsets = [scored(tape, f"a{n}", ("LAMP", "BELL", "GONG")[n % 3]) for n in range(9)]
        messages = told(events, 6)

    of_ours = [offset for n, offset in enumerate(offsets) if n % 3 < 2]
    data = [message["data"] for message in messages]
    assert [each["seq"] for each in data] == of_ours
    assert [each["prev"] for each in data] == [start["data"]["after"], *of_ours[:-1]]
    assert [message["id"] for message in messages] == [str(offset) for offset in of_ours]
    assert [each["symbol"] for each in data] == ["LAMP", "BELL"] * 3
    assert [each["values"]["volume_1d"] for each in data] == [1.0, 1.0, 2.0, 2.0, 3.0, 3.0]
    assert all(each["receipt"]["offset"] == each["seq"] for each in data)


def test_what_was_scored_and_is_corrected_or_retracted_is_told_when_that_becomes_known(
    app: FastAPI, address: str
) -> None:
    tape = tape_of(app)
    scored(tape, "a0", "LAMP")
    with listening(address, "LAMP,BELL") as events:
        events.next("start")
        (corrected,) = tape.append([an_item("c", "BELL", kind="correction", refers_to="a0")])
        tape.append([an_item("r", "BELL", kind="retraction", refers_to="unheard of")])
        later = scored(tape, "a1", "LAMP")
        (retracted,) = tape.append([an_item("s", "LAMP", kind="retraction", refers_to="a1")])
        messages = [message["data"] for message in told(events, 3)]

    assert [each["seq"] for each in messages] == [corrected.offset, later, retracted.offset]
    assert [each["symbol"] for each in messages] == ["LAMP"] * 3
    assert [each["values"]["volume_1d"] for each in messages] == [0.0, 1.0, 0.0]
    for message in messages:
        query = {"names": NAMES, "as_of": message["as_of"], "head": message["seq"]}
        read = httpx2.get(f"{address}/v1/features/LAMP", params=query).json()
        assert read["values"] == message["values"]


def test_a_message_is_what_a_read_as_of_its_moment_gives(app: FastAPI, address: str) -> None:
    tape = tape_of(app)
    with listening(address, "LAMP") as events:
        events.next("start")
        for n in range(4):
            scored(tape, f"a{n}", "LAMP", positive=n / 10)
        messages = [message["data"] for message in told(events, 4)]
    for message in messages:
        query = {"names": NAMES, "as_of": message["as_of"], "head": message["seq"]}
        read = httpx2.get(f"{address}/v1/features/LAMP", params=query).json()

        assert read["values"] == message["values"]
        assert read["receipt"] == message["receipt"]


def test_one_score_about_two_symbols_is_two_messages_and_a_reader_may_come_back_between_them(
    app: FastAPI, address: str
) -> None:
    tape = tape_of(app)
    with listening(address, "LAMP,BELL") as events:
        events.next("start")
        scored(tape, "a", "BELL", "LAMP")
        first, second = told(events, 2)
    with listening(address, "LAMP,BELL", last=first["id"]) as events:
        again = told(events, 1)[0]

    assert (first["data"]["symbol"], second["data"]["symbol"]) == ("LAMP", "BELL")
    assert first["id"] == f"{second['id']}/1"
    assert second["data"]["prev"] == second["data"]["seq"]
    assert again == second


@pytest.mark.parametrize("seen", [0, 1, 7, 39, 40])
def test_who_comes_back_is_told_what_one_who_stayed_was_told(
    app: FastAPI, address: str, seen: int
) -> None:
    tape = tape_of(app)
    with listening(address, "LAMP,BELL") as staying:
        start = staying.next("start")
        for n in range(40):
            scored(tape, f"a{n}", "LAMP" if n % 2 else "BELL", positive=n / 60)
            if n % 8 == 7:
                wait_until_folded(tape, app)
                time.sleep(0.02)
        stayed = told(staying, 40)
        last = stayed[seen - 1]["id"] if seen else start["id"]
        # What comes late, is revised or is filled in meanwhile changes nothing that was told.
        scored(tape, "late", "GONG", backfill=True)
        scored(tape, "a1", "GONG", headline="Another text under the id of one that was told")
        with listening(address, "LAMP,BELL", last=last) as back:
            returned = told(back, 40 - seen)
            final = scored(tape, "z", "LAMP")
            revised, live = told(back, 2)

    assert returned == stayed[seen:]
    assert revised["data"]["prev"] == int(stayed[-1]["id"])
    assert (live["data"]["seq"], live["data"]["prev"]) == (final, revised["data"]["seq"])


def test_a_stream_that_is_silent_says_that_it_lives_and_how_far_the_log_is(
    app: FastAPI, address: str
) -> None:
    tape = tape_of(app)
    with listening(address, "LAMP") as events:
        start = events.next("start")
        scored(tape, "a", "GONG")
        wait_until_folded(tape, app)
        beat = events.next("heartbeat")
        while beat["data"]["head"] < tape.head():
            beat = events.next("heartbeat")

    assert beat["data"] == {"head": 2, "prev": start["data"]["after"]}
    assert "id" not in beat


# ---- slow readers


@contextmanager
def not_reading(address: str) -> Iterator[socket.socket]:
    """A reader that asks, and then takes nothing from its small buffer."""
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((host, int(port)))
        idle.sendall(
            f"GET /v1/stream/features?symbols=LAMP&set=all HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        )
        yield idle


def test_a_slow_reader_is_dropped_with_a_reason_and_a_fast_one_misses_nothing(
    app: FastAPI, address: str
) -> None:
    tape, push = tape_of(app), app.state.opened.features.push
    offsets: list[int] = []
    with listening(address, "LAMP") as fast, not_reading(address) as slow:
        fast.next("start")
        wait_for(lambda: len(push._listening) == 2)
        while len(push._listening) == 2:
            offsets += [scored(tape, f"a{len(offsets)}", "LAMP")]
            seen = told(fast, 1)[0]["data"]
            assert seen["seq"] == offsets[-1]
            assert len(offsets) < 2000, "the slow reader was never dropped"
        offsets += [scored(tape, "z", "LAMP")]
        assert told(fast, 1)[0]["data"]["seq"] == offsets[-1]
        rest = read_all(slow)

    assert b"event: dropped" in rest
    assert b'{"reason":"16 messages wait to be read"' in rest
    assert httpx2.get(f"{address}/metrics").text.count("regtape_dropped_streams_total 1.0") == 1


def wait_for(condition: Any) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited five seconds in vain")


def read_all(idle: socket.socket) -> bytes:
    idle.settimeout(10)
    parts = []
    while part := idle.recv(65536):
        parts.append(part)
        if b"event: dropped" in b"".join(parts[-2:]):
            break
    return b"".join(parts)


# ---- over a WebSocket


@pytest.fixture(name="client")
def _client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


WS = "ws://127.0.0.1/v1/stream/features/ws"


def features_of(socket: Any, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < number:
        message = socket.receive_json()
        if "seq" in message:
            found.append(message)
    return found


def test_a_websocket_tells_the_same_and_is_gone_on_with_after(
    app: FastAPI, client: TestClient
) -> None:
    tape = tape_of(app)
    with client.websocket_connect(WS) as socket:
        socket.send_json({"symbols": ["LAMP"], "names": NAMES.split(",")})
        start = socket.receive_json()["start"]
        offsets = [scored(tape, f"a{n}", "LAMP") for n in range(5)]
        stayed = features_of(socket, 5)
    with client.websocket_connect(f"{WS}?symbols=LAMP&names={NAMES}&after={offsets[1]}") as socket:
        back = features_of(socket, 3)

    assert [each["seq"] for each in stayed] == offsets
    assert stayed[0]["prev"] == start["after"]
    assert back == stayed[2:]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"symbols": []}, "body/symbols"),
        ({"symbols": ["A"], "names": ["volume_9y"]}, "body/names"),
        ({"symbols": ["A"], "set": "core51"}, "body/set"),
        ({"symbols": ["A"], "after": 99}, "body/after"),
        ({"symbols": ["A"], "after": "x"}, "body/after"),
        ({"symbols": ["A"], "colour": 1}, "body/colour"),
    ],
)
def test_a_websocket_says_what_cannot_be_meant(
    client: TestClient, wanted: dict[str, Any], field: str
) -> None:
    with client.websocket_connect(WS) as socket:
        socket.send_json(wanted)
        error = socket.receive_json()["error"]
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

    assert (error["status"], error["errors"][0]["where"]) == (422, field)
    assert closed.value.code == 1008


def test_a_websocket_that_falls_behind_is_closed_with_a_reason(
    app: FastAPI, client: TestClient
) -> None:
    tape, push = tape_of(app), app.state.opened.features.push
    with client.websocket_connect(f"{WS}?symbols=LAMP&names=volume_1d") as socket:
        socket.receive_json()
        wait_for(lambda: push._listening)
        (listener,) = push._listening
        with push._lock:  # as if its socket took no more
            push._listening.discard(listener)
            push._drop(listener, "16 messages wait to be read")
        with pytest.raises(WebSocketDisconnect) as closed:
            features_of(socket, 1)
    assert tape.head() == 0

    assert (closed.value.code, closed.value.reason) == (1013, "16 messages wait to be read")


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://elsewhere.example"}, {"Host": "elsewhere.example"}]
)
def test_a_page_from_elsewhere_cannot_open_one(client: TestClient, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(WS, headers=headers):
        pass


# ---- what cannot be meant


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "symbols"),
        ("symbols=", "symbols"),
        ("symbols=" + ",".join(f"S{n}" for n in range(201)), "symbols"),
        ("symbols=AAPL&names=volume_9y", "names"),
        ("symbols=AAPL&after=77", "after"),
        ("symbols=AAPL&after=yesterday", "after"),
        ("symbols=AAPL&colour=green", "colour"),
    ],
)
def test_a_wrong_query_names_the_field(client: TestClient, query: str, field: str) -> None:
    response = client.get(f"/v1/stream/features?{query}")

    assert response.status_code == 422
    assert response.json()["errors"][0]["where"] == f"query/{field}"


def test_the_stream_ends_with_the_server(app: FastAPI) -> None:
    with ExitStack() as stack:
        address = stack.enter_context(served(app))
        events = stack.enter_context(listening(address, "LAMP"))
        events.next("start")
        began = time.monotonic()
    assert time.monotonic() - began < 10
