"""Writes events to the fast store, exactly as the service does."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

import apache_beam as beam
import pyarrow as pa

from features.recent_events import PushCounts
from transforms.recent_store import StoreOptions, push_batch, store_client
from transforms.tally import count


class WriteRecentEvents(beam.PTransform):
    """``RecordBatch`` in ``EVENT_SCHEMA`` -> ``PushCounts`` of each, having pushed it.

    A push is idempotent, and atomic for each visitor: a bundle that fails half-way and is tried again does no harm.

    Args:
        store: where they go.
        clock: microseconds UTC, for tests.
    """

    def __init__(self, store: StoreOptions, clock: Callable[[], int] | None = None) -> None:
        super().__init__()
        self._store = store
        self._clock = clock

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        return events | "PushEvents" >> beam.ParDo(_Push(self._store, self._clock))


class _Push(beam.DoFn):
    def __init__(self, store: StoreOptions, clock: Callable[[], int] | None) -> None:
        self._store = store
        self._clock = clock

    def setup(self) -> None:
        self._client = store_client(self._store)

    def process(self, element: pa.RecordBatch) -> Iterator[PushCounts]:
        now_us = self._clock() if self._clock else time.time_ns() // 1000
        counts = push_batch(self._client, self._store, element, now_us)
        count("recent", asdict(counts))
        yield counts

    def teardown(self) -> None:
        self._client.close()
