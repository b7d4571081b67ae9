"""Question in, evidence out: dense + lexical → fuse → dedupe → vary → widen, as of a moment.

Scores are those of `ingest.index` over exactly the passages known by then. Fusion is a weighted sum
of min-max normalised scores over the union of both candidate lists (Bruch, Gai, Ingber, "An
Analysis of Fusion Functions for Hybrid Retrieval", 2023, found it ahead of reciprocal rank fusion);
ties are broken by chunk id. Every constant was chosen on the dev questions.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from agent.filings import asked_filings, filings_of
from agent.reply import Passage
from ingest.catalog import Catalog, Filters, Held
from ingest.chunk import SEPARATOR
from ingest.document import Authority, DocType, Kind
from ingest.embed import Embedder
from ingest.index import Index, Row, View
from ingest.tokens import query_pairs, query_terms

CANDIDATES = 120  # taken from each of the two lists
DENSE_SHARE = 0.5  # of the fused score
# Of two terms that stand side by side in the question, for passages in which they do.
PAIR_WEIGHT = 0.3
# What stands beside a passage that answers is on the same thing; so is the sentence that calls a footnote.
BESIDE_WEIGHT, CALLING_WEIGHT = (
    0.2,
    0.1,
)  # of the fused score of the better neighbour; of the caller
VARIED, ALIKE_PENALTY = 60, 0.1  # of so many of the best, times the cosine with a better one
NAME_WEIGHT = 0.8  # of a term that agent/names.toml added to the question
PASSAGE_CHARACTERS = 1800  # a chunk is shown with its neighbours of the same section up to this
NEIGHBOURS = 3  # on either side
_GROUP = 64  # neighbours of whose scores the best is looked at first
RUN = 8  # words in a row that two texts share only if one copies the other

# Notes and front matter answer less often than running text; secondary sources only where no one
# official speaks.
_KIND_PRIOR = {Kind.FOOTNOTE: -0.15, Kind.HEADER: -0.02, Kind.RULE_TEXT: 0.03}
_AUTHORITY_PRIOR = {
    Authority.OFFICIAL_TEXT: 0.0,
    Authority.OFFICIAL_STATEMENT: -0.01,
    Authority.SECONDARY: -0.03,
}
_YEAR_BONUS = 0.15
_RULE_BONUS = 0.05  # a document that says it concerns the rule that a question names by number
_GUIDE_PENALTY = -0.05
_OVER_PENALTY = -0.45
# A release says what it does once in a sentence, up front; the sections that argue for it share more words with a question.
_SUMMARY_BONUS, _UP_FRONT = 0.06, 0.25  # of a document's length
_SUMMARY = re.compile(r"\b(?:summary|overview|introduction)\b", re.IGNORECASE)

_DATED_DOCUMENTS, _FRONT_MATTER = 3, 14
_ASKS_DATES = re.compile(
    r"\b(?:when|what date|which date|by what date|effective|compliance date|take effect|in effect|"
    r"in force|bind|deadline|until|how (?:long|soon) after|comment period|comments? due|"
    r"how many days)\b",
    re.IGNORECASE,
)
_STATES_DATES = re.compile(
    r"\bDATES?:|\b(?:effective|compliance|comment)s?\b.{0,40}\bdate|\bcomments should be",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(19[89]\d|20[0-4]\d)\b")
_RULE = re.compile(
    r"(?:\brules? |§+ ?|\b(?=24\d\.))(?:24\d\.)?(\d+[a-z]?\d*(?:-\d+)?[a-z]?)\b|\b(\d+[a-z]\d*-\d+|\d{3}t)\b",
    re.IGNORECASE,
)

Scored = tuple[float, Row]


@dataclass(frozen=True, slots=True)
class Query:
    """A question understood: weights of its terms and of neighbours among them, the years and rule numbers it names, its
    vector (dimensions,)."""

    words: str
    weights: dict[str, float]
    pairs: dict[tuple[str, str], float]
    own_terms: tuple[str, ...]
    years: frozenset[int]
    rules: frozenset[str]
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Passages best first, and what the refusal and the drafters need of the search."""

    query: Query
    passages: tuple[Passage, ...]
    view: View


