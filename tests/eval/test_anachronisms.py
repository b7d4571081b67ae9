"""What counts as said before its time, on answers of a small rulebook."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.reply import Standing
from eval.anachronisms import Case, evaluate, generated, judge, labelled
from ingest.moment import parse_moment
from ingest.rules.held import open_book
from tests.agent.test_rules_in_answers import Held
from tests.ingest.test_rules_state import ALL

EARLY = parse_moment("2020-09-15")  # adopted on September 1, effective on November 2
CASE = Case("labelled", "Is Rule 611 in force?", EARLY, "242.611", Standing.ADOPTED)


@pytest.fixture(name="held")
def _held(tmp_path: Path) -> Iterator[Held]:
    held = Held(tmp_path / "home")
    held.put(*ALL)
    yield held
    held.index.close()
    held.catalog.close()


def releases(held: Held) -> dict[str, set[str]]:
    return {h.id: {"242.611"} for h in held.catalog.documents()}


def test_a_state_told_right_is_none(held: Held) -> None:
    verdict = judge(CASE, held.agent.ask(CASE.question, as_of=EARLY), releases(held))

    assert (verdict.late, verdict.overstated) == (False, False)


def test_what_is_told_as_binding_and_was_not_is_overstated(held: Held) -> None:
    answer = held.agent.ask(CASE.question, as_of=EARLY)
    told = tuple(
        replace(r, standing=Standing.IN_FORCE, with_file=Standing.IN_FORCE) for r in answer.rules
    )

    assert judge(CASE, replace(answer, rules=told), releases(held)).overstated


def test_adopted_words_without_a_word_on_their_state_are_overstated(held: Held) -> None:
    answer = held.agent.ask(CASE.question, as_of=EARLY)
    bare = tuple(
        replace(s, citations=tuple(replace(c, force="") for c in s.citations))
        for s in answer.sentences
    )
    mute = replace(answer, rules=(), status=(), sentences=bare)

    assert judge(CASE, mute, releases(held)).overstated
    assert not judge(
        CASE, replace(mute, status=("It is not yet effective.",)), releases(held)
    ).overstated
    assert not judge(replace(CASE, truth=Standing.IN_FORCE), mute, releases(held)).overstated


def test_a_citation_of_what_became_known_later_is_late(held: Held) -> None:
    answer = held.agent.ask(CASE.question, as_of=EARLY)

    assert judge(replace(CASE, as_of=EARLY - timedelta(days=300)), answer, releases(held)).late


def test_both_pipelines_are_measured(held: Held, tmp_path: Path) -> None:
    (tmp_path / "asof_dev.jsonl").write_text(
        '{"section": "242.611", "as_of": "2020-09-15", "state": "adopted_not_effective"}\n'
    )
    book = open_book(held.catalog)
    cases = [*labelled(tmp_path), *generated(book, 6)]

    metrics, groups, rows = evaluate(cases, held.agent, held.catalog, book)

    assert metrics["anachronism_rate"]["value"] == 0.0
    assert (
        metrics["anachronism_rate"]["n"] == metrics["anachronism_rate_without_rulebook"]["n"] == 8
    )
    assert set(groups) == {"labelled", "asked now", "generated"}
    assert len(rows) == 16
    assert held.agent.rules
