"""Answers, passages and listings in, lines that a person likes to read out.

Everything printed here may come from a document, so control characters, which could steer a terminal, are taken out, and
nothing is read as markup.
"""

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from rich.console import Console
from rich.text import Text

from ingest.document import Authority
from ingest.moment import NEW_YORK

if TYPE_CHECKING:
    from pathlib import Path

    from api.schemas import (
        Answer,
        Brief,
        Citation,
        Document,
        News,
        Passage,
        Reject,
        RuleStatus,
        Sentence,
        Tone,
    )
    from ingest.jobs import Job, JobFile
    from ingest.news import Rejected
    from ingest.pipeline import Report
    from sentiment.stream import Added, Scored
    from sentiment.train import Report as TrainingReport

_WIDEST = 100  # longer lines are hard to read
_EXCERPT = 320  # characters of a passage shown in a list
_QUOTE = 600  # characters of a quote; --json has all of it
_STATES = {"done": "bold green", "failed": "bold red", "running": "bold cyan"}
_NEAREST = 3  # passages shown under a refusal


def show_question(question: str, as_of: str | None, console: Console) -> None:
    """What is asked, set apart from the answer."""
    console.print()
    when = f"  (as of {as_of})" if as_of else ""
    paragraph(console, f"? {question}{when}", indent="  ", first="", style="bold reverse")


def show_answer(answer: "Answer", console: Console, *, steps: bool = False) -> None:
    """Sentences, numbered quotes, status, what was not found; or the refusal and what came nearest."""
    console.print()
    if answer.asked_as:
        paragraph(console, f"Asked as: {answer.asked_as}", style="dim")
    if answer.refusal:
        paragraph(console, answer.refusal.text, style="bold yellow")
        _nearest(answer.passages[:_NEAREST], console)
    for tone in answer.news:
        _tone(tone, console)
    force = {c.number: c.force for c in answer.citations if c.force}
    for sentence in answer.sentences:
        _sentence(sentence, force, console)
    if answer.brief:
        _brief(answer.brief, console)
    untold = [r for r in answer.rules if not answer.brief or r.section != answer.brief.section]
    if untold or answer.status:
        _heading(console, "Status")
    for rule in untold:
        _rule(rule, console)
    for line in answer.status:
        paragraph(console, f"• {line}", indent="  ", first="")
    if answer.status:
        console.print()
    said = {n: s.text for s in answer.sentences if s.verbatim for n in s.citations}
    _sources(answer.citations, said, console)
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
    if answer.degraded:
        paragraph(console, f"Note: {answer.degraded}.", style="yellow")
    drafter = "the evidence's own words" if answer.drafter == "extractive" else answer.drafter
    asked = f" · asked about {answer.on} (“{answer.asked_by}”)" if answer.asked_by else ""
    console.print(
        Text(f"As of {_when(answer.as_of)}{safe(asked)} · drafted by {drafter}", style="dim")
    )


def _tone(tone: "Tone", console: Console) -> None:
    """Numbers of news with where they come from; headlines under them, as headlines."""
    _heading(console, f"News: {safe(tone.symbol)}")
    mean = "no mean" if tone.mean is None else f"mean sentiment {tone.mean:+.2f}"
    some = "" if tone.all_items else "the newest "
    paragraph(console, f"{some}{tone.items} scored items {tone.since_what}: {mean} (-1 to 1)")
    told = [
        f"{name} {'none' if value is None else f'{value:.2f}'}"
        + ("" if tone.status[name] == "PRESENT" else f" ({tone.status[name]})")
        for name, value in tone.features.items()
    ]
    paragraph(console, " · ".join(told), style="dim")
    for h in tone.headlines:
        paragraph(
            console, f"• {h.sentiment:+.2f} {h.words} ({h.source}, {_when(h.known_at)})", indent="    ", first="  "
        )  # fmt: skip
    read = f"receipt: offset {tone.receipt['offset']}, {str(tone.receipt['hash'])[:12]}"
    lookback = " · loaded as history" if tone.backfilled else ""
    paragraph(
        console,
        f"As of {_when(tone.as_of)} · {read}{lookback} · {', '.join(tone.model_versions)}",
        style="dim",
    )
    console.print()


