"""HTML bytes in; a flat list of blocks (paragraphs, tables, page breaks) in reading order out.

Read as a stream of events, never as a tree: memory follows the visible text, and endless nesting costs a counter
instead of the stack. What a browser would not show (head, scripts, display:none, the hidden facts and contexts of
inline XBRL) never becomes a block; facts named dei:… are kept beside, for the metadata.
"""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

from lxml import etree

from ingest.errors import Unreadable
from ingest.parse.assemble import NOTE, clean, unmarked

MAX_BYTES = 64 * 2**20
MAX_TAGS = 8_000_000
# Old filings leave hundreds of <FONT> open on purpose; nobody writes two thousand levels.
MAX_DEPTH = 2_000
_FEED = 1 << 16

Role = Literal["text", "table", "contents", "note", "page", "column"]


@dataclass(slots=True)
class Block:
    """A paragraph, a table (one row a line), or a break. text is clean; marks name its NOTE placeholders in order."""

    role: Role
    text: str = ""
    marks: list[str] = field(default_factory=list)
    level: int = 0  # 1..6 for <h1>..<h6>
    size: float = 0.0  # points, 0 where the page does not say
    bold: bool = False
    italic: bool = False
    underline: bool = False
    centred: bool = False
    linked: bool = False  # holds a link into this same page
    label: str | None = None  # of a note


@dataclass(slots=True)
class Page:
    """A page read: blocks in order and what the head and the hidden facts say."""

    blocks: list[Block]
    facts: dict[str, str]  # "dei:DocumentType" -> "10-K"
    title: str | None
    meta: dict[str, str]  # name or property, lower case -> content
    language: str | None
    warnings: list[str]


class _Look(NamedTuple):
    """What is inherited while reading."""

    hidden: bool = False
    bold: bool = False
    italic: bool = False
    underline: bool = False
    centred: bool = False
    size: float = 0.0
    raised: bool = False
    lines: bool = False  # <pre>


class _Style(NamedTuple):
    """What one style attribute changes; None leaves it as it was."""

    hidden: bool = False
    bold: bool | None = None
    italic: bool | None = None
    underline: bool | None = None
    centred: bool | None = None
    size: float | None = None
    scale: float | None = None
    raised: bool = False
    break_before: bool = False
    break_after: bool = False
    column: bool = False


_PLAIN = _Look()
_NO_STYLE = _Style()
_BLOCKS = frozenset(
    "p div h1 h2 h3 h4 h5 h6 ul ol li dl dt dd blockquote pre center section article main header footer aside address "
    "form fieldset figure figcaption details summary body table caption tr td th hr".split()
)
_HIDDEN = frozenset(
    "head script style template noscript nav svg math button select textarea iframe object "
    "ix:header ix:hidden ix:references ix:resources".split()
)
_HIDDEN_PREFIXES = ("xbrli:", "xbrldi:", "link:")
_HEADINGS = {f"h{n}": n for n in range(1, 7)}
_BOLD = frozenset(("b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6"))
_FONT_SIZES = {"1": 8.0, "2": 10.0, "3": 12.0, "4": 14.0, "5": 18.0, "6": 24.0, "7": 36.0}
_UNITS = {"pt": 1.0, "px": 0.75, "in": 72.0, "cm": 28.35, "mm": 2.835}

