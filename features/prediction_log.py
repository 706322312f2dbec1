"""The prediction log, read back: rows of the archive, of BigQuery or of a batch job, as one small schema.

An adapter like those of events (``features.adapters``): every row is in exactly one of rows and dead letters.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from features.checks import dead_letters, no_dead_letters, plain
from features.columns import ColumnsError, one_chunk
from features.events import Adapted
from features.jsonrows import RowsError

LOGGED_SCHEMA = pa.schema(
    [
        pa.field("visitor", pa.string(), nullable=False),
        pa.field("time_us", pa.int64(), nullable=False),
        pa.field("prediction_id", pa.string()),
        pa.field("model", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("asked_by", pa.string()),
        pa.field("known", pa.bool_(), nullable=False),
        pa.field("probability", pa.float32(), nullable=False),
        pa.field("predicted", pa.int64(), nullable=False),
        pa.field("classes", pa.int64(), nullable=False),
    ]
)
"""A logged prediction: ``predicted`` is the class that ``probability`` is of, 1 of two and the likeliest of more;
``classes`` is how many there are, 0 where only the one probability was logged."""

NO_VISITOR, NO_TIME, NO_VERSION, NOT_A_PROBABILITY = "no_visitor", "no_time", "no_version", "not_a_probability"

_BATCH_TIME = "window_end_us"
_REQUIRED = ("visitor", "model", "version")
_READ = (*_REQUIRED, "time_us", _BATCH_TIME, "prediction_id", "asked_by", "known", "probability", "probabilities")
_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class PredictionLogAdapter:
    """Reads tables with the columns of the prediction log, or those that a batch prediction writes to a folder.

    Attributes:
        name: of the adapter.
    """

    name: str = "predictions"

    def columns(self, wanted: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns the columns to read; a source leaves out those it lacks."""
        return _READ

    def adapt(self, rows: pa.Array | pa.Table, source: str) -> Adapted:
        """Adapts a table (N rows); the rows of ``events`` are in ``LOGGED_SCHEMA``.

        Raises:
            RowsError: the rows are lines.
            ColumnsError: a column is missing, or has a type that cannot be read.
        """
        if not isinstance(rows, pa.Table):
            raise RowsError(
                f"{source} holds lines, but the prediction log is read from Parquet or BigQuery; name the archive's "
                "folder predictions, or bq://project.dataset.predictions"
            )
        columns = _columns(rows, source)
        reasons = _reasons(columns)
        good = reasons == ""
        made = pa.RecordBatch.from_pydict({name: columns[name] for name in LOGGED_SCHEMA.names})
        made = made.filter(pa.array(good, pa.bool_())).cast(LOGGED_SCHEMA)
        bad = np.flatnonzero(~good)
        if not len(bad):
            return Adapted(made, no_dead_letters())
        texts = [orjson.dumps(row, default=str).decode() for row in rows.take(pa.array(bad)).to_pylist()]
        return Adapted(made, dead_letters(reasons[bad].tolist(), texts, source))


def _columns(rows: pa.Table, source: str) -> dict[str, pa.Array]:
    names = rows.column_names
    missing = [name for name in _REQUIRED if name not in names]
    missing += [] if "time_us" in names or _BATCH_TIME in names else ["time_us"]
    missing += [] if {"probability", "probabilities"} & set(names) else ["probabilities"]
    if missing:
        raise ColumnsError(
            f"{source} lacks column {missing[0]!r}, so it is no prediction log; expected {', '.join(_REQUIRED)}, "
            "time_us and probabilities: the archive's folder predictions, or the table that Terraform makes"
        )
    count = rows.num_rows
    columns: dict[str, pa.Array] = {}
    try:
        for name in ("visitor", "prediction_id", "model", "version", "asked_by"):
            columns[name] = _cast(rows, name, pa.string(), count)
        batch = _cast(rows, _BATCH_TIME, pa.int64(), count)
        columns["time_us"] = pc.coalesce(_cast(rows, "time_us", pa.int64(), count), batch)
        if "asked_by" not in names:
            columns["asked_by"] = pc.if_else(pc.is_valid(batch), pa.scalar("batch"), columns["asked_by"])
        nobody = pc.fill_null(pc.equal(columns["asked_by"], "events"), False)  # whose events they are need not be said
        columns["visitor"] = pc.if_else(nobody, pc.fill_null(columns["visitor"], ""), columns["visitor"])
        columns["known"] = pc.fill_null(_cast(rows, "known", pa.bool_(), count), True)
        probability = _cast(rows, "probability", pa.float32(), count)
        given = _cast(rows, "probabilities", pa.list_(pa.float32()), count)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as e:
        raise ColumnsError(f"{source} is no prediction log: {' '.join(str(e).split())[:200]}") from e
    return columns | _headlines(given, probability)


def _cast(rows: pa.Table, name: str, kind: pa.DataType, count: int) -> pa.Array:
    if name not in rows.column_names:
        return pa.nulls(count, kind)
    column = one_chunk(rows, name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False).cast(pa.int64())
    # a float64 of BigQuery is the float32 that was logged: the cast gives the same bits back
    return plain(column).cast(kind, safe=not (pa.types.is_floating(kind) or pa.types.is_list(kind)))


def _headlines(given: pa.Array, probability: pa.Array) -> dict[str, pa.Array]:
    """Returns the probability each answer leads with (NaN where it is none), of which class, and of how many."""
    lengths = pc.fill_null(pc.list_value_length(given), 0).to_numpy(False).astype(np.int64)
    values = pc.fill_null(given.flatten(), np.nan).to_numpy(False).astype(np.float64)
    starts = np.cumsum(lengths) - lengths
    lead = pc.fill_null(probability, np.nan).to_numpy(False).astype(np.float64)
    predicted = np.ones(len(lengths), np.int64)
    for classes in np.unique(lengths[lengths > 0]).tolist():
        rows = np.flatnonzero(lengths == classes)
        each = values[starts[rows][:, None] + np.arange(classes)]
        good = np.isfinite(each).all(1) & (each >= 0).all(1) & (np.abs(each.sum(1) - 1) <= _SUM_TOLERANCE)
        place = np.ones(len(rows), np.int64) if classes == 2 else np.nan_to_num(each).argmax(1)
        predicted[rows] = place
        if classes == 1:
            good[:] = False
        lead[rows] = np.where(good, each[np.arange(len(rows)), np.minimum(place, classes - 1)], np.nan)
    return {
        "probability": pa.array(lead.astype(np.float32)),
        "predicted": pa.array(predicted),
        "classes": pa.array(lengths),
    }


def _reasons(columns: dict[str, pa.Array]) -> npt.NDArray[np.str_]:
    """Returns why each row cannot be used, "" for one that can."""
    lead = columns["probability"].to_numpy(False)
    with np.errstate(invalid="ignore"):
        wrong = ~((lead >= 0) & (lead <= 1))
    return np.select(
        [
            _empty(columns["visitor"]) & (columns["asked_by"].to_numpy(False) != "events"),
            columns["time_us"].is_null().to_numpy(False),
            _empty(columns["version"]) | _empty(columns["model"]),
            wrong,
        ],
        [NO_VISITOR, NO_TIME, NO_VERSION, NOT_A_PROBABILITY],
        default="",
    )


def _empty(texts: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = pc.fill_null(pc.equal(pc.binary_length(texts), 0), True).to_numpy(False)
    return found
