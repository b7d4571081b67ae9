"""FinBERT's graphs against the network in NumPy and in torch; the folder that is shipped; what a score does not depend on."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.bert_reference import Network
from ingest.bert_weights import load_weights
from ingest.embed import minilm_folder
from ingest.encoder import EncoderSettings, Weights, built_graph, open_tokenizer
from ingest.errors import Damaged, ModelMissing
from sentiment.finbert import (
    TRIED,
    Precision,
    _of_one_length,
    export,
    onnx_logits,
    open_finbert,
    probabilities,
    read_head,
    verify,
    write_sums,
)  # fmt: skip
from sentiment.pieces import Pieces, Reader
from sentiment.scorer import Marked, Scorer
from tests.sentiment.weights import head_weights, write_folder, write_ours

TEXTS: list[str | Marked] = [
    "shell gains as bp slides",
    Marked("shell gains as bp slides", ((0, 5),)),
    Marked("shell gains as bp slides", ((15, 17),)),
    "profit",
    "keld beats but lowers outlook",
    Marked("keld warns , keld falls 5 %", ((0, 4), (13, 17))),
]


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ours(tmp_path_factory.mktemp("trained") / "ours")


@pytest.fixture(name="shipped", scope="module")
def _shipped(trained: Path) -> Path:
    export(trained, trained.with_name("shipped"))
    return trained.with_name("shipped")


def _open(folder: Path, precision: Precision | None = None, threads: int = 2) -> Scorer:
    return open_finbert(
        folder, precision=precision, threads=threads, cache_dir=folder.parent / "cache"
    )


def _runs(folder: Path, texts: list[str | Marked]) -> list[Pieces]:
    reader = Reader(
        open_tokenizer(folder / "tokenizer.json"), read_head(folder).max_tokens, marks=True
    )
    return [run for text in texts for run in reader.read(text)]


def _reference(folder: Path, runs: list[Pieces]) -> NDArray[np.float64]:
    network = Network(load_weights(folder / "model.safetensors"), Weights(folder).config)
    return np.stack([network.logits(run.ids, run.shares) for run in runs])


def _graph(folder: Path, precision: Precision, runs: list[Pieces]) -> NDArray[np.float64]:
    settings = EncoderSettings(precision=precision, output="logits")
    tried = [run.ids for run in _runs(folder, list(TRIED))]
    return np.stack(onnx_logits(built_graph(Weights(folder), settings, None, tried))(runs))


# ---- the numbers


def test_the_fp32_graph_is_the_network(trained: Path) -> None:
    runs = _runs(trained, TEXTS)
    assert _graph(trained, "fp32", runs) == pytest.approx(_reference(trained, runs), abs=2e-5)


def test_the_int8_graph_is_near_it(trained: Path) -> None:
    runs = _runs(trained, TEXTS)
    exact, near = _reference(trained, runs), _graph(trained, "int8", runs)
    assert np.abs(probabilities(near, 1) - probabilities(exact, 1)).max() < 0.08
    assert near.argmax(axis=1).tolist() == exact.argmax(axis=1).tolist()


def test_a_score_is_the_softmax_of_logits_over_the_temperature_of_its_kind(trained: Path) -> None:
    raw = _reference(trained, _runs(trained, TEXTS))
    temperatures = [0.8 if isinstance(text, Marked) else 1.3 for text in TEXTS]
    wanted = [
        np.exp(row / t) / np.exp(row / t).sum() for row, t in zip(raw, temperatures, strict=True)
    ]
    assert _open(trained).score(TEXTS) == pytest.approx(np.stack(wanted), abs=1e-5)


def test_the_numpy_network_is_what_torch_computes(trained: Path) -> None:
    pytest.importorskip("transformers")
    runs = _runs(trained, TEXTS)
    assert _reference(trained, runs) == pytest.approx(_in_torch(trained, runs), abs=1e-4)


def _in_torch(folder: Path, runs: list[Pieces]) -> NDArray[np.float64]:
    """transformers' BertModel and the head in a few lines of torch."""
    import torch
    from safetensors.torch import load_file
    from transformers import BertConfig, BertModel

    config = json.loads((folder / "config.json").read_bytes())
    del config["regtape"]
    weights = load_file(folder / "model.safetensors")
    bert = BertModel(BertConfig(**config), add_pooling_layer=False).train(False)
    held = {k.removeprefix("bert."): v for k, v in weights.items() if k.startswith("bert.")}
    assert bert.load_state_dict(held, strict=False).missing_keys == []
    found = []
    with torch.no_grad():
        for run in runs:
            states = bert(torch.tensor([run.ids])).last_hidden_state[0]
            read = torch.cat([states.mean(0), torch.tensor(run.shares) @ states])
            active = torch.tanh(weights["head.dense.weight"] @ read + weights["head.dense.bias"])
            found.append((weights["head.out.weight"] @ active + weights["head.out.bias"]).numpy())
    return np.stack(found)


