"""The catalogue, whole; names that are chosen; values of features by hand; and no read changed by what comes later."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from statistics import mean, stdev
from types import MappingProxyType
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRequest, NotKnown
from ingest.moment import NEW_YORK, to_micros
from sentiment import compute as computing
from sentiment import features as catalogue
from sentiment import sessions as calendar
from sentiment.compute import compute
from sentiment.features import (
    DAY,
    DEPTH,
    FEATURES,
    HOUR,
    MINUTE,
    SECOND,
    WEEK,
    WIDTHS,
    Feature,
    NoRegulation,
    Regulation,
    fingerprint,
    select,
)
from sentiment.rolling import FOREVER, ITEM, NEVER, UNIT, Contributions, Floats, Panel
from sentiment.sources import Weights, packaged_weights, read_weights
from tests.sentiment.test_rolling import Row, contributions, same_bits

NOON = to_micros(datetime(2024, 5, 15, 12, tzinfo=NEW_YORK))
LONG_AGO = NOON - 400 * DAY
NOTHING = Contributions.empty()


def values(
    rows: Sequence[Row], names: str, at: int = NOON, known: int | None = LONG_AGO
) -> list[float]:
    """Of company 0, at one instant; by both ways of summing, which must agree."""
    own = contributions([row for row in rows if row.entity == 0])
    panel = Panel.of(contributions(rows))
    chosen = select(names.split())
    one = compute(chosen, np.array([at]), own, 0, panel, known)
    many = compute(chosen, np.full(300, at), own, 0, panel, known)
    assert same_bits(np.repeat(one, 300, axis=0), many)
    return [float(value) for value in one[0]]


def value(rows: Sequence[Row], name: str, at: int = NOON, known: int | None = LONG_AGO) -> float:
    return values(rows, name, at, known)[0]


def said(ago: int, sentiment: float = 0.0, entity: int = 0, at: int = NOON) -> Row:
    label = (sentiment > 0) - (sentiment < 0)
    return Row(at - ago, at - ago, label=label, sentiment=round(sentiment * UNIT), entity=entity)


# ---- the catalogue


def test_every_feature_says_what_it_is_in_one_sentence() -> None:
    for feature in FEATURES.values():
        assert feature.meaning.endswith(".")
        assert feature.meaning.count(". ") == 0
        assert "{" not in feature.meaning
        assert feature.unit
        assert feature.empty
        assert feature.version >= 1


def test_names_say_scope_measure_and_window() -> None:
    for name, feature in FEATURES.items():
        assert feature.name == name
        assert name.startswith("market_") == (feature.scope == "market")
        assert not feature.window or name.endswith(feature.longer or feature.window)
        assert (feature.half_life is not None) == (feature.measure == "sentiment_ewma")
        assert (feature.ddof == 1) == (feature.measure in ("sentiment_std", "buzz"))
    assert FEATURES["sentiment_ewma_2h"].half_life == 1800
    assert all(each.available for each in FEATURES.values())


def test_core50_has_fifty_of_the_company_the_market_and_the_feed() -> None:
    chosen = select(feature_set="core50")

    assert len(chosen) == len({each.name for each in chosen}) == 50
    assert {each.scope for each in chosen} == {"symbol", "market", "feed"}
    assert chosen == select() == select(feature_set="core50@1")
    assert select(feature_set="all") == tuple(FEATURES.values())


def test_names_are_chosen_in_their_order_and_once() -> None:
    chosen = select(["buzz_1d", "volume_5m", "buzz_1d"])

    assert [each.name for each in chosen] == ["buzz_1d", "volume_5m"]


@pytest.mark.parametrize(
    ("names", "feature_set", "said"),
    [
        (["sentiment_mean_5min"], None, "sentiment_mean_5m"),
        (["qqq"], None, "features list"),
        ([], None, "names is empty"),
        (None, "core51", "all, core50"),
        (None, "core50@2", "at version 1"),
        (["volume_5m"], "all", "exclude each other"),
    ],
)
def test_a_wrong_choice_is_told_what_would_be_right(
    names: list[str] | None, feature_set: str | None, said: str
) -> None:
    with pytest.raises(BadRequest, match=said):
        select(names, feature_set)


def test_the_fingerprint_changes_with_whatever_decides_a_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = {fingerprint()}
    for name, other in (
        ("METHOD", 2), ("WIDTHS", {**WIDTHS, "1m": 1}), ("MOMENTUM", ()), ("BUZZ_WEEKS", 7), ("BUZZ_LEAST", 3),
        ("BUZZ_FLOOR", 0.5), ("AGE_REACH", 1), ("HALF_LIVES", 3),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(catalogue, name, other)
            catalogue._fingerprint.cache_clear()
            found.add(fingerprint())
    catalogue._fingerprint.cache_clear()
    assert len(found) == 9
    found.add(fingerprint(Weights({**packaged_weights().table, "reuters": 7})))
    with monkeypatch.context() as patch:
        patch.setattr("sentiment.sessions.fingerprint", lambda: "another calendar")
        catalogue._fingerprint.cache_clear()
        found.add(fingerprint())
    catalogue._fingerprint.cache_clear()
    assert len(found) == 11


def test_the_fingerprint_changes_with_a_definition_and_not_with_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, name = fingerprint(), "buzz_1d"
    changes = {
        "name": "x", "scope": "market", "measure": "volume", "window": "5d", "version": 2, "longer": "5d",
        "half_life": 1.0, "ddof": 0, "available": False, "meaning": before, "unit": before, "empty": before,
        "subject": "242.611",
    }  # fmt: skip
    assert set(changes) == {field.name for field in fields(Feature)}
    for field, other in changes.items():
        changed = replace(FEATURES[name], **{field: other})  # type: ignore[arg-type]
        monkeypatch.setattr(catalogue, "FEATURES", MappingProxyType({**FEATURES, name: changed}))
        assert (fingerprint() == before) == (field in ("meaning", "unit", "empty")), field


# ---- values


def test_nothing_is_null_and_not_zero_but_a_count_is_a_count() -> None:
    every = [each.name for each in FEATURES.values()]
    counted = {name for name in every if "volume" in name}
    buzz = {name for name in every if "buzz" in name}

    for name, found in zip(every, values([], " ".join(every)), strict=True):
        assert (found == 0.0) if name in counted | buzz else math.isnan(found), name


def test_before_the_log_began_nothing_was_counted() -> None:
    assert math.isnan(value([], "volume_1d", known=None))
    assert math.isnan(value([], "market_volume_1d", known=NOON + 1))
    assert value([], "volume_1d", known=NOON) == 0


def test_every_feature_can_be_asked_for_alone() -> None:
    rows = [said(at * HOUR, (at % 5 - 2) / 2, entity=at % 3 - 1) for at in range(0, 2000, 7)]
    together = dict(zip(FEATURES, values(rows, " ".join(FEATURES)), strict=True))

    for name in FEATURES:
        assert same_bits(np.array(value(rows, name)), np.array(together[name])), name


def test_means_shares_and_spread() -> None:
    rows = [said(MINUTE, 0.5), said(2 * MINUTE, -0.25), said(3 * MINUTE, 0.5), said(4 * MINUTE)]
    names = "sentiment_mean_5m sentiment_std_5m positive_share_5m negative_share_5m volume_5m age_seconds"

    found = values(rows, names)
    assert found == pytest.approx([0.1875, stdev([0.5, -0.25, 0.5, 0.0]), 0.5, 0.25, 4, 60])


def test_weighted_means() -> None:
    rows = [
        replace_row(said(MINUTE, 1.0), weight=3 * UNIT, relevance=UNIT // 2, novelty=0),
        replace_row(said(MINUTE, 0.0), weight=UNIT, relevance=UNIT // 4, novelty=UNIT),
    ]
    names = "sentiment_source_weighted_1d sentiment_relevance_weighted_1d sentiment_novelty_weighted_1d novelty_mean_1d"

    assert values(rows, names) == pytest.approx([0.75, 2 / 3, 0, 0.5])


def replace_row(row: Row, **changed: int) -> Row:
    return row._replace(**changed)


def test_change_is_against_the_window_before_as_known_at_its_end() -> None:
    now, before = said(MINUTE, 0.5), said(6 * MINUTE, -0.5)
    late = replace_row(said(7 * MINUTE, 1.0), start=NOON - 4 * MINUTE)

    assert value([now, before], "sentiment_change_5m") == 1.0
    assert value([now, before, late], "sentiment_change_5m") == 1.0
    assert math.isnan(value([now], "sentiment_change_5m"))
    assert math.isnan(value([before], "sentiment_change_5m"))


def test_what_was_corrected_since_counts_in_the_window_before() -> None:
    now = said(MINUTE, 0.5)
    corrected = replace_row(said(6 * MINUTE, -0.5), end=NOON - 3 * MINUTE)

    assert value([now, corrected], "sentiment_change_5m") == 1.0


def test_momentum_is_the_short_mean_less_the_long() -> None:
    rows = [said(MINUTE, 1.0), said(HOUR, 0.0)]

    assert values(rows, "sentiment_momentum_5m_2h sentiment_momentum_1d_5d") == [0.5, 0.0]


def test_one_day_before_monday_morning_is_not_sunday() -> None:
    friday_evening = to_micros(datetime(2024, 5, 17, 18, tzinfo=NEW_YORK))
    monday = to_micros(datetime(2024, 5, 20, 9, tzinfo=NEW_YORK))
    rows = [Row(friday_evening, friday_evening, sentiment=UNIT)]

    found = values(
        rows, "volume_1d volume_since_close sentiment_mean_since_close volume_since_open", monday
    )
    assert found == [0, 1, 1, 1]


def test_a_half_day_closes_at_one() -> None:
    """The day after Thanksgiving: what came at 14:00 came after the close, on the Wednesday before it came before."""
    at = [to_micros(datetime(2024, 11, day, 14, tzinfo=NEW_YORK)) for day in (27, 29)]
    evening = [each + 4 * HOUR for each in at]

    counts = [
        value([Row(x, x)], "volume_since_close", late) for x, late in zip(at, evening, strict=True)
    ]
    assert counts == [0, 1]


def test_the_age_is_of_what_still_stands() -> None:
    old, retracted = said(3 * HOUR), replace_row(said(HOUR), end=NOON)

    assert value([old, retracted], "age_seconds", NOON - SECOND) == 3599
    assert value([old, retracted], "age_seconds") == 3 * 3600
    assert math.isnan(value([said(8 * WEEK)], "age_seconds"))
    assert value([said(8 * WEEK - 1)], "age_seconds") == pytest.approx(8 * 7 * 86400)


# ---- buzz


def weekly(counts: Sequence[int], at: datetime) -> list[Row]:
    """So many items a minute before the same time in New York, 0, 1, 2, … weeks before."""
    rows = []
    for weeks, many in enumerate(counts):
        then = datetime.fromordinal(at.toordinal() - 7 * weeks).replace(
            hour=at.hour, minute=at.minute, tzinfo=NEW_YORK
        )
        rows += [Row(to_micros(then) - MINUTE, to_micros(then) - MINUTE)] * many
    return rows


@pytest.mark.parametrize(
    "day",
    [(2024, 3, 27), (2024, 11, 20), (2024, 7, 10)],
    ids=["over the spring change", "over the autumn change", "over none"],
)
def test_buzz_compares_with_the_same_time_in_new_york(day: tuple[int, int, int]) -> None:
    at = datetime(*day, 9, 30, tzinfo=NEW_YORK)
    before = [3, 0, 5, 2, 4, 4, 1, 6]
    rows = weekly([9, *before], at)

    found = value(rows, "buzz_5m", to_micros(at))
    assert found == pytest.approx((9 - mean(before)) / stdev(before))


def test_the_least_standard_deviation_of_buzz_is_one_item() -> None:
    at = datetime(2024, 7, 10, 9, 30, tzinfo=NEW_YORK)

    assert value(weekly([3], at), "buzz_5m", to_micros(at)) == 3.0
    assert value(weekly([0, *[2] * 8], at), "buzz_5m", to_micros(at)) == -2.0


def test_buzz_uses_the_weeks_that_the_log_has_and_needs_four() -> None:
    at = datetime(2024, 7, 10, 9, 30, tzinfo=NEW_YORK)
    rows, now = weekly([9, 3, 0, 5, 2, 4, 4, 1, 6], at), to_micros(at)
    four = now - 4 * WEEK - 5 * MINUTE

    assert value(rows, "buzz_5m", now, four) == pytest.approx((9 - 2.5) / stdev([3, 0, 5, 2]))
    assert math.isnan(value(rows, "buzz_5m", now, four + 1))
    assert math.isnan(value(rows, "buzz_5m", now, None))


def test_buzz_counts_the_weeks_before_as_they_were_known_then() -> None:
    at = datetime(2024, 7, 10, 9, 30, tzinfo=NEW_YORK)
    now = to_micros(at)
    retracted_since = [replace_row(row, end=now - HOUR) for row in weekly([0, 4, 4, 4, 4], at)]
    scored_since = [replace_row(row, start=now - HOUR) for row in weekly([0, 4, 4, 4, 4], at)]

    assert value(retracted_since, "buzz_5m", now) == pytest.approx(-2 / stdev([4] * 4 + [0] * 4))
    assert value(scored_since, "buzz_5m", now) == 0


# ---- the market and the cross-section


def test_the_market_counts_each_item_once_at_whole_minutes() -> None:
    of_item = said(MINUTE, 0.5, entity=ITEM)
    about = [said(MINUTE, 0.5, entity=0), said(MINUTE, -1.0, entity=1)]
    names = "market_volume_5m market_sentiment_mean_5m market_volume_1m"

    assert values([of_item, *about], names) == [1, 0.5, 0]
    assert values([of_item, *about], names, NOON + 59 * SECOND) == [1, 0.5, 0]
    assert values([of_item, *about], names, NOON - SECOND) == [1, 0.5, 1]
    assert values([of_item, *about], names, NOON - MINUTE - 1)[0] == 0


def test_the_rank_is_the_share_of_the_others_that_are_lower() -> None:
    rows = [said(HOUR, 0.1), *(said(HOUR, -0.5 + at / 10, entity=at) for at in range(1, 9))]

    assert value(rows, "sentiment_rank_1d") == (5 + 0.5) / 8
    assert math.isnan(value(rows, "sentiment_rank_5m"))


def test_without_a_panel_the_market_is_not_quietly_null() -> None:
    for name in ("market_volume_1d", "sentiment_rank_1d"):
        with pytest.raises(ValueError, match="panel"):
            compute(select([name]), np.array([NOON]), NOTHING, 0, None, None)


def test_feed_and_regulation_are_left_to_others() -> None:
    names = [each.name for each in FEATURES.values() if each.scope in ("feed", "regulation")]
    port: Regulation = NoRegulation()

    assert np.isnan(compute(select(names), np.array([NOON]), NOTHING, 0, None, NOON)).all()
    assert np.isnan(port.values(select(names), np.array([NOON, NOON]), "BAC")).all()
    assert port.values(select(names), np.array([NOON, NOON]), "BAC").shape == (2, len(names))


# ---- bulk, order, and what comes later


def history(count: int = 900, days: int = 70, seed: int = 7) -> list[Row]:
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        moment = NOON - int(random.integers(0, days * DAY))
        start = moment + int(random.choice([0, SECOND, HOUR]))
        end = start + int(random.choice([0, HOUR, DAY])) if random.random() < 0.2 else FOREVER
        confidence, relevance, novelty, weight = random.integers(0, UNIT + 1, 4).tolist()
        label, sentiment = int(random.integers(-1, 2)), int(random.integers(-UNIT, UNIT + 1))
        entity = int(random.integers(-1, 4))
        rows.append(
            Row(
                moment, start, end, label, sentiment, confidence, relevance, novelty, weight, entity
            )
        )
    return rows


def everything(
    rows: Sequence[Row], at: np.ndarray[tuple[int], np.dtype[np.int64]], entity: int = 0
) -> Floats:
    own = contributions([row for row in rows if row.entity == entity])
    return compute(
        select(feature_set="all"), at, own, entity, Panel.of(contributions(rows)), LONG_AGO
    )


def test_bulk_in_any_order_is_what_single_reads_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(computing, "_BLOCK", 64)
    rows, random = history(), np.random.default_rng(3)
    at = NOON - random.integers(0, 9 * DAY, 300)

    bulk = everything(rows, at)
    for place in range(0, 300, 15):
        assert same_bits(everything(rows, at[place : place + 1])[0], bulk[place])
    assert same_bits(everything(rows[::-1], at[::-1]), bulk[::-1])
    computed = [each.scope not in ("feed", "regulation") for each in select(feature_set="all")]
    assert 0.1 < np.isnan(bulk[:, computed]).mean() < 0.6


OF_A_COMPANY = tuple(each for each in FEATURES.values() if each.scope == "symbol")


@given(st.integers(0, 10**6), st.sampled_from([LONG_AGO, NOON - 30 * DAY, NOON - DAY]))
@settings(deadline=None, max_examples=12)
def test_what_is_kept_of_a_company_is_what_is_computed_anew(seed: int, known: int) -> None:
    """At the instants at which something changes, just before and just after, one after another."""
    random = np.random.default_rng(seed)
    rows = contributions([row for row in history() if row.entity == 0])
    rows = rows.take(random.permutation(len(rows))[: random.integers(1, len(rows))])
    bounds = [*calendar.new_york().opens, *calendar.new_york().closes, known]
    near = [at for at in bounds if NOON - 7 * DAY < at < NOON]
    begun = np.concatenate([rows.moment, rows.start, rows.end[rows.end < FOREVER], near])
    widths = [0, *WIDTHS.values(), *(2 * width for width in WIDTHS.values())]
    shifts = [width + week * WEEK for width in widths for week in (0, 1, 8)]
    changes = (random.choice(begun, 60) + random.choice(shifts, 60))[:, np.newaxis] + [
        -1,
        0,
        1,
        SECOND,
    ]
    kept = computing.Kept()
    with patch.object(computing, "_steady", side_effect=computing._steady) as anew:
        for at in np.sort(changes.reshape(-1)):
            instant = np.array([at])
            told = compute(OF_A_COMPANY, instant, rows, 0, None, known, kept=kept)
            assert same_bits(told, compute(OF_A_COMPANY, instant, rows, 0, None, known))
    assert anew.call_count < 0.8 * changes.size


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=12)
def test_what_is_in_force_is_kept_until_it_changes(seed: int) -> None:
    """Beside a plain look at each row, at the instants at which one comes or goes, just before and just after."""
    random = np.random.default_rng(seed)
    rows = contributions([row for row in history() if row.entity == 0])
    rows = rows.take(random.permutation(len(rows))[: random.integers(0, len(rows))])
    changes = np.concatenate([rows.start, rows.end[rows.end < FOREVER], rows.moment + DEPTH, [NOON]])  # fmt: skip
    instants = np.sort((random.choice(changes, 60)[:, np.newaxis] + [-1, 0, 1]).reshape(-1))
    kept = computing.Kept()
    with patch.object(computing, "in_force", side_effect=computing.in_force) as anew:
        for at in instants.tolist():
            those = [
                (moment, version, backfilled)
                for moment, start, end, version, backfilled in zip(
                    rows.moment.tolist(), rows.start.tolist(), rows.end.tolist(), rows.version.tolist(),
                    rows.backfilled.tolist(), strict=True,
                )
                if start <= at < end and moment > at - DEPTH
            ]  # fmt: skip
            told = kept.in_force(rows, at)
            assert told.newest == max([moment for moment, _, _ in those], default=NEVER)
            assert told.versions == tuple(sorted({version for _, version, _ in those}))
            assert told.backfilled == any(backfilled for _, _, backfilled in those)
    assert anew.call_count < 0.8 * len(instants)


def test_what_becomes_known_later_changes_no_value() -> None:
    """New items, late scores, corrections and retractions, of this company and of others."""
    rows, at = history(), NOON - np.arange(0, 5 * DAY, 3 * HOUR + 1)
    later = [
        replace_row(row, moment=row.moment + 70 * DAY, start=row.start + 70 * DAY, end=FOREVER)
        for row in rows
    ]
    late = [replace_row(row, start=NOON + 1, end=FOREVER) for row in rows]
    replaced = [replace_row(row, end=NOON + 1) if row.end == FOREVER else row for row in rows]

    before = everything(rows, at)
    assert same_bits(everything([*replaced, *later, *late], at), before)
    assert not same_bits(everything([row for row in rows if row.entity], at), before)


@given(st.integers(0, 60 * 24 * 3600))
@settings(deadline=None, max_examples=15)
def test_no_value_looks_further_back_than_depth(seconds: int) -> None:
    rows = history(600, 130)
    at = np.array([NOON - seconds * SECOND])
    near = [row for row in rows if row.moment > int(at[0]) - DEPTH]

    assert same_bits(everything(near, at), everything(rows, at))


def test_depth_is_no_deeper_than_it_must_be() -> None:
    """In autumn, at the end of a minute, eight weeks, five days and an hour back."""
    autumn = to_micros(datetime(2024, 11, 20, 12, tzinfo=NEW_YORK)) + MINUTE - 1
    oldest = autumn - DEPTH + 1

    for moment, name in ((oldest + 1, "market_buzz_5d"), (oldest + MINUTE, "buzz_5d")):
        entity = ITEM if name.startswith("market") else 0
        rows = [Row(moment, moment, entity=entity)]
        assert value(rows, name, autumn) != value([], name, autumn)
        older = [row._replace(moment=autumn - DEPTH, start=autumn - DEPTH) for row in rows]
        assert value(older, name, autumn) == value([], name, autumn)


def test_no_instants_give_no_rows() -> None:
    assert everything(history(50), np.empty(0, np.int64)).shape == (0, len(FEATURES))


# ---- sources


def test_sources_are_found_however_they_are_written() -> None:
    weights = packaged_weights()

    assert (
        weights.of("Wall Street Journal") == weights.of("wall_street-journal") == round(1.1 * UNIT)
    )
    assert weights.of("nobody's blog") == UNIT
    assert weights.of("stocktwits") < UNIT < weights.of("sec") <= 2 * UNIT


def test_a_table_of_ones_own_is_read_as_tsv_or_json(tmp_path: Path) -> None:
    lines, learned = tmp_path / "mine.tsv", tmp_path / "learned.json"
    lines.write_text("# mine\nweight\tsource\n0.5\tReuters\n2\tThe Desk\n", "utf-8")
    learned.write_text('{"reuters": 0.5, "the desk": 2}', "utf-8")

    assert read_weights(lines) == read_weights(learned)
    assert read_weights(lines).table == {"reuters": UNIT // 2, "the-desk": 2 * UNIT}
    assert read_weights(lines).fingerprint == read_weights(learned).fingerprint
    assert read_weights(lines).fingerprint != packaged_weights().fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "first line"),
        ("name\tweight\nreuters\t1\n", "first line"),
        ("source\tweight\nreuters\n", "line 2: 1 columns"),
        ("source\tweight\nreuters\t-1\n", "line 2"),
        ("source\tweight\nreuters\tnan\n", "from 0 to 1000"),
        ("source\tweight\nreuters\t1001\n", "1001"),
        ("source\tweight\nReuters\t1\nreuters\t2\n", "line 3 names reuters again"),
        ("source\tweight\n \t2\n", "line 2 names no source"),
        ('{"reuters": true}', "from 0 to 1000"),
        ('{"reuters": [1]}', "from 0 to 1000"),
        ('{"reuters": 1, "Reuters": 2}', "again"),
        ('{"reuters": 1', "not JSON"),
    ],
)
def test_a_table_that_is_none_is_refused_and_the_place_named(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "weights"
    path.write_text(text, "utf-8")
    with pytest.raises(BadRequest, match=said):
        read_weights(path)


def test_a_table_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NotKnown):
        read_weights(tmp_path / "none")
    with pytest.raises(BadRequest):
        read_weights(tmp_path / "bytes")
