"""Bytes of an SEC release in plain text in, Document out.

Two shapes come in. The tagged one (a table of contents up to `<END TABLE OF CONTENTS>`, the
preamble up to `<END HEADER>`, `<h>` headings and `<sup>12</sup>` calls up to `<END MAIN TEXT>`,
then the footnotes) has lost its lines and pages: words joined or split where pages broke, years
tagged as notes, sentences tagged as headings. The print shape (GPO or SEC pages as text) is
hard-wrapped, with `[[Page 37496]]` between pages, calls as `\\12\\` and footnotes between dashed
lines.
"""

import re
from collections.abc import Iterable, Sequence

from ingest.document import Document, Kind
from ingest.parse.mend import Mender
from ingest.parse.outline import (
    Heading,
    HeadingPath,
    Labels,
    Outline,
    call,
    one_line,
    page_mark,
    read_heading,
    without_marks,
)
from ingest.parse.text import bracketed_notes, continues, decode, paragraphs, whole

_FIELD = re.compile(
    r"^(?P<name>AGENC(?:Y|IES)|ACTION|SUMMARY|DATES?|EFFECTIVE DATES?|COMPLIANCE DATES?|"
    r"COMMENT DATES?|ADDRESSES|"
    r"FOR FURTHER INFORMATION CONTACT|FURTHER INFORMATION|SUPPLEMENTARY INFORMATION) ?(?:[:.]|"
    r"$)\s*",
    re.IGNORECASE,
)
_INLINE_FIELD = re.compile(
    r"(?<=\S) (?=(?:AGENCY|ACTION|SUMMARY|DATES|FOR FURTHER INFORMATION CONTACT|"
    r"SUPPLEMENTARY INFORMATION) ?:)"
)
_RULE_TEXT = re.compile(
    r"\bText of (?:the )?(?:\w+ ){0,3}(?:Rules?|Amendments?|Regulations?|Form)\b",
    re.IGNORECASE,
)
_SECTION = re.compile(r"^(?:§+ ?|Sec\. +)(?P<section>\d{3}\.[\w-]+)\.?\s+(?P<title>[A-Z].{2,200})$")
_PART = re.compile(r"^PART (?P<part>\d{1,4})\s?[—\u2013-]+\s?(?P<title>.+)$")
_CONTENTS = re.compile(r"^table\s+of\s+cont\s?e\s?nts?\s?:?$", re.IGNORECASE)


def is_release(data: bytes) -> bool:
    """Whether the bytes read as one of the two shapes; looks at no more than the first 200,000
    bytes and the tags.
    """
    if any(
        tag in data for tag in (b"<END HEADER>", b"<END MAIN TEXT>", b"<END TABLE OF CONTENTS>")
    ):
        return True
    head = data[:200_000].decode("utf-8", errors="replace")
    preamble = all(
        re.search(rf"^[^\w\n]{{0,9}}{word} ?:", head, re.MULTILINE)
        for word in ("AGENCY", "ACTION", "SUMMARY")
    )
    in_print = re.search(r"^[ \t]{0,40}\[(?:FR Doc\.? |Federal Register[: ])", head, re.MULTILINE)
    in_web_print = "Start Preamble" in head or "Start Printed Page" in head
    return bool(
        preamble or in_print or in_web_print or re.search(r"^\[\[Page \d+\]\]$", head, re.MULTILINE)
    )


def parse(data: bytes, name: str) -> Document:
    """Raises Unreadable as `text.decode` does."""
    text, warnings = decode(data, name)
    tagged = any(
        tag in text for tag in ("<END HEADER>", "<END MAIN TEXT>", "<END TABLE OF CONTENTS>")
    )
    outline, survived = _tagged(text) if tagged else (_print(text), ())
    built, sections, pages = outline.build()
    return Document(built, "sec-release", sections, pages, warnings=(*warnings, *survived))


# --- the tagged shape ---------------------------------------------------------------------------


def _tagged(text: str) -> tuple[Outline, tuple[str, ...]]:
    contents, rest = _cut(text, "<END TABLE OF CONTENTS>")
    header, rest = _cut(rest, "<END HEADER>")
    main, notes = rest.split("<END MAIN TEXT>", 1) if "<END MAIN TEXT>" in rest else (rest, "")
    footnotes = _footnotes(notes)
    mender = Mender(
        _SUP.sub(" ", block) for block in _blocks(f"{header}\n\n{main}") + list(footnotes.values())
    )
    outline = Outline()
    if address := re.match(r"\s*(https?://\S+)", contents or header or main):
        outline.open((), Kind.HEADER, "URL")
        outline.add(address[1])
        contents, header = (
            contents.replace(address[1], "", 1),
            header.replace(address[1], "", 1),
        )
    _add_contents(outline, _blocks(contents))
    _add_header(outline, [mender.mend(_plain_sup(block)) for block in _header_blocks(header)])
    _add_body(outline, main, frozenset(footnotes), mender)
    for label, note in footnotes.items():
        outline.open(("Footnotes",), Kind.FOOTNOTE, label)
        outline.add(mender.mend(_plain_sup(note)))
    lost = _missing(footnotes)
    return outline, ((f"{lost} footnotes are missing from the source",) if lost else ())


