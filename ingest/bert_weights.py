"""A file of BERT weights in, arrays by today's names out; and which head a model has."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Weights = dict[str, NDArray[Any]]

HEADS = ("cls", "mean+target")


def load_weights(file: Path) -> Weights:
    """Weights by name, the encoder's without the prefix that a model saved with a head keeps them under; half precision becomes
    single, and what the first BERT called gamma and beta has today's names."""
    found = load_file(file)
    prefix = "" if "embeddings.word_embeddings.weight" in found else "bert."
    return {
        _todays(name.removeprefix(prefix)): value.astype(np.float32)
        if value.dtype == np.float16
        else value
        for name, value in found.items()
    }


def head_of(config: dict[str, Any]) -> str:
    """Which of HEADS a model has: what `regtape` in its config.json says, else that of transformers."""
    head: str = config.get("regtape", {}).get("head", "cls")
    return head


def _todays(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
        "LayerNorm.beta", "LayerNorm.bias"
    )
