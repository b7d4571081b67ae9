"""GET and POST /v1/features: what is served is what the tape says, in every form, and what cannot be meant is told."""

import json
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.deps import Opened
from api.feature_forms import ARROW
from api.folding import Here
from api.guard import HEADERS
from ingest.catalog import Catalog
from ingest.moment import now, to_micros
from sentiment.features import SETS
from sentiment.log import Tape
from sentiment.read import Reader
from tests.api.fakes import fake_services
from tests.api.serving import an_item, scored, wait_until_folded
from tests.ingest.test_rules_state import ALL as RULE_DOCUMENTS

HEADER_NAMES = [name.decode() for name in HEADERS]
NAMES = ["sentiment_mean_1d", "volume_1d", "sentiment_mean_1m"]


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        yield create_app(services.settings, services)


@pytest.fixture(name="client")
def _client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(name="tape")
def _tape(client: TestClient, app: FastAPI) -> Tape:
    return tape_of(app)


def tape_of(app: FastAPI) -> Tape:
    opened: Opened = app.state.opened
    return opened.tape


def reader_of(app: FastAPI) -> Reader:
    opened: Opened = app.state.opened
    return opened.features.reader


# ---- features of rules, from the documents of the same home


def test_features_of_rules_come_with_the_state_of_the_rule_book(tmp_path: Path) -> None:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record(RULE_DOCUMENTS)
    with fake_services(tmp_path / "home") as services:
        app, head = create_app(services.settings, services), services.catalog.head()
        with TestClient(app, base_url="http://127.0.0.1") as client:
            asked = {"set": "regulation", "as_of": "2020-11-01T12:00:00-05:00"}
            found = client.get("/v1/features/BAC", params=asked).json()
            body = {"symbols": ["BAC"], "instants": [asked["as_of"]], "set": "regulation"}
            matrix = client.post("/v1/features", json=body).json()
            plain = client.get("/v1/features/BAC").json()

    assert found["values"]["rule_611_days_to_effective"] == 1.0
    assert found["status"]["rule_611_days_to_effective"] == "PRESENT"
    assert found["values"]["rule_612_in_force"] is None
    assert found["status"]["rule_612_in_force"] == "EMPTY"
    assert found["receipt"]["rules"].startswith(f"{head}-")
    assert matrix["rules"] == found["receipt"]["rules"]
    assert list(found["values"].values()) == matrix["blocks"][0]["values"][0]
    assert "rules" not in plain["receipt"]


# ---- one symbol


def test_a_read_holds_values_what_each_is_and_a_receipt(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    offset = scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)
    found = client.get("/v1/features/LAMP", params={"names": ",".join(NAMES)}).json()

    assert found["values"] == {
        "sentiment_mean_1d": 0.25,
        "volume_1d": 1.0,
        "sentiment_mean_1m": 0.25,
    }
    assert set(found["status"].values()) == {"PRESENT"}
    assert (found["symbol"], found["entity"]) == ("LAMP", "symbol:LAMP")
    assert found["model_version"] == "fake-1"
    assert found["receipt"]["offset"] == offset == tape.head()
    assert found["receipt"]["hash"] == tape.receipt().hash
    assert found["freshness"]["scoring_lag_seconds"] == 0.0
    assert found["known_at"] == found["freshness"]["newest_known_at"] != found["as_of"]
    assert found["as_of"].endswith("Z")


@pytest.mark.parametrize(
    "query", ["", "names=volume_1d,age_seconds&names=buzz_1d", "set=core50", "set=all"]
)
def test_the_short_way_and_the_route_answer_alike(
    client: TestClient, tape: Tape, app: FastAPI, query: str
) -> None:
    scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)

    short = client.get(f"/v1/features/LAMP?{query}")
    route = client.get(f"/v1/features/LAMP?{query}&view=known")

    assert short.headers.keys() == route.headers.keys()
    assert short.json().keys() == route.json().keys()
    assert short.json()["status"].keys() == route.json()["status"].keys()
    # The age of an item differs between the two, and nothing else.
    ages = ("age_seconds", "feed_age_seconds")
    values = [
        {k: v for k, v in each.json()["values"].items() if k not in ages} for each in (short, route)
    ]
    assert values[0] == values[1]


def test_the_short_way_is_as_guarded_as_the_route(client: TestClient) -> None:
    served = client.get("/v1/features/BAC")
    routed = client.get("/v1/features/BAC", params={"view": "known"})

    assert served.headers.keys() == routed.headers.keys()
    assert all(served.headers[name] == routed.headers[name] for name in HEADER_NAMES)
    for host in ("elsewhere.example", "127.0.0.1.example", ""):
        assert client.get("/v1/features/BAC", headers={"Host": host}).status_code == 421


