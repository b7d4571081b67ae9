"""`regtape news …` and `train`: what comes in, what is kept apart and where, what is told, and with which exit code."""

import io
import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest

from api import sample
from api.cli import run
from tests.conftest import Regtape

LEXICON = {"REGTAPE_NEWS_SCORER": "lexicon"}
GOOD = {
    "id": "n1", "published_at": "2026-02-24T12:05:00Z", "source": "wire", "headline": "Lamp maker gains",
}  # fmt: skip
NO_ZONE = GOOD | {"id": "n2", "published_at": "2026-02-24T12:05:00"}


@pytest.fixture(name="regtape")
def _regtape(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Regtape:
    """The command in this process, which starts in no time; tests/e2e runs the installed one."""

    def run_here(
        *words: str, stdin: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        capsys.readouterr()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            for name, value in environment.items():
                patch.setenv(name, value)
            code = run(words)
        return subprocess.CompletedProcess(words, code, *capsys.readouterr())

    return run_here


def lines(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def items(regtape: Regtape, *words: str) -> list[dict[str, Any]]:
    shown = regtape("news", "tail", "--json", "-n", "1000", *words, **LEXICON)
    return [json.loads(line) for line in shown.stdout.splitlines()]


# ---- add


def test_the_sample_is_logged_scored_and_read(regtape: Regtape) -> None:
    added = regtape("news", "add", str(sample.news()), "--score", **LEXICON)
    shown = regtape("news", "tail", "-n", "1000")
    rows = [json.loads(line) for line in sample.news().read_text("utf-8").splitlines()]

    assert added.returncode == 0, added.stderr
    assert f"{len(rows)} items logged" in added.stdout
    assert "0 wait" in added.stdout
    assert [item["id"] for item in items(regtape)] == [row["id"] for row in rows]
    head, *table = shown.stdout.splitlines()
    assert head.split() == ["known", "at", "company", "sentiment", "new", "source", "headline"]
    assert len(table) > len(rows), "an item about two companies has two lines"
    assert "\x1b" not in shown.stdout


def test_a_bad_row_is_kept_beside_the_file_with_its_line_and_reason(
    regtape: Regtape, tmp_path: Path
) -> None:
    file = tmp_path / "news.jsonl"
    file.write_text(lines(GOOD, "", NO_ZONE, "{"))
    done = regtape("news", "add", str(file))
    kept = tmp_path / "news.jsonl.rejects.jsonl"
    rejects = [json.loads(line) for line in kept.read_text().splitlines()]

    assert done.returncode == 1
    assert "1 items logged" in done.stdout
    assert f"2 rejected, kept in {kept}" in done.stdout.replace("\n", "")
    assert "line 3: no-time-zone" in done.stdout
    assert [(r["line"], r["reason"]) for r in rejects] == [(3, "no-time-zone"), (4, "bad-json")]
    assert json.loads(rejects[0]["raw"]) == NO_ZONE


def test_rejects_can_be_mended_and_added(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "news.jsonl").write_text(lines(GOOD, NO_ZONE))
    kept = tmp_path / "kept" / "apart.jsonl"
    first = regtape("news", "add", str(tmp_path / "news.jsonl"), "--rejects", str(kept))
    raw = [json.loads(line)["raw"] for line in kept.read_text().splitlines()]
    (tmp_path / "again.jsonl").write_text(lines(*raw))
    second = regtape("news", "add", str(tmp_path / "again.jsonl"), "--zone", "Europe/London")

    assert (first.returncode, second.returncode) == (1, 0)
    assert [item["id"] for item in items(regtape)] == ["n1", "n2"]
    assert not (tmp_path / "again.jsonl.rejects.jsonl").exists(), "no file where nothing failed"


def test_where_they_cannot_be_kept_beside_the_file_rejects_are_kept_in_home(
    regtape: Regtape, tmp_path: Path
) -> None:
    (tmp_path / "news.jsonl").write_text(lines(GOOD, "{"))
    (
        tmp_path / "news.jsonl.rejects.jsonl"
    ).mkdir()  # stops root as well, as a closed folder would not
    done = regtape("news", "add", str(tmp_path / "news.jsonl"), "--json")
    where = json.loads(done.stdout)["added"]["rejects_file"]

    assert Path(where) == tmp_path / "home" / "rejects" / "news.jsonl.rejects.jsonl"
    assert len(Path(where).read_text().splitlines()) == 1


def test_rejects_of_standard_input_are_kept_in_home_and_named(
    regtape: Regtape, tmp_path: Path
) -> None:
    done = regtape("news", "add", "-", "--json", stdin=lines(GOOD, "{"))
    added = json.loads(done.stdout)["added"]

    assert done.returncode == 1
    assert Path(added["rejects_file"]).parent == tmp_path / "home" / "rejects"
    assert json.loads(Path(added["rejects_file"]).read_text())["raw"] == "{"
    assert added["first_rejects"][0]["line"] == 2


@pytest.mark.parametrize(("stdin", "says"), [("", "0 items"), ("{\n", "1 rejected")])
def test_when_nothing_came_in_the_exit_code_is_3(regtape: Regtape, stdin: str, says: str) -> None:
    done = regtape("news", "add", "-", stdin=stdin)

    assert done.returncode == 3
    assert says in done.stdout


def test_a_csv_of_other_names_is_read_by_map_set_and_zone(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text('title,when,ticker\n"Lamps, dear",2010-07-01 09:30,"AB,CD"\n')
    done = regtape(
        "news", "add", str(tmp_path / "old.csv"), "--backfill", "--zone", "America/New_York",
        "--map", "headline=title", "--map", "published_at=when", "--map", "symbols=ticker",
        "--set", "source=old",
    )  # fmt: skip
    (item,) = items(regtape)

    assert done.returncode == 0, done.stderr
    assert (item["headline"], item["source"], item["symbols"]) == (
        "Lamps, dear",
        "old",
        ["AB", "CD"],
    )
    assert item["published_at"] == "2010-07-01T13:30:00Z"
    assert (item["known_at"], item["backfilled"]) == ("2010-07-01T13:31:00Z", True)


def test_without_backfill_old_news_is_known_from_now_on(regtape: Regtape) -> None:
    regtape("news", "add", "-", stdin=lines(GOOD))
    (item,) = items(regtape)

    assert not item["backfilled"]
    assert datetime.fromisoformat(item["known_at"]).year > 2025
    assert item["known_at"] == item["recorded_at"]


def test_what_was_odd_is_told(regtape: Regtape) -> None:
    done = regtape("news", "add", "-", stdin=lines(GOOD | {"published_at": "2099-01-01T00:00:01Z"}))

    assert done.returncode == 0
    assert "1 with a stamp in the future (logged, flagged future)" in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "no-such-file.jsonl"), 2, "no file no-such-file.jsonl"),
        (("add", "-", "--map", "headline"), 2, "write OURS=THEIRS"),
        (("add", "-", "--map", "colour=x"), 2, "there are id, source, published_at"),
        (("add", "-", "--map", "id=a", "--map", "id=b"), 2, "names id twice"),
        (("add", "-", "--zone", "Mars/Base"), 2, "is not a time zone"),
        (("add", "-", "--zone", "/etc/passwd"), 2, "is not a time zone"),
        (("add", "-", "--format", "xml"), 2, "'jsonl', 'csv'"),
        (("add",), 2, "Missing argument"),
        (("score", "--model", "oracle"), 3, "there are finbert, finbert-research, lexicon"),
        (("score", "--model", "none"), 2, "no scorer is chosen"),
        (("tail", "--follow", "--as-of", "2020-01-01"), 2, "leave out --as-of"),
        (("tail", "-n", "-1"), 2, "is not in the range"),
    ],
)
def test_wrong_usage_is_one_sentence(
    regtape: Regtape, words: tuple[str, ...], code: int, says: str
) -> None:
    done = regtape("news", *words, stdin=lines(GOOD))

    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_wrong_model_is_told_before_anything_is_logged(regtape: Regtape) -> None:
    done = regtape("news", "add", "-", "--score", "--model", "oracle", stdin=lines(GOOD))

    assert done.returncode == 3
    assert items(regtape) == []


