"""A span of a held document in, its labelled sentence and its checked citation out."""

import re
from datetime import datetime

from agent.reply import Citation
from agent.verify import EvidenceSentence, evidence_sentence
from ingest.catalog import Catalog, Held
from ingest.document import Kind, section_at

_JSON_BORDER = re.compile(
    r"""(?:^\{?"|\[+"?|(?<!\\)"\s*,\s*(?:"|\d|null)|"\s*[\]}]|"\s*:\s*[\["{])+"""
)


def sentence_at(catalog: Catalog, held: Held, start: int, end: int) -> EvidenceSentence:
    """The words at [start, end) of a document, with who speaks and at what stage."""
    text, sections, _ = catalog.body(held.id)
    section = section_at(sections, start)
    return evidence_sentence(
        text,
        start,
        end,
        path=section.path if section else (),
        doc_type=held.doc_type,
        kind=section.kind if section else Kind.BODY,
        document_id=held.id,
        title=held.title,
        reference=held.reference,
        agency=held.metadata.agency or "",
    )


def citation(
    catalog: Catalog,
    quote: EvidenceSentence,
    *,
    known_at: datetime | None = None,
    force: str = "",
) -> Citation:
    """A citation of a sentence. known_at: where the rulebook knows the public moment better than the catalog's bound."""
    held = catalog.document(quote.document_id)
    return Citation(
        document_id=held.id,
        title=held.title,
        reference=held.reference,
        authority=held.authority,
        section=" › ".join(quote.path),
        page=catalog.page_at(held.id, quote.start),
        start=quote.start,
        end=quote.end,
        quote=quote.text,
        sha256=quote.sha256,
        speaker=quote.speaker,
        stage=quote.stage,
        known_at=known_at or held.known_at,
        backfilled=held.backfilled,
        force=force,
    )


def prose(text: str, start: int, end: int) -> tuple[int, int]:
    """Of a page that is JSON, the longest string that the sentence touches; else the sentence as it is."""
    if '", "' not in text[start:end] and '": ' not in text[start:end]:
        return start, end
    borders = [m.span() for m in _JSON_BORDER.finditer(text, start, end)]
    if not borders:
        return start, end
    begins, ends = [start, *(b for _, b in borders)], [*(a for a, _ in borders), end]
    return max(zip(begins, ends, strict=True), key=lambda span: span[1] - span[0])
