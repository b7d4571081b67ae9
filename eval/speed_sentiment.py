"""Headlines in, headlines a second, milliseconds for one and resident memory out: our scorer beside transformers.pipeline.

Three sides read the same headlines in processes of their own, by turns, so that whatever else the machine does falls on all:

    regtape     the scorer by name, on ONNX Runtime; it fails where torch gets imported
    pipeline    transformers.pipeline, torch in fp32, with a BERT of the same size
    bert-base   the same with a BERT-base, the size of the published FinBERT

The pipelines' weights are random, which changes no time: what is measured is arithmetic, not answers. Each side gets the same
number of threads, headlines in batches of 32 and then one at a time, after a first batch that is not timed.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from api.console import DONE, print_json, regtape_command, settings, wants_json
from eval.scoring import SEED, Measures, interval
from ingest.encoder import cores
from ingest.errors import BadRequest, ModelMissing

BATCH = 32
SINGLES = 100  # headlines scored one at a time
_MEBIBYTE = 1 << 20
_BETWEEN_LOOKS = 0.05  # seconds between two looks at a side's memory

Classify = Callable[[list[str]], object]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one side: headlines a second in batches, milliseconds for one (median and 99th percentile), seconds until it
    could begin, and the most memory that was resident."""

    per_second: float
    p50_ms: float
    p99_ms: float
    startup_seconds: float
    resident_mib: float = 0.0


def sentiment_speed(
    texts: Sequence[str],
    *,
    model: str = "finbert",
    threads: int | None = None,
    repeats: int = 3,
    sides: Sequence[str] = (),
    cache_dir: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda _done, _all, _side: None,
) -> dict[str, Any]:
    """Run every side `repeats` times, by turns.

    metrics   ours: per_second, p50_ms, p99_ms, resident_mib; times_pipeline, times_bert_base: how many times theirs per_second
              is, run by run
    groups    the same figures of each side; intervals are over runs

    sides: only these (default: all). Raises ModelMissing when a side cannot run, with what it said.
    """
    threads = threads or cores()
    chosen = list(sides or SIDES)
    runs: dict[str, list[Run]] = {side: [] for side in chosen}
    with tempfile.TemporaryDirectory(prefix="regtape-speed-") as name:
        job = Path(name) / "job.json"
        told = {"texts": list(texts), "model": model, "threads": threads}
        job.write_text(json.dumps(told | {"cache_dir": str(cache_dir) if cache_dir else None}))
        for turn in range(repeats):
            for side in sorted(chosen, reverse=bool(turn % 2)):
                progress(sum(map(len, runs.values())), repeats * len(chosen), side)
                runs[side].append(_run(side, job))
    groups = {side: _figures(found) for side, found in runs.items()}
    metrics: Measures = {}
    if "regtape" in runs:
        metrics |= {k: v for k, v in groups["regtape"].items() if k != "startup_seconds"}
        for side in (side for side in chosen if side != "regtape"):
            ratios = [
                ours.per_second / theirs.per_second
                for ours, theirs in zip(runs["regtape"], runs[side], strict=True)
            ]
            metrics["times_" + side.replace("-", "_")] = interval(ratios, random.Random(SEED))
    return {
        "task": "speed",
        "dataset": "headlines",
        "n": len(texts),
        "metrics": metrics,
        "groups": groups,
        "settings": {
            "model": model,
            "threads": threads,
            "batch": BATCH,
            "singles": min(SINGLES, len(texts)),
            "repeats": repeats,
            "tokens": _mean_tokens(texts, model),
            "versions": {p: version(p) for p in ("onnxruntime", "torch", "transformers")},
        },
    }


def headlines(count: int) -> list[str]:
    """Made-up headlines of about 27 word pieces, [CLS] and [SEP] counted; the same in every run."""
    draw = random.Random(SEED)
    return [
        f"{draw.choice(_WHO)} {draw.choice(_DOES)} {draw.randint(2, 98)}.{draw.randint(0, 9)}% to "
        f"${draw.randint(1, 9)}.{draw.randint(10, 99)} billion {draw.choice(_WHEN)}, {draw.choice(_AND)}"
        for _ in range(count)
    ]


