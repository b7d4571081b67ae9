"""PDFs in, pages per second and peak memory out, of `regtape ingest` and of the plain LangChain recipe beside it.

The recipe is what a tutorial would do with the same weights: PyPDFLoader → RecursiveCharacterTextSplitter(1000, 200) →
all-MiniLM-L6-v2 through sentence-transformers → a persistent Chroma. Both sides read the same files in processes of their
own, by turns, so that whatever else the machine does falls on both. What is timed is the work, from the first file to the
last vector written; imports and the loading of the model are told apart, as startup_seconds.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from api.console import DONE, print_json, regtape_command, wants_json
from eval.scoring import SEED, interval
from eval.speed_embed import command as embed_command
from eval.speed_features import command as features_command
from eval.speed_retrieval import command as retrieval_command
from eval.speed_rules import command as rules_command
from eval.speed_sentiment import command as sentiment_command
from eval.speed_serve import command as serve_command
from ingest.errors import BadRequest, ModelMissing

CHUNK_CHARACTERS, OVERLAP_CHARACTERS = 1000, 200
_MEBIBYTE = 1 << 20
_BETWEEN_LOOKS = 0.05  # seconds between two looks at a side's memory


@dataclass(frozen=True, slots=True)
class Work:
    """What a side did: seconds of work, seconds until it could begin, passages stored."""

    seconds: float
    startup_seconds: float
    passages: int


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one side, and the most memory that it and its workers held at a time."""

    work: Work
    peak_mib: float


def ingest_speed(
    pdfs: Sequence[Path],
    *,
    pages: int | None = None,
    repeats: int = 3,
    progress: Callable[[int, int, str], None] = lambda _done, _all, _side: None,
) -> dict[str, Any]:
    """Run both sides `repeats` times, by turns. pages: read only so many of each file.

    metrics   per_second: our pages a second; times_recipe: how many times the recipe's, run by run
    groups    "regtape" and "recipe": per_second, peak_mib (resident memory summed over processes, so that what they share
              counts twice), startup_seconds, passages; intervals are over runs
    n         pages read by each side in each run

    Raises BadRequest on what is not a PDF, ModelMissing when the recipe's packages are not installed.
    """
    with tempfile.TemporaryDirectory(prefix="regtape-speed-") as name:
        folder = Path(name)
        files, count = _first_pages(pdfs, pages, folder)
        runs: dict[str, list[Run]] = {side: [] for side in SIDES}
        for turn in range(repeats):
            for side in sorted(SIDES, reverse=bool(turn % 2)):  # neither always has the warm disk
                progress(sum(map(len, runs.values())), repeats * len(SIDES), side)
                runs[side].append(_run(side, folder / f"{side}-{turn}", files))
    ratios = [
        recipe.work.seconds / ours.work.seconds
        for ours, recipe in zip(runs["regtape"], runs["recipe"], strict=True)
    ]
    groups = {side: _figures(found, count) for side, found in runs.items()}
    return {
        "task": "speed",
        "dataset": ", ".join(sorted(pdf.name for pdf in pdfs)),
        "n": count,
        "metrics": {
            "per_second": groups["regtape"]["per_second"],
            "times_recipe": interval(ratios, random.Random(SEED)),
        },
        "groups": groups,
        "settings": {
            "pages_of_each": pages,
            "repeats": repeats,
            "recipe": f"PyPDFLoader, {CHUNK_CHARACTERS}/{OVERLAP_CHARACTERS} characters, "
            "all-MiniLM-L6-v2 in sentence-transformers, Chroma",
            "versions": {p: version(p) for p in ("onnxruntime", "torch", "chromadb", "pypdf")},
        },
    }


def _figures(runs: Sequence[Run], pages: int) -> dict[str, Any]:
    values = {
        "per_second": [pages / run.work.seconds for run in runs],
        "peak_mib": [run.peak_mib for run in runs],
        "startup_seconds": [run.work.startup_seconds for run in runs],
        "passages": [float(run.work.passages) for run in runs],
    }
    return {name: interval(each, random.Random(SEED)) for name, each in values.items()}


