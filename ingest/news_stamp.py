"""What a source wrote for a time in; the moment it can mean, how exact it is, and when it was certainly public, out.

    form                                              precision
    2024-01-17T09:30:15.123456789Z, "…15 +0530"       instant; finer than a microsecond is rounded up
    2024-01-17 09:30-05:00, 20240117T0930Z            minute
    2024-01-17, 2024/01/17, 20240117, 2024-01-17Z     day
    20240117093015, 20240117-09:30:15                 instant, zone as for any other
    Wed, 17 Jan 2024 09:30:15 -0500, 17 Jan 2024      RFC 2822, HTTP, with or without weekday and time
    Wed Jan 17 09:30:15 +0000 2024                    asctime, `date`, Twitter
    Wed Jan 17, 2024 9:30am EST                       month by name
    1705484415, 1705484415.25                         seconds since 1970; 13 digits: ms, 16: us, 19: ns
    17/1/2024 09:30, 17.1.2024, 1-17-24               only where the order (dmy or mdy) is stated

Zones: Z, UTC, GMT, an offset, a name in brackets or after the time ("[Europe/Paris]", "US/Eastern"), an
abbreviation of the reader's own zone ("CET" read with Europe/Paris), those of RFC 2822 (EST, PDT, …), and
ET, CT, MT, PT. A stamp without one is refused unless the reader states a zone. -0000 is UTC.

No rule here looks ahead. A local time that the clocks showed twice, or never, means the later of its two
readings. A minute is public when it ends, a day at the midnight that ends it (the last such midnight, where
clocks go back across it). A claim of more precision than is written is not believed; one of less is. A stamp
to the second is taken as that instant. Where a number could be read in two ways (2024011709: seconds, or the
ninth hour of a day) it is refused, and so is the 1st of January 1970, which is what a missing time turns into.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingest.errors import BadRequest
from ingest.moment import NEW_YORK, from_micros

DateOrder = Literal["dmy", "mdy"]


class Precision(StrEnum):
    """How much of the time a source states."""

    INSTANT = "instant"
    MINUTE = "minute"
    DAY = "day"


class BadRow(BadRequest):
    """A row that cannot be news; reason: a short code, one of `ingest.news.REASONS`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> tuple[type["BadRow"], tuple[str, str]]:
        return BadRow, (self.reason, str(self))


class Stamp(NamedTuple):
    """published_at, public_at: UTC; flags: "dst" (that local time was twice or never), "midnight" (exactly 00:00 as
    written, which often stands for an unknown time of day: then read with precision=day).
    """

    published_at: datetime
    precision: Precision
    public_at: datetime
    flags: tuple[str, ...] = ()


def read_stamp(
    value: object,
    *,
    zone: ZoneInfo | None = None,
    order: DateOrder | None = None,
    at_most: Precision = Precision.INSTANT,
) -> Stamp:
    """What a text, a number, a datetime or a date says of when.

    zone: of a stamp that states none; order: of all-digit dates that end with the year; at_most: the precision that may
    be believed, since many sources write minutes with ":00" seconds. Where at_most makes a day of a longer stamp, the day
    is the one written, and it ends when it has ended both in the stamp's own zone and in `zone`. Raises BadRow.
    """
    if isinstance(value, date) and not _EARLIEST <= value.year < _LATEST:
        raise _bad(value.isoformat())
    if isinstance(value, datetime):
        return _of_datetime(value, zone, at_most)
    if isinstance(value, date):
        return _whole_day(value, _needed(zone, str(value)), zone)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise _bad(value)
    words = value.strip() if isinstance(value, str) else _digits(value)
    if found := _ISO.fullmatch(words):
        return _Written(found, words, zone, at_most).stamp()
    if len(words) > _LONGEST:
        raise _bad(words)
    words = " ".join(words.split()).replace("\u2212", "-")
    if _NUMBER.fullmatch(words):
        return _of_number(words, zone, at_most)
    for form in _FORMS:
        if found := form.fullmatch(words):
            return _Written(found, words, zone, at_most, order).stamp()
    if _COARSE.fullmatch(words):
        raise BadRow(
            "too-coarse", f"{words!r} does not state the day and minute; state at least the day"
        )
    raise _bad(words)