def test_there_is_null_and_never_zero_where_there_is_nothing(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)
    found = client.get("/v1/features/ZZZQ", params={"names": "sentiment_mean_1d"}).json()

    assert found["values"] == {"sentiment_mean_1d": None}
    assert found["status"] == {"sentiment_mean_1d": "UNKNOWN_SYMBOL"}
    assert found["known_at"] is None


def test_the_set_core50_has_fifty_and_is_what_is_read_without_names(client: TestClient) -> None:
    found = client.get("/v1/features/LAMP").json()

    assert list(found["values"]) == list(SETS["core50"].names)
    assert len(found["values"]) == 50


@pytest.mark.parametrize(
    ("path", "symbol"), [("BRK.B", "BRK.B"), ("BF%2FB", "BF/B"), ("BF/B", "BF/B")]
)
def test_a_symbol_may_have_a_point_or_a_slash(client: TestClient, path: str, symbol: str) -> None:
    assert client.get(f"/v1/features/{path}?names=volume_1d").json()["symbol"] == symbol


def test_a_read_of_the_past_is_what_was_served_then(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)
    served = client.get("/v1/features/LAMP").json()
    scored(tape, "b", "LAMP", positive=0.1)
    scored(tape, "c", "LAMP", backfill=True)
    wait_until_folded(tape, app)
    fixed = {"as_of": served["as_of"], "head": served["receipt"]["offset"]}
    again = client.get("/v1/features/LAMP", params=fixed).json()

    assert again["values"] == served["values"]
    assert again["receipt"] == served["receipt"]
    assert client.get("/v1/features/LAMP").json()["values"] != served["values"]


def test_what_is_online_is_what_the_tape_says(client: TestClient, tape: Tape, app: FastAPI) -> None:
    for n in range(20):
        scored(tape, str(n), "LAMP", *(("BELL",) if n % 3 else ()), positive=n / 40)
    wait_until_folded(tape, app)
    served = client.get("/v1/features/BELL", params={"set": "all"}).json()
    offline = Reader(tape, reader_of(app)._resolver)  # without a store
    vector = offline.vector(
        "BELL", as_of=datetime.fromisoformat(served["as_of"]), feature_set="all"
    )

    assert served["values"] == vector.values
    assert served["receipt"]["values"] == vector.receipt.values


