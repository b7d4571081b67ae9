"""Windows by masks, by steps and by the plainest program there is: the same bits, at and beside every boundary."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sentiment.rolling import (
    FOREVER,
    ITEM,
    MEASURES,
    NEVER,
    UNIT,
    Cell,
    Contributions,
    Floats,
    Ints,
    Masks,
    Panel,
    Steps,
    Window,
    decay,
    over,
    to_units,
)

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
START = 1_700_000_000 * SECOND

CLOCK = {width: Window(width) for width in (MINUTE, 5 * MINUTE, HOUR)}
# Days of 20 minutes: opens and closes that many rows lie before, between, at and after.
BOUNDS = np.array([START + minutes * MINUTE for minutes in (5, 12, 25, 47, 90)])
SESSION = Window(bounds=BOUNDS)
CELLS = tuple(
    Cell(measure, window, back)
    for window, backs in ((SESSION, (0,)), *((each, (0, each.width)) for each in CLOCK.values()))
    for back in backs
    for measure in MEASURES
    if not (measure == "sentiment_ewma" and window is SESSION)
)


class Row(NamedTuple):
    """What one score says; the fields of Contributions that count, under their names."""

    moment: int
    start: int
    end: int = FOREVER
    label: int = 0
    sentiment: int = 0
    confidence: int = UNIT
    relevance: int = UNIT
    novelty: int = UNIT
    weight: int = UNIT
    entity: int = 0


def contributions(rows: Sequence[Row]) -> Contributions:
    columns = dict(zip(Row._fields, zip(*rows, strict=True), strict=True)) if rows else {}
    empty = Contributions.empty()
    given = {name: np.array(column, getattr(empty, name).dtype) for name, column in columns.items()}
    rest = {
        name: np.arange(len(rows)).astype(getattr(empty, name).dtype)
        for name in ("item", "offset", "version", "backfilled")
    }
    return replace(empty, **given, **rest)


# ---- the plainest program: one instant, one window, one row after another


def counting(rows: Sequence[Row], window: Window, at: int) -> list[Row] | None:
    if window.bounds is None:
        cut = at - window.width
    else:
        bounds = window.bounds.tolist()
        following = bisect_left(bounds, at)
        if following in (0, len(bounds)):
            return None
        cut = bounds[following - 1]
    return [row for row in rows if cut < row.moment and row.start <= at < row.end]


def exact(rows: Sequence[Row], cell: Cell, instant: int) -> float:
    """A cell by fractions, rounded where `rolling` says that it rounds: sums to floats, then one division."""
    at = instant - cell.back
    counted = counting(rows, cell.window, at)
    if counted is None:
        return math.nan
    n = len(counted)
    match cell.measure:
        case "volume":
            return float(n)
        case "sentiment_mean" | "confidence_mean" | "relevance_mean" | "novelty_mean":
            field = cell.measure.removesuffix("_mean")
            return ratio(sum(getattr(row, field) for row in counted), n) / UNIT
        case "positive_share":
            return ratio(sum(row.label == 1 for row in counted), n)
        case "negative_share":
            return ratio(sum(row.label == -1 for row in counted), n)
        case "sentiment_std":
            if n < 2:
                return math.nan
            mean = Fraction(sum(row.sentiment for row in counted), n)
            spread = sum((row.sentiment - mean) ** 2 for row in counted)
            # n times the sum of squared distances is whole: that, and n(n - 1), is what is divided.
            assert (n * spread).denominator == 1
            return math.sqrt(ratio(int(n * spread), n * (n - 1))) / UNIT
        case "sentiment_ewma":
            weights = [halved(row.moment, at, cell.window.width) for row in counted]
            weighted = zip(weights, counted, strict=True)
            return (
                ratio(sum(weight * row.sentiment for weight, row in weighted), sum(weights)) / UNIT
            )
    field = {"source": "weight"}.get(kind := cell.measure.split("_")[1], kind)
    weights = [getattr(row, field) for row in counted]
    weighted = zip(weights, counted, strict=True)
    return ratio(sum(weight * row.sentiment for weight, row in weighted), sum(weights)) / UNIT


def ratio(above: int, below: int) -> float:
    return float(above) / float(below) if below else math.nan


def halved(moment: int, at: int, width: int) -> int:
    """2**(moment / half-life) since the block before that of `at`, by the table of `decay`."""
    block, weight = decay(np.array([moment]), width)
    return int(weight[0]) << (4 * (int(block[0]) - (at // width - 1)))


# ---- lives: late, twice, corrected, retracted; on a few moments, so that much falls together

moments = st.integers(-8, 190).map(lambda half_minutes: START + half_minutes * MINUTE // 2)
shifts = st.sampled_from([0, 0, 0, 1, SECOND, MINUTE - 1, MINUTE, MINUTE + 1, 20 * MINUTE, HOUR])
small = st.sampled_from([0, 0, 1, 7, UNIT // 3, UNIT])


@st.composite
def lives(draw: st.DrawFn) -> Row:
    moment = draw(moments) + draw(st.sampled_from([0, 0, 1, -1]))
    start = moment + draw(shifts)  # scored at once, or late
    end = draw(
        st.one_of(
            st.just(FOREVER),
            shifts.map(lambda shift: start + shift),  # replaced at once, or later
            shifts.map(lambda shift: moment + shift),  # a correction that is known before the score
            st.just(moment - HOUR),  # a correction that came first
        )
    )
    return Row(
        moment, start, end, draw(st.sampled_from([-1, 0, 1])), draw(st.integers(-UNIT, UNIT)),
        draw(small), draw(small), draw(small), draw(small), draw(st.integers(0, 3)),
    )  # fmt: skip


@st.composite
def streams(draw: st.DrawFn) -> list[Row]:
    rows = draw(st.lists(lives(), max_size=25))
    again = draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    return draw(st.permutations(rows + again))


def boundaries(rows: Sequence[Row]) -> Ints:
    """On and beside everything that could change a value."""
    times = {START, *BOUNDS.tolist()}
    for row in rows:
        times |= {row.start, row.end, row.moment}
        for width in CLOCK:
            times |= {row.moment + width, row.moment + 2 * width, row.start + width}
            times |= {(row.moment // width + 1) * width}
    at = [time + beside for time in times if abs(time - START) < DAY for beside in (-1, 0, 1)]
    return np.array(at, np.int64)


def same_bits(one: Floats, other: Floats) -> bool:
    """One NaN is as good as another."""
    first, second = (np.where(np.isnan(each), np.nan, each) for each in (one, other))
    return np.array_equal(first.view(np.int64), second.view(np.int64))


@given(streams())
@settings(deadline=None, max_examples=60)
@example([])
@example([Row(START, START)])
@example([Row(START, START, sentiment=5, relevance=0, novelty=0, weight=0)] * 2)
def test_masks_steps_and_the_plainest_program_agree(rows: list[Row]) -> None:
    at, held = boundaries(rows), contributions(rows)
    by_masks = Masks(held.ordered()).cells(CELLS, at)
    by_steps = Steps(held).cells(CELLS, np.sort(at))[:, np.argsort(np.argsort(at, kind="stable"))]

    assert same_bits(by_masks, by_steps)
    some = np.linspace(0, len(at) - 1, min(len(at), 12)).astype(int)
    plain = [[exact(rows, cell, instant) for instant in at[some].tolist()] for cell in CELLS]
    assert same_bits(by_masks[:, some], np.array(plain))


@given(streams())
@settings(deadline=None, max_examples=40)
def test_counts_and_the_newest_are_those_of_the_plainest_program(rows: list[Row]) -> None:
    at, held = boundaries(rows), contributions(rows)
    widths = np.array(list(CLOCK))
    counts, newest = [], []
    for way in (Masks(held.ordered()), Steps(held)):
        counts.append(way.count(widths, np.stack([at, at - HOUR])))
        newest.append(way.newest(HOUR, at))

    assert np.array_equal(counts[0], counts[1])
    assert np.array_equal(newest[0], newest[1])
    for place in range(0, len(at), 1 + len(at) // 10):
        inside = [counting(rows, window, at[place]) or [] for window in CLOCK.values()]
        assert counts[0][:, 0, place].tolist() == [len(each) for each in inside]
        assert newest[0][place] == max((row.moment for row in inside[-1]), default=NEVER)


@given(streams(), st.randoms())
@settings(deadline=None, max_examples=20)
def test_the_order_of_rows_and_of_instants_changes_no_bit(rows: list[Row], random: object) -> None:
    at = boundaries(rows)
    shuffled = np.random.default_rng(len(rows)).permutation(len(at))
    turned = contributions(rows[::-1])

    straight = over(contributions(rows), len(at)).cells(CELLS, at)

    assert same_bits(straight[:, shuffled], over(turned, len(at)).cells(CELLS, at[shuffled]))
    assert same_bits(straight, Masks(turned.ordered()).cells(CELLS, at))


# ---- single facts


def at_once(rows: Sequence[Row], measure: str, window: Window, at: int) -> float:
    values = [
        way.cells((Cell(measure, window),), np.array([at]))[0, 0]
        for way in (Masks(contributions(rows).ordered()), Steps(contributions(rows)))
    ]
    assert same_bits(values[0], values[1])
    return float(values[0])


def test_a_window_is_open_at_its_beginning_and_closed_at_its_end() -> None:
    row = [Row(START, START)]

    counts = [
        at_once(row, "volume", CLOCK[MINUTE], START + at) for at in (-1, 0, MINUTE - 1, MINUTE)
    ]
    assert counts == [0, 1, 1, 0]


def test_a_score_counts_from_when_it_can_be_read_and_leaves_by_when_the_item_was_known() -> None:
    row = [Row(START, START + 40 * SECOND)]

    seconds = (39, 40, 59, 60)
    counts = [at_once(row, "volume", CLOCK[MINUTE], START + at * SECOND) for at in seconds]
    assert counts == [0, 1, 1, 0]


def test_a_score_that_comes_after_its_window_never_counts_there() -> None:
    row = [Row(START, START + 2 * MINUTE)]

    assert at_once(row, "volume", CLOCK[MINUTE], START + 2 * MINUTE) == 0
    assert at_once(row, "volume", CLOCK[HOUR], START + 2 * MINUTE) == 1


def test_at_the_close_itself_the_window_is_still_that_since_the_close_before() -> None:
    first, second = BOUNDS[0], BOUNDS[1]
    rows = [Row(first, first), Row(first + 1, first + 1), Row(second, second)]

    assert at_once(rows, "volume", SESSION, second) == 2
    assert at_once(rows, "volume", SESSION, second + 1) == 0


def test_outside_the_calendar_a_session_window_is_null() -> None:
    rows = [Row(START, START)]

    assert math.isnan(at_once(rows, "volume", SESSION, BOUNDS[0]))
    assert at_once(rows, "volume", SESSION, BOUNDS[0] + 1) == 0
    assert at_once(rows, "volume", SESSION, BOUNDS[-1]) == 0
    assert math.isnan(at_once(rows, "volume", SESSION, BOUNDS[-1] + 1))


def test_what_is_there_of_none_of_one_and_of_two() -> None:
    one, two = Row(START, START, sentiment=UNIT // 2), Row(START, START, sentiment=UNIT)

    for rows, mean, std in (
        ([], math.nan, math.nan),
        ([one], 0.5, math.nan),
        ([one, two], 0.75, 0.125**0.5),
    ):
        assert at_once(rows, "volume", CLOCK[HOUR], START) == len(rows)
        assert at_once(rows, "sentiment_mean", CLOCK[HOUR], START) == pytest.approx(
            mean, nan_ok=True
        )
        assert at_once(rows, "sentiment_std", CLOCK[HOUR], START) == pytest.approx(std, nan_ok=True)


@pytest.mark.parametrize("kind", ["source", "relevance", "novelty"])
def test_weights_that_are_all_zero_give_null_not_zero(kind: str) -> None:
    rows = [Row(START, START, sentiment=UNIT, relevance=0, novelty=0, weight=0)]

    assert math.isnan(at_once(rows, f"sentiment_{kind}_weighted", CLOCK[HOUR], START))
    assert at_once(rows, "sentiment_mean", CLOCK[HOUR], START) == 1.0


@pytest.mark.parametrize("values", [2**30, 2**31 - 1])
def test_sums_that_int64_cannot_hold_are_exact_all_the_same(values: int) -> None:
    """Squares alone pass 2**62; the plainest program's integers have no end."""
    rows = [
        Row(START, START, sentiment=values * (-1) ** (at % 3 == 0), weight=values, relevance=values)
        for at in range(40)
    ]
    cells = tuple(Cell(measure, CLOCK[HOUR]) for measure in MEASURES)
    at = np.array([START + MINUTE])

    by_masks = Masks(contributions(rows)).cells(cells, at)

    assert same_bits(by_masks, Steps(contributions(rows)).cells(cells, at))
    assert same_bits(
        by_masks[:, 0], np.array([exact(rows, cell, START + MINUTE) for cell in cells])
    )


