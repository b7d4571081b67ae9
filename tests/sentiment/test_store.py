"""One conformance suite for every store: at any head it holds what a snapshot of the tape tells there, whatever happened."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import SourceDown
from sentiment import history, store
from sentiment.history import WAITS_HELD, Snapshot, snapshot
from sentiment.log import Receipt, Tape
from sentiment.rolling import Contributions
from sentiment.store import HELD, NOTHING, MemoryStore, Store, follow
from sentiment.store_redis import RedisStore
from tests.sentiment.redis_server import redis_server
from tests.sentiment.test_history import Feed, all_rows, rows_of, steps

Open = Callable[[], Store]


@pytest.fixture(name="url", scope="module")
def _url() -> Iterator[str]:
    with redis_server() as url:
        yield url


def _same_memory(_: pytest.FixtureRequest) -> Iterator[Open]:
    held = MemoryStore()
    yield lambda: held


def _same_redis(request: pytest.FixtureRequest) -> Iterator[Open]:
    url, prefix, opened = request.getfixturevalue("url"), uuid4().hex, list[RedisStore]()

    def open_another() -> RedisStore:
        opened.append(RedisStore(url, prefix=prefix))
        return opened[-1]

    yield open_another
    for one in opened:
        one.close()


BACKENDS = {"memory": _same_memory, "redis": _same_redis}


@pytest.fixture(name="open_store", params=sorted(BACKENDS))
def _open_store(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens one and the same state, in Redis by clients of their own."""
    yield from BACKENDS[request.param](request)


@pytest.fixture(name="feed")
def _feed(tmp_path: Path) -> Iterator[Feed]:
    with Tape(tmp_path) as tape:
        yield steps(tape, 1, 0)


def check(held: Snapshot, tape: Tape, entities: list[str] | None = None) -> None:
    """A snapshot of a store is that of the tape at its head, as far as both hold it."""
    told = snapshot(tape, head=held.head.offset, since=held.since, panel=True)
    assert (held.head, held.view, held.model) == (told.head, "known", None)
    if told.newest is None:
        assert held.head == NOTHING
        return
    assert (held.versions, held.first_known, held.newest) == (told.versions, told.first_known, told.newest)  # fmt: skip
    assert held.since == told.newest - HELD
    if held.everything is not None:
        assert all_rows(held, held.since) == all_rows(told)
    for entity in told.own if entities is None else entities:
        own = held.own.get(entity, Contributions.empty())
        expected = rows_of(told.own.get(entity, Contributions.empty()), told)
        assert rows_of(own.take(own.moment >= held.since), held) == expected
    assert all(len(rows) for rows in held.own.values())
    recent = told.newest - WAITS_HELD
    assert (
        held.waiting[held.waiting[:, 0] >= recent].tolist()
        == told.waiting[told.waiting[:, 0] >= recent].tolist()
    )


# ---- whatever happens


@pytest.mark.parametrize("seed", range(6))
def test_a_store_that_follows_holds_at_every_head_what_the_tape_tells(
    feed: Feed, open_store: Open, seed: int
) -> None:
    feed.random.seed(seed)
    held = open_store()
    for _ in range(25):
        for _ in range(feed.random.randint(1, 4)):
            feed.step()
        follow(feed.tape, held, limit=feed.random.choice((1, 3, 100)))
        assert held.applied() == feed.tape.receipt()
        company = feed.random.choice(["us:a", "us:b", "us:c"])
        check(held.snapshot([company]), feed.tape, [company])
    check(held.snapshot(None, panel=True), feed.tape)
    check(open_store().snapshot(None, panel=True), feed.tape)


def test_all_in_one_batch_is_what_many_batches_make(feed: Feed, open_store: Open) -> None:
    held, late = open_store(), MemoryStore()
    for _ in range(80):
        feed.step()
        follow(feed.tape, held, limit=1)
    follow(feed.tape, late)

    one, other = held.snapshot(None, panel=True), late.snapshot(None, panel=True)
    assert all_rows(one, one.since) == all_rows(other, one.since)
    assert (one.head, one.newest, one.since) == (other.head, other.newest, other.since)


