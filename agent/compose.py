"""Evidence in, answer sentences out, in the evidence's own words: select, trim, order.

Each sentence of the best passages gets a score from seven features (see `Features`); the weights
were fitted by logistic regression on the dev questions (does this sentence state a key fact?) by
`eval/tuning.py`. Sentences are taken
greedily by what they add: a term of the question that is covered already counts for little the
second time.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agent.reply import Passage, Speaker, Stage
from agent.retrieve import Evidence
from agent.verify import EvidenceSentence, evidence_sentence
from ingest.catalog import Catalog
from ingest.document import Kind, Section
from ingest.embed import Embedder
from ingest.index import Index
from ingest.sentences import sentences
from ingest.tokens import terms

PASSAGES = 8  # read for sentences
SHORTLIST = 36  # sentences embedded at question time; the rest are left on their lexical score
MOST_SENTENCES = 5
MOST_CHARACTERS = 1500
LONGEST = 900  # characters; what is longer is a run-on of a broken table or list, not a sentence

_MONEY = re.compile(r"\$\s?\d|\bpenny\b|\bcents?\b|\bdollars?\b", re.IGNORECASE)
_PERCENT = re.compile(r"\d\s?%|\bper ?cent\b|basis points?", re.IGNORECASE)
_DATE = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b|\b\d{4}\b"
)
_DURATION = re.compile(
    r"\b(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|thirty|sixty|ninety)[ -](?:\w+ )?(?:day|week|month|year|hour|minute|second)s?\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|half|third|quarter)\b",
    re.IGNORECASE,
)
_WANTS: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(question, re.IGNORECASE), answer)
    for question, answer in (
        (
            r"\b(?:when|what date|which date|by what date|effective date|compliance date|which month|which year|until when|deadline|as of when)\b",
            _DATE,
        ),
        (
            r"\bhow (?:long|many (?:days|months|years|weeks))|for what window|duration|how often|how soon\b",
            _DURATION,
        ),
        (
            r"\bhow much|what (?:fee|cost|dollar|price|amount|cap|dividend)|fee caps?|access fee\b",
            _MONEY,
        ),
        (
            r"\bpercent|what share|what part|what slice|what portion|how large|how big|threshold|what volume\b",
            _PERCENT,
        ),
        (
            r"\bhow many|how much|how high|how large|how low|what number|which number|what level|how bad\b",
            _NUMBER,
        ),
    )
)
_BACKWARD = re.compile(
    r"^(?:This|These|Those|That|Such|It|They|Its|Their|He|She|The (?:first|second|third|former|latter|other|same)|Both|Another|In addition|Further|Moreover|Thus|Therefore|As such|For example|Likewise|Similarly)\b"
)
_PROPOSED = re.compile(r"\bpropos", re.IGNORECASE)
_COMMENTER = re.compile(
    r"\b(?:commenters?|critics?|opponents?|said|argu|industry|firms? say)\b", re.IGNORECASE
)
_CITATION_ONLY = re.compile(r"^(?:See|Id\.|See also|See, e\.g\.|Cf\.|Supra)\b")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A labelled sentence of the evidence, with its terms, features and score."""

    passage: Passage
    rank: int
    quote: EvidenceSentence
    have: frozenset[str]
    features: NDArray[np.float64]
    score: float


FEATURES = (
    "passage",
    "coverage",
    "wider_coverage",
    "cosine",
    "wanted_value",
    "stance",
    "backward",
    "length",
)
_NOTHING = np.zeros(len(FEATURES))
# Fitted by eval/tuning.py on the dev questions; in the order of FEATURES.
WEIGHTS = np.array([1.6, 2.2, 0.9, 3.0, 0.9, 0.4, -0.35, 0.2])


def candidates(
    question: str, evidence: Evidence, catalog: Catalog, index: Index, embedder: Embedder
) -> list[Candidate]:
    """Every sentence of the first passages, best first."""
    found = [
        c
        for rank, passage in enumerate(evidence.passages[:PASSAGES])
        for c in _of_passage(rank, passage, evidence, catalog)
    ]
    weigh = _Weigher(question, evidence, index)
    rough = sorted(((weigh(c, 0.0), c) for c in found), key=lambda pair: -pair[0][1])
    shortlist = [c for _, c in rough[:SHORTLIST]]
    vectors = (
        embedder.embed([c.quote.text for c in shortlist])
        if shortlist
        else np.empty((0, embedder.dimensions), np.float32)
    )
    cosines = vectors @ evidence.query.vector
    scored = []
    for c, cosine in zip(shortlist, cosines, strict=True):
        features, score = weigh(c, float(cosine))
        scored.append(replace(c, features=features, score=score))
    return sorted(scored, key=lambda c: (-c.score, c.passage.chunk_id, c.quote.start))


