"""New York's wall clock over changes of time, and its exchange's hours on half-days and holidays."""

import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.moment import NEW_YORK, from_micros, to_micros
from sentiment.sessions import FIRST, LAST, new_york, weeks_before


def shown(micros: int) -> str:
    return from_micros(micros).astimezone(NEW_YORK).strftime("%a %Y-%m-%d %H:%M")


def in_new_york(text: str, fold: int = 0) -> int:
    return to_micros(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK, fold=fold))


def hours(day: str) -> tuple[str, str] | None:
    """Open and close of a day, in New York's time."""
    for opens, closes in zip(new_york().opens.tolist(), new_york().closes.tolist(), strict=True):
        if shown(opens)[4:14] == day:
            return shown(opens)[15:], shown(closes)[15:]
    return None


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2024-11-29", ("09:30", "13:00")),  # the day after Thanksgiving
        ("2024-12-24", ("09:30", "13:00")),  # Christmas Eve
        ("2024-12-23", ("09:30", "16:00")),
        ("2024-07-03", ("09:30", "13:00")),
        ("2024-12-25", None),
        ("2024-11-28", None),
        ("2022-06-20", None),  # Juneteenth, on a Monday
        ("2001-09-11", None),
        ("2012-10-30", None),  # the hurricane
        ("2025-01-09", None),  # a day of mourning
        ("2024-11-30", None),  # Saturday
    ],
)
def test_half_days_and_holidays_are_those_of_the_exchange(
    day: str, expected: tuple[str, str] | None
) -> None:
    assert hours(day) == expected


def test_sessions_follow_each_other() -> None:
    opens, closes = new_york().opens, new_york().closes

    assert np.all(opens < closes)
    assert np.all(closes[:-1] < opens[1:])
    first, last = opens.tolist()[0], closes.tolist()[-1]
    assert (shown(first)[4:14], shown(last)[4:14]) == (str(FIRST), str(LAST))


@pytest.mark.slow
def test_the_table_is_what_exchange_calendars_has() -> None:
    with warnings.catch_warnings():
        # exchange_calendars 4.13 reads its schedule in a way that pandas 3.1 means to change.
        warnings.simplefilter("ignore")
        calendars = pytest.importorskip("exchange_calendars")
        calendar = calendars.get_calendar("XNYS", start=str(FIRST), end=str(LAST))

    assert np.array_equal(new_york().opens, calendar.opens_nanos // 1000)
    assert np.array_equal(new_york().closes, calendar.closes_nanos // 1000)


def test_a_week_before_a_change_of_time_the_clocks_showed_the_same() -> None:
    for later in ("2024-03-11 09:30", "2024-11-04 09:30"):  # the Mondays after each change
        instant = in_new_york(later)
        before = weeks_before(np.array([instant]), 2)[:, 0].tolist()

        assert [shown(each)[-5:] for each in before] == ["09:30", "09:30"]
        apart = timedelta(microseconds=instant - before[0]) - timedelta(days=7)
        assert abs(apart) == timedelta(hours=1)


def test_a_time_that_the_clocks_skipped_is_taken_an_hour_later() -> None:
    (before,) = weeks_before(np.array([in_new_york("2024-03-17 02:30")]), 1)[0].tolist()

    assert shown(before) == "Sun 2024-03-10 03:30"


def test_a_time_that_the_clocks_showed_twice_is_taken_at_its_first() -> None:
    (before,) = weeks_before(np.array([in_new_york("2024-11-10 01:30")]), 1)[0].tolist()

    assert before == in_new_york("2024-11-03 01:30", fold=0)
    assert before != in_new_york("2024-11-03 01:30", fold=1)


@given(st.integers(0, 67 * 365 * 86_400), st.integers(1, 8))
def test_weeks_before_is_what_the_zone_says(seconds: int, weeks: int) -> None:
    at = datetime(1971, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    earlier = at.astimezone(NEW_YORK).replace(tzinfo=None) - timedelta(weeks=weeks)
    expected = to_micros(earlier.replace(tzinfo=NEW_YORK))

    assert weeks_before(np.array([to_micros(at)]), weeks)[-1].tolist() == [expected]


def test_instants_in_many_and_one_by_one_are_the_same() -> None:
    at = to_micros(datetime(2024, 3, 1, tzinfo=UTC)) + np.arange(5000) * 600_000_007

    together = weeks_before(at, 8)

    assert np.array_equal(
        together, np.concatenate([weeks_before(at[i : i + 1], 8) for i in range(5000)], axis=1)
    )


def test_the_last_session_is_years_ahead() -> None:
    """When this fails, lengthen sentiment/sessions.tsv: windows since an open or a close are null after it."""
    assert date(2033, 1, 1) > datetime.now(UTC).date()
