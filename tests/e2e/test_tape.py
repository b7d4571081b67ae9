"""The news tape through the installed command: killed and run again, fed twice, followed live, shared by two processes."""

import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.test_serve import a_free_port, wait_until_ready
from tests.conftest import Regtape

COMMAND = shutil.which("regtape", path=str(Path(sys.executable).parent)) or "regtape"
LEXICON = {"REGTAPE_NEWS_SCORER": "lexicon"}
ITEMS = 6_000


def rows(count: int) -> list[dict[str, object]]:
    """Headlines in our own words over some weeks; many tell the same story a little later, some are revised."""
    rng = random.Random(5)
    names = "Apple Microsoft Boeing Intel Walmart Pfizer Tesla Nvidia Ford Target".split()
    verbs = [
        "gains",
        "slides",
        "cuts its outlook",
        "beats estimates",
        "loses a court case",
        "names a new chief",
    ]
    at, made = datetime(2024, 1, 2, tzinfo=UTC), list[dict[str, object]]()
    for n in range(count):
        at += timedelta(seconds=rng.randint(0, 600))
        one, other = (f"{rng.choice(names)} {rng.choice(verbs)}" for _ in range(2))
        headline = f"{one} as {other}, note {rng.randint(1, 900)}"
        if made and rng.random() < 0.2:
            headline = str(rng.choice(made[-50:])["headline"]) + rng.choice(["", ", again"])
        id = f"n{n - 7 if n > 7 and rng.random() < 0.02 else n}"
        made.append(
            {"id": id, "published_at": at.isoformat(), "source": "wire", "headline": headline}
        )
    return made


def write(path: Path, made: list[dict[str, object]]) -> Path:
    """As JSON lines, a broken one among each thousand."""
    lines = [json.dumps(row) for row in made]
    for n in range(500, len(lines), 1000):
        lines.insert(n, '{"broken": ')
    path.write_text("\n".join(lines) + "\n")
    return path


def start(home: Path, *words: str, **more: Any) -> "subprocess.Popen[bytes]":
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"REGTAPE_HOME": str(home)} | LEXICON
    return subprocess.Popen(
        [COMMAND, *words], env=environment, start_new_session=True, **quiet | more
    )


