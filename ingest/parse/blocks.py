"""Lines in reading order in, blocks out: headings, paragraphs, tables as rows, footnotes.

Marks that cannot occur in text travel inside a block's text until the document is put together: CALL around the label
of a footnote call, TURN around the number of the page that begins there.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from ingest.parse.headings import Level, level_of, starts_division
from ingest.parse.layout import CALL, CALL_END, Line, bare
from ingest.parse.tables import table_text

TURN, TURN_END = "\ue002", "\ue003"

_SMALL = 0.935  # of the body's height: below it is a footnote, above it a typist's whim
_LIST_START = re.compile(
    r"(?:[•▪■◦‣●○➢∙☐☒]|[–—-] |\(\d{1,3}\)|\([a-zA-Z]\)|\([ivx]{1,5}\)|\d{1,2}[.)] |[a-zA-Z][.)] |[ivxIVX]{1,5}\. )"
)
_ENDS = re.compile(r"[.?!:;][\"”’'»)\]]*$")
_CALL_AT_START = re.compile(f"{CALL}([^{CALL_END}]*){CALL_END}\\s*")
_PLAIN_NOTE = re.compile(r"(\d{1,4}|\*{1,4}|[†‡])\.?\s+(?=[A-Z“\"‘(§\d])")


class Shape(Enum):
    """What a block is."""

    HEADING = "heading"
    TEXT = "text"
    TABLE = "table"
    NOTE = "note"


@dataclass(slots=True)
class Block:
    """A paragraph, heading, table (rows divided by newlines) or footnote; page counts from 0 and is the first one.

    level: headings only, see `Level`; label: footnotes only.
    """

    shape: Shape
    text: str
    page: int
    level: Level | None = None
    label: str = ""
    open: bool = False  # the last line does not end a sentence
    last_page: int = 0


@dataclass(slots=True)
class Style:
    """What is usual in this document: height of the body's type, distance of its lines, page by page."""

    body: float
    leading: dict[tuple[int, int], float] = field(default_factory=dict)
    usual: dict[int, float] = field(default_factory=dict)
    indents: bool = False

    def leading_of(self, line: Line) -> float:
        """The usual distance between lines of this height on this page."""
        size = round(line.height)
        return self.leading.get((line.page, size)) or self.usual.get(size) or 1.25 * line.height


def style_of(lines: Sequence[Line]) -> Style:
    """Measured over the whole document: a page of tables says nothing of how prose is set."""
    heights: Counter[float] = Counter()
    gaps: defaultdict[tuple[int, int], Counter[float]] = defaultdict(Counter)
    indented = starts = 0
    for line in lines:
        if len(line.cells) == 1:
            heights[round(line.height * 4) / 4] += len(line.cells[0].text)
    for above, below in pairwise(lines):
        if (above.page, above.column) == (below.page, below.column) and abs(
            above.height - below.height
        ) < 0.6:
            gap = above.bottom - below.bottom
            if 0.8 * below.height < gap < 3 * below.height:
                gaps[below.page, round(below.height)][round(gap * 2) / 2] += 1
            if len(below.cells) == len(above.cells) == 1 and above.is_full:
                starts += 1
                indented += 0.7 * below.height < below.x0 - above.x0 < 5 * below.height
    style = Style(body=heights.most_common(1)[0][0] if heights else 10.0)
    totals: defaultdict[int, Counter[float]] = defaultdict(Counter)
    for (page, size), counts in gaps.items():
        totals[size].update(counts)
        if sum(counts.values()) >= 8:
            style.leading[page, size] = _least_common_gap(counts)
    style.usual = {size: _least_common_gap(counts) for size, counts in totals.items()}
    style.indents = indented > 0.01 * max(starts, 1)
    return style


def _least_common_gap(counts: Counter[float]) -> float:
    """The smallest distance that is frequent: paragraph breaks are larger, chance is rare."""
    most = counts.most_common(1)[0][1]
    return min(gap for gap, count in counts.items() if count >= 0.4 * most)


# --- footnotes ------------------------------------------------------------------------------------------------------


Notes = list[tuple[str, list[Line]]]


def split_notes(lines: Sequence[Line], style: Style) -> tuple[list[Line], Notes]:
    """The lines without footnotes, and the footnotes in order as (label, lines).

    A footnote begins at the bottom of a column in smaller type, or at any size with a raised number; it runs to the
    end of the column, and on at the bottom of the next one if its last line does not end a sentence.
    """
    body: list[Line] = []
    notes: Notes = []
    for column in _by_column(lines):
        start, first = _note_zone(column, style, notes)
        body += column[:start]
        if start < first and notes:
            notes[-1][1].extend(column[start:first])
        for line in column[first:]:
            label = _note_label(line, style, notes)
            if label:
                notes.append((label, [line]))
            elif notes:
                notes[-1][1].append(line)
    return body, notes