def test_news_that_waits_too_long_for_its_score_makes_values_stale(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    scored(tape, "a", "LAMP", published_at=(now() - timedelta(hours=2)).isoformat(), backfill=True)
    waiting = an_item("b", "LAMP", published_at=(now() - timedelta(hours=1)).isoformat())
    tape.append([waiting], backfill=True)
    wait_until_folded(tape, app)
    found = client.get("/v1/features/LAMP", params={"names": "volume_1d,sentiment_mean_1m"}).json()

    assert found["status"] == {"volume_1d": "STALE", "sentiment_mean_1m": "EMPTY"}
    assert found["freshness"]["scoring_lag_seconds"] >= 3600
    assert found["backfilled"] is True


# ---- many symbols and instants


def test_several_symbols_are_read_as_of_one_instant(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    scored(tape, "a", "LAMP", "BELL")
    wait_until_folded(tape, app)
    symbols = ["LAMP", "BELL", "GONG"]
    found = client.post("/v1/features", json={"symbols": symbols, "names": NAMES}).json()["vectors"]

    assert [each["symbol"] for each in found] == symbols
    assert len({each["as_of"] for each in found}) == 1
    assert found[0]["values"] == found[1]["values"] != found[2]["values"]


def moments_around(tape: Tape) -> list[str]:
    score = tape.scores()[0]
    tick = timedelta(microseconds=1)
    return [(score.known_at - tick).isoformat(), score.known_at.isoformat(), now().isoformat()]


def test_a_matrix_as_json_is_what_was_known_at_each_instant(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)
    instants = moments_around(tape)
    body = {"symbols": ["LAMP", "BELL"], "instants": instants, "names": NAMES}
    found = client.post("/v1/features", json=body).json()

    assert found["features"] == NAMES
    assert found["offset"] == tape.head()
    lamp, bell = found["blocks"]
    assert [values[0] for values in lamp["values"]] == [None, 0.25, 0.25]
    assert [found["statuses"][row[0]] for row in lamp["status"]][1:] == ["PRESENT", "PRESENT"]
    assert [datetime.fromisoformat(at) for at in lamp["as_of"]] == [
        datetime.fromisoformat(at) for at in instants
    ]
    assert lamp["known_at"][0] is None
    assert all(row[0] is None for row in bell["values"])


def test_a_matrix_as_arrow_holds_the_same_as_json_and_as_single_reads(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    pa = pytest.importorskip("pyarrow")
    for n in range(5):
        scored(tape, str(n), "LAMP", positive=n / 10)
    wait_until_folded(tape, app)
    instants = moments_around(tape)
    micros = [to_micros(datetime.fromisoformat(at)) for at in instants]
    body: dict[str, Any] = {"symbols": ["LAMP", "BELL"], "set": "core50", "instants": micros}
    blocks = client.post("/v1/features", json=body).json()["blocks"]
    streamed = client.post("/v1/features", json=body, headers={"Accept": ARROW})
    table = pa.ipc.open_stream(streamed.content).read_all()
    single = client.get("/v1/features/LAMP", params={"as_of": instants[2]}).json()

    assert streamed.headers["content-type"] == ARROW
    assert table["symbol"].to_pylist() == ["LAMP"] * 3 + ["BELL"] * 3
    assert table["as_of"].cast(pa.int64()).to_pylist() == micros * 2
    for place, name in enumerate(SETS["core50"].names):
        listed = [row[place] for block in blocks for row in block["values"]]
        assert table[name].to_pylist() == listed
        assert table[name].to_pylist()[2] == single["values"][name]
    stated = json.loads(table.schema.metadata[b"regtape"])
    assert (stated["offset"], stated["hash"]) == tuple(tape.receipt())


def test_a_grid_of_instants_ends_before_its_end(client: TestClient) -> None:
    body = {
        "symbols": ["LAMP"], "names": ["volume_1d"], "every": "500ms",
        "from": "2026-01-05T14:30:00Z", "to": "2026-01-05T14:30:02Z",
    }  # fmt: skip
    (block,) = client.post("/v1/features", json=body).json()["blocks"]

    assert [at[17:] for at in block["as_of"]] == ["00Z", "00.500000Z", "01Z", "01.500000Z"]


def test_a_large_matrix_comes_in_pieces_of_one_log(
    client: TestClient, tape: Tape, app: FastAPI
) -> None:
    pa = pytest.importorskip("pyarrow")
    scored(tape, "a", "LAMP")
    wait_until_folded(tape, app)
    end = to_micros(now())
    instants = np.arange(end - 40_000, end).tolist()
    body = {"symbols": ["LAMP", "BELL"], "names": ["volume_1d"], "instants": instants}
    response = client.post("/v1/features", json=body, headers={"Accept": ARROW})
    reader = pa.ipc.open_stream(response.content)
    sizes = [batch.num_rows for batch in reader]

    assert sum(sizes) == 80_000
    assert len(sizes) == 6


def test_without_pyarrow_an_arrow_stream_is_a_problem_and_json_is_not(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"symbols": ["LAMP"], "names": ["volume_1d"], "instants": [1_767_000_000_000_000]}
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arrow = client.post("/v1/features", json=body, headers={"Accept": ARROW})

    assert arrow.status_code == 503
    assert "regtape[features]" in arrow.json()["detail"]
    assert client.post("/v1/features", json=body).status_code == 200


# ---- what cannot be meant


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("as_of=2026-01-05T14:30:00", "as_of", "no time zone"),
        ("as_of=2999-01-01T00:00:00Z", "as_of", "in the future"),
        ("as_of=0001-01-01T00:00:00Z", "as_of", "before 1900"),
        ("as_of=yesterday", "as_of", "not a time"),
        ("names=volume_1d,sentimnt_mean_1d", "names", "sentiment_mean_1d"),
        ("set=core51", "set", "core50"),
        ("view=tomorrow", "view", "known, latest, as_if"),
        ("view=as_if", "model", "needs|takes one model"),
        ("latency=-1&view=as_if&model=fake", "latency", "between 0"),
        ("head=-1", "head", "-1"),
        ("head=x", "head", "integer"),
        ("colour=green", "colour", "not permitted"),
    ],
)
def test_a_wrong_query_names_the_field_and_what_is_allowed(
    client: TestClient, query: str, field: str, says: str
) -> None:
    response = client.get(f"/v1/features/LAMP?{query}")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    (error,) = response.json()["errors"]
    assert error["where"] == f"query/{field}"
    assert any(words in error["why"] for words in says.split("|"))


@pytest.mark.parametrize("symbol", ["", "X" * 41, "%20"])
def test_a_symbol_has_one_to_forty_characters(client: TestClient, symbol: str) -> None:
    response = client.get(f"/v1/features/{symbol}?names=volume_1d", follow_redirects=False)

    assert response.status_code in (307, 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", ""),
        (b"[]", ""),
        (b'{"symbols": ["A"], "instants": [NaN]}', ""),
        (b'{"symbols": []}', "symbols"),
        (b'{"symbols": "AAPL"}', "symbols"),
        (b'{"symbols": [1]}', "symbols/0"),
        (json.dumps({"symbols": ["A"] * 1_000_000}).encode(), "symbols"),
        (json.dumps({"symbols": [1] * 1_000_000}).encode(), "symbols"),
        (b'{"symbols": ["A"], "instants": ["2010-01-28T09:30:00"]}', "instants"),
        (b'{"symbols": ["A"], "instants": [1.5]}', "instants"),
        (b'{"symbols": ["A"], "instants": [null]}', "instants"),
        (b'{"symbols": ["A"], "instants": [true]}', "instants"),
        (b'{"symbols": ["A"], "instants": []}', "instants"),
        (b'{"symbols": ["A"], "instants": {"a": 1}}', "instants"),
        (b'{"symbols": ["A"], "instants": [99999999999999999]}', "instants"),
        (b'{"symbols": ["A"], "instants": ["2999-01-01T00:00:00Z"]}', "instants"),
        (b'{"symbols": ["A"], "instants": [1], "as_of": "2020-01-01"}', "as_of"),
        (b'{"symbols": ["A"], "every": "1s"}', "every"),
        (b'{"symbols": ["A"], "from": "2020-01-01", "to": "2020-01-02", "every": "-1s"}', "every"),
        (b'{"symbols": ["A"], "from": "2020-01-02", "to": "2020-01-01", "every": "1s"}', "to"),
        (b'{"symbols": ["A"], "from": "2000-01-01", "to": "2020-01-01", "every": "1s"}', "every"),
        (b'{"symbols": ["A"], "names": ["volume_9y"]}', "names"),
        (b'{"symbols": ["A"], "names": "volume_1d"}', "names"),
        (b'{"symbols": ["A"], "horizon": "9y"}', "horizon"),
    ],
)  # fmt: skip
def test_a_wrong_body_names_the_field(client: TestClient, body: bytes, field: str) -> None:
    response = client.post("/v1/features", content=body)

    assert response.status_code == 422
    (error,) = response.json()["errors"]
    assert error["where"].removeprefix("body").strip("/") == field
    assert len(response.content) < 1000


