"""A symbol's prices and features in, a chart for a page or a screen out: price, sentiment, and how much news there was.

matplotlib comes with the optional extra `features` and is imported when something is drawn. Prices are read from a CSV of
time and price, or from LEAN's zipped bars (https://github.com/QuantConnect/Lean): their label is the bar's start in New York,
and its close is drawn at its end, when it was known.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from textwrap import shorten, wrap
from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadRequest, NotKnown
from ingest.moment import NEW_YORK, end_of_day, from_micros, parse_moment, to_micros
from sentiment.export import optional
from sentiment.features import DAY, HOUR, MINUTE, WIDTHS
from sentiment.log import Tape
from sentiment.question import MOST_CELLS
from sentiment.read import Asked, Reader
from sentiment.rolling import Floats, Ints
from sentiment.sessions import new_york
from sentiment.vector import Matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS = 4000  # of a line; a screen has no more
_TEN_THOUSANDTHS = 10_000  # in which LEAN writes prices


# ---- prices


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """times: int64[n], µs since 1970 UTC, in order; each price is known from its time. source: where they came from."""

    times: Ints
    prices: Floats
    source: str

    def between(self, first: int, last: int) -> "Prices":
        """Those in [first, last], µs."""
        inside = (self.times >= first) & (self.times <= last)
        return Prices(self.times[inside], self.prices[inside], self.source)


def read_prices(where: Path, symbol: str) -> Prices:
    """Prices of a symbol: of a CSV with the columns time and price (times with their zone), of a LEAN zip, or of a folder of
    those (hour/bac.zip, daily/bac.zip, bac.zip). LEAN's are mended for splits where its factor file lies beside.

    Raises NotKnown where there is no such file, BadRequest where it holds something else, with its line.
    """
    file = _file_of(where, symbol) if where.is_dir() else where
    try:
        rows = list(_lean(file) if file.suffix == ".zip" else _plain(file))
    except FileNotFoundError:
        raise NotKnown(f"there is no file {file}") from None
    except (UnicodeDecodeError, zipfile.BadZipFile) as exc:
        raise BadRequest(f"{file.name} is not what its ending says: {exc}") from None
    if not rows:
        raise BadRequest(f"{file.name} has no prices")
    rows.sort()
    times, prices = np.array([at for at, _ in rows], np.int64), np.array([p for _, p in rows])
    if file.suffix == ".zip":
        prices = prices * _splits(file, symbol, times)
    return Prices(times, prices, file.name)


def _file_of(folder: Path, symbol: str) -> Path:
    name = symbol.lower()
    tried = [folder / part / f"{name}.zip" for part in ("hour", "daily", "")]
    tried += [folder / f"{name}.csv", folder / f"{symbol}.csv"]
    for file in tried:
        if file.exists():
            return file
    raise NotKnown(
        f"{folder} has no prices of {symbol}: there is no hour/{name}.zip, {name}.zip or {name}.csv"
    )


def _plain(file: Path) -> Iterator[tuple[int, float]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"time", "price"} <= set(rows.fieldnames or ()):
            raise BadRequest(
                f"{file.name} must begin with a line that names the columns time and price"
            )
        for row in rows:
            try:
                yield to_micros(parse_moment(row["time"])), float(row["price"])
            except (TypeError, ValueError) as exc:
                raise BadRequest(f"{file.name}, line {rows.line_num}: {exc}") from None


def _lean(file: Path) -> Iterator[tuple[int, float]]:
    with zipfile.ZipFile(file) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    labels, closes = list[datetime](), list[float]()
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        try:
            labels.append(datetime.strptime(row[0], "%Y%m%d %H:%M"))  # noqa: DTZ007 - wall clock of New York, below
            closes.append(float(row[4]) / _TEN_THOUSANDTHS)
        except (IndexError, ValueError):
            raise BadRequest(
                f"{file.name}, line {number}: not a bar of LEAN's hourly or daily format: {','.join(row)[:60]!r}"
            ) from None
    daily = all(label.time() == time(0) for label in labels)
    for label, close in zip(labels, closes, strict=True):
        end = datetime.combine(label, time(16)) if daily else label + timedelta(hours=1)
        yield to_micros(end.replace(tzinfo=NEW_YORK)), close


def _splits(file: Path, symbol: str, times: Ints) -> Floats:
    """What a price is to be multiplied by, so that splits make no step; 1 where no factor file says more."""
    for folder in (file.parent / "factor_files", file.parent.parent / "factor_files"):
        factors = folder / f"{symbol.lower()}.csv"
        if factors.exists():
            break
    else:
        return np.ones(len(times))
    until, split = list[int](), list[float]()
    for row in csv.reader(io.StringIO(factors.read_text("utf-8"))):
        if len(row) >= 3:  # the first line may say when the file begins
            until.append(to_micros(end_of_day(datetime.strptime(row[0], "%Y%m%d").date())))  # noqa: DTZ007 - a day
            split.append(float(row[2]))
    return np.array([*split, 1.0])[np.searchsorted(np.array(until), times)]


# ---- the chart


class _Span(NamedTuple):
    """How a period is looked at: the window of the trend, that of the detail, and the step between instants."""

    trend: str
    detail: str
    step: int


def _span(first: int, last: int) -> _Span:
    days = (last - first) / DAY
    if days <= 3:
        return _Span("2h", "30m", 5 * MINUTE)
    if days <= 60:
        return _Span("1d", "2h", HOUR)
    return _Span("5d", "1d", DAY)


def plot(
    reader: Reader,
    symbol: str,
    first: int,
    last: int,
    out: Path,
    prices: Prices | None = None,
    **asked: Unpack[Asked],
) -> Matrix:
    """Draw [first, last], µs, into a PNG (or what the ending of `out` says); the values that were drawn.

    Sentiment, buzz and volume are what was known at each instant: over more than two months at each session's close of the New
    York Stock Exchange, else in steps. Raises NotKnown where there is nothing to draw, ModelMissing without matplotlib.
    """
    figure_of = optional("matplotlib.figure").Figure
    span = _span(first, last)
    instants = _instants(first, last, span.step)
    means = [f"sentiment_mean_{window}" for window in (span.trend, span.detail)]
    names = [*means, f"volume_{span.detail}", f"buzz_{span.detail}"]
    chosen: Asked = {**asked, "names": names, "feature_set": None}
    matrix = reader.matrix([symbol], instants, **chosen)
    if np.isnan(matrix.values[0, :, 0]).all():
        raise NotKnown(f"no scored news about {symbol} is known in this period")
    shown = prices.between(first, last) if prices is not None else None
    if shown is not None and not shown.times.size:
        raise NotKnown(f"{shown.source} has no price of {symbol} in this period")
    panels = 2 if shown is None else 3
    figure = figure_of(figsize=(12, 1.8 + 2.3 * panels), dpi=150, layout="constrained")
    axes = figure.subplots(panels, 1, sharex=True, height_ratios=[1.35, 1, 1][-panels:])
    if shown is not None:
        _draw_price(axes[0], shown)
    _draw_sentiment(axes[-2], matrix, span)
    _draw_news(axes[-1], matrix, span)
    _draw_headlines(axes[-1], reader, matrix, symbol, span)
    _draw_time(axes[-1], first, last)
    for each in axes:
        _plain_frame(each)
    _draw_words(figure, axes[0], reader, matrix, symbol, shown)
    figure.savefig(out)
    return matrix


def _instants(first: int, last: int, step: int) -> Ints:
    if step < DAY:
        return np.arange(first // step * step, last + 1, step, dtype=np.int64)[-MOST_CELLS:]
    closes = new_york().closes
    within = closes[(closes >= first) & (closes <= last)]
    if not within.size:
        raise NotKnown("the New York Stock Exchange had no session in this period")
    return within


def _when(times: Ints) -> NDArray[np.datetime64]:
    return times.astype("datetime64[us]")


_CHARACTERS = 170  # in a line of notes
_HEADLINES, _LOUD, _LOOKED_AT = 4, 6.0, 500  # how many; from which buzz on; scores
_INK, _PALE = "#22303c", "#8896a2"
_PRICE, _GOOD, _BAD, _NEWS, _BUZZ = "#1f4e79", "#2a8c55", "#c0392b", "#b9c6d2", "#d9822b"


def _draw_price(axes: "Axes", prices: Prices) -> None:
    every = -(-len(prices.times) // _POINTS)
    times, values = prices.times[::every], prices.prices[::every]
    axes.plot(_when(times), values, color=_PRICE, linewidth=1.1)
    axes.fill_between(
        _when(times), values, float(values.min()), color=_PRICE, alpha=0.07, linewidth=0
    )
    axes.set_ylabel("Price (USD)")


def _draw_sentiment(axes: "Axes", matrix: Matrix, span: _Span) -> None:
    when, trend, detail = _when(matrix.instants), matrix.values[0, :, 0], matrix.values[0, :, 1]
    axes.axhline(0, color=_PALE, linewidth=0.8)
    for colour, side in ((_GOOD, trend >= 0), (_BAD, trend <= 0)):
        axes.fill_between(
            when, trend, 0, where=side, interpolate=True, color=colour, alpha=0.4, linewidth=0
        )
    label = f"mean of {_SAID[span.detail]}"
    axes.plot(when, detail, ".", color=_PALE, markersize=3, alpha=0.8, label=label)
    axes.plot(when, trend, color=_INK, linewidth=1.1, label=f"mean of {_SAID[span.trend]}")
    reach = max(0.1, min(1.05, 1.1 * float(np.nanmax(np.abs(matrix.values[0, :, :2])))))
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("Sentiment (−1 to 1)")
    _legend(axes, axes)


def _draw_news(axes: "Axes", matrix: Matrix, span: _Span) -> None:
    when, volume, buzz = _when(matrix.instants), matrix.values[0, :, 2], matrix.values[0, :, 3]
    beside = axes.twinx()
    width = -np.timedelta64(int(span.step * 0.9), "us")  # to the left of its instant
    label = f"items of {_SAID[span.detail]} (right)"
    beside.bar(when, volume, width=width, align="edge", color=_NEWS, label=label)
    beside.set_ylabel("Items")
    axes.plot(when, buzz, color=_BUZZ, linewidth=1.1, label=f"buzz of {_SAID[span.detail]}")
    axes.set_ylabel("Buzz (std. dev.)")
    axes.set_zorder(beside.get_zorder() + 1)  # the line before the bars
    axes.patch.set_visible(False)
    _plain_frame(beside, grid=False)
    _legend(axes, axes, beside)


def _draw_headlines(axes: "Axes", reader: Reader, matrix: Matrix, symbol: str, span: _Span) -> None:
    """What the most relevant item said where there was the most buzz."""
    when, buzz = matrix.instants, matrix.values[0, :, 3]
    apart, left = (when[-1] - when[0]) / 8, np.where(np.isnan(buzz), -np.inf, buzz)
    axes.set_ylim(top=1.25 * max(1.0, float(left.max())))
    for _ in range(_HEADLINES):
        peak = int(left.argmax())
        if left[peak] < _LOUD:
            break
        at, height = int(when[peak]), float(left[peak])
        left[np.abs(when - at) < apart] = -np.inf
        headline = _headline(reader.tape, symbol, at, WIDTHS[span.detail], matrix.offset)
        if headline is None:
            continue
        late = at - when[0] > 0.6 * (when[-1] - when[0])
        axes.annotate(
            shorten(headline, 62, placeholder=" …"), (_when(np.array([at]))[0], height),
            xytext=(-7 if late else 7, 1), textcoords="offset points", ha="right" if late else "left", va="center",
            fontsize=8, color=_INK, bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1},
        )  # fmt: skip


def _headline(tape: Tape, symbol: str, at: int, width: int, head: int) -> str | None:
    """Of the item of the last `width` µs that is most about a symbol, as scored by an instant."""
    best, found = 0.0, None
    for logged in tape.scores(
        symbol=symbol, as_of=from_micros(at), head=head, limit=_LOOKED_AT, newest_first=True
    ):
        for target in logged.score.targets:
            recent = to_micros(logged.item_known_at) > at - width
            if target.symbol == symbol and recent and target.relevance > best:
                best, found = target.relevance, logged.score.item
    return None if found is None else tape.item(found).item.headline


def _legend(axes: "Axes", *of: "Axes") -> None:
    """Above a panel, at the right, where nothing is drawn."""
    handles = [handle for each in of for handle in each.get_legend_handles_labels()[0]]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1, 0.98), ncols=len(handles), frameon=False, fontsize=8.5,
        labelcolor=_INK, borderpad=0.2,
    )  # fmt: skip


_SAID = {
    "30m": "the last 30 minutes",
    "2h": "the last 2 hours",
    "1d": "the last 24 hours",
    "5d": "the last 5 days",
}


def _draw_time(axes: "Axes", first: int, last: int) -> None:
    dates = optional("matplotlib.dates")
    axes.xaxis_date(NEW_YORK)
    locator = dates.AutoDateLocator(tz=NEW_YORK, minticks=5, maxticks=12)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=NEW_YORK))
    axes.set_xlim(_when(np.array([first]))[0], _when(np.array([last]))[0])
    axes.set_xlabel("New York time")


def _plain_frame(axes: "Axes", *, grid: bool = True) -> None:
    if grid:
        axes.grid(color="#e4e9ed", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9, length=3)
    axes.yaxis.label.set(color=_INK, fontsize=10)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_PALE)


def _draw_words(
    figure: "Figure",
    top: "Axes",
    reader: Reader,
    matrix: Matrix,
    symbol: str,
    prices: Prices | None,
) -> None:
    what = "price, news sentiment and buzz" if prices is not None else "news sentiment and buzz"
    models = ", ".join(f"{reader.model_of(version)} {version}" for version in matrix.model_versions)
    head = f"log offset {matrix.offset:,} ({matrix.hash[:12]})"
    read = f"model {models or 'none'} · {head} · features {matrix.feature_version}"
    top.set_title(f"{symbol}: {what}\n", loc="left", fontsize=15, fontweight="bold", color=_INK)
    top.text(0, 1.03, read, transform=top.transAxes, fontsize=9, color=_PALE)
    notes = ["Each value is what was known at its instant."]
    if prices is not None:
        notes.append(f"Prices: {prices.source}.")
    if matrix.backfilled.any():
        notes.append("News that was loaded later counts from its public moment (backfilled).")
    if matrix.model_lookahead is not None and matrix.model_lookahead.any():
        notes.append("The model was trained on text of later days: it can know what came after.")
    figure.supxlabel(
        "\n".join(wrap(" ".join(notes), _CHARACTERS)), x=0.01, ha="left", fontsize=8.5, color=_PALE
    )
