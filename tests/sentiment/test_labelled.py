"""Sets read for what their labels mean, copies dropped, near texts kept together, splits by hash."""

import json
import os
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRequest
from sentiment.labelled import (
    NEAR,
    SETS,
    SPLITS,
    Row,
    find_target,
    fold_of,
    key,
    near_groups,
    normalised,
    overlap,
    read_sets,
    read_splits,
    sort_out,
    split_of,
    write_splits,
)

WORDS = st.sampled_from(
    "profit rose fell at Norvale Halden in May sharply again 3 5 percent on sales".split()
)
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=9).map(" ".join), min_size=1, max_size=25)


def _lines(path: Path, *records: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")


def _jaccard(left: str, right: str) -> float:
    def bag(text: str) -> set[str]:
        words = normalised(text).split()
        return {*words, *(f"{a} {b}" for a, b in pairwise(words))}

    both = bag(left) & bag(right)
    return len(both) / len(bag(left) | bag(right))


# --- readers


def test_a_lone_cashtag_is_what_a_tweet_is_about(tmp_path: Path) -> None:
    _lines(
        tmp_path / "tfns" / "train.jsonl",
        {"text": "$NRV - Norvale  rises https://t.co/abc", "label": "positive"},
        {"text": "$NRV $HLD both named", "label": "neutral"},
    )
    rows = read_sets(tmp_path, ["tfns"])
    assert rows == [
        Row("tfns", "$NRV - Norvale rises", "positive"),
        Row("tfns", "$NRV - Norvale rises", "positive", ((0, 4),)),
        Row("tfns", "$NRV $HLD both named", "neutral"),
    ]


def test_a_headline_has_a_label_as_a_whole_only_where_its_targets_agree(tmp_path: Path) -> None:
    _lines(
        tmp_path / "sentfin" / "train.jsonl",
        {
            "text": "Norvale gains, Halden slides",
            "targets": [
                {"target": "Norvale", "label": "positive"},
                {"target": "Halden", "label": "negative"},
            ],
        },
        {"text": "Tamex falls", "targets": [{"target": "Tamex", "label": "negative"}]},
        {
            "text": "Brex Holdings steady",
            "targets": [{"target": "Brex neutralings", "label": "neutral"}],
        },
    )
    rows = read_sets(tmp_path, ["sentfin"])
    assert [(r.text, r.label, [r.text[a:b] for a, b in r.spans]) for r in rows] == [
        ("Norvale gains, Halden slides", "positive", ["Norvale"]),
        ("Norvale gains, Halden slides", "negative", ["Halden"]),
        ("Tamex falls", "negative", ["Tamex"]),
        ("Tamex falls", "negative", []),
        ("Brex Holdings steady", "neutral", ["Brex Holdings"]),
        ("Brex Holdings steady", "neutral", []),
    ]


def test_finentity_marks_move_with_the_text_and_a_bystander_makes_no_whole(tmp_path: Path) -> None:
    text = " Norvale rose, Halden said; Norvale is big."
    marks = [
        {"start": 1, "end": 8, "value": "Norvale", "label": "Positive"},
        {"start": 28, "end": 35, "value": "Norvale", "label": "Positive"},
        {"start": 14, "end": 20, "value": "Halden", "label": "Neutral"},  # a character too early
    ]
    folder = tmp_path / "finentity"
    folder.mkdir()
    other = {
        "content": "Tamex spoke.",
        "annotations": [{"start": 0, "end": 5, "value": "Tamex", "label": "Neutral"}],
    }
    (folder / "FinEntity.json").write_text(
        json.dumps([{"content": text, "annotations": marks}, other])
    )
    rows = read_sets(tmp_path, ["finentity"])
    assert [(r.label, [r.text[a:b] for a, b in r.spans]) for r in rows] == [
        ("positive", ["Norvale", "Norvale"]),
        ("neutral", ["Halden"]),
        ("neutral", ["Tamex"]),
    ]


def test_fiqa_scores_near_zero_are_neutral(tmp_path: Path) -> None:
    said = [("a", 0.4), ("b", -0.4), ("c", 0.1), ("d", -0.1)]
    _lines(
        tmp_path / "fiqa" / "headline_train.jsonl",
        *({"text": f"{n} Norvale", "target": "Norvale", "score": s} for n, s in said),
    )
    _lines(tmp_path / "fiqa" / "post_train.jsonl")
    labels = [row.label for row in read_sets(tmp_path, ["fiqa"])]
    assert labels == ["positive", "negative", "neutral", "neutral"]


def test_a_name_that_is_no_set_and_a_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="phrasebank"):
        read_sets(tmp_path, ["frasebank"])
    with pytest.raises(BadRequest, match="tfns is not in"):
        read_sets(tmp_path, ["tfns"])


