"""Two names in, the comparison of what they mean out: the same for terminal, JSON, HTTP and the page of its own."""

import html
from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from agent.compare import Comparison, Fate, Pair, Span, Topic, changed_words, compare
from agent.parameters import Parameter
from api.naming import document_named, documents_on
from api.schemas import Form
from ingest.catalog import Catalog, Held
from ingest.document import DocType
from ingest.errors import BadRequest, NotKnown


class Side(Form):
    """One of the two texts."""

    document_id: str
    title: str
    reference: str
    version: int
    known_at: datetime


class Passage(Form):
    """A quote: the stored text of its side at [start, end)."""

    start: int
    end: int
    quote: str
    page: int | None


class ChangedWord(Form):
    """A run of words that is kept (" "), taken out ("-") or put in ("+")."""

    mark: str
    text: str


class Paragraph(Form):
    """A paragraph before and after; null on the side where it does not stand. words: only where they changed."""

    fate: Fate
    old_label: str
    new_label: str
    before: Passage | None
    after: Passage | None
    words: tuple[ChangedWord, ...]


class ChangedParameter(Form):
    """A number that changed, with the sentences that state it."""

    kind: str
    role: str
    before: str
    after: str
    unit: str
    before_quote: Passage
    after_quote: Passage


class Requirement(Form):
    """A sentence that requires something on one side only."""

    side: str = Field(description='"before" or "after".')
    passage: Passage


class ComparedTopic(Form):
    """Sections of the two on one subject."""

    before: str
    after: str
    likeness: float
    requirements: tuple[Requirement, ...]
    parameters: tuple[ChangedParameter, ...]


class Compared(Form):
    """What changed between two texts. aligned: the share of the shorter one whose paragraphs stand in the other."""

    before: Side
    after: Side
    aligned: float
    counts: dict[Fate, int]
    parameters: tuple[ChangedParameter, ...]
    paragraphs: tuple[Paragraph, ...]
    topics: tuple[ComparedTopic, ...]


def compared(
    catalog: Catalog, old: str, new: str, *, as_of: datetime | None = None, same: bool = False
) -> Compared:
    """Compare two documents, or two versions of a section ("242.610" or "242.610@2").

    A section without a version means the oldest one held as `old` and the newest one as `new`; unchanged paragraphs are
    left out unless `same`. Raises NotKnown when either is not held, BadRequest when both are the same document.
    """
    one, other = _meant(catalog, old, as_of, oldest=True), _meant(catalog, new, as_of, oldest=False)
    if one.id == other.id:
        raise BadRequest(f"{old!r} and {new!r} are the same document, {one.id}")
    before, old_sections, _ = catalog.body(one.id)
    after, new_sections, _ = catalog.body(other.id)
    found = compare(before, after, old_sections, new_sections)
    shown = [pair for pair in found.pairs if same or pair.fate is not Fate.SAME]
    read = _Reader(catalog, one, other, before, after)
    return Compared(
        before=_side(one),
        after=_side(other),
        aligned=round(found.aligned, 3),
        counts=_counts(found),
        parameters=read.parameters(found.parameters),
        paragraphs=tuple(map(read.paragraph, shown)),
        topics=tuple(map(read.topic, found.topics)),
    )


def _meant(catalog: Catalog, words: str, as_of: datetime | None, *, oldest: bool) -> Held:
    name, _, version = words.partition("@")
    held = document_named(catalog, words, as_of)
    if held is not None:
        return held
    _, documents = documents_on(catalog, name, as_of)
    codified = [
        h
        for h in documents
        if h.doc_type is DocType.REGULATION and (not version or str(h.version) == version)
    ]
    if not codified:
        raise NotKnown(
            f"no codified text of {words} is held; name a document by its id or release number"
        )
    return min(codified, key=_age) if oldest else max(codified, key=_age)


def _age(held: Held) -> tuple[int, datetime]:
    return held.version, held.known_at


def _side(held: Held) -> Side:
    return Side(
        document_id=held.id, title=held.title, reference=held.reference, version=held.version, known_at=held.known_at
    )  # fmt: skip


def _counts(found: Comparison) -> dict[Fate, int]:
    return dict(Counter(pair.fate for pair in found.pairs).most_common())


