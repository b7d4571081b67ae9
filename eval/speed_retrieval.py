"""An ingested home in, what a search costs at growing sizes out: milliseconds, memory, seconds to build and to open.

The home is grown by copying its own passages, shuffled in documents of at most 200: in every copy after the first a tenth of
the words are exchanged for others of the corpus and the vectors are shaken, so that nothing is embedded anew. What is found
there means nothing; what it costs does. The catalog and the index are written by the code that ingest writes them with.

    regtape   `retrieve` in process, a query's vector included: exact, over dense, words, documents and passages
    scan      of it, the cosines of all rows and the best of them
    chroma    the same vector store embedded: 120 nearest by its approximate search, the query's vector not included
    server    the same store behind `chroma run` on a loopback port, as REGTAPE_VECTORS_URL reaches it

Each side is measured in a process of its own that has just opened the home. Queries of a first round are left out of the
median: they read postings and documents into memory, and are told apart as first_ms.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from itertools import count
from pathlib import Path
from socket import socket
from typing import Any, NamedTuple
from urllib.request import urlopen

import click
import numpy as np
from numpy.typing import NDArray

from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.settings import Settings, load_settings
from eval.scoring import SEED, Measure, Measures
from ingest.catalog import Arrival, Catalog
from ingest.document import Chunk, Document, Metadata, Section
from ingest.errors import BadRequest, SourceDown
from ingest.index import Cut, Index

SIZES = (10_000, 100_000, 300_000, 1_000_000)
ROUNDS = 5
_PART, _AT_ONCE = 200, 20  # passages of a document, documents of a commit
_EXCHANGED, _SHAKEN = 0.1, 0.3  # share of words; length of the noise on a vector of length 1
_COMES_UP = 60  # seconds
_NEAREST = 120

Progress = Callable[[int, int | None, str], None]
Vectors = NDArray[np.float32]


# ---- a home that grows


class Part(NamedTuple):
    """Passages of one document: texts, how they were cut, vectors (n, dimensions)."""

    metadata: Metadata
    texts: list[str]
    chunks: list[Chunk]
    vectors: Vectors


def parts_of(catalog: Catalog, index: Index) -> list[Part]:
    """All passages held, in the order of a fixed shuffle. Raises BadRequest where there is none."""
    found: list[Part] = []
    for held in catalog.documents():
        rows = index.siblings(held.offset, 0, 1 << 30)
        text = catalog.text(held.id)
        for at in range(0, len(rows), _PART):
            some = rows[at : at + _PART]
            chunks = [
                Chunk(r.ordinal, r.start, r.end, r.section, r.context, r.kind, r.label, r.page)
                for r in some
            ]
            vectors = index.vectors([r.row for r in some])
            texts = [text[r.start : r.end] for r in some]
            found.append(Part(held.metadata, texts, chunks, vectors))
    if not found:
        raise BadRequest(f"{catalog.home} holds no passage; ingest something first")
    random.Random(SEED).shuffle(found)
    return found


def copies(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, then copies of them without end, each with other words and other vectors."""
    words = sorted({word for part in parts[:200] for text in part.texts for word in text.split()})
    for number in count():
        draw = np.random.default_rng([SEED, number])
        for part in parts:
            yield part if not number else _shaken(part, number, words, draw)


def _shaken(part: Part, number: int, words: Sequence[str], draw: np.random.Generator) -> Part:
    texts = []
    for text in part.texts:
        said = text.split(" ")
        for at in np.flatnonzero(draw.random(len(said)) < _EXCHANGED):
            said[at] = words[int(draw.integers(len(words)))]
        texts.append(" ".join(said))
    noise = draw.standard_normal(part.vectors.shape).astype(np.float32)
    vectors = part.vectors + _SHAKEN * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    title = f"{part.metadata.title or 'Untitled'} ({number})"
    return Part(replace(part.metadata, title=title), texts, part.chunks, vectors)


