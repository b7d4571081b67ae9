"""A section in; its state or its timeline, as known on a day, out."""

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api import rules, schemas
from api.deps import CatalogDep
from ingest.moment import now

router = APIRouter(prefix="/v1/rules", tags=["rules"])

AsOf = Annotated[schemas.Moment | None, Query()]


class Shape(StrEnum):
    """What a timeline comes back as."""

    JSON = "json"
    SVG = "svg"


@router.get("/{section}", summary="What a rule is, and what is pending, as known on a day")
def read_rule(section: str, catalog: CatalogDep, as_of: AsOf = None) -> rules.RuleState:
    """By number ("242.612"), rule ("Rule 611") or name ("Order Protection Rule")."""
    return rules.rule_state(catalog, section, as_of or now())


@router.get(
    "/{section}/timeline",
    summary="Its events by day",
    response_model=rules.Timeline,
    responses={200: {"content": {"image/svg+xml": {}}}},
)
def read_timeline(
    section: str, catalog: CatalogDep, as_of: AsOf = None, shape: Shape = Shape.JSON
) -> rules.Timeline | Response:
    """`shape=svg`: a chart."""
    moment = as_of or now()
    found = rules.timeline(catalog, section, moment)
    if shape is Shape.JSON:
        return found
    from api.timeline import draw

    return Response(draw(catalog, found, "svg"), media_type="image/svg+xml")
