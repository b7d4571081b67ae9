"""News of a home's tape answers for a company: since a day, since an event, as of a moment, with the receipt of the read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.services import open_reader
from api.settings import Settings
from api.tones import TapeNews
from ingest.moment import now
from sentiment.entities import open_resolver
from sentiment.log import Score, Tape, TargetScore
from tests.api.serving import an_item

START = datetime(2026, 2, 1, 15, tzinfo=UTC)
AS_OF = START + timedelta(days=20)


@pytest.fixture(name="news")
def _news(tmp_path: Path) -> TapeNews:
    settings = Settings(home=tmp_path)
    with Tape(tmp_path) as tape:
        for day, headline, positive in (
            (0, "Lamp maker sued", 0.0),
            (10, "Banks face stress tests this week", 0.2),
            (12, "Bank of America passes stress tests", 0.9),
            (15, "Bank of America raises dividend", 0.8),
            (25, "Bank of America fined", 0.0),
        ):
            at = START + timedelta(days=day)
            item = an_item(f"n{day}", "BAC", headline=headline, published_at=at.isoformat())
            (logged,) = tape.append([item], backfill=True)
            shares: dict[str, Any] = {
                "negative": 0.9 - positive,
                "neutral": 0.1,
                "positive": positive,
            }
            target = TargetScore("cik:70858", "BAC", 1.0, 1.0, logged.offset, **shares)
            tape.record_scores(
                [
                    Score(item=logged.offset, model="fake", version="fake-1", novelty=1.0, story=logged.offset,
                          targets=(target,), **shares)
                ]
            )  # fmt: skip
    return TapeNews(settings, open_resolver, open_reader)


def test_since_an_event_is_since_the_first_of_the_newest_items_that_name_it(news: TapeNews) -> None:
    (tone,) = news.tones("tone on BAC", ("BAC",), "stress tests", AS_OF)

    assert tone.symbol == "BAC"
    assert (tone.since - START).days == 10
    assert "Banks face stress tests this week" in tone.since_what
    assert tone.items == 3
    assert tone.mean == pytest.approx((-0.5 + 0.9 + 0.7) / 3)
    assert "Bank of America fined" not in [h.words for h in tone.headlines]  # it came later


def test_since_a_day_and_since_nothing_named(news: TapeNews) -> None:
    (day,) = news.tones("tone on BAC", ("BAC",), "February 12, 2026", AS_OF)
    (none,) = news.tones("tone on BAC", ("BAC",), "the moon landing", AS_OF)

    assert (day.items, day.since_what) == (2, "since 2026-02-12")
    assert "no item of the year before names" in none.since_what
    assert none.since == AS_OF - timedelta(days=5)


def test_the_numbers_are_those_of_a_feature_read_with_its_receipt(
    news: TapeNews, tmp_path: Path
) -> None:
    (tone,) = news.tones("tone on BAC", ("BAC",), "", AS_OF)
    settings = Settings(home=tmp_path)
    with Tape(tmp_path) as tape:
        vector = open_reader(settings, tape).vector("BAC", as_of=AS_OF, names=tuple(tone.features))
    assert tone.receipt == vector.receipt.fields()
    assert tone.features == dict(vector.values)
    assert tone.backfilled


def test_a_company_that_is_not_known_and_a_home_without_news_say_nothing(
    news: TapeNews, tmp_path: Path
) -> None:
    assert news.tones("tone on the lamp rule", (), "", AS_OF) == ()
    empty = TapeNews(Settings(home=tmp_path / "empty"), open_resolver, open_reader)
    assert empty.tones("tone on BAC", ("BAC",), "", now()) == ()
    assert not (tmp_path / "empty").exists()
