"""A rule book and an adopting document in, the proposals that it answers out, each with what ties the two.

The ties, strongest first: the adopting release names the proposing one and its day; both bear the same file number; both
bear the same RIN and speak of one section. A RIN alone ties nothing: one number has served several proposals.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from ingest.catalog import Held
from ingest.document import DocType
from ingest.rules import names
from ingest.rules.held import Book, Known
from ingest.rules.kinds import About, EventKind

_NEWEST = date.max


@dataclass(frozen=True, slots=True)
class Answered:
    """A proposal that an adoption answers.

    release   of the proposal, None where neither document names it
    on        the day it was made, None where it is not stated
    held      the proposing document, None where it is not held
    ties      "named in the adopting release", "file number S7-10-04", "RIN 3235-AJ18"
    basis     the passage that names it, or the proposal's own
    """

    release: str | None
    on: date | None
    held: Held | None
    ties: tuple[str, ...]
    basis: tuple[Known, ...]


def answered(book: Book, adopting: Held, as_of: datetime) -> tuple[Answered, ...]:
    """The proposals that a document answers, as known by `as_of`, oldest first; () where nothing ties it to one."""
    known = [k for k in book.events if k.known_at <= as_of]
    proposals = [k for k in known if k.event.kind is EventKind.PROPOSED]
    named = _named(k for k in proposals if k.held.work_id == adopting.work_id)
    found = {release: Answered(release, k.event.on, None, (_NAMED,), (k,)) for release, k in named}
    for work in _own(proposals):
        first = work[0]
        ties = _ties(book, adopting, first.held, known)
        release = first.held.metadata.release or _printed_with(book, first.held, found)
        already = found.pop(release, None) if release else None
        if already or ties:
            found[release or first.held.work_id] = Answered(
                release,
                already.on if already else book.made(release, as_of) or first.event.on,
                first.held,
                (*(already.ties if already else ()), *ties),
                (*(already.basis if already else ()), first),
            )
    return tuple(sorted(found.values(), key=lambda each: each.on or _NEWEST))


_NAMED = "named in the adopting release"


def _named(told: Iterable[Known]) -> list[tuple[str, Known]]:
    """Each release that the adopting document says its rule was proposed by."""
    once: dict[str, Known] = {}
    for known in told:
        release = known.event.release
        if known.event.about is About.OWN and release and release != known.held.metadata.release:
            once.setdefault(release, known)
    return list(once.items())


def _own(proposals: Iterable[Known]) -> list[list[Known]]:
    """What proposing documents say of their own proposals, work by work."""
    works: dict[str, list[Known]] = {}
    for known in proposals:
        if known.event.about is About.OWN and known.held.doc_type is DocType.PROPOSED_RULE:
            works.setdefault(known.held.work_id, []).append(known)
    return list(works.values())


def _ties(book: Book, adopting: Held, proposing: Held, known: Iterable[Known]) -> tuple[str, ...]:
    files = _both(book.files.get(adopting.offset, ()), book.files.get(proposing.offset, ()))
    rins = _both(adopting.metadata.rin, proposing.metadata.rin)
    ties = [f"file number {number}" for number in files]
    if rins and (ties or _one_section(adopting, proposing, known)):
        ties += [f"RIN {number}" for number in rins]
    return tuple(ties)


def _both(one: Iterable[str], other: Iterable[str]) -> list[str]:
    return sorted(set(one) & set(other))


def _one_section(adopting: Held, proposing: Held, known: Iterable[Known]) -> bool:
    said: dict[str, set[str]] = {adopting.work_id: set(), proposing.work_id: set()}
    for each in known:
        if each.held.work_id in said and each.event.about is About.OWN:
            said[each.held.work_id].update(map(names.base, each.event.sections))
    return bool(said[adopting.work_id] & said[proposing.work_id])


def _printed_with(book: Book, proposing: Held, named: Iterable[str]) -> str | None:
    """Of the releases named, the one printed on the day of a proposal that states no number of its own."""
    for release in named:
        printed = book.printed.get(release)
        if (
            printed
            and proposing.metadata.fr_document
            and printed.on == proposing.metadata.published_on
        ):
            return release
    return None