def grow(source: Iterator[Part], catalog: Catalog, index: Index, size: int) -> float:
    """Add parts until the index holds so many passages; the seconds that took, drawing up the copies not counted."""
    seconds, batch = 0.0, list[tuple[Arrival, Part]]()
    index.refresh()
    left = size - index.size
    while left > 0:
        part = next(source)
        part = Part(part.metadata, part.texts[:left], part.chunks[:left], part.vectors[:left])
        left -= len(part.texts)
        batch.append((_arrival(part), part))
        if len(batch) == _AT_ONCE or left <= 0:
            began = time.perf_counter()
            held = catalog.record([arrival for arrival, _ in batch])
            index.add(
                [
                    Cut(one, arrival.document.text, _placed(part), part.vectors)
                    for one, (arrival, part) in zip(held, batch, strict=True)
                ]
            )
            seconds += time.perf_counter() - began
            batch = []
    return seconds


def _placed(part: Part) -> list[Chunk]:
    """The chunks where they stand in the joined texts."""
    placed, start = [], 0
    for number, (text, chunk) in enumerate(zip(part.texts, part.chunks, strict=True)):
        placed.append(
            replace(chunk, ordinal=number, start=start, end=start + len(text), section=number)
        )
        start += len(text) + 1
    return placed


def _arrival(part: Part) -> Arrival:
    text = "\n".join(part.texts)
    sections = tuple(Section(c.start, c.end, (c.context,), c.kind, c.label) for c in _placed(part))
    name = sha256(f"{part.metadata.title}\0{text}".encode()).hexdigest()
    document = Document(text, "text", sections, (), part.metadata)
    return Arrival(document, name, name[:12], datetime(2000, 1, 1, tzinfo=UTC), "stated", ())


# ---- the sides


def _side_regtape(chosen: Settings, questions: Sequence[str]) -> dict[str, Any]:
    from agent.retrieve import _top, retrieve
    from api.services import open_services
    from ingest.moment import now

    with open_services(chosen) as services:
        began = time.perf_counter()
        services.index.refresh()
        opened = time.perf_counter() - began
        index = services.index

        def search(question: str) -> object:
            return retrieve(
                question, as_of=now(), k=10, catalog=services.catalog, index=index, embedder=services.embedder
            )  # fmt: skip

        found = _timed(search, questions)
        vectors, view = dict(zip(questions, services.embedder.embed(questions), strict=True)), index.view(now())  # fmt: skip
        scan = _timed(lambda q: _top(index.dense(vectors[q], view), _NEAREST), questions)
        return {**found, "open_seconds": opened, "scan_ms": scan["ms"], "mib": _resident()}


def _side_chroma(chosen: Settings, questions: Sequence[str]) -> dict[str, Any]:
    """The store alone, embedded or behind vectors_url, and how many of the exact ten nearest it finds."""
    from api.services import open_services
    from ingest.moment import now

    with open_services(chosen) as services:
        asked = services.embedder.embed(questions)
        services.index.refresh()
        view = services.index.view(now())
        exact = [
            {row.id for row in services.index.rows(np.argsort(-services.index.dense(v, view))[:10].tolist())}
            for v in asked
        ]  # fmt: skip
        name = services.index.fingerprint
    from ingest.vectors import ChromaVectors

    held = _resident()
    where = chosen.vectors_url or chosen.home / "chroma"
    began = time.perf_counter()
    store = ChromaVectors(where, f"regtape-{name}", asked.shape[1])
    opened = time.perf_counter() - began
    vectors = dict(zip(questions, asked, strict=True))
    found = _timed(lambda q: store.nearest(vectors[q], _NEAREST), questions)
    hits = [
        len(near & {id for id, _ in store.nearest(vector, 10)}) / 10
        for near, vector in zip(exact, asked, strict=True)
    ]
    return {**found, "open_seconds": opened, "recall": float(np.mean(hits)), "mib": _resident() - held}  # fmt: skip


def _timed(ask: Callable[[str], object], questions: Sequence[str]) -> dict[str, Any]:
    """Milliseconds of each question of a first round, and of those after it."""
    taken: list[list[float]] = []
    for _ in range(1 + ROUNDS):
        taken.append([])
        for question in questions:
            began = time.perf_counter()
            ask(question)
            taken[-1].append((time.perf_counter() - began) * 1000)
    return {"first_ms": taken[0], "ms": [each for some in taken[1:] for each in some]}


def _resident() -> float:
    """MiB resident in this process."""
    import psutil

    return float(psutil.Process().memory_info().rss / (1 << 20))


