"""A path in, an SQLite connection out, opened as catalog and index both need it; and its transactions."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_database(path: Path) -> sqlite3.Connection:
    """WAL, so that a long ingest never blocks a reader; shared between threads under the owner's lock."""
    # isolation_level None: transactions are opened by hand, IMMEDIATE, so that two writers queue
    # instead of failing.
    database = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
    )
    return database


@contextmanager
def transaction(database: sqlite3.Connection, lock: threading.RLock) -> Iterator[None]:
    """All of what is done inside, or nothing."""
    with lock:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:  # on a full disk SQLite has rolled back already
                database.execute("ROLLBACK")
            raise
