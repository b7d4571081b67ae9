"""Lines in, tables out: which lines are the rows of a table, and its text, one row a line, cells joined by ' | '."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.layout import Cell, Line, bare

_BULLET = re.compile(r"[•▪■◦‣●○➢·∙*–—‐-]|o|[☐☒☑✓]")
_ENUMERATOR = re.compile(
    r"\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\(\d{1,3}[a-z]?\)|\(?[a-z]{2}\)|\d{1,2}(?:\.\d{1,3})+\.?"
    r"|(?:Item|ITEM|Note|NOTE|Part|PART|Section|Article)\s+[\dIVX]+[A-C]?\s*[.:—–-]*|§+\s?[\d.]+[a-z]?"
)
_LEADERS = re.compile(r"\s*(?:\.\s?){4,}\s*|\s*_{4,}\s*|\s*…{2,}\s*")
_NUMBERS = re.compile(r"\(?[$€£]?\s?\(?-?(?:\d[\d,]*(?:\.\d+)?|\.\d+|—|–|-)\)?\s?%?\)?")
_LOOSE = re.compile(r"(?<=[$€£(]) (?=[\d(.])|(?<=[\d)]) (?=[%)])")  # '$ 2,853', '37.2 %'
_LABEL_AND_SUM = re.compile(r"(.*[A-Za-z)]) ([$€£] [\d(][\d,.]*\)?%?)")
_LABEL_GOES_ON = re.compile(
    r"(?:,|—|–|\(|\b(?:of|the|to|and|or|for|in|by|from|with|on|net|less|attributable|per|at))$"
)


def cells_of(line: Line) -> list[Cell]:
    """The line's cells as a reader counts them: '$', '%' and brackets belong to their number, a bullet to its words."""
    cells: list[Cell] = []
    for cell in line.cells:
        for text, share0, share1 in _parts_of(cell):
            width = cell.x1 - cell.x0
            cells.append(Cell(cell.x0 + share0 * width, cell.x0 + share1 * width, text))
    merged: list[Cell] = []
    for cell in cells:
        last = merged[-1] if merged else None
        if last is not None and _sticks_to(last.text, cell.text, first=len(merged) == 1):
            glue = " " if _is_mark(last.text) else ""
            merged[-1] = Cell(last.x0, cell.x1, f"{last.text}{glue}{cell.text}")
        else:
            merged.append(cell)
    return merged


def _parts_of(cell: Cell) -> Iterable[tuple[str, float, float]]:
    """A cell cut at dot leaders, before a trailing '$', and between bare numbers."""
    text = cell.text
    if labelled := _LABEL_AND_SUM.fullmatch(text):
        share = labelled.start(2) / len(text)
        yield labelled[1], 0.0, share
        yield labelled[2], share, 1.0
        return
    if not (_LEADERS.search(text) or text.endswith((" $", " €", " £")) or _is_numbers(text)):
        yield text, 0.0, 1.0
        return
    pieces: list[str] = []
    for piece in _LEADERS.split(text):
        if piece.endswith((" $", " €", " £")):
            pieces += [piece[:-2], piece[-1]]
        elif _is_numbers(piece):
            pieces += (
                re.sub(r"(?<=[$€£(]) (?=[\d(.])", "", piece)
                .replace(" %", "%")
                .replace(" )", ")")
                .split(" ")
            )
        elif piece:
            pieces.append(piece)
    at = 0
    for piece in pieces:
        start = text.find(piece, at) if piece in text[at:] else at
        at = min(len(text), start + len(piece))
        yield piece, start / max(len(text), 1), at / max(len(text), 1)


def _is_numbers(text: str) -> bool:
    """Two or more figures and nothing else: '2,853 3,053' or '$ 2,265 $ 1,123'."""
    if " " not in text or not any(map(str.isdigit, text)) or any(map(str.isalpha, text)):
        return False
    words = re.sub(r"[$€£(] (?=[\d(.$])", "", text).replace(" %", "%").replace(" )", ")").split(" ")
    return len(words) > 1 and all(_NUMBERS.fullmatch(word) for word in words)


def _is_mark(text: str) -> bool:
    return bool(_BULLET.fullmatch(text) or _ENUMERATOR.fullmatch(text))


