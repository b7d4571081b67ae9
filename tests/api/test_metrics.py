"""GET /metrics: how fresh, how far, how fast, in the text that Prometheus reads."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.deps import Opened
from ingest.moment import now
from tests.api.fakes import fake_services
from tests.api.serving import an_item, scored, wait_until_folded


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        yield create_app(services.settings, services)


def samples(client: TestClient) -> dict[str, float]:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        ",".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_gauges_say_how_fresh_the_features_are(app: FastAPI) -> None:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        opened: Opened = app.state.opened
        before = samples(client)
        scored(opened.tape, "a", "LAMP")
        (known,) = opened.tape.items()
        hour_ago = (now() - timedelta(hours=1)).isoformat()
        opened.tape.append([an_item("b", "LAMP", published_at=hour_ago)], backfill=True)
        wait_until_folded(opened.tape, app)
        after = samples(client)

    assert before["regtape_newest_known_at_seconds"] == before["regtape_tape_offset"] == 0
    assert before["regtape_scoring_lag_seconds"] == 0
    assert after["regtape_newest_known_at_seconds"] == known.known_at.timestamp()
    assert after["regtape_tape_offset"] == after["regtape_applied_offset"] == 3
    assert after["regtape_scoring_lag_seconds"] >= 3600
    assert now().timestamp() - after["regtape_watermark_seconds"] >= 3600
    assert after["regtape_store_items"] >= 1


def test_reads_are_counted_by_what_was_served_and_timed(app: FastAPI) -> None:
    with TestClient(app, base_url="http://127.0.0.1") as client:
        opened: Opened = app.state.opened
        scored(opened.tape, "a", "LAMP")
        wait_until_folded(opened.tape, app)
        query = {"names": "volume_1d,sentiment_std_1d"}
        for symbol in ("LAMP", "LAMP", "ZZZQ"):
            client.get(f"/v1/features/{symbol}", params=query)
        client.post("/v1/features", json={"symbols": ["LAMP"], "names": ["volume_1d"]})
        client.post(
            "/v1/features", json={"symbols": ["LAMP"], "instants": ["2026-01-05T14:30:00Z"]}
        )
        found = samples(client)

    assert found["regtape_feature_values_total,PRESENT"] == 3
    assert found["regtape_feature_values_total,EMPTY"] == 2
    assert found["regtape_feature_values_total,UNKNOWN_SYMBOL"] == 2
    assert found["regtape_feature_read_seconds_count,one"] == 3
    assert found["regtape_feature_read_seconds_count,several"] == 1
    assert found["regtape_feature_read_seconds_count,matrix"] == 1
