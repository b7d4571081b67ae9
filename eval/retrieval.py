"""A folder of passages, questions and judgements (BEIR's form) in, how well each stage of retrieval ranks the passages out.

    bm25      plain: letters and digits, no stems, Robertson's formula with the usual k1 = 1.2, b = 0.75 (the yardstick)
    lexical   ours: stems, the law's tokens whole, headings weighed, BM25 with our parameters
    dense     cosine of the embedder's vectors
    fused     both, as `agent.retrieve` fuses them

Passages are cut, embedded and indexed by the code that indexes documents, each as a document of one section, without what
stands around it in its source. A passage ranks as its best piece does.

    recall@k   share of a question's relevant passages among the first k, mean over questions
    map@10     mean of the precisions at the relevant ones of the first ten, over min(relevant, 10)
    ndcg@10    discounted by log2(rank + 1), over that of an ideal order
    mrr        1 / rank of the first relevant one among the first hundred
"""

import json
import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from agent.retrieve import Scores, understand
from api.console import DONE, print_json, regtape_command, settings, wants_json
from eval.scoring import SEED, Measure, Measures
from ingest.catalog import Arrival, Catalog
from ingest.chunk import DEFAULT
from ingest.document import Document, Metadata, Section
from ingest.embed import Embedder
from ingest.errors import BadRequest
from ingest.index import Index, View
from ingest.pipeline import complete

DEPTH = 100  # of a ranking that is judged
STAGES = ("bm25", "lexical", "dense", "fused")
_CUTS = (1, 5, 10, 100)
_DRAWS = 500
_AT_ONCE = 500  # passages recorded in one transaction
_LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)

Floats = NDArray[np.float64]
Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class Beir:
    """Passages and questions by id, and which passages are relevant to each judged question."""

    passages: Mapping[str, tuple[str, str]]  # title, text
    questions: Mapping[str, str]
    relevant: Mapping[str, frozenset[str]]


def read_beir(folder: Path, split: str) -> Beir:
    """corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv. Raises BadRequest where one is missing or a line cannot be read."""
    passages = {
        row["_id"]: (row.get("title") or "", row["text"]) for row in _rows(folder / "corpus.jsonl")
    }
    questions = {row["_id"]: row["text"] for row in _rows(folder / "queries.jsonl")}
    relevant: dict[str, set[str]] = defaultdict(set)
    judged = folder / "qrels" / f"{split}.tsv"
    if not judged.exists():
        there = ", ".join(sorted(path.stem for path in (folder / "qrels").glob("*.tsv"))) or "none"
        raise BadRequest(f"{judged} is not there; splits of {folder.name}: {there}")
    for number, line in enumerate(judged.read_text("utf-8").splitlines()[1:], start=2):
        parts = line.split("\t")
        if len(parts) != 3 or parts[0] not in questions or parts[1] not in passages:
            raise BadRequest(f"{judged.name}, line {number}: not a question, a passage and a score")
        if float(parts[2]) > 0:
            relevant[parts[0]].add(parts[1])
    return Beir(passages, questions, {id: frozenset(found) for id, found in relevant.items()})


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        raise BadRequest(
            f"{path} is not there; a BEIR folder has corpus.jsonl, queries.jsonl and qrels/"
        )
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                row["_id"], row["text"]
            except (ValueError, KeyError, TypeError) as exc:
                raise BadRequest(
                    f"{path.name}, line {number}: not an object with _id and text"
                ) from exc
            yield row


# ---- passages, indexed


def index_passages(
    beir: Beir, home: Path, embedder: Embedder, *, progress: Progress
) -> tuple[Catalog, Index]:
    """Every passage that says something as a document of one section; a second call takes what is there."""
    chunking = DEFAULT.model_copy(update={"least_words": 1})
    catalog = Catalog(home)
    index = Index(catalog, f"{embedder.name}-{embedder.fingerprint[:12]}", embedder.dimensions)
    ids = list(beir.passages)
    for first in range(0, len(ids), _AT_ONCE):
        catalog.record([_arrival(id, *beir.passages[id]) for id in ids[first : first + _AT_ONCE]])
    complete(
        catalog, index, embedder, chunking,
        progress=lambda done, of: progress(done, of, "passages indexed"),
    )  # fmt: skip
    index.refresh()
    return catalog, index


