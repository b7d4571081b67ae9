"""Bytes of any kind in; one Document with its metadata out. `parts` first, for files that hold several documents.

What the bytes are is read from the bytes; the name only decides where they leave it open. Format modules are
imported when their format turns up, so that asking about a file's text does not load a PDF engine.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from ingest.document import Document
from ingest.errors import Unreadable

__all__ = ["parse", "parts", "root_name", "sniff"]

_HEAD = 1 << 16

_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (
        b"PK\x03\x04",
        "a zip archive or an Office file",
        "unpack it, or save the document as PDF or HTML",
    ),
    (b"PK\x05\x06", "an empty zip archive", "fetch it again"),
    (b"\x1f\x8b", "gzip-compressed", "unpack it with gunzip"),
    (b"BZh", "bzip2-compressed", "unpack it with bunzip2"),
    (b"\xfd7zXZ\x00", "xz-compressed", "unpack it with unxz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!\x1a\x07", "a rar archive", "unpack it"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file", "save the document as PDF or HTML"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", "bring the document it was taken from"),
    (b"\xff\xd8\xff", "a JPEG picture", "bring the document it was taken from"),
    (b"GIF8", "a GIF picture", "bring the document it was taken from"),
    (b"II*\x00", "a TIFF picture", "bring the document it was taken from"),
    (b"MM\x00*", "a TIFF picture", "bring the document it was taken from"),
    (b"MZ", "a Windows program", "programs hold nothing to read"),
    (b"\x7fELF", "a program", "programs hold nothing to read"),
    (b"SQLite format 3\x00", "a SQLite database", "export its rows as text"),
    (b"PAR1", "a Parquet file", "export its rows as text"),
    (b"{\\rtf", "rich text", "save the document as PDF, HTML or plain text"),
)

# What each extension promises; a file that is something else is read as what it is, with a warning.
_PROMISED = {
    ".pdf": {"pdf"},
    ".html": {"html"},
    ".htm": {"html"},
    ".xhtml": {"html"},
    ".xml": {"xml"},
    ".md": {"markdown"},
    ".markdown": {"markdown"},
    ".txt": {"text", "sec-release", "markdown", "edgar-submission"},
    ".nc": {"edgar-submission"},
}
_SUBMISSION = re.compile(
    rb"<SEC-DOCUMENT>|<SEC-HEADER>|<IMS-DOCUMENT>|<IMS-HEADER>|<ACCEPTANCE-DATETIME>|<SUBMISSION>\s*<ACCESSION-NUMBER>"
    rb"|-----BEGIN PRIVACY-ENHANCED MESSAGE-----"
)
_FIRST_TAG = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<(?:\?xml\b|!doctype\b|!--|[A-Za-z_][\w.-]*(?::[\w.-]+)?(?=[\s/>]))",
    re.IGNORECASE,
)
_HTML = re.compile(rb"<!doctype\s+html|<html\b|<body\b|<head\b", re.IGNORECASE)
_HTML_TAGS = re.compile(
    rb"<(?:p|div|table|span|br|h[1-6]|ul|font|center|a)\b[^<>]*>", re.IGNORECASE
)
_RELEASE = re.compile(rb"<END TABLE OF CONTENTS>|<END HEADER>|\[\[Page \d+", re.IGNORECASE)
_RELEASE_WORDS = re.compile(rb"\[?Release Nos?\.\s*(?:33|34|35|39|IA|IC)-\d{3,}", re.IGNORECASE)
_RELEASE_HEADS = re.compile(
    rb"^\W{0,4}(?:AGENCY|ACTION|SUMMARY|DATES|SUPPLEMENTARY INFORMATION)\s*:", re.MULTILINE
)
_FRONT_MATTER = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*---[ \t]*\r?\n.{0,8000}?\n---[ \t]*\r?\n", re.DOTALL
)
_MARKDOWN_HEAD = re.compile(rb"^#{1,6} \S", re.MULTILINE)
_CONTAINERS = frozenset(("FEDREG", "DLPSTEXTCLASS", "ECFR", "ECFRBRWS"))


def parse(data: bytes, name: str, given: Mapping[str, str] | None = None) -> Document:
    """The document in these bytes, with metadata described and its spans checked.

    name: the file's name, used for its extension and in messages; given: the manifest's row, whose values win.
    Raises Unreadable with a reason and a hint for whatever cannot become text.
    """
    found = sniff(data, name)
    document = _read(found, data, name)
    promised = _PROMISED.get(PurePosixPath(name.partition("#")[0]).suffix.lower())
    if promised is not None and found not in promised:
        document.warnings = (
            *document.warnings,
            f"named like {'/'.join(sorted(promised))}, read as {found}",
        )
    from ingest.metadata import describe

    describe(document, name, given)
    document.check()
    return document


def parts(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each document in a file: those of a Federal Register issue or an eCFR title, else the file itself.

    A part is named after its file: "FR-2024-02-12.xml#2024-02804". Archives are refused: what they would unpack to
    has no bound. Raises Unreadable.
    """
    if sniff(data, name) == "xml":
        from ingest.parse import xml

        if root_name(data) in _CONTAINERS and b"<ECFR TITLE=" not in data[:200]:
            held = False
            for part, piece in xml.split(data):
                held = True
                yield f"{name}#{part}", piece
            if not held:
                raise Unreadable(
                    "no-text", f"{name} holds no document that could be read", "fetch it again"
                )
            return
    yield name, data


