"""A catalog in, its impact rows out: read once a document, kept beside it, read again when the taxonomy changes.

The rows are derived: they can be dropped and made again at any time. A document's rows and the mark that it was read are
written in one transaction, so a run that is killed leaves whole documents or nothing.
"""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ingest.catalog import Catalog, Held
from ingest.database import open_database, transaction
from ingest.document import Document
from ingest.rules.impacts import EXTRACTOR, Direction, Impact, impacts
from ingest.stance import Speaker

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS impacts(offset INTEGER NOT NULL, ordinal INTEGER NOT NULL, variable TEXT NOT NULL,"
    " direction TEXT NOT NULL, speaker TEXT NOT NULL, hedged INTEGER NOT NULL, condition TEXT NOT NULL, start INTEGER NOT NULL,"
    " end INTEGER NOT NULL, quote TEXT NOT NULL, section TEXT NOT NULL, page INTEGER, PRIMARY "
    "KEY(offset, ordinal)) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS impact_readings(offset INTEGER PRIMARY KEY, extractor TEXT NOT NULL)",
)


@dataclass(frozen=True, slots=True)
class Stated:
    """An impact, the document that states it, and the page it stands on (None where the format has no pages)."""

    impact: Impact
    held: Held
    page: int | None


class ImpactStore:
    """The impact rows of one home. Safe to share between threads; several processes may open one home."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.RLock()
        self._db = open_database(catalog.home / "catalog.db")
        if (
            len(
                self._db.execute(
                    "SELECT 1 FROM sqlite_master WHERE name IN ('impacts', 'impact_readings')"
                ).fetchall()
            )
            < 2
        ):
            with transaction(
                self._db, self._lock
            ):  # only then: a reader must not wait for a long ingest
                for statement in _SCHEMA:
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

    def complete(self, documents: Iterable[Held] | None = None) -> int:
        """Read the documents (all, when none are named) that this taxonomy has not read; returns how many were."""
        wanted = list(self._catalog.documents() if documents is None else documents)
        with self._lock:
            read = dict(
                self._db.execute("SELECT offset, extractor FROM impact_readings").fetchall()
            )
        lacking = [held for held in wanted if read.get(held.offset) != EXTRACTOR]
        for held in lacking:
            self._read(held)
        return len(lacking)

    def of(self, documents: Sequence[Held], variable: str | None = None) -> list[Stated]:
        """What these documents say, in their order; those not read yet are read first. variable: an id, or None for all."""
        self.complete(documents)
        return [stated for held in documents for stated in self._stored(held, variable)]

    def _read(self, held: Held) -> None:
        text, sections, pages = self._catalog.body(held.id)
        found = impacts(Document(text, held.format, sections, pages, held.metadata))
        rows = [
            (
                held.offset, n, row.variable, row.direction, row.speaker, row.hedged, row.condition, row.start, row.end,
                row.quote, json.dumps(row.section, ensure_ascii=False), self._catalog.page_at(held.id, row.start),
            )
            for n, row in enumerate(found)
        ]  # fmt: skip
        with transaction(self._db, self._lock):
            self._db.execute("DELETE FROM impacts WHERE offset=?", (held.offset,))
            self._db.executemany("INSERT INTO impacts VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", rows)
            self._db.execute(
                "INSERT OR REPLACE INTO impact_readings VALUES(?,?)", (held.offset, EXTRACTOR)
            )

    def _stored(self, held: Held, variable: str | None) -> list[Stated]:
        with self._lock:
            rows = self._db.execute(
                "SELECT variable, direction, speaker, hedged, condition, start, end, quote, section, page FROM impacts"
                " WHERE offset=?1 AND (?2 IS NULL OR variable=?2) ORDER BY ordinal",
                (held.offset, variable),
            ).fetchall()
        return [
            Stated(
                Impact(
                    name,
                    Direction(way),
                    Speaker(who),
                    bool(hedged),
                    condition,
                    start,
                    end,
                    quote,
                    tuple(json.loads(section)),
                ),
                held,
                page,
            )
            for name, way, who, hedged, condition, start, end, quote, section, page in rows
        ]
