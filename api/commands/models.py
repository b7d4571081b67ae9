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


@regtape_command(
    "pull",
    short_help="Bring a model here before it is needed.",
    examples=(
        "regtape models pull hf:ProsusAI/finbert",
        "regtape models pull sentence-transformers:BAAI/bge-small-en-v1.5",
    ),
)
@click.argument("name")
def pull(name: str) -> int:
    """Fetch the model NAME from its hub, with progress, and open it once, so that later commands need no network.

    hf:NAME is a scorer of news, sentence-transformers:NAME an embedder. What comes is safetensors and JSON, checked by the
    hub's own checksums; nothing is unpickled. Models of this package are here already.
    """
    version = _pulled(name)
    if wants_json():
        print_json({"name": name, "version": version})
    else:
        click.echo(f"{name} is here, version {version}")
    return DONE


def _pulled(name: str) -> str:
    from ingest.embed import open_embedder
    from ingest.errors import BadRequest
    from sentiment.scorer import open_scorer

    if name.startswith("hf:"):
        return open_scorer(name).version
    if name.startswith("sentence-transformers:"):
        return open_embedder(name).fingerprint
    raise BadRequest(f"{name!r} is not on a hub; write hf:NAME or sentence-transformers:NAME")


command.add_command(list_models)
command.add_command(pull)


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
