"""Features as columns: Parquet by day, Arrow tables, and what a model of an order book trains on.

    export      symbols × a grid of instants → one Parquet file a day
    join_asof   rows of (symbol, time) → the same rows with the features as of each row's own time
    ASOF_JOIN   the same by DuckDB over exported files: as of the last instant of the grid at or before each row

pyarrow and duckdb are optional (`pip install 'regtape[features]'`), and imported when they are used.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest, ModelMissing, NotKnown
from ingest.moment import NEW_YORK, next_midnight, to_micros
from sentiment.question import MOST_CELLS
from sentiment.read import Asked, Reader
from sentiment.rolling import NEVER, Ints
from sentiment.sessions import new_york
from sentiment.vector import Matrix

if TYPE_CHECKING:
    import pyarrow as pa

# Of DuckDB, with {folder} filled in: each row of a table `snapshots` (symbol, time) with the features as of the last exported
# instant at or before its time, never after it. as_of says which that was: before a morning's first it is last night's, so a
# model may want to leave out rows whose as_of is far back.
ASOF_JOIN = """
SELECT s.*, f.* EXCLUDE (symbol)
FROM snapshots s ASOF LEFT JOIN read_parquet('{folder}/*.parquet') f
  ON s.symbol = f.symbol AND s.time >= f.as_of
