"""Whose events they are: logins, aliases, shared devices, and forgetting."""

import threading
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from features.recent_events import Forgotten, PushCounts
from features.recent_scripts import MOST_LINKS
from tests.features.recent_cases import NOW_US, SECOND_US, Store, alias, event
from tests.real_redis import RedisServer


@pytest.fixture
def store(redis_server: RedisServer) -> Any:
    with redis_server.client() as client:
        client.flushall()
        yield Store(client)


def test_a_login_gives_the_anonymous_history_to_the_user(store: Store) -> None:
    store.push(event("m1", at=1), event("m2", at=2))
    store.push(event("login", at=3, type="identify", user_id="u"))
    store.push(event("m4", at=4))
    for name in ("a1", "user:u"):
        assert store.visitor(name) == "user:u"
        assert store.ids(name) == ["m1", "m2", "login", "m4"]
    assert store.held_keys("augury:[zh]:*") == ["augury:h:user:u", "augury:z:user:u"]


def test_the_order_within_a_batch_makes_no_difference(store: Store) -> None:
    store.push(event("m1", at=1), event("login", at=3, user_id="u"), event("m4", at=4), event("x", "a2", at=2))
    assert store.ids("user:u") == ["m1", "login", "m4"]
    assert store.ids("a2") == ["x"]


def test_several_devices_are_one_visitor(store: Store) -> None:
    store.push(event("p1", "phone", at=1), event("l1", "laptop", at=2))
    store.push(event("p2", "phone", at=3, user_id="u"), event("l2", "laptop", at=4, user_id="u"))
    assert store.ids("phone") == store.ids("laptop") == ["p1", "l1", "p2", "l2"]


def test_a_history_that_is_merged_is_trimmed_and_has_no_copies(redis_server: RedisServer, store: Store) -> None:
    small = Store(store.client, count=3)
    small.push(
        event("u1", "a2", at=1, user_id="u"), event("both", "a2", at=5, user_id="u", url="https://first.example/")
    )
    small.push(event("m2", at=2), event("m4", at=4), event("both", at=3))
    small.push(event("login", at=0, user_id="u"))
    assert small.ids("user:u") == ["m2", "m4", "both"]
    assert b"first.example" in small.recent("user:u").rows[2]
    assert small.client.hlen("augury:h:user:u") == 3


def test_pushing_again_changes_nothing(store: Store) -> None:
    batches = [[event("m1", at=1)], [event("login", at=2, user_id="u")], [event("m3", at=3)]]
    for events in batches:
        store.push(*events)
    before = store.recent("user:u")
    for events in [*batches, batches[0]]:
        assert store.push(*events) == PushCounts(known=1)
    assert store.recent("user:u") == before
    assert store.held_keys("augury:h:*") == ["augury:h:user:u"]


def test_on_a_shared_device_what_is_anonymous_goes_to_the_newest_user(store: Store) -> None:
    store.push(event("m1", at=1), event("l1", at=2, user_id="u1"))
    store.push(event("m3", at=3), event("l2", at=4, user_id="u2"), event("m5", at=5))
    store.push(event("late", at=6, user_id="u1", type="track"))
    assert store.ids("user:u1") == ["m1", "l1", "m3", "late"]
    assert store.ids("user:u2") == ["l2", "m5"]
    assert store.visitor("a1") == "user:u1"  # who was named last


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_older_login_that_arrives_late_does_not_take_the_device_back(store: Store, order: tuple[int, int]) -> None:
    logins = [event("l1", at=1, user_id="u1"), event("l2", at=2, user_id="u2")]
    for place in order:
        store.push(logins[place])
    assert store.visitor("a1") == "user:u2"
    assert store.ids("user:u1") == ["l1"]
    assert store.client.smembers("augury:a:user:u1") == set()


def test_a_login_again_is_a_newer_login(store: Store) -> None:
    store.push(event("l1", at=1, user_id="u1"), event("l5", at=5, user_id="u1"), event("l3", at=3, user_id="u2"))
    assert store.visitor("a1") == "user:u1"