def _by_column(lines: Sequence[Line]) -> Iterable[list[Line]]:
    """Stretches of lines in one column of one page."""
    stretch: list[Line] = []
    for line in lines:
        if stretch and (line.page, line.column) != (stretch[-1].page, stretch[-1].column):
            yield stretch
            stretch = []
        stretch.append(line)
    if stretch:
        yield stretch


def _note_zone(column: Sequence[Line], style: Style, notes: Notes) -> tuple[int, int]:
    """(start, first): footnote lines begin at `start`, the first that carries a label stands at `first`."""
    start = len(column)
    while start > 0 and _may_be_note(column[start - 1], style):
        start -= 1
    first = next(
        (n for n in range(start, len(column)) if _note_label(column[n], style, notes)), None
    )
    if first is None:
        first = _raised_zone(column, notes)
        if first is not None:
            return first, first
        goes_on = (
            start < len(column) and _goes_on(column[start:], notes) and _is_prose(column[start:])
        )
        if goes_on and (start == 0 or _apart(column, start, style)):
            return start, len(column)
        return len(column), len(column)
    if start < first and not _goes_on(column[start:first], notes):
        start = first
    return start, first


def _goes_on(lines: Sequence[Line], notes: Notes) -> bool:
    """Whether lines of the last footnote may continue here: it is unfinished, and set like this."""
    if not notes:
        return False
    last = notes[-1][1][-1]
    near = (
        lines[0].page - last.page <= 1 and abs(lines[0].height - last.height) < 0.06 * last.height
    )
    return near and not _ENDS.search(bare(last.text)) and not any(line.bold for line in lines)


def _may_be_note(line: Line, style: Style) -> bool:
    return line.height < _SMALL * style.body and len(line.cells) <= 2


def _apart(column: Sequence[Line], start: int, style: Style) -> bool:
    return column[start - 1].bottom - column[start].bottom > 1.2 * style.leading_of(column[start])


def _is_prose(lines: Sequence[Line]) -> bool:
    return sum(line.text.count(" ") for line in lines) >= 4 * len(lines)


def _raised_zone(column: Sequence[Line], notes: Notes) -> int | None:
    """Footnotes in the body's own size: lines that begin with a raised number, the next one due, to the column's end."""
    last = _last_number(notes)
    for index, line in enumerate(column):
        match = _CALL_AT_START.match(line.text)
        if match and match[1].isdigit() and index > 0:
            due = int(match[1]) in (last + 1, 1)
            if due and all(len(other.cells) <= 2 for other in column[index:]):
                return index
    return None


def _note_label(line: Line, style: Style, notes: Notes) -> str | None:
    text = line.text
    raised = _CALL_AT_START.match(text)
    if raised:
        return raised[1].strip("()") if len(text) > raised.end() else None
    plain = _PLAIN_NOTE.match(text)
    if not plain or line.height >= _SMALL * style.body or line.bold or len(text) < plain.end() + 8:
        return None
    due = not plain[1].isdigit() or int(plain[1]) in (_last_number(notes) + 1, 1)
    return plain[1] if due else None


def _last_number(notes: Notes) -> int:
    return next((int(label) for label, _ in reversed(notes) if label.isdigit()), 0)


def note_blocks(notes: Notes, words: "Words") -> list[Block]:
    """Each footnote as a block, without its number; TURN marks are left out, its page is the one it begins on."""
    blocks = []
    for label, lines in notes:
        text = ""
        for line in lines:
            text = words.join(text, line.text)
        text = (
            _CALL_AT_START.sub("", text, count=1)
            if text.startswith(CALL)
            else _PLAIN_NOTE.sub("", text, count=1)
        )
        if text.strip():
            blocks.append(
                Block(Shape.NOTE, text, lines[0].page, label=label, last_page=lines[-1].page)
            )
    return blocks


# --- words over line ends ---------------------------------------------------------------------------------------------


