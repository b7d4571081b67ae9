"""Rows in, fitted weights and logits out: the network that reads a target, how rows become its input, how it is fitted.

Imports torch, so nothing that scores imports this; the steps in order are in sentiment/train.py.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertModel
from transformers import logging as transformers_logging

from ingest.errors import BadRequest
from sentiment.labelled import Row
from sentiment.pieces import LESS, MARKS, MORE, Reader
from sentiment.scorer import LABELS, Marked

Progress = Callable[[str, int, int, float], None]  # phase, steps done, steps in all, loss


def silent(phase: str, done: int, total: int, loss: float) -> None:
    """The progress callback that says nothing."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run does. The defaults are what measured best on validation; the model card tells what did not."""

    epochs: int = 3
    batch: int = 64
    rate: float = 1.5e-4  # of the top layer
    decay: float = 0.85  # of the rate, from each layer to the one below
    head_rate: float = 5e-4
    warmup: float = 0.08
    smoothing: float = 0.05
    weight_decay: float = 0.02
    average: float = 0.995  # of the running average of weights, which is what is kept
    dropout: float = 0.1
    max_tokens: int = 128
    compares: bool = True  # whether sentiment/comparisons.py tells it which figure is more
    written: int = 9000  # sentences from our own patterns
    written_weight: float = 0.5  # of one of them in the loss, where a row of a set has 1
    freeze_words: bool = (
        True  # the word table stays, so a word unseen here keeps its place among those seen
    )
    fold_epochs: int = 3
    fold_rate: float = 1.5e-4
    fold_layers: int = (
        3  # the lowest ones, which the folds leave as they are: half of the time saved
    )
    rehearsal: float = 0.2  # rows of other sets that go along with each fold, as a share of its own


# --- The model


class Dropout(nn.Module):
    """As nn.Dropout, with its randomness from NumPy's bytes: a fifth of the time on a CPU, where it is a sixth of a step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.random = np.random.default_rng(0)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.share:
            return values
        drawn = np.frombuffer(self.random.bytes(values.numel()), np.uint8)
        limit = round(256 * self.share)
        kept = torch.from_numpy(drawn >= limit).view(values.shape).to(values.device, values.dtype)
        return values * kept.mul_(256 / (256 - limit))


class TargetBert(nn.Module):
    """BERT whose head reads the mean over all tokens beside the mean over the target's own."""

    def __init__(self, config: BertConfig, marks: Sequence[int]) -> None:
        super().__init__()
        self.bert = BertModel(config, add_pooling_layer=False)
        width = config.hidden_size
        self.head = nn.ModuleDict(
            {"dense": nn.Linear(2 * width, width), "out": nn.Linear(width, len(LABELS))}
        )
        self.drop = Dropout(config.hidden_dropout_prob)
        for part in self.bert.modules():
            held = getattr(part, "dropout", None)
            if isinstance(held, nn.Dropout) and held.p:  # attention's is nought
                part.dropout = Dropout(held.p)
        self.marks = nn.Parameter(torch.zeros(len(marks), width))
        self.mark_ids = tuple(marks)

    def forward(self, batch: "Batch") -> torch.Tensor:
        """Logits (batch, 3)."""
        states = self.states(batch)
        every = batch.attention.to(states.dtype)
        every = every / every.sum(1, keepdim=True)
        means = [
            (states * weights.to(states.dtype)[..., None]).sum(1)
            for weights in (every, batch.shares)
        ]
        hidden = torch.tanh(self.head["dense"](self.drop(torch.cat(means, dim=-1))))
        logits: torch.Tensor = self.head["out"](self.drop(hidden))
        return logits.float()

    def states(self, batch: "Batch", upto: int | None = None) -> torch.Tensor:
        """The states (batch, tokens, width) after the last layer, or after `upto` of them."""
        states = self._words(batch.ids) if batch.below is None else batch.below
        if not torch.is_autocast_enabled(states.device.type):
            states = states.float()
        out = torch.finfo(states.dtype).min * (1 - batch.attention[:, None, None].to(states.dtype))
        for layer in self.bert.encoder.layer[batch.layers : upto]:
            states = layer(states, out)
        return states

    def _words(self, ids: torch.Tensor) -> torch.Tensor:
        words = self.bert.embeddings.word_embeddings(ids)
        for mark, meaning in zip(self.mark_ids, self.marks, strict=True):
            words = torch.where((ids == mark)[..., None], meaning.to(words.dtype), words)
        states: torch.Tensor = self.bert.embeddings(inputs_embeds=words)
        return states

    def fold_marks(self) -> None:
        """Write the marks into the word table, where a reader of the saved weights expects them."""
        with torch.no_grad():
            self.bert.embeddings.word_embeddings.weight[list(self.mark_ids)] = self.marks


