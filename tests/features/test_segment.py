from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from features.adapters import get_adapter
from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA, Adapted
from features.segment import adapt_messages

FIXTURES = Path(__file__).parent.parent / "fixtures" / "events"
SEGMENT = get_adapter("segment")
GOOD = {
    "messageId": "m1",
    "anonymousId": "a1",
    "type": "track",
    "event": "Clicked",
    "timestamp": "2024-05-01T12:00:00Z",
}
NOON_US = 1_714_564_800_000_000  # 2024-05-01T12:00:00Z, from `date -u +%s`


def adapt(*rows: dict | bytes) -> Adapted:
    lines = [row if isinstance(row, bytes) else orjson.dumps(row) for row in rows]
    return SEGMENT.adapt(pa.array(lines, pa.binary()), "events.jsonl")


def reasons(*rows: dict | bytes) -> list[str]:
    return adapt(*rows).rejected.column("reason").to_pylist()


def test_the_calls_of_the_specification():
    lines = (FIXTURES / "segment.jsonl").read_bytes().splitlines()
    adapted = SEGMENT.adapt(pa.array(lines, pa.binary()), "segment.jsonl")
    assert adapted.rejected.num_rows == 0
    assert adapted.events.schema == EVENT_SCHEMA
    events = adapted.events.to_pylist()
    assert [(row["type"], row["event"]) for row in events] == [
        ("page", "Page Viewed"),
        ("track", "Product Added"),
        ("identify", "Identify"),
        ("track", "Order Completed"),
        ("screen", "Screen Viewed"),
        ("group", "Group"),
        ("alias", "Alias"),
    ]
    page, added, identify, order, screen, group, alias = events
    assert page["message_id"] == "ajs-next-1714564800000-0001"
    assert page["timestamp_us"] == NOON_US + 1_000_000
    assert page["received_at_us"] == NOON_US + 1_250_000
    assert page["url"] == "https://shop.example/item/12?utm_source=newsletter"
    assert page["referrer"] == "https://www.google.com/"
    assert page["user_agent"].startswith("Mozilla/5.0 (Macintosh")
    assert page["source"] == "analytics.js"
    assert orjson.loads(page["context"])["campaign"] == {"name": "spring", "source": "newsletter", "medium": "email"}
    assert orjson.loads(added["properties"]) == {
        "product_id": "12",
        "price": 24.5,
        "url": "https://shop.example/item/12",
    }
    assert added["url"] == "https://shop.example/item/12?utm_source=newsletter"  # of the page, not of the product
    assert identify["timestamp_us"] == NOON_US + 59_500_000
    assert identify["properties"] == '{"plan":"basic"}'  # an identify call says traits
    assert (order["anonymous_id"], order["user_id"]) == ("u-97980cfea0067", "u-97980cfea0067")
    assert order["timestamp_us"] == NOON_US + 301_000_000  # 12:05:11 - (12:05:10 - 12:05:00)
    assert (screen["properties"], screen["context"], screen["url"]) == (None, None, None)
    assert group["received_at_us"] is None
    assert alias["anonymous_id"] == "u-2"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"{", "not_json"),
        (b"NaN", "not_json"),
        (orjson.dumps(GOOD)[:-1] + b',"properties":{"price":NaN}}', "not_json"),
        (orjson.dumps(GOOD)[:-1] + b',"properties":{"price":1e999}}', "not_json"),
        (b'{"event":"\xff"}', "not_utf8"),
        (orjson.dumps(GOOD).decode().encode("utf-16"), "not_utf8"),
        (b"[1]", "wrong_type"),
        (b"7", "wrong_type"),
        (b"null", "wrong_type"),
        (b"[" * 100_000, "too_large"),
        (b"[" * 2000 + b"]" * 2000, "too_deep"),
        (orjson.dumps(GOOD)[:-1] + b',"properties":{"a":' + b"[" * 300 + b"]" * 300 + b"}}", "too_deep"),
        (GOOD | {"properties": {"a": "x" * 33_000}}, "too_large"),
        (GOOD | {"anonymousId": None}, "no_visitor_id"),
        (GOOD | {"anonymousId": ""}, "no_visitor_id"),
        (GOOD | {"anonymousId": 7}, "wrong_type"),
        (GOOD | {"userId": 7}, "wrong_type"),
        (GOOD | {"messageId": ["m"]}, "wrong_type"),
        (GOOD | {"event": 7}, "wrong_type"),
        (GOOD | {"event": None}, "no_event_name"),
        (GOOD | {"event": ""}, "no_event_name"),
        (GOOD | {"type": "Track"}, "unknown_type"),
        (GOOD | {"type": None}, "unknown_type"),
        (GOOD | {"type": 1}, "wrong_type"),
        (GOOD | {"properties": [1]}, "wrong_type"),
        (GOOD | {"context": "x"}, "wrong_type"),
        (GOOD | {"context": {"page": {"url": 7}}}, "wrong_type"),
        (GOOD | {"context": {"userAgent": {}}}, "wrong_type"),
        (GOOD | {"timestamp": None}, "no_time"),
        (GOOD | {"timestamp": ""}, "no_time"),
        (GOOD | {"timestamp": "yesterday"}, "bad_time"),
        (GOOD | {"timestamp": "2024-02-30T00:00:00Z"}, "bad_time"),
        (GOOD | {"timestamp": {}}, "bad_time"),
        (GOOD | {"timestamp": True}, "bad_time"),
        (GOOD | {"timestamp": None, "originalTimestamp": "soon"}, "bad_time"),
        (GOOD | {"timestamp": "1999-12-31T23:59:59Z"}, "absurd_time"),
        (GOOD | {"timestamp": "2100-01-02T00:00:00Z"}, "absurd_time"),
        (GOOD | {"timestamp": "2024-05-02T12:00:00.000001Z", "receivedAt": "2024-05-01T12:00:00Z"}, "absurd_time"),
    ],
)
def test_a_row_that_is_no_event_is_a_dead_letter(row: dict | bytes, reason: str):
    adapted = adapt(GOOD, row, GOOD | {"messageId": "m2"})
    assert adapted.rejected.schema == DEAD_LETTER_SCHEMA
    assert adapted.rejected.column("reason").to_pylist() == [reason]
    assert adapted.rejected.column("source").to_pylist() == ["events.jsonl"]
    assert adapted.events.column("message_id").to_pylist() == ["m1", "m2"]


