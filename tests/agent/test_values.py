"""Typed values: two wordings of one value are the same, two values never are."""

import time

import pytest

from agent.values import Bound, ValueKind, same, values


def only(sentence: str) -> tuple[ValueKind, str, str, Bound]:
    found = values(sentence)
    assert len(found) == 1, found
    return found[0].kind, found[0].amount, found[0].unit, found[0].bound


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$0.003 per share", "$.003 per share"),
        ("$0.003", "30 mils"),
        ("$0.01", "one penny"),
        ("$0.01", "a penny"),
        ("$0.005", "half a cent"),
        ("$0.005", "one-half cent"),
        ("$110 million", "$110,000,000"),
        ("$1.2 billion", "$1,200 million"),
        ("0.1 percent", "10 basis points"),
        ("0.1 percent", "0.1%"),
        ("0.5%", "one-half of one percent"),
        ("5 per cent", "five percent"),
        ("10,000 shares", "10 000 shares"),
        ("five consecutive settlement days", "5 consecutive settlement days"),
        ("two years", "2 years"),
        ("two-year", "2 years"),
        ("September 18, 2024", "18 September 2024"),
        ("September 18, 2024", "Sept. 18, 2024"),
        ("September 18, 2024", "2024-09-18"),
        ("the third quarter of 2016", "Q3 2016"),
        ("8:00 a.m. Eastern Time", "8 a.m. ET"),
        ("4:00 p.m. ET", "16:00 ET"),
        ("Rule 612", "§ 242.612"),
        ("Rule 612", "17 CFR 242.612"),
        ("Rule 612", "the Sub-Penny Rule"),
        ("Rule 612 of Regulation NMS", "17 CFR 242.612"),
        ("Rule 15c3-5", "17 CFR 240.15c3-5"),
        ("Rule 15c3–5", "Exchange Act Rule 15c3-5".replace("-", "–")),
        ("at least 5 percent", "no less than 5 percent"),
        ("at least 5 percent", "5 percent or more"),
        ("no more than $5", "not more than $5"),
        ("up to $5", "$5 or less"),
        ("more than $5", "in excess of $5"),
        ("less than $1.00", "below $1.00"),
        ("Securities Exchange Act Release No. 101070", "Release No. 34-101070"),
        ("70 FR 37496", "70 Fed. Reg. 37496"),
    ],
)
def test_two_wordings_of_one_value_are_the_same(one: str, other: str) -> None:
    (first,), (second,) = values(one), values(other)

    assert same(first, second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$0.003", "$0.03"),
        ("$0.003 per share", "$0.003"),
        ("$0.003 per share", "$0.003 per trade"),
        ("$5", "€5"),
        ("5 percent", "5 basis points"),
        ("5 percent", "5 percentage points"),
        ("at least 5 percent", "at most 5 percent"),
        ("at least 5 percent", "5 percent"),
        ("more than $5", "$5 or more"),
        ("approximately 5 percent", "5 percent"),
        ("5 business days", "5 calendar days"),
        ("5 days", "5 months"),
        ("two years", "two days"),
        ("November 2025", "November 2026"),
        ("November 3, 2025", "November 2025"),
        ("8:00 a.m. ET", "8:00 p.m. ET"),
        ("4:00", "4:00 a.m."),
        ("4:00 p.m. ET", "4:00 p.m. PT"),
        ("T+1", "T+2"),
        ("Rule 612", "Rule 611"),
        ("Rule 612", "Rule 612(b)"),
        ("Rule 201", "Rule 201 of Regulation NMS"),
        ("Rule 201", "17 CFR 240.201"),
        ("Rule 15c3-5", "17 CFR 230.15c3-5"),
        ("Section 19(b)", "Section 19(c)"),
        ("first", "second"),
        ("0,001", "1"),
        ("$1 million", "$1 billion"),
    ],
)
def test_two_values_are_not_the_same(one: str, other: str) -> None:
    assert not any(same(a, b) for a in values(one) for b in values(other))


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("may not exceed 0.3 percent", (ValueKind.RATE, "0.3", "percent", Bound.AT_MOST)),
        ("10,000 shares or more", (ValueKind.COUNT, "10000", "share", Bound.AT_LEAST)),
        ("approximately $75 million", (ValueKind.MONEY, "75000000", "USD", Bound.ABOUT)),
        ("phased in over two years", (ValueKind.DURATION, "2", "year", Bound.EXACT)),
        ("One commenter", (ValueKind.COUNT, "1", "commenter", Bound.EXACT)),
        ("File No. S7-30-22", (ValueKind.RELEASE, "S7-30-22", "", Bound.EXACT)),
        ("15 U.S.C. 78k–1", (ValueKind.CITATION, "15 U S C 78k-1", "", Bound.EXACT)),
        ("Section 36(a)(1)", (ValueKind.SECTION, "36(a)(1)", "", Bound.EXACT)),
    ],
)
def test_a_value_is_read_with_its_unit_and_bound(
    sentence: str, wanted: tuple[ValueKind, str, str, Bound]
) -> None:
    assert only(sentence) == wanted


def test_every_rule_of_a_list_is_a_value() -> None:
    found = values("Rule 600(b)(89)(i)(F), Rules 610(c), 610(d) and 612")

    assert [v.amount for v in found] == ["600(b)(89)(i)(F)", "610(c)", "610(d)", "612"]


def test_the_role_is_that_of_the_nearest_cue() -> None:
    found = values(
        "The compliance date is November 3, 2025, and the rule is effective on December 9, 2024."
    )

    assert [v.role for v in found] == ["compliance", "effective"]
    assert [v.role for v in values("The fee cap is $0.003 and the tick is $0.005.")] == [
        "cap",
        "increment",
    ]


@pytest.mark.parametrize(
    "sentence", ["", "May brokers charge a fee?", "sub-penny trading", "the Exchange Act"]
)
def test_words_that_only_look_like_values_are_none(sentence: str) -> None:
    assert values(sentence) == ()


def test_spans_are_those_of_the_words() -> None:
    sentence = "Fees of at least $0.003 per share or 10 basis points, in 2005."

    for value in values(sentence):
        assert sentence[value.start : value.end] == value.text
        assert value.spans[0][0] <= value.start


def test_values_are_found_fast() -> None:
    sentence = (
        "On September 18, 2024, the Commission adopted Rule 612 with a tick of $0.005 for two years. "
        * 3
    )
    values(sentence + "warm")

    began = time.perf_counter()
    for n in range(50):
        values(sentence + str(n))

    assert (time.perf_counter() - began) / 50 < 0.01
