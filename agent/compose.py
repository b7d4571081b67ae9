"""Evidence in, answer sentences out, in the evidence's own words: select, trim, order.

Each sentence of the best passages gets a score from a few features (FEATURES); the weights
were fitted by logistic regression on the dev questions (does this sentence state a key fact?) by
`eval/tuning.py`. Each part of a question gets the sentence that fits it best; then sentences are taken greedily by what they
add: a term of the question that is covered already counts for little the second time, and another document must be worth it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from agent.asked import DATES, asks, counts, gives, wanted, wanted_counts, wanted_roles
from agent.cite import LISTED, is_title, prose, sentence_at
from agent.reply import Passage, Speaker, Stage
from agent.retrieve import Evidence
from agent.values import values
from agent.verify import EvidenceSentence, evidence_sentence
from ingest.catalog import Catalog
from ingest.document import Kind, Section, section_at
from ingest.embed import Embedder
from ingest.index import Index
from ingest.sentences import sentences
from ingest.tokens import query_terms, terms

PASSAGES = 8  # read for sentences
SHORTLIST = 36  # sentences embedded at question time; the rest are left on their lexical score
MOST_SENTENCES = 4
MOST_FOR_PARTS = 5  # where a question asks several things
MOST_CHARACTERS = 1500
DATE_LINES = 2  # of a DATES section that may be quoted for one date asked about
COUNTED = 0.5  # more for a sentence that counts the very thing asked about
# What pads answers (measured on the dev questions): sentences far from the question by meaning, all the more so in documents
# of which no passage is among the best, and single sentences of yet another document.
FAR, LIKELY, NEAR_ENOUGH = 0.35, 2, 0.5  # cosine; best passages; cosine asked of other documents
OTHER_DOCUMENT = 0.6  # of a score, about 6 for a good sentence
LATER = 1.0  # of a score: what is from after the day asked about
NEAR, SHARED = 0.46, 0.25  # cosine, and share of the question's weighted terms
LONGEST = 900  # characters; what is longer is a run-on of a broken table or list, not a sentence

_BACKWARD = re.compile(
    r"^(?:This|These|Those|That|Such|It|They|Its|Their|He|She|Both|Another|Further|Moreover|Thus|"
    r"Therefore|Likewise|Similarly|In addition|As such|For example|"
    r"The (?:first|second|third|former|latter|other|same))\b"
)
_PROPOSED = re.compile(r"\bpropos", re.IGNORECASE)
_DATES = re.compile(r"\bDATES\b")
_COMMENTER = re.compile(
    r"\b(?:commenters?|critics?|opponents?|said|argu|industry|firms? say)\b", re.IGNORECASE
)
_NO_SENTENCE = re.compile(
    r"^\"\w+\":|^(?:See|Id\.|See also|See, e\.g\.|Cf\.|Supra)\b|^(?:Published|Source|Document Number|URL): "
    r"|^\[(?:Federal Register|Release No)"
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A labelled sentence of the evidence, with its terms, features and score; fits: its score for each part of a question
    that asks several things.
    """

    passage: Passage
    quote: EvidenceSentence
    have: frozenset[str]
    features: NDArray[np.float64]
    score: float
    fits: tuple[float, ...] = ()


FEATURES = (
    "passage",
    "coverage",
    "wider_coverage",
    "cosine",
    "wanted_value",
    "stance",
    "wanted_role",
    "backward",
    "length",
)
NOTHING = np.zeros(len(FEATURES))
# Fitted by eval/tuning.py on the dev questions, but for "backward" (fitted 0.07): a sentence that
# leans on the one before it reads badly alone. In the order of FEATURES.
WEIGHTS = np.array([2.5, 0.15, 2.0, 2.65, 1.15, 1.7, 1.15, -0.3, 0.8])


# A release asks for comments in words that a question shares; what it asks answers nothing, unless that is the question.
_IS_QUESTION = re.compile(r"\?[”\"’)\]]*$")
_ON_QUESTIONS = re.compile(r"\b(?:ask(?:s|ed)?|comments?|questions?|requests?)\b", re.IGNORECASE)


def candidates(
    question: str, evidence: Evidence, catalog: Catalog, index: Index, embedder: Embedder
) -> list[Candidate]:
    """Every sentence of the first passages, best first."""
    found = [c for passage in evidence.passages[:PASSAGES] for c in _of_passage(passage, catalog)]
    if not _ON_QUESTIONS.search(question):
        found = [c for c in found if not _IS_QUESTION.search(c.quote.text)]
    weigh = _Weigher(question, evidence, index)
    parts = [_Weigher(part, evidence, index, query_terms(part)) for part in asks(question)]
    rough = sorted(((weigh(c, 0.0), c) for c in found), key=lambda pair: -pair[0][1])
    shortlist = [c for _, c in rough[:SHORTLIST]]
    if not shortlist:
        return []
    vectors = embedder.embed([*(part.words for part in parts), *(c.quote.text for c in shortlist)])
    asked, said = vectors[: len(parts)], vectors[len(parts) :]
    cosines, parted = said @ evidence.query.vector, said @ asked.T
    scored = []
    for c, cosine, near in zip(shortlist, cosines, parted, strict=True):
        features, score = weigh(c, float(cosine))
        fits = tuple(part(c, float(n))[1] for part, n in zip(parts, near, strict=True))
        scored.append(replace(c, features=features, score=score, fits=fits))
    return sorted(scored, key=lambda c: (-c.score, c.passage.chunk_id, c.quote.start))


