"""Our own sentences: labels that follow from their numbers, marks on the companies meant."""

import random
import re
from collections import Counter

import pytest

from sentiment.comparisons import comparisons
from sentiment.written import fill, patterns, written_rows


def test_the_same_seed_writes_the_same_rows_and_no_place_stays_open() -> None:
    rows = written_rows(600, 3)
    assert rows == written_rows(600, 3)
    assert rows != written_rows(600, 4)
    assert len(rows) == len({(r.text, r.spans) for r in rows}) == 600
    assert not any(re.search(r"[{}<>|]|  |,,|\.\.", row.text) for row in rows)
    assert min(Counter(row.label for row in rows).values()) > 100
    assert min(Counter(bool(row.spans) for row in rows).values()) > 150


@pytest.mark.parametrize("part", ["positive", "negative", "neutral", "pairs"])
def test_every_pattern_can_be_filled(part: str) -> None:
    source = random.Random(5)
    assert len(set(patterns()[part])) == len(patterns()[part]) > 80
    for pattern in patterns()[part]:
        text, marks = fill(pattern, source, None if part == "pairs" else part)
        assert not re.search(r"[{}<>|]", text), pattern
        assert bool(marks) == bool(re.search(r"<|client", pattern)) or "client" in pattern
        if part == "pairs":
            assert len(marks) == len(set(re.findall(r"<(\w)", pattern))), pattern


def test_no_pattern_has_two_labels() -> None:
    assert len({p for part in patterns().values() for p in part}) == sum(
        map(len, patterns().values())
    )


def test_low_is_below_high() -> None:
    source = random.Random(1)
    for _ in range(500):
        text, _ = fill("{low} and {high}", source)
        low, high = (float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text))
        assert low < high


def test_what_is_said_of_figures_is_what_the_patterns_mean() -> None:
    source = random.Random(7)
    for good in (True, False):
        pattern = (
            "{m} totalled {high}, compared to {low}." if good else "{ep} were {eps1} versus {eps2}."
        )
        for _ in range(200):
            text, _ = fill(pattern, source)
            (found,) = comparisons(text)
            assert found.more is good, text


def test_each_company_has_its_own_label() -> None:
    text, marks = fill("<A+> gains as <B-> slides; <A+> at a high, says <C0>.", random.Random(2))
    labels = {label: [text[a:b] for a, b in spans] for label, spans in marks}
    assert list(labels) == ["positive", "negative", "neutral"]
    assert [len(named) for named in labels.values()] == [2, 1, 1]
    assert len(set(labels["positive"])) == 1
    assert labels["positive"][0] != labels["negative"][0]


def test_without_signs_the_first_company_has_the_label_of_the_sentence() -> None:
    text, marks = fill("<A> loses order to <B>; <A> warns of <C+>", random.Random(2), "negative")
    assert [label for label, _ in marks] == ["negative", "neutral", "positive"]
    assert len({text[a:b] for a, b in marks[0][1]}) == 1
