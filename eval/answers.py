"""Gold questions and an agent in, scored answers out: `regtape eval answers FILE`.

Each question is asked as of its own moment. What is shipped is scored by eval/scoring.py; a
citation is valid only when its quote is read again at its span of the stored text, never because
the agent says so.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import click

from agent.reply import Answer, Citation, Passage
from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.console import progress as show_progress
from eval.questions import Question, load_questions
from eval.scoring import (
    DRAWS,
    PASSAGES_READ,
    SEED,
    Cited,
    Measure,
    Measures,
    Result,
    evidence_ranks,
    facts_found,
    interval,
    score,
)
from ingest.errors import NotKnown
from ingest.moment import parse_moment

Ask = Callable[[str, datetime | None], Answer]
ReadText = Callable[[str], str]
Progress = Callable[[int, int], None]


class Answers(Protocol):
    """What is evaluated; agent.answer.Agent is one."""

    def ask(self, question: str, *, as_of: datetime | None) -> Answer:
        """One answer as of a moment, or as of now."""


class Texts(Protocol):
    """What citations are checked against; ingest.catalog.Catalog is one."""

    def text(self, document_id: str, /) -> str:
        """The stored text of a document, or NotKnown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, what came back, and what it counts for."""

    question: Question
    answer: Answer
    result: Result
    milliseconds: float


def evaluate(
    file: Path,
    agent: Answers,
    catalog: Texts,
    rows: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Ask an agent every question of a file and check its citations in the catalog; see run()."""

    def ask(question: str, as_of: datetime | None) -> Answer:
        return agent.ask(question, as_of=as_of)

    return run(file, ask, catalog.text, rows=rows, data=data, progress=progress)


def run(
    questions: Path,
    ask: Ask,
    read_text: ReadText,
    *,
    rows: Path | None = None,
    data: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, object]:
    """Ask, check, score.

    rows      receives one JSON line per question: the answer, its quotes, a verdict on each fact
    data      the folder with the documents, needed where evidence is given as offsets
    progress  is told (questions done, questions in all) after each

    Returns {"task", "dataset", "n", "metrics": {name: {"value", "low", "high", "n"}}, "groups":
    {type: metrics}, "settings"}. Besides the metrics of eval/scoring.py there are anachronism_rate
    (the share of citations that became known only after the asked moment; anything but 0 is a
    fault), p50_ms, and the means sentences_per_answer, characters_per_answer and
    passage_characters, which show when recall was bought by pasting. An error of the agent is
    raised: it is not a refusal.
    """
    gold = load_questions(questions, data)
    asked: list[Asked] = []
    for question in gold:
        asked.append(_put(question, ask, read_text))
        if progress is not None:
            progress(len(asked), len(gold))
    if rows is not None:
        lines = (json.dumps(_row(each), ensure_ascii=False) + "\n" for each in asked)
        rows.write_text("".join(lines), encoding="utf-8")
    scores = score(gold, [each.result for each in asked])
    return {
        "task": "answers",
        "dataset": questions.stem,
        "n": len(gold),
        "metrics": scores.metrics | _extent(asked),
        "groups": scores.groups,
        "settings": {
            "dataset_sha256": hashlib.sha256(questions.read_bytes()).hexdigest(),
            "drafters": sorted({each.answer.drafter for each in asked}),
            "fingerprints": sorted({each.answer.fingerprint for each in asked}),
            "passages_scored": PASSAGES_READ,
            "bootstrap_draws": DRAWS,
            "bootstrap_seed": SEED,
        },
    }


def is_valid(citation: Citation, read_text: ReadText) -> bool:
    """The quote stands verbatim at its span of the stored text, and is the one that was hashed."""
    try:
        stored = read_text(citation.document_id)
    except NotKnown:
        return False
    return (
        0 <= citation.start < citation.end  # a negative offset counts from the end and could match
        and stored[citation.start : citation.end] == citation.quote
        and hashlib.sha256(citation.quote.encode()).hexdigest() == citation.sha256
    )


def _put(question: Question, ask: Ask, read_text: ReadText) -> Asked:
    as_of = None if question.as_of is None else parse_moment(question.as_of)
    began = perf_counter()
    answer = ask(question.question, as_of)
    milliseconds = (perf_counter() - began) * 1000
    result = Result(
        id=question.id,
        refused=not answer.sentences,  # words that were shipped are an answer, whatever is said
        text=answer.text,
        retrieved=tuple(passage.text for passage in answer.passages),
        citations=tuple(
            Cited(citation.quote, is_valid(citation, read_text)) for citation in _citations(answer)
        ),
    )
    return Asked(question, answer, result, milliseconds)


def _citations(answer: Answer) -> list[Citation]:
    return [citation for sentence in answer.sentences for citation in sentence.citations]


