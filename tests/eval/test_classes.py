"""Measures against the obvious way to compute them; calibration errors and intervals against what they claim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.classes import (
    FEWEST,
    Judged,
    bins_for,
    by_class,
    calibration_errors,
    confusion,
    equal_mass_bins,
    macro_f1,
    measures,
)  # fmt: skip

LABELS = ("negative", "neutral", "positive")


def _judged(truth: list[int], answers: list[int], rows: list[int] | None = None) -> Judged:
    probabilities = np.full((len(truth), 3), 0.2)
    probabilities[np.arange(len(truth)), answers] = 0.6
    return Judged(np.array(rows or range(len(truth))), np.array(truth), probabilities)


def _f1(truth: list[int], answers: list[int], label: int) -> float:
    pairs = list(zip(truth, answers, strict=True))
    hit = pairs.count((label, label))
    missed = sum(t == label != a for t, a in pairs)
    wrong = sum(a == label != t for t, a in pairs)
    return 2 * hit / (2 * hit + missed + wrong) if hit + missed + wrong else 0.0


_pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(pairs=_pairs)
def test_accuracy_and_f1_are_what_counting_gives(pairs: list[tuple[int, int]]) -> None:
    truth, answers = [t for t, _ in pairs], [a for _, a in pairs]
    judged = _judged(truth, answers)
    whole = confusion(judged)
    occur = sorted(set(truth) | set(answers))
    assert whole.sum() == len(pairs)
    assert np.trace(whole) == sum(t == a for t, a in pairs)
    assert macro_f1(whole, whole) == pytest.approx(np.mean([_f1(truth, answers, x) for x in occur]))


def test_each_class_has_its_own_figures() -> None:
    found = by_class(_judged([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 0, 1]), LABELS)
    value = {(label, name): each["value"] for label, measured in found.items() for name, each in measured.items()}  # fmt: skip
    assert value["negative", "precision"] == pytest.approx(2 / 3)
    assert value["negative", "recall"] == pytest.approx(2 / 3)
    assert value["neutral", "precision"] == pytest.approx(1 / 3)
    assert value["neutral", "recall"] == pytest.approx(1 / 2)
    assert value["positive", "f1"] == 0
    assert [found[label]["f1"]["n"] for label in LABELS] == [3, 2, 1]


def test_nll_is_the_mean_log_of_what_was_given_to_the_truth() -> None:
    found = measures(_judged([0, 1], [0, 2]))["nll"]["value"]
    assert found == pytest.approx(-(np.log(0.6) + np.log(0.2)) / 2)


def test_a_certain_mistake_costs_no_infinity() -> None:
    judged = Judged(np.array([0]), np.array([1]), np.array([[1.0, 0.0, 0.0]]))
    assert measures(judged)["nll"]["value"] == pytest.approx(-np.log(1e-12))


def test_of_nothing_there_is_no_measure() -> None:
    none = np.zeros(0, np.int64)
    found = measures(Judged(none, none, np.zeros((0, 3))))
    assert {name: each["value"] for name, each in found.items()} == dict.fromkeys(
        ("accuracy", "macro_f1", "nll", "ece", "ece_l2")
    )


def test_intervals_widen_where_judgements_share_rows() -> None:
    random = np.random.default_rng(1)
    right = random.random(60) < 0.7
    truth, answers = [0] * 60, [0 if each else 1 for each in right]
    alone = measures(_judged(truth * 5, answers * 5))["accuracy"]
    shared = measures(_judged(truth * 5, answers * 5, list(range(60)) * 5))["accuracy"]
    assert alone["value"] == shared["value"]
    assert _width(shared) > 1.8 * _width(alone)


def _width(measure: dict[str, float | int | None]) -> float:
    assert measure["high"] is not None
    assert measure["low"] is not None
    return float(measure["high"] - measure["low"])


# ---- calibration


def test_bins_hold_equally_many() -> None:
    confidence = np.random.default_rng(2).random(1500)
    sizes = np.bincount(equal_mass_bins(confidence, 15))
    assert len(sizes) == 15
    assert sizes.max() - sizes.min() <= 2


def test_equal_values_stay_together() -> None:
    confidence = np.array([0.5] * 90 + [0.6] * 5 + [0.9] * 5)
    bins = equal_mass_bins(confidence, 10)
    assert all(len(set(bins[confidence == value])) == 1 for value in (0.5, 0.6, 0.9))


def test_few_judgements_make_few_bins() -> None:
    assert [bins_for(n) for n in (1, 100, 299, 300, 9999)] == [1, 5, 14, 15, 15]


def test_the_closed_form_is_what_resampling_gives() -> None:
    """Kumar, Liang and Ma draw each bin's share from a normal; with many draws their figure is ours."""
    random = np.random.default_rng(3)
    confidence = random.uniform(0.4, 1, 900)
    right = (random.random(900) < confidence - 0.03).astype(float)
    bins = equal_mass_bins(confidence, 15)
    gaps, spreads, parts = [], [], []
    for at in range(15):
        inside = bins == at
        share = right[inside].mean()
        gaps.append(confidence[inside].mean() - share)
        spreads.append(np.sqrt(share * (1 - share) / (inside.sum() - 1)))
        parts.append(inside.mean())
    drawn = np.abs(np.array(gaps) + random.normal(size=(200_000, 15)) * spreads) @ np.array(parts)
    plain = float(np.abs(gaps) @ np.array(parts))
    found = calibration_errors(confidence, right, bins)
    assert found["plain"] == pytest.approx(plain)
    assert found["ece"] == pytest.approx(max(0, 2 * plain - drawn.mean()), abs=2e-4)


def _simulated(off: float, n: int, seed: int) -> Judged:
    """Answers with confidences that promise `off` more than they keep."""
    random = np.random.default_rng(seed)
    confidence = random.uniform(0.5, 0.95, n)
    right = random.random(n) < confidence - off
    probabilities = np.stack([confidence, (1 - confidence) * 0.6, (1 - confidence) * 0.4], axis=1)
    return Judged(np.arange(n), np.where(right, 0, 1), probabilities)


def test_a_calibrated_model_has_less_than_plain_binning_shows() -> None:
    debiased, plain, squares = [], [], []
    for seed in range(40):
        judged = _simulated(0, 400, seed)
        confidence = judged.probabilities.max(axis=1)
        right = (judged.answers == judged.truth).astype(float)
        found = calibration_errors(confidence, right, equal_mass_bins(confidence, 15))
        debiased.append(found["ece"])
        plain.append(found["plain"])
        squares.append(found["ece_l2"])
    assert np.mean(plain) > 0.05
    # In L1 some of what chance shows is left; in squares, nothing but what clipping at 0 adds.
    assert np.mean(debiased) < 0.65 * np.mean(plain)
    assert np.median(squares) == 0


@pytest.mark.slow
def test_the_interval_of_a_known_error_holds_it() -> None:
    inside = 0
    for seed in range(20):
        measured = measures(_simulated(0.08, 600, seed))["ece"]
        assert measured["low"] is not None
        assert measured["high"] is not None
        inside += measured["low"] <= 0.08 <= measured["high"]
    assert inside >= 17


def test_of_few_judgements_there_is_no_calibration_error() -> None:
    few = measures(_simulated(0.2, FEWEST - 1, 1))
    assert few["ece"] == {"value": None, "low": None, "high": None, "n": FEWEST - 1}
    assert few["accuracy"]["value"] is not None
    assert measures(_simulated(0.2, FEWEST, 1))["ece"]["value"] == pytest.approx(0.2, abs=0.12)
