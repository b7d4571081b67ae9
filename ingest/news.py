"""Rows of news in (JSON lines, CSV, or mappings from HTTP), NewsItems and, for what cannot be one, Rejected out.

    our field     what a row may hold                                           without it
    id            text or a whole number, at most 500 characters                "sha256-" and 16 hex digits of source, stamp,
                                                                                headline and body
    source        text, at most 200 characters                                  rejected
    published_at  a time in any form of ingest.news_stamp, with its zone        rejected
    precision     instant, minute or day: believe no more of the stamp          as much as the stamp states
    headline      text; white space is made single, beyond 1,000 characters     rejected, but for a retraction
                  cut at a word ("truncated"), the whole kept as the body
                  where there is none
    body          text, beyond 200,000 characters cut ("truncated")             ""
    symbols       a list, or a text divided by , ; | or, without those, by      none
                  white space; at most 200
    language      a code: en, en-US, pt_BR, deu                                 en
    received_at   a time, like published_at                                     None
    kind          item, correction or retraction                                item
    refers_to     the id, in the same source, that it corrects or retracts      None; a correction or retraction is rejected
    url           http or https                                                 None, also where it is another ("bad-url")

A field stands in the column of its own name, or where `Reading.fields` says; in JSON that may be a path into objects
("publisher.name"). Other columns are ignored. Empty text, null, and what exports write for nothing (nan, NaN, None,
null, NULL, N/A, NaT, <NA>) are no value. `Reading.constants` fixes a field for all rows, and can hold one name more:
dates=dmy or dates=mdy, the order in dates such as 5/7/2022.

Flags: "future" (more than five minutes after the clock), "midnight" and "dst" (see ingest.news_stamp), "truncated",
"bad-url", "stripped-controls": characters that show nothing were taken out of the text (controls, direction overrides,
zero-width spaces, tags), those of 0x80 to 0x9F were read as Windows-1252, and half surrogates became U+FFFD.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Literal, NoReturn, Protocol, get_args
from zoneinfo import ZoneInfo

from ingest import moment
from ingest.csv_records import CsvRecords
from ingest.errors import BadRequest, Unreadable
from ingest.moment import Clock, to_micros
from ingest.news_fields import (
    MAX_BODY,
    MAX_HEADLINE,
    MAX_SOURCE,
    NOTHING,
    Kind,
    as_json,
    cut,
    id_of,
    kind_of,
    language_of,
    line_of,
    paragraphs,
    precision_of,
    reference_of,
    short,
    symbols_of,
    text_of,
    url_of,
)
from ingest.news_stamp import BadRow, DateOrder, Precision, Stamp, read_stamp

__all__ = [
    "FIELDS",
    "REASONS",
    "BadRow",
    "Format",
    "Kind",
    "NewsItem",
    "Precision",
    "Reading",
    "Rejected",
    "bounded_lines",
    "open_news",
    "read_news",
    "read_row",
]

Format = Literal["jsonl", "csv"]

MAX_LINE = 1_000_000  # bytes of a row, all its lines together
FUTURE = timedelta(minutes=5)

FIELDS = (
    "id", "source", "published_at", "precision", "headline", "body", "symbols", "language", "received_at", "kind",
    "refers_to", "url",
)  # fmt: skip
_DATES = "dates"

REASONS: Mapping[str, str] = {
    "bad-json": "the line is not JSON",
    "duplicate-key": "an object names a key twice",
    "not-an-object": "the line is JSON, but not an object",
    "not-utf-8": "the row is in another encoding",
    "bad-csv": "quotes that do not close, or close inside a field",
    "wrong-columns": "more or fewer columns than the head",
    "too-large": "the row, or one of its fields, is over its limit",
    "not-text": "a field that is text holds something else",
    "missing-headline": "no headline",
    "missing-source": "no source",
    "missing-stamp": "no published_at",
    "bad-stamp": "a time that is none",
    "no-time-zone": "a time without a zone, and no zone stated for the file",
    "unknown-zone": "a zone that is not known or not one",
    "ambiguous-date": "5/7/2022, and no order stated",
    "ambiguous-number": "a number that is a time in two ways",
    "too-coarse": "a month, a year or an hour",
    "placeholder-stamp": "1970-01-01, what a missing time turns into",
    "bad-precision": "none of instant, minute, day",
    "bad-id": "an id that is neither text nor a whole number",
    "bad-symbols": "symbols that are no list and no text, or one that is no symbol",
    "bad-language": "no language code",
    "bad-kind": "none of item, correction, retraction",
    "missing-refers-to": "a correction or retraction of nothing",
    "unexpected-refers-to": "an ordinary item that refers to another",
}


@dataclass(frozen=True, slots=True)
class NewsItem:
    """One record of a source, as it came in.

    published_at, public_at and received_at are aware UTC. published_at is the stamp, or the start of the minute or civil
    day that it states; public_at the earliest moment by which it was certainly public, so the known_at of a backfill: the
    instant itself, the end of the minute, the midnight that ends the day. symbols: upper case, in the order given.
    refers_to: the id, in the same source, that a correction or retraction is about. Raises BadRequest where the moments
    are naive, in another zone, or public_at is before published_at.
    """

    id: str
    source: str
    published_at: datetime
    precision: Precision
    public_at: datetime
    headline: str
    body: str = ""
    symbols: tuple[str, ...] = ()
    language: str = "en"
    received_at: datetime | None = None
    kind: Kind = Kind.ITEM
    refers_to: str | None = None
    url: str | None = None
    flags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("published_at", "public_at", "received_at"):
            at: datetime | None = getattr(self, name)
            if at is not None and at.utcoffset() != _NO_SHIFT:
                raise BadRequest(f"{name} of {self.id!r} is {at.isoformat()}; give it in UTC")
        if self.public_at < self.published_at:
            raise BadRequest(f"{self.id!r} would be public before it was published")

    @property
    def content_hash(self) -> str:
        """SHA-256 (hex) of what the item says and since when: all but received_at, url and flags. The same on every
        machine, in every process, for every form the row came in.
        """
        said = (
            "news-1", self.id, self.source, to_micros(self.published_at), self.precision, to_micros(self.public_at),
            self.headline, self.body, self.symbols, self.language, self.kind, self.refers_to,
        )  # fmt: skip
        return sha256(_canonical(said)).hexdigest()


_NO_SHIFT = timedelta(0)


def _canonical(values: Sequence[object]) -> bytes:
    """JSON in ASCII: one spelling per list of values."""
    return json.dumps(values, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no news: its (first) line, a code of REASONS, a sentence that says what to do, and the row as it came
    (the first 1,000 characters of one over the limit).
    """

    line: int
    reason: str
    message: str
    raw: str


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are read: which column holds a field, what is the same for all rows, the zone of stamps without one.

    Raises BadRequest naming the right names or values.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    zone: ZoneInfo | None = None

    def __post_init__(self) -> None:
        _check_names(self.fields, FIELDS, "to a column")
        _check_names(self.constants, (*FIELDS, _DATES), "to a value")
        if both := sorted(self.fields.keys() & self.constants.keys()):
            raise BadRequest(f"{', '.join(both)}: give a column or a value, not both")
        if self.order not in (None, *get_args(DateOrder)):
            raise BadRequest(f"dates cannot be {self.order!r}; give dmy or mdy")
        try:
            precision_of(self.constants.get("precision"))
            kind_of(self.constants.get("kind"))
            language_of(self.constants.get("language"))
            symbols_of(self.constants.get("symbols"), [])
        except BadRow as exc:
            raise BadRequest(str(exc)) from None

    @property
    def order(self) -> DateOrder | None:
        """The stated order of all-digit dates."""
        return self.constants.get(_DATES)  # type: ignore[return-value]

    def value(self, row: Mapping[str, object], name: str) -> object:
        """What the row, or the constant, holds for one of our fields; None where that is nothing."""
        if name in self.constants:
            value: object = self.constants[name]
        elif (column := self.fields.get(name, name)) in row or "." not in column:
            value = row.get(column)
        else:
            value = _at(row, column.split("."))
        return None if isinstance(value, str) and value.strip() in NOTHING else value


