"""Conversations with a gold follow-up in, how well the follow-up was answered out: `regtape eval followups FILE`.

Each row is a gold question (eval/questions.py) with the turns before it. All are put to one thread, as a person would; the
last answer is scored. Beside it stands what the same question gets when a person words it to stand alone: what is lost
between the two is the conversation's, what both miss is not.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from agent.conversation import converse
from agent.reply import Answer
from agent.threads import NEW, Threads
from api.asking import public_json
from api.console import DONE, print_json, progress, regtape_command, settings, wants_json
from eval.answers import Ask, ReadText, is_valid, table
from eval.questions import Question, load_questions
from eval.scoring import Cited, Measure, Result, bootstrapped, facts_found, score
from ingest.errors import BadRequest
from ingest.moment import parse_moment


@dataclass(frozen=True, slots=True)
class Case:
    """A follow-up: the turns before it, the question as a person would word it alone, what the resolved one must carry."""

    gold: Question
    before: tuple[str, ...]
    alone: str
    carries: tuple[str, ...]


def load_cases(file: Path) -> list[Case]:
    """Read JSONL. Raises BadRequest for a row that is none."""
    gold = load_questions(file)
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    try:
        return [
            Case(question, tuple(row["before"]), row["alone"], tuple(row["carries"]))
            for question, row in zip(gold, rows, strict=True)
        ]
    except KeyError as exc:
        raise BadRequest(
            f"{file}: a follow-up has before, alone and carries; {exc} is missing"
        ) from exc


def run(
    cases: list[Case],
    ask: Ask,
    read_text: ReadText,
    told: Callable[[int], None] = lambda _: None,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Ask and score. Returns the report and a row for each case; metrics besides those of eval/scoring.py:

    carried        share of follow-ups whose resolved question holds all that it must
    alone_recall   fact_recall of the question worded to stand alone
    """
    results: list[Result] = []
    rows: list[dict[str, Any]] = []
    alone: list[float] = []
    for number, case in enumerate(cases, start=1):
        as_of = parse_moment(case.gold.as_of) if case.gold.as_of else None
        answer = _talk(case, as_of, ask)
        result = _result(case.gold, answer, read_text)
        apart = _result(case.gold, ask(case.alone, as_of), read_text)
        results.append(result)
        alone.append(_share(facts_found(case.gold, apart)))
        asked = answer.asked_as or answer.question
        rows.append(
            {
                "id": case.gold.id,
                "before": case.before,
                "question": case.gold.question,
                "asked_as": answer.asked_as,
                "carried": all(word.lower() in asked.lower() for word in case.carries),
                "text": answer.text,
                "refused": result.refused,
                "not_found": answer.not_found,
                "found": facts_found(case.gold, result),
                "alone": case.alone,
                "alone_text": apart.text,
                "alone_found": facts_found(case.gold, apart),
            }
        )
        told(number)
    scores = score([case.gold for case in cases], results)
    own: dict[str, Measure] = {
        "carried": bootstrapped(np.array([float(row["carried"]) for row in rows])),
        "alone_recall": bootstrapped(np.array(alone)),
    }
    kept = ("fact_recall", "citation_validity", "false_refusal")
    metrics = {name: scores.metrics[name] for name in kept if name in scores.metrics} | own
    groups = {
        kind: {name: measures[name] for name in kept if name in measures}
        for kind, measures in scores.groups.items()
    }
    return {"task": "followups", "n": len(cases), "metrics": metrics, "groups": groups}, rows


def _talk(case: Case, as_of: datetime | None, ask: Ask) -> Answer:
    """The turns before, then the question; the last answer."""
    with tempfile.TemporaryDirectory() as folder, Threads(Path(folder)) as threads:
        thread = NEW
        for words in (*case.before, case.gold.question):
            answer = converse(threads, thread, words, as_of, lambda q: ask(q, as_of), public_json)
            thread = answer.thread or NEW
    return answer


def _result(gold: Question, answer: Answer, read_text: ReadText) -> Result:
    cited = [c for sentence in answer.sentences for c in sentence.citations]
    return Result(
        id=gold.id,
        refused=not answer.sentences,
        text=answer.text,
        retrieved=tuple(passage.text for passage in answer.passages),
        citations=tuple(Cited(c.quote, is_valid(c, read_text)) for c in cited),
    )


def _share(found: Any) -> float:
    each = list(found)
    return sum(map(bool, each)) / len(each) if each else 0.0


@regtape_command(
    "followups",
    short_help="Follow-ups of gold conversations against what is ingested.",
    examples=("regtape eval followups eval/gold/followups.jsonl --rows rows.jsonl",),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write each follow-up with what it was asked as and its answer here, one JSON line each.",
)  # fmt: skip
def command(file: Path, rows: Path | None) -> int:
    """Talk through every conversation in FILE and score what its last question gets."""
    from api.services import open_services

    cases = load_cases(file)
    with open_services(settings()) as services, progress("talking", "conversations") as tell:

        def ask(question: str, as_of: datetime | None) -> Answer:
            return services.agent.ask(question, as_of=as_of)

        report, told = run(
            cases, ask, services.catalog.text, lambda done: tell(done, len(cases), "")
        )
    report["dataset"] = file.stem
    if rows is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in told)
        rows.write_text("".join(lines), encoding="utf-8")
    if wants_json():
        print_json(report)
    else:
        click.echo(table(report))
    return DONE