def _of_passage(
    rank: int, passage: Passage, evidence: Evidence, catalog: Catalog
) -> list[Candidate]:
    text, sections, _ = catalog.body(passage.document_id)
    agency = catalog.document(passage.document_id).metadata.agency or ""
    made: list[Candidate] = []
    for start, end in sentences(text[passage.start : passage.end], passage.start):
        words = text[start:end]
        if not 25 <= len(words) <= LONGEST or _CITATION_ONLY.match(words):
            continue
        section = _section_at(sections, start)
        if _is_heading(words, section):
            continue
        quote = evidence_sentence(
            text,
            start,
            end,
            path=section.path if section else (),
            doc_type=passage.doc_type,
            kind=section.kind if section else "body",
            document_id=passage.document_id,
            title=passage.title,
            reference=passage.reference,
            agency=agency,
        )
        made.append(Candidate(passage, rank, quote, frozenset(terms(words)), _NOTHING, 0.0))
    return made


def _is_heading(words: str, section: Section | None) -> bool:
    """Whether a line only names what follows: it is in the heading path, or it is short and ends
    like none.
    """
    if not re.search(r"[a-z]{3}", words) or (section and words in section.path):
        return True
    table = section is not None and section.kind is Kind.TABLE
    return not table and len(words) < 120 and words[-1] not in '.;:!?"”’)]'


def _section_at(sections: Sequence[Section], offset: int) -> Section | None:
    at = bisect_right(sections, offset, key=lambda section: section.start) - 1
    return sections[at] if at >= 0 and offset < sections[at].end else None


class _Weigher:
    """Features and score of a sentence for one question; terms are weighed once."""

    def __init__(self, question: str, evidence: Evidence, index: Index) -> None:
        query, view = evidence.query, evidence.view
        self._own = {t: index.idf(t, view) for t in query.own_terms}
        self._wider = {t: index.idf(t, view) * w for t, w in query.weights.items()}
        self._wanted = [answer for asked, answer in _WANTS if asked.search(question)]
        self._proposed = bool(_PROPOSED.search(question))
        self._commenter = bool(_COMMENTER.search(question))
        self._best = max((p.score for p in evidence.passages), default=1.0)

    def __call__(self, c: Candidate, cosine: float) -> tuple[NDArray[np.float64], float]:
        # The heading path counts half: a sentence under "Compliance Date" need not say "compliance
        # date" again.
        heading = frozenset(terms(f"{c.passage.title} {c.passage.section}"))
        values = np.array(
            [
                c.passage.score / self._best if self._best > 0 else 0.0,
                _share(self._own, c.have, heading),
                _share(self._wider, c.have, heading),
                cosine,
                sum(bool(w.search(c.quote.text)) for w in self._wanted) / len(self._wanted)
                if self._wanted
                else 0.5,
                self._fits(c),
                float(bool(_BACKWARD.match(c.quote.text))),
                min(len(c.quote.text), 300) / 300,
            ]
        )
        return values, float(values @ WEIGHTS)

    def _fits(self, c: Candidate) -> float:
        """Whether who speaks, and at what stage, is what was asked for."""
        fit = 0.0
        if c.quote.stage is Stage.PROPOSED and not self._proposed:
            fit -= 1.0
        if c.quote.speaker is Speaker.COMMENTER:
            fit += 1.0 if self._commenter else -0.5
        if c.quote.stage in (Stage.ADOPTED, Stage.PROPOSED) and self._proposed:
            fit += 0.5
        if c.quote.stage in (Stage.HYPOTHETICAL, Stage.REJECTED):
            fit -= 0.5
        return fit


def _share(weights: dict[str, float], have: frozenset[str], heading: frozenset[str]) -> float:
    total = sum(weights.values())
    got = sum(w * (1.0 if t in have else 0.5 if t in heading else 0.0) for t, w in weights.items())
    return got / total if total else 0.0


