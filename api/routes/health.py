"""Is it alive, is it ready, which version is it."""

from importlib.metadata import version

from fastapi import APIRouter, Response

from api import schemas
from api.deps import OpenedDep
from ingest.errors import RegTapeError

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Touches nothing: a busy server is alive."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Ready: catalog, index and embedder answer",
    responses={503: {"model": schemas.Health}},
)
async def readyz(opened: OpenedDep, response: Response) -> schemas.Health:
    """Each part by name. While every worker is answering, tells what they said when they last had time."""
    try:
        parts = await opened.asker.ping()
    except RegTapeError as exc:
        parts = {"asker": str(exc)}
    failing = {name: fault for name, fault in parts.items() if fault}
    response.status_code = 503 if failing else 200
    return schemas.Health(ok=tuple(name for name in parts if name not in failing), failing=failing)


@router.get("/version", summary="Which program, which settings")
async def read_version(opened: OpenedDep) -> dict[str, str]:
    """The fingerprint names cutting, embedder and drafter, as answers carry it."""
    return {"version": version("regtape"), "fingerprint": opened.settings.fingerprint}
