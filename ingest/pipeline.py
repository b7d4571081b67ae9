"""Files in, indexed documents out: THE FLOW of ingest: read → parse → record → chunk → embed → index.

Every step can be killed at any instruction and the same command finishes the work: documents and their ledger rows are
recorded in one transaction, what is recorded but not indexed is found by `complete`, and each write is a no-op the
second time.
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
from ingest.parse.worker import Failed, Job, Parsed, ParseWorkers

GROUP_CHUNKS = 384  # embedded and committed together: few commits for many small files, little lost to a kill
GROUP_FILES = 64

NOT_DOCUMENTS = {"manifest.jsonl", ".DS_Store", "Thumbs.db"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: where it lies, what it is called in ledger and citations, what the manifest says of it."""

    path: Path
    name: str
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Report:
    """What a run did. rejected: ledger rows with reason and hint, those rejected by an earlier run for the same reason included."""

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


def sources(paths: Iterable[Path], manifest: Mapping[str, Mapping[str, str]] | None = None) -> list[Source]:
    """Files named, and all files below folders named, in a fixed order; hidden ones and manifests are left out."""
    rows = manifest or {}
    found: dict[Path, Source] = {}
    for root in paths:
        folder = root if root.is_dir() else root.parent
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            name = path.relative_to(folder).as_posix()
            if path.is_file() and path.name not in NOT_DOCUMENTS and not any(p.startswith(".") for p in Path(name).parts):
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
    """Bring files into catalog and index. `known_at` overrides each document's own public moment (see DESIGN, one clock)."""
    started, report = time.monotonic(), Report(files=len(files))
    complete(catalog, index, embedder, settings)
    fresh = [Job(s.path, s.name, s.given) for s in files if _is_new(s, catalog, report, workers.limits.fingerprint, retry)]
    done = report.files - len(fresh)
    for group in _groups(workers.parse_all(fresh), catalog, report, workers.limits.fingerprint):
        held = _record(group, catalog, known_at, report)
        report.chunks += _index(held, catalog, index, embedder, settings)
        report.pages += sum(parsed.pages for parsed in group)
        done += len(group)
        progress(Progress(done + len(report.rejected), report.files, group[-1].job.name, report.pages, report.chunks))
    report.seconds = time.monotonic() - started
    return report


def complete(
    catalog: Catalog, index: Index, embedder: Embedder, settings: ChunkSettings, progress: Callable[[int, int], None] = lambda _a, _b: None
) -> int:
    """Index what the catalog holds and this cutting lacks (a killed run, a new cutting, a repair); returns passages added."""
    lacking = set(index.lacking())
    waiting = [held for held in catalog.documents() if held.offset in lacking] if lacking else []
    added = 0
    for at in range(0, len(waiting), 16):
        added += _index(waiting[at : at + 16], catalog, index, embedder, settings)
        progress(min(at + 16, len(waiting)), len(waiting))
    index.catch_up()
    return added


def passage_for_embedding(held: Held, context: str, text: str) -> str:
    """What a passage's vector is made of: title and heading path say what it is about, its own words what it says."""
    return f"{held.title[:120]} › {context[-160:]}\n{text}"


def _is_new(source: Source, catalog: Catalog, report: Report, budget: str, retry: bool) -> bool:
    digest = _hash_file(source.path)
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


def _groups(
    outcomes: Iterable[Parsed | Failed], catalog: Catalog, report: Report, budget: str
) -> Iterator[list[Parsed]]:
    """Parsed files in groups worth one commit; failures go to the ledger as they come."""
    group: list[Parsed] = []
    weight = 0
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            row = LedgerRow(
                outcome.job.name, outcome.sha256, "rejected", outcome.reason, outcome.message, outcome.hint,
                budget=budget, seconds=outcome.seconds,
            )  # fmt: skip
            catalog.note(row)
            report.rejected.append(row)
            continue
        group.append(outcome)
        weight += sum(len(part.document.text) for part in outcome.parts) // 900
        if weight >= GROUP_CHUNKS or len(group) >= GROUP_FILES:
            yield group
            group, weight = [], 0
    if group:
        yield group


def _record(group: Sequence[Parsed], catalog: Catalog, known_at: datetime | None, report: Report) -> list[Held]:
    arrivals: list[Arrival] = []
    ledger: list[LedgerRow] = []
    for parsed in group:
        for part in parsed.parts:
            given = parsed.job.given.get("retrieved_at")
            moment, basis = public_moment(part.document.metadata, parse_moment(given) if given else None)
            if known_at is not None:
                moment, basis = known_at, "stated"
            arrivals.append(Arrival(part.document, part.sha256, part.name, moment, basis, identifiers(part.document.metadata)))
        warnings = "; ".join(dict.fromkeys(w for part in parsed.parts for w in part.document.warnings))
        ledger.append(
            LedgerRow(
                parsed.job.name, parsed.sha256, "held", warnings=warnings[:2000], documents=len(parsed.parts),
                pages=parsed.pages, seconds=parsed.seconds,
            )  # fmt: skip
        )
    before = catalog.head()
    held = catalog.record(arrivals, ledger)
    report.added += sum(h.offset > before for h in held)
    return held


def _index(held: Sequence[Held], catalog: Catalog, index: Index, embedder: Embedder, settings: ChunkSettings) -> int:
    cut: list[tuple[Held, str, list[Chunk]]] = []
    words: list[str] = []
    for one in {h.offset: h for h in held}.values():
        text, sections, pages = catalog.body(one.id)
        document = Document(text, one.format, sections, pages, one.metadata)
        chunks = [c for c in chunk(document, embedder.count_tokens, settings) if c.kind is not Kind.CONTENTS]
        cut.append((one, text, chunks))
        words += [passage_for_embedding(one, c.context, text[c.start : c.end]) for c in chunks]
    vectors = embedder.embed(words) if words else np.empty((0, embedder.dimensions), np.float32)
    cuts, at = [], 0
    for one, text, chunks in cut:
        cuts.append(Cut(one, text, chunks, vectors[at : at + len(chunks)]))
        at += len(chunks)
    index.add(cuts)
    return at


def _hash_file(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
