"""Segment's library for Python, as it comes from its registry, sends to a running service."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from segment.analytics import Client

from tests.running_service import WRITE_KEY, Service, service

__all__ = ["service"]


def sent(service: Service, **options: Any) -> tuple[Client, list[Any]]:
    errors: list[Any] = []
    client = Client(WRITE_KEY, host=service.url, on_error=lambda *given: errors.append(given), **options)
    return client, errors


@pytest.mark.parametrize("gzip", [False, True])
def test_every_call_arrives(service: Service, gzip: bool):
    client, errors = sent(service, gzip=gzip)
    visitor = f"visitor-{gzip}"
    ahead = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    client.identify("u1", {"email": "a@b.example"}, anonymous_id=visitor)
    client.track("u1", "Product Viewed", {"price": 9.5}, timestamp=ahead, anonymous_id=visitor)
    client.page("u1", "Shop", "Home", {"url": "https://shop.example/"}, anonymous_id=visitor)
    client.screen("u1", "Shop", "Home", anonymous_id=visitor)
    client.group("u1", "g1", {"name": "group"}, anonymous_id=visitor)
    client.alias(f"{visitor}-before", "u1")
    client.shutdown()
    assert errors == []
    lines = [json.loads(line) for line in service.archived()]
    mine = {line["type"]: line for line in lines if line["anonymousId"].startswith(visitor)}
    assert mine.keys() == {"identify", "track", "page", "screen", "group", "alias"}
    assert mine["track"]["properties"] == {"price": 9.5}
    assert datetime.fromisoformat(mine["track"]["originalTimestamp"]) == ahead
    assert mine["track"]["context"]["library"]["name"] == "analytics-python"
    assert mine["alias"]["anonymousId"] == f"{visitor}-before"


def test_five_hundred_events_arrive_once_each(service: Service):
    client, errors = sent(service, upload_size=100)
    for number in range(500):
        client.track(f"many-{number}", "Clicked", message_id=f"many-{number}")
    client.shutdown()
    assert errors == []
    found = [json.loads(line)["messageId"] for line in service.archived()]
    assert sorted(name for name in found if name.startswith("many-")) == sorted(f"many-{i}" for i in range(500))
    with redis.Redis(unix_socket_path=str(service.folder / "store" / "store.sock")) as store:
        assert store.dbsize() > 500


def test_a_wrong_key_is_told_once_and_not_tried_again(service: Service):
    errors: list[Any] = []
    client = Client("wrong", host=service.url, on_error=lambda error, items: errors.append(error))
    client.track("u1", "Clicked")
    client.shutdown()
    [error] = errors
    assert (error.status, error.code) == (401, "unauthorized")
    assert error.message.startswith("the key given is unknown")
