"""What there is to read, cut into pieces of work: bytes of a file, row groups, a table, a stream of one."""

from dataclasses import dataclass

from features.errors import AuguryError

CHUNK_ROWS = 131_072
CHUNK_BYTES = 32 << 20
"""About how much one chunk holds at most."""

TASK_ROWS = 1 << 20
"""Rows that a task is given at most, where they come in portions: row groups of a file, streams of a table."""

REPEATING = ("type", "event", "url", "referrer", "user_agent", "source", "anonymous_id", "user_id")
"""Text columns of canonical events that are read dictionary-encoded, as Parquet has them: few values, many rows."""


class SourceError(AuguryError, ValueError):
    """A source that is not there, is empty, or cannot be read."""


@dataclass(frozen=True)
class ReadTask:
    """One piece of work for a reader.

    Attributes:
        path: the file, or the name of the table.
        format: of the file; ``bigquery`` for what is in tables.
        start: first byte (plain JSON lines: a line belongs to the task in which it begins) or first row group
            (Parquet).
        stop: one past the last; None for the end of the file.
    """

    path: str
    format: str
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, kw_only=True)
class TableTask(ReadTask):
    """A BigQuery table as it was at one moment; whoever reads it opens a session of the Storage Read API.

    Attributes:
        table: its resource name.
        project: in which sessions are opened, and which is billed.
        columns: that it has.
        rows: that it has, about.
        restriction: a condition on its rows, in BigQuery's SQL; "" for none.
        snapshot_us: the moment, int64 microseconds UTC; None for a table that nobody changes.
    """

    format: str = "bigquery"
    table: str
    project: str
    columns: tuple[str, ...]
    rows: int
    restriction: str = ""
    snapshot_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class StreamTask(ReadTask):
    """Streams of an open session: they may be read from the beginning again and again until the session expires.

    Attributes:
        streams: their resource names.
        schema: of their record batches, an Arrow IPC message.
        rows: that they have, about.
    """

    format: str = "bigquery"
    streams: tuple[str, ...]
    schema: bytes
    rows: int


@dataclass(frozen=True, kw_only=True)
class QueryTask(ReadTask):
    """A query that Beam's own source runs, inside the pipeline and nowhere else.

    Attributes:
        query: its text.
        project: that is billed.
    """

    format: str = "bigquery"
    query: str
    project: str
