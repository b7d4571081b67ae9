"""A timeline in, a chart of it out (SVG or PNG): events by day in lanes, over bars of what the rule was.

matplotlib comes with the optional extra `features` and is imported when something is drawn. Events of the events file are
hollow and named so; an event without a stated day stands in its month, else where it became known, marked with "~".
"""

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from api.rules import Timeline, TimelineEvent, day_of, named, standings
from ingest.catalog import Catalog
from ingest.errors import ModelMissing
from ingest.moment import civil_day
from ingest.rules.events import About
from ingest.rules.overlay import MARK
from ingest.rules.state import Standing, month_of
from sentiment.export import optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LANES = (
    ("proposed", ("proposed", "reopened", "comment_deadline", "withdrawn")),
    ("adopted", ("adopted", "approved", "corrected")),
    ("effective", ("effective",)),
    ("compliance", ("compliance", "delayed")),
    ("relief", ("exempted", "stayed", "lifted", "upheld", "suspended")),
    ("ended", ("sunset", "vacated")),
)
_COLOURS = {
    Standing.UNKNOWN: "#d9d9d9",
    Standing.PROPOSED: "#c6dbef",
    Standing.WITHDRAWN: "#bdbdbd",
    Standing.ADOPTED: "#fdd49e",
    Standing.EFFECTIVE: "#fdae6b",
    Standing.IN_FORCE: "#74c476",
    Standing.TO_BE_RESCINDED: "#9ecae1",
    Standing.EXEMPTED: "#bcbddc",
    Standing.PARTLY: "#dadaeb",
    Standing.STAYED: "#9e9ac8",
    Standing.EXPIRED: "#969696",
    Standing.VACATED: "#636363",
    Standing.REMOVED: "#737373",
}
_BOX = (0.07, 0.11, 0.925, 0.835)  # left, bottom, width, height of the chart in its figure
_ON_BAR = "#111111"  # a dark page leaves it as it is
_NEAR = timedelta(days=200)  # an event without a day is the dated one of its kind that is this near
_LETTER = 0.0042  # of the width of the chart: a letter of a label
_HEIGHTS = (
    4,
    13,
    -12,
    22,
    -21,
)  # points above or below the lane, tried in turn until no two labels touch


def warm() -> None:
    """Import what draws, which takes longer than drawing; nothing where it is not installed."""
    with suppress(ModelMissing):
        optional("matplotlib")
        import matplotlib.backends.backend_agg
        import matplotlib.backends.backend_svg
        import matplotlib.dates
        import matplotlib.figure  # noqa: F401


def draw(catalog: Catalog, timeline: Timeline, shape: str) -> bytes:
    """The chart as "svg" or "png". Raises ModelMissing when matplotlib is not installed."""
    optional("matplotlib")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "regtape", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(12, 5.4))
        FigureCanvasAgg(figure)
        axes = figure.add_axes(_BOX)  # a layout that is found by drawing takes twice as long
        events = _worth_drawing(timeline)
        low, high = _bounds(events, timeline)
        _bars(axes, catalog, timeline, events, low, high)
        _marks(axes, events, low, high)
        _dress(axes, timeline, low, high)
        out = io.BytesIO()
        figure.savefig(
            out, format=shape, dpi=140, metadata={"Date": None} if shape == "svg" else None
        )
    return out.getvalue()


def _kind(event: TimelineEvent) -> str:
    """The end of relief stands with relief, not with the end of the rule."""
    return "exempted" if event.change == "relief" else event.kind


def _stated(event: TimelineEvent) -> str:
    """The day, "=" before one that was computed; the month, marked "~"; the wording; else the day it became known, marked so."""
    if event.on:
        return f"{event.on:%Y-%m-%d}"
    if event.computed_on:
        return f"={event.computed_on:%Y-%m-%d}"
    if month_of(event.relative or ""):
        return f"{event.relative}~"
    if event.relative:
        words = event.relative.replace(" in the Federal Register", "")
        return words if len(words) <= 34 else f"{words[:33]}…"
    return f"{event.known_on:%Y-%m-%d}~"


def _worth_drawing(timeline: Timeline) -> list[TimelineEvent]:
    """One mark for a kind and a day; what only repeats without a day what another states with one is left out."""
    kept: dict[tuple[str, str, date], TimelineEvent] = {}
    dated = [e for e in timeline.events if e.on or e.computed_on]
    for event in [*dated, *(e for e in timeline.events if e not in dated)]:
        told = [e for e in kept.values() if e.kind == event.kind and e.change == event.change]
        own = event.on or event.computed_on
        month = month_of(event.relative or "")
        near = (
            any(day_of(e).replace(day=1) == month for e in told)
            if month
            else event.relative or any(abs(day_of(e) - event.known_on) < _NEAR for e in told)
        )
        again = event.about is not About.OWN or near
        if own or not (told and again):
            kept.setdefault((event.kind, event.change, day_of(event)), event)
    return sorted(kept.values(), key=day_of)


