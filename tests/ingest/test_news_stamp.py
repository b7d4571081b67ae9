"""Every form of a time means one moment, and no reading of one is ahead of what it could mean."""

import pickle
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from email.utils import format_datetime
from functools import cache
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ingest.moment import to_micros
from ingest.news_stamp import BadRow, DateOrder, Precision, Stamp, read_stamp

INSTANT, MINUTE, DAY = Precision
NEW_YORK = ZoneInfo("America/New_York")
HUGE = 10**5000  # more digits than Python writes

# Zones in which clocks do odd things: at midnight, across midnight, by half an hour, by two, by a day.
ODD_ZONES = (
    "Africa/Cairo America/Havana America/New_York America/Santiago America/Sao_Paulo America/St_Johns"
    " Antarctica/Troll Asia/Beirut Asia/Kathmandu Asia/Pyongyang Australia/Lord_Howe Europe/Dublin Europe/London"
    " Pacific/Apia Pacific/Kwajalein"
).split()


def reason_of(
    written: object, zone: ZoneInfo | None = None, order: DateOrder | None = None
) -> str | None:
    """Why it is refused; None where it is a time."""
    try:
        read_stamp(written, zone=zone, order=order)
    except BadRow as bad:
        return bad.reason
    return None


@pytest.mark.parametrize(
    ("written", "published", "precision"),
    [
        ("2024-01-17T09:30:15Z", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17t09:30:15z", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17 09:30:15+00:00", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17 09:30:15 +0000", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17T09:30:15-05", "2024-01-17T14:30:15", INSTANT),
        ("2024-01-17T09:30:15−05:00", "2024-01-17T14:30:15", INSTANT),
        ("2024-01-17T09:30:15-0000", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17 09:30:15 UTC", "2024-01-17T09:30:15", INSTANT),
        ("2024-01-17 09:30:15 GMT+5:30", "2024-01-17T04:00:15", INSTANT),
        ("2024-01-17T09:30:15.5Z", "2024-01-17T09:30:15.500000", INSTANT),
        ("2024-01-17T09:30:15,123Z", "2024-01-17T09:30:15.123000", INSTANT),
        ("2024-01-17T09:30:15.123456000Z", "2024-01-17T09:30:15.123456", INSTANT),
        ("2024-01-17T09:30:15.123456001Z", "2024-01-17T09:30:15.123457", INSTANT),
        ("2024-01-17T09:30:59.9999999Z", "2024-01-17T09:31:00", INSTANT),
        ("2024-01-17T09:30Z", "2024-01-17T09:30:00", MINUTE),
        ("2024-01-17 9:30 +01:00", "2024-01-17T08:30:00", MINUTE),
        ("2024/01/17 09:30 UTC", "2024-01-17T09:30:00", MINUTE),
        ("2024.1.17 9:30 UTC", "2024-01-17T09:30:00", MINUTE),
        ("20240117T093015Z", "2024-01-17T09:30:15", INSTANT),
        ("20240117T093015.25+0530", "2024-01-17T04:00:15.250000", INSTANT),
        ("20240117T0930Z", "2024-01-17T09:30:00", MINUTE),
        ("202401170930Z", "2024-01-17T09:30:00", MINUTE),
        ("20240117 09:30:15 US/Eastern", "2024-01-17T14:30:15", INSTANT),
        ("2024-01-17Z", "2024-01-17T00:00:00", DAY),
        ("2024-01-17+02:00", "2024-01-16T22:00:00", DAY),
        ("20240117-0500", "2024-01-17T05:00:00", DAY),
        ("2024-01-17 ET", "2024-01-17T05:00:00", DAY),
        ("Wed, 17 Jan 2024 09:30:15 -0500", "2024-01-17T14:30:15", INSTANT),
        ("Wed, 17 Jan 2024 09:30:15 GMT", "2024-01-17T09:30:15", INSTANT),
        ("17 Jan 2024 09:30 EST", "2024-01-17T14:30:00", MINUTE),
        ("17 January 2024 09:30:15 +0000 (UTC)", "2024-01-17T09:30:15", INSTANT),
        ("Wednesday, 17-Jan-24 09:30:15 GMT", "2024-01-17T09:30:15", INSTANT),
        ("6 Oct 99 10:00:00 GMT", "1999-10-06T10:00:00", INSTANT),
        ("17 Jan 2024 GMT", "2024-01-17T00:00:00", DAY),
        ("Wed Jan 17 09:30:15 +0000 2024", "2024-01-17T09:30:15", INSTANT),
        ("Wed Jan  7 09:30:15 UTC 2026", "2026-01-07T09:30:15", INSTANT),
        ("Wed Jan 17 2024 09:30:15 GMT+0100 (Central European Standard Time)", "2024-01-17T08:30:15", INSTANT),
        ("Fri Oct 20, 2006 6:15pm EDT", "2006-10-20T22:15:00", MINUTE),
        ("Sept. 5, 2023, 12:05 a.m. ET", "2023-09-05T04:05:00", MINUTE),
        ("Jan 17, 2024 12:30 PM PT", "2024-01-17T20:30:00", MINUTE),
        ("2024-07-17 09:30 CT", "2024-07-17T14:30:00", MINUTE),
        ("2024-01-17T09:30:15[Europe/Paris]", "2024-01-17T08:30:15", INSTANT),
        ("2024-01-17T09:30:15+01:00[Europe/Paris]", "2024-01-17T08:30:15", INSTANT),
        ("2024-01-17T09:30:15Z[Europe/Paris]", "2024-01-17T09:30:15", INSTANT),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00", INSTANT),
        ("2024-01-17T24:00:00Z", "2024-01-18T00:00:00", INSTANT),
        (1705483815, "2024-01-17T09:30:15", INSTANT),
        ("1705483815", "2024-01-17T09:30:15", INSTANT),
        (1705483815.25, "2024-01-17T09:30:15.250000", INSTANT),
        (Decimal("1705483815.0000001"), "2024-01-17T09:30:15.000001", INSTANT),
        (631152000, "1990-01-01T00:00:00", INSTANT),
        (1705483815123, "2024-01-17T09:30:15.123000", INSTANT),
        (1705483815123456, "2024-01-17T09:30:15.123456", INSTANT),
        (1705483815123456001, "2024-01-17T09:30:15.123457", INSTANT),
        (datetime(2024, 1, 17, 9, 30, 15, 7, tzinfo=UTC), "2024-01-17T09:30:15.000007", INSTANT),
    ],
)  # fmt: skip
def test_a_form_means_one_moment(written: object, published: str, precision: Precision) -> None:
    stamp = read_stamp(written)

    start = datetime.fromisoformat(published).replace(tzinfo=UTC)
    width = {INSTANT: timedelta(0), MINUTE: timedelta(minutes=1), DAY: timedelta(days=1)}[precision]
    assert (stamp.published_at, stamp.precision, stamp.public_at) == (
        start,
        precision,
        start + width,
    )
    assert stamp.published_at.tzinfo is UTC
    assert stamp.public_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "published", "public"),
    [
        ("2024-01-17", "2024-01-17T05:00", "2024-01-18T05:00"),
        ("20240117", "2024-01-17T05:00", "2024-01-18T05:00"),
        (20240117, "2024-01-17T05:00", "2024-01-18T05:00"),
        (date(2024, 1, 17), "2024-01-17T05:00", "2024-01-18T05:00"),
        ("2024-03-10", "2024-03-10T05:00", "2024-03-11T04:00"),  # 23 hours
        ("2024-11-03", "2024-11-03T04:00", "2024-11-04T05:00"),  # 25
        ("2024-01-17T09:30", "2024-01-17T14:30", "2024-01-17T14:31"),
        ("20240117-09:30:15", "2024-01-17T14:30:15", "2024-01-17T14:30:15"),
        ("20240117-093015", "2024-01-17T14:30:15", "2024-01-17T14:30:15"),
        (20240117093015, "2024-01-17T14:30:15", "2024-01-17T14:30:15"),
        ("202401170930", "2024-01-17T14:30", "2024-01-17T14:31"),
        ("Wed, 17 Jan 2024 09:30:15", "2024-01-17T14:30:15", "2024-01-17T14:30:15"),
        ("Wed Jan 17 09:30:15 2024", "2024-01-17T14:30:15", "2024-01-17T14:30:15"),
        ("January 17, 2024", "2024-01-17T05:00", "2024-01-18T05:00"),
        (datetime(2024, 1, 17, 9, 30, 15), "2024-01-17T14:30:15", "2024-01-17T14:30:15"),  # noqa: DTZ001
    ],
)
def test_a_stamp_without_a_zone_needs_one_stated(
    written: object, published: str, public: str
) -> None:
    with pytest.raises(BadRow) as refused:
        read_stamp(written)
    assert refused.value.reason == "no-time-zone"

    stamp = read_stamp(written, zone=NEW_YORK)

    assert stamp.published_at == datetime.fromisoformat(published).replace(tzinfo=UTC)
    assert stamp.public_at == datetime.fromisoformat(public).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "order", "published"),
    [
        ("5-7-2022 04:24", "dmy", "2022-07-05T04:24"),
        ("5-7-2022 04:24", "mdy", "2022-05-07T04:24"),
        ("17.1.2024", "dmy", "2024-01-17T00:00"),
        ("1/17/2024 9:30:15 PM", "mdy", "2024-01-17T21:30:15"),
        ("1/17/24, 9:30", "mdy", "2024-01-17T09:30"),
    ],
)
def test_a_date_of_digits_needs_its_order_stated(
    written: str, order: DateOrder, published: str
) -> None:
    with pytest.raises(BadRow) as refused:
        read_stamp(written, zone=ZoneInfo("UTC"))
    assert refused.value.reason == "ambiguous-date"

    stamp = read_stamp(written, zone=ZoneInfo("UTC"), order=order)

    assert stamp.published_at == datetime.fromisoformat(published).replace(tzinfo=UTC)


