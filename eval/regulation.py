"""The documents of a home in; whether features of rules are what its states say, unmoved by what comes later, and how fast.

oracle        values against the plainest reading: the state of the section, worked out at each instant alone
append        values at an earlier head, read out of the whole catalog, against those of a catalog that ends there
foresight     values at T of the whole catalog against those of one without the documents known after T. What differs
              is no look-ahead at a fixed head, but worth knowing: a later document can tell the day of an earlier
              release more exactly than that release does
bulk, live    values a second, and the milliseconds of one read
"""

import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import numpy as np

from api.console import DONE, NOTHING, print_json, regtape_command, settings, wants_json
from api.regulation import HomeRules, Rules
from api.rule_steps import Reading, about, reading
from ingest.catalog import Catalog
from ingest.moment import from_micros, to_micros
from ingest.rules.held import Book, open_book
from ingest.rules.state import state
from sentiment.features import Feature, select
from sentiment.rolling import Floats, Ints
from sentiment.sessions import days

SEED = 11
_BULK = 200_000

Row = dict[str, Any]


def evaluate(home: Path, *, heads: int, instants: int) -> Row:
    """The report. heads: how many earlier heads, and moments, are looked at; instants: how many at each."""
    draw = random.Random(SEED)
    features = select(feature_set="regulation")
    began = time.perf_counter()
    rules = HomeRules(home).now()
    rules.prepare()
    built = time.perf_counter() - began
    with Catalog(home) as catalog:
        book, newest = open_book(catalog), catalog.head()
    if not book.events:
        return {
            "task": "regulation",
            "dataset": home.name,
            "n": 0,
            "metrics": {},
            "groups": {},
            "settings": {},
        }
    first, last = to_micros(book.events[0].known_at), to_micros(book.events[-1].known_at)
    at = np.array([draw.randint(first, last + 86_400_000_000 * 365) for _ in range(instants)])
    known = [to_micros(each.known_at) for each in book.events]
    at[: instants // 4] = [
        draw.choice(known) + draw.choice([-1, 0, 1]) for _ in range(instants // 4)
    ]
    differs: Counter[str] = Counter()
    counted = {
        "oracle": _oracle(book, rules, features, at),
        "append": _appended(home, features, at, draw.sample(range(1, newest), min(heads, newest - 1))),
        "foresight": _foreseen(home, rules, features, at, draw.sample(at.tolist(), min(heads, instants)), differs),
    }  # fmt: skip
    metrics = {f"{name}_mismatches": _count(found) for name, found in counted.items()}
    return {
        "task": "regulation",
        "dataset": home.name,
        "n": sum(n for n, _ in counted.values()),
        "metrics": metrics | _speed(rules, features, first, last),
        "groups": {},
        "settings": {
            "features": len(features),
            "rules": rules.state,
            "built_seconds": round(built, 3),
            "heads": heads,
            "instants": instants,
            "foresight_by_feature": dict(differs.most_common(20)),
            "seed": SEED,
        },
    }


def _count(found: tuple[int, int]) -> Row:
    """A count of mismatches among n values; it has no interval."""
    return {"value": found[1], "low": None, "high": None, "n": found[0]}


def _different(one: Floats, other: Floats) -> Any:
    return ~((one == other) | (np.isnan(one) & np.isnan(other)))


# ---- the plainest reading


def _plain(found: Reading, measure: str, on: int) -> float:
    """What a reading says on a day, a proleptic ordinal; NaN where it says nothing."""
    if measure in ("in_force", "relieved"):
        flag = found.in_force if measure == "in_force" else found.relieved
        return np.nan if flag is None else float(flag)
    day = {
        "days_to_effective": found.effective, "days_to_compliance": found.compliance,
        "days_to_comment_close": found.comments,
    }[measure]  # fmt: skip
    return np.nan if day is None else float(day.toordinal() - on)


def _oracle(book: Book, rules: Rules, features: Sequence[Feature], at: Ints) -> tuple[int, int]:
    """(values, mismatches) of flags and days; pressures rest on all sections at once, and tests check them."""
    chosen = [each for each in features if each.measure != "pressure"]
    found = rules.values(chosen, at, "")
    expected = np.full(found.shape, np.nan)
    held = {section for section in {f.subject for f in chosen} if about(book, section).events}
    for row, (instant, on) in enumerate(zip(at.tolist(), days(at).tolist(), strict=True)):
        read = {s: reading(state(book, s, from_micros(instant))) for s in held}
        for column, feature in enumerate(chosen):
            if feature.subject in held:
                expected[row, column] = _plain(read[feature.subject], feature.measure, on)
    return found.size, int(_different(found, expected).sum())


# ---- what is appended


def _appended(
    home: Path, features: Sequence[Feature], at: Ints, heads: Sequence[int]
) -> tuple[int, int]:
    whole, total, wrong = HomeRules(home), 0, 0
    for head in heads:
        with _without(home, "offset > ?", head) as ended:
            there = HomeRules(ended).now()
            values = there.values(features, at, "")
        again = whole.at(there.state)
        total += values.size
        wrong += int(_different(again.values(features, at, ""), values).sum())
        wrong += again.state != there.state
    return total, wrong


def _foreseen(
    home: Path,
    rules: Rules,
    features: Sequence[Feature],
    at: Ints,
    moments: Sequence[int],
    differs: Counter[str],
) -> tuple[int, int]:
    total = wrong = 0
    for moment in moments:
        before = np.append(at[at <= moment], moment)
        with _without(home, "known_at > ?", moment) as ended:
            values = HomeRules(ended).now().values(features, before, "")
        different = _different(rules.values(features, before, ""), values)
        differs.update(
            {f.name: int(n) for f, n in zip(features, different.sum(axis=0), strict=True) if n}
        )
        total, wrong = total + values.size, wrong + int(different.sum())
    return total, wrong


@contextmanager
def _without(home: Path, which: str, value: int) -> Iterator[Path]:
    """A home with the same catalog but for its texts and the documents of which that is true."""
    with TemporaryDirectory() as folder:
        ended = Path(folder) / "home"
        with Catalog(ended):
            pass
        with closing(sqlite3.connect(ended / "catalog.db")) as database:
            database.execute("ATTACH DATABASE ? AS whole", (str(home / "catalog.db"),))
            for table in ("documents", "readings"):
                database.execute(f"INSERT INTO {table} SELECT * FROM whole.{table}")
            database.execute(f"DELETE FROM documents WHERE {which}", (value,))
            database.execute(
                "DELETE FROM readings WHERE offset NOT IN (SELECT offset FROM documents)"
            )
            database.commit()
        yield ended
        shutil.rmtree(ended)


# ---- speed


def _speed(rules: Rules, features: Sequence[Feature], first: int, last: int) -> Row:
    fifty = features[:50]
    at = np.random.default_rng(SEED).integers(first, last, _BULK)
    bulk, live = [], []
    for _ in range(5):
        began = time.perf_counter()
        rules.values(fifty, at, "")
        bulk.append(at.size / (time.perf_counter() - began))
    for place in range(2_000):
        began = time.perf_counter()
        rules.values(fifty, at[place : place + 1], "")
        live.append((time.perf_counter() - began) * 1000)
    return {
        "bulk_per_second": {"value": round(sorted(bulk)[2]), "low": round(min(bulk)), "high": round(max(bulk)), "n": 5},
        "live_p50_ms": {"value": round(float(np.quantile(live, 0.5)), 4), "low": None, "high": None, "n": len(live)},
        "live_p99_ms": {"value": round(float(np.quantile(live, 0.99)), 4), "low": None, "high": None, "n": len(live)},
    }  # fmt: skip


@regtape_command(
    "regulation",
    short_help="Features of rules: oracle, what is appended, speed.",
    examples=(
        "regtape eval regulation",
        "regtape eval regulation --heads 50 --instants 2000 --json",
    ),
)
@click.option(
    "--heads",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Earlier heads, and moments, to look at.",
)
@click.option(
    "--instants", type=click.IntRange(8), default=1000, show_default=True, help="Instants at each."
)
def command(heads: int, instants: int) -> int:
    """Check the features of rules of the documents that are ingested."""
    report = evaluate(settings().home, heads=heads, instants=instants)
    if wants_json():
        print_json(report)
    else:
        for name, each in report["metrics"].items():
            click.echo(f"{name:<22} {each['value']:>12,} of n={each['n']:,}")
        for name, value in report["settings"].items():
            click.echo(f"{name:<22} {value}")
    return DONE if report["n"] else NOTHING
