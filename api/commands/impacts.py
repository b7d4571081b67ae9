"""A document or a rule in, what is said of its effects, variable by variable with quotes, out."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from api.console import (
    DONE,
    NOTHING,
    as_of_option,
    console,
    print_json,
    regtape_command,
    settings,
    wants_json,
)

if TYPE_CHECKING:
    from rich.console import Console

    from api.impacts import ImpactRow, Impacts


@regtape_command(
    "impacts",
    short_help="What a release or rule does to the market, with quotes.",
    examples=(
        "regtape impacts 34-61595",
        "regtape impacts 242.610T --variable quoted_spread --as-of 2019-06-30",
    ),
)
@click.argument("document_or_rule")
@click.option("--variable", metavar="NAME", help="Only this one, e.g. quoted_spread or volatility.")
@as_of_option
def command(document_or_rule: str, variable: str | None, as_of: datetime | None) -> int:
    """List the effects that a document, or every document on a rule, speaks of. Exit code 3 when there are none."""
    chosen = settings()
    from api.impacts import impacts_of
    from api.services import open_catalog
    from ingest.moment import now

    with open_catalog(chosen) as catalog:
        found = impacts_of(catalog, document_or_rule, variable=variable, as_of=as_of or now())
    if wants_json():
        print_json(found)
    else:
        _show(found, console())
    return DONE if found.variables else NOTHING


_WORDS = {
    "up": "up",
    "down": "down",
    "mixed": "either way",
    "none": "no change",
    "uncertain": "uncertain",
}


def _show(found: "Impacts", screen: "Console") -> None:
    from rich.text import Text

    from api.render import safe

    if not found.variables:
        screen.print("No effect on the market is spoken of.")
    for group in found.variables:
        counts = ", ".join(f"{_WORDS[way]} {count}" for way, count in group.counts.items())
        screen.print(Text(group.name, style="bold").append(f"  {counts}", style="default"))
        for row in group.rows:
            _show_row(row, screen)
        screen.print()
    documents = "one document" if found.documents == 1 else f"{found.documents} documents"
    screen.print(
        Text(
            safe(
                f"{found.asked}: {documents}, according to the documents held, as of {found.as_of:%Y-%m-%d}"
            ),
            style="dim",
        )
    )


def _show_row(row: "ImpactRow", screen: "Console") -> None:
    from rich.text import Text

    from api.render import paragraph, safe

    says = f"{row.speaker}, hedged" if row.hedged else row.speaker
    condition = f" · {row.condition}" if row.condition else ""
    place = " · ".join(
        filter(None, [row.citation, row.section, f"page {row.page}" if row.page else ""])
    )
    screen.print(
        Text(f"  {_WORDS[row.direction]}", style="bold cyan").append(
            safe(f" · {says}{condition}"), style="default"
        )
    )
    paragraph(screen, f"“{row.quote}”", indent="    ")
    paragraph(screen, place, indent="    ", style="dim")
