"""A document or a rule in, what is said of its effects, grouped by variable, out: the same for terminal, JSON and HTTP."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from api.naming import documents_meant
from api.rules import book_of
from api.schemas import Form
from ingest.catalog import Catalog
from ingest.document import Page
from ingest.errors import BadRequest
from ingest.quote import fingerprint
from ingest.rules.cite import Place
from ingest.rules.held import Book
from ingest.rules.impacts import Direction, variable_id
from ingest.rules.stated import Stated, stated_in
from ingest.rules.taxonomy import taxonomy
from ingest.stance import Speaker

UNIQUE_LETTERS = 400  # of a quote: two manifestations of one release agree on them


class ImpactRow(Form):
    """One effect, with the sentence that states it: the stored text of the document at [start, end)."""

    direction: Direction
    speaker: Speaker
    hedged: bool
    condition: str = Field(
        description="What limits the effect, in the sentence's own words; empty where nothing does."
    )
    quote: str
    document_id: str
    title: str
    reference: str
    citation: str = Field(
        description="How counsel cites it again, with the page where it is known."
    )
    citation_full: str = Field(description="How counsel cites it first, with its title.")
    section: str
    page: int | None
    start: int
    end: int
    sha256: str
    known_at: datetime


class VariableImpacts(Form):
    """All that is said of one variable, and how often each direction is."""

    variable: str
    name: str
    counts: dict[Direction, int]
    rows: tuple[ImpactRow, ...]


class Impacts(Form):
    """What the documents meant say of effects on the market."""

    asked: str
    as_of: datetime
    documents: int
    variables: tuple[VariableImpacts, ...]


def impacts_of(
    catalog: Catalog, asked: str, *, variable: str | None = None, as_of: datetime
) -> Impacts:
    """Effects by variable, the variable spoken of most first; rows in the order of the documents.

    Raises NotKnown when `asked` is no document and no rule, BadRequest on a wrong variable.
    """
    wanted = None if variable is None else variable_id(variable)
    if variable is not None and wanted is None:
        raise BadRequest(f"no variable {variable!r}; there are {', '.join(taxonomy().variables)}")
    name, documents = documents_meant(catalog, asked, as_of)
    stated = _distinct(stated_in(catalog, documents, wanted))
    by_variable: dict[str, list[Stated]] = {}
    for each in stated:
        by_variable.setdefault(each.impact.variable, []).append(each)
    groups = sorted(by_variable.items(), key=lambda item: -len(item[1]))
    return Impacts(
        asked=name,
        as_of=as_of,
        documents=len(documents),
        variables=tuple(_group(id, rows, book_of(catalog), as_of) for id, rows in groups),
    )


def _distinct(stated: Sequence[Stated]) -> list[Stated]:
    """Each effect once: a release and its print in the Federal Register are one source."""
    seen: dict[tuple[str, str, str], Stated] = {}
    for each in stated:
        letters = "".join(filter(str.isalnum, each.impact.quote.lower()))[:UNIQUE_LETTERS]
        seen.setdefault((each.held.work_id, each.impact.variable, letters), each)
    return list(seen.values())


def _group(id: str, stated: Sequence[Stated], book: Book, as_of: datetime) -> VariableImpacts:
    return VariableImpacts(
        variable=id,
        name=taxonomy().variables[id].name,
        counts=dict(Counter(each.impact.direction for each in stated).most_common()),
        rows=tuple(_row(each, book, as_of) for each in stated),
    )


def _row(stated: Stated, book: Book, as_of: datetime) -> ImpactRow:
    impact, held = stated.impact, stated.held
    page = None if stated.page is None else Page(stated.page, 0, 0, stated.printed)
    told = book.cite(held, as_of, Place(page))
    return ImpactRow(
        direction=impact.direction, speaker=impact.speaker, hedged=impact.hedged, condition=impact.condition, quote=impact.quote,
        document_id=held.id, title=held.title, reference=held.reference, citation=told.short, citation_full=told.full,
        section=" › ".join(impact.section), page=stated.page,
        start=impact.start, end=impact.end, sha256=fingerprint(impact.quote), known_at=held.known_at,
    )  # fmt: skip
