"""A catalog and a moment in; what the first pages show of the rulebook out: rules with their states, dates to come, examples."""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from api import rules
from ingest.catalog import Catalog, Filters, Held
from ingest.document import DocType
from ingest.moment import civil_day
from ingest.rules import names
from ingest.rules.kinds import EventKind, Role
from ingest.rules.state import (
    Line,
    Part,
    Standing,
    State,
    first_business_day,
    known_day,
    sections_of,
    state,
)

_COMING = 6
_IN_PART = 0.1  # of the adopting release's length: what is shorter is no whole proposal
_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Coming:
    """A day to come and what happens on it. sections: of which rules."""

    on: date
    sections: tuple[str, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Badge:
    """A rule in the list: what it is called, what it is worth today, and what comes next, if a day is stated."""

    section: str
    title: str
    standing: Standing
    apart: int
    documents: int
    coming: Coming | None


@dataclass(frozen=True, slots=True)
class Example:
    """A question that documents held answer. as_of: None for today."""

    question: str
    as_of: date | None = None


@dataclass(frozen=True, slots=True)
class Versions:
    """Two texts that are worth comparing: what /compare is asked for, of which rules, and what it shows."""

    sections: tuple[str, ...]
    a: str
    b: str
    words: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What is held, at a glance. through: the day of 'through DATE', None where nothing is held."""

    documents: int
    through: date | None
    rules: tuple[Badge, ...]
    coming: tuple[Coming, ...]
    examples: tuple[Example, ...]
    versions: tuple[Versions, ...]


_LOCK = threading.Lock()
_READ: OrderedDict[tuple[Path, int, date], Overview] = OrderedDict()
_KEPT = 4


def overview(catalog: Catalog, as_of: datetime) -> Overview:
    """Every rule that a document known by then states an event of; read once a day for each state of the catalog."""
    key = (catalog.home, catalog.head(), civil_day(as_of))
    with _LOCK:
        if key not in _READ:
            _READ[key] = _overview(catalog, as_of)
            while len(_READ) > _KEPT:
                _READ.popitem(last=False)
        return _READ[key]


def _overview(catalog: Catalog, as_of: datetime) -> Overview:
    book = rules.book_of(catalog)
    states = sorted(
        (found for s in sections_of(book) if (found := state(book, s, as_of)).events),
        key=lambda found: names.in_order(found.section),
    )
    coming = {found.section: tuple(_coming(found)) for found in states}
    return Overview(
        documents=len(catalog.moments()),
        through=civil_day(min(book.through, as_of)) if book.through else None,
        rules=tuple(_badge(found, coming[found.section]) for found in states),
        coming=tuple(_together([each for of in coming.values() for each in of])[:_COMING]),
        examples=tuple(_examples(states)),
        versions=_versions(catalog, states),
    )


def _badge(found: State, coming: Sequence[Coming]) -> Badge:
    return Badge(
        section=found.section, title=names.title(found.section), standing=found.with_file, apart=len(found.apart),
        documents=len({known.held.id for known in found.events}), coming=min(coming, key=lambda c: c.on, default=None),
    )  # fmt: skip


_AHEAD = (Part.ADOPTED, Part.IN_FORCE, Part.PENDING, Part.RELIEF)


def _coming(found: State) -> Iterator[Coming]:
    for line in found.lines:
        if line.part in _AHEAD and (on := _day(line)) and on > found.on:
            yield Coming(on, (found.section,), _words(line))


def _day(line: Line) -> date | None:
    """The day a line is about; of relief, the last of those that its passages state it to end on."""
    if line.on or line.part is not Part.RELIEF:
        return line.on
    events = [k.event for k in line.basis]
    ends = [e.on if e.role is Role.END else first_business_day(e.relative or "") for e in events]
    return max(filter(None, ends), default=None)


def _words(line: Line) -> str:
    return line.text[:1].upper() + line.text[1:]


def _together(found: Sequence[Coming]) -> list[Coming]:
    """What several rules share stands once, soonest first."""
    by_words: dict[tuple[date, str], list[str]] = {}
    for each in found:
        by_words.setdefault((each.on, each.words), []).extend(each.sections)
    return [Coming(on, tuple(of), words) for (on, words), of in sorted(by_words.items())]


# ---- what can be compared


def _versions(catalog: Catalog, states: Sequence[State]) -> tuple[Versions, ...]:
    """Each pair of texts once, however many rules they share."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for each in states:
        for pair in _pairs(catalog, each):
            found.setdefault(pair, []).append(each.section)
    return tuple(Versions(tuple(of), a, b, words) for (a, b, words), of in found.items())


def _pairs(catalog: Catalog, found: State) -> Iterator[tuple[str, str, str]]:
    """A proposal and what was adopted of it; the oldest and the newest codified text."""
    lines = (x for x in found.lines if x.part is not Part.HISTORY and x.kind is EventKind.ADOPTED)
    adopting = next((k.held for line in lines for k in line.basis), None)
    for answer in found.answers:
        if answer.held and adopting and answer.held.id != adopting.id:
            words = f"{_short(answer.held)} as proposed, {_short(adopting)} as adopted"
            if answer.held.characters < adopting.characters * _IN_PART:
                words += " (of the proposal only the beginning is held)"
            yield answer.held.id, adopting.id, words
    codified = [
        h for h in catalog.documents(Filters(cfr_section=found.section, doc_type=DocType.REGULATION))
        if h.known_at <= found.as_of and names.base(h.reference.rpartition(" ")[2]) == found.section
    ]  # fmt: skip
    if len(codified) > 1:
        yield found.section, found.section, "codified text, the oldest and the newest held"


def _short(held: Held) -> str:
    return held.reference.partition(";")[0] or held.title


# ---- examples: questions that the rulebook knows an answer to, so that no first try ends in a refusal


def _examples(states: Sequence[State]) -> list[Example]:
    """One of each kind, each of another rule while there are others: of the one that documents say most of."""
    told = [s for s in states if "efinition" not in names.title(s.section)]
    by_weight = sorted(told, key=lambda s: -len(s.events))
    found: list[Example] = []
    used: set[str] = set()
    for fits, words in _KINDS:
        of_kind = [s for s in by_weight if fits(s)]
        for chosen in ([s for s in of_kind if s.section not in used] or of_kind)[:1]:
            used.add(chosen.section)
            question = words.format(f"Rule {chosen.section.partition('.')[2]}")
            found.append(Example(question))
            if earlier := _before_relief(chosen):
                found.append(Example(question, earlier))
    return found[:_EXAMPLES]


def _before_relief(found: State) -> date | None:
    """The day before the newest relief was known, where there was some before it: the same question has another answer."""
    if found.standing is not Standing.EXEMPTED:
        return None
    known = sorted({known_day(k) for k in found.events if k.event.kind is EventKind.EXEMPTED})
    return known[-1] - timedelta(days=1) if len(known) > 1 else None


def _is_amended(found: State) -> bool:
    return bool(found.answers) and found.standing in (
        Standing.IN_FORCE, Standing.EFFECTIVE, Standing.ADOPTED, Standing.EXEMPTED, Standing.PARTLY, Standing.TO_BE_RESCINDED,
    )  # fmt: skip


_KINDS = (
    (lambda s: s.standing is Standing.TO_BE_RESCINDED, "Is {} rescinded, and until when could one comment?"),
    (lambda s: s.standing is Standing.EXEMPTED, "Is {} in force?"),
    (_is_amended, "What does {} as amended change, for whom and from when?"),
    (lambda s: s.standing is Standing.IN_FORCE, "What does {} require?"),
    (lambda s: s.standing is Standing.VACATED, "What became of {}?"),
)  # fmt: skip
