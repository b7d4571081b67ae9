"""Bytes of a Markdown file in, Document out: front matter to metadata, headings to paths, marks
out of the text.

Codified text kept as Markdown (an eCFR section, a section of the United States Code, an article of
an EU regulation) becomes rule text with paragraph labels. Of a post, the boilerplate of the machine
that made it is left out: it is about the post, not about the rule.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ingest.document import Document, Kind, Metadata, Where
from ingest.parse.outline import (
    USC_ORDER,
    HeadingPath,
    Labels,
    Outline,
    call,
    one_line,
    read_heading,
    without_marks,
)
from ingest.parse.text import decode

_FRONT = re.compile(r"\A\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_NOTE = re.compile(r"^\[\^([\w-]+)\]:?[ \t]*(.*(?:\n(?:[ ]{2,}|\t).*)*)", re.MULTILINE)
_CALL = re.compile(r"\s?\[\^([\w-]+)\]")
_EU_NOTE = re.compile(r"^%%%\s*\((\d+)\)\s*(.*)$", re.MULTILINE)
_EU_CALL = (  # "(1)" after a title or a number, but not "Article 4 (1)"
    r"(?<!Article)(?<!paragraph)(?<!paragraphs)(?<!point)(?<!points)(?<=[\w)]) \({}\)(?=[,.;:)\s])"
)
_BOLD_LINE = re.compile(r"^(\*\*[^*\n]+\*\*)[ \t]*$", re.MULTILINE)
_DEEP = re.compile(r"^#{7,}\s*", re.MULTILINE)  # deeper than Markdown knows: a labelled paragraph

_CFR_SECTION = re.compile(r"^§\s?(?P<number>\d+)\.\s?(?P<rest>[\w-]+)[.\s]+(?P<title>.+)$")
_USC_SECTION = re.compile(r"^§\s?(?P<number>\d+[a-z]*(?:[\u2013-]\d+[a-z]*)?)\.\s+(?P<title>.+)$")
_EU_UNIT = re.compile(r"^(?:Article|Artikel|ANNEX|ANNEXE|Annex)\b")
_RECITAL = re.compile(r"^\((\d{1,3})\)\s")
_EU_NUMBER = re.compile(r"^(\d{1,3})\.\s")

_BOILERPLATE = frozenset({"sources", "significance", "context", "verification", "analysis"})
_NOTHING_SAID = re.compile(r"^No (?:summary|abstract) (?:provided|available)\.?$", re.IGNORECASE)
_POST_LINE = re.compile(r"^(?:Published|Source|Original Published|Document Number): ")


def parse(data: bytes, name: str) -> Document:
    """Raises Unreadable as `text.decode` does."""
    text, warnings = decode(data, name)
    front, text, survived = _front_matter(text)
    text, notes = _notes(text)
    text = _BOLD_LINE.sub(r"\n\1\n", text)  # a heading in bold may have no blank line after it
    blocks = _blocks(_DEEP.sub("", text))
    outline = Outline()
    _writer(blocks, name, front)(outline, blocks)
    for label, note in notes:
        outline.open(("Footnotes",), Kind.FOOTNOTE, label)
        outline.add(note)
    built, sections, pages = outline.build()
    document = Document(built, "markdown", sections, pages, warnings=(*warnings, *survived))
    _describe(document.metadata, front)
    return document


# --- front matter -------------------------------------------------------------------------------


def _front_matter(text: str) -> tuple[dict[str, object], str, tuple[str, ...]]:
    match = _FRONT.match(text)
    if not match:
        return {}, text, ()
    import yaml

    try:
        read = yaml.safe_load(match[1])
    except (yaml.YAMLError, ValueError):  # ValueError: an impossible date
        return (
            _by_line(match[1]),
            text[match.end() :],
            ("front matter is not YAML; read line by line",),
        )
    front = {str(key): value for key, value in read.items()} if isinstance(read, dict) else {}
    return front, text[match.end() :], ()


def _by_line(block: str) -> dict[str, object]:
    pairs = (line.partition(":") for line in block.split("\n") if re.match(r"\w+:", line))
    return {key: value.strip().strip("\"'") for key, _, value in pairs}


def _describe(metadata: Metadata, front: Mapping[str, object]) -> None:
    """What the head of a file says of it.

    Of a post on a Federal Register document, `original_published` is the day of the document;
    `date` is the day the post was made and says nothing about when its content was public.
    """
    place = Where("front matter")
    if title := front.get("title"):
        metadata.title, metadata.where["title"] = one_line(str(title)), place
    day = _day(front.get("original_published")) or _day(front.get("date"))
    if day:
        key = "original_published" if front.get("original_published") else "date"
        metadata.published_on = day
        metadata.where["published_on"] = Where(f"front matter: {key}")
    item = re.fullmatch(r"federal_register:([\w-]+)", str(front.get("item_id") or ""))
    if item:
        metadata.primary, metadata.where["primary"] = f"fr:{item[1]}", place
    for key in ("url", "link", "canonical_url"):
        if isinstance(front.get(key), str):
            metadata.url, metadata.where["url"] = str(front[key]), place


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).date()
    if isinstance(value, date):
        return value
    match = re.match(r"(\d{4})-(\d{2})-(\d{2})", str(value or ""))
    try:
        return date(*map(int, match.groups())) if match else None
    except ValueError:
        return None


# --- notes --------------------------------------------------------------------------------------


def _notes(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The text with calls marked and definitions taken out, and the notes in order."""
    notes = [(match[1], _plain(match[2])) for match in _NOTE.finditer(text)]
    text = _NOTE.sub("\n", text)
    text = _CALL.sub(lambda match: call(match[1]), text)
    for match in list(_EU_NOTE.finditer(text)):
        notes.append((match[1], _plain(match[2])))
    text = _EU_NOTE.sub("", text)
    for label, _ in notes:
        if label.isdigit() and call(label) not in text:
            text = re.sub(_EU_CALL.format(label), call(label), text, count=1)
    return text, notes