NO_TIMES: tuple[object, ...] = (
    "", "now", "yesterday", "09:30", True, None, {}, [], b"2024-01-17", "2024-02-30T09:00Z", "2024-13-01Z",
    "2024-01-17T25:00Z", "2024-01-17T09:60Z", "2024-01-17T09:30:61Z", "2024-01-17T24:00:01Z",
    "2024-01-1709:30Z", "13:30 pm 17 Jan 2024", "17 Jan 2024 13:30 pm GMT", "Tue, 17 Jan 2024 09:30:15 GMT",
    "2024-01-17T09:30:15+16:00", "2024-01-17T09:30:15+01:75", "2024-01-17T09:30:15-05:00[Europe/Paris]",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "1899-12-30Z", "9" * 99,
    0, -1, 1, 45308, 599999999, 2147483647000000000000, HUGE, float("nan"), float("inf"), "1.70548E+09",
    "1e400", Decimal("NaN"), Decimal("1E+999999"), "2024-W03-3Z", "2024-017Z", "२०२४-०१-१७Z", {"a": HUGE}, date(1, 1, 1),
    datetime(1, 1, 1, tzinfo=UTC), date(2100, 1, 1), "x" * 10_000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        *((w, "bad-stamp") for w in NO_TIMES),
        ("2024", "too-coarse"),
        ("2024-01", "too-coarse"),
        ("2024-01-17T09Z", "too-coarse"),
        ("2024011709", "ambiguous-number"),
        (2024011709, "ambiguous-number"),
        ("2024-01-17T09:30 IST", "unknown-zone"),
        ("2024-01-17T09:30[Mars/Olympus]", "unknown-zone"),
        ("2024-01-17T09:30[../../etc/passwd]", "unknown-zone"),
        ("20240117 09:30:00 America", "bad-stamp"),
        ("20240117 09:30:00 America/Nowhere", "unknown-zone"),
        ("1970-01-01T00:00:00Z", "placeholder-stamp"),
        ("1970-01-01", "placeholder-stamp"),
        ("1969-12-31T19:00:00-05:00", "placeholder-stamp"),
    ],
    ids=lambda v: ascii(v)[:40] if isinstance(v, str | float) else type(v).__name__,
)  # fmt: skip
def test_what_cannot_be_a_time_is_refused_with_a_reason(written: object, reason: str) -> None:
    with pytest.raises(BadRow) as refused:
        read_stamp(written, zone=NEW_YORK, order="dmy")

    assert refused.value.reason == reason
    assert len(str(refused.value)) < 260
    again = pickle.loads(pickle.dumps(refused.value))
    assert (again.reason, str(again)) == (reason, str(refused.value))


