"""Plain text of unknown origin and Markdown: encodings, paragraphs, labels, notes, front matter."""

import os
from datetime import date
from pathlib import Path

import pytest

from ingest.document import Document, Kind
from ingest.errors import Unreadable
from ingest.parse import markdown, text
from ingest.parse.outline import USC_ORDER, HeadingPath, Labels, read_heading, roman_value

POST = """---
layout: post
title: "Lanterns: Notice of Filing"
date: 2031-02-05 18:58:14 +0000
item_id: federal_register:2030-01234
original_published: 2030-02-24 00:00:00 +0000
significance: 8.00
---

# Lanterns: Notice of Filing

**Published:** February 05, 2031 18:58 UTC
**Original Published:** February 24, 2030 00:00 UTC
**Document Number:** 2030-01234

## Summary

The exchange proposes to light *every* [lantern](https://example.org) at dusk.

## Significance

- Automated score: 8.00 (threshold 6.00)

## Context

*Batch-mined by a script.*
"""

SECTION = """##### § 242.999 Lanterns. #####

Link to an amendment published at 95 FR 100, Oct. 8, 2030.

(a) *Keeping.* A trading center shall keep a lantern:

(1) Lit; and

(i) Clean, or

(ii) Whole.

(b) *Oil* - (1) *Clean oil.* (i) Oil shall be clean.

(ii) Oil shall be cold.
"""

STATUTE = """# Title 15— TRADE
### CHAPTER 9— LANTERNS
#### § 99k–1. Lanterns for trade
##### (i) Findings

(1) The Congress finds that

(A) lanterns are useful; and

(B) oil is dear.
"""

ARTICLE = """# Article 7 - Lanterns

1.   Lanterns shall be lit (1), as follows:

(a) at dusk;

(b) before dawn.

2.   Oil shall be clean.

%%% (1)  OJ L 1, 1.1.2030, p. 1.
"""


def labels(document: Document) -> list[str]:
    return [s.label for s in document.sections if s.kind is Kind.RULE_TEXT and s.label]


def test_hard_wrapped_lines_become_whole_paragraphs() -> None:
    wrapped = (
        "Lanterns have been kept in trading centers since the first one opened\n"
        "its doors, and the staff of the division has counted the lanterns of\n"
        "every center in every year since then.\n"
        "Oil\n"
        "Oil is bought by the cask and is kept below the floor of the trading\n"
        "center, where it stays cold in summer and does not freeze in winter.\n"
    )

    assert list(text.paragraphs(wrapped)) == [
        "Lanterns have been kept in trading centers since the first one opened its doors, and the "
        "staff of the division has counted the lanterns of every center in every year since then.",
        "Oil",
        "Oil is bought by the cask and is kept below the floor of the trading center, where it "
        "stays cold in summer and does not freeze in winter.",
    ]


