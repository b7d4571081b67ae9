"""News as it may arrive in, how many served values the tape does not give back out: served against replayed, bit for bit.

An archive's items and scores are told again by a simulated clock, as badly as feeds do: late, shuffled, twice, revised,
corrected (some corrections come before what they correct), retracted, scored late, by another model again, or never, and a
part filled in as history. Meanwhile features are read through a Reader over a MemoryStore and one over Redis, which are
thrown away and built again at random moments, in every view, at the edges of windows, at earlier heads and in bulk; and
through a real server that is killed with kill -9. Then another process, which has nothing but the tape, computes every
vector again, each at its own head.

Three more questions. Does what is appended later change a read of the past (append-future)? Do receipts verify? And are the
values right at all: a sample is computed by the plainest program that follows the definition, eval/oracle.py.
"""

import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import click
import numpy as np

from api.console import DONE, FAILED, print_json, regtape_command, wants_json
from eval.archives import Item, reuters, stocknet
from eval.scoring import SEED, Measure, Measures
from ingest.errors import BadRequest, ModelMissing
from ingest.moment import from_micros, to_micros
from ingest.news import Kind, NewsItem, Precision
from sentiment.entities import Resolver, open_resolver
from sentiment.features import WIDTHS
from sentiment.log import Score, Tape, TargetScore
from sentiment.read import Reader, Vector
from sentiment.receipt import Outcome, canonical, receipt_of
from sentiment.replay import Recorded, verify
from sentiment.store import MemoryStore, Store, follow
from sentiment.store_redis import RedisStore

SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
SYMBOLS_A_READ = 12
ORACLE_VECTORS = 150
VERIFIED = 200
NOBODY = ("ZZZZZ", "symbol that is none")
OTHER = "other", "other-1"  # the model that scores again, and its version

Progress = Callable[[int, int | None, str], None]


# ---- what is told: items of an archive with what a model says of them


class Said(NamedTuple):
    """An item, and its score as if it stood at offset 1."""

    item: NewsItem
    score: Score


def archive(path: Path, scorer: str, most: int, home: Path) -> list[Said]:
    """The first items of an archive (Reuters or StockNet, by name), scored by the flow of the tape in `home`."""
    from sentiment.scorer import open_scorer
    from sentiment.stream import StoriesOfTape, score_backlog

    read = stocknet if "stocknet" in path.name else reuters
    items = read(path)[:most]
    resolver = open_resolver()
    with Tape(home) as tape:
        for first in range(0, len(items), 1000):
            tape.append([_item(one, path) for one in items[first : first + 1000]], backfill=True)
        score_backlog(
            tape, resolver, StoriesOfTape(tape, resolver), open_scorer(scorer, cache_dir=home)
        )
        return told_by(tape, most)


def _item(one: Item, path: Path) -> NewsItem:
    return NewsItem(
        id=one.id,
        source=path.name.partition("_")[0],
        published_at=one.known_at,
        precision=Precision.MINUTE if "reuters" in path.name else Precision.INSTANT,
        public_at=one.known_at,
        headline=one.headline,
        body=one.body,
        symbols=one.about,
    )


def told_by(tape: Tape, most: int) -> list[Said]:
    """The first items of a tape that have a score, in the order in which they were public."""
    said: list[Said] = []
    after = 0
    while len(said) < most and (page := tape.items(after=after, limit=1000)):
        after = page[-1].offset
        scores = {
            one.score.item: one.score
            for one in tape.scores(of=[i.offset for i in page], limit=5000)
        }
        said += [Said(i.item, _moved(scores[i.offset], 1)) for i in page if i.offset in scores]
    return sorted(said[:most], key=lambda one: (one.item.public_at, one.item.id))


def _moved(score: Score, offset: int) -> Score:
    """The score, of the item at another offset, and each item the first of its story."""
    targets = tuple(replace(target, story=offset) for target in score.targets)
    return replace(score, item=offset, story=offset, targets=targets, like=None)


def _turned(score: Score) -> Score:
    """What was good is bad."""
    targets = tuple(
        replace(t, negative=t.positive, positive=t.negative, relevance=t.relevance / 2)
        for t in score.targets
    )
    return replace(score, negative=score.positive, positive=score.negative, targets=targets)


