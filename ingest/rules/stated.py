"""Documents of a catalog in, the impacts they state out: read once a document, kept, read again when the taxonomy changes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ingest.catalog import Catalog, Held
from ingest.document import Document, Page, page_at
from ingest.rules.impacts import EXTRACTOR, Direction, Impact, impacts
from ingest.stance import Speaker

KIND = "impacts"  # of readings of the catalog


@dataclass(frozen=True, slots=True)
class Stated:
    """An impact, the document that states it, and the page it stands on (None where the format has no pages).

    printed   the number on the paper, "81640"
    """

    impact: Impact
    held: Held
    page: int | None
    printed: str | None = None


def complete(catalog: Catalog, documents: Iterable[Held]) -> int:
    """Read the documents that this taxonomy has not read; returns how many were. Killed, it has lost one at most."""
    unread = set(catalog.unread(KIND, EXTRACTOR))
    lacking = [held for held in documents if held.offset in unread]
    for held in lacking:
        read_impacts(catalog, [held])
    return len(lacking)


def read_impacts(catalog: Catalog, documents: Iterable[Held]) -> None:
    """Read what documents say of effects and store it, all in one transaction."""
    rows: list[tuple[int, str, str]] = []
    for held in {h.offset: h for h in documents}.values():
        text, sections, pages = catalog.body(held.id)
        found = impacts(Document(text, held.format, sections, pages, held.metadata))
        rows.append((held.offset, EXTRACTOR, to_json(found, pages)))
    if rows:
        catalog.write_readings(KIND, rows)


def to_json(found: Iterable[Impact], pages: Sequence[Page]) -> str:
    """What is kept of a document's impacts: the rows, each with its page."""
    rows = [asdict(row) | _place(page_at(pages, row.start)) for row in found]
    return json.dumps(rows, ensure_ascii=False)


def _place(page: Page | None) -> dict[str, Any]:
    return {"page": page.number, "printed": page.printed} if page else {"page": None}


def stated_in(
    catalog: Catalog, documents: Sequence[Held], variable: str | None = None
) -> list[Stated]:
    """What these documents say, in their order; those not read yet are read first. variable: an id, or None for all."""
    complete(catalog, documents)
    rows = dict(catalog.readings(KIND, [held.offset for held in documents]))
    return [
        _stated(row, held)
        for held in documents
        for row in json.loads(rows[held.offset])
        if variable in (None, row["variable"])
    ]


def _stated(row: dict[str, Any], held: Held) -> Stated:
    page, printed = row.pop("page"), row.pop("printed", None)
    told = {
        "direction": Direction(row["direction"]),
        "speaker": Speaker(row["speaker"]),
        "section": tuple(row["section"]),
    }
    return Stated(Impact(**row | told), held, page, printed)
