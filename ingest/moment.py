"""Words for a time in, aware UTC moments out; and the one clock of the program.

All moments inside are aware UTC `datetime`s. Stored form: microseconds since the epoch as an
integer, so that comparisons in SQLite, NumPy and Python agree to the last bit.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ingest.errors import BadRequest

NEW_YORK = ZoneInfo("America/New_York")

Clock = Callable[[], datetime]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The one place that asks the time."""
    return datetime.now(UTC)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01T00:00Z; exact, unlike a float timestamp."""
    if moment.tzinfo is None:
        raise BadRequest(
            f"{moment.isoformat()} has no time zone; write it with one, e.g. {moment.isoformat()}Z"
        )
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The moment that many microseconds after the epoch."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_moment(text: str, *, zone: ZoneInfo = NEW_YORK) -> datetime:
    """An instant, or a civil day, which means its last instant in `zone` (what was known by the end
    of that day).

    Raises BadRequest on anything else, a time of day without a zone included: guessing one is how
    look-ahead starts.
    """
    words = text.strip()
    if words == "now":
        return now()
    try:
        day = date.fromisoformat(words) if len(words) == 10 else None
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise BadRequest(
            f"{text!r} is not a time; write 2025-01-15 or 2025-01-15T09:30:00-05:00"
        ) from None
    if not 1900 <= moment.year <= 9998:  # beyond, its neighbours in some zone could not be told
        raise BadRequest(f"{text!r} lies before 1900 or after 9998")
    if day is not None:
        return end_of_day(day, zone)
    if moment.tzinfo is None:
        raise BadRequest(
            f"{text!r} has no time zone; write {words}Z for UTC or {words}-05:00 for New York in winter"
        )
    return moment.astimezone(UTC)


def civil_day(moment: datetime, zone: ZoneInfo = NEW_YORK) -> date:
    """The day that clocks show at an aware moment."""
    return moment.astimezone(zone).date()


def end_of_day(day: date, zone: ZoneInfo = NEW_YORK) -> datetime:
    """The last microsecond of a civil day, as UTC."""
    return next_midnight(day, zone) - _MICROSECOND


def next_midnight(day: date, zone: ZoneInfo = NEW_YORK) -> datetime:
    """When a source that states only the day has certainly been public: the midnight that ends
    it.
    """
    return datetime.combine(day + timedelta(days=1), time(0), zone).astimezone(UTC)


def federal_register_morning(day: date) -> datetime:
    """06:00 New York time on the day of publication, the public moment of a Federal Register
    document.
    """
    return datetime.combine(day, time(6), NEW_YORK).astimezone(UTC)
