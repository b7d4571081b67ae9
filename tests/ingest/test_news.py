"""Rows become the same items from every form, a row that is none says why, and memory stays small."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import BadRequest, Unreadable
from ingest.news import (
    FIELDS,
    MAX_LINE,
    REASONS,
    Format,
    Kind,
    NewsItem,
    Precision,
    Reading,
    Rejected,
    bounded_lines,
    open_news,
    read_news,
    read_row,
)

NOW = datetime(2031, 5, 6, 12, tzinfo=UTC)
ROW: dict[str, object] = {
    "id": "a-1",
    "source": "wire",
    "published_at": "2031-05-06T09:30:15Z",
    "headline": "Acme lifts its outlook",
}


def clock() -> datetime:
    return NOW


def item(
    row: Mapping[str, object] | None = None, reading: Reading | None = None, **more: object
) -> NewsItem:
    """The item that a row is; without a row, ROW with some fields changed."""
    got = read_row(ROW | more if row is None else row, 1, reading or Reading(), NOW)
    assert isinstance(got, NewsItem), got
    return got


def refused(row: Mapping[str, object]) -> Rejected:
    got = read_row(row, 7, Reading(), NOW)
    assert isinstance(got, Rejected), got
    assert got.line == 7
    return got


def read(
    text: str | bytes,
    format: Format = "jsonl",  # noqa: A002
    reading: Reading | None = None,
) -> list[NewsItem | Rejected]:
    raw = text.encode() if isinstance(text, str) else text
    return list(read_news(io.BytesIO(raw), format, reading or Reading(), now=clock))


def outcomes(got: list[NewsItem | Rejected]) -> list[object]:
    """Ids of items; line and reason of what was rejected."""
    return [g.id if isinstance(g, NewsItem) else (g.line, g.reason) for g in got]


# --- one row


def test_a_row_becomes_an_item() -> None:
    got = item(
        id=17,
        body="First.\r\nSecond.\n",
        symbols=["acme.n", "NYSE:BAC"],
        language="en_us",
        received_at="2031-05-06T09:30:16.5Z",
        kind="correction",
        refers_to="a-0",
        url="https://wire.example/a-1",
    )

    assert got == NewsItem(
        id="17",
        source="wire",
        published_at=datetime(2031, 5, 6, 9, 30, 15, tzinfo=UTC),
        precision=Precision.INSTANT,
        public_at=datetime(2031, 5, 6, 9, 30, 15, tzinfo=UTC),
        headline="Acme lifts its outlook",
        body="First.\nSecond.",
        symbols=("ACME.N", "NYSE:BAC"),
        language="en-US",
        received_at=datetime(2031, 5, 6, 9, 30, 16, 500_000, tzinfo=UTC),
        kind=Kind.CORRECTION,
        refers_to="a-0",
        url="https://wire.example/a-1",
    )


def test_what_a_row_leaves_out_has_a_meaning() -> None:
    got = item()

    assert (got.body, got.symbols, got.language, got.kind) == ("", (), "en", Kind.ITEM)
    assert (got.received_at, got.refers_to, got.url, got.flags) == (None, None, None, ())


def test_columns_and_constants_are_mapped() -> None:
    reading = Reading(
        fields={
            "headline": "title",
            "published_at": "when",
            "source": "publisher.name",
            "id": "a.b",
        },
        constants={"precision": "minute", "symbols": "acme, bolt", "dates": "dmy"},
        zone=ZoneInfo("America/New_York"),
    )

    got = item(
        {
            "title": "Bolt buys Acme",
            "headline": "not this one",
            "when": "6/5/2031 09:30:00",
            "publisher": {"name": "Wire"},
            "a.b": 5,
            "symbols": ["XYZ"],
        },
        reading,
    )

    assert (got.headline, got.source, got.id, got.symbols) == (
        "Bolt buys Acme",
        "Wire",
        "5",
        ("ACME", "BOLT"),
    )
    assert (got.published_at.hour, got.precision) == (13, Precision.MINUTE)
    assert got.public_at - got.published_at == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"fields": {"title": "headline"}}, "published_at, precision, headline"),
        ({"constants": {"provider": "x"}}, "source"),
        ({"fields": {"dates": "x"}}, "no field dates"),
        ({"fields": {"id": "x"}, "constants": {"id": "y"}}, "not both"),
        ({"constants": {"dates": "ymd"}}, "dmy or mdy"),
        ({"constants": {"precision": "second"}}, "instant, minute, day"),
        ({"constants": {"kind": "update"}}, "item, correction, retraction"),
        ({"constants": {"language": "English!"}}, "pt-BR"),
        ({"constants": {"symbols": "<b>"}}, "BRK.B"),
    ],
)
def test_a_reading_that_cannot_be_meant_names_what_can(
    wrong: dict[str, dict[str, str]], right: str
) -> None:
    with pytest.raises(BadRequest, match=right):
        Reading(**wrong)  # type: ignore[arg-type]


DEEP: list[object] = []
for _ in range(5_000):
    DEEP = [DEEP]

BAD_ROWS: list[tuple[dict[str, object], str, str]] = [
    ({"headline": ""}, "missing-headline", "the row has id, source"),
    ({"headline": " \u200b\n"}, "missing-headline", "'headline'"),
    ({"headline": None}, "missing-headline", "which column"),
    ({"headline": "nan"}, "missing-headline", ""),
    ({"headline": 5}, "not-text", "5, not text"),
    ({"headline": ["x"]}, "not-text", 'list ["x"]'),
    ({"headline": DEEP}, "not-text", "cannot be written"),
    ({"body": {"a": float("nan")}}, "not-text", "not text"),
    ({"source": ""}, "missing-source", ""),
    ({"source": "x" * 201}, "too-large", "at most 200"),
    ({"source": True}, "not-text", "True"),
    ({"published_at": None}, "missing-stamp", "published_at"),
    ({"published_at": "soon"}, "bad-stamp", "published_at 'soon'"),
    ({"published_at": "2031-05-06 09:30"}, "no-time-zone", "…Z"),
    ({"published_at": "2031-05-06 09:30 IST"}, "unknown-zone", "IST"),
    ({"published_at": "6/5/2031"}, "ambiguous-date", "dates=dmy"),
    ({"published_at": 2031050609}, "ambiguous-number", "seconds"),
    ({"published_at": "2031-05"}, "too-coarse", "the day"),
    ({"published_at": "1970-01-01T00:00:00Z"}, "placeholder-stamp", "missing"),
    ({"received_at": "soon"}, "bad-stamp", "received_at 'soon'"),
    ({"precision": "hour"}, "bad-precision", "instant, minute, day"),
    ({"precision": 10**5000}, "bad-precision", "a huge number"),
    ({"id": 1.5}, "bad-id", "1.5"),
    ({"id": True}, "bad-id", "True"),
    ({"id": "x" * 501}, "too-large", "at most 500"),
    ({"symbols": 7}, "bad-symbols", "7"),
    ({"symbols": {"a": 1}}, "bad-symbols", "dict"),
    ({"symbols": ["ok", 7]}, "bad-symbols", "7"),
    ({"symbols": ["ok", "no<b>"]}, "bad-symbols", "no<b>"),
    ({"symbols": ["x" * 41]}, "bad-symbols", "xxx"),
    ({"symbols": "café"}, "bad-symbols", "café"),
    ({"symbols": [f"s{n}" for n in range(201)]}, "too-large", "201 symbols"),
    ({"language": "klingonese"}, "bad-language", "pt-BR"),
    ({"language": 1}, "bad-language", "1"),
    ({"language": "en" + "-abc" * 12}, "bad-language", "en-abc"),
    ({"kind": "update"}, "bad-kind", "retraction"),
    ({"kind": "correction"}, "missing-refers-to", "refers_to"),
    ({"kind": "retraction", "headline": ""}, "missing-refers-to", "retraction"),
    ({"refers_to": "a-0"}, "unexpected-refers-to", "a-0"),
]  # fmt: skip
BAD_LINES: list[tuple[bytes, str, str]] = [
    (b"{", "bad-json", "character"),
    (b'{"a": 1},', "bad-json", "Extra data"),
    (b'{"a": NaN}', "bad-json", "NaN is not JSON; write null"),
    (b'{"a": -Infinity}', "bad-json", "-Infinity"),
    (b'{"a": ' + b"9" * 5000 + b"}", "bad-json", "thousands of digits"),
    (b"[" * 100_000, "bad-json", "nested"),
    (b'{"a": 1, "b": 2, "a": 3}', "duplicate-key", "'a' is there twice"),
    (b'{"x": {"\\ud800": 1, "\\ud800": 3}}', "duplicate-key", r"'\ud800'"),
    (b"[1]", "not-an-object", "must be an object"),
    (b'"text"', "not-an-object", ""),
    (b"null", "not-an-object", ""),
    (b'{"headline": "caf\xe9"}', "not-utf-8", "byte 18"),
    (b'{"headline": "' + b"x" * MAX_LINE + b'"}', "too-large", "1,000,000 bytes"),
]


@pytest.mark.parametrize(("more", "reason", "words"), BAD_ROWS, ids=range(len(BAD_ROWS)))
def test_a_row_that_is_no_news_says_why(more: dict[str, object], reason: str, words: str) -> None:
    got = refused(ROW | more)

    assert got.reason == reason
    assert words in got.message
    assert len(got.message) < 300
    assert got.message.isprintable()
    if more.get("headline") is not DEEP and more.get("precision") != 10**5000:
        assert json.loads(got.raw).keys() == (ROW | more).keys()


@pytest.mark.parametrize(("line", "reason", "words"), BAD_LINES, ids=range(len(BAD_LINES)))
def test_a_line_that_is_no_row_says_why(line: bytes, reason: str, words: str) -> None:
    good = json.dumps(ROW).encode()

    before, got, after = read(good + b"\n" + line + b"\n" + good)

    assert isinstance(got, Rejected)
    assert (got.line, got.reason) == (2, reason)
    assert words in got.message
    assert got.message.isprintable()
    assert got.raw == line[: 1_000 if reason == "too-large" else None].decode(
        errors="backslashreplace"
    )
    assert before == after == item()


def test_every_reason_is_listed_and_every_listed_reason_is_tested() -> None:
    of_csv = {"bad-csv", "wrong-columns"}  # in tests/ingest/test_csv_records.py, and below

    assert {reason for _, reason, _ in BAD_ROWS + BAD_LINES} | of_csv == set(REASONS)


@pytest.mark.parametrize(
    "nothing", ["", "  ", "nan", "NaN", "None", "null", "NULL", "N/A", "NaT", "<NA>", None]
)
def test_what_exports_write_for_nothing_is_nothing(nothing: str | None) -> None:
    optional = (
        "id",
        "precision",
        "body",
        "symbols",
        "language",
        "received_at",
        "kind",
        "refers_to",
        "url",
    )

    got = item(**dict.fromkeys(optional, nothing))

    assert replace(got, id="a-1") == item()
    assert got.id.startswith("sha256-")


def test_a_retraction_needs_no_words() -> None:
    rows = [
        {**ROW, "id": None, "kind": "retraction", "refers_to": f"a-{n}", "headline": None}
        for n in (1, 2)
    ]

    first, second = map(item, rows)

    assert (first.headline, first.kind, first.refers_to) == ("", Kind.RETRACTION, "a-1")
    assert first.id != second.id


@pytest.mark.parametrize(
    ("given", "symbols"),
    [
        ("AAPL", ["AAPL"]),
        ("aapl msft\tbrk.b", ["AAPL", "MSFT", "BRK.B"]),
        ("AAPL,MSFT , BF/B;", ["AAPL", "MSFT", "BF/B"]),
        ("AAPL.O|NYSE:BAC|$BAC", ["AAPL.O", "NYSE:BAC", "$BAC"]),
        ("BRK B, ^GSPC, .SPX, EUR=, BTC-USD, M&M.NS, 0700.HK, @ES#", [
            "BRK B", "^GSPC", ".SPX", "EUR=", "BTC-USD", "M&M.NS", "0700.HK", "@ES#"]),
        ("BAC US Equity", ["BAC US EQUITY"]),
        ("BAC US Equity, C US Equity", ["BAC US EQUITY", "C US EQUITY"]),
        ("['AAPL', 'MSFT']", ["AAPL", "MSFT"]),
        ('["AAPL"]', ["AAPL"]),
        ("{AAPL,MSFT}", ["AAPL", "MSFT"]),
        ("[]", []),
        ("nan", []),
        ("NAN", ["NAN"]),
        (["AAPL", "aapl ", None, "", "MSFT"], ["AAPL", "MSFT"]),
        (("BRK.B", "\u200bBF/B\u00a0"), ["BRK.B", "BF/B"]),
        ([], []),
        ([f"S{n}" for n in range(200)], [f"S{n}" for n in range(200)]),
    ],
)  # fmt: skip
def test_symbols_are_read_from_a_list_or_a_text(given: object, symbols: list[str]) -> None:
    assert list(item(symbols=given).symbols) == symbols


@pytest.mark.parametrize(
    ("given", "language"),
    [("EN", "en"), ("en_US", "en-US"), ("zh-hant-tw", "zh-Hant-TW"), ("eng", "en"), ("DEU", "de"), ("haw", "haw"),
     ("es-419", "es-419"), ("sl-rozaj-biske", "sl-rozaj-biske")],
)  # fmt: skip
def test_language_codes_have_one_spelling(given: str, language: str) -> None:
    assert item(language=given).language == language


@pytest.mark.parametrize(
    ("given", "headline", "flags"),
    [
        ("  Acme\tlifts\r\n its   outlook ", "Acme lifts its outlook", ()),
        ("Acme\u00a0lifts\u3000its outlook", "Acme lifts its outlook", ()),
        ("Ac\x00me\x07 li\x7ffts", "Acme lifts", ("stripped-controls",)),
        ("Acme\x0clifts\x1fits", "Acme lifts its", ("stripped-controls",)),
        ("Acme\x92s \x93gain\x94 \x80 5\x85\x81", "Acme’s “gain” € 5…", ("stripped-controls",)),
        ("Ac\u200bme \u202elifts\u202c\ufeff \U000e0041", "Acme lifts", ("stripped-controls",)),
        ("Acme \ud83d lifts", "Acme \ufffd lifts", ("stripped-controls",)),
        ("Acme lifts \U0001f469\u200d\U0001f52c", "Acme lifts \U0001f469\u200d\U0001f52c", ()),
        ("Zürich & São Paulo — 日本", "Zürich & São Paulo — 日本", ()),
        ("AT&amp;T", "AT&amp;T", ()),
    ],
)
def test_text_keeps_what_can_be_read(given: str, headline: str, flags: tuple[str, ...]) -> None:
    got = item(headline=given)

    assert (got.headline, got.flags) == (headline, flags)
    got.headline.encode()


def test_half_surrogates_in_json_do_not_reach_the_item() -> None:
    line = json.dumps(ROW | {"headline": "Acme \ud83d up", "body": "\ude00", "id": "\udcff"})

    (got,) = read(line)

    assert isinstance(got, NewsItem)
    assert (got.headline, got.body, got.id) == ("Acme \ufffd up", "\ufffd", "\ufffd")


def test_a_tab_as_it_is_inside_a_json_text_loses_no_news() -> None:
    line = json.dumps(ROW | {"headline": "Acme@up", "body": "a#b"})

    (got,) = read(line.replace("@", "\t").replace("#", "\x01"))

    assert isinstance(got, NewsItem)
    assert (got.headline, got.body, got.flags) == ("Acme up", "ab", ("stripped-controls",))


def test_long_texts_are_cut_at_a_word_and_flagged() -> None:
    words = "word " * 300

    with_body = item(headline=words, body="A body.")
    alone = item(headline=words)
    long = item(body="word " * 60_000)

    assert with_body.headline == ("word " * 200).strip()
    assert (with_body.body, with_body.flags) == ("A body.", ("truncated",))
    assert (alone.headline, alone.body) == (with_body.headline, words.strip())
    assert (len(long.body), long.flags) == (199_999, ("truncated",))
    assert len(item(headline="x" * 1_001).headline) == 1_000
    assert item(headline="x" * 1_000, body="y" * 200_000).flags == ()


def test_texts_that_differ_only_beyond_the_cut_are_two_items() -> None:
    a, b = (item(id=None, headline="word " * 300 + end) for end in ("one", "two"))

    assert a.id != b.id


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://wire.example/a?b=c#d", True),
        ("HTTP://wire.example", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("https://wire.example/a b", False),
        ("https://wire.example/" + "x" * 2_000, False),
        (5, False),
    ],
)
def test_only_web_addresses_are_kept_and_no_news_is_lost_for_one(url: object, kept: bool) -> None:
    got = item(url=url)

    assert (got.url, got.flags) == ((url, ()) if kept else (None, ("bad-url",)))


@pytest.mark.parametrize(
    ("written", "flags"),
    [
        ("2031-05-06T12:05:00Z", ()),
        ("2031-05-06T12:05:00.000001Z", ("future",)),
        ("2031-05-07T00:00:00Z", ("midnight", "future")),
        ("2031-05-06Z", ()),
        ("2031-05-07Z", ("future",)),
    ],
)
def test_a_stamp_after_the_clock_is_flagged(written: str, flags: tuple[str, ...]) -> None:
    assert item(published_at=written).flags == flags


def test_the_stated_precision_is_of_the_sources_stamps_not_of_ours() -> None:
    got = item(precision="day", received_at="2031-05-06T09:30:16Z")

    assert got.public_at == datetime(2031, 5, 7, tzinfo=UTC)
    assert got.received_at == datetime(2031, 5, 6, 9, 30, 16, tzinfo=UTC)


# --- identity


def test_content_hash_is_what_it_was_when_it_was_first_written_down() -> None:
    """Another value here means that every tape would take its old items for revised ones."""
    got = item(body="Über 5 %.", symbols=["ACME"], kind="correction", refers_to="a-0")

    assert got.content_hash == "7f27bc6b1dda2eb690b6b983761a4fa7102e5df2552790bda4fd5dfefa481dec"


@pytest.mark.parametrize("name", [f.name for f in fields(NewsItem)])
def test_content_hash_is_over_all_that_is_said(name: str) -> None:
    base = item(body="b")
    other: dict[str, object] = {
        "published_at": base.published_at - timedelta(microseconds=1),
        "public_at": base.public_at + timedelta(microseconds=1),
        "precision": Precision.MINUTE,
        "symbols": ("X",),
        "received_at": NOW,
        "kind": Kind.RETRACTION,
        "flags": ("future",),
    }
    changed = replace(base, **{name: other.get(name, "other")})  # type: ignore[arg-type]

    same = changed.content_hash == base.content_hash

    assert same == (name in ("received_at", "flags", "url"))


def test_neither_hash_depends_on_the_process() -> None:
    row = json.dumps(ROW | {"id": None, "symbols": ["b", "a"]})
    program = (
        "import json,sys; from ingest.news import read_row\n"
        "item = read_row(json.loads(sys.argv[1])); print(item.id, item.content_hash)"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", program, row],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }

    assert len(seen) == 1


def test_an_item_without_an_id_has_one_made_of_what_it_is() -> None:
    base = item(id=None)

    assert base.id.startswith("sha256-")
    assert len(base.id) == 7 + 16
    assert item(id=None, url="https://x.example", received_at=None, language="de").id == base.id
    others: tuple[dict[str, object], ...] = (
        {"source": "other"}, {"published_at": "2031-05-06T09:30:15.000001Z"}, {"precision": "minute"},
        {"headline": "Acme cuts its outlook"}, {"body": "x"},
    )  # fmt: skip
    for more in others:
        assert item(ROW | {"id": None} | more).id != base.id


def test_an_item_must_be_in_utc_and_public_no_earlier_than_published() -> None:
    base = item()
    for name in ("published_at", "public_at", "received_at"):
        for wrong in (datetime(2031, 5, 6), NOW.astimezone(timezone(timedelta(hours=1)))):  # noqa: DTZ001
            with pytest.raises(BadRequest, match=name):
                replace(base, **{name: wrong})  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="before"):
        replace(base, public_at=base.published_at - timedelta(microseconds=1))


# --- round trips

TEXT = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    [
        'Acme "lifts"',
        "a, b; c",
        "two\nlines",
        "two\r\nlines",
        "=1+1",
        "NAN",
        "\ufeffx",
        "tab\tbed",
        "'",
    ]
)
STAMPS = st.datetimes(
    datetime(2001, 9, 10),  # noqa: DTZ001
    datetime(2031, 5, 5),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
)
SYMBOLS = st.lists(
    st.sampled_from(["AAPL", "BRK.B", "BF/B", "AAPL.O", "NYSE:BAC", "$BAC", "^GSPC", "NAN"]),
    max_size=4,
    unique=True,
)
ROWS = st.fixed_dictionaries(
    {"headline": TEXT, "published_at": STAMPS},
    optional={
        "id": TEXT,
        "source": TEXT,
        "precision": st.sampled_from(list(Precision)),
        "body": TEXT,
        "symbols": SYMBOLS,
        "language": st.sampled_from(["en", "de-AT", "zho"]),
        "received_at": STAMPS,
        "url": st.just("https://wire.example/a"),
    },
)


def as_jsonl(rows: list[dict[str, object]]) -> bytes:
    lines = (json.dumps(r, default=str, ensure_ascii=bool(n % 2)) for n, r in enumerate(rows))
    return "".join(f"{line}\n" for line in lines).encode()


def as_csv(rows: list[dict[str, object]], delimiter: str = ",", end: str = "\r\n") -> bytes:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(
        written, FIELDS, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL
    )
    writer.writeheader()
    for row in rows:
        writer.writerow(row | {"symbols": "|".join(map(str, row.get("symbols", ())))})  # type: ignore[call-overload]
    return written.getvalue().encode()


@given(st.lists(ROWS, max_size=4), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n"]))
def test_a_row_is_the_same_item_from_every_form(
    rows: list[dict[str, object]], delimiter: str, end: str
) -> None:
    rows = [{"source": "wire", **row} for row in rows]
    direct = [read_row(row, n, Reading(), NOW) for n, row in enumerate(rows, start=1)]

    jsonl = read(as_jsonl(rows))
    marked = read(b"\xef\xbb\xbf" + as_jsonl(rows).replace(b"\n", b"\r\n"))
    table = read(as_csv(rows, delimiter, end), "csv")

    assert marked == jsonl
    assert len(direct) == len(jsonl) == len(table)
    for one, two, three in zip(direct, jsonl, table, strict=True):
        if isinstance(one, NewsItem):
            assert one == two == three
            assert isinstance(two, NewsItem)
            assert one.content_hash == two.content_hash
        else:
            assert isinstance(two, Rejected)
            assert isinstance(three, Rejected)
            assert one.reason == two.reason == three.reason


@given(ROWS)
def test_an_item_written_out_and_read_again_is_the_item(row: dict[str, object]) -> None:
    first = read_row({"source": "wire", **row}, 1, Reading(), NOW)
    if not isinstance(first, NewsItem):
        return
    out = {
        f.name: getattr(first, f.name)
        for f in fields(NewsItem)
        if f.name not in ("public_at", "flags")
    }
    if first.precision is Precision.DAY:  # its zone is in the row, not in the item
        out["published_at"] = row["published_at"]

    again = read(as_jsonl([out]))

    assert [replace(g, flags=first.flags) for g in again if isinstance(g, NewsItem)] == [first]
    for one in again:
        assert isinstance(one, NewsItem)
        assert "stripped-controls" not in one.flags
        assert one.content_hash == first.content_hash


@given(ROWS, st.sampled_from([None, *Precision]))
def test_no_item_is_public_before_any_moment_its_stamp_could_mean(
    row: dict[str, object], precision: Precision | None
) -> None:
    at = row["published_at"]
    assert isinstance(at, datetime)
    for shown in ("microseconds", "seconds", "minutes"):
        written = {**ROW, "published_at": at.isoformat(timespec=shown), "precision": precision}

        got = item(written)

        known = at.replace(second=0, microsecond=0) if shown == "minutes" else at
        known = known.replace(microsecond=0) if shown == "seconds" else known
        assert got.published_at <= known <= got.public_at
        if got.precision is Precision.MINUTE:
            assert got.public_at >= known.replace(second=59, microsecond=999_999)
        if got.precision is Precision.DAY:
            assert got.public_at > known.replace(hour=23, minute=59, second=59, microsecond=999_999)


JUNK = st.binary(max_size=60) | st.sampled_from(
    [json.dumps(ROW).encode(), b"{}", b'{"headline": 1}', b"\xef\xbb\xbf{}", b"", b" "]
)


@given(st.lists(JUNK.map(lambda b: b.replace(b"\n", b"")), max_size=6))
def test_every_json_line_is_an_item_or_rejected_with_its_number(lines: list[bytes]) -> None:
    head = json.dumps(ROW).encode()

    got = read(b"\n".join([head, *lines]))

    told = [n for n, line in enumerate(lines, start=2) if line.strip()]
    items = [n for n in told if lines[n - 2].strip() == head]
    assert len(got) == len(told) + 1
    assert [g.line for g in got if isinstance(g, Rejected)] == [n for n in told if n not in items]


# --- whole files


def test_csv_rows_have_the_number_of_their_first_line() -> None:
    text = (
        "sep=;\n"
        "id;published_at;headline;body\n"
        '1;2031-05-06Z;Acme up;"A body\nover ""two"" lines; and more"\n'
        ";;;\n"
        "\n"
        "2;2031-05-06Z;Acme down\n"
        "3;soon;Acme flat;x\n"
        '4;2031-05-06Z;"Acme;x\n'
        "5;2031-05-06Z;Acme gone;x\n"
    )

    got = read("\ufeff" + text, "csv", Reading(constants={"source": "wire"}))

    assert outcomes(got) == ["1", (7, "wrong-columns"), (8, "bad-stamp"), (9, "bad-csv"), "5"]
    assert isinstance(got[0], NewsItem)
    assert got[0].body == 'A body\nover "two" lines; and more'
    assert [g.raw for g in got if isinstance(g, Rejected)] == text.split("\n")[6:9]


def test_the_raw_text_of_a_rejected_record_is_all_its_lines() -> None:
    text = 'id,published_at,headline,source\r\n1,soon,"Acme\r\nup",wire\r\n'

    (got,) = read(text, "csv")

    assert isinstance(got, Rejected)
    assert (got.line, got.reason, got.raw) == (2, "bad-stamp", '1,soon,"Acme\nup",wire')


@pytest.mark.parametrize(
    ("text", "reading", "words"),
    [
        (
            "title,when\n",
            Reading({"headline": "titel"}),
            "no column 'titel' for headline; the head has title, when",
        ),
        (
            "title,when\n",
            Reading({"headline": "title"}, {"source": "x"}),
            "no column published_at; .* title, when",
        ),
        ("headline,published_at\n", Reading(), "no column source"),
        ("source,published_at\n", Reading(), "no column headline"),
        ("source,published_at,headline,headline\n", Reading(), "headline twice"),
    ],
)
def test_a_csv_that_cannot_be_read_so_is_refused_at_once(
    text: str, reading: Reading, words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        read(text, "csv", reading)


def test_columns_that_nobody_reads_may_be_there_twice() -> None:
    text = "source,published_at,headline,note,note\nwire,2031-05-06Z,Acme up,,\n"

    assert len(read(text, "csv")) == 1


def test_a_csv_of_retractions_needs_no_headlines() -> None:
    text = "id,source,published_at,refers_to\nr1,wire,2031-05-06Z,a-1\n"

    (got,) = read(text, "csv", Reading(constants={"kind": "retraction"}))

    assert isinstance(got, NewsItem)
    assert (got.kind, got.refers_to) == (Kind.RETRACTION, "a-1")


@pytest.mark.parametrize("format", ["jsonl", "csv"])
@pytest.mark.parametrize("text", ["", "\n", "\ufeff", " \n\r\n"])
def test_an_empty_file_has_no_rows(text: str, format: Format) -> None:  # noqa: A002
    assert read(text, format) == []


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("x".encode("utf-16"), "UTF-16"),
        (gzip.compress(b"{}", mtime=0), "gzip"),
        (b"PK\x03\x04xxx", "Excel"),
    ],
)
@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_a_file_of_another_kind_is_named(raw: bytes, name: str, format: Format) -> None:  # noqa: A002
    with pytest.raises(Unreadable, match=name) as bad:
        read(raw, format)
    assert bad.value.hint


def test_one_json_array_is_not_json_lines() -> None:
    with pytest.raises(BadRequest, match="jq"):
        read("[\n{},\n{}\n]\n")


def test_a_format_that_is_none_names_those_there_are() -> None:
    with pytest.raises(BadRequest, match="jsonl, csv"):
        read_news([], "xml")  # type: ignore[arg-type]


def test_the_clock_is_asked_for_every_row() -> None:
    """A stream may run for days."""
    times = iter([NOW - timedelta(days=1), NOW])
    line = json.dumps(ROW).encode()

    got = list(read_news([line, line], "jsonl", now=lambda: next(times)))

    assert [g.flags for g in got if isinstance(g, NewsItem)] == [("future",), ()]


def test_rows_are_given_as_they_come() -> None:
    """A desk's feed does not end: the first row is there before the second is written."""
    line = json.dumps(ROW).encode()

    def feed() -> Iterator[bytes]:
        yield line + b"\n"
        raise AssertionError("asked for a second line before the first was given")

    assert isinstance(next(read_news(feed(), "jsonl", now=clock)), NewsItem)


