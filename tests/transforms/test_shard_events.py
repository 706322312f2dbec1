"""Splitting batches into the pieces that cross the shuffle."""

import pyarrow as pa

from transforms.shard_events import _SplitByVisitor
from transforms.shards import unpack


def batch(first: int, rows: int) -> pa.RecordBatch:
    numbers = range(first, first + rows)
    return pa.RecordBatch.from_pydict(
        {
            "anonymous_id": [f"visitor-{n % 5}" for n in numbers],
            "message_id": [f"m{n}" for n in numbers],
            # one batch has the column empty: its dictionary must still fit the others'
            "url": pa.array([None if first else f"/{n}" for n in numbers], pa.string()),
        }
    )


def test_pieces_grow_over_batches_and_no_event_is_lost_at_the_end() -> None:
    split = _SplitByVisitor(2, ("message_id", "url"))
    split.start_bundle()
    assert list(split.process(batch(0, 20_000))) == []
    early = list(split.process(batch(20_000, 20_000)))  # two shards of 16,384 rows are enough for a piece each
    assert [shard for shard, _ in early] == [0, 1]
    assert list(split.process(batch(40_000, 10))) == []
    late = [value.value for value in split.finish_bundle()]
    found = sorted(int(text[1:]) for _, piece in early + late for text in unpack([piece])["message_id"].to_pylist())
    assert found == list(range(40_010))
    assert sorted(unpack([piece for _, piece in early])["url"].drop_null().to_pylist()) == sorted(
        f"/{n}" for n in range(20_000)
    )
    assert list(split.finish_bundle()) == []
