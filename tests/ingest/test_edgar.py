"""Full submissions, written here in a few lines each, read into header, form and exhibits; then the real ones."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from ingest.document import DocType, Kind
from ingest.errors import Unreadable
from ingest.parse import edgar, parse

_HEADER = """<SEC-DOCUMENT>0000000042-24-000007.txt : 20240614
<SEC-HEADER>0000000042-24-000007.hdr.sgml : 20240614
<ACCEPTANCE-DATETIME>20240614160501
ACCESSION NUMBER:\t\t0000000042-24-000007
CONFORMED SUBMISSION TYPE:\t8-K
PUBLIC DOCUMENT COUNT:\t\t2
CONFORMED PERIOD OF REPORT:\t20240612
ITEM INFORMATION:\t\tOther Events
FILED AS OF DATE:\t\t20240614

FILER:

\tCOMPANY DATA:
\t\tCOMPANY CONFORMED NAME:\t\t\tTick & Lot Corp.
\t\tCENTRAL INDEX KEY:\t\t\t0000000042
\t\tSTANDARD INDUSTRIAL CLASSIFICATION:\tSECURITY BROKERS [6211]

\tFILING VALUES:
\t\tFORM TYPE:\t\t8-K
\t\tSEC FILE NUMBER:\t001-00042
</SEC-HEADER>
"""
_FORM = """<DOCUMENT>
<TYPE>8-K
<SEQUENCE>1
<FILENAME>form8k.htm
<DESCRIPTION>CURRENT REPORT
<TEXT>
<XBRL>
<?xml version='1.0' encoding='ASCII'?>
<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>
<div style="display:none"><ix:header><ix:hidden>SECRET</ix:hidden></ix:header></div>
<p>FORM 8-K</p><p><b>Item 8.01 Other Events.</b></p><p>The venue halved its tick.</p></body></html>
</XBRL>
</TEXT>
</DOCUMENT>
"""
_EXHIBIT = """<DOCUMENT>
<TYPE>EX-99.1
<SEQUENCE>2
<FILENAME>ex99.htm
<DESCRIPTION>PRESS RELEASE
<TEXT>
<html><body><h1>A Finer Tick</h1><p>Orders follow.</p></body></html>
</TEXT>
</DOCUMENT>
"""
_PICTURE = (
    "<DOCUMENT>\n<TYPE>GRAPHIC\n<FILENAME>a.jpg\n<TEXT>\n"
    "begin 644 a.jpg\nM_]C_X  02D9)1@ ! 0\n`\nend\n</TEXT>\n</DOCUMENT>\n"
)
_SCHEMA = (
    "<DOCUMENT>\n<TYPE>EX-101.SCH\n<FILENAME>a.xsd\n<TEXT>\n"
    "<XBRL>\n<schema>SECRET</schema>\n</XBRL>\n</TEXT>\n</DOCUMENT>\n"
)


def _submission(*parts: str) -> bytes:
    return (_HEADER + "".join(parts) + "</SEC-DOCUMENT>\n").encode()


def test_the_header_says_who_filed_what_and_when() -> None:
    metadata = edgar.parse(_submission(_FORM), "a.txt").metadata
    assert metadata.accession == "0000000042-24-000007"
    assert (metadata.form, metadata.company, metadata.cik) == (
        "8-K",
        "Tick & Lot Corp.",
        "0000000042",
    )
    assert (metadata.period, metadata.published_on) == (date(2024, 6, 12), date(2024, 6, 14))
    assert metadata.doc_type is DocType.FILING
    assert metadata.file_numbers == ("001-00042",)
    assert metadata.where["company"].place == "SGML header"


@pytest.mark.parametrize(
    ("stamp", "moment"),
    [
        ("20240614160501", datetime(2024, 6, 14, 20, 5, 1, tzinfo=UTC)),  # daylight time
        ("20240116160501", datetime(2024, 1, 16, 21, 5, 1, tzinfo=UTC)),
    ],
)
def test_acceptance_is_new_york_wall_time(stamp: str, moment: datetime) -> None:
    data = _submission(_FORM).replace(b"20240614160501", stamp.encode())
    assert edgar.parse(data, "a.txt").metadata.accepted_at == moment


def test_form_and_exhibits_are_top_level_sections() -> None:
    document = edgar.parse(_submission(_FORM, _EXHIBIT), "a.txt")
    document.check()
    body = [(s.path, s.label) for s in document.sections if s.kind is Kind.BODY]
    assert body == [
        (("8-K: CURRENT REPORT", "Item 8.01 Other Events."), "Item 8.01"),
        (("EX-99.1: PRESS RELEASE", "A Finer Tick"), None),
    ]
    for section in document.sections:
        if section.kind is Kind.BODY:
            assert document.text[section.start : section.end].startswith(section.path[-1])
    assert document.sections[0].kind is Kind.HEADER
    assert "COMPANY CONFORMED NAME: Tick & Lot Corp." in document.text


def test_data_parts_are_left_out_and_said_to_be() -> None:
    document = edgar.parse(_submission(_FORM, _PICTURE, _SCHEMA), "a.txt")
    assert "SECRET" not in document.text
    assert "begin 644" not in document.text
    assert document.warnings == ("2 data parts left out: GRAPHIC, EX-101.SCH",)


def test_the_company_is_the_one_the_filing_is_about() -> None:
    header = (
        "<SEC-HEADER>\nACCESSION NUMBER:\t\t1\nCONFORMED SUBMISSION TYPE:\tSC 13G\n\nFILED BY:\n\n\tCOMPANY DATA:\n"
        "\t\tCOMPANY CONFORMED NAME:\t\t\tA Holder\n\nSUBJECT COMPANY:\n\n\tCOMPANY DATA:\n"
        "\t\tCOMPANY CONFORMED NAME:\t\t\tThe Issuer\n</SEC-HEADER>\n"
    )
    assert edgar.parse(header.encode(), "a.txt").metadata.company == "The Issuer"


def test_the_one_line_header_of_nc_files_is_read() -> None:
    data = (
        "<SUBMISSION>\r<ACCESSION-NUMBER>0000000042-25-000001\r<TYPE>ABS-15G\r<PERIOD>20250110\r<FILING-DATE>20250113\r"
        "<FILER>\r<COMPANY-DATA>\r<CONFORMED-NAME>Lot Trust\r<CIK>0000000043\r</COMPANY-DATA>\r</FILER>\r"
        "<DOCUMENT>\r<TYPE>ABS-15G\r<TEXT>\r<html><body><p>Body.</p></body></html>\r</TEXT>\r</DOCUMENT>\r</SUBMISSION>"
    )
    document = parse(data.encode(), "a.nc")
    assert document.format == "edgar-submission"
    assert (document.metadata.company, document.metadata.form) == ("Lot Trust", "ABS-15G")
    assert document.metadata.period == date(2025, 1, 10)
    assert document.text.endswith("Body.")


_TYPED = """-----BEGIN PRIVACY-ENHANCED MESSAGE-----
Proc-Type: 2001,MIC-CLEAR

