"""Batches into BigQuery tables: streamed one by one, or loaded from files where the pipeline has an end."""

from typing import Any

import apache_beam as beam
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.io.gcp.bigquery import BigQueryDisposition, WriteToBigQuery
from apache_beam.io.gcp.bigquery_tools import RetryStrategy

from features.checks import dead_letters
from features.tables import DAY, Table, days_of
from transforms.bigquery_names import table_reference
from transforms.tally import count

NOT_WRITTEN = "bigquery_refused"
"""Why a row that BigQuery will not have becomes a dead letter."""


class _IntoTable(beam.PTransform):
    """``RecordBatch`` -> what Beam's own sink gives, having handed it every row.

    Args:
        target: ``bq://project.dataset.table``.
        table: what the target is; it has to be there (``transforms.bigquery_check``).
        kind: what is counted: ``kind/rows``, and ``kind/refused`` where rows may be.
        times: columns of int64 microseconds; the first that is not null says on which day a row belongs.
    """

    def __init__(self, target: str, table: Table, *, kind: str, times: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._target = table_reference(target)
        self._table = table
        self._kind = kind
        self._times = times

    def _written(self, batches: beam.PCollection, label: str, **how: Any) -> Any:
        rows = batches | "RowsOfBatch" >> beam.FlatMap(rows_of, self._kind, self._times).with_output_types(
            dict[str, Any]
        )
        return rows | label >> WriteToBigQuery(
            self._target,
            schema=beam_schema(self._table),
            create_disposition=BigQueryDisposition.CREATE_NEVER,
            write_disposition=BigQueryDisposition.WRITE_APPEND,
            **how,
        )


class WriteRows(_IntoTable):
    """``RecordBatch`` -> the rows that BigQuery refuses, as (row, its errors), having streamed in the others.

    Rows carry an insert id that a retry repeats, by which BigQuery drops copies for about a minute; whoever needs more
    selects distinct (anonymous_id, message_id).
    """

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        written = self._written(
            batches,
            "InsertRows",
            method=WriteToBigQuery.Method.STREAMING_INSERTS,
            insert_retry_strategy=RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
        )
        return written.failed_rows_with_errors | "TakeRefused" >> beam.Map(_refused, self._kind)


class LoadRows(_IntoTable):
    """``RecordBatch`` -> nothing to go on with, having appended every row by load jobs.

    Load jobs cost nothing, are named so that one that is tried again loads nothing twice, and fail the pipeline where a
    row does not fit; they need a pipeline that ends, and ``--temp_location gs://...`` for the files. Streaming
    pipelines use ``WriteRows``.
    """

    def expand(self, batches: beam.PCollection) -> Any:
        return self._written(batches, "LoadFiles", method=WriteToBigQuery.Method.FILE_LOADS)


def beam_schema(table: Table) -> dict[str, Any]:
    """Returns the table's schema as Beam takes it."""
    return {"fields": [dict(field) for field in table.fields]}


def rows_of(batch: pa.RecordBatch, kind: str, times: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Returns rows for BigQuery, counted as ``kind/rows``, with the day in UTC if there are ``times`` to tell it.

    Args:
        batch: N rows.
        kind: see above.
        times: columns of int64 microseconds; the first that is not null counts.
    """
    count(kind, {"rows": batch.num_rows})
    if times:
        given = [batch.column(name) for name in times]
        days = days_of(pc.coalesce(*given)).cast(pa.string())
        batch = pa.RecordBatch.from_arrays([*batch.columns, days], [*batch.schema.names, DAY])
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def dead_letter_of(refused: tuple[dict[str, Any], Any], source: str) -> pa.RecordBatch:
    """Returns the dead letter of a row that BigQuery refused, with its reasons."""
    row, errors = refused
    filled = {name: value for name, value in row.items() if value is not None}
    text = orjson.dumps({"row": filled, "errors": errors}, default=str).decode()
    return dead_letters([NOT_WRITTEN], [text], source)


def _refused(failed: tuple[Any, dict[str, Any], Any], kind: str) -> tuple[dict[str, Any], Any]:
    count(kind, {"refused": 1})
    return failed[1], failed[2]
