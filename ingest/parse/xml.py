"""Federal Register, eCFR and other XML in, Document out; a whole issue or title in, its documents one by one out."""

import re
from collections.abc import Iterator
from datetime import date
from io import BytesIO

from lxml import etree

from ingest.civil import days
from ingest.document import Authority, DocType, Document, Kind, Metadata, Where
from ingest.errors import Unreadable
from ingest.parse.assemble import NOTE, PAGE, Writer, clean, unmarked
from ingest.parse.outline import Labels

MAX_BYTES = 64 * 2**20
FR_DOCUMENTS = ("RULE", "PRORULE", "NOTICE", "PRESDOCU", "CORRECT")
_ECFR_ROOTS = ("DLPSTEXTCLASS", "ECFR", "ECFRBRWS")
_ECFR_UNITS = ("DIV8", "DIV9")
_ECFR_LEVELS = ("DIV1", "DIV2", "DIV3", "DIV4", "DIV5", "DIV6", "DIV7")

Element = etree._Element


# --- reading safely


def _parser(*, recover: bool = False) -> etree.XMLParser:
    """Entities stay what they are, nothing is fetched, and libxml2's own limits on depth and size stay on."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _root(data: bytes) -> tuple[Element, list[str]]:
    """The root element and warnings. Raises Unreadable: "empty", "too-large", "too-deep", "truncated", "damaged"."""
    if not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise Unreadable("empty", "the file is empty", "fetch it again")
    if len(data) > MAX_BYTES:
        raise _too_large(data)
    warnings: list[str] = []
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        _refuse_hostile(data, str(error))
        warnings.append(f"broken XML, read as far as possible: {error.msg}")
        root = etree.fromstring(data, _parser(recover=True))
        if root is None or not "".join(root.itertext()).strip():
            raise Unreadable("truncated", f"the XML breaks off before any text: {error.msg}", "fetch it again") from None
    except ValueError as error:
        raise Unreadable("damaged", f"the XML cannot be read: {error}", "fetch it again") from error
    _refuse_entities(root)
    return root, warnings


def _too_large(data: bytes) -> Unreadable:
    return Unreadable(
        "too-large",
        f"{len(data) / 2**20:,.0f} MB of XML; the limit is {MAX_BYTES // 2**20} MB",
        "split it, one document per file",
    )


def _refuse_hostile(data: bytes, message: str) -> None:
    """Errors that mean the file is not merely broken."""
    words = message.lower()
    if "depth" in words:
        raise Unreadable("too-deep", "elements are nested more than 256 deep", "no publisher nests so; check the source")
    if "huge" in words or "too long" in words:
        raise Unreadable("too-large", f"one piece of the XML is too long: {message}", "check the source of the file")
    if "entity" in words and b"<!ENTITY" in data[: 1 << 20]:
        raise _entities()


def _refuse_entities(root: Element) -> None:
    dtd = root.getroottree().docinfo.internalDTD
    if dtd is not None and any(True for _ in dtd.iterentities()):
        raise _entities()


def _entities() -> Unreadable:
    return Unreadable(
        "damaged",
        "the XML declares entities of its own, which are never expanded or fetched",
        "save it with its entities resolved and without a DOCTYPE, if you trust the source",
    )


def root_name(data: bytes) -> str:
    """The name of the first element, without prefix; "" if there is none in the first 64 KB."""
    head = re.sub(rb"<!--.*?-->", b"", data[: 1 << 16].replace(b"\0", b""), flags=re.DOTALL)
    found = re.search(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", head)
    return found.group(2).decode("ascii", "replace") if found else ""


# --- one document


def parse(data: bytes, name: str) -> Document:
    """One Federal Register document, one or more eCFR sections, or any other XML as "Name: value" lines.

    Raises Unreadable, also for a whole issue: that is what `split` is for.
    """
    root, warnings = _root(data)
    tag = _tag(root)
    if tag == "FEDREG":
        raise Unreadable(
            "unknown-format",
            f"{name} is a whole issue of the Federal Register, not one document",
            "ingest it as a file of its own, or read its documents with ingest.parse.parts",
        )
    document: Document
    if tag in FR_DOCUMENTS or tag == "PRESDOC":
        document = _FederalRegister(root).document(warnings)
    elif tag in _ECFR_ROOTS or tag in _ECFR_UNITS or tag in _ECFR_LEVELS:
        document = _Ecfr(root).document(warnings)
    else:
        document = _plain(root, warnings)
    if not document.text:
        raise Unreadable("no-text", f"{name} holds elements but no text", "check that the right file was fetched")
    return document


def _tag(element: Element) -> str:
    """The local name; "" for comments and entity references."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


