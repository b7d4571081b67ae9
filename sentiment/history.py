"""A tape in, the contributions it holds out: at any head, in any view, by SQL and whole columns.

A Snapshot is what features are computed from. At a fixed head it never changes, whatever is appended; the online stores
(sentiment/store.py) hold the same rows, and take what changes from here: `everything` and `changes`.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest, NotKnown
from sentiment.lives import VIEWS, Life, Record, View, lives, standing
from sentiment.log import Receipt, Tape
from sentiment.log_record import as_json
from sentiment.rolling import FOREVER, ITEM, Contributions, Floats, Ints, to_units
from sentiment.sources import Weights, packaged_weights

SECOND, MINUTE, DAY = 1_000_000, 60_000_000, 86_400_000_000

# A wait is told of once it has lasted this long, and an item without a score for that long is given up.
WAIT_LEAST, WAIT_MOST = SECOND, DAY
WAITS_HELD = (
    2 * WAIT_MOST
)  # how far behind the newest record online stores hold waits: for reads as of the last day

_ROWS_AT_ONCE = 1000  # what fits a processor's cache: 100,000 took half as long again
_NEVER, _ALWAYS = -FOREVER, FOREVER


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is known of companies at one head of the tape.

    head: the receipt of what was read. own: by entity id; companies of which nothing is held are absent. items: the rows of
    whole items (ITEM), and each: what gives those of all companies, where a panel was asked for. entities: code of each entity,
    versions: model versions by code, in the order of their first score; both codes are of this snapshot alone. since: rows
    whose moment is earlier may be missing. first_known: the first instant at which any score of the tape could be read.
    newest: known_at of the newest record. waiting: int64[k, 2], sorted: [known_at, until) of items that waited for their
    first score longer than WAIT_LEAST, until the score, until something took the item's place, or for WAIT_MOST; empty in
    other views than `known`. rewound: while it stays the same, a later snapshot of the same store tells the same of every
    instant up to this one's newest. All times are microseconds since 1970 UTC.
    """

    head: Receipt
    view: View
    model: str | None
    own: Mapping[str, Contributions]
    items: Contributions | None
    each: Callable[[], Contributions] | None
    entities: Mapping[str, int]
    versions: tuple[str, ...]
    since: int
    first_known: int | None
    newest: int | None
    waiting: Ints
    rewound: int = 0

    @property
    def everything(self) -> Contributions | None:
        """The rows of items and companies together, where a panel was asked for."""
        if self.items is None or self.each is None:
            return None
        return Contributions.concat([self.items, self.each()])


def snapshot(
    tape: Tape,
    *,
    entities: Collection[str] | None = None,
    head: int | None = None,
    view: View = "known",
    model: str | None = None,
    latency: int = 0,
    since: int | None = None,
    until: int | None = None,
    waiting_since: int | None = None,
    panel: bool = False,
    weights: Weights | None = None,
) -> Snapshot:
    """What the first `head` records (None: all) say of these entities (None: of all).

    model: a version, or the name of a model, of whose versions the newest score counts; None: of whatever version. latency:
    microseconds, for as_if. since, until: rows whose moment is earlier or later are left out; waiting_since: items known
    earlier are left out of `waiting` (default: since). weights: of sources; None: those that come with the program.
    Raises BadRequest on a view that is none, on as_if without a model, on a negative latency; NotKnown where no version or
    model of that name has a score, or the tape is shorter than head.
    """
    if view not in VIEWS:
        raise BadRequest(f"no view {view!r}; there are {', '.join(VIEWS)}")
    if view == "as_if" and model is None:
        raise BadRequest("the view as_if needs a model")
    if latency < 0:
        raise BadRequest(f"latency {latency} is negative")
    earliest, latest = (since if since is not None else _NEVER), (until if until is not None else _ALWAYS)  # fmt: skip
    receipt = tape.receipt(head)
    with tape.reading() as database:
        log = _Log(database, receipt.offset, model)
        if entities is not None and not panel:
            chosen = log.items_about(entities, earliest, latest if view == "known" else _ALWAYS)
        elif since is None and until is None:
            chosen = _ALL
        else:
            # A thread that began by `until` can have its last record later.
            chosen = _known_between(earliest, _ALWAYS if view == "latest" else latest)
        only = entities if entities is not None and not panel else None
        found = log.rows(chosen, view, latency, weights or packaged_weights(), only)
        found = found.between(earliest, latest)
        waiting = np.empty((0, 3), np.int64)
        if view == "known":
            waits = earliest if waiting_since is None else waiting_since
            waiting = log.waiting(_known_between(waits, latest))
        own = found.by_entity()
        return Snapshot(
            head=receipt,
            view=view,
            model=model,
            own=own if entities is None else {e: own[e] for e in entities if e in own},
            items=found.whole if panel else None,
            each=(lambda: found.each) if panel else None,
            entities=found.entities,
            versions=log.versions,
            since=earliest,
            first_known=log.first_known(view, latency),
            newest=log.newest(),
            waiting=waiting[:, 1:],
        )


