"""Everything that can be wrong with Redis: said in one line, failing fast, and healing by itself."""

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable

import pytest
import redis

from features.recent_events import PushCounts, RecentRules
from serving.store import RecentEventsStore, StoreUnavailableError
from tests.features.recent_cases import NOW_US, batch, event
from tests.real_redis import RedisServer, until

NewRedis = Callable[..., RedisServer]


def _run(url: str, steps: Callable[[RecentEventsStore], Awaitable[None]], timeout_seconds: float = 5.0) -> None:
    async def main() -> None:
        store = RecentEventsStore(url, RecentRules(), now_us=lambda: NOW_US, timeout_seconds=timeout_seconds)
        try:
            await steps(store)
        finally:
            await store.close()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    asyncio.run(main())


async def _refuses(store: RecentEventsStore, problem: str) -> None:
    """Every call fails: the first with the problem, the others at once."""
    with pytest.raises(StoreUnavailableError, match=f"^the fast store at {store.where} cannot be used: {problem}"):
        await store.push(batch(event("m1")))
    assert not store.available
    for call in (store.push(batch(event("m1"))), store.recent("a1"), store.seen([("a", "m")]), store.forget("a1")):
        with pytest.raises(StoreUnavailableError, match=f"{problem}.*; it is tried again in the background$"):
            await call


async def _heals(store: RecentEventsStore) -> None:
    await until(lambda: store.available, "recovery")
    assert (await store.push(batch(event("m1")))).total == 1
    assert len((await store.recent("a1")).rows) == 1


def test_a_server_that_is_away_and_comes_back(new_redis: NewRedis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "serving.store")
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        assert await store.push(batch(event("m0"))) == PushCounts(new=1)
        server.kill()
        await _refuses(store, r"no connection \(ConnectionError\)")
        assert await store.ping() is False
        server.start()
        await _heals(store)
        server.kill()  # and once more
        await _refuses(store, r"no connection")
        server.start()
        assert await store.ping() is True
        assert store.available

    _run(server.url, steps)
    away = f"the fast store at {server.url[:-2]} cannot be used: no connection (ConnectionError); it is tried again"
    back = f"the fast store at {server.url[:-2]} is back"
    assert [message.removesuffix(" in the background") for message in caplog.messages] == [away, back, away, back]


def test_a_server_that_is_not_there_at_the_start(new_redis: NewRedis) -> None:
    server = new_redis()
    server.kill()

    async def steps(store: RecentEventsStore) -> None:
        assert await store.ping() is False
        server.start()
        await _heals(store)

    _run(server.url, steps)


def test_a_server_that_hangs(new_redis: NewRedis) -> None:
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        await store.push(batch(event("m0", "a2")))
        server.freeze()
        start = time.monotonic()
        await _refuses(store, "it did not answer within 0.2 s")
        assert time.monotonic() - start < 2  # one time-out, not five
        server.thaw()
        await _heals(store)
        assert (await store.recent("a2")).visitor == "a2"  # no answer of a call given up reaches another

    _run(server.url, steps, timeout_seconds=0.2)


def test_many_calls_under_way_when_it_hangs(new_redis: NewRedis) -> None:
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        await store.ping()
        server.freeze()
        calls = [store.push(batch(event(f"m{i}"))) for i in range(100)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailableError}
        server.thaw()
        await until(lambda: store.available, "recovery")
        counts = [await store.push(batch(event(f"m{i}"))) for i in range(100)]
        assert {each.total for each in counts} == {1}
        assert len((await store.recent("a1")).rows) == 100

    _run(server.url, steps, timeout_seconds=0.3)


def test_a_read_only_replica(new_redis: NewRedis) -> None:
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        with server.client() as client:
            client.replicaof("127.0.0.1", "1")
            await _refuses(store, "it is a read-only replica")
            assert await store.ping() is False
            client.replicaof("NO", "ONE")
        await _heals(store)

    _run(server.url, steps)


def test_a_server_without_memory(new_redis: NewRedis) -> None:
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        with server.client() as client:
            client.config_set("maxmemory", "1")
            await _refuses(store, "it is out of memory")
            assert await store.ping() is False
            client.config_set("maxmemory", "0")
        await _heals(store)

    _run(server.url, steps)


def test_a_server_that_still_loads_its_data(new_redis: NewRedis) -> None:
    server = new_redis("--loading-process-events-interval-bytes", "1024", "--rdbcompression", "no")
    with server.client() as client:
        for number in range(100):
            client.set(f"k{number}", "x" * 1500)
        client.save()
    server.kill()
    server.options += ("--key-load-delay", "20000")
    server.start(wait=False)

    async def steps(store: RecentEventsStore) -> None:
        def loading() -> bool:
            with server.client() as client:
                try:
                    return bool(client.info("persistence")["loading"])
                except redis.ConnectionError:
                    return False

        await until(loading, "the start of loading")
        await _refuses(store, "it is still loading its data")
        await _heals(store)

    _run(server.url, steps)


def test_a_password_that_is_wrong_is_not_shown(new_redis: NewRedis) -> None:
    server = new_redis("--requirepass", "right")
    address = f"127.0.0.1:{server.port}"

    async def wrong(store: RecentEventsStore) -> None:
        assert store.where == f"redis://{address}"
        try:
            await store.push(batch(event("m1")))
        except StoreUnavailableError as e:
            shown = "".join(traceback.format_exception(e))
        assert "it refuses the user name or password" in shown
        assert "hunter2" not in shown and "a1" not in shown.splitlines()[-1]

    async def none(store: RecentEventsStore) -> None:
        await _refuses(store, "it wants a password|it refuses the user name or password")

    async def right(store: RecentEventsStore) -> None:
        assert await store.push(batch(event("m1"))) == PushCounts(new=1)

    _run(f"redis://:hunter2@{address}/0", wrong)
    _run(f"redis://{address}/0", none)
    _run(f"redis://:right@{address}/0", right)


def test_keys_of_another_program_spoil_one_visitor_alone(new_redis: NewRedis) -> None:
    server = new_redis()

    async def steps(store: RecentEventsStore) -> None:
        with server.client() as client:
            client.set("augury:h:a1", "not ours")
        problem = r"it answered with an error \(ResponseError\); another program may use the same namespace"
        with pytest.raises(StoreUnavailableError, match=problem):
            await store.push(batch(event("m1")))
        assert store.available
        assert (await store.push(batch(event("m1", "a2")))).new == 1

    _run(server.url, steps)


def test_to_close_ends_the_attempts(new_redis: NewRedis) -> None:
    server = new_redis()
    server.kill()

    async def steps(store: RecentEventsStore) -> None:
        assert await store.ping() is False

    _run(server.url, steps)
