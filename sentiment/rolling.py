"""Contributions and instants in, exact sums over half-open windows and what is made of them out; pure, no clock.

A contribution is what one score of one item says of one company. At an instant T it counts in a window that began at c where

    c < moment   and   start <= T < end

which is one interval of T, [start, stop). So a window's sum at T is the sum of what has started by T less that of what has
stopped by T. Everything summed is an integer, in units of 1/UNIT: sums are exact and depend on no order, of rows, of
arrivals or of adding. What is made of them (a mean, a standard deviation) is a few IEEE operations, the same ones for all.

There are two ways to the same sums. By masks: all rows are looked at for each instant; for one read, or a few. By steps: a
sum changes only where a row starts or stops, so it is made once for each of those; for many instants.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, partial
from heapq import heappop, heappush
from math import isqrt
from typing import Any, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

UNIT = 1 << 16
FOREVER = 1 << 62
NEVER = -FOREVER
ITEM = -1

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """n rows as columns; the order of rows has no meaning.

    moment, start, end: microseconds since 1970 UTC, moment <= start; a row stands from start until before end, FOREVER
    where nothing took its place. entity: code of the company, or ITEM: the row is the whole item's score, one for an item.
    item, offset: offsets of the item's record and of the score's. version: code of the model version. label: -1, 0, 1, the
    most probable class. backfilled: known from a public moment, not from when it came in. The numbers are in 1/UNIT and
    below 2**31: sentiment (positive less negative), confidence (the largest probability), relevance, novelty, weight (of
    the source); the last three are not negative.
    """

    moment: Ints
    start: Ints
    end: Ints
    entity: NDArray[np.int32]
    item: Ints
    offset: Ints
    version: NDArray[np.int32]
    label: NDArray[np.int8]
    backfilled: Bools
    sentiment: Ints
    confidence: Ints
    relevance: Ints
    novelty: Ints
    weight: Ints

    def __len__(self) -> int:
        return len(self.moment)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """The rows of an index, a mask or a slice."""
        return type(self)(*(getattr(self, name)[rows] for name in _COLUMNS))

    def ordered(self) -> Self:
        """The rows by moment: themselves if they stand so already."""
        if np.all(self.moment[1:] >= self.moment[:-1]):
            return self
        return self.take(np.argsort(self.moment, kind="stable"))

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """The rows of all parts."""
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        return cls(*(np.empty(0, _TYPES.get(name, np.int64)) for name in _COLUMNS))


_COLUMNS = tuple(field.name for field in fields(Contributions))
_TYPES: dict[str, Any] = {
    "entity": np.int32, "version": np.int32, "label": np.int8, "backfilled": np.bool_,
}  # fmt: skip


def to_units(values: Floats) -> Ints:
    """Real numbers in 1/UNIT: the nearest integers, the even one of two, as `round(value * UNIT)` has it."""
    return np.rint(values * UNIT).astype(np.int64)


# ---- windows


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Which moments count at an instant T: those in (cut(T), T].

    width: microseconds, of a window by the clock; or bounds: int64 in order, at least one, and the window began at the last
    of them before T. It is not defined up to the first of them, nor after the last, since nobody can tell when the next one is.
    """

    width: int = 0
    bounds: Ints | None = None

    def cut(self, instants: Ints) -> Ints:
        """Where the window began: only later moments count. FOREVER where it is not defined."""
        if self.bounds is None:
            return instants - self.width
        following = np.searchsorted(self.bounds, instants, "left")
        defined = (following > 0) & (following < len(self.bounds))
        return np.where(defined, self.bounds[following - 1], FOREVER)

    def leave(self, moments: Ints) -> Ints:
        """The first instants at which moments no longer count."""
        if self.bounds is None:
            return moments + self.width
        following = np.searchsorted(self.bounds, moments, "left")
        last = len(self.bounds) - 1
        return np.where(following > last, FOREVER, self.bounds[np.minimum(following, last)] + 1)

    def stop(self, rows: Contributions) -> Ints:
        """The first instants at which rows no longer count; their start where they never do."""
        return np.maximum(rows.start, np.minimum(rows.end, self.leave(rows.moment)))


