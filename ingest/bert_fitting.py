"""Texts in, a BERT whose upper layers are fitted out: the steps that training an embedder and a reranker share.

The lower layers keep what they know: with a few thousand questions they have little to learn, and running every text through
them once, ahead, leaves a third of the work on a CPU. Imports torch, so nothing that embeds or reranks imports this.
"""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import BertConfig, BertModel
from transformers import logging as transformers_logging

from ingest.encoder import Weights, open_tokenizer

Progress = Callable[[int, int, str], None]

_KEYS = set(
    "vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act max_position_embeddings "
    "type_vocab_size layer_norm_eps pad_token_id".split()
)
_TOGETHER = 4096  # word pieces, padding included, that are run at a time


def open_bert(folder: Path) -> tuple[BertModel, Tokenizer]:
    """The weights of a folder, none of them to be fitted yet, and its tokenizer. Raises ModelMissing where it holds no BERT."""
    weights = Weights(folder)
    settings = BertConfig(**{k: v for k, v in weights.config.items() if k in _KEYS})
    # Without dropout: over so few steps nothing was gained by it, and drawing it is a sixth of a step on a CPU.
    settings.hidden_dropout_prob = settings.attention_probs_dropout_prob = 0.0
    settings._attn_implementation = "eager"
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    bert = BertModel(settings, add_pooling_layer=False)
    held = load_file(folder / "model.safetensors")
    bert.load_state_dict({k.removeprefix("bert."): v for k, v in held.items()}, strict=False)
    bert.requires_grad_(False)
    nn.Module.to(bert, best_device())
    return bert, open_tokenizer(weights.tokenizer)


@dataclass(frozen=True, slots=True)
class Read:
    """What stands between the layers that are kept and those that are fitted. states: (pieces, width); first: how many of the
    pieces are of the first of two segments."""

    states: torch.Tensor
    first: int


def ahead(
    bert: BertModel, texts: Sequence[Sequence[int]], firsts: Sequence[int], layers: int,
    progress: Progress = lambda *_: None,
) -> list[Read]:  # fmt: skip
    """Run each text (word pieces, and how many are of its first segment) through the lowest layers, once."""
    device, done = best_device(), 0
    out: dict[int, Read] = {}
    for part in _together([len(text) for text in texts]):
        longest = max(len(texts[n]) for n in part)
        ids = torch.zeros((len(part), longest), dtype=torch.long)
        segments, attention = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, n in enumerate(part):
            ids[row, : len(texts[n])] = torch.tensor(texts[n])
            attention[row, : len(texts[n])] = 1
            segments[row, firsts[n] : len(texts[n])] = 1
        with torch.no_grad(), half_precision(device):
            states = bert.embeddings(input_ids=ids.to(device), token_type_ids=segments.to(device))
            states = _run(bert, states, attention.to(device), slice(layers))
        for row, n in enumerate(part):
            out[n] = Read(states[row, : len(texts[n])].bfloat16().clone(), firsts[n])
        done += len(part)
        progress(done, len(texts), "texts read ahead")
    return [out[n] for n in range(len(texts))]


def upwards(
    bert: BertModel, reads: Sequence[Read], layers: int
) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
    """Run what `ahead` made through the rest, in parts of like length: which of them, their states (part, pieces, width) and
    where there is text (part, pieces)."""
    device = best_device()
    for part in _together([len(read.states) for read in reads]):
        states = nn.utils.rnn.pad_sequence([reads[n].states for n in part], batch_first=True)
        attention = torch.zeros(states.shape[:2], device=device)
        for row, n in enumerate(part):
            attention[row, : len(reads[n].states)] = 1
        with half_precision(device):
            found = _run(bert, states.float(), attention, slice(layers, None))
        yield part, found.float(), attention


def _run(
    bert: BertModel, states: torch.Tensor, attention: torch.Tensor, which: slice
) -> torch.Tensor:
    out = torch.finfo(states.dtype).min * (1 - attention[:, None, None].to(states.dtype))
    for layer in bert.encoder.layer[which]:
        states = layer(states, out)
    return states