def test_marks_change_the_score_and_targets_of_one_text_differ(trained: Path) -> None:
    plain, shell, bp = _open(trained).score(TEXTS[:3])
    assert np.abs(shell - bp).max() > 0.01
    assert np.abs(shell - plain).max() > 0.01


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_score_does_not_depend_on_its_company(trained: Path, precision: Precision) -> None:
    scorer, alone = _open(trained, precision, 3), _open(trained, precision, 1)
    together = scorer.score(TEXTS * 4)
    for text, row in zip(TEXTS * 4, together, strict=True):
        assert np.array_equal(alone.score([text])[0], row)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_in_runs_of_any_size_a_texts_logits_are_the_same_to_the_bit(
    trained: Path, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same_in_any_company(trained, precision, monkeypatch, sizes=range(2, 14))


def _same_in_any_company(
    folder: Path, precision: Precision, monkeypatch: pytest.MonkeyPatch, sizes: Iterable[int]
) -> None:
    """Texts of the same three lengths, so that they do share runs."""
    words = [
        "shell gains",
        "bp falls",
        "keld warns",
        "profit rises",
        "loss narrows",
        "bank falls",
        "dividend rises",
    ]
    lengths = [[word + " , " * more for word in words] for more in (0, 3, 11)]
    plain = [text for group in lengths for text in group * 2]
    runs = _runs(folder, [*plain, *(Marked(text, ((0, 4),)) for text in plain[::3])])
    settings = EncoderSettings(precision=precision, output="logits")
    tried = [run.ids for run in _runs(folder, list(TRIED))]
    logits = onnx_logits(built_graph(Weights(folder), settings, folder.parent / "cache", tried), 1)
    alone = [logits([run])[0] for run in runs]
    for size in sizes:
        monkeypatch.setattr("sentiment.finbert._TOGETHER", size * 16)
        for run, found, row in zip(runs, logits(runs), alone, strict=True):
            assert np.array_equal(found, row), (size, len(run.ids))


def test_texts_of_one_length_do_share_runs_and_every_core_has_some() -> None:
    assert _sizes([10] * 9 + [150] * 3 + [20]) == [1, 1, 1, 1, 9]
    assert _sizes([27] * 32) == [5, 5, 5, 5, 6, 6]
    assert _sizes([27] * 4) == [2, 2]
    assert _sizes([27]) == [1]
    assert _sizes([]) == []


def _sizes(lengths: list[int]) -> list[int]:
    runs = [Pieces([1] * length, [1.0] * length, 1) for length in lengths]
    parts = _of_one_length(runs, 2)
    assert sorted(n for part in parts for n in part) == list(range(len(runs)))
    assert all(len({lengths[n] for n in part}) == 1 for part in parts)
    return sorted(map(len, parts))


def test_a_long_text_has_the_mean_of_its_sentences_by_their_word_pieces(trained: Path) -> None:
    parts = ["Shell gains on the outlook of profit.", "The bank warns that it falls.", "Keld raises the dividend."]  # fmt: skip
    scorer = _open(trained)
    sizes = [8, 7, 5]
    wanted = np.average(scorer.score(parts), axis=0, weights=sizes)
    long = " ".join(parts) + " " + " ".join(parts)
    assert len(_runs(trained, [long])) == 6
    assert scorer.score([long])[0] == pytest.approx(wanted, abs=1e-6)


def test_of_a_long_text_a_targets_score_reads_the_sentences_that_name_it(trained: Path) -> None:
    others = (
        "The bank warns that it falls. The outlook narrows , and profit slides as the loss rises. "
        * 2
    )
    text = others + "Keld raises the dividend."
    place = len(others), len(others) + 4
    scorer = _open(trained)
    near, far = scorer.score(
        [Marked("Keld raises the dividend.", ((0, 4),)), Marked(text, (place,))]
    )
    assert far == pytest.approx(near, abs=1e-6)


# ---- what it is


def test_it_says_what_its_config_says(trained: Path) -> None:
    scorer = _open(trained)
    assert (scorer.name, scorer.trained_through, scorer.notice) == (
        "finbert",
        "2020-01-31",
        "for tests",
    )
    assert scorer.reads_targets


def test_versions_tell_weights_temperatures_and_precision_apart(
    trained: Path, shipped: Path, tmp_path: Path
) -> None:
    others = [
        _open(trained, "fp32"), _open(trained, "int8"), _open(shipped),
        _open(write_ours(tmp_path / "weights", seed=8)),
        _open(write_ours(tmp_path / "temperature", temperature=1.31)),
        _open(write_ours(tmp_path / "target", temperature_target=0.81)),
        _open(write_ours(tmp_path / "tokens", max_tokens=33)),
    ]  # fmt: skip
    assert len({scorer.version for scorer in others}) == len(others)
    assert _open(trained).version == _open(trained).version


def test_the_version_changes_with_the_rules(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _open(trained).version
    monkeypatch.setattr("sentiment.finbert.RULES_VERSION", 99)
    assert _open(trained).version != before


# ---- shipping


def test_the_shipped_folder_scores_as_the_int8_graph(trained: Path, shipped: Path) -> None:
    names = {file.name for file in shipped.iterdir()}
    assert names == {"SHA256SUMS", "config.json", "model.int8.onnx", "tokenizer.json"}
    assert np.array_equal(_open(shipped).score(TEXTS), _open(trained, "int8").score(TEXTS))


def test_the_sums_are_those_of_sha256sum(shipped: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=shipped, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["config.json", "model.int8.onnx", "tokenizer.json"])
def test_a_damaged_file_is_refused(shipped: Path, tmp_path: Path, name: str) -> None:
    for file in shipped.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes() + b"\n")
    with pytest.raises(Damaged, match=name):
        _open(tmp_path)
    write_sums(tmp_path)
    verify(tmp_path)


def test_without_sums_nothing_is_opened(shipped: Path, tmp_path: Path) -> None:
    for file in shipped.iterdir():
        if file.name != "SHA256SUMS":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(Damaged, match="SHA256SUMS"):
        _open(tmp_path)


def test_weights_that_a_graph_does_not_compute_are_not_shipped(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Network, "logits", lambda *_: np.array([9.0, 0.0, 0.0]))
    with pytest.raises(Damaged, match="do not compute"):
        export(trained, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_fp32_can_be_kept(trained: Path, tmp_path: Path) -> None:
    export(trained, tmp_path, keep_fp32=True)
    runs = _runs(trained, TEXTS)
    found = np.stack(onnx_logits((tmp_path / "model.fp32.onnx").read_bytes())(runs))
    assert np.array_equal(found, _graph(trained, "fp32", runs))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": ["good", "bad", "ugly"]}, "labels are"),
        ({"labels": ["negative", "positive"]}, "labels are"),
        ({"temperature": 0}, "temperature"),
        ({"head": "attention"}, "head"),
    ],
)
def test_a_head_that_cannot_be_read_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelMissing, match=words):
        _open(write_ours(tmp_path / "odd", **change))


def test_missing_weights_are_named(trained: Path, tmp_path: Path) -> None:
    weights = load_weights(trained / "model.safetensors")
    del weights["head.out.bias"]
    config = json.loads((trained / "config.json").read_bytes())
    with pytest.raises(ModelMissing, match=r"holds no head\.out\.bias"):
        _open(write_folder(tmp_path / "cut", config, weights))


def test_labels_in_another_order_are_put_in_ours(trained: Path, tmp_path: Path) -> None:
    other = write_ours(tmp_path / "other", labels=["positive", "negative", "neutral"])
    positive, negative, neutral = _open(trained).score(TEXTS).T
    assert np.array_equal(
        _open(other).score(TEXTS), np.stack([negative, neutral, positive], axis=1)
    )


@pytest.mark.slow
def test_scoring_imports_neither_torch_nor_onnx(shipped: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from sentiment.finbert import open_finbert\n"
        f"print(open_finbert(Path({str(shipped)!r})).score(['shell gains']).shape)\n"
        "assert not {'torch', 'transformers', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "(1, 3)\n", done.stderr


# ---- at MiniLM's size


@pytest.fixture(name="minilm", scope="module")
def _minilm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MiniLM's weights under a head that knows nothing."""
    from safetensors.numpy import load_file

    source = minilm_folder()
    config = json.loads((source / "config.json").read_bytes())
    told = {"head": "mean+target", "labels": ["negative", "neutral", "positive"], "max_tokens": 128}
    weights = {
        f"bert.{name}": value for name, value in load_file(source / "model.safetensors").items()
    }
    weights |= head_weights(np.random.default_rng(5), config["hidden_size"])
    folder = write_folder(
        tmp_path_factory.mktemp("minilm") / "trained", config | {"regtape": told}, weights
    )
    (folder / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    return folder


HEADLINES: list[str | Marked] = [
    "Harbour Foods narrows loss as costs fall",
    Marked("Orlane Motors beats estimates but lowers full-year outlook", ((0, 13),)),
    "Vasco [unused1] Chemicals [unused2] fined $41.5 million over “emissions” – Nestlé 東京 🚀",
]


@pytest.mark.model
@pytest.mark.slow
def test_at_minilms_size_the_file_is_small_and_the_numbers_agree(
    minilm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = export(minilm, minilm.with_name("shipped"))
    assert found.size <= 25_000_000
    assert found.fp32_largest < 1e-5
    assert found.int8_mean < 0.02
    for precision in ("fp32", "int8"):
        _same_in_any_company(minilm, precision, monkeypatch, sizes=(2, 5, 13))
    runs = _runs(minilm, HEADLINES)
    exact = _reference(minilm, runs)
    assert _graph(minilm, "fp32", runs) == pytest.approx(exact, abs=1e-4)
    assert (
        np.abs(probabilities(_graph(minilm, "int8", runs), 1) - probabilities(exact, 1)).max()
        < 0.08
    )
    pytest.importorskip("transformers")
    assert exact == pytest.approx(_in_torch(minilm, runs), abs=1e-4)
