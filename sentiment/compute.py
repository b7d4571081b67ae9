"""Features, instants and contributions in, values out: the one computation, live, bulk and replayed; pure.

A company's values at one instant are kept until they can change (`Steady`): all but ages are constant from one start or stop
of a row to the next, and a live read comes many times between two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sentiment import sessions as calendar
from sentiment.features import (
    AGE_REACH,
    BUZZ_FLOOR,
    BUZZ_LEAST,
    BUZZ_WEEKS,
    DEPTH,
    HOUR,
    MINUTE,
    SECOND,
    SESSIONS,
    WIDTHS,
    Feature,
)
from sentiment.rolling import (
    FOREVER,
    NEVER,
    Bools,
    Cell,
    Contributions,
    Floats,
    Ints,
    Masks,
    Panel,
    Steps,
    Window,
    over,
)
from sentiment.sessions import Sessions, weeks_before


def compute(
    features: Sequence[Feature],
    instants: Ints,
    own: Contributions,
    entity: int,
    panel: Panel | None,
    first_known: int | None,
    *,
    sessions: Sessions | None = None,
    kept: "Kept | None" = None,
) -> Floats:
    """float64[m, f]: values of features at instants int64[m], microseconds since 1970 UTC, in any order; NaN for null.

    own: all rows of the company that reach back to DEPTH before the first instant; entity: its code, for the
    cross-section. panel: of all companies, as far back. first_known: when the first score of the log could be read, None
    before that; a volume before it is null, since nothing was counted. sessions: those of New York if None. Features of scope
    feed and regulation stay null. kept: of this company, for a read of one instant; it changes no bit.
    Raises ValueError where features of the market or the cross-section are asked for without a panel.
    """
    at = np.asarray(instants, np.int64)
    known = FOREVER if first_known is None else first_known
    plan = _plan(tuple(features))
    if plan.in_sessions and sessions is None:
        sessions = calendar.new_york()
    values = np.full((len(at), len(features)), np.nan)
    if plan.symbol is not None and kept is not None and len(at) == 1:
        values[0, plan.symbol.columns] = kept.values(plan.symbol, at, own, known, sessions)
    elif plan.symbol is not None:
        _fill(values, plan.symbol.columns, plan.symbol, at, own, known, sessions)
    if plan.market is None and not plan.ranks:
        return values
    if panel is None:
        raise ValueError("features of the market and of the cross-section need a panel")
    minutes, back = _distinct(at // MINUTE * MINUTE)
    _fill_of_all(values, plan, minutes, back, entity, panel, known, sessions)
    return values


def sum_up(features: Sequence[Feature], minute: int, panel: Panel, first_known: int | None) -> None:
    """Let a panel have at hand what `compute` takes of it for a whole minute, µs."""
    plan, known = _plan(tuple(features)), FOREVER if first_known is None else first_known
    sessions = calendar.new_york() if plan.in_sessions else None
    minutes, back = _distinct(np.array([minute]))
    unused = np.empty((1, len(features)))
    _fill_of_all(unused, plan, minutes, back, 0, panel, known, sessions)


def _fill_of_all(
    values: Floats,
    plan: "_Plan",
    minutes: Ints,
    back: NDArray[np.intp],
    entity: int,
    panel: Panel,
    known: int,
    sessions: Sessions | None,
) -> None:
    if plan.market is not None:
        values[:, plan.market.columns] = _market(plan.market, minutes, panel, known, sessions)[back]
    for column, window in plan.ranks:
        values[:, column] = panel.ranks(_windows(sessions)[window], minutes, entity)[back]


def _distinct(minutes: Ints) -> tuple[Ints, NDArray[np.intp]]:
    """Minutes in order, each once, and where among them each of the given is."""
    if len(minutes) == 1:  # a live read, which has no time for sorting
        return minutes, np.zeros(1, np.intp)
    return np.unique(minutes, return_inverse=True)


def _market(
    part: "_Part", minutes: Ints, panel: Panel, known: int, sessions: Sessions | None
) -> Floats:
    def make() -> tuple[Floats]:
        values = np.empty((len(minutes), len(part.columns)))
        every = np.arange(len(part.columns))
        _fill(values, every, part, minutes, panel.items, known, sessions)
        return (values,)

    (kept,) = panel.keep((part, minutes.tobytes(), known, sessions), make)
    return kept


Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """How features of one scope come about. columns: their places in the result; all other places are among them.

    cells: (measure, window, back), distinct. The features at `of` are the cells at `cell`, those at `less_of` less the cells at
    `less`.
    """

    columns: Places
    cells: tuple[tuple[str, str, int], ...]
    of: Places
    cell: Places
    less_of: Places
    less: Places
    volumes: Places
    buzz: Places
    buzz_widths: Ints
    age: Places


class _Plan(NamedTuple):
    symbol: _Part | None
    market: _Part | None
    ranks: tuple[tuple[int, str], ...]
    in_sessions: bool


@lru_cache
def _plan(features: tuple[Feature, ...]) -> _Plan:
    return _Plan(
        _part([(at, each) for at, each in enumerate(features) if each.scope == "symbol"]),
        _part([(at, each) for at, each in enumerate(features) if each.scope == "market"]),
        tuple(
            (at, each.window) for at, each in enumerate(features) if each.scope == "cross_section"
        ),
        any(each.window in SESSIONS for each in features),
    )


def _part(placed: list[tuple[int, Feature]]) -> _Part | None:
    if not placed:
        return None
    cells: dict[tuple[str, str, int], int] = {}
    of, less = list[tuple[int, int]](), list[tuple[int, int]]()
    for at, (_, feature) in enumerate(placed):
        for found, cell in zip((of, less), _cells_of(feature), strict=False):
            found.append((at, cells.setdefault(cell, len(cells))))

    def places(kind: str) -> Places:
        return np.array(
            [at for at, (_, each) in enumerate(placed) if each.measure == kind], np.intp
        )

    return _Part(
        np.array([column for column, _ in placed], np.intp),
        tuple(cells),
        np.array([at for at, _ in of], np.intp),
        np.array([cell for _, cell in of], np.intp),
        np.array([at for at, _ in less], np.intp),
        np.array([cell for _, cell in less], np.intp),
        places("volume"),
        places("buzz"),
        np.array([WIDTHS[each.window] for _, each in placed if each.measure == "buzz"], np.int64),
        places("age"),
    )


def _cells_of(feature: Feature) -> tuple[tuple[str, str, int], ...]:
    """The cell that a feature is, and the one that is taken from it, if any."""
    match feature.measure:
        case "buzz" | "age":
            return ()
        case "sentiment_change":
            mean = "sentiment_mean", feature.window
            return (*mean, 0), (*mean, WIDTHS[feature.window])
        case "sentiment_momentum":
            return ("sentiment_mean", feature.window, 0), ("sentiment_mean", feature.longer, 0)
    return ((feature.measure, feature.window, 0),)


@lru_cache
def _windows(sessions: Sessions | None) -> Mapping[str, Window]:
    clock = {name: Window(width) for name, width in WIDTHS.items()}
    if sessions is None:
        return clock
    return clock | {
        "since_close": Window(bounds=sessions.closes),
        "since_open": Window(bounds=sessions.opens),
    }


@lru_cache
def _cells(part: _Part, sessions: Sessions | None) -> tuple[Cell, ...]:
    windows = _windows(sessions)
    return tuple(Cell(measure, windows[window], back) for measure, window, back in part.cells)


def _fill(
    values: Floats,
    columns: Places,
    part: _Part,
    instants: Ints,
    rows: Contributions,
    known: int,
    sessions: Sessions | None,
) -> None:
    """Write the features of a part, at instants int64[m], into columns of values float64[m, ...]."""
    looked_up, cells = over(rows, len(instants)), _cells(part, sessions)
    if len(instants) <= _BLOCK:
        values[:, columns] = _block(part, cells, instants, looked_up, known).T
        return
    # In order and a block at a time: what is looked up lies together, and what lies between is held in the cache.
    order = np.argsort(instants, kind="stable")
    for first in range(0, len(order), _BLOCK):
        places = order[first : first + _BLOCK]
        block = _block(part, cells, instants[places], looked_up, known)
        values[places[:, np.newaxis], columns] = block.T


_BLOCK = 4096


def _block(
    part: _Part, cells: tuple[Cell, ...], instants: Ints, rows: Masks | Steps, known: int
) -> Floats:
    """float64[f, m] of the features of a part."""
    values = _of_cells(part, rows.cells(cells, instants), instants, known)
    if len(part.buzz):
        values[part.buzz] = _buzz(rows, part.buzz_widths, instants, known)
    if len(part.age):
        moment = rows.newest(AGE_REACH, instants)
        values[part.age] = np.where(moment == NEVER, np.nan, (instants - moment) / SECOND)
    return values


def _of_cells(part: _Part, cells: Floats, instants: Ints, known: int) -> Floats:
    """float64[f, m] of the features that are cells, float64[c, m], or one less another; NaN for the others."""
    values = np.full((len(part.columns), len(instants)), np.nan)
    values[part.of] = cells[part.cell]
    values[part.less_of] -= cells[part.less]
    if len(part.volumes) and len(instants) and known > instants.min():
        values[np.ix_(part.volumes, instants < known)] = np.nan
    return values


def _buzz(rows: Masks | Steps, widths: Ints, instants: Ints, known: int) -> Floats:
    """float64[w, m]: (volume - mean) / std of the weeks before that lie within the log, all of them in New York's time."""
    at = np.concatenate([instants[np.newaxis], weeks_before(instants, BUZZ_WEEKS)])
    counts = rows.count(widths, at)
    volume, before = counts[:, 0], counts[:, 1:]
    within = at[1:] - widths[:, np.newaxis, np.newaxis] >= known
    before = before * within
    weeks, total, square = within.sum(axis=1), before.sum(axis=1), (before * before).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = (weeks * volume - total) / weeks
        std = np.sqrt((weeks * square - total * total) / (weeks * (weeks - 1)))
        return np.where(weeks < BUZZ_LEAST, np.nan, distance / np.maximum(std, BUZZ_FLOOR))


