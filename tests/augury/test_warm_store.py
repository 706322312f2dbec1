"""``augury warm-store``, on a real Redis."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from augury import cli
from tests.real_redis import running_server
from tests.transforms.streams import track


def test_it_tells_what_became_of_the_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "events.jsonl"
    source.write_text("".join(json.dumps(track("ann", f"m{n}", n)) + "\n" for n in range(3)) + "broken\n")
    flags = ["--adapter", "segment", "--store-days", "3650", "--dead-letter", str(tmp_path / "bad")]
    with running_server() as server:
        monkeypatch.setenv("REDIS_URL", server.url)
        done = CliRunner().invoke(cli.app, ["warm-store", str(source), *flags])
        with server.client() as client:
            assert client.zrange("augury:z:ann", 0, -1) == [b"m0", b"m1", b"m2"]
    assert done.exit_code == 0, done.output
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if "│" in line]
    assert cells == [["rows read", "rows", "4"], ["rejected", "not_json", "1"], ["recent events", "new", "3"]]


def test_without_a_redis_it_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    done = CliRunner().invoke(cli.app, ["warm-store", "archive/events"])
    assert (done.exit_code, done.stderr) == (
        1,
        "error: no Redis to write recent events to; give redis_url or set REDIS_URL\n",
    )
