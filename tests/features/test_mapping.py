import datetime
import decimal
import os
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest

from features.adapters import get_adapter
from features.columns import ColumnsError
from features.events import Adapted
from features.mapping import MappingAdapter
from features.mapping_file import parse_mapping
from transforms.sources import plan_reads, read_chunks

FIXTURES = Path(__file__).parent.parent / "fixtures" / "events"
NOON_US = 1_714_564_800_000_000  # 2024-05-01T12:00:00Z


def mapping(**changes: Any) -> MappingAdapter:
    columns = {"anonymous_id": "{v}", "event": "{e}", "timestamp_us": {"column": "t", "unit": "s"}}
    tables = {key: changes.pop(key) for key in ("properties", "context", "values") if key in changes}
    return MappingAdapter(parse_mapping({"columns": columns | changes, **tables}, "m.toml"))


def adapt(adapter: MappingAdapter, *rows: dict) -> Adapted:
    return adapter.adapt(pa.array([orjson.dumps(row) for row in rows], pa.binary()), "x.jsonl")


ROW = {"v": "a", "e": "view", "t": 1_714_564_800}


def test_csv_by_its_mapping_with_its_bad_lines_as_dead_letters():
    adapter = get_adapter(str(FIXTURES / "shop.toml"))
    path = str(FIXTURES / "shop.csv")
    (task,) = plan_reads([path])
    (table,) = read_chunks(task)
    adapted = adapter.adapt(table, path)
    events = adapted.events.to_pylist()
    assert [row["event"] for row in events] == ["Product Viewed", "Product Added", "Product Viewed"]
    assert [row["timestamp_us"] - NOON_US for row in events] == [0, 40_000_000, 60_000_000]
    assert events[0]["url"] == "https://shop.example/item/12"
    assert orjson.loads(events[0]["properties"]) == {"price": 24.5, "note": 'a "quoted" note; with a separator'}
    assert orjson.loads(events[1]["properties"])["note"] == "two\nlines"
    assert events[2]["properties"] is None
    assert events[0]["type"] == "track"
    assert adapted.rejected.to_pylist() == [
        {"reason": "wrong_columns", "row": "v2;2024-05-01 12:02:00;view", "source": path}
    ]


def test_retailrocket_by_the_example(retailrocket: Path):
    adapter = get_adapter(str(Path(__file__).parents[2] / "examples" / "retailrocket.toml"))
    counts: dict[str, int] = {}
    visitors = set()
    for task in plan_reads([str(retailrocket)]):
        for chunk in read_chunks(task):
            adapted = adapter.adapt(chunk, task.path)
            assert adapted.rejected.num_rows == 0
            visitors.update(adapted.events.column("anonymous_id").unique().to_pylist())
            for pair in adapted.events.column("event").value_counts().to_pylist():
                counts[pair["values"]] = counts.get(pair["values"], 0) + pair["counts"]
    assert set(counts) == {"Product Viewed", "Product Added", "Order Completed"}
    assert sum(counts.values()) == 97_381  # the data set's own description
    assert len(visitors) == 2_174


@pytest.fixture
def retailrocket() -> Path:
    path = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "retailrocket" / "events.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent; set AUGURY_DATA to the folder of data sets")
    return path


def test_a_template_of_a_missing_value_is_missing():
    adapter = mapping(url="/item/{i}", user_id="{u}")
    events = adapt(adapter, ROW | {"i": "7", "u": None}, ROW | {"u": "x"}).events
    assert events.column("url").to_pylist() == ["/item/7", None]
    assert events.column("user_id").to_pylist() == [None, "x"]


