"""PDFs that we typeset ourselves, so that every word, place and reading order is known."""

import io
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pypdf
import pypdfium2  # type: ignore[import-untyped]
import pytest
from fpdf import FPDF

from ingest.document import Document, Kind, Section
from ingest.errors import Unreadable
from ingest.parse.blocks import Words
from ingest.parse.headings import Ladder, Level
from ingest.parse.pdf import parse
from ingest.parse.tables import table_text

LEADING = 12.0
PROSE = (
    "A venue that displays a quotation accepts orders against it at the price shown and reports "
    "each execution to the tape. The sequence of reports is what a later reader will see, so the "
    "time of each one matters as much as its price. "
)


class Sheet(FPDF):
    """A page in points, lines set where we say."""

    def __init__(self) -> None:
        super().__init__(unit="pt", format="letter")
        self.set_auto_page_break(False)
        self.set_compression(True)

    def line(  # type: ignore[override]
        self, x: float, y: float, text: str, size: float = 10, style: str = ""
    ) -> float:
        """Set a line, y from the top; returns where it ends."""
        self.set_font("Times", style=style, size=size)
        self.text(x, y, text)
        return x + self.get_string_width(text)

    def lines(self, x: float, y: float, texts: Sequence[str], size: float = 10) -> float:
        for text in texts:
            self.line(x, y, text, size)
            y += LEADING * size / 10
        return y

    def wrapped(self, text: str, width: float, size: float = 10) -> list[str]:
        self.set_font("Times", size=size)
        out = [""]
        for word in text.split():
            longer = f"{out[-1]} {word}".strip()
            if self.get_string_width(longer) > width:
                out.append(word)
            else:
                out[-1] = longer
        return out

    def document(self) -> Document:
        document = parse(bytes(self.output()), "typeset.pdf")
        document.check()
        return document


def kinds(document: Document, kind: Kind) -> list[Section]:
    return [section for section in document.sections if section.kind is kind]


def shown(document: Document, section: Section) -> str:
    return document.text[section.start : section.end]


def numbered_sentences(prefix: str, count: int) -> str:
    return " ".join(
        f"{prefix} sentence {n} says what the rule asks of a venue." for n in range(count)
    )


# --- running heads, pages, sentences over page ends -------------------------------------------------------------------


def paged_document(pages: int = 5) -> Document:
    sheet = Sheet()
    body = sheet.wrapped(numbered_sentences("The", 110 * pages), 440)
    for n in range(pages):
        sheet.add_page()
        sheet.line(72, 40, "Increments and Fees", 9)
        sheet.line(500, 40, str(4710 + n), 9)
        sheet.line(200, 770, "Draft of 3 May, not for attribution", 8)
        sheet.lines(72, 72, body[n * 54 : (n + 1) * 54])
    return sheet.document()


def test_running_heads_and_page_numbers_are_gone_and_sentences_run_over_page_ends() -> None:
    document = paged_document()
    assert "Increments and Fees" not in document.text
    assert "not for attribution" not in document.text
    assert not re.search(r"\b471\d\b", document.text)
    assert document.text.startswith(numbered_sentences("The", 100))
    assert "\n" not in document.text


def test_pages_tell_number_printed_label_and_span() -> None:
    document = paged_document()
    assert [(page.number, page.printed) for page in document.pages] == [
        (n, str(4709 + n)) for n in range(1, 6)
    ]
    assert document.pages[0].start == 0
    assert document.pages[-1].end == len(document.text)
    for before, after in zip(document.pages, document.pages[1:], strict=False):
        assert before.end == after.start
    third = document.pages[2]
    assert document.text[third.start : third.start + 1].strip()


def test_words_that_are_all_a_document_has_are_kept_however_often_they_repeat() -> None:
    sheet = Sheet()
    for _ in range(5):
        sheet.add_page()
        sheet.line(72, 72, "The same words on every page.")
    assert sheet.document().text.count("The same words on every page.") == 5


def test_headings_that_differ_by_their_number_are_no_running_heads() -> None:
    sheet = Sheet()
    for n in range(1, 5):
        sheet.add_page()
        sheet.line(72, 60, f"EXHIBIT 31.{n}", 11, "B")
        sheet.lines(72, 100, sheet.wrapped(PROSE * (n + 1), 440))
    text = sheet.document().text
    assert [f"EXHIBIT 31.{n}" in text for n in range(1, 5)] == [True] * 4


# --- hyphens ----------------------------------------------------------------------------------------------------------


