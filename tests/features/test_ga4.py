from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.columns import ColumnsError
from features.events import Adapted
from features.ga4 import EVENT_NAMES, Ga4Adapter

FIXTURE = Path(__file__).parent.parent / "fixtures" / "events" / "ga4.jsonl"
ROWS = [orjson.loads(line) for line in FIXTURE.read_bytes().splitlines()]
US = 1_714_564_801_000_000
GA4 = Ga4Adapter()

# The types of the export's Parquet, after https://support.google.com/analytics/answer/7029846
_VALUE = pa.struct(
    {"string_value": pa.string(), "int_value": pa.int64(), "float_value": pa.float64(), "double_value": pa.float64()}
)
_TEXT = pa.string()
_SCHEMA = pa.schema(
    {
        "event_date": _TEXT,
        "event_timestamp": pa.int64(),
        "event_name": _TEXT,
        "event_params": pa.list_(pa.struct({"key": _TEXT, "value": _VALUE})),
        "event_bundle_sequence_id": pa.int64(),
        "event_server_timestamp_offset": pa.int64(),
        "user_id": _TEXT,
        "user_pseudo_id": _TEXT,
        "device": pa.struct(
            {
                "category": _TEXT,
                "operating_system": _TEXT,
                "operating_system_version": _TEXT,
                "language": _TEXT,
                "web_info": pa.struct({"browser": _TEXT, "browser_version": _TEXT, "hostname": _TEXT}),
            }
        ),
        "geo": pa.struct({"country": _TEXT, "city": _TEXT}),
        "traffic_source": pa.struct({"name": _TEXT, "medium": _TEXT, "source": _TEXT}),
        "stream_id": _TEXT,
        "ecommerce": pa.struct({"purchase_revenue": pa.float64(), "transaction_id": _TEXT}),
        "items": pa.list_(
            pa.struct(
                {
                    "item_id": _TEXT,
                    "item_name": _TEXT,
                    "item_brand": _TEXT,
                    "item_variant": _TEXT,
                    "item_category": _TEXT,
                    "price": pa.float64(),
                    "quantity": pa.int64(),
                }
            )
        ),
        "collected_traffic_source": pa.struct(
            {"manual_campaign_name": _TEXT, "manual_source": _TEXT, "manual_medium": _TEXT}
        ),
        "batch_event_index": pa.int64(),
    }
)


def lines(*rows: Any) -> Adapted:
    return GA4.adapt(pa.array([orjson.dumps(row) for row in rows], pa.binary()), "ga4.jsonl")


def typed(value: Any, kind: pa.DataType) -> Any:
    """A value as BigQuery's JSON has it, as Parquet has it: integers are strings in JSON."""
    if value is None:
        return None
    if pa.types.is_struct(kind):
        return {field.name: typed(value.get(field.name), field.type) for field in kind}
    if pa.types.is_list(kind):
        return [typed(item, kind.value_type) for item in value]
    return int(value) if pa.types.is_integer(kind) else value


def as_table(rows: list[dict]) -> pa.Table:
    columns = {field.name: [typed(row.get(field.name), field.type) for row in rows] for field in _SCHEMA}
    return pa.table([pa.array(columns[field.name], field.type) for field in _SCHEMA], schema=_SCHEMA)