SIDES = {"regtape": _side_regtape, "chroma": _side_chroma}


def _run(side: str, home: Path, questions: Sequence[str], url: str | None = None) -> dict[str, Any]:
    """A side in a process of its own; its figures are the last line it prints."""
    environment = os.environ | {"REGTAPE_HOME": str(home), "REGTAPE_MODELS": str(settings().models_folder)}  # fmt: skip
    environment |= {"REGTAPE_VECTORS_URL": url} if url else {}
    done = subprocess.run(
        [sys.executable, "-m", "eval.speed_retrieval", side],
        input=json.dumps(list(questions)), env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SourceDown(f"the {side} side failed: {done.stderr.strip()[-1000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextmanager
def chroma_server(folder: Path) -> Iterator[str]:
    """The address of `chroma run` over a folder, on a spare loopback port, until the end of the block.

    Raises SourceDown when it does not come up.
    """
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).with_name("chroma")
    words = ["run", "--host", "127.0.0.1", "--port", str(port), "--path", str(folder)]
    with subprocess.Popen(
        [str(program), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            until = time.monotonic() + _COMES_UP
            while not _answers(f"{url}/api/v2/heartbeat"):
                if time.monotonic() > until or process.poll() is not None:
                    raise SourceDown(f"chroma run at {url} did not come up")
                time.sleep(0.1)
            yield url
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


# ---- the curve


def scale(
    chosen: Settings, home: Path, sizes: Sequence[int], most_in_chroma: int, questions: Sequence[str], progress: Progress
) -> dict[str, Measures]:  # fmt: skip
    """Figures by side and size. home: where the grown copy is kept. Raises BadRequest where one is there already."""
    from api.services import open_services
    from ingest.vectors import ChromaVectors

    if (home / "catalog.db").exists():
        raise BadRequest(f"{home} holds a home already; name an empty folder")
    groups: dict[str, Measures] = {}
    with open_services(chosen) as services:
        services.index.refresh()
        source = copies(parts_of(services.catalog, services.index))
        name, dimensions = services.index.fingerprint, services.index.dimensions
    for done, size in enumerate(sorted(sizes)):
        progress(done, len(sizes), f"{size:,} passages")
        with Catalog(home) as catalog:
            index = Index(catalog, name, dimensions)
            built = grow(source, catalog, index, size)
            index.close()
        figures = _run("regtape", home, questions)
        groups[f"regtape, {size}"] = {
            "p50_ms": _quantile(figures["ms"], 0.5), "p99_ms": _quantile(figures["ms"], 0.99),
            "first_ms": _quantile(figures["first_ms"], 0.5), "scan_p50_ms": _quantile(figures["scan_ms"], 0.5),
            "mib": _one(figures["mib"]), "open_seconds": _one(figures["open_seconds"]),
            "build_seconds": _one(built),
        }  # fmt: skip
        if size > most_in_chroma:
            continue
        progress(done, len(sizes), f"{size:,} passages in Chroma")
        with Catalog(home) as catalog:
            began = time.perf_counter()
            store = ChromaVectors(home / "chroma", f"regtape-{name}", dimensions)
            index = Index(catalog, name, dimensions, store)
            index.catch_up()
            index.close()
            built = time.perf_counter() - began
        groups[f"chroma, {size}"] = _of_store(_run("chroma", home, questions), built)
        with chroma_server(home / "chroma") as url:
            groups[f"server, {size}"] = _of_store(_run("chroma", home, questions, url), None)
    return groups


def _of_store(figures: Mapping[str, Any], built: float | None) -> Measures:
    found = {
        "p50_ms": _quantile(figures["ms"], 0.5), "p99_ms": _quantile(figures["ms"], 0.99),
        "first_ms": _quantile(figures["first_ms"][:1], 0.5), "recall_at_10": _one(figures["recall"]),
        "mib": _one(figures["mib"]), "open_seconds": _one(figures["open_seconds"]),
    }  # fmt: skip
    return found | ({} if built is None else {"build_seconds": _one(built)})


def _quantile(values: Sequence[float], share: float) -> Measure:
    """A quantile with the 95 % interval of a bootstrap."""
    drawn = np.random.default_rng(SEED).choice(np.array(values), (500, len(values)))
    low, high = np.quantile(np.quantile(drawn, share, axis=1), [0.025, 0.975])
    value = float(np.quantile(values, share))
    return {"value": round(value, 3), "low": round(float(low), 3), "high": round(float(high), 3), "n": len(values)}  # fmt: skip


def _one(value: float) -> Measure:
    return {"value": round(value, 3), "low": round(value, 3), "high": round(value, 3), "n": 1}


def draw(groups: Mapping[str, Measures], path: Path) -> None:
    """Time and memory over size, a line a side, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    times, memory = figure.subplots(1, 2)
    for side in dict.fromkeys(name.partition(",")[0] for name in groups):
        own = {int(n.partition(", ")[2]): each for n, each in groups.items() if n.startswith(side)}
        sizes = sorted(own)
        for at, style in (("p50_ms", "-o"), ("p99_ms", ":o")):
            times.plot(
                sizes, [own[n][at]["value"] for n in sizes], style, label=f"{side}, {at[:3]}"
            )
        memory.plot(sizes, [own[n]["mib"]["value"] for n in sizes], "-o", label=side)
    for axes, label in ((times, "milliseconds of a search"), (memory, "MiB")):
        axes.set(xscale="log", yscale="log", xlabel="passages", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def read_questions(path: Path) -> list[str]:
    """The questions of a file of gold questions. Raises BadRequest where a line has none."""
    try:
        lines = path.read_text("utf-8").splitlines()
        return [str(json.loads(line)["question"]) for line in lines if line.strip()]
    except (ValueError, KeyError, TypeError) as exc:
        raise BadRequest(f"{path} is no file of questions: {exc!r}") from exc


@regtape_command(
    "retrieval",
    short_help="A search at growing sizes, Chroma beside.",
    examples=(
        "regtape eval speed retrieval --json --plot scale.png",
        "regtape eval speed retrieval --chunks 10000 --chunks 100000 --keep FOLDER",
    ),
)
@click.option(
    "--chunks", "sizes", type=click.IntRange(100), multiple=True, default=SIZES, show_default=True,
    help="Passages at which to measure; give it several times.",
)  # fmt: skip
@click.option(
    "--chroma-most", type=click.IntRange(0), default=100_000, show_default=True,
    help="Chroma is measured up to so many: it builds by about a thousand vectors a second and core.",
)  # fmt: skip
@click.option(
    "--questions", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.jsonl",
    help="What to search for. Default: the questions this project was tuned on.",
)  # fmt: skip
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Keep the grown home there.",
)  # fmt: skip
@click.option(
    "--plot", "png", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.png",
    help="Draw time and memory over size.",
)  # fmt: skip
def command(
    sizes: tuple[int, ...], chroma_most: int, questions: Path | None, keep: Path | None, png: Path | None
) -> int:  # fmt: skip
    """Grow a copy of REGTAPE_HOME by perturbing its passages, and time searches over it at each size."""
    from api.console import progress

    chosen = settings()
    asked = read_questions(questions or Path(str(files("eval") / "gold" / "ours_dev.jsonl")))
    home = keep or Path(tempfile.mkdtemp(prefix="regtape-scale-"))
    try:
        with progress("eval", "sizes") as tell:
            groups = scale(chosen, home, sizes, chroma_most, asked, tell)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if png is not None:
        draw(groups, png)
    largest = groups[f"regtape, {max(sizes)}"]
    found = {
        "task": "speed_retrieval", "dataset": "perturbed copies of the home", "n": max(sizes),
        "metrics": {name: largest[name] for name in ("p50_ms", "p99_ms", "mib")}, "groups": groups,
        "settings": {"questions": len(asked), "rounds": ROUNDS, "embedder": chosen.embedder, "seed": SEED},
    }  # fmt: skip
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(groups))
    return DONE


def _table(groups: Mapping[str, Measures]) -> str:
    return "\n".join(
        f"{name:<20}" + "  ".join(f"{each} {figure['value']}" for each, figure in figures.items())
        for name, figures in groups.items()
    )


if __name__ == "__main__":
    print(json.dumps(SIDES[sys.argv[1]](load_settings(), json.loads(sys.stdin.read()))))
