"""A query in, passages with scores and citations out."""

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
    "search",
    short_help="Passages with scores and citations.",
    examples=(
        'regtape search "access fee cap" -k 5',
        'regtape search "242.612(b)(1)" --type "final rule" --as-of 2024-12-31',
    ),
)
@click.argument("query")
@click.option("-k", type=click.IntRange(1, 100), default=10, show_default=True, help="How many.")
@as_of_option
@filter_options
def command(query: str, k: int, as_of: datetime | None, **given: str | None) -> int:
    """List the passages that match QUERY best, by meaning and by words. Exit code 3 when there are none."""
    filters, chosen = filters_of(given).to_catalog(), settings()
    from api.schemas import Passage, SearchResult
    from api.services import open_services
    from ingest.moment import now

    moment = as_of or now()
    with open_services(chosen) as services:
        found = services.agent.search(query, k=k, as_of=moment, filters=filters)
    passages = tuple(Passage.model_validate(p) for p in found)
    if wants_json():
        print_json(SearchResult(as_of=moment, passages=passages))
    else:
        from api.render import show_passages

        show_passages(passages, console())
    return DONE if passages else NOTHING
