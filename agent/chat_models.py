"""Messages in, one message out, in this process: a scripted chat model, and llama.cpp over a GGUF file.

Imports langchain_core when imported; agent/llm.py imports this module only when one of the two is opened.
"""

import importlib
import json
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import ConfigDict, Field, PrivateAttr

from ingest.errors import BadRequest, ModelMissing, OverBudget

_ROLES = {"human": "user", "ai": "assistant", "system": "system"}


class ScriptedChat(BaseChatModel):
    """Says what it was given, in order, the last one again and again; `heard` keeps what it was asked."""

    outputs: list[str] = Field(min_length=1)
    heard: list[list[BaseMessage]] = Field(default_factory=list, repr=False)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        words = self.outputs[min(len(self.heard), len(self.outputs) - 1)]
        self.heard.append(list(messages))
        for mark in stop or ():
            words = words.split(mark)[0]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=words))])


class ScriptedTools(ScriptedChat):
    """The same for a model that calls tools: an output {"tool": NAME, "args": {…}} is a call, any other is words."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        words = self.outputs[min(len(self.heard), len(self.outputs) - 1)]
        self.heard.append(list(messages))
        if not words.startswith('{"tool"'):
            return ChatResult(generations=[ChatGeneration(message=AIMessage(content=words))])
        call = json.loads(words)
        asked = {"name": call["tool"], "args": call["args"], "id": f"call-{len(self.heard)}"}
        message = AIMessage(content="", tool_calls=[asked])
        return ChatResult(generations=[ChatGeneration(message=message)])


class LlamaChat(BaseChatModel):
    """A GGUF model run by llama.cpp in this process. Loads at the first call; calls are queued, one at a time.

    temperature 0 is greedy: the same messages give the same words, so no prompt cache is kept between calls (reusing one
    changes the batch shapes, and with them the last bits that a close choice of token hangs on).
    """

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(exclude=True, repr=False)
    name: str = Field(description="What it is called in answers and logs.")
    max_tokens: int = Field(default=256, ge=1, description="Longest reply, in tokens.")
    temperature: float = Field(default=0.0, ge=0.0)
    seed: int = Field(default=0, description="Of the sampler; without effect at temperature 0.")
    threads: int = Field(
        default=1,
        ge=1,
        description="CPU threads; more than there are idle cores is slower, not faster.",
    )
    context: int = Field(default=4096, ge=256, description="Tokens of prompt and reply together.")
    seconds: float = Field(default=60.0, gt=0, description="Budget of one reply.")

    _server: Any = PrivateAttr(default=None)
    _loading: threading.Lock = PrivateAttr(default_factory=threading.Lock)

    @property
    def _llm_type(self) -> str:
        return "llama.cpp"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "temperature": self.temperature,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
        }

    def load(self) -> Self:
        """Read the weights now rather than at the first question. Raises ModelMissing."""
        with self._loading:
            if self._server is None:
                self._server = _serve(
                    self.path, self.name, threads=self.threads, context=self.context
                )
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        words: list[str] = []
        last: dict[str, Any] = {}
        deadline = time.monotonic() + self.seconds

        def take(event: Any) -> bool:
            event = _checked(event)
            words.append(_words(event))
            last.update(event)
            return time.monotonic() > deadline  # True stops the engine

        self._run(messages, stop, kwargs, take)
        if not last.get("timings"):  # the closing event of a reply that ran to its end
            raise OverBudget(
                "time",
                f"{self.name} did not finish its reply in {self.seconds:g} s",
                "ask for less, or raise `seconds`",
            )
        message = AIMessage(
            content="".join(words),
            usage_metadata=_usage(last),
            response_metadata=_about(last, self.name),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        enough = threading.Event()
        deadline = time.monotonic() + self.seconds

        def take(event: Any) -> bool:
            events.put(event)
            return enough.is_set()

        def work() -> None:
            try:
                self._run(messages, stop, kwargs, take)
                events.put(None)
            except Exception as error:  # noqa: BLE001 - carried over and raised in the reader's thread
                events.put(error)

        threading.Thread(target=work, name="llama-reply", daemon=True).start()
        try:
            while (event := _next(events, deadline, self)) is not None:
                if words := _words(_checked(event)):
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=words))
                    if run_manager:
                        run_manager.on_llm_new_token(words, chunk=chunk)
                    yield chunk
        finally:
            enough.set()  # whoever stops reading stops the engine too

    def _run(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        more: dict[str, Any],
        take: Callable[[Any], bool],
    ) -> None:
        unknown = set(more) - {"max_tokens", "temperature", "seed"}
        if unknown:
            raise BadRequest(f"{self.name} does not take {', '.join(sorted(unknown))}")
        request = {
            "messages": [{"role": _role(m), "content": m.text} for m in messages],
            "max_tokens": more.get("max_tokens", self.max_tokens),
            "temperature": more.get("temperature", self.temperature),
            "seed": more.get("seed", self.seed),
            "cache_prompt": False,
            "stream": True,
        }
        if stop:
            request["stop"] = stop
        self.load()
        kept: list[BaseException] = []

        def guarded(event: Any) -> bool:
            try:
                return take(event)
            except BaseException as error:  # noqa: BLE001 - an exception must not unwind through C++
                kept.append(error)
                return True

        outcome = self._server.handle_chat_completions(request, guarded)
        if kept:
            raise kept[0]
        _checked(outcome)


def _serve(path: Path, name: str, *, threads: int, context: int) -> Any:
    """llama.cpp's engine over one file. It also listens on a loopback port, which a random key shuts to everyone else."""
    try:
        llama = importlib.import_module("xllamacpp")
    except ImportError:
        raise ModelMissing("llama.cpp is not installed; run: pip install xllamacpp") from None
    if not path.is_file():
        raise ModelMissing(f"no model file {path.name!r}; give the path of a .gguf file")
    settings = llama.CommonParams()
    settings.model.path = str(path)
    settings.model_alias = {name}
    settings.offline = True
    settings.verbosity = -1
    settings.n_ctx = context
    settings.n_parallel = 1
    settings.warmup = False
    settings.cache_ram_mib = 0
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads
    settings.cpuparams.poll = settings.cpuparams_batch.poll = (
        0  # waiting threads sleep; spinning ones starve the feature reads
    )
    settings.api_keys = [secrets.token_hex(32)]
    settings.ui = settings.endpoint_slots = settings.endpoint_props = settings.endpoint_metrics = (
        False
    )
    try:
        return llama.Server(settings)
    except RuntimeError as exc:
        raise ModelMissing(f"{path.name} cannot be loaded; is it a GGUF chat model?") from exc


