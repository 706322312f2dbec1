"""Spool files: append-only JSON lines on the local disk, written by one process each and read once they are closed.

A file is locked (``flock``) as long as its writer lives, so that a killed writer's file is free at once. Its name says
in which hour it was begun and is never given twice: a new process never appends to an old file. A line counts when its
line feed is there; what a killed writer left after the last one is torn, was never acknowledged, and is ignored.
"""

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from features.errors import AuguryError
from features.storage import sync_folder

HOUR_US = 3_600_000_000

CHUNK_ROWS = 50_000
CHUNK_BYTES = 16 << 20
"""How much of a file is looked at at once: the first of the two that is reached."""

_NAME = re.compile(r"(\d{8}T\d{2})-[0-9a-f]{32}\.jsonl")
_FORM = "%Y%m%dT%H"
_sync = getattr(os, "fdatasync", os.fsync)


class ArchiveError(AuguryError, OSError):
    """The archive cannot be written or read; ``errno`` is kept where the system gave one."""


class SpoolFile:
    """A spool file that is open for writing, and locked.

    Attributes:
        path: where it is.
        size: bytes that are durable.
    """

    def __init__(self, folder: Path, received_at_us: int, fsync: bool = True) -> None:
        """Makes a new file in ``folder`` for what is received from ``received_at_us`` on.

        Raises:
            OSError: it cannot be made.
        """
        self.size = 0
        self._fsync = fsync
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        self.path, self._descriptor = _create(folder, name_hour(received_at_us))
        if fsync:
            try:
                sync_folder(folder)
            except OSError:
                self.close()
                raise

    def append(self, data: bytes) -> None:
        """Writes whole lines and flushes them to the disk. After an error the file must be closed, not written again.

        Raises:
            OSError: not all of it could be written; as far as possible, none of it stays.
        """
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            if self._fsync:
                _sync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def close(self) -> None:
        """Lets go of the file, or removes it if nothing was ever written to it."""
        with suppress(OSError):
            if not self.size:
                self.path.unlink()
            os.close(self._descriptor)


def name_hour(time_us: int) -> str:
    """Returns the hour of a time (int64 microseconds UTC) as it stands at the beginning of a file's name."""
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).strftime(_FORM)


def hour_of(path: Path) -> int | None:
    """Returns the beginning (int64 microseconds UTC) of the hour in a spool file's name; None for another file."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    return int(datetime.strptime(found[1], _FORM).replace(tzinfo=UTC).timestamp()) * 1_000_000


def spool_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Returns the spool files of a folder, in the order of their names: those that are closed, and those still open."""
    closed: list[Path] = []
    still_open: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if hour_of(path) is not None:
            (closed if _is_closed(path) else still_open).append(path)
    return closed, still_open


def read_lines(path: Path) -> Iterator[list[bytes]]:
    """Yields the whole lines of a spool file, without their ends, in chunks of ``CHUNK_ROWS`` or ``CHUNK_BYTES``.

    A torn last line is left out; ``torn`` says whether there is one.
    """
    rest = b""
    with path.open("rb", buffering=0) as file:
        while block := file.read(CHUNK_BYTES):
            lines = (rest + block).split(b"\n")
            rest = lines.pop()
            for start in range(0, len(lines), CHUNK_ROWS):
                yield lines[start : start + CHUNK_ROWS]


def torn(path: Path) -> bool:
    """Says whether a spool file does not end with a line feed, so that its last line is none."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _create(folder: Path, hour: str) -> tuple[Path, int]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    while True:
        path = folder / f"{hour}-{secrets.token_hex(16)}.jsonl"
        descriptor = os.open(path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            os.close(descriptor)
            if e.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            continue  # a compactor is just looking whether the file is free: it may have it
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)  # ... and has removed it as empty


def _is_closed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
