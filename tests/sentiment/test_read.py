"""A feature read: the same from the store as from the tape, alone as in bulk, now as later; and what is refused."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from ingest.errors import BadRequest, NotKnown
from ingest.moment import from_micros, to_micros
from sentiment.entities import UNKNOWN
from sentiment.features import FEATURES
from sentiment.held import largest
from sentiment.log import Logged, LoggedScore, Tape
from sentiment.question import MOST_CELLS, MOST_SYMBOLS
from sentiment.read import NEVER, STATUSES, Matrix, Reader, Status, Vector
from sentiment.receipt import Outcome, parse_receipt
from sentiment.replay import Recorded, replay, shared_heads, verify
from sentiment.store import MemoryStore, follow
from tests.sentiment.featured import (
    BEGIN,
    FIRST,
    SECOND,
    SYMBOLS,
    Clock,
    fill,
    filled,
    item,
    resolver,
    score,
)

NAMES = [
    "sentiment_mean_1d", "sentiment_std_5d", "sentiment_ewma_2h", "sentiment_change_1d", "volume_30m", "volume_5d",
    "age_seconds", "buzz_1d", "market_sentiment_mean_1d", "market_volume_2h", "sentiment_rank_5d", "feed_age_seconds",
    "feed_lag_seconds",
]  # fmt: skip


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tape to read; nobody writes to it."""
    home = tmp_path_factory.mktemp("filled")
    filled(home)[0].close()
    return home


@pytest.fixture(name="tape")
def _tape(home: Path) -> Iterator[Tape]:
    with Tape(home) as tape:
        yield tape


@pytest.fixture(name="reader")
def _reader(tape: Tape) -> Reader:
    return Reader(tape, resolver())