def test_only_sets_that_state_a_commercial_licence_are_commercial() -> None:
    assert {name for name, each in SETS.items() if each.commercial} == {
        "tfns",
        "sentfin",
        "finentity",
    }


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("Ares up; cares little", "Ares", ["Ares"]),
        ("cares little", "ares", ["ares"]),
        ("Buy $NRV now", "NRV", ["NRV"]),
        ("NORVALE and norvale", "Norvale", ["NORVALE", "norvale"]),
        ("nothing", "Norvale", []),
        ("nothing", "", []),
    ],
)
def test_a_target_is_found_as_a_word_first(text: str, target: str, found: list[str]) -> None:
    assert [text[a:b] for a, b in find_target(text, target)] == found


# --- copies and near copies


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Norvale 's profit rose .", "Norvale's profit rose"),
        ("Profit UP 5% https://t.co/x", "profit up 5"),
        ("ﬁrm  profit", "firm profit"),
    ],
)
def test_copies_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_groups_are_those_of_comparing_every_pair(texts: list[str]) -> None:
    found = near_groups(texts)
    parts = [{at} for at in range(len(texts))]
    for i, left in enumerate(texts):
        for j in range(i):
            if _jaccard(left, texts[j]) >= NEAR:
                one = next(p for p in parts if i in p)
                two = next(p for p in parts if j in p)
                if one is not two:
                    parts.remove(two)
                    one |= two
    of = {at: n for n, part in enumerate(parts) for at in part}
    for i in range(len(texts)):
        for j in range(i):
            assert (found[i] == found[j]) == (of[i] == of[j])


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_no_split_or_fold_shares_a_near_text(texts: list[str]) -> None:
    dealt = sort_out([Row("x", text, "neutral") for text in texts])
    for left in SPLITS:
        for right in SPLITS:
            if left != right:
                assert overlap(dealt.of(left), dealt.of(right)) == []
    folds = {
        n: [r for r in dealt.rows if fold_of(dealt.group[key(r.text)], 3) == n] for n in range(3)
    }
    assert overlap(folds[0], folds[1] + folds[2]) == []


@given(TEXTS, st.randoms())
@settings(max_examples=50, deadline=None)
def test_splits_do_not_depend_on_the_order_of_rows(texts: list[str], random: object) -> None:
    rows = [Row("x", text, "neutral") for text in texts]
    turned = list(rows)
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert sort_out(rows).split == sort_out(turned).split


def test_overlap_finds_what_was_planted() -> None:
    train = [Row("a", "Norvale profit rose to EUR 5 mn in the second quarter", "positive")]
    test = [
        Row("b", "Norvale profit rose to EUR 5 mn in the second quarter of 2009", "positive"),
        Row("b", "Halden cuts jobs", "negative"),
    ]
    assert overlap(train, test) == [(train[0], test[0])]


def test_of_copies_the_first_set_stays_and_of_a_quarrel_nothing() -> None:
    rows = [
        Row("first", "Norvale gains", "positive"),
        Row("second", "Norvale gains!", "neutral"),
        Row("second", "Norvale gains", "neutral", ((0, 7),)),
        Row("second", "Halden slides", "negative"),
        Row("second", "Halden slides.", "neutral"),
        Row("second", "...", "neutral"),
    ]
    dealt = sort_out(rows)
    assert dealt.rows == (rows[0], rows[2])
    assert dealt.dropped == {"copy": 1, "labels disagree": 2, "no words": 1}


def test_shares_come_out_as_asked() -> None:
    counts = Counter(split_of(key(str(n))) for n in range(5000))
    assert counts["train"] / 5000 == pytest.approx(0.8, abs=0.03)
    assert counts["validation"] / 5000 == pytest.approx(0.1, abs=0.02)


def test_a_split_file_names_texts_by_hash_alone(tmp_path: Path) -> None:
    dealt = sort_out(
        [Row("a", "Norvale gains", "positive"), Row("b", "Norvale gains", "positive", ((0, 7),))]
    )
    write_splits(tmp_path / "splits.jsonl", dealt)
    written = (tmp_path / "splits.jsonl").read_text()
    assert "Norvale" not in written
    name = key("Norvale gains")
    wanted = {"key": name, "group": name, "split": dealt.split[name], "sets": ["a", "b"]}
    assert json.loads(written) == wanted
    assert read_splits(tmp_path / "splits.jsonl") == {name: dealt.split[name]}


@pytest.mark.data
def test_real_sets_are_read_and_dealt_without_overlap(sets_folder: Path) -> None:
    rows = read_sets(sets_folder, SETS)
    seen = Counter(row.set for row in rows)
    assert all(seen[name] > 500 for name in SETS)
    assert all(0 <= a < b <= len(row.text) for row in rows for a, b in row.spans)
    dealt = sort_out(rows)
    assert len(dealt.rows) > 0.95 * len(rows)
    assert overlap(dealt.of("train"), dealt.of("validation") + dealt.of("test")) == []


@pytest.fixture(name="sets_folder")
def _sets_folder() -> Path:
    if "REGTAPE_DATA" not in os.environ:
        pytest.skip("REGTAPE_DATA is not set")
    return Path(os.environ["REGTAPE_DATA"]) / "sentiment"
