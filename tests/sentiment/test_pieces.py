"""What a run reads: marks where they belong and nowhere else, whole mentions, nothing above the limit."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.encoder import open_tokenizer
from ingest.errors import BadRequest, ModelMissing
from sentiment.pieces import Pieces, Reader
from sentiment.scorer import Marked
from tests.sentiment.weights import PIECES, ids, write_ours

OPENS, CLOSES = ids()["[unused1]"], ids()["[unused2]"]
WORDS = ["shell", "bp", "gains", "slides", "as", "profit", "nestle", "outlook", "."]


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ours(tmp_path_factory.mktemp("pieces"))


@pytest.fixture(name="reader", scope="module")
def _reader(folder: Path) -> Reader:
    return _open(folder, 64)


def _open(folder: Path, max_tokens: int, *, marks: bool = True) -> Reader:
    return Reader(open_tokenizer(folder / "tokenizer.json"), max_tokens, marks=marks)


@pytest.fixture(name="comparing", scope="module")
def _comparing(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """With two pieces of the vocabulary renamed to those that say more and less."""
    file = write_ours(tmp_path_factory.mktemp("comparing")) / "tokenizer.json"
    text = file.read_text("utf-8").replace('"##1"', '"[unused3]"').replace('"##2"', '"[unused4]"')
    file.write_text(text, "utf-8")
    return Reader(open_tokenizer(file), 64, marks=True, compares=True)


def _words(run: Pieces) -> str:
    return " ".join(PIECES[each] for each in run.ids)


def _target(run: Pieces) -> list[str]:
    return [PIECES[each] for each, share in zip(run.ids, run.shares, strict=True) if share > 0]


def test_a_mention_stands_between_marks(reader: Reader) -> None:
    (run,) = reader.read(Marked("Shell gains as BP slides", ((15, 17),)))
    assert _words(run) == "[CLS] shell gains as [unused1] bp [unused2] slides [SEP]"
    assert _target(run) == ["bp"]
    assert run.size == 5


def test_without_a_target_all_pieces_share(reader: Reader) -> None:
    (run,) = reader.read("shell gains")
    assert _words(run) == "[CLS] shell gains [SEP]"
    assert run.shares == [0.25] * 4


def test_every_mention_is_marked_and_shares(reader: Reader) -> None:
    (run,) = reader.read(Marked("bp slides , bp falls", ((12, 14), (0, 2))))
    assert _words(run) == "[CLS] [unused1] bp [unused2] slides , [unused1] bp [unused2] falls [SEP]"
    assert [share for share in run.shares if share] == [0.5, 0.5]


def test_a_mention_of_part_of_a_word_takes_the_pieces_it_touches(reader: Reader) -> None:
    (run,) = reader.read(Marked("Nestlé, ÖL", ((0, 3),)))
    assert _target(run) == ["nest"]
    (run,) = reader.read(Marked("Nestlé", ((0, 6),)))
    assert _target(run) == ["nest", "##le"]


def test_overlapping_mentions_are_one(reader: Reader) -> None:
    (run,) = reader.read(Marked("shell gains as", ((0, 11), (6, 14))))
    assert _words(run) == "[CLS] [unused1] shell gains as [unused2] [SEP]"


def test_no_text_can_forge_a_mark(reader: Reader) -> None:
    (run,) = reader.read("[unused1] shell [unused2] gains [SEP]")
    assert not {OPENS, CLOSES} & set(run.ids)
    assert run.ids.count(ids()["[SEP]"]) == 1


def test_a_mention_without_pieces_is_none(reader: Reader) -> None:
    (run,) = reader.read(Marked("shell  gains", ((5, 7),)))
    assert run == reader.read("shell  gains")[0]


def test_nothing_to_read_gives_no_run(reader: Reader) -> None:
    assert [reader.read(text) for text in ("", " \n", "\u200b", Marked(" ", ((0, 1),)))] == [[]] * 4


def test_lone_surrogates_are_read_as_question_marks(reader: Reader) -> None:
    assert reader.read("shell \udcff") == reader.read("shell ?")


@pytest.mark.parametrize("span", [(-1, 2), (3, 3), (4, 2), (0, 12)])
def test_a_span_outside_the_text_is_refused(reader: Reader, span: tuple[int, int]) -> None:
    with pytest.raises(BadRequest, match="no part of a text of 11 characters"):
        reader.read(Marked("shell gains", (span,)))


def test_a_model_that_knows_no_marks_gets_none(folder: Path) -> None:
    reader = _open(folder, 64, marks=False)
    assert reader.read(Marked("shell gains", ((0, 5),))) == reader.read("shell gains")


def test_a_vocabulary_without_marks_is_refused(folder: Path, tmp_path: Path) -> None:
    words = (folder / "tokenizer.json").read_text().replace("[unused2]", "[gone]")
    (tmp_path / "tokenizer.json").write_text(words)
    with pytest.raises(ModelMissing, match=r"no \[unused1\] and \[unused2\]"):
        _open(tmp_path, 64)


# ---- longer than the model


def test_a_long_text_is_read_sentence_by_sentence(folder: Path) -> None:
    text = "Shell gains as profit rises. The bank slides. Keld warns of a loss."
    assert [_words(run) for run in _open(folder, 12).read(text)] == [
        "[CLS] shell gains as profit rises . [SEP]",
        "[CLS] the bank slides . [SEP]",
        "[CLS] keld warns of a loss . [SEP]",
    ]


def test_with_a_target_the_sentences_that_name_it(folder: Path) -> None:
    text = "Shell gains as profit rises. The bank slides. Keld warns of a loss."
    (run,) = _open(folder, 12).read(Marked(text, ((33, 37),)))
    assert _words(run) == "[CLS] the [unused1] bank [unused2] slides . [SEP]"


def test_a_name_that_runs_over_the_end_of_a_sentence_keeps_it_together(folder: Path) -> None:
    text = "Shell gains as profit rises in the outlook. The bank slides. Keld warns of a loss."
    (run,) = _open(folder, 30).read(Marked(text * 2, ((35, 52),)))
    assert "[unused1] outlook . the bank [unused2] slides" in _words(run)


def test_what_is_still_too_long_is_cut_at_its_end(folder: Path) -> None:
    (run,) = _open(folder, 10).read("shell " * 50 + "gains")
    assert _words(run) == "[CLS] " + "shell " * 8 + "[SEP]"


def test_or_around_the_first_mention(folder: Path) -> None:
    text = "shell " * 50 + "bp gains" + " shell" * 50
    (run,) = _open(folder, 11).read(Marked(text, ((300, 302),)))
    assert _words(run) == "[CLS] " + "shell " * 4 + "[unused1] bp [unused2] gains shell [SEP]"


def test_a_mention_longer_than_the_model_is_read_as_far_as_it_fits(folder: Path) -> None:
    (run,) = _open(folder, 8).read(Marked("as " + "shell " * 50, ((3, 300),)))
    assert _words(run) == "[CLS] [unused1] " + "shell " * 4 + "[unused2] [SEP]"


@st.composite
def _marked(draw: st.DrawFn) -> Marked:
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=60))
    named = draw(st.sets(st.integers(0, len(words) - 1), min_size=1, max_size=8))
    starts = [sum(len(word) + 1 for word in words[:at]) for at in range(len(words))]
    spans = tuple((starts[at], starts[at] + len(words[at])) for at in sorted(named))
    return Marked(" ".join(words), spans)


@settings(max_examples=200, deadline=None)
@given(text=_marked(), room=st.integers(10, 40))
def test_whatever_the_text_a_run_is_well_formed(folder: Path, text: Marked, room: int) -> None:
    runs = _open(folder, room).read(text)
    assert runs
    for run in runs:
        assert len(run.ids) == len(run.shares) <= room
        assert sum(run.shares) == pytest.approx(1)
        assert (run.ids[0], run.ids[-1]) == (ids()["[CLS]"], ids()["[SEP]"])
        marks = [each for each in run.ids if each in (OPENS, CLOSES)]
        assert marks == [OPENS, CLOSES] * (len(marks) // 2)
        assert marks
        inside, depth = [], 0
        for each, share in zip(run.ids, run.shares, strict=True):
            depth += (each == OPENS) - (each == CLOSES)
            inside.append(depth == 1 and each != OPENS)
            assert (share > 0) == inside[-1]
        assert run.size == len(run.ids) - 2 - len(marks)


@settings(max_examples=100, deadline=None)
@given(text=_marked())
def test_what_fits_is_read_whole_and_in_order(folder: Path, text: Marked) -> None:
    (run,) = _open(folder, 500).read(text)
    (plain,) = _open(folder, 500).read(text.text)
    assert [each for each in run.ids if each not in (OPENS, CLOSES)] == plain.ids
    # The obvious way: the pieces of each named word, one after another.
    reader = _open(folder, 500)
    named = [text.text[start:end] for start, end in text.spans]
    pieces = [PIECES[each] for word in named for each in reader.read(word)[0].ids[1:-1]]
    assert _target(run) == pieces


def test_a_figure_that_is_compared_is_followed_by_what_it_is(comparing: Reader) -> None:
    (run,) = comparing.read("profit rises to 7 % from 5 % , profit of 5 % vs 7 %")
    more, less = ids()["##1"], ids()["##2"]  # as they were called before
    seven = run.ids.index(ids()["7"])
    assert run.ids.count(more) == run.ids.count(less) == 1
    assert run.ids[seven + 2] == more
    assert run.shares == [1 / len(run.ids)] * len(run.ids)


def test_what_is_said_of_figures_is_no_part_of_a_target(comparing: Reader, reader: Reader) -> None:
    text = "shell profit 7 % vs 5 % , bp slides"
    told, plain = (
        r.read(Marked(text, ((0, 5), (text.index("bp"), text.index("bp") + 2))))[0]
        for r in (comparing, reader)
    )
    assert len(told.ids) == len(plain.ids) + 1
    assert _target(told) == _target(plain) == ["shell", "bp"]


def test_a_vocabulary_without_the_pieces_cannot_say_comparisons(folder: Path) -> None:
    with pytest.raises(ModelMissing, match="unused3"):
        Reader(open_tokenizer(folder / "tokenizer.json"), 64, marks=True, compares=True)
