"""Chunks with vectors in, scores of every chunk as of a moment out: exact dense and BM25 ranking
over one cutting.

A **cutting** is one way to cut and embed (chunk settings, embedder, tokeniser); its fingerprint
names the SQLite file and the Chroma collection, so two cuttings never mix. All of it is derived
from the catalog and can be rebuilt.

As-of ranking is exact: scores are computed over the chunks with `known_at <= as_of` and `offset <=
head` alone, BM25 with the statistics of just those (FTS5's own bm25() changes with later inserts).
FTS5 holds the inverted index and is read through its vocabulary table. A row's score is computed
from the row alone, never in a product with others, where BLAS may order the sum by how many there
are: so ranking as of a moment is the same to the bit whatever is appended.
"""

import threading
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.catalog import Catalog, Filters, Held
from ingest.database import open_database, transaction
from ingest.document import Chunk, Kind
from ingest.moment import to_micros
from ingest.tokens import terms
from ingest.vectors import Vectors

_HEADING_WEIGHT = 3.0  # a term in title or heading path counts this many occurrences in the passage
_K1, _B = 1.2, 0.6  # BM25, chosen on the dev questions
_PLACES = 1 << 20  # terms of a passage, at most: it is cut long before
_VERSION = 1  # of the schema below; 0, without calls, is made up to it when it is opened

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cuts(offset INTEGER PRIMARY KEY, chunks INTEGER NOT NULL, in_vectors INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chunks(
  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, offset INTEGER NOT NULL, ordinal INTEGER NOT NULL,
  start INTEGER NOT NULL, end INTEGER NOT NULL, section INTEGER NOT NULL, context TEXT NOT NULL, kind TEXT NOT NULL,
  label TEXT, page INTEGER, length INTEGER NOT NULL, text_hash INTEGER NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_by_document ON chunks(offset, ordinal);
CREATE TABLE IF NOT EXISTS calls(row INTEGER PRIMARY KEY, by INTEGER NOT NULL);
CREATE VIRTUAL TABLE IF NOT EXISTS terms USING fts5(
  heading, body, content='', tokenize="unicode61 remove_diacritics 0 tokenchars '$%+-./()'");
CREATE VIRTUAL TABLE IF NOT EXISTS vocabulary USING fts5vocab(terms, instance);
"""


@dataclass(frozen=True, slots=True)
class Cut:
    """A held document with its chunks and their vectors, (n, dimensions)."""

    held: Held
    text: str
    chunks: Sequence[Chunk]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Row:
    """A chunk as indexed, by its row."""

    row: int
    id: str
    offset: int
    ordinal: int
    start: int
    end: int
    section: int
    context: str
    kind: Kind
    label: str | None
    page: int | None
    text_hash: int


@dataclass(frozen=True, slots=True)
class View:
    """Which rows a read may see: (rows,) of bool, over the rows loaded when it was made, and how many that are."""

    mask: NDArray[np.bool_]
    count: int

    @property
    def whole(self) -> bool:
        """Whether nothing is hidden: so it is for most reads, and they need not look."""
        return self.count == len(self.mask)


@dataclass(frozen=True, slots=True)
class _Postings:
    """Rows in which something occurs, in order, how often in each (a heading counts for more), and where in the bodies: row *
    _PLACES + place, in order."""

    rows: NDArray[np.int64]
    frequency: NDArray[np.float64]
    places: NDArray[np.int64]

    @classmethod
    def at(cls, places: NDArray[np.int64]) -> "_Postings":
        rows, counts = np.unique(places // _PLACES, return_counts=True)
        return cls(rows, counts.astype(np.float64), places)


class Index:
    """One cutting of one catalog, open for reading and writing. Thread-safe; call `refresh()`
    before a read.
    """

    def __init__(
        self, catalog: Catalog, fingerprint: str, dimensions: int, vectors: Vectors | None = None
    ) -> None:
        """vectors: where the vectors also go; None for a reader, which never needs them."""
        self._catalog, self.fingerprint, self.dimensions, self._vectors = (
            catalog,
            fingerprint,
            dimensions,
            vectors,
        )
        self.path = catalog.home / f"index-{fingerprint}.db"
        self._lock = threading.RLock()
        self._db = open_database(self.path)
        with transaction(self._db, self._lock):
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
            self._upgrade()
        # With room behind the rows that are filled, so that growing does not copy each time.
        self._vectors_held = np.empty((0, dimensions), np.float32)
        self._offsets = np.empty(0, np.int64)
        self._lengths = np.empty(0, np.int64)
        self._known_at = np.empty(0, np.int64)
        self._calls = np.empty(0, np.int64)
        self._read_postings = lru_cache(maxsize=4096)(self._read_postings_once)
        self._read_pair = lru_cache(maxsize=1024)(self._read_pair_once)
        self._weigh_all = lru_cache(maxsize=4096)(self._weigh_all_once)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _upgrade(self) -> None:
        """What an earlier version of this program wrote lacks, from the catalog."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == _VERSION:
            return
        offsets = [int(row[0]) for row in self._db.execute("SELECT offset FROM cuts")]
        for first in range(0, len(offsets), 500):
            for held in self._catalog.at(offsets[first : first + 500]):
                self._insert_calls(held)
        self._db.execute(f"PRAGMA user_version={_VERSION}")

    # ---- writing

    def add(self, cuts: Sequence[Cut]) -> None:
        """Index documents; one that is indexed already is left as it is.

        Two steps, each safe to be killed in: rows, terms and vectors in one SQLite transaction;
        then the vector store, by id, and a mark that it has them. What lacks the mark is pushed
        again by `catch_up()`, without embedding anew.
        """
        with transaction(self._db, self._lock):
            for cut in cuts:
                self._insert(cut)
        self.catch_up()

    def _insert(self, cut: Cut) -> None:
        offset = cut.held.offset
        if self._db.execute("SELECT 1 FROM cuts WHERE offset=?", (offset,)).fetchone():
            return
        self._db.execute("INSERT INTO cuts VALUES(?,?,0)", (offset, len(cut.chunks)))
        for chunk, vector in zip(cut.chunks, cut.vectors, strict=True):
            passage = cut.text[chunk.start : chunk.end]
            heading, body = (
                terms(f"{cut.held.title} {cut.held.reference} {chunk.context}"),
                terms(passage),
            )
            cursor = self._db.execute(
                "INSERT INTO chunks(id, offset, ordinal, start, end, section, context, kind, label,"
                " page, length, text_hash, vector)"
                " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    f"{cut.held.id}#{chunk.ordinal}", offset, chunk.ordinal, chunk.start, chunk.end, chunk.section,
                    chunk.context, chunk.kind, chunk.label, chunk.page, len(body), _text_hash(passage),
                    np.ascontiguousarray(vector, np.float32).tobytes(),
                ),
            )  # fmt: skip
            self._db.execute(
                "INSERT INTO terms(rowid, heading, body) VALUES(?,?,?)",
                (cursor.lastrowid, " ".join(heading), " ".join(body)),
            )
        self._insert_calls(cut.held)

    def _insert_calls(self, held: Held) -> None:
        """Which passage calls each note of a document."""
        rows = self._db.execute(
            "SELECT row, start, end, section, kind='footnote' FROM chunks WHERE offset=? ORDER BY start",
            (held.offset,),
        ).fetchall()
        if not any(is_note for *_, is_note in rows):
            return
        sections = self._catalog.body(held.id)[1]
        running = [(start, end, row) for row, start, end, _, is_note in rows if not is_note]
        for row, _, _, section, is_note in rows:
            anchor = sections[section].anchor if is_note else None
            at = bisect_right(running, anchor, key=itemgetter(0)) - 1 if anchor is not None else -1
            if at >= 0 and anchor is not None and anchor <= running[at][1]:
                self._db.execute("INSERT OR REPLACE INTO calls VALUES(?,?)", (row, running[at][2]))

    def catch_up(self) -> int:
        """Push to the vector store what it has not confirmed; returns how many documents that
        were.
        """
        if self._vectors is None:
            return 0
        with self._lock:
            waiting = [
                int(r[0])
                for r in self._db.execute(
                    "SELECT offset FROM cuts WHERE in_vectors=0 ORDER BY offset"
                )
            ]
        known = dict(self._catalog.moments()) if waiting else {}
        for at in range(0, len(waiting), 64):
            group = waiting[at : at + 64]
            marks = ",".join("?" * len(group))
            with self._lock:
                rows = self._db.execute(
                    f"SELECT id, offset, vector FROM chunks WHERE offset IN ({marks}) ORDER BY row",
                    group,
                ).fetchall()
            if rows:
                matrix = np.frombuffer(b"".join(r[2] for r in rows), np.float32).reshape(
                    len(rows), self.dimensions
                )
                self._vectors.add(
                    [r[0] for r in rows], matrix, [known[r[1]] for r in rows], [r[1] for r in rows]
                )
            with transaction(self._db, self._lock):
                self._db.execute(f"UPDATE cuts SET in_vectors=1 WHERE offset IN ({marks})", group)
        return len(waiting)

    def lacking(self) -> list[int]:
        """Offsets of held documents that this cutting has not indexed."""
        with self._lock:
            done = {int(row[0]) for row in self._db.execute("SELECT offset FROM cuts")}
        return [offset for offset, _ in self._catalog.moments() if offset not in done]

    def check(self, *, with_vectors: bool = True) -> list[str]:
        """Disagreements between catalog, index and vector store, each a sentence; empty when all is
        well.
        """
        faults = (
            [f"{len(lacking)} documents are held but not indexed"]
            if (lacking := self.lacking())
            else []
        )
        with self._lock:
            faults += [
                f"index: {row[0]}"
                for row in self._db.execute("PRAGMA integrity_check")
                if row[0] != "ok"
            ]
            short = self._db.execute(
                "SELECT count(*) FROM cuts WHERE chunks != (SELECT count(*) FROM chunks WHERE chunks.offset = cuts.offset)"
            ).fetchone()[0]
            ids = {str(row[0]) for row in self._db.execute("SELECT id FROM chunks")}
            termed = self._db.execute("SELECT count(*) FROM terms").fetchone()[0]
            orphans = {int(r[0]) for r in self._db.execute("SELECT offset FROM cuts")} - {
                offset for offset, _ in self._catalog.moments()
            }
        faults += [f"{short} documents have fewer chunks than were cut"] if short else []
        faults += [f"{len(orphans)} indexed documents are not in the catalog"] if orphans else []
        faults += (
            [f"{termed} passages have terms, {len(ids)} are indexed"] if termed != len(ids) else []
        )
        if with_vectors and self._vectors is not None:
            stored = self._vectors.ids()
            faults += [f"{n} passages have no vector in Chroma"] if (n := len(ids - stored)) else []
            faults += (
                [f"{n} vectors in Chroma belong to no passage"] if (n := len(stored - ids)) else []
            )
        return faults

    def clear(self) -> None:
        """Forget everything derived, in the vector store too; the pipeline then indexes the catalog
        anew.
        """
        if self._vectors is not None:
            self._vectors.remove(sorted(self._vectors.ids()))
        with transaction(self._db, self._lock):
            for table in ("cuts", "chunks", "calls", "terms", "vocabulary"):
                self._db.execute(f"DROP TABLE IF EXISTS {table}")
            for statement in _SCHEMA.split(";\n"):
                self._db.execute(statement)
        self._forget()

    # ---- reading

    @property
    def size(self) -> int:
        """Rows loaded for reading."""
        return len(self._offsets)

    def refresh(self) -> None:
        """See what any process has added since the last call: a count when nothing was, else only
        the new rows are read.
        """
        with self._lock:
            (rows,) = self._db.execute("SELECT coalesce(max(row), 0) FROM chunks").fetchone()
            if rows == self.size:
                return
            if rows < self.size:  # rebuilt by `doctor --repair`
                self._forget()
            new = self._db.execute(
                "SELECT offset, length, vector, coalesce(by, 0) FROM chunks LEFT JOIN calls USING(row)"
                " WHERE row>? AND row<=? ORDER BY row",
                (self.size, rows),
            ).fetchall()
            self._load(new)
            self._forget_postings()

    def _load(self, new: Sequence[tuple[int, int, bytes, int]]) -> None:
        known = dict(self._catalog.moments())
        offsets = np.fromiter((r[0] for r in new), np.int64, len(new))
        self._append(
            np.frombuffer(b"".join(r[2] for r in new), np.float32).reshape(-1, self.dimensions)
        )
        self._lengths = np.concatenate(
            [self._lengths, np.fromiter((r[1] for r in new), np.int64, len(new))]
        )
        self._known_at = np.concatenate(
            [self._known_at, np.fromiter((known[o] for o in offsets), np.int64, len(new))]
        )
        self._calls = np.concatenate(
            [self._calls, np.fromiter((r[3] - 1 for r in new), np.int64, len(new))]
        )
        self._offsets = np.concatenate([self._offsets, offsets])  # last: by it, rows are there

    def _append(self, vectors: NDArray[np.float32]) -> None:
        needed = self.size + len(vectors)
        if needed > len(self._vectors_held):
            room = max(needed, 2 * self.size if self.size else 0)
            grown = np.empty((room, self.dimensions), np.float32)
            grown[: self.size] = self._vectors_held[: self.size]
            self._vectors_held = grown
        self._vectors_held[self.size : needed] = vectors

    def _forget(self) -> None:
        self._vectors_held = np.empty((0, self.dimensions), np.float32)
        self._offsets = self._lengths = self._known_at = self._calls = np.empty(0, np.int64)
        self._forget_postings()

    def _forget_postings(self) -> None:
        self._read_postings.cache_clear()
        self._read_pair.cache_clear()
        self._weigh_all.cache_clear()

    def view(
        self, as_of: datetime, *, head: int | None = None, filters: Filters | None = None
    ) -> View:
        """The rows that a read as of that moment, at that head of the log, may see."""
        offsets = self._offsets  # another thread may load more meanwhile
        mask = self._known_at[: len(offsets)] <= to_micros(as_of)
        if head is not None:
            mask &= offsets <= head
        if filters:
            mask &= np.isin(offsets, sorted(self._catalog.offsets(filters)))
        return View(mask, int(mask.sum()))

    def documents(self, view: View) -> set[int]:
        """Offsets of the documents of a view."""
        return set(np.unique(self._offsets[: len(view.mask)][view.mask]).tolist())

    def among(self, view: View, offsets: Collection[int]) -> View:
        """Of a view, the rows of these documents."""
        if not offsets:
            return View(np.zeros_like(view.mask), 0)
        mask = view.mask & np.isin(self._offsets[: len(view.mask)], sorted(offsets))
        return View(mask, int(mask.sum()))

    def around(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(rows, 2): the rows before and behind each in its document; -1 where it begins or ends."""
        offsets = self._offsets
        beside = rows[:, np.newaxis] + np.array([-1, 1])
        inside = (beside >= 0) & (beside < len(offsets))
        same = inside & (offsets[np.where(inside, beside, 0)] == offsets[rows][:, np.newaxis])
        return np.where(same, beside, -1)

    def calling(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(rows,): of a note, the row whose text calls it; -1 for any other."""
        found: NDArray[np.int64] = self._calls[rows]
        return found

    def vectors(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """(rows, dimensions)"""
        found: NDArray[np.float32] = self._vectors_held[rows]
        return found

    def dense(self, vector: NDArray[np.float32], view: View) -> NDArray[np.float32]:
        """Cosine of every row with a normalised query, (rows,); -1 outside the view."""
        # One dot product a row: as fast as memory is read, where a matrix product waits for threads.
        scores: NDArray[np.float32] = np.vecdot(self._vectors_held[: len(view.mask)], vector)
        return scores if view.whole else np.where(view.mask, scores, np.float32(-1.0))

    def lexical(
        self, weights: Mapping[str, float], view: View, pairs: Mapping[tuple[str, str], float] = {}
    ) -> NDArray[np.float64]:
        """BM25 of every row, (rows,), for query terms with their weights, and for pairs of terms one right behind the other in
        a passage; 0 outside the view.

        Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), equation 3.15, with
        idf ln(1 + (N - n + ½)/(n + ½)) so that it never is negative; N, n and the mean length are
        those of the view. A pair counts as a term (sequential dependence: Metzler and Croft, "A Markov Random Field Model for
        Term Dependencies", 2005).
        """
        scores = np.zeros(len(view.mask))
        if not view.count:
            return scores
        mean = self._mean_length(view)
        sought: list[tuple[str | tuple[str, str], float]] = [*weights.items(), *pairs.items()]
        for what, weight in sought:
            rows, saturated = self._weigh(what, view, mean)
            if len(rows):
                scores[rows] += weight * self._idf(len(rows), view) * saturated
        return scores

    def _mean_length(self, view: View) -> float:
        lengths = self._lengths[: len(view.mask)]
        return max(int((lengths if view.whole else lengths[view.mask]).sum()) / view.count, 1.0)

    def _weigh(
        self, what: str | tuple[str, str], view: View, mean: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of a view in which a term or pair occurs, and what BM25 makes of how often."""
        if view.whole:
            return self._weigh_all(what, len(view.mask), mean)
        rows, frequency = _inside(self._postings(what, len(view.mask)), view)
        return rows, self._saturated(rows, frequency, mean)

    def _weigh_all_once(
        self, what: str | tuple[str, str], size: int, mean: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        found = self._postings(what, size)
        return found.rows, self._saturated(found.rows, found.frequency, mean)

    def _saturated(
        self, rows: NDArray[np.int64], frequency: NDArray[np.float64], mean: float
    ) -> NDArray[np.float64]:
        norm = _K1 * (1 - _B + _B * self._lengths[rows] / mean)
        return frequency * (_K1 + 1) / (frequency + norm)

    def idf(self, term: str, view: View) -> float:
        """How telling a term is among the rows of the view; highest for a term that occurs
        nowhere.
        """
        return self._idf(self.occurs(term, view), view)

    def occurs(self, term: str, view: View) -> int:
        """In how many rows of the view a term occurs."""
        found = self._postings(term, len(view.mask))
        return len(found.rows if view.whole else _inside(found, view)[0])

    def _idf(self, n: int, view: View) -> float:
        return float(np.log(1 + (view.count - n + 0.5) / (n + 0.5)))

    def _postings(self, what: str | tuple[str, str], size: int) -> _Postings:
        return (
            self._read_postings(what, size)
            if isinstance(what, str)
            else self._read_pair(*what, size)
        )

    def _read_postings_once(self, term: str, size: int) -> _Postings:
        """Over the first `size` rows; that is said, not looked up, since another thread may load more meanwhile."""
        with self._lock:
            found = self._db.execute(
                "SELECT doc, col='heading', offset FROM vocabulary WHERE term=?", (term,)
            ).fetchall()
        each = np.array(found, np.int64).reshape(-1, 3)
        each = each[each[:, 0] <= size]
        row, heading = each[:, 0] - 1, each[:, 1] == 1
        counts = np.bincount(row, weights=np.where(heading, _HEADING_WEIGHT, 1.0), minlength=1)
        rows = np.flatnonzero(counts).astype(np.int64)
        places = np.sort((row * _PLACES + each[:, 2])[~heading])
        return _Postings(rows, counts[rows].astype(np.float64), places)

    def _read_pair_once(self, first: str, second: str, size: int) -> _Postings:
        behind = self._read_postings(first, size).places + 1
        places = self._read_postings(second, size).places
        if not len(places):
            return _Postings.at(places)
        at = np.minimum(np.searchsorted(places, behind), len(places) - 1)
        return _Postings.at(behind[places[at] == behind])

    def rows(self, numbers: Sequence[int]) -> list[Row]:
        """Chunks by their index in the score arrays, in the order asked for."""
        marks = ",".join("?" * len(numbers))
        return self._rows(
            f"row IN ({marks})", [n + 1 for n in numbers], {n: at for at, n in enumerate(numbers)}
        )

    def siblings(self, offset: int, first: int, last: int) -> list[Row]:
        """Chunks of a document by ordinal, first to last inclusive."""
        return self._rows(
            "offset=? AND ordinal BETWEEN ? AND ? ORDER BY ordinal", [offset, first, last], {}
        )

    def _rows(self, where: str, values: Sequence[Any], order: dict[int, int]) -> list[Row]:
        with self._lock:
            found = self._db.execute(
                "SELECT row, id, offset, ordinal, start, end, section, context, kind, label, page,"
                f" text_hash FROM chunks WHERE {where}",
                values,
            ).fetchall()
        rows = [_row(*values) for values in found]
        return sorted(rows, key=lambda r: order[r.row]) if order else rows


def _inside(postings: _Postings, view: View) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of a view in which something occurs, and how often."""
    inside = view.mask[postings.rows]
    return postings.rows[inside], postings.frequency[inside]


def _row(row: int, *values: Any) -> Row:
    return Row(*[row - 1, *values[:7], Kind(values[7]), *values[8:]])


def _text_hash(text: str) -> int:
    """Normalised text as 63 bits: the same words from two manifestations are one piece of
    evidence.
    """
    letters = "".join(c for c in text.casefold() if c.isalnum())
    return int.from_bytes(blake2b(letters.encode(), digest_size=8).digest()) >> 1
