"""Items and scores in, the line that is hashed out; rows of the tape in, Logged and LoggedScore out.

A record is a header, (offset, kind, known_at, recorded_at, backfilled), and columns: those of an item are listed in
`columns_of_item`, those of a score in `columns_of_score`. What is hashed when a record is written, what is hashed again
when the tape is verified, and what a reader gets are the same columns, read by the same two functions.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, NamedTuple

from ingest.errors import BadRequest
from ingest.moment import from_micros, to_micros
from ingest.news import Kind, NewsItem, Precision

SCHEMA_VERSION = 1

# The hash at the end of an empty tape.
START = sha256(f"regtape tape {SCHEMA_VERSION}".encode()).digest()

# A record as (offset, kind, known_at, recorded_at, backfilled) and its columns: what is hashed, and what is read.
Header = tuple[int, str, int, int, int]
Columns = list[Any]
Rows = dict[int, tuple[Header, Columns]]

# SQL: a record r has no score of a version yet. A retraction says nothing that could be scored.
WAITS = (
    "r.kind IN ('item', 'correction')"
    " AND NOT EXISTS(SELECT 1 FROM scores s WHERE s.item = r.offset AND s.version = {version})"
)


class Appended(NamedTuple):
    """What became of an item: its record, or, of a duplicate, the record held before."""

    offset: int
    status: Literal["new", "duplicate", "revision"]
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Logged:
    """An item as the tape holds it. revision: 1, 2, … of what its source published under its id."""

    offset: int
    item: NewsItem
    known_at: datetime
    recorded_at: datetime
    backfilled: bool
    revision: int


@dataclass(frozen=True, slots=True)
class TargetScore:
    """What an item says of one company. Probabilities sum to 1; story is the offset of the first item of its chain."""

    entity: str
    symbol: str
    relevance: float
    novelty: float
    story: int
    negative: float
    neutral: float
    positive: float


@dataclass(frozen=True, slots=True)
class Score:
    """What one version of a model makes of an item, as a whole and for each company it is about.

    item, story and like are offsets of items; like is the most similar earlier item of the chain. version is the
    fingerprint of model and method: an item has at most one score of a version.
    """

    item: int
    model: str
    version: str
    negative: float
    neutral: float
    positive: float
    novelty: float
    story: int
    targets: tuple[TargetScore, ...] = ()
    like: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedScore:
    """A score as the tape holds it. backfilled: its known_at is that of a backfilled item, not the moment of scoring."""

    offset: int
    score: Score
    known_at: datetime
    recorded_at: datetime
    backfilled: bool
    item_known_at: datetime


class Lag(NamedTuple):
    """How far a version of a model is behind: items without a score, and since when the oldest is known."""

    waiting: int
    oldest: datetime | None


class Receipt(NamedTuple):
    """Proof of the first `offset` records: the hash (hex) at the end of their chain."""

    offset: int
    hash: str


class Fault(NamedTuple):
    """Where a tape first differs from what was appended; offset 0 where that is no single record."""

    offset: int
    message: str


# ---- rows and lines

_HEADER = "r.offset, r.kind, r.known_at, r.recorded_at, r.backfilled"


def link(previous: bytes, header: Header, columns: Columns) -> bytes:
    """The hash of a record: sha256 of the hash before it (32 bytes) and the record as one line of JSON, in UTF-8."""
    line = json.dumps([*header, *columns], ensure_ascii=False, separators=(",", ":"))
    return sha256(previous + line.encode()).digest()


def columns_of_item(item: NewsItem, content: bytes, revision: int) -> Columns:
    """What of an item is hashed and stored, after the header."""
    return [
        item.source, item.id, content.hex(), revision,
        to_micros(item.published_at), item.precision.value, to_micros(item.public_at),
        None if item.received_at is None else to_micros(item.received_at),
        item.language, item.refers_to, as_json(item.symbols), as_json(item.flags), item.url, item.headline, item.body,
    ]  # fmt: skip


def item_rows(database: sqlite3.Connection, offsets: Iterable[int]) -> Rows:
    """By offset, header and columns of those of the offsets that are items."""
    rows = database.execute(
        f"SELECT {_HEADER}, n.name, i.id, lower(hex(i.content)), i.revision, i.published_at, i.precision, i.public_at,"
        " i.received_at, i.language, i.refers_to, i.symbols, i.flags, i.url, i.headline, i.body"
        " FROM json_each(?) e CROSS JOIN records r ON r.offset = e.value AND r.kind <> 'score'"
        " CROSS JOIN items i ON i.offset = r.offset CROSS JOIN names n ON n.id = i.source",
        (as_json(offsets),),
    )
    return {row[0]: (row[:5], list(row[5:])) for row in rows}


def logged(header: Header, columns: Columns) -> Logged:
    """A row of `item_rows` as a reader gets it."""
    offset, kind, known_at, recorded_at, backfilled = header
    (
        source, id, _, revision, published_at, precision, public_at, received_at,
        language, refers_to, symbols, flags, url, headline, body,
    ) = columns  # fmt: skip
    item = NewsItem(
        id=id,
        source=source,
        published_at=from_micros(published_at),
        precision=Precision(precision),
        public_at=from_micros(public_at),
        headline=headline,
        body=body,
        symbols=tuple(json.loads(symbols)),
        language=language,
        received_at=None if received_at is None else from_micros(received_at),
        kind=Kind(kind),
        refers_to=refers_to,
        url=url,
        flags=tuple(json.loads(flags)),
    )
    known, recorded = from_micros(known_at), from_micros(recorded_at)
    return Logged(offset, item, known, recorded, bool(backfilled), revision)


def columns_of_score(score: Score) -> Columns:
    """What of a score is hashed and stored, after the header; the last column is the list of its targets."""
    return [
        int(score.item), score.model, score.version,
        _real(score.negative), _real(score.neutral), _real(score.positive),
        _real(score.novelty), int(score.story), None if score.like is None else int(score.like),
        [
            [
                t.entity, t.symbol, _real(t.relevance), _real(t.novelty), int(t.story),
                _real(t.negative), _real(t.neutral), _real(t.positive),
            ]
            for t in score.targets
        ],
    ]  # fmt: skip


def score_rows(database: sqlite3.Connection, offsets: Iterable[int]) -> Rows:
    """By offset, header and columns of those of the offsets that are scores."""
    wanted = as_json(offsets)
    targets: dict[int, list[Columns]] = {}
    for score, *target in database.execute(
        "SELECT t.score, t.entity, t.symbol, t.relevance, t.novelty, t.story, t.negative, t.neutral, t.positive"
        " FROM json_each(?) e CROSS JOIN targets t ON t.score = e.value ORDER BY t.score, t.place",
        (wanted,),
    ):
        targets.setdefault(score, []).append(target)
    rows = database.execute(
        f"SELECT {_HEADER}, s.item, m.name, v.name, s.negative, s.neutral, s.positive, s.novelty, s.story, s.most_like"
        " FROM json_each(?) e CROSS JOIN records r ON r.offset = e.value AND r.kind = 'score'"
        " CROSS JOIN scores s ON s.offset = r.offset"
        " CROSS JOIN names m ON m.id = s.model CROSS JOIN names v ON v.id = s.version",
        (wanted,),
    )
    return {row[0]: (row[:5], [*row[5:], targets.get(row[0], [])]) for row in rows}


def logged_score(header: Header, columns: Columns, known: Mapping[int, int]) -> LoggedScore:
    """A row of `score_rows` as a reader gets it. known: known_at of the items, by offset."""
    offset, _, known_at, recorded_at, backfilled = header
    item, model, version, negative, neutral, positive, novelty, story, like, targets = columns
    score = Score(
        item, model, version, negative, neutral, positive, novelty, story,
        tuple(TargetScore(*target) for target in targets), like,
    )  # fmt: skip
    times = from_micros(known_at), from_micros(recorded_at)
    return LoggedScore(offset, score, *times, bool(backfilled), from_micros(known[item]))


def as_json(values: Iterable[object]) -> str:
    """A list, as it is stored and as SQLite's json_each takes it."""
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))


def _real(value: float) -> float:
    """As SQLite gives it back: a Python float, and no minus before zero."""
    return float(value) + 0.0


def check(score: Score) -> None:
    """Raises BadRequest where a number cannot be meant: what is on the tape stays there."""
    parts: list[Score | TargetScore] = [score, *score.targets]
    for part in parts:
        labels = (part.negative, part.neutral, part.positive)
        if not (all(0 <= p <= 1 for p in labels) and abs(sum(labels) - 1) <= 1e-3):
            raise BadRequest(
                f"a score of item {score.item} has the probabilities {labels}; they are to sum to 1"
            )
        shares = (part.novelty, part.relevance if isinstance(part, TargetScore) else 1.0)
        if not all(0 <= share <= 1 for share in shares):
            raise BadRequest(
                f"a score of item {score.item} has novelty or relevance {shares}; they are to be in 0..1"
            )
