"""Documents in, a job that brings them in out; a job's id in, how far it is and what became of each file out."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.sse import format_sse_event
from pydantic import ConfigDict, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api import schemas
from api.access import Caller
from api.deps import JobsDep, Opened, OpenedDep
from api.guard import CALLER
from api.problems import read_form
from api.settings import Settings
from ingest.errors import BadRequest
from ingest.jobs import Jobs, Kind, Place, Result, State
from ingest.sources.web import check_url

router = APIRouter(prefix="/v1", tags=["jobs"])

_LOOK_SECONDS = 0.25  # between two looks at a job that is told
_SILENT_LOOKS = 40  # after so many without a change the stream says that it lives

_EXAMPLE: dict[str, Any] = {
    "url": "https://www.federalregister.gov/documents/full_text/xml/2024/10/08/2024-21867.xml"
}


class Addresses(schemas.Form):
    """Pages of the public web to fetch and bring in."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"examples": [_EXAMPLE]}
    )

    url: str | None = Field(default=None, min_length=1, max_length=2000)
    urls: tuple[Annotated[str, Field(min_length=1, max_length=2000)], ...] = ()


_BODIES: dict[str, Any] = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                "url": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
    "application/json": {"schema": Addresses.model_json_schema(), "example": _EXAMPLE},
}


class JobsQuery(schemas.Form):
    """Which jobs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    state: State | None = None
    before: int | None = Field(
        default=None, ge=1, lt=2**63, description="`next` of the page before."
    )
    limit: int = Field(default=50, ge=1, le=500, description="Jobs on a page.")


class FilesQuery(schemas.Form):
    """Which of a job's files."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: Result | None = None
    after: schemas.Offset = Field(default=0, description="`next` of the page before.")
    limit: int = Field(default=100, ge=0, le=500, description="Files on a page.")


@router.post(
    "/documents",
    status_code=202,
    response_model=schemas.Job,
    summary="Bring documents in: files, or addresses of the web",
    responses={
        202: {"headers": {"Location": {"description": "Of the job.", "schema": {"type": "string"}}}},
        413: {"model": schemas.Problem, "description": "More than an upload may have."},
        415: {"model": schemas.Problem, "description": "Neither a form with files nor JSON."},
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
)  # fmt: skip
async def add_documents(
    request: Request,
    opened: OpenedDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="The same key and request again: the same job.",
        ),
    ] = None,
) -> Response:
    """Everything that was sent is on disk when this returns; a process of low priority reads it. See /v1/jobs/{id}.

    Addresses of private networks are refused. What cannot be read is in the job, and in `regtape documents --rejected`, with
    the reason.
    """
    job = await add_job(request, opened, idempotency_key)
    return JSONResponse(
        job.model_dump(mode="json"), 202, {"Location": f"/v1/jobs/{job.id}"}
    )  # fmt: skip


async def add_job(request: Request, opened: Opened, key: str | None = None) -> schemas.Job:
    """The job that a request asks for. Raises BadRequest, HTTPException."""
    if key is not None and not (key.isascii() and key.isprintable()):
        raise BadRequest("Idempotency-Key may have letters, digits and signs of ASCII")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        places = await _of_form(request, opened.jobs, opened.settings)
    elif kind == "application/json":
        places = _of_json(await _body(request, opened.settings.request_bytes))
    else:
        raise HTTPException(415, "send a form with files (multipart/form-data), or JSON with a url")
    if len(places) > opened.settings.upload_files:
        raise BadRequest(f"{len(places)} at once; {opened.settings.upload_files} may be")
    # One caller's keys are not another's: who guesses one is not told of its job.
    caller: Caller | None = request.scope.get(CALLER)
    own = None if key is None else f"{(caller and caller.key) or ''}:{key}"
    job = await run_in_threadpool(opened.jobs.add, places, key=own)
    opened.running.wake()
    return schemas.Job.of(job)


