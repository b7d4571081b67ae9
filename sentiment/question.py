"""What a caller asks of the features in, checked and ready to be computed out; each refusal begins with what it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np

from ingest.errors import BadRequest
from ingest.moment import from_micros, to_micros
from sentiment.features import DEFAULT_SET, SETS, Feature, select
from sentiment.lives import VIEWS, View
from sentiment.rolling import Ints
from sentiment.vector import Status, is_of_scores

# What one call may ask for; a training set of more is several calls, or an export.
MOST_SYMBOLS = 10_000
MOST_CELLS = 1_000_000  # symbols × instants

Moment = datetime | int

_LONGEST_SYMBOL = 40
_LONGEST_LATENCY = 86_400_000_000
_EARLIEST = to_micros(datetime(1900, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Which features, in which view of the scores.

    asked: the name of a set, or names, as a receipt states it. model: a name or an exact version; None: whatever is newest.
    latency: µs, of the view as_if. feed, regulation: places of the features that those fill.
    """

    features: tuple[Feature, ...]
    names: tuple[str, ...]
    asked: str | tuple[str, ...]
    view: View
    model: str | None
    latency: int
    needs_panel: bool
    feed: tuple[int, ...]
    regulation: tuple[int, ...]
    if_held: tuple[Status, ...]
    if_stale: tuple[Status, ...]

    def status(
        self, values: Sequence[float | None], *, known: bool, stale: bool
    ) -> dict[str, Status]:
        """What each value is, by name."""
        if not known:
            return dict.fromkeys(self.names, Status.UNKNOWN_SYMBOL)
        held = self.if_stale if stale else self.if_held
        return {
            name: Status.EMPTY if value is None else status
            for name, value, status in zip(self.names, values, held, strict=True)
        }


@lru_cache(256)
def question(
    names: tuple[str, ...] | None,
    feature_set: str | None,
    view: str = "known",
    model: str | None = None,
    latency: int = 0,
) -> Question:
    """names, or a set of that name; neither: the default one. Raises BadRequest."""
    for known_view in VIEWS:
        if view == known_view:
            break
    else:
        raise BadRequest(f"view {view!r} is not one of {', '.join(VIEWS)}")
    if known_view == "as_if" and model is None:
        raise BadRequest("model is missing: the view as_if takes one model as present throughout")
    if (
        isinstance(latency, bool)
        or not isinstance(latency, int)
        or not 0 <= latency <= _LONGEST_LATENCY
    ):
        raise BadRequest(
            f"latency {latency!r} is not microseconds between 0 and {_LONGEST_LATENCY}, a day"
        )
    if latency and known_view != "as_if":
        raise BadRequest(f"latency is declared for the view as_if; {view} has the one that was")
    features = select(names, feature_set)
    held = tuple(Status.PRESENT for _ in features)
    stale = tuple(Status.STALE if is_of_scores(f) else Status.PRESENT for f in features)
    return Question(
        features=features,
        names=tuple(f.name for f in features),
        asked=names if names is not None else _pinned(feature_set or DEFAULT_SET),
        view=known_view,
        model=model,
        latency=latency,
        needs_panel=any(f.scope in ("market", "cross_section") for f in features),
        feed=_places(features, "feed"),
        regulation=_places(features, "regulation"),
        if_held=held,
        if_stale=stale,
    )


def _pinned(feature_set: str) -> str:
    """A set with its version, for a receipt: names may join or leave a set."""
    name = feature_set.partition("@")[0]
    return f"{name}@{SETS[name].version}"


def _places(features: Sequence[Feature], scope: str) -> tuple[int, ...]:
    return tuple(place for place, feature in enumerate(features) if feature.scope == scope)


def checked_names(names: object) -> tuple[str, ...] | None:
    """Names of features as they can be looked up."""
    if names is None:
        return None
    if isinstance(names, str | bytes) or not isinstance(names, Sequence):
        raise BadRequest(f"names is {_short(names)}; it is a list of names of features")
    for name in names:
        if not isinstance(name, str):
            raise BadRequest(f"names has {_short(name)} in it; it is a list of names of features")
    return tuple(names)


def checked_head(head: object) -> int | None:
    """An offset of the log; None: its end."""
    if head is None or (isinstance(head, int) and not isinstance(head, bool) and head >= 0):
        return head
    raise BadRequest(f"head is {_short(head)}; it is an offset of the log, 0 or more")


def checked_symbols(symbols: object) -> tuple[str, ...]:
    """Symbols as they can be looked up."""
    if isinstance(symbols, str | bytes) or not isinstance(symbols, Sequence):
        raise BadRequest(f"symbols is {symbols!r}; it is a list of symbols")
    if len(symbols) > MOST_SYMBOLS:
        raise BadRequest(f"symbols has {len(symbols)} in it; one call may have {MOST_SYMBOLS}")
    for symbol in symbols:
        if not isinstance(symbol, str) or not symbol.strip() or len(symbol) > _LONGEST_SYMBOL:
            raise BadRequest(
                f"symbols has {_short(symbol)} in it; a symbol is 1 to {_LONGEST_SYMBOL} characters, e.g. AAPL or BRK.B"
            )
    return tuple(symbols)


def checked_instant(at: object, now: int, field: str = "as_of") -> int:
    """µs since 1970 UTC of an aware moment that is not in the future."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise BadRequest(
                f"{field} {at.isoformat()} has no time zone; write it with one, e.g. {at.isoformat()}Z"
            )
        micros = to_micros(at)
    elif isinstance(at, int | np.integer) and not isinstance(at, bool):
        micros = int(at)
    else:
        raise BadRequest(
            f"{field} is {_short(at)}; it is an instant with its zone, or whole microseconds since 1970 UTC"
        )
    _check_range(micros, micros, now, field)
    return micros


def checked_instants(instants: Any, now: int, most: int) -> Ints:
    """int64[m] of what `checked_instant` takes; an array of integers is taken as µs since 1970 UTC."""
    if isinstance(instants, np.ndarray) and instants.dtype.kind in "iu" and instants.ndim == 1:
        at = instants.astype(np.int64)
    elif (
        isinstance(instants, np.ndarray)
        or not isinstance(instants, Sequence)
        or isinstance(instants, str)
    ):
        kind = (
            f"an array of {instants.dtype}"
            if isinstance(instants, np.ndarray)
            else _short(instants)
        )
        raise BadRequest(
            f"instants is {kind}; it is a list of instants with their zone, or of whole microseconds since 1970 UTC"
        )
    elif len(instants) > most:
        raise BadRequest(f"instants has {len(instants)} in it; one call may have {most}")
    else:
        at = np.array(
            [checked_instant(each, now, f"instants[{n}]") for n, each in enumerate(instants)],
            np.int64,
        )
    if not at.size:
        raise BadRequest("instants is empty")
    _check_range(int(at.min()), int(at.max()), now, "instants")
    return at


def _check_range(first: int, last: int, now: int, field: str) -> None:
    if last > now:
        raise BadRequest(f"{field} {_said(last)} is in the future; now is {_said(now)}")
    if first < _EARLIEST:
        raise BadRequest(
            f"{field} {_said(first)} is before 1900; is it in microseconds since 1970?"
        )


def _said(micros: int) -> str:
    try:
        return from_micros(micros).isoformat()
    except OverflowError:
        return str(micros)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
