"""A catalog, a section and a moment in; the state of the rule and its timeline, with quotes, as forms out."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from pydantic import Field

from api.rule_steps import about
from api.schemas import Form
from ingest.catalog import Catalog, Filters
from ingest.document import Authority, DocType, Kind
from ingest.moment import end_of_day
from ingest.quote import quote_at
from ingest.rules import names
from ingest.rules.answers import Answered
from ingest.rules.cite import cfr, day, place_of
from ingest.rules.events import About, EventKind, Role
from ingest.rules.held import Book, Known, open_book
from ingest.rules.overlay import MARK, Laid
from ingest.rules.state import (
    Line,
    Part,
    Standing,
    State,
    first_business_day,
    known_day,
    month_of,
    state,
)

CAUTION = "codified text of the point in time it was taken at: no proof that it is in force"


class Basis(Form):
    """The passage a statement rests on: `quote` is the stored text of the document at [start, end)."""

    document_id: str
    title: str
    reference: str
    citation: str = Field(
        description="How counsel cites it again: '89 FR 81620, 81640 (Oct. 8, 2024)'."
    )
    citation_full: str = Field(description="How counsel cites it first, with its title.")
    authority: Authority
    known_at: datetime
    known_basis: str = Field(description="What known_at rests on.")
    start: int
    end: int
    quote: str
    sha256: str


class Statement(Form):
    """One line of a state."""

    part: Part
    text: str = Field(description="What is said, with whose word it is.")
    source: str = Field(
        description="'documents', or 'events file' for a fact written by hand, with its citation."
    )
    inferred: bool = Field(description="It follows from what is stated, and is stated nowhere.")
    basis: tuple[Basis, ...]


class RuleText(Form):
    """Where wording of the section stands in a document held."""

    document_id: str
    title: str
    reference: str
    citation: str
    citation_full: str
    doc_type: DocType
    known_at: datetime
    start: int
    end: int
    note: str


class Coverage(Form):
    """What the documents held can say of the section at all."""

    documents: int = Field(description="Documents known by then that state an event of it.")
    first_known: datetime | None
    last_known: datetime | None
    held_through: date | None = Field(
        description="The day in 'according to the documents held, through'."
    )
    last_ingested: datetime | None = Field(
        description="When the newest document of any kind was brought in."
    )


class Paragraph(Form):
    """A paragraph that does not bind while the section does."""

    section: str
    standing: Standing


class Proposal(Form):
    """A proposal that the newest adoption answers."""

    release: str | None
    on: date | None = Field(description="The day it was made, where a document held states it.")
    citation: str = Field(
        description="How counsel cites it; by its release alone where it is not held."
    )
    document_id: str | None = Field(
        description="Of the proposing document, null where it is not held."
    )
    ties: tuple[str, ...] = Field(
        description="What ties the two: 'named in the adopting release', 'file number S7-10-04', 'RIN 3235-AJ18'."
    )


class RuleState(Form):
    """What a section was on a civil day in New York, as known by `as_of`."""

    section: str
    citation: str = Field(description="'17 CFR 242.612'.")
    as_of: datetime
    on: date
    standing: Standing = Field(description="According to the documents alone.")
    standing_with_events_file: Standing
    apart: tuple[Paragraph, ...] = Field(
        description="Paragraphs that a stay, relief or a later date keeps from binding though the section is in force."
    )
    answers: tuple[Proposal, ...] = Field(
        description="The proposals that the newest adoption answers, oldest first."
    )
    statements: tuple[Statement, ...]
    texts: tuple[RuleText, ...]
    coverage: Coverage


class TimelineEvent(Form):
    """One event; `on` is null where only a wording is stated. source: 'documents' or 'events file'."""

    kind: EventKind
    on: date | None
    relative: str | None
    computed_on: date | None = Field(
        default=None,
        description="Where no day is stated: what the wording comes to, or the day the release was made.",
    )
    role: Role | None
    about: About
    sections: tuple[str, ...]
    by_name: bool
    change: str = Field(
        default="",
        description="'conforming': references only; 'limited': relief for those named; 'relief': what ends is relief; "
        "'proposal': what is put off is to decide on one.",
    )
    release: str | None
    known_on: date
    source: str
    note: str = ""
    basis: tuple[Basis, ...]


class Timeline(Form):
    """Events of a section by day, as known by `as_of`."""

    section: str
    as_of: datetime
    held_through: date | None
    events: tuple[TimelineEvent, ...]


# ---- the book, read once for each state of the catalog

_LOCK = threading.Lock()
_BOOKS: OrderedDict[tuple[Path, int], Book] = OrderedDict()
_KEPT = 4


def book_of(catalog: Catalog) -> Book:
    """The rule book of what the catalog holds now; read again once something was added."""
    key = (catalog.home, catalog.head())
    with _LOCK:
        if key not in _BOOKS:
            _BOOKS[key] = open_book(catalog)
            while len(_BOOKS) > _KEPT:
                _BOOKS.popitem(last=False)
        return _BOOKS[key]


def forget(catalog: Catalog) -> None:
    """Read the book anew next time: its events were derived again."""
    with _LOCK:
        for key in [k for k in _BOOKS if k[0] == catalog.home]:
            del _BOOKS[key]


# ---- forms


def rule_state(catalog: Catalog, asked: str, as_of: datetime) -> RuleState:
    """The state of what is asked for: "242.612", "Rule 611", "Order Protection Rule". Raises BadRequest on another word."""
    book = book_of(catalog)
    found = state(book, names.resolve(asked), as_of)
    cited = Cited(catalog, book, as_of)
    return RuleState(
        section=found.section,
        citation=cfr(found.section),
        as_of=as_of,
        on=found.on,
        standing=found.standing,
        standing_with_events_file=found.with_file,
        apart=tuple(Paragraph(section=p, standing=its) for p, its in found.apart),
        answers=tuple(_proposal(each, book, as_of) for each in found.answers),
        statements=tuple(_statement(line, found, cited) for line in found.lines),
        texts=tuple(texts(found.section, as_of, catalog, book)),
        coverage=_coverage(found, book),
    )


def timeline(catalog: Catalog, asked: str, as_of: datetime) -> Timeline:
    """The events of a section, those of one day and kind together, by the day they state or, without one, were known."""
    book = book_of(catalog)
    found = state(book, names.resolve(asked), as_of)
    groups: dict[tuple[object, ...], list[Known]] = {}
    for known in found.events:
        event = known.event
        when = event.on or event.relative or known.held.work_id
        groups.setdefault((event.kind, when, event.role, event.change), []).append(known)
    cited = Cited(catalog, book, as_of)
    rows = [_row(group, cited, found) for group in groups.values()]
    laid = [x for line in found.lines for x in line.laid]
    rows += [_laid(x) for x in laid]
    rows.sort(key=lambda row: (day_of(row), row.known_on, row.kind))
    return Timeline(
        section=found.section, as_of=as_of, held_through=found.held_through, events=tuple(rows)
    )


def standings(
    catalog: Catalog, asked: str, days: Iterable[date]
) -> list[tuple[date, Standing, Standing, bool]]:
    """(day, standing by the documents, with the events file, whether paragraphs stand apart) as known by the day's end."""
    section = names.resolve(asked)
    book = about(book_of(catalog), section)  # hundreds of days are asked for
    states = [state(book, section, end_of_day(day)) for day in days]
    return [(s.on, s.standing, s.with_file, bool(s.apart)) for s in states]