# --- running text

_SKIPPED = frozenset(("GPH", "GID", "MATH", "MID", "BILCOD", "CNTNTS", "PG", "img", "IMG", "FTREF", "FTNT", "UNITNAME"))


class _Inline:
    """Mixed content to one line, with footnote calls and page breaks as placeholders."""

    def __init__(self, root: Element) -> None:
        self.notes = {label for note in root.iter("FTNT") if (label := _note_label(note))}
        self.skipped = 0

    def text(self, element: Element, *, table: frozenset[str] | None = None) -> tuple[str, list[str]]:
        """The element's text, clean, and the labels of its placeholders. table: labels of the table's own notes."""
        pieces: list[str] = []
        marks: list[str] = []
        self._collect(element, pieces, marks, table)
        return clean("".join(pieces)), marks

    def _collect(self, element: Element, pieces: list[str], marks: list[str], table: frozenset[str] | None) -> None:
        unpad = _Unpad(element)
        pieces.append(unmarked(unpad(element.text)))
        for child in element:
            tag = _tag(child)
            if tag == "SU":
                self._raised(child, pieces, marks, table)
            elif tag == "PRTPAGE":
                if number := _page_number(child):
                    pieces.append(PAGE)
                    marks.append(number)
            elif tag in ("LI", "BR", "br"):
                pieces.append(" ")
                self._collect(child, pieces, marks, table)
                pieces.append(" ")
            elif tag in _SKIPPED:
                self.skipped += tag in ("GPH", "MATH", "img", "IMG")
            elif tag == "STARS":
                pieces.append(" * * * * * ")
            elif tag:
                self._collect(child, pieces, marks, table)
            pieces.append(unmarked(unpad(child.tail)))

    def _raised(self, child: Element, pieces: list[str], marks: list[str], table: frozenset[str] | None) -> None:
        """<SU> is a note call where a note answers it, else an exponent or a chemical number."""
        text = clean("".join(child.itertext()))
        labels = [label for label in re.split(r"[\s,]+", text.strip("[]() .")) if label]
        if table is not None:
            if not (labels and all(label in table for label in labels)):
                pieces.append(text)
            return
        following = child.getnext()
        called = following is not None and _tag(following) == "FTREF"
        if labels and (called or all(label in self.notes for label in labels)):
            pieces.append(NOTE * len(labels))
            marks.extend(labels)
        else:
            pieces.append(text)


def _page_number(element: Element) -> str:
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
        head, newline, pad = last.rpartition("\n")
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
    return clean("".join(raised.itertext())).strip("[]() .") or None if raised is not None else None


def _without_label(text: str, marks: list[str], label: str | None) -> tuple[str, list[str]]:
    """A note's text with its own number as plain text: the first placeholder is the number, not a call."""
    if label and text.startswith(NOTE) and marks and marks[0] == label:
        return f"{label} {text[1:].lstrip()}", marks[1:]
    if label and text.startswith(label):
        return f"{label} {text[len(label) :].lstrip(' .')}", marks
    return text, marks


def _heading(text: str) -> str:
    """As it goes into a path: without the period or colon that closes it in print."""
    text = unmarked(text).strip()
    return text[:-1].rstrip() if text.endswith((":", ".")) and not text.endswith("..") else text


# --- tables


def _gpo_table(table: Element, inline: _Inline) -> tuple[str, list[str]]:
    """A GPOTABLE as lines: title, column heads, rows, notes. Heads of two levels are written "upper: lower"."""
    own = frozenset(
        label
        for note in table.iter("TNOTE")
        if (raised := note.find("SU")) is not None and (label := clean("".join(raised.itertext())))
    )
    lines: list[str] = []
    marks: list[str] = []

    def add(cells: list[str]) -> None:
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            lines.append(" | ".join(cells).replace("  ", " ").strip())

    for child in table:
        tag = _tag(child)
        if tag == "BOXHD":
            add(_column_heads(child, inline, own))
        elif tag == "ROW":
            cells: list[str] = []
            turned = ""
            for entry in child:
                if _tag(entry) == "PRTPAGE" and (number := _page_number(entry)):
                    turned = PAGE
                    marks.append(number)
                elif _tag(entry) == "ENT":
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
        elif tag == "PRTPAGE" and (number := _page_number(child)):
            marks.append(number)
            lines.append(PAGE)
        elif tag not in _SKIPPED:
            text, found = inline.text(child, table=own)
            marks.extend(found)
            add([text])
    return "\n".join(lines).replace(f"{PAGE}\n", PAGE), marks


