"""Items as a person reads them: a line for each company, the latest score, and no headline in command of the terminal."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from api.render import NewsTable
from api.schemas import News, NewsScore, TargetScore
from ingest.news import Kind, Precision

AT = datetime(2026, 2, 24, 12, 5, tzinfo=UTC)


def a_target(symbol: str, sentiment: float) -> TargetScore:
    return TargetScore(
        entity=f"us:{symbol.lower()}", symbol=symbol, relevance=1, novelty=0.5, story=1, sentiment=sentiment,
        negative=max(0, -sentiment), neutral=1 - abs(sentiment), positive=max(0, sentiment),
    )  # fmt: skip


def a_score(sentiment: float = 0.5, *targets: TargetScore, novelty: float = 1) -> NewsScore:
    return NewsScore(
        offset=2, model="fake", version="1", known_at=AT, backfilled=False, like=None, story=1, targets=targets,
        negative=0, neutral=0.5, positive=0.5, sentiment=sentiment, novelty=novelty,
    )  # fmt: skip


def an_item(*scores: NewsScore, **more: Any) -> News:
    values: dict[str, Any] = {
        "offset": 1, "id": "n1", "source": "wire", "revision": 1, "kind": Kind.ITEM, "refers_to": None,
        "headline": "Shell gains as BP slides", "symbols": ("SHEL", "BP"), "language": "en", "url": None, "flags": (),
        "published_at": AT, "precision": Precision.INSTANT, "received_at": None, "known_at": AT, "recorded_at": AT,
        "backfilled": False, "scores": scores,
    }  # fmt: skip
    return News(**values | more)


def shown(*items: News, symbol: str | None = None, width: int = 100, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, highlight=False, force_terminal=terminal, color_system=None
    )
    NewsTable(console, symbol).show(items)
    return out.getvalue()


def test_each_company_has_a_line_with_its_own_sentiment() -> None:
    _, first, second = shown(an_item(a_score(0, a_target("SHEL", 0.5), a_target("BP", -1)))).splitlines()  # fmt: skip

    assert first.split()[2:] == ["SHEL", "│██", "+0.50", "0.50", "wire", *"Shell gains as BP slides".split()]  # fmt: skip
    assert second.split() == ["BP", "████│", "-1.00", "0.50"]


def test_with_a_symbol_only_that_companys_line_is_shown() -> None:
    item = an_item(a_score(0, a_target("SHEL", 0.5), a_target("BP", -1)))

    assert "SHEL" not in shown(item, symbol="bp")
    assert "-1.00" in shown(item, symbol="bp")


def test_an_item_about_many_companies_has_three_lines() -> None:
    many = [a_target(name, 0.1) for name in ("A", "B", "C", "D", "E")]

    assert len(shown(an_item(a_score(0, *many))).splitlines()) == 1 + 3


def test_the_latest_score_is_shown_and_an_item_without_one_says_so() -> None:
    assert "+0.25" in shown(an_item(a_score(-0.5), a_score(0.25)))
    assert "not scored" in shown(an_item())


def test_corrections_and_retractions_are_marked() -> None:
    assert "[correction] Shell" in shown(an_item(kind=Kind.CORRECTION, refers_to="n0"))
    assert "[retraction]" in shown(an_item(kind=Kind.RETRACTION, refers_to="n0", headline=""))


def test_the_time_is_local_with_its_zone() -> None:
    stamp = " ".join(shown(an_item()).splitlines()[1].split()[:2])

    assert datetime.fromisoformat(stamp) == AT


@pytest.mark.parametrize("width", [60, 80, 140])
def test_in_a_terminal_a_line_fits_and_elsewhere_it_is_whole(width: int) -> None:
    long = an_item(a_score(), headline="word " * 60)

    assert max(map(len, shown(long, width=width, terminal=True).splitlines())) <= width
    assert shown(long, width=width).count("word") == 60


def test_news_cannot_command_the_terminal() -> None:
    hostile = an_item(
        a_score(0, a_target("\x1b[31mX", 1)), headline="\x1b[2J[red]x\u202e", source="\x1b]0;a\x07"
    )
    words = shown(hostile)

    assert not {"\x1b", "\x07", "\u202e"} & set(words)
    assert "[red]" in words, "markup is shown, not obeyed"
