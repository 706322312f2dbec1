"""Batches as rows of BigQuery tables, and the tables' schemas, made from the Arrow schemas used everywhere else."""

import re
from typing import Any

import apache_beam as beam
import orjson
import pyarrow as pa
from apache_beam.io.gcp.bigquery import BigQueryDisposition, WriteToBigQuery
from apache_beam.io.gcp.bigquery_tools import RetryStrategy

from features.checks import dead_letters
from features.errors import AuguryError
from transforms.tally import count

NOT_WRITTEN = "bigquery_refused"
"""Why a row that BigQuery will not have becomes a dead letter."""

_TYPES = {pa.string(): "STRING", pa.int64(): "INTEGER", pa.bool_(): "BOOLEAN", pa.float32(): "FLOAT"}
_TABLE = re.compile(r"bq://((?:[a-z0-9.-]+:)?[a-z0-9-]+)\.(\w+)\.([\w-]+)")


class TableError(AuguryError, ValueError):
    """The name of a table that cannot be."""


class WriteRows(beam.PTransform):
    """``RecordBatch`` -> the rows that BigQuery refuses, as (row, its errors), having streamed in the others.

    The table is made if need be, partitioned by the day of arrival. Rows carry an insert id that a retry repeats, by
    which BigQuery drops copies for about a minute; whoever needs more selects distinct (anonymous_id, message_id).

    Args:
        table: ``bq://project.dataset.table``.
        schema: of the batches.
        kind: what is counted: ``kind/rows`` and ``kind/refused``.
        cluster_by: columns to cluster by.
    """

    def __init__(self, table: str, schema: pa.Schema, *, kind: str, cluster_by: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._table = table_reference(table)
        self._schema = schema
        self._kind = kind
        self._cluster_by = cluster_by

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        rows = batches | "RowsOfBatch" >> beam.FlatMap(_rows, self._kind).with_output_types(dict[str, Any])
        written = rows | "InsertRows" >> WriteToBigQuery(
            self._table,
            schema=table_schema(self._schema),
            create_disposition=BigQueryDisposition.CREATE_IF_NEEDED,
            write_disposition=BigQueryDisposition.WRITE_APPEND,
            method=WriteToBigQuery.Method.STREAMING_INSERTS,
            insert_retry_strategy=RetryStrategy.RETRY_ON_TRANSIENT_ERROR,
            additional_bq_parameters=table_parameters(self._cluster_by),
        )
        return written.failed_rows_with_errors | "TakeRefused" >> beam.Map(_refused, self._kind)


def table_reference(table: str) -> str:
    """Returns Beam's form of ``bq://project.dataset.table``.

    Raises:
        TableError: it has another form.
    """
    found = _TABLE.fullmatch(table)
    if found is None:
        raise TableError(f"{table!r} names no BigQuery table; expected bq://project.dataset.table")
    return "{}:{}.{}".format(*found.groups())


def table_schema(schema: pa.Schema) -> dict[str, Any]:
    """Returns BigQuery's schema of a table for rows in an Arrow schema: times stay INTEGER microseconds."""
    return {
        "fields": [
            {"name": field.name, "type": _TYPES[field.type], "mode": "NULLABLE" if field.nullable else "REQUIRED"}
            for field in schema
        ]
    }


def table_parameters(cluster_by: tuple[str, ...] = ()) -> dict[str, Any]:
    """Returns how a table that is made is laid out."""
    parameters: dict[str, Any] = {"timePartitioning": {"type": "DAY"}}
    if cluster_by:
        parameters["clustering"] = {"fields": list(cluster_by)}
    return parameters


def dead_letter_of(refused: tuple[dict[str, Any], Any], source: str) -> pa.RecordBatch:
    """Returns the dead letter of a row that BigQuery refused, with its reasons."""
    row, errors = refused
    filled = {name: value for name, value in row.items() if value is not None}
    text = orjson.dumps({"row": filled, "errors": errors}, default=str).decode()
    return dead_letters([NOT_WRITTEN], [text], source)


def _rows(batch: pa.RecordBatch, kind: str) -> list[dict[str, Any]]:
    count(kind, {"rows": batch.num_rows})
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def _refused(failed: tuple[Any, dict[str, Any], Any], kind: str) -> tuple[dict[str, Any], Any]:
    count(kind, {"refused": 1})
    return failed[1], failed[2]