class Words:
    """Joins line to line. A hyphen at a line's end stays where the document writes the word with one elsewhere."""

    _HYPHENED = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)+")
    _PLAIN = re.compile(r"[a-z]{3,}")
    _SPLIT = re.compile(r"([A-Za-z]{3,}) (?=([A-Za-z]{1,3})\b)|(?<=[A-Za-z]’) (?=s\b)")
    _HALF = re.compile(r"([A-Za-z]+(?:-[A-Za-z]+)*)-$")
    _KEEPS = frozenset({"self", "cross", "ex", "well", "so", "broker", "dealer", "long", "short", "high", "low", "third",
                        "first", "second", "one", "two", "three", "four", "five", "half", "all", "real", "year", "market",
                        "price", "tax", "interest", "full", "part", "day", "end", "non", "post", "pre", "mid"})  # fmt: skip

    def __init__(self, texts: Sequence[str]) -> None:
        whole = "\n".join(texts).lower()
        self._plain = Counter(self._PLAIN.findall(whole))
        self._hyphened = Counter(self._HYPHENED.findall(whole))

    def mend(self, text: str) -> str:
        """'Busines s' as one word, where the document has it whole elsewhere and hardly ever the piece.

        Some filings set the last letters of a heading apart, as the target of a link.
        """
        return self._SPLIT.sub(self._closed, text)

    def _closed(self, match: re.Match[str]) -> str:
        if match[1] is None:
            return ""
        first, rest = match[1].lower(), match[2].lower()
        whole = self._plain[first + rest]
        scrap = len(rest) == 1 and rest not in "aiox" and match[2].islower()
        split = whole > 0 and ((scrap and whole > 1) or (self._plain[first] <= min(2, whole)))
        return match[1] if split else match[0]

    def join(self, before: str, after: str) -> str:
        """`before` and `after` as one text, with or without a space, with or without the hyphen."""
        if not before:
            return after
        shown = bare(before)
        if shown.endswith("-") and len(shown) > 1 and shown[-2].isalnum():
            return self._over_hyphen(before, shown, after)
        last = shown[shown.rfind(" ") + 1 :]
        tied = shown.endswith(("/", "@", "—")) or (
            shown.endswith("–") and len(shown) > 1 and shown[-2] != " "
        )
        if tied or (("://" in last or last.startswith("www.")) and shown[-1] in "-._?=&"):
            return before + after
        return f"{before} {after}"

    def _over_hyphen(self, before: str, shown: str, after: str) -> str:
        half = self._HALF.search(shown)
        rest = re.match(r"[A-Za-z]+", bare(after))
        if half is None or rest is None or not rest.group()[0].islower() or before != shown:
            return before + after
        left, right = half.group(1).lower(), rest.group().lower()
        if right in ("and", "or", "to") and len(after.split(" ", 1)[0]) == len(right):
            return f"{before} {after}"  # "short- and long-term"
        kept = self._hyphened[f"{left}-{right}"]
        closed = self._plain[f"{left.rsplit('-', 1)[-1]}{right}"]
        keep = kept > closed or (kept == closed and left.rsplit("-", 1)[-1] in self._KEEPS)
        if kept == closed == 0 and not keep:
            keep = (
                self._plain[left] > 2
                and self._plain[right] > 2
                and len(left) > 3
                and len(right) > 4
            )
        return before + after if keep else before[:-1] + after


# --- paragraphs -------------------------------------------------------------------------------------------------------

Titles = dict[
    int, set[str]
]  # page -> titles of the file's own outline that lead there, folded by `fold`


def fold(title: str) -> str:
    """Letters and digits only, for comparing an outline's title with a line."""
    return "".join(char for char in title.casefold() if char.isalnum())


def blocks_of(
    items: Sequence[Line | list[Line]], style: Style, words: Words, titles: Titles
) -> list[Block]:
    """Headings, paragraphs and tables in reading order; a paragraph runs on over columns, pages and tables."""
    blocks: list[Block] = []
    paragraph: list[Line] = []
    waiting: Block | None = None  # an unfinished paragraph with only tables after it

    def close() -> None:
        nonlocal waiting
        if not paragraph:
            return
        block = _block(paragraph, style, words, titles)
        if waiting is not None and waiting.open and _resumes(waiting, block):
            _append(waiting, block, words)
        else:
            blocks.append(block)
            waiting = block if block.open else None
        paragraph.clear()

    for item in items:
        if isinstance(item, list):
            close()
            blocks.append(
                Block(Shape.TABLE, table_text(item), item[0].page, last_page=item[-1].page)
            )
        else:
            if paragraph and _begins_anew(paragraph, item, style):
                close()
            paragraph.append(item)
    close()
    return blocks


def _resumes(waiting: Block, block: Block) -> bool:
    near = block.page - waiting.last_page <= 1
    return near and block.shape is Shape.TEXT and bare(block.text)[:1].islower()


