"""Sections of the Code of Federal Regulations as the eCFR prints them (DIV1 to DIV9) in, Document out."""

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

ECFR_ROOTS = ("DLPSTEXTCLASS", "ECFR", "ECFRBRWS")
ECFR_UNITS = ("DIV8", "DIV9")
ECFR_LEVELS = ("DIV1", "DIV2", "DIV3", "DIV4", "DIV5", "DIV6", "DIV7")


class Ecfr(Walk):
    """DIV1 (title) to DIV8 (section) and DIV9 (appendix): the Code as amended to date."""

    def __init__(self, root: Element) -> None:
        super().__init__(root)
        self.units = [e for e in root.iter(*ECFR_UNITS)] or [root]
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
        heads = [e for e in self.root if tag_of(e) == "HEAD"] if tag_of(self.root) == "ECFR" else []
        heads += [
            head
            for up in reversed(list(first.iterancestors(*ECFR_LEVELS)))
            if (head := up.find("HEAD")) is not None
        ]
        return [text for head in heads if (text := unmarked(self.inline.text(head)[0]))]

    def _unit(self, unit: Element) -> None:
        head = unit.find("HEAD")
        text, marks = self.inline.text(head) if head is not None else (unit.get("N") or "", [])
        title = heading_text(text)
        self.base, self.heads = ((title,) if title else ()), []
        self.kind, self.labels = Kind.RULE_TEXT, Labels()
        self.writer.add(text, marks, path=self.path, kind=self.kind)
        for child in unit:
            if child is not head:
                self.block(child)

    def block(self, element: Element) -> None:
        tag = tag_of(element)
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
            if number := page_number(element):
                self.writer.page(number)
        elif tag in SKIPPED:
            self.inline.skipped += tag in ("GPH", "MATH", "img", "IMG")
        elif tag in LINES or ((element.text or "").strip() and tag):
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
        name = clean(unmarked(words(head))) if head is not None else ""
        if len(self.units) == 1 and name:
            metadata.title = f"{self.title} CFR {name.lstrip('§ ')}" if self.title else name
            metadata.where["title"] = Where("<DIV8><HEAD>")
        stamp = next(self.root.iter("AMDDATE"), None)
        written = (stamp.text or "") if stamp is not None else self.root.get("AMDDATE") or ""
        if day := first_day(written):
            metadata.published_on = day
            metadata.where["published_on"] = Where("<AMDDATE>")
        return metadata


def section_number(unit: Element) -> str | None:
    """ "242.612" of a DIV8; None of an appendix."""
    found = SECTION_NUMBER.search((unit.get("N") or "").translate(DASHES))
    return found.group().rstrip(".") if found and tag_of(unit) == "DIV8" else None


def _title_number(root: Element) -> str | None:
    if tag_of(root) == "ECFR" and root.get("TITLE"):
        return root.get("TITLE")
    for element in root.iter("DIV1"):
        # In a volume of a large title N is the volume; NODE begins with the title.
        node = (element.get("NODE") or "").partition(":")[0]
        return node or element.get("N")
    for element in root.iter("IDNO"):
        return (element.text or "").strip() or None
    return None
