"""Question in, evidence out: dense + lexical → fuse → dedupe → join neighbours, as of a moment.

Scores are those of `ingest.index` over exactly the passages known by then. Fusion is a weighted sum of min-max
normalised scores over the union of both candidate lists (Bruch, Gai, Ingber, "An Analysis of Fusion Functions for
Hybrid Retrieval", 2023, found it ahead of reciprocal rank fusion); ties are broken by chunk id.
"""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from agent.reply import Passage
from ingest.catalog import Catalog, Filters, Held
from ingest.document import Authority, DocType, Kind
from ingest.embed import Embedder
from ingest.index import Index, Row, View
from ingest.tokens import query_terms, terms

CANDIDATES = 120  # taken from each of the two lists
DENSE_SHARE = 0.4  # of the fused score; chosen on the dev questions
NAME_WEIGHT = 0.4  # of a term that agent/names.toml added to the question
JOIN_CHARACTERS = 2200  # neighbours that both match are one passage up to this length

# Notes and front matter answer less often than running text; secondary sources only where no one official speaks.
_KIND_PRIOR = {Kind.FOOTNOTE: -0.06, Kind.HEADER: -0.02, Kind.RULE_TEXT: 0.03}
_AUTHORITY_PRIOR = {Authority.OFFICIAL_TEXT: 0.0, Authority.OFFICIAL_STATEMENT: -0.01, Authority.SECONDARY: -0.03}
_YEAR = re.compile(r"\b(19[89]\d|20[0-4]\d)\b")


