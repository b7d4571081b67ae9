"""A request's method, path, headers and address in; who asks out, or why it is turned away.

Every route stands in ROUTES with the scope that it needs and what it weighs; of what does not stand there a read needs `read`
and anything else `admin`. Where a home has never had a key and the server answers to this machine only, nobody needs one.
The keys are in memory: twice a second, while somebody asks, the file is asked whether it has changed.
"""

import hmac
import math
import re
import secrets
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from api.keys import FILE, Key, KeyStore, Scope, id_of
from api.schemas import Problem
from ingest.moment import now

COOKIE = "regtape"
SESSION_SECONDS = 12 * 3600  # of a login in a browser

_LOOK_SECONDS = 0.5  # how old what is in memory may be
_MOST_CALLERS = 10_000  # whose budgets are kept
_BURST_SECONDS = 2.0  # of a rate that may be spent at once
_REALM = 'Bearer realm="regtape"'


class Route(NamedTuple):
    """What a request needs: a scope (None: no key), and what it weighs against the rate."""

    scope: Scope | None
    weight: float = 1.0


_READ, _INGEST = Route(Scope.READ), Route(Scope.INGEST)
_ANSWER, _SEARCH = Route(Scope.READ, 20.0), Route(Scope.READ, 5.0)
_OPEN = Route(None)

# Method and path; `*` is one part of a path, `**` the rest of it.
ROUTES: Mapping[str, Route] = {
    "GET /healthz": _OPEN,
    "GET /login": _OPEN,
    "POST /login": Route(None, 5.0),
    "POST /logout": _OPEN,
    "GET /static/**": _OPEN,
    "POST /": _ANSWER,
    "POST /threads/*/delete": _READ,
    "GET /compare": _SEARCH,
    "GET /v1/features/**": _READ,
    "POST /v1/features": _READ,
    "POST /v1/ask": _ANSWER,
    "DELETE /v1/ask/*": _READ,
    "POST /v1/chat/completions": _ANSWER,
    "GET /v1/search": _SEARCH,
    "GET /v1/compare": _SEARCH,
    "POST /mcp": _SEARCH,
    "DELETE /mcp": _READ,
    "DELETE /v1/threads/**": _READ,
    "POST /v1/news": _INGEST,
    "POST /v1/documents": Route(Scope.INGEST, 5.0),
    "POST /jobs": Route(Scope.INGEST, 5.0),
    "POST /jobs/**": _INGEST,
    "POST /v1/jobs/**": _INGEST,
    "DELETE /v1/jobs/**": _INGEST,
}
_ANY_READ, _ANY_OTHER = _READ, Route(Scope.ADMIN)


@lru_cache(maxsize=4096)
def route_of(method: str, path: str) -> Route:
    """What a request needs."""
    asked = f"{'GET' if method == 'HEAD' else method} {path}"
    for pattern, route in _PATTERNS:
        if pattern.fullmatch(asked):
            return route
    return _ANY_READ if asked.startswith("GET ") else _ANY_OTHER


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(re.escape(words).replace(r"\*\*", ".*").replace(r"\*", "[^/]+"), re.DOTALL)


