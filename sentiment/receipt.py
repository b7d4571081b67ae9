"""A served vector in, one line of JSON out from which the same vector can be computed again, bit for bit; and back.

A receipt states everything that decides the values: the tape's first `offset` records (and the hash at the end of their
chain, which proves them), the company, the instant, the view, the pinned model, the features and the version of their
definitions, and, where any of them is of regulation, the state of the rulebook. `values` is the SHA-256 of what was served.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest
from ingest.moment import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a vector was computed from.

    offset, hash: the tape's (sentiment/log_record.py). entity: whom the symbol meant on the day of as_of; a later table of
    aliases does not change what was served. as_of: µs since 1970 UTC. latency: µs, of the view as_if. features: the name of
    a set, or names. values: `digest` of them. rules: state of the rulebook; None where none was read.
    """

    offset: int
    hash: str
    symbol: str
    entity: str
    as_of: int
    view: str
    model: str | None
    latency: int
    features: str | tuple[str, ...]
    feature_version: str
    values: str
    rules: str | None = None

    def line(self) -> str:
        """One line of JSON, without the line's end; `parse_receipt` reads it."""
        return json.dumps(self.fields(), ensure_ascii=False, separators=(",", ":"))

    def fields(self) -> dict[str, Any]:
        """The object that `line` writes."""
        return {
            "offset": self.offset,
            "hash": self.hash,
            "symbol": self.symbol,
            "entity": self.entity,
            "as_of": from_micros(self.as_of).isoformat(),
            "view": self.view,
            "model": self.model,
            "latency": self.latency,
            "features": self.features if isinstance(self.features, str) else list(self.features),
            "feature_version": self.feature_version,
            "values": self.values,
        } | ({} if self.rules is None else {"rules": self.rules})


class Outcome(StrEnum):
    """What became of a receipt. NOT_THIS_TAPE: other records stand before its offset; EXPIRED: nothing here can say."""

    MATCH = "MATCH"
    MISMATCH = "MISMATCH"
    NOT_THIS_TAPE = "NOT_THIS_TAPE"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome and, unless it is MATCH, why in a sentence.

    name, served, computed: the first feature that differs, where the served values are at hand.
    """

    outcome: Outcome
    reason: str = ""
    name: str | None = None
    served: float | None = None
    computed: float | None = None


def digest(names: Sequence[str], values: NDArray[np.float64]) -> str:
    """SHA-256 (hex) of values float64[f] under their names; every NaN is one NaN."""
    hashed = sha256("\n".join(names).encode())
    hashed.update(canonical(values).tobytes())
    return hashed.hexdigest()


def canonical(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values as they are hashed and compared: little-endian, one NaN, no minus before zero."""
    return np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8", copy=False)


def parse_receipt(text: str) -> Receipt:
    """A line that `Receipt.line` wrote. Raises BadRequest, naming the field that is wrong."""
    try:
        return receipt_of(json.loads(text))
    except ValueError as exc:
        if isinstance(exc, BadRequest):
            raise
        raise BadRequest(f"a receipt is one line of JSON; this is not: {exc}") from None


def receipt_of(found: object) -> Receipt:
    """The receipt that an object of JSON states. Raises BadRequest, naming the field that is wrong."""
    if not isinstance(found, Mapping):
        raise BadRequest("a receipt is an object of JSON with the fields offset, hash, symbol, …")
    if missing := [name for name in _FIELDS if name not in found]:
        raise BadRequest(f"the receipt has no {', no '.join(missing)}")
    for name, kinds in _FIELDS.items():
        if not isinstance(found[name], kinds) or isinstance(found[name], bool):
            raise BadRequest(f"the receipt's {name} is {found[name]!r}")
    features = found["features"]
    if not isinstance(features, str):
        if not features or not all(isinstance(name, str) for name in features):
            raise BadRequest(f"the receipt's features are {features!r}; they are names or a set")
        features = tuple(features)
    if found["offset"] < 0 or found["latency"] < 0:
        raise BadRequest("the receipt's offset and latency must not be negative")
    try:
        as_of = to_micros(datetime.fromisoformat(found["as_of"]))
    except ValueError:
        raise BadRequest(
            f"the receipt's as_of is {found['as_of']!r}, not an instant with a zone"
        ) from None
    rules = found.get("rules")
    if not isinstance(rules, str | None):
        raise BadRequest(f"the receipt's rules are {rules!r}")
    plain = {name: found[name] for name in _FIELDS if name not in ("as_of", "features")}
    return Receipt(as_of=as_of, features=features, rules=rules, **plain)


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "offset": int, "hash": str, "symbol": str, "entity": str, "as_of": str, "view": str, "model": (str, type(None)),
    "latency": int, "features": (str, list), "feature_version": str, "values": str,
}  # fmt: skip
