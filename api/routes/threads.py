"""Conversations, of each key its own: listed, read, exported as one file that `regtape verify` re-checks, and deleted."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from agent.threads import Threads
from api import schemas
from api.deps import OwnerDep, SettingsDep
from api.exports import MAKERS, read_thread

router = APIRouter(prefix="/v1/threads", tags=["threads"])

_MEDIA = {"json": "application/json", "markdown": "text/markdown; charset=utf-8"}
_ENDINGS = {"json": "json", "markdown": "md"}


@router.get("", response_model=schemas.ThreadList, summary="Conversations, newest first")
def list_threads(settings: SettingsDep, owner: OwnerDep) -> schemas.ThreadList:
    """A conversation begins with `POST /v1/ask` and `"thread": "new"`."""
    with Threads(settings.home, owner=owner) as threads:
        rows = tuple(schemas.ThreadRow.model_validate(each) for each in threads.all())
    return schemas.ThreadList(threads=rows)


@router.get("/{id}", response_model=schemas.Thread, summary="A conversation with its answers")
def read(id: str, settings: SettingsDep, owner: OwnerDep) -> schemas.Thread:
    """All its turns, in order."""
    with Threads(settings.home, owner=owner) as threads:
        return read_thread(threads, id)


@router.get("/{id}/export", summary="A conversation as a file", response_class=Response)
def export(
    id: str,
    settings: SettingsDep,
    owner: OwnerDep,
    written: Annotated[Literal["json", "markdown"], Query(alias="format")] = "json",
) -> Response:
    """With every quote: `regtape verify FILE` checks it again later, without any model."""
    with Threads(settings.home, owner=owner) as threads:
        thread = read_thread(threads, id)
    name = f"regtape-{thread.id}.{_ENDINGS[written]}"
    return Response(
        MAKERS[written](thread),
        media_type=_MEDIA[written],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.delete("/{id}", status_code=204, summary="Delete a conversation")
def delete(id: str, settings: SettingsDep, owner: OwnerDep) -> Response:
    """It is gone with all its turns; an export of it can still be verified."""
    with Threads(settings.home, owner=owner) as threads:
        threads.delete(id)
    return Response(status_code=204)
