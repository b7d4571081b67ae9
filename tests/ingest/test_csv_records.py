"""Records as csv.reader has them, with the line each begins on; what is broken costs its own line and no other."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.csv_records import CsvRecords, Record
from ingest.errors import BadRequest, Unreadable

MOST = 10_000


def read(text: str | bytes, most: int = MOST) -> list[Record]:
    raw = text.encode() if isinstance(text, str) else text
    return list(CsvRecords(io.BytesIO(raw), most))


def problems(records: list[Record]) -> list[tuple[int, str]]:
    return [(r.line, r.problem[0]) for r in records if r.problem]


CELL = st.text(st.sampled_from('ab ,;\t|"\n\r1é'), max_size=8).map(str.strip)
ROWS = st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8)


@given(rows=ROWS, delimiter=st.sampled_from(",;\t|"), every=st.booleans())
def test_what_a_writer_wrote_comes_back_with_its_first_lines(
    rows: list[list[str]], delimiter: str, every: bool
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(
        written, delimiter=delimiter, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL
    )
    writer.writerow(["a", "b", "c"])
    expected = []
    for row in rows:
        first = written.getvalue().count("\n") + 1
        writer.writerow(row)
        if any(row):
            expected.append((first, row))

    records = CsvRecords(io.BytesIO(written.getvalue().encode()), MOST)

    assert [(r.line, r.cells, r.problem) for r in records] == [
        (n, row, None) for n, row in expected
    ]
    assert records.delimiter == delimiter


@given(st.text(st.sampled_from('ab,"\n \r'), max_size=80))
@example('"a\n"""\n"b"c",d\n""')
@example(',"\n"\n""""\n')
def test_no_line_of_any_text_vanishes_or_is_there_twice(text: str) -> None:
    raw = text.encode()

    seen = [(r.line + i, line) for r in read(b"x,y\n" + raw) for i, line in enumerate(r.lines)]

    for number, line in enumerate(io.BytesIO(raw), start=2):
        if line.replace(b",", b"").replace(b'"', b"").strip():
            assert seen.count((number, line)) == 1
    assert [n for n, _ in seen] == sorted({n for n, _ in seen})


@given(st.binary(max_size=120))
def test_no_bytes_raise_once_the_head_is_read(raw: bytes) -> None:
    for record in read(b"x,y\n" + raw, most=40):
        assert record.problem or len(record.cells) == 2


@pytest.mark.parametrize(
    "broken",
    [
        'one,"an open quote',
        'one,"an open quote, and then,""more""',
        'one,"closed "inside" the field"',
        'one,"',
    ],
)
def test_a_broken_row_costs_one_line(broken: str) -> None:
    got = read(f'id,text\n0,"first"\n{broken}\n2,"second ""one"""\n3,third\n4,"over\nlines"\n')

    assert problems(got) == [(3, "bad-csv")]
    assert [(r.line, r.cells) for r in got if not r.problem] == [
        (2, ["0", "first"]),
        (4, ["2", 'second "one"']),
        (5, ["3", "third"]),
        (6, ["4", "over\nlines"]),
    ]
    assert [r.lines for r in got if r.problem] == [[f"{broken}\n".encode()]]


def test_a_quote_that_never_closes_costs_one_line_of_a_long_file() -> None:
    rows = [f"{n},text {n}" for n in range(3_000)]
    rows[10] = '10,"an open quote'

    got = read("id,text\n" + "\n".join(rows))

    assert problems(got) == [(12, "bad-csv")]
    assert len(got) == 3_000


def test_broken_rows_are_read_in_linear_time() -> None:
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        yield b"id,text\n"
        for n in range(4_000):
            yield (b'%d,"open\n', b'%d""",""x\n', b'%d,""\n', b'a"%d,"b\n')[n % 4] % n

    records = CsvRecords(lines(), 1_000_000)
    give = type(records._feed).__next__

    def counted(feed: object) -> str:
        nonlocal taken
        taken += 1
        return give(feed)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(records._feed), "__next__", counted)
        got = list(records)

    assert len(got) > 2_000
    assert taken <= 3 * 4_000 + 10


def test_one_record_is_never_over_the_limit() -> None:
    got = read('a,b\n1,"' + "x" * 200 + '"\n2,fine\n3,"' + "y\n" * 60 + '"\n4,fine\n', most=100)

    assert problems(got)[0] == (2, "too-large")
    assert (4, "bad-csv") in problems(got)
    assert [r.cells[0] for r in got if not r.problem] == ["2", "4"]


def test_memory_does_not_grow_with_the_file() -> None:
    def lines(n: int) -> Iterator[bytes]:
        yield b"id,text\n"
        for i in range(n):
            yield b'%d,"a text\nover two lines"\n' % i

    tracemalloc.start()
    try:
        total = sum(1 for _ in CsvRecords(lines(20_000), MOST))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert total == 20_000
    assert peak < 200_000


@pytest.mark.parametrize(
    ("head", "delimiter", "columns"),
    [
        ("a,b\n", ",", ["a", "b"]),
        ("a;b,c;d\n", ";", ["a", "b,c", "d"]),
        ("a\tb\n", "\t", ["a", "b"]),
        ("a|b|c\n", "|", ["a", "b", "c"]),
        ('"a;b;c",d\n', ",", ["a;b;c", "d"]),
        ("\n\n a , b \n", ",", ["a", "b"]),
        ("sep=;\na;b,c,d\n", ";", ["a", "b,c,d"]),
        ("only\n", ",", ["only"]),
        ("", ",", []),
        ("\n \n", ",", []),
    ],
)
def test_the_head_tells_the_delimiter(head: str, delimiter: str, columns: list[str]) -> None:
    records = CsvRecords(io.BytesIO(head.encode()), MOST)

    assert (records.delimiter, records.columns) == (delimiter, columns)
    assert list(records) == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1,2,3\n", "wrong-columns"),
        (b"1\n", "wrong-columns"),
        (b"1,caf\xe9\n", "not-utf-8"),
        (b"1,a\rb\n", "bad-csv"),
    ],
)
def test_a_row_that_is_not_one_says_why(row: bytes, reason: str) -> None:
    got = read(b"a,b\n" + row + b"3,4\n")

    assert problems(got) == [(2, reason)]
    assert got[1].cells == ["3", "4"]


def test_a_head_that_is_none_is_refused() -> None:
    with pytest.raises(BadRequest, match="no head"):
        read("x" * 20_000)
    with pytest.raises(Unreadable) as refused:
        read(b"a,caf\xe9\n1,2\n")
    assert refused.value.reason == "not-utf-8"


def test_lines_without_their_ends_are_lines() -> None:
    got = list(CsvRecords([b"a,b", b'1,"x', b'y"', b"2,z"], MOST))

    assert [(r.line, r.cells) for r in got] == [(2, ["1", "x\ny"]), (4, ["2", "z"])]
