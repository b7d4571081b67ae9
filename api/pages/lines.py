"""Values over time in, an SVG out that a strict policy lets stand in a page: sentiment above, volume and buzz below.

No style and no script in it: classes, whose colours a style sheet gives in light and dark, and words that a pointer or a
screen reader finds. Drawn for one width in pixels, so that words are as large on a phone as on a desk.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from markupsafe import Markup, escape

from api.pages.tape import Headline, Series, Span
from ingest.moment import NEW_YORK, from_micros, to_micros
from sentiment.features import DAY, HOUR, MINUTE
from sentiment.rolling import Floats, Ints

_TOP, _LEFT, _RIGHT, _BOTTOM = 18, 40, 40, 24  # margins
_SENTIMENT, _GAP, _VOLUME = 190, 26, 84  # heights of the panels and of what is between
_LEAST_REACH = 0.25  # of the axis of sentiment: a calm day does not look like a storm
_NEUTRAL = 0.1
_STEPS = {"1h": 10 * MINUTE, "1d": 4 * HOUR, "5d": DAY, "30d": 5 * DAY}  # between two marks of time


class _Mark(NamedTuple):
    x: float
    words: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where instants and values lie, in pixels."""

    width: int
    first: int
    last: int

    def x(self, at: Ints | int) -> Floats:
        share = (np.asarray(at, np.float64) - self.first) / max(1, self.last - self.first)
        found: Floats = _LEFT + share * (self.width - _LEFT - _RIGHT)
        return found


def chart(series: Series, headlines: Sequence[Headline], span: str, label: str, width: int) -> Markup:  # fmt: skip
    """The chart, `width` pixels wide. span: a name of SPANS; label: what a reader who does not see it is told."""
    frame = _Frame(width, int(series.times[0]), int(series.times[-1]))
    height = _TOP + _SENTIMENT + _GAP + _VOLUME + _BOTTOM
    parts = [
        *_times(frame, span),
        *_sentiment(frame, series, headlines),
        *_volume(frame, series),
    ]
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" width="{}" height="{}" role="group"'
        ' aria-label="{}">{}</svg>'
    ).format(width, height, width, height, label, Markup("".join(parts)))


def _sentiment(frame: _Frame, series: Series, headlines: Sequence[Headline]) -> Iterator[str]:
    dots = list(_dots(frame, headlines))
    seen = np.concatenate([series.trend, series.detail, [h.sentiment or 0.0 for h, _ in dots]])
    reach = min(1.0, max(_LEAST_REACH, 1.15 * float(np.nanmax(np.abs(seen), initial=0.0))))
    zero, half = _TOP + _SENTIMENT / 2, _SENTIMENT / 2

    def y(values: Floats) -> Floats:
        found: Floats = zero - np.clip(values / reach, -1, 1) * half
        return found

    for at in (reach, reach / 2, -reach / 2, -reach):
        yield _line("grid", frame, float(y(np.array([at]))[0]))
        yield _said(
            _LEFT - 6, float(y(np.array([at]))[0]) + 4, f"{at:+.2f}".replace("-", "−"), "end"
        )
    x, trend = frame.x(series.times), series.trend
    for side in ("up", "down"):
        part = np.maximum(trend, 0) if side == "up" else np.minimum(trend, 0)
        yield from _areas(f"area {side}", x, y(np.where(np.isnan(trend), np.nan, part)), zero)
    yield _line("zero", frame, zero)
    yield _said(_LEFT - 6, zero + 4, "0", "end")
    yield _path("detail", x, y(series.detail))
    yield _path("trend", x, y(trend))
    for headline, at in reversed(dots):  # the newest on top
        height = zero if headline.sentiment is None else float(y(np.array([headline.sentiment]))[0])
        yield _dot(headline, at, height)
    yield _said(_LEFT, 11, "Sentiment, −1 to 1", "start", "name")


def _dots(frame: _Frame, headlines: Iterable[Headline]) -> Iterator[tuple[Headline, float]]:
    for headline in headlines:
        at = to_micros(headline.known_at)
        if frame.first <= at <= frame.last:
            yield headline, float(frame.x(at))


def _dot(headline: Headline, x: float, y: float) -> str:
    value, how = headline.sentiment, "waits"
    if value is not None:
        how = "up" if value > _NEUTRAL else "down" if value < -_NEUTRAL else "flat"
    told = "no score yet" if value is None else f"{value:+.2f}".replace("-", "−")
    when = f"{headline.known_at.astimezone(NEW_YORK):%b %-d, %H:%M}"
    return (
        f'<a href="#item-{headline.offset}"><circle class="dot {how}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
        f"<title>{when} · {told} · {escape(headline.headline)}</title></a>"
    )