def test_the_help_of_add_explains_backfill_and_shows_an_archive(regtape: Regtape) -> None:
    shown = " ".join(regtape("news", "add", "--help").stdout.split())

    assert "These rows are history: each counts as known from the moment it was public" in shown
    assert "reuters_2006_2013.jsonl.gz --backfill --set source=reuters" in shown


# ---- score


def test_scoring_tells_how_much_how_fast_and_what_waits(regtape: Regtape) -> None:
    regtape("news", "add", "-", stdin=lines(GOOD))
    done = regtape("news", "score", "--json", **LEXICON)
    again = regtape("news", "score", **LEXICON)
    scored = json.loads(done.stdout)["scored"]

    assert (done.returncode, again.returncode) == (0, 0)
    assert (scored["items"], scored["waiting"], scored["oldest"]) == (1, 0, None)
    assert scored["model"] == "lexicon"
    assert "score: 1 of 1 items" in done.stderr
    assert "0 items scored by lexicon" in again.stdout


def test_a_file_can_be_logged_and_scored_in_one_command(regtape: Regtape, tmp_path: Path) -> None:
    (tmp_path / "news.jsonl").write_text(lines(GOOD))
    done = regtape("news", "score", str(tmp_path / "news.jsonl"), "--model", "lexicon", "--json")
    told = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert (told["added"]["new"], told["scored"]["items"]) == (1, 1)


def test_an_empty_log_has_nothing_to_score(regtape: Regtape) -> None:
    assert regtape("news", "score", **LEXICON).returncode == 3


