"""An app in, its address on this machine out while it is served by a thread; and news with its scores to ask it for."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from ingest.news import NewsItem, read_row
from sentiment.log import Score, Tape, TargetScore


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def an_item(id: str, *symbols: str, **more: object) -> NewsItem:
    row: dict[str, object] = {
        "id": id, "published_at": "2026-02-24T12:05:00Z", "source": "wire",
        "headline": f"Lamp maker has news number {id}", "symbols": list(symbols),
    }  # fmt: skip
    item = read_row(row | more, 1)
    assert isinstance(item, NewsItem)
    return item


def scored(tape: Tape, id: str, *symbols: str, positive: float = 0.5, **more: Any) -> int:
    """Log an item and, as a record of its own, its score; the offset of the score."""
    backfill = bool(more.pop("backfill", False))
    (logged,) = tape.append([an_item(id, *symbols, **more)], backfill=backfill)
    (offset,) = tape.record_scores([a_score(logged.offset, *symbols, positive=positive)])
    return offset


def a_score(item: int, *symbols: str, positive: float = 0.5) -> Score:
    shares: dict[str, Any] = {
        "negative": 0.75 - positive,
        "neutral": 0.25,
        "positive": positive,
    }
    targets = tuple(
        TargetScore(f"symbol:{symbol}", symbol, 1.0, 1.0, item, **shares) for symbol in symbols
    )
    return Score(
        item=item, model="fake", version="fake-1", novelty=1.0, story=item, targets=targets, **shares
    )  # fmt: skip


def wait_until_folded(tape: Tape, app: FastAPI) -> None:
    """Until the server's store has taken in the whole tape."""
    opened: Any = app.state.opened
    for _ in range(1000):
        if opened.features.folding.ready and opened.features.push.applied >= tape.head():
            return
        time.sleep(0.01)
    raise AssertionError("the store did not follow the tape within ten seconds")
