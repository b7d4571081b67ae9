"""HTML pages and filings, written here in a few lines each, read into sections; then the real ones."""

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from ingest.document import Document, Kind, Metadata, Section
from ingest.parse import html
from ingest.parse.assemble import Writer


def _read(body: str, **head: str) -> Document:
    page = f"<html><head>{head.get('head', '')}</head><body>{body}</body></html>"
    document = html.parse(page.encode(), "page.html")
    document.check()
    return document


def _of(document: Document, kind: Kind) -> list[Section]:
    return [section for section in document.sections if section.kind is kind]


def _text(document: Document, section: Section) -> str:
    return document.text[section.start : section.end]


_COVER = "<p align=center><b>FORM 10-K</b></p><p>A company of no importance.</p>"
_BOLD = "font-weight:700;font-size:10pt"


# --- what is not shown


@pytest.mark.parametrize(
    "hidden",
    [
        "<ix:header><ix:hidden><ix:nonNumeric name='dei:X'>SECRET</ix:nonNumeric></ix:hidden></ix:header>",
        "<div style='display: none'>SECRET</div>",
        "<div style='visibility:hidden'><p>SECRET</p></div>",
        "<span style='font-size:0'>SECRET</span>",
        "<p hidden>SECRET</p>",
        "<script>SECRET</script>",
        "<style>SECRET</style>",
        "<template>SECRET</template>",
        "<xbrli:context><xbrli:entity>SECRET</xbrli:entity></xbrli:context>",
    ],
)
def test_what_a_browser_would_not_show_is_not_in_the_text(hidden: str) -> None:
    document = _read(f"<p>before</p>{hidden}<p>after</p>")
    assert document.text == "before\n\nafter"


def test_a_hidden_element_hides_all_that_is_in_it_and_nothing_behind_it() -> None:
    document = _read("<div style='display:none'><div>a</div><p>b<br>c</p></div><p>shown</p>")
    assert document.text == "shown"


def test_hidden_facts_still_say_whose_filing_it_is() -> None:
    facts = (
        "<div style='display:none'><ix:header><ix:hidden>"
        "<ix:nonNumeric name='dei:EntityCentralIndexKey'>0000000042</ix:nonNumeric></ix:hidden></ix:header></div>"
        "<p>FORM <ix:nonNumeric name='dei:DocumentType'>10-K</ix:nonNumeric></p>"
        "<p><ix:nonNumeric name='dei:EntityRegistrantName'>Tick &amp; Lot Corp.</ix:nonNumeric></p>"
        "<p><ix:nonNumeric name='dei:DocumentPeriodEndDate'>December 31, 2024</ix:nonNumeric></p>"
    )
    metadata = _read(facts).metadata
    assert (metadata.cik, metadata.form, metadata.company) == (
        "0000000042",
        "10-K",
        "Tick & Lot Corp.",
    )
    assert metadata.period == date(2024, 12, 31)
    assert metadata.where["cik"].place == "dei:EntityCentralIndexKey"


# --- running text


def test_spaces_soft_hyphens_and_letters_come_out_as_agreed() -> None:
    document = _read(
        "<p>The\u202f\u00a0fee&nbsp;&#8201;cap is\n  three\u00ad hun\u00addredths \u200b of e\u0301 “cent”</p>"
    )
    assert document.text == "The fee cap is three hundredths of é “cent”"


def test_one_line_break_is_a_blank_and_two_are_a_paragraph() -> None:
    assert _read("<p>one<br>two<br><br>three</p>").text == "one two\n\nthree"


def test_the_placeholders_of_the_parser_cannot_come_in_from_a_page() -> None:
    assert _read("<p>a\ufdd0b&#xFDD1;c</p>").text == "abc"


def test_broken_markup_survives() -> None:
    document = html.parse(
        b"<p>one <b>two<p>three</i></b><table><tr><td>x<td>y<tr><td>1<td>2", "broken.html"
    )
    document.check()
    assert document.text == "one two\n\nthree\n\nx | y\n1 | 2"


def test_letters_outside_utf_8_are_read_as_browsers_read_them_with_a_warning() -> None:
    document = html.parse(b"<html><p>caf\xe9 \x93quoted\x94</p></html>", "page.html")
    assert document.text == "café “quoted”"
    assert document.warnings == ("not UTF-8; read as cp1252",)


# --- headings


