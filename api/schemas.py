"""Nouns of the program in, the public JSON of command line and HTTP out; a test holds both to the same shape.

Citations are numbered once per answer, in order of first use: the same [1] in the terminal, in JSON and in SSE.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent import reply
from agent.reply import Part, Reason, Speaker, Stage, Standing
from ingest import jobs
from ingest.catalog import Filters as CatalogFilters
from ingest.catalog import Held, LedgerRow
from ingest.document import Authority, DocType
from ingest.moment import parse_moment
from ingest.news import Kind, Precision
from sentiment import log
from sentiment.log import Logged, LoggedScore


def _moment(value: object) -> object:
    return parse_moment(value) if isinstance(value, str) else value


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    Field(
        description="An instant with its zone, or a day: what was known by its end in New York.",
        examples=["2025-01-15", "2025-01-15T09:30:00-05:00"],
    ),
]


Offset = Annotated[int, Field(ge=0, lt=2**63)]  # what SQLite counts to


class Form(BaseModel):
    """Read from our own nouns by attribute, and never changed."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Filters(Form):
    """What to look in; nothing given means everything held."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    doc_type: DocType | None = Field(default=None, description="Kind of document.")
    agency: str | None = Field(default=None, description="As the document names it.")
    authority: Authority | None = Field(default=None, description="Who speaks.")
    release: str | None = Field(default=None, examples=["34-51808"])
    cfr_section: str | None = Field(default=None, examples=["242.612"])
    company: str | None = Field(default=None, description="A part of the name.")
    form: str | None = Field(default=None, examples=["10-K"])
    document: str | None = Field(default=None, description="A document id.")

    def to_catalog(self) -> CatalogFilters | None:
        """The same for the catalog; None when nothing is asked for."""
        return CatalogFilters(**self.model_dump()) or None


class Budget(Form):
    """What a model may take for one answer; no more than the server's own limits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: float | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, ge=1, description="That it writes.")
    steps: int | None = Field(default=None, ge=1, description="Calls of models and tools.")


class AskRequest(Form):
    """A question, the moment it is asked as of, and what to look in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "question": "What is the minimum pricing increment for orders priced at $1.00 or more?",
                    "as_of": "2024-01-31",
                    "filters": {"cfr_section": "242.612"},
                }
            ]
        },
    )

    question: str = Field(min_length=1, max_length=2000)
    as_of: Moment | None = None
    filters: Filters = Filters()
    thread: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="'new' begins a conversation, an id goes on with one; none: a question by itself.",
        examples=["new"],
    )
    budget: Budget = Budget()


class Citation(Form):
    """A checked quote: `quote` is the stored text of the document at [start, end), `sha256` is that of the quote."""

    number: int
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
    force: str = Field(
        default="",
        description="Why its content was not simply in force on the day asked about; empty where nothing says so.",
        examples=[
            "proposed, not adopted",
            "adopted, not yet effective: effective December 9, 2024",
        ],
    )


class Sentence(Form):
    """One shipped sentence with the numbers of its citations; verbatim: the quote's own words, after `lead_in`."""

    text: str
    lead_in: str
    verbatim: bool
    citations: tuple[int, ...]


class Passage(Form):
    """A retrieved passage with its scores."""

    chunk_id: str
    document_id: str
    work_id: str
    start: int
    end: int
    text: str
    title: str
    reference: str
    authority: Authority
    doc_type: str
    section: str
    page: int | None
    known_at: datetime
    backfilled: bool
    score: float
    dense: float
    lexical: float


class Dropped(Form):
    """A drafted sentence that did not pass the gate, the point that stopped it, and why."""

    text: str
    point: str
    reason: str


class Step(Form):
    """What was done and how long it took."""

    name: str
    detail: str
    milliseconds: float


class Refusal(Form):
    """Why nothing was answered."""

    reason: Reason
    text: str