def open_base(folder: Path, dropout: float = 0.1, seed: int = 0) -> tuple[TargetBert, Tokenizer]:
    """The BERT of a folder under a head that knows nothing yet, or a folder that `save` wrote, head and all.

    seed: of a new head's weights. Raises BadRequest for a model that is no BERT.
    """
    torch.manual_seed(seed)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert":
        raise BadRequest(f"{folder} holds a {config.get('model_type')} model; a BERT is needed")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    settings = BertConfig(**{k: v for k, v in config.items() if k in _BERT_KEYS})
    settings.hidden_dropout_prob = dropout
    settings.attention_probs_dropout_prob = (
        0.0  # a third of the time on a CPU, and no gain was seen
    )
    settings._attn_implementation = "eager"
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    found_marks = [tokenizer.token_to_id(mark) for mark in MARKS]
    if None in found_marks[:2]:
        raise BadRequest(f"the vocabulary of {folder} has no {MARKS[:2]} to mark a target with")
    marks = [mark for mark in found_marks if mark is not None]
    model = TargetBert(settings, marks)
    weights = load_file(folder / "model.safetensors")
    if not any(name.startswith("bert.") for name in weights):
        weights = {f"bert.{name}": value for name, value in weights.items()}
    wanted = model.state_dict()
    found = {k: v for k, v in weights.items() if k in wanted}
    missing = [
        k for k in wanted if k.startswith("bert.") and k not in found and "position_ids" not in k
    ]
    if missing:
        raise BadRequest(f"{folder} lacks weights: {', '.join(missing[:3])}")
    model.load_state_dict(found, strict=False)
    table = model.bert.embeddings.word_embeddings.weight
    with torch.no_grad():
        if not config.get("regtape", {}).get("compares"):
            for mark, word in ((MORE, "higher"), (LESS, "lower")):
                places = tokenizer.token_to_id(mark), tokenizer.token_to_id(word)
                if None not in places:
                    table[places[0]] = table[places[1]]
        model.marks.copy_(table[marks])
    return model, tokenizer


_BERT_KEYS = set(
    "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act max_position_embeddings "
    "type_vocab_size layer_norm_eps pad_token_id".split()
)


# --- Rows to tokens


@dataclass(frozen=True, slots=True)
class Example:
    """One row, ready: what the model reads, the wanted probabilities, its weight in the loss."""

    ids: Sequence[int]
    shares: Sequence[float]  # of each token in the mean of the target's; they add up to 1
    wanted: tuple[float, float, float]
    weight: float = 1.0
    below: torch.Tensor | None = (
        None  # (tokens, width): states after the layers that `ahead` ran once and for all
    )
    layers: int = 0  # how many those are


@dataclass(frozen=True, slots=True)
class Batch:
    """Examples side by side, each (batch, tokens)."""

    ids: torch.Tensor
    attention: torch.Tensor
    shares: torch.Tensor
    below: torch.Tensor | None  # (batch, tokens, width)
    layers: int