def _append(waiting: Block, block: Block, words: Words) -> None:
    turn = f"{TURN}{block.page}{TURN_END}" if block.page != waiting.last_page else ""
    waiting.text = _with_turn(words, waiting.text, block.text, turn)
    waiting.last_page, waiting.open = block.last_page, block.open


def _with_turn(words: Words, before: str, after: str, turn: str) -> str:
    joined = words.join(before, after)
    return joined[: len(joined) - len(after)] + turn + after


def _block(lines: Sequence[Line], style: Style, words: Words, titles: Titles) -> Block:
    text = lines[0].text
    page = lines[0].page
    for line in lines[1:]:
        turn = f"{TURN}{line.page}{TURN_END}" if line.page != page else ""
        text, page = _with_turn(words, text, line.text, turn), line.page
    text = words.mend(text)
    level = None
    if len(lines) <= 4 and page == lines[0].page:
        level = level_of(
            text, lines, style.body, in_outline=fold(bare(text)) in titles.get(page, ())
        )
    ends = _ENDS.search(bare(lines[-1].text))
    shape = Shape.HEADING if level else Shape.TEXT
    is_open = not level and not ends and lines[-1].is_full
    return Block(shape, text, lines[0].page, level, open=is_open, last_page=page)


def _begins_anew(paragraph: Sequence[Line], line: Line, style: Style) -> bool:
    above = paragraph[-1]
    if (
        abs(above.tail - line.head) > 0.12 * above.tail
        and abs(above.height - line.height) > 0.1 * line.height
    ):
        return True
    text, before = bare(line.text), bare(above.text)
    ended, room = bool(_ENDS.search(before)), _has_room(above, line)
    if text[:1] in "•▪■◦‣●○➢∙☐☒":
        return True
    if (ended or room or line.bold) and starts_division(text, line.bold):
        return True
    if (above.page, above.column) != (line.page, line.column):
        return _begins_over_the_page(paragraph, line, style, ended=ended, room=room)
    gap = above.bottom - line.bottom
    if gap <= 0 or gap > 1.18 * style.leading_of(line) + 0.4:
        return True
    if before.endswith("-") and before[-2:-1].isalnum():
        return False
    if above.bold != line.bold and (ended or room):
        return True
    if above.bold and line.bold:
        return ended and room
    if _LIST_START.match(text) and (room or ended or abs(line.x0 - above.x0) > 0.3 * line.height):
        return True
    listed = bool(_LIST_START.match(bare(paragraph[0].text)))
    step = (line.x0 - above.x0) / line.height
    if step > 0.7 and not (listed and len(paragraph) == 1) and not _centred(above, line):
        return ended or room or style.indents
    if step < -0.7 and len(paragraph) > 1 and (ended or room):
        return True
    if not room:
        return False
    if ended or text[:1].islower():
        return ended
    # No sentence ends here. A page with one column filled looks wide; the paragraph's own lines tell its width.
    widest = max(other.x1 for other in (*paragraph, line))
    if len(paragraph) > 1 and above.x1 - above.x0 > 0.85 * (widest - above.x0):
        return False
    free = (above.right - above.x1) + (above.x0 - above.left)
    return free > 0.4 * (above.right - above.left)


def _begins_over_the_page(
    paragraph: Sequence[Line], line: Line, style: Style, *, ended: bool, room: bool
) -> bool:
    """Whether a line at the top of the next column or page begins a paragraph; a sentence always runs on."""
    above = paragraph[-1]
    text = bare(line.text)
    if line.page - above.page > 1 or above.bold != line.bold or (line.bold and room):
        return True
    if text[:1].islower():
        return False
    if _LIST_START.match(text) and (ended or room):
        return True
    if not ended:
        return room and above.x1 < above.right - 0.4 * (above.right - above.left)
    indented = line.x0 - line.left > 0.5 * line.height
    return not (style.indents and not indented and not room)


def _has_room(above: Line, line: Line) -> bool:
    """The next line's first word would have fitted on the line above: somebody ended that line on purpose."""
    text = line.text
    first = text.find(" ")
    share = (first if first > 0 else len(text)) / max(len(text), 1)
    return (
        above.x1 + share * (line.x1 - line.x0) + 0.35 * line.height
        < above.right - 0.5 * line.height
    )


def _centred(above: Line, line: Line) -> bool:
    middle = (above.x0 + above.x1) / 2
    return (
        abs(middle - (line.x0 + line.x1) / 2) < 0.5 * line.height
        and above.x0 - above.left > line.height
    )