def test_a_link_lives_on_while_it_is_used(store: Store) -> None:
    store.push(event("login", user_id="u"))
    keys = ("augury:l:a1", "augury:a:user:u")
    for sent in (event("m2"), event("m3", user_id="u")):
        for key in keys:
            store.client.pexpire(key, 60_000)
        store.push(sent)
        assert all(store.client.pttl(key) > 399 * 86_400_000 for key in keys)


def test_logins_at_one_instant_are_settled_by_name(store: Store) -> None:
    store.push(event("l2", at=1, user_id="u2"), event("l1", at=1, user_id="u1"))
    assert store.visitor("a1") == "user:u2"


def test_an_alias_gives_the_previous_id_s_history_to_the_user(store: Store) -> None:
    store.push(event("m1", "old", at=1), event("m2", "other", at=2))
    assert store.push(alias("al", "old", "u", at=3)).new == 1
    store.push(event("m4", "old", at=4))
    assert store.ids("old") == store.ids("user:u") == ["m1", "al", "m4"]
    assert store.ids("other") == ["m2"]


def test_an_alias_from_a_user_id_takes_devices_along(store: Store) -> None:
    store.push(event("m1", "phone", at=1, user_id="guest"))
    store.push(alias("al", "guest", "u", at=2))
    store.push(event("m3", "phone", at=3), event("m4", "laptop", at=4, user_id="guest"))
    for name in ("phone", "laptop", "user:guest", "user:u"):
        assert store.visitor(name) == "user:u"
        assert store.ids(name) == ["m1", "al", "m3", "m4"]


def test_aliases_in_a_row_and_in_a_ring_end_in_one_visitor(store: Store) -> None:
    store.push(event("m1", "a", at=1, user_id="x"))
    for place, (previous, user) in enumerate([("x", "y"), ("y", "z"), ("z", "x"), ("z", "z")]):
        store.push(alias(f"al{place}", previous, user, at=2 + place))
    for name in ("a", "user:x", "user:y", "user:z"):
        assert store.visitor(name) == "user:z"
    assert store.ids("a") == ["m1", "al0", "al1", "al2", "al3"]


@pytest.mark.parametrize("properties", [None, "{}", '{"previousId":7}', "{broken", '{"previousId":""}'])
def test_an_alias_without_a_previous_id_is_an_event(store: Store, properties: str | None) -> None:
    assert store.push(alias("al", "", "u", properties=properties)).new == 1


def test_a_previous_id_that_looks_like_a_user_is_a_user_id_alone(store: Store) -> None:
    store.push(event("m1", "a", user_id="victim"))
    store.push(alias("al", "user:victim", "thief", at=1))
    assert store.ids("user:victim") == ["m1"]


def test_a_previous_id_that_is_too_long_is_refused(store: Store) -> None:
    assert store.push(alias("al", "x" * 257, "u")) == PushCounts(refused=1)


def test_a_user_id_that_everybody_has_gathers_only_so_many(store: Store) -> None:
    extra = 5
    everybody = [event(f"m{i}", f"a{i}", at=i % 60, user_id="undefined") for i in range(MOST_LINKS + extra)]
    assert store.push(*everybody).new == MOST_LINKS + extra
    linked = [store.visitor(f"a{i}") for i in (0, MOST_LINKS - 1, MOST_LINKS, MOST_LINKS + extra - 1)]
    assert linked == ["user:undefined", "user:undefined", f"a{MOST_LINKS}", f"a{MOST_LINKS + extra - 1}"]
    assert len(store.ids("user:undefined")) == store.rules.count


def test_without_links_everybody_is_an_anonymous_id(redis_server: RedisServer, store: Store) -> None:
    apart = Store(store.client, link_visitors=False)
    apart.push(event("m1"), event("m2", user_id="u"), alias("al", "a1", "u", at=3))
    assert apart.ids("a1") == ["m1", "m2"]
    assert apart.ids("u") == ["al"]
    assert store.held_keys("augury:l:*") == []


