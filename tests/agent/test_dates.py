"""The day a question asks about is read from its words, is never after today, and needs nothing known later."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dates import AskedDay, Happening, asked_day
from ingest.rules.kinds import EventKind

TODAY = date(2026, 11, 21)
HAPPENED = [
    Happening(EventKind.ADOPTED, date(2005, 6, 9)),
    Happening(EventKind.EFFECTIVE, date(2005, 8, 29)),
    Happening(EventKind.ADOPTED, date(2024, 9, 18)),
    Happening(EventKind.STAYED, date(2024, 12, 12)),
    Happening(EventKind.EXEMPTED, date(2025, 10, 31)),
]


@pytest.mark.parametrize(
    ("question", "on"),
    [
        ("What was the fee cap in 2019?", date(2019, 12, 31)),
        ("Was Rule 612 in force as of March 2025?", date(2025, 3, 31)),
        ("Was amended Rule 612 binding on March 1, 2025?", date(2025, 3, 1)),
        ("On 20 December 2024, had the rules taken effect?", date(2024, 12, 20)),
        ("Is Rule 612 in force on 2025-01-15?", date(2025, 1, 15)),
        ("Start of January 2009: could one sell short at the bid?", date(2009, 1, 1)),
        ("As of the end of February 2024, was it law?", date(2024, 2, 29)),
        ("Mid-2023: where did the bid stand?", date(2023, 7, 2)),
        ("What did Rule 612 require before the 2024 amendments?", date(2024, 9, 17)),
        ("What was the increment after the stay?", date(2024, 12, 12)),
        ("What bound dealers under the exemptive relief?", date(2025, 10, 31)),
        ("What did it require when Rule 611 was adopted?", date(2005, 6, 9)),
        ("Was Rule 610 binding before the rule was amended in 2024?", date(2024, 9, 17)),
        ("Was the rule adopted in 2005 in force in 2019?", date(2019, 12, 31)),
    ],
)
def test_words_on_a_day_are_read(question: str, on: date) -> None:
    asked = asked_day(question, TODAY, HAPPENED)

    assert asked.on == on
    assert asked.words
    assert asked.words in question


@pytest.mark.parametrize(
    "question",
    [
        "Is Rule 612 in force?",
        "When was Rule 611 adopted?",
        "Until when does the relief last?",
        "What is the fee cap in Rule 610(c) as adopted in 2005?",
        "In the 2022 tick size proposal, would it have applied to trades?",
        "What did the Commission propose in April 2009?",
        "According to the SEC in 2005, how should it affect depth?",
        "In 2012 Congress let the SEC widen ticks: within what bounds?",
        "Which dividend did Costco announce in its January 2023 8-K?",
        "Under the final rule, who must report?",
    ],
)
def test_dates_that_tell_documents_and_acts_apart_are_no_day_asked_about(question: str) -> None:
    assert asked_day(question, TODAY, HAPPENED) == AskedDay(TODAY)


def test_a_day_to_come_is_asked_about_as_of_today_and_says_so() -> None:
    assert asked_day("Is it in force in 2030?", TODAY) == AskedDay(TODAY, "in 2030", later=True)


def test_what_no_document_tells_of_falls_back_on_its_year_or_is_passed_over() -> None:
    assert asked_day("Was it binding before the 2021 stay?", TODAY).on == date(2020, 12, 31)
    assert asked_day("Was it binding after the stay?", TODAY) == AskedDay(TODAY)


DAYS = st.dates(date(1990, 1, 1), TODAY)
ASKED = st.sampled_from(
    [
        "Was Rule 611 in force as of {0}?",
        "On {0}, what applied?",
        "What applied before the {0.year} amendments?",
        "What applied after the stay?",
        "What did it require when Rule 611 was adopted?",
        "Was it binding in {0.year}?",
        "Is Rule 611 in force?",
    ]
)
HISTORY = st.lists(st.builds(Happening, st.sampled_from(list(EventKind)), DAYS), max_size=8)


@given(
    DAYS, st.sampled_from(["{0:%B} {0.day}, {0.year}", "{0.day} {0:%B} {0.year}", "{0:%Y-%m-%d}"])
)
def test_every_day_is_read_however_it_is_written(day: date, written: str) -> None:
    question = f"Was Rule 611 in force as of {written.format(day)}?"

    assert asked_day(question, TODAY).on == day


@given(ASKED, DAYS, DAYS, HISTORY)
def test_no_day_is_after_today(
    question: str, day: date, today: date, history: list[Happening]
) -> None:
    assert asked_day(question.format(day), today, history).on <= today


@given(ASKED, DAYS, DAYS, HISTORY)
def test_what_happens_later_changes_nothing(
    question: str, day: date, today: date, history: list[Happening]
) -> None:
    past = [h for h in history if h.on <= today]

    assert asked_day(question.format(day), today, history) == asked_day(
        question.format(day), today, past
    )


@given(HISTORY, st.sampled_from([EventKind.STAYED, EventKind.ADOPTED]))
def test_before_is_earlier_than_after(history: list[Happening], kind: EventKind) -> None:
    word = {EventKind.STAYED: "stay", EventKind.ADOPTED: "amendments"}[kind]
    before = asked_day(f"What applied before the {word}?", TODAY, history)
    after = asked_day(f"What applied after the {word}?", TODAY, history)

    if any(h.kind is kind for h in history):
        assert after.on - before.on == timedelta(days=1)
    else:
        assert before == after == AskedDay(TODAY)


@given(HISTORY, st.randoms())
def test_the_order_of_events_does_not_matter(history: list[Happening], random: object) -> None:
    shuffled = sorted(history, key=lambda _: random.random())  # type: ignore[attr-defined]
    question = "What applied after the amendments?"

    assert asked_day(question, TODAY, shuffled) == asked_day(question, TODAY, history)