def _sticks_to(before: str, after: str, *, first: bool) -> bool:
    if before in ("$", "€", "£", "(", "$ (", "($", "¥") or after in (
        ")",
        "%",
        ")%",
        "%)",
        ") %",
        "),",
    ):
        return True
    return first and _is_mark(before) and not _is_number(after) and before not in ("—", "–", "-")


def _is_number(text: str) -> bool:
    return bool(_NUMBERS.fullmatch(bare(text).strip()))


def _is_row(line: Line, cells: Sequence[Cell]) -> bool:
    """Several cells, and not prose stretched by justification."""
    if len(cells) < 2:
        return False
    if any(_is_number(cell.text) for cell in cells[1:]) or len(cells) > 2:
        return True
    widest = max(after.x0 - before.x1 for before, after in pairwise(cells))
    return widest > 2.2 * line.height


def _is_filler(line: Line) -> bool:
    """One cell that may stand between the rows of a table: a group's title, a wrapped label; not a sentence."""
    words = line.text.count(" ") + 1
    return (
        words <= 16
        and not (words > 8 and line.is_full)
        and not (words > 7 and line.text.endswith("."))
    )


@dataclass(slots=True)
class _Row:
    line: Line
    cells: list[Cell]
    is_row: bool


def find_tables(lines: Sequence[Line]) -> list[list[Line] | Line]:
    """The lines with those of each table gathered into one list."""
    rows = []
    for line in lines:
        cells = cells_of(line)
        rows.append(_Row(line, cells, _is_row(line, cells)))
    out: list[list[Line] | Line] = []
    n = 0
    while n < len(rows):
        end = _table_end(rows, n) if rows[n].is_row else n
        if end > n:
            start = _header_start(rows, n, len(out), out)
            del out[len(out) - (n - start) :]
            out.append([row.line for row in rows[start:end]])
            n = end
        else:
            out.append(rows[n].line)
            n += 1
    return out


def _table_end(rows: Sequence[_Row], start: int) -> int:
    """One past the last row of the table that begins at `start`; `start` itself if there is none."""
    last = start
    count = 1
    n = start + 1
    while n < len(rows) and n - last <= 4:
        above, row = rows[n - 1].line, rows[n]
        if (row.line.page, row.line.column) != (above.page, above.column):
            break
        if above.bottom - row.line.bottom > 3.2 * max(row.line.height, 8.0):
            break
        if row.is_row:
            last, count = n, count + 1
        elif not _is_filler(row.line):
            break
        n += 1
    if last + 1 < len(rows) and _is_tail(rows[last], rows[last + 1]):
        last += 1
    numeric = any(_is_number(cell.text) for row in rows[start : last + 1] for cell in row.cells[1:])
    if count >= 2 or (len(rows[start].cells) >= 3 and numeric):
        return last + 1
    return start


def _is_tail(row: _Row, after: _Row) -> bool:
    """The second line of the last row's label."""
    line = after.line
    same = (line.page, line.column) == (row.line.page, row.line.column)
    close = 0 < row.line.bottom - line.bottom < 1.35 * line.height
    return (
        same
        and close
        and len(after.cells) == 1
        and line.text[:1].islower()
        and line.x1 < row.cells[-1].x0
    )


def _header_start(rows: Sequence[_Row], start: int, limit: int, out: Sequence[object]) -> int:
    """Where the table's column heads begin: single cells right of the row labels, directly above."""
    left = rows[start].line.left
    first = start
    edge = left + 0.22 * (rows[start].line.right - left)
    while first > 0 and limit - (start - first) > 0:
        row = rows[first - 1]
        if isinstance(out[limit - (start - first) - 1], list):
            break
        line, below = row.line, rows[first].line
        same = (line.page, line.column) == (below.page, below.column)
        close = line.bottom - below.bottom < 1.9 * max(line.height, below.height)
        if not (
            same
            and close
            and line.x0 > edge
            and line.text.count(" ") < 9
            and not line.text.endswith(".")
        ):
            break
        first -= 1
    return first


