"""A few steps over a tiny BERT: what is learnt, what is written, and that it opens."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ingest import bert_fitting, train_embedder  # noqa: E402
from ingest.beir import Beir, read_held  # noqa: E402
from ingest.embed import open_embedder  # noqa: E402
from tests.sentiment.weights import BERT, write_folder  # noqa: E402
from tests.sentiment.weights import _bert as random_bert  # noqa: E402

WORDS = "shell bp gains slides profit rises falls loss narrows beats outlook nest keld raises dividend bank".split()
RECIPE = replace(
    train_embedder.DEFAULT, epochs=6, batch=8, rate=1e-3, fitted=2, pool=4, max_tokens=32
)


@pytest.fixture(name="base", scope="module")
def _base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(
        tmp_path_factory.mktemp("base"), BERT, random_bert(np.random.default_rng(1))
    )


def _questions() -> Beir:
    pairs = [(a, b) for a in WORDS for b in WORDS if a < b][:60]
    passages = {f"{n // 20}:{n}.1.1": ("", f"{a} {b} {b} as the {a}") for n, (a, b) in enumerate(pairs)}  # fmt: skip
    ids = list(passages)
    return Beir(
        passages,
        {f"q{n}": f"{b} of {a}" for n, (a, b) in enumerate(pairs)},
        {f"q{n}": frozenset({ids[n]}) for n in range(len(pairs))},
    )


def test_it_learns_and_what_it_writes_opens_as_an_embedder(base: Path, tmp_path: Path) -> None:
    beir, out = _questions(), tmp_path / "ours"

    report = train_embedder.train(
        beir, out, open_embedder("hashing"), trained_through="2024-01-31", base=base, recipe=RECIPE
    )

    assert report.loss[1] < report.loss[0]
    assert report.trained_on + report.held <= report.questions == 60
    assert json.loads((out / "report.json").read_text())["held"] == report.held
    assert len(read_held(out / "split.jsonl", beir).relevant) == report.held
    opened = open_embedder(f"bert:{out}", cache_dir=tmp_path)
    assert opened.trained_through == "2024-01-31"
    assert opened.embed(["shell gains"]).shape == (1, BERT["hidden_size"])


def test_the_same_seed_gives_the_same_weights(base: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=1)
    for name in ("a", "b"):
        train_embedder.train(
            _questions(), tmp_path / name, open_embedder("hashing"), base=base, recipe=recipe
        )
    first, second = ((tmp_path / n / "model.safetensors").read_bytes() for n in "ab")
    assert first == second


def test_of_no_way_from_the_base_nothing_changes(base: Path, tmp_path: Path) -> None:
    bert, _ = bert_fitting.open_bert(base)
    with torch.no_grad():
        for parameter in bert.parameters():
            parameter.add_(1)
    bert_fitting.save(base, tmp_path / "none", bert, {}, share=0.0)
    from safetensors.numpy import load_file

    before, after = (load_file(f / "model.safetensors") for f in (base, tmp_path / "none"))
    assert all(np.array_equal(before[k], after[k]) for k in before)


def test_another_relevant_passage_in_the_batch_is_no_negative() -> None:
    scores = torch.tensor([[2.0, 9.0, 0.0]])

    alone = train_embedder.contrast(scores, [0], [[True, True, False]])
    wrong = train_embedder.contrast(scores, [0], [[True, False, False]])

    assert float(alone) == pytest.approx(float(np.log(1 + np.exp(-2.0))))
    assert float(wrong) > 7


def test_layers_run_ahead_in_company_change_nothing(base: Path) -> None:
    bert, tokenizer = bert_fitting.open_bert(base)
    texts = [
        tokenizer.encode(t).ids for t in ("shell gains", "bp slides as the bank of keld warns")
    ]
    with torch.no_grad(), bert_fitting.half_precision(bert_fitting.best_device()):
        whole = bert(input_ids=torch.tensor([texts[0]])).last_hidden_state.float()
    read = bert_fitting.ahead(bert, texts, [len(t) for t in texts], 1)
    with torch.no_grad():
        found = {
            n: states[row]
            for part, states, _ in bert_fitting.upwards(bert, read, 1)
            for row, n in enumerate(part)
        }

    assert torch.allclose(found[0][: len(texts[0])], whole[0], atol=0.1)
