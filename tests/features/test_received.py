import copy
import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.received import CollectionError, CollectionRules, Drop, Refusal, RequestFacts, receive
from features.segment import adapt_messages

AT = "2026-11-01T12:00:00.000000Z"
AT_US = 1_793_534_400_000_000  # date -u -d 2026-11-01T12:00:00Z +%s
GOOD = {"type": "track", "event": "Clicked", "anonymousId": "a1", "messageId": "m1"}


NOTHING = RequestFacts()


def make(message: Any, facts: RequestFacts = NOTHING, kind: str | None = None, sent_at: Any = None, **rules: Any):
    return receive(message, kind=kind, received_at=AT, sent_at=sent_at, facts=facts, rules=CollectionRules(**rules))


def time_us(message: dict[str, Any], **more: Any) -> int:
    made = make(message, **more)
    return adapt_messages([made], [orjson.dumps(made)], "http", AT_US).events.column("timestamp_us")[0].as_py()


def test_a_good_event_gets_the_time_of_receipt_and_keeps_what_it_has():
    assert make(GOOD) == GOOD | {"receivedAt": AT}


def test_the_end_point_says_the_type_and_the_key_is_not_kept():
    assert make(GOOD | {"type": "nonsense", "writeKey": "k"}, kind="page")["type"] == "page"
    assert "writeKey" not in make(GOOD | {"writeKey": "k"})


def test_an_event_without_id_gets_one_of_its_own():
    first, second = (make({**GOOD, "messageId": given})["messageId"] for given in (None, ""))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_a_wrong_clock_cancels_out():
    # The client's clock is an hour fast; the event happened two seconds before it was sent.
    early = {"timestamp": "2026-11-01T13:00:00.000Z"}
    assert time_us(GOOD | early, sent_at="2026-11-01T13:00:02.000Z") == AT_US - 2_000_000
    assert time_us(GOOD | early | {"sentAt": "2026-11-01T13:00:02.000Z"}) == AT_US - 2_000_000


def test_without_sent_at_the_clients_time_stands_and_without_both_the_receipts():
    assert time_us(GOOD | {"timestamp": "2026-11-01T11:00:00Z"}) == AT_US - 3_600_000_000
    assert time_us(GOOD | {"timestamp": "2026-11-01T11:00:00Z"}, sent_at="?") == AT_US - 3_600_000_000
    assert time_us(GOOD) == AT_US
    made = make(GOOD | {"timestamp": "2026-11-01T11:00:00Z", "receivedAt": "1999-01-01"})
    assert (made["originalTimestamp"], made["receivedAt"]) == ("2026-11-01T11:00:00Z", AT)
    assert "timestamp" not in made


def test_the_context_of_the_batch_lies_under_the_events():
    facts = RequestFacts(context={"app": {"name": "x"}, "locale": "de"}, integrations={"All": True, "A": False})
    made = make(GOOD | {"context": {"locale": "fr"}, "integrations": {"A": True}}, facts)
    assert made["context"] == {"app": {"name": "x"}, "locale": "fr"}
    assert made["integrations"] == {"All": True, "A": True}


def test_a_page_is_told_apart_by_the_request_where_it_does_not_say_itself():
    facts = RequestFacts(ip="203.0.113.77", user_agent="Mozilla/5.0")
    assert make(GOOD, facts)["context"] == {"userAgent": "Mozilla/5.0", "ip": "203.0.113.0"}
    own = {"userAgent": "Own", "ip": "198.51.100.9"}
    assert make(GOOD | {"context": own}, facts)["context"] == {"userAgent": "Own", "ip": "198.51.100.0"}
    assert make(GOOD | {"context": own}, facts, ip="drop")["context"] == {"userAgent": "Own"}
    assert make(GOOD | {"context": own}, facts, ip="keep")["context"] == own
    assert "ip" not in make(GOOD | {"context": {"ip": ["198.51.100.9"]}})["context"]


@pytest.mark.parametrize(
    ("message", "facts", "rules", "reason"),
    [
        (GOOD, RequestFacts(do_not_track=True), {}, "do_not_track"),
        (GOOD | {"context": {"consent": {"categoryPreferences": {"A": False}}}}, RequestFacts(), {}, "opted_out"),
        (GOOD, RequestFacts(context={"consent": {"categoryPreferences": {"A": False}}}), {}, "opted_out"),
        (GOOD | {"context": {"ip": "192.0.2.7"}}, RequestFacts(), {"bot_ips": ("192.0.2.7/32",)}, "bot"),
        (GOOD, RequestFacts(ip="192.0.2.7"), {"bot_ips": ("192.0.2.7",)}, "bot"),
    ],
)
def test_what_is_dropped(message: dict, facts: RequestFacts, rules: dict, reason: str):
    assert make(message, facts, **rules) == Drop(reason)


def test_do_not_track_is_honoured_as_told():
    assert isinstance(make(GOOD, RequestFacts(do_not_track=True), honour_dnt=False), dict)


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        (7, "wrong_type", "the event is not a JSON object"),
        (None, "wrong_type", "the event is not a JSON object"),
        (GOOD | {"context": "x"}, "wrong_type", "context is not a JSON object"),
        (GOOD | {"anonymousId": "user:1"}, "reserved_id", "ids that begin with 'user:' are reserved"),
        ({"type": "page", "userId": "user:1"}, "reserved_id", "send the id without it"),
        (GOOD | {"userId": "x" * 257}, "long_id", "userId has 257 bytes; expected at most 256"),
        (GOOD | {"messageId": "ä" * 129}, "long_id", "messageId has 258 bytes"),
    ],
)
def test_what_is_refused(message: Any, reason: str, detail: str):
    made = make(message)
    assert isinstance(made, Refusal)
    assert made.reason == reason
    assert detail in made.detail