class RuleLine(Form):
    """One line of a rule's state, with the numbers of the quotes it rests on."""

    part: Part
    text: str = Field(description="What is said, with whose word it is.")
    line: str = Field(description="The same without whose word it is.")
    source: str = Field(
        description="'documents', or 'events file' for a fact written by hand, with its citation in the text."
    )
    inferred: bool = Field(description="It follows from the quotes, and is stated in none.")
    citations: tuple[int, ...]


class RuleStatus(Form):
    """What a rule that the answer concerns was on the day asked about."""

    section: str = Field(examples=["242.612"])
    on: date
    standing: Standing = Field(description="According to the documents alone.")
    standing_with_events_file: Standing
    held_through: date = Field(description="The day in 'according to the documents held, through'.")
    says: str = Field(description="The standing as a sentence.")
    lines: tuple[RuleLine, ...]


class BriefLine(Form):
    """One line of a brief with the numbers of its quotes."""

    label: str
    text: str
    citations: tuple[int, ...]


class Brief(Form):
    """What a change of a rule does; a part that is empty was not found in the documents."""

    section: str
    on: date
    says: str = Field(description="In force or not, as a sentence.")
    changes: tuple[BriefLine, ...] = Field(description="Before → after.")
    whom: tuple[BriefLine, ...] = Field(description="To whom or what it applies.")
    dates: tuple[BriefLine, ...] = Field(description="From when.")
    effects: tuple[BriefLine, ...] = Field(description="By microstructure variable.")
    open: tuple[BriefLine, ...] = Field(description="What the documents leave open.")


class Headline(Form):
    """A headline as its source wrote it; no quote of a document."""

    words: str
    source: str
    known_at: datetime
    sentiment: float = Field(description="Of what it says of the company: -1..1.")


class Tone(Form):
    """What news says of a company, in numbers of one state of the log; never a quote of a document."""

    symbol: str
    entity: str
    as_of: datetime
    since: datetime
    since_what: str = Field(description="What `since` was.")
    items: int = Field(description="Scored items since then.")
    all_items: bool = Field(description="Whether none was left out of the count.")
    mean: float | None = Field(description="Of what each says of the company: -1..1.")
    features: dict[str, float | None]
    status: dict[str, str]
    known_at: datetime | None = Field(
        description="Of the newest item that contributes to the features."
    )
    backfilled: bool
    model_versions: tuple[str, ...]
    receipt: dict[str, object] = Field(
        description="From it `regtape features verify` computes the features again."
    )
    headlines: tuple[Headline, ...]


class Answer(Form):
    """Sentences with citations, or a refusal; never both."""

    question: str
    as_of: datetime
    on: date | None = Field(
        default=None,
        description="The day asked about: that of the question's own words, else that of `as_of`.",
    )
    asked_by: str = Field(
        default="", description="Those words.", examples=["before the 2024 amendments"]
    )
    text: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    refusal: Refusal | None
    rules: tuple[RuleStatus, ...] = ()
    brief: Brief | None = None
    status: tuple[str, ...]
    not_found: tuple[str, ...]
    passages: tuple[Passage, ...]
    dropped: tuple[Dropped, ...]
    steps: tuple[Step, ...]
    drafter: str
    fingerprint: str
    degraded: str = Field(
        default="",
        description="Why less was done than was asked for; empty where nothing was left out.",
        examples=["the chat model did not answer (APITimeoutError); in the evidence's own words"],
    )
    thread: str | None = Field(default=None, description="The conversation it is a turn of.")
    turn: int = Field(default=0, description="Its place in the conversation, from 1.")
    news: tuple[Tone, ...] = ()
    asked_as: str = Field(
        default="",
        description="The question that was answered, where `question` left part of it to earlier turns.",
        examples=["And for stocks under a dollar, under Rule 612?"],
    )

    @classmethod
    def of(cls, answer: reply.Answer) -> Self:
        """The agent's answer with its citations numbered."""
        numbers = {c: number for number, c in enumerate(answer.citations, start=1)}
        return cls(
            question=answer.question,
            as_of=answer.as_of,
            on=answer.on,
            asked_by=answer.asked_by,
            text=answer.text,
            sentences=tuple(
                Sentence(
                    text=s.text,
                    lead_in=s.lead_in,
                    verbatim=s.verbatim,
                    citations=_marks(s.citations, numbers),
                )
                for s in answer.sentences
            ),
            citations=tuple(_citation(c, number) for c, number in numbers.items()),
            refusal=(
                Refusal(reason=answer.refusal, text=answer.refusal_text) if answer.refusal else None
            ),
            rules=tuple(_rule(rule, numbers) for rule in answer.rules),
            brief=_brief(answer.brief, numbers) if answer.brief else None,
            status=answer.status,
            not_found=answer.not_found,
            passages=tuple(Passage.model_validate(p) for p in answer.passages),
            dropped=tuple(Dropped.model_validate(d) for d in answer.dropped),
            steps=tuple(Step.model_validate(s) for s in answer.steps),
            drafter=answer.drafter,
            fingerprint=answer.fingerprint,
            degraded=answer.degraded,
            thread=answer.thread,
            turn=answer.turn,
            asked_as=answer.asked_as,
            news=tuple(Tone.model_validate(tone) for tone in answer.news),
        )