def test_a_snapshot_stays_as_it_was_read(feed: Feed, open_store: Open) -> None:
    held = open_store()
    (item,) = feed.tell(feed.news(source="desk", id="1"))
    feed.score(item, companies=["us:a"])
    follow(feed.tape, held)
    before = held.snapshot(["us:a"], panel=True)
    rows = all_rows(before), rows_of(before.own["us:a"], before)

    assert held.snapshot(["us:a"]).own["us:a"] is held.snapshot(["us:a"]).own["us:a"]
    feed.shows += timedelta(hours=1)
    (revision,) = feed.tell(feed.news(source="desk", id="1"))
    feed.score(revision, companies=["us:a"])
    feed.score(item, "v2", companies=["us:a", "us:b"])
    follow(feed.tape, held)

    assert (all_rows(before), rows_of(before.own["us:a"], before)) == rows
    check(held.snapshot(["us:a"], panel=True), feed.tape, ["us:a"])


def test_a_company_that_is_scored_no_more_is_absent(feed: Feed, open_store: Open) -> None:
    held = open_store()
    public = feed.shows - timedelta(hours=1)
    (item,) = feed.tell(feed.news(published_at=public, public_at=public), backfill=True)
    feed.score(item, "v1", companies=["us:a"])
    follow(feed.tape, held)
    assert list(held.snapshot(None).own) == ["us:a"]
    feed.score(item, "v2", companies=["us:b"])  # of what was filled in, in place from the first
    follow(feed.tape, held)

    assert list(held.snapshot(None).own) == ["us:b"]
    assert held.snapshot(["us:a"]).own == {}


def test_what_is_old_is_dropped_and_the_rest_stays(feed: Feed, open_store: Open) -> None:
    held = open_store()
    for n in range(40):
        feed.shows += timedelta(days=5)
        (item,) = feed.tell(feed.news(id=str(n)))
        feed.score(item, companies=["us:a", f"us:{n}"])
        follow(feed.tape, held)
        check(held.snapshot(None, panel=True), feed.tape)
    days = HELD // history.DAY
    assert held.items() <= days // 5 + 2
    assert len(held.snapshot(None).own) <= days // 5 + 4


def test_a_correction_of_what_was_dropped_tells_what_the_tape_tells(
    feed: Feed, open_store: Open
) -> None:
    held = open_store()
    (item,) = feed.tell(feed.news(id="old", source="desk"))
    feed.score(item, companies=["us:a"])
    follow(feed.tape, held)
    feed.shows += timedelta(microseconds=2 * HELD)
    (revision,) = feed.tell(feed.news(id="old", source="desk"))
    feed.score(item, "v2", companies=["us:a"])
    feed.score(revision, companies=["us:b"])
    follow(feed.tape, held)

    check(held.snapshot(None, panel=True), feed.tape)
    assert list(held.snapshot(None).own) == ["us:b"]


def test_what_reaches_into_the_past_is_told_and_what_is_live_is_not(
    feed: Feed, open_store: Open
) -> None:
    held = open_store()
    old, recent = (feed.shows - timedelta(days=days) for days in (400, 3))
    feed.score(feed.tell(feed.news(id="1"))[0])
    follow(feed.tape, held)
    first = held.snapshot([]).rewound
    feed.shows += timedelta(hours=1)
    feed.score(feed.tell(feed.news(id="2"))[0])
    feed.tell(feed.news(id="3", published_at=old, public_at=old), backfill=True)
    follow(feed.tape, held)
    assert held.snapshot([]).rewound == first
    feed.tell(feed.news(id="4", published_at=recent, public_at=recent), backfill=True)
    follow(feed.tape, held)
    assert held.snapshot([]).rewound == held.applied().offset > first


