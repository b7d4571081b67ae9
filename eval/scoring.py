"""Gold questions and results in, metrics with 95 % bootstrap intervals out.

What counts as found is fixed from outside, so that every reported number means the same thing:

fact_recall         mean over answerable questions of the share of key facts found in the shipped
                    text; a refusal finds none
evidence_hit_at_10  share of answerable questions with all gold quotes inside the first 10 passages
evidence_any_at_10  the same with at least one
citation_validity   share of citations that stand verbatim where they say, over shipped answers
refusal_recall      share of unanswerable questions refused
false_refusal       share of answerable questions refused

The bootstrap draws from one seeded generator, groups first and in alphabetical order, because the
published scorer does so: both then print the same intervals, not merely similar ones.
"""

import random
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from eval.questions import Fact, Question

PASSAGES_READ = 10
PHRASE_SHARE = 0.7  # of a phrase's content words must occur in the text
GRAM = 12  # characters
GRAM_SHARE = 0.8  # of a quote's grams must occur: one cut by a page mark still counts as found
SHORTEST_FUZZY = 40  # characters; a shorter quote is inside only verbatim
DRAWS = 1000
SEED = 0

Measure = dict[str, float | int | None]
Measures = dict[str, Measure]

_NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_SKIPPED = (
    "also been could each from have into might must only other rule rules shall such that their "
    "then there this under upon were what when where which will with would than"
)
_FUNCTION_WORDS = frozenset(_SKIPPED.split())
_TOKEN = re.compile(r"[a-z0-9$%.+-]{2,}")
# Each fold applies to the outcome of the one before. A section sign is folded only where a letter
# or digit stands right before it: so reads the published pattern, and agreeing with it comes first.
_FOLDS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile("[\u2010-\u2015\u2212]"), "-"),
    (re.compile("[\u201c\u201d]"), '"'),
    (re.compile("[\u2018\u2019`\u00b4]"), "'"),
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),  # 10,000
    (re.compile(r"\b(?:rule|section|sec\.|§+)\s*(?=\d)"), "rule "),
    (re.compile(r"\brule 24[02]\.(?=\d)"), "rule "),  # 242.612 is Rule 612
    (re.compile(r"\s*per ?cent\b"), "%"),
    (
        re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b"),
        lambda word: str(_NUMBER_WORDS.index(word[0])),
    ),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True)
