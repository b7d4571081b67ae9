"""The network in NumPy against the graphs of the encoder; how ranges are handed from inputs to weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from ingest.bert_graph import handed_over, quantise
from ingest.bert_reference import Network
from ingest.bert_weights import load_weights
from ingest.embed import minilm_folder
from ingest.encoder import EncoderSettings, Weights, graph_name, open_encoder, open_tokenizer
from tests.sentiment.weights import write_ours

TEXTS = [
    "profit",
    "shell gains as bp slides",
    "keld beats but lowers outlook , and the bank warns of a loss",
]


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ours(tmp_path_factory.mktemp("reference"))


def test_the_graph_gives_the_networks_states(folder: Path) -> None:
    network = Network(load_weights(folder / "model.safetensors"), Weights(folder).config)
    tokenizer = open_tokenizer(folder / "tokenizer.json")
    found = open_encoder(folder, EncoderSettings(precision="fp32", output="tokens")).encode(TEXTS)
    for text, states in zip(TEXTS, found, strict=True):
        assert states == pytest.approx(network.hidden_states(tokenizer.encode(text).ids), abs=2e-5)


def test_peaks_are_the_largest_of_all_tokens_so_far(folder: Path) -> None:
    network = Network(load_weights(folder / "model.safetensors"), Weights(folder).config)
    network.hidden_states([5, 7, 6])
    first = {key: peak.copy() for key, peak in network.peaks.items()}
    assert len(first) == 3 * 6
    network.hidden_states([5, 8, 9, 6])
    both = network.peaks
    assert all(np.all(both[key] >= peak) for key, peak in first.items())
    assert any(np.any(both[key] > peak) for key, peak in first.items())


_numbers = st.floats(-50, 50, width=32, allow_nan=False)


@given(
    weight=arrays.arrays(np.float32, (6, 4), elements=_numbers),
    inputs=arrays.arrays(np.float32, (3, 6), elements=_numbers),
)
def test_what_is_handed_over_changes_no_product(weight: NDArray[Any], inputs: NDArray[Any]) -> None:
    share = handed_over(np.abs(inputs).max(axis=0).astype(np.float64), weight)
    assert np.array_equal(np.frexp(share)[0], np.full(6, 0.5, np.float32)), "powers of two"
    product = inputs.astype(np.float64) @ weight.astype(np.float64)
    again = (inputs / share).astype(np.float64) @ (weight * share[:, None]).astype(np.float64)
    assert again == pytest.approx(product, rel=1e-6, abs=1e-30)


def test_handing_over_makes_int8_better_where_some_inputs_are_large() -> None:
    random = np.random.default_rng(3)
    inputs = random.normal(size=(200, 64)) * np.where(np.arange(64) % 16 == 0, 40, 1)
    weight = random.normal(size=(64, 32)).astype(np.float32)
    exact = inputs @ weight
    share = handed_over(np.abs(inputs).max(axis=0), weight)

    def off(inputs: NDArray[Any], weight: NDArray[Any]) -> float:
        step = np.abs(inputs).max() / 127
        whole, steps = quantise(weight.astype(np.float32))
        return float(np.abs(np.rint(inputs / step) * step @ (whole * steps) - exact).mean())

    assert off(inputs / share, weight * share[:, None]) < 0.5 * off(inputs, weight)


@pytest.mark.model
def test_the_embedders_numbers_have_kept_their_names() -> None:
    """Other names would mean that every index is to be built again."""
    names = {
        precision: graph_name(
            Weights(minilm_folder()), EncoderSettings.model_validate({"precision": precision})
        )
        for precision in ("int8", "fp32")
    }
    assert names == {"int8": "a4001e6b2d1963cf", "fp32": "6e60f6a9353242e9"}
