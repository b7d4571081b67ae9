"""An exported answer and the catalog in, what does not hold out. No model is loaded: an answer is checked, not made again."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from agent.cite import lead_of, sentence_at
from agent.verify import EvidenceSentence, gate
from api.schemas import Answer, Citation, Sentence
from ingest.catalog import Catalog, Held
from ingest.errors import NotKnown
from ingest.quote import check
from ingest.rules.held import open_book


def recheck(answer: Answer, catalog: Catalog) -> list[str]:
    """Each fault as a sentence; an empty list means that every sentence is still supported by its stored quotes."""
    faults: list[str] = []
    evidence: dict[int, EvidenceSentence] = {}
    for citation in answer.citations:
        read = _read(citation, answer, catalog)
        if isinstance(read, EvidenceSentence):
            evidence[citation.number] = read
        else:
            faults.append(f"[{citation.number}] {read}")
    if answer.sentences and answer.refusal:
        faults.append("it answers and refuses at once")
    if answer.text != " ".join(f"{s.lead_in} {s.text}".strip() for s in answer.sentences):
        faults.append("its text is not that of its sentences")
    for number, sentence in enumerate(answer.sentences, start=1):
        faults += [f"sentence {number} {fault}" for fault in _faults(sentence, evidence)]
    return faults


def _read(citation: Citation, answer: Answer, catalog: Catalog) -> EvidenceSentence | str:
    """The quoted sentence as the catalog holds it, labelled anew; or what is wrong with the citation."""
    try:
        held = catalog.document(citation.document_id)
    except NotKnown as exc:
        return str(exc)
    text = catalog.text(held.id)
    if not check(text, citation.start, citation.end, citation.quote, citation.sha256):
        return f"is not what {held.id} holds at [{citation.start}, {citation.end})"
    known_at = _known_at(citation, held, catalog)
    if known_at > answer.as_of:
        return f"was not known by {answer.as_of.isoformat()}"
    for name, stored in (*_stated(held).items(), ("known_at", known_at)):
        if getattr(citation, name) != stored:
            return f"states another {name} than {held.id} does"
    read = sentence_at(catalog, held, citation.start, citation.end)
    if (read.speaker, read.stage) != (citation.speaker, citation.stage):
        return f"is labelled {citation.speaker} · {citation.stage}, its place says {read.speaker} · {read.stage}"
    return read


def _stated(held: Held) -> Mapping[str, object]:
    return {name: getattr(held, name) for name in ("title", "reference", "authority")}


def _known_at(citation: Citation, held: Held, catalog: Catalog) -> datetime:
    """When the document was public: as the catalog knows it, or as the rulebook found it stated elsewhere."""
    if citation.known_at == held.known_at:
        return held.known_at
    known, _ = open_book(catalog).known.get(held.offset, (held.known_at, ""))
    return known


def _faults(sentence: Sentence, evidence: Mapping[int, EvidenceSentence]) -> Iterator[str]:
    quotes = [evidence[n] for n in sentence.citations if n in evidence]
    if not quotes:
        yield "has no citation that holds"
        return
    if sentence.verbatim:
        if sentence.text not in [quote.text for quote in quotes]:
            yield "is marked verbatim and is no quote of its citations"
    elif not (verdict := gate(sentence.text, quotes)).passed:
        yield f"is not supported by its quotes ({verdict.point}: {verdict.reason})"
    leads = {lead_of(q, sentence.text) for q in quotes}
    if sentence.lead_in not in leads:
        yield f"begins with {sentence.lead_in!r}, its label asks for {' or '.join(map(repr, leads))}"