# ---- batches


def test_a_batch_for_another_head_changes_nothing(feed: Feed, open_store: Open) -> None:
    held = open_store()
    feed.score(feed.tell(feed.news(id="1"))[0], companies=["us:a"])
    follow(feed.tape, held)
    at = held.applied()
    feed.score(feed.tell(feed.news(id="2"))[0], companies=["us:a"])
    batch = history.changes(feed.tape, at, HELD, limit=100)

    for over in (NOTHING, replace_hash(at), feed.tape.receipt(1)):
        assert not held.apply(replace(batch, over=over))
        assert not held.apply(replace(batch, over=over, whole=True))
    check(held.snapshot(None, panel=True), feed.tape)
    assert held.apply(batch)
    assert not held.apply(batch)  # a second time
    check(held.snapshot(None, panel=True), feed.tape)
    assert held.applied() == feed.tape.receipt()


def replace_hash(receipt: Receipt) -> Receipt:
    return receipt._replace(hash="0" * 64)


def test_a_store_of_another_tape_is_built_anew(
    feed: Feed, open_store: Open, tmp_path: Path
) -> None:
    held = open_store()
    for _ in range(10):
        feed.step()
    follow(feed.tape, held)
    with Tape(tmp_path / "other") as tape:
        other = steps(tape, 7, 0)
        other.score(other.tell(other.news())[0], companies=["us:z"])
        follow(tape, held)
        check(held.snapshot(None, panel=True), tape)
        assert list(held.snapshot(None).own) == ["us:z"]


def test_an_empty_tape_leaves_a_store_empty(feed: Feed, open_store: Open) -> None:
    held = open_store()
    assert follow(feed.tape, held) == 0
    assert held.applied() == NOTHING
    found = held.snapshot(None, panel=True)
    assert (found.head, found.own, found.newest, held.items()) == (NOTHING, {}, None, 0)


def test_following_counts_records_and_stops_when_told(feed: Feed, open_store: Open) -> None:
    held = open_store()
    feed.tell(feed.news(id="1"))
    assert follow(feed.tape, held) == 1
    feed.tell(*(feed.news(id=str(n)) for n in range(2, 8)))
    asked = iter([False, False, True])
    assert follow(feed.tape, held, limit=2, stopping=lambda: next(asked)) == 4
    assert follow(feed.tape, held, limit=2) == 2
    assert follow(feed.tape, held) == 0


def test_reads_between_batches_are_each_of_one_head(feed: Feed, open_store: Open) -> None:
    for _ in range(20):
        feed.step()
    held, wrong = open_store(), list[BaseException]()
    follow(feed.tape, held)
    seen: dict[int, Any] = {}
    ended = threading.Event()

    def read() -> None:
        reader = open_store()
        try:
            while not ended.is_set():
                found = reader.snapshot(["us:a"], panel=True)
                seen[found.head.offset] = found
        except BaseException as exc:
            wrong.append(exc)
            raise

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        feed.step()
        follow(feed.tape, held, limit=1)
    ended.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    for found in random.Random(1).sample(list(seen.values()), min(len(seen), 10)):
        check(found, feed.tape, ["us:a"])


# ---- memory alone


def test_a_row_takes_ninety_bytes_and_room_is_for_a_quarter_more() -> None:
    columns = [getattr(Contributions.empty(), name) for name in store._COLUMNS]
    assert sum(column.itemsize for column in columns) == 90
    table = store._Table()
    ones = Contributions(*(np.zeros(1, column.dtype) for column in columns))
    for n in range(1, 300):
        assert len(table.change((), ones)) == n
        assert len(table._room[0]) <= 1.25 * n + store._SPARE


# ---- Redis alone


@pytest.fixture(name="prefix")
def _prefix() -> str:
    return uuid4().hex


