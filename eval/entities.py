"""Labelled news and a resolver in, how well companies are found out: `regtape eval entities`.

No set labels what we look for, so each is read for what it can tell, and what it cannot is said:

reuters         the title and opening of an article; labelled are the US Reuters codes of the whole article. A company without
                a code in it is not labelled, and a code may stand in the part that is not held: precision and recall are
                both too low. Companies that have a foreign code never count. "J", "U" and "N" are struck out: they were
                read from "J.P.", "U.N." and the like.
reuters_named   the same openings with every code taken out; sought are the companies whose codes those were, foreign ones
                too: what is found by name alone. Few companies are named without a code, so precision is a little too low.
reuters_words   the same, counting only companies whose name is also a word or a person's: the hard ones.
tfns_named      tweets with cashtags taken out; sought are the cashtags' companies as far as the table has them. Many tweets
                do not name the company at all, so recall is too low; a broker that rates another company is not labelled.
finentity       newswire passages with marked names. Precision: the share of the names found that lie in a mark.
sentfin         Indian headlines with marked names. Precision alike: US names are few, so this shows what is found by mistake.

relevance_auc is the chance that of two companies found in one item, one labelled and one not, the labelled one has the higher
relevance. Half of each set, by hash, was tuned on; `--half held` is the other.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
import numpy as np

from api.console import DONE, print_json, regtape_command, wants_json
from api.console import progress as show_progress
from eval.scoring import DRAWS, SEED, Measure, Measures
from ingest.errors import BadRequest
from ingest.moment import parse_moment
from sentiment.aliases import PACKAGED, Kind, read_aliases
from sentiment.entities import UNKNOWN, Mention, Resolver, open_resolver

HALVES = ("tune", "held", "all")

# When the undated sets were written.
_TWEETS = datetime(2019, 12, 6, tzinfo=UTC)
_PASSAGES = datetime(2022, 9, 15, tzinfo=UTC)
_HEADLINES = datetime(2015, 6, 1, tzinfo=UTC)

_NO_CODES = frozenset("J U N".split())
_CODE = re.compile(
    r"\s?(?:[(<]\s*[A-Za-z0-9_]+\.[A-Z]{1,2}(?:\^[A-Z]\d\d)?\s*[)>]|\b[A-Z0-9]{2,6}[a-z]{0,2}\.[A-Z]{1,2}(?![\w.]))"
)
_CASHTAG = re.compile(r"\$[A-Za-z]{1,5}(?:\.[A-Z])?\b")


@dataclass(frozen=True, slots=True)
class Item:
    """What is looked through, and what is known to be there: symbols, or spans of the body (`marks`)."""

    id: str
    headline: str
    body: str
    as_of: datetime
    symbols: frozenset[str] = frozenset()
    marks: tuple[tuple[int, int], ...] | None = None
    only: frozenset[str] | None = None  # entities that count; the others may lack a label


class Outcome(NamedTuple):
    """Of one item: found and right, found and not labelled, labelled and not found; pairs for relevance_auc: won of all."""

    right: int
    wrong: int
    missed: int
    won: float
    pairs: int


@dataclass(slots=True)
class Group:
    """All outcomes of a set, and the seconds that finding took."""

    outcomes: list[Outcome] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def reuters(data: Path) -> Iterator[Item]:
    """Openings as they are, with the codes of the whole article."""
    us = of_kind(Kind.TICKER) - of_kind(Kind.RIC)
    for row in _reuters(data):
        labels = frozenset(row["us_rics"]) - _NO_CODES
        yield Item(row["id"], row["title"], row["lede"], _when(row), labels, only=us)


def reuters_named(data: Path) -> Iterator[Item]:
    """Openings without their codes, with the codes that stood there, foreign ones included."""
    for row in _reuters(data):
        codes = frozenset(code.strip(" (<)>") for code in _CODE.findall(row["lede"]))
        if codes:
            text = _CODE.sub("", row["lede"])
            yield Item(row["id"], row["title"], text, _when(row), codes)


def tfns_named(data: Path) -> Iterator[Item]:
    """Tweets without their cashtags."""
    for row in _lines(data / "sentiment/tfns/train.jsonl"):
        tags = frozenset(tag[1:].upper() for tag in _CASHTAG.findall(row["text"]))
        if tags:
            text = re.sub(r"https?://\S+", "", _CASHTAG.sub("", row["text"]))
            yield Item(row["text"], text, "", _TWEETS, tags)


def finentity(data: Path) -> Iterator[Item]:
    """Passages with marks."""
    path = data / "sentiment/finentity/FinEntity.json"
    for row in json.loads(path.read_text(encoding="utf-8", errors="replace")):
        marks = tuple((mark["start"], mark["end"]) for mark in row["annotations"])
        yield Item(row["content"], "", row["content"], _PASSAGES, marks=marks)


def sentfin(data: Path) -> Iterator[Item]:
    """Headlines with the places of their targets."""
    for row in _lines(data / "sentiment/sentfin/train.jsonl"):
        text = row["text"]
        marks = tuple(
            place.span()
            for target in row["targets"]
            for place in re.finditer(re.escape(target["target"]), text)
        )
        yield Item(text, "", text, _HEADLINES, marks=marks)


def reuters_words(data: Path) -> Iterator[Item]:
    """Openings without their codes, for companies whose name is a word too."""
    words = of_kind(Kind.SHORT)
    return (replace(item, only=words) for item in reuters_named(data))


SETS: dict[str, Callable[[Path], Iterator[Item]]] = {
    "reuters": reuters,
    "reuters_named": reuters_named,
    "reuters_words": reuters_words,
    "tfns_named": tfns_named,
    "finentity": finentity,
    "sentfin": sentfin,
}


def evaluate(
    data: Path,
    resolver: Resolver,
    sets: Sequence[str] = tuple(SETS),
    half: str = "held",
    rows: Path | None = None,
    progress: Callable[[int, str], None] = lambda done, name: None,
) -> dict[str, object]:
    """Find the companies of each item and compare with its labels.

    rows      receives one JSON line for each item with something wrong or missed
    progress  is told (items done, set)

    Returns {"task", "dataset", "n", "metrics", "groups": {set: metrics}, "settings"}; precision, recall, f1 and relevance_auc
    with intervals from a bootstrap over items; per_second is over items, of finding alone.
    """
    groups: dict[str, Measures] = {}
    everything = Group()
    lines: list[str] = []
    for name in sets:
        group = Group()
        for item in of_half(_items(name, data), half):
            began = perf_counter()
            mentions = resolver.find(item.headline, item.body, (), item.as_of)
            group.seconds.append(perf_counter() - began)
            outcome, wrong, missed = compare(item, mentions, resolver)
            group.outcomes.append(outcome)
            if rows is not None and (wrong or missed):
                lines.append(_row(name, item, wrong, missed))
            progress(len(group.outcomes), name)
        groups[name] = measures(group)
        everything.outcomes += group.outcomes
        everything.seconds += group.seconds
    if rows is not None:
        rows.write_text("".join(lines), encoding="utf-8")
    return {
        "task": "entities",
        "dataset": ", ".join(sets),
        "n": len(everything.outcomes),
        "metrics": {"per_second": _per_second(everything.seconds)},
        "groups": groups,
        "settings": {"half": half, "bootstrap_draws": DRAWS, "bootstrap_seed": SEED},
    }


def of_half(items: Iterable[Item], half: str) -> Iterator[Item]:
    """The items of one half, by the hash of their ids; of `all`, each."""
    for item in items:
        if half == "all" or (sha256(item.id.encode()).digest()[0] % 2 == 0) == (half == "tune"):
            yield item


def compare(
    item: Item, mentions: Sequence[Mention], resolver: Resolver
) -> tuple[Outcome, list[str], list[str]]:
    """One item's outcome, what was found and not labelled, and what was labelled and not found.

    Against symbols, entities are compared, so that two classes of one company's shares are one; what the table does not
    hold that day is left out on both sides. Against marks, spans are compared.
    """
    counts = _counting(item)
    held = [mention for mention in mentions if counts(mention)]
    if item.marks is not None:
        spans = [
            (start, end)
            for mention in held
            for _, start, end in mention.spans
            if not _CODE.fullmatch(item.body, start, end)  # stands beside the name that is marked
        ]
        wrong_spans = [span for span in spans if not _overlaps(span, item.marks)]
        missed = [item.body[a:b] for a, b in item.marks if not _overlaps((a, b), spans)]
        outcome = Outcome(len(spans) - len(wrong_spans), len(wrong_spans), len(missed), 0.0, 0)
        return outcome, [item.body[a:b] for a, b in wrong_spans], missed
    asked = resolver.find("", "", sorted(item.symbols), item.as_of)
    wanted = {each.entity: each.symbol for each in asked if counts(each)}
    right = [mention for mention in held if mention.entity in wanted]
    wrong = [mention for mention in held if mention.entity not in wanted]
    missing = wanted.keys() - {mention.entity for mention in right}
    duels = [
        0.5 if one.relevance == other.relevance else float(one.relevance > other.relevance)
        for one, other in product(right, wrong)
    ]
    outcome = Outcome(len(right), len(wrong), len(missing), sum(duels), len(duels))
    return (
        outcome,
        [f"{mention.symbol} {_first_words(item, mention)}" for mention in wrong],
        sorted(wanted[entity] for entity in missing),
    )


def _counting(item: Item) -> Callable[[Mention], bool]:
    def counts(mention: Mention) -> bool:
        if mention.entity.startswith(UNKNOWN):
            return False
        return item.only is None or mention.entity in item.only

    return counts


@cache
def of_kind(kind: Kind) -> frozenset[str]:
    """The entities of the packaged table that have a row of this kind."""
    return frozenset(row.entity for row in read_aliases(PACKAGED) if row.kind is kind)


def measures(group: Group) -> Measures:
    """Micro-averaged precision, recall, f1 and relevance_auc with 95 % intervals; what nothing tells of is None."""
    counts = np.array(group.outcomes, dtype=np.float64).reshape(-1, len(Outcome._fields))
    draw = np.random.default_rng(SEED)
    draws = (
        np.array(
            [
                np.bincount(draw.integers(0, len(counts), len(counts)), minlength=len(counts))
                @ counts
                for _ in range(DRAWS)
            ]
        )
        if len(counts)
        else counts
    )
    total = counts.sum(axis=0)
    right, wrong, missed, won, pairs = range(5)
    ratios: dict[str, tuple[Sequence[int], Sequence[int], float]] = {
        "precision": ((right,), (right, wrong), total[right] + total[wrong]),
        "recall": ((right,), (right, missed), total[right] + total[missed]),
        "f1": ((right, right), (right, right, wrong, missed), total[[right, wrong, missed]].sum()),
        "relevance_auc": ((won,), (pairs,), total[pairs]),
    }
    found: Measures = {
        name: _ratio(total, draws, above, below, int(n))
        for name, (above, below, n) in ratios.items()
    }
    return found | {"per_second": _per_second(group.seconds)}


def _ratio(
    total: "np.ndarray[Any, np.dtype[np.float64]]",
    draws: "np.ndarray[Any, np.dtype[np.float64]]",
    above: Sequence[int],
    below: Sequence[int],
    n: int,
) -> Measure:
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0}
    parts = draws[:, list(below)].sum(axis=1)
    drawn = draws[parts > 0][:, list(above)].sum(axis=1) / parts[parts > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    value = total[list(above)].sum() / total[list(below)].sum()
    return {"value": float(value), "low": float(low), "high": float(high), "n": n}


def _per_second(seconds: Sequence[float]) -> Measure:
    """Items a second, with the interval of the mean by its standard error: many items, and no draws of them."""
    if len(seconds) < 2:
        return {"value": None, "low": None, "high": None, "n": len(seconds)}
    mean = float(np.mean(seconds))
    margin = 1.96 * float(np.std(seconds, ddof=1)) / len(seconds) ** 0.5
    slow, fast = 1 / (mean + margin), 1 / max(mean - margin, mean / 10)
    return {"value": 1 / mean, "low": slow, "high": fast, "n": len(seconds)}


def _overlaps(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)


def _first_words(item: Item, mention: Mention) -> str:
    for part, start, end in mention.spans:
        text = item.headline if part == "headline" else item.body
        return f"«{text[max(0, start - 30) : start]}[{text[start:end]}]{text[end : end + 30]}»"
    return ""


def _row(name: str, item: Item, wrong: Sequence[str], missed: Sequence[str]) -> str:
    row = {
        "set": name,
        "as_of": item.as_of.date().isoformat(),
        "headline": item.headline,
        "body": item.body,
        "wrong": wrong,
        "missed": missed,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _items(name: str, data: Path) -> Iterator[Item]:
    try:
        read = SETS[name]
    except KeyError:
        raise BadRequest(f"no set {name!r}; there are {', '.join(SETS)}") from None
    try:
        yield from read(data)
    except FileNotFoundError as exc:
        raise BadRequest(f"the data in {data} lacks {exc.filename}") from None


def _reuters(data: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(data / "news/reuters_2006_2013.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _when(row: dict[str, Any]) -> datetime:
    day = row["dir"]
    return parse_moment(row["ts_utc"] or f"{day[:4]}-{day[4:6]}-{day[6:]}")


@regtape_command(
    "entities",
    short_help="Companies found in news, against labelled news.",
    examples=(
        'regtape eval entities --data "$REGTAPE_DATA"',
        "regtape eval entities tfns_named --half all --rows wrong.jsonl --json",
    ),
)
@click.argument("sets", nargs=-1, metavar="[SET]...")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="REGTAPE_DATA",
    required=True, help="The folder with the labelled sets. Default: REGTAPE_DATA.",
)  # fmt: skip
@click.option(
    "--half", type=click.Choice(HALVES), default="held", show_default=True,
    help="The half by hash: the one rules were tuned on, or the other.",
)  # fmt: skip
@click.option(
    "--aliases", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table of aliases laid over the packaged one.",
)  # fmt: skip
@click.option(
    "--rows", type=click.Path(dir_okay=False, path_type=Path),
    help="Write items with something wrong or missed here, one JSON line each.",
)  # fmt: skip
def command(
    sets: tuple[str, ...], data: Path, half: str, aliases: Path | None, rows: Path | None
) -> int:
    """Find the companies of labelled news and say how many were right; SETs: all, or some of them."""
    with show_progress("finding", "items") as tell:
        report = evaluate(
            data,
            open_resolver(aliases),
            sets or tuple(SETS),
            half,
            rows,
            progress=lambda done, name: tell(done, None, name),
        )
    if wants_json():
        print_json(report)
    else:
        click.echo(_table(report))
    return DONE


def _table(report: dict[str, Any]) -> str:
    """One line a metric: value, 95 % interval, n; set by set."""
    return "\n\n".join(
        "\n".join([title, *(_line(name, measure) for name, measure in measured.items())])
        for title, measured in report["groups"].items()
    )


def _line(name: str, measure: Measure) -> str:
    if measure["value"] is None:
        return f"  {name:<16}     none"
    return (
        f"  {name:<16}{measure['value']:>9.3f}"
        f"  [{measure['low']:.3f}, {measure['high']:.3f}]  n={measure['n']}"
    )
