"""News rows in, a log of what was known when out; what waits in the log in, scores out; and the newest of both to read."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from api.console import (
    DONE,
    FAILED,
    NOTHING,
    as_of_option,
    console,
    note,
    print_json,
    progress,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.schemas import News
    from api.services import Scoring
    from api.settings import Settings
    from ingest.news import Format, Reading, Rejected
    from sentiment.log import Tape
    from sentiment.stream import Added, Scored

_REUTERS = (
    "regtape news score reuters_2006_2013.jsonl.gz --backfill --set source=reuters --set precision=minute"
    " --map headline=title --map body=lede --map symbols=us_rics --map published_at=ts_utc"
)
_STDIN = "-"
_REJECTS_SHOWN = 20


@click.group("news", short_help="The news tape: log, score, read.")
def command() -> None:
    """Log news, score what was logged, and read both.

    Logging and scoring are two steps that never wait for each other. An item is safe as soon as it is logged; its score
    is a record of its own, made by `news score` or by a running `serve`, and can be used from then on.
    """


# ---- add and score


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How a file of news is read; the command takes them as **how."""
    options = (
        click.option(
            "--format", "form", type=click.Choice(["jsonl", "csv"]),
            help="What FILE holds. Default: by its ending; jsonl for -.",
        ),
        click.option(
            "--map", "fields", multiple=True, metavar="OURS=THEIRS",
            help="Read our field from a column of another name, e.g. headline=title. Once for each.",
        ),
        click.option(
            "--set", "constants", multiple=True, metavar="OURS=VALUE",
            help="The same value for every row, e.g. source=reuters. Once for each.",
        ),
        click.option(
            "--zone", metavar="NAME",
            help="Time zone of stamps that state none, e.g. America/New_York. Without it such rows are rejected.",
        ),
        click.option(
            "--backfill", is_flag=True,
            help="These rows are history: each counts as known from the moment it was public (the instant of its stamp, "
            "or the end of the minute or day that the stamp states) and is marked as backfilled. Without it, rows "
            "count as known from now on, whatever their stamps say.",
        ),
        click.option(
            "--rejects", "rejects_to", type=click.Path(dir_okay=False, path_type=Path), metavar="PATH",
            help="Keep rows that fail here. Default: FILE.rejects.jsonl beside FILE, else in the home directory.",
        ),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


model_option = click.option(
    "--model", metavar="NAME",
    help="Which scorer: finbert, finbert-research, lexicon, hf:NAME-or-folder. Default: REGTAPE_NEWS_SCORER.",
)  # fmt: skip


@regtape_command(
    "add",
    short_help="Rows of news into the log.",
    examples=(
        "regtape news add today.jsonl",
        "some-feed | regtape news add - --set source=feed --score",
        "regtape news add archive.csv.gz --backfill --zone America/New_York --set source=archive",
        _REUTERS.replace("news score", "news add"),
    ),
)
@click.argument("file", metavar="FILE|-")
@reading_options
@click.option("--score", "score_too", is_flag=True, help="Score what waits as well.")
@model_option
def add(file: str, score_too: bool, model: str | None, **how: Any) -> int:
    """Log the rows of FILE: .jsonl or .csv, either with .gz; - for standard input. The same rows again add nothing.

    A row has published_at, source and headline, and may have id, body, symbols, language, received_at and url; for a
    correction or retraction also kind and refers_to. Rows that cannot be read are kept in a reject file with line number
    and reason, the rest go in. Rows from standard input are logged within a second, and with --score are scored by a
    process beside this one, so that the log never waits.

    Exit code 1 when some rows were rejected, 3 when none came in.
    """
    return _run(file, score_too, model, how)


@regtape_command(
    "score",
    short_help="Score what was logged and has no score yet.",
    examples=("regtape news score", "regtape news score --model lexicon", _REUTERS),
)
@click.argument("file", required=False, metavar="[FILE|-]")
@reading_options
@model_option
def score(file: str | None, model: str | None, **how: Any) -> int:
    """Score every item of the log that this model has not scored yet; with FILE, log its rows first, as `news add` does.

    Killed, the same command goes on from where it was. Another model adds scores of its own and changes none.

    Exit code 1 when there are items that the model fails on, 3 when nothing was ever logged.
    """
    return _run(file, True, model, how)


def _run(file: str | None, score_too: bool, model: str | None, how: Mapping[str, Any]) -> int:
    chosen = settings(news_scorer=model)
    from api.services import open_scoring, open_tape

    # Opened first: a wrong name is told before an archive is read.
    scoring = open_scoring(chosen) if score_too else None
    if scoring and scoring.scorer.notice:
        note(scoring.scorer.notice)
    added = rejects = scored = None
    with open_tape(chosen) as tape:
        if file is not None:
            with _scoring_beside(chosen, score_too and file == _STDIN):
                added, rejects = _add(file, tape, chosen, **how)
        if scoring:
            scored = _score(tape, scoring)
        held = tape.head()
    _show(added, rejects, scored, scoring)
    if added and not added.taken:
        return NOTHING
    if (added and added.rejected) or (scored and scored.failed):
        return FAILED
    return DONE if held else NOTHING


def _add(
    file: str,
    tape: "Tape",
    chosen: "Settings",
    *,
    form: "Format | None",
    fields: Sequence[str],
    constants: Sequence[str],
    zone: str | None,
    backfill: bool,
    rejects_to: Path | None,
) -> tuple["Added", "Rejects"]:
    from ingest.news import open_news, read_news
    from sentiment.stream import add_news

    reading = _reading(fields, constants, zone)
    opened = _standard_input(form) if file == _STDIN else open_news(Path(file), form)
    rejects = Rejects([rejects_to] if rejects_to else _reject_files(file, chosen))
    with opened as (lines, format_), progress("log", "rows") as tell, rejects:

        def told(at: "Added") -> None:
            rejected = f", {at.rejected} rejected" if at.rejected else ""
            tell(at.rows, None, f"{at.rows / at.seconds:.0f}/s{rejected}")

        rows = read_news(lines, format_, reading)
        added = add_news(rows, tape, backfill=backfill, reject=rejects.keep, progress=told)
    return added, rejects


def _score(tape: "Tape", scoring: "Scoring") -> "Scored":
    from sentiment.stream import StoriesOfTape, score_backlog

    stories = StoriesOfTape(tape, scoring.resolver)
    with progress("score", "items") as tell:

        def told(at: "Scored") -> None:
            tell(at.items, at.items + at.waiting, f"{at.items / at.seconds:.0f}/s")

        return score_backlog(tape, scoring.resolver, stories, scoring.scorer, progress=told)


@contextmanager
def _standard_input(form: "Format | None") -> Iterator[tuple[Iterator[bytes], "Format"]]:
    from ingest.news import bounded_lines

    yield bounded_lines(sys.stdin.buffer), form or "jsonl"


@contextmanager
def _scoring_beside(chosen: "Settings", wanted: bool) -> Iterator[None]:
    """While rows come in from a feed, another process scores them."""
    if not wanted:
        yield
        return
    from api.scoring import scoring_beside

    with scoring_beside(chosen):
        yield


def _reading(fields: Sequence[str], constants: Sequence[str], zone: str | None) -> "Reading":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from ingest.news import Reading

    try:
        known = ZoneInfo(zone) if zone else None
    except (ZoneInfoNotFoundError, ValueError) as exc:
        raise BadRequest(
            f"--zone {zone!r} is not a time zone; write e.g. America/New_York"
        ) from exc
    return Reading(_pairs("--map", fields), _pairs("--set", constants), known)


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = dict[str, str]()
    for each in given:
        ours, equals, theirs = each.partition("=")
        if not (ours and equals and theirs):
            raise BadRequest(f"{option} {each!r}: write OURS=THEIRS, e.g. headline=title")
        if ours in pairs:
            raise BadRequest(f"{option} names {ours} twice")
        pairs[ours] = theirs
    return pairs


# ---- what was rejected


def _reject_files(file: str, chosen: "Settings") -> list[Path]:
    """Where rejects may go, the best place first."""
    if file == _STDIN:
        from ingest.moment import now

        return [chosen.home / "rejects" / f"stdin-{now():%Y%m%dT%H%M%S.%f}Z.jsonl"]
    name = f"{Path(file).name}.rejects.jsonl"
    return [Path(file).parent / name, chosen.home / "rejects" / name]


class Rejects:
    """Rows that could not be read, as JSON lines with line, reason, message and raw; no file where there are none.

    path: where they are, None before the first; shown: the first of them.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = places
        self._file: IO[str] | None = None
        self.path: Path | None = None
        self.shown: list[Rejected] = []

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def keep(self, row: "Rejected") -> None:
        """Write a row, so that it is on disk before the rows around it are logged."""
        if self._file is None:
            self._file = self._open()
        kept = {"line": row.line, "reason": row.reason, "message": row.message, "raw": row.raw}
        self._file.write(json.dumps(kept, ensure_ascii=False) + "\n")
        self._file.flush()
        if len(self.shown) < _REJECTS_SHOWN:
            self.shown.append(row)

    def _open(self) -> IO[str]:
        error: OSError | None = None
        for place in self._places:
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                file = place.open("w", encoding="utf-8", errors="backslashreplace")
            except OSError as exc:
                error = exc
                continue
            self.path = place
            return file
        raise BadRequest(f"rejected rows cannot be kept in {self._places[-1]}: {error}")


# ---- what is told of it


def _show(
    added: "Added | None",
    rejects: Rejects | None,
    scored: "Scored | None",
    scoring: "Scoring | None",
) -> None:
    if wants_json():
        print_json(
            {
                "added": _added_json(added, rejects) if added and rejects else None,
                "scored": _scored_json(scored, scoring) if scored and scoring else None,
            }
        )
        return
    from api.render import show_added, show_scored

    if added and rejects:
        show_added(added, rejects.shown, rejects.path, console())
    if scored and scoring:
        show_scored(scored, scoring.scorer.name, console())


def _added_json(added: "Added", rejects: Rejects) -> dict[str, Any]:
    names = ("rows", "new", "duplicates", "revisions", "rejected", "seconds")
    shown = [{"line": r.line, "reason": r.reason, "message": r.message} for r in rejects.shown]
    return {name: getattr(added, name) for name in names} | {
        "flags": dict(added.flags),
        "rejects_file": str(rejects.path) if rejects.path else None,
        "first_rejects": shown,
    }


def _scored_json(scored: "Scored", scoring: "Scoring") -> dict[str, Any]:
    names = ("items", "targets", "waiting", "seconds", "failed")
    return {name: getattr(scored, name) for name in names} | {
        "oldest": scored.oldest.isoformat() if scored.oldest else None,
        "model": scoring.scorer.name,
        "version": scoring.scorer.version,
    }


# ---- tail


@regtape_command(
    "tail",
    short_help="The newest items with their scores.",
    examples=(
        "regtape news tail",
        "regtape news tail --symbol AAPL --as-of 2010-01-28 -n 5",
        "regtape news tail --follow --json",
    ),
)
@click.option("--symbol", metavar="SYMBOL", help="Only items about this one, e.g. AAPL or BRK.B.")
@click.option("--source", metavar="NAME", help="Only this source's.")
@as_of_option
@click.option(
    "-n", "number", type=click.IntRange(0, 1000), default=20, show_default=True, help="How many."
)
@click.option(
    "--follow", is_flag=True,
    help="Go on with what comes in, each item when it is scored, or two seconds after it came.",
)  # fmt: skip
def tail(
    symbol: str | None, source: str | None, as_of: datetime | None, number: int, follow: bool
) -> int:
    """Print the newest items, oldest of them first; --json prints one object a line, as GET /v1/news has them.

    Sentiment is the chance of good news minus the chance of bad, -1 to 1, for each company; novelty is 0 for a copy and 1
    for what nothing in the 24 hours before was like. Only scores known by then are shown. Exit code 3 when there is nothing.
    """
    if follow and as_of:
        raise BadRequest("--follow goes on from now; leave out --as-of")
    chosen = settings()
    from api.news import follow as followed
    from api.news import read_page
    from api.services import open_tape

    with open_tape(chosen) as tape:
        page = read_page(tape, symbol=symbol, source=source, as_of=as_of, limit=number, body=True)
        show = _printer(symbol)
        show(page.items[::-1])
        if follow:
            with suppress(KeyboardInterrupt):  # the way to end it
                for items in followed(tape, page.receipt.offset, symbol=symbol, source=source):
                    show(items)
            return DONE
    return DONE if page.items else NOTHING


def _printer(symbol: str | None) -> Callable[[Sequence["News"]], None]:
    if wants_json():
        return _print_lines
    from api.render import NewsTable

    return NewsTable(console(), symbol).show


def _print_lines(items: Sequence["News"]) -> None:
    for item in items:
        click.echo(item.model_dump_json())


command.add_command(add)
command.add_command(score)
command.add_command(tail)