def _checked(event: Any) -> dict[str, Any]:
    """An event of the engine as a dict; its errors as ours."""
    if isinstance(event, BaseException):
        raise event
    event = json.loads(event) if isinstance(event, str | bytes) else event
    error = (event or {}).get("error")
    if error is None:
        return event or {}
    if error.get("type") == "exceed_context_size_error":
        raise OverBudget(
            "size",
            f"the prompt has {error['n_prompt_tokens']} tokens, the model reads {error['n_ctx']}",
            "send less evidence",
        )
    raise BadRequest(f"llama.cpp refused the request: {error.get('message', 'no reason given')}")


def _next(events: "queue.SimpleQueue[Any]", deadline: float, model: LlamaChat) -> Any:
    try:
        return events.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        raise OverBudget(
            "time",
            f"{model.name} did not finish its reply in {model.seconds:g} s",
            "ask for less, or raise `seconds`",
        ) from None


def _role(message: BaseMessage) -> str:
    if message.type not in _ROLES:
        raise BadRequest(
            f"a {message.type} message cannot be sent to a GGUF model; send {', '.join(sorted(_ROLES))}"
        )
    return _ROLES[message.type]


def _words(event: dict[str, Any]) -> str:
    choices = event.get("choices") or [{}]
    return (choices[0].get("delta") or {}).get("content") or ""


def _usage(last: dict[str, Any]) -> Any:
    read, written = int(last["timings"]["prompt_n"]), int(last["timings"]["predicted_n"])
    return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def _about(last: dict[str, Any], name: str) -> dict[str, Any]:
    """finish_reason "stop" or "length"; tokens per second read and written."""
    choices = last.get("choices") or [{}]
    return {
        "model_name": name,
        "finish_reason": choices[0].get("finish_reason"),
        "read_per_second": round(last["timings"]["prompt_per_second"], 1),
        "written_per_second": round(last["timings"]["predicted_per_second"], 1),
    }
