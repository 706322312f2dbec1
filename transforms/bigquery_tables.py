"""Plans the reading of BigQuery: which tables there are, and as of when. A query's result is a table too."""

import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from features.storage import read_text
from transforms.bigquery_clients import BigQueryError, explained, open_client, tries
from transforms.bigquery_names import QUERY, TABLES, QuerySource, TableName, TableSource, read_source
from transforms.read_tasks import QueryTask, SourceError, TableTask

MOST_TABLES = 4096
"""Daily tables that one source may be: eleven years."""

_AT_ONCE = 8
_SKEW_US = 10_000_000  # a moment that the server does not know yet cannot be asked for
_READABLE = ("TABLE", "SNAPSHOT")
_LITERALS = {"DATE": "DATE '{}'", "TIMESTAMP": "TIMESTAMP '{} 00:00:00+00'", "DATETIME": "DATETIME '{} 00:00:00'"}

_log = logging.getLogger(__name__)


def plan_tables(name: str) -> list[TableTask | QueryTask]:
    """Plans the reading of ``bq://...`` or ``bq-query://...``; a query is run, and billed, here, unless Beam is to.

    Raises:
        TableError: the name cannot be.
        SourceError: there is no table for the days, or nothing in any.
        BigQueryError: a table is not there or cannot be read, or the query failed.
        StorageError: the query's file cannot be read.
    """
    source = read_source(name)
    if isinstance(source, QuerySource):
        if source.by_beam:
            return [QueryTask(path=name, query=read_text(source.path), project=source.project)]
        return [_run_query(name, source)]
    with open_client(source.table.project, bills_caller=True) as client:
        tables = list(_daily_tables(client, name, source)) if source.daily else [source.table]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda table: _described(client, table), tables))
    tasks: list[TableTask | QueryTask] = [
        _task(f"{TABLES}{table.dotted}", described, source, client.project)
        for table, described in zip(tables, found, strict=True)
        if described.num_rows or described.streaming_buffer is not None
    ]
    if not tasks:
        several = "all empty" if len(tables) > 1 else "empty"
        raise SourceError(f"{name}: {_count(len(tables))}, {several}; expected at least one event")
    return tasks


def day_condition(column: str, kind: str, first: date | None, last: date | None) -> str:
    """Returns the condition for a range of days of a DATE, TIMESTAMP or DATETIME column; "" for all days."""
    literal = _LITERALS[kind]
    parts = [] if first is None else [f"{column} >= {literal.format(first)}"]
    if last is not None:
        parts.append(f"{column} < {literal.format(last + timedelta(days=1))}")
    return " AND ".join(parts)


def _run_query(name: str, source: QuerySource) -> TableTask:
    text = read_text(source.path)
    with open_client(source.project) as client, explained(name):
        job = client.query(text)
        job.result()
        if job.destination is None:
            raise BigQueryError(f"{name}: the query has no result; expected one SELECT")
        described = client.get_table(job.destination, **tries())
    _log.info("%s: %d rows, %d bytes billed", name, described.num_rows, job.total_bytes_billed or 0)
    if not described.num_rows:
        raise SourceError(f"{name}: the query found nothing; expected at least one event")
    task = _task(f"{QUERY}{source.project}/{source.path}", described, None, source.project)
    return replace(task, snapshot_us=None)


def _daily_tables(client: Any, name: str, source: TableSource) -> Iterable[TableName]:
    """Returns the tables of the days wanted, in order; a day without one is told of."""
    prefix = source.table.table
    dataset = f"{source.table.project}.{source.table.dataset}"
    with explained(f"{TABLES}{dataset}"):
        listed = [item.table_id for item in client.list_tables(dataset, **tries())]
    days = sorted(day for table in listed if table.startswith(prefix) and (day := _day_of(table[len(prefix) :])))
    days = [day for day in days if (source.first or day) <= day <= (source.last or day)]
    if not days:
        raise SourceError(f"{name}: no table of such a day; expected {prefix}YYYYMMDD in {dataset}")
    if len(days) > MOST_TABLES:
        raise SourceError(f"{name}: {len(days)} tables; expected at most {MOST_TABLES}: read fewer days at once")
    first, last = source.first or days[0], source.last or days[-1]
    missing = (last - first).days + 1 - len(days)
    if missing:
        _log.warning("%s: %d of the days from %s to %s have no table", name, missing, first, last)
    return [replace(source.table, table=f"{prefix}{day:%Y%m%d}") for day in days]


def _day_of(suffix: str) -> date | None:
    try:
        return datetime.strptime(suffix, "%Y%m%d").date() if len(suffix) == 8 and suffix.isdigit() else None
    except ValueError:
        return None


def _described(client: Any, name: TableName) -> Any:
    """Returns what BigQuery says of a table, having refused what its Storage Read API cannot read."""
    path = f"{TABLES}{name.dotted}"
    with explained(path):
        table = client.get_table(name.dotted, **tries())
    if table.table_type not in _READABLE:
        raise BigQueryError(
            f"{path} is a {table.table_type}; expected a table: write SELECT * FROM it into a file and read "
            f"{QUERY}{client.project}/FILE.sql"
        )
    return table


def _task(path: str, table: Any, source: TableSource | None, project: str) -> TableTask:
    changed_us = round(table.modified.timestamp() * 1e6) if table.modified else 0
    return TableTask(
        path=path,
        table=TableName(table.project, table.dataset_id, table.table_id).resource,
        project=project,
        columns=tuple(field.name for field in table.schema),
        rows=int(table.num_rows or 0),
        restriction="" if source is None else _restriction(path, table, source),
        snapshot_us=max(time.time_ns() // 1000 - _SKEW_US, changed_us),
    )


def _restriction(path: str, table: Any, source: TableSource) -> str:
    parts = [f"({source.where})"] if source.where else []
    if not source.daily and (source.first or source.last):
        partitioning = table.time_partitioning
        if partitioning is None:
            raise BigQueryError(
                f"{path} is not partitioned by time, so from= and to= mean nothing; say where=CONDITION instead"
            )
        kinds = {field.name: field.field_type for field in table.schema}
        column = partitioning.field
        kind = kinds[column] if column else "DATE"
        parts.insert(0, day_condition(column or "_PARTITIONDATE", kind, source.first, source.last))
    return " AND ".join(parts)


def _count(tables: int) -> str:
    return "1 table" if tables == 1 else f"{tables} tables"
