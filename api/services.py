"""Settings in, the opened parts of the program out: the only place that chooses implementations."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from agent.answer import Agent
from api.regulation import HomeRules
from api.settings import Settings
from api.tones import TapeNews
from ingest.catalog import Catalog
from ingest.embed import Embedder, open_embedder
from ingest.errors import BadRequest
from ingest.index import Index
from ingest.parse.worker import Limits, ParseWorkers
from ingest.sources.web import Web
from ingest.vectors import ChromaVectors, Vectors
from sentiment.entities import Resolver, open_resolver
from sentiment.log import Tape
from sentiment.read import Reader
from sentiment.scorer import Scorer, open_scorer
from sentiment.sources import PACKAGED, Weights, read_weights
from sentiment.store import MemoryStore, Store
from sentiment.store_redis import RedisStore

# A small rule book is there before the first read of a server, a large one is not waited for.
_RULES_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Services:
    """What is open. `vectors` is None in a reader: exact as-of ranking reads the index alone."""

    settings: Settings
    catalog: Catalog
    index: Index
    embedder: Embedder
    agent: Agent
    vectors: Vectors | None = None


@contextmanager
def open_services(
    settings: Settings,
    *,
    writing: bool = False,
    catalog: Catalog | None = None,
    embedder: Embedder | None = None,
    model: Any = None,
) -> Iterator[Services]:
    """Open everything once; close it at the end. Each keyword replaces the real thing; `writing` opens Chroma as well.

    Raises ModelMissing when an embedder or chat model is not installed, Damaged when home was written by another schema.
    """
    with ExitStack() as stack:
        held = catalog or stack.enter_context(Catalog(settings.home))
        encoder = embedder or open_embedder(
            settings.embedder, threads=settings.threads, cache_dir=settings.models_folder
        )
        cutting = cutting_name(settings, encoder)
        vectors = _open_vectors(settings, cutting, encoder) if writing else None
        index = Index(held, cutting, encoder.dimensions, vectors)
        stack.callback(index.close)
        drafter = model if model is not None else _open_model(settings.llm)
        agent = Agent(
            held,
            index,
            encoder,
            model=drafter,
            model_name=settings.llm if drafter is not None else "extractive",
            fingerprint=settings.fingerprint,
            news=TapeNews(settings, partial(open_resolver, settings.aliases), open_reader),
        )
        yield Services(settings, held, index, encoder, agent, vectors)


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalog alone: enough for reading documents, and no model is loaded."""
    with Catalog(settings.home) as catalog:
        yield catalog


@dataclass(frozen=True, slots=True)
class Scoring:
    """What turns logged news into scores."""

    resolver: Resolver
    scorer: Scorer


@contextmanager
def open_tape(settings: Settings) -> Iterator[Tape]:
    """The news and score log alone: enough to log and to read, and no model is loaded."""
    with Tape(settings.home) as tape:
        yield tape


def open_scoring(settings: Settings) -> Scoring:
    """The scorer that settings name, and who is who.

    Raises BadRequest when settings name none, NotKnown on a wrong name, ModelMissing when its weights are not installed.
    """
    if settings.news_scorer == "none":
        raise BadRequest("no scorer is chosen; name one, e.g. --model lexicon")
    scorer = open_scorer(
        settings.news_scorer, threads=settings.threads, cache_dir=settings.models_folder
    )
    return Scoring(open_resolver(settings.aliases), scorer)


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Where online features are kept: Redis, where settings name one, else the memory of this process.

    Raises SourceDown when the Redis that they name does not answer.
    """
    # Rows carry the weights of their sources, so servers that weigh otherwise share nothing.
    weights = source_weights(settings)
    store: Store = (
        RedisStore(settings.redis_url, prefix=f"regtape-{weights.fingerprint}")
        if settings.redis_url
        else MemoryStore()
    )
    with closing(store):
        yield store


def open_reader(settings: Settings, tape: Tape, store: Store | None = None) -> Reader:
    """What reads features of a tape, and of the rule book beside it; `store`: that follows it."""
    rules = HomeRules(settings.home, live=store is not None)
    if store is not None:
        rules.wait(_RULES_SECONDS)
    weights = source_weights(settings)
    return Reader(tape, open_resolver(settings.aliases), store, regulation=rules, weights=weights)


def source_weights(settings: Settings) -> Weights:
    """How much each source weighs."""
    return read_weights(settings.source_weights or PACKAGED)


@contextmanager
def open_workers(settings: Settings) -> Iterator[ParseWorkers]:
    """The processes that parse, under the limits that settings state."""
    limits = Limits(seconds=settings.parse_seconds, memory_mb=settings.parse_megabytes)
    with ParseWorkers(settings.parse_workers, limits) as workers:
        yield workers


def open_web(settings: Settings) -> Web:
    """What fetches addresses of the public web, and of no other."""
    return Web(agent=settings.user_agent, seconds=settings.parse_seconds)


def cutting_name(settings: Settings, embedder: Embedder) -> str:
    """Names one way to cut and embed; index file and Chroma collection carry it, so two cuttings never mix."""
    both = sha256(f"{settings.chunk.fingerprint} {embedder.fingerprint}".encode()).hexdigest()[:12]
    return re.sub(r"[^A-Za-z0-9]+", "-", embedder.name)[-40:].strip("-") + "-" + both


def _open_vectors(settings: Settings, cutting: str, embedder: Embedder) -> Vectors:
    where = settings.vectors_url or settings.home / "chroma"
    return ChromaVectors(where, f"regtape-{cutting}", embedder.dimensions)


def _open_model(name: str) -> Any:
    if name == "none":
        return None  # agent.llm is not even imported
    from agent.llm import open_chat_model

    return open_chat_model(name)
