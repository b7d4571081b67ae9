"""A parsed Document and its address in, who speaks out: official text, statement, or secondary.

Shapes first: codified text, a filing's cover, a release's preamble, a tracker's summary, a speech.
Then the address: the words of a rule on a page of unknown origin are a page of unknown origin.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlparse

from ingest.document import Authority, DocType, Document, Kind, Section

HEAD = 6000  # characters read as the beginning where no preamble is marked


def head_of(document: Document) -> str:
    """The beginning with its offsets kept: tables of contents are blanked, they name everything."""
    body = next(
        (s for s in document.sections if s.kind in (Kind.BODY, Kind.RULE_TEXT) and s.start > 0),
        None,
    )
    headers = [
        s
        for s in document.sections
        if s.kind is Kind.HEADER and (body is None or s.start < body.start)
    ]
    end = headers[-1].end if headers and headers[-1].end > 200 else min(HEAD, len(document.text))
    head = document.text[:end]
    for section in document.sections:
        if section.kind is Kind.CONTENTS and section.start < end:
            stop = min(section.end, end)
            head = (
                head[: section.start]
                + re.sub(r"[^\n]", " ", head[section.start : stop])
                + head[stop:]
            )
    return head


# Sites that show the words of official documents themselves. Beside these a page is official text
# only when its
# address names the document that its text says it is.
MIRRORS = frozenset(
    {
        "sec.gov",
        "govinfo.gov",
        "gpo.gov",
        "federalregister.gov",
        "ecfr.gov",
        "house.gov",
        "law.cornell.edu",
        "thefederalregister.org",
        "elaws.us",
        "lexbuild.dev",
        "frtracker.app",
        "pawtectors.org",
        "vlex.com",
        "eur-lex.europa.eu",
        "reginfo.gov",
        "regulations.gov",
        "github",
    }
)
_OFFICIAL_FORMATS = frozenset({"fr-xml", "ecfr-xml", "edgar-submission"})
_STATEMENT_TYPES = frozenset(
    {DocType.STATEMENT, DocType.PRESS_RELEASE, DocType.FAQ, DocType.AGENDA, DocType.GUIDE}
)


def authority(document: Document, name: str, url: str | None) -> Authority:
    """Who speaks. Unknown origin is secondary; so is a post or a database row about an official
    document.

    Official text needs the shape of the document itself (a preamble, a release number, a rule's
    section) and, where an address is known, an address that shows such text.
    """
    if document.format in _OFFICIAL_FORMATS or document.metadata.accession:
        return Authority.OFFICIAL_TEXT
    if document.metadata.primary or document.metadata.doc_type is DocType.NEWS:
        return Authority.SECONDARY
    head = head_of(document)
    if is_codified(document, name) or is_filing(document, head):
        return Authority.OFFICIAL_TEXT if _shown_at(url, head) else Authority.SECONDARY
    if _has_official_shape(document, head, url) and not is_summary(head):
        return Authority.OFFICIAL_TEXT if _shown_at(url, head) else Authority.SECONDARY
    if statement_type(head, url) in _STATEMENT_TYPES:
        return Authority.OFFICIAL_STATEMENT
    return Authority.SECONDARY


def _host(url: str | None) -> str:
    if not url:
        return ""
    parsed = urlparse(url)
    return (parsed.hostname or parsed.scheme or "").lower()


def on_site(url: str | None, sites: Iterable[str]) -> bool:
    host = _host(url)
    return any(host == site or host.endswith("." + site) for site in sites)


def _shown_at(url: str | None, head: str) -> bool:
    if not url or on_site(url, MIRRORS):
        return True
    own = RELEASE.search(head)
    return bool(own and own[1].lower() in url.lower())


RELEASE = re.compile(
    r"\bRelease Nos?\. ?(?:\d\d-\d+[A-Z]?[;,] ?)*?((?:34|33|35|39|IA|IC)[-\u2013]\d{3,6})\b(?!\d)"
)
OWN_RELEASE = re.compile(r"(?m)^\[?Release Nos?\.|\[Release Nos?\.")
_PREAMBLE = [
    re.compile(rf"(?m)^[^\w\n]{{0,9}}{word} ?:") for word in ("AGENCY", "ACTION", "SUMMARY")
]
_FR_HEAD = re.compile(r"^\[(?:FR Doc|Federal Register)", re.MULTILINE)
_FR_PRINT = re.compile(r"^(?:\d{4}|[A-Z]\d|\d\d)-\d{3,6}\. [A-Z]")


def _has_official_shape(document: Document, head: str, url: str | None) -> bool:
    if document.format == "sec-release" and (OWN_RELEASE.search(head) or _FR_PRINT.match(head)):
        return True
    if all(part.search(head) or part.search(head.upper()) for part in _PREAMBLE):
        return True
    if _FR_HEAD.search(head) and re.search(r"(?i)\bcommission\b|\bagency\b|\bdepartment\b", head):
        return True
    # An order on a mirror of the Federal Register begins with its title and its first heading.
    order = re.match(r"(?:Order|Notice|Self-Regulatory Organizations?|Joint Industry Plan)\b", head)
    return bool(
        order
        and url
        and on_site(url, MIRRORS)
        and re.search(r"(?m)^I\. Introduction$", document.text)
    )


_TRACKER = re.compile(
    r"(?m)^(?:Document Details|Document number|Data license|Abstract|Key Dates)\b|"
    r"\bDocument Number ?\d{4}-\d|"
    r"document_number title|\"table\": ?\"federal_register\"",
)


def is_summary(head: str) -> bool:
    return bool(_TRACKER.search(head))


CFR_PATH = re.compile(r"^§ ?(\d{1,3})\. ?(\d[\w-]*)\.? ")
USC_PATH = re.compile(r"^§ ?(\d+[a-z]*(?:[\u2013-]\d+[a-z]*)?)\. ")
EU_IN_NAME = re.compile(
    r"(?:^|[/_])(?:(?P<year>20\d\d)-(?P<late>\d{1,4})|(?P<early>\d{1,4})-(?P<of>20\d\d))(?=[_/]|$)"
)
_EU_ACT = re.compile(r"(?i)\b(?:REGULATION|DIRECTIVE|R[ÈE]GLEMENT[A-Z ÉÈ]*) \(?(?:EU|UE|EC)\)?")


def rule_sections(document: Document) -> list[Section]:
    return [s for s in document.sections if s.kind is Kind.RULE_TEXT and s.path]


def is_codified(document: Document, name: str) -> bool:
    """Whether all of it is codified text, not a release that ends with some."""
    rules = rule_sections(document)
    if document.format == "sec-release":
        return False
    if EU_IN_NAME.search(name) and (rules or _EU_ACT.search(document.text[:400])):
        return True
    whole = sum(s.end - s.start for s in rules) > 0.6 * len(document.text)
    return whole and any(CFR_PATH.match(h) or USC_PATH.match(h) for s in rules for h in s.path)


FORM = re.compile(
    r"(?i:\bform)\s+((?:10-?KT?|10-?Q|8-?K|20-?F|40-?F|6-K|11-K|N-2|N-CSR|S-[1348]|DEF 14A)(?:405|"
    r"SB)?(?:/A)?)\b"
)
_CAPTION = re.compile(
    r"\(\s{0,9}Exact\s{1,9}name\s{1,9}of\s{1,9}(?:the\s{1,9})?registrant", re.IGNORECASE
)
LEGAL_FORM = re.compile(
    r"(?i)\b(?:inc|incorporated|corp|corporation|co|company|ltd|limited|llc|l\.p|plc|n\.v|s\.a)\b"
)
_UNDER_NUMBER = re.compile(
    r"(?i)\bcommission\s+file\s+n(?:umber|o)\b[.: ]*[\d-]{3,12}\s*\n\s*(?P<name>[^\n]{2,80})\n"
)
PERIOD = re.compile(
    r"(?i)\bfor\s+the\s+(?:fiscal\s+year|quarterly\s+period|quarter|transition\s+period|year)\s+ended:?\s*"
)

EVENT = re.compile(
    r"(?i)date\s+of\s+(?:report\s*\(date\s+of\s+)?earliest\s+event\s+reported\)?:?\s*"
)


def is_filing(document: Document, head: str) -> bool:
    if document.metadata.form or document.metadata.doc_type is DocType.FILING:
        return True
    cover = any(cue.search(head) for cue in (_CAPTION, PERIOD, EVENT))
    return bool(cover and FORM.search(head))


def registrant(head: str) -> tuple[int, int] | None:
    """Span of the line over the caption "(Exact name of registrant ...)" on a filing's cover; where there is no caption, of
    a company's name on the line under the Commission's file number."""
    caption = _CAPTION.search(head)
    if not caption:
        under = _UNDER_NUMBER.search(head)
        return under.span("name") if under and LEGAL_FORM.search(under["name"]) else None
    end = len(head[: caption.start()].rstrip())
    start = head.rfind("\n", 0, end) + 1
    return (start, end) if 2 <= end - start <= 200 else None


GUIDE = re.compile(
    r"(?i)\b(?:user guide|technical specification|element reference|xml rendition)\b"
)
STATEMENT = re.compile(
    r"(?i)^(?:statement|remarks|speech|dissent|opening remarks)\b|\bstatement (?:on|regarding)\b|"
    r"\b(?:sec chair|chair(?:man)?|commissioner) (?:gensler|atkins|clayton|peirce|crenshaw|"
    r"lizárraga|uyeda|\w+) on\b"
)
_FIRST_PERSON = re.compile(
    r"\bI (?:am pleased|support|welcome|intend|thank|look forward|dissent|cannot support)\b|"
    r"\bThank you, Chair"
)
_WIRE = re.compile(
    r"(?s)(?:Newsfile Corp|SEC Press Digest|FOR IMMEDIATE RELEASE|Press Release).{0,400}?"
    r"The Securities and Exchange Commission (?:today|announced)"
)
_FAQ = re.compile(
    r"(?i)frequently asked questions[\s\S]{0,900}?\bstaff of the (?:division|securities)|"
    r"frequently asked questions[\s\S]{0,400}?\bviews of the staff\b"
)


def statement_type(head: str, url: str | None) -> DocType | None:
    """The kind of official statement a text plainly is, else None."""
    opening = head[:3000]
    if _FAQ.search(opening):
        return DocType.FAQ
    if _WIRE.search(opening) or (on_site(url, ["sec.gov"]) and "/press-release" in (url or "")):
        return DocType.PRESS_RELEASE
    titled = any(STATEMENT.search(line) for line in opening.split("\n")[:6])
    if (titled and _FIRST_PERSON.search(head)) or (
        on_site(url, ["sec.gov"]) and "/speeches-statements/" in (url or "")
    ):
        return DocType.STATEMENT
    if re.search(r"REGINFO_RIN_DATA|\bUnified Agenda\b", opening) and on_site(url, ["reginfo.gov"]):
        return DocType.AGENDA
    if GUIDE.search(opening[:600]) and re.search(
        r"Government (?:Publishing|Printing) Office|U\.S\. Securities and Exchange Commission|"
        r"EDGAR",
        opening,
    ):
        return DocType.GUIDE
    return None