@pytest.mark.parametrize(
    ("data", "warning"),
    [
        ("Öl – fünf".encode(), ()),
        ("Öl – fünf".encode("utf-8-sig"), ()),
        ("Öl – fünf".encode("utf-16"), ()),
        ("Öl – fünf".encode("cp1252"), ("not UTF-8; read as cp1252",)),
        (
            "Oil and five lanterns".encode("utf-16-le"),
            ("UTF-16 without a byte order mark was assumed",),
        ),
    ],
)
def test_the_encoding_is_found_by_trial(data: bytes, warning: tuple[str, ...]) -> None:
    read, warnings = text.decode(data, "x.txt")

    assert read in ("Öl – fünf", "Oil and five lanterns")
    assert warnings == warning


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\x89PNG\r\n\x1a\n" + b"\0\x01\x02" * 90])
def test_binary_junk_is_an_unknown_format(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        text.parse(data, "x.txt")

    assert refused.value.reason == "unknown-format"
    assert refused.value.hint


def test_unseen_characters_and_odd_spaces_are_gone() -> None:
    read, _ = text.decode("a\u00adb c\u202fd\u200be\r\nf".encode(), "x")

    assert read == "ab c de\nf"


def test_bracketed_calls_are_anchored_to_their_notes() -> None:
    document = text.parse(b"Lanterns are lit.[1] Oil is dear.[2]\n\n[1] See the count.", "x.txt")
    document.check()
    note = document.sections[-1]

    assert (note.kind, note.label) == (Kind.FOOTNOTE, "1")
    assert document.text.startswith("Lanterns are lit. Oil is dear.")
    assert note.anchor == len("Lanterns are lit.")


def test_a_bracketed_year_is_no_call() -> None:
    document = text.parse(b"Counted in [2031] and in [2030] again.", "x.txt")

    assert document.text == "Counted in [2031] and in [2030] again."


def test_a_section_of_the_code_as_text_has_labels() -> None:
    source = b"17 CFR 242.999 - Lanterns.\n(a) Keep:\n(1) Oil;\n(i) Clean;\n(2) Wicks.\n"
    document = text.parse(source, "x.txt")

    assert labels(document) == ["(a)", "(a)(1)", "(a)(1)(i)", "(a)(2)"]


def test_a_post_is_dated_by_what_it_summarises_not_by_itself() -> None:
    document = markdown.parse(POST.encode(), "post.md")

    assert document.metadata.published_on == date(2030, 2, 24)
    assert document.metadata.primary == "fr:2030-01234"
    assert document.metadata.title == "Lanterns: Notice of Filing"


def test_the_boilerplate_of_a_post_is_no_evidence() -> None:
    document = markdown.parse(POST.encode(), "post.md")
    document.check()

    assert "Automated score" not in document.text
    assert "Batch-mined" not in document.text
    assert "light every lantern at dusk." in document.text


def test_a_post_without_a_summary_has_no_body_but_its_title() -> None:
    empty = POST.replace(
        "The exchange proposes to light *every* [lantern](https://example.org) at dusk.",
        "No summary provided.",
    )
    document = markdown.parse(empty.encode(), "post.md")
    evidence = [document.text[s.start : s.end] for s in document.sections if s.kind is Kind.BODY]

    assert evidence == ["Lanterns: Notice of Filing"]


def test_front_matter_that_is_not_yaml_is_survived_with_a_warning() -> None:
    document = markdown.parse(b"---\ntitle: a: b: [\ndate: 2031-01-01\n---\n\nLanterns.", "x.md")

    assert document.text == "Lanterns."
    assert document.metadata.published_on == date(2031, 1, 1)
    assert document.warnings == ("front matter is not YAML; read line by line",)


def test_a_section_of_the_code_has_labels_and_a_dated_note() -> None:
    document = markdown.parse(SECTION.encode(), "s.md")
    document.check()

    assert labels(document) == [
        "(a)",
        "(a)(1)",
        "(a)(1)(i)",
        "(a)(1)(ii)",
        "(b)(1)(i)",
        "(b)(1)(ii)",
    ]
    assert {s.path for s in document.sections} == {("§ 242.999 Lanterns.",)}


def test_a_statute_orders_its_marks_differently() -> None:
    document = markdown.parse(STATUTE.encode(), "u.md")

    assert labels(document) == ["(i)", "(i)(1)", "(i)(1)(A)", "(i)(1)(B)"]


def test_an_article_has_numbered_labels_and_an_anchored_note() -> None:
    document = markdown.parse(ARTICLE.encode(), "rts99_2030-99/Article_7.md")
    document.check()
    note = next(s for s in document.sections if s.kind is Kind.FOOTNOTE)

    assert labels(document) == ["(1)", "(1)(a)", "(1)(b)", "(2)"]
    assert "shall be lit, as follows" in document.text
    assert note.anchor is not None
    assert document.text[: note.anchor].endswith("shall be lit")


def test_markdown_notes_tables_and_bold_headings() -> None:
    source = (
        "# Lanterns\n**I. Introduction**\nLanterns are lit. [^1]\n[^1]: See **the** count.\n\n"
        "| Oil | Casks |\n|---|---|\n| clean | 4 |\n"
    )
    document = markdown.parse(source.encode(), "x.md")
    document.check()
    kinds = {s.kind: document.text[s.start : s.end] for s in document.sections}

    assert kinds[Kind.TABLE] == "Oil | Casks\nclean | 4"
    assert kinds[Kind.FOOTNOTE] == "See the count."
    assert ("Lanterns", "I. Introduction") in {s.path for s in document.sections}


@pytest.mark.parametrize(
    ("marks", "label"),
    [
        ("(a) (1) (i) (A)", "(a)(1)(i)(A)"),
        ("(a) (b) (c)", "(c)"),
        ("(h) (i) (j)", "(j)"),
        ("(a) (1) (2) (b) (1)", "(b)(1)"),
        ("(a) (1) (i) (ii) (2)", "(a)(2)"),
    ],
)
def test_labels_follow_the_marks_of_the_code(marks: str, label: str) -> None:
    reader = Labels()
    for mark in marks.split():
        reader.read(f"{mark} Oil is clean.")

    assert reader.label == label


def test_labels_of_a_statute_put_capitals_before_roman_numerals() -> None:
    reader = Labels(USC_ORDER)
    for mark in ("(b)", "(2)", "(A)", "(i)", "(I)", "(II)", "(ii)"):
        reader.read(f"{mark} Oil is clean.")

    assert reader.label == "(b)(2)(A)(ii)"


def test_a_heading_that_may_be_letter_or_numeral_is_what_continues_the_count() -> None:
    path = HeadingPath()
    for shown in ("I. A", "H. B", "I. C", "II. D", "A. E", "B. F", "C. G", "1. H", "a. I"):
        heading = read_heading(shown)
        assert heading is not None
        path.enter(heading, shown)

    assert path.path == ("II. D", "C. G", "1. H", "a. I")


@pytest.mark.parametrize(
    "line",
    [
        "1. a lamp that burns;",
        "12. The staff notes that lanterns are lit at dusk. They are put out again at dawn.",
        "2. Oil, which is dear,",
        "D. Berliand, Head of Lanterns,",
        "In 2031. Lanterns",
    ],
)
def test_sentences_and_list_items_are_no_headings(line: str) -> None:
    assert read_heading(line) is None


@pytest.mark.parametrize(("mark", "value"), [("IV", 4), ("xii", 12), ("IIII", None), ("Q", None)])
def test_roman_numerals_are_read_strictly(mark: str, value: int | None) -> None:
    assert roman_value(mark) == value


@pytest.mark.data
def test_all_markdown_of_the_shared_corpus_parses_to_sound_spans() -> None:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    corpus = Path(data) / "corpus"
    for path in sorted(corpus.rglob("*.md")):
        document = markdown.parse(path.read_bytes(), path.relative_to(corpus).as_posix())
        document.check()

        assert document.sections, path
        assert not document.warnings, path
