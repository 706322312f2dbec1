"""What the service counts, as Prometheus reads it.

Several workers share one folder of memory-mapped values (``PROMETHEUS_MULTIPROC_DIR``, set by the supervisor before a
worker starts), so that any worker answers for all.
"""

import os
from glob import glob

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

MULTIPROCESS = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """The service's metrics; other modules may add theirs to ``registry``.

    Attributes:
        registry: what every metric is registered with: one for each app, so that tests do not meet.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Histogram(
            "augury_request_seconds",
            "Time to answer a request",
            ("route", "method", "status"),
            registry=self.registry,
            buckets=_SECONDS,
        )
        self.events = Counter(
            "augury_events", "Events received, by what became of them", ("outcome", "reason"), registry=self.registry
        )
        self.refused = Counter(
            "augury_refused_requests",
            "Requests that were refused whole",
            ("reason",),
            registry=self.registry,
        )
        self.batches = Histogram(
            "augury_ingest_batch_events", "Events written together", registry=self.registry, buckets=_SIZES
        )
        self.batch_seconds = Histogram(
            "augury_ingest_batch_seconds", "Time to write a batch", registry=self.registry, buckets=_SECONDS
        )
        self.queued = Gauge(
            "augury_queued_events", "Events waiting to be written", registry=self.registry, multiprocess_mode="livesum"
        )
        self.behind = Counter(
            "augury_behind_events", "Events archived while the fast store was away", registry=self.registry
        )
        self.caught_up = Counter(
            "augury_caught_up_events", "Events written to the fast store once it was back", registry=self.registry
        )
        self.store_up = Gauge(
            "augury_store_up", "Whether the fast store answers", registry=self.registry, multiprocess_mode="livemin"
        )

    def totals(self, counter: str) -> dict[tuple[str, ...], float]:
        """Returns what a counter says, all workers together: the values of its labels, sorted by name -> its value.

        Args:
            counter: its name, without ``_total``.
        """
        folder = os.environ.get(MULTIPROCESS)
        if folder is None:
            families = self.registry.collect()
        else:  # of the others' files only those that hold counters
            families = MultiProcessCollector.merge(glob(f"{folder}/counter_*.db"))  # type: ignore[no-untyped-call]
        found: dict[tuple[str, ...], float] = {}
        for family in families:
            for sample in family.samples if family.name == counter else ():
                if sample.name == f"{counter}_total":
                    key = tuple(value for _, value in sorted(sample.labels.items()))
                    found[key] = found.get(key, 0.0) + sample.value
        return found

    def text(self) -> bytes:
        """Returns all metrics in Prometheus' text format, those of the other workers included."""
        if MULTIPROCESS not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)