def _column_heads(box: Element, inline: _Inline, own: frozenset[str]) -> list[str]:
    above: list[str] = []
    heads: list[tuple[int, str]] = []
    entries = [(int(h) if (h := cell.get("H") or "1").isdigit() else 1, inline.text(cell, table=own)[0]) for cell in box.iter("CHED")]
    for at, (level, text) in enumerate(entries):
        del above[level - 1 :]
        if at + 1 < len(entries) and entries[at + 1][0] > level:
            above.append(text)
            continue
        heads.append((level, ": ".join([*(head for head in above if head), text] if text else above)))
    return [text for _, text in heads]


def _html_table(table: Element, inline: _Inline) -> tuple[str, list[str]]:
    lines: list[str] = []
    marks: list[str] = []
    for row in table.iter("TR", "tr"):
        cells: list[str] = []
        for cell in row:
            if _tag(cell).upper() in ("TD", "TH"):
                text, found = inline.text(cell)
                cells.append(text)
                marks.extend(found)
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            lines.append(" | ".join(cells).replace("  ", " ").strip())
    return "\n".join(lines), marks


# --- the walk that both dialects share


class _Walk:
    """Goes through a document's block elements in order and writes them."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self.inline = _Inline(root)
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
        title = _heading(text)
        self.heads = [head for head in self.heads if head[0] < level]
        if title:
            self.heads.append((level, title))
        self.writer.add(text, marks, path=self.path, kind=self.kind, label=self.label)

    def note(self, element: Element) -> None:
        label = _note_label(element)
        texts: list[str] = []
        marks: list[str] = []
        for part in [child for child in element if _tag(child)] if not (element.text or "").strip() else [element]:
            text, found = self.inline.text(part)
            if not texts:
                text, found = _without_label(text, found, label)
            texts.append(text)
            marks.extend(found)
        self.writer.note(label or "", "\n\n".join(texts), marks)

    def table(self, element: Element) -> None:
        gpo = _tag(element) == "GPOTABLE"
        text, marks = (_gpo_table if gpo else _html_table)(element, self.inline)
        self.writer.add(text, marks, path=self.path, kind=Kind.TABLE)

    def warned(self, warnings: list[str]) -> list[str]:
        if self.inline.skipped:
            warnings = [*warnings, f"{self.inline.skipped} graphics or formulas are not in the XML"]
        return warnings


_LINES = frozenset(
    "P FP FP-1 FP-2 FP-DASH FP1-2 FRP AGENCY SUBAGY CFR DEPDOC RIN SUBJECT DATE AMDPAR SECTNO NAME TITLE DATED FRDOC PROC "
    "PRES TITLE3 PSIG PLACE FILED PNOTICE CITA PSPACE HED HEAD HD HD1 HD2 HD3 TTITLE AC APPRO SECAUTH".split()
)


def _is_line(element: Element) -> bool:
    """Known only as a container, so stray text in it is an accident of the mark-up."""
    return _tag(element) not in _LINES and any(_tag(child) in _LINES for child in element)


# --- Federal Register

_FRONT = frozenset(("AGENCY", "SUBAGY", "CFR", "DEPDOC", "RIN", "SUBJECT", "DATE"))
_FRONT_SECTIONS = {"AGY": Kind.HEADER, "ACT": Kind.HEADER, "DATES": Kind.HEADER, "EFFDATE": Kind.HEADER}
_FRONT_SECTIONS |= {"ADD": Kind.HEADER, "FURINF": Kind.HEADER, "SUM": Kind.BODY, "PREAMHD": Kind.BODY, "CORRECT": Kind.BODY}
_HD_LEVEL = {"HED": 1, "HD1": 1, "HD2": 2, "HD3": 3, "HD4": 4, "HD5": 5, "HD6": 6, "HD8": 7}

_FILES = re.compile(r"\b(?:File|Docket) (?:Nos?\.?|Numbers?|ID)[\s:]*([^;\]]+)", re.IGNORECASE)
_FILE_NUMBER = re.compile(r"[A-Z0-9][\w/-]*-\d[\w-]*")
_RELEASES = re.compile(r"\bRelease (?:Nos?\.?|Numbers?)[\s:]*(.*?)(?=;? (?:File|Docket)\b|\]|$)", re.IGNORECASE)
_RELEASE = re.compile(r"\b(?:33|34|35|39|IA|IC)-\d{3,6}[A-Z]?\b")
_RIN = re.compile(r"\b\d{4}-[A-Z]{2}\d{2}\b")
_FR_DOC = re.compile(r"FR Doc\.?\s*([A-Z]?\d{1,4}-\d+)", re.IGNORECASE)
_ORDER = re.compile(r"\border\b", re.IGNORECASE)
_DASHES = str.maketrans({"–": "-", "‑": "-", "−": "-"})
_SECTION_NUMBER = re.compile(r"\d+[a-z]?\.\w[\w.-]*")


class _FederalRegister(_Walk):
    """RULE, PRORULE, NOTICE, PRESDOCU: what GPO typesets."""

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        self.said: dict[str, list[tuple[str, tuple[int, int]]]] = {}
        self.sections: list[str] = []
        self.title: str | None = None  # of the Code, of the REGTEXT we are in
        self.part: tuple[str, ...] = ()

    def document(self, warnings: list[str]) -> Document:
        self.children(self.root)
        metadata = self._metadata()
        page = self.root.get("PAGE") or None
        return self.writer.finish("fr-xml", metadata, self.warned(warnings), page)

    def block(self, element: Element) -> None:
        tag = _tag(element)
        if tag == "PRTPAGE":
            if number := _page_number(element):
                self.writer.page(number)
        elif tag == "HD":
            self.heading(element, _HD_LEVEL.get(element.get("SOURCE") or "HD1", 1))
        elif tag == "FTNT":
            self.note(element)
        elif tag == "GPOTABLE":
            self.table(element)
        elif tag == "STARS":
            self.writer.add("* * * * *", path=self.path, kind=self.kind)
        elif tag in _FRONT and self.kind is not Kind.RULE_TEXT:
            self._front(element, tag)
        elif tag in _FRONT_SECTIONS:
            self._front_section(element, tag)
        elif tag == "PART":
            self._part(element)
        elif tag == "REGTEXT":
            self._regtext(element)
        elif tag == "SECTION":
            self._section(element)
        elif tag in ("EXTRACT", "APPENDIX") and self.title is not None:
            self.inside(element, Kind.RULE_TEXT)
        elif tag == "AMDPAR":
            self._amendment(element)
        elif tag == "SIG":
            self._apart(element, Kind.BODY)
        elif tag in ("FRDOC", "FILED"):
            self._front(element, tag)
        elif tag in _LINES:
            self.paragraph(element)
        elif tag in _SKIPPED:
            self.inline.skipped += tag in ("GPH", "MATH")
        elif tag:
            self.inside(element)

    def _front(self, element: Element, tag: str) -> None:
        text, marks = self.inline.text(element)
        span = self.writer.add(text, marks, kind=Kind.HEADER)
        self.said.setdefault(tag, []).append((unmarked(text), span))

    def _front_section(self, element: Element, tag: str) -> None:
        """ACTION, DATES and their like: one section each, labelled with its head, and its head is its path."""
        held = self.label
        head = element.find("HD")
        self.label = _heading(self.inline.text(head)[0]).upper() if head is not None and tag != "PREAMHD" else None
        start = self.writer.length
        self.inside(element, _FRONT_SECTIONS[tag])
        self.label = held
        body = " ".join(self.inline.text(p)[0] for p in element.iter("P", "FP"))
        self.said.setdefault(tag, []).append((unmarked(body), (start, self.writer.length)))

    def _apart(self, element: Element, kind: Kind) -> None:
        """A block that belongs to the document, not to the heading before it."""
        held = self.base, self.heads, self.kind, self.labels
        self.base, self.heads, self.kind, self.labels = (), [], kind, None
        self.children(element)
        self.base, self.heads, self.kind, self.labels = held

    def _part(self, element: Element) -> None:
        """ "PART 242—REGULATION …": stands over the amendments that follow."""
        heading = element.find("HD")
        if heading is None:
            self.inside(element)
            return
        self.base, self.heads = (), []
        for child in element:
            self.block(child)
        self.part = self.path[:1]

    def _regtext(self, element: Element) -> None:
        held = self.title
        self.title = element.get("TITLE") or held
        if not self.part and element.get("PART"):
            self.part = (f"{self.title or ''} CFR Part {element.get('PART')}".strip(),)
        self.inside(element, Kind.BODY)
        self.title = held

    def _section(self, element: Element) -> None:
        """A section as it is to be printed in the Code: the heading is its number and subject, every (a) has its label."""
        number = self._line(element, "SECTNO")
        subject = self._line(element, "SUBJECT")
        if found := _SECTION_NUMBER.search(number.translate(_DASHES)):
            self.sections.append(found.group().rstrip("."))
        heading = f"{number} {subject}".strip()
        self.base, self.heads, self.labels = ((_heading(heading),) if heading else ()), [], Labels()
        held, self.kind = self.kind, Kind.RULE_TEXT
        page = next((c for c in element if _tag(c) == "PRTPAGE" and c.getprevious() is None), None)
        if page is not None:
            self.block(page)
        self.writer.add(heading, path=self.path, kind=self.kind)
        for child in element:
            if _tag(child) not in ("SECTNO", "SUBJECT") and child is not page:
                self.block(child)
        self.kind = held

    def _line(self, element: Element, tag: str) -> str:
        found = element.find(tag)
        return unmarked(self.inline.text(found)[0]) if found is not None else ""

    def _amendment(self, element: Element) -> None:
        """ "2. Amend § 242.612 by …": an instruction to the Code's editors, not wording of the Code."""
        self.base, self.heads, self.labels = self.part, [], None
        text, marks = self.inline.text(element)
        self.writer.add(text, marks, path=self.path, kind=Kind.BODY)

    # --- metadata

    def _metadata(self) -> Metadata:
        metadata = Metadata(authority=Authority.OFFICIAL_TEXT)
        metadata.where["authority"] = Where("the format")

        def put(field: str, value: object, tag: str) -> None:
            if value:
                setattr(metadata, field, value)
                spans = [span for _, span in self.said.get(tag, [])]
                start, end = (spans[0][0], spans[-1][1]) if spans else (-1, -1)
                metadata.where[field] = Where(f"<{tag}>", start, end)

        said = self._said
        put("title", said("SUBJECT") or _first_heading(self.root), "SUBJECT")
        put("agency", "; ".join(_agency(text) for text, _ in self.said.get("AGENCY", [])), "AGENCY")
        deposited = said("DEPDOC").translate(_DASHES)
        releases = [number for listed in _RELEASES.findall(deposited) for number in _RELEASE.findall(listed)]
        put("release", next((r for r in releases if r.startswith("34-")), releases[0] if releases else None), "DEPDOC")
        listed = [number.strip() for found in _FILES.findall(deposited) for number in re.split(r",| and ", found)]
        put("file_numbers", tuple(dict.fromkeys(n for n in listed if _FILE_NUMBER.fullmatch(n))), "DEPDOC")
        put("rin", tuple(dict.fromkeys(_RIN.findall(f"{said('RIN')} {said('DEPDOC')}".translate(_DASHES)))), "RIN")
        found = _FR_DOC.search(said("FRDOC").translate(_DASHES))
        put("fr_document", found.group(1) if found else None, "FRDOC")
        put("doc_type", self._type(), "ACT" if "ACT" in self.said else "SUBJECT")
        title = next((t for e in self.root.iter("REGTEXT") if (t := e.get("TITLE"))), None)
        if self.sections:
            metadata.cfr_sections = tuple(dict.fromkeys(self.sections))
            metadata.where["cfr_sections"] = Where(f"{title or '17'} CFR, <SECTNO>")
        self._issue(metadata)
        return metadata

    def _said(self, tag: str) -> str:
        return " ".join(text for text, _ in self.said.get(tag, []))

    def _type(self) -> DocType | None:
        tag = _tag(self.root)
        action = self._said("ACT").lower()
        subject = self._said("SUBJECT")
        if "withdraw" in action or re.search(r"\bwithdrawal of\b", subject, re.IGNORECASE):
            return DocType.WITHDRAWAL
        if tag == "RULE":
            interpretive = "interpret" in action or "policy" in action
            return DocType.INTERPRETATION if interpretive and "final rule" not in action else DocType.FINAL_RULE
        if tag == "PRORULE":
            return DocType.PROPOSED_RULE
        if tag == "NOTICE":
            return DocType.ORDER if _ORDER.search(f"{subject} {action}") else DocType.NOTICE
        if tag.startswith("PRESDOC"):
            return DocType.ORDER if self.root.find(".//EXECORD") is not None else DocType.OTHER
        return None

    def _issue(self, metadata: Metadata) -> None:
        """What `split` wrote on the element from the issue around it."""
        if day := _day(self.root.get("ISSUE") or ""):
            metadata.published_on = day
            metadata.where["published_on"] = Where("Federal Register issue")
        volume = self.root.get("VOL")
        first = self._first_page()
        if volume and first:
            metadata.fr_citation = f"{volume} FR {first}"
            metadata.where["fr_citation"] = Where("<VOL>, <PRTPAGE>")

    def _first_page(self) -> str | None:
        """The page it begins on: its own mark if that stands before any text, else the issue's last one before it."""
        for element in self.root.iter():
            if _tag(element) == "PRTPAGE":
                return element.get("P")
            if (element.text or "").strip():
                break
        return self.root.get("PAGE")


