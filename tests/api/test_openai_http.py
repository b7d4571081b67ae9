"""The OpenAI-compatible routes, asked with the real clients of OpenAI and LangChain over a real socket."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from fastapi import FastAPI
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import SecretStr

from agent.reply import Step
from api.app import create_app
from api.keys import KeyStore, Scope
from api.services import Services
from ingest.errors import Damaged, ModelMissing
from tests.api.fakes import FakeAgent, fake_services
from tests.api.serving import served

LAMPS: Any = [{"role": "user", "content": "How many lamps?"}]
BELLS: Any = [{"role": "user", "content": "How many bells?"}]
QUOTE = "Each venue must keep one lamp lit."


@pytest.fixture(name="services")
def _services(tmp_path: Path) -> Iterator[Services]:
    with fake_services(tmp_path / "home") as services:
        yield services


@pytest.fixture(name="app")
def _app(services: Services) -> FastAPI:
    return create_app(services.settings, services)


@pytest.fixture(name="address")
def _address(app: FastAPI) -> Iterator[str]:
    with served(app) as address:
        yield address


@pytest.fixture(name="client")
def _client(address: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{address}/v1", api_key="none is needed", max_retries=0) as client:
        yield client


def agent_of(services: Services) -> FakeAgent:
    agent: Any = services.agent
    assert isinstance(agent, FakeAgent)
    return agent


def test_an_answer_has_numbered_marks_and_annotations_that_lead_to_the_quote(
    client: OpenAI, address: str
) -> None:
    completion = client.chat.completions.create(model="regtape", messages=LAMPS)
    (choice,) = completion.choices
    content = choice.message.content or ""
    (annotation,) = choice.message.annotations or []

    assert choice.finish_reason == "stop"
    assert choice.message.refusal is None
    assert content.startswith(f"“{QUOTE}” [1]")
    assert "Status:\n- Lamps is a final rule" in content
    cited = annotation.url_citation
    assert content[cited.start_index : cited.end_index] == f"“{QUOTE}”"
    assert cited.title == "Lamps"
    assert cited.url.startswith(f"{address}/documents/")
    assert "?at=14&to=48" in cited.url
    ours = annotation.model_dump()["citation"]
    assert (ours["number"], ours["quote"], ours["stage"]) == (1, QUOTE, "adopted")
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == 4
    assert completion.usage.total_tokens == 4 + completion.usage.completion_tokens > 20


def test_the_address_of_a_quote_shows_it(client: OpenAI) -> None:

    completion = client.chat.completions.create(model="regtape", messages=LAMPS)
    (annotation,) = completion.choices[0].message.annotations or []

    assert "one lamp lit" in httpx2.get(annotation.url_citation.url).text


def test_a_stream_tells_the_same_and_its_last_chunk_has_the_annotations(client: OpenAI) -> None:
    whole = client.chat.completions.create(model="regtape", messages=LAMPS).choices[0].message
    chunks = list(
        client.chat.completions.create(
            model="regtape", messages=LAMPS, stream=True, stream_options={"include_usage": True}
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    *_, last, usage = chunks

    assert text == whole.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert last.choices[0].finish_reason == "stop"
    found = last.choices[0].delta.model_dump()["annotations"]
    assert found == [each.model_dump() for each in whole.annotations or []]
    assert last.model_dump()["regtape"]["drafter"] == "extractive"
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.prompt_tokens == 4


def test_a_stream_says_what_it_cost_only_to_whom_asks(client: OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="regtape", messages=LAMPS, stream=True))

    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_a_refusal_is_content_and_says_that_it_is_one(client: OpenAI) -> None:
    message = client.chat.completions.create(model="regtape", messages=BELLS).choices[0].message
    *_, last = client.chat.completions.create(model="regtape", messages=BELLS, stream=True)

    assert message.content == message.refusal == "The documents do not say."
    assert message.annotations == []
    assert last.choices[0].delta.refusal == "The documents do not say."
    assert last.model_dump()["regtape"]["refusal"]["reason"] == "not_found"


def test_the_day_and_the_filters_come_in_the_extra_body(client: OpenAI, services: Services) -> None:
    client.chat.completions.create(
        model="regtape", messages=LAMPS,
        extra_body={"as_of": "2024-01-31", "filters": {"cfr_section": "1.1"}, "sources": False},
    )  # fmt: skip
    ((_, as_of, filters),) = agent_of(services).asked

    assert as_of is not None
    assert as_of.isoformat() == "2024-02-01T04:59:59.999999+00:00"
    assert filters is not None
    assert filters.cfr_section == "1.1"


def test_the_last_question_is_asked_in_the_light_of_the_earlier_ones(
    client: OpenAI, services: Services
) -> None:
    client.chat.completions.create(
        model="regtape",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "What is the access fee cap under Rule 610(c)?"},
            {"role": "assistant", "content": "$0.003 per share [1]"},
            {"role": "user", "content": [{"type": "text", "text": "and in 2010?"}]},
        ],
    )
    ((asked, _, _),) = agent_of(services).asked

    assert "610(c)" in asked
    assert "2010" in asked
    assert "pirate" not in asked


def test_parameters_that_mean_nothing_here_change_nothing(
    client: OpenAI, services: Services
) -> None:
    client.chat.completions.create(
        model="regtape", messages=LAMPS, temperature=0.3, top_p=0.5, max_tokens=5, user="me", seed=1
    )
    assert [words for words, _, _ in agent_of(services).asked] == ["How many lamps?"]


# ---- errors


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"messages": []}, openai.UnprocessableEntityError),
        ({"messages": [{"role": "system", "content": "x"}]}, openai.UnprocessableEntityError),
        ({"messages": [{"role": "user", "content": "x" * 2001}]}, openai.UnprocessableEntityError),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, openai.UnprocessableEntityError),
        ({"model": "gpt-9"}, openai.NotFoundError),
        ({"n": 2}, openai.UnprocessableEntityError),
        ({"extra_body": {"as_of": "yesterday"}}, openai.UnprocessableEntityError),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_told_as_openai_tells_it(
    client: OpenAI, more: dict[str, Any], kind: type[openai.APIStatusError]
) -> None:
    with pytest.raises(kind) as told:
        client.chat.completions.create(**{"model": "regtape", "messages": LAMPS} | more)
    body: Any = told.value.body

    assert body["type"] == "invalid_request_error"
    assert body["message"]
    assert told.value.response.headers["content-type"] == "application/problem+json"
    assert told.value.response.json()["status"] == told.value.status_code


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_of_ours_is_the_servers(client: OpenAI, services: Services, stream: bool) -> None:
    agent_of(services).error = ModelMissing("no weights")
    with pytest.raises(openai.InternalServerError) as told:
        client.chat.completions.create(model="regtape", messages=LAMPS, stream=stream)
    body: Any = told.value.body

    assert told.value.status_code == 503
    assert body["type"] == "server_error"


def test_an_error_in_the_middle_of_a_stream_is_raised_by_the_client(
    client: OpenAI, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:

    agent = agent_of(services)

    def ask(question: str, *, on_step: Any, **_: Any) -> Any:

        on_step(Step("retrieve", "", 1.0))
        time.sleep(0.2)
        raise Damaged("the index is gone")

    monkeypatch.setattr(agent, "ask", ask)
    with pytest.raises(openai.APIError, match="the index is gone"):
        list(client.chat.completions.create(model="regtape", messages=LAMPS, stream=True))


def test_keys_are_those_of_the_client(services: Services, address: str) -> None:
    with KeyStore(services.settings.home) as store:
        _, read = store.create("desk", [Scope.READ])
        _, feed = store.create("feed", [Scope.INGEST])

    time.sleep(0.6)
    made = {"model": "regtape", "messages": LAMPS}
    with OpenAI(base_url=f"{address}/v1", api_key=read) as client:
        assert client.chat.completions.create(**made).choices
    with (
        OpenAI(base_url=f"{address}/v1", api_key=feed) as client,
        pytest.raises(openai.PermissionDeniedError),
    ):
        client.models.list()
    with (
        OpenAI(base_url=f"{address}/v1", api_key="rt_none") as client,
        pytest.raises(openai.AuthenticationError) as told,
    ):
        client.models.list()
    assert told.value.code == "invalid_api_key"


# ---- models, LangChain


def test_there_is_one_model(client: OpenAI) -> None:
    (model,) = client.models.list().data

    assert model.id == "regtape"
    assert client.models.retrieve("regtape").owned_by == "regtape"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-9")


def test_langchain_reads_answers_streams_and_refusals(address: str) -> None:
    chat = ChatOpenAI(
        base_url=f"{address}/v1", api_key=SecretStr("none"), model="regtape", max_retries=0,
        extra_body={"as_of": "2025-01-15"},
    )  # fmt: skip
    answer = chat.invoke("How many lamps?")
    streamed = "".join(str(chunk.content) for chunk in chat.stream("How many lamps?"))
    refused = chat.invoke(
        [("user", "How many lamps?"), ("ai", "One."), ("user", "How many bells?")]
    )

    assert str(answer.content).startswith(f"“{QUOTE}” [1]")
    assert streamed == answer.content
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == 4
    assert refused.content == "The documents do not say."
    assert refused.additional_kwargs["refusal"] == "The documents do not say."


def test_the_description_has_an_example_that_is_answered(client: OpenAI, app: FastAPI) -> None:
    (example,) = app.openapi()["components"]["schemas"]["ChatRequest"]["examples"]

    extra = {"as_of": example.pop("as_of")}
    assert client.chat.completions.create(**example, extra_body=extra).choices