def _of_passage(passage: Passage, catalog: Catalog) -> list[Candidate]:
    text, sections, _ = catalog.body(passage.document_id)
    agency = catalog.document(passage.document_id).metadata.agency or ""
    made: list[Candidate] = []
    for start, end in sentences(text[passage.start : passage.end], passage.start):
        start, end = prose(text, start, end)
        words = text[start:end]
        if len(words) < 25 or _NO_SENTENCE.match(words):
            continue
        section = section_at(sections, start)
        if _is_heading(words, section) or is_title(words, passage.title):
            continue
        whole = evidence_sentence(
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
        quotes = [whole] if len(words) <= LONGEST else _items(whole, catalog)
        for quote in quotes:
            made.append(Candidate(passage, quote, frozenset(terms(quote.text)), NOTHING, 0.0))
    return made


# "…, which among other things: (1) amended …; (2) reduced …". An item means by itself what it means in the list only where
# the words before the list neither deny nor limit it nor say that it is somebody's view.
_ITEM = re.compile(rf"(?<=[:;,] )(?:and )?(?={LISTED.pattern})")
_BENDS = re.compile(
    r"\b(?:not|no|nor|neither|never|without|unless|except|only|if|whether|when|would|could|should|may|might|fail\w*|reject\w*|"
    r"propos\w*|consider\w*|alternativ\w*|argu\w*|commenters?|stat(?:ed|es)|believ\w*|either|one of|any of)\b",
    re.IGNORECASE,
)
_TAIL = re.compile(r"[;,.]?\s*(?:and|or)?\s*$")


def _items(whole: EvidenceSentence, catalog: Catalog) -> list[EvidenceSentence]:
    """The items of a list that is too long to quote, each under the label of the whole; [] where they cannot stand alone."""
    held = catalog.document(whole.document_id)
    starts = [mark.end() for mark in _ITEM.finditer(whole.text)]
    if len(starts) < 2 or _BENDS.search(whole.text[: starts[0]]) or " or (" in whole.text:
        return []
    found = []
    for first, last in zip(starts, [*starts[1:], len(whole.text)], strict=True):
        words = _TAIL.sub("", whole.text[first:last])
        if 25 <= len(words) <= LONGEST:
            start = whole.start + first
            found.append(sentence_at(catalog, held, start, start + len(words)))
    return found


def _is_heading(words: str, section: Section | None) -> bool:
    """Whether a line only names what follows: it is in the heading path, or it is short and ends
    like none.
    """
    if not re.search(r"[a-z]{3}", words) or (section and words in section.path):
        return True
    listed = section is not None and (section.kind is Kind.TABLE or "DATES" in section.path[-1:])
    return not listed and len(words) < 120 and words[-1] not in '.;:!?"”’)]'


class _Weigher:
    """Features and score of a sentence for one question, or for a part of it with terms of its own; terms are weighed once."""

    def __init__(
        self, question: str, evidence: Evidence, index: Index, part: Sequence[str] | None = None
    ) -> None:
        query, view = evidence.query, evidence.view
        self.words = question
        weights = query.weights if part is None else dict.fromkeys(part, 1.0)
        self._own = {t: index.idf(t, view) for t in (query.own_terms if part is None else part)}
        self._wider = {t: index.idf(t, view) * w for t, w in weights.items()}
        self._wanted, self._roles = wanted(question), wanted_roles(question)
        self._counted = frozenset(t for name in wanted_counts(question) for t in terms(name))
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
                self._gives(c),
                self._fits(c),
                self._states_role(c),
                float(bool(_BACKWARD.match(c.quote.text))),
                min(len(c.quote.text), 120) / 120,
            ]
        )
        return values, float(values @ WEIGHTS)

    def _gives(self, c: Candidate) -> float:
        """Share of the kinds of value asked for that the sentence gives; a half where none is asked."""
        if not self._wanted:
            return 0.5
        if self._counted and self._counted & counts(c.quote.text):
            return 1.0 + COUNTED
        kinds = frozenset(v.kind for v in values(c.quote.text))
        given = [gives(asked, c.quote.text, kinds) for asked in self._wanted]
        return sum(given) / len(given)

    def _states_role(self, c: Candidate) -> float:
        """Share of the dates asked for by role (effective, compliance) that the sentence states."""
        if not self._roles:
            return 0.0
        roles = {v.role for v in values(c.quote.text)}
        return len(self._roles & roles) / len(self._roles)

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


