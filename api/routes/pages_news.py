"""The pages of the tape: news with its scores, and a symbol's sentiment and buzz over time, as of now or any instant."""

from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from api.deps import Opened, OpenedDep
from api.pages import page
from api.pages.lines import chart, described, has_buzz
from api.pages.tape import SPANS, news_view, symbol_view
from api.routes.pages import PageRoute
from ingest.errors import BadRequest, OverBudget
from ingest.moment import NEW_YORK, civil_day, now, parse_moment, to_micros
from sentiment.read import Reader

router = APIRouter(include_in_schema=False, route_class=PageRoute)

At = Annotated[str, Query(max_length=40)]

_WIDE, _NARROW = 1010, 350  # pixels of a chart on a desk and on a phone


@router.get("/news")
def read_news(opened: OpenedDep, at: At = "") -> HTMLResponse:
    """The symbols that are spoken of, and the newest headlines."""
    moment = _moment(at)
    view = news_view(opened.tape, _reader(opened), moment)
    return page(
        "news.html", civil_day(now()), view=view, at=at, field=_field(view.as_of), live=moment is None,
        earlier=_field(view.earlier, up=True) if view.earlier else "",
    )  # fmt: skip


@router.get("/symbols")
def find_symbol(symbol: Annotated[str, Query(max_length=40)] = "", at: At = "") -> RedirectResponse:
    """The page of what was typed."""
    there = f"/symbols/{quote(symbol.strip().upper(), safe='')}" if symbol.strip() else "/news"
    return RedirectResponse(there + (f"?{urlencode({'at': at})}" if at else ""), 303)


@router.get("/symbols/{symbol:path}")
def read_symbol(
    symbol: str, opened: OpenedDep, at: At = "", span: Annotated[str, Query(max_length=4)] = "1d"
) -> HTMLResponse:
    """A symbol's sentiment, buzz and news over time, its newest headlines, and its features with their receipt."""
    if span not in SPANS:
        raise BadRequest(f"there is no span {span!r}; there are {', '.join(SPANS)}")
    moment = _moment(at)
    view = symbol_view(opened.tape, _reader(opened), symbol.strip().upper(), moment, SPANS[span])
    first = int(view.series.times[0])
    shown = sum(to_micros(headline.known_at) >= first for headline in view.headlines)
    label = described(view.vector.symbol, view.span, view.series, shown)
    charts = [chart(view.series, view.headlines, span, label, width) for width in (_WIDE, _NARROW)]
    return page(
        "symbol.html", civil_day(now()), view=view, wide=charts[0], narrow=charts[1], at=at, spans=SPANS, chosen=span,
        field=_field(view.vector.as_of), live=moment is None, has_buzz=has_buzz(view.series), receipt=view.vector.receipt,
        earlier=_field(view.earlier, up=True) if view.earlier else "",
    )  # fmt: skip


def _reader(opened: Opened) -> Reader:
    try:
        return opened.features.reader
    except HTTPException as exc:
        raise OverBudget("starting", exc.detail, "try again in a moment") from exc


def _moment(at: str) -> datetime | None:
    """An instant as a person writes it: without a zone it is New York's. Raises BadRequest."""
    if not at.strip():
        return None
    try:
        naive = datetime.fromisoformat(at.strip())  # a day alone is its end, below
    except ValueError:
        return parse_moment(at)
    if naive.tzinfo is None and len(at.strip()) > 10:
        return naive.replace(tzinfo=NEW_YORK)
    return parse_moment(at)


def _field(moment: datetime, *, up: bool = False) -> str:
    """A minute of New York, as a field of a form holds it; up: the first one that is not before."""
    local = moment.astimezone(NEW_YORK)
    minute = local.replace(second=0, microsecond=0)
    if up and minute < local:
        minute += timedelta(minutes=1)
    return f"{minute:%Y-%m-%dT%H:%M}"
