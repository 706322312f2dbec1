"""Writes a stream of batches as Parquet files in hourly partitions, each file once and whole."""

import hashlib
import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.coders import VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from features.storage import atomic_write
from transforms.coders import RecordBatchCoder
from transforms.tally import count

FILE_ROWS = 50_000
"""Rows after which a file is written without waiting longer."""

_WAIT = TimerSpec("wait", TimeDomain.REAL_TIME)
_END = TimerSpec("end", TimeDomain.WATERMARK)
_BATCHES = beam.DoFn.StateParam(BagStateSpec("batches", RecordBatchCoder()))
_ROWS = beam.DoFn.StateParam(ReadModifyWriteStateSpec("rows", VarIntCoder()))
_WAIT_TIMER = beam.DoFn.TimerParam(_WAIT)
_END_TIMER = beam.DoFn.TimerParam(_END)


class WritePartitions(beam.PTransform):
    """``RecordBatch`` -> path of each file written.

    A batch goes to the partition of the hour of its element's time: ``<folder>/date=YYYY-MM-DD/hour=HH/``. Batches are
    collected for ``wait_seconds`` or ``FILE_ROWS`` rows. What makes up a file is settled by a shuffle before it is
    written, and its name comes from its content, so that a write that is tried again writes the same file.

    Args:
        folder: local or ``gs://``.
        wait_seconds: how long the first rows of a file wait for more.
        shards: how many files of one hour may be collected side by side.
        kind: what is counted: ``kind/rows`` and ``kind/files``.
        clock: seconds since 1970, for tests.
    """

    def __init__(
        self, folder: str, *, wait_seconds: float, kind: str, shards: int = 1, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._folder = folder.rstrip("/")
        self._kind = kind
        self._shards = shards
        self._collector = _Collect(wait_seconds, clock)

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        keyed = batches | "ChoosePartition" >> beam.ParDo(_Partition(self._shards)).with_output_types(
            tuple[str, pa.RecordBatch]
        )
        files = keyed | "CollectFile" >> beam.ParDo(self._collector).with_output_types(tuple[str, bytes])
        settled = files | "SettleFile" >> beam.Reshuffle()
        return settled | "WriteFile" >> beam.Map(_write, self._folder, self._kind)


def partition_of(time_us: int) -> str:
    """Returns ``date=YYYY-MM-DD/hour=HH`` of a time, int64 microseconds UTC."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime("date=%Y-%m-%d/hour=%H")


def parquet_bytes(batches: list[pa.RecordBatch]) -> bytes:
    """Returns a Parquet file of the batches, the same bytes for the same rows in the same order."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_batches(batches).combine_chunks(), file, compression="zstd")
    return file.getvalue()


class _Partition(beam.DoFn):
    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._next = 0

    def process(
        self, element: pa.RecordBatch, timestamp: Timestamp = beam.DoFn.TimestampParam
    ) -> Iterator[tuple[str, pa.RecordBatch]]:
        self._next = (self._next + 1) % self._shards
        yield f"{partition_of(timestamp.micros)}/{self._next}", element


class _Collect(beam.DoFn):
    """Gathers the batches of a key until there are enough, or the first has waited long enough, or the stream ends."""

    def __init__(self, wait_seconds: float, clock: Callable[[], float]) -> None:
        self._wait_seconds = wait_seconds
        self._clock = clock

    def process(
        self,
        element: tuple[str, pa.RecordBatch],
        window: Any = beam.DoFn.WindowParam,
        batches: Any = _BATCHES,
        rows: Any = _ROWS,
        wait: Any = _WAIT_TIMER,
        end: Any = _END_TIMER,
    ) -> Iterator[tuple[str, bytes]]:
        key, batch = element
        before = rows.read() or 0
        batches.add(batch)
        rows.write(before + batch.num_rows)
        if before + batch.num_rows >= FILE_ROWS:
            wait.clear()
            yield from _flush(key, batches, rows)
        elif not before:
            wait.set(Timestamp(self._clock() + self._wait_seconds))
            end.set(window.end)

    @on_timer(_WAIT)
    def waited(
        self,
        key: str = beam.DoFn.KeyParam,
        batches: Any = _BATCHES,
        rows: Any = _ROWS,
    ) -> Iterator[tuple[str, bytes]]:
        """Lets the file go."""
        yield from _flush(key, batches, rows)

    @on_timer(_END)
    def ended(
        self,
        key: str = beam.DoFn.KeyParam,
        batches: Any = _BATCHES,
        rows: Any = _ROWS,
    ) -> Iterator[tuple[str, bytes]]:
        """Lets the file go: the pipeline is being drained."""
        yield from _flush(key, batches, rows)


def _flush(key: str, batches: Any, rows: Any) -> Iterator[tuple[str, bytes]]:
    found = list(batches.read())
    if found:
        yield key.rpartition("/")[0], parquet_bytes(found)
    batches.clear()
    rows.clear()


def _write(file: tuple[str, bytes], folder: str, kind: str) -> str:
    partition, content = file
    path = f"{folder}/{partition}/part-{hashlib.blake2b(content, digest_size=16).hexdigest()}.parquet"
    atomic_write(path, content)
    rows = pq.read_metadata(io.BytesIO(content)).num_rows
    count(kind, {"rows": rows, "files": 1})
    return path