def test_news_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "news.jsonl").write_text(lines(GOOD))
    heavy = "torch transformers chromadb pandas fastapi".split()
    program = (
        "import sys; from api.cli import run;"
        f"codes = [run(['news', 'add', {str(tmp_path / 'news.jsonl')!r}, '--score', '--model', 'lexicon']),"
        " run(['news', 'tail'])];"
        f"print([m for m in {heavy!r} if m in sys.modules], codes, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stderr.splitlines()[-1] == "[] [0, 0]"


# ---- tail


def test_tail_shows_the_newest_oldest_first_and_as_of_a_moment(regtape: Regtape) -> None:
    old = [GOOD | {"id": f"n{n}", "published_at": f"2020-01-0{n}T12:00:00Z"} for n in range(1, 6)]
    regtape("news", "add", "-", "--backfill", stdin=lines(*old))

    def ids(*words: str) -> list[str]:
        shown = regtape("news", "tail", "--json", *words).stdout.splitlines()
        return [json.loads(line)["id"] for line in shown]

    assert ids("-n", "2") == ["n4", "n5"]
    assert ids("--as-of", "2020-01-03T12:00:00Z") == ["n1", "n2", "n3"]
    assert regtape("news", "tail", "--as-of", "2019-12-31").returncode == 3
    assert ids("--source", "wire", "-n", "1") == ["n5"]
    assert ids("--source", "other") == []


def listen_to_ctrl_c() -> None:
    """Where tests run in the background, it is ignored, and what they start would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_followed_news_is_printed_as_it_comes(regtape: Regtape, tmp_path: Path) -> None:
    regtape("news", "add", "-", stdin=lines(GOOD))
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "news", "tail", "--follow", "--json", "-n", "1"],
        stdout=subprocess.PIPE,
        env=os.environ | LEXICON,
        text=True,
        preexec_fn=listen_to_ctrl_c,
    )
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
        regtape("news", "add", "-", "--score", stdin=lines(GOOD | {"id": "n2"}), **LEXICON)
        second = json.loads(process.stdout.readline())
        regtape("news", "add", "-", stdin=lines(GOOD | {"id": "n3"}))
        third = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0, "Ctrl-C is how a person ends it"
    finally:
        process.kill()
        process.communicate()

    assert [first["id"], second["id"], third["id"]] == ["n1", "n2", "n3"]
    assert second["scores"], "it waited for its score"
    assert third["scores"] == [], "but not for ever"


# ---- train, and what there is


def test_scorers_are_listed_with_what_is_missing(regtape: Regtape) -> None:
    rows = json.loads(regtape("models", "list", "--json").stdout)["models"]

    scorers = {row["name"]: row["missing"] for row in rows if row["use"] == "scorer"}
    assert {"finbert", "finbert-research", "lexicon"} <= scorers.keys()
    assert scorers["lexicon"] == ""


def test_training_says_what_it_lacks(regtape: Regtape, tmp_path: Path) -> None:
    nowhere = regtape("train", "finbert", str(tmp_path / "out"), "--data", "no-such-folder")
    program = (
        "import sys; sys.modules['torch'] = None; from api.cli import run;"
        f"sys.exit(run(['train', 'finbert', 'out', '--data', {str(tmp_path)!r}]))"
    )
    no_torch = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert nowhere.returncode == 2
    assert no_torch.returncode == 1
    assert "pip install 'regtape[torch]'" in no_torch.stderr


@pytest.mark.slow
def test_training_is_told_what_was_asked_and_what_it_came_to_is_shown(
    regtape: Regtape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe itself is tested in tests/sentiment/test_train.py; here it is replaced by one of the same signature."""
    pytest.importorskip("torch")
    from sentiment import finbert, train

    measured = {"accuracy": {"value": 0.875, "low": 0.85, "high": 0.9, "n": 800.0}}
    report = train.Report(
        research=True, seed=7, minutes=1.5, rows={"tfns": 8000}, dropped={}, temperature=1.1,
        temperature_target=1.2, uncalibrated_nll=0.4, sets={"tfns": measured},
    )  # fmt: skip
    trained = create_autospec(train.train, return_value=report)
    monkeypatch.setattr(train, "train", trained)
    exported = finbert.Exported(24_700_000, 14, 1e-7, 0.1, 0.01)
    monkeypatch.setattr(finbert, "export", create_autospec(finbert.export, return_value=exported))
    done = regtape(
        "train", "finbert", str(tmp_path / "out"), "--data", str(tmp_path), "--research", "--seed", "7", "--epochs", "2",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "tfns (n=800): accuracy 0.875" in done.stdout
    assert "int8: 24.7 MB" in done.stdout
    assert trained.call_args.args == (tmp_path, tmp_path / "out")
    assert trained.call_args.kwargs["research"]
    assert trained.call_args.kwargs["seed"] == 7
    assert trained.call_args.kwargs["recipe"].epochs == 2