def _bounds(events: Sequence[TimelineEvent], timeline: Timeline) -> tuple[date, date]:
    today = civil_day(timeline.as_of)
    days = [day_of(event) for event in events] or [today - timedelta(days=365)]
    low, high = min(days), max([*days, today])
    margin = max((high - low) // 25, timedelta(days=20))
    return low - margin, high + margin


def _bars(
    axes: "Axes",
    catalog: Catalog,
    timeline: Timeline,
    events: Sequence[TimelineEvent],
    low: date,
    high: date,
) -> None:
    """What the rule was, as known on each day: by the documents, and, where it differs, with the events file."""
    today = min(high, civil_day(timeline.as_of))
    turns = {low, today, *(day_of(e) for e in events), *(e.known_on for e in events)}
    # The fold lets what is not stated lapse after a while: a month is fine enough to show when.
    turns |= {low + timedelta(days=30 * n) for n in range((today - low).days // 30)}
    days = sorted(day for day in turns if low <= day <= today)
    known = standings(catalog, timeline.section, days)
    differ = any(documents is not both for _, documents, both, _ in known)
    rows = ((0, "documents", -1.0), (1, "with events file", -1.75))
    for column, name, height in rows[: 2 if differ else 1]:
        ends = [*(day for day, *_ in known[1:]), today]
        turns_of = ((each[1 + column], each[3]) for each in known)
        spans = zip(known, ends, turns_of, strict=True)
        for (standing, apart), group in groupby(spans, key=lambda span: span[2]):
            inside = list(group)
            _bar(axes, inside[0][0][0], inside[-1][1], standing, height, (high - low).days, apart)
        axes.text(
            0.003,
            height + 0.31,
            name,
            fontsize=7,
            color="#555555",
            va="bottom",
            transform=axes.get_yaxis_transform(),
        )


def _bar(
    axes: "Axes",
    start: date,
    end: date,
    standing: Standing,
    height: float,
    width: int,
    apart: bool,
) -> None:
    import matplotlib.dates as mdates

    left, right = mdates.date2num(start), mdates.date2num(end)
    axes.barh(
        height,
        right - left,
        left=left,
        height=0.5,
        color=_COLOURS[standing],
        edgecolor="white",
        linewidth=0.6,
        hatch="///" if apart else None,
        label=_called(standing, apart),
    )
    words = _called(standing, apart)
    if (right - left) / width > 0.0078 * len(words):
        axes.text(
            (left + right) / 2, height, words, ha="center", va="center", fontsize=7, color=_ON_BAR
        )


def _called(standing: Standing, apart: bool) -> str:
    words = standing.words
    return f"{words}, paragraphs apart" if apart else words


def _marks(axes: "Axes", events: Sequence[TimelineEvent], low: date, high: date) -> None:
    import matplotlib.dates as mdates

    width = (high - low).days
    for lane, (_, kinds) in enumerate(reversed(_LANES)):
        mine = sorted((e for e in events if _kind(e) in kinds), key=day_of)
        taken: list[tuple[float, float, int]] = []
        for event in mine:
            x = mdates.date2num(day_of(event))
            laid = event.source == MARK
            axes.plot(
                [x], [lane], marker="D" if laid else "o", markersize=6,
                color="#b30000" if laid else "#08519c", markerfacecolor="white" if laid else "#08519c",
            )  # fmt: skip
            shown = f"{named(event)} {_stated(event)}{' (file)' if laid else ''}"
            at, long = (x - mdates.date2num(low)) / width, _LETTER * len(shown)
            right = at + long > 0.97
            left, end = (at - long, at) if right else (at, at + long)
            free = (
                h
                for h in _HEIGHTS
                if all(end < a or left > b or h != other for a, b, other in taken)
            )
            height = next(free, _HEIGHTS[0])
            taken.append((left - 0.008, end + 0.008, height))
            axes.annotate(
                shown, (x, lane), xytext=(-5 if right else 5, height), textcoords="offset points",
                fontsize=6.5, ha="right" if right else "left",
            )  # fmt: skip


def _dress(axes: "Axes", timeline: Timeline, low: date, high: date) -> None:
    import matplotlib.dates as mdates

    axes.set_xlim(mdates.date2num(low), mdates.date2num(high))
    axes.set_ylim(-2.2, len(_LANES) - 0.3)
    axes.set_yticks(range(len(_LANES)), [name for name, _ in reversed(_LANES)])
    axes.xaxis_date()
    locator = mdates.AutoDateLocator(minticks=5, maxticks=14)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title(
        f"17 CFR {timeline.section}, according to the documents held, through {timeline.held_through}; "
        "= day computed, ~ day not stated, shown in its month or when known",
        loc="left", fontsize=10,
    )  # fmt: skip
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(
        once.values(), once.keys(), loc="upper center", bbox_to_anchor=(0.5, -0.06), fontsize=7, frameon=False,
        ncols=max(1, len(once)),
    )  # fmt: skip