class _Reader:
    """Spans of the two texts as quotes."""

    def __init__(self, catalog: Catalog, one: Held, other: Held, before: str, after: str) -> None:
        self._catalog, self._ids, self._texts = catalog, (one.id, other.id), (before, after)

    def passage(self, side: int, start: int, end: int) -> Passage:
        page = self._catalog.page_at(self._ids[side], start)
        return Passage(start=start, end=end, quote=self._texts[side][start:end], page=page)

    def paragraph(self, pair: Pair) -> Paragraph:
        before, after = self._of(0, pair.before), self._of(1, pair.after)
        words = (
            changed_words(before.quote, after.quote)
            if before and after and before.quote != after.quote
            else ()
        )
        return Paragraph(
            fate=pair.fate, old_label=pair.old_label, new_label=pair.new_label, before=before, after=after,
            words=tuple(ChangedWord(mark=word.mark, text=word.text) for word in words),
        )  # fmt: skip

    def _of(self, side: int, span: Span | None) -> Passage | None:
        return None if span is None else self.passage(side, span.start, span.end)

    def parameters(self, found: Iterable[Parameter]) -> tuple[ChangedParameter, ...]:
        return tuple(
            ChangedParameter(
                kind=p.kind, role=p.role, before=p.before, after=p.after, unit=p.unit,
                before_quote=self.passage(0, *p.before_quote), after_quote=self.passage(1, *p.after_quote),
            )
            for p in found
        )  # fmt: skip

    def topic(self, topic: Topic) -> ComparedTopic:
        return ComparedTopic(
            before=" › ".join(topic.before),
            after=" › ".join(topic.after),
            likeness=topic.likeness,
            requirements=tuple(
                Requirement(
                    side=duty.side,
                    passage=self.passage(int(duty.side == "after"), duty.span.start, duty.span.end),
                )
                for duty in topic.duties
            ),
            parameters=self.parameters(topic.parameters),
        )


_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 Georgia, serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }} td, th {{ border-bottom: 1px solid #ccc; padding: .3rem; }}
td, th {{ text-align: left; vertical-align: top; }}
ins {{ background: #d7f5d7; text-decoration: none; }} del {{ background: #fbdcdc; }} small {{ color: #666; }}
</style>
<h1>{title}</h1>
"""


def as_html(found: Compared) -> str:
    """A page that stands alone: the table of changed numbers, then the paragraphs with their changed words."""
    said = html.escape
    parts = [_PAGE.format(title=said(f"{_name(found.before)} → {_name(found.after)}"))]
    if found.parameters:
        rows = "".join(
            f"<tr><td>{said(p.kind)} {said(p.role)}<td>{said(p.before)}<td>{said(p.after)}<td>{said(p.unit)}"
            f"<td><small>{said(p.before_quote.quote)}</small><td><small>{said(p.after_quote.quote)}</small>"
            for p in found.parameters
        )
        parts.append(
            f"<h2>Changed numbers</h2><table><tr><th>What<th>Before<th>After<th>Unit<th>Before, quoted<th>After, "
            f"quoted{rows}</table>"
        )
    if found.topics:
        parts.append("<h2>By topic</h2>")
        parts += [_topic_html(topic) for topic in found.topics if topic.requirements]
    else:
        parts.append("<h2>Paragraphs</h2>")
        parts += [
            f"<p><small>{said(_fate_words(p))}</small><br>{_words_html(p)}"
            for p in found.paragraphs
        ]
    return "\n".join(parts) + "\n"


def _topic_html(topic: ComparedTopic) -> str:
    rows = "".join(
        f"<li>only {'before' if r.side == 'before' else 'after'}: {html.escape(r.passage.quote)}"
        for r in topic.requirements
    )
    return f"<h3>{html.escape(topic.before)} / {html.escape(topic.after)}</h3><ul>{rows}</ul>"


def _words_html(paragraph: Paragraph) -> str:
    tags = {" ": "{}", "-": "<del>{}</del>", "+": "<ins>{}</ins>"}
    if paragraph.words:
        return "".join(tags[w.mark].format(html.escape(w.text)) for w in paragraph.words)
    passage = paragraph.after or paragraph.before
    mark = "+" if paragraph.before is None else "-" if paragraph.after is None else " "
    return tags[mark].format(html.escape(passage.quote if passage else ""))


def _fate_words(paragraph: Paragraph) -> str:
    labels = " → ".join(dict.fromkeys(filter(None, [paragraph.old_label, paragraph.new_label])))
    return f"{paragraph.fate} {labels}".strip()


def _name(side: Side) -> str:
    return f"{side.reference or side.title}" + (
        f" (version {side.version})" if side.version > 1 else ""
    )
