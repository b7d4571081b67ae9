"""Spans: what find returns is always the stored text, and check can fail."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import BadRequest
from ingest.quote import check, find, fingerprint, quote_at

TEXT = (
    "The cap \u2014 \u201c30 mils\u201d \u2014 applies to Rule\u00a0610(c)\n"
    "fees from 2005\u20132024."
)

VARIANTS = str.maketrans("\u201c\u201d\u2014\u2013\u00a0\n", '""--  ')
PROSE = st.text(alphabet="ab \n-\u2013\u2014'\"\u2019\u201c.()0", max_size=60)


def test_words_typed_on_a_plain_keyboard_find_the_stored_typography() -> None:
    span = find(TEXT, 'The cap - "30 mils" - applies to Rule 610(c) fees from 2005-2024.')

    assert span == (0, len(TEXT))


def test_the_first_occurrence_inside_the_limits_is_found() -> None:
    assert find("a cap, a cap", "a cap") == (0, 5)
    assert find("a cap, a cap", "a cap", within=(1, 12)) == (7, 12)
    assert find("a cap, a cap", "a cap", within=(8, 12)) is None


@pytest.mark.parametrize("words", ["", "   ", "the cap", "Rule 610(d)", "30 mil s", "cap 30"])
def test_other_words_are_not_found(words: str) -> None:
    assert find(TEXT, words) is None


def test_case_and_digits_matter() -> None:
    assert find("not more than $0.003", "not more than $0.030") is None
    assert find("The Exchange", "the exchange") is None


def test_a_dash_at_the_edge_takes_no_space_with_it() -> None:
    text = "fees \u2013 rebates"

    span = find(text, "- rebates")

    assert span is not None
    assert text[slice(*span)] == "\u2013 rebates"


@given(PROSE, st.data())
def test_any_stored_span_is_found_from_its_own_words(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    span = find(text, text[start:end])

    if text[start:end].strip():
        assert span is not None
        assert text[slice(*span)] == text[start:end].strip()
    else:
        assert span is None


@given(PROSE, st.data())
def test_a_retyped_span_is_found_and_reads_the_same(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    retyped = text[start:end].translate(VARIANTS).strip()

    span = find(text, retyped)

    if retyped:
        assert span is not None
        assert [c for c in text[slice(*span)] if c.isalnum()] == [c for c in retyped if c.isalnum()]


@given(st.text(max_size=30), st.text(max_size=10))
def test_what_is_found_is_inside_the_text(text: str, words: str) -> None:
    span = find(text, words)

    if span is not None:
        assert 0 <= span[0] < span[1] <= len(text)


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_quote_checks_at_its_own_span_and_nowhere_else(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    try:
        quote = quote_at(text, start, end)
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8, so no hash
        return

    assert check(text, quote.start, quote.end, quote.text, quote.sha256)
    assert not check(text, quote.start, quote.end, quote.text + "x", quote.sha256)
    assert not check(text, quote.start, quote.end, quote.text, fingerprint(quote.text + "x"))
    assert not check(text, quote.start, len(text) + 1, quote.text, quote.sha256)


@pytest.mark.parametrize("span", [(-1, 3), (3, 3), (4, 2), (0, 99)])
def test_a_span_outside_the_text_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(BadRequest, match="is no span"):
        quote_at("short", *span)


def test_hostile_words_do_not_make_the_search_slow() -> None:
    text = "- " * 20_000 + "a"

    began = time.perf_counter()
    find(text, "- " * 50 + "b" + " -" * 50)

    assert time.perf_counter() - began < 2.0