def _arrival(id: str, title: str, text: str) -> Arrival:
    section = Section(0, len(text))
    document = Document(text, "text", (section,), (), Metadata(title=title or " "))
    name = sha256(f"{id}\0{title}\0{text}".encode()).hexdigest()
    return Arrival(document, name, id, _LONG_AGO, "stated", ())


# ---- stages


class Ranker:
    """Ranks passages for a question, stage by stage."""

    def __init__(self, beir: Beir, catalog: Catalog, index: Index, embedder: Embedder) -> None:
        self._index, self._embedder = index, embedder
        self._view: View = index.view(datetime.now(UTC))
        names = {held.offset: held.path for held in catalog.documents()}
        rows = [
            row
            for first in range(0, index.size, _AT_ONCE)
            for row in index.rows(range(first, min(first + _AT_ONCE, index.size)))
        ]
        self._ids = list(beir.passages)
        place = {id: number for number, id in enumerate(self._ids)}
        self._passage = np.array([place[names[row.offset]] for row in rows], np.intp)
        self._plain = PlainBm25([f"{title} {text}" for title, text in beir.passages.values()])

    def rank(self, question: str) -> dict[str, list[str]]:
        """The best DEPTH passages by each stage."""
        query = understand(question, self._embedder)
        scores = Scores(
            self._index.dense(query.vector, self._view),
            self._index.lexical(query.weights, self._view),
        )
        candidates = scores.candidates(self._view)
        fused = np.full(self._index.size, -np.inf)
        fused[candidates] = scores.fused(candidates)
        found = {"bm25": self._plain.scores(question)}
        for name, each in (("lexical", scores.lexical), ("dense", scores.dense), ("fused", fused)):
            best = np.full(len(self._ids), -np.inf)
            np.maximum.at(best, self._passage, np.asarray(each, np.float64))
            found[name] = best
        return {name: self._best(each) for name, each in found.items()}

    def _best(self, scores: Floats) -> list[str]:
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        return [self._ids[at] for at in order if np.isfinite(scores[at]) and scores[at] != 0]