_SUP = re.compile(r"<sup>\s{0,9}([^<]{0,40}?)\s{0,9}</sup>", re.IGNORECASE)
_NOTE = re.compile(r"^\s*(\d{1,4})\b[ .]*(?=\S)")


def _cut(text: str, tag: str) -> tuple[str, str]:
    before, found, after = text.partition(tag)
    return (before, after) if found else ("", text)


def _blocks(text: str) -> list[str]:
    return [one_line(block) for block in re.split(r"\n\s*\n", text) if block.strip()]


def _plain_sup(text: str) -> str:
    """Tagged numbers that are no calls ("Rule <sup>612</sup>") back in the running text."""
    return _SUP.sub(lambda match: match[1], text)


def _footnotes(notes: str) -> dict[str, str]:
    """Label -> text; a paragraph whose number does not continue the count belongs to the note
    before it.
    """
    found: dict[str, str] = {}
    last = 0
    for block in _blocks(notes):
        match = _NOTE.match(block)
        number = int(match[1]) if match else 0
        if match and last < number <= last + 60:
            last = number
            found[match[1]] = block[match.end() :]
        elif found:
            label = str(last)
            found[label] += " " + block
    return found


def _missing(footnotes: Iterable[str]) -> int:
    labels = [int(label) for label in footnotes]
    return labels[-1] - len(labels) if labels else 0


def _add_contents(outline: Outline, blocks: Sequence[str]) -> None:
    if blocks:
        outline.open((), Kind.CONTENTS)
    for block in blocks:
        outline.add(block)


def _header_blocks(header: str) -> list[str]:
    """Preamble paragraphs, each field ("AGENCY:", "DATES:") on its own."""
    blocks: list[str] = []
    for block in _blocks(header):
        for piece in _INLINE_FIELD.split(block):
            if blocks and not _FIELD.match(piece) and _runs_on(blocks[-1], piece):
                blocks[-1] = f"{blocks[-1]} {piece}"
            else:
                blocks.append(piece)
    return blocks


def _add_header(outline: Outline, blocks: Sequence[str]) -> None:
    outline.open((), Kind.HEADER)
    in_contents, within = False, ""
    for block in blocks:
        field = _FIELD.match(block)
        if _CONTENTS.match(block):
            in_contents = True
            outline.open((), Kind.CONTENTS)
        elif field and not in_contents:
            name = field["name"].upper()
            if not (within == "DATES" and name.endswith(("DATE", "DATES"))):
                within = name
                outline.open((name,), Kind.HEADER, name)
        outline.add(block)


_PIECES = re.compile(r"<h>([^<]*(?:<(?!/?h>)[^<]*)*)</h>", re.IGNORECASE)


def _add_body(outline: Outline, main: str, notes: frozenset[str], mender: Mender) -> None:
    items = _joined(_items(_with_calls(main, notes)))
    path = HeadingPath()
    writer = _Writer(outline, path)
    for index, (tagged, block) in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else (False, "")
        heading = read_heading(without_marks(block)) if tagged else None
        if heading is None:
            writer.paragraph(mender.mend(block))
        elif following[0] and without_marks(block).endswith(without_marks(following[1])):
            writer.heading(
                mender.mend(block[: -len(following[1])].strip())
            )  # "I. BackgroundA. The Rule" + "A. The Rule"
        else:
            writer.heading(mender.mend(_loose_number(block, notes)))


def _items(main: str) -> list[tuple[bool, str]]:
    """(tagged as heading, text) in order; `<h>` may stand anywhere in a paragraph."""
    items: list[tuple[bool, str]] = []
    for block in re.split(r"\n\s*\n", main):
        for index, piece in enumerate(_PIECES.split(block)):
            shown = re.sub(
                r"^TOP\b|\bTOP$", "", one_line(piece)
            ).strip()  # the text of a link back to the top
            if shown:
                items.append((index % 2 == 1, shown))
    return items


def _joined(items: Sequence[tuple[bool, str]]) -> list[tuple[bool, str]]:
    """Sentences that ran over a page made whole again."""
    out: list[tuple[bool, str]] = []
    for tagged, block in items:
        tagged = tagged and read_heading(without_marks(block)) is not None
        if out and not tagged and not out[-1][0] and _runs_on(out[-1][1], block):
            glue = "" if out[-1][1].endswith("-") else " "
            out[-1] = (False, out[-1][1] + glue + block)
        else:
            out.append((tagged, block))
    return out


