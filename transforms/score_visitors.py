"""Asks a model about visitors through Beam's RunInference, and writes what it says, a file for each part of a shard."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.sessions import VISITOR
from features.storage import open_atomic
from transforms import coders as coders  # batches get their coder
from transforms.run_inference import ModelHandler, RunInference
from transforms.tally import NAMESPACE, count
from transforms.visitor_histories import VisitorPart

PREDICTION_SCHEMA = pa.schema(
    [
        pa.field("visitor", pa.string(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("probabilities", pa.list_(pa.field("item", pa.float32(), nullable=False)), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("events_used", pa.int64(), nullable=False),
        pa.field("known", pa.bool_(), nullable=False),
        pa.field("truncated", pa.bool_(), nullable=False),
        pa.field("window_end_us", pa.int64(), nullable=False),
        pa.field("email_sha256", pa.string()),
    ]
)
"""A row a visitor; fields as in the service's answers."""

FORMATS = ("parquet", "csv")


class VisitorScorer(Protocol):
    """What is asked; models.behavior.scoring has one."""

    name: str
    version: str

    def predict(self, events: pa.Table, full: npt.NDArray[np.bool_]) -> pa.Table: ...


class Loader(Protocol):
    """Loads the model in each worker; it must be picklable."""

    def __call__(self) -> VisitorScorer: ...


@dataclass(frozen=True)
class ScoredPart:
    """The predictions of a part: (V,) rows in ``PREDICTION_SCHEMA``."""

    shard: int
    part: int
    rows: pa.RecordBatch


@dataclass(frozen=True)
class WrittenPart:
    """A file that is whole: its name, its rows, and how many of them are in each segment."""

    name: str
    rows: int
    segments: Mapping[str, int] = field(default_factory=dict)


class ScoreVisitors(beam.PTransform):
    """``VisitorPart`` -> ``ScoredPart``.

    Args:
        load: loads the model.
        window: singleton side input, ``Window``; its end is written beside each prediction.
    """

    def __init__(self, load: Loader, window: beam.pvalue.AsSingleton) -> None:
        super().__init__()
        self._handler, self._window = ScorerHandler(load), window

    def expand(self, parts: beam.PCollection) -> beam.PCollection:
        return (
            parts
            | "Score" >> RunInference(self._handler)
            | "AddWindow" >> beam.Map(_with_window, self._window).with_output_types(ScoredPart)
        )


class ScorerHandler(ModelHandler[VisitorPart, ScoredPart, VisitorScorer]):
    """Lets RunInference ask a model about visitors; a part is a batch already."""

    def __init__(self, load: Loader) -> None:
        super().__init__(min_batch_size=1, max_batch_size=1)
        self._load = load

    def load_model(self) -> VisitorScorer:
        """Loads the model, once a worker process."""
        return self._load()

    def run_inference(
        self, batch: Sequence[VisitorPart], model: VisitorScorer, inference_args: Mapping[str, Any] | None = None
    ) -> Iterable[ScoredPart]:
        """Yields the predictions of each part."""
        for part in batch:
            yield ScoredPart(part.shard, part.part, scored_rows(part, model))

    def get_num_bytes(self, batch: Sequence[VisitorPart]) -> int:
        """Returns the size of a batch, bytes, for Beam's metrics."""
        return sum(part.events.nbytes for part in batch)

    def get_metrics_namespace(self) -> str:
        """Returns the namespace of RunInference's metrics."""
        return NAMESPACE


def scored_rows(part: VisitorPart, model: VisitorScorer) -> pa.RecordBatch:
    """Returns what a model says of the visitors of a part, in ``PREDICTION_SCHEMA``, the window's end still 0."""
    answers = model.predict(part.events, part.full)
    if answers.column(VISITOR).to_pylist() != part.visitors.to_pylist():
        raise RuntimeError(f"shard {part.shard}: a model answered for other visitors than it was asked about")
    rows = len(answers)
    columns = {name: answers.column(name) for name in PREDICTION_SCHEMA.names if name in answers.column_names}
    columns |= {
        "model": pa.array([model.name] * rows, pa.string()),
        "version": pa.array([model.version] * rows, pa.string()),
        "window_end_us": pa.array(np.zeros(rows, np.int64)),
        "email_sha256": part.emails,
    }
    table = pa.table({name: columns[name] for name in PREDICTION_SCHEMA.names}, schema=PREDICTION_SCHEMA)
    [batch] = table.combine_chunks().to_batches()
    return batch


class WritePredictions(beam.PTransform):
    """``ScoredPart`` -> ``WrittenPart``.

    Args:
        folder: to write to.
        format: one of ``FORMATS``.
        shards: number of shards, which is in every file's name.
        flush: wait until the disk holds each file.
    """

    def __init__(self, folder: str, format: str, shards: int, *, flush: bool) -> None:
        super().__init__()
        self._arguments = (folder, format, shards, flush)

    def expand(self, scored: beam.PCollection) -> beam.PCollection:
        return scored | "WriteFile" >> beam.Map(_write, *self._arguments).with_output_types(WrittenPart)


def segments_of(rows: pa.RecordBatch) -> dict[str, int]:
    """Returns segment -> number of predictions."""
    return {entry["values"]: entry["counts"] for entry in rows.column("segment").value_counts().to_pylist()}


def _with_window(scored: ScoredPart, window: Any) -> ScoredPart:
    place = PREDICTION_SCHEMA.get_field_index("window_end_us")
    ends = pa.array(np.full(len(scored.rows), window.end_us, np.int64))
    return ScoredPart(scored.shard, scored.part, scored.rows.set_column(place, PREDICTION_SCHEMA.field(place), ends))


def _write(scored: ScoredPart, folder: str, format: str, shards: int, flush: bool) -> WrittenPart:
    name = f"predictions-{scored.shard:05d}-of-{shards:05d}-{scored.part:04d}.{format}"
    with open_atomic(f"{folder}/{name}", flush=flush) as file:
        if format == "csv":
            pacsv.write_csv(as_csv(scored.rows), file)
        else:
            pq.write_table(pa.Table.from_batches([scored.rows]), file, compression="zstd")
    count("kept", {"predictions": len(scored.rows)})
    return WrittenPart(name, len(scored.rows), segments_of(scored.rows))


def as_csv(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Returns rows as CSV can hold them: float32 as the shortest float64 that is the same, lists joined by spaces."""
    columns = {}
    for entry in rows.schema:
        column = rows.column(entry.name)
        if pa.types.is_list(entry.type):
            column = pa.array([" ".join(map(repr, values)) for values in column.to_pylist()], pa.string())
        elif pa.types.is_float32(entry.type):
            column = column.cast(pa.float64())
        columns[entry.name] = column
    return pa.RecordBatch.from_pydict(columns)