def _plain(text: str) -> str:
    return " ".join(block.text for block in _blocks(text)) if text.strip() else ""


# --- blocks -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Block:
    """A heading (level 1 to 6), a paragraph (level 0) or a table (level 0, rows)."""

    text: str
    level: int = 0
    table: bool = False
    bold: bool = False


def _blocks(text: str) -> list[_Block]:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    blocks: list[_Block] = []
    level, marks = 0, list[str]()
    rows: list[list[str]] | None = None
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "list_item_open":
            marks.append(f"{token.info}{token.markup} " if token.info else "• ")
        elif token.type == "list_item_close" and marks:
            marks.pop()
        elif token.type == "table_open":
            rows = []
        elif token.type == "tr_open" and rows is not None:
            rows.append([])
        elif token.type == "table_close" and rows is not None:
            blocks.append(_Block("\n".join(" | ".join(row) for row in rows), table=True))
            rows = None
        elif token.type == "inline":
            shown = re.sub(
                r"(?<=\w) (?=[.,;:](?:\s|$))", "", one_line(_inline(token.children or []))
            )
            if rows:
                rows[-1].append(shown)
                continue
            mark = marks[-1] if marks else ""
            if marks:
                marks[-1] = ""  # the second paragraph of an item has no mark of its own
            shown = re.sub(r"\s*#+$", "", shown) if level else shown
            if shown:
                blocks.append(_Block(mark + shown, level, bold=_all_strong(token.children or [])))
            level = 0
        elif token.type in ("fence", "code_block"):
            blocks += [
                _Block(one_line(part)) for part in token.content.split("\n\n") if part.strip()
            ]
    return blocks


def _inline(tokens: Sequence[Token]) -> str:
    out = ""
    for token in tokens:
        if token.type in ("text", "code_inline"):
            out += token.content
        elif token.type in ("softbreak", "hardbreak"):
            out += " "
        elif token.type == "image":
            out += _inline(token.children or [])
        elif token.type == "html_inline" and re.match(r"<br\s*/?>", token.content):
            out += " "
    return out


def _all_strong(tokens: Sequence[Token]) -> bool:
    seen = [token for token in tokens if token.type != "text" or token.content.strip()]
    return (
        len(seen) >= 3
        and seen[0].type == "strong_open"
        and seen[-1].type == "strong_close"
        and sum(token.type == "strong_open" for token in seen) == 1
    )


# --- one writer for each sort of file -----------------------------------------------------------

_Writer = Callable[[Outline, Sequence[_Block]], None]


def _writer(blocks: Sequence[_Block], name: str, front: Mapping[str, object]) -> _Writer:
    headings = [block.text for block in blocks if block.level]
    if front and "item_id" in front:
        return _write_post
    if any(map(_CFR_SECTION.match, headings)):
        return lambda outline, kept: _write_code(outline, kept, Labels())
    if any(map(_USC_SECTION.match, headings)):
        return lambda outline, kept: _write_code(outline, kept, Labels(USC_ORDER))
    first = blocks[0].text if blocks else ""
    if _EU_UNIT.match(first) or (_RECITAL.match(first) and "recital" in name.lower()):
        return _write_eu
    return _write_plain


