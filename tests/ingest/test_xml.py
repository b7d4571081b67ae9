"""Federal Register and eCFR documents, written here in a few lines each, read into sections; then the real ones."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.document import DocType, Document, Kind, Section
from ingest.errors import Unreadable
from ingest.parse import parse, parts, xml

_PREAMBLE = """<PREAMB>
    <PRTPAGE P="1200"/>
    <AGENCY TYPE="S">SECURITIES AND EXCHANGE COMMISSION</AGENCY>
    <CFR>17 CFR Part 242</CFR>
    <DEPDOC>[Release No. 33–1; 34–99001; File No. S7–01–24]</DEPDOC>
    <RIN>RIN 3235–AA01</RIN>
    <SUBJECT>Smaller Ticks</SUBJECT>
    <AGY><HD SOURCE="HED">AGENCY:</HD><P>Securities and Exchange Commission.</P></AGY>
    <ACT><HD SOURCE="HED">ACTION:</HD><P>Final rule.</P></ACT>
    <SUM><HD SOURCE="HED">SUMMARY:</HD><P>Ticks get smaller.</P></SUM>
    <DATES><HD SOURCE="HED">DATES:</HD><P>Effective date: May 6, 2024.</P></DATES>
</PREAMB>"""
_BODY = """<SUPLINF>
    <HD SOURCE="HED">SUPPLEMENTARY INFORMATION:</HD>
    <HD SOURCE="HD1">I. Background</HD>
    <P>
        Quotes were in cents
        <SU>1</SU>
        <FTREF/>
         until now. See&#32;
        <E T="03">infra</E>
        , part II. The page&#32;
        <PRTPAGE P="1201"/>
        turned here.
    </P>
    <FTNT>
        <P>
            <SU>1</SU>
             In decimals since 2001.
        </P>
    </FTNT>
    <HD SOURCE="HD2">A. Why</HD>
    <P>Spreads were wide by 10<SU>2</SU> percent.</P>
    <HD SOURCE="HD1">II. Costs</HD>
    <GPOTABLE COLS="3">
        <TTITLE>Table 1—Cost</TTITLE>
        <BOXHD><CHED H="1">Venue</CHED><CHED H="1">Cost</CHED><CHED H="2">First year</CHED><CHED H="2">Later</CHED></BOXHD>
        <ROW><ENT I="01">Exchange<SU>1</SU>......</ENT><ENT>$10</ENT><ENT>$2</ENT></ROW>
        <ROW><ENT I="01">Broker</ENT><ENT/><ENT>$1</ENT></ROW>
        <TNOTE><SU>1</SU> Each.</TNOTE>
    </GPOTABLE>
    <PART><HD SOURCE="HED">PART 242—REGULATION NMS</HD></PART>
    <REGTEXT TITLE="17" PART="242">
        <AMDPAR>1. Revise § 242.612 to read as follows:</AMDPAR>
        <SECTION>
            <SECTNO>§ 242.612</SECTNO>
            <SUBJECT>Minimum pricing increment.</SUBJECT>
            <P>(a) No broker shall quote in less than a cent.</P>
            <STARS/>
            <P>(b)(1) The increment is half a cent where</P>
            <P>(i) the spread is narrow; and</P>
            <P>(ii) the stock is liquid.</P>
            <P>(2) It is set twice a year.</P>
            <P>(c) <E T="03">Exemptions.</E> (1) The Commission may exempt.</P>
        </SECTION>
    </REGTEXT>
