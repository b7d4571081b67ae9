"""A question and the turns before it in, the question that stands alone out. Our own words and rules; no model."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from agent.book import sections_named
from agent.reply import Answer
from ingest.rules import names

_FOLLOWS = re.compile(
    r"^(?:and|but|so|what about|how about|why)\b|\b(?:it|that|this|those|they|them)\b", re.I
)


@dataclass(frozen=True, slots=True)
class Said:
    """What a turn was on. question: as typed; asked: as answered; sections: rules it named, else those its answer told of."""

    question: str
    asked: str
    sections: tuple[str, ...] = ()

    @classmethod
    def of(cls, question: str, asked: str, answer: Answer) -> Self:
        """Of a turn that was answered, or refused."""
        numbered, called = sections_named(asked)
        told = tuple(rule.section for rule in answer.rules)
        return cls(question, asked, numbered or called or told)

    def to_json(self) -> dict[str, Any]:
        """As a checkpoint holds it."""
        return asdict(self)


def resolve(question: str, said: Sequence[Said]) -> str:
    """The question with what it leaves to the turns before it; unchanged where it stands alone."""
    if not said or any(sections_named(question)) or not _FOLLOWS.search(question):
        return question
    sections = next((each.sections for each in reversed(said) if each.sections), ())
    if not sections:
        return question
    rules = " and ".join(f"Rule {names.base(s).partition('.')[2]}" for s in sections[:2])
    return f"{question.rstrip(' ?.')} ({rules})?"