def test_a_hundred_thousand_in_one_window() -> None:
    n = 100_000
    sentiment = np.where(np.arange(n) % 3, UNIT, -UNIT)  # n times the sum of squares passes 2**64
    one = contributions([Row(START, START, label=1)])
    many = replace(one.take(np.zeros(n, int)), sentiment=sentiment)
    cells = (
        Cell("sentiment_std", CLOCK[HOUR]),
        Cell("sentiment_ewma", CLOCK[HOUR]),
        Cell("volume", CLOCK[HOUR]),
    )
    at = np.array([START])

    by_masks, by_steps = (way.cells(cells, at)[:, 0] for way in (Masks(many), Steps(many)))

    assert same_bits(by_masks, by_steps)
    spread = n * int((sentiment**2).sum()) - int(sentiment.sum()) ** 2
    assert spread > 2**64
    assert by_masks.tolist() == [
        math.sqrt(float(spread) / float(n * (n - 1))) / UNIT,
        float(sentiment.sum()) / n / UNIT,
        n,
    ]


def test_weight_halves_with_each_quarter_of_the_window() -> None:
    width = HOUR
    moments = START // width * width + np.arange(8) * width // 4
    block, weight = decay(moments, width)

    total = weight << (4 * (block - block[0]))
    assert np.array_equal(total, total[0] << np.arange(8))


