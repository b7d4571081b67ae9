"""An XML document's elements in; its paragraphs, tables and notes, written in order, out.

What GPO's two dialects (Federal Register and eCFR) share: running text with note calls and page breaks in it, tables,
and the walk over block elements that the two specialise.
"""

import re
from datetime import date

from lxml import etree

from ingest.civil import days
from ingest.document import Kind
from ingest.parse.assemble import NOTE, PAGE, Writer, clean, unmarked
from ingest.parse.outline import Labels

Element = etree._Element

DASHES = str.maketrans({"–": "-", "‑": "-", "−": "-"})
SECTION_NUMBER = re.compile(r"\d+[a-z]?\.\w[\w.-]*")


def tag_of(element: Element) -> str:
    """The local name; "" for comments and entity references."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def words(element: Element) -> str:
    """All text inside, as it stands."""
    return "".join(str(text) for text in element.itertext())


def first_day(text: str) -> date | None:
    """The first date that a text states."""
    return next((day.on for day in days(text)), None)


# --- running text

SKIPPED = frozenset(
    (
        "GPH",
        "GID",
        "MATH",
        "MID",
        "BILCOD",
        "CNTNTS",
        "PG",
        "img",
        "IMG",
        "FTREF",
        "FTNT",
        "UNITNAME",
    )
)


class Inline:
    """Mixed content to one line, with footnote calls and page breaks as placeholders."""

    def __init__(self, root: Element) -> None:
        self.notes = {label for note in root.iter("FTNT") if (label := _note_label(note))}
        self.skipped = 0

    def text(
        self, element: Element, *, table: frozenset[str] | None = None
    ) -> tuple[str, list[str]]:
        """The element's text, clean, and the labels of its placeholders. table: labels of the table's own notes."""
        pieces: list[str] = []
        marks: list[str] = []
        self._collect(element, pieces, marks, table)
        return clean("".join(pieces)), marks

    def _collect(
        self, element: Element, pieces: list[str], marks: list[str], table: frozenset[str] | None
    ) -> None:
        unpad = _Unpad(element)
        pieces.append(unmarked(unpad(element.text)))
        for child in element:
            tag = tag_of(child)
            if tag == "SU":
                self._raised(child, pieces, marks, table)
            elif tag == "PRTPAGE":
                if number := page_number(child):
                    pieces.append(PAGE)
                    marks.append(number)
            elif tag in ("LI", "BR", "br"):
                pieces.append(" ")
                self._collect(child, pieces, marks, table)
                pieces.append(" ")
            elif tag in SKIPPED:
                self.skipped += tag in ("GPH", "MATH", "img", "IMG")
            elif tag == "STARS":
                pieces.append(" * * * * * ")
            elif tag:
                self._collect(child, pieces, marks, table)
            pieces.append(unmarked(unpad(child.tail)))

    def _raised(
        self, child: Element, pieces: list[str], marks: list[str], table: frozenset[str] | None
    ) -> None:
        """<SU> is a note call where a note answers it, else an exponent or a chemical number."""
        text = clean(words(child))
        labels = [label for label in re.split(r"[\s,]+", text.strip("[]() .")) if label]
        if table is not None:
            if not (labels and all(label in table for label in labels)):
                pieces.append(text)
            return
        following = child.getnext()
        called = following is not None and tag_of(following) == "FTREF"
        if labels and (called or all(label in self.notes for label in labels)):
            pieces.append(NOTE * len(labels))
            marks.extend(labels)
        else:
            pieces.append(text)


def page_number(element: Element) -> str:
    """Of a <PRTPAGE>; one without a number is an artefact of typesetting."""
    return (element.get("P") or "").strip()


class _Unpad:
    """Takes away line breaks and indentation that a pretty-printer put around inline elements, and only those.

    "(a)\\n    <E>word</E>\\n    ), the" was "(a)<E>word</E>), the" before it was indented; a real blank stands as one
    space more than the indentation.
    """

    def __init__(self, element: Element) -> None:
        self._indent: int | None = None
        if not len(element):
            return
        last = element[-1].tail or ""
        _, newline, pad = last.rpartition("\n")
        if newline and not pad.strip(" ") and (element.text or "\n").startswith("\n"):
            self._indent = len(pad) + 4
            self._end = newline + pad

    def __call__(self, text: str | None) -> str:
        if not text or self._indent is None:
            return text or ""
        pad = "\n" + " " * self._indent
        if text.endswith(pad):
            text = text[: -len(pad)]
        elif text.endswith(self._end):
            text = text[: -len(self._end)]
        return text[len(pad) :] if text.startswith(pad) else text


def _note_label(note: Element) -> str | None:
    raised = note.find(".//SU")
    return clean(words(raised)).strip("[]() .") or None if raised is not None else None


def _without_label(text: str, marks: list[str], label: str | None) -> tuple[str, list[str]]:
    """A note's text with its own number as plain text: the first placeholder is the number, not a call."""
    if label and text.startswith(NOTE) and marks and marks[0] == label:
        return f"{label} {text[1:].lstrip()}", marks[1:]
    if label and text.startswith(label):
        return f"{label} {text[len(label) :].lstrip(' .')}", marks
    return text, marks


