"""The online state in Redis, for several workers and machines; the client is the extra `redis`.

Under the prefix (default "regtape"), where GEN is drawn anew whenever all is replaced:

    PREFIX:head                hash: generation; offset and hash applied; state (JSON); waited, when waits last changed
    PREFIX:GEN:changed         sorted set: table, by the offset at which it last changed
    PREFIX:GEN:rows:TABLE      hash: item → its packed rows; tables are named as in history.Batch
    PREFIX:GEN:where           hash: item → JSON list of tables that hold rows of it
    PREFIX:GEN:moments         sorted set: item, by the oldest moment of its rows
    PREFIX:GEN:waiting         hash: item → its packed wait
    PREFIX:GEN:waits           sorted set: item, by known_at

What changes at one head is one script, so others see all of it or nothing. A new generation is laid beside the old one and
put in its place by one script; keys of one that is not, or no longer, in place expire by themselves. A client keeps
what it has read, and asks for a table with the offset at which it read it: unchanged, it costs one round trip and no rows.
"""

import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from ingest.errors import ModelMissing, SourceDown
from sentiment.history import WAITS_HELD, Batch, Snapshot
from sentiment.log import Receipt
from sentiment.rolling import ITEM, Contributions, Ints
from sentiment.store import NOTHING, Days, companies

_ROW = np.dtype([
    ("moment", "<i8"), ("start", "<i8"), ("end", "<i8"), ("item", "<i8"), ("offset", "<i8"), ("version", "<i4"),
    ("label", "i1"), ("backfilled", "?"), ("sentiment", "<i4"), ("confidence", "<i4"), ("relevance", "<i4"),
    ("novelty", "<i4"), ("weight", "<i4"),
])  # fmt: skip
_WAIT = np.dtype("<i8")  # three of them: item, known_at, until

_LAID_SECONDS = 3600  # how long a generation that is being laid may take
_LEFT_SECONDS = 60  # how long one is kept that was replaced: other clients may be reading it
_MEMBERS_AT_ONCE = 5000

# ARGV: prefix, offset and hash it is to be at, offset and hash to go to, state, rewound ("" as it was), since, since of waits,
# then the length and the members of a list of items to take out, of (table, item, rows), of (item, moment, tables), of
# (item, known_at, wait).
_APPLY = """
local prefix, at = ARGV[1], ARGV[4]
local head = redis.call('HMGET', prefix .. ':head', 'generation', 'offset', 'hash', 'waited')
if not head[1] or head[2] ~= ARGV[2] or head[3] ~= ARGV[3] then return 0 end
local g = prefix .. ':' .. head[1] .. ':'
local waited = head[4]

local function take_out(item, changes)
  local tables = redis.call('HGET', g .. 'where', item)
  if tables then
    for _, name in ipairs(cjson.decode(tables)) do
      redis.call('HDEL', g .. 'rows:' .. name, item)
      if changes then redis.call('ZADD', g .. 'changed', at, name)
      elseif redis.call('EXISTS', g .. 'rows:' .. name) == 0 then redis.call('ZREM', g .. 'changed', name) end
    end
    redis.call('HDEL', g .. 'where', item)
    redis.call('ZREM', g .. 'moments', item)
  end
end

local function forget_wait(item)
  if redis.call('HDEL', g .. 'waiting', item) == 1 then
    redis.call('ZREM', g .. 'waits', item)
    waited = at
  end
end

local last = 9
local function next_list(width)
  local first = last + 2
  last = last + 1 + tonumber(ARGV[last + 1]) * width
  return first, last
end

local first, stop = next_list(1)
for k = first, stop do
  take_out(ARGV[k], true)
  forget_wait(ARGV[k])
end
first, stop = next_list(3)
for k = first, stop, 3 do
  redis.call('HSET', g .. 'rows:' .. ARGV[k], ARGV[k + 1], ARGV[k + 2])
  redis.call('ZADD', g .. 'changed', at, ARGV[k])
end
first, stop = next_list(3)
for k = first, stop, 3 do
  redis.call('ZADD', g .. 'moments', ARGV[k + 1], ARGV[k])
  redis.call('HSET', g .. 'where', ARGV[k], ARGV[k + 2])
end
first, stop = next_list(3)
for k = first, stop, 3 do
  redis.call('ZADD', g .. 'waits', ARGV[k + 1], ARGV[k])
  redis.call('HSET', g .. 'waiting', ARGV[k], ARGV[k + 2])
  waited = at
end
for _, item in ipairs(redis.call('ZRANGEBYSCORE', g .. 'moments', '-inf', '(' .. ARGV[8], 'LIMIT', 0, 2000)) do
  take_out(item, false)
end
for _, item in ipairs(redis.call('ZRANGEBYSCORE', g .. 'waits', '-inf', '(' .. ARGV[9], 'LIMIT', 0, 2000)) do
  forget_wait(item)
end
redis.call('HSET', prefix .. ':head', 'offset', at, 'hash', ARGV[5], 'state', ARGV[6], 'waited', waited)
if ARGV[7] ~= '' then redis.call('HSET', prefix .. ':head', 'rewound', ARGV[7]) end
return 1
"""

