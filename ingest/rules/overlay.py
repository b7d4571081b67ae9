"""A hand-written file in, events and release days that no held document states, out: each with its citation.

What comes from here is never mixed with what documents say: an event keeps its citation, a state shows both readings.
"""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from ingest.errors import BadRequest
from ingest.rules.events import About, EventKind, Role, RuleEvent

FILE = Path(__file__).with_name("overlay.toml")
MARK = "events file"


@dataclass(frozen=True, slots=True)
class Laid:
    """An event laid over the documents. known_on: civil day in New York on which it was public."""

    event: RuleEvent
    known_on: date
    what: str
    citation: str


@dataclass(frozen=True, slots=True)
class ReleaseDay:
    """When a release was made and, where it is known, printed in the Federal Register."""

    release: str
    signed_on: date
    printed_on: date | None
    citation: str


@dataclass(frozen=True, slots=True)
class Overlay:
    events: tuple[Laid, ...] = ()
    releases: tuple[ReleaseDay, ...] = ()


@lru_cache(maxsize=4)
def read_overlay(path: Path = FILE) -> Overlay:
    """The file at `path`. Raises BadRequest where it is not TOML of the shape its head describes."""
    try:
        given: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return Overlay(
            tuple(map(_laid, given.get("event", ()))),
            tuple(
                ReleaseDay(row["release"], row["signed_on"], row.get("printed_on"), row["citation"])
                for row in given.get("release", ())
            ),
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValueError) as exc:
        raise BadRequest(f"{path} is no events file: {exc!r}") from exc


def _laid(row: dict[str, Any]) -> Laid:
    role = Role(row["role"]) if "role" in row else Role.ACTION
    event = RuleEvent(
        EventKind(row["kind"]), tuple(row["sections"]), row.get("release"), row.get("on"), row.get("relative"),
        role, About.OWN, 0, 0,
    )  # fmt: skip
    return Laid(event, row["known_on"], row["what"], row["citation"])
