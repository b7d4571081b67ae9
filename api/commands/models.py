"""Names of models out: what can be asked for, and what is missing before it can be used."""

from collections.abc import Callable
from functools import partial

import click

from api.console import DONE, console, print_json, regtape_command, wants_json


@click.group("models", short_help="Which embedders, chat models and scorers there are.")
def command() -> None:
    """Which embedders, chat models and scorers of news there are."""


@regtape_command("list", short_help="Models by name.", examples=("regtape models list",))
def list_models() -> int:
    """List what REGTAPE_EMBEDDER, --llm and REGTAPE_NEWS_SCORER can name, and what is missing before it can be used."""
    rows = _rows()
    if wants_json():
        names = ("use", "name", "missing")
        print_json({"models": [dict(zip(names, row, strict=True)) for row in rows]})
        return DONE
    from api.render import show_models

    show_models(rows, console())
    return DONE


command.add_command(list_models)


def _rows() -> list[tuple[str, str, str]]:
    from agent.llm import CHAT_MODELS, open_chat_model
    from ingest.embed import EMBEDDERS, open_embedder
    from sentiment.scorer import SCORERS, open_scorer

    rows = [("embedder", name, _missing(partial(open_embedder, name))) for name in EMBEDDERS]
    rows += [("chat", "none", "")]
    rows += [("chat", name, _missing(partial(open_chat_model, name))) for name in CHAT_MODELS]
    return rows + [("scorer", name, _missing(partial(open_scorer, name))) for name in SCORERS]


def _missing(open_it: Callable[[], object]) -> str:
    from ingest.errors import RegTapeError

    try:
        open_it()
    except RegTapeError as exc:
        return str(exc)
    return ""
