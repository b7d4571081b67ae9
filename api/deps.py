"""A request in, the opened parts that a route asks for out."""

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.requests import HTTPConnection

from api.answering import Answering
from api.asking import Asker
from api.features import Features
from api.guard import CALLER
from api.jobs import BackgroundJobs
from api.scoring import BackgroundScorer
from api.settings import Settings
from ingest.catalog import Catalog
from ingest.jobs import Jobs
from sentiment.log import Tape


@dataclass(frozen=True, slots=True)
class Opened:
    """What lifespan opens: documents and news are read here, questions go to the asker, news waits for the scorer,
    features come from a store that follows both, and jobs are kept
    for the process that runs them."""

    settings: Settings
    catalog: Catalog
    asker: Asker
    tape: Tape
    scorer: BackgroundScorer
    features: Features
    jobs: Jobs
    running: BackgroundJobs
    answering: Answering = field(default_factory=Answering)


def _opened(request: Request) -> Opened:
    opened: Opened = request.app.state.opened
    return opened


def _catalog(request: Request) -> Catalog:
    return _opened(request).catalog


def _asker(request: Request) -> Asker:
    return _opened(request).asker


def _tape(request: Request) -> Tape:
    return _opened(request).tape


def _jobs(request: Request) -> Jobs:
    return _opened(request).jobs


def _features(request: HTTPConnection) -> Features:
    opened: Opened = request.app.state.opened
    return opened.features


def _settings(request: HTTPConnection) -> Settings:
    opened: Opened = request.app.state.opened
    return opened.settings


def _owner(request: Request) -> str | None:
    """Whose conversations a request may see: those of its key; where no key is needed, all."""
    caller = request.scope.get(CALLER)
    return caller.key if caller is not None else None


OpenedDep = Annotated[Opened, Depends(_opened)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
AskerDep = Annotated[Asker, Depends(_asker)]
FeaturesDep = Annotated[Features, Depends(_features)]
JobsDep = Annotated[Jobs, Depends(_jobs)]
SettingsDep = Annotated[Settings, Depends(_settings)]
OwnerDep = Annotated[str | None, Depends(_owner)]
TapeDep = Annotated[Tape, Depends(_tape)]
