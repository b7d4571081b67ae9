"""Rules and days in, how often `ask` cites what was not known or calls binding what was not, out: `regtape eval anachronisms`.

Four groups of questions, each asked of the whole pipeline twice, with the rulebook and without it:

    labelled    "Is Rule X in force?" as of the day of a hand label (asof_*.jsonl of DIR); the label's state is the truth
    asked now   the same, asked today with the day in the question: "Was Rule X in force on June 1, 2007?"
    generated   rules and days drawn at random, "Is … in force?" and "What compliance date applies to …?" by turns; the truth is
                the rulebook's state from a book that holds nothing but what was known by that day
    gold        the questions of --gold files as of their own moment; only what is cited can be judged

An answer is an anachronism when a citation became known only after the asked moment ("late"), or when the rule was not binding
(unknown, proposed, adopted but not effective, stayed, exempted, …) and the answer lets it seem so ("overstated"): it tells a
binding state, or it ships a sentence of a release on the rule as adopted, with no word on the state: neither a rule's state,
nor a label on the citation, nor a status line that says not binding. A refusal is neither.
"""

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click

from agent.answer import Agent
from agent.reply import Answer, Stage, Standing
from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.console import progress as show_progress
from eval.questions import load_questions
from eval.scoring import DRAWS, SEED, Measures, interval
from ingest.catalog import Catalog
from ingest.document import DocType
from ingest.moment import end_of_day, parse_moment
from ingest.rules import names
from ingest.rules.held import Book, open_book
from ingest.rules.kinds import About
from ingest.rules.state import sections_of, state

PAIRS = 120
_BINDING = {Standing.IN_FORCE, Standing.EFFECTIVE, Standing.TO_BE_RESCINDED}
_SAYS_NOT = re.compile(
    r"binds no one|not yet effective|stayed|withdraw|vacated|expired|exempt|removed|not in the documents"
)
_ALIKE = {
    "not_in_force": "removed", "repealed": "removed", "rescinded": "removed", "exempt": "exempted", "stayed_in_part": "stayed",
    "sunset": "expired",
}  # fmt: skip

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One question; section and truth None where only citations can be judged."""

    group: str
    question: str
    as_of: datetime | None
    section: str | None = None
    truth: Standing | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer is out of its time, and why."""

    late: bool
    overstated: bool
    reason: str = ""


def judge(case: Case, answer: Answer, releases: Mapping[str, Set[str]]) -> Verdict:
    """releases: document -> the sections that it adopts or codifies."""
    late = [c for c in answer.citations if c.known_at > (case.as_of or answer.as_of)]
    if late:
        return Verdict(True, False, f"{late[0].reference} became known {late[0].known_at:%Y-%m-%d}")
    if case.section is None or case.truth is None or case.truth in _BINDING:
        return Verdict(False, False)
    told = [r for r in answer.rules if names.base(r.section) == names.base(case.section)]
    if told:
        binding = told[0].standing in _BINDING and told[0].with_file in _BINDING
        return Verdict(
            False, binding, f"told {told[0].standing}, was {case.truth}" if binding else ""
        )
    if any(_SAYS_NOT.search(line) for line in answer.status):
        return Verdict(False, False)
    bare = [
        c
        for s in answer.sentences
        for c in s.citations
        if c.stage is Stage.ADOPTED
        and not c.force
        and names.base(case.section) in releases.get(c.document_id, frozenset())
    ]
    said = f"“{bare[0].quote[:80]}” without a word on its state, was {case.truth}" if bare else ""
    return Verdict(False, bool(bare), said)


# ---- the questions