def _runs_on(before: str, after: str) -> bool:
    return continues(without_marks(before), without_marks(after), pages_lost=True)


def _loose_number(heading: str, notes: frozenset[str]) -> str:
    """ "Delay in Delivery469": the call of note 469 lost its tag."""
    match = re.search(r"(?<=[a-z]{3})(\d{1,4})$", heading)
    return heading[: match.start()] + call(match[1]) if match and match[1] in notes else heading


def _with_calls(main: str, notes: frozenset[str]) -> str:
    """Calls marked; a tagged number that breaks the count of notes (a year, a rule, an amount)
    stays in the text.
    """
    tags = list(_SUP.finditer(main))
    numbers = [_note_number(main, tag, notes) for tag in tags]
    kept = _running_count(numbers)
    out: list[str] = []
    last = 0
    for index, tag in enumerate(tags):
        out.append(main[last : tag.start()])
        last = tag.end()
        if index in kept:
            out[-1] = out[-1].rstrip(" ")
            out.append(call(tag[1]))
            continue
        if re.search(r"[+$(\d-] $", out[-1][-2:]):
            out[-1] = out[-1][:-1]
        glue = " " if out[-1][-1:].isalpha() and tag[1].isdigit() else ""
        out.append(glue + tag[1])
        if re.match(r" [.,;)]", main[last:]):
            last += 1
        elif tag[1].isdigit() and main[last : last + 1].isalpha():
            out.append(" ")
    return "".join(out) + main[last:]


_NO_CALL_AFTER = re.compile(
    r"(?:\b(?:Rules?|Sections?|§+|notes?|No\.|Nos\.|FR|Form|Exhibit|Part|page|pages|at|Act of|in|"
    r"June|July|May|March|"
    r"April|August|January|February|September|October|November|December) ?|[+$(] ?)$"
)


def _note_number(main: str, tag: re.Match[str], notes: frozenset[str]) -> int | None:
    if not tag[1].isdigit() or (
        notes and tag[1] not in notes and int(tag[1]) > max(map(int, notes))
    ):
        return None
    return (
        None if _NO_CALL_AFTER.search(main[max(0, tag.start() - 12) : tag.start()]) else int(tag[1])
    )


def _running_count(numbers: Sequence[int | None]) -> frozenset[int]:
    """Positions of the longest strictly rising run of numbers: the notes of a release are called
    in order.
    """
    tails: list[int] = []  # positions; tails[k] ends the best run of length k + 1
    before: dict[int, int | None] = {}
    for position, number in enumerate(numbers):
        if number is None:
            continue
        low, high = 0, len(tails)
        while low < high:
            middle = (low + high) // 2
            if (numbers[tails[middle]] or 0) < number:
                low = middle + 1
            else:
                high = middle
        before[position] = tails[low - 1] if low else None
        tails[low:] = [position] if low == len(tails) else [position, *tails[low + 1 :]]
    kept: set[int] = set()
    at = tails[-1] if tails else None
    while at is not None:
        kept.add(at)
        at = before[at]
    return frozenset(kept)


# --- headings, paragraphs and rule text, whatever the shape -------------------------------------


class _Writer:
    """Opens a section at each heading and, in the text of rules, at each labelled paragraph."""

    def __init__(self, outline: Outline, path: HeadingPath) -> None:
        self._outline = outline
        self._headings = path
        self._rule: tuple[str, ...] | None = None  # path inside the text of rules, None outside
        self._labels = Labels()
        self._section = False

    def heading(self, shown: str) -> None:
        plain = without_marks(shown)
        path = self._headings.enter(read_heading(plain) or Heading("I", plain), plain)
        self._rule = path if _RULE_TEXT.search(plain) else None
        self._section = False
        self._outline.open(path)
        self._outline.add(shown)

    def paragraph(self, shown: str) -> None:
        plain = without_marks(shown)
        if part := _PART.match(plain):
            self._rule = (*self._headings.path, plain)
            self._section = False
            self._outline.open(self._rule, Kind.RULE_TEXT, f"Part {part['part']}")
        elif self._rule is not None and (section := _SECTION.match(plain)):
            base = self._rule[:-1] if self._section else self._rule
            self._rule = (*base, f"§ {section['section']} {section['title']}")
            self._labels, self._section = Labels(), True
            self._outline.open(self._rule, Kind.RULE_TEXT)
        elif self._rule is not None and self._section and _is_instruction(plain):
            self._rule, self._section = self._rule[:-1], False
            self._outline.open(self._rule)
        elif self._rule is not None and self._section and (label := self._labels.read(plain)):
            self._outline.open(self._rule, Kind.RULE_TEXT, label)
        self._outline.add(shown)