def versions(tape: Tape, head: int | None = None) -> dict[str, str]:
    """Of each version that has a score among the first `head` records, the name of its model; first scored first."""
    with tape.reading() as database:
        return dict(_Log(database, tape.receipt(head).offset, None).models)


def known_times(tape: Tape, head: int | None = None) -> Ints:
    """known_at of each of the first `head` records (None: all), int64[head]: that of offset 1 first."""
    with tape.reading() as database:
        cursor = database.execute(
            "SELECT known_at FROM records WHERE offset <= ? ORDER BY offset", (tape.receipt(head).offset,)
        )  # fmt: skip
        return _columns(cursor, [np.int64])[0]


class Touched(NamedTuple):
    """A record, when it became known (µs), and the companies whose features it changes from then on."""

    offset: int
    known_at: int
    entities: frozenset[str]


def touched(tape: Tape, after: int, until: int, depth: int) -> list[Touched]:
    """The records in (after, until] that change what is known of companies, by offset: a score, those that it says something
    of; what takes the place of a scored item or withdraws it, those that its scores say something of. Without those that
    became known more than `depth` µs before they were recorded."""
    near = "r.offset > ? AND r.offset <= ? AND r.recorded_at - r.known_at <= ?"
    named: dict[tuple[int, int], set[str]] = {}
    with tape.reading() as database:
        found = database.execute(
            "SELECT t.score, r.known_at, t.entity FROM records r NOT INDEXED CROSS JOIN targets t ON t.score = r.offset"
            f" WHERE {near}",
            (after, until, depth),
        ).fetchall()
        superseding = database.execute(
            "SELECT r.offset, r.known_at FROM records r NOT INDEXED CROSS JOIN items i INDEXED BY item_ids ON i.offset = r.offset"
            f" WHERE {near} AND (i.refers_to IS NOT NULL OR EXISTS(SELECT 1 FROM items o INDEXED BY revised_items"
            " WHERE o.offset = r.offset AND o.source = i.source AND o.id = i.id AND o.revision > 1))",
            (after, until, depth),
        ).fetchall()
        for offset, known_at in superseding:
            found += database.execute(
                f"{_THREAD} SELECT DISTINCT ?2, ?3, t.entity FROM thread CROSS JOIN scores s ON s.item = thread.offset"
                " AND s.offset < ?2 CROSS JOIN targets t ON t.score = s.offset",
                (as_json([offset]), offset, known_at),
            ).fetchall()
    for offset, known_at, entity in found:
        named.setdefault((offset, known_at), set()).add(entity)
    return [Touched(*key, frozenset(entities)) for key, entities in sorted(named.items())]


