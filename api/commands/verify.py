"""An exported answer in, whether it still holds out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from api.console import (
    DONE,
    FAILED,
    console,
    print_json,
    regtape_command,
    settings,
    wants_json,
)
from ingest.errors import BadRequest

if TYPE_CHECKING:
    from api.schemas import Answer


@regtape_command(
    "verify",
    short_help="Re-check an exported answer, without any model.",
    examples=(
        'regtape ask "What is the access fee cap?" --json > answer.json',
        "regtape verify answer.json",
    ),
)
@click.argument("file", type=click.File("r", encoding="utf-8"), metavar="FILE|-")
def command(file: TextIO) -> int:
    """Check every quote of FILE against the stored text, and every sentence against its quotes.

    FILE is what `regtape ask --json` printed, or several, one a line. Exit code 1 when anything does not hold.
    """
    answers = _answers(file.read(), Path(str(file.name)).name)
    chosen = settings()
    from api.recheck import recheck
    from api.services import open_catalog

    with open_catalog(chosen) as catalog:
        found = [(answer, recheck(answer, catalog)) for answer in answers]
    if wants_json():
        rows = [{"question": a.question, "holds": not f, "faults": f} for a, f in found]
        print_json({"holds": not any(f for _, f in found), "answers": rows})
    else:
        from api.render import show_checks

        show_checks([(_summary(a), "; ".join(f)) for a, f in found], console())
    return FAILED if any(faults for _, faults in found) else DONE


def _summary(answer: "Answer") -> str:
    quotes = f"{len(answer.sentences)} sentences, {len(answer.citations)} quotes"
    return f"{answer.question} ({'refused' if answer.refusal else quotes})"


def _answers(text: str, name: str) -> list["Answer"]:
    """One object, or one a line."""
    from pydantic import ValidationError

    from api.schemas import Answer

    try:
        whole = [text] if _is_object(text) else [line for line in text.splitlines() if line.strip()]
        answers = [Answer.model_validate_json(each) for each in whole]
    except ValidationError as exc:
        first = exc.errors()[0]
        place = "/".join(map(str, first["loc"]))
        raise BadRequest(
            f"{name} is not what `regtape ask --json` prints: {place}: {first['msg']}"
        ) from exc
    if not answers:
        raise BadRequest(f"{name} is empty")
    return answers


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