def _extent(asked: Sequence[Asked]) -> Measures:
    """Look-ahead, time and length over all questions; drawn apart from the scores' intervals."""
    answered = [each.answer for each in asked if not each.result.refused]
    passages = [passage for each in asked for passage in each.answer.passages]
    late = [
        citation.known_at > _asked_moment(each)
        for each in asked
        for citation in _citations(each.answer)
    ]
    return {
        "anachronism_rate": _mean(late),
        "p50_ms": interval([each.milliseconds for each in asked], random.Random(SEED), median),
        "sentences_per_answer": _mean(len(answer.sentences) for answer in answered),
        "characters_per_answer": _mean(len(answer.text) for answer in answered),
        "passage_characters": _mean(len(passage.text) for passage in passages),
    }


def _asked_moment(asked: Asked) -> datetime:
    """The moment the question names; only where it names none, the one the agent took for now."""
    as_of = asked.question.as_of
    return asked.answer.as_of if as_of is None else parse_moment(as_of)


def _mean(values: Iterable[float]) -> Measure:
    return interval([float(value) for value in values], random.Random(SEED))


def _row(asked: Asked) -> dict[str, object]:
    """All that a person needs to judge one answer, and all that scoring it again needs."""
    question, answer, result = asked.question, asked.answer, asked.result
    facts = zip(question.key_facts, facts_found(question, result), strict=True)
    evidence = zip(question.evidence, evidence_ranks(question, result.retrieved), strict=True)
    return {
        "id": question.id,
        "type": question.type,
        "question": question.question,
        "as_of": _asked_moment(asked).isoformat(),
        "answerable": question.answerable,
        "refused": result.refused,
        "reason": answer.refusal,
        "text": result.text,
        "gold_answer": question.answer,
        "facts": [
            {"any_of": fact.any_of, "kind": fact.kind, "found": found} for fact, found in facts
        ],
        "evidence": [
            {"file": gold.file, "quote": gold.quote, "rank": rank} for gold, rank in evidence
        ],
        "sentences": [
            {
                "text": sentence.text,
                "lead_in": sentence.lead_in,
                "verbatim": sentence.verbatim,
                "quotes": [_quote(citation) for citation in sentence.citations],
            }
            for sentence in answer.sentences
        ],
        "citations": [{"quote": cited.quote, "valid": cited.valid} for cited in result.citations],
        "retrieved": result.retrieved,
        "passages": [_passage(passage) for passage in answer.passages],
        "status": answer.status,
        "not_found": answer.not_found,
        "dropped": [
            {"text": dropped.text, "point": dropped.point, "reason": dropped.reason}
            for dropped in answer.dropped
        ],
        "drafter": answer.drafter,
        "milliseconds": round(asked.milliseconds, 1),
    }


def _quote(citation: Citation) -> dict[str, object]:
    return {
        "title": citation.title,
        "reference": citation.reference,
        "section": citation.section,
        "page": citation.page,
        "authority": citation.authority,
        "speaker": citation.speaker,
        "stage": citation.stage,
        "known_at": citation.known_at.isoformat(),
        "quote": citation.quote,
    }


def _passage(passage: Passage) -> dict[str, object]:
    return {
        "document_id": passage.document_id,
        "reference": passage.reference,
        "section": passage.section,
        "page": passage.page,
        "score": passage.score,
        "dense": passage.dense,
        "lexical": passage.lexical,
        "known_at": passage.known_at.isoformat(),
    }


@regtape_command(
    "answers",
    short_help="Gold questions against what is ingested.",
    examples=(
        'regtape eval answers eval/gold/ours_dev.jsonl --data "$REGTAPE_DATA"',
        "regtape eval answers questions.jsonl --llm embedded --rows rows.jsonl --json",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="REGTAPE_DATA",
    help="The folder with the documents, for evidence given as offsets. Default: REGTAPE_DATA.",
)  # fmt: skip
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write each answer with its quotes and verdicts here, one JSON line a question.",
)  # fmt: skip
@click.option(
    "--llm", metavar="NAME",
    help="A chat model that drafts; 'none': the evidence's own words. Default: REGTAPE_LLM.",
)  # fmt: skip
def command(file: Path, data: Path | None, rows: Path | None, llm: str | None) -> int:
    """Ask every question in FILE, each as of its own moment, and score what comes back."""
    chosen = settings(llm=llm)
    from api.services import open_services

    with open_services(chosen) as services, show_progress("asking", "questions") as tell:
        report = evaluate(
            file,
            services.agent,
            services.catalog,
            rows=rows,
            data=data,
            progress=lambda done, total: tell(done, total, ""),
        )
    if wants_json():
        print_json(report)
    else:
        click.echo(table(report))
    return DONE


def table(report: dict[str, Any]) -> str:
    """One line a metric: value, 95 % interval, n; over all questions first, then by type."""
    blocks = {f"{report['dataset']}, {report['n']} questions": report["metrics"]} | report["groups"]
    return "\n\n".join(
        "\n".join([title, *(_line(name, measure) for name, measure in measures.items())])
        for title, measures in blocks.items()
    )


def _line(name: str, measure: Measure) -> str:
    if measure["value"] is None:
        return f"  {name:<24}     none"
    return (
        f"  {name:<24}{measure['value']:>9.3f}"
        f"  [{measure['low']:.3f}, {measure['high']:.3f}]  n={measure['n']}"
    )
