"""Segment's own libraries from the package registry, unmodified: every event is in Redis and in the archive, once."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.collected import Collected
from tests.running_service import WRITE_KEY

RunNode = Callable[..., Any]


def _made(made: Sequence[Sequence[str | None]]) -> Counter[tuple[str | None, ...]]:
    """Returns (type, message id) of each event that a library made."""
    assert len({message_id for _, message_id, *_ in made}) == len(made)
    return Counter((kind, message_id) for kind, message_id, *_ in made)


def _kept(rows: Sequence[dict[str, Any]]) -> Counter[tuple[str | None, ...]]:
    return Counter((row["type"], row["message_id"]) for row in rows)


def test_the_library_for_servers(collected: Collected, run_node: RunNode) -> None:
    told = run_node("analytics-node.mjs", service=collected.url, key=WRITE_KEY)
    assert told["errors"] == []
    assert Counter(kind for kind, *_ in told["made"]) == {
        "track": 41, "page": 1, "screen": 1, "identify": 1, "group": 1, "alias": 1,
    }  # fmt: skip
    # alias made user-1 and all that was his user-2's, as identify made the anonymous visitor user-1's.
    stored = collected.stored("anon-1")
    assert _kept(stored) == _made(told["made"])
    assert {row["visitor"] for row in stored} == {"user:user-2"}
    rows = collected.archived()
    assert _kept(rows) == _made(told["made"])
    assert {row["source"] for row in rows} == {"@segment/analytics-node"}
    assert [row["properties"] for row in rows if row["event"] == "Order Completed"] == ['{"revenue":25}']


@pytest.mark.parametrize("batching", [False, True], ids=["one by one", "in batches"])
def test_the_library_for_browsers(collected: Collected, run_node: RunNode, chromium: str, batching: bool) -> None:
    settings = {}
    if batching:
        strategy = {"strategy": "batching", "config": {"size": 5, "timeout": 200}}
        settings = {"integrations": {"Segment.io": {"deliveryStrategy": strategy}}}
    told = run_node("analytics-next.mjs", service=collected.url, key=WRITE_KEY, chromium=chromium, settings=settings)
    # Settings and events come from and go to this service alone, and everything was taken.
    assert told["strangers"] == []
    assert {status for _, status in told["sent"]} == {200}
    paths = {path for path, _ in told["sent"]}
    assert paths == ({"/v1/b"} if batching else {"/v1/p", "/v1/t", "/v1/i", "/v1/g", "/v1/a"})
    assert Counter(kind for kind, *_ in told["made"]) == {"track": 21, "page": 1, "identify": 1, "group": 1, "alias": 1}
    visitor = told["made"][0][2]
    assert _kept(collected.stored(visitor)) == _made(told["made"])
    rows = collected.archived()
    assert _kept(rows) == _made(told["made"])
    assert {row["source"] for row in rows} == {"analytics.js"}
    assert all("utm_campaign=spring" in row["url"] for row in rows)
