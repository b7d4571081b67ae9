"""BERT weights (safetensors) in, a serialised ONNX graph for one text at a time out. Needs onnx; imported only to build.

Written out by hand instead of exported, so that building needs no torch, and shaped by what ONNX Runtime's CPU kernels do
well, measured on 200 tokens and one core with AVX512-VNNI:

- DynamicQuantizeMatMul: int8 weights per column, activations quantised as they come; the linear layers take 13 ms, not 35.
- Add and LayerNormalization apart: 0.08 ms, where the fused SkipLayerNormalization takes 0.40 ms (its loop is scalar).
  Sessions must therefore not optimise beyond the basic level, which would fuse them again.
- No attention mask: a graph that never sees padding needs none, and wastes nothing on it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

_FUSED = "com.microsoft"
_OPSET, _IR = 17, 8


def bert_graph(weights: Path, config: dict[str, Any], *, int8: bool, pooled: bool) -> bytes:
    """The graph. Inputs: ids and segments, int32 (1, tokens). Output: float32 (1, width) of unit length if pooled (the mean
    over all tokens, as sentence-transformers takes it), else the last hidden states (1, tokens, width).

    config: the model's config.json. Raises KeyError when a BERT weight is missing.
    """
    return _Graph(load_file(weights), config, int8).build(pooled)


class _Graph:
    def __init__(
        self, weights: dict[str, NDArray[Any]], config: dict[str, Any], int8: bool
    ) -> None:
        # A model saved with a head keeps its encoder under a prefix.
        prefix = "" if "embeddings.word_embeddings.weight" in weights else "bert."
        self._weights = {
            k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)
        }
        self._config, self._int8 = config, int8
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def build(self, pooled: bool) -> bytes:
        states = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            states = self._layer(states, f"encoder.layer.{layer}.")
        width = self._config["hidden_size"]
        shape: Sequence[int | str] = (1, "tokens", width)
        if pooled:
            # The sum and the mean point the same way, and only the direction is kept.
            axes = self._constant("axes", np.array([1], np.int64))
            total = self._node("ReduceSum", [states, axes], "total", keepdims=0)
            states, shape = (
                self._node("LpNormalization", [total], "vector", axis=-1, p=2),
                (1, width),
            )
        model: bytes = self._model(states, shape).SerializeToString(deterministic=True)
        return model

    def _model(self, output: str, shape: Sequence[int | str]) -> ModelProto:
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT32, (1, "tokens"))
            for name in ("ids", "segments")
        ]
        outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
        graph = helper.make_graph(
            self._nodes, "bert", inputs, outputs, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR)

    def _embeddings(self) -> str:
        words = self._lookup("word", "ids")
        segments = self._lookup("token_type", "segments")
        positions = self._constant("positions", self._weight("embeddings.position_embeddings"))
        length = self._node("Shape", ["ids"], "length", start=1, end=2)
        first = self._constant("first", np.array([0], np.int64))
        places = self._node("Slice", [positions, first, length], "places")
        both = self._node("Add", [words, segments], "words+segments")
        return self._norm(
            self._node("Add", [both, places], "embedded"), "embeddings.LayerNorm", "states"
        )

    def _lookup(self, kind: str, ids: str) -> str:
        table = self._weight(f"embeddings.{kind}_embeddings")
        if not self._int8:
            return self._node("Gather", [self._constant(kind, table), ids], f"{kind}.rows")
        # Half precision halves the file, which is most of what a cold start reads, and costs no accuracy.
        rows = self._node(
            "Gather", [self._constant(kind, table.astype(np.float16)), ids], f"{kind}.half"
        )
        return self._node("Cast", [rows], f"{kind}.rows", to=TensorProto.FLOAT)

    def _layer(self, states: str, key: str) -> str:
        mixed = self._add_norm(
            self._attention(states, key), states, key + "attention.output", "mixed"
        )
        inner = self._linear(
            mixed, key + "intermediate.dense", self._weight(key + "intermediate.dense").T
        )
        bias = self._constant(
            key + "gelu.bias", self._weights[key + "intermediate.dense.bias"]
        )  # BiasGelu adds it
        active = self._node("BiasGelu", [inner, bias], key + "active", domain=_FUSED)
        return self._add_norm(active, mixed, key + "output", "states")

    def _attention(self, states: str, key: str) -> str:
        parts = [f"{key}attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weight(part).T for part in parts], axis=1)
        bias = np.concatenate([self._weights[part + ".bias"] for part in parts])
        joined = self._linear(states, key + "attention.qkv", weight, bias)
        sizes = self._constant("sizes", np.array([self._config["hidden_size"]] * 3, np.int64))
        names = [part + ".states" for part in parts]
        self._nodes.append(
            helper.make_node("Split", [joined, sizes], names, name=key + "split", axis=-1)
        )
        heads = self._config["num_attention_heads"]
        return self._node(
            "MultiHeadAttention", names, key + "attended", domain=_FUSED, num_heads=heads
        )

    def _add_norm(self, states: str, beside: str, key: str, name: str) -> str:
        dense = key + ".dense"
        out = self._linear(states, dense, self._weight(dense).T, self._weights[dense + ".bias"])
        return self._norm(
            self._node("Add", [out, beside], key + ".sum"), key + ".LayerNorm", f"{key}.{name}"
        )

    def _norm(self, states: str, key: str, name: str) -> str:
        scale = self._constant(key + ".scale", self._weights[key + ".weight"])
        shift = self._constant(key + ".shift", self._weights[key + ".bias"])
        return self._node(
            "LayerNormalization",
            [states, scale, shift],
            name,
            epsilon=self._config["layer_norm_eps"],
        )

    def _linear(
        self,
        states: str,
        key: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
    ) -> str:
        if self._int8:
            out = self._int8_product(states, key, weight)
        else:
            out = self._node(
                "MatMul", [states, self._constant(key + ".weight", weight)], key + ".product"
            )
        if bias is None:
            return out
        return self._node("Add", [out, self._constant(key + ".bias", bias)], key + ".out")

    def _int8_product(self, states: str, key: str, weight: NDArray[np.float32]) -> str:
        """Rows are brought to the range -1..1 before the product and back after it: DynamicQuantizeMatMul has one range for
        the whole input, and tokens whose states are many times larger than the others' would take all of it."""
        whole, step = quantise(weight)
        size = self._node("Abs", [states], key + ".size")
        peak = self._node("ReduceMax", [size], key + ".peak", axes=[-1])
        above_zero = self._constant("above zero", np.array(1e-9, np.float32))
        peak = self._node("Max", [peak, above_zero], key + ".range")
        inputs = [
            self._node("Div", [states, peak], key + ".even"),
            self._constant(key + ".int8", whole),
            self._constant(key + ".step", step),
            self._constant(key + ".zero", np.zeros_like(step, dtype=np.int8)),
        ]
        even = self._node("DynamicQuantizeMatMul", inputs, key + ".even_product", domain=_FUSED)
        return self._node("Mul", [even, peak], key + ".product")

    def _weight(self, key: str) -> NDArray[np.float32]:
        return self._weights[key + ".weight"].astype(np.float32)

    def _constant(self, name: str, value: NDArray[Any]) -> str:
        self._constants.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(
        self, operator: str, inputs: list[str], output: str, domain: str = "", **options: Any
    ) -> str:
        self._nodes.append(
            helper.make_node(operator, inputs, [output], name=output, domain=domain, **options)
        )
        return output


def quantise(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(inputs, outputs) as whole numbers -127..127 and one step per output: weight ≈ whole * step."""
    step = np.abs(weight).max(axis=0) / np.float32(127)
    step[step == 0] = 1
    return np.rint(weight / step).astype(np.int8), step
