"""Emulators of BigQuery and Cloud Storage, and tables and events to try them with."""

import gc
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from google.cloud import bigquery

from features.tables import load_table
from tests.bigquery_server import PROJECT, BigQueryServer, bigquery_server
from transforms.bigquery_rows import rows_of


@pytest.fixture(scope="session")
def bigquery_emulator(_storage_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryServer]:
    """An emulator that finds gs:// in this run's storage server, to which every client of this process is led."""
    with bigquery_server(tmp_path_factory.mktemp("bigquery")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def beam_emulators(bigquery_emulator: BigQueryServer) -> Iterator[None]:
    """Points Beam's own clients at the emulators of this session, and collects the connections that they leave open."""
    from tests.beam_emulators import install

    install()
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def client(bigquery_emulator: BigQueryServer) -> Iterator[bigquery.Client]:
    with bigquery.Client(project=PROJECT) as made:
        yield made


@pytest.fixture
def dataset(client: bigquery.Client, request: pytest.FixtureRequest) -> Iterator[str]:
    """``project.dataset`` of an empty data set."""
    name = f"{PROJECT}.set_{zlib.crc32(request.node.nodeid.encode())}"
    client.create_dataset(name)
    yield name
    client.delete_dataset(name, delete_contents=True)


@pytest.fixture
def new_table(client: bigquery.Client, dataset: str) -> Callable[..., str]:
    """Makes a table: name, BigQuery's fields, rows, and more of its description; returns ``bq://...``."""

    def make(name: str, fields: Sequence[Any], rows: Sequence[dict[str, Any]] = (), **more: Any) -> str:
        project, data = dataset.split(".")
        described = {"tableReference": {"projectId": project, "datasetId": data, "tableId": name}}
        table = bigquery.Table.from_api_repr({**described, "schema": {"fields": list(fields)}, **more})
        client.create_table(table)
        if rows:
            load_rows(client, f"{dataset}.{name}", rows)
        return f"bq://{dataset}.{name}"

    return make


@pytest.fixture
def archive_table(new_table: Callable[..., str]) -> Callable[..., str]:
    """Makes an archive table, as Terraform does, of events in ``EVENT_SCHEMA``."""

    def make(events: pa.Table | None = None, name: str = "events") -> str:
        table = load_table("events")
        layout = {
            "timePartitioning": {"type": "DAY", "field": table.partition_field},
            "clustering": {"fields": list(table.clustering)},
        }
        rows = [] if events is None else archive_rows(events)
        return new_table(name, [dict(field) for field in table.fields], rows, **layout)

    return make


def archive_rows(events: pa.Table) -> list[dict[str, Any]]:
    """Returns rows of the archive table; none of them late."""
    [batch] = events.combine_chunks().to_batches()
    times = [name for name in ("received_at_us", "timestamp_us") if name in batch.schema.names]
    return [{**row, "late": False} for row in rows_of(batch, "test", tuple(times))]


def load_rows(client: bigquery.Client, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Loads rows by a load job."""
    options = bigquery.LoadJobConfig(schema=client.get_table(table).schema)
    client.load_table_from_json(list(rows), table, job_config=options).result()
