"""Runs of text with positions in, lines in reading order out, without running heads and page numbers.

A *row* is everything on one baseline across the page; a *line* is what is read on: the part of a row inside one
column, as cells divided by wide gaps. Lengths are in points, y upwards, as pdfium gives them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import and_
from statistics import median

from ingest.parse.glyphs import BOLD, ITALIC, Run, Sheet

CELL_GAP = 1.1  # heights; wider is another cell. Two word spaces of justified text stay below it
CALL, CALL_END = "\ue000", "\ue001"  # around a raised mark while lines travel; never in a Document
EDGE_ROWS = 5  # how deep from the top or bottom a running head or foot may lie
_CALLS = re.compile(f"{CALL}[^{CALL_END}]*{CALL_END}")
_NOTE_MARK = re.compile(r"\(?(?:\d{1,4}|[*†‡§¶]{1,4}|[a-z])\)?(?:[,;] ?\(?(?:\d{1,4}|[a-z])\)?)*")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_PAGE_TOKEN = re.compile(r"(?<![\w.,$])((?:[A-Z]{1,2}-)?)(\d{1,6})(?![\w%]|[.,]\d)")
_LONE_NUMBER = re.compile(
    r"(?:page\s*)?[-–—|\s]*(?:[A-Z]{1,2}-)?(?:\d{1,6}|[ivxlc]{1,7})[-–—|\s]*(?:(?:of|/)\s*\d{1,6})?",
    re.IGNORECASE,
)


Series = Counter[
    tuple[str, int]
]  # (prefix, number - page index) -> pages; "F-" and such are prefixes


@dataclass(slots=True)
class Cell:
    """Words without a wide gap between them."""

    x0: float
    x1: float
    text: str


@dataclass(slots=True)
class Line:
    """One line as read. left, right: the edges of its column; page counts from 0.

    height: of its main run; head, tail: of its first and last one; style: BOLD or ITALIC where all its words are.
    """

    page: int
    column: int
    x0: float
    x1: float
    bottom: float
    height: float
    left: float
    right: float
    style: int
    head: float
    tail: float
    cells: list[Cell]

    @property
    def bold(self) -> bool:
        """Every word of it."""
        return bool(self.style & BOLD)

    @property
    def is_full(self) -> bool:
        """It ends near the right edge of its column."""
        return self.x1 > self.right - 0.12 * (self.right - self.left)

    @property
    def text(self) -> str:
        """The cells' words, one space between cells."""
        return " ".join(cell.text for cell in self.cells)


@dataclass(slots=True)
class Row:
    """The runs on one baseline, left to right; bottom and height are of the tallest."""

    bottom: float
    height: float
    runs: list[Run]

    @property
    def words(self) -> str:
        """What stands on the row, for comparing heads."""
        return " ".join(run.text for run in self.runs)


@dataclass(slots=True)
class PageRows:
    """The rows of one page, top first; `printed` is the number on the paper, once heads were looked at."""

    width: float
    height: float
    rows: list[Row]
    printed: str | None = None


def rows_of(sheet: Sheet) -> PageRows:
    """Runs gathered into rows by the overlap of their heights, so that raised marks stay on their line."""
    return PageRows(sheet.width, sheet.height, _gather(sheet.runs))


def _gather(runs: Iterable[Run]) -> list[Row]:
    rows: list[Row] = []
    for run in sorted(runs, key=lambda run: -(run.bottom + run.height / 2)):
        best, most = None, 0.5
        for row in rows[-5:]:
            shared = min(row.bottom + row.height, run.bottom + run.height) - max(
                row.bottom, run.bottom
            )
            share = shared / min(row.height, run.height)
            if share > most and _fits_beside(run, row):
                best, most = row, share
        if best is None:
            rows.append(Row(run.bottom, run.height, [run]))
        else:
            best.runs.append(run)
            if run.height > 1.05 * best.height:
                best.bottom, best.height = run.bottom, run.height
    rows.sort(key=lambda row: -row.bottom)
    for row in rows:
        row.runs.sort(key=lambda run: run.x0)
    return rows


def _fits_beside(run: Run, row: Row) -> bool:
    """Two columns set in different leading share heights by turns; lines of one column never share a place."""
    slack = 0.3 * run.height
    return all(run.x1 <= other.x0 + slack or run.x0 >= other.x1 - slack for other in row.runs)