def test_headings_open_sections_and_nest() -> None:
    document = _read(
        "<h1>Rules</h1><p>a</p><h2>Ticks</h2><p>b</p><h2>Fees</h2><p>c</p><h1>End</h1><p>d</p>"
    )
    assert [section.path for section in document.sections] == [
        ("Rules",),
        ("Rules", "Ticks"),
        ("Rules", "Fees"),
        ("End",),
    ]
    assert _text(document, document.sections[1]) == "Ticks\n\nb"


def test_items_are_the_top_level_of_a_filing_and_carry_a_label() -> None:
    document = _read(
        f"{_COVER}<p><b>PART I</b></p><p><b>Item 1. Business</b></p><p>We match orders.</p>"
        f"<p><b>Item 1A. Risk Factors</b></p><p style='{_BOLD}'>Latency</p><p>It may grow.</p>"
        "<p><b>SIGNATURES</b></p><p><b>Jane Doe</b></p>"
    )
    assert [(s.path, s.label) for s in document.sections if s.kind is Kind.BODY] == [
        (("PART I",), None),
        (("Item 1. Business",), "Item 1"),
        (("Item 1A. Risk Factors",), "Item 1A"),
        (("Item 1A. Risk Factors", "Latency"), "Item 1A"),
        (("SIGNATURES",), None),
    ]
    cover = document.sections[0]
    assert cover.kind is Kind.HEADER
    assert cover.path == ()
    assert "FORM 10-K" in _text(document, cover)


@pytest.mark.parametrize(
    "item",
    [
        "<p><b>Item 7.</b></p><p><b>Discussion of Results</b></p>",
        "<table><tr><td><b>Item 7.</b></td><td></td><td><b>Discussion of Results</b></td></tr></table>",
        "<div><span style='font-weight:bold'>Item&#160;7.&#160;Discussion of Results</span></div>",
    ],
)
def test_an_item_is_found_however_its_number_and_title_are_set(item: str) -> None:
    document = _read(f"{_COVER}{item}<p>Revenue rose.</p>")
    section = document.sections[-1]
    assert (section.path, section.label) == (("Item 7. Discussion of Results",), "Item 7")


def test_a_sentence_that_mentions_an_item_opens_nothing() -> None:
    document = _read(
        f"{_COVER}<p><b>Item 1. Business</b></p><p>Item 7 of this report says more. See there.</p>"
    )
    assert document.sections[-1].path == ("Item 1. Business",)


def test_an_item_continued_on_another_page_stays_one_item() -> None:
    document = _read(
        f"{_COVER}<p><b>Item 8. Statements</b></p><p>One.</p><p><b>Item 8. Statements (Continued)</b></p><p>Two.</p>"
    )
    assert {s.path for s in document.sections if s.kind is Kind.BODY} == {("Item 8. Statements",)}


def test_of_two_manners_of_heading_the_one_that_came_first_is_above() -> None:
    one, two = "<p><b><u>Outer</u></b></p>", "<p><b><i>Inner line</i></b></p>"
    document = _read(
        f"{_COVER}<p><b>Item 1. Business</b></p>{one}<p>a</p>{two}<p>b</p>{one.replace('Outer', 'Next')}<p>c</p>"
    )
    paths = [s.path[1:] for s in document.sections if s.label == "Item 1"]
    assert paths == [(), ("Outer",), ("Outer", "Inner line"), ("Next",)]


def test_a_centred_heading_on_two_lines_is_one_heading() -> None:
    line = "<div style='text-align:center;font-weight:bold'>{}</div>"
    document = _read(f"{line.format('ORDER HANDLING')}{line.format('AND ROUTING')}<p>Text.</p>")
    assert [s.path for s in document.sections] == [("ORDER HANDLING AND ROUTING",)]


def test_a_long_bold_paragraph_is_text() -> None:
    document = _read(f"<p><b>{'This whole warning is printed bold. ' * 12}</b></p>")
    assert document.sections[0].path == ()


# --- tables


def test_a_table_is_rows_and_its_signs_rejoin_their_numbers() -> None:
    document = _read(
        "<table><tr><td></td><td colspan=2>2024</td><td></td><td>2023</td></tr>"
        "<tr><td>Net revenue</td><td>$</td><td>35,926</td><td></td><td>$</td><td>(32,653</td><td>)</td></tr>"
        "<tr><td>Margin</td><td>12.5</td><td>%</td><td></td><td>—</td></tr></table>"
    )
    assert document.text == "2024 | 2023\nNet revenue | $35,926 | $(32,653)\nMargin | 12.5% | —"
    assert [s.kind for s in document.sections] == [Kind.TABLE]


def test_a_table_that_only_places_paragraphs_is_unwrapped() -> None:
    document = _read(
        "<table><tr><td><p>First paragraph.</p><p>Second paragraph.</p></td></tr></table>"
    )
    assert document.text == "First paragraph.\n\nSecond paragraph."
    assert document.sections[0].kind is Kind.BODY