@dataclass(frozen=True, slots=True)
class Query:
    """A question understood: term → weight, the years it names, its vector (dimensions,), how many things it asks."""

    words: str
    weights: dict[str, float]
    own_terms: tuple[str, ...]
    years: frozenset[int]
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages best first, and what the refusal and the drafters need of the search."""

    query: Query
    passages: tuple[Passage, ...]
    view: View
    best_dense: float
    best_lexical: float


def understand(question: str, embedder: Embedder) -> Query:
    """Terms with weights, the question's own and at lower weight those that the field's names add."""
    own = query_terms(question)
    weights = dict.fromkeys(own, 1.0)
    for phrase, added in _names():
        if phrase.search(question):
            for term in query_terms(added):
                weights.setdefault(term, NAME_WEIGHT)
    years = frozenset(int(y) for y in _YEAR.findall(question))
    return Query(question, weights, tuple(own), years, embedder.embed([question])[0])


@cache
def _names() -> tuple[tuple[re.Pattern[str], str], ...]:
    table = tomllib.loads(files("agent").joinpath("names.toml").read_text("utf-8"))
    return tuple((re.compile(rf"\b{re.escape(k)}(?:s|es)?\b", re.IGNORECASE), v) for k, v in table.items())


def retrieve(
    question: str,
    *,
    as_of: datetime,
    k: int,
    catalog: Catalog,
    index: Index,
    embedder: Embedder,
    filters: Filters | None = None,
    head: int | None = None,
) -> Evidence:
    """The k best passages known by `as_of`, best first; fewer where fewer are held."""
    query = understand(question, embedder)
    view = index.view(as_of, head=head, filters=filters)
    if not view.count:
        return Evidence(query, (), view, 0.0, 0.0)
    dense, lexical = index.dense(query.vector, view), index.lexical(query.weights, view)
    candidates = _candidates(dense, lexical, view)
    rows = index.rows(candidates.tolist())
    held = {h.offset: h for h in _held(catalog, {r.offset for r in rows})}
    fused = _fuse(dense[candidates], lexical[candidates])
    scored = [
        (float(score) + _prior(row, held[row.offset], query), row)
        for score, row in zip(fused, rows, strict=True)
        if row.kind is not Kind.CONTENTS
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1].id))
    kept = _distinct(scored, held)
    passages = _passages(kept, k, held, catalog, dense, lexical)
    return Evidence(query, passages, view, float(dense[candidates].max()), float(lexical.max()))


def _candidates(dense: NDArray[np.float32], lexical: NDArray[np.float64], view: View) -> NDArray[np.int64]:
    """Rows among the best of either list, in order of row."""
    take = min(CANDIDATES, view.count)
    by_lexical = _top(lexical, take)
    both = np.union1d(_top(dense, take), by_lexical[lexical[by_lexical] > 0])
    return both[view.mask[both]]


def _top(scores: NDArray[np.floating], take: int) -> NDArray[np.int64]:
    """The best `take` rows; rows that tie with the last of them all come along, so the cut never depends on order."""
    if take >= len(scores):
        return np.arange(len(scores))
    threshold = np.partition(scores, len(scores) - take)[len(scores) - take]
    return np.flatnonzero(scores >= threshold)[: 4 * take]


def _fuse(dense: NDArray[np.float32], lexical: NDArray[np.float64]) -> NDArray[np.float64]:
    return DENSE_SHARE * _unit(dense.astype(np.float64)) + (1 - DENSE_SHARE) * _unit(lexical)


def _unit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(scores.min()), float(scores.max())
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _prior(row: Row, held: Held, query: Query) -> float:
    prior = _KIND_PRIOR.get(row.kind, 0.0) + _AUTHORITY_PRIOR[held.authority]
    if query.years and (years := _years_of(held)):
        prior += 0.08 if query.years & years else 0.0
    if held.doc_type is DocType.GUIDE:
        prior -= 0.05
    return prior


def _years_of(held: Held) -> set[int]:
    meta = held.metadata
    dates = (meta.published_on, meta.effective_on, meta.period)
    return {d.year for d in dates if d} | {int(y) for y in _YEAR.findall(held.title)}


def _held(catalog: Catalog, offsets: set[int]) -> Sequence[Held]:
    return catalog.at(sorted(offsets))


def _distinct(scored: Sequence[tuple[float, Row]], held: dict[int, Held]) -> list[tuple[float, Row]]:
    """Each wording once: manifestations of one work, and copies of one notice, are one piece of evidence."""
    kept: list[tuple[float, Row]] = []
    seen: set[int] = set()
    for score, row in scored:
        if row.text_hash not in seen:
            seen.add(row.text_hash)
            kept.append((score, row))
    return kept


def _passages(
    kept: Sequence[tuple[float, Row]],
    k: int,
    held: dict[int, Held],
    catalog: Catalog,
    dense: NDArray[np.float32],
    lexical: NDArray[np.float64],
) -> tuple[Passage, ...]:
    """The best k after joining neighbours in the same section that are both among the best."""
    near = {(row.offset, row.ordinal): (score, row) for score, row in kept[: 3 * k]}
    used: set[tuple[int, int]] = set()
    passages: list[Passage] = []
    for score, row in kept:
        if len(passages) == k:
            break
        if (row.offset, row.ordinal) in used:
            continue
        first = last = row
        for step in (-1, 1):
            neighbour = near.get((row.offset, row.ordinal + step))
            if neighbour is None or neighbour[1].section != row.section or (row.offset, row.ordinal + step) in used:
                continue
            low, high = (neighbour[1], last) if step < 0 else (first, neighbour[1])
            if high.end - low.start <= JOIN_CHARACTERS:
                first, last = low, high
        used |= {(row.offset, ordinal) for ordinal in range(first.ordinal, last.ordinal + 1)}
        passages.append(_passage(held[row.offset], row, first, last, score, catalog, float(dense[row.row]), float(lexical[row.row])))
    return tuple(passages)


def _passage(held: Held, row: Row, first: Row, last: Row, score: float, catalog: Catalog, dense: float, lexical: float) -> Passage:
    return Passage(
        chunk_id=row.id, document_id=held.id, work_id=held.work_id, start=first.start, end=last.end,
        text=catalog.text(held.id)[first.start : last.end], title=held.title, reference=held.reference,
        authority=held.authority, doc_type=held.doc_type, section=first.context, page=first.page,
        known_at=held.known_at, backfilled=held.backfilled, score=score, dense=dense, lexical=lexical,
    )  # fmt: skip


def coverage(query: Query, text: str, index: Index, view: View) -> float:
    """Share of the question's own terms, weighted by how telling each is, that a text contains; 0 to 1."""
    have = set(terms(text))
    total = sum(weights := [index.idf(t, view) for t in query.own_terms])
    return sum(w for t, w in zip(query.own_terms, weights, strict=True) if t in have) / total if total else 0.0
