"""One Federal Register document as GPO typesets it (RULE, PRORULE, NOTICE, PRESDOCU) in, Document out."""

import re

from ingest.document import Authority, DocType, Document, Kind, Metadata, Where
from ingest.parse.assemble import clean, unmarked
from ingest.parse.outline import Labels
from ingest.parse.xmlwalk import (
    DASHES,
    LINES,
    SECTION_NUMBER,
    SKIPPED,
    Element,
    Walk,
    first_day,
    heading_text,
    page_number,
    tag_of,
    words,
)

FR_DOCUMENTS = ("RULE", "PRORULE", "NOTICE", "PRESDOCU", "CORRECT")

_FRONT = frozenset(("AGENCY", "SUBAGY", "CFR", "DEPDOC", "RIN", "SUBJECT", "DATE"))
_FRONT_SECTIONS = {
    "AGY": Kind.HEADER,
    "ACT": Kind.HEADER,
    "DATES": Kind.HEADER,
    "EFFDATE": Kind.HEADER,
}
_FRONT_SECTIONS |= {
    "ADD": Kind.HEADER,
    "FURINF": Kind.HEADER,
    "SUM": Kind.BODY,
    "PREAMHD": Kind.BODY,
    "CORRECT": Kind.BODY,
}
_HD_LEVEL = {"HED": 1, "HD1": 1, "HD2": 2, "HD3": 3, "HD4": 4, "HD5": 5, "HD6": 6, "HD8": 7}

_FILES = re.compile(r"\b(?:File|Docket) (?:Nos?\.?|Numbers?|ID)[\s:]*([^;\]]+)", re.IGNORECASE)
_FILE_NUMBER = re.compile(r"[A-Z0-9][\w/-]*-\d[\w-]*")
_RELEASES = re.compile(
    r"\bRelease (?:Nos?\.?|Numbers?)[\s:]*(.*?)(?=;? (?:File|Docket)\b|\]|$)", re.IGNORECASE
)
_RELEASE = re.compile(r"\b(?:33|34|35|39|IA|IC)-\d{3,6}[A-Z]?\b")
_RIN = re.compile(r"\b\d{4}-[A-Z]{2}\d{2}\b")
FR_DOC = re.compile(r"FR Doc\.?\s*([A-Z]?\d{1,4}-\d+)", re.IGNORECASE)
_ORDER = re.compile(r"\border\b", re.IGNORECASE)


class FederalRegister(Walk):
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
        tag = tag_of(element)
        if tag == "PRTPAGE":
            if number := page_number(element):
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
        elif tag in LINES:
            self.paragraph(element)
        elif tag in SKIPPED:
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
        self.label = (
            heading_text(self.inline.text(head)[0]).upper()
            if head is not None and tag != "PREAMHD"
            else None
        )
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
        if found := SECTION_NUMBER.search(number.translate(DASHES)):
            self.sections.append(found.group().rstrip("."))
        heading = f"{number} {subject}".strip()
        self.base, self.heads, self.labels = (
            ((heading_text(heading),) if heading else ()),
            [],
            Labels(),
        )
        held, self.kind = self.kind, Kind.RULE_TEXT
        page = next(
            (c for c in element if tag_of(c) == "PRTPAGE" and c.getprevious() is None), None
        )
        if page is not None:
            self.block(page)
        self.writer.add(heading, path=self.path, kind=self.kind)
        for child in element:
            if tag_of(child) not in ("SECTNO", "SUBJECT") and child is not page:
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
        deposited = said("DEPDOC").translate(DASHES)
        releases = [
            number for listed in _RELEASES.findall(deposited) for number in _RELEASE.findall(listed)
        ]
        put(
            "release",
            next((r for r in releases if r.startswith("34-")), releases[0] if releases else None),
            "DEPDOC",
        )
        listed = [
            number.strip()
            for found in _FILES.findall(deposited)
            for number in re.split(r",| and ", found)
        ]
        put(
            "file_numbers",
            tuple(dict.fromkeys(n for n in listed if _FILE_NUMBER.fullmatch(n))),
            "DEPDOC",
        )
        put(
            "rin",
            tuple(dict.fromkeys(_RIN.findall(f"{said('RIN')} {said('DEPDOC')}".translate(DASHES)))),
            "RIN",
        )
        found = FR_DOC.search(said("FRDOC").translate(DASHES))
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
        tag = tag_of(self.root)
        action = self._said("ACT").lower()
        subject = self._said("SUBJECT")
        if "withdraw" in action or re.search(r"\bwithdrawal of\b", subject, re.IGNORECASE):
            return DocType.WITHDRAWAL
        if tag == "RULE":
            interpretive = "interpret" in action or "policy" in action
            return (
                DocType.INTERPRETATION
                if interpretive and "final rule" not in action
                else DocType.FINAL_RULE
            )
        if tag == "PRORULE":
            return DocType.PROPOSED_RULE
        if tag == "NOTICE":
            return DocType.ORDER if _ORDER.search(f"{subject} {action}") else DocType.NOTICE
        if tag.startswith("PRESDOC"):
            return DocType.ORDER if self.root.find(".//EXECORD") is not None else DocType.OTHER
        return None

    def _issue(self, metadata: Metadata) -> None:
        """What `split` wrote on the element from the issue around it."""
        if day := first_day(self.root.get("ISSUE") or ""):
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
            if tag_of(element) == "PRTPAGE":
                return element.get("P")
            if (element.text or "").strip():
                break
        return self.root.get("PAGE")


def _first_heading(root: Element) -> str:
    heading = next(root.iter("HD"), None)
    return clean(unmarked(words(heading))) if heading is not None else ""


def _agency(text: str) -> str:
    """ "SECURITIES AND EXCHANGE COMMISSION" as it is written elsewhere."""
    if not text.isupper():
        return text
    small = {"And", "Of", "The", "For", "On", "To", "In"}
    words = [
        word.lower() if at and word in small else word
        for at, word in enumerate(text.title().split())
    ]
    return " ".join(words)
