"""Judged questions in, a folder with an embedder of the domain out: hold apart, mine, read ahead, fit, mix, save.

Each question is pulled towards one of its passages and away from those of the other questions in its batch, and from some
that rank high for it and are not relevant (`hard_negatives`). Imports torch (`pip install 'regtape[torch]'`).
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.nn import functional
from transformers import BertModel

from ingest.beir import Beir, hard_negatives, split_for
from ingest.bert_fitting import (
    Progress,
    Read,
    Report,
    ahead,
    fit,
    mean,
    open_bert,
    save,
    upper_parameters,
    upwards,
)  # fmt: skip
from ingest.embed import Embedder, minilm_folder


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run does.

    Measured on ObliQA dev, 1,646 questions trained on, 572 held apart, 13,705 passages: by vectors alone recall@10 rises from
    0.712 to 0.767 and map@10 from 0.510 to 0.591; fused with words, each at its best share, map@10 rises by 0.006 (-0.004 to
    0.016) only. Not better fused: training against the sum of cosine and BM25, so as to learn what words miss (0.686), and a
    linear map of the base's vectors (0.534 alone, 0.675 fused half and half).
    """

    epochs: int = 4
    batch: int = 64
    rate: float = 1e-4
    fitted: int = 2  # highest layers; those below stay as they are
    negatives: int = 2  # hard ones of each question in a step
    pool: int = 8  # from so many of them
    max_tokens: int = 200  # of a passage; nine in ten relevant ones are shorter
    temperature: float = 0.05
    share: float = 1.0  # of the way from the base to what was fitted


DEFAULT = Recipe()


def train(
    beir: Beir, out: Path, embedder: Embedder, *, trained_through: str | None = None, held: float = 0.2,
    seed: int = 0, base: Path | None = None, recipe: Recipe = DEFAULT, progress: Progress = lambda *_: None,
) -> Report:  # fmt: skip
    """Fit `base` (a folder with a BERT; MiniLM where none is named) and write a folder that "bert:FOLDER" opens.

    embedder: mines the hard negatives. held: share of the questions kept apart; out/split.jsonl says which. trained_through:
    the last civil day whose text is in the set. Raises BadRequest when a passage of a held question is trained on.
    """
    began, base = time.monotonic(), base or minilm_folder()
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    split = split_for(beir, held, out)
    questions = sorted(split.training)
    with TemporaryDirectory(prefix="regtape-train-") as home:
        hard = hard_negatives(
            beir, questions, Path(home), embedder,
            progress=lambda done, of, what: progress(done, of or done, what),
        )  # fmt: skip

    bert, tokenizer = open_bert(base)
    kept = max(0, len(bert.encoder.layer) - recipe.fitted)
    relevant = {id: sorted(beir.relevant[id]) for id in questions}
    places = {id: number for number, id in enumerate(beir.passages)}
    pool = {places[p] for found in relevant.values() for p in found}
    pool |= {n for id in questions for n in hard[id][: recipe.pool]}
    texts = list(beir.passages.values())
    tokenizer.enable_truncation(recipe.max_tokens)
    to_read = [texts[n][1] for n in sorted(pool)] + [beir.questions[id] for id in questions]
    pieces = [found.ids for found in tokenizer.encode_batch(to_read)]
    read = ahead(bert, pieces, [len(each) for each in pieces], kept, progress)
    passages = dict(zip(sorted(pool), read, strict=False))
    asked = dict(zip(questions, read[len(pool) :], strict=True))

    random = np.random.default_rng(seed)
    per_epoch = math.ceil(len(questions) / recipe.batch)
    order: list[str] = []

    def loss_of(step: int) -> torch.Tensor:
        if step % per_epoch == 0:
            order[:] = [questions[n] for n in random.permutation(len(questions))]
        at = step % per_epoch * recipe.batch
        batch = order[at : at + recipe.batch]
        picked = [places[relevant[id][random.integers(len(relevant[id]))]] for id in batch]
        beside = [
            n
            for id in batch
            for n in random.permutation(hard[id][: recipe.pool])[: recipe.negatives].tolist()
        ]
        shown = list(dict.fromkeys(picked + beside))
        right = {id: {places[p] for p in relevant[id]} for id in batch}
        vectors = _vectors(bert, [asked[id] for id in batch] + [passages[n] for n in shown], kept)
        scores = vectors[: len(batch)] @ vectors[len(batch) :].T / recipe.temperature
        return contrast(
            scores,
            [shown.index(n) for n in picked],
            [[n in right[id] for n in shown] for id in batch],
        )

    losses = fit(
        [(upper_parameters(bert, kept), recipe.rate)],
        recipe.epochs * per_epoch, loss_of, progress,
    )  # fmt: skip
    save(base, out, bert, {"trained_through": trained_through}, share=recipe.share)
    report = Report.of(began, seed, len(beir.relevant), len(questions), len(split.held), losses)
    report.write(out, asdict(recipe))
    return report


def contrast(
    scores: torch.Tensor, right: Sequence[int], relevant: Sequence[Sequence[bool]]
) -> torch.Tensor:
    """Mean over questions of -log softmax of the picked passage among all shown, its other relevant ones left out.

    scores: (questions, shown); right: the column of each one's picked passage; relevant: whether each column is relevant.
    """
    picked = torch.tensor(list(right), device=scores.device)
    others = torch.tensor([list(row) for row in relevant], device=scores.device)
    others[torch.arange(len(picked), device=scores.device), picked] = False
    return functional.cross_entropy(scores.masked_fill(others, -1e4), picked)


def _vectors(bert: BertModel, reads: Sequence[Read], kept: int) -> torch.Tensor:
    """(texts, width): means of the last states, of length 1."""
    rows: dict[int, torch.Tensor] = {}
    for part, states, attention in upwards(bert, reads, kept):
        rows |= zip(part, functional.normalize(mean(states, attention), dim=-1), strict=True)
    return torch.stack([rows[n] for n in range(len(reads))])
