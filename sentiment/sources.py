"""Names of sources in, what their word weighs out: a packaged table, or a user's own, judged or learned.

A table is a TSV file with a head line that has the columns `source` and `weight` (others are for people; lines that start
with "#" are remarks), or a JSON object {source: weight}. A weight is a number from 0 to 1000; a source that is not listed
weighs 1. Names are compared without regard to capitals, and spaces and underscores are hyphens.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from ingest.errors import BadRequest, NotKnown
from sentiment.rolling import UNIT, to_units

PACKAGED = Path(__file__).with_name("sources.tsv")
MOST = 1000.0


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by source in 1/UNIT; `fingerprint` names the table."""

    table: Mapping[str, int]
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        listed = json.dumps(sorted(self.table.items()))
        object.__setattr__(self, "fingerprint", sha256(listed.encode()).hexdigest()[:12])

    def of(self, source: str) -> int:
        """What a source weighs, in 1/UNIT."""
        return self.table.get(_plain(source), UNIT)


@cache
def packaged_weights() -> Weights:
    """The table that comes with this program."""
    return read_weights(PACKAGED)


def read_weights(path: Path) -> Weights:
    """The table of a file. Raises NotKnown without that file, BadRequest, naming the line, where it is not such a table."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise NotKnown(f"there is no table of sources at {path}") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise BadRequest(f"{path} cannot be read as text: {exc}") from exc
    table = dict[str, int]()
    for where, source, weight in (
        _objects(path, text) if text.lstrip().startswith("{") else _lines(path, text)
    ):
        if not _plain(source):
            raise BadRequest(f"{where} names no source")
        if _plain(source) in table:
            raise BadRequest(f"{where} names {source} again")
        table[_plain(source)] = _weight(where, weight)
    return Weights(table)


def _lines(path: Path, text: str) -> Iterator[tuple[str, str, object]]:
    rows = [
        (number, [cell.strip() for cell in line.split("\t")])
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    head = rows[0][1] if rows else []
    if not {"source", "weight"} <= set(head):
        raise BadRequest(
            f"{path}: the first line must name the columns source and weight, divided by a tab"
        )
    for number, cells in rows[1:]:
        if len(cells) != len(head):
            raise BadRequest(
                f"{path}, line {number}: {len(cells)} columns, the head line has {len(head)}"
            )
        row = dict(zip(head, cells, strict=True))
        yield f"{path}, line {number}", row["source"], row["weight"]


def _objects(path: Path, text: str) -> Iterator[tuple[str, str, object]]:
    try:
        # A list of pairs, so that a source that is named twice is seen.
        pairs = json.loads(text, object_pairs_hook=list)
    except ValueError as exc:
        raise BadRequest(f"{path} is not JSON: {exc}") from None
    for source, weight in pairs:
        yield f"{path}, {source!r}", source, weight


def _weight(where: str, given: object) -> int:
    try:
        weight = float(given) if isinstance(given, str | int | float) else math.nan
    except (ValueError, OverflowError):
        weight = math.nan
    if isinstance(given, bool) or not 0 <= weight <= MOST:
        raise BadRequest(f"{where}: a weight is a number from 0 to {MOST:g}, not {given!r}")
    return int(to_units(np.array([weight]))[0])


def _plain(source: str) -> str:
    return "-".join(source.casefold().replace("_", " ").replace("-", " ").split())