def _day(text: str) -> date | None:
    return next((day.on for day in days(text)), None)


def _first_heading(root: Element) -> str:
    heading = next(root.iter("HD"), None)
    return clean(unmarked("".join(heading.itertext()))) if heading is not None else ""


def _agency(text: str) -> str:
    """ "SECURITIES AND EXCHANGE COMMISSION" as it is written elsewhere."""
    if not text.isupper():
        return text
    small = {"And", "Of", "The", "For", "On", "To", "In"}
    words = [word.lower() if at and word in small else word for at, word in enumerate(text.title().split())]
    return " ".join(words)


# --- eCFR


class _Ecfr(_Walk):
    """DIV1 (title) to DIV8 (section) and DIV9 (appendix): the Code as amended to date."""

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        self.units = [e for e in root.iter(*_ECFR_UNITS)] or [root]
        self.title = _title_number(root)

    def document(self, warnings: list[str]) -> Document:
        for head in self._above():
            self.writer.add(head, kind=Kind.HEADER)
        for unit in self.units:
            self._unit(unit)
        return self.writer.finish("ecfr-xml", self._metadata(), self.warned(warnings))

    def _above(self) -> list[str]:
        """Headings of what encloses the first unit, outermost first."""
        first = self.units[0]
        heads = [e for e in self.root if _tag(e) == "HEAD"] if _tag(self.root) == "ECFR" else []
        heads += [head for up in reversed(list(first.iterancestors(*_ECFR_LEVELS))) if (head := up.find("HEAD")) is not None]
        return [text for head in heads if (text := unmarked(self.inline.text(head)[0]))]

    def _unit(self, unit: Element) -> None:
        head = unit.find("HEAD")
        text, marks = self.inline.text(head) if head is not None else (unit.get("N") or "", [])
        title = _heading(text)
        self.base, self.heads = ((title,) if title else ()), []
        self.kind, self.labels = Kind.RULE_TEXT, Labels()
        self.writer.add(text, marks, path=self.path, kind=self.kind)
        for child in unit:
            if child is not head:
                self.block(child)

    def block(self, element: Element) -> None:
        tag = _tag(element)
        if tag in ("TABLE", "table", "GPOTABLE"):
            self.table(element)
        elif tag in ("HD1", "HD2", "HD3", "HEAD"):
            self.heading(element, int(tag[2]) if tag[2].isdigit() else 1)
        elif tag == "FTNT":
            self.note(element)
        elif tag in ("CITA", "SECAUTH", "APPRO", "AMDDATE"):
            self._aside(element)
        elif tag in ("EDNOTE", "EFFDNOT", "CROSSREF", "AUTH", "SOURCE"):
            held = self.labels
            self.labels = None
            self.inside(element, Kind.BODY)
            self.labels = held
        elif tag in ("NOTE", "EXAMPLE"):
            held = self.labels
            self.labels = None
            self.inside(element)
            self.labels = held
        elif tag == "HED":
            self.heading(element, 4)
        elif tag == "STARS":
            self.writer.add("* * * * *", path=self.path, kind=self.kind)
        elif tag == "PRTPAGE":
            if number := _page_number(element):
                self.writer.page(number)
        elif tag in _SKIPPED:
            self.inline.skipped += tag in ("GPH", "MATH", "img", "IMG")
        elif tag in _LINES or ((element.text or "").strip() and tag):
            self.paragraph(element)
        elif tag:
            self.inside(element)

    def _aside(self, element: Element) -> None:
        """Where the wording comes from; not itself wording of the rule."""
        text, marks = self.inline.text(element)
        self.writer.add(text, marks, path=self.base, kind=Kind.BODY)

    def _metadata(self) -> Metadata:
        metadata = Metadata(authority=Authority.OFFICIAL_TEXT, doc_type=DocType.REGULATION)
        metadata.where |= {field: Where("the format") for field in ("authority", "doc_type")}
        numbers = [number for unit in self.units if (number := section_number(unit))]
        if numbers:
            metadata.cfr_sections = tuple(dict.fromkeys(numbers))
            metadata.where["cfr_sections"] = Where(f"{self.title or '17'} CFR, <DIV8 N>")
        head = self.units[0].find("HEAD")
        name = clean(unmarked("".join(head.itertext()))) if head is not None else ""
        if len(self.units) == 1 and name:
            metadata.title = f"{self.title} CFR {name.lstrip('§ ')}" if self.title else name
            metadata.where["title"] = Where("<DIV8><HEAD>")
        stamp = next(self.root.iter("AMDDATE"), None)
        written = (stamp.text or "") if stamp is not None else self.root.get("AMDDATE") or ""
        if day := _day(written):
            metadata.published_on = day
            metadata.where["published_on"] = Where("<AMDDATE>")
        return metadata


