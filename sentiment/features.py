"""Names of features in, their definitions out: the one catalogue, of what is read live, in bulk and replayed.

A feature is declared once, here, and computed by one function, `compute` (sentiment/compute.py). What is there is a number; where
there is nothing it is null: NaN inside, never 0.

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
from typing import Literal, Protocol

import numpy as np

from ingest.errors import BadRequest
from sentiment import sessions as calendar
from sentiment.rolling import HALF_LIVES, Floats, Ints
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

# How far before an instant a value reads: the widest window, eight weeks earlier, and the hour by which New York's clocks
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
    "610c": ("242.610(c)", "cap of access fees"),
    "610t": ("242.610T", "transaction fee pilot"),
    "611": ("242.611", "order protection"),
    "612": ("242.612", "tick sizes"),
    "613": ("242.613", "consolidated audit trail"),
    "15c3_5": ("240.15c3-5", "market access controls"),
    "15c6_1": ("240.15c6-1", "settlement cycle"),
}
_OF_A_RULE = (
    ("in_force", "Whether the newest version adopted of {rule} binds as a whole: effective, due, not stayed, no relief; 1 or 0.",
     "0 or 1"),
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
# Those of them that are told by group of instruments too, and the groups of ingest/rules/groups.toml.
_BY_GROUP = "tick_size quoted_spread effective_spread depth access_fee_rebate volatility liquidity_general".split()
_GROUPS = {
    "tick_constrained": "stocks whose spread is held at the tick",
    "wide_spread": "stocks of wide spreads or little trading",
    "small_companies": "stocks of small companies",
    "sub_dollar": "stocks below a dollar",
    "funds": "exchange-traded funds and products",
    "options": "listed options",
    "over_the_counter": "equities traded over the counter",
    "nasdaq_stocks": "stocks listed on Nasdaq",
}


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
    for group, instruments in _GROUPS.items():
        for variable in _BY_GROUP:
            yield Feature(
                f"pressure_{variable}_{group}", "regulation", "pressure", "",
                "Rules proposed, adopted and not binding yet, or binding for less than a year, that push"
                f" {variable.replace('_', ' ')} of {instruments} up by sentences of the Commission that name them, less those"
                " that push it down.",
                "rules", "no document known then states an event of any rule", subject=f"{variable}/{group}",
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
        "all": FeatureSet("all", 4, "Every feature of the catalogue.", tuple(FEATURES)),
        "core50": FeatureSet(
            "core50", 1, "Fifty that a model of an order book begins with.", tuple(_CORE50.split())
        ),
        "regulation": FeatureSet(
            "regulation",
            3,
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