class PlainBm25:
    """The yardstick: nothing but the formula."""

    _WORD = re.compile(r"[a-z0-9]+")

    def __init__(self, texts: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        counts = [Counter(self._WORD.findall(text.lower())) for text in texts]
        length = np.array([sum(each.values()) for each in counts], np.float64)
        self._norm = k1 * (1 - b + b * length / max(length.mean(), 1.0))
        self._k1, self._size = k1, len(texts)
        held: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for place, each in enumerate(counts):
            for word, count in each.items():
                held[word].append((place, count))
        self._postings = {word: np.array(found).T for word, found in held.items()}

    def scores(self, question: str) -> Floats:
        """(texts,)"""
        found = np.zeros(self._size)
        for word in self._WORD.findall(question.lower()):
            if word in self._postings:
                places, count = self._postings[word]
                idf = np.log(1 + (self._size - len(places) + 0.5) / (len(places) + 0.5))
                found[places] += idf * count * (self._k1 + 1) / (count + self._norm[places])
        return found


# ---- figures


def judge(ranking: Sequence[str], relevant: frozenset[str]) -> dict[str, float]:
    """The figures of one question, as defined at the top."""
    hits = [id in relevant for id in ranking]
    found = {f"recall@{k}": sum(hits[:k]) / len(relevant) for k in _CUTS}
    precisions = [
        sum(hits[: place + 1]) / (place + 1) for place in range(min(10, len(hits))) if hits[place]
    ]
    found["map@10"] = sum(precisions) / min(len(relevant), 10)
    gain = sum(1 / np.log2(place + 2) for place, hit in enumerate(hits[:10]) if hit)
    ideal = sum(1 / np.log2(place + 2) for place in range(min(len(relevant), 10)))
    found["ndcg@10"] = float(gain / ideal)
    found["mrr"] = 1 / (hits.index(True) + 1) if True in hits else 0.0
    return found


def summed_up(each: Sequence[Mapping[str, float]]) -> Measures:
    """Means with 95 % bootstrap intervals over questions."""
    random = np.random.default_rng(SEED)
    picks = random.integers(0, len(each), (_DRAWS, len(each)))
    found: Measures = {}
    for name in each[0]:
        values = np.array([one[name] for one in each])
        low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
        measure: Measure = {
            "value": float(values.mean()),
            "low": float(low),
            "high": float(high),
            "n": len(each),
        }
        found[name] = measure
    return found


def measure(
    beir: Beir, home: Path, embedder: Embedder, *, questions: int | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """The figures of each stage over the judged questions, or so many of them, drawn by a fixed seed."""
    catalog, index = index_passages(beir, home, embedder, progress=progress)
    with ExitStack() as stack:
        stack.callback(catalog.close)
        stack.callback(index.close)
        ranker = Ranker(beir, catalog, index, embedder)
        asked = sorted(beir.relevant)
        if questions is not None and questions < len(asked):
            asked = np.random.default_rng(SEED).permutation(asked)[:questions].tolist()
        judged: dict[str, list[dict[str, float]]] = defaultdict(list)
        for number, id in enumerate(asked):
            for stage, ranking in ranker.rank(beir.questions[id]).items():
                judged[stage].append(judge(ranking, beir.relevant[id]))
            progress(number + 1, len(asked), "questions")
    groups = {stage: summed_up(judged[stage]) for stage in STAGES}
    return {"metrics": groups[STAGES[-1]], "groups": groups, "n": len(asked)}


# ---- the command


@regtape_command(
    "retrieval",
    short_help="Ranking of passages, stage by stage.",
    examples=(
        "regtape eval retrieval OBLIQA --split dev --json",
        "regtape eval retrieval OBLIQA --split dev --questions 300 --keep FOLDER",
        "regtape eval retrieval --financebench questions.jsonl --pdfs PDFS --keep FOLDER",
    ),
)
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--split", default="test", show_default=True, help="Of qrels/, e.g. dev.")
@click.option(
    "--financebench", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="QUESTIONS.jsonl",
    help="Instead of FOLDER: questions with gold pages, over --pdfs.",
)  # fmt: skip
@click.option(
    "--pdfs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of their PDFs.",
)
@click.option("--questions", type=click.IntRange(1), help="So many of them, drawn by a fixed seed.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
    help="Keep the index there, and take it from there the next time.",
)  # fmt: skip
def command(
    folder: Path | None,
    split: str,
    financebench: Path | None,
    pdfs: Path | None,
    questions: int | None,
    keep: Path | None,
) -> int:
    """Rank the passages of FOLDER (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv) for each judged question, with BM25 beside."""
    if (folder is None) == (financebench is None) or (financebench is None) != (pdfs is None):
        raise click.UsageError("name a BEIR folder, or --financebench with --pdfs")
    home = keep or Path(tempfile.mkdtemp(prefix="regtape-retrieval-"))
    try:
        if financebench is not None and pdfs is not None:
            found = _pages(financebench, pdfs, home, questions)
        else:
            assert folder is not None
            found = _passages(folder, split, home, questions)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if wants_json():
        print_json(found)
    else:
        click.echo(table(found))
    return DONE


def _passages(folder: Path, split: str, home: Path, questions: int | None) -> dict[str, Any]:
    from api.console import progress
    from ingest.embed import open_embedder

    chosen = settings()
    beir = read_beir(folder, split)
    embedder = open_embedder(
        chosen.embedder, threads=chosen.threads, cache_dir=chosen.models_folder
    )
    with progress("eval", "steps") as tell:
        found = measure(beir, home, embedder, questions=questions, progress=tell)
    of = {"dataset": f"{folder.name}/{split}", "passages": len(beir.passages)}
    return {"task": "retrieval", **of, "embedder": embedder.name, **found}


def _pages(path: Path, pdfs: Path, home: Path, questions: int | None) -> dict[str, Any]:
    from api.console import progress
    from eval import financebench

    usual = settings()
    chosen = usual.model_copy(update={"home": home, "models": usual.models_folder})
    asked = financebench.read_questions(path)
    if questions is not None and questions < len(asked):
        picks = np.random.default_rng(SEED).permutation(len(asked))[:questions]
        asked = [asked[at] for at in sorted(picks.tolist())]
    with progress("eval", "steps") as tell:
        found = financebench.measure(asked, pdfs, chosen, progress=tell)
    return {"task": "retrieval", "dataset": path.name, "embedder": chosen.embedder, **found}


def table(found: Mapping[str, Any]) -> str:
    """A line a stage, a column a figure."""
    names = list(found["metrics"])
    width = max(map(len, found["groups"])) + 2
    lines = ["".ljust(width) + "".join(f"{name:>12}" for name in names)]
    for stage, figures in found["groups"].items():
        lines.append(
            stage.ljust(width) + "".join(f"{figures[name]['value']:>12.4f}" for name in names)
        )
    lines.append(f"{found['n']} questions of {found['dataset']}")
    return "\n".join(lines)
