"""News rows in, what became of each out; a symbol and a moment in, the items and scores known then out."""

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import ConfigDict, Field

from api import schemas
from api.deps import OpenedDep, TapeDep
from api.news import read_page
from api.problems import respond
from ingest.errors import BadRequest
from ingest.moment import now
from ingest.news import Format, NewsItem, Rejected, bounded_lines, read_news, read_row
from sentiment.log import Appended, Tape

router = APIRouter(prefix="/v1/news", tags=["news"])

# Types of a body with a row on a line; any other is read as JSON.
_ROW_A_LINE: dict[str, Format] = {
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "text/csv": "csv",
}

_EXAMPLE = {
    "id": "sample-003",
    "published_at": "2026-02-24T12:05:00Z",
    "source": "sample-wire",
    "headline": "Walmart raises full-year outlook after strong holiday sales",
    "symbols": ["WMT"],
}
_ROW = schemas.NewsRow.model_json_schema()
_BODIES: dict[str, Any] = {
    "application/json": {
        "schema": {
            "anyOf": [
                _ROW,
                {"type": "object", "properties": {"items": {"type": "array", "items": _ROW}}},
                {"type": "array", "items": _ROW},
            ]
        },
        "examples": {
            "one": {"summary": "One row", "value": _EXAMPLE},
            "several": {"summary": "Several rows", "value": {"items": [_EXAMPLE]}},
        },
    },
    "application/x-ndjson": {"schema": {"type": "string"}, "example": json.dumps(_EXAMPLE) + "\n"},
    "text/csv": {"schema": {"type": "string"}},
}


class NewsQuery(schemas.Form):
    """What to list, as of when."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: str | None = Field(
        default=None, max_length=40, description="Given by the source, or found by a score.", examples=["AAPL"]
    )  # fmt: skip
    source: str | None = Field(default=None, max_length=200)
    as_of: schemas.Moment | None = None
    head: schemas.Offset | None = Field(
        default=None, description="Read the log as it was when it ended at this offset, e.g. a receipt's."
    )  # fmt: skip
    after: schemas.Offset | None = Field(
        default=None, description="List what was recorded after this offset, oldest record first."
    )  # fmt: skip
    limit: int = Field(default=50, ge=1, le=500, description="Items on a page.")
    body: bool = Field(default=False, description="With the text below each headline.")


@router.get("", summary="Items with their scores, as of a moment")
def read_items(wanted: Annotated[NewsQuery, Query()], tape: TapeDep) -> schemas.NewsPage:
    """The newest items known by `as_of` first, each with those of its scores that were known then.

    The same as_of and head give the same page for ever, whatever is logged later.
    """
    return read_page(tape, **wanted.model_dump())


@router.post(
    "",
    status_code=201,
    response_model=schemas.NewsAdded,
    summary="Log one row, or many",
    responses={
        200: {"model": schemas.NewsAdded, "description": "Every row that could be read was held already."},
        422: {"model": schemas.Problem, "description": "No row could be read."},
    },
    openapi_extra={"requestBody": {"required": True, "content": _BODIES}},
)  # fmt: skip
async def add_items(
    request: Request,
    opened: OpenedDep,
    backfill: Annotated[
        bool, Query(description="The rows are history, each known from its public moment.")
    ] = False,
) -> Response:
    """Each row by itself: one that cannot be read is a problem in its place, the rest are on disk when this returns.

    A row that is held already, by id and content, is not logged again, so a request can be repeated. Scores come later.
    A request may have a megabyte (REGTAPE_REQUEST_BYTES); more rows go into several.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    added = await run_in_threadpool(_add, opened.tape, body, _ROW_A_LINE.get(kind), backfill)
    opened.scorer.wake()
    return added


def _add(tape: Tape, body: bytes, format_: Format | None, backfill: bool) -> Response:
    rows = list(_rows_of_lines(body, format_) if format_ else _rows_of_json(body))
    if not rows:
        raise BadRequest("there is no row of news in the body")
    became = iter(
        tape.append([row for _, row in rows if isinstance(row, NewsItem)], backfill=backfill)
    )
    told = [
        _problem(row) if isinstance(row, Rejected) else _logged(number, row, next(became))
        for number, row in rows
    ]
    if all(isinstance(row, Rejected) for _, row in rows):
        return respond(_none_could_be_read(told))
    counts = Counter(row.status for row in told)
    added = schemas.NewsAdded(
        new=counts["new"], duplicate=counts["duplicate"], revision=counts["revision"], rejected=counts["rejected"],
        rows=tuple(told),
    )  # fmt: skip
    return JSONResponse(
        added.model_dump(mode="json", exclude_none=True),
        201 if counts["new"] or counts["revision"] else 200,
    )


def _logged(number: int, item: NewsItem, became: Appended) -> schemas.NewsAddedRow:
    return schemas.NewsAddedRow(
        row=number, status=became.status, id=item.id, offset=became.offset, known_at=became.known_at,
        flags=item.flags,
    )  # fmt: skip


def _problem(row: Rejected) -> schemas.NewsAddedRow:
    problem = schemas.Problem(title=row.reason, status=422, detail=row.message)
    return schemas.NewsAddedRow(row=row.line, status="rejected", problem=problem)


def _none_could_be_read(told: list[schemas.NewsAddedRow]) -> schemas.Problem:
    errors = [
        {"where": f"row {row.row}", "why": f"{row.problem.title}: {row.problem.detail}"}
        for row in told
        if row.problem
    ]
    return schemas.Problem(
        title="BadRequest", status=422, instance="/v1/news", errors=errors,
        detail=f"no row could be read; {errors[0]['where']}: {errors[0]['why']}",
    )  # fmt: skip


# ---- what a body holds: (where a row stands, counted from 1; the row)

_Rows = Iterator[tuple[int, NewsItem | Rejected]]


def _rows_of_lines(body: bytes, format_: Format) -> _Rows:
    at = 0

    def lines() -> Iterator[bytes]:
        nonlocal at
        for at, line in enumerate(bounded_lines(io.BytesIO(body)), start=1):  # noqa: B007 - read below
            yield line

    for row in read_news(lines(), format_):
        yield row.line if isinstance(row, Rejected) else at, row


def _rows_of_json(body: bytes) -> _Rows:
    found = _json(body)
    if isinstance(found, dict) and isinstance(found.get("items"), list):
        found = found["items"]
    moment = now()
    for number, row in enumerate(found if isinstance(found, list) else [found], start=1):
        if not isinstance(row, Mapping):
            what = "a row is an object with published_at, source and headline"
            yield number, Rejected(number, "not-an-object", what, "")
        elif isinstance(row, _Twice):
            what = "an object names a key twice; keep the one that is right"
            yield number, Rejected(number, "duplicate-key", what, "")
        else:
            yield number, read_row(row, number, now=moment)


class _Twice(dict[str, object]):
    """An object in which a key is there twice: which one is meant, nobody can tell."""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=_object, parse_constant=_no_number)
    except (ValueError, RecursionError) as exc:
        raise BadRequest(
            f"the body is not JSON: {exc}; for a row a line send it as application/x-ndjson"
        ) from exc


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Twice(made)


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
