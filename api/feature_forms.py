"""Vectors and matrices of features in, bytes of JSON or Arrow out: what GET and POST /v1/features answer.

A matrix is written piece by piece, one symbol and a run of instants each, so that a million rows take the memory of one
piece and no row is ever a Python object.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from ingest.errors import BadRequest
from ingest.moment import to_micros
from sentiment.export import optional
from sentiment.features import FEATURES, SETS, fingerprint
from sentiment.read import NEVER, STATUSES, Matrix, Vector

if TYPE_CHECKING:
    import pyarrow

ARROW = "application/vnd.apache.arrow.stream"

# Rows of a piece. JSON is written while every other thread waits: half a thousand rows of fifty features take 3 ms.
JSON_ROWS, ARROW_ROWS = 500, 16_384

_MOMENTS = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
_OPTIONS = _MOMENTS | orjson.OPT_SERIALIZE_NUMPY


STATUS_MEANINGS = {
    "PRESENT": "there is a value",
    "EMPTY": "there is nothing in the window; the value is null",
    "STALE": "there is a value, but an item known by then had waited too long for its score",
    "UNKNOWN_SYMBOL": "no scored item had named the company by then; the value is null",
}


@cache
def catalogue() -> bytes:
    """All features and named sets, as JSON."""
    fields = ("name", "scope", "window", "meaning", "unit", "empty", "version", "half_life", "ddof", "available")  # fmt: skip
    return orjson.dumps(
        {
            "feature_version": fingerprint(),
            "statuses": STATUS_MEANINGS,
            "sets": [asdict(each) for each in SETS.values()],
            "features": [
                {name: getattr(feature, name) for name in fields} for feature in FEATURES.values()
            ],
        }
    )


def vector_fields(vector: Vector) -> dict[str, Any]:
    """One vector as an object of JSON."""
    fresh = vector.freshness
    return {
        "symbol": vector.symbol,
        "entity": vector.entity,
        "as_of": vector.as_of,
        "known_at": vector.known_at,
        "model_version": vector.model_version,
        "feature_version": vector.feature_version,
        "values": vector.values,
        "status": vector.status,
        "freshness": {
            "newest_known_at": fresh.newest_known_at,
            "scoring_lag_seconds": fresh.scoring_lag_seconds,
            "watermark": fresh.watermark,
        },
        "backfilled": vector.backfilled,
        "model_lookahead": vector.model_lookahead,
        "receipt": vector.receipt.fields(),
    }


def vector_json(vector: Vector) -> bytes:
    """One vector."""
    return orjson.dumps(vector_fields(vector), option=_MOMENTS)


def vectors_json(vectors: Sequence[Vector]) -> bytes:
    """Several vectors of one instant."""
    return orjson.dumps({"vectors": [vector_fields(v) for v in vectors]}, option=_MOMENTS)


# ---- matrices, in pieces of one symbol each


def matrix_json(pieces: Iterable[Matrix]) -> Iterator[bytes]:
    """One object: what holds for all, then a block for each piece."""
    for number, piece in enumerate(pieces):
        if number == 0:
            head = orjson.dumps(_stated(piece) | {"statuses": STATUSES})
            yield head[:-1] + b',"blocks":['
        yield (b"," if number else b"") + orjson.dumps(_block(piece), option=_OPTIONS)
    yield b"]}"


def _stated(piece: Matrix) -> dict[str, Any]:
    return {
        "offset": piece.offset,
        "hash": piece.hash,
        "feature_version": piece.feature_version,
        "model_versions": piece.model_versions,
        "features": piece.names,
    } | ({} if piece.rules is None else {"rules": piece.rules})


def _block(piece: Matrix) -> dict[str, Any]:
    known_at = piece.known_at[0].astype("datetime64[us]")
    known_at[piece.known_at[0] == NEVER] = np.datetime64("NaT")
    return {
        "symbol": piece.symbols[0],
        "as_of": piece.instants.astype("datetime64[us]"),
        "known_at": known_at.tolist(),
        "values": np.ascontiguousarray(piece.values[0]),
        "status": np.ascontiguousarray(piece.status[0]),
        "backfilled": np.ascontiguousarray(piece.backfilled[0]),
        "model_lookahead": piece.model_lookahead,
    }


def matrix_arrow(pieces: Iterable[Matrix], symbols: Sequence[str]) -> Iterator[bytes]:
    """An Arrow stream: symbol, as_of, known_at, stale, unknown, backfilled and a column for each feature.

    The schema's metadata states offset, hash, feature_version, model_versions and rules, as JSON under "regtape".
    Raises ModelMissing at once where pyarrow is not installed.
    """
    pa = optional("pyarrow")
    return _arrow(pieces, pa.array(symbols, pa.string()), symbols)


def _arrow(
    pieces: Iterable[Matrix], dictionary: "pyarrow.Array", symbols: Sequence[str]
) -> Iterator[bytes]:
    import pyarrow as pa

    written = _Written()
    writer: pa.RecordBatchStreamWriter | None = None
    for piece in pieces:
        batch = _batch(piece, dictionary, symbols.index(piece.symbols[0]))
        if writer is None:
            writer = pa.ipc.new_stream(pa.PythonFile(written, "w"), batch.schema)
        writer.write_batch(batch)
        yield written.taken()
    if writer is not None:
        writer.close()
    yield written.taken()


def _batch(piece: Matrix, dictionary: "pyarrow.Array", place: int) -> "pyarrow.RecordBatch":
    import pyarrow as pa

    instant = pa.timestamp("us", "UTC")
    rows = len(piece.instants)
    known_at = piece.known_at[0]
    columns = {
        "symbol": pa.DictionaryArray.from_arrays(np.full(rows, place, np.int32), dictionary),
        "as_of": pa.array(piece.instants, pa.int64()).cast(instant),
        "known_at": pa.array(known_at, pa.int64(), mask=known_at == NEVER).cast(instant),
        "stale": pa.array(piece.stale),
        "unknown": pa.array(piece.unknown[0]),
        "backfilled": pa.array(piece.backfilled[0]),
        "model_lookahead": pa.nulls(rows, pa.bool_())
        if piece.model_lookahead is None
        else pa.array(piece.model_lookahead),
    }
    for place, name in enumerate(piece.names):
        values = np.ascontiguousarray(piece.values[0, :, place])
        columns[name] = pa.array(values, pa.float64(), from_pandas=True)  # NaN is null
    schema = pa.schema(
        [pa.field(name, column.type) for name, column in columns.items()],
        {"regtape": orjson.dumps(_stated(piece))},
    )
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=schema)


class _Written:
    """A file to write to, whose bytes are taken as they come."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def taken(self) -> bytes:
        """What was written since this was last asked."""
        parts, self._parts = self._parts, []
        return b"".join(parts)


def instants_of(given: object) -> NDArray[np.int64]:
    """int64[m], µs since 1970 UTC, of a list of strings with their zone, or of whole microseconds. Raises BadRequest."""
    kinds = set(map(type, given)) if isinstance(given, list) else set()
    try:
        if kinds == {int}:
            return np.array(given, np.int64)
        if kinds == {str}:
            assert isinstance(given, list)
            moments = (to_micros(datetime.fromisoformat(text)) for text in given)
            return np.fromiter(moments, np.int64, len(given))
    except (BadRequest, ValueError, OverflowError) as exc:
        raise BadRequest(f"instants: {exc}") from exc
    raise BadRequest(
        "instants is a list of instants with their zone, e.g. 2010-01-28T09:30:00-05:00, or a list of whole microseconds"
        " since 1970 UTC"
    )