@pytest.mark.parametrize(
    ("written", "zone", "utc"),
    [
        # Twice: half past one, before and after the clocks went back; the later is meant.
        ("2024-11-03T01:30:00", "America/New_York", "2024-11-03T06:30"),
        # Never: the clocks went from two to three; the later of 01:30 EST + 1 h and 03:30 EDT - 1 h is meant.
        ("2024-03-10T02:30:00", "America/New_York", "2024-03-10T07:30"),
        ("2024-10-27T02:30:00", "Europe/Berlin", "2024-10-27T01:30"),
    ],
)
def test_a_local_time_that_was_twice_or_never_is_the_later_one(
    written: str, zone: str, utc: str
) -> None:
    stamp = read_stamp(written, zone=ZoneInfo(zone))

    assert stamp.public_at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert stamp.flags == ("dst",)
    stated = read_stamp(f"{written}[{zone}]")
    assert stated == stamp


def test_a_stated_offset_or_abbreviation_settles_which_of_the_two_was_meant() -> None:
    first = datetime(2024, 11, 3, 5, 30, tzinfo=UTC)
    for written in ("2024-11-03T01:30:00-04:00[America/New_York]", "2024-11-03T01:30:00 EDT"):
        assert read_stamp(written, zone=NEW_YORK).public_at == first
    assert read_stamp("2024-11-03T01:30:00 EST").public_at == first + timedelta(hours=1)


