"""The spool archive: durable when append returns, one flush for all that waits, hourly files, clear refusals."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from features.checks import dead_letters
from serving import spool
from serving.archive import ArchiveError, SpoolArchive, dead_letter_lines
from serving.spool import HOUR_US, read_lines, spool_files

NOON_US = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


def lines_of(path: Path) -> list[bytes]:
    return [line for chunk in read_lines(path) for line in chunk]


async def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.005)


def test_lines_are_in_the_file_that_append_names(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        first = await archive.append("events", [b"1", b"2"], NOON_US)
        second = await archive.append("events", [b"3"], NOON_US + 1)
        other = await archive.append("rejected", [b"4"], NOON_US)
        assert first.path == second.path and first.path is not None and other.path is not None
        assert lines_of(first.path) == [b"1", b"2", b"3"]
        assert (first.path.parent, other.path.parent) == (tmp_path / "events", tmp_path / "rejected")
        assert spool_files(tmp_path / "events") == ([], [first.path])
        await archive.close()
        assert spool_files(tmp_path / "events") == ([first.path], [])

    asyncio.run(run())


def test_the_hour_decides_the_file(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        before, after = await asyncio.gather(
            archive.append("events", [b"before"], NOON_US - 1), archive.append("events", [b"after"], NOON_US)
        )
        assert before.path.name.startswith("20260131T11-")
        assert after.path.name.startswith("20260131T12-")
        assert spool_files(tmp_path / "events") == ([before.path], [after.path])
        await archive.close()

    asyncio.run(run())


def test_a_shorter_rotation_and_a_size_close_files_too(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path, rotate_seconds=600, rotate_bytes=10)
        paths = [
            (await archive.append("events", [b"123"], NOON_US + minute * 60_000_000)).path for minute in (0, 9, 10, 11)
        ]
        assert paths[0] == paths[1] != paths[2] == paths[3]
        full = (await archive.append("events", [b"456"], NOON_US + 11 * 60_000_000)).path
        assert full == paths[3]
        assert spool_files(tmp_path / "events") == (sorted([paths[0], full]), [])
        await archive.close()

    asyncio.run(run())


def test_a_file_is_closed_when_its_hour_is_over_without_further_events(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        appended = await archive.append("events", [b"1"], NOON_US + HOUR_US - 50_000)  # 50 ms before one o'clock
        await until(lambda: spool_files(tmp_path / "events") == ([appended.path], []))
        later = await archive.append("events", [b"2"], NOON_US + HOUR_US)
        assert lines_of(later.path) == [b"2"]
        await archive.close()

    asyncio.run(run())


def test_what_waits_is_flushed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(spool, "_sync", flushed.append)

    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        done = await asyncio.gather(*(archive.append("events", [b"%d" % i], NOON_US) for i in range(500)))
        assert lines_of(done[0].path) == [b"%d" % i for i in range(500)]
        await archive.close()

    asyncio.run(run())
    assert 1 <= len(flushed) <= 3


def test_whoever_stops_waiting_stops_nobody_else(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        gone = asyncio.ensure_future(archive.append("events", [b"gone"], NOON_US))
        stays = asyncio.ensure_future(archive.append("events", [b"stays"], NOON_US))
        await asyncio.sleep(0)
        gone.cancel()
        assert lines_of((await stays).path)[-1] == b"stays"
        await archive.close()

    asyncio.run(run())


def test_what_cannot_be_a_line_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tmp_path)
        with pytest.raises(ArchiveError, match="a line for the archive holds a line feed; give compact JSON"):
            await archive.append("events", [b"1", b"2\n3"], NOON_US)
        await archive.close()
        with pytest.raises(ArchiveError, match="the archive is closed; the service is shutting down"):
            await archive.append("events", [b"1"], NOON_US)

    asyncio.run(run())
    with pytest.raises(ValueError, match="rotate_seconds is 0; expected more than 0"):
        SpoolArchive(tmp_path, rotate_seconds=0)


def test_a_full_disk_is_one_clear_error_and_room_mends_it(tiny_disk: Path) -> None:
    async def run() -> None:
        archive = SpoolArchive(tiny_disk)
        kept = await archive.append("events", [b"kept"], NOON_US)
        await archive.check()
        filler = tiny_disk / "filler"
        filler.write_bytes(bytes(40_000))
        with pytest.raises(ArchiveError, match=r"cannot write .*events: the disk is full; free some space") as caught:
            await archive.append("events", [b"x" * 60_000], NOON_US)
        assert caught.value.errno == 28
        filler.write_bytes(bytes(60_000))
        with pytest.raises(ArchiveError, match="the disk is full"):
            await archive.check()
        filler.unlink()
        await archive.check()
        after = await archive.append("events", [b"after"], NOON_US)
        assert (lines_of(kept.path), lines_of(after.path)) == ([b"kept"], [b"after"])
        await archive.close()

    asyncio.run(run())


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def run() -> None:
        archive = SpoolArchive(tmp_path / "file")
        with pytest.raises(ArchiveError, match="a parent of it is a file, not a folder|it exists already"):
            await archive.append("events", [b"1"], NOON_US)
        with pytest.raises(ArchiveError, match="cannot write"):
            await archive.check()
        await archive.close()

    asyncio.run(run())


def test_dead_letters_become_lines() -> None:
    letters = dead_letters(["not_json", "too_deep"], ["{", 'a"b\nc'], "http")
    assert dead_letter_lines(letters) == [
        b'{"reason":"not_json","row":"{","source":"http"}',
        b'{"reason":"too_deep","row":"a\\"b\\nc","source":"http"}',
    ]
    assert dead_letter_lines(pa.RecordBatch.from_pylist([], schema=letters.schema)) == []
