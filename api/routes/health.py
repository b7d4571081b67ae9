"""Is it alive, is it ready, which version is it."""

from importlib.metadata import version

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from api import schemas
from api.deps import Opened, OpenedDep
from api.metrics import CONTENT_TYPE, seconds
from ingest.errors import RegTapeError

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> dict[str, str]:
    """Touches nothing: a busy server is alive."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Ready: catalog, index, embedder and features answer; how far scoring is behind",
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
    parts |= {"features": opened.features.folding.fault}
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


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    summary="Requests, answers, freshness, reads and streams, for Prometheus",
)
async def read_metrics(opened: OpenedDep) -> Response:
    """Gauges are taken when asked: newest known_at, scoring lag, watermark, and how far the feature store is."""
    return Response(await run_in_threadpool(_measured, opened), media_type=CONTENT_TYPE)


def _measured(opened: Opened) -> bytes:
    catalog, metrics = opened.catalog, opened.features.metrics
    metrics.jobs(opened.jobs.waiting())
    moments = catalog.moments()
    metrics.documents.set(len(moments))
    if moments:
        (newest,) = catalog.at([catalog.head()])
        metrics.newest_document.set(max(known for _, known in moments) / 1_000_000)
        metrics.ingested.set(seconds(newest.recorded_at))
    return opened.features.measure(opened.scorer)


@router.get("/version", summary="Which program, which settings")
async def read_version(opened: OpenedDep) -> dict[str, str]:
    """The fingerprint names cutting, embedder and drafter, as answers carry it."""
    return {"version": version("regtape"), "fingerprint": opened.settings.fingerprint}
