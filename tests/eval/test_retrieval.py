"""The figures of a ranking against their definitions; and a small folder ranked through the real index."""

import json
from collections.abc import Sequence
from math import log, log2
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from agent.rerank import Reranker
from eval import retrieval
from eval.retrieval import STAGES, PlainBm25, Ranker, command, judge, measure
from ingest.beir import Split, index_passages, read_beir
from ingest.embed import open_embedder
from ingest.errors import BadRequest

PASSAGES = {
    "1:1": "A fund manager must file an annual return with the Regulator within four months.",
    "1:2": "A fund manager must keep the assets of each fund apart from its own.",
    "1:3": "",
    "2:1": "An ice-cream van may stop outside a school for fifteen minutes.",
    "2:1.(a)": "A van with chimes may sound them for twelve seconds, no more than once in two minutes.",
}
QUESTIONS = {
    "q1": ("When is a fund manager's annual return due?", ["1:1"]),
    "q2": ("How long may an ice-cream van sound its chimes, and stop?", ["2:1", "2:1.(a)"]),
}


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "vans"
    (folder / "qrels").mkdir(parents=True)
    write(
        folder / "corpus.jsonl", [{"_id": id, "title": "", "text": t} for id, t in PASSAGES.items()]
    )
    write(folder / "queries.jsonl", [{"_id": id, "text": q} for id, (q, _) in QUESTIONS.items()])
    rows = [f"{id}\t{passage}\t1" for id, (_, found) in QUESTIONS.items() for passage in found]
    (folder / "qrels" / "dev.tsv").write_text(
        "\n".join(["query-id\tcorpus-id\tscore", *rows, "q1\t1:2\t0"]), "utf-8"
    )
    return folder


def write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")


def test_figures_of_one_ranking_are_as_defined() -> None:
    found = judge(["x", "a", "y", "b"], frozenset({"a", "b", "c"}))

    assert found["recall@1"] == 0
    assert found["recall@5"] == found["recall@100"] == pytest.approx(2 / 3)
    assert found["map@10"] == pytest.approx((1 / 2 + 2 / 4) / 3)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert found["ndcg@10"] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
    assert found["mrr"] == 1 / 2
    assert set(judge([], frozenset({"a"})).values()) == {0.0}


def test_what_ranks_after_the_tenth_place_counts_in_no_figure_at_ten() -> None:
    found = judge([*map(str, range(10)), "a"], frozenset({"a"}))

    assert (found["recall@10"], found["map@10"], found["ndcg@10"]) == (0, 0, 0)
    assert (found["recall@100"], found["mrr"]) == (1, 1 / 11)


def test_the_yardstick_is_the_formula() -> None:
    plain = PlainBm25(["a b b", "b c", "c c c d"], k1=1.2, b=0.75)

    idf = log(1 + (3 - 2 + 0.5) / (2 + 0.5))
    norm = 1.2 * (1 - 0.75 + 0.75 * 3 / 3)
    assert plain.scores("B?").tolist() == pytest.approx(
        [idf * 2 * 2.2 / (2 + norm), idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 3)), 0.0]
    )


def test_a_small_folder_is_ranked_by_every_stage_and_again_from_what_was_kept(
    folder: Path, tmp_path: Path
) -> None:
    beir, embedder = read_beir(folder, "dev"), open_embedder("hashing")
    found = measure(beir, tmp_path / "kept", embedder)
    steps: list[str] = []
    again = measure(beir, tmp_path / "kept", embedder, progress=lambda *at: steps.append(at[2]))

    assert list(found["groups"]) == list(STAGES)
    assert found["n"] == 2
    for figures in found["groups"].values():
        assert figures["recall@5"]["value"] == 1.0
    assert found["groups"]["lexical"]["mrr"]["value"] == 1.0
    assert again == found
    assert "passages indexed" not in steps


def test_the_command_prints_a_line_a_stage(folder: Path) -> None:
    done = CliRunner().invoke(command, [str(folder), "--split", "dev"], obj={})

    assert done.exit_code == 0, done.output
    for stage in STAGES:
        assert f"\n{stage} " in done.output


def test_a_folder_that_lacks_something_says_what(folder: Path) -> None:
    with pytest.raises(BadRequest, match=r"test\.tsv is not there; splits of vans: dev"):
        read_beir(folder, "test")
    with (folder / "qrels" / "dev.tsv").open("a") as judged:
        judged.write("\nq1\tunheard\t1")
    with pytest.raises(BadRequest, match="line 6"):
        read_beir(folder, "dev")
    (folder / "corpus.jsonl").unlink()
    with pytest.raises(BadRequest, match=r"a BEIR folder has corpus\.jsonl"):
        read_beir(folder, "dev")


def test_only_held_questions_are_asked(folder: Path, tmp_path: Path) -> None:
    beir = read_beir(folder, "dev")
    split = tmp_path / "split.jsonl"
    Split(frozenset({"q2"}), frozenset({"q1"})).write(split, beir)

    words = [str(folder), "--split", "dev", "--only-held", str(split)]
    done = CliRunner().invoke(command, words, obj={"json": True})

    assert done.exit_code == 0, done.output
    assert "1 questions of vans/dev/held" in done.output or '"n": 1' in done.output


def test_a_reranker_reorders_the_first_and_leaves_the_rest_below(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that likes chimes; what the fused ranking puts first keeps half of its say."""
    monkeypatch.setattr(retrieval, "RERANKED", 3)
    monkeypatch.setattr(retrieval, "SHARE", 0.5)

    class Chimes(Reranker):
        def __init__(self) -> None:
            pass

        def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
            return np.array([float("chimes" in text) for text in texts])

    beir, embedder = read_beir(folder, "dev"), open_embedder("hashing")
    catalog, index = index_passages(beir, tmp_path / "kept", embedder, progress=lambda *_: None)
    try:
        found = Ranker(beir, catalog, index, embedder, Chimes()).rank("Where may a van stop?")
    finally:
        index.close()
        catalog.close()

    assert set(found["reranked"][:3]) == set(found["fused"][:3])
    assert found["reranked"][3:] == found["fused"][3:]
    assert found["reranked"][0] == "2:1.(a)" != found["fused"][0]
