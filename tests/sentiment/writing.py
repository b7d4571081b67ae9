"""A process that writes to a tape, for the tests that run several or kill one: `python -m tests.sentiment.writing`.

writing.py HOME all FIRST LAST     append that part of the made-up archive and score all of it, batch by batch
writing.py HOME append FIRST LAST  append it, one item at a time, in small transactions
writing.py HOME score FIRST LAST   score whatever has arrived until LAST - FIRST items have a score
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.news import Kind, NewsItem, Precision
from sentiment.log import Logged, Score, Tape, TargetScore

BASE = datetime(2020, 1, 2, 14, 30, tzinfo=UTC)
BATCH = 40
VERSION = "made-up-1"


def news(n: int) -> NewsItem:
    """Item n of an archive without end: every seventh is a further text of the one before, some retract."""
    at = BASE + timedelta(minutes=(n * 7919) % 5000)  # out of order, and many share a minute
    told_again, retracts = n % 7 == 6, n % 31 == 30
    return NewsItem(
        id=f"wire-{n - 1 if told_again else n}",
        source=f"desk {n % 3 if not told_again else (n - 1) % 3}",
        published_at=at,
        precision=Precision.MINUTE,
        public_at=at + timedelta(minutes=1),
        headline=f"Maker {n} lifts its outlook",
        body=f"Told as of minute {n}. " * (n % 9),
        symbols=tuple(f"S{k}" for k in range(n % 4)),
        kind=Kind.RETRACTION if retracts else Kind.ITEM,
        refers_to=f"wire-{n - 2}" if retracts else None,
    )


def score_of(logged: Logged) -> Score:
    """Numbers that depend on the item alone, so that every run gives the same."""
    up = (len(logged.item.headline) * 37 + len(logged.item.body)) % 100 / 100
    rest = (1 - up) / 2
    targets = [
        TargetScore(f"made:{s}", s, 0.5, 1.0, logged.offset, rest, rest, up)
        for s in logged.item.symbols
    ]
    return Score(
        logged.offset, "made up", VERSION, rest, rest, up, 1.0, logged.offset, tuple(targets)
    )


def append(tape: Tape, first: int, last: int, batch: int) -> None:
    """Batches by turns live and backfilled."""
    for start in range(first, last, batch):
        items = [news(n) for n in range(start, min(start + batch, last))]
        tape.append(items, backfill=start // batch % 2 == 1)


def score(tape: Tape, batch: int) -> int:
    """Score all that waits; how many that were."""
    scored = 0
    while page := tape.unscored(VERSION, limit=batch):
        scored += len(tape.record_scores([score_of(logged) for logged in page]))
    return scored


def main() -> None:
    home, what, first, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    print("ready", flush=True)
    with Tape(home) as tape:
        if what == "by turns":
            for start in range(first, last, BATCH):
                append(tape, start, min(start + BATCH, last), BATCH)
                score(tape, BATCH // 3)
        elif what == "backlog":
            append(tape, first, last, BATCH)
            score(tape, BATCH // 3)
        elif what == "append":
            append(tape, first, last, 3)
        else:
            scored = 0
            while scored < last - first:
                scored += score(tape, 7)


if __name__ == "__main__":
    main()
