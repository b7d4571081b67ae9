"""Two names in, what changed between what they mean out."""

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

    from api.comparing import ChangedParameter, Compared, ComparedTopic, Paragraph


@regtape_command(
    "compare",
    short_help="What changed between two documents or versions.",
    examples=(
        "regtape compare 34-56212 34-58775",
        "regtape compare 242.610@1 242.610@2 --html > changes.html",
    ),
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--html", "as_page", is_flag=True, help="Print one page of HTML.")
@as_of_option
def command(before: str, after: str, as_page: bool, as_of: datetime | None) -> int:
    """Align A and B: two documents, or two versions of a section (242.610@1). Exit code 3 when they read the same."""
    chosen = settings()
    from api.comparing import as_html, compared
    from api.services import open_catalog

    with open_catalog(chosen) as catalog:
        found = compared(catalog, before, after, as_of=as_of)
    if wants_json():
        print_json(found)
    elif as_page:
        click.echo(as_html(found), nl=False)
    else:
        _show(found, console())
    return DONE if found.paragraphs else NOTHING


def _show(found: "Compared", screen: "Console") -> None:
    from rich.text import Text

    from api.render import paragraph, safe

    for mark, side in (("A", found.before), ("B", found.after)):
        paragraph(
            screen,
            f"{mark}  {side.reference or side.title} · {side.document_id}",
            indent="   ",
            first="",
        )
    counts = ", ".join(f"{count} {fate}" for fate, count in found.counts.items())
    screen.print(
        Text(
            safe(
                f"paragraphs: {counts}; {found.aligned:.0%} of the shorter text stands in the other"
            ),
            style="dim",
        )
    )
    if found.parameters:
        screen.print(Text("\nChanged numbers", style="bold"))
    for changed in found.parameters:
        _show_parameter(changed, screen)
    for topic in found.topics:
        if topic.requirements or topic.parameters:
            _show_topic(topic, screen)
    if not found.topics:
        for part in found.paragraphs:
            _show_paragraph(part, screen)


def _show_parameter(changed: "ChangedParameter", screen: "Console") -> None:
    from rich.text import Text

    from api.render import paragraph, safe

    unit = f"  [{changed.unit}]" if changed.unit else ""
    what = f"{changed.kind} {changed.role}".strip()
    screen.print(Text(safe(f"  {what}: {changed.before} → {changed.after}{unit}"), style="cyan"))
    paragraph(screen, f"A “{changed.before_quote.quote}”", indent="      ", first="    ")
    paragraph(screen, f"B “{changed.after_quote.quote}”", indent="      ", first="    ")


def _show_topic(topic: "ComparedTopic", screen: "Console") -> None:
    from rich.text import Text

    from api.render import paragraph, safe

    screen.print(Text(safe(f"\n{topic.before} / {topic.after}"), style="bold"))
    for changed in topic.parameters:
        _show_parameter(changed, screen)
    for requirement in topic.requirements:
        side = "A" if requirement.side == "before" else "B"
        paragraph(screen, f"only {side}: “{requirement.passage.quote}”", indent="    ", first="  ")


def _show_paragraph(part: "Paragraph", screen: "Console") -> None:
    from rich.text import Text

    from api.render import safe

    styles = {" ": "default", "-": "red strike", "+": "green"}
    labels = " → ".join(dict.fromkeys(filter(None, [part.old_label, part.new_label])))
    line = Text(safe(f"\n{part.fate} {labels} ".rstrip() + " "), style="bold")
    if part.words:
        for word in part.words:
            marked = word.text if word.mark == " " else f"[{word.mark}{word.text}{word.mark}]"
            line.append(safe(marked), style=styles[word.mark])
    else:
        passage, mark = (
            (part.after, "+")
            if part.before is None
            else (part.before, "-" if part.after is None else " ")
        )
        line.append(safe(passage.quote if passage else ""), style=styles[mark])
    screen.print(line)