def test_what_redis_lost_is_built_again(feed: Feed, url: str, prefix: str) -> None:
    held, reader = RedisStore(url, prefix=prefix), RedisStore(url, prefix=prefix)
    for _ in range(3):
        for _ in range(8):
            feed.step()
        follow(feed.tape, held)
        check(reader.snapshot(None, panel=True), feed.tape)
        held._redis.flushall()
        assert (held.applied(), reader.snapshot(None).own, held.items()) == (NOTHING, {}, 0)
        follow(feed.tape, held)
        check(reader.snapshot(["us:a"]), feed.tape, ["us:a"])
        check(reader.snapshot(None, panel=True), feed.tape)
    held.close()
    reader.close()


def test_what_is_emptied_while_all_is_replaced_is_not_put_in_place(
    feed: Feed, url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = RedisStore(url, prefix=prefix)
    feed.score(feed.tell(feed.news())[0], companies=["us:a"])
    batch, lay = history.everything(feed.tape, NOTHING, HELD), held._lay_all

    def lose_some(key: str, command: str, members: Any) -> None:
        if key.endswith("where"):
            held._redis.flushall()
        lay(key, command, members)

    monkeypatch.setattr(held, "_lay_all", lose_some)
    assert not held.apply(batch)
    assert held.snapshot(None).own == {}
    monkeypatch.undo()
    assert held.apply(batch)
    check(held.snapshot(None, panel=True), feed.tape)
    held.close()


def test_all_keys_have_the_prefix_and_what_is_not_in_place_expires(
    feed: Feed, url: str, prefix: str
) -> None:
    held = RedisStore(url, prefix=prefix)
    held._redis.flushall()
    feed.score(feed.tell(feed.news())[0], companies=["us:a"])
    follow(feed.tape, held)
    lasting = set(held._redis.keys())
    assert all(bytes(key).startswith(f"{prefix}:".encode()) for key in lasting)
    assert {held._redis.ttl(key) for key in lasting} == {-1}
    assert held.apply(history.everything(feed.tape, held.applied(), HELD))
    head = f"{prefix}:head".encode()
    assert all(0 < held._redis.ttl(key) <= 60 for key in lasting - {head})
    assert {held._redis.ttl(key) for key in set(held._redis.keys()) - lasting} == {-1}
    held.close()


def test_a_redis_that_took_over_and_is_behind_is_read_as_it_is(
    feed: Feed, url: str, prefix: str
) -> None:
    held, reader = RedisStore(url, prefix=prefix), RedisStore(url, prefix=prefix)
    feed.score(feed.tell(feed.news(id="1"))[0], companies=["us:a"])
    follow(feed.tape, held)
    kept = {key: held._redis.dump(key) or b"" for key in held._redis.keys(f"{prefix}:*")}
    feed.score(feed.tell(feed.news(id="2"))[0], companies=["us:a"])
    follow(feed.tape, held)
    check(reader.snapshot(["us:a"], panel=True), feed.tape, ["us:a"])
    for key in held._redis.keys(f"{prefix}:*"):
        held._redis.delete(key)
    for key, content in kept.items():
        held._redis.restore(key, 0, content)
    check(reader.snapshot(["us:a"]), feed.tape, ["us:a"])
    check(reader.snapshot(None, panel=True), feed.tape)
    follow(feed.tape, held)
    check(reader.snapshot(["us:a"]), feed.tape, ["us:a"])
    held.close()
    reader.close()


def test_an_unchanged_company_costs_one_round_trip_and_no_rows(
    feed: Feed, url: str, prefix: str
) -> None:
    held = RedisStore(url, prefix=prefix)
    for n in range(50):
        feed.score(feed.tell(feed.news(id=str(n)))[0], companies=["us:a", "us:b"])
    follow(feed.tape, held)
    held.snapshot(["us:a"])
    before = held._redis.info("all")
    held.snapshot(["us:a"])
    after = held._redis.info("all")

    assert after["cmdstat_evalsha"]["calls"] - before["cmdstat_evalsha"]["calls"] == 1
    told = after["total_net_output_bytes"] - before["total_net_output_bytes"]
    first_info = len(str(before)) * 2  # the reply of the first INFO is counted as well
    assert told < first_info + 1000
    held.close()


def test_a_redis_that_does_not_answer_is_a_source_that_is_down() -> None:
    held = RedisStore("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(SourceDown, match=r"127\.0\.0\.1") as caught:
        held.snapshot(["us:a"])
    assert "secret" not in str(caught.value)
    with pytest.raises(SourceDown):
        held.applied()


_FOLLOWER = """
import sys
from pathlib import Path
from sentiment.log import Receipt, Tape
from sentiment.store import follow
from sentiment.store_redis import RedisStore
with Tape(Path(sys.argv[1])) as tape:
    store = RedisStore(sys.argv[2], prefix=sys.argv[3])
    print("ready", flush=True)
    while True:
        follow(tape, store, limit=2)
"""


@pytest.mark.slow
def test_followers_that_race_and_are_killed_leave_what_the_tape_tells(
    url: str, prefix: str
) -> None:
    pick = random.Random(3)
    with TemporaryDirectory() as home, Tape(Path(home)) as tape:
        feed = steps(tape, 3, 10)
        reader = RedisStore(url, prefix=prefix)

        def start() -> "subprocess.Popen[str]":
            follower = subprocess.Popen(
                [sys.executable, "-c", _FOLLOWER, home, url, prefix],
                stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
            )  # fmt: skip
            assert follower.stdout is not None
            assert follower.stdout.readline() == "ready\n"
            return follower

        followers = [start(), start()]
        for turn in range(4):
            for _ in range(15):
                feed.step()
            check(reader.snapshot(None, panel=True), tape)
            if turn < 2:
                killed = followers.pop(pick.randrange(len(followers)))
                os.kill(killed.pid, signal.SIGKILL)
                killed.wait()
                assert killed.stdout is not None
                killed.stdout.close()
                check(reader.snapshot(None, panel=True), tape)
                followers.append(start())
        for follower in followers:
            follower.kill()
            follower.wait()
            assert follower.stdout is not None
            follower.stdout.close()
        follow(tape, reader)
        check(reader.snapshot(None, panel=True), tape)
        reader.close()


# ---- which tables an item is in


@given(
    st.lists(
        st.tuples(
            st.dictionaries(
                st.sampled_from("ab"), st.sets(st.integers(0, 20), max_size=6), max_size=2
            ),
            st.sets(st.integers(0, 20), max_size=5),
            st.sampled_from("ab"),
        ),
        max_size=8,
    )
)
def test_where_items_are_is_what_a_dict_would_hold(
    changes: list[tuple[dict[str, set[int]], set[int], str]],
) -> None:
    """Each change, as a batch: the items it names are taken out, their rows put in; then old rows leave a table."""
    where, plain = store._Where(), dict[int, set[str]]()
    for rows, old, name in changes:
        touched = sorted(set().union(*rows.values()))
        gone = where.take_out(np.array(touched, np.int64))
        expected: dict[str, set[int]] = {}
        for item in touched:
            for table in plain.pop(item, set()):
                expected.setdefault(table, set()).add(item)
        assert {table: set(items) for table, items in gone.items()} == expected

        where.put({table: np.array(sorted(items), np.int64) for table, items in rows.items()})
        for table, items in rows.items():
            for item in items:
                plain.setdefault(item, set()).add(table)
        assert where.items() == len(plain)

        there = [item for item in sorted(old) if name in plain.get(item, ())]
        where.drop(np.array(there, np.int64), name)
        for item in there:
            plain[item].discard(name)
            if not plain[item]:
                del plain[item]
        assert where.items() == len(plain)
