"""Whose an event is: what a real fast store finds event by event is found from all of them at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pytest

from features.identities import Identities, device_of, logins
from features.recent_calls import read_recent, recent_calls
from features.recent_events import RecentRules, push_events
from features.segment import adapt_messages
from tests.real_redis import RedisServer, running_server
from tests.transforms.streams import NOON_US, clock, track

RULES = RecentRules(count=5000, max_age_days=3650)


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with running_server() as server:
        yield server


def batch(*messages: dict[str, Any]) -> pa.RecordBatch:
    return adapt_messages(list(messages), [orjson.dumps(each) for each in messages], "test").events


def login(device: str, message: str, second: float, user: str, received: float | None = None) -> dict[str, Any]:
    at = clock(second if received is None else received)
    return {**track(device, message, second, receivedAt=at, userId=user), "type": "identify"}


def found_owners(batches: list[pa.RecordBatch]) -> dict[str, str]:
    """Message id -> visitor."""
    identities = Identities.of(logins(each) for each in batches)
    owners = {}
    for each in batches:
        visitors = identities.of_events(each).to_pylist()
        owners.update(zip(each.column("message_id").to_pylist(), visitors, strict=True))
    return owners


def stored_owners(server: RedisServer, batches: list[pa.RecordBatch], names: list[str]) -> dict[str, str]:
    with server.client() as client:
        client.flushall()
        for each in batches:
            for row in range(each.num_rows):  # one push each, in the order of receipt
                push_events(client, each.slice(row, 1), RULES, NOON_US)
        calls = recent_calls(names, RULES, NOON_US)
        client.script_load(calls[0].script.text)
        answers = read_recent([client.execute_command(*call.command) for call in calls], RULES)
    return {orjson.loads(row)[0]: answer.visitor for answer in answers for row in answer.rows}


@pytest.mark.parametrize("seed", range(12))
def test_a_real_store_finds_the_same(running: RedisServer, seed: int) -> None:
    """Devices that several use, users with several devices, aliases in chains, clocks a little off."""
    random = np.random.default_rng(seed)
    messages = []
    for n in range(250):
        device, user = f"device{random.integers(12)}", f"user{random.integers(6)}"
        happened = n - float(random.integers(0, 20)) * float(random.random() < 0.3) + n / 1000
        call = track(device, f"m{n:03d}", happened, receivedAt=clock(n))
        kind = random.random()
        if kind < 0.12:
            call |= {"userId": user}
        elif kind < 0.16:
            previous = str(random.choice([f"user{random.integers(6)}", f"device{random.integers(12)}"]))
            call |= {"type": "alias", "userId": user, "properties": {"previousId": previous}}
        messages.append(call)
    batches = [batch(*messages)]  # all in one batch: nothing of a shared device is left out
    names = [*(f"device{n}" for n in range(12)), *(f"user:user{n}" for n in range(6))]
    stored = stored_owners(running, batches, names)
    found = found_owners(batches)
    assert len(stored) > 200
    assert {message: found[message] for message in stored} == stored


def test_batches_in_any_number_and_order_give_the_same() -> None:
    messages = [
        track("laptop", "m1", 1),
        login("laptop", "m2", 2, "ada"),
        track("laptop", "m3", 3),
        login("phone", "m4", 4, "ada"),
        login("kiosk", "m5", 5, "ada"),
        track("kiosk", "m6", 6, receivedAt=clock(6)),
        login("kiosk", "m7", 7, "bob"),
        track("kiosk", "m8", 8, receivedAt=clock(8)),
        track("alone", "m9", 9),
    ]
    ada, bob = "user:ada", "user:bob"
    expected = dict(zip([f"m{n}" for n in range(1, 10)], [ada] * 6 + [bob] * 2 + ["alone"], strict=True))
    assert found_owners([batch(*messages)]) == expected
    assert found_owners([batch(each) for each in messages[::-1]]) == expected


def test_of_a_device_with_one_user_two_logins_are_enough() -> None:
    calls = [login("a", f"m{n}", n, "u") for n in range(50)]
    kept = logins(batch(*calls, track("b", "x", 1)))
    assert kept.column("message_id").to_pylist() == ["m0", "m49"]
    assert logins(batch(track("b", "x", 1))).num_rows == 0


def test_names_of_users_never_pass_for_devices() -> None:
    assert device_of("user:x", "user:x") == "user:user:x"
    assert device_of("a", "user:x") == "a"
    assert Identities.of([]).of_events(batch(track("a", "m", 1))).to_pylist() == ["a"]
    assert Identities().of_events(batch(track("a", "m", 1)).slice(0, 0)).to_pylist() == []
