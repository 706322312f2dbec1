"""Rows of the fast store: exact, whatever an event holds."""

import re
from typing import Any

import hypothesis.strategies as st
import orjson
import pyarrow as pa
import pytest
from hypothesis import given

from features.events import EVENT_SCHEMA
from features.recent_events import RecentEventsError, decode_events, encode_events
from features.sessions import VISITOR, SessionRules, Window, build_sessions
from tests.features.recent_cases import NOW_US, batch, event

_TEXT = st.text(max_size=12)
_TIME = st.integers(-(2**63), 2**63 - 1)


def _value(item: pa.Field) -> st.SearchStrategy[Any]:
    values = _TEXT if pa.types.is_string(item.type) else _TIME
    return values if not item.nullable else st.none() | values


_ROW = st.fixed_dictionaries({item.name: _value(item) for item in EVENT_SCHEMA})


@given(st.lists(_ROW, max_size=5))
def test_every_event_comes_back_as_it_was(rows: list[dict[str, Any]]) -> None:
    events = batch(*rows)
    visitors = [f"v{i}" for i in range(len(rows))]
    table = decode_events(encode_events(events), visitors)
    assert table.schema.names == [*EVENT_SCHEMA.names, VISITOR]
    assert table.to_pylist() == [{**row, VISITOR: visitor} for row, visitor in zip(rows, visitors, strict=True)]


def test_only_the_columns_wanted_are_made() -> None:
    rows = encode_events(batch(event("m1", url="https://a.example/")))
    table = decode_events(rows, ["v"], ("timestamp_us", "url"))
    assert table.schema.names == ["timestamp_us", "url", VISITOR]
    assert table.to_pylist() == decode_events(rows, ["v"]).select(table.schema.names).to_pylist()


def test_rows_that_pass_for_others_when_joined_are_refused() -> None:
    row = encode_events(batch(event("m1")))[0]
    with pytest.raises(RecentEventsError, match="a stored row is no array of 13 fields"):
        decode_events([row + b"," + row], ["v"])


def test_a_row_is_an_array_in_the_order_of_the_schema() -> None:
    (row,) = encode_events(batch(event("m1", properties='{"a":1}', source="")))
    time_us = NOW_US - 86_400_000_000
    assert row == (
        b'["m1","a1",null,"track","Product Viewed",%d,%d,null,null,null,"{\\"a\\":1}",null,""]'
        % (time_us, time_us + 10**6)
    )


def test_dictionary_encoded_columns_give_the_same_rows() -> None:
    events = batch(event("m1", url="https://a.example/"), event("m2"), event("m3", url="https://a.example/"))
    encoded = events.set_column(events.schema.get_field_index("url"), "url", events.column("url").dictionary_encode())
    assert encode_events(encoded) == encode_events(events)


def test_what_is_decoded_makes_sessions() -> None:
    rows = encode_events(batch(event("m2", at=5), event("m1", at=5), event("m0", at=9)))
    sessions, _ = build_sessions(decode_events(rows, ["v", "v", "v"]), SessionRules(), Window(0, NOW_US))
    assert sessions.events.column("message_id").to_pylist() == ["m1", "m2", "m0"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [(b"[1]", "ValueError"), (b"{", "JSONDecodeError"), (b"7", "TypeError")],
)
def test_rows_of_another_version_are_refused(row: bytes, kind: str) -> None:
    message = (
        f"a stored row is no array of 13 fields ({kind}); it was written by another version: "
        "empty this namespace and refill it from the archive"
    )
    with pytest.raises(RecentEventsError, match=f"^{re.escape(message)}$"):
        decode_events([row], ["v"])


def test_rows_of_wrong_types_are_refused() -> None:
    with pytest.raises(RecentEventsError, match="a stored row is no array of 13 fields"):
        decode_events([orjson.dumps([None] * 5 + ["now"] + [None] * 7)], ["v"])
