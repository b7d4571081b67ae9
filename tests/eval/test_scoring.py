"""Made-up questions and results in; whether the metrics mean what eval/scoring.py says."""

import importlib.util
import math
import os
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.questions import Evidence, Fact, Question
from eval.scoring import (
    Cited,
    Result,
    fact_found,
    interval,
    normalise,
    quote_inside,
    score,
)

QUOTE = "The fee for taking a displayed quote in a round lot may be a tenth of a cent at the most."
PASSAGE = f"On the cap. {QUOTE} It binds from the autumn."


def a_question(name: str, *, kind: str = "lookup", answerable: bool = True) -> Question:
    return Question(
        id=name,
        type=kind,
        question="How high may the fee be?",
        answerable=answerable,
        as_of=None,
        evidence=(Evidence("release.txt", QUOTE),) if answerable else (),
        key_facts=(Fact(("tenth of a cent",), "phrase"),) if answerable else (),
    )


def a_right_result(name: str) -> Result:
    return Result(name, False, QUOTE, (PASSAGE,), (Cited(QUOTE, True),))


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("10,000 shares", "10000 shares"),
        ("two of 1,2,3", "2 of 1,2,3"),
        ("0.3 percent, 5 per cent", "0.3%, 5%"),
        ("Section 242.612 and Rule 612", "rule 612 and rule 612"),
        ("under § 242.612", "under § 242.612"),
        ("\u201cT+1\u201d \u2014 the Fund\u2019s", '"t+1" - the fund\'s'),
        ("a\u00a0b\n\tc", "a b c"),
    ],
)
def test_normalise_folds_what_writers_vary(written: str, folded: str) -> None:
    assert normalise(written) == folded


@pytest.mark.parametrize(
    ("wording", "text", "found"),
    [
        ("$0.01", "at least $0.01 a share", True),
        ("$0.01", "at least $0.015 a share", False),
        ("5", "over 5% of volume", False),
        ("five percent", "over 5% of volume", True),
        ("10,000", "of 10000 shares or more", True),
        ("Rule 612", "under 17 CFR section 242.612", True),
        ("2.5", "about 12.5 hours", False),
        ("12", "about 12.5 hours", False),
        ("$2", "a price of $2, or more", True),
    ],
)
def test_a_number_is_found_whole_or_not_at_all(wording: str, text: str, found: bool) -> None:
    assert fact_found(Fact((wording,), "number"), text) is found


def test_one_of_several_wordings_is_enough() -> None:
    fact = Fact(("May 1, 2020", "2020-05-01"), "date")

    assert fact_found(fact, "It binds from 2020-05-01.")
    assert not fact_found(fact, "It binds from 2020-05-02.")


def test_seven_tenths_of_a_phrase_are_enough_but_of_a_date_they_are_not() -> None:
    wording = "displayed quotes protected automatically against inferior executions"
    most = "Automatic protection aside, displayed quotes are protected against an inferior price."

    assert fact_found(Fact((wording,), "phrase"), most)
    assert not fact_found(Fact((wording,), "date"), most)
    assert not fact_found(Fact((wording,), "phrase"), "Displayed quotes are protected.")