def _sentence(sentence: "Sentence", force: Mapping[int, str], console: Console) -> None:
    words = f"“{sentence.text}”" if sentence.verbatim else sentence.text
    paragraph(
        console, f"{sentence.lead_in} {words} {_marks(sentence.citations)}".strip(), marks=True
    )
    for worth in dict.fromkeys(force[n] for n in sentence.citations if n in force):
        paragraph(console, f"({worth})", indent="  ", style="yellow")
    console.print()


def _marks(numbers: Iterable[int]) -> str:
    return "".join(f"[{n}]" for n in numbers)


def _rule(rule: "RuleStatus", console: Console) -> None:
    """The standing, then a line for each thing it rests on, with the numbers of the quotes."""
    paragraph(console, rule.says, style="bold")
    for line in rule.lines:
        said = f"{line.line} (inferred)" if line.inferred else line.line
        by = f" ({line.source})" if line.source != "documents" else ""
        part = "stated" if line.part == "history" else line.part
        words = f"• {part}: {said}{by} {_marks(line.citations)}".rstrip()
        paragraph(console, words, indent="    ", first="  ", marks=True)
    console.print()


_BRIEF = {
    "changes": "What changes", "whom": "For whom", "dates": "From when", "effects": "Effects",
    "open": "What the documents leave open",
}  # fmt: skip


def _brief(brief: "Brief", console: Console) -> None:
    """Part by part; a part of which nothing was found says so."""
    _heading(console, f"Brief: {safe(brief.says)}")
    for name, title in _BRIEF.items():
        console.print(Text(title, style="bold"))
        for line in getattr(brief, name):
            label = f"{line.label}: " if line.label else ""
            paragraph(
                console, f"• {label}{line.text} {_marks(line.citations)}".rstrip(), indent="    ", first="  ", marks=True
            )  # fmt: skip
        if not getattr(brief, name):
            paragraph(console, "nothing found in the documents held", indent="  ", style="dim")
    console.print()


def _sources(citations: Sequence["Citation"], said: Mapping[int, str], console: Console) -> None:
    """Quotes under the document they stand in; one that was shipped word for word is not printed again."""
    if citations:
        _heading(console, "Quotes")
    for id in dict.fromkeys(c.document_id for c in citations):
        own = [c for c in citations if c.document_id == id]
        _print(console, Text(safe(own[0].title), style="bold"), "")
        paragraph(console, _source(own[0]), style="dim")
        if own[0].authority is Authority.SECONDARY:
            paragraph(console, "secondary source, not official text", style="yellow")
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
    line = Text(f"{_marks(numbers)} ", style="bold cyan").append(safe(place), style="default")
    _print(console, line.append(f" · {label}" if place else label, style="green"), "    ")
    if quote:
        words = textwrap.shorten(quote, _QUOTE, placeholder=" …") if len(quote) > _QUOTE else quote
        paragraph(console, f"“{words}”", indent="    ")


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
    title = Text(mark, style="bold cyan").append(safe(passage.title), style="bold")
    _print(console, title, " " * len(mark))
    indent = " " * len(mark)
    scores = f"score {passage.score:.3f} (meaning {passage.dense:.2f}, words {passage.lexical:.1f})"
    paragraph(console, f"{_place(passage)} · {scores}", indent=indent, style="dim")
    paragraph(console, textwrap.shorten(_words(passage), _EXCERPT, placeholder=" …"), indent=indent)
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
        _print(console, Text(safe(document.title), style="bold"), "")
        pages = f"{document.pages} pages" if document.pages else f"{document.characters} characters"
        known = f"known {_when(document.known_at)} ({document.known_basis})"
        facts = [document.reference, document.doc_type, document.authority, pages, known]
        paragraph(console, " · ".join(filter(None, facts)), indent="  ")
        paragraph(console, f"{document.id} · {document.path}", indent="  ", style="dim")
    if documents:
        console.print(f"{len(documents)} documents")


def show_rejects(rejects: Sequence["Reject"], console: Console) -> None:
    """A file a line: why it was rejected, and what can be done."""
    if not rejects:
        console.print("Nothing was rejected.")
        return
    console.print(Text(f"{len(rejects)} rejected", style="bold yellow"))
    for reject in rejects:
        _print(console, Text("  ").append(safe(reject.path), style="bold"), "    ")
        hint = f" → {reject.hint}" if reject.hint else ""
        paragraph(console, f"{reject.reason}: {reject.message}{hint}", indent="    ")


