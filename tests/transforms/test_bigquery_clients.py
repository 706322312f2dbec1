"""What BigQuery refuses is one line: of a server that speaks its errors, and of every kind of error there is."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from features.tables import load_table
from transforms.bigquery_check import check_tables
from transforms.bigquery_clients import BigQueryError, explained
from transforms.bigquery_tables import plan_tables

DENIED = "Access Denied: Table shop:web.events: Permission bigquery.tables.get denied\non table shop:web.events"


@pytest.fixture
def denying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that refuses every question as BigQuery refuses those who may not ask."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            error = {"code": 403, "message": DENIED, "errors": [{"reason": "accessDenied", "message": DENIED}]}
            data = json.dumps({"error": error}).encode()
            self.send_response(403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("name", ["bq://shop.web.events", "bq://shop.web.events_*"])
def test_without_permission_a_source_says_what_is_needed(denying: None, name: str) -> None:
    with pytest.raises(BigQueryError) as refused:
        plan_tables(name)
    text = str(refused.value)
    assert "bq://shop.web" in text
    assert "permission denied (" in text
    assert "bigquery.tables.get denied on table shop:web.events" in text
    assert "BigQuery Data Viewer, Read Session User and, for a query, Job User" in text
    assert "\n" not in text


def test_without_permission_a_sink_says_what_is_needed(denying: None) -> None:
    with pytest.raises(BigQueryError, match="permission denied .*; writing needs Data Editor"):
        check_tables({"bq://shop.web.events": load_table("events")})


@pytest.mark.parametrize("name", ["bq://shop.web.events", "bq://shop.web.events_*"])
def test_who_does_not_answer_is_given_up_in_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setattr("transforms.bigquery_clients.REACH_SECONDS", 0.1)
        with pytest.raises(BigQueryError, match=r"^bq://shop.web.*: cannot be reached \(.*refused.*\); check") as e:
            plan_tables(name)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (api.NotFound("Table x:y.z\nwas not found"), "it: not found; check project, data set and table, and where the"),
        (api.Forbidden("no"), "it: permission denied (no); reading needs the roles BigQuery Data Viewer"),
        (api.Unauthenticated("old token"), "it: the credentials were refused (old token); log in with `gcloud auth"),
        (api.InvalidArgument("bad\nfield"), "it: BigQuery refused it (bad field)"),
        (auth.DefaultCredentialsError("none found"), "it: no credentials that count (none found); log in with `gcloud"),
        (api.RetryError("Timeout", OSError("no\nroute")), "it: cannot be reached (no route); check the network"),
        (ConnectionError("no route"), "it: cannot be reached (no route); check the network"),
    ],
)
def test_every_kind_of_error_is_one_line(error: Exception, message: str) -> None:
    with pytest.raises(BigQueryError) as refused, explained("it"):
        raise error
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


def test_other_errors_are_defects() -> None:
    with pytest.raises(KeyError), explained("it"):
        raise KeyError("x")
