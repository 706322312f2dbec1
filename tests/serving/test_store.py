"""The service's view of the fast store, on a real server that is well."""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from features.recent_events import Forgotten, PushCounts, RecentRules, decode_events, encode_events
from serving.store import RecentEventsStore, StoreSettingsError, clock_us
from tests.features.recent_cases import NOW_US, Store, batch, event
from tests.real_redis import RedisServer


def _run(url: str, steps: Callable[[RecentEventsStore], Awaitable[Any]], **rules: Any) -> Any:
    async def main() -> Any:
        store = RecentEventsStore(url, RecentRules(**rules), now_us=lambda: NOW_US, timeout_seconds=10)
        try:
            return await steps(store)
        finally:
            await store.close()

    return asyncio.run(main())


def test_what_is_pushed_is_recent(redis_url: str) -> None:
    events = batch(event("m2", at=2), event("m1", at=1), event("x", "a2"))

    async def steps(store: RecentEventsStore) -> None:
        assert await store.push(events) == PushCounts(new=3)
        assert await store.push(events) == PushCounts(known=3)
        recent = await store.recent("a1")
        assert recent.rows == encode_events(batch(event("m1", at=1), event("m2", at=2)))
        assert (recent.visitor, recent.full) == ("a1", False)
        table = decode_events(recent.rows, [recent.visitor] * 2)
        assert table.column("message_id").to_pylist() == ["m1", "m2"]
        unknown = await store.recent("nobody")
        assert (unknown.visitor, unknown.rows, unknown.full) == ("nobody", [], False)

    _run(redis_url, steps)


def test_both_clients_leave_the_same(redis_url: str, redis_server: RedisServer) -> None:
    events = [event(f"m{i}", f"a{i % 3}", at=i, user_id="u" if i == 7 else None) for i in range(20)]

    async def steps(store: RecentEventsStore) -> PushCounts:
        return await store.push(batch(*events))

    counts = _run(redis_url, steps)
    with redis_server.client() as client:
        first = {key: client.dump(key) for key in client.scan_iter()}
        client.flushall()
        assert Store(client).push(*events) == counts
        assert {key: client.dump(key) for key in client.scan_iter()} == first


def test_many_visitors_at_once_in_the_order_asked_for(redis_url: str) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(*(event(f"m{i}", f"a{i}", user_id="u" if i == 3 else None) for i in range(40))))
        names = [*(f"a{i}" for i in reversed(range(40))), "nobody", "user:u"]
        found = await store.recent_many(names)
        assert [recent.visitor for recent in found] == ["user:u" if name == "a3" else name for name in names]
        assert [len(recent.rows) for recent in found] == [1] * 40 + [0, 1]
        assert await store.recent_many([]) == []

    _run(redis_url, steps)


def test_seen_are_those_pushed_and_the_second_of_two(redis_url: str) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m1"), event("m2", type="page"), event("m1", "a2")))
        keys = [("a1", "m1"), ("a1", "m2"), ("a1", "m3"), ("a2", "m1"), ("a2", "m2"), ("a2", "m2")]
        assert await store.seen(keys) == [True, True, False, True, False, True]
        assert await store.seen([]) == []

    _run(redis_url, steps, types=("track",))


def test_a_mark_goes_with_time(redis_url: str, redis_server: RedisServer) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m1", type="page")))
        with redis_server.client() as client:
            (mark,) = client.scan_iter("augury:s:*")
            assert 0 < client.pttl(mark) <= 2000
            client.pexpire(mark, 0)
        assert await store.seen([("a1", "m1")]) == [False]

    _run(redis_url, steps, dedup_seconds=2, types=("track",))


def test_what_is_among_the_recent_events_was_seen_whatever_became_of_its_mark(redis_url: str) -> None:
    """Also after a login has moved it to the user, and not where another visitor has the same message id."""

    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m1"), event("m2", user_id="u"), *(event(f"n{i}", "a2") for i in range(200))))
        assert await store.seen([("a1", "m1"), ("a1", "m2"), ("a1", "m3"), ("a3", "m1")]) == [True, True, False, False]
        assert await store.seen([("a2", f"n{i}") for i in range(200)]) == [True] * 200

    _run(redis_url, steps, dedup_seconds=0)


