"""What a person sees: sources under sentences, secondary sources marked, no document in command of the terminal."""

import io
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from agent.reply import (
    EVENTS_FILE,
    Brief,
    BriefLine,
    Dropped,
    Part,
    Reason,
    RuleStatus,
    Speaker,
    Stage,
    Standing,
    Told,
)
from agent.reply import Answer as Reply
from api.render import show_answer, show_passages
from api.schemas import Answer, Passage
from ingest.catalog import Catalog
from ingest.document import Authority
from tests.api.fakes import a_passage, an_answer, fill


@pytest.fixture(name="reply")
def _reply(tmp_path: Path) -> Reply:
    with Catalog(tmp_path / "home") as catalog:
        fill(catalog)
        return an_answer(catalog)


def with_rules(reply: Reply) -> Reply:
    """The answer with the state of its rule, as the rulebook and the events file tell it, and a brief."""
    (citation,) = reply.sentences[0].citations
    rule = RuleStatus(
        "1.1", date(2024, 3, 4), Standing.IN_FORCE, Standing.VACATED, date(2024, 3, 4), "Rule 1 (17 CFR 1.1): in force.",
        (
            Told(Part.IN_FORCE, "Effective since May 3, 2020", "documents", False, (citation,)),
            Told(Part.RELIEF, "A court vacated it (1 F.3d 1)", EVENTS_FILE, False, ()),
        ),
    )  # fmt: skip
    line = BriefLine("cap", "two lamps → one lamp", (citation,))
    return replace(
        reply,
        rules=(rule,),
        on=date(2024, 3, 4),
        asked_by="as of March 4, 2024",
        brief=Brief("2.2", rule.on, "Rule 2.", changes=(line,)),
    )


def shown(reply: Reply, *, steps: bool = False, width: int = 80) -> str:
    out = io.StringIO()
    show_answer(Answer.of(reply), Console(file=out, width=width, highlight=False), steps=steps)
    return out.getvalue()


def test_sentence_mark_source_page_and_label_are_shown(reply: Reply) -> None:
    words = shown(reply)

    assert "“Each venue must keep one lamp lit.” [1]" in words
    assert "[1] I. Lamps · page 2 · Commission, adopted" in words
    assert "official text · public since 2020-01-01 19:00 New York" in words
    assert "according to the documents held" in words


def test_a_quote_that_was_shipped_whole_is_not_printed_twice(reply: Reply) -> None:
    (sentence,) = reply.sentences
    drafted = replace(sentence, text="One lamp must be lit.", verbatim=False)

    assert shown(reply).count("one lamp lit") == 1
    assert "“Each venue must keep one lamp lit.”" in shown(replace(reply, sentences=(drafted,)))


def test_a_secondary_source_and_another_speaker_are_marked(reply: Reply) -> None:
    (sentence,) = reply.sentences
    (citation,) = sentence.citations
    other = replace(
        citation, authority=Authority.SECONDARY, speaker=Speaker.COMMENTER, stage=Stage.PROPOSED
    )
    told = replace(sentence, citations=(other,), lead_in="A commenter said:")
    words = shown(replace(reply, sentences=(told,)))

    assert "secondary source, not official text" in words
    assert "commenter, proposed" in words
    assert "A commenter said: “Each venue" in words


def test_a_refusal_shows_its_reason_and_what_came_nearest(reply: Reply) -> None:
    refused = replace(
        reply, sentences=(), refusal=Reason.NOT_FOUND, refusal_text="The documents held do not say."
    )
    words = shown(refused)

    assert "The documents held do not say." in words
    assert "Nearest passages" in words
    assert "score 0.750" in words


def test_what_the_gate_dropped_and_each_step_are_shown_when_there_are_any(reply: Reply) -> None:
    more = replace(
        reply, dropped=(Dropped("Two lamps.", "values", "2 is not 1"),), not_found=("the colour",)
    )

    assert "Two lamps. (values: 2 is not 1)" in shown(more)
    assert "the colour" in shown(more)
    assert "Steps" not in shown(more, steps=True), "no step was taken"


def test_a_document_cannot_command_the_terminal(reply: Reply) -> None:
    (sentence,) = reply.sentences
    hostile = "\x1b[2J\x1b]0;owned\x07[red]Each\x00 venue\u202e must[/red]"
    words = shown(replace(reply, sentences=(replace(sentence, text=hostile),)))

    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(words)
    assert "[red]" in words, "markup is shown, not obeyed"


@pytest.mark.parametrize("width", [20, 60, 200])
def test_lines_fit_the_terminal(reply: Reply, width: int) -> None:
    lines = shown(reply, width=width).splitlines()

    assert max(map(len, lines)) <= min(width, 100)


def test_no_passages_say_so(tmp_path: Path) -> None:
    out = io.StringIO()
    show_passages((), Console(file=out))

    assert "Nothing found" in out.getvalue()


def test_a_passage_is_shown_without_the_heading_named_above_it(tmp_path: Path) -> None:
    out = io.StringIO()
    with Catalog(tmp_path / "home") as catalog:
        fill(catalog)
        passage = replace(a_passage(catalog), text="I. Lamps\n\nEach venue must.")
    show_passages([Passage.model_validate(passage)], Console(file=out, width=90))

    assert out.getvalue().count("I. Lamps") == 1


def test_the_state_of_a_rule_is_shown_with_its_quotes_and_the_events_file_apart(
    reply: Reply,
) -> None:
    words = shown(with_rules(reply))

    assert "Rule 1 (17 CFR 1.1): in force." in words
    assert "• in force: Effective since May 3, 2020 [1]" in words
    assert "A court vacated it (1 F.3d 1) (events file)" in " ".join(words.split())
    assert "asked about 2024-03-04 (“as of March 4, 2024”)" in " ".join(words.split())


def test_a_brief_shows_each_part_and_which_are_empty(reply: Reply) -> None:
    words = shown(with_rules(reply))

    assert "• cap: two lamps → one lamp [1]" in words
    assert words.count("nothing found in the documents held") == 4


def test_what_was_not_in_force_is_marked_under_its_sentence(reply: Reply) -> None:
    (sentence,) = reply.sentences
    (citation,) = sentence.citations
    marked = replace(sentence, citations=(replace(citation, force="proposed, not adopted"),))

    assert "  (proposed, not adopted)" in shown(replace(reply, sentences=(marked,)))


def test_json_says_with_whose_word_each_line_is(reply: Reply) -> None:
    told = json.loads(Answer.of(with_rules(reply)).model_dump_json())

    lines = told["rules"][0]["lines"]
    assert lines[0]["text"].endswith("according to the documents held, through 2024-03-04.")
    assert lines[1]["text"].endswith("according to the events file, not to a document held.")
    assert [lines[0]["citations"], lines[1]["citations"]] == [[1], []]
    assert told["brief"]["changes"] == [
        {"label": "cap", "text": "two lamps → one lamp", "citations": [1]}
    ]
