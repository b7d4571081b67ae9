"""Snapshots of a tape against replays of it by hand, at any head, in every view; what is appended changes none of them."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRequest, NotKnown
from ingest.moment import to_micros
from ingest.news import Kind, NewsItem, Precision
from sentiment import history
from sentiment.history import Snapshot, snapshot, touched
from sentiment.lives import Record, View
from sentiment.log import Logged, LoggedScore, Score, Tape, TargetScore
from sentiment.rolling import FOREVER, ITEM, UNIT, Contributions
from tests.sentiment.featured import Clock, fill
from tests.sentiment.test_lives import replayed

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
COMPANIES = {"us:a": "A", "us:b": "B/x", "us:c": "c"}
PAUSES = (timedelta(), timedelta(microseconds=1), timedelta(seconds=2), timedelta(hours=9), timedelta(days=20))  # fmt: skip


@dataclass
class Feed:
    """A clock, a tape, and news that does whatever news does."""

    tape: Tape
    random: random.Random
    shows: datetime = NOON
    told: list[NewsItem] = field(default_factory=list)

    def news(self, **given: Any) -> NewsItem:
        pick, kind = self.random, given.pop("kind", Kind.ITEM)
        at = self.shows - timedelta(minutes=pick.choice((0, 1, 90, 40_000, 200_000)))
        values: dict[str, Any] = {
            "id": f"n{pick.randrange(8)}", "source": pick.choice(("desk", "wire")), "published_at": at,
            "public_at": at, "precision": Precision.INSTANT, "headline": f"Maker {pick.randrange(10**9)} lifts its outlook",
            "kind": kind, "refers_to": None if kind is Kind.ITEM else f"n{pick.randrange(8)}",
        }  # fmt: skip
        return NewsItem(**(values | given))

    def tell(self, *items: NewsItem, backfill: bool = False) -> list[int]:
        self.told += items
        return [one.offset for one in self.tape.append(items, backfill=backfill)]

    def score(self, item: int, version: str = "v1", companies: Sequence[str] | None = None) -> int:
        pick = self.random

        def labels() -> tuple[float, float, float]:
            low, high = sorted((pick.random(), pick.random()))
            return low, high - low, 1 - high

        if companies is None:
            companies = pick.sample(sorted(COMPANIES), pick.randrange(3))
        targets = [
            TargetScore(e, COMPANIES.get(e, e), pick.random(), pick.random(), item, *labels())
            for e in companies
        ]
        (offset,) = self.tape.record_scores(
            [Score(item, f"model {version[0]}", version, *labels(), pick.random(), item, tuple(targets))]
        )  # fmt: skip
        return offset

    def step(self) -> None:
        """One of the things that happen."""
        pick = self.random
        self.shows += pick.choice(PAUSES)
        match pick.randrange(6):
            case 0 | 1:
                kind = pick.choice((Kind.ITEM, Kind.ITEM, Kind.CORRECTION, Kind.RETRACTION))
                items = [self.news(kind=kind) for _ in range(pick.randint(1, 3))]
                self.tell(*items, backfill=pick.random() < 0.4)
            case 2 if self.told:
                self.tell(pick.choice(self.told))  # again
            case _:
                waiting = self.tape.unscored(version := pick.choice(("v1", "v1", "v2", "w1")))
                for logged in pick.sample(waiting, min(len(waiting), 2)):
                    self.score(logged.offset, version)


def steps(tape: Tape, seed: int, count: int) -> Feed:
    feed = Feed(tape, random.Random(seed))
    tape._clock = lambda: feed.shows
    for _ in range(count):
        feed.step()
    return feed


@pytest.fixture(name="feed")
def _feed(tmp_path: Path) -> Iterator[Feed]:
    with Tape(tmp_path) as tape:
        yield steps(tape, 1, 0)


_VIEWS: tuple[tuple[View, str | None], ...] = (
    ("known", None), ("known", "v1"), ("latest", None), ("latest", "v1"), ("as_if", "v1"),
)  # fmt: skip

Row = tuple[object, ...]


def rows_of(found: Contributions, snapshot: Snapshot) -> list[Row]:
    """Rows in one order, with the names of what they have codes for."""
    names = {code: entity for entity, code in snapshot.entities.items()} | {ITEM: ""}
    columns = {f.name: getattr(found, f.name).tolist() for f in fields(Contributions)}
    columns["entity"] = [names[code] for code in columns["entity"]]
    columns["version"] = [snapshot.versions[code] for code in columns["version"]]
    return sorted(zip(*columns.values(), strict=True))


def all_rows(snapshot: Snapshot, since: int = -FOREVER) -> list[Row]:
    assert snapshot.everything is not None
    whole = snapshot.everything
    return rows_of(whole.take(whole.moment >= since), snapshot)


def read_by_hand(
    items: Sequence[Logged], scores: Sequence[LoggedScore], now: int, *, latency: int | None = None
) -> dict[tuple[int, str], tuple[float, float, int]]:
    """(score, company or "") → positive less negative, relevance, and since when the item is known, of what is readable.

    From records that are known by now, as a reader of that moment had them. latency: of scores that would have come that
    long after their items.
    """
    told: set[tuple[str, str]] = set()
    records = []
    for logged in sorted(items, key=lambda one: one.offset):
        id = (logged.item.source, logged.item.id)
        of = logged.item.refers_to and (logged.item.source, logged.item.refers_to)
        retracts = logged.item.kind is Kind.RETRACTION
        records.append(
            Record(logged.offset, to_micros(logged.known_at), id, of or None, id not in told, retracts)
        )  # fmt: skip
        told.add(id)
    known_at = {r.offset: r.known_at for r in records}
    stands = replayed([r for r in records if r.known_at <= now])
    found: dict[tuple[int, str], tuple[float, float, int]] = {}
    for item in stands:
        own = [
            s
            for s in scores
            if s.score.item == item
            and (to_micros(s.known_at) if latency is None else known_at[item] + latency) <= now
        ]
        if own:
            best = max(own, key=lambda s: (s.known_at, s.offset))
            whole = best.score.positive - best.score.negative
            found[best.offset, ""] = (whole, 1.0, known_at[item])
            for t in best.score.targets:
                said = (t.positive - t.negative, t.relevance, known_at[item])
                found[best.offset, t.entity] = said
    return found


def readable(snapshot: Snapshot, now: int) -> dict[tuple[int, str], tuple[int, int, int]]:
    names = {code: entity for entity, code in snapshot.entities.items()} | {ITEM: ""}
    rows = snapshot.everything
    assert rows is not None
    rows = rows.take((rows.start <= now) & (now < rows.end))
    keys = zip(rows.offset.tolist(), [names[e] for e in rows.entity.tolist()], strict=True)
    said = zip(rows.sentiment.tolist(), rows.relevance.tolist(), rows.moment.tolist(), strict=True)
    return dict(zip(keys, said, strict=True))


def in_units(found: dict[tuple[int, str], tuple[float, float, int]]) -> object:
    return {k: (round(s * UNIT), round(r * UNIT), at) for k, (s, r, at) in found.items()}


# ---- against replays


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9), st.sampled_from([None, "model v", "v1", "v2"]))
def test_a_snapshot_shows_at_every_instant_what_a_reader_of_that_moment_had(
    seed: int, model: str | None
) -> None:
    with TemporaryDirectory() as home, Tape(Path(home)) as tape:
        feed = steps(tape, seed, 30)
        feed.score(feed.tell(feed.news())[0], "v1")
        feed.score(feed.tell(feed.news())[0], "v2")
        head = feed.random.choice([tape.head(), tape.head() // 2])
        held = tape.scores(limit=10_000, head=head)
        if model not in (
            None,
            *history.versions(tape, head),
            *history.versions(tape, head).values(),
        ):
            return
        scores = [s for s in held if model in (None, s.score.version, s.score.model)]
        items = tape.items(limit=10_000, head=head)
        found = snapshot(tape, head=head, model=model, panel=True)
        known = sorted(set(history.known_times(tape, head).tolist())) or [0]
        instants = [at + d for at in feed.random.sample(known, min(len(known), 8)) for d in (-1, 0)]
        for now in instants:
            assert readable(found, now) == in_units(read_by_hand(items, scores, now))
        if model is not None:
            for latency in (0, 1, 10**10):
                found = snapshot(
                    tape, head=head, model=model, view="as_if", latency=latency, panel=True
                )
                for now in (*instants, *(at + latency for at in instants)):
                    expected = read_by_hand(items, scores, now, latency=latency)
                    assert readable(found, now) == in_units(expected)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9))
def test_a_part_of_a_snapshot_is_that_part_of_the_whole(seed: int) -> None:
    with TemporaryDirectory() as home, Tape(Path(home)) as tape:
        feed = steps(tape, seed, 40)
        moments = sorted(to_micros(one.known_at) for one in tape.items(limit=1000)) or [0]
        since, until = sorted((feed.random.choice(moments), feed.random.choice(moments)))
        for view, model in _VIEWS:
            if model is not None and model not in history.versions(tape):
                continue
            options: dict[str, Any] = {"view": view, "model": model}
            whole = snapshot(tape, panel=True, **options)
            part = snapshot(tape, panel=True, since=since, until=until, **options)
            named = snapshot(tape, entities=["us:a", "us:z"], since=since, until=until, **options)
            assert whole.everything is not None
            inside = (whole.everything.moment >= since) & (whole.everything.moment <= until)
            assert all_rows(part) == rows_of(whole.everything.take(inside), whole)
            expected = part.own.get("us:a", Contributions.empty())
            assert rows_of(named.own.get("us:a", Contributions.empty()), named) == rows_of(expected, part)  # fmt: skip
            assert set(named.own) <= {"us:a"}


# ---- what is appended


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9))
def test_at_a_fixed_head_appending_anything_changes_nothing(seed: int) -> None:
    with TemporaryDirectory() as home, Tape(Path(home)) as tape:
        feed = steps(tape, seed, 25)
        head = tape.head()

        def read() -> list[object]:
            found: list[object] = [history.known_times(tape, head).tolist()]
            for view, model in _VIEWS:
                if model is None or model in history.versions(tape, head):
                    one = snapshot(tape, head=head, view=view, model=model, panel=True)
                    named = snapshot(tape, head=head, view=view, model=model, entities=["us:b"])
                    facts = (one.head, one.versions, one.first_known, one.newest, one.waiting.tolist())  # fmt: skip
                    own = {e: rows_of(rows, named) for e, rows in named.own.items()}
                    found += [all_rows(one), facts, own, named.waiting.tolist()]
            return found

        before = read()
        for _ in range(25):
            feed.step()
        for logged in tape.items(limit=1000):
            if logged.item.kind is not Kind.RETRACTION:
                feed.score(logged.offset, "v9")
        assert read() == before


# ---- single rules


def test_numbers_are_the_nearest_units_and_labels_the_most_probable_class(feed: Feed) -> None:
    (item,) = feed.tell(feed.news(source="no source of any table"))
    third = 1 / 3
    targets = (
        TargetScore("us:a", "A", 0.1, 0.7, item, 0.2, 0.1, 0.7),
        TargetScore("us:b", "B", 1.0, 0.0, item, 0.5, 0.5, 0.0),
        TargetScore("us:c", "C", 1.0, 0.0, item, third, third, third),
        TargetScore("us:d", "D", 1.0, 0.0, item, 0.6, 0.3, 0.1),
    )
    feed.tape.record_scores([Score(item, "m", "v", 0.1, 0.1, 0.8, 0.3, item, targets)])
    found = snapshot(feed.tape, panel=True)

    a = found.own["us:a"]
    assert [a.sentiment[0], a.confidence[0], a.relevance[0], a.novelty[0], a.weight[0]] == [
        round(0.5 * UNIT), round(0.7 * UNIT), round(0.1 * UNIT), round(0.7 * UNIT), UNIT,
    ]  # fmt: skip
    assert [found.own[f"us:{e}"].label[0] for e in "abcd"] == [1, 0, 0, -1]
    assert found.everything is not None
    (whole,) = found.everything.take(found.everything.entity == ITEM).relevance.tolist()
    assert whole == UNIT


def test_first_known_is_when_the_first_score_could_be_read(feed: Feed) -> None:
    assert snapshot(feed.tape).first_known is None
    (item,) = feed.tell(feed.news())
    feed.shows += timedelta(minutes=5)
    feed.score(item, "v1")
    feed.shows += timedelta(minutes=5)
    feed.score(item, "w1")

    def first(**options: Any) -> int | None:
        return snapshot(feed.tape, **options).first_known

    at = to_micros(NOON)
    assert first() == first(model="v1") == at + 300 * 10**6
    assert first(model="w1") == at + 600 * 10**6
    assert first(view="latest") == at
    assert first(view="as_if", model="w1", latency=7) == at + 7


def test_newest_is_of_the_newest_record_live_or_filled_in(feed: Feed) -> None:
    assert snapshot(feed.tape).newest is None
    early, late = (NOON - timedelta(days=n) for n in (9, 3))
    (item,) = feed.tell(feed.news(id="1", published_at=late, public_at=late), backfill=True)
    feed.tell(feed.news(id="2", published_at=early, public_at=early), backfill=True)
    assert snapshot(feed.tape).newest == to_micros(late)
    feed.shows += timedelta(hours=1)
    (live,) = feed.tell(feed.news(id="3"))
    feed.score(item)
    assert snapshot(feed.tape).newest == to_micros(feed.shows)
    assert snapshot(feed.tape, head=2).newest == to_micros(late)
    feed.shows += timedelta(hours=1)
    feed.score(live)
    feed.tell(feed.news(id="4", published_at=early, public_at=early), backfill=True)
    assert snapshot(feed.tape).newest == to_micros(feed.shows)


def test_an_item_waits_until_its_first_score_or_its_end_and_no_longer_than_a_day(
    feed: Feed,
) -> None:
    at = to_micros(NOON)
    minute, day = 60 * 10**6, 86_400 * 10**6
    scored, replaced, given_up, quick = feed.tell(*(feed.news(id=id) for id in "1234"))
    feed.score(quick)
    feed.shows += timedelta(minutes=1)
    feed.score(scored)
    feed.shows += timedelta(minutes=1)
    source = feed.tape.item(replaced).item.source
    feed.tell(feed.news(id="5", kind=Kind.RETRACTION, refers_to="2", source=source))
    assert [given_up, scored] == [3, 1]

    assert snapshot(feed.tape).waiting.tolist() == [
        [at, at + minute], [at + 1, at + 2 * minute], [at + 2, at + 2 + day],
    ]  # fmt: skip
    assert snapshot(feed.tape, waiting_since=at + 2).waiting.tolist() == [[at + 2, at + 2 + day]]
    assert snapshot(feed.tape, head=4).waiting.tolist() == [
        [at + n, at + n + day] for n in range(4)
    ]
    assert len(snapshot(feed.tape, view="latest").waiting) == 0


def test_versions_are_told_by_their_first_score_and_with_their_models(feed: Feed) -> None:
    (item,) = feed.tell(feed.news())
    for version in ("w1", "v2", "v1"):
        feed.score(item, version)

    found = {"w1": "model w", "v2": "model v", "v1": "model v"}
    assert list(history.versions(feed.tape).items()) == list(found.items())
    assert history.versions(feed.tape, head=2) == {"w1": "model w"}
    assert snapshot(feed.tape).versions == ("w1", "v2", "v1")
    pinned = snapshot(feed.tape, model="model v", panel=True)
    assert pinned.everything is not None
    assert {pinned.versions[code] for code in pinned.everything.version.tolist()} == {"v2", "v1"}


def test_a_company_is_found_under_every_symbol_it_had(feed: Feed) -> None:
    (item,) = feed.tell(feed.news())
    for version, symbol in (("v1", "fb"), ("v2", "META")):
        target = TargetScore("us:meta", symbol, 1.0, 1.0, item, 0.1, 0.2, 0.7)
        other = TargetScore("us:other", "META", 1.0, 1.0, item, 0.1, 0.2, 0.7)
        feed.tape.record_scores(
            [Score(item, "m", version, 0.1, 0.2, 0.7, 1.0, item, (target, other))]
        )
    found = snapshot(feed.tape, entities=["us:meta"])

    assert found.own["us:meta"].offset.tolist() == [2, 3]
    assert list(found.own) == ["us:meta"]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"view": "newest"}, BadRequest, "known, latest, as_if"),
        ({"view": "as_if"}, BadRequest, "needs a model"),
        ({"latency": -1}, BadRequest, "negative"),
        ({"model": "v9"}, NotKnown, "model v, v1"),
        ({"head": 3}, NotKnown, "ends at offset 2"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    feed: Feed, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    feed.score(feed.tell(feed.news())[0])
    with pytest.raises(error, match=says):
        snapshot(feed.tape, **options)


def test_an_empty_tape_is_an_empty_snapshot(feed: Feed) -> None:
    found = snapshot(feed.tape, panel=True)
    assert found.everything is not None
    assert (len(found.everything), found.own, found.versions, found.newest) == (0, {}, (), None)
    assert found.waiting.shape == (0, 2)


def test_a_tape_from_before_these_indexes_opens_reads_the_same_and_verifies(feed: Feed) -> None:
    tape = feed.tape
    for _ in range(30):
        feed.step()
    expected = all_rows(snapshot(tape, panel=True))
    with closing(sqlite3.connect(tape.home / "tape.db", isolation_level=None)) as database:
        for index in (
            "item_ids",
            "revised_items",
            "referring_items",
            "scores_by_version",
            "targets_by_entity",
        ):
            database.execute(f"DROP INDEX {index}")
    with Tape(tape.home) as opened:
        assert all_rows(snapshot(opened, panel=True)) == expected
        assert opened.verify() is None


def test_known_times_are_those_of_all_records_by_offset(feed: Feed) -> None:
    for _ in range(20):
        feed.step()
    times = {one.offset: one.known_at for one in feed.tape.items(limit=1000)}
    times |= {one.offset: one.known_at for one in feed.tape.scores(limit=1000)}
    expected = [to_micros(known_at) for _, known_at in sorted(times.items())]
    assert history.known_times(feed.tape).tolist() == expected
    assert history.known_times(feed.tape, 3).tolist() == expected[:3]
    assert history.known_times(feed.tape).dtype == np.int64


@pytest.mark.parametrize("seed", range(3))
def test_whatever_changes_what_is_known_of_a_company_touches_it(tmp_path: Path, seed: int) -> None:
    clock = Clock()
    with Tape(tmp_path, clock=clock) as tape:
        fill(tape, clock, 40, seed)
        found = {each.offset: each for each in touched(tape, 0, tape.head(), FOREVER)}
        before = snapshot(tape, head=0)
        for head in range(1, tape.head() + 1):
            after = snapshot(tape, head=head)
            changed = {
                entity
                for entity in {*before.own, *after.own}
                if said(before, entity) != said(after, entity)
            }
            assert changed <= (found[head].entities if head in found else set())
            before = after
        kinds = [found[item.offset] for item in tape.items(limit=500) if item.offset in found]
        assert kinds, "nothing was corrected, retracted or revised"


def said(told: Snapshot, entity: str) -> list[tuple[object, ...]]:
    rows = told.own.get(entity)
    if rows is None:
        return []
    names = (each.name for each in fields(rows) if each.name not in ("entity", "version"))
    return sorted(zip(*(getattr(rows, name).tolist() for name in names), strict=True))