def _is_instruction(paragraph: str) -> bool:
    """ "2. Amend § 242.600 by revising …": said to the Code's editors, not part of the rule."""
    return bool(
        re.match(
            r"^(?:\d{1,3}\. |■ ?)(?:The |Amend|Add|Revis|Remov|Section |By |In )",
            paragraph,
        )
    )


# --- the print shape ----------------------------------------------------------------------------

_PAGE = re.compile(r"^\s*\[\[Page (\d+)\]\]\s*$")
_RULE_LINE = re.compile(r"^\s*-{20,}\s*$")
_CALL = re.compile(r" ?\\(\d{1,4})\\")
_NOTE_LINE = re.compile(r"^\s*\\(\d{1,4})\\\s*(.*)$")
_RUNNING_HEAD = re.compile(
    r"^\s*Federal Register ?/ ?Vol\.? .*$|^\s*VerDate .*$|"
    r"^\s*(?:Proposed )?Rules(?: and Regulations)?\s*$"
)
_FR_WEB = re.compile(
    r"(?:(?<![ \t])[ \t]+)?(?:•[ \t]{0,9})?(?:Start|End) (?:Preamble|Supplemental Information|Signature|Part|"
    r"Amendment Part|Authority)\b"
)
_FR_WEB_PAGE = re.compile(r"Start Printed Page (\d+)\s*")
_DAY = re.compile(
    r"^(?:Dated: )?(?:January|February|March|April|May|June|July|August|September|October|"
    r"November|December) \d{1,2}, \d{4}\.?$"
)


def _print(text: str) -> Outline:
    text = _FR_WEB_PAGE.sub(lambda match: page_mark(match[1]), _FR_WEB.sub("", text))
    body, notes = _apart(text.split("\n"))
    outline = Outline()
    blocks, bracketed = bracketed_notes(list(whole(paragraphs("\n".join(body)))))
    start = _body_start(blocks)
    outline.open((), Kind.HEADER)
    within = ""
    for block in blocks[:start]:
        if match := _FIELD.match(without_marks(block)):
            name = match["name"].upper()
            if not (within == "DATES" and name.endswith(("DATE", "DATES"))):
                within = name
                outline.open((name,), Kind.HEADER, name)
        outline.add(_CALL.sub(lambda found: call(found[1]), block))
    outline.open()
    writer = _Writer(outline, HeadingPath())
    for block in blocks[start:]:
        shown = _CALL.sub(lambda found: call(found[1]), block)
        plain = without_marks(shown)
        heading = read_heading(plain) if len(plain) < 200 else None
        if heading and not heading.bracketed and not _is_instruction(plain):
            writer.heading(shown)
        else:
            writer.paragraph(shown)
    for label, note in notes + bracketed:
        outline.open(("Footnotes",), Kind.FOOTNOTE, label)
        outline.add(note)
    return outline


def _body_start(blocks: Sequence[str]) -> int:
    """Index of the first paragraph after the front matter: a numbered heading, the day of an
    order, or its last field.
    """
    after_fields = None
    fields = 0
    for index, block in enumerate(blocks):
        plain = without_marks(block)
        field = _FIELD.match(plain)
        fields += bool(field)
        if field and field["name"].upper() == "SUPPLEMENTARY INFORMATION":
            after_fields = index + 1
        heading = read_heading(plain)
        if heading and heading.mark == "I" and not heading.bracketed:
            return index
        if (
            _DAY.match(plain)
            and index
            and not fields
            and any("Release No" in before for before in blocks[:index])
        ):
            return index + 1
    return (
        after_fields if after_fields is not None else len(blocks) if fields else min(1, len(blocks))
    )


def _apart(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Running lines with page marks in place, and the footnotes taken from between them."""
    body: list[str] = []
    notes: list[tuple[str, list[str]]] = []
    in_notes = False
    for index, line in enumerate(lines):
        page, note = _PAGE.match(line), _NOTE_LINE.match(line)
        if page:
            body.append(page_mark(page[1]))
        elif _RULE_LINE.match(line):
            in_notes = not in_notes and _notes_follow(lines, index + 1)
            body.append("")
        elif note:
            in_notes = True
            notes.append((note[1], [note[2]]))
        elif in_notes and line.strip():
            notes[-1][1].append(line)  # _notes_follow has seen that a note begins the block
        elif not in_notes and not _RUNNING_HEAD.match(line):
            body.append(line)
    return body, [(label, one_line(" ".join(kept))) for label, kept in notes]


def _notes_follow(lines: Sequence[str], start: int) -> bool:
    for line in lines[start : start + 4]:
        if line.strip():
            return bool(_NOTE_LINE.match(line))
    return False