# ---- what online stores take


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What brings a store from one head to another: for the items it names, what replaces all that was held of them.

    over: what the store is to have applied, else the batch is not its next; whole: all that was held is replaced. rows: by
    table, which is "e" and an entity id, or, for whole items, "i" and the day of their moment, counted from 1970 (UTC).
    waiting: int64[k, 3], sorted: item, known_at, until. since: what is earlier need not be kept. rewound: 0 where nothing
    that was held changes its past. The rest as in Snapshot.
    """

    over: Receipt
    head: Receipt
    whole: bool
    items: Ints
    rows: Mapping[str, Contributions]
    waiting: Ints
    versions: tuple[str, ...]
    since: int
    first_known: int | None
    newest: int | None
    rewound: int


def everything(
    tape: Tape,
    over: Receipt,
    depth: int,
    weights: Weights | None = None,
    head: int | None = None,
) -> Batch:
    """All that a store holds of the first `head` records (None: all): what became known no more than `depth` microseconds
    before the newest of them.
    """
    receipt = tape.receipt(head)
    with tape.reading() as database:
        log = _Log(database, receipt.offset, None)
        since = log.since(depth)
        return log.batch(over, receipt, _known_between(since, _ALWAYS), since, weights)


def changes(
    tape: Tape, over: Receipt, depth: int, *, limit: int, weights: Weights | None = None
) -> Batch:
    """What the next `limit` records after `over` change."""
    receipt = tape.receipt(min(tape.head(), over.offset + limit))
    with tape.reading() as database:
        log = _Log(database, receipt.offset, None)
        since = log.since(depth)
        touched = log.touched(over.offset)
        # What is recorded live becomes known after all that is held: only what is backfilled reaches into the past.
        past = log.any_known_since(log.touched(over.offset, backfilled=True), since)
        return replace(
            log.batch(over, receipt, _listed(touched), since, weights),
            whole=False,
            items=np.array(touched, np.int64),
            rewound=receipt.offset if past else 0,
        )


# ---- reading


class _Chosen(NamedTuple):
    """A choice of items, as SQL: tables in which r is the record of the item, a condition, its values.

    listed: they are named one by one, so few; else they may be all.
    """

    tables: str
    where: str
    values: Mapping[str, object]
    listed: bool


_ALL = _Chosen("records r NOT INDEXED", "r.kind <> 'score'", {}, False)


def _known_between(earliest: int, latest: int) -> _Chosen:
    return _Chosen(
        "records r INDEXED BY items_by_known",
        "r.kind <> 'score' AND r.known_at >= :earliest AND r.known_at <= :latest",
        {"earliest": earliest, "latest": latest},
        False,
    )


def _listed(items: Iterable[int]) -> _Chosen:
    return _Chosen(
        "json_each(:items) e CROSS JOIN records r ON r.offset = e.value",
        "1",
        {"items": as_json(items)},
        True,
    )


# The models that have a score, by the first score of each version: one step down an index for each.
_VERSIONS = """
WITH RECURSIVE v(id) AS (
  SELECT min(version) FROM scores
  UNION ALL SELECT (SELECT min(version) FROM scores WHERE version > v.id) FROM v WHERE v.id IS NOT NULL)
SELECT v.id, n.name, m.name FROM v
  CROSS JOIN scores s ON s.offset = (SELECT min(offset) FROM scores WHERE version = v.id)
  CROSS JOIN names n ON n.id = v.id CROSS JOIN names m ON m.id = s.model
WHERE s.offset <= ? ORDER BY s.offset
"""

# The symbols under which entities were scored, likewise.
_SYMBOLS = """
WITH RECURSIVE n(entity, symbol) AS (
  SELECT e.value, (SELECT min(symbol) FROM targets WHERE entity = e.value) FROM json_each(?) e
  UNION ALL SELECT n.entity, (SELECT min(symbol) FROM targets t WHERE t.entity = n.entity AND t.symbol > n.symbol)
  FROM n WHERE n.symbol IS NOT NULL)
SELECT DISTINCT symbol FROM n WHERE symbol IS NOT NULL
"""

# All records of the threads that some belong to, as of a head.
_THREAD = """
WITH RECURSIVE thread(offset, source, id, refers_to) AS (
  SELECT offset, source, id, refers_to FROM items
    WHERE offset IN (SELECT value FROM json_each(?1)) AND offset <= ?2
  UNION SELECT i.offset, i.source, i.id, i.refers_to FROM thread t
    CROSS JOIN items i ON i.source = t.source AND i.id = t.id WHERE i.offset <= ?2
  UNION SELECT i.offset, i.source, i.id, i.refers_to FROM thread t
    CROSS JOIN items i ON i.source = t.source AND i.id = t.refers_to WHERE i.offset <= ?2
  UNION SELECT i.offset, i.source, i.id, i.refers_to FROM thread t
    CROSS JOIN items i INDEXED BY referring_items ON i.source = t.source AND i.refers_to = t.id WHERE i.offset <= ?2
  UNION SELECT i.offset, i.source, i.id, i.refers_to FROM thread t
    CROSS JOIN items i INDEXED BY referring_items ON i.source = t.source AND i.refers_to = t.refers_to
    WHERE i.offset <= ?2)