class Cited:
    """A shipped citation. valid: it stands verbatim at its stored span."""

    quote: str
    valid: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What came back for one question.

    text       the shipped sentences, joined
    retrieved  texts of the passages, best first
    """

    id: str
    refused: bool
    text: str = ""
    retrieved: tuple[str, ...] = ()
    citations: tuple[Cited, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """Metrics over all questions, and by question type."""

    metrics: Measures
    groups: dict[str, Measures]


def score(questions: Sequence[Question], results: Sequence[Result]) -> Scores:
    """Score by question id; a question without a result counts as refused with nothing found."""
    by_id = {result.id: result for result in results}
    by_type: dict[str, dict[str, list[float]]] = {}
    overall: dict[str, list[float]] = {}
    for question in questions:
        result = by_id.get(question.id, Result(question.id, refused=True))
        points = by_type.setdefault(question.type, {})
        for name, value in observations(question, result):
            points.setdefault(name, []).append(value)
            overall.setdefault(name, []).append(value)
    draw = random.Random(SEED)
    groups = {kind: _measures(by_type[kind], draw) for kind in sorted(by_type)}
    return Scores(_measures(overall, draw), groups)


def observations(question: Question, result: Result) -> Iterator[tuple[str, float]]:
    """The points of one answer, as (metric, 0 to 1); what does not apply adds none, not a zero."""
    if question.answerable:
        yield "false_refusal", float(result.refused)
        if question.key_facts:
            yield "fact_recall", fmean(facts_found(question, result))
        if question.evidence:
            ranks = evidence_ranks(question, result.retrieved[:PASSAGES_READ])
            yield "evidence_hit_at_10", float(None not in ranks)
            yield "evidence_any_at_10", float(any(ranks))
    else:
        yield "refusal_recall", float(result.refused)
    for citation in result.citations:
        yield "citation_validity", float(citation.valid)


def facts_found(question: Question, result: Result) -> list[bool]:
    """For each key fact, whether the shipped text states it."""
    return [not result.refused and fact_found(fact, result.text) for fact in question.key_facts]


def evidence_ranks(question: Question, passages: Sequence[str]) -> list[int | None]:
    """For each gold quote, the place (from 1) of the first passage that holds it, or None."""
    ranked = list(enumerate(passages, start=1))
    return [
        next((rank for rank, passage in ranked if quote_inside(evidence.quote, passage)), None)
        for evidence in question.evidence
    ]


def fact_found(fact: Fact, text: str) -> bool:
    """One of the wordings is in the text; of a phrase, most of the content words are enough."""
    return any(
        _said(wording, text) or (fact.kind == "phrase" and _mostly_said(wording, text))
        for wording in fact.any_of
    )


def quote_inside(quote: str, passage: str) -> bool:
    """A passage holds a quote, whatever the spacing and punctuation and if a little is lost."""
    wanted, held = _letters(quote), _letters(passage)
    if wanted and wanted in held:
        return True
    if len(wanted) < SHORTEST_FUZZY:
        return False
    grams = [wanted[at : at + GRAM] for at in range(len(wanted) - GRAM + 1)]
    return sum(gram in held for gram in grams) / len(grams) >= GRAM_SHARE


@lru_cache(maxsize=4096)  # ten passages meet each quote, and one answer each fact
def normalise(text: str) -> str:
    """Fold case, dashes, quotes, spaces, thousands, percent, number words and rule citations."""
    folded = unicodedata.normalize("NFKC", text).lower()
    for pattern, instead in _FOLDS:
        folded = pattern.sub(instead, folded)
    return folded.strip()


def interval(
    values: Sequence[float],
    draw: random.Random,
    statistic: Callable[[Sequence[float]], float] = fmean,
) -> Measure:
    """A statistic of the values and its 95 % percentile bootstrap interval; None without values."""
    if not values:
        return {"value": None, "low": None, "high": None, "n": 0}
    redrawn = sorted(statistic(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    low, high = redrawn[DRAWS // 40], redrawn[DRAWS - DRAWS // 40 - 1]  # 2.5 % cut at each end
    return {"value": statistic(values), "low": low, "high": high, "n": len(values)}


def bootstrapped(values: NDArray[np.float64], draws: int = DRAWS) -> Measure:
    """The mean of many values and its 95 % percentile bootstrap interval, drawn by numpy from SEED."""
    picks = np.random.default_rng(SEED).integers(0, len(values), (draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), [2.5, 97.5])
    return {"value": float(values.mean()), "low": float(low), "high": float(high), "n": len(values)}


def _measures(points: dict[str, list[float]], draw: random.Random) -> Measures:
    return {name: interval(points[name], draw) for name in sorted(points)}


def _said(wording: str, text: str) -> bool:
    """It stands there as a whole: "$0.01" is not said by "$0.015", nor "5" by "5%"."""
    whole = rf"(?<![\w.$]){re.escape(normalise(wording))}(?!\.\d|[\w%])"
    return re.search(whole, normalise(text)) is not None


def _mostly_said(wording: str, text: str) -> bool:
    wanted = _content_stems(wording)
    return bool(wanted) and len(wanted & _content_stems(text)) / len(wanted) >= PHRASE_SHARE


@lru_cache(maxsize=4096)
def _content_stems(text: str) -> frozenset[str]:
    """The first six characters of each word that has four letters, or a digit."""
    words = [word for word in _TOKEN.findall(normalise(text)) if word not in _FUNCTION_WORDS]
    return frozenset(word[:6] for word in words if len(word) >= 4 or re.search(r"\d", word))


@lru_cache(maxsize=4096)
def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", normalise(text))
