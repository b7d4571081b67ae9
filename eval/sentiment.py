"""Labelled texts and a scorer in; how often it is right, and how far to trust its probabilities, out: `regtape eval sentiment`.

A row is {"text", "label"}, or {"text", "targets": [{"target", "label"}]} with one judgement for each target. A target is marked
where its text names it: as given whatever the case; else inside longer words; else by its first telling word; else not at all,
and the sentence's score stands for it (sentiment/scorer.py: mentions). Measures and intervals are those of eval/classes.py.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from api.console import DONE, note, print_json, regtape_command, settings, wants_json
from api.console import progress as show_progress
from eval.classes import Judged, by_class, confusion, measures
from eval.scoring import DRAWS, SEED, Measure, Measures
from ingest.errors import BadRequest
from sentiment.calibration import BINS, LEAST_IN_A_BIN
from sentiment.scorer import LABELS, Marked, Probabilities, Scorer, mentions

_AT_A_TIME = 512

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One judgement. text: what is scored, the target marked in it; groups: which kinds of row it is of."""

    row: int
    sentence: str
    text: str | Marked
    target: str | None
    label: int
    groups: tuple[str, ...]


def load_cases(file: Path) -> list[Case]:
    """The judgements of a JSON Lines file, in order. Raises BadRequest with the line on what is no row."""
    cases: list[Case] = []
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    cases += _cases(json.loads(line), number)
                except (ValueError, KeyError, TypeError, AttributeError) as exc:
                    raise BadRequest(
                        f"{file.name} line {number}: {type(exc).__name__} {exc}; a row is "
                        '{"text": …, "label": …} or {"text": …, "targets": [{"target": …, "label": …}]}'
                    ) from exc
    if not cases:
        raise BadRequest(f"{file.name} holds no rows")
    return cases


def _cases(row: dict[str, Any], number: int) -> Iterator[Case]:
    text = row["text"]
    if not isinstance(text, str):
        raise TypeError("text is no string")
    if "label" in row:
        yield Case(number, text, text, None, _label(row["label"]), ("sentences",))
    targets = row["targets"] if "label" not in row else row.get("targets", [])
    labels = [_label(each["label"]) for each in targets]
    for each, label in zip(targets, labels, strict=True):
        spans = mentions(text, each["target"])
        marked = Marked(text, spans) if spans else text
        yield Case(number, text, marked, each["target"], label, _groups(labels, bool(spans)))


def _groups(labels: Sequence[int], found: bool) -> tuple[str, ...]:
    """Which kinds of row a target is of; labels: of all targets of its row."""
    one, agree = len(labels) == 1, len(set(labels)) == 1
    kind = "one target" if one else "targets agree" if agree else "targets disagree"
    return ("targets", kind) if found else ("targets", kind, "targets not found")


def _label(word: Any) -> int:
    plain = str(word).strip().lower()
    if plain not in LABELS:
        raise ValueError(f"label {word!r} is none of {', '.join(LABELS)}")
    return LABELS.index(plain)


# ---- scoring


def evaluate(
    file: Path, scorer: Scorer, *, rows: Path | None = None, progress: Progress = lambda *_: None
) -> dict[str, Any]:
    """Score every judgement of a file.

    rows      receives one JSON line for each: text, target, label, probabilities
    progress  is told (texts scored, texts in all)

    Besides metrics and groups (by kind of row; "class …" with precision, recall and F1) there is "confusion": truth → answer →
    count. Groups that end in "not told" are the same judgements where the model is given the sentence without the target.
    """
    cases = load_cases(file)
    found = _scored(cases, scorer, progress)
    judged = _judged(cases, [found[case.text] for case in cases])
    if rows is not None:
        lines = (json.dumps(_row(case, found[case.text]), ensure_ascii=False) for case in cases)
        rows.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    groups = _by_kind(cases, judged)
    if scorer.reads_targets:
        alone = _judged(cases, [found[case.sentence] for case in cases])
        for name in ("targets", "targets disagree"):
            if name in groups:
                chosen = np.array([name in case.groups for case in cases])
                groups[f"{name}, not told"] = measures(alone.where(chosen))
    groups |= {f"class {label}": each for label, each in by_class(judged, LABELS).items()}
    return {
        "task": "sentiment",
        "dataset": file.stem,
        "n": len(cases),
        "metrics": measures(judged),
        "groups": groups,
        "confusion": _named(judged),
        "settings": _settings(cases, scorer),
    }


