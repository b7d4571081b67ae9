"""Logits and labels in, a temperature and honest numbers out: accuracy, macro F1, likelihood, calibration error, intervals.

ece      expected calibration error of the most probable class: mean over bins of |confidence - share right|, weighted by
         their size. Bins hold equally many (equal values stay together), BINS of them but LEAST_IN_A_BIN at least in each.
         Debiased as Kumar, Liang and Ma (2019, "Verified Uncertainty Calibration") do it: what a perfectly calibrated model
         would show by chance in bins of that size is taken off; their normal approximation, here with the mean of |normal|
         in closed form. Not below 0.
ece_l2   the same as a root mean square, debiased by the variance of each bin's share
"""

from collections.abc import Callable
from math import erf, exp, log, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from sentiment.scorer import LABELS

BINS, LEAST_IN_A_BIN = 15, 20

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Rows that sum to 1."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float64)


def temperature_of(logits: Floats, labels: Ints) -> float:
    """The one number that, dividing logits, makes the labels most likely; found by golden section on its logarithm."""
    low, high = log(0.2), log(5.0)
    for _ in range(60):
        a, b = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        if nll(softmax(logits, exp(a)), labels) < nll(softmax(logits, exp(b)), labels):
            high = b
        else:
            low = a
    return exp((low + high) / 2)


def nll(probabilities: Floats, labels: Ints) -> float:
    """Mean negative log-likelihood."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def macro_f1(predicted: Ints, labels: Ints) -> float:
    """The unweighted mean of the three classes' F1."""
    scores = []
    for label in range(len(LABELS)):
        both = int(((predicted == label) & (labels == label)).sum())
        either = int((predicted == label).sum() + (labels == label).sum())
        scores.append(2 * both / either if either else 0.0)
    return float(np.mean(scores))


# ---- calibration error


def calibration_error(probabilities: Floats, labels: Ints) -> float:
    """The debiased ECE of the most probable class, in equal-mass bins."""
    confidence = probabilities.max(-1)
    right = (probabilities.argmax(-1) == labels).astype(float)
    bins = equal_mass_bins(confidence, bins_for(len(labels)))
    return calibration_errors(confidence, right, bins)["ece"]


def calibration_errors(
    confidence: Floats, right: Floats, bins: Ints, weights: Floats | None = None
) -> dict[str, float]:
    """ "ece" and "ece_l2" as stated above, and "plain" and "plain_l2", which are not debiased. bins: of each judgement."""
    size = np.bincount(bins, weights).astype(float)
    held = size > 0
    size = size[held]
    sure = np.bincount(bins, confidence if weights is None else confidence * weights)[held] / size
    share = np.bincount(bins, right if weights is None else right * weights)[held] / size
    gap, part = np.abs(sure - share), size / size.sum()
    variance = share * (1 - share) / np.maximum(size - 1, 1)
    chance = np.array([_mean_size(g, sqrt(v)) for g, v in zip(gap, variance, strict=True)])
    plain, square = float(part @ gap), float(part @ gap**2)
    return {
        "plain": plain,
        "plain_l2": sqrt(square),
        "ece": max(0.0, 2 * plain - float(part @ chance)),
        "ece_l2": sqrt(max(0.0, square - float(part @ variance))),
    }


def equal_mass_bins(confidence: Floats, count: int) -> Ints:
    """The bin of each, equally many in each; equal values stay together, so there may be fewer bins."""
    edges = np.unique(np.quantile(confidence, np.arange(1, count) / count, method="lower"))
    places: Ints = np.searchsorted(edges, confidence, side="left")
    return np.unique(places, return_inverse=True)[1]


def bins_for(judgements: int) -> int:
    """How many bins so many judgements are divided into."""
    return max(1, min(BINS, judgements // LEAST_IN_A_BIN))


def _mean_size(mean: float, deviation: float) -> float:
    """The mean of |x| for a normal x."""
    if deviation == 0:
        return abs(mean)
    z = mean / deviation
    return deviation * sqrt(2 / pi) * exp(-z * z / 2) + mean * erf(z / sqrt(2))


# ---- all of them


Measured = dict[str, dict[str, float]]


def measure(probabilities: Floats, labels: Ints, *, draws: int = 500) -> Measured:
    """accuracy, macro_f1, ece and nll, each {"value", "low", "high", "n"}: 95 % bootstrap intervals over rows."""
    random = np.random.default_rng(0)
    picks = [random.integers(0, len(labels), len(labels)) for _ in range(draws)]
    predicted = probabilities.argmax(-1)
    scores: dict[str, Callable[[Ints], float]] = {
        "accuracy": lambda at: float((predicted[at] == labels[at]).mean()),
        "macro_f1": lambda at: macro_f1(predicted[at], labels[at]),
        "nll": lambda at: nll(probabilities[at], labels[at]),
    }
    out: Measured = {}
    for name, score in scores.items():
        seen = [score(pick) for pick in picks]
        out[name] = {
            "value": score(np.arange(len(labels))),
            "low": float(np.percentile(seen, 2.5)),
            "high": float(np.percentile(seen, 97.5)),
            "n": len(labels),
        }
    out["ece"] = {"value": calibration_error(probabilities, labels), "n": len(labels)}
    return out
