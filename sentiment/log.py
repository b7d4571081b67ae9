"""News items and scores in, an append-only record of what was known when out: `tape.db` (SQLite, WAL).

One sequence of offsets, 1, 2, 3 …, runs over items, corrections, retractions and scores; a record is written once and
never changed, which triggers enforce. Its times:

    recorded_at   this program's clock, one reading for each call, and at least a microsecond after the record before
                  it: it strictly increases, whoever writes and whatever the clock does
    known_at      of a live item its recorded_at; of a backfilled one its public moment (never later than recorded_at);
                  of a score its recorded_at, or, where the item was backfilled, the item's known_at

A read sees the records with `known_at <= as_of` and `offset <= head`, so at a fixed head appending anything changes no
read. Each record carries sha256(hash of the record before it + its own line of JSON): the pair (offset, hash) is a
receipt that proves everything up to it, and `verify` says at which offset a file stops being what was appended.

What is derived lies beside the records and is written in the same transaction: `symbols` (who is named where) and
`backlog` (what a version of a model has yet to score).
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest import moment
from ingest.database import open_database, transaction
from ingest.errors import BadRequest, Damaged, NotKnown
from ingest.moment import Clock, from_micros, to_micros
from ingest.news import Kind, NewsItem
from sentiment.log_proof import first_fault
from sentiment.log_record import (
    SCHEMA_VERSION,
    START,
    WAITS,
    Appended,
    Columns,
    Fault,
    Lag,
    Logged,
    LoggedScore,
    Receipt,
    Score,
    TargetScore,
    as_json,
    check,
    columns_of_item,
    columns_of_score,
    item_rows,
    link,
    logged,
    logged_score,
    score_rows,
)

__all__ = [
    "SCHEMA_VERSION", "Appended", "Fault", "Lag", "Logged", "LoggedScore", "Receipt", "Score", "Tape", "TargetScore",
]  # fmt: skip

# Moments are microseconds since 1970 in UTC. The rows of `items` are a thousand bytes, those of `records` sixty: what
# is searched (kind, origin, times) lies in the narrow table. `origin` is the source of an item, the version of a score.
_TABLES = """
CREATE TABLE IF NOT EXISTS names(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;

CREATE TABLE IF NOT EXISTS records(
  offset INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK(kind IN ('item', 'correction', 'retraction', 'score')),
  origin INTEGER NOT NULL REFERENCES names, known_at INTEGER NOT NULL, recorded_at INTEGER NOT NULL,
  backfilled INTEGER NOT NULL, hash BLOB NOT NULL, CHECK(known_at <= recorded_at)) STRICT;
CREATE INDEX IF NOT EXISTS items_by_known ON records(known_at) WHERE kind <> 'score';
CREATE INDEX IF NOT EXISTS records_by_origin ON records(origin, known_at);

CREATE TABLE IF NOT EXISTS items(
  offset INTEGER PRIMARY KEY REFERENCES records, source INTEGER NOT NULL REFERENCES names, id TEXT NOT NULL,
  content BLOB NOT NULL, revision INTEGER NOT NULL,
  published_at INTEGER NOT NULL, precision TEXT NOT NULL, public_at INTEGER NOT NULL, received_at INTEGER,
  language TEXT NOT NULL, refers_to TEXT, symbols TEXT NOT NULL, flags TEXT NOT NULL, url TEXT,
  headline TEXT NOT NULL, body TEXT NOT NULL, UNIQUE(source, id, content)) STRICT;
CREATE INDEX IF NOT EXISTS item_ids ON items(offset, source, id, refers_to);
CREATE INDEX IF NOT EXISTS revised_items ON items(source, id) WHERE revision > 1;
CREATE INDEX IF NOT EXISTS referring_items ON items(source, refers_to) WHERE refers_to IS NOT NULL;

CREATE TABLE IF NOT EXISTS scores(
  offset INTEGER PRIMARY KEY REFERENCES records, item INTEGER NOT NULL REFERENCES items,
  model INTEGER NOT NULL REFERENCES names, version INTEGER NOT NULL REFERENCES names,
  negative REAL NOT NULL, neutral REAL NOT NULL, positive REAL NOT NULL,
  novelty REAL NOT NULL, story INTEGER NOT NULL, most_like INTEGER, UNIQUE(item, version)) STRICT;
CREATE INDEX IF NOT EXISTS scores_by_version ON scores(version);
CREATE TABLE IF NOT EXISTS targets(
  score INTEGER NOT NULL REFERENCES scores, place INTEGER NOT NULL, entity TEXT NOT NULL, symbol TEXT NOT NULL,
  relevance REAL NOT NULL, novelty REAL NOT NULL, story INTEGER NOT NULL,
  negative REAL NOT NULL, neutral REAL NOT NULL, positive REAL NOT NULL,
  PRIMARY KEY(score, place)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS targets_by_entity ON targets(entity, symbol);

CREATE TABLE IF NOT EXISTS symbols(
  symbol TEXT NOT NULL, scored INTEGER NOT NULL, known_at INTEGER NOT NULL, offset INTEGER NOT NULL,
  PRIMARY KEY(symbol, scored, known_at, offset)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS backlog(
  version INTEGER NOT NULL, known_at INTEGER NOT NULL, item INTEGER NOT NULL,
  PRIMARY KEY(version, known_at, item)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looked_through(version INTEGER PRIMARY KEY, head INTEGER NOT NULL) STRICT
"""

# INSERT OR REPLACE deletes without asking the triggers for DELETE, so an insert is asked as well.
_HELD_ALREADY = {
    "records": "NEW.offset <> (SELECT coalesce(max(offset), 0) + 1 FROM records)"
    " OR NEW.recorded_at <= (SELECT recorded_at FROM records ORDER BY offset DESC LIMIT 1)",
    "items": "EXISTS(SELECT 1 FROM items WHERE offset = NEW.offset"
    " OR (source = NEW.source AND id = NEW.id AND content = NEW.content))",
    "scores": "EXISTS(SELECT 1 FROM scores WHERE offset = NEW.offset OR (version = NEW.version AND item = NEW.item))",
    "targets": "EXISTS(SELECT 1 FROM targets WHERE score = NEW.score AND place = NEW.place)",
    "names": "EXISTS(SELECT 1 FROM names WHERE id = NEW.id OR name = NEW.name)",
    "symbols": "0",
}
_TRIGGER = """CREATE TRIGGER IF NOT EXISTS {table}_refuse_{verb} BEFORE {verb} ON {table} WHEN {condition}
BEGIN SELECT RAISE(ABORT, 'the tape is append-only: {table} refuse {verb} of what is held'); END"""
_TRIGGERS = [
    _TRIGGER.format(table=table, verb=verb, condition=condition)
    for table, held in _HELD_ALREADY.items()
    for verb, condition in (("update", "1"), ("delete", "1"), ("insert", held))
    if condition != "0"
]


_LOOKED_THROUGH = "coalesce((SELECT head FROM looked_through WHERE version = {}), 0)"
_FEW = 256  # records that are looked through at each look, before they are entered


@dataclass(slots=True)
class _End:
    """Where the tape ends, inside one transaction."""

    offset: int
    recorded_at: int
    hash: bytes
    clock: int


class Tape:
    """The open tape of one home directory.

    Safe to share between threads, and several processes may open one home: writers queue, readers never wait for
    them (they read over a connection of their own). When a writing call returns, its records are on disk, also if the
    power fails, and visible to every reader; recorded_at is the start of its transaction, a few milliseconds earlier
    (for a batch of 1,000, seventy), so exact repetition goes by head, not by the clock.
    """

    def __init__(self, home: Path, *, clock: Clock = moment.now) -> None:
        self.home = home
        self._clock = clock
        self._path = home / "tape.db"
        self._lock, self._read_lock = threading.RLock(), threading.RLock()
        self._ids: dict[str, int] = {}
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False
        home.mkdir(parents=True, exist_ok=True)
        self._db = _open(self._path)
        try:
            # Else a power failure could take back what a receipt was given for, and other records take its offsets.
            self._db.execute("PRAGMA synchronous=FULL")
            self._prepare()
            self._reader = _open_reader(self._path)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; a second call does nothing."""
        with self._lock, self._read_lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()
            self._reader.close()
            self._db.close()

    def _prepare(self) -> None:
        with transaction(self._db, self._lock):
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES('schema', ?)", (str(SCHEMA_VERSION),)
            )
            (found,) = self._db.execute("SELECT value FROM meta WHERE key='schema'").fetchone()
            if found != str(SCHEMA_VERSION):
                raise Damaged(
                    f"{self._path} was written with tape schema {found}, this program reads {SCHEMA_VERSION};"
                    " use the program it was written with, or a new home"
                )
            for statement in (*_TABLES.split(";"), *_TRIGGERS):
                self._db.execute(statement)

    # ---- writing

    def append(self, items: Sequence[NewsItem], *, backfill: bool = False) -> list[Appended]:
        """Record items in one transaction, in their order; what became of each, in the same order.

        What (source, id) said once is not recorded again, however much came between ("duplicate", with the record
        that is held): the same file twice adds nothing. Other content under a held id is a "revision". A correction
        or retraction is recorded whether or not what it refers to is held; it may come first.
        Raises BadRequest, and records nothing, where a text is not Unicode (half a surrogate pair).
        """
        if not items:
            return []
        with self._writing() as end:
            return [self._append(end, item, backfill) for item in items]

    def record_scores(self, scores: Sequence[Score]) -> list[int]:
        """Record scores in one transaction; their offsets, in the same order.

        A second score of an item by the same version changes nothing: the offset of the first is returned.
        Raises, and records nothing: NotKnown where an offset is not that of an item, BadRequest where the item is a
        retraction, or a number is not what it should be (a share in 0..1, three probabilities that sum to 1).
        """
        if not scores:
            return []
        for score in scores:
            check(score)
        with self._writing() as end:
            known = self._known_items(scores)
            recorded = [self._append_score(end, score, *known[score.item]) for score in scores]
            for version in {score.version for score in scores}:
                self._enter(end, version)
            # A version that has looked through all items need not look at these scores either.
            self._db.execute(
                "UPDATE looked_through SET head = ? WHERE head >= (SELECT max(offset) FROM items)",
                (end.offset,),
            )
            return recorded

    @contextmanager
    def _writing(self) -> Iterator[_End]:
        """A transaction, and the end of the tape in it. The clock is read when it is this writer's turn."""
        with self._lock:
            try:
                with transaction(self._db, self._lock):
                    last = self._db.execute(
                        "SELECT offset, recorded_at, hash FROM records ORDER BY offset DESC LIMIT 1"
                    ).fetchone()
                    offset, recorded_at, chain = last or (0, 0, START)
                    yield _End(offset, recorded_at, chain, to_micros(self._clock()))
            except BaseException as exc:
                self._ids.clear()  # those given in this transaction are not on disk
                if isinstance(exc, UnicodeEncodeError):
                    text = exc.object[max(0, exc.start - 20) : exc.end + 20]
                    raise BadRequest(
                        f"{text!a} holds half a surrogate pair, which is not Unicode"
                    ) from exc
                raise

    def _append(self, end: _End, item: NewsItem, backfill: bool) -> Appended:
        source = self._id_of(item.source)
        content = bytes.fromhex(item.content_hash)[:16]  # tells a source's texts of one id apart
        held = self._db.execute(
            "SELECT content, offset FROM items WHERE source=? AND id=?", (source, item.id)
        ).fetchall()
        for other, offset in held:
            if other == content:
                ((known_at,),) = self._db.execute(
                    "SELECT known_at FROM records WHERE offset=?", (offset,)
                )
                return Appended(offset, "duplicate", from_micros(known_at))
        columns = columns_of_item(item, content, revision=len(held) + 1)
        public = to_micros(item.public_at) if backfill else None
        offset, known_at = self._append_record(end, item.kind.value, source, public, columns)
        self._db.execute(
            "INSERT INTO items(offset, source, id, content, revision, published_at, precision, public_at, received_at,"
            " language, refers_to, symbols, flags, url, headline, body) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (offset, source, item.id, content, *columns[3:]),
        )
        self._name(item.symbols, False, known_at, offset)
        return Appended(offset, "revision" if held else "new", from_micros(known_at))

    def _append_score(self, end: _End, score: Score, item_known_at: int, backfilled: bool) -> int:
        version = self._id_of(score.version)
        held = self._db.execute(
            "SELECT offset FROM scores WHERE item=? AND version=?", (score.item, version)
        ).fetchone()
        if held:
            return int(held[0])
        columns = columns_of_score(score)
        offset, known_at = self._append_record(
            end, "score", version, item_known_at if backfilled else None, columns
        )
        self._db.execute(
            "INSERT INTO scores(offset, item, model, version, negative, neutral, positive, novelty, story, most_like)"
            " VALUES(?,?,?,?,?,?,?,?,?,?)",
            (offset, score.item, self._id_of(score.model), version, *columns[3:-1]),
        )
        self._db.executemany(
            "INSERT INTO targets VALUES(?,?,?,?,?,?,?,?,?,?)",
            [(offset, place, *target) for place, target in enumerate(columns[-1])],
        )
        self._name((t.symbol for t in score.targets), True, known_at, offset)
        self._db.execute(
            "DELETE FROM backlog WHERE version=? AND known_at=? AND item=?",
            (version, item_known_at, score.item),
        )
        return offset

    def _append_record(
        self, end: _End, kind: str, origin: int, public: int | None, columns: Columns
    ) -> tuple[int, int]:
        """Add one link to the chain; its offset and known_at. public: the moment a backfilled record was public."""
        end.offset += 1
        end.recorded_at = max(end.clock, end.recorded_at + 1)
        known_at = end.recorded_at if public is None else min(public, end.recorded_at)
        header = (end.offset, kind, known_at, end.recorded_at, int(public is not None))
        end.hash = link(end.hash, header, columns)
        self._db.execute(
            "INSERT INTO records(offset, kind, known_at, recorded_at, backfilled, origin, hash) VALUES(?,?,?,?,?,?,?)",
            (*header, origin, end.hash),
        )
        return end.offset, known_at

    def _name(self, symbols: Iterable[str], scored: bool, known_at: int, offset: int) -> None:
        self._db.executemany(
            "INSERT INTO symbols VALUES(?,?,?,?)",
            [(symbol, int(scored), known_at, offset) for symbol in {s.upper() for s in symbols}],
        )

    def _id_of(self, name: str) -> int:
        """The number of a source, model or version; a new name gets the next one."""
        if name not in self._ids:
            held = self._db.execute("SELECT id FROM names WHERE name=?", (name,)).fetchone()
            self._ids[name] = int(
                held[0]
                if held
                else self._db.execute("INSERT INTO names(name) VALUES(?)", (name,)).lastrowid or 0
            )
        return self._ids[name]

    def _known_items(self, scores: Sequence[Score]) -> dict[int, tuple[int, bool]]:
        """known_at and backfilled of the items that scores speak of."""
        named = {s.item for s in scores} | {s.story for s in scores}
        named |= {s.like for s in scores if s.like is not None}
        named |= {t.story for s in scores for t in s.targets}
        rows = self._db.execute(
            "SELECT offset, known_at, backfilled, kind FROM records"
            " WHERE offset IN (SELECT value FROM json_each(?)) AND kind <> 'score'",
            (as_json(named),),
        ).fetchall()
        if missing := named - {row[0] for row in rows}:
            raise NotKnown(f"no item has the offset {min(missing)} on this tape")
        retracts = {row[0] for row in rows if row[3] == Kind.RETRACTION.value}
        if refused := retracts & {s.item for s in scores}:
            raise BadRequest(f"record {min(refused)} is a retraction; there is nothing to score")
        return {row[0]: (row[1], bool(row[2])) for row in rows}

    # ---- reading

    def head(self) -> int:
        """The offset of the newest record; 0 when there is none."""
        ((offset,),) = self._read("SELECT coalesce(max(offset), 0) FROM records")
        return int(offset)

    def items(
        self,
        *,
        as_of: datetime | None = None,
        head: int | None = None,
        symbol: str | None = None,
        source: str | None = None,
        after: int = 0,
        limit: int = 1000,
        newest_first: bool = False,
    ) -> list[Logged]:
        """Items, corrections and retractions known by `as_of` among the first `head` records (None: all).

        They come in the order of their arrival (offset), so that a reader who goes on `after` the last one misses
        nothing that is backfilled meanwhile; `newest_first` is the order of (known_at, offset) backwards, what a
        reader looks at. after: the offset of the last item seen in that same order. symbol: as the source gave it,
        in capitals.
        """
        return self._items_at(
            self._select(
                scored=False, as_of=as_of, head=head, symbol=symbol, origin=source, of=None,
                after=after, limit=limit, newest_first=newest_first,
            )
        )  # fmt: skip

    def item(self, offset: int) -> Logged:
        """The item of that offset. Raises NotKnown."""
        found = self._items_at([offset])
        if not found:
            raise NotKnown(f"no item has the offset {offset} on this tape")
        return found[0]

    def scores(
        self,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
        head: int | None = None,
        symbol: str | None = None,
        of: Sequence[int] | None = None,
        after: int = 0,
        limit: int = 1000,
        newest_first: bool = False,
    ) -> list[LoggedScore]:
        """Scores known by `as_of` among the first `head` records, ordered and paged as `items` are.

        symbol: of a target, in capitals. of: the offsets of the items whose scores are wanted.
        """
        return self._scores_at(
            self._select(
                scored=True, as_of=as_of, head=head, symbol=symbol, origin=version, of=of,
                after=after, limit=limit, newest_first=newest_first,
            )
        )  # fmt: skip

    def before(
        self, known_at: datetime, width: timedelta, *, offset: int = 0, limit: int
    ) -> list[Logged]:
        """What a scorer had met before the item at (known_at, offset), no more than `width` earlier: what novelty is
        rebuilt from.

        Items and corrections in the order of (known_at, offset), the last `limit` of them. Many backfilled items
        share one known_at: offset decides among those; without one, none of them is included.
        """
        end = to_micros(known_at)
        rows = self._read(
            "SELECT offset FROM records INDEXED BY items_by_known WHERE kind <> 'score' AND kind <> 'retraction'"
            " AND known_at >= ? AND (known_at, offset) < (?, ?) ORDER BY known_at DESC, offset DESC LIMIT ?",
            (end - width // timedelta(microseconds=1), end, offset, _checked_limit(limit)),
        )
        return self._items_at([row[0] for row in reversed(rows)])

    def receipt(self, offset: int | None = None) -> Receipt:
        """The receipt of the whole tape as it is now, or of its first `offset` records. Raises NotKnown."""
        if offset == 0:
            return Receipt(0, START.hex())
        rows = self._read(
            "SELECT offset, hash FROM records WHERE offset = coalesce(?, (SELECT max(offset) FROM records))",
            (offset,),
        )
        if not rows and offset is not None:
            raise NotKnown(f"the tape ends at offset {self.head()}, before {offset}")
        return Receipt(rows[0][0], rows[0][1].hex()) if rows else Receipt(0, START.hex())

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads alone, for what takes its time: it keeps no other reader of this tape waiting."""
        try:
            database = self._idle.pop()
        except IndexError:
            database = _open_reader(self._path)
        try:
            yield database
        finally:
            with self._read_lock:
                if self._closed:
                    database.close()
                else:
                    self._idle.append(database)

    def _read(self, sql: str, values: Sequence[object] | Mapping[str, object] = ()) -> list[Any]:
        with self._read_lock:
            return self._reader.execute(sql, values).fetchall()

    def _select(
        self,
        *,
        scored: bool,
        as_of: datetime | None,
        head: int | None,
        symbol: str | None,
        origin: str | None,
        of: Sequence[int] | None,
        after: int,
        limit: int,
        newest_first: bool,
    ) -> list[int]:
        """Offsets of the records that match, in the order in which they are read.

        Plans are stated, not left to SQLite: without statistics it would sort a million rows for a page of ten.
        """
        if symbol is not None:
            tables, k = "symbols k CROSS JOIN records r ON r.offset = k.offset", "k"
        elif of is not None:
            tables, k = "scores s CROSS JOIN records r ON r.offset = s.offset", "r"
        elif newest_first and origin is not None:
            tables, k = "records r INDEXED BY records_by_origin", "r"
        elif newest_first and not scored:
            tables, k = "records r INDEXED BY items_by_known", "r"
        else:
            tables, k = "records r NOT INDEXED", "r"
        where: list[tuple[str, Sequence[object]]] = [
            ("r.kind = 'score'" if scored else "r.kind <> 'score'", ())
        ]
        if symbol is not None:
            where.append(("k.symbol = ? AND k.scored = ?", (symbol.strip().upper(), int(scored))))
        if of is not None:
            item = "(SELECT item FROM scores WHERE offset = r.offset)" if symbol else "s.item"
            where.append(
                (f"{item} IN (SELECT value FROM json_each(?))", (as_json(int(o) for o in of),))
            )
        if origin is not None:
            where.append(("r.origin = (SELECT id FROM names WHERE name = ?)", (origin,)))
        if as_of is not None:
            where.append((f"{k}.known_at <= ?", (to_micros(as_of),)))
        if head is not None:
            where.append((f"{k}.offset <= ?", (head,)))
        if after and newest_first:
            last = "(SELECT known_at, offset FROM records WHERE offset = ?)"
            where.append((f"({k}.known_at, {k}.offset) < {last}", (after,)))
        elif after:
            where.append((f"{k}.offset > ?", (after,)))
        order = f"{k}.known_at DESC, {k}.offset DESC" if newest_first else f"{k}.offset"
        rows = self._read(
            f"SELECT r.offset FROM {tables} WHERE {' AND '.join(clause for clause, _ in where)}"
            f" ORDER BY {order} LIMIT ?",
            [*(value for _, values in where for value in values), _checked_limit(limit)],
        )
        return [row[0] for row in rows]

    def _items_at(self, offsets: Sequence[int]) -> list[Logged]:
        with self._read_lock:
            rows = item_rows(self._reader, offsets)
        return [logged(*rows[offset]) for offset in offsets if offset in rows]

    def _scores_at(self, offsets: Sequence[int]) -> list[LoggedScore]:
        with self._read_lock:
            rows = score_rows(self._reader, offsets)
            items = {columns[0] for _, columns in rows.values()}
            known = dict(
                self._reader.execute(
                    "SELECT offset, known_at FROM records WHERE offset IN (SELECT value FROM json_each(?))",
                    (as_json(items),),
                )
            )
        return [logged_score(*rows[offset], known) for offset in offsets if offset in rows]

    # ---- the backlog

    def unscored(self, version: str, *, limit: int = 512) -> list[Logged]:
        """The first items and corrections, in the order of (known_at, offset), that have no score of this version.

        Work grows with `limit` and with what was appended since the last call, not with the tape: those are entered
        into the version's backlog, and from there a score takes them out. (The first call of a version enters
        everything: about a second for a million items.)
        """
        self._look_through(version)
        of_version = "(SELECT id FROM names WHERE name = :version)"
        rows = self._read(
            f"SELECT known_at, item FROM backlog WHERE version = {of_version} UNION ALL"
            f" SELECT r.known_at, r.offset FROM records r NOT INDEXED WHERE r.offset > {_LOOKED_THROUGH.format(of_version)}"
            f" AND {WAITS.format(version=of_version)} ORDER BY 1, 2 LIMIT :limit",
            {"version": version, "limit": _checked_limit(limit)},
        )
        return self._items_at([item for _, item in rows])

    def lag(self, version: str) -> Lag:
        """How much waits for a score of this version. Writes nothing."""
        ((entered, oldest, later, oldest_later),) = self._read(
            "WITH v AS (SELECT (SELECT id FROM names WHERE name = ?) AS id),"
            " seen AS (SELECT max(head) AS head FROM looked_through WHERE version = (SELECT id FROM v))"
            " SELECT (SELECT count(*) FROM backlog WHERE version = (SELECT id FROM v)),"
            " (SELECT min(known_at) FROM backlog WHERE version = (SELECT id FROM v)), count(*), min(r.known_at)"
            " FROM records r NOT INDEXED WHERE r.offset > coalesce((SELECT head FROM seen), 0)"
            f" AND {WAITS.format(version='(SELECT id FROM v)')}",
            (version,),
        )
        known = [at for at in (oldest, oldest_later) if at is not None]
        return Lag(entered + later, from_micros(min(known)) if known else None)

    def _look_through(self, version: str) -> None:
        """Enter into the backlog of a version what was appended since this was last done, where that is much: a few items
        are found without, and entered with their scores, which saves a live headline a write to disk."""
        ((behind, looked),) = self._read(
            "SELECT coalesce((SELECT max(offset) FROM items), 0) - coalesce(max(head), 0), count(*) FROM looked_through"
            " WHERE version = (SELECT id FROM names WHERE name = ?)",
            (version,),
        )
        if behind > (_FEW if looked else 0):
            with self._writing() as end:
                self._enter(end, version, first=True)

    def _enter(self, end: _End, version: str, *, first: bool = False) -> None:
        """Enter what was appended since a version last looked, if it ever did or does for the first time."""
        id = self._id_of(version)
        looked = self._db.execute("SELECT 1 FROM looked_through WHERE version = ?", (id,))
        if first or looked.fetchone():
            self._db.execute(
                "INSERT INTO backlog SELECT ?1, r.known_at, r.offset FROM records r NOT INDEXED"
                f" WHERE r.offset > {_LOOKED_THROUGH.format('?1')} AND {WAITS.format(version='?1')}",
                (id,),
            )
            self._db.execute("INSERT OR REPLACE INTO looked_through VALUES(?,?)", (id, end.offset))

    # ---- proof

    def verify(self, receipt: Receipt | None = None) -> Fault | None:
        """Read the whole tape and recompute its chain: the first fault, or None where all is as it was appended.

        With a receipt, also that its prefix is the one the receipt was given for: whoever rewrites a record and every
        hash after it, or cuts off the end, is found by a receipt that lies elsewhere.
        """
        with closing(_open_reader(self._path)) as database:
            database.execute("BEGIN")  # one snapshot, while others go on writing
            return first_fault(database, receipt)


def _checked_limit(limit: int) -> int:
    if limit < 0:
        raise BadRequest(f"limit {limit} is negative")
    return limit


def _open_reader(path: Path) -> sqlite3.Connection:
    database = _open(path)
    database.execute("PRAGMA query_only=ON")
    return database


def _open(path: Path) -> sqlite3.Connection:
    try:
        return open_database(path)
    except sqlite3.OperationalError:
        raise  # locked, no space, no permission: the file may be sound
    except sqlite3.DatabaseError as exc:
        raise Damaged(f"{path} is not a tape: {exc}") from exc