"""
_THREADS = f"""{_THREAD}
SELECT t.offset, r.known_at, t.source, t.id, t.refers_to, i.revision = 1, r.kind = 'retraction'
  FROM thread t CROSS JOIN records r ON r.offset = t.offset CROSS JOIN items i ON i.offset = t.offset
"""


class _Found(NamedTuple):
    """Rows of whole items, and of each company by the codes of `entities`."""

    whole: Contributions
    each: Contributions
    entities: Mapping[str, int]

    def between(self, earliest: int, latest: int) -> "_Found":
        def cut(rows: Contributions) -> Contributions:
            inside = (rows.moment >= earliest) & (rows.moment <= latest)
            return rows if inside.all() else rows.take(inside)

        return self._replace(whole=cut(self.whole), each=cut(self.each))

    def by_entity(self) -> dict[str, Contributions]:
        rows = self.each.take(np.argsort(self.each.entity, kind="stable"))
        first = np.searchsorted(rows.entity, np.arange(len(self.entities) + 1)).tolist()
        return {
            entity: rows.take(slice(first[code], first[code + 1]))
            for entity, code in self.entities.items()
            if first[code] < first[code + 1]
        }


class _Log:
    """The first `head` records, and of their scores those of a model (None: all)."""

    def __init__(self, database: sqlite3.Connection, head: int, model: str | None) -> None:
        self._database, self._head = database, head
        rows = database.execute(_VERSIONS, (head,)).fetchall()
        self.models: dict[str, str] = {version: name for _, version, name in rows}
        self.versions = tuple(self.models)
        self._codes = {id: code for code, (id, _, _) in enumerate(rows)}
        self._pinned = [id for id, *names in rows if model is None or model in names]
        if model is not None and not self._pinned:
            held = ", ".join(dict.fromkeys([*self.models.values(), *self.versions])) or "none yet"
            raise NotKnown(f"no model or version {model!r} has a score on this tape; there are {held}")  # fmt: skip
        pin = f" AND s.version IN ({','.join(map(str, self._pinned))})" if model is not None else ""
        self._scored = f"s.item = r.offset AND s.offset <= :head{pin}"

    def first_known(self, view: View, latency: int) -> int | None:
        """The first instant at which any score can be read."""
        if view == "known":
            found = [
                self._one(
                    "SELECT known_at FROM records INDEXED BY records_by_origin WHERE origin = :id AND kind = 'score'"
                    " AND offset <= :head ORDER BY known_at LIMIT 1",
                    id=id,
                    head=self._head,
                )
                for id in self._pinned
            ]
            return min((at for at in found if at is not None), default=None)
        first = self._one(
            "SELECT r.known_at FROM records r INDEXED BY items_by_known WHERE r.kind <> 'score' AND r.offset <= :head"
            f" AND EXISTS(SELECT 1 FROM scores s WHERE {self._scored}) ORDER BY r.known_at LIMIT 1",
            head=self._head,
        )
        return None if first is None else first + (latency if view == "as_if" else 0)

    def since(self, depth: int) -> int:
        """What became known earlier need not be held."""
        newest = self.newest()
        return _NEVER if newest is None else newest - depth

    def newest(self) -> int | None:
        """known_at of the newest record."""
        last = self._database.execute(
            "SELECT known_at, recorded_at, backfilled FROM records WHERE offset = ?", (self._head,)
        ).fetchone()
        if last is None:
            return None
        known_at, recorded_at, backfilled = last
        if not backfilled:
            return int(known_at)  # later than all that is recorded before it
        until = "known_at <= :until AND offset <= :head ORDER BY known_at DESC LIMIT 1"
        of_items = f"items_by_known WHERE kind <> 'score' AND {until}"
        of_scores = f"records_by_origin WHERE origin = :id AND kind = 'score' AND {until}"
        found = [
            self._one(
                f"SELECT known_at FROM records INDEXED BY {index}",
                id=id,
                head=self._head,
                until=recorded_at,
            )
            for index, id in [(of_items, 0), *((of_scores, id) for id in self._codes)]
        ]
        return max(at for at in found if at is not None)

    def items_about(self, entities: Collection[str], earliest: int, latest: int) -> _Chosen:
        """Items known between these moments that a score says something of one of these entities for."""
        named = as_json(entities)
        symbols = {symbol.upper() for (symbol,) in self._database.execute(_SYMBOLS, (named,))}
        rows = self._database.execute(
            "SELECT DISTINCT s.item FROM json_each(?) n"
            " CROSS JOIN symbols k ON k.symbol = n.value AND k.scored = 1 AND k.known_at >= ?"
            " CROSS JOIN scores s ON s.offset = k.offset"
            " CROSS JOIN records r ON r.offset = s.item AND r.known_at >= ? AND r.known_at <= ?"
            " WHERE k.offset <= ? AND EXISTS(SELECT 1 FROM targets t WHERE t.score = k.offset"
            " AND t.entity IN (SELECT value FROM json_each(?)))",
            (as_json(symbols), earliest, earliest, latest, self._head, named),
        )
        return _listed(item for (item,) in rows)

    def touched(self, after: int, *, backfilled: bool = False) -> list[int]:
        """Items of which the records after that offset (those that are backfilled) change anything."""
        which = " AND r.backfilled" if backfilled else ""
        rows = self._database.execute(
            "SELECT r.offset, r.kind, s.item FROM records r NOT INDEXED LEFT JOIN scores s ON s.offset = r.offset"
            f" WHERE r.offset > ? AND r.offset <= ?{which}",
            (after, self._head),
        ).fetchall()
        new = [offset for offset, kind, _ in rows if kind != "score"]
        scored = {item for _, kind, item in rows if kind == "score"}
        return sorted(scored.union(new, self._lives(_listed(new))))

    def any_known_since(self, items: Iterable[int], since: int) -> bool:
        return bool(
            self._one(
                "SELECT EXISTS(SELECT 1 FROM records WHERE known_at >= :since"
                " AND offset IN (SELECT value FROM json_each(:items)))",
                since=since,
                items=as_json(items),
            )
        )

    def rows(
        self, chosen: _Chosen, view: View, latency: int, weights: Weights, only: Collection[str] | None
    ) -> _Found:  # fmt: skip
        """What the scores of the chosen items say; of each company, or only of these."""
        (
            offset, item, version, negative, neutral, positive, novelty, known_at, moment, backfilled, source,
        ) = _columns(
            self._database.execute(
                "SELECT s.offset, s.item, s.version, s.negative, s.neutral, s.positive, s.novelty, k.known_at,"
                f" r.known_at, r.backfilled, r.origin FROM {chosen.tables} CROSS JOIN scores s ON {self._scored}"
                f" CROSS JOIN records k ON k.offset = s.offset WHERE {chosen.where}",
                self._values(chosen),
            ),
            [_INT, _INT, _INT, _REAL, _REAL, _REAL, _REAL, _INT, _INT, np.bool_, _INT],
        )  # fmt: skip
        began, end = _begin_and_end(item, moment, self._lives(chosen))
        stands = standing(
            view, latency,
            item=item, known_at=known_at, moment=moment, began=began, end=end, offset=offset,
        )  # fmt: skip
        each = stands.rows
        whole = _contributions(
            stands.moment, stands.start, stands.end, np.full(len(each), ITEM, np.int32), item[each], offset[each],
            self._version_codes(version[each]), backfilled[each], self._weights(source[each], weights),
            np.ones(len(each)), novelty[each], negative[each], neutral[each], positive[each],
        )  # fmt: skip
        return self._with_companies(whole, chosen, only)

    def _with_companies(
        self, whole: Contributions, chosen: _Chosen, only: Collection[str] | None
    ) -> _Found:
        if chosen is _ALL:
            tables, where = "targets t NOT INDEXED", "t.score <= :head"
        elif chosen.listed:
            tables, where = "json_each(:scores) e CROSS JOIN targets t ON t.score = e.value", "1"
        else:
            scores = f"scores s ON {self._scored}"
            tables = (
                f"{chosen.tables} CROSS JOIN {scores} CROSS JOIN targets t ON t.score = s.offset"
            )
            where = chosen.where
        values = self._values(chosen)
        if chosen.listed:
            values["scores"] = as_json(whole.offset.tolist())
        if only is not None:
            where += " AND t.entity IN (SELECT value FROM json_each(:only))"
            values["only"] = as_json(only)
        entities: dict[str, int] = {}
        score, entity, relevance, novelty, negative, neutral, positive = _columns(
            self._database.execute(
                "SELECT t.score, t.entity, t.relevance, t.novelty, t.negative, t.neutral, t.positive"
                f" FROM {tables} WHERE {where}",
                values,
            ),
            [_INT, entities, _REAL, _REAL, _REAL, _REAL, _REAL],
        )
        order = np.argsort(whole.offset)
        place, mine = _places(whole.offset[order], score)
        of = whole.take(order[place[mine]])
        each = _contributions(
            of.moment, of.start, of.end, entity[mine].astype(np.int32), of.item, of.offset, of.version, of.backfilled,
            of.weight, relevance[mine], novelty[mine], negative[mine], neutral[mine], positive[mine],
        )  # fmt: skip
        return _Found(whole, each, entities)

    def waiting(self, chosen: _Chosen) -> Ints:
        """int64[k, 3]: item, known_at, until, of the chosen items that waited longer than WAIT_LEAST; by known_at."""
        rows = self._database.execute(
            # LIMIT -1: else SQLite would look for the first score once for each time that it is named.
            "SELECT item, known_at, coalesce(scored, :forever) FROM (SELECT r.offset AS item, r.known_at,"
            " (SELECT min(k.known_at) FROM scores s CROSS JOIN records k ON k.offset = s.offset"
            f" WHERE {self._scored}) AS scored FROM {chosen.tables}"
            f" WHERE {chosen.where} AND r.offset <= :head AND r.kind <> 'retraction' LIMIT -1)"
            " WHERE scored IS NULL OR scored - known_at > :least",
            self._values(chosen) | {"forever": FOREVER, "least": WAIT_LEAST},
        ).fetchall()
        waits = np.array(rows, np.int64).reshape(-1, 3)
        item, known_at, until = waits.T
        _, end = _begin_and_end(item, known_at, self._lives(_listed(item.tolist())))
        waits[:, 2] = np.minimum(np.minimum(until, end), known_at + WAIT_MOST)
        waits = waits[waits[:, 2] - known_at > WAIT_LEAST]
        return waits[np.lexsort((waits[:, 0], waits[:, 1]))]

    def batch(
        self, over: Receipt, head: Receipt, chosen: _Chosen, since: int, weights: Weights | None
    ) -> Batch:
        """The rows of the chosen items, as a whole state of a store."""
        newest = self.newest()
        found = self.rows(chosen, "known", 0, weights or packaged_weights(), None).between(
            since, _ALWAYS
        )
        waiting = self.waiting(chosen)
        rows = {f"e{entity}": rows for entity, rows in found.by_entity().items()}
        day = found.whole.moment // DAY
        rows |= {f"i{d}": found.whole.take(day == d) for d in np.unique(day).tolist()}
        return Batch(
            over=over,
            head=head,
            whole=True,
            items=np.empty(0, np.int64),
            rows=rows,
            waiting=waiting[waiting[:, 1] >= (newest or 0) - WAITS_HELD],
            versions=self.versions,
            since=since,
            first_known=self.first_known("known", 0),
            newest=newest,
            rewound=head.offset,
        )

    def _lives(self, chosen: _Chosen) -> dict[int, Life]:
        """Of those records that share their thread with others, and of these others; the rest stand for ever."""
        if chosen is _ALL:
            linked = self._database.execute(
                "SELECT offset FROM items INDEXED BY revised_items WHERE revision > 1"
                " UNION SELECT offset FROM items INDEXED BY referring_items WHERE refers_to IS NOT NULL"
            )
        else:
            linked = self._database.execute(
                f"SELECT i.offset FROM {chosen.tables} CROSS JOIN items i INDEXED BY item_ids ON i.offset = r.offset"
                f" WHERE {chosen.where} AND r.offset <= :head AND (i.refers_to IS NOT NULL"
                " OR EXISTS(SELECT 1 FROM items o INDEXED BY revised_items"
                " WHERE o.revision > 1 AND o.source = i.source AND o.id = i.id)"
                " OR EXISTS(SELECT 1 FROM items o INDEXED BY referring_items"
                " WHERE o.source = i.source AND o.refers_to = i.id))",
                self._values(chosen),
            )
        seeds = [offset for (offset,) in linked]
        if not seeds:
            return {}
        return lives(
            Record(
                offset, known_at, (source, id), None if refers_to is None else (source, refers_to),
                bool(original), bool(retracts),
            )
            for offset, known_at, source, id, refers_to, original, retracts in self._database.execute(
                _THREADS, (as_json(seeds), self._head)
            )
        )  # fmt: skip

    def _values(self, chosen: _Chosen) -> dict[str, object]:
        return {"head": self._head, **chosen.values}

    def _version_codes(self, ids: Ints) -> NDArray[np.int32]:
        return _looked_up(ids, self._codes).astype(np.int32)

    def _weights(self, sources: Ints, weights: Weights) -> Ints:
        names = self._database.execute(
            "SELECT id, name FROM names WHERE id IN (SELECT value FROM json_each(?))",
            (as_json(np.unique(sources).tolist()),),
        )
        return _looked_up(sources, {id: weights.of(name) for id, name in names})

    def _one(self, sql: str, **values: object) -> int | None:
        row = self._database.execute(sql, values).fetchone()
        return None if row is None else row[0]


def _begin_and_end(item: Ints, known_at: Ints, known: Mapping[int, Life]) -> tuple[Ints, Ints]:
    """Of items, when their threads began and until when they stand; those without a Life stand alone, for ever."""
    began, end = known_at.copy(), np.full(len(item), FOREVER)
    _, linked = _places(np.sort(np.fromiter(known, np.int64, len(known))), item)
    for at in np.flatnonzero(linked).tolist():
        began[at], end[at] = known[int(item[at])]
    return began, end


def _places(ordered: Ints, wanted: Ints) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where in a sorted array each of these is, and whether it is there."""
    if not len(ordered):
        return np.zeros(len(wanted), np.intp), np.zeros(len(wanted), np.bool_)
    place = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return place, ordered[place] == wanted


