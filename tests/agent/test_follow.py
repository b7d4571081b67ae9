"""A follow-up becomes the question that it leaves unsaid; a question that stands alone is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.book import sections_named
from agent.follow import Said, resolve

_PRICED = "quotations priced at $1.00 or more under"
CAP = "What is the access fee cap for quotations priced at $1.00 or more under Rule 610(c)?"
COMPLY = "When must exchanges comply with amended Rule 612?"
STAFF = "How many employees did Wells Fargo have at the end of 2024?"
RESCIND = "Did the Commission propose to rescind Rule 611?"
DRAW = "What did commenters say about the proposed circuit breaker in Rule 201?"
TREASURY = (
    "Above what trade size would FINRA hide the exact amount for two-year benchmark Treasuries?"
)


def after(before: str, question: str) -> str:
    numbered, called = sections_named(before)
    return resolve(question, [Said(before, before, numbered or called)])


@pytest.mark.parametrize(
    ("before", "question", "asked"),
    [
        # what is named anew replaces its like
        (CAP, "what about Rule 611?", f"What is the access fee cap for {_PRICED} Rule 611?"),
        (CAP, "and for quotations under a dollar?",
         "What is the access fee cap for quotations under a dollar under Rule 610(c)?"),
        (CAP, "And for quotations priced below that?",
         "What is the access fee cap for quotations priced below $1.00 under Rule 610(c)?"),
        (COMPLY, "what about Rule 610?", "When must exchanges comply with Rule 610?"),
        (COMPLY, "And as of June 2025?", "When must exchanges comply with amended Rule 612 as of June 2025?"),
        (COMPLY, "and small brokers?", "When must exchanges comply with amended Rule 612, for small brokers?"),
        (STAFF, "and Visa?", "How many employees did Visa have at the end of 2024?"),
        (STAFF, "and in 2023?", "How many employees did Wells Fargo have at the end of 2023?"),
        (TREASURY, "and for the thirty-year?",
         "Above what trade size would FINRA hide the exact amount for thirty-year benchmark Treasuries?"),
        (TREASURY, "and the ten-year ones?",
         "Above what trade size would FINRA hide the exact amount for ten-year benchmark Treasuries?"),
        ("What is the order protection rule?", "What about the sub-penny rule?", "What is the sub-penny rule?"),
        ("What deadline did Rule 613 set, as adopted?", "and as proposed?", "What deadline did Rule 613 set, as proposed?"),
        # a bare question word asks the same of another side of it
        (RESCIND, "when?", "When did the Commission propose to rescind Rule 611?"),
        (RESCIND, "Why?", "Why did the Commission propose to rescind Rule 611?"),
        (COMPLY, "why?", "Why must exchanges comply with amended Rule 612?"),
        (CAP, "and when?", "When is it effective, and when is compliance required: the access fee cap for quotations priced "
                           "at $1.00 or more under Rule 610(c)?"),
        # what a pronoun stands for
        (CAP, "What did commenters say to that?", "What did commenters say to that (the access fee cap for quotations priced at "
                                                  "$1.00 or more under Rule 610(c))?"),
        (COMPLY, "Does it apply to ETFs?", "Does it apply to ETFs (amended Rule 612)?"),
        (DRAW, "what did they say on liquidity?", "What did commenters say on liquidity (Rule 201)?"),
        (RESCIND, "and what did it say on costs?", "What did the Commission say on costs (Rule 611)?"),
        # words that every rule could be asked with
        (CAP, "What is the compliance date?", "What is the compliance date (Rule 610(c))?"),
        (RESCIND, "until when could one comment?", "Until when could one comment (Rule 611)?"),
        (DRAW, "How did the Commission respond?", "How did the Commission respond (Rule 201)?"),
        ("What did the T+2 rule cost brokers?", "and T+1?", "What did the T+1 rule cost brokers?"),
        ("What is the access fee cap under Rule 610(c) today?", "what was it before the 2024 amendments?",
         "What was it before the 2024 amendments (the access fee cap under Rule 610(c))?"),
        # now
        (CAP, "Is that still so?",
         "What is the access fee cap for quotations priced at $1.00 or more under Rule 610(c) today?"),
        (CAP, "Is it still in force?", "Is Rule 610(c) still in force?"),
        ("As of November 20, 2024, what access fee cap did § 242.610(c) show?", "and now?",
         "What access fee cap did § 242.610(c) show today?"),
        ("As of November 20, 2024, what access fee cap did § 242.610(c) show?", "and in January 2025?",
         "In January 2025, what access fee cap did § 242.610(c) show?"),
    ],
)  # fmt: skip
def test_a_follow_up_is_asked_in_full(before: str, question: str, asked: str) -> None:
    assert after(before, question) == asked


@pytest.mark.parametrize(
    "question",
    [
        "What dividend did Costco announce in January 2023?",
        "What is a round lot?",
        "What does Rule 15c3-5 require of brokers?",
        "If a broker trades on an ATS, must it report the trade?",
        "When Rule 611 was adopted, did it apply to options?",
        "How many competing consolidators have registered with the SEC since the 2021 data infrastructure rule?",
        "Under Rule 612, what is the minimum increment for orders of a dollar or more?",
        "Which execution venues did a broker have to name in the quarterly routing report created in 2000?",
        "In 2012 Congress let the SEC widen ticks for emerging growth companies: within what bounds?",
    ],
)
@pytest.mark.parametrize("before", [CAP, STAFF, RESCIND])
def test_a_question_that_stands_alone_is_left_alone(before: str, question: str) -> None:
    assert after(before, question) == question


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_words_whatever_resolve_to_words(before: str, question: str) -> None:
    resolved = after(before, question)
    assert question.strip() == "" or resolved.strip()


def test_a_first_question_is_as_it_was() -> None:
    assert resolve("and when?", []) == "and when?"


def test_a_chain_of_follow_ups_stays_on_its_rule() -> None:
    said: list[Said] = []
    asked: list[str] = []
    for question in (COMPLY, "what about Rule 610?", "why?", "and what did commenters object?"):
        resolved = resolve(question, said)
        asked.append(resolved)
        said.append(Said(question, resolved, sections_named(resolved)[0]))
    assert asked[1:] == [
        "When must exchanges comply with Rule 610?",
        "Why must exchanges comply with Rule 610?",
        "What did commenters object (Rule 610)?",
    ]


def test_nothing_is_added_that_neither_thread_nor_question_holds() -> None:
    """No rule number, date, amount or name comes from anywhere else."""
    for question in (
        "and when?",
        "why?",
        "what about Rule 611?",
        "and Visa?",
        "is it still so?",
        "and in 2010?",
    ):
        for before in (CAP, COMPLY, STAFF, RESCIND, DRAW, TREASURY):
            held = set(f"{before} {question}".lower().replace("?", " ").replace(",", " ").split())
            new = (
                set(after(before, question).lower().replace("?", " ").replace(",", " ").split())
                - held
            )
            assert not any(any(c.isdigit() for c in word) for word in new), (before, question, new)
