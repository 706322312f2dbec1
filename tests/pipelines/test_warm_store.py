"""Refilling the fast store from an archive leaves what it held."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import AuguryError
from features.recent_calls import read_recent, recent_calls
from features.recent_events import Recent, RecentRules, push_events
from features.segment import adapt_messages
from features.tombstones import Tombstones
from pipelines.launch import PipelineFailedError
from pipelines.store_options import StoreOptionError
from pipelines.warm_options import WarmStoreError, WarmStoreOptions
from pipelines.warm_store import warm_store
from tests.real_redis import RedisServer, running_server
from tests.transforms.streams import NOON_US, SECOND_US, clock, track

NEVER_TOO_OLD = 3650.0


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.client() as client:
        client.flushall()
    return running


def options(server: RedisServer, *events: Path, **more: Any) -> WarmStoreOptions:
    given = {"redis_url": server.url, "store_days": NEVER_TOO_OLD, "dead_letter": str(events[0].parent / "bad"), **more}
    return WarmStoreOptions(events=tuple(map(str, events)), **given)


def write_lines(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def write_part(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_batches([adapt_messages(rows, [b"{}"] * len(rows), "test").events]), path)
    return path


def recent(server: RedisServer, *visitors: str, count: int = 200) -> dict[str, list[str]]:
    """Asked-for name -> ids of the visitor's recent events, oldest first."""
    rules = RecentRules(count=count, max_age_days=NEVER_TOO_OLD)
    with server.client() as client:
        calls = recent_calls(visitors, rules, NOON_US)
        client.script_load(calls[0].script.text)
        found: list[Recent] = read_recent([client.execute_command(*call.command) for call in calls], rules)
    return {name: [json.loads(row)[0] for row in each.rows] for name, each in zip(visitors, found, strict=True)}


def test_literal_rows_of_any_adapter_fill_the_store(server: RedisServer, tmp_path: Path) -> None:
    bot = {"userAgent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    lines = write_lines(
        tmp_path / "events.jsonl",
        *[track("ann", f"m{n}", n) for n in range(5)],
        "broken",
        track("ann", "bot", 9, context=bot),
        {**track("ann", "login", 6, userId="u1"), "type": "identify"},
        track("phone", "p1", 1, userId="u1"),
        track("bob", "b1", 0),
    )
    counts = warm_store(options(server, lines, adapter="segment", store_events=3))
    assert counts == {
        "dropped": {"bot": 1, "not_needed": 2},
        "kept": {"cleaned": 8},
        "read": {"rows": 10},
        "recent": {"new": 6},
        "rejected": {"not_json": 1},
    }
    assert recent(server, "ann", "user:u1", "bob", count=3) == {
        "ann": ["m3", "m4", "login"],
        "user:u1": ["m3", "m4", "login"],
        "bob": ["b1"],
    }
    assert pq.read_table(tmp_path / "bad").column("reason").to_pylist() == ["not_json"]
    again = warm_store(options(server, lines, adapter="segment", store_events=3))
    assert again["recent"] != {} and recent(server, "ann", count=3) == {"ann": ["m3", "m4", "login"]}


def test_an_alias_is_replayed(server: RedisServer, tmp_path: Path) -> None:
    lines = write_lines(
        tmp_path / "events.jsonl",
        track("a", "m1", 0, userId="old"),
        {**track("a", "m2", 1, userId="new"), "type": "alias", "properties": {"previousId": "old"}},
    )
    warm_store(options(server, lines, adapter="segment"))
    assert recent(server, "user:old", "a") == {"user:old": ["m1", "m2"], "a": ["m1", "m2"]}