def test_what_is_refused_keeps_no_personal_data():
    made = make(GOOD | {"anonymousId": "user:1", "traits": {"email": "e"}}, drop_fields=("traits.email",))
    assert made.message["traits"] == {}
    made = make(GOOD | {"context": '{"email": "e"}'})
    assert made.message["context"] is None


def test_a_context_that_is_no_object_lets_nothing_through_that_the_rules_forbid():
    bad = GOOD | {"context": "x", "traits": {"email": "e", "phone": "p"}}
    made = make(bad, drop_fields=("traits.email",), hash_fields=("traits.phone",), hash_key="k")
    assert (made.reason, made.message["context"], "email" in made.message["traits"]) == ("wrong_type", None, False)
    assert len(made.message["traits"]["phone"]) == 32
    refused = RequestFacts(context={"consent": {"categoryPreferences": {"A": False}}})
    assert make(bad, refused) == Drop("opted_out")


@pytest.mark.parametrize("name", ["properties", "traits"])
@pytest.mark.parametrize("text", ['{"email": "e"}', ["e"], 7])
def test_properties_that_cannot_be_looked_into_are_not_kept(name: str, text: Any):
    made = make(GOOD | {name: text}, drop_fields=("properties.email", "traits.email"))
    assert made == Refusal("wrong_type", f"{name} is not a JSON object", GOOD | {name: None, "receivedAt": AT})


def test_traits_beside_properties_are_not_looked_at():
    message = GOOD | {"properties": {"a": 1}, "traits": "x"}
    assert make(message) == message | {"receivedAt": AT}


def test_ids_that_are_numbers_are_texts():
    made = make(GOOD | {"userId": 42, "anonymousId": "user", "messageId": 7})
    assert (made["userId"], made["anonymousId"], made["messageId"]) == ("42", "user", "7")


def test_an_alias_names_the_former_id_where_visitors_are_told_apart():
    made = make({"type": "alias", "previousId": "a1", "userId": "u1"})
    assert (made["anonymousId"], made["properties"]) == ("a1", {"previousId": "a1"})
    made = make({"type": "alias", "previousId": "old", "userId": "u1", "anonymousId": "a1"})
    assert (made["anonymousId"], made["properties"]) == ("a1", {"previousId": "old"})
    assert isinstance(make({"type": "alias", "previousId": "user:7", "userId": "u1"}), Refusal)


def test_a_shared_context_is_hashed_once_for_each_event():
    facts = RequestFacts(context={"traits": {"email": "e"}})
    rules = CollectionRules(hash_fields=("context.traits.email",), hash_key="k")
    first, second = (
        receive(GOOD, kind=None, received_at=AT, sent_at=None, facts=facts, rules=rules)["context"] for _ in "12"
    )
    assert first == second
    assert facts.context == {"traits": {"email": "e"}}


def test_lists_too_deep_to_go_through_are_refused():
    deep: Any = {"email": "e"}
    for _ in range(2000):
        deep = [deep]
    assert make(GOOD | {"traits": {"a": deep}}, drop_fields=("traits.a.email",)).reason == "too_deep"


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"ip": "hash"}, "ip is 'hash'; expected truncate, drop or keep"),
        ({"hash_fields": ("a",)}, "hash_fields needs a hash_key of 1 to 64 bytes"),
        ({"hash_fields": ("a",), "hash_key": "k" * 65}, "hash_fields needs a hash_key of 1 to 64 bytes"),
        ({"drop_fields": ("a..b",)}, "'a..b' is no path of a field; expected names joined by dots: traits.email"),
    ],
)
def test_rules_that_cannot_be_followed(rules: dict, message: str):
    with pytest.raises(CollectionError, match=message):
        CollectionRules(**rules)


def test_the_key_of_the_hash_is_not_shown():
    assert "secret" not in repr(CollectionRules(hash_fields=("a",), hash_key="secret"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "type event messageId anonymousId userId previousId groupId timestamp sentAt receivedAt originalTimestamp context "
    "properties traits integrations"
).split()
MESSAGES = JSON | st.dictionaries(
    st.sampled_from(FIELDS),
    JSON | st.sampled_from(["track", "alias", "user:1", "a1", AT, {"ip": "192.0.2.7"}, {"consent": {}}]),
)


@given(MESSAGES, MESSAGES, st.sampled_from([None, "track", "page", "alias"]))
def test_any_json_is_taken_dropped_or_refused_and_never_changed(message: Any, context: Any, kind: str | None):
    before = copy.deepcopy((message, context))
    facts = RequestFacts(ip="192.0.2.9", context=context if isinstance(context, dict) else None)
    made = make(message, facts, kind, drop_fields=("traits.a",), hash_fields=("userId", "context.x.y"), hash_key="k")
    assert (message, context) == before
    if isinstance(made, dict):
        text = orjson.dumps(made)
        adapted = adapt_messages([made], [text], "http", AT_US)
        assert adapted.events.num_rows + len(adapted.reasons) == 1
        assert "192.0.2.9" not in text.decode()
        assert made["receivedAt"] == AT
        assert made["messageId"]
    else:
        assert isinstance(made, Drop | Refusal)
        assert made.reason.replace("_", "").isalpha()
