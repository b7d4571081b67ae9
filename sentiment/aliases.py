"""Tables of tickers, RICs and company names in, each with the days on which it held; look-ups as of a day out.

A table is a TSV file with a head line and seven columns; lines that start with "#" are remarks:

    entity      the permanent id: "cik:320193", or an id of our own ("us:lehman-brothers"); "-" for kind `other`
    symbol      the ticker that a mention by this row speaks for
    exchange    where that is listed, as it is written: NYSE, NASDAQ, ARCA, OTC
    alias       what stands in the text
    kind        ticker   after "$", after an exchange, or among an item's given symbols
                ric      a Reuters code that is no US ticker with a US suffix ("BARC.L")
                name     found wherever it stands with its capitals
                short    a name that is a word or a person's name too: found where sentiment/wording.py says so
                other    a longer expression that holds a name and is not that company ("Ford Foundation")
    valid_from, valid_to    civil days in New York, half-open; empty where open

A ticker belongs to one entity a day. What was a ticker, or a name, on another day is not found on this one: today's list
applied to the news of 2006 would be look-ahead.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ingest.errors import BadRequest, NotKnown

PACKAGED = Path(__file__).parent / "aliases.tsv"
COLUMNS = ("entity", "symbol", "exchange", "alias", "kind", "valid_from", "valid_to")

SHORTEST_CASELESS = (
    4  # letters; a shorter name is found only with its capitals ("ge", "ups" are words)
)
_ALWAYS, _NEVER = date.min.toordinal(), date.max.toordinal() + 1


class Kind(StrEnum):
    """What an alias is, and so where it is looked for."""

    TICKER = "ticker"
    RIC = "ric"
    NAME = "name"
    SHORT = "short"
    OTHER = "other"


class Alias(NamedTuple):
    """One row. first, last: proleptic ordinals of its days, half-open."""

    entity: str
    symbol: str
    exchange: str
    alias: str
    kind: Kind
    first: int
    last: int


class Name(NamedTuple):
    """A way to write one or more rows' name: what must stand in the text, and the rows, which share no day."""

    text: str
    rows: tuple[Alias, ...]

    def on(self, day: int) -> Alias | None:
        """The row that holds on a day."""
        for row in self.rows:
            if row.first <= day < row.last:
                return row
        return None


Names = Mapping[str, tuple[Name, ...]]  # first word -> the names that begin with it, longest first


class Aliases:
    """Rows, ready to be looked up. Where rows of two tables speak of one alias on one day, the earlier table's holds."""

    def __init__(self, *tables: Sequence[Alias]) -> None:
        rows = [row for table in tables for row in table]
        self._tickers = _by(row for row in rows if row.kind is Kind.TICKER)
        self._rics = _by(row for row in rows if row.kind is Kind.RIC)
        written: dict[str, list[Alias]] = defaultdict(list)
        caseless: dict[str, list[Alias]] = defaultdict(list)
        for row in rows:
            if row.kind in (Kind.TICKER, Kind.RIC):
                continue
            for text in _spellings(row.alias):
                written[text].append(row)
            if sum(map(str.isalpha, row.alias)) >= SHORTEST_CASELESS:
                for text in {each.lower() for each in _variants(row.alias)}:
                    caseless[text].append(row)
        self.names = _by_first_word(written)
        self.caseless = _by_first_word(caseless)

    def ticker(self, ticker: str, day: int) -> Alias | None:
        """Whose ticker it was on that day; classes of shares are written "BRK.B"."""
        return _on(self._tickers.get(ticker, ()), day)

    def ric(self, ric: str, day: int) -> Alias | None:
        """Whose Reuters code it was on that day."""
        return _on(self._rics.get(ric, ()), day)


def first_word(text: str) -> str:
    """The letters and digits that a name begins with."""
    found = _WORD.match(text)
    return found[0] if found else ""


