"""The flow of the tape: rows are logged as they come, scored once a version, and compared with just the day before."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import ModelMissing, Unreadable
from ingest.news import Kind, NewsItem, Precision, Rejected
from sentiment.entities import Mention
from sentiment.log import Logged, Score, Tape
from sentiment.novelty import WIDTH, News, Stories
from sentiment.scorer import Marked, Probabilities
from sentiment.stream import (
    Added,
    Scored,
    StoriesOfTape,
    add_news,
    in_batches,
    judge,
    read_items,
    score_backlog,
)

START = datetime(2024, 5, 6, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
GOOD, BAD, NEITHER = (0.0, 0.25, 0.75), (0.75, 0.25, 0.0), (0.0, 1.0, 0.0)


@dataclass
class Hands:
    """A clock that stands still until it is moved."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at


@contextmanager
def a_tape() -> Iterator[tuple[Tape, Hands]]:
    clock = Hands()
    with TemporaryDirectory() as home, Tape(Path(home), clock=clock) as tape:
        yield tape, clock


def an_item(n: int, at: datetime = START, headline: str = "", **more: object) -> NewsItem:
    item = NewsItem(
        id=f"n{n}", source="wire", published_at=at, precision=Precision.INSTANT, public_at=at,
        headline=headline or f"Lamp maker number {n} lights up",
    )  # fmt: skip
    return replace(item, **more)  # type: ignore[arg-type]


@dataclass
class Words:
    """Good where a text has "up", bad where it has "down"; keeps what it was given."""

    name: str = "words"
    version: str = "words-1"
    trained_through: str | None = None
    notice: str | None = None
    reads_targets: bool = True
    batches: list[list[str]] = field(default_factory=list)
    error: Exception | None = None

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        if self.error:
            raise self.error
        plain = [text if isinstance(text, str) else text.text for text in texts]
        if any("poison" in text for text in plain):
            raise ValueError("cannot read that")
        self.batches.append(plain)
        rows = [GOOD if "up" in text else BAD if "down" in text else NEITHER for text in plain]
        return np.array(rows, np.float32).reshape(-1, 3)


@dataclass
class Givens:
    """The given symbols and nothing else; keeps as of when it was asked."""

    asked: list[datetime] = field(default_factory=list)

    def find(
        self, headline: str, body: str, given: Sequence[str], as_of: datetime
    ) -> list[Mention]:
        self.asked.append(as_of)
        return [
            Mention(f"us:{s.lower()}", s, 1 / (n + 1), (), "given") for n, s in enumerate(given)
        ]


def score_all(tape: Tape, scorer: Words | None = None, batch: int = 512) -> Scored:
    resolver = Givens()
    return score_backlog(
        tape, resolver, StoriesOfTape(tape, resolver), scorer or Words(), batch=batch
    )


def plain(score: Score) -> tuple[object, ...]:
    return score.item, score.novelty, score.story, score.like, score.targets


# ---- rows in


def test_good_rows_go_in_and_bad_ones_are_kept_apart() -> None:
    bad = Rejected(2, "bad-json", "not JSON", "{")
    kept: list[Rejected] = []
    with a_tape() as (tape, _):
        rows: list[NewsItem | Rejected] = [
            an_item(1),
            bad,
            an_item(1),
            an_item(2, flags=("future",)),
        ]
        added = add_news(rows, tape, reject=kept.append)

        assert kept == [bad]
        assert [logged.item.id for logged in tape.items()] == ["n1", "n2"]
        assert (added.rows, added.new, added.duplicates, added.rejected) == (4, 2, 1, 1)
        assert added.flags == {"future": 1}


def test_a_row_is_in_the_log_a_second_after_it_came_though_the_feed_goes_on() -> None:
    with a_tape() as (tape, _):
        go_on = threading.Event()
        told: list[tuple[float, int]] = []

        def feed() -> Iterator[NewsItem]:
            yield an_item(1)
            yield an_item(2)
            assert go_on.wait(20)
            yield an_item(3)

        def progress(added: Added) -> None:
            told.append((time.monotonic() - began, len(tape.items())))
            go_on.set()

        began = time.monotonic()
        add_news(feed(), tape, progress=progress)

        assert [held for _, held in told] == [2, 3]
        assert 0.9 < told[0][0] < 10


