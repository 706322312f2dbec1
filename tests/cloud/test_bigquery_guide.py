"""docs/bigquery.md: its commands are run, in the order in which it shows them, on tables of those names."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from google.cloud import bigquery

from features.tables import NAMES, load_table
from tests.bigquery_server import BigQueryServer
from tests.cloud.conftest import archive_rows, load_rows
from tests.cloud.test_bigquery_source import ga4_field
from tests.cloud.test_whole_way import canonical
from tests.features.test_ga4 import ROWS, as_table
from tests.real_redis import RedisServer, running_server
from tests.tiny_model import shop_events

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "bigquery.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```console\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def shop(bigquery_emulator: BigQueryServer) -> Iterator[None]:
    """The tables that the guide names: an export of GA4, and the archive."""
    with bigquery.Client(project="my-shop") as client:
        client.create_dataset("my-shop.analytics_123456")
        client.create_dataset("my-shop.web")
        for day in range(2):
            rows = [{**row, "user_pseudo_id": f"{day}-{visitor}"} for visitor in range(60) for row in ROWS]
            table = as_table(rows)
            fields = [ga4_field(field) for field in table.schema]
            _make(client, f"my-shop.analytics_123456.events_2024050{day + 1}", fields)
            load_rows(client, f"my-shop.analytics_123456.events_2024050{day + 1}", table.to_pylist())
        _make(client, "my-shop.web.events", [dict(field) for field in load_table("events").fields], day="day")
        load_rows(client, "my-shop.web.events", archive_rows(canonical(shop_events(400, 2))))
        yield
        for name in ("analytics_123456", "web"):
            client.delete_dataset(f"my-shop.{name}", delete_contents=True)


def test_its_commands_run(shop: None, redis_server: RedisServer, new_bucket: object, tmp_path: Path) -> None:
    from google.cloud import storage

    storage.Client().create_bucket("my-shop-data")
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "web.sql").write_text("SELECT * EXCEPT (day, late) FROM `my-shop.web.events`")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "REDIS_URL": redis_server.url}
    read = {}
    assert len(COMMANDS) == 5
    for line in COMMANDS:
        program, *words = shlex.split(line)
        assert program == "augury"
        command = [sys.executable, "-m", "augury.cli", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}: {done.stderr}"
        if "--output" in words and not words[-1].startswith("gs://"):
            card = orjson.loads((tmp_path / words[-1] / "dataset_card.json").read_bytes())
            read[words[-1]] = card["events"]["read"]
    events = shop_events(400, 2).num_rows
    assert read == {"ga4-examples": 2 * 60 * len(ROWS), "some": events, "by-query": events}
    with redis_server.client() as client:
        assert any(client.scan_iter("augury:h:*"))


def test_it_names_every_table_as_it_is() -> None:
    for name in NAMES:
        table = load_table(name)
        [row] = re.findall(rf"^\| `{name}` \|.*$", GUIDE, re.MULTILINE)
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2].startswith(f"`{table.partition_field}`" if table.partition_field else "day of arrival")
        assert re.findall(r"`(\w+)`", cells[3]) == list(table.clustering)
        assert cells[4] == ("for ever" if table.expiration_days is None else f"{table.expiration_days} days")


def _make(client: bigquery.Client, name: str, fields: list, day: str | None = None) -> None:
    project, dataset, table = name.split(".")
    described = {"tableReference": {"projectId": project, "datasetId": dataset, "tableId": table}}
    described["schema"] = {"fields": fields}
    if day:
        described["timePartitioning"] = {"type": "DAY", "field": day}
    client.create_table(bigquery.Table.from_api_repr(described))
