"""Judged questions in, a folder with a cross-encoder out: hold apart, mine, read ahead, fit, save.

Of each question one relevant passage is to score above some that rank high for it and are not relevant: a softmax over the
list, since only the order matters. The head reads the mean over the pair beside the mean over the question, because the base
was made to be read by its mean. Imports torch (`pip install 'regtape[torch]'`).
"""

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import nn
from transformers import BertModel

from agent.rerank import pieces_of_pair
from ingest.beir import Beir, hard_negatives, split_for
from ingest.bert_fitting import (
    Progress,
    Read,
    Report,
    ahead,
    best_device,
    fit,
    mean,
    open_bert,
    save,
    upper_parameters,
    upwards,
)
from ingest.embed import Embedder, minilm_folder


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run does.

    Measured on ObliQA dev, 1,646 questions trained on, 572 held apart, the first 20 fused passages reordered: alone the
    cross-encoder loses (map@10 0.553, fused 0.684); added at three tenths it brings 0.690 and recall@10 from 0.801 to 0.809,
    within the noise (at its best share map@10 rises by 0.008, -0.001 to 0.017). So few questions teach it less than words know.
    """

    epochs: int = 3
    batch: int = 16
    rate: float = 1e-4
    head_rate: float = 5e-4
    fitted: int = 3  # highest layers; those below stay as they are
    negatives: int = (
        6  # of each question, drawn once: two thirds of them from the ten that rank first
    )
    positives: int = 2  # of a question at most
    max_tokens: int = 224  # of question and passage together


DEFAULT = Recipe()


class Head(nn.Module):
    """The head that bert_graph.py calls mean+target; the target is the question."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * width, width)
        self.out = nn.Linear(width, 1)

    def forward(self, every: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        hidden = torch.tanh(self.dense(torch.cat([every, question], dim=-1)))
        logits: torch.Tensor = self.out(hidden)[:, 0]
        return logits


def train(
    beir: Beir, out: Path, embedder: Embedder, *, trained_through: str | None = None, held: float = 0.2,
    seed: int = 0, base: Path | None = None, recipe: Recipe = DEFAULT, progress: Progress = lambda *_: None,
) -> Report:  # fmt: skip
    """Fit `base` (a folder with a BERT; MiniLM where none is named) and write a folder that agent/rerank.py opens.

    As ingest.train_embedder.train, and with the same questions held apart for the same share.
    """
    began, base = time.monotonic(), base or minilm_folder()
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
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
    places = {id: number for number, id in enumerate(beir.passages)}
    pieces = [found.ids for found in tokenizer.encode_batch([t for _, t in beir.passages.values()])]
    asked = {id: tokenizer.encode(beir.questions[id]).ids[1:-1] for id in questions}
    lists: list[tuple[list[int], list[int]]] = []  # numbers of pairs: relevant, and not
    pairs: list[tuple[list[int], int]] = []
    for id in questions:
        right = [places[p] for p in sorted(beir.relevant[id])][: recipe.positives]
        wrong = drawn(hard[id], recipe.negatives, random)
        start = len(pairs)
        pairs += [pieces_of_pair(asked[id], pieces[n], recipe.max_tokens) for n in right + wrong]
        middle = start + len(right)
        lists.append((list(range(start, middle)), list(range(middle, len(pairs)))))
    read = ahead(bert, [ids for ids, _ in pairs], [n for _, n in pairs], kept, progress)

    head = Head(bert.config.hidden_size).to(best_device())
    per_epoch = math.ceil(len(lists) / recipe.batch)
    order: list[int] = []

    def loss_of(step: int) -> torch.Tensor:
        if step % per_epoch == 0:
            order[:] = random.permutation(len(lists)).tolist()
        at = step % per_epoch * recipe.batch
        shown = [
            [right[random.integers(len(right))], *wrong]
            for right, wrong in (lists[n] for n in order[at : at + recipe.batch])
        ]
        logits = _logits(bert, head, [read[n] for each in shown for n in each], kept)
        parts = torch.split(logits, [len(each) for each in shown])
        return -torch.stack([torch.log_softmax(part, 0)[0] for part in parts]).mean()

    losses = fit(
        [
            (upper_parameters(bert, kept), recipe.rate),
            (list(head.parameters()), recipe.head_rate),
        ],
        recipe.epochs * per_epoch,
        loss_of,
        progress,
    )
    told = {"head": "mean+target", "max_tokens": recipe.max_tokens, "trained_through": trained_through}  # fmt: skip
    weights = {f"head.{k}": v.detach().cpu() for k, v in head.state_dict().items()}
    save(base, out, bert, told, head=weights)
    report = Report.of(began, seed, len(beir.relevant), len(questions), len(split.held), losses)
    report.write(out, asdict(recipe))
    return report


def drawn(ranked: list[int], count: int, random: np.random.Generator) -> list[int]:
    """Two thirds of them from the ten that rank first, the rest from those below."""
    first = random.permutation(ranked[:10])[: -(-2 * count // 3)].tolist()
    rest = random.permutation(ranked[10:])[: count - len(first)].tolist()
    return [int(n) for n in first + rest]


def _logits(bert: BertModel, head: Head, reads: list[Read], kept: int) -> torch.Tensor:
    rows: dict[int, torch.Tensor] = {}
    for part, states, attention in upwards(bert, reads, kept):
        question = torch.zeros_like(attention)
        for row, n in enumerate(part):
            question[row, : reads[n].first] = 1
        logits = head(mean(states, attention), mean(states, question))
        rows |= zip(part, logits, strict=True)
    return torch.stack([rows[n] for n in range(len(reads))])
