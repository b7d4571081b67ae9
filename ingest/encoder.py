"""Texts in, hidden states or sentence vectors out: a BERT encoder on ONNX Runtime, without torch.

One text is one run. On a CPU that is faster than padded batches (no padding is computed, and a text's states stay in cache:
measured 1.5 to 2 times for both fp32 and int8), and it makes the result independent of what a text is encoded with:
int8 takes the range of activations over a whole run, so in a batch the neighbours would leak in. Texts run side by side in
threads, each run on one core; no thread of ours waits in a spin. A model with a head for headlines, which are short, may run
several of one length together: bert_graph.py says how, and what it gains.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from ingest.errors import ModelMissing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Encoding, Tokenizer

T = TypeVar("T")
U = TypeVar("U")
Text = str | tuple[str, str]  # a pair is read as two segments, as a cross-encoder wants it

GRAPH_VERSION = 2  # raise it whenever bert_graph.py changes the numbers that come out
LOGITS_VERSION = 1  # the same where it changes those of a head alone
_SAMPLES, _SAMPLE = 256, 4096


class EncoderSettings(BaseModel, frozen=True, extra="forbid"):
    """How weights become a graph."""

    precision: Literal["int8", "fp32"] = Field(
        default="int8", description="Arithmetic of the linear layers."
    )
    output: Literal["sentence", "tokens", "logits"] = Field(
        default="sentence",
        description="The mean of all tokens at unit length, the last hidden state of each, or what the head gives.",
    )
    max_tokens: int = Field(
        default=256, ge=8, description="Word pieces read of a text, [CLS] and [SEP] included."
    )


@dataclass(frozen=True)
class Weights:
    """A model's folder as sentence-transformers and transformers write it: config.json, tokenizer.json (or the vocab.txt of
    old), model.safetensors."""

    folder: Path

    def __post_init__(self) -> None:
        for name in ("config.json", self.tokenizer.name, "model.safetensors"):
            if not (self.folder / name).is_file():
                raise ModelMissing(
                    f"{self.folder} holds no {name}; a folder of BERT weights has one"
                )
        for key, known in (("model_type", "bert"), ("hidden_act", "gelu")):
            if self.config.get(key) != known:
                raise ModelMissing(
                    f"{self.folder}: {key} is {self.config.get(key)!r}; only {known!r} is built here"
                )

    @property
    def tokenizer(self) -> Path:
        """The file that the tokenizer is made of."""
        old = self.folder / "vocab.txt"
        new = self.folder / "tokenizer.json"
        return old if old.is_file() and not new.is_file() else new

    @cached_property
    def config(self) -> dict[str, Any]:
        """config.json."""
        found: dict[str, Any] = json.loads((self.folder / "config.json").read_bytes())
        return found

    @cached_property
    def fingerprint(self) -> str:
        """Tells weights apart: the configuration, the tokenizer, and blocks drawn evenly from the weights. To hash all of
        90 MB would take a tenth of a second of every start; training again changes every block."""
        digest = sha256((self.folder / "config.json").read_bytes())
        digest.update(self.tokenizer.read_bytes())
        with (self.folder / "model.safetensors").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(str(size).encode())
            for sample in range(_SAMPLES):
                file.seek(size * sample // _SAMPLES)
                digest.update(file.read(_SAMPLE))
        return digest.hexdigest()[:16]


class Encoder:
    """An open encoder. Safe to use from several threads.

    fingerprint: of weights, settings and graph; results of two fingerprints must not be mixed
    dimensions: width of a state or vector; room: word pieces of a single text that are read ([CLS] and [SEP] not counted)
    """

    def __init__(
        self,
        session: "InferenceSession",
        tokenizer: "Tokenizer",
        *,
        fingerprint: str,
        max_tokens: int,
        threads: int,
    ) -> None:
        self._session, self._tokenizer, self._threads = session, tokenizer, threads
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self.fingerprint = fingerprint
        self.dimensions = int(session.get_outputs()[0].shape[-1])
        self.room = max_tokens - tokenizer.num_special_tokens_to_add(False)

    def encode(self, texts: Sequence[Text]) -> list[NDArray[np.float32]]:
        """One array per text, in order: (width,) or (tokens, width), by settings.output. Each is the same to the bit whatever
        else is in `texts`. What is beyond max_tokens is not read."""
        return side_by_side(self._run, texts, _length, self._threads)

    def count_tokens(self, text: str) -> int:
        """Word pieces of the whole text, [CLS] and [SEP] not counted; adds up over parts divided at white space."""
        pieces = self._tokens(text, marks=False)
        return len(pieces.ids) + sum(len(rest.ids) for rest in pieces.overflowing)

    def _run(self, text: Text) -> NDArray[np.float32]:
        pieces = self._tokens(text, marks=True)
        feed = {
            "ids": np.array([pieces.ids], np.int32),
            "segments": np.array([pieces.type_ids], np.int32),
        }
        output: NDArray[np.float32] = self._session.run(None, feed)[0]
        states: NDArray[np.float32] = output[0]
        return states

    def _tokens(self, text: Text, *, marks: bool) -> "Encoding":
        first, second = (text, None) if isinstance(text, str) else text
        return self._tokenizer.encode(
            encodable(first), second and encodable(second), add_special_tokens=marks
        )


def open_encoder(
    folder: Path,
    settings: EncoderSettings,
    *,
    threads: int | None = None,
    cache_dir: Path | None = None,
) -> Encoder:
    """Open the weights in a folder. threads: texts encoded at a time (default: the cores this process may use).

    cache_dir keeps the built graph: opening it takes 0.1 s, building it 1 s and the onnx package. None: build each time.
    Raises ModelMissing when the folder does not hold BERT weights.
    """
    weights = Weights(folder)
    return Encoder(
        open_session(built_graph(weights, settings, cache_dir)),
        open_tokenizer(weights.tokenizer),
        fingerprint=graph_name(weights, settings),
        max_tokens=min(settings.max_tokens, weights.config["max_position_embeddings"]),
        threads=threads or cores(),
    )


def open_session(graph: bytes) -> "InferenceSession":
    """A graph of bert_graph.py, ready to run; each run takes one core."""
    from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # No further: what would be fused beyond it runs slower (bert_graph.py says which).
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    return InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def open_tokenizer(file: Path) -> "Tokenizer":
    """A model's tokenizer.json; or the vocab.txt of old, with the casing that tokenizer_config.json beside it tells. It neither
    cuts nor pads."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    if file.suffix == ".json":
        made = Tokenizer.from_file(str(file))
    else:
        beside = file.with_name("tokenizer_config.json")
        told = json.loads(beside.read_bytes()) if beside.is_file() else {}
        lower = bool(told.get("do_lower_case", True))
        pieces = BertWordPieceTokenizer.from_file(
            str(file), lowercase=lower, strip_accents=told.get("strip_accents")
        )
        made = Tokenizer.from_str(pieces.to_str())
    made.no_padding()
    made.no_truncation()
    return made


