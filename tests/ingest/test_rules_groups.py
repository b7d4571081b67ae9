"""Which groups of instruments a sentence names."""

import pytest

from ingest.rules.groups import groups, groups_in


@pytest.mark.parametrize(
    ("sentence", "named"),
    [
        ("Quoted spreads of tick-constrained stocks would narrow.", {"tick_constrained"}),
        ("Stocks that trade at a penny spread would see less depth.", {"tick_constrained"}),
        ("The depth of thinly traded stocks, and of small-cap stocks, may fall.", {"wide_spread", "small_companies"}),
        ("For stocks priced below $1.00 the increment is $0.0001.", {"sub_dollar"}),
        ("For stocks priced below $1.50 the increment stays.", set()),
        ("Spreads of ETPs and of exchange-traded funds narrowed.", {"funds"}),
        ("The options markets would be quoted in pennies.", {"options"}),
        ("The Commission considered several options.", set()),
        ("Over-the-counter equities have wider spreads.", {"over_the_counter"}),
        ("Spreads of Nasdaq-listed securities fell.", {"nasdaq_stocks"}),
        ("Nasdaq raised its fees.", set()),
        ("Liquidity would improve.", set()),
    ],
)  # fmt: skip
def test_groups_are_told_by_their_words(sentence: str, named: set[str]) -> None:
    assert groups_in(sentence) == named
    assert named <= set(groups())
    assert groups_in(sentence.replace(" ", "\n")) == named
