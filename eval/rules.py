"""Labelled rule events, effects and states in, precision, recall and accuracy out: `regtape eval rules DIR`.

DIR holds events_*.jsonl, no_events_*.jsonl, impacts_*.jsonl and asof_*.jsonl, whatever the split in their names; the
documents they point at are read from what is ingested in REGTAPE_HOME. A label of an event has its passage as `quote`, or
as offsets into the stored text and a hash, where the text is not ours to pass on (eval/gold/rules). Scored as the labels'
README says: events match by kind, section and date; what the label calls ambiguous counts neither way.

The labels name what one reader marked, not all that a release of two hundred pages states. So an extracted event is
judged where a label speaks (same event, or the same passage), where a document must hold none, and where
eval/gold/rule_events.jsonl holds a verdict by reading; the rest is unjudged. `event_precision` is over the judged,
`event_precision_floor` counts every unjudged event as wrong, `events_judged` is the share that was judged.

Effects are also judged the other way round: rows drawn at random and read (eval/gold/impacts_judged.jsonl). Of the newest
draw, made when the rules were fixed, `impact_read_variable` and `impact_read_direction` are the shares that were right among
the rows that are still read so, with Wilson intervals; `impact_verbatim` is over every row of every document held.
"""

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from api.console import DONE, NOTHING, note, print_json, regtape_command, settings, wants_json
from eval.forgeries import share
from eval.scoring import DRAWS, SEED, Measure, Measures, interval
from ingest.catalog import Catalog, Held
from ingest.document import Document
from ingest.moment import end_of_day
from ingest.quote import find, fingerprint
from ingest.rules import names
from ingest.rules.events import EXTRACTOR, Role, RuleEvent, events
from ingest.rules.held import Book, open_book
from ingest.rules.impacts import Impact, impacts
from ingest.rules.state import State, state
from ingest.rules.stated import stated_in

JUDGED = Path(__file__).parent / "gold" / "rule_events.jsonl"
IMPACTS_JUDGED = Path(__file__).parent / "gold" / "impacts_judged.jsonl"
PAIRS = 120  # generated (section, day) pairs for the anachronism check

Row = dict[str, Any]


@dataclass(slots=True)
class Tally:
    """Verdicts by metric, each 1.0 or 0.0, and what stands behind every one of them."""

    points: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    rows: list[Row] = field(default_factory=list)

    def add(self, metric: str, right: bool, group: str, **row: object) -> None:
        self.points[metric].append(float(right))
        self.groups[group][metric].append(float(right))
        if row:
            self.rows.append({"metric": metric, "right": right, "group": group, **row})


def evaluate(folder: Path, catalog: Catalog, judged: Path = JUDGED) -> tuple[Row, list[Row]]:
    """The report, and one row for each verdict. Documents that are not held are left out and counted."""
    tally = Tally()
    reader = _Reader(catalog)
    verdicts = _verdicts(judged)
    labels = _by_file(_rows(folder, "events"))
    for file, rows in labels.items():
        _score_events(file, rows, reader, verdicts, tally)
    for row in _rows(folder, "no_events"):
        _score_silence(row["file"], reader, tally)
    for file, rows in _by_file(_rows(folder, "impacts")).items():
        _score_impacts(file, rows, reader, tally)
    book = open_book(catalog)
    for row in _rows(folder, "asof"):
        _score_state(row, book, catalog, tally)
    if book.events:
        _score_pairs(book, tally)
    draw = random.Random(SEED)
    unjudged = tally.points.pop("event_unjudged", [])
    metrics: Measures = {
        name: interval(points, draw) for name, points in sorted(tally.points.items())
    }
    read, unread = _score_read(catalog)
    metrics |= read
    if judged_events := tally.points.get("event_precision"):
        metrics |= _bounds(judged_events, unjudged, draw)
    report = {
        "task": "rules",
        "dataset": folder.name,
        "n": sum(
            1 for kind in ("events", "no_events", "impacts", "asof") for _ in _rows(folder, kind)
        ),
        "metrics": metrics,
        "groups": {
            group: {name: interval(points, draw) for name, points in sorted(found.items())}
            for group, found in sorted(tally.groups.items())
        },
        "settings": {
            "dataset_sha256": _digest(folder),
            "extractor": EXTRACTOR,
            "not_held": sorted(reader.missing),
            "generated_pairs": PAIRS,
            "judged_effects_read_otherwise": unread,
            "bootstrap_draws": DRAWS,
            "bootstrap_seed": SEED,
        },
    }
    return report, tally.rows