Numbers = dict[reply.Citation, int]


def _marks(cited: Iterable[reply.Citation], numbers: Numbers) -> tuple[int, ...]:
    return tuple(dict.fromkeys(numbers[c] for c in cited))


def _rule(rule: reply.RuleStatus, numbers: Numbers) -> RuleStatus:
    return RuleStatus(
        section=rule.section,
        on=rule.on,
        standing=rule.standing,
        standing_with_events_file=rule.with_file,
        held_through=rule.held_through,
        says=rule.says,
        lines=tuple(
            RuleLine(
                part=told.part,
                text=told.sentence(rule.held_through),
                line=told.line,
                source=told.source,
                inferred=told.inferred,
                citations=_marks(told.citations, numbers),
            )
            for told in rule.told
        ),
    )


def _brief(brief: reply.Brief, numbers: Numbers) -> Brief:
    def lines(found: Iterable[reply.BriefLine]) -> tuple[BriefLine, ...]:
        return tuple(
            BriefLine(label=x.label, text=x.text, citations=_marks(x.citations, numbers))
            for x in found
        )

    return Brief(
        section=brief.section,
        on=brief.on,
        says=brief.says,
        changes=lines(brief.changes),
        whom=lines(brief.whom),
        dates=lines(brief.dates),
        effects=lines(brief.effects),
        open=lines(brief.open),
    )


def _citation(citation: reply.Citation, number: int) -> Citation:
    values = {name: getattr(citation, name) for name in Citation.model_fields if name != "number"}
    return Citation(number=number, **values)


class ThreadRow(Form):
    """A conversation in a listing; title: the beginning of its first question."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    turns: int


class ThreadList(Form):
    """Conversations, the one last spoken in first."""

    threads: tuple[ThreadRow, ...]


class Turn(Form):
    """One question of a conversation and its answer. asked_as: empty where its words stand alone; as_of: null for now."""

    question: str
    asked_as: str
    as_of: datetime | None
    answer: Answer


class Thread(Form):
    """A conversation, its turns in order; also what an export holds."""

    id: str
    title: str
    turns: tuple[Turn, ...]


class SearchResult(Form):
    """Passages best first."""

    as_of: datetime
    passages: tuple[Passage, ...]


class Document(Form):
    """A held document, without its text. `offset` counts what was recorded and is the cursor of a listing."""

    id: str
    work_id: str
    version: int
    offset: int
    title: str
    reference: str
    doc_type: DocType
    authority: Authority
    agency: str | None
    release: str | None
    cfr_sections: tuple[str, ...]
    company: str | None
    form: str | None
    published_on: date | None
    effective_on: date | None
    compliance_on: date | None
    url: str | None
    path: str
    format: str
    pages: int
    characters: int
    sha256: str
    known_at: datetime
    known_basis: str
    backfilled: bool
    recorded_at: datetime

    @classmethod
    def of(cls, held: Held) -> Self:
        """The catalog's record, its metadata flattened to what listings show."""
        own = {name for name in cls.model_fields if hasattr(held, name)}
        values = {
            name: getattr(held if name in own else held.metadata, name) for name in cls.model_fields
        }
        return cls(**values)


