"""Nothing in, the bundled sample out: notes on real market-structure rules, what is known of each, questions with answers.

The notes in `documents/` are written for RegTape: the facts and the citations are real, the words are our own, and each
note says so at its top and names the official text it restates. They come in the shapes of official documents (a release,
Federal Register and eCFR XML, a filing, prints as PDF), so that a demo reads what a real folder would hold.

`manifest.jsonl` says of each note what its text cannot prove:

- authority is "secondary", always: a restatement is not the Commission speaking, so answers from it are marked so, and
  no note is ever one work with the official text it names (it takes no release or Federal Register number of its own);
- primary and url name that official text; doc_type and the dates are those of the text restated, so that a question about
  status gets an answer;
- published_on is the day by which everything that the note restates was public, so that "as of" questions work.

`questions.jsonl` has the form of the gold questions (see eval/questions.py); "demo": true marks those that the demo asks.

`news.jsonl` is two days of headlines for `regtape news add`. The companies are real; the events are invented, and every
row is marked so by its source and its id, which begin with "sample-". It holds what a feed holds: copies, updates, a
correction, a retraction, headlines about two companies, symbols in four notations and rows without any.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Question:
    """A question on the sample, with what a good answer contains.

    as_of       a civil day or None for now; evidence: {"file", "quote"}, each quote verbatim in that note's text
    key_facts   {"any_of": [...], "kind": "number" | "date" | "phrase"}; none for an unanswerable question
    """

    id: str
    type: str
    question: str
    answerable: bool
    as_of: str | None
    answer: str
    demo: bool = False
    evidence: list[dict[str, str]] = field(default_factory=list)
    key_facts: list[dict[str, Any]] = field(default_factory=list)


def documents() -> Path:
    """The folder of notes."""
    return _HERE / "documents"


def manifest() -> Path:
    """What is known of each note, for `ingest --manifest`."""
    return _HERE / "manifest.jsonl"


def news() -> Path:
    """Headlines of invented events on real companies, one JSON object a line."""
    return _HERE / "news.jsonl"


def questions() -> list[Question]:
    """Every question, in the order of the file."""
    lines = (_HERE / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    return [Question(**json.loads(line)) for line in lines if line.strip()]


def demo_questions() -> list[tuple[str, str | None]]:
    """(question, as_of) pairs that the demo asks: one is asked as of two days, one cannot be answered."""
    return [(q.question, q.as_of) for q in questions() if q.demo]


QUESTIONS = demo_questions()
