"""A tape and a moment in, the items known then with their scores known then out: the same page for HTTP and `news tail`."""

import heapq
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from api.schemas import News, NewsPage, Receipt
from ingest.errors import BadRequest
from ingest.moment import now
from sentiment.log import Logged, LoggedScore, Tape

_SCORES_OF_A_PAGE = 100_000  # every version of every item, and few have more than two
_FOLLOWED = 1000  # items looked at together
_POLL_SECONDS = 0.25
_WAIT_SECONDS = 2.0  # an item that is shown without its score is not shown again


def read_page(
    tape: Tape,
    *,
    symbol: str | None = None,
    source: str | None = None,
    as_of: datetime | None = None,
    head: int | None = None,
    after: int | None = None,
    limit: int = 50,
    body: bool = False,
) -> NewsPage:
    """The newest items first; or, with `after`, what was recorded after that offset, oldest record first.

    symbol: given by the source or found by a score. head: read the log as it was when it ended there, which with an
    as_of gives the same page for ever; None: as it ends now. Raises NotKnown where the log ends before `head`, BadRequest
    with both a symbol and `after`: an item may get its symbol long after a reader has gone past it.
    """
    if symbol is not None and after is not None:
        raise BadRequest("`after` goes through all news in its order; leave out the symbol")
    receipt = tape.receipt(head)
    view = View(tape, as_of, receipt.offset)
    if after is not None:
        items = view.items(source=source, after=after, limit=limit + 1)
    elif symbol is None:
        items = view.items(source=source, limit=limit, newest_first=True)
    else:
        items = _about(view, symbol.strip().upper(), source, limit)
    shown, rest = items[:limit], items[limit:]
    scores = scores_of(view, shown)
    return NewsPage(
        # The last microseconds of a batch may lie ahead of the clock: recorded_at never repeats.
        as_of=as_of or max([now(), *(one.known_at for one in shown)]),
        receipt=Receipt.model_validate(receipt),
        items=tuple(News.of(one, scores[one.offset], body=body) for one in shown),
        next=shown[-1].offset if rest else None,
    )


class View(NamedTuple):
    """A tape as it was known at a moment and ended at a head; None: as it is."""

    tape: Tape
    as_of: datetime | None = None
    head: int | None = None

    def items(self, **wanted: Any) -> list[Logged]:
        """As Tape.items, in this view."""
        return self.tape.items(as_of=self.as_of, head=self.head, **wanted)

    def scores(self, **wanted: Any) -> list[LoggedScore]:
        """As Tape.scores, in this view."""
        return self.tape.scores(as_of=self.as_of, head=self.head, **wanted)


def _about(view: View, symbol: str, source: str | None, limit: int) -> list[Logged]:
    """The newest items that gave a symbol or in which a score found it.

    Scores are gone through backwards by their own moment. No item is newer than its score, so the search ends at the first
    score that is older than the last item wanted: after few where scoring keeps up, after more in the middle of a rescore.
    """
    wanted = {"source": source, "symbol": symbol, "limit": limit, "newest_first": True}
    found = {one.offset: one for one in view.items(**wanted)}
    after = 0
    while scores := view.scores(symbol=symbol, after=after, limit=limit, newest_first=True):
        after = scores[-1].offset
        for offset in {logged.score.item for logged in scores} - found.keys():
            item = view.tape.item(offset)
            if source in (None, item.item.source):
                found[offset] = item
        newest = heapq.nlargest(limit, found.values(), key=lambda one: (one.known_at, one.offset))
        found = {one.offset: one for one in newest}
        if len(newest) == limit and scores[-1].known_at < newest[-1].known_at:
            break
    return sorted(found.values(), key=lambda one: (one.known_at, one.offset), reverse=True)


def scores_of(view: View, items: Sequence[Logged]) -> dict[int, list[LoggedScore]]:
    """Offset of an item → its scores in this view, oldest record first."""
    found: dict[int, list[LoggedScore]] = defaultdict(list)
    for logged in view.scores(of=[one.offset for one in items], limit=_SCORES_OF_A_PAGE):
        found[logged.score.item].append(logged)
    return found


def follow(
    tape: Tape, after: int, *, symbol: str | None = None, source: str | None = None
) -> Iterator[tuple[News, ...]]:
    """What is recorded after that offset, for ever: each item once, in order, when it is scored or has waited long enough.

    Says when nothing happens, too: with an empty group, every quarter of a second.
    """
    waiting: deque[tuple[float, Logged]] = deque()
    while True:
        for logged in tape.items(source=source, after=after, limit=_FOLLOWED):
            waiting.append((time.monotonic() + _WAIT_SECONDS, logged))
            after = logged.offset
        scores = scores_of(View(tape), [logged for _, logged in waiting])
        ready = []
        while waiting and (scores[waiting[0][1].offset] or waiting[0][0] <= time.monotonic()):
            logged = waiting.popleft()[1]
            ready.append(News.of(logged, scores[logged.offset], body=True))
        yield tuple(news for news in ready if symbol is None or _is_about(news, symbol.upper()))
        time.sleep(_POLL_SECONDS)


def _is_about(news: News, symbol: str) -> bool:
    found = {target.symbol for score in news.scores for target in score.targets}
    return symbol in {name.upper() for name in (*news.symbols, *found)}