class DocumentPage(Form):
    """One page of a listing; `next` is the `after` of the following one, null at the end."""

    documents: tuple[Document, ...]
    next: int | None


class Text(Form):
    """A span of a document's stored text; `characters` is the length of the whole text."""

    document_id: str
    start: int
    end: int
    characters: int
    text: str
    page: int | None = None
    printed: str | None = Field(default=None, description="The number printed on the page.")


class Reject(Form):
    """A file that became no document, why, and what can be done about it."""

    path: str
    reason: str
    message: str
    hint: str

    @classmethod
    def of(cls, row: LedgerRow) -> Self:
        """The ledger's row, for people."""
        return cls.model_validate(row)


class Problem(BaseModel):
    """An error as RFC 9457 tells it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: list[dict[str, str]] | None = Field(
        default=None, description="For a request that cannot be read: which part, and why."
    )


class OpenAIError(Form):
    """An error as OpenAI's clients read it."""

    message: str
    type: str = Field(examples=["invalid_request_error"])
    param: str | None
    code: str | None = Field(examples=["model_not_found"])


class OpenAIProblem(Problem):
    """The same error twice: as RFC 9457 tells it, and in `error` as OpenAI does."""

    error: OpenAIError


class Model(Form):
    """What a completion can name. drafter: who words its sentences, under the gate."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970; when the server started.")
    owned_by: str = "regtape"
    drafter: str


class Models(Form):
    """Models, as OpenAI lists them."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class Receipt(Form):
    """Names the log up to a record: `hash` is chained over all records to `offset`."""

    offset: int
    hash: str


class _Probabilities(Form):
    negative: float
    neutral: float
    positive: float
    sentiment: float = Field(description="Positive minus negative: -1..1.")
    novelty: float = Field(description="0 (a copy) .. 1 (nothing like it in the 24 hours before).")
    story: int = Field(description="Offset of the first item of the chain that it belongs to.")


class TargetScore(_Probabilities):
    """What an item says of one company."""

    entity: str = Field(description="Permanent id, through renames and reused tickers.")
    symbol: str
    relevance: float = Field(description="How much the item is about it: 0..1.")


class NewsScore(_Probabilities):
    """What a model says of an item: a record of its own, to be used from its own `known_at`."""

    offset: int
    model: str
    version: str = Field(description="Fingerprint of the model.")
    known_at: datetime
    backfilled: bool
    like: int | None = Field(description="Offset of the most similar earlier item of its chain.")
    targets: tuple[TargetScore, ...]

    @classmethod
    def of(cls, logged: LoggedScore) -> Self:
        """The log's record, with the sentiment of the whole and of each company."""
        score = logged.score
        own = {name: getattr(score, name) for name in cls.model_fields if hasattr(score, name)}
        return cls(
            **own
            | {
                "offset": logged.offset,
                "known_at": logged.known_at,
                "backfilled": logged.backfilled,
                "sentiment": score.positive - score.negative,
                "targets": tuple(_target(target) for target in score.targets),
            }
        )


def _target(target: log.TargetScore) -> TargetScore:
    values = asdict(target) | {"sentiment": target.positive - target.negative}
    return TargetScore(**values)


