"""POST and GET /v1/news: rows in by every form, what became of each, and items with the scores known at a moment."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.deps import Opened
from ingest.moment import now
from sentiment.log import Score, Tape, TargetScore
from tests.api.fakes import fake_services

STAMP = "2026-02-24T12:05:00Z"
LINES = {"Content-Type": "application/x-ndjson"}


@pytest.fixture(name="client")
def _client(tmp_path: Path) -> Iterator[TestClient]:
    with fake_services(tmp_path / "home") as services:
        app = create_app(services.settings, services)
        with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
            yield client


@pytest.fixture(name="tape")
def _tape(client: TestClient) -> Tape:
    app: Any = client.app
    opened: Opened = app.state.opened
    return opened.tape


def row(n: int, **more: object) -> dict[str, object]:
    return {
        "id": f"n{n}", "published_at": STAMP, "source": "wire", "headline": f"Lamp maker number {n} lights up",
        **more,
    }  # fmt: skip


def a_score(item: int, symbol: str = "LAMP", **more: Any) -> Score:
    target = TargetScore(f"symbol:{symbol}", symbol, 1.0, 1.0, item, 0.125, 0.25, 0.625)
    values = {"negative": 0.25, "neutral": 0.25, "positive": 0.5, "novelty": 1.0, "story": item}
    return Score(item=item, model="fake", version="fake-1", targets=(target,), **values | more)


# ---- rows in


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (json.dumps(row(1)), {}),
        (json.dumps({"items": [row(1)]}), {}),
        (json.dumps([row(1)]), {}),
        (json.dumps(row(1)) + "\n\n", LINES),
        (
            "id,published_at,source,headline\nn1,2026-02-24T12:05:00Z,wire,Lamp maker number 1 lights up\n",
            {"Content-Type": "text/csv; charset=utf-8"},
        ),
    ],
    ids=["object", "items", "list", "lines", "csv"],
)
def test_a_row_comes_in_by_every_form_and_is_the_same(
    client: TestClient, content: str, headers: dict[str, str]
) -> None:
    response = client.post("/v1/news", content=content, headers=headers)
    again = client.post("/v1/news", json=row(1))

    assert response.status_code == 201
    ((told),) = response.json()["rows"]
    assert (told["status"], told["id"], told["offset"]) == ("new", "n1", 1)
    assert again.status_code == 200
    assert again.json()["rows"][0] | {"row": 0} == told | {"status": "duplicate", "row": 0}


def test_rows_that_fail_are_problems_in_their_place_and_the_rest_go_in(
    client: TestClient, tape: Tape
) -> None:
    rows: list[object] = [row(1), row(2, published_at="2026-02-24T12:05:00"), "news", row(3)]
    response = client.post("/v1/news", json=rows)
    told = response.json()

    assert response.status_code == 201
    assert (told["new"], told["rejected"]) == (2, 2)
    assert [r["row"] for r in told["rows"]] == [1, 2, 3, 4]
    assert [r["status"] for r in told["rows"]] == ["new", "rejected", "rejected", "new"]
    assert told["rows"][1]["problem"]["title"] == "no-time-zone"
    assert told["rows"][2]["problem"]["status"] == 422
    assert [logged.item.id for logged in tape.items()] == ["n1", "n3"]


def test_lines_are_numbered_as_they_stand(client: TestClient) -> None:
    body = "\n".join(["", json.dumps(row(1)), "", "{", json.dumps(row(2))])
    told = client.post("/v1/news", content=body, headers=LINES).json()

    assert [(r["row"], r["status"]) for r in told["rows"]] == [
        (2, "new"),
        (4, "rejected"),
        (5, "new"),
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"id": "n1"}, "no row could be read; row 1: missing-stamp"),
        ({"items": []}, "no row of news"),
        ([], "no row of news"),
        ("news", "no row could be read; row 1: not-an-object"),
    ],
)
def test_when_no_row_can_be_read_that_is_a_problem(
    client: TestClient, tape: Tape, body: object, says: str
) -> None:
    response = client.post("/v1/news", json=body)

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.json()["detail"]
    assert tape.head() == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"headline": NaN}', "NaN is no number"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"id": 1, "id": 2}', "duplicate-key"),
    ],
)
def test_a_body_that_is_no_json_is_a_problem(client: TestClient, body: bytes, says: str) -> None:
    response = client.post("/v1/news", content=body)

    assert response.status_code == 422
    assert says in response.json()["detail"]


def test_an_odd_row_is_logged_and_its_flag_told(client: TestClient) -> None:
    later = (now() + timedelta(days=1)).isoformat()
    (told,) = client.post("/v1/news", json=row(1, published_at=later)).json()["rows"]

    assert (told["status"], told["flags"]) == ("new", ["future"])


def test_live_news_is_known_from_now_on_and_a_backfill_from_its_public_moment(
    client: TestClient,
) -> None:
    before = now()
    (live,) = client.post("/v1/news", json=row(1)).json()["rows"]
    (past,) = client.post("/v1/news?backfill=true", json=row(2)).json()["rows"]
    items = client.get("/v1/news").json()["items"]

    assert datetime.fromisoformat(live["known_at"]) >= before
    assert datetime.fromisoformat(past["known_at"]) == datetime.fromisoformat(STAMP)
    assert [(i["id"], i["backfilled"]) for i in items] == [("n1", False), ("n2", True)]
    assert items[0]["published_at"] == items[1]["published_at"] == STAMP


def test_a_revision_is_told_and_both_are_kept(client: TestClient) -> None:
    client.post("/v1/news", json=row(1))
    response = client.post("/v1/news", json=row(1, headline="Lamp maker goes dark"))

    assert response.status_code == 201
    assert response.json()["rows"][0]["status"] == "revision"
    assert [i["revision"] for i in client.get("/v1/news").json()["items"]] == [2, 1]


# ---- items out


def test_the_newest_items_come_first_and_the_limit_holds(client: TestClient) -> None:
    client.post("/v1/news", json=[row(n) for n in range(5)])

    found = client.get("/v1/news", params={"limit": 3}).json()
    assert [i["id"] for i in found["items"]] == ["n4", "n3", "n2"]


def test_pages_after_an_offset_join_up_in_the_order_of_record(client: TestClient) -> None:
    client.post("/v1/news", json=[row(n) for n in range(5)])
    first = client.get("/v1/news", params={"after": 0, "limit": 3}).json()
    second = client.get("/v1/news", params={"after": first["next"], "limit": 3}).json()

    assert [i["id"] for i in first["items"] + second["items"]] == ["n0", "n1", "n2", "n3", "n4"]
    assert second["next"] is None


def test_a_symbol_finds_items_that_gave_it_and_items_in_which_a_score_found_it(
    client: TestClient, tape: Tape
) -> None:
    client.post("/v1/news", json=[row(1, symbols=["LAMP"]), row(2), row(3, symbols=["BELL"])])
    tape.record_scores([a_score(2)])

    found = client.get("/v1/news", params={"symbol": "lamp"}).json()
    assert [i["id"] for i in found["items"]] == ["n2", "n1"]
    assert client.get("/v1/news", params={"symbol": "GONG"}).json()["items"] == []


def test_a_score_is_shown_from_its_own_moment_and_not_from_the_items(
    client: TestClient, tape: Tape
) -> None:
    (told,) = client.post("/v1/news", json=row(1)).json()["rows"]
    tape.record_scores([a_score(1)])
    (scored,) = tape.scores()
    tick = timedelta(microseconds=1)

    def scores(as_of: datetime) -> list[dict[str, Any]]:
        items = client.get("/v1/news", params={"as_of": as_of.isoformat()}).json()["items"]
        return [score for item in items for score in item["scores"]]

    assert datetime.fromisoformat(told["known_at"]) < scored.known_at
    assert scores(scored.known_at - tick) == []
    (shown,) = scores(scored.known_at)
    assert (shown["model"], shown["version"], shown["sentiment"]) == ("fake", "fake-1", 0.25)
    assert shown["known_at"] == scored.known_at.isoformat().replace("+00:00", "Z")
    assert (shown["targets"][0]["symbol"], shown["targets"][0]["sentiment"]) == ("LAMP", 0.5)


def test_the_same_as_of_and_head_give_the_same_page_whatever_comes_later(
    client: TestClient, tape: Tape
) -> None:
    client.post("/v1/news", json=[row(n) for n in range(3)])
    first = client.get("/v1/news").json()
    fixed = {"as_of": first["as_of"], "head": first["receipt"]["offset"]}
    client.post("/v1/news?backfill=true", json=row(9))
    tape.record_scores([a_score(1)])
    again = client.get("/v1/news", params=fixed).json()

    assert again == first
    assert client.get("/v1/news").json()["receipt"]["offset"] == 5
    assert client.get("/v1/news", params={"as_of": fixed["as_of"]}).json() != first


def test_a_head_that_is_not_there_yet_is_not_known(client: TestClient) -> None:
    assert client.get("/v1/news", params={"head": 7}).status_code == 404


def test_the_body_is_given_where_it_is_asked_for(client: TestClient) -> None:
    client.post("/v1/news", json=row(1, body="It was dark before."))

    assert client.get("/v1/news").json()["items"][0]["body"] is None
    shown = client.get("/v1/news", params={"body": True}).json()
    assert shown["items"][0]["body"] == "It was dark before."


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "as_of=yesterday", "colour=green"])
def test_wrong_queries_are_problems(client: TestClient, query: str) -> None:
    response = client.get(f"/v1/news?{query}")

    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


def test_the_examples_of_the_description_are_answered(client: TestClient) -> None:
    described = client.get("/openapi.json").json()["paths"]["/v1/news"]["post"]
    content = described["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        assert client.post("/v1/news", json=example["value"]).status_code in (200, 201)
    lines = content["application/x-ndjson"]["example"]

    assert client.post("/v1/news", content=lines, headers=LINES).status_code == 200


def test_readiness_tells_who_scores_and_does_not_wait_for_it(client: TestClient) -> None:
    shown = client.get("/readyz")

    assert shown.status_code == 200
    assert shown.json()["news"]["scorer"] == "finbert"
    assert shown.json()["news"]["waiting"] is None, "nobody scores here"


def test_time_is_utc_in_what_is_answered(client: TestClient) -> None:
    client.post("/v1/news", json=row(1, published_at="2026-02-24T13:05:00+01:00"))

    stamp = client.get("/v1/news").json()["items"][0]["published_at"]
    assert datetime.fromisoformat(stamp) == datetime(2026, 2, 24, 12, 5, tzinfo=UTC)
    assert stamp.endswith("Z")
