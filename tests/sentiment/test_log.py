"""The tape appends, never changes what is past, reads as of any moment and any head, and can prove it."""

import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRequest, Damaged, NotKnown
from ingest.news import Kind, NewsItem, Precision
from sentiment.log import Fault, Lag, Logged, LoggedScore, Receipt, Score, Tape, TargetScore
from tests.sentiment import writing

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
MINUTE, MICROSECOND = timedelta(minutes=1), timedelta(microseconds=1)


def news(id: str = "1", *, at: datetime = NOON - timedelta(hours=3), **given: Any) -> NewsItem:
    """An item published at that minute."""
    values: dict[str, Any] = {
        "source": "desk", "published_at": at, "precision": Precision.MINUTE, "public_at": at + MINUTE,
        "headline": f"Maker {id} lifts its outlook",
    }  # fmt: skip
    return NewsItem(id=id, **(values | given))


def score(item: int, version: str = "v1", *, symbols: Sequence[str] = (), **given: Any) -> Score:
    targets = tuple(TargetScore(f"us:{s}", s, 0.5, 1.0, item, 0.1, 0.2, 0.7) for s in symbols)
    values: dict[str, Any] = {
        "model": "made up", "negative": 0.2, "neutral": 0.3, "positive": 0.5, "novelty": 1.0, "story": item,
        "targets": targets,
    }  # fmt: skip
    return Score(item=item, version=version, **(values | given))


@dataclass
class HandClock:
    """A clock that shows what it was set to, backwards too."""

    shows: datetime = NOON

    def __call__(self) -> datetime:
        return self.shows


@pytest.fixture(name="clock")
def _clock() -> HandClock:
    return HandClock()


@pytest.fixture(name="tape")
def _tape(tmp_path: Path, clock: HandClock) -> Iterator[Tape]:
    with Tape(tmp_path, clock=clock) as tape:
        yield tape


def offsets(found: Sequence[Logged] | Sequence[LoggedScore]) -> list[int]:
    return [logged.offset for logged in found]


# ---- what is recorded


def test_an_item_reads_back_as_it_was_given(tape: Tape) -> None:
    given = news(
        "a\N{SNOWMAN}1", body="Line one.\nLine 'two' \"three\" \0 \N{ROCKET}", symbols=("AAPL.O", "brk/b"), language="fr",
        received_at=NOON - timedelta(microseconds=7), kind=Kind.CORRECTION, refers_to="a0", url="https://example.org/1",
        flags=("future", "truncated"), precision=Precision.DAY, source="Größe",
    )  # fmt: skip
    (appended,) = tape.append([given])

    assert tape.item(1) == Logged(1, given, NOON, NOON, False, 1)
    assert appended == (1, "new", NOON)


def test_a_score_reads_back_as_it_was_given(tape: Tape) -> None:
    tape.append([news("1"), news("2")])
    third = 1 / 3
    target = TargetScore("cik:320193", "AAPL", 0.1 + 0.2, 0.0, 1, third, third, third)
    other = TargetScore("us:ibm", "IBM", 1e-300, 5e-324, 2, 0.0, 0.0, 1.0)
    given = score(2, targets=(target, other), novelty=0.123456789012345678, story=1, like=1)
    (offset,) = tape.record_scores([given])

    at = NOON + 2 * MICROSECOND
    assert tape.scores() == [LoggedScore(offset, given, at, at, False, NOON + MICROSECOND)]


def test_a_minus_before_zero_is_not_kept_and_breaks_no_proof(tape: Tape) -> None:
    tape.append([news("1")])
    tape.record_scores([score(1, negative=-0.0, neutral=0.5, positive=0.5, novelty=-0.0)])

    assert str(tape.scores()[0].score.negative) == "0.0"
    assert tape.verify() is None


def test_one_sequence_of_offsets_runs_over_items_and_scores(tape: Tape) -> None:
    tape.append([news("1"), news("2")])
    assert tape.record_scores([score(2), score(1)]) == [3, 4]
    (appended,) = tape.append([news("3")])

    assert appended.offset == tape.head() == 5
    assert offsets(tape.items()) == [1, 2, 5]
    assert offsets(tape.scores()) == [3, 4]


def test_the_same_content_under_the_same_id_is_recorded_once(tape: Tape, clock: HandClock) -> None:
    tape.append([news("1"), news("2")])
    clock.shows += timedelta(hours=1)
    seen_again = replace(
        news("1"), received_at=NOON, flags=("future",), url="https://example.org/1"
    )
    again, within, _ = tape.append([seen_again, news("3"), news("3")], backfill=True)

    assert again == (1, "duplicate", NOON)
    assert within.status == "new"
    assert tape.append([news("3")])[0] == (within.offset, "duplicate", within.known_at)
    assert tape.head() == 3


def test_other_content_under_the_same_id_is_a_revision(tape: Tape) -> None:
    first, second, third = (news("1", headline=f"Telling {n}") for n in range(3))
    statuses = [a.status for a in tape.append([first, second, first, third, second])]

    assert statuses == ["new", "revision", "duplicate", "revision", "duplicate"]
    assert [(i.offset, i.revision) for i in tape.items()] == [(1, 1), (2, 2), (3, 3)]


def test_an_id_belongs_to_its_source(tape: Tape) -> None:
    appended = tape.append([news("1"), news("1", source="other desk")])

    assert [a.status for a in appended] == ["new", "new"]
    assert offsets(tape.items(source="other desk")) == [2]
    assert offsets(tape.items(source="no desk")) == []