def test_a_word_divided_at_a_line_end_is_joined_and_a_true_hyphen_is_kept() -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.lines(
        72,
        72,
        [
            "Every broker-dealer that routes an order away must look for the ex-",
            "change with the best displayed price first. Where a registered broker-",
            "dealer does not, it keeps a record for short- and long-term review by",
            "the Form 10-",
            "Q working group. The exchange itself sees every routed order there is.",
        ],
    )
    text = sheet.document().text
    assert "look for the exchange with the best" in text
    assert "a registered broker-dealer does not" in text
    assert "short- and long-term review" in text
    assert "Form 10-Q working group" in text


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("the mar-", "ket maker", "the market maker"),
        ("a self-", "regulatory body", "a self-regulatory body"),
        ("pre- and post-", "trade data", "pre- and post-trade data"),
        ("docket 2019–", "NM–035", "docket 2019–NM–035"),
        ("see https://", "www.example.org", "see https://www.example.org"),
        ("buy and/", "or sell", "buy and/or sell"),
        ("the cap", "applies", "the cap applies"),
        ("the anti-", "Manipulation rule", "the anti-Manipulation rule"),
    ],
)
def test_lines_are_joined_as_a_reader_would(before: str, after: str, joined: str) -> None:
    words = Words(["the market is a market", "post-trade and pre-trade data"])
    assert words.join(before, after) == joined


