"""Every route of the OpenAPI document asked what the document allows and what it does not: no 500, every error is a problem,
and every answer is as described. And what such a search seldom comes upon: the ends of time, of numbers and of characters.

Few requests to each here, the same each time, so that it ends within a minute; REGTAPE_REQUESTS=500: more.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.python.asgi import shutdown_lifespans
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.schemas import Problem
from sentiment.log import Tape
from tests.api.fakes import fake_services
from tests.api.serving import scored

HERE = "http://127.0.0.1"
REQUESTS = int(os.environ.get("REGTAPE_REQUESTS", "8"))  # of each kind to each route
CHECKS = (content_type_conformance, response_schema_conformance, status_code_conformance)


@pytest.fixture(name="app", scope="module")
def _app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("asked") / "home"
    with fake_services(home) as services, Tape(home) as tape:
        scored(tape, "a", "LAMP")
        chosen = services.settings.model_copy(update={"push_seconds": 0.05, "rate": 0.0})
        yield create_app(chosen, services)


@pytest.mark.slow
def test_every_route_answers_as_it_is_described(app: Any) -> None:
    described = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"Host": "127.0.0.1"})
    statuses: Counter[int] = Counter()
    faults: list[str] = []
    try:
        for found in described.get_all_operations():
            assert isinstance(found, Ok)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                ask(found.ok(), mode, statuses, faults)
    finally:
        shutdown_lifespans()

    print(f"{sum(statuses.values())} requests: {dict(sorted(statuses.items()))}")
    assert not faults, "\n".join(faults[:20])
    assert {200, 404, 422} <= set(statuses)


def ask(operation: Any, mode: GenerationMode, statuses: Counter[int], faults: list[str]) -> None:
    """What each request comes to is counted, what is wrong with it noted."""

    @settings(
        max_examples=REQUESTS, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        response = case.call(base_url=HERE)
        statuses[response.status_code] += 1
        kind = response.headers.get("content-type", [""])[0]
        if response.status_code >= 500:
            faults.append(f"{response.status_code} {case.as_curl_command()}")
        if response.status_code >= 400 and kind != "application/problem+json":
            faults.append(f"{response.status_code} is {kind}: {case.as_curl_command()}")
        for check in CHECKS:
            try:
                case.validate_response(response, checks=[check])
            except FailureGroup as exc:
                faults.append(f"{check.__name__} {case.as_curl_command()}: {exc.exceptions}")

    try:
        one()
    except Unsatisfiable:  # there is no wrong request to a route without parameters
        assert mode is GenerationMode.NEGATIVE


# ---- the ends

FAR = 10**30
MOMENTS = (
    "0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1900-01-01", "9998-12-31",
    "1969-12-31T23:59:59Z",
)  # fmt: skip


@pytest.fixture(name="client", scope="module")
def _client(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


def is_told(response: Any) -> bool:
    """A good answer, or an error of the asker's that says so as a problem."""
    if response.status_code < 400 or response.headers["content-type"].startswith("text/html"):
        return bool(response.status_code < 500)
    told = Problem.model_validate(response.json())
    assert response.headers["content-type"] == "application/problem+json"
    return told.status == response.status_code < 500 and bool(told.detail)


@pytest.mark.parametrize(
    "address",
    [
        "/v1/documents", "/v1/documents/{id}", "/v1/documents/{id}/text", "/v1/news", "/v1/features/LAMP",
        "/v1/search?q=lamp", "/v1/rules/242.612", "/v1/rules/242.612/timeline", "/v1/rules/242.612/timeline?shape=svg",
        "/v1/impacts?of=242.612", "/v1/compare?a={id}&b=242.612", "/rules/242.612", "/documents/{id}",
    ],
)  # fmt: skip
def test_no_moment_breaks_a_route(client: TestClient, address: str) -> None:
    id = client.get("/v1/documents").json()["documents"][0]["id"]
    for moment in MOMENTS:
        response = client.get(address.format(id=id), params={"as_of": moment})
        assert is_told(response), (moment, response.text)