def understand(question: str, embedder: Embedder, *, on_filings: bool = False) -> Query:
    """Terms with weights: the question's own, and at lower weight those that the field's names
    add. What it says on the form of the answer is not searched for, but for those names.
    on_filings: whether the names of accounting count among them.
    """
    sought = _without_instructions(question)
    own = query_terms(sought)
    weights = dict.fromkeys(own, 1.0)
    for phrase, added in _names("names.toml") + (_names("accounts.toml") if on_filings else ()):
        if phrase.search(question):
            for term in query_terms(added):
                weights.setdefault(term, NAME_WEIGHT)
    years = frozenset(int(y) for y in _YEAR.findall(question))
    rules = frozenset((a or b).lower() for a, b in _RULE.findall(question))
    pairs = dict.fromkeys(query_pairs(sought), PAIR_WEIGHT)
    return Query(question, weights, pairs, tuple(own), years, rules, embedder.embed([sought])[0])


# "Round to two decimal places.", "If that is not a useful metric, say so."
_INSTRUCTION = re.compile(
    r"(?:please|answer|round|give|respond|calculate|compute|base|basing|assume|provide|use|we need|your answer)\b|"
    r"if .{3,80}\b(?:not|isn't)\b.{0,40}\b(?:useful|relevant|meaningful|explicitly)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.?!:])\s+")


def _without_instructions(question: str) -> str:
    """The question without sentences that only say how to answer it; all of it where nothing else is left."""
    sentences = _SENTENCE.split(question.strip())
    return " ".join(each for each in sentences if not _INSTRUCTION.match(each)) or question


@cache
def _names(file: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    table = tomllib.loads(files("agent").joinpath(file).read_text("utf-8"))
    return tuple(
        (re.compile(rf"\b{re.escape(said)}(?:s|es)?\b", re.IGNORECASE), written)
        for said, written in table.items()
    )


def written_as(name: str) -> list[str]:
    """How documents write what people call by this name, and by no longer one."""
    return [written for said, written in _names("names.toml") if said.fullmatch(name)]


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
    over: Collection[str] = (),
) -> Evidence:
    """The k best passages known by `as_of`, best first; fewer where fewer are held. over: works that are asked for last."""
    view = index.view(as_of, head=head, filters=filters)
    filings = [
        each
        for each in filings_of(catalog)
        if each.known_at <= as_of and (head is None or each.offset <= head)
    ]
    meant = asked_filings(question, filings)
    only_filings = bool(filters) and index.documents(view) <= {each.offset for each in filings}
    query = understand(question, embedder, on_filings=bool(meant) or only_filings)
    if not view.count:
        return Evidence(query, (), view)
    scores = Scores(
        index.dense(query.vector, view), index.lexical(query.weights, view, query.pairs)
    )
    candidates = scores.candidates(view, index.among(view, meant))
    rows = index.rows(candidates.tolist())
    held = {h.offset: h for h in catalog.at(sorted({r.offset for r in rows}))}
    fused = scores.fused(candidates, index.around(candidates), index.calling(candidates))
    of_document = {
        offset: _document_prior(each, query)
        + meant.get(offset, 0.0)
        + (_OVER_PENALTY if each.work_id in over else 0.0)
        for offset, each in held.items()
    }
    scored = [
        (score + of_document[row.offset] + _passage_prior(row, held[row.offset]), row)
        for score, row in zip(fused.tolist(), rows, strict=True)
    ]
    if _ASKS_DATES.search(question):
        scored = _with_dates(scored, query, index, view, held, catalog)
    scored.sort(key=lambda pair: (-pair[0], pair[1].id))
    kept = _varied(_distinct(scored), index)
    return Evidence(query, _passages(kept, k, held, catalog, index, scores), view)


