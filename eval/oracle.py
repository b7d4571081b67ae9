"""A tape in, feature values by the plainest program that follows the definition out: loops, fractions, no arrays, no indexes.

It shares nothing with sentiment/rolling.py, lives.py and history.py but the catalogue and the exchange calendar, and takes
all of the tape for each moment it is asked about.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from ingest.moment import from_micros, to_micros
from ingest.news import Kind
from sentiment.entities import UNKNOWN, Resolver
from sentiment.features import Feature, select
from sentiment.log import Logged, LoggedScore, Score, Tape, TargetScore
from sentiment.sessions import new_york
from sentiment.sources import packaged_weights

if TYPE_CHECKING:
    from eval.parity import Read

UNIT = 1 << 16
SECOND, MINUTE, HOUR, DAY = 10**6, 60 * 10**6, 3600 * 10**6, 86_400 * 10**6
WIDTHS = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "30m": 30 * MINUTE,
    "2h": 2 * HOUR,
    "1d": DAY,
    "5d": 5 * DAY,
}
EIGHT_WEEKS = 56 * DAY

# What two right programs may differ by: rounding; and, of a decayed mean, ages that are rounded to 1/4096 of a half-life.
ROUNDING, DECAY = 1e-12, 5e-4


class Said(NamedTuple):
    """What counts at a moment: a score of an item, about a company ("" about the item itself), in 1/UNIT."""

    moment: int
    company: str
    sentiment: int
    confidence: int
    relevance: int
    novelty: int
    weight: int
    label: int


class State(NamedTuple):
    """How the log is read."""

    head: int
    view: str
    model: str | None
    latency: int


@dataclass(slots=True)
class Compared:
    """What came of asking the oracle."""

    vectors: int = 0
    values: int = 0
    mismatches: int = 0
    largest: float = 0.0
    first: str = ""


@dataclass(slots=True)
class _Thread:
    """Records that belong together, and which of them stands."""

    ids: set[tuple[str, str]] = field(default_factory=set)
    stands: Logged | None = None
    began: int = 0


class Oracle:
    """Answers from all of a tape."""

    def __init__(self, tape: Tape, resolver: Resolver) -> None:
        self._resolver = resolver
        self._items = sorted(_all_items(tape), key=lambda one: (one.known_at, one.offset))
        self._known = {one.offset: to_micros(one.known_at) for one in self._items}
        self._scores: dict[int, list[LoggedScore]] = {}
        for score in sorted(_all_scores(tape), key=lambda one: (one.known_at, one.offset)):
            self._known[score.offset] = to_micros(score.known_at)
            self._scores.setdefault(score.score.item, []).append(score)
        self._said = lru_cache(128)(self._what_counts)
        self._first_known = lru_cache(128)(self._find_first_known)

    def compare(self, reads: Iterable["Read"]) -> Compared:
        """Values that were served against those that it finds."""
        found = Compared()
        for read in reads:
            features = _features(read.features)
            state = State(read.head, read.view, read.model, read.latency)
            found.vectors += 1
            expected = self.vector(features, read.symbol, read.as_of, state)
            for feature, served, value in zip(features, read.values, expected, strict=True):
                found.values += 1
                off = _difference(served, value)
                if feature.measure != "sentiment_ewma" and not math.isinf(off):
                    found.largest = max(found.largest, off)
                if off > (DECAY if feature.measure == "sentiment_ewma" else ROUNDING):
                    found.mismatches += 1
                    found.first = found.first or (
                        f"{feature.name} of {read.symbol} ({read.kind}, {read.view}) as of {from_micros(read.as_of)} at"
                        f" {read.head}: served {served}, the oracle says {value}"
                    )
        return found

    def vector(
        self, features: Sequence[Feature], symbol: str, at: int, state: State
    ) -> list[float | None]:
        """The values of features at a moment."""
        company = self._resolver.find("", "", (symbol,), from_micros(at))[0].entity
        if company.startswith(UNKNOWN) and not self._was_heard_of(company, at, state):
            return [None] * len(features)
        return [self._value(feature, company, at, state) for feature in features]

    def _value(self, feature: Feature, company: str, at: int, state: State) -> float | None:
        match feature.scope:
            case "regulation":
                return None
            case "feed":
                return self._of_feed(feature, at, state)
            case "market":
                return self._measure(feature, "", at // MINUTE * MINUTE, state)
            case "cross_section":
                return self._rank(feature.window, company, at // MINUTE * MINUTE, state)
        return self._measure(feature, company, at, state)

    # ---- one company, or all items

    def _measure(self, feature: Feature, company: str, at: int, state: State) -> float | None:
        match feature.measure:
            case "age":
                moments = [
                    s.moment for s in self._about(company, at, state) if s.moment > at - EIGHT_WEEKS
                ]
                return (at - max(moments)) / SECOND if moments else None
            case "volume":
                known = self._first_known(state)
                return None if known is None or at < known or _cut(feature.window, at) is None else float(
                    len(self._within(feature.window, company, at, state))
                )  # fmt: skip
            case "buzz":
                return self._buzz(feature.window, company, at, state)
            case "sentiment_change":
                return _less(
                    self._mean(feature.window, company, at, state),
                    self._mean(feature.window, company, at - WIDTHS[feature.window], state),
                )
            case "sentiment_momentum":
                return _less(
                    self._mean(feature.window, company, at, state),
                    self._mean(feature.longer, company, at, state),
                )
        rows = self._within(feature.window, company, at, state)
        if not rows:
            return None
        match feature.measure:
            case "sentiment_mean":
                return _mean(rows, "sentiment")
            case "confidence_mean":
                return _mean(rows, "confidence")
            case "relevance_mean":
                return _mean(rows, "relevance")
            case "novelty_mean":
                return _mean(rows, "novelty")
            case "positive_share":
                return sum(row.label > 0 for row in rows) / len(rows)
            case "negative_share":
                return sum(row.label < 0 for row in rows) / len(rows)
            case "sentiment_source_weighted":
                return _weighted(rows, "weight")
            case "sentiment_relevance_weighted":
                return _weighted(rows, "relevance")
            case "sentiment_novelty_weighted":
                return _weighted(rows, "novelty")
            case "sentiment_std":
                return _std([row.sentiment for row in rows])
            case "sentiment_ewma":
                half_life = WIDTHS[feature.window] / 4
                weights = [math.exp2((row.moment - at) / half_life) for row in rows]
                total = math.fsum(w * row.sentiment for w, row in zip(weights, rows, strict=True))
                return total / math.fsum(weights) / UNIT
        raise NotImplementedError(feature.name)

    def _mean(self, window: str, company: str, at: int, state: State) -> float | None:
        rows = self._within(window, company, at, state)
        return _mean(rows, "sentiment") if rows else None

    def _buzz(self, window: str, company: str, at: int, state: State) -> float | None:
        known = self._first_known(state)
        earlier = [
            then
            for then in _same_hour_before(at)
            if known is not None and then - WIDTHS[window] >= known
        ]
        if len(earlier) < 4:
            return None
        volume = len(self._within(window, company, at, state))
        counts = [len(self._within(window, company, then, state)) for then in earlier]
        mean = Fraction(sum(counts), len(counts))
        variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
        return float(volume - mean) / max(math.sqrt(variance), 1.0)

    def _rank(self, window: str, company: str, at: int, state: State) -> float | None:
        cut = _cut(window, at)
        if cut is None:
            return None
        by_company: dict[str, list[int]] = {}
        for row in self._said(at, state):
            if row.company and row.moment > cut:
                by_company.setdefault(row.company, []).append(row.sentiment)
        means = {name: Fraction(sum(each), len(each)) for name, each in by_company.items()}
        own = means.pop(company, None)
        if own is None or not means:
            return None
        lower = sum(mean < own for mean in means.values())
        equal = sum(mean == own for mean in means.values())
        return float((lower + Fraction(equal, 2)) / len(means))

    def _within(self, window: str, company: str, at: int, state: State) -> list[Said]:
        cut = _cut(window, at)
        if cut is None:
            return []
        return [row for row in self._about(company, at, state) if row.moment > cut]

    def _about(self, company: str, at: int, state: State) -> list[Said]:
        return [row for row in self._said(at, state) if row.company == company]

    # ---- the feed

    def _of_feed(self, feature: Feature, at: int, state: State) -> float | None:
        known = [
            one for one in self._items if one.offset <= state.head and self._known[one.offset] <= at
        ]
        if not known:
            return None
        if feature.measure == "feed_age":
            return (at - max(self._known[one.offset] for one in known)) / SECOND
        if state.view != "known":
            return 0.0
        waiting = [
            self._known[one.offset]
            for one in self._standing(at, state)[0]
            if not self._of_item(one, state, at) and SECOND < at - self._known[one.offset] < DAY
        ]
        return (at - min(waiting)) / SECOND if waiting else 0.0

    # ---- what counts

    def _what_counts(self, at: int, state: State) -> list[Said]:
        """All that counts at a moment, in windows of any width."""
        rows: list[Said] = []
        if state.view == "latest":
            standing, began = self._standing(None, state)
            for one in standing:
                scores = self._of_item(one, state, None)
                if scores and began[one.offset] <= at:
                    rows += _said(one, scores[-1], began[one.offset])
            return rows
        for one in self._standing(at, state)[0]:
            moment = self._known[one.offset]
            if state.view == "as_if":
                scores = self._of_item(one, state, None)
                if scores and moment + state.latency <= at:
                    rows += _said(one, scores[-1], moment)
            elif scores := self._of_item(one, state, at):
                rows += _said(one, scores[-1], moment)
        return rows

    def _of_item(self, one: Logged, state: State, by: int | None) -> list[LoggedScore]:
        """Its scores, the newest last; by: those known by then."""
        return [
            score
            for score in self._scores.get(one.offset, [])
            if score.offset <= state.head
            and (by is None or self._known[score.offset] <= by)
            and state.model in (None, score.score.model, score.score.version)
        ]

    def _standing(self, at: int | None, state: State) -> tuple[list[Logged], dict[int, int]]:
        """The records that stand once those known by a moment (None: all) are taken in their order, and when the thread of
        each began, by offset."""
        threads: dict[tuple[str, str], _Thread] = {}
        referred: set[tuple[str, str]] = set()
        for one in self._items:
            if one.offset > state.head or (at is not None and self._known[one.offset] > at):
                continue
            key = one.item.source, one.item.id
            begun = _Thread(began=self._known[one.offset])
            own = threads.get(key, begun)
            superseding = own.stands
            other = own
            if one.item.refers_to is not None:
                refers = one.item.source, one.item.refers_to
                other = threads.get(refers, own)
                referred.add(refers)
                own.ids.add(refers)
            joined = _Thread(own.ids | other.ids | {key}, began=min(own.began, other.began))
            late = one.revision == 1 and key in referred
            if late:
                joined.stands = superseding
            elif one.item.kind is not Kind.RETRACTION:
                joined.stands = one
            for each in joined.ids:
                threads[each] = joined
        standing: dict[int, Logged] = {}
        began: dict[int, int] = {}
        for thread in threads.values():
            if thread.stands is not None:
                standing[thread.stands.offset] = thread.stands
                began[thread.stands.offset] = thread.began
        return list(standing.values()), began

    def _find_first_known(self, state: State) -> int | None:
        """When any score of the log could be read first."""
        scored = [
            (one, score)
            for one in self._items
            if one.offset <= state.head
            for score in self._of_item(one, state, None)
        ]
        if state.view == "known":
            return min((self._known[score.offset] for _, score in scored), default=None)
        return min((self._known[one.offset] + state.latency for one, _ in scored), default=None)

    def _was_heard_of(self, company: str, at: int, state: State) -> bool:
        """Whether a company that is in no table was in a score by then."""
        return any(
            target.entity == company
            and score.offset <= state.head
            and self._known[score.offset] <= at
            and state.model in (None, score.score.model, score.score.version)
            for scores in self._scores.values()
            for score in scores
            for target in score.score.targets
        )


def _all_items(tape: Tape) -> Iterable[Logged]:
    after = 0
    while page := tape.items(after=after, limit=5000):
        yield from page
        after = page[-1].offset


def _all_scores(tape: Tape) -> Iterable[LoggedScore]:
    after = 0
    while page := tape.scores(after=after, limit=5000):
        yield from page
        after = page[-1].offset


def _said(one: Logged, score: LoggedScore, moment: int) -> list[Said]:
    """What a score says of the item, and of each company."""
    weight = packaged_weights().of(one.item.source)
    whole = score.score
    return [
        _row(moment, "", whole, 1.0, whole.novelty, weight),
        *(_row(moment, t.entity, t, t.relevance, t.novelty, weight) for t in whole.targets),
    ]


def _row(
    moment: int,
    company: str,
    said: Score | TargetScore,
    relevance: float,
    novelty: float,
    weight: int,
) -> Said:
    best = max(said.negative, said.neutral, said.positive)
    label = (
        0
        if best == said.neutral or said.positive == said.negative
        else (1 if best == said.positive else -1)
    )
    return Said(
        moment, company, round((said.positive - said.negative) * UNIT), round(best * UNIT), round(relevance * UNIT),
        round(novelty * UNIT), weight, label,
    )  # fmt: skip


# ---- arithmetic


def _cut(window: str, at: int) -> int | None:
    """Where a window that is read at a moment begins; None where nobody can tell."""
    if window in WIDTHS:
        return at - WIDTHS[window]
    sessions = new_york()
    bounds = _bounds(window, sessions.closes if window == "since_close" else sessions.opens)
    following = bisect_left(bounds, at)
    return None if following in (0, len(bounds)) else bounds[following - 1]


_BOUNDS: dict[str, list[int]] = {}


def _bounds(window: str, moments: object) -> list[int]:
    if window not in _BOUNDS:
        _BOUNDS[window] = [int(each) for each in moments]  # type: ignore[attr-defined]
    return _BOUNDS[window]


def _same_hour_before(at: int) -> list[int]:
    """The moments of the same New York wall-clock time 1 to 8 weeks before."""
    zone = ZoneInfo("America/New_York")
    local = from_micros(at).astimezone(zone).replace(tzinfo=None)
    return [to_micros((local - timedelta(weeks=week)).replace(tzinfo=zone)) for week in range(1, 9)]


def _mean(rows: Sequence[Said], of: str) -> float:
    return float(Fraction(sum(getattr(row, of) for row in rows), len(rows) * UNIT))


def _weighted(rows: Sequence[Said], by: str) -> float | None:
    weights = [getattr(row, by) for row in rows]
    total = sum(w * row.sentiment for w, row in zip(weights, rows, strict=True))
    return float(Fraction(total, sum(weights) * UNIT)) if sum(weights) else None


def _std(values: Sequence[int]) -> float | None:
    if len(values) < 2:
        return None
    mean = Fraction(sum(values), len(values))
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1)) / UNIT


def _less(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def _difference(served: float | None, value: float | None) -> float:
    if served is None or value is None:
        return 0.0 if served is value else math.inf
    return abs(served - value) / max(1.0, abs(value))


def _features(asked: str | tuple[str, ...]) -> tuple[Feature, ...]:
    return select(feature_set=asked) if isinstance(asked, str) else select(asked)
