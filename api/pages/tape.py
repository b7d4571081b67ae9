"""A reader of the tape, symbols and an instant in; what was known of them then, as pages show it, out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np

from api.news import read_page
from api.schemas import News, NewsScore, TargetScore
from ingest.moment import from_micros, to_micros
from sentiment.features import DAY, FEATURES, HOUR, MINUTE, SECOND, Feature
from sentiment.log import Tape
from sentiment.question import checked_instant
from sentiment.read import Reader, Status, Vector
from sentiment.rolling import Floats, Ints

_LOOKED_AT = 400  # scores, for the symbols that are spoken of
_SYMBOLS = 30
_HEADLINES = 30
_OF_A_SYMBOL = 200  # items behind a chart
_QUIET = timedelta(days=5)  # the longest window: before it, a page of now is empty

OF_A_ROW = (
    "sentiment_mean_1d",
    "sentiment_mean_5d",
    "volume_1d",
    "volume_5d",
    "buzz_1d",
    "age_seconds",
)
AT_A_GLANCE = (
    "sentiment_mean_2h", "sentiment_mean_1d", "sentiment_change_1d", "volume_1d", "buzz_1d", "age_seconds",
)  # fmt: skip


class Span(NamedTuple):
    """A period that a chart shows. trend, detail: windows of its lines; step: µs between two instants."""

    words: str
    width: int
    step: int
    trend: str
    detail: str
    buzz: str


SPANS = {
    "1h": Span("1 hour", HOUR, 15 * SECOND, "30m", "5m", "30m"),
    "1d": Span("1 day", DAY, 5 * MINUTE, "2h", "30m", "2h"),
    "5d": Span("5 days", 5 * DAY, 30 * MINUTE, "1d", "2h", "1d"),
    "30d": Span("30 days", 30 * DAY, 3 * HOUR, "5d", "1d", "5d"),
}


@dataclass(frozen=True, slots=True)
class Mention:
    """A symbol in an item, and how it speaks of it; None: it has no score yet."""

    symbol: str
    sentiment: float | None
    relevance: float | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """An item as a line. sentiment: toward the symbol asked about, else of the whole; repeats: of an earlier story."""

    offset: int
    headline: str
    source: str
    kind: str
    known_at: datetime
    scored_at: datetime | None
    backfilled: bool
    sentiment: float | None
    mentions: tuple[Mention, ...]
    repeats: bool
    url: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A feature and what it is now."""

    feature: Feature
    value: float | None
    status: Status


@dataclass(frozen=True, slots=True)
class Series:
    """Lines over time. times: int64[n], µs since 1970 UTC; each of the others float64[n], NaN where there is nothing."""

    times: Ints
    trend: Floats
    detail: Floats
    volume: Floats
    buzz: Floats


@dataclass(frozen=True, slots=True)
class Row:
    """A symbol in a table."""

    symbol: str
    entity: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class NewsView:
    """The tape at an instant. earlier: the instant of the newest item, where a page of now shows nothing but that."""

    as_of: datetime
    rows: tuple[Row, ...]
    headlines: tuple[Headline, ...]
    newest: datetime | None
    lag: float
    watermark: datetime
    offset: int
    earlier: datetime | None


@dataclass(frozen=True, slots=True)
class SymbolView:
    """A symbol at an instant."""

    vector: Vector
    glance: tuple[Value, ...]
    values: tuple[Value, ...]
    headlines: tuple[Headline, ...]
    span: Span
    series: Series
    earlier: datetime | None