def section_number(unit: Element) -> str | None:
    """ "242.612" of a DIV8; None of an appendix."""
    found = _SECTION_NUMBER.search((unit.get("N") or "").translate(_DASHES))
    return found.group().rstrip(".") if found and _tag(unit) == "DIV8" else None


def _title_number(root: Element) -> str | None:
    if _tag(root) == "ECFR" and root.get("TITLE"):
        return root.get("TITLE")
    for element in root.iter("DIV1"):
        # In a volume of a large title N is the volume; NODE begins with the title.
        node = (element.get("NODE") or "").partition(":")[0]
        return node or element.get("N")
    for element in root.iter("IDNO"):
        return (element.text or "").strip() or None
    return None


# --- other XML


def _plain(root: Element, warnings: list[str]) -> Document:
    """Every element with text as a line "Name: value", in order; what a container holds stays together."""
    writer = Writer()
    _lines(root, writer)
    metadata = Metadata()
    info = root if _tag(root) == "RIN_INFO" else next((e for e in root.iter() if _tag(e) == "RIN_INFO"), None)
    if info is not None:
        metadata.doc_type, metadata.authority = DocType.AGENDA, Authority.OFFICIAL_TEXT
        metadata.title = (info.findtext("RULE_TITLE") or "").strip() or None
        metadata.agency = (info.findtext("AGENCY/NAME") or "").strip() or None
        metadata.rin = tuple(rin for element in info.findall("RIN") if (rin := (element.text or "").strip()))
        metadata.where |= {field: Where("<RIN_INFO>") for field in ("doc_type", "title", "agency", "rin", "authority")}
    return writer.finish("xml", metadata, warnings)