class News(Form):
    """A logged item with its scores, oldest record first; `known_at` is when a reader could have acted on it."""

    offset: int
    id: str
    source: str
    revision: int = Field(description="1, 2, … of this source and id.")
    kind: Kind
    refers_to: str | None = Field(description="The id that a correction or retraction is about.")
    headline: str
    body: str | None = Field(default=None, description="Where it was asked for.")
    symbols: tuple[str, ...] = Field(description="As the source gave them.")
    language: str
    url: str | None
    flags: tuple[str, ...]
    published_at: datetime = Field(description="The source's own stamp, to `precision`.")
    precision: Precision
    received_at: datetime | None
    known_at: datetime
    recorded_at: datetime
    backfilled: bool
    scores: tuple[NewsScore, ...]

    @classmethod
    def of(cls, logged: Logged, scores: Iterable[LoggedScore], *, body: bool = False) -> Self:
        """The log's records; without `body` the text below the headline is left out."""
        values = {
            name: getattr(logged if hasattr(logged, name) else logged.item, name)
            for name in cls.model_fields
            if name != "scores"
        }
        shown = tuple(NewsScore.of(score) for score in scores)
        return cls(**values | {"body": logged.item.body if body else None, "scores": shown})


class NewsPage(Form):
    """Items known by `as_of` in the log up to `receipt`; `next` is the `after` of the following page."""

    as_of: datetime
    receipt: Receipt
    items: tuple[News, ...]
    next: int | None = None


class NewsRow(Form):
    """A row of news as it comes in. Required: published_at, source, headline."""

    id: str | int | None = Field(
        default=None, description="The source's own; without it one is made of the content."
    )
    published_at: str | int | float = Field(
        description="A time with its zone, a day, or seconds since 1970."
    )
    source: str
    headline: str
    body: str = ""
    symbols: tuple[str, ...] = Field(
        default=(), description="AAPL, AAPL.O, NYSE:BAC, …; none: found in the text."
    )
    language: str = "en"
    received_at: str | None = None
    kind: Kind = Kind.ITEM
    refers_to: str | None = Field(
        default=None, description="The id that a correction or retraction is about."
    )
    url: str | None = None


class NewsAddedRow(Form):
    """What became of a row: recorded at `offset`, held there already, or a problem."""

    row: int = Field(description="Its line, or its place in a list, from 1.")
    status: Literal["new", "duplicate", "revision", "rejected"]
    id: str | None = None
    offset: int | None = None
    known_at: datetime | None = None
    flags: tuple[str, ...] | None = Field(
        default=None, description="Taken, but odd: future, midnight, …"
    )
    problem: Problem | None = None


class NewsAdded(Form):
    """What became of a request's rows, and of each."""

    new: int
    duplicate: int
    revision: int
    rejected: int
    rows: tuple[NewsAddedRow, ...]


class FeatureStated(Form):
    """What a feature is. empty: what null means; half_life: seconds; available: whether this program computes it yet."""

    name: str
    scope: str
    window: str
    meaning: str
    unit: str
    empty: str
    version: int
    half_life: float | None
    ddof: int | None
    available: bool


class FeatureSet(Form):
    """A named set of features; it changes only with its version."""

    name: str
    version: int
    meaning: str
    names: tuple[str, ...]


class FeatureCatalogue(Form):
    """Every feature. feature_version names the definitions of all; statuses: what a value can be."""

    feature_version: str
    statuses: dict[str, str]
    sets: tuple[FeatureSet, ...]
    features: tuple[FeatureStated, ...]


FeatureStatus = Literal["PRESENT", "EMPTY", "STALE", "UNKNOWN_SYMBOL"]


class FeatureReceipt(Form):
    """What a vector was computed from, enough to compute it again: `regtape features verify`."""

    offset: int
    hash: str
    symbol: str
    entity: str
    as_of: datetime
    view: str
    model: str | None
    latency: int
    features: str | tuple[str, ...]
    feature_version: str
    values: str = Field(description="SHA-256 of the values served.")
    rules: str | None = Field(
        default=None, description="State of the rule book, where a feature of it was read."
    )


class Freshness(Form):
    """How up to date a read is. watermark: everything known up to it had a score."""

    newest_known_at: datetime | None
    scoring_lag_seconds: float
    watermark: datetime


