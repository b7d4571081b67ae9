"""Labelled sets in, a model folder of our own out. torch is imported here and in no other command."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.console import (
    DONE,
    console,
    note,
    print_json,
    progress,
    regtape_command,
    wants_json,
)
from ingest.errors import ModelMissing

if TYPE_CHECKING:
    from sentiment.train import Report


@click.group("train", short_help="Make models of your own.")
def command() -> None:
    """Make models of your own; needs torch (`pip install 'regtape[torch]'`), and a graphics card helps."""


@regtape_command(
    "finbert",
    short_help="Fine-tune the scorer of news.",
    examples=(
        "regtape train finbert my-finbert --data labelled/",
        "regtape train finbert research --data labelled/ --research --seed 7",
        "regtape news score --model hf:my-finbert",
    ),
)
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, metavar="FOLDER",
    help="The labelled sets, a folder each: tfns, sentfin, finentity; with --research phrasebank and fiqa as well.",
)  # fmt: skip
@click.option(
    "--research", is_flag=True,
    help="Learn from sets that do not allow commercial use, too; the model says so whenever it is opened.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Fixes order and dropout.")
@click.option(
    "--base", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
    help="The BERT to start from (config.json, tokenizer.json, model.safetensors). Default: MiniLM.",
)  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), help="Passes over the sets. Default: the recipe's.")  # fmt: skip
def finbert(
    out: Path, data: Path, research: bool, seed: int, base: Path | None, epochs: int | None
) -> int:
    """Fine-tune a BERT on labelled financial sentiment, calibrate and measure it, and write folder OUT.

    OUT then holds the weights, an int8 graph that is checked against them, the splits by hash, and the report. Texts that
    sets share are in one split only; the command stops where a measured text is near one that was trained on.
    """
    report = _train(out, data, research, seed, base, epochs)
    exported = _export(out)
    if wants_json():
        print_json({"folder": str(out), "report": asdict(report), "export": exported})
        return DONE
    from api.render import show_training

    show_training(report, exported, console())
    note(f"Use it: regtape news score --model hf:{out}")
    return DONE


def _train(
    out: Path, data: Path, research: bool, seed: int, base: Path | None, epochs: int | None
) -> "Report":
    try:
        from sentiment import train
    except ModuleNotFoundError as exc:
        raise ModelMissing(
            f"training needs {exc.name}, which is not installed; pip install 'regtape[torch]'"
        ) from exc
    from dataclasses import replace

    recipe = replace(train.DEFAULT, epochs=epochs) if epochs else train.DEFAULT
    with progress("train", "steps") as tell:

        def told(phase: str, done: int, total: int, loss: float) -> None:
            tell(done, total, f"{phase}, loss {loss:.3f}")

        return train.train(
            data, out, research=research, seed=seed, base=base, recipe=recipe, progress=told
        )


def _export(out: Path) -> dict[str, Any]:
    """What the int8 graph differs by from the weights it was made of."""
    from sentiment.finbert import export

    return asdict(export(out, out))


command.add_command(finbert)
