"""The cost of reading rules, on files written for the purpose: both sides run, and the reading is as it was after."""

from pathlib import Path

import pytest

from api.settings import Settings
from eval.speed_rules import drawn_files, ingest_cost
from ingest import pipeline
from ingest.errors import BadRequest


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "lamps"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Lamp {number} is lit at night. " * 30, "utf-8")
    return folder


def test_both_sides_run_by_turns_and_the_reading_stays(folder: Path, tmp_path: Path) -> None:
    before = vars(pipeline)["derive"], vars(pipeline)["read_impacts"]
    chosen = Settings(home=tmp_path / "home", embedder="hashing", parse_workers=1)

    found = ingest_cost(drawn_files(folder, 2), folder, chosen, repeats=2)

    assert [len(found[side]) for side in ("with", "without", "ratio")] == [2, 2, 2]
    assert all(ratio > 0 for ratio in found["ratio"])
    assert (vars(pipeline)["derive"], vars(pipeline)["read_impacts"]) == before
    assert not (tmp_path / "home" / "catalog.db").exists()


def test_the_same_files_are_drawn_every_time_and_no_more_than_there_are(folder: Path) -> None:
    assert drawn_files(folder, 2) == drawn_files(folder, 2)
    with pytest.raises(BadRequest, match="3 files, fewer than 4"):
        drawn_files(folder, 4)