def _lines(root: Element, writer: Writer) -> None:
    for element in root.iter():
        tag = _tag(element)
        if not tag:
            continue
        value = _value(element.text or "")
        if value:
            path = tuple(_spoken(up) for up in reversed(list(element.iterancestors())))[1:3]
            writer.add(f"{_spoken(element)}: {value}", path=path)
        if (element.tail or "").strip():
            writer.add(clean(unmarked(element.tail or "")))


def _value(text: str) -> str:
    """Text of an element; a whole HTML page inside it (CDATA) is read as one."""
    if "</" in text and re.search(r"<(?:html|body|p|div)\b", text, re.IGNORECASE):
        from ingest.parse.htmlblocks import read

        text = " ".join(block.text for block in read(text.encode("utf-8")).blocks)
    return clean(unmarked(text))


def _spoken(element: Element) -> str:
    """ "RULE_TITLE" or "ruleTitle" as "Rule title"."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", _tag(element)).replace("_", " ").replace("-", " ").strip()
    words = name.split()
    return " ".join([words[0].capitalize(), *(w if w.isupper() and len(w) < 4 else w.lower() for w in words[1:])]) if words else ""


# --- whole issues and titles


def split(data: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, XML) of each document in a Federal Register issue, or each section in an eCFR title; streamed.

    Each carries from its surroundings what it needs to stand alone: the issue's day, volume and page; the Code's title,
    part and date. Raises Unreadable like `parse`.
    """
    if len(data) > MAX_BYTES:
        raise _too_large(data)
    reader = _issue if root_name(data) == "FEDREG" else _code
    try:
        yield from reader(data)
    except etree.XMLSyntaxError as error:
        _refuse_hostile(data, str(error))
        raise Unreadable("damaged", f"the XML cannot be read: {error.msg}", "fetch it again") from error


