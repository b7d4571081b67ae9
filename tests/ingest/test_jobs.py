"""Jobs: kept, run file by file, taken up after a kill, cancelled, repeated; and what became of each file."""

import io
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingest import jobs as module
from ingest.catalog import Catalog
from ingest.chunk import ChunkSettings
from ingest.embed import Embedder, open_embedder
from ingest.errors import BadRequest, NotKnown, OverBudget, SourceDown
from ingest.index import Index
from ingest.jobs import Job, Jobs, Kind, Place, Result, State, run, shown_name
from ingest.parse.worker import ParseWorkers
from ingest.pipeline import Report, Source, ingest

LAMPS = b"# Lamps\n\nEach venue must keep one lamp lit at all times.\n"
BELLS = b"# Bells\n\nEach venue must ring one bell at the open.\n"
BROKEN = b"%PDF-1.7\n" + bytes(range(256)) * 4


class Hands:
    """A clock whose hands a test turns."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(name="clock")
def _clock() -> Hands:
    return Hands()


@pytest.fixture(name="jobs")
def _jobs(tmp_path: Path, clock: Hands) -> Iterator[Jobs]:
    with Jobs(tmp_path / "home", clock=clock) as jobs:
        yield jobs


@pytest.fixture(name="catalog")
def _catalog(jobs: Jobs) -> Iterator[Catalog]:
    with Catalog(jobs.home) as catalog:
        yield catalog


@pytest.fixture(name="workers", scope="module")
def _workers() -> Iterator[ParseWorkers]:
    with ParseWorkers(1) as workers:
        yield workers


@pytest.fixture(name="bring_in")
def _bring_in(catalog: Catalog, workers: ParseWorkers) -> Iterator[Callable[..., Report]]:
    embedder: Embedder = open_embedder("hashing")
    index = Index(catalog, "test", embedder.dimensions)
    yield partial(
        ingest, catalog=catalog, index=index, embedder=embedder, workers=workers, settings=ChunkSettings()
    )  # fmt: skip
    index.close()


def no_way_out(url: str, folder: Path) -> Path:
    raise SourceDown(f"{url} did not answer: this test has no network")


def run_next(jobs: Jobs, catalog: Catalog, bring_in: Any, fetch: Any = no_way_out) -> Job:
    job = jobs.claim()
    assert job is not None
    run(job, jobs, catalog, bring_in, fetch)
    return jobs.job(job.id)


def sent(jobs: Jobs, *each: tuple[str, bytes]) -> list[Place]:
    return [jobs.keep(name, io.BytesIO(content)) for name, content in each]


# ---- what becomes of files


def test_each_file_is_told_apart_added_unchanged_or_rejected_with_the_ledgers_reason(
    jobs: Jobs, catalog: Catalog, bring_in: Any
) -> None:
    jobs.add(sent(jobs, ("lamps.md", LAMPS)))
    run_next(jobs, catalog, bring_in)
    jobs.add(sent(jobs, ("again.md", LAMPS), ("bells.md", BELLS), ("broken.pdf", BROKEN)))
    job = run_next(jobs, catalog, bring_in)

    files = {file.name: file for file in jobs.files(job.id)}
    assert (job.state, job.total, job.added, job.unchanged, job.rejected) == (
        State.DONE,
        3,
        1,
        1,
        1,
    )
    assert files["again.md"].result == Result.UNCHANGED
    assert files["bells.md"].result == Result.ADDED
    (bells,) = [held.id for held in catalog.documents() if held.path == "bells.md"]
    assert files["bells.md"].document_id == bells
    (row,) = catalog.ledger(status="rejected")
    broken = files["broken.pdf"]
    assert broken.result == Result.REJECTED
    assert (broken.reason, broken.message, broken.hint) == (row.reason, row.message, row.hint)
    assert broken.reason


def test_two_files_of_one_name_are_two_files(jobs: Jobs, catalog: Catalog, bring_in: Any) -> None:
    job = jobs.add(sent(jobs, ("rule.md", LAMPS), ("rule.md", BELLS), ("rule.md", BROKEN)))
    run_next(jobs, catalog, bring_in)

    found = [(file.name, file.result) for file in jobs.files(job.id)]
    assert found == [("rule.md", "added"), ("rule (2).md", "added"), ("rule (3).md", "rejected")]


def test_a_folder_is_looked_through_when_the_job_begins_and_its_manifest_is_read(
    jobs: Jobs, catalog: Catalog, bring_in: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "releases"
    (folder / "old").mkdir(parents=True)
    job = jobs.add([Place(Kind.PATH, "releases", str(folder))])
    assert job.total is None
    for number in range(11):
        (folder / f"{number:02}.md").write_bytes(LAMPS + b"%d" % number)
    (folder / "old" / "00.md").write_bytes(BELLS)
    row = {"file": "old/00.md", "title": "Bells of old", "published_on": "2020-01-02"}
    (folder / "manifest.jsonl").write_text(json.dumps(row))
    job = run_next(jobs, catalog, bring_in)

    assert (job.state, job.total, job.added) == (State.DONE, 12, 12)
    assert "Bells of old" in {held.title for held in catalog.documents()}


def test_a_folder_that_is_gone_fails_the_job_with_its_reason(
    jobs: Jobs, catalog: Catalog, bring_in: Any, tmp_path: Path
) -> None:
    jobs.add([Place(Kind.PATH, "gone", str(tmp_path / "gone"))])
    job = run_next(jobs, catalog, bring_in)

    assert (job.state, job.total) == (State.FAILED, None)
    assert job.message.startswith("no file or folder")


def test_an_address_is_fetched_and_what_cannot_be_is_a_reject_of_the_job_alone(
    jobs: Jobs, catalog: Catalog, bring_in: Any
) -> None:
    def fetch(url: str, folder: Path) -> Path:
        if "slow" in url:
            raise OverBudget("time", f"{url} took longer than 60 seconds")
        if "inside" in url:
            raise BadRequest(f"{url} does not lead to an address of the public web")
        if "down" in url:
            raise SourceDown(f"{url} answered 404 Not Found")
        folder.mkdir(parents=True)
        (folder / "lamps").write_bytes(LAMPS)
        return folder / "lamps"

    urls = [f"https://rules.example/{name}" for name in ("lamps.md", "slow", "inside", "down")]
    job = jobs.add([Place(Kind.URL, url, url) for url in urls])
    job = run_next(jobs, catalog, bring_in, fetch)

    files = jobs.files(job.id)
    assert [file.reason for file in files] == ["", "time", "address", "source"]
    assert files[1].hint == "fetch it yourself and bring in the file"
    (held,) = catalog.documents()
    assert (held.path, held.metadata.url) == (urls[0], urls[0])
    assert [row.path for row in catalog.ledger()] == [urls[0]]


def test_what_is_sent_leads_nowhere_whatever_it_is_called(
    jobs: Jobs, catalog: Catalog, bring_in: Any, tmp_path: Path
) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    names = ["../../evil.md", "/etc/passwd", "C:\\Windows\\evil.md", "a\x00b\n.md", "..", ""]
    job = jobs.add(sent(jobs, *((name, LAMPS + name.encode()) for name in names)))
    run_next(jobs, catalog, bring_in)

    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    uploads = sorted(path.name for path in made if path.parent == jobs.uploads)
    assert len(uploads) == len(names)
    assert all(len(name) == 64 and set(name) <= set("0123456789abcdef") for name in uploads)
    assert {path.parent for path in made} <= {jobs.uploads, jobs.home}
    shown = [file.name for file in jobs.files(job.id)]
    assert shown == ["evil.md", "passwd", "evil (2).md", "a b .md", "unnamed", "unnamed (2)"]


def test_a_long_name_keeps_its_ending() -> None:
    assert shown_name("x" * 500 + ".pdf") == "x" * 116 + ".pdf"
    assert len(shown_name("x" * 500)) <= 120


def test_uploads_that_became_nothing_are_taken_away_when_nobody_needs_them(
    jobs: Jobs, catalog: Catalog, bring_in: Any
) -> None:
    lamps, broken, waiting = sent(jobs, ("a.md", LAMPS), ("b.pdf", BROKEN), ("c.md", BELLS))
    jobs.add([lamps, broken])
    run_next(jobs, catalog, bring_in)
    jobs.add([waiting])
    (jobs.uploads / ".half.part").write_bytes(b"half")
    jobs.sweep(catalog)
    assert len(list(jobs.uploads.iterdir())) == 4, "an upload may be under way"

    for file in jobs.uploads.iterdir():
        os.utime(file, (time.time() - 7200,) * 2)
    jobs.sweep(catalog)
    assert {file.name for file in jobs.uploads.iterdir()} == {lamps.where, waiting.where}


# ---- keys, order, cancelling, repeating


def test_the_same_key_and_request_are_the_same_job_and_another_request_is_refused(
    jobs: Jobs,
) -> None:
    first = jobs.add(sent(jobs, ("a.md", LAMPS)), key="k")
    again = jobs.add(sent(jobs, ("a.md", LAMPS)), key="k")
    other = jobs.add(sent(jobs, ("a.md", LAMPS)), key="other")

    assert first.id == again.id != other.id
    with pytest.raises(BadRequest, match="was used for another request"):
        jobs.add(sent(jobs, ("a.md", BELLS)), key="k")
    with pytest.raises(BadRequest, match="nothing to bring in"):
        jobs.add([])


def test_jobs_are_run_in_order_once_they_are_due(jobs: Jobs, clock: Hands) -> None:
    late = jobs.add(sent(jobs, ("a.md", LAMPS)), due_at=clock.at + timedelta(hours=1))
    soon = jobs.add(sent(jobs, ("b.md", LAMPS)))
    next_ = jobs.add(sent(jobs, ("c.md", LAMPS)))

    ran = []
    while job := jobs.claim():
        ran.append(job.id)
        jobs.end(job.id, State.DONE)
    assert ran == [soon.id, next_.id]
    assert jobs.waiting() == module.Waiting(0, 0, None)
    clock.at += timedelta(hours=2)
    assert jobs.waiting() == module.Waiting(1, 0, late.due_at)
    assert getattr(jobs.claim(), "id", "") == late.id


def test_a_cancelled_job_begins_no_more_files_and_keeps_what_is_in(
    jobs: Jobs, catalog: Catalog, bring_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", 1)
    job = jobs.add(sent(jobs, ("lamps.md", LAMPS), ("bells.md", BELLS)))

    def cancelled_meanwhile(files: Sequence[Source]) -> Report:
        report: Report = bring_in(files)
        jobs.cancel(job.id)
        return report

    job = run_next(jobs, catalog, cancelled_meanwhile)
    assert (job.state, job.added, job.done, job.total) == (State.CANCELLED, 1, 1, 2)
    assert [held.path for held in catalog.documents()] == ["lamps.md"]
    assert jobs.claim() is None
    assert jobs.cancel(job.id) == job, "it is over"
    with pytest.raises(NotKnown):
        jobs.cancel("nothing")


def test_a_repeated_job_is_queued_anew_when_it_ends_and_makes_up_for_nothing(
    jobs: Jobs, catalog: Catalog, bring_in: Any, clock: Hands, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_bytes(LAMPS)
    place = Place(Kind.PATH, "a.md", str(tmp_path / "a.md"))
    first = jobs.add([place], every=timedelta(hours=1))
    clock.at += timedelta(hours=2, minutes=30)
    assert run_next(jobs, catalog, bring_in).added == 1

    (queued,) = jobs.jobs(state=State.QUEUED)
    assert queued.due_at == first.due_at + timedelta(hours=3)
    clock.at = queued.due_at
    assert run_next(jobs, catalog, bring_in).unchanged == 1
    (third,) = jobs.jobs(state=State.QUEUED)
    jobs.cancel(third.id)
    clock.at += timedelta(days=1)
    assert jobs.claim() is None


def test_a_job_cannot_be_repeated_every_second(jobs: Jobs) -> None:
    with pytest.raises(BadRequest, match="every minute"):
        jobs.add([Place(Kind.URL, "u", "u")], every=timedelta(seconds=1))


def test_only_the_last_jobs_that_ended_are_kept(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    waiting = jobs.add(sent(jobs, ("a.md", LAMPS)), due_at=datetime(2030, 1, 1, tzinfo=UTC))
    for number in range(6):
        jobs.add(sent(jobs, (f"{number}.md", LAMPS)))
        job = jobs.claim()
        assert job is not None
        jobs.end(job.id, State.DONE)

    assert [job.number for job in jobs.jobs()] == [7, 6, 5, 1]
    assert jobs.jobs()[-1].id == waiting.id
    assert jobs.files(waiting.id)


# ---- killed


def test_a_job_that_was_being_run_goes_on_and_says_what_it_would_have_said(
    jobs: Jobs, catalog: Catalog, bring_in: Any
) -> None:
    """Killed after the documents were recorded, before that was written down."""
    job = jobs.add(sent(jobs, ("lamps.md", LAMPS), ("broken.pdf", BROKEN)))

    class Killed(BaseException):
        pass

    def killed_behind(files: Sequence[Source]) -> Report:
        bring_in(files)
        raise Killed

    with pytest.raises(Killed):
        run_next(jobs, catalog, killed_behind)
    assert {file.result for file in jobs.files(job.id)} == {Result.READING}
    jobs.add(sent(jobs, ("later.md", BELLS)))
    done = run_next(jobs, catalog, bring_in)

    assert done.id == job.id, "what was begun goes first"
    assert (done.state, done.added, done.unchanged, done.rejected) == (State.DONE, 1, 0, 1)
    assert len(catalog.documents()) == 1


def test_a_job_over_which_process_after_process_dies_is_given_up(jobs: Jobs) -> None:
    job = jobs.add(sent(jobs, ("lamps.md", LAMPS)))
    for _ in range(module.MOST_ATTEMPTS):
        assert jobs.claim() is not None

    assert jobs.claim() is None
    assert jobs.job(job.id).state is State.FAILED
    assert "died 3 times in a row" in jobs.job(job.id).message


def test_a_full_disk_fails_the_job_and_not_the_process(jobs: Jobs, catalog: Catalog) -> None:
    def full(files: Sequence[Source]) -> Report:
        raise sqlite3.OperationalError("database or disk is full")

    jobs.add(sent(jobs, ("lamps.md", LAMPS)))
    job = run_next(jobs, catalog, full)

    assert (job.state, job.message) == (State.FAILED, "database or disk is full")


def test_one_process_at_a_time_has_the_turn_and_a_killed_one_gives_it_up(jobs: Jobs) -> None:
    program = (
        "import sys, time; from pathlib import Path; from ingest.jobs import Jobs\n"
        f"with Jobs(Path({str(jobs.home)!r})).turn() as ours: print(ours, flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with jobs.turn() as ours:
            assert not ours
        other.kill()
        other.wait()
        with jobs.turn() as ours:
            assert ours