def test_to_forget_removes_a_visitor_under_all_names(store: Store) -> None:
    store.push(event("p1", "phone", user_id="u"), event("l1", "laptop", user_id="u"), event("x", "other"))
    store.push(event("p2", "phone"))
    gone = store.forget("phone", now_us=NOW_US)
    assert gone == Forgotten("user:u", 3, 2, gone.names)
    assert (gone.names[0], sorted(gone.names)) == ("user:u", ["laptop", "phone", "user:u"])
    assert [store.ids(name) for name in ("phone", "laptop", "user:u")] == [[], [], []]
    assert store.visitor("phone") == "phone"
    assert store.ids("other") == ["x"]
    held = [key for key in store.held_keys() if not key.startswith("augury:s:")]
    assert [key for key in held if "phone" in key or "laptop" in key or "user:u" in key] == []


def test_what_was_received_before_is_not_taken_again(store: Store) -> None:
    old = [event("m1"), event("login", user_id="u"), event("m3", "laptop", user_id="u")]
    store.push(*old)
    store.forget("user:u", now_us=NOW_US)
    received = {"received_at_us": NOW_US}
    assert store.push(*old, event("m4", **received), event("m5", "new", user_id="u", **received)) == PushCounts(
        forgotten=5
    )
    assert store.push(event("no receipt", received_at_us=None)) == PushCounts(forgotten=1)
    assert store.visitor("a1") == "a1"
    later = {"received_at_us": NOW_US + 1, "timestamp_us": NOW_US - 5 * SECOND_US}
    assert store.push(event("m6", **later), event("m7", user_id="u", **later)) == PushCounts(new=2)
    assert store.ids("user:u") == ["m6", "m7"]


@pytest.mark.parametrize("old", [event("m1"), event("m1", "phone", user_id="guest")])
def test_what_was_forgotten_does_not_come_back_through_a_later_login(store: Store, old: dict[str, Any]) -> None:
    for name in ("a1", "user:guest"):
        store.forget(name, now_us=NOW_US)
    later = {"received_at_us": NOW_US + 1}
    assert store.push(event("login", user_id="u", **later), alias("al", "guest", "u", **later)).new == 2
    assert store.push(old) == PushCounts(forgotten=1)
    assert store.ids("user:u") == ["al", "login"]


def test_to_forget_one_of_two_users_of_a_device_leaves_the_other(store: Store) -> None:
    store.push(event("l1", at=1, user_id="u1"), event("l2", at=2, user_id="u2"))
    assert store.forget("user:u1") == Forgotten("user:u1", 1, 0, ("user:u1",))
    assert store.ids("a1") == ["l2"]


def test_to_forget_a_stranger_is_no_trouble(store: Store) -> None:
    assert store.forget("nobody") == Forgotten("nobody", 0, 0, ("nobody",))


def test_what_another_worker_pushes_during_the_merge_ends_up_with_the_user(redis_server: RedisServer) -> None:
    with redis_server.client() as one, redis_server.client() as other:
        one.flushall()
        start = threading.Barrier(2)
        names = [f"a{i}" for i in range(40)]

        def browse() -> None:
            start.wait()
            for place, name in enumerate(names):
                for part in range(3):
                    Store(other).push(event(f"{name}-{part}", name, at=place + part / 10))

        worker = threading.Thread(target=browse)
        worker.start()
        start.wait()
        for place, name in enumerate(names):
            Store(one).push(event(f"{name}-login", name, at=place + 0.5, user_id=f"of {name}"))
        worker.join()
        for name in names:
            assert Store(one).ids(f"user:of {name}") == [f"{name}-0", f"{name}-1", f"{name}-2", f"{name}-login"]
        assert not one.keys("augury:[zh]:a*")


def test_a_user_whose_id_looks_like_a_user_s_name(store: Store) -> None:
    store.push(event("m1", "a", user_id="5"))
    assert store.push(event("m2", "user:5", user_id="user:5"), alias("al", "b", "user:5", at=1)).new == 2
    assert store.ids("user:user:5") == ["m2", "al"]
    assert store.ids("user:5") == ["m1"]
    assert store.push(event("m3", "user:5"), event("m4", "user:5", user_id="6")) == PushCounts(refused=2)