def _rows(folder: Path, kind: str) -> Iterator[Row]:
    for path in sorted(folder.glob(f"{kind}_*.jsonl")) + sorted(folder.glob(f"{kind}.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


def _by_file(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["file"]].append(row)
    return found


def _digest(folder: Path) -> str:
    paths = sorted(folder.glob("*.jsonl"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


class _Reader:
    """Files by the name that labels give them, as the home holds them."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._held = {held.path: held for held in catalog.documents()}
        self.missing: set[str] = set()

    def held(self, file: str) -> Held | None:
        """The document read from that file, under whatever folder it was ingested from."""
        found = self._held.get(file) or next(
            (
                h
                for path, h in self._held.items()
                if path.endswith(f"/{file}") or file.endswith(f"/{path}")
            ),
            None,
        )
        if found is None:
            self.missing.add(file)
        return found

    def document(self, file: str) -> Document | None:
        held = self.held(file)
        if held is None:
            return None
        text, sections, pages = self._catalog.body(held.id)
        return Document(text, held.format, sections, pages, held.metadata)


# --- events -------------------------------------------------------------------------------------


def _score_events(
    file: str, labels: Sequence[Row], reader: _Reader, verdicts: dict[str, bool], tally: Tally
) -> None:
    document = reader.document(file)
    if document is None:
        return
    found = events(document)
    spans = [_span(document.text, label) for label in labels]
    for label, span in zip(labels, spans, strict=True):
        if not label.get("ambiguous"):
            hit = any(_matches(event, label, span, document.text) for event in found)
            tally.add(
                "event_recall", hit, label["event"], file=file, event=label["event"], date=label["date"],
                relative=label.get("relative"), sections=label["sections"], start=span[0] if span else None,
            )  # fmt: skip
    for event in found:
        right, why = _verdict(event, labels, spans, document.text, verdicts, file)
        row = _event_row(file, event, document.text)
        if right is None and why == "unjudged":
            tally.rows.append({"metric": "event_unjudged", "group": event.kind, **row})
            tally.points["event_unjudged"].append(0.0)
        elif right is not None:
            tally.add("event_precision", right, event.kind, why=why, **row)


def _span(text: str, label: Row) -> tuple[int, int] | None:
    """Where a label's passage stands: its quote, or its offsets where the text there is still what was hashed."""
    if "quote" in label:
        return find(text, label["quote"])
    start, end = label["start"], label["end"]
    return (start, end) if fingerprint(text[start:end]) == label["sha256"] else None


def _verdict(
    event: RuleEvent,
    labels: Sequence[Row],
    spans: Sequence[tuple[int, int] | None],
    text: str,
    verdicts: dict[str, bool],
    file: str,
) -> tuple[bool | None, str]:
    """Right, wrong or not to be judged; and on what it rests."""
    pairs = [(label, span) for label, span in zip(labels, spans, strict=True)]
    matched = [label for label, span in pairs if _matches(event, label, span, text)]
    if any(not label.get("ambiguous") for label in matched):
        return True, "labelled"
    if matched:
        return None, "ambiguous"
    read = verdicts.get(event_key(file, event, text))
    if read is not None:
        return read, "read"
    if any(span and _overlap(event, span) and not label.get("ambiguous") for label, span in pairs):
        return False, "a label of the passage says otherwise"
    return None, "unjudged"


def _score_silence(file: str, reader: _Reader, tally: Tally) -> None:
    document = reader.document(file)
    if document is None:
        return
    found = events(document)
    tally.add("silence", not found, "no events", file=file)
    for event in found:
        tally.add(
            "event_precision",
            False,
            event.kind,
            why="the document holds no event",
            **_event_row(file, event, document.text),
        )


def _overlap(event: RuleEvent, span: tuple[int, int]) -> bool:
    return event.start < span[1] and span[0] < event.end


def _matches(event: RuleEvent, label: Row, span: tuple[int, int] | None, text: str) -> bool:
    same_passage = span is not None and _overlap(event, span)
    named = label.get("sections_in_quote") or []
    return (
        event.kind == label["event"]
        and _same_day(event, label)
        and (
            _all_named(event, named)
            if same_passage and named
            else _same_rule(event, label["sections"])
        )
    )


def _all_named(event: RuleEvent, named: Sequence[str]) -> bool:
    """Every section that the quote itself names is among the event's, or is held by one of them."""
    return all(any(names.bears_on(said, wanted) for said in event.sections) for wanted in named)


def _same_rule(event: RuleEvent, sections: Sequence[str]) -> bool:
    if not sections or not event.sections:
        return True
    return bool(set(map(names.base, sections)) & set(map(names.base, event.sections)))


_NUMBERS = {
    w: str(n)
    for n, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
}
_AMOUNT = re.compile(r"(\d+)\s*(?:calendar |business )?(day|month|year)")
_MONTH = re.compile(r"(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*\.?,? (\d{4})")


def _same_day(event: RuleEvent, label: Row) -> bool:
    if label["date"]:
        return event.on is not None and event.on.isoformat() == label["date"]
    wanted = label.get("relative")
    if not wanted:
        return event.on is None or event.role is Role.ACTION
    if month := _MONTH.search(wanted):
        said = event.on.strftime("%b %Y") if event.on else event.relative or ""
        heard = _MONTH.search(said)
        return heard is not None and (heard[1].lower(), heard[2]) == (month[1].lower(), month[2])
    return event.on is None and _amount(wanted) == _amount(event.relative or "")


def _amount(words: str) -> tuple[str, str] | None:
    plain = re.sub(r"[a-z]+", lambda m: _NUMBERS.get(m[0], m[0]), words.lower())
    found = _AMOUNT.search(plain)
    return (found[1], found[2]) if found else None


def event_key(file: str, event: RuleEvent, text: str) -> str:
    """Names one extracted event for a verdict by reading: file, kind, day or wording, and the hash of its passage."""
    when = event.on.isoformat() if event.on else event.relative or ""
    return f"{file} {event.kind} {when} {fingerprint(text[event.start : event.end])[:16]}"


def _verdicts(path: Path) -> dict[str, bool]:
    if not path.is_file():
        return {}
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return {f"{r['file']} {r['event']} {r['when']} {r['sha256'][:16]}": r["right"] for r in rows}


def _event_row(file: str, event: RuleEvent, text: str) -> Row:
    return {
        "file": file,
        "event": str(event.kind),
        "when": event.on.isoformat() if event.on else event.relative or "",
        "sections": list(event.sections),
        "release": event.release,
        "about": str(event.about),
        "start": event.start,
        "end": event.end,
        "sha256": fingerprint(text[event.start : event.end]),
    }


def _bounds(judged: list[float], unjudged: list[float], draw: random.Random) -> Measures:
    share = [1.0] * len(judged) + [0.0] * len(unjudged)
    return {
        "event_precision_floor": interval(judged + unjudged, draw),
        "events_judged": interval(share, draw),
    }


# --- impacts ------------------------------------------------------------------------------------


def _score_impacts(file: str, labels: Sequence[Row], reader: _Reader, tally: Tally) -> None:
    """A labelled passage is read right where an impact overlapping it has its variable; a near-miss where none does."""
    document = reader.document(file)
    if document is None:
        return
    found = impacts(document)
    for label in labels:
        span = find(document.text, label["quote"])
        if span is None:
            reader.missing.add(f"{file}: {label['quote'][:40]}")
            continue
        over = [i for i in found if i.start < span[1] and span[0] < i.end]
        answers = [(label["variable"], label.get("direction"))]
        answers += [(also["variable"], also.get("direction")) for also in label.get("also", ())]
        group = f"impact {label['variable']}"
        row = {
            "file": file,
            "start": span[0],
            "found": [(str(i.variable), str(i.direction)) for i in over],
            "labels": answers,
        }
        if label["variable"] == "none":
            tally.add("impact_near_miss", not over, group, **row)
            tally.add("impact_variable", not over, group)
            continue
        named = [i for i in over if any(str(i.variable) == variable for variable, _ in answers)]
        tally.add("impact_variable", bool(named), group, **row)
        if named:
            tally.add("impact_direction", any(_says(i, answers) for i in named), group, **row)


def _says(impact: Impact, answers: Sequence[tuple[str, str | None]]) -> bool:
    return any(
        str(impact.variable) == variable
        and (direction is None or str(impact.direction) == direction)
        for variable, direction in answers
    )


def _score_read(catalog: Catalog) -> tuple[Measures, int]:
    """Shares of the newest draw of judged rows, of those that are still read so; how many are not."""
    rows = [json.loads(line) for line in IMPACTS_JUDGED.read_text("utf-8").splitlines()]
    newest = max(row["draw"] for row in rows)
    drawn = {_effect_key(r["sha256"], r["variable"], r["direction"]): r for r in rows if r["draw"] == newest}  # fmt: skip
    held = {document.path for document in catalog.documents()}
    drawn = {key: row for key, row in drawn.items() if row["file"] in held}
    stated = stated_in(catalog, catalog.documents()) if drawn else []
    keys = {_effect_key(fingerprint(s.impact.quote), s.impact.variable, s.impact.direction) for s in stated}  # fmt: skip
    judged = [row for key, row in drawn.items() if key in keys]
    verbatim = [
        catalog.text(s.held.id)[s.impact.start : s.impact.end] == s.impact.quote for s in stated
    ]
    measures: Measures = {
        "impact_read_variable": {**share(sum(r["variable_right"] for r in judged), len(judged))},
        "impact_read_direction": {**share(sum(r["direction_right"] for r in judged), len(judged))},
        "impact_verbatim": {**share(sum(verbatim), len(verbatim))},
    }
    found = {name: measure for name, measure in measures.items() if measure["n"]}
    return found, len(drawn) - len(judged)


def _effect_key(sha256: str, variable: str, direction: str) -> str:
    return f"{sha256[:16]} {variable} {direction}"


# --- states -------------------------------------------------------------------------------------

# Words for one and the same standing, as labels may put it.
_ALIKE = {
    "not_in_force": "removed", "repealed": "removed", "rescinded": "removed", "exempt": "exempted",
    "stayed_in_part": "stayed", "sunset": "expired",
}  # fmt: skip
_BINDING = {"in_force", "effective_not_compliance", "rescission_proposed"}


def _score_state(row: Row, book: Book, catalog: Catalog, tally: Tally) -> None:
    began = perf_counter()
    found = state(book, row["section"], end_of_day(date.fromisoformat(row["as_of"])))
    milliseconds = (perf_counter() - began) * 1000
    wanted = _ALIKE.get(row["state"], row["state"])
    right = str(found.standing) == wanted
    leaks = _leaks(found, row, catalog)
    tally.add(
        "asof_accuracy", right, f"asof {wanted}", section=row["section"], as_of=row["as_of"], wanted=wanted,
        got=str(found.standing), lines=[line.text for line in found.lines], ms=round(milliseconds, 2),
    )  # fmt: skip
    tally.add("asof_leak", leaks, f"asof {wanted}")
    overstated = str(found.standing) in _BINDING and wanted not in _BINDING
    tally.add("anachronism_rate", leaks or overstated, f"asof {wanted}")


def _leaks(found: State, row: Row, catalog: Catalog) -> bool:
    """Whether a line rests on what was not known, or on the passage that the label names as later."""
    late = any(known.known_at > found.as_of for known in found.basis)
    words = row.get("later_quote")
    if not words:
        return late
    quotes = (catalog.text(k.held.id)[k.event.start : k.event.end] for k in found.basis)
    return late or any(_plain(words) in _plain(quote) for quote in quotes)


def _plain(words: str) -> str:
    return re.sub(r"\W+", "", words).lower()


def _score_pairs(book: Book, tally: Tally) -> None:
    """Generated (section, day) pairs: a state must rest on what was known, and be the one that the past alone gives."""
    draw = random.Random(SEED)
    sections = sorted({s for known in book.events for s in known.event.sections})
    moments = sorted(known.known_at for known in book.events)
    first, last = moments[0].date(), moments[-1].date()
    for _ in range(PAIRS):
        day = date.fromordinal(draw.randint(first.toordinal(), last.toordinal()))
        as_of, section = end_of_day(day), draw.choice(sections)
        found = state(book, section, as_of)
        past = Book(
            tuple(k for k in book.events if k.known_at <= as_of),
            tuple(h for h in book.documents if h.known_at <= as_of),
            book.known,
            {r: p for r, p in book.printed.items() if p.known_at <= as_of},
            tuple(x for x in book.overlay if x.known_on <= day),
            book.through,
            book.redesignated_at,
            {r: told for r, told in book.signed.items() if told[1] <= as_of},
            book.files,
        )
        alone = state(past, section, as_of)
        late = any(known.known_at > as_of for known in found.basis)
        same = (found.standing, found.lines, found.with_file) == (
            alone.standing,
            alone.lines,
            alone.with_file,
        )
        tally.add("pairs_anachronism", late or not same, "generated pairs")


# --- the command --------------------------------------------------------------------------------


@regtape_command(
    "rules",
    short_help="Rule events, effects and states against labels.",
    examples=(
        'regtape eval rules "$REGTAPE_DATA/rulebook"',
        'regtape eval rules "$REGTAPE_DATA/rulebook" --rows rows.jsonl --json',
    ),
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write every verdict here, one JSON line each: facts, offsets and hashes, no text.",
)  # fmt: skip
@click.option(
    "--judged", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=JUDGED,
    help="Verdicts by reading on events that no label speaks of.",
)  # fmt: skip
def command(folder: Path, rows: Path | None, judged: Path) -> int:
    """Score what is read of rules out of the documents ingested against the labels in FOLDER."""
    chosen = settings()
    from api.services import open_catalog

    with open_catalog(chosen) as catalog:
        report, verdicts = evaluate(folder, catalog, judged)
    if rows is not None:
        lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in verdicts)
        rows.write_text("".join(lines), encoding="utf-8")
    if missing := report["settings"]["not_held"]:
        note(
            f"{len(missing)} labelled documents are not held, so not scored; the first: {missing[0]}"
        )
    if wants_json():
        print_json(report)
    else:
        click.echo(_table(report))
    return DONE if report["metrics"] else NOTHING


def _table(report: Row) -> str:
    """One line a metric: value, 95 % interval, n; over all first, then by group."""
    blocks = {f"{report['dataset']}, {report['n']} labels": report["metrics"]} | report["groups"]
    return "\n\n".join(
        "\n".join([title, *(_line(name, measure) for name, measure in measures.items())])
        for title, measures in blocks.items()
    )


def _line(name: str, measure: Measure) -> str:
    if measure["value"] is None:
        return f"  {name:<24}     none"
    return f"  {name:<24}{measure['value']:>9.3f}  [{measure['low']:.3f}, {measure['high']:.3f}]  n={measure['n']}"