# ARGV: prefix, offset and hash it is to be at, the generation that was laid, offset, hash, state and rewound to go to, and
# the seconds to keep the old one. Where Redis was emptied meanwhile, what was laid is not whole, and has lost its mark.
_REPLACE = """
local prefix = ARGV[1]
local head = redis.call('HMGET', prefix .. ':head', 'generation', 'offset', 'hash')
if (head[1] and (head[2] ~= ARGV[2] or head[3] ~= ARGV[3])) or (not head[1] and ARGV[2] ~= '0') then return 0 end
if redis.call('DEL', prefix .. ':' .. ARGV[4] .. ':laying') == 0 then return 0 end
local function each_key(generation, command, ...)
  local g = prefix .. ':' .. generation .. ':'
  for _, name in ipairs(redis.call('ZRANGE', g .. 'changed', 0, -1)) do redis.call(command, g .. 'rows:' .. name, ...) end
  for _, name in ipairs({'changed', 'where', 'moments', 'waiting', 'waits'}) do redis.call(command, g .. name, ...) end
end
each_key(ARGV[4], 'PERSIST')
if head[1] then each_key(head[1], 'EXPIRE', ARGV[9]) end
redis.call('HSET', prefix .. ':head', 'generation', ARGV[4], 'offset', ARGV[5], 'hash', ARGV[6], 'state', ARGV[7],
  'rewound', ARGV[8], 'waited', ARGV[5])
return 1
"""

# ARGV: prefix, the generation that the client knows, when the waits that it knows had changed, the head at which it read all
# tables ("" where not all are wanted), then tables that are and the heads at which it read them.
_READ = """
local prefix = ARGV[1]
local head = redis.call('HMGET', prefix .. ':head', 'generation', 'offset', 'hash', 'state', 'rewound', 'waited')
if not head[1] then return {} end
local g = prefix .. ':' .. head[1] .. ':'
local known = head[1] == ARGV[2]
local waiting = false
if not known or head[6] ~= ARGV[3] then waiting = redis.call('HVALS', g .. 'waiting') end
local tables = {}
local function tell(name)
  tables[#tables + 1] = name
  tables[#tables + 1] = redis.call('HVALS', g .. 'rows:' .. name)
end
if ARGV[4] ~= '' then
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', g .. 'changed', known and '(' .. ARGV[4] or '-inf', '+inf')) do
    tell(name)
  end
else
  for k = 5, #ARGV, 2 do
    local changed = redis.call('ZSCORE', g .. 'changed', ARGV[k])
    if changed and (not known or tonumber(changed) > tonumber(ARGV[k + 1])) then tell(ARGV[k]) end
  end
end
return {head[1], head[2], head[3], head[4], head[5], head[6], waiting, tables}
"""


@dataclass(frozen=True, slots=True)
class _Table:
    """The rows of a table as a client read them, and at which head."""

    rows: Contributions
    read_at: int


@dataclass(slots=True)
class _Known:
    """What a client has read of one generation. all_at: the head at which it last read all tables; -1: never. waited: when
    the waits that it has read had changed.
    """

    generation: bytes = b""
    tables: dict[str, _Table] = field(default_factory=dict)
    all_at: int = -1
    waited: bytes = b""
    waiting: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))

    def of(self, tables: Iterable[str] | None) -> "_Known":
        """As it is now, with these tables or with all: others may be reading meanwhile."""
        chosen = (
            dict(self.tables)
            if tables is None
            else {name: self.tables[name] for name in tables if name in self.tables}
        )
        return replace(self, tables=chosen)


