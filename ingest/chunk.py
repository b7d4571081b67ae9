"""A document in, passages to be found out: structure first, sentences whole, none larger than the embedder reads. Pure.

A chunk lies inside one section. Of all ways to cut a section between its sentences the cheapest is taken: few chunks, none
tiny, cut rather between paragraphs than inside one, never right after a heading. A sentence is cut only when it alone is
over the budget, then at clauses, else at words. Tables are cut between rows; a row is never cut, however long.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pydantic import BaseModel, Field

from ingest.document import Chunk, Document, Kind, Section
from ingest.sentences import Span, paragraphs, rows, sentences

CountTokens = Callable[[str], int]

SEPARATOR = " › "

_CLAUSE_ENDS = (re.compile(r"[;:—]\s+"), re.compile(r",\s+"))
_WORD = re.compile(r"\w+")
_LONG_ENOUGH = 60  # characters that are never a bare heading's left-over
_HEADER_LENGTH = 200  # characters of a table's head repeated for its later parts


class ChunkSettings(BaseModel, frozen=True, extra="forbid"):
    """How documents are cut. Two settings never share an index: `fingerprint` names it."""

    tokens: int = Field(
        default=200, ge=16, description="Most tokens in a chunk, its context not counted."
    )
    least_words: int = Field(
        default=4,
        ge=1,
        description="A section with fewer words besides its heading is not indexed.",
    )
    version: int = Field(default=1, description="Raised when the way of cutting changes.")

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits of these settings."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:12]


DEFAULT = ChunkSettings()


def chunk(
    document: Document, count_tokens: CountTokens, settings: ChunkSettings = DEFAULT
) -> list[Chunk]:
    """The chunks of a document, in order and without overlap; contents and bare headings give none.

    count_tokens: tokens of a text, as the embedder counts them; assumed to add up over parts divided at white space.
    """
    chunks: list[Chunk] = []
    starts = [page.start for page in document.pages]
    for number, section in enumerate(document.sections):
        if not is_chunkable(document.text, section, settings):
            continue
        path = context(section)
        head = _table_head(document.text, section)
        for place, (start, end) in enumerate(_cut(document.text, section, count_tokens, settings)):
            page = bisect_right(starts, start) - 1
            chunks.append(
                Chunk(
                    ordinal=len(chunks),
                    start=start,
                    end=end,
                    section=number,
                    context=SEPARATOR.join(filter(None, (path, head if place else ""))),
                    kind=section.kind,
                    label=section.label,
                    page=document.pages[page].number if page >= 0 else None,
                )
            )
    return chunks


def context(section: Section) -> str:
    """Heading path and label in words: "III. Access Rule › B. Limitation on Fees › (c)(1)"."""
    path = list(section.path)
    last = path[-1].lower() if path else ""
    if section.label and not last.startswith(section.label.lower()):
        path.append(f"note {section.label}" if section.kind is Kind.FOOTNOTE else section.label)
    return SEPARATOR.join(path)


def is_chunkable(text: str, section: Section, settings: ChunkSettings) -> bool:
    """Whether a section says anything besides its heading. Rule text does with a single word: "(2) Bonds;" is law."""
    if section.kind is Kind.CONTENTS:
        return False
    said = text[section.start : section.end]
    for heading in section.path:
        if said.startswith(heading):
            said = said[len(heading) :].lstrip()
    said = said.removeprefix(section.label or "")
    least = 1 if section.kind in (Kind.RULE_TEXT, Kind.TABLE) else settings.least_words
    # Not every script puts spaces between its words.
    return len(_WORD.findall(said)) >= least or len(said) >= _LONG_ENOUGH


@dataclass(frozen=True, slots=True)
class _Atom:
    """What is not cut further. cost: of a cut after it."""

    start: int
    end: int
    tokens: int
    cost: float


# In units of one more chunk. An empty chunk costs one unit more than a full one, which is what keeps chunks even.
_BETWEEN_PARAGRAPHS, _IN_PARAGRAPH, _AT_CLAUSE, _AT_WORD, _AFTER_HEADING = 0.0, 0.4, 1.0, 2.0, 3.0


def _cut(
    text: str, section: Section, count_tokens: CountTokens, settings: ChunkSettings
) -> list[Span]:
    if section.kind is Kind.TABLE:
        atoms = _row_atoms(text, section, count_tokens)
    else:
        atoms = list(_prose_atoms(text, section, count_tokens, settings.tokens))
    return [
        (atoms[first].start, atoms[last - 1].end)
        for first, last in _cheapest(atoms, settings.tokens)
    ]


def _row_atoms(text: str, section: Section, count_tokens: CountTokens) -> list[_Atom]:
    spans = rows(text[section.start : section.end], section.start)
    return [
        _Atom(start, end, _count(text, start, end, count_tokens), _BETWEEN_PARAGRAPHS)
        for start, end in spans
    ]


def _prose_atoms(
    text: str, section: Section, count_tokens: CountTokens, budget: int
) -> Iterator[_Atom]:
    headings = {*section.path, section.label}
    for begin, finish in paragraphs(text[section.start : section.end], section.start):
        inside = sentences(text[begin:finish], begin)
        after = _AFTER_HEADING if text[begin:finish] in headings else _BETWEEN_PARAGRAPHS
        for start, end in inside:
            cost = after if end == finish else _IN_PARAGRAPH
            tokens = _count(text, start, end, count_tokens)
            if tokens <= budget:
                yield _Atom(start, end, tokens, cost)
            else:
                yield from _sentence_atoms(text, (start, end), budget, cost, count_tokens)


def _sentence_atoms(
    text: str, sentence: Span, budget: int, cost: float, count_tokens: CountTokens
) -> Iterator[_Atom]:
    """Parts of an overlong sentence, each within the budget: its clauses, or pieces of those."""
    clauses = [sentence]
    for divider in _CLAUSE_ENDS:
        clauses = [
            part
            for start, end in clauses
            for part in (
                _divide(text, start, end, divider)
                if _count(text, start, end, count_tokens) > budget
                else [(start, end)]
            )
        ]
    for clause in clauses:
        for start, end in _pieces(text, clause, budget, count_tokens):
            after = cost if end == sentence[1] else _AT_CLAUSE if end == clause[1] else _AT_WORD
            yield _Atom(start, end, _count(text, start, end, count_tokens), after)


def _divide(text: str, start: int, end: int, divider: re.Pattern[str]) -> Iterator[Span]:
    for match in divider.finditer(text, start, end):
        yield start, match.start() + 1
        start = match.end()
    if start < end:
        yield start, end


def _pieces(text: str, span: Span, budget: int, count_tokens: CountTokens) -> Iterator[Span]:
    """Halves at the white space nearest the middle (without any: at the middle), until each is within the budget."""
    start, end = span
    if end - start < 2 or _count(text, start, end, count_tokens) <= budget:
        yield span
        return
    middle = (start + end) // 2
    before, after = text.rfind(" ", start, middle), text.find(" ", middle, end)
    spaces = [at for at in (before, after) if at > start]
    cut = min(spaces, key=lambda at: abs(at - middle), default=middle)
    yield from _pieces(text, (start, cut), budget, count_tokens)
    yield from _pieces(text, (cut + (text[cut] == " "), end), budget, count_tokens)


def _count(text: str, start: int, end: int, count_tokens: CountTokens) -> int:
    return max(
        1, count_tokens(text[start:end])
    )  # nothing is free: what a tokenizer drops has length too


def _cheapest(atoms: Sequence[_Atom], budget: int) -> list[tuple[int, int]]:
    """The cheapest division into runs within the budget, as half-open ranges of atoms; an atom over the budget stands alone.

    The usual shortest-path recurrence: the best way to cut the first n atoms ends with some last run.
    """
    best: list[tuple[float, int]] = [(0.0, 0)]
    for last in range(1, len(atoms) + 1):
        options: list[tuple[float, int]] = []
        tokens = 0
        for first in range(last - 1, -1, -1):
            tokens += atoms[first].tokens
            if tokens > budget and first < last - 1:
                break
            slack = max(0.0, 1 - tokens / budget)
            options.append((best[first][0] + 1 + slack * slack, first))
        cost, first = min(options)
        best.append((cost + (atoms[last - 1].cost if last < len(atoms) else 0.0), first))
    runs: list[tuple[int, int]] = []
    last = len(atoms)
    while last:
        runs.append((best[last][1], last))
        last = best[last][1]
    return runs[::-1]


def _table_head(text: str, section: Section) -> str:
    """The first row, and the second where the first is a caption, for parts of a table that would stand without it."""
    if section.kind is not Kind.TABLE:
        return ""
    lines = [text[a:b] for a, b in rows(text[section.start : section.end], section.start)[:2]]
    wanted = lines[:1] if lines and " | " in lines[0] else lines
    return SEPARATOR.join(wanted)[:_HEADER_LENGTH]