def test_decay_is_two_to_the_age_over_the_half_life() -> None:
    moments = START + np.arange(0, HOUR, 7 * SECOND)
    block, weight = decay(moments, HOUR)

    exact_weights = 2.0 ** ((moments % HOUR) / (HOUR / 4)) * 2**20
    assert np.max(np.abs(weight / exact_weights - 1)) < 2e-4
    assert np.all(np.diff((weight << (4 * (block - block[0]))).astype(float)) >= 0)


def test_a_quiet_company_decays_by_reading_alone() -> None:
    rows = [
        Row(START, START, sentiment=UNIT),
        Row(START + 40 * MINUTE, START + 40 * MINUTE, sentiment=-UNIT),
    ]

    values = [
        at_once(rows, "sentiment_ewma", CLOCK[HOUR], START + at * MINUTE)
        for at in (0, 40, 59, 60, 99, 100)
    ]
    assert values[0] == 1.0
    assert (
        values[1]
        == values[2]
        == pytest.approx((1 - 2 ** (40 / 15)) / (1 + 2 ** (40 / 15)), abs=1e-3)
    )
    assert values[3:5] == [-1.0, -1.0]
    assert math.isnan(values[5])


def test_contributions_can_be_cut_joined_and_put_in_order() -> None:
    rows = contributions([Row(START + at, START + at) for at in (3, 1, 2)])

    joined = Contributions.concat([rows.take(slice(0, 1)), rows.take(np.array([1, 2]))])
    assert joined.moment.tolist() == rows.moment.tolist()
    assert joined.entity.dtype == rows.entity.dtype == np.int32
    assert rows.ordered().moment.tolist() == [START + 1, START + 2, START + 3]
    assert joined.ordered().ordered() is not joined
    assert rows.ordered().ordered().moment is not rows.moment
    assert len(Contributions.concat([])) == len(Contributions.empty()) == 0


