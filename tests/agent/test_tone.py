"""What of a question is on news goes to the news, the rest of it to the documents; numbers are never quotes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from agent.answer import Agent
from agent.reply import Headline, Tone
from agent.tone import asked_of_news
from tests.agent.test_answer import ADOPTED, OTHER
from tests.agent.test_answer import _agent as _agent
from tests.agent.test_answer import _catalog as _catalog
from tests.agent.test_answer import _put as _put

AT = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class FakeNews:
    """Knows of one company."""

    asked: list[tuple[str, tuple[str, ...], str]] = field(default_factory=list)

    def tones(
        self, question: str, tickers: tuple[str, ...], since: str, as_of: datetime
    ) -> tuple[Tone, ...]:
        self.asked.append((question, tickers, since))
        if "BAC" not in tickers:
            return ()
        headline = Headline("Bank passes: the fee cap is $99 per share", "wire", AT, 0.5)
        return (
            Tone("BAC", "cik:70858", as_of, AT, "since then", 2, True, 0.25, {"volume_1d": 2.0}, {"volume_1d": "PRESENT"},
                 AT, False, ("m1",), {"offset": 7, "hash": "ab"}, (headline,)),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("question", "since", "documents", "tickers"),
    [
        ("what is the tone on BAC since the stress tests, and does the fee cap touch it?", "stress tests",
         "does the fee cap touch NMS stocks?", ("BAC",)),
        ("How is sentiment on $JPM since March 10, 2012?", "March 10, 2012", "", ("JPM",)),
        ("What does Rule 612 require and what is the news on AAPL?", "", "What does Rule 612 require", ("AAPL",)),
    ],
)  # fmt: skip
def test_a_question_is_divided(
    question: str, since: str, documents: str, tickers: tuple[str, ...]
) -> None:
    asked = asked_of_news(question)
    assert asked is not None
    assert (asked.since, asked.documents, asked.tickers) == (since, documents, tickers)


@pytest.mark.parametrize(
    "question", ["What does Rule 612 require?", "When must exchanges comply with amended Rule 605?"]
)
def test_a_question_on_rules_alone_asks_nothing_of_the_news(question: str) -> None:
    assert asked_of_news(question) is None


def test_both_halves_answer_and_no_number_of_the_news_is_told_as_a_quote(
    agent: Agent, put: Callable[..., None]
) -> None:
    put(ADOPTED, day=1)
    put(OTHER, day=1)
    agent.news = FakeNews()
    question = "What is the tone on BAC, and what is the access fee cap for quotations priced $1.00 or more?"

    answer = agent.ask(question)

    assert answer.question == question
    assert [tone.symbol for tone in answer.news] == ["BAC"]
    assert "$0.002 per share" in answer.text
    assert "$99" not in answer.text
    assert [step.name for step in answer.steps][:2] == ["news", "rules"]


def test_a_question_on_news_alone_is_answered_without_documents(
    agent: Agent, put: Callable[..., None]
) -> None:
    put(ADOPTED, day=1)
    agent.news = FakeNews()
    answer = agent.ask("What is the mood on BAC?")
    assert (answer.sentences, answer.refusal, len(answer.news)) == ((), None, 1)


def test_where_the_news_knows_no_company_the_documents_are_asked_in_full(
    agent: Agent, put: Callable[..., None]
) -> None:
    put(ADOPTED, day=1)
    agent.news = FakeNews()
    answer = agent.ask(
        "What is the mood on the access fee cap for quotations priced $1.00 or more?"
    )
    assert answer.news == ()
    assert answer.passages