def _check_names(given: Mapping[str, str], right: Sequence[str], what: str) -> None:
    if wrong := sorted(given.keys() - set(right)):
        raise BadRequest(f"no field {', '.join(wrong)} to map {what}; there are {', '.join(right)}")


def _at(row: Mapping[str, object], path: Sequence[str]) -> object:
    value: object = row
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


_AS_NAMED = Reading()


# --- one row


def read_row(
    row: Mapping[str, object],
    line: int = 1,
    reading: Reading = _AS_NAMED,
    now: datetime | None = None,
) -> NewsItem | Rejected:
    """A row that something else has already taken apart (HTTP, a data frame); values as JSON has them, also datetimes.

    line: its number for the report; now: the clock, for "future".
    """
    try:
        return _item(row, reading, now or moment.now())
    except BadRow as bad:
        return Rejected(line, bad.reason, str(bad), as_json(row))


def _item(row: Mapping[str, object], reading: Reading, now: datetime) -> NewsItem:
    def value(name: str) -> object:
        return reading.value(row, name)

    flags: list[str] = []
    kind = kind_of(value("kind"))
    stamp = _stamp("published_at", value, reading)
    if stamp is None:
        raise _missing("stamp", "published_at", row, reading)
    flags += stamp.flags
    if stamp.published_at - now > FUTURE:
        flags.append("future")
    source = line_of("source", value("source"), MAX_SOURCE, flags)
    if not source:
        raise _missing("source", "source", row, reading)
    headline = " ".join(text_of("headline", value("headline"), flags).split())
    if not headline and kind is not Kind.RETRACTION:
        raise _missing("headline", "headline", row, reading)
    body = paragraphs(text_of("body", value("body"), flags))
    refers_to = reference_of(kind, id_of("refers_to", value("refers_to"), flags))
    given = id_of("id", value("id"), flags)
    whole = headline, body
    if len(headline) > MAX_HEADLINE:
        headline, body = cut(headline, MAX_HEADLINE), body or headline
        flags.append("truncated")
    if len(body) > MAX_BODY:
        body = cut(body, MAX_BODY)
        flags.append("truncated")
    received = _stamp("received_at", value, reading)
    symbols = symbols_of(value("symbols"), flags)
    return NewsItem(
        id=given or _derived_id(source, stamp, whole, symbols, kind, refers_to),
        source=source,
        published_at=stamp.published_at,
        precision=stamp.precision,
        public_at=stamp.public_at,
        headline=headline,
        body=body,
        symbols=symbols,
        language=language_of(value("language")),
        received_at=received.public_at if received else None,
        kind=kind,
        refers_to=refers_to,
        url=url_of(value("url"), flags),
        flags=tuple(dict.fromkeys(flags)),
    )


