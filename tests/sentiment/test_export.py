"""Features as columns: what is written by day can be stopped and gone on with; what is joined onto rows never sees the future."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.errors import BadRequest, ModelMissing, NotKnown
from ingest.moment import from_micros, to_micros
from sentiment.export import ASOF_JOIN, export, grid, join_asof, optional, table_of
from sentiment.log import Tape
from sentiment.read import Reader
from tests.sentiment.featured import BEGIN, Clock, fill, filled, resolver

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
duckdb = pytest.importorskip("duckdb")

NAMES = ["sentiment_mean_5d", "volume_1d", "age_seconds", "market_volume_1d"]
MONDAY, WEDNESDAY = date(2020, 3, 9), date(2020, 3, 11)


@pytest.fixture(name="reader", scope="module")
def _reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Of a tape that goes on for some weeks; a test that appends reads at a head."""
    tape, clock = filled(tmp_path_factory.mktemp("filled"), 80)
    clock.at = max(clock.at, BEGIN + timedelta(days=40))
    with tape:
        yield Reader(tape, resolver(), clock=clock)


def days_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.parquet")}


def test_a_day_has_a_row_for_each_symbol_and_instant_from_open_to_close(
    reader: Reader, tmp_path: Path
) -> None:
    done = export(reader, tmp_path, ["BAC", "AAPL"], MONDAY, WEDNESDAY, 300, names=NAMES)
    table = parquet.read_table(tmp_path / "2020-03-09.parquet")
    times = table["as_of"].to_pylist()
    matrix = reader.matrix(["BAC", "AAPL"], grid(MONDAY, 300), names=NAMES)

    assert (done.days, done.written, done.rows) == (3, 3, 3 * 2 * 79)
    assert (times[0], times[78]) == (
        datetime(2020, 3, 9, 13, 30, tzinfo=UTC), datetime(2020, 3, 9, 20, 0, tzinfo=UTC),
    )  # fmt: skip
    assert table["symbol"].to_pylist() == ["BAC"] * 79 + ["AAPL"] * 79
    for place, name in enumerate(NAMES):
        values = matrix.values[:, :, place].reshape(-1).tolist()
        assert table[name].to_pylist() == [None if v != v else v for v in values]
    stated = json.loads(table.schema.metadata[b"regtape"])
    assert stated["offset"] == reader.tape.head()
    assert stated["hash"] == reader.tape.receipt().hash
    assert stated["feature_version"] == reader.feature_version
    assert stated["features"] == NAMES


def test_days_without_a_session_are_left_out_and_half_days_end_early() -> None:
    assert grid(date(2020, 4, 10), 60).size == 0, "Good Friday"
    assert grid(date(2020, 3, 8), 60).size == 0, "Sunday"
    half = grid(date(2020, 11, 27), 60)
    assert (half[-1] - half[0]) / 3_600_000_000 == 3.5
    assert grid(date(2020, 3, 8), 3600, whole_day=True).size == 23, "clocks go forward"


def test_a_stopped_export_goes_on_at_the_state_of_the_log_that_it_began_with(
    tmp_path: Path,
) -> None:
    tape, clock = filled(tmp_path / "home", 40)
    clock.at = BEGIN + timedelta(days=40)
    asked: Any = {"names": NAMES}
    with tape:
        reader = Reader(tape, resolver(), clock=clock)
        whole, stopped = tmp_path / "whole", tmp_path / "stopped"
        export(reader, whole, ["BAC"], MONDAY, WEDNESDAY, 300, **asked)
        export(reader, stopped, ["BAC"], MONDAY, MONDAY, 300, **asked)
        (stopped / ".2020-03-10.parquet.1").write_bytes(b"half a file")
        fill(tape, clock, 20, seed=3)
        done = export(reader, stopped, ["BAC"], MONDAY, WEDNESDAY, 300, **asked)

        assert (done.days, done.skipped, done.written) == (3, 1, 2)
        assert days_of(stopped) == days_of(whole)
        with pytest.raises(BadRequest, match="other every_seconds"):
            export(reader, stopped, ["BAC"], MONDAY, WEDNESDAY, 60, **asked)
        with pytest.raises(BadRequest, match="other symbols"):
            export(reader, stopped, ["AIG"], MONDAY, WEDNESDAY, 300, **asked)


def test_a_day_that_has_not_ended_is_not_written(tmp_path: Path) -> None:
    clock = Clock(datetime(2020, 3, 10, 19, tzinfo=UTC))
    with Tape(tmp_path / "home", clock=clock) as tape:
        reader = Reader(tape, resolver(), clock=clock)
        done = export(reader, tmp_path / "out", ["BAC"], MONDAY, WEDNESDAY, 300, names=NAMES)
        clock.wait(86_400)
        again = export(reader, tmp_path / "out", ["BAC"], MONDAY, WEDNESDAY, 300, names=NAMES)

        assert [*days_of(tmp_path / "out")] == ["2020-03-09.parquet"]
        assert (done.written, again.written) == (1, 0), "what came since is not at its head"
        with pytest.raises(NotKnown, match="no session"):
            export(reader, tmp_path / "none", ["BAC"], WEDNESDAY, WEDNESDAY + timedelta(2), 300)


