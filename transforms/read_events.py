"""Reads files into batches of canonical events; rows that cannot be events go to the dead letter with their reason."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Literal, TypeVar

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.adapters import Adapter
from features.events import DEAD_LETTER_SCHEMA, Adapted
from features.storage import open_atomic
from transforms import coders as coders  # batches get their coder
from transforms.sources import ReadTask, read_chunks
from transforms.tally import TALLY as TALLY
from transforms.tally import Tally, count

Chunk = TypeVar("Chunk")


class ReadEvents(beam.PTransform):
    """Reads tasks -> (``RecordBatch`` of canonical events; ``Tally`` under the tag ``TALLY``).

    Args:
        tasks: what to read, as ``transforms.sources.plan_reads`` gives it.
        adapter: turns rows into events.
        columns: event columns wanted; a source that can leaves the others out.
        dead_letter: folder for the rejected rows, one Parquet file a task that had any.
    """

    def __init__(self, tasks: Sequence[ReadTask], adapter: Adapter, columns: Sequence[str], dead_letter: str) -> None:
        super().__init__()
        self._tasks = tasks
        self._reader = _ReadTask(adapter, tuple(columns), dead_letter)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        return (
            pipeline
            | "PlanReads" >> beam.Create(list(enumerate(self._tasks)))
            | "AdaptRows" >> beam.ParDo(self._reader).with_outputs(TALLY, main="events")
        )


class _ReadTask(beam.DoFn):
    def __init__(self, adapter: Adapter, columns: tuple[str, ...], dead_letter: str) -> None:
        self._adapter = adapter
        self._columns = columns
        self._dead_letter = dead_letter

    def process(
        self, element: tuple[int, ReadTask]
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        index, task = element
        rejected: Counter[str] = Counter()
        rows = 0
        with ExitStack() as stack:
            letters: pq.ParquetWriter | None = None
            for chunk in _ahead(read_chunks(task, self._adapter.columns(self._columns))):
                adapted: Adapted = self._adapter.adapt(chunk, task.path)
                rows += adapted.events.num_rows + adapted.rejected.num_rows
                if adapted.rejected.num_rows:
                    if letters is None:
                        file = stack.enter_context(open_atomic(f"{self._dead_letter}/part-{index:05d}.parquet"))
                        letters = stack.enter_context(pq.ParquetWriter(file, DEAD_LETTER_SCHEMA))
                    letters.write_batch(adapted.rejected)
                    reasons = pc.value_counts(adapted.rejected.column("reason"))
                    rejected.update({entry["values"]: entry["counts"] for entry in reasons.to_pylist()})
                if adapted.events.num_rows:
                    yield adapted.events
        yield beam.pvalue.TaggedOutput(TALLY, Tally({**count("read", {"rows": rows}), **count("rejected", rejected)}))


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yields the chunks, having the next one read by another thread while the caller works on this one."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk
