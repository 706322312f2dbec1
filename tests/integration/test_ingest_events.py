"""Ten thousand messages with copies and bad ones through the streaming pipeline, from Pub/Sub to Redis and Parquet."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from google.cloud import pubsub_v1

from features.events import EVENT_SCHEMA
from pipelines.ingest_events import IngestOptions, start
from tests.pubsub_server import PubSubServer
from tests.real_redis import RedisServer, running_server, wait_until
from tests.transforms.streams import at, clock, rows_below, track

PROJECT = "projects/test-proj"
TOPIC, DEAD = f"{PROJECT}/topics/received", f"{PROJECT}/topics/dead"
SUBSCRIPTION = f"{PROJECT}/subscriptions/archive"
MESSAGES, VISITORS = 10_000, 200
PATIENCE_SECONDS = 240.0

BAD: dict[str, Any] = {
    "not_json": b'{"type": "track", ',
    "wrong_type": b'["track"]',
    "unknown_type": {"type": "tracked", "anonymousId": "v", "messageId": "x"},
    "no_event_name": {"type": "track", "anonymousId": "v", "messageId": "x"},
    "no_visitor_id": {"type": "page", "messageId": "x"},
    "absurd_time": {**track("v", "x", 0), "timestamp": "1970-01-01T00:00:01Z"},
    "bad_time": {**track("v", "x", 0), "timestamp": "yesterday"},
    "too_large": track("v", "x", 0, properties={"text": "x" * 33_000}),
    "reserved_id": track("user:v", "x", 0),
    "long_id": track("v" * 300, "x", 0),
}
"""A message of each kind that is no event, by the reason it is refused for."""


@pytest.fixture
def pubsub(monkeypatch: pytest.MonkeyPatch) -> Iterator[PubSubServer]:
    with PubSubServer() as server:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", server.address)
        publisher = pubsub_v1.PublisherClient()
        for topic in (TOPIC, DEAD):
            publisher.create_topic(name=topic)
        publisher.transport.close()
        with pubsub_v1.SubscriberClient() as subscriber:
            subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=600)
        yield server


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server


def text(content: Any) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def publish(lines: list[bytes], together: int) -> None:
    """Publishes lines, so many in a message: the local runner takes ten messages at a time, whatever they hold."""
    publisher = pubsub_v1.PublisherClient()
    futures = [
        publisher.publish(TOPIC, b"\n".join(lines[first : first + together]), stream="events")
        for first in range(0, len(lines), together)
    ]
    for future in futures:
        future.result(timeout=30)
    publisher.stop()
    publisher.transport.close()


def archived(folder: Path) -> int:
    return sum(pq.read_metadata(path).num_rows for path in folder.rglob("*.parquet"))


def stored(server: RedisServer) -> dict[str, list[list[Any]]]:
    """Every visitor's rows, oldest first."""
    with server.client() as client:
        names = [key.removeprefix(b"augury:z:").decode() for key in client.keys("augury:z:*")]
        found = {}
        for name in names:
            rows = client.hgetall(f"augury:h:{name}")
            found[name] = [orjson.loads(rows[each]) for each in client.zrange(f"augury:z:{name}", 0, -1)]
        return found


def test_nothing_is_lost_nothing_comes_twice_and_what_is_bad_is_kept_with_its_reason(
    pubsub: PubSubServer, redis_server: RedisServer, tmp_path: Path
) -> None:
    chance = random.Random(7)
    bad = [(reason, text(content)) for reason, content in BAD.items() for _ in range(30)]
    copies = 1_700
    unique = MESSAGES - copies - len(bad)
    good = [text(track(f"v{n % VISITORS}", f"m{n}", n, receivedAt=clock(n + n % 2 * 7200))) for n in range(unique)]
    lines = [*good, *chance.choices(good, k=copies), *[line for _, line in bad]]
    assert len(lines) == MESSAGES
    chance.shuffle(lines)
    alone = [line for n, line in enumerate(lines) if n < 500 or len(line) > 1000]
    publish(alone, 1)
    publish([line for n, line in enumerate(lines) if n >= 500 and len(line) <= 1000], 25)

    options = IngestOptions(
        archive=str(tmp_path / "archive"),
        dead_letter=DEAD,
        subscription=SUBSCRIPTION,
        redis_url=redis_server.url,
        archive_seconds=0.5,
        store_days=3650,
    )
    result = start(options)
    try:
        wait_until(lambda: pubsub.unacknowledged(SUBSCRIPTION) == 0, "reading all messages", PATIENCE_SECONDS)
        wait_until(lambda: archived(tmp_path) >= unique, "archiving all events", PATIENCE_SECONDS)
        wait_until(lambda: sum(map(len, stored(redis_server).values())) >= unique, "storing all", PATIENCE_SECONDS)
        wait_until(lambda: len(pubsub.published[DEAD]) >= len(bad), "all dead letters", PATIENCE_SECONDS)
    finally:
        result.cancel()

    rows = rows_below(tmp_path / "archive/events")
    assert Counter(row["message_id"] for row in rows) == Counter(f"m{n}" for n in range(unique))
    assert {row["late"] for row in rows if int(row["message_id"][1:]) % 2} == {True}
    assert {row["late"] for row in rows if not int(row["message_id"][1:]) % 2} == {False}
    assert len({row["partition"] for row in rows}) <= 2  # those of the hours in which this ran
    assert {row["received_at_us"] for row in rows if row["message_id"] == "m8"} == {at(8).micros}

    recent = stored(redis_server)
    assert {name: [row[0] for row in found] for name, found in recent.items()} == {
        f"v{visitor}": [f"m{n}" for n in range(visitor, unique, VISITORS)] for visitor in range(VISITORS)
    }
    columns = EVENT_SCHEMA.names
    in_archive = {row["message_id"]: [row[name] for name in columns] for row in rows}
    assert {row[0]: row for found in recent.values() for row in found} == in_archive

    letters = Counter((message.attributes["reason"], message.data) for message in pubsub.published[DEAD])
    cut = Counter((reason, line[:32_768]) for reason, line in bad)
    assert letters == cut
    assert {message.attributes["source"] for message in pubsub.published[DEAD]} == {SUBSCRIPTION}


def test_nothing_is_lost_while_redis_is_away(pubsub: PubSubServer, redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.kill()
    options = IngestOptions(
        archive=str(tmp_path / "archive"),
        dead_letter=str(tmp_path / "dead"),
        subscription=SUBSCRIPTION,
        redis_url=redis_server.url,
        archive_seconds=0.2,
        store_days=3650,
    )
    result = start(options)
    try:
        publish([text(track(f"v{n}", f"m{n}", n)) for n in range(50)], 1)
        wait_until(lambda: pubsub.unacknowledged(SUBSCRIPTION) < 50, "the pipeline to read")
        redis_server.start()
        wait_until(lambda: len(stored(redis_server)) == 50, "storing all once Redis is back", 60)
        wait_until(lambda: archived(tmp_path / "archive") == 50, "archiving all", 60)
    finally:
        result.cancel()
    assert {name: len(rows) for name, rows in stored(redis_server).items()} == {f"v{n}": 1 for n in range(50)}
