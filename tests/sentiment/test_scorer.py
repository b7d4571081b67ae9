"""One conformance suite, every scorer; and the rule by which an item and its targets are read."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import BadRequest, ModelMissing, NotKnown
from sentiment.finbert import export
from sentiment.lexicon import Lexicon
from sentiment.scorer import (
    LABELS,
    SCORERS,
    Document,
    Marked,
    Probabilities,
    Scorer,
    mentions,
    open_scorer,
    score_item,
    score_items,
)
from tests.sentiment.weights import write_checkpoint, write_ours

TEXTS: list[str | Marked] = [
    "Shell gains as BP slides", Marked("Shell gains as BP slides", ((0, 5),)), Marked("Shell gains as BP slides", ((15, 17),)),
    "", "profit", "«Ünïcödé» 東京 🚀 \udcff\x00 – 10 %", "Keld narrows loss. " * 300,
    Marked("The bank of Keld warns. " * 40 + "Shell gains", ((960, 965),)),
]  # fmt: skip
# How far a score may move with its company: torch pads, and sums in another order.
TOLERANCE = {"torch": 1e-5}


SHIPPED = [pytest.param(name, marks=pytest.mark.model) for name in ("finbert", "finbert-research")]


@pytest.fixture(
    name="kind", scope="module", params=["lexicon", "fp32", "int8", "hf", "torch", *SHIPPED]
)
def _kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(name="scorer", scope="module")
def _scorer(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    if kind in SCORERS:
        return open_scorer(kind, threads=3)
    folder = tmp_path_factory.mktemp(kind)
    if kind == "fp32":
        write_ours(folder)
    elif kind == "int8":
        export(write_ours(folder / "trained"), folder)
    else:
        pytest.importorskip("transformers")
        write_checkpoint(folder, list(LABELS), kind="bert" if kind == "hf" else "distilbert")
    return open_scorer(f"hf:{folder}", threads=3, cache_dir=folder / "cache")


def test_nothing_gives_no_rows(scorer: Scorer) -> None:
    found = scorer.score([])
    assert found.shape == (0, 3)
    assert found.dtype == np.float32


def test_each_text_gives_probabilities(scorer: Scorer) -> None:
    found = scorer.score(TEXTS)
    assert found.shape == (len(TEXTS), 3)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)


def test_rows_keep_the_order_of_the_texts(scorer: Scorer, kind: str) -> None:
    back = scorer.score(TEXTS[::-1])[::-1]
    assert np.abs(back - scorer.score(TEXTS)).max() <= TOLERANCE.get(kind, 0)


def test_a_text_is_the_same_alone_and_in_a_batch(scorer: Scorer, kind: str) -> None:
    alone = np.concatenate([scorer.score([text]) for text in TEXTS])
    assert np.abs(alone - scorer.score(TEXTS * 3)[: len(TEXTS)]).max() <= TOLERANCE.get(kind, 0)


def test_nothing_to_read_is_neutral(scorer: Scorer) -> None:
    assert scorer.score(["", " \n"]).tolist() == [[0, 1, 0], [0, 1, 0]]


def test_a_target_is_read_or_the_scorer_says_that_it_is_not(scorer: Scorer) -> None:
    shell, bp = scorer.score(TEXTS[1:3])
    assert np.array_equal(shell, bp) != scorer.reads_targets


def test_it_says_what_it_is(scorer: Scorer) -> None:
    assert scorer.name
    assert scorer.version
    assert scorer.trained_through is None or len(scorer.trained_through) == len("2020-01-31")
    assert scorer.notice is None or scorer.notice


# ---- names


def test_a_wrong_name_lists_the_right_ones() -> None:
    with pytest.raises(
        NotKnown, match=r"'finbrt'.*finbert, finbert-research, lexicon, and hf:NAME"
    ):
        open_scorer("finbrt")


def test_without_the_weights_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sentiment.scorer.MODELS", tmp_path)
    monkeypatch.setattr("sentiment.finbert.MODELS", tmp_path)
    for name in set(SCORERS) - {"lexicon"}:
        with pytest.raises(
            ModelMissing, match=f"{name} are not in this build.*regtape train finbert"
        ):
            open_scorer(name)


# ---- the rule for items


class _Told:
    """A scorer that keeps what it is given; the row of the n-th text it ever sees is n, n, n."""

    name = version = "told"
    trained_through: str | None = None
    notice: str | None = None

    def __init__(self, *, reads_targets: bool = True) -> None:
        self.reads_targets = reads_targets
        self.texts: list[str | Marked] = []

    def score(self, texts: Sequence[str | Marked]) -> Probabilities:
        first = len(self.texts)
        self.texts += texts
        return np.repeat(np.arange(first, len(self.texts), dtype=np.float32)[:, None], 3, axis=1)


BODY = "Calder fell. Shell gains, said Jane Holm of Arden Inc. on Monday. BP slides. Shell fell."


def _places(where: str, text: str, target: str) -> list[tuple[str, int, int]]:
    return [(where, start, end) for start, end in mentions(text, target)]


def test_the_headline_decides_for_the_item() -> None:
    told = _Told()
    found = score_item(told, "Keld warns", BODY, {})
    assert told.texts == ["Keld warns"]
    assert found.item.tolist() == [0, 0, 0]


def test_without_a_headline_the_first_sentence_of_the_body() -> None:
    told = _Told()
    score_items(told, [Document(" ", BODY), Document("", "")])
    assert told.texts == ["Calder fell.", ""]


def test_a_target_in_the_headline_is_decided_there() -> None:
    told = _Told()
    headline = "Shell gains as BP slides"
    places = _places("headline", headline, "Shell") + _places("body", BODY, "Shell")
    found = score_item(told, headline, BODY, {"us:shell": places})
    assert told.texts == [headline, Marked(headline, ((0, 5),))]
    assert found.targets["us:shell"].tolist() == [1, 1, 1]


def test_else_the_first_sentence_of_the_body_that_names_it() -> None:
    told = _Told()
    score_item(told, "Oil news", BODY, {"us:shell": _places("body", BODY, "Shell")[::-1]})
    sentence = "Shell gains, said Jane Holm of Arden Inc. on Monday."
    assert told.texts[1:] == [Marked(sentence, ((0, 5),))]


def test_all_mentions_of_that_sentence_are_marked() -> None:
    told = _Told()
    body = "It rains. Shell says Shell gains. Shell fell."
    score_item(told, "Oil news", body, {"us:shell": _places("body", body, "Shell")})
    assert told.texts[1:] == [Marked("Shell says Shell gains.", ((0, 5), (11, 16)))]


def test_a_target_that_is_named_nowhere_has_the_score_of_the_item() -> None:
    told = _Told()
    found = score_item(told, "Keld warns", BODY, {"symbol:XYZ": []})
    assert told.texts == ["Keld warns"]
    assert found.targets["symbol:XYZ"].tolist() == found.item.tolist()


def test_a_scorer_that_reads_no_targets_gets_texts_alone() -> None:
    told = _Told(reads_targets=False)
    headline = "Shell gains as BP slides"
    found = score_item(
        told, headline, "",
        {name: _places("headline", headline, name) for name in ("Shell", "BP")},
    )  # fmt: skip
    assert told.texts == [headline]
    assert found.targets["BP"].tolist() == found.item.tolist()


def test_items_go_in_one_call_and_what_repeats_is_scored_once() -> None:
    told = _Told()
    items = [Document("Keld warns"), Document("Shell gains"), Document("Keld warns")]
    found = score_items(told, items)
    assert told.texts == ["Keld warns", "Shell gains"]
    assert [row.item[0] for row in found] == [0, 1, 0]
    assert score_items(told, []) == []


def test_a_place_outside_the_body_is_refused() -> None:
    with pytest.raises(BadRequest, match="outside a body of 3 characters"):
        score_item(_Told(), "Keld", "abc", {"x": [("body", 5, 9)]})


def test_of_a_long_sentence_the_part_around_the_name() -> None:
    told = _Told()
    before, after = (
        "as rates rose again and again, " * 9,
        ", which fell on Monday and on Tuesday" * 9,
    )
    body = f"Calder fell {before}while Shell gains ground in trading that others avoid{after}."
    score_item(told, "Oil news", body, {"x": _places("body", body, "Shell")})
    marked = told.texts[1]
    assert isinstance(marked, Marked)
    assert marked.text.startswith("as rates rose again and again, ")
    assert marked.text.endswith("on Tuesday")
    assert [marked.text[start:end] for start, end in marked.spans] == ["Shell"]
    assert len(marked.text) <= 120 + len("Shell") + 160


def test_words_are_cut_only_where_there_is_no_space() -> None:
    told = _Told()
    for body in ("abc " * 90 + "Shell" + " def" * 90, "a" * 300 + "Shell" + "b" * 300):
        score_item(
            told, "Oil news", body, {"x": [("body", body.index("Shell"), body.index("Shell") + 5)]}
        )
    spaced, solid = (text.text for text in told.texts if isinstance(text, Marked))
    assert set(spaced.split()) == {"abc", "Shell", "def"}
    assert solid == "a" * 120 + "Shell" + "b" * 160


_text = st.text(st.sampled_from("AbcD .!\n"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(body=_text, data=st.data())
def test_whatever_the_body_a_mention_stays_whole_in_what_decides(
    body: str, data: st.DataObject
) -> None:
    if not body.strip():
        return
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start + 1, min(len(body), start + 9)))
    if not body[start:end].strip():
        return
    told = _Told()
    score_item(told, "h", body, {"x": [("body", start, end)]})
    marked = told.texts[1]
    assert isinstance(marked, Marked)
    (span,) = marked.spans
    assert marked.text[slice(*span)] == body[start:end]


def test_a_real_scorer_tells_two_companies_apart() -> None:
    headline = "Shell gains as BP slides"
    places = {name: _places("headline", headline, name) for name in ("Shell", "BP")}
    found = score_item(Lexicon(), headline, "", places).targets
    assert found["Shell"].argmax() == LABELS.index("positive")
    assert found["BP"].argmax() == LABELS.index("negative")


# ---- a target by its name


@pytest.mark.parametrize(
    ("text", "target", "found"),
    [
        ("Shell gains; SHELL up", "shell", ["Shell", "SHELL"]),
        ("Shellfish up as Shell falls", "Shell", ["Shell"]),
        ("Shellfish up", "Shell", ["Shell"]),
        ("Bank of  Keld warns", "Bank of Keld", ["Bank of  Keld"]),
        ("AT&T (T) up", "AT&T", ["AT&T"]),
        ("Keld warns", "The Keld Group", ["Keld"]),
        ("The group warns", "The Keld Group", []),
        ("C++ maker up", "C++", ["C++"]),
        ("straße ag up", "STRASSE AG", []),
        ("anything", " ", []),
    ],
)
def test_where_a_text_names_a_target(text: str, target: str, found: list[str]) -> None:
    assert [text[start:end] for start, end in mentions(text, target)] == found