def test_the_rows_of_an_export():
    adapted = lines(*ROWS)
    assert adapted.rejected.num_rows == 0
    view, item, added, purchase, engaged = adapted.events.to_pylist()
    assert [(row["type"], row["event"]) for row in (view, item, added, purchase, engaged)] == [
        ("page", "Page Viewed"),
        ("track", "Product Viewed"),
        ("track", "Product Added"),
        ("track", "Order Completed"),
        ("track", "user_engagement"),
    ]
    assert view["anonymous_id"] == "1234567890.1714564800"
    assert (view["timestamp_us"], view["received_at_us"]) == (US, US + 250_000)
    assert view["url"] == "https://shop.example/?utm_source=mail&utm_medium=email"
    assert view["referrer"] == "https://www.google.com/"
    assert (view["user_agent"], view["source"]) == (None, "1111111111")
    assert orjson.loads(view["properties"]) == {
        "page_title": 'Home "sweet" home',
        "ga_session_id": 1714564801,
        "entrances": 1,
    }
    assert orjson.loads(view["context"]) == {
        "device": {"type": "mobile"},
        "os": {"name": "iOS", "version": "iOS 17.4"},
        "browser": {"name": "Safari", "version": "17.4"},
        "location": {"country": "Germany"},
        "campaign": {"source": "mail", "medium": "email", "name": "spring"},
        "traffic_source": {"source": "google", "medium": "organic", "name": "(organic)"},
        "locale": "de-de",
    }
    assert orjson.loads(added["properties"]) == {
        "product_id": "SKU_12",
        "products": [
            {
                "product_id": "SKU_12",
                "name": "Kettle",
                "category": "Kitchen",
                "brand": "Boil",
                "price": 24.5,
                "quantity": 2,
            },
            {"product_id": "SKU_13", "name": "Kettle", "category": "Kitchen", "brand": "Boil", "price": 24.5},
        ],
        "debug_mode": 1,
    }
    assert orjson.loads(added["context"])["test"] is True
    assert "test" not in orjson.loads(item["context"])
    assert purchase["user_id"] == "u-77"
    bought = orjson.loads(purchase["properties"])
    assert (bought["revenue"], bought["order_id"], bought["currency"]) == (49, "T-1", "EUR")
    assert "revenue" not in orjson.loads(item["properties"])
    assert orjson.loads(engaged["properties"]) == {"engagement_time_msec": 4200}


def test_parquet_and_json_give_the_same_events(tmp_path: Path):
    pq.write_table(as_table(ROWS), tmp_path / "ga4.parquet")
    table = pq.read_table(tmp_path / "ga4.parquet")
    adapted = GA4.adapt(table, "ga4.parquet")
    expected = lines(*ROWS).events
    assert adapted.rejected.num_rows == 0
    for name in expected.schema.names:
        if name != "message_id":  # made of the line there, of the columns here
            assert adapted.events.column(name).to_pylist() == expected.column(name).to_pylist(), name
    ids = adapted.events.column("message_id").to_pylist()
    assert len(set(ids)) == len(ROWS)
    assert GA4.adapt(table.select(GA4_COLUMNS), "x").events.column("message_id").to_pylist() == ids
    assert GA4.adapt(table.slice(2, 2), "x").events.column("message_id").to_pylist() == ids[2:4]


GA4_COLUMNS = [name for name in GA4.columns(("event",)) if name in _SCHEMA.names]


def test_lists_that_keep_their_levels_as_fields_are_unwrapped():
    table = as_table(ROWS)
    for name in ("event_params", "items"):
        column = table.column(name).chunk(0)
        inner = pa.StructArray.from_arrays([column.flatten()], names=["element"])
        offsets = pa.array([0, *pc.cumulative_sum(pc.list_value_length(column)).to_pylist()], pa.int32())
        wrapped = pa.StructArray.from_arrays([pa.ListArray.from_arrays(offsets, inner)], names=["list"])
        table = table.set_column(table.column_names.index(name), name, wrapped)
    assert GA4.adapt(table, "x").events.equals(GA4.adapt(as_table(ROWS), "x").events)


def test_events_of_a_batch_that_differ_in_nothing_else_stay_apart():
    twins = as_table([ROWS[0], ROWS[0] | {"batch_event_index": "9"}, ROWS[0]])
    first, second, again = GA4.adapt(twins, "x").events.column("message_id").to_pylist()
    assert first == again != second


def test_a_purchase_without_ecommerce_takes_its_value_as_revenue():
    properties = lines(ROWS[3] | {"ecommerce": None}, ROWS[3] | {"ecommerce": {"purchase_revenue": "50.25"}}).events
    found = [orjson.loads(text) for text in properties.column("properties").to_pylist()]
    assert [row["revenue"] for row in found] == [49, 50.25]
    assert found[0].get("order_id") is None


