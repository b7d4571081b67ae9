"""The recipe end to end on a tiny network and our own sentences: it learns, it says so, and nothing measured was trained on."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ingest.errors import BadRequest
from sentiment.finbert import open_finbert
from sentiment.labelled import Row, read_sets, read_splits, sort_out
from sentiment.scorer import Marked
from tests.sentiment.weights import BERT, write_folder, write_ours

torch = pytest.importorskip("torch", reason="training needs the torch extra")

torch.set_num_threads(1)  # two on a busy machine wait for each other

from sentiment import network  # noqa: E402
from sentiment import train as recipe  # noqa: E402

NAMES = ("shell", "bp", "bank", "keld", "nest")
GOOD, BAD, FLAT = (
    ("gains", "rises", "raises dividend"),
    ("slides", "falls", "lowers outlook"),
    ("in a bank", "warns of", "as it"),
)
TINY = replace(
    recipe.DEFAULT, epochs=15, batch=16, rate=2e-3, head_rate=4e-3, dropout=0.0, average=0.9, max_tokens=32, written=0,
    compares=False,  # its vocabulary has no pieces for that
    fold_epochs=4, fold_layers=1,
    fold_rate=5e-4, smoothing=0.02,
)  # fmt: skip


def _sentences(source: random.Random, n: int) -> list[tuple[str, str]]:
    """Different texts whose label is in a word."""
    made: dict[str, str] = {}
    while len(made) < n:
        label, words = source.choice([("positive", GOOD), ("negative", BAD), ("neutral", FLAT)])
        extra = " ".join(
            source.choices(("the", "profit", "loss", "5", "7", "to", "and", "which"), k=6)
        )
        made[f"{source.choice(NAMES)} {source.choice(words)} {extra}"] = label
    return list(made.items())


def _pairs(source: random.Random, n: int) -> list[tuple[str, list[dict[str, str]]]]:
    made: dict[str, list[dict[str, str]]] = {}
    while len(made) < n:
        one, two = source.sample(NAMES, 2)
        extra = " ".join(
            source.choices(("the", "profit", "loss", "5", "7", "to", "and", "which"), k=6)
        )
        up, down = source.choice(GOOD[:2]), source.choice(BAD[:2])
        targets = [{"target": one, "label": "positive"}, {"target": two, "label": "negative"}]
        text = f"{one} {up} as {two} {down} {extra}"
        if source.random() < 0.5:
            text = f"{two} {down} as {one} {up} {extra}"
        made[text] = targets
    return list(made.items())


def _bare(folder: Path) -> Path:
    """The tiny BERT before it was taught anything: no head, no word of one in its config."""
    write_ours(folder)
    weights = {
        k: v for k, v in load_file(folder / "model.safetensors").items() if k.startswith("bert.")
    }
    return write_folder(folder, BERT, weights)


@pytest.fixture(name="sets", scope="module")
def _sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own sentences in the files of all five sets."""
    folder, source = tmp_path_factory.mktemp("sets"), random.Random(4)

    def write(name: str, file: str, records: list[dict[str, object]]) -> None:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / file).write_text("".join(json.dumps(r) + "\n" for r in records))

    write(
        "tfns", "train.jsonl", [{"text": t, "label": label} for t, label in _sentences(source, 160)]
    )
    write(
        "sentfin",
        "train.jsonl",
        [{"text": t, "targets": targets} for t, targets in _pairs(source, 120)],
    )
    bank = [{"text": t, "label": label, "agreement": 100} for t, label in _sentences(source, 60)]
    write("phrasebank", "train.jsonl", bank)
    posts: list[dict[str, object]] = [
        {
            "text": t,
            "target": t.split()[0],
            "score": {"positive": 0.5, "negative": -0.5}.get(label, 0),
        }
        for t, label in _sentences(source, 20)
    ]
    write("fiqa", "headline_train.jsonl", posts)
    write("fiqa", "post_train.jsonl", [])
    (folder / "finentity").mkdir()
    marks = [{"start": 0, "end": 5, "value": "shell", "label": "Positive"}]
    (folder / "finentity" / "FinEntity.json").write_text(
        json.dumps([{"content": "shell gains a profit", "annotations": marks}])
    )
    return folder


@pytest.fixture(name="trained", scope="module")
def _trained(sets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, recipe.Report]:
    base, out = _bare(tmp_path_factory.mktemp("base")), tmp_path_factory.mktemp("out")
    return out, recipe.train(sets, out, seed=1, base=base, recipe=TINY)


@pytest.mark.slow
def test_it_learns_texts_and_targets(trained: tuple[Path, recipe.Report]) -> None:
    _, report = trained
    assert report.sets["tfns"]["accuracy"]["value"] > 0.9  # the largest class has a third
    assert (
        report.sets["sentfin/targets"]["accuracy"]["value"] > 0.9
    )  # without reading marks: a half
    assert set(report.rows) == {"tfns", "sentfin", "finentity"}


