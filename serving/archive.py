"""The archive as the service sees it: lines are appended to a stream, and are durable when ``append`` returns."""

import asyncio
import itertools
import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson
import pyarrow as pa

from features.storage import StorageError, explained
from serving.spool import HOUR_US, SpoolFile
from serving.spool import ArchiveError as ArchiveError

STREAMS = ("events", "rejected", "predictions", "heatmaps", "recommendations")
"""Received messages (Segment's JSON), dead letters (``dead_letter_lines``), and the logs of what was answered."""

EVENTS, REJECTED, PREDICTIONS, HEATMAPS, RECOMMENDATIONS = STREAMS

LOGS = (PREDICTIONS, HEATMAPS, RECOMMENDATIONS)
"""Streams of usage data, which are kept for some time only."""

_PROBE_BYTES = 4096


@dataclass(frozen=True)
class Appended:
    """Where lines were put.

    Attributes:
        path: the spool file that holds them; None where there is no file.
    """

    path: Path | None


class Archive(Protocol):
    """Keeps what was received."""

    async def append(self, stream: str, lines: Sequence[bytes], received_at_us: int) -> Appended:
        """Adds JSON texts, none with a line feed in it, to one of ``STREAMS``; they are durable when this returns.

        Args:
            stream: one of ``STREAMS``.
            lines: one JSON object each.
            received_at_us: when they were received, int64 microseconds UTC.

        Raises:
            ArchiveError: they could not be made durable; nothing may be acknowledged.
        """

    async def check(self) -> None:
        """Raises ``ArchiveError`` when nothing could be appended now."""

    async def close(self) -> None:
        """Finishes what is being appended, then lets go of everything; later appends are refused."""


class SpoolArchive:
    """Appends to spool files, one open file a stream; what comes while a batch is being flushed shares the next flush.

    Files are written by a thread of each stream, so that the event loop never waits for the disk. A file is closed when
    its hour (or ``rotate_seconds``, if shorter) is over, with or without traffic, and when it holds ``rotate_bytes``.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        rotate_seconds: float = 3600,
        fsync: bool = True,
        rotate_bytes: int = 256 << 20,
    ) -> None:
        if rotate_seconds <= 0:
            raise ValueError(f"rotate_seconds is {rotate_seconds}; expected more than 0")
        self._folder = Path(folder)
        self._lanes = {
            stream: _Lane(self._folder / stream, max(1, round(rotate_seconds * 1e6)), fsync, rotate_bytes)
            for stream in STREAMS
        }

    async def append(self, stream: str, lines: Sequence[bytes], received_at_us: int) -> Appended:
        """See ``Archive``."""
        return Appended(await self._lanes[stream].append(lines, received_at_us))

    async def check(self) -> None:
        """See ``Archive``; tries the disk."""
        await asyncio.get_running_loop().run_in_executor(None, _probe, self._folder)

    async def close(self) -> None:
        """See ``Archive``."""
        for lane in self._lanes.values():
            await lane.close()


def dead_letter_lines(rejected: pa.RecordBatch) -> list[bytes]:
    """Returns dead letters (``DEAD_LETTER_SCHEMA``) as lines of the stream ``rejected``."""
    return [orjson.dumps(row) for row in rejected.to_pylist()]


@dataclass(frozen=True)
class _Waiting:
    data: bytes
    received_at_us: int
    done: "asyncio.Future[Path]"


class _Lane:
    """One stream: what waits to be written, and the file that it goes to."""

    def __init__(self, folder: Path, rotate_us: int, fsync: bool, rotate_bytes: int) -> None:
        self._folder, self._rotate_us, self._fsync, self._rotate_bytes = folder, rotate_us, fsync, rotate_bytes
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"spool-{folder.name}")
        self._file: SpoolFile | None = None  # this and the next belong to the thread
        self._period = (0, 0)

    async def append(self, lines: Sequence[bytes], received_at_us: int) -> Path:
        data = b"\n".join([*lines, b""])
        if data.count(b"\n") != len(lines):
            raise ArchiveError("a line for the archive holds a line feed; give compact JSON")
        if self._closed:
            raise ArchiveError(f"cannot append to {self._folder}: the archive is closed; the service is shutting down")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(data, received_at_us, loop.create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = loop.create_task(self._drain())
        return await waiting.done

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            await self._task
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._let_go)
        self._thread.shutdown()

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            taken, self._waiting = self._waiting, []
            try:
                outcomes = await loop.run_in_executor(self._thread, self._write, taken)
            except BaseException as e:
                self._task = None
                for waiting in taken:
                    if not waiting.done.done():
                        waiting.done.set_exception(ArchiveError(f"cannot append to {self._folder}: {e!r}"))
                raise
            for waiting, outcome in zip(taken, outcomes, strict=True):
                if waiting.done.done():
                    continue  # whoever asked has gone
                if isinstance(outcome, Path):
                    waiting.done.set_result(outcome)
                else:
                    waiting.done.set_exception(outcome)
            self._close_in_time(taken[-1].received_at_us)
        self._task = None

    def _close_in_time(self, received_at_us: int) -> None:
        """Has the file closed at the end of its period, should nothing more come."""
        if self._timer is not None:
            self._timer.cancel()
        period = self._period_of(received_at_us)
        delay = (period[1] - received_at_us) / 1e6
        self._timer = asyncio.get_running_loop().call_later(delay, self._thread.submit, self._let_go)

    def _period_of(self, time_us: int) -> tuple[int, int]:
        """Returns the beginning of the hour and the end of the part of it that a file may cover."""
        hour = time_us - time_us % HOUR_US
        end = hour + (time_us - hour) // self._rotate_us * self._rotate_us + self._rotate_us
        return hour, min(end, hour + HOUR_US)

    def _write(self, taken: list[_Waiting]) -> list[Path | ArchiveError]:
        """Writes all that waits, in its order, with one flush a period; runs in the thread."""
        outcomes: list[Path | ArchiveError] = []
        for period, group in itertools.groupby(taken, lambda waiting: self._period_of(waiting.received_at_us)):
            members = list(group)
            outcome: Path | ArchiveError
            try:
                with explained(self._folder, "write"):
                    outcome = self._append(period, members[0].received_at_us, b"".join(each.data for each in members))
            except StorageError as e:
                self._let_go()
                outcome = ArchiveError(str(e))
                outcome.errno = e.errno
            outcomes += [outcome] * len(members)
        return outcomes

    def _append(self, period: tuple[int, int], received_at_us: int, data: bytes) -> Path:
        if self._file is None or period != self._period:
            self._let_go()
            self._file, self._period = SpoolFile(self._folder, received_at_us, self._fsync), period
        file = self._file
        file.append(data)
        if file.size >= self._rotate_bytes:
            self._let_go()
        return file.path

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _probe(folder: Path) -> None:
    path = folder / f".probe-{secrets.token_hex(8)}"
    try:
        with explained(folder, "write"):
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(_PROBE_BYTES))
    except StorageError as e:
        found = ArchiveError(str(e))
        found.errno = e.errno
        raise found from e
    finally:
        with suppress(OSError):
            path.unlink()