# ---- what is summed, and what is made of the sums

# Terms, in the order of `_terms`. The two lists match: what is a mean of a term stands in its place.
_COUNT, _SENTIMENT, _CONFIDENCE, _RELEVANCE, _NOVELTY, _POSITIVE, _NEGATIVE = range(7)
_BY_SOURCE, _BY_RELEVANCE, _BY_NOVELTY, _WEIGHT, _SQUARE = range(7, 12)
MEASURES = (
    "volume", "sentiment_mean", "confidence_mean", "relevance_mean", "novelty_mean", "positive_share", "negative_share",
    "sentiment_source_weighted", "sentiment_relevance_weighted", "sentiment_novelty_weighted", "sentiment_std",
    "sentiment_ewma",
)  # fmt: skip
_STD, _EWMA = 10, 11

_SAFE = 1 << 62  # int64 holds what is below
_SAFE_FLOAT = 1 << 53  # and float64 what is below this


class Cell(NamedTuple):
    """One of MEASURES over a window, at an instant or `back` microseconds before it."""

    measure: str
    window: Window
    back: int = 0


def _terms(rows: Contributions) -> Ints:
    """int64[12, n]: what is summed."""
    terms = np.empty((12, len(rows)), np.int64)
    terms[_COUNT] = 1
    terms[_SENTIMENT] = rows.sentiment
    terms[_CONFIDENCE] = rows.confidence
    terms[_RELEVANCE] = rows.relevance
    terms[_NOVELTY] = rows.novelty
    terms[_POSITIVE] = rows.label > 0
    terms[_NEGATIVE] = rows.label < 0
    terms[_WEIGHT] = rows.weight
    np.multiply(rows.weight, rows.sentiment, out=terms[_BY_SOURCE])
    np.multiply(rows.relevance, rows.sentiment, out=terms[_BY_RELEVANCE])
    np.multiply(rows.novelty, rows.sentiment, out=terms[_BY_NOVELTY])
    np.multiply(rows.sentiment, rows.sentiment, out=terms[_SQUARE])
    return terms


