"""Is it alive, is it ready, which version is it."""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from api import schemas
from api.deps import Opened, OpenedDep
from ingest.errors import RegTapeError

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Touches nothing: a busy server is alive."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Ready: catalog, index and embedder answer; how far scoring is behind",
    responses={503: {"model": schemas.Health}},
)
async def readyz(opened: OpenedDep, response: Response) -> schemas.Health:
    """Each part by name, and how far scoring of news is behind logging.

    While every worker is answering, tells what they said when they last had time.
    """
    try:
        parts = await opened.asker.ping()
    except RegTapeError as exc:
        parts = {"asker": str(exc)}
    failing = {name: fault for name, fault in parts.items() if fault}
    response.status_code = 503 if failing else 200
    return schemas.Health(
        ok=tuple(name for name in parts if name not in failing),
        failing=failing,
        news=await run_in_threadpool(_lag, opened),
    )


def _lag(opened: Opened) -> schemas.Lag:
    scorer = opened.scorer
    lag = opened.tape.lag(scorer.version) if scorer.version else None
    return schemas.Lag(
        scorer=scorer.name,
        version=scorer.version,
        waiting=lag.waiting if lag else None,
        oldest=lag.oldest if lag else None,
        fault=scorer.fault,
    )


@router.get("/version", summary="Which program, which settings")
async def read_version(opened: OpenedDep) -> dict[str, str]:
    """The fingerprint names cutting, embedder and drafter, as answers carry it."""
    return {"version": version("regtape"), "fingerprint": opened.settings.fingerprint}
