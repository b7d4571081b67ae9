"""Documents in, an append-only record of what was known when out: works, versions, documents,
ledger (SQLite, WAL).

The catalog is the system of record. Chunks, lexical index and vectors (ingest/index.py) are derived
from it and can be rebuilt. Every document gets an offset (its row number, never reused), a
recorded_at that strictly increases, and a known_at that is set once. A **work** is what the law or
the filer calls one thing; its **versions** differ in what they say; the **documents** of a version
are its manifestations (a PDF, the XML, a mirror's text), told apart by hash.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ingest import moment
from ingest.database import open_database, transaction
from ingest.document import (
    Authority,
    DocType,
    Document,
    Kind,
    Metadata,
    Page,
    Section,
    Where,
    page_at,
)
from ingest.errors import Damaged, NotKnown
from ingest.moment import Clock, from_micros, to_micros

SCHEMA_VERSION = 1
_DOCUMENTS_KEPT = 50_000  # read and kept, some 2 kB each

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS work_identifiers(
  scheme TEXT NOT NULL, value TEXT NOT NULL, work_id TEXT NOT NULL, PRIMARY KEY(scheme, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents(
  offset INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, work_id TEXT NOT NULL, version INTEGER NOT NULL,
  sha256 TEXT NOT NULL UNIQUE, text_sha256 TEXT NOT NULL, path TEXT NOT NULL, format TEXT NOT NULL,
  title TEXT NOT NULL, doc_type TEXT NOT NULL, agency TEXT, authority TEXT NOT NULL, release TEXT, company TEXT, form TEXT,
  known_at INTEGER NOT NULL, known_basis TEXT NOT NULL, backfilled INTEGER NOT NULL, recorded_at INTEGER NOT NULL UNIQUE,
  characters INTEGER NOT NULL, pages INTEGER NOT NULL, metadata TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS documents_by_work ON documents(work_id);
CREATE TABLE IF NOT EXISTS bodies(
  offset INTEGER PRIMARY KEY REFERENCES documents(offset), text TEXT NOT NULL, sections TEXT NOT NULL, page_spans TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cfr_sections(
  section TEXT NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY(section, offset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS ledger(
  path TEXT NOT NULL, sha256 TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL DEFAULT '', hint TEXT NOT NULL DEFAULT '', warnings TEXT NOT NULL DEFAULT '',
  documents INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, budget TEXT NOT NULL DEFAULT '',
  seconds REAL NOT NULL DEFAULT 0, recorded_at INTEGER NOT NULL, PRIMARY KEY(path, sha256)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings(
  kind TEXT NOT NULL, offset INTEGER NOT NULL REFERENCES documents(offset), extractor TEXT NOT NULL, content TEXT NOT NULL,
  PRIMARY KEY(kind, offset));
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A document as the catalog holds it, without its text (see `Catalog.text`)."""

    offset: int
    id: str
    work_id: str
    version: int
    sha256: str
    path: str
    format: str
    title: str
    reference: str
    authority: Authority
    doc_type: DocType
    known_at: datetime
    known_basis: str
    backfilled: bool
    recorded_at: datetime
    characters: int
    pages: int
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look in; None means all. Comparison is case-insensitive; company matches a part of
    the name.
    """

    doc_type: str | None = None
    agency: str | None = None
    authority: str | None = None
    release: str | None = None
    cfr_section: str | None = None
    company: str | None = None
    form: str | None = None
    document: str | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) is not None for f in fields(self))


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What became of one file: status "held", "duplicate" (same bytes held already) or
    "rejected".
    """

    path: str
    sha256: str
    status: str
    reason: str = ""
    message: str = ""
    hint: str = ""
    warnings: str = ""
    documents: int = 0
    pages: int = 0
    budget: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A parsed document about to be recorded.

    known_at None means: from now on (live). identifiers: strongest first, see
    ingest.metadata.identifiers.
    """

    document: Document
    sha256: str
    path: str
    known_at: datetime | None
    known_basis: str
    identifiers: Sequence[tuple[str, str]]


class Catalog:
    """The open catalog of one home directory. Safe to share between threads; several processes may
    open one home.
    """

    def __init__(self, home: Path, *, clock: Clock = moment.now) -> None:
        self.home = home
        self._clock = clock
        self._lock = threading.RLock()
        home.mkdir(parents=True, exist_ok=True)
        self._db = open_database(home / "catalog.db")
        with transaction(self._db, self._lock):
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(
                "INSERT OR IGNORE INTO meta VALUES('schema', ?)", (str(SCHEMA_VERSION),)
            )
        (found,) = self._db.execute("SELECT value FROM meta WHERE key='schema'").fetchone()
        if int(found) != SCHEMA_VERSION:
            raise Damaged(
                f"{home} was written with catalog schema {found}, this program reads {SCHEMA_VERSION}; ingest into a new home"
            )
        self._held: dict[int, Held] = {}
        self._read_body = lru_cache(maxsize=64)(self._read_body_once)

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
        self._db.close()

    # ---- writing

    def record(self, arrivals: Sequence[Arrival], ledger: Sequence[LedgerRow] = ()) -> list[Held]:
        """Append documents and their ledger rows in one transaction; what is held already (same
        hash) is left as it is.

        Returns what is now held, in the order of `arrivals`, bytes that were held before included.
        """
        with transaction(self._db, self._lock):
            offsets = [self._append(arrival) for arrival in arrivals]
            for row in ledger:
                self._write_ledger(row)
        return [self._held_at(offset) for offset in offsets]

    def note(self, row: LedgerRow) -> None:
        """Write one ledger row."""
        with transaction(self._db, self._lock):
            self._write_ledger(row)

    def _append(self, arrival: Arrival) -> int:
        known = self._db.execute(
            "SELECT offset FROM documents WHERE sha256=?", (arrival.sha256,)
        ).fetchone()
        if known:
            return int(known[0])
        document, meta = arrival.document, arrival.document.metadata
        recorded_at = self._next_moment()
        # A document that lies here was known to this reader from now on at the latest, whatever
        # date it carries.
        known_at = (
            min(to_micros(arrival.known_at), recorded_at) if arrival.known_at else recorded_at
        )
        text_hash = sha256(_letters(document.text).encode()).hexdigest()
        work_id = self._work_of(arrival)
        version = self._version_of(work_id, text_hash, arrival)
        cursor = self._db.execute(
            "INSERT INTO documents(id, work_id, version, sha256, text_sha256, path, format, title, doc_type, agency, authority,"
            " release, company, form, known_at, known_basis, backfilled, recorded_at, characters, pages, metadata)"
            " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                f"{work_id}.{arrival.sha256[:8]}", work_id, version, arrival.sha256, text_hash, arrival.path, document.format,
                meta.title or Path(arrival.path).name, meta.doc_type or DocType.OTHER, meta.agency,
                meta.authority or Authority.SECONDARY, meta.release, meta.company, meta.form, known_at,
                arrival.known_basis if arrival.known_at else "recorded", arrival.known_at is not None, recorded_at,
                len(document.text), len(document.pages), _metadata_to_json(meta),
            ),
        )  # fmt: skip
        offset = int(cursor.lastrowid or 0)
        self._db.execute(
            "INSERT INTO bodies VALUES(?,?,?,?)",
            (
                offset,
                document.text,
                _sections_to_json(document.sections),
                _pages_to_json(document.pages),
            ),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO cfr_sections VALUES(?,?)",
            [(s, offset) for s in meta.cfr_sections],
        )
        return offset

    def _next_moment(self) -> int:
        """The clock's reading, or one microsecond after the last record: recorded_at never repeats
        and never goes back.
        """
        (last,) = self._db.execute("SELECT max(recorded_at) FROM documents").fetchone()
        return max(to_micros(self._clock()), (last or 0) + 1)

    def _work_of(self, arrival: Arrival) -> str:
        """The work that shares the strongest identifier; works once told apart are never merged, so
        no past read changes.
        """
        for scheme, value in arrival.identifiers:
            found = self._db.execute(
                "SELECT work_id FROM work_identifiers WHERE scheme=? AND value=?", (scheme, value)
            ).fetchone()
            if found:
                work_id = str(found[0])
                break
        else:
            strongest = (
                arrival.identifiers[0] if arrival.identifiers else ("bytes", arrival.sha256[:12])
            )
            work_id = _slug("-".join(strongest))
        self._db.executemany(
            "INSERT OR IGNORE INTO work_identifiers VALUES(?,?,?)",
            [(s, v, work_id) for s, v in arrival.identifiers],
        )
        return work_id

    def _version_of(self, work_id: str, text_hash: str, arrival: Arrival) -> int:
        """Codified text that reads differently is a new version; a release's other manifestations
        share its version.
        """
        if not any(scheme in ("cfr", "usc", "eu") for scheme, _ in arrival.identifiers):
            return 1
        same = self._db.execute(
            "SELECT version FROM documents WHERE work_id=? AND text_sha256=?", (work_id, text_hash)
        ).fetchone()
        if same:
            return int(same[0])
        (last,) = self._db.execute(
            "SELECT max(version) FROM documents WHERE work_id=?", (work_id,)
        ).fetchone()
        return (last or 0) + 1

    def _write_ledger(self, row: LedgerRow) -> None:
        values = asdict(row) | {"recorded_at": to_micros(self._clock())}
        names = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        self._db.execute(f"INSERT OR REPLACE INTO ledger({names}) VALUES({marks})", values)

    def write_readings(self, kind: str, rows: Sequence[tuple[int, str, str]]) -> None:
        """What was read of one kind out of documents: (offset, extractor, JSON); derived, so rows are replaced."""
        with transaction(self._db, self._lock):
            self._db.executemany(
                "INSERT OR REPLACE INTO readings VALUES(?,?,?,?)", [(kind, *row) for row in rows]
            )

    # ---- reading

    def readings(self, kind: str, offsets: Sequence[int] | None = None) -> list[tuple[int, str]]:
        """(offset, JSON) of what was read of one kind out of each document, or of the documents at these offsets."""
        with self._lock:
            return self._db.execute(
                "SELECT offset, content FROM readings WHERE kind=?1"
                " AND (?2 IS NULL OR offset IN (SELECT value FROM json_each(?2))) ORDER BY offset",
                (kind, None if offsets is None else json.dumps(offsets)),
            ).fetchall()

    def unread(self, kind: str, extractor: str) -> list[int]:
        """Offsets of the documents that this extractor has not read."""
        with self._lock:
            rows = self._db.execute(
                "SELECT offset FROM documents WHERE offset NOT IN"
                " (SELECT offset FROM readings WHERE kind=? AND extractor=?) ORDER BY offset",
                (kind, extractor),
            ).fetchall()
        return [int(row[0]) for row in rows]

    def head(self) -> int:
        """The offset of the newest document; 0 when there is none."""
        with self._lock:
            (offset,) = self._db.execute(
                "SELECT coalesce(max(offset), 0) FROM documents"
            ).fetchone()
        return int(offset)

    def through(self) -> datetime | None:
        """When the newest document was recorded: the DATE in "according to the documents held,
        through DATE".
        """
        with self._lock:
            (recorded_at,) = self._db.execute("SELECT max(recorded_at) FROM documents").fetchone()
        return from_micros(recorded_at) if recorded_at else None

    def document(self, id: str) -> Held:
        """The document of that id. Raises NotKnown."""
        rows = list(self._select("id=?", (id,)))
        if not rows:
            raise NotKnown(f"no document {id!r} is held; `regtape documents` lists what is")
        return rows[0]

    def moments(self) -> list[tuple[int, int]]:
        """(offset, known_at in microseconds) of every document."""
        with self._lock:
            return self._db.execute(
                "SELECT offset, known_at FROM documents ORDER BY offset"
            ).fetchall()

    def _held_at(self, offset: int) -> Held:
        return next(self._select("offset=?", (offset,)))

    def documents(
        self, filters: Filters | None = None, *, after: int = 0, limit: int = 2**31
    ) -> list[Held]:
        """Documents with offset > `after` that match, oldest first."""
        where, values = _where(filters)
        return list(
            self._select(f"offset>? AND {where} ORDER BY offset LIMIT ?", (after, *values, limit))
        )

    def at(self, offsets: Sequence[int]) -> list[Held]:
        """Documents by offset, in the order of offset; those that are not held are left out."""
        with self._lock:
            unread = [offset for offset in offsets if offset not in self._held]
            if len(self._held) + len(unread) > _DOCUMENTS_KEPT:
                self._held, unread = {}, list(offsets)
            marks = ",".join("?" * len(unread))
            if unread:  # what is recorded stays as it is, so what was read is kept
                new = self._select(f"offset IN ({marks})", unread)
                self._held |= {held.offset: held for held in new}
            found = self._held
        return [found[offset] for offset in sorted(set(offsets)) if offset in found]

    def offsets(self, filters: Filters) -> set[int]:
        """Offsets of the documents that match."""
        where, values = _where(filters)
        with self._lock:
            return {
                int(row[0])
                for row in self._db.execute(f"SELECT offset FROM documents WHERE {where}", values)
            }

    def holds_bytes(self, digest: str) -> bool:
        """Whether a document with that SHA-256 is held."""
        with self._lock:
            return (
                self._db.execute("SELECT 1 FROM documents WHERE sha256=?", (digest,)).fetchone()
                is not None
            )

    def id_of_bytes(self, digest: str) -> str | None:
        """The document that is a whole file with that SHA-256."""
        with self._lock:
            row = self._db.execute("SELECT id FROM documents WHERE sha256=?", (digest,)).fetchone()
        return str(row[0]) if row else None

    def text(self, id: str) -> str:
        """The stored text, to which every citation's offsets refer. Raises NotKnown."""
        return self.body(id)[0]

    def body(self, id: str) -> tuple[str, tuple[Section, ...], tuple[Page, ...]]:
        """Text, sections and pages of a document. Raises NotKnown."""
        return self._read_body(id)

    def page_at(self, id: str, offset: int) -> int | None:
        """The number of the page on which a character of the text stands, or None where there are
        no pages.
        """
        page = page_at(self.body(id)[2], offset)
        return page.number if page else None

    def _read_body_once(self, id: str) -> tuple[str, tuple[Section, ...], tuple[Page, ...]]:
        with self._lock:
            row = self._db.execute(
                "SELECT text, sections, page_spans FROM bodies JOIN documents USING(offset) WHERE id=?",
                (id,),
            ).fetchone()
        if row is None:
            raise NotKnown(f"no document {id!r} is held; `regtape documents` lists what is")
        return (
            str(row[0]),
            _sections_from_json(row[1]),
            tuple(Page(*page) for page in json.loads(row[2])),
        )

    def ledger(self, *, status: str | None = None) -> list[LedgerRow]:
        """What became of each file, in the order of path."""
        where, values = ("status=?", (status,)) if status else ("1", ())
        names = ", ".join(f.name for f in fields(LedgerRow))
        with self._lock:
            rows = self._db.execute(
                f"SELECT {names} FROM ledger WHERE {where} ORDER BY path", values
            ).fetchall()
        return [LedgerRow(*row) for row in rows]

    def ledger_of(self, path: str, digest: str) -> LedgerRow | None:
        """What became of a file with those bytes at that path, if it was met before."""
        names = ", ".join(f.name for f in fields(LedgerRow))
        with self._lock:
            row = self._db.execute(
                f"SELECT {names} FROM ledger WHERE path=? AND sha256=?", (path, digest)
            ).fetchone()
        return LedgerRow(*row) if row else None

    def check(self) -> list[str]:
        """What is wrong inside the catalog itself; an empty list means it is sound."""
        with self._lock:
            faults = [
                str(row[0]) for row in self._db.execute("PRAGMA integrity_check") if row[0] != "ok"
            ]
            bodiless = self._db.execute(
                "SELECT count(*) FROM documents WHERE offset NOT IN (SELECT offset FROM bodies)"
            ).fetchone()[0]
        return faults + ([f"{bodiless} documents have no text"] if bodiless else [])

    def _select(self, where: str, values: Iterable[object]) -> Iterator[Held]:
        with self._lock:
            rows = self._db.execute(
                "SELECT offset, id, work_id, version, sha256, path, format, title, authority, doc_type, known_at, known_basis,"
                f" backfilled, recorded_at, characters, pages, metadata FROM documents WHERE {where}",
                tuple(values),
            ).fetchall()
        for row in rows:
            meta = _metadata_from_json(row[16])
            yield Held(
                offset=row[0], id=row[1], work_id=row[2], version=row[3], sha256=row[4], path=row[5], format=row[6],
                title=row[7], reference=reference(meta), authority=Authority(row[8]), doc_type=DocType(row[9]),
                known_at=from_micros(row[10]), known_basis=row[11], backfilled=bool(row[12]),
                recorded_at=from_micros(row[13]), characters=row[14], pages=row[15], metadata=meta,
            )  # fmt: skip


