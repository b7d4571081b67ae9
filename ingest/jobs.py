"""Files, folders and addresses to bring in, as jobs; what became of each file out. `run` is THE FLOW of one job.

Jobs stand in jobs.db of a home, apart from the catalog: who asks how far one is never waits for a long write. Uploads lie in
its folder `uploads` under the hash of their bytes. One process at a time runs the jobs of a home: the one that holds its turn.
It can be killed at any instruction; what it was running is found as such by the next one, and goes on after the last file
of which it is written what became of it.
"""

import fcntl
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Protocol, Self

from ingest import moment
from ingest.catalog import Catalog, LedgerRow
from ingest.database import open_database, transaction
from ingest.errors import BadRequest, NotKnown, OverBudget, RegTapeError, SourceDown
from ingest.manifest import read_manifest
from ingest.moment import Clock, from_micros, to_micros
from ingest.pipeline import Report, Source, hash_file, sources

MOST_ATTEMPTS = 3  # processes that may die over one file before its job is given up
MOST_KEPT = 1000  # jobs that have ended
TOGETHER = 8  # files between two looks whether the job still stands

_ABANDONED = 3600.0  # seconds after which an upload that belongs to nothing is taken away
_BLOCK = 1 << 20
_NAME = 120  # characters

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs(
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
  places TEXT NOT NULL, key TEXT UNIQUE, asked TEXT NOT NULL, created_at INTEGER NOT NULL, due_at INTEGER NOT NULL,
  every INTEGER, started_at INTEGER, ended_at INTEGER, listed INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs(state, due_at);
CREATE TABLE IF NOT EXISTS files(
  job INTEGER NOT NULL REFERENCES jobs(number) ON DELETE CASCADE, number INTEGER NOT NULL, kind TEXT NOT NULL,
  name TEXT NOT NULL, place TEXT NOT NULL, given TEXT NOT NULL, result TEXT NOT NULL DEFAULT 'waiting', held_before INTEGER,
  document_id TEXT, documents INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
  message TEXT NOT NULL DEFAULT '', hint TEXT NOT NULL DEFAULT '', PRIMARY KEY(job, number)) WITHOUT ROWID;
"""


class State(StrEnum):
    """How a job stands. DONE: each of its files was tried, whatever became of it; FAILED: it could not go on."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Result(StrEnum):
    """What became of a file of a job. UNCHANGED: its bytes were held already."""

    WAITING = "waiting"
    READING = "reading"
    ADDED = "added"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"


class Kind(StrEnum):
    """Where a file comes from: bytes that somebody sent, an address of the web, a file or folder of this machine."""

    UPLOAD = "upload"
    URL = "url"
    PATH = "path"


class Place(NamedTuple):
    """Something to bring in. name: as it was called by who asked; where: the hash, the URL or the absolute path."""

    kind: Kind
    name: str
    where: str


@dataclass(frozen=True, slots=True)
class JobFile:
    """One file of a job. reason, message, hint: why it was rejected; document_id: of the one document that it is."""

    number: int
    kind: Kind
    name: str
    result: Result
    document_id: str | None = None
    documents: int = 0
    reason: str = ""
    message: str = ""
    hint: str = ""
    where: str = ""
    given: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A job and how far it is. total: files, None until its folders have been looked through; names: of its places."""

    number: int
    id: str
    state: State
    message: str
    names: tuple[str, ...]
    created_at: datetime
    due_at: datetime
    every: timedelta | None
    started_at: datetime | None
    ended_at: datetime | None
    total: int | None
    added: int
    unchanged: int
    rejected: int

    @property
    def done(self) -> int:
        """Files of which it is known what became of them."""
        return self.added + self.unchanged + self.rejected

    @property
    def over(self) -> bool:
        """Whether nothing about it will change any more."""
        return self.state in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do. oldest: since when the job that waits longest could have begun."""

    queued: int
    running: int
    oldest: datetime | None


class Jobs:
    """The jobs of one home. Safe to share between threads; several processes may open one home."""

    def __init__(self, home: Path, *, clock: Clock = moment.now) -> None:
        self.home = home
        self._clock = clock
        self._lock = threading.RLock()
        home.mkdir(parents=True, exist_ok=True)
        self._db = open_database(home / "jobs.db")
        with transaction(self._db, self._lock):
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)

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

    # ---- for who asks

    def add(
        self,
        places: Sequence[Place],
        *,
        key: str | None = None,
        due_at: datetime | None = None,
        every: timedelta | None = None,
    ) -> Job:
        """A new job, or the one that was added under the same key.

        due_at: not before; every: and again so long after it was due, as a job of its own. Raises BadRequest where there is
        nothing to bring in, or the key was used for something else.
        """
        if not places:
            raise BadRequest("there is nothing to bring in")
        if every is not None and every < timedelta(minutes=1):
            raise BadRequest("a job can be repeated every minute, and not more often")
        asked = sha256(json.dumps(places).encode()).hexdigest()
        with transaction(self._db, self._lock):
            known = self._db.execute("SELECT id, asked FROM jobs WHERE key=?", (key,)).fetchone()
            if known and known[1] != asked:
                raise BadRequest("this Idempotency-Key was used for another request")
            id = known[0] if known else self._insert(places, key, asked, due_at, every)
        return self.job(id)

    def _insert(
        self,
        places: Sequence[Place],
        key: str | None,
        asked: str,
        due_at: datetime | None,
        every: timedelta | None,
    ) -> str:
        now, id = to_micros(self._clock()), secrets.token_hex(6)
        cursor = self._db.execute(
            "INSERT INTO jobs(id, state, places, key, asked, created_at, due_at, every) VALUES(?,?,?,?,?,?,?,?)",
            (
                id, State.QUEUED, json.dumps(places), key, asked, now, to_micros(due_at) if due_at else now,
                every // timedelta(microseconds=1) if every else None,
            ),
        )  # fmt: skip
        number = int(cursor.lastrowid or 0)
        if all(place.kind is not Kind.PATH for place in places):
            self._list(number, [(*place, {}) for place in _named_apart(places)])
        self._db.execute(
            "DELETE FROM jobs WHERE ended_at IS NOT NULL AND number <= ?", (number - MOST_KEPT,)
        )
        return id

    def cancel(self, id: str) -> Job:
        """No file of it is begun any more, what is in stays; nothing is done to a job that is over. Raises NotKnown."""
        with transaction(self._db, self._lock):
            self._db.execute(
                "UPDATE jobs SET state=?, ended_at=? WHERE id=? AND state IN (?,?)",
                (State.CANCELLED, to_micros(self._clock()), id, State.QUEUED, State.RUNNING),
            )
        return self.job(id)

    def job(self, id: str) -> Job:
        """Raises NotKnown."""
        found = self._select("WHERE id=?", (id,))
        if not found:
            raise NotKnown(f"there is no job {id!r}; `regtape job list` lists them")
        return found[0]

    def jobs(
        self, *, state: State | None = None, before: int | None = None, limit: int = 50
    ) -> list[Job]:
        """The newest first; before: a job's number."""
        return self._select(
            "WHERE (?1 IS NULL OR state=?1) AND (?2 IS NULL OR number<?2) ORDER BY number DESC LIMIT ?3",
            (state, before, limit),
        )

    def files(
        self, id: str, *, result: Result | None = None, after: int = 0, limit: int = 2**31
    ) -> list[JobFile]:
        """The files of a job, in their order, from the one behind number `after` on."""
        with self._lock:
            rows = self._db.execute(
                "SELECT number, kind, name, result, document_id, documents, reason, message, hint, place, given FROM files"
                " WHERE job=(SELECT number FROM jobs WHERE id=?1) AND (?2 IS NULL OR result=?2) AND number>?3"
                " ORDER BY number LIMIT ?4",
                (id, result, after, limit),
            ).fetchall()
        return [
            JobFile(
                number,
                Kind(kind),
                name,
                Result(became),
                document,
                documents,
                reason,
                message,
                hint,
                where,
                json.loads(given),
            )
            for number, kind, name, became, document, documents, reason, message, hint, where, given in rows
        ]

    def waiting(self) -> Waiting:
        """What could be running now."""
        with self._lock:
            counts = dict(
                self._db.execute(
                    "SELECT state, count(*) FROM jobs WHERE state IN (?,?) AND due_at<=? GROUP BY state",
                    (State.QUEUED, State.RUNNING, to_micros(self._clock())),
                ).fetchall()
            )
            (oldest,) = self._db.execute(
                "SELECT min(due_at) FROM jobs WHERE state IN (?,?) AND due_at<=?",
                (State.QUEUED, State.RUNNING, to_micros(self._clock())),
            ).fetchone()
        return Waiting(
            counts.get(State.QUEUED, 0),
            counts.get(State.RUNNING, 0),
            None if oldest is None else from_micros(oldest),
        )

    def _select(self, where: str, values: Iterable[object]) -> list[Job]:
        with self._lock:
            rows = self._db.execute(
                "SELECT number, id, state, message, places, created_at, due_at, every, started_at, ended_at, listed,"
                " (SELECT count(*) FROM files WHERE job=jobs.number),"
                " (SELECT json_group_object(result, n) FROM"
                "  (SELECT result, count(*) AS n FROM files WHERE job=jobs.number GROUP BY result))"
                f" FROM jobs {where}",
                tuple(values),
            ).fetchall()
        return [_job(row) for row in rows]

    # ---- for who runs them

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Whether it is this process that may run jobs until the block ends; the system ends the turn of one that is killed."""
        with (self.home / "jobs.lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
            else:
                yield True

    def claim(self, id: str | None = None) -> Job | None:
        """The next job to run, one that was being run first; or that one. For who has the turn; None: there is none.

        A job over which process after process has died is not begun again.
        """
        while True:
            with transaction(self._db, self._lock):
                now = to_micros(self._clock())
                found = self._db.execute(
                    "SELECT id, attempts FROM jobs WHERE state IN ('running','queued')"
                    " AND (id=?1 OR (?1 IS NULL AND due_at<=?2)) ORDER BY state DESC, number LIMIT 1",
                    (id, now),
                ).fetchone()
                if found is None:
                    return None
                self._db.execute(
                    "UPDATE jobs SET state='running', attempts=attempts+1, started_at=coalesce(started_at, ?) WHERE id=?",
                    (now, found[0]),
                )
            if found[1] < MOST_ATTEMPTS:
                return self.job(found[0])
            self.end(
                found[0],
                State.FAILED,
                f"the process that ran it died {MOST_ATTEMPTS} times in a row",
            )

    def stands(self, id: str) -> bool:
        """Whether a job that is being run is still wanted."""
        return self.job(id).state is State.RUNNING

    def listed(self, job: Job, found: Callable[[Place], Iterable[Source]]) -> list[JobFile]:
        """The files of a job that are still to be read, looked for the first time round."""
        with transaction(self._db, self._lock):
            places, listed = self._db.execute(
                "SELECT places, listed FROM jobs WHERE number=?", (job.number,)
            ).fetchone()
        if not listed:
            rows: list[tuple[Kind, str, str, dict[str, str]]] = []
            for place in _places(places):
                if place.kind is Kind.PATH:
                    rows += [(place.kind, s.name, str(s.path), dict(s.given)) for s in found(place)]
                else:
                    rows.append((*place, {}))
            with transaction(self._db, self._lock):
                self._list(job.number, rows)
        return [f for f in self.files(job.id) if f.result in (Result.WAITING, Result.READING)]

    def _list(self, number: int, rows: Iterable[tuple[Kind, str, str, dict[str, str]]]) -> None:
        self._db.executemany(
            "INSERT OR IGNORE INTO files(job, number, kind, name, place, given) VALUES(?,?,?,?,?,?)",
            [
                (number, at, kind, name, where, json.dumps(given))
                for at, (kind, name, where, given) in enumerate(rows, start=1)
            ],
        )
        self._db.execute("UPDATE jobs SET listed=1 WHERE number=?", (number,))

    def begin(self, job: Job, file: JobFile, *, held: bool) -> None:
        """A file is about to be read. held: whether its bytes are, which is asked once: the catalog answers otherwise after a
        kill."""
        with transaction(self._db, self._lock):
            self._db.execute(
                "UPDATE files SET result=?, held_before=coalesce(held_before, ?) WHERE job=? AND number=?",
                (Result.READING, held, job.number, file.number),
            )

    def settle(
        self, job: Job, file: JobFile, row: LedgerRow, document_id: str | None = None
    ) -> None:
        """What the ledger says of a file is what became of it; the process that got so far has not died over it."""
        with transaction(self._db, self._lock):
            self._db.execute(
                "UPDATE files SET result=CASE WHEN ?='rejected' THEN 'rejected' WHEN held_before THEN 'unchanged'"
                " ELSE 'added' END, document_id=?, documents=?, reason=?, message=?, hint=? WHERE job=? AND number=?",
                (
                    row.status, document_id, row.documents, row.reason, row.message, row.hint, job.number, file.number,
                ),
            )  # fmt: skip
            self._db.execute("UPDATE jobs SET attempts=0 WHERE number=?", (job.number,))

    def end(self, id: str, state: State, message: str = "") -> None:
        """A job that is being run is over; one that is repeated is queued anew."""
        with transaction(self._db, self._lock):
            now = to_micros(self._clock())
            ended = self._db.execute(
                "UPDATE jobs SET state=?, message=?, ended_at=? WHERE id=? AND state='running'",
                (state, message, now, id),
            )
            places, asked, due_at, every = self._db.execute(
                "SELECT places, asked, due_at, every FROM jobs WHERE id=?", (id,)
            ).fetchone()
            if ended.rowcount and every:
                due = due_at + every * max(
                    1, -(-(now - due_at) // every)
                )  # what was slept through is not made up
                self._insert(
                    _places(places), None, asked, from_micros(due), timedelta(microseconds=every)
                )

    # ---- uploads

    @property
    def uploads(self) -> Path:
        """Where bytes lie that somebody sent."""
        return self.home / "uploads"

    def keep(self, name: str, content: BinaryIO) -> Place:
        """Store what was sent, under the hash of its bytes; `name` is for reading and leads nowhere."""
        self.uploads.mkdir(parents=True, exist_ok=True)
        part = self.uploads / f".{secrets.token_hex(8)}.part"
        digest = sha256()
        try:
            with part.open("wb") as file:
                while block := content.read(_BLOCK):
                    digest.update(block)
                    file.write(block)
            part.replace(self.uploads / digest.hexdigest())
        finally:
            part.unlink(missing_ok=True)
        return Place(Kind.UPLOAD, shown_name(name), digest.hexdigest())

    def sweep(self, catalog: Catalog) -> None:
        """Take away uploads that no job needs any more and that became no document."""
        if not self.uploads.is_dir():
            return
        with self._lock:
            needed = {
                row[0]
                for row in self._db.execute(
                    "SELECT place FROM files JOIN jobs ON job=jobs.number WHERE kind='upload' AND state IN ('queued','running')"
                )
            }
        for file in self.uploads.iterdir():
            with suppress(FileNotFoundError):
                old = time.time() - file.stat().st_mtime > _ABANDONED
                if old and file.name not in needed and not catalog.holds_bytes(file.name):
                    file.unlink()


class Fetch(Protocol):
    """Brings a URL into a folder. Raises one of our errors."""

    def __call__(self, url: str, folder: Path) -> Path: ...


Ingest = Callable[[Sequence[Source]], Report]


def run(
    job: Job,
    jobs: Jobs,
    catalog: Catalog,
    ingest: Ingest,
    fetch: Fetch,
    settled: Callable[[Job], object] = lambda _: None,
) -> None:
    """Bring in what is left of a job, and write down what became of each file.

    ingest: as ingest.pipeline's, with everything but the files given; settled: told how far the job is, now and then.
    """
    try:
        for files in _together(jobs.listed(job, found_in)):
            if not jobs.stands(job.id):
                return
            read = list(_sources(job, files, jobs, fetch))
            digests = {file.number: hash_file(source.path) for file, source in read}
            for file, source in read:
                digest = digests[file.number]
                jobs.begin(job, file, held=_is_held(catalog, source.name, digest))
            ingest([source for _, source in read])
            for file, source in read:
                row = catalog.ledger_of(source.name, digests[file.number])
                assert row is not None, "ingest leaves no file without a row"
                jobs.settle(job, file, row, catalog.id_of_bytes(digests[file.number]))
            settled(jobs.job(job.id))
    except (RegTapeError, OSError, sqlite3.Error) as exc:
        jobs.end(job.id, State.FAILED, str(exc) or type(exc).__name__)
    else:
        jobs.end(job.id, State.DONE)


def found_in(place: Place) -> list[Source]:
    """The files of a path, with what a manifest beside them says. Raises NotKnown."""
    path = Path(place.where)
    if not path.exists():
        raise NotKnown(f"no file or folder {path}")
    manifest = (path if path.is_dir() else path.parent) / "manifest.jsonl"
    return sources([path], read_manifest(manifest) if manifest.is_file() else None)


def shown_name(name: str) -> str:
    """What is shown of a name that somebody sent: its last part, printable, of bounded length; its ending stays."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = " ".join("".join(c if c.isprintable() else " " for c in last).split()).strip(". ")
    if len(plain) > _NAME:
        stem, dot, ending = plain.rpartition(".")
        kept = ending if dot and len(ending) < 12 else ""
        plain = (stem if kept else plain)[: _NAME - len(kept) - 1] + (f".{kept}" if kept else "")
    return plain or "unnamed"