# --- running heads, feet and page numbers ---------------------------------------------------------------------------


def drop_running_heads(pages: Sequence[PageRows]) -> None:
    """Remove, in place, what repeats at the top or bottom of nearby pages, and page numbers.

    Two other pages within six must carry it; a document of two or three pages needs one, in the outer tenth of the
    paper. Numbers are compared by how they count with the pages, so that 'Exhibit 31.1' and 'Exhibit 31.2' at the top
    of two pages stay. A series of numbers that counts along gives `printed`.
    """
    series = _page_series(pages)
    for index, page in enumerate(pages):
        page.printed = _printed(index, page, series)
    gone: set[int] = set()
    for top in (True, False):
        seen: defaultdict[str, list[tuple[int, Row]]] = defaultdict(list)
        for index, page in enumerate(pages):
            for row in _edge(page, top):
                seen[_shape(row)].append((index, row))
        for index, page in enumerate(pages):
            rows = _running_rows(index, page, top, seen, len(pages))
            if len(rows) > max(1, len(page.rows) // 2):
                rows = rows[:1]  # a page of little but repetition: its text, not its head
            gone |= {id(row) for row in rows}
    if all(id(row) in gone for page in pages for row in page.rows):
        return
    for page in pages:
        page.rows = [row for row in page.rows if id(row) not in gone]


def _edge(page: PageRows, top: bool) -> list[Row]:
    return page.rows[:EDGE_ROWS] if top else page.rows[::-1][:EDGE_ROWS]


def _shape(row: Row) -> str:
    return _NUMBER.sub("#", row.words.lower().replace(" ", ""))


def _repeats(row: Row, index: int, other: Row, other_index: int) -> bool:
    """The same place, and each number the same or counting with the pages."""
    if abs(other.bottom - row.bottom) >= row.height:
        return False
    step = index - other_index
    numbers = list(zip(_NUMBER.findall(row.words), _NUMBER.findall(other.words), strict=False))
    differ: int = sum(a != b and not _counts(a, b, step) for a, b in numbers)
    return differ <= len(numbers) // 6  # a typesetter's codes vary a little


def _counts(a: str, b: str, step: int) -> bool:
    # nine digits at most: a longer one is no page number, and int() of thousands is slow
    counting = a.isdecimal() and b.isdecimal() and len(a) < 10 and len(b) < 10
    return counting and int(a) - int(b) == step


def _running_rows(
    index: int,
    page: PageRows,
    top: bool,
    seen: dict[str, list[tuple[int, Row]]],
    count: int,
) -> list[Row]:
    rows: list[Row] = []
    for depth, row in enumerate(_edge(page, top)):
        near = {
            other
            for other, twin in seen[_shape(row)]
            if other != index and abs(other - index) <= 6 and _repeats(row, index, twin, other)
        }
        outer = row.bottom > 0.9 * page.height or row.bottom < 0.1 * page.height
        needed = (2 if depth <= 1 or outer else 4) if count > 3 else 1
        if _LONE_NUMBER.fullmatch(row.words.strip()):
            counted = page.printed is not None and page.printed in row.words
            running = counted or (outer and len(near) > 0)
        else:
            running = len(near) >= needed and (outer or count > 3)
        if running:
            rows.append(row)
        elif not _is_hairline(row):
            break
    return rows


def _is_hairline(row: Row) -> bool:
    """A row of underscores or dots: drawn lines, seen through when looking for the head below."""
    return not any(char.isalnum() for char in row.words)


def _page_series(pages: Sequence[PageRows]) -> Series:
    """(prefix, number - page index) -> on how many pages; a real page number counts along."""
    series: Series = Counter()
    for index, page in enumerate(pages):
        series.update({(prefix, number - index) for prefix, number in _edge_numbers(page)})
    return series


def _edge_numbers(page: PageRows) -> Iterator[tuple[str, int]]:
    rows = page.rows[:2] + page.rows[max(2, len(page.rows) - 3) :]
    for row in rows:
        words = row.words
        if len(words) < 160:
            for prefix, number in _PAGE_TOKEN.findall(words):
                yield prefix, int(number)


def _printed(index: int, page: PageRows, series: Series) -> str | None:
    best, count = None, 1
    for prefix, number in _edge_numbers(page):
        if number and series[prefix, number - index] > count:
            best, count = f"{prefix}{number}", series[prefix, number - index]
    return best if count >= 3 else None


# --- columns --------------------------------------------------------------------------------------------------------


def lines_of(number: int, page: PageRows) -> list[Line]:
    """The page's lines in reading order: full-width ones where they stand, columns left to right between them."""
    rows = page.rows
    if not rows:
        return []
    lefts = _column_lefts(page)
    if len(lefts) < 2:
        left = min(run.x0 for row in rows for run in row.runs)
        right = max(run.x1 for row in rows for run in row.runs)
        return [_line(number, 0, row.runs, left, right) for row in rows]
    return _in_columns(number, page, lefts)


def _column_lefts(page: PageRows) -> list[float]:
    """Left edges of the columns of prose on the page, or one edge where it has a single column.

    Prose, and not any text, because the columns of a table must be read across: at least seven stretches of four words
    or more begin at each edge, reach over most of the way to the next edge and never past it. The test was made on
    Federal Register prints (three columns) and 10-K tables (none).
    """
    begins: defaultdict[int, list[Run]] = defaultdict(list)
    prose = 0
    for row in page.rows:
        for run in _stretches(row):
            if run.text.count(" ") >= 3 and any(map(str.islower, run.text)):
                begins[round(run.x0 / 3)].append(run)
                prose += 1
    if prose < 14:
        return []
    edges: list[tuple[float, list[Run]]] = []
    for slot in sorted(begins):
        runs = begins[slot]
        if edges and slot * 3 - edges[-1][0] < 22:  # an indent of the same column
            edges[-1][1].extend(runs)
        else:
            edges.append((min(run.x0 for run in runs), list(runs)))
    edges = [edge for edge in edges if len(edge[1]) >= max(7, 0.12 * prose)]
    if not 2 <= len(edges) <= 4:
        return []
    for (_, runs), (right, _) in pairwise(edges):
        crossing = sum(run.x1 > right - 1 for run in runs)
        if crossing > 0.3 * len(runs):
            return []
    widths = [median(run.x1 - run.x0 for run in runs) for _, runs in edges]
    pitches = [after - before for (before, _), (after, _) in pairwise(edges)]
    pitches.append(pitches[-1])
    if any(width < 0.6 * pitch for width, pitch in zip(widths, pitches, strict=True)):
        return []
    return [left for left, _ in edges]


def _stretches(row: Row) -> Iterator[Run]:
    """The row's runs with neighbours joined across ordinary spaces and raised marks."""
    current: Run | None = None
    for run in row.runs:
        if current is not None and run.x0 - current.x1 < 0.6 * row.height:
            current = Run(
                current.x0,
                run.x1,
                row.bottom,
                row.height,
                f"{current.text} {run.text}",
                current.style,
            )
        else:
            if current is not None:
                yield current
            current = run
    if current is not None:
        yield current


def _in_columns(number: int, page: PageRows, lefts: list[float]) -> list[Line]:
    inner = lefts[1:]
    right = max(run.x1 for row in page.rows for run in row.runs)
    left = min(run.x0 for row in page.rows for run in row.runs)
    edges = [left - 1, *(edge - 4 for edge in inner), right + 1]
    masthead = _masthead(page)
    lines: list[Line] = []
    for across, rows in _bands(page.rows, inner, masthead):
        if across:
            lines += [_line(number, -1, row.runs, left, right) for row in rows]
            continue
        for column, (start, end) in enumerate(pairwise(edges)):
            # gathered anew: in a row across the page a raised mark may stand with another column's line
            runs = [run for row in rows for run in row.runs if start <= (run.x0 + run.x1) / 2 < end]
            lines += [_line(number, column, row.runs, start, end) for row in _gather(runs)]
    _tighten(lines)
    return lines


def _bands(
    rows: Sequence[Row], inner: Sequence[float], masthead: float
) -> Iterator[tuple[bool, list[Row]]]:
    """(read across?, rows) from the top: where a run crosses a gutter, or a table does, rows are read across."""
    marks = [_mark(row, inner) for row in rows]
    for index, mark in enumerate(marks):
        if mark == "ledger":
            beside = marks[max(0, index - 1) : index] + marks[index + 1 : index + 2]
            marks[index] = "across" if "ledger" in beside or "across" in beside else "prose"
    for start, end in _stretches_of(marks, ""):
        beside = marks[max(0, start - 1) : start] + marks[end : end + 1]
        if end - start < 6 and "across" in beside:
            marks[start:end] = ["across"] * (end - start)
    for start, end in _stretches_of(marks, "prose"):  # a long label alone on its row of a table
        held = marks[max(0, start - 1) : start] == ["across"] == marks[end : end + 1]
        if held and end - start < 3 and all(row.runs[-1].x1 < inner[0] for row in rows[start:end]):
            marks[start:end] = ["across"] * (end - start)
    band: list[Row] = []
    was_across = marks[0] == "across"
    for row, mark in zip(rows, marks, strict=True):
        across = mark == "across"
        if band and (across != was_across or (row.bottom < masthead <= band[-1].bottom)):
            yield was_across, band
            band = []
        band.append(row)
        was_across = across
    yield was_across, band


def _stretches_of(marks: Sequence[str], wanted: str) -> Iterator[tuple[int, int]]:
    start = 0
    for end, mark in enumerate([*marks, "end"]):
        if mark != wanted:
            if end > start:
                yield start, end
            start = end + 1


def _has_prose(row: Row) -> bool:
    return any(
        run.text.count(" ") >= 3 and any(map(str.islower, run.text)) for run in _stretches(row)
    )


def _mark(row: Row, inner: Sequence[float]) -> str:
    """'across' a gutter; 'ledger': words left of a gutter and numbers alone right of it; 'prose'; or ''."""
    if any(run.x0 < edge - 20 and run.x1 > edge + 2 for run in row.runs for edge in inner):
        return "across"
    after = [run for run in row.runs if run.x0 >= inner[0] - 4]
    words = [word for run in after for word in run.text.split() if len(word) > 2 and word.isalpha()]
    if after and not words and (row.runs[0].x0 < inner[0] - 20 or len(after) > 1):
        return "ledger"
    return "prose" if _has_prose(row) else ""


def _masthead(page: PageRows) -> float:
    """The height above which stands what is read before the columns: it ends in a clear gap across the whole page.

    Without it the date under a Federal Register masthead, which stands over the third column, lands in the middle of
    the sentence that runs from the second column into the third.
    """
    for above, below in pairwise(page.rows):
        if above.bottom < 0.75 * page.height:
            return 0.0
        if above.bottom - (below.bottom + below.height) > 2 * below.height:
            return above.bottom
    return 0.0


def _tighten(lines: list[Line]) -> None:
    """Set each column's right edge to where its text ends, so that 'room left on the line' can be told."""
    reach: defaultdict[int, float] = defaultdict(float)
    for line in lines:
        reach[line.column] = max(reach[line.column], line.x1)
    for line in lines:
        line.right = reach[line.column]


# --- lines ----------------------------------------------------------------------------------------------------------


def _line(page: int, column: int, runs: Sequence[Run], left: float, right: float) -> Line:
    main = max(runs, key=lambda run: (len(run.text), run.height))
    cells: list[Cell] = []
    for run in runs:
        raised = run.height < 0.82 * main.height and run.bottom > main.bottom + 0.12 * main.height
        text = run.text
        if raised and _NOTE_MARK.fullmatch(text):
            text = f"{CALL}{text}{CALL_END}"
        gap = run.x0 - cells[-1].x1 if cells else 0.0
        if not cells or gap > CELL_GAP * main.height:
            cells.append(Cell(run.x0, run.x1, text))
        else:
            close = gap < 0.1 * main.height or (raised and gap < 0.3 * main.height)
            cells[-1].text += text if close else f" {text}"
            cells[-1].x1 = max(cells[-1].x1, run.x1)
    flat = [run for run in runs if run.height >= 0.82 * main.height] or [main]
    style = reduce(
        and_, (run.style for run in flat if any(map(str.isalnum, run.text))), BOLD | ITALIC
    )
    x1 = max(cell.x1 for cell in cells)
    return Line(
        page, column, cells[0].x0, x1, main.bottom, main.height, left, right,
        style, flat[0].height, flat[-1].height, cells,
    )  # fmt: skip


def bare(text: str) -> str:
    """Without footnote calls and without a blank at the end, for looking at words."""
    return _CALLS.sub("", text).rstrip() if CALL in text else text.rstrip()
