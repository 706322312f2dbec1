"""Catching up: what was archived while the fast store was away reaches it when it is back.

A batch that could not be pushed marks its spool file: a hard link in a folder of its own, which outlives the process
and the compaction of the file. A replay takes a mark away *before* it reads the file, so that one set again meanwhile
is seen; what it took and could not finish stays for the next. Pushing is idempotent: a line may be read twice.
"""

import asyncio
import fcntl
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from features.segment import SegmentAdapter
from features.storage import StorageError, atomic_write, explained, sync_folder
from serving.spool import ArchiveError, read_lines

PUSH_ROWS = 1000
"""Events that are pushed at once."""


class Store(Protocol):
    """What catching up needs of the fast store."""

    async def push(self, events: pa.RecordBatch) -> Any:
        """Adds events; those it has already make no difference."""


class CatchUp:
    """The spool files that the fast store is behind with."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._taken = self._folder / "taken"

    def mark(self, path: Path, lines: Sequence[bytes] = ()) -> None:
        """Notes that not all of a spool file is in the fast store; durable when this returns.

        Args:
            path: the spool file.
            lines: what the store lacks of it, noted itself should the file have been compacted meanwhile.

        Raises:
            ArchiveError: it could not be noted; what the file holds must not be acknowledged.
        """
        try:
            with explained(self._folder, "write"):
                if not self._folder.is_dir():
                    self._folder.mkdir(parents=True, exist_ok=True)
                    sync_folder(self._folder.parent)
                try:
                    os.link(path, self._folder / path.name)
                except FileExistsError:
                    return
                except FileNotFoundError:
                    if not lines:
                        raise
                    name = f"{path.stem}.{secrets.token_hex(4)}.jsonl"
                    atomic_write(self._folder / name, b"\n".join([*lines, b""]))
                sync_folder(self._folder)
        except StorageError as e:
            raise ArchiveError(f"cannot note that the fast store lacks {path.name}: {e}") from e

    @property
    def pending(self) -> int:
        """Number of spool files that wait to be replayed."""
        return sum(1 for folder in (self._folder, self._taken) if folder.is_dir() for _ in folder.glob("*.jsonl"))

    async def replay(self, store: Store) -> int:
        """Pushes all that is marked, by whichever worker, living or dead; returns the number of events pushed.

        One process replays at a time: another returns 0 at once, and may look at ``pending`` and try again later.

        Raises:
            StoreUnavailableError: as ``store.push`` does; nothing is lost, and the next replay begins that file again.
        """
        if not self.pending:
            return 0
        with self._alone() as alone:
            if not alone:
                return 0
            pushed = 0
            while paths := self._take():
                for path in paths:
                    pushed += await _push(path, store)
                    path.unlink()
            return pushed

    def _take(self) -> list[Path]:
        """Takes the marks away and returns the files they were set on, with those an earlier replay left."""
        self._taken.mkdir(exist_ok=True)
        for path in sorted(self._folder.glob("*.jsonl")):
            path.rename(self._taken / f"{path.stem}.{secrets.token_hex(4)}.jsonl")
        return sorted(self._taken.glob("*.jsonl"))

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with (self._folder / ".lock").open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True


async def _push(path: Path, store: Store) -> int:
    pushed = 0
    chunks = read_lines(path)
    while (lines := await asyncio.to_thread(next, chunks, None)) is not None:
        for start in range(0, len(lines), PUSH_ROWS):
            events = await asyncio.to_thread(_events, lines[start : start + PUSH_ROWS])
            if events.num_rows:
                await store.push(events)
                pushed += events.num_rows
    return pushed


def _events(lines: list[bytes]) -> pa.RecordBatch:
    return SegmentAdapter().adapt(pa.array(lines, pa.binary()), "spool").events
