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
    found = rows.cells(cells, instants)
    values = np.full((len(part.columns), len(instants)), np.nan)
    values[part.of] = found[part.cell]
    values[part.less_of] -= found[part.less]
    if len(part.volumes) and len(instants) and known > instants.min():
        values[np.ix_(part.volumes, instants < known)] = np.nan
    if len(part.buzz):
        values[part.buzz] = _buzz(rows, part.buzz_widths, instants, known)
    if len(part.age):
        moment = rows.newest(AGE_REACH, instants)
        values[part.age] = np.where(moment == NEVER, np.nan, (instants - moment) / SECOND)
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


class _Steady(NamedTuple):
    """Values float64[f] of a part that hold in [begin, until), but for ages, which count from `newest`."""

    rows: Contributions
    known: int
    begin: int
    until: int
    values: Floats
    newest: Ints


class Kept:
    """What was computed of one company last, for each choice of features. Safe to share between threads."""

    def __init__(self) -> None:
        self._made: dict[_Part, _Steady] = {}

    def values(
        self, part: "_Part", at: Ints, rows: Contributions, known: int, sessions: Sessions | None
    ) -> Floats:
        """float64[f]: values of a part at one instant, int64[1]; computed anew where rows are others, or it has come to where
        a value can change."""
        made, instant = self._made.get(part), int(at[0])
        if (
            made is None
            or made.rows is not rows
            or made.known != known
            or not made.begin <= instant < made.until
        ):
            made = _steady(part, at, rows, known, sessions)
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
    part: "_Part", at: Ints, rows: Contributions, known: int, sessions: Sessions | None
) -> _Steady:
    ordered, cells = Masks(rows.ordered()), _cells(part, sessions)
    return _Steady(
        rows,
        known,
        int(at[0]),
        _until(part, at[0], ordered.rows, known, sessions),
        _block(part, cells, at, ordered, known)[:, 0],
        ordered.newest(AGE_REACH, at) if len(part.age) else at,
    )


class _Reaches(NamedTuple):
    """Of the windows by the clock that a part looks at, widths and how far back they end; and the other windows."""

    widths: Ints
    backs: Ints
    bounded: tuple[tuple[Ints, int], ...]


@lru_cache
def _reaches(part: "_Part", sessions: Sessions | None) -> _Reaches:
    places = {(cell.window, cell.back) for cell in _cells(part, sessions)}
    clock = {(window.width, back) for window, back in places if window.bounds is None}
    if len(part.age):
        clock.add((AGE_REACH, 0))
    widths, backs = np.array(sorted(clock), np.int64).reshape(-1, 2).T
    bounded = [(window.bounds, back) for window, back in places if window.bounds is not None]
    return _Reaches(widths, backs, tuple(bounded))


def _until(
    part: "_Part", at: np.int64, rows: Contributions, known: int, sessions: Sessions | None
) -> int:
    """An instant until before which no value of a part but ages changes: when a row, of those in order, next starts, ends or
    leaves a window, wherever that window lies; when a session begins; when a week comes to lie within the log."""
    widths, backs, bounded = _reaches(part, sessions)
    changes = [FOREVER]
    if known > at:
        changes.append(known)
    for bounds, back in bounded:
        changes.append(int(_next(bounds, at - back - 1)) + 1 + back)
        backs = np.append(backs, back)
        widths = np.append(widths, 0)
    if len(part.buzz):
        changes.append(int(at // HOUR + 1) * HOUR)  # New York's clocks change on whole hours
        weeks = np.append(0, at - weeks_before(np.array([at]), BUZZ_WEEKS)[:, 0])
        buzz_backs = np.tile(weeks, len(part.buzz_widths))
        buzz_widths = np.repeat(part.buzz_widths, len(weeks))
        within = known + buzz_widths + buzz_backs
        changes += within[within > at].tolist()
        backs, widths = np.append(backs, buzz_backs), np.append(widths, buzz_widths)
    for begin, reach in ((np.sort(rows.start), 0), (np.sort(rows.end), 0), (rows.moment, widths)):
        changes.append(int((_next(begin, at - backs - reach) + backs + reach).min(initial=FOREVER)))
    return min(changes)


def _next(ordered: Ints, after: Any) -> Any:
    """The first of ordered numbers that is larger than each of these; FOREVER where none is."""
    return np.append(ordered, FOREVER)[np.searchsorted(ordered, after, "right")]
