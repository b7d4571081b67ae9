"""Errors in, RFC 9457 problem+json out: the one table of error class and HTTP status."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.schemas import Problem
from ingest.errors import (
    BadRequest,
    Damaged,
    ModelMissing,
    NotKnown,
    OverBudget,
    RegTapeError,
    SourceDown,
    Unreadable,
)

STATUS: dict[type[RegTapeError], int] = {
    BadRequest: 422,
    NotKnown: 404,
    Unreadable: 422,
    OverBudget: 503,
    SourceDown: 502,
    ModelMissing: 503,
    Damaged: 500,
}

log = logging.getLogger(__name__)


def problem_of(error: RegTapeError, instance: str) -> Problem:
    """What a client is told of one of our own errors; its sentence is written to be read."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    hint = getattr(error, "hint", "")
    detail = f"{error} ({hint})" if hint else str(error)
    return Problem(title=type(error).__name__, status=status, detail=detail, instance=instance)


def respond(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as a response."""
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        problem.status,
        headers,
        media_type="application/problem+json",
    )


def install(app: FastAPI) -> None:
    """Answer every error of every route as a problem."""
    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[JSONResponse]]] = {
        RegTapeError: _ours,
        RequestValidationError: _unreadable_request,
        HTTPException: _of_the_framework,
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RegTapeError)
    problem = problem_of(error, request.url.path)
    return respond(problem, {"Retry-After": "1"} if isinstance(error, OverBudget) else None)


async def _unreadable_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # Each error's own "input" and "ctx" stay behind: what a client sent is not echoed.
    errors = [{"where": "/".join(map(str, e["loc"])), "why": str(e["msg"])} for e in error.errors()]
    detail = "; ".join(f"{e['where']}: {e['why']}" for e in errors[:3])
    return respond(
        Problem(
            title="BadRequest", status=422, detail=detail, instance=request.url.path, errors=errors
        )
    )


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    problem = Problem(
        title=title, status=error.status_code, detail=str(error.detail), instance=request.url.path
    )
    return respond(problem, dict(error.headers or {}))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error on %s", request.url.path, exc_info=error)
    detail = "something went wrong here; the server's log has the trace"
    return respond(
        Problem(title="Internal Server Error", status=500, detail=detail, instance=request.url.path)
    )