</SUPLINF>
<SIG><DATED>Dated: March 4, 2024.</DATED><NAME>A. Secretary,</NAME><TITLE>Secretary.</TITLE></SIG>
<FRDOC>[FR Doc. 2024–00042 Filed 3–5–24; 8:45 am]</FRDOC>
<BILCOD>BILLING CODE 8011–01–P</BILCOD>"""
_RULE = f"<?xml version='1.0' encoding='utf-8'?>\n<RULE>{_PREAMBLE}{_BODY}</RULE>"


@pytest.fixture(name="rule")
def _rule() -> Document:
    document = xml.parse(_RULE.encode(), "rule.xml")
    document.check()
    return document


def _text(document: Document, section: Section) -> str:
    return document.text[section.start : section.end]


def _under(document: Document, *path: str) -> list[Section]:
    return [section for section in document.sections if section.path == path]


def _notice(subject: str, tag: str = "NOTICE") -> Document:
    written = f"<{tag}><PREAMB><SUBJECT>{subject}</SUBJECT><P>Text.</P></PREAMB></{tag}>"
    return xml.parse(b"<?xml version='1.0'?>" + written.encode(), "notice.xml")


# --- Federal Register


def test_metadata_comes_from_the_elements_with_its_place(rule: Document) -> None:
    metadata = rule.metadata
    assert (metadata.title, metadata.agency) == (
        "Smaller Ticks",
        "Securities and Exchange Commission",
    )
    assert metadata.doc_type is DocType.FINAL_RULE
    assert (metadata.release, metadata.fr_document) == ("34-99001", "2024-00042")
    assert (metadata.file_numbers, metadata.rin) == (("S7-01-24",), ("3235-AA01",))
    assert metadata.cfr_sections == ("242.612",)
    where = metadata.where["title"]
    assert rule.text[where.start : where.end] == "Smaller Ticks"


def test_the_front_has_a_labelled_section_for_each_head(rule: Document) -> None:
    front = {s.label: _text(rule, s) for s in rule.sections if s.kind is Kind.HEADER and s.label}
    assert front["DATES"] == "DATES:\n\nEffective date: May 6, 2024."
    assert front["ACTION"] == "ACTION:\n\nFinal rule."
    assert [s.kind for s in _under(rule, "SUMMARY")] == [Kind.BODY]


def test_dates_of_a_rule_are_described_from_its_front() -> None:
    assert parse(_RULE.encode(), "rule.xml").metadata.effective_on == date(2024, 5, 6)


def test_headings_nest_by_their_source_level(rule: Document) -> None:
    paths = [s.path for s in rule.sections if s.kind is Kind.BODY]
    assert ("I. Background",) in paths
    assert ("I. Background", "A. Why") in paths
    assert ("II. Costs",) not in paths or paths.index(("II. Costs",)) > paths.index(
        ("I. Background", "A. Why")
    )


def test_indentation_of_the_file_does_not_reach_the_text(rule: Document) -> None:
    assert "Quotes were in cents until now. See infra, part II. The page turned here." in rule.text


def test_a_note_follows_its_section_and_knows_where_it_is_called(rule: Document) -> None:
    note = next(s for s in rule.sections if s.kind is Kind.FOOTNOTE)
    assert (_text(rule, note), note.label, note.path) == (
        "1 In decimals since 2001.",
        "1",
        ("I. Background",),
    )
    assert note.anchor is not None
    assert rule.text[: note.anchor].endswith("Quotes were in cents")


def test_a_raised_number_without_a_note_stays(rule: Document) -> None:
    assert "by 102 percent" in rule.text


def test_page_marks_become_pages_with_printed_numbers(rule: Document) -> None:
    assert [(p.number, p.printed) for p in rule.pages] == [(1, "1200"), (2, "1201")]
    assert rule.text[rule.pages[1].start :].startswith("turned here.")


def test_a_table_has_its_title_flattened_heads_and_rows(rule: Document) -> None:
    table = next(s for s in rule.sections if s.kind is Kind.TABLE)
    assert _text(rule, table) == (
        "Table 1—Cost\nVenue | Cost: First year | Cost: Later\nExchange | $10 | $2\nBroker | | $1\n1 Each."
    )
    assert table.path == ("II. Costs",)


def test_rule_text_stands_under_its_section_with_full_labels(rule: Document) -> None:
    path = ("§ 242.612 Minimum pricing increment",)
    wording = [(s.label, _text(rule, s)) for s in _under(rule, *path)]
    assert {s.kind for s in _under(rule, *path)} == {Kind.RULE_TEXT}
    assert [label for label, _ in wording] == [
        None,
        "(a)",
        None,
        "(b)(1)",
        "(b)(1)(i)",
        "(b)(1)(ii)",
        "(b)(2)",
        "(c)(1)",
    ]
    assert wording[0][1] == "§ 242.612 Minimum pricing increment."
    assert wording[2][1] == "* * * * *"


def test_an_instruction_to_the_editors_is_not_rule_text(rule: Document) -> None:
    instruction = next(s for s in rule.sections if "1. Revise" in _text(rule, s))
    assert (instruction.kind, instruction.path) == (Kind.BODY, ("PART 242—REGULATION NMS",))


def test_a_signature_belongs_to_no_heading(rule: Document) -> None:
    signature = next(s for s in rule.sections if "A. Secretary" in _text(rule, s))
    assert signature.path == ()
    assert "8011" not in rule.text


@pytest.mark.parametrize(
    ("tag", "subject", "expected"),
    [
        (
            "NOTICE",
            "Self-Regulatory Organizations; Notice of Filing of a Fee Change",
            DocType.NOTICE,
        ),
        ("NOTICE", "Order Instituting Proceedings on a Fee Change", DocType.ORDER),
        ("NOTICE", "Notice of Withdrawal of a Proposed Rule Change", DocType.WITHDRAWAL),
        ("PRORULE", "Smaller Ticks", DocType.PROPOSED_RULE),
        ("RULE", "Smaller Ticks", DocType.FINAL_RULE),
    ],
)
def test_the_kind_of_document_is_its_element_and_what_its_subject_says(
    tag: str, subject: str, expected: DocType
) -> None:
    assert _notice(subject, tag).metadata.doc_type is expected


def test_numbers_of_other_agencies_are_not_taken_for_releases() -> None:
    written = (
        "<RULE><PREAMB><DEPDOC>[Docket No. FAA-2024-0224; Amendment 39-22673]</DEPDOC>"
        "<SUBJECT>Wings</SUBJECT></PREAMB></RULE>"
    )
    metadata = xml.parse(b"<?xml version='1.0'?>" + written.encode(), "a.xml").metadata
    assert metadata.release is None
    assert metadata.file_numbers == ("FAA-2024-0224",)


# --- a whole issue


_ISSUE = f"""<?xml version="1.0"?>
<FEDREG><VOL>89</VOL><NO>45</NO><DATE>Tuesday, March 5, 2024</DATE>
<CNTNTS><AGCY><HD>Contents</HD></AGCY></CNTNTS>
<RULES><RULE>{_PREAMBLE}{_BODY}</RULE></RULES>
<NOTICES><NOTICE><PREAMB><SUBJECT>A Meeting</SUBJECT><DATE>March 1, 2020.</DATE><P>At noon.</P></PREAMB>
<FRDOC>[FR Doc. 2024-00043 Filed 3-4-24; 8:45 am]</FRDOC></NOTICE>
<NOTICE><PREAMB><SUBJECT>No Number</SUBJECT><P>Later.</P></PREAMB></NOTICE></NOTICES></FEDREG>"""


def test_an_issue_is_split_into_named_documents() -> None:
    names = [name for name, _ in parts(_ISSUE.encode(), "FR-2024-03-05.xml")]
    assert names == [
        "FR-2024-03-05.xml#2024-00042",
        "FR-2024-03-05.xml#2024-00043",
        "FR-2024-03-05.xml#part-1",
    ]


def test_each_document_of_an_issue_knows_its_day_volume_and_page() -> None:
    rule, meeting, _ = [
        parse(data, name) for name, data in parts(_ISSUE.encode(), "FR-2024-03-05.xml")
    ]
    assert (rule.metadata.fr_citation, meeting.metadata.fr_citation) == ("89 FR 1200", "89 FR 1201")
    assert rule.metadata.published_on == meeting.metadata.published_on == date(2024, 3, 5)
    assert [p.printed for p in meeting.pages] == ["1201"]
    assert "Ticks" not in meeting.text


def test_splitting_is_the_same_every_time() -> None:
    assert list(parts(_ISSUE.encode(), "a.xml")) == list(parts(_ISSUE.encode(), "a.xml"))


def test_a_whole_issue_is_not_one_document() -> None:
    with pytest.raises(Unreadable, match="whole issue"):
        xml.parse(_ISSUE.encode(), "FR.xml")


def test_an_issue_that_breaks_off_gives_what_it_has_and_says_so() -> None:
    cut = _ISSUE[: _ISSUE.index("At noon.") + 5].encode()
    documents = [parse(data, name) for name, data in parts(cut, "a.xml")]
    assert len(documents) == 2
    assert documents[0].warnings == ()
    assert "cut off in the issue" in documents[1].warnings[0]


# --- eCFR


_TITLE = """<?xml version="1.0"?>
<DLPSTEXTCLASS><HEADER><TITLE>x</TITLE></HEADER><TEXT><BODY><ECFRBRWS><AMDDATE>Jan. 2, 2024(fm)</AMDDATE>
<DIV1 N="3" NODE="17:3" TYPE="TITLE"><HEAD>Title 17—Commodity and Securities Exchanges</HEAD>
<DIV5 N="242" TYPE="PART"><HEAD>PART 242—REGULATION NMS</HEAD>
<DIV8 N="§ 242.600" TYPE="SECTION"><HEAD>§ 242.600   Definitions.</HEAD>
<P>(a) For this part.</P><P>(b) These terms:</P><P>(1) <I>Tick</I> means a step.</P><P>(2) <I>Lot</I> means a number:</P>
<P>(i) round; or</P><P>(ii) odd.</P>
<CITA TYPE="N">[89 FR 1200, Mar. 5, 2024]</CITA></DIV8>
<DIV8 N="§ 242.601" TYPE="SECTION"><HEAD>§ 242.601   [Reserved]</HEAD></DIV8>
<DIV8 N="§ 242.612" TYPE="SECTION"><HEAD>§ 242.612   Minimum pricing increment.</HEAD>
<P>(a) As follows:</P><DIV class="x"><TABLE><TR><TH>Price</TH><TH>Tick</TH></TR><TR><TD>$1</TD><TD>$0.01</TD></TR></TABLE></DIV>
</DIV8></DIV5></DIV1></ECFRBRWS></BODY></TEXT></DLPSTEXTCLASS>"""


def _sections() -> Iterator[tuple[str, Document]]:
    for name, data in parts(_TITLE.encode(), "title17.xml"):
        document = parse(data, name)
        document.check()
        yield name, document


def test_each_section_of_a_title_is_a_work_and_reserved_numbers_are_none() -> None:
    assert [(name, d.metadata.cfr_sections) for name, d in _sections()] == [
        ("title17.xml#242.600", ("242.600",)),
        ("title17.xml#242.612", ("242.612",)),
    ]


def test_a_section_of_the_code_says_what_it_is() -> None:
    _, document = next(_sections())
    metadata = document.metadata
    assert metadata.title == "17 CFR 242.600 Definitions."
    assert (metadata.doc_type, metadata.published_on) == (DocType.REGULATION, date(2024, 1, 2))
    assert document.text.startswith(
        "Title 17—Commodity and Securities Exchanges\n\nPART 242—REGULATION NMS"
    )


def test_paragraphs_of_the_code_have_full_labels_and_its_sources_are_not_rule_text() -> None:
    _, document = next(_sections())
    wording = [s for s in document.sections if s.kind is Kind.RULE_TEXT]
    assert [s.label for s in wording] == [
        None,
        "(a)",
        "(b)",
        "(b)(1)",
        "(b)(2)",
        "(b)(2)(i)",
        "(b)(2)(ii)",
    ]
    assert {s.path for s in wording} == {("§ 242.600 Definitions",)}
    last = document.sections[-1]
    assert (last.kind, _text(document, last)) == (Kind.BODY, "[89 FR 1200, Mar. 5, 2024]")


def test_tables_of_the_code_are_rows() -> None:
    _, document = list(_sections())[1]
    table = next(s for s in document.sections if s.kind is Kind.TABLE)
    assert _text(document, table) == "Price | Tick\n$1 | $0.01"


def test_terms_defined_one_after_another_each_start_their_numbers_afresh() -> None:
    unit = (
        "<DIV8 N='1.1' TYPE='SECTION'><HEAD>1.1 Terms.</HEAD><P>Income means:</P><P>(1) Wages.</P><P>(2) Rent.</P>"
        "<P>Person means:</P><P>(1) One.</P></DIV8>"
    )
    document = xml.parse(unit.encode(), "a.xml")
    assert [s.label for s in document.sections] == [None, "(1)", "(2)", None, "(1)"]


# --- other XML


def test_an_agenda_entry_is_lines_of_names_and_values() -> None:
    entry = (
        "<REGINFO_RIN_DATA><RIN_INFO><RIN>3235-AA01</RIN><AGENCY><NAME>The Commission</NAME></AGENCY>"
        "<RULE_TITLE>Smaller Ticks</RULE_TITLE><ABSTRACT><![CDATA[<html><body><p>It &amp; that.</p></body></html>]]></ABSTRACT>"
        "</RIN_INFO></REGINFO_RIN_DATA>"
    )
    document = parse(b"<?xml version='1.0'?>" + entry.encode(), "agenda.xml")
    assert document.metadata.doc_type is DocType.AGENDA
    assert document.metadata.rin == ("3235-AA01",)
    assert "Rule title: Smaller Ticks" in document.text
    assert "Abstract: It & that." in document.text


def test_truncated_xml_is_read_as_far_as_it_goes_with_a_warning() -> None:
    document = xml.parse(_RULE[: _RULE.index("turned here")].encode(), "rule.xml")
    document.check()
    assert document.metadata.title == "Smaller Ticks"
    assert "Quotes were in cents until now." in document.text
    assert "broken XML" in document.warnings[0]


# --- the real ones


def _corpus() -> Path:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    return Path(data) / "corpus"


@pytest.mark.data
@pytest.mark.parametrize("version", ["current", "updated"])
def test_a_real_issue_splits_into_its_documents_and_each_parses(version: str) -> None:
    path = _corpus() / "fr_xml" / f"FR-2024-02-12.{version}.xml"
    documents = {
        name.partition("#")[2]: parse(data, name)
        for name, data in parts(path.read_bytes(), path.name)
    }
    assert len(documents) == 96
    order = documents["2024-02804"]
    assert order.metadata.fr_citation == "89 FR 9883"
    assert order.metadata.published_on == date(2024, 2, 12)
    assert {d.metadata.fr_document for d in documents.values()} == set(documents)


@pytest.mark.data
def test_every_real_document_of_these_formats_is_read() -> None:
    corpus = _corpus()
    files = [
        *corpus.glob("fr_xml/sec_docs/*.xml"),
        *corpus.glob("page_excerpts/*.xml"),
        *corpus.glob("*/ecfr*.xml"),
    ]
    for path in [*files, *corpus.glob("ecfr_xml_format/*.xml")]:
        for name, data in parts(path.read_bytes(), path.name):
            document = parse(data, name)
            assert document.text.strip(), name
    withdrawal = parse((corpus / "fr_xml/sec_docs/2024-02754.xml").read_bytes(), "2024-02754.xml")
    assert withdrawal.metadata.doc_type is DocType.WITHDRAWAL
    notes = [s for s in withdrawal.sections if s.kind is Kind.FOOTNOTE]
    assert [s.label for s in notes] == ["1", "2", "3", "4", "5", "6", "7"]
    assert all(s.anchor is not None for s in notes)
