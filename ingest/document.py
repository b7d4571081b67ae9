"""The nouns: Document, Metadata, Section, Page, Chunk.

A document is one string, `text`, and spans over it. Every section, page, chunk, footnote and
citation is a half-open
pair of character offsets into that same string, so a quote can always be walked back:
`document.text[start:end] == quote`. The text is fixed when the document is parsed and never edited
after.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Authority(StrEnum):
    """Who speaks. Official text is preferred; what only a secondary source says is marked so."""

    OFFICIAL_TEXT = "official text"  # rule, release, order, statute, filing
    OFFICIAL_STATEMENT = "official statement"  # speech, staff FAQ, press release
    SECONDARY = "secondary"  # news, summaries, anything of unknown origin


class DocType(StrEnum):
    """What kind of document it is, in the Federal Register's and EDGAR's own words."""

    PROPOSED_RULE = "proposed rule"
    FINAL_RULE = "final rule"
    INTERPRETATION = "interpretation"
    ORDER = "order"
    NOTICE = "notice"
    WITHDRAWAL = "withdrawal"
    REGULATION = "regulation"  # a codified section or EU regulation
    STATUTE = "statute"
    FILING = "filing"
    STATEMENT = "statement"  # speech or commissioner's statement
    PRESS_RELEASE = "press release"
    FAQ = "faq"
    AGENDA = "agenda"
    GUIDE = "guide"
    NEWS = "news"
    OTHER = "other"


class Kind(StrEnum):
    """What a section is made of."""

    BODY = "body"
    FOOTNOTE = "footnote"  # label: its number; anchor: where it is called
    TABLE = "table"  # one row a line, cells divided by " | "
    HEADER = "header"  # front matter: agency, action, dates, contact
    CONTENTS = "contents"  # a table of contents: found, but never evidence
    RULE_TEXT = "rule text"  # codified or to-be-codified wording; label "(b)(1)"


@dataclass(frozen=True, slots=True)
class Section:
    """A leaf of the document's outline; sections are in order and never overlap.

    start, end   half-open offsets into Document.text
    path         heading path, outermost first: ("III. Access Rule", "B. Limitation on Fees"); ()
                 for a preamble
    label        paragraph label "(c)(1)", footnote number "12", "Item 7" or None
    anchor       footnotes only: the offset in the text where the note is called, if it was found
    """

    start: int
    end: int
    path: tuple[str, ...] = ()
    kind: Kind = Kind.BODY
    label: str | None = None
    anchor: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the source. `number` counts from 1; `printed` is the number on the paper, if any
    ("81621").
    """

    number: int
    start: int
    end: int
    printed: str | None = None


def section_at(sections: Sequence[Section], offset: int) -> Section | None:
    """The section that holds a character; None between sections."""
    at = bisect_right(sections, offset, key=lambda section: section.start) - 1
    return sections[at] if at >= 0 and offset < sections[at].end else None


def page_at(pages: Sequence[Page], offset: int) -> Page | None:
    """The page on which a character stands; None where the source marks no pages."""
    at = bisect_right(pages, offset, key=lambda page: page.start) - 1
    return pages[at] if at >= 0 else None


@dataclass(frozen=True, slots=True)
class Where:
    """Where a metadata value was read: a span of the text, or a place outside it ("manifest", "SGML
    header", "url").
    """

    place: str
    start: int = -1
    end: int = -1


PROPERTIES = "pdf properties"  # the place of what a PDF file says of itself outside its pages


@dataclass(slots=True)
class Metadata:
    """What the document says of itself. Unknown is None or empty, never a guess.

    release       "34-51808" (the document's own, not one it cites)
    fr_citation   "70 FR 37496"; fr_document: Federal Register document number "2024-21867" or
                  "E7-1384"
    cfr_sections  ("242.610", "242.612") without title; cfr_title is 17 unless said otherwise in
                  `cfr`
    effective_on / compliance_on   civil dates in New York, only when the document states a date; a
                                   relative wording
                  ("60 days after publication") goes to effective_text / compliance_text instead
    published_on  civil day of the source's own stamp; accepted_at: EDGAR acceptance, aware UTC
    primary       for a secondary source: the identifier it names ("fr:2022-03143", "sec:34-101070")
    where         field name -> where it was read
    """

    title: str | None = None
    doc_type: DocType | None = None
    agency: str | None = None
    authority: Authority | None = None
    release: str | None = None
    fr_citation: str | None = None
    fr_document: str | None = None
    rin: tuple[str, ...] = ()
    file_numbers: tuple[str, ...] = ()
    cfr_sections: tuple[str, ...] = ()
    published_on: date | None = None
    accepted_at: datetime | None = None
    effective_on: date | None = None
    effective_text: str | None = None
    compliance_on: date | None = None
    compliance_text: str | None = None
    company: str | None = None
    cik: str | None = None
    form: str | None = None
    period: date | None = None
    accession: str | None = None
    url: str | None = None
    primary: str | None = None
    language: str | None = None
    where: dict[str, Where] = field(default_factory=dict)


@dataclass(slots=True)
class Document:
    """One manifestation, parsed.

    format    "pdf", "html", "edgar-submission", "fr-xml", "ecfr-xml", "xml", "sec-release",
              "markdown", "text"
    sections  leaves of the outline in order; text outside all of them is whitespace only
    pages     in order; empty when the format has none
    warnings  what was survived ("3 pages without text"), shown in the ledger
    """

    text: str
    format: str
    sections: tuple[Section, ...]
    pages: tuple[Page, ...] = ()
    metadata: Metadata = field(default_factory=Metadata)
    warnings: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ValueError where the spans break the promises above; called by tests and by the
        worker.
        """
        last = 0
        for section in self.sections:
            if not (last <= section.start <= section.end <= len(self.text)):
                raise ValueError(
                    f"section {section} overlaps or leaves the text ({len(self.text)} characters)"
                )
            if self.text[last : section.start].strip():
                raise ValueError(f"text before offset {section.start} lies in no section")
            last = section.end
        if self.text[last:].strip():
            raise ValueError(f"text after offset {last} lies in no section")
        last = 0
        for page in self.pages:
            if not (last <= page.start <= page.end <= len(self.text)):
                raise ValueError(f"page {page} overlaps or leaves the text")
            last = page.end


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage to be found: a span inside one section.

    context  the heading path as words, used for embedding and lexical fields, never part of the
             quoted text
    page     number of the page where it starts, or None
    """

    ordinal: int
    start: int
    end: int
    section: int  # index into Document.sections
    context: str
    kind: Kind = Kind.BODY
    label: str | None = None
    page: int | None = None
