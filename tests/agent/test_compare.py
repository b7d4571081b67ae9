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


def changes(before: str, after: str) -> list[tuple[str, str]]:
    return [(p.before, p.after) for p in compare(before, after).parameters]


def test_a_value_is_compared_with_the_one_in_its_place() -> None:
    before = "Dealers are 61% of members and 39% of traders, compared to 46% and 47% in the years before."
    after = "Dealers are 62% of members and 38% of traders, compared to 42% and 46% in the years before."

    assert changes(before, after) == [
        ("61%", "62%"),
        ("39%", "38%"),
        ("46%", "42%"),
        ("47%", "46%"),
    ]


def test_rows_of_a_table_are_compared_cell_by_cell() -> None:
    before = "Green lamps | 7.7 | 2.8 | (12) | $5\n\nRed lamps | 4 | 20%\n\nBells | 3 | 4"
    after = "Green lamps | 7.8 | 2.8 | 12 | $6\n\nRed lamps | 4 | 21%\n\nBells | 4"
    found = compare(before, after).parameters

    assert [(p.kind, p.unit, p.before, p.after) for p in found] == [
        ("count", "", "7.7", "7.8"),
        ("count", "", "(12)", "12"),
        ("amount", "$", "$5", "$6"),
        ("rate", "%", "20%", "21%"),
    ]
    for each in found:
        assert before[slice(*each.before_span)] == each.before
        assert after[slice(*each.after_span)] == each.after
        assert "lamps | " in before[slice(*each.before_quote)]


def test_the_year_of_a_report_is_no_parameter_and_a_term_is() -> None:
    assert changes("In 2021, lamps were lit.", "In 2022, lamps were lit.") == []
    assert changes("The relief lasts until 2021.", "The relief lasts until 2023.") == [
        ("2021", "2023")
    ]


def test_a_date_told_to_the_day_and_to_the_month_is_one() -> None:
    before, after = (
        "Comment reopened on March 26, 2007 for lamps.",
        "Comment reopened on March 2007 for lamps.",
    )

    assert changes(before, after) == []
    assert changes(before, after.replace("March", "May")) == [("March 26, 2007", "May 2007")]


def test_short_lines_with_other_numbers_are_one_paragraph() -> None:
    before = "Number of Respondents: 12,890.\n\nNumber of Responses: 66,770."
    after = "Number of Responses: 7.\n\nNumber of Respondents: 18,023."

    assert changes(before, after) == [("66,770", "7"), ("12,890", "18,023")]


SECTION = """§ 242.999 Lamps of venues.

(a) Lamps. A venue shall keep a green lamp lit during regular trading hours.

(b) Display. (1) A venue that displays lamps through a facility shall give access on fair terms.

(2) A venue shall not impose unfairly discriminatory terms on members, subscribers or customers.

(c) Fees for lamps. A venue shall not impose any fee for a lamp that exceeds the following limits:

(1) If the price of a lamp is $1.00 or more, the fee cannot exceed $0.003 per share; or

(2) If the price of a lamp is less than $1.00, the fee cannot exceed 0.3% of the price.

(d) Exemptions. The Commission may exempt any venue, for not more than 30 days, from this section."""


def test_an_amended_section_is_aligned_paragraph_by_paragraph() -> None:
    """A paragraph is put in before others, two change places, one goes, a cap and a term change."""
    parts = SECTION.split("\n\n")
    head, lamps, display, terms, fees, high, low, exempt = parts
    new = [
        head,
        lamps,
        "(b) Knowing fees. A venue must set all fees so that they are known when a trade is made.",
        fees,
        high.replace("$0.003", "$0.001"),
        low,
        display.replace("(b)", "(d)"),
        exempt.replace("(d)", "(e)").replace("30 days", "60 days"),
    ]
    found = compare(SECTION, "\n\n".join(new))
    fates = [(p.fate, p.old_label, p.new_label) for p in found.pairs]

    assert (Fate.ADDED, "", "(b)") in fates
    assert (Fate.REMOVED, "(2)", "") in fates
    assert (Fate.SAME, "(c)", "(c)") in fates
    assert (Fate.MOVED, "(b)", "(d)") in fates
    assert (Fate.CHANGED, "(d)", "(e)") in fates
    assert changes(SECTION, "\n\n".join(new)) == [
        ("$0.003 per share", "$0.001 per share"),
        ("30 days", "60 days"),
    ]
    assert terms.startswith("(2)")


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

    assert not topics(before, before, old, old)[0].duties
    lamps = next(topic for topic in found if topic.before == ("I. Lamps",))
    assert lamps.after == ("B. Lamps",)
    assert [before[d.span.start : d.span.end] for d in lamps.duties] == [
        "A venue must keep a lamp lit."
    ]


def test_what_is_required_elsewhere_in_the_other_text_is_no_difference() -> None:
    lamps, bells = "Green lamps shine over venues. " * 12, "Red bells ring over harbours. " * 12
    duty = "A venue must keep one green lamp lit at all hours."
    before = f"{lamps}{duty}\n\n{bells}"
    after = f"{lamps}\n\n{bells}{duty}"

    def cut(text: str) -> tuple[Section, ...]:
        middle = text.index("\n\n")
        return Section(0, middle, ("I. Lamps",)), Section(middle + 2, len(text), ("II. Bells",))

    assert [topic.duties for topic in topics(before, after, cut(before), cut(after))] == [(), ()]
