"""A name and scopes in, a secret that is shown once out; what is kept of it, in keys.db of the home, is its SHA-256.

A secret is 256 random bits, so a fast hash is enough: there is nothing to guess. Its first part names the key, in listings,
logs and for whoever finds it in a file: `rt_1f3a90bc_…`.
"""

import re
import secrets
import threading
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from types import TracebackType

from ingest.database import open_database, transaction
from ingest.errors import BadRequest, NotKnown
from ingest.moment import from_micros, now, to_micros

FILE = "keys.db"
LONGEST_NAME = 80

_SECRET = re.compile(r"rt_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, name TEXT NOT NULL, scopes TEXT NOT NULL, digest BLOB NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
) STRICT;
"""


class Scope(StrEnum):
    """What a key may do: read anything; bring documents and news in; all that and whatever else there is."""

    READ = "read"
    INGEST = "ingest"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key. digest: SHA-256 of the whole secret."""

    id: str
    name: str
    scopes: frozenset[Scope]
    digest: bytes = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, moment: datetime) -> str:
        """usable, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= moment else "usable"

    def allows(self, scope: Scope) -> bool:
        """Whether it may do what needs the scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def matches(self, secret: str) -> bool:
        """Whether this is its secret; takes as long whichever character is wrong."""
        return compare_digest(self.digest, sha256(secret.encode()).digest())


def id_of(secret: str) -> str | None:
    """The id of the key that a secret would be of; None where it is no secret of ours."""
    found = _SECRET.fullmatch(secret)
    return found[1] if found else None


class KeyStore(AbstractContextManager["KeyStore"]):
    """The keys of a home. Whoever follows them sees in `generation` that another process changed them."""

    def __init__(self, home: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        path = home / FILE
        path.touch(mode=0o600)
        self._lock = threading.RLock()
        self._database = open_database(path)
        self._database.executescript(_SCHEMA)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def create(
        self, name: str, scopes: Collection[Scope], *, expires_at: datetime | None = None
    ) -> tuple[Key, str]:
        """A new key, and its secret, which nobody can be told again. Raises BadRequest."""
        name = name.strip()
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise BadRequest(f"a key has a name of 1 to {LONGEST_NAME} printable characters")
        if not scopes:
            raise BadRequest(f"a key has a scope: {', '.join(Scope)}")
        moment = now()
        if expires_at is not None and expires_at <= moment:
            raise BadRequest(f"{expires_at.isoformat()} is over; a key expires later than now")
        with transaction(self._database, self._lock):
            if any(k.name == name and k.state(moment) == "usable" for k in self.held()):
                raise BadRequest(
                    f"there is a usable key named {name!r}; revoke it, or name another"
                )
            id = secrets.token_hex(4)
            secret = f"rt_{id}_{secrets.token_urlsafe(32)}"
            until = None if expires_at is None else to_micros(expires_at)
            self._database.execute(
                "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, NULL)",
                (id, name, ",".join(sorted(scopes)), sha256(secret.encode()).digest(), to_micros(moment), until),
            )  # fmt: skip
        return self._one(id), secret

    def revoke(self, named: str) -> Key:
        """Revoke the key with this id, or the usable one with this name. Raises NotKnown."""
        moment = now()
        found = [k for k in self.held() if k.id == named] or [
            k for k in self.held() if k.name == named and k.revoked_at is None
        ]
        if not found:
            raise NotKnown(f"there is no key {named!r}; `regtape keys list` shows them")
        with transaction(self._database, self._lock):
            self._database.executemany(
                "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
                [(to_micros(moment), key.id) for key in found],
            )
        return self._one(found[-1].id)

    def held(self) -> list[Key]:
        """All that ever were, oldest first."""
        with self._lock:
            rows = self._database.execute("SELECT * FROM keys ORDER BY created_at, id").fetchall()
        return [
            Key(
                id, name, frozenset(map(Scope, scopes.split(","))), digest, from_micros(created),
                None if expires is None else from_micros(expires),
                None if revoked is None else from_micros(revoked),
            )
            for id, name, scopes, digest, created, expires, revoked in rows
        ]  # fmt: skip

    def generation(self) -> int:
        """Another number when another connection has written."""
        with self._lock:
            return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def _one(self, id: str) -> Key:
        return next(key for key in self.held() if key.id == id)
