"""POST /v1/documents and /v1/jobs: what is taken and refused, the same key twice, and a job run by a process of its own."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response

from api.app import create_app
from api.keys import KeyStore, Scope
from api.settings import Settings
from tests.api.fakes import fake_services
from tests.api.test_access import bearer
from tests.ingest.test_jobs import BELLS, BROKEN, LAMPS

HERE = "http://127.0.0.1"


@pytest.fixture(name="app")
def _app(tmp_path: Path) -> Iterator[FastAPI]:
    with fake_services(tmp_path / "home") as services:
        yield create_app(
            Settings(home=tmp_path / "home", upload_bytes=20_000, upload_files=3, request_bytes=5_000),
            services,
        )  # fmt: skip


@pytest.fixture(name="client")
def _client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url=HERE, raise_server_exceptions=False) as client:
        yield client


def files(*each: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", one) for one in each]


def refused(response: Response, status: int, says: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert says in response.json()["detail"]


# ---- what is taken


def test_files_become_a_job_that_says_where_it_is(client: TestClient) -> None:
    made = client.post("/v1/documents", files=files(("lamps.md", LAMPS), ("../../bells.md", BELLS)))

    assert made.status_code == 202, made.text
    job = made.json()
    assert made.headers["location"] == f"/v1/jobs/{job['id']}"
    assert (job["state"], job["names"]) == ("queued", ["lamps.md", "bells.md"])
    read = client.get(made.headers["location"]).json()
    assert read["progress"] == {"done": 0, "total": 2, "added": 0, "unchanged": 0, "rejected": 0}
    assert [(f["name"], f["kind"], f["result"]) for f in read["files"]] == [
        ("lamps.md", "upload", "waiting"), ("bells.md", "upload", "waiting"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"url": "https://rules.example/a.pdf"},
        {"urls": ["https://rules.example/a.pdf", "https://rules.example/a.pdf"]},
    ],
)
def test_an_address_becomes_a_job(client: TestClient, body: dict[str, Any]) -> None:
    made = client.post("/v1/documents", json=body)

    assert made.status_code == 202
    assert made.json()["names"] == ["https://rules.example/a.pdf"]


def test_a_form_may_have_both_and_fields_left_empty_are_none(client: TestClient) -> None:
    """As a browser sends it."""
    parts = [
        'name="files"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n',
        'name="files"; filename="lamps.md"\r\n\r\n' + LAMPS.decode(),
        'name="url"\r\n\r\n https://rules.example/a.pdf\r\nhttps://rules.example/b.pdf ',
        'name="url"\r\n\r\n',
    ]
    body = (
        "".join(f"--x\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
        + "--x--\r\n"
    )
    form = {"content-type": "multipart/form-data; boundary=x"}
    made = client.post("/v1/documents", content=body.encode(), headers=form)

    assert made.json()["names"] == [
        "lamps.md", "https://rules.example/a.pdf", "https://rules.example/b.pdf",
    ]  # fmt: skip


def test_the_same_key_is_the_same_job(client: TestClient) -> None:
    key = {"Idempotency-Key": "night-7"}
    first, again = (
        client.post("/v1/documents", files=files(("a.md", LAMPS)), headers=key) for _ in range(2)
    )
    other = client.post("/v1/documents", files=files(("a.md", BELLS)), headers=key)

    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    refused(other, 422, "was used for another request")
    assert len(client.get("/v1/jobs").json()["jobs"]) == 1


# ---- what is refused


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"url": "http://127.0.0.1:8350/metrics"}, "public web"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "public web"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "public web"),
        ({"url": "file:///etc/passwd"}, "not a web address"),
        ({"url": "http://who:secret@rules.example/"}, "password"),
        ({"path": "/etc/passwd"}, "Extra inputs"),
        ({"urls": []}, "nothing to bring in"),
        ({"urls": ["https://a.example/"] * 2 + [f"https://{n}.example/" for n in range(3)]}, "at once"),
        ([], "valid dictionary"),
    ],
)  # fmt: skip
def test_an_address_that_is_not_of_the_web_is_refused_at_once(
    client: TestClient, body: object, says: str
) -> None:
    refused(client.post("/v1/documents", json=body), 422, says)
    assert client.get("/v1/jobs").json()["jobs"] == []


def test_bodies_that_cannot_be_meant_are_refused(client: TestClient) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    refused(client.post("/v1/documents", content=b"a"), 415, "a form with files")
    refused(
        client.post("/v1/documents", content=b"{", headers={"content-type": "application/json"}),
        422,
        "not JSON",
    )
    refused(client.post("/v1/documents", content=b"--y", headers=form), 400, "Invalid multipart")
    refused(
        client.post("/v1/documents", content=b"--x--", headers=form), 422, "nothing to bring in"
    )
    refused(client.post("/v1/documents", files=files(("a", b"a")), data={"path": "/etc"}), 422, "a field 'path'")  # fmt: skip
    refused(client.post("/v1/documents", files=files(*[(f"{n}", b"a") for n in range(4)])), 400, "Too many files")  # fmt: skip


def test_too_much_is_refused_with_a_length_and_without_one(
    client: TestClient, app: FastAPI
) -> None:
    large = b"x" * 30_000
    refused(client.post("/v1/documents", files=files(("a", large))), 413, "20000 bytes")
    request = client.build_request("POST", "/v1/documents", files=files(("a", large)))
    unmeasured = client.post(
        "/v1/documents", content=iter([request.read()]),
        headers={"content-type": request.headers["content-type"]},
    )  # fmt: skip
    refused(unmeasured, 413, "20000 bytes")
    addresses = json.dumps({"url": "https://a.example/" + "x" * 8_000}).encode()
    refused(
        client.post("/v1/documents", content=addresses, headers={"content-type": "application/json"}), 413, "5000 bytes",
    )  # fmt: skip
    uploads = app.state.opened.jobs.uploads
    assert not uploads.exists() or list(uploads.iterdir()) == []


@pytest.mark.parametrize("key", ["", "x" * 300])
def test_a_key_that_cannot_be_one_is_refused(client: TestClient, key: str) -> None:
    made = client.post(
        "/v1/documents", files=files(("a.md", LAMPS)), headers={"Idempotency-Key": key}
    )

    assert made.status_code == 422


@pytest.mark.parametrize("path", ["/v1/jobs/nothing", "/v1/jobs/nothing/events"])
def test_a_job_that_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    refused(client.get(path), 404, "there is no job 'nothing'")
    refused(client.post("/v1/jobs/nothing/cancel"), 404, "there is no job 'nothing'")


# ---- asking for them


def test_jobs_are_listed_page_by_page_and_by_state(client: TestClient) -> None:
    ids = [
        client.post("/v1/documents", files=files((f"{n}.md", LAMPS))).json()["id"] for n in range(3)
    ]
    client.post(f"/v1/jobs/{ids[1]}/cancel")

    first = client.get("/v1/jobs", params={"limit": 2}).json()
    rest = client.get("/v1/jobs", params={"limit": 2, "before": first["next"]}).json()
    assert [job["id"] for job in (*first["jobs"], *rest["jobs"])] == ids[::-1]
    assert rest["next"] is None
    cancelled = client.get("/v1/jobs", params={"state": "cancelled"}).json()["jobs"]
    assert [job["id"] for job in cancelled] == [ids[1]]
    assert "job run" in first["fault"], "nothing runs them in this test, and that is said"


def test_files_of_a_job_come_page_by_page(client: TestClient) -> None:
    id = client.post("/v1/documents", files=files(*[(f"{n}.md", LAMPS) for n in range(3)])).json()[
        "id"
    ]

    first = client.get(f"/v1/jobs/{id}", params={"limit": 2}).json()
    rest = client.get(f"/v1/jobs/{id}", params={"limit": 2, "after": first["next"]}).json()
    assert [f["name"] for f in (*first["files"], *rest["files"])] == ["0.md", "1.md", "2.md"]
    assert rest["next"] is None
    assert client.get(f"/v1/jobs/{id}", params={"result": "rejected"}).json()["files"] == []
    assert client.get(f"/v1/jobs/{id}", params={"limit": 0}).json()["files"] == []


def test_the_stream_of_a_job_ends_with_it(client: TestClient) -> None:
    id = client.post("/v1/documents", files=files(("a.md", LAMPS))).json()["id"]
    client.post(f"/v1/jobs/{id}/cancel")
    told = client.get(f"/v1/jobs/{id}/events")

    assert told.headers["content-type"].startswith("text/event-stream")
    (event,) = told.text.strip().split("\n\n")
    name, data = event.split("\n")
    assert name == "event: job"
    assert json.loads(data.removeprefix("data: "))["state"] == "cancelled"


def test_metrics_say_how_long_what_waits_has_waited(client: TestClient) -> None:
    assert "regtape_jobs_queued 0.0" in client.get("/metrics").text
    client.post("/v1/documents", files=files(("a.md", LAMPS)))
    told = client.get("/metrics").text

    assert "regtape_jobs_queued 1.0" in told
    lag = next(line for line in told.splitlines() if line.startswith("regtape_ingest_lag_seconds"))
    assert 0.0 < float(lag.split()[1]) < 60.0


def test_one_callers_key_of_a_request_is_not_anothers_and_reading_is_not_bringing_in(
    client: TestClient, app: FastAPI
) -> None:
    with KeyStore(app.state.opened.settings.home) as store:
        desk, night, reader = (
            bearer(store.create(name, scopes)[1])
            for name, scopes in (
                ("desk", [Scope.READ, Scope.INGEST]), ("night", [Scope.READ, Scope.INGEST]), ("reader", [Scope.READ]),
            )
        )  # fmt: skip

    def sent(key: dict[str, str], path: str = "/v1/documents") -> Response:
        headers = key | {"Idempotency-Key": "7"}
        return client.post(path, files=files(("a.md", LAMPS)), headers=headers)

    assert sent(desk).json()["id"] == sent(desk).json()["id"] != sent(night).json()["id"]
    assert {
        sent(reader, path).status_code for path in ("/v1/documents", "/jobs", "/jobs/x/cancel")
    } == {403}
    assert len(client.get("/v1/jobs", headers=reader).json()["jobs"]) == 2


# ---- run by a process of its own


def ended(client: TestClient, id: str) -> dict[str, Any]:
    for _ in range(600):
        job: dict[str, Any] = client.get(f"/v1/jobs/{id}").json()
        if job["ended_at"]:
            return job
        time.sleep(0.1)
    raise AssertionError(f"the job did not end: {job}")


@pytest.mark.slow
def test_what_is_sent_is_found_without_a_restart_and_a_cancelled_job_is_stopped_at_once(
    tmp_path: Path,
) -> None:
    settings = Settings(
        home=tmp_path / "home", embedder="hashing", ask_workers=0, news_scorer="none"
    )
    with TestClient(create_app(settings), base_url=HERE) as client:
        before = client.get("/v1/search", params={"q": "lamp lit at all times"}).json()
        assert before["passages"] == []
        sent = files(("lamps.md", LAMPS), ("broken.pdf", BROKEN))
        job = ended(client, client.post("/v1/documents", files=sent).json()["id"])

        assert (job["state"], job["progress"]["added"], job["progress"]["rejected"]) == (
            "done",
            1,
            1,
        )
        lamps, broken = job["files"]
        assert broken["reason"]
        assert broken["message"]
        assert client.get(f"/v1/documents/{lamps['document_id']}").json()["path"] == "lamps.md"
        found = client.get("/v1/search", params={"q": "lamp lit at all times"}).json()
        assert [p["document_id"] for p in found["passages"]] == [lamps["document_id"]]

        many = files(*[(f"{n}.md", LAMPS + b"%d" % n) for n in range(90)])
        id = client.post("/v1/documents", files=many).json()["id"]
        cancelled = client.post(f"/v1/jobs/{id}/cancel").json()
        assert cancelled["state"] == "cancelled"
        after = client.post("/v1/documents", files=files(("bells.md", BELLS)))
        assert ended(client, after.json()["id"])["progress"]["added"] == 1
        stopped = client.get(f"/v1/jobs/{id}").json()
        assert stopped["progress"]["done"] < 90


@pytest.mark.slow
def test_jobs_survive_a_restart_of_the_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (
        fake_services(home) as services,
        TestClient(create_app(services.settings, services), base_url=HERE) as client,
    ):
        id = client.post("/v1/documents", files=files(("lamps.md", LAMPS))).json()["id"]
    settings = Settings(home=home, embedder="hashing", ask_workers=0, news_scorer="none")
    with TestClient(create_app(settings), base_url=HERE) as client:
        assert ended(client, id)["progress"]["added"] == 1


@pytest.mark.slow
def test_what_hinders_jobs_is_said(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with fake_services(home) as services:
        settings = Settings(
            home=home, embedder="hashing", news_scorer="none", vectors_url="http://127.0.0.1:9"
        )
        running = create_app(settings)
        with TestClient(running, base_url=HERE) as client:
            client.post("/v1/documents", files=files(("lamps.md", LAMPS)))
            for _ in range(300):
                fault = client.get("/v1/jobs").json()["fault"]
                if fault:
                    break
                time.sleep(0.1)
        assert services.catalog.head() == 3
    assert "Chroma server" in fault
