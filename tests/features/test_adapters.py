import pickle
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.adapters import ADAPTERS, AdapterError, get_adapter
from features.checks import REASONS
from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA, Adapted
from features.rows import MALFORMED

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "retailrocket.toml")
SHOP = str(Path(__file__).parent.parent / "fixtures" / "events" / "shop.toml")
US = 1_714_564_800_000_000

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
times = st.sampled_from(["2024-05-01T12:00:00Z", "", "x", US, str(US), 1e300, -1, None, 2**63])
names = st.sampled_from(["a", "", "page_view", "purchase", None, 5])


def objects(*keys: str) -> st.SearchStrategy[dict]:
    """JSON objects in which each key may be missing, right or anything."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, names | times | json_values))


context = objects("page", "userAgent", "library") | st.fixed_dictionaries({"page": objects("url", "referrer")})
segment_rows = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "page"]) | json_values},
    optional={
        "event": names,
        "anonymousId": names | json_values,
        "userId": names,
        "messageId": names,
        "timestamp": times | json_values,
        "originalTimestamp": times,
        "sentAt": times,
        "receivedAt": times | json_values,
        "context": context | json_values,
        "properties": json_values,
        "traits": json_values,
    },
)
values = objects("string_value", "int_value", "float_value", "double_value")
params = st.lists(
    st.fixed_dictionaries({"key": st.sampled_from(["page_location", "value", "a"])}, optional={"value": values})
)
ga4_rows = st.fixed_dictionaries(
    {"event_timestamp": times, "event_name": names, "user_pseudo_id": names},
    optional={
        "event_params": params | json_values,
        "device": objects("category", "web_info") | json_values,
        "ecommerce": objects("purchase_revenue", "transaction_id"),
        "items": st.lists(objects("item_id", "price", "quantity"), max_size=2) | json_values,
        "event_server_timestamp_offset": times | json_values,
        "batch_event_index": json_values,
    },
)
shop_rows = objects("visitor", "when", "what", "page", "price", "note")


def dump(row: object) -> bytes:
    try:
        return orjson.dumps(row)
    except TypeError:  # integers beyond 64 bits
        return repr(row).encode(errors="replace")


def check(adapted: Adapted, count: int) -> None:
    """Every row is in exactly one of events and rejected, and what is in events can be used."""
    assert adapted.events.num_rows + adapted.rejected.num_rows == count
    assert adapted.events.schema == EVENT_SCHEMA
    assert adapted.rejected.schema == DEAD_LETTER_SCHEMA
    adapted.events.validate(full=True)
    adapted.rejected.validate(full=True)
    for field in EVENT_SCHEMA:
        if not field.nullable:
            assert adapted.events.column(field.name).null_count == 0
    assert set(adapted.rejected.column("reason").to_pylist()) <= set(REASONS)
    for name in ("properties", "context"):
        for text in adapted.events.column(name).drop_null().to_pylist():
            assert isinstance(orjson.loads(text), dict)


@settings(max_examples=100)
@given(st.lists(segment_rows.map(dump) | st.binary(max_size=30), max_size=8))
def test_every_segment_line_ends_in_exactly_one_place(lines: list[bytes]):
    check(get_adapter("segment", now_us=2 * US).adapt(pa.array(lines, pa.binary()), "x"), len(lines))


@settings(max_examples=100)
@given(st.lists(ga4_rows.map(dump) | st.binary(max_size=30), max_size=8))
def test_every_ga4_line_ends_in_exactly_one_place(lines: list[bytes]):
    check(get_adapter("ga4").adapt(pa.array(lines, pa.binary()), "x"), len(lines))


@settings(max_examples=100)
@given(st.lists(shop_rows.map(dump) | st.binary(max_size=30), max_size=8))
def test_every_mapped_line_ends_in_exactly_one_place(lines: list[bytes]):
    check(get_adapter(SHOP).adapt(pa.array(lines, pa.binary()), "x"), len(lines))


@settings(max_examples=100)
@given(
    st.lists(
        st.tuples(*[st.none() | st.binary(max_size=20) | st.sampled_from([b"1433221969", b"view"])] * 5), max_size=8
    )
)
def test_every_mapped_row_of_a_table_ends_in_exactly_one_place(rows: list[tuple[bytes | None, ...]]):
    columns = ["user_id", "timestamp", "event", "item_id", MALFORMED]
    table = pa.table({name: pa.array([row[i] for row in rows], pa.binary()) for i, name in enumerate(columns)})
    check(get_adapter(EXAMPLE).adapt(table, "x"), len(rows))


@settings(max_examples=100)
@given(st.lists(st.tuples(*[st.none() | st.binary(max_size=9)] * 8, st.none() | st.integers(0, 2**62)), max_size=8))
def test_every_canonical_row_ends_in_exactly_one_place(rows: list[tuple]):
    texts = [field.name for field in EVENT_SCHEMA if field.type == pa.string()][:8]
    raw = {name: pa.array([row[i] for row in rows], pa.binary()).view(pa.string()) for i, name in enumerate(texts)}
    table = pa.table(raw | {"timestamp_us": pa.array([row[8] for row in rows], pa.int64())})
    adapted = get_adapter("canonical").adapt(table, "x")
    assert adapted.events.num_rows + adapted.rejected.num_rows == len(rows)
    adapted.events.validate(full=True)


@pytest.mark.parametrize("name", [*ADAPTERS, EXAMPLE])
def test_adapters_travel_to_workers(name: str):
    adapter = get_adapter(name)
    assert pickle.loads(pickle.dumps(adapter)) == adapter
    assert adapter.name == (name if name in ADAPTERS else "retailrocket")


def test_an_unknown_adapter_is_refused_with_those_there_are():
    with pytest.raises(AdapterError, match="no adapter 'matomo'; expected one of segment, ga4, canonical, or the path"):
        get_adapter("matomo")