# ---- kept until they can change


class _Rows(NamedTuple):
    """The rows of a company by moment, and the moments, starts and ends, each in order and with FOREVER behind them."""

    rows: Contributions
    ordered: Masks
    moments: Ints
    starts: Ints
    ends: Ints


def _rows_of(rows: Contributions) -> _Rows:
    ordered = rows.ordered()
    times = np.full((3, len(rows) + 1), FOREVER)
    times[:, :-1] = ordered.moment, ordered.start, ordered.end
    times[1:].sort(axis=1)
    return _Rows(rows, Masks(ordered), *times)


class _Steady(NamedTuple):
    """What holds of a part from `begin`: values float64[f] until the first of `until`, but for ages, which count from `newest`;
    what lies in each of its reaches until that of `until`, int64[r]. cells: float64[c], of which the values are made."""

    rows: _Rows
    known: int
    begin: int
    until: Ints
    first: int
    cells: Floats
    values: Floats
    newest: Ints


class InForce(NamedTuple):
    """What the rows of a company that are in force and not older than what features look at have in common, throughout
    [begin, until). newest: moment of the newest, NEVER where none is. versions: their codes, in order."""

    rows: Contributions
    begin: int
    until: int
    newest: int
    versions: tuple[int, ...]
    backfilled: bool