def read_aliases(path: Path) -> list[Alias]:
    """The rows of a table, in its order. Raises NotKnown without a file, BadRequest with the line that is wrong."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as exc:
        raise NotKnown(f"cannot read the aliases in {path}: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise BadRequest(f"{path.name} is not UTF-8") from None
    numbered = [
        (number, line.split("\t"))
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if not numbered or tuple(numbered[0][1]) != COLUMNS:
        raise BadRequest(
            f"{path.name} must begin with the columns {', '.join(COLUMNS)}, tabs between"
        )
    rows = []
    for number, cells in numbered[1:]:
        try:
            rows.append(_row(cells))
        except BadRequest as exc:
            raise BadRequest(f"{path.name}, line {number}: {exc}") from None
    _refuse_shared_days(path.name, rows)
    return rows


_WORD = re.compile(r"[^\W_]+")
_LEGAL = (
    (" Co", " Company"),
    (" Cos", " Companies"),
    (" Corp", " Corporation"),
    (" Inc", " Incorporated"),
)


def _row(cells: Sequence[str]) -> Alias:
    if len(cells) != len(COLUMNS):
        raise BadRequest(f"{len(cells)} columns, not {len(COLUMNS)}")
    entity, symbol, exchange, alias, kind, valid_from, valid_to = map(str.strip, cells)
    if kind not in list(Kind):
        raise BadRequest(f"no kind {kind!r}; there are {', '.join(Kind)}")
    if not alias or not entity or (not symbol and kind != Kind.OTHER):
        raise BadRequest("entity, symbol and alias must not be empty")
    if kind not in (Kind.TICKER, Kind.RIC) and not first_word(alias):
        raise BadRequest(f"a name must begin with a letter or a digit, not {alias!r}")
    first, last = _day(valid_from, _ALWAYS), _day(valid_to, _NEVER)
    if first >= last:
        raise BadRequest(f"valid_to {valid_to} must be later than valid_from {valid_from}")
    return Alias(entity, symbol, exchange, alias, Kind(kind), first, last)


def _day(text: str, otherwise: int) -> int:
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        raise BadRequest(f"{text!r} is not a day; write 2015-10-02") from None


def _refuse_shared_days(file: str, rows: Iterable[Alias]) -> None:
    """Two entities with one alias on one day: which is meant, nobody could say."""
    sharing: dict[tuple[str, bool], list[Alias]] = defaultdict(list)
    for row in rows:
        sharing[row.alias, row.kind in (Kind.TICKER, Kind.RIC)].append(row)
    for same in sharing.values():
        for one, next_one in pairwise(sorted(same, key=lambda row: row.first)):
            if next_one.first < one.last:
                raise BadRequest(
                    f"{file}: {one.alias!r} means {one.entity} and {next_one.entity} on"
                    f" {date.fromordinal(next_one.first)}"
                )


def _by(rows: Iterable[Alias]) -> dict[str, tuple[Alias, ...]]:
    found: dict[str, list[Alias]] = defaultdict(list)
    for row in rows:
        found[row.alias].append(row)
    return {alias: tuple(same) for alias, same in found.items()}


def _on(rows: Sequence[Alias], day: int) -> Alias | None:
    for row in rows:
        if row.first <= day < row.last:
            return row
    return None


def _by_first_word(written: Mapping[str, Sequence[Alias]]) -> Names:
    found: dict[str, list[Name]] = defaultdict(list)
    for text, rows in written.items():
        found[first_word(text)].append(Name(text, tuple(rows)))
    return {
        word: tuple(sorted(names, key=lambda name: (-len(name.text), name.text)))
        for word, names in found.items()
    }


def _variants(name: str) -> Iterator[str]:
    """The name, and with "and" for "&", a space for a hyphen, "Company" for "Co"; as HTML writes it too."""
    yield name
    if "&" in name:
        yield name.replace("&", "&amp;")
    if " & " in name:
        yield name.replace(" & ", " and ")
    if "-" in name:
        yield name.replace("-", " ")
    for short, long in _LEGAL:
        if name.endswith(short):
            yield name[: -len(short)] + long


def _spellings(name: str) -> set[str]:
    """How a name stands in a text with capitals: as it is, all in capitals, and with only its words' first ones
    ("Blackrock")."""
    found = set(_variants(name))
    if sum(map(str.isalpha, name)) > SHORTEST_CASELESS:
        plain = (
            [re.sub(r"[^\W_]+", lambda word: word[0].capitalize(), name)] if "'" not in name else []
        )
        found |= {name.upper(), *(each for each in plain if name.lower() != name)}
    return found
