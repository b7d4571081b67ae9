"""Paragraphs in reading order in; one Document with its text, sections, pages and anchored footnotes out.

Parsers of marked-up formats hand over paragraphs in which a footnote call or a page break is one placeholder character
(NOTE, PAGE), with its label beside; the placeholders leave the text here and become offsets.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingest.document import Document, Kind, Metadata, Page, Section

# Unicode noncharacters: never valid in interchanged text, so no source can mean anything by them.
NOTE = "\ufdd0"
PAGE = "\ufdd1"

_MARK = re.compile(f"[{NOTE}{PAGE}]")
_SPACE_BEFORE_MARK = re.compile(f" +(?=[{NOTE}{PAGE}]+(?:[ .,;:)\\]]|$))", re.MULTILINE)
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufdd2-\ufdef\ufffe\uffff]")


def clean(text: str) -> str:
    """One paragraph's text: NFC, every run of white space one plain space, soft hyphens and controls gone.

    NOTE and PAGE stay. Use `unmarked` first on text that a source wrote.
    """
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    if _UNSEEN.search(text):
        text = " ".join(_UNSEEN.sub("", text).split())
    return unicodedata.normalize("NFC", text)


def unmarked(text: str) -> str:
    """The text without the two placeholder characters, should a source contain them."""
    return _MARK.sub("", text) if NOTE in text or PAGE in text else text


@dataclass(slots=True)
class _Open:
    """A section while it grows."""

    start: int
    end: int
    path: tuple[str, ...]
    kind: Kind
    label: str | None
    anchor: int | None = None


@dataclass(slots=True)
class _Note:
    label: str
    text: str
    path: tuple[str, ...]
    anchor: int | None


class Writer:
    """Collects paragraphs; consecutive ones with the same path, kind and label become one section."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._sections: list[_Open] = []
        self._pages: list[tuple[int, str | None]] = []
        self._calls: dict[str, int] = {}
        self._notes: list[_Note] = []
        self._turn: tuple[str | None] | None = None  # a page begins with whatever comes next

    @property
    def empty(self) -> bool:
        """Nothing was written yet."""
        return not self._parts and not self._notes

    @property
    def length(self) -> int:
        """Characters written so far; where the next paragraph begins is two more."""
        return self._length

    def add(
        self,
        text: str,
        marks: Sequence[str] = (),
        *,
        path: tuple[str, ...] = (),
        kind: Kind = Kind.BODY,
        label: str | None = None,
    ) -> tuple[int, int]:
        """Write one paragraph (cleaned; NOTE and PAGE stand for `marks`, in order); its offsets in the final text."""
        if self._notes and self._notes[0].path != path:
            self._write_notes()
        plain, places = _without_marks(text, marks)
        if not plain:
            start = self._length + (2 if self._parts else 0)
            self._place(places, start)
            return start, start
        start = self._append(plain)
        self._place(places, start)
        self._extend(start, path, kind, label)
        return start, self._length

    def note(
        self, label: str, text: str, marks: Sequence[str] = (), *, at_once: bool = False
    ) -> None:
        """Keep a footnote until its section ends (`at_once`: write it here); its anchor is the last call of `label`."""
        plain, places = _without_marks(text, marks)
        for _, mark, name in places:
            if mark == PAGE:
                # The note is moved behind the text that follows it, but the page turned here.
                self.page(name or None)
        path = self._sections[-1].path if self._sections else ()
        if plain:
            self._notes.append(_Note(label, plain, path, self._calls.pop(label, None)))
        if at_once:
            self._write_notes()

    def retitle(self, before: tuple[str, ...], path: tuple[str, ...]) -> None:
        """The section being written has a longer heading than was known when it began."""
        if self._sections and self._sections[-1].path == before:
            self._sections[-1].path = path

    def include(self, document: Document, path: tuple[str, ...] = ()) -> None:
        """Write a whole parsed document with its headings under `path`; its later pages become pages here.

        Its first page is whatever page the writer is on: say `page` before what is to stand at its top.
        """
        if not document.text:
            return
        self._write_notes()
        base = self._append(document.text)
        self._pages.extend(
            (base + page.start, page.printed) for page in document.pages if page.start
        )
        for section in document.sections:
            start, end = base + section.start, base + section.end
            anchor = None if section.anchor is None else base + section.anchor
            self._sections.append(
                _Open(start, end, path + section.path, section.kind, section.label, anchor)
            )

    def page(self, printed: str | None) -> None:
        """The next paragraph begins a new page."""
        self._turn = (printed,)

    def finish(
        self,
        form: str,
        metadata: Metadata,
        warnings: Iterable[str] = (),
        first_page: str | None = None,
    ) -> Document:
        """The document. first_page: the printed number of what precedes the first page break, if it is known."""
        self._write_notes()
        sections = tuple(
            Section(s.start, s.end, s.path, s.kind, s.label, s.anchor) for s in self._sections
        )
        return Document(
            text="".join(self._parts),
            format=form,
            sections=sections,
            pages=self._spans(first_page),
            metadata=metadata,
            warnings=tuple(warnings),
        )

    def _append(self, text: str) -> int:
        if self._parts:
            self._parts.append("\n\n")
            self._length += 2
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        if self._turn is not None:
            self._pages.append((start, self._turn[0]))
            self._turn = None
        return start

    def _place(self, places: list[tuple[int, str, str]], start: int) -> None:
        for offset, mark, name in places:
            if mark == NOTE:
                self._calls[name] = start + offset
            elif start + offset >= self._length:
                self.page(name or None)
            else:
                self._pages.append((start + offset, name or None))

    def _extend(self, start: int, path: tuple[str, ...], kind: Kind, label: str | None) -> None:
        last = self._sections[-1] if self._sections else None
        same = last is not None and (last.path, last.kind, last.label) == (path, kind, label)
        if last is not None and same and kind not in (Kind.TABLE, Kind.FOOTNOTE):
            last.end = self._length
        else:
            self._sections.append(_Open(start, self._length, path, kind, label))

    def _write_notes(self) -> None:
        waiting, self._notes = self._notes, []
        turn, self._turn = self._turn, None
        for note in waiting:
            start = self._append(note.text)
            self._sections.append(
                _Open(start, self._length, note.path, Kind.FOOTNOTE, note.label, note.anchor)
            )
        self._turn = turn

    def _spans(self, first_page: str | None) -> tuple[Page, ...]:
        if not self._pages:
            return (Page(1, 0, self._length, first_page),) if first_page and self._length else ()
        starts = [(max(0, min(at, self._length)), printed) for at, printed in self._pages]
        if starts[0][0] > 0:
            starts.insert(0, (0, first_page or _page_before(starts[0][1])))
        ends = [at for at, _ in starts[1:]] + [self._length]
        spans = [
            (at, end, printed) for (at, printed), end in zip(starts, ends, strict=True) if end > at
        ]
        return tuple(
            Page(number, at, end, printed) for number, (at, end, printed) in enumerate(spans, 1)
        )


def _page_before(printed: str | None) -> str | None:
    """Every break inside a document is marked, so what precedes the first one is the page before it."""
    return str(int(printed) - 1) if printed and printed.isdecimal() and int(printed) > 1 else None


def _without_marks(text: str, marks: Sequence[str]) -> tuple[str, list[tuple[int, str, str]]]:
    """The text without placeholders, and (offset, NOTE or PAGE, name) for each of them."""
    if not marks:
        return unmarked(text), []
    text = _SPACE_BEFORE_MARK.sub("", text)
    pieces: list[str] = []
    places: list[tuple[int, str, str]] = []
    length = last = 0
    for found, name in zip(_MARK.finditer(text), marks, strict=False):
        piece = text[last : found.start()]
        pieces.append(piece)
        length += len(piece)
        last = found.end()
        # A page begins with its first word, not with the blank before it.
        blank = found.group() == PAGE and text[last : last + 1] == " "
        places.append((length + blank, found.group(), name))
    pieces.append(unmarked(text[last:]))
    joined = "".join(pieces)
    lead = len(joined) - len(joined.lstrip())
    plain = joined.strip()
    return plain, [(min(max(at - lead, 0), len(plain)), mark, name) for at, mark, name in places]
