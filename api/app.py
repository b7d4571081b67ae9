"""Settings or opened services in, the HTTP application out."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from api import problems
from api.access import Access, route_of
from api.asking import Asker, ProcessAsker, ThreadAsker
from api.deps import Opened
from api.features import open_features
from api.guard import Guard
from api.jobs import BackgroundJobs
from api.live import LiveReads
from api.logs import Log
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
    login,
    news,
    openai,
    pages,
    pages_jobs,
    pages_news,
    rules,
    search,
    stream,
    threads,
)
from api.schemas import Problem
from api.scoring import BackgroundScorer
from api.services import Services, open_catalog, open_services, open_tape
from api.settings import Settings
from api.watched import WatchedAsker
from ingest.jobs import Jobs

__all__ = ["STATUS", "create_app"]


def create_app(
    settings: Settings, services: Services | None = None, *, log: Log | None = None
) -> FastAPI:
    """The application. Without `services` it opens what `settings` say at start, with processes that answer and score.

    With `services` it reads those, in threads, and news that arrives is logged and waits. log: of requests; None: none.
    """
    access = Access(settings.home, demanded=bool(settings.hosts), rate=settings.rate)
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(access.close)
            app.state.access = access
            app.state.opened = await _open(settings, services, stack, metrics, log)
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
    app.guarded = lambda inner: _open_to(
        settings.cors_origins,
        Guard(
            LiveReads(inner),
            request_bytes=settings.request_bytes,
            of_paths={
                "/v1/features": settings.instants_bytes,
                "/v1/documents": settings.upload_bytes,
                "/jobs": settings.upload_bytes,
            },
            hosts=settings.hosts,
            origins=settings.cors_origins,
            access=access,
            metrics=metrics,
            log=log if settings.log_requests else None,
        ),
    )
    problems.install(app)
    for noun in (
        ask,
        threads,
        openai,
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
        login,
        pages_jobs,
        pages_news,
        pages,
    ):
        app.include_router(noun.router)
    return app


class _App(FastAPI):
    """With what stands around all of its middleware."""

    guarded: Callable[[ASGIApp], ASGIApp]

    def openapi(self) -> dict[str, Any]:
        """The description, with the scope of the key that each route needs where the home has keys, and with errors as what
        they are sent as: FastAPI takes every model for plain JSON.
        """
        described = super().openapi()
        described["components"]["securitySchemes"] = {
            "key": {"type": "http", "scheme": "bearer", "description": "Where the home has keys."},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path, methods in described["paths"].items():
            for method, route in methods.items():
                if scope := route_of(method.upper(), path).scope:
                    route["security"] = [{}, {"key": [scope]}, {"header": [scope]}]
                for response in route["responses"].values():
                    told = response.get("content", {})
                    schema = told.get("application/json", {}).get("schema", {})
                    if schema.get("$ref", "").endswith("Problem"):
                        told["application/problem+json"] = told.pop("application/json")
        return described

    def build_middleware_stack(self) -> ASGIApp:
        return self.guarded(super().build_middleware_stack())


def _open_to(origins: Sequence[str], guarded: ASGIApp) -> ASGIApp:
    """Where pages elsewhere may ask, what their browsers ask first carries no key, and is answered before the guard."""
    if not origins:
        return guarded
    return CORSMiddleware(
        guarded,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID", "X-API-Key", "X-Request-ID"),
        expose_headers=("Retry-After", "X-Request-ID"),
    )  # fmt: skip


async def _open(
    settings: Settings, services: Services | None, stack: AsyncExitStack, metrics: Metrics, log: Log | None
) -> Opened:  # fmt: skip
    def watched(asker: Asker) -> Asker:
        stack.push_async_callback(asker.close)
        return WatchedAsker(asker, metrics, log, words=settings.log_questions)

    tape = stack.enter_context(open_tape(settings))
    features = await stack.enter_async_context(
        open_features(settings, metrics, beside=services is None)
    )
    scorer = BackgroundScorer(settings, running=services is None, recorded=features.folding.wake)
    stack.push_async_callback(scorer.close)
    jobs = stack.enter_context(Jobs(settings.home))
    running = BackgroundJobs(settings, jobs, running=services is None)
    stack.push_async_callback(running.close)
    if services is None and settings.ask_workers:
        catalog = stack.enter_context(open_catalog(settings))
        return Opened(
            settings,
            catalog,
            watched(ProcessAsker(settings)),
            tape,
            scorer,
            features,
            jobs,
            running,
        )
    opened = services or stack.enter_context(open_services(settings))
    asker = watched(ThreadAsker(opened))
    return Opened(settings, opened.catalog, asker, tape, scorer, features, jobs, running)
