"""Markup made to hurt: each piece ends as text or as Unreadable, soon, in little memory, and asks nobody."""

import random
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ingest.document import Document
from ingest.errors import Unreadable
from ingest.parse import htmlblocks, parse, parts, xml


def _laughs(body: str, name: str = "l") -> bytes:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE {name} [<!ENTITY e0 "ha">{levels}]>{body}'.encode()


def _all(data: bytes, name: str) -> list[Document]:
    documents = [parse(piece, part) for part, piece in parts(data, name)]
    for document in documents:
        document.check()
    return documents


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


_REFUSED: list[tuple[str, bytes, str]] = [
    ("entities in text", _laughs("<l>&e9;</l>"), "damaged"),
    ("entities in an attribute", _laughs('<l a="&e9;">text</l>'), "damaged"),
    (
        "entities in an issue",
        _laughs("<FEDREG><NOTICES><NOTICE><P>&e9;</P></NOTICE></NOTICES></FEDREG>", "FEDREG"),
        "damaged",
    ),
    (
        "an outer entity",
        b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><RULE><P>a &x; b</P></RULE>',
        "damaged",
    ),
    ("depth", b'<?xml version="1.0"?><RULE>' + b"<P>" * 200_000, "too-deep"),
    ("depth, closed", b"<RULE>" + b"<P>" * 5_000 + b"x" + b"</P>" * 5_000 + b"</RULE>", "too-deep"),
    (
        "depth in an issue",
        b'<?xml version="1.0"?><FEDREG><RULES><RULE>' + b"<P>" * 5_000,
        "too-deep",
    ),
    (
        "one endless text",
        b'<?xml version="1.0"?><RULE><P>' + b"x" * 11_000_000 + b"</P></RULE>",
        "too-large",
    ),
    ("nothing but a tag", b'<?xml version="1.0"?><RULE><PREAMB><SUBJ', "truncated"),
    ("no text", b'<?xml version="1.0"?><RULE><PREAMB/></RULE>', "no-text"),
]


@pytest.mark.parametrize(("data", "reason"), [pytest.param(d, r, id=i) for i, d, r in _REFUSED])
def test_hostile_xml_is_refused_with_a_reason_and_a_hint(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as refused:
        _all(data, "a.xml")
    assert refused.value.reason == reason
    assert refused.value.hint


def test_no_entity_is_ever_expanded_even_in_a_page() -> None:
    [document] = _all(
        _laughs("<html><body><p>before &e9; after</p></body></html>", "html"), "a.html"
    )
    assert "haha" not in document.text


def test_a_file_named_by_an_entity_is_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    data = f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]><RULE><P>a &x;</P></RULE>'
    with pytest.raises(Unreadable) as refused:
        xml.parse(data.encode(), "a.xml")
    assert "SECRET" not in str(refused.value)


def test_an_outer_dtd_is_neither_fetched_nor_needed() -> None:
    [document] = _all(
        b'<?xml version="1.0"?><!DOCTYPE RULE SYSTEM "http://192.0.2.1/x.dtd"><RULE><P>Text.</P></RULE>',
        "a.xml",
    )
    assert document.text == "Text."


@pytest.mark.parametrize("tag", ["div", "span", "ul><li", "table><tr><td", "font"])
def test_endless_nesting_of_html_is_refused_at_once(tag: str) -> None:
    data = b"<html><body>" + f"<{tag}>".encode() * 300_000 + b"x"
    start = time.perf_counter()
    with pytest.raises(Unreadable) as refused:
        parse(data, "a.html")
    assert refused.value.reason == "too-deep"
    assert time.perf_counter() - start < 5


def test_deep_but_finite_nesting_is_read() -> None:
    assert parse(b"<html><body>" + b"<div>" * 1500 + b"found", "a.html").text == "found"
    assert parse(b"<html><body>" + b"<table><tr><td>" * 500 + b"found", "a.html").text == "found"


