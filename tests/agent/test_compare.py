"""Paragraphs are found wherever they went, numbers that changed are told with their quotes, and a patch makes the new text."""

import random

import pytest

from agent.compare import Fate, apply, changed_words, compare, patch, topics
from ingest.document import Section

OLD = (
    "(a) Lamps. Each venue must keep one green lamp lit at all hours of the day.\n\n"
    "(b) Fees. The fee for a lamp must not exceed $0.003 per share of the venue.\n\n"
    "(c) Records. A venue must keep records of its lamps for three years.\n"
)
NEW = (
    "(a) Records. A venue must keep records of its lamps for five years.\n\n"
    "(b) Lamps. Each venue must keep one green lamp lit at all hours of the day.\n\n"
    "(c) Fees. The fee for a lamp must not exceed $0.001 per share of the venue.\n\n"
    "(d) Bells. Ring them.\n"
)


def test_paragraphs_are_found_where_they_went() -> None:
    pairs = compare(OLD, NEW).pairs

    assert [(pair.fate, pair.old_label, pair.new_label) for pair in pairs] == [
        (Fate.MOVED, "(c)", "(a)"),
        (Fate.RENUMBERED, "(a)", "(b)"),
        (Fate.CHANGED, "(b)", "(c)"),
        (Fate.ADDED, "", "(d)"),
    ]


def test_changed_numbers_come_with_both_quotes() -> None:
    found = compare(OLD, NEW).parameters

    assert [(p.kind, p.before, p.after) for p in found] == [
        ("duration", "three years", "five years"),
        ("amount", "$0.003 per share", "$0.001 per share"),
    ]
    for each in found:
        assert each.before in OLD[slice(*each.before_quote)]
        assert each.after in NEW[slice(*each.after_quote)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("See Docket No. 2024-0223 for the lamp.", "See Docket No. 2024-0225 for the lamp."),
        ("Call 206-231-3229 about the lamp.", "Call 516-228-7300 about the lamp."),
        (
            "At least three days after the lamp is lit.",
            "No later than three days after the lamp is lit.",
        ),
        ("12 The lamp is lit.", "13 The lamp is lit."),
    ],
)
def test_names_and_notes_are_no_parameters(before: str, after: str) -> None:
    assert compare(before, after).parameters == ()


def test_a_number_that_only_moved_did_not_change() -> None:
    assert (
        compare("Pay $5 by noon and $7 by night.", "Pay $7 by night and $5 by noon.").parameters
        == ()
    )


def test_words_spell_both_sides() -> None:
    words = changed_words("one green lamp", "two green  lamps!")

    assert "".join(w.text for w in words if w.mark != "+") == "one green lamp"
    assert "".join(w.text for w in words if w.mark != "-") == "two green  lamps!"


def scrambled(draw: random.Random) -> str:
    alphabet = [
        "lamp ",
        "bell ",
        "\n",
        "\n\n",
        "(a) ",
        "1. ",
        "$0.30",
        "§",
        "\u00e9",
        "\r\n",
        "\t",
        "",
    ]
    return "".join(draw.choices(alphabet, k=draw.randrange(60)))


@pytest.mark.parametrize("seed", range(200))
def test_a_patch_makes_the_new_text_byte_for_byte(seed: int) -> None:
    draw = random.Random(seed)
    before = draw.choice([OLD, scrambled(draw), ""])
    after = draw.choice(
        [NEW, scrambled(draw), before[::-1], before[: len(before) // 2] + scrambled(draw)]
    )

    assert apply(patch(before, after), before).encode() == after.encode()


def test_what_stayed_is_copied() -> None:
    assert len([step for step in patch(OLD, OLD + "One more.") if isinstance(step, str)]) == 1


def test_texts_that_differ_wholly_are_compared_by_topic() -> None:
    def release(paragraphs: list[tuple[str, str]]) -> tuple[str, tuple[Section, ...]]:
        text, sections = "", []
        for heading, words in paragraphs:
            sections.append(Section(len(text), len(text) + len(words) + 2, (heading,)))
            text += words + "\n\n"
        return text, tuple(sections)

    filler = "Green lamps shine on venues at night and guide every trader home. "
    bells = "Red bells ring over harbours in fog and warn every sailor of rocks. "
    before, old = release(
        [("I. Lamps", filler * 5 + "A venue must keep a lamp lit."), ("II. Bells", bells * 5)]
    )
    after, new = release(
        [
            ("A. Bells", "Bells over harbours: " + bells.upper() * 2 + bells * 3),
            ("B. Lamps", "Lamps guide each trader home, venues say. " * 9),
        ]
    )
    found = topics(before, after, old, new)

    lamps = next(topic for topic in found if topic.before == ("I. Lamps",))
    assert lamps.after == ("B. Lamps",)
    assert [before[d.span.start : d.span.end] for d in lamps.duties] == [
        "A venue must keep a lamp lit."
    ]