@given(st.lists(st.integers(), max_size=50), st.integers(1, 7))
def test_batches_are_the_rows_in_their_order(rows: list[int], most: int) -> None:
    groups = list(in_batches(rows, most, 60))

    assert [row for group in groups for row in group] == rows
    assert all(len(group) == most for group in groups[:-1])
    assert all(0 < len(group) <= most for group in groups)


def test_rows_before_a_feed_breaks_are_logged() -> None:
    def feed() -> Iterator[NewsItem]:
        yield an_item(1)
        raise Unreadable("truncated", "the file ends too early")

    with a_tape() as (tape, _):
        with pytest.raises(Unreadable, match="ends too early"):
            add_news(feed(), tape)

        assert [logged.item.id for logged in tape.items()] == ["n1"]


# ---- scores


def test_each_item_is_scored_once_by_a_version_and_again_by_another() -> None:
    with a_tape() as (tape, _):
        tape.append([an_item(n) for n in range(5)])
        first = score_all(tape, batch=2)
        again = score_all(tape)
        other = score_all(tape, Words(version="words-2"))

        assert (first.items, again.items, other.items) == (5, 0, 5)
        assert sorted(s.score.item for s in tape.scores()) == sorted([*range(1, 6)] * 2)
        assert tape.lag("words-1").waiting == 0


def test_a_score_says_whom_the_item_is_about_how_new_it_is_and_how_good() -> None:
    with a_tape() as (tape, _):
        tape.append([an_item(1, symbols=("AB", "CD")), an_item(2, headline="Lamp maker number 1 lights up")])  # fmt: skip
        score_all(tape)
        first, second = (logged.score for logged in tape.scores())

        assert (first.model, first.version) == ("words", "words-1")
        assert (first.negative, first.neutral, first.positive) == (0.0, 0.25, 0.75)
        assert [(t.entity, t.symbol, t.relevance) for t in first.targets] == [
            ("us:ab", "AB", 1.0),
            ("us:cd", "CD", 0.5),
        ]
        assert [t.positive for t in first.targets] == [0.75, 0.75]
        assert (first.novelty, first.story, first.like) == (1.0, 1, None)
        assert (second.novelty, second.story, second.like) == (0.0, 1, 1)
        assert second.targets == ()


def test_a_retraction_waits_for_no_score_and_is_like_nothing() -> None:
    with a_tape() as (tape, _):
        gone = an_item(1, kind=Kind.RETRACTION, refers_to="n0")
        tape.append([gone, an_item(2, headline=gone.headline)])
        score_all(tape)
        (only,) = (logged.score for logged in tape.scores())

        assert (only.item, only.novelty) == (2, 1.0)


def test_names_are_read_as_of_when_an_item_was_public_and_never_later_than_it_was_known() -> None:
    resolver = Givens()
    with a_tape() as (tape, clock):
        clock.at = START + 100 * HOUR
        tape.append([an_item(1, START)])  # old news that comes in live
        tape.append([an_item(2, START + 1000 * HOUR)])  # a stamp from the future
        score_backlog(tape, resolver, StoriesOfTape(tape, resolver), Words())

        assert resolver.asked[0] == START
        assert resolver.asked[1] == tape.item(2).known_at


def test_an_item_that_arrives_while_others_are_scored_is_scored_too() -> None:
    with a_tape() as (tape, clock):
        tape.append([an_item(n) for n in range(4)])
        late = iter([[an_item(9)]])

        def arrive(_: Scored) -> None:
            clock.at += HOUR
            tape.append(next(late, []))

        resolver = Givens()
        done = score_backlog(
            tape, resolver, StoriesOfTape(tape, resolver), Words(), batch=2, progress=arrive
        )

        assert done.items == 5


def test_what_comes_in_live_does_not_wait_for_an_archive() -> None:
    with a_tape() as (tape, clock):
        clock.at = START + 10_000 * HOUR
        tape.append([an_item(n, START + n * HOUR) for n in range(200)], backfill=True)
        live = (
            an_item(500, clock.at),
            an_item(501, clock.at, kind=Kind.RETRACTION, refers_to="n500"),
        )
        late = iter([live])

        def arrive(_: Scored) -> None:
            tape.append(next(late, ()))

        resolver = Givens()
        done = score_backlog(
            tape, resolver, StoriesOfTape(tape, resolver), Words(), batch=10, progress=arrive
        )
        order = [tape.item(logged.score.item).item.id for logged in tape.scores()]

        assert done.items == 201
        assert order.index("n500") <= 40, "after the batch at work, the one read, and one more"
        assert [id for id in order if id != "n500"] == [f"n{n}" for n in range(200)]


