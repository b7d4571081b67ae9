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

from agent.compose import FEATURES, candidates
from agent.retrieve import retrieve
from eval.questions import Question, load_questions
from eval.scoring import fact_found, quote_inside
from ingest.moment import now, parse_moment

RIDGE = 1.0

Array = NDArray[np.float64]
Row = tuple[str, Array, float]


def fit(features: Array, labels: Array, ridge: float = RIDGE) -> Array:
    """Intercept and weights, (1 + n,), of a logistic regression with an L2 penalty on the
    weights.
    """
    x = np.column_stack([np.ones(len(features)), features])
    weights, penalty = np.zeros(x.shape[1]), ridge * np.eye(x.shape[1])
    penalty[0, 0] = 1e-6
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        curve = p * (1 - p) + 1e-9
        gradient = x.T @ (labels - p) - penalty @ weights
        step = np.linalg.solve(x.T @ (curve[:, None] * x) + penalty, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def measure(questions: Sequence[Question], services: Any) -> list[Row]:
    """(question id, features, label) of every candidate sentence of the answerable questions."""
    rows: list[Row] = []
    for question in (q for q in questions if q.answerable):
        evidence = retrieve(
            question.question,
            as_of=parse_moment(question.as_of) if question.as_of else now(),
            k=12,
            catalog=services.catalog,
            index=services.index,
            embedder=services.embedder,
        )
        quotes = [e.quote for e in question.evidence]
        for c in candidates(
            question.question, evidence, services.catalog, services.index, services.embedder
        ):
            words = c.quote.text
            near = any(quote_inside(words, q) or quote_inside(q, words) for q in quotes)
            states = any(fact_found(f, words) for f in question.key_facts)
            rows.append((question.id, c.features, float(near or states)))
    return rows


def left_out(rows: Sequence[Row]) -> tuple[Array, Array, Array]:
    """Weights on all rows; and probability, label of each row when its question is left out."""
    ids = np.array([r[0] for r in rows])
    x, y = np.array([r[1] for r in rows]), np.array([r[2] for r in rows])
    held = np.zeros(len(y))
    for one in dict.fromkeys(ids.tolist()):
        out = ids == one
        w = fit(x[~out], y[~out])
        held[out] = 1 / (1 + np.exp(-(w[0] + x[out] @ w[1:])))
    return fit(x, y), held, y


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
        rows = measure(questions, services)
    weights, held, labels = left_out(rows)
    result = {"n": len(rows), "positive": int(labels.sum()), "auc": round(auc(held, labels), 3)}
    fitted = dict(zip(("intercept", *FEATURES), weights.round(2).tolist(), strict=True))
    sys.stdout.write(json.dumps(result | fitted) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