def _together(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Numbers of texts of like length, so many that _TOGETHER pieces are not passed."""
    part: list[int] = []
    for n in sorted(range(len(lengths)), key=lambda n: (lengths[n], n)):
        if part and lengths[n] * (len(part) + 1) > _TOGETHER:
            yield part
            part = []
        part.append(n)
    if part:
        yield part


def mean(states: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(texts, width): the mean of the states (texts, pieces, width) that weights (texts, pieces) pick."""
    return (states * weights[..., None]).sum(1) / weights.sum(1, keepdim=True).clamp(min=1)


def fit(
    groups: Sequence[tuple[Sequence[nn.Parameter], float]], steps: int,
    loss_of: Callable[[int], torch.Tensor], progress: Progress, *, warmup: float = 0.1,
) -> list[float]:  # fmt: skip
    """AdamW over groups of parameters with a peak rate each; up for a tenth of the steps, then down to nought. Returns losses."""
    for parameters, _ in groups:
        for parameter in parameters:
            parameter.requires_grad_(True)
    made: list[dict[str, Any]] = [{"params": list(p), "lr": rate} for p, rate in groups]
    optimizer = torch.optim.AdamW(made, weight_decay=0.01)
    everything = [p for parameters, _ in groups for p in parameters]
    losses: list[float] = []
    for step in range(steps):
        share = min((step + 1) / math.ceil(warmup * steps), (steps - step) / steps)
        for group, (_, rate) in zip(optimizer.param_groups, groups, strict=True):
            group["lr"] = rate * share
        loss = loss_of(step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(everything, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
        progress(step + 1, steps, f"steps, loss {sum(losses[-10:]) / len(losses[-10:]):.3f}")
    return losses


def upper_parameters(bert: BertModel, layers: int) -> list[nn.Parameter]:
    """Those of the layers above the lowest ones."""
    return [p for layer in bert.encoder.layer[layers:] for p in layer.parameters()]


def save(
    base: Path, out: Path, bert: BertModel, told: dict[str, Any], *,
    share: float = 1.0, head: dict[str, torch.Tensor] | None = None,
) -> None:  # fmt: skip
    """A folder as ingest/encoder.py reads it. share: of the way from the base's weights to the fitted ones that is gone; less
    than all of it keeps more of what the base knew of other texts (Wortsman et al., "Robust fine-tuning", 2022)."""
    out.mkdir(parents=True, exist_ok=True)
    config = json.loads((base / "config.json").read_text("utf-8"))
    kept = {k: v for k, v in config.items() if not k.startswith("_")} | {"regtape": told}
    (out / "config.json").write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    open_tokenizer(Weights(base).tokenizer).save(str(out / "tokenizer.json"))
    before = {k.removeprefix("bert."): v for k, v in load_file(base / "model.safetensors").items()}
    prefix = "bert." if head else ""
    weights = {
        prefix + k: torch.lerp(before[k].float(), v.detach().float().cpu(), share).contiguous()
        if k in before and v.is_floating_point()
        else v.detach().cpu().contiguous()
        for k, v in bert.state_dict().items()
    }
    save_file(weights | (head or {}), out / "model.safetensors")


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. loss: mean of the first and of the last ten steps."""

    seed: int
    minutes: float
    questions: int
    trained_on: int
    held: int
    loss: tuple[float, float]

    @classmethod
    def of(
        cls,
        began: float,
        seed: int,
        questions: int,
        trained_on: int,
        held: int,
        losses: Sequence[float],
    ) -> Self:
        """began: time.monotonic() at the start."""
        ends = [sum(part) / len(part) for part in (losses[:10], losses[-10:])]
        minutes = round((time.monotonic() - began) / 60, 1)
        return cls(seed, minutes, questions, trained_on, held, (ends[0], ends[1]))

    def write(self, out: Path, recipe: dict[str, Any]) -> None:
        """Beside the model, with the recipe."""
        (out / "report.json").write_text(json.dumps(asdict(self) | recipe, indent=1) + "\n")


def best_device() -> torch.device:
    """The graphics card where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def half_precision(device: torch.device) -> torch.autocast:
    """bfloat16 where the hardware multiplies it: several times the speed of fp32 on a CPU with AMX."""
    quick = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=quick)