def _first_pages(pdfs: Sequence[Path], pages: int | None, folder: Path) -> tuple[list[Path], int]:
    """The files, or copies of their first pages, and how many pages there are in all."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.errors import PyPdfError

    if not pdfs:
        raise BadRequest("name at least one PDF")
    files, count = [], 0
    for number, pdf in enumerate(pdfs):
        try:
            reader = PdfReader(pdf)
            held = len(reader.pages)
        except (PyPdfError, OSError) as exc:
            raise BadRequest(f"{pdf} cannot be read as a PDF: {exc}") from exc
        if pages is None or pages >= held:
            files.append(pdf)
            count += held
            continue
        writer = PdfWriter()
        writer.append(reader, pages=(0, pages))
        files.append(folder / f"{number}-{pdf.name}")
        writer.write(files[-1])
        count += pages
    return files, count


def _run(side: str, home: Path, files: Sequence[Path]) -> Run:
    """One side in a process of its own; its report is the last line it prints."""
    import psutil

    home.mkdir()
    command = [sys.executable, "-m", "eval.speed", "side", side, str(home), *map(str, files)]
    with (home / "out").open("w+") as out, (home / "err").open("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err)
        watched = psutil.Process(process.pid)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident(watched))
            time.sleep(_BETWEEN_LOOKS)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise ModelMissing(f"the {side} side failed: {err.read().strip()[-1000:]}")
        return Run(Work(**json.loads(out.read().splitlines()[-1])), peak / _MEBIBYTE)


def _resident(process: Any) -> int:
    """Bytes resident in a process and all that it started; 0 when it is gone."""
    import psutil

    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def _regtape(home: Path, files: Sequence[Path]) -> Work:
    began = time.perf_counter()
    from api.services import open_services, open_workers
    from api.settings import load_settings
    from ingest.pipeline import ingest, sources

    settings = load_settings(home=home / "home", models=home.parent / "models")
    with open_services(settings, writing=True) as services, open_workers(settings) as workers:
        ready = time.perf_counter()
        report = ingest(
            sources(files),
            catalog=services.catalog,
            index=services.index,
            embedder=services.embedder,
            workers=workers,
            settings=settings.chunk,
        )
        done = time.perf_counter()
    if report.rejected:
        raise BadRequest(f"rejected: {', '.join(row.path for row in report.rejected)}")
    return Work(done - ready, ready - began, report.chunks)


def _recipe(home: Path, files: Sequence[Path]) -> Work:
    began = time.perf_counter()
    from langchain_chroma import Chroma
    from langchain_community.document_loaders import PyPDFLoader
    from langchain_huggingface import HuggingFaceEmbeddings
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    from ingest.embed import minilm_folder

    embeddings = HuggingFaceEmbeddings(
        model_name=str(minilm_folder()), model_kwargs={"device": "cpu"}
    )
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=CHUNK_CHARACTERS, chunk_overlap=OVERLAP_CHARACTERS
    )
    ready = time.perf_counter()
    passages = 0
    store = Chroma("recipe", embeddings, persist_directory=str(home / "chroma"))
    for file in files:
        parts = splitter.split_documents(PyPDFLoader(str(file)).load())
        for at in range(0, len(parts), 5000):  # Chroma refuses much more in one call
            store.add_documents(parts[at : at + 5000])
        passages += len(parts)
    return Work(time.perf_counter() - ready, ready - began, passages)


SIDES: dict[str, Callable[[Path, Sequence[Path]], Work]] = {"regtape": _regtape, "recipe": _recipe}

_PDFS = click.argument(
    "pdfs", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@regtape_command(
    "ingest",
    short_help="Pages a second, beside the plain LangChain recipe.",
    examples=("regtape eval speed ingest report.pdf --json", "python -m eval.speed ingest *.pdf"),
)
@_PDFS
@click.option("--pages", type=click.IntRange(1), help="Read only the first so many of each file.")
@click.option(
    "--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each side."
)
def ingest_command(pdfs: tuple[Path, ...], pages: int | None, repeats: int) -> int:
    """Ingest PDFS with RegTape and with the recipe, by turns, and compare."""
    from api.console import progress

    with progress("eval", "runs") as tell:
        found = ingest_speed(pdfs, pages=pages, repeats=repeats, progress=tell)
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    return DONE


def _table(found: dict[str, Any]) -> str:
    """A line a figure: value, 95 % interval, n."""
    lines = [f"{found['dataset']}: {found['n']} pages"]
    for title, figures in {"": found["metrics"], **found["groups"]}.items():
        for name, figure in figures.items():
            lines.append(
                f"{title:>8} {name:<16}{figure['value']:>10.2f}"
                f"  [{figure['low']:.2f}, {figure['high']:.2f}]  n={figure['n']}"
            )
    return "\n".join(lines)


@click.command("side", hidden=True)
@click.argument("side", type=click.Choice(sorted(SIDES)))
@click.argument("home", type=click.Path(file_okay=False, path_type=Path))
@_PDFS
def _side_command(side: str, home: Path, pdfs: tuple[Path, ...]) -> None:
    """What a run starts: one side, once; prints what it did."""
    work = SIDES[side](home, pdfs)
    click.echo(
        json.dumps(
            {
                "seconds": work.seconds,
                "startup_seconds": work.startup_seconds,
                "passages": work.passages,
            }
        )
    )


command = click.Group(
    "speed",
    commands=[
        ingest_command,
        embed_command,
        sentiment_command,
        features_command,
        rules_command,
        serve_command,
        retrieval_command,
        _side_command,
    ],
    help="How fast, beside what one would write.",
)

if __name__ == "__main__":
    command.main(obj={})