def sniff(data: bytes, name: str) -> str:
    """What the bytes are: "pdf", "edgar-submission", "xml", "html", "sec-release", "markdown" or "text".

    Raises Unreadable: "empty", or "unknown-format" for archives, pictures, programs and other binary data.
    """
    head = data[:_HEAD]
    if not head.strip(b" \t\r\n\0\xef\xbb\xbf") and not data.strip(b" \t\r\n\0\xef\xbb\xbf"):
        raise Unreadable(
            "empty", f"{name} is empty", "fetch it again; the download may have failed"
        )
    if b"%PDF-" in head[:1024]:
        return "pdf"
    for magic, what, hint in _MAGIC:
        if head.startswith(magic):
            raise Unreadable("unknown-format", f"{name} is {what}", hint)
    if _SUBMISSION.search(head[:8192]):
        return "edgar-submission"
    head, wide = _narrowed(head)
    if _FIRST_TAG.match(head):
        return _tagged(head, name)
    if not wide and _is_binary(head):
        raise Unreadable(
            "unknown-format",
            f"{name} is not text of any kind",
            "bring it as PDF, HTML, XML or text",
        )
    found = _prose(head, name)
    if found == "text" and (
        _HTML.search(head[:4096]) or len(_HTML_TAGS.findall(head)) > max(20, len(head) // 800)
    ):
        return "html"
    return found


def _read(found: str, data: bytes, name: str) -> Document:
    if found == "pdf":
        from ingest.parse import pdf

        return pdf.parse(data, name)
    if found == "edgar-submission":
        from ingest.parse import edgar

        return edgar.parse(data, name)
    if found == "xml":
        from ingest.parse import xml

        return xml.parse(data, name)
    if found == "html":
        from ingest.parse import html

        return html.parse(data, name)
    if found == "sec-release":
        from ingest.parse import release

        return release.parse(data, name)
    if found == "markdown":
        from ingest.parse import markdown

        return markdown.parse(data, name)
    from ingest.parse import text

    return text.parse(data, name)


def _narrowed(head: bytes) -> tuple[bytes, bool]:
    """The head as one byte a letter, and whether it was UTF-16."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head.decode("utf-16", "replace").encode("utf-8"), True
    if head[:2] in (b"<\0", b"\0<"):
        return head.replace(b"\0", b""), True
    return head, False


def _tagged(head: bytes, name: str) -> str:
    """HTML and XML both begin with "<"; the first real element tells."""
    root = root_name(head).lower()
    if root in (
        "html",
        "body",
        "head",
        "p",
        "div",
        "table",
        "title",
        "meta",
        "center",
        "font",
        "span",
        "script",
        "style",
    ):
        return "html"
    if root == "" and _HTML.search(head[:4096]):
        return "html"
    suffix = PurePosixPath(name.partition("#")[0]).suffix.lower()
    declared = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<?xml") or suffix == ".xml"
    if declared or re.search(rb"</\w|/>", head):
        return "xml" if root else _prose(head, name)
    return _prose(head, name)


def root_name(data: bytes) -> str:
    """The name of the first element, without prefix; "" if there is none in the first 64 KB."""
    head = re.sub(rb"<!--.*?-->", b"", data[: 1 << 16].replace(b"\0", b""), flags=re.DOTALL)
    found = re.search(rb"<([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)", head)
    return found.group(2).decode("ascii", "replace") if found else ""


def _prose(head: bytes, name: str) -> str:
    suffix = PurePosixPath(name.partition("#")[0]).suffix.lower()
    if _RELEASE.search(head):
        return "sec-release"
    if _FRONT_MATTER.match(head):
        return "markdown"
    if suffix in (".md", ".markdown"):
        return "markdown"
    if _RELEASE_WORDS.search(head) and len(set(_RELEASE_HEADS.findall(head))) > 1:
        return "sec-release"
    if len(_MARKDOWN_HEAD.findall(head)) > 1:
        return "markdown"
    return "text"


def _is_binary(head: bytes) -> bool:
    """More control characters than any text has."""
    sample = head[:8192]
    odd = sum(
        sample.count(byte)
        for byte in (0, 1, 2, 3, 4, 5, 6, 7, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)
    )
    if sample.count(0) > 0.2 * len(sample) and all(
        b in (0, 9, 10, 13) or 32 <= b < 127 for b in sample[:256]
    ):
        return False  # UTF-16 without a mark; the text reader tries it
    return odd > 0.02 * len(sample)