_WHO = (
    "Harbour Foods",
    "Orlane Motors",
    "Calder Bank",
    "Vasco Chemicals",
    "Tern Airlines",
    "Keld Steel",
)
_DOES = (
    "says quarterly profit fell",
    "raises sales outlook by",
    "reports revenue up",
    "cuts its dividend",
    "narrows loss",
)
_WHEN = (
    "in the third quarter",
    "as costs rise",
    "on weaker demand in Asia",
    "after a strong holiday season",
)
_AND = (
    "beats estimates",
    "shares drop",
    "warns of layoffs",
    "analysts upgrade the stock",
    "will buy back shares",
)


def _figures(runs: Sequence[Run]) -> Measures:
    names = ("per_second", "p50_ms", "p99_ms", "resident_mib", "startup_seconds")
    return {
        name: interval([getattr(run, name) for run in runs], random.Random(SEED)) for name in names
    }


# ---- a run of a side


def _run(side: str, job: Path) -> Run:
    """One side in a process of its own; its report is the last line it prints."""
    import psutil

    command = [sys.executable, "-m", "eval.speed_sentiment", "side", side, str(job)]
    out, err = job.with_name("out"), job.with_name("err")
    with out.open("w") as written, err.open("w") as said:
        process = subprocess.Popen(command, stdout=written, stderr=said)
        watched, most = psutil.Process(process.pid), 0
        while process.poll() is None:
            try:
                most = max(most, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(_BETWEEN_LOOKS)
        process.wait()
    if process.returncode:
        raise ModelMissing(f"the {side} side failed: {err.read_text().strip()[-1000:]}")
    found = json.loads(out.read_text().splitlines()[-1])
    return Run(**found | {"resident_mib": most / _MEBIBYTE})


def _timed(open_it: Callable[[], Classify], texts: Sequence[str]) -> Run:
    import numpy as np

    began = time.perf_counter()
    classify = open_it()
    ready = time.perf_counter()
    classify(list(texts[:BATCH]))
    start = time.perf_counter()
    for at in range(0, len(texts), BATCH):
        classify(list(texts[at : at + BATCH]))
    seconds = time.perf_counter() - start
    one = []
    for text in texts[:SINGLES]:
        start = time.perf_counter()
        classify([text])
        one.append(1000 * (time.perf_counter() - start))
    return Run(
        per_second=len(texts) / seconds,
        p50_ms=float(np.percentile(one, 50)),
        p99_ms=float(np.percentile(one, 99)),
        startup_seconds=ready - began,
    )


def _regtape(job: dict[str, Any]) -> Run:
    def open_it() -> Classify:
        from sentiment.scorer import open_scorer

        cache = Path(job["cache_dir"]) if job["cache_dir"] else None
        scorer = open_scorer(job["model"], threads=job["threads"], cache_dir=cache)
        return scorer.score

    found = _timed(open_it, job["texts"])
    if imported := {"torch", "transformers"} & set(sys.modules):
        raise AssertionError(f"scoring imported {', '.join(sorted(imported))}")
    return found


def _pipeline(job: dict[str, Any]) -> Run:
    from transformers import BertConfig

    config = json.loads((_folder(job["model"]) / "config.json").read_bytes())
    sizes = (
        "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
        "max_position_embeddings", "type_vocab_size",
    )  # fmt: skip
    return _timed(
        lambda: _in_torch(BertConfig(**{k: config[k] for k in sizes if k in config}), job),
        job["texts"],
    )


def _bert_base(job: dict[str, Any]) -> Run:
    from transformers import BertConfig

    return _timed(lambda: _in_torch(BertConfig(), job), job["texts"])


def _in_torch(config: Any, job: dict[str, Any]) -> Classify:
    import torch

    transformers: Any = import_module("transformers")
    torch.set_num_threads(job["threads"])
    config.num_labels = 3
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(_folder(job["model"]) / "tokenizer.json"),
        pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]", model_max_length=128,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config).train(False)
    classify = transformers.pipeline(
        "text-classification", model=model, tokenizer=tokenizer, device="cpu"
    )
    return lambda texts: classify(texts, batch_size=BATCH, truncation=True)


