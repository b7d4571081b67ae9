"""Bytes of a plain text of unknown origin in, Document out: encoding by trial, wrapped lines
re-joined, headings by shape.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ingest.document import Document, Kind
from ingest.errors import Unreadable
from ingest.parse.outline import (
    HeadingPath,
    Labels,
    Outline,
    call,
    clean_characters,
    one_line,
    read_heading,
    without_marks,
)

_SECTION_OF_CFR = re.compile(
    r"^(?:\d+ CFR |§+ ?|Sec\. +)(?P<section>\d+[a-z]?\.[\w-]+)\b[ "
    r".—\u2013-]+(?P<title>[A-Z].{2,200})$"
)


def parse(data: bytes, name: str) -> Document:
    """Raises Unreadable: "empty" without a visible character, "unknown-format" for what is not
    text.
    """
    from ingest.parse import release  # a release is plain text too, and reads this module

    if release.is_release(data):
        return release.parse(data, name)
    text, warnings = decode(data, name)
    outline = Outline()
    path = HeadingPath()
    cited: tuple[str, ...] = ()  # inside codified text: its section line
    labels = Labels()
    blocks, notes = bracketed_notes(list(whole(paragraphs(text))))
    for paragraph in blocks:
        heading = read_heading(paragraph)
        if match := _SECTION_OF_CFR.match(paragraph):
            cited, labels = (f"§ {match['section']} {match['title']}",), Labels()
            outline.open(cited, Kind.RULE_TEXT)
        elif cited and (label := labels.read(paragraph)):
            outline.open(cited, Kind.RULE_TEXT, label)
        elif heading and not heading.bracketed and not cited and len(paragraph) < 200:
            outline.open(path.enter(heading, paragraph))
        outline.add(paragraph)
    for label, note in notes:
        outline.open(("Footnotes",), Kind.FOOTNOTE, label)
        outline.add(note)
    built, sections, pages = outline.build()
    return Document(built, "text", sections, pages, warnings=warnings)


def decode(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """Text with clean characters, and what had to be assumed.

    Tried in turn: a byte order mark, UTF-8, UTF-16 without a mark, then cp1252 with a warning.
    Raises Unreadable: "empty", or "unknown-format" when no reading gives text.
    """
    if not data.strip(b" \t\r\n\0"):
        raise Unreadable(
            "empty",
            f"{name} is empty",
            "Fetch it again; the download may have been cut off.",
        )
    text, warnings = _decoded(data)
    if text is None or _junk(text):
        raise Unreadable(
            "unknown-format",
            f"{name} is not text",
            "Give it the extension of its real format, or leave it out.",
        )
    text = clean_characters(text)
    if not text.strip():
        raise Unreadable(
            "empty",
            f"{name} has no visible character",
            "Fetch it again; the download may have been cut off.",
        )
    return text, warnings


def _decoded(data: bytes) -> tuple[str | None, tuple[str, ...]]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), ()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = ""
    if text and "\0" not in text:
        return text, ()
    if guessed := _utf_16(data):
        return guessed, ("UTF-16 without a byte order mark was assumed",)
    if b"\0" in data:
        return None, ()
    return data.decode("cp1252", errors="replace"), ("not UTF-8; read as cp1252",)


def _utf_16(data: bytes) -> str | None:
    """Plain Latin text in UTF-16 has a zero in nearly every second byte."""
    head = data[:4000]
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = head[first::2].count(0)
        if (
            len(head) >= 4
            and zeros > 0.8 * (len(head) // 2)
            and head[1 - first :: 2].count(0) < 0.05 * len(head)
        ):
            return data.decode(codec, errors="replace")
    return None


def _junk(text: str) -> bool:
    head = text[:20000]
    bad = sum(
        1
        for c in head
        if (ord(c) < 32 and c not in "\t\n\r\f") or c in "\ufffd\x7f" or "\x80" <= c <= "\x9f"
    )
    return bad > 0.02 * len(head)


def paragraphs(text: str) -> Iterator[str]:
    """Whole paragraphs of a text whose lines may be hard-wrapped.

    A blank line or an indented first line begins a paragraph; so does a line whose first word would
    still have fitted on the line before (nobody wraps there). In a text of long lines, each line is
    a paragraph.
    """
    lines = [line.expandtabs(4).rstrip() for line in text.split("\n")]
    width = _wrap_width(lines)
    block: list[str] = []
    for line in lines:
        if block and (not line.strip() or _begins(block, line, width)):
            yield joined(block)
            block = []
        if line.strip():
            block.append(line)
    if block:
        yield joined(block)


def _wrap_width(lines: list[str]) -> int:
    """The column at which lines were wrapped; 0 when lines are whole paragraphs."""
    lengths = sorted(len(line) for line in lines if line.strip())
    wrapped = [length for length in lengths if length <= 100]
    if not wrapped or len(wrapped) < 0.8 * len(lengths):
        return 0
    typical = wrapped[int(0.95 * (len(wrapped) - 1))]
    return typical if typical >= 40 else 0


def _begins(block: list[str], line: str, width: int) -> bool:
    before = block[-1]
    if not width or max(len(before), len(line)) > 1.4 * width:
        return True
    if before.endswith("]") and line.lstrip().startswith("["):
        return True
    indent, indent_before = (len(x) - len(x.lstrip()) for x in (line, before))
    if indent >= indent_before + 3 and not (len(block) == 1 and _centred(before, width)):
        return True
    if indent_before >= indent + 3 and len(block) > 1:
        return True
    first_word = line.split(maxsplit=1)[0]
    return len(before) + 1 + len(first_word) <= width - 6


def _centred(line: str, width: int) -> bool:
    indent = len(line) - len(line.lstrip())
    return indent >= 6 and abs(indent - (width - len(line))) <= 4


def joined(lines: list[str]) -> str:
    """Wrapped lines as one; a hyphen at the end of a line joins without a space
    ("market-\\nbased").
    """
    out = ""
    for line in map(one_line, lines):
        glue = (
            ""
            if not out or (out.endswith("-") and out[-2:-1].isalpha() and line[:1].islower())
            else " "
        )
        out += glue + line
    return out


_OPEN_END = re.compile(
    r"(?:,|-|\b(?:the|an?|of|at|for|and|or|nor|by|to|in|on|as|with|from|that|which|is|are|was|be|under|its|their|"
    r"See|see|also|Mr\.|Ms\.))$"
)
_OPEN_BEFORE_NUMBER = re.compile(r"\b(?:Sections?|Rules?|notes?|No\.|Nos\.|Release|FR)$")


def continues(before: str, after: str, *, pages_lost: bool = False) -> bool:
    """Whether a paragraph break between the two falls inside a sentence, as at the end of a
    printed page.

    pages_lost: the text has a blank line at every old page break, so that a long paragraph without
    a stop goes on even before a capital.
    """
    before, after = before.rstrip(), after.lstrip()
    if not before or not after or before.endswith((":", ";")):
        return False
    if _OPEN_END.search(before) and len(before) > 60:
        return True
    if _OPEN_BEFORE_NUMBER.search(before) and after[0].isdigit():
        return len(before) > 60
    if before.endswith((".", "?", "!", ".”", '."', ".)", "?”")):
        return False
    if after[0].islower() and not re.match(r"(?:[a-z]|[ivx]+)[.)] |www|http", after):
        return len(before) > 40
    return pages_lost and len(before) > 200 and before[-1].isalnum() and after[0].isalpha()


def whole(blocks: Iterable[str]) -> Iterator[str]:
    """Paragraphs again, with split sentences made whole and bare page marks put where the page
    begins.
    """
    before, mark = "", ""
    for block in blocks:
        if not without_marks(block).strip():
            mark += block.strip()
        elif before and continues(without_marks(before), without_marks(block)):
            before, mark = f"{before} {mark}{block}", ""
        else:
            if before:
                yield before
            before, mark = mark + block, ""
    if before or mark:
        yield before + mark


_BRACKET_CALL = re.compile(r"(?<=\S) ?\[(\d{1,3})\]")
_BRACKET_NOTE = re.compile(r"^\[(\d{1,3})\]\s+(?=\S)")


def bracketed_notes(blocks: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Calls written "[12]" marked, and the notes "[12] See ..." apart; only where the calls
    count up as notes do.
    """
    notes: list[tuple[str, str]] = []
    body: list[str] = []
    for block in blocks:
        if match := _BRACKET_NOTE.match(block):
            notes.append((match[1], block[match.end() :]))
        else:
            body.append(block)
    numbers = [int(found) for block in body for found in _BRACKET_CALL.findall(block)]
    rising = all(a < b for a, b in pairwise(numbers))
    if not numbers or not rising or numbers[0] > 5:
        return blocks, []
    return [_BRACKET_CALL.sub(lambda match: call(match[1]), block) for block in body], notes
