"""Names of features in, their definitions and their values at instants out: the one definition, live, bulk and replayed.

A feature is declared once, here, and computed by one function, `compute`, from contributions (sentiment/rolling.py). What
is there is a number; where there is nothing it is null: NaN inside, never 0.

    symbol          of one company, at the instant itself
    market          of all items, each counted once, at the last whole minute (UTC) at or before the instant
    cross_section   of one company among the others, at the same minute
    feed            of the news feed itself; from the state of the tape, so sentiment/read.py fills it
    regulation      of the rules in force; from the rulebook, through the port `Regulation`

A window is half-open, (T - width, T], over the moments at which items became known, and is cut when it is read.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest
from sentiment import sessions as calendar
from sentiment.rolling import (
    FOREVER,
    HALF_LIVES,
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
from sentiment.sources import Weights, packaged_weights

METHOD = 1  # raise it whenever the same contributions give other numbers

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
WEEK = 7 * DAY

Scope = Literal["symbol", "market", "cross_section", "feed", "regulation"]

# The widths of the clock windows, in microseconds; and the windows that begin with a session's open or close.
WIDTHS: Mapping[str, int] = MappingProxyType(
    {"1m": MINUTE, "5m": 5 * MINUTE, "30m": 30 * MINUTE, "2h": 2 * HOUR, "1d": DAY, "5d": 5 * DAY}
)
SESSIONS = ("since_close", "since_open")
WINDOWS = (*WIDTHS, *SESSIONS)
MOMENTUM = (("5m", "2h"), ("30m", "1d"), ("1d", "5d"))  # short less long
BUZZ_WEEKS, BUZZ_LEAST, BUZZ_FLOOR = 8, 4, 1.0  # weeks before; fewer: null; items: the least std
AGE_REACH = 8 * WEEK

# How far before an instant `compute` reads: the widest window, eight weeks earlier, and the hour by which New York's clocks
# differ between summer and winter; for the market from the minute before.
DEPTH = BUZZ_WEEKS * WEEK + max(WIDTHS.values()) + HOUR + MINUTE


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """What a feature is.

    measure: what is taken of the window; window: a name of WINDOWS, "" where there is none; longer: the second window of a
    momentum. empty: what null means. half_life: seconds; ddof: of the standard deviation that it holds; None where there is
    none. available: whether this program can compute it; if not it is null. subject: of regulation, the section of 17 CFR or the
    variable of ingest/rules/variables.toml.
    """

    name: str
    scope: Scope
    measure: str
    window: str
    meaning: str
    unit: str
    empty: str
    version: int = 1
    longer: str = ""
    half_life: float | None = None
    ddof: int | None = None
    available: bool = True
    subject: str = ""


class Regulation(Protocol):
    """What a rulebook says at one state of it. state: names that, for receipts; None where there is no rulebook."""

    @property
    def state(self) -> str | None: ...

    def values(self, features: Sequence[Feature], instants: Ints, symbol: str) -> Floats:
        """float64[m, f] of features with scope "regulation"; NaN where nothing is known."""
        ...


class Rulebook(Protocol):
    """What a reader asks for regulation; filled by the rulebook, absent without one."""

    def now(self) -> Regulation:
        """As it stands."""
        ...

    def at(self, state: str | None) -> Regulation:
        """As it stood. What is read otherwise today has another state. Raises NotKnown where it is not held any more."""
        ...


class NoRegulation:
    """Without a rulebook nothing is known of rules."""

    state: str | None = None

    def now(self) -> "NoRegulation":
        return self

    def at(self, state: str | None) -> "NoRegulation":
        return self

    def values(self, features: Sequence[Feature], instants: Ints, symbol: str) -> Floats:
        return np.full((len(instants), len(features)), np.nan)


# ---- the catalogue

_SPOKEN = {
    "1m": "the last minute", "5m": "the last 5 minutes", "30m": "the last 30 minutes", "2h": "the last 2 hours",
    "1d": "the last 24 hours", "5d": "the last 5 times 24 hours",
    "since_close": "the time since the last close of the New York Stock Exchange",
    "since_open": "the time since the last open of the New York Stock Exchange",
}  # fmt: skip

# measure: (what it is over "{over}", unit, ddof). {what}: items about the company, or all items.
_MEASURES: dict[str, tuple[str, str, int | None]] = {
    "sentiment_mean": ("Mean sentiment of {what} of {over}.", "-1..1", None),
    "sentiment_std": ("Standard deviation of the sentiment of {what} of {over}.", "0..1.42", 1),
    "sentiment_ewma": (
        "Mean sentiment of {what} of {over}, an item's weight halved for each half-life of its age.", "-1..1", None,
    ),
    "sentiment_source_weighted": ("Mean sentiment of {what} of {over}, weighted by their sources.", "-1..1", None),
    "sentiment_relevance_weighted": (
        "Mean sentiment of {what} of {over}, weighted by how much each is about the company.", "-1..1", None,
    ),
    "sentiment_novelty_weighted": ("Mean sentiment of {what} of {over}, weighted by how new each is.", "-1..1", None),
    "sentiment_change": (
        "Mean sentiment of {what} of {over}, less that of the window of the same width before it, as known at its end.",
        "-2..2", None,
    ),
    "positive_share": ("Share of {what} of {over} whose most probable class is positive.", "0..1", None),
    "negative_share": ("Share of {what} of {over} whose most probable class is negative.", "0..1", None),
    "confidence_mean": ("Mean of the largest probability of each of {what} of {over}.", "0..1", None),
    "relevance_mean": ("Mean relevance of {what} of {over}.", "0..1", None),
    "novelty_mean": ("Mean novelty of {what} of {over}.", "0..1", None),
    "volume": ("Number of {what} of {over}.", "items", None),
    "buzz": (
        "Volume of {what} of {over} against the same New York time of day and week in the 8 weeks before: its distance from"
        " their mean in standard deviations, of at least one item.", "standard deviations", 1,
    ),
}  # fmt: skip
_NOT_ENOUGH = {
    "sentiment_std": "fewer than two scored items in the window",
    "sentiment_source_weighted": "no scored item in the window, or none of any weight",
    "sentiment_relevance_weighted": "no scored item in the window, or none of any relevance",
    "sentiment_novelty_weighted": "no scored item in the window, or none with anything new",
    "sentiment_change": "no scored item in the window, or none in the one before",
    "volume": "never, but outside the exchange calendar for windows since a session's open or close",
    "buzz": "fewer than 4 of the 8 weeks before lie within the log",
}
_CLOCK_ONLY = ("sentiment_ewma", "sentiment_change", "buzz")  # they need a width
_OF_A_COMPANY = ("sentiment_relevance_weighted", "relevance_mean")

# The rules that have features, by what they are called in names: section of 17 CFR, and what it is about.
_RULES = {
    "201": ("242.201", "short sale price test"),
    "605": ("242.605", "execution quality reports"),
    "606": ("242.606", "order routing reports"),
    "610": ("242.610", "access to quotations and its fees"),
    "610t": ("242.610T", "transaction fee pilot"),
    "611": ("242.611", "order protection"),
    "612": ("242.612", "tick sizes"),
    "613": ("242.613", "consolidated audit trail"),
    "15c3_5": ("240.15c3-5", "market access controls"),
    "15c6_1": ("240.15c6-1", "settlement cycle"),
}
_OF_A_RULE = (
    ("in_force", "Whether the newest version adopted of {rule} binds: effective, due, not stayed, no relief; 1 or 0.", "0 or 1"),
    ("relieved", "Whether {rule} is stayed, or all are exempted from it; 1 or 0.", "0 or 1"),
    ("days_to_effective", "Days until the newest version adopted of {rule} is effective; below 0 once it is.", "days"),
    ("days_to_compliance", "Days until compliance with {rule} is next due; below 0 since it last was.", "days"),
    ("days_to_comment_close", "Days until comments on the pending proposal on {rule} close; below 0 once they have.", "days"),
)  # fmt: skip
# The variables of ingest/rules/variables.toml.
_PRESSURES = """
tick_size quoted_spread effective_spread depth queue access_fee_rebate routing odd_lot market_data short_sale bands_halts
settlement off_exchange auction best_execution market_access volatility adverse_selection cost_of_capital reporting
liquidity_general
""".split()


def _declare() -> Iterator[Feature]:
    yield from _declare_windows("symbol", "", "the items about the company")
    yield from _declare_windows("market", "market_", "all items")
    yield Feature(
        "age_seconds", "symbol", "age", "", "Seconds since the newest item about the company that stands.", "seconds",
        "no scored item of the last 8 weeks stands",
    )  # fmt: skip
    for window in WINDOWS:
        yield Feature(
            f"sentiment_rank_{window}", "cross_section", "rank", window,
            "Share of the other companies with news whose mean sentiment is lower (half of those where it is equal), over"
            f" {_SPOKEN[window]}.", "0..1", "no scored item of the company in the window, or of no other",
        )  # fmt: skip
    yield Feature(
        "feed_age_seconds", "feed", "feed_age", "", "Seconds since the newest item of the whole feed became known.", "seconds",
        "nothing is known yet",
    )  # fmt: skip
    yield Feature(
        "feed_lag_seconds", "feed", "feed_lag", "",
        "How long the item that waits longest for its first score has waited; 0 when none waits.", "seconds",
        "nothing is known yet",
    )  # fmt: skip
    yield from _declare_regulation()


def _declare_windows(scope: Scope, prefix: str, what: str) -> Iterator[Feature]:
    for kind, (meaning, unit, ddof) in _MEASURES.items():
        if scope == "market" and kind in _OF_A_COMPANY:
            continue
        for window in WIDTHS if kind in _CLOCK_ONLY else WINDOWS:
            yield Feature(
                f"{prefix}{kind}_{window}", scope, kind, window,
                meaning.format(what=what, over=_SPOKEN[window]), unit,
                _NOT_ENOUGH.get(kind, "no scored item in the window"), ddof=ddof,
                half_life=WIDTHS[window] / HALF_LIVES / SECOND if kind == "sentiment_ewma" else None,
            )  # fmt: skip
    for short, longer in MOMENTUM:
        yield Feature(
            f"{prefix}sentiment_momentum_{short}_{longer}", scope, "sentiment_momentum", short,
            f"Mean sentiment of {what} of {_SPOKEN[short]}, less that of {_SPOKEN[longer]}.", "-2..2",
            "no scored item in the shorter window", longer=longer,
        )  # fmt: skip


def _declare_regulation() -> Iterator[Feature]:
    for rule, (section, about) in _RULES.items():
        for what, meaning, unit in _OF_A_RULE:
            number = section.partition(".")[2]
            empty = "no such day is in the documents known then" if unit == "days" else (
                "the documents known then do not say"
            )  # fmt: skip
            yield Feature(
                f"rule_{rule}_{what}", "regulation", what, "", meaning.format(rule=f"Rule {number} ({about})"), unit, empty,
                subject=section,
            )  # fmt: skip
    for variable in _PRESSURES:
        yield Feature(
            f"pressure_{variable}", "regulation", "pressure", "",
            "Rules proposed, adopted and not binding yet, or binding for less than a year, that push"
            f" {variable.replace('_', ' ')} up by the Commission's own word, less those that push it down.",
            "rules", "no document known then states an event of any rule", subject=variable,
        )  # fmt: skip


FEATURES: Mapping[str, Feature] = MappingProxyType({f.name: f for f in _declare()})


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Names of features under one name. Which they are changes only with the version."""

    name: str
    version: int
    meaning: str
    names: tuple[str, ...]