def show_jobs(
    jobs: Sequence["Job"], rejected: Mapping[str, Sequence["JobFile"]], console: Console
) -> None:
    """A job a line, and below it the files that were rejected."""
    if not jobs:
        console.print("There are no jobs; `regtape job add FOLDER` queues one.")
    for job in jobs:
        line = Text(f"{job.id}  ").append(job.state, style=_STATES.get(job.state, "bold"))
        of = "" if job.total is None else f" of {job.total}"
        line.append(f"  {job.done}{of} files: {job.added} added, {job.unchanged} unchanged, ")
        line.append(f"{job.rejected} rejected", style="yellow" if job.rejected else "")
        _print(console, line, "  ")
        more = f" and {len(job.names) - 3} more" if len(job.names) > 3 else ""
        facts = [", ".join(job.names[:3]) + more, f"added {_when(job.created_at)}", job.message]
        if job.due_at > job.created_at and not job.over:
            facts.append(f"due {_when(job.due_at)}")
        if job.every:
            facts.append(f"every {job.every}")
        paragraph(console, " · ".join(filter(None, facts)), indent="  ", style="dim")
        for file in rejected.get(job.id, ()):
            _print(console, Text("  ").append(safe(file.name), style="bold"), "    ")
            hint = f" → {file.hint}" if file.hint else ""
            paragraph(console, f"{file.reason}: {file.message}{hint}", indent="    ")


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
        line = Text("✗ " if fault else "✓ ", style="red" if fault else "green").append(safe(name))
        _print(console, line.append(f": {safe(fault)}" if fault else ""), "  ")


def show_models(rows: Iterable[tuple[str, str, str]], console: Console) -> None:
    """A model a line: what for, its name, and what is missing before it can be used."""
    for use, name, missing in rows:
        line = Text(f"{use:<9} ").append(name, style="bold")
        _print(
            console, line.append(f"  ({safe(missing)})" if missing else "", style="dim"), " " * 10
        )


# ---- news


def show_added(
    added: "Added", rejects: Sequence["Rejected"], kept: "Path | None", console: Console
) -> None:
    """What became of rows of news; the first that could not be read, and where all of them are."""
    speed = f", {added.rows / added.seconds:.0f} rows/s" if added.rows and added.seconds else ""
    console.print(
        f"{added.new} items logged, {added.duplicates} held already, {added.revisions} revised; "
        f"{added.rows} rows in {added.seconds:.1f} s{speed}"
    )
    for flag, count in sorted(added.flags.items()):
        console.print(f"  {count} with {_FLAGS.get(flag, flag)} (logged, flagged {flag})")
    if not rejects:
        return
    console.print(Text(f"{added.rejected} rejected, kept in {kept}", style="bold yellow"))
    for row in rejects:
        paragraph(
            console, f"line {row.line}: {row.reason}: {row.message}", indent="    ", first="  "
        )
    if added.rejected > len(rejects):
        console.print(f"  … and {added.rejected - len(rejects)} more in that file")


_FAILED_SHOWN = 20
_FLAGS = {
    "future": "a stamp in the future",
    "midnight": "a stamp of exactly midnight, which may stand for an unknown time",
    "dst": "a local time that the clocks showed twice or never",
    "truncated": "a text cut at its limit",
    "bad-url": "an address that is none, left out",
    "stripped-controls": "characters taken out that show nothing",
}


def show_scored(scored: "Scored", model: str, console: Console) -> None:
    """How much was scored, how fast, and what still waits."""
    speed = f", {scored.items / scored.seconds:.0f}/s" if scored.items and scored.seconds else ""
    since = f", the first known since {_when(scored.oldest)}" if scored.oldest else ""
    console.print(
        f"{scored.items} items scored by {model} for {scored.targets} companies in {scored.seconds:.1f} s{speed}; "
        f"{scored.waiting} wait{since}"
    )
    if scored.failed:
        console.print(Text(f"{len(scored.failed)} could not be scored", style="bold yellow"))
    for offset, why in list(scored.failed.items())[:_FAILED_SHOWN]:
        paragraph(console, f"offset {offset}: {why}", indent="    ", first="  ")


