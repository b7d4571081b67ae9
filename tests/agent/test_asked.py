"""A refusal names what was asked for and is not there; what is there is not refused."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from agent.asked import Chosen, asks, gives, lacking, wanted, wanted_roles
from agent.reply import Stage
from agent.values import ValueKind
from agent.verify import EvidenceSentence
from ingest.catalog import Held
from ingest.document import Authority, DocType, Metadata

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HELD = Held(
    offset=1,
    id="note.1",
    work_id="note",
    version=1,
    sha256="00",
    path="note.txt",
    format="text",
    title="Notes on Widget Trading",
    reference="",
    authority=Authority.OFFICIAL_TEXT,
    doc_type=DocType.FINAL_RULE,
    known_at=NOW - timedelta(days=100),
    known_basis="stated",
    backfilled=True,
    recorded_at=NOW,
    characters=0,
    pages=0,
    metadata=Metadata(published_on=date(2026, 2, 3), period=date(2026, 3, 31)),
)


def lacks(
    question: str, *sentences: str, held: Held = HELD, stage: Stage = Stage.ADOPTED
) -> list[str]:
    text = " ".join(sentences)
    chosen = [Chosen(EvidenceSentence(s, stage=stage), held, lambda: text) for s in sentences]
    return lacking(question, chosen, lambda _term: 0.001, NOW)


@pytest.mark.parametrize(
    ("question", "missing", "present"),
    [
        (
            "At how many customers must a venue report?",
            "A venue reports after 30 days.",
            "A venue with 30 customers or more must report.",
        ),
        (
            "At what price did it buy the shares?",
            "It bought back shares worth $3 million.",
            "The price paid was $12.50 per share.",
        ),
        (
            "Which dollar or percentage positions oblige a manager to report?",
            "A manager over the threshold must report.",
            "A manager with $10 million or more must report.",
        ),
        (
            "What single limit replaced the two caps?",
            "Trading under the waivers is limited by two caps.",
            "A single limit of seven widgets replaces the two caps.",
        ),
        (
            "What does the venue AcmeX charge?",
            "One venue charges $0.002 per share.",
            "AcmeX charges $0.002 per share.",
        ),
        (
            "What did the Widget Order Plan say?",
            "Some plan said little.",
            "The Widget Order Plan said little.",
        ),
        (
            "What was revenue in the third quarter of 2026?",
            "Revenue was $5 million in the period.",
            "Revenue was $5 million in the third quarter of 2026.",
        ),
        (
            "How many milliseconds may clocks drift?",
            "Clocks must agree within one second.",
            "Clocks must agree within 50 milliseconds.",
        ),
        (
            "For what percentage of the day must makers quote?",
            "Makers must quote for a specified part of the day.",
            "Makers must quote for 50% of the day.",
        ),
        (
            "Which judge wrote the opinion?",
            "A court issued an opinion.",
            "Judge Example wrote the opinion.",
        ),
        (
            "By how much did spreads change during the pilot?",
            "Spreads may narrow by $0.01, the staff said.",
            "Spreads narrowed by $0.01.",
        ),
        (
            "To which day was the first Form ABC filing moved?",
            "The notice this form abcissa needs is due on May 3, 2026.",
            "The first Form ABC filing is due on May 3, 2026.",
        ),
        (
            "What did the June 2025 order grant?",
            "An order granted relief on May 3, 2024.",
            "The order of June 5, 2025 granted relief.",
        ),
    ],
)
def test_what_is_asked_for_must_be_there(question: str, missing: str, present: str) -> None:
    assert lacks(question, missing) != []
    assert lacks(question, present) == []


def test_an_old_source_does_not_speak_for_today() -> None:
    old = replace(HELD, known_at=NOW - timedelta(days=3000))

    assert lacks("What is the cap today?", "The cap is $0.002 per share.", held=old) != []
    assert lacks("What was the cap?", "The cap is $0.002 per share.", held=old) == []
    assert lacks("What is the cap today?", "The cap is $0.002 per share.") == []


def test_proposals_alone_do_not_answer_what_was_adopted() -> None:
    proposal = "The rule would bind venues from May 3, 2026."

    assert lacks("What compliance date was adopted?", proposal, stage=Stage.PROPOSED) != []
    assert lacks("What compliance date was proposed?", proposal, stage=Stage.PROPOSED) == []
    assert lacks("What compliance date was adopted?", proposal, stage=Stage.ADOPTED) == []


def test_a_document_does_not_say_what_happened_after_it() -> None:
    assert (
        lacks("How many stocks tripped the curb during 2031?", "On average 40 stocks tripped it.")
        != []
    )
    assert (
        lacks("How many stocks tripped the curb during 2025?", "On average 40 stocks tripped it.")
        == []
    )
    assert lacks("By when must venues comply with the 2031 phase?", "By May 3, 2031.") == []


def test_what_is_being_proposed_is_not_told_by_an_old_source() -> None:
    old = replace(HELD, known_at=NOW - timedelta(days=3000))

    assert (
        lacks("Which ticks is the agency proposing?", "It proposed a tick of $0.01.", held=old)
        != []
    )
    assert (
        lacks("Which ticks did the agency propose?", "It proposed a tick of $0.01.", held=old) == []
    )


def test_a_month_that_only_says_as_of_when_is_no_missing_source() -> None:
    assert lacks("Start of January 2019: was there a cap?", "There was a cap.") == []
    assert lacks("On 20 November 2025, was there a cap?", "There was a cap.") == []


def test_a_quarter_of_the_filing_itself_needs_no_words() -> None:
    assert lacks("What was revenue in Q1 2026?", "Revenue was $5 million.") == []
    assert lacks("What was revenue in Q1 2025?", "Revenue was $5 million.") != []


def test_kinds_and_roles_are_read_from_the_question() -> None:
    assert wanted("When must exchanges comply?") == [
        frozenset({ValueKind.DATE, ValueKind.DURATION})
    ]
    assert wanted("Who must certify?") == []
    assert wanted_roles("What are the effective and compliance dates?") == {
        "effective",
        "compliance",
    }


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "What triggers the halt, and for how long does it last?",
            ["What triggers the halt", "for how long does it last"],
        ),
        (
            "Who must certify the controls and how often is the review done?",
            ["Who must certify the controls", "how often is the review done"],
        ),
        ("Visa's fiscal 2024: what amount was bought back?", []),
        ("What did the 2005 release say of depth, spreads and queues?", []),
        ("Is Rule 611 in force?", []),
    ],
)
def test_a_question_is_taken_apart_where_it_asks_several_things(
    question: str, parts: list[str]
) -> None:
    assert asks(question) == parts


def test_a_time_told_in_words_answers_how_long() -> None:
    (asked,) = wanted("For how long does the restriction last?")

    assert gives(asked, "It applies for the remainder of that day.", frozenset())
    assert not gives(asked, "It applies to all stocks.", frozenset())


def test_an_act_is_known_by_its_number_too() -> None:
    act = replace(HELD, title="Article 5 - Volume Cap Mechanism of (EU) 600/2014")
    question = "How long does MiFIR suspend the waivers?"
    assert lacks(question, "They are suspended for six months.", held=act) == []
    assert lacks(question, "They are suspended for six months.") == ["nothing on MiFIR"]
