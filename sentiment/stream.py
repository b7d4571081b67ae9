"""News rows in, logged items and their scores out: THE FLOW of the tape, the same live and for an archive.

    add_news        row → log                                        never waits for a model
    score_backlog   log → about whom → how new → how good → log      any time later, in batches

The two meet in the log alone, so a slow model delays scores and never loses news. Both can be killed at any
instruction and the same call finishes the work: what is held is not logged again, what has a score of this version is
not scored again, and what novelty remembers is what the tape holds, not what the process happened to see.
"""

import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from typing import NamedTuple, Protocol, TypeVar

from ingest.news import Kind, NewsItem, Rejected
from sentiment.entities import Mention
from sentiment.log import Logged, Score, Tape, TargetScore
from sentiment.novelty import WIDTH, News, Stories
from sentiment.scorer import (
    LABELS,
    Document,
    DocumentScore,
    Probabilities,
    Scorer,
    score_items,
)

# One transaction of the log: many rows for speed, and none older than a second, so that a live feed is not kept waiting.
ADD_ROWS, ADD_SECONDS = 1000, 1.0
SCORE_ITEMS = 512
LIVE_ITEMS = 64  # of those that came in last, looked at before a backlog

_ALL = 2**31  # more items than a tape holds of a day

T = TypeVar("T")


@dataclass(slots=True)
class Added:
    """What became of rows so far. duplicates: held already, by id and content; flags: what was taken, but is odd."""

    rows: int = 0
    new: int = 0
    duplicates: int = 0
    revisions: int = 0
    rejected: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def taken(self) -> int:
        """Rows that are now in the log."""
        return self.new + self.duplicates + self.revisions


@dataclass(slots=True)
class Scored:
    """How far scoring has come: items scored by this call, those that wait still, and since when.

    failed: offset → why, of items that the model failed on while it could score others; they wait too.
    """

    items: int = 0
    targets: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    seconds: float = 0.0
    failed: dict[int, str] = field(default_factory=dict)


class Finder(Protocol):
    """Says whom an item is about; sentiment.entities.Resolver is the one."""

    def find(
        self, headline: str, body: str, given: Sequence[str], as_of: datetime
    ) -> list[Mention]: ...


def add_news(
    rows: Iterable[NewsItem | Rejected],
    tape: Tape,
    *,
    backfill: bool = False,
    reject: Callable[[Rejected], None] = lambda _: None,
    progress: Callable[[Added], None] = lambda _: None,
) -> Added:
    """Log rows in their order; those that could not be read go to `reject`, the rest go in."""
    started, added = time.monotonic(), Added()
    for group in in_batches(rows, ADD_ROWS, ADD_SECONDS):
        items = [row for row in group if isinstance(row, NewsItem)]
        for row in group:
            if isinstance(row, Rejected):
                reject(row)
        became = Counter(one.status for one in tape.append(items, backfill=backfill))
        added.rows += len(group)
        added.new += became["new"]
        added.duplicates += became["duplicate"]
        added.revisions += became["revision"]
        added.rejected += len(group) - len(items)
        added.flags.update(flag for item in items for flag in item.flags)
        added.seconds = time.monotonic() - started
        progress(added)
    return added


def score_backlog(
    tape: Tape,
    resolver: Finder,
    stories: "StoriesOfTape",
    scorer: Scorer,
    *,
    batch: int = SCORE_ITEMS,
    leave: Mapping[int, str] = {},
    progress: Callable[[Scored], None] = lambda _: None,
    stopping: Callable[[Scored], bool] = lambda _: False,
) -> Scored:
    """Score what has no score of this scorer's version, until nothing waits, or `stopping` says so.

    While the model is at work, the next is read; in (known_at, offset) order, but where there is a backlog, every other batch
    is of what has just come in live. leave: offsets of items not to try, those that failed before. Raises what the model
    raises when it can score nothing of a batch.
    """
    started, scored = time.monotonic(), Scored()
    with ThreadPoolExecutor(1, thread_name_prefix="model") as beside:
        at_work: Future[tuple[list[Score], dict[int, str]]] | None = None
        items, ending = list[Logged](), False
        for live_first in cycle((True, False)):
            taken = {*leave, *scored.failed, *(logged.offset for logged in items)}
            items = (
                []
                if ending
                else next_items(tape, scorer.version, batch, taken, live_first=live_first)
            )
            read = read_items(items, resolver, stories)
            if at_work is not None:
                scores, failed = at_work.result()
                tape.record_scores(scores)
                scored.items += len(scores)
                scored.failed |= failed
                scored.targets += sum(len(one.targets) for one in scores)
                scored.waiting, scored.oldest = tape.lag(scorer.version)
                scored.seconds = time.monotonic() - started
                progress(scored)
                ending = ending or stopping(scored)
            elif not items:
                break
            at_work = beside.submit(judge_each, read, scorer) if items else None
    return scored


