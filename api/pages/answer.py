"""An answer as JSON forms and the catalog in; what the page shows of it, and what its reader copies or exports, out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from urllib.parse import quote as percent

from agent.reply import Reason
from api import rules
from api.schemas import Answer, Brief, BriefLine, Citation, RuleStatus, Sentence, Step, Tone, Turn
from ingest.catalog import Catalog
from ingest.document import Authority, page_at
from ingest.errors import NotKnown
from ingest.moment import civil_day, end_of_day
from ingest.rules.cite import place_of
from ingest.rules.held import Book

_NEAREST = 4  # passages shown under a refusal
_EXCERPT = 320  # characters of one
# What a person calls a step of the flow.
STEPS = {
    "rules": "Which rules, as of when",
    "retrieve": "Passages found",
    "weigh": "Sentences weighed",
    "brief": "Brief of the change",
    "draft": "Wording drafted and checked",
    "news": "What news says",
}
_PARTS = (
    ("changes", "What changes"),
    ("whom", "For whom"),
    ("dates", "From when"),
    ("effects", "Effects on the market"),
    ("open", "Left open"),
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A citation as a card. cited: how counsel cites it; page: as printed, else counted, "" where there are none; worth: why it
    was not simply in force, "" where nothing says so.
    """

    number: int
    title: str
    cited: str
    section: str
    page: str
    label: str
    worth: str
    secondary: bool
    known: date
    text: str
    address: str


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive sentences whose quotes are worth the same. worth: "" where they were simply in force, or nothing is known."""

    worth: str
    secondary: bool
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Near:
    """A passage that came nearest where nothing answers."""

    title: str
    place: str
    text: str
    address: str


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as its page shows it.

    asked_as  the question that was answered, where it left part of it to earlier turns
    as_of     the day asked as of, None for the day it was asked; told: that day, None for today
    about     the day asked about, where the question names another; asked_by: its words for that
    degraded  why a model did not draft it though one was to
    address   of the turn of a conversation that it is
    """

    question: str
    asked_as: str
    as_of: date | None
    told: date | None
    about: date | None
    asked_by: str
    news: tuple[Tone, ...]
    blocks: tuple[Block, ...]
    quotes: tuple[Quote, ...]
    documents: int
    rules: tuple[RuleStatus, ...]
    parts: tuple[tuple[str, tuple[BriefLine, ...]], ...]
    brief: Brief | None
    status: tuple[str, ...]
    not_found: tuple[str, ...]
    refusal: str
    advice: tuple[str, ...]
    near: tuple[Near, ...]
    steps: tuple[tuple[str, Step], ...]
    milliseconds: float
    degraded: str
    drafter: str
    text: str
    markdown: str
    address: str


def shown(catalog: Catalog, turn: Turn, today: date) -> Shown:
    """What a person is shown of a turn. Its quotes are cited as was possible at the answer's own moment."""
    answer = turn.answer
    day = civil_day(answer.as_of)
    as_of = day if turn.as_of else None
    quotes = tuple(_quotes(catalog, rules.book_of(catalog), answer, as_of))
    return Shown(
        question=turn.question,
        asked_as=turn.asked_as,
        as_of=as_of,
        told=day if day != today and not as_of else None,
        about=answer.on if answer.on != day else None,
        asked_by=answer.asked_by,
        news=answer.news,
        blocks=tuple(_blocks(answer)),
        quotes=quotes,
        documents=len({c.document_id for c in answer.citations}),
        rules=answer.rules,
        parts=tuple(_parts(answer.brief)),
        brief=answer.brief,
        status=answer.status,
        not_found=tuple(answer.not_found),
        refusal=answer.refusal.text if answer.refusal else "",
        advice=tuple(_advice(answer, as_of)),
        near=tuple(_near(answer, as_of)) if answer.refusal else (),
        steps=tuple((STEPS.get(step.name, step.name), step) for step in answer.steps),
        milliseconds=sum(step.milliseconds for step in answer.steps),
        degraded=answer.degraded,
        drafter=answer.drafter,
        text=_as_text(answer, quotes),
        markdown=_as_markdown(answer, quotes),
        address=f"/threads/{answer.thread}/{answer.turn}",
    )


def address(document: str, start: int, end: int, as_of: date | None = None) -> str:
    """Where a place in a document is shown, marked."""
    then = f"&as_of={as_of}" if as_of else ""
    return f"/documents/{percent(document, safe='')}?at={start}&to={end}{then}#quote"


def _quotes(catalog: Catalog, book: Book, answer: Answer, as_of: date | None) -> Iterator[Quote]:
    for c in answer.citations:
        cited, page = c.reference or c.title, str(c.page or "")
        try:
            held = catalog.document(c.document_id)
            _, sections, pages = catalog.body(held.id)
            cited = book.cite(held, answer.as_of, place_of(pages, sections, c.start)).short
            on = page_at(pages, c.start)
            page = (on.printed or str(on.number)) if on else ""
        except NotKnown:
            pass  # of an answer that is older than the home: its own words say enough
        yield Quote(
            number=c.number, title=c.title, cited=cited, section=_under(c), page=page,
            label=f"{c.speaker} · {c.stage}", worth=c.force, secondary=c.authority is Authority.SECONDARY,
            known=civil_day(c.known_at), text=c.quote, address=address(c.document_id, c.start, c.end, as_of),
        )  # fmt: skip


def _under(citation: Citation) -> str:
    """The headings that a quote stands under, without the document's own title."""
    path = citation.section.split(" › ")
    return " › ".join(path[1:] if path[0] == citation.title else path)