def instants(tape: Tape, count: int, seed: int = 1) -> list[int]:
    """Some at records, some a microsecond before, some anywhere."""
    random = Random(seed)
    known = [to_micros(logged.known_at) for logged in tape.items(limit=10_000)]
    known += [to_micros(logged.known_at) for logged in tape.scores(limit=10_000)]
    low, high = min(known), max(known)
    places = [random.choice([0, -1, 1]) + random.choice(known) for _ in range(count // 2)]
    return places + [random.randint(low, high) for _ in range(count - len(places))]


def same(one: Vector, other: Vector) -> bool:
    """To the bit, the receipt's head aside."""
    return all(
        getattr(one, name) == getattr(other, name)
        for name in Vector.__dataclass_fields__
        if name != "receipt"
    ) and (one.receipt.values == other.receipt.values)


# ---- alone, in bulk, online


@pytest.mark.parametrize("view", ["known", "latest", "as_if"])
def test_a_matrix_has_the_values_of_its_vectors(reader: Reader, tape: Tape, view: str) -> None:
    asked: Any = {"view": view, "model": FIRST if view == "as_if" else None, "names": NAMES}
    asked |= {"latency": 5_000_000} if view == "as_if" else {}
    at = instants(tape, 20)
    matrix = reader.matrix(SYMBOLS, at, **asked)
    status = matrix.status

    for row, symbol in enumerate(SYMBOLS):
        for column, instant in enumerate(at):
            vector = reader.vector(symbol, as_of=instant, **asked)
            values = [np.nan if v is None else v for v in vector.values.values()]
            assert np.array_equal(matrix.values[row, column], values, equal_nan=True)
            assert [STATUSES[code] for code in status[row, column]] == [*vector.status.values()]
            known_at = NEVER if vector.known_at is None else to_micros(vector.known_at)
            assert matrix.known_at[row, column] == known_at
            assert matrix.backfilled[row, column] == vector.backfilled


def test_pieces_are_the_matrix_cut_up(reader: Reader, tape: Tape) -> None:
    at = instants(tape, 30)
    whole = reader.matrix(SYMBOLS, at, names=NAMES)
    pieces = list(reader.pieces(SYMBOLS, at, rows=13, names=NAMES))

    assert [(piece.symbols[0], len(piece.instants)) for piece in pieces] == [
        (symbol, rows) for symbol in SYMBOLS for rows in (13, 13, 4)
    ]
    for name in ("values", "known_at", "unknown", "backfilled", "status"):
        joined = np.concatenate([getattr(piece, name)[0] for piece in pieces])
        parts = getattr(whole, name)
        assert np.array_equal(joined, parts.reshape(joined.shape), equal_nan=name == "values")
    assert {(piece.offset, piece.hash) for piece in pieces} == {(whole.offset, whole.hash)}


def test_online_reads_are_those_of_the_tape_at_every_head(tmp_path: Path) -> None:
    """Batch by batch, with backfill between: the store is read, and the tape says the same at that head, then and later."""
    clock, store = Clock(), MemoryStore()
    served: list[Vector] = []
    with Tape(tmp_path, clock=clock) as tape:
        online = Reader(tape, resolver(), store, clock=clock)
        offline = Reader(tape, resolver(), clock=clock)
        for seed in range(12):
            fill(tape, clock, 4, seed)
            follow(tape, store)
            clock.wait(0.001)
            with patch("sentiment.read.from_tape", side_effect=AssertionError("read the tape")):
                now = online.vectors(SYMBOLS, names=NAMES)
            again = offline.vectors(SYMBOLS, names=NAMES, as_of=clock())
            assert now == again
            served += now
            clock.wait(70)
        replayed = replay(offline, [Recorded(v.receipt, v.values) for v in served])

        assert replayed.outcomes == {Outcome.MATCH: len(served)}
        assert replayed.values == len(served) * len(NAMES)
        for vector in served[:: len(served) // 10]:
            assert verify(offline, Recorded(vector.receipt, vector.values)).outcome is Outcome.MATCH


def test_a_read_at_an_earlier_head_is_served_from_the_store_while_nothing_changed_the_past(
    tmp_path: Path,
) -> None:
    clock, store = Clock(), MemoryStore()
    with Tape(tmp_path, clock=clock) as tape:
        online, offline = Reader(tape, resolver(), store), Reader(tape, resolver())
        fill(tape, clock, 20)
        follow(tape, store)
        heads = [tape.head()]
        for n in range(8):
            clock.wait(1)
            ((offset, _, _),) = tape.append([item(1000 + n, clock())])
            clock.wait(1)
            tape.record_scores([score(tape, offset, 0.9)])
            follow(tape, store)
            heads.append(tape.head())
        for head in heads:
            records: list[Logged | LoggedScore] = [*tape.items(after=head - 1, limit=1)]
            records += tape.scores(after=head - 1, limit=1)
            logged = min(records, key=lambda record: record.offset)
            with patch("sentiment.read.from_tape", side_effect=AssertionError("read the tape")):
                ours = online.vector("BAC", as_of=logged.known_at, head=head, names=NAMES)
            assert ours == offline.vector("BAC", as_of=logged.known_at, head=head, names=NAMES)

        past = clock() - timedelta(seconds=3)
        ((offset, _, _),) = tape.append([item(2000, past)], backfill=True)
        tape.record_scores([score(tape, offset, 0.1)])
        follow(tape, store)
        ours = online.vector("BAC", as_of=clock(), head=heads[-1], names=NAMES)
        theirs = offline.vector("BAC", as_of=clock(), head=heads[-1], names=NAMES)

        assert ours == theirs
        assert ours.values != offline.vector("BAC", as_of=clock(), names=NAMES).values


def test_the_panel_of_all_is_made_once_a_minute(tmp_path: Path) -> None:
    clock, store = Clock(), MemoryStore()
    with Tape(tmp_path, clock=clock) as tape:
        fill(tape, clock, 30)
        reader = Reader(tape, resolver(), store, clock=clock)
        made = []
        for second in range(1, 130):
            clock.wait(1)
            ((offset, _, _),) = tape.append([item(1000 + second, clock())])
            tape.record_scores([score(tape, offset, 0.9)])
            follow(tape, store)
            reader.vector("BAC", names=["market_volume_2h"])
            made.append(id(reader._summed))

        assert sum(one != other for one, other in pairwise(made)) <= 2 * 130 / 60 + 2


def test_reads_of_now_see_what_was_advanced_to_and_sum_nothing_up_themselves(
    tmp_path: Path,
) -> None:
    clock, store = Clock(), MemoryStore()
    with Tape(tmp_path, clock=clock) as tape:
        fill(tape, clock, 30)
        follow(tape, store)
        online, offline = (
            Reader(tape, resolver(), store, clock=clock),
            Reader(tape, resolver(), clock=clock),
        )
        online.vector("BAC")
        online.advance()
        for second in range(1, 130):
            clock.wait(1)
            ((offset, _, _),) = tape.append([item(1000 + second, clock())])
            tape.record_scores([score(tape, offset, 0.9)])
            head = online.vector("BAC").receipt.offset
            follow(tape, store)
            with patch(
                "sentiment.read.with_panel", side_effect=AssertionError("summed up in a read")
            ):
                before = online.vector("BAC")
            online.advance()
            with patch(
                "sentiment.read.with_panel", side_effect=AssertionError("summed up in a read")
            ):
                after = online.vector("BAC")

            assert before.receipt.offset == head
            assert before == offline.vector("BAC", head=head)
            assert after == offline.vector("BAC")


def test_a_pin_that_leaves_nothing_out_is_served_from_the_store(tmp_path: Path) -> None:
    clock, store = Clock(), MemoryStore()
    with Tape(tmp_path, clock=clock) as tape:
        ((offset, _, _),) = tape.append([item(1, clock())])
        tape.record_scores([score(tape, offset, 0.9)])
        follow(tape, store)
        reader = Reader(tape, resolver(), store)
        with patch("sentiment.read.from_tape", side_effect=AssertionError("read the tape")):
            by_name = reader.vector("BAC", as_of=clock() + timedelta(seconds=9), model="made up")
            by_version = reader.vector("BAC", as_of=clock() + timedelta(seconds=9), model=FIRST)

        tape.record_scores([score(tape, offset, 0.1, SECOND)])
        follow(tape, store)
        later = reader.vector("BAC", as_of=clock() + timedelta(seconds=9), model=FIRST)

        assert by_name.values == by_version.values == later.values
        assert later.model_version == FIRST


# ---- time


def test_what_is_appended_changes_no_read_at_a_head(tmp_path: Path) -> None:
    tape, clock = filled(tmp_path, 40)
    with tape:
        reader, head = Reader(tape, resolver()), tape.head()
        at = instants(tape, 20)
        before = [reader.vector("BAC", as_of=t, head=head, names=NAMES) for t in at]
        fill(tape, clock, 40, seed=7)

        assert [reader.vector("BAC", as_of=t, head=head, names=NAMES) for t in at] == before


def test_a_score_counts_from_its_own_known_at(tmp_path: Path) -> None:
    clock = Clock()
    with Tape(tmp_path, clock=clock) as tape:
        ((offset, _, _),) = tape.append([item(1, clock())])
        clock.wait(100)
        tape.record_scores([score(tape, offset, 0.9)])
        clock.wait(100)
        reader = Reader(tape, resolver(), clock=clock)

        def at(seconds: float) -> Vector:
            as_of = BEGIN + timedelta(seconds=seconds)
            return reader.vector(
                "BAC", as_of=as_of, names=["sentiment_mean_5m", "feed_lag_seconds"]
            )

        assert [at(s).values["sentiment_mean_5m"] is None for s in (50, 99, 100.1)] == [
            True,
            True,
            False,
        ]
        assert at(50).values["feed_lag_seconds"] == 50.0
        assert at(50).freshness.watermark == BEGIN - timedelta(microseconds=1)
        assert at(150).values["feed_lag_seconds"] == 0.0
        assert at(150).freshness.newest_known_at == BEGIN


def test_a_value_is_stale_while_an_item_has_waited_too_long(tmp_path: Path) -> None:
    clock = Clock()
    with Tape(tmp_path, clock=clock) as tape:
        ((first, _, _),) = tape.append([item(1, clock())])
        tape.record_scores([score(tape, first, 0.9)])
        clock.wait(10)
        tape.append([item(2, clock(), ["AAPL"])])
        clock.wait(600)
        reader = Reader(tape, resolver(), clock=clock)
        names = ["sentiment_mean_1d", "sentiment_mean_1m", "feed_lag_seconds"]

        def status(seconds: float) -> list[Status]:
            as_of = BEGIN + timedelta(seconds=seconds)
            return [*reader.vector("BAC", as_of=as_of, names=names).status.values()]

        fresh = [Status.PRESENT, Status.PRESENT, Status.PRESENT]
        assert status(20) == fresh
        assert status(70) == [Status.PRESENT, Status.EMPTY, Status.PRESENT]
        assert status(71) == [Status.STALE, Status.EMPTY, Status.PRESENT]


# ---- whom a symbol means


def test_a_symbol_means_whom_it_meant_that_day(tmp_path: Path) -> None:
    """FB became META on 9 June 2022; a read the day before knows only the one, the day after only the other."""
    days = [datetime(2022, 6, day, 15, tzinfo=UTC) for day in (8, 10)]
    clock = Clock(days[0])
    with Tape(tmp_path, clock=clock) as tape:
        for day, symbol in zip(days, ("FB", "META"), strict=True):
            clock.at = day
            ((offset, _, _),) = tape.append([item(day.day, day, [symbol])])
            tape.record_scores([score(tape, offset, 0.9)])
        clock.wait(60)
        reader = Reader(tape, resolver(), clock=clock)
        at = [to_micros(day) + 60_000_000 for day in days]
        matrix = reader.matrix(["FB", "META"], at, names=["volume_5d"])

        assert reader.entity("FB", at[0]) == reader.entity("META", at[1]) == "cik:1326801"
        assert reader.entity("FB", at[1]).startswith(UNKNOWN)
        assert matrix.values[:, :, 0].tolist()[1][1] == 2.0
        assert matrix.values[0, 0, 0] == 1.0
        assert matrix.unknown.tolist() == [[False, True], [True, False]]
        assert np.isnan(matrix.values[matrix.unknown]).all()


def test_a_symbol_of_no_table_is_unknown_until_a_score_names_it(tmp_path: Path) -> None:
    clock = Clock()
    with Tape(tmp_path, clock=clock) as tape:
        ((offset, _, _),) = tape.append([item(1, clock(), ["ZZTOP"])])
        clock.wait(10)
        tape.record_scores([score(tape, offset, 0.9)])
        clock.wait(86_400 * 100)
        reader = Reader(tape, resolver(), clock=clock)
        names = ["volume_1d", "feed_age_seconds"]

        def status(symbol: str, **after: float) -> set[Status]:
            as_of = BEGIN + timedelta(**after)
            return set(reader.vector(symbol, as_of=as_of, names=names).status.values())

        assert status("ZZTOP", seconds=9) == {Status.UNKNOWN_SYMBOL}
        assert status("ZZTOP", seconds=11) == {Status.PRESENT}
        assert status("ZZTOP", days=99) == {Status.PRESENT}, "older than anything that is read"
        assert status("QQQQQ", days=99) == {Status.UNKNOWN_SYMBOL}
        assert set(reader.vector("QQQQQ", names=names).values.values()) == {None}


# ---- models


def test_a_model_is_pinned_by_its_name_or_a_version(reader: Reader, tape: Tape) -> None:
    at = max(instants(tape, 50))
    by_version = {
        version: reader.vector("BAC", as_of=at, model=version, feature_set="all")
        for version in (FIRST, SECOND)
    }

    assert by_version[FIRST].model_version == FIRST
    assert by_version[SECOND].model_version in (SECOND, None)
    assert by_version[FIRST].values != by_version[SECOND].values
    newest = reader.vector("BAC", as_of=at, feature_set="all")
    named = reader.vector("BAC", as_of=at, feature_set="all", model="made up")
    assert named.values == newest.values
    with pytest.raises(
        BadRequest, match="model 'other' has no score on this tape; there are made up made-up-1"
    ):
        reader.vector("BAC", model="other")


@pytest.mark.parametrize(
    ("model", "day", "told"),
    [
        ("finbert", datetime(2020, 3, 2, tzinfo=UTC), True),
        ("finbert", datetime(2024, 1, 25, 4, 59, 59, tzinfo=UTC), True),
        ("finbert", datetime(2024, 1, 25, 5, 0, tzinfo=UTC), False),
        ("lexicon", datetime(2020, 3, 2, tzinfo=UTC), None),
    ],
)
def test_a_read_says_whether_its_model_had_seen_what_came_after(
    tmp_path: Path, model: str, day: datetime, told: bool | None
) -> None:
    clock = Clock(day - timedelta(seconds=1))
    with Tape(tmp_path, clock=clock) as tape:
        ((offset, _, _),) = tape.append([item(1, clock())])
        tape.record_scores([score(tape, offset, 0.9, "v", model)])
        clock.wait(3600)
        reader = Reader(tape, resolver(), clock=clock)
        matrix = reader.matrix(["BAC"], [day], names=["volume_1d"])

        assert reader.vector("BAC", as_of=day, names=["volume_1d"]).model_lookahead is told
        lookahead = matrix.model_lookahead
        assert (None if lookahead is None else lookahead.tolist()) == (
            None if told is None else [told]
        )
        assert reader.vector("AAPL", as_of=day, names=["volume_1d"]).model_lookahead is None


# ---- what is refused


@pytest.mark.parametrize(
    ("as_of", "message"),
    [
        (datetime(2020, 3, 2), "as_of 2020-03-02T00:00:00 has no time zone"),  # noqa: DTZ001 - what is refused
        (float("nan"), "as_of is nan; it is an instant with its zone"),
        (1.5e15, "as_of is 15000"),
        (True, "as_of is True"),
        ("2020-03-02", "as_of is '2020-03-02'"),
        (np.datetime64("2020-03-02"), "as_of is np.datetime64"),
        (datetime(2999, 1, 1, tzinfo=UTC), "as_of 2999-01-01T00:00:00.00.00 is in the future; now is 20"),
        (2**62, "as_of 4611686018427387904 is in the future"),
        (-(2**62), "as_of -4611686018427387904 is before 1900"),
    ],
)  # fmt: skip
def test_an_instant_is_aware_and_past(reader: Reader, as_of: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        reader.vector("BAC", as_of=as_of)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"names": ["sentiment_mean_7d"]}, "sentiment_mean_7d.*did you mean"),
        ({"names": "volume_1d"}, "names is 'volume_1d'; it is a list"),
        ({"names": [3]}, "names has 3 in it"),
        ({"names": []}, "names is empty"),
        ({"names": ["volume_1d"], "feature_set": "all"}, "names and feature_set"),
        ({"feature_set": "core51"}, "core51.*all, core50"),
        ({"feature_set": "core50@9"}, "version 1"),
        ({"view": "newest"}, "view 'newest' is not one of known, latest, as_if"),
        ({"view": "as_if"}, "model is missing"),
        ({"view": "as_if", "model": FIRST, "latency": -1}, "latency -1"),
        ({"view": "as_if", "model": FIRST, "latency": 0.5}, "latency 0.5"),
        ({"latency": 5}, "latency is declared for the view as_if"),
        ({"head": -1}, "head is -1"),
        ({"head": "7"}, "head is '7'"),
    ],
)
def test_what_cannot_be_asked_is_named(reader: Reader, asked: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        reader.vector("BAC", **asked)
    with pytest.raises(BadRequest, match=message):
        reader.matrix(["BAC"], [BEGIN], **asked)


def test_a_head_beyond_the_tape_is_not_known(reader: Reader, tape: Tape) -> None:
    with pytest.raises(NotKnown, match=f"the tape ends at offset {tape.head()}"):
        reader.vector("BAC", head=tape.head() + 1)


@pytest.mark.parametrize("symbol", ["", "  ", None, 3, "X" * 41])
def test_a_symbol_is_a_short_word(reader: Reader, symbol: Any) -> None:
    with pytest.raises(BadRequest, match="symbols has"):
        reader.vector(symbol)


def test_one_call_may_not_ask_for_everything(reader: Reader) -> None:
    with pytest.raises(BadRequest, match=f"one call may have {MOST_SYMBOLS}"):
        reader.vectors(["BAC"] * 10**6)
    with pytest.raises(
        BadRequest, match=rf"symbols × instants is 2 × 600000; one call may have {MOST_CELLS}"
    ):
        reader.matrix(["BAC", "AIG"], np.full(600_000, to_micros(BEGIN)))
    with pytest.raises(BadRequest, match="one call may have 10000000"):
        reader.pieces(["BAC"] * 100, np.full(600_000, to_micros(BEGIN)))
    with pytest.raises(BadRequest, match="symbols is 'BAC'"):
        reader.matrix("BAC", [BEGIN])


@pytest.mark.parametrize(
    ("instants", "message"),
    [
        ([], "instants is empty"),
        ([BEGIN, None], r"instants\[1\] is None"),
        ([BEGIN, float("nan")], r"instants\[1\] is nan"),
        (np.array([np.nan]), "instants is an array of float64"),
        (np.array(["2020-03-02"], "datetime64[us]"), r"instants is an array of datetime64\[us\]"),
        (np.array([[1, 2]]), "instants is an array"),
        ("2020-03-02", "instants is '2020-03-02'"),
        (np.array([2**62]), "instants 4611686018427387904 is in the future"),
    ],
)
def test_instants_are_aware_and_past(reader: Reader, instants: Any, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        reader.matrix(["BAC"], instants)


# ---- receipts


def test_a_receipt_is_one_line_that_says_all(reader: Reader) -> None:
    vector = reader.vector("BAC", as_of=BEGIN + timedelta(days=1), model=FIRST, names=NAMES)
    line = vector.receipt.line()

    assert "\n" not in line
    assert parse_receipt(line) == vector.receipt
    assert vector.receipt.features == tuple(NAMES)
    assert reader.vector("BAC").receipt.features == "core50@1"


def test_a_receipt_is_verified_or_told_apart(reader: Reader, tape: Tape, tmp_path: Path) -> None:
    from dataclasses import replace

    vector = reader.vector("BAC", as_of=max(instants(tape, 20)), names=NAMES)
    receipt, values = vector.receipt, vector.values
    other = values | {"volume_5d": 99.0}

    def outcome(receipt: Any, values: Any = None, at: Reader = reader) -> Outcome:
        return verify(at, Recorded(receipt, values)).outcome

    assert outcome(receipt) is outcome(receipt, values) is Outcome.MATCH
    verdict = verify(reader, Recorded(receipt, other))
    assert (verdict.outcome, verdict.name) == (Outcome.MISMATCH, "volume_5d")
    assert (verdict.served, verdict.computed) == (99.0, values["volume_5d"])
    assert outcome(replace(receipt, as_of=receipt.as_of - 86_400_000_000)) is Outcome.MISMATCH
    assert outcome(replace(receipt, hash="00" * 32)) is Outcome.NOT_THIS_TAPE
    assert outcome(replace(receipt, offset=tape.head() + 1)) is Outcome.NOT_THIS_TAPE
    expired = verify(reader, Recorded(replace(receipt, feature_version="000000000000")))
    assert expired.outcome is Outcome.EXPIRED
    assert "000000000000" in expired.reason
    assert outcome(replace(receipt, features="core50@9")) is Outcome.EXPIRED
    with Tape(tmp_path) as empty:
        assert outcome(receipt, at=Reader(empty, resolver())) is Outcome.NOT_THIS_TAPE


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "not"),
        ("[]", "an object"),
        ("{}", "has no offset, no hash"),
    ],
)
def test_what_is_no_receipt_is_told(line: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse_receipt(line)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("offset", "7"),
        ("offset", -1),
        ("offset", True),
        ("as_of", "2020-03-02T00:00:00"),
        ("features", []),
        ("model", 3),
    ],
)
def test_a_field_that_is_wrong_is_named(reader: Reader, field: str, value: object) -> None:
    from sentiment.receipt import receipt_of

    fields = reader.vector("BAC", names=["volume_1d"]).receipt.fields() | {field: value}
    with pytest.raises(BadRequest, match=field):
        receipt_of(fields)


