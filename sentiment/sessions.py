"""Instants in, New York's wall clock and its stock exchange's opens and closes out, all as microseconds since 1970 UTC.

The exchange opens at 09:30 and closes at 16:00 on weekdays, but for the days that sentiment/sessions.tsv lists: holidays
and half-days, as the calendar XNYS of `exchange_calendars` has them, which a test compares. They are a table of this
program because importing that package and pandas takes seconds, and because what a receipt's features were computed from
must not change with a package: the table is part of feature_version.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingest.moment import NEW_YORK, from_micros, to_micros

FIRST, LAST = date(1990, 1, 2), date(2035, 12, 31)
OPEN, CLOSE = "09:30", "16:00"

Ints = NDArray[np.int64]

_DAY = 86_400_000_000
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_TABLE = Path(__file__).with_name("sessions.tsv")


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """The opens and closes of an exchange, each in order: int64[n], microseconds since 1970 UTC."""

    opens: Ints
    closes: Ints


@cache
def new_york() -> Sessions:
    """Sessions of the New York Stock Exchange from FIRST to LAST."""
    days = (FIRST + timedelta(days) for days in range((LAST - FIRST).days + 1))
    hours = {day: (OPEN, CLOSE) for day in days if day.weekday() < 5}
    for line in _TABLE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            day, opens, closes = line.split("\t")
            hours[date.fromisoformat(day)] = opens, closes
    open_days = [(day, *times) for day, times in sorted(hours.items()) if times[0]]
    return Sessions(
        _from_clock(np.array([_clock(day, at) for day, at, _ in open_days])),
        _from_clock(np.array([_clock(day, at) for day, _, at in open_days])),
    )


@cache
def fingerprint() -> str:
    """Names the sessions that `new_york` has: 12 hex digits."""
    given = f"{FIRST} {LAST} {OPEN} {CLOSE}\n".encode()
    return sha256(given + _TABLE.read_bytes()).hexdigest()[:12]


def days(instants: Ints) -> Ints:
    """int64[m]: the days that New York's calendars showed, as proleptic ordinals."""
    changes, offsets, _ = _changes()
    shown = instants + offsets[np.searchsorted(changes, instants, "right")]
    found: Ints = shown // _DAY + _EPOCH_DAY
    return found


def weeks_before(instants: Ints, weeks: int) -> Ints:
    """int64[weeks, m]: the instants at which New York's clocks showed the same day of week and time 1, 2, … weeks before.

    A time that the clocks showed twice is taken at its first, one that they skipped as an hour later.
    """
    changes, offsets, _ = _changes()
    shown = instants + offsets[np.searchsorted(changes, instants, "right")]
    return _from_clock(shown - np.arange(1, weeks + 1)[:, np.newaxis] * (7 * _DAY))


def _clock(day: date, at: str) -> int:
    """What New York's clocks show then, in microseconds since they showed 1970-01-01 00:00."""
    return to_micros(datetime.combine(day, time.fromisoformat(at), UTC))


def _from_clock(shown: Ints) -> Ints:
    """The instants at which New York's clocks show times that `_clock` gives."""
    _, offsets, meant = _changes()
    found: Ints = shown - offsets[np.searchsorted(meant, shown, "right")]
    return found


@cache
def _changes() -> tuple[Ints, Ints, Ints]:
    """When New York's clocks were put forward or back; how far they were ahead of UTC before, between and after; and from
    which time shown on the later of two offsets is meant."""
    day, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    changes, offsets = list[int](), [_offset(day)]
    while day < last:
        following = day + timedelta(days=7)
        if _offset(following) != offsets[-1]:
            changes.append(_change(to_micros(day), to_micros(following)))
            offsets.append(_offset(following))
        day = following
    at, ahead = np.array(changes, np.int64), np.array(offsets, np.int64)
    return at, ahead, at + np.maximum(ahead[:-1], ahead[1:])


def _change(low: int, high: int) -> int:
    """The first instant after `low` with the offset of `high`."""
    before = _offset(from_micros(low))
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(from_micros(middle)) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(at: datetime) -> int:
    """How far New York's clocks are ahead of UTC, in microseconds."""
    ahead = at.astimezone(NEW_YORK).utcoffset()
    assert ahead is not None
    return ahead // timedelta(microseconds=1)
