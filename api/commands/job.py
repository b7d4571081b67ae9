"""Files, folders and URLs to bring in later, or again and again; the jobs that `serve` runs, listed, run here, cancelled."""

import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.console import (
    DONE,
    FAILED,
    MOMENT,
    NOTHING,
    console,
    note,
    print_json,
    progress,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.settings import Settings
    from ingest.jobs import Job, Jobs

_LOOK_SECONDS = 0.25
_UNITS = {"m": 60, "h": 3600, "d": 86400}


@click.group("job", short_help="Bring documents in later, or again and again.")
def command() -> None:
    """Jobs bring documents in, one after another. `regtape serve` runs them as they fall due; `job run` does it here."""


class _Every(click.ParamType[timedelta]):
    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        found = re.fullmatch(r"(\d{1,4})([mhd])", str(value).strip())
        if found is None or found[1] == "0":
            self.fail(f"{value!r} is not a time; write 30m, 6h or 1d", param, ctx)
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


@regtape_command(
    "add",
    short_help="Queue files, folders and URLs.",
    examples=(
        "regtape job add releases/",
        "regtape job add /data/rulebook --at 2026-03-02T02:00:00-05:00 --every 1d",
        "regtape job add https://www.sec.gov/files/rules/final/2024/34-101070.pdf",
    ),
)
@click.argument("places", nargs=-1, required=True, metavar="PATH|URL...")
@click.option("--at", type=MOMENT, metavar="T", help="Not before this instant. Default: now.")
@click.option("--every", type=_Every(), metavar="T", help="And again every 30m, 6h, 1d, …")
@click.option("--key", metavar="KEY", help="The same key again adds nothing: the same job.")
def add(
    places: tuple[str, ...], at: datetime | None, every: timedelta | None, key: str | None
) -> int:
    """Queue a job. A folder is looked through when the job begins, so that what lies there then comes in.

    A repeated job is cancelled by cancelling the one of its jobs that is queued or running.
    """
    wanted = [_place(each) for each in places]
    from ingest.jobs import Jobs

    with Jobs(settings().home) as jobs:
        job = jobs.add(wanted, key=key, due_at=at, every=every)
        _show([job], alone=True)
    return DONE


@regtape_command(
    "list",
    short_help="Jobs, the newest first.",
    examples=("regtape job list", "regtape job list --state failed --json"),
)
@click.option(
    "--state", type=click.Choice(["queued", "running", "done", "failed", "cancelled"]), help="Only these."
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Jobs.")
def list_(state: str | None, limit: int) -> int:
    """List jobs, and how far each is. Exit code 3 when there are none."""
    from ingest.jobs import Jobs, State

    with Jobs(settings().home) as jobs:
        found = jobs.jobs(state=State(state) if state else None, limit=limit)
    _show(found)
    return DONE if found else NOTHING


@regtape_command(
    "run",
    short_help="Run what is due here, or watch `serve` run it.",
    examples=("regtape job run", "regtape job run 5f3a9c0d1b2e"),
)
@click.argument("id", required=False)
def run(id: str | None) -> int:
    """Run the jobs that are due, or one job whenever it is due, and leave. Exit code 1 when one failed or rejected a file.

    While a server runs the jobs of this home, this only waits and shows how far it is.
    """
    chosen = settings()
    from ingest.jobs import Jobs

    with Jobs(chosen.home) as jobs:
        if id is not None and jobs.job(id).over:
            note(f"regtape: job {id} is over")
            return NOTHING
        with jobs.turn() as ours:
            ran = _run_here(chosen, jobs, id) if ours else _watch(jobs, id)
        found = [jobs.job(each) for each in ran]
        _show(found, rejects=jobs)
    if not found:
        return NOTHING
    return FAILED if any(job.state == "failed" or job.rejected for job in found) else DONE


@regtape_command(
    "cancel",
    short_help="Begin no more of a job's files.",
    examples=("regtape job cancel 5f3a9c0d1b2e",),
)
@click.argument("id")
def cancel(id: str) -> int:
    """Cancel a job, and with it its repetition. What it brought in stays in."""
    from ingest.jobs import Jobs

    with Jobs(settings().home) as jobs:
        _show([jobs.cancel(id)], alone=True)
    return DONE


for _each in (add, list_, run, cancel):
    command.add_command(_each)


def _place(typed: str) -> Any:
    from ingest.jobs import Kind, Place
    from ingest.sources.web import check_url, is_url

    if is_url(typed):
        check_url(typed)
        return Place(Kind.URL, typed, typed)
    path = Path(typed).resolve()
    if not path.exists():
        raise BadRequest(f"no file or folder {typed}")
    return Place(Kind.PATH, typed, str(path))


def _run_here(chosen: "Settings", jobs: "Jobs", id: str | None) -> list[str]:
    from api.jobs import open_runner

    ran: list[str] = []
    if id is None and not _due(jobs):
        return ran
    with open_runner(chosen, jobs) as run_one:
        while (job := jobs.claim(id)) is not None:
            ran.append(job.id)
            with progress(f"job {job.id}", "files") as tell:
                run_one(job, lambda at: tell(at.done, at.total, ""))
    return ran


def _due(jobs: "Jobs") -> bool:
    waiting = jobs.waiting()
    return bool(waiting.queued or waiting.running)


def _watch(jobs: "Jobs", id: str | None) -> list[str]:
    note("regtape: a server runs the jobs of this home; waiting for it (Ctrl-C leaves it at work)")
    from ingest.jobs import State

    wanted = [id] if id else [
        job.id for state in (State.RUNNING, State.QUEUED) for job in jobs.jobs(state=state, limit=500)
        if _has_begun(job)
    ]  # fmt: skip
    for each in wanted:
        with progress(f"job {each}", "files") as tell:
            while not (job := jobs.job(each)).over:
                tell(job.done, job.total, "")
                time.sleep(_LOOK_SECONDS)
    return wanted


def _has_begun(job: "Job") -> bool:
    from ingest.moment import now

    return job.due_at <= now()


def _show(found: "list[Job]", *, alone: bool = False, rejects: "Jobs | None" = None) -> None:
    from api.schemas import Job, JobFile
    from ingest.jobs import Result

    rejected = {
        job.id: rejects.files(job.id, result=Result.REJECTED, limit=500) if rejects else []
        for job in found
    }
    if wants_json():
        rows = [
            Job.of(job).model_dump(mode="json")
            | ({"rejected": [JobFile.model_validate(f).model_dump(mode="json") for f in rejected[job.id]]}
               if rejects else {})
            for job in found
        ]  # fmt: skip
        print_json(rows[0] if alone else {"jobs": rows})
        return
    from api.render import show_jobs

    show_jobs(found, rejected, console())
