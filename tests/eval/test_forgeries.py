"""Two thousand forged drafts from our own sentences, none of which may pass; true ones beside them, which must."""

import json
import random

import pytest

from eval.forgeries import judge, main, report, sample_passages
from eval.forging import FORGERS, forge


def test_two_thousand_forgeries_and_no_escape() -> None:
    tally = judge(sample_passages(), 2000, random.Random(20))

    assert sum(tally.forged.values()) >= 2000
    assert [(f.kind, f.draft) for f in tally.escapes] == []
    assert sum(tally.passed.values()) >= 0.95 * sum(tally.told.values())


def test_every_kind_of_forgery_occurs_in_the_sample() -> None:
    rng = random.Random(3)
    made = {f.kind for _ in range(8) for passage in sample_passages() for f in forge(passage, rng)}

    assert set(FORGERS) - made <= {"parenthesis dropped"}


def test_a_gate_that_lets_all_through_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Passed:
        passed = True

    monkeypatch.setattr("eval.forgeries.gate", lambda draft, evidence: Passed())
    tally = judge(sample_passages()[:5], 50, random.Random(1))

    assert len(tally.escapes) == sum(tally.forged.values())
    assert report(tally, "sample", {})["metrics"]["escape_rate"]["value"] == 1.0


def test_the_same_seed_makes_the_same_forgeries() -> None:
    made = [
        [f.draft for passage in sample_passages()[:6] for f in forge(passage, random.Random(4))]
        for _ in range(2)
    ]

    assert made[0] == made[1]
    assert len(set(made[0])) > 50


def test_the_command_prints_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--n", "100", "--seed", "2"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["task"] == "forgeries"
    assert found["metrics"]["escape_rate"]["value"] == 0.0
    assert found["metrics"]["escape_rate"]["high"] > 0
