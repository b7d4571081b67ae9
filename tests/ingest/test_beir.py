"""What is held apart shares nothing with what is trained on, whatever the judgements; and which passages count as hard."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.beir import (
    NEAR,
    Beir,
    Split,
    forbid_overlap,
    hard_negatives,
    hold_apart,
    key,
    read_held,
    section,
)
from ingest.embed import open_embedder
from ingest.errors import BadRequest

IDS = [f"{document}:{a}.{b}.{c}" for document in (1, 2) for a in (1, 2) for b in (1, 2, 3) for c in (1, 2)]  # fmt: skip
PASSAGES = {id: ("", f"Rule {id} on lamps.") for id in IDS}

judgements = st.lists(
    st.frozensets(st.sampled_from(IDS), min_size=1, max_size=3), min_size=1, max_size=30
)


def judged(found: list[frozenset[str]]) -> Beir:
    relevant = {f"q{n}": passages for n, passages in enumerate(found)}
    return Beir(PASSAGES, {id: f"What of {id}?" for id in relevant}, relevant)


@given(judgements, st.floats(0.05, 0.9))
def test_no_passage_of_a_held_question_nor_one_beside_it_is_trained_on(
    found: list[frozenset[str]], share: float
) -> None:
    beir = judged(found)
    split = hold_apart(beir, share)

    taught = {p for id in split.training for p in beir.relevant[id]}
    measured = {p for id in split.held for p in beir.relevant[id]}
    for a in taught:
        for b in measured:
            apart = abs(IDS.index(a) - IDS.index(b))
            assert apart > NEAR or a.partition(":")[0] != b.partition(":")[0]
    assert split.held.isdisjoint(split.training)
    forbid_overlap(beir, split)


@given(judgements)
def test_questions_of_one_section_are_not_divided(found: list[frozenset[str]]) -> None:
    beir = judged([frozenset({min(each)}) for each in found])
    split = hold_apart(beir, 0.5)

    of: dict[str, set[bool]] = {}
    for id, passages in beir.relevant.items():
        of.setdefault(section(min(passages)), set()).add(id in split.held)
    assert all(len(sides) == 1 for sides in of.values())


def test_an_overlap_is_refused() -> None:
    beir = judged([frozenset({IDS[0]}), frozenset({IDS[1]}), frozenset({IDS[5]})])

    forbid_overlap(beir, Split(frozenset({"q0"}), frozenset({"q2"})))
    with pytest.raises(BadRequest, match="held apart"):
        forbid_overlap(beir, Split(frozenset({"q0"}), frozenset({"q1"})))


def test_a_split_comes_back_from_its_file_by_hash(tmp_path: Path) -> None:
    beir = judged([frozenset({id}) for id in IDS])
    split = hold_apart(beir, 0.4)
    split.write(tmp_path / "split.jsonl", beir)

    text = (tmp_path / "split.jsonl").read_text()
    assert read_held(tmp_path / "split.jsonl", beir).relevant.keys() == split.held
    assert "lamps" not in text
    assert {json.loads(line)["question"] for line in text.splitlines()} == set(
        map(key, beir.relevant)
    )
    with pytest.raises(BadRequest, match="none of these"):
        read_held(tmp_path / "split.jsonl", Beir(PASSAGES, {"x": ""}, {"x": frozenset({IDS[0]})}))


def test_hard_negatives_rank_high_are_not_relevant_and_say_something_else(tmp_path: Path) -> None:
    passages = {
        "1:1": "A van may sound its chimes for twelve seconds.",
        "2:1": "A van may sound its chimes for twelve seconds.",
        "1:2": "A van may sound no chimes near a hospital.",
        "1:3": "Annual returns are due within four months.",
    }
    beir = Beir(
        {id: ("", text) for id, text in passages.items()},
        {"q": "How long may a van sound its chimes?"},
        {"q": frozenset({"1:1"})},
    )

    found = hard_negatives(beir, ["q"], tmp_path, open_embedder("hashing"))["q"]

    assert found[0] == 2  # not 0, which is relevant, nor 1, which says the same
    assert {0, 1}.isdisjoint(found)
