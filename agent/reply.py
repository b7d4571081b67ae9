"""The nouns of an answer: Passage, Citation, Sentence, RuleStatus, Brief, Answer."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from ingest.document import Authority
from ingest.rules.state import Part as Part
from ingest.rules.state import Standing as Standing
from ingest.stance import Speaker as Speaker
from ingest.stance import Stage as Stage

CANNOT_ANSWER = "The documents held do not say."


class Reason(StrEnum):
    """Why nothing was answered."""

    NOTHING_HELD = "nothing_held"  # no document was known by then, or none matches the filters
    NOT_FOUND = "not_found"  # passages were found, none answers
    NOT_SUPPORTED = "not_supported"  # a draft was made and nothing of it passed the gate


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of evidence as retrieved: `text` is the stored text at [start, end) of the
    document.
    """

    chunk_id: str
    document_id: str
    work_id: str
    start: int
    end: int
    text: str
    title: str
    reference: (
        str  # "Release No. 34-51808", "89 FR 81620", "17 CFR 242.612", "Form 10-K, 2018-12-31"
    )
    authority: Authority
    doc_type: str
    section: str  # heading path joined by " › "
    page: int | None
    known_at: datetime
    backfilled: bool
    score: float
    dense: float = 0.0  # cosine
    lexical: float = 0.0  # BM25


@dataclass(frozen=True, slots=True)
class Citation:
    """A checked quote: `quote == text[start:end]` of the stored document, `sha256` of the quote in
    UTF-8.

    force   why its content was not simply in force on the day asked about ("proposed, not adopted",
            "adopted, not yet effective: …"); "" where the rulebook knows of no reason
    """

    document_id: str
    title: str
    reference: str
    authority: Authority
    section: str
    page: int | None
    start: int
    end: int
    quote: str
    sha256: str
    speaker: Speaker
    stage: Stage
    known_at: datetime
    backfilled: bool
    force: str = ""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One shipped sentence. verbatim: it is the quote's own words (with `lead_in` before it), not a
    drafted wording.
    """

    text: str
    citations: tuple[Citation, ...]
    verbatim: bool
    lead_in: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A drafted sentence that did not pass, and which point of the gate stopped it."""

    text: str
    point: str
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """What was done and how long it took; shown by --steps and streamed over SSE."""

    name: str
    detail: str
    milliseconds: float


EVENTS_FILE = "events file"  # the source of a line that no held document states


@dataclass(frozen=True, slots=True)
class Told:
    """One line of a rule's state, with the quotes it rests on; a line of the events file has none, its citation is in
    `line`. inferred: it follows from the quotes and is stated in none.
    """

    part: Part
    line: str
    source: str
    inferred: bool
    citations: tuple[Citation, ...]

    def sentence(self, through: date) -> str:
        """The line with whose word it is."""
        if self.source == EVENTS_FILE:
            return f"{self.line}, according to the {EVENTS_FILE}, not to a document held."
        return f"{self.line}, according to the documents held, through {through}."


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """What a section was on a civil day in New York, from the rulebook.

    standing       according to the documents alone; with_file: with the events file laid over them
    held_through   the day in "according to the documents held, through DATE"
    says           the standing as a sentence
    """

    section: str
    on: date
    standing: Standing
    with_file: Standing
    held_through: date
    says: str
    told: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class BriefLine:
    """One line of a brief: what it says is in its quotes. label: what it is about, "quoted spread: narrower"."""

    label: str
    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class Brief:
    """What a change of a rule does, each part in lines with quotes; a part without lines was not found.

    changes    before → after        whom    to whom it applies      dates   from when, and whether in force
    effects    by variable           open    what the documents leave open
    """

    section: str
    on: date
    says: str
    changes: tuple[BriefLine, ...] = ()
    whom: tuple[BriefLine, ...] = ()
    dates: tuple[BriefLine, ...] = ()
    effects: tuple[BriefLine, ...] = ()
    open: tuple[BriefLine, ...] = ()

    @property
    def lines(self) -> tuple[BriefLine, ...]:
        """All lines, in reading order."""
        return (*self.changes, *self.whom, *self.dates, *self.effects, *self.open)


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline as its source wrote it; it is no quote of a document held. sentiment: of the company, -1 to 1."""

    words: str
    source: str
    known_at: datetime
    sentiment: float


@dataclass(frozen=True, slots=True)
class Tone:
    """What news says of a company, in numbers of one state of the log.

    since, since_what   from when on the items are counted, and what that was
    items, mean         how many, and the mean of what each says of the company, -1 to 1; None without any
    all_items           whether none was left out
    features, status    rolling features as a feature read serves them; None with a status where there is nothing
    known_at            of the newest item that contributes to the features
    receipt             from which `regtape features verify` computes the features again; its offset is that of the counts
    """

    symbol: str
    entity: str
    as_of: datetime
    since: datetime
    since_what: str
    items: int
    all_items: bool
    mean: float | None
    features: dict[str, float | None]
    status: dict[str, str]
    known_at: datetime | None
    backfilled: bool
    model_versions: tuple[str, ...]
    receipt: dict[str, object]
    headlines: tuple[Headline, ...]


@dataclass(slots=True)
class Answer:
    """Sentences with citations, or a refusal with its reason; never both. Of a question on news alone, neither.

    on         the day asked about: of the question's own words, else that of `as_of`
    asked_by   those words, "" where there are none
    rules      the state on that day of the rules concerned, from the rulebook
    brief      of a question on what a rule changes, else None
    status     lines on rulemaking documents cited that no rule above tells of, each ending "according
               to the documents held, through DATE"
    not_found  parts of the question nothing was found for
    passages   what was retrieved, best first (at least ten where there are ten)
    news       what news says of the companies asked about, where a question asks that
    degraded   why less was done than was asked for ("the model did not answer; …"), "" where nothing was left out
    thread     the conversation it is a turn of, None outside of one; turn: its place in it, from 1
    asked_as   the question that was answered, where the words of `question` leave part of it to earlier turns
    """

    question: str
    as_of: datetime
    sentences: tuple[Sentence, ...] = ()
    refusal: Reason | None = None
    refusal_text: str = ""
    on: date | None = None
    asked_by: str = ""
    rules: tuple[RuleStatus, ...] = ()
    brief: Brief | None = None
    status: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    steps: list[Step] = field(default_factory=list)
    drafter: str = "extractive"
    fingerprint: str = ""
    degraded: str = ""
    thread: str | None = None
    turn: int = 0
    asked_as: str = ""
    news: tuple[Tone, ...] = ()

    @property
    def text(self) -> str:
        """The shipped sentences, joined."""
        return " ".join(f"{s.lead_in} {s.text}".strip() for s in self.sentences)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every quote the answer rests on, in order of first use: sentences, rules, brief."""
        return tuple(
            dict.fromkeys(
                c
                for part in (
                    self.sentences,
                    (t for r in self.rules for t in r.told),
                    self.brief.lines if self.brief else (),
                )
                for each in part
                for c in each.citations
            )
        )
