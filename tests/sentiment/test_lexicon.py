"""The word list: which way shifted, negated and divided phrases point."""

import re
from pathlib import Path

import pytest

import sentiment.lexicon
from sentiment.lexicon import Lexicon, tone
from sentiment.scorer import mentions

LIST = Path(sentiment.lexicon.__file__).with_name("lexicon.tsv").read_text("utf-8")

KINDS = frozenset("up down more less good bad not fails but although clause before".split())


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("Harbour Foods narrows loss", 1),
        ("Harbour Foods narrows margin", -1),
        ("Harbour Foods widens loss", -1),
        ("Harbour Foods loss narrows", 1),
        ("Costs fall at Harbour Foods", 1),
        ("Profit falls at Harbour Foods", -1),
        ("Orlane beats estimates but lowers full-year outlook", -1),
        ("Orlane lowers full-year outlook but beats estimates", 1),
        ("Vasco raises dividend despite weak quarter", 1),
        ("Keld does not expect a loss", 1),
        ("Keld fails to win approval", -1),
        ("Keld denies fraud", 1),
        ("Calder net income $1.24 bln vs $1.31 bln", -1),
        ("Calder revenue 940 mln from 870 mln", 1),
        ("Calder revenue 1.1 bln from 870 mln", 1),
        ("Calder posts profit of 9.8 mln, compared to a loss of 12.7 mln", 1),
        ("Tern cuts 2,400 jobs", -1),
        ("Tern cuts debt", 1),
        ("Tern wasn’t hurt", 1),
        ("Board of Keld to meet on Thursday", 0),
        ("", 0),
    ],
)
def test_which_way_it_points(text: str, sign: int) -> None:
    found = tone(text)
    assert (found > 0) - (found < 0) == sign, found


@pytest.mark.parametrize(
    ("text", "target", "sign"),
    [
        ("Shell gains as BP slides", "Shell", 1),
        ("Shell gains as BP slides", "BP", -1),
        ("Arden wins order; Boreal warns of loss", "Boreal", -1),
        ("Arden, Boreal fall", "Arden", -1),
        ("Profit falls; Arden declines to comment on Boreal", "Shell", -1),
    ],
)
def test_a_targets_own_clause_counts(text: str, target: str, sign: int) -> None:
    found = tone(text, mentions(text, target))
    assert found * sign > 0, found


def test_places_are_right_behind_letters_that_grow_in_lower_case() -> None:
    text = "İİİİİİİİİİİİ Shell gains as BP slides"
    assert tone(text, mentions(text, "BP")) < 0 < tone(text, mentions(text, "Shell"))


def test_the_list_is_well_formed() -> None:
    forms: list[str] = []
    for line in LIST.splitlines():
        if line.startswith("#"):
            continue
        kind, weight, words = line.split("\t")
        assert kind in KINDS
        assert 0 < float(weight) <= 2
        forms += words.split(", ")
    assert [form for form in forms if form != form.strip().lower()] == []
    assert [form for form in set(forms) if forms.count(form) > 1] == []


def test_every_form_of_the_list_can_be_met() -> None:
    unread = [
        form
        for line in LIST.splitlines()
        if not line.startswith("#")
        for form in line.split("\t")[2].split(", ")
        if form != "n't" and " ".join(re.findall(sentiment.lexicon._WORD, form)) != form
    ]
    assert unread == []


def test_the_version_changes_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Lexicon().version
    (tmp_path / "lexicon.tsv").write_text(LIST + "good\t1\tlamps\n", "utf-8")
    monkeypatch.setattr(sentiment.lexicon, "_FILE", tmp_path / "lexicon.tsv")
    assert Lexicon().version != before
