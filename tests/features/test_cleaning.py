import pickle
from typing import Any

import pyarrow as pa
import pytest

from features.cleaning import DROPS, CleaningError, CleaningRules, clean, in_networks, judge
from features.events import EVENT_SCHEMA

BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
HUMAN = "Mozilla/5.0 (Windows NT 10.0) Firefox/125.0"


def events(*rows: dict) -> pa.RecordBatch:
    base = {"anonymous_id": "a", "type": "track", "event": "e", "timestamp_us": 1_714_564_800_000_000}
    full = [base | {"message_id": str(i)} | row for i, row in enumerate(rows)]
    columns = [pa.array([row.get(field.name) for row in full], field.type) for field in EVENT_SCHEMA]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


def kept(batch: pa.RecordBatch, **rules: Any) -> tuple[list[int], dict[str, int]]:
    left, dropped = clean(batch, CleaningRules(**rules))
    assert left.num_rows + sum(dropped.values()) == batch.num_rows
    return [int(text) for text in left.column("message_id").to_pylist()], {k: n for k, n in dropped.items() if n}


def test_robots_are_dropped_by_the_list_and_by_the_sites_own_patterns():
    batch = events(
        {"user_agent": BOT}, {"user_agent": HUMAN}, {}, {"user_agent": "OurMonitor/1.0"}, {"user_agent": BOT}
    )
    assert kept(batch) == ([1, 2, 3], {"bot": 2})
    assert kept(batch, bot_patterns=("OurMonitor/", "^x$")) == ([1, 2], {"bot": 3})
    assert kept(batch, drop_bots=False) == ([0, 1, 2, 3, 4], {})


def test_many_new_user_agents_are_judged_at_once():
    agents = [f"{HUMAN} build {i}" for i in range(40)] + [BOT]
    assert kept(events(*({"user_agent": text} for text in agents))) == (list(range(40)), {"bot": 1})


def test_robots_are_dropped_by_address():
    texts = ['{"ip":"192.0.2.7"}', '{"ip":"198.51.100.1"}', '{"ip":"2001:db8::5"}', '{"ip":"?"}', '{"ip":7}', "{", None]
    batch = events(*({"context": text} for text in texts))
    assert kept(batch, bot_ips=("192.0.2.0/24", "2001:db8::/32")) == ([1, 3, 4, 5, 6], {"bot": 2})


def test_test_events_are_dropped_by_each_rule():
    batch = events(
        {"context": '{"test":true}'},
        {"context": '{"page":{"test":true}}'},  # not the event's own flag
        {"context": '{ "test" : true }'},
        {"event": "Smoke Test"},
        {"url": "https://Staging.Shop.example:8080/x"},
        {"url": "https://shop.example/staging.shop.example"},
        {"user_id": "qa"},
        {"anonymous_id": "qa"},
    )
    assert kept(batch) == ([1, 3, 4, 5, 6, 7], {"test_event": 2})
    assert kept(batch, drop_test_events=False) == (list(range(8)), {})
    assert kept(batch, test_event_names=("Smoke Test",))[0] == [1, 4, 5, 6, 7]
    assert kept(batch, test_hosts=("staging.shop.EXAMPLE",))[0] == [1, 3, 5, 6, 7]
    assert kept(batch, test_visitor_ids=("qa",))[0] == [1, 3, 4, 5]


def test_events_of_our_own_models_are_dropped():
    batch = events({"source": "augury"}, {"event": "Augury Prediction"}, {"source": "web"}, {"event": "Augury"})
    assert kept(batch) == ([2, 3], {"own_model": 2})
    assert kept(batch, model_source="web") == ([0, 3], {"own_model": 2})
    assert kept(batch, model_source="") == ([0, 1, 2, 3], {})


def test_an_event_with_several_reasons_counts_once():
    batch = events({"source": "augury", "user_agent": BOT, "context": '{"test":true}'}, {"user_agent": BOT})
    assert kept(batch) == ([], {"own_model": 1, "bot": 1})


def test_columns_may_be_missing_or_dictionary_encoded():
    batch = events({"user_agent": BOT, "context": '{"test":true}'}, {"user_agent": HUMAN}, {})
    encoded = pa.RecordBatch.from_arrays(
        [c.dictionary_encode() if pa.types.is_string(c.type) and n != "message_id" else c
         for n, c in zip(batch.schema.names, batch.columns, strict=True)],
        names=batch.schema.names,
    )  # fmt: skip
    assert kept(encoded) == ([1, 2], {"test_event": 1})
    assert kept(batch.select(["message_id", "user_agent"])) == ([1, 2], {"bot": 1})
    assert kept(batch.select(["message_id"])) == ([0, 1, 2], {})


def test_nothing_to_drop_is_passed_on_as_it_is():
    batch = events({"user_agent": HUMAN})
    assert clean(batch, CleaningRules())[0] is batch
    assert clean(batch.slice(0, 0), CleaningRules())[1] == {"own_model": 0, "test_event": 0, "bot": 0}


def test_the_columns_that_rules_look_at_are_named():
    assert CleaningRules().required_columns() == ("event", "source", "user_agent", "context")
    nothing = CleaningRules(drop_bots=False, drop_test_events=False, model_source="")
    assert nothing.required_columns() == ()
    assert CleaningRules(test_hosts=("a",), test_visitor_ids=("b",)).required_columns()[-3:] == (
        "url",
        "anonymous_id",
        "user_id",
    )


def test_rules_from_plain_values():
    rules = CleaningRules.from_dict({"bot_ips": ["192.0.2.1"], "drop_bots": False})
    assert rules == CleaningRules(bot_ips=("192.0.2.1",), drop_bots=False)
    assert pickle.loads(pickle.dumps(rules)) == rules


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"drop_bot": True}, "no cleaning rule 'drop_bot'; expected one of drop_bots, bot_patterns, bot_ips"),
        ({"drop_bots": "no"}, "drop_bots is 'no'; expected a bool"),
        ({"test_hosts": "a"}, "test_hosts is 'a'; expected a list of strings"),
        ({"bot_patterns": ["("]}, "bot_patterns has '\\(', which is no regular expression"),
        ({"bot_ips": ["192.0.2.7/24"]}, "bot_ips has '192.0.2.7/24'; expected an address or a network such as"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(given: dict, message: str):
    with pytest.raises(CleaningError, match=message):
        CleaningRules.from_dict(given)


def test_each_event_is_judged_by_the_first_reason():
    batch = events({"user_agent": BOT, "context": '{"test":true}'}, {}, {"user_agent": BOT}, {"source": "augury"})
    assert judge(batch, CleaningRules()).tolist() == [1 + DROPS.index("test_event"), 0, 1 + DROPS.index("bot"), 1]


def test_addresses_lie_in_networks():
    assert in_networks("192.0.2.7", ("198.51.100.0/24", "192.0.2.0/24"))
    assert not in_networks("192.0.3.7", ("192.0.2.0/24",))
    assert not in_networks("nonsense", ("0.0.0.0/0",))