@pytest.mark.slow
def test_what_it_writes_scores_as_it_measured(trained: tuple[Path, recipe.Report]) -> None:
    out, report = trained
    scorer = open_finbert(out)
    assert scorer.trained_through == recipe.TRAINED_THROUGH
    assert scorer.notice is None
    text = "shell gains as bp slides the 5 to profit and 7"
    texts: list[str | Marked] = [text, Marked(text, ((0, 5),)), Marked(text, ((15, 17),))]
    given = scorer.score(texts)
    assert given[1].argmax() == 2
    assert given[2].argmax() == 0
    model, tokenizer = network.open_base(out)
    rows = [
        Row("x", t.text, "neutral", t.spans) if isinstance(t, Marked) else Row("x", t, "neutral")
        for t in texts
    ]
    logits = network.logits_of(model, network.examples_of(rows, tokenizer, TINY))
    heat = np.array([report.temperature, report.temperature_target, report.temperature_target])
    raised = np.exp(logits / heat[:, None])
    assert np.allclose(
        given, raised / raised.sum(-1, keepdims=True), atol=2e-3
    )  # config.json rounds temperatures


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights(sets: Path, tmp_path: Path) -> None:
    base, short = _bare(tmp_path / "base"), replace(TINY, epochs=1)
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        recipe.train(sets, tmp_path / name, seed=seed, base=base, recipe=short)
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.slow
def test_research_measures_each_sentence_by_a_model_that_did_not_see_it(
    sets: Path, tmp_path: Path
) -> None:
    seen: list[str] = []
    report = recipe.train(
        sets, tmp_path / "out", research=True, seed=1, base=_bare(tmp_path / "base"), recipe=TINY,
        progress=lambda phase, done, total, loss: seen.append(phase),
    )  # fmt: skip
    assert set(seen) == {"fit"} | {f"fold {n}" for n in range(1, recipe.FOLDS + 1)}
    assert report.sets["phrasebank/50"]["accuracy"]["n"] == 60
    assert report.sets["phrasebank/50"]["accuracy"]["value"] > 0.9
    assert {"phrasebank", "fiqa"} < set(report.rows)
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["regtape"]["notice"] == recipe.NOTICE


@pytest.mark.slow
def test_a_base_of_ours_is_not_taught_again_nor_measured_on_what_it_knows(
    trained: tuple[Path, recipe.Report], sets: Path, tmp_path: Path
) -> None:
    base, _ = trained
    seen: set[str] = set()
    recipe.train(
        sets, tmp_path, research=True, base=base, recipe=replace(TINY, fold_epochs=1),
        progress=lambda phase, done, total, loss: seen.add(phase),
    )  # fmt: skip
    assert seen == {f"fold {n}" for n in range(1, recipe.FOLDS + 1)}
    dealt = sort_out(read_sets(sets, recipe.RESEARCH))
    known = recipe.groups_taught(base, dealt)
    assert {
        dealt.group[k]
        for k, split in read_splits(base / "splits.jsonl").items()
        if split == "train"
    } == known


def test_a_run_whose_measured_texts_were_trained_on_is_refused() -> None:
    rows = [Row("a", "shell gains a profit of 5 in the bank", "positive")]
    with pytest.raises(BadRequest, match="1 measured texts"):
        recipe.forbid_overlap(rows, [Row("b", "Shell gains a profit of 5 in the bank.", "neutral")])
    recipe.forbid_overlap(rows, [Row("b", "bp slides", "negative")])


def test_a_model_that_is_no_bert_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "t5", {"model_type": "t5"}, {})
    with pytest.raises(BadRequest, match="t5"):
        network.open_base(tmp_path / "t5")
    write_folder(tmp_path / "bare", BERT, {"x": np.zeros(1, np.float32)})
    with pytest.raises(BadRequest, match="lacks weights"):
        network.open_base(tmp_path / "bare")


def test_layers_run_ahead_change_nothing(tmp_path: Path) -> None:
    model, tokenizer = network.open_base(_bare(tmp_path))
    rows = [
        Row("x", "shell gains", "neutral"),
        Row("x", "bp slides as shell gains", "neutral", ((13, 18),)),
    ]
    examples = network.examples_of(rows, tokenizer, TINY)
    alone = np.concatenate([network.logits_of(model, [e]) for e in examples])
    assert np.allclose(network.logits_of(model, examples), alone, atol=1e-5)  # padding is not read
    for layers in (1, 3):
        held = network.ahead(model, examples, layers)
        assert np.allclose(
            network.logits_of(model, held, exact=False), alone, atol=0.05
        )  # bfloat16


def test_batches_hold_every_row_once(tmp_path: Path) -> None:
    rows = [Row("x", "shell " * n, "neutral") for n in range(1, 24)]
    _, tokenizer = network.open_base(_bare(tmp_path))
    examples = network.examples_of(rows, tokenizer, TINY)
    found = [e for b in network.batches(examples, 4, np.random.default_rng(0)) for e in b]
    assert sorted(len(e.ids) for e in found) == sorted(len(e.ids) for e in examples)
    assert {id(e) for e in found} == {id(e) for e in examples}