@pytest.mark.parametrize(
    ("written", "zone", "hour"),
    [
        ("2024-01-17 09:30:00 CET", "Europe/Paris", 8),
        ("2024-07-17 09:30:00 CEST", "Europe/Paris", 7),
        ("2024-01-17 09:30:00 CST", "Asia/Shanghai", 1),
        ("2024-01-17 09:30:00 CST", None, 15),
        ("2024-07-17 09:30:00 BST", "Europe/London", 8),
    ],
)
def test_an_abbreviation_is_first_the_readers_own(
    written: str, zone: str | None, hour: int
) -> None:
    assert read_stamp(written, zone=ZoneInfo(zone) if zone else None).published_at.hour == hour


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("pair", ["EST EDT", "CST CDT", "MST MDT", "PST PDT"])
def test_an_abbreviation_written_all_year_round_never_looks_ahead(month: int, pair: str) -> None:
    place = dict(E="New_York", C="Chicago", M="Denver", P="Los_Angeles")[pair[0]]
    local = datetime(2024, month, 20, 9, 30)  # noqa: DTZ001
    true = local.replace(tzinfo=ZoneInfo(f"America/{place}"))

    read = [read_stamp(f"{local} {word}").public_at for word in pair.split()]

    assert min(read) >= true
    assert true in read


FORMS: list[Callable[[datetime], object]] = [
    lambda t: t.isoformat(),
    lambda t: t.isoformat(" "),
    lambda t: t.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    lambda t: t.strftime("%Y%m%dT%H%M%S.%f%z"),
    lambda t: t.strftime("%d %b %Y %H:%M:%S.%f %z"),
    lambda t: t.strftime("%a %b %d %H:%M:%S.%f %z %Y"),
    lambda t: t.strftime("%B %d, %Y %I:%M:%S.%f %p %z"),
    lambda t: t.strftime("%d/%m/%Y %H:%M:%S.%f%z"),
    lambda t: to_micros(t),
    lambda t: to_micros(t) * 1000,
    lambda t: str(to_micros(t)),
    lambda t: t,
]
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
MOMENTS = st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30), timezones=OFFSETS)  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(FORMS))
def test_every_form_of_a_moment_reads_as_that_moment(
    moment: datetime, form: Callable[[datetime], object]
) -> None:
    stamp = read_stamp(form(moment), order="dmy")

    assert stamp[:3] == (moment, INSTANT, moment)


@given(MOMENTS.map(lambda t: t.replace(microsecond=0)))
def test_rfc_2822_and_whole_seconds_read_as_that_moment(moment: datetime) -> None:
    assert read_stamp(format_datetime(moment)).public_at == moment
    seconds = to_micros(moment) // 1_000_000
    hour = re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])", str(seconds))
    refused = reason_of(seconds) if hour else None
    assert refused in (None, "ambiguous-number")
    assert refused or read_stamp(seconds).public_at == moment


