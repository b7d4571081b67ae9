"""Two figures of a text: found where they are compared, told which is more, left alone where it is not certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentiment.comparisons import comparisons


@pytest.mark.parametrize(
    ("text", "figures"),
    [
        ("Operating profit totalled EUR 3.1 mn, compared to EUR 4.5 mn.", {"EUR 3.1 mn": False}),
        ("Net sales rose to $2 billion from $900 million", {"$2 billion": True}),
        ("EPS was 0.52 versus 0.09 a year ago", {"0.52": True}),
        ("Q3 net at Rs 1,120 crore vs Rs 984 crore", {"Rs 1,120 crore": True}),
        ("The margin fell to 4.1 percent from 5 percent", {"4.1 percent": False}),
        ("Sales went from 3.9 to 4.4 million euros", {"4.4 million euros": True}),
        ("It was EUR 8.8 mn in 2005, against EUR 7.0 mn in 2004", {"EUR 8.8 mn": True}),
        ("EUR 2 mn (USD 2.9 m) in May 2010, as against EUR 1 mn (USD 1.4 m)", {"EUR 2 mn": True}),
        ("Profit was EUR 1 mn from EUR 2 mn and sales EUR 9 mn from EUR 8 mn",
         {"EUR 1 mn": False, "EUR 9 mn": True}),
        ("sales of EUR 5 mn or 8.3 % of the whole, compared with EUR 4 mn", {"EUR 5 mn": True}),
        ("from 12.5 % to 11 % of sales", {"11 %": False}),
    ],
)  # fmt: skip
def test_the_figure_that_came_is_told_from_the_one_before(
    text: str, figures: dict[str, bool]
) -> None:
    assert {text[c.start : c.end]: c.more for c in comparisons(text)} == figures


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("The net loss narrowed to $1.2 million from $8 million", True),
        ("The net loss widened to $8 million from $1.2 million", False),
        ("EBIT was EUR 2 mn, compared with a loss of EUR 3 mn", True),
        ("It made a loss of EUR 2 mn, compared with a profit of EUR 3 mn", False),
        ("It turned to a profit of EUR 1 mn from a loss of EUR 9 mn", True),
    ],
)
def test_a_loss_is_below_nought(text: str, more: bool) -> None:
    assert [c.more for c in comparisons(text)] == [more]


@pytest.mark.parametrize(
    "text",
    [
        "Arden wins a EUR 5 mn order from a customer in Spain",
        "Sales from 2 May to 4 June",
        "It earned EUR 5 mn in 2005, compared with what it hoped for",
        "Sales were EUR 5 mn, compared with 3 percent growth a year ago",
        "Profit was EUR 5 mn versus EUR 5 mn",
        "In 2009 as against 2008",
        "From 10 a.m. it rose",
        "",
    ],
)
def test_what_is_not_certain_is_left_out(text: str) -> None:
    assert comparisons(text) == []


@given(st.integers(1, 999), st.integers(1, 999), st.sampled_from(["compared with", "versus", "vs"]))
def test_it_compares_as_numbers_do(one: int, other: int, join: str) -> None:
    found = comparisons(f"Sales were EUR {one}.5 mn, {join} EUR {other}.5 mn")
    assert [c.more for c in found] == ([one > other] if one != other else [])


def test_a_long_text_is_read_to_its_end() -> None:
    # Each was minutes when a pattern could be matched in many ways, or every join looked at every figure.
    assert len(comparisons("$1 from $2 " * 3000)) == 3000
    assert comparisons("1 from " + "year's year " * 300 + "x 5") == []


@given(st.text(alphabet="0123456789., %$EURmnfrom to vs()-\n€½²", max_size=80))
def test_it_reads_anything(text: str) -> None:
    found = comparisons(text)
    assert all(0 <= c.start < c.end <= len(text) for c in found)
    assert [c.start for c in found] == sorted({c.start for c in found})
