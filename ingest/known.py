"""Metadata in; which work a document is, and since when anybody could have read it, out."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from ingest.civil import MONTH, days
from ingest.document import Authority, DocType, Metadata, Where
from ingest.moment import federal_register_morning, next_midnight
from ingest.origin import MIRRORS, on_site

LATEST, DUE_BY = "latest_date", "comments_due"


def _bound(metadata: Metadata, name: str) -> date | None:
    where = metadata.where.get(name)
    return date.fromisoformat(where.place[-10:]) if where else None


def identifiers(metadata: Metadata) -> list[tuple[str, str]]:
    """(scheme, value) by which manifestations are one work, strongest first; none for a
    secondary source.

    Schemes: "sec" release, "fr" document number, "frcite" page, "accession", "cfr" title:section,
    "usc" title:section, "eu" number:unit. Of codified text each section is a work; a translation is
    a work of its own.
    """
    if metadata.authority is not Authority.OFFICIAL_TEXT:
        return []
    own: list[tuple[str, str | None]] = [
        ("sec", metadata.release),
        ("fr", metadata.fr_document),
        ("frcite", metadata.fr_citation),
        ("accession", metadata.accession),
    ]
    if metadata.doc_type is DocType.REGULATION and len(metadata.cfr_sections) == 1:
        title = re.match(r"(\d+) CFR\b", metadata.title or "")
        own.append(("cfr", f"{title[1] if title else 17}:{metadata.cfr_sections[0]}"))
    for number in metadata.file_numbers:
        if match := re.fullmatch(r"(\d+) U\.S\.C\. (\S+)", number):
            own.append(("usc", f"{match[1]}:{match[2]}"))
        elif match := re.fullmatch(r"EU (\d+/\d+) (.+)", number):
            language = f":{metadata.language}" if metadata.language not in (None, "en") else ""
            own.append(("eu", f"{match[1]}:{match[2]}{language}"))
    return [(scheme, value) for scheme, value in own if value]


def public_moment(metadata: Metadata, retrieved_at: datetime | None) -> tuple[datetime | None, str]:
    """When anybody could first have read it, and on what that rests.

    A stated moment or day comes first. Without one, a moment by which the document certainly was
    public is better than none: a final rule is published by the day it takes effect, a proposal
    before its comments are due, a file under /2018/ by the end of 2018. These are late rather than
    early: being late hides a document for some weeks, being early would show what nobody could have
    known. The latest day a text speaks of is a lower bound only; it is used for official text that
    offers nothing else.
    """
    place = metadata.where.get("published_on", Where("")).place
    if metadata.accepted_at:
        filed = metadata.where.get("accepted_at", Where("")).place.endswith("public inspection")
        return metadata.accepted_at, "federal register" if filed else "edgar acceptance"
    if metadata.published_on:
        in_register = "Federal Register" in place or (metadata.primary or "").startswith("fr:")
        if in_register:
            return federal_register_morning(metadata.published_on), "federal register"
        released = (
            metadata.authority is Authority.OFFICIAL_TEXT
            and metadata.doc_type is not DocType.FILING
        )
        return next_midnight(metadata.published_on), "release date" if released else "day stamp"
    return _bounded(metadata, retrieved_at)


def _bounded(metadata: Metadata, retrieved_at: datetime | None) -> tuple[datetime | None, str]:
    official = metadata.authority is not Authority.SECONDARY
    by: list[tuple[datetime, str]] = []
    if official and metadata.effective_on:
        by.append((federal_register_morning(metadata.effective_on), "effective date"))
    if official and (due := _bound(metadata, DUE_BY)):
        by.append((next_midnight(due), "comments due"))
    if official and (last := _last_day_of_address(metadata.url or "")):
        by.append((next_midnight(last), "address"))
    if by:
        return min(by)
    latest = _bound(metadata, LATEST)
    if (
        latest
        and metadata.authority is Authority.OFFICIAL_TEXT
        and (retrieved_at is None or next_midnight(latest) <= retrieved_at)
    ):
        return next_midnight(latest), "latest date in text"
    if retrieved_at:
        return retrieved_at, "retrieved"
    return None, "unknown"


def _last_day_of_address(url: str) -> date | None:
    """The last day of the year, or month, an official address is filed under."""
    if not on_site(url, MIRRORS):
        return None
    if match := re.search(r"/((?:19|20)\d\d)/(0[1-9]|1[0-2])(?=/)", url):
        year, month = int(match[1]), int(match[2])
        return date.fromordinal(date(year + month // 12, month % 12 + 1, 1).toordinal() - 1)
    if match := re.search(r"/((?:19|20)\d\d)(?=/)", url):
        return date(int(match[1]), 12, 31)
    return None


@dataclass(frozen=True, slots=True)
class Cited:
    """A release as another document cites it: "Release No. 51808 (June 9, 2005), 70 FR 37496
    (June 29, 2005)".
    """

    release: str
    signed_on: date
    fr_citation: str | None
    fr_on: date | None
    start: int
    end: int


_CITED = re.compile(
    rf"\bRel(?:ease|\.) Nos?\. ?(?:34-)?(\d{{4,6}}) ?\(({MONTH}\.? \d{{1,2}}, ?\d{{4}})\)"
    rf"(?:, (\d{{2,3}} (?:FR|"
    rf"Fed\. Reg\.) \d{{2,6}})(?:, \d+(?:[-\u2013]\d+)?)? ?(?:\(({MONTH}\.? \d{{1,2}}, "
    rf"?\d{{4}})\))?)?"
)


def cited_releases(text: str) -> list[Cited]:
    """Exchange Act releases a text cites with their dates; how the day of a release is known
    that states none.
    """
    found: list[Cited] = []
    for match in _CITED.finditer(text):
        signed = next(iter(days(match[2])), None)
        printed = next(iter(days(match[4])), None) if match[4] else None
        if signed:
            citation = match[3].replace("Fed. Reg.", "FR") if match[3] else None
            on = printed.on if printed else None
            found.append(
                Cited(f"34-{match[1]}", signed.on, citation, on, match.start(), match.end())
            )
    return found