def _together(files: Iterable[JobFile]) -> Iterator[list[JobFile]]:
    """A few at a time, no two of one name: the ledger would take them for one file that has changed."""
    group: list[JobFile] = []
    for file in files:
        if len(group) >= TOGETHER or any(file.name == other.name for other in group):
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _sources(
    job: Job, files: Iterable[JobFile], jobs: Jobs, fetch: Fetch
) -> Iterator[tuple[JobFile, Source]]:
    """Each file with where it lies; one that cannot be had is settled."""
    for file in files:
        try:
            path, given = Path(file.where), file.given
            if file.kind is Kind.UPLOAD:
                path = jobs.uploads / file.where
            elif file.kind is Kind.URL:
                path = fetch(file.where, jobs.home / "downloads")
                given = {"url": file.where, "retrieved_at": moment.now().isoformat()}
            if not os.access(path, os.R_OK) or not path.is_file():
                raise SourceDown(f"{file.name} is not there, or may not be read")
        except RegTapeError as exc:
            jobs.settle(job, file, _not_had(file, exc))
        else:
            yield file, Source(path, file.name, given)


def _not_had(file: JobFile, error: RegTapeError) -> LedgerRow:
    """What became of a file that nobody has seen; it is no row of the ledger, which is of files."""
    reason = getattr(error, "reason", "") or (
        "address" if isinstance(error, BadRequest) else "missing" if file.kind is not Kind.URL else "source"
    )  # fmt: skip
    hint = getattr(error, "hint", "")
    if isinstance(error, OverBudget) and not hint:
        hint = "fetch it yourself and bring in the file"
    return LedgerRow(file.name, "", "rejected", reason, str(error), hint)


