"""The client against a real server: typed reads, matrices, problems told, a stream that breaks off and misses nothing."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.client import AsyncFeatures, Features, Grid, Missed, Problem, Update
from api.deps import Opened
from ingest.moment import now
from sentiment.log import Tape
from tests.api.fakes import fake_services
from tests.api.serving import scored, served, wait_until_folded


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        yield create_app(services.settings, services)


@pytest.fixture(name="address")
def _address(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture(name="tape")
def _tape(app: FastAPI, address: str) -> Tape:
    opened: Opened = app.state.opened
    for n in range(3):
        scored(opened.tape, str(n), "LAMP", positive=n / 4)
    wait_until_folded(opened.tape, app)
    return opened.tape


def test_a_vector_is_typed_and_can_be_read_again_as_of_its_instant(
    address: str, tape: Tape
) -> None:
    with Features(address) as features:
        live = features.get("LAMP", names=["volume_1d", "sentiment_std_1m", "buzz_1d"])
        again = features.get(
            "LAMP", names=list(live.values), as_of=live.as_of, head=live.receipt["offset"]
        )

    assert live.values == again.values
    assert (live.symbol, live.values["volume_1d"], live.values["buzz_1d"]) == ("LAMP", 3.0, None)
    assert live.status["buzz_1d"] == "EMPTY"
    assert live.as_of.tzinfo is not None
    assert live.known_at == live.freshness.newest_known_at


def test_several_symbols_and_the_catalogue(address: str, tape: Tape) -> None:
    with Features(address) as features:
        lamp, gong = features.several(["LAMP", "GONG"], feature_set="core50")
        catalogue = features.catalogue()

    assert tuple(lamp.values) == catalogue.sets["core50"]
    assert lamp.feature_version == gong.feature_version == catalogue.feature_version
    assert catalogue.features["volume_1d"].unit == "items"


@pytest.mark.parametrize("form", ["datetimes", "datetime64", "micros"])
def test_a_matrix_has_an_array_of_values_for_instants_in_any_form(
    address: str, tape: Tape, form: str
) -> None:
    pytest.importorskip("pyarrow")
    known = [score.known_at for score in tape.scores()]
    array = np.array([at.replace(tzinfo=None) for at in known], "datetime64[us]")
    instants: Any = {"datetimes": known, "datetime64": array, "micros": array.astype(np.int64)}[
        form
    ]
    with Features(address) as features:
        matrix = features.matrix(
            ["LAMP", "GONG"], instants, names=["volume_1d", "sentiment_mean_1d"]
        )

    assert matrix.values.shape == (2, 3, 2)
    assert matrix.values[0, :, 0].tolist() == [1.0, 2.0, 3.0]
    assert np.isnan(matrix.values[1, :, 1]).all()
    assert matrix.instants.tolist() == array.tolist()
    assert matrix.stated["offset"] == tape.head()


def test_a_grid_is_made_by_the_server(address: str) -> None:
    pytest.importorskip("pyarrow")
    start = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    with Features(address) as features:
        grid = Grid(start, start + timedelta(seconds=10), "2s")
        matrix = features.matrix(["LAMP"], grid, names=["volume_1d"])

    assert len(matrix.instants) == 5


def test_a_problem_carries_what_the_server_said(address: str) -> None:
    with Features(address) as features, pytest.raises(Problem) as told:
        features.get("LAMP", names=["volume_9y"])

    assert (told.value.status, told.value.title) == (422, "BadRequest")
    assert told.value.errors[0]["where"] == "query/names"


def test_an_instant_without_its_zone_is_not_sent() -> None:
    with (
        Features("http://127.0.0.1:1") as features,
        pytest.raises(ValueError, match="no time zone"),
    ):
        features.get("LAMP", as_of=datetime(2026, 1, 5))  # noqa: DTZ001 - what is tested


def test_the_client_with_await_gives_the_same(address: str, tape: Tape) -> None:
    pytest.importorskip("pyarrow")

    async def read() -> tuple[Any, Any, Any, list[Update]]:
        async with AsyncFeatures(address) as features:
            one = await features.get("LAMP", as_of=as_of)
            several = await features.several(["LAMP"], as_of=as_of)
            matrix = await features.matrix(["LAMP"], [as_of])
            updates = []
            async for update in features.stream(["LAMP"], after=0):
                updates.append(update)
                if len(updates) == 3:
                    break
            return one, several, matrix, updates

    as_of = now()
    one, several, matrix, updates = asyncio.run(read())
    with Features(address) as features:
        assert features.get("LAMP", as_of=as_of) == one == several[0]
        assert list(islice(features.stream(["LAMP"], after=0), 3)) == updates
    assert np.array_equal(
        matrix.values[0, 0],
        [np.nan if v is None else v for v in one.values.values()],
        equal_nan=True,
    )


# ---- what is busy, breaks off or leaves something out, played by a server that is none


def playing(
    *answers: httpx.Response | Exception,
) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    asked: list[httpx.Request] = []
    left = iter(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        said = next(left)
        if isinstance(said, Exception):
            raise said
        return said

    return httpx.MockTransport(answer), asked


def busy() -> httpx.Response:
    return httpx.Response(503, headers={"Retry-After": "0"}, json={"detail": "it is rebuilt"})


CATALOGUE = httpx.Response(200, json={"feature_version": "v", "features": [], "sets": []})


def test_a_server_that_starts_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    transport, asked = playing(busy(), httpx.ConnectError("refused"), CATALOGUE)

    assert Features(transport=transport).catalogue().feature_version == "v"
    assert len(asked) == 3


def test_a_server_that_stays_busy_is_a_problem_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    transport, asked = playing(*(busy() for _ in range(9)))
    with pytest.raises(Problem, match="503"):
        Features(transport=transport).catalogue()

    assert len(asked) == 5


def events(*told: tuple[str, str, dict[str, Any]]) -> httpx.Response:
    text = "".join(
        f"event: {name}\nid: {id}\ndata: {json.dumps(data)}\n\n" for name, id, data in told
    )
    return httpx.Response(200, text=text)


def start(after: int) -> tuple[str, str, dict[str, Any]]:
    return "start", str(after), {"after": after}


def message(seq: int, prev: int) -> tuple[str, str, dict[str, Any]]:
    data = {
        "seq": seq, "prev": prev, "symbol": "LAMP", "as_of": "2026-01-05T14:30:00Z",
        "values": {}, "status": {}, "receipt": {},
    }  # fmt: skip
    return "features", str(seq), data


def test_a_stream_that_breaks_off_is_gone_on_with_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    transport, asked = playing(
        events(start(5), message(7, 5)),
        httpx.ReadError("reset"),
        busy(),
        events(start(7), message(9, 7), ("dropped", "", {"reason": "slow", "prev": 9})),
        events(start(9), message(12, 9)),
    )
    stream = Features(transport=transport).stream(["LAMP"])

    assert [update.seq for update in islice(stream, 3)] == [7, 9, 12]
    assert [request.headers.get("last-event-id") for request in asked] == [None, "7", "7", "7", "9"]


def test_what_a_stream_leaves_out_is_asked_for_again_and_an_error_the_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    gap = [start(5), message(7, 5), message(9, 8)]
    transport, asked = playing(events(*gap), events(start(7), message(9, 8)))
    stream = Features(transport=transport).stream(["LAMP"])

    assert next(stream).seq == 7
    with pytest.raises(Missed, match="after 7 came 9, which follows 8"):
        next(stream)
    assert asked[1].headers["last-event-id"] == "7"


def test_a_stream_of_what_cannot_be_meant_is_a_problem(address: str) -> None:
    with Features(address) as features, pytest.raises(Problem) as told:
        next(features.stream([]))

    assert told.value.status == 422
