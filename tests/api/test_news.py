"""Pages of the tape: the items of a symbol beside an obvious search, in the middle of a rescore too; and following."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.news import follow, read_page
from ingest.errors import BadRequest
from ingest.news import NewsItem, Precision
from sentiment.log import Score, Tape, TargetScore

START = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@contextmanager
def a_tape() -> Iterator[Tape]:
    """Its clock goes on by a second with each reading."""
    ticks = iter(range(100_000))
    with (
        TemporaryDirectory() as home,
        Tape(Path(home), clock=lambda: START + 100 * HOUR + timedelta(seconds=next(ticks))) as tape,
    ):
        yield tape


def an_item(n: int, at: datetime = START, *symbols: str) -> NewsItem:
    return NewsItem(
        id=f"n{n}", source=f"wire{n % 2}", published_at=at, precision=Precision.INSTANT, public_at=at,
        headline=f"Lamp maker number {n}", symbols=symbols,
    )  # fmt: skip


def a_score(item: int, version: str, *symbols: str) -> Score:
    targets = tuple(TargetScore(f"symbol:{s}", s, 1, 1, item, 0.25, 0.25, 0.5) for s in symbols)
    return Score(item, "fake", version, 0.25, 0.25, 0.5, 1.0, item, targets)


class Row(NamedTuple):
    """An item: hours after START, known then or live; whether it gives the symbol and whether each version finds it."""

    hours: int
    live: bool
    given: bool
    found: tuple[bool, bool]


HOURS = st.sampled_from([5, 15, 110, 110, 110])  # live items are known from the 100th on
ROWS = st.lists(
    st.builds(Row, st.integers(0, 20), st.booleans(), st.booleans(), st.tuples(st.booleans(), st.booleans())),
    max_size=12,
)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(0, 12), st.integers(1, 4), st.just(1000) | st.integers(0, 40), HOURS)
def test_the_items_of_a_symbol_are_those_that_an_obvious_search_finds(
    rows: list[Row], rescored: int, limit: int, head: int, hours: int
) -> None:
    with a_tape() as tape:
        offsets = []
        for n, row in enumerate(rows):
            item = an_item(n, START + row.hours * HOUR, *(["LAMP"] if row.given else []))
            (appended,) = tape.append([item], backfill=not row.live)
            offsets.append(appended.offset)
        for version, count in (("one", len(rows)), ("two", rescored)):
            for row, offset in list(zip(rows, offsets, strict=True))[:count]:
                symbols = ["LAMP"] if row.found[version == "two"] else ["BELL"]
                tape.record_scores([a_score(offset, version, *symbols)])
        head, as_of = min(head, tape.head()), START + hours * HOUR

        expected = []
        for one in tape.items(limit=1000):
            scores = tape.scores(of=[one.offset], as_of=as_of, head=head)
            named = {t.symbol for logged in scores for t in logged.score.targets}
            known = one.known_at <= as_of and one.offset <= head
            if known and "LAMP" in {*one.item.symbols, *named}:
                expected.append((one.known_at, one.offset))
        page = read_page(tape, symbol="lamp", as_of=as_of, head=head, limit=limit)

        assert [i.offset for i in page.items] == [o for _, o in sorted(expected)[::-1][:limit]]


def test_in_the_middle_of_a_rescore_the_newest_items_still_come_first() -> None:
    """The newest scores are then those of the oldest items."""
    with a_tape() as tape:
        tape.append([an_item(n) for n in range(6)])
        tape.record_scores([a_score(offset, "one", "LAMP") for offset in range(1, 7)])
        tape.record_scores([a_score(offset, "two", "LAMP") for offset in range(1, 5)])

        page = read_page(tape, symbol="LAMP", limit=2)
        assert [item.id for item in page.items] == ["n5", "n4"]


def test_a_source_narrows_what_a_symbol_finds() -> None:
    with a_tape() as tape:
        tape.append([an_item(n, START, "LAMP") for n in range(4)])
        tape.append([an_item(4), an_item(5)])
        tape.record_scores([a_score(5, "one", "LAMP"), a_score(6, "one", "LAMP")])

        page = read_page(tape, symbol="LAMP", source="wire1")
        assert [item.id for item in page.items] == ["n5", "n3", "n1"]


def test_going_on_after_an_offset_takes_no_symbol() -> None:
    with a_tape() as tape, pytest.raises(BadRequest, match="leave out the symbol"):
        read_page(tape, symbol="LAMP", after=0)


def test_followed_items_come_once_in_order_with_their_scores_or_late_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Time goes on by half a second with each look."""
    clock = 0.0
    monkeypatch.setattr("api.news.time.monotonic", lambda: clock)
    monkeypatch.setattr("api.news.time.sleep", lambda _: None)
    with a_tape() as tape:
        tape.append([an_item(0)])
        seen = follow(tape, tape.head())
        tape.append([an_item(1), an_item(2)])
        tape.record_scores([a_score(3, "one")])
        shown = []
        for _ in range(6):
            shown.append([(item.id, len(item.scores)) for item in next(seen)])
            clock += 0.5
            if len(shown) == 2:
                tape.record_scores([a_score(2, "one")])
            if len(shown) == 3:
                tape.append([an_item(3)])

        assert shown[:2] == [[], []], "the first waits for its score, and the second for the first"
        assert shown[2] == [("n1", 1), ("n2", 1)]
        assert shown[3:] == [[], [], []]
        clock += 2
        assert [item.id for item in next(seen)] == ["n3"]


def test_following_a_symbol_shows_what_gave_it_or_was_found_to_be_about_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.news.time.sleep", lambda _: None)
    with a_tape() as tape:
        tape.append([an_item(0, START, "LAMP"), an_item(1), an_item(2, START, "BELL")])
        tape.record_scores([a_score(1, "one"), a_score(2, "one", "LAMP"), a_score(3, "one")])

        assert [item.id for item in next(follow(tape, 0, symbol="lamp"))] == ["n0", "n1"]