def _contributions(
    moment: Ints, start: Ints, end: Ints, entity: NDArray[np.int32], item: Ints, offset: Ints,
    version: NDArray[np.int32], backfilled: NDArray[np.bool_], weight: Ints,
    relevance: Floats, novelty: Floats, negative: Floats, neutral: Floats, positive: Floats,
) -> Contributions:  # fmt: skip
    label = (positive > np.maximum(negative, neutral)).astype(np.int8)
    label -= negative > np.maximum(positive, neutral)  # what ties is neutral
    return Contributions(
        moment=moment, start=start, end=end, entity=entity, item=item, offset=offset, version=version,
        label=label, backfilled=backfilled,
        sentiment=to_units(positive - negative),
        confidence=to_units(np.maximum(np.maximum(negative, neutral), positive)),
        relevance=to_units(relevance), novelty=to_units(novelty), weight=weight,
    )  # fmt: skip


_INT, _REAL = np.int64, np.float64


def _columns(cursor: sqlite3.Cursor, types: Sequence[Any]) -> list[NDArray[Any]]:
    """The columns of what is read, of these types; a dict takes names and gives codes, and new names get the next."""
    parts: list[list[NDArray[Any]]] = [[np.empty(0, _INT if isinstance(t, dict) else t)] for t in types]  # fmt: skip
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        for column, kind, part in zip(zip(*rows, strict=True), types, parts, strict=True):
            if isinstance(kind, dict):
                codes = [kind.setdefault(name, len(kind)) for name in column]
                part.append(np.array(codes, _INT))
            else:
                part.append(np.array(column, kind))
    return [np.concatenate(part) for part in parts]


def _looked_up(ids: Ints, values: Mapping[int, int]) -> Ints:
    unique, place = np.unique(ids, return_inverse=True)
    return np.array([values[id] for id in unique.tolist()], np.int64)[place]