_CORE50 = """
sentiment_mean_1m sentiment_mean_5m sentiment_mean_30m sentiment_mean_2h sentiment_mean_1d sentiment_mean_5d
sentiment_mean_since_close sentiment_mean_since_open
sentiment_ewma_5m sentiment_ewma_30m sentiment_ewma_2h sentiment_ewma_1d sentiment_ewma_5d
sentiment_std_2h sentiment_std_1d sentiment_std_5d
volume_1m volume_5m volume_30m volume_2h volume_1d volume_5d volume_since_close
positive_share_1d negative_share_1d novelty_mean_1d confidence_mean_1d
sentiment_source_weighted_1d sentiment_relevance_weighted_1d sentiment_novelty_weighted_1d
sentiment_change_30m sentiment_change_2h sentiment_change_1d
sentiment_momentum_5m_2h sentiment_momentum_30m_1d sentiment_momentum_1d_5d
buzz_30m buzz_2h buzz_1d buzz_5d age_seconds
market_sentiment_mean_30m market_sentiment_mean_1d market_sentiment_ewma_1d market_sentiment_change_1d
market_volume_30m market_volume_1d market_buzz_1d
feed_age_seconds feed_lag_seconds
"""
SETS: Mapping[str, FeatureSet] = MappingProxyType(
    {
        "all": FeatureSet("all", 2, "Every feature of the catalogue.", tuple(FEATURES)),
        "core50": FeatureSet(
            "core50", 1, "Fifty that a model of an order book begins with.", tuple(_CORE50.split())
        ),
        "regulation": FeatureSet(
            "regulation",
            1,
            "What the documents held say of rules, the same for every symbol.",
            tuple(name for name, each in FEATURES.items() if each.scope == "regulation"),
        ),
    }
)
DEFAULT_SET = "core50"


