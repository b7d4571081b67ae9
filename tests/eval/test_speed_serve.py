"""Load on a whole server: what its figures count, and that it runs."""

from pathlib import Path

import pytest

from api.settings import Settings
from eval.speed_serve import QUESTIONS, _answers, _Asker, _memory, serve_speed


def an_asker(*seconds: float, failed: int = 0) -> _Asker:
    return _Asker(0, ("?",), list(seconds), failed)


def test_an_asker_is_starved_by_one_long_wait_or_by_no_answer() -> None:
    crew = [an_asker(0.1, 0.2), an_asker(0.1, 11.0), an_asker(), an_asker(0.3, failed=1)]
    figures = _answers(crew)

    assert figures["starved"]["value"] == 2
    assert figures["fewest_of_an_asker"]["value"] == 0
    assert figures["most_of_an_asker"]["value"] == 2
    assert figures["failed"] == {"value": 1, "low": 1, "high": 1, "n": 5}
    assert figures["max_ms"]["value"] == pytest.approx(11_000)
    assert figures["p50_ms"]["value"] == pytest.approx(200)


def test_memory_that_grows_is_told_of_the_second_half() -> None:
    flat = _memory([{"server": 100.0, "others": 10.0}] * 40)
    grown = _memory([{"server": 100.0 + n, "others": 10.0} for n in range(40)])

    assert flat["server_mib_growth_second_half"]["value"] == 0
    assert grown["server_mib_growth_second_half"]["value"] == 15
    assert grown["others_mib_growth_second_half"]["value"] == 0


def test_there_are_questions_to_ask() -> None:
    assert len(QUESTIONS.read_text("utf-8").splitlines()) > 20


def test_an_asker_whose_server_is_gone_notes_it() -> None:
    asker = _Asker(1, ("?",))
    asker.ask()

    assert (asker.failed, len(asker.seconds)) == (1, 1)


@pytest.mark.slow
@pytest.mark.model
def test_a_server_is_asked_and_read_and_told_news_at_once(sample_home: Path) -> None:
    found = serve_speed(
        Settings(home=sample_home, embedder="hashing"),
        ["What is the access fee cap?", "What is Rule 611?"],
        seconds=5, askers=2, think=1.0, reads=20,
    )  # fmt: skip
    answers, features = found["groups"]["answers"], found["groups"]["features"]

    assert answers["failed"]["value"] == 0
    assert answers["fewest_of_an_asker"]["value"] >= 1
    assert features["p99_ms"]["n"] == 100
    assert features["refused"]["value"] == features["unanswered"]["value"] == 0
    assert found["groups"]["memory"]["server_mib"]["value"] > 50
