"""Tombstones: who is forgotten until when, by either id, on a disk and on an object store."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from features.events import EVENT_SCHEMA
from features.tombstones import (
    TombstoneError,
    Tombstones,
    tombstone_files,
    tombstones_beside,
    visitor_hash,
)


def events(*rows: tuple[str, str | None, int, int | None]) -> pa.RecordBatch:
    fixed = {"message_id": "m", "type": "track", "event": "e"}
    names = ("anonymous_id", "user_id", "timestamp_us", "received_at_us")
    return pa.RecordBatch.from_pylist([{**fixed, **dict(zip(names, row, strict=True))} for row in rows], EVENT_SCHEMA)


def test_events_up_to_the_time_of_receipt_are_dropped(tmp_path: Path) -> None:
    Tombstones.append(str(tmp_path), ["v", "user:42"], 100)
    rows = [
        ("v", None, 1, 99),
        ("v", None, 1, 100),
        ("v", None, 1, 101),
        ("v", None, 100, None),  # no time of receipt: its own time
        ("v", None, 101, None),
        ("w", "42", 1, 100),
        ("w", "42", 1, 101),
        ("w", "43", 1, 1),
        ("42", None, 1, 1),  # an anonymous id is no user id
        ("user:42", None, 1, 1),
        ("w", None, 1, 1),
    ]
    expected = [True, True, False, True, False, True, False, False, False, True, False]
    tombstones = Tombstones.load(str(tmp_path))
    assert tombstones.mask(events(*rows)).tolist() == expected
    plain = events(*rows)
    encoded = [column.dictionary_encode() if pa.types.is_string(column.type) else column for column in plain.columns]
    assert tombstones.mask(pa.RecordBatch.from_arrays(encoded, plain.schema.names)).tolist() == expected
    few = plain.select(["anonymous_id", "timestamp_us"])
    assert tombstones.mask(few).tolist() == [True] * 4 + [False] * 5 + [True, False]


def test_nobody_is_forgotten_where_there_are_none(tmp_path: Path) -> None:
    nobody = Tombstones.load(str(tmp_path / "absent"))
    assert (len(nobody), nobody.mask(events(("v", None, 1, 1))).tolist()) == (0, [False])
    Tombstones.append(str(tmp_path), ["v"], 1)
    assert Tombstones.load(str(tmp_path)).mask(events()).tolist() == []


def test_the_latest_of_a_visitors_tombstones_holds(tmp_path: Path) -> None:
    for at_us in (5, 9, 7):
        Tombstones.append(str(tmp_path), ["v"], at_us)
    assert Tombstones.load(str(tmp_path)).until_us == {visitor_hash("v"): 9}
    assert Tombstones.load(str(tmp_path)).until(pa.array(["v", None, "w"])).tolist() == [9, -(2**63), -(2**63)]


def test_the_files_do_not_name_the_forgotten(tmp_path: Path) -> None:
    name = Tombstones.append(str(tmp_path / "made"), ["jane@example.com"], 1)
    digest = hashlib.blake2b(b"jane@example.com", digest_size=16).hexdigest()
    assert Path(name).read_text() == f'{{"visitor":"{digest}","at_us":1}}\n'
    assert tombstone_files(str(tmp_path / "made")) == [name]
    assert Tombstones.load(name).until_us == {digest: 1}


@pytest.mark.parametrize("line", ["[]", '{"visitor":"v","at_us":1}', '{"visitor":"' + "0" * 32 + '","at_us":"1"}', "{"])
def test_a_broken_file_stops_everything(tmp_path: Path, line: str) -> None:
    (tmp_path / "1-x.jsonl").write_text(line + "\n")
    with pytest.raises(
        TombstoneError, match=r'1-x.jsonl: line 1 is no tombstone; expected {"visitor": 32 hex.*onds}; restore'
    ):
        Tombstones.load(str(tmp_path))


def test_an_object_store_holds_them_too(new_bucket) -> None:
    folder = new_bucket("tombs") + "/archive/tombstones"
    Tombstones.append(folder, ["v"], 1)
    Tombstones.append(folder + "/", ["w"], 2)
    assert Tombstones.load(folder).until_us == {visitor_hash("v"): 1, visitor_hash("w"): 2}


def test_they_are_found_beside_an_archive() -> None:
    paths = [
        "a/events/date=2026-01-31/hour=12/part-1.parquet",
        "a/events/date=2026-01-31/hour=13/part-2.parquet",
        "gs://b/c/events/date=2026-02-01/hour=00/x.parquet",
        "other/events/part-1.parquet",
    ]
    assert tombstones_beside(paths) == ["a/tombstones", "gs://b/c/tombstones"]
