"""Compaction: every spooled event in its hour's partition once; copies and the forgotten dropped, bad lines apart."""

import fcntl
import hashlib
import os
from collections import Counter
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.events import DEAD_LETTER_SCHEMA, EVENT_SCHEMA
from features.storage import StorageError
from features.tombstones import Tombstones
from serving import compaction_batch, spool
from serving.compaction import compact
from serving.compaction_copies import find_copies
from serving.compaction_parts import BusyError, inputs_of, list_parts
from serving.spool import ArchiveError, SpoolFile
from tests.spooled import NOON_US, hours, keys_of, message, rows_of, write_spool


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, str]:
    return tmp_path / "spool", str(tmp_path / "archive")


def test_events_land_in_the_partition_of_their_hour(places: tuple[Path, str]) -> None:
    folder, archive = places
    noon = write_spool(folder, [message("1", properties={"price": 2.5}), message("2", "w")])
    write_spool(folder, [message("3", at_us=NOON_US + hours(13))], NOON_US + hours(13))
    report = compact(folder, archive)
    assert [Path(part).parent.relative_to(archive).as_posix() for part in report.counts.parts] == [
        "events/date=2026-01-31/hour=12",
        "events/date=2026-02-01/hour=01",
    ]
    table = pq.read_table(report.counts.parts[0], partitioning=None)
    assert table.schema.remove_metadata() == EVENT_SCHEMA
    assert inputs_of(report.counts.parts[0]) == [noon.name]
    first = rows_of(archive)[0]
    assert (first["message_id"], first["timestamp_us"], first["received_at_us"]) == ("1", NOON_US, NOON_US)
    assert first["properties"] == '{"price":2.5}'
    assert (report.counts.files, report.counts.lines, report.counts.rows) == (2, 3, Counter(events=3))
    assert list((folder / "events").iterdir()) == []
    assert compact(folder, archive).counts.files == 0


def test_the_same_files_make_the_same_part(tmp_path: Path) -> None:
    parts = []
    name = "20260131T12-0123456789abcdef0123456789abcdef.jsonl"
    for place in ("a", "b"):
        path = write_spool(tmp_path / place, [message("1")])
        path.rename(path.parent / name)
        parts += compact(tmp_path / place, str(tmp_path / place / "archive")).counts.parts
    assert (
        Path(parts[0]).name
        == Path(parts[1]).name
        == f"part-{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}.parquet"
    )
    assert Path(parts[0]).read_bytes() == Path(parts[1]).read_bytes()


def test_open_files_wait(places: tuple[Path, str]) -> None:
    folder, archive = places
    file = SpoolFile(folder / "events", NOON_US)
    file.append(orjson.dumps(message("1")) + b"\n")
    report = compact(folder, archive)
    assert (report.counts.files, report.still_open, rows_of(archive)) == (0, 1, [])
    file.close()
    assert compact(folder, archive).counts.rows == Counter(events=1)


def test_copies_are_dropped_within_a_file_between_files_and_over_hours(places: tuple[Path, str]) -> None:
    folder, archive = places
    write_spool(folder, [message("1"), message("2"), message("1"), message("1", "another visitor")])
    write_spool(folder, [message("2"), message("3")])
    write_spool(folder, [message("1", at_us=NOON_US + hours(1)), message("4")], NOON_US + hours(1))
    report = compact(folder, archive)
    assert report.counts.dropped["duplicate"] == 3
    write_spool(folder, [message("3"), message("4"), message("5")], NOON_US + hours(2))
    assert compact(folder, archive).counts.dropped["duplicate"] == 2
    expected = {("v", str(i)): 1 for i in range(1, 6)} | {("another visitor", "1"): 1}
    assert keys_of(archive) == Counter(expected)


@pytest.mark.parametrize(("gap", "kept"), [(24, 1), (25, 2), (-24, 1), (-25, 2)])
def test_the_window_of_copies_is_counted_in_hours_both_ways(places: tuple[Path, str], gap: int, kept: int) -> None:
    folder, archive = places
    for hour_us in (NOON_US, NOON_US + hours(gap)):
        write_spool(folder, [message("1", at_us=hour_us)], hour_us)
        compact(folder, archive, dedup_hours=24)
    assert keys_of(archive)[("v", "1")] == kept


def test_ids_are_compared_letter_by_letter(places: tuple[Path, str]) -> None:
    folder, archive = places
    pairs = [("ab", "c"), ("a", "bc"), ("a\u0301", "x"), ("\u00e1", "x"), ("A", "x"), ("a", "x"), ("a ", "x")]
    write_spool(folder, [message(mid, visitor) for visitor, mid in pairs])
    write_spool(folder, [message(mid, visitor) for visitor, mid in pairs], NOON_US + hours(1))
    assert compact(folder, archive).counts.dropped["duplicate"] == len(pairs)
    assert keys_of(archive) == Counter(dict.fromkeys(pairs, 1))