def reference(meta: Metadata) -> str:
    """How counsel would cite it: "Release No. 34-51808; 70 FR 37496", "17 CFR 242.612", "3M Co,
    10-K for 2018-12-31".
    """
    if meta.form or meta.accession:
        filing = " ".join(filter(None, [meta.form, f"for {meta.period}" if meta.period else None]))
        return ", ".join(filter(None, [meta.company, filing or None, meta.accession]))
    parts = [f"Release No. {meta.release}" if meta.release else None, meta.fr_citation]
    if not any(parts) and meta.fr_document:
        parts = [f"FR Doc. {meta.fr_document}"]
    if not any(parts) and meta.doc_type is DocType.REGULATION and meta.cfr_sections:
        parts = [f"17 CFR {meta.cfr_sections[0]}"]
    if not any(parts) and meta.primary:
        parts = [f"on {meta.primary.replace('fr:', 'FR Doc. ').replace('sec:', 'Release No. ')}"]
    return "; ".join(filter(None, parts)) or (str(meta.published_on) if meta.published_on else "")


def _where(filters: Filters | None) -> tuple[str, list[str]]:
    clauses, values = ["1"], []
    simple = {
        "doc_type": "doc_type",
        "agency": "agency",
        "authority": "authority",
        "release": "release",
        "form": "form",
        "document": "id",
    }
    for name, column in simple.items():
        wanted = getattr(filters, name, None)
        if wanted:
            clauses.append(f"lower({column})=lower(?)")
            values.append(wanted)
    if filters and filters.company:
        clauses.append("company LIKE ? ESCAPE '\\'")
        values.append("%" + re.sub(r"([%_\\])", r"\\\1", filters.company) + "%")
    if filters and filters.cfr_section:
        clauses.append("offset IN (SELECT offset FROM cfr_sections WHERE section=?)")
        values.append(
            re.sub(r"^(?:17 CFR |§ ?|rule )", "", filters.cfr_section, flags=re.IGNORECASE)
        )
    return " AND ".join(clauses), values


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.+-]+", "-", name.lower()).strip("-")


