"""A catalog in, its book of rule events out: derived from the documents, stored beside them, rebuilt by one call.

An event is known from the moment its document was public. Where a document states no day of its own, the catalog knows
only a late bound (the day a rule took effect, the end of the year it is filed under); the day on which other documents, or
the events file, say that release was made is then the better one, and is named as its basis.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Any

from ingest.catalog import Catalog, Held
from ingest.document import DocType, Document
from ingest.known import cited_releases
from ingest.moment import federal_register_morning, from_micros, next_midnight
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
_HEAD = 20_000  # characters of a proposal's preamble


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
    files       offset of a document -> the file numbers of its own rulemaking ("S7-10-04")
    signed      release -> the day it was made, and since when another document, or the events file, tells it
    redesignated_at   when the release that gave old sections their numbers was known, None where it is not held
    """

    events: tuple[Known, ...]
    documents: tuple[Held, ...]
    known: dict[int, tuple[datetime, str]]
    printed: dict[str, Printed]
    overlay: tuple[Laid, ...]
    through: datetime | None
    redesignated_at: datetime | None = None
    signed: dict[str, tuple[date, datetime]] = field(default_factory=dict)
    files: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def made(self, release: str | None, as_of: datetime) -> date | None:
        """The day a release was made, where that was told by a moment."""
        told = self.signed.get(release or "")
        return told[0] if told and told[1] <= as_of else None

    def cite(self, held: Held, as_of: datetime, place: Place | None = None) -> Citation:
        """How to cite a document as of a moment, at a place in it: no print is named before it was out."""
        release = held.metadata.release or ""
        printed = self.printed.get(release)
        known = printed if printed and printed.known_at <= as_of else None
        place = place or Place()
        return cite(
            held, page=place.page, paragraph=place.paragraph, signed=self.made(release, as_of),
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
        rows.append((held.offset, EXTRACTOR, _to_json(read, cited, _files(held, text))))
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
    files = {offset: tuple(row["files"]) for offset, row in stored if row["files"]}
    made = {release: (on, since) for release, (on, _, since) in signed.items()}
    return Book(
        tuple(found), tuple(spoken), known, printed, laid.events, catalog.through(), min(told, default=None), made, files
    )  # fmt: skip


def _cites(held: Held) -> bool:
    return held.metadata.authority == "official text" and held.metadata.form is None


_FILE = re.compile(
    r"\b(?:refer to|include|subject line)\W+(?:the )?File (?:Number|No)\.?:? (S7-\d+-\d+)"
)


def _files(held: Held, text: str) -> tuple[str, ...]:
    """The file numbers of a document's own rulemaking: in its head, and where it asks for comments under them."""
    head = [f for f in held.metadata.file_numbers if f.startswith("S7-")]
    asked = _FILE.findall(text[:_HEAD]) if held.metadata.doc_type is DocType.PROPOSED_RULE else []
    return names.unique([*head, *asked])


def _release_days(
    stored: Iterable[tuple[int, dict[str, Any]]],
    catalog: Catalog,
    overlay: Overlay,
) -> tuple[dict[str, tuple[date, str, datetime]], dict[str, Printed]]:
    """When releases were made and printed: documents first, by the earliest that says it; then the events file."""
    moments = dict(catalog.moments())
    signed: dict[str, tuple[date, str, datetime]] = {}
    printed: dict[str, Printed] = {}
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for offset, row in sorted(stored, key=lambda each: (moments[each[0]], each[0])):
        for release, on, fr_on, citation in row["cited"]:
            if citation:
                votes[str(release)][citation] += 1
            day, told = date.fromisoformat(str(on)), "cited in another document"
            signed.setdefault(str(release), (day, told, from_micros(moments[offset])))
            if fr_on:
                day = date.fromisoformat(str(fr_on))
                printed.setdefault(
                    str(release),
                    Printed(day, federal_register_morning(day), "cited in another document"),
                )
    for day_of in overlay.releases:
        basis = f"events file: {day_of.citation}"
        known_at = next_midnight(day_of.signed_on)
        signed.setdefault(day_of.release, (day_of.signed_on, basis, known_at))
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
    held: Held, signed: dict[str, tuple[date, str, datetime]], printed: dict[str, Printed]
) -> tuple[datetime, str]:
    release = held.metadata.release
    if release is None or held.known_basis not in _BOUNDS or release not in signed:
        return held.known_at, held.known_basis
    day, basis, _ = signed[release]
    # A copy conformed to the Federal Register print states dates that only the print could state.
    if held.metadata.effective_on and release in printed:
        return printed[release].known_at, f"Federal Register day, {printed[release].basis}"
    return min(held.known_at, next_midnight(day)), f"release day, {basis}"


# --- stored form --------------------------------------------------------------------------------


def _to_json(
    read: Iterable[RuleEvent],
    cited: dict[str, tuple[date, date | None, str | None]],
    files: Iterable[str],
) -> str:
    rows = [
        {k: v for k, v in asdict(event).items() if v not in (None, "", False, ())} for event in read
    ]
    days = [
        [r, on.isoformat(), fr.isoformat() if fr else None, citation]
        for r, (on, fr, citation) in cited.items()
    ]
    kept = {"events": rows, "cited": days, "files": list(files)}
    return json.dumps(kept, default=date.isoformat, ensure_ascii=False)


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