# ---- joins


def snapshots(reader: Reader, step: int, count: int = 200) -> Any:
    """Rows of an order book, of two symbols in no order of time."""
    random = np.random.default_rng(2)
    at = random.choice(np.concatenate([grid(MONDAY, step), grid(WEDNESDAY, step)]), count)
    return pa.table(
        {
            "time": pa.array(at).cast(pa.timestamp("us", "UTC")),
            "symbol": random.choice(["BAC", "AAPL"], count),
            "bid": np.arange(count) / 100,
        }
    )


def test_rows_get_the_features_as_of_their_own_time(reader: Reader, tmp_path: Path) -> None:
    rows = snapshots(reader, 7)
    joined = join_asof(rows, reader, names=NAMES)

    assert joined.select(["time", "symbol", "bid"]).equals(rows)
    for row in joined.slice(0, 25).to_pylist():
        vector = reader.vector(row["symbol"], as_of=row["time"], names=NAMES)
        assert {name: row[name] for name in NAMES} == vector.values
        assert row["known_at"] == vector.known_at
        assert row["known_at"] is None or row["known_at"] <= row["time"]
    file = tmp_path / "rows.parquet"
    parquet.write_table(rows, file)
    assert join_asof(file, reader, names=NAMES).equals(joined)


def test_nanoseconds_are_rounded_down(reader: Reader) -> None:
    logged = reader.tape.scores(limit=1)[0]
    nanos = to_micros(logged.known_at) * 1000
    symbol = logged.score.targets[0].symbol
    times = pa.array([nanos - 1, nanos, nanos + 999]).cast(pa.timestamp("ns", "UTC"))
    rows = pa.table({"symbol": [symbol] * 3, "time": times})
    ages = join_asof(rows, reader, names=["age_seconds"])["age_seconds"].to_pylist()

    assert ages[0] != ages[1] == ages[2]


def test_duckdb_joins_the_files_with_the_same_values_and_never_the_future(
    reader: Reader, tmp_path: Path
) -> None:
    """On the grid both joins agree; off it, DuckDB's is the read as of the last instant of the grid."""
    export(reader, tmp_path, ["BAC", "AAPL"], MONDAY, WEDNESDAY, 60, names=NAMES)
    for step in (60, 7):
        rows = snapshots(reader, step)
        with duckdb.connect() as database:
            database.register("snapshots", rows)
            found = database.sql(ASOF_JOIN.format(folder=tmp_path)).to_arrow_table()
        ours = found.sort_by("bid")
        theirs = join_asof(
            rows.set_column(0, "time", ours["as_of"].cast(rows["time"].type)), reader, names=NAMES
        )

        assert ours.num_rows == rows.num_rows
        for time, as_of in zip(rows["time"].to_pylist(), ours["as_of"].to_pylist(), strict=True):
            assert timedelta(0) <= time - as_of < timedelta(seconds=60)
        for name in (*NAMES, "known_at"):
            assert ours[name].to_pylist() == theirs[name].to_pylist(), (step, name)


def test_a_join_is_of_one_state_of_the_log(tmp_path: Path) -> None:
    tape, clock = filled(tmp_path, 30)
    with tape:
        reader, head = Reader(tape, resolver(), clock=clock), tape.head()
        at = [to_micros(logged.known_at) for logged in tape.items(limit=20)]
        rows = pa.table({"symbol": ["BAC"] * len(at), "time": at})
        before = join_asof(rows, reader, head=head, names=NAMES)
        fill(tape, clock, 20, seed=5)

        assert join_asof(rows, reader, head=head, names=NAMES).equals(before)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"ticker": ["BAC"], "time": [1]}, "no column 'symbol'; there are ticker, time"),
        ({"symbol": ["BAC"], "time": [datetime(2020, 3, 9)]}, "without a zone in time"),  # noqa: DTZ001
        ({"symbol": ["BAC"], "time": [1.5]}, "snapshots has double in time"),
        ({"symbol": ["BAC"], "time": [None]}, "rows without time"),
        ({"symbol": [], "time": []}, "snapshots has"),
        ({"symbol": ["BAC"], "time": [to_micros(BEGIN)], "stale": [0]}, "a column 'stale' already"),
    ],
)
def test_rows_that_cannot_be_joined_are_told(reader: Reader, rows: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        join_asof(pa.table(rows), reader)


def test_a_file_that_is_not_there_is_told(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(NotKnown, match="there is no file"):
        join_asof(tmp_path / "none.parquet", reader)


def test_what_is_missing_can_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModelMissing, match=r"pip install 'regtape\[features\]'"):
        optional("pyarrow")


def test_a_table_says_what_is_not_known(reader: Reader) -> None:
    rows = table_of(reader.matrix(["QQQQQ"], [BEGIN + timedelta(days=9)], names=NAMES)).to_pylist()

    assert rows[0]["unknown"] is True
    assert rows[0]["known_at"] is None
    assert {rows[0][name] for name in NAMES} == {None}
    assert rows[0]["as_of"] == from_micros(to_micros(BEGIN + timedelta(days=9)))
