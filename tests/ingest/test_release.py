"""Releases in plain text: both shapes, and the defects the real ones carry."""

import os
import time
from pathlib import Path

import pytest

from ingest.document import Document, Kind, Section
from ingest.errors import Unreadable
from ingest.metadata import describe
from ingest.parse import release
from ingest.parse.mend import Mender

TAGGED = """https://www.sec.gov/rules/final/2031/34-99001.txt

I.0.0.0 Introduction

	I.A.0.0 Lanterns

<END TABLE OF CONTENTS>

SECURITIES AND EXCHANGE COMMISSION 17 CFR PART 242

[Release No. 34-99001; File No. S7-99-31] RIN 3235-ZZ01

Lantern Rule AGENCY: Securities and Exchange Commission. ACTION: Final rule.

SUMMARY: The Commission is adopting the lantern rule, which asks every trading center to keep

a lantern lit.

DATES: Effective Date: [insert date 60 days after publication in the Federal Register].

SUPPLEMENTARY INFORMATION:

Table of Contents

Introduction

<END HEADER>

<h>I. Introduction</h>

The lantern rule was proposed in <sup>2016</sup> by the staff. <sup>1</sup> The rule has three aims:

<h>1. a lamp that burns through the night,which the staff prefers;</h>

Rule <sup>612</sup> stays as it is at T+ <sup>2</sup> . <sup>2</sup> A fee of was$0.0005 is not touched by

U.S. market participants.

<h>A. Lanterns</h>

Lanterns are lit.<sup>3</sup> <h>1. Oil Delivery4</h> Oil is delivered.

<h>II. Statutory Authority</h>

<END MAIN TEXT>

1 See the lantern study.

2 A settlement cycle of two days.

It was longer once.

3 Lanterns burn oil.

4 Oil is measured in casks.
"""

PRINT = """[Federal Register Volume 96, Number 12 (Friday, January 17, 2031)]
[Rules and Regulations]
[Pages 5001-5003]
[FR Doc No: 2031-00999]

[[Page 5001]]

-----------------------------------------------------------------------

SECURITIES AND EXCHANGE COMMISSION

17 CFR Part 242

[Release No. 34-99002; File No. S7-98-31]

Lantern Keeping

AGENCY: Securities and Exchange Commission.

ACTION: Final rule.

SUMMARY: The Commission is adopting a rule on the keeping of lanterns in
trading centers.

DATES: Effective date: March 3, 2031.

SUPPLEMENTARY INFORMATION:

I. Background

    Lanterns have been kept since the first trading center opened, and
the staff has counted them every year.\\1\\ Their number rose to a total
of
---------------------------------------------------------------------------

    \\1\\ The count leaves out lanterns that are not lit, and
lanterns under repair.
---------------------------------------------------------------------------

[[Page 5002]]

four hundred in the last count.
    A second paragraph begins with an indented line and says nothing of
oil.

II. Text of the Rule

PART 242--REGULATION OF LANTERNS

    1. The authority citation for part 242 continues to read as follows:

Sec.  242.999  Lanterns.

    (a) Keeping. (1) A trading center shall keep a lantern.
    (2) The lantern shall be lit.
    (b) Oil. Oil shall be clean.
"""


@pytest.fixture(name="tagged")
def _tagged() -> Document:
    document = release.parse(TAGGED.encode(), "34-99001.txt")
    document.check()
    return document


@pytest.fixture(name="printed")
def _printed() -> Document:
    document = release.parse(PRINT.encode(), "print.txt")
    document.check()
    return document


def shown(document: Document, section: Section) -> str:
    return document.text[section.start : section.end]


def body(document: Document) -> str:
    return "\n\n".join(shown(document, s) for s in document.sections if s.kind is Kind.BODY)


def notes(document: Document) -> dict[str, Section]:
    return {s.label or "": s for s in document.sections if s.kind is Kind.FOOTNOTE}


def test_the_table_of_contents_is_kept_apart_from_the_body(tagged: Document) -> None:
    contents = [shown(tagged, s) for s in tagged.sections if s.kind is Kind.CONTENTS]

    assert contents[0].startswith("I.0.0.0 Introduction")
    assert contents[1].startswith("Table of Contents")


def test_each_field_of_the_preamble_is_a_section_with_its_name(tagged: Document) -> None:
    fields = {s.label: shown(tagged, s) for s in tagged.sections if s.kind is Kind.HEADER}

    assert fields["ACTION"] == "ACTION: Final rule."
    assert fields["SUMMARY"].endswith("every trading center to keep a lantern lit.")


def test_headings_give_the_path_and_open_their_section(tagged: Document) -> None:
    paths = [s.path for s in tagged.sections if s.kind is Kind.BODY]

    assert paths == [
        ("I. Introduction",),
        ("I. Introduction", "A. Lanterns"),
        ("I. Introduction", "A. Lanterns", "1. Oil Delivery"),
        ("II. Statutory Authority",),
    ]
    assert body(tagged).startswith("I. Introduction\n\nThe lantern rule")


def test_a_list_item_tagged_as_a_heading_is_text(tagged: Document) -> None:
    assert "1. a lamp that burns through the night, which the staff prefers;" in body(tagged)


def test_years_rules_and_settlement_cycles_tagged_as_notes_stay_in_the_text(
    tagged: Document,
) -> None:
    assert "proposed in 2016 by the staff." in body(tagged)
    assert "Rule 612 stays as it is at T+2." in body(tagged)


