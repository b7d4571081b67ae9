"""Filters in, what is held out; or the files that were rejected."""

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
    "documents",
    short_help="What is held, and what was rejected.",
    examples=(
        "regtape documents",
        'regtape documents --type "final rule" --section 242.612 --json',
        "regtape documents --rejected",
    ),
)
@click.option("--rejected", is_flag=True, help="The files that became no document, and why.")
@as_of_option
@filter_options
def command(rejected: bool, as_of: datetime | None, **given: str | None) -> int:
    """List the documents held, oldest record first. Exit code 3 when there are none."""
    filters, chosen = filters_of(given).to_catalog(), settings()
    from api.schemas import Document, Reject
    from api.services import open_catalog

    with open_catalog(chosen) as catalog:
        rejects = [Reject.of(row) for row in catalog.ledger(status="rejected")] if rejected else []
        known = [d for d in catalog.documents(filters) if as_of is None or d.known_at <= as_of]
    held = [Document.of(d) for d in known]
    if wants_json():
        shown = rejects if rejected else held
        name = "rejected" if rejected else "documents"
        print_json({name: [each.model_dump(mode="json") for each in shown]})
        return DONE if shown else NOTHING
    from api.render import show_documents, show_rejects

    if rejected:
        show_rejects(rejects, console())
        return DONE if rejects else NOTHING
    show_documents(held, console())
    return DONE if held else NOTHING
