"""BERT weights and word pieces in, logits out, in plain NumPy: what the graphs of bert_graph.py are checked against.

Slow and obvious: one text, every step of the published network in its own line, double precision.
"""

from collections.abc import Sequence
from math import erf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.bert_weights import Weights, head_of

Array = NDArray[np.float64]


class Network:
    """A BERT. weights: as load_weights gives them; config: the model's config.json.

    peaks: of each linear layer so far run, the largest size of each of its inputs, over all tokens of all texts
    """

    def __init__(self, weights: Weights, config: dict[str, Any]) -> None:
        self._weights, self._config = weights, config
        self.peaks: dict[str, Array] = {}

    def logits(self, ids: Sequence[int], shares: Sequence[float]) -> Array:
        """(labels,): what the head makes of one text. shares: of each piece in the mean of the target's, which the head
        mean+target alone reads."""
        states = self.hidden_states(ids)
        if head_of(self._config) == "mean+target":
            read = np.concatenate([states.mean(axis=0), np.asarray(shares, np.float64) @ states])
            return self._linear("head.out", np.tanh(self._linear("head.dense", read)))
        return self._linear("classifier", np.tanh(self._linear("pooler.dense", states[0])))

    def hidden_states(self, ids: Sequence[int]) -> Array:
        """(tokens, width): of the last layer."""
        words, places, segments = (
            self._weights[f"embeddings.{kind}_embeddings.weight"].astype(np.float64)
            for kind in ("word", "position", "token_type")
        )
        states = words[list(ids)] + places[: len(ids)] + segments[0]
        states = self._norm("embeddings.LayerNorm", states)
        for layer in range(self._config["num_hidden_layers"]):
            states = self._layer(f"encoder.layer.{layer}.", states)
        return states

    def _layer(self, key: str, states: Array) -> Array:
        mixed = self._attention(key + "attention.self.", states)
        mixed = self._linear(key + "attention.output.dense", mixed)
        mixed = self._norm(key + "attention.output.LayerNorm", states + mixed)
        inner = _gelu(self._linear(key + "intermediate.dense", mixed))
        out = self._linear(key + "output.dense", inner)
        return self._norm(key + "output.LayerNorm", mixed + out)

    def _attention(self, key: str, states: Array) -> Array:
        heads = self._config["num_attention_heads"]
        query, keys, values = (
            np.stack(np.split(self._linear(key + part, states), heads, axis=-1))
            for part in ("query", "key", "value")
        )
        scores = query @ keys.transpose(0, 2, 1) / sqrt(query.shape[-1])
        weight = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = weight / weight.sum(axis=-1, keepdims=True) @ values
        return np.concatenate(list(mixed), axis=-1)

    def _linear(self, key: str, states: Array) -> Array:
        peak = np.abs(np.atleast_2d(states)).max(axis=0)
        self.peaks[key] = np.maximum(self.peaks.get(key, peak), peak)
        made: Array = states @ self._parameter(key, "weight").T + self._parameter(key, "bias")
        return made

    def _norm(self, key: str, states: Array) -> Array:
        mean = states.mean(axis=-1, keepdims=True)
        spread = np.sqrt(states.var(axis=-1, keepdims=True) + self._config["layer_norm_eps"])
        scale, shift = self._parameter(key, "weight"), self._parameter(key, "bias")
        made: Array = (states - mean) / spread * scale + shift
        return made

    def _parameter(self, key: str, part: str) -> Array:
        return self._weights[f"{key}.{part}"].astype(np.float64)


def _gelu(x: Array) -> Array:
    made: Array = x * 0.5 * (1 + np.vectorize(erf, otypes=[np.float64])(x / sqrt(2)))
    return made
