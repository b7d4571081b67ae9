"""Symbols and moments in, rolling features of their news out: to read, to keep, to draw, and to check what was served."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.console import (
    DONE,
    FAILED,
    NOTHING,
    as_of_option,
    console,
    print_json,
    progress,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import BadRequest, NotKnown

if TYPE_CHECKING:
    from sentiment.read import Asked, Reader, Vector
    from sentiment.receipt import Outcome, Receipt, Verdict
    from sentiment.replay import Recorded, Replayed

_STDIN = "-"
_STEPS = ("1s", "10s", "1m", "5m", "15m", "30m", "1h", "1d")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.group("features", short_help="Rolling features of news: list, get, export, plot, verify.")
def command() -> None:
    """Read what news says of a company as numbers, as of any instant.

    A value is what was known then: nothing that became known later, no correction, no score, changes it. Where there is
    nothing it is null, never 0. Each read has a receipt from which the same values can be computed again.
    """


# ---- what several of them take


def _which_features(function: Callable[..., Any]) -> Callable[..., Any]:
    """--names or --set; the command takes them as `names` and `feature_set`."""
    options = (
        click.option("--names", metavar="A,B", help="These features, e.g. sentiment_mean_1d,buzz_1d."),
        click.option("--set", "feature_set", metavar="NAME", help="A named set: core50, the default, or all."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _which_scores(function: Callable[..., Any]) -> Callable[..., Any]:
    """--view, --latency and --model; the command takes them as **scores, for `_asked`."""
    options = (
        click.option(
            "--view", default="known", show_default=True, metavar="VIEW",
            help="known: as it was. latest: corrections applied where the item came. as-if:MODEL: as if that model had been"
            " there throughout.",
        ),
        click.option(
            "--latency", type=click.FloatRange(0, 86_400), default=0.0, metavar="SECONDS",
            help="With as-if: how long that model would have taken for an item.",
        ),
        click.option("--model", metavar="NAME", help="Only scores of this model, or of this exact version."),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


def _asked(
    names: str | None, feature_set: str | None, view: str, latency: float, model: str | None
) -> "Asked":
    kind, _, present = view.partition(":")
    if kind not in ("known", "latest", "as-if") or (kind == "as-if") != bool(present):
        raise BadRequest(
            f"--view {view!r} is none; write known, latest or as-if:MODEL, e.g. as-if:finbert"
        )
    if present and model not in (None, present):
        raise BadRequest(f"--view {view} and --model {model} name two models")
    return {
        "names": None if names is None else _listed(names),
        "feature_set": feature_set,
        "view": kind.replace("-", "_"),
        "model": present or model,
        "latency": round(latency * 1_000_000),
    }


def _listed(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


@contextmanager
def _reader() -> Iterator["Reader"]:
    chosen = settings()
    from api.services import open_reader, open_tape

    with open_tape(chosen) as tape:
        yield open_reader(chosen, tape)


def _period(first: datetime, last: datetime) -> tuple[int, int]:
    """µs of whole days in New York, up to now."""
    from ingest.moment import NEW_YORK, end_of_day, now, to_micros

    if last < first:
        raise BadRequest(f"--to {last:%Y-%m-%d} is before --from {first:%Y-%m-%d}")
    start = first.replace(tzinfo=NEW_YORK)
    return to_micros(start), to_micros(min(end_of_day(last.date()), now()))


_from = click.option(
    "--from",
    "first",
    type=_DAY,
    required=True,
    metavar="DAY",
    help="The first day, e.g. 2008-01-02.",
)
_to = click.option("--to", "last", type=_DAY, required=True, metavar="DAY", help="The last day, included.")  # fmt: skip


# ---- list


@regtape_command(
    "list",
    short_help="Every feature: what it means, its unit, what null means.",
    examples=(
        "regtape features list",
        "regtape features list --set core50",
        "regtape features list --json",
    ),
)
@click.option(
    "--set", "feature_set", metavar="NAME", help="Only the features of this set, one by one."
)
def list_(feature_set: str | None) -> int:
    """Print the catalogue by scope; without --set, features that differ in their window alone share a line (W is the window)."""
    from sentiment.features import FEATURES, fingerprint, select

    chosen = FEATURES.values() if feature_set is None else select(None, feature_set)
    if wants_json():
        from api.feature_forms import catalogue

        whole = json.loads(catalogue())
        names = {feature.name for feature in chosen}
        whole["features"] = [each for each in whole["features"] if each["name"] in names]
        print_json(whole)
        return DONE
    from api.feature_tables import show_catalogue

    show_catalogue(tuple(chosen), fingerprint(), console(), together=feature_set is None)
    return DONE


# ---- get


@regtape_command(
    "get",
    short_help="Features of symbols as of an instant.",
    examples=(
        "regtape features get BAC AIG --as-of 2008-09-15T10:30:00-04:00",
        "regtape features get AAPL --names sentiment_mean_1d,buzz_1d --json",
        "regtape features get AAPL --receipt > receipt.json",
        "regtape features get BRK.B --view as-if:finbert --latency 0.5 --as-of 2010-05-06",
    ),
)
@click.argument("symbols", nargs=-1, required=True, metavar="SYMBOL...")
@as_of_option
@_which_features
@_which_scores
@click.option(
    "--receipt",
    "receipts",
    is_flag=True,
    help="Print receipts alone, one a line, for `features verify`.",
)
def get(
    symbols: Sequence[str],
    as_of: datetime | None,
    names: str | None,
    feature_set: str | None,
    receipts: bool,
    **scores: Any,
) -> int:
    """Print the features of each SYMBOL, a ticker as of that day: FB before 9 June 2022, META since.

    A value marked * is stale: an item had waited for its score for more than a minute. Exit code 3 when no symbol is known.
    """
    asked = _asked(names, feature_set, **scores)
    with _reader() as reader:
        vectors = reader.vectors(symbols, as_of=as_of, **asked)
    if receipts:
        for vector in vectors:
            click.echo(vector.receipt.line())
    elif wants_json():
        from api.feature_forms import vectors_json

        print_json(json.loads(vectors_json(vectors)))
    else:
        from api.feature_tables import show_vectors

        show_vectors(vectors, console())
    return DONE if any(_is_known(vector) for vector in vectors) else NOTHING


def _is_known(vector: "Vector") -> bool:
    return "UNKNOWN_SYMBOL" not in vector.status.values()


# ---- export


@regtape_command(
    "export",
    short_help="Features over a period, as Parquet by day.",
    examples=(
        "regtape features export --symbols BAC,AIG --from 2008-09-01 --to 2008-09-30 --every 1m --out features",
        "regtape features export --symbols AAPL --from 2013-01-02 --to 2013-06-28 --every 5m --set all --out all",
    ),
)
@click.option(
    "--symbols", required=True, metavar="A,B", help="Tickers, each as of the day that is written."
)
@_from
@_to
@click.option(
    "--every", type=click.Choice(_STEPS), default="1m", show_default=True,
    help="The step of the grid, from each open of the New York Stock Exchange to its close.",
)  # fmt: skip
@click.option(
    "--whole-day", is_flag=True, help="The grid goes over all 24 hours in New York, every day."
)
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Where DAY.parquet go; a folder for each export.",
)  # fmt: skip
@_which_features
@_which_scores
def export(
    symbols: str,
    first: datetime,
    last: datetime,
    every: str,
    whole_day: bool,
    out: Path,
    names: str | None,
    feature_set: str | None,
    **scores: Any,
) -> int:
    """Write a file for each day: symbol, as_of, the features (null where there is nothing), known_at and marks.

    Stopped, the same command goes on: at the state of the log that it began with, and days that are written stay. DuckDB joins
    the files onto rows of (symbol, time), never seeing the future:

    \b
      SELECT * FROM snapshots s ASOF LEFT JOIN read_parquet('FOLDER/*.parquet') f
        ON s.symbol = f.symbol AND s.time >= f.as_of

    Exit code 3 when no day in the period had ended.
    """
    from sentiment.export import STEPS, Exported
    from sentiment.export import export as written

    asked = _asked(names, feature_set, **scores)
    _period(first, last)
    with _reader() as reader, progress("export", "days") as tell:

        def told(at: Exported) -> None:
            tell(at.written + at.skipped, at.days, f"{at.rows} rows")

        done = written(
            reader, out, _listed(symbols), first.date(), last.date(), STEPS[every],
            whole_day=whole_day, progress=told, **asked,
        )  # fmt: skip
    if wants_json():
        print_json({name: getattr(done, name) for name in ("days", "written", "skipped", "rows")})
    else:
        there = f", {done.skipped} were there" if done.skipped else ""
        click.echo(f"{done.written} days written to {out} ({done.rows} rows){there}")
    return DONE


# ---- plot


@regtape_command(
    "plot",
    short_help="A chart of price, sentiment and buzz.",
    examples=(
        "regtape features plot BAC --from 2008-01-02 --to 2009-12-31 --prices bac.zip --out bac.png",
        "regtape features plot AAPL --from 2013-10-07 --to 2013-10-11 --out aapl.svg",
    ),
)
@click.argument("symbol")
@_from
@_to
@click.option(
    "--prices", type=click.Path(path_type=Path), metavar="FILE|FOLDER",
    help="A CSV with time,price (times with their zone), or LEAN bars: hour/bac.zip or the folder above. Default: no prices.",
)  # fmt: skip
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Where the chart goes; .png, .svg or .pdf.",
)  # fmt: skip
@_which_scores
def plot(
    symbol: str,
    first: datetime,
    last: datetime,
    prices: Path | None,
    out: Path,
    **scores: Any,
) -> int:
    """Draw the sentiment and the buzz of SYMBOL as they were known at each instant, under its price.

    Exit code 3 when nothing about SYMBOL is known in the period.
    """
    asked = _asked(None, None, **scores)
    span = _period(first, last)
    from api.plot import plot as drawn
    from api.plot import read_prices

    known = None if prices is None else read_prices(prices, symbol)
    with _reader() as reader:
        matrix = drawn(reader, symbol, *span, out, known, **asked)
    if wants_json():
        print_json({"out": str(out), "instants": len(matrix.instants), "offset": matrix.offset})
    else:
        click.echo(f"{out}: {symbol} at {len(matrix.instants)} instants")
    return DONE


# ---- verify and replay


@regtape_command(
    "verify",
    short_help="Compute served values again from their receipt.",
    examples=(
        "regtape features get AAPL --receipt | regtape features verify -",
        "regtape features verify receipt.json",
    ),
)
@click.argument("receipt", metavar="RECEIPT|FILE|-")
def verify(receipt: str) -> int:
    """Check receipts: typed as they are, or of a file with one a line, or what `features get --json` or the server answered.

    MATCH: the tape gives the same values to the bit. MISMATCH: it does not; the first feature that differs is named where the
    values came with the receipt. NOT_THIS_TAPE: the records before its offset are others. EXPIRED: this program defines its
    features otherwise. Exit code 1 with a MISMATCH, else 3 with another that is not a MATCH.
    """
    from sentiment.replay import verify as verified

    recorded = list(_receipts(receipt))
    if not recorded:
        raise NotKnown("there is no receipt in it")
    with _reader() as reader:
        verdicts = [(one.receipt, verified(reader, one)) for one in recorded]
    if wants_json():
        rows = [{"receipt": r.fields(), **_told(v)} for r, v in verdicts]
        print_json({"verdicts": rows})
    else:
        for one, verdict in verdicts:
            click.echo(f"{verdict.outcome}  {_about(one)}" + _because(verdict.reason))
    return _code({verdict.outcome for _, verdict in verdicts})


@regtape_command(
    "replay",
    short_help="Compute all recorded vectors again and count what differs.",
    examples=(
        "regtape features replay reads.jsonl",
        "regtape features replay ~/.local/share/regtape/reads --json",
    ),
)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE|FOLDER..."
)
def replay(files: Sequence[Path]) -> int:
    """Check every vector that a server recorded: of files with one {"receipt": …, "values": …} a line, or folders of them.

    Exit code 1 when values differ, else 3 when some could not be compared, or there are none.
    """
    from sentiment.replay import replay as replayed

    with _reader() as reader, progress("replay", "vectors") as tell:

        def told(at: "Replayed") -> None:
            tell(at.vectors, None, f"{at.values} values")

        done = replayed(reader, _recorded_in(files), told)
    if not done.vectors:
        raise NotKnown("there is no recorded vector in it")
    outcomes = {str(outcome): count for outcome, count in done.outcomes.items()}
    if wants_json():
        different = [{"receipt": r.fields(), **_told(v)} for r, v in done.different]
        print_json(
            {
                "vectors": done.vectors,
                "values": done.values,
                "outcomes": outcomes,
                "different": different,
            }
        )
    else:
        counted = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        click.echo(f"{done.vectors} vectors, {done.values} values: {counted}")
        for one, verdict in done.different:
            click.echo(f"{verdict.outcome}  {_about(one)}" + _because(verdict.reason))
    return _code(set(done.outcomes))


def _receipts(given: str) -> Iterator["Recorded"]:
    """What was typed, what a file holds, or what comes in: one object, or one a line."""
    if given.lstrip().startswith("{"):
        name, text = "the receipt", given
    elif given == _STDIN:
        name, text = "standard input", sys.stdin.read()
    else:
        path = Path(given)
        if not path.is_file():
            raise NotKnown(f"there is no file {given}")
        name, text = path.name, path.read_text("utf-8")
    try:
        found = [json.loads(text)]
    except ValueError:
        yield from _of_lines(name, text.splitlines())
        return
    for each in found[0].get("vectors", found) if isinstance(found[0], dict) else found:
        yield _recorded(each, name)


def _recorded_in(files: Iterable[Path]) -> Iterator["Recorded"]:
    for given in files:
        if not given.exists():
            raise NotKnown(f"there is no file {given}")
        for path in sorted(given.glob("*.jsonl")) if given.is_dir() else [given]:
            with path.open(encoding="utf-8") as lines:
                yield from _of_lines(path.name, lines)


def _of_lines(name: str, lines: Iterable[str]) -> Iterator["Recorded"]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found = json.loads(line)
            except ValueError as exc:
                raise BadRequest(f"{name}, line {number}, is not JSON: {exc}") from None
            yield _recorded(found, f"{name}, line {number}")


def _recorded(found: Any, where: str) -> "Recorded":
    """A receipt, or an object that has one beside its values."""
    from sentiment.receipt import receipt_of
    from sentiment.replay import Recorded

    values = None
    if isinstance(found, Mapping) and "receipt" in found:
        found, values = found["receipt"], found.get("values")
        if values is not None and not isinstance(values, Mapping):
            raise BadRequest(f"{where}: values is not an object")
    try:
        return Recorded(receipt_of(found), values)
    except BadRequest as exc:
        raise BadRequest(f"{where}: {exc}") from None


def _about(receipt: "Receipt") -> str:
    from ingest.moment import from_micros

    return f"{receipt.symbol} as of {from_micros(receipt.as_of).isoformat()} at offset {receipt.offset}"


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _told(verdict: "Verdict") -> dict[str, Any]:
    names = ("outcome", "reason", "name", "served", "computed")
    return {name: getattr(verdict, name) for name in names}


def _code(outcomes: set["Outcome"]) -> int:
    if "MISMATCH" in outcomes:
        return FAILED
    return DONE if outcomes == {"MATCH"} else NOTHING


for each in (list_, get, export, plot, replay, verify):
    command.add_command(each)