"""

STEPS: Mapping[str, int] = {
    "1s": 1, "10s": 10, "1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "1d": 86_400,
}  # fmt: skip

_CELLS_AT_ONCE = MOST_CELLS // 4
_DAYS_TOGETHER = 31
_MANIFEST = "export.json"
_SECOND = 1_000_000


def optional(package: str) -> Any:
    """A package that comes with the extra `features`. Raises ModelMissing, saying how to install it."""
    try:
        return import_module(package)
    except ModuleNotFoundError:
        raise ModelMissing(
            f"the package {package.partition('.')[0]} is not installed; pip install 'regtape[features]'"
        ) from None


# ---- as columns


def table_of(matrix: Matrix) -> "pa.Table":
    """One row for each symbol and instant, symbol after symbol; a value is null where there is nothing.

    symbol, as_of, known_at (of the newest item in force), stale, unknown, backfilled, model_lookahead, and the features. The
    schema's metadata says what was read, as JSON under "regtape".
    """
    pa = optional("pyarrow")
    symbols, instants = len(matrix.symbols), len(matrix.instants)
    instant = pa.timestamp("us", tz="UTC")
    known_at, lookahead = matrix.known_at.reshape(-1), matrix.model_lookahead
    columns = {
        "symbol": pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(symbols, dtype=np.int32), instants),
            pa.array(list(matrix.symbols), pa.string()),
        ),
        "as_of": pa.array(np.tile(matrix.instants, symbols), pa.int64()).cast(instant),
        "known_at": pa.array(known_at, pa.int64(), mask=known_at == NEVER).cast(instant),
        "stale": pa.array(np.tile(matrix.stale, symbols)),
        "unknown": pa.array(matrix.unknown.reshape(-1)),
        "backfilled": pa.array(matrix.backfilled.reshape(-1)),
        "model_lookahead": pa.nulls(symbols * instants, pa.bool_())
        if lookahead is None
        else pa.array(np.tile(lookahead, symbols)),
    }
    for place, name in enumerate(matrix.names):
        values = np.ascontiguousarray(matrix.values[:, :, place]).reshape(-1)
        columns[name] = pa.array(values, pa.float64(), mask=np.isnan(values))
    return pa.table(columns).replace_schema_metadata({"regtape": json.dumps(_stated(matrix))})


def _stated(matrix: Matrix) -> dict[str, Any]:
    return {
        "offset": matrix.offset,
        "hash": matrix.hash,
        "feature_version": matrix.feature_version,
        "model_versions": matrix.model_versions,
        "features": matrix.names,
    } | ({} if matrix.rules is None else {"rules": matrix.rules})


# ---- by day


@dataclass(slots=True)
class Exported:
    """How far an export has come: days with a session, of those now written and there already, and rows written."""

    days: int
    written: int = 0
    skipped: int = 0
    rows: int = 0


def grid(day: date, every: int, *, whole_day: bool = False) -> Ints:
    """int64[m], µs: each `every` seconds from the open of the New York Stock Exchange to its close, both included, none on a
    day without a session; or of the whole day in New York, from its first midnight."""
    start = to_micros(next_midnight(day - timedelta(days=1), NEW_YORK))
    end = to_micros(next_midnight(day, NEW_YORK))
    if whole_day:
        return np.arange(start, end, every * _SECOND, dtype=np.int64)
    sessions = new_york()
    within = np.flatnonzero((sessions.opens >= start) & (sessions.opens < end))
    if not within.size:
        return np.empty(0, np.int64)
    opens, closes = int(sessions.opens[within[0]]), int(sessions.closes[within[0]])
    return np.arange(opens, closes + 1, every * _SECOND, dtype=np.int64)


def export(
    reader: Reader,
    out: Path,
    symbols: Sequence[str],
    first: date,
    last: date,
    every: int,
    *,
    whole_day: bool = False,
    progress: Callable[[Exported], None] = lambda _: None,
    **asked: Unpack[Asked],
) -> Exported:
    """Write OUT/2008-09-15.parquet and so on, the rows of `table_of` at each day's `grid`; all of one state of the log.

    The same call again goes on where it was stopped: what its first call read is what it reads, and days that are there are
    left as they are. Days that had not ended at that first call are left out. Raises BadRequest where `out` holds another
    export, NotKnown where there is no day to write.
    """
    optional("pyarrow.parquet")
    symbols = tuple(dict.fromkeys(symbols))
    out.mkdir(parents=True, exist_ok=True)
    offset, until, rules = _begun(reader, out, symbols, every, whole_day, asked)
    asked = {**asked, "head": offset, "rules": rules}
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    grids = {day: grid(day, every, whole_day=whole_day) for day in days}
    grids = {day: times for day, times in grids.items() if times.size and times[-1] <= until}
    if not grids:
        raise NotKnown(f"no session from {first} to {last} had ended when this export began")
    done = Exported(len(grids))
    missing = [day for day in grids if not _file(out, day).exists()]
    done.skipped = len(grids) - len(missing)
    progress(done)
    for days in _read_together(missing, grids, len(symbols)):
        done.rows += _write(reader, out, symbols, days, grids, asked)
        done.written += len(days)
        progress(done)
    return done


def _file(out: Path, day: date) -> Path:
    return out / f"{day.isoformat()}.parquet"


def _begun(
    reader: Reader, out: Path, symbols: Sequence[str], every: int, whole_day: bool, asked: Asked
) -> tuple[int, int, str | None]:
    """The head that an export reads, the µs up to which it can, and the state of the rulebook where it reads that: those of its
    first call, which its folder remembers."""
    features = reader.features(asked.get("names"), asked.get("feature_set"))
    chosen = {
        "symbols": list(symbols),
        "every_seconds": every,
        "whole_day": whole_day,
        "features": [feature.name for feature in features],
        "feature_version": reader.feature_version,
        **{name: asked.get(name) for name in ("view", "model", "latency")},
    }  # fmt: skip
    manifest = out / _MANIFEST
    if not manifest.exists():
        now, receipt = reader.now(), reader.tape.receipt(asked.get("head"))
        begun = {"offset": receipt.offset, "hash": receipt.hash, "until": now, **chosen}
        rules = None
        if any(feature.scope == "regulation" for feature in features):
            rules = begun["rules"] = asked.get("rules") or reader.regulation.now().state
        _put(manifest, lambda path: path.write_text(json.dumps(begun, indent=1) + "\n", "utf-8"))
        return receipt.offset, now, rules
    held = json.loads(manifest.read_text("utf-8"))
    for name, value in chosen.items():
        if held.get(name) != value:
            raise BadRequest(
                f"out {out} holds an export with other {name}; go on with the same, or take another folder"
            )
    offset = int(held["offset"])
    if asked.get("head") not in (None, offset):
        raise BadRequest(f"head is {asked.get('head')}; the export in {out} reads {offset}")
    if reader.tape.receipt(offset).hash != held["hash"]:
        raise BadRequest(f"out {out} holds an export of another tape; take another folder")
    rules = held.get("rules")
    if rules and reader.regulation.at(rules).state != rules:
        raise BadRequest(
            f"out {out} holds an export of the rulebook in its state {rules}; take another folder"
        )
    return offset, int(held["until"]), rules


def _read_together(
    days: Sequence[date], grids: Mapping[date, Ints], symbols: int
) -> Iterator[list[date]]:
    """Days in groups, since each read goes far back: near each other, and not too many values."""
    group: list[date] = []
    cells = 0
    for day in days:
        more = len(grids[day]) * symbols
        if group and (cells + more > _CELLS_AT_ONCE or (day - group[0]).days >= _DAYS_TOGETHER):
            yield group
            group, cells = [], 0
        group.append(day)
        cells += more
    if group:
        yield group


def _write(
    reader: Reader,
    out: Path,
    symbols: Sequence[str],
    days: Sequence[date],
    grids: Mapping[date, Ints],
    asked: Asked,
) -> int:
    """Write these days, each whole or not at all; how many rows that were."""
    pa, parquet = optional("pyarrow"), optional("pyarrow.parquet")
    sizes = [len(grids[day]) for day in days]
    parts: list[list[Any]] = [[] for _ in days]
    for piece in reader.pieces(
        symbols, np.concatenate([grids[day] for day in days]), rows=sum(sizes), **asked
    ):
        table, first = table_of(piece), 0
        for size, part in zip(sizes, parts, strict=True):
            part.append(table.slice(first, size))
            first += size
    for day, part in zip(days, parts, strict=True):
        whole = pa.concat_tables(part).unify_dictionaries()
        _put(_file(out, day), partial(parquet.write_table, whole))
    return sum(sizes) * len(symbols)


def _put(path: Path, write: Callable[[Path], Any]) -> None:
    """A file under its name is whole: it is written beside, and renamed."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