_PATTERNS = [(_pattern(words), route) for words, route in ROUTES.items()]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the id of a key, None where none is needed. by_cookie: from a browser that has logged in."""

    key: str | None
    by_cookie: bool = False


class Refused(Exception):
    """A request that is turned away, as what."""

    def __init__(self, problem: Problem, headers: dict[str, str]) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


class Access:
    """Who may ask a server what, how often.

    demanded: keys are needed even where there are none, for the server answers to other machines. rate: weights a second of
    one caller, a key or an address; 0: as many as they like. To be used on one thread.
    """

    def __init__(self, home: Path, *, demanded: bool = False, rate: float = 0.0) -> None:
        self._ring = _Ring(home)
        self._demanded = demanded
        self._budgets = _Budgets(rate)
        # Sessions end with the server: what could forge them is nowhere on disk.
        self._signing = secrets.token_bytes(32)

    def close(self) -> None:
        """Close the file of keys."""
        self._ring.close()

    def admit(self, method: str, path: str, headers: Mapping[bytes, bytes], address: str) -> Caller:
        """Who asks. headers: the last of each name, lower case. Raises Refused."""
        route = route_of(method, path)
        keys = self._ring.keys()
        caller = Caller(None)
        if route.scope is not None and (self._demanded or keys):
            caller = self._known(keys, route.scope, method, path, headers, address)
        self._charge(caller.key or address, route.weight, path)
        return caller

    def still(self, caller: Caller) -> bool:
        """Whether who was let in still would be; for what goes on for long."""
        keys = self._ring.keys()
        if caller.key is None:
            return not (self._demanded or keys)
        held = keys.get(caller.key)
        return held is not None and held.state(now()) == "usable"

    def log_in(self, secret: str) -> str | None:
        """What a browser is to keep instead of the secret of a usable key; None where it is none."""
        held = self._held(self._ring.keys(), secret)
        if held is None or held.state(now()) != "usable":
            return None
        until = int(time.time()) + SESSION_SECONDS
        return f"{held.id}.{until}.{self._signature(held.id, until)}"

    def _known(
        self, keys: Mapping[str, Key], needed: Scope, method: str, path: str,
        headers: Mapping[bytes, bytes], address: str,
    ) -> Caller:  # fmt: skip
        secret = _secret(headers)
        held = self._session(keys, headers) if secret is None else self._held(keys, secret)
        if held is None:
            # Who tries keys is slowed down as well.
            self._charge(f"without key {address}", 1.0, path)
            why = "this needs a key" if secret is None else "no such key"
            raise _unknown(f"{why}: Authorization: Bearer KEY, or X-API-Key", path, secret)
        if (state := held.state(now())) != "usable":
            raise _unknown(f"the key {held.id} is {state}", path, secret)
        if not held.allows(needed):
            raise _forbidden(f"the key {held.id} has not the scope {needed}", path, needed)
        by_cookie = secret is None
        if by_cookie and method not in ("GET", "HEAD") and not _from_here(headers):
            raise _forbidden("a page elsewhere cannot use a login here", path, needed)
        return Caller(held.id, by_cookie)

    def _charge(self, who: str, weight: float, path: str) -> None:
        wait = self._budgets.take(who, weight, time.monotonic())
        if wait > 0:
            after = math.ceil(wait)
            problem = Problem(
                title="Too Many Requests", status=429, instance=path,
                detail=f"too many requests; come again in {after} s",
            )  # fmt: skip
            raise Refused(problem, {"Retry-After": str(after)})

    @staticmethod
    def _held(keys: Mapping[str, Key], secret: str) -> Key | None:
        held = keys.get(id_of(secret) or "")
        return held if held is not None and held.matches(secret) else None

    def _session(self, keys: Mapping[str, Key], headers: Mapping[bytes, bytes]) -> Key | None:
        id, _, rest = _cookie(headers).partition(".")
        until, _, signature = rest.partition(".")
        if not until.isdecimal() or len(until) > 12 or int(until) <= time.time():
            return None
        if not hmac.compare_digest(self._signature(id, int(until)), signature):
            return None
        return keys.get(id)

    def _signature(self, id: str, until: int) -> str:
        return hmac.new(self._signing, f"{id}.{until}".encode(), sha256).hexdigest()


def _secret(headers: Mapping[bytes, bytes]) -> str | None:
    """What was given as key; None where none was, or a scheme that is not ours."""
    kind, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return given.strip()
    named = headers.get(b"x-api-key")
    return None if named is None else named.decode("latin-1").strip()


def _cookie(headers: Mapping[bytes, bytes]) -> str:
    for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE and value.isascii():
            return value
    return ""


def _from_here(headers: Mapping[bytes, bytes]) -> bool:
    """Whether what a browser sends comes from a page of this server: of this host and port, and not of its neighbour."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    return urlsplit(origin).netloc.lower() == headers.get(b"host", b"?").decode("latin-1").lower()


def login_page(path: str, query: bytes) -> str:
    """Where a browser without a key is sent; it comes back from there."""
    back = path + ("?" + query.decode("latin-1") if query else "")
    return "/login?next=" + quote(back, safe="")


def _unknown(detail: str, path: str, secret: str | None) -> Refused:
    challenge = _REALM if secret is None else f'{_REALM}, error="invalid_token"'
    problem = Problem(title="Unauthorized", status=401, detail=detail, instance=path)
    return Refused(problem, {"WWW-Authenticate": challenge})


def _forbidden(detail: str, path: str, needed: Scope) -> Refused:
    challenge = f'{_REALM}, error="insufficient_scope", scope="{needed}"'
    problem = Problem(title="Forbidden", status=403, detail=detail, instance=path)
    return Refused(problem, {"WWW-Authenticate": challenge})


_UNREADABLE = Problem(
    title="Service Unavailable", status=503, detail=f"the keys in {FILE} cannot be read"
)


class _Ring:
    """The keys of a home by id, as they were within the last half second. A home without the file has none."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._look_at = 0.0
        self._store: KeyStore | None = None
        self._seen: tuple[int, int] | None = None  # inode, generation
        self._keys: dict[str, Key] = {}

    def keys(self) -> Mapping[str, Key]:
        if (at := time.monotonic()) >= self._look_at:
            try:
                self._look()
            except sqlite3.Error as exc:  # whom to let in nobody knows
                raise Refused(_UNREADABLE, {"Retry-After": "1"}) from exc
            self._look_at = at + _LOOK_SECONDS
        return self._keys

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store, self._seen = None, None

    def _look(self) -> None:
        try:
            inode = (self._home / FILE).stat().st_ino
        except FileNotFoundError:
            self.close()
            self._keys = {}
            return
        if self._seen is not None and self._seen[0] != inode:
            self.close()
        if self._store is None:
            self._store = KeyStore(self._home)
        seen = inode, self._store.generation()
        if seen != self._seen:
            self._keys = {key.id: key for key in self._store.held()}
            self._seen = seen


class _Budgets:
    """Token buckets by caller."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(_BURST_SECONDS * rate, *(route.weight for route in ROUTES.values()))
        self._left: dict[str, tuple[float, float]] = {}  # tokens, when

    def take(self, who: str, weight: float, at: float) -> float:
        """Take so many tokens; 0 when there were as many, else the seconds until there will be."""
        if not self._rate:
            return 0.0
        left, since = self._left.pop(who, (self._most, at))
        left = min(self._most, left + (at - since) * self._rate)
        enough = left >= weight
        self._left[who] = (left - weight if enough else left), at
        if len(self._left) > _MOST_CALLERS:  # in order of their last request
            del self._left[next(iter(self._left))]
        return 0.0 if enough else (weight - left) / self._rate
