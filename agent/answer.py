"""Question in, checked answer or refusal out: THE FLOW, as a LangGraph.

    news → rules → retrieve → weigh → draft (and gate) → ship

"rules" reads the rulebook: which rules and which day the question is on, and what they were then.
Whatever drafts, the gate decides: a drafted sentence that fails is replaced by the evidence's own
words; a sentence of the evidence ships verbatim, or cut where the gate allows, with its speaker and
stage. Each step may end in a refusal with its reason; no sentence left is one.
"""

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypedDict

from agent import prompts
from agent.asked import Chosen, lacking
from agent.brief import asks_impact, brief
from agent.budget import Budget, is_stop
from agent.cite import citation, lead_of
from agent.compose import Candidate, candidates, off_topic, select
from agent.llm import complete
from agent.reply import (
    CANNOT_ANSWER,
    Answer,
    Dropped,
    Passage,
    Reason,
    Sentence,
    Step,
    Tone,
)
from agent.retrieve import Evidence, retrieve
from agent.ruling import asks_state, on_the_rule, ruling
from agent.status import Rulebook, name_of, status_lines
from agent.tone import News, asked_of_news
from agent.verify import admit, gate, trims
from ingest.catalog import Catalog, Filters, Held
from ingest.embed import Embedder
from ingest.errors import BadRequest, RegTapeError
from ingest.index import Index
from ingest.moment import Clock, now
from ingest.rules import names
from ingest.rules.held import Book, open_book

RETRIEVED = 12
AMENDED_SINCE = 1.0  # off the score of a sentence, which is some 3 to 9
LOOKED_AT = 4  # passages of a release that the brief looks into
# Words of a question on what once was or was tried; any other is on the present.
_OF_THE_PAST = re.compile(
    r"\b(?:was|were|did|had|been|would|used to|former(?:ly)?|pilots?|temporary|(?:19|20)\d\d)\b",
    re.IGNORECASE,
)
_QUESTION_MOST = 2000  # characters; longer is a document, not a question


class _State(TypedDict, total=False):
    words: str  # as asked; question: what of them is asked of the documents
    question: str
    tones: tuple[Tone, ...]
    as_of: datetime
    filters: Filters | None
    evidence: Evidence
    rulebook: Rulebook
    found: list[Candidate]
    chosen: list[Candidate]
    lacks: list[str]
    sentences: list[Sentence]
    dropped: list[Dropped]
    refusal: Reason
    steps: list[Step]
    tell: Callable[[Step], None]
    budget: Budget
    degraded: str
    undriven: bool  # a tool-calling model came to nothing


