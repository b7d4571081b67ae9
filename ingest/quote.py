"""A document's text and some words in; the exact span where they stand out, with its hash.

A quote is never repaired: `find` is tolerant of how the words were typed, what it returns is
always the text as stored.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from unicodedata import normalize

from ingest.errors import BadRequest

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u00ab\u00bb"
# One unit for a run of spaces and dashes with a dash in it ("a - b", "a\u2014b", "a--b"): two
# neighbouring optional-space patterns would backtrack over each other on hostile input.
_UNIT = re.compile(
    rf"(?P<dash>\s*[{_DASHES}][{_DASHES}\s]*)|(?P<space>\s+)"
    rf"|(?P<quote>[{_QUOTES}]+)|(?P<dots>\u2026|\.{{3}})"
)
# Runs are bounded so that a megabyte of dashes costs time in proportion to its length, not to
# its square.
_PATTERN = {
    "dash": rf"\s{{0,80}}[{_DASHES}][{_DASHES}\s]{{0,80}}",
    "space": r"\s{1,80}",
    "quote": rf"[{_QUOTES}]{{1,80}}",
    "dots": r"(?:\u2026|\.{3})",
}


@dataclass(frozen=True, slots=True)
class Quote:
    """`text` is what is stored at the half-open [start, end); sha256 is of its UTF-8, in hex."""

    start: int
    end: int
    text: str
    sha256: str


def fingerprint(quote: str) -> str:
    """SHA-256 of the quote's UTF-8, in hex."""
    return sha256(quote.encode("utf-8")).hexdigest()


def quote_at(text: str, start: int, end: int) -> Quote:
    """The quote at [start, end). Raises BadRequest on a span that is empty or leaves the text."""
    if not 0 <= start < end <= len(text):
        raise BadRequest(f"[{start}, {end}) is no span of a text of {len(text)} characters")
    words = text[start:end]
    return Quote(start, end, words, fingerprint(words))


def find(text: str, words: str, within: tuple[int, int] | None = None) -> tuple[int, int] | None:
    """The first span where `words` stand in `text`, or None.

    Kinds of quotation marks, dashes and spaces do not matter; letters, their case and digits do.
    Leading and trailing spaces of `words` are dropped, so the span begins and ends on a character
    that was asked for.
    """
    low, high = within if within is not None else (0, len(text))
    low, high = max(low, 0), min(high, len(text))
    wanted = normalize("NFC", words).strip()
    if not wanted or low >= high:
        return None
    exact = text.find(wanted, low, high)
    if exact >= 0:
        return exact, exact + len(wanted)
    found = _tolerant(wanted).search(text, low, high)
    return found.span() if found else None


def check(text: str, start: int, end: int, quote: str, sha256: str) -> bool:
    """Whether `quote` is exactly what is stored at [start, end) and `sha256` is its hash."""
    inside = 0 <= start < end <= len(text)
    return inside and text[start:end] == quote and fingerprint(quote) == sha256


@lru_cache(maxsize=256)
def _tolerant(wanted: str) -> re.Pattern[str]:
    pieces: list[str] = []
    last = 0
    for unit in _UNIT.finditer(wanted):
        pieces.append(re.escape(wanted[last : unit.start()]))
        pattern = _PATTERN[str(unit.lastgroup)]
        if unit.lastgroup == "dash" and unit.start() == 0:  # no spaces from before the quote
            pattern = pattern.removeprefix(r"\s{0,80}")
        if unit.lastgroup == "dash" and unit.end() == len(wanted):  # and none from after it
            pattern += r"(?<!\s)"
        pieces.append(pattern)
        last = unit.end()
    pieces.append(re.escape(wanted[last:]))
    return re.compile("".join(pieces))
