"""Sentences of legal prose: what ends one, what does not, and that nothing is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.sentences import paragraphs, rows, sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


# Each case is written as its sentences; joined by a space they must come apart again at the same places.
CASES = {
    "U.S.C. before a number and a section": [
        "The rule rests on 15 U.S.C. 78k-1(a)(1)(C).",
        "The Commission adopts it.",
    ],
    "U.S. inside a name and at an end": [
        "It covers the U.S. Treasury market.",
        "It is issued in the U.S.",
        "The fee is lower there.",
    ],
    "Inc. inside a name": ['The lamp maker Lumen, Inc. ("Lumen") objected.', "Others did not."],
    "Inc. before another name": ["A letter from Lumen, Inc. President Jane Roe was read."],
    "Inc. at an end": ["It was filed by Lumen, Inc.", "The Commission disagrees."],
    "a rule with a letter": ["Orders are checked under Rule 15c3-5.", "Brokers must comply."],
    "See, e.g., and a letter": ["See, e.g., Roe Letter at 4; Doe Letter at 10.", "See also Poe Letter at 2."],
    "release numbers": ["See Exchange Act Release No. 51808 (June 9, 2005).", "It is final."],
    "file numbers": ["Comments go to File No. S7-10-04 and File No. SR-LAMP-2010-043.", "Send two copies."],
    "an answer that is no": ["The answer is no.", "Rule 612 does not apply."],
    "Sec. and Fed. Reg.": ["Under Sec. 11A it was printed in 70 Fed. Reg. 37496, 37551 n. 149.", "It stands."],
    "a case": ["Compare Lamp Ass'n v. FAA, 494 F.3d 161 (D.C. Cir. 2007).", "The court agreed."],
    "hours": ["Trading runs from 9:30 a.m. Eastern Time to 4:00 p.m. each day.", "It then ends."],
    "hours at an end": ["Trading begins at 9:30 A.M.", "The auction comes first."],
    "initials": ["It was signed by Jill M. Lamp and J. Roe.", "The order is final."],
    "prices": ["The increment is $0.005.", "The cap is $0.001 per share.", "Below $1.00 it differs."],
    "months": ["It was adopted on Nov. 18, 2004.", "It took effect in Jan. 2005."],
    "a quotation at an end": ['It is called a "manual quotation."', "As discussed above, it is slow."],
    "a quotation that goes on": ['The text says "any NMS stock." rather than "any lamp" here.'],
    "a quotation of two sentences": ["One wrote: “It is bad. We oppose it.”", "The Commission disagrees."],

    "a sentence in parentheses": ["The fee is capped.", "(The cap is $0.001. It is new.)", "Rebates are not."],
    "a stop inside a parenthesis": ["The size (i.e., the displayed one, see Part II.A.) is protected."],
    "a footnote number after a stop": ["Limit orders are protected.28", "Many commenters agreed."],
    "a footnote number after a quotation": ['They lose "the market."346', "However, others gain."],
    "a list": ["It covers: (a) a bid; (b) an offer; and (c) a trade.", "It covers no more."],
    "enumerators": ["1. Order Protection.", "III. Discussion of the rule.", "(a) Scope."],
    "questions": ["Should lots be smaller?", "2. How much smaller?", "It depends!", "Or not."],
    "an ellipsis": ["They serve . . . exchanges and issuers . . . and lamps.", "They should."],
    "an ellipsis at an end": ["They serve exchanges. . . .", "The rule helps them."],

    "a number at a beginning": ["It had 30 days.", "12 commenters asked for more."],
    "a CFR reference": ["It is 17 CFR 242.612.", "17 CFR 242.610 caps fees."],
    "Id. and more": ["Id. at 4.", "See id.", "For others, Id. (citing Roe).", "But see Poe."],
}  # fmt: skip
CASES["a parenthesis of two sentences"] = ["Roe Letter at 4 (“It is bad. It is slow.”).", "Doe Letter at 2."]  # fmt: skip
CASES["a space lost at a page break"] = ["Markets are recognised.", "The rule helps."]


@pytest.mark.parametrize("name", sorted(CASES))
def test_sentences_end_where_a_reader_ends_them(name: str) -> None:
    glue = "" if name == "a space lost at a page break" else " "
    assert split(glue.join(CASES[name])) == CASES[name]


def test_a_blank_line_ends_a_sentence_and_a_line_break_does_not() -> None:
    assert split("III. Access Rule\n\nThe fee\nis capped") == [
        "III. Access Rule",
        "The fee\nis capped",
    ]


def test_table_rows_are_apart() -> None:
    assert split("Fees\nVenue | Fee\nA. B. Lamp | $0.001") == [
        "Fees",
        "Venue | Fee",
        "A. B. Lamp | $0.001",
    ]


def test_a_very_long_quotation_is_broken_all_the_same() -> None:
    quoted = "“" + " ".join(f"Lamp number {n} is lit." for n in range(60)) + "”"
    assert len(split(f"One wrote: {quoted} The end.")) > 50


def test_offsets_are_shifted_by_start() -> None:
    assert sentences("One. Two.", 100) == [(100, 104), (105, 109)]
    assert paragraphs("One.\n\nTwo.", 10) == [(10, 14), (16, 20)]
    assert rows("a | b\n\nc | d", 1) == [(1, 6), (8, 13)]


WORDS = st.sampled_from(
    ["Rule", "612.", "U.S.C.", "the", "The", "Inc.", "(a)", "“Stop.”", '"', ")", "(", "e.g.", "\n", "\n\n", " | ", "?", ". . .",
     "12", "$0.005.", "end.28", "See", "[", "…"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=40).map(" ".join) | st.text(max_size=80))
def test_sentences_are_in_order_disjoint_trimmed_and_hold_everything(text: str) -> None:
    last = 0
    for start, end in sentences(text):
        assert last <= start < end
        assert not text[last:start].strip()
        assert text[start:end] == text[start:end].strip()
        last = end
    assert not text[last:].strip()


@pytest.mark.parametrize(
    "text", ["(" * 20_000, '" ' * 20_000, "a. " * 20_000, "“(" * 10_000, ")" * 20_000]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    sentences(text)  # a quadratic splitter would take minutes here
