"""A catalog and what is wanted in; a page of the list of documents out, newest first."""

from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from api import rules
from api.pages.home import overview
from ingest.catalog import Catalog, Filters, Held
from ingest.moment import civil_day
from ingest.rules import names
from ingest.rules.held import Book
from ingest.rules.state import Standing

_ROWS = 50
_SECTIONS = 3  # of one document


class Wanted(BaseModel):
    """What to list; "" means any, as an empty field of a form says it. words: all must stand in title, reference or path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: str = Field(default="", max_length=200)
    doc_type: str = Field(default="", max_length=40)
    authority: str = Field(default="", max_length=40)
    section: str = Field(default="", max_length=80)
    company: str = Field(default="", max_length=200)
    page: int = Field(default=1, ge=1, le=10_000)

    def at(self, page: int) -> str:
        """The same with another page, as the query of an address."""
        given = self.model_dump(exclude_defaults=True) | {"page": page}
        return urlencode(given)


@dataclass(frozen=True, slots=True)
class Row:
    """A document in the list.

    public     None where only the day is known on which it was brought in
    sections   those it is on, with what they are worth today where the rulebook knows
    """

    held: Held
    cited: str
    public: date | None
    sections: tuple[tuple[str, Standing | None], ...]
    more: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of rows. found: how many there are on all pages; after: the first of those that are left."""

    rows: tuple[Row, ...]
    held: int
    found: int
    first: int
    pages: int


def listing(catalog: Catalog, wanted: Wanted, as_of: datetime) -> Listing:
    """Documents known by `as_of`, the newest first."""
    section = names.base(wanted.section.strip()) if wanted.section.strip() else None
    filters = Filters(
        doc_type=wanted.doc_type or None, authority=wanted.authority or None, cfr_section=section,
        company=wanted.company.strip() or None,
    )  # fmt: skip
    words = wanted.words.lower().split()
    known = [h for h in catalog.documents(filters or None) if h.known_at <= as_of]
    found = [h for h in known if all(word in _searched(h) for word in words)]
    book = rules.book_of(catalog)
    public = {h.offset: _public(book, h) for h in found}
    found.sort(key=lambda h: (public[h.offset] or date.min, h.offset), reverse=True)
    first = (wanted.page - 1) * _ROWS
    standing = {badge.section: badge.standing for badge in overview(catalog, as_of).rules}
    return Listing(
        rows=tuple(
            Row(
                held=h, cited=_cited(h, book.cite(h, as_of).short), public=public[h.offset],
                sections=tuple((s, standing.get(names.base(s))) for s in h.metadata.cfr_sections[:_SECTIONS]),
                more=max(0, len(h.metadata.cfr_sections) - _SECTIONS),
            )
            for h in found[first : first + _ROWS]
        ),
        held=len(catalog.moments()), found=len(found), first=first, pages=-(-len(found) // _ROWS),
    )  # fmt: skip


_TOLD = 40  # letters by which a citation is seen to begin with the title


def _cited(held: Held, cited: str) -> str:
    """How to cite it, without the title that stands above."""
    return held.reference if cited.startswith(held.title[:_TOLD]) else cited


def _public(book: Book, held: Held) -> date | None:
    """The day on which it was public, as its source or another document states it."""
    if held.offset in book.known:
        return civil_day(book.known[held.offset][0])
    return civil_day(held.known_at) if held.backfilled else None


def _searched(held: Held) -> str:
    company = held.metadata.company or ""
    return f"{held.title} {held.reference} {held.path} {company}".lower()