def _volume(frame: _Frame, series: Series) -> Iterator[str]:
    top = _TOP + _SENTIMENT + _GAP
    floor = top + _VOLUME
    most = 2 * np.ceil(max(4.0, float(np.nanmax(series.volume, initial=0.0))) / 2)
    x = frame.x(series.times)
    volume = np.nan_to_num(series.volume)
    heights = floor - volume / most * _VOLUME
    # In steps: a count holds until the next instant.
    steps = " ".join(f"H{a:.1f}V{b:.1f}" for a, b in zip(x, heights, strict=True))
    yield f'<path class="volume" d="M{x[0]:.1f} {floor}{steps}V{floor}Z"/>'
    yield _line("zero", frame, floor)
    for count in (most, most / 2):
        yield _said(_LEFT - 6, floor - count / most * _VOLUME + 4, f"{count:.0f}", "end")
    reach = max(2.0, float(np.nanmax(np.abs(series.buzz), initial=0.0)))
    middle = top + _VOLUME / 2
    if has_buzz(series):
        yield _path("buzz", x, middle - np.clip(series.buzz / reach, -1, 1) * _VOLUME / 2)
        for at in (reach, 0.0, -reach):
            words = f"{at:+.0f}σ".replace("-", "−") if at else "0"
            height = middle - at / reach * _VOLUME / 2 + 4
            yield _said(frame.width - _RIGHT + 6, height, words, "start", "of-buzz")
        yield _said(frame.width - _RIGHT, top - 7, "Buzz", "end", "name of-buzz")
    yield _said(_LEFT, top - 7, "Items", "start", "name")


def has_buzz(series: Series) -> bool:
    """Whether there is any: it wants weeks of log behind it."""
    return not np.isnan(series.buzz).all()


def _times(frame: _Frame, span: str) -> Iterator[str]:
    bottom = _TOP + _SENTIMENT + _GAP + _VOLUME
    for mark in _marks(frame, span):
        yield f'<path class="grid" d="M{mark.x:.1f} {_TOP}V{bottom}"/>'
        yield _said(mark.x, bottom + 17, mark.words, "middle")


def _marks(frame: _Frame, span: str) -> Iterator[_Mark]:
    """Round times of New York, as many as there is room for."""
    room = frame.width - _LEFT - _RIGHT
    step = _STEPS[span] * (2 if room < 420 and span != "5d" else 1)
    start = from_micros(frame.first).astimezone(NEW_YORK)
    at = start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while True:
        moment = to_micros(at.replace(tzinfo=NEW_YORK))
        if moment > frame.last:
            return
        x = float(frame.x(moment))
        if moment >= frame.first and _LEFT + 14 < x < frame.width - _RIGHT - 10:
            yield _Mark(x, _time(at, span))
        at += timedelta(microseconds=step)


def _time(at: datetime, span: str) -> str:
    if span in ("1h", "1d") and (at.hour or at.minute):
        return f"{at:%H:%M}"
    return f"{at:%b} {at.day}"


def _areas(kind: str, x: Floats, y: Floats, zero: float) -> Iterator[str]:
    for part in _parts(y):
        line = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[part], y[part], strict=True))
        yield f'<path class="{kind}" d="M{x[part][0]:.1f} {zero:.1f}L{line}L{x[part][-1]:.1f} {zero:.1f}Z"/>'


def _path(kind: str, x: Floats, y: Floats) -> str:
    lines = [
        "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x[part], y[part], strict=True))
        for part in _parts(y)
    ]
    return f'<path class="{kind}" d="{"".join(f"M{line}" for line in lines)}"/>' if lines else ""


def _parts(y: Floats) -> Iterator[slice]:
    """Where there are values, without a gap between."""
    there = np.flatnonzero(~np.isnan(y))
    for part in np.split(there, np.flatnonzero(np.diff(there) > 1) + 1):
        if part.size:
            yield slice(int(part[0]), int(part[-1]) + 1)


def _line(kind: str, frame: _Frame, y: float) -> str:
    return f'<path class="{kind}" d="M{_LEFT} {y:.1f}H{frame.width - _RIGHT}"/>'


def _said(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(words)}</text>'


def described(symbol: str, span: Span, series: Series, items: int) -> str:
    """The chart in a sentence."""

    def value(of: Floats, digits: int = 2) -> str:
        there = of[~np.isnan(of)]
        return f"{there[-1]:.{digits}f}" if there.size and not np.isnan(of[-1]) else "none"

    return (
        f"{symbol} over {span.words}: {items} items; mean sentiment of the last {span.trend} now {value(series.trend)},"
        f" of the last {span.detail} {value(series.detail)}; buzz {value(series.buzz, 1)}"
    )
