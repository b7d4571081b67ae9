"""A folder of passages, questions and judgements (BEIR's form) in, how well each stage of retrieval ranks the passages out.

    bm25      plain: letters and digits, no stems, Robertson's formula with the usual k1 = 1.2, b = 0.75 (the yardstick)
    lexical   ours: stems, the law's tokens whole, headings weighed, BM25 with our parameters
    dense     cosine of the embedder's vectors
    fused     both, as `agent.retrieve` fuses them
    reranked  the first RERANKED of those, by their fused score and what a cross-encoder says, where one is named

Passages are cut, embedded and indexed by the code that indexes documents, each as a document of one section. What stands
beside a passage is the one before and behind it in the folder whose id begins with the same document ("7:…"). A passage ranks
as its best piece does.

    recall@k   share of a question's relevant passages among the first k, mean over questions
    map@10     mean of the precisions at the relevant ones of the first ten, over min(relevant, 10)
    ndcg@10    discounted by log2(rank + 1), over that of an ideal order
    mrr        1 / rank of the first relevant one among the first hundred
"""

import re
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from agent.rerank import Reranker, mixed
from agent.retrieve import Scores, understand
from api.console import DONE, print_json, regtape_command, settings, wants_json
from eval.scoring import SEED, Measures, bootstrapped
from ingest.beir import Beir, Progress, index_passages, passage_of_rows, read_beir, read_held
from ingest.catalog import Catalog
from ingest.embed import Embedder
from ingest.index import Index, View

DEPTH = 100  # of a ranking that is judged
STAGES = ("bm25", "lexical", "dense", "fused")
RERANKED, SHARE = 20, 0.3  # how many are reranked, and what the reranker's word counts
_CUTS = (1, 5, 10, 100)
_DRAWS = 500

Floats = NDArray[np.float64]


# ---- stages


