"""Prices are read as what they are, and a chart is drawn of what was known."""

import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from api.plot import Prices, plot, read_prices
from ingest.errors import BadRequest, NotKnown
from ingest.moment import to_micros
from sentiment.read import Reader
from tests.sentiment.featured import BEGIN, filled, resolver

pytest.importorskip("matplotlib")


@pytest.fixture(name="reader", scope="module")
def _reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    tape, clock = filled(tmp_path_factory.mktemp("filled"), 80)
    clock.at = max(clock.at, BEGIN + timedelta(days=200))
    with tape:
        yield Reader(tape, resolver(), clock=clock)


def lean(folder: Path, rows: list[str], part: str = "hour") -> Path:
    file = folder / part / "bac.zip"
    file.parent.mkdir(parents=True)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("bac.csv", "\n".join(rows))
    return file


def test_a_bar_is_known_at_its_end(tmp_path: Path) -> None:
    """LEAN labels a bar by its start in New York; 15:00 there is 20:00 UTC in summer, and its close is known at 20:00."""
    lean(
        tmp_path, ["20080915 15:00,300000,310000,290000,265000,7", "20081215 15:00,1,1,1,140100,7"]
    )
    prices = read_prices(tmp_path, "BAC")

    assert prices.times.tolist() == [
        to_micros(datetime(2008, 9, 15, 20, tzinfo=UTC)), to_micros(datetime(2008, 12, 15, 21, tzinfo=UTC)),
    ]  # fmt: skip
    assert prices.prices.tolist() == [26.5, 14.01]


def test_daily_bars_are_known_at_the_close(tmp_path: Path) -> None:
    file = lean(
        tmp_path, ["20080915 00:00,1,1,1,265000,7", "20080916 00:00,1,1,1,270000,7"], "daily"
    )

    assert read_prices(file, "BAC").times[0] == to_micros(datetime(2008, 9, 15, 20, tzinfo=UTC))


def test_splits_make_no_step(tmp_path: Path) -> None:
    lean(tmp_path, ["20040827 15:00,1,1,1,880000,7", "20040830 15:00,1,1,1,440000,7"])
    (tmp_path / "factor_files").mkdir()
    (tmp_path / "factor_files/bac.csv").write_text("1\n20040827,0.6,0.5,88\n20501231,1,1,0\n")

    assert read_prices(tmp_path, "BAC").prices.tolist() == [44.0, 44.0]


def test_plain_prices_state_their_zone(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("time,price\n2008-09-15T10:00:00-04:00,26.5\n2008-09-15T13:00:00Z,27\n")

    assert read_prices(file, "BAC").prices.tolist() == [27.0, 26.5]
    file.write_text("time,price\n2008-09-15T10:00:00,26.5\n")
    with pytest.raises(BadRequest, match=r"prices.csv, line 2: .*has no time zone"):
        read_prices(file, "BAC")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns time and price"),
        ("time,close\n", "columns time and price"),
        ("time,price\n", "has no prices"),
    ],
)
def test_a_file_without_prices_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text)
    with pytest.raises(BadRequest, match=message):
        read_prices(file, "BAC")


def test_a_file_that_is_not_there_or_no_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotKnown, match=r"has no prices of BAC: there is no hour/bac\.zip"):
        read_prices(tmp_path, "BAC")
    with pytest.raises(NotKnown, match="there is no file"):
        read_prices(tmp_path / "none.csv", "BAC")
    (tmp_path / "bac.zip").write_text("no archive")
    with pytest.raises(BadRequest, match=r"bac.zip is not what its ending says"):
        read_prices(tmp_path, "BAC")
    lean(tmp_path, ["34200000,1,1,1,1,1"])
    with pytest.raises(BadRequest, match=r"bac.zip, line 1: not a bar"):
        read_prices(tmp_path, "BAC")


@pytest.mark.parametrize("days", [2, 20, 100])
def test_a_chart_is_drawn_of_what_was_known(reader: Reader, tmp_path: Path, days: int) -> None:
    first, last = to_micros(BEGIN + timedelta(days=1)), to_micros(BEGIN + timedelta(days=1 + days))
    times = np.arange(first, last, 3_600_000_000)
    prices = Prices(times, np.linspace(20, 30, len(times)), "made up")
    for shown, name in ((prices, "three.png"), (None, "two.png")):
        matrix = plot(reader, "BAC", first, last, tmp_path / name, shown)

        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert first <= matrix.instants.min() + 3_600_000_000
        assert matrix.instants.max() <= last


def test_nothing_to_draw_is_told(reader: Reader, tmp_path: Path) -> None:
    first, last = to_micros(BEGIN), to_micros(BEGIN + timedelta(days=3))
    with pytest.raises(NotKnown, match="no scored news about QQQQQ"):
        plot(reader, "QQQQQ", first, last, tmp_path / "none.png")
    none = Prices(np.array([first - 1]), np.array([1.0]), "made up")
    with pytest.raises(NotKnown, match="made up has no price of BAC"):
        plot(reader, "BAC", first, last, tmp_path / "none.png", none)
    assert not (tmp_path / "none.png").exists()
