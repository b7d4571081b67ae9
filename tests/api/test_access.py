"""Keys over HTTP: who is let in, with what, for how long; what is told to whoever is not; and what the log says of it."""

import io
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from api import routes
from api.access import ROUTES, Access, Refused, route_of
from api.app import create_app
from api.client import Features, Problem
from api.keys import KeyStore, Scope
from api.logs import Log, logging_to
from api.services import Services
from ingest.moment import now
from tests.api.fakes import NEW, fake_services
from tests.api.serving import scored, served, wait_until_folded

HERE = "http://127.0.0.1"
A_WHILE = 0.6  # after which a change of keys is seen


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path / "home") as services:
        yield services


@pytest.fixture(name="store")
def _store(services: Services) -> Iterator[KeyStore]:
    with KeyStore(services.settings.home) as store:
        yield store


@pytest.fixture(name="said")
def _said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(name="client")
def _client(services: Services, said: io.StringIO) -> Iterator[TestClient]:
    with a_client(services, said) as client:
        yield client


def a_client(services: Services, said: io.StringIO | None = None, **chosen: Any) -> TestClient:
    settings = services.settings.model_copy(update=chosen)
    app = create_app(settings, services, log=Log(said or io.StringIO()))
    return TestClient(app, base_url=HERE, raise_server_exceptions=False, follow_redirects=False)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def a_key(store: KeyStore, *scopes: Scope) -> dict[str, str]:
    return bearer(store.create(f"of {' and '.join(scopes)}", scopes)[1])


def lines(said: io.StringIO) -> list[dict[str, Any]]:
    time.sleep(0.25)
    return [json.loads(line) for line in said.getvalue().splitlines()]


# ---- keys


def test_without_keys_this_machine_may_ask(client: TestClient) -> None:
    assert client.get("/v1/documents").status_code == 200


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/features/BAC", "/nowhere", "/metrics"])
def test_once_there_is_a_key_no_request_without_one_is_answered(
    store: KeyStore, client: TestClient, path: str
) -> None:
    key = a_key(store, Scope.READ)
    refused, let_in = client.get(path), client.get(path, headers=key)

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Bearer realm="regtape"'
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == 401
    assert let_in.status_code == (404 if path == "/nowhere" else 200)


def test_a_key_may_stand_in_a_header_of_its_own(store: KeyStore, client: TestClient) -> None:
    _, secret = store.create("desk", [Scope.READ])

    assert client.get("/v1/documents", headers={"X-API-Key": secret}).status_code == 200


def test_the_health_of_a_server_is_nobodys_secret(store: KeyStore, client: TestClient) -> None:
    store.create("desk", [Scope.READ])

    assert client.get("/healthz").status_code == 200