class RedisStore:
    """The state of all who give the same URL and prefix. Raises SourceDown where Redis does not answer."""

    def __init__(self, url: str, *, prefix: str = "regtape") -> None:
        try:
            import redis
        except ImportError as exc:
            raise ModelMissing(
                f"a store in Redis needs {exc.name}, which is not installed; pip install 'regtape[redis]'"
            ) from exc
        self._errors = (redis.ConnectionError, redis.TimeoutError)
        self._prefix, self._where = prefix, urlsplit(url).hostname or url
        self._redis: Any = redis.Redis.from_url(url)  # its types allow for texts in place of bytes
        self._apply: Any = self._redis.register_script(_APPLY)
        self._replace: Any = self._redis.register_script(_REPLACE)
        self._read: Any = self._redis.register_script(_READ)
        self._lock = threading.Lock()  # of what is known, never held over a round trip
        self._known = _Known()
        self._days = Days()
        self._codes: dict[str, int] = {}  # a new one in place of it where an entity is new

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._errors as exc:
            raise SourceDown(f"Redis at {self._where} does not answer: {exc}") from exc

    def applied(self) -> Receipt:
        with self._asking():
            offset, chain = self._redis.hmget(f"{self._prefix}:head", ["offset", "hash"])
        return NOTHING if offset is None else Receipt(int(offset), chain.decode())

    # ---- writing

    def apply(self, batch: Batch) -> bool:
        state = json.dumps(
            [list(batch.versions), batch.since, batch.first_known, batch.newest], ensure_ascii=False
        )
        over = [self._prefix, batch.over.offset, batch.over.hash]
        with self._asking():
            if batch.whole:
                generation = uuid4().hex
                self._lay(f"{self._prefix}:{generation}:", batch)
                done = self._replace(
                    args=[*over, generation, *batch.head, state, batch.rewound, _LEFT_SECONDS]
                )
            else:
                rows, where = _tables(batch)
                lists = (
                    [(item,) for item in batch.items.tolist()],
                    rows,
                    where,
                    list(_waits(batch)),
                )
                done = self._apply(
                    args=[
                        *over, *batch.head, state, batch.rewound or "", batch.since, (batch.newest or 0) - WAITS_HELD,
                        *(value for each in lists for value in (len(each), *chain.from_iterable(each))),
                    ]
                )  # fmt: skip
        return bool(done)

    def _lay(self, g: str, batch: Batch) -> None:
        """Write all tables of a generation that is not yet in place."""
        self._redis.set(f"{g}laying", 1, ex=_LAID_SECONDS)
        rows, where = _tables(batch)
        tables: dict[str, dict[int, bytes]] = {}
        for table, item, packed in rows:
            tables.setdefault(table, {})[item] = packed
        self._lay_all(f"{g}changed", "zadd", {table: batch.head.offset for table in tables})
        for table, held in tables.items():
            self._lay_all(f"{g}rows:{table}", "hset", held)
        self._lay_all(f"{g}where", "hset", {item: names for item, _, names in where})
        self._lay_all(f"{g}moments", "zadd", {item: moment for item, moment, _ in where})
        waits = list(_waits(batch))
        self._lay_all(f"{g}waiting", "hset", {item: wait for item, _, wait in waits})
        self._lay_all(f"{g}waits", "zadd", {item: known_at for item, known_at, _ in waits})

    def _lay_all(self, key: str, command: str, held: Mapping[Any, Any]) -> None:
        members = list(held.items())
        for first in range(0, len(members), _MEMBERS_AT_ONCE):
            some = dict(members[first : first + _MEMBERS_AT_ONCE])
            with self._redis.pipeline(transaction=False) as pipe:
                if command == "hset":
                    pipe.hset(key, mapping=some)
                else:
                    pipe.zadd(key, some)
                pipe.expire(key, _LAID_SECONDS)
                pipe.execute()

    # ---- reading

    def snapshot(self, entities: Collection[str] | None, *, panel: bool = False) -> Snapshot:
        whole = panel or entities is None
        asked = None if whole else [f"e{entity}" for entity in entities or ()]
        with self._lock:
            known = self._known.of(asked)
        reply = self._ask(known, asked)
        if reply and any(table.read_at > int(reply[1]) for table in known.tables.values()):
            known = _Known()  # a Redis that took over, and is behind the one that was read before
            reply = self._ask(known, asked)
        if not reply:
            return _nothing(panel)
        generation, offset, chain, state, rewound, waited, waits, told = reply
        head = Receipt(int(offset), chain.decode())
        versions, since, first_known, newest = json.loads(state)
        tables = dict(known.tables) if generation == known.generation else {}
        tables |= self._unpacked_tables(told, head.offset)
        if whole:  # less what Redis has dropped, as far as it is all of a table
            tables = {n: t for n, t in tables.items() if (t.rows.moment >= since).any()}
        waiting = known.waiting if waits is None else _unpacked_waits(waits)
        self._remember(
            _Known(generation, tables, head.offset if whole else -1, waited, waiting), whole
        )
        names = tables if entities is None else [f"e{entity}" for entity in entities]
        rows = {name: table.rows for name, table in tables.items()}
        return Snapshot(
            head=head,
            view="known",
            model=None,
            own={
                name[1:]: tables[name].rows
                for name in names
                if name[0] == "e" and name in tables and len(tables[name].rows)
            },
            items=self._days.of(rows) if panel else None,
            each=(lambda: companies(rows)) if panel else None,
            entities=self._codes,
            versions=tuple(versions),
            since=since,
            first_known=first_known,
            newest=newest,
            waiting=waiting[:, 1:],
            rewound=int(rewound),
        )

    def _ask(self, known: _Known, asked: Sequence[str] | None) -> Any:
        """The reply of _READ: [] where Redis holds nothing."""
        tables = asked or ()
        read_at = [known.tables[name].read_at if name in known.tables else -1 for name in tables]
        with self._asking():
            return self._read(
                args=[
                    self._prefix, known.generation, known.waited, known.all_at if asked is None else "",
                    *chain.from_iterable(zip(tables, read_at, strict=True)),
                ]
            )  # fmt: skip

    def _unpacked_tables(self, told: Sequence[Any], head: int) -> dict[str, _Table]:
        names = [name.decode() for name in told[::2]]
        with self._lock:
            new = [n[1:] for n in names if n[0] == "e" and n[1:] not in self._codes]
            if new:
                first = len(self._codes)
                self._codes = self._codes | {e: first + k for k, e in enumerate(new)}
            codes = self._codes
        return {
            name: _Table(_unpacked(packed, codes[name[1:]] if name[0] == "e" else ITEM), head)
            for name, packed in zip(names, told[1::2], strict=True)
        }

    def _remember(self, read: _Known, whole: bool) -> None:
        with self._lock:
            known = self._known
            if known.generation != read.generation or whole:
                self._known = read
                return
            for name, table in read.tables.items():
                if name not in known.tables or known.tables[name].read_at < table.read_at:
                    known.tables[name] = table
            known.waited, known.waiting = read.waited, read.waiting

    def items(self) -> int:
        with self._asking():
            generation = self._redis.hget(f"{self._prefix}:head", "generation")
            if generation is None:
                return 0
            return int(self._redis.hlen(f"{self._prefix}:{generation.decode()}:where"))

    def close(self) -> None:
        self._redis.close()


