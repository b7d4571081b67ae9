"""A comparison in; the rows of a page that shows it side by side out, each with where its two passages stand."""

from collections.abc import Iterator
from dataclasses import dataclass

from api.comparing import ChangedParameter, Compared, ComparedTopic, Paragraph, Passage, Side
from api.pages.answer import address

_ROWS = 250  # paragraphs shown; the page says how many there are
_TOPICS = 40


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a row: runs of (mark, text), mark " " kept, "-" taken out, "+" put in; and where it stands."""

    runs: tuple[tuple[str, str], ...]
    label: str
    page: int | None
    address: str


@dataclass(frozen=True, slots=True)
class Row:
    """A paragraph before and after; None on the side where it does not stand."""

    fate: str
    before: Half | None
    after: Half | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A number that changed, with the sentences that state it."""

    what: str
    before: str
    after: str
    unit: str
    before_quote: Half
    after_quote: Half


@dataclass(frozen=True, slots=True)
class Topic:
    """Two sections on one subject, and what only one of them requires."""

    before: str
    after: str
    only_before: tuple[Half, ...]
    only_after: tuple[Half, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """What the page of a comparison shows. left_out: rows that are not shown."""

    before: Side
    after: Side
    aligned: float
    counts: tuple[tuple[str, int], ...]
    changed: tuple[Changed, ...]
    rows: tuple[Row, ...]
    topics: tuple[Topic, ...]
    left_out: int


def sides(found: Compared, fate: str = "") -> Sides:
    """The comparison as its page shows it. fate: of the paragraphs to show, "" for all."""
    ids = found.before.document_id, found.after.document_id
    parameters = [*found.parameters, *(p for topic in found.topics for p in topic.parameters)]
    topics = [_topic(topic, ids) for topic in found.topics if topic.requirements]
    wanted = () if topics else [p for p in found.paragraphs if fate in ("", p.fate)]
    return Sides(
        before=found.before, after=found.after, aligned=found.aligned,
        counts=tuple((str(fate), count) for fate, count in found.counts.items()),
        changed=tuple(_changed(p, ids) for p in dict.fromkeys(parameters)),
        rows=tuple(_row(paragraph, ids) for paragraph in wanted[:_ROWS]),
        topics=tuple(topics[:_TOPICS]),
        left_out=max(0, len(topics) - _TOPICS if topics else len(wanted) - _ROWS),
    )  # fmt: skip


def _row(paragraph: Paragraph, ids: tuple[str, str]) -> Row:
    before, after = paragraph.before, paragraph.after
    return Row(
        str(paragraph.fate),
        _half(before, ids[0], paragraph.old_label, tuple(_runs(paragraph, "-"))) if before else None,
        _half(after, ids[1], paragraph.new_label, tuple(_runs(paragraph, "+"))) if after else None,
    )  # fmt: skip


def _runs(paragraph: Paragraph, mark: str) -> Iterator[tuple[str, str]]:
    """Of one side: what is kept, and what is marked on it."""
    if paragraph.words:
        yield from ((w.mark, w.text) for w in paragraph.words if w.mark in (" ", mark))
        return
    passage = paragraph.before if mark == "-" else paragraph.after
    alone = paragraph.before is None or paragraph.after is None
    if passage:
        yield (mark if alone else " "), passage.quote


def _changed(p: ChangedParameter, ids: tuple[str, str]) -> Changed:
    return Changed(
        what=f"{p.kind} ({p.role})" if p.role and p.role != p.kind else p.kind, before=p.before, after=p.after, unit=p.unit,
        before_quote=_found(p.before_quote, ids[0], "-", p.before), after_quote=_found(p.after_quote, ids[1], "+", p.after),
    )  # fmt: skip


def _found(passage: Passage, id: str, mark: str, value: str) -> Half:
    """A quote in which the value is marked."""
    head, found, tail = passage.quote.partition(value)
    runs = ((" ", head), (mark, found), (" ", tail)) if found else ((" ", head),)
    return _half(passage, id, "", tuple(run for run in runs if run[1]))


def _topic(topic: ComparedTopic, ids: tuple[str, str]) -> Topic:
    def only(side: str, id: str) -> tuple[Half, ...]:
        of_side = [r.passage for r in topic.requirements if r.side == side]
        return tuple(_half(p, id, "", ((" ", p.quote),)) for p in of_side)

    return Topic(topic.before, topic.after, only("before", ids[0]), only("after", ids[1]))


def _half(passage: Passage, id: str, label: str, runs: tuple[tuple[str, str], ...]) -> Half:
    return Half(runs, label, passage.page, address(id, passage.start, passage.end))
