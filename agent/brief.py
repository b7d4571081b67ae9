"""A question on what a rule changes and what was found in, a brief out: before → after, for whom, from when, effects, open ends.

Each line carries checked quotes and nothing else: numbers before and after come out of two wordings of the rule where both are
held, out of one sentence that states both ("from $0.0030 to $0.0010"), or out of two sentences on one thing, of which the older
one tells the old; effects are those that a release of this rulemaking, or a statement on it, speaks of, with who says so and
whether it is hedged. A part of which nothing is found stays empty and is shown as such.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import islice, pairwise

from agent.compare import compare
from agent.compose import Candidate
from agent.parameters import Parameter, changed_parameters
from agent.reply import EVENTS_FILE, Brief, BriefLine, Citation, Part, RuleStatus, Speaker, Stage
from agent.status import Rulebook
from agent.values import Value, ValueKind, values
from agent.verify import EvidenceSentence
from ingest.catalog import Catalog, Filters, Held
from ingest.document import Kind
from ingest.moment import civil_day
from ingest.rules import names
from ingest.rules.held import Known
from ingest.rules.impacts import Direction
from ingest.rules.kinds import About, EventKind
from ingest.rules.state import known_day
from ingest.rules.stated import Stated, stated_in
from ingest.rules.taxonomy import taxonomy, words_of

_ASKS = re.compile(
    r"\bwhat (?:\w+ )?changes?\b|\bwhat (?:will|would|did|does|do)\b[^?]*\bchange\b|\bimpacts?\b|\bconsequences?\b|"
    r"\b(?:side )?effects?\b(?! date)|\bhow (?:does|do|did|will|would|might|should|could)\b[^?]*\b(?:affect|change|influence)\b|"
    r"\bmeans? for\b|\bwhat (?:does|do|did|will|would)\b[^?]*\bdo to\b|\bbrief\b",
    re.IGNORECASE,
)
_CHANGES = re.compile(
    r"\b(?:adopt(?:s|ed|ing)|amend(?:s|ed|ing)|reduc(?:e[sd]?|ing)|lower(?:s|ed|ing)?|replac(?:e[sd]?|ing)|rescind(?:s|ed|ing)?|"
    r"eliminat(?:e[sd]?|ing)|establish(?:es|ed|ing)?|require[sd]?|prohibit(?:s|ed|ing)?|introduc(?:e[sd]?|ing)|add(?:s|ed|ing))\b",
    re.IGNORECASE,
)
_WHOM = re.compile(
    r"\b(?:appl(?:y|ies|ied) to|applicable to|NMS stocks? (?:that|priced|with|whose)|(?:stocks|securities|quotations|orders) (?:"
    r"priced|with|whose|that|quoted|in)|each (?:national securities )?(?:exchange|trading center|broker|dealer)|trading centers?|"
    r"broker-dealers?|market participants?|no (?:national securities )?exchange|managers?|participants?)\b"
)
_DUTY = re.compile(
    r"\b(?:must|shall|may not|appl(?:y|ies)|required|prohibit|subject to|would be)\b"
)
_OPEN = re.compile(
    r"\b(?:unclear|uncertain|unable to (?:quantify|estimate|predict)|cannot (?:be )?(?:quantif|estimat|predict)|difficult to|"
    r"will (?:study|monitor|review|consider)|requests? comment|to be (?:determined|designated)|as designated by|not yet been?)\b",
    re.IGNORECASE,
)
_FROM_TO = re.compile(r"\bfrom\b[^;]{0,80}?\bto\b", re.IGNORECASE)
_NUMBERS = {
    ValueKind.MONEY, ValueKind.RATE, ValueKind.COUNT, ValueKind.DURATION, ValueKind.DATE, ValueKind.CYCLE,
}  # fmt: skip
_TERM = 5  # words of the longest term of the taxonomy that a question is searched for
_ROLED = {ValueKind.MONEY, ValueKind.RATE, ValueKind.DURATION, ValueKind.CYCLE}
_BEFORE = re.compile(r"^(?:Before|Prior to|Until) (?:the|these|this|its)\b", re.IGNORECASE)
_PRICED = re.compile(
    r"\b(?:priced|prices?|less than|more than|equal to|greater than|below|above|at least)\b[\w\s]{0,12}$"
)
_SHARED = 3  # terms that two sentences share, if numbers of one role in them are before and after
_LINES = 3  # of each part
_EFFECTS = 6  # variables
_DOCUMENTS = 5  # read for effects
_LOOKED_INTO = 3  # releases of the rulemaking searched besides
_ON_ONE_THING = 0.45  # of the terms of two sentences, for their numbers to be compared
_TELLING = {EventKind.ADOPTED, EventKind.PROPOSED}
_STANDS = {Part.ADOPTED, Part.IN_FORCE}
_OLD = {Stage.PRIOR_LAW, Stage.PROPOSED}
_WORDS = {
    Direction.UP: "up", Direction.DOWN: "down", Direction.MIXED: "mixed", Direction.NONE: "no effect",
    Direction.UNCERTAIN: "uncertain",
}  # fmt: skip


def asks_impact(question: str) -> bool:
    """Whether a question asks what a rule changes or does."""
    return bool(_ASKS.search(question))


def brief(
    question: str,
    rule: RuleStatus,
    rulebook: Rulebook,
    found: Sequence[Candidate],
    look: Callable[[Held], Sequence[Candidate]],
) -> Brief | None:
    """The brief on one rule, or None where neither a change nor an effect is found.

    found: the sentences weighed for the answer; look: those of one document, for releases that the search left out.
    """
    read = _Reader(question, rule, rulebook, list(found))
    read.found += [c for held in read.not_found() for c in look(held)]
    made = Brief(
        rule.section, rule.on, rule.says,
        changes=tuple(read.changes()), whom=tuple(read.whom()), dates=tuple(read.dates()),
        effects=tuple(read.effects()), open=tuple(read.open()),
    )  # fmt: skip
    return made if made.changes or made.effects else None


@dataclass
class _Reader:
    question: str
    rule: RuleStatus
    rulebook: Rulebook
    found: list[Candidate]

    @property
    def catalog(self) -> Catalog:
        return self.rulebook.catalog

    @property
    def section(self) -> str:
        return names.base(self.rule.section)

    # ---- what changes

    def changes(self) -> Iterator[BriefLine]:
        """Numbers before and after, else the sentences that state the change."""
        made = [*islice(self._numbers(), _LINES), *self._adopting()]
        yield from made
        said = {c.quote for line in made for c in line.citations}
        telling = [
            c
            for c in self._own()
            if _CHANGES.search(c.quote.text) and c.quote.text not in said
            and c.quote.stage in (Stage.ADOPTED, Stage.PROPOSED) and c.quote.speaker is Speaker.COMMISSION
        ]  # fmt: skip
        yield from self._quoted(telling, max(1, _LINES - len(made)))

    def _adopting(self) -> Iterator[BriefLine]:
        """The sentence by which the newest version was adopted, where it says what that does."""
        for told in self.rule.told:
            for c in told.citations[:1]:
                if told.part in _STANDS and c.stage is Stage.ADOPTED and _CHANGES.search(c.quote):
                    yield BriefLine(str(c.stage), f"“{c.quote}”", (c,))
                    return

    def _numbers(self) -> Iterator[BriefLine]:
        seen: set[tuple[str, str]] = set()
        for line in (
            *self._of_texts(),
            *self._of_sentences(),
            *self._of_roles(),
            *self._of_pairs(),
        ):
            key = (line.label, line.text)
            if key not in seen:
                seen.add(key)
                yield line

    def _of_texts(self) -> Iterator[BriefLine]:
        """Out of the two newest wordings of the section that are held."""
        texts = list(self._wordings())[:2]
        for (new, high), (old, low) in pairwise(texts):
            before = self.catalog.text(old.id)[slice(*low)]
            after = self.catalog.text(new.id)[slice(*high)]
            for p in compare(before, after).parameters:
                quotes = (
                    self.rulebook.at(old, low[0] + p.before_quote[0], low[0] + p.before_quote[1]),
                    self.rulebook.at(new, high[0] + p.after_quote[0], high[0] + p.after_quote[1]),
                )
                yield from self._parameter(p, quotes)

    def _wordings(self) -> Iterator[tuple[Held, tuple[int, int]]]:
        """Where the wording of the section stands, newest first."""
        held = [
            h
            for h in self.catalog.documents(Filters(cfr_section=self.section))
            if h.known_at <= self.rulebook.moment
        ]
        for document in sorted(held, key=lambda h: h.known_at, reverse=True):
            spans = [
                s for s in self.catalog.body(document.id)[1]
                if s.kind is Kind.RULE_TEXT and any(self.section in heading.replace(". ", ".") for heading in s.path)
            ]  # fmt: skip
            if spans:
                yield document, (spans[0].start, spans[-1].end)

    def _of_sentences(self) -> Iterator[BriefLine]:
        """Out of sentences that state both numbers: "from $0.0030 to $0.0010"."""
        for c in self._own():
            match = _FROM_TO.search(c.quote.text)
            pair = _from_to(c.quote.text, match.start()) if match else None
            if pair:
                yield from self._line(
                    pair[0].role or str(pair[0].kind),
                    f"{pair[0].text} → {pair[1].text}",
                    (c.quote,),
                )

    def _of_roles(self) -> Iterator[BriefLine]:
        """Out of a sentence on the law before and one on what was adopted, each with a number of one role: a cap, say."""
        adopted = [c for c in self._own() if c.quote.stage is Stage.ADOPTED]
        for old in (
            c
            for c in self._on()
            if c.quote.stage is Stage.PRIOR_LAW or _BEFORE.search(c.quote.text)
        ):
            for new in adopted:
                shared = {t for t in old.have & new.have if not any(x.isdigit() for x in t)}
                pair = _of_one_role(old.quote.text, new.quote.text) if new is not old else None
                named = self.section in self._named(old.quote.text)
                if pair and named and len(shared) >= _SHARED:
                    text = f"{pair[0].text} → {pair[1].text}"
                    yield from self._line(pair[0].role, text, (old.quote, new.quote))

    def _of_pairs(self) -> Iterator[BriefLine]:
        """Out of two sentences on one thing, an old one and a new one."""
        numbered = [c for c in self._on() if any(v.kind in _NUMBERS for v in values(c.quote.text))][
            :16
        ]
        for new in (c for c in numbered if c.quote.stage is Stage.ADOPTED and self._recent(c)):
            for old in numbered:
                if self._older(old, new) and _on_one_thing(old, new):
                    text = f"{old.quote.text}\n{new.quote.text}"
                    cut = len(old.quote.text)
                    for p in changed_parameters(text, text, (0, cut), (cut + 1, len(text))):
                        yield from self._parameter(p, (old.quote, new.quote))

    def _older(self, old: Candidate, new: Candidate) -> bool:
        if old.quote.stage is Stage.PRIOR_LAW:
            return True
        return old.passage.known_at < new.passage.known_at and old.quote.stage in (
            *_OLD,
            Stage.ADOPTED,
        )

    def _parameter(self, p: Parameter, quotes: Sequence[EvidenceSentence]) -> Iterator[BriefLine]:
        before, _ = quotes
        named = f" {p.unit}" if p.unit and p.unit.isalpha() and p.unit not in p.after else ""
        stage = " (proposed)" if before.stage is Stage.PROPOSED else ""
        yield from self._line(p.role or p.kind, f"{p.before}{stage} → {p.after}{named}", quotes)

    # ---- for whom, from when

    def whom(self) -> Iterator[BriefLine]:
        """Sentences that say to whom or what it applies."""
        telling = [
            c for c in self._own()
            if _WHOM.search(c.quote.text) and _DUTY.search(c.quote.text)
            and c.quote.stage in (Stage.ADOPTED, Stage.PROPOSED) and c.quote.speaker is Speaker.COMMISSION
        ]  # fmt: skip
        yield from self._quoted(telling, 2)

    def dates(self) -> Iterator[BriefLine]:
        """What the rulebook tells of it: in force since, pending, relief; the events file apart."""
        for told in self.rule.told:
            if told.part not in (Part.GAP, Part.CONFLICT):
                file = f" ({EVENTS_FILE}, no document held)" if told.source == EVENTS_FILE else ""
                label = "stated" if told.part is Part.HISTORY else told.part
                yield BriefLine(label, f"{told.line}{file}", told.citations)

    # ---- effects

    def effects(self) -> Iterator[BriefLine]:
        """For each variable the most telling sentence, the Commission's first; those asked about come first."""
        by_variable: dict[str, list[Stated]] = {}
        for each in self._stated():
            if each.impact.direction is not Direction.UNCERTAIN:
                by_variable.setdefault(each.impact.variable, []).append(each)
        order = sorted(by_variable, key=lambda v: (not self._asked(v), -len(by_variable[v])))
        for variable in order[:_EFFECTS]:
            rows = sorted(by_variable[variable], key=self._rank)
            yield from self._effect(rows[0])
            # Whoever sees it otherwise is heard as well.
            other = next(
                (r for r in rows if r.impact.direction is not rows[0].impact.direction), None
            )
            if other and self._asked(variable):
                yield from self._effect(other)

    def _asked(self, variable: str) -> bool:
        """Whether the question speaks of a variable, in the words of the taxonomy."""
        told, words = taxonomy(), words_of(self.question)
        return any(
            term.variable == variable
            for size in range(1, _TERM + 1)
            for at in range(len(words) - size + 1)
            if (term := told.terms.get(tuple(words[at : at + size])))
        )

    def _rank(self, row: Stated) -> tuple[bool, bool, int, int]:
        named = bool({s for s in self._named(row.impact.quote)} & {self.section})
        return (
            row.impact.speaker is not Speaker.COMMISSION,
            not named,
            row.impact.hedged,
            len(row.impact.quote),
        )

    def _effect(self, row: Stated) -> Iterator[BriefLine]:
        impact = row.impact
        hedge = ", hedged" if impact.hedged else ""
        label = f"{taxonomy().variables[impact.variable].name}, {_WORDS[impact.direction]}{hedge}, {impact.speaker}"
        quote = self.rulebook.at(row.held, impact.start, impact.end)
        yield from self._line(label, f"“{quote.text}”", (quote,))

    def _stated(self) -> list[Stated]:
        documents = {h.id: h for h in self._documents()}
        return stated_in(self.catalog, list(documents.values()))

    def _documents(self) -> list[Held]:
        """Documents of this rulemaking, longest manifestation of each, and those found that are on the section."""
        works: dict[str, Held] = {}
        found = [self.catalog.document(c.passage.document_id) for c in self._own()]
        for held in (*self._releases(), *found):
            if held.work_id not in works or held.characters > works[held.work_id].characters:
                works[held.work_id] = held
        return list(works.values())[:_DOCUMENTS]

    def _releases(self) -> list[Held]:
        """What states events of this rulemaking: adopted before proposed before the rest, the longest of a kind first."""
        order = {EventKind.ADOPTED: 0, EventKind.PROPOSED: 1}
        rank: dict[str, tuple[int, int]] = {}
        held = {}
        for k in self.rulebook.book.events:
            on = k.event.about is About.OWN and any(
                names.base(s) == self.section for s in k.event.sections
            )
            if (
                on
                and k.known_at <= self.rulebook.moment
                and k.held.known_at <= self.rulebook.as_of
                and self._new(k.held)
            ):
                held[k.held.id] = k.held
                this = (order.get(k.event.kind, 2), -k.held.characters)
                rank[k.held.id] = min(this, rank.get(k.held.id, this))
        return sorted(held.values(), key=lambda h: rank[h.id])

    def not_found(self) -> list[Held]:
        """Releases of this rulemaking of which no sentence was found, one of each work."""
        seen = {c.passage.work_id for c in self.found}
        works = {h.work_id: h for h in reversed(self._releases()) if h.work_id not in seen}
        return list(reversed(works.values()))[:_LOOKED_INTO]

    # ---- what is left open

    def open(self) -> Iterator[BriefLine]:
        """Gaps and conflicts of the rulebook, then sentences that leave something open."""
        for told in self.rule.told:
            if told.part in (Part.GAP, Part.CONFLICT):
                yield BriefLine(told.part, told.line, told.citations)
        uncertain = [s for s in self._stated() if s.impact.direction is Direction.UNCERTAIN]
        for row in sorted(uncertain, key=self._rank)[:2]:
            yield from self._effect(row)
        yield from self._quoted([c for c in self._own() if _OPEN.search(c.quote.text)], 2)

    # ---- what there is to choose from

    def _on(self) -> list[Candidate]:
        """Sentences on the section: their document is, or they name it."""
        return [
            c
            for c in self.found
            if self.section in self._named(f"{c.passage.title} {c.passage.section} {c.quote.text}")
            or self.section
            in self.rulebook.sections_of(self.catalog.document(c.passage.document_id))
        ]

    def _own(self) -> list[Candidate]:
        """Those of the newest rulemaking, by the day asked about."""
        return [c for c in self._on() if self._recent(c)]

    def _recent(self, c: Candidate) -> bool:
        return self._new(self.catalog.document(c.passage.document_id))

    def _new(self, held: Held) -> bool:
        """Whether a document is later than the rulemaking before this one, and not after the day asked about."""
        return (
            held.work_id not in self._past
            and self._since < civil_day(self.rulebook.public(held)) <= self.rule.on
        )

    @cached_property
    def _earlier(self) -> list[Known]:
        lines = self.rulebook.state(self.rule.section).lines
        past = [x for x in lines if x.part is Part.HISTORY and x.by]
        return [k for line in past for k in line.basis]

    @cached_property
    def _past(self) -> set[str]:
        """Works of earlier rulemakings, and of others that only update a reference to the section."""
        own = [
            k for k in self.rulebook.book.events
            if k.event.about is About.OWN and any(names.base(s) == self.section for s in k.event.sections)
        ]  # fmt: skip
        conforming = {k.held.work_id for k in own if k.event.change == "conforming"}
        telling = {k.held.work_id for k in own if k.event.kind in _TELLING and not k.event.change}
        return {k.held.work_id for k in self._earlier} | (conforming - telling)

    @cached_property
    def _since(self) -> date:
        """The day of the last rulemaking but one: what is older speaks of another change."""
        return max(map(known_day, self._earlier), default=date.min)

    def _named(self, words: str) -> set[str]:
        return {names.base(n.section) for n in (*names.numbered(words), *names.called(words))}

    # ---- lines

    def _quoted(self, found: Iterable[Candidate], most: int) -> Iterator[BriefLine]:
        made = 0
        for c in found:
            for line in self._line(str(c.quote.stage), f"“{c.quote.text}”", (c.quote,)):
                if made < most:
                    made += 1
                    yield line

    def _line(
        self, label: str, text: str, quotes: Sequence[EvidenceSentence]
    ) -> Iterator[BriefLine]:
        """The line, if each of its quotes passes the gate."""
        cited: list[Citation] = [c for q in quotes if (c := self.rulebook.cited(q))]
        if len(cited) == len(quotes):
            yield BriefLine(label, text, tuple(cited))