def _scored(
    cases: Sequence[Case], scorer: Scorer, progress: Progress
) -> dict[str | Marked, Probabilities]:
    """The row of each text, with its marks and without."""
    wanted = dict.fromkeys(
        text for case in cases for text in ((case.text, case.sentence) if case.target else (case.text,))
    )  # fmt: skip
    texts = list(wanted)
    found: dict[str | Marked, Probabilities] = {}
    for start in range(0, len(texts), _AT_A_TIME):
        part = texts[start : start + _AT_A_TIME]
        found |= zip(part, scorer.score(part), strict=True)
        progress(len(found), len(texts))
    return found


def _judged(cases: Sequence[Case], rows: Sequence[Probabilities]) -> Judged:
    return Judged(
        np.array([case.row for case in cases]),
        np.array([case.label for case in cases]),
        np.stack(rows).astype(np.float64),
    )


def _by_kind(cases: Sequence[Case], judged: Judged) -> dict[str, Measures]:
    names = sorted({name for case in cases for name in case.groups})
    if names == ["sentences"]:
        return {}
    return {
        name: measures(judged.where(np.array([name in case.groups for case in cases])))
        for name in names
    }


def _named(judged: Judged) -> dict[str, dict[str, int]]:
    return {
        truth: {answer: int(count) for answer, count in zip(LABELS, row, strict=True)}
        for truth, row in zip(LABELS, confusion(judged), strict=True)
    }


def _settings(cases: Sequence[Case], scorer: Scorer) -> dict[str, Any]:
    return {
        "model": scorer.name,
        "version": scorer.version,
        "trained_through": scorer.trained_through,
        "notice": scorer.notice,
        "reads_targets": scorer.reads_targets,
        "rows": len({case.row for case in cases}),
        "targets_not_found": sum("targets not found" in case.groups for case in cases),
        "ece": f"most probable class, debiased L1, {BINS} equal-mass bins, at least {LEAST_IN_A_BIN} in each",
        "intervals": f"95 %, bootstrap over rows, {DRAWS} draws, seed {SEED}",
    }


def _row(case: Case, probabilities: Probabilities) -> dict[str, Any]:
    return {
        "line": case.row,
        "text": case.sentence,
        "target": case.target,
        "marked": case.text.spans if isinstance(case.text, Marked) else [],
        "label": LABELS[case.label],
        "answer": LABELS[int(probabilities.argmax())],
        "probabilities": {
            label: round(float(p), 4) for label, p in zip(LABELS, probabilities, strict=True)
        },
    }


# ---- the command


@regtape_command(
    "sentiment",
    short_help="Labelled texts and targets against a scorer.",
    examples=(
        "regtape eval sentiment headlines.jsonl --json",
        "regtape eval sentiment headlines.jsonl --model hf:ProsusAI/finbert --rows judged.jsonl",
    ),
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--model", metavar="NAME", default="finbert", show_default=True,
    help="A scorer: finbert, finbert-research, lexicon, or hf:NAME-or-folder.",
)  # fmt: skip
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write each judgement with its probabilities here, one JSON line each.",
)  # fmt: skip
def command(file: Path, model: str, rows: Path | None) -> int:
    """Score the rows of FILE, {text, label} or {text, targets: [{target, label}]}, and compare with their labels."""
    chosen = settings()
    from sentiment.scorer import open_scorer

    scorer = open_scorer(model, threads=chosen.threads, cache_dir=chosen.models_folder)
    if scorer.notice:
        note(f"{scorer.name}: {scorer.notice}")
    with show_progress("scoring", "texts") as tell:
        found = evaluate(
            file, scorer, rows=rows, progress=lambda done, total: tell(done, total, "")
        )
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    return DONE


def _table(found: dict[str, Any]) -> str:
    """A line a figure: value, 95 % interval, n; then truth against answers."""
    title = f"{found['dataset']}, {found['n']} judgements, {found['settings']['model']}"
    blocks = [
        "\n".join([name, *(_line(key, measure) for key, measure in measured.items())])
        for name, measured in {title: found["metrics"], **found["groups"]}.items()
    ]
    counts = ["truth \\ answer".ljust(16) + "".join(f"{label:>10}" for label in LABELS)]
    for truth, answers in found["confusion"].items():
        counts.append(truth.ljust(16) + "".join(f"{count:>10}" for count in answers.values()))
    return "\n\n".join([*blocks, "\n".join(counts)])


def _line(name: str, measure: Measure) -> str:
    if measure["value"] is None:
        return f"  {name:<12}     none  n={measure['n']}"
    return (
        f"  {name:<12}{measure['value']:>9.4f}"
        f"  [{measure['low']:.4f}, {measure['high']:.4f}]  n={measure['n']}"
    )