def _nothing(panel: bool) -> Snapshot:
    none = Contributions.empty() if panel else None
    waiting = np.empty((0, 2), np.int64)
    each = Contributions.empty if panel else None
    return Snapshot(NOTHING, "known", None, {}, none, each, {}, (), 0, None, None, waiting)


# ---- rows as Redis holds them


def _tables(batch: Batch) -> tuple[list[tuple[str, int, bytes]], list[tuple[int, int, str]]]:
    """Rows of a batch as (table, item, packed), and of each item (item, oldest moment, JSON list of tables)."""
    rows: list[tuple[str, int, bytes]] = []
    where: dict[int, list[str]] = {}
    moments: dict[int, int] = {}
    for table, held in batch.rows.items():
        order = np.argsort(held.item, kind="stable")
        packed = np.empty(len(held), _ROW)
        for name in _ROW.names or ():
            packed[name] = getattr(held, name)[order]
        items, first = np.unique(packed["item"], return_index=True)
        oldest = packed["moment"][first].tolist()
        size, content = _ROW.itemsize, packed.tobytes()
        last = [*first[1:].tolist(), len(held)]
        for item, moment, a, b in zip(items.tolist(), oldest, first.tolist(), last, strict=True):
            rows.append((table, item, content[a * size : b * size]))
            where.setdefault(item, []).append(table)
            moments[item] = moment
    return rows, [(item, moments[item], json.dumps(names)) for item, names in where.items()]


def _unpacked(packed: Sequence[bytes], code: int) -> Contributions:
    rows = np.frombuffer(b"".join(packed), _ROW)
    columns: dict[str, Any] = {
        column.name: np.ascontiguousarray(rows[column.name], _AS.get(column.name, np.int64))
        for column in fields(Contributions)
        if column.name != "entity"
    }
    return Contributions(entity=np.full(len(rows), code, np.int32), **columns)


_AS: dict[str, Any] = {"version": np.int32, "label": np.int8, "backfilled": np.bool_}


def _waits(batch: Batch) -> Iterator[tuple[int, int, bytes]]:
    """(item, known_at, packed) of the waits of a batch."""
    for wait in batch.waiting.astype(_WAIT):
        yield int(wait[0]), int(wait[1]), wait.tobytes()


def _unpacked_waits(packed: Sequence[bytes]) -> Ints:
    waits = np.frombuffer(b"".join(packed), _WAIT).reshape(-1, 3).astype(np.int64)
    return waits[np.lexsort((waits[:, 0], waits[:, 1]))]
