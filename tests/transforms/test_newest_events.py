"""Which archived events are replayed: by hand, and against a store that saw every one of them as it came."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import EVENT_SCHEMA
from features.recent_calls import read_recent, recent_calls
from features.recent_events import Recent, RecentRules, push_events
from tests.real_redis import running_server
from tests.transforms.streams import NOON_US, SECOND_US
from transforms.newest_events import may_matter, newest_events

DAY = 86_400
RULES = RecentRules(count=2, max_age_days=1, dedup_seconds=0)


def batch(*rows: tuple[Any, ...]) -> pa.RecordBatch:
    """Rows of (message id, anonymous id, user id, second, second of receipt[, type])."""
    made = []
    for message, anonymous, user, second, received, *kind in rows:
        made.append(
            {
                "message_id": message,
                "anonymous_id": anonymous,
                "user_id": user,
                "type": kind[0] if kind else "track",
                "event": "Product Viewed",
                "timestamp_us": NOON_US + second * SECOND_US,
                "received_at_us": None if received is None else NOON_US + received * SECOND_US,
                "properties": kind[1] if len(kind) > 1 else None,
            }
        )
    return pa.RecordBatch.from_pylist(made, schema=EVENT_SCHEMA)


def ids(events: pa.RecordBatch) -> list[str]:
    return events.column("message_id").to_pylist()  # type: ignore[no-any-return]


def test_the_newest_by_time_stay_in_the_order_of_receipt() -> None:
    events = batch(
        ("old", "a", None, 1, 1),
        ("came late", "a", None, 2, 9),
        ("newest", "a", None, 5, 5),
        ("b", "b", None, 0, None),
        ("tie", "a", None, 2, 3),
    )
    assert ids(newest_events(events, RULES, NOON_US)) == ["tie", "newest", "b"]


def test_what_an_id_did_for_each_user_counts_apart() -> None:
    events = batch(
        ("first", "a", None, -1, -1),
        ("a0", "a", None, 0, 0),
        ("a1", "a", None, 1, 1),
        ("a2", "a", "ann", 2, 2),  # takes what was before
        ("a3", "a", None, 3, 3),
        ("a4", "a", "bob", 4, 4),
        ("a5", "a", None, 5, 5),
        ("a6", "a", "ann", 1, 6),  # came late: bob stays logged in
        ("a7", "a", None, 7, 7),
    )
    assert ids(newest_events(events, RULES, NOON_US)) == ["a0", "a1", "a2", "a3", "a4", "a5", "a7"]
    apart = replace(RULES, link_visitors=False)
    assert ids(newest_events(events, apart, NOON_US)) == ["a5", "a7"]


def test_old_events_matter_only_for_the_logins_in_them() -> None:
    events = batch(
        ("old", "a", None, -3 * DAY, -3 * DAY),
        ("login", "a", "ann", -5 * DAY, -3 * DAY),
        ("newer", "a", "ann", -4 * DAY, -4 * DAY),
        ("other", "a", "bob", -5 * DAY, -5 * DAY),
        ("late", "a", "ann", -6 * DAY, -2 * DAY),
        ("ancient", "a", "cy", -401 * DAY, 0),
        ("alias", "a", "dee", -5 * DAY, -5 * DAY, "alias"),
        ("new", "a", None, 0, 0),
        ("edge", "a", None, -DAY, 0),
        ("group", "b", None, 0, 0, "group"),
        ("identify", "b", "ann", 0, 0, "identify"),
    )
    rules = replace(RULES, types=("track",))
    assert ids(events.filter(pa.array(may_matter(events, rules, NOON_US)))) == [
        *("newer", "other", "late", "alias", "new", "edge", "identify"),
    ]
    apart = replace(rules, link_visitors=False)
    assert ids(events.filter(pa.array(may_matter(events, apart, NOON_US)))) == ["new", "edge"]


def test_nothing_needs_nothing() -> None:
    events = batch()
    assert may_matter(events, RULES, NOON_US).tolist() == []
    assert newest_events(events, RULES, NOON_US).num_rows == 0


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with running_server() as server, server.client() as connected:
        connected.script_load(recent_calls(["a"], RULES, NOON_US)[0].script.text)
        yield connected


VISITORS = ("a", "b", "c")
USERS = ("ann", "bob")
SECONDS = (*range(7), -2 * DAY, 1 - 2 * DAY)
EVENTS = st.tuples(
    st.sampled_from("aaabc"),
    st.sampled_from((None, None, *USERS)),
    st.sampled_from(SECONDS),
    st.sampled_from(("track", "track", "identify", "group")),
)


def contents(client: redis.Redis, rules: RecentRules) -> tuple[list[Recent], list[bytes | None]]:
    """Everybody's recent events, and whose each anonymous id is, since when."""
    names = [*VISITORS, *(f"user:{user}" for user in USERS)]
    [call] = recent_calls(names, rules, NOON_US)
    links = [client.get(f"{rules.namespace}:l:{name}") for name in VISITORS]
    return read_recent([client.execute_command(*call.command)], rules), links


@given(
    st.lists(EVENTS, max_size=5),
    st.lists(EVENTS, min_size=4, max_size=16),
    st.integers(1, 2),
    st.booleans(),
    st.randoms(use_true_random=False),
)
@settings(max_examples=300)
def test_a_replay_leaves_what_the_service_had(
    client: redis.Redis, early: list[Any], drawn: list[Any], count: int, link: bool, chance: Any
) -> None:
    rules = RecentRules(
        count=count,
        max_age_days=1,
        types=("track", "identify"),
        dedup_seconds=0,
        link_visitors=link,
        namespace="live",
    )
    rows = [(f"e{n}", *row[:2], row[2] - 3 * DAY, n - 3 * DAY, row[3]) for n, row in enumerate(early)]
    rows += [(f"m{n}", *row[:3], n, row[3]) for n, row in enumerate(drawn)]
    client.flushall()
    for row in rows:
        push_events(client, batch(row), rules, NOON_US)
    live = contents(client, rules)

    warm = replace(rules, namespace="warm")
    chance.shuffle(rows)
    half = len(rows) // 2  # two files, read apart
    chosen = [
        part.filter(pa.array(may_matter(part, warm, NOON_US))) for part in (batch(*rows[:half]), batch(*rows[half:]))
    ]
    events = pa.Table.from_batches(chosen).combine_chunks()
    for shard in (("b",), ("a", "c")):
        members = np.isin(events.column("anonymous_id").to_numpy(), shard)
        [part] = events.filter(pa.array(members)).combine_chunks().to_batches() or [batch()]
        needed = newest_events(part, warm, NOON_US)
        if needed.num_rows:
            push_events(client, needed, warm, NOON_US)
    assert contents(client, warm) == live
