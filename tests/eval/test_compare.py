"""Pairs written for the purpose; what the eval counts as found, missed, made up and not at all."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from eval.compare import LABELS, Otherwise, evaluate, read_pair
from ingest.parse import parse

OLD = "Lamps cost $5 each and last 10 days.\n\nBells | 3 | 4\n"
NEW = "Lamps cost $6 each and last 12 days.\n\nBells | 3 | 5\n"


def side(folder: Path, name: str, text: str) -> dict[str, Any]:
    (folder / name).write_text(text, "utf-8")

    held = parse((folder / name).read_bytes(), name).text
    return {
        "file": name,
        "text_sha256": sha256(held.encode()).hexdigest(),
        "start": 0,
        "end": len(held),
    }


def change(before: str, after: str, **more: Any) -> dict[str, Any]:
    return {
        "before": before, "after": after, "before_start": OLD.index(before), "after_start": NEW.index(after), **more,
    }  # fmt: skip


@pytest.fixture(name="row")
def _row(tmp_path: Path) -> dict[str, Any]:
    return {
        "id": "lamps", "split": "dev",
        "before": side(tmp_path, "old.txt", OLD), "after": side(tmp_path, "new.txt", NEW),
        "changed": [change("$5", "$6"), change("10 days", "12 days"), change("4", "5")],
    }  # fmt: skip


def values(report: dict[str, Any]) -> dict[str, float]:
    return {name: measure["value"] for name, measure in report["metrics"].items()}


def test_all_that_changed_is_found(row: dict[str, Any], tmp_path: Path) -> None:
    report, verdicts = evaluate([row], tmp_path)

    assert values(report) == {
        "parameter_precision": 1.0,
        "parameter_recall": 1.0,
        "round_trip": 1.0,
    }
    assert report["n"] == 1
    assert all(each["labelled"] and each["found"] for each in verdicts)


def test_what_is_not_labelled_is_made_up_and_what_is_neutral_counts_neither_way(
    row: dict[str, Any], tmp_path: Path
) -> None:
    row["changed"] = [change("$5", "$6"), change("4", "5", neutral=True)]
    report, verdicts = evaluate([row], tmp_path)

    assert values(report) == {
        "parameter_precision": 0.5,
        "parameter_recall": 1.0,
        "round_trip": 1.0,
    }
    assert [each["before"] for each in verdicts if not each["labelled"]] == ["10 days"]


def test_what_is_missed_is_told(row: dict[str, Any], tmp_path: Path) -> None:
    row["changed"].append(change("Lamps", "Bells"))
    report, verdicts = evaluate([row], tmp_path)

    assert report["metrics"]["parameter_recall"]["value"] == 0.75
    assert [each["before"] for each in verdicts if not each["found"]] == ["Lamps"]


def test_a_text_that_reads_otherwise_is_not_scored(row: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text(NEW + "More.", "utf-8")
    report, _ = evaluate([row], tmp_path)

    assert report["n"] == 0
    assert report["metrics"] == {}
    (reason,) = report["settings"]["not_scored"]
    assert reason.startswith("new.txt reads otherwise")


def test_a_label_that_stands_nowhere_is_refused(row: dict[str, Any], tmp_path: Path) -> None:
    row["changed"][0]["before_start"] += 1
    with pytest.raises(Otherwise, match=r"'\$5' does not stand"):
        read_pair(row, tmp_path)


def test_the_command_prints_one_object(
    row: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, rows = tmp_path / "labels.jsonl", tmp_path / "rows.jsonl"
    labels.write_text(json.dumps(row) + "\n", "utf-8")

    assert (
        run(
            ["eval", "compare", str(labels), "--data", str(tmp_path), "--rows", str(rows), "--json"]
        )
        == 0
    )
    report = json.loads(capsys.readouterr().out)
    assert report["task"] == "compare"
    assert report["groups"]["dev"]["parameter_recall"]["n"] == 3
    assert len(rows.read_text("utf-8").splitlines()) == 3
    assert run(["eval", "compare", str(labels), "--data", str(tmp_path), "--split", "held"]) == 3


def test_the_labels_are_facts_and_offsets_in_two_halves() -> None:
    rows = [json.loads(line) for line in LABELS.read_text("utf-8").splitlines()]

    assert len(rows) >= 12
    assert {row["split"] for row in rows} == {"dev", "held"}
    assert len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert set(row) == {"id", "split", "before", "after", "changed"}
        for each in row["changed"]:
            assert max(len(each["before"]), len(each["after"])) < 25
            assert each["before"] != each["after"]
