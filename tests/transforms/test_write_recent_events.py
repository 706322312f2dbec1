"""The fast store, written by workers, against a real server."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import orjson
import pyarrow as pa
import pytest

from features.recent_events import PushCounts, RecentRules, encode_events, push_events
from features.segment import adapt_messages
from tests.real_redis import RedisServer, running_server
from tests.transforms.streams import NOON_US, track
from transforms.recent_store import RecentEventsWriteError, StoreOptions, StoreUrlError, check_url
from transforms.write_recent_events import WriteRecentEvents, _Push

RULES = RecentRules(count=3, dedup_seconds=0)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with running_server() as running:
        yield running


def events(*calls: dict[str, Any]) -> pa.RecordBatch:
    return adapt_messages(list(calls), [b"{}"] * len(calls), "test").events


def rows_of(server: RedisServer, visitor: str) -> list[bytes]:
    with server.client() as client:
        ids = client.zrange(f"augury:z:{visitor}", 0, -1)
        return [client.hget(f"augury:h:{visitor}", each) for each in ids]


def push(store: StoreOptions, *batches: pa.RecordBatch) -> list[PushCounts]:
    worker = _Push(store, lambda: NOON_US)
    worker.setup()
    try:
        return [counts for batch in batches for counts in worker.process(batch)]
    finally:
        worker.teardown()


def test_what_workers_write_is_what_the_service_writes(server: RedisServer) -> None:
    batch = events(*[track("ann", f"m{n}", n, properties={"n": n}) for n in range(5)], track("bob", "m9", 0))
    store = StoreOptions(server.url, RULES)
    with beam.Pipeline("FnApiRunner") as pipeline:
        _ = pipeline | beam.Create([batch]) | WriteRecentEvents(store, lambda: NOON_US)
    written = {visitor: rows_of(server, visitor) for visitor in ("ann", "bob")}
    assert [orjson.loads(row)[0] for row in written["ann"]] == ["m2", "m3", "m4"]
    with server.client() as client:
        client.flushall()
        push_events(client, batch, RULES, NOON_US)
    assert written == {visitor: rows_of(server, visitor) for visitor in ("ann", "bob")}
    assert written["ann"] == encode_events(batch)[2:5]


def test_a_second_time_changes_nothing(server: RedisServer) -> None:
    batch = events(track("ann", "m1", 0), track("ann", "m2", 1))
    counts = push(StoreOptions(server.url, RULES), batch, batch)
    assert counts == [PushCounts(new=2), PushCounts(known=2)]
    assert len(rows_of(server, "ann")) == 2


def test_a_store_that_is_away_fails_the_bundle_and_the_password_stays_secret(server: RedisServer) -> None:
    server.kill()
    store = StoreOptions(f"redis://:secret@127.0.0.1:{server.port}/0", RULES, retries=1)
    with pytest.raises(RecentEventsWriteError, match=f"fast store at 127.0.0.1:{server.port} \\(ConnectionError") as e:
        push(store, events(track("ann", "m1", 0)))
    assert "\n" not in str(e.value)
    assert "secret" not in f"{e.value}{store!r}"


def test_a_store_that_comes_back_in_time_is_waited_for(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.kill()
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            monkeypatch.undo()
            server.start()

    monkeypatch.setattr("redis.retry.sleep", nap)
    assert push(StoreOptions(server.url, RULES), events(track("ann", "m1", 0))) == [PushCounts(new=1)]
    assert naps == [0.2, 0.4]


def test_a_store_that_refuses_is_named(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory", "1mb")
    with pytest.raises(RecentEventsWriteError, match="OutOfMemoryError"):
        push(StoreOptions(server.url, RULES, retries=0), events(track("ann", "m1", 0)))


@pytest.mark.parametrize("url", ["http://x", "redis", "redis://h:port/0"])
def test_a_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(StoreUrlError, match="expected redis://HOST:PORT/0"):
        check_url(url)