def test_when_the_model_fails_nothing_of_its_batch_is_recorded_and_the_next_call_goes_on() -> None:
    with a_tape() as (tape, _):
        tape.append([an_item(n) for n in range(4)])
        broken = Words(error=ModelMissing("gone"))
        with pytest.raises(ModelMissing):
            score_all(tape, broken)
        assert tape.scores() == []

        assert score_all(tape).items == 4


def test_an_item_that_the_model_fails_on_stops_no_other() -> None:
    with a_tape() as (tape, _):
        tape.append([an_item(n, headline="poison" if n in (0, 3) else "") for n in range(8)])
        resolver = Givens()
        stories = StoriesOfTape(tape, resolver)
        done = score_backlog(tape, resolver, stories, Words(), batch=2)
        again = score_backlog(tape, resolver, stories, Words(), leave=done.failed)

        assert (done.items, done.waiting) == (6, 2)
        assert done.failed == {1: "cannot read that", 4: "cannot read that"}
        assert (again.items, again.failed) == (0, {})


def test_progress_tells_what_is_done_and_what_waits() -> None:
    told: list[tuple[int, int]] = []
    with a_tape() as (tape, _):
        tape.append([an_item(n) for n in range(5)])
        resolver = Givens()
        score_backlog(
            tape, resolver, StoriesOfTape(tape, resolver), Words(), batch=2,
            progress=lambda at: told.append((at.items, at.waiting)),
        )  # fmt: skip

    assert told == [(2, 3), (4, 1), (5, 0)]


# ---- novelty remembers what the tape holds of the day before, whatever happened in between


class Witness(Stories):
    """Stories that note what they had met when they met each item."""

    met: ClassVar[dict[int, list[int]]] = {}

    def __init__(self, width: timedelta) -> None:
        super().__init__(width)
        self._seen: list[tuple[datetime, int]] = []

    def observe(
        self, offset: int, known_at: datetime, headline: str, body: str, entities: Sequence[str]
    ) -> News:
        Witness.met[offset] = [o for at, o in self._seen if known_at - at < WIDTH]
        self._seen.append((known_at, offset))
        return super().observe(offset, known_at, headline, body, entities)


def the_day_before(tape: Tape, offset: int) -> list[int]:
    """The obvious way: look at every item there is."""
    one = tape.item(offset)
    key = one.known_at, one.offset
    day = [
        (other.known_at, other.offset)
        for other in tape.items(limit=10_000)
        if other.item.kind is not Kind.RETRACTION and other.known_at > one.known_at - WIDTH
    ]
    return [o for at, o in sorted(day) if (at, o) < key]


HEADLINES = st.sampled_from(
    [
        "Shell gains as BP slides",
        "Shell gains as BP slides again",
        "Lamps are dear this spring",
        "Lamps are dear",
        "Bells",
    ]
)


class Live(NamedTuple):
    """News arrives."""

    headline: str


class Gone(NamedTuple):
    """A retraction arrives."""

    headline: str


class Past(NamedTuple):
    """History is filled in."""

    headline: str
    hours: int


class Batches(NamedTuple):
    """Some of the backlog is scored, from its beginning or its end."""

    size: int
    number: int
    newest: bool = False


class Later(NamedTuple):
    """Time goes on."""

    hours: int


class Restart(NamedTuple):
    """The scoring process ends and another one starts."""


HISTORY = st.lists(
    st.one_of(
        st.builds(Live, HEADLINES),
        st.builds(Gone, HEADLINES),
        st.builds(Past, HEADLINES, st.integers(-70, 5)),
        st.builds(Batches, st.integers(1, 4), st.integers(1, 3), st.booleans()),
        st.builds(Later, st.integers(0, 30)),
        st.builds(Restart),
    ),
    max_size=25,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=50)