def made_up(count: int, symbols: Sequence[str], *, seed: int = SEED) -> list[Said]:
    """Items and scores where no archive is at hand: bursts and silences over four months, about one to three of `symbols`."""
    draw = random.Random(seed)
    resolver = open_resolver()
    at, said = to_micros(datetime.fromisoformat("2024-02-20T14:00:00+00:00")), list[Said]()
    silence = 1200 * DAY // count
    for number in range(count):
        at += 1 + int(draw.choice((0, SECOND, MINUTE, 20 * MINUTE, silence)) * draw.random())
        when = from_micros(at)
        about = draw.sample(symbols, draw.choice((1, 1, 1, 2, 3)))
        entities = [resolver.find("", "", (symbol,), when)[0].entity for symbol in about]
        targets = tuple(
            TargetScore(entity, symbol, draw.random(), draw.random(), 1, *_probabilities(draw))
            for entity, symbol in zip(entities, about, strict=True)
        )
        item = NewsItem(
            id=f"m{number}", source=draw.choice(("reuters", "wire", "blog")), published_at=when,
            precision=Precision.INSTANT, public_at=when, headline=f"Note {number}", symbols=tuple(about),
        )  # fmt: skip
        score = Score(1, "lexicon", "lexicon-1", *_probabilities(draw), draw.random(), 1, targets)
        said.append(Said(item, score))
    return said


def _probabilities(draw: random.Random) -> tuple[float, float, float]:
    parts = [draw.random() + 1e-3 for _ in range(3)]
    return parts[0] / sum(parts), parts[1] / sum(parts), parts[2] / sum(parts)


# ---- how it arrives


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record on its way: at `at` (µs) the item `key` is appended, or, where `score` is given, that item gets this score."""

    at: int
    key: str
    item: NewsItem | None = None
    score: Score | None = None
    backfill: bool = False


def arrivals(told: Iterable[Said], draw: random.Random) -> list[Arrival]:
    """What is told, as feeds tell it; in the order of arrival."""
    found: list[Arrival] = []
    for said in told:
        public, key = to_micros(said.item.public_at), said.item.id
        backfill = draw.random() < 0.1
        late = (1 * HOUR, 10 * DAY) if backfill else draw.choices(
            ((0, 2 * SECOND), (0, 2 * HOUR), (0, 2 * DAY)), (90, 5, 5)
        )[0]  # fmt: skip
        at = public + draw.randint(*late)
        found += _with_score(Arrival(at, key, said.item, backfill=backfill), said.score, draw)
        for share, change in (
            (0.05, _twice), (0.03, _revised), (0.04, _corrected), (0.02, _retracted), (0.1, _rescored),
        ):  # fmt: skip
            if draw.random() < share:
                found += change(said, at, draw)
    return sorted(found, key=lambda one: one.at)


def _with_score(arrival: Arrival, score: Score, draw: random.Random) -> list[Arrival]:
    """An item and its score, some time later or never."""
    wait = draw.choices(
        ((SECOND // 20, 3 * SECOND), (3 * SECOND, 200 * SECOND), (HOUR, DAY), None), (80, 15, 4, 1)
    )[0]
    if wait is None:
        return [arrival]
    return [arrival, Arrival(arrival.at + draw.randint(*wait), arrival.key, score=score)]


def _twice(said: Said, at: int, draw: random.Random) -> list[Arrival]:
    return [Arrival(at + draw.randint(0, 3 * DAY), said.item.id, said.item)]


def _revised(said: Said, at: int, draw: random.Random) -> list[Arrival]:
    item = replace(said.item, headline=said.item.headline + ", revised")
    at += draw.randint(MINUTE, 2 * DAY)
    return _with_score(Arrival(at, item.id + " revised", item), _turned(said.score), draw)


def _corrected(said: Said, at: int, draw: random.Random) -> list[Arrival]:
    id = said.item.id + " corrected"
    item = replace(
        said.item, id=id, kind=Kind.CORRECTION, refers_to=said.item.id, headline="Corrected: " + said.item.headline
    )  # fmt: skip
    first = Arrival(at + draw.randint(-HOUR, 2 * HOUR), id, item, backfill=draw.random() < 0.1)
    found = _with_score(first, _turned(said.score), draw)
    if draw.random() < 0.25:
        again = replace(item, id=id + " again", refers_to=draw.choice((id, said.item.id)))
        later = Arrival(first.at + draw.randint(0, DAY), again.id, again)
        found += _with_score(later, said.score, draw)
    return found


def _retracted(said: Said, at: int, draw: random.Random) -> list[Arrival]:
    item = replace(
        said.item, id=said.item.id + " retracted", kind=Kind.RETRACTION, refers_to=said.item.id
    )
    return [Arrival(at + draw.randint(-MINUTE, DAY), item.id, item)]


def _rescored(said: Said, at: int, draw: random.Random) -> list[Arrival]:
    model, version = OTHER
    score = replace(_turned(said.score), model=model, version=version)
    return [Arrival(at + draw.randint(0, 5 * DAY), said.item.id, score=score)]


# ---- what is served


class Read(NamedTuple):
    """A vector as it was served, and what was asked for; values in the order of its features."""

    kind: str
    symbol: str
    as_of: int
    head: int
    view: str
    model: str | None
    latency: int
    features: str | tuple[str, ...]
    values: list[float | None]
    receipt: dict[str, Any] | None = None

    def line(self) -> str:
        """One line of JSON; a float's shortest decimal gives the same bits back."""
        return json.dumps(self._asdict())

    @classmethod
    def parse(cls, line: str) -> "Read":
        """As `line` wrote it."""
        told = json.loads(line)
        features = told["features"]
        return cls(
            **told | {"features": features if isinstance(features, str) else tuple(features)}
        )


