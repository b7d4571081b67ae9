"""Our own sentences: labels that follow from their numbers, marks on the companies meant."""

import random
import re
from collections import Counter

from sentiment.written import fill, written_rows


def test_the_same_seed_writes_the_same_rows_and_no_place_stays_open() -> None:
    rows = written_rows(600, 3)
    assert rows == written_rows(600, 3)
    assert rows != written_rows(600, 4)
    assert len(rows) == len({(r.text, r.spans) for r in rows}) == 600
    assert not any(re.search(r"[{}<>|]", row.text) for row in rows)
    assert min(Counter(row.label for row in rows).values()) > 100


def test_low_is_below_high() -> None:
    source = random.Random(1)
    for _ in range(500):
        text, _ = fill("{low} and {high}", source)
        low, high = (float(n) for n in re.findall(r"\d+(?:\.\d+)?", text))
        assert low < high


def test_each_company_has_its_own_label() -> None:
    text, marks = fill("<A+> gains as <B-> slides; <A+> at a high, says <C0>.", random.Random(2))
    named = [(text[a:b], label) for (a, b), label in marks]
    assert [label for _, label in named] == ["positive", "negative", "positive", "neutral"]
    assert named[0][0] == named[2][0] != named[1][0]
