"""Follow-ups are put to a thread and scored; what a person would have asked stands beside."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.reply import Answer
from eval.followups import load_cases, run
from ingest.errors import BadRequest

GOLD = Path(__file__).parents[2] / "eval" / "gold" / "followups.jsonl"
ROW = {
    "id": "f1", "type": "name", "before": ["How many lamps does Visa have?"], "question": "and Costco?",
    "alone": "How many lamps does Costco have?", "carries": ["Costco", "lamps"], "answerable": True, "as_of": None,
    "evidence": [], "key_facts": [{"any_of": ["7 lamps"], "kind": "number"}], "answer": "7",
}  # fmt: skip


def test_the_last_question_is_asked_in_full_and_scored(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(ROW))
    asked: list[str] = []

    def ask(question: str, as_of: datetime | None) -> Answer:
        asked.append(question)
        return Answer(question, datetime(2026, 1, 1, tzinfo=UTC))

    report, rows = run(load_cases(file), ask, lambda id: "")

    alone = "How many lamps does Costco have?"
    assert asked == ["How many lamps does Visa have?", alone, alone]
    assert report["metrics"]["carried"]["value"] == 1.0
    assert report["metrics"]["fact_recall"]["value"] == 0.0
    assert rows[0]["asked_as"] == ROW["alone"]


def test_a_row_without_its_turns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({k: v for k, v in ROW.items() if k != "before"}))
    with pytest.raises(BadRequest, match="before"):
        load_cases(file)


def test_the_committed_follow_ups_are_thirty_and_well_formed() -> None:
    cases = load_cases(GOLD)
    assert len(cases) == 30
    assert all(case.before and case.gold.key_facts and case.carries for case in cases)
