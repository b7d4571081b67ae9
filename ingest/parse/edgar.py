"""An EDGAR full submission (.txt, .nc, with or without its PEM envelope) in, Document out: header, form, exhibits."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ingest.document import Authority, DocType, Document, Kind, Metadata, Where
from ingest.errors import Unreadable
from ingest.moment import NEW_YORK
from ingest.parse import html
from ingest.parse.assemble import Writer, clean, unmarked
from ingest.parse.htmlblocks import Block

MAX_BYTES = 256 * 2**20
_HEADER_BYTES = 1 << 18

_TAG_LINE = re.compile(r"<([A-Z][A-Z0-9-]*)>([^<\r\n]*)")
_HEADER_LINE = re.compile(r"^(\t*)[ ]*([A-Z][A-Z0-9 /-]*):[ \t]*(.*)$")
_NO_PROSE = re.compile(r"EX-101|XML|EXCEL|ZIP|JSON|GRAPHIC|COVER|CSS|XBRL", re.IGNORECASE)
_DATA_FILE = re.compile(
    r"\.(?:xsd|xml|jpe?g|gif|png|zip|xlsx?|json|js|css|pdf|bmp|tif)$", re.IGNORECASE
)
_ENCODED = re.compile(rb"\s*(?:<PDF>\s*)?begin \d{3} \S")
_WRAPPER = re.compile(rb"</?(?:XBRL|XML|PDF)>", re.IGNORECASE)
_HTML = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|div|p)\b", re.IGNORECASE
)  # not <TABLE>: typewritten forms have it

# The tags of the older one-line header, under the names that the newer one uses.
_TAG_NAMES = {
    "ACCESSION-NUMBER": "ACCESSION NUMBER",
    "TYPE": "CONFORMED SUBMISSION TYPE",
    "PERIOD": "CONFORMED PERIOD OF REPORT",
    "ITEMS": "ITEM INFORMATION",
    "FILING-DATE": "FILED AS OF DATE",
    "CONFORMED-NAME": "COMPANY CONFORMED NAME",
    "CIK": "CENTRAL INDEX KEY",
    "ASSIGNED-SIC": "STANDARD INDUSTRIAL CLASSIFICATION",
    "FILE-NUMBER": "SEC FILE NUMBER",
    "STATE-OF-INCORPORATION": "STATE OF INCORPORATION",
    "FISCAL-YEAR-END": "FISCAL YEAR END",
    "ACCEPTANCE-DATETIME": "ACCEPTANCE-DATETIME",
}
_PARTIES = frozenset(
    (
        "FILER",
        "SUBJECT COMPANY",
        "ISSUER",
        "ISSUING_ENTITY",
        "DEPOSITOR",
        "SECURITIZER",
        "UNDERWRITER",
        "SERIAL COMPANY",
        "FILED BY",
        "FILED FOR",
        "REPORTING-OWNER",
    )
)
_SHOWN = (
    "ACCEPTANCE-DATETIME",
    "ACCESSION NUMBER",
    "CONFORMED SUBMISSION TYPE",
    "CONFORMED PERIOD OF REPORT",
    "ITEM INFORMATION",
    "FILED AS OF DATE",
    "COMPANY CONFORMED NAME",
    "CENTRAL INDEX KEY",
    "STANDARD INDUSTRIAL CLASSIFICATION",
    "STATE OF INCORPORATION",
    "FISCAL YEAR END",
    "SEC ACT",
    "SEC FILE NUMBER",
    "FORMER CONFORMED NAME",
    "DATE OF NAME CHANGE",
)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    value: str
    party: str  # the block it stands in: "FILER", "ISSUER", ""


@dataclass(frozen=True, slots=True)
class _Part:
    """One <DOCUMENT> of a submission. whole: it was not cut off."""

    kind: str
    file: str
    description: str
    body: bytes
    whole: bool

    @property
    def title(self) -> str:
        return (
            self.kind
            if self.description in ("", self.kind)
            else f"{self.kind}: {self.description}".lstrip(": ")
        )


def parse(data: bytes, name: str) -> Document:
    """Raises Unreadable: "too-large", "no-text". A part that cannot be read is a warning, not an end."""
    if len(data) > MAX_BYTES:
        raise Unreadable(
            "too-large",
            f"{len(data) / 2**20:,.0f} MB of submission; the limit is {MAX_BYTES // 2**20} MB",
            "ingest its main document alone",
        )
    fields = _header(data)
    writer = Writer()
    header = dict.fromkeys(
        f"{field.name}: {unmarked(field.value)}" for field in fields if field.name in _SHOWN
    )
    warnings: list[str] = []
    documents = list(_read_parts(data, warnings))
    paged = any(document.pages for _, document in documents)
    for number, (part, document) in enumerate(documents):
        if paged:
            writer.page(document.pages[0].printed if document.pages else None)
        if header and not number:
            writer.add("\n".join(header), kind=Kind.HEADER)
        writer.add(unmarked(clean(part.title)), path=(part.title,), kind=Kind.HEADER)
        writer.include(document, (part.title,))
    if header and not documents:
        writer.add("\n".join(header), kind=Kind.HEADER)
    if writer.empty:
        raise Unreadable(
            "no-text",
            f"{name} has neither a header nor a readable document",
            "fetch the submission again",
        )
    return writer.finish("edgar-submission", _metadata(fields), warnings)


# --- header


def _header(data: bytes) -> list[_Field]:
    """Names and values of the SGML header, in order."""
    head = data[:_HEADER_BYTES]
    end = head.find(b"<DOCUMENT>")
    text = (
        head[: end if end >= 0 else len(head)]
        .decode("latin-1")
        .replace("\r\n", "\n")
        .replace("\r", "\n")
    )
    tagged = "<SUBMISSION>" in text
    fields: list[_Field] = []
    party = ""
    for line in text.split("\n"):
        found = _HEADER_LINE.match(line)
        if found and not tagged:
            name, value = found.group(2).strip(), clean(found.group(3))
            if not found.group(1):
                party = name if name in _PARTIES and not value else ""
            if value:
                fields.append(_Field(name, value, party))
            continue
        for name, value in _TAG_LINE.findall(line):
            if name in _PARTIES:
                party = name.replace("_", " ")
            elif name in _TAG_NAMES and value.strip():
                fields.append(_Field(_TAG_NAMES[name], clean(value), party))
    return fields


def _metadata(fields: list[_Field]) -> Metadata:
    metadata = Metadata(doc_type=DocType.FILING, authority=Authority.OFFICIAL_TEXT)
    place = Where("SGML header")
    metadata.where |= {"doc_type": place, "authority": place}

    def put(field: str, value: object) -> None:
        if value:
            setattr(metadata, field, value)
            metadata.where[field] = place

    def first(name: str, party: str | None = None) -> str | None:
        return next((f.value for f in fields if f.name == name and party in (None, f.party)), None)

    # Of several companies the one the filing is about, not who handed it in.
    about = next(
        (f.party for f in fields if f.party and f.party not in ("FILED BY", "REPORTING-OWNER")),
        None,
    )
    put("accession", first("ACCESSION NUMBER"))
    put("form", first("CONFORMED SUBMISSION TYPE"))
    put("company", first("COMPANY CONFORMED NAME", about))
    put("cik", first("CENTRAL INDEX KEY", about))
    put("period", _day(first("CONFORMED PERIOD OF REPORT")))
    put("published_on", _day(first("FILED AS OF DATE")))
    put("accepted_at", _accepted(first("ACCEPTANCE-DATETIME")))
    put(
        "file_numbers", tuple(dict.fromkeys(f.value for f in fields if f.name == "SEC FILE NUMBER"))
    )
    if metadata.company and metadata.form:
        when = metadata.period or metadata.published_on
        put(
            "title",
            f"{metadata.company}: Form {metadata.form}" + (f", {when.isoformat()}" if when else ""),
        )
    return metadata


def _day(stamp: str | None) -> date | None:
    try:
        return datetime.strptime(stamp, "%Y%m%d").replace(tzinfo=UTC).date() if stamp else None
    except ValueError:
        return None


def _accepted(stamp: str | None) -> datetime | None:
    """EDGAR stamps are New York wall time without a zone; read as UTC they would put a filing hours before anyone saw it."""
    try:
        moment = (
            datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=NEW_YORK) if stamp else None
        )
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment else None


# --- parts


def _read_parts(data: bytes, warnings: list[str]) -> Iterator[tuple[_Part, Document]]:
    skipped: list[str] = []
    for number, part in enumerate(_parts(data)):
        if not part.whole:
            warnings.append(f"{part.title} is cut off")
        if _is_data(part, primary=number == 0):
            skipped.append(part.kind or part.file)
            continue
        try:
            document = _document(part, primary=number == 0)
        except Unreadable as error:
            warnings.append(f"{part.title} was left out: {error}")
            continue
        warnings.extend(f"{part.title}: {warning}" for warning in document.warnings)
        yield part, document
    if skipped:
        warnings.append(f"{len(skipped)} data parts left out: {', '.join(dict.fromkeys(skipped))}")


def _parts(data: bytes) -> Iterator[_Part]:
    at = data.find(b"<DOCUMENT>")
    while at >= 0:
        following = data.find(b"<DOCUMENT>", at + 10)
        limit = following if following >= 0 else len(data)
        end = data.find(b"</DOCUMENT>", at, limit)
        stop = end if end >= 0 else limit
        text = data.find(b"<TEXT>", at, stop)
        head = data[at : text if text >= 0 else min(stop, at + 4096)].decode("latin-1")
        named = {key: clean(value) for key, value in _TAG_LINE.findall(head)}
        close = data.rfind(b"</TEXT>", text, stop) if text >= 0 else -1
        body = data[text + 6 : close if close >= 0 else stop] if text >= 0 else b""
        yield _Part(
            named.get("TYPE", ""),
            named.get("FILENAME", ""),
            named.get("DESCRIPTION", ""),
            body,
            end >= 0 or following >= 0,
        )
        at = following


def _is_data(part: _Part, *, primary: bool) -> bool:
    """Pictures, archives and machine-readable copies: nothing in them that a reader of the filing reads."""
    if _ENCODED.match(part.body[:4096]) or not part.body.strip():
        return True
    if primary:
        return False
    return bool(
        _NO_PROSE.match(part.kind)
        or _DATA_FILE.search(part.file)
        or part.description == "IDEA: XBRL DOCUMENT"
    )


def _document(part: _Part, *, primary: bool) -> Document:
    head = part.body[:4096]
    body = part.body
    is_xml = b"<XML>" in head[:64].upper()
    if b"<XBRL>" in head or is_xml:
        body = _WRAPPER.sub(b"", body, count=2).strip()
    if _HTML.search(head):
        return html.parse(body, part.file or part.kind, filing=True if primary else None)
    if is_xml or head.lstrip().startswith(b"<?xml"):
        from ingest.parse import xml

        return xml.parse(body, part.file or part.kind)
    return _plain(body, part.file or part.kind)


# --- plain text with <PAGE> and <TABLE>

_PAGE_TAG = re.compile(r"^[ \t]*<PAGE>[^\n]*", re.MULTILINE | re.IGNORECASE)
_TABLE_TAG = re.compile(r"<TABLE>(.*?)(?:</TABLE>|\Z)", re.DOTALL | re.IGNORECASE)
_OTHER_TAG = re.compile(r"</?(?:CAPTION|FN|MULTIPLIER|LEGEND|S|C|R|F\d*|TABLE)>", re.IGNORECASE)
_ESCAPED_DASH = re.compile(
    r"^- (?=-)", re.MULTILINE
)  # the 1990s' signed mail writes "- " before a dash
_GAP = re.compile(r"\s{2,}|\t|\s*\.{3,}\s*")
_CLOSE_NUMBERS = re.compile(
    r"(\d[)%]?) (?=\(?\$?\d{1,3}(?:,\d{3}|\.\d))"
)  # wide columns leave one blank
_RULE = re.compile(r"[-=_*~ \t]{4,}")
_LONGEST_LINE = 200


def _plain(body: bytes, name: str) -> Document:
    """A typewritten form: pages, paragraphs, tables, and capitals or underlined lines as headings."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("cp1252", "replace")
    text = _ESCAPED_DASH.sub("", unmarked(text.replace("\r\n", "\n").replace("\r", "\n")))
    blocks: list[Block] = []
    for number, page in enumerate(_PAGE_TAG.split(text)):
        if number:
            blocks.append(Block("page"))
        at = 0
        for found in _TABLE_TAG.finditer(page):
            blocks.extend(_paragraphs(page[at : found.start()]))
            blocks.extend(_table(found.group(1)))
            at = found.end()
        blocks.extend(_paragraphs(page[at:]))
    writer = Writer()
    html.write(blocks, writer, filing=True)
    if writer.empty:
        raise Unreadable("no-text", f"{name} holds no text", "fetch the submission again")
    return writer.finish("text", Metadata())