def table_text(lines: Sequence[Line]) -> str:
    """One row a line, cells joined by ' | '; wrapped labels and stacked column heads are one row each."""
    rows = [_Row(line, cells, False) for line in lines if (cells := cells_of(line))]
    data = next((n for n, row in enumerate(rows) if _is_data(row)), len(rows))
    heads, rest = rows[:data], rows[data:]
    table = [*_stacked(heads, rest), *(row.cells for row in rest)]
    table = _unwrapped(table, {id(row.cells): row.line for row in [*heads, *rest]})
    return "\n".join(
        " | ".join(_LOOSE.sub("", cell.text.replace(" | ", " / ")) for cell in cells)
        for cells in table
    )


def _is_data(row: _Row) -> bool:
    """A label and a figure; years and dates alone are column heads."""
    figures = [cell.text for cell in row.cells[1:] if _is_number(cell.text)]
    return any(
        not re.fullmatch(r"(?:19|20)\d\d", text) and text not in ("—", "–", "-") for text in figures
    )


def _stacked(heads: Sequence[_Row], rest: Sequence[_Row]) -> list[list[Cell]]:
    """Heads set over several lines as one row, where each line's cell stands over a cell of the next one.

    A head that spans several columns keeps a row of its own, so that no word is written that the page does not have.
    """
    table = [row.cells for row in heads]
    if len(table) < 2 or not rest:  # nothing to stack, or no column to stack over
        return table
    merged = [table[-1]]
    for cells in reversed(table[:-1]):
        below = merged[0]
        alone = all(sum(_overlaps(cell, other) for other in below) <= 1 for cell in cells)
        if alone and len(cells) > 1 and len(below) > 1:
            merged[0] = _over(cells, below)
        else:
            merged.insert(0, cells)
    return merged


def _over(above: Sequence[Cell], below: Sequence[Cell]) -> list[Cell]:
    cells = list(below)
    for cell in above:
        place = next((n for n, other in enumerate(cells) if _overlaps(cell, other)), None)
        if place is None:
            cells.append(cell)
        else:
            other = cells[place]
            cells[place] = Cell(
                min(cell.x0, other.x0), max(cell.x1, other.x1), f"{cell.text} {other.text}"
            )
    return sorted(cells, key=lambda cell: cell.x0)


def _overlaps(a: Cell, b: Cell) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > 0


def _unwrapped(table: Sequence[list[Cell]], lines: dict[int, Line]) -> list[list[Cell]]:
    """Rows whose label, or whose words in a later column, run over several lines, each as one row."""
    left = min((cells[0].x0 for cells in table if cells), default=0.0)
    out: list[list[Cell]] = []
    for cells in table:
        above = out[-1] if out else None
        line = lines.get(id(cells))
        close = line is not None and above is not None and above[0].text != ""
        if not close or above is None or line is None:
            out.append(list(cells))
        elif len(above) == 1 and _label_runs_on(above[0], cells, 2.5 * line.height):
            first = Cell(
                above[0].x0, max(above[0].x1, cells[0].x1), f"{above[0].text} {cells[0].text}"
            )
            out[-1] = [first, *cells[1:]]
        elif (
            len(cells) == 1
            and len(above) > 1
            and cells[0].text[:1].islower()
            and cells[0].x0 < above[1].x0
        ):
            above[0] = Cell(above[0].x0, above[0].x1, f"{above[0].text} {cells[0].text}")
        elif cells[0].x0 > left + 3 * line.height and _continues(cells, above):
            for cell in cells:
                place = next(n for n, other in enumerate(above) if _overlaps(cell, other))
                other = above[place]
                above[place] = Cell(
                    min(other.x0, cell.x0), max(other.x1, cell.x1), f"{other.text} {cell.text}"
                )
        else:
            out.append(list(cells))
    return out


def _label_runs_on(label: Cell, below: Sequence[Cell], step: float) -> bool:
    first = below[0].text
    if abs(label.x0 - below[0].x0) > step or _is_number(first) or _is_number(label.text):
        return False
    return first[:1].islower() or bool(_LABEL_GOES_ON.search(label.text))


def _continues(cells: Sequence[Cell], above: Sequence[Cell]) -> bool:
    """Each cell is words, and stands under words of the row above that reach over it."""
    for cell in cells:
        over = [other for other in above[1:] if _overlaps(cell, other)]
        if len(over) != 1 or _is_number(cell.text) or _is_number(over[0].text):
            return False
        if not (cell.text[:1].islower() or len(over[0].text) > 12):
            return False
    return True
