"""Answers, passages and listings in, lines that a person likes to read out.

Everything printed here may come from a document, so control characters, which could steer a terminal, are taken out, and
nothing is read as markup.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.text import Text

from ingest.document import Authority
from ingest.moment import NEW_YORK

if TYPE_CHECKING:
    from api.schemas import Answer, Citation, Document, Passage, Reject, Sentence
    from ingest.pipeline import Report

_WIDEST = 100  # longer lines are hard to read
_EXCERPT = 320  # characters of a passage shown in a list
_NEAREST = 3  # passages shown under a refusal


def show_question(question: str, as_of: str | None, console: Console) -> None:
    """What is asked, set apart from the answer."""
    console.print()
    when = f"  (as of {as_of})" if as_of else ""
    _paragraph(console, f"? {question}{when}", indent="  ", first="", style="bold reverse")


def show_answer(answer: "Answer", console: Console, *, steps: bool = False) -> None:
    """Sentences, numbered quotes, status, what was not found; or the refusal and what came nearest."""
    console.print()
    if answer.refusal:
        _paragraph(console, answer.refusal.text, style="bold yellow")
        _nearest(answer.passages[:_NEAREST], console)
    for sentence in answer.sentences:
        _sentence(sentence, console)
    said = {n: s.text for s in answer.sentences if s.verbatim for n in s.citations}
    _sources(answer.citations, said, console)
    _lines(console, "Status", answer.status)
    _lines(console, "Not found", answer.not_found)
    _lines(
        console,
        "Dropped by the gate",
        [f"{d.text} ({d.point}: {d.reason})" for d in answer.dropped],
    )
    if steps:
        _lines(
            console,
            "Steps",
            [f"{s.name} {s.milliseconds:.0f} ms: {s.detail}" for s in answer.steps],
        )
    drafter = "the evidence's own words" if answer.drafter == "extractive" else answer.drafter
    console.print(Text(f"As of {_when(answer.as_of)} · drafted by {drafter}", style="dim"))


def _sentence(sentence: "Sentence", console: Console) -> None:
    words = f"“{sentence.text}”" if sentence.verbatim else sentence.text
    marks = "".join(f"[{n}]" for n in sentence.citations)
    _paragraph(console, f"{sentence.lead_in} {words} {marks}".strip(), marks=True)
    console.print()


def _sources(citations: Sequence["Citation"], said: Mapping[int, str], console: Console) -> None:
    """Quotes under the document they stand in; one that was shipped word for word is not printed again."""
    if citations:
        _heading(console, "Quotes")
    for id in dict.fromkeys(c.document_id for c in citations):
        own = [c for c in citations if c.document_id == id]
        _print(console, Text(_safe(own[0].title), style="bold"), "")
        _paragraph(console, _source(own[0]), style="dim")
        if own[0].authority is Authority.SECONDARY:
            _paragraph(console, "secondary source, not official text", style="yellow")
        for (place, label, quote), alike in groupby(own, lambda c: _cited(c, said)):
            _citation([c.number for c in alike], place, label, quote, console)
        console.print()


def _source(citation: "Citation") -> str:
    authority = "" if citation.authority is Authority.SECONDARY else citation.authority
    return " · ".join(filter(None, [citation.reference, authority, _known(citation)]))


def _cited(citation: "Citation", said: Mapping[int, str]) -> tuple[str, str, str]:
    """Place, label, and the quote where it does not stand above already."""
    page = f"page {citation.page}" if citation.page is not None else ""
    place = " · ".join(filter(None, [citation.section, page]))
    quote = "" if citation.quote == said.get(citation.number) else citation.quote
    return place, f"{citation.speaker}, {citation.stage}", quote


def _citation(numbers: Sequence[int], place: str, label: str, quote: str, console: Console) -> None:
    marks = "".join(f"[{number}]" for number in numbers) + " "
    line = Text(marks, style="bold cyan").append(_safe(place), style="default")
    _print(console, line.append(f" · {label}" if place else label, style="green"), "    ")
    if quote:
        _paragraph(console, f"“{quote}”", indent="    ")


def _nearest(passages: Sequence["Passage"], console: Console) -> None:
    if passages:
        _heading(console, "Nearest passages")
    for number, passage in enumerate(passages, start=1):
        _passage(number, passage, console)


def show_passages(passages: Sequence["Passage"], console: Console) -> None:
    """Each with its rank, score, place and the beginning of its words."""
    if not passages:
        console.print("Nothing found: no document known by then matches.")
    for number, passage in enumerate(passages, start=1):
        _passage(number, passage, console)


def _passage(number: int, passage: "Passage", console: Console) -> None:
    mark = f"{number}. "
    title = Text(mark, style="bold cyan").append(_safe(passage.title), style="bold")
    _print(console, title, " " * len(mark))
    indent = " " * len(mark)
    scores = f"score {passage.score:.3f} (meaning {passage.dense:.2f}, words {passage.lexical:.1f})"
    _paragraph(console, f"{_place(passage)} · {scores}", indent=indent, style="dim")
    _paragraph(
        console, textwrap.shorten(_words(passage), _EXCERPT, placeholder=" …"), indent=indent
    )
    console.print()


def _place(passage: "Passage") -> str:
    page = f"page {passage.page}" if passage.page is not None else ""
    facts = [passage.reference, passage.section, page, passage.authority, _known(passage)]
    return " · ".join(filter(None, facts))


def _words(passage: "Passage") -> str:
    """Without the heading it begins with: that is named above."""
    heading = passage.section.rpartition(" › ")[2]
    return passage.text.removeprefix(heading) if heading else passage.text


class _Dated(Protocol):
    @property
    def backfilled(self) -> bool: ...
    @property
    def known_at(self) -> datetime: ...


def _known(item: _Dated) -> str:
    return f"{'public' if item.backfilled else 'held'} since {_when(item.known_at)}"


def show_documents(documents: Sequence["Document"], console: Console) -> None:
    """One block each: what it is, how to cite it, when it was known, its id."""
    if not documents:
        console.print("Nothing is held that matches; `regtape ingest FOLDER` brings documents in.")
    for document in documents:
        _print(console, Text(_safe(document.title), style="bold"), "")
        pages = f"{document.pages} pages" if document.pages else f"{document.characters} characters"
        known = f"known {_when(document.known_at)} ({document.known_basis})"
        facts = [document.reference, document.doc_type, document.authority, pages, known]
        _paragraph(console, " · ".join(filter(None, facts)), indent="  ")
        _paragraph(console, f"{document.id} · {document.path}", indent="  ", style="dim")
    if documents:
        console.print(f"{len(documents)} documents")


def show_rejects(rejects: Sequence["Reject"], console: Console) -> None:
    """A file a line: why it was rejected, and what can be done."""
    if not rejects:
        console.print("Nothing was rejected.")
        return
    console.print(Text(f"{len(rejects)} rejected", style="bold yellow"))
    for reject in rejects:
        _print(console, Text("  ").append(_safe(reject.path), style="bold"), "    ")
        hint = f" → {reject.hint}" if reject.hint else ""
        _paragraph(console, f"{reject.reason}: {reject.message}{hint}", indent="    ")


def show_report(report: "Report", console: Console) -> None:
    """What a run of ingest did, with its speed."""
    speed = (
        f", {report.pages / report.seconds:.1f} pages/s" if report.pages and report.seconds else ""
    )
    console.print(
        f"{report.added} documents added, {report.unchanged} unchanged, {report.duplicates} duplicates; "
        f"{report.pages} pages, {report.chunks} passages in {report.seconds:.1f} s{speed}"
    )


def show_checks(checks: Iterable[tuple[str, str]], console: Console) -> None:
    """A line each: what was checked, and what is wrong with it."""
    for name, fault in checks:
        line = Text("✗ " if fault else "✓ ", style="red" if fault else "green").append(_safe(name))
        _print(console, line.append(f": {_safe(fault)}" if fault else ""), "  ")


def show_models(rows: Iterable[tuple[str, str, str]], console: Console) -> None:
    """A model a line: what for, its name, and what is missing before it can be used."""
    for use, name, missing in rows:
        line = Text(f"{use:<9} ").append(name, style="bold")
        _print(
            console, line.append(f"  ({_safe(missing)})" if missing else "", style="dim"), " " * 10
        )


# ---- how lines are made


def _heading(console: Console, words: str) -> None:
    console.print(Text(words, style="bold underline"))


def _lines(console: Console, heading: str, lines: Sequence[str]) -> None:
    if lines:
        _heading(console, heading)
    for line in lines:
        _paragraph(console, f"• {line}", indent="  ", first="")
    if lines:
        console.print()


def _paragraph(
    console: Console,
    words: str,
    *,
    indent: str = "",
    first: str | None = None,
    style: str = "",
    marks: bool = False,
) -> None:
    """Words wrapped to the terminal; marks: [1] in cyan."""
    for block in _safe(words).split("\n"):
        wrapped = textwrap.fill(
            block,
            min(console.width, _WIDEST),
            initial_indent=indent if first is None else first,
            subsequent_indent=indent,
            break_on_hyphens=False,
        )
        text = Text(wrapped, style=style)
        if marks:
            text.highlight_regex(r"\[\d+\]", "bold cyan")
        console.print(text, soft_wrap=True)


def _print(console: Console, text: Text, indent: str) -> None:
    """One styled line, wrapped with a hanging indent."""
    for number, line in enumerate(text.wrap(console, min(console.width, _WIDEST) - len(indent))):
        line.rstrip()
        console.print(Text(indent if number else "").append_text(line), soft_wrap=True)


def _safe(words: str) -> str:
    """Without control characters (escape sequences) and without characters that turn the direction of writing."""
    return "".join(
        c for c in words if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co")
    )


def _when(moment: datetime) -> str:
    """A day where the clock says no more than one: its midnight, or its last instant."""
    local = moment.astimezone(NEW_YORK)
    if local.time() == time(0):
        return f"{local:%Y-%m-%d}"
    if local.time() == time.max:
        return f"the end of {local:%Y-%m-%d}"
    return f"{local:%Y-%m-%d %H:%M} New York"
