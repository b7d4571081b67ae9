"""A question in, the sections it names out; a rule book and a day in, the book as it speaks of that day out.

The rulebook (ingest/rules) tells what was known on a day. A question on the past asks more: what was the state of affairs
then, as known now? `looking_back` answers that without rewriting history: what later documents state of days up to the
asked one (a date of effect, a stay) is taken as known by then; what was adopted or proposed later stays unseen.
"""

import re
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache

from agent.dates import Happening
from ingest.errors import BadRequest
from ingest.moment import end_of_day
from ingest.rules import names
from ingest.rules.held import Book, Known
from ingest.rules.kinds import About, EventKind, Role
from ingest.rules.state import known_day

_PHRASE = 4  # words of the longest name that a person types for a rule
_TOLD = {
    EventKind.EFFECTIVE, EventKind.COMPLIANCE, EventKind.STAYED, EventKind.LIFTED, EventKind.VACATED, EventKind.WITHDRAWN,
    EventKind.EXEMPTED,
}  # fmt: skip
_BARE = re.compile(r"\b(?:\d{1,2}[a-zA-Z]{1,2}\d{0,2}-\d{1,2}[a-z]?|\d{3}T)\b")


@lru_cache(maxsize=256)
def sections_named(question: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sections that a question names by number, and those that it names by what they are called."""
    by_number = [n.section for n in names.numbered(question)]
    by_number += [s for word in _BARE.findall(question) if (s := _resolved(word))]
    by_name = [n.section for n in names.called(question)]
    words = [w.strip("“”\"'?,.;:()") for w in question.split()]
    for size in range(_PHRASE, 1, -1):
        for at in range(len(words) - size + 1):
            phrase = words[at : at + size]
            plain = all(re.fullmatch(r"[A-Za-z][\w'’+-]*", w) for w in phrase)
            if plain and (section := _called(" ".join(phrase))):
                by_name.append(section)
    numbered = _without_parents(names.unique(by_number))
    return numbered, tuple(s for s in names.unique(by_name) if s not in numbered)


def _called(phrase: str) -> str | None:
    """The section of a whole phrase; a phrase that only contains a name is left to `names.called`."""
    return None if names.called(phrase) else _resolved(phrase)


def _resolved(words: str) -> str | None:
    try:
        return names.resolve(words)
    except BadRequest:
        return None


def _without_parents(sections: tuple[str, ...]) -> tuple[str, ...]:
    """ "242.610(c)" alone where "242.610" is named beside it."""
    return tuple(s for s in sections if not any(o != s and names.covers(s, o) for o in sections))


def happened(book: Book, sections: tuple[str, ...], as_of: datetime) -> list[Happening]:
    """What is known by `as_of` to have happened to the sections, on days."""
    found: list[Happening] = []
    for known in book.events:
        event = known.event
        if known.known_at > as_of or not _on(known, sections):
            continue
        if event.on and event.role is not Role.END:
            found.append(Happening(event.kind, event.on))
        elif event.about is About.OWN and event.kind in (EventKind.ADOPTED, EventKind.PROPOSED):
            found.append(Happening(event.kind, known_day(known)))
    for laid in book.overlay:
        if end_of_day(laid.known_on) <= as_of and any(
            names.bears_on(s, a) for s in laid.event.sections for a in sections
        ):
            found.append(Happening(laid.event.kind, laid.event.on or laid.known_on))
    return found


def looking_back(book: Book, on: date, as_of: datetime) -> Book:
    """The book of what is known by `as_of`, for a reader who asks about a day before: see above."""
    by = end_of_day(on)
    if by >= as_of:
        return book
    events = tuple(
        replace(known, known_at=min(known.known_at, end_of_day(known.event.on)))
        if known.event.on and known.known_at > by and _told_later(known, on)
        else known
        for known in book.events
        if known.known_at <= as_of
    )
    printed = {
        release: replace(p, known_at=min(p.known_at, end_of_day(p.on)))
        for release, p in book.printed.items()
        if p.known_at <= as_of
    }
    ordered = sorted(events, key=lambda k: (k.known_at, k.held.offset, k.event.start))
    return replace(book, events=tuple(ordered), printed=printed)


def _told_later(known: Known, on: date) -> bool:
    event = known.event
    return bool(event.on and event.on <= on and event.kind in _TOLD and event.role is not Role.END)


def _on(known: Known, sections: tuple[str, ...]) -> bool:
    return any(names.bears_on(said, asked) for said in known.event.sections for asked in sections)