def test_a_duplicate_in_many_small_batches_and_chunks(
    places: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, archive = places
    monkeypatch.setattr(compaction_batch, "BATCH_BYTES", 400)
    monkeypatch.setattr(compaction_batch, "CHUNK_ROWS", 2)
    monkeypatch.setattr(spool, "CHUNK_ROWS", 2)
    for start in range(6):
        write_spool(folder, [message(str(i)) for i in range(start, start + 5)])
    compact(folder, archive)
    assert keys_of(archive) == Counter({("v", str(i)): 1 for i in range(10)})


def test_a_torn_line_is_counted_and_a_bad_line_becomes_a_dead_letter(places: tuple[Path, str]) -> None:
    folder, archive = places
    path = write_spool(folder, [message("1"), b'{"half', b"[1]", b'{"type":"track","event":"e","anonymousId":"v"}'])
    with path.open("ab") as file:
        file.write(orjson.dumps(message("2"))[:50])
    report = compact(folder, archive)
    assert (report.counts.lines, report.counts.torn) == (4, 1)
    assert report.counts.rejected == Counter(not_json=1, wrong_type=1, no_time=1)
    assert report.counts.rows == Counter(events=1, rejected=3)
    letters = rows_of(archive, "rejected")
    assert [(row["reason"], row["row"]) for row in letters][:2] == [("not_json", '{"half'), ("wrong_type", "[1]")]
    assert pq.read_schema(list_parts(archive, "rejected")[0]).remove_metadata() == DEAD_LETTER_SCHEMA
    assert keys_of(archive) == Counter({("v", "1"): 1})


def test_dead_letters_alone_leave_an_empty_part_that_says_they_are_done(places: tuple[Path, str]) -> None:
    folder, archive = places
    path = write_spool(folder, [b"nonsense"])
    [letters, events] = compact(folder, archive).counts.parts
    assert (pq.read_metadata(events).num_rows, inputs_of(events), inputs_of(letters)) == (0, [path.name], [path.name])


def test_the_streams_of_dead_letters_and_predictions(places: tuple[Path, str]) -> None:
    folder, archive = places
    letter = {"reason": "no_time", "row": '{"a":1}', "source": "http"}
    write_spool(folder, [letter, {"reason": 1, "row": ""}], stream="rejected")
    logged = {"prediction_id": "p", "time_us": NOON_US, "model": "m", "visitor": "v", "probability": 0.1, "known": True}
    write_spool(folder, [{**logged, "events": ["1", "2"], "events_used": "two"}], stream="predictions")
    report = compact(folder, archive)
    assert report.counts.rows == Counter(rejected=2, predictions=1)
    assert rows_of(archive, "rejected")[0]["row"] in ('{"a":1}', '{"reason":1,"row":""}')
    assert letter in rows_of(archive, "rejected")
    [row] = rows_of(archive, "predictions")
    assert {key: row[key] for key in logged} == {**logged, "probability": pa.scalar(0.1, pa.float32()).as_py()}
    assert (row["events_used"], row["other"]) == (None, '{"events":["1","2"],"events_used":"two"}')


def test_forgotten_visitors_do_not_reach_the_archive(places: tuple[Path, str]) -> None:
    folder, archive = places
    Tombstones.append(f"{archive}/tombstones", ["v", "user:42"], NOON_US)
    late = NOON_US + 1_000_000
    write_spool(
        folder,
        [message("1"), message("2", at_us=late), message("3", "w", userId="42"), message("4", "w", userId="43")],
    )
    write_spool(
        folder, [{"time_us": NOON_US, "visitor": "user:42"}, {"time_us": late, "visitor": "v"}], stream="predictions"
    )
    write_spool(folder, [{"reason": "no_time", "row": '{"anonymousId":"v"}'}], stream="rejected")
    report = compact(folder, archive)
    assert report.counts.dropped == Counter(forgotten=4, duplicate=0)
    assert {mid for _, mid in keys_of(archive)} == {"2", "4"}
    assert [row["visitor"] for row in rows_of(archive, "predictions")] == ["v"]
    assert rows_of(archive, "rejected") == []


def test_a_dead_letter_that_was_cut_off_is_forgotten_too(places: tuple[Path, str]) -> None:
    folder, archive = places
    Tombstones.append(f"{archive}/tombstones", ["v", 'user:4"2'], NOON_US)
    cut = [
        '{"anonymousId":"v","x":"y',
        '{"userId":"4\\"2","x":{"userId":"7"',
        '{"anonymousId":"w","x":"v',
        '{"userId":"\\ud800"',
    ]
    write_spool(folder, [{"reason": "too_large", "row": text} for text in cut], stream="rejected")
    compact(folder, archive)
    assert [row["row"] for row in rows_of(archive, "rejected")] == cut[2:]


def test_a_new_tombstone_rewrites_earlier_partitions_once(places: tuple[Path, str]) -> None:
    folder, archive = places
    path = write_spool(folder, [message("1"), message("2", "w"), message("3", "x", userId="42")])
    write_spool(folder, [message("4", "w", at_us=NOON_US + hours(1))], NOON_US + hours(1))
    write_spool(folder, [b'{"anonymousId":"v","no":"time"}', b'{"anonymousId":"w","no":"time"}'])
    write_spool(
        folder, [{"time_us": NOON_US, "visitor": "v"}, {"time_us": NOON_US, "visitor": "w"}], stream="predictions"
    )
    before = compact(folder, archive).counts.parts
    Tombstones.append(f"{archive}/tombstones", ["v", "user:42"], NOON_US)
    report = compact(folder, archive)
    assert report.forgotten.rows == Counter(events=2, rejected=1, predictions=1)
    assert {*report.forgotten.parts} < {*before}
    assert keys_of(archive) == Counter({("w", "2"): 1, ("w", "4"): 1})
    assert path.name in inputs_of(list_parts(archive, "events")[0])
    assert compact(folder, archive).forgotten.parts == []


def test_old_predictions_expire(places: tuple[Path, str]) -> None:
    folder, archive = places
    for day in (0, 1, 2):
        at_us = NOON_US + hours(24 * day)
        write_spool(folder, [{"time_us": at_us, "visitor": "v"}], at_us, "predictions")
        write_spool(folder, [message(str(day), at_us=at_us)], at_us)
    report = compact(folder, archive, prediction_log_days=1, now_us=NOON_US + hours(24 * 2 + 1))
    assert (report.expired, len(rows_of(archive, "predictions")), len(rows_of(archive))) == (2, 1, 3)


def test_two_compactors_do_not_meet(places: tuple[Path, str], tmp_path: Path) -> None:
    folder, archive = places
    write_spool(folder, [message("1")])
    compact(folder, archive)
    for place in (folder, Path(archive)):
        with (place / ".compacting").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(BusyError, match="another compaction is at work in .*; wait until it has finished"):
                compact(folder, archive)


def test_a_broken_part_is_named_and_nothing_is_lost(places: tuple[Path, str]) -> None:
    folder, archive = places
    write_spool(folder, [message("1")])
    [part] = compact(folder, archive).counts.parts
    Path(part).write_bytes(Path(part).read_bytes()[:-9])
    path = write_spool(folder, [message("2")])
    with pytest.raises(ArchiveError, match=r"part-.*\.parquet cannot be read \(.*\); restore it, or move it out"):
        compact(folder, archive)
    assert path.exists()
    assert not (Path(archive) / ".compacting").stat().st_size


def test_a_full_disk_stops_it_with_one_line_and_room_lets_it_go_on(tiny_disk: Path, tmp_path: Path) -> None:
    folder, archive = tmp_path / "spool", str(tiny_disk / "archive")
    path = write_spool(folder, [message(os.urandom(16).hex()) for _ in range(6000)])
    with pytest.raises(StorageError, match="cannot write .*: the disk is full; free some space"):
        compact(folder, archive)
    assert path.exists()
    elsewhere = str(tmp_path / "roomy")
    assert compact(folder, elsewhere).counts.rows == Counter(events=6000)
    assert [p for p in (tiny_disk / "archive").rglob("*") if p.is_file() and p.name != ".compacting"] == []


def test_an_archive_on_object_storage(tmp_path: Path, new_bucket) -> None:
    archive = new_bucket("compacted") + "/archive/"
    write_spool(tmp_path, [message("1"), message("2", "w"), b"nonsense"])
    compact(tmp_path, archive)
    write_spool(tmp_path, [message("2", "w"), message("3")], NOON_US + hours(1))
    report = compact(tmp_path, archive)
    assert report.counts.dropped["duplicate"] == 1
    assert report.counts.parts[0].startswith("gs://compacted/archive/events/date=2026-01-31/hour=13/part-")
    Tombstones.append(f"{archive}tombstones", ["w"], NOON_US)
    assert compact(tmp_path, archive).forgotten.rows == Counter(events=1)
    assert keys_of(archive.rstrip("/")) == Counter({("v", "1"): 1, ("v", "3"): 1})
    assert len(rows_of(archive.rstrip("/"), "rejected")) == 1


_IDS = st.lists(st.tuples(st.sampled_from(["a", "b", "ab"]), st.sampled_from(["1", "2", "12", ""])), max_size=12)


@given(new=_IDS, earlier=st.lists(_IDS, max_size=3))
def test_copies_are_those_that_a_set_finds(new: list[tuple[str, str]], earlier: list[list[tuple[str, str]]]) -> None:
    def table(pairs: list[tuple[str, str]]) -> pa.Table:
        columns = [[pair[place] for pair in pairs] for place in (0, 1)]
        return pa.table([pa.array(column, pa.string()) for column in columns], ["message_id", "anonymous_id"])

    seen = {pair for pairs in earlier for pair in pairs}
    expected = []
    for pair in new:
        expected.append(pair in seen)
        seen.add(pair)
    assert find_copies(table(new), map(table, earlier)).tolist() == expected