_SIZE = re.compile(
    r"(?:font-size|font)\s*:[^;]*?(?<![\w.])(\d+(?:\.\d+)?)\s*(pt|px|in|cm|mm|em|rem|%)?(?![\w.])"
)
_WEIGHT = re.compile(r"font-weight\s*:\s*(\w+)|font\s*:[^;]*\b(bold|bolder|[6-9]00)\b")
_BREAK = re.compile(r"(?:page-)?break-(before|after)\s*:\s*(?:always|page|left|right)")
_NOTE_LABEL = re.compile(r"(?:[(\[]?(?:\d{1,3}|[a-z]|[*†‡§#]{1,3})[)\]]?[\s,]*)+")
_ONE_LABEL = re.compile(r"\d{1,3}|[a-z]|[*†‡§#]{1,3}")
_NOTE_TARGET = re.compile(r"#.*?(?:ftn|fn|foot|note|endn|edn).*\d", re.IGNORECASE)
# Pages set the distance after a bullet by padding, which leaves no blank in the text.
_GLUED_BULLET = re.compile(r"^([•·▪●○◦■□])(?=\w)")
_PAGE_COMMENT = re.compile(r"\s*page\s*break\s*", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _style(css: str) -> _Style:
    css = css.lower()
    size = scale = None
    if found := _SIZE.search(css):
        number, unit = float(found.group(1)), found.group(2) or "pt"
        if unit in _UNITS:
            size = number * _UNITS[unit]
        elif unit != "rem":
            scale = number / 100 if unit == "%" else number
    weight = None
    if found := _WEIGHT.search(css):
        word = found.group(1) or found.group(2)
        weight = word in ("bold", "bolder") or (word.isdecimal() and int(word) >= 600)
    breaks = set(_BREAK.findall(css)) if "break-" in css else set()
    packed = css.replace(" ", "")
    return _Style(
        hidden="display:none" in packed or "visibility:hidden" in packed or size == 0,
        bold=weight,
        italic=True if "italic" in css else (False if "font-style:normal" in packed else None),
        underline=True if "underline" in css else None,
        centred=True
        if "text-align:center" in packed
        else (False if "text-align:" in packed else None),
        size=size,
        scale=scale,
        raised="vertical-align:super" in packed
        or ("position:relative" in packed and "top:-" in packed),
        break_before="before" in breaks,
        break_after="after" in breaks,
        column="inline-block" in packed and "width:" in packed,
    )


@dataclass(slots=True)
class _Cell:
    blocks: list[Block] = field(default_factory=list)


@dataclass(slots=True)
class _Table:
    """A table while it is read; `stray` is text that stands in no cell."""

    rows: list[list[_Cell]] = field(default_factory=list)
    stray: list[Block] = field(default_factory=list)
    cell: _Cell | None = None


class _Frame(NamedTuple):
    tag: str
    look: _Look
    style: _Style
    fact: bool


class _Reader:
    """Receives the parser's events."""

    def __init__(self) -> None:
        self.page = Page([], {}, None, {}, None, [])
        self._frames: list[_Frame] = []
        self._look = _PLAIN
        self._tables: list[_Table] = []
        self._pieces: list[str] = []
        self._marks: list[str] = []
        self._raised: list[str] = []
        self._seen = self._bold = self._italic = self._underline = self._centred = 0
        self._size = 0.0
        self._level = 0
        self._linked = False
        self._after_br = False
        self._facts: list[tuple[str, list[str]]] = []
        self._in_title: list[str] | None = None

    # --- events

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if len(self._frames) >= MAX_DEPTH:
            raise Unreadable(
                "too-deep",
                f"elements are nested more than {MAX_DEPTH} deep",
                "open it in a browser and save it again, or bring the document in another format",
            )
        look = self._look
        css = attributes.get("style")
        style = _style(css) if css else _NO_STYLE
        fact = False
        if tag.startswith("ix:non"):
            name = attributes.get("name") or ""
            if fact := name.startswith("dei:"):
                self._facts.append((name, []))
        self._frames.append(_Frame(tag, look, style, fact))
        if tag == "title" and self._in_title is None:
            self._in_title = []
        elif tag == "meta":
            key = attributes.get("name") or attributes.get("property")
            if key and attributes.get("content"):
                self.page.meta.setdefault(key.lower(), attributes["content"])
        elif tag == "html":
            self.page.language = attributes.get("lang") or attributes.get("xml:lang") or None
        if look.hidden:
            return
        if (
            tag in _HIDDEN
            or style.hidden
            or "hidden" in attributes
            or (":" in tag and tag.startswith(_HIDDEN_PREFIXES))
        ):
            self._look = look._replace(hidden=True)
            return
        if tag in _BLOCKS:
            self._flush()
            self._open_block(tag, style)
        elif tag == "br":
            self._line_break()
        elif (
            tag == "a" and (href := attributes.get("href") or "").startswith("#") and len(href) > 1
        ):
            self._linked = True
            if _NOTE_TARGET.match(href):
                style = style._replace(raised=True)
        self._look = _changed(look, tag, style, attributes)
        if look.raised != self._look.raised:
            self._settle_raised()

    def end(self, tag: str) -> None:
        if not self._frames or self._frames[-1].tag != tag:
            return
        frame = self._frames.pop()
        if frame.fact:
            name, words = self._facts.pop()
            value = clean("".join(words))
            if value and name not in self.page.facts:
                self.page.facts[name] = value
        if tag == "title" and self._in_title is not None:
            self.page.title = self.page.title or clean("".join(self._in_title)) or None
            self._in_title = []
        if not self._look.hidden:
            if self._look.raised and not frame.look.raised:
                self._settle_raised()
            if tag in _BLOCKS:
                self._flush()
                self._close_block(tag, frame.style)
        self._look = frame.look

    def data(self, data: str | bytes) -> None:
        text = unmarked(str(data))
        for _, words in self._facts:
            words.append(text)
        look = self._look
        if look.hidden:
            if self._in_title is not None and self._frames and self._frames[-1].tag == "title":
                self._in_title.append(text)
            return
        if look.lines and "\n" in text:
            self._preformatted(text)
            return
        if look.raised:
            self._raised.append(text)
            return
        if self._raised:
            self._settle_raised()
        if text.isspace():
            if self._pieces:
                self._pieces.append(" ")
            return
        self._pieces.append(text)
        count = len(text) - text.count(" ")
        self._after_br = False
        self._seen += count
        self._bold += count * look.bold
        self._italic += count * look.italic
        self._underline += count * look.underline
        self._centred += count * look.centred
        self._size = max(self._size, look.size)

    def comment(self, text: str | bytes) -> None:
        if not self._look.hidden and _PAGE_COMMENT.fullmatch(str(text)):
            self._break()

    def pi(self, target: str, data: str | None = None) -> None:
        """Processing instructions say nothing to a reader."""

    def close(self) -> Page:
        self._flush()
        while self._tables:
            self._close_table()
        return self.page

    # --- blocks

    def _sink(self) -> list[Block]:
        if not self._tables:
            return self.page.blocks
        table = self._tables[-1]
        return table.cell.blocks if table.cell is not None else table.stray

    def _open_block(self, tag: str, style: _Style) -> None:
        if style.break_before:
            self._break()
        if style.column:
            self._sink().append(Block("column"))
        if tag in _HEADINGS:
            self._level = _HEADINGS[tag]
        elif tag == "table":
            self._tables.append(_Table())
        elif self._tables:
            table = self._tables[-1]
            if tag == "tr":
                table.rows.append([])
                table.cell = None
            elif tag in ("td", "th"):
                table.cell = _Cell()
                if not table.rows:
                    table.rows.append([])
                table.rows[-1].append(table.cell)
        if tag == "hr" and not self._tables:
            self._sink().append(Block("page", label="rule"))

    def _close_block(self, tag: str, style: _Style) -> None:
        self._level = 0
        if tag == "table":
            self._close_table()
        elif tag in ("td", "th", "tr") and self._tables:
            self._tables[-1].cell = None
        if style.break_after:
            self._break()

    def _close_table(self) -> None:
        if self._tables:
            table = self._tables.pop()
            self._sink().extend(
                [*table.stray, *settled([[cell.blocks for cell in row] for row in table.rows])]
            )

    def _break(self) -> None:
        self._flush()
        if not self._tables:
            self.page.blocks.append(Block("page"))

    def _line_break(self) -> None:
        """One <br> is a blank, two are a new paragraph."""
        if self._after_br:
            self._flush()
        else:
            self._pieces.append(" ")
            self._after_br = True

    def _preformatted(self, text: str) -> None:
        first, *others = re.split(r"\n[ \t]*\n", text)
        self._pieces.append(first)
        for other in others:
            self._flush()
            self._pieces.append(other)
        self._seen += 1

    def _settle_raised(self) -> None:
        """Raised words are note calls if they look like one, else they stay words ("1st", "m2")."""
        if not self._raised:
            return
        raised, self._raised = "".join(self._raised).strip(), []
        if raised and len(raised) < 24 and _NOTE_LABEL.fullmatch(raised):
            labels = _ONE_LABEL.findall(raised)
            self._marks.extend(f"({x})" if raised[0] in "([" else x for x in labels)
            self._pieces.append(NOTE * len(labels))
        else:
            self._pieces.append(raised)
            self._seen += len(raised)

    def _flush(self) -> None:
        if self._raised:
            self._settle_raised()
        self._after_br = False
        if not self._pieces:
            return
        text = clean("".join(self._pieces))
        if text:
            if not text[0].isalnum():
                text = _GLUED_BULLET.sub(r"\1 ", text)
            most = 0.9 * max(self._seen, 1)
            self._sink().append(
                Block(
                    "text",
                    text,
                    self._marks,
                    level=self._level,
                    size=self._size,
                    bold=self._bold >= most,
                    italic=self._italic >= most,
                    underline=self._underline >= most,
                    centred=self._centred >= most,
                    linked=self._linked,
                )
            )
        self._pieces, self._marks = [], []
        self._seen = self._bold = self._italic = self._underline = self._centred = 0
        self._size = 0.0
        self._linked = False


def _changed(look: _Look, tag: str, style: _Style, attributes: Mapping[str, str]) -> _Look:
    bold, italic, underline, centred, size, raised = look[1:7]
    if tag in _BOLD:
        bold = True
    elif tag in ("i", "em"):
        italic = True
    elif tag == "u":
        underline = True
    elif tag == "center":
        centred = True
    elif tag == "sup":
        raised = True
    elif tag == "font" and (name := attributes.get("size")):
        size = _FONT_SIZES.get(name, size)
    if (align := attributes.get("align")) and tag in _BLOCKS:
        centred = align.lower() == "center"
    if style is not _NO_STYLE:
        bold = bold if style.bold is None else style.bold
        italic = italic if style.italic is None else style.italic
        underline = underline if style.underline is None else style.underline
        centred = centred if style.centred is None else style.centred
        size = (size * style.scale if style.scale else size) if style.size is None else style.size
        raised = raised or style.raised
    changed = _Look(
        False, bold, italic, underline, centred, size, raised, look.lines or tag == "pre"
    )
    return look if changed == look else changed


# --- tables

_MARKER = re.compile(
    r"[•·▪●○◦■□▶►➢✓✔☐☑☒*o–—-]|\[\s?[xX]?\s?\]|\(?(?:\d{1,2}|[a-zA-Z]|[ivxIVX]{1,5})[.)]|\(\d+\)\.?"
    r"|(?:item|part|note|section|article|exhibit)\s+[\dIVX]+[A-C]?(?:\.\d{2})?\s*[.:—–-]*",
    re.IGNORECASE,
)
_PAGE_NUMBER = re.compile(r"(?:[A-Z]{1,2}-)?\d{1,4}|[ivxl]{1,6}|N/A|\*")
_OUTLINE_WORD = re.compile(r"\b(?:item|part|signatures?|exhibits?)\b", re.IGNORECASE)
_NUMBER = re.compile(r"[$€£¥(]*\s?-?[\d.,]*\d[\d.,]*\s?[)%xX]*")
_OPENERS = frozenset(("$", "€", "£", "¥", "(", "$(", "US$", "($"))
_CLOSERS = re.compile(r"[)%]{1,3}|%\)|\)%|pp|bps?")


def settled(rows: list[list[list[Block]]]) -> list[Block]:
    """A finished table as blocks: its rows, or its paragraphs where it only held layout.

    rows: for each row, for each cell, the blocks in it.
    """
    cells = [[_joined(blocks) for blocks in row] for row in rows]
    lines = [_merged(row) for row in cells]
    lines = [line for line in lines if line]
    if not lines:
        return [block for row in rows for cell in row for block in cell]
    wide = [line for line in lines if len(line) > 1]
    held = [block for row in rows for cell in row for block in cell]
    nested = any(block.role in ("table", "contents", "page") for block in held)
    essay = any(
        len(cell) > 2 and sum(len(b.text) for b in cell) > 800 for row in rows for cell in row
    )
    if not wide or nested or essay:
        return held
    if all(len(line) == 2 and _MARKER.fullmatch(line[0].text) for line in wide):
        return [_listed(line) for line in lines]
    role: Role = "contents" if _is_contents(lines) else "table"
    return [
        Block(
            role,
            "\n".join(" | ".join(cell.text for cell in line) for line in lines),
            [mark for line in lines for cell in line for mark in cell.marks],
            linked=any(cell.linked for line in lines for cell in line),
        )
    ]


def _joined(blocks: list[Block]) -> Block:
    """A cell as one block."""
    texts = [b for b in blocks if b.text]
    if len(texts) == 1:
        return texts[0]
    if not texts:
        return Block("text")
    return Block(
        "text",
        " ".join(b.text.replace("\n", " ") for b in texts),
        [mark for b in texts for mark in b.marks],
        size=max(b.size for b in texts),
        bold=all(b.bold for b in texts),
        italic=all(b.italic for b in texts),
        linked=any(b.linked for b in texts),
    )


def _merged(row: list[Block]) -> list[Block]:
    """A row without empty cells; currency signs, brackets, percent signs and note calls rejoin their number."""
    line: list[Block] = []
    opener: Block | None = None
    for cell in row:
        text = cell.text
        if not text:
            continue
        if text in _OPENERS:
            opener = _glued(opener, cell) if opener else cell
            continue
        if opener is not None:
            cell, opener = _glued(opener, cell), None
        elif line and (_CLOSERS.fullmatch(text) or not text.strip(NOTE)):
            line[-1] = _glued(line[-1], cell)
            continue
        line.append(cell)
    if opener is not None:
        line.append(opener)
    return line


def _glued(left: Block, right: Block) -> Block:
    return replace(
        left,
        text=left.text + right.text,
        marks=left.marks + right.marks,
        linked=left.linked or right.linked,
    )


def _listed(line: list[Block]) -> Block:
    if len(line) == 1:
        return line[0]
    marker, body = line
    return replace(
        body,
        role="text",
        text=f"{marker.text} {body.text}",
        marks=marker.marks + body.marks,
        linked=marker.linked or body.linked,
        level=marker.level or body.level,
    )


def _is_contents(lines: list[list[Block]]) -> bool:
    """Rows that end in a page number and, but for that, hold words; with links or outline words to prove it."""
    if len(lines) < 3:
        return False
    wide = [line for line in lines if len(line) > 1]
    numbered = [line for line in wide if _PAGE_NUMBER.fullmatch(line[-1].text)]
    if len(numbered) < 0.6 * len(wide) or len(wide) < 2:
        return False
    figures = sum(1 for line in numbered for cell in line[1:-1] if _NUMBER.fullmatch(cell.text))
    linked = sum(1 for line in wide if any(cell.linked for cell in line))
    outline = sum(1 for line in lines if _OUTLINE_WORD.search(line[0].text))
    return figures < 0.2 * len(numbered) and (linked > 0.4 * len(wide) or outline >= 3)


# --- bytes

_DECLARED = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def utf8(data: bytes) -> tuple[bytes, list[str]]:
    """The bytes as UTF-8 without a byte order mark, and a warning where letters had to be guessed."""
    for bom, name in _BOMS:
        if data.startswith(bom):
            text = data[len(bom) :].decode(name, "replace")
            return text.encode("utf-8"), [
                "some characters could not be read"
            ] if "\ufffd" in text else []
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return data, []
    found = _DECLARED.search(data[:2048])
    name = found.group(1).decode("ascii").lower() if found else ""
    if name in ("", "utf-8", "utf8", "iso-8859-1", "latin-1", "us-ascii", "ascii"):
        name = "cp1252"  # what browsers read under those names
    try:
        text = data.decode(name, "replace")
    except (LookupError, ValueError):
        text, name = data.decode("cp1252", "replace"), "cp1252"
    return text.encode("utf-8", "replace"), [f"not UTF-8; read as {name}"]


def read(data: bytes) -> Page:
    """Blocks of an HTML page. Raises Unreadable: "too-large", "too-deep", "empty"."""
    if len(data) > MAX_BYTES or data.count(b"<") > MAX_TAGS:
        raise Unreadable(
            "too-large",
            f"{len(data) / 2**20:,.0f} MB of HTML; the limit is {MAX_BYTES // 2**20} MB and {MAX_TAGS:,} tags",
            "split the page, or bring the document as PDF or plain text",
        )
    data, warnings = utf8(data)
    if b"\0" in data:
        data = data.replace(b"\0", b"")
    if not data.strip():
        raise Unreadable("empty", "the page has no content", "fetch it again")
    reader = _Reader()
    # huge_tree lifts libxml2's limit on the length of one text; ours on size and depth stand instead.
    parser: Any = etree.HTMLParser(
        target=cast(Any, reader), encoding="utf-8", huge_tree=True, no_network=True
    )
    try:
        for at in range(0, len(data), _FEED):
            parser.feed(data[at : at + _FEED])
        page: Page = parser.close()
    except etree.XMLSyntaxError:
        # The parser gives up on input with no element at all; what it saw until then is all there is.
        page = reader.close()
    page.warnings.extend(warnings)
    return page
