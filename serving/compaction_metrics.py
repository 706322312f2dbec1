"""What compaction counts; with ``PROMETHEUS_MULTIPROC_DIR`` set, the service's ``/metrics`` shows it."""

from prometheus_client import CollectorRegistry, Counter

from serving.compaction_batch import BatchCounts
from serving.forgetting import Rewritten


class CompactionMetrics:
    """The counters of one compacting process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"augury_compaction_{name}", text, labels, registry=self.registry)

        self.rows = counter("rows", "Rows written to the archive's partitions", "stream")
        self.dropped = counter("dropped", "Archived events dropped by compaction", "reason")
        self.rejected = counter("rejected", "Spooled lines that became dead letters", "reason")
        self.torn = counter("torn", "Spool files whose last line was torn, never acknowledged")
        self.forgotten = counter("forgotten", "Rows of forgotten visitors taken out of partitions", "stream")
        self.expired = counter("expired_parts", "Old parts of predictions and heatmaps removed")
        self.failures = counter("failures", "Compactions that ended with an error")

    def add_counts(self, counts: BatchCounts) -> None:
        """Adds what became of spool files."""
        for stream, rows in counts.rows.items():
            self.rows.labels(stream).inc(rows)
        for reason, rows in counts.dropped.items():
            self.dropped.labels(reason).inc(rows)
        for reason, rows in counts.rejected.items():
            self.rejected.labels(reason).inc(rows)
        self.torn.inc(counts.torn)

    def add_report(self, forgotten: Rewritten, expired: int) -> None:
        """Adds what was taken out of partitions."""
        for stream, rows in forgotten.rows.items():
            self.forgotten.labels(stream).inc(rows)
        self.expired.inc(expired)
