"""A Document under reading in; its beginning, its end and its fields, with the offsets of the
whole text, out.
"""

import re

from ingest.document import Authority, Document, Kind, Where
from ingest.origin import head_of

SEC = "Securities and Exchange Commission"
OURS = "found in "  # places that describe() wrote; a second call reads these fields again
_TAIL = 4000


class Reading:
    """A document under reading: its beginning and end, with the offsets of the whole text."""

    def __init__(self, document: Document, name: str) -> None:
        self.document = document
        self.metadata = document.metadata
        self.name = name
        self.text = document.text
        self.head = head_of(document)
        self.tail_start = max(0, len(self.text) - _TAIL)
        self.fields = {s.label: s for s in document.sections if s.kind is Kind.HEADER and s.label}

    @property
    def tail(self) -> str:
        return self.text[self.tail_start :]

    @property
    def official(self) -> bool:
        return self.metadata.authority is Authority.OFFICIAL_TEXT

    def set(self, name: str, value: object, place: str, start: int = -1, end: int = -1) -> None:
        """Set a field that is still empty; what was given or parsed stays."""
        if value in (None, "", ()) or name in self.metadata.where:
            return
        if getattr(self.metadata, name, None) not in (None, ()):
            return
        setattr(self.metadata, name, value)
        self.metadata.where[name] = Where(OURS + place, start, end)

    def forget(self, name: str) -> None:
        """Empty a field, so that it can be set anew."""
        setattr(self.metadata, name, None)
        self.metadata.where.pop(name, None)

    def find(self, name: str, pattern: re.Pattern[str], place: str = "header") -> None:
        """Set a text field from the first match in the head."""
        if match := pattern.search(self.head):
            self.set(name, match[1].replace("\u2013", "-"), place, match.start(1), match.end(1))


FR_NUMBER = (
    r"(?:[A-Z]\d[-\u2013]\d{3,6}|(?:9[4-9]|0\d)[-\u2013]\d{3,6}|(?:19|20)\d\d[-\u2013]\d{4,6})"
)
FR_IN_ADDRESS = re.compile(rf"/({FR_NUMBER})(?=[./?#]|$)")
FR_FILED = re.compile(
    rf"\[FR Doc\. ({FR_NUMBER}) Filed (\d{{1,2}})[-\u2013](\d{{1,2}})[-\u2013](\d{{2,4}}); "
    rf"(\d{{1,2}}):(\d\d) ?([ap])\.?m\.?\]"
)
FR_VOLUME = re.compile(
    r"\[Federal Register(?: Volume (\d+), Number \d+)?[ :(]+(?:\w+day, )?(\w+ \d{1,2}, "
    r"\d{4})(?: \(Volume (\d+))?"
)
# The head of the page in the printed issue: "Vol. 85, No. 152", "Thursday, August 6, 2020".
FR_RUNNING = re.compile(
    r"Federal Register[\s/]+Vol\. (\d+), No\. \d+[\s/]+\w+day, (\w+ \d{1,2}, \d{4})", re.IGNORECASE
)