def _from_to(sentence: str, start: int) -> tuple[Value, Value] | None:
    """The two numbers of one kind and unit behind "from … to …"."""
    found = [v for v in values(sentence) if v.kind in _NUMBERS and v.start >= start]
    for before, after in pairwise(found):
        between = sentence[before.end : after.start]
        if (
            before.kind is after.kind
            and re.search(r"\bto\b", between)
            and len(between) < 60
            and before.key != after.key
        ):
            return before, after
    return None


def _of_one_role(old: str, new: str) -> tuple[Value, Value] | None:
    """The first numbers of the two that do the same and differ."""
    for after in _roled(new):
        for before in _roled(old):
            same = (before.kind, before.unit, before.role) == (after.kind, after.unit, after.role)
            if same and before.key != after.key:
                return before, after
    return None


def _roled(sentence: str) -> list[Value]:
    """Numbers that do something, but for those that only say which prices are meant ("priced at $1.00 or more")."""
    return [
        v
        for v in values(sentence)
        if v.kind in _ROLED and v.role and not _PRICED.search(sentence[: v.start])
    ]


def _on_one_thing(one: Candidate, other: Candidate) -> bool:
    both = {t for t in one.have & other.have if not any(c.isdigit() for c in t)}
    either = {t for t in one.have | other.have if not any(c.isdigit() for c in t)}
    return len(both) >= _ON_ONE_THING * max(1, len(either))