def test_to_forget(redis_url: str) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m1", user_id="u"), event("m2")))
        assert await store.forget("a1") == Forgotten("user:u", 2, 1, ("user:u", "a1"))
        assert (await store.recent("user:u")).rows == []
        assert await store.push(batch(event("m1"))) == PushCounts(forgotten=1)

    _run(redis_url, steps)


def test_no_events_need_no_server() -> None:
    async def steps(store: RecentEventsStore) -> None:
        assert await store.push(batch()) == PushCounts()
        assert store.available

    _run("redis://127.0.0.1:1", steps)


def test_events_refused_before_the_server_is_asked(redis_url: str) -> None:
    async def steps(store: RecentEventsStore) -> None:
        assert await store.push(batch(event("m1", "user:1"))) == PushCounts(refused=1)

    _run(redis_url, steps)


def test_a_server_that_lost_its_scripts_gets_them_again(redis_url: str, redis_server: RedisServer) -> None:
    async def steps(store: RecentEventsStore) -> None:
        many = [event(f"m{i}", f"a{i}") for i in range(300)]
        with redis_server.client() as client:
            client.script_flush()
            assert await store.push(batch(*many)) == PushCounts(new=300)
            client.script_flush()
            assert len((await store.recent("a7")).rows) == 1
        assert store.available

    _run(redis_url, steps)


def test_two_workers_and_their_tasks_at_once(redis_url: str) -> None:
    everything = [event(f"m{i:03}", f"a{i % 5}", at=i % 17, user_id="u" if i % 50 == 9 else None) for i in range(200)]

    async def steps(one: RecentEventsStore) -> None:
        other = RecentEventsStore(redis_url, one.rules, now_us=lambda: NOW_US, timeout_seconds=10)
        pushes = [
            store.push(batch(*everything[start : start + 7]))
            for start in range(0, len(everything), 5)  # some of them twice
            for store in (one, other)
        ]
        counts = await asyncio.gather(*pushes)
        assert sum(each.new for each in counts) == 200
        for name in [f"a{i}" for i in range(4)] + ["user:u"]:
            linked = name in ("a4", "user:u")
            own = [each for each in everything if each["anonymous_id"] == ("a4" if linked else name)]
            own.sort(key=lambda each: (each["timestamp_us"], each["message_id"]))
            assert (await one.recent(name)).rows == encode_events(batch(*own))
        await other.close()

    _run(redis_url, steps)


def test_a_task_that_is_cancelled_leaves_no_answer_to_another(redis_url: str) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(*(event(f"m{i}", f"a{i}") for i in range(50))))
        for place in range(50):
            task = asyncio.create_task(store.recent(f"a{place}"))
            for _ in range(place % 7):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await store.recent(f"a{49 - place}")).visitor == f"a{49 - place}"

    _run(redis_url, steps)


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(redis_url: str, redis_server: RedisServer) -> None:
    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m1")))
        with redis_server.client() as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert await store.push(batch(event("m2"))) == PushCounts(new=1)
        assert store.available

    _run(redis_url, steps)


def test_the_clock_is_the_machine_s() -> None:
    assert abs(clock_us() - time.time() * 1e6) < 5e6


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@host:1/0",
        "redis://:hun/ter2@host:6379",
        "redis://:hunter2@host:port",
        "redis://:hunter2@host:99999",
        "redis://:hunter2@[::1",
        "hunter2",
        "redis://:hunter2@host:1/0?socket_timeout=soon",
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreSettingsError, match="of the fast store is not possible; expected redis://") as refused:
        RecentEventsStore(url, RecentRules())
    assert "hun" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_out_that_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(StoreSettingsError, match="timeout_seconds .* is not possible; expected more than 0"):
        RecentEventsStore("redis://host", RecentRules(), timeout_seconds=seconds)


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("redis://me:secret@host:7/3?password=secret", "redis://host:7"),
        ("rediss://host", "rediss://host:6379"),
        ("unix:///run/store.sock?password=secret", "unix:///run/store.sock"),
    ],
)
def test_where_says_nothing_secret(url: str, where: str) -> None:
    assert RecentEventsStore(url, RecentRules()).where == where
