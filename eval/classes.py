"""Labels and probabilities in; accuracy, F1, likelihood and calibration error out, with 95 % bootstrap intervals.

accuracy, macro_f1   of the most probable class; F1 is averaged over the classes that occur as truth or as answer
nll                  mean negative log of the true class's probability (at least 1e-12)
ece, ece_l2          calibration errors; sentiment/calibration.py says how

Judgements of one row (a headline's targets) share their errors, so the bootstrap draws rows. The bins stay where they were; an
interval of a calibration error is the debiased value plus how far draws lie from the plain one, since a draw has the chance
errors of the data besides its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.scoring import DRAWS, SEED, Measure, Measures
from sentiment.calibration import (
    LEAST_IN_A_BIN,
    Floats,
    Ints,
    bins_for,
    calibration_errors,
    equal_mass_bins,
)

__all__ = [  # with those of sentiment/calibration.py that go along
    "FEWEST", "Judged", "accuracy", "bins_for", "by_class", "calibration_errors", "confusion", "equal_mass_bins", "macro_f1",
    "measures",
]  # fmt: skip

FEWEST = 5 * LEAST_IN_A_BIN  # judgements; of fewer there is no calibration error worth the name


@dataclass(frozen=True, slots=True)
class Judged:
    """Judgements side by side: the row each belongs to, its true class, the probabilities (n, classes)."""

    rows: Ints
    truth: Ints
    probabilities: Floats

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def answers(self) -> Ints:
        """The most probable class of each."""
        best: Ints = self.probabilities.argmax(axis=1)
        return best

    def where(self, chosen: NDArray[np.bool_]) -> "Judged":
        """Some of them."""
        return Judged(self.rows[chosen], self.truth[chosen], self.probabilities[chosen])


def measures(judged: Judged) -> Measures:
    """accuracy, macro_f1, nll, ece and ece_l2; of a calibration error of few judgements, None."""
    if not len(judged):
        none: Measure = {"value": None, "low": None, "high": None, "n": 0}
        return {name: dict(none) for name in ("accuracy", "macro_f1", "nll", "ece", "ece_l2")}
    draws = _draws(judged)
    confusions = np.stack([confusion(judged, weights) for weights in draws])
    whole = confusion(judged)
    lost = _losses(judged)
    found = {
        "accuracy": _measure(accuracy(whole), [accuracy(each) for each in confusions], judged),
        "macro_f1": _measure(
            macro_f1(whole, whole), [macro_f1(each, whole) for each in confusions], judged
        ),
        "nll": _measure(float(lost.mean()), [float(w @ lost / w.sum()) for w in draws], judged),
    }
    return found | _calibration(judged, draws)


def by_class(judged: Judged, labels: Sequence[str]) -> dict[str, Measures]:
    """precision, recall and f1 of each class; n is how many are truly of it."""
    whole = confusion(judged)
    drawn = [confusion(judged, weights) for weights in _draws(judged)]
    return {
        label: {
            name: _measure(_of_class(whole, at)[name], [_of_class(each, at)[name] for each in drawn], judged)
            | {"n": int(whole[at].sum())}
            for name in ("precision", "recall", "f1")
        }
        for at, label in enumerate(labels)
    }  # fmt: skip


def confusion(judged: Judged, weights: Floats | None = None) -> Floats:
    """(classes, classes): how many are truly of the row's class and were answered with the column's."""
    classes = judged.probabilities.shape[1]
    cells = judged.truth * classes + judged.answers
    return np.bincount(cells, weights, classes * classes).reshape(classes, classes).astype(float)


def accuracy(confusion: Floats) -> float:
    """The share on the diagonal."""
    return float(np.trace(confusion) / confusion.sum())


def macro_f1(confusion: Floats, whole: Floats) -> float:
    """Mean F1 over the classes that occur in `whole`; a class that a draw happens not to have counts 0."""
    occurs = np.flatnonzero(whole.sum(axis=0) + whole.sum(axis=1)).tolist()
    return float(np.mean([_of_class(confusion, at)["f1"] for at in occurs]))


def _of_class(confusion: Floats, at: int) -> dict[str, float]:
    hit, answered, true = confusion[at, at], confusion[:, at].sum(), confusion[at].sum()
    return {
        "precision": float(hit / answered) if answered else 0.0,
        "recall": float(hit / true) if true else 0.0,
        "f1": float(2 * hit / (answered + true)) if answered + true else 0.0,
    }


def _losses(judged: Judged) -> Floats:
    true = judged.probabilities[np.arange(len(judged)), judged.truth]
    found: Floats = -np.log(np.maximum(true, 1e-12))
    return found


# ---- calibration


def _calibration(judged: Judged, draws: Sequence[Floats]) -> Measures:
    if len(judged) < FEWEST:
        return {
            name: {"value": None, "low": None, "high": None, "n": len(judged)}
            for name in ("ece", "ece_l2")
        }
    confidence = judged.probabilities.max(axis=1)
    right = (judged.answers == judged.truth).astype(float)
    bins = equal_mass_bins(confidence, bins_for(len(judged)))
    whole = calibration_errors(confidence, right, bins)
    drawn = [calibration_errors(confidence, right, bins, weights) for weights in draws]
    found: Measures = {}
    for name, plain in (("ece", "plain"), ("ece_l2", "plain_l2")):
        low, high = np.quantile([each[name] for each in drawn], (0.025, 0.975))
        shift = whole[name] + whole[plain]
        found[name] = {
            "value": whole[name],
            "low": max(0.0, min(whole[name], shift - float(high))),
            "high": max(whole[name], shift - float(low)),
            "n": len(judged),
        }
    return found


# ---- bootstrap


def _draws(judged: Judged) -> list[Floats]:
    """For each draw of rows with replacement, how often each judgement is in it."""
    random = np.random.default_rng(SEED)
    rows = np.unique(judged.rows, return_inverse=True)[1]
    count = int(rows.max()) + 1
    return [
        np.bincount(random.integers(0, count, count), minlength=count)[rows].astype(float)
        for _ in range(DRAWS)
    ]


def _measure(value: float, drawn: Sequence[float], judged: Judged) -> Measure:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"value": value, "low": float(low), "high": float(high), "n": len(judged)}