def heading_text(text: str) -> str:
    """As it goes into a path: without the period or colon that closes it in print."""
    text = unmarked(text).strip()
    return text[:-1].rstrip() if text.endswith((":", ".")) and not text.endswith("..") else text


# --- tables


def _gpo_table(table: Element, inline: Inline) -> tuple[str, list[str]]:
    """A GPOTABLE as lines: title, column heads, rows, notes. Heads of two levels are written "upper: lower"."""
    own = frozenset(
        label
        for note in table.iter("TNOTE")
        if (raised := note.find("SU")) is not None and (label := clean(words(raised)))
    )
    lines: list[str] = []
    marks: list[str] = []

    def add(cells: list[str]) -> None:
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            lines.append(" | ".join(cells).replace("  ", " ").strip())

    for child in table:
        tag = tag_of(child)
        if tag == "BOXHD":
            add(_column_heads(child, inline, own))
        elif tag == "ROW":
            cells: list[str] = []
            turned = ""
            for entry in child:
                if tag_of(entry) == "PRTPAGE" and (number := page_number(entry)):
                    turned = PAGE
                    marks.append(number)
                elif tag_of(entry) == "ENT":
                    text, found = inline.text(entry, table=own)
                    marks.extend(found)
                    cells.append(re.sub(r"\s*\.{3,}$", "", text))
            if cells:
                cells[0] = turned + cells[0]
            add(cells)
        elif tag == "TNOTE":
            text, found = inline.text(child, table=frozenset())
            marks.extend(found)
            add([text])
        elif tag == "PRTPAGE" and (number := page_number(child)):
            marks.append(number)
            lines.append(PAGE)
        elif tag not in SKIPPED:
            text, found = inline.text(child, table=own)
            marks.extend(found)
            add([text])
    return "\n".join(lines).replace(f"{PAGE}\n", PAGE), marks


def _column_heads(box: Element, inline: Inline, own: frozenset[str]) -> list[str]:
    above: list[str] = []
    heads: list[tuple[int, str]] = []
    cells = list(box.iter("CHED"))
    levels = [int(written) if (written := cell.get("H") or "").isdigit() else 1 for cell in cells]
    entries = [
        (level, inline.text(cell, table=own)[0]) for level, cell in zip(levels, cells, strict=True)
    ]
    for at, (level, text) in enumerate(entries):
        del above[level - 1 :]
        if at + 1 < len(entries) and entries[at + 1][0] > level:
            above.append(text)
            continue
        heads.append(
            (level, ": ".join([*(head for head in above if head), text] if text else above))
        )
    return [text for _, text in heads]