@dataclass(frozen=True, slots=True)
class Cited:
    """Passages of a catalog with the citations that were to be had by a moment."""

    catalog: Catalog
    book: Book
    as_of: datetime

    def basis(self, known: Known) -> Basis:
        held, event = known.held, known.event
        text, sections, pages = self.catalog.body(held.id)
        quote = quote_at(text, event.start, event.end)
        told = self.book.cite(held, self.as_of, place_of(pages, sections, quote.start))
        return Basis(
            document_id=held.id, title=held.title, reference=held.reference, citation=told.short, citation_full=told.full,
            authority=held.authority, known_at=known.known_at, known_basis=known.basis, start=quote.start, end=quote.end,
            quote=quote.text, sha256=quote.sha256,
        )  # fmt: skip


def by_documents(found: State) -> str:
    """Whose word a state is."""
    return f"according to the documents held, through {found.held_through}"


def said(line: Line, found: State) -> tuple[str, str]:
    """What a line says, and whose word that is."""
    whose = by_documents(found)
    if found.held_through is None:
        whose = "for none are held"
    elif line.basis and all(k.held.authority is Authority.SECONDARY for k in line.basis):
        whose += " (secondary sources, not official text)"
    if line.laid:
        whose = f"according to the {MARK}, not to a document held"
    return f"{line.text[:1].upper()}{line.text[1:]}", whose