def _blocks(answer: Answer) -> Iterator[Block]:
    by_number = {c.number: c for c in answer.citations}

    def worth(sentence: Sentence) -> tuple[str, bool]:
        cited: list[Citation] = [by_number[n] for n in sentence.citations]
        said = dict.fromkeys(c.force for c in cited if c.force)
        return "; ".join(said), all(c.authority is Authority.SECONDARY for c in cited)

    for (force, secondary), alike in groupby(answer.sentences, worth):
        yield Block(force, secondary, tuple(alike))


def _parts(brief: Brief | None) -> Iterator[tuple[str, tuple[BriefLine, ...]]]:
    if brief:
        for name, heading in _PARTS:
            yield heading, getattr(brief, name)


def _advice(answer: Answer, as_of: date | None) -> Iterator[str]:
    """What to try, by the reason of the refusal."""
    if not answer.refusal:
        return
    if answer.refusal.reason is Reason.NOTHING_HELD:
        yield "Ask as of a later day, or with fewer filters: no document known by then matches."
        yield "See under Documents what is held; what is missing can be brought in."
        return
    if answer.refusal.reason is Reason.NOT_SUPPORTED:
        yield "Ask for one thing at a time: a number, a date, a rule."
    yield "Name the rule, the release or the company, and use the documents' own words."
    if as_of:
        yield "Ask as of today: what was not known then may be known now."
    yield "Read the passages that came nearest; none of them answers the question by itself."


def _near(answer: Answer, as_of: date | None) -> Iterator[Near]:
    for passage in answer.passages[:_NEAREST]:
        page = f"page {passage.page}" if passage.page is not None else ""
        heading = passage.section.rpartition(" › ")[2]
        words = " ".join((passage.text.removeprefix(heading) if heading else passage.text).split())
        cut = words[:_EXCERPT].rsplit(" ", 1)[0] + " …" if len(words) > _EXCERPT else words
        yield Near(
            title=passage.title,
            place=" · ".join(filter(None, [passage.reference, passage.section, page])),
            text=cut,
            address=address(passage.document_id, passage.start, passage.end, as_of),
        )


# ---- what is copied


def _as_text(answer: Answer, quotes: Iterable[Quote]) -> str:
    """Plain: the sentences with [n], then the sources."""
    lines = [answer.question, "", *_news(answer), *_sentences(answer), "", *_status(answer)]
    lines += [f"[{q.number}] {_source(q)}: “{_one_line(q.text)}”" for q in quotes]
    return "\n".join([*lines, "", _caution(answer)]) + "\n"


def _as_markdown(answer: Answer, quotes: Iterable[Quote]) -> str:
    """The same with footnotes."""
    lines = [f"**{_escaped(answer.question)}**", ""]
    lines += [_escaped(line) for line in _news(answer)]
    for sentence in _sentences(answer, mark="[^{}]", escape=True):
        lines += [sentence, ""]
    lines += [f"*{_escaped(line)}*" for line in _status(answer)]
    lines += [
        f"[^{q.number}]: {_escaped(_source(q))}: “{_escaped(_one_line(q.text))}”" for q in quotes
    ]
    return "\n".join([*lines, "", _escaped(_caution(answer))]) + "\n"


def _sentences(answer: Answer, mark: str = "[{}]", *, escape: bool = False) -> Iterator[str]:
    if answer.refusal:
        yield answer.refusal.text
    force = {c.number: c.force for c in answer.citations}
    for s in answer.sentences:
        words = f"“{s.text}”" if s.verbatim else s.text
        said = f"{s.lead_in} {words}".strip()
        worth = "; ".join(dict.fromkeys(force[n] for n in s.citations if force.get(n)))
        marks = "".join(mark.format(n) for n in s.citations)
        told = f" ({worth})" if worth else ""
        yield (_escaped(said) if escape else said) + f" {marks}" + told


def _news(answer: Answer) -> Iterator[str]:
    """Numbers and headlines of the news log, which are no quotes."""
    for tone in answer.news:
        mean = "no mean sentiment" if tone.mean is None else f"mean sentiment {tone.mean:+.2f}"
        some = "" if tone.all_items else "the newest "
        told = f"{some}{tone.items} scored items {tone.since_what}"
        yield f"News of {tone.symbol}: {mean} of {told} (log offset {tone.receipt['offset']})"
        for line in tone.headlines:
            yield f"- {line.sentiment:+.2f} {_one_line(line.words)} ({line.source}, {_moment(line.known_at)})"
        yield ""


def _status(answer: Answer) -> list[str]:
    lines = [rule.says for rule in answer.rules]
    return [*lines, *answer.status, ""] if lines or answer.status else []


def _source(q: Quote) -> str:
    page = f"page {q.page}" if q.page and q.page not in q.cited else ""
    secondary = "secondary source" if q.secondary and "secondary" not in q.cited else ""
    return ", ".join(filter(None, [q.cited, q.section, page, q.label, q.worth, secondary]))


def _caution(answer: Answer) -> str:
    rests = "; every sentence rests on the quotes above" if answer.sentences else ""
    return f"As of {_moment(answer.as_of)}{rests}. Not legal advice."


def _moment(moment: datetime) -> str:
    day = civil_day(moment)
    return str(day) if moment == end_of_day(day) else f"{moment:%Y-%m-%d %H:%M} UTC"


def _one_line(words: str) -> str:
    return " ".join(words.split())


def _escaped(words: str) -> str:
    """Words of a document as words in Markdown, too."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in words)