def show_training(report: "TrainingReport", exported: Mapping[str, Any], console: Console) -> None:
    """What the model learnt from, what it comes to on texts kept apart, and what int8 changes."""
    rows = ", ".join(f"{count} of {name}" for name, count in report.rows.items())
    console.print(f"Trained on {rows} in {report.minutes:g} minutes")
    for name, measured in report.sets.items():
        shown = (f"{metric} {value['value']:.3f}" for metric, value in measured.items())
        n = next((int(value["n"]) for value in measured.values()), 0)
        paragraph(console, f"{name} (n={n}): {', '.join(shown)}", indent="    ", first="  ")
    console.print(
        f"int8: {exported['size'] / 1e6:.1f} MB, probabilities differ by {exported['int8_mean']:.4f} in the mean"
    )


class NewsTable:
    """Items as rows under one head, as many groups of them as come: time, company, sentiment, novelty, source, headline.

    Sentiment is a bar about its middle, to the right for good news, and the number. An item about several companies has a
    row for each, three at most; with a symbol, that company's alone. The latest score is shown.
    """

    def __init__(self, console: Console, symbol: str | None = None) -> None:
        self._console = console
        self._symbol = symbol.upper() if symbol else None
        self._headed = False

    def show(self, items: Sequence["News"]) -> None:
        """More rows."""
        if items and not self._headed:
            self._headed = True
            self._row("known at", "company", Text(f"{'sentiment':<{_BAR + 6}}"), "new", "source", "headline", "bold")  # fmt: skip
        for item in items:
            self._item(item)

    def _item(self, item: "News") -> None:
        at = item.known_at.astimezone().isoformat(sep=" ", timespec="seconds")
        score = item.scores[-1] if item.scores else None
        targets = score.targets if score else ()
        shown = [t for t in targets if self._symbol in (None, t.symbol)][:_COMPANIES]
        rows: list[tuple[str, float | None, float | None]] = [
            (t.symbol, t.sentiment, t.novelty) for t in shown
        ]
        if not rows:
            given = item.symbols[0] if item.symbols else ""
            rows = [(given, score.sentiment if score else None, score.novelty if score else None)]
        headline = _MARKS.get(item.kind, "") + item.headline
        for symbol, sentiment, novelty in rows:
            new = "" if novelty is None else f"{novelty:.2f}"
            self._row(at, symbol, _bar(sentiment), new, item.source, headline)
            at = headline = ""

    def _row(
        self, at: str, symbol: str, bar: Text, new: str, source: str, headline: str, style: str = ""
    ) -> None:
        source = safe(source)[:12] if headline else ""
        start = Text(f"{at:<25} {safe(symbol)[:8]:<8} ", style=style or "dim").append_text(bar)
        line = start.append(f" {new:<4} {source:<12} ").append(safe(headline), style=style)
        if self._console.is_terminal:
            line.truncate(self._console.width, overflow="ellipsis")
        line.rstrip()
        self._console.print(line, soft_wrap=True)


_COMPANIES = 3
_BAR = 9
_MARKS = {"correction": "[correction] ", "retraction": "[retraction] "}


def _bar(sentiment: float | None) -> Text:
    """Nine cells and a number."""
    if sentiment is None:
        return Text(f"{'not scored':<{_BAR + 6}}", style="dim")
    cells = "█" * round(abs(sentiment) * (_BAR // 2))
    bar = f"{cells:>{_BAR // 2}}│" if sentiment < 0 else f"{'':>{_BAR // 2}}│{cells}"
    style = (
        "red" if sentiment < -_NEARLY_NONE else "green" if sentiment > _NEARLY_NONE else "default"
    )
    return Text(f"{bar:<{_BAR}} {sentiment:+.2f}", style=style)


_NEARLY_NONE = 0.15  # neither colour: the number says the rest


# ---- how lines are made


def _heading(console: Console, words: str) -> None:
    console.print(Text(words, style="bold underline"))


def _lines(console: Console, heading: str, lines: Sequence[str]) -> None:
    if lines:
        _heading(console, heading)
    for line in lines:
        paragraph(console, f"• {line}", indent="  ", first="")
    if lines:
        console.print()


def paragraph(
    console: Console,
    words: str,
    *,
    indent: str = "",
    first: str | None = None,
    style: str = "",
    marks: bool = False,
) -> None:
    """Words wrapped to the terminal; marks: [1] in cyan."""
    for block in safe(words).split("\n"):
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


def safe(words: str) -> str:
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
