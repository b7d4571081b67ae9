"""The catalogue of features, or vectors, in; lines for a terminal out."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from rich.console import Console
from rich.text import Text

from sentiment.features import Feature
from sentiment.vector import Status, Vector

_WIDEST = 130  # of a line of prose
_SCOPES = {
    "symbol": "of the symbol, at the instant",
    "market": "of all news, at the last whole minute",
    "cross_section": "of the symbol among the others, at the last whole minute",
    "feed": "of the news feed",
    "regulation": "of the rules, as the documents held tell of them; the same for every symbol",
}


def show_catalogue(
    features: Sequence[Feature], version: str, console: Console, *, together: bool
) -> None:
    """Scope by scope: name, unit, meaning, what null means; `together`: windows of one measure share an entry."""
    console.print(Text(f"{len(features)} features, feature_version {version}", style="dim"))
    for scope, group in groupby(sorted(features, key=_place_of_scope), key=lambda f: f.scope):
        console.print(Text(f"\n{scope}: {_SCOPES[scope]}", style="bold underline"))
        for name, unit, meaning in _entries(tuple(group), together):
            console.print(Text(name, style="bold").append(f"  {unit}", style="dim"), soft_wrap=True)
            width = min(console.width, _WIDEST)
            words = textwrap.fill(meaning, width, initial_indent="    ", subsequent_indent="    ")
            console.print(Text(words), soft_wrap=True)


def _place_of_scope(feature: Feature) -> int:
    return list(_SCOPES).index(feature.scope)


def _entries(features: Sequence[Feature], together: bool) -> Iterator[tuple[str, str, str]]:
    if not together:
        for each in features:
            yield each.name, each.unit, f"{each.meaning} {_null(each)}"
        return
    for _, group in groupby(
        features, key=lambda f: (f.measure, f.name.split(f.window)[0] if f.window else f.name)
    ):
        alike = list(group)
        first = alike[0]
        if len(alike) == 1 or first.longer:
            for each in alike:
                yield each.name, each.unit, f"{each.meaning} {_null(each)}"
            continue
        windows = ", ".join(each.window for each in alike)
        yield (
            first.name.removesuffix(first.window) + "W",
            f"{first.unit} · W: {windows}",
            f"{first.meaning} {_null(first)}",
        )


def _null(feature: Feature) -> str:
    marks = [] if feature.available else ["not computed yet"]
    if feature.half_life is not None:
        marks.append(f"half-life {feature.half_life:g} s")
    if feature.ddof is not None:
        marks.append(f"ddof {feature.ddof}")
    return f"Null: {feature.empty}." + (f" ({', '.join(marks)})" if marks else "")


def show_vectors(vectors: Sequence[Vector], console: Console) -> None:
    """A line for each feature and a column for each symbol; then what they were read from."""
    first = vectors[0]
    console.print(Text(f"as of {first.as_of.isoformat()}", style="bold"))
    name_width = max(map(len, first.values))
    widths = [max(12, len(vector.symbol)) for vector in vectors]
    heads = "".join(f"  {v.symbol:>{w}}" for v, w in zip(vectors, widths, strict=True))
    console.print(Text(f"{'':<{name_width}}{heads}", style="dim"), soft_wrap=True)
    for name in first.values:
        line = Text(f"{name:<{name_width}}")
        for vector, width in zip(vectors, widths, strict=True):
            line.append("  ").append_text(_value(vector, name, width))
        line.rstrip()
        console.print(line, soft_wrap=True)
    console.print()
    for vector in vectors:
        console.print(Text(_origin(vector), style="dim"), soft_wrap=True)


def _value(vector: Vector, name: str, width: int) -> Text:
    value, status = vector.values[name], vector.status[name]
    if value is None:
        word = "unknown" if status is Status.UNKNOWN_SYMBOL else "–"
        return Text(f"{word:>{width}}", style="dim")
    mark = "*" if status is Status.STALE else ""
    shown = f"{value:.0f}" if value == int(value) and abs(value) >= 10 else f"{value:.4g}"
    return Text(f"{shown + mark:>{width}}")


def _origin(vector: Vector) -> str:
    fresh = vector.freshness
    parts = [f"{vector.symbol} is {vector.entity}"]
    parts.append(f"newest item {_moment(vector.known_at)}")
    parts.append(f"model {vector.model_version or 'none'}")
    parts.append(f"offset {vector.receipt.offset}")
    if vector.backfilled:
        parts.append("history (backfilled)")
    if vector.model_lookahead:
        parts.append("the model was trained on later text")
    if fresh.scoring_lag_seconds:
        parts.append(f"scoring is {fresh.scoring_lag_seconds:.1f} s behind")
    return ", ".join(parts)


def _moment(at: datetime | None) -> str:
    return "none" if at is None else at.isoformat(timespec="seconds")
