"""What bytes are taken for, whatever their name says."""

import subprocess
import sys

import pytest

from ingest.errors import Unreadable
from ingest.parse import parse, parts, sniff


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"%PDF-1.7\n...", "a.pdf", "pdf"),
        (b"\n\njunk before %PDF-1.4", "a.txt", "pdf"),
        (b"<SEC-DOCUMENT>0000.txt : 2024\n<SEC-HEADER>", "a.txt", "edgar-submission"),
        (b"-----BEGIN PRIVACY-ENHANCED MESSAGE-----\nProc-Type: 2001", "a.txt", "edgar-submission"),
        (b"<SUBMISSION>\r<ACCESSION-NUMBER>1", "a.nc", "edgar-submission"),
        (b"<ACCEPTANCE-DATETIME>20240101\nACCESSION NUMBER: 1", "a.txt", "edgar-submission"),
        (b"<?xml version='1.0'?><RULE/>", "a.xml", "xml"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><!-- html --><NOTICE/>", "a", "xml"),
        ('<?xml version="1.0" encoding="utf-16"?><RULE/>'.encode("utf-16"), "a.xml", "xml"),
        (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>", "a.xml", "html"),
        (b"<!DOCTYPE html><html><p>x", "a.html", "html"),
        (b"<!-- saved --><HTML><BODY>x", "a", "html"),
        (b"<p>A fragment</p>", "a.html", "html"),
        (b"1. Contents\n<END TABLE OF CONTENTS>\n<h>I.</h>", "a.txt", "sec-release"),
        (b"[Federal Register]\n[[Page 12345]]\ntext", "a.txt", "sec-release"),
        (b"[Release No. 34-51808]\nAGENCY: Us.\nACTION: Final rule.\n", "a.txt", "sec-release"),
        (b"The press wrote that Release No. 34-51808 was long.\n", "a.txt", "text"),
        (b"---\ntitle: x\n---\n\ntext", "a.txt", "markdown"),
        (b"# One\n\ntext\n\n## Two\n\ntext", "a", "markdown"),
        (b"plain words", "a.md", "markdown"),
        (b"# Notes\n\n```\n<html><body><p>x</p></body></html>\n```\n", "a.md", "markdown"),
        (b"plain words, 3 < 4 and a <b> c", "a.txt", "text"),
        ("Größe, wide".encode("utf-16"), "a.txt", "text"),
        (b"plain words", "a", "text"),
    ],
)
def test_the_bytes_say_what_they_are(data: bytes, name: str, expected: str) -> None:
    assert sniff(data, name) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04" + bytes(60),
        b"\x1f\x8b\x08" + bytes(60),
        b"\x89PNG\r\n\x1a\n" + bytes(60),
        b"\xff\xd8\xff\xe0" + bytes(60),
        b"MZ\x90\x00" + bytes(60),
        b"\x7fELF" + bytes(60),
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60),
        bytes(range(1, 32)) * 50,
    ],
)
@pytest.mark.parametrize("name", ["a.pdf", "a.html", "a.txt", "a"])
def test_what_is_no_document_is_refused_with_a_hint(data: bytes, name: str) -> None:
    for reader in (parse, lambda data, name: list(parts(data, name))):
        with pytest.raises(Unreadable) as refused:
            reader(data, name)
        assert refused.value.reason == "unknown-format"
        assert refused.value.hint


@pytest.mark.parametrize("data", [b"", b"  \n\t ", b"\xef\xbb\xbf\n", bytes(500)])
@pytest.mark.parametrize("name", ["a.pdf", "a.html", "a.xml", "a.txt", "a.md"])
def test_nothing_is_empty_under_any_name(data: bytes, name: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse(data, name)
    assert refused.value.reason == "empty"


def test_a_wrong_extension_is_survived_with_a_warning() -> None:
    document = parse(
        b"<html><body><h1>Ticks</h1><p>They are small.</p></body></html>", "release.pdf"
    )
    assert document.format == "html"
    assert document.warnings == ("named like pdf, read as html",)


def test_the_right_extension_gets_no_warning() -> None:
    assert parse(b"<html><body><p>Ticks are small.</p></body></html>", "a.htm").warnings == ()


def test_what_is_given_wins_over_what_is_read() -> None:
    page = b"<html><head><title>A page of ticks</title></head><body><p>Text.</p></body></html>"
    document = parse(page, "a.html", {"title": "The given one"})
    assert document.metadata.title == "The given one"
    assert document.metadata.where["title"].place == "manifest"


def test_a_file_of_one_document_is_its_own_part() -> None:
    assert list(parts(b"plain words", "a.txt")) == [("a.txt", b"plain words")]


def test_parts_of_a_part_are_itself() -> None:
    title = b"<?xml version='1.0'?><ECFR><DIV1 N='17'><DIV8 N='1.1'><HEAD>1.1 A</HEAD><P>Text.</P></DIV8></DIV1></ECFR>"
    [(name, data)] = parts(title, "t.xml")
    assert name == "t.xml#1.1"
    assert list(parts(data, name)) == [(name, data)]


def test_asking_what_bytes_are_loads_no_parser() -> None:
    code = (
        "import sys; from ingest.parse import sniff; sniff(b'<?xml version=\"1.0\"?><RULE/>', 'a.xml');"
        "sys.exit(any(m in sys.modules for m in ('lxml', 'pypdf', 'pypdfium2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
