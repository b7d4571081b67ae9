"""A catalog in, its book of rule events out: derived from the documents, stored beside them, rebuilt by one call.

An event is known from the moment its document was public. Where a document states no day of its own, the catalog knows
only a late bound (the day a rule took effect, the end of the year it is filed under); the day on which other documents, or
the events file, say that release was made is then the better one, and is named as its basis.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

from ingest.catalog import Catalog, Held
from ingest.document import Document
from ingest.known import cited_releases
from ingest.moment import federal_register_morning, next_midnight
from ingest.rules import names
from ingest.rules.cite import Citation, Place, Print, cite
from ingest.rules.events import EXTRACTOR, About, EventKind, Role, RuleEvent, events
from ingest.rules.overlay import Laid, Overlay, read_overlay

KIND = "rule events"  # of readings of the catalog

# What the catalog could say only by a bound.
_BOUNDS = {
    "effective date",
    "comments due",
    "address",
    "latest date in text",
    "retrieved",
    "recorded",
    "unknown",
}
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Known:
    """An event, the document that states it, since when a reader could know it, and what that rests on."""

    event: RuleEvent
    held: Held
    known_at: datetime
    basis: str


@dataclass(frozen=True, slots=True)
class Printed:
    """The day a release was printed in the Federal Register, since when that is known, and by what."""

    on: date
    known_at: datetime
    basis: str
    citation: str | None = None  # "89 FR 81620"


@dataclass(frozen=True, slots=True)
class Book:
    """All that is held of rules. events: in the order of (known_at, offset, start).

    printed     release -> when its placeholders ("60 days after publication") begin to count
    through     when the newest document was recorded, None where none is held
    signed      release -> the day it was made, as other documents or the events file tell it
    redesignated_at   when the release that gave old sections their numbers was known, None where it is not held
    """

    events: tuple[Known, ...]
    documents: tuple[Held, ...]
    known: dict[int, tuple[datetime, str]]
    printed: dict[str, Printed]
    overlay: tuple[Laid, ...]
    through: datetime | None
    redesignated_at: datetime | None = None
    signed: dict[str, tuple[date, str]] = field(default_factory=dict)

    def cite(self, held: Held, as_of: datetime, place: Place | None = None) -> Citation:
        """How to cite a document as of a moment, at a place in it: no print is named before it was out."""
        release = held.metadata.release or ""
        printed = self.printed.get(release)
        known = printed if printed and printed.known_at <= as_of else None
        told = self.signed.get(release)
        place = place or Place()
        return cite(
            held, page=place.page, paragraph=place.paragraph, signed=told[0] if told else None,
            printed=Print(known.citation, known.on) if known else None,
        )  # fmt: skip


def derive(catalog: Catalog, documents: Iterable[Held]) -> int:
    """Read the rule events of documents and store them; returns how many were found."""
    rows: list[tuple[int, str, str]] = []
    found = 0
    for held in {h.offset: h for h in documents}.values():
        text, sections, pages = catalog.body(held.id)
        read = events(Document(text, held.format, sections, pages, held.metadata))
        cited = (
            {c.release: (c.signed_on, c.fr_on, c.fr_citation) for c in cited_releases(text)}
            if _cites(held)
            else {}
        )
        rows.append((held.offset, EXTRACTOR, _to_json(read, cited)))
        found += len(read)
    if rows:
        catalog.write_readings(KIND, rows)
    return found


def rebuild(catalog: Catalog, *, everything: bool = False) -> int:
    """Derive what this extractor has not read, or all of it; returns how many documents were read."""
    wanted = (
        [h.offset for h in catalog.documents()] if everything else catalog.unread(KIND, EXTRACTOR)
    )
    for at in range(0, len(wanted), _BATCH):
        derive(catalog, catalog.at(wanted[at : at + _BATCH]))
    return len(wanted)


def open_book(catalog: Catalog, overlay: Overlay | None = None) -> Book:
    """The book as stored, documents read that were not read before. overlay None: the one that is shipped."""
    rebuild(catalog)
    laid = read_overlay() if overlay is None else overlay
    stored = [(offset, json.loads(words)) for offset, words in catalog.readings(KIND)]
    spoken = catalog.at([offset for offset, row in stored if row["events"]])
    by_offset = {held.offset: held for held in spoken}
    signed, printed = _release_days(stored, catalog, laid)
    known = {held.offset: _known(held, signed, printed) for held in spoken}
    found = [
        Known(_event(each), by_offset[offset], *known[offset])
        for offset, row in stored
        for each in row["events"]
    ]
    found.sort(key=lambda k: (k.known_at, k.held.offset, k.event.start))
    told = (k.known_at for k in found if k.held.metadata.release == names.REDESIGNATED_BY)
    return Book(
        tuple(found), tuple(spoken), known, printed, laid.events, catalog.through(), min(told, default=None),
        signed,
    )  # fmt: skip


def _cites(held: Held) -> bool:
    return held.metadata.authority == "official text" and held.metadata.form is None


def _release_days(
    stored: Iterable[tuple[int, dict[str, list[list[str | None]]]]],
    catalog: Catalog,
    overlay: Overlay,
) -> tuple[dict[str, tuple[date, str]], dict[str, Printed]]:
    """When releases were made and printed: documents first, by the earliest that says it; then the events file."""
    moments = dict(catalog.moments())
    signed: dict[str, tuple[date, str]] = {}
    printed: dict[str, Printed] = {}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for _, row in sorted(stored, key=lambda each: (moments[each[0]], each[0])):
        for release, on, fr_on, citation in row["cited"]:
            if citation:
                votes[str(release)][citation] += 1
            signed.setdefault(
                str(release), (date.fromisoformat(str(on)), "cited in another document")
            )
            if fr_on:
                day = date.fromisoformat(str(fr_on))
                printed.setdefault(
                    str(release),
                    Printed(day, federal_register_morning(day), "cited in another document"),
                )
    for day_of in overlay.releases:
        basis = f"events file: {day_of.citation}"
        signed.setdefault(day_of.release, (day_of.signed_on, basis))
        votes[day_of.release][day_of.citation] += 1
        if day_of.printed_on:
            printed.setdefault(
                day_of.release,
                Printed(day_of.printed_on, federal_register_morning(day_of.printed_on), basis),
            )
    # Footnotes misprint pages: what most of them say, the events file before one against one.
    laid = {day_of.release: day_of.citation for day_of in overlay.releases}
    for release, found in printed.items():
        said = votes[release]
        best = max(said, key=lambda c: (said[c], c == laid.get(release)), default=None)
        printed[release] = replace(found, citation=best)
    return signed, printed


def _known(
    held: Held, signed: dict[str, tuple[date, str]], printed: dict[str, Printed]
) -> tuple[datetime, str]:
    release = held.metadata.release
    if release is None or held.known_basis not in _BOUNDS or release not in signed:
        return held.known_at, held.known_basis
    day, basis = signed[release]
    # A copy conformed to the Federal Register print states dates that only the print could state.
    if held.metadata.effective_on and release in printed:
        return printed[release].known_at, f"Federal Register day, {printed[release].basis}"
    return min(held.known_at, next_midnight(day)), f"release day, {basis}"


# --- stored form --------------------------------------------------------------------------------


def _to_json(
    read: Iterable[RuleEvent], cited: dict[str, tuple[date, date | None, str | None]]
) -> str:
    rows = [
        {k: v for k, v in asdict(event).items() if v not in (None, "", False, ())} for event in read
    ]
    days = [
        [r, on.isoformat(), fr.isoformat() if fr else None, citation]
        for r, (on, fr, citation) in cited.items()
    ]
    return json.dumps({"events": rows, "cited": days}, default=date.isoformat, ensure_ascii=False)


def _event(row: dict[str, Any]) -> RuleEvent:
    on, role = row.get("on"), row.get("role")
    return RuleEvent(
        EventKind(row["kind"]),
        tuple(row.get("sections", ())),
        row.get("release"),
        date.fromisoformat(on) if on else None,
        row.get("relative"),
        Role(role) if role else None,
        About(row["about"]),
        row.get("start", 0),
        row["end"],
        row.get("change", ""),
        row.get("by_name", False),
        tuple(row.get("removes", ())),
        tuple(row.get("partly", ())),
    )
