"""What a server reads, tells and holds in, the text that Prometheus scrapes out.

Counters and histograms are kept as things happen; gauges of freshness are taken when somebody asks.
"""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from ingest.jobs import Waiting
from ingest.moment import now

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.015, 0.03, 0.1, 0.3, 1.0, 10.0)

_ANSWER_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0)


class Metrics:
    """The measurements of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"regtape_{name}", what, registry=registry)

        self.read_seconds = Histogram(
            "regtape_feature_read_seconds", "How long the server took for a read of features.",
            ["route"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._requests = Histogram(
            "regtape_request_seconds", "How long requests took, by route; streams until they ended.",
            ["route"], buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._statuses = Counter(
            "regtape_requests", "Requests, by route and status.", ["route", "status"], registry=registry
        )  # fmt: skip
        self._of_route: dict[tuple[str, int], tuple[Histogram, Counter]] = {}
        self._answer_seconds = Histogram(
            "regtape_answer_seconds", "How long answers and refusals took, waiting included.",
            buckets=_ANSWER_SECONDS, registry=registry,
        )  # fmt: skip
        self._refusals = Counter(
            "regtape_refusals", "Questions that were not answered, by reason.", ["reason"], registry=registry
        )  # fmt: skip
        self._dropped = Counter(
            "regtape_gate_drops", "Drafted sentences that the gate stopped, by point.", ["point"], registry=registry
        )  # fmt: skip
        self.documents = gauge("documents", "Documents held.")
        self.newest_document = gauge(
            "newest_document_known_at_seconds", "known_at of the document that was public last, seconds since 1970; 0: none."
        )  # fmt: skip
        self.ingested = gauge(
            "newest_document_recorded_at_seconds", "When the newest document was taken in, seconds since 1970; 0: none."
        )  # fmt: skip
        self.values = Counter(
            "regtape_feature_values", "Values served, by status.", ["status"], registry=registry
        )
        self.pushed = Counter(
            "regtape_pushed_messages", "Features told to those who listen.", registry=registry
        )
        self.dropped = Counter(
            "regtape_dropped_streams", "Readers of a stream that were dropped.", registry=registry
        )
        self.listening = gauge("listening_streams", "Readers of a stream.")
        self.newest = gauge(
            "newest_known_at_seconds", "known_at of the newest item, seconds since 1970; 0: none."
        )
        self.lag = gauge(
            "scoring_lag_seconds", "How long the item that waits longest for its score has waited."
        )
        self.waiting = gauge(
            "scoring_waiting_items", "Items without a score of the model that scores here."
        )
        self.watermark = gauge(
            "watermark_seconds", "Everything known up to it has a score; seconds since 1970."
        )
        self.head = gauge("tape_offset", "Offset of the newest record of the tape.")
        self.applied = gauge(
            "applied_offset", "Offset up to which the feature store has taken in the tape."
        )
        self.items = gauge("store_items", "Items of which the feature store holds something.")  # fmt: skip

        self.jobs_queued = gauge("jobs_queued", "Jobs that are due and wait to be run.")
        self.jobs_running = gauge("jobs_running", "Jobs that are being run.")
        self.ingest_lag = gauge(
            "ingest_lag_seconds",
            "How long the job that waits longest, or is being run, has been due.",
        )

    def jobs(self, waiting: Waiting) -> None:
        """Take the gauges of jobs."""
        self.jobs_queued.set(waiting.queued)
        self.jobs_running.set(waiting.running)
        oldest = waiting.oldest
        self.ingest_lag.set(max(0.0, (now() - oldest).total_seconds()) if oldest else 0.0)

    def answered(self, route: str | None, status: int, seconds: float) -> None:
        """Count and time a request. route: its template, of which there are few; None: no route of ours."""
        named = route or "none"
        found = self._of_route.get((named, status))
        if found is None:
            found = self._requests.labels(named), self._statuses.labels(named, str(status))
            self._of_route[named, status] = found
        found[0].observe(seconds)
        found[1].inc()

    def asked(self, seconds: float, refusal: str | None, dropped: Iterable[str]) -> None:
        """Count an answer, or why there was none, and the points at which the gate stopped sentences."""
        self._answer_seconds.observe(seconds)
        if refusal:
            self._refusals.labels(refusal).inc()
        for point in dropped:
            self._dropped.labels(point).inc()

    def text(self) -> bytes:
        """All of it, in the text format 0.0.4."""
        return generate_latest(self._registry)


def seconds(moment: datetime | None) -> float:
    """Seconds since 1970; 0 where there is none."""
    return moment.timestamp() if moment else 0.0
