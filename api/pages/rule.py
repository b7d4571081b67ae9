"""A catalog, a section and a moment in; what the page of a rule shows of it out."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from markupsafe import Markup

from api import rules
from api.pages.chart import inline
from ingest.catalog import Catalog
from ingest.document import Authority
from ingest.errors import ModelMissing
from ingest.moment import civil_day
from ingest.rules import names
from ingest.rules.cite import cfr
from ingest.rules.kinds import EventKind
from ingest.rules.state import Line, Part, Standing, State, month_of, sections_of, state

_TEXT = 2500  # characters of a rule's wording
_GROUPS = (
    ("In force", (Part.IN_FORCE,)),
    ("Adopted", (Part.ADOPTED,)),
    ("Pending", (Part.PENDING,)),
    ("Stays and relief", (Part.RELIEF,)),
    ("Conflicts", (Part.CONFLICT,)),
    ("What the documents do not say", (Part.GAP,)),
    ("Earlier", (Part.HISTORY,)),
)


@dataclass(frozen=True, slots=True)
class Said:
    """A statement. whose: whose word it is where it is not simply that of the documents held; again: passages that are already
    quoted, by this statement or one above it."""

    words: str
    whose: str
    inferred: bool
    quotes: tuple[rules.Basis, ...]
    again: tuple[rules.Basis, ...]


@dataclass(frozen=True, slots=True)
class Wording:
    """Text of the section in a document held, or the beginning of it."""

    text: str
    cut: bool
    of: rules.RuleText


@dataclass(frozen=True, slots=True)
class RulePage:
    """chart: "" where none can be drawn here; amended: a version adopted before the newest is known of, which does not bind yet
    or no longer."""

    section: str
    title: str
    citation: str
    on: date
    standing: Standing
    with_file: Standing
    through: date | None
    apart: tuple[tuple[str, Standing], ...]
    groups: tuple[tuple[str, tuple[Said, ...]], ...]
    texts: tuple[Wording, ...]
    events: tuple[rules.TimelineEvent, ...]
    chart: Markup
    documents: int
    amended: bool


def spoken_of(catalog: Catalog, section: str) -> bool:
    """Whether a document held, or the events file, has an event of the section."""
    book = rules.book_of(catalog)
    laid = (said for each in book.overlay for said in each.event.sections)
    told = (*sections_of(book), *names.RENUMBERED, *map(names.base, laid))
    return names.base(section) in told


def rule_page(catalog: Catalog, section: str, as_of: datetime) -> RulePage:
    """All that the page of a section shows, as known by `as_of`."""
    book = rules.book_of(catalog)
    found = state(book, section, as_of)
    cited = rules.Cited(catalog, book, as_of)
    timeline = rules.timeline(catalog, section, as_of)
    return RulePage(
        section=section,
        title=names.title(section),
        citation=cfr(section),
        on=found.on,
        standing=found.standing,
        with_file=found.with_file,
        through=found.held_through,
        apart=found.apart,
        groups=tuple(_groups(found, cited)),
        texts=tuple(_wordings(section, as_of, catalog, cited)),
        events=_once(timeline.events),
        chart=_chart(catalog, timeline),
        documents=len({known.held.id for known in found.events}),
        amended=found.standing is not Standing.IN_FORCE
        and any(x.part is Part.HISTORY and x.kind is EventKind.ADOPTED for x in found.lines),
    )


_TOLD_AGAIN = (
    45  # days within which a press release, the release, its print and statements on it appear
)


def _once(events: Iterable[rules.TimelineEvent]) -> tuple[rules.TimelineEvent, ...]:
    """An act that several documents tell of stands once, with all their passages."""
    rows: list[rules.TimelineEvent] = []
    for event in sorted(events, key=lambda e: (_stated(e) is None, rules.day_of(e))):
        same = next((n for n, row in enumerate(rows) if _is_same(row, event)), None)
        if same is None:
            rows.append(event)
        else:
            rows[same] = _joined(rows[same], event)
    return tuple(sorted(rows, key=lambda row: (rules.day_of(row), row.known_on, row.kind)))


def _stated(event: rules.TimelineEvent) -> date | None:
    return event.on or event.computed_on


def _is_same(row: rules.TimelineEvent, event: rules.TimelineEvent) -> bool:
    """Whether an event is the one of a row, which comes before it: on the same day or, without one, told of soon after."""
    if rules.named(row) != rules.named(event) or row.source != event.source:
        return False
    if row.release and event.release and row.release != event.release:
        return False
    if not set(map(names.base, row.sections)) & set(map(names.base, event.sections)):
        return False
    first, again = _stated(row), _stated(event)
    if first and again:
        return first == again
    if month := month_of(event.relative or ""):
        return first is not None and first.replace(day=1) == month.replace(day=1)
    if event.relative:
        return event.relative == row.relative
    return abs((event.known_on - rules.day_of(row)).days) <= _TOLD_AGAIN


def _joined(row: rules.TimelineEvent, event: rules.TimelineEvent) -> rules.TimelineEvent:
    both = {
        "sections": names.unique((*row.sections, *event.sections)),
        "release": row.release or event.release,
        "known_on": min(row.known_on, event.known_on),
        "basis": tuple(sorted((*row.basis, *event.basis), key=lambda b: _RANK[b.authority])),
    }
    return row.model_copy(update=both)


_RANK = {
    authority: place for place, authority in enumerate(Authority)
}  # official text is quoted first


def _groups(found: State, cited: rules.Cited) -> Iterator[tuple[str, tuple[Said, ...]]]:
    quoted: set[str] = set()
    for heading, parts in _GROUPS:
        lines = [line for part in parts for line in found.lines if line.part is part]
        if lines:
            yield heading, tuple(_said(line, found, cited, quoted) for line in lines)


def _said(line: Line, found: State, cited: rules.Cited, quoted: set[str]) -> Said:
    """Adds what it quotes to `quoted`."""
    words, whose = rules.said(line, found)
    whose = whose.removeprefix(rules.by_documents(found))  # the page says that once, for all
    new: list[rules.Basis] = []
    again: dict[str, rules.Basis] = {}
    for basis in map(cited.basis, line.basis):
        if basis.sha256 in quoted:
            again.setdefault(basis.citation, basis)
        else:
            quoted.add(basis.sha256)
            new.append(basis)
    return Said(words, whose.strip(" ()"), line.inferred, tuple(new), tuple(again.values()))


def _wordings(
    section: str, as_of: datetime, catalog: Catalog, cited: rules.Cited
) -> Iterator[Wording]:
    for each in rules.texts(section, as_of, catalog, cited.book):
        text = catalog.text(each.document_id)[each.start : each.end]
        yield Wording(text[:_TEXT], len(text) > _TEXT, each)


# ---- the chart, drawn once for what it shows

_LOCK = threading.Lock()  # matplotlib's settings are global
_DRAWN: OrderedDict[tuple[Path, str], Markup] = OrderedDict()
_KEPT = 128


def _chart(catalog: Catalog, timeline: rules.Timeline) -> Markup:
    from api.timeline import draw

    if not timeline.events:
        return Markup("")
    shown = timeline.model_dump_json(exclude={"as_of"})
    key = (catalog.home, f"{civil_day(timeline.as_of)} {catalog.head()} {shown}")
    with _LOCK:
        if key not in _DRAWN:
            label = f"Timeline of {timeline.section}; the table below it holds the same events"
            try:
                _DRAWN[key] = inline(draw(catalog, timeline, "svg"), label)
            except ModelMissing:
                return Markup("")
            while len(_DRAWN) > _KEPT:
                _DRAWN.popitem(last=False)
        return _DRAWN[key]