def next_items(
    tape: Tape, version: str, batch: int, taken: set[int], *, live_first: bool
) -> list[Logged]:
    """What to score beside what is taken, in (known_at, offset) order: of a backlog the first, or what is live and new."""
    waiting = tape.unscored(version, limit=batch + len(taken))
    if live_first and len(waiting) == batch + len(taken):
        newest = tape.items(limit=LIVE_ITEMS, newest_first=True)
        offsets = [logged.offset for logged in newest]
        done = {logged.score.item for logged in tape.scores(version=version, of=offsets)} | taken
        live = [one for one in newest[::-1] if not one.backfilled and one.offset not in done]
        live = [one for one in live if one.item.kind is not Kind.RETRACTION]
        if live:
            return live[-batch:]
    return [one for one in waiting if one.offset not in taken][:batch]


class Read(NamedTuple):
    """An item of the tape, about whom it is, and how new it is to all and to each of those."""

    logged: Logged
    about: list[Mention]
    new: News


def read_items(items: Sequence[Logged], resolver: Finder, stories: "StoriesOfTape") -> list[Read]:
    """What there is to know of items before a model sees them; they come in (known_at, offset) order."""
    about = [companies(logged, resolver) for logged in items]
    return [Read(*parts) for parts in zip(items, about, stories.observe(items, about), strict=True)]


def judge_each(items: Sequence[Read], scorer: Scorer) -> tuple[list[Score], dict[int, str]]:
    """Judge items together; where that fails one by one, so that an item that a model fails on does not stop the rest."""
    try:
        return judge(items, scorer), {}
    except Exception:
        scores, failed = list[Score](), dict[int, str]()
        for read in items:
            try:
                scores += judge([read], scorer)
            except Exception as exc:  # noqa: BLE001 - a model can fail in any way
                failed[read.logged.offset] = str(exc) or type(exc).__name__
        if scores:
            return scores, failed
        raise  # not the items, the model


def judge(items: Sequence[Read], scorer: Scorer) -> list[Score]:
    """How good or bad each item is, as a whole and for each company it is about."""
    said = score_items(scorer, [_document(read) for read in items])
    return [_score(scorer, read, each) for read, each in zip(items, said, strict=True)]


def companies(logged: Logged, resolver: Finder) -> list[Mention]:
    """Whom an item is about, by the names that held when it was public: today's would be look-ahead in an archive."""
    item = logged.item
    when = min(item.public_at, logged.known_at)
    return resolver.find(item.headline, item.body, item.symbols, when)


def _document(read: Read) -> Document:
    item = read.logged.item
    return Document(item.headline, item.body, {m.entity: m.spans for m in read.about})


def _score(scorer: Scorer, read: Read, said: DocumentScore) -> Score:
    whole, each = read.new
    return Score(
        item=read.logged.offset,
        model=scorer.name,
        version=scorer.version,
        **_probabilities(said.item),
        novelty=whole.novelty,
        story=whole.story,
        targets=tuple(
            TargetScore(
                entity=mention.entity,
                symbol=mention.symbol,
                relevance=mention.relevance,
                novelty=each[mention.entity].novelty,
                story=each[mention.entity].story,
                **_probabilities(said.targets[mention.entity]),
            )
            for mention in read.about
        ),
        like=whole.like,
    )


def _probabilities(row: Probabilities) -> dict[str, float]:
    return dict(zip(LABELS, row.tolist(), strict=True))


# ---- how new an item is


