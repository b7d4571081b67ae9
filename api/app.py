"""Settings or opened services in, the HTTP application out."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.types import ASGIApp

from api import problems
from api.asking import ProcessAsker, ThreadAsker
from api.deps import Opened
from api.features import open_features
from api.guard import Guard
from api.jobs import BackgroundJobs
from api.live import LiveReads
from api.metrics import Metrics
from api.problems import STATUS
from api.routes import (
    ask,
    compare,
    documents,
    features,
    health,
    impacts,
    jobs,
    news,
    pages,
    rules,
    search,
    stream,
    threads,
)
from api.schemas import Problem
from api.scoring import BackgroundScorer
from api.services import Services, open_catalog, open_services, open_tape
from api.settings import Settings
from ingest.jobs import Jobs

__all__ = ["STATUS", "create_app"]


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """The application. Without `services` it opens what `settings` say at start, with processes that answer and score.

    With `services` it reads those, in threads, and news that arrives is logged and waits.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            app.state.opened = await _open(settings, services, stack)
            yield

    app = _App(
        title="RegTape",
        version=version("regtape"),
        description="Checked, cited answers about market-structure rules, as of any moment.",
        lifespan=lifespan,
        docs_url=None,  # the page loads its scripts from elsewhere; /openapi.json is here
        redoc_url=None,
        responses={
            422: {"model": Problem, "description": "The request cannot be meant."},
            "default": {"model": Problem, "description": "Any other error, as RFC 9457 problem."},
        },
    )
    app.add_middleware(
        Guard,
        request_bytes=settings.request_bytes,
        of_paths={
            "/v1/features": settings.instants_bytes,
            "/v1/documents": settings.upload_bytes,
        },
    )
    problems.install(app)
    for noun in (
        ask,
        threads,
        search,
        documents,
        rules,
        impacts,
        compare,
        jobs,
        news,
        features,
        stream,
        health,
        pages,
    ):
        app.include_router(noun.router)
    return app


class _App(FastAPI):
    """With the short way around its middleware."""

    def build_middleware_stack(self) -> ASGIApp:
        return LiveReads(super().build_middleware_stack())


async def _open(settings: Settings, services: Services | None, stack: AsyncExitStack) -> Opened:
    tape = stack.enter_context(open_tape(settings))
    features = await stack.enter_async_context(
        open_features(settings, Metrics(), beside=services is None)
    )
    scorer = BackgroundScorer(settings, running=services is None, recorded=features.folding.wake)
    stack.push_async_callback(scorer.close)
    jobs = stack.enter_context(Jobs(settings.home))
    running = BackgroundJobs(settings, jobs, running=services is None)
    stack.push_async_callback(running.close)
    if services is None and settings.ask_workers:
        catalog = stack.enter_context(open_catalog(settings))
        workers = ProcessAsker(settings)
        stack.push_async_callback(workers.close)
        return Opened(settings, catalog, workers, tape, scorer, features, jobs, running)
    opened = services or stack.enter_context(open_services(settings))
    asker = ThreadAsker(opened)
    stack.push_async_callback(asker.close)
    return Opened(settings, opened.catalog, asker, tape, scorer, features, jobs, running)
