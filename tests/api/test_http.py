"""The HTTP interface over a fake agent: what is answered, how errors are told, what is turned away."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from agent.reply import Part, RuleStatus, Standing, Told
from api import schemas
from api.answering import told as told_events
from api.app import STATUS, create_app
from api.services import Services
from ingest.errors import BadRequest, Damaged, ModelMissing, OverBudget, RegTapeError
from tests.api.fakes import LAMP, FakeAgent, an_answer, fake_services


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path / "home") as services:
        yield services


@pytest.fixture(name="client")
def _client(services: Services) -> Iterator[TestClient]:
    app = create_app(services.settings, services)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


def agent_of(services: Services) -> FakeAgent:
    agent: Any = services.agent
    assert isinstance(agent, FakeAgent)
    return agent


def events_of(body: str) -> list[tuple[str, Any]]:
    found = []
    for block in body.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


# ---- asking


def test_an_answer_has_numbered_sentences_and_citations_that_can_be_read_again(
    client: TestClient,
) -> None:
    answer = client.post("/v1/ask", json={"question": "How many lamps?"}).json()

    assert [s["citations"] for s in answer["sentences"]] == [[1]]
    citation = answer["citations"][0]
    span = {"start": citation["start"], "end": citation["end"]}
    stored = client.get(f"/v1/documents/{citation['document_id']}/text", params=span).json()
    assert stored["text"] == citation["quote"] == "Each venue must keep one lamp lit."
    assert answer["refusal"] is None


def test_a_refusal_is_an_answer_with_its_reason(client: TestClient) -> None:
    response = client.post("/v1/ask", json={"question": "How many bells?"})

    assert response.status_code == 200
    assert response.json()["refusal"]["reason"] == "not_found"
    assert response.json()["sentences"] == []


def test_the_day_and_the_filters_reach_the_agent(client: TestClient, services: Services) -> None:
    body = {"question": "lamps?", "as_of": "2024-01-31", "filters": {"cfr_section": "1.1"}}
    client.post("/v1/ask", json=body)

    ((_, as_of, filters),) = agent_of(services).asked
    assert as_of is not None
    assert as_of.isoformat() == "2024-02-01T04:59:59.999999+00:00"
    assert filters is not None
    assert filters.cfr_section == "1.1"


def test_events_come_in_order_and_end_with_done(client: TestClient) -> None:
    headers = {"Accept": "text/event-stream"}
    response = client.post("/v1/ask", json={"question": "How many lamps?"}, headers=headers)

    assert response.headers["content-type"].startswith("text/event-stream")
    events = events_of(response.text)
    assert [name for name, _ in events] == ["step", "sentence", "citation", "done"]
    assert events[1][1]["citations"] == [events[2][1]["number"]]
    assert events[3][1]["status"][0].startswith("Lamps is a final rule")


def test_quotes_of_a_rules_state_alone_are_sent_as_citations_too(services: Services) -> None:
    answer = an_answer(services.catalog)
    (citation,) = answer.sentences[0].citations
    other = replace(citation, force="proposed, not adopted")
    told = Told(Part.PENDING, "Proposed", "documents", False, (other,))
    rule = RuleStatus(
        "1.1", date(2024, 3, 4), Standing.PROPOSED, Standing.PROPOSED, date(2024, 3, 4), "Proposed.", (told,)
    )  # fmt: skip

    events = [
        (name, json.loads(data if isinstance(data, str) else data.model_dump_json()))
        for name, data in told_events(schemas.Answer.of(replace(answer, rules=(rule,))))
    ]

    assert [name for name, _ in events] == ["sentence", "citation", "citation", "done"]
    assert events[2][1]["force"] == "proposed, not adopted"
    assert events[3][1]["rules"][0]["lines"][0]["citations"] == [events[2][1]["number"]]


def test_a_refusal_is_streamed_as_one(client: TestClient) -> None:
    headers = {"Accept": "text/event-stream"}
    response = client.post("/v1/ask", json={"question": "How many bells?"}, headers=headers)

    assert [name for name, _ in events_of(response.text)] == ["step", "refusal", "done"]


def test_an_error_while_streaming_is_an_event(client: TestClient, services: Services) -> None:
    agent_of(services).error = ModelMissing("no weights")
    headers = {"Accept": "text/event-stream"}
    response = client.post("/v1/ask", json={"question": "lamps?"}, headers=headers)

    assert events_of(response.text)[0][0] == "error"
    assert events_of(response.text)[0][1]["status"] == 503


# ---- reading


def test_search_gives_passages_with_scores(client: TestClient) -> None:
    found = client.get("/v1/search", params={"q": "lamp", "k": 5}).json()

    assert [p["score"] for p in found["passages"]] == [0.75]
    assert client.get("/v1/search", params={"q": "bell"}).json()["passages"] == []


def test_documents_are_listed_in_pages_that_join_up(client: TestClient) -> None:
    first = client.get("/v1/documents", params={"limit": 2}).json()
    second = client.get("/v1/documents", params={"limit": 2, "after": first["next"]}).json()

    titles = [d["title"] for d in first["documents"] + second["documents"]]
    assert titles == ["Lamps", "Lamps anew", "Bells"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"doc_type": "final rule"}, ["Lamps", "Bells"]),
        ({"cfr_section": "1.1"}, ["Lamps", "Lamps anew"]),
        ({"as_of": "2021-01-01"}, ["Lamps"]),
        ({"as_of": "2019-01-01"}, []),
    ],
)
def test_listings_filter(client: TestClient, query: dict[str, str], titles: list[str]) -> None:
    found = client.get("/v1/documents", params=query).json()

    assert [d["title"] for d in found["documents"]] == titles


def test_a_page_of_a_listing_is_full_even_when_most_documents_came_later(
    client: TestClient,
) -> None:
    found = client.get("/v1/documents", params={"as_of": "2021-01-01", "limit": 1}).json()

    assert [d["title"] for d in found["documents"]] == ["Lamps"]
    assert found["next"] is None


def test_text_and_pages_are_spans_of_the_stored_text(client: TestClient) -> None:
    id = client.get("/v1/documents").json()["documents"][0]["id"]

    assert client.get(f"/v1/documents/{id}/text").json()["text"] == LAMP
    page = client.get(f"/v1/documents/{id}/pages/2").json()
    assert LAMP[page["start"] : page["end"]] == page["text"]
    assert page["printed"] == "101"
    assert client.get(f"/v1/documents/{id}").json()["pages"] == 2


def test_a_document_is_not_there_before_it_was_known(client: TestClient) -> None:
    id = client.get("/v1/documents").json()["documents"][1]["id"]

    assert client.get(f"/v1/documents/{id}/text", params={"as_of": "2021-01-01"}).status_code == 404
    assert client.get(f"/v1/documents/{id}/text", params={"as_of": "2025-01-01"}).status_code == 200


# ---- health


def test_health_and_version(client: TestClient, services: Services) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert (ready["ok"], ready["failing"]) == (["catalog", "index", "embedder", "features"], {})
    assert client.get("/version").json()["fingerprint"] == services.settings.fingerprint


def test_a_part_that_fails_is_named(client: TestClient, services: Services) -> None:
    index: Any = services.index
    index.error = Damaged("the index is gone")
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["ok"] == ["catalog", "embedder", "features"]
    assert response.json()["failing"] == {"index": "the index is gone"}


# ---- errors


def test_every_kind_of_error_has_a_status() -> None:
    assert set(STATUS) == set(RegTapeError.__subclasses__())


@pytest.mark.parametrize("error", [BadRequest, ModelMissing, Damaged], ids=lambda e: e.__name__)
def test_our_errors_are_problems_with_their_status(
    client: TestClient, services: Services, error: type[RegTapeError]
) -> None:
    agent_of(services).error = error("what is wrong")
    response = client.post("/v1/ask", json={"question": "lamps?"})

    assert response.status_code == STATUS[error]
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": error.__name__,
        "status": STATUS[error],
        "detail": "what is wrong",
        "instance": "/v1/ask",
    }


def test_who_comes_too_often_is_told_when_to_come_again(
    client: TestClient, services: Services
) -> None:
    agent_of(services).error = OverBudget("queue", "too many requests are waiting")
    response = client.post("/v1/ask", json={"question": "lamps?"})

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_an_unexpected_error_tells_nothing_of_the_inside(
    client: TestClient, services: Services
) -> None:
    agent_of(services).error = ZeroDivisionError("secret")
    response = client.post("/v1/ask", json={"question": "lamps?"})

    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/ask", {}, 422),
        ("POST", "/v1/ask", {"question": "lamps?", "as_of": "2024-01-31T10:00"}, 422),
        ("POST", "/v1/ask", {"question": "lamps?", "colour": "green"}, 422),
        ("POST", "/v1/ask", {"question": "x" * 2001}, 422),
        ("GET", "/v1/search?q=lamp&k=0", None, 422),
        ("GET", "/v1/search?q=lamp&doc_type=poem", None, 422),
        ("GET", "/v1/documents/none", None, 404),
        ("GET", "/v1/documents/none/pages/1", None, 404),
        ("GET", "/nowhere", None, 404),
        ("GET", "/v1/ask", None, 405),
    ],
)
def test_wrong_requests_are_problems(
    client: TestClient, method: str, path: str, body: object, status: int
) -> None:
    response = client.request(method, path, json=body)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
    assert response.json()["detail"]


def test_a_page_that_is_not_there_is_a_problem(client: TestClient) -> None:
    id = client.get("/v1/documents").json()["documents"][0]["id"]

    assert client.get(f"/v1/documents/{id}/pages/3").status_code == 404
    assert client.get(f"/v1/documents/{id}/text", params={"start": 9, "end": 3}).status_code == 422


# ---- what is turned away


def test_a_large_body_is_refused_whether_or_not_it_tells_its_length(client: TestClient) -> None:
    body = json.dumps({"question": "lamps?", "padding": "x" * 1_000_001}).encode()
    told = client.post("/v1/ask", content=body)
    untold = client.post("/v1/ask", content=iter([body[:600_000], body[600_000:]]))

    assert (told.status_code, untold.status_code) == (413, 413)
    assert (
        told.headers["content-type"] == untold.headers["content-type"] == "application/problem+json"
    )


def test_a_page_elsewhere_cannot_ask_by_another_name(client: TestClient) -> None:
    response = client.get("/v1/documents", headers={"Host": "rebound.example:8350"})

    assert response.status_code == 421
    assert client.get("/healthz", headers={"Host": "localhost:8350"}).status_code == 200
    assert client.get("/healthz", headers={"Host": "[::1]:8350"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/nowhere", "/v1/documents"])
def test_every_response_carries_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


# ---- the description of the interface


def test_the_description_has_an_example_that_is_answered(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    (example,) = described["components"]["schemas"]["AskRequest"]["examples"]

    assert client.post("/v1/ask", json=example).status_code == 200


def test_every_route_says_what_it_does_and_how_it_fails(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    for path, methods in paths.items():
        for method in methods.values():
            assert method["summary"], path
            assert method["description"], path
            assert "default" in method["responses"], path
    assert {"/v1/ask", "/v1/search", "/v1/documents", "/v1/documents/{id}", "/readyz"} <= set(paths)
