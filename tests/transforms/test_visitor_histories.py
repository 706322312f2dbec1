"""Histories of a shard's visitors, by hand."""

import numpy as np
import pyarrow as pa

from features.sessions import Window
from transforms.visitor_histories import divided, visitor_histories

WINDOW = Window(50, 100)


def events(*rows: tuple[str, str, int, bool, bool | None, str | None]) -> pa.Table:
    """Rows of (visitor, message, time, recent, refused, email); received as numbered."""
    types = (pa.string(), pa.string(), pa.int64(), pa.bool_(), pa.bool_(), pa.string())
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), types, strict=True)]
    names = ["visitor", "message_id", "timestamp_us", "recent", "consent_refused", "email_sha256", "received_at_us"]
    return pa.table([*columns, pa.array(range(len(rows)), pa.int64())], names)


def test_the_newest_events_of_each_visitor_in_order() -> None:
    given = events(
        ("b", "m3", 60, True, None, None),
        ("a", "m2", 70, True, None, "new"),
        ("a", "m1", 60, True, None, "old"),
        ("a", "m0", 60, True, None, None),
        ("b", "m9", 10, False, None, "told long ago"),
    )
    part, left_out, copies = visitor_histories(given, 2, WINDOW)
    assert (left_out, copies) == ({}, 0)
    assert part.visitors.to_pylist() == ["a", "b"]
    assert part.full.tolist() == [True, False]
    assert part.emails.to_pylist() == ["new", "told long ago"]
    assert part.events.select(["visitor", "message_id"]).to_pylist() == [
        {"visitor": "a", "message_id": "m1"},
        {"visitor": "a", "message_id": "m2"},
        {"visitor": "b", "message_id": "m3"},
    ]


def test_who_is_left_out_and_why() -> None:
    given = events(
        ("agreed again", "m1", 60, False, True, None),
        ("agreed again", "m2", 61, True, False, None),
        ("early", "m1", 49, True, None, None),
        ("nothing recent", "m1", 10, False, None, "hash"),
        ("refused", "m1", 60, True, False, None),
        ("refused", "m2", 61, False, True, None),
        ("refused", "m3", 62, True, None, None),
    )
    part, left_out, _ = visitor_histories(given, 5, WINDOW)
    assert part.visitors.to_pylist() == ["agreed again"]
    assert left_out == {"opted_out": 1, "no_recent_events": 1, "not_in_window": 1}
    assert part.events.num_rows == 1


def test_of_copies_the_first_received_counts() -> None:
    given = events(
        ("a", "m1", 70, True, None, None), ("a", "m1", 60, True, None, None), ("b", "m1", 60, True, None, None)
    )
    part, _, copies = visitor_histories(given, 5, WINDOW)
    assert copies == 1
    assert part.events.column("timestamp_us").to_pylist() == [70, 60]


def test_parts_of_a_few_visitors() -> None:
    given = events(*((f"v{n}", f"m{k}", 60 + k, True, None, None) for n in range(5) for k in range(n + 1)))
    part, _, _ = visitor_histories(given, 3, WINDOW)
    parts = list(divided(part, 2))
    assert [each.part for each in parts] == [0, 1, 2]
    assert [each.visitors.to_pylist() for each in parts] == [["v0", "v1"], ["v2", "v3"], ["v4"]]
    assert [each.events.num_rows for each in parts] == [3, 6, 3]
    assert np.concatenate([each.full for each in parts]).tolist() == [False, False, True, True, True]
    nobody, _, _ = visitor_histories(given.slice(0, 0), 3, WINDOW)
    assert list(divided(nobody)) == []
