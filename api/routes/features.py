"""Symbols and instants in, sentiment features as they were or would have been served out; and the catalogue of them."""

import re
import time
from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from api import schemas
from api.deps import FeaturesDep
from api.feature_forms import (
    ARROW,
    ARROW_ROWS,
    JSON_ROWS,
    catalogue,
    instants_of,
    matrix_arrow,
    matrix_json,
    vector_json,
    vectors_json,
)
from api.features import Features
from api.problems import naming_field, read_form
from ingest.errors import BadRequest
from ingest.moment import now, to_micros
from sentiment.rolling import Ints

router = APIRouter(prefix="/v1/features", tags=["features"])

_SMALL_BODY = 16_384  # bytes that are read on the event loop; a larger body takes its time
_FEW_SYMBOLS = 10  # read on the event loop, too: half a millisecond each
_MOST_INSTANTS = 10_000_000
_LONGEST_SYMBOL = 40


class Asked(schemas.Form):
    """Which features, as they were in which log and view."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: list[str] | None = Field(
        default=None, description="Of features; in a query also with commas between.", examples=[["volume_1d"]]
    )  # fmt: skip
    feature_set: str | None = Field(
        default=None, alias="set", description="A named set of features instead; neither: core50.", examples=["core50"]
    )  # fmt: skip
    as_of: schemas.Moment | None = Field(default=None, description="An aware instant; unset: now.")
    view: str = Field(default="known", description="known, latest or as_if.", examples=["known"])
    model: str | None = Field(
        default=None, description="A model, or an exact version: scores of others do not exist then.", examples=["finbert"]
    )  # fmt: skip
    latency: int = Field(
        default=0, description="Microseconds, of the view as_if: how long after its item a score was there."
    )  # fmt: skip
    head: int | None = Field(
        default=None, lt=2**63, description="Read the log as it was when it ended at this offset, e.g. a receipt's."
    )  # fmt: skip

    @property
    def live(self) -> bool:
        """Whether it asks for what the store holds."""
        return (
            self.as_of is None and self.head is None and self.model is None and self.view == "known"
        )

    def how(self) -> dict[str, Any]:
        """The keywords of Reader."""
        return {
            "names": split(self.names), "feature_set": self.feature_set, "view": self.view, "model": self.model,
            "latency": self.latency, "head": self.head,
        }  # fmt: skip


class ManyAsked(Asked):
    """Symbols, and the instants at which they are wanted: a list, or from, to and every; neither: as_of."""

    symbols: list[str] = Field(
        min_length=1, max_length=10_000, examples=[["AAPL", "BRK.B"]], description="At most 10,000."
    )
    instants: Any = Field(
        default=None,
        description="Instants with their zone, or whole microseconds since 1970 UTC; in any order.",
        json_schema_extra={
            "anyOf": [
                {"type": "array", "items": {"type": "string", "format": "date-time"}},
                {"type": "array", "items": {"type": "integer"}},
            ]
        },
    )
    from_: schemas.Moment | None = Field(
        default=None, alias="from", description="The first instant."
    )
    to: schemas.Moment | None = Field(default=None, description="They end before it.")
    every: str | None = Field(
        default=None, description="Time between two instants.", examples=["500ms", "1s", "5m", "1h", "1d"]
    )  # fmt: skip

    def moments(self) -> Ints | None:
        """int64[m], µs since 1970 UTC; None where one as_of is asked for. Raises BadRequest."""
        grid = (self.from_, self.to, self.every)
        if self.instants is None and grid == (None, None, None):
            return None
        if self.as_of is not None:
            raise BadRequest(
                "as_of is one instant; leave it out beside instants, or from, to and every"
            )
        if self.instants is not None:
            if grid != (None, None, None):
                raise BadRequest("instants are given; leave out from, to and every")
            return instants_of(self.instants)
        if self.from_ is None or self.to is None or self.every is None:
            raise BadRequest("every needs from and to beside it, and they need every")
        first, end, step = to_micros(self.from_), to_micros(self.to), _micros(self.every)
        if end <= first:
            raise BadRequest("to is not after from")
        if (end - first) // step >= _MOST_INSTANTS:
            raise BadRequest(f"every makes more than {_MOST_INSTANTS} instants of from and to")
        return np.arange(first, end, step, dtype=np.int64)


def split(listed: list[str] | None) -> tuple[str, ...] | None:
    """What a query lists, one after another or with commas between."""
    return None if listed is None else tuple(n for each in listed for n in each.split(","))


@router.get(
    "",
    response_model=schemas.FeatureCatalogue,
    summary="The catalogue: every feature, and the named sets",
)
async def read_catalogue() -> Response:
    """What each feature is, its unit, and what null means. The sets are pinned by `feature_version`."""
    return _json(catalogue())


@router.get(
    "/{symbol:path}",
    response_model=schemas.FeatureVector,
    summary="The features of one symbol, as of a moment",
    responses={503: {"model": schemas.Problem, "description": "The feature store is being rebuilt."}},
)  # fmt: skip
async def read_features(
    symbol: Annotated[
        str, Path(description="Percent-encoded.", examples=["AAPL", "BRK.B", "BF%2FB"])
    ],
    asked: Annotated[Asked, Query()],
    features: FeaturesDep,
) -> Response:
    """Null, never 0, where there is nothing; `status` says why. The receipt is enough to compute the same values again.

    Without as_of, head, model and view it is read from the store that follows the log, in memory.
    """
    began = time.perf_counter()
    reader = features.reader
    with naming_field("query"):
        if asked.live and features.at_hand:
            vector = reader.vector(symbol, **asked.how())
        else:
            vector = await run_in_threadpool(
                reader.vector, symbol, as_of=asked.as_of, **asked.how()
            )
    features.served((vector,), "one", began)
    return _json(vector_json(vector))


_EXAMPLES = {
    "now": {
        "summary": "Two symbols, now",
        "value": {"symbols": ["AAPL", "BRK.B"], "set": "core50"},
    },
    "grid": {
        "summary": "A minute of seconds",
        "value": {
            "symbols": ["BAC"], "names": ["sentiment_mean_5m", "volume_1d"], "view": "known",
            "from": "2010-01-28T09:30:00-05:00", "to": "2010-01-28T09:31:00-05:00", "every": "1s",
        },
    },
    "instants": {
        "summary": "Instants of a book",
        "value": {"symbols": ["BAC"], "instants": ["2010-01-28T14:30:00Z", "2010-01-28T14:30:00.25Z"]},
    },
}  # fmt: skip


@router.post(
    "",
    response_model=schemas.FeatureVectors | schemas.FeatureMatrix,
    summary="The features of many symbols, as of one moment or of many",
    responses={
        200: {
            "description": "One vector for each symbol; or, of instants, blocks of rows. With `Accept: " + ARROW + "` a"
            " stream of Arrow record batches.",
            "content": {ARROW: {"schema": {"type": "string", "format": "binary"}}},
        },
        503: {"model": schemas.Problem, "description": "The feature store is being rebuilt."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": ManyAsked.model_json_schema(), "examples": _EXAMPLES}
            },
        }
    },
)  # fmt: skip
async def read_many(request: Request, features: FeaturesDep) -> Response:
    """A point-in-time matrix, written as it is computed: at each instant only what was known then.

    `values` of a block has a row for each instant and a column for each of `features`; `status` its places in `statuses`.
    """
    began = time.perf_counter()
    body = await request.body()
    with naming_field("body"):
        asked, instants = (
            _read(body) if len(body) <= _SMALL_BODY else await run_in_threadpool(_read, body)
        )
        arrow = ARROW in request.headers.get("accept", "")
        if instants is None and arrow:
            instants = np.array([to_micros(asked.as_of or now())], np.int64)
        if instants is None:
            return await _vectors(asked, features, began)
        return await _matrix(asked, instants, features, arrow, began)


async def _vectors(asked: ManyAsked, features: Features, began: float) -> Response:
    reader = features.reader
    if asked.live and features.at_hand and len(asked.symbols) <= _FEW_SYMBOLS:
        vectors = reader.vectors(asked.symbols, **asked.how())
    else:
        vectors = await run_in_threadpool(
            reader.vectors, asked.symbols, as_of=asked.as_of, **asked.how()
        )
    features.served(vectors, "several", began)
    return _json(vectors_json(vectors))


async def _matrix(
    asked: ManyAsked, instants: Ints, features: Features, arrow: bool, began: float
) -> Response:
    rows = ARROW_ROWS if arrow else JSON_ROWS
    pieces = await run_in_threadpool(
        features.reader.pieces, asked.symbols, instants, rows=rows, **asked.how()
    )
    written = matrix_arrow(pieces, asked.symbols) if arrow else matrix_json(pieces)

    def timed() -> Iterator[bytes]:
        yield from written
        features.metrics.read_seconds.labels("matrix").observe(time.perf_counter() - began)

    return StreamingResponse(timed(), media_type=ARROW if arrow else "application/json")


def _read(body: bytes) -> tuple[ManyAsked, Ints | None]:
    """What a body asks for. Raises BadRequest, RequestValidationError."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadRequest(f"body is not JSON: {exc}") from exc
    asked = read_form(ManyAsked, found, "body")
    return asked, asked.moments()


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


_STEP = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(us|ms|s|m|h|d)")
_UNITS = {"us": 1, "ms": 1000, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86_400 * 10**6}


def _micros(text: str) -> int:
    found = _STEP.fullmatch(text.strip())
    step = round(float(found[1]) * _UNITS[found[2]]) if found else 0
    if step < 1:
        raise BadRequest(f"every {text!r} is no time; write e.g. 500ms, 1s, 5m, 1h or 1d")
    return step
