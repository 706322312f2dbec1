"""Rows and schema of BigQuery tables, and the insertion against a server that speaks the API."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.io.gcp.internal.clients.bigquery import BigqueryV2
from apache_beam.options.pipeline_options import PipelineOptions

from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA
from transforms.bigquery_rows import (
    TableError,
    WriteRows,
    dead_letter_of,
    table_parameters,
    table_reference,
    table_schema,
)
from transforms.pack_events import ARCHIVE_SCHEMA

SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("text", pa.string())])


@dataclass
class _Tables:
    """What a server that speaks a little of BigQuery's API was asked."""

    made: list[dict[str, Any]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    insert_ids: list[str] = field(default_factory=list)


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Tables]:
    found = _Tables()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            table = next(iter(found.made), None)
            self._answer({"error": {"code": 404, "message": "none"}} if table is None else table, 200 if table else 404)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.path.split("?")[0].endswith("/insertAll"):
                found.made.append(body)
                self._answer(body)
                return
            errors = []
            for index, row in enumerate(body["rows"]):
                if row["json"]["n"] < 0:
                    errors.append({"index": index, "errors": [{"reason": "invalid", "message": "below zero"}]})
                else:
                    found.rows.append(row["json"])
                    found.insert_ids.append(row["insertId"])
            self._answer({"insertErrors": errors} if errors else {})

        def _answer(self, content: dict[str, Any], status: int = 200) -> None:
            data = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
    monkeypatch.setattr(BigqueryV2, "BASE_URL", f"{address}/bigquery/v2/")
    yield found
    server.shutdown()
    server.server_close()


def test_the_schema_of_a_table_is_the_schema_of_its_batches() -> None:
    fields = {entry["name"]: (entry["type"], entry["mode"]) for entry in table_schema(ARCHIVE_SCHEMA)["fields"]}
    assert list(fields) == [*EVENT_SCHEMA.names, "late"]
    assert fields["anonymous_id"] == ("STRING", "REQUIRED")
    assert fields["timestamp_us"] == ("INTEGER", "REQUIRED")
    assert fields["user_id"] == ("STRING", "NULLABLE")
    assert fields["late"] == ("BOOLEAN", "REQUIRED")
    assert [entry["type"] for entry in table_schema(DEAD_LETTER_SCHEMA)["fields"]] == ["STRING"] * 3


def test_a_table_is_partitioned_by_day() -> None:
    assert table_parameters(("anonymous_id",)) == {
        "timePartitioning": {"type": "DAY"},
        "clustering": {"fields": ["anonymous_id"]},
    }
    assert table_parameters() == {"timePartitioning": {"type": "DAY"}}


@pytest.mark.parametrize("name", ["bq://events", "bq://p.d", "project:dataset.table", "bq://p.d.t.x", "bq://p.d.t; x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(TableError, match="names no BigQuery table; expected bq://project.dataset.table"):
        table_reference(name)


def test_names_of_tables() -> None:
    assert table_reference("bq://my-shop.web.events") == "my-shop:web.events"
    assert table_reference("bq://example.com:shop.web.events") == "example.com:shop:web.events"


def test_rows_go_to_the_table_and_refused_ones_come_back(tables: _Tables, tmp_path: Path) -> None:
    batches = [
        pa.RecordBatch.from_pydict({"n": [1, -2], "text": ["a", None]}, SCHEMA),
        pa.RecordBatch.from_pydict({"n": [3], "text": [None]}, SCHEMA),
    ]
    with beam.Pipeline("FnApiRunner", options=PipelineOptions(["--streaming"])) as pipeline:
        refused = (
            pipeline
            | beam.Create(batches)
            | WriteRows("bq://test-proj.web.numbers", SCHEMA, kind="archive", cluster_by=("text",))
        )
        letters = refused | beam.Map(dead_letter_of, "here") | beam.FlatMap(lambda batch: batch.to_pylist())
        _ = letters | beam.Map(lambda letter: (tmp_path / "letters").write_text(json.dumps(letter)))
    assert sorted((row["n"], row["text"]) for row in tables.rows) == [(1, "a"), (3, None)]
    assert len(set(tables.insert_ids)) == 2
    [made] = tables.made
    assert made["timePartitioning"] == {"type": "DAY"}
    assert [entry["name"] for entry in made["schema"]["fields"]] == ["n", "text"]
    letter = json.loads((tmp_path / "letters").read_text())
    assert (letter["reason"], letter["source"]) == ("bigquery_refused", "here")
    assert json.loads(letter["row"])["row"] == {"n": -2}
    assert "below zero" in letter["row"]
