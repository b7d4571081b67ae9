"""Terms of the law stay whole, and variants of one thing meet."""

import pytest

from ingest.tokens import query_terms, terms


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("242.612(b)(1)", "a quotation under § 242.612(b)(1) shall"),
        ("Rule 612", "17 CFR 242.612(b)(1)"),
        ("rule 610(c)", "§ 242.610(c) Fees for access"),
        ("$0.005", "an increment of $0.005, per share"),
        ("$10,000", "a fee of $10000"),
        ("T+1", "moving to a T+1 standard"),
        ("subpenny quotes", "sub-penny quotations and sub-penny quotes"),
        ("10%", "a decline of ten percent"),
        ("0.3 percent", "0.3% of the quotation price"),
        ("15c3-5", "Rule 15c3-5(c)(1)"),
        ("Rule 610T", "§ 242.610T Transaction fee pilot"),
        ("S7-22-16", "File No. S7-22-16"),
        ("five days", "5 days"),
        ("10-K", "its Form 10-K for 2018"),
        ("78k–1", "15 U.S.C. 78k-1"),
    ],
)
def test_a_query_shares_every_telling_term_with_the_passage_that_says_it(
    query: str, passage: str
) -> None:
    wanted = [t for t in query_terms(query) if t not in ("rule", "percent")]

    assert wanted
    assert set(wanted) <= set(terms(passage))


def test_a_number_is_not_cut_where_a_plain_tokeniser_cuts_it() -> None:
    assert "$0.005" in terms("$0.005")
    assert "0" not in terms("$0.005")
    assert "242.612(b)" in terms("242.612(b)(1)")


def test_different_paragraphs_differ() -> None:
    assert "242.612(b)(1)" not in terms("242.612(b)(2)")


def test_a_question_of_stop_words_alone_still_has_terms() -> None:
    assert query_terms("what will be") == ["what", "will", "be"]
