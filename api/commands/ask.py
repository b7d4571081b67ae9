"""A question in, one checked answer out."""

from datetime import datetime

import click

from api.console import (
    DONE,
    NOTHING,
    as_of_option,
    console,
    filter_options,
    filters_of,
    print_json,
    regtape_command,
    settings,
    wants_json,
)


@regtape_command(
    "ask",
    short_help="One checked, cited answer.",
    examples=(
        'regtape ask "What is the access fee cap for stocks priced at $1.00 or more?"',
        'regtape ask "When must exchanges comply with amended Rule 612?" --as-of 2025-06-30',
        'regtape ask "What did commenters say on the tick size?" --section 242.612 --json > answer.json',
    ),
)
@click.argument("question")
@as_of_option
@click.option(
    "--llm", metavar="NAME",
    help="A chat model that drafts, e.g. embedded; 'none': the evidence's own words. Default: REGTAPE_LLM.",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(0.1), metavar="S", help="A model may take so long; then it is done without.",
)  # fmt: skip
@click.option(
    "--tokens", type=click.IntRange(1), metavar="N", help="A model may write so much; then it is done without.",
)  # fmt: skip
@click.option("--steps", is_flag=True, help="Show what was done and how long it took.")
@filter_options
def command(
    question: str,
    as_of: datetime | None,
    llm: str | None,
    seconds: float | None,
    tokens: int | None,
    steps: bool,
    **given: str | None,
) -> int:
    """Answer QUESTION from the documents held, each sentence with its quote, or refuse and say why.

    Exit code 3 when it refuses.
    """
    filters, chosen = filters_of(given).to_catalog(), settings(llm=llm)
    from api.asking import Limits, Question
    from api.asking import answer as put
    from api.schemas import Answer
    from api.services import open_services

    wanted = Question(question, as_of, filters, limits=Limits(seconds, tokens))
    with open_services(chosen) as services:
        answer = Answer.of(put(services, wanted, lambda _: None))
    if wants_json():
        print_json(answer)
    else:
        from api.render import show_answer

        show_answer(answer, console(), steps=steps)
    return NOTHING if answer.refusal else DONE
