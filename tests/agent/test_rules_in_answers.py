"""An answer tells what the rules it concerns were worth on the day asked about, from what was known by then, with quotes."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from agent.answer import Agent
from agent.reply import EVENTS_FILE, Answer, Part, RuleStatus, Standing
from ingest.catalog import Arrival, Catalog
from ingest.chunk import ChunkSettings
from ingest.document import DocType
from ingest.embed import open_embedder
from ingest.index import Index
from ingest.moment import end_of_day, parse_moment
from ingest.pipeline import complete
from ingest.quote import check
from tests.ingest.test_rules_state import ALL, a_document

PILOT = a_document(
    "34-7", date(2018, 12, 19),
    ("SUMMARY", "The Commission is adopting new Rule 610T to conduct a Transaction Fee Pilot."),
    ("DATES", "Effective Date: April 22, 2019 through December 29, 2023."),
    section="242.610T", title="Transaction Fee Pilot",
)  # fmt: skip


class Held:
    """A catalog that grows, and an agent over it."""

    def __init__(self, home: Path) -> None:
        self.catalog = Catalog(home)
        embedder = open_embedder("hashing")
        self.index = Index(self.catalog, "test", embedder.dimensions)
        self.agent = Agent(self.catalog, self.index, embedder)

    def put(self, *arrivals: Arrival) -> None:
        self.catalog.record(arrivals)
        complete(self.catalog, self.index, self.agent.embedder, ChunkSettings())

    def ask(self, question: str, as_of: str = "2024-12-31") -> Answer:
        return self.agent.ask(question, as_of=parse_moment(as_of))


@pytest.fixture(name="held")
def _held(tmp_path: Path) -> Iterator[Held]:
    held = Held(tmp_path / "home")
    held.put(*ALL, PILOT)
    yield held
    held.index.close()
    held.catalog.close()


def the_rule(answer: Answer) -> RuleStatus:
    (rule,) = answer.rules
    return rule


@pytest.mark.parametrize(
    ("as_of", "standing", "quote"),
    [
        ("2020-02-01", Standing.PROPOSED, "proposing amendments to Rule 611"),
        ("2020-09-15", Standing.ADOPTED, "Effective Date: November 2, 2020."),
        ("2020-12-01", Standing.EFFECTIVE, "Compliance Date: May 3, 2021."),
        ("2022-06-01", Standing.IN_FORCE, "extending the compliance date for Rule 611"),
        ("2022-09-01", Standing.EXEMPTED, "exempt from Rule 611 until February 6, 2023"),
        ("2024-07-01", Standing.TO_BE_RESCINDED, "would rescind Rule 611"),
    ],
)
def test_the_state_of_a_rule_named_is_told_with_the_words_it_rests_on(
    held: Held, as_of: str, standing: Standing, quote: str
) -> None:
    answer = held.ask("Is Rule 611 in force?", as_of)

    rule = the_rule(answer)
    assert rule.standing is standing
    assert rule.says.endswith(f"according to the documents held, through {as_of}.")
    assert any(quote in c.quote for told in rule.told for c in told.citations)
    assert any(quote in s.citations[0].quote for s in answer.sentences), "the answer says it too"


def test_nothing_told_was_known_later_and_every_quote_is_verbatim(held: Held) -> None:
    for day in ("2020-02-01", "2020-12-01", "2021-04-01", "2022-09-01", "2024-12-31"):
        answer = held.ask("Is Rule 611 in force, and until when is relief granted?", day)
        assert answer.citations
        for c in answer.citations:
            assert c.known_at <= parse_moment(day)
            assert check(held.catalog.text(c.document_id), c.start, c.end, c.quote, c.sha256)


def test_what_is_ingested_later_changes_no_earlier_answer(tmp_path: Path) -> None:
    held = Held(tmp_path / "home")
    held.put(*ALL[:2])
    question, as_of = "Is Rule 611 in force?", "2020-12-01"
    before = held.ask(question, as_of)

    held.put(*ALL[2:])
    after = held.ask(question, as_of)

    assert (after.sentences, after.rules, after.status) == (
        before.sentences,
        before.rules,
        before.status,
    )
    assert held.ask(question).rules != before.rules


def test_the_words_of_the_question_say_on_which_day(held: Held) -> None:
    answer = held.ask("Was Rule 611 in force as of December 1, 2020?")

    assert (answer.on, answer.asked_by) == (date(2020, 12, 1), "as of December 1, 2020")
    assert the_rule(answer).standing is Standing.EFFECTIVE
    assert the_rule(answer).held_through == date(2024, 12, 31), "known now, of then"


def test_before_the_amendments_it_was_only_proposed(held: Held) -> None:
    answer = held.ask(
        "What was Rule 611 worth before the 2020 amendments were adopted: was it in force?"
    )

    assert answer.on == date(2020, 8, 31)
    assert the_rule(answer).standing is Standing.PROPOSED


def test_what_was_not_yet_in_force_is_labelled(held: Held) -> None:
    def force(as_of: str) -> set[str]:
        cited = held.ask("What do the adopted amendments to Rule 611 do to lamps?", as_of).sentences
        return {c.force for s in cited for c in s.citations if "is adopting amendments" in c.quote}

    assert force("2020-10-01") == {"adopted, not yet effective: effective November 2, 2020"}
    assert force("2020-12-01") == {
        "adopted, effective, compliance not yet required (compliance required from May 3, 2021)"
    }
    assert force("2022-06-01") == {""}


def test_a_proposal_is_labelled_until_it_is_adopted_and_after(held: Held) -> None:
    question = "What does the proposal on lamps in Rule 611 do?"

    def force(as_of: str) -> set[str]:
        cited = [c for s in held.ask(question, as_of).sentences for c in s.citations]
        return {c.force for c in cited if "is proposing amendments to Rule 611" in c.quote}

    assert force("2020-02-01") == {"proposed, not adopted"}
    assert force("2020-12-01") == {"proposed; adopted by Release 34-2 since, perhaps otherwise"}


def test_what_came_after_the_day_asked_about_is_labelled(held: Held) -> None:
    answer = held.ask("As of February 1, 2020, what was Rule 611 to do, and did relief apply?")

    later = {
        c.force
        for s in answer.sentences
        for c in s.citations
        if c.known_at > end_of_day(date(2020, 2, 1))
    }
    assert all(force.startswith("from a later document, public since") for force in later)


def test_what_the_events_file_adds_is_kept_apart(held: Held) -> None:
    rule = the_rule(held.ask("Is Rule 610T in force?", "2021-01-04"))

    assert (rule.standing, rule.with_file) == (Standing.IN_FORCE, Standing.VACATED)
    assert f"with the {EVENTS_FILE}: vacated" in rule.says
    added = [told for told in rule.told if told.source == EVENTS_FILE]
    assert [told.citations for told in added] == [(), ()]
    assert all("not to a document held" in told.sentence(rule.held_through) for told in added)
    assert all(told.citations for told in rule.told if told.part is Part.IN_FORCE)


def test_a_rule_that_the_question_only_calls_by_name_is_told_of_where_a_cited_document_is_on_it(
    held: Held,
) -> None:
    assert the_rule(held.ask("Is the Order Protection Rule in force?")).section == "242.611"


def test_without_the_rulebook_no_state_is_told(held: Held) -> None:
    held.agent.rules = False

    answer = held.ask("Is Rule 611 in force?")

    assert answer.rules == ()
    assert {c.force for s in answer.sentences for c in s.citations} <= {""}


def test_an_unknown_rule_has_no_state(held: Held) -> None:
    assert held.ask("Is Rule 204 in force?").rules == ()


def test_what_came_to_nothing_answers_only_who_asks_of_it(tmp_path: Path) -> None:
    tried = a_document(
        "34-7", date(2018, 12, 19),
        ("SUMMARY", "The Commission is adopting new Rule 610T. A lower access fee cap changes the rebates of exchanges."),
        ("DATES", "Effective Date: April 22, 2019 through December 29, 2023."),
        section="242.610T", title="Transaction Fee Pilot",
    )  # fmt: skip
    standing = a_document(
        "34-8", date(2019, 9, 18),
        ("SUMMARY", "The Commission is amending Rule 610. A lower access fee cap changes what rebates exchanges pay."),
        ("DATES", "Effective Date: November 4, 2019."),
        section="242.610", title="Access to Quotations",
    )  # fmt: skip
    held = Held(tmp_path / "home")
    held.put(tried, standing)

    of_now = held.ask("What does a lower access fee cap change for the rebates of exchanges?")
    of_then = held.ask("What did a lower access fee cap change for the rebates in the pilot?")

    assert of_now.sentences[0].citations[0].reference.endswith("34-8")
    assert any(c.reference.endswith("34-7") for c in of_then.citations)
    held.index.close()
    held.catalog.close()


def test_a_question_on_what_a_rule_changes_begins_with_its_newest_version(tmp_path: Path) -> None:
    first = a_document(
        "34-7", date(2005, 6, 9),
        ("SUMMARY", "The Commission is adopting new Rule 612. Stocks are quoted in increments of $0.01 under Rule 612."),
        ("DATES", "Effective Date: August 29, 2005."),
        section="242.612", title="Minimum Pricing Increments",
    )  # fmt: skip
    newest = a_document(
        "34-8", date(2024, 9, 18),
        ("SUMMARY", "The Commission is adopting amendments to Rule 612 to establish an increment of $0.005 for certain stocks."),
        ("DATES", "Effective Date: December 9, 2024."),
        section="242.612", title="Increments and Fees",
    )  # fmt: skip
    held = Held(tmp_path / "home")
    held.put(first, newest)

    answer = held.ask(
        "What changes for stocks under amended Rule 612, and from when?", "2025-06-30"
    )
    before = held.ask("What changes for stocks under Rule 612, and from when?", "2010-06-30")

    shipped = [(s.citations[0].reference[-4:], s.text) for s in answer.sentences]
    assert shipped[0][0] == "34-8"
    assert "$0.005" in shipped[0][1]
    assert any("December 9, 2024" in text for _, text in shipped)
    assert answer.brief is not None
    assert any("$0.005" in line.text for line in answer.brief.changes)
    assert all(c.reference.endswith("34-7") for c in before.citations)
    held.index.close()
    held.catalog.close()


def test_relief_of_which_only_a_title_is_held_is_told_by_that_and_relief_for_one_venue_holds_nothing_up(
    held: Held,
) -> None:
    title = (
        "Order Granting Temporary Exemptive Relief From Compliance With Rule 611 of Regulation NMS"
    )
    limited = (
        "Order Granting Limited Exemption From Rule 611 of Regulation NMS to Example Exchange, Inc."
    )
    held.put(
        a_document("34-81", date(2023, 3, 1), ("", title), section="242.611", title=title, doc_type=DocType.ORDER),
        a_document("34-82", date(2023, 3, 2), ("", limited), section="242.611", title=limited, doc_type=DocType.ORDER),
    )  # fmt: skip

    answer = held.ask("What does amended Rule 611 change, and from when?", "2023-06-01")

    told = {s.text: s.lead_in for s in answer.sentences}
    assert told[title] == "By its title:"
    assert limited not in told
    assert any("is adopting amendments to Rule 611" in text for text in told)
