"""The eval of features of rules on a few documents: nothing differs, and what would is counted."""

import json
from pathlib import Path

import pytest

from api.cli import run
from eval.regulation import evaluate
from ingest.catalog import Catalog
from sentiment.features import select
from tests.ingest.test_rules_state import ALL


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    with Catalog(tmp_path / "home") as catalog:
        catalog.record([ALL[n] for n in (1, 0, 3, 2, 4)])
    return tmp_path / "home"


def test_values_are_the_states_and_stay_at_their_head(home: Path) -> None:
    report = evaluate(home, heads=3, instants=80)
    found = {name: each["value"] for name, each in report["metrics"].items()}

    assert (found["oracle_mismatches"], found["append_mismatches"]) == (0, 0)
    assert found["foresight_mismatches"] == 0
    assert report["metrics"]["append_mismatches"]["n"] == 3 * 80 * len(
        select(feature_set="regulation")
    )
    assert found["bulk_per_second"] > 0


def test_a_value_that_is_another_is_counted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eval.regulation._plain", lambda found, measure, on: 7.0)

    assert evaluate(home, heads=1, instants=20)["metrics"]["oracle_mismatches"]["value"] > 0


def test_the_command_prints_one_object(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["eval", "regulation", "--heads", "1", "--instants", "8", "--home", str(home)]

    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "regulation"
    assert run([*words[:-1], str(home.parent / "none")]) == 3