@pytest.mark.parametrize(
    "address",
    [
        "/v1/documents?after={}", "/v1/documents/{{id}}/text?start={}", "/v1/documents/{{id}}/text?end={}",
        "/v1/documents/{{id}}/pages/{}", "/v1/news?head={}", "/v1/news?after={}", "/v1/jobs?before={}", "/v1/jobs/x?after={}",
        "/v1/features/LAMP?head={}", "/v1/features/LAMP?view=as_if&model=fake&latency={}",
        "/v1/stream/features?symbols=&after={}", "/documents/{{id}}?at={}&to={}",
    ],
)  # fmt: skip
def test_no_number_breaks_a_route(client: TestClient, address: str) -> None:
    id = client.get("/v1/documents").json()["documents"][0]["id"]
    for number in (FAR, 2**63, 2**63 - 1, 2**62, 0, -1, -(2**63), -FAR):
        response = client.get(address.format(number, number).format(id=id))
        assert is_told(response), (number, response.text)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/features", {"symbols": ["LAMP"], "from": "0001-01-01", "to": "9999-12-31", "every": "999999999d"}),
        ("/v1/features", {"symbols": ["LAMP"], "from": "1900-01-01", "to": "9998-12-31", "every": "999999999d"}),
        ("/v1/features", {"symbols": ["LAMP"], "instants": [FAR]}),
        ("/v1/features", {"symbols": ["LAMP"], "instants": [-(2**63), 2**63 - 1]}),
        ("/v1/features", {"symbols": ["LAMP"], "instants": [True, None]}),
        ("/v1/features", {"symbols": ["LAMP"], "instants": {"a": 1}}),
        ("/v1/features", {"symbols": ["\ud800"]}),
        ("/v1/ask", {"question": "lamp \0"}),
        ("/v1/ask", {"question": "\ud800"}),
        ("/v1/ask", {"question": "lamp", "thread": "\ud800"}),
        ("/v1/ask", {"question": "lamp", "as_of": "9999-12-31T23:59:59-12:00"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}),
        ("/v1/news", {"id": "a\0", "published_at": "9999-12-31T23:59:59-12:00", "source": "\ud800", "headline": "x"}),
        ("/v1/news", {"items": [{"id": FAR, "published_at": FAR, "source": "w", "headline": "h"}]}),
        ("/v1/news", [[]]),
        ("/v1/documents", {"url": "http://[::1"}),
        ("/v1/documents", {"url": "http://127.0.0.1/"}),
        ("/v1/documents", {"urls": []}),
    ],
)  # fmt: skip
def test_no_body_breaks_a_route(client: TestClient, path: str, body: object) -> None:
    response = client.post(
        path, content=json.dumps(body), headers={"Content-Type": "application/json"}
    )

    assert is_told(response), response.text


@pytest.mark.parametrize(
    "path", ["/v1/ask", "/v1/features", "/v1/news", "/v1/chat/completions", "/v1/documents"]
)
@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"", b"null", b"[" * 100_000, b'{"question": NaN}', b'"x"'], ids=repr
)
def test_no_bytes_break_a_route(client: TestClient, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})

    assert response.status_code >= 400
    assert is_told(response), response.text


@pytest.mark.parametrize(
    "address",
    [
        "/v1/features/%00", "/v1/features/%ff", "/v1/documents/%00", "/v1/rules/%00", "/v1/threads/%00", "/v1/jobs/%00",
        "/v1/impacts?of=%00", "/v1/compare?a=%00&b=%00", "/v1/search?q=%00", "/v1/search?q=%ed%a0%80",
        "/v1/search?q=lamp&company=%00", "/login?next=%00%0d%0aX:1", "/rules?rule=%00", "/rules?rule=%0d%0aX",
        "/v1/news?symbol=%00",
    ],
)  # fmt: skip
def test_no_character_breaks_a_route(client: TestClient, address: str) -> None:
    response = client.get(address, follow_redirects=False)

    assert is_told(response), response.text
    assert "x" not in response.headers