def test_letters_set_apart_from_their_word_are_closed_up_on_the_documents_own_proof() -> None:
    words = Words(["our properties and properties", "the business is a business", "it is a rule"])
    assert words.mend("Item 2. Propertie s.") == "Item 2. Properties."
    assert words.mend("Busines s of the firm’ s units") == "Business of the firm’s units"
    assert words.mend("it is a rule") == "it is a rule"


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [2, 3])
def test_columns_are_read_left_to_right_below_a_head_across_the_page(columns: int) -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.line(72, 60, "Minimum Pricing Increments in Two Sizes of Type and Their History", 14, "B")
    pitch = 500 / columns
    expected = numbered_sentences("A", 22 * columns)
    words = sheet.wrapped(expected, pitch - 18)
    tall = -(-len(words) // columns)
    for n in range(columns):
        sheet.lines(56 + n * pitch, 90, words[n * tall : (n + 1) * tall])
    document = sheet.document()
    assert document.text.split("\n\n", 1)[1] == expected
    assert document.sections[0].path[0].startswith("Minimum Pricing Increments")


def test_a_table_across_two_columns_of_prose_is_read_across() -> None:
    sheet = Sheet()
    sheet.add_page()
    words = sheet.wrapped(numbered_sentences("A", 40), 230)
    sheet.lines(56, 72, words[:18])
    sheet.lines(316, 72, words[18:36])
    for n, label in enumerate(["Net fees earned", "Rebates paid", "Net capture of the venue"]):
        y = 330 + n * LEADING
        sheet.line(56, y, label)
        sheet.line(400, y, f"{n + 2},100")
        sheet.line(470, y, f"{n + 5},200")
    sheet.lines(56, 400, words[36:54])
    sheet.lines(316, 400, words[54:72])
    document = sheet.document()
    [table] = kinds(document, Kind.TABLE)
    assert shown(document, table) == (
        "Net fees earned | 2,100 | 5,200\nRebates paid | 3,100 | 6,200\n"
        "Net capture of the venue | 4,100 | 7,200"
    )


def test_a_page_that_is_turned_on_its_side_is_read_as_it_is_shown() -> None:
    sheet = Sheet()
    sheet.add_page()
    lines = sheet.wrapped(PROSE, 440)
    sheet.lines(72, 72, lines)
    upright = sheet.document().text
    for angle in (90, 180, 270):
        page = Sheet()
        page.add_page(orientation="landscape" if angle != 180 else "portrait")
        with page.rotation(angle, page.w / 2, page.h / 2):
            shift_x, shift_y = (page.w - page.h) / 2, (page.h - page.w) / 2
            dx, dy = (shift_x, shift_y) if angle != 180 else (0.0, 0.0)
            page.lines(72 + dx, 72 + dy, lines)
        writer = pypdf.PdfWriter(clone_from=io.BytesIO(bytes(page.output())))
        writer.pages[0].rotate(angle)
        out = io.BytesIO()
        writer.write(out)
        assert parse(out.getvalue(), f"turned-{angle}.pdf").text == upright


# --- footnotes --------------------------------------------------------------------------------------------------------


def with_notes(x: float = 72, width: float = 440) -> Document:
    sheet = Sheet()
    for n in (1, 2):
        sheet.add_page()
        end = sheet.line(x, 72, f"The cap binds every venue on day {n} of trading")
        sheet.line(end, 68, str(2 * n - 1), 6)
        sheet.line(end + 6, 72, "and its members.")
        end = sheet.line(x, 72 + LEADING, f"Nothing else changes on that day {n}.")
        sheet.line(end, 68 + LEADING, str(2 * n), 6)
        sheet.lines(x, 72 + 2 * LEADING, sheet.wrapped(PROSE * 4, width))
        for at, label in enumerate((2 * n - 1, 2 * n)):
            y = 700 + 22 * at
            sheet.line(x + 8, y - 3, str(label), 5)
            sheet.line(x + 12, y, f"See the release, part {label}, on what a venue is and", 8)
            sheet.line(x, y + 10, f"on who its members are, as of year {label}.", 8)
    return sheet.document()


def test_footnotes_are_lifted_from_the_text_and_anchored_at_their_calls() -> None:
    document = with_notes()
    notes = kinds(document, Kind.FOOTNOTE)
    assert [note.label for note in notes] == ["1", "2", "3", "4"]
    assert shown(document, notes[2]) == (
        "See the release, part 3, on what a venue is and on who its members are, as of year 3."
    )
    for note, ends in zip(
        notes, ["day 1 of trading", "that day 1.", "day 2 of trading", "that day 2."], strict=True
    ):
        assert note.anchor is not None
        assert document.text[: note.anchor].endswith(ends)
    assert "binds every venue on day 1 of trading and its members." in document.text


def test_a_footnote_stands_on_its_own_page_of_the_text() -> None:
    document = with_notes()
    for note in kinds(document, Kind.FOOTNOTE):
        page = document.pages[(int(note.label or 0) - 1) // 2]
        assert page.start <= note.start <= note.end <= page.end


def test_a_raised_number_without_a_footnote_stays_in_the_text() -> None:
    sheet = Sheet()
    sheet.add_page()
    end = sheet.line(72, 72, "An area of 40 m")
    sheet.line(end, 68, "2", 6)
    sheet.line(end + 6, 72, "was let.")
    sheet.lines(72, 72 + LEADING, sheet.wrapped(PROSE, 440))
    assert "An area of 40 m² was let." in sheet.document().text


# --- headings ---------------------------------------------------------------------------------------------------------


def test_headings_open_sections_under_their_path() -> None:
    sheet = Sheet()
    sheet.add_page()
    y = 72.0
    for style, text in [
        ("B", "I. Introduction"),
        ("", PROSE),
        ("B", "II. Background"),
        ("B", "A. What a Tick Is"),
        ("", PROSE),
        ("I", "1. Before Decimals"),
        ("", PROSE),
        ("B", "B. What a Fee Is"),
        ("", PROSE),
        ("B", "III. Discussion"),
        ("", PROSE),
    ]:
        for line in sheet.wrapped(text, 440):
            sheet.line(72, y, line, 10, style)
            y += LEADING
        y += LEADING
    document = sheet.document()
    assert [section.path for section in document.sections] == [
        ("I. Introduction",),
        ("II. Background",),
        ("II. Background", "A. What a Tick Is"),
        ("II. Background", "A. What a Tick Is", "1. Before Decimals"),
        ("II. Background", "B. What a Fee Is"),
        ("III. Discussion",),
    ]
    third = shown(document, document.sections[2])
    assert third == f"A. What a Tick Is\n\n{PROSE.strip()}"


def test_parts_and_items_of_a_filing_are_found_and_a_mention_of_one_is_not() -> None:
    sheet = Sheet()
    sheet.add_page()
    y = 72.0
    for style, text in [
        ("B", "PART II"),
        ("B", "Item 7. Management’s View".replace("’", "'")),
        ("", "As we say in Part I, Item 1A of this report, prices vary. " + PROSE),
        ("B", "Overview of the Year"),
        ("", PROSE),
        ("B", "Item 8. Statements"),
        ("", PROSE),
    ]:
        for line in sheet.wrapped(text, 300):
            sheet.line(72, y, line, 10, style)
            y += LEADING
        y += LEADING
    assert [section.path for section in sheet.document().sections] == [
        ("PART II",),
        ("PART II", "Item 7. Management's View"),
        ("PART II", "Item 7. Management's View", "Overview of the Year"),
        ("PART II", "Item 8. Statements"),
    ]


def test_a_title_in_the_files_outline_is_a_heading_whatever_its_type() -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.start_section("Scope of the order")
    sheet.line(72, 72, "Scope of the order")
    sheet.lines(72, 72 + 2 * LEADING, sheet.wrapped(PROSE, 440))
    assert sheet.document().sections[0].path == ("Scope of the order",)


def test_a_letter_and_a_roman_numeral_are_told_apart_by_what_is_open() -> None:
    ladder = Ladder()
    for title, numbering, number in [
        ("IV. Fourth", "I", 4),
        ("V. Fifth", "A", 22),
        ("H. Eighth", "A", 8),
        ("I. Ninth", "I", 1),
    ]:
        ladder.climb(Level("", numbering, number, 40.0, title))
    assert ladder.path == ("V. Fifth", "I. Ninth")


# --- tables -----------------------------------------------------------------------------------------------------------


def financial_page() -> Sheet:
    sheet = Sheet()
    sheet.add_page()
    sheet.lines(72, 72, sheet.wrapped(PROSE, 440))
    y = 150.0
    for x in (360, 440):
        sheet.line(x, y, "Year ended", 9, "B")
        sheet.line(x + 8, y + 11, "2021" if x == 360 else "2020", 9, "B")
    for label, first, second in [
        ("Fees from trading", "$ 1,234", "$ 987"),
        ("Rebates to members", "(456)", "(321)"),
        ("Share of income held by other", "", ""),
        ("owners of the venue", "12", "11"),
        ("Net income", "$ 790", "$ 677"),
    ]:
        y += LEADING if y > 150 else 24
        sheet.line(72, y, label)
        for x, amount in ((400, first), (480, second)):
            money, _, digits = amount.rpartition(" ")
            sheet.line(x - 50, y, money)
            width = sheet.get_string_width(digits)
            sheet.line(x - width, y, digits)
    sheet.lines(72, y + 3 * LEADING, sheet.wrapped(PROSE, 440))
    return sheet


def test_a_financial_table_becomes_rows_with_its_column_heads_first() -> None:
    document = financial_page().document()
    [table] = kinds(document, Kind.TABLE)
    assert shown(document, table).split("\n") == [
        "Year ended 2021 | Year ended 2020",
        "Fees from trading | $1,234 | $987",
        "Rebates to members | (456) | (321)",
        "Share of income held by other owners of the venue | 12 | 11",
        "Net income | $790 | $677",
    ]
    before, after = (shown(document, section) for section in kinds(document, Kind.BODY))
    assert before == after == PROSE.strip()


def test_a_table_of_contents_is_marked_and_opens_no_sections() -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.line(250, 72, "TABLE OF CONTENTS", 10, "B")
    for n, title in enumerate(["Summary", "Prior Law", "The Rule", "Costs", "Benefits"]):
        y = 100 + n * LEADING
        sheet.line(72, y, f"{title} {'. ' * 30}{3 + 4 * n}")
    sheet.add_page()
    sheet.line(72, 72, "Summary", 12, "B")
    sheet.lines(72, 100, sheet.wrapped(PROSE, 440))
    document = sheet.document()
    [contents] = kinds(document, Kind.CONTENTS)
    assert "Prior Law | 7" in shown(document, contents)
    assert document.sections[-1].path[-1] == "Summary"


def test_an_empty_table_has_no_rows() -> None:
    assert table_text([]) == ""


# --- odd type ---------------------------------------------------------------------------------------------------------


def test_letter_spaced_words_are_closed_up() -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.set_char_spacing(4)
    sheet.line(72, 72, "March 31, 2022")
    sheet.set_char_spacing(0)
    sheet.lines(72, 72 + 3 * LEADING, sheet.wrapped(PROSE, 440))
    assert "March 31, 2022" in sheet.document().text


def test_stamps_at_an_angle_are_left_out() -> None:
    sheet = Sheet()
    sheet.add_page()
    sheet.lines(72, 72, sheet.wrapped(PROSE * 3, 440))
    with sheet.rotation(45, 300, 400):
        sheet.line(250, 400, "SPECIMEN", 60)
    assert sheet.document().text == (PROSE * 3).strip()


# --- files in odd states ----------------------------------------------------------------------------------------------


def plain(pages: int = 1) -> bytes:
    sheet = Sheet()
    for n in range(pages):
        sheet.add_page()
        sheet.lines(
            72,
            72,
            sheet.wrapped(
                f"Page {n} begins here. " + numbered_sentences(f"On day {7 * n} the", 9 + n), 440
            ),
        )
    return bytes(sheet.output())


def locked(data: bytes, user: str, owner: str | None = None) -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user, owner, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_file_that_needs_a_password_is_refused() -> None:
    with pytest.raises(Unreadable) as caught:
        parse(locked(plain(), "open sesame"), "locked.pdf")
    assert caught.value.reason == "encrypted"
    assert "without the password" in caught.value.hint


def test_a_file_that_only_forbids_printing_is_read() -> None:
    data = locked(plain(), "", "owner")
    assert parse(data, "owned.pdf").text.startswith("Page 0 begins here.")


def test_a_file_cut_off_at_its_end_is_read_as_far_as_it_goes_with_a_warning() -> None:
    data = plain(pages=6)
    document = parse(data[: int(len(data) * 0.8)], "cut.pdf")
    document.check()
    assert "venue" in document.text
    assert any("cut off" in warning for warning in document.warnings)


def test_a_page_without_text_among_others_is_a_warning() -> None:
    sheet = Sheet()
    for n in range(3):
        sheet.add_page()
        if n != 1:
            sheet.lines(72, 72, sheet.wrapped(PROSE, 440))
    document = sheet.document()
    assert document.warnings == ("pages without text (images or blank): 2",)
    assert [page.number for page in document.pages] == [1, 2, 3]


def test_a_file_without_any_text_is_refused_with_a_hint_at_ocr() -> None:
    sheet = Sheet()
    sheet.add_page()
    with pytest.raises(Unreadable) as caught:
        sheet.document()
    assert caught.value.reason == "no-text"
    assert "OCR" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "title"),
    [
        ("Order on the Tick Pilot", "Order on the Tick Pilot"),
        ("release_34-1.docx", None),
        ("Microsoft Word - notice", None),
        ("", None),
    ],
)
def test_a_title_is_taken_from_the_files_properties_where_it_reads_like_one(
    given: str, title: str | None
) -> None:
    sheet = Sheet()
    sheet.set_title(given)
    sheet.add_page()
    sheet.lines(72, 72, sheet.wrapped(PROSE, 440))
    assert sheet.document().metadata.title == title