def kill_again_and_again(
    run: Callable[[], "subprocess.Popen[bytes]"], home: Path, table: str
) -> int:
    """Kill runs once a random number of rows is on disk; how many were killed before one came to its end.

    By rows, not by seconds: how fast the machine is changes from minute to minute.
    """
    kills = 0
    for rows_held in sorted(random.Random().sample(range(1, ITEMS // 2), 4)):
        process = run()
        while process.poll() is None and count(home, table) < rows_held:
            time.sleep(0.002)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    return kills


def count(home: Path, table: str) -> int:
    """Rows on disk; 0 while there is no such table yet."""
    if not (home / "tape.db").exists():
        return 0
    tape = sqlite3.connect(f"file:{home / 'tape.db'}?mode=ro", uri=True)
    try:
        return int(tape.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        tape.close()


def contents(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Items and scores by the ids of their source, without offsets of scores and moments of recording: those are the run's."""
    tape = sqlite3.connect(home / "tape.db")
    items = "items i JOIN records r USING(offset)"
    named = "SELECT offset, id || '/' || revision AS name FROM items"
    queries = {
        "items": f"SELECT id, revision, published_at, headline, body, symbols, r.known_at, r.backfilled FROM {items}",
        "scores": f"SELECT a.name, b.name, c.name, novelty, negative, neutral, positive FROM scores s JOIN ({named}) a"
        f" ON a.offset = s.item JOIN ({named}) b ON b.offset = s.story LEFT JOIN ({named}) c ON c.offset = s.most_like",
        "targets": f"SELECT a.name, t.entity, t.symbol, t.relevance, t.novelty, t.negative, t.neutral, t.positive"
        f" FROM targets t JOIN scores s ON s.offset = t.score JOIN ({named}) a ON a.offset = s.item",
    }
    try:
        return {
            what: sorted(tape.execute(sql).fetchall(), key=str) for what, sql in queries.items()
        }
    finally:
        tape.close()


@pytest.mark.slow
def test_news_killed_while_it_is_logged_and_scored_ends_where_an_undisturbed_run_does(
    tmp_path: Path, regtape: Regtape
) -> None:
    made = rows(ITEMS)
    file = write(tmp_path / "news.jsonl", made)
    quiet, disturbed = tmp_path / "undisturbed", tmp_path / "killed"
    add = ("news", "add", str(file), "--backfill")

    for words in (add, ("news", "score")):
        start(quiet, *words).wait(timeout=300)
    kills = [
        kill_again_and_again(lambda: start(disturbed, *add), disturbed, "items"),
        kill_again_and_again(lambda: start(disturbed, "news", "score"), disturbed, "scores"),
    ]
    added = regtape(*add, "--json", REGTAPE_HOME=str(disturbed), **LEXICON)
    scored = regtape("news", "score", "--json", REGTAPE_HOME=str(disturbed), **LEXICON)

    assert min(kills) > 0
    report = json.loads(added.stdout)["added"]
    assert added.returncode == 1, "some lines are broken"
    assert report["duplicates"] + report["new"] + report["revisions"] == ITEMS
    assert report["rejected"] == ITEMS // 1000
    assert scored.returncode == 0, scored.stderr
    assert json.loads(scored.stdout)["scored"]["waiting"] == 0
    expected, got = contents(quiet), contents(disturbed)
    for what in expected:
        assert got[what] == expected[what], f"{what} differ after {kills} kills"
    assert len(expected["items"]) == len(expected["scores"]) == ITEMS
    assert len({id for id, *_ in expected["items"]}) < ITEMS, "some were revised"
    kept = (tmp_path / "news.jsonl.rejects.jsonl").read_text()
    rejects = [json.loads(line) for line in kept.splitlines()]
    assert [r["line"] for r in rejects] == [501 + 1000 * n for n in range(ITEMS // 1000)]


def test_the_same_rows_again_and_overlapping_files_add_nothing_twice(
    tmp_path: Path, regtape: Regtape
) -> None:
    made = rows(300)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_text("".join(json.dumps(row) + "\n" for row in made[:200]))
    second.write_text("".join(json.dumps(row) + "\n" for row in made[100:]))

    def add(file: Path) -> dict[str, Any]:
        done = regtape("news", "add", str(file), "--json", **LEXICON)
        assert done.returncode == 0, done.stderr
        added: dict[str, Any] = json.loads(done.stdout)["added"]
        return added

    reports = [add(first), add(first), add(second), add(second)]

    assert [r["duplicates"] for r in reports] == [0, 200, 100, 200]
    assert [r["new"] + r["revisions"] for r in reports] == [200, 0, 100, 0]
    assert "200 held already" in regtape("news", "add", str(first), **LEXICON).stdout


# ---- live


def eventually(check: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.05)
    return False


def test_a_live_feed_is_logged_and_scored_while_it_goes_on(
    tmp_path: Path, regtape: Regtape
) -> None:
    home = tmp_path / "home"
    made = rows(3)
    process = start(home, "news", "add", "-", "--score", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdin is not None

    def shown() -> list[dict[str, Any]]:
        lines = regtape("news", "tail", "--json", **LEXICON).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def all_scored(count: int) -> bool:
        items = shown()
        return len(items) == count and all(item["scores"] for item in items)

    for n, row in enumerate(made[:2], start=1):
        process.stdin.write(json.dumps(row).encode() + b"\n")
        process.stdin.flush()
        assert eventually(lambda n=n: all_scored(n)), shown()  # type: ignore[misc]
    process.stdin.write(json.dumps(made[2]).encode())
    out, _ = process.communicate(timeout=60)

    report = json.loads(out)
    assert process.returncode == 0
    assert (report["added"]["new"], report["scored"]["waiting"]) == (3, 0)
    assert all_scored(3)


@pytest.fixture(name="server")
def _server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    home, port = tmp_path / "home", a_free_port()
    environment = {"REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing"} | LEXICON
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        env=os.environ | environment,
        stderr=subprocess.PIPE,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        yield address, home
    finally:
        process.terminate()
        _, said = process.communicate(timeout=20)
    assert b"Traceback" not in said, said.decode()


def listed(address: str, **query: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = httpx2.get(f"{address}/v1/news", params=query).json()["items"]
    return items


def lag(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{address}/readyz").json()["news"]
    return found


@pytest.mark.slow
def test_a_server_shows_and_scores_what_another_process_logs(
    server: tuple[str, Path], tmp_path: Path, regtape: Regtape
) -> None:
    address, home = server
    file = tmp_path / "news.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(40)))
    assert listed(address) == []
    done = regtape("news", "add", str(file), REGTAPE_HOME=str(home), **LEXICON)
    at_once = listed(address, limit="100")

    assert done.returncode == 0, done.stderr
    assert len(at_once) == 40, "logged news is served whether or not it is scored"
    assert eventually(lambda: lag(address)["waiting"] == 0), lag(address)
    served = listed(address, limit="100")
    assert all(item["scores"] for item in served)
    assert lag(address) | {"version": ""} == {
        "scorer": "lexicon", "version": "", "waiting": 0, "oldest": None, "fault": "",
    }  # fmt: skip
    for item in served:
        assert item["scores"][0]["known_at"] > item["known_at"]
        assert item["scores"][0]["version"] == lag(address)["version"]

    tail = regtape("news", "tail", "--json", "-n", "100", REGTAPE_HOME=str(home), **LEXICON)
    told = [json.loads(line) | {"body": None} for line in tail.stdout.splitlines()]
    assert told[::-1] == served


@pytest.mark.slow
def test_a_scorer_that_is_killed_is_started_again_and_goes_on(server: tuple[str, Path]) -> None:
    import psutil

    address, home = server
    first, second = rows(2)
    httpx2.post(f"{address}/v1/news", json=first)
    assert eventually(lambda: bool(listed(address)[0]["scores"]))
    (scorer,) = [p for p in psutil.process_iter() if _has_open(p, home / "tape.db") and os.nice(0) < p.nice() < 19]  # fmt: skip
    scorer.kill()
    httpx2.post(f"{address}/v1/news", json=second)

    assert eventually(lambda: all(item["scores"] for item in listed(address)))
    assert httpx2.get(f"{address}/readyz").status_code == 200


def _has_open(process: Any, path: Path) -> bool:
    import psutil

    try:
        return any(Path(file.path) == path for file in process.open_files())
    except psutil.Error:
        return False


@pytest.mark.slow
def test_a_scorer_that_cannot_open_says_why_and_news_is_logged_all_the_same(
    tmp_path: Path,
) -> None:
    home, port = tmp_path / "home", a_free_port()
    environment = {"REGTAPE_HOME": str(home), "REGTAPE_EMBEDDER": "hashing", "REGTAPE_NEWS_SCORER": "oracle"}  # fmt: skip
    process = subprocess.Popen(
        [COMMAND, "serve", "--port", str(port)],
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(address, process)
        assert eventually(lambda: "no scorer 'oracle'" in lag(address)["fault"])
        assert httpx2.post(f"{address}/v1/news", json=rows(1)[0]).status_code == 201
        assert len(listed(address)) == 1
    finally:
        process.terminate()
        process.wait(timeout=20)


# ---- a real archive


@pytest.mark.slow
@pytest.mark.data
def test_an_archive_is_logged_and_scored_by_the_command_that_help_shows(
    tmp_path: Path, regtape: Regtape
) -> None:
    """The first rows of Reuters 2006-2013, whose stamps say the minute."""
    from itertools import islice

    from api.commands.news import score

    root = os.environ.get("REGTAPE_DATA")
    if not root:
        pytest.skip("REGTAPE_DATA is not set")
    name = "reuters_2006_2013.jsonl.gz"
    with gzip.open(Path(root) / "news" / name, "rb") as whole:
        first = b"".join(islice(whole, 2000))
    (tmp_path / name).write_bytes(gzip.compress(first))
    (example,) = (e for e in score.examples if name in e)
    words = [str(tmp_path / name) if word == name else word for word in example.split()[1:]]
    done = regtape(*words, "--json", **LEXICON)
    told = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert (told["added"]["new"], told["added"]["rejected"]) == (2000, 0)
    assert (told["scored"]["items"], told["scored"]["waiting"]) == (2000, 0)
    assert told["scored"]["targets"] > 2000
    (oldest,) = regtape("news", "tail", "-n", "1", "--as-of", "2006-10-20", "--json").stdout.splitlines()  # fmt: skip
    item = json.loads(oldest)
    stamp, known = (datetime.fromisoformat(item[name]) for name in ("published_at", "known_at"))
    assert known - stamp == timedelta(minutes=1)
    assert [s["known_at"] for s in item["scores"]] == [item["known_at"]]
