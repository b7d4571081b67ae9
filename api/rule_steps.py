"""A book of rule events in, what features say of rules as steps over time out. Pure.

A state of a section (ingest/rules/state.py) follows from what was known and from the day in New York. So between two
moments at which something became known it can change at midnight only. `turns` asks for the state at each such moment, at
each day that an event names and every sixty days, and where two answers differ it looks for the days between at which they
do: the same readings as from a state of every day, in a hundredth of the time.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise

from ingest.moment import NEW_YORK, civil_day, end_of_day, from_micros, to_micros
from ingest.rules import names
from ingest.rules.events import About, EventKind
from ingest.rules.groups import groups_in
from ingest.rules.held import Book, Known
from ingest.rules.state import Part, Standing, State, known_day, state
from ingest.rules.stated import Stated

NEW = timedelta(days=365)  # since a rule bound, or since it became known where no day is stated
SILENT = timedelta(days=3 * 365)  # what nothing is heard of for so long is pending no more
GRID = timedelta(days=60)
LONGEST_LAPSE = timedelta(days=4 * 365)  # after the last day that an event names nothing changes
UNIQUE_LETTERS = 400  # of a quote: two manifestations of one release agree on them


@dataclass(frozen=True, slots=True)
class Reading:
    """A state, as features take it.

    in_force: whether the newest version adopted binds; relieved: whether it is stayed, or all are exempted from it; None: the
    documents do not say. effective, compliance, comments: the days of these that come next, else the last that were.
    works: whose documents propose it, or adopted it and it does not bind yet or binds for less than NEW; not those of which
    nothing was heard for SILENT.
    """

    in_force: bool | None = None
    relieved: bool | None = None
    effective: date | None = None
    compliance: date | None = None
    comments: date | None = None
    works: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Turn:
    """From `at` on, µs since 1970 UTC, a section reads so."""

    at: int
    reading: Reading


_BINDING = {Standing.IN_FORCE, Standing.TO_BE_RESCINDED}
_RELIEVED = {Standing.STAYED, Standing.EXEMPTED}
_UNTOLD = {Standing.UNKNOWN, Standing.PARTLY}
_WAITING = {Standing.ADOPTED, Standing.EFFECTIVE, *_RELIEVED}


def reading(found: State) -> Reading:
    """What a state says, the events file laid over the documents."""
    standing = found.with_file
    effective = _day(found, EventKind.EFFECTIVE)
    compliance = _day(found, EventKind.COMPLIANCE)
    if compliance is None and found.standing is Standing.ADOPTED:
        compliance = _stated_compliance(found)
    unknown = standing in _UNTOLD
    due = compliance is None or compliance <= found.on
    return Reading(
        in_force=None if unknown else standing in _BINDING and due,
        relieved=None if unknown else standing in _RELIEVED,
        effective=effective,
        compliance=compliance,
        comments=_day(found, EventKind.COMMENT_DEADLINE),
        works=frozenset((*_proposing(found), *_adopting(found, standing, effective, compliance))),
    )


def _day(found: State, kind: EventKind) -> date | None:
    """The day that lines on this state: the next one, else the last; what other passages state against it is left out."""
    told = [
        line.on
        for line in found.lines
        if line.kind is kind and line.on and line.part is not Part.CONFLICT
    ]
    later = [day for day in told if day >= found.on]
    return min(later) if later else max(told, default=None)


def _stated_compliance(found: State) -> date | None:
    """The first day that the adopting documents state; a state speaks of compliance only once a rule is effective."""
    works = {known.held.work_id for known in _making(found)}
    stated = [
        known.event.on
        for known in found.events
        if known.event.kind is EventKind.COMPLIANCE
        and known.event.on
        and known.held.work_id in works
        and any(names.covers(said, found.section) for said in known.event.sections)
    ]
    later = [day for day in stated if day >= found.on]
    return min(later, default=None)


def _proposing(found: State) -> Iterator[str]:
    pending = [k for line in found.lines if line.part is Part.PENDING for k in line.basis]
    if not any(known.event.kind is EventKind.WITHDRAWN for known in pending):
        yield from (
            k.held.work_id
            for k in pending
            if k.event.kind is EventKind.PROPOSED
            and k.event.about is About.OWN
            and found.on - known_day(k) < SILENT
        )


def _adopting(
    found: State, standing: Standing, effective: date | None, compliance: date | None
) -> Iterator[str]:
    making = _making(found)
    if not making:
        return
    since = max(filter(None, (effective, compliance)), default=min(map(known_day, making)))
    heard = max(since, *map(known_day, found.events))
    waits = standing in _WAITING and found.on - heard < SILENT
    new = found.on - since < NEW and (standing in _BINDING or standing in _UNTOLD)
    if waits or new:
        yield from (known.held.work_id for known in making)


def _making(found: State) -> list[Known]:
    """The events by which the newest version was adopted, as its own documents state them."""
    first = next((line for line in found.lines if line.part is Part.ADOPTED), None)
    return [known for known in first.basis if known.event.about is About.OWN] if first else []


# ---- steps


def about(book: Book, section: str) -> Book:
    """The book with the events alone that a state of the section can rest on."""
    kept = tuple(
        known
        for known in book.events
        if (section in names.RENUMBERED and known.held.metadata.release == names.REDESIGNATED_BY)
        or any(
            names.bears_on(said, section) or names.RENUMBERED.get(names.base(said)) == section
            for said in known.event.sections
        )
    )
    return replace(book, events=kept)


def turns(book: Book, section: str) -> tuple[Turn, ...]:
    """The readings of a section, each once it begins; the first at the first moment at which anything was known."""
    narrow = about(book, section)
    if not narrow.events:  # what the events file alone speaks of is left out
        return ()
    moments = _moments(narrow, section)

    def at(instant: int) -> Reading:
        return reading(state(narrow, section, from_micros(instant)))

    first = moments[0]
    asked = sorted({*moments, *(m for m in map(_midnight, _days(narrow, first)) if m > first)})
    found = [Turn(first, at(first))]
    for start, end in pairwise(asked):
        if between := _midnights(start, end):
            _search(found, between, at)
        if not between or between[-1] < end:
            _keep(found, Turn(end, at(end)))
    return tuple(found)


def _search(found: list[Turn], midnights: Sequence[int], at: Callable[[int], Reading]) -> None:
    """Add the turns at these midnights, before which the last of `found` held."""
    before, last = found[-1].reading, at(midnights[-1])
    if last == before:
        return
    if len(midnights) == 1:
        _keep(found, Turn(midnights[0], last))
        return
    half = len(midnights) // 2
    _search(found, midnights[:half], at)
    _search(found, midnights[half:], at)


def _keep(found: list[Turn], turn: Turn) -> None:
    if turn.reading != found[-1].reading:
        found.append(turn)


def _moments(book: Book, section: str) -> list[int]:
    """When anything became known that a state of the section can rest on."""
    releases = {k.event.release for k in book.events} | {
        k.held.metadata.release for k in book.events
    }
    known = [k.known_at for k in book.events]
    known += [each.known_at for release, each in book.printed.items() if release in releases]
    known += [
        end_of_day(laid.known_on)
        for laid in book.overlay
        if any(names.bears_on(said, section) for said in laid.event.sections)
    ]
    if book.redesignated_at:
        known.append(book.redesignated_at)
    return sorted(set(map(to_micros, known)))


def _days(book: Book, first: int) -> Iterator[date]:
    """The days that events name, those after them, and every sixtieth day from the first moment to the last lapse."""
    named = {k.event.on for k in book.events if k.event.on} | {known_day(k) for k in book.events}
    named |= {x.event.on for x in book.overlay if x.event.on} | {x.known_on for x in book.overlay}
    yield from named
    yield from (day + timedelta(days=1) for day in named)
    day = civil_day(from_micros(first))
    last = max([day, *named]) + LONGEST_LAPSE
    while day <= last:
        day += GRID
        yield day


def _midnights(start: int, end: int) -> list[int]:
    """The midnights in New York after `start`, up to `end`, µs."""
    day = civil_day(from_micros(start)) + timedelta(days=1)
    found = []
    while (midnight := _midnight(day)) <= end:
        found.append(midnight)
        day += timedelta(days=1)
    return found


def _midnight(day: date) -> int:
    return to_micros(datetime.combine(day, time(0), NEW_YORK))


# ---- pressure


@dataclass(frozen=True, slots=True)
class Push:
    """From `at` on, µs, what the documents of a work say of a variable comes to: +1 up, -1 down; also, as "variable/group", of
    what they say of it for a group of instruments."""

    at: int
    signs: Mapping[str, int]


def pushes(documents: Iterable[tuple[int, Iterable[Stated]]]) -> tuple[Push, ...]:
    """Of one work: (since when a document is known, µs; what it states); the Commission's own word alone counts.

    A variable is pushed up where more of the distinct sentences say up than down, down where fewer; else it is left out.
    """
    seen: dict[tuple[str, str], int] = {}
    found: list[Push] = []
    for at, rows in sorted(documents, key=lambda each: each[0]):
        for row in rows:
            impact = row.impact
            sign = {"up": 1, "down": -1}.get(impact.direction, 0)
            if sign and impact.speaker == "Commission":
                letters = "".join(filter(str.isalnum, impact.quote.lower()))[:UNIQUE_LETTERS]
                for group in ("", *sorted(groups_in(impact.quote))):
                    seen.setdefault((f"{impact.variable}/{group}".rstrip("/"), letters), sign)
        total: dict[str, int] = {}
        for (variable, _), sign in seen.items():
            total[variable] = total.get(variable, 0) + sign
        found.append(Push(at, {v: 1 if n > 0 else -1 for v, n in total.items() if n}))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Pressed:
    """From `at` on, µs, so many rules pending or new push each variable up, less those that push it down; 0 for the others."""

    at: int
    by_variable: Mapping[str, int]


def pressures(
    sections: Iterable[Sequence[Turn]], works: Mapping[str, Sequence[Push]]
) -> tuple[Pressed, ...]:
    """Over all sections; a work counts once, however many sections it changes."""
    each = list(sections)
    breaks = sorted(
        {turn.at for turns in each for turn in turns}
        | {push.at for pushes in works.values() for push in pushes}
    )
    found: list[Pressed] = []
    for at in breaks:
        active: set[str] = set()
        for turns in each:
            if (place := bisect_right(turns, at, key=lambda turn: turn.at)) > 0:
                active |= turns[place - 1].reading.works
        total: dict[str, int] = {}
        for work in active:
            of_work = works.get(work, ())
            if (place := bisect_right(of_work, at, key=lambda push: push.at)) > 0:
                for variable, sign in of_work[place - 1].signs.items():
                    total[variable] = total.get(variable, 0) + sign
        if not found or found[-1].by_variable != total:
            found.append(Pressed(at, total))
    return tuple(found)


def pushing(book: Book) -> dict[str, list[Known]]:
    """work -> the first event of its own of each document by which it proposes or adopts a section; official ones alone."""
    kinds = {EventKind.PROPOSED, EventKind.ADOPTED, EventKind.EFFECTIVE}
    found: dict[str, dict[int, Known]] = {}
    for known in book.events:
        event, held = known.event, known.held
        if (
            event.kind in kinds
            and event.about is About.OWN
            and event.sections
            and held.authority.startswith("official")
        ):
            found.setdefault(held.work_id, {}).setdefault(held.offset, known)
    return {work: list(documents.values()) for work, documents in found.items()}


def sections_pushed(book: Book, works: Iterable[str]) -> list[str]:
    """The sections that events of these works name, in order."""
    wanted = set(works)
    found = {
        names.base(said)
        for known in book.events
        if known.held.work_id in wanted
        for said in known.event.sections
    }
    return sorted(found)
