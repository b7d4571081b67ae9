"""A span of a held document in, its labelled sentence and its checked citation out."""

import re
from dataclasses import replace
from datetime import datetime

from agent.reply import Citation
from agent.verify import EvidenceSentence, evidence_sentence
from ingest.catalog import Catalog, Held
from ingest.document import Kind, section_at
from ingest.sentences import sentences
from ingest.stance import lead_in

LISTED = re.compile(
    r"\((?:\d|[a-f]|i{1,3}|iv|v)\) "
)  # how an item of a list within a sentence begins
_LIST_MOST = 4000  # characters before and after an item in which its list is looked for

_JSON_BORDER = re.compile(
    r"""(?:^\{?"|\[+"?|(?<!\\)"\s*,\s*(?:"|\d|null)|"\s*[\]}]|"\s*:\s*[\["{])+"""
)


def sentence_at(catalog: Catalog, held: Held, start: int, end: int) -> EvidenceSentence:
    """The words at [start, end) of a document, with who speaks and at what stage; an item of a list is what its list is."""
    text, sections, _ = catalog.body(held.id)
    section = section_at(sections, start)

    def labelled(first: int, last: int) -> EvidenceSentence:
        return evidence_sentence(
            text,
            first,
            last,
            path=section.path if section else (),
            doc_type=held.doc_type,
            kind=section.kind if section else Kind.BODY,
            document_id=held.id,
            title=held.title,
            reference=held.reference,
            agency=held.metadata.agency or "",
        )

    quote = labelled(start, end)
    if not LISTED.match(quote.text):
        return quote
    begin = max(section.start if section else 0, start - _LIST_MOST)
    around = sentences(text[begin : end + _LIST_MOST], begin)
    whole = next(((a, b) for a, b in around if a < start and end <= b), None)
    if whole is None:
        return quote
    list_ = labelled(*whole)
    return replace(quote, speaker=list_.speaker, stage=list_.stage)


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


def is_title(words: str, title: str) -> bool:
    """Whether a line hardly says more than what its document is called."""
    said, called = re.sub(r"\W+", "", words).lower(), re.sub(r"\W+", "", title).lower()
    return len(called) > 20 and called in said and len(said) < 1.3 * len(called)


def lead_of(quote: EvidenceSentence, words: str) -> str:
    """What is put before `words`, shipped on this quote: whose they are, at what stage, or that they are a title alone."""
    lead = lead_in(quote.speaker, quote.stage, words)
    # A title states nothing, and may be all that is held of an order.
    return lead or ("By its title:" if is_title(quote.text, quote.title) else "")