@dataclass(slots=True)
class Agent:
    """Answers from one catalog and index. `model` is a LangChain chat model that drafts, or None
    for extraction; one that calls tools searches too, unless `tools` is False. `rules` False leaves
    the rulebook out, to measure what it is worth.
    """

    catalog: Catalog
    index: Index
    embedder: Embedder
    model: Any = None
    model_name: str = "extractive"
    fingerprint: str = ""
    clock: Clock = now
    rules: bool = True
    news: News | None = None
    tools: bool = True
    _book: tuple[int, Book] | None = None
    _past: tuple[tuple[object, ...], dict[str, frozenset[str]]] | None = None
    _graph: Any = None

    def ask(
        self,
        question: str,
        *,
        as_of: datetime | None = None,
        filters: Filters | None = None,
        on_step: Callable[[Step], None] = lambda _: None,
        budget: Budget | None = None,
    ) -> Answer:
        """One checked answer as of a moment (default: now). Raises BadRequest on an empty or
        endless question, OverBudget where it is cancelled.
        """
        words = " ".join(question.split())
        if not words or len(words) > _QUESTION_MOST:
            raise BadRequest(
                f"a question has 1 to {_QUESTION_MOST} characters, this one has {len(words)}"
            )
        self.index.refresh()
        moment = as_of or self.clock()
        graph = self._graph or self._build()
        end: _State = graph.invoke(
            {
                "question": words,
                "as_of": moment,
                "filters": filters,
                "steps": [],
                "dropped": [],
                "tell": on_step,
                "budget": budget or Budget(),
            }
        )
        return self._ship(end)

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        as_of: datetime | None = None,
        filters: Filters | None = None,
    ) -> tuple[Passage, ...]:
        """The k best passages known by `as_of`, best first."""
        if not query.strip():
            raise BadRequest("say what to search for")
        self.index.refresh()
        return self._retrieve(query, as_of or self.clock(), k, filters).passages

    def _build(self) -> Any:
        # Here, for it takes half a second: paid only where something is asked.
        from langgraph.graph import END, START, StateGraph

        graph = StateGraph(_State)
        for name, step in (
            ("news", self._read_news),
            ("rules", self._read_rules),
            ("retrieve", self._find),
            ("weigh", self._weigh),
            ("draft", self._draft),
        ):
            graph.add_node(name, step)
        graph.add_edge(START, "news")
        graph.add_node("drive", self._drive)
        graph.add_conditional_edges(
            "news", lambda state: "rules" if state["question"] else END, ["rules", END]
        )
        graph.add_conditional_edges(
            "rules", lambda _: "drive" if self._drives() else "retrieve", ["drive", "retrieve"]
        )
        graph.add_conditional_edges(
            "drive", lambda state: END if state.get("sentences") else "retrieve", ["retrieve", END]
        )
        graph.add_conditional_edges("retrieve", _unless_refused("weigh", END))
        graph.add_conditional_edges("weigh", _unless_refused("draft", END))
        graph.add_edge("draft", END)
        self._graph = graph.compile()
        return self._graph

    # ---- the steps

    def _read_news(self, state: _State) -> _State:
        """What of the question is on news, from the other half; the rest of it goes on to the documents."""
        asked = asked_of_news(state["question"]) if self.news else None
        if asked is None or self.news is None:
            return {"words": state["question"]}
        with _timed(state, "news") as say:
            tones = self.news.tones(state["question"], asked.tickers, asked.since, state["as_of"])
            say(
                ", ".join(f"{t.symbol}: {t.items} items {t.since_what}" for t in tones)
                or "no company of the news is named"
            )
        told = any(tone.items or tone.known_at for tone in tones)
        question = asked.documents if told else state["question"]
        return {"words": state["question"], "question": question, "tones": tones}

    def _drives(self) -> bool:
        """Whether the model calls tools itself; no other imports what that needs."""
        if self.model is None or not self.tools:
            return False
        from agent.tools import can_call_tools

        return can_call_tools(self.model)

    def _drive(self, state: _State) -> _State:
        """A tool-calling model searches and drafts; what of it the gate does not pass does not ship. Where nothing does, the
        fixed steps go on as if it had not been asked, and the answer says so.
        """
        from agent.tools import Bench, drive, toolbox

        bench, desk = Bench(), _Desk(self, state)
        try:
            with _timed(state, "drive") as say:
                tools = toolbox(desk, bench, state["budget"], partial(_note, state))
                question = prompts.asked(state["question"])
                written = drive(self.model, tools, prompts.TOOLS_SYSTEM, question, state["budget"])
                say(f"{self.model_name}: {len(bench.calls)} calls, {len(bench.found)} sentences")
        except RegTapeError as exc:
            if is_stop(exc):
                raise
            return {
                "degraded": f"{self.model_name}: {exc}; found by the fixed steps",
                "undriven": True,
            }
        tones = state.get("tones", ()) + bench.tones
        sentences, dropped, why = self._checked(written, bench.found, bench.own)
        cited = [c for c in bench.found if any(_cites(s, c) for s in sentences)]
        if bench.evidence is None:
            why = why or f"{self.model_name}: it searched for nothing{_OWN_WORDS}"
        elif not why and (lacks := self._lacking(state | {"evidence": bench.evidence}, cited)):
            why = f"{self.model_name}: what it wrote lacks what was asked ({'; '.join(lacks)}); found by the fixed steps"
        if why:
            return {"degraded": why, "dropped": dropped, "tones": tones, "undriven": True}
        assert bench.evidence is not None
        return {
            "evidence": bench.evidence, "found": bench.found, "chosen": cited, "lacks": [], "sentences": sentences,
            "dropped": dropped, "tones": tones,
        }  # fmt: skip

    def _find(self, state: _State) -> _State:
        with _timed(state, "retrieve") as say:
            evidence = self._retrieve(
                state["question"],
                state["as_of"],
                RETRIEVED,
                state.get("filters"),
                self._over(state),
            )
            works = len({p.work_id for p in evidence.passages})
            say(
                f"{len(evidence.passages)} passages of {works} works, of {evidence.view.count} known by then"
            )
        return (
            {"evidence": evidence}
            if evidence.passages
            else {"evidence": evidence, "refusal": Reason.NOTHING_HELD}
        )

    def _read_rules(self, state: _State) -> _State:
        if not self.rules:
            return {}
        with _timed(state, "rules") as say:
            rulebook = Rulebook.of(
                state["question"], state["as_of"], self.catalog, self._open_book()
            )
            day = f"{rulebook.asked.words or 'as of'}: {rulebook.asked.on}"
            say(f"{', '.join(rulebook.named or rulebook.called) or 'no rule named'}; {day}")
        return {"rulebook": rulebook}

    def _open_book(self) -> Book:
        """The rule book of what the catalog holds now; read again once something was added."""
        head = self.catalog.head()
        if self._book is None or self._book[0] != head:
            self._book = head, open_book(self.catalog)
        return self._book[1]

    def _weigh(self, state: _State) -> _State:
        question, rulebook = state["question"], state.get("rulebook")
        with _timed(state, "weigh") as say:
            found = candidates(question, state["evidence"], self.catalog, self.index, self.embedder)
            ruled = ruling(question, rulebook) if rulebook else []
            if rulebook:
                found = on_the_rule(question, rulebook, found, ruled)
                found = self._of_now(question, rulebook, found)
            until = rulebook.moment if rulebook and rulebook.asked.words else None
            for wide in (False, True):
                chosen = select(found, self.index, state["evidence"], ruled, until, wide=wide)
                lacks = self._lacking(state, chosen)
                if off_topic(chosen, state["evidence"], self.index):
                    lacks.append("no sentence bears on the question")
                if not lacks:
                    break
            if not chosen and rulebook and rulebook.named:
                lacks = [f"nothing on {', '.join(map(name_of, rulebook.named))} known by then"]
            if ruled and asks_state(question):
                lacks = []  # the state of a rule is what was asked, and these quotes state it
            say(f"{len(chosen)} of {len(found)} sentences; {'; '.join(lacks) or 'nothing missing'}")
        step: _State = {"found": found, "chosen": chosen, "lacks": lacks}
        return step if chosen and not lacks else step | {"refusal": Reason.NOT_FOUND}

    def _of_now(self, question: str, rulebook: Rulebook, found: list[Candidate]) -> list[Candidate]:
        """For a question on the present of a rule, what was the law until it was amended counts less."""
        if _OF_THE_PAST.search(question) or not (rulebook.named or rulebook.called):
            return found
        document = self.catalog.document
        weighed = [
            replace(c, score=c.score - AMENDED_SINCE)
            if rulebook.is_amended(c.quote, document(c.passage.document_id))
            else c
            for c in found
        ]
        return sorted(weighed, key=lambda c: -c.score)

    def _lacking(self, state: _State, chosen: Sequence[Candidate]) -> list[str]:
        """What the question asks for and the chosen sentences do not hold, in words."""
        view = state["evidence"].view
        cited = [
            Chosen(
                c.quote,
                self.catalog.document(c.passage.document_id),
                partial(self.catalog.text, c.passage.document_id),
            )
            for c in chosen
        ]

        def share(term: str) -> float:
            return self.index.occurs(term, view) / view.count

        return lacking(state["question"], cited, share, state["as_of"])

    def _draft(self, state: _State) -> _State:
        """Evidence's own sentences, or a model's wording of them where it passes the gate."""
        chosen, sentences, dropped = self._admitted(state["chosen"], state.get("rulebook"))
        degraded = state.get("degraded", "")
        dropped = state.get("dropped", []) + dropped
        if self.model is not None and sentences and not state.get("undriven"):
            with _timed(state, "draft") as say:
                sentences, failed, degraded = self._rewritten(
                    state["question"], chosen, sentences, state["budget"]
                )
                dropped += failed
                drafted = sum(not s.verbatim for s in sentences)
                say(
                    degraded
                    or f"{self.model_name}: {drafted} passed the gate, {len(failed)} did not"
                )
        if not sentences:
            return {"sentences": [], "dropped": dropped, "refusal": Reason.NOT_SUPPORTED}
        return {"sentences": sentences, "dropped": dropped, "degraded": degraded}

    # ---- details

    def _look_into(self, answer: Answer, held: Held) -> list[Candidate]:
        """The sentences of one document that are nearest to the question."""
        evidence = self._retrieve(
            answer.question, answer.as_of, LOOKED_AT, Filters(document=held.id)
        )
        return candidates(answer.question, evidence, self.catalog, self.index, self.embedder)

    def _over(self, state: _State) -> frozenset[str]:
        """Works on rules that have come to nothing, where the question is on the present and names none of those rules."""
        rulebook = state.get("rulebook")
        if rulebook is None or _OF_THE_PAST.search(state["question"]):
            return frozenset()
        known = self.catalog.head(), *rulebook.known
        if self._past is None or self._past[0] != known:
            self._past = known, rulebook.over()
        named = {names.base(section) for section in rulebook.named + rulebook.called}
        return frozenset(work for work, on in self._past[1].items() if named.isdisjoint(on))

    def _retrieve(
        self,
        question: str,
        as_of: datetime,
        k: int,
        filters: Filters | None,
        over: Collection[str] = (),
    ) -> Evidence:
        return retrieve(
            question,
            as_of=as_of,
            k=k,
            catalog=self.catalog,
            index=self.index,
            embedder=self.embedder,
            filters=filters,
            over=over,
        )

    def _admitted(
        self, chosen: Sequence[Candidate], rulebook: Rulebook | None
    ) -> tuple[list[Candidate], list[Sentence], list[Dropped]]:
        kept: list[Candidate] = []
        sentences: list[Sentence] = []
        dropped: list[Dropped] = []
        for candidate in chosen:
            sentence, refused = self._own_words(candidate, rulebook)
            if sentence:
                kept.append(candidate)
                sentences.append(sentence)
            if refused:
                dropped.append(refused)
        return kept, sentences, dropped

    def _own_words(
        self, c: Candidate, rulebook: Rulebook | None
    ) -> tuple[Sentence | None, Dropped | None]:
        """A sentence of the evidence, trimmed where the gate allows, with its checked quote and
        label.
        """
        verdict = admit(c.quote, self.catalog.text(c.quote.document_id))
        if not verdict.passed:
            return None, Dropped(c.quote.text, verdict.point, verdict.reason)
        words = min([c.quote.text, *trims(c.quote.text)], key=len)
        held = self.catalog.document(c.quote.document_id)
        lead = lead_of(c.quote, words)
        cited = rulebook.cite(c.quote, held) if rulebook else citation(self.catalog, c.quote)
        return Sentence(words, (cited,), words == c.quote.text, lead), None

    def _rewritten(
        self,
        question: str,
        chosen: Sequence[Candidate],
        own: Sequence[Sentence],
        budget: Budget,
    ) -> tuple[list[Sentence], list[Dropped], str]:
        """The model's sentences that pass the gate; where one fails, the quote it names stands in
        for it. And why none of them shipped, "" where some did.

        A model that fails, stalls, declines or writes nonsense costs its time and nothing else: all
        evidence then ships verbatim.
        """
        try:
            messages = prompts.render(question, [c.quote.text for c in chosen])
            written = complete(self.model, messages, budget)
        except RegTapeError as exc:
            if is_stop(exc):
                raise
            return (
                list(own),
                [Dropped("", "model", str(exc))],
                f"{self.model_name}: {exc}{_OWN_WORDS}",
            )
        return self._checked(written, chosen, own)

    def _checked(
        self, written: str, chosen: Sequence[Candidate], own: Sequence[Sentence]
    ) -> tuple[list[Sentence], list[Dropped], str]:
        """A draft through the gate, against the numbered sentences it was given; see `_rewritten`."""
        passed: dict[int, Sentence] = {}
        named: set[int] = set()
        dropped: list[Dropped] = []
        for words, numbers in prompts.parse_draft(written, len(chosen)):
            places = [n - 1 for n in numbers] or list(range(len(chosen)))
            verdict = gate(words, [chosen[n].quote for n in places])
            if verdict.passed:
                place = next(n for n in places if chosen[n].quote == verdict.quote)
                passed.setdefault(place, replace(own[place], text=words, verbatim=False))
            else:
                dropped.append(Dropped(words, verdict.point, verdict.reason))
                named.update(places if numbers else ())
        if not passed:
            declined = (
                "nothing that it wrote passed the gate" if dropped else "it wrote no sentence"
            )
            why = f"{self.model_name}: {declined}{_OWN_WORDS}"
            shipped = [s for n, s in enumerate(own) if not named or n in named]
            return shipped, dropped, why
        shipped = [passed.get(n, s) for n, s in enumerate(own) if n in passed or n in named]
        return shipped, dropped, ""

    def _ship(self, state: _State) -> Answer:
        if "evidence" not in state:  # it was on news alone
            return Answer(
                state["words"], state["as_of"], steps=state["steps"], fingerprint=self.fingerprint, news=state["tones"],
            )  # fmt: skip
        evidence = state["evidence"]
        refusal = state.get("refusal")
        sentences = () if refusal else tuple(state["sentences"])
        answer = Answer(
            question=state["question"],
            as_of=state["as_of"],
            sentences=sentences,
            refusal=refusal,
            refusal_text=f"{CANNOT_ANSWER} {_WHY[refusal]}" if refusal else "",
            not_found=tuple(state.get("lacks", ())) if refusal else (),
            passages=evidence.passages,
            dropped=tuple(state.get("dropped", ())),
            steps=state["steps"],
            drafter=self.model_name if self.model is not None else "extractive",
            fingerprint=self.fingerprint,
            degraded=state.get("degraded", ""),
            news=state.get("tones", ()),
        )
        if rulebook := state.get("rulebook"):
            self._tell_rules(answer, rulebook, state)
        else:
            answer.status = status_lines(sentences, self.catalog, state["as_of"])
        answer.question = state["words"]
        return answer

    def _tell_rules(self, answer: Answer, rulebook: Rulebook, state: _State) -> None:
        """Add what the rules concerned were on the day asked about; of other documents, what they say of themselves."""
        cited = [c for s in answer.sentences for c in s.citations]
        told = [rulebook.status(section) for section in rulebook.concerned(cited)]
        answer.rules = tuple(rule for rule in told if rule)
        answer.on, answer.asked_by = rulebook.asked.on, rulebook.asked.words
        if answer.rules and answer.sentences and asks_impact(answer.question):
            with _timed(state, "brief") as say:
                answer.brief = brief(
                    answer.question,
                    answer.rules[0],
                    rulebook,
                    state["found"],
                    partial(self._look_into, answer),
                )
                lines = len(answer.brief.lines) if answer.brief else 0
                say(f"{answer.rules[0].section}: {lines} lines")
        answer.status = status_lines(
            answer.sentences,
            self.catalog,
            rulebook.moment,
            lambda held: rulebook.tells_of(held, answer.rules),
        )


