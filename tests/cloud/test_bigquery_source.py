"""The BigQuery source against an emulator: what is read, what is pushed down, and what is said when it cannot be."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.cloud import bigquery

from features.canonical import CanonicalAdapter
from features.errors import AuguryError
from features.events import EVENT_SCHEMA
from features.ga4 import Ga4Adapter
from features.tables import fields_of
from pipelines.estimate import estimate_rows
from tests.features.test_ga4 import ROWS, as_table
from transforms import bigquery_streams, read_tasks
from transforms.bigquery_streams import open_streams
from transforms.bigquery_tables import day_condition
from transforms.read_tasks import StreamTask, TableTask
from transforms.sources import plan_reads, read_chunks

DAY_US = 86_400_000_000
START_US = 20_454 * DAY_US  # 2026-01-01
NUMBERS = [
    {"name": "n", "type": "INTEGER", "mode": "REQUIRED"},
    {"name": "event", "type": "STRING"},
    {"name": "source", "type": "STRING"},
]


def events(count: int, days: int) -> pa.Table:
    """Events of 5 visitors in EVENT_SCHEMA, spread over days from 2026-01-01 on."""
    times = [START_US + i * days * DAY_US // count for i in range(count)]
    rows = {
        "message_id": [f"m{i}" for i in range(count)],
        "anonymous_id": [f"v{i % 5}" for i in range(count)],
        "type": ["track"] * count,
        "event": [("Product Viewed", "Order Completed")[i % 2] for i in range(count)],
        "timestamp_us": times,
        "received_at_us": times,
        "properties": ['{"price": 1.5}'] * count,
        "source": ["web", None] * (count // 2),
    }
    return pa.table(
        [pa.array(rows.get(field.name, [None] * count), field.type) for field in EVENT_SCHEMA], schema=EVENT_SCHEMA
    )


def read(name: str, columns: tuple[str, ...] | None = None) -> pa.Table:
    tasks = open_streams(plan_reads([name]), columns)
    assert all(isinstance(task, StreamTask) for task in tasks)
    return pa.concat_tables([chunk for task in tasks for chunk in read_chunks(pickle.loads(pickle.dumps(task)))])


def message_of(name: str) -> str:
    with pytest.raises(AuguryError) as refused:
        read(name)
    text = str(refused.value)
    assert "\n" not in text
    return text


def test_the_archive_table_holds_the_events_that_were_put_in(archive_table: Callable[..., str]) -> None:
    table = events(100, 10)
    name = archive_table(table)
    adapter = CanonicalAdapter()
    [task] = open_streams(plan_reads([name]), adapter.columns(tuple(EVENT_SCHEMA.names)))
    [chunk] = read_chunks(task)
    assert chunk.column_names == EVENT_SCHEMA.names  # neither `late` nor `day` is asked for
    assert pa.types.is_dictionary(chunk.schema.field("event").type)
    adapted = adapter.adapt(chunk, task.path)
    assert adapted.rejected.num_rows == 0
    found = pa.Table.from_batches([adapted.events]).cast(EVENT_SCHEMA).sort_by("timestamp_us")
    assert found.equals(table)


def test_only_the_columns_and_rows_wanted_are_asked_for(archive_table: Callable[..., str]) -> None:
    name = archive_table(events(100, 10))
    chosen = read(f"{name}?from=2026-01-03&to=2026-01-04&where=event = 'Order Completed'", ("message_id", "nonsense"))
    assert chosen.column_names == ["message_id"]
    assert sorted(chosen["message_id"].to_pylist()) == sorted(f"m{i}" for i in range(20, 40) if i % 2)
    assert read(f"{name}?to=2026-01-01", ("message_id",)).num_rows == 10
    assert read(f"{name}?from=2026-01-10", ("message_id",)).num_rows == 10


def test_a_table_is_read_as_one_task_or_stream_by_stream(
    archive_table: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    client: bigquery.Client,
    new_table: Callable[..., str],
) -> None:
    rows = 250_000
    name = new_table("many", NUMBERS)
    client.query(
        f"INSERT INTO `{name.removeprefix('bq://')}` SELECT n, 'e', NULL FROM UNNEST(GENERATE_ARRAY(1, {rows})) AS n"
    ).result()
    [whole] = plan_reads([name])
    assert isinstance(whole, TableTask)
    assert estimate_rows([whole]) == rows
    for task_rows, several in ((100_000, [1, 1, 1]), (200_000, [2, 1]), (1 << 20, [3])):  # the emulator opens three
        monkeypatch.setattr(bigquery_streams, "TASK_ROWS", task_rows)
        streams = open_streams([whole], ("n",))
        assert [len(task.streams) for task in streams if isinstance(task, StreamTask)] == several
        assert rows <= estimate_rows(streams) < rows + 3
        counts = [sum(chunk.num_rows for chunk in read_chunks(task)) for task in streams]
        assert min(counts) > 0
    for reading in (streams, [whole], streams):  # a stream can be read again, as a bundle that is tried again does
        chunks = [chunk for task in reading for chunk in read_chunks(task, ("n",))]
        assert max(chunk.num_rows for chunk in chunks) < read_tasks.CHUNK_ROWS + 100_000
        assert pa.compute.sum(pa.concat_tables(chunks)["n"]).as_py() == rows * (rows + 1) // 2


def test_daily_tables_are_one_source(new_table: Callable[..., str], caplog: pytest.LogCaptureFixture) -> None:
    for day, n in (("20260101", 1), ("20260102", 2), ("20260104", 4), ("intraday_20260105", 5), ("2026010", 6)):
        name = new_table(f"events_{day}", NUMBERS, [{"n": n}])
    prefix = name.removesuffix("2026010")
    assert sorted(read(f"{prefix}*")["n"].to_pylist()) == [1, 2, 4]
    assert "1 of the days from 2026-01-01 to 2026-01-04 have no table" in caplog.text
    assert read(f"{prefix}*?from=2026-01-02&to=2026-01-03")["n"].to_pylist() == [2]
    assert read(f"{prefix}*?from=2026-01-02&where=n > 2")["n"].to_pylist() == [4]
    assert read(f"{prefix}intraday_*")["n"].to_pylist() == [5]
    tasks = plan_reads([f"{prefix}*"])
    assert [task.path for task in tasks] == [f"{prefix}{day}" for day in ("20260101", "20260102", "20260104")]
    assert "no table of such a day; expected events_YYYYMMDD in" in message_of(f"{prefix}*?from=2027-01-01")


def test_a_query_is_read_as_its_result(new_table: Callable[..., str], tmp_path: Path) -> None:
    name = new_table("numbers", NUMBERS, [{"n": n, "event": "e"} for n in range(10)])
    sql = tmp_path / "q.sql"
    sql.write_text(f"SELECT n * 2 AS double, event FROM `{name.removeprefix('bq://')}` WHERE n < 3")
    source = f"bq-query://test-proj/{sql}"
    assert sorted(read(source, ("double",))["double"].to_pylist()) == [0, 2, 4]
    [task] = plan_reads([source])
    assert (task.path, task.rows, task.snapshot_us) == (source, 3, None)
    sql.write_text("SELEC 1")
    assert f"{source}: BigQuery refused it (Syntax error" in message_of(source)
    sql.write_text(f"SELECT n FROM `{name.removeprefix('bq://')}` WHERE n > 100")
    assert "the query found nothing; expected at least one event" in message_of(source)
    assert "no such file" in message_of("bq-query://test-proj/nowhere.sql")


def test_what_cannot_be_read_is_said_in_one_line(new_table: Callable[..., str], dataset: str) -> None:
    assert "bq://" + dataset + ".none: not found; check project, data set and table" in message_of(
        f"bq://{dataset}.none"
    )
    assert "not found" in message_of("bq://test-proj.nowhere.events")
    empty = new_table("empty", NUMBERS)
    assert f"{empty}: 1 table, empty; expected at least one event" in message_of(empty)
    name = new_table("numbers", NUMBERS, [{"n": 1}])
    assert "is not partitioned by time, so from= and to= mean nothing" in message_of(f"{name}?from=2026-01-01")
    assert "where (nothing = 3): BigQuery refused it (Unrecognized name: nothing" in message_of(
        f"{name}?where=nothing = 3"
    )


def test_a_view_is_to_be_read_by_a_query(new_table: Callable[..., str], client: bigquery.Client, dataset: str) -> None:
    table = new_table("numbers", NUMBERS, [{"n": 1}]).removeprefix("bq://")
    client.query(f"CREATE VIEW `{dataset}.seen` AS SELECT n FROM `{table}`").result()
    assert "is a VIEW; expected a table: write SELECT * FROM it into a file and read bq-query://" in message_of(
        f"bq://{dataset}.seen"
    )


def test_an_export_of_ga4_gives_the_events_that_its_parquet_gives(new_table: Callable[..., str]) -> None:
    table = as_table(ROWS)
    expected = Ga4Adapter().adapt(table, "ga4.parquet")
    name = new_table("events_20240501", [ga4_field(field) for field in table.schema], table.to_pylist())
    adapter = Ga4Adapter()
    chunk = read(name.replace("20240501", "*"), adapter.columns(()))
    assert set(table.column_names) - set(chunk.column_names) == {"event_date"}  # nobody uses it, so it is not read
    adapted = adapter.adapt(chunk, name)
    assert adapted.rejected.num_rows == 0
    found, wanted = (pa.Table.from_batches([each.events]).sort_by("message_id") for each in (adapted, expected))
    assert found.equals(wanted)  # a table has no order


def ga4_field(field: pa.Field) -> dict[str, Any]:
    """A field of nested Arrow types as BigQuery describes it."""
    kind, mode = field.type, "NULLABLE"
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    if pa.types.is_struct(kind):
        return {"name": field.name, "type": "RECORD", "mode": mode, "fields": [ga4_field(inner) for inner in kind]}
    return {"name": field.name, "type": fields_of(pa.schema([pa.field("x", kind)]))[0]["type"], "mode": mode}


def test_a_range_of_days_is_a_condition_on_the_partitioning_column() -> None:
    from datetime import date

    first, last = date(2026, 1, 1), date(2026, 1, 31)
    assert day_condition("day", "DATE", first, last) == "day >= DATE '2026-01-01' AND day < DATE '2026-02-01'"
    assert day_condition("at", "TIMESTAMP", first, None) == "at >= TIMESTAMP '2026-01-01 00:00:00+00'"
    assert day_condition("at", "DATETIME", None, last) == "at < DATETIME '2026-02-01 00:00:00'"
    assert day_condition("at", "DATE", None, None) == ""
