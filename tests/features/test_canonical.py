import numpy as np
import pyarrow as pa
import pytest

from features.adapters import get_adapter
from features.canonical import CanonicalAdapter
from features.columns import ColumnsError
from features.events import EVENT_SCHEMA

US = 1_714_564_800_000_000
CANONICAL = CanonicalAdapter()


def table(**changes: pa.Array) -> pa.Table:
    columns = {
        "message_id": pa.array(["m1", "m2"]),
        "anonymous_id": pa.array(["a", "b"]),
        "type": pa.array(["track", "page"]),
        "event": pa.array(["Clicked", "Page Viewed"]),
        "timestamp_us": pa.array([US, US + 1]),
        "url": pa.array(["/x", None]),
    }
    return pa.table({name: column for name, column in (columns | changes).items() if column is not None})


def test_good_rows_pass_without_a_copy():
    given = table()
    events = CANONICAL.adapt(given, "x").events
    assert events.schema == EVENT_SCHEMA
    assert events.select(given.column_names).to_pydict() == given.to_pydict()
    assert events.column("context").null_count == 2
    for name in given.column_names:
        address = given.column(name).chunk(0).buffers()[-1].address
        assert events.column(name).buffers()[-1].address == address, name


def test_bad_rows_leave_with_their_reason_and_their_content():
    given = pa.table(
        {
            "message_id": ["m1", "m2", "m3", "m4", "m5", "m6", None],
            "anonymous_id": ["a", "", "b", "c", "d", "e", "f"],
            "type": ["track", "track", "click", "track", "track", "track", "track"],
            "event": ["x", "x", "x", None, "x", "x", "x"],
            "timestamp_us": [US, US, US, US, None, 5, US],
        }
    )
    adapted = CANONICAL.adapt(given, "f.parquet")
    assert adapted.rejected.column("reason").to_pylist() == [
        "no_visitor_id",
        "unknown_type",
        "no_event_name",
        "no_time",
        "absurd_time",
    ]
    assert adapted.rejected.column("row")[0].as_py() == (
        f'{{"message_id":"m2","anonymous_id":"","type":"track","event":"x","timestamp_us":{US}}}'
    )
    assert adapted.events.column("anonymous_id").to_pylist() == ["a", "f"]
    assert len(adapted.events.column("message_id")[1].as_py()) == 32


def test_text_that_is_not_utf8_is_found_before_anybody_reads_it():
    broken = pa.array([b"/x", b"/\xff"]).view(pa.string())
    adapted = CANONICAL.adapt(table(url=broken), "f")
    assert adapted.rejected.column("reason").to_pylist() == ["not_utf8"]
    assert "/�" in adapted.rejected.column("row")[0].as_py()
    assert adapted.events.column("url").to_pylist() == ["/x"]


def test_a_row_over_32_kb_is_refused_by_the_sum_of_its_text():
    half = "x" * 16_384
    adapted = CANONICAL.adapt(table(url=pa.array([half, half]), event=pa.array(["e", half])), "f")
    assert adapted.rejected.column("reason").to_pylist() == ["too_large"]
    assert len(adapted.rejected.column("row")[0].as_py()) == 32 * 1024


def test_other_types_of_the_same_values_are_read():
    given = table(
        event=pa.array(["Clicked", "Page Viewed"], pa.large_string()),
        anonymous_id=pa.array([b"a", b"b"]),
        timestamp_us=pa.array([US * 1000, US * 1000 + 1000], pa.timestamp("ns", "UTC")),
        referrer=pa.nulls(2),
    )
    assert CANONICAL.adapt(given, "f").events.equals(CANONICAL.adapt(table(), "f").events)


def encoded(given: pa.Table) -> pa.Table:
    """The table as Parquet readers give it when asked for dictionaries."""
    columns = [given.column(name).combine_chunks() for name in given.column_names]
    return pa.table([c.dictionary_encode() if pa.types.is_string(c.type) else c for c in columns], given.column_names)


