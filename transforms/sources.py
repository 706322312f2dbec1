"""Events: planning what to read, and reading it in chunks of bounded memory. Plain Python; any engine can call it.

Parquet, JSON lines and CSV; the last two also compressed with gzip or zstd; local or on ``gs://``. Tables and queries
of BigQuery, ``bq://`` and ``bq-query://``.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import AuguryError
from features.storage import list_files, open_filesystem
from transforms.bigquery_names import is_bigquery
from transforms.bigquery_streams import read_streams, read_table
from transforms.bigquery_tables import plan_tables
from transforms.csv_rows import csv_tables
from transforms.lines import chunk_lines
from transforms.read_tasks import (
    CHUNK_BYTES,
    CHUNK_ROWS,
    REPEATING,
    TASK_ROWS,
    QueryTask,
    ReadTask,
    SourceError,
    StreamTask,
    TableTask,
)

FORMATS = ("parquet", "jsonl", "csv")

TASK_BYTES = 64 << 20
"""Plain JSON lines are cut into tasks of about this size."""

MAX_ROW_GROUP_BYTES = 8 << 30
"""A row group that unfolds to more is refused: reading it could take all memory."""

_SUFFIXES = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd", ".zstd": "zstd"}
_SCHEMES = ("file", "gs", "gcs", "memory")
_BOM = b"\xef\xbb\xbf"


def plan_reads(patterns: Sequence[str], format: str | None = None) -> list[ReadTask]:
    """Plans the reading of all files that the patterns name, each file once, in the order of the names.

    Args:
        patterns: files, folders (all files below), or globs; local or ``gs://``; ``bq://`` and ``bq-query://`` as
            ``transforms.bigquery_names`` reads them, which come last.
        format: one of ``FORMATS``; None goes by each file's suffix.

    Raises:
        AuguryError: see ``transforms.bigquery_tables.plan_tables``.
        SourceError: a pattern matches nothing, a file has an unknown format or is no Parquet, or nothing holds data.
        StorageError: a place cannot be listed.
    """
    if format is not None and format not in FORMATS:
        raise SourceError(f"no format {format!r}; expected one of {', '.join(FORMATS)}")
    if not patterns:
        raise SourceError("no event files given; name a file, a folder or a pattern such as events/*.parquet")
    tables = list(dict.fromkeys(name for name in patterns if is_bigquery(name)))
    paths = sorted({path for pattern in patterns if pattern not in tables for path in _match(pattern)})
    tasks = [task for path in paths for task in _plan_file(path, format or _format_of(path))]
    tasks += [task for name in tables for task in plan_tables(name)]
    if not tasks:
        raise SourceError(f"{', '.join(patterns)}: {_count(len(paths))}, all empty; expected at least one event")
    return tasks


def read_chunks(task: ReadTask, columns: Sequence[str] | None = None) -> Iterator[pa.Array | pa.Table]:
    """Yields what a task covers in chunks of about ``CHUNK_ROWS`` rows or ``CHUNK_BYTES``.

    Args:
        task: from ``plan_reads``.
        columns: of a Parquet file or a table, those to read, as ``Adapter.columns`` says; columns that it lacks are
            left out (the adapter knows whether it can do without). None reads all. Other formats are read whole, and a
            stream has the columns that it was opened with.

    Yields:
        Binary arrays of lines for JSON lines; tables for the rest.

    Raises:
        SourceError: the file is missing, corrupt or truncated.
        BigQueryError: a table cannot be read.
    """
    if isinstance(task, StreamTask | TableTask):
        yield from read_streams(task) if isinstance(task, StreamTask) else read_table(task, columns)
        return
    if isinstance(task, QueryTask):
        raise SourceError(
            f"{task.path} can only be read inside a pipeline: give the spec of an earlier data set with --spec, so "
            "that nothing has to be fitted, or leave out by=beam"
        )
    with _explained(task.path):
        if task.format == "parquet":
            yield from _read_parquet(task, columns)
            return
        with _open_stream(task) as stream:
            skip, length = _range(task)
            chunks = chunk_lines(stream, CHUNK_ROWS, CHUNK_BYTES, length, skip)
            if task.format == "csv":
                yield from csv_tables(chunks, task.path)
                return
            for number, lines in enumerate(chunks):
                if number == 0 and task.start == 0:
                    lines[0] = lines[0].removeprefix(_BOM)
                yield pa.array(lines, pa.binary())


def _match(pattern: str) -> list[str]:
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", pattern)
    if (scheme and scheme[1].lower() not in _SCHEMES) or "::" in pattern:
        raise SourceError(f"{pattern}: cannot read from there; expected a local path, a gs:// URL or bq://")
    found = list_files(pattern)
    if not found:
        raise SourceError(f"{pattern}: no such file, and no file matches it; check the path")
    return [path for path in found if not path.rsplit("/", 1)[-1].startswith("_")] or found


def _format_of(path: str) -> str:
    stem = path.lower()
    for suffix in _COMPRESSIONS:
        stem = stem.removesuffix(suffix)
    for suffix, known in _SUFFIXES.items():
        if stem.endswith(suffix) and not (known == "parquet" and stem != path.lower()):
            return known
    raise SourceError(
        f"{path}: cannot tell the format by the name; expected .parquet, .jsonl or .csv (the last two also with .gz or "
        f".zst), or say which of {', '.join(FORMATS)} it is"
    )


def _compression_of(path: str) -> str | None:
    return next((name for suffix, name in _COMPRESSIONS.items() if path.lower().endswith(suffix)), None)


def _plan_file(path: str, format: str) -> list[ReadTask]:
    with _explained(path):
        fs, target = open_filesystem(path)
        size = int(fs.size(target) or 0)
        if format == "parquet":
            return _plan_parquet(path)
        if size == 0:
            return []
        if format == "jsonl" and _compression_of(path) is None:
            starts = range(0, size, TASK_BYTES)
            return [ReadTask(path, format, start, min(start + TASK_BYTES, size)) for start in starts]
        return [ReadTask(path, format)]


def _plan_parquet(path: str) -> list[ReadTask]:
    with _open(path) as file, pq.ParquetFile(file) as parquet:
        metadata = parquet.metadata
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        for index, group in enumerate(groups):
            if group.total_byte_size > MAX_ROW_GROUP_BYTES:
                raise SourceError(
                    f"{path}: row group {index} unfolds to {group.total_byte_size / 2**30:.1f} GiB, more than "
                    f"{MAX_ROW_GROUP_BYTES >> 30}; write the file again with smaller row groups"
                )
        rows = [group.num_rows for group in groups]
    tasks: list[ReadTask] = []
    start = held = 0
    for index, count in enumerate(rows):
        if held and held + count > TASK_ROWS:
            tasks.append(ReadTask(path, "parquet", start, index))
            start, held = index, 0
        held += count
    return [*tasks, ReadTask(path, "parquet", start, len(rows))] if held else tasks


def _read_parquet(task: ReadTask, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    with _open(task.path) as file, pq.ParquetFile(file, read_dictionary=_repeating(file)) as parquet:
        chosen = None if columns is None else [name for name in columns if name in parquet.schema_arrow.names]
        groups = list(range(task.start, parquet.metadata.num_row_groups if task.stop is None else task.stop))
        for batch in parquet.iter_batches(_batch_rows(parquet.metadata, groups), row_groups=groups, columns=chosen):
            yield pa.Table.from_batches([batch])


def _repeating(file: Any) -> list[str]:
    """Returns the columns of a Parquet file to be read dictionary-encoded, and rewinds it."""
    schema = pq.read_schema(file)
    file.seek(0)
    return [name for name in REPEATING if name in schema.names and pa.types.is_string(schema.field(name).type)]


def _batch_rows(metadata: pq.FileMetaData, groups: list[int]) -> int:
    """Returns the rows to read at once: fewer where rows are large."""
    read = [metadata.row_group(group) for group in groups]
    each = sum(group.total_byte_size for group in read) // max(sum(group.num_rows for group in read), 1)
    return int(min(CHUNK_ROWS, max(4 * CHUNK_BYTES // max(each, 1), 1024)))


@contextmanager
def _open(path: str) -> Iterator[Any]:
    """Opens a file for Arrow; a local one without Python in between."""
    fs, target = open_filesystem(path)
    if fs.protocol == "file" or "file" in fs.protocol:
        with pa.OSFile(target, "rb") as local:
            yield local
    else:
        with fs.open(target, "rb") as remote:
            yield pa.PythonFile(remote, mode="r")


@contextmanager
def _open_stream(task: ReadTask) -> Iterator[Any]:
    """Opens a file for reading its lines: decompressed, and from one byte before the task's start."""
    with _open(task.path) as file:
        compression = _compression_of(task.path)
        if compression is not None:
            with pa.CompressedInputStream(file, compression) as stream:
                yield stream
            return
        if task.start:
            file.seek(task.start - 1)
        yield file


def _range(task: ReadTask) -> tuple[bool, int | None]:
    """Returns whether the first line is to be skipped, and the bytes in which lines begin.

    A task reads from one byte early and skips a line: if that byte ends a line, the skipped one is empty.
    """
    if task.stop is None:
        return task.start > 0, None
    return task.start > 0, task.stop - max(task.start - 1, 0)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except (AuguryError, MemoryError):
        raise
    except FileNotFoundError as e:
        raise SourceError(f"{path}: no such file; check the path") from e
    except PermissionError as e:
        raise SourceError(f"{path}: permission denied; change its permissions or choose another file") from e
    except (OSError, EOFError, ValueError, pa.ArrowException) as e:
        reason = " ".join(str(e).split())[:200] or type(e).__name__
        raise SourceError(
            f"{path}: cannot be read ({reason}); it is corrupt, truncated or not what its name says: "
            "write it again or leave it out"
        ) from e


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files} files"
