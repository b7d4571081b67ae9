"""What reading rules costs: CPU that it adds to ingest, and milliseconds of /v1/rules and /v1/impacts over HTTP.

Ingest: the same files, drawn with a seed, are brought into an empty home with and without the reading of rule events and
effects, by turns. What is compared is CPU time of this process and of those that parse, for a clock on the wall also tells
of what else the machine does. HTTP: a server of its own over the home as it stands; sections and days drawn with a seed, and
every document and section that effects are asked of; the first request, which opens the book, is told apart.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import date
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from socket import socket
from unittest.mock import patch
from urllib.parse import urlencode
from urllib.request import urlopen

import click

from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.settings import Settings
from eval.scoring import SEED, Measures, interval
from ingest.errors import BadRequest, SourceDown

REQUESTS = 200
_COMES_UP = 60  # seconds
_KINDS = {".txt", ".md", ".xml", ".html", ".pdf"}


def ingest_cost(
    files: Sequence[Path], root: Path, chosen: Settings, repeats: int
) -> dict[str, list[float]]:
    """CPU seconds of each run, "with" and "without", and their ratio, turn by turn."""
    spent: dict[str, list[float]] = {"with": [], "without": []}
    for turn in range(repeats):
        for side in ("with", "without") if turn % 2 else ("without", "with"):
            with ExitStack() as stack:
                if side == "without":
                    for name in ("derive", "read_impacts"):
                        stack.enter_context(patch(f"ingest.pipeline.{name}"))
                spent[side].append(_one_run(files, root, chosen))
    ratios = [a / b for a, b in zip(spent["with"], spent["without"], strict=True)]
    return {**spent, "ratio": ratios}


def _one_run(files: Sequence[Path], root: Path, chosen: Settings) -> float:
    from api.commands.ingest import bring_in
    from ingest.pipeline import Source

    with tempfile.TemporaryDirectory() as home:
        if chosen.models_folder.is_dir():
            shutil.copytree(chosen.models_folder, Path(home) / "models")
        before = _cpu()
        found = [Source(file, file.relative_to(root).as_posix()) for file in files]
        bring_in(found, chosen.model_copy(update={"home": Path(home)}), lambda *_: None)
        return _cpu() - before


def _cpu() -> float:
    return sum(
        used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN))
    )


def drawn_files(folder: Path, count: int) -> list[Path]:
    """So many files below a folder, by the seed. Raises BadRequest when there are fewer."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _KINDS)
    if len(files) < count:
        raise BadRequest(f"{folder} holds {len(files)} files, fewer than {count}")
    return random.Random(SEED).sample(files, count)


def served(chosen: Settings, requests: int) -> dict[str, tuple[float, list[float]]]:
    """Milliseconds of the first request, and of each after it, by what is asked."""
    asked = _questions(chosen, requests)
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _server(chosen, port):
        root = f"http://127.0.0.1:{port}/v1"
        return {name: _timed([f"{root}{path}" for path in paths]) for name, paths in asked.items()}


def _questions(chosen: Settings, requests: int) -> dict[str, list[str]]:
    from api.services import open_catalog
    from ingest.rules.held import open_book
    from ingest.rules.state import sections_of

    draw = random.Random(SEED)
    with open_catalog(chosen) as catalog:
        book = open_book(catalog)
        sections = sections_of(book)
        releases = sorted({h.metadata.release for h in book.documents if h.metadata.release})
    if not sections:
        raise BadRequest(f"{chosen.home} holds no document that speaks of a rule")
    days = [
        date(draw.randint(2005, 2026), draw.randint(1, 12), 15).isoformat() for _ in range(requests)
    ]
    return {
        "rule": [f"/rules/{draw.choice(sections)}?as_of={day}" for day in days],
        "timeline": [f"/rules/{draw.choice(sections)}/timeline" for _ in days],
        "impacts": [
            "/impacts?" + urlencode({"of": draw.choice([*releases, *sections])}) for _ in days
        ],
    }


@contextmanager
def _server(chosen: Settings, port: int) -> Iterator[None]:
    """`regtape serve` over the home, until the end of the block. Raises SourceDown when it does not come up."""
    words = ["-c", "from api.cli import main; main()", "serve", "--port", str(port)]
    environment = os.environ | {"REGTAPE_HOME": str(chosen.home)}
    with subprocess.Popen(
        [sys.executable, *words], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:  # fmt: skip
        try:
            _wait(f"http://127.0.0.1:{port}/healthz", process)
            yield
        finally:
            process.terminate()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _COMES_UP
    while time.monotonic() < until and process.poll() is None:
        try:
            with closing(urlopen(url, timeout=5)):
                return
        except OSError:
            time.sleep(0.2)
    raise SourceDown(f"the server at {url} did not come up")


def _timed(urls: Sequence[str]) -> tuple[float, list[float]]:
    first, *others = (_milliseconds(url) for url in [urls[0], *urls])
    return first, others


def _milliseconds(url: str) -> float:
    began = time.perf_counter()
    try:
        with closing(urlopen(url, timeout=60)) as answer:
            answer.read()
    except OSError as exc:  # what is not held answers 404, and in no longer time
        if getattr(exc, "code", None) != 404:
            raise
    return (time.perf_counter() - began) * 1000


@regtape_command(
    "rules",
    short_help="What reading rules adds to ingest, and their reads.",
    examples=('regtape eval speed rules "$REGTAPE_DATA/corpus" --json',),
)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--files", type=click.IntRange(1), default=80, show_default=True, help="Files to ingest."
)
@click.option(
    "--repeats", type=click.IntRange(2), default=5, show_default=True, help="Runs of each side."
)
@click.option(
    "--requests", type=click.IntRange(1), default=REQUESTS, show_default=True, help="Requests of each kind."
)  # fmt: skip
def command(folder: Path, files: int, repeats: int, requests: int) -> int:
    """Ingest FILES of FOLDER with and without rules, by turns; then ask a server over REGTAPE_HOME for rules and effects."""
    chosen = settings()
    draw = random.Random(SEED)
    drawn = drawn_files(folder, files)
    cost = ingest_cost(drawn, folder, chosen, repeats)
    metrics: Measures = {"ingest_cpu_ratio": interval(cost["ratio"], draw)}
    groups: dict[str, Measures] = {
        "ingest": {
            f"cpu_seconds_{side}": interval(cost[side], draw) for side in ("with", "without")
        }
    }
    for name, (first, times) in served(chosen, requests).items():
        ordered = sorted(times)
        groups[name] = {
            "first_ms": interval([first], draw),
            **{f"p{at}_ms": _percentile(ordered, at) for at in (50, 95, 99)},
        }
    found = {
        "task": "speed_rules", "dataset": folder.name, "n": files, "metrics": metrics, "groups": groups,
        "settings": {"repeats": repeats, "requests": requests, "embedder": chosen.embedder, "seed": SEED},
    }  # fmt: skip
    if wants_json():
        print_json(found)
    else:
        click.echo(json.dumps({"metrics": metrics, **groups}, indent=1))
    return DONE


def _percentile(ordered: Sequence[float], at: int) -> dict[str, float | int | None]:
    value = round(ordered[min(len(ordered) - 1, len(ordered) * at // 100)], 2)
    return {
        "value": value,
        "low": round(ordered[0], 2),
        "high": round(ordered[-1], 2),
        "n": len(ordered),
    }
