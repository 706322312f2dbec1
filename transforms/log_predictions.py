"""Appends predictions to the prediction log of the warehouse."""

from typing import Any

import apache_beam as beam
import pyarrow as pa

from features.tables import load_table
from transforms.bigquery_check import check_tables
from transforms.bigquery_rows import LoadRows

BATCH = "batch"
"""Who asked for the predictions of a batch job, in the log's words."""


class LogPredictions(beam.PTransform):
    """``RecordBatch`` with the columns of the prediction log -> nothing to go on with, having loaded every row.

    Columns are those of ``features/tables/predictions.json`` but for ``day``, which is made of ``time_us``; all but
    ``time_us`` may be left out. See ``LoadRows`` for what it needs.

    Args:
        target: ``bq://project.dataset.table``.
    """

    def __init__(self, target: str) -> None:
        super().__init__()
        self._target = target

    def expand(self, predictions: beam.PCollection) -> Any:
        table = load_table("predictions")
        return predictions | "LoadRows" >> LoadRows(self._target, table, kind="predictions", times=("time_us",))


def log_rows(predictions: pa.RecordBatch) -> pa.RecordBatch:
    """Returns the predictions of a batch job as rows of the log: given at the end of their window, without e-mails."""
    logged = {field["name"] for field in load_table("predictions").fields}
    named = {"time_us" if name == "window_end_us" else name: name for name in predictions.schema.names}
    columns = {name: predictions.column(column) for name, column in named.items() if name in logged}
    columns["asked_by"] = pa.array([BATCH] * len(predictions), pa.string())
    return pa.RecordBatch.from_pydict(columns)


def check_prediction_log(target: str) -> None:
    """Checks at start-up that the prediction log is there and has its columns.

    Raises:
        AuguryError: one of the kinds of ``check_tables``.
    """
    check_tables({target: load_table("predictions")})