def select(
    found: Sequence[Candidate],
    index: Index,
    evidence: Evidence,
    given: Sequence[Candidate] = (),
    until: datetime | None = None,
    *,
    wide: bool = False,
) -> list[Candidate]:
    """The sentences to ship, in reading order: those given, then by document as first chosen, within it by place.

    until: the end of the day asked about, where the question names one; what was known later counts less.
    wide: padding and all, for a question to which the short answer lacks something.
    """
    idf = {t: index.idf(t, evidence.view) for t in evidence.query.own_terms}
    total = sum(idf.values()) or 1.0
    roles = sorted(wanted_roles(evidence.query.words))
    chosen: list[Candidate] = list(given)
    left = [c for c in found if not any(_same_place(c, g) for g in given)]
    for role in roles:
        stated = [c for c in _by_document(left, evidence) if _dates(c, role)]
        lines = [c for c in stated if _DATES.search(c.passage.section)]
        if not any(_dates(c, role) for c in chosen):
            # A release may have several lines on one date: "for § 242.202T …", "for all others …".
            chosen += (lines or stated[:1])[:DATE_LINES]
    near = left if wide else _near(left, evidence, roles)
    left = [c for c in near if c not in chosen]
    parts = len(found[0].fits) if found else 0
    for part in range(parts):
        best = max(left, key=lambda c: c.score + c.fits[part], default=None)
        if best and _repeats(best, chosen) < 3.0:
            chosen.append(best)
            left.remove(best)
    covered = set().union(*(c.have for c in chosen))
    top = max((c.score for c in chosen[len(given) :]), default=0.0)
    while (
        left
        and len(chosen) < (MOST_FOR_PARTS if parts or wide else MOST_SENTENCES)
        and sum(len(c.quote.text) for c in chosen) < MOST_CHARACTERS
    ):
        documents = {c.passage.document_id for c in chosen}
        gain = [
            c.score
            + 1.5 * sum(idf[t] for t in idf if t in c.have and t not in covered) / total
            - _repeats(c, chosen)
            - (
                OTHER_DOCUMENT
                if c.passage.document_id not in documents and documents and not wide
                else 0.0
            )
            - (LATER if until and c.passage.known_at > until else 0.0)
            for c in left
        ]
        best = left.pop(int(np.argmax(gain)))
        top = max(top, best.score)
        if best.score < 0.8 * top:
            break
        if _repeats(best, chosen) >= 3.0:
            continue
        chosen.append(best)
        covered |= best.have
    rest = chosen[len(given) :]
    order = {c.passage.document_id: at for at, c in reversed(list(enumerate(rest)))}
    return [*given, *sorted(rest, key=lambda c: (order[c.passage.document_id], c.quote.start))]


def _near(
    found: Sequence[Candidate], evidence: Evidence, roles: Sequence[str]
) -> Sequence[Candidate]:
    """Those near enough to the question by meaning, or stating a date asked for; all where none is."""
    likely = {p.document_id for p in evidence.passages[:LIKELY]}
    cosine, value = FEATURES.index("cosine"), FEATURES.index("wanted_value")

    def near(c: Candidate) -> bool:
        if c.passage.document_id not in likely:
            return bool(c.features[cosine] >= NEAR_ENOUGH)
        return bool(c.features[cosine] >= FAR or c.features[value] >= 1.0)

    return [c for c in found if near(c) or any(_dates(c, role) for role in roles)] or found


def _same_place(one: Candidate, other: Candidate) -> bool:
    a, b = one.quote, other.quote
    return a.document_id == b.document_id and a.start < b.end and b.start < a.end


def _by_document(found: Sequence[Candidate], evidence: Evidence) -> list[Candidate]:
    """Candidates of the document whose DATES lines were found first (else of the best passage), those lines first."""
    best = evidence.passages[:PASSAGES]
    likeliest = next((p for p in best if _DATES.search(p.section)), best[0]).document_id
    own = [c for c in found if c.passage.document_id == likeliest]
    return sorted(own, key=lambda c: (not _DATES.search(c.passage.section), -c.score))


def _dates(c: Candidate, role: str) -> bool:
    """Whether a sentence gives that date, or is the DATES line on it ("Compliance date: as designated by notice")."""
    line = _DATES.search(c.passage.section) and re.search(rf"\b{role} dates?\b", c.quote.text, re.I)
    return bool(line) or any(v.role == role and v.kind in DATES for v in values(c.quote.text))


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


def off_topic(chosen: Sequence[Candidate], evidence: Evidence, index: Index) -> bool:
    """Whether not one chosen sentence is near the question by meaning, and few of its words are there.

    81 of the 83 answerable dev questions lie above the bounds; near misses do as well, see agent/asked.py.
    """
    idf = {t: index.idf(t, evidence.view) for t in evidence.query.own_terms}
    said = frozenset().union(*(c.have for c in chosen))
    shared = sum(w for t, w in idf.items() if t in said) / (sum(idf.values()) or 1.0)
    nearest = max((float(c.features[FEATURES.index("cosine")]) for c in chosen), default=0.0)
    return nearest < NEAR and shared < SHARED
