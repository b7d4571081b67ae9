"""Temperature, likelihood and calibration error against cases whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sentiment.calibration import (
    calibration_error,
    macro_f1,
    measure,
    nll,
    softmax,
    temperature_of,
)


def _drawn(
    heat: float, n: int = 4000, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits that are too sharp by `heat`, and labels drawn from what they should say."""
    random = np.random.default_rng(seed)
    true = random.normal(0, 2, (n, 3))
    labels = np.array([random.choice(3, p=p) for p in softmax(true)], np.int64)
    return true * heat, labels


@pytest.mark.parametrize("heat", [0.5, 1.0, 2.5])
def test_temperature_finds_how_much_too_sharp_logits_are(heat: float) -> None:
    logits, labels = _drawn(heat)
    found = temperature_of(logits, labels)
    assert found == pytest.approx(heat, rel=0.06)
    assert nll(softmax(logits, found), labels) <= nll(softmax(logits), labels) + 1e-9


def test_calibration_error_is_none_when_calibrated_and_large_when_not() -> None:
    logits, labels = _drawn(1.0)
    assert calibration_error(softmax(logits), labels) < 0.01
    assert calibration_error(softmax(logits * 3), labels) > 0.08


def test_chance_is_taken_off_calibration_error() -> None:
    """Of 150 calibrated rows in 15 bins, chance alone makes some 0.08; most of it is taken off on average."""
    plain, debiased = [], []
    for seed in range(20):
        logits, labels = _drawn(1.0, 150, seed)
        shares = softmax(logits)
        right = (shares.argmax(-1) == labels).astype(float)
        order = np.argsort(shares.max(-1), kind="stable")
        gaps = [abs(shares.max(-1)[b].mean() - right[b].mean()) for b in np.array_split(order, 15)]
        plain.append(float(np.mean(gaps)))
        debiased.append(calibration_error(shares, labels))
    assert np.mean(plain) > 0.07
    assert np.mean(debiased) < 0.75 * np.mean(plain)


@given(st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_macro_f1_is_the_mean_of_classes(seed: int) -> None:
    random = np.random.default_rng(seed)
    predicted, labels = random.integers(0, 3, 40), random.integers(0, 3, 40)
    scores = []
    for label in range(3):
        hit = sum((predicted == label) & (labels == label))
        precision, recall = (
            hit / max(1, sum(predicted == label)),
            hit / max(1, sum(labels == label)),
        )
        scores.append(2 * precision * recall / (precision + recall) if hit else 0.0)
    assert macro_f1(predicted, labels) == pytest.approx(np.mean(scores))


def test_measured_values_lie_inside_their_intervals() -> None:
    logits, labels = _drawn(1.0, 300)
    for name, said in measure(softmax(logits), labels).items():
        assert said["n"] == 300
        if name != "ece":
            assert said["low"] <= said["value"] <= said["high"]
