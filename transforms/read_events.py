"""Reads files into batches of canonical events; rows that cannot be events go to the dead letter with their reason."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal, TypeVar

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.adapters import Adapter
from features.events import DEAD_LETTER_SCHEMA, Adapted
from features.storage import open_atomic
from transforms import coders as coders  # batches get their coder
from transforms.ipc import to_ipc
from transforms.read_tasks import QueryTask, ReadTask
from transforms.sources import read_chunks
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
        first: number of the first task, in the files' names: two readers may share a folder.
    """

    def __init__(
        self, tasks: Sequence[ReadTask], adapter: Adapter, columns: Sequence[str], dead_letter: str, *, first: int = 0
    ) -> None:
        super().__init__()
        self._tasks, self._first = tasks, first
        self._reader = _ReadTask(adapter, tuple(columns), dead_letter)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        tasks = [task for task in self._tasks if not isinstance(task, QueryTask)]
        work = pipeline | "PlanReads" >> beam.Create(list(enumerate(tasks, self._first)))
        queries = [task for task in self._tasks if isinstance(task, QueryTask)]
        if queries:
            from transforms.query_rows import ReadQueryRows  # a quick start has no BigQuery in it

            rows = [
                pipeline
                | f"Query{index}" >> ReadQueryRows(task)
                | f"NameRows{index}" >> beam.Map(_named, replace(task, query=""))
                for index, task in enumerate(queries)
            ]
            work = (work, *rows) | "AllWork" >> beam.Flatten()
        return work | "AdaptRows" >> beam.ParDo(self._reader).with_outputs(TALLY, main="events")


class _ReadTask(beam.DoFn):
    def __init__(self, adapter: Adapter, columns: tuple[str, ...], dead_letter: str) -> None:
        self._adapter = adapter
        self._columns = columns
        self._dead_letter = dead_letter

    def process(
        self, element: tuple[int, ReadTask] | tuple[str, ReadTask, pa.Table]
    ) -> Iterator[pa.RecordBatch | beam.pvalue.TaggedOutput[Literal["tally"], Tally]]:
        name, task = f"{element[0]:05d}" if isinstance(element[0], int) else element[0], element[1]
        chunks = [element[2]] if len(element) == 3 else read_chunks(task, self._adapter.columns(self._columns))
        rejected: Counter[str] = Counter()
        rows = 0
        with ExitStack() as stack:
            letters: pq.ParquetWriter | None = None
            for chunk in _ahead(iter(chunks)):
                adapted: Adapted = self._adapter.adapt(chunk, task.path)
                rows += adapted.events.num_rows + adapted.rejected.num_rows
                if adapted.rejected.num_rows:
                    if letters is None:
                        file = stack.enter_context(open_atomic(f"{self._dead_letter}/part-{name}.parquet"))
                        letters = stack.enter_context(pq.ParquetWriter(file, DEAD_LETTER_SCHEMA))
                    letters.write_batch(adapted.rejected)
                    reasons = pc.value_counts(adapted.rejected.column("reason"))
                    rejected.update({entry["values"]: entry["counts"] for entry in reasons.to_pylist()})
                if adapted.events.num_rows:
                    yield adapted.events
        yield beam.pvalue.TaggedOutput(TALLY, Tally({**count("read", {"rows": rows}), **count("rejected", rejected)}))


def _named(rows: pa.Table, task: ReadTask) -> tuple[str, ReadTask, pa.Table]:
    """Returns rows with a name that is theirs whenever they are read again, and what they are of."""
    [batch] = rows.combine_chunks().to_batches()
    return hashlib.blake2b(to_ipc(batch, compress=False), digest_size=16).hexdigest(), task, rows


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Yields the chunks, having the next one read by another thread while the caller works on this one."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk
