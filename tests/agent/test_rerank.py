"""The cross-encoder: pairs, mixing, and a few steps of training over a tiny BERT."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.rerank import Reranker, mixed, pieces_of_pair
from ingest.embed import open_embedder
from ingest.errors import ModelMissing
from tests.ingest.test_train_embedder import RECIPE, _questions
from tests.sentiment.weights import BERT, write_folder
from tests.sentiment.weights import _bert as random_bert

pieces = st.lists(st.integers(10, 99), max_size=60)


@given(pieces, pieces, st.integers(16, 64))
def test_a_pair_fits_and_keeps_its_marks(question: list[int], text: list[int], room: int) -> None:
    ids, first = pieces_of_pair(question, [1, *text, 2], room)

    assert len(ids) <= room
    assert (ids[0], ids[first - 1], ids[-1]) == (1, 2, 2)
    assert ids[1 : first - 1] == question[: room // 2 - 2]
    assert ids[first:-1] == text[: len(ids) - first - 1]


def test_a_mix_keeps_both_orders_at_its_ends() -> None:
    fused, reranked = np.array([3.0, 2.0, 1.0]), np.array([-5.0, 9.0, 0.0])

    assert mixed(fused, reranked, 0.0).argsort().tolist() == fused.argsort().tolist()
    assert mixed(fused, reranked, 1.0).argsort().tolist() == reranked.argsort().tolist()
    assert mixed(np.ones(3), np.ones(3), 0.5).tolist() == [0, 0, 0]


def test_what_training_writes_scores_alone_as_in_company(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from agent import train_reranker

    base = write_folder(tmp_path / "base", BERT, random_bert(np.random.default_rng(1)))
    recipe = replace(
        train_reranker.DEFAULT, epochs=RECIPE.epochs, batch=8, rate=1e-3, fitted=2, max_tokens=32
    )

    report = train_reranker.train(
        _questions(), tmp_path / "out", open_embedder("hashing"), base=base, recipe=recipe
    )

    assert report.loss[1] < report.loss[0]
    opened = Reranker(tmp_path / "out", cache_dir=tmp_path)
    texts = ["shell gains as profit rises", "", "keld slides " * 40]
    together = opened.score("gains of shell", texts)
    assert together.tolist() == [float(opened.score("gains of shell", [t])[0]) for t in texts]
    exact = Reranker(tmp_path / "out", precision="fp32", cache_dir=tmp_path)
    assert np.abs(together - exact.score("gains of shell", texts)).max() < 0.2
    with pytest.raises(ModelMissing, match="no reranker"):
        Reranker(base)
