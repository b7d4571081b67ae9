"""`regtape job`: queued, listed, run here with what was rejected, cancelled; and watched while another process runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from api.commands import job as command
from ingest.jobs import Jobs
from tests.conftest import Regtape
from tests.ingest.test_jobs import BROKEN, LAMPS

HASHING = {"REGTAPE_EMBEDDER": "hashing"}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "releases"
    folder.mkdir()
    (folder / "lamps.md").write_bytes(LAMPS)
    (folder / "broken.pdf").write_bytes(BROKEN)
    return folder


@pytest.mark.slow
def test_a_folder_is_queued_run_and_told_with_its_rejects(regtape: Regtape, folder: Path) -> None:
    queued = json.loads(regtape("job", "add", str(folder), "--json").stdout)
    assert (queued["state"], queued["progress"]["total"]) == ("queued", None)

    ran = regtape("job", "run", **HASHING)
    assert ran.returncode == 1, "a file was rejected"
    assert f"{queued['id']}  done  2 of 2 files: 1 added, 0 unchanged, 1 rejected" in ran.stdout
    assert "broken.pdf" in ran.stdout
    assert "2 of 2 files" in ran.stderr

    listed = json.loads(regtape("job", "list", "--json").stdout)["jobs"]
    assert [job["state"] for job in listed] == ["done"]
    assert regtape("job", "run", **HASHING).returncode == 3, "nothing is due"
    assert regtape("job", "run", queued["id"]).returncode == 3, "it is over"


@pytest.mark.slow
def test_a_repeated_job_is_shown_as_such_and_ends_when_it_is_cancelled(
    regtape: Regtape, folder: Path
) -> None:
    words = ("--at", "2030-03-02T02:00:00-05:00", "--every", "1d")
    job = json.loads(regtape("job", "add", str(folder), *words, "--json").stdout)
    assert job["every_seconds"] == 86_400
    shown = regtape("job", "list").stdout
    assert "queued" in shown
    assert "due 2030-03-02 02:00 New York" in shown
    assert "every 1 day" in shown

    cancelled = regtape("job", "cancel", job["id"])
    assert "cancelled" in cancelled.stdout
    assert regtape("job", "list", "--state", "queued").returncode == 3


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("add", "no-such-folder"), 2, "no file or folder no-such-folder"),
        (("add", "http://127.0.0.1/a.pdf"), 2, "public web"),
        (("add", ".", "--every", "1w"), 2, "write 30m, 6h or 1d"),
        (("cancel", "nothing"), 3, "there is no job 'nothing'"),
    ],
)
def test_what_cannot_be_meant_is_said(
    regtape: Regtape, words: tuple[str, ...], code: int, says: str
) -> None:
    done = regtape("job", *words)

    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr


@pytest.mark.slow
def test_beside_a_process_that_runs_them_run_only_waits(
    regtape: Regtape, folder: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    id = json.loads(regtape("job", "add", str(folder), "--json").stdout)["id"]
    program = (
        "import time; from pathlib import Path; from ingest.jobs import Jobs, State\n"
        f"with Jobs(Path({str(home)!r})) as jobs, jobs.turn() as ours:\n"
        "    assert ours; job = jobs.claim(); print('begun', flush=True)\n"
        "    time.sleep(2); jobs.end(job.id, State.DONE); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == "begun\n"
        watched = regtape("job", "run", id)
        other.kill()

    assert "a server runs the jobs of this home" in watched.stderr
    assert f"{id}  done" in watched.stdout
    with Jobs(home) as jobs:
        assert jobs.job(id).done == 0, "it was not run here"


def test_every_says_how_often() -> None:
    kind = command._Every()
    assert [kind.convert(text, None, None).total_seconds() for text in ("30m", "6h", "1d")] == [
        1800, 21600, 86400,
    ]  # fmt: skip