def _finish(sums: Ints) -> Floats:
    """float64[11, k] of the sums of terms, int64[12, k] or Python integers: MEASURES but the last; NaN where undefined."""
    real = sums.astype(np.float64)
    made = np.empty((len(MEASURES) - 1, sums.shape[1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        made[_COUNT] = real[_COUNT]
        np.divide(real[_SENTIMENT:_BY_SOURCE], real[_COUNT], out=made[_SENTIMENT:_BY_SOURCE])
        np.divide(
            real[_BY_SOURCE:_WEIGHT],
            real[[_WEIGHT, _RELEVANCE, _NOVELTY]],
            out=made[_BY_SOURCE:_STD],
        )
        count, total, square = sums[_COUNT], sums[_SENTIMENT], sums[_SQUARE]
        if _peak(real[_COUNT]) * _peak(real[_SQUARE]) >= _SAFE:  # the square of a sum is less
            count, total, square = (each.astype(object) for each in (count, total, square))
        spread = (count * square - total * total).astype(np.float64)
        np.sqrt(spread / (count * (count - 1)).astype(np.float64), out=made[_STD])
    made[_SENTIMENT:_POSITIVE] /= UNIT
    made[_BY_SOURCE:] /= UNIT
    return made


def _peak(values: NDArray[Any]) -> float:
    """The largest absolute value, 0 of none."""
    return max(float(values.max()), -float(values.min())) if values.size else 0.0


# ---- decay

# The weight of a contribution is 2**(moment / half-life), which grows with the moment, instead of 2**(-age / half-life),
# which would change with every instant: in a weighted mean they are the same, and the former can be summed in steps. It is
# counted within blocks of a window's width, four half-lives: at T, moments of the block before T's weigh as they are, those
# of T's own 16 times as much, and no earlier one is left. Moments are rounded down to 1/4096 of a half-life.
HALF_LIVES = 4
_STEPS, _DECAY_BITS = 4096, 20


def _decay_table() -> Ints:
    """2**(step / _STEPS) in units of 2**-_DECAY_BITS, by integers: no library's pow decides the last bit."""
    precise = 256
    root = 2 << precise
    for _ in range(_STEPS.bit_length() - 1):
        root = isqrt(root << precise)
    table, power = [], 1 << precise
    for _ in range(_STEPS):
        table.append(power >> (precise - _DECAY_BITS))
        power = power * root >> precise
    return np.array(table, np.int64)


_DECAY = _decay_table()


def decay(moments: Ints, width: int | Ints) -> tuple[Ints, Ints]:
    """The blocks of a window's width in which moments lie, and their weights within them, in 2**-20: int64."""
    half_life = width // HALF_LIVES
    block = moments // width
    halvings, rest = np.divmod(moments - block * width, half_life)
    return block, _DECAY[rest * _STEPS // half_life] << halvings


def _finish_decay(sums: Ints) -> Floats:
    """float64[k] of the sums of weights and of weighted sentiment, int64[2, k] or Python integers."""
    real = sums.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(real[1] / real[0] / UNIT)


# ---- by masks


class _Points(NamedTuple):
    """Where cells are: the distinct (window, back), and for each cell its row of MEASURES and its point.

    bounded: the points of windows that are not of the clock; decayed: those of which an EWMA is wanted.
    """

    windows: tuple[Window, ...]
    widths: Ints
    back: Ints
    bounded: tuple[int, ...]
    decayed: NDArray[np.intp]
    rows: NDArray[np.intp]
    points: NDArray[np.intp]


@lru_cache(maxsize=256)
def _points(cells: tuple[Cell, ...]) -> _Points:
    places = {place: at for at, place in enumerate(dict.fromkeys(cell[1:] for cell in cells))}
    points = np.array([places[cell[1:]] for cell in cells], np.intp)
    rows = np.array([MEASURES.index(cell.measure) for cell in cells], np.intp)
    return _Points(
        tuple(window for window, _ in places),
        np.array([window.width for window, _ in places], np.int64),
        np.array([back for _, back in places], np.int64),
        tuple(at for (window, _), at in places.items() if window.bounds is not None),
        np.unique(points[rows == _EWMA]),
        rows,
        points,
    )


class Masks:
    """Rows, in order of moment, all looked at for each instant."""

    def __init__(self, rows: Contributions) -> None:
        self.rows = rows

    def cells(self, cells: tuple[Cell, ...], instants: Ints) -> Floats:
        """float64[cells, m]: values of cells at instants int64[m]; NaN where nothing is defined."""
        found = np.empty((len(cells), len(instants)))
        if cells:
            where = _points(cells)
            for column, instant in enumerate(instants):
                found[:, column] = _at(self.rows, where, instant)
        return found

    def count(self, widths: Ints, instants: Ints) -> Ints:
        """int64[w, k, m]: how many rows count in windows of widths int64[w], microseconds, at instants int64[k, m]."""
        rows, at = self.rows, instants.reshape(-1)
        cuts = at - widths[:, np.newaxis]
        if len(rows) * cuts.size <= _AT_ONCE:
            standing = (rows.start <= at[:, np.newaxis]) & (rows.end > at[:, np.newaxis])
            counts = ((rows.moment > cuts[..., np.newaxis]) & standing).sum(axis=-1)
        else:
            counts = np.zeros(cuts.shape, np.int64)
            for window, place in np.ndindex(*cuts.shape):
                instant = at[place]
                near = _between(rows, cuts[window, place], instant)
                standing = (rows.start[near] <= instant) & (rows.end[near] > instant)
                counts[window, place] = np.count_nonzero(standing)
        return np.asarray(counts.reshape(len(widths), *instants.shape), np.int64)

    def newest(self, width: int, instants: Ints) -> Ints:
        """int64[m]: the newest moment of those that count in a window of `width` at instants int64[m]; NEVER of none."""
        rows, found = self.rows, np.full(len(instants), NEVER)
        for place, instant in enumerate(instants):
            near = _between(rows, instant - width, instant)
            counting = np.flatnonzero((rows.start[near] <= instant) & (rows.end[near] > instant))
            if len(counting):
                found[place] = rows.moment[near][counting[-1]]
        return found


_AT_ONCE = 1 << 18


def _at(rows: Contributions, where: _Points, instant: np.int64) -> Floats:
    at = instant - where.back
    cuts = at - where.widths
    for point in where.bounded:
        cuts[point] = where.windows[point].cut(at[point : point + 1])[0]
    near = rows.take(_between(rows, cuts.min(), instant))
    counts = near.moment > cuts[:, np.newaxis]
    counts &= near.start <= at[:, np.newaxis]
    counts &= near.end > at[:, np.newaxis]
    made = np.empty((len(MEASURES), len(at)))
    made[:_EWMA] = _finish(_dot(_terms(near), counts))
    if len(where.decayed):
        made[_EWMA, where.decayed] = _decayed(
            near, counts[where.decayed], where.widths[where.decayed], at[where.decayed]
        )
    if where.bounded:
        made[:, cuts == FOREVER] = np.nan
    return made[where.rows, where.points]


def _between(rows: Contributions, cut: Any, instant: Any) -> slice:
    """The rows with moments in (cut, instant]: no other can count."""
    first, last = np.searchsorted(rows.moment, np.array([cut, instant]), "right")
    return slice(first, last)


def _dot(terms: Ints, counts: Bools) -> Ints:
    """[t, p]: the sums of terms int64[t, n] over the rows that count, bool[p, n]; Python integers if need be."""
    bound = terms.shape[1] * _peak(terms)
    if bound < _SAFE_FLOAT:  # whole floats add without rounding, in any order, and BLAS is quick
        return (terms.astype(np.float64) @ counts.T.astype(np.float64)).astype(np.int64)
    if bound < _SAFE:
        return terms @ counts.T.astype(np.int64)
    return np.asarray(terms.astype(object) @ counts.T.astype(object))


def _decayed(rows: Contributions, counts: Bools, widths: Ints, at: Ints) -> Floats:
    block, weight = decay(rows.moment, widths[:, np.newaxis])
    weight <<= np.where(block == (at // widths)[:, np.newaxis], HALF_LIVES, 0)
    weight *= counts
    weighted = weight * rows.sentiment
    if len(rows) * max(_peak(weight), _peak(weighted)) >= _SAFE:
        weight, weighted = weight.astype(object), weighted.astype(object)
    return _finish_decay(np.stack([weight.sum(axis=1), weighted.sum(axis=1)]))


# ---- by steps


class Steps:
    """The same of the same rows, made once for each time at which a value changes and looked up for many instants."""

    def __init__(self, rows: Contributions) -> None:
        self._rows = rows
        self._made: dict[tuple[str, Any], Any] = {}

    def cells(self, cells: tuple[Cell, ...], instants: Ints) -> Floats:
        """As of Masks."""
        found = np.empty((len(cells), len(instants)))
        where = _points(cells)
        for point, window in enumerate(where.windows):
            at, here = instants - where.back[point], where.points == point
            plain = np.flatnonzero(here & (where.rows != _EWMA))
            if len(plain):
                times, values = self._once("plain", self._make_plain, window)
                found[plain] = values[np.ix_(where.rows[plain], _places(times, at))]
            if point in where.decayed:
                times, values = self._once("decayed", self._make_decayed, window)
                found[here & (where.rows == _EWMA)] = values[_places(times, at)]
            if window.bounds is not None:
                found[np.ix_(here, window.cut(at) == FOREVER)] = np.nan
        return found

    def count(self, widths: Ints, instants: Ints) -> Ints:
        """As of Masks."""
        counts = np.empty((len(widths), *instants.shape), np.int64)
        for line, at in enumerate(instants):
            started = _places(self._started, at)
            for window, width in enumerate(widths.tolist()):
                stopped = _places(self._once("stops", self._make_stops, width), at)
                np.subtract(started, stopped, out=counts[window, line])
        return counts

    def newest(self, width: int, instants: Ints) -> Ints:
        """As of Masks."""
        times, moments = self._once("newest", self._make_newest, width)
        found: Ints = moments[_places(times, instants)]
        return found

    @cached_property
    def _started(self) -> Ints:
        return np.sort(self._rows.start)

    @cached_property
    def _terms(self) -> Ints:
        return _terms(self._rows)

    def _once(self, kind: str, make: Callable[[Any], _Made], of: Any) -> _Made:
        if (kind, of) not in self._made:
            self._made[kind, of] = make(of)
        found: _Made = self._made[kind, of]
        return found

    def _make_stops(self, width: int) -> Ints:
        return np.sort(Window(width).stop(self._rows))

    def _make_plain(self, window: Window) -> tuple[Ints, Floats]:
        """Times, and float64[11, times + 1] of MEASURES before, between and after them."""
        times, sums = _sums(self._terms, self._rows.start, window.stop(self._rows))
        return times, _finish(sums)

    def _make_decayed(self, window: Window) -> tuple[Ints, Floats]:
        """Times, and the EWMA before, between and after them: float64[times + 1]."""
        rows, stop = self._rows, window.stop(self._rows)
        block, weight = decay(rows.moment, window.width)
        terms = np.stack([weight, weight * rows.sentiment])
        border = (block + 1) * window.width  # until then a row weighs 16 times as much as after
        times, sums = _sums(
            np.concatenate([terms << HALF_LIVES, terms], axis=1),
            np.concatenate([np.minimum(rows.start, border), np.maximum(rows.start, border)]),
            np.concatenate([np.minimum(stop, border), np.maximum(stop, border)]),
        )
        return times, _finish_decay(sums)

    def _make_newest(self, width: int) -> tuple[Ints, Ints]:
        """Times, and the newest moment that counts before, between and after them."""
        rows, stop = self._rows, Window(width).stop(self._rows)
        times = np.unique(np.concatenate([rows.start, stop]))
        last_first = np.argsort(rows.start)[::-1]
        waiting = list(
            zip(*(c[last_first].tolist() for c in (rows.start, rows.moment, stop)), strict=True)
        )
        standing: list[tuple[int, int]] = []
        found = [NEVER]
        for time in times.tolist():
            while waiting and waiting[-1][0] <= time:
                _, moment, until = waiting.pop()
                heappush(standing, (-moment, until))
            while standing and standing[0][1] <= time:
                heappop(standing)
            found.append(-standing[0][0] if standing else NEVER)
        return times, np.array(found, np.int64)


def _sums(terms: Ints, start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Times in order, and the sums before, between and after them, [t, times + 1], of terms int64[t, n] that count from their
    start until before their stop; Python integers if need be."""
    times = np.concatenate([start, stop])
    order = np.argsort(times)
    exact = terms if terms.shape[1] * _peak(terms) < _SAFE else terms.astype(object)
    sums = np.zeros((len(terms), len(times) + 1), exact.dtype)
    np.cumsum(np.concatenate([exact, -exact], axis=1)[:, order], axis=1, out=sums[:, 1:])
    return times[order], sums


def _places(times: Ints, instants: Ints) -> NDArray[np.intp]:
    """How many of times, in order, are not after each instant: `searchsorted`, and many times quicker for instants in order."""
    if len(instants) < 2 or np.any(instants[1:] < instants[:-1]):
        return np.searchsorted(times, instants, "right")
    before, until = np.searchsorted(times, instants[[0, -1]], "right")
    first_at = np.searchsorted(instants, times[before:until], "left")
    return np.asarray(before + np.cumsum(np.bincount(first_at, minlength=len(instants))), np.intp)


def over(rows: Contributions, instants: int) -> Masks | Steps:
    """Whichever is quicker for so many instants: masks take about 0.2 ms for each, steps 3 ms and a little for each row."""
    few = instants <= 10 + len(rows) // 1000
    return Masks(rows.ordered()) if few else Steps(rows)


# ---- the market, and one company among the others


class Panel:
    """All companies' rows and the items' own, read at whole minutes (UTC): what counts then.

    `items`: the rows of whole items, in order of moment. Those of companies are asked for when a rank is. What was asked last
    is kept, up to about 256 MB, since many readers ask for the same minutes. Codes of companies are small numbers: a table
    has a column for each up to the largest.
    """

    def __init__(self, items: Contributions, each: Callable[[], Contributions]) -> None:
        self.items = items.ordered()
        self._each = each
        self._kept: OrderedDict[Any, tuple[NDArray[Any], ...]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, everything: Contributions) -> Self:
        """Of the rows of items and companies together."""
        items = everything.entity == ITEM
        return cls(everything.take(items), lambda: everything.take(~items))

    @cached_property
    def _rows(self) -> Contributions:
        return self._each().ordered()

    @cached_property
    def _companies(self) -> int:
        return int(self._rows.entity.max()) + 1 if len(self._rows) else 0

    def keep(
        self, key: Any, make: Callable[[], tuple[NDArray[Any], ...]]
    ) -> tuple[NDArray[Any], ...]:
        """What `make` makes, kept under `key` for the next time."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._size += sum(part.nbytes for part in made)
            while self._size > _KEPT_BYTES and len(self._kept) > 1:
                _, old = self._kept.popitem(last=False)
                self._size -= sum(part.nbytes for part in old)
        return made

    def ranks(self, window: Window, minutes: Ints, entity: int) -> Floats:
        """float64[m], at minutes int64[m] in order: the share of the other companies with news in the window whose mean
        sentiment is lower, half of those where it is equal; NaN where the company has no news there, or no other has."""
        found = np.full(len(minutes), np.nan)
        if not 0 <= entity < self._companies:
            return found
        most = max(1, _TABLE // self._companies)
        for first in range(0, len(minutes), most):
            block = minutes[first : first + most]
            places, present = self.keep(
                (window, block.tobytes()), partial(self._rank, window, block)
            )
            place = places[:, entity]
            with np.errstate(divide="ignore", invalid="ignore"):
                share = place / (2 * (present - 1))
            found[first : first + most] = np.where(place < 0, np.nan, share)
        return found

    def _rank(self, window: Window, minutes: Ints) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """int32[m, companies]: twice how many of the others are lower, and once how many are equal; -1 of those without news.
        int64[m]: how many have news."""
        means = self._means(window, minutes)
        order = np.argsort(means, axis=1)
        ordered = np.take_along_axis(means, order, axis=1)
        column = np.broadcast_to(np.arange(means.shape[1], dtype=np.int32), means.shape)
        differs = ordered[:, 1:] != ordered[:, :-1]
        lowest, highest = column.copy(), column.copy()
        lowest[:, 1:] *= differs
        highest[:, :-1][~differs] = means.shape[1]
        np.maximum.accumulate(lowest, axis=1, out=lowest)
        highest = np.minimum.accumulate(highest[:, ::-1], axis=1)[:, ::-1]
        places = np.empty(means.shape, np.int32)
        np.put_along_axis(places, order, lowest + highest, axis=1)
        absent = np.isnan(means)
        places[absent] = -1
        return places, means.shape[1] - absent.sum(axis=1)

    def _means(self, window: Window, minutes: Ints) -> Floats:
        """float64[m, companies]: mean sentiment in the window, NaN where there is no news."""
        cuts = window.cut(minutes)
        near = self._rows.take(_between(self._rows, cuts.min(), minutes[-1]))
        # A row counts at minutes[begins:ceases]; counts and sums change by it there, and are added up downwards.
        begins = np.searchsorted(minutes, near.start, "left")
        ceases = np.searchsorted(minutes, window.stop(near), "left")
        shape, entity = (len(minutes) + 1, self._companies), near.entity.astype(np.int64)
        at = np.concatenate([begins * shape[1] + entity, ceases * shape[1] + entity])
        sums = []
        for term in (np.ones(len(near)), near.sentiment.astype(np.float64)):
            change = np.bincount(at, np.concatenate([term, -term]), shape[0] * shape[1])
            sums.append(np.cumsum(change.reshape(shape)[:-1], axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            means: Floats = sums[1] / sums[0] / UNIT
        means[cuts == FOREVER] = np.nan
        return means


_KEPT_BYTES = 1 << 28
_TABLE = 1 << 21  # cells of a table that are made together
