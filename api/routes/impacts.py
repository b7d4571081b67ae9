"""A document or a rule in, what is said of its effects by variable out."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import schemas
from api.deps import CatalogDep
from api.impacts import Impacts, impacts_of
from ingest.moment import now

router = APIRouter(tags=["rules"])


@router.get(
    "/v1/impacts", summary="What a release, or all on a rule, says of effects on the market"
)
def read_impacts(
    catalog: CatalogDep,
    of: Annotated[
        str,
        Query(
            min_length=1,
            max_length=300,
            description="A document id, a release number, a rule.",
            examples=["34-61595", "242.610T"],
        ),
    ],
    variable: Annotated[str | None, Query(max_length=80, examples=["quoted_spread"])] = None,
    as_of: Annotated[schemas.Moment | None, Query()] = None,
) -> Impacts:
    """Every row's quote is stored text; hedges, negations and speakers are those of the quote. 404 when nothing held is meant."""
    return impacts_of(catalog, of, variable=variable, as_of=as_of or now())
