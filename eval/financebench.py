"""Questions with gold pages and a folder of PDFs in, how often a retrieved passage lies on a gold page out.

One index over all PDFs, through the pipeline that documents go through; a question is also asked of its own PDF alone. It
counts at k when one of the first k passages lies on a page of its evidence, or its words are among those of the evidence.
Rows of questions are {id, question, doc_name, evidence: [{doc_name, page_index0, text}]}; doc_name is the PDF's name without
".pdf", page_index0 counts from 0. (FinanceBench: Islam et al. 2023, arXiv 2311.11944.)

    lexical, dense   pieces by BM25 or by cosine alone
    retrieved        what `ask` reads
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.retrieve import retrieve, understand
from api.services import Services, open_services
from api.settings import Settings
from eval.scoring import Measures, bootstrapped, quote_inside
from ingest.catalog import Filters, Held
from ingest.errors import BadRequest
from ingest.moment import now
from ingest.pipeline import sources

STAGES = ("lexical", "dense", "retrieved")
_CUTS = (1, 5, 10)
_DEPTH = 10
_LEAST = 40  # letters of a piece that can be told to be of the evidence

Progress = Callable[[int, int | None, str], None]


@dataclass(frozen=True, slots=True)
class Gold:
    """A page that answers: of which PDF, counted from 1, and its words."""

    document: str
    page: int
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one PDF."""

    id: str
    words: str
    document: str
    gold: tuple[Gold, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What was retrieved: of which PDF, its first and last page, its words."""

    document: str
    first: int | None
    last: int | None
    text: str


def read_questions(path: Path) -> list[Question]:
    """Raises BadRequest where a line cannot be read."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            gold = tuple(
                Gold(each["doc_name"], int(each["page_index0"]) + 1, each["text"])
                for each in row["evidence"]
            )
            found.append(Question(row["id"], row["question"], row["doc_name"], gold))
        except (ValueError, KeyError, TypeError) as exc:
            raise BadRequest(
                f"{path.name}, line {number}: needs id, question, doc_name and evidence with page_index0 ({exc!r})"
            ) from exc
    return found


def rank_of(pieces: Sequence[Piece], gold: Sequence[Gold]) -> int | None:
    """The place, from 1, of the first piece that lies on a gold page or in a gold text."""
    for place, piece in enumerate(pieces, start=1):
        if any(_lies_on(piece, each) for each in gold):
            return place
    return None


def _lies_on(piece: Piece, gold: Gold) -> bool:
    if piece.document != gold.document:
        return False
    if (
        piece.first is not None
        and piece.last is not None
        and piece.first <= gold.page <= piece.last
    ):
        return True
    letters = sum(map(str.isalnum, piece.text))
    return letters >= _LEAST and quote_inside(piece.text, gold.text)


def measure(
    questions: Sequence[Question], pdfs: Path, settings: Settings, *, progress: Progress
) -> dict[str, Any]:
    """Figures of each stage over one index of all PDFs, and over each question's own PDF. settings.home: where that is kept."""
    from api.commands.ingest import bring_in

    bring_in(sources([pdfs]), settings, progress)
    ranks: dict[str, list[int | None]] = defaultdict(list)
    with open_services(settings) as services:
        services.index.refresh()
        held = {Path(each.path).stem: each for each in services.catalog.documents()}
        if missing := sorted({q.document for q in questions} - held.keys()):
            raise BadRequest(f"{pdfs} has no {missing[0]}.pdf ({len(missing)} are missing)")
        names = {each.offset: name for name, each in held.items()}
        for number, question in enumerate(questions, start=1):
            own = Filters(document=held[question.document].id)
            for scope, filters in (("shared index", None), ("own document", own)):
                for stage, pieces in _pieces(services, question.words, filters, names, held):
                    ranks[f"{scope}, {stage}"].append(rank_of(pieces, question.gold))
            progress(number, len(questions), "questions")
    groups = {name: _figures(found) for name, found in ranks.items()}
    return {"metrics": groups["shared index, retrieved"], "groups": groups, "n": len(questions)}


def _pieces(
    services: Services,
    words: str,
    filters: Filters | None,
    names: dict[int, str],
    held: dict[str, Held],
) -> Iterator[tuple[str, list[Piece]]]:
    catalog, index, at = services.catalog, services.index, now()
    query, view = understand(words, services.embedder), index.view(at, filters=filters)
    for stage, scores in (
        ("lexical", index.lexical(query.weights, view, query.pairs)),
        ("dense", index.dense(query.vector, view)),
    ):
        yield stage, list(_best(services, np.asarray(scores, np.float64), view.mask, names, held))
    evidence = retrieve(
        words, as_of=at, k=_DEPTH, catalog=catalog, index=index, embedder=services.embedder, filters=filters
    )  # fmt: skip
    of_id = {each.id: name for name, each in held.items()}
    yield (
        "retrieved",
        [
            Piece(
                of_id[each.document_id], catalog.page_at(each.document_id, each.start),
                catalog.page_at(each.document_id, max(each.start, each.end - 1)), each.text,
            )
            for each in evidence.passages
        ],
    )  # fmt: skip


def _best(
    services: Services,
    scores: NDArray[np.float64],
    mask: NDArray[np.bool_],
    names: dict[int, str],
    held: dict[str, Held],
) -> Iterator[Piece]:
    order = np.argsort(-np.where(mask, scores, -np.inf), kind="stable")[:_DEPTH]
    for row in services.index.rows(order[mask[order]].tolist()):
        name = names[row.offset]
        text = services.catalog.text(held[name].id)[row.start : row.end]
        last = services.catalog.page_at(held[name].id, max(row.start, row.end - 1))
        yield Piece(name, row.page, last, text)


def _figures(ranks: Sequence[int | None]) -> Measures:
    """Shares with 95 % bootstrap intervals over questions."""
    return {
        f"page@{k}": bootstrapped(np.array([float(r is not None and r <= k) for r in ranks]))
        for k in _CUTS
    }