SIDES: dict[str, Callable[[dict[str, Any]], Run]] = {
    "regtape": _regtape,
    "pipeline": _pipeline,
    "bert-base": _bert_base,
}


def _folder(model: str) -> Path:
    """The folder that the scorer's sizes and word pieces are in; MiniLM's where it has none (the lexicon)."""
    from ingest.embed import minilm_folder
    from sentiment.scorer import ANY, MODELS

    folder = Path(model.removeprefix(ANY)).expanduser() if model.startswith(ANY) else MODELS / model
    return folder if (folder / "tokenizer.json").is_file() else minilm_folder()


def _mean_tokens(texts: Sequence[str], model: str) -> float:
    from ingest.encoder import open_tokenizer

    tokenizer = open_tokenizer(_folder(model) / "tokenizer.json")
    lengths = [len(tokenizer.encode(text, add_special_tokens=True).ids) for text in texts]
    return round(sum(lengths) / len(lengths), 1)


# ---- the command


@regtape_command(
    "sentiment",
    short_help="Headlines a second, beside transformers.pipeline.",
    examples=(
        "regtape eval speed sentiment --json",
        "python -m eval.speed_sentiment sentiment tweets.jsonl --model finbert",
    ),
)
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "--texts",
    type=click.IntRange(BATCH),
    default=256,
    show_default=True,
    help="How many headlines.",
)
@click.option("--model", metavar="NAME", default="finbert", show_default=True, help="A scorer.")
@click.option("--threads", type=click.IntRange(1), help="For every side. Default: the cores.")
@click.option(
    "--repeats", type=click.IntRange(1), default=3, show_default=True, help="Runs of each side."
)
def command(file: Path | None, texts: int, model: str, threads: int | None, repeats: int) -> int:
    """Score headlines with ours and with two pipelines, by turns. FILE: rows with "text" instead of made-up headlines."""
    from api.console import progress

    read = _texts(file, texts) if file else headlines(texts)
    with progress("eval", "runs") as tell:
        found = sentiment_speed(
            read,
            model=model,
            threads=threads,
            repeats=repeats,
            cache_dir=settings().models_folder,
            progress=tell,
        )
    found["dataset"] = file.stem if file else "made-up headlines"
    if wants_json():
        print_json(found)
    else:
        click.echo(_table(found))
    return DONE


def _texts(file: Path, count: int) -> list[str]:
    found: list[str] = []
    with file.open(encoding="utf-8-sig") as lines:
        for line in lines:
            if len(found) == count:
                break
            found.append(str(json.loads(line)["text"]))
    if len(found) < BATCH:
        raise BadRequest(f"{file.name} has {len(found)} texts; {BATCH} are needed at least")
    return found


def _table(found: dict[str, Any]) -> str:
    """A line a figure: value, 95 % interval over runs, number of runs."""
    told = found["settings"]
    lines = [
        f"{found['dataset']}: {found['n']} texts of {told['tokens']} tokens, {told['threads']} threads, {told['model']}"
    ]
    for title, figures in {"": found["metrics"], **found["groups"]}.items():
        for name, figure in figures.items():
            lines.append(
                f"{title:>10} {name:<16}{figure['value']:>10.2f}"
                f"  [{figure['low']:.2f}, {figure['high']:.2f}]  n={figure['n']}"
            )
    return "\n".join(lines)


@click.command("side", hidden=True)
@click.argument("side", type=click.Choice(sorted(SIDES)))
@click.argument("job", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def _side_command(side: str, job: Path) -> None:
    """What a run starts: one side, once; prints what it measured."""
    click.echo(json.dumps(asdict(SIDES[side](json.loads(job.read_bytes())))))


if __name__ == "__main__":
    click.Group("speed_sentiment", commands=[command, _side_command]).main(obj={})