def test_a_key_without_the_scope_is_told_which_it_needs(
    store: KeyStore, client: TestClient
) -> None:
    row = {"id": "1", "published_at": "2026-02-24T12:05:00Z", "source": "w", "headline": "Lamps"}
    read, ingest, admin = (a_key(store, scope) for scope in Scope)
    refused = client.post("/v1/news", json=row, headers=read)

    assert refused.status_code == 403
    assert 'scope="ingest"' in refused.headers["www-authenticate"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert client.post("/v1/news", json=row, headers=ingest).status_code == 201
    assert client.post("/v1/news", json=row, headers=admin).status_code == 200
    assert client.get("/v1/news", headers=ingest).status_code == 403
    assert client.get("/v1/news", headers=admin).status_code == 200


def test_a_revoked_key_is_refused_within_a_second_on_the_short_way_too(
    store: KeyStore, client: TestClient
) -> None:
    key, secret = store.create("desk", [Scope.READ])
    before = client.get("/v1/features/BAC", headers=bearer(secret))
    store.revoke("desk")
    time.sleep(A_WHILE)
    after = client.get("/v1/features/BAC", headers=bearer(secret))

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["detail"] == f"the key {key.id} is revoked"
    assert 'error="invalid_token"' in after.headers["www-authenticate"]


def test_an_expired_key_is_refused(store: KeyStore, client: TestClient) -> None:
    until = now() + timedelta(seconds=0.5)
    _, secret = store.create("desk", [Scope.READ], expires_at=until)
    before = client.get("/v1/documents", headers=bearer(secret)).status_code
    time.sleep(0.5)
    after = client.get("/v1/documents", headers=bearer(secret))

    assert (before, after.status_code) == (200, 401)
    assert "is expired" in after.json()["detail"]


def test_when_the_last_key_is_revoked_nobody_is_let_in(store: KeyStore, services: Services) -> None:
    store.create("desk", [Scope.READ])
    store.revoke("desk")
    with a_client(services) as client:
        assert client.get("/v1/documents").status_code == 401


@pytest.mark.parametrize(
    "given",
    ["", "rt_", "rt_00000000_" + "A" * 43, "x" * 5000, "rt_00000000_" + "é" * 43],
)
def test_what_is_no_key_is_refused(store: KeyStore, client: TestClient, given: str) -> None:
    store.create("desk", [Scope.READ])
    headers = {b"Authorization": b"Bearer " + given.encode()}

    assert client.get("/v1/documents", headers=headers).status_code == 401


def test_the_id_of_a_key_with_another_secret_is_no_key(store: KeyStore, client: TestClient) -> None:
    key, secret = store.create("desk", [Scope.READ])
    other = f"rt_{key.id}_{'A' * 43}"

    assert client.get("/v1/documents", headers=bearer(secret)).status_code == 200
    assert client.get("/v1/documents", headers=bearer(other)).json()["detail"].startswith("no such")


def test_keys_that_cannot_be_read_let_nobody_in(services: Services) -> None:
    (services.settings.home / "keys.db").write_bytes(b"no database " * 100)
    with a_client(services) as client:
        response = client.get("/v1/features/BAC")

    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"


def test_where_other_machines_may_ask_keys_are_needed_though_there_are_none(
    services: Services,
) -> None:
    with a_client(services, hosts=("tape.desk",)) as client:
        assert client.get("/v1/documents").status_code == 401
        assert client.get("/v1/documents", headers={"Host": "tape.desk:8350"}).status_code == 401
        assert client.get("/v1/documents", headers={"Host": "other.desk"}).status_code == 421


def test_every_route_of_the_app_needs_what_it_should(client: TestClient) -> None:
    """Whoever adds a route that writes says in ROUTES what it needs, or only `admin` may use it."""
    app: Any = client.app
    open_to_all = {words for words, route in ROUTES.items() if route.scope is None}
    needed = {
        f"{method} {path}": route_of(method.upper(), re.sub(r"{\w+}", "x", path)).scope
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }

    assert {words for words, scope in needed.items() if scope is None} == {"get /healthz"}
    assert open_to_all == {
        "GET /healthz", "GET /login", "POST /login", "POST /logout", "GET /static/**",
    }  # fmt: skip
    assert needed["post /v1/news"] is Scope.INGEST
    assert {s for words, s in needed.items() if words.startswith("get ")} == {Scope.READ, None}
    assert Scope.ADMIN not in needed.values()


def test_no_page_needs_admin() -> None:
    """Pages are not in the description, and post as well."""
    found = {
        (method, re.sub(r"{\w+}", "x", route.path))
        for module in iter_modules(routes.__path__)
        for route in import_module(f"api.routes.{module.name}").router.routes
        for method in getattr(route, "methods", None) or ()
    }

    assert ("POST", "/login") in found
    assert {each for each in found if route_of(*each).scope is Scope.ADMIN} == set()


def test_what_no_table_names_needs_admin_to_write() -> None:
    assert route_of("POST", "/v1/anything").scope is Scope.ADMIN
    assert route_of("DELETE", "/v1/documents/x").scope is Scope.ADMIN
    assert route_of("GET", "/v1/anything").scope is Scope.READ


def test_the_client_brings_its_key(
    store: KeyStore, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = store.create("desk", [Scope.READ])
    with served(create_app(services.settings, services)) as address:
        with Features(address, key=secret) as features:
            assert features.get("BAC").symbol == "BAC"
        with Features(address) as features, pytest.raises(Problem) as refused:
            features.get("BAC")
        monkeypatch.setenv("REGTAPE_KEY", secret)
        with Features(address) as features:
            assert features.get("BAC").symbol == "BAC"

    assert refused.value.status == 401


def test_the_description_says_which_scope_a_route_needs(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    paths = described["paths"]

    assert {"key": ["ingest"]} in paths["/v1/news"]["post"]["security"]
    assert {"key": ["read"]} in paths["/v1/features/{symbol}"]["get"]["security"]
    assert "security" not in paths["/healthz"]["get"]
    assert described["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


# ---- what is pushed


def test_a_socket_needs_a_key(store: KeyStore, client: TestClient) -> None:
    key = a_key(store, Scope.READ)
    address = "/v1/stream/features/ws?symbols=LAMP"
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(address, headers={"Host": "127.0.0.1"}),
    ):
        pass
    with client.websocket_connect(address, headers={"Host": "127.0.0.1", **key}) as socket:
        assert "start" in socket.receive_json()


def test_a_socket_ends_with_its_key(store: KeyStore, services: Services) -> None:
    key = a_key(store, Scope.READ)
    with a_client(services, push_seconds=0.1) as client:
        headers = {"Host": "127.0.0.1", **key}
        with client.websocket_connect(
            "/v1/stream/features/ws?symbols=LAMP", headers=headers
        ) as socket:
            socket.receive_json()
            store.revoke("of read")
            with pytest.raises(WebSocketDisconnect) as ended:
                all(socket.receive_json() for _ in range(100))

    assert (ended.value.code, ended.value.reason) == (1008, "the key has ended")


def test_a_stream_of_events_ends_with_its_key(store: KeyStore, services: Services) -> None:
    key = a_key(store, Scope.READ)
    with a_client(services, push_seconds=0.1) as client:
        store_of_app: Any = client.app
        wait_until_folded(store_of_app.state.opened.tape, store_of_app)
        with KeyStore(services.settings.home) as other:
            threading.Timer(0.3, other.revoke, ["of read"]).start()
            text = client.get("/v1/stream/features?symbols=LAMP", headers=key).text

    assert text.startswith("event: start")
    assert text.count("event: heartbeat") < 50


# ---- a browser


def test_a_browser_is_sent_to_the_form_and_back(store: KeyStore, client: TestClient) -> None:
    _, secret = store.create("desk", [Scope.READ])
    html = {"Accept": "text/html,*/*"}
    sent = client.get("/rules/242.612?as_of=2024-01-31", headers=html)
    form = client.get(sent.headers["location"])
    wrong = client.post("/login", data={"key": "rt_", "next": "/"})
    right = client.post("/login", data={"key": secret, "next": "/rules/242.612?as_of=2024-01-31"})

    assert sent.status_code == 303
    assert 'value="/rules/242.612?as_of=2024-01-31"' in form.text
    assert wrong.status_code == 403
    assert right.headers["location"] == "/rules/242.612?as_of=2024-01-31"
    assert "HttpOnly" in right.headers["set-cookie"]
    assert "SameSite=lax" in right.headers["set-cookie"]
    assert secret not in right.headers["set-cookie"]
    assert client.get("/v1/documents").status_code == 200
    assert client.post("/logout").headers["location"] == "/login"
    assert client.get("/v1/documents").status_code == 401


def test_a_program_is_not_sent_to_the_form(store: KeyStore, client: TestClient) -> None:
    store.create("desk", [Scope.READ])
    assert client.get("/v1/documents", headers={"Accept": "text/html"}).status_code == 401
    assert client.get("/", headers={"Accept": "application/json"}).status_code == 401


@pytest.mark.parametrize(
    "there", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "x"]
)
def test_the_form_leads_nowhere_else(store: KeyStore, client: TestClient, there: str) -> None:
    _, secret = store.create("desk", [Scope.READ])
    answer = client.post("/login", data={"key": secret, "next": there})

    assert answer.headers["location"] == "/"


def test_a_login_ends_when_its_key_does_and_cannot_be_made_up(
    store: KeyStore, client: TestClient
) -> None:
    key, secret = store.create("desk", [Scope.READ])
    client.post("/login", data={"key": secret})
    cookie = client.cookies["regtape"]
    assert client.get("/v1/documents").status_code == 200
    for forged in (
        f"{key.id}.9999999999.{'0' * 64}",
        cookie.replace(key.id, "00000000"),
        cookie.partition(".")[0] + "." + str(int(time.time()) + 10**6) + "." + cookie.split(".")[2],
        "..", "é",
    ):  # fmt: skip
        client.cookies.clear()
        headers = {b"Cookie": b"regtape=" + forged.encode()}
        assert client.get("/v1/documents", headers=headers).status_code == 401
    client.cookies["regtape"] = cookie
    store.revoke(key.id)
    time.sleep(A_WHILE)
    assert client.get("/v1/documents").status_code == 401


def test_a_page_elsewhere_cannot_use_a_login_to_write(store: KeyStore, client: TestClient) -> None:
    _, secret = store.create("desk", [Scope.ADMIN])
    client.post("/login", data={"key": secret})
    body = {"question": "How many lamps?"}
    statuses = [
        client.post("/v1/ask", json=body, headers=headers).status_code
        for headers in (
            {"Origin": HERE},
            {"Origin": "http://127.0.0.1:3000"},
            {"Origin": "https://elsewhere.example"},
            {"Origin": "null"},
            {},
        )
    ]

    assert statuses == [200, 403, 403, 403, 403]


def test_without_keys_too_a_page_elsewhere_cannot_write(client: TestClient) -> None:
    row = {"id": "1", "published_at": "2026-02-24T12:05:00Z", "source": "w", "headline": "Lamps"}
    refused = client.post("/v1/news", json=row, headers={"Origin": "https://elsewhere.example"})

    assert refused.status_code == 403
    assert client.get("/v1/news").json()["items"] == []


# ---- pages elsewhere


def test_no_page_elsewhere_may_read_unless_it_is_named(services: Services) -> None:
    asked = {"Origin": "https://desk.example", "Access-Control-Request-Method": "POST"}
    with a_client(services) as client:
        assert client.options("/v1/ask", headers=asked).status_code != 200
        assert "access-control-allow-origin" not in client.get("/healthz", headers=asked).headers
    with a_client(services, cors_origins=("https://desk.example",)) as client:
        first = client.options("/v1/ask", headers=asked)
        then = client.post(
            "/v1/ask", json={"question": "lamps?"}, headers={"Origin": "https://desk.example"}
        )
        short = client.get("/v1/features/BAC", headers={"Origin": "https://desk.example"})
        other = client.get("/v1/features/BAC", headers={"Origin": "https://other.example"})

    assert first.status_code == 200
    assert then.status_code == 200
    for answer in (first, then, short):
        assert answer.headers["access-control-allow-origin"] == "https://desk.example"
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in other.headers


# ---- too many


def test_who_asks_too_much_is_told_when_to_come_again(services: Services) -> None:
    with a_client(services, rate=10) as client:
        statuses = [
            client.post("/v1/ask", json={"question": "lamps?"}).status_code for _ in range(3)
        ]
        refused = client.post("/v1/ask", json={"question": "lamps?"})

    assert statuses == [200, 429, 429]
    assert refused.headers["content-type"] == "application/problem+json"
    assert int(refused.headers["retry-after"]) in (1, 2)


def test_one_key_does_not_use_up_what_another_has(store: KeyStore, services: Services) -> None:
    one, other = store.create("one", [Scope.READ])[1], store.create("other", [Scope.READ])[1]
    with a_client(services, rate=10) as client:
        statuses = [
            client.get("/v1/features/BAC", headers=bearer(secret)).status_code
            for secret in [one] * 25 + [other]
        ]

    assert statuses.count(200) == 21 + statuses[:25].count(200) - 20
    assert statuses[24] == 429
    assert statuses[25] == 200


def test_a_budget_comes_back_with_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 100.0
    monkeypatch.setattr("api.access.time.monotonic", lambda: moment)
    access = Access(tmp_path, rate=10)
    for _ in range(20):
        access.admit("GET", "/v1/features/X", {}, "127.0.0.1")
    with pytest.raises(Refused) as refused:
        access.admit("GET", "/v1/features/X", {}, "127.0.0.1")
    assert refused.value.headers == {"Retry-After": "1"}
    moment += 0.5
    for _ in range(5):
        access.admit("GET", "/v1/features/X", {}, "127.0.0.1")
    with pytest.raises(Refused):
        access.admit("GET", "/v1/features/X", {}, "127.0.0.1")


def test_callers_who_never_come_again_are_forgotten(tmp_path: Path) -> None:
    access = Access(tmp_path, rate=10)
    for n in range(10_050):
        access.admit("GET", "/v1/features/X", {}, f"10.0.{n // 256}.{n % 256}")

    assert len(access._budgets._left) == 10_000


# ---- conversations


def test_each_key_sees_its_own_conversations_alone(store: KeyStore, client: TestClient) -> None:
    desk, counsel = a_key(store, Scope.READ), a_key(store, Scope.READ, Scope.ADMIN)
    words = {"question": "How many lamps?", "thread": "new"}
    own, other = (
        client.post("/v1/ask", json=words, headers=key).json()["thread"] for key in (desk, counsel)
    )

    def listed(key: dict[str, str]) -> list[str]:
        return [t["id"] for t in client.get("/v1/threads", headers=key).json()["threads"]]

    assert (listed(desk), listed(counsel)) == ([own], [other])
    for path in (
        f"/v1/threads/{other}",
        f"/v1/threads/{other}/export",
        f"/threads/{other}/1/answer.json",
    ):
        assert client.get(path, headers=desk).status_code == 404
    assert client.get(f"/threads/{other}", headers=desk).status_code == 404
    assert other not in client.get("/", headers=desk).text
    assert client.post("/v1/ask", json=words | {"thread": other}, headers=desk).status_code == 404
    assert client.delete(f"/v1/threads/{other}", headers=desk).status_code == 404
    assert client.get(f"/v1/threads/{other}", headers=counsel).json()["turns"]


# ---- the log


def test_a_request_is_a_line_with_its_route_and_no_key_and_no_words(
    store: KeyStore, client: TestClient, said: io.StringIO
) -> None:
    key, secret = store.create("desk", [Scope.READ])
    headers = bearer(secret) | {"X-Request-ID": "mine-1"}
    answer = client.post("/v1/ask", json={"question": "How many secret lamps?"}, headers=headers)
    client.get("/v1/search?q=secret+lamp", headers=bearer(secret))
    client.get("/v1/features/SECRET", headers=bearer(secret))
    client.get(f"/nowhere/{secret}", headers=bearer(secret))
    client.get("/v1/documents")
    told = lines(said)

    assert answer.headers["x-request-id"] == "mine-1"
    requests = [
        (line["id"], line["method"], line["route"], line["status"], line["key"])
        for line in told
        if line["event"] == "request"
    ]
    assert requests[0] == ("mine-1", "POST", "/v1/ask", 200, key.id)
    assert [r[1:] for r in requests[1:]] == [
        ("GET", "/v1/search", 200, key.id),
        ("GET", None, 404, key.id),  # a feature read that ends well is counted alone
        ("GET", None, 401, None),
    ]
    (answered,) = (line for line in told if line["event"] == "answer")
    assert answered["request"] == "mine-1"
    assert answered["sentences"] == 1
    assert secret not in said.getvalue()
    assert "secret" not in said.getvalue().lower()


def test_questions_are_logged_where_somebody_said_so(services: Services) -> None:
    said = io.StringIO()
    with a_client(services, said, log_questions=True) as client:
        client.post("/v1/ask", json={"question": "How many lamps?"})
    assert [x["question"] for x in lines(said) if x["event"] == "answer"] == ["How many lamps?"]


@pytest.mark.parametrize("given", ["", "with space", "x" * 65, "new\\nline", "é"])
def test_a_request_id_that_is_none_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/healthz", headers={b"X-Request-ID": given.encode()})

    assert answer.headers["x-request-id"] != given
    assert len(answer.headers["x-request-id"]) == 16


def test_an_unexpected_error_is_logged_with_the_id_that_the_client_was_told(
    services: Services,
) -> None:
    agent: Any = services.agent
    agent.error = ZeroDivisionError("inside")
    said = io.StringIO()
    with logging_to(said) as log:
        app = create_app(services.settings, services, log=log)
        with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
            answer = client.post("/v1/ask", json={"question": "lamps?"})
        found = [line for line in lines(said) if line["event"] == "log"]

    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert [line["request"] for line in found] == [answer.headers["x-request-id"]]
    assert "ZeroDivisionError" in found[0]["trace"]


def test_a_log_that_nobody_reads_stops_nobody() -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as stream:
        log = Log(stream)
        began = time.monotonic()
        for n in range(30_000):
            log.tell("request", n=n)
        assert time.monotonic() - began < 2
        log.close()
        os.close(reads)
        log._thread.join()


# ---- what Prometheus reads


def test_requests_answers_refusals_and_documents_are_counted(
    services: Services, client: TestClient
) -> None:
    app: Any = client.app
    assert isinstance(app, FastAPI)
    scored(app.state.opened.tape, "a", "LAMP")
    client.post("/v1/ask", json={"question": "How many lamps?"})
    client.post("/v1/ask", json={"question": "How many bells?"})
    client.get("/v1/features/LAMP")
    client.get("/v1/documents/none")
    found = dict(
        line.rsplit(" ", 1)
        for line in client.get("/metrics").text.splitlines()
        if not line.startswith("#")
    )

    assert found['regtape_requests_total{route="/v1/ask",status="200"}'] == "2.0"
    assert found['regtape_requests_total{route="/v1/documents/{id}",status="404"}'] == "1.0"
    assert found['regtape_request_seconds_count{route="/v1/features/{symbol}"}'] == "1.0"
    assert found["regtape_answer_seconds_count"] == "2.0"
    assert found['regtape_refusals_total{reason="not_found"}'] == "1.0"
    assert found["regtape_documents"] == "3.0"
    assert float(found["regtape_newest_document_recorded_at_seconds"]) > 1.7e9
    assert float(found["regtape_newest_document_known_at_seconds"]) == NEW.timestamp()
