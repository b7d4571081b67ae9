"""Snapshots of an order book in; the same rows with what the news had said of the company by each out.

With news and a server (a home of its own, so that nothing else is in the way):

    export REGTAPE_HOME=/tmp/lob
    regtape news score api/sample/news.jsonl --backfill --model lexicon
    regtape serve --workers 0 &
    python examples/lob_join.py

reads book.csv beside this script, which is invented, as the news of the sample is. A day of real quotes, in the form of
QuantConnect's LEAN, is read with

    python examples/lob_join.py --lean $REGTAPE_DATA/market/lean_equity_usa/tick/bac/20131009_quote.zip --symbol BAC

What comes out has one row for each snapshot and is ready for a model: null where there was no news, never 0, and nothing
in a row that was not known at its instant.
"""

import argparse
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from api.client import Features

NAMES = ("sentiment_mean_1d", "sentiment_ewma_2h", "volume_1d", "age_seconds")


def read_book(path: Path) -> pa.Table:
    """at, bid, bid_size, ask, ask_size; `at` with its zone."""
    instant = pa.timestamp("us", "UTC")
    return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types={"at": instant}))


def read_lean(path: Path, every_ms: int = 1000) -> pa.Table:
    """The best bid and ask at the end of each interval of a day of LEAN tick quotes.

    Lines are milliseconds since midnight in New York, bid × 10,000, its size, ask × 10,000, its size, exchange, …; a side
    that a line does not change is 0.
    """
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        names = ["ms", "bid", "bid_size", "ask", "ask_size"]
        read = csv.ReadOptions(column_names=[*names, "exchange", "condition", "suspicious"])
        lines = csv.read_csv(file, read_options=read)
    day = np.datetime64(f"{path.name[:4]}-{path.name[4:6]}-{path.name[6:8]}")
    midnight = pc.assume_timezone(pa.scalar(day.astype("datetime64[us]")), "America/New_York")
    ms = lines["ms"].to_numpy()
    best = {name: _last_told(lines[name].to_numpy()) for name in names[1:]}
    last = np.flatnonzero(np.diff(ms // every_ms, append=-1))
    last = last[(best["bid"][last] > 0) & (best["ask"][last] > best["bid"][last])]
    at = midnight.cast(pa.int64()).as_py() + ms[last] * 1000
    return pa.table(
        {"at": pa.array(at).cast(pa.timestamp("us", "UTC"))}
        | {n: best[n][last] / (10_000 if n in ("bid", "ask") else 1) for n in names[1:]}
    )


def _last_told(values: np.ndarray) -> np.ndarray:
    """Each value, or where it is 0 the last before it that is not."""
    places = np.where(values > 0, np.arange(len(values)), 0)
    return values[np.maximum.accumulate(places)]


def with_features(book: pa.Table, symbol: str, address: str) -> pa.Table:
    """The book with mid, imbalance, and the features known at each of its instants."""
    with Features(address) as features:
        known = features.matrix([symbol], book["at"].to_numpy(), names=NAMES)
    bid, ask = book["bid"].to_numpy(), book["ask"].to_numpy()
    bids, asks = book["bid_size"].to_numpy(), book["ask_size"].to_numpy()
    book = book.append_column("mid", pa.array((bid + ask) / 2))
    book = book.append_column("imbalance", pa.array((bids - asks) / (bids + asks)))
    for name in NAMES:
        book = book.append_column(name, known.table[name])
    return book


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--book", type=Path, default=Path(__file__).parent / "book.csv")
    words.add_argument("--lean", type=Path, help="a zip of tick quotes, YYYYMMDD_quote.zip")
    words.add_argument("--symbol", default="AAPL")
    words.add_argument("--address", default="http://127.0.0.1:8350")
    words.add_argument("--out", type=Path, help="write the rows here as CSV")
    given = words.parse_args()
    book = read_lean(given.lean) if given.lean else read_book(given.book)
    joined = with_features(book, given.symbol, given.address)
    if given.out:
        csv.write_csv(joined, given.out)
    shown = joined.select(["at", "mid", "imbalance", *NAMES])
    for place in np.linspace(0, len(shown) - 1, 12).astype(int):
        print(
            "  ".join(
                f"{name}={value}" for name, value in shown.slice(place, 1).to_pylist()[0].items()
            )
        )


if __name__ == "__main__":
    main()