def test_a_dead_letter_holds_the_row_but_no_more_than_an_event():
    letters = adapt(b'{"event":"\xff"}', b'"' + b"\xc3\xa4" * 40_000).rejected.column("row").to_pylist()
    assert letters[0] == '{"event":"�"}'
    assert len(letters[1].encode()) == 32 * 1024 - 1  # half a letter is not kept
    assert letters[1].startswith('"ää')


@pytest.mark.parametrize(
    ("timestamp", "time_us"),
    [
        ("2024-05-01T12:00:00Z", NOON_US),
        ("2024-05-01T12:00:00.1234567Z", NOON_US + 123_456),
        ("2024-05-01T14:00:00+02:00", NOON_US),
        ("2024-05-01 12:00:00", NOON_US),
        (1_714_564_800, NOON_US),
        (1_714_564_800.5, NOON_US + 500_000),
        (1_714_564_800_000, NOON_US),
        (1_714_564_800_000_000, NOON_US),
        ("1714564800000", NOON_US),
    ],
)
def test_times_in_every_usual_form(timestamp: str | float, time_us: int):
    assert adapt(GOOD | {"timestamp": timestamp}).events.column("timestamp_us").to_pylist() == [time_us]


def test_the_time_of_now_bounds_times_where_nothing_says_when_a_row_was_received():
    adapter = get_adapter("segment", now_us=NOON_US - 2 * 86_400_000_000)
    rejected = adapter.adapt(pa.array([orjson.dumps(GOOD)], pa.binary()), "x").rejected
    assert rejected.column("reason").to_pylist() == ["absurd_time"]


def test_a_time_of_receipt_that_is_nonsense_does_not_spoil_the_event():
    events = adapt(GOOD | {"receivedAt": "1970-01-01T00:00:00Z"}, GOOD | {"receivedAt": "?"}).events
    assert events.column("received_at_us").to_pylist() == [None, None]


def test_a_row_without_message_id_gets_the_same_one_whenever_it_comes():
    row = {key: value for key, value in GOOD.items() if key != "messageId"}
    first, again, other = adapt(row, row, row | {"event": "Other"}).events.column("message_id").to_pylist()
    assert first == again != other
    assert len(first) == 32
    assert adapt(row).events.column("message_id").to_pylist() == [first]


def test_text_of_every_kind_survives():
    event = 'ä "quoted" \\ \u0000 \U0001f600 \u2028'
    adapted = adapt(GOOD | {"event": event, "properties": {event: event}})
    assert adapted.events.column("event").to_pylist() == [event]
    assert orjson.loads(adapted.events.column("properties")[0].as_py()) == {event: event}


def test_no_lines_are_no_events():
    adapted = adapt()
    assert (adapted.events.num_rows, adapted.rejected.num_rows) == (0, 0)
    assert adapted.events.schema == EVENT_SCHEMA


def test_a_table_is_refused_in_one_line():
    with pytest.raises(
        TypeError, match=r"t.parquet holds columns, but adapter 'segment' reads JSON lines; give a mapp"
    ):
        SEGMENT.adapt(pa.table({"a": [1]}), "t.parquet")


def test_parsed_messages_become_what_their_lines_become():
    rows = [GOOD, GOOD | {"type": "nonsense"}, GOOD | {"timestamp": "?"}, GOOD | {"userId": 7}, GOOD | {"type": "page"}]
    texts = [orjson.dumps(row) for row in rows]
    adapted = adapt_messages(rows, texts, "http", NOON_US)
    lines = get_adapter("segment", now_us=NOON_US).adapt(pa.array(texts, pa.binary()), "http")
    assert (adapted.events, adapted.rejected) == (lines.events, lines.rejected)
    assert adapted.refused.tolist() == [1, 2, 3]
    assert adapted.reasons == ["unknown_type", "bad_time", "wrong_type"]


def test_no_messages_are_no_events():
    adapted = adapt_messages([], [], "http")
    assert (adapted.events.num_rows, adapted.refused.tolist(), adapted.reasons) == (0, [], [])
