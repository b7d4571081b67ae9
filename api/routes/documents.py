"""A document's id in, what is held of it out; handlers are plain functions, so they run in threads."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api import schemas
from api.deps import CatalogDep
from ingest.catalog import Catalog, Held
from ingest.errors import BadRequest, NotKnown
from ingest.moment import now

router = APIRouter(prefix="/v1/documents", tags=["documents"])

AsOf = Annotated[schemas.Moment | None, Query()]


class Listing(schemas.Filters):
    """What to list, and from where on."""

    after: schemas.Offset = Field(default=0, description="`next` of the page before.")
    limit: int = Field(default=50, ge=1, le=500, description="Documents on a page.")
    as_of: schemas.Moment | None = None

    def to_filters(self) -> schemas.Filters:
        """The filters alone."""
        return schemas.Filters(**{n: getattr(self, n) for n in schemas.Filters.model_fields})


@router.get("", summary="What is held, oldest record first")
def list_documents(
    wanted: Annotated[Listing, Query()], catalog: CatalogDep
) -> schemas.DocumentPage:
    """Documents known by `as_of`."""
    as_of, after = wanted.as_of or now(), wanted.after
    filters, found = wanted.to_filters().to_catalog(), list[Held]()
    while len(found) <= wanted.limit:
        batch = catalog.documents(filters, after=after, limit=wanted.limit + 1)
        found += [held for held in batch if held.known_at <= as_of]
        if len(batch) <= wanted.limit:
            break
        after = batch[-1].offset
    shown, rest = found[: wanted.limit], found[wanted.limit :]
    return schemas.DocumentPage(
        documents=tuple(schemas.Document.of(held) for held in shown),
        next=shown[-1].offset if rest else None,
    )


@router.get("/{id}", summary="One document, without its text")
def read_document(id: str, catalog: CatalogDep, as_of: AsOf = None) -> schemas.Document:
    """404 when it is not held, or was not known by `as_of`."""
    return schemas.Document.of(_known(catalog, id, as_of))


@router.get("/{id}/text", summary="Its stored text, or a span of it")
def read_text(
    id: str,
    catalog: CatalogDep,
    start: Annotated[int, Query(ge=0)] = 0,
    end: Annotated[int | None, Query(ge=0)] = None,
    as_of: AsOf = None,
) -> schemas.Text:
    """Offsets are those of citations: half-open, in characters."""
    held = _known(catalog, id, as_of)
    last = held.characters if end is None else min(end, held.characters)
    if start > last:
        raise BadRequest(
            f"start={start} lies behind end={last}; the text has {held.characters} characters"
        )
    text = catalog.text(id)[start:last]
    return schemas.Text(
        document_id=id, start=start, end=last, characters=held.characters, text=text
    )


@router.get("/{id}/pages/{number}", summary="The stored text of one page")
def read_page(id: str, number: int, catalog: CatalogDep, as_of: AsOf = None) -> schemas.Text:
    """Pages count from 1; formats without pages have none."""
    held = _known(catalog, id, as_of)
    text, _, pages = catalog.body(id)
    page = next((p for p in pages if p.number == number), None)
    if page is None:
        raise NotKnown(f"document {id!r} has {len(pages)} pages, none with number {number}")
    return schemas.Text(
        document_id=id,
        start=page.start,
        end=page.end,
        characters=held.characters,
        text=text[page.start : page.end],
        page=page.number,
        printed=page.printed,
    )


def _known(catalog: Catalog, id: str, as_of: datetime | None) -> Held:
    held = catalog.document(id)
    if as_of is not None and held.known_at > as_of:
        raise NotKnown(f"document {id!r} was not known by {as_of.isoformat()}")
    return held
