"""Reads BigQuery tables as Arrow record batches, stream by stream, through the Storage Read API."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from transforms.bigquery_clients import BigQueryError, explained, open_reader
from transforms.read_tasks import CHUNK_BYTES, CHUNK_ROWS, REPEATING, TASK_ROWS, ReadTask, StreamTask, TableTask

MOST_STREAMS = 1000
"""BigQuery opens no more for a session."""

_AT_ONCE = 8


def open_streams(tasks: Sequence[ReadTask], columns: Sequence[str] | None) -> list[ReadTask]:
    """Returns the tasks with each table replaced by the streams of a session, which workers read side by side.

    A session is of the moment that its table was planned for, so that every session of a task holds the same rows. It
    expires after six hours; opening one costs nothing, reading it does.

    Args:
        tasks: from ``transforms.sources.plan_reads``.
        columns: to read, as for ``transforms.sources.read_chunks``.

    Raises:
        BigQueryError: a table cannot be read.
    """
    if not any(isinstance(task, TableTask) for task in tasks):
        return list(tasks)
    with open_reader() as client, ThreadPoolExecutor(_AT_ONCE) as pool:
        opened = pool.map(lambda task: _open(client, task, columns) if isinstance(task, TableTask) else [task], tasks)
        return [task for part in opened for task in part]


def read_table(task: TableTask, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """Yields a table in chunks, one stream after the other; see ``read_stream``."""
    for stream in open_streams([task], columns):
        assert isinstance(stream, StreamTask)
        yield from read_stream(stream)


def read_stream(task: StreamTask) -> Iterator[pa.Table]:
    """Yields a stream from its beginning, in chunks of about ``CHUNK_ROWS`` rows or ``CHUNK_BYTES``.

    A connection that breaks is taken up where it was.

    Raises:
        BigQueryError: the stream cannot be read, or its session has expired.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(task.schema))
    held: list[pa.RecordBatch] = []
    rows = size = 0
    with open_reader() as client:
        for batch in _batches(client, task, schema):
            held.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if rows >= CHUNK_ROWS or size >= CHUNK_BYTES:
                yield _chunk(held)
                held, rows, size = [], 0, 0
    if rows:
        yield _chunk(held)


def _batches(client: Any, task: StreamTask, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    try:
        with explained(task.path):
            for response in client.read_rows(task.stream):
                message = pa.py_buffer(response.arrow_record_batch.serialized_record_batch)
                yield pa.ipc.read_record_batch(message, schema)
    except BigQueryError as e:
        if "expired" in str(e).lower():
            raise BigQueryError(
                f"{task.path}: its reading session has expired, six hours after the start; read fewer days at once, or "
                "use more workers"
            ) from e
        raise


def _open(client: Any, task: TableTask, columns: Sequence[str] | None) -> list[StreamTask]:
    from google.cloud.bigquery_storage_v1 import types

    options = types.ReadSession.TableReadOptions(
        selected_fields=[] if columns is None else [name for name in columns if name in task.columns],
        row_restriction=task.restriction,
        arrow_serialization_options=types.ArrowSerializationOptions(
            buffer_compression=types.ArrowSerializationOptions.CompressionCodec.LZ4_FRAME
        ),
    )
    asked = types.ReadSession(table=task.table, data_format=types.DataFormat.ARROW, read_options=options)
    if task.snapshot_us is not None:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=task.snapshot_us)
        asked.table_modifiers = types.ReadSession.TableModifiers(snapshot_time=moment)
    with explained(f"{task.path} where {task.restriction}" if task.restriction else task.path):
        session = client.create_read_session(
            parent=f"projects/{task.project}",
            read_session=asked,
            max_stream_count=min(MOST_STREAMS, 1 + task.rows // TASK_ROWS),
        )
    rows = session.estimated_row_count or task.rows
    return [
        StreamTask(
            path=task.path,
            stream=stream.name,
            schema=session.arrow_schema.serialized_schema,
            rows=-(-rows // len(session.streams)),
        )
        for stream in session.streams
    ]


def _chunk(batches: list[pa.RecordBatch]) -> pa.Table:
    """Returns one table of the batches, its texts of few values dictionary-encoded."""
    table = pa.Table.from_batches(batches)
    for index, field in enumerate(table.schema):
        if field.name in REPEATING and pa.types.is_string(field.type):
            encoded = table.column(index).combine_chunks().dictionary_encode()
            table = table.set_column(index, field.name, encoded)
    return table