def _is_held(catalog: Catalog, name: str, digest: str) -> bool:
    row = catalog.ledger_of(name, digest)
    return (row is not None and row.status == "held") or catalog.holds_bytes(digest)


def _named_apart(places: Iterable[Place]) -> Iterator[Place]:
    """Each under a name of its own: "rule.pdf", "rule (2).pdf"."""
    seen: set[str] = set()
    for place in places:
        name, number = place.name, 1
        while name in seen:
            number += 1
            stem, dot, ending = place.name.rpartition(".")
            name = f"{stem} ({number}).{ending}" if dot else f"{place.name} ({number})"
        seen.add(name)
        yield place._replace(name=name)


def _places(text: str) -> list[Place]:
    return [Place(Kind(kind), name, where) for kind, name, where in json.loads(text)]


def _job(row: Sequence[object]) -> Job:
    (
        number,
        id,
        state,
        message,
        places,
        created,
        due,
        every,
        started,
        ended,
        listed,
        total,
        results,
    ) = row
    counts = json.loads(str(results))

    def at(micros: object) -> datetime | None:
        return None if micros is None else from_micros(int(str(micros)))

    return Job(
        number=int(str(number)), id=str(id), state=State(str(state)), message=str(message),
        names=tuple(place.name for place in _places(str(places))),
        created_at=from_micros(int(str(created))), due_at=from_micros(int(str(due))),
        every=None if every is None else timedelta(microseconds=int(str(every))),
        started_at=at(started), ended_at=at(ended), total=int(str(total)) if listed else None,
        added=counts.get("added", 0), unchanged=counts.get("unchanged", 0), rejected=counts.get("rejected", 0),
    )  # fmt: skip
