"""A made-up tape for the tests of features: live and backfilled, late, corrected, retracted, revised and scored twice."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from ingest.news import Kind, NewsItem, Precision
from sentiment.entities import Resolver, open_resolver
from sentiment.log import Score, Tape, TargetScore

BEGIN = datetime(2020, 3, 2, 14, 30, tzinfo=UTC)
SYMBOLS = ("BAC", "AAPL", "FB", "ZZTOP")  # the last one is in no table
FIRST, SECOND = "made-up-1", "made-up-2"  # versions of one model


@cache
def resolver() -> Resolver:
    return open_resolver()


class Clock:
    """Stands still until it is moved."""

    def __init__(self, at: datetime = BEGIN) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def wait(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def item(
    n: int,
    at: datetime,
    symbols: Sequence[str] = ("BAC",),
    *,
    id: str | None = None,
    kind: Kind = Kind.ITEM,
    refers_to: str | None = None,
) -> NewsItem:
    return NewsItem(
        id=id or f"n{n}",
        source=f"desk {n % 2}" if kind is Kind.ITEM and id is None else "desk 0",
        published_at=at,
        precision=Precision.INSTANT,
        public_at=at,
        headline=f"Maker {n} speaks",
        symbols=tuple(symbols),
        kind=kind,
        refers_to=refers_to,
    )


def score(
    tape: Tape, offset: int, up: float, version: str = FIRST, model: str = "made up"
) -> Score:
    """How good the item of that offset is, as a whole and for each company that it names."""
    logged = tape.item(offset)
    down = (1 - up) / 2
    found = resolver().find("", "", logged.item.symbols, logged.known_at)
    targets = tuple(
        TargetScore(each.entity, each.symbol, 0.25 + up / 2, 1.0 - up / 3, offset, down, down, up)
        for each in found
    )
    return Score(offset, model, version, down, down, up, 1.0, offset, targets)


def fill(tape: Tape, clock: Clock, steps: int, seed: int = 0) -> None:
    """Go on for that many steps of some minutes; the same seed on the same tape does the same."""
    random = Random(seed)
    waiting: list[int] = []
    scored: list[int] = []
    for step in range(steps):
        clock.wait(random.choice([0.2, 20, 300, 2000, 30_000]))
        n = seed * 100_000 + step
        back = random.random() < 0.2
        at = clock() - timedelta(days=random.uniform(0, 20)) if back else clock()
        names = random.sample(SYMBOLS, random.randint(1, 3))
        kind, refers_to, id = Kind.ITEM, None, None
        if random.random() < 0.2 and n > 3:
            kind = random.choice([Kind.CORRECTION, Kind.RETRACTION])
            refers_to = f"n{n - random.randint(1, 6)}"
        elif random.random() < 0.1 and n > 3:
            id = f"n{n - random.randint(1, 3)}"
        ((offset, status, _),) = tape.append(
            [item(n, at, names, id=id, kind=kind, refers_to=refers_to)], backfill=back
        )
        if status != "duplicate" and kind is not Kind.RETRACTION:
            waiting.append(offset)
        if random.random() < 0.7:
            clock.wait(random.choice([0.1, 2, 90]))
            tape.record_scores([score(tape, each, random.random()) for each in waiting])
            scored += waiting
            waiting = []
        if scored and random.random() < 0.1:
            clock.wait(1)
            tape.record_scores([score(tape, random.choice(scored), random.random(), SECOND)])


def filled(home: Path, steps: int = 120) -> tuple[Tape, Clock]:
    clock = Clock()
    tape = Tape(home, clock=clock)
    fill(tape, clock, steps)
    clock.wait(60)
    return tape, clock