def test_a_table_of_bullets_is_a_list() -> None:
    document = _read(
        "<table><tr><td></td><td>•</td><td>Ticks are halved.</td></tr></table>"
        "<table><tr><td>(a)</td><td>Fees are capped.</td></tr></table>"
    )
    assert document.text == "• Ticks are halved.\n\n(a) Fees are capped."


def test_a_table_inside_a_layout_table_keeps_its_rows() -> None:
    document = _read(
        "<table><tr><td><p>Before.</p><table><tr><td>Tick</td><td>0.005</td></tr>"
        "<tr><td>Lot</td><td>100</td></tr></table></td></tr></table>"
    )
    assert document.text == "Before.\n\nTick | 0.005\nLot | 100"


def test_a_table_of_contents_is_found_with_its_heading_and_is_no_evidence() -> None:
    rows = "".join(
        f"<tr><td>Item {n}</td><td><a href='#i{n}'>{title}</a></td><td>{n + 3}</td></tr>"
        for n, title in enumerate(("Business", "Risk Factors", "Properties"), start=1)
    )
    document = _read(
        f"{_COVER}<p><b>TABLE OF CONTENTS</b></p><table>{rows}</table><p><b>Item 1. Business</b></p><p>Text.</p>"
    )
    contents = _of(document, Kind.CONTENTS)
    assert [_text(document, s).split("\n")[0] for s in contents] == ["TABLE OF CONTENTS"]
    assert "Item 2 | Risk Factors | 5" in _text(document, contents[0])
    assert document.sections[-1].path == ("Item 1. Business",)


def test_a_table_of_figures_is_no_table_of_contents() -> None:
    rows = "".join(
        f"<tr><td>Item {n} sold</td><td>{n * 11}</td><td>{n}</td></tr>" for n in range(1, 5)
    )
    assert _of(_read(f"<table>{rows}</table>"), Kind.CONTENTS) == []


# --- pages


def _paged(*pages: str) -> str:
    turn = "<hr style='page-break-after:always'/>"
    return turn.join(
        f"<div><a href='#toc'>Table of Contents</a></div>{page}<div style='text-align:center'>{number}</div>"
        for number, page in enumerate(pages, start=11)
    )


def test_page_breaks_become_pages_and_page_numbers_their_labels() -> None:
    document = _read(_paged("<p>One.</p>", "<p>Two.</p>", "<p>Three.</p>", "<p>Four.</p>"))
    # Of a running head the first is kept: it may be the title.
    assert document.text == "Table of Contents\n\nOne.\n\nTwo.\n\nThree.\n\nFour."
    assert [(p.number, p.printed) for p in document.pages] == [
        (1, "11"),
        (2, "12"),
        (3, "13"),
        (4, "14"),
    ]
    assert document.text[document.pages[1].start :].startswith("Two.")


def test_a_paragraph_broken_by_a_page_is_whole_again_and_the_page_begins_inside_it() -> None:
    first = "<p>The access fee may not exceed the amount that the rule sets for</p>"
    document = _read(_paged(first, "<p>protected quotations in any stock.</p>", "<p>Three.</p>"))
    assert "sets for protected quotations" in document.text
    page = document.pages[1]
    assert document.text[page.start :].startswith("protected quotations")


def test_old_pages_end_with_a_number_and_a_rule() -> None:
    document = _read("<p>One.</p><hr><p>Still one.</p><center>7</center><hr><p>Two.</p>")
    assert document.text == "One.\n\nStill one.\n\nTwo."
    assert [p.printed for p in document.pages] == ["7", None]


# --- notes


def test_a_note_is_a_section_of_its_own_tied_to_its_call() -> None:
    document = _read(
        "<p>Spreads narrowed<sup>1</sup> at once.</p><p>Depth fell.<sup>2</sup></p>"
        "<p><sup>1</sup> By a third.</p><p><sup>2</sup> By half.</p>"
    )
    assert document.text.startswith("Spreads narrowed at once.\n\nDepth fell.")
    notes = _of(document, Kind.FOOTNOTE)
    assert [(n.label, _text(document, n)) for n in notes] == [
        ("1", "1 By a third."),
        ("2", "2 By half."),
    ]
    assert notes[0].anchor == len("Spreads narrowed")
    assert notes[1].anchor == document.text.index("Depth fell.") + len("Depth fell.")


