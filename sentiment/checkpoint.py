"""Any Hugging Face sequence-classification checkpoint, by name or folder, in; a Scorer with its labels in our order out.

    hf:ProsusAI/finbert                                     from the local cache of huggingface_hub, else from the hub
    hf:some/folder                                          as save_pretrained wrote it, or as our training did
    hf:yiyanghkust/finbert-tone#neutral,positive,negative   the order told, where its config says LABEL_0, LABEL_1, …

A plain BERT runs as a graph of ingest/bert_graph.py in fp32, without torch; what is built otherwise runs in transformers
(`pip install 'regtape[torch]'`). Only safetensors are read and no code of a checkpoint is run. Such a model has learnt no
marks: a target has the score of the text that names it. Its probabilities are as it gives them, calibrated or not.
"""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest, ModelMissing
from sentiment.finbert import Classifier, Head, open_bert, open_finbert
from sentiment.pieces import Pieces, Reader
from sentiment.scorer import ANY, LABELS, Scorer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_LONGEST = 512  # word pieces; what such models were trained on
_BATCH = 32
_MEANS = {
    "negative": ("negative", "neg", "bearish"),
    "neutral": ("neutral", "neu", "none"),
    "positive": ("positive", "pos", "bullish"),
}
_WANTED_FILES = (
    "config.json", "*.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    "vocab.json", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model",
)  # fmt: skip


def open_checkpoint(name: str, *, threads: int | None, cache_dir: Path | None) -> Scorer:
    """Open "hf:NAME-or-folder", with "#" and the order of its labels where the checkpoint does not tell it.

    Raises ModelMissing when it cannot be found, reached or read, and BadRequest when its labels cannot be put in our order.
    """
    where, told = _parts(name.removeprefix(ANY))
    folder = find_checkpoint(where)
    if not (folder / "config.json").is_file():
        raise ModelMissing(f"{folder} holds no config.json; a model's folder has one")
    config = json.loads((folder / "config.json").read_bytes())
    if "regtape" in config:
        if told:
            raise BadRequest(f"{where} tells the order of its labels itself; name it without #")
        return open_finbert(folder, name=name, threads=threads, cache_dir=cache_dir)
    head = Head(
        head="cls",
        labels=labels_of(config, told, name),
        max_tokens=_max_tokens(folder, config),
        notice="it reads no mark of a target: a company has the score of the text that names it",
    )
    if is_plain_bert(folder, config):
        return open_bert(folder, head, name, "fp32", threads, cache_dir)
    return _open_in_torch(folder, head, name, threads)


def _parts(words: str) -> tuple[str, tuple[str, ...]]:
    """The name, and the labels told after "#"; a "#" that no labels follow belongs to the name."""
    where, mark, order = words.rpartition("#")
    labels = [_meaning(word) for word in order.split(",")]
    if not mark or None in labels:
        return words, ()
    return where, tuple(label for label in labels if label)


# ---- labels


def labels_of(config: dict[str, Any], told: Sequence[str], name: str) -> tuple[str, ...]:
    """What each logit stands for: as config.id2label says, else as told. Two labels are negative and positive in some order.

    Raises BadRequest when neither says it, when both do and differ, and when the labels are others than ours.
    """
    if config.get("problem_type") == "multi_label_classification":
        raise BadRequest(
            f"{name} gives each label a probability of its own; three that add up to 1 are needed"
        )
    given = {int(place): str(label) for place, label in config.get("id2label", {}).items()}
    words = [given[place] for place in sorted(given)]
    meant = [_meaning(word) for word in words]
    known = None not in meant and len(set(meant)) == len(meant) > 1
    if told and known and list(told) != meant:
        raise BadRequest(f"{name}: config.json says {', '.join(words)}")
    if told and words and len(told) != len(words):
        raise BadRequest(f"{name}: it has {len(words)} labels, and {len(told)} were told")
    order = tuple(told) if told else tuple(label for label in meant if label) if known else ()
    if not {"negative", "positive"} <= set(order) <= set(LABELS) or len(set(order)) != len(order):
        says = ", ".join(words) if words else "nothing"
        raise BadRequest(
            f"{name}: config.json says {says} of its labels, which tells no order of negative, neutral and positive; "
            f"if you know it, write it behind the name, e.g. {ANY}NAME#neutral,positive,negative"
        )
    return order


def _meaning(word: str) -> str | None:
    plain = word.strip().lower()
    return next((label for label, words in _MEANS.items() if plain in words), None)


# ---- plain BERT


def is_plain_bert(folder: Path, config: dict[str, Any]) -> bool:
    """Whether bert_graph.py can build it: transformers' BertForSequenceClassification with nothing unusual, in one file."""
    usual = (
        ("model_type", "bert"),
        ("hidden_act", "gelu"),
        ("position_embedding_type", "absolute"),
        ("is_decoder", False),
    )
    built = config.get("architectures") or ["BertForSequenceClassification"]
    return (
        all(config.get(key, value) == value for key, value in usual)
        and built == ["BertForSequenceClassification"]
        and ((folder / "tokenizer.json").is_file() or (folder / "vocab.txt").is_file())
        and (folder / "model.safetensors").is_file()
        and _has_head(folder / "model.safetensors")
    )