@pytest.mark.parametrize("shards", [1, 3])
def test_the_archive_gives_back_what_the_store_held(server: RedisServer, tmp_path: Path, shards: int) -> None:
    """Shared devices, several devices and late events, in hourly partitions."""
    calls = [
        track(
            f"device{n * 7 % 13}",
            f"m{n:03d}",
            n - n * 5 % 17,
            receivedAt=clock(n),
            userId=None if n % 3 else f"user{n * 11 % 5}",
        )
        for n in range(300)
    ]
    rules = RecentRules(count=10, max_age_days=NEVER_TOO_OLD)
    with server.client() as client:
        for call in calls:
            push_events(client, adapt_messages([call], [b"{}"], "live").events, rules, NOON_US)
    names = [*(f"device{n}" for n in range(13)), *(f"user:user{n}" for n in range(5))]
    held = recent(server, *names, count=10)
    assert sum(map(len, held.values())) > 100
    for part in range(4):
        rows = calls[part::4][:: -1 if part % 2 else 1]
        write_part(tmp_path / f"archive/events/date=2026-08-01/hour=1{part}/part-{part}.parquet", rows)
    with server.client() as client:
        client.flushall()
    warm_store(options(server, tmp_path / "archive/events", store_events=10, shards=shards))
    assert recent(server, *names, count=10) == held


def test_the_forgotten_stay_forgotten(server: RedisServer, tmp_path: Path) -> None:
    rows = [
        track("ann", "m1", 0, receivedAt=clock(1)),
        track("ann", "m2", 0, receivedAt=clock(9)),
        track("phone", "m3", 0, receivedAt=clock(1), userId="u1"),
        track("bob", "m4", 0, receivedAt=clock(1)),
    ]
    path = write_part(tmp_path / "archive/events/date=2026-08-01/hour=12/part-1.parquet", rows)
    Tombstones.append(str(tmp_path / "archive/tombstones"), ["ann", "user:u1"], NOON_US + 5 * SECOND_US)
    counts = warm_store(options(server, tmp_path / "archive/events"))
    assert counts["dropped"] == {"forgotten": 2}
    assert recent(server, "ann", "phone", "bob") == {"ann": ["m2"], "phone": [], "bob": ["m4"]}
    elsewhere = str(tmp_path / "others")
    Tombstones.append(elsewhere, ["bob"], NOON_US + 5 * SECOND_US)
    assert warm_store(options(server, path, tombstones=elsewhere))["dropped"] == {"forgotten": 1}


@pytest.mark.parametrize(
    ("more", "kind", "expected"),
    [
        ({"events": ()}, WarmStoreError, "no events to read"),
        ({"shards": 0}, WarmStoreError, "shards is 0; expected 1 to 4096"),
        ({"redis_url": None}, StoreOptionError, "no Redis to write recent events to; give redis_url or set REDIS_URL"),
        ({"store_events": 0}, StoreOptionError, "store: count 0"),
    ],
)
def test_options_that_cannot_be_are_refused(
    more: dict[str, Any], kind: type[AuguryError], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(kind, match=expected):
        WarmStoreOptions(**{"events": ("a",), "redis_url": "redis://h", **more})


def test_what_stops_a_refill_is_one_line(server: RedisServer, tmp_path: Path) -> None:
    lines = write_lines(tmp_path / "events.jsonl", "broken", track("ann", "m1", 0))
    with pytest.raises(WarmStoreError, match=r"nothing to keep among 2 rows \(not_json 1, not_needed 1\); check the"):
        warm_store(options(server, lines, adapter="segment", store_days=0.001))
    with pytest.raises(WarmStoreError, match="tombstones .*none holds no file"):
        warm_store(options(server, lines, adapter="segment", tombstones=str(tmp_path / "none")))
    with pytest.raises(AuguryError, match="reads Parquet; use 'segment'"):
        warm_store(options(server, lines))
    with server.client() as client:
        client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(PipelineFailedError, match="cannot write to the fast store at 127.0.0.1.*OutOfMemory"):
            warm_store(options(server, lines, adapter="segment"))
    finally:
        with server.client() as client:
            client.config_set("maxmemory", "0")
