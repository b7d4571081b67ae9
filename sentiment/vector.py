"""What a feature read gives: values with what each is, how fresh they are, and a receipt; at one instant, or at many."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sentiment.features import Feature
from sentiment.receipt import Receipt
from sentiment.rolling import Bools, Floats, Ints


class Status(StrEnum):
    """What a value is. STALE: it is held, but an item known by then had waited too long for its score."""

    PRESENT = "PRESENT"
    EMPTY = "EMPTY"
    STALE = "STALE"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"


STATUSES = tuple(Status)  # the codes of Matrix.status are places in it
_CODE = {status: np.uint8(code) for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class Freshness:
    """How up to date a read is, as of its instant.

    newest_known_at: of the newest item known by then; None: there is none. scoring_lag_seconds: how long the item that
    waits longest for its first score had waited; 0.0 when none does. watermark: everything known up to it had a score.
    """

    newest_known_at: datetime | None
    scoring_lag_seconds: float
    watermark: datetime


@dataclass(frozen=True, slots=True)
class Vector:
    """The features of one symbol as of one instant.

    symbol: as asked; entity: the company it meant that day. values and status: by name, in the order asked for; None where
    there is nothing. known_at: of the newest item of this company that was in force. model_versions: of the scores in
    force. backfilled: whether any of them is from history loaded later. model_lookahead: whether as_of is not after the
    day through which a model in use was trained; None where a model does not state one, or none is in use.
    """

    symbol: str
    entity: str
    as_of: datetime
    values: dict[str, float | None]
    status: dict[str, Status]
    known_at: datetime | None
    model_versions: tuple[str, ...]
    feature_version: str
    freshness: Freshness
    backfilled: bool
    model_lookahead: bool | None
    receipt: Receipt

    @property
    def model_version(self) -> str | None:
        """The versions whose scores are in force, joined by "+"; None where none is."""
        return "+".join(self.model_versions) or None


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """The features of s symbols at m instants.

    features: f of them. instants: int64[m], µs since 1970 UTC, as asked. values: float64[s, m, f], NaN where there is
    nothing. known_at: int64[s, m], µs, of the newest item in force; NEVER where none was. stale: bool[m]. unknown,
    backfilled: bool[s, m]. model_versions: of the scores that were read. model_lookahead: bool[m], whether an instant is
    not after the day through which one of them was trained; None where one of them does not state it, or none was read.
    offset, hash: of the tape. rules: state of the rulebook; None where none was read.
    """

    symbols: tuple[str, ...]
    instants: Ints
    features: tuple[Feature, ...]
    values: Floats
    known_at: Ints
    stale: Bools
    unknown: Bools
    backfilled: Bools
    model_versions: tuple[str, ...]
    model_lookahead: Bools | None
    feature_version: str
    offset: int
    hash: str
    rules: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features, in the order of the values."""
        return tuple(feature.name for feature in self.features)

    @property
    def status(self) -> NDArray[np.uint8]:
        """uint8[s, m, f]: places in STATUSES."""
        scored = np.array([is_of_scores(feature) for feature in self.features], np.bool_)
        codes = np.where(self.stale[:, None] & scored, _CODE[Status.STALE], _CODE[Status.PRESENT])
        codes = np.where(np.isnan(self.values), _CODE[Status.EMPTY], codes)
        codes[self.unknown] = _CODE[Status.UNKNOWN_SYMBOL]
        return codes


def is_of_scores(feature: Feature) -> bool:
    """Whether a late score can make a value stale."""
    return feature.scope in ("symbol", "market", "cross_section")