def labelled(folder: Path) -> Iterator[Case]:
    """Each hand label twice: as of its day, and asked now of that day."""
    for path in sorted(folder.glob("asof_*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            row = json.loads(line)
            day, rule = date.fromisoformat(row["as_of"]), _called(row["section"])
            truth = Standing(_ALIKE.get(row["state"], row["state"]))
            yield Case("labelled", f"Is {rule} in force?", end_of_day(day), row["section"], truth)
            if truth is not Standing.UNKNOWN:  # what nobody knew then may be known now
                asked = f"Was {rule} in force on {day:%B} {day.day}, {day.year}?"
                yield Case("asked now", asked, None, row["section"], truth)


def generated(book: Book, pairs: int) -> Iterator[Case]:
    """Rules and days drawn at random, as much of either kind of question."""
    draw = random.Random(SEED)
    sections = sections_of(book)
    moments = sorted(k.known_at for k in book.events)
    first, last = moments[0].date().toordinal(), moments[-1].date().toordinal()
    for n in range(pairs):
        section, as_of = (
            draw.choice(sections),
            end_of_day(date.fromordinal(draw.randint(first, last))),
        )
        truth = state(_past(book, as_of), section, as_of).with_file
        rule = _called(section)
        asked = f"Is {rule} in force?" if n % 2 else f"What compliance date applies to {rule}?"
        yield Case("generated", asked, as_of, section, truth)


def gold(files: Iterable[Path], data: Path | None) -> Iterator[Case]:
    """The questions of gold files, as of their own moment."""
    for file in files:
        for q in load_questions(file, data):
            yield Case("gold", q.question, parse_moment(q.as_of) if q.as_of else None)


def _past(book: Book, as_of: datetime) -> Book:
    """A book that holds nothing but what was known by then."""
    return replace(
        book,
        events=tuple(k for k in book.events if k.known_at <= as_of),
        documents=tuple(h for h in book.documents if h.known_at <= as_of),
        printed={r: p for r, p in book.printed.items() if p.known_at <= as_of},
        overlay=tuple(x for x in book.overlay if end_of_day(x.known_on) <= as_of),
    )


def _called(section: str) -> str:
    return f"Rule {section.partition('.')[2]}"


# ---- measuring


def evaluate(
    cases: Sequence[Case],
    agent: Agent,
    catalog: Catalog,
    book: Book,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> tuple[Measures, dict[str, Measures], list[Row]]:
    """Metrics over all, by group, and a row for each answer of either pipeline."""
    points: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    rows: list[Row] = []
    releases = _releases(book, catalog)
    for n, case in enumerate(cases):
        for name, rules in (("", True), ("_without_rulebook", False)):
            agent.rules = rules
            answer = agent.ask(case.question, as_of=case.as_of)
            verdict = judge(case, answer, releases)
            values = {
                "anachronism_rate": verdict.late or verdict.overstated,
                "late_rate": verdict.late,
                "overstated_rate": verdict.overstated,
                "refused_rate": answer.refusal is not None,
            }
            for metric, value in values.items():
                for group in ("", case.group):
                    points[group][metric + name].append(float(value))
            if rules and case.truth is not None and answer.rules:
                for group in ("", case.group):
                    points[group]["state_right"].append(float(_told_right(case, answer)))
            rows.append(_row(case, answer, verdict, name or "_with_rulebook"))
        progress(n + 1, len(cases))
    agent.rules = True
    draw = random.Random(SEED)
    measured = {
        group: {metric: interval(found, draw) for metric, found in sorted(metrics.items())}
        for group, metrics in points.items()
    }
    return measured.pop(""), measured, rows


def _told_right(case: Case, answer: Answer) -> bool:
    return any(case.truth in (rule.standing, rule.with_file) for rule in answer.rules)


def _releases(book: Book, catalog: Catalog) -> dict[str, set[str]]:
    """Document -> the sections it adopts or codifies."""
    works: dict[str, set[str]] = defaultdict(set)
    for known in book.events:
        if known.event.about is About.OWN:
            works[known.held.work_id] |= {names.base(s) for s in known.event.sections}
    return {
        held.id: works.get(held.work_id, set())
        | {names.base(s) for s in held.metadata.cfr_sections}
        for held in catalog.documents()
        if held.work_id in works or held.doc_type in (DocType.FINAL_RULE, DocType.REGULATION)
    }


def _row(case: Case, answer: Answer, verdict: Verdict, pipeline: str) -> Row:
    return {
        "group": case.group,
        "pipeline": pipeline.removeprefix("_"),
        "question": case.question,
        "as_of": answer.as_of.isoformat(),
        "section": case.section,
        "truth": case.truth,
        "late": verdict.late,
        "overstated": verdict.overstated,
        "reason": verdict.reason,
        "refused": answer.refusal,
        "on": str(answer.on or ""),
        "says": [rule.says for rule in answer.rules],
        "lines": [[t.line, *(c.quote for c in t.citations)] for r in answer.rules for t in r.told],
        "sentences": [
            {"text": f"{s.lead_in} {s.text}".strip(), "force": s.citations[0].force,
             "reference": s.citations[0].reference, "known_at": s.citations[0].known_at.isoformat()}
            for s in answer.sentences
        ],
        "status": answer.status,
    }  # fmt: skip


@regtape_command(
    "anachronisms",
    short_help="What answers say before its time.",
    examples=(
        'regtape eval anachronisms "$REGTAPE_DATA/rulebook"',
        'regtape eval anachronisms "$REGTAPE_DATA/rulebook" --gold "$REGTAPE_DATA/gold/dev.jsonl" --rows rows.jsonl --json',
    ),
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--gold", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Gold questions to ask as well; more than once for more files.",
)  # fmt: skip
@click.option("--pairs", default=PAIRS, show_default=True, help="Rules and days to draw at random.")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="REGTAPE_DATA",
    help="The folder with the documents, for gold evidence given as offsets. Default: REGTAPE_DATA.",
)  # fmt: skip
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write every answer with its verdict here, one JSON line each.",
)  # fmt: skip
def command(
    folder: Path, files: tuple[Path, ...], pairs: int, data: Path | None, rows: Path | None
) -> int:
    """Ask about rules as of days, with the rulebook and without it, and count what is out of its time.

    FOLDER holds asof_*.jsonl.
    """
    chosen = settings()
    from api.services import open_services

    with open_services(chosen) as services, show_progress("asking", "questions") as tell:
        book = open_book(services.catalog)
        cases = [*labelled(folder), *generated(book, pairs), *gold(files, data)]
        metrics, groups, found = evaluate(
            cases, services.agent, services.catalog, book, lambda done, total: tell(done, total, "")
        )
    if rows is not None:
        lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in found)
        rows.write_text("".join(lines), encoding="utf-8")
    report = {
        "task": "anachronisms",
        "dataset": folder.name,
        "n": len(cases),
        "metrics": metrics,
        "groups": groups,
        "settings": {
            "labels_sha256": {
                p.name: hashlib.sha256(p.read_bytes()).hexdigest()
                for p in (*sorted(folder.glob("asof_*.jsonl")), *files)
            },
            "pairs": pairs,
            "seed": SEED,
            "bootstrap_draws": DRAWS,
            "fingerprint": services.agent.fingerprint,
        },
    }
    if wants_json():
        print_json(report)
    else:
        click.echo(_table(report))
    return DONE


def _table(report: Row) -> str:
    """One line a metric: value, 95 % interval, n; over all first, then by group."""
    blocks = {f"{report['dataset']}, {report['n']} questions": report["metrics"]} | report["groups"]
    return "\n\n".join(
        "\n".join(
            [
                title,
                *(
                    f"  {name:<40}{m['value']:>9.3f}  [{m['low']:.3f}, {m['high']:.3f}]  n={m['n']}"
                    for name, m in measures.items()
                ),
            ]
        )
        for title, measures in blocks.items()
    )