def _paragraphs(text: str) -> Iterator[Block]:
    """Paragraphs of typewritten text: divided by blank lines, by an indented first line, and by what is underlined."""
    held: list[str] = []
    for line in [*_OTHER_TAG.sub("", text).expandtabs(8).split("\n"), ""]:
        bare = line.strip()
        ruled = bool(bare) and _RULE.fullmatch(bare) is not None
        begins = (
            bool(held)
            and bool(bare)
            and not ruled
            and _indent(line) >= _indent(held[-1]) + 3
            and not _centred(held)
        )
        if held and (not bare or ruled or begins):
            yield _paragraph(held, underlined=ruled and len(held) == 1)
            held = []
        if bare and not ruled:
            held.append(line)


def _paragraph(lines: list[str], *, underlined: bool) -> Block:
    text = clean(" ".join(lines))
    capitals = text.isupper() and len(text) < _LONGEST_LINE
    return Block("text", text, bold=capitals or underlined, centred=_centred(lines))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _centred(lines: list[str]) -> bool:
    return all(
        _indent(line) >= 8 and abs(_indent(line) + len(line.rstrip()) - 76) < 16 for line in lines
    )


def _table(text: str) -> Iterator[Block]:
    """A typewritten table's lines with their cells divided; prose between the tags stays prose."""
    lines = [
        line for line in _OTHER_TAG.sub("", text).expandtabs(8).split("\n") if line.strip(" -=_*~")
    ]
    rows = [row for line in lines if (row := _cells(line))]
    divided = sum(1 for row in rows if len(row) > 1)
    if not divided or divided < 0.3 * len(rows):
        yield from _paragraphs(text)
    else:
        yield Block("table", "\n".join(" | ".join(row) for row in rows))


def _cells(line: str) -> list[str]:
    line = re.sub(r"([$(])[ \t]+(?=[\d(])", r"\1", line.strip())
    line = re.sub(r"(?<=\d)[ \t]+(?=[)%])", "", line)
    line = _CLOSE_NUMBERS.sub(r"\1  ", line)
    return [
        cell for part in _GAP.split(line) if (cell := clean(part)) and not _RULE.fullmatch(cell)
    ]
