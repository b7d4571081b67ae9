"""The name of an evaluation in, its command out: they live above this package and join through an entry point."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

import click


@cache
def _joined() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="regtape.eval")}


class _Evaluations(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_joined())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = _joined().get(cmd_name)
        found: click.Command | None = point.load() if point else None
        return found


@click.group("eval", cls=_Evaluations, short_help="How good is it? Measured, with intervals.")
def command() -> None:
    """Measure answers and speed; each prints one object of metrics with 95 % intervals."""