def in_force(rows: Contributions, at: int) -> InForce:
    """Of the rows that stand at an instant."""
    leaves = np.minimum(rows.end, rows.moment + DEPTH)
    stands = (rows.start <= at) & (at < leaves)
    until = min(int(times[times > at].min(initial=FOREVER)) for times in (rows.start, leaves))
    return InForce(
        rows,
        at,
        until,
        int(rows.moment[stands].max(initial=NEVER)),
        tuple(np.unique(rows.version[stands]).tolist()),
        bool(rows.backfilled[stands].any()),
    )


class Kept:
    """What was computed of one company last, for each choice of features. Safe to share between threads."""

    def __init__(self) -> None:
        self._made: dict[_Part, _Steady] = {}
        self._in_force: InForce | None = None

    def in_force(self, rows: Contributions, at: int) -> InForce:
        """As `in_force` says."""
        made = self._in_force
        if made is None or made.rows is not rows or not made.begin <= at < made.until:
            made = self._in_force = in_force(rows, at)
        return made

    def values(
        self, part: "_Part", at: Ints, rows: Contributions, known: int, sessions: Sessions | None
    ) -> Floats:
        """float64[f]: values of a part at one instant, int64[1]; what can have changed since the last is computed anew."""
        made, instant = self._made.get(part), int(at[0])
        if made is not None and (
            made.rows.rows is not rows or made.known != known or instant < made.begin
        ):
            made = None
        if made is None or instant >= made.first:
            made = _steady(part, at, rows, known, sessions, made)
            if len(self._made) >= _CHOICES:
                self._made.clear()
            self._made[part] = made
        if not len(part.age) or made.newest[0] == NEVER:
            return made.values
        values = made.values.copy()
        values[part.age] = (at - made.newest) / SECOND
        return values


_CHOICES = 8  # of features of a company; a model pins one


