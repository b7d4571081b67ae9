"""A tape that grows in; a store that follows it, and counted and recorded reads of that, out: features beside the server.

Until the store has caught up for the first time, there is nothing to read (503, and /readyz says so): a read in between
would be of a log that ended earlier.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing

from starlette.exceptions import HTTPException

from api.folding import Beside, Folding, Here
from api.metrics import Metrics, seconds
from api.push import Push
from api.recording import Recording
from api.scoring import BackgroundScorer
from api.services import open_reader, open_store, open_tape
from api.settings import Settings
from sentiment.log import Tape
from sentiment.read import STATUSES, Reader, Vector
from sentiment.store import Store

_START_SECONDS = (
    1.0  # a small store is there before the first request, a large one is not waited for
)
_FLUSH_SECONDS = 1.0  # recorded reads that a killed server loses


class Features:
    """What routes ask for. What is read is told to `served` on the event loop.

    at_hand: whether the store is in memory, so that a read of now need not leave the event loop.
    """

    def __init__(
        self,
        tape: Tape,
        store: Store,
        reader: Reader,
        metrics: Metrics,
        push: Push,
        folding: Folding,
        recording: Recording | None,
        *,
        at_hand: bool,
    ) -> None:
        self.at_hand = at_hand
        self.metrics, self.push, self.folding = metrics, push, folding
        self._tape, self._store, self._reader = tape, store, reader
        self._recording = recording
        self._seconds = {name: metrics.read_seconds.labels(name) for name in ("one", "several")}
        self._values = {status: metrics.values.labels(status.value) for status in STATUSES}

    @property
    def reader(self) -> Reader:
        """To read from. Raises HTTPException (503) as `check` does."""
        self.check()
        return self._reader

    def check(self) -> None:
        """Raises HTTPException (503) until the store has caught up with the log."""
        if not self.folding.ready:
            detail = f"the feature store does not follow the log: {self.folding.fault}"
            raise HTTPException(503, detail, {"Retry-After": "1"})

    def served(self, vectors: Sequence[Vector], route: str, began: float) -> None:
        """Count and record what is about to be sent. began: time.perf_counter() when it was asked for."""
        for vector in vectors:
            for status, number in Counter(vector.status.values()).items():
                self._values[status].inc(number)
            if self._recording:
                self._recording.keep(vector)
        self._seconds[route].observe(time.perf_counter() - began)

    def flush(self) -> None:
        """Hand what was recorded to the system."""
        if self._recording:
            self._recording.flush()

    def measure(self, scorer: BackgroundScorer) -> bytes:
        """The metrics as they are now; takes its time."""
        metrics = self.metrics
        metrics.head.set(self._tape.head())
        metrics.applied.set(self._store.applied().offset)
        metrics.items.set(self._store.items())
        if scorer.version:
            metrics.waiting.set(self._tape.lag(scorer.version).waiting)
        if self.folding.ready:
            fresh = self._reader.freshness()
            metrics.newest.set(seconds(fresh.newest_known_at))
            metrics.lag.set(fresh.scoring_lag_seconds)
            metrics.watermark.set(seconds(fresh.watermark))
        return metrics.text()


@asynccontextmanager
async def open_features(
    settings: Settings, metrics: Metrics, *, beside: bool = True
) -> AsyncIterator[Features]:
    """The store that settings name, rebuilt in the background, and everything around it.

    beside: whether another process reads what the log gains.
    """
    with ExitStack() as stack:
        tape, folded = stack.enter_context(open_tape(settings)), stack.enter_context(open_tape(settings))  # fmt: skip
        store = stack.enter_context(open_store(settings))
        reader = open_reader(settings, tape, store)
        recording = None
        if settings.record_reads:
            recording = stack.enter_context(closing(Recording(settings.record_reads)))
        push = stack.enter_context(
            closing(Push(tape, reader, metrics, most_waiting=settings.push_waiting))
        )

        at_hand = settings.redis_url is None

        def advance() -> None:
            if at_hand:
                reader.advance()
            push.advance(store.applied().offset)

        await asyncio.to_thread(reader.vector, "SPY")  # loads what no request is to wait for
        here = Here(folded, reader.weights)
        folding = Folding(store, Beside(settings, here) if beside else here, advance)
        stack.callback(folding.close)
        features = Features(
            tape,
            store,
            reader,
            metrics,
            push,
            folding,
            recording,
            at_hand=at_hand,
        )
        await asyncio.to_thread(folding.wait, _START_SECONDS)
        flushing = asyncio.ensure_future(_flush(features))
        try:
            yield features
        finally:
            flushing.cancel()


async def _flush(features: Features) -> None:
    while True:
        await asyncio.sleep(_FLUSH_SECONDS)
        features.flush()