def read_of(kind: str, vector: Vector) -> Read:
    """What a Reader served."""
    receipt = vector.receipt
    return Read(
        kind, vector.symbol, receipt.as_of, receipt.offset, receipt.view, receipt.model, receipt.latency,
        receipt.features, list(vector.values.values()), receipt.fields(),
    )  # fmt: skip


class _Watched(Tape):
    """A tape that counts how often it is read in bulk."""

    reads = 0

    @contextmanager
    def reading(self) -> Iterator[Any]:
        self.reads += 1
        with super().reading() as database:
            yield database


@dataclass(slots=True)
class Feed:
    """A tape in the making, the stores that follow it, and the readers over them, all on one simulated clock."""

    home: Path
    redis: str | None
    draw: random.Random
    now: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    stores: dict[str, Store] = field(default_factory=dict)
    readers: dict[str, Reader] = field(default_factory=dict)
    recent: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=400))
    heads: list[tuple[int, int]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    resolver: Resolver = field(default_factory=open_resolver)
    tape: _Watched | None = None
    asked: Sequence[dict[str, Any]] = ({"feature_set": "core50"}, {"feature_set": "all"})

    def clock(self) -> datetime:
        return from_micros(self.now)

    def open(self) -> None:
        """Open the tape, and begin with empty stores; Redis holds what it held, unless that is lost as well."""
        self.close()
        self.tape = _Watched(self.home, clock=self.clock)
        self.stores["memory"] = MemoryStore()
        if self.redis:
            if self.draw.random() < 0.5:
                _flush(self.redis)
            self.stores["redis"] = RedisStore(self.redis)
        for name, store in self.stores.items():
            self.readers[name] = Reader(self.tape, self.resolver, store, clock=self.clock)
        self.counts["restarts"] += 1

    def close(self) -> None:
        for store in self.stores.values():
            store.close()
        if self.tape is not None:
            self.tape.close()

    def take(self, arrived: Sequence[Arrival]) -> None:
        """Log what has arrived, items before scores, and let the stores follow."""
        assert self.tape is not None
        self.now = max(self.now, *(one.at for one in arrived))
        for backfill in (False, True):
            items = [one for one in arrived if one.item is not None and one.backfill is backfill]
            became = self.tape.append(
                [one.item for one in items if one.item is not None], backfill=backfill
            )
            for one, appended in zip(items, became, strict=True):
                self.offsets[one.key] = appended.offset
                self.counts[appended.status] += 1
                self.counts["backfilled"] += backfill
        scores = [
            _moved(one.score, self.offsets[one.key]) for one in arrived if one.score is not None
        ]
        self.tape.record_scores(scores)
        self.counts["scores"] += len(scores)
        self.recent += [(target.symbol, self.now) for score in scores for target in score.targets]
        for store in self.stores.values():
            follow(self.tape, store)
        self.heads.append((self.tape.head(), self.now))

    def serve(self, quiet: int) -> list[Read]:
        """Read something in some way, `quiet` µs after the last arrival."""
        assert self.tape is not None
        draw = self.draw
        self.now += quiet
        store = draw.choice(list(self.readers))
        reader = self.readers[store]
        lately = draw.sample(self.recent, min(20, len(self.recent)))
        recent = dict.fromkeys(symbol for symbol, _ in lately)
        symbols = list(recent)[:SYMBOLS_A_READ]
        if draw.random() < 0.1:
            symbols += NOBODY
        asked = dict(draw.choice(self.asked))
        ways = (store, "edge", "matrix", "head", "latest", "pinned", "as_if")
        kind = draw.choices(ways, (60, 12, 8, 5, 5, 5, 5))[0]
        match kind:
            case "edge":
                asked["as_of"] = self._edge()
            case "matrix":
                at = [
                    self.now,
                    self._edge(),
                    *(self.now - draw.randint(0, 3 * DAY) for _ in range(6)),
                ]
                return self._matrix(reader, symbols[:3], at, asked)
            case "head":
                head, then = draw.choice(self.heads)
                asked |= {"head": head, "as_of": then + draw.randint(0, HOUR)}
                asked["as_of"] = min(asked["as_of"], self.now)
            case "latest":
                asked["view"] = "latest"
            case "pinned":
                asked["model"] = (
                    draw.choice((OTHER[0], OTHER[1])) if self.counts["scores"] > 200 else None
                )
            case "as_if":
                asked |= {
                    "view": "as_if",
                    "model": OTHER[0],
                    "latency": draw.choice((0, SECOND, HOUR)),
                }
                if self.counts["scores"] <= 200:
                    return []
        before = self.tape.reads
        vectors = reader.vectors(symbols, **asked)
        # A read from a store looks up one row of the tape, the newest item; one from the tape takes its rows as well.
        self.counts["from_store"] += len(vectors) if self.tape.reads <= before + 1 else 0
        return [read_of(kind, vector) for vector in vectors]

    def _edge(self) -> int:
        """Where a window just holds, or no longer holds, what came in lately."""
        _, moment = self.draw.choice(self.recent)
        width = self.draw.choice(list(WIDTHS.values()))
        return min(moment + width + self.draw.choice((-1, 0, 1)), self.now)

    def _matrix(
        self, reader: Reader, symbols: Sequence[str], at: Sequence[int], asked: Mapping[str, Any]
    ) -> list[Read]:
        found = reader.matrix(symbols, at, **asked)
        return [
            Read(
                "matrix", symbol, instant, found.offset, "known", None, 0, asked.get("feature_set") or asked["names"],
                [None if value != value else value for value in found.values[s, m].tolist()],
            )
            for s, symbol in enumerate(symbols)
            for m, instant in enumerate(at)
        ]  # fmt: skip


def _flush(url: str) -> None:
    from redis import Redis

    with closing(Redis.from_url(url)) as client:
        client.flushall()


def serve_all(
    told: Sequence[Said],
    feed: Feed,
    reads: Path,
    values: int,
    progress: Progress = lambda _done, _all, _what: None,
) -> int:
    """Tell everything to a feed and write down what it serves meanwhile, about `values` values in all; how many that were."""
    draw = feed.draw
    coming = deque(arrivals(told, draw))
    each, served = values * 24 / len(coming), 0  # of a group of arrivals, which has 24 on average
    owed = 0.0
    feed.open()
    with reads.open("w") as lines:
        while coming:
            group = [coming.popleft() for _ in range(min(len(coming), draw.randint(1, 47)))]
            feed.take(group)
            owed += each
            following = coming[0].at if coming else feed.now + DAY
            while owed > 0 and feed.recent:
                room = max(0, following - feed.now)
                quiet = draw.choice((0, 0, 1, SECOND, MINUTE, 5 * MINUTE, HOUR))
                for read in feed.serve(min(quiet, room)):
                    owed -= len(read.values)
                    served += len(read.values)
                    lines.write(read.line() + "\n")
            if draw.random() < 0.005:
                feed.open()
                for store in feed.stores.values():
                    assert feed.tape is not None
                    follow(feed.tape, store)
            progress(served, values, "served")
    return served


# ---- replay, in another process


@dataclass(slots=True)
class Replayed:
    """What came of replaying reads: values by kind of read, those that differ, and the first of these in words."""

    values: Counter[str] = field(default_factory=Counter)
    mismatches: Counter[str] = field(default_factory=Counter)
    vectors: int = 0
    verified: int = 0
    not_verified: int = 0
    first: str = ""


def replay(home: Path, reads: Path) -> Replayed:
    """Compute every read again from the tape alone, and compare its bits."""
    result = Replayed()
    with Tape(home) as tape:
        reader = Reader(tape, open_resolver())
        for read, values in _recomputed(reader, reads):
            result.vectors += 1
            result.values[read.kind] += len(read.values)
            wrong = differing(read.values, values)
            result.mismatches[read.kind] += len(wrong)
            if wrong and not result.first:
                names = [f.name for f in reader.features(**_features(read.features))]
                at = wrong[0]
                result.first = (
                    f"{names[at]} of {read.symbol} ({read.kind}, {read.view}) as of {from_micros(read.as_of)} at {read.head} was"
                    f" served as {read.values[at]}, the tape gives {values[at]}"
                )
            if read.receipt is not None and result.vectors % 50 == 1 and result.verified < VERIFIED:
                result.verified += 1
                verdict = verify(reader, Recorded(receipt_of(read.receipt)))
                result.not_verified += verdict.outcome is not Outcome.MATCH
    return result


def _recomputed(reader: Reader, reads: Path) -> Iterator[tuple[Read, list[float | None]]]:
    """Reads that ask for the same of several symbols are answered together, those that differ one by one."""
    group: list[Read] = []
    with reads.open() as lines:
        for read in map(Read.parse, lines):
            if group and (read[2:8] != group[0][2:8] or len(group) == 50):
                yield from _together(reader, group)
                group = []
            group.append(read)
    if group:
        yield from _together(reader, group)


def _together(reader: Reader, group: Sequence[Read]) -> Iterator[tuple[Read, list[float | None]]]:
    one = group[0]
    vectors = reader.vectors(
        [read.symbol for read in group], as_of=one.as_of, head=one.head, view=one.view, model=one.model,
        latency=one.latency, **_features(one.features),
    )  # fmt: skip
    for read, vector in zip(group, vectors, strict=True):
        yield read, list(vector.values.values())


def _features(asked: str | tuple[str, ...]) -> dict[str, Any]:
    return {"feature_set": asked} if isinstance(asked, str) else {"names": asked}


def differing(served: Sequence[float | None], computed: Sequence[float | None]) -> list[int]:
    """Where two rows of values are not the same bits; a missing one is as missing as a null."""
    longest = max(len(served), len(computed))
    pairs = [(row[at] if at < len(row) else None) for row in (served, computed) for at in range(longest)]  # fmt: skip
    return [at for at in range(longest) if _bits(pairs[at]) != _bits(pairs[longest + at])]


def _bits(value: float | None) -> bytes | None:
    return None if value is None else struct.pack("<d", value)


def replay_apart(home: Path, reads: Path) -> Replayed:
    """As `replay`, in a process of its own."""
    command = [sys.executable, "-m", "eval.parity", "replay", str(home), str(reads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the replay failed: {done.stderr.strip()[-2000:]}")
    told = json.loads(done.stdout)
    return Replayed(**told | {name: Counter(told[name]) for name in ("values", "mismatches")})


# ---- append-future


def changed_by_the_future(feed: Feed, symbols: Sequence[str]) -> tuple[int, int]:
    """How many values of reads as of moments in the past differ once more was appended live, and of how many."""
    assert feed.tape is not None
    draw, reader = feed.draw, Reader(feed.tape, feed.resolver, clock=feed.clock)
    first, last = feed.heads[0][1], feed.now
    instants = [*sorted(draw.randint(first, last) for _ in range(60)), last]
    before = reader.matrix(symbols, instants, **feed.asked[-1]).values
    feed.now += HOUR
    later: list[Arrival] = []
    for number, said in enumerate(made_up(200, symbols, seed=draw.randint(0, 1 << 30))):
        held = draw.choice(list(feed.offsets))
        item = replace(said.item, id=f"future {number}", source="future")
        if number % 4 == 1:  # of what is held already
            logged = feed.tape.item(feed.offsets[held]).item
            item = replace(item, source=logged.source, kind=Kind.CORRECTION, refers_to=logged.id)
        if number % 4 == 2:
            logged = feed.tape.item(feed.offsets[held]).item
            item = replace(item, source=logged.source, kind=Kind.RETRACTION, refers_to=logged.id)
            later.append(Arrival(feed.now, item.id, item))
            continue
        later += [Arrival(feed.now, item.id, item), Arrival(feed.now, item.id, score=said.score)]
    feed.take(later)
    again = Reader(feed.tape, feed.resolver, clock=feed.clock)
    after = again.matrix(symbols, instants, **feed.asked[-1]).values
    changed = np.count_nonzero(canonical(before).view(np.int64) != canonical(after).view(np.int64))
    return int(changed), before.size


# ---- the same through a server that is killed


def over_http(
    home: Path, reads: Path, symbols: Sequence[str], rounds: int, draw: random.Random
) -> Counter[str]:
    """Post news to a real server, read features of it, and kill it with kill -9, `rounds` times; writes what it answered."""
    counts: Counter[str] = Counter()
    recorded = home.with_name(home.name + "-recorded")
    with reads.open("w") as lines:
        for _ in range(rounds):
            with serving(home, recorded) as (port, process):
                for _ in range(12):
                    counts["news"] += _post(port, _rows(symbols, draw))
                    for symbol in draw.sample(symbols, min(8, len(symbols))):
                        features = draw.choice(("core50", "all"))
                        told = _ask(port, f"/v1/features/{quote(symbol, safe='')}?set={features}")
                        receipt = receipt_of(told["receipt"])
                        read = Read(
                            "http", symbol, receipt.as_of, receipt.offset, receipt.view, receipt.model,
                            receipt.latency, receipt.features, list(told["values"].values()), told["receipt"],
                        )  # fmt: skip
                        lines.write(read.line() + "\n")
                        counts["vectors"] += 1
                    time.sleep(draw.random() * 0.1)
                os.killpg(process.pid, signal.SIGKILL)
                counts["kills"] += 1
    return counts


@contextmanager
def serving(
    home: Path, recorded: Path | None = None, **environment: str
) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """An installed `regtape serve` of a home on a spare port, ready; it is ended with the block if it still runs."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port)]
    if recorded is not None:
        command += ["--record-reads", str(recorded)]
    settings = {
        "REGTAPE_HOME": str(home),
        "REGTAPE_EMBEDDER": "hashing",
        "REGTAPE_NEWS_SCORER": "lexicon",
    }
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            env=os.environ | settings | environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        try:
            _wait_until_ready(port, process, said)
            yield port, process
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait()


def _wait_until_ready(port: int, process: "subprocess.Popen[bytes]", said: Any) -> None:
    until = time.monotonic() + 300
    while time.monotonic() < until and process.poll() is None:
        try:
            if _ask(port, "/readyz")["news"]["version"]:
                return
        except (OSError, http.client.HTTPException, BadRequest):
            pass
        time.sleep(0.05)
    said.seek(0)
    raise RuntimeError(f"the server did not become ready: {said.read().decode()[-1000:]}")


def _ask(port: int, path: str, body: object = None) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    if answer.status not in (200, 201):
        raise BadRequest(f"{path}: {answer.status} {content.decode()[:500]}")
    found: dict[str, Any] = json.loads(content)
    return found


def _post(port: int, rows: Sequence[dict[str, Any]]) -> int:
    return len(_ask(port, "/v1/news", {"items": list(rows)})["rows"])


def _rows(symbols: Sequence[str], draw: random.Random) -> list[dict[str, Any]]:
    """Some news of now: new, told again, corrected and retracted."""
    from ingest.moment import now

    at = now().isoformat()
    rows: list[dict[str, Any]] = []
    for _ in range(draw.randint(2, 12)):
        id = f"h{draw.randint(0, 400)}"
        words = draw.choice(
            ("beats estimates", "cuts its outlook", "names a new chief", "loses a case")
        )
        row = {
            "id": id, "published_at": at, "source": "wire", "symbols": draw.sample(symbols, min(2, len(symbols))),
            "headline": f"Company {words}, note {draw.randint(0, 60)}",
        }  # fmt: skip
        if draw.random() < 0.2:
            row |= {
                "id": f"c{draw.randint(0, 10**9)}", "kind": draw.choice(("correction", "retraction")), "refers_to": id,
            }  # fmt: skip
        rows.append(row)
    return rows


# ---- all of it


def parity(
    told: Sequence[Said],
    *,
    name: str,
    values: int,
    folder: Path,
    redis: str | None = None,
    rounds: int = 6,
    oracle: int = ORACLE_VECTORS,
    seed: int = SEED,
    progress: Progress = lambda _done, _all, _what: None,
) -> dict[str, Any]:
    """Serve, replay, append the future, ask the oracle.

    metrics   mismatches: served values that the tape does not give back to the bit; append_future_changed; receipts_not_verified;
              oracle_mismatches: values that the plainest program computes otherwise
    groups    by kind of read, values and mismatches
    """
    from eval.oracle import Oracle

    draw = random.Random(seed)
    symbols = sorted({target.symbol for said in told for target in said.score.targets})[:300]
    web: Counter[str] = Counter()
    replays: list[Replayed] = []
    if rounds:
        progress(0, None, "over HTTP, with kill -9")
        web = over_http(folder / "http", folder / "http.jsonl", symbols[:40], rounds, draw)
        replays.append(replay_apart(folder / "http", folder / "http.jsonl"))
    feed = Feed(folder / "tape", redis, draw)
    reads = folder / "reads.jsonl"
    count = serve_all(told, feed, reads, values, progress)
    progress(count, None, "replayed in another process")
    replays.append(replay_apart(folder / "tape", reads))
    progress(0, None, "the oracle")
    assert feed.tape is not None
    compared = Oracle(feed.tape, feed.resolver).compare(_sample(reads, oracle, draw))
    progress(0, None, "appending the future")
    changed, of = changed_by_the_future(feed, draw.sample(symbols, min(20, len(symbols))))
    feed.close()

    served = sum((one.values for one in replays), Counter[str]())
    wrong = sum((one.mismatches for one in replays), Counter[str]())
    receipts = sum(one.verified for one in replays)
    return {
        "task": "parity",
        "dataset": name,
        "n": served.total(),
        "metrics": {
            "mismatches": _count(wrong.total(), served.total()),
            "append_future_changed": _count(changed, of),
            "receipts_not_verified": _count(sum(one.not_verified for one in replays), receipts),
            "oracle_mismatches": _count(compared.mismatches, compared.values),
        },
        "groups": {
            kind: {"mismatches": _count(wrong[kind], served[kind])} for kind in sorted(served)
        },
        "settings": {
            "items": len(told),
            "vectors": sum(one.vectors for one in replays),
            "arrived": dict(feed.counts),
            "over_http": dict(web),
            "stores": sorted(feed.stores),
            "oracle": {"vectors": compared.vectors, "largest_difference": compared.largest},
            "seed": seed,
            "first_mismatch": next((one.first for one in replays if one.first), ""),
            "first_oracle_mismatch": compared.first,
        },
    }


def _sample(reads: Path, count: int, draw: random.Random) -> list[Read]:
    """Random reads, of every kind as many: up to four symbols of each moment."""
    moments: dict[str, dict[tuple[int, int], list[Read]]] = {}
    with reads.open() as lines:
        for read in map(Read.parse, lines):
            moments.setdefault(read.kind, {}).setdefault((read.as_of, read.head), []).append(read)
    each = -(-count // (4 * max(1, len(moments))))
    return [
        read
        for kind in sorted(moments)
        for moment in draw.sample(sorted(moments[kind]), min(each, len(moments[kind])))
        for read in draw.sample(moments[kind][moment], min(4, len(moments[kind][moment])))
    ]


def _count(value: int, of: int) -> Measure:
    """A count of what should not be, of how many; high: what a true rate could be at most, 95 %, where none was found."""
    return {"value": value, "low": value, "high": value if value else min(3, of), "n": of}


# ---- the command


@regtape_command(
    "parity",
    short_help="Served feature values against the tape, bit for bit.",
    examples=(
        "regtape eval parity --values 100000 --json",
        "regtape eval parity --archive reuters_2006_2013.jsonl.gz --items 20000 --values 1000000",
    ),
)
@click.option(
    "--archive", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Reuters 2006-2013 or StockNet tweets, as gzipped JSON lines. Default: made-up items.",
)  # fmt: skip
@click.option(
    "--scored", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="HOME",
    help="A home whose tape holds items and scores: used instead of scoring an archive.",
)  # fmt: skip
@click.option(
    "--model", metavar="NAME", default="lexicon", show_default=True, help="Scores the archive."
)
@click.option(
    "--items",
    type=click.IntRange(100),
    default=20_000,
    show_default=True,
    help="Told, the first of them.",
)
@click.option(
    "--values",
    type=click.IntRange(1000),
    default=1_000_000,
    show_default=True,
    help="Served, about.",
)
@click.option(
    "--rounds",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="Servers that are killed.",
)
@click.option(
    "--redis",
    metavar="URL",
    help="A Redis to empty and use. Default: one is started, where it is installed.",
)
@click.option(
    "--seed", type=int, default=SEED, show_default=True, help="Of arrivals and of what is read."
)
def command(
    file: Path | None,
    scored: Path | None,
    model: str,
    items: int,
    values: int,
    rounds: int,
    redis: str | None,
    seed: int,
) -> int:
    """Serve features while news arrives in every bad way, then compute each served value again from the tape alone."""
    from api.console import progress

    with (
        tempfile.TemporaryDirectory(prefix="regtape-parity-") as name,
        progress("eval", "values") as tell,
    ):
        folder = Path(name)
        dataset = "made-up items"
        if scored is not None:
            copy = folder / "copied"
            copy.mkdir()
            shutil.copy(scored / "tape.db", copy)
            with Tape(copy) as tape:
                told, dataset = told_by(tape, items), scored.name
        elif file is not None:
            tell(0, None, f"scoring {file.name}")
            told, dataset = (
                archive(file, model, items, folder / "scored"),
                file.name.partition(".")[0],
            )
        else:
            told = made_up(items, MADE_UP_SYMBOLS)
        with redis_server(redis) as url:
            found = parity(
                told,
                name=dataset,
                values=values,
                folder=folder,
                redis=url,
                rounds=rounds,
                seed=seed,
                progress=tell,
            )
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    bad = any(measure["value"] for measure in found["metrics"].values())
    return FAILED if bad else DONE


MADE_UP_SYMBOLS = tuple(
    "AAPL MSFT BA INTC WMT PFE TSLA NVDA F TGT BAC AIG IBM XOM CVX GE JPM C WFC GS KO PEP MCD DIS BRK.B QQQX".split()
)


@contextmanager
def redis_server(url: str | None = None) -> Iterator[str | None]:
    """The URL of an empty Redis: the one given, or one of this machine's own on a spare port; None where none is installed."""
    program = shutil.which("redis-server")
    if url is not None or program is None:
        yield url
        return
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait()


def _wait_for(port: int) -> None:
    for _ in range(500):
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise ModelMissing("redis-server does not answer")


def _table(found: dict[str, Any]) -> str:
    """A line a figure: how many, of how many."""
    told = found["settings"]
    lines = [
        f"{found['dataset']}: {told['items']} items, {told['vectors']} vectors, {found['n']} values"
    ]
    figures: Measures = found["metrics"] | {
        f"  {kind}": group["mismatches"] for kind, group in found["groups"].items()
    }
    lines += [
        f"{name:<24}{figure['value']:>8} of {figure['n']}" for name, figure in figures.items()
    ]
    lines += [
        f"first: {words}"
        for words in (told["first_mismatch"], told["first_oracle_mismatch"])
        if words
    ]
    return "\n".join(lines)


@click.command("replay", hidden=True)
@click.argument("home", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("reads", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def _replay_command(home: Path, reads: Path) -> None:
    """What the other process runs."""
    found = replay(home, reads)
    click.echo(
        json.dumps(
            {
                "values": found.values,
                "mismatches": found.mismatches,
                "vectors": found.vectors,
                "verified": found.verified,
                "not_verified": found.not_verified,
                "first": found.first,
            }
        )
    )


if __name__ == "__main__":
    click.Group("parity", commands=[command, _replay_command]).main(obj={})