def news_view(tape: Tape, reader: Reader, as_of: datetime | None) -> NewsView:
    """The symbols that the newest news is about, and its headlines. Raises BadRequest on an instant that is yet to come."""
    at = from_micros(checked_instant(as_of or reader.now(), reader.now()))
    spoken = Counter(
        target.symbol
        for logged in tape.scores(as_of=as_of, limit=_LOOKED_AT, newest_first=True)
        for target in logged.score.targets
    )
    symbols = [symbol for symbol, _ in spoken.most_common(_SYMBOLS)]
    vectors = reader.vectors(symbols, as_of=as_of, names=OF_A_ROW) if symbols else []
    rows = [Row(v.symbol, v.entity, v.values) for v in vectors]
    # Those with the most news of the last days first; the rest in the order of their last 400 scores.
    rows.sort(key=lambda row: (row.values["volume_1d"] or 0, row.values["volume_5d"] or 0), reverse=True)  # fmt: skip
    rows = [row for row in rows if row.values["volume_5d"]] or rows
    page = read_page(tape, as_of=as_of, limit=_HEADLINES)
    headlines = tuple(_headline(item) for item in page.items)
    feed = vectors[0].freshness if vectors else reader.freshness()
    return NewsView(
        at, tuple(rows), headlines, feed.newest_known_at, feed.scoring_lag_seconds, feed.watermark,
        page.receipt.offset, _earlier(as_of, at, headlines),
    )  # fmt: skip


def symbol_view(
    tape: Tape, reader: Reader, symbol: str, as_of: datetime | None, span: Span
) -> SymbolView:
    """All that a page shows of one symbol. Raises BadRequest."""
    vector = reader.vector(symbol, as_of=as_of)
    at = to_micros(vector.as_of)
    items = read_page(tape, symbol=vector.symbol, as_of=as_of, limit=_OF_A_SYMBOL).items
    headlines = tuple(_headline(item, vector) for item in items)
    values = {
        name: Value(FEATURES[name], value, vector.status[name])
        for name, value in vector.values.items()
    }
    return SymbolView(
        vector=vector,
        glance=tuple(values[name] for name in AT_A_GLANCE),
        values=tuple(values.values()),
        headlines=headlines,
        span=span,
        series=_series(reader, vector.symbol, at, span),
        earlier=_earlier(as_of, vector.as_of, headlines),
    )


def _series(reader: Reader, symbol: str, last: int, span: Span) -> Series:
    # On round instants, so that a line moves and does not wobble; the last one is the instant itself.
    first = (last - span.width) // span.step * span.step
    times = np.append(np.arange(first, last, span.step, dtype=np.int64), last)
    names = [
        f"sentiment_mean_{span.trend}", f"sentiment_mean_{span.detail}", f"volume_{span.detail}", f"buzz_{span.buzz}",
    ]  # fmt: skip
    found = reader.matrix([symbol], times, names=names).values[0]
    return Series(times, *(found[:, column] for column in range(4)))


def _headline(item: News, of: Vector | None = None) -> Headline:
    score = item.scores[-1] if item.scores else None
    target = _target(score, of)
    mentions = [Mention(t.symbol, t.sentiment, t.relevance) for t in score.targets] if score else []
    found = {mention.symbol for mention in mentions}
    given = [] if score else [Mention(s, None) for s in item.symbols if s not in found]
    return Headline(
        offset=item.offset, headline=item.headline or "", source=item.source, kind=item.kind, known_at=item.known_at,
        scored_at=score.known_at if score else None, backfilled=item.backfilled,
        sentiment=target.sentiment if target else score.sentiment if score else None,
        mentions=(*mentions, *given), repeats=bool(score and score.like is not None),
        url=item.url if item.url and item.url.startswith(("https://", "http://")) else None,
    )  # fmt: skip


def _target(score: NewsScore | None, of: Vector | None) -> TargetScore | None:
    """What a score says of a company; a share and its foreign listing are one."""
    if score is None or of is None:
        return None
    return next((t for t in score.targets if of.entity == t.entity or of.symbol == t.symbol), None)


def _earlier(
    as_of: datetime | None, at: datetime, headlines: Sequence[Headline]
) -> datetime | None:
    if as_of is not None or not headlines or at - headlines[0].known_at < _QUIET:
        return None
    return headlines[0].known_at
