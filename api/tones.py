"""A home with a tape and the words of a question in, what news says of the companies named out: agent's port to the other half.

Numbers are of one state of the log, which the receipt names; `regtape features verify` computes them again from it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agent.dates import asked_day
from agent.reply import Headline, Tone
from api.settings import Settings
from ingest.moment import NEW_YORK, civil_day
from ingest.tokens import query_terms, terms
from sentiment.entities import UNKNOWN, Resolver
from sentiment.log import Logged, LoggedScore, Tape

if TYPE_CHECKING:
    from sentiment.read import Reader

_FEATURES = (
    "sentiment_mean_1d", "sentiment_mean_5d", "volume_1d", "volume_5d", "positive_share_1d", "negative_share_1d", "buzz_1d",
)  # fmt: skip
_DEFAULT = timedelta(days=5)
_QUIET = timedelta(days=7)  # without a word of it; what is named before that is another event
_LOOKED_BACK = timedelta(days=366)  # for the event that "since" names
_MOST = 5000  # items read for one answer; more are said to be left out
_PAGE = 1000
_SHOWN = 3  # headlines


class TapeNews:
    """News of the tape in a home. Opened for each question: a tape is a file, and most questions need none."""

    def __init__(
        self,
        settings: Settings,
        resolver: Callable[[], Resolver],
        reader: Callable[[Settings, Tape], "Reader"],
    ) -> None:
        self._settings, self._resolver, self._reader = settings, resolver, reader

    def tones(
        self, question: str, tickers: tuple[str, ...], since: str, as_of: datetime
    ) -> tuple[Tone, ...]:
        """See agent.tone.News."""
        if not (self._settings.home / "tape.db").exists():
            return ()
        named = self._resolver().find(question, "", tickers, as_of)
        companies = {m.entity: m.symbol for m in named if not m.entity.startswith(UNKNOWN)}
        with Tape(self._settings.home) as tape:
            reader = self._reader(self._settings, tape)
            return tuple(
                self._tone(tape, reader, symbol, since, as_of) for symbol in companies.values()
            )

    def _tone(self, tape: Tape, reader: "Reader", symbol: str, since: str, as_of: datetime) -> Tone:
        vector = reader.vector(symbol, as_of=as_of, names=_FEATURES)
        head = vector.receipt.offset
        begin, why = _begin(tape, symbol, since, as_of, head)
        scores = list(_scores(tape, symbol, begin, as_of, head))
        values = [_sentiment(score, symbol) for score in scores]
        return Tone(
            symbol=symbol,
            entity=vector.entity,
            as_of=vector.as_of,
            since=begin,
            since_what=why,
            items=len(scores),
            all_items=len(scores) < _MOST,
            mean=sum(value for value, _ in values) / len(values) if values else None,
            features=dict(vector.values),
            status=dict(vector.status),
            known_at=vector.known_at,
            backfilled=vector.backfilled,
            model_versions=tuple(vector.model_versions),
            receipt=vector.receipt.fields(),
            headlines=tuple(_headlines(tape, scores, values)),
        )


def _begin(tape: Tape, symbol: str, since: str, as_of: datetime, head: int) -> tuple[datetime, str]:
    """From when on, and what that was: a day that the words name, else the newest item that holds them."""
    if not since:
        return as_of - _DEFAULT, f"in the {_DEFAULT.days} days before"
    day = asked_day(f"since on {since}", civil_day(as_of))
    if re.search(r"\b(?:19|20)\d\d\b", since) and day.words:
        on = day.on.replace(month=1, day=1) if re.fullmatch(r"\d{4}", since) else day.on
        return datetime(on.year, on.month, on.day, tzinfo=NEW_YORK), f"since {on}"
    wanted = set(query_terms(since))
    for own in (symbol, None):  # items on the company first, then those on anything
        first: Logged | None = None
        for logged in _items(tape, own, as_of, head):
            if first is not None and first.known_at - logged.known_at > _QUIET:
                break  # what is older was another time
            if wanted <= set(terms(f"{logged.item.headline} {logged.item.body}")):
                first = logged
        if first is not None:
            named = f"“{first.item.headline}” ({first.item.source}), the first of the newest items that name “{since}”"
            return first.known_at, f"since {named}"
    why = f"in the {_DEFAULT.days} days before, for no item of the year before names “{since}”"
    return as_of - _DEFAULT, why


def _items(tape: Tape, symbol: str | None, as_of: datetime, head: int) -> Iterator[Logged]:
    """Items of the year before, newest first."""
    after = 0
    for _ in range(_MOST // _PAGE):
        page = tape.items(
            as_of=as_of, head=head, symbol=symbol, after=after, limit=_PAGE, newest_first=True
        )
        for logged in page:
            if logged.known_at < as_of - _LOOKED_BACK:
                return
            yield logged
        if len(page) < _PAGE:
            return
        after = page[-1].offset


def _scores(
    tape: Tape, symbol: str, begin: datetime, as_of: datetime, head: int
) -> Iterator[LoggedScore]:
    """The newest score of each item on a symbol, by the model that scored last, newest first."""
    seen: set[int] = set()
    version, after = "", 0
    while len(seen) < _MOST:
        page = tape.scores(
            symbol=symbol, as_of=as_of, head=head, after=after, limit=_PAGE, newest_first=True
        )
        for score in page:
            if score.known_at < begin:
                return
            version = version or score.score.version
            if score.score.version == version and score.score.item not in seen:
                seen.add(score.score.item)
                yield score
        if len(page) < _PAGE:
            return
        after = page[-1].offset


def _sentiment(logged: LoggedScore, symbol: str) -> tuple[float, float]:
    """What an item says of a company, and how much it is about it."""
    for target in logged.score.targets:
        if target.symbol == symbol:
            return target.positive - target.negative, target.relevance
    return 0.0, 0.0


def _headlines(
    tape: Tape, scores: Sequence[LoggedScore], values: Sequence[tuple[float, float]]
) -> Iterator[Headline]:
    """The most telling ones, in either direction and most about the company, newest first."""
    telling = sorted(range(len(scores)), key=lambda n: -abs(values[n][0]) * values[n][1])[:_SHOWN]
    for n in sorted(telling):
        logged = tape.item(scores[n].score.item)
        yield Headline(logged.item.headline, logged.item.source, logged.known_at, values[n][0])
