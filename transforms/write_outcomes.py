"""Judges the predictions of a shard and writes what became of them, a Parquet file a shard."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sessions import VISITOR, Window
from features.storage import open_atomic
from transforms.ipc import from_ipc
from transforms.judge_predictions import OUTCOME_SCHEMA, Judge, judge_shard
from transforms.tally import count
from transforms.worker_sizes import HOLDS_SHARDS, sized


@dataclass(frozen=True)
class WrittenOutcomes:
    """A file that is whole: its name ("" where the shard had no predictions), its rows and how many by status."""

    name: str
    rows: int
    statuses: Mapping[str, int] = field(default_factory=dict)


class JudgeShards(beam.PTransform):
    """(shard, packed events and predictions) -> ``WrittenOutcomes``.

    Args:
        judges: version -> how its predictions are judged.
        settle_us: how long after a week's end its answers count as in, microseconds.
        folder: to write to.
        shards: number of shards, which is in every file's name.
        window: singleton side input, ``Window`` of the events.
        columns: event columns, for shards that have predictions and no events.
        flush: wait until the disk holds each file.
    """

    def __init__(
        self,
        judges: Mapping[str, Judge],
        settle_us: int,
        folder: str,
        shards: int,
        window: beam.pvalue.AsSingleton,
        columns: tuple[str, ...],
        *,
        flush: bool,
    ) -> None:
        super().__init__()
        self._arguments = (judges, settle_us, folder, shards, columns, flush)
        self._window = window

    def expand(self, shards: beam.PCollection) -> Any:
        judged = beam.Map(_judge, self._window, *self._arguments).with_output_types(WrittenOutcomes)
        return shards | "JudgeAndWrite" >> sized(judged, shards, HOLDS_SHARDS)


def separated(pieces: Iterable[bytes], columns: tuple[str, ...]) -> tuple[pa.Table, pa.Table | None]:
    """Returns a shard's events and its predictions (None: it has none), told apart by their columns."""
    events: list[pa.RecordBatch] = []
    predictions: list[pa.RecordBatch] = []
    for piece in pieces:
        batch = from_ipc(piece)
        (predictions if "asked" in batch.schema.names else events).append(batch)
    found = pa.Table.from_batches(events) if events else _no_events(columns)
    return found, pa.Table.from_batches(predictions) if predictions else None


def _judge(
    shard: tuple[int, Iterable[bytes]],
    window: Window,
    judges: Mapping[str, Judge],
    settle_us: int,
    folder: str,
    shards: int,
    columns: tuple[str, ...],
    flush: bool,
) -> WrittenOutcomes:
    number, pieces = shard
    events, predictions = separated(pieces, columns)
    if predictions is None:
        return WrittenOutcomes("", 0)
    rows = judge_shard(events, predictions, judges, window, settle_us)
    name = f"outcomes-{number:05d}-of-{shards:05d}.parquet"
    with open_atomic(f"{folder}/{name}", flush=flush) as file:
        pq.write_table(rows.cast(OUTCOME_SCHEMA), file, compression="zstd")
    statuses = {entry["values"]: entry["counts"] for entry in pc.value_counts(rows.column("status")).to_pylist()}
    count("outcomes", statuses)
    return WrittenOutcomes(name, rows.num_rows, statuses)


def _no_events(columns: tuple[str, ...]) -> pa.Table:
    kinds = {"timestamp_us": pa.int64(), "received_at_us": pa.int64()}
    return pa.table({name: pa.array([], kinds.get(name, pa.string())) for name in (VISITOR, *columns)})
