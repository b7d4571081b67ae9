"""PDF bytes in, one Document with pages, headings, tables and anchored footnotes out.

pdfium reads the text with its positions (see glyphs, layout, tables, headings, blocks, each one step further); pypdf, ten
to a hundred times slower, is opened only for files that pdfium refuses.
"""

import io
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

import pypdfium2  # type: ignore[import-untyped]

from ingest.document import PROPERTIES, Document, Kind, Metadata, Page, Section, Where
from ingest.errors import OverBudget, Unreadable
from ingest.parse.blocks import (
    TURN,
    TURN_END,
    Block,
    Shape,
    Titles,
    Words,
    blocks_of,
    fold,
    note_blocks,
    split_notes,
    style_of,
)
from ingest.parse.glyphs import Sheet, read_sheet
from ingest.parse.headings import Ladder
from ingest.parse.layout import CALL, CALL_END, PageRows, drop_running_heads, lines_of, rows_of
from ingest.parse.tables import find_tables

MAX_PAGES = (
    50_000  # more than any document we know of; a page tree can name millions in a few bytes
)
_MARK = re.compile(f" ?{CALL}([^{CALL_END}]*){CALL_END}|{TURN}(\\d+){TURN_END}")
_SPACES = re.compile(r"[^\S\n]+")
_FILE_NAME = re.compile(
    r"\.\w{2,4}$|^microsoft word|^untitled|^document\d*$|[_/\\\\]", re.IGNORECASE
)
_PAGE_NUMBER = re.compile(r"(?:[A-Z]{1,2}-)?\d{1,4}|[ivxl]{1,6}")
_COMBINING = {
    "ˆ": "\u0302",
    "˜": "\u0303",
    "¨": "\u0308",
    "´": "\u0301",
    "¸": "\u0327",
    "ˇ": "\u030c",
}
_ACCENT = re.compile(
    "([A-Za-z])([ˆ˜¨´¸ˇ])(?=[a-z])"
)  # an accent that the typesetter put over the letter
_RULE = re.compile(r"[_\-=—–.*\s]{4,}")  # a line drawn with characters
_OBJECT = re.compile(rb"(\d{1,8})\s+\d{1,5}\s+obj\b(.{0,2000}?)(?=endobj|stream)", re.DOTALL)
_RAISED = str.maketrans("0123456789()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁽⁾")


def parse(data: bytes, name: str) -> Document:
    """One PDF as a Document of format "pdf".

    Raises Unreadable: "empty", "encrypted" (a password is needed to open it), "truncated" or "damaged" (no page can be
    read), "no-text" (only images); OverBudget("pages"). What could be saved of a damaged file comes with a warning.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable("empty", f"{name} is empty", "fetch it again")
    try:
        pdf = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        whole = _with_trailer(data)
        if whole is None:
            return _without_pdfium(data, name, error)
        try:
            pdf = pypdfium2.PdfDocument(whole)
        except pypdfium2.PdfiumError as again:
            return _without_pdfium(data, name, again)
    try:
        return _parse(pdf, data, name)
    finally:
        pdf.close()


def _parse(pdf: pypdfium2.PdfDocument, data: bytes, name: str) -> Document:
    if len(pdf) > MAX_PAGES:
        message = f"{name} has {len(pdf):,} pages; the limit is {MAX_PAGES:,}"
        raise OverBudget("pages", message, "split the file")
    warnings = []
    sheets, broken = _sheets(pdf)
    if _is_cut_off(data):
        warnings.append(
            f"the file is cut off at its end; {len(sheets) - len(broken)} pages could be read"
        )
    elif broken:
        warnings.append(f"damaged pages left out: {_some(broken)}")
    empty = [
        number for number, sheet in enumerate(sheets, 1) if not sheet.runs and number not in broken
    ]
    if len(empty) + len(broken) == len(sheets):
        raise _no_text(name, len(sheets), data)
    if empty:
        warnings.append(f"pages without text (images or blank): {_some(empty)}")
    pages = [rows_of(sheet) for sheet in sheets]
    drop_running_heads(pages)
    return _document(pages, _titles(pdf), _title(pdf.get_metadata_value("Title")), warnings)


def _sheets(pdf: pypdfium2.PdfDocument) -> tuple[list[Sheet], list[int]]:
    """Every page's runs, and the numbers of pages that cannot be read."""
    sheets, broken = [], []
    for index in range(len(pdf)):
        try:
            page = pdf[index]
            try:
                sheets.append(read_sheet(page))
            finally:
                page.close()
        except pypdfium2.PdfiumError:
            sheets.append(Sheet(612.0, 792.0, []))
            broken.append(index + 1)
    return sheets, broken