<SEC-HEADER>x
ACCESSION NUMBER:\t\t0000000042-98-000001
CONFORMED SUBMISSION TYPE:\t10-K
</SEC-HEADER>
<DOCUMENT>
<TYPE>10-K
<TEXT>
                            FORM 10-K
- ------------------------------------------------------------

ITEM 1.  BUSINESS

     The company quotes in sixteenths, as every market did, and it sees no
reason to stop before
<PAGE>
the year is out.

Competition
- -----------

     There is none.

                                      -2-
<PAGE>
<TABLE>
<CAPTION>
                          1998            1997
                       -----------     -----------
<S>                    <C>             <C>
Spread                 $   1/16        $    1/8
Volume                  118,400.00 113,781.26
</TABLE>
</TEXT>
</DOCUMENT>
-----END PRIVACY-ENHANCED MESSAGE-----
"""


def test_a_typewritten_form_has_items_underlined_headings_pages_and_tables() -> None:
    document = parse(_TYPED.encode(), "a.txt")
    assert [(s.kind, s.path[1:], s.label) for s in document.sections[3:]] == [
        (Kind.BODY, ("ITEM 1. BUSINESS",), "Item 1"),
        (Kind.BODY, ("ITEM 1. BUSINESS", "Competition"), "Item 1"),
        (Kind.TABLE, ("ITEM 1. BUSINESS", "Competition"), None),
    ]
    assert {s.kind for s in document.sections[:3]} == {Kind.HEADER}
    assert "no reason to stop before the year is out." in document.text
    assert document.text.endswith(
        "1998 | 1997\nSpread | $1/16 | $1/8\nVolume | 118,400.00 | 113,781.26"
    )
    assert [p.number for p in document.pages] == [1, 2, 3]
    assert document.pages[1].printed == "2"
    assert document.text[document.pages[1].start :].startswith("the year is out")
    assert "---" not in document.text
    assert "-2-" not in document.text


def test_a_header_alone_is_a_document() -> None:
    document = parse(_HEADER.encode(), "secheader.txt")
    assert document.metadata.accession == "0000000042-24-000007"
    assert [s.kind for s in document.sections] == [Kind.HEADER]


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(Unreadable, match="neither a header nor") as refused:
        edgar.parse(b"<SEC-HEADER>\n</SEC-HEADER>\n", "a.txt")
    assert refused.value.reason == "no-text"


def test_a_part_that_cannot_be_read_does_not_take_the_rest_along() -> None:
    deep = "<DOCUMENT>\n<TYPE>EX-1\n<TEXT>\n<html>" + "<div>" * 5000 + "</TEXT>\n</DOCUMENT>\n"
    document = edgar.parse(_submission(_FORM, deep, _EXHIBIT), "a.txt")
    assert "halved its tick" in document.text
    assert "Orders follow" in document.text
    assert any("EX-1 was left out" in warning for warning in document.warnings)


def test_a_submission_cut_off_in_the_middle_is_read_that_far() -> None:
    data = _submission(_FORM)
    document = edgar.parse(data[: data.index(b"halved")], "a.txt")
    assert "The venue" in document.text
    assert "8-K: CURRENT REPORT is cut off" in document.warnings


@pytest.mark.data
def test_every_real_submission_is_read() -> None:
    root = os.environ.get("REGTAPE_DATA")
    if not root:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    folder = Path(root) / "corpus" / "edgar_filings"
    seen = {}
    for path in [*folder.glob("*.txt"), *folder.glob("*.nc")]:
        document = parse(path.read_bytes(), path.name)
        assert document.format == "edgar-submission", path.name
        assert "begin 644" not in document.text
        assert "xbrli" not in document.text
        seen[path.name] = document
    minimal = seen["0001564590-20-004475-minimal.txt"]
    assert "Large Accelerated Filer" not in minimal.text  # a hidden fact
    assert minimal.metadata.accepted_at == datetime(2020, 2, 13, 12, 12, 18, tzinfo=UTC)
    old = seen["0001011438-98-000429.txt"]
    assert any(
        "I-1F | 1,184,000.00 | 1,156,444.26" in old.text[s.start : s.end] for s in old.sections
    )
