"""Labelled pairs of passages in, precision and recall of the changed numbers that `compare` finds out: `regtape eval compare`.

A row of eval/gold/parameters.jsonl is a pair of documents, or of passages of two, and every number that changed between
them: one that both state of the same thing, with another value. What both call otherwise (rows of a table under another
heading) is marked neutral and counts neither way; the year of a report, names and references are no parameters. Rows hold
offsets, hashes and the values, not the text: that is read from the folder that --data names, and a pair whose text reads
otherwise than when it was labelled is not scored but reported.

    parameter_recall     share of the labelled changes that are found: both spans touch those labelled
    parameter_precision  share of what is found that is labelled
    round_trip           share of the pairs where the diff, applied to the one text, is the other, byte for byte
"""

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from agent.compare import apply, compare, patch
from agent.parameters import Parameter
from api.console import DONE, NOTHING, note, print_json, regtape_command, wants_json
from eval.scoring import DRAWS, SEED, Measures, interval
from ingest.document import Section
from ingest.parse import parse, parts

LABELS = Path(__file__).parent / "gold" / "parameters.jsonl"

Row = dict[str, Any]
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """A labelled change: where its two values stand in the texts of the pair."""

    before: Span
    after: Span
    neutral: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts, their sections where the whole of them is compared, and the changes between them."""

    id: str
    split: str
    before: str
    after: str
    old_sections: tuple[Section, ...]
    new_sections: tuple[Section, ...]
    changes: tuple[Change, ...]


class Otherwise(Exception):
    """A text is not there, or not the one that was labelled."""


def read_pair(row: Row, data: Path) -> Pair:
    """A row with its texts. Raises Otherwise."""
    sides = [_cut(row[side], data) for side in ("before", "after")]
    firsts = row["before"]["start"], row["after"]["start"]
    changes = tuple(
        Change(
            _span(each["before_start"] - firsts[0], each["before"]),
            _span(each["after_start"] - firsts[1], each["after"]),
            each.get("neutral", False),
        )
        for each in row["changed"]
    )
    (before, old), (after, new) = sides
    for change, each in zip(changes, row["changed"], strict=True):
        if (before[slice(*change.before)], after[slice(*change.after)]) != (
            each["before"],
            each["after"],
        ):
            raise Otherwise(f"{row['id']}: {each['before']!r} does not stand where it was labelled")
    return Pair(row["id"], row["split"], before, after, old, new, changes)


def _span(start: int, words: str) -> Span:
    return start, start + len(words)


def _cut(side: Row, data: Path) -> tuple[str, tuple[Section, ...]]:
    text, sections = _document(data, side["file"])
    if sha256(text.encode()).hexdigest() != side["text_sha256"]:
        raise Otherwise(f"{side['file']} reads otherwise than when it was labelled")
    whole = (side["start"], side["end"]) == (0, len(text))
    return text[side["start"] : side["end"]], sections if whole else ()


@lru_cache(maxsize=32)
def _document(data: Path, file: str) -> tuple[str, tuple[Section, ...]]:
    path, _, part = file.partition("#")
    name = path.rpartition("/")[2]
    try:
        held = (data / path).read_bytes()
    except OSError as exc:
        raise Otherwise(f"{path} is not in {data}") from exc
    if part:
        name = f"{name}#{part}"
        found = [bytes_of for at, bytes_of in parts(held, path.rpartition("/")[2]) if at == name]
        if not found:
            raise Otherwise(f"{path} has no part {part}")
        held = found[0]
    document = parse(held, name)
    return document.text, document.sections


# ---- scoring


def evaluate(rows: Sequence[Row], data: Path) -> tuple[Row, list[Row]]:
    """The report, and one row for each change found, missed or made up. Pairs that cannot be read are left out and named."""
    points: dict[str, list[float]] = defaultdict(list)
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    verdicts: list[Row] = []
    unscored: list[str] = []
    for row in rows:
        try:
            pair = read_pair(row, data)
        except Otherwise as exc:
            unscored.append(str(exc))
            continue
        found = _judged(pair)
        trip = apply(patch(pair.before, pair.after), pair.before) == pair.after
        for where in (points, groups[pair.split], groups[pair.id]):
            where["round_trip"].append(float(trip))
            for verdict in found:
                if verdict["labelled"]:
                    where["parameter_recall"].append(float(verdict["found"]))
                if verdict["found"]:
                    where["parameter_precision"].append(float(verdict["labelled"]))
        verdicts += [{"pair": pair.id, "split": pair.split, **verdict} for verdict in found]
    draw = random.Random(SEED)
    report = {
        "task": "compare",
        "dataset": "parameters",
        "n": len(rows) - len(unscored),
        "metrics": _measures(points, draw),
        "groups": {name: _measures(each, draw) for name, each in sorted(groups.items())},
        "settings": {
            "labels_sha256": sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest(),
            "not_scored": unscored,
            "bootstrap_draws": DRAWS,
            "bootstrap_seed": SEED,
        },
    }
    return report, verdicts


def _measures(points: dict[str, list[float]], draw: random.Random) -> Measures:
    return {name: interval(values, draw) for name, values in sorted(points.items())}


def _judged(pair: Pair) -> list[Row]:
    """Each labelled change, found or not, and each that was found and is not labelled; what is neutral is left out."""
    comparison = compare(pair.before, pair.after, pair.old_sections, pair.new_sections)
    given = [*comparison.parameters, *(p for topic in comparison.topics for p in topic.parameters)]
    told = {(p.before_span, p.after_span): p for p in given}
    matched: dict[int, Parameter] = {}
    used: set[tuple[Span, Span]] = set()
    for n, change in enumerate(pair.changes):
        for spans, parameter in told.items():
            if (
                spans not in used
                and _touch(spans[0], change.before)
                and _touch(spans[1], change.after)
            ):
                matched[n] = parameter
                used.add(spans)
                break
    rows = [
        {
            "before": pair.before[slice(*change.before)], "after": pair.after[slice(*change.after)],
            "before_start": change.before[0], "after_start": change.after[0], "labelled": True, "found": n in matched,
        }
        for n, change in enumerate(pair.changes)
        if not change.neutral
    ]  # fmt: skip
    return rows + [
        {
            "before": parameter.before, "after": parameter.after,
            "before_start": spans[0][0], "after_start": spans[1][0], "labelled": False, "found": True,
        }
        for spans, parameter in told.items()
        if spans not in used
    ]  # fmt: skip


def _touch(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


# ---- the command


@regtape_command(
    "compare",
    short_help="Changed numbers between labelled pairs.",
    examples=(
        'regtape eval compare --data "$REGTAPE_DATA"',
        'regtape eval compare --data "$REGTAPE_DATA" --split held --rows rows.jsonl --json',
    ),
)
@click.argument(
    "labels", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=LABELS, required=False,
)  # fmt: skip
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, envvar="REGTAPE_DATA",
    help="The folder that the files of the labels are relative to.",
)  # fmt: skip
@click.option("--split", help="Score the pairs of that split alone: dev or held.")
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write every verdict here, one JSON line each: values, offsets, verdicts, no text.",
)  # fmt: skip
def command(labels: Path, data: Path, split: str | None, rows: Path | None) -> int:
    """Score the changed numbers that compare finds in labelled pairs of documents."""
    given = [json.loads(line) for line in labels.read_text("utf-8").splitlines() if line.strip()]
    given = [row for row in given if split in (None, row["split"])]
    report, verdicts = evaluate(given, data)
    if rows is not None:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in verdicts)
        rows.write_text("".join(lines), encoding="utf-8")
    for reason in report["settings"]["not_scored"]:
        note(f"not scored: {reason}")
    if wants_json():
        print_json(report)
    else:
        click.echo(_table(report))
    return DONE if report["n"] else NOTHING


def _table(report: Row) -> str:
    blocks = {f"{report['n']} pairs": report["metrics"]} | report["groups"]
    lines: list[str] = []
    for title, measures in blocks.items():
        lines += ["", title]
        for name, each in measures.items():
            value = "–" if each["value"] is None else f"{each['value']:.3f}"
            bounds = (
                f" [{each['low']:.3f}, {each['high']:.3f}]" if each.get("low") is not None else ""
            )
            lines.append(f"  {name:<22} {value}{bounds}  n={each['n']}")
    return "\n".join(lines[1:])
