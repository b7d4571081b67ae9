"""A request in, the opened parts that a route asks for out."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.asking import Asker
from api.settings import Settings
from ingest.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Opened:
    """What lifespan opens: documents are read here, questions go to the asker."""

    settings: Settings
    catalog: Catalog
    asker: Asker


def _opened(request: Request) -> Opened:
    opened: Opened = request.app.state.opened
    return opened


def _catalog(request: Request) -> Catalog:
    return _opened(request).catalog


def _asker(request: Request) -> Asker:
    return _opened(request).asker


OpenedDep = Annotated[Opened, Depends(_opened)]
CatalogDep = Annotated[Catalog, Depends(_catalog)]
AskerDep = Annotated[Asker, Depends(_asker)]