_LONGEST = 100
_MONTHS = {
    name: number
    for number, name in enumerate(
        "jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1
    )
}
_WEEKDAYS = "mon tue wed thu fri sat sun".split()

_NAMED_MONTH = r"(?P<named>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_WEEKDAY = r"(?P<weekday>mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,? "
_TIME = r"(?P<h>\d{1,2}):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,30}))?)?(?: ?(?P<half>[ap])\.?m\.?(?![a-z]))?"
_COMPACT_TIME = r"(?P<h>\d\d)(?P<m>\d\d)(?:(?P<s>\d\d)(?:[.,](?P<f>\d{1,30}))?)?"
_OFFSET = r"(?:(?:utc|gmt|ut) ?)?[+-]\d\d?(?::?\d\d)?"
_ZONE = rf" ?(?P<zone>{_OFFSET}|[a-z]{{1,5}}(?![a-z/])|[a-z_]+(?:/[a-z0-9_+-]+)+)?"
_AFTER = r"(?:\[(?P<region>[^\[\]\s]{1,60})\])?(?: ?\([^()]*\))?"
_TAIL = rf"(?:(?:,| at)? {_TIME})?{_ZONE}{_AFTER}"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


# What nearly every row has; one look decides.
_ISO = re.compile(
    r"(?P<y>\d{4})-(?P<mo>\d\d)-(?P<d>\d\d)[T ]"
    r"(?P<h>\d\d):(?P<m>\d\d)(?::(?P<s>\d\d)(?:\.(?P<f>\d{1,30}))?)?(?P<zone>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_FORMS = (
    _form(
        rf"(?P<y>\d{{4}})([-/.])(?P<mo>\d\d?)\2(?P<d>\d\d?)(?:(?:[t_ ]|, | at ){_TIME})?{_ZONE}{_AFTER}"
    ),
    _form(
        rf"(?P<y>\d{{4}})(?P<mo>\d\d)(?P<d>\d\d)(?:(?:[t_ ]|-(?=\d\d:\d\d:)){_TIME})?{_ZONE}{_AFTER}"
    ),
    _form(
        rf"(?P<y>\d{{4}})(?P<mo>\d\d)(?P<d>\d\d)(?:[t_ ]|-(?=\d{{6}}))?{_COMPACT_TIME}{_ZONE}{_AFTER}"
    ),
    _form(rf"(?:{_WEEKDAY})?(?P<d>\d\d?)[ -]{_NAMED_MONTH}[ -](?P<y>\d{{4}}|\d\d),?{_TAIL}"),
    _form(rf"(?:{_WEEKDAY})?{_NAMED_MONTH} (?P<d>\d\d?),? (?P<y>\d{{4}}),?{_TAIL}"),
    _form(rf"{_WEEKDAY}{_NAMED_MONTH} (?P<d>\d\d?) {_TIME}{_ZONE} (?P<y>\d{{4}})"),
    _form(rf"(?P<a>\d\d?)([-/.])(?P<b>\d\d?)\2(?P<y>\d{{4}}|\d\d),?{_TAIL}"),
)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_COARSE = re.compile(r"\d{4}(?:-\d\d)?|\d{4}-\d\d-\d\d[T ]\d\d(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)

_UTC_WORDS = frozenset(("z", "utc", "gmt", "ut", "zulu"))
_ABBREVIATED = {
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}
_AMERICAN: Mapping[str, tzinfo] = {
    "et": NEW_YORK,
    "ct": ZoneInfo("America/Chicago"),
    "mt": ZoneInfo("America/Denver"),
    "pt": ZoneInfo("America/Los_Angeles"),
}
_EARLIEST, _LATEST = 1901, 2100  # 1900-01-01 is another missing time
_PLACEHOLDER = (datetime(1969, 12, 31, tzinfo=UTC), datetime(1970, 1, 2, tzinfo=UTC))
_COARSENESS = {Precision.INSTANT: 0, Precision.MINUTE: 1, Precision.DAY: 2}
_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


class _Written:
    """A stamp as it stands in the text: its fields, not yet a moment."""

    def __init__(
        self,
        found: re.Match[str],
        words: str,
        zone: ZoneInfo | None,
        at_most: Precision,
        order: DateOrder | None = None,
    ) -> None:
        self.fields = found.groupdict()
        self.words = words
        self.zone = zone
        self.at_most = at_most
        self.order = order

    def stamp(self) -> Stamp:
        try:
            day = self._day()
            if self.fields.get("h") is None:
                return _whole_day(
                    day, self._tz(datetime.combine(day, time(0))), self.zone, stated=True
                )
            local, more = self._time(day)
        except (ValueError, OverflowError) as exc:
            if isinstance(exc, BadRow):
                raise
            raise _bad(self.words) from None
        tz = self._tz(local)
        if self.at_most is Precision.DAY:
            return _whole_day(day, tz, self.zone)
        written = Precision.MINUTE if self.fields["s"] is None else Precision.INSTANT
        return _of_local(local, more, tz, _coarser(written, self.at_most))

    def _day(self) -> date:
        f = self.fields
        year = int(f["y"])
        if len(f["y"]) == 2:  # RFC 2822, 4.3
            year += 2000 if year < 50 else 1900
        if not _EARLIEST <= year < _LATEST:
            raise BadRow(
                "bad-stamp",
                f"{self.words!r} is in the year {year}, outside 1901 to 2099; correct it",
            )
        if f.get("named"):
            day = date(year, _MONTHS[f["named"].lower()], int(f["d"]))
        elif "a" in f:
            day = date(year, *self._ordered(int(f["a"]), int(f["b"])))
        else:
            day = date(year, int(f["mo"]), int(f["d"]))
        stated = f.get("weekday")
        if stated and _WEEKDAYS[day.weekday()] != stated.lower():
            raise BadRow(
                "bad-stamp",
                f"{self.words!r} contradicts itself: {day} was not a {stated}; correct one of the two",
            )
        return day

    def _ordered(self, a: int, b: int) -> tuple[int, int]:
        if self.order is None:
            raise BadRow(
                "ambiguous-date",
                f"{self.words!r} does not say which number is the month; state dates=dmy or dates=mdy for the whole file",
            )
        return (b, a) if self.order == "dmy" else (a, b)

    def _time(self, day: date) -> tuple[datetime, timedelta]:
        """The local time, and what is to be added to the moment it means: a leap second, the end of the day at 24:00, a
        fraction of a second rounded up.
        """
        f = self.fields
        hour, minute, second = int(f["h"]), int(f["m"]), int(f["s"] or 0)
        if half := f.get("half"):
            if not 1 <= hour <= 12:
                raise _bad(self.words)
            hour = hour % 12 + (12 if half in "pP" else 0)
        micros = 0
        if fraction := f["f"]:
            micros = int(fraction[:6].ljust(6, "0")) + (fraction[6:].strip("0") != "")
        more = timedelta(microseconds=micros)
        if second == 60:  # a leap second; the next second has the same number on our clock
            second, more = 59, more + _SECOND
        if (hour, minute, second) == (24, 0, 0):
            return datetime.combine(day + _DAY, time(0)), more
        return datetime.combine(day, time(hour, minute, second)), more

    def _tz(self, local: datetime) -> tzinfo:
        word, region = self.fields["zone"], self.fields.get("region")
        if word in ("Z", "+00:00") and not region:
            return UTC
        tz = self._worded(word, local) if word else None
        if region is None:
            return tz or _needed(self.zone, self.words)
        place = _place(region, self.words)
        if tz is None:
            return place
        # RFC 9557: "Z" before a place says only which moment, an offset must be one that the place had.
        shifts = {local.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1)}
        if word not in ("Z", "z") and local.replace(tzinfo=tz).utcoffset() not in shifts:
            raise BadRow(
                "bad-stamp",
                f"{self.words!r} contradicts itself: {region} was not at {word} then; correct one of the two",
            )
        return tz

    def _worded(self, word: str, local: datetime) -> tzinfo:
        word = word.lower()
        if word in _UTC_WORDS:
            return UTC
        if found := _SIGNED.fullmatch(word):
            shift = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
            if shift > timedelta(hours=15) or int(found[3] or 0) > 59:
                raise BadRow(
                    "bad-stamp",
                    f"{self.words!r} is further from UTC than any place; correct the offset",
                )
            return timezone(-shift if found[1] == "-" else shift)
        if "/" in word:
            return _place(self.fields["zone"], self.words)
        # "CST" is Chicago's, or Shanghai's if the reader says that it reads a Shanghai feed.
        if self.zone and (fold := _fold_named(word, local, self.zone)) is not None:
            return timezone(fold)
        if word in _ABBREVIATED:
            return _american(word, local)
        if word in _AMERICAN:
            return _AMERICAN[word]
        raise BadRow(
            "unknown-zone",
            f"{self.words!r}: {word.upper()} may be several zones; write an offset such as +01:00, or state the zone",
        )


_SIGNED = re.compile(r"(?:utc|gmt|ut)? ?([+-])(\d\d?)(?::?(\d\d))?", re.ASCII)


def _fold_named(word: str, local: datetime, zone: ZoneInfo) -> timedelta | None:
    """The zone's offset where it goes by that abbreviation at that local time."""
    for fold in (0, 1):
        there = local.replace(tzinfo=zone, fold=fold)
        if (there.tzname() or "").lower() == word:
            return there.utcoffset()
    return None


def _american(word: str, local: datetime) -> tzinfo:
    """EST, PDT, …: as RFC 2822 has them. Feeds write one of the pair all year round; where that puts the moment before
    what the clocks in that place showed, the clocks decide.
    """
    stated = timedelta(hours=_ABBREVIATED[word])
    place = _AMERICAN[f"{word[0]}t"]
    shown = [
        s
        for fold in (0, 1)
        if (s := local.replace(tzinfo=place, fold=fold).utcoffset()) is not None
    ]
    return timezone(stated if stated in shown else min(stated, *shown))


def _place(name: str, words: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadRow(
            "unknown-zone",
            f"{words!r}: there is no time zone {name!r}; write a name such as America/New_York",
        ) from None


def _needed(zone: ZoneInfo | None, words: str) -> ZoneInfo:
    if zone is None:
        raise BadRow(
            "no-time-zone",
            f"{words!r} has no time zone; write one into it (…Z, …-05:00), or state the zone of the file",
        )
    return zone


def _of_local(local: datetime, more: timedelta, tz: tzinfo, precision: Precision) -> Stamp:
    """An instant or a minute."""
    flags: list[str] = []
    if not (local.hour or local.minute or local.second or more):
        flags.append("midnight")
    minute = precision is Precision.MINUTE
    if minute:
        # A leap second is the 61st of its minute: that minute ends where the next begins, and is not the next.
        local, more = local.replace(second=0, microsecond=0), timedelta(0)
    first = local.replace(tzinfo=tz).astimezone(UTC)
    later = first
    if isinstance(tz, ZoneInfo):
        second = local.replace(tzinfo=tz, fold=1).astimezone(UTC)
        if second != first:
            flags.append("dst")
            later = max(first, second)
    published = later + more
    _check(published, local)
    return Stamp(published, precision, published + _MINUTE if minute else published, tuple(flags))


def _whole_day(day: date, tz: tzinfo, zone: ZoneInfo | None, *, stated: bool = False) -> Stamp:
    """A civil day as written. Cut down from a longer stamp (not stated as a day), it may have been meant in the reader's
    zone too, so it must have ended in both.
    """
    zones = [tz] if stated or zone is None else [tz, zone]
    starts = [datetime.combine(day, time(0), z).astimezone(UTC) for z in zones]
    ends = [
        datetime.combine(day + _DAY, time(0, fold=fold), z).astimezone(UTC)
        for z in zones
        for fold in (0, 1)
    ]
    _check(starts[0], day)
    return Stamp(min(starts), Precision.DAY, max(ends))


def _of_datetime(value: datetime, zone: ZoneInfo | None, at_most: Precision) -> Stamp:
    tz = value.tzinfo or _needed(zone, value.isoformat())
    if at_most is Precision.DAY:
        return _whole_day(value.date(), tz, zone)
    if value.tzinfo is not None and at_most is Precision.INSTANT:
        published = value.astimezone(UTC)  # its own fold is stated: nothing to guess
        _check(published, value)
        flags = () if value.time() != time(0) else ("midnight",)
        return Stamp(published, Precision.INSTANT, published, flags)
    local = value.replace(tzinfo=None, fold=0)
    more = timedelta(microseconds=local.microsecond)
    return _of_local(local - more, more, tz, at_most)


def _digits(number: int | float | Decimal) -> str:
    """Its digits without an exponent, so that 1.7e9 and 1700000000 are one number; what is endless or far too long is
    left as it is and refused.
    """
    if isinstance(number, int):
        return str(number) if abs(number) < 10**_LONGEST else "1e999"
    exact = Decimal(repr(number)) if isinstance(number, float) else number
    return f"{exact:f}" if exact.is_finite() and abs(exact.adjusted()) < _LONGEST else str(exact)


_UNITS = (
    (10**6, "seconds"),
    (10**3, "milliseconds"),
    (1, "microseconds"),
    (Decimal("0.001"), "ns"),
)
_FIRST = 631_152_000 * 10**6  # 1990-01-01 in microseconds: earlier ones have no length of their own
_LAST = 4_102_444_800 * 10**6  # 2100-01-01
_COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def _of_number(words: str, zone: ZoneInfo | None, at_most: Precision) -> Stamp:
    """Digits: a compact date, or a count since 1970 where only one unit puts it between 1990 and 2099."""
    if len(words) in _COMPACT and words.isdecimal() and str(_EARLIEST) <= words[:4] < str(_LATEST):
        form = _FORMS[1] if len(words) == 8 else _FORMS[2]
        if found := form.fullmatch(words):
            return _Written(found, words, zone, at_most).stamp()
    if "e" not in words.lower():  # 1.70548E+09 is what a spreadsheet leaves of a number
        count = Decimal(words)
        for unit, name in _UNITS:
            if _FIRST <= (micros := count * unit) < _LAST:
                if name == "seconds" and _is_an_hour(words):
                    raise BadRow(
                        "ambiguous-number",
                        f"{words} may be seconds since 1970 or a year, month, day and hour; write it as 2024-01-17T09:00:00Z",
                    )
                whole = int(micros)
                moment = from_micros(whole + (micros > whole))
                if at_most is Precision.INSTANT:
                    flags = () if whole % 86_400_000_000 or micros > whole else ("midnight",)
                    return Stamp(moment, Precision.INSTANT, moment, flags)
                return _of_datetime(from_micros(whole), zone, at_most)
    if _COARSE.fullmatch(words):
        raise BadRow("too-coarse", f"{words!r} does not state the day; state at least the day")
    raise BadRow(
        "bad-stamp",
        f"{words} is no time: seconds since 1970 have 9 or 10 digits, milliseconds 12 or 13; write 2024-01-17T09:30:00Z",
    )


def _is_an_hour(words: str) -> bool:
    """Whether ten digits also read as a year, month, day and hour."""
    try:
        datetime(int(words[:4]), int(words[4:6]), int(words[6:8]), int(words[8:10]), tzinfo=UTC)
    except ValueError:
        return False
    return len(words) == 10 and _EARLIEST <= int(words[:4]) < _LATEST


def _coarser(a: Precision, b: Precision) -> Precision:
    return a if _COARSENESS[a] >= _COARSENESS[b] else b


def _check(moment: datetime, words: object) -> None:
    if _PLACEHOLDER[0] <= moment < _PLACEHOLDER[1]:
        raise BadRow(
            "placeholder-stamp",
            f"{words} is what a missing time turns into; give the true time, or its day",
        )


def _bad(value: object) -> BadRow:
    shown = (
        repr(value[:60]) if isinstance(value, str) else f"a value of type {type(value).__name__}"
    )
    return BadRow(
        "bad-stamp",
        f"{shown} is not a time; write 2024-01-17T09:30:00Z, 2024-01-17 or an RFC 2822 date",
    )