def _html_table(table: Element, inline: Inline) -> tuple[str, list[str]]:
    lines: list[str] = []
    marks: list[str] = []
    for row in table.iter("TR", "tr"):
        cells: list[str] = []
        for cell in row:
            if tag_of(cell).upper() in ("TD", "TH"):
                text, found = inline.text(cell)
                cells.append(text)
                marks.extend(found)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            lines.append(" | ".join(cells).replace("  ", " ").strip())
    return "\n".join(lines), marks


# --- the walk that both dialects share


class Walk:
    """Goes through a document's block elements in order and writes them."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.inline = Inline(root)
        self.writer = Writer()
        self.base: tuple[str, ...] = ()
        self.heads: list[tuple[int, str]] = []
        self.kind = Kind.BODY
        self.labels: Labels | None = None  # inside a section of a regulation
        self.label: str | None = None  # of all that is written meanwhile

    @property
    def path(self) -> tuple[str, ...]:
        return self.base + tuple(title for _, title in self.heads)

    def inside(self, element: Element, kind: Kind | None = None) -> None:
        """The children, with headings that end where the element ends."""
        held = self.heads, self.kind
        self.heads, self.kind = list(self.heads), kind or self.kind
        self.children(element)
        self.heads, self.kind = held

    def children(self, element: Element) -> None:
        if (element.text or "").strip() and not _is_line(element):
            self.paragraph(element)
            return
        for child in element:
            self.block(child)
            if (child.tail or "").strip():
                self.writer.add(clean(unmarked(child.tail or "")), path=self.path, kind=self.kind)

    def block(self, element: Element) -> None:
        raise NotImplementedError

    def paragraph(self, element: Element) -> tuple[int, int]:
        """One paragraph; in a regulation it carries its label."""
        text, marks = self.inline.text(element)
        label = self.label
        if self.labels is not None and text:
            label = self.labels.read(text.lstrip(PAGE))
            if label is None and self.labels.label[1:2].isdecimal():
                # In a section of definitions each new term starts its (1), (2) afresh.
                self.labels = Labels()
        return self.writer.add(text, marks, path=self.path, kind=self.kind, label=label)

    def heading(self, element: Element, level: int) -> None:
        text, marks = self.inline.text(element)
        title = heading_text(text)
        self.heads = [head for head in self.heads if head[0] < level]
        if title:
            self.heads.append((level, title))
        self.writer.add(text, marks, path=self.path, kind=self.kind, label=self.label)

    def note(self, element: Element) -> None:
        label = _note_label(element)
        texts: list[str] = []
        marks: list[str] = []
        for part in (
            [child for child in element if tag_of(child)]
            if not (element.text or "").strip()
            else [element]
        ):
            text, found = self.inline.text(part)
            if not texts:
                text, found = _without_label(text, found, label)
            texts.append(text)
            marks.extend(found)
        self.writer.note(label or "", "\n\n".join(texts), marks)

    def table(self, element: Element) -> None:
        gpo = tag_of(element) == "GPOTABLE"
        text, marks = (_gpo_table if gpo else _html_table)(element, self.inline)
        self.writer.add(text, marks, path=self.path, kind=Kind.TABLE)

    def warned(self, warnings: list[str]) -> list[str]:
        if self.inline.skipped:
            warnings = [*warnings, f"{self.inline.skipped} graphics or formulas are not in the XML"]
        return warnings


LINES = frozenset(
    "P FP FP-1 FP-2 FP-DASH FP1-2 FRP AGENCY SUBAGY CFR DEPDOC RIN SUBJECT DATE AMDPAR SECTNO NAME TITLE DATED FRDOC PROC "
    "PRES TITLE3 PSIG PLACE FILED PNOTICE CITA PSPACE HED HEAD HD HD1 HD2 HD3 TTITLE AC APPRO SECAUTH".split()
)


def _is_line(element: Element) -> bool:
    """Known only as a container, so stray text in it is an accident of the mark-up."""
    return tag_of(element) not in LINES and any(tag_of(child) in LINES for child in element)