def select(found: Sequence[Candidate], index: Index, evidence: Evidence) -> list[Candidate]:
    """The sentences to ship, in reading order: by document as first chosen, within it by place."""
    idf = {t: index.idf(t, evidence.view) for t in evidence.query.own_terms}
    total = sum(idf.values()) or 1.0
    chosen: list[Candidate] = []
    covered: set[str] = set()
    left = list(found)
    while (
        left
        and len(chosen) < MOST_SENTENCES
        and sum(len(c.quote.text) for c in chosen) < MOST_CHARACTERS
    ):
        gain = [
            c.score
            + 1.5 * sum(idf[t] for t in idf if t in c.have and t not in covered) / total
            - _repeats(c, chosen)
            for c in left
        ]
        best = left.pop(int(np.argmax(gain)))
        if chosen and best.score < 0.5 * chosen[0].score:
            break
        if _repeats(best, chosen) >= 3.0:
            continue
        chosen.append(best)
        covered |= best.have
    order = {c.passage.document_id: at for at, c in reversed(list(enumerate(chosen)))}
    return sorted(chosen, key=lambda c: (order[c.passage.document_id], c.quote.start))


def _repeats(c: Candidate, chosen: Sequence[Candidate]) -> float:
    """A penalty for saying again what is said: 3 or more for the same sentence in other clothes.

    Two sentences alike but for a number say different things, often the very difference asked for.
    """
    alike = (
        len(c.have & o.have) / max(1, len(c.have | o.have))
        for o in chosen
        if _figures(c.have) == _figures(o.have)
    )
    most = max(alike, default=0.0)
    return 4.0 * most if most > 0.6 else 0.0


def _figures(have: frozenset[str]) -> frozenset[str]:
    return frozenset(term for term in have if any(c.isdigit() for c in term))


@dataclass(frozen=True, slots=True)
class Sure:
    """Whether the chosen sentences answer the question. reason: what spoke against it, in words."""

    answers: bool
    probability: float
    reason: str


SURE_FEATURES = (
    "cosine",
    "best_coverage",
    "joint_coverage",
    "missing_key",
    "wanted_value",
    "passage_cosine",
)
# Logistic regression on the dev questions (eval/tuning.py): intercept, then in the order of
# SURE_FEATURES.
SURE_WEIGHTS = np.array([-4.0, 4.0, 2.0, 3.0, -2.0, 0.8, 2.0])
SURE_AT_LEAST = 0.5


def answerable(
    question: str,
    evidence: Evidence,
    found: Sequence[Candidate],
    chosen: Sequence[Candidate],
    index: Index,
) -> Sure:
    """How likely it is that the chosen sentences answer, and whether that is enough to ship
    them.
    """
    if not chosen:
        return Sure(False, 0.0, "no sentence bears on the question")
    values, missing = sure_features(question, evidence, chosen, index)
    probability = float(1 / (1 + np.exp(-(SURE_WEIGHTS[0] + values @ SURE_WEIGHTS[1:]))))
    reason = f"nothing on {', '.join(missing[:3])}" if missing else "the question's terms are found"
    return Sure(probability >= SURE_AT_LEAST, probability, reason)


def sure_features(
    question: str, evidence: Evidence, chosen: Sequence[Candidate], index: Index
) -> tuple[NDArray[np.float64], list[str]]:
    """Features in the order of SURE_FEATURES, and the telling terms that no chosen sentence or its
    heading contains.
    """
    query, view = evidence.query, evidence.view
    idf = {t: index.idf(t, view) for t in query.own_terms}
    total = sum(idf.values()) or 1.0
    said = [
        c.have | set(terms(f"{c.passage.title} {c.passage.section} {c.passage.reference}"))
        for c in chosen
    ]
    joint = set().union(*said)
    telling = sorted((t for t in idf if t not in joint), key=lambda t: -idf[t])
    wanted = [answer for asked, answer in _WANTS if asked.search(question)]
    values = np.array(
        [
            max(float(c.features[3]) for c in chosen),
            max(sum(idf[t] for t in idf if t in s) for s in said) / total,
            sum(idf[t] for t in idf if t in joint) / total,
            max((idf[t] for t in telling), default=0.0) / max(idf.values(), default=1.0),
            sum(any(w.search(c.quote.text) for c in chosen) for w in wanted) / len(wanted)
            if wanted
            else 0.5,
            max(p.dense for p in evidence.passages),
        ]
    )
    return values, telling