# --- real files -------------------------------------------------------------------------------------------------------


def real_pdfs(folder: str) -> list[Path]:
    root = os.environ.get("REGTAPE_DATA")
    if not root:
        pytest.skip("REGTAPE_DATA is not set")
    return sorted((Path(root) / folder).glob("*.pdf"))


def raw_words(data: bytes) -> Iterator[str]:
    for page in pypdfium2.PdfDocument(data):
        yield from re.findall(r"[A-Za-z]{4,}", page.get_textpage().get_text_range())


@pytest.mark.data
@pytest.mark.slow
def test_real_files_keep_their_words_and_their_spans() -> None:
    for path in real_pdfs("corpus/pdf"):
        data = path.read_bytes()
        document = parse(data, path.name)
        document.check()
        raw = Counter(raw_words(data))
        kept = Counter(re.findall(r"[A-Za-z]{4,}", document.text))
        lost = sum((raw - kept).values()) / sum(raw.values())
        assert lost < 0.06, path.name  # heads, feet, words divided at line ends


@pytest.mark.data
def test_a_real_three_column_print_is_read_in_order() -> None:
    [path] = [p for p in real_pdfs("corpus/pdf") if p.name.startswith("federal-register")]
    document = parse(path.read_bytes(), path.name)
    printed = [int(page.printed or 0) for page in document.pages]
    first = printed[0]
    counted = sum(number == first + n for n, number in enumerate(printed))
    assert counted >= len(printed) - 1
    notes = kinds(document, Kind.FOOTNOTE)
    assert [note.label for note in notes] == [str(n) for n in range(1, len(notes) + 1)]
    assert all(note.anchor is not None for note in notes)
    anchors = [note.anchor or 0 for note in notes]
    assert anchors == sorted(anchors)
    assert "VerDate" not in document.text


@pytest.mark.data
@pytest.mark.slow
def test_a_long_filing_is_parsed_at_tens_of_pages_a_second() -> None:
    """Sixty on a quiet machine; `eval speed ingest` measures it."""
    [path] = [p for p in real_pdfs("financebench/pdfs") if p.name == "3M_2018_10K.pdf"]
    data = path.read_bytes()
    started = time.process_time()
    document = parse(data, path.name)
    assert len(document.pages) / (time.process_time() - started) > 20