def examples_of(rows: Sequence[Row], tokenizer: Tokenizer, recipe: Recipe) -> list[Example]:
    """Rows as the model reads them, labels smoothed; PhraseBank sentences by how many annotators agreed.

    Of a text longer than the model its first sentence is read, or the first that names the target.
    """
    reader = Reader(tokenizer, recipe.max_tokens, marks=True, compares=recipe.compares)
    made = []
    for row in rows:
        run = reader.read(Marked(row.text, row.spans) if row.spans else row.text)[0]
        smoothing = recipe.smoothing
        if row.agreement is not None:
            smoothing = {100: 0.02, 75: 0.1, 66: 0.2, 50: 0.3}.get(row.agreement, smoothing)
        wanted = [smoothing / 3] * 3
        wanted[LABELS.index(row.label)] += 1 - smoothing
        made.append(
            Example(
                run.ids,
                run.shares,
                (wanted[0], wanted[1], wanted[2]),
                recipe.written_weight if row.set == "written" else 1.0,
            )
        )
    return made


def batches(
    examples: Sequence[Example], size: int, random: np.random.Generator
) -> Iterator[list[Example]]:
    """One pass in random order, each batch of nearly one length so that little is padding."""
    order = random.permutation(len(examples))
    stretch = size * 40
    groups: list[list[int]] = []
    for start in range(0, len(order), stretch):
        part = sorted(order[start : start + stretch], key=lambda i: len(examples[i].ids))
        groups += [part[at : at + size] for at in range(0, len(part), size)]
    for at in random.permutation(len(groups)):
        yield [examples[i] for i in groups[at]]


def batch_of(examples: Sequence[Example], device: torch.device) -> Batch:
    """Padded to the longest."""
    shape = len(examples), max(len(e.ids) for e in examples)
    ids, attention = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    shares = np.zeros(shape, np.float32)
    for n, example in enumerate(examples):
        ids[n, : len(example.ids)] = example.ids
        attention[n, : len(example.ids)] = 1
        shares[n, : len(example.ids)] = example.shares
    held = [e.below for e in examples if e.below is not None]
    below = nn.utils.rnn.pad_sequence(held, batch_first=True).to(device) if held else None
    placed = [torch.from_numpy(a).to(device) for a in (ids, attention, shares)]
    return Batch(placed[0], placed[1], placed[2], below, examples[0].layers)


def ahead(model: TargetBert, examples: Sequence[Example], layers: int) -> list[Example]:
    """The examples with what the lowest layers make of them, for fits that leave those layers as they are."""
    device = best_device()
    model.to(device).eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    out = list(examples)
    with torch.no_grad(), half_precision(device):
        for at in range(0, len(order), 64):
            part = order[at : at + 64]
            states = model.states(batch_of([examples[i] for i in part], device), layers).bfloat16()
            for i, held in zip(part, states, strict=True):
                short = held[: len(examples[i].ids)].clone()
                out[i] = replace(examples[i], below=short, layers=layers)
    return out


# --- Fitting