def test_a_retraction_may_come_before_what_it_retracts(tape: Tape) -> None:
    tape.append([news("r", kind=Kind.RETRACTION, refers_to="1"), news("1")])

    assert [i.item.kind for i in tape.items()] == [Kind.RETRACTION, Kind.ITEM]
    assert offsets(tape.unscored("v1")) == [2]
    with pytest.raises(BadRequest, match="retraction"):
        tape.record_scores([score(1)])


# ---- times


def test_a_live_item_is_known_when_it_is_recorded_whatever_it_claims(tape: Tape) -> None:
    old, ahead = tape.append([news("1", at=NOON - timedelta(days=9)), news("2", at=NOON + MINUTE)])

    assert old.known_at == NOON
    assert ahead.known_at == NOON + MICROSECOND
    assert not any(i.backfilled for i in tape.items())


def test_a_backfilled_item_is_known_at_its_public_moment_but_never_after_its_record(
    tape: Tape,
) -> None:
    at = NOON - timedelta(days=9)
    past, ahead = tape.append([news("1", at=at), news("2", at=NOON + MINUTE)], backfill=True)

    assert past.known_at == at + MINUTE
    assert ahead.known_at == tape.item(2).recorded_at == NOON + MICROSECOND
    assert all(i.backfilled for i in tape.items())


def test_a_score_is_known_when_recorded_unless_its_item_was_backfilled(
    tape: Tape, clock: HandClock
) -> None:
    tape.append([news("live")])
    tape.append([news("archive", at=NOON - timedelta(days=9))], backfill=True)
    clock.shows += timedelta(hours=1)
    tape.record_scores([score(1), score(2)])
    live, archive = tape.scores()

    assert (live.known_at, live.backfilled, live.item_known_at) == (clock.shows, False, NOON)
    assert archive.known_at == archive.item_known_at == NOON - timedelta(days=9) + MINUTE
    assert archive.backfilled
    assert archive.recorded_at == clock.shows + MICROSECOND


def test_recorded_at_strictly_increases_when_the_clock_goes_backwards(
    tape: Tape, clock: HandClock
) -> None:
    tape.append([news("1"), news("2")])
    clock.shows -= timedelta(days=1)
    tape.append([news("3")])
    tape.record_scores([score(1)])
    clock.shows = NOON + MINUTE
    tape.append([news("4")])

    moments = [i.recorded_at for i in tape.items()]
    assert moments == [NOON, NOON + MICROSECOND, NOON + 2 * MICROSECOND, NOON + MINUTE]
    assert tape.scores()[0].recorded_at == NOON + 3 * MICROSECOND


# ---- reading


def test_a_symbol_is_read_in_capitals_of_items_as_given_and_of_scores_as_found(tape: Tape) -> None:
    tape.append([news("1", symbols=("AAPL", "brk.b", "AAPL")), news("2", symbols=("IBM",))])
    tape.record_scores([score(1, symbols=["MSFT", "MSFT"]), score(2, symbols=["AAPL"])])

    assert offsets(tape.items(symbol="aapl ")) == [1]
    assert offsets(tape.items(symbol="BRK.B")) == [1]
    assert offsets(tape.items(symbol="MSFT")) == []
    assert offsets(tape.scores(symbol="msft")) == [3]
    assert offsets(tape.scores(symbol="AAPL")) == [4]


def test_newest_first_is_the_order_of_knowing_and_oldest_first_that_of_arrival(tape: Tape) -> None:
    tape.append([news("1")])
    days = (3, 9, 3, 1)
    tape.append(
        [news(f"b{n}", at=NOON - timedelta(days=d)) for n, d in enumerate(days)], backfill=True
    )

    assert offsets(tape.items()) == [1, 2, 3, 4, 5]
    assert offsets(tape.items(newest_first=True)) == [1, 5, 4, 2, 3]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("given", [{}, {"symbol": "S"}, {"source": "desk"}])
def test_pages_hold_everything_once(tape: Tape, newest_first: bool, given: dict[str, Any]) -> None:
    for n in range(12):  # four share one known_at
        at = NOON - timedelta(days=(n * 5) % 3)
        tape.append([news(str(n), at=at, symbols=("S",))], backfill=n % 4 > 0)
    whole = offsets(tape.items(newest_first=newest_first, **given))
    paged: list[int] = []
    while page := tape.items(
        after=paged[-1] if paged else 0, limit=5, newest_first=newest_first, **given
    ):
        paged += offsets(page)

    assert paged == whole
    assert sorted(whole) == list(range(1, 13))


def test_a_reader_who_follows_misses_nothing_that_is_backfilled_meanwhile(tape: Tape) -> None:
    tape.append([news("1")])
    last = tape.items()[-1].offset
    tape.append([news("2", at=NOON - timedelta(days=900))], backfill=True)

    assert offsets(tape.items(after=last)) == [2]


def test_before_is_what_sorts_before_an_item_within_the_width(tape: Tape) -> None:
    at = NOON - timedelta(days=9)
    minutes = (0, 1, 5, 5, 5, 6)
    tape.append([news(str(n), at=at + m * MINUTE) for n, m in enumerate(minutes)], backfill=True)
    tape.append([news("r", at=at + MINUTE, kind=Kind.RETRACTION)], backfill=True)
    moment, width = at + 6 * MINUTE, 4 * MINUTE  # items 3, 4 and 5 are known at that moment

    assert offsets(tape.before(moment, width, limit=9)) == [2]
    assert offsets(tape.before(moment, width, offset=5, limit=9)) == [2, 3, 4]
    assert offsets(tape.before(moment, width, offset=5, limit=2)) == [3, 4]
    assert offsets(tape.before(moment, 6 * MINUTE, offset=3, limit=9)) == [1, 2]
    assert offsets(tape.before(NOON, timedelta(days=99), limit=99)) == [1, 2, 3, 4, 5, 6]


