"""A document held, and a place in it, in; citations that counsel can paste out: short and full.

    89 FR 81620, 81640 (Oct. 8, 2024)
    Release No. 34-101070 (Sept. 18, 2024)
    17 CFR 242.612(b)

Only what the metadata, the release days and the page marks say is written: a page where the source marks pages, a day
where one is stated. A secondary source is cited as itself and named as such, never as the release it restates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from ingest.catalog import Held
from ingest.document import Authority, DocType, Kind, Page, Section, page_at, section_at

_MONTHS = "Jan. Feb. Mar. Apr. May June July Aug. Sept. Oct. Nov. Dec.".split()
_PAGES = 800  # of the longest release in print: what lies further is a mark gone wrong
_LONGEST, _SHORT = 220, 100  # characters of a title


@dataclass(frozen=True, slots=True)
class Citation:
    """short: what a footnote says again; full: what it says first."""

    short: str
    full: str


@dataclass(frozen=True, slots=True)
class Print:
    """Where and when a release stands in the Federal Register: "89 FR 81620", its civil day; None what is not known."""

    citation: str | None
    on: date | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a document: its page, the paragraph of codified text."""

    page: Page | None = None
    paragraph: str = ""


def place_of(pages: Sequence[Page], sections: Sequence[Section], offset: int) -> Place:
    """The page and paragraph on which a character stands."""
    return Place(page_at(pages, offset), paragraph_of(sections, offset))


def cite(
    held: Held,
    *,
    page: Page | None = None,
    paragraph: str = "",
    signed: date | None = None,
    printed: Print | None = None,
) -> Citation:
    """How counsel would cite a document, at a page or a paragraph of it.

    paragraph   "(b)(1)", of codified text
    signed      the day the release was made, printed: its Federal Register print, where others than the document tell them
    """
    meta = held.metadata
    if held.authority is Authority.SECONDARY and not meta.form:
        return _secondary(held)
    if meta.doc_type is DocType.REGULATION and meta.cfr_sections and held.reference[:2].isdigit():
        whole = cfr(f"{held.reference.rpartition(' ')[2]}{paragraph}", held.reference)
        return Citation(whole, whole)
    if meta.form or meta.accession:
        at = f", at {page.number}" if page else ""
        return Citation(f"{held.reference}{at}", f"{held.reference}{at}")
    if meta.doc_type is DocType.STATUTE and meta.file_numbers:
        return Citation(meta.file_numbers[0], meta.file_numbers[0])
    return _official(held, page, signed, printed)


def cfr(section: str, reference: str = "17 CFR") -> str:
    """ "17 CFR 242.612(b)" of "242.612(b)"."""
    return f"{reference.partition(' ')[0]} CFR {section}"


def day(on: date) -> str:
    """ "Sept. 18, 2024", as footnotes abbreviate."""
    return f"{_MONTHS[on.month - 1]} {on.day}, {on.year}"


def paragraph_of(sections: Sequence[Section], offset: int) -> str:
    """The paragraph label of codified text at an offset, "(b)(1)"; "" where it has none."""
    found = section_at(sections, offset)
    return (found.label or "") if found and found.kind is Kind.RULE_TEXT else ""


def _official(
    held: Held, page: Page | None, signed: date | None, printed: Print | None
) -> Citation:
    meta = held.metadata
    in_print = meta.fr_citation or (printed.citation if printed else None)
    # The stamp of a Federal Register print is its day there; that of a release, the day it was made.
    of_print = held.known_basis.lower().startswith("federal register")
    print_day = meta.published_on if meta.fr_citation else printed.on if printed else None
    made = signed or (meta.published_on if held.known_basis == "release date" else None)
    release = f"Release No. {meta.release}{_on(made)}" if meta.release else ""
    register = f"{in_print}{_pin(in_print, page)}{_on(print_day)}" if in_print else ""
    number_day = _on(meta.published_on) if of_print else ""
    number = f"FR Doc. {meta.fr_document}{_at(page)}{number_day}" if meta.fr_document else ""
    dated = _dated(held.title, meta.published_on)
    short = register or release or number or dated
    known_by = ", ".join(filter(None, [release, register or number]))
    files = [f for f in meta.file_numbers if known_by and not f.endswith("U.S.C.")]
    file = f" (File No. {files[0]})" if files else ""
    full = f"{_title(held.title)}, {known_by}{file}" if known_by else dated
    return Citation(short, full)


def _secondary(held: Held) -> Citation:
    on = held.reference if held.reference.startswith("on ") else ""
    of = f"{_on(held.metadata.published_on)} (secondary source{on and f' {on}'})"
    return Citation(f"{_title(held.title, _SHORT)}{of}", f"{_title(held.title)}{of}")


def _dated(title: str, on: date | None) -> str:
    return f"{_title(title)}{_on(on)}"


def _title(title: str, longest: int = _LONGEST) -> str:
    plain = " ".join(title.split())
    return plain if len(plain) <= longest else f"{plain[:longest].rpartition(' ')[0]} …"


def _on(on: date | None) -> str:
    return f" ({day(on)})" if on else ""


def _pin(citation: str, page: Page | None) -> str:
    """ ", 81640" where the page is another than the first."""
    first = citation.rpartition(" ")[2]
    if page is None or page.printed is None or not (page.printed.isdigit() and first.isdigit()):
        return ""
    further = int(page.printed) - int(first)
    return f", {page.printed}" if 0 < further <= _PAGES else ""


def _at(page: Page | None) -> str:
    return f", at {page.printed}" if page and page.printed else ""
