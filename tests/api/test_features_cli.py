"""`regtape features …`: what it prints, keeps and checks, and with which exit code."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.cli import run
from sentiment.features import FEATURES
from sentiment.log import Tape
from sentiment.read import Reader
from tests.sentiment.featured import BEGIN, SYMBOLS, filled, resolver

Ran = tuple[int, str, str]
Run = Callable[..., Ran]
AT = ("--as-of", "2020-03-09")


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    filled(home, 60)[0].close()
    return home


@pytest.fixture(name="features")
def _features(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_here(*words: str) -> Ran:
        capsys.readouterr()
        code = run(["features", *words, "--home", str(home)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run_here


def recorded(home: Path, count: int) -> list[dict[str, Any]]:
    """Reads as a server records them."""
    with Tape(home) as tape:
        reader = Reader(tape, resolver())
        at = BEGIN + timedelta(days=7)
        vectors = [
            reader.vector(SYMBOLS[n % 4], as_of=at + timedelta(hours=n)) for n in range(count)
        ]
    return [{"receipt": v.receipt.fields(), "values": v.values} for v in vectors]


# ---- list


def test_the_catalogue_is_listed(features: Run) -> None:
    code, whole, _ = features("list")
    _, told, _ = features("list", "--json")
    _, few, _ = features("list", "--set", "core50")
    listed = json.loads(told)

    assert code == 0
    assert "sentiment_mean_W" in whole
    assert "\x1b" not in whole
    for scope in ("symbol:", "market:", "cross_section:", "feed:", "regulation:"):
        assert f"\n{scope}" in whole
    assert [each["name"] for each in listed["features"]] == list(FEATURES)
    assert listed["feature_version"] in few
    assert few.startswith("50 features")
    assert "\nmarket_buzz_1d  standard deviations\n" in few


def test_a_set_that_is_none_is_told(features: Run) -> None:
    code, _, err = features("list", "--set", "core51")

    assert code == 2
    assert "all, core50" in err


# ---- get


def test_features_are_read_as_of_a_day(features: Run) -> None:
    code, out, _ = features("get", "BAC", "QQQQQ", *AT, "--names", "volume_5d,sentiment_mean_1m")
    _, told, _ = features("get", "BAC", *AT, "--names", "volume_5d", "--json")
    (vector,) = json.loads(told)["vectors"]

    assert code == 0
    lines = out.splitlines()
    assert lines[1].split() == ["BAC", "QQQQQ"]
    assert lines[2].split()[0] == "volume_5d"
    assert lines[2].split()[2] == "unknown"
    assert "BAC is cik:70858" in out
    assert float(lines[2].split()[1].rstrip("*")) == vector["values"]["volume_5d"]
    assert vector["as_of"] == "2020-03-10T03:59:59.999999Z"
    assert vector["receipt"]["symbol"] == "BAC"


def test_a_symbol_that_nobody_knows_is_nothing_found(features: Run) -> None:
    assert features("get", "QQQQQ", *AT)[0] == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--as-of", "2020-03-09T10:00:00"), "has no time zone"),
        (("--as-of", "2999-01-01"), "is in the future; now is"),
        (("--names", "volume_6d"), "did you mean volume_5d"),
        (("--names", "volume_5d", "--set", "all"), "names and feature_set"),
        (("--view", "newest"), "write known, latest or as-if:MODEL"),
        (("--view", "as-if"), "write known, latest or as-if:MODEL"),
        (("--view", "as-if:made up", "--model", "other"), "name two models"),
        (("--latency", "1"), "latency is declared for the view as_if"),
        (("--model", "other"), "has no score on this tape; there are made up made-up-1"),
    ],
)
def test_what_cannot_be_asked_is_told_with_exit_code_2(
    features: Run, words: tuple[str, ...], message: str
) -> None:
    code, out, err = features("get", "BAC", *words)

    assert (code, out) == (2, "")
    assert message in err


def test_a_model_can_be_assumed_present_throughout(features: Run) -> None:
    _, out, _ = features(
        "get", "BAC", *AT, "--view", "as-if:made up", "--latency", "0.5", "--receipt"
    )
    receipt = json.loads(out)

    assert (receipt["view"], receipt["model"], receipt["latency"]) == ("as_if", "made up", 500_000)
    assert features("verify", out.strip())[0] == 0


# ---- verify and replay


def test_a_receipt_is_verified_as_it_is_typed_or_kept(features: Run, tmp_path: Path) -> None:
    _, line, _ = features("get", "BAC", "AAPL", *AT, "--receipt")
    file = tmp_path / "receipts"
    file.write_text(line)
    _, shown, _ = features("get", "BAC", *AT, "--json")
    whole = tmp_path / "answer.json"
    whole.write_text(shown)

    assert features("verify", line.splitlines()[0])[:2] == (
        0, f"MATCH  BAC as of 2020-03-10T03:59:59.999999+00:00 at offset {json.loads(line.splitlines()[0])['offset']}\n",
    )  # fmt: skip
    assert features("verify", str(file))[1].count("MATCH") == 2
    assert features("verify", str(whole))[0] == 0


def test_a_receipt_that_does_not_hold_is_told_apart(features: Run, tmp_path: Path) -> None:
    _, shown, _ = features("get", "BAC", *AT, "--json")
    (vector,) = json.loads(shown)["vectors"]
    receipt = vector["receipt"]

    def verified(**changed: Any) -> Ran:
        return features("verify", json.dumps(receipt | changed))

    assert verified(feature_version="0" * 12)[0] == 3
    assert "EXPIRED" in verified(feature_version="0" * 12)[1]
    assert "NOT_THIS_TAPE" in verified(hash="0" * 64)[1]
    assert verified(hash="0" * 64)[0] == 3
    assert verified(values="0" * 64)[0] == 1
    file = tmp_path / "served.json"
    file.write_text(json.dumps(vector | {"values": vector["values"] | {"volume_5d": 77.0}}))
    code, out, _ = features("verify", str(file))
    assert code == 1
    assert "volume_5d was served as 77.0, the tape gives" in out
    told = json.loads(features("verify", str(file), "--json")[1])["verdicts"][0]
    assert (told["outcome"], told["name"], told["served"]) == ("MISMATCH", "volume_5d", 77.0)
    assert verified(offset="7")[0] == 2
    assert features("verify", str(tmp_path / "none"))[0] == 3


def test_what_was_recorded_is_computed_again(features: Run, home: Path, tmp_path: Path) -> None:
    reads = recorded(home, 30)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in reads[:20]))
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(each) + "\n" for each in reads[20:]))
    code, out, _ = features("replay", str(tmp_path))

    assert (code, out) == (0, "30 vectors, 1500 values: 30 MATCH\n")
    reads[3]["values"]["volume_5d"] = 99.0
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(each) + "\n" for each in reads[:20]))
    code, out, _ = features("replay", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"))
    assert code == 1
    assert "1 MISMATCH" in out
    assert "volume_5d was served as 99.0" in out
    (tmp_path / "a.jsonl").write_text(json.dumps(reads[0]) + "\n{\n")
    code, _, err = features("replay", str(tmp_path / "a.jsonl"))
    assert code == 2
    assert "a.jsonl, line 2, is not JSON" in err
    assert features("replay", str(tmp_path / "none.jsonl"))[0] == 3


# ---- export and plot


def test_days_are_written_once(features: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    words = (
        "export", "--symbols", "BAC,AAPL", "--from", "2020-03-03", "--to", "2020-03-04", "--every", "30m", "--names",
        "volume_5d", "--out", str(tmp_path),
    )  # fmt: skip

    assert features(*words)[:2] == (0, f"2 days written to {tmp_path} (56 rows)\n")
    assert features(*words)[1] == f"0 days written to {tmp_path} (0 rows), 2 were there\n"
    assert json.loads(features(*words, "--json")[1]) == {
        "days": 2,
        "written": 0,
        "skipped": 2,
        "rows": 0,
    }
    code, _, err = features(*words, "--every", "5m")
    assert code == 2
    assert "holds an export with other every_seconds" in err
    code, _, err = features(*words, "--to", "2020-03-01")
    assert (code, "--to 2020-03-01 is before --from 2020-03-03" in err) == (2, True)


def test_a_chart_is_drawn(features: Run, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    prices = tmp_path / "prices.csv"
    prices.write_text("time,price\n2020-03-04T15:00:00Z,30\n2020-03-05T15:00:00Z,31\n")
    words = ("plot", "BAC", "--from", "2020-03-03", "--to", "2020-03-06", "--prices", str(prices))
    code, out, err = features(*words, "--out", str(tmp_path / "bac.png"))

    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'bac.png'}: BAC at ")
    assert (tmp_path / "bac.png").stat().st_size > 10_000
    code, _, err = features("plot", "QQQQQ", *words[2:], "--out", str(tmp_path / "none.png"))
    assert (code, "no scored news about QQQQQ" in err) == (3, True)


@pytest.mark.parametrize("name", ["list", "get", "export", "plot", "verify", "replay"])
def test_each_command_shows_how_it_is_called(features: Run, name: str) -> None:
    code, out, _ = features(name, "--help")

    assert code == 0
    assert f"  regtape features {name}" in out