def test_scores_of_named_items(tape: Tape) -> None:
    tape.append([news("1"), news("2"), news("3")])
    tape.record_scores([score(n, v, symbols=["A"]) for v in ("v1", "v2") for n in (3, 2, 1)])

    assert [s.score.item for s in tape.scores(of=[1, 3])] == [3, 1, 3, 1]
    assert [s.score.item for s in tape.scores(of=[1, 3], version="v2")] == [3, 1]
    assert [s.score.item for s in tape.scores(of=[2], symbol="A", version="v2")] == [2]
    assert tape.scores(of=[]) == []


def test_reads_name_what_is_wrong(tape: Tape) -> None:
    tape.append([news("1")])
    tape.record_scores([score(1)])

    with pytest.raises(BadRequest, match="time zone"):
        tape.items(as_of=datetime(2026, 1, 2))  # noqa: DTZ001
    with pytest.raises(BadRequest, match="-1"):
        tape.items(limit=-1)
    with pytest.raises(NotKnown, match="7"):
        tape.item(7)
    with pytest.raises(NotKnown, match="2"):
        tape.item(2)  # a score
    with pytest.raises(NotKnown, match="ends at offset 2"):
        tape.receipt(3)


def test_readers_do_not_wait_for_a_writer(tape: Tape, tmp_path: Path) -> None:
    tape.append([news("1")])
    with closing(sqlite3.connect(tmp_path / "tape.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writer = threading.Thread(target=tape.append, args=([news("2")],))
        writer.start()
        try:
            assert offsets(tape.items(symbol=None)) == [1]
            assert tape.head() == 1
            assert tape.lag("v1").waiting == 1
            assert writer.is_alive()
        finally:
            other.execute("ROLLBACK")
            writer.join()

    assert offsets(tape.items()) == [1, 2]


# ---- scores and the backlog


def test_a_second_score_of_a_version_changes_nothing_and_another_version_adds(tape: Tape) -> None:
    tape.append([news("1")])
    first = tape.record_scores([score(1)])
    again = tape.record_scores(
        [score(1, positive=0.6, neutral=0.2), score(1, "v2"), score(1, "v2")]
    )

    assert again == [*first, 3, 3]
    assert [s.score.positive for s in tape.scores(version="v1")] == [0.5]
    assert offsets(tape.scores(version="v2")) == [3]


def test_the_backlog_comes_in_the_order_of_knowing_and_finds_what_is_backfilled_late(
    tape: Tape,
) -> None:
    tape.append([news("1"), news("2")])
    tape.record_scores([score(n) for n in offsets(tape.unscored("v1"))])
    assert tape.unscored("v1") == []
    tape.append([news("3"), news("c", kind=Kind.CORRECTION, refers_to="1")])
    tape.append([news("4", at=NOON - timedelta(days=9))], backfill=True)

    assert offsets(tape.unscored("v1")) == [7, 5, 6]
    assert offsets(tape.unscored("v1", limit=1)) == [7]
    assert tape.lag("v1") == Lag(3, NOON - timedelta(days=9) + MINUTE)
    assert tape.lag("v2") == Lag(5, NOON - timedelta(days=9) + MINUTE)
    tape.record_scores([score(n) for n in (5, 6, 7)])
    assert tape.unscored("v1") == []
    assert tape.lag("v1") == Lag(0, None)


def test_a_score_that_comes_before_its_item_was_looked_at_keeps_it_out_of_the_backlog(
    tape: Tape, tmp_path: Path
) -> None:
    tape.append([news("1")])
    tape.unscored("v1")
    tape.append([news("2"), news("3")])
    with Tape(tmp_path) as other:
        other.record_scores([score(2), score(2, "v2")])

    assert tape.lag("v1").waiting == 2
    assert offsets(tape.unscored("v1")) == [1, 3]
    assert offsets(tape.unscored("v2")) == [1, 3]


def steps(tape: Tape, do: Callable[[], object]) -> int:
    """How many hundreds of SQLite's instructions a read takes: work, whatever else the machine does."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    for connection in (tape._db, tape._reader):
        connection.set_progress_handler(tick, 100)
    do()
    for connection in (tape._db, tape._reader):
        connection.set_progress_handler(None, 100)
    return count


@pytest.mark.slow
def test_the_work_of_reading_does_not_grow_with_the_tape(tmp_path: Path) -> None:
    def work_at(size: int) -> dict[str, int]:
        with Tape(tmp_path / str(size)) as tape:
            for start in range(0, size, 500):
                batch = [
                    news(str(n), at=NOON - n * MINUTE, symbols=("A",), source=f"desk {n % 2}")
                    for n in range(start, start + 500)
                ]
                tape.append(batch, backfill=True)
            middle = NOON - size // 2 * MINUTE
            tape.unscored("v1")
            waiting = steps(tape, lambda: tape.unscored("v1", limit=10))
            while page := tape.unscored("v1"):
                tape.record_scores([score(i.offset, symbols=["A"]) for i in page])
            tape.record_scores([score(i.offset, "v2") for i in tape.items(limit=size)])
            beside = steps(tape, lambda: tape.lag("v1"))
            late = [news(f"late {n}", at=NOON - timedelta(days=99)) for n in range(20)]
            tape.append(late, backfill=True)
            work = {
                "unscored, all waiting": waiting,
                "lag beside another version": beside,
                "unscored, late": steps(tape, lambda: tape.unscored("v1", limit=10)),
                "unscored, none new": steps(tape, lambda: tape.unscored("v1", limit=10)),
                "lag": steps(tape, lambda: tape.lag("v1")),
                "before": steps(tape, lambda: tape.before(middle, 20 * MINUTE, limit=99)),
                "append": steps(tape, lambda: tape.append([news("one more")])),
                "items": steps(tape, lambda: tape.items(after=size // 2, limit=10)),
            }
            newest: dict[str, Any] = {"as_of": middle, "limit": 10, "newest_first": True}
            filters: list[dict[str, Any]] = [{}, {"symbol": "A"}, {"source": "desk 1"}]
            for given in filters:
                work[f"items {given}"] = steps(tape, partial(tape.items, **newest, **given))
            filters = [{"symbol": "A"}, {"version": "v1"}]
            for given in filters:
                work[f"scores {given}"] = steps(tape, partial(tape.scores, **newest, **given))
            return work

    small, large = work_at(500), work_at(8000)
    assert all(large[name] <= 2 * small[name] + 5 for name in small), (small, large)


def test_what_was_returned_survives_a_power_failure(tape: Tape) -> None:
    """As far as it can be asked for here: each commit waits for the disk."""
    assert tape._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


# ---- what is refused leaves nothing


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (score(9), NotKnown),
        (score(2), NotKnown),  # a score
        (score(1, story=9), NotKnown),
        (score(1, like=2), NotKnown),
        (score(1, targets=(TargetScore("e", "S", 1.0, 1.0, 9, 0.0, 0.0, 1.0),)), NotKnown),
        (score(1, positive=float("nan")), BadRequest),
        (score(1, positive=0.9), BadRequest),
        (score(1, negative=-0.1, neutral=0.6), BadRequest),
        (score(1, novelty=1.1), BadRequest),
        (score(1, targets=(TargetScore("e", "S", float("inf"), 1, 1, 0.0, 0.0, 1.0),)), BadRequest),
        (score(1, model="half \ud800"), BadRequest),
    ],
)
def test_a_wrong_score_leaves_nothing(tape: Tape, wrong: Score, error: type[Exception]) -> None:
    tape.append([news("1"), news("3")][:1])
    tape.record_scores([score(1, "v0")])
    tape.append([news("3")])
    with pytest.raises(error):
        tape.record_scores([score(3), wrong])

    assert tape.head() == 3
    assert tape.lag("v1").waiting == 2
    assert tape.verify() is None


@pytest.mark.parametrize("where", ["id", "source", "headline", "body", "url"])
def test_half_a_surrogate_pair_is_refused_and_the_batch_with_it(tape: Tape, where: str) -> None:
    wrong: dict[str, Any] = {where: "half \ud83d"}
    with pytest.raises(BadRequest, match="surrogate"):
        tape.append([news("1", source="first"), replace(news("2"), **wrong)])
    tape.append([news("3", source="second"), news("4", source="first")])

    assert [(i.offset, i.item.source) for i in tape.items()] == [(1, "second"), (2, "first")]
    assert tape.verify() is None


def test_nothing_to_append_is_nothing(tape: Tape) -> None:
    assert tape.append([]) == []
    assert tape.record_scores([]) == []
    assert tape.head() == 0
    assert tape.receipt() == tape.receipt(0)
    assert tape.verify(tape.receipt()) is None


@pytest.mark.parametrize(
    "statement",
    [
        f"{verb} {table}{rest}"
        for table, column in (
            ("records", "known_at"), ("items", "revision"), ("scores", "positive"),
            ("targets", "relevance"), ("symbols", "known_at"), ("names", "name"),
        )
        for verb, rest in (
            ("UPDATE", f" SET {column} = {column}"),
            ("UPDATE OR REPLACE", f" SET {column} = {column}"),
            ("DELETE FROM", ""),
        )
    ]
    + [f"INSERT OR REPLACE INTO {t} SELECT * FROM {t}" for t in ("records", "items", "scores", "targets", "names")]
    + [
        "INSERT OR REPLACE INTO items SELECT 99, source, id, content, 9, 0, 'day', 0, 0, '', '', '', '', '', '', ''"
        " FROM items LIMIT 1",
        "INSERT INTO records SELECT max(offset) + 2, kind, origin, known_at, max(recorded_at) + 9, 0, hash FROM records",
        "INSERT INTO records SELECT max(offset) + 1, kind, origin, known_at, max(recorded_at), 0, hash FROM records",
    ],
)  # fmt: skip
def test_the_file_itself_refuses_to_be_changed(tape: Tape, tmp_path: Path, statement: str) -> None:
    tape.append([news("1", symbols=("A",))])
    tape.record_scores([score(1, symbols=["A"])])
    with (
        closing(sqlite3.connect(tmp_path / "tape.db", isolation_level=None)) as other,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        other.execute(statement)


# ---- proof


@pytest.fixture(name="six_records", scope="module")
def _six_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with four items, of which the first two have a score."""
    home = tmp_path_factory.mktemp("six")
    with Tape(home, clock=lambda: NOON) as tape:
        tape.append([news("1", symbols=("A", "B")), news("2", body="Two.")])
        tape.record_scores([score(1, symbols=["A", "C"]), score(2)])
        tape.append([news("3"), news("4", symbols=("A",))], backfill=True)
        tape.unscored("v1")
    return home


@pytest.fixture(name="whole")
def _whole(tmp_path: Path, six_records: Path) -> Path:
    """That home, to be spoilt."""
    return Path(shutil.copytree(six_records, tmp_path / "whole"))


def tamper(home: Path, *statements: str) -> None:
    """As somebody would who knows SQLite: without the triggers, past the foreign keys."""
    with closing(sqlite3.connect(home / "tape.db", isolation_level=None)) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_schema WHERE type='trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute("PRAGMA ignore_check_constraints=ON")
        for statement in statements:
            database.execute(statement)


def fault(home: Path, receipt: Receipt | None = None) -> Fault | None:
    with Tape(home) as tape:
        return tape.verify(receipt)


def test_a_tape_that_nobody_touched_is_whole(whole: Path) -> None:
    with Tape(whole) as tape:
        receipts = [tape.receipt(n) for n in range(7)]
        tape.append([news("5")])

        assert len(set(receipts)) == 7
        assert tape.receipt() == tape.receipt(7)
        assert all(tape.verify(r) is None for r in receipts)
        assert [tape.receipt(n) for n in range(7)] == receipts


@pytest.mark.parametrize(
    ("statement", "offset"),
    [
        *[
            (f"UPDATE items SET {column} = {value} WHERE offset = 2", 2)
            for column, value in {
                "id": "'x'", "content": "x'00'", "revision": "9", "published_at": "published_at + 1",
                "precision": "'day'", "public_at": "0", "received_at": "5", "language": "'fr'", "refers_to": "''",
                "symbols": "'[\"A\"]'", "flags": "'[\"f\"]'", "url": "''", "headline": "headline || ' '",
                "body": "'two.'", "source": "9",
            }.items()
        ],
        *[
            (f"UPDATE records SET {column} = {value} WHERE offset = 5", 5)
            for column, value in {
                "kind": "'correction'", "known_at": "known_at - 1", "recorded_at": "recorded_at + 1",
                "backfilled": "0", "hash": "x'00'", "origin": "2",
            }.items()
        ],
        ("UPDATE records SET kind = 'score' WHERE offset = 5", 5),
        *[
            (f"UPDATE scores SET {column} = {value} WHERE offset = 3", 3)
            for column, value in {
                "item": "5", "model": "2", "version": "3", "negative": "negative + 1e-16", "neutral": "0",
                "positive": "1", "novelty": "0.5", "story": "2", "most_like": "1",
            }.items()
        ],
        *[
            (f"UPDATE targets SET {column} = {value} WHERE place = 1", 3)
            for column, value in {
                "entity": "''", "symbol": "'D'", "relevance": "1", "novelty": "0", "story": "2",
                "negative": "0", "neutral": "0", "positive": "0", "place": "-1", "score": "4",
            }.items()
        ],
        ("DELETE FROM targets WHERE place = 0", 3),
        ("DELETE FROM items WHERE offset = 5", 5),
        ("DELETE FROM records WHERE offset = 2", 2),
        ("UPDATE records SET offset = 70 WHERE offset = 2", 2),
        ("UPDATE names SET name = 'other desk' WHERE name = 'desk'", 1),
        ("UPDATE names SET name = 'v2' WHERE name = 'v1'", 3),
        ("INSERT INTO targets SELECT 9, place, entity, symbol, 1, 1, 1, 1, 1, 1 FROM targets", 9),
        ("INSERT INTO items SELECT 9, source, 'x', content, 1, 0, '', 0, 0, '', '', '', '', '', '', '' FROM items LIMIT 1", 9),
        ("DELETE FROM symbols WHERE symbol = 'C'", 3),
        ("UPDATE symbols SET symbol = 'Z' WHERE symbol = 'B'", 1),
        ("INSERT INTO symbols SELECT 'B', 0, known_at, offset FROM records WHERE offset = 5", 5),
        ("DELETE FROM backlog WHERE item = 6", 6),
        ("INSERT INTO backlog SELECT 9, known_at, item FROM backlog WHERE item = 5", 5),
    ],
)  # fmt: skip
def test_a_change_is_found_at_its_offset(whole: Path, statement: str, offset: int) -> None:
    tamper(whole, statement)

    found = fault(whole)
    assert found is not None
    assert found.offset == offset, found


def test_two_records_that_changed_places_are_found(whole: Path) -> None:
    tamper(
        whole, "UPDATE items SET offset = 90 WHERE offset = 5", "UPDATE items SET offset = 5 WHERE offset = 6",
        "UPDATE items SET offset = 6 WHERE offset = 90",
    )  # fmt: skip

    assert fault(whole) == (5, "the record is not what was appended")


def test_bytes_that_are_not_text_are_found_at_their_offset(whole: Path) -> None:
    tamper(whole, "UPDATE items SET body = CAST(x'c3' AS TEXT) WHERE offset = 5")

    found = fault(whole)
    assert found is not None
    assert (found.offset, "cannot be read" in found.message) == (5, True)


def test_a_byte_changed_in_the_file_is_found(whole: Path) -> None:
    with closing(sqlite3.connect(whole / "tape.db")) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw = (whole / "tape.db").read_bytes()
    at = raw.index(b"Two.")
    (whole / "tape.db").write_bytes(raw[:at] + b"t" + raw[at + 1 :])

    assert fault(whole) == (2, "the record is not what was appended")


def test_an_end_cut_off_is_found_by_a_receipt_alone(whole: Path) -> None:
    with Tape(whole) as tape:
        receipt = tape.receipt()
    tamper(
        whole, "DELETE FROM symbols WHERE offset = 6", "DELETE FROM backlog WHERE item = 6",
        "DELETE FROM items WHERE offset = 6", "DELETE FROM records WHERE offset = 6",
    )  # fmt: skip

    assert fault(whole) is None
    assert fault(whole, receipt) == (6, "the tape ends before offset 6 of the receipt")


def test_a_chain_written_anew_is_found_by_a_receipt_alone(tmp_path: Path, whole: Path) -> None:
    with Tape(whole) as tape:
        receipts = [tape.receipt(n) for n in (1, 2, 5)]
    with Tape(tmp_path / "forged", clock=lambda: NOON) as forged:
        forged.append([news("1", symbols=("A", "B")), news("2", body="Other.")])
        forged.record_scores([score(1, symbols=["A", "C"]), score(2)])
        forged.append([news("3")], backfill=True)

        assert forged.verify() is None
        assert forged.verify(receipts[0]) is None
        for receipt in receipts[1:]:
            found = forged.verify(receipt)
            assert found is not None
            assert found.offset == receipt.offset
            assert "receipt" in found.message


def test_the_chain_can_be_checked_without_this_program(whole: Path) -> None:
    """The recipe of the docstring, written again from its words."""
    with Tape(whole) as tape:
        chain, item = bytes.fromhex(tape.receipt(0).hash), tape.item(1).item
        noon, at = (int(moment.timestamp()) * 10**6 for moment in (NOON, item.published_at))
        line = json.dumps(
            [
                1, "item", noon, noon, 0, "desk", "1", item.content_hash[:32], 1, at, "minute", at + 60 * 10**6,
                None, "en", None, '["A","B"]', "[]", None, "Maker 1 lifts its outlook", "",
            ],
            separators=(",", ":"),
        )  # fmt: skip

        assert tape.receipt(1).hash == sha256(chain + line.encode()).hexdigest()


def test_a_tape_of_a_later_program_is_not_opened(whole: Path) -> None:
    tamper(whole, "UPDATE meta SET value = '2'")

    with pytest.raises(Damaged, match="schema 2"):
        Tape(whole)


def test_a_file_that_is_no_tape_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "tape.db").write_bytes(b"Not a database, but long enough to look at. " * 99)

    with pytest.raises(Damaged, match="not a tape"):
        Tape(tmp_path)


# ---- any interleaving, against a plain list


@dataclass(frozen=True)
class Tick:
    seconds: int


@dataclass(frozen=True)
class Append:
    items: tuple[NewsItem, ...]
    backfill: bool


@dataclass(frozen=True)
class Rate:
    """Score some of the items held; picks are taken modulo what there is."""

    picks: tuple[int, ...]
    version: str


@dataclass(frozen=True)
class Look:
    version: str


@dataclass(frozen=True)
class Reopen:
    pass


Op = Tick | Append | Rate | Look | Reopen
SYMBOLS, SOURCES, VERSIONS = ("A", "B", "C"), ("x", "y"), ("v1", "v2")

_symbols = st.lists(st.sampled_from(SYMBOLS), max_size=2).map(tuple)
_items = st.builds(
    lambda id, source, text, minute, symbols, kind: news(
        id, source=source, headline=text, at=NOON + minute * MINUTE, symbols=symbols, kind=kind
    ),
    st.sampled_from("1234"),
    st.sampled_from(SOURCES),
    st.sampled_from(["One.", "Two."]),
    st.integers(-4, 1),  # some are public after they are recorded
    _symbols,
    st.sampled_from([Kind.ITEM, Kind.ITEM, Kind.CORRECTION, Kind.RETRACTION]),
)
_ops = st.lists(
    st.one_of(
        st.builds(Append, st.lists(_items, max_size=5).map(tuple), st.booleans()),
        st.builds(Rate, st.lists(st.integers(0, 99), min_size=1, max_size=4).map(tuple), st.sampled_from(VERSIONS)),
        st.builds(Tick, st.integers(-90, 90)),
        st.builds(Look, st.sampled_from(VERSIONS)),
        st.just(Reopen()),
    ),
    min_size=3,
    max_size=14,
)  # fmt: skip


@dataclass
class PlainList:
    """The tape as a list: what it holds, in the order in which it came."""

    records: list[Logged | LoggedScore] = field(default_factory=list)

    def _times(self, clock: datetime, public: datetime | None) -> tuple[int, datetime, datetime]:
        last = self.records[-1].recorded_at + MICROSECOND if self.records else clock
        recorded = max(clock, last)
        return len(self.records) + 1, min(public or recorded, recorded), recorded

    def items(self) -> list[Logged]:
        return [r for r in self.records if isinstance(r, Logged)]

    def scores(self) -> list[LoggedScore]:
        return [r for r in self.records if isinstance(r, LoggedScore)]

    def append(self, item: NewsItem, clock: datetime, backfill: bool) -> tuple[int, str, datetime]:
        same = [i for i in self.items() if (i.item.source, i.item.id) == (item.source, item.id)]
        for held in same:
            if held.item == item:
                return held.offset, "duplicate", held.known_at
        offset, known, recorded = self._times(clock, item.public_at if backfill else None)
        self.records.append(Logged(offset, item, known, recorded, backfill, len(same) + 1))
        return offset, "revision" if same else "new", known

    def score(self, given: Score, clock: datetime) -> int:
        for held in self.scores():
            if (held.score.item, held.score.version) == (given.item, given.version):
                return held.offset
        item = next(i for i in self.items() if i.offset == given.item)
        offset, known, recorded = self._times(clock, item.known_at if item.backfilled else None)
        self.records.append(
            LoggedScore(offset, given, known, recorded, item.backfilled, item.known_at)
        )
        return offset

    def unscored(self, version: str) -> list[Logged]:
        done = {s.score.item for s in self.scores() if s.score.version == version}
        waiting = [
            i for i in self.items() if i.offset not in done and i.item.kind != Kind.RETRACTION
        ]
        return sorted(waiting, key=lambda i: (i.known_at, i.offset))


class Both:
    """A tape and a plain list, to which the same is done."""

    def __init__(self, home: Path) -> None:
        self.home, self.clock, self.plain = home, HandClock(), PlainList()
        self.tape = self._open()

    def _open(self) -> Tape:
        tape = Tape(self.home, clock=self.clock)
        tape._db.execute("PRAGMA synchronous=OFF")  # these tests lose no power, and take a tenth
        return tape

    def do(self, op: Op) -> None:
        now = self.clock.shows
        match op:
            case Tick(seconds):
                self.clock.shows += timedelta(seconds=seconds)
            case Append(items, backfill):
                expected = [self.plain.append(item, now, backfill) for item in items]
                assert self.tape.append(items, backfill=backfill) == expected
            case Rate(picks, version):
                held = [i for i in self.plain.items() if i.item.kind != Kind.RETRACTION]
                given = [
                    score(
                        held[p % len(held)].offset, version, symbols=held[p % len(held)].item.symbols,
                        story=held[p % 7 % len(held)].offset, novelty=p / 99,
                    )
                    for p in picks if held
                ]  # fmt: skip
                assert self.tape.record_scores(given) == [self.plain.score(s, now) for s in given]
            case Look(version):
                assert self.tape.unscored(version) == self.plain.unscored(version)
            case Reopen():
                self.tape.close()
                self.tape = self._open()


@contextmanager
def fresh_pair() -> Iterator[Both]:
    """For one example of hypothesis, which draws many inside one test."""
    with tempfile.TemporaryDirectory() as folder:
        both = Both(Path(folder))
        try:
            yield both
        finally:
            both.tape.close()


def moments(plain: PlainList) -> list[datetime | None]:
    """Every moment at which a read can change, and the microsecond before it; None is without end."""
    known = {r.known_at for r in plain.records}
    return [None, *sorted(known | {at - MICROSECOND for at in known})]


def reads(tape: Tape, as_of: datetime | None, head: int) -> dict[str, Any]:
    """Everything that can be asked as of a moment, at a head."""
    found: dict[str, Any] = {}
    for newest_first in (False, True):
        for symbol in (None, *SYMBOLS):
            for source in (None, *SOURCES):
                found[f"items {newest_first} {symbol} {source}"] = tape.items(
                    as_of=as_of, head=head, symbol=symbol, source=source, newest_first=newest_first
                )
            for version in (None, *VERSIONS):
                found[f"scores {newest_first} {symbol} {version}"] = tape.scores(
                    as_of=as_of,
                    head=head,
                    symbol=symbol,
                    version=version,
                    newest_first=newest_first,
                )
    return found


def filtered(plain: PlainList, as_of: datetime | None, head: int) -> dict[str, Any]:
    """The same, by walking the list."""
    seen = [r for r in plain.records[:head] if as_of is None or r.known_at <= as_of]
    found: dict[str, Any] = {}
    for newest_first in (False, True):
        order = (
            sorted(seen, key=lambda r: (r.known_at, r.offset), reverse=True)
            if newest_first
            else seen
        )
        for symbol in (None, *SYMBOLS):
            for source in (None, *SOURCES):
                found[f"items {newest_first} {symbol} {source}"] = [
                    r for r in order if isinstance(r, Logged)
                    and symbol in (None, *r.item.symbols) and source in (None, r.item.source)
                ]  # fmt: skip
            for version in (None, *VERSIONS):
                found[f"scores {newest_first} {symbol} {version}"] = [
                    r for r in order if isinstance(r, LoggedScore)
                    and symbol in (None, *(t.symbol for t in r.score.targets)) and version in (None, r.score.version)
                ]  # fmt: skip
    return found


property_test = settings(max_examples=40, deadline=None)


@pytest.mark.slow
@given(ops=_ops, pick=st.randoms(use_true_random=False))
@property_test
def test_every_read_is_a_filter_over_the_list(ops: list[Op], pick: random.Random) -> None:
    with fresh_pair() as pair:
        for op in ops:
            pair.do(op)
        tape, plain = pair.tape, pair.plain

        for as_of in pick.sample(moments(plain), min(4, len(moments(plain)))):
            head = pick.randint(0, len(plain.records))
            assert reads(tape, as_of, head) == filtered(plain, as_of, head)
        assert tape.head() == len(plain.records)
        for version in VERSIONS:
            waiting = plain.unscored(version)
            assert tape.lag(version) == (len(waiting), waiting[0].known_at if waiting else None)
            assert tape.unscored(version, limit=2) == waiting[:2]
        assert tape.verify(tape.receipt()) is None


@pytest.mark.slow
@given(ops=_ops, limit=st.integers(1, 9))
@property_test
def test_before_is_the_end_of_what_was_heard_earlier(ops: list[Op], limit: int) -> None:
    with fresh_pair() as pair:
        for op in ops:
            pair.do(op)
        heard = [i for i in pair.plain.items() if i.item.kind != Kind.RETRACTION]
        heard.sort(key=lambda i: (i.known_at, i.offset))
        for n, at in enumerate(heard):
            within = [i for i in heard[:n] if i.known_at >= at.known_at - 2 * MINUTE]
            found = pair.tape.before(at.known_at, 2 * MINUTE, offset=at.offset, limit=limit)

            assert found == within[-limit:]


@pytest.mark.slow
@given(past=_ops, future=_ops, pick=st.randoms(use_true_random=False))
@property_test
def test_appending_changes_no_read_at_a_fixed_head(
    past: list[Op], future: list[Op], pick: random.Random
) -> None:
    with fresh_pair() as pair:
        for op in past:
            pair.do(op)
        head, receipt = pair.tape.head(), pair.tape.receipt()
        asked = pick.sample(moments(pair.plain), min(3, len(moments(pair.plain))))
        before = [reads(pair.tape, as_of, head) for as_of in asked]
        for op in future:
            pair.do(op)

        assert [reads(pair.tape, as_of, head) for as_of in asked] == before
        assert pair.tape.receipt(head) == receipt


@pytest.mark.slow
@given(ops=_ops)
@property_test
def test_the_same_again_adds_nothing(ops: list[Op]) -> None:
    with fresh_pair() as pair:
        for op in ops:
            pair.do(op)
        scored = [s.score for s in pair.plain.scores()]
        receipt = pair.tape.receipt()
        for op in ops:
            if isinstance(op, Append):
                pair.do(op)
        pair.tape.record_scores(scored)

        assert pair.tape.receipt() == receipt


# ---- several writers, and one that is killed

ROOT = Path(__file__).parents[2]


def start(home: Path, what: str, first: int, last: int) -> "subprocess.Popen[bytes]":
    """A process of its own that writes, as of when it has said so."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.sentiment.writing", str(home), what, str(first), str(last)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    return process


def wait(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout
    process.stdout.close()
    assert process.wait(timeout=120) == 0


def everything(home: Path) -> dict[int, tuple[object, ...]]:
    """All that is held, by offset, without the moments that are those of the run."""
    with Tape(home) as tape:
        assert tape.verify() is None
        assert tape.unscored(writing.VERSION) == []
        items: dict[int, tuple[object, ...]] = {
            i.offset: (i.item, i.backfilled, i.revision, i.backfilled and i.known_at)
            for i in tape.items(limit=10**6)
        }
        scores: dict[int, tuple[object, ...]] = {
            s.offset: (s.score, s.backfilled, s.backfilled and s.known_at)
            for s in tape.scores(limit=10**6)
        }
    return items | scores


@pytest.mark.slow
@pytest.mark.parametrize("what", ["by turns", "backlog"])
def test_a_writer_killed_again_and_again_ends_where_an_undisturbed_one_does(
    tmp_path: Path, what: str
) -> None:
    size, killed = 2000, tmp_path / "killed"
    undisturbed = start(tmp_path / "undisturbed", what, 0, size)
    began = time.monotonic()
    wait(undisturbed)
    whole = time.monotonic() - began

    rng, kills = random.Random(int(began)), 0
    for _ in range(25):
        process = start(killed, what, 0, size)
        assert process.stdout
        try:
            process.wait(timeout=rng.uniform(0.0, 0.3) * whole)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        process.stdout.close()
        with Tape(killed) as tape:
            assert tape.verify() is None
        if process.returncode == 0:
            break
    wait(start(killed, what, 0, size))

    assert kills >= 3
    assert everything(killed) == everything(tmp_path / "undisturbed")


@pytest.mark.slow
def test_two_processes_write_while_a_third_scores(tmp_path: Path) -> None:
    size = 300
    items = [writing.news(n) for n in range(size)]
    wanted = sum(i.kind is not Kind.RETRACTION for i in items)
    processes = [
        start(tmp_path, "append", 0, size),
        start(tmp_path, "append", size // 3, size),  # two thirds come from both
        start(tmp_path, "score", 0, wanted),
    ]
    for process in processes:
        wait(process)

    with Tape(tmp_path) as tape:
        logged, scores = tape.items(limit=10**6), tape.scores(limit=10**6)
        both: list[Logged | LoggedScore] = [*logged, *scores]
        together = sorted(both, key=lambda r: r.offset)
        assert [r.offset for r in together] == list(range(1, size + wanted + 1))
        assert all(a.recorded_at < b.recorded_at for a, b in pairwise(together))
        assert sorted(i.item.headline for i in logged) == sorted(i.headline for i in items)
        assert len({s.score.item for s in scores}) == wanted
        assert tape.verify() is None


@pytest.mark.slow
def test_processes_may_open_a_new_home_at_once(tmp_path: Path) -> None:
    for home in range(3):
        for process in [start(tmp_path / str(home), "append", n, n + 1) for n in range(4)]:
            wait(process)

        with Tape(tmp_path / str(home)) as tape:
            assert tape.head() == 4


def test_threads_share_one_tape(tmp_path: Path) -> None:
    with Tape(tmp_path) as tape:
        wrong: list[BaseException] = []

        def write(first: int) -> None:
            try:
                for n in range(first, first + 20):
                    tape.append([news(str(n), symbols=("A",)), news("shared")])
                    tape.record_scores([score(i.offset) for i in tape.unscored("v1", limit=3)])
                    tape.items(symbol="A", newest_first=True, limit=5)
            except BaseException as exc:
                wrong.append(exc)
                raise

        threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert wrong == []
        assert len(tape.items()) == 81
        assert tape.verify() is None


# ---- speed


@pytest.mark.slow
@pytest.mark.data
def test_five_thousand_real_items_go_in_within_a_second_of_one_core(tmp_path: Path) -> None:
    data = os.environ.get("REGTAPE_DATA")
    if not data:
        pytest.skip("needs the news in the folder that REGTAPE_DATA names")
    items: list[NewsItem] = []
    with gzip.open(Path(data) / "news" / "reuters_2006_2013.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            if row["ts_utc"]:
                items.append(
                    news(
                        row["id"], at=datetime.fromisoformat(row["ts_utc"]), headline=row["title"], body=row["lede"],
                        symbols=tuple(row["us_rics"]), url=row["url"],
                    )
                )  # fmt: skip
            if len(items) == 20_000:
                break
    with Tape(tmp_path) as tape:
        began = time.process_time()  # of this process alone, whatever else the machine does
        for first in range(0, len(items), 1000):
            tape.append(items[first : first + 1000], backfill=True)
        seconds = time.process_time() - began

    assert len(items) / seconds >= 5000
