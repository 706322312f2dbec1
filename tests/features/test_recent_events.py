"""What a real server holds after pushes: order, copies, limits, ages, expiry."""

from typing import Any

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings

from features.recent_calls import mark_of
from features.recent_events import MAX_ID_BYTES, PushCounts, Recent, encode_events
from tests.features.recent_cases import DAY_US, NOW_US, Store, batch, event
from tests.real_redis import RedisServer

_DAY_MS = 86_400_000


@pytest.fixture
def client(redis_server: RedisServer) -> Any:
    with redis_server.client() as client:
        client.flushall()
        yield client


def test_events_are_sorted_by_their_own_time_then_by_id(client: redis.Redis) -> None:
    store = Store(client)
    assert store.push(event("m9", at=9), event("m3", at=3)) == PushCounts(new=2)
    assert store.push(event("late", at=1), event("b", at=3), event("\u00e9", at=3), event("a", at=3)).new == 4
    assert store.ids("a1") == ["late", "a", "b", "m3", "\u00e9", "m9"]


def test_rows_are_the_encoded_events(client: redis.Redis) -> None:
    store = Store(client)
    sent = [event("m1", at=1, properties='{"q":"\\u0000"}', source=""), event("m2", at=2, user_agent="x" * 30_000)]
    store.push(*sent)
    assert store.recent("a1") == Recent("a1", encode_events(batch(*sent)), full=False)


def test_the_first_event_with_an_id_stays(client: redis.Redis) -> None:
    store = Store(client)
    assert store.push(event("m1", at=1, url="https://first.example/")).new == 1
    assert store.push(event("m1", at=1, url="https://first.example/")) == PushCounts(known=1)
    assert store.push(event("m1", at=7, url="https://other.example/"), event("m2", at=2)) == PushCounts(new=1, known=1)
    assert store.ids("a1") == ["m1", "m2"]
    assert b"first.example" in store.recent("a1").rows[0]


def test_the_same_id_of_two_visitors_is_two_events(client: redis.Redis) -> None:
    store = Store(client)
    assert store.push(event("m1", "a1"), event("m1", "a2")).new == 2


def test_the_newest_count_stay(client: redis.Redis) -> None:
    store = Store(client, count=3)
    store.push(*(event(f"m{i}", at=i) for i in range(2)))
    assert store.recent("a1").full is False
    store.push(*(event(f"m{i}", at=i) for i in range(2, 6)))
    assert store.recent("a1").full is True
    assert store.push(event("too late", at=0)).new == 1
    assert store.ids("a1") == ["m3", "m4", "m5"]
    assert client.hlen("augury:h:a1") == client.zcard("augury:z:a1") == 3
    assert Store(client, count=2).ids("a1") == ["m4", "m5"]


def test_old_events_are_left_out_and_leave(client: redis.Redis) -> None:
    store = Store(client, max_age_days=2)
    edge = {"timestamp_us": NOW_US - 2 * DAY_US}
    assert store.push(event("edge", **edge), event("old", timestamp_us=NOW_US - 2 * DAY_US - 1)) == PushCounts(
        new=1, outdated=1
    )
    assert store.ids("a1") == ["edge"]
    assert store.ids("a1", now_us=NOW_US + 1) == []  # not shown, though nothing was pushed since
    store.push(event("m1"), now_us=NOW_US + 1)
    assert client.hkeys("augury:h:a1") == [b"m1"]


def test_every_key_expires(client: redis.Redis) -> None:
    store = Store(client, max_age_days=2, dedup_seconds=60)
    store.push(event("m1"), event("m2", user_id="u"), event("m3", "b"))
    store.forget("b")
    assert len(store.held_keys()) == 8  # rows, times, a link, its set, three marks, one that b is forgotten
    left = {key: client.pttl(key) for key in client.scan_iter()}
    for key, ttl in left.items():
        expected = {b"z": 3 * _DAY_MS, b"h": 3 * _DAY_MS, b"s": 60_000}.get(key.split(b":")[1], 400 * _DAY_MS)
        assert expected - 20_000 < ttl <= expected, key


def test_types_that_are_not_kept_are_counted_and_still_link(client: redis.Redis) -> None:
    store = Store(client, types=("track",))
    counts = store.push(event("m1"), event("m2", type="page"), event("m3", type="identify", user_id="u1"))
    assert counts == PushCounts(new=1, irrelevant=2)
    assert store.ids("user:u1") == ["m1"]


def test_pushed_messages_are_marked_for_a_while(client: redis.Redis) -> None:
    Store(client, types=("track",), dedup_seconds=60).push(event("m1"), event("m2", type="page"))
    marks = [b"augury:s:" + mark_of("a1", id_) for id_ in ("m1", "m2", "m3")]
    assert [client.exists(mark) for mark in marks] == [1, 1, 0]
    assert all(len(mark) == 9 + 16 for mark in marks)
    client.flushall()
    Store(client, dedup_seconds=0).push(event("m1"))
    assert client.keys("augury:s:*") == []


