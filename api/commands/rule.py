"""A section and a moment in; its state, or its timeline as table or chart, out."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.console import (
    DONE,
    NOTHING,
    as_of_option,
    console,
    note,
    print_json,
    regtape_command,
    settings,
    wants_json,
)

if TYPE_CHECKING:
    from rich.console import Console

    from api.rules import RuleState, Timeline
    from ingest.catalog import Catalog

_SHAPES = (".svg", ".png")


@regtape_command(
    "rule",
    short_help="What a rule is, as of a day, and how it came to be.",
    examples=(
        "regtape rule 242.612 --as-of 2025-01-15",
        'regtape rule "Order Protection Rule" --timeline --out rule611.svg',
        "regtape rule 242.610T --json",
        "regtape rule --rebuild",
    ),
)
@click.argument("section", required=False)
@as_of_option
@click.option("--timeline", "as_timeline", is_flag=True, help="Its events by day.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the timeline into this .svg or .png file.",
)  # fmt: skip
@click.option("--rebuild", is_flag=True, help="Read the rule events of all documents again first.")
def command(
    section: str | None, as_of: datetime | None, as_timeline: bool, out: Path | None, rebuild: bool
) -> int:
    """Show the state of SECTION (242.612, "Rule 611", "Sub-Penny Rule"): in force, pending, relief, conflicts and gaps.

    Exit code 3 when no document known by then speaks of it.
    """
    if section is None and not rebuild:
        raise click.UsageError("name a section, e.g. 242.612")
    if out is not None and out.suffix.lower() not in _SHAPES:
        raise click.BadParameter("end its name in .svg or .png", param_hint="--out")
    chosen = settings()
    from api.rules import forget, rule_state, timeline
    from api.services import open_catalog
    from ingest.moment import now
    from ingest.rules import held

    moment = as_of or now()
    with open_catalog(chosen) as catalog:
        if rebuild:
            note(f"{held.rebuild(catalog, everything=True)} documents read")
            forget(catalog)
        if section is None:
            return DONE
        if as_timeline or out is not None:
            return _timeline(timeline(catalog, section, moment), catalog, out)
        found = rule_state(catalog, section, moment)
    if wants_json():
        print_json(found)
    else:
        _show(found, console())
    return (
        DONE
        if found.coverage.documents or any(s.source != "documents" for s in found.statements)
        else NOTHING
    )


def _timeline(found: "Timeline", catalog: "Catalog", out: Path | None) -> int:
    if out is not None:
        from api.timeline import draw

        out.write_bytes(draw(catalog, found, out.suffix.lower().removeprefix(".")))
        note(f"{len(found.events)} events drawn into {out}")
    if wants_json():
        print_json(found)
    elif out is None:
        _show_timeline(found, console())
    return DONE if found.events else NOTHING


def _show(found: "RuleState", console: "Console") -> None:
    from rich.text import Text

    from api.render import paragraph

    apart = ", ".join(f"{p.section} ({p.standing.words})" for p in found.apart)
    whole = f"{found.standing.words}, except {apart}" if apart else found.standing.words
    console.print(Text(f"17 CFR {found.section}, on {found.on}: {whole}", "bold"))
    if found.standing_with_events_file != found.standing:
        paragraph(
            console,
            f"With the events file: {found.standing_with_events_file.words}.",
            indent="  ",
            first="",
        )
    part = ""
    for line in found.statements:
        if line.part != part:
            console.print()
            console.print(Text(line.part.capitalize(), "bold underline"))
            part = line.part
        inferred = " (inferred)" if line.inferred else ""
        paragraph(console, f"• {line.text}{inferred}", indent="  ", first="")
        for basis in line.basis[:2]:
            words = " ".join(basis.quote.split())
            shown = words if len(words) <= 240 else f"{words[:237]}…"
            paragraph(console, f"“{shown}” ({basis.citation})", indent="    ", style="dim")
    for text in found.texts:
        paragraph(console, f"Text: {text.citation}, {text.note}.", indent="  ", first="")
    covered = found.coverage
    if covered.held_through is None:
        paragraph(console, "No documents are held yet; `regtape ingest` reads some.", style="dim")
        return
    last = f", the newest known {covered.last_known:%Y-%m-%d}" if covered.last_known else ""
    speak = (
        "1 document held speaks"
        if covered.documents == 1
        else f"{covered.documents} documents held speak"
    )
    paragraph(
        console,
        f"{speak} of it{last}; documents held through {covered.held_through}. "
        "What they do not hold, a stay for one, is not seen here.",
        style="dim",
    )


def _show_timeline(found: "Timeline", console: "Console") -> None:
    from rich.table import Table

    from api.rules import named

    table = Table(
        "day", "event", "sections", "release", "known", "by", title=f"17 CFR {found.section}"
    )
    for event in found.events:
        sections = ", ".join(event.sections[:3]) + (" …" if len(event.sections) > 3 else "")
        day = str(event.on or event.relative or "not stated")
        if event.computed_on:
            day = f"{event.computed_on} ({event.relative or 'day of the release'})"
        by = event.note or event.basis[0].citation
        shown = by if event.source == "documents" else f"{event.source}: {by}"
        table.add_row(day, named(event), sections, event.release or "", str(event.known_on), shown)
    console.print(table)