def select(
    names: Sequence[str] | None = None, feature_set: str | None = None
) -> tuple[Feature, ...]:
    """Features by name, each once, or those of a set, "core50" or, pinned, "core50@1"; without either those of DEFAULT_SET.

    Raises BadRequest where both or no name at all are given, or one is not known; it says which are like it.
    """
    if names is None:
        return tuple(FEATURES[name] for name in _set(feature_set or DEFAULT_SET).names)
    if feature_set is not None:
        raise BadRequest("names and feature_set exclude each other; give one of them")
    if not names:
        raise BadRequest("names is empty; name a feature, e.g. sentiment_mean_1d, or leave it out")
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise BadRequest(f"names has no feature {unknown[0]!r}{_like(unknown[0], FEATURES)}")
    return tuple(FEATURES[name] for name in dict.fromkeys(names))


def _set(wanted: str) -> FeatureSet:
    name, _, version = wanted.partition("@")
    if name not in SETS:
        raise BadRequest(f"set {name!r} is not one of {', '.join(SETS)}")
    found = SETS[name]
    if version and version != str(found.version):
        raise BadRequest(f"set {name!r} is at version {found.version} here, not at {version!r}")
    return found


def _like(name: str, known: Mapping[str, Feature]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    return (
        f"; did you mean {' or '.join(near)}?"
        if near
        else "; `regtape features list` has all names"
    )


def fingerprint(weights: Weights | None = None) -> str:
    """feature_version: 12 hex digits that change whenever a definition, a source's weight or the exchange calendar does.

    What only people read of a definition (meaning, unit, empty) is not part of it.
    """
    return _fingerprint(tuple(FEATURES.values()), (weights or packaged_weights()).fingerprint)


@lru_cache
def _fingerprint(features: tuple[Feature, ...], weights: str) -> str:
    prose = ("meaning", "unit", "empty")
    defined = [{k: v for k, v in asdict(each).items() if k not in prose} for each in features]
    constants = [
        METHOD, dict(WIDTHS), MOMENTUM, BUZZ_WEEKS, BUZZ_LEAST, BUZZ_FLOOR, AGE_REACH, HALF_LIVES, weights,
        calendar.fingerprint(),
    ]  # fmt: skip
    line = json.dumps([defined, constants], sort_keys=True)
    return sha256(line.encode()).hexdigest()[:12]


# ---- values


def compute(
    features: Sequence[Feature],
    instants: Ints,
    own: Contributions,
    entity: int,
    panel: Panel | None,
    first_known: int | None,
    *,
    sessions: Sessions | None = None,
) -> Floats:
    """float64[m, f]: values of features at instants int64[m], microseconds since 1970 UTC, in any order; NaN for null.

    own: all rows of the company that reach back to DEPTH before the first instant; entity: its code, for the
    cross-section. panel: of all companies, as far back. first_known: when the first score of the log could be read, None
    before that; a volume before it is null, since nothing was counted. sessions: those of New York if None. Features of scope
    feed and regulation stay null.
    Raises ValueError where features of the market or the cross-section are asked for without a panel.
    """
    at = np.asarray(instants, np.int64)
    known = FOREVER if first_known is None else first_known
    plan = _plan(tuple(features))
    if plan.in_sessions and sessions is None:
        sessions = calendar.new_york()
    values = np.full((len(at), len(features)), np.nan)
    if plan.symbol is not None:
        _fill(values, plan.symbol.columns, plan.symbol, at, own, known, sessions)
    if plan.market is None and not plan.ranks:
        return values
    if panel is None:
        raise ValueError("features of the market and of the cross-section need a panel")
    minutes, back = _distinct(at // MINUTE * MINUTE)
    if plan.market is not None:
        values[:, plan.market.columns] = _market(plan.market, minutes, panel, known, sessions)[back]
    for column, window in plan.ranks:
        values[:, column] = panel.ranks(_windows(sessions)[window], minutes, entity)[back]
    return values


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