@pytest.mark.parametrize(
    "name", ["a.jsonl", "a.NDJSON", "a.csv", "a.jsonl.gz", "a.csv.gz", "packed.jsonl", "a.txt"]
)
def test_a_file_is_opened_by_its_name_and_its_bytes(tmp_path: Path, name: str) -> None:
    kind: Format = "csv" if "csv" in name else "jsonl"
    raw = as_csv([ROW]) if kind == "csv" else as_jsonl([ROW])
    path = tmp_path / name
    path.write_bytes(
        gzip.compress(raw) if name.endswith("gz") or name.startswith("packed") else raw
    )

    with open_news(path, "jsonl" if name == "a.txt" else None) as (lines, format):  # noqa: A001
        got = list(read_news(lines, format, now=clock))

    assert format == kind
    assert got == [item()]


def test_a_file_that_is_not_there_or_of_no_format_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("a.txt", r"\.jsonl, \.ndjson"),
        ("b.csv", "no file"),
        ("folder.csv", "no file"),
    ):
        with pytest.raises(BadRequest, match=words), open_news(tmp_path / name):
            pass


@pytest.mark.parametrize(
    ("damage", "reason"), [("cut", "truncated"), ("flip", "damaged"), ("tail", "damaged")]
)
def test_a_damaged_archive_gives_its_good_rows_first(
    tmp_path: Path, damage: str, reason: str
) -> None:
    packed = bytearray(gzip.compress(as_jsonl([ROW | {"id": str(n)} for n in range(500)])))
    if damage == "cut":
        del packed[-20:]
    elif damage == "flip":
        packed[-6] ^= 0xFF  # the checksum
    else:
        packed += b"more"
    (tmp_path / "a.jsonl.gz").write_bytes(packed)
    got: list[NewsItem | Rejected] = []

    with pytest.raises(Unreadable) as bad, open_news(tmp_path / "a.jsonl.gz") as (lines, format):  # noqa: A001
        got.extend(read_news(lines, format))

    assert bad.value.reason == reason
    assert len(got) > 100