def _is_cut_off(data: bytes) -> bool:
    return b"%%EOF" not in data[-2048:] and b"startxref" not in data[-2048:]


def _with_trailer(data: bytes) -> bytes | None:
    """A file whose end is missing, with a catalog and a trailer after what is there; None if it holds no page.

    pdfium finds the objects of a file by itself, but not where to begin.
    """
    if not _is_cut_off(data) or b"/Encrypt" in data:
        return None
    objects = {int(m[1]): m[2] for m in _OBJECT.finditer(data)}
    pages = [number for number, body in objects.items() if re.search(rb"/Type\s*/Page\b", body)]
    if not pages:
        return None
    last = max(objects) + 1
    kids = b" ".join(b"%d 0 R" % number for number in pages)
    complete = data[: data.rfind(b"endobj") + len(b"endobj")]
    return complete + (
        b"\n%d 0 obj\n<< /Type /Pages /Kids [%s] /Count %d >>\nendobj\n"
        b"%d 0 obj\n<< /Type /Catalog /Pages %d 0 R >>\nendobj\n"
        b"trailer\n<< /Root %d 0 R /Size %d >>\nstartxref\n0\n%%%%EOF\n"
        % (last, kids, len(pages), last + 1, last, last + 1, last + 2)
    )


def _some(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return ", ".join(map(str, numbers[:10])) + more


def _no_text(name: str, pages: int, data: bytes) -> Unreadable:
    if pages == 0 or _is_cut_off(data):
        reason = "truncated" if _is_cut_off(data) else "damaged"
        return Unreadable(
            reason,
            f"no page of {name} can be read",
            "fetch it again, or open and save it anew elsewhere",
        )
    hint = "run OCR on it (for example ocrmypdf) and ingest the result"
    return Unreadable(
        "no-text", f"no text on any page of {name} ({pages}); they are images or blank", hint
    )


def _titles(pdf: pypdfium2.PdfDocument) -> Titles:
    """The outline's titles by the page they lead to."""
    titles: Titles = {}
    for bookmark in islice(pdf.get_toc(max_depth=8), 5000):
        target = bookmark.get_dest()
        index = target.get_index() if target else None
        if index is not None:
            titles.setdefault(index, set()).add(fold(bookmark.get_title()))
    return titles


def _title(title: str) -> str | None:
    """The title in the file's own properties, where it reads like one and not like a file name."""
    title = _clean(title).strip()
    words = title.split()
    sensible = 2 <= len(words) <= 40 and len(title) <= 250 and any(map(str.isalpha, title))
    return title if sensible and not _FILE_NAME.search(title) else None


# --- without pdfium -------------------------------------------------------------------------------------------------


def _without_pdfium(data: bytes, name: str, error: pypdfium2.PdfiumError) -> Document:
    """What pypdf can read of a file that pdfium refuses; no layout, paragraphs as pypdf gives them."""
    import pypdf
    import pypdf.errors

    cut_off = _is_cut_off(data)
    if b"%PDF-" not in data[:2048]:
        raise Unreadable(
            "unknown-format", f"{name} is not a PDF file", "check what the file is"
        ) from error
    pages: list[tuple[str, str | None]] = []
    broken = 0
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            hint = "save a copy without the password and ingest that"
            raise Unreadable("encrypted", f"{name} needs a password to be opened", hint)
        for page in islice(reader.pages, MAX_PAGES):
            try:
                pages.append((page.extract_text(), None))
            except (
                pypdf.errors.PyPdfError,
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                IndexError,
                RecursionError,
            ):
                pages.append(("", None))
                broken += 1
    except (
        pypdf.errors.PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        OSError,
    ) as worse:
        if isinstance(worse, Unreadable):
            raise
        raise _no_text(name, 0, data) from worse
    if not any(text.strip() for text, _ in pages):
        raise _no_text(name, len(pages), data) from error
    warnings = ["the file is damaged; text was saved without its layout"]
    if cut_off:
        warnings = [
            f"the file is cut off at its end; {len(pages) - broken} pages were saved, without their layout"
        ]
    draft = _Draft()
    for index, (text, _) in enumerate(pages):
        for paragraph in re.split(r"\n\s*\n", text):
            joined = " ".join(paragraph.split())
            if joined:
                draft.write(f"{TURN}{index}{TURN_END}{joined}", index, (), Kind.BODY)
    return draft.finish([None] * len(pages), Metadata(), warnings)


# --- putting the document together ----------------------------------------------------------------------------------


def _document(
    pages: Sequence[PageRows], titles: Titles, title: str | None, warnings: Sequence[str]
) -> Document:
    lines = [
        line
        for number, page in enumerate(pages)
        for line in lines_of(number, page)
        if not _RULE.fullmatch(line.text)
    ]
    style = style_of(lines)
    words = Words([line.text for line in lines])
    body, notes = split_notes(lines, style)
    blocks = blocks_of(find_tables(body), style, words, titles)
    footnotes = note_blocks(notes, words)
    draft = _Draft({(note.label, note.page) for note in footnotes})
    ladder = Ladder()
    contents = _contents(blocks)
    waiting = sorted(footnotes, key=lambda note: note.page)
    for index, block in enumerate(blocks):
        due = bisect_left(
            [note.page for note in waiting],
            block.page if block.last_page == block.page else block.page + 1,
        )
        for note in waiting[:due]:
            draft.note(note, ladder.path)
        del waiting[:due]
        text = f"{TURN}{block.page}{TURN_END}{block.text}"
        if block.level is not None and index not in contents and ladder.climb(block.level):
            draft.cut()
        kind = (
            Kind.CONTENTS
            if index in contents
            else Kind.TABLE
            if block.shape is Shape.TABLE
            else Kind.BODY
        )
        draft.write(text, block.page, ladder.path, kind)
    for note in waiting:
        draft.note(note, ladder.path)
    metadata = Metadata(title=title)
    if title:
        metadata.where["title"] = Where(PROPERTIES)
    return draft.finish([page.printed for page in pages], metadata, warnings)


def _contents(blocks: Sequence[Block]) -> set[int]:
    """Which blocks are a table of contents: rows that end in page numbers which never fall, near the beginning.

    What stands between two such tables belongs to them, as does their title: 'PART I' there opens no section.
    """
    found: list[int] = []
    title: int | None = None
    last_page = max((block.page for block in blocks), default=0)
    for index, block in enumerate(blocks):
        early = block.page <= max(6, last_page // 12)
        if fold(_MARK.sub("", block.text[:80])) in _CONTENTS_TITLES:
            title = index
        near = title is not None and block.page - blocks[title].page <= 3
        if block.shape is Shape.TABLE and (early or near) and _lists_pages(block.text.split("\n")):
            if title is not None and blocks[title].page == block.page and not found:
                found.append(title)
            found.append(index)
    inside = {
        index
        for before, after in pairwise(found)
        if blocks[after].page - blocks[before].page <= 1
        for index in range(before, after)
        if after - before < 40
    }
    return inside | set(found)


def _lists_pages(rows: Sequence[str]) -> bool:
    ends = [row.rsplit(" | ", 1)[-1] for row in rows if " | " in row]
    pages = [int(end) for end in ends if end.isdigit() and len(end) < 5]
    numbered = sum(bool(_PAGE_NUMBER.fullmatch(end)) for end in ends)
    rising = sum(a <= b for a, b in pairwise(pages)) >= 0.9 * (len(pages) - 1)
    return len(ends) >= 4 and numbered >= 0.7 * len(ends) and rising and len(set(pages)) > 2


_CONTENTS_TITLES = {"tableofcontents", "contents", "index", "indextofinancialstatements"}


@dataclass(slots=True)
class _Grown:
    start: int
    end: int
    path: tuple[str, ...]
    kind: Kind
    label: str | None = None
    page: int = 0


class _Draft:
    """Text as it grows, with the sections, page turns and footnote calls found on the way."""

    def __init__(self, notes: set[tuple[str, int]] | None = None) -> None:
        self._notes = notes or set()
        self._parts: list[str] = []
        self._length = 0
        self._sections: list[_Grown] = []
        self._turns: dict[int, int] = {}  # page -> where it begins
        self._calls: list[tuple[str, int, int]] = []  # label, page, offset
        self._cut = False

    def cut(self) -> None:
        """What comes next opens a section."""
        self._cut = True

    def write(
        self, text: str, page: int, path: tuple[str, ...], kind: Kind, label: str | None = None
    ) -> None:
        plain, turns, calls = self._plain(text, page, in_note=kind is Kind.FOOTNOTE)
        if not plain:
            return
        if self._parts:
            self._parts.append("\n\n")
            self._length += 2
        start = self._length
        self._parts.append(plain)
        self._length += len(plain)
        for at, number in turns:
            self._turns.setdefault(number, start + at)
        self._calls += [(name, number, start + at) for name, number, at in calls]
        last = self._sections[-1] if self._sections else None
        grows = kind is Kind.BODY or kind is Kind.CONTENTS
        if last is not None and grows and not self._cut and (last.path, last.kind) == (path, kind):
            last.end = self._length
        else:
            self._sections.append(_Grown(start, self._length, path, kind, label, page))
        self._cut = False

    def note(self, note: Block, path: tuple[str, ...]) -> None:
        """Write a footnote as a section of its own."""
        self.write(note.text, note.page, path, Kind.FOOTNOTE, note.label)
        self._cut = True

    def _plain(
        self, text: str, page: int, *, in_note: bool
    ) -> tuple[str, list[tuple[int, int]], list[tuple[str, int, int]]]:
        """The text without marks, page turns as (offset, page), calls as (label, page, offset)."""
        pieces: list[str] = []
        turns: list[tuple[int, int]] = []
        calls: list[tuple[str, int, int]] = []
        length = last = 0
        for mark in _MARK.finditer(text):
            piece = _clean(text[last : mark.start()])
            pieces.append(piece)
            length += len(piece)
            last = mark.end()
            if mark[2] is not None:
                page = int(mark[2])
                turns.append((length, page))
                continue
            kept = ""
            for label in re.findall(r"[^\s,;()]+", mark[1]):
                if not in_note and self._has_note(label, page):
                    calls.append((label, page, length))
                else:
                    kept = mark[1]
            if kept:
                kept = kept.translate(_RAISED) if kept.isdigit() else kept
                pieces.append(kept)
                length += len(kept)
        pieces.append(_clean(text[last:]))
        whole = "".join(pieces)
        plain = whole.strip()
        lead = len(whole) - len(whole.lstrip())
        return plain, [(max(0, at - lead), number) for at, number in turns], calls

    def _has_note(self, label: str, page: int) -> bool:
        return any((label, page + step) in self._notes for step in (0, 1, -1))

    def finish(
        self, printed: Sequence[str | None], metadata: Metadata, warnings: Sequence[str]
    ) -> Document:
        """The document; a footnote's anchor is the nearest call of its label on its page or a neighbouring one."""
        starts = []
        at = self._length
        for number in reversed(range(len(printed))):
            at = min(at, self._turns.get(number, at))
            starts.append(at)
        starts.reverse()
        if starts:
            starts[0] = 0
        pages = tuple(
            Page(number, start, end, label)
            for number, (start, end, label) in enumerate(
                zip(starts, [*starts[1:], self._length], printed, strict=True), start=1
            )
        )
        sections = tuple(
            Section(
                grown.start, grown.end, grown.path, grown.kind, grown.label, self._anchor(grown)
            )
            for grown in self._sections
        )
        return Document("".join(self._parts), "pdf", sections, pages, metadata, tuple(warnings))

    def _anchor(self, note: _Grown) -> int | None:
        if note.kind is not Kind.FOOTNOTE:
            return None
        calls = [
            (abs(page - note.page), at) for label, page, at in self._calls
            if label == note.label and abs(page - note.page) <= 1
        ]  # fmt: skip
        return min(calls)[1] if calls else None


def _clean(text: str) -> str:
    text = _ACCENT.sub(lambda match: match[1] + _COMBINING[match[2]], text)
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text.replace("\x00", "")))
