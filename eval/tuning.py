"""Dev questions in, weights for agent/compose.py out: `python -m eval.tuning FILE... --data DIR`.

Two logistic regressions, both tiny, both by iteratively reweighted least squares with a ridge: does
this sentence of the evidence state a key fact (the order of sentences), and do the chosen sentences
answer at all (the refusal)? Held-out questions are never given to it. Prints weights, and what
leave-one- question-out says of them.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.compose import FEATURES, SURE_FEATURES, candidates, select, sure_features
from agent.retrieve import retrieve
from eval.questions import Question, load_questions
from eval.scoring import fact_found, quote_inside
from ingest.moment import now, parse_moment

RIDGE = 1.0

Array = NDArray[np.float64]


def fit(features: Array, labels: Array, sample: Array | None = None, ridge: float = RIDGE) -> Array:
    """Intercept and weights, (1 + n,), of a logistic regression with an L2 penalty on the
    weights.
    """
    x = np.column_stack([np.ones(len(features)), features])
    weights, penalty = np.zeros(x.shape[1]), ridge * np.eye(x.shape[1])
    penalty[0, 0] = 1e-6
    share = np.ones(len(x)) if sample is None else sample
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        curve = share * p * (1 - p) + 1e-9
        gradient = x.T @ (share * (labels - p)) - penalty @ weights
        step = np.linalg.solve(x.T @ (curve[:, None] * x) + penalty, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def measure(questions: Sequence[Question], services: Any) -> tuple[list[Any], list[Any]]:
    """(question, sentence features, label) of every candidate sentence, and (question, refusal
    features, label).
    """
    sentences, refusals = [], []
    for question in questions:
        as_of = parse_moment(question.as_of) if question.as_of else now()
        evidence = retrieve(
            question.question,
            as_of=as_of,
            k=12,
            catalog=services.catalog,
            index=services.index,
            embedder=services.embedder,
        )
        found = candidates(
            question.question, evidence, services.catalog, services.index, services.embedder
        )
        quotes = [e.quote for e in question.evidence]
        for c in found if question.answerable else ():
            near = any(quote_inside(c.quote.text, q) or quote_inside(q, c.quote.text) for q in quotes)
            states = any(fact_found(f, c.quote.text) for f in question.key_facts)
            sentences.append((question.id, c.features, float(near or states)))
        chosen = select(found, services.index, evidence)
        if chosen:
            values, _ = sure_features(question.question, evidence, chosen, services.index)
            refusals.append((question.id, values, float(question.answerable)))
    return sentences, refusals


def left_out(
    rows: Sequence[tuple[str, Array, float]], balanced: bool
) -> tuple[Array, Array, Array]:
    """Weights on all rows; and probability, label of each row when its question is left out."""
    ids = np.array([r[0] for r in rows])
    x, y = np.array([r[1] for r in rows]), np.array([r[2] for r in rows])
    share = (
        np.where(y > 0, 0.5 / max(y.mean(), 1e-9), 0.5 / max(1 - y.mean(), 1e-9))
        if balanced
        else np.ones(len(y))
    )
    held = np.zeros(len(y))
    for one in dict.fromkeys(ids.tolist()):
        out = ids == one
        w = fit(x[~out], y[~out], share[~out])
        held[out] = 1 / (1 + np.exp(-(w[0] + x[out] @ w[1:])))
    return fit(x, y, share), held, y


def auc(score: Array, label: Array) -> float:
    """Probability that a positive ranks above a negative; ties count half."""
    plus, minus = score[label > 0][:, None], score[label == 0][None, :]
    return float(((plus > minus) + 0.5 * (plus == minus)).mean())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure over the ingested home, fit, print."""
    parser = argparse.ArgumentParser(prog="python -m eval.tuning", description=__doc__)
    parser.add_argument("questions", type=Path, nargs="+")
    parser.add_argument("--data", type=Path)
    args = parser.parse_args(argv)
    from api.services import open_services
    from api.settings import load_settings

    questions = [q for path in args.questions for q in load_questions(path, args.data)]
    with open_services(load_settings()) as services:
        services.index.refresh()
        sentences, refusals = measure(questions, services)
    for name, features, rows in (
        ("WEIGHTS", FEATURES, sentences),
        ("SURE_WEIGHTS", SURE_FEATURES, refusals),
    ):
        weights, held, labels = left_out(rows, balanced=name == "SURE_WEIGHTS")
        out = {
            "weights": name,
            "n": len(rows),
            "positive": int(labels.sum()),
            "auc": round(auc(held, labels), 3),
        }
        out |= {"intercept": round(float(weights[0]), 2)} | dict(
            zip(features, weights[1:].round(2).tolist(), strict=True)
        )
        if name == "SURE_WEIGHTS":
            out["thresholds"] = {
                str(t): {
                    "false_refusal": round(float((held[labels > 0] < t).mean()), 3),
                    "refusal_recall": round(float((held[labels == 0] < t).mean()), 3),
                }
                for t in (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
            }
        sys.stdout.write(json.dumps(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
