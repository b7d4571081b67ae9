"""What a tool-calling model may call, and what it found: numbered sentences that its draft may cite.

    search, open_section, rule_state, compare, impacts     sentences of documents known by the asked moment, each numbered
    features                                               what news says of a company: numbers, never citable
    verify                                                 whether a sentence would ship

Tools read and change nothing. What they return is data, delimited as in agent/prompts.py; a number that was not given out
cites nothing, and whatever is drafted passes the same gate as any other draft.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from agent.budget import Budget, is_stop
from agent.cite import sentence_at
from agent.compare import Fate, compare
from agent.compose import NOTHING, Candidate
from agent.prompts import as_data
from agent.reply import Passage, Sentence, Step, Tone
from agent.retrieve import Evidence
from agent.ruling import ruling
from agent.status import Rulebook, name_of
from agent.verify import EvidenceSentence, gate
from ingest.catalog import Catalog, Filters, Held
from ingest.errors import NotKnown, RegTapeError
from ingest.rules import names
from ingest.rules.kinds import About
from ingest.rules.stated import stated_in
from ingest.tokens import terms

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

NAMES = ("search", "open_section", "rule_state", "compare", "impacts", "features", "verify")
_GIVEN = 8  # sentences that one call gives
_LONGEST = 700  # characters of a sentence


class Desk(Protocol):
    """What tools read with; agent.answer makes one for each question, as of its moment."""

    @property
    def catalog(self) -> Catalog: ...

    def find(self, query: str, filters: Filters | None) -> tuple[Evidence, list[Candidate]]:
        """Passages, and their sentences, best first."""

    def rulebook(self, question: str) -> Rulebook:
        """The rulebook, on what these words name."""

    def tones(self, question: str, since: str) -> tuple[Tone, ...]:
        """What news says of the companies named."""

    def own_words(self, candidate: Candidate) -> Sentence | None:
        """The sentence as it would ship verbatim; None where the gate does not admit it."""

    def known(self, held: Held) -> bool:
        """Whether a document was public by the asked moment."""


@dataclass
class Bench:
    """What the tools of one question found. found[n - 1] is sentence n, own[n - 1] how it ships in its own words."""

    found: list[Candidate] = field(default_factory=list)
    own: list[Sentence] = field(default_factory=list)
    evidence: Evidence | None = None
    tones: tuple[Tone, ...] = ()
    calls: list[str] = field(default_factory=list)

    def looked(self, evidence: Evidence) -> None:
        """Keep the passages of a search, each once."""
        if self.evidence is None:
            self.evidence = evidence
        held = {p.chunk_id for p in self.evidence.passages}
        more = tuple(p for p in evidence.passages if p.chunk_id not in held)
        self.evidence = replace(self.evidence, passages=self.evidence.passages + more)

    def lines(self, desk: Desk, candidates: Iterable[Candidate]) -> str:
        """Sentences as a model reads them, under numbers that last."""
        told: list[str] = []
        numbers = {(c.quote.document_id, c.quote.start): n for n, c in enumerate(self.found, 1)}
        for c in candidates:
            if len(told) == _GIVEN:
                break
            key = (c.quote.document_id, c.quote.start)
            if key not in numbers:
                own = desk.own_words(c) if len(c.quote.text) <= _LONGEST else None
                if own is None:
                    continue
                self.found.append(c)
                self.own.append(own)
                numbers[key] = len(self.found)
            place = " › ".join(
                filter(None, [c.quote.reference or c.quote.title, *c.quote.path[-1:]])
            )
            label = f"{c.quote.speaker}, {c.quote.stage}; document {c.quote.document_id}; {place}"
            told.append(f"[{numbers[key]}] ({as_data(label)[4:-4]}) {as_data(c.quote.text)}")
        return "\n".join(dict.fromkeys(told)) or "nothing was found"


def toolbox(
    desk: Desk, bench: Bench, budget: Budget, tell: Callable[[Step], None]
) -> "list[BaseTool]":
    """The tools of one question, as LangChain takes them. Every call costs a step of the budget."""
    from langchain_core.tools import StructuredTool

    def search(query: Annotated[str, "what to look for, in the words of the documents"]) -> str:
        """Sentences of the documents held that are nearest to a query, numbered."""
        evidence, candidates = desk.find(query, None)
        bench.looked(evidence)
        return bench.lines(desk, candidates)

    def open_section(
        document: Annotated[str, "a document id as search gives it"],
        near: Annotated[str, "what the part to open is on"],
    ) -> str:
        """Sentences of one document, of its part nearest to some words, numbered."""
        held = _document(desk, document)
        evidence, candidates = desk.find(near, Filters(document=held.id))
        bench.looked(evidence)
        best = max(candidates, key=lambda c: c.score, default=None)
        near_best = sorted(
            candidates, key=lambda c: abs(c.quote.start - best.quote.start) if best else 0
        )
        return bench.lines(desk, sorted(near_best[:_GIVEN], key=lambda c: c.quote.start))

    def rule_state(
        rule: Annotated[str, "a section or name: 242.612, Rule 611, Order Protection Rule"],
    ) -> str:
        """What a rule is worth on the asked day: in force, proposed, stayed, …, with the sentences that say so, numbered."""
        section = names.resolve(rule)
        question = f"Is {name_of(section)} in force?"
        rulebook = desk.rulebook(question)
        status = rulebook.status(section)
        says = status.says if status else "no document known by then speaks of it"
        return f"{says}\n{bench.lines(desk, ruling(question, rulebook))}"

    def compare_documents(
        a: Annotated[str, "id of the older document"], b: Annotated[str, "id of the newer one"]
    ) -> str:
        """What the newer of two documents changed or added, as its own sentences, numbered."""
        old, new = _document(desk, a), _document(desk, b)
        before, after = desk.catalog.body(old.id), desk.catalog.body(new.id)
        pairs = compare(before[0], after[0], before[1], after[1]).pairs
        spans = [p.after for p in pairs if p.after and p.fate in (Fate.CHANGED, Fate.ADDED)]
        return bench.lines(desk, (_candidate(desk, new, s.start, s.end) for s in spans))

    def impacts(
        of: Annotated[str, "a rule, a release number or a document id"],
        variable: Annotated[str, "spread, depth, volatility, …; empty for all"] = "",
    ) -> str:
        """Sentences on what a rule or release does to market variables, numbered."""
        stated = stated_in(desk.catalog, _documents(desk, of))
        wanted = set(terms(variable))
        rows = [
            s
            for s in stated
            if not wanted
            or wanted & set(terms(f"{s.impact.variable} {s.impact.quote}".replace("_", " ")))
        ]
        return bench.lines(
            desk, (_candidate(desk, s.held, s.impact.start, s.impact.end) for s in rows)
        )

    def features(
        symbol: Annotated[str, "a ticker, BAC"],
        since: Annotated[str, "a day or an event; empty: five days"] = "",
    ) -> str:
        """What news says of a company, as numbers. They are shown beside the answer; they cannot be cited in it."""
        tones = desk.tones(symbol, since)
        bench.tones += tuple(t for t in tones if t not in bench.tones)
        told = (
            f"{t.symbol}: {t.items} items {t.since_what}, mean sentiment {t.mean}" for t in tones
        )
        return as_data("; ".join(told) or "no news on it is held")

    def verify(
        sentence: Annotated[str, "a sentence of the draft"],
        numbers: Annotated[list[int], "the numbers of the sentences it rests on"],
    ) -> str:
        """Whether a sentence is supported by sentences given, and would ship."""
        quotes = [bench.found[n - 1].quote for n in numbers if 0 < n <= len(bench.found)]
        verdict = gate(sentence, quotes) if quotes else None
        if verdict is None:
            return "no sentence of these numbers was given"
        return (
            "it would ship"
            if verdict.passed
            else f"it would not ship ({verdict.point}: {verdict.reason})"
        )

    def made(name: str, function: Callable[..., str]) -> "BaseTool":
        def call(**given: Any) -> str:
            budget.spend(steps=1)
            began = time.perf_counter()
            try:
                told = function(**given)
            except RegTapeError as exc:
                if is_stop(exc):
                    raise
                told = f"error: {exc}"
            words = " ".join(str(value) for value in given.values())
            bench.calls.append(name)
            tell(
                Step(
                    f"tool {name}",
                    f"{words[:80]}: {told.partition(chr(10))[0][:120]}",
                    (time.perf_counter() - began) * 1000,
                )
            )
            return told

        schema = StructuredTool.from_function(function, name=name).args_schema
        return StructuredTool.from_function(
            call, name=name, description=function.__doc__ or name, args_schema=schema
        )

    functions: tuple[Callable[..., str], ...] = (
        search, open_section, rule_state, compare_documents, impacts, features, verify,
    )  # fmt: skip
    return [made(name, function) for name, function in zip(NAMES, functions, strict=True)]


def _documents(desk: Desk, of: str) -> list[Held]:
    """A document by its id, or those of whose own rules it is one."""
    try:
        return [_document(desk, of)]
    except NotKnown:
        section = names.base(names.resolve(of))
    events = desk.rulebook(of).book.events
    own = (
        k.held
        for k in events
        if k.event.about is About.OWN and section in map(names.base, k.event.sections)
    )
    return [held for held in {held.id: held for held in own}.values() if desk.known(held)]


def _document(desk: Desk, id: str) -> Held:
    held = desk.catalog.document(id.strip())
    if not desk.known(held):
        raise NotKnown(f"no document {id!r} was public by then")
    return held


def _candidate(desk: Desk, held: Held, start: int, end: int) -> Candidate:
    quote: EvidenceSentence = sentence_at(desk.catalog, held, start, end)
    passage = Passage(
        chunk_id="", document_id=held.id, work_id=held.work_id, start=start, end=end, text=quote.text, title=held.title,
        reference=held.reference, authority=held.authority, doc_type=held.doc_type, section=" › ".join(quote.path), page=None,
        known_at=held.known_at, backfilled=held.backfilled, score=0.0,
    )  # fmt: skip
    return Candidate(passage, quote, frozenset(terms(quote.text)), NOTHING, 0.0)


def can_call_tools(model: Any) -> bool:
    """Whether a chat model takes tools at all; whether it uses them well shows."""
    from langchain_core.language_models.chat_models import BaseChatModel

    return (
        isinstance(model, BaseChatModel) and type(model).bind_tools is not BaseChatModel.bind_tools
    )


def drive(
    model: Any, tools: "Sequence[BaseTool]", system: str, question: str, budget: Budget
) -> str:
    """Let a model call tools until it writes; what it wrote. Raises OverBudget, or SourceDown for what its client raised."""
    import queue
    import threading

    from langchain.agents import create_agent
    from langchain.agents.middleware import ModelCallLimitMiddleware

    from agent.llm import vendors_error

    limit: Any = ModelCallLimitMiddleware(run_limit=max(1, budget.steps), exit_behavior="end")
    graph: Any = create_agent(model, tools, system_prompt=system, middleware=[limit])
    done: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(graph.invoke({"messages": [("human", question)]}))
        except Exception as exc:  # noqa: BLE001 - carried over and raised in the asker's thread
            done.put(exc)

    threading.Thread(target=work, name="tools", daemon=True).start()
    while True:
        budget.spend()
        try:
            ended = done.get(timeout=0.05)
        except queue.Empty:
            continue
        if isinstance(ended, RegTapeError):
            raise ended
        if isinstance(ended, Exception):
            raise vendors_error(ended) from ended
        messages = ended["messages"]
        written = sum(
            (getattr(m, "usage_metadata", None) or {}).get("output_tokens", 0) for m in messages
        )
        budget.spend(tokens=written)
        return str(messages[-1].text).strip()