def test_notes_under_tables_are_found_again_each_time_their_numbers_restart() -> None:
    table = "<table><tr><td>Ticks{}</td><td>1</td></tr><tr><td>Lots</td><td>2</td></tr></table>"
    call = "<span style='position:relative;top:-2pt;vertical-align:baseline'>(1)</span>"
    note = f"<div>{call}<span> {{}}</span></div>"
    document = _read(
        table.format(call) + note.format("First.") + table.format(call) + note.format("Second.")
    )
    notes = _of(document, Kind.FOOTNOTE)
    assert [_text(document, n) for n in notes] == ["(1) First.", "(1) Second."]
    first, second = (n.anchor for n in notes)
    assert first is not None
    assert second is not None
    assert first < notes[0].start < second < notes[1].start


def test_linked_notes_are_calls_too() -> None:
    document = _read(
        "<p>As adopted.<a href='#_ftn1' name='_ftnref1'>[1]</a></p><p>Other text.</p>"
        "<p><a href='#_ftnref1' name='_ftn1'>[1]</a> See the release.</p>"
    )
    note = _of(document, Kind.FOOTNOTE)[0]
    assert (note.label, note.anchor) == ("1", len("As adopted."))


@pytest.mark.parametrize(
    ("raised", "written"),
    [
        ("10<sup>2</sup> lots", "10^2 lots"),
        ("the 1<sup>st</sup> lot", "the 1st lot"),
        ("CO<sub>2</sub>", "CO2"),
        ("$500<sup>2</sup> a day", "$500^2 a day"),
    ],
)
def test_a_raised_mark_that_calls_no_note_never_grows_a_number(raised: str, written: str) -> None:
    assert _read(f"<p>{raised}</p>").text == written


# --- putting together


def test_notes_wait_for_the_end_of_their_section_and_pages_for_their_text() -> None:
    writer = Writer()
    writer.add("One\ufdd0 two.", ["3"], path=("A",))
    writer.note("3", "3 A note\ufdd1 that turns the page.", ["12"])
    writer.add("Still A.", path=("A",))
    writer.add("B.", path=("B",))
    document = writer.finish("html", Metadata())
    document.check()
    assert document.text == "One two.\n\nStill A.\n\n3 A note that turns the page.\n\nB."
    assert [s.anchor for s in document.sections] == [None, 3, None]
    assert [(p.printed, document.text[p.start : p.start + 5]) for p in document.pages] == [
        ("11", "One t"),
        ("12", "Still"),
    ]


# --- real filings


def _filings() -> Path:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    return Path(data) / "corpus" / "edgar_filings"


def _pages_of(folder: Path) -> Iterator[tuple[Path, Document]]:
    for path in sorted(folder.glob("*.html")):
        yield path, html.parse(path.read_bytes(), path.name)


@pytest.mark.data
def test_real_filings_parse_without_their_hidden_facts() -> None:
    for path, document in _pages_of(_filings()):
        document.check()
        assert len(document.text) > 1000, path.name
        assert not re.search(
            r"us-gaap:|xbrli:|iso4217:|http://fasb\.org|font-family", document.text
        ), path.name
        if "0000887919" in path.name:
            assert "0000887919" not in document.text  # the key stands in ix:hidden only


@pytest.mark.data
def test_a_real_annual_report_has_its_items_tables_and_pages() -> None:
    document = dict((p.name, d) for p, d in _pages_of(_filings()))["v-10-k-2024-11-13.html"]
    labels = {section.label for section in document.sections if section.kind is Kind.BODY}
    assert {"Item 1", "Item 1A", "Item 7", "Item 7A", "Item 8", "Item 15"} <= labels
    assert len(document.pages) == 114
    assert [p.printed for p in document.pages[:3]] == [None, "2", "3"]
    assert any("Net revenue | $35,926" in _text(document, s) for s in _of(document, Kind.TABLE))


@pytest.mark.data
def test_gold_quotes_are_found_in_the_parsed_filings_and_registers() -> None:
    from ingest.parse import parse

    root = _filings().parents[1]
    flat: dict[str, str] = {}
    missing: list[str] = []
    for line in (root / "gold" / "dev.jsonl").read_text().splitlines():
        for evidence in json.loads(line)["evidence"]:
            file = evidence["file"]
            if not file.startswith(("edgar_filings/", "fr_xml/sec_docs/")):
                continue
            if file not in flat:
                document = parse((root / "corpus" / file).read_bytes(), file)
                flat[file] = " ".join(document.text.split())
            if " ".join(evidence["quote"].split()) not in flat[file]:
                missing.append(f"{file}: {evidence['quote'][:60]}")
    assert flat
    assert missing == []