def test_a_quote_is_inside_whatever_the_spacing_and_with_a_note_spliced_in() -> None:
    spliced = PASSAGE.replace("displayed quote", "displayed<sup>19</sup> quote")

    assert quote_inside(QUOTE, PASSAGE.replace(" ", "\n   "))
    assert quote_inside(QUOTE, spliced)
    assert not quote_inside(QUOTE, PASSAGE[: len(PASSAGE) // 2])


def test_a_short_quote_is_inside_only_verbatim() -> None:
    assert quote_inside("Effective May 1, 2020.", "Dates: effective May 1 2020")
    assert not quote_inside("Effective May 1, 2020.", "Dates: effective May 1, 2021.")
    assert not quote_inside("", "anything")


def test_a_right_answer_scores_one_and_nothing_found_scores_zero() -> None:
    questions = [a_question("a"), a_question("b", kind="unanswerable", answerable=False)]

    right = score(questions, [a_right_result("a"), Result("b", refused=True)]).metrics
    nothing = score(questions, []).metrics

    assert {name: measure["value"] for name, measure in right.items()} == {
        "citation_validity": 1.0,
        "evidence_any_at_10": 1.0,
        "evidence_hit_at_10": 1.0,
        "fact_recall": 1.0,
        "false_refusal": 0.0,
        "refusal_recall": 1.0,
    }
    assert nothing["fact_recall"]["value"] == 0.0
    assert nothing["false_refusal"]["value"] == 1.0
    assert "citation_validity" not in nothing


def test_words_of_a_refusal_find_no_fact() -> None:
    refused = Result("a", refused=True, text=QUOTE)

    assert score([a_question("a")], [refused]).metrics["fact_recall"]["value"] == 0.0


def test_the_eleventh_passage_is_not_read() -> None:
    last = Result("a", False, "", ("Nothing of use.",) * 9 + (PASSAGE,))
    late = Result("a", False, "", ("Nothing of use.",) * 10 + (PASSAGE,))

    assert score([a_question("a")], [last]).metrics["evidence_hit_at_10"]["value"] == 1.0
    assert score([a_question("a")], [late]).metrics["evidence_hit_at_10"]["value"] == 0.0


def test_all_quotes_make_a_hit_and_one_makes_any() -> None:
    other = Evidence("other.txt", "A stock leaves the list when its fails have gone for five days.")
    question = a_question("a")
    two = Question("a", "compare", "?", True, None, (*question.evidence, other), ())

    metrics = score([two], [a_right_result("a")]).metrics

    assert metrics["evidence_any_at_10"]["value"] == 1.0
    assert metrics["evidence_hit_at_10"]["value"] == 0.0


def test_types_are_scored_apart() -> None:
    questions = [a_question("a", kind="lookup"), a_question("b", kind="dates")]

    groups = score(questions, [a_right_result("a")]).groups

    assert groups["lookup"]["fact_recall"]["value"] == 1.0
    assert groups["dates"]["fact_recall"]["value"] == 0.0


def test_no_values_have_no_interval() -> None:
    nothing = {"value": None, "low": None, "high": None, "n": 0}

    assert interval([], random.Random(0)) == nothing


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 99))
def test_an_interval_lies_within_the_values_and_is_drawn_the_same_twice(
    values: list[float], seed: int
) -> None:
    measure = interval(values, random.Random(seed))

    assert measure == interval(values, random.Random(seed))
    low, high = measure["low"], measure["high"]
    assert low is not None
    assert high is not None
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_a_text_holds_its_own_parts(before: str, middle: str, after: str) -> None:
    assert quote_inside(middle, f"{before} {middle} {after}") or not any(
        letter.isalnum() for letter in normalise(middle)
    )


@given(st.text(max_size=80))
def test_normalising_never_leaves_two_spaces(text: str) -> None:
    assert "  " not in normalise(text)
    assert normalise(text) == normalise(text).strip()


# ---- against the published scorer

VOCABULARY = (
    "the fee cap Rule 612 section 242.610(c) § 242.611 §242.600 $0.003 $0.0030 0.3 percent 5% "
    "10,000 shares two-year twelve November 3, 2025 \u201cprotected\u201d quotation\u2019s "
    "depth\u2014liquidity T+1 would must adopting proposed commenters spread(s) trade-through "
    "1,2,3 12 12.5 per cent sec. 242.600 upon were shall their rules may other "
    "CFR§ 242.612 \u20ac1\u00a0000 \u00b4"
)
WORDS = VOCABULARY.split(" ")