@given(HISTORY)
def test_an_item_is_compared_with_just_what_the_tape_holds_of_the_day_before(
    history: list[Live | Gone | Past | Batches | Later | Restart],
) -> None:
    with a_tape() as (tape, clock), pytest.MonkeyPatch.context() as patch:
        patch.setattr("sentiment.stream.Stories", Witness)
        resolver = Givens()
        stories = StoriesOfTape(tape, resolver)

        def score_some(batches: Batches) -> None:
            for _ in range(batches.number):
                Witness.met.clear()
                waiting = tape.unscored("words-1", limit=1000)
                size = batches.size
                waiting = waiting[-size:] if batches.newest else waiting[:size]
                score_batch(tape, resolver, stories, waiting)
                for logged in waiting:
                    assert Witness.met[logged.offset] == the_day_before(tape, logged.offset)

        for n, step in enumerate(history):
            match step:
                case Live(headline):
                    tape.append([an_item(n, clock.at, headline, symbols=("AB",))])
                case Gone(headline):
                    gone = {"kind": Kind.RETRACTION, "refers_to": "n0"}
                    tape.append([an_item(n, clock.at, headline, **gone)])
                case Past(headline, hours):
                    tape.append([an_item(n, START + hours * HOUR, headline)], backfill=True)
                case Batches():
                    score_some(step)
                case Later(hours):
                    clock.at += hours * HOUR
                case Restart():
                    stories = StoriesOfTape(tape, resolver)
        score_some(Batches(1000, 1))

        assert tape.lag("words-1").waiting == 0


def score_batch(
    tape: Tape, resolver: Givens, stories: StoriesOfTape, waiting: Sequence[Logged]
) -> None:
    tape.record_scores(judge(read_items(waiting, resolver, stories), Words()))


def test_history_filled_in_behind_what_was_met_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A live item is scored, the hour before it is filled in, and the next live item is scored first."""
    monkeypatch.setattr("sentiment.stream.Stories", Witness)
    resolver = Givens()
    with a_tape() as (tape, clock):
        stories = StoriesOfTape(tape, resolver)
        tape.append([an_item(1, START)])
        score_batch(tape, resolver, stories, tape.unscored("words-1"))
        clock.at += HOUR
        tape.append([an_item(2, START - HOUR), an_item(3, START - 50 * HOUR)], backfill=True)
        (live,) = tape.append([an_item(4, clock.at)])
        score_batch(tape, resolver, stories, [tape.item(live.offset)])

        assert Witness.met[live.offset] == the_day_before(tape, live.offset)
        assert len(Witness.met[live.offset]) == 2


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(HEADLINES, st.integers(0, 40)), min_size=1, max_size=30),
    st.integers(1, 5),
    st.sets(st.integers(0, 30)),
)
def test_restarts_at_any_point_change_no_score(
    items: list[tuple[str, int]], batch: int, cuts: set[int]
) -> None:
    """The scores of one undisturbed run over an archive, beside those of runs that end after any batch."""
    at, archive = START, []
    for n, (headline, hours) in enumerate(items):
        at += hours * HOUR
        archive.append(an_item(n, at, headline, symbols=("AB",) if n % 2 else ()))
    scores = []
    for restarted in (False, True):
        with a_tape() as (tape, clock):
            clock.at = at + HOUR
            tape.append(archive, backfill=True)
            resolver = Givens()
            stories, done = StoriesOfTape(tape, resolver), 0
            while waiting := tape.unscored("words-1", limit=batch if restarted else 1000):
                score_batch(tape, resolver, stories, waiting)
                done += 1
                if restarted and done in cuts:
                    stories = StoriesOfTape(tape, resolver)
            scores.append([plain(logged.score) for logged in tape.scores()])

    assert scores[0] == scores[1]


def test_what_lies_more_than_a_day_before_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One item before a long history that is scored already, and one after it, in one batch."""
    monkeypatch.setattr("sentiment.stream.Stories", Witness)
    resolver = Givens()
    with a_tape() as (tape, clock):
        clock.at = START + 500 * HOUR
        tape.append([an_item(n, START + n * HOUR) for n in range(300)], backfill=True)
        stories = StoriesOfTape(tape, resolver)
        score_batch(tape, resolver, stories, tape.unscored("words-1", limit=300))
        ends = [an_item(1000, START - HOUR), an_item(1001, START + 299.5 * HOUR)]
        tape.append(ends, backfill=True)
        Witness.met.clear()
        score_batch(tape, resolver, StoriesOfTape(tape, resolver), tape.unscored("words-1"))

    assert len(Witness.met) == 1 + 24 + 1