@given(st.floats(-1, 1))
def test_units_are_as_python_rounds(value: float) -> None:
    assert to_units(np.array([value])).tolist() == [round(value * UNIT)]


# ---- one among the others


def plain_rank(rows: Sequence[Row], window: Window, minute: int, entity: int) -> float:
    means = dict[int, Fraction]()
    for other in {row.entity for row in rows}:
        said = counting([row for row in rows if row.entity == other], window, minute)
        if said:
            means[other] = Fraction(sum(row.sentiment for row in said), len(said))
    if entity not in means or len(means) < 2:
        return math.nan
    mine = means.pop(entity)
    lower = sum(1 if mean < mine else Fraction(mean == mine, 2) for mean in means.values())
    return float(Fraction(lower, len(means)))


@given(streams())
@settings(deadline=None, max_examples=60)
def test_ranks_of_many_minutes_of_one_and_of_the_plainest_program_agree(rows: list[Row]) -> None:
    panel = Panel.of(contributions(rows))
    minutes = np.arange(START // MINUTE - 2, START // MINUTE + 100, 3) * MINUTE
    for window in (CLOCK[5 * MINUTE], CLOCK[HOUR], SESSION):
        for entity in range(5):
            many = panel.ranks(window, minutes, entity)
            single = Panel.of(contributions(rows))
            one = [single.ranks(window, minutes[i : i + 1], entity)[0] for i in range(len(minutes))]
            plain = [plain_rank(rows, window, minute, entity) for minute in minutes.tolist()]
            assert same_bits(many, np.array(one))
            assert same_bits(many, np.array(plain))


def test_half_of_the_equal_ones_count_as_lower() -> None:
    rows = [
        Row(START, START, sentiment=value, entity=entity)
        for entity, value in enumerate((0, 5, 5, 9))
    ]
    panel, minute = Panel.of(contributions(rows)), np.array([(START // MINUTE + 1) * MINUTE])

    ranks = [panel.ranks(CLOCK[HOUR], minute, entity)[0] for entity in range(4)]
    assert ranks == [0, 0.5, 0.5, 1]
    assert math.isnan(panel.ranks(CLOCK[HOUR], minute, 99)[0])


def test_a_company_alone_has_no_rank() -> None:
    panel = Panel.of(contributions([Row(START, START, entity=2)]))

    assert math.isnan(panel.ranks(CLOCK[HOUR], np.array([START + MINUTE]), 2)[0])


def test_the_panel_keeps_items_and_companies_apart() -> None:
    panel = Panel.of(contributions([Row(START, START, entity=ITEM), Row(START, START, entity=1)]))

    assert panel.items.entity.tolist() == [ITEM]


def test_what_a_panel_keeps_is_bounded_and_what_is_let_go_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sentiment.rolling._KEPT_BYTES", 1000)
    rows = [Row(START, START, sentiment=entity, entity=entity) for entity in range(20)]
    panel = Panel.of(contributions(rows))
    minutes = [np.array([START // MINUTE * MINUTE + MINUTE * at]) for at in range(1, 40)]

    first = [panel.ranks(CLOCK[HOUR], minute, 7)[0] for minute in minutes]
    assert sum(part.nbytes for kept in panel._kept.values() for part in kept) <= 1000
    assert [panel.ranks(CLOCK[HOUR], minute, 7)[0] for minute in minutes] == first


def test_tables_of_ranks_in_parts_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Row(START + at * SECOND, START + at * SECOND, sentiment=at * 37 % 101, entity=at % 9)
        for at in range(900)
    ]
    minutes = np.arange(START // MINUTE, START // MINUTE + 80) * MINUTE
    whole = Panel.of(contributions(rows)).ranks(CLOCK[5 * MINUTE], minutes, 4)
    monkeypatch.setattr("sentiment.rolling._TABLE", 50)

    assert same_bits(whole, Panel.of(contributions(rows)).ranks(CLOCK[5 * MINUTE], minutes, 4))
    assert all(a <= 1 for a in whole[~np.isnan(whole)])
    assert any(a != b for a, b in pairwise(whole))
