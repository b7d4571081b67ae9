"""Rules and documents that an answer concerns in, what they were worth on the day asked about out, each line with its quotes.

Two voices, kept apart. The rulebook tells the state of a section: its standing, its dates, relief and stays, by whatever
documents held say so, and what the events file adds. Of a cited document on no such section a line repeats what the document
says of itself. Both are "according to the documents held, through DATE": what nobody brought in is not seen.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from agent.book import happened, looking_back, sections_named
from agent.cite import citation, prose, sentence_at
from agent.dates import AskedDay, asked_day
from agent.reply import EVENTS_FILE, Citation, Part, RuleStatus, Sentence, Stage, Standing, Told
from agent.verify import EvidenceSentence, admit
from ingest.catalog import Catalog, Held
from ingest.civil import days, spoken
from ingest.document import Authority, DocType
from ingest.moment import civil_day, end_of_day
from ingest.rules import names
from ingest.rules.held import Book, Known
from ingest.rules.kinds import About, EventKind
from ingest.rules.state import Line, State, known_day, state
from ingest.sentences import sentences

MOST_RULES = 3  # told of in one answer
_QUOTED = 2  # passages cited for one line
_LONG = 500  # characters; of a longer passage the sentence that states the event is quoted

WORDS = {
    Standing.UNKNOWN: "whether it is in force is not in the documents",
    Standing.PROPOSED: "proposed only, it binds no one",
    Standing.WITHDRAWN: "proposed and withdrawn",
    Standing.ADOPTED: "adopted, not yet effective",
    Standing.EFFECTIVE: "effective, compliance not yet required",
    Standing.IN_FORCE: "in force",
    Standing.TO_BE_RESCINDED: "in force, its rescission only proposed",
    Standing.EXEMPTED: "effective, under exemptive relief",
    Standing.PARTLY: "adopted, exempted in part; whether the rest binds yet is not in the documents",
    Standing.STAYED: "stayed",
    Standing.EXPIRED: "expired",
    Standing.VACATED: "vacated",
    Standing.REMOVED: "removed",
}
_BINDS = {EventKind.ADOPTED, EventKind.EFFECTIVE, EventKind.COMPLIANCE}
_DUE = {EventKind.EFFECTIVE, EventKind.COMPLIANCE}


AMENDED = "as adopted then; amended since"
_OVER = {Standing.VACATED, Standing.EXPIRED, Standing.REMOVED, Standing.WITHDRAWN}


@dataclass
class Rulebook:
    """The rulebook as an answer as of `as_of` about `asked.on` may use it. Nothing in it was known later than `as_of`."""

    catalog: Catalog
    book: Book
    as_of: datetime
    asked: AskedDay
    question: str
    named: tuple[str, ...]  # sections that the question names by number
    called: tuple[str, ...]  # and those it names by what they are called
    _states: dict[str, State]

    @classmethod
    def of(cls, question: str, as_of: datetime, catalog: Catalog, book: Book) -> "Rulebook":
        """Read the question: its rules, and the day it asks about."""
        named, called = sections_named(question)
        today = civil_day(as_of)
        asked = asked_day(question, today, happened(book, named + called, as_of))
        return cls(
            catalog, looking_back(book, asked.on, as_of), as_of, asked, question, named, called, {}
        )

    @property
    def moment(self) -> datetime:
        """The end of the day asked about, or `as_of` where that is sooner."""
        return min(self.as_of, end_of_day(self.asked.on))

    @property
    def through(self) -> date:
        """The day in "according to the documents held, through ..."."""
        last = min(self.book.through, self.as_of) if self.book.through else self.as_of
        return civil_day(last)

    def state(self, section: str) -> State:
        """The state of a section on the day asked about."""
        if section not in self._states:
            self._states[section] = state(self.book, section, self.moment)
        return self._states[section]

    @cached_property
    def _own(self) -> dict[str, list[Known]]:
        """Work -> the events of its own rule."""
        found: dict[str, list[Known]] = defaultdict(list)
        for known in self.book.events:
            if known.event.about is About.OWN and known.known_at <= self.as_of:
                found[known.held.work_id].append(known)
        return found

    # ---- which rules

    def concerned(self, cited: Sequence[Citation]) -> tuple[str, ...]:
        """Sections to tell the state of: those named by number; else by name, where a cited document is on them; else
        those that the quotes name, or that the first cited release is on alone.
        """
        if self.named or _OTHER_RULE.search(self.question):
            return self.named[:MOST_RULES]
        works = [self.catalog.document(c.document_id) for c in cited]
        on = {names.base(s) for held in works for s in self.sections_of(held)}
        if called := [s for s in self.called if not cited or names.base(s) in on]:
            return tuple(called[:MOST_RULES])
        quoted = [names.base(n.section) for c in cited for n in names.numbered(c.quote)]
        quoted = [s for s in quoted if s in on]
        alone = [s for held in works[:1] for s in self.sections_of(held)] if works else []
        found = names.unique(quoted or (alone if len(set(alone)) == 1 else ()))
        return tuple(s for s in found if self._speaks(s))[:MOST_RULES]

    def sections_of(self, held: Held) -> tuple[str, ...]:
        """Sections that a document is on: of its own events, else of its header."""
        own = names.unique(
            names.base(s) for k in self._own.get(held.work_id, ()) for s in k.event.sections
        )
        return own or tuple(names.base(s) for s in held.metadata.cfr_sections)

    def is_on(self, document_id: str) -> bool:
        """Whether a document is on a rule that the question names."""
        named = {names.base(s) for s in self.named or self.called}
        return not named.isdisjoint(self.sections_of(self.catalog.document(document_id)))

    def names_in(self, quote: EvidenceSentence) -> bool:
        """Whether a sentence, or a heading above it, names a rule that the question names."""
        words = " ".join((quote.title, *quote.path, quote.text))
        said = {names.base(n.section) for n in (*names.numbered(words), *names.called(words))}
        return not said.isdisjoint(names.base(s) for s in self.named or self.called)

    def tells_of(self, held: Held, told: Iterable[RuleStatus]) -> bool:
        """Whether the state of one of these rules says what the document is worth."""
        on = set(self.sections_of(held))
        return any(names.base(rule.section) in on for rule in told)

    def _speaks(self, section: str) -> bool:
        found = self.state(section)
        return bool(found.events) or found.with_file is not found.standing

    def over(self) -> dict[str, frozenset[str]]:
        """Works of whose own rules none stood on the day asked about, vacated, expired, removed or withdrawn, and those rules."""
        found = {
            work: frozenset(names.base(s) for known in own for s in known.event.sections)
            for work, own in self._own.items()
        }
        return {
            work: sections
            for work, sections in found.items()
            if sections and all(self.state(each).with_file in _OVER for each in sections)
        }

    @property
    def known(self) -> tuple[date, date, int]:
        """What all states of one book depend on: the day asked about, that of `moment`, how many events are known by then."""
        events = sum(known.known_at <= self.moment for known in self.book.events)
        return self.asked.on, civil_day(self.moment), events

    # ---- their state

    def status(self, section: str) -> RuleStatus | None:
        """What the section was on the day asked about, or None where nothing known by then speaks of it."""
        found = self.state(section)
        if not self._speaks(section):
            return None
        groups: dict[tuple[Part, str, str], list[Line]] = defaultdict(list)
        for line in found.lines:
            if _told_in_answers(line):
                source = EVENTS_FILE if line.laid else "documents"
                groups[line.part, line.text, source].append(line)
        told = [
            self._told(section, part, text, source, lines)
            for (part, text, source), lines in groups.items()
        ]
        return RuleStatus(
            section, found.on, found.standing, found.with_file, self.through, self._says(found),
            tuple(t for t in told if t.citations or t.source == EVENTS_FILE or t.part is Part.GAP),
        )  # fmt: skip

    def _says(self, found: State) -> str:
        words = WORDS[found.standing]
        if found.with_file is not found.standing:
            words += f" by the documents alone; with the {EVENTS_FILE}: {WORDS[found.with_file]}"
        return (
            f"{name_of(found.section)}, on {spoken(found.on)}: {words}, according to the documents held, "
            f"through {self.through}."
        )

    def _told(
        self, section: str, part: Part, text: str, source: str, lines: Sequence[Line]
    ) -> Told:
        likely = self.best_first(section, [k for line in lines for k in line.basis])
        quotes = [self.quote(known) for known in likely]
        cited = {
            q.text: self.cite(q, k.held)
            for k, q in zip(likely, quotes, strict=True)
            if admit(q, self.catalog.text(q.document_id)).passed
        }
        words = f"{text[:1].upper()}{text[1:]}"
        if likely and all(k.held.authority is Authority.SECONDARY for k in likely):
            words += " (by secondary sources, not official text)"
        inferred = any(line.inferred for line in lines)
        return Told(part, words, source, inferred, tuple(cited.values())[:_QUOTED])

    def best_first(self, section: str, basis: Iterable[Known]) -> list[Known]:
        """Of the passages that state a thing, official ones first, then those that name the section, then short ones."""
        each = {(k.held.id, k.event.start): k for k in basis if k.known_at <= self.as_of}

        def rank(known: Known) -> tuple[bool, bool, int]:
            words = self.quote(known).text
            named = [n.section for n in (*names.numbered(words), *names.called(words))]
            own = any(names.bears_on(name, section) for name in named)
            return known.held.authority is Authority.SECONDARY, not own, len(words)

        return sorted(each.values(), key=rank)

    def at(self, held: Held, start: int, end: int) -> EvidenceSentence:
        """The labelled words at [start, end) of a document."""
        return sentence_at(self.catalog, held, start, end)

    def cited(self, quote: EvidenceSentence) -> Citation | None:
        """A citation of a sentence that passes the gate and was known by `as_of`, else None."""
        held = self.catalog.document(quote.document_id)
        if held.known_at > self.as_of or not admit(quote, self.catalog.text(held.id)).passed:
            return None
        return self.cite(quote, held)

    def public(self, held: Held) -> datetime:
        """Since when a document was public: the rulebook may know it where the catalog has but a late bound."""
        return min(held.known_at, self.book.known.get(held.offset, (held.known_at, ""))[0])

    def cite(self, quote: EvidenceSentence, held: Held) -> Citation:
        """A citation of a sentence, with what it was worth on the day asked about."""
        known_at = self.public(held) if held.known_at > self.as_of else None
        return citation(self.catalog, quote, known_at=known_at, force=self.force(quote, held))

    def quote(self, known: Known) -> EvidenceSentence:
        """The passage that states an event; of a long one the sentence with its date, or its first."""
        event, text = known.event, self.catalog.text(known.held.id)
        spans = [(event.start, event.end)]
        if event.end - event.start > _LONG:
            spans = list(sentences(text[event.start : event.end], event.start)) or spans
        dated = [
            s for s in spans if event.on and any(d.on == event.on for d in days(text[slice(*s)]))
        ]
        return sentence_at(self.catalog, known.held, *prose(text, *(dated or spans)[0]))

    # ---- what a quote was worth

    def force(self, quote: EvidenceSentence, held: Held) -> str:
        """Why the content of a quote was not simply in force on the day asked about; "" where nothing says so."""
        on = self.asked.on
        public = civil_day(self.public(held))
        if public > on and quote.stage is not Stage.PRIOR_LAW:
            return f"from a later document, public since {spoken(public)}"
        own = self._own.get(held.work_id, [])
        kinds = {known.event.kind for known in own}
        only_proposes = EventKind.PROPOSED in kinds and not kinds & _BINDS
        if held.doc_type is DocType.PROPOSED_RULE or (
            only_proposes and held.doc_type is not DocType.FINAL_RULE
        ):
            return self._proposed(held, own)
        if quote.stage is Stage.PROPOSED:
            return "as proposed, not as adopted" if kinds & _BINDS else ""
        if held.doc_type is DocType.FINAL_RULE or kinds & _BINDS:
            return self._adopted(quote, held)
        return ""

    def is_amended(self, quote: EvidenceSentence, held: Held) -> bool:
        """Whether what a quote tells was the law until it was amended, before the day asked about."""
        return self.force(quote, held).startswith(AMENDED)

    def _proposed(self, held: Held, own: Sequence[Known]) -> str:
        sections = {names.base(s) for known in own for s in known.event.sections}
        since = civil_day(self.public(held))
        for section in sections:
            lines = self.state(section).lines
            if any(line.kind is EventKind.WITHDRAWN for line in lines):
                return "proposed and withdrawn"
            for line in lines:
                adopted = _adopting(line)
                if adopted and known_day(adopted) > since:
                    return f"proposed; adopted by {line.by} since, perhaps otherwise"
        return "proposed, not adopted"

    def _adopted(self, quote: EvidenceSentence, held: Held) -> str:
        said = {self._adopted_of(section, held) for section in self._relevant(quote, held)}
        if len(said) == 1:
            return said.pop()
        effective = held.metadata.effective_on
        if not said and effective and effective > self.asked.on:
            return f"adopted, not yet effective: effective {spoken(effective)}"
        return ""

    def _adopted_of(self, section: str, held: Held) -> str:
        """What became of the rulemaking of `held` on a section."""
        found = self.state(section)
        for line in found.lines:
            adopted = _adopting(line)
            if adopted is None or all(k.held.work_id != held.work_id for k in line.basis):
                continue
            if line.part is Part.HISTORY:
                by = next((x.by for x in found.lines if x.by and x.part is not Part.HISTORY), "")
                return f"{AMENDED} by {by}" if by else ""
            standing = found.with_file
            if standing in (
                Standing.IN_FORCE,
                Standing.TO_BE_RESCINDED,
                Standing.UNKNOWN,
                Standing.PARTLY,
            ):
                return ""
            pending = next(
                (x.text for x in found.lines if x.part is Part.PENDING and x.kind in _DUE), ""
            )
            words = (
                pending
                if pending.startswith("not yet")
                else WORDS[standing].removeprefix("adopted, ")
            )
            also = f" ({pending})" if pending and pending != words else ""
            file = f" by the {EVENTS_FILE}" if standing is not found.standing else ""
            return f"adopted, {words}{also}{file}"
        return ""

    def _relevant(self, quote: EvidenceSentence, held: Held) -> tuple[str, ...]:
        """Of the sections a release is on: those its quote names, of these the ones asked about; else all if they are few."""
        own = set(self.sections_of(held))
        quoted = {
            names.base(n.section) for n in names.numbered(" ".join((*quote.path, quote.text)))
        } & own
        asked = {names.base(s) for s in self.named + self.called} & own
        return tuple(
            sorted(quoted & asked or quoted or asked or (own if len(own) <= MOST_RULES else ()))
        )


_OTHER_RULE = re.compile(r"\b(?:Rule|§) ?\d")  # of a number that is no section known


def _adopting(line: Line) -> Known | None:
    """The adoption that a line tells of."""
    return line.basis[0] if line.basis and line.by else None


def _told_in_answers(line: Line) -> bool:
    """Whether a line is about what the rule is worth; where it came from is left to `regtape rule`."""
    if line.aside:
        return False
    return line.part is not Part.HISTORY or line.kind is EventKind.COMPLIANCE


def name_of(section: str) -> str:
    """ "Rule 612 (17 CFR 242.612)"."""
    return f"Rule {section.partition('.')[2]} (17 CFR {section})"


# ---- what a document says of itself

_PLACEHOLDER = re.compile(r"\[insert(?: date)?(?: of)? ([^\]]*)\]", re.IGNORECASE)
_OF_ITSELF = {DocType.FINAL_RULE, DocType.ORDER, DocType.REGULATION}


def status_lines(
    shipped: Iterable[Sentence],
    catalog: Catalog,
    as_of: datetime,
    told: Callable[[Held], bool] = lambda _: False,
) -> tuple[str, ...]:
    """One line for each rulemaking document cited, in the order of first citation, that no rule tells of already."""
    ids = dict.fromkeys(c.document_id for s in shipped for c in s.citations)
    day = civil_day(as_of)
    works: dict[str, str] = {}
    for id in ids:
        held = catalog.document(id)
        if held.work_id not in works and not told(held) and (line := _line(held, day)):
            works[held.work_id] = line
    through = catalog.through()
    if not works or through is None:
        return ()
    held_through = civil_day(min(through, as_of))
    return tuple(
        f"{line}, according to the documents held, through {held_through}."
        for line in works.values()
    )


def _line(held: Held, day: date) -> str | None:
    name = held.reference or held.title
    if held.doc_type is DocType.PROPOSED_RULE:
        return f"{name} is a proposal: it binds no one unless adopted"
    if held.doc_type is DocType.WITHDRAWAL:
        return f"{name} withdraws what was proposed"
    if held.doc_type not in _OF_ITSELF:
        return None
    return f"{name} ({held.doc_type}): {_dates(held, day)}"


def _dates(held: Held, day: date) -> str:
    meta, parts = held.metadata, []
    if meta.effective_on:
        parts.append(
            f"{'effective' if meta.effective_on <= day else 'not yet effective; effective from'} {meta.effective_on}"
        )
    elif meta.effective_text:
        parts.append(f"effective {_short(meta.effective_text)}")
    if meta.compliance_on:
        parts.append(
            f"compliance {'required since' if meta.compliance_on <= day else 'from'} {meta.compliance_on}"
        )
    elif meta.compliance_text:
        parts.append(f"compliance {_short(meta.compliance_text)}")
    return "; ".join(parts) if parts else "its effective date is not stated where one is expected"


def _short(words: str) -> str:
    """The document's own wording, in one line; "[INSERT DATE 60 DAYS AFTER …]" as what it means."""
    placeholder = _PLACEHOLDER.search(words)
    if placeholder:
        return placeholder[1].strip().lower().replace("federal register", "Federal Register")
    return f"“{words}”" if len(words) <= 90 else f"“{words[:87].rsplit(' ', 1)[0]}…”"