def published() -> ModuleType:
    """The published scorer, which stands beside the data folder."""
    data = os.environ.get("REGTAPE_DATA")
    path = Path(data).parent / "score_answers.py" if data else None
    if path is None or not path.is_file():
        pytest.skip("needs score_answers.py beside the folder that REGTAPE_DATA names")
    spec = importlib.util.spec_from_file_location("score_answers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_words(rng: random.Random, most: int) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(1, most)))


def a_random_round(rng: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Gold and result rows with partly matching texts, missing results and empty lists."""
    gold, results = [], []
    for number in range(rng.randint(1, 40)):
        quotes = [some_words(rng, 40) for _ in range(rng.randint(0, 3))]
        facts = [
            {
                "any_of": [some_words(rng, 5) for _ in range(rng.randint(1, 3))],
                "kind": rng.choice(["number", "date", "ref", "phrase"]),
            }
            for _ in range(rng.randint(0, 3))
        ]
        gold.append(
            {
                "id": f"g{number}",
                "type": rng.choice(["lookup", "dates", "impact"]),
                "question": "?",
                "answerable": rng.random() < 0.7,
                "as_of": None,
                "evidence": [{"file": "f.txt", "quote": quote} for quote in quotes],
                "key_facts": facts,
            }
        )
        retrieved = [
            some_words(rng, 20) + (" " + rng.choice(quotes)[rng.randint(0, 3) :] if quotes else "")
            for _ in range(rng.randint(0, 12))
        ]
        said = [rng.choice(fact["any_of"]) for fact in facts if rng.random() < 0.6]
        if rng.random() < 0.9:
            results.append(
                {
                    "id": f"g{number}",
                    "refused": rng.random() < 0.3,
                    "text": " ".join([some_words(rng, 20), *said, some_words(rng, 5)]),
                    "retrieved": retrieved,
                    "citations": [
                        {"quote": "q", "valid": rng.random() < 0.8}
                        for _ in range(rng.randint(0, 3))
                    ],
                }
            )
    return gold, results


def as_question(row: dict[str, Any]) -> Question:
    return Question(
        row["id"],
        row["type"],
        row["question"],
        row["answerable"],
        row["as_of"],
        tuple(Evidence(entry["file"], entry["quote"]) for entry in row["evidence"]),
        tuple(Fact(tuple(entry["any_of"]), entry["kind"]) for entry in row["key_facts"]),
    )


def as_result(row: dict[str, Any]) -> Result:
    return Result(
        row["id"],
        row["refused"],
        row["text"],
        tuple(row["retrieved"]),
        tuple(Cited(entry["quote"], entry["valid"]) for entry in row["citations"]),
    )


def assert_same_measures(ours: Any, theirs: Any) -> None:
    assert ours.keys() == theirs.keys()
    for name, measure in theirs.items():
        for key, value in measure.items():
            assert math.isclose(ours[name][key], value, abs_tol=1e-9), (name, key)


@pytest.mark.data
@pytest.mark.parametrize("seed", range(12))
def test_every_metric_and_interval_agrees_with_the_published_scorer(seed: int) -> None:
    gold, results = a_random_round(random.Random(seed))

    ours = score([as_question(row) for row in gold], [as_result(row) for row in results])
    theirs = published().score(gold, results)

    assert_same_measures(ours.metrics, theirs["metrics"])
    assert ours.groups.keys() == theirs["groups"].keys()
    for kind, measures in theirs["groups"].items():
        assert_same_measures(ours.groups[kind], measures)


@pytest.mark.data
def test_finding_facts_and_quotes_agrees_with_the_published_scorer() -> None:
    reference, rng = published(), random.Random(7)
    outcomes = set()
    for _ in range(3000):
        text, wording = some_words(rng, 60), some_words(rng, 12 if rng.random() < 0.5 else 2)
        kind = rng.choice(["number", "phrase"])
        found = fact_found(Fact((wording,), kind), text)
        quote = some_words(rng, 40)
        cut = rng.randint(0, len(quote) // 3)
        passage = f"{text} {quote[cut:]} {wording}"
        inside = quote_inside(quote, passage)

        assert normalise(text) == reference.normalise(text)
        assert found == reference.fact_found({"any_of": [wording], "kind": kind}, text)
        assert inside == reference.quote_inside(quote, passage)
        outcomes |= {("fact", found), ("quote", inside)}

    assert len(outcomes) == 4  # the made-up texts reach both outcomes of both
