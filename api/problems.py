"""Errors in, RFC 9457 problem+json out: the one table of error class and HTTP status."""

import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

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

# Where the program and the HTTP interface name a thing differently.
_FIELDS_HERE = {"feature_set": "set", "symbol": "symbols"}

_ERRORS_TOLD = 50
_CLIENT_CLOSED = 499  # as nginx logs it

# Where clients of OpenAI ask, and how they name what went wrong.
_OPENAI = ("/v1/chat/", "/v1/models")
_OPENAI_KINDS: dict[int, tuple[str, str | None]] = {
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", "insufficient_scope"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}

Form = TypeVar("Form", bound=BaseModel)

log = logging.getLogger(__name__)


def problem_of(error: RegTapeError, instance: str) -> Problem:
    """What a client is told of one of our own errors; its sentence is written to be read."""
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    hint = getattr(error, "hint", "")
    detail = f"{error} ({hint})" if hint else str(error)
    return Problem(title=type(error).__name__, status=status, detail=detail, instance=instance)


def respond(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """The problem as a response."""
    told = problem.model_dump(exclude_none=True)
    if (problem.instance or "").startswith(_OPENAI):
        told["error"] = openai_error(problem)
    return JSONResponse(
        told,
        problem.status,
        headers,
        media_type="application/problem+json",
    )


def openai_error(problem: Problem) -> dict[str, str | None]:
    """The same as OpenAI's clients read it."""
    kind, code = _OPENAI_KINDS.get(problem.status, ("invalid_request_error", None))
    if problem.status >= 500:
        kind = "server_error"
    param = problem.errors[0]["where"] if problem.errors else None
    return {"message": problem.detail, "type": kind, "param": param, "code": code}


def problem_of_request(error: RequestValidationError, instance: str) -> Problem:
    """What a client is told of a request that cannot be read: which parts, and why."""
    # Each error's own "input" and "ctx" stay behind: what a client sent is not echoed.
    told = error.errors()[:_ERRORS_TOLD]
    errors = [{"where": "/".join(map(str, e["loc"])), "why": str(e["msg"])} for e in told]
    detail = "; ".join(f"{e['where']}: {e['why']}" for e in errors[:3])
    return Problem(title="BadRequest", status=422, detail=detail, instance=instance, errors=errors)


def read_form(form: type[Form], found: object, where: str) -> Form:
    """An object of JSON as one of our forms. Raises RequestValidationError."""
    try:
        return form.model_validate(found)
    except ValidationError as exc:
        errors = [error | {"loc": (where, *error["loc"])} for error in exc.errors()]
        raise RequestValidationError(errors) from exc


@contextmanager
def naming_field(where: str) -> Iterator[None]:
    """Within it a refusal names its field as those of the framework do; those of feature reads begin with it.

    where: "query" or "body".
    """
    try:
        yield
    except BadRequest as exc:
        word = re.match(r"[a-z_]*", str(exc))
        field = word[0] if word else ""
        loc = dict.fromkeys(
            (where, _FIELDS_HERE.get(field, field))
        )  # once, where all of it is meant
        raise RequestValidationError([{"loc": tuple(loc), "msg": str(exc)}]) from exc


def install(app: FastAPI) -> None:
    """Answer every error of every route as a problem."""
    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        RegTapeError: _ours,
        RequestValidationError: _unreadable_request,
        HTTPException: _of_the_framework,
        ClientDisconnect: _gone,
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
    return respond(problem_of_request(error, request.url.path))


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    problem = Problem(
        title=title, status=error.status_code, detail=str(error.detail), instance=request.url.path
    )
    return respond(problem, dict(error.headers or {}))


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody is there to be answered, and nothing is wrong here."""
    return Response(status_code=_CLIENT_CLOSED)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected error on %s", request.url.path, exc_info=error)
    detail = "something went wrong here; the server's log has the trace"
    return respond(
        Problem(title="Internal Server Error", status=500, detail=detail, instance=request.url.path)
    )
