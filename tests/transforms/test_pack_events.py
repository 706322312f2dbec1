"""Rows in batches, and which of them are late."""

import pyarrow as pa
import pytest

from features.events import EVENT_SCHEMA
from features.recent_events import encode_events
from features.segment import adapt_messages
from tests.transforms.streams import NOON_US, SECOND_US, at, clock, track
from transforms.pack_events import ARCHIVE_SCHEMA, _Pack, mark_late

HOUR_US = 3600 * SECOND_US


def events(*calls: dict[str, object]) -> pa.RecordBatch:
    return adapt_messages(list(calls), [b"{}"] * len(calls), "test").events


@pytest.mark.parametrize(
    ("happened", "received", "late"),
    [
        (0, 0, False),
        (0, 3600, False),  # allowed to the microsecond
        (0, 3600.001, True),
        (-86_400, 0, True),
        (30, 0, False),  # a clock that runs ahead
        (0, None, False),
    ],
)
def test_late_is_what_was_received_long_after_it_happened(happened: float, received: float | None, late: bool) -> None:
    more = {} if received is None else {"receivedAt": clock(received)}
    marked = mark_late(events(track("ann", "m", happened, **more)), HOUR_US)
    assert marked.schema == ARCHIVE_SCHEMA
    assert marked.column("late").to_pylist() == [late]


def test_rows_come_back_as_they_were_with_the_time_of_the_oldest() -> None:
    batch = events(
        track("ann", "m1", 0, properties={"price": 0.1, "nested": {"a": [1, None]}}, receivedAt=clock(1)),
        track("bob", "m2", 1, userId="b", context={"userAgent": "x"}),
    )
    packer = _Pack()
    packer.start_bundle()
    rows = encode_events(batch)
    assert [list(packer.process(row, at(second))) for row, second in zip(rows, (9, 3), strict=True)] == [[], []]
    [packed] = packer.finish_bundle()
    assert packed.timestamp == at(3)
    assert packed.value.schema == EVENT_SCHEMA
    assert packed.value.equals(batch)
    assert packed.value.column("timestamp_us").to_pylist() == [NOON_US, NOON_US + SECOND_US]


def test_a_large_bundle_is_several_batches_and_an_empty_one_none() -> None:
    [row] = encode_events(events(track("ann", "m1", 0)))
    packer = _Pack()
    packer.start_bundle()
    early = [batch.value.num_rows for _ in range(2049) for batch in packer.process(row, at(0))]
    assert (early, [batch.value.num_rows for batch in packer.finish_bundle()]) == ([1024, 1024], [1])
    packer.start_bundle()
    assert list(packer.finish_bundle()) == []