class Endless(io.RawIOBase):
    """A file of one line of so many bytes, made as it is read; then a good row."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.after = io.BytesIO(b"\n" + json.dumps(ROW).encode() + b"\n")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self.left:
            return self.after.readinto(buffer)
        n = min(self.left, len(buffer))
        buffer[:n] = b"x" * n
        self.left -= n
        return n


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_an_endless_line_is_rejected_and_never_held(format: Format) -> None:  # noqa: A002
    lines = bounded_lines(io.BufferedReader(Endless(30_000_000)))
    head = [b"id,source,published_at,headline\n"] if format == "csv" else []
    tracemalloc.start()
    try:
        got = list(read_news((line for part in (head, lines) for line in part), format, now=clock))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    first = got[0]
    assert isinstance(first, Rejected)
    assert (first.reason, len(first.raw)) == ("too-large", 1_000)
    assert len(got) == 2
    assert peak < 6_000_000


@pytest.mark.parametrize("size", [MAX_LINE, MAX_LINE + 1, MAX_LINE + 2, MAX_LINE + 3])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_limit_of_a_line_is_exact(size: int, end: bytes) -> None:
    row = json.dumps(ROW | {"note": ""}).encode()
    long = row.replace(b'"note": ""', b'"note": "' + b"x" * (size - len(row)) + b'"')
    good = json.dumps(ROW).encode() + b"\n"

    got = list(read_news(bounded_lines(io.BytesIO(good + long + end)), "jsonl", now=clock))

    assert outcomes(got) == ["a-1", "a-1" if size == MAX_LINE else (2, "too-large")]


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_memory_does_not_grow_with_the_file(format: Format) -> None:  # noqa: A002
    def lines(n: int) -> Iterator[bytes]:
        if format == "csv":
            yield b"id,source,published_at,headline,body\n"
        for i in range(n):
            if format == "csv":
                yield b'%d,wire,2031-05-06T09:30Z,"Acme up","a body\nof two lines"\n' % i
            else:
                yield json.dumps(ROW | {"id": i, "body": "a body " * 20, "bad": i % 7}).encode()

    def peak(n: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_news(lines(n), format, now=clock)) == n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded or cached once
    assert peak(1_500) < peak(150) + 50_000


# --- real archives


def archive(name: str) -> Path:
    folder = os.environ.get("REGTAPE_DATA")
    if not folder:
        pytest.skip("needs the news archives in the folder that REGTAPE_DATA names")
    path = Path(folder) / "news" / name
    if not path.exists():
        pytest.skip(f"the folder that REGTAPE_DATA names has no news/{name}")
    return path


def tally(path: Path, reading: Reading) -> tuple[Counter[str], list[NewsItem]]:
    """Items, flags and reasons counted, and every hundredth item; each item checked."""
    counts: Counter[str] = Counter()
    some = []
    with open_news(path) as (lines, format):  # noqa: A001
        for got in read_news(lines, format, reading):
            if isinstance(got, Rejected):
                counts[got.reason] += 1
                continue
            if counts["items"] % 100 == 0:
                some.append(got)
            counts["items"] += 1
            counts["with symbols"] += bool(got.symbols)
            counts.update(got.flags)
            counts[got.precision] += 1
            assert got.headline
            assert got.public_at >= got.published_at
    return counts, some


@pytest.mark.data
@pytest.mark.slow
def test_the_reuters_archive_is_read() -> None:
    reading = Reading(
        {"headline": "title", "published_at": "ts_utc", "symbols": "us_rics", "body": "lede"},
        {"source": "reuters", "precision": "minute"},
    )

    counts, some = tally(archive("reuters_2006_2013.jsonl.gz"), reading)

    assert counts["items"] == counts["minute"] == 106_494
    assert counts["missing-stamp"] == 26
    assert sum(counts[reason] for reason in REASONS) == 26
    assert counts["with symbols"] == 36_838
    assert all(i.public_at - i.published_at == timedelta(minutes=1) for i in some)
    assert {i.published_at.year for i in some} == set(range(2006, 2014))


@pytest.mark.data
@pytest.mark.slow
def test_the_stocknet_tweets_are_read() -> None:
    reading = Reading({"headline": "text", "published_at": "ts_utc", "symbols": "ticker"})

    counts, some = tally(archive("stocknet_tweets.jsonl.gz"), reading)

    assert counts["items"] == counts["instant"] == 106_338
    assert not any(counts[reason] for reason in REASONS)
    assert all(i.id.startswith("sha256-") and len(i.symbols) == 1 for i in some)


@pytest.mark.data
def test_the_cryptonews_are_read() -> None:
    reading = Reading(
        {"headline": "title", "body": "text", "published_at": "date", "id": "url"},
        {"dates": "dmy"},
        ZoneInfo("UTC"),
    )

    counts, some = tally(archive("cryptonews_2021-10_2022-07.csv"), reading)

    assert counts["items"] == counts["minute"] == 7_496
    assert counts["missing-headline"] == 28
    assert sum(counts[reason] for reason in REASONS) == 28
    assert len({i.source for i in some}) == 3
    assert all(
        datetime(2021, 10, 1, tzinfo=UTC) < i.public_at < datetime(2022, 8, 1, tzinfo=UTC)
        for i in some
    )


@pytest.mark.data
def test_an_fnspid_file_is_read() -> None:
    reading = Reading(
        {"headline": "New_text", "published_at": "Date", "id": "Url", "url": "Url"},
        {"source": "fnspid", "symbols": "AA", "precision": "minute"},
    )

    counts, some = tally(archive("fnspid/data_processor_news_data_summarized_AA.csv"), reading)

    assert counts["items"] == counts["minute"] == 1_502
    assert not any(counts[reason] for reason in REASONS)
    assert (
        counts["truncated"] == 52
    )  # texts without a title, over 1,000 characters: the whole is the body
    assert all(i.symbols == ("AA",) and i.url == i.id for i in some)
