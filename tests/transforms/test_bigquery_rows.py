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

from features.tables import Table, fields_of
from transforms.bigquery_rows import WriteRows, dead_letter_of, rows_of

DAY_US = 86_400_000_000
SCHEMA = pa.schema([pa.field("n", pa.int64(), nullable=False), pa.field("text", pa.string())])
NUMBERS = Table("numbers", tuple(fields_of(SCHEMA)), None, ("text",), None)


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


def test_the_day_of_a_row_is_that_of_the_first_time_it_has() -> None:
    batch = pa.RecordBatch.from_pydict({"received": [DAY_US, None], "happened": [0, DAY_US - 1], "n": [1, 2]})
    assert rows_of(batch, "archive", ("received", "happened")) == [
        {"received": DAY_US, "happened": 0, "n": 1, "day": "1970-01-02"},
        {"received": None, "happened": DAY_US - 1, "n": 2, "day": "1970-01-01"},
    ]
    assert rows_of(batch.select(["n"]), "dead_letter") == [{"n": 1}, {"n": 2}]


def test_rows_go_to_the_table_and_refused_ones_come_back(tables: _Tables, tmp_path: Path) -> None:
    batches = [
        pa.RecordBatch.from_pydict({"n": [1, -2], "text": ["a", None]}, SCHEMA),
        pa.RecordBatch.from_pydict({"n": [3], "text": [None]}, SCHEMA),
    ]
    with beam.Pipeline("FnApiRunner", options=PipelineOptions(["--streaming"])) as pipeline:
        refused = pipeline | beam.Create(batches) | WriteRows("bq://test-proj.web.numbers", NUMBERS, kind="archive")
        letters = refused | beam.Map(dead_letter_of, "here") | beam.FlatMap(lambda batch: batch.to_pylist())
        _ = letters | beam.Map(lambda letter: (tmp_path / "letters").write_text(json.dumps(letter)))
    assert sorted((row["n"], row["text"]) for row in tables.rows) == [(1, "a"), (3, None)]
    assert len(set(tables.insert_ids)) == 2
    assert tables.made == []  # that is Terraform's work
    letter = json.loads((tmp_path / "letters").read_text())
    assert (letter["reason"], letter["source"]) == ("bigquery_refused", "here")
    assert json.loads(letter["row"])["row"] == {"n": -2}
    assert "below zero" in letter["row"]