def _missing(code: str, name: str, row: Mapping[str, object], reading: Reading) -> BadRow:
    column = reading.fields.get(name, name)
    has = ", ".join(_shown(key) for key in list(row)[:12]) or "nothing"
    return BadRow(
        f"missing-{code}",
        f"nothing in {column!r}; the row has {has}: fill it in, or say which column is the {name}",
    )


def _shown(key: object) -> str:
    name = str(key)[:40]
    return name if name.isprintable() else repr(name)


def _stamp(name: str, value: Callable[[str], object], reading: Reading) -> Stamp | None:
    """received_at is what this desk's own clock said: the precision stated for a source's stamps is not its."""
    written = value(name)
    if written is None:
        return None
    own = name == "published_at"
    at_most = precision_of(value("precision")) if own else Precision.INSTANT
    try:
        return read_stamp(written, zone=reading.zone, order=reading.order, at_most=at_most)
    except BadRow as bad:
        raise BadRow(bad.reason, f"{name} {bad}") from None


def _derived_id(
    source: str,
    stamp: Stamp,
    whole: tuple[str, str],
    symbols: tuple[str, ...],
    kind: Kind,
    refers_to: str | None,
) -> str:
    """Symbols are part of it: archives repeat a text once for each ticker, and none of them corrects another."""
    said: list[object] = [source, to_micros(stamp.published_at), stamp.precision, *whole, *symbols]
    if kind is not Kind.ITEM:  # two retractions in one minute often have the same words, or none
        said += [kind, refers_to]
    return f"sha256-{sha256(_canonical(said)).hexdigest()[:16]}"


