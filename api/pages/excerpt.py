"""A document's text and a place in it in, the part around the place out, cut where paragraphs end."""

import re
from dataclasses import dataclass
from itertools import pairwise

from ingest.document import Kind, Page, Section

_AROUND = 4000  # characters before and after
_SLACK = 800  # within which a paragraph is looked for to begin or end at
_BLANK = re.compile(r"\n\s*\n")
_LONGEST_QUOTE = 20_000


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; marked: of the quote; page: the page that begins with it, as printed or counted."""

    text: str
    marked: bool = False
    page: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """start, end: what of the text is shown; before, after: where to read on, None at its ends."""

    pieces: tuple[Piece, ...]
    start: int
    end: int
    before: int | None
    after: int | None


def excerpt(text: str, pages: tuple[Page, ...], at: int, to: int) -> Excerpt:
    """What stands around [at, to), which is marked; nothing is marked where `at == to`."""
    at = max(0, min(at, len(text)))
    to = max(at, min(to, len(text), at + _LONGEST_QUOTE))
    start = _paragraph(text, max(0, at - _AROUND), at)
    end = _paragraph_end(text, min(len(text), to + _AROUND), to)
    begins = {p.start: p.printed or str(p.number) for p in pages if start <= p.start < end}
    cuts = sorted({start, end, at, to, *begins})
    pieces = tuple(Piece(text[a:b], at <= a < to, begins.get(a, "")) for a, b in pairwise(cuts))
    before = max(0, start - _AROUND) if start else None
    after = min(end + _AROUND, len(text)) if end < len(text) else None
    return Excerpt(pieces, start, end, before, after)


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of a document's outline; here: the place shown lies under it."""

    name: str
    depth: int
    start: int
    here: bool


_HEADINGS = 60
_DEPTH = 2
_NO_TEXT = (Kind.FOOTNOTE, Kind.CONTENTS)


def outline(sections: tuple[Section, ...], at: int) -> tuple[Heading, ...]:
    """The headings of a document, two deep where that is not too long to read; () where there is only one."""
    begins: dict[tuple[str, ...], int] = {}
    for section in sections:
        if section.kind not in _NO_TEXT:
            for depth in range(1, min(_DEPTH, len(section.path)) + 1):
                begins.setdefault(section.path[:depth], section.start)
    found = list(begins.items())
    if len(found) > _HEADINGS:
        found = [each for each in found if len(each[0]) == 1][:_HEADINGS]
    last = max((start for _, start in found if start <= at), default=-1)
    named = [Heading(p[-1], len(p), start, start == last) for p, start in found]
    return tuple(named) if len(named) > 1 else ()


def _paragraph(text: str, start: int, at: int) -> int:
    """Where the paragraph after `start` begins, if one does soon and before the place."""
    found = _BLANK.search(text, start, min(start + _SLACK, at)) if start else None
    return found.end() if found else start


def _paragraph_end(text: str, end: int, to: int) -> int:
    """Where the paragraph before `end` ends, if one does soon and after the place."""
    if end == len(text):
        return end
    found = list(_BLANK.finditer(text, max(to, end - _SLACK), end))
    return found[-1].start() if found else end
