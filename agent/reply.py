"""The nouns of an answer: Passage, Citation, Sentence, Answer."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ingest.document import Authority
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


@dataclass(slots=True)
class Answer:
    """Sentences with citations, or a refusal with its reason; never both.

    status     lines on the rules concerned, each ending "according to the documents held, through
               DATE"
    not_found  parts of the question nothing was found for
    passages   what was retrieved, best first (at least ten where there are ten)
    """

    question: str
    as_of: datetime
    sentences: tuple[Sentence, ...] = ()
    refusal: Reason | None = None
    refusal_text: str = ""
    status: tuple[str, ...] = ()
    not_found: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    steps: list[Step] = field(default_factory=list)
    drafter: str = "extractive"
    fingerprint: str = ""

    @property
    def text(self) -> str:
        """The shipped sentences, joined."""
        return " ".join(f"{s.lead_in} {s.text}".strip() for s in self.sentences)
