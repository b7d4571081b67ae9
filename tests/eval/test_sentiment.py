"""`eval sentiment`: rows of both forms, targets where the text names them, groups, and one object of metrics."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from eval.sentiment import command, evaluate, load_cases
from ingest.errors import BadRequest, ModelMissing
from sentiment.scorer import LABELS, Marked, Probabilities


def _targets(**labels: str) -> list[dict[str, str]]:
    return [{"target": target, "label": label} for target, label in labels.items()]


ROWS: list[dict[str, Any]] = [
    {"text": "Harbour Foods narrows loss", "label": "Positive"},
    {"text": "Tern Airlines fined", "label": "negative"},
    {"text": "Shell gains as BP slides", "targets": _targets(shell="positive", BP="negative")},
    {"text": "Arden, Boreal fall", "targets": _targets(Arden="negative", Boreal="negative")},
    {"text": "Board of Keld meets", "targets": [{"target": "Keld Steel", "label": "neutral"}]},
    {"text": "Board meets", "targets": [{"target": "Vasco", "label": "neutral"}]},
]  # fmt: skip


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    file = tmp_path / "headlines.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in ROWS) + "\n\n", encoding="utf-8")
    return file


class Knows:
    """Says positive of what is marked first in a text, negative of other marks, neutral of what has none; keeps the texts."""

    name, version = "knows", "1"
    trained_through: str | None = None
    notice: str | None = "for tests"

    def __init__(self, *, reads_targets: bool = True) -> None:
        self.reads_targets = reads_targets
        self.texts: list[str | Marked] = []

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        self.texts += texts
        found = np.full((len(texts), 3), 0.1, np.float32)
        for row, text in zip(found, texts, strict=True):
            at = 1 if isinstance(text, str) else 2 if text.spans[0][0] == 0 else 0
            row[at] = 0.8
        return found


def test_targets_are_marked_where_the_text_names_them(file: Path) -> None:
    texts = [case.text for case in load_cases(file)]
    shell = ROWS[2]["text"]
    assert texts[2:4] == [Marked(shell, ((0, 5),)), Marked(shell, ((15, 17),))]
    assert texts[6:] == [Marked("Board of Keld meets", ((9, 13),)), "Board meets"]


def test_groups_are_the_kinds_of_row(file: Path) -> None:
    found = evaluate(file, Knows())["groups"]
    sizes = {
        name: measured["accuracy"]["n"] for name, measured in found.items() if "class" not in name
    }
    assert sizes == {
        "sentences": 2, "targets": 6, "one target": 2, "targets agree": 2, "targets disagree": 2, "targets not found": 1,
        "targets, not told": 6, "targets disagree, not told": 2,
    }  # fmt: skip


def test_what_the_targets_gain_is_seen_beside_the_same_model_without(file: Path) -> None:
    found = evaluate(file, Knows())["groups"]
    assert found["targets disagree"]["accuracy"]["value"] == 1
    assert found["targets disagree, not told"]["accuracy"]["value"] == 0


def test_a_scorer_that_reads_no_targets_has_no_such_groups(file: Path) -> None:
    assert not any("told" in name for name in evaluate(file, Knows(reads_targets=False))["groups"])


def test_a_text_is_scored_once_however_often_it_stands_there(file: Path) -> None:
    file.write_text(file.read_text() * 3)
    scorer = Knows()
    evaluate(file, scorer)
    assert len(scorer.texts) == len(set(scorer.texts))


def test_one_object_with_metrics_confusion_and_settings(file: Path) -> None:
    found = evaluate(file, Knows())
    assert {"task", "dataset", "n", "metrics", "groups", "confusion", "settings"} == set(found)
    assert (found["task"], found["dataset"], found["n"]) == ("sentiment", "headlines", 8)
    assert found["metrics"]["accuracy"]["value"] == 0.5
    assert found["metrics"]["ece"]["value"] is None
    assert found["confusion"]["negative"] == {"negative": 2, "neutral": 1, "positive": 1}
    assert sum(sum(row.values()) for row in found["confusion"].values()) == 8
    assert found["groups"]["class positive"]["recall"] == pytest.approx({"value": 0.5, "low": 0, "high": 1, "n": 2})  # fmt: skip
    assert found["settings"]["targets_not_found"] == 1
    assert found["settings"]["model"] == "knows"
    json.dumps(found)


def test_plain_sentences_need_no_groups_but_classes(file: Path) -> None:
    file.write_text("\n".join(json.dumps(row) for row in ROWS[:2]))
    assert set(evaluate(file, Knows())["groups"]) == {f"class {label}" for label in LABELS}


def test_judgements_can_be_written_out(file: Path, tmp_path: Path) -> None:
    evaluate(file, Knows(), rows=tmp_path / "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 8
    assert rows[2] == {
        "line": 3, "text": "Shell gains as BP slides", "target": "shell", "marked": [[0, 5]], "label": "positive",
        "answer": "positive", "probabilities": {"negative": 0.1, "neutral": 0.1, "positive": 0.8},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"text": "a", "label": "good"}', "'good' is none of negative, neutral, positive"),
        ('{"text": "a"}', "KeyError 'targets'"),
        ('{"label": "neutral"}', "KeyError 'text'"),
        ('{"text": "a", "targets": [{"target": "a"}]}', "KeyError 'label'"),
        ('{"text": 3, "label": "neutral"}', "text is no string"),
        ('{"text": "a", "targets": [{"target": 3, "label": "neutral"}]}', "line 2"),
        ("[1]", "line 2"),
        ("not json", "line 2"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "odd.jsonl"
    file.write_text(json.dumps(ROWS[0]) + "\n" + line + "\n")
    with pytest.raises(BadRequest, match=r"odd\.jsonl line 2") as caught:
        load_cases(file)
    assert words in str(caught.value)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(BadRequest, match="holds no rows"):
        load_cases(tmp_path / "empty.jsonl")


def test_the_command_prints_a_table_or_one_object(file: Path) -> None:
    runner = CliRunner()
    words = [str(file), "--model", "lexicon"]
    table = runner.invoke(command, words, obj={}, catch_exceptions=False)
    assert "headlines, 8 judgements, lexicon" in table.output
    assert "truth \\ answer" in table.output
    plain = runner.invoke(command, [*words, "--json"], obj={}, catch_exceptions=False)
    assert json.loads(plain.stdout)["metrics"]["accuracy"]["n"] == 8


def test_the_command_shows_a_models_notice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sentiment.scorer.open_scorer", lambda *_, **__: Knows())
    done = CliRunner().invoke(command, [str(file), "--json"], obj={}, catch_exceptions=False)
    assert "knows: for tests" in done.stderr


def test_a_model_that_is_missing_says_so(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="no folder"):
        CliRunner().invoke(
            command, [str(file), "--model", f"hf:{tmp_path}/gone"], obj={}, catch_exceptions=False
        )
