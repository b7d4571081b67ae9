"""A Document under reading in, its days set: published, effective, compliance, public inspection.

A day is set only where it is stated as one; "60 days after publication" stays a wording.
"""

import re
from datetime import UTC, date, datetime, time

from ingest.civil import MONTH, Day, day_at, days
from ingest.document import Authority, DocType, Where
from ingest.known import DUE_BY, LATEST
from ingest.moment import NEW_YORK
from ingest.origin import MIRRORS, is_summary, on_site
from ingest.reading import FR_FILED, FR_RUNNING, FR_VOLUME, OURS, Reading


def read_dates(reading: Reading) -> None:
    if reading.metadata.doc_type not in (DocType.FILING, DocType.REGULATION, DocType.STATUTE):
        _read_published(reading)
        if reading.official or is_summary(reading.head):
            _read_when(reading, "effective", _EFFECTIVE)
            _read_when(reading, "compliance", _COMPLIANCE)
    _read_filed(reading)
    if reading.metadata.published_on is None and reading.metadata.accepted_at is None:
        _read_bounds(reading)


_URL_DAYS = (
    re.compile(r"/(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})(?=/|$)"),
    re.compile(r"/fr/(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})/"),
    re.compile(r"/FR-(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)/"),
    re.compile(r"/[a-z]+-(?P<m>\d\d)(?P<d>\d\d)(?P<y>\d\d)-"),
)
_PUBLISHED = re.compile(
    r"(?i)(?:\bpublication[ _]date|"
    r"(?-i:\bPublished))(?:\s+on)?[\s:]*(?=\w{3,9}\.? \d{1,2}, ?\d{4}|\d{4}-\d\d-\d\d)"
)
_BYLINE = re.compile(r"(?m)^(?P<d>\d{2})/(?P<m>\d{2})/(?P<y>\d{4}) \| Press release")
_ISSUE = re.compile(r"Federal Register Volume \d+, Issue \d+ \((\w+ \d{1,2}, \d{4})\)")
_RECORD = re.compile(r"federalregister\.gov/documents/(\d{4})/(\d\d)/(\d\d)/")


def _read_published(reading: Reading) -> None:
    """The source's own stamp, strongest first: Federal Register head, signature, address,
    byline.
    """
    head, url = reading.head, reading.metadata.url or ""
    for pattern, group in ((FR_VOLUME, 2), (FR_RUNNING, 2), (_ISSUE, 1)):
        if (match := pattern.search(head)) and (day := next(iter(days(match[group])), None)):
            reading.set(
                "published_on",
                day.on,
                "Federal Register header",
                match.start(group),
                match.end(group),
            )
    official_host = on_site(url, MIRRORS - {"sec.gov"})
    if official_host and (day_in := _url_day(url)):
        reading.set("published_on", day_in, "Federal Register address")
    if reading.metadata.authority is Authority.SECONDARY:
        _read_record(reading)
    elif signed := _signature(reading):
        reading.set("published_on", signed.on, "signature", signed.start, signed.end)
    if day_in := _url_day(url):
        reading.set("published_on", day_in, "url")
    if match := _BYLINE.search(head[:1500]):
        on = date(int(match["y"]), int(match["m"]), int(match["d"]))
        reading.set("published_on", on, "byline", match.start(), match.end())
    stated = next(iter(days(head[:700])), None)
    if stated and reading.metadata.authority is Authority.OFFICIAL_STATEMENT:
        reading.set("published_on", stated.on, "byline", stated.start, stated.end)


def _read_record(reading: Reading) -> None:
    """The publication date of the document that a tracker or database row is about: its content
    was public then.
    """
    if (match := _PUBLISHED.search(reading.head)) and (day := day_at(reading.head, match.end())):
        reading.set("published_on", day.on, "Federal Register record", day.start, day.end)
    if match := _RECORD.search(reading.head):
        on = date(int(match[1]), int(match[2]), int(match[3]))
        reading.set("published_on", on, "Federal Register record", match.start(), match.end())


def _url_day(url: str) -> date | None:
    for pattern in _URL_DAYS:
        if match := pattern.search(url):
            year = int(match["y"]) + (2000 if len(match["y"]) == 2 else 0)
            try:
                return date(year, int(match["m"]), int(match["d"]))
            except ValueError:
                continue
    return None


_SIGNED = re.compile(
    r"(?m)(?:^|\n)(?:By the Commission\.\s*)?(?:Dated|Date):? ?(?=[A-Z][a-z]+ \d{1,2}, \d{4}\.?)"
)
_DAY_LINE = re.compile(rf"(?m)^(?:Start Printed Page \d+ )?({MONTH} \d{{1,2}}, \d{{4}})\.$")


def _signature(reading: Reading) -> Day | None:
    """ "Dated: June 9, 2005." near the end, or the line of an order that is its date and nothing
    else.
    """
    for text, offset in ((reading.tail, reading.tail_start), (reading.head, 0)):
        matches = list(_SIGNED.finditer(text))
        if matches and (day := day_at(text, matches[-1].end())):
            return Day(day.on, offset + day.start, offset + day.end)
    begins = reading.text[: max(len(reading.head), 3000)]
    if match := _DAY_LINE.search(begins):
        day = next(iter(days(match[1])), None)
        return Day(day.on, match.start(1), match.end(1)) if day else None
    return None


