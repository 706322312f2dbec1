"""Spool files: locked while they are open, never appended to by another process, torn only at their end."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving import spool
from serving.spool import SpoolFile, hour_of, read_lines, spool_files, torn

NOON_US = 1_769_860_800_000_000  # 2026-01-31T12:00:00Z


def test_a_file_is_open_until_it_is_closed(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path / "events", NOON_US + 59_000_000)
    file.append(b'{"a":1}\n{"b":2}\n')
    assert file.path.name.startswith("20260131T12-")
    assert spool_files(tmp_path / "events") == ([], [file.path])
    file.close()
    assert spool_files(tmp_path / "events") == ([file.path], [])
    assert list(read_lines(file.path)) == [[b'{"a":1}', b'{"b":2}']]
    assert (hour_of(file.path), file.size, torn(file.path)) == (NOON_US, 16, False)


def test_nothing_is_left_of_a_file_that_was_never_written_to(tmp_path: Path) -> None:
    file = SpoolFile(tmp_path, NOON_US)
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    one, other = SpoolFile(tmp_path, NOON_US), SpoolFile(tmp_path, NOON_US)
    assert one.path != other.path
    one.close()
    other.close()


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.jsonl").write_bytes(b"x\n")
    (tmp_path / "20260131T12-short.jsonl").write_bytes(b"x\n")
    assert spool_files(tmp_path) == ([], [])
    assert spool_files(tmp_path / "absent") == ([], [])


def test_a_killed_writers_file_is_free_and_its_torn_line_is_none(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from serving.spool import SpoolFile\n"
        f"file = SpoolFile(Path(sys.argv[1]), {NOON_US})\n"
        "file.append(b'whole\\n'); os.write(file._descriptor, b'to'); print('ready', flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=os.getcwd()
    )
    assert writer.stdout.readline() == b"ready\n"
    closed, still_open = spool_files(tmp_path)
    assert (closed, len(still_open)) == ([], 1)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    [path], still_open = spool_files(tmp_path)
    assert (list(read_lines(path)), torn(path), still_open) == ([[b"whole"]], True, [])


def test_lines_come_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "CHUNK_BYTES", 7)
    monkeypatch.setattr(spool, "CHUNK_ROWS", 2)
    path = tmp_path / "lines"
    path.write_bytes(b"1\n2\n3\n\nfour4444444\n5\n6")
    chunks = list(read_lines(path))
    assert [line for chunk in chunks for line in chunk] == [b"1", b"2", b"3", b"", b"four4444444", b"5"]
    assert max(map(len, chunks)) == 2
    assert torn(path)
    path.write_bytes(b"")
    assert (list(read_lines(path)), torn(path)) == ([], False)


def test_a_failed_write_leaves_nothing_behind(tiny_disk: Path) -> None:
    file = SpoolFile(tiny_disk, NOON_US)
    file.append(b"kept\n")
    with pytest.raises(OSError, match="No space left"):
        file.append(b"x" * 100_000 + b"\n")
    file.close()
    assert list(read_lines(file.path)) == [[b"kept"]]
    assert not torn(file.path)