def side_by_side(
    run: Callable[[T], U], texts: Sequence[T], length: Callable[[T], int], threads: int
) -> list[U]:
    """What `run` makes of each text, in their order, so many at a time."""
    if len(texts) < 2 or threads < 2:
        return [run(text) for text in texts]
    # The longest first, so that no thread starts a long one when the others are done.
    order = sorted(range(len(texts)), key=lambda at: -length(texts[at]))
    with ThreadPoolExecutor(min(threads, len(texts))) as pool:
        found = dict(zip(order, pool.map(run, (texts[at] for at in order)), strict=True))
    return [found[at] for at in range(len(texts))]


def graph_name(
    weights: Weights, settings: EncoderSettings, tried: Sequence[Sequence[int]] = ()
) -> str:
    """Tells graphs apart: of the weights, the settings, what was tried, and how graphs are built."""
    identity = f"{GRAPH_VERSION} {weights.fingerprint} {settings.model_dump_json()}"
    if settings.output == "logits":
        identity += f" {LOGITS_VERSION}"
    if tried:
        identity += f" {json.dumps([list(ids) for ids in tried])}"
    return sha256(identity.encode()).hexdigest()[:16]


def built_graph(
    weights: Weights,
    settings: EncoderSettings,
    cache_dir: Path | None,
    tried: Sequence[Sequence[int]] = (),
) -> bytes:
    """The graph from its file, or built and kept; `tried` is for bert_graph. A file whose checksum is missing or wrong is built
    anew; building is deterministic and files arrive by rename, so that two processes doing it at once write the same bytes."""
    if cache_dir is None:
        return _build(weights, settings, tried)
    path = cache_dir / f"encoder-{graph_name(weights, settings, tried)}.onnx"
    checksum = path.with_suffix(".sha256")
    try:
        graph = path.read_bytes()
        if sha256(graph).hexdigest() == checksum.read_text("ascii"):
            return graph
    except (FileNotFoundError, UnicodeDecodeError):
        pass  # not built yet, or cut off half-way: build
    graph = _build(weights, settings, tried)
    cache_dir.mkdir(parents=True, exist_ok=True)
    _write(path, graph)
    _write(checksum, sha256(graph).hexdigest().encode("ascii"))
    return graph


def _build(weights: Weights, settings: EncoderSettings, tried: Sequence[Sequence[int]]) -> bytes:
    from ingest.bert_graph import bert_graph

    return bert_graph(
        weights.folder / "model.safetensors",
        weights.config,
        int8=settings.precision == "int8",
        output=settings.output,
        tried=tried,
    )


def _write(path: Path, data: bytes) -> None:
    """All of it or nothing, whoever else writes and whenever this is killed."""
    handle, temporary = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def user_cache() -> Path:
    """Where built graphs are kept when nobody says."""
    root = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(root) if root else Path.home() / ".cache") / "regtape"


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _length(text: Text) -> int:
    return len(text) if isinstance(text, str) else len(text[0]) + len(text[1])


def encodable(text: str) -> str:
    """Lone surrogates (a command line that is not UTF-8) as question marks: the tokenizer refuses them."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
