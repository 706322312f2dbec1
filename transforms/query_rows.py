"""The result of a query by Beam's own source: for what the Storage Read API cannot give."""

from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.io.gcp.bigquery import ReadFromBigQuery

from transforms.read_tasks import CHUNK_ROWS, QueryTask

_FEWEST_ROWS = 1000


class ReadQueryRows(beam.PTransform):
    """Pipeline -> tables of the rows of a query, some thousand each.

    Beam runs the query when the pipeline runs, exports its result as JSON to ``--temp_location gs://...`` and makes a
    dictionary of every row, so this costs many times what a stream of the Storage Read API does.

    Args:
        task: the query.
    """

    def __init__(self, task: QueryTask) -> None:
        super().__init__()
        self._task = task

    def expand(self, pipeline: beam.Pipeline) -> Any:
        return (
            pipeline
            | "RunQuery"
            >> ReadFromBigQuery(
                query=self._task.query,
                project=self._task.project,
                use_standard_sql=True,
                use_json_exports=True,  # as Avro, dates and decimals would be Python objects
            )
            | "RowsToTables" >> RowsToTables()
        )


class RowsToTables(beam.PTransform):
    """Dictionaries -> tables of their rows, some thousand each."""

    def expand(self, rows: beam.PCollection) -> Any:
        return (
            rows
            | "BatchRows" >> beam.BatchElements(min_batch_size=_FEWEST_ROWS, max_batch_size=CHUNK_ROWS)
            | "TableOfRows" >> beam.Map(_table)
        )


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows)