# --- many rows


def read_news(
    lines: Iterable[bytes],
    format: Format,  # noqa: A002 - the word every caller uses
    reading: Reading = _AS_NAMED,
    *,
    now: Clock = moment.now,
) -> Iterator[NewsItem | Rejected]:
    """Rows one after the other, in the order of the file, in memory that does not grow with it.

    lines: each whole, with its end or without (see `bounded_lines`); a CSV record may run over several. Blank lines are
    skipped, and so are CSV rows of nothing but delimiters. now: asked once a row. Raises, when the first row is asked for,
    BadRequest where a CSV has no column for what is needed or for what `reading` names, or where the whole file is one
    JSON array, and Unreadable where it is not UTF-8.
    """
    if format not in get_args(Format):
        raise BadRequest(f"no format {format!r}; there are {', '.join(get_args(Format))}")
    return (_json_lines if format == "jsonl" else _csv)(_utf_8(lines), reading, now)


def _utf_8(lines: Iterable[bytes]) -> Iterator[bytes]:
    lines = iter(lines)
    for line in lines:
        for mark, name in _MARKS.items():
            if line.startswith(mark):
                raise Unreadable(
                    "not-utf-8", f"this is {name}, not UTF-8", "save or unpack it as UTF-8 text"
                )
        yield line.removeprefix(b"\xef\xbb\xbf")
        break
    yield from lines


_MARKS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a zip or an Excel file",
}


def _json_lines(
    lines: Iterator[bytes], reading: Reading, now: Clock
) -> Iterator[NewsItem | Rejected]:
    for number, line in enumerate(lines, start=1):
        row = line.strip()
        if not row:
            continue
        if number == 1 and row.startswith(b"["):
            raise BadRequest(
                "this is one JSON array; write one object a line, e.g. with jq -c '.[]'"
            )
        try:
            yield _item(_json_object(row), reading, now())
        except BadRow as bad:
            yield _rejected(number, bad, row)


def _rejected(line: int, bad: BadRow, raw: bytes) -> Rejected:
    shown = raw[:1_000] if len(raw) > MAX_LINE else raw
    return Rejected(line, bad.reason, str(bad), shown.decode("utf-8", "backslashreplace"))


def _json_object(line: bytes) -> Mapping[str, object]:
    if len(line) > MAX_LINE:
        raise BadRow("too-large", f"the line is over {MAX_LINE:,} bytes; shorten its text")
    try:
        row = _JSON.decode(line.decode("utf-8"))
    except BadRow:  # a ValueError too
        raise
    except UnicodeDecodeError as exc:
        raise BadRow(
            "not-utf-8", f"byte {exc.start + 1} is not UTF-8; save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as exc:
        raise BadRow(
            "bad-json", f"not JSON: {exc.msg} at character {exc.pos + 1}; correct the line"
        ) from None
    except ValueError:  # of int(): more digits than Python converts
        raise BadRow("bad-json", "a number has thousands of digits; correct the line") from None
    except RecursionError:
        raise BadRow("bad-json", "objects nested thousands deep; correct the line") from None
    if not isinstance(row, dict):
        raise BadRow("not-an-object", 'a row must be an object such as {"headline": "…"}')
    return row


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    row = dict(pairs)
    if len(row) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadRow("duplicate-key", f"{short(twice)} is there twice; keep the one that is right")
    return row


def _no_number(word: str) -> NoReturn:
    raise BadRow("bad-json", f"{word} is not JSON; write null")


# strict: line breaks and tabs as they are inside a text do no harm, and some desks' exports have them.
_JSON = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_number, strict=False)


