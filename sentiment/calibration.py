"""Logits and labels in, a temperature and honest numbers out: accuracy, macro F1, likelihood, calibration error, intervals."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sentiment.scorer import LABELS


def softmax(logits: NDArray[np.float64], temperature: float = 1.0) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    scaled = logits / temperature
    raised = np.exp(scaled - scaled.max(-1, keepdims=True))
    return np.asarray(raised / raised.sum(-1, keepdims=True), np.float64)


def temperature_of(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The one number that, dividing logits, makes the labels most likely; found by golden section on its logarithm."""
    low, high = math.log(0.2), math.log(5.0)
    for _ in range(60):
        a, b = high - 0.618034 * (high - low), low + 0.618034 * (high - low)
        if nll(softmax(logits, math.exp(a)), labels) < nll(softmax(logits, math.exp(b)), labels):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)


def nll(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def macro_f1(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The unweighted mean of the three classes' F1."""
    scores = []
    for label in range(len(LABELS)):
        both = int(((predicted == label) & (labels == label)).sum())
        either = int((predicted == label).sum() + (labels == label).sum())
        scores.append(2 * both / either if either else 0.0)
    return float(np.mean(scores))


def calibration_error(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15
) -> float:
    """Debiased equal-mass ECE of the winning class (Kumar et al. 2019, in L1): what chance alone would show is taken off."""
    confidence = probabilities.max(-1)
    right = (probabilities.argmax(-1) == labels).astype(float)
    order = np.argsort(confidence, kind="stable")
    parts = [p for p in np.array_split(order, bins) if len(p)]
    gaps, weights, spreads = [], [], []
    for part in parts:
        mean = right[part].mean()
        gaps.append(abs(confidence[part].mean() - mean))
        weights.append(len(part) / len(order))
        spreads.append(math.sqrt(mean * (1 - mean) / len(part)))
    plain = float(np.dot(weights, gaps))
    draws = np.random.default_rng(0).normal(0, 1, (1000, len(parts))) * np.array(spreads)
    chance = float((np.abs(draws + np.array(gaps)) @ np.array(weights)).mean()) - plain
    return max(0.0, plain - chance)


Measured = dict[str, dict[str, float]]


def measure(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], *, draws: int = 500
) -> Measured:
    """accuracy, macro_f1, ece and nll, each {"value", "low", "high", "n"}: 95 % bootstrap intervals over rows."""
    random = np.random.default_rng(0)
    picks = [random.integers(0, len(labels), len(labels)) for _ in range(draws)]
    predicted = probabilities.argmax(-1)
    scores: dict[str, Callable[[NDArray[np.int64]], float]] = {
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
