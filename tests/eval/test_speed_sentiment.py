"""The benchmark of scorers: sides by turns, ratios run by run, and no torch on ours."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from eval import speed_sentiment
from eval.speed_sentiment import BATCH, SIDES, Run, command, headlines, sentiment_speed
from ingest.errors import BadRequest, ModelMissing
from tests.sentiment.weights import write_ours

TEXTS = headlines(BATCH)


@pytest.fixture(name="model", scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"hf:{write_ours(tmp_path_factory.mktemp('speed'))}"


@pytest.fixture(name="turns")
def _turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sides that do nothing: ours does 400 a second the first time and 600 after that, the others 100 and 20."""
    turns: list[str] = []

    def run(side: str, job: Path) -> Run:
        assert len(json.loads(job.read_bytes())["texts"]) >= BATCH
        first = side not in turns
        turns.append(side)
        per_second = {"regtape": 400.0 if first else 600.0, "pipeline": 100.0, "bert-base": 20.0}
        return Run(per_second[side], 2.0, 4.0, 0.5, 150.0 if side == "regtape" else 900.0)

    monkeypatch.setattr(speed_sentiment, "_run", run)
    return turns


def test_sides_take_turns(turns: list[str], model: str) -> None:
    sentiment_speed(TEXTS, model=model, repeats=2)
    assert turns == ["bert-base", "pipeline", "regtape", "regtape", "pipeline", "bert-base"]


@pytest.mark.usefixtures("turns")
def test_ratios_are_taken_run_by_run(model: str) -> None:
    found = sentiment_speed(TEXTS, model=model, repeats=2, threads=2)
    assert (found["task"], found["n"], found["settings"]["threads"]) == ("speed", BATCH, 2)
    assert found["metrics"]["times_pipeline"] == {"value": 5, "low": 4, "high": 6, "n": 2}
    assert found["metrics"]["times_bert_base"]["value"] == 25
    assert found["metrics"]["per_second"]["value"] == 500
    assert found["metrics"]["resident_mib"]["value"] == 150
    assert found["groups"]["pipeline"]["p99_ms"]["value"] == 4
    json.dumps(found)


@pytest.mark.model
def test_made_up_headlines_are_of_the_size_of_a_tweet_and_always_the_same() -> None:
    found = speed_sentiment._mean_tokens(headlines(200), "lexicon")
    assert 25 <= found <= 29
    assert headlines(200)[:10] == headlines(10)


@pytest.mark.slow
def test_our_side_runs_for_real_and_alone(tmp_path: Path, model: str) -> None:
    found = sentiment_speed(
        TEXTS, model=model, repeats=1, threads=1, sides=["regtape"], cache_dir=tmp_path
    )
    assert found["metrics"]["per_second"]["value"] > 50
    assert 0 < found["metrics"]["p50_ms"]["value"] <= found["metrics"]["p99_ms"]["value"]
    assert found["metrics"]["resident_mib"]["value"] > 20
    assert set(found["groups"]) == {"regtape"}


@pytest.mark.slow
@pytest.mark.model
def test_all_sides_run_for_real(tmp_path: Path, model: str) -> None:
    pytest.importorskip("transformers")
    found = sentiment_speed(TEXTS, model=model, repeats=1, threads=1, cache_dir=tmp_path)
    for side in SIDES:
        assert found["groups"][side]["per_second"]["value"] > 0.1
    assert found["metrics"]["times_bert_base"]["value"] > 10


def test_our_side_fails_where_torch_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "transformers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    job = {"texts": TEXTS, "model": "lexicon", "threads": 1, "cache_dir": None}
    assert speed_sentiment._regtape(job).per_second > 0
    monkeypatch.setitem(sys.modules, "torch", sys)
    with pytest.raises(AssertionError, match="scoring imported torch"):
        speed_sentiment._regtape(job)


@pytest.mark.slow
def test_a_side_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"(?s)regtape side failed.*no folder"):
        sentiment_speed(TEXTS, model=f"hf:{tmp_path}/gone", repeats=1, sides=["regtape"])


@pytest.mark.usefixtures("turns")
def test_the_command_prints_a_table_or_one_object(tmp_path: Path, model: str) -> None:
    words = ["--model", model, "--texts", "64"]
    table = CliRunner().invoke(command, words, obj={}, catch_exceptions=False)
    assert "times_pipeline" in table.output
    assert "made-up headlines: 64 texts" in table.output
    file = tmp_path / "tweets.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in headlines(40)))
    plain = CliRunner().invoke(
        command, [str(file), "--json", *words], obj={}, catch_exceptions=False
    )
    found = json.loads(plain.stdout)
    assert (found["n"], found["dataset"]) == (40, "tweets")


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "few.jsonl"
    file.write_text('{"text": "Keld warns"}\n')
    with pytest.raises(BadRequest, match="has 1 texts; 32 are needed"):
        CliRunner().invoke(command, [str(file)], obj={}, catch_exceptions=False)