_OWN_WORDS = "; the answer is in the evidence's own words"
_WHY = {
    Reason.NOTHING_HELD: "No document known by then matches; see `regtape documents`, or ask as of a later date.",
    Reason.NOT_FOUND: "The nearest passages are listed; none of them answers the question.",
    Reason.NOT_SUPPORTED: "A draft was made, and nothing in it is supported by a quote.",
}


def _unless_refused(step: str, end: str) -> Callable[[_State], str]:
    return lambda state: end if state.get("refusal") else step


@dataclass(frozen=True, slots=True)
class _Desk:
    """What tools read with: the agent, as of the moment of one question."""

    agent: Agent
    state: _State

    @property
    def catalog(self) -> Catalog:
        return self.agent.catalog

    def find(self, query: str, filters: Filters | None) -> tuple[Evidence, list[Candidate]]:
        agent = self.agent
        evidence = agent._retrieve(
            query, self.state["as_of"], RETRIEVED, filters or self.state.get("filters"), agent._over(self.state)
        )  # fmt: skip
        return evidence, candidates(query, evidence, agent.catalog, agent.index, agent.embedder)

    def rulebook(self, question: str) -> Rulebook:
        return Rulebook.of(
            question, self.state["as_of"], self.agent.catalog, self.agent._open_book()
        )

    def tones(self, question: str, since: str) -> tuple[Tone, ...]:
        news = self.agent.news
        return news.tones("", (question.strip("$ "),), since, self.state["as_of"]) if news else ()

    def own_words(self, candidate: Candidate) -> Sentence | None:
        return self.agent._own_words(candidate, self.state.get("rulebook"))[0]

    def known(self, held: Held) -> bool:
        return held.known_at <= self.state["as_of"]


def _cites(sentence: Sentence, candidate: Candidate) -> bool:
    quote = candidate.quote
    return any(
        (c.document_id, c.start) == (quote.document_id, quote.start) for c in sentence.citations
    )


def _note(state: _State, step: Step) -> None:
    """Keep a step, and tell whoever watches."""
    state["steps"].append(step)
    state["tell"](step)


@contextmanager
def _timed(state: _State, name: str) -> Iterator[Callable[[str], None]]:
    """Note a step's detail and duration, and tell whoever watches. Raises OverBudget once the question is cancelled."""
    state["budget"].check()
    started, detail = time.perf_counter(), [""]

    def say(words: str) -> None:
        detail[0] = words

    yield say
    _note(state, Step(name, detail[0], (time.perf_counter() - started) * 1000))