@dataclass(frozen=True, slots=True)
class Scores:
    """Cosine and BM25 of every row, each (rows,)."""

    dense: NDArray[np.float32]
    lexical: NDArray[np.float64]

    def candidates(self, *views: View) -> NDArray[np.int64]:
        """Rows among the best of either list in any of these views, in order of row."""
        found = [np.empty(0, np.int64)]
        for view in (view for view in views if view.count):
            take = min(CANDIDATES, view.count)
            by_words = _top(np.where(view.mask, self.lexical, 0.0), take)
            both = np.union1d(
                _top(np.where(view.mask, self.dense, np.float32(-1.0)), take),
                by_words[self.lexical[by_words] > 0],
            )
            found.append(both[view.mask[both]])
        return np.unique(np.concatenate(found))

    def fused(
        self, rows: NDArray[np.int64], around: NDArray[np.int64], calling: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(rows,): words and vectors together, of each row and of what stands around it.

        around: (rows, 2), the rows before and behind each; calling: (rows,), the row whose text calls a note; -1 for none.
        """
        fused = self._both(rows, rows)
        fused += BESIDE_WEIGHT * self._both(around, rows).max(axis=1)
        fused += CALLING_WEIGHT * self._both(calling, rows)
        return fused

    def _both(self, rows: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.float64]:
        """Both scores of rows, each brought to the range that it has among others, and added; 0 for row -1 or below all."""
        found = DENSE_SHARE * _scaled(self.dense[rows].astype(np.float64), self.dense[among])
        found += (1 - DENSE_SHARE) * _scaled(self.lexical[rows], self.lexical[among])
        return np.where(rows >= 0, np.maximum(found, 0.0), 0.0)


def unit(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores brought to 0..1 among themselves; all 0 where they are alike."""
    return _scaled(scores, scores)


def _scaled(scores: NDArray[np.float64], among: NDArray[np.floating]) -> NDArray[np.float64]:
    low, high = float(among.min()), float(among.max())
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


def _top(scores: NDArray[np.floating], take: int) -> NDArray[np.int64]:
    """The best rows; those that tie with the last of them come along, so no cut depends on
    order.
    """
    if take >= len(scores):
        return np.arange(len(scores))
    # The take-th of the groups' best is no better than the take-th of all: only what reaches it is looked at again.
    groups = scores[: len(scores) // _GROUP * _GROUP].reshape(-1, _GROUP).max(axis=1)
    enough = take <= len(groups)
    bound = np.partition(groups, len(groups) - take)[len(groups) - take] if enough else -np.inf
    rows = np.flatnonzero(scores >= bound)
    threshold = np.partition(scores[rows], len(rows) - take)[len(rows) - take]
    best: NDArray[np.int64] = rows[scores[rows] >= threshold][: 4 * take]
    return best


def _document_prior(held: Held, query: Query) -> float:
    prior = _AUTHORITY_PRIOR[held.authority]
    if query.years & _years_of(held):
        prior += _YEAR_BONUS
    if _concerns(held, query):
        prior += _RULE_BONUS
    return prior + (_GUIDE_PENALTY if held.doc_type is DocType.GUIDE else 0.0)


def _passage_prior(row: Row, held: Held) -> float:
    prior = _KIND_PRIOR.get(row.kind, 0.0)
    if row.start < _UP_FRONT * held.characters and row.kind is not Kind.FOOTNOTE:
        prior += _SUMMARY_BONUS if _SUMMARY.search(row.context) else 0.0
    return prior


def _years_of(held: Held) -> set[int]:
    meta = held.metadata
    dates = (meta.published_on, meta.effective_on, meta.period)
    return {d.year for d in dates if d} | {int(y) for y in _YEAR.findall(held.title)}


def _with_dates(
    scored: Sequence[Scored],
    query: Query,
    index: Index,
    view: View,
    held: dict[int, Held],
    catalog: Catalog,
) -> list[Scored]:
    """The DATES lines of the likeliest documents, raised to where their document stands; to the top where it says that
    it concerns the very rule asked about.

    "Effective date: May 30, 2017." shares no word with "when did settlement shorten?", and answers
    it.
    """
    best: dict[int, float] = {}
    for score, row in scored:
        best[row.offset] = max(best.get(row.offset, score), score)
    top = max(best.values())
    for offset in best:
        if _concerns(held[offset], query):
            best[offset] = top + best[offset] / 100
    likely = sorted(best, key=lambda offset: (-best[offset], offset))[:_DATED_DOCUMENTS]
    raised = {row.id: (score, row) for score, row in scored}
    for offset in likely:
        text = catalog.text(held[offset].id)
        for row in index.siblings(offset, 0, _FRONT_MATTER):
            states = row.kind is Kind.HEADER and _STATES_DATES.search(text[row.start : row.end])
            if states and view.mask[row.row]:
                raised[row.id] = (best[offset] - 0.01, row)
    return list(raised.values())


def _concerns(held: Held, query: Query) -> bool:
    """Whether a document says that it concerns a rule that the question names by number."""
    return bool(query.rules & {s.rpartition(".")[2].lower() for s in held.metadata.cfr_sections})


def _distinct(scored: Sequence[Scored]) -> list[Scored]:
    """Each wording once: copies of one notice are one piece of evidence."""
    first: dict[int, Scored] = {}
    for score, row in scored:
        first.setdefault(row.text_hash, (score, row))
    return list(first.values())


def _varied(kept: Sequence[Scored], index: Index) -> list[Scored]:
    """The best in an order in which what says much the same as a better one stands further behind (maximal marginal
    relevance: Carbonell and Goldstein, "The Use of MMR", 1998): evidence for the second half of a question comes in.
    """
    pool = kept[:VARIED]
    vectors = index.vectors([row.row for _, row in pool])
    alike = vectors @ vectors.T
    worth = np.array([score for score, _ in pool])
    nearest = np.zeros(len(pool))  # cosine with what is nearest among those taken
    left, order, score = np.ones(len(pool), np.bool_), list[Scored](), np.inf
    for _ in pool:
        best = int(np.argmax(np.where(left, worth - ALIKE_PENALTY * nearest, -np.inf)))
        score = min(score, float(worth[best]))  # none higher than what it stands behind
        order.append((score, pool[best][1]))
        left[best], nearest = False, np.maximum(nearest, alike[best])
    return order + [(min(score, each), row) for each, row in kept[VARIED:]]


def _passages(
    kept: Sequence[Scored],
    k: int,
    held: dict[int, Held],
    catalog: Catalog,
    index: Index,
    scores: Scores,
) -> tuple[Passage, ...]:
    """The best k, each with its neighbours; no wording twice."""
    used: set[tuple[int, int]] = set()
    said: dict[str, set[tuple[str, ...]]] = defaultdict(set)  # work → runs of words shown from it
    passages: list[Passage] = []
    for score, row in kept:
        if len(passages) == k:
            break
        document = held[row.offset]
        runs = _runs(catalog.text(document.id)[row.start : row.end])
        # A manifestation of the same work that is cut elsewhere has another hash but the same runs.
        if (row.offset, row.ordinal) in used or len(runs & said[document.work_id]) > len(runs) / 2:
            continue
        first, last = _with_neighbours(row, index, used)
        used |= {(row.offset, ordinal) for ordinal in range(first.ordinal, last.ordinal + 1)}
        passage = _passage(document, row, first, last, score, catalog, scores)
        said[document.work_id] |= _runs(passage.text)
        passages.append(passage)
    return tuple(passages)


def _with_neighbours(row: Row, index: Index, used: set[tuple[int, int]]) -> tuple[Row, Row]:
    """First and last chunk of the passage: found by a small piece, read with what stands around it."""
    first = last = row
    around = index.siblings(row.offset, row.ordinal - NEIGHBOURS, row.ordinal + NEIGHBOURS)
    by_ordinal = {r.ordinal: r for r in around if r.section == row.section or _is_kin(r, row)}
    for distance in range(1, NEIGHBOURS + 1):
        for step in (distance, -distance):
            neighbour = by_ordinal.get(row.ordinal + step)
            if neighbour is None or (row.offset, neighbour.ordinal) in used:
                continue
            adjoins = neighbour.ordinal in (last.ordinal + 1, first.ordinal - 1)
            low, high = (neighbour, last) if step < 0 else (first, neighbour)
            if adjoins and high.end - low.start <= PASSAGE_CHARACTERS:
                first, last = low, high
    return first, last


def _is_kin(one: Row, other: Row) -> bool:
    """Whether two paragraphs stand under one heading, or one under the other: (c) before its (c)(1) and (c)(2)."""
    if one.kind is not other.kind or one.kind in (Kind.FOOTNOTE, Kind.HEADER):
        return False
    a, b = one.context.split(SEPARATOR), other.context.split(SEPARATOR)
    shared = min(len(a), len(b))
    return a[:shared] == b[:shared] or a[:-1] == b[:-1]


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[n : n + RUN]) for n in range(max(1, len(words) - RUN + 1))}


def _passage(
    held: Held, row: Row, first: Row, last: Row, score: float, catalog: Catalog, scores: Scores
) -> Passage:
    return Passage(
        chunk_id=row.id,
        document_id=held.id,
        work_id=held.work_id,
        start=first.start,
        end=last.end,
        text=catalog.text(held.id)[first.start : last.end],
        title=held.title,
        reference=held.reference,
        authority=held.authority,
        doc_type=held.doc_type,
        section=first.context,
        page=first.page,
        known_at=held.known_at,
        backfilled=held.backfilled,
        score=score,
        dense=float(scores.dense[row.row]),
        lexical=float(scores.lexical[row.row]),
    )