def _events(data: bytes, tags: tuple[str, ...]) -> "etree.iterparse[tuple[str, Element]]":
    return etree.iterparse(
        BytesIO(data),
        events=("start", "end"),
        tag=tags,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=True,
    )


def _issue(data: bytes) -> Iterator[tuple[str, bytes]]:
    day = volume = page = None
    first_page: str | None = None
    inside: Element | None = None
    seen: dict[str, int] = {}
    events = _events(data, (*FR_DOCUMENTS, "PRTPAGE", "VOL", "DATE"))
    for event, element in events:
        tag = _tag(element)
        if event == "start":
            if tag == "PRTPAGE":
                page = element.get("P") or page
            elif tag in FR_DOCUMENTS and inside is None:
                inside, first_page = element, page
            continue
        parent = element.getparent()
        if inside is None and parent is not None and parent.getparent() is None:
            if tag == "VOL":
                volume = (element.text or "").strip() or volume
            elif tag == "DATE":
                day = _day(element.text or "") or day
        if element is inside:
            _refuse_entities(element)
            for key, value in (("ISSUE", day.isoformat() if day else None), ("VOL", volume), ("PAGE", first_page)):
                if value:
                    element.set(key, value)
            yield _unique(_document_number(element), seen), _serialised(element)
            _forget(element)
            inside = None
    _refuse_broken(data, events.error_log)