@router.get("/jobs", summary="Jobs, the newest first")
def list_jobs(wanted: Annotated[JobsQuery, Query()], opened: OpenedDep) -> schemas.JobPage:
    """How far each is, without its files."""
    found = opened.jobs.jobs(state=wanted.state, before=wanted.before, limit=wanted.limit + 1)
    shown, rest = found[: wanted.limit], found[wanted.limit :]
    return schemas.JobPage(
        jobs=tuple(schemas.Job.of(job) for job in shown),
        next=shown[-1].number if rest else None,
        fault=opened.running.fault,
    )


@router.get("/jobs/{id}", summary="How far a job is, and what became of its files")
def read_job(id: str, wanted: Annotated[FilesQuery, Query()], jobs: JobsDep) -> schemas.JobFiles:
    """404 when there is no such job, or it ended long ago."""
    job = jobs.job(id)
    files = jobs.files(id, result=wanted.result, after=wanted.after, limit=wanted.limit + 1)
    shown, rest = files[: wanted.limit], files[wanted.limit :]
    return schemas.JobFiles(
        **schemas.Job.of(job).model_dump(),
        files=tuple(schemas.JobFile.model_validate(file) for file in shown),
        next=shown[-1].number if rest and shown else None,
    )


@router.post("/jobs/{id}/cancel", summary="Begin no more of a job's files")
async def cancel_job(id: str, opened: OpenedDep) -> schemas.Job:
    """What is in stays in. Nothing is done to a job that is over."""
    job = await run_in_threadpool(opened.jobs.cancel, id)
    opened.running.wake()
    return schemas.Job.of(job)


@router.get(
    "/jobs/{id}/events",
    summary="How far a job is, whenever that changes, as server-sent events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events `job`, as /v1/jobs/{id} without files; the stream ends with the job.",
            "content": {"text/event-stream": {"example": 'event: job\ndata: {"id":"…","state":"running"}\n\n'}},
        }
    },
)  # fmt: skip
async def stream_job(id: str, jobs: JobsDep) -> StreamingResponse:
    """The first event comes at once."""
    await run_in_threadpool(jobs.job, id)  # 404 before the stream begins
    return StreamingResponse(_told(id, jobs), media_type="text/event-stream")


async def _told(id: str, jobs: Jobs) -> AsyncIterator[bytes]:
    last, silent = "", 0
    while True:
        job = await run_in_threadpool(jobs.job, id)
        told = schemas.Job.of(job).model_dump_json()
        if told != last:
            last, silent = told, 0
            yield format_sse_event(event="job", data_str=told)
        elif silent >= _SILENT_LOOKS:
            silent = 0
            yield b": still there\n\n"
        if job.over:
            return
        silent += 1
        await asyncio.sleep(_LOOK_SECONDS)


# ---- what a body holds


async def _of_form(request: Request, jobs: Jobs, settings: Settings) -> list[Place]:
    most = settings.upload_files
    async with request.form(max_files=most, max_fields=most) as form:
        places: list[Place] = []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                if (
                    value.filename or value.size
                ):  # a form whose field was left empty sends a file without a name
                    kept = run_in_threadpool(jobs.keep, value.filename or "unnamed", value.file)
                    places.append(await kept)
            elif name in ("url", "urls") or not value.strip():
                places += [_address(url) for url in value.split()]
            else:
                raise BadRequest(f"the form has a field {name[:40]!r}; there are files and url")
    return places


def _of_json(body: bytes) -> list[Place]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"the body is not JSON: {exc}") from exc
    asked = read_form(Addresses, found, "body")
    urls = (*([asked.url] if asked.url else []), *asked.urls)
    return [_address(url) for url in dict.fromkeys(urls)]


def _address(url: str) -> Place:
    check_url(url)
    return Place(Kind.URL, url, url)


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise HTTPException(413, f"a list of addresses may have {most} bytes")
    return bytes(body)
