"""Passages of a home in, tokens embedded a second out: our int8, our fp32, and sentence-transformers on torch as it comes.

The three embed the same passages by turns in one process, each in one call that hands over all of them, so that whatever else
the machine does falls on all. Tokens are those that the model reads of a passage, counted once for all. Beside the speed
stands what int8 costs: the cosine of each passage's vector with the one of fp32.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

import click
import numpy as np

from api.console import DONE, print_json, regtape_command, settings, wants_json
from api.settings import Settings
from eval.scoring import SEED, interval
from ingest.embed import Embedder, minilm_folder, open_embedder
from ingest.errors import BadRequest

OURS, PLAIN = "minilm", "torch"
_BACKENDS: dict[str, Callable[[], str]] = {
    OURS: lambda: "minilm",
    "minilm-fp32": lambda: "minilm-fp32",
    PLAIN: lambda: f"sentence-transformers:{minilm_folder()}",
}


def drawn_passages(chosen: Settings, count: int) -> list[str]:
    """So many passages of the home, as they were embedded. Raises BadRequest when it holds fewer."""
    from api.services import open_services
    from ingest.pipeline import passage_for_embedding

    with open_services(chosen) as services:
        services.index.refresh()
        if services.index.size < count:
            raise BadRequest(f"{chosen.home} holds {services.index.size} passages, not {count}")
        numbers = random.Random(SEED).sample(range(services.index.size), count)
        catalog = services.catalog
        held = {each.offset: each for each in catalog.documents()}
        return [
            passage_for_embedding(
                held[row.offset],
                row.context,
                catalog.text(held[row.offset].id)[row.start : row.end],
            )
            for row in services.index.rows(sorted(numbers))
        ]


def embed_speed(
    texts: Sequence[str], embedders: dict[str, Embedder], repeats: int, progress: Callable[[int, int, str], None]
) -> dict[str, Any]:  # fmt: skip
    """metrics: tokens_per_second of OURS; times_torch, run by run; cosine, of int8 with fp32 (mean over passages), and the
    least of them. groups: tokens_per_second of each side, intervals over runs."""
    room = min(each.max_tokens for each in embedders.values())
    count = embedders[OURS].count_tokens
    tokens = sum(min(count(text), room) for text in texts)
    seconds: dict[str, list[float]] = {name: [] for name in embedders}
    vectors = {name: each.embed(texts[:8]) for name, each in embedders.items()}  # warm
    for turn in range(repeats):
        for name in sorted(embedders, reverse=bool(turn % 2)):
            progress(sum(map(len, seconds.values())), repeats * len(embedders), name)
            began = time.perf_counter()
            vectors[name] = embedders[name].embed(texts)
            seconds[name].append(time.perf_counter() - began)
    rates = {name: [tokens / each for each in taken] for name, taken in seconds.items()}
    draw = random.Random(SEED)
    cosines = np.vecdot(vectors[OURS], vectors["minilm-fp32"]).astype(float).tolist()
    metrics = {
        "tokens_per_second": interval(rates[OURS], draw),
        "cosine": interval(cosines, draw),
        "least_cosine": interval([min(cosines)], draw),
    }
    if PLAIN in rates:
        ratios = [a / b for a, b in zip(rates[OURS], rates[PLAIN], strict=True)]
        metrics["times_torch"] = interval(ratios, draw)
    return {
        "task": "speed_embed", "dataset": "passages of the home", "n": len(texts), "metrics": metrics,
        "groups": {name: {"tokens_per_second": interval(each, draw)} for name, each in rates.items()},
        "settings": {"tokens": tokens, "repeats": repeats, "seed": SEED},
    }  # fmt: skip


@regtape_command(
    "embed",
    short_help="Tokens embedded a second, torch beside.",
    examples=("regtape eval speed embed --passages 500 --json",),
)
@click.option(
    "--passages", type=click.IntRange(8), default=500, show_default=True,
    help="Passages of REGTAPE_HOME, drawn by a fixed seed.",
)  # fmt: skip
@click.option(
    "--repeats", type=click.IntRange(1), default=5, show_default=True, help="Runs of each side."
)
def command(passages: int, repeats: int) -> int:
    """Embed passages of REGTAPE_HOME with our int8 and fp32 and with sentence-transformers, by turns."""
    from api.console import progress

    chosen = settings()
    texts = drawn_passages(chosen, passages)
    embedders = {
        name: open_embedder(backend(), threads=chosen.threads, cache_dir=chosen.models_folder)
        for name, backend in _BACKENDS.items()
    }
    with progress("eval", "runs") as tell:
        found = embed_speed(texts, embedders, repeats, tell)
    if wants_json():
        print_json(found)
    else:
        sides = {"": found["metrics"], **found["groups"]}
        for title, figures in sides.items():
            for name, each in figures.items():
                click.echo(
                    f"{title:>12} {name:<18}{each['value']:>10.4g} [{each['low']:.4g}, {each['high']:.4g}]"
                )
    return DONE
