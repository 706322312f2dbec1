"""Reads BigQuery tables as Arrow record batches, stream by stream, through the Storage Read API."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from transforms.bigquery_clients import BigQueryError, explained, open_reader
from transforms.read_tasks import CHUNK_BYTES, CHUNK_ROWS, REPEATING, TASK_ROWS, ReadTask, StreamTask, TableTask
from transforms.side_by_side import side_by_side

MOST_STREAMS = 1000
"""BigQuery opens no more for a session."""

TASK_STREAMS = 8
"""Streams that one worker is given at most for ``TASK_ROWS``; the server may open fewer."""

_OPENED_AT_ONCE = 8
_READ_AT_ONCE = 4


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
    with open_reader() as client, ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
        opened = pool.map(lambda task: _open(client, task, columns) if isinstance(task, TableTask) else [task], tasks)
        return [task for part in opened for task in part]


def read_table(task: TableTask, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """Yields a table in chunks; see ``read_streams``."""
    for part in open_streams([task], columns):
        assert isinstance(part, StreamTask)
        yield from read_streams(part)


def read_streams(task: StreamTask) -> Iterator[pa.Table]:
    """Yields streams from their beginnings, in chunks of about ``CHUNK_ROWS`` rows or ``CHUNK_BYTES``.

    Some are read at once, so that the server prepares the next rows of one while those of another are decoded; which
    chunk comes first is chance. A connection that breaks is taken up where it was.

    Raises:
        BigQueryError: a stream cannot be read, or its session has expired.
    """
    schema = pa.ipc.read_schema(pa.py_buffer(task.schema))
    with open_reader() as client:
        streams = [_chunks(_batches(client, task.path, stream, schema)) for stream in task.streams]
        yield from side_by_side(streams, _READ_AT_ONCE)


def _chunks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield _chunk(held)
            held, rows, size = [], 0, 0
    if rows:
        yield _chunk(held)


def _batches(client: Any, path: str, stream: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from google.cloud.bigquery_storage_v1 import types

    try:
        with explained(path):
            for response in client.read_rows(stream):
                plain = types.ReadRowsResponse.pb(response)  # the wrapper would copy the bytes once more
                message = pa.py_buffer(plain.arrow_record_batch.serialized_record_batch)
                yield pa.ipc.read_record_batch(message, schema)
    except BigQueryError as e:
        if "expired" in str(e).lower():
            raise BigQueryError(
                f"{path}: its reading session has expired, six hours after the start; read fewer days at once, or "
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
            max_stream_count=min(MOST_STREAMS, (1 + task.rows // TASK_ROWS) * TASK_STREAMS),
        )
    rows = session.estimated_row_count or task.rows
    names = [stream.name for stream in session.streams]
    parts = min(len(names), 1 + task.rows // TASK_ROWS)
    return [
        StreamTask(
            path=task.path,
            streams=tuple(names[part::parts]),
            schema=session.arrow_schema.serialized_schema,
            rows=-(-rows // parts),
        )
        for part in range(parts)
    ]


def _chunk(batches: list[pa.RecordBatch]) -> pa.Table:
    """Returns one table of the batches, its texts of few values dictionary-encoded."""
    table = pa.Table.from_batches(batches)
    for index, field in enumerate(table.schema):
        if field.name in REPEATING and pa.types.is_string(field.type):
            encoded = table.column(index).combine_chunks().dictionary_encode()
            table = table.set_column(index, field.name, encoded)
    return table
