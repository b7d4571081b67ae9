"""Conversations over HTTP, with a fake agent: begun, gone on with, listed, exported and verified, resumed, cancelled."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from agent.reply import Answer, Step
from agent.threads import FILE
from api import answering
from api.answering import Answering, Running
from api.app import create_app
from api.exports import answers_in
from api.recheck import recheck
from api.services import Services
from ingest.errors import BadRequest, ModelMissing, NotKnown
from tests.api.fakes import NEW, FakeAgent, fake_services
from tests.api.serving import served
from tests.api.test_http import events_of

STREAM = {"Accept": "text/event-stream"}


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


def ask(client: TestClient, question: str, thread: str | None = "new") -> dict[str, Any]:
    found: dict[str, Any] = client.post(
        "/v1/ask", json={"question": question, "thread": thread}
    ).json()
    return found


def test_a_question_by_itself_is_of_no_thread_and_leaves_none(
    client: TestClient, services: Services
) -> None:
    answer = client.post("/v1/ask", json={"question": "How many lamps?"}).json()

    assert (answer["thread"], answer["turn"], answer["asked_as"]) == (None, 0, "")
    assert not (services.settings.home / FILE).exists()


def test_a_thread_is_begun_gone_on_with_listed_and_read(client: TestClient) -> None:
    first = ask(client, "How many  lamps?")
    second = ask(client, "How many bells?", first["thread"])
    other = ask(client, "Any lamps?")

    assert (first["turn"], second["turn"], second["thread"]) == (1, 2, first["thread"])
    listed = client.get("/v1/threads").json()["threads"]
    assert [(t["id"], t["title"], t["turns"]) for t in listed] == [
        (other["thread"], "Any lamps?", 1),
        (first["thread"], "How many lamps?", 2),
    ]
    read = client.get(f"/v1/threads/{first['thread']}").json()
    assert [t["question"] for t in read["turns"]] == ["How many lamps?", "How many bells?"]
    assert read["turns"][0]["answer"] == first
    assert read["turns"][1]["answer"]["refusal"]["reason"] == "not_found"


def test_the_done_event_names_the_thread_and_the_turn(client: TestClient) -> None:
    body = {"question": "How many lamps?", "thread": "new"}
    done = events_of(client.post("/v1/ask", json=body, headers=STREAM).text)[-1]

    assert done[0] == "done"
    assert done[1]["turn"] == 1
    assert client.get(f"/v1/threads/{done[1]['thread']}").status_code == 200


@pytest.mark.parametrize("headers", [{}, STREAM])
def test_a_thread_that_does_not_exist_is_a_404_problem(
    client: TestClient, headers: dict[str, str]
) -> None:
    body = {"question": "How many lamps?", "thread": "none"}
    for response in (
        client.post("/v1/ask", json=body, headers=headers),
        client.get("/v1/threads/none"),
        client.get("/v1/threads/none/export"),
        client.delete("/v1/threads/none"),
    ):
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
        assert "none" in response.json()["detail"]


def test_a_deleted_thread_is_gone_from_the_file_too(client: TestClient, services: Services) -> None:
    id = ask(client, "How many lamps are purple?")["thread"]
    kept = ask(client, "How many lamps?")["thread"]

    assert client.delete(f"/v1/threads/{id}").status_code == 204

    assert client.get(f"/v1/threads/{id}").status_code == 404
    assert [t["id"] for t in client.get("/v1/threads").json()["threads"]] == [kept]
    files = sorted(services.settings.home.glob(f"{FILE}*"))
    client.get("/v1/threads")
    assert not any(b"purple" in file.read_bytes() for file in files if file.suffix == ".db")


def test_a_turn_that_fails_leaves_the_thread_as_it_was(
    client: TestClient, services: Services
) -> None:
    id = ask(client, "How many lamps?")["thread"]
    before = client.get(f"/v1/threads/{id}").json()
    agent_of(services).error = ModelMissing("no weights")
    failed = client.post("/v1/ask", json={"question": "More lamps?", "thread": id})
    begun = client.post("/v1/ask", json={"question": "More lamps?", "thread": "new"})
    agent_of(services).error = None

    assert (failed.status_code, begun.status_code) == (503, 503)
    assert client.get(f"/v1/threads/{id}").json() == before
    assert len(client.get("/v1/threads").json()["threads"]) == 1
    assert ask(client, "Even more lamps?", id)["turn"] == 2


def test_questions_of_one_thread_are_answered_one_after_the_other(
    client: TestClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = ask(client, "How many lamps?")["thread"]
    inside, most = 0, 0
    counting = threading.Lock()
    real = FakeAgent.ask

    def slowly(agent: FakeAgent, question: str, **more: Any) -> Answer:
        nonlocal inside, most
        with counting:
            inside += 1
            most = max(most, inside)
        time.sleep(0.05)
        with counting:
            inside -= 1
        return real(agent, question, **more)

    monkeypatch.setattr(FakeAgent, "ask", slowly)
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda n: ask(client, f"How many lamps are {n}?", id), range(4)))

    assert most == 1
    assert sorted(a["turn"] for a in asked) == [2, 3, 4, 5]
    read = client.get(f"/v1/threads/{id}").json()["turns"]
    by_turn = {a["turn"]: a["question"] for a in asked}
    assert [t["question"] for t in read[1:]] == [by_turn[n] for n in (2, 3, 4, 5)]


# ---- exports


@pytest.mark.parametrize(("written", "ending"), [("json", "json"), ("markdown", "md")])
def test_an_export_can_be_verified_and_one_that_was_changed_is_found_out(
    client: TestClient, services: Services, written: str, ending: str
) -> None:
    id = ask(client, "How many lamps? <b> --> [x](y)")["thread"]
    ask(client, "How many bells?", id)

    response = client.get(f"/v1/threads/{id}/export", params={"format": written})

    assert response.headers["content-disposition"].endswith(f'"regtape-{id}.{ending}"')
    answers = answers_in(response.text, "it")
    assert [a.turn for a in answers] == [1, 2]
    assert [recheck(a, services.catalog) for a in answers] == [[], []]
    assert "Each venue must keep one lamp lit." in response.text
    changed = response.text.replace("one lamp lit", "two lamps lit")
    if written == "markdown":
        assert "<b>" not in response.text.partition("<!-- regtape")[0]
        visible, mark, held = response.text.partition("<!-- regtape")
        edited = visible.replace("one lamp lit", "two lamps lit") + mark + held
        with pytest.raises(BadRequest, match="was changed"):
            answers_in(edited, "it")
    assert any(recheck(a, services.catalog) for a in answers_in(changed, "it"))


def test_a_markdown_export_with_the_line_ends_of_another_system_is_whole(
    client: TestClient,
) -> None:
    id = ask(client, "How many lamps?")["thread"]
    text = client.get(f"/v1/threads/{id}/export", params={"format": "markdown"}).text
    assert len(answers_in(text.replace("\n", "\r\n"), "it")) == 1


def test_an_export_in_another_format_is_refused(client: TestClient) -> None:
    id = ask(client, "How many lamps?")["thread"]
    assert client.get(f"/v1/threads/{id}/export", params={"format": "pdf"}).status_code == 422


# ---- streams that break


def ids_of(body: str) -> list[str]:
    return [line[4:] for line in body.splitlines() if line.startswith("id: ")]


def test_a_stream_is_read_on_from_the_last_event_that_arrived(
    client: TestClient, services: Services
) -> None:
    body = {"question": "How many lamps?", "thread": "new"}
    whole = client.post("/v1/ask", json=body, headers=STREAM).text
    ids = ids_of(whole)
    assert len(ids) == len(events_of(whole)) == 4

    rest = client.post("/v1/ask", json=body, headers=STREAM | {"Last-Event-ID": ids[1]}).text

    def told(text: str) -> list[tuple[str, Any]]:
        return [(name, data) for name, data in events_of(text)]

    assert told(rest) == told(whole)[2:]
    assert ids_of(rest) == ids[2:]
    assert len(agent_of(services).asked) == 1


@pytest.mark.parametrize(("id", "status"), [("0123456789abcdef-1", 404), ("what?", 422)])
def test_an_answer_that_is_not_kept_cannot_be_read_on(
    client: TestClient, id: str, status: int
) -> None:
    body = {"question": "How many lamps?"}
    response = client.post("/v1/ask", json=body, headers=STREAM | {"Last-Event-ID": id})
    assert response.status_code == status


def scenario(test: Callable[[Answering, list[str]], Any]) -> Any:
    """Run a test inside a loop; what it lists as its second argument tells what became of the answer."""
    log: list[str] = []

    async def run() -> Any:
        return await test(Answering(), log)

    return asyncio.run(run()), log


def slow(log: list[str], seconds: float) -> answering.Asked:
    async def asked(tell: Callable[..., None]) -> Answer:
        log.append("begun")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        log.append("answered")
        return Answer("q", NEW)

    return asked


async def listened(running: Running, seconds: float) -> None:
    """Listen for a while, then go."""

    async def listen() -> None:
        async for _ in running.follow():
            pass

    task = asyncio.ensure_future(listen())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_an_answer_that_nobody_waits_for_is_cancelled_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.05)

    async def test(answers: Answering, log: list[str]) -> list[str]:
        running = answers.begin(slow(log, 5))
        await listened(running, 0.02)
        await asyncio.sleep(0.15)
        return [name for name, _ in running.events]

    events, log = scenario(test)
    assert log == ["begun", "cancelled"]
    assert events == ["error"]


def test_an_answer_whose_reader_comes_back_in_time_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "GRACE_SECONDS", 0.05)

    async def test(answers: Answering, log: list[str]) -> list[str]:
        running = answers.begin(slow(log, 0.2))
        await listened(running, 0.02)
        again, after = answers.after(f"{running.id}-0")
        assert again is running
        told = [event async for event in again.follow(after)]
        return [event.decode().splitlines()[0] for event in told]

    told, log = scenario(test)
    assert log == ["begun", "answered"]
    assert told[-1] == "event: done"


def test_an_answer_is_forgotten_some_minutes_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "KEPT_SECONDS", 0.02)

    async def test(answers: Answering, log: list[str]) -> str:
        running = answers.begin(slow(log, 0))
        await asyncio.sleep(0.1)
        with pytest.raises(NotKnown, match="no longer kept"):
            answers.find(running.id)
        return running.id

    scenario(test)


def test_a_client_that_asked_for_json_and_went_away_is_not_answered(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()

    async def never(self: Any, question: Any, on_step: Any) -> Answer:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError("nobody cancelled")

    monkeypatch.setattr("api.asking.ThreadAsker.ask", never)
    with served(create_app(services.settings, services)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/ask", json={"question": "lamps?"}, timeout=0.3)
        assert cancelled.wait(5)


def test_a_stream_can_be_cancelled_by_its_id(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: Any, question: Any, on_step: Any) -> Answer:
        on_step(Step("rules", "", 1.0))
        await asyncio.sleep(30)
        raise AssertionError("nobody cancelled")

    monkeypatch.setattr("api.asking.ThreadAsker.ask", never)
    body = {"question": "lamps?"}
    with (
        served(create_app(services.settings, services)) as url,
        httpx.stream("POST", f"{url}/v1/ask", json=body, headers=STREAM, timeout=5) as response,
    ):
        lines = response.iter_lines()
        id = next(line for line in lines if line.startswith("id: "))[4:].rpartition("-")[0]
        assert httpx.delete(f"{url}/v1/ask/{id}").status_code == 204
        rest = "\n".join(lines)
    assert '"Cancelled"' in rest
    assert json.loads(rest.split("data: ")[-1].splitlines()[0])["status"] == 499
