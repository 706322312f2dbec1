"""Packs single rows into batches again, and marks those that came late."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from features.events import EVENT_SCHEMA
from features.recent_events import decode_events
from transforms import coders as coders  # batches get their coder
from transforms.tally import count

LATE = "late"
"""The column that says of an archived event whether it was received long after it happened."""

ARCHIVE_SCHEMA = EVENT_SCHEMA.append(pa.field(LATE, pa.bool_(), nullable=False))
"""What the streaming archive holds of an event: the canonical columns and ``LATE``, which adapters leave out."""

_MOST_ROWS = 1024


class PackEvents(beam.PTransform):
    """row, bytes -> ``RecordBatch`` in ``EVENT_SCHEMA`` of up to 1,024 rows of a bundle; none waits for another bundle.

    A batch has the time of its oldest element.
    """

    def expand(self, rows: beam.PCollection) -> beam.PCollection:
        return rows | "PackRows" >> beam.ParDo(_Pack()).with_output_types(pa.RecordBatch)


class MarkLate(beam.PTransform):
    """``RecordBatch`` in ``EVENT_SCHEMA`` -> the same in ``ARCHIVE_SCHEMA``, the late ones counted.

    Args:
        lateness_us: see ``mark_late``.
    """

    def __init__(self, lateness_us: int) -> None:
        super().__init__()
        self._lateness_us = lateness_us

    def expand(self, events: beam.PCollection) -> beam.PCollection:
        return events | "CompareTimes" >> beam.Map(_mark, self._lateness_us).with_output_types(pa.RecordBatch)


def mark_late(events: pa.RecordBatch, lateness_us: int) -> pa.RecordBatch:
    """Returns events with the column ``LATE``.

    An event is late if it happened (``timestamp_us``) more than ``lateness_us`` before it was received
    (``received_at_us``); one without a time of receipt is not late. The runner's watermark has no say: the same event
    is late in every run, or in none.

    Args:
        events: in ``EVENT_SCHEMA``.
        lateness_us: int64 microseconds.
    """
    behind_us = pc.subtract(events.column("received_at_us"), events.column("timestamp_us"))
    late = pc.fill_null(pc.greater(behind_us, lateness_us), False)
    return pa.RecordBatch.from_arrays([*events.columns, late], schema=ARCHIVE_SCHEMA)


def _mark(events: pa.RecordBatch, lateness_us: int) -> pa.RecordBatch:
    marked = mark_late(events, lateness_us)
    late = pc.sum(marked.column(LATE)).as_py()
    count("arrived", {"late": late, "in_time": marked.num_rows - late})
    return marked


class _Pack(beam.DoFn):
    def start_bundle(self) -> None:
        self._rows: list[bytes] = []
        self._oldest: Timestamp | None = None

    def process(self, element: bytes, timestamp: Timestamp = beam.DoFn.TimestampParam) -> Iterator[Any]:
        self._rows.append(element)
        self._oldest = timestamp if self._oldest is None else min(self._oldest, timestamp)
        if len(self._rows) >= _MOST_ROWS:
            yield from self.finish_bundle()
            self.start_bundle()

    def finish_bundle(self) -> Iterator[Any]:
        if self._rows:
            table = decode_events(self._rows, [""] * len(self._rows)).select(EVENT_SCHEMA.names)
            [batch] = table.cast(EVENT_SCHEMA).combine_chunks().to_batches()
            yield WindowedValue(batch, self._oldest, [GlobalWindow()])