_LINKED = st.builds(
    event,
    st.sampled_from("abcdefghijkl"),
    st.sampled_from(["a1", "a2", "a3"]),
    at=st.integers(0, 9),
    user_id=st.sampled_from([None, None, "u1"]),
)
_ALIASES = st.builds(alias, st.sampled_from(["x1", "x2", "x3"]), st.sampled_from(["a1", "a2", "u0"]), st.just("u1"))


@settings(max_examples=60)
@given(st.data())
def test_one_user_s_events_meet_in_any_order_and_batching(redis_server: RedisServer, data: st.DataObject) -> None:
    events = st.lists(_LINKED | _ALIASES, max_size=9, unique_by=lambda each: each["message_id"])
    sent: list[dict[str, Any]] = data.draw(events)
    pushes = data.draw(st.permutations(sent * 2))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pushes)), max_size=4)))
    linked = {"u1"} | {each["anonymous_id"] for each in sent if each.get("user_id")}
    linked |= {name for each in sent for name in ("a1", "a2") if f'"{name}"' in each.get("properties", "")}
    of: dict[str, list[dict[str, Any]]] = {name: [] for name in ("a1", "a2", "a3", "user:u1")}
    for each in sent:
        of["user:u1" if each["anonymous_id"] in linked else each["anonymous_id"]].append(each)
    with redis_server.client() as client:
        client.flushall()
        store = Store(client, count=5)
        for first, last in zip([0, *cuts], [*cuts, len(pushes)], strict=True):
            store.push(*pushes[first:last])
        for name, own in of.items():
            own.sort(key=lambda each: (each["timestamp_us"], each["message_id"]))
            visitor = "user:u1" if name in linked else name
            assert store.visitor(name) == visitor
            if visitor == name:
                assert store.ids(name) == [each["message_id"] for each in own[-5:]]


_ANY_EVENT = st.builds(
    event,
    st.text("mn", min_size=1, max_size=3),
    st.sampled_from(["a1", "a2"]),
    at=st.integers(0, 9),
    user_id=st.sampled_from([None, "u1", "u2", "u3"]),
)
_ANY_ALIAS = st.builds(
    alias,
    st.text("xy", min_size=1, max_size=3),
    st.sampled_from(["a1", "a2", "u1", "u2", "u3"]),
    st.sampled_from(["u1", "u2", "u3"]),
    at=st.integers(0, 9),
)
_STEPS = st.lists(
    st.lists(_ANY_EVENT | _ANY_ALIAS, max_size=5) | st.sampled_from(["a1", "user:u1", "user:u2"]), max_size=9
)


@settings(max_examples=150)
@given(_STEPS)
def test_whatever_happens_the_keys_agree(redis_server: RedisServer, steps: list[Any]) -> None:
    with redis_server.client() as client:
        client.flushall()
        store = Store(client, count=4)
        for place, step in enumerate(steps):
            if isinstance(step, str):
                store.forget(step, now_us=NOW_US - 86_400 * SECOND_US + 5 * SECOND_US + place)
            else:
                counts = store.push(*step)
                assert counts.total == len(step)
        _check_keys(store)


def _check_keys(store: Store) -> None:
    client = store.client
    held = {kind: {key.split(":", 2)[2] for key in store.held_keys(f"augury:{kind}:*")} for kind in "zhla"}
    assert held["z"] == held["h"]
    for visitor in held["z"]:
        ids = client.zrange(f"augury:z:{visitor}", 0, -1)
        assert sorted(ids) == sorted(client.hkeys(f"augury:h:{visitor}"))
        assert 0 < len(ids) <= 4
    links = {name: client.get(f"augury:l:{name}")[16:].decode() for name in held["l"]}
    members = {visitor: client.smembers(f"augury:a:{visitor}") for visitor in held["a"]}
    assert {(name.decode(), visitor) for visitor, names in members.items() for name in names} == set(links.items())
    assert not set(links) & set(links.values()), "a link leads to a name that is linked itself"
    assert not set(links) & held["z"], "a name that is linked has events of its own"
    assert all(visitor.startswith("user:") for visitor in links.values())
    assert all(client.pttl(key) > 0 for key in client.scan_iter())
