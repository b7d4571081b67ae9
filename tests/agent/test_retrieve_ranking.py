"""The ranking is the plain one: what is done for speed, and what is cached, changes none of it."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import retrieve as module
from agent.retrieve import (
    BESIDE_WEIGHT,
    CALLING_WEIGHT,
    DENSE_SHARE,
    Scores,
    _top,
    _varied,
    retrieve,
)
from ingest.catalog import Arrival, Catalog
from ingest.document import Authority, Chunk, DocType, Document, Kind, Metadata, Section
from ingest.embed import open_embedder
from ingest.index import _B, _HEADING_WEIGHT, _K1, Cut, Index
from ingest.tokens import query_pairs, query_terms, terms

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["tick", "cap", "fee", "rule", "quote", "depth", "spread", "lamp", "harbour", "T+1"]
PASSAGE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
HASHING = open_embedder("hashing")


def put(
    catalog: Catalog, index: Index, parts: list[str], *, day: int = 1, notes: Mapping[int, int] = {}
) -> None:
    """A document of these parts, each a section and a chunk. notes: which parts are notes → the part that calls each."""
    text, sections, chunks = "", [], []
    for number, part in enumerate(parts):
        start, text = len(text), f"{text}{part}\n"
        kind = Kind.FOOTNOTE if number in notes else Kind.BODY
        sections.append((start, start + len(part), kind))
        chunks.append(Chunk(number, start, start + len(part), number, f"Part {number}", kind))
    spans = tuple(
        Section(a, b, (f"Part {n}",), kind, None, sections[notes[n]][0] if n in notes else None)
        for n, (a, b, kind) in enumerate(sections)
    )
    metadata = Metadata(title="Note", doc_type=DocType.NOTICE, authority=Authority.OFFICIAL_TEXT)
    digest = sha256(f"{text}{day}".encode()).hexdigest()
    document = Document(text, "text", spans, (), metadata)
    (held,) = catalog.record(
        [Arrival(document, digest, "n.txt", START + timedelta(days=day), "stated", ())]
    )
    index.add([Cut(held, text, chunks, HASHING.embed(parts))])


def opened(home: Path) -> tuple[Catalog, Index]:
    catalog = Catalog(home, clock=lambda: START + timedelta(days=1000))
    return catalog, Index(catalog, "test", HASHING.dimensions)


def spread(found: list[float], among: list[float]) -> list[float]:
    low, high = min(among), max(among)
    return [(x - low) / (high - low) if high > low else 0.0 for x in found]


def plain(documents: list[list[str]], question: str) -> list[float]:
    """What each passage scores, from the formulas alone: lists and loops, nothing skipped, nothing kept."""
    parts = [part for document in documents for part in document]
    bodies = [terms(part) for part in parts]
    headings = [terms(f"Note  Part {n}") for document in documents for n in range(len(document))]
    mean = max(sum(map(len, bodies)) / len(bodies), 1.0)
    weights: dict[str | tuple[str, str], float] = dict.fromkeys(query_terms(question), 1.0)
    weights |= dict.fromkeys(query_pairs(question), module.PAIR_WEIGHT)
    lexical = [0.0] * len(parts)
    for what, weight in weights.items():
        often = [
            Counter(body)[what] + _HEADING_WEIGHT * Counter(heading)[what]
            if isinstance(what, str)
            else float(Counter(pairwise(body))[what])
            for body, heading in zip(bodies, headings, strict=True)
        ]
        n = sum(each > 0 for each in often)
        idf = math.log(1 + (len(parts) - n + 0.5) / (n + 0.5))
        for at, each in enumerate(often):
            norm = _K1 * (1 - _B + _B * len(bodies[at]) / mean)
            lexical[at] += weight * idf * each * (_K1 + 1) / (each + norm)
    asked = HASHING.embed([question])[0].astype(float)
    dense = [float(vector @ asked) for vector in HASHING.embed(parts).astype(float)]
    both = [
        DENSE_SHARE * d + (1 - DENSE_SHARE) * w
        for d, w in zip(spread(dense, dense), spread(lexical, lexical), strict=True)
    ]
    ends = [len(document) for document in documents]
    place = [n for size in ends for n in range(size)]
    size = [size for size in ends for _ in range(size)]
    return [
        own
        + BESIDE_WEIGHT
        * max(
            both[at - 1] if place[at] else 0.0,
            both[at + 1] if place[at] + 1 < size[at] else 0.0,
        )
        for at, own in enumerate(both)
    ]


@given(
    documents=st.lists(
        st.lists(PASSAGE, min_size=1, max_size=4), min_size=1, max_size=8, unique_by=tuple
    ),
    later=st.lists(st.lists(PASSAGE, min_size=1, max_size=4), max_size=3, unique_by=tuple),
    question=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_fused_scores_are_those_of_the_plain_formulas_whatever_is_known_later(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[list[str]],
    later: list[list[str]],
    question: str,
) -> None:
    catalog, index = opened(tmp_path_factory.mktemp("home"))
    for document in documents:
        put(catalog, index, document)
    for document in later:
        put(catalog, index, document, day=9)
    index.refresh()
    weights = dict.fromkeys(query_terms(question), 1.0)
    pairs = dict.fromkeys(query_pairs(question), module.PAIR_WEIGHT)
    for _ in range(2):  # the second time from what is kept
        view = index.view(START + timedelta(days=2))
        scores = Scores(
            index.dense(HASHING.embed([question])[0], view), index.lexical(weights, view, pairs)
        )
        rows = scores.candidates(view)
        fused = scores.fused(rows, index.around(rows), index.calling(rows))

        assert rows.tolist() == list(range(sum(map(len, documents))))
        assert fused == pytest.approx(plain(documents, question), abs=1e-5)


@given(scores=st.lists(st.integers(-3, 40), min_size=1, max_size=700), take=st.integers(1, 150))
def test_the_best_are_those_that_sorting_finds_and_what_ties_with_the_last(
    scores: list[int], take: int
) -> None:
    found = _top(np.array(scores, np.float64), take).tolist()

    if take >= len(scores):
        assert found == list(range(len(scores)))
    else:
        last = sorted(scores, reverse=True)[take - 1]
        assert found == [at for at, each in enumerate(scores) if each >= last][: 4 * take]


def test_a_footnote_gains_by_what_calls_it(tmp_path: Path) -> None:
    catalog, index = opened(tmp_path)
    parts = ["lamp harbour", "quote depth", "the very same note", "the very same note"]
    put(catalog, index, parts, notes={2: 0, 3: 1})
    index.refresh()
    view = index.view(START + timedelta(days=2))
    scores = Scores(
        index.dense(HASHING.embed(["lamp harbour"])[0], view),
        index.lexical(dict.fromkeys(query_terms("lamp harbour"), 1.0), view),
    )
    rows = np.arange(4)
    alone = np.full((4, 2), -1)

    assert index.calling(rows).tolist() == [-1, -1, 0, 1]
    own, called = (
        scores.fused(rows, alone, each) for each in (np.full(4, -1), index.calling(rows))
    )
    assert called[2] - own[2] == pytest.approx(CALLING_WEIGHT * own[0])
    assert own[2] == own[3]
    assert called[2] > called[3]


def test_an_index_written_before_notes_knew_their_callers_learns_them_when_opened(
    tmp_path: Path,
) -> None:
    catalog, index = opened(tmp_path)
    put(catalog, index, ["lamp harbour", "quote depth", "a note"], notes={2: 1})
    index._db.executescript("DROP TABLE calls; PRAGMA user_version=0;")
    index.close()

    again = Index(catalog, "test", HASHING.dimensions)
    again.refresh()

    assert again.calling(np.arange(3)).tolist() == [-1, -1, 1]


def test_what_says_the_same_as_a_better_passage_stands_behind_what_says_something_else(
    tmp_path: Path,
) -> None:
    catalog, index = opened(tmp_path)
    put(catalog, index, ["lamp harbour tick", "lamp harbour tick cap", "spread depth"])
    index.refresh()
    first, copy, other = index.rows([0, 1, 2])

    order = _varied([(0.9, first), (0.8, copy), (0.78, other)], index)

    assert [row for _, row in order] == [first, other, copy]
    assert [score for score, _ in order] == [0.9, 0.78, 0.78]


def test_a_paragraph_is_read_with_the_lead_in_above_it(tmp_path: Path) -> None:
    catalog, index = opened(tmp_path)
    lead = "(c) No exchange shall charge a fee for a lamp that exceeds:"
    text = f"{lead}\n(1) one cent at night; or\n(2) two cents by day."
    starts = [0, text.index("(1)"), text.index("(2)"), len(text) + 1]
    path = "§ 242.999 Lamps"
    labels = ["(c)", "(c)(1)", "(c)(2)"]
    sections = tuple(
        Section(a, b - 1, (path,), Kind.RULE_TEXT, label)
        for a, b, label in zip(starts, starts[1:], labels, strict=False)
    )
    metadata = Metadata(title=path, doc_type=DocType.REGULATION, authority=Authority.OFFICIAL_TEXT)
    (held,) = catalog.record(
        [
            Arrival(
                Document(text, "text", sections, (), metadata), "00", "n.txt", START, "stated", ()
            )
        ]
    )
    chunks = [
        Chunk(n, s.start, s.end, n, f"{path} › {s.label}", Kind.RULE_TEXT, s.label)
        for n, s in enumerate(sections)
    ]
    index.add([Cut(held, text, chunks, HASHING.embed([text[c.start : c.end] for c in chunks]))])
    index.refresh()

    evidence = retrieve(
        "two cents by day",
        as_of=START + timedelta(days=2),
        k=1,
        catalog=catalog,
        index=index,
        embedder=HASHING,
    )

    assert [passage.text for passage in evidence.passages] == [text]
