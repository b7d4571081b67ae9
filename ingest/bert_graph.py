"""BERT weights (safetensors) in, a serialised ONNX graph for texts of one length out. Needs onnx; imported only to build.

Written out by hand instead of exported, so that building needs no torch, and shaped by what ONNX Runtime's CPU kernels do
well, measured on 200 tokens and one core with AVX512-VNNI:

- DynamicQuantizeMatMul: int8 weights per column, activations quantised as they come; the linear layers take 13 ms, not 35.
- Add and LayerNormalization apart: 0.08 ms, where the fused SkipLayerNormalization takes 0.40 ms (its loop is scalar).
  Sessions must therefore not optimise beyond the basic level, which would fuse them again.
- No attention mask: a graph that never sees padding needs none, and wastes nothing on it.

With a head, a run may read several texts of one length, and each has the same logits to the bit as alone: int8 then takes
ranges that are fixed when the graph is built (QuantizeLinear, MatMulIntegerToFloat), and the head never multiplies one row by
itself, for which there is another kernel. On a core with AMX, milliseconds for a text in int8, alone and four at a time: 1.38
and 0.73 with 12 tokens, 1.95 and 1.61 with 27, 3.17 and 2.78 with 44. A head reads the last hidden states in one of two ways:

    cls           transformers' BertForSequenceClassification: tanh(dense(state of [CLS])) → classifier
    mean+target   ours: tanh(dense(mean of all states ‖ mean of the target's states)) → out
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ingest.bert_reference import Network
from ingest.bert_weights import Weights, head_of, load_weights

Output = Literal["sentence", "tokens", "logits"]

_FUSED = "com.microsoft"
_OPSET, _IR = 17, 8
# Fixed ranges: how much of an input's is handed to the weights, in powers of it, and how much more room than was seen is left.
_TO_THE_WEIGHTS, _ROOM = 0.8, 1.2


def bert_graph(
    weights: Path,
    config: dict[str, Any],
    *,
    int8: bool,
    output: Output,
    tried: Sequence[Sequence[int]] = (),
) -> bytes:
    """The graph. Inputs: ids and segments, int32 (1, tokens). Output, float32, by `output`:

    sentence   (1, width) of unit length: the mean over all tokens, as sentence-transformers takes it
    tokens     (1, tokens, width): the last hidden states
    logits     (texts, labels) of the head that head_of(config) names; inputs are (texts, tokens), and with the head mean+target
               also target, float32 (texts, tokens), the share of each token in the target's mean. int8 stores the word table
               as whole numbers too

    config: the model's config.json; tried: word pieces of some texts, from which int8 with a head learns the ranges of inputs,
    and which inputs of a layer are larger than the others, to hand their range to the weights (SmoothQuant); without, ranges are
    taken token by token. Raises KeyError when a weight is missing.
    """
    held = load_weights(weights)
    network = Network(held, config)
    for ids in tried if int8 and output == "logits" else ():
        network.hidden_states(ids)
    return _Graph(held, config, int8, output, network.peaks).build()


class _Graph:
    def __init__(
        self,
        weights: Weights,
        config: dict[str, Any],
        int8: bool,
        output: Output,
        peaks: dict[str, NDArray[np.float64]],
    ) -> None:
        self._weights, self._config, self._int8 = weights, config, int8
        self._output, self._peaks = output, peaks
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._inputs = {"ids": TensorProto.INT32, "segments": TensorProto.INT32}

    def build(self) -> bytes:
        states = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            states = self._layer(states, f"encoder.layer.{layer}.")
        width = self._config["hidden_size"]
        shape: Sequence[int | str] = (1, "tokens", width)
        if self._output == "sentence":
            # The sum and the mean point the same way, and only the direction is kept.
            axes = self._constant("axes", np.array([1], np.int64))
            total = self._node("ReduceSum", [states, axes], "total", keepdims=0)
            states, shape = (
                self._node("LpNormalization", [total], "vector", axis=-1, p=2),
                (1, width),
            )
        elif self._output == "logits":
            states, shape = self._head(states)
        model: bytes = self._model(states, shape).SerializeToString(deterministic=True)
        return model

    def _head(self, states: str) -> tuple[str, tuple[str, int]]:
        if head_of(self._config) == "mean+target":
            read, dense, out = self._both_means(states), "head.dense", "head.out"
        else:
            place = self._constant("first", np.array([0], np.int64))
            first = self._node("Gather", [states, place], "cls", axis=1)
            read = self._node("Squeeze", [first, self._axis()], "read")
            dense, out = "pooler.dense", "classifier"
        # All texts twice, so that even one is two rows: a single row has a kernel of its own, which rounds otherwise.
        twice = self._node("Concat", [read, read], "twice", axis=0)
        active = self._node("Tanh", [self._plain(twice, dense)], "head.active")
        first = self._constant("first", np.array([0], np.int64))
        texts = self._node("Shape", ["ids"], "texts", start=0, end=1)
        logits = self._node("Slice", [self._plain(active, out), first, texts], "logits")
        return logits, ("texts", len(self._weights[out + ".bias"]))

    def _both_means(self, states: str) -> str:
        """(texts, twice the width). One product gives both means, text by text: what reduces adds in another order in company."""
        self._inputs["target"] = TensorProto.FLOAT
        ones = self._node(
            "ConstantOfShape", [self._node("Shape", ["target"], "shape")], "ones",
            value=numpy_helper.from_array(np.ones(1, np.float32)),
        )  # fmt: skip
        tokens = self._node("Cast", ["length"], "tokens", to=TensorProto.FLOAT)
        rows = [
            self._node("Unsqueeze", [each, self._axis()], each + ".row")
            for each in (self._node("Div", [ones, tokens], "even shares"), "target")
        ]
        shares = self._node("Concat", rows, "shares", axis=1)  # (texts, 2, tokens)
        means = self._node("MatMul", [shares, states], "means")
        flat = self._constant("flat", np.array([0, -1], np.int64))
        return self._node("Reshape", [means, flat], "read")

    def _axis(self) -> str:
        return self._constant("axis", np.array([1], np.int64))

    def _plain(self, states: str, key: str) -> str:
        """A linear layer in full precision: a head has one row to read, and little to gain."""
        weight = self._constant(key + ".weight", self._weight(key).T)
        product = self._node("MatMul", [states, weight], key + ".product")
        bias = self._constant(key + ".bias", self._weights[key + ".bias"])
        return self._node("Add", [product, bias], key + ".out")

    def _model(self, output: str, shape: Sequence[int | str]) -> ModelProto:
        texts = "texts" if self._output == "logits" else 1
        inputs = [
            helper.make_tensor_value_info(name, kind, (texts, "tokens"))
            for name, kind in self._inputs.items()
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
        if self._output == "logits" and kind == "word":
            return self._int8_rows(table, ids)
        # Half precision halves the file, which is most of what a cold start reads, and costs no accuracy.
        rows = self._node(
            "Gather", [self._constant(kind, table.astype(np.float16)), ids], f"{kind}.half"
        )
        return self._node("Cast", [rows], f"{kind}.rows", to=TensorProto.FLOAT)

    def _int8_rows(self, table: NDArray[np.float32], ids: str) -> str:
        """The word table, half of a small model's file, as whole numbers; each row has a step of its own."""
        whole, step = quantise(table.T)
        rows = self._node(
            "Gather", [self._constant("word", np.ascontiguousarray(whole.T)), ids], "word.whole"
        )
        even = self._node("Cast", [rows], "word.even", to=TensorProto.FLOAT)
        steps = self._node(
            "Gather", [self._constant("word.step", step[:, None]), ids], "word.steps"
        )
        return self._node("Mul", [even, steps], "word.rows")

    def _layer(self, states: str, key: str) -> str:
        mixed = self._add_norm(
            self._attention(states, key), states, key + "attention.output", "mixed"
        )
        dense = key + "intermediate.dense"
        inner = self._linear(mixed, dense, self._weight(dense).T, peak=self._peaks.get(dense))
        bias = self._constant(
            key + "gelu.bias", self._weights[key + "intermediate.dense.bias"]
        )  # BiasGelu adds it
        active = self._node("BiasGelu", [inner, bias], key + "active", domain=_FUSED)
        return self._add_norm(active, mixed, key + "output", "states")

    def _attention(self, states: str, key: str) -> str:
        parts = [f"{key}attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weight(part).T for part in parts], axis=1)
        bias = np.concatenate([self._weights[part + ".bias"] for part in parts])
        peak = self._peaks.get(parts[0])
        joined = self._linear(states, key + "attention.qkv", weight, bias, peak=peak)
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
        # What GELU gives differs too much from token to token for one range.
        peak = self._peaks.get(dense) if "attention" in key else None
        weight, bias = self._weight(dense).T, self._weights[dense + ".bias"]
        out = self._linear(states, dense, weight, bias, peak)
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
        peak: NDArray[np.float64] | None = None,
    ) -> str:
        if self._int8 and peak is not None:
            return self._int8_fixed(states, key, weight, bias, peak)
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
        size = self._node("Abs", [states], key + ".size")
        peak = self._node("ReduceMax", [size], key + ".peak", axes=[-1])
        above_zero = self._constant("above zero", np.array(1e-9, np.float32))
        peak = self._node("Max", [peak, above_zero], key + ".range")
        even = self._node("Div", [states, peak], key + ".even")
        if self._output == "logits":
            product = self._int8_matmul(even, key, weight, 1.0, output=key + ".even_product")
        else:
            whole, step, zero = self._int8_weight(key, weight)
            product = self._node(
                "DynamicQuantizeMatMul",
                [even, whole, step, zero],
                key + ".even_product",
                domain=_FUSED,
            )
        return self._node("Mul", [product, peak], key + ".product")

    def _int8_fixed(
        self,
        states: str,
        key: str,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None,
        peak: NDArray[np.float64],
    ) -> str:
        """One range for all tokens of all texts: enough where some inputs are larger than others in every token, once they are
        made smaller and their weights larger."""
        share = handed_over(peak, weight)
        even = self._node(
            "Mul", [states, self._constant(key + ".smaller", 1 / share)], key + ".even"
        )
        reach = room_for(float((peak / share).max()))
        return self._int8_matmul(even, key, weight * share[:, None], reach, bias)

    def _int8_matmul(
        self,
        states: str,
        key: str,
        weight: NDArray[np.float32],
        reach: float,
        bias: NDArray[np.float32] | None = None,
        output: str = "",
    ) -> str:
        """A product of states that lie within -reach and reach; what lies outside counts as lying there."""
        whole, step, zero = self._int8_weight(key, weight)
        unit = self._constant(f"{key}.unit", np.array([reach / 127], np.float32))
        middle = self._constant("middle", np.array([128], np.uint8))
        places = self._node("QuantizeLinear", [states, unit, middle], key + ".places")
        inputs = [places, whole, unit, step, middle, zero]
        if bias is not None:
            inputs.append(self._constant(key + ".bias", bias))
        return self._node("MatMulIntegerToFloat", inputs, output or key + ".product", domain=_FUSED)

    def _int8_weight(self, key: str, weight: NDArray[np.float32]) -> tuple[str, str, str]:
        """Whole numbers, steps and zero points."""
        whole, step = quantise(weight)
        return (
            self._constant(key + ".int8", whole),
            self._constant(key + ".step", step),
            self._constant(key + ".zero", np.zeros_like(step, dtype=np.int8)),
        )

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


def handed_over(peak: NDArray[np.float64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """(inputs,): by what each input is divided and its weights multiplied, so that both have even ranges. Powers of two: nothing
    is rounded, and what is learnt on another machine, a bit off, gives the same graph."""
    floor = 1e-5
    inputs = np.maximum(peak, floor) ** _TO_THE_WEIGHTS
    weights = np.maximum(np.abs(weight).max(axis=1).astype(np.float64), floor)
    exact = inputs / weights ** (1 - _TO_THE_WEIGHTS)
    share: NDArray[np.float32] = np.exp2(np.rint(np.log2(exact))).astype(np.float32)
    return share


def room_for(seen: float) -> float:
    """How far a fixed range reaches when so much was seen; in eighths of an octave, so that what is learnt on another machine, a
    bit off, gives the same graph."""
    return float(np.exp2(np.ceil(8 * np.log2(max(seen, 1e-5) * _ROOM)) / 8))
