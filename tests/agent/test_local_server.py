"""A real server that speaks OpenAI's protocol, llama.cpp's own with the embedded weights: reached by name, address and key."""

from collections.abc import Iterator
from typing import Any

import pytest

from agent.budget import Budget
from agent.llm import _gguf, complete, open_chat_model
from agent.tools import can_call_tools
from ingest.errors import ModelMissing, SourceDown

pytestmark = [pytest.mark.model, pytest.mark.slow]
KEY = "a-key-of-this-test"
HELLO = [("human", "Say hello.")]


@pytest.fixture(name="address", scope="module")
def _address() -> Iterator[str]:
    llama = pytest.importorskip("xllamacpp")
    pytest.importorskip("langchain_openai")
    try:
        path, _ = _gguf("smollm2")
    except ModelMissing as exc:
        pytest.skip(str(exc))
    settings = llama.CommonParams()
    settings.model.path = str(path)
    settings.offline = settings.use_jinja = True
    settings.verbosity, settings.n_ctx, settings.n_parallel = -1, 2048, 1
    settings.warmup = settings.ui = False
    settings.api_keys = [KEY]
    server = llama.Server(settings)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture(name="model")
def _model(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return open_chat_model("openai:smollm2", base_url=address, max_tokens=6, seconds=120)


def test_it_writes_words_and_could_call_tools(model: Any) -> None:
    assert complete(model, HELLO, Budget(seconds=120))
    assert can_call_tools(model)


def test_a_wrong_key_is_told_by_its_number_and_never_by_itself(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-and-secret")
    model = open_chat_model("openai:smollm2", base_url=address, max_tokens=4)
    with pytest.raises(SourceDown) as caught:
        complete(model, HELLO)
    assert str(caught.value) == "the chat model answered 401"


def test_a_server_that_is_not_there_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_openai")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    model = open_chat_model("openai:smollm2", base_url="http://127.0.0.1:9/v1", seconds=2)
    with pytest.raises(SourceDown, match="did not answer"):
        complete(model, HELLO)
