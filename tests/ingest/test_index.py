"""As-of ranking is exact: the same scores to the bit whatever is appended, and the scores of the
plain formula.
"""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.catalog import Arrival, Catalog, Filters
from ingest.document import Authority, Chunk, DocType, Document, Metadata, Section
from ingest.index import _B, _HEADING_WEIGHT, _K1, Cut, Index
from ingest.tokens import query_pairs, query_terms, terms
from ingest.vectors import ChromaVectors

START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["tick", "cap", "fee", "rule", "quote", "depth", "spread", "242.612(b)(1)", "$0.005", "T+1"]
DIMENSIONS = 16


def put(catalog: Catalog, index: Index, texts: list[str], *, day: int, agency: str = "SEC") -> None:
    """One document per text, known on that day, one chunk each; vectors from the text's hash."""
    arrivals = []
    for text in texts:
        metadata = Metadata(
            title="Note", doc_type=DocType.NOTICE, authority=Authority.OFFICIAL_TEXT, agency=agency
        )
        document = Document(text, "text", (Section(0, len(text)),), (), metadata)
        digest = sha256(f"{text}{day}{agency}".encode()).hexdigest()
        arrivals.append(
            Arrival(document, digest, "n.txt", START + timedelta(days=day), "stated", ())
        )
    held = catalog.record(arrivals)
    index.add(
        [
            Cut(h, t, [Chunk(0, 0, len(t), 0, "")], vector(t)[np.newaxis])
            for h, t in zip(held, texts, strict=True)
        ]
    )


def vector(text: str) -> np.ndarray:
    rng = np.random.default_rng(int.from_bytes(sha256(text.encode()).digest()[:4]))
    v = rng.standard_normal(DIMENSIONS).astype(np.float32)
    return v / np.linalg.norm(v)


@pytest.fixture(name="catalog")
def _catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path, clock=lambda: START + timedelta(days=1000))


@given(
    past=st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
        min_size=1,
        max_size=20,
    ),
    future=st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
        min_size=1,
        max_size=20,
    ),
    question=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_becomes_known_later_changes_no_score_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, past: list[str], future: list[str], question: str
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("home"), clock=lambda: START + timedelta(days=1000))
    index = Index(catalog, "test", DIMENSIONS)
    put(catalog, index, past, day=1)
    index.refresh()
    as_of, weights = START + timedelta(days=2), dict.fromkeys(query_terms(question), 1.0)
    before = index.view(as_of)
    pairs = dict.fromkeys(query_pairs(question), 0.5)
    dense, lexical = index.dense(vector(question), before), index.lexical(weights, before, pairs)

    put(catalog, index, future, day=3)
    index.refresh()
    after = index.view(as_of)

    assert index.dense(vector(question), after)[: len(dense)].tobytes() == dense.tobytes()
    again = index.lexical(weights, after, pairs)
    assert again[: len(dense)].tobytes() == lexical.tobytes()
    assert not after.mask[len(dense) :].any()


@given(
    texts=st.lists(
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
        min_size=1,
        max_size=15,
    ),
    question=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_lexical_scores_are_those_of_the_plain_formula(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], question: str
) -> None:
    catalog = Catalog(tmp_path_factory.mktemp("home"), clock=lambda: START + timedelta(days=1000))
    index = Index(catalog, "test", DIMENSIONS)
    put(catalog, index, texts, day=1)
    index.refresh()
    weights = dict.fromkeys(query_terms(question), 1.0)
    pairs = dict.fromkeys(query_pairs(question), 0.5)

    got = index.lexical(weights, index.view(START + timedelta(days=2)), pairs)

    distinct = list(dict.fromkeys(texts))  # the same bytes twice are one document
    bodies = [terms(t) for t in distinct]
    mean = sum(map(len, bodies)) / len(bodies)
    for body, score in zip(bodies, got, strict=True):
        counts, heading = Counter(body), Counter(terms("Note  "))
        together = Counter(pairwise(body))
        each = [
            (weight, counts[term] + _HEADING_WEIGHT * heading[term], sum(term in b or term in heading for b in bodies))
            for term, weight in weights.items()
        ]  # fmt: skip
        each += [
            (weight, together[pair], sum(pair in list(pairwise(b)) for b in bodies))
            for pair, weight in pairs.items()
        ]
        expected = 0.0
        for weight, tf, n in each:
            idf = math.log(1 + (len(bodies) - n + 0.5) / (n + 0.5))
            norm = _K1 * (1 - _B + _B * len(body) / mean)
            expected += weight * idf * tf * (_K1 + 1) / (tf + norm) if tf else 0.0
        assert score == pytest.approx(expected, rel=1e-9)


