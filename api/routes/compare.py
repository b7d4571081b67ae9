"""Two names in, what changed between what they mean out."""

from typing import Annotated

from fastapi import APIRouter, Query

from api import schemas
from api.comparing import Compared, compared
from api.deps import CatalogDep

router = APIRouter(tags=["rules"])

Name = Annotated[
    str,
    Query(
        min_length=1,
        max_length=300,
        description="A document id, a release number, or a section: 242.610, 242.610@2.",
    ),
]


@router.get("/v1/compare", summary="Two documents, or two versions of a section")
def read_comparison(
    catalog: CatalogDep,
    a: Name,
    b: Name,
    as_of: Annotated[schemas.Moment | None, Query()] = None,
    same: Annotated[bool, Query(description="Paragraphs that did not change, too.")] = False,
) -> Compared:
    """Paragraphs aligned wherever they went, words that changed, numbers before and after with both quotes. 404 when not held."""
    return compared(catalog, a, b, as_of=as_of, same=same)