def test_a_page_of_a_hundred_megabytes_is_refused_before_it_is_parsed() -> None:
    data = b"<html><body>" + b"<p>some words</p>\n" * (100 * 2**20 // 18)
    start = time.perf_counter()
    with pytest.raises(Unreadable) as refused:
        htmlblocks.read(data)
    assert refused.value.reason == "too-large"
    assert time.perf_counter() - start < 2


def test_memory_follows_what_is_seen_not_what_is_sent() -> None:
    data = b"<html><body><script>" + b"x=1;" * 2_000_000 + b"</script><p>Seen.</p></body></html>"
    tracemalloc.start()
    try:
        document = parse(data, "a.html")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert document.text == "Seen."
    assert peak < 3 * len(data)


@pytest.mark.parametrize(
    "piece",
    [
        b"word<sup>1</sup> ",
        b"<sup>1 2 3 4 5 6 7 8 9 !</sup>",
        b"<p>Item 1. A</p>",
        b"<b>Item 1</b><br>",
        b"<td>1</td>",
        b"<p style='page-break-after:always'>2</p>",
        b"x</b></i></div>",
        b"<!-- -->",
        b"&amp;&#x41;&bogus;",
        b"<a href='#fn1'>1</a>",
        b"<hr>",
    ],
)
def test_time_grows_with_the_page_and_no_faster(piece: bytes) -> None:
    def work(times: int) -> Callable[[], object]:
        data = (
            b"<html><body><p>word</p><table><tr><td>" + piece * times + b"</table>" + piece * times
        )
        return lambda: _all(data, "a.html")

    short, long = _seconds(work(1_000)), _seconds(work(8_000))
    assert long < max(30 * short, 3.0)


def test_a_page_of_scripts_alone_has_no_text() -> None:
    with pytest.raises(Unreadable) as refused:
        parse(
            b"<html><head><script>var a;</script></head><body><noscript>Turn it on</noscript></body></html>",
            "a.html",
        )
    assert refused.value.reason == "no-text"


_SEEDS: dict[str, bytes] = {
    "a.html": b"<html><body><h1>T</h1><p style='font-weight:bold'>x<sup>1</sup></p><table><tr><td>a<td>b</table>"
    b"<hr style='page-break-after:always'><p><sup>1</sup> note</p></body></html>",
    "a.xml": b"<?xml version='1.0'?><RULE><PREAMB><PRTPAGE P='12'/><SUBJECT>S</SUBJECT></PREAMB><SUPLINF><HD SOURCE='HD1'>H</HD>"
    b"<P>p<SU>1</SU><FTREF/></P><FTNT><P><SU>1</SU> n</P></FTNT><GPOTABLE><BOXHD><CHED H='1'>c</CHED></BOXHD><ROW><ENT>1</ENT>"
    b"</ROW></GPOTABLE><SECTION><SECTNO>1.1</SECTNO><P>(a) x</P></SECTION></SUPLINF></RULE>",
    "a.txt": b"<SEC-HEADER>\nACCESSION NUMBER:\t1\n</SEC-HEADER>\n<DOCUMENT>\n<TYPE>8-K\n<TEXT>\nITEM 1. A\n\nword\n<PAGE>\n"
    b"<TABLE>\n<S> <C>\na   b\n</TABLE>\n</TEXT>\n</DOCUMENT>\n",
}


@pytest.mark.parametrize("name", sorted(_SEEDS))
def test_damaged_files_end_as_text_or_as_refusals(name: str) -> None:
    """Bytes dropped, doubled, swapped and cut at random: 400 of each format."""
    chance = random.Random(20240212)
    for _ in range(400):
        data = bytearray(_SEEDS[name])
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    del data[at : at + chance.randint(1, 20)]
                case 1:
                    data[at:at] = data[at : at + chance.randint(1, 40)]
                case 2:
                    data[at] = chance.randrange(256)
                case _:
                    del data[max(at, 20) :]
            if not data:
                data = bytearray(b"x")
        with suppress(Unreadable):
            _all(bytes(data), name)