COMPACT = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
COMPACT_DIGITS = st.tuples(
    st.datetimes(datetime(1000, 1, 1), datetime(2150, 1, 1)),  # noqa: DTZ001
    st.sampled_from(sorted(COMPACT.values())),
).map(lambda d: int(d[0].strftime(d[1])))
COUNTS = st.tuples(st.integers(0, 5 * 10**18), st.sampled_from([1, 10**3, 10**6, 10**9])).map(
    lambda c: c[0] // c[1]
)


@given(COUNTS | COMPACT_DIGITS | st.integers(0, 10**22))
@example(1318032000)  # also the hour 00 of a day in 1318, of which there is no news
def test_a_number_is_read_in_one_way_or_not_at_all(number: int) -> None:
    """The oracle: all readings that are a time of news, counts from 1990, compact dates from 1901."""
    meant = []
    for thousandths in (10**9, 10**6, 10**3, 1):  # s, ms, us, ns as nanoseconds
        nanos = number * thousandths
        if 631_152_000 * 10**9 <= nanos < 4_102_444_800 * 10**9:
            meant.append(-(-nanos // 1000))
    digits = str(number)
    if len(digits) in COMPACT and 1901 <= int(digits[:4]) < 2100:
        try:
            written = datetime.strptime(digits, COMPACT[len(digits)]).replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            meant.append(to_micros(written))

    refused = reason_of(number, ZoneInfo("UTC"))

    assume(refused != "placeholder-stamp")
    if len(meant) == 1:
        assert refused is None
        assert [to_micros(read_stamp(number, zone=ZoneInfo("UTC")).published_at)] == meant
    else:
        assert refused in (["ambiguous-number"] if meant else ["bad-stamp", "too-coarse"])


# --- never ahead


@cache
def odd_days(zone: str) -> list[date]:
    """The days around each change of the zone's clocks, 1950 to 2035."""
    there = ZoneInfo(zone)
    noon = [datetime(1950, 1, 1, 12, tzinfo=UTC) + timedelta(days=n) for n in range(365 * 86)]
    shifts = [t.astimezone(there).utcoffset() for t in noon]
    changed = [noon[i].date() for i in range(1, len(noon)) if shifts[i] != shifts[i - 1]]
    return [day + timedelta(days=n) for day in changed for n in (-1, 0, 1)]


@st.composite
def local_times(draw: st.DrawFn) -> tuple[str, datetime]:
    zone = draw(st.sampled_from(ODD_ZONES))
    day = draw(st.sampled_from(odd_days(zone)) | st.dates(date(1950, 1, 1), date(2035, 1, 1)))
    assume(abs(day - date(1970, 1, 1)) > timedelta(days=3))
    return zone, datetime.combine(day, draw(st.times()))


def could_mean(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """The oracle: every moment at which that zone's clocks showed `local`, found by looking at the clock."""
    around = (local.replace(tzinfo=UTC) + timedelta(hours=h) for h in range(-30, 31))
    shifts = {t.astimezone(zone).utcoffset() for t in around}
    moments = [(local - shift).replace(tzinfo=UTC) for shift in shifts if shift is not None]
    return [t for t in moments if t.astimezone(zone).replace(tzinfo=None, fold=0) == local]


@given(local_times())
@example(("America/New_York", datetime(2024, 11, 3, 1, 30)))  # noqa: DTZ001
@example(("America/New_York", datetime(2024, 3, 10, 2, 30)))  # noqa: DTZ001
def test_no_local_time_is_public_before_any_moment_it_could_mean(
    case: tuple[str, datetime],
) -> None:
    name, local = case
    zone = ZoneInfo(name)
    meant = could_mean(local, zone)

    stamp = read_stamp(local.isoformat(timespec="microseconds"), zone=zone)
    minute = read_stamp(local.isoformat(timespec="minutes"), zone=zone)

    assert all(stamp.public_at >= t for t in meant)
    assert ("dst" in stamp.flags) == (len(meant) != 1)
    if meant:
        assert stamp.public_at == max(meant)
    else:  # the clocks jumped over it: at the latest reading, they had
        assert stamp.public_at.astimezone(zone).replace(tzinfo=None, fold=0) > local
    for second in (0, 59):
        whole = local.replace(second=second, microsecond=999_999)
        assert all(minute.public_at > t for t in could_mean(whole, zone))
    assert minute.public_at - minute.published_at == timedelta(minutes=1)


@given(local_times())
@example(("America/St_Johns", datetime(2006, 10, 28)))  # noqa: DTZ001 - clocks went back across midnight
@example(("America/Havana", datetime(2023, 11, 4)))  # noqa: DTZ001
@example(("Pacific/Apia", datetime(2011, 12, 30)))  # noqa: DTZ001 - a day that never was
def test_no_day_is_public_before_it_has_ended(case: tuple[str, datetime]) -> None:
    name, local = case
    zone, day = ZoneInfo(name), local.date()

    stamp = read_stamp(day.isoformat(), zone=zone)

    noon = datetime.combine(day, time(12), UTC)
    inside = [
        t for m in range(-48 * 60, 48 * 60, 15)
        if (t := noon + timedelta(minutes=m)).astimezone(zone).date() == day
    ]  # fmt: skip
    assert all(stamp.published_at <= t < stamp.public_at for t in inside)
    # and it waits no longer than it must, but for an hour or two where clocks showed that midnight twice
    last = max(inside, default=stamp.public_at)
    assert stamp.public_at - last <= timedelta(hours=2, minutes=15)


@given(
    MOMENTS,
    st.sampled_from(["microseconds", "seconds", "minutes"]),
    st.sampled_from([None, *ODD_ZONES]),
)
def test_believing_less_is_never_earlier_and_claiming_more_changes_nothing(
    moment: datetime, written: str, name: str | None
) -> None:
    text = moment.isoformat(timespec=written)
    zone = ZoneInfo(name) if name else None

    plain, minute, day = (read_stamp(text, zone=zone, at_most=p) for p in Precision)

    assert plain.precision is (MINUTE if written == "minutes" else INSTANT)
    assert (minute.precision, day.precision) == (MINUTE, DAY)
    assert minute.published_at <= plain.published_at <= minute.public_at
    assert day.published_at <= minute.published_at < minute.public_at <= day.public_at
    assert minute.published_at == moment.replace(second=0, microsecond=0)
    for where in (moment.tzinfo, zone):
        if where is not None:
            assert day.public_at >= datetime.combine(
                moment.date() + timedelta(days=1), time(0), where
            )


def test_the_end_of_a_day_cut_from_a_stamp_waits_for_the_readers_zone_too() -> None:
    """Archives write days as midnights in UTC; the day was New York's."""
    stamp = read_stamp("2020-06-05 00:00:00 UTC", zone=NEW_YORK, at_most=DAY)

    assert stamp == Stamp(
        datetime(2020, 6, 5, tzinfo=UTC), DAY, datetime(2020, 6, 6, 4, tzinfo=UTC)
    )
    epoch = read_stamp(1591315200, zone=NEW_YORK, at_most=DAY)
    assert epoch == stamp


@pytest.mark.parametrize(
    ("written", "flags"),
    [
        ("2024-01-17T00:00:00Z", ("midnight",)),
        ("2024-01-17 00:00-05:00", ("midnight",)),
        (1705449600, ("midnight",)),
        ("2024-01-17T00:00:00.000001Z", ()),
        ("2024-01-17T00:00:01Z", ()),
        (1705449600.5, ()),
        ("2024-01-17Z", ()),
        ("2024-01-17T05:00:00Z", ()),
    ],
)
def test_an_exact_midnight_is_flagged(written: object, flags: tuple[str, ...]) -> None:
    assert read_stamp(written).flags == flags


@given(
    st.text(st.sampled_from("0123456789-+:./TZ ,[]()JanuaryWedEST"), max_size=40)
    | st.text(max_size=30)
)
def test_no_text_raises_anything_but_bad_row(text: str) -> None:
    for order in (None, *get_args(DateOrder)):
        if reason_of(text, NEW_YORK, order) is None:
            stamp = read_stamp(text, zone=NEW_YORK, order=order)
            assert stamp.published_at <= stamp.public_at
            assert 1900 < stamp.public_at.year <= 2100


@pytest.mark.parametrize(
    "written", ["2" * 100, "(" * 100, "2024-01-17 " + "a" * 89, "1 " * 50, "Jan " * 25, "/" * 100]
)
def test_no_text_takes_long(written: str) -> None:
    """Were a form to backtrack, the shortest of these would take minutes."""
    for _ in range(200):
        with pytest.raises(BadRow):
            read_stamp(written, zone=NEW_YORK)