class Ranker:
    """Ranks passages for a question, stage by stage."""

    def __init__(
        self,
        beir: Beir,
        catalog: Catalog,
        index: Index,
        embedder: Embedder,
        reranker: Reranker | None = None,
    ) -> None:
        self._index, self._embedder, self._reranker = index, embedder, reranker
        self._view: View = index.view(datetime.now(UTC))
        self._ids, self._texts = list(beir.passages), [text for _, text in beir.passages.values()]
        self._passage = passage_of_rows(beir, catalog, index)
        # "7:3.3.41" and "7:3.3.42" are of one document, and lie in its order.
        self._documents = np.array([id.partition(":")[0] for id in self._ids])
        self._plain = PlainBm25([f"{title} {text}" for title, text in beir.passages.values()])

    def rank(self, question: str) -> dict[str, list[str]]:
        """The best DEPTH passages by each stage."""
        query = understand(question, self._embedder)
        scores = Scores(
            self._index.dense(query.vector, self._view),
            self._index.lexical(query.weights, self._view, query.pairs),
        )
        candidates = scores.candidates(self._view)
        fused = np.full(self._index.size, -np.inf)
        fused[candidates] = scores.fused(
            candidates, self._around(candidates), np.full(len(candidates), -1)
        )
        found = {"bm25": self._plain.scores(question)}
        for name, each in (("lexical", scores.lexical), ("dense", scores.dense), ("fused", fused)):
            best = np.full(len(self._ids), -np.inf)
            np.maximum.at(best, self._passage, np.asarray(each, np.float64))
            found[name] = best
        if self._reranker is not None:
            found["reranked"] = self._reranked(question, found["fused"], self._reranker)
        return {name: self._best(each) for name, each in found.items()}

    def _around(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As Index.around, by the documents that the passages are of."""
        beside = rows[:, np.newaxis] + np.array([-1, 1])
        inside = (beside >= 0) & (beside < self._index.size)
        other = self._documents[self._passage[np.where(inside, beside, 0)]]
        same = inside & (other == self._documents[self._passage[rows]][:, np.newaxis])
        return np.where(same, beside, -1)

    def _reranked(self, question: str, fused: Floats, reranker: Reranker) -> Floats:
        """The first of the fused ranking in an order of their own, all of them above the rest."""
        first = np.argsort(-fused, kind="stable")[:RERANKED]
        first = first[np.isfinite(fused[first])]
        read = reranker.score(question, [self._texts[at] for at in first])
        found = fused.copy()
        found[first] = 10 + mixed(fused[first], read, SHARE)
        return found

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
    return {name: bootstrapped(np.array([one[name] for one in each]), _DRAWS) for name in each[0]}


def measure(
    beir: Beir, home: Path, embedder: Embedder, *, questions: int | None = None, reranker: Reranker | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:  # fmt: skip
    """The figures of each stage over the judged questions, or so many of them, drawn by a fixed seed."""
    catalog, index = index_passages(beir, home, embedder, progress=progress)
    with ExitStack() as stack:
        stack.callback(catalog.close)
        stack.callback(index.close)
        ranker = Ranker(beir, catalog, index, embedder, reranker)
        asked = sorted(beir.relevant)
        if questions is not None and questions < len(asked):
            asked = np.random.default_rng(SEED).permutation(asked)[:questions].tolist()
        judged: dict[str, list[dict[str, float]]] = defaultdict(list)
        for number, id in enumerate(asked):
            for stage, ranking in ranker.rank(beir.questions[id]).items():
                judged[stage].append(judge(ranking, beir.relevant[id]))
            progress(number + 1, len(asked), "questions")
    groups = {stage: summed_up(each) for stage, each in judged.items()}
    return {
        "metrics": groups["reranked" if reranker else "fused"],
        "groups": groups,
        "n": len(asked),
    }


# ---- the command


@regtape_command(
    "retrieval",
    short_help="Ranking of passages, stage by stage.",
    examples=(
        "regtape eval retrieval OBLIQA --split dev --json",
        "regtape eval retrieval OBLIQA --split dev --questions 300 --keep FOLDER",
        "regtape eval retrieval OBLIQA --split dev --only-held my-embedder/split.jsonl",
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
@click.option(
    "--only-held", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="SPLIT.jsonl",
    help="Only the questions that `regtape train` held apart, as it wrote them beside the model.",
)  # fmt: skip
@click.option(
    "--reranker", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="MODEL",
    help="A folder that `regtape train reranker` wrote; adds the stage `reranked`.",
)  # fmt: skip
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
    only_held: Path | None,
    reranker: Path | None,
    questions: int | None,
    keep: Path | None,
) -> int:
    """Rank the passages of FOLDER (corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv) for each judged question, with BM25 beside."""
    if (folder is None) == (financebench is None) or (financebench is None) != (pdfs is None):
        raise click.UsageError("name a BEIR folder, or --financebench with --pdfs")
    if folder is None and (only_held or reranker):
        raise click.UsageError("--only-held and --reranker are for a BEIR folder")
    home = keep or Path(tempfile.mkdtemp(prefix="regtape-retrieval-"))
    try:
        if financebench is not None and pdfs is not None:
            found = _pages(financebench, pdfs, home, questions)
        else:
            assert folder is not None
            found = _passages(folder, split, home, questions, only_held, reranker)
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if wants_json():
        print_json(found)
    else:
        click.echo(table(found))
    return DONE


def _passages(
    folder: Path, split: str, home: Path, questions: int | None, held: Path | None, reranker: Path | None
) -> dict[str, Any]:  # fmt: skip
    from api.console import progress
    from ingest.embed import open_embedder

    chosen = settings()
    beir = read_beir(folder, split)
    if held is not None:
        beir = read_held(held, beir)
    embedder = open_embedder(
        chosen.embedder, threads=chosen.threads, cache_dir=chosen.models_folder
    )
    cross = reranker and Reranker(reranker, threads=chosen.threads, cache_dir=chosen.models_folder)
    with progress("eval", "steps") as tell:
        found = measure(
            beir, home, embedder, questions=questions, reranker=cross or None, progress=tell
        )
    dataset = f"{folder.name}/{split}" + ("/held" if held else "")
    used = {"embedder": embedder.name, "reranker": reranker.name if reranker else None}
    return {
        "task": "retrieval",
        "dataset": dataset,
        "passages": len(beir.passages),
        **used,
        **found,
    }


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
