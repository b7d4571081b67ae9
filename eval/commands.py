"""`regtape eval …` in, one JSON object of metrics out; joined to the command line through the entry points regtape.eval."""

from pathlib import Path

import click

from api.console import DONE, console, print_json, progress, regtape_command, settings, wants_json

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@regtape_command(
    "answers",
    short_help="Answers against gold questions.",
    examples=(
        "regtape eval answers eval/gold/ours_dev.jsonl",
        "regtape eval answers questions.jsonl --json --rows answers.jsonl",
    ),
)
@click.argument("file", type=_FILE)
@click.option(
    "--rows", type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write one JSON line per question: the answer, its quotes, a verdict on each fact.",
)  # fmt: skip
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), envvar="REGTAPE_DATA",
    help="The folder with the documents, where evidence is given as offsets. Default: REGTAPE_DATA.",
)  # fmt: skip
@click.option("--llm", metavar="NAME", help="A chat model that drafts. Default: REGTAPE_LLM.")
def answers(file: Path, rows: Path | None, data: Path | None, llm: str | None) -> int:
    """Ask every question of FILE as of its own moment, over what is held, and score the answers."""
    chosen = settings(llm=llm)
    from api.services import open_services
    from eval.answers import evaluate

    with open_services(chosen) as services, progress("eval", "questions") as tell:
        found = evaluate(
            file,
            services.agent,
            services.catalog,
            rows=rows,
            data=data,
            progress=lambda done, total: tell(done, total, ""),
        )
    show(found)
    return DONE


def show(found: dict[str, object]) -> None:
    """The object for programs, or a table of its metrics."""
    if wants_json():
        print_json(found)
        return
    from api.render import show_metrics

    show_metrics(found, console())
