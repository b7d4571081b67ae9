"""An exported answer in, whether it still holds out."""

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

if TYPE_CHECKING:
    from api.schemas import Answer


@regtape_command(
    "verify",
    short_help="Re-check an exported answer, without any model.",
    examples=(
        'regtape ask "What is the access fee cap?" --json > answer.json',
        "regtape verify answer.json",
        "regtape verify conversation.md",
    ),
)
@click.argument("file", type=click.File("r", encoding="utf-8"), metavar="FILE|-")
def command(file: TextIO) -> int:
    """Check every quote of FILE against the stored text, and every sentence against its quotes.

    FILE is what `regtape ask --json` printed, or several, one a line, or an exported conversation, JSON or Markdown. Exit
    code 1 when anything does not hold.
    """
    chosen = settings()
    from api.exports import answers_in
    from api.recheck import recheck
    from api.services import open_catalog

    answers = answers_in(file.read(), Path(str(file.name)).name)
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