def _steady(
    part: "_Part",
    at: Ints,
    rows: Contributions,
    known: int,
    sessions: Sessions | None,
    before: _Steady | None,
) -> _Steady:
    """before: of the same rows, at an earlier instant."""
    reaches, cells = _reaches(part, sessions), _cells(part, sessions)
    if before is None:
        held = _rows_of(rows)
        found, until, values = np.empty(len(cells)), np.full(len(reaches.widths) + 1, at[0]), None
    else:
        held, found, until, values = before.rows, before.cells.copy(), before.until.copy(), before.values  # fmt: skip
    past = until <= at
    if past[:-1].any():
        anew = past[reaches.of_cell]
        found[anew] = held.ordered.cells(_those(cells, anew.tobytes()), at)[:, 0]
        until[:-1][past[:-1]] = _until(reaches, past[:-1], held, at[0])
    made = _of_cells(part, found[:, np.newaxis], at, known)[:, 0]
    if len(part.buzz):
        made[part.buzz] = (
            _buzz(held.ordered, part.buzz_widths, at, known)[:, 0]
            if values is None or past[-1]
            else values[part.buzz]
        )
    if past[-1]:
        until[-1] = _until_of_buzz(part, held, at[0], known)
    newest = held.ordered.newest(AGE_REACH, at) if len(part.age) else at
    return _Steady(held, known, int(at[0]), until, int(until.min()), found, made, newest)


@lru_cache(1 << 12)
def _those(cells: tuple[Cell, ...], places: bytes) -> tuple[Cell, ...]:
    """The cells at the places of a mask."""
    return tuple(cell for cell, here in zip(cells, places, strict=True) if here)


class _Reaches(NamedTuple):
    """How far the windows of a part reach back, each once. widths: 0 of those not by the clock, whose bounds are in `bounded`;
    backs: how long before an instant they end; of_cell: which one is that of each cell. Ages have the last."""

    widths: Ints
    backs: Ints
    bounded: Mapping[int, Ints]
    of_cell: Places


@lru_cache
def _reaches(part: "_Part", sessions: Sessions | None) -> _Reaches:
    cells = _cells(part, sessions)
    places = {place: at for at, place in enumerate(dict.fromkeys(cell[1:] for cell in cells))}
    aged = [(AGE_REACH, 0)] if len(part.age) else []
    widths, backs = np.array(
        [(window.width, back) for window, back in places] + aged, np.int64
    ).reshape(-1, 2).T  # fmt: skip
    bounds = {
        at: np.append(window.bounds, FOREVER)
        for (window, _), at in places.items()
        if window.bounds is not None
    }
    return _Reaches(widths, backs, bounds, np.array([places[cell[1:]] for cell in cells], np.intp))


def _until(reaches: _Reaches, those: Bools, held: _Rows, at: np.int64) -> Ints:
    """int64: until when nothing changes in each of those reaches: when a row next starts, ends or leaves it; when a session
    begins."""
    widths, backs = reaches.widths[those], reaches.backs[those]
    until = _next_change(held, at, widths, backs)
    for place, number in enumerate(np.flatnonzero(those).tolist()):
        if (bounds := reaches.bounded.get(number)) is not None:
            begins = int(_next(bounds, at - backs[place] - 1)) + 1 + backs[place]
            until[place] = min(until[place], begins)
    return until


def _until_of_buzz(part: "_Part", held: _Rows, at: np.int64, known: int) -> int:
    """An instant until before which no buzz and no volume of a part changes for another reason than a row in the reach of a
    cell: a row in the weeks before, a week that comes to lie within the log, the log's first score."""
    changes = [FOREVER]
    if known > at:
        changes.append(known)
    if len(part.buzz):
        changes.append(int(at // HOUR + 1) * HOUR)  # New York's clocks change on whole hours
        weeks = np.append(0, at - weeks_before(np.array([at]), BUZZ_WEEKS)[:, 0])
        backs = np.tile(weeks, len(part.buzz_widths))
        widths = np.repeat(part.buzz_widths, len(weeks))
        within = known + widths + backs
        changes += within[within > at].tolist()
        changes.append(int(_next_change(held, at, widths, backs).min()))
    return min(changes)


def _next_change(held: _Rows, at: np.int64, widths: Ints, backs: Ints) -> Ints:
    """int64[r]: when a row next starts, ends or leaves a window of widths int64[r] that ends so long before an instant."""
    ended = at - backs
    changes: Ints = backs + np.minimum(
        np.minimum(_next(held.starts, ended), _next(held.ends, ended)),
        _next(held.moments, ended - widths) + widths,
    )
    return changes


def _next(ordered: Ints, after: Any) -> Any:
    """The first of ordered numbers, the last of which is FOREVER, that is larger than each of these."""
    return ordered[np.searchsorted(ordered, after, "right")]
