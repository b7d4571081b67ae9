"""Sections by number, by rule and by name."""

import pytest

from ingest.errors import BadRequest
from ingest.rules import names


@pytest.mark.parametrize(
    ("words", "sections"),
    [
        ("Rules 610, 611, and 612", ["242.610", "242.611", "242.612"]),
        ("the date for §§242.200 and 203 is", ["242.200", "242.203"]),
        ("Rules 200(g) and 201 [17 CFR 242.200(g)]", ["242.200(g)", "242.201", "242.200(g)"]),
        ("Rule 15c3-5 and Rule 11Ac1-5(b)(2)", ["240.15c3-5", "240.11Ac1-5(b)(2)"]),
        ("Rule 600(b)(89)(i)(F)", ["242.600(b)(89)(i)(F)"]),
        ("Rules 1000 through 1003", ["242.1000", "242.1001", "242.1002", "242.1003"]),
        ("Rule 10c-1a under the Act", ["240.10c-1a"]),
        ("temporary Rule 31T", ["240.31T"]),
        ("FINRA Rule 6750, Rule 144 and 17 CFR 200", []),
        ("$0.612 on page 242", []),
    ],
)
def test_numbers_become_sections(words: str, sections: list[str]) -> None:
    assert [n.section for n in names.numbered(words)] == sections


def test_a_numbered_section_knows_where_it_stands() -> None:
    words = "as Rule 612(b) says"
    (named,) = names.numbered(words)

    assert words[named.start : named.end] == "612(b)"


def test_what_a_rule_is_called_names_it() -> None:
    assert {n.section for n in names.called("Minimum Pricing Increments, Access Fees")} == {
        "242.612",
        "242.610",
    }
    assert names.called("the fair access rule") == ()


@pytest.mark.parametrize(
    ("asked", "section"),
    [
        ("242.612", "242.612"),
        ("Rule 611", "242.611"),
        ("17 CFR 242.610(c)", "242.610(c)"),
        ("15c3-5", "240.15c3-5"),
        ("610t", "242.610T"),
        ("the Order Protection Rule", "242.611"),
        ("Sub-Penny Rule", "242.612"),
    ],
)
def test_a_person_may_ask_by_number_rule_or_name(asked: str, section: str) -> None:
    assert names.resolve(asked) == section


@pytest.mark.parametrize("asked", ["", "lamps", "Rule 5", "242"])
def test_other_words_are_refused_with_the_right_form(asked: str) -> None:
    with pytest.raises(BadRequest, match=r"write 242\.612"):
        names.resolve(asked)


def test_a_paragraph_is_covered_by_its_section_and_not_by_its_neighbour() -> None:
    assert names.covers("242.610", "242.610(c)")
    assert not names.covers("242.610(c)", "242.610")
    assert not names.bears_on("242.610(c)", "242.610(d)")
    assert not names.bears_on("242.610", "242.610T")
