"""Folders of random weights out, in the forms that scorers read: ours with its head, and transformers' with permuted labels."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYERS, WIDTH, HEADS, INNER, PLACES = 3, 64, 4, 128, 64
WORDS = (
    "shell bp gains gain slides as profit rises falls loss narrows beats but lowers outlook the of on . , ! ? % 5 7 nest ##le "
    "##s ##raße st ag not bank keld in a to and it that which warns raises dividend unused [ ] ##1 ##2 1 2"
).split()
PIECES = ["[PAD]", "[unused0]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
BERT: dict[str, Any] = {
    "model_type": "bert", "hidden_act": "gelu", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "intermediate_size": INNER, "layer_norm_eps": 1e-12,
    "max_position_embeddings": PLACES, "type_vocab_size": 2, "vocab_size": len(PIECES), "pad_token_id": 0,
}  # fmt: skip
REGTAPE: dict[str, Any] = {
    "head": "mean+target", "labels": ["negative", "neutral", "positive"], "temperature": 1.3, "temperature_target": 0.8,
    "max_tokens": 32, "trained_through": "2020-01-31", "notice": "for tests",
}  # fmt: skip
Arrays = dict[str, NDArray[np.float32]]


def write_ours(folder: Path, *, seed: int = 7, **regtape: Any) -> Path:
    """A trained folder, as training writes it, but of random weights. regtape: what to say otherwise."""
    random = np.random.default_rng(seed)
    weights = {f"bert.{name}": value for name, value in _bert(random).items()}
    weights |= head_weights(random, WIDTH)
    return write_folder(folder, BERT | {"regtape": REGTAPE | regtape}, weights)


def write_folder(folder: Path, config: dict[str, Any], weights: Arrays) -> Path:
    """config.json, tokenizer.json and model.safetensors."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    _tokenizer().save(str(folder / "tokenizer.json"))
    save_file(weights, folder / "model.safetensors")
    return folder


def head_weights(random: np.random.Generator, width: int) -> Arrays:
    """The head mean+target: strong enough that probabilities differ from text to text."""
    return {
        "head.dense.weight": normal(random, width, 2 * width, spread=0.5 / width**0.5),
        "head.dense.bias": normal(random, width),
        "head.out.weight": normal(random, 3, width, spread=0.4),
        "head.out.bias": normal(random, 3),
    }


def normal(random: np.random.Generator, *shape: int, spread: float = 0.1) -> NDArray[np.float32]:
    return random.normal(0, spread, shape).astype(np.float32)


def _bert(random: np.random.Generator) -> Arrays:
    found = {
        "embeddings.word_embeddings.weight": normal(random, len(PIECES), WIDTH, spread=1),
        "embeddings.position_embeddings.weight": normal(random, PLACES, WIDTH, spread=0.3),
        "embeddings.token_type_embeddings.weight": normal(random, 2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        key = f"encoder.layer.{layer}."
        norms += [key + "attention.output.LayerNorm", key + "output.LayerNorm"]
        square = [f"attention.self.{part}" for part in ("query", "key", "value")]
        shapes = dict.fromkeys([*square, "attention.output.dense"], (WIDTH, WIDTH))
        shapes |= {"intermediate.dense": (INNER, WIDTH), "output.dense": (WIDTH, INNER)}
        for name, shape in shapes.items():
            spread = 1.5 / shape[1] ** 0.5
            found |= {
                key + name + ".weight": normal(random, *shape, spread=spread),
                key + name + ".bias": normal(random, shape[0]),
            }
    for name in norms:
        found |= {
            name + ".weight": 1 + normal(random, WIDTH),
            name + ".bias": normal(random, WIDTH),
        }
    return found


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece(ids(), unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    marks = [("[CLS]", ids()["[CLS]"]), ("[SEP]", ids()["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=marks
    )
    return tokenizer


def ids() -> dict[str, int]:
    """The number of each word piece."""
    return {piece: number for number, piece in enumerate(PIECES)}


# ---- transformers' own


def write_checkpoint(
    folder: Path, labels: list[str], *, kind: str = "bert", seed: int = 3, **config: Any
) -> Path:
    """A sequence-classification checkpoint of three layers, 64 wide, as save_pretrained writes it. Needs torch."""
    import torch

    transformers: Any = importlib.import_module("transformers")

    torch.manual_seed(seed)
    told: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {n: i for i, n in enumerate(labels)},
    }
    if kind == "bert":
        bert = transformers.BertConfig(**(BERT | told | {"initializer_range": 0.3} | config))
        model: Any = transformers.BertForSequenceClassification(bert)
    else:
        distilled = transformers.DistilBertConfig(
            vocab_size=len(PIECES), dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=INNER,
            max_position_embeddings=PLACES, pad_token_id=0, initializer_range=0.3, **told, **config,
        )  # fmt: skip
        model = transformers.DistilBertForSequenceClassification(distilled)
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=_tokenizer(), pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
        model_max_length=PLACES,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return folder