def test_dense_scores_are_cosines_across_block_borders(catalog: Catalog) -> None:
    index = Index(catalog, "test", DIMENSIONS)
    put(catalog, index, [f"tick {n}" for n in range(60)], day=1)
    index.refresh()

    scores = index.dense(vector("q"), index.view(START + timedelta(days=2)))

    expected = np.array([vector(f"tick {n}") @ vector("q") for n in range(60)])
    assert np.allclose(scores, expected, atol=1e-6)


def test_at_a_fixed_head_what_is_backfilled_later_is_not_seen(catalog: Catalog) -> None:
    index = Index(catalog, "test", DIMENSIONS)
    put(catalog, index, ["fee cap"], day=5)
    head = catalog.head()
    put(catalog, index, ["fee floor"], day=1)  # known earlier, recorded later
    index.refresh()
    as_of = START + timedelta(days=9)

    assert index.view(as_of, head=head).mask.tolist() == [True, False]
    assert index.view(as_of).mask.tolist() == [True, True]


def test_a_filter_hides_other_documents(catalog: Catalog) -> None:
    index = Index(catalog, "test", DIMENSIONS)
    put(catalog, index, ["fee cap"], day=1, agency="SEC")
    put(catalog, index, ["fee cap again"], day=1, agency="FINRA")
    index.refresh()

    view = index.view(START + timedelta(days=2), filters=Filters(agency="finra"))

    assert view.mask.tolist() == [False, True]


def test_a_reader_sees_what_another_process_added_after_refresh(catalog: Catalog) -> None:
    writer, reader = Index(catalog, "test", DIMENSIONS), Index(catalog, "test", DIMENSIONS)
    put(catalog, writer, ["fee cap"], day=1)
    reader.refresh()
    put(catalog, writer, ["fee floor"], day=1)
    assert reader.size == 1

    reader.refresh()

    assert reader.size == 2
    assert reader.occurs("floor", reader.view(START + timedelta(days=2))) == 1


def test_two_cuttings_never_mix(catalog: Catalog) -> None:
    one, other = Index(catalog, "one", DIMENSIONS), Index(catalog, "other", DIMENSIONS)
    put(catalog, one, ["fee cap"], day=1)
    other.refresh()

    assert other.size == 0
    assert len(other.lacking()) == 1


def test_chroma_holds_the_same_ids_and_agrees_with_the_exact_scan(
    catalog: Catalog, tmp_path: Path
) -> None:
    chroma = ChromaVectors(tmp_path / "chroma", "regtape-test", DIMENSIONS)
    index = Index(catalog, "test", DIMENSIONS, chroma)
    put(catalog, index, [f"tick {n}" for n in range(40)], day=1)
    index.refresh()

    scores = index.dense(vector("tick 7"), index.view(START + timedelta(days=2)))
    nearest = chroma.nearest(vector("tick 7"), 5)

    assert index.check() == []
    assert [r.id for r in index.rows(np.argsort(-scores)[:5].tolist())] == [id for id, _ in nearest]
    assert nearest[0][1] == pytest.approx(1.0, abs=1e-5)


def test_what_a_kill_kept_from_the_vector_store_is_pushed_by_catch_up(
    catalog: Catalog, tmp_path: Path
) -> None:
    put(
        catalog, Index(catalog, "test", DIMENSIONS), ["fee cap", "fee floor"], day=1
    )  # no vector store: as if killed before it
    index = Index(
        catalog, "test", DIMENSIONS, ChromaVectors(tmp_path / "chroma", "regtape-test", DIMENSIONS)
    )
    assert index.check() == ["2 passages have no vector in Chroma"]

    assert index.catch_up() == 2

    assert index.check() == []


def test_check_names_what_is_wrong_and_clear_forgets_all(catalog: Catalog, tmp_path: Path) -> None:
    chroma = ChromaVectors(tmp_path / "chroma", "regtape-test", DIMENSIONS)
    index = Index(catalog, "test", DIMENSIONS, chroma)
    put(catalog, index, ["fee cap", "fee floor"], day=1)
    chroma.remove([index.rows([0])[0].id])
    assert index.check() == ["1 passages have no vector in Chroma"]

    index.clear()

    assert chroma.ids() == set()
    assert len(index.lacking()) == 2
