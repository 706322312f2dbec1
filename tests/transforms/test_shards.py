"""Shards: every event in one shard, a visitor's together, and packing that loses nothing."""

import pyarrow as pa

from transforms.shards import encode_columns, pack, shard_of, split_by_visitor, unpack


def batch(rows: int = 200) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {
            "message_id": [f"m{n}" for n in range(rows)],
            "anonymous_id": [f"visitor-{n % 37}" for n in range(rows)],
            "event": [None if n % 5 == 0 else f"event-{n % 3}" for n in range(rows)],
            "timestamp_us": pa.array(range(rows), pa.int64()),
        }
    )


def test_every_event_arrives_once_in_the_shard_of_its_visitor() -> None:
    columns = ("message_id", "event", "timestamp_us")
    pieces = list(split_by_visitor(encode_columns(batch(), columns), 4))
    found = []
    for shard, packed in pieces:
        table = unpack([packed, packed]).slice(0, unpack([packed]).num_rows)
        for row in table.to_pylist():
            assert shard_of(row["visitor"], 4) == shard
            found.append((row["message_id"], row["visitor"], row["event"], row["timestamp_us"]))
    names = ("message_id", "anonymous_id", "event", "timestamp_us")
    expected = [tuple(row[name] for name in names) for row in batch().to_pylist()]
    assert sorted(found, key=lambda row: row[3]) == expected


def test_packed_dictionaries_hold_only_what_is_in_use() -> None:
    encoded = encode_columns(batch(), ("event",))
    table = unpack([pack(encoded.slice(0, 1))])
    assert table.column("visitor").chunk(0).dictionary.to_pylist() == ["visitor-0"]
    assert table.column("event").to_pylist() == [None]


def test_linked_ids_become_one_visitor() -> None:
    encoded = encode_columns(batch(80), (), {"visitor-1": "user:u", "visitor-2": "user:u"})
    visitors = encoded.column("visitor").to_pylist()
    assert visitors[:4] == ["visitor-0", "user:u", "user:u", "visitor-3"]
    assert visitors[38] == "user:u"
