"""Fills a fast store from archived events: only what it needs of them crosses the shuffle and the network."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict

import apache_beam as beam
import pyarrow as pa

from features.events import EVENT_SCHEMA
from features.recent_events import PushCounts
from transforms.newest_events import may_matter, newest_events
from transforms.recent_store import StoreOptions, push_batch, store_client
from transforms.shard_events import GroupByShard
from transforms.shards import unpack
from transforms.tally import count
from transforms.worker_sizes import HOLDS_SHARDS, sized

_ROWS_A_PUSH = 2048


class FillStore(beam.PTransform):
    """``RecordBatch`` in ``EVENT_SCHEMA`` -> ``PushCounts`` of each shard of visitors, having pushed what matters.

    An anonymous id's events are pushed in the order in which they were received, so that who logged in when has the
    same outcome as it had then.

    Args:
        store: where they go.
        shards: number of shards; one has to fit in memory.
        clock: microseconds UTC.
    """

    def __init__(
        self,
        store: StoreOptions,
        shards: int,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        super().__init__()
        self._chooser = _Choose(store, clock)
        self._filler = _Fill(store, clock)
        self._shards = shards

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        return (
            events
            | "ChooseEvents" >> beam.ParDo(self._chooser).with_output_types(pa.RecordBatch)
            | "GroupByShard" >> GroupByShard(self._shards, EVENT_SCHEMA.names)
            | "PushShard" >> sized(beam.ParDo(self._filler), events, HOLDS_SHARDS)
        )


class _Choose(beam.DoFn):
    def __init__(self, store: StoreOptions, clock: Callable[[], int]) -> None:
        self._rules = store.rules
        self._clock = clock

    def process(self, element: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        chosen = element.filter(pa.array(may_matter(element, self._rules, self._clock())))
        count("dropped", {"not_needed": element.num_rows - chosen.num_rows})
        if chosen.num_rows:
            yield chosen


class _Fill(beam.DoFn):
    def __init__(self, store: StoreOptions, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def setup(self) -> None:
        self._client = store_client(self._store)

    def process(self, element: tuple[int, Iterable[bytes]]) -> Iterator[PushCounts]:
        table = unpack(element[1]).select(EVENT_SCHEMA.names).cast(EVENT_SCHEMA).combine_chunks()
        now_us = self._clock()
        [events] = table.to_batches()
        needed = newest_events(events, self._store.rules, now_us)
        count("dropped", {"not_needed": events.num_rows - needed.num_rows})
        counts = PushCounts()
        for start in range(0, needed.num_rows, _ROWS_A_PUSH):
            counts += push_batch(self._client, self._store, needed.slice(start, _ROWS_A_PUSH), now_us)
        count("recent", asdict(counts))
        yield counts

    def teardown(self) -> None:
        self._client.close()
