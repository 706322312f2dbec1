import math
import re
from typing import Any

import mmh3
import pyarrow as pa
import pytest

from features.fields import HashSpec
from features.inspection import InspectionError, inspect_buckets


def _events(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def test_collisions_and_sparsity_by_hand() -> None:
    # buckets of the four tokens, seed 0: 3, 1, 3 and 0 of 4; found by hashing them here, independently of the code
    names = ["a", "b", "c", "d", "e"]
    buckets = [mmh3.hash(f"event={name}", 0, signed=False) % 4 for name in names]
    taken = len(set(buckets))
    table = _events(event=["a", "a", "a", "b", "c", "d", "e", None])
    report = inspect_buckets([table.slice(0, 3), table.slice(3)], HashSpec(fields=("event",)), sizes=[4])
    assert (report.events, report.tokens, report.tokens_per_event) == (8, 5, 7 / 8)
    (row,) = report.rows
    assert row.collision_rate == 1 - taken / 5
    assert row.sparsity == 1 - taken / 4
    assert row.expected_collision_rate == pytest.approx(1 - 4 * (1 - 0.75**5) / 5)
    times = dict(zip(names, [3, 1, 1, 1, 1], strict=True))
    shared = sum(times[name] for name, bucket in zip(names, buckets, strict=True) if buckets.count(bucket) > 1)
    assert row.shared_occurrences == shared / 7
    assert row.event_sparsity == 1 - 7 / 8 / 4


def test_ten_percent_collisions_leave_eighty_percent_of_the_buckets_empty() -> None:
    names: list[str | None] = [f"name {i}" for i in range(2000)]
    report = inspect_buckets([_events(event=names)], HashSpec(fields=("event",)), sizes=range(500, 20_000, 500))
    row = next(row for row in report.rows if row.size == report.recommended)
    assert row.collision_rate <= 0.1
    assert row.collision_rate == pytest.approx(0.1, abs=0.01)
    assert row.sparsity == pytest.approx(0.81, abs=0.02)
    for row in report.rows:
        deviation = math.sqrt(row.expected_collision_rate / 2000)
        assert row.collision_rate == pytest.approx(row.expected_collision_rate, abs=5 * deviation)


def test_smallest_size_under_the_target_is_recommended() -> None:
    table = _events(event=[str(i) for i in range(100)])
    hashing = HashSpec(fields=("event",))
    report = inspect_buckets([table], hashing, sizes=[4096, 64, 1024, 65536], target=0.06)
    assert [row.size for row in report.rows] == [64, 1024, 4096, 65536]
    assert report.recommended == next(row.size for row in report.rows if row.collision_rate <= 0.06)
    assert inspect_buckets([table], hashing, sizes=[64]).recommended is None


def test_fields_of_several_columns_and_hidden_events() -> None:
    table = _events(
        event=["View", "View", "Order"], url=["http://a.example/x/y", "http://a.example/x", "http://a.example/z"]
    )
    hashing = HashSpec(fields=("event", "url.segments"))
    seen = inspect_buckets([table], hashing, hides=["Order"])
    assert (seen.events, seen.tokens, seen.tokens_per_event) == (2, 3, 2.5)  # View, x, y; 3 and 2 in the events
    assert inspect_buckets([table.to_batches()[0]], hashing).tokens == 5


def test_dictionary_columns_are_read_too() -> None:
    table = pa.table({"event": pa.array(["a", "b", "a"]).dictionary_encode()})
    assert inspect_buckets([table], HashSpec(fields=("event",)), hides=["b"]).tokens == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sizes": [1]}, "sizes [1] are not possible; expected numbers of buckets of at least 2"),
        ({"sizes": []}, "sizes [] are not possible"),
        ({"target": 1.5}, "target collision rate 1.5 is not possible; expected a share between 0 and 1"),
        ({"hashing": HashSpec(fields=("url.path",))}, "column 'url' is not in the data (event); leave its fields out"),
        ({"batches": [_events(event=[None])]}, "none of the 1 events has a token of event; choose fields that the dat"),
        ({"batches": []}, "none of the 0 events has a token of event"),
    ],
)
def test_nothing_to_inspect(given: dict[str, Any], message: str) -> None:
    usual = {"batches": [_events(event=["a"])], "hashing": HashSpec(fields=("event",))}
    with pytest.raises(InspectionError, match=re.escape(message)):
        inspect_buckets(**(usual | given))