def _write_plain(outline: Outline, blocks: Sequence[_Block]) -> None:
    stack: list[tuple[int, str]] = []
    numbered = HeadingPath()
    for block in blocks:
        heading = read_heading(without_marks(block.text)) if block.bold else None
        if block.level:
            stack = [entry for entry in stack if entry[0] < block.level] + [
                (block.level, without_marks(block.text))
            ]
            numbered = HeadingPath()
            outline.open(tuple(shown for _, shown in stack))
        elif heading and not heading.bracketed:
            path = numbered.enter(heading, without_marks(block.text))
            outline.open((*(shown for _, shown in stack), *path))
        elif block.table:
            path = tuple(shown for _, shown in stack) + numbered.path
            outline.open(path, Kind.TABLE)
            outline.add(block.text, lines=True)
            outline.open(path)
            continue
        outline.add(block.text)


def _write_post(outline: Outline, blocks: Sequence[_Block]) -> None:
    title: tuple[str, ...] = ()
    shown = True
    for block in blocks:
        if block.level == 1:
            title = (block.text,)
            outline.open(title)
        elif block.level:
            shown = block.text.lower() not in _BOILERPLATE
            outline.open((*title, block.text))
            if block.text.lower() == "summary":
                continue  # a heading that says nothing; it stays in the path
        elif _POST_LINE.match(block.text) or _NOTHING_SAID.match(block.text):
            outline.open(title, Kind.HEADER)
        if shown:
            outline.add(block.text)


def _write_code(outline: Outline, blocks: Sequence[_Block], labels: Labels) -> None:
    """A section of the CFR or the United States Code: its heading path, then labelled
    paragraphs.
    """
    path: list[tuple[int, str]] = []
    section: tuple[str, ...] = ()
    for block in blocks:
        plain = without_marks(block.text)
        is_section = _CFR_SECTION.match(plain) or _USC_SECTION.match(plain)
        if block.level and not (section and _has_label(plain)):
            path = [entry for entry in path if entry[0] < block.level] + [(block.level, plain)]
            section = tuple(shown for _, shown in path) if is_section else ()
            outline.open(
                tuple(shown for _, shown in path), Kind.RULE_TEXT if is_section else Kind.HEADER
            )
        elif section and (label := labels.read(plain)):
            if block.level:  # "(b) Proposed rule changes; notice; proceedings"
                section = (*(shown for _, shown in path), plain)
            outline.open(section, Kind.RULE_TEXT, label)
        elif section and re.match(r"^(?:Link to an amendment|\[\d+ FR \d+)", plain):
            outline.open(section, Kind.HEADER)
        elif block.table:
            outline.open(section, Kind.TABLE)
            outline.add(block.text, lines=True)
            continue
        outline.add(block.text)


def _has_label(text: str) -> bool:
    """Whether a line begins with a paragraph mark such as "(b)"."""
    return bool(re.match(r"^\((?:[a-z]{1,2}|\d{1,3}|[A-Z]{1,2}|[ivxl]+)\)\s", text))


def _write_eu(outline: Outline, blocks: Sequence[_Block]) -> None:
    """An article, annex or recital of an EU regulation; labels "(1)(a)" under "Article 5 - …"."""
    path: list[tuple[int, str]] = []
    labels = Labels(("digit", "alpha", "roman", "digit2"))
    for block in blocks:
        plain = without_marks(block.text)
        shown = tuple(entry for _, entry in path)
        if block.level:
            path = [entry for entry in path if entry[0] < block.level] + [(block.level, plain)]
            outline.open(tuple(entry for _, entry in path), Kind.RULE_TEXT)
        elif recital := (_RECITAL.match(plain) if not path else None):
            outline.open((f"Recital {recital[1]}",), Kind.RULE_TEXT, f"({recital[1]})")
        elif numbered := _EU_NUMBER.match(plain):
            outline.open(
                shown, Kind.RULE_TEXT, labels.read(f"({numbered[1]}) {plain[numbered.end() :]}")
            )
        elif label := labels.read(plain):
            outline.open(shown, Kind.RULE_TEXT, label)
        outline.add(block.text)