def test_a_body_may_hold_a_million_instants_and_no_more_bytes_than_are_allowed(
    client: TestClient,
) -> None:
    response = client.post("/v1/features", content=b" " * 33_000_000)

    assert response.status_code == 413
    assert client.post("/v1/news", content=b" " * 1_100_000).status_code == 413


# ---- the catalogue, and what the description promises


def test_the_catalogue_states_every_feature_and_the_sets(client: TestClient) -> None:
    found = client.get("/v1/features").json()
    by_name = {feature["name"]: feature for feature in found["features"]}

    assert by_name["sentiment_mean_5m"]["window"] == "5m"
    assert by_name["sentiment_std_1d"]["ddof"] == 1
    assert all(feature["meaning"] and feature["empty"] for feature in found["features"])
    assert by_name["rule_612_in_force"]["available"]
    (core,) = [each for each in found["sets"] if each["name"] == "core50"]
    assert len(core["names"]) == 50
    assert set(core["names"]) <= set(by_name)


def test_the_examples_of_the_description_are_answered(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/v1/features"]["post"]
    content = described["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert client.post("/v1/features", json=example["value"]).status_code == 200


def test_until_the_store_has_caught_up_there_is_nothing_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    following = Here.after
    monkeypatch.setattr(Here, "after", lambda *asked: gate.wait() and following(*asked))
    monkeypatch.setattr("api.features._START_SECONDS", 0.0)
    with fake_services(tmp_path / "home") as services:
        app = create_app(services.settings, services)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            response, ready = client.get("/v1/features/LAMP"), client.get("/readyz")
            catalogue = client.get("/v1/features")
            gate.set()
            wait_until_folded(tape_of(app), app)
            after = client.get("/v1/features/LAMP"), client.get("/readyz")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "rebuilt from the log" in response.json()["detail"]
    assert ready.status_code == 503
    assert ready.json()["failing"] == {"features": "it is rebuilt from the log"}
    assert catalogue.status_code == 200
    assert [each.status_code for each in after] == [200, 200]


def test_reads_are_recorded_where_that_is_asked_for(tmp_path: Path) -> None:
    with fake_services(tmp_path / "home") as services:
        settings = services.settings.model_copy(update={"record_reads": tmp_path / "reads"})
        app = create_app(settings, services)
        with TestClient(app, base_url="http://127.0.0.1") as client:
            one = client.get("/v1/features/LAMP").json()
            several = client.post("/v1/features", json={"symbols": ["BELL", "GONG"]}).json()
    (file,) = (tmp_path / "reads").iterdir()
    kept = [json.loads(line) for line in file.read_text().splitlines()]

    assert kept == [
        {"receipt": each["receipt"], "values": each["values"]}
        for each in [one, *several["vectors"]]
    ]
