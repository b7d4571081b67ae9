"""A query in, passages with scores and citations out."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

from api import schemas
from api.asking import Question
from api.deps import AskerDep
from ingest.moment import now

router = APIRouter(tags=["search"])


class SearchQuery(schemas.Filters):
    """What to look for, how much of it, as of when, and in what."""

    q: str = Field(min_length=1, max_length=2000, examples=["access fee cap"])
    k: int = Field(default=10, ge=1, le=100, description="How many passages.")
    as_of: schemas.Moment | None = None

    def to_filters(self) -> schemas.Filters:
        """The filters alone."""
        return schemas.Filters(**{n: getattr(self, n) for n in schemas.Filters.model_fields})


@router.get("/v1/search", summary="The best passages, as of a moment")
async def search(wanted: Annotated[SearchQuery, Query()], asker: AskerDep) -> schemas.SearchResult:
    """Exact ranking over what was known by `as_of`."""
    as_of = wanted.as_of or now()
    question = Question(wanted.q, as_of, wanted.to_filters().to_catalog(), wanted.k)
    passages = await asker.search(question)
    return schemas.SearchResult(
        as_of=as_of,
        passages=tuple(schemas.Passage.model_validate(p) for p in passages),
    )