@pytest.mark.parametrize("name", sorted(EVENT_NAMES))
def test_names_are_unique_in_meaning(name: str):
    event = lines(ROWS[4] | {"event_name": name}).events.column("event")[0].as_py()
    assert event == EVENT_NAMES[name]
    assert event[0].isupper()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"event_timestamp": None}, "no_time"),
        ({"event_timestamp": "soon"}, "bad_time"),
        ({"event_timestamp": "1714564801"}, "absurd_time"),  # seconds, where the export has microseconds
        ({"event_timestamp": 2**70}, "not_json"),
        ({"event_name": None}, "no_event_name"),
        ({"event_name": 5}, "wrong_type"),
        ({"user_pseudo_id": None}, "no_visitor_id"),
        ({"device": "mobile"}, "wrong_type"),
        ({"device": {"web_info": []}}, "wrong_type"),
        ({"event_params": {}}, None),
        ({"event_params": {"key": "x"}}, "wrong_type"),
        ({"event_params": [1]}, "wrong_type"),
        ({"event_params": [{"key": None}]}, "wrong_type"),
        ({"event_params": [{"key": "a", "value": {"int_value": "1.5"}}]}, "wrong_type"),
        ({"event_params": [{"key": "a", "value": {"string_value": 1}}]}, "wrong_type"),
        ({"items": [{"price": "dear"}]}, "wrong_type"),
        ({"ecommerce": {"purchase_revenue": []}}, "wrong_type"),
    ],
)
def test_a_row_that_is_no_event_is_a_dead_letter(change: dict, reason: str | None):
    if change.get("event_timestamp") == 2**70:
        text = orjson.dumps(ROWS[0]).replace(b'"1714564801000000"', b"1" * 400)
        rows = pa.array([text, orjson.dumps(ROWS[1])], pa.binary())
        adapted = GA4.adapt(rows, "x")
    else:
        adapted = lines(ROWS[0] | change, ROWS[1])
    assert adapted.rejected.column("reason").to_pylist() == ([] if reason is None else [reason])
    assert adapted.events.column("event").to_pylist()[-1] == "Product Viewed"


def test_numbers_that_json_cannot_write_are_left_out():
    row = ROWS[4] | {
        "event_params": [
            {"key": "a", "value": {"double_value": "NaN"}},
            {"key": "b", "value": {"float_value": "Infinity"}},
        ]
    }
    assert lines(row).events.column("properties").to_pylist() == [None]


def test_a_param_that_is_not_utf8_refuses_its_event_only():
    table = as_table(ROWS)
    params = table.column("event_params").chunk(0)
    keys, value = params.flatten().flatten()
    broken = keys.to_pylist()
    place = broken.index("engagement_time_msec")
    raw = pa.array([b"\xff" if i == place else key.encode() for i, key in enumerate(broken)]).view(pa.string())
    struct = pa.StructArray.from_arrays([raw, value], names=["key", "value"])
    column = pa.ListArray.from_arrays(params.offsets, struct)
    adapted = GA4.adapt(table.set_column(table.column_names.index("event_params"), "event_params", column), "x")
    assert adapted.rejected.column("reason").to_pylist() == ["not_utf8"]
    assert adapted.events.num_rows == 4


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        (
            "event_params",
            None,
            "x lacks column 'event_params', which every GA4 export has; it has event_date, event_times",
        ),
        (
            "event_params",
            pa.array(["a"] * 5),
            "x has column 'event_params' as string; a GA4 export has a list of structs",
        ),
        (
            "event_params",
            pa.array([[{"k": 1}]] * 5),
            "a GA4 export has a list of key and value; export the table again",
        ),
        (
            "event_timestamp",
            pa.array(["1"] * 5),
            "x has column 'event_timestamp' as string; a GA4 export has it as int64 m",
        ),
        ("user_pseudo_id", pa.array([["a"]] * 5), "x has column 'user_pseudo_id' as list<"),
        ("items", pa.array([1] * 5), "x has column 'items' as int64; a GA4 export has a list of structs"),
    ],
)
def test_another_table_is_refused_in_one_line(name: str, column: pa.Array | None, message: str):
    table = as_table(ROWS).drop_columns([name])
    with pytest.raises(ColumnsError, match=message):
        GA4.adapt(table if column is None else table.append_column(name, column), "x")
