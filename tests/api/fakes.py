"""A small home with three documents, and an agent that answers from a list: what HTTP tests run against."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from agent.budget import Budget
from agent.reply import Answer, Citation, Passage, Reason, Sentence, Speaker, Stage, Step
from api.services import Services
from api.settings import Settings
from ingest.catalog import Arrival, Catalog, Filters
from ingest.document import Authority, DocType, Document, Metadata, Page, Section
from ingest.errors import RegTapeError

LAMP = "A lamp rule.\n\nEach venue must keep one lamp lit.\n\nThe lamp may be green."
OLD, NEW = datetime(2020, 1, 2, tzinfo=UTC), datetime(2024, 3, 4, tzinfo=UTC)


def a_document(text: str, title: str, doc_type: DocType, section: str) -> Document:
    middle = text.index("\n\n") + 2
    return Document(
        text=text,
        format="text",
        sections=(Section(0, middle, ()), Section(middle, len(text), ("I. Lamps",))),
        pages=(Page(1, 0, middle, "100"), Page(2, middle, len(text), "101")),
        metadata=Metadata(
            title=title, doc_type=doc_type, agency="Lamp Office", authority=Authority.OFFICIAL_TEXT,
            cfr_sections=(section,), published_on=date(2020, 1, 2),
        ),
    )  # fmt: skip


def an_arrival(
    text: str, title: str, doc_type: DocType, section: str, known_at: datetime
) -> Arrival:
    digest = sha256(text.encode()).hexdigest()
    document = a_document(text, title, doc_type, section)
    return Arrival(document, digest, f"{title}.txt", known_at, "release date", [("test", title)])


def fill(catalog: Catalog) -> None:
    catalog.record(
        [
            an_arrival(LAMP, "Lamps", DocType.FINAL_RULE, "1.1", OLD),
            an_arrival(LAMP + " Or blue.", "Lamps anew", DocType.PROPOSED_RULE, "1.1", NEW),
            an_arrival("A bell rule.\n\nRing it.", "Bells", DocType.FINAL_RULE, "2.2", NEW),
        ]
    )


def an_answer(catalog: Catalog, words: str = "Each venue must keep one lamp lit.") -> Answer:
    """What the agent would say of the first document, truly cited."""
    held = catalog.documents()[0]
    start = catalog.text(held.id).index(words)
    citation = Citation(
        document_id=held.id, title=held.title, reference=held.reference, authority=held.authority,
        section="I. Lamps", page=2, start=start, end=start + len(words), quote=words,
        sha256=sha256(words.encode()).hexdigest(), speaker=Speaker.COMMISSION, stage=Stage.ADOPTED,
        known_at=held.known_at, backfilled=held.backfilled,
    )  # fmt: skip
    return Answer(
        "How many lamps?", NEW, (Sentence(words, (citation,), True),), passages=(a_passage(catalog),),
        status=("Lamps is a final rule, according to the documents held, through 2024-03-04.",),
    )  # fmt: skip


def a_passage(catalog: Catalog) -> Passage:
    held = catalog.documents()[0]
    text = catalog.text(held.id)[14:]
    return Passage(
        chunk_id=f"{held.id}#1", document_id=held.id, work_id=held.work_id, start=14, end=len(LAMP),
        text=text, title=held.title, reference=held.reference, authority=held.authority,
        doc_type=held.doc_type, section="I. Lamps", page=2, known_at=held.known_at,
        backfilled=held.backfilled, score=0.75, dense=0.5, lexical=3.5,
    )  # fmt: skip


@dataclass
class FakeAgent:
    """Answers the question about lamps, refuses others, fails when told to; `asked` keeps what it was asked."""

    catalog: Catalog
    error: Exception | None = None
    asked: list[tuple[str, datetime | None, Filters | None]] = field(default_factory=list)

    def ask(
        self,
        question: str,
        *,
        as_of: datetime | None = None,
        filters: Filters | None = None,
        on_step: Callable[[Step], None] = lambda _: None,
        budget: Budget | None = None,
    ) -> Answer:
        self.asked.append((question, as_of, filters))
        if self.error:
            raise self.error
        step = Step("retrieve", "1 passage", 1.5)
        on_step(step)
        if "lamp" not in question:
            return Answer(
                question, as_of or NEW, refusal=Reason.NOT_FOUND, refusal_text="The documents do not say.",
                passages=(a_passage(self.catalog),), steps=[step],
            )  # fmt: skip
        answer = an_answer(self.catalog)
        answer.steps.append(step)
        return answer

    def search(
        self,
        query: str,
        *,
        k: int = 10,
        as_of: datetime | None = None,
        filters: Filters | None = None,
    ) -> tuple[Passage, ...]:
        self.asked.append((query, as_of, filters))
        return (a_passage(self.catalog),)[:k] if "lamp" in query else ()


class FakeIndex:
    """Refreshes, or fails to."""

    error: RegTapeError | None = None

    def refresh(self) -> None:
        if self.error:
            raise self.error


class FakeEmbedder:
    """One vector for everything."""

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        return np.ones((len(texts), 1), np.float32)


@contextmanager
def fake_services(home: Path) -> Iterator[Services]:
    with Catalog(home) as catalog:
        fill(catalog)
        yield Services(
            settings=Settings(home=home),
            catalog=catalog,
            index=cast(Any, FakeIndex()),
            embedder=cast(Any, FakeEmbedder()),
            agent=cast(Any, FakeAgent(catalog)),
        )