# ---- onto rows of one's own


def join_asof(
    snapshots: "pa.Table | Path | str",
    reader: Reader,
    *,
    symbol: str = "symbol",
    time: str = "time",
    **asked: Unpack[Asked],
) -> "pa.Table":
    """The rows of a table, or of a Parquet or CSV file, in their order, with the features as of each row's own time.

    symbol, time: names of its columns; times are timestamps with a zone, or integers in µs since 1970 UTC, and nanoseconds are
    rounded down. Added are known_at, stale, unknown, backfilled, model_lookahead and the features, of one state of the log.
    Raises BadRequest where a column is missing or has no zone, or a name is there already.
    """
    pa = optional("pyarrow")
    table = _read_table(snapshots) if isinstance(snapshots, Path | str) else snapshots
    symbols, instants = _symbols_of(table, symbol), _instants_of(table, time)
    if not len(table):
        raise BadRequest("snapshots has no rows")
    asked = {
        **asked,
        "head": reader.tape.receipt(asked.get("head")).offset,
        "rules": asked.get("rules") or reader.regulation.now().state,
    }
    parts, places = [], []
    for one in dict.fromkeys(symbols.tolist()):
        rows = np.flatnonzero(symbols == one)
        rows = rows[np.argsort(instants[rows], kind="stable")]
        for first in range(0, len(rows), _CELLS_AT_ONCE):
            some = rows[first : first + _CELLS_AT_ONCE]
            parts.append(table_of(reader.matrix([one], instants[some], **asked)))
            places.append(some)
    features = pa.concat_tables(parts).drop_columns(["symbol", "as_of"])
    order = np.empty(len(table), np.int64)
    order[np.concatenate(places)] = np.arange(len(table))
    features = features.take(pa.array(order))
    for name in features.column_names:
        if name in table.column_names:
            raise BadRequest(f"snapshots has a column {name!r} already; rename it")
        table = table.append_column(name, features[name])
    return table


def _read_table(path: Path | str) -> "pa.Table":
    path = Path(path)
    if not path.exists():
        raise NotKnown(f"there is no file {path}")
    if path.suffix == ".parquet":
        return optional("pyarrow.parquet").read_table(path)
    if path.suffix == ".csv":
        return optional("pyarrow.csv").read_csv(path)
    raise BadRequest(f"snapshots is {path.name}; it is a .parquet or a .csv file")


def _column(table: "pa.Table", name: str) -> "pa.ChunkedArray":
    if name not in table.column_names:
        raise BadRequest(
            f"snapshots has no column {name!r}; there are {', '.join(table.column_names)}"
        )
    column = table[name]
    if column.null_count:
        raise BadRequest(f"snapshots has rows without {name}")
    return column


def _symbols_of(table: "pa.Table", name: str) -> NDArray[Any]:
    pa = optional("pyarrow")
    return np.array(_column(table, name).cast(pa.string()).to_pylist(), object)


def _instants_of(table: "pa.Table", name: str) -> Ints:
    pa = optional("pyarrow")
    column = _column(table, name)
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None:
            raise BadRequest(
                f"snapshots has times without a zone in {name}; say which one they are in"
            )
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    if column.type != pa.int64():
        raise BadRequest(
            f"snapshots has {column.type} in {name}; it is timestamps with a zone, or integers in µs since 1970 UTC"
        )
    found: Ints = column.to_numpy()
    return found
