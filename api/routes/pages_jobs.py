"""The pages on which documents are brought in: a form that works without script, jobs with progress, rejects with reasons."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from api.deps import OpenedDep
from api.pages import page
from api.routes.jobs import add_job
from api.routes.pages import PageRoute, from_here
from ingest.errors import BadRequest
from ingest.jobs import Job, JobFile, Jobs, Result
from ingest.moment import civil_day, now

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_JOBS, _FILES = 20, 500  # on a page
_SHOWN = 6  # files of a job in the list; those that were rejected first


@dataclass(frozen=True, slots=True)
class Shown:
    """A job and those of its files that are shown; more: how many are not."""

    job: Job
    files: tuple[JobFile, ...]
    more: int


@router.get("/jobs")
def read_jobs(opened: OpenedDep, before: Annotated[int | None, Query(ge=1)] = None) -> HTMLResponse:
    """The form, and the newest jobs."""
    found = opened.jobs.jobs(before=before, limit=_JOBS + 1)
    return page(
        "jobs.html", civil_day(now()), shown=[_brief(opened.jobs, job) for job in found[:_JOBS]],
        older=found[_JOBS - 1].number if len(found) > _JOBS else None, fault=opened.running.fault,
        most_files=opened.settings.upload_files, most_bytes=opened.settings.upload_bytes,
    )  # fmt: skip


@router.post("/jobs")
async def add_here(request: Request, opened: OpenedDep) -> RedirectResponse:
    """For a browser without script: what was sent is a job, and its page is shown."""
    from_here(request)
    try:
        job = await add_job(request, opened)
    except HTTPException as exc:
        raise BadRequest(str(exc.detail)) from exc
    return RedirectResponse(f"/jobs/{job.id}", 303)


@router.get("/jobs/{id}")
def read_job_page(
    id: str, opened: OpenedDep, after: Annotated[int, Query(ge=0)] = 0
) -> HTMLResponse:
    """One job with what became of each of its files."""
    job = opened.jobs.job(id)
    files = opened.jobs.files(id, after=after, limit=_FILES + 1)
    return page(
        "job.html", civil_day(now()), shown=Shown(job, tuple(files[:_FILES]), 0),
        next=files[_FILES - 1].number if len(files) > _FILES else None, fault=opened.running.fault,
    )  # fmt: skip


@router.post("/jobs/{id}/cancel")
def cancel_here(id: str, request: Request, opened: OpenedDep) -> RedirectResponse:
    """For a browser without script."""
    from_here(request)
    opened.jobs.cancel(id)
    return RedirectResponse(f"/jobs/{id}", 303)


def _brief(jobs: Jobs, job: Job) -> Shown:
    rejected = jobs.files(job.id, result=Result.REJECTED, limit=_SHOWN)
    seen = {file.number for file in rejected}
    others = [f for f in jobs.files(job.id, limit=_SHOWN) if f.number not in seen]
    files = sorted((*rejected, *others[: _SHOWN - len(rejected)]), key=lambda file: file.number)
    return Shown(job, tuple(files), max(0, (job.total or 0) - len(files)))