def test_dictionaries_are_passed_on_and_judged_as_their_values():
    long = "x" * 33_000
    given = pa.table(
        {
            "message_id": ["m1", "m2", None, "m4", "m5", "m6", "m7", "m8"],
            "anonymous_id": ["a", "", "b", "a", None, "a", "a", "a"],
            "user_id": [None, None, None, None, "u", None, None, None],
            "type": ["track", "track", "track", "click", "page", "track", "page", "track"],
            "event": ["x", "x", "x", "x", "", None, None, "x"],
            "timestamp_us": [US] * 8,
            "url": ["/", None, "/", "/", "/", "/", "/", long],
            "properties": ["{}", None, "[]", None, None, None, None, None],
        }
    )
    adapted, expected = CANONICAL.adapt(encoded(given), "f"), CANONICAL.adapt(given, "f")
    assert pa.types.is_dictionary(adapted.events.schema.field("url").type)
    assert adapted.events.to_pylist() == expected.events.to_pylist()
    assert adapted.rejected.equals(expected.rejected)
    assert expected.rejected.column("reason").to_pylist() == [
        "no_visitor_id",
        "wrong_type",
        "unknown_type",
        "no_event_name",
        "too_large",
    ]
    assert [(field.name, field.nullable) for field in adapted.events.schema] == [
        (field.name, field.nullable) for field in EVENT_SCHEMA
    ]


def test_dictionaries_that_are_broken_are_decoded():
    broken = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array([b"/", b"/\xff"]).view(pa.string()))
    adapted = CANONICAL.adapt(table(url=broken, message_id=pa.nulls(2, pa.string())), "f")
    assert adapted.rejected.column("reason").to_pylist() == ["not_utf8"]
    assert "/�" in adapted.rejected.column("row")[0].as_py()
    null = pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), pa.array(["a", None]))
    rejected = CANONICAL.adapt(table(anonymous_id=null), "f").rejected
    assert rejected.column("reason").to_pylist() == ["no_visitor_id"]


def test_ids_made_from_content_do_not_depend_on_the_encoding():
    given = table(message_id=pa.nulls(2, pa.string()))
    plain, coded = CANONICAL.adapt(given, "f").events, CANONICAL.adapt(encoded(given), "f").events
    assert plain.column("message_id").to_pylist() == coded.column("message_id").to_pylist()


def test_properties_that_are_no_object_are_refused():
    adapted = CANONICAL.adapt(table(properties=pa.array(['{"a":1}', "[1]"])), "f")
    assert adapted.rejected.column("reason").to_pylist() == ["wrong_type"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"event": None},
            "f lacks column 'event'; canonical events need message_id, anonymous_id, type, event, timestam",
        ),
        ({"url": pa.array([1, 2])}, "f has column 'url' as int64; canonical events have it as string; convert it"),
        (
            {"timestamp_us": pa.array(["x", "y"])},
            "f has column 'timestamp_us' as string; canonical events have it as int64",
        ),
        ({"url": pa.array([["x"], []])}, "f has column 'url' as list<"),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(changes: dict, message: str):
    with pytest.raises(ColumnsError, match=message):
        CANONICAL.adapt(table(**changes), "f")


def test_lines_are_refused():
    with pytest.raises(
        TypeError, match="f holds lines, but adapter 'canonical' reads Parquet; use 'segment', 'ga4' or a m"
    ):
        CANONICAL.adapt(pa.array(["{}"]), "f")


def test_only_what_is_wanted_and_what_is_needed_is_read():
    assert CANONICAL.columns(("url",)) == (
        "message_id",
        "anonymous_id",
        "user_id",
        "type",
        "event",
        "timestamp_us",
        "url",
    )


def test_a_slice_of_a_table_is_adapted_as_itself():
    big = pa.concat_tables([table()] * 3).combine_chunks()
    events = CANONICAL.adapt(big.slice(1, 3), "f").events
    assert events.column("message_id").to_pylist() == ["m2", "m1", "m2"]


def test_ids_made_from_content_do_not_depend_on_the_neighbours():
    given = table(message_id=pa.nulls(2, pa.string()))
    together = get_adapter("canonical").adapt(given, "f").events.column("message_id").to_pylist()
    alone = [CANONICAL.adapt(given.slice(i, 1), "f").events.column("message_id")[0].as_py() for i in range(2)]
    assert together == alone
    assert len(set(np.array(together))) == 2