def test_marks_tell_ids_apart_wherever_they_are_cut() -> None:
    assert len({mark_of("a", "bc"), mark_of("ab", "c"), mark_of("a:b", "c"), mark_of("a", "b:c")}) == 4


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "\x00\n*?[",
        "x:h:y",
        "\u043f\u0440\u0438\u0432\u0435\u0442",
        "\U0001f600" * 64,
        "{tag}",
        "$-1",
        "x" * MAX_ID_BYTES,
    ],
)
def test_odd_names_are_names(client: redis.Redis, name: str) -> None:
    store = Store(client)
    assert store.push(event(name, name), event("other", "a2")).new == 2
    assert store.ids(name) == [name]
    assert store.push(event("login", name, user_id=name)).new == 1
    assert store.recent(name).visitor == f"user:{name}"
    assert store.forget(name).events == 2
    assert store.ids("a2") == ["other"]


@pytest.mark.parametrize(
    "bad",
    [
        event("m", "user:1"),
        event("m", "x" * (MAX_ID_BYTES + 1)),
        event("m", "\u00e9" * (MAX_ID_BYTES // 2 + 1)),
        event("m" * (MAX_ID_BYTES + 1)),
        event("m", user_id="u" * (MAX_ID_BYTES + 1)),
    ],
)
def test_ids_that_cannot_be_are_counted_and_not_stored(client: redis.Redis, bad: dict[str, Any]) -> None:
    store = Store(client)
    assert store.push(bad, event("good", "a9")) == PushCounts(new=1, refused=1)
    assert store.push(bad) == PushCounts(refused=1)
    assert store.held_keys("augury:h:*") == ["augury:h:a9"]


def test_namespaces_do_not_meet(client: redis.Redis) -> None:
    one, two = Store(client, namespace="shop"), Store(client, namespace="blog")
    one.push(event("m1"))
    assert (one.ids("a1"), two.ids("a1")) == (["m1"], [])
    assert all(key.startswith("shop:") for key in one.held_keys())


def test_nothing_is_no_trouble(client: redis.Redis) -> None:
    assert Store(client).push() == PushCounts()


def test_a_server_that_lost_its_scripts_gets_them_again(client: redis.Redis) -> None:
    store = Store(client)
    store.push(event("m1"))
    client.script_flush()
    assert store.push(event("m2")).new == 1
    assert store.ids("a1") == ["m1", "m2"]


def test_many_visitors_go_in_few_calls(client: redis.Redis) -> None:
    store = Store(client)
    store.push(event("m0"))
    client.config_resetstat()
    assert store.push(*(event(f"m{i}", f"a{i % 100}", at=i) for i in range(500))).total == 500
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] <= 10
    assert store.ids("a7") == ["m7", "m107", "m207", "m307", "m407"]


def test_more_events_of_one_visitor_than_a_call_takes(client: redis.Redis) -> None:
    store = Store(client, count=1000)
    assert store.push(*(event(f"m{i:04}", at=i) for i in range(700))).new == 700
    assert store.ids("a1") == [f"m{i:04}" for i in range(700)]


def test_half_of_a_visitor_lost_is_mended_by_pushing_again(client: redis.Redis) -> None:
    store = Store(client)
    store.push(event("m1"), event("m2", at=1))
    client.delete("augury:z:a1")  # an evicting server
    assert store.push(event("m1"), event("m2", at=1)).known == 2
    assert store.ids("a1") == ["m1", "m2"]
    client.delete("augury:h:a1")
    assert store.ids("a1") == []


_EVENT = st.builds(event, st.sampled_from("abcdefgh"), st.sampled_from(["v1", "v2"]), at=st.integers(0, 6))
_BATCHES = st.lists(st.lists(_EVENT, max_size=6), max_size=6)


def _model(events: list[dict[str, Any]], visitor: str, count: int) -> list[str]:
    """First payload wins, newest ``count`` stay; one event at a time."""
    held: dict[str, int] = {}
    for each in events:
        if each["anonymous_id"] == visitor:
            held.setdefault(each["message_id"], each["timestamp_us"])
            held = dict(sorted(held.items(), key=lambda item: (item[1], item[0]))[-count:])
    return list(held)


@settings(max_examples=60)
@given(_BATCHES, st.sampled_from([100, 3]))
def test_any_batching_gives_what_a_plain_model_gives(
    redis_server: RedisServer, batches: list[list[dict[str, Any]]], count: int
) -> None:
    with redis_server.client() as client:
        client.flushall()
        store = Store(client, count=100)
        for events in batches:
            store.push(*events)
        everything = [each for events in batches for each in events]
        for visitor in ("v1", "v2"):
            kept = _model(everything, visitor, 100)
            assert store.ids(visitor) == kept
            assert Store(client, count=count).ids(visitor) == kept[-count:]


@settings(max_examples=60)
@given(st.data())
def test_any_order_and_any_copies_give_the_same_rows(redis_server: RedisServer, data: st.DataObject) -> None:
    sent = data.draw(st.lists(_EVENT, max_size=8, unique_by=lambda each: (each["anonymous_id"], each["message_id"])))
    pushes = data.draw(st.permutations(sent * 2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pushes)), max_size=4)))
    with redis_server.client() as client:
        client.flushall()
        store = Store(client, count=3)
        for first, last in zip([0, *cuts], [*cuts, len(pushes)], strict=True):
            store.push(*pushes[first:last])
        for visitor in ("v1", "v2"):
            own = [each for each in sent if each["anonymous_id"] == visitor]
            own.sort(key=lambda each: (each["timestamp_us"], each["message_id"]))
            assert store.recent(visitor).rows == encode_events(batch(*own[-3:]))
            assert store.client.hlen(f"augury:h:{visitor}") == min(len(own), 3)
