"""Lines of a CSV in, its records out, each with the number of its first line; a broken record costs one line, not the rest.

A record may run over several lines. Quotes are doubled inside quoted fields (RFC 4180); a quote inside a field that does
not begin with one is an ordinary character; spaces after a delimiter are no part of the field.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from csv import Error as CsvError
from csv import field_size_limit
from csv import reader as csv_reader
from typing import NamedTuple

from ingest.errors import BadRequest, Unreadable

_DELIMITERS = ",;\t|"
_BYTE = re.compile("[\udc80-\udcff]")  # a byte that was not UTF-8, as surrogateescape keeps it


class Record(NamedTuple):
    """line: of its first one; lines: as they came; problem: a reason ("bad-csv", "not-utf-8", "too-large",
    "wrong-columns") and a sentence, where the cells cannot be trusted.
    """

    line: int
    cells: list[str]
    lines: list[bytes]
    problem: tuple[str, str] | None = None


class CsvRecords:
    """columns: the head's names, none in an empty file; delimiter: the one that divides the head into most, or what
    Excel's line "sep=;" says. Iterating yields the records that are not blank, in memory that a long file does not fill.

    most: bytes that one record may have. Raises BadRequest where the first line is no head, Unreadable where it is not
    UTF-8.
    """

    def __init__(self, lines: Iterable[bytes], most: int) -> None:
        if field_size_limit() < most:
            field_size_limit(most)  # one for the whole process; only ever raised
        self._most = most
        self._feed = _Feed(iter(lines), most)
        self.columns: list[str] = []
        self.delimiter = ","
        try:
            self._read_head()
        except (_TooLong, CsvError):
            raise BadRequest(
                "the first line is no head of a CSV; give one with the names of the columns"
            ) from None

    def _read_head(self) -> None:
        line = next((line for line in self._feed if line.strip()), "")
        delimiters = _DELIMITERS
        if found := re.fullmatch(r"sep=(.)\s*", line, re.IGNORECASE):
            delimiters, line = found[1], next(self._feed, "")
        if _BYTE.search(line):
            raise Unreadable("not-utf-8", "the head of this CSV is not UTF-8", "save it as UTF-8")
        divided = {d: _cells(line, d) for d in delimiters}
        self.delimiter = max(divided, key=lambda d: len(divided[d]))
        self.columns = [name.strip() for name in divided[self.delimiter]]

    def __iter__(self) -> Iterator[Record]:
        feed = self._feed
        cells_of = csv_reader(feed, delimiter=self.delimiter, strict=True, skipinitialspace=True)
        while True:
            feed.begin()
            try:
                cells = next(cells_of)
            except StopIteration:
                return
            except _TooLong:
                yield self._broken(
                    f"a quote that opens here is not closed within {self._most:,} bytes"
                )
                continue
            except CsvError as exc:
                yield self._broken(f"not CSV ({exc})")
                continue
            if any(map(str.strip, cells)):
                (line, _), *_ = feed.taken
                yield Record(line, cells, [raw for _, raw in feed.taken], self._problem(cells))

    def _problem(self, cells: list[str]) -> tuple[str, str] | None:
        if any(map(_BYTE.search, cells)):
            return "not-utf-8", "the row is not UTF-8; save the file as UTF-8"
        if len(cells) == len(self.columns):
            return None
        more = len(cells) > len(self.columns)
        hint = "quote a text that contains the delimiter" if more else "it may be cut off"
        counts = f"{len(cells)} columns where the head has {len(self.columns)}"
        return "wrong-columns", f"{counts} (delimiter {self.delimiter!r}); {hint}"

    def _broken(self, what: str) -> Record:
        number, line = self._feed.give_up()
        if len(line) > self._most:
            why = f"the line is over {self._most:,} bytes; shorten its text"
            return Record(number, [], [line], ("too-large", why))
        why = f"{what}; close the quotes of a field, and double those inside it"
        return Record(number, [], [line], ("bad-csv", why))


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv_reader([line], delimiter=delimiter, skipinitialspace=True), [])


class _TooLong(Exception):
    pass


class _Feed:
    """Lines for csv.reader, numbered, one record's at a time; what a broken record has swallowed is given back.

    That stays linear. A line that neither ends nor breaks a quoted field has its quotes in pairs, and such a line, read
    again by itself, leaves nothing open; so no line is read more than three times.
    """

    def __init__(self, lines: Iterator[bytes], most: int) -> None:
        self._lines = enumerate(lines, start=1)
        self._most = most
        self._back: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self.taken: list[tuple[int, bytes]] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        number, line = self._back.popleft() if self._back else next(self._lines)
        self.taken.append((number, line))
        self._size += len(line)
        if self._size > self._most:
            raise _TooLong
        # Every line gets an end: without one, two would be joined inside a quoted field.
        text = line.decode("utf-8", "surrogateescape")
        return text if text.endswith("\n") else text + "\n"

    def begin(self) -> None:
        """The next record starts here."""
        self.taken = []
        self._size = 0

    def give_up(self) -> tuple[int, bytes]:
        """The first line of the record, alone; the others will be read again."""
        self._back.extendleft(reversed(self.taken[1:]))
        return self.taken[0]