def _document_number(element: Element) -> str | None:
    written = " ".join(clean("".join(e.itertext())) for e in element.iter("FRDOC"))
    found = _FR_DOC.search(written.translate(_DASHES))
    return found.group(1) if found else None


def _unique(name: str | None, seen: dict[str, int]) -> str:
    """A name for the part; one without a number, or a second of the same, is counted."""
    key = name or "part"
    seen[key] = seen.get(key, 0) + 1
    return key if name and seen[key] == 1 else f"{key}-{seen[key]}"


def _code(data: bytes) -> Iterator[tuple[str, bytes]]:
    title: str | None = None
    amended: str | None = None
    heads: list[tuple[str, str]] = []
    seen: dict[str, int] = {}
    events = _events(data, (*_ECFR_LEVELS, *_ECFR_UNITS, "HEAD", "AMDDATE", "VOLUME", "IDNO"))
    for event, element in events:
        tag = _tag(element)
        if event == "start":
            if tag in _ECFR_LEVELS:
                heads = [head for head in heads if head[0] < tag]
            if tag == "DIV1":
                title = (element.get("NODE") or "").partition(":")[0] or element.get("N")
            elif tag == "VOLUME":
                amended = element.get("AMDDATE") or amended
            continue
        parent = element.getparent()
        if tag == "AMDDATE":
            amended = clean(element.text or "") or amended
        elif tag == "HEAD" and parent is not None and _tag(parent) in _ECFR_LEVELS:
            heads.append((_tag(parent), clean("".join(element.itertext()))))
        elif tag in _ECFR_UNITS:
            _refuse_entities(element)
            if _says_something(element):
                number = section_number(element) or clean(element.get("N") or "") or None
                yield _unique(number, seen), _standing_alone(element, title, amended, [text for _, text in heads])
            _forget(element)
    _refuse_broken(data, events.error_log)


def _says_something(unit: Element) -> bool:
    """More than a heading: a reserved number has no text to find."""
    return any((e.text or "").strip() or (e.tail or "").strip() for child in unit if _tag(child) != "HEAD" for e in child.iter())


def _standing_alone(unit: Element, title: str | None, amended: str | None, heads: list[str]) -> bytes:
    wrapper = etree.Element("ECFR")
    if title:
        wrapper.set("TITLE", title)
    if amended:
        wrapper.set("AMDDATE", amended)
    for text in heads:
        etree.SubElement(wrapper, "HEAD").text = text
    wrapper.append(etree.fromstring(_serialised(unit), _parser()))
    return _serialised(wrapper)


def _serialised(element: Element) -> bytes:
    data: bytes = etree.tostring(element, encoding="utf-8", xml_declaration=True, with_tail=False)
    return data


def _forget(element: Element) -> None:
    """Free what was handed over, and everything before it."""
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def _refuse_broken(data: bytes, log: "etree._ListErrorLog") -> None:
    """`recover` ends quietly at a limit; say so."""
    for entry in log:
        _refuse_hostile(data, entry.message)