class StoriesOfTape:
    """What novelty remembers, in step with the tape.

    An item is compared with all that the tape holds of the 24 hours before it in (known_at, offset) order, whoever
    logged and scored that and whenever: so a restart, a second scorer and a backfill into the past change nothing.
    """

    def __init__(self, tape: Tape, resolver: Finder) -> None:
        self._tape = tape
        self._resolver = resolver
        # Two places in time, the last used first: at what is live, and where a backlog has got to.
        self._places: deque[Place] = deque(maxlen=2)

    def observe(self, items: Sequence[Logged], about: Sequence[Sequence[Mention]]) -> list[News]:
        """How new each of these items is, which come in (known_at, offset) order, and about whom each is."""
        wanted = {logged.offset: mentions for logged, mentions in zip(items, about, strict=True)}
        found: list[News] = []
        for first, last in _runs(items, WIDTH):
            place = self._place_before(first)
            for logged in self._due(place, last):
                mentions = wanted.get(logged.offset)
                if mentions is not None:
                    found.append(place.meet(logged, mentions))
                else:
                    place.meet(logged, companies(logged, self._resolver))
        return found

    def _place_before(self, first: Logged) -> "Place":
        """Where to go on from to an item: no more than a day before it."""
        start, head = (first.known_at - WIDTH, 0), self._tape.head()
        for place in self._places:
            if start <= place.met < _key(first) and self._is_whole(place):
                self._places.remove(place)
                break
        else:
            place = Place(Stories(WIDTH), start)
        place.head = head
        self._places.appendleft(place)
        return place

    def _is_whole(self, place: "Place") -> bool:
        """Whether nothing was filled in since into the day behind a place; else it is built anew."""
        until, after = place.met[0], place.head
        while late := self._tape.items(as_of=until, after=after, limit=ADD_ROWS):
            if any(until - WIDTH < one.known_at and _key(one) < place.met for one in late):
                return False
            after = late[-1].offset
        return True

    def _due(self, place: "Place", last: Logged) -> Iterator[Logged]:
        """All that the tape holds from there to an item, and that item."""
        known_at, met = last.known_at, place.met
        known = self._tape.before(known_at, known_at - met[0], offset=last.offset, limit=_ALL)
        yield from (logged for logged in known if _key(logged) > met)
        yield last


@dataclass(slots=True)
class Place:
    """Novelty's memory at one place in time.

    met: the key of the last item it has met; head: the tape's, when it was last brought in step.
    """

    stories: Stories
    met: "Key"
    head: int = 0

    def meet(self, logged: Logged, about: Sequence[Mention]) -> News:
        """How new the next item is."""
        self.met = _key(logged)
        item = logged.item
        return self.stories.observe(
            logged.offset, logged.known_at, item.headline, item.body, [m.entity for m in about]
        )


Key = tuple[datetime, int]


def _key(logged: Logged) -> Key:
    return logged.known_at, logged.offset


def _runs(items: Sequence[Logged], width: timedelta) -> Iterator[tuple[Logged, Logged]]:
    """First and last of each run of items in which none comes more than `width` after the one before it."""
    first = 0
    for at in range(1, len(items) + 1):
        if at == len(items) or items[at].known_at - items[at - 1].known_at > width:
            yield items[first], items[at - 1]
            first = at


# ---- rows in groups


def in_batches(rows: Iterable[T], most: int, seconds: float) -> Iterator[list[T]]:
    """Rows in their order, in groups of at most `most`; none waits longer than `seconds` for its group to fill.

    A thread reads ahead, since a read from a live feed blocks for as long as nothing happens.
    """
    ahead: queue.Queue[T | _End] = queue.Queue(2 * most)
    threading.Thread(target=_read_into, args=(ahead, rows), name="rows", daemon=True).start()
    group: list[T] = []
    due = 0.0
    while True:
        try:
            row = ahead.get(timeout=max(0.0, due - time.monotonic()) if group else None)
        except queue.Empty:
            yield group
            group = []
            continue
        if isinstance(row, _End):
            break
        if not group:
            due = time.monotonic() + seconds
        group.append(row)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group
    if row.error is not None:
        raise row.error


class _End(NamedTuple):
    """No row comes after this one; error: why."""

    error: Exception | None


def _read_into(ahead: "queue.Queue[T | _End]", rows: Iterable[T]) -> None:
    try:
        for row in rows:
            ahead.put(row)
    except Exception as exc:  # noqa: BLE001 - raised again by whoever takes the rows
        ahead.put(_End(exc))
    else:
        ahead.put(_End(None))