def _statement(line: Line, found: State, cited: Cited) -> Statement:
    words, whose = said(line, found)
    return Statement(
        part=line.part,
        text=f"{words}, {whose}.",
        source=MARK if line.laid else "documents",
        inferred=line.inferred,
        basis=tuple(map(cited.basis, line.basis)),
    )


def _proposal(each: Answered, book: Book, as_of: datetime) -> Proposal:
    by_release = f"Release No. {each.release}" + (f" ({day(each.on)})" if each.on else "")
    return Proposal(
        release=each.release, on=each.on, ties=each.ties, document_id=each.held.id if each.held else None,
        citation=book.cite(each.held, as_of).short if each.held else by_release,
    )  # fmt: skip


def _row(group: list[Known], cited: Cited, found: State) -> TimelineEvent:
    first = group[0].event
    computed = (found.computed.get((known.held.offset, known.event)) for known in group)
    day = first_business_day(first.relative or "") or next(filter(None, computed), None)
    return TimelineEvent(
        kind=first.kind,
        on=first.on,
        relative=first.relative,
        computed_on=None if first.on else day,
        role=first.role,
        about=first.about,
        sections=names.unique(s for known in group for s in known.event.sections),
        by_name=all(known.event.by_name for known in group),
        change=first.change,
        release=next((k.event.release for k in group if k.event.release), None),
        known_on=min(map(known_day, group)),
        source="documents",
        basis=tuple(map(cited.basis, group)),
    )


def _laid(laid: Laid) -> TimelineEvent:
    event = laid.event
    return TimelineEvent(
        kind=event.kind, on=event.on, relative=event.relative, role=event.role, about=event.about,
        sections=event.sections, by_name=False, release=event.release, known_on=laid.known_on, source=MARK,
        note=f"{laid.what} ({laid.citation})", basis=(),
    )  # fmt: skip


def texts(section: str, as_of: datetime, catalog: Catalog, book: Book) -> Iterable[RuleText]:
    """Wording of the section: codified, or as a release sets it out; known by then, newest first."""
    wanted = names.base(section)
    held = [h for h in catalog.documents(Filters(cfr_section=wanted)) if h.known_at <= as_of]
    for document in sorted(held, key=lambda h: h.known_at, reverse=True):
        sections = [
            s for s in catalog.body(document.id)[1]
            if s.kind is Kind.RULE_TEXT and any(wanted in heading.replace(". ", ".") for heading in s.path)
        ]  # fmt: skip
        if sections:
            codified = document.doc_type is DocType.REGULATION
            told = book.cite(document, as_of)
            yield RuleText(
                document_id=document.id, title=document.title, reference=document.reference, doc_type=document.doc_type,
                citation=told.short, citation_full=told.full,
                known_at=document.known_at, start=sections[0].start, end=sections[-1].end,
                note=CAUTION if codified else "as this release sets it out",
            )  # fmt: skip


def _coverage(found: State, book: Book) -> Coverage:
    moments = sorted({known.held.id: known.known_at for known in found.events}.values())
    return Coverage(
        documents=len(moments),
        first_known=moments[0] if moments else None,
        last_known=moments[-1] if moments else None,
        held_through=found.held_through,
        last_ingested=book.through,
    )


_NAMED = {
    ("sunset", ""): "rule ends",
    ("sunset", "relief"): "relief ends",
    ("comment_deadline", ""): "comments due",
    ("exempted", ""): "relief",
    ("exempted", "limited"): "relief for some",
    ("delayed", ""): "date moved",
    ("delayed", "proposal"): "decision put off",
    ("adopted", "conforming"): "references updated",
    ("upheld", ""): "petitions denied",
    ("lifted", ""): "stay lifted",
}


def day_of(event: TimelineEvent) -> date:
    """Where an event stands on a line: its day, the day its wording comes to, the middle of its month, else when it was known."""
    month = month_of(event.relative or "")
    return event.on or event.computed_on or (month.replace(day=15) if month else event.known_on)


def named(event: TimelineEvent) -> str:
    """What an event is called in a table or a chart."""
    if event.kind is EventKind.EXEMPTED and event.role is Role.END:
        return "relief until"
    return _NAMED.get((event.kind, event.change), str(event.kind))
