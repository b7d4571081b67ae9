"""Files in, indexed documents out: THE FLOW of ingest: read → parse → record → read rule events and
impacts → chunk → embed → index.

Every step can be killed at any instruction and the same command finishes the work: documents and
their ledger rows are recorded in one transaction, what is recorded but not indexed is found by
`complete`, and each write is a no-op the second time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from ingest.catalog import Arrival, Catalog, Held, LedgerRow
from ingest.chunk import ChunkSettings, chunk
from ingest.document import Chunk, Document, Kind
from ingest.embed import Embedder
from ingest.index import Cut, Index
from ingest.metadata import identifiers, public_moment
from ingest.moment import parse_moment
from ingest.parse.worker import Failed, Job, Parsed, ParseWorkers, Part
from ingest.rules.held import derive
from ingest.rules.stated import read_impacts

# Embedded and committed together: few commits for many small files, little lost to a kill.
GROUP_CHARACTERS = 400_000
GROUP_FILES = 64

NOT_DOCUMENTS = {"manifest.jsonl", ".DS_Store", "Thumbs.db"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: where it lies, what it is called in ledger and citations, what the manifest
    says of it.
    """

    path: Path
    name: str
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """What a run did. rejected: ledger rows with reason and hint, those rejected by an earlier run
    for the same reason included.
    """

    files: int = 0
    added: int = 0
    unchanged: int = 0
    duplicates: int = 0
    chunks: int = 0
    pages: int = 0
    seconds: float = 0.0
    rejected: list[LedgerRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands, told after every file and every commit."""

    done: int
    total: int
    name: str
    pages: int
    chunks: int


def sources(
    paths: Iterable[Path], manifest: Mapping[str, Mapping[str, str]] | None = None
) -> list[Source]:
    """Files named, and all files below folders named, in a fixed order; hidden ones and manifests
    are left out.
    """
    rows = manifest or {}
    found: dict[Path, Source] = {}
    for root in paths:
        folder = root if root.is_dir() else root.parent
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            name = path.relative_to(folder).as_posix()
            if (
                path.is_file()
                and path.name not in NOT_DOCUMENTS
                and not any(p.startswith(".") for p in Path(name).parts)
            ):
                found.setdefault(path.resolve(), Source(path, name, rows.get(name, {})))
    return list(found.values())


def ingest(
    files: Sequence[Source],
    *,
    catalog: Catalog,
    index: Index,
    embedder: Embedder,
    workers: ParseWorkers,
    settings: ChunkSettings,
    known_at: datetime | None = None,
    retry: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Report:
    """Bring files into catalog and index.

    known_at: overrides each document's own public moment (DESIGN, "one clock"). retry: try again
    what was rejected before under the same limits; without it, it is only reported again.
    """
    started, report = time.monotonic(), Report(files=len(files))
    complete(catalog, index, embedder, settings)
    budget = workers.limits.fingerprint
    digests = {s.name: hash_file(s.path) for s in files}
    fresh = [s for s in files if _is_new(s, digests[s.name], catalog, report, budget, retry)]
    done = len(files) - len(fresh)
    outcomes = workers.parse_all([Job(s.path, s.name, s.given) for s in fresh])
    for group, rejected in _groups(outcomes):
        for failed in rejected:
            report.rejected.append(_reject(failed, digests[failed.job.name], catalog, budget))
        held = _record(group, digests, catalog, known_at, report)
        report.chunks += _index(held, catalog, index, embedder, settings)
        report.pages += sum(parsed.pages for parsed in group)
        done += len(group) + len(rejected)
        last = (group or rejected)[-1].job.name
        progress(Progress(done, len(files), last, report.pages, report.chunks))
    report.seconds = time.monotonic() - started
    return report


def complete(
    catalog: Catalog,
    index: Index,
    embedder: Embedder,
    settings: ChunkSettings,
    progress: Callable[[int, int], None] = lambda _a, _b: None,
) -> int:
    """Index what the catalog holds and this cutting lacks (a killed run, a new cutting, a repair);
    returns passages added.
    """
    lacking = set(index.lacking())
    waiting = [held for held in catalog.documents() if held.offset in lacking] if lacking else []
    added = 0
    for at in range(0, len(waiting), 16):
        added += _index(waiting[at : at + 16], catalog, index, embedder, settings)
        progress(min(at + 16, len(waiting)), len(waiting))
    index.catch_up()
    return added


def passage_for_embedding(held: Held, context: str, text: str) -> str:
    """What a passage's vector is made of: title and heading path say what it is about, its own
    words what it says.
    """
    return f"{held.title[:72]} › {context[-96:]}\n{text}"


def _is_new(
    source: Source, digest: str, catalog: Catalog, report: Report, budget: str, retry: bool
) -> bool:
    row = catalog.ledger_of(source.name, digest)
    if row and row.status == "held":
        report.unchanged += 1
        return False
    if row and row.status == "rejected" and row.budget == budget and not retry:
        report.rejected.append(row)
        return False
    if catalog.holds_bytes(digest):
        if row is None:
            catalog.note(LedgerRow(source.name, digest, "duplicate"))
        report.duplicates += 1
        return False
    return True


def _groups(outcomes: Iterable[Parsed | Failed]) -> Iterator[tuple[list[Parsed], list[Failed]]]:
    """Outcomes in groups worth one commit: what was parsed, and what was not."""
    parsed: list[Parsed] = []
    failed: list[Failed] = []
    characters = 0
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            failed.append(outcome)
        else:
            parsed.append(outcome)
            characters += sum(len(part.document.text) for part in outcome.parts)
        if characters >= GROUP_CHARACTERS or len(parsed) + len(failed) >= GROUP_FILES:
            yield parsed, failed
            parsed, failed, characters = [], [], 0
    if parsed or failed:
        yield parsed, failed


def _reject(failed: Failed, digest: str, catalog: Catalog, budget: str) -> LedgerRow:
    row = LedgerRow(
        failed.job.name,
        digest,
        "rejected",
        failed.reason,
        failed.message,
        failed.hint,
        budget=budget,
        seconds=failed.seconds,
    )
    catalog.note(row)
    return row


def _record(
    group: Sequence[Parsed],
    digests: Mapping[str, str],
    catalog: Catalog,
    known_at: datetime | None,
    report: Report,
) -> list[Held]:
    arrivals = [_arrival(parsed, part, known_at) for parsed in group for part in parsed.parts]
    ledger = [_held_row(parsed, digests[parsed.job.name]) for parsed in group]
    before = catalog.head()
    held = catalog.record(arrivals, ledger)
    fresh = [h for h in held if h.offset > before]
    derive(catalog, fresh)
    read_impacts(catalog, fresh)
    report.added += len({h.offset for h in held if h.offset > before})
    return held


def _arrival(parsed: Parsed, part: Part, known_at: datetime | None) -> Arrival:
    retrieved_at = parsed.job.given.get("retrieved_at")
    public, basis = public_moment(
        part.document.metadata, parse_moment(retrieved_at) if retrieved_at else None
    )
    if known_at is not None:
        public, basis = known_at, "stated"
    names = identifiers(part.document.metadata)
    return Arrival(part.document, part.sha256, part.name, public, basis, names)


def _held_row(parsed: Parsed, digest: str) -> LedgerRow:
    warnings = dict.fromkeys(w for part in parsed.parts for w in part.document.warnings)
    return LedgerRow(
        parsed.job.name,
        digest,
        "held",
        warnings="; ".join(warnings)[:2000],
        documents=len(parsed.parts),
        pages=parsed.pages,
        seconds=parsed.seconds,
    )


def _index(
    held: Sequence[Held],
    catalog: Catalog,
    index: Index,
    embedder: Embedder,
    settings: ChunkSettings,
) -> int:
    cut: list[tuple[Held, str, list[Chunk]]] = []
    words: list[str] = []
    for one in {h.offset: h for h in held}.values():
        text, sections, pages = catalog.body(one.id)
        document = Document(text, one.format, sections, pages, one.metadata)
        chunks = [
            c
            for c in chunk(document, embedder.count_tokens, settings)
            if c.kind is not Kind.CONTENTS
        ]
        cut.append((one, text, chunks))
        words += [passage_for_embedding(one, c.context, text[c.start : c.end]) for c in chunks]
    vectors = embedder.embed(words) if words else np.empty((0, embedder.dimensions), np.float32)
    cuts, at = [], 0
    for one, text, chunks in cut:
        cuts.append(Cut(one, text, chunks, vectors[at : at + len(chunks)]))
        at += len(chunks)
    index.add(cuts)
    return at


def hash_file(path: Path) -> str:
    """SHA-256 of its bytes."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