def fit(
    model: TargetBert,
    examples: Sequence[Example],
    recipe: Recipe,
    seed: int,
    progress: Progress = silent,
    phase: str = "fit",
) -> TargetBert:
    """Fit in place; what is left in the model is the running average of its weights. The seed fixes order and dropout."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    for n, part in enumerate(p for p in model.modules() if isinstance(p, Dropout)):
        part.random = np.random.default_rng((seed, n))
    device = best_device()
    model.to(device).train()
    _release(model, recipe, examples[0].layers)
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe), fused=True)
    total = recipe.epochs * math.ceil(len(examples) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: _rate(step, total, recipe.warmup)
    )
    fitted = [p for p in model.parameters() if p.requires_grad]
    average = [p.detach().clone() for p in fitted]
    done, smooth = 0, 0.0
    for _ in range(recipe.epochs):
        for batch in batches(examples, recipe.batch, random):
            loss = _loss(model, batch, device)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(fitted, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            done += 1
            if done % EVERY == 0 or done == total:
                with torch.no_grad():  # early weights are forgotten fast
                    share = min(recipe.average**EVERY, done / (done + 10 * EVERY))
                    torch._foreach_lerp_(average, [p.detach() for p in fitted], 1 - share)
            smooth += (float(loss.detach()) - smooth) * max(0.02, 1 / done)
            progress(phase, done, total, smooth)
    with torch.no_grad():
        for parameter, mean in zip(fitted, average, strict=True):
            parameter.copy_(mean)
    model.fold_marks()
    return model


EVERY = 4  # steps from one look at the weights, for their average, to the next


def _loss(model: TargetBert, batch: Sequence[Example], device: torch.device) -> torch.Tensor:
    wanted = torch.tensor([e.wanted for e in batch], device=device)
    weight = torch.tensor([e.weight for e in batch], device=device)
    with half_precision(device):
        logits = model(batch_of(batch, device))
    each = -(wanted * torch.log_softmax(logits, -1)).sum(-1)
    return (each * weight).sum() / weight.sum()


def _release(model: TargetBert, recipe: Recipe, layers: int) -> None:
    """Let everything be fitted but the word table, and the embeddings and layers that were run ahead."""
    model.requires_grad_(True)
    model.bert.embeddings.requires_grad_(not layers)
    model.marks.requires_grad_(not layers)
    if recipe.freeze_words:
        model.bert.embeddings.word_embeddings.weight.requires_grad_(False)
    for layer in model.bert.encoder.layer[:layers]:
        layer.requires_grad_(False)


def parameter_groups(model: TargetBert, recipe: Recipe) -> list[dict[str, Any]]:
    """Lower layers know the language and move less; norms and biases do not decay."""
    layers = len(model.bert.encoder.layer)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if name.startswith("bert.encoder.layer."):
            rate = recipe.rate * recipe.decay ** (layers - 1 - int(name.split(".")[3]))
        elif name.startswith("bert."):
            rate = recipe.rate * recipe.decay**layers
        else:
            rate = recipe.head_rate
        decays = recipe.weight_decay if parameter.ndim > 1 and name != "marks" else 0.0
        groups.setdefault((rate, decays), []).append(parameter)
    return [{"params": p, "lr": r, "weight_decay": d} for (r, d), p in groups.items()]


def _rate(step: int, total: int, warmup: float) -> float:
    first = max(1, int(total * warmup))
    if step < first:
        return (step + 1) / first
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - first) / max(1, total - first)))


def best_device() -> torch.device:
    """The graphics card where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """bfloat16 where the hardware multiplies it: several times the speed of fp32 on a CPU with AMX."""
    quick = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=wanted and quick)


def soup(models: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """The mean of weights that were fitted from one start."""
    return {name: torch.stack([m[name] for m in models]).mean(0) for name in models[0]}


def logits_of(
    model: TargetBert, examples: Sequence[Example], *, batch: int = 64, exact: bool = True
) -> NDArray[np.float64]:
    """(n, 3), in order, without dropout; exact: in fp32, else in half precision where that is quicker."""
    device = best_device()
    model.to(device).eval()
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].ids))
    out = np.zeros((len(examples), len(LABELS)))
    with torch.inference_mode(), half_precision(device, wanted=not exact):
        for at in range(0, len(order), batch):
            part = order[at : at + batch]
            found = model(batch_of([examples[i] for i in part], device))
            out[part] = found.double().cpu().numpy()
    return out


def labels_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """The labels as numbers, in order."""
    return np.array([LABELS.index(row.label) for row in rows], np.int64)


# --- Saving


def save(
    model: TargetBert, base: Path, folder: Path, *, temperature: float, temperature_target: float,
    recipe: Recipe, notice: str | None, trained_through: str | None,
) -> None:  # fmt: skip
    """A model folder as sentiment/finbert.py reads it: config.json, tokenizer.json, model.safetensors (fp32)."""
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    config = {k: v for k, v in config.items() if not k.startswith("_")}
    config["architectures"] = ["TargetBert"]
    config["regtape"] = {
        "head": "mean+target",
        "labels": list(LABELS),
        "temperature": round(temperature, 4),
        "temperature_target": round(temperature_target, 4),
        "max_tokens": recipe.max_tokens,
        "compares": recipe.compares,
        "trained_through": trained_through,
        "notice": notice,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_bytes((base / "tokenizer.json").read_bytes())
    weights = {
        k: v.detach().float().cpu().contiguous()
        for k, v in model.state_dict().items()
        if k.startswith(("bert.", "head."))
    }
    save_file(weights, folder / "model.safetensors")