def _letters(text: str) -> str:
    """Letters and digits alone: two manifestations of one text agree on these."""
    return re.sub(r"[\W_]+", "", text.casefold())


def _metadata_to_json(meta: Metadata) -> str:
    values = {k: v for k, v in asdict(meta).items() if v not in (None, (), {})}
    return json.dumps(values, default=lambda v: v.isoformat(), ensure_ascii=False)


_READERS: dict[str, Callable[[Any], Any]] = {
    "doc_type": DocType, "authority": Authority, "rin": tuple, "file_numbers": tuple, "cfr_sections": tuple,
    "published_on": date.fromisoformat, "effective_on": date.fromisoformat, "compliance_on": date.fromisoformat,
    "period": date.fromisoformat, "accepted_at": datetime.fromisoformat,
    "where": lambda places: {name: Where(**place) for name, place in places.items()},
}  # fmt: skip


def _metadata_from_json(text: str) -> Metadata:
    return Metadata(**{k: _READERS.get(k, lambda v: v)(v) for k, v in json.loads(text).items()})


def _sections_to_json(sections: Iterable[Section]) -> str:
    return json.dumps(
        [(s.start, s.end, s.path, s.kind, s.label, s.anchor) for s in sections], ensure_ascii=False
    )


def _sections_from_json(text: str) -> tuple[Section, ...]:
    return tuple(
        Section(a, b, tuple(path), Kind(kind), label, anchor)
        for a, b, path, kind, label, anchor in json.loads(text)
    )


def _pages_to_json(pages: Iterable[Page]) -> str:
    return json.dumps([(p.number, p.start, p.end, p.printed) for p in pages])
