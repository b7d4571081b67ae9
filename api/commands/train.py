"""Labelled sets in, a model folder of our own out. torch is imported here and in no other command."""

from collections.abc import Callable
from dataclasses import asdict, replace
from importlib import import_module
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
    from ingest.bert_fitting import Report as Fitted
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
    train = _recipe("sentiment.train")
    recipe = replace(train.DEFAULT, epochs=epochs) if epochs else train.DEFAULT
    with progress("train", "steps") as tell:

        def told(phase: str, done: int, total: int, loss: float) -> None:
            tell(done, total, f"{phase}, loss {loss:.3f}")

        report: Report = train.train(
            data, out, research=research, seed=seed, base=base, recipe=recipe, progress=told
        )
        return report


def _recipe(module: str) -> Any:
    """The module, if what it needs is installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as exc:
        raise ModelMissing(
            f"training needs {exc.name}, which is not installed; pip install 'regtape[torch]'"
        ) from exc


def _export(out: Path) -> dict[str, Any]:
    """What the int8 graph differs by from the weights it was made of."""
    from sentiment.finbert import export

    return asdict(export(out, out))


command.add_command(finbert)


# ---- retrieval


def _of_judged_questions(run: Callable[..., int]) -> Callable[..., int]:
    """The arguments and options that both models of retrieval are trained with."""
    for each in (
        click.option("--epochs", type=click.IntRange(1), help="Passes over the questions. Default: the recipe's."),
        click.option(
            "--base", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="FOLDER",
            help="The BERT to start from (config.json, tokenizer.json, model.safetensors). Default: MiniLM.",
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Fixes order and draws."),
        click.option(
            "--trained-through", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE",
            help="The last day whose text the set holds; an answer as of a day before it says so.",
        ),
        click.option(
            "--held", type=click.FloatRange(0.01, 0.9), default=0.2, show_default=True,
            help="About that share of the questions is kept apart, with all that shares or adjoins their passages.",
        ),
        click.option("--split", default="dev", show_default=True, help="Of DATA's qrels/."),
        click.option(
            "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True, metavar="FOLDER",
            help="Passages and judged questions: corpus.jsonl, queries.jsonl, qrels/SPLIT.tsv.",
        ),
        click.argument("out", type=click.Path(file_okay=False, path_type=Path)),
    ):  # fmt: skip
        run = each(run)
    return run


@regtape_command(
    "embedder",
    short_help="Fine-tune the embedder of passages.",
    examples=(
        "regtape train embedder my-embedder --data OBLIQA --split dev",
        "REGTAPE_EMBEDDER=bert:my-embedder regtape eval retrieval OBLIQA --split dev --only-held my-embedder/split.jsonl",
    ),
)
@_of_judged_questions
@click.option(
    "--share", type=click.FloatRange(0, 1), metavar="X",
    help="How far from the base's weights to the fitted ones; less keeps more of what the base knew. Default: the recipe's.",
)  # fmt: skip
def embedder(out: Path, share: float | None, **options: Any) -> int:
    """Fine-tune a BERT so that questions lie near the passages that answer them, and write folder OUT.

    Hard negatives are mined by words and by the embedder that REGTAPE_EMBEDDER names. Whole sections are held apart, by hash,
    and the command stops where a passage of a held question, or its neighbour, would be trained on. Minutes on two cores; a
    run that is stopped starts again.
    """
    train_embedder = _recipe("ingest.train_embedder")
    chosen = {"share": share} if share is not None else {}
    return _fitted(out, train_embedder.train, train_embedder.DEFAULT, options, chosen)


@regtape_command(
    "reranker",
    short_help="Fine-tune the cross-encoder that reorders the best passages.",
    examples=(
        "regtape train reranker my-reranker --data OBLIQA --split dev",
        "regtape eval retrieval OBLIQA --split dev --reranker my-reranker --only-held my-reranker/split.jsonl",
    ),
)
@_of_judged_questions
def reranker(out: Path, **options: Any) -> int:
    """Fine-tune a BERT that reads a question and a passage together and says how well one answers the other.

    Negatives and the questions held apart are those of `train embedder`.
    """
    train_reranker = _recipe("agent.train_reranker")
    return _fitted(out, train_reranker.train, train_reranker.DEFAULT, options, {})


def _fitted(
    out: Path,
    train: Callable[..., "Fitted"],
    recipe: Any,
    options: dict[str, Any],
    chosen: dict[str, Any],
) -> int:
    from api.console import settings
    from ingest.beir import read_beir
    from ingest.embed import open_embedder

    if day := options["trained_through"]:
        options["trained_through"] = day.date().isoformat()
    if epochs := options.pop("epochs"):
        chosen["epochs"] = epochs
    beir = read_beir(options.pop("data"), options.pop("split"))
    used = settings()
    miner = open_embedder(used.embedder, threads=used.threads, cache_dir=used.models_folder)
    with progress("train", "steps") as tell:
        report = train(beir, out, miner, **options, recipe=replace(recipe, **chosen), progress=tell)
    if wants_json():
        print_json({"folder": str(out), "report": asdict(report)})
        return DONE
    click.echo(
        f"{out}: {report.trained_on} of {report.questions} questions trained on, {report.held} held apart; "
        f"loss {report.loss[0]:.3f}, at the end {report.loss[1]:.3f}; {report.minutes} minutes"
    )
    return DONE


command.add_command(embedder)
command.add_command(reranker)