def test_replay_finds_each_difference(reader: Reader, tape: Tape) -> None:
    """Reads at all heads, in all views: replay says of each what verifying it alone does."""
    random, recorded, heads = Random(5), list[Recorded](), range(10, tape.head() + 1)
    for at in instants(tape, 60):
        head = random.choice(heads)
        view = random.choice(["known", "known", "latest"])
        vector = reader.vector(
            random.choice(SYMBOLS), as_of=at, head=head, view=view, names=NAMES[:8]
        )
        wrong = random.random() < 0.2
        recorded.append(
            Recorded(
                vector.receipt, vector.values | {"volume_5d": -1.0} if wrong else vector.values
            )
        )
    alone = [verify(reader, one) for one in recorded]
    together = replay(reader, recorded)

    assert {Outcome.MATCH, Outcome.MISMATCH} == {verdict.outcome for verdict in alone}
    assert together.vectors == 60
    differ = [verdict for verdict in alone if verdict.outcome is not Outcome.MATCH]
    assert [verdict for _, verdict in together.different] == differ[: len(together.different)]
    assert together.outcomes[Outcome.MISMATCH] == len(differ)


# ---- the parts


def test_reads_share_a_head_exactly_where_it_tells_them_the_same() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        known = random.integers(0, 30, random.integers(1, 40))
        at, offsets = random.integers(0, 30, 20), random.integers(0, len(known) + 1, 20)
        heads = shared_heads(known, at, offsets)

        for t, offset, head in zip(at, offsets, heads, strict=True):
            assert offset <= head <= len(known)
            assert not (known[offset:head] <= t).any()
        latest = [
            next((n for n in range(o, len(known)) if known[n] <= t), len(known))
            for t, o in zip(at, offsets, strict=True)
        ]
        apart, last = 0, -1
        for end, start in sorted(zip(latest, offsets.tolist(), strict=True)):
            if start > last:
                apart, last = apart + 1, end
        assert len(set(heads.tolist())) == apart


def test_the_largest_of_what_holds_at_an_instant() -> None:
    random = np.random.default_rng(4)
    for rows in (0, 1, 5, 60):
        begin = random.integers(0, 50, rows)
        end, value = begin + random.integers(0, 30, rows), random.integers(-9, 9, rows)
        at = random.integers(-5, 90, 70)
        found = largest(begin, end, value, at)

        for t, got in zip(at, found, strict=True):
            holding = value[(begin <= t) & (t < end)]
            assert got == (holding.max() if holding.size else NEVER)


def test_every_feature_can_be_asked_for_alone(reader: Reader, tape: Tape) -> None:
    at = instants(tape, 3)
    whole: Matrix = reader.matrix(["BAC"], at, feature_set="all")
    for place, name in enumerate(FEATURES):
        alone = reader.matrix(["BAC"], at, names=[name])
        assert np.array_equal(alone.values[0, :, 0], whole.values[0, :, place], equal_nan=True), (
            name
        )
        one = reader.vector("BAC", as_of=at[0], names=[name]).values[name]
        assert one == (None if np.isnan(alone.values[0, 0, 0]) else alone.values[0, 0, 0])
    assert from_micros(at[0]) == reader.vector("BAC", as_of=at[0]).as_of