class FeatureVector(Form):
    """The features of one symbol as of one instant; null where there is nothing."""

    symbol: str
    entity: str = Field(description="The company that the symbol meant that day.")
    as_of: datetime
    known_at: datetime | None = Field(description="Of the newest item that contributes.")
    model_version: str | None
    feature_version: str
    values: dict[str, float | None]
    status: dict[str, FeatureStatus]
    freshness: Freshness
    backfilled: bool = Field(description="Whether any contributing item was loaded as history.")
    model_lookahead: bool | None = Field(
        description="Whether as_of is not after the day through which a model in use was trained; null: not stated."
    )
    receipt: FeatureReceipt


class FeatureVectors(Form):
    """The features of several symbols as of one instant, of one state of the log."""

    vectors: tuple[FeatureVector, ...]


class FeatureBlock(Form):
    """Rows of one symbol: for each of `as_of` a row of values and one of places in `statuses`."""

    symbol: str
    as_of: tuple[datetime, ...]
    known_at: tuple[datetime | None, ...]
    values: tuple[tuple[float | None, ...], ...]
    status: tuple[tuple[int, ...], ...]
    backfilled: tuple[bool, ...]
    model_lookahead: tuple[bool, ...] | None


class FeatureMatrix(Form):
    """The features of symbols at instants, of one state of the log, in blocks."""

    offset: int
    hash: str
    feature_version: str
    model_versions: tuple[str, ...]
    features: tuple[str, ...]
    rules: str | None = None
    statuses: tuple[FeatureStatus, ...]
    blocks: tuple[FeatureBlock, ...]


class Lag(BaseModel):
    """How far scoring is behind logging. A slow or missing scorer delays scores and loses no news, so it fails nothing."""

    scorer: str = Field(description="The model that scores what arrives; 'none': nothing is.")
    version: str | None = Field(description="Its fingerprint; null until it is open.")
    waiting: int | None = Field(
        description="Items without a score of that version; null until known."
    )
    oldest: datetime | None = Field(description="known_at of the first of them.")
    fault: str = Field(description="Why nothing is scored just now; empty while it is.")


class Health(BaseModel):
    """Names of the parts that answer, and of those that do not with the reason; and how far scoring of news is behind."""

    ok: tuple[str, ...]
    failing: dict[str, str]
    news: Lag


class JobProgress(Form):
    """How many files of a job there are, and what became of them so far."""

    done: int
    total: int | None = Field(description="Null until its folders have been looked through.")
    added: int
    unchanged: int = Field(description="Their bytes were held already.")
    rejected: int


class Job(Form):
    """Documents that are being brought in. state: done when each file was tried, whatever became of it."""

    id: str
    state: jobs.State
    message: str = Field(description="Why it failed.")
    names: tuple[str, ...] = Field(
        description="What was asked to be brought in; the first hundred."
    )
    created_at: datetime
    due_at: datetime
    every_seconds: float | None = Field(description="Repeated so long after it was due.")
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress

    @classmethod
    def of(cls, job: jobs.Job) -> Self:
        """The job without its files."""
        return cls(
            id=job.id, state=job.state, message=job.message, names=job.names[:100], created_at=job.created_at,
            due_at=job.due_at, every_seconds=job.every.total_seconds() if job.every else None,
            started_at=job.started_at, ended_at=job.ended_at,
            progress=JobProgress(
                done=job.done, total=job.total, added=job.added, unchanged=job.unchanged, rejected=job.rejected
            ),
        )  # fmt: skip


class JobFile(Form):
    """What became of one file."""

    number: int
    kind: jobs.Kind
    name: str
    result: jobs.Result
    document_id: str | None = Field(description="Of the one document that the file is.")
    documents: int = Field(description="Documents in the file.")
    reason: str = Field(
        description="Why it was rejected, as a code.", examples=["damaged", "time", "address"]
    )
    message: str
    hint: str


class JobFiles(Job):
    """A job with its files, or a page of them."""

    files: tuple[JobFile, ...]
    next: int | None


class JobPage(Form):
    """Jobs, the newest first."""

    jobs: tuple[Job, ...]
    next: int | None
    fault: str = Field(description="Why no job is run just now; empty while nothing hinders.")