_EFFECTIVE = re.compile(
    r"(?i)\beffective dates?(?: of [^.:]{3,80})?\s*[:.]?\s*|\b(?:is|are|becomes?|"
    r"will be(?:come)?) effective (?:on )?|"
    r"· Effective (?=\d{4}-)"
)
_COMPLIANCE = re.compile(r"(?i)\bcompliance dates?\s*[:.]\s*")
_PLACEHOLDER = re.compile(r"(?i)\[\s*(?:insert )?(?:date|\d+ (?:days|months))[^\]]*\]?|^\s*\[")


def _read_when(reading: Reading, what: str, cue: re.Pattern[str]) -> None:
    """A civil date only where it is stated right after the cue; any other wording is kept as
    text.
    """
    region, offset = _when_region(reading, what)
    match = cue.search(region)
    if not match:
        return
    rest = region[match.end() :]
    end = _end_of_sentence(rest)
    sentence = re.sub(r"\s+", " ", rest[:end]).strip()
    day = day_at(region, match.end())
    stated = list(days(rest[:end]))
    if (
        day is None
        and what == "compliance"
        and len(stated) == 1
        and "see section" not in sentence.lower()
    ):
        day = Day(stated[0].on, match.end() + stated[0].start, match.end() + stated[0].end)
    if _PLACEHOLDER.search(rest[: day.start - match.end() if day else end]):
        day = None
    if day:
        reading.set(f"{what}_on", day.on, "DATES", offset + day.start, offset + day.end)
    elif len(sentence) > 5:
        at = offset + match.end()
        reading.set(f"{what}_text", sentence[:500], "DATES", at, at + end)


def _end_of_sentence(text: str) -> int:
    match = re.search(r"\.(?=\s+(?:[A-Z]|$)|$)|\n", text)
    return match.start() + 1 if match else len(text)


def _when_region(reading: Reading, what: str) -> tuple[str, int]:
    labels = {
        "effective": ("EFFECTIVE DATE", "EFFECTIVE DATES"),
        "compliance": ("COMPLIANCE DATE", "COMPLIANCE DATES"),
    }
    for label in (*labels[what], "DATES", "DATE"):
        if label in reading.fields:
            section = reading.fields[label]
            return reading.text[section.start : section.end], section.start
    return ("", 0) if reading.fields.keys() & {"SUMMARY", "ACTION"} else (reading.head[:4000], 0)


def _read_filed(reading: Reading) -> None:
    """ "[FR Doc. … Filed 2-9-24; 8:45 am]" is when the document went on public inspection, to
    the minute.
    """
    filed = FR_FILED.search(reading.text) if reading.official else None
    if not filed:
        return
    _, month, day, year, hour, minute, half = filed.groups()
    full = int(year) + (1900 if int(year) > 60 else 2000) if len(year) == 2 else int(year)
    try:
        local = datetime.combine(
            date(full, int(month), int(day)),
            time(int(hour) % 12 + (12 if half == "p" else 0), int(minute)),
            NEW_YORK,
        )
    except ValueError:
        return
    at = filed.start()
    reading.set(
        "accepted_at",
        local.astimezone(UTC),
        "Federal Register public inspection",
        at,
        at + len(filed[0]),
    )


_NOT_PAST = re.compile(
    r"(?i)\b(?:effective|comply|compliance|until|through|expires?|expired|by|before|after|due|"
    r"later than|beginning|"
    r"starting|scheduled|deadline|ending|first|until the|as of)(?: (?:on|date|dates|is|of|"
    r"from))*[ :]*$"
)
_AMENDMENT_NOTE = re.compile(r"Link to an amendment published at \d+ FR \d+, [^\n]{6,20}\d{4}")
_DUE = re.compile(r"(?i)comments (?:should|must) be (?:received|submitted) (?:on or before|by)\s*")


def _read_bounds(reading: Reading) -> None:
    """Where no day is stated: the latest day the text speaks of as past, and the day comments
    were due by.
    """
    own = {reading.metadata.effective_on, reading.metadata.compliance_on}
    latest: Day | None = None
    codified = reading.metadata.doc_type in (DocType.REGULATION, DocType.STATUTE)
    if reading.metadata.doc_type is DocType.FILING:
        return  # a filing speaks of days to come: maturities, meetings, payments
    # Codified text speaks of old days in its newest wording; only a note on a coming amendment
    # dates it.
    note = _AMENDMENT_NOTE.search(reading.head) if codified else None
    text = note[0] if note else "" if codified else reading.text
    shift = note.start() if note else 0
    for day in (Day(d.on, d.start + shift, d.end + shift) for d in days(text)):
        before = reading.text[max(0, day.start - 30) : day.start]
        if day.on in own or _NOT_PAST.search(before):
            continue
        if latest is None or day.on > latest.on:
            latest = day
    if latest:
        reading.metadata.where[LATEST] = Where(f"{OURS}text: {latest.on}", latest.start, latest.end)
    if (match := _DUE.search(reading.head)) and (due := day_at(reading.head, match.end())):
        reading.metadata.where[DUE_BY] = Where(f"{OURS}DATES: {due.on}", due.start, due.end)
