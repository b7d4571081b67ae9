"""What a person sees: sources under sentences, secondary sources marked, no document in command of the terminal."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from agent.reply import Answer as Reply
from agent.reply import Dropped, Reason, Speaker, Stage
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