def test_a_note_is_anchored_where_it_is_called_and_the_call_leaves_the_text(
    tagged: Document,
) -> None:
    first = notes(tagged)["1"]

    assert shown(tagged, first) == "See the lantern study."
    assert first.anchor is not None
    assert tagged.text[: first.anchor].endswith("by the staff.")
    assert tagged.text[first.anchor :].startswith(" The rule has")


def test_a_call_stuck_to_a_heading_is_found_by_its_note(tagged: Document) -> None:
    last = notes(tagged)["4"]

    assert last.anchor is not None
    assert tagged.text[: last.anchor].endswith("1. Oil Delivery")


def test_a_note_of_two_paragraphs_stays_one_note(tagged: Document) -> None:
    assert shown(tagged, notes(tagged)["2"]).endswith("It was longer once.")


def test_a_sentence_broken_by_a_page_runs_on(tagged: Document) -> None:
    assert "was $0.0005 is not touched by U.S. market participants." in body(tagged)


def test_missing_footnotes_are_counted_in_a_warning() -> None:
    text = TAGGED.replace("3 Lanterns burn oil.\n\n", "")

    assert release.parse(text.encode(), "x").warnings == (
        "1 footnotes are missing from the source",
    )


def test_print_footnotes_leave_the_sentence_they_interrupt(printed: Document) -> None:
    note = notes(printed)["1"]

    assert "rose to a total of four hundred in the last count." in body(printed)
    assert shown(printed, note).startswith("The count leaves out")
    assert note.anchor is not None
    assert printed.text[: note.anchor].endswith("every year.")


def test_print_pages_carry_their_printed_numbers(printed: Document) -> None:
    pages = {page.printed: page for page in printed.pages}

    assert {"5001", "5002"} <= pages.keys()
    assert printed.text[pages["5002"].start :].lstrip().startswith("four hundred")


def test_rule_text_at_the_end_has_section_and_label(printed: Document) -> None:
    rules = [(s.label, s.path[-1]) for s in printed.sections if s.kind is Kind.RULE_TEXT]

    assert [label for label, _ in rules] == ["Part 242", None, "(a)(1)", "(a)(2)", "(b)"]
    assert rules[-1][1] == "§ 242.999 Lanterns."


def test_an_indented_line_begins_a_paragraph(printed: Document) -> None:
    assert "\n\nA second paragraph begins with an indented line and says nothing of oil." in body(
        printed
    )


@pytest.mark.parametrize("data", [b"", b"  \n\n", b"\0\0\0\0"])
def test_an_empty_release_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        release.parse(data, "x.txt")

    assert refused.value.reason == "empty"


@pytest.mark.parametrize(
    "text", ["<END HEADER>", "<h></h>", "<h>I. A</h>" * 50, "<sup>1</sup>" * 500, "1 2 3\n\n" * 300]
)
def test_strange_input_still_gives_sound_spans(text: str) -> None:
    document = release.parse(f"x {text} y <END MAIN TEXT> 1 note".encode(), "x.txt")

    document.check()
    assert document.text


HOSTILE = {
    "spaces": " " * 200_000,
    "blank lines": "\n" * 200_000,
    "open notes": "<sup>" * 40_000,
    "open headings": "<h>" * 60_000,
    "one word": "a" * 200_000,
    "one address": "www." + "a" * 200_000,
    "dashes": "-" * 200_000,
    "calls": "\\1\\" * 50_000,
    "brackets": "(" * 200_000,
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
@pytest.mark.parametrize("tag", ["<END HEADER>", "AGENCY: x\nACTION: x\nSUMMARY: x\n"])
def test_hostile_text_takes_no_more_than_a_moment(name: str, tag: str) -> None:
    source = f"{tag}\n\nForm 10-K {HOSTILE[name]} for the year\n\nI. End\n\nDated: x"
    started = time.process_time()
    document = release.parse(source.encode(), "x.txt")
    describe(document, "x.txt")

    document.check()
    assert time.process_time() - started < 5  # quadratic readings of these take minutes


@pytest.mark.parametrize(
    ("broken", "whole"),
    [
        ("the stoc k market", "the stock market"),
        ("a Custodia n keeps", "a Custodian keeps"),
        ("the stockmarket moved", "the stock market moved"),
        ("ofcustodian banks", "of custodian banks"),
        ("regu- lation of it", "regulation of it"),
        ("pre- and post-trade", "pre- and post-trade"),
        ("see www.sec.gov/a,b;c", "see www.sec.gov/a,b;c"),
        ("we cannot keep it", "we cannot keep it"),
    ],
)
def test_words_are_mended_only_where_the_document_proves_it(broken: str, whole: str) -> None:
    proof = "the stock market of a custodian under regulation can not " * 30

    assert Mender([proof, broken]).mend(broken) == whole


@pytest.mark.data
def test_every_release_of_the_shared_corpus_keeps_its_outline_and_notes() -> None:
    folder = _data() / "corpus" / "sec_final_releases_txt"
    for path in sorted(folder.glob("*.txt")):
        document = release.parse(path.read_bytes(), path.name)
        document.check()
        called = [s for s in document.sections if s.kind is Kind.FOOTNOTE]
        lost = [s for s in called if s.anchor is None]

        assert len(called) > 40, path.name
        assert len(lost) < 0.03 * len(called), path.name
        assert sum(s.kind is Kind.BODY for s in document.sections) >= 19, path.name
        assert "<sup>" not in document.text, path.name


def _data() -> Path:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the documents in the folder that REGTAPE_DATA names")
    return Path(data)