def _has_head(file: Path) -> bool:
    from safetensors import safe_open

    with safe_open(file, framework="numpy") as held:
        names = set(held.keys())
        head = {"bert.pooler.dense.weight", "classifier.weight"} <= names
        return head and held.get_slice("classifier.weight").get_dtype() in ("F32", "F16")


def _max_tokens(folder: Path, config: dict[str, Any]) -> int:
    beside = folder / "tokenizer_config.json"
    told = json.loads(beside.read_bytes()).get("model_max_length") if beside.is_file() else None
    places = int(config.get("max_position_embeddings", _LONGEST))
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        places -= 2  # their first place is that of the padding, plus one
    return min(_LONGEST, places, int(told) if told else _LONGEST)


# ---- where it is


def find_checkpoint(where: str) -> Path:
    """The folder of a checkpoint; a name is looked for in the local cache of huggingface_hub, then on the hub.

    Raises ModelMissing when it is nowhere, or holds its weights as pickles alone, which are never read.
    """
    folder = Path(where).expanduser()
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"\w[\w.-]*(?:/\w[\w.-]*)?", where):
        raise ModelMissing(f"there is no folder {where}")
    if find_spec("huggingface_hub") is None:
        raise ModelMissing(f"to look for {where} takes a package; pip install 'regtape[torch]'")
    held = _download(where, local_files_only=True)
    if held is None or not any(held.glob("*.safetensors")):
        held = _download(where) or held
    if held is None:
        raise ModelMissing(
            f"{where} is no folder here, is not in the cache of huggingface_hub, and the hub does not give it; where there "
            f"is a network, fetch it once (`hf download {where}`), copy the folder, and name that: {ANY}FOLDER"
        )
    if not any(held.glob("*.safetensors")):
        held = _converted(where)
    if held is None:
        raise ModelMissing(
            f"{where} has no safetensors, and pickled weights are never read; where you trust it, convert it once: in Python, "
            "AutoModelForSequenceClassification.from_pretrained(NAME).save_pretrained(FOLDER), the same with AutoTokenizer"
        )
    return held


def _download(where: str, **options: Any) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(where, allow_patterns=list(_WANTED_FILES), **options))
    except (OSError, ValueError):  # not held, not reached, not allowed, not there
        return None


def _converted(where: str) -> Path | None:
    """The safetensors that the hub's own robot offers beside the pickle, as a pull request on what is there today."""
    from huggingface_hub import HfApi

    hub = HfApi()
    try:
        today = hub.list_repo_commits(where)[0].commit_id
        for offer in hub.get_repo_discussions(where, author="SFconvertbot"):
            ref = offer.git_reference
            if offer.is_pull_request and offer.status == "open" and ref:
                commits = hub.list_repo_commits(where, revision=ref)
                if len(commits) > 1 and commits[1].commit_id == today:
                    return _download(where, revision=ref)
    except (OSError, ValueError):
        return None
    return None


# ---- through torch


def _open_in_torch(folder: Path, head: Head, name: str, threads: int | None) -> Classifier:
    try:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as exc:
        raise ModelMissing(
            f"{name} is no plain BERT and needs torch; pip install 'regtape[torch]'"
        ) from exc
    if threads:
        torch.set_num_threads(threads)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, use_safetensors=True, **options
        )
    except (OSError, ValueError, KeyError) as exc:
        raise ModelMissing(f"{name} cannot be loaded: {exc}") from exc
    pieces = getattr(tokenizer, "backend_tokenizer", None)
    if pieces is None:
        raise ModelMissing(f"{name} has no tokenizer.json, nor a tokenizer that gives one")
    pieces.no_padding()
    pieces.no_truncation()
    model.eval()
    reader = Reader(pieces, head.max_tokens, marks=False)
    runs = _TorchRuns(model, int(tokenizer.pad_token_id or 0))
    version = sha256(f"{model.config.to_json_string()}{pieces.to_str()}".encode())
    for key, tensor in model.state_dict().items():
        version.update(f"{key} {tuple(tensor.shape)} {tensor.flatten()[:64].tolist()}".encode())
    return Classifier(name, head, reader, runs, version=version.hexdigest())


class _TorchRuns:
    """Runs in padded batches; a text's logits differ between alone and in company by rounding (about 1e-6)."""

    def __init__(self, model: "PreTrainedModel", padding: int) -> None:
        self._model, self._padding = model, padding

    def __call__(self, runs: Sequence[Pieces]) -> list[NDArray[np.float32]]:
        order = sorted(range(len(runs)), key=lambda at: len(runs[at].ids))
        found: dict[int, NDArray[np.float32]] = {}
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            found |= zip(batch, self._batch([runs[at].ids for at in batch]), strict=True)
        return [found[at] for at in range(len(runs))]

    def _batch(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        import torch

        longest = max(map(len, ids))
        padded = np.full((len(ids), longest), self._padding)
        read = np.zeros_like(padded)
        for row, mask, each in zip(padded, read, ids, strict=True):
            row[: len(each)], mask[: len(each)] = each, 1
        with torch.inference_mode():
            out = self._model(
                input_ids=torch.from_numpy(padded), attention_mask=torch.from_numpy(read)
            )
        logits: NDArray[np.float32] = out.logits.float().numpy()
        return logits
