"""The rulebook over HTTP and on the command line, on a few documents written for the purpose."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api import problems
from api.cli import run
from api.deps import CatalogDep, _catalog
from api.routes import rules
from api.rules import day_of, timeline
from api.server import Server
from api.timeline import draw
from ingest.catalog import Catalog
from ingest.moment import end_of_day
from ingest.rules.events import EXTRACTOR
from ingest.rules.held import KIND
from tests.ingest.test_rules_state import ALL, a_document

PILOT = a_document(
    "34-7", date(2018, 12, 19),
    ("SUMMARY", "The Commission is adopting new Rule 610T to conduct a Transaction Fee Pilot."),
    ("DATES", "Effective Date: April 22, 2019 through December 29, 2023."),
    section="242.610T", title="Transaction Fee Pilot",
)  # fmt: skip


@pytest.fixture(name="catalog")
def _held(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record([*ALL, PILOT])
        yield catalog


@pytest.fixture(name="client")
def _client(catalog: Catalog) -> Iterator[TestClient]:
    app = FastAPI()
    problems.install(app)
    app.include_router(rules.router)
    app.dependency_overrides[_catalog] = lambda: catalog
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_state_says_whose_word_it_is_and_quotes_it(client: TestClient, catalog: Catalog) -> None:
    body = client.get("/v1/rules/242.611", params={"as_of": "2021-01-04"}).json()

    assert (body["section"], body["standing"], body["on"]) == (
        "242.611",
        "effective_not_compliance",
        "2021-01-04",
    )
    for line in body["statements"]:
        assert line["text"].endswith(", according to the documents held, through 2021-01-04.")
        for basis in line["basis"]:
            assert (
                catalog.text(basis["document_id"])[basis["start"] : basis["end"]] == basis["quote"]
            )
            assert basis["known_at"] < "2021-01-05T05:00:00Z"


def test_what_is_said_can_be_cited(client: TestClient) -> None:
    body = client.get("/v1/rules/242.611", params={"as_of": "2021-01-04"}).json()
    told = [basis for line in body["statements"] for basis in line["basis"]]

    assert body["citation"] == "17 CFR 242.611"
    assert {basis["citation"] for basis in told} == {"Release No. 34-2 (Sept. 1, 2020)"}
    assert all(basis["citation_full"].startswith("Lamps, Release No. 34-") for basis in told)


def test_the_events_file_is_marked_wherever_it_speaks(client: TestClient) -> None:
    body = client.get("/v1/rules/242.610T", params={"as_of": "2021-06-01"}).json()

    laid = [line for line in body["statements"] if line["source"] == "events file"]
    assert (body["standing"], body["standing_with_events_file"]) == ("in_force", "vacated")
    assert len(laid) == 2
    assert all(
        "according to the events file, not to a document held" in line["text"] for line in laid
    )


def test_a_name_is_understood_and_another_word_is_a_problem(client: TestClient) -> None:
    named = client.get("/v1/rules/Order Protection Rule", params={"as_of": "2021-01-04"})
    wrong = client.get("/v1/rules/lamps")

    assert named.json()["section"] == "242.611"
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")


def test_a_timeline_runs_by_day_and_knows_nothing_later(client: TestClient) -> None:
    body = client.get("/v1/rules/242.611/timeline", params={"as_of": "2021-03-31"}).json()

    kinds = [event["kind"] for event in body["events"]]
    assert {"proposed", "adopted", "effective", "compliance", "delayed"} <= set(kinds)
    assert "exempted" not in kinds
    assert all(event["known_on"] <= "2021-03-31" for event in body["events"])


def test_a_chart_is_svg_and_the_same_each_time(client: TestClient) -> None:
    pytest.importorskip("matplotlib")
    address = "/v1/rules/242.610T/timeline"
    answers = [
        client.get(address, params={"as_of": "2024-01-05", "shape": "svg"}) for _ in range(2)
    ]

    assert answers[0].headers["content-type"] == "image/svg+xml"
    assert answers[0].content == answers[1].content
    assert "vacated 2020-06-16 (file)" in answers[0].text


def test_a_second_read_is_quick(client: TestClient) -> None:
    client.get("/v1/rules/242.611")
    began = perf_counter()
    client.get("/v1/rules/242.611")

    assert perf_counter() - began < 2.0  # 0.2 on an idle machine; tests share theirs


def on_line(catalog: Catalog, *words: str) -> int:
    return run([*words, "--home", str(catalog.home)])


def test_the_command_shows_state_gaps_and_what_it_cannot_see(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_line(catalog, "rule", "Rule 611", "--as-of", "2022-09-01") == 0

    shown = " ".join(capsys.readouterr().out.split())
    assert "17 CFR 242.611, on 2022-09-01: exempted" in shown
    assert "according to the documents held, through 2022-09-01" in shown
    assert "a stay for one, is not seen here" in shown


def test_nothing_known_is_exit_code_three(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_line(catalog, "rule", "242.613", "--json") == 3

    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (body["standing"], body["coverage"]["documents"]) == ("unknown", 0)


def test_a_timeline_can_be_a_table_or_a_file(
    catalog: Catalog, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "rule.png"

    assert on_line(catalog, "rule", "242.611", "--timeline") == 0
    assert "34-2" in capsys.readouterr().out
    assert on_line(catalog, "rule", "242.611", "--timeline", "--out", str(out)) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_misuse_is_told_before_anything_is_opened(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_line(catalog, "rule") == 2
    assert on_line(catalog, "rule", "242.611", "--out", "chart.txt") == 2
    assert "name a section" in capsys.readouterr().err


def test_rebuild_reads_every_document_again(
    catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_line(catalog, "rule", "--rebuild") == 0
    assert f"{len(ALL) + 1} documents read" in capsys.readouterr().err


def test_the_dependency_is_the_one_that_routes_share() -> None:
    assert _catalog in {dependency.dependency for dependency in CatalogDep.__metadata__}  # type: ignore[attr-defined]


def test_an_event_of_a_month_stands_in_its_month_and_is_marked(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    release = a_document(
        "34-8", date(2020, 9, 1),
        ("SUMMARY", "The Commission is adopting amendments to Rule 611 to light lamps."),
        ("", "The Commission originally proposed the amendments to Rule 611 in December 2019."),
    )  # fmt: skip
    with Catalog(tmp_path / "other") as catalog:
        catalog.record([release])
        found = timeline(catalog, "242.611", end_of_day(date(2021, 1, 4)))
        chart = draw(catalog, found, "svg").decode()

    (proposed,) = [event for event in found.events if event.kind == "proposed"]
    assert (day_of(proposed).year, day_of(proposed).month) == (2019, 12)
    assert "proposed December 2019~" in chart


def test_what_a_version_has_not_read_is_read_before_the_first_request(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Server, "run", lambda self: setattr(self, "started", True))

    assert on_line(catalog, "serve") == 0
    assert f"reading the rules of {len(ALL) + 1} documents" in capsys.readouterr().err
    assert catalog.unread(KIND, EXTRACTOR) == []
    assert on_line(catalog, "serve") == 0
    assert "reading the rules" not in capsys.readouterr().err