def test_values_are_replaced_and_a_star_stands_for_all_others():
    adapter = mapping(type="{e}", values={"event": {"view": "Page Viewed"}, "type": {"view": "page", "*": "track"}})
    events = adapt(adapter, ROW, ROW | {"e": "cart"}).events
    assert events.column("event").to_pylist() == ["Page Viewed", "cart"]
    assert events.column("type").to_pylist() == ["page", "track"]


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", 1_714_564_800),
        ("s", "1714564800"),
        ("s", 1_714_564_800.0),
        ("ms", 1_714_564_800_000),
        ("us", "1714564800000000"),
        ("ns", 1_714_564_800_000_000_999),
        ("iso", "2024-05-01T12:00Z"),
        ("iso", "2024-05-01 14:00:00+02"),
    ],
)
def test_times_are_read_in_the_unit_that_the_mapping_says(unit: str, value: Any):
    adapter = mapping(timestamp_us={"column": "t", "unit": unit})
    assert adapt(adapter, ROW | {"t": value}).events.column("timestamp_us").to_pylist() == [NOON_US]


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        (pa.array([1_714_564_800]), "s"),
        (pa.array([1_714_564_800], pa.uint32()), "s"),
        (pa.array([1_714_564_800.0]), "s"),
        (pa.array([decimal.Decimal("1714564800.000")]), "s"),
        (pa.array([b"1714564800"]), "s"),
        (pa.array(["1714564800"], pa.large_string()), "s"),
        (pa.array([datetime.datetime(2024, 5, 1, 12)]), "iso"),
        (pa.array([1_714_564_800_000], pa.timestamp("ms", "Europe/Berlin")), "s"),
    ],
)
def test_times_of_every_column_type(column: pa.Array, unit: str):
    table = pa.table({"v": ["a"], "e": ["view"], "t": column})
    events = mapping(timestamp_us={"column": "t", "unit": unit}).adapt(table, "x").events
    assert events.column("timestamp_us").to_pylist() == [NOON_US]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"t": None}, "no_time"),
        ({"t": ""}, "no_time"),
        ({"t": "soon"}, "bad_time"),
        ({"t": 1e300}, "bad_time"),
        ({"t": 0}, "absurd_time"),
        ({"t": 1_714_564_800_000}, "absurd_time"),  # milliseconds under a mapping that says seconds
        ({"v": None}, "no_visitor_id"),
        ({"e": None}, "no_event_name"),
        ({"e": {"a": 1}}, "wrong_type"),
    ],
)
def test_a_row_that_is_no_event_is_a_dead_letter(change: dict, reason: str):
    adapted = adapt(mapping(), ROW, ROW | change)
    assert adapted.rejected.column("reason").to_pylist() == [reason]
    assert orjson.loads(adapted.rejected.column("row")[0].as_py()) == ROW | change
    assert adapted.events.num_rows == 1


def test_numbers_as_ids_are_written_out_and_nested_fields_found():
    adapter = mapping(anonymous_id="{user.id}", user_id="{user.key.no}")
    rows = [ROW | {"user": {"id": 7, "key": {"no": 1.5}}}, ROW | {"user": {"id": True}}, ROW | {"user.id": "flat"}]
    events = adapt(adapter, *rows).events
    assert events.column("anonymous_id").to_pylist() == ["7", "true", "flat"]
    assert events.column("user_id").to_pylist() == ["1.5", None, None]
    table = pa.Table.from_pylist(rows[:1])
    assert adapter.adapt(table, "x").events.column("anonymous_id").to_pylist() == ["7"]


def test_properties_are_text_or_numbers_as_the_mapping_says():
    adapter = mapping(properties={"id": "{i}", "price": {"number": "p"}, "shop": "north"}, context={"ip": "{ip}"})
    rows = [ROW | {"i": 7, "p": "1.50", "ip": "::1"}, ROW | {"i": 'a"', "p": "dear"}, ROW | {"p": "nan"}]
    events = adapt(adapter, *rows).events
    assert [orjson.loads(text) for text in events.column("properties").to_pylist()] == [
        {"id": "7", "price": 1.5, "shop": "north"},
        {"id": 'a"', "shop": "north"},
        {"shop": "north"},
    ]
    assert events.column("context").to_pylist() == ['{"ip":"::1"}', None, None]
    table = pa.table({"v": ["a"], "e": ["x"], "t": [ROW["t"]], "i": [7], "p": [float("inf")], "ip": [None]})
    assert adapter.adapt(table, "x").events.column("properties").to_pylist() == ['{"id":"7","shop":"north"}']


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"v": ["a"], "e": ["x"]}, "x.csv lacks column 't', which mapping 'm' uses for timestamp_us; it has v, e"),
        ({"v": ["a"], "t": [1]}, "x.csv lacks column 'e', which mapping 'm' uses for event; it has v, t"),
        (
            {"v": [["a"]], "e": ["x"], "t": [1]},
            "x.csv has column 'v' as list<.*>, which is no text; name one of its fiel",
        ),
        (
            {"v": ["a"], "e": ["x"], "t": [True]},
            "x.csv has column 't' as bool, which is no time in unit 's'; correct the",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(table: dict, message: str):
    with pytest.raises(ColumnsError, match=message):
        mapping().adapt(pa.table(table), "x.csv")


def test_whole_numbers_under_a_mapping_that_says_iso_are_refused():
    with pytest.raises(ColumnsError, match="column 't' as int64, which is no time in unit 'iso'"):
        mapping(timestamp_us={"column": "t", "unit": "iso"}).adapt(pa.table({"v": ["a"], "e": ["x"], "t": [1]}), "x")


def test_all_columns_are_read_unless_message_ids_are_mapped():
    assert mapping().columns(("url",)) is None
    assert mapping(message_id="{id}", url="/{item.id}").columns(()) == ("id", "v", "e", "item.id", "t", "item")


def test_rows_without_message_ids_are_told_apart_by_all_they_say():
    table = pa.table({"v": ["a"] * 3, "e": ["x"] * 3, "t": [ROW["t"]] * 3, "unmapped": [1, 2, 1]})
    first, second, again = mapping().adapt(table, "x").events.column("message_id").to_pylist()
    assert first == again != second
