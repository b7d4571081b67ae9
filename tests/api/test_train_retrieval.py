"""`regtape train embedder` and `train reranker`: what is read, what is written, and what is said of it."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from api.commands.train import command
from ingest.beir import Beir
from tests.ingest.test_train_embedder import _questions
from tests.sentiment.weights import BERT, write_folder
from tests.sentiment.weights import _bert as random_bert

pytest.importorskip("torch")


@pytest.mark.parametrize("model", ["embedder", "reranker"])
def test_a_folder_of_judged_questions_makes_a_model(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGTAPE_EMBEDDER", "hashing")
    data, out = write_beir(tmp_path / "data", _questions()), tmp_path / "out"
    base = write_folder(tmp_path / "base", BERT, random_bert(np.random.default_rng(1)))
    words = [model, str(out), "--data", str(data), "--base", str(base), "--epochs", "1"]

    done = CliRunner().invoke(command, [*words, "--trained-through", "2024-01-31"], obj={})

    assert done.exit_code == 0, done.output
    report = json.loads((out / "report.json").read_text())
    assert f"{report['trained_on']} of 60 questions trained on" in done.output
    assert json.loads((out / "config.json").read_text())["regtape"]["trained_through"] == "2024-01-31"  # fmt: skip
    assert (out / "split.jsonl").read_text().count('"held"') == report["held"] > 0


def test_help_of_both_has_examples() -> None:
    for model in ("embedder", "reranker"):
        told = CliRunner().invoke(command, [model, "--help"], obj={}).output
        assert f"regtape train {model} my-{model}" in told


def write_beir(folder: Path, beir: Beir) -> Path:
    """The folder that read_beir reads as these."""
    (folder / "qrels").mkdir(parents=True)
    for name, rows in (
        ("corpus", [{"_id": id, "text": text} for id, (_, text) in beir.passages.items()]),
        ("queries", [{"_id": id, "text": text} for id, text in beir.questions.items()]),
    ):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    judged = [f"{id}\t{passage}\t1" for id, found in beir.relevant.items() for passage in found]
    (folder / "qrels" / "dev.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]))
    return folder