def _csv(lines: Iterator[bytes], reading: Reading, now: Clock) -> Iterator[NewsItem | Rejected]:
    records = CsvRecords(lines, MAX_LINE)
    columns = records.columns
    if not columns:
        return
    _check_head(columns, reading)
    for record in records:
        try:
            if record.problem:
                raise BadRow(*record.problem)
            yield _item(dict(zip(columns, record.cells, strict=True)), reading, now())
        except BadRow as bad:
            raw = b"\n".join(line.rstrip(b"\r\n") for line in record.lines)
            yield _rejected(record.line, bad, raw)


def _check_head(columns: Sequence[str], reading: Reading) -> None:
    has = f"the head has {', '.join(columns) or 'nothing'}"
    for name, column in reading.fields.items():
        if column not in columns:
            raise BadRequest(f"no column {column!r} for {name}; {has}")
    retractions = "kind" in reading.constants or reading.fields.get("kind", "kind") in columns
    for name in ("published_at", "source", "headline"):
        if (
            name not in reading.constants
            and reading.fields.get(name, name) not in columns
            and not (name == "headline" and retractions)
        ):
            raise BadRequest(
                f"no column {name}; {has}: say which one it is, or a value for all rows"
            )
    used = {reading.fields.get(name, name) for name in FIELDS}
    if twice := sorted({name for name in columns if columns.count(name) > 1 and name in used}):
        raise BadRequest(f"the head has {', '.join(twice)} twice; name the columns apart")


# --- files


class _Lines(Protocol):
    def readline(self, size: int = -1, /) -> bytes: ...


def bounded_lines(file: _Lines) -> Iterator[bytes]:
    """A binary file's lines, such as standard input's. One over the limit comes cut, but still over it: it will be
    rejected, and is never held in memory whole.
    """
    most = MAX_LINE + 2
    while line := file.readline(most):
        yield line
        if len(line) == most:
            while not line.endswith(b"\n") and (line := file.readline(1 << 16)):
                pass


_FORMATS: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}


@contextmanager
def open_news(
    path: Path,
    format: Format | None = None,  # noqa: A002
) -> Iterator[tuple[Iterator[bytes], Format]]:
    """A file's lines and format: .jsonl, .ndjson, .csv, .tsv, each also packed by gzip (seen by its bytes).

    format: where the name does not say. Raises BadRequest where there is no such file, or neither says; the lines raise
    Unreadable (reason "truncated" or "damaged") where a packed file ends or breaks before its end.
    """
    name = path.name.lower().removesuffix(".gz")
    kind = format or _FORMATS.get(Path(name).suffix)
    if kind is None:
        raise BadRequest(
            f"{path.name} could be any format; name it {', '.join(_FORMATS)} or state the format"
        )
    if path.is_dir() or not path.exists():
        raise BadRequest(f"no file {path}")
    try:
        file = path.open("rb")
    except OSError as exc:
        raise BadRequest(f"{path} cannot be opened: {exc.strerror}") from exc
    with file:
        if file.peek(2).startswith(b"\x1f\x8b"):
            with gzip.GzipFile(fileobj=file) as packed:
                yield _unpacked(packed, path), kind
        else:
            yield bounded_lines(file), kind


def _unpacked(packed: gzip.GzipFile, path: Path) -> Iterator[bytes]:
    try:
        yield from bounded_lines(
            packed
        )  # no further buffer: at a damage, what it held would be lost
    except EOFError as exc:
        raise Unreadable("truncated", f"{path.name} ends too early", "fetch it again") from exc
    except (gzip.BadGzipFile, zlib.error) as exc:
        raise Unreadable("damaged", f"{path.name} is damaged: {exc}", "fetch it again") from exc
