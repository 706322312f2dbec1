"""Every answer, or a share of them, written to a stream of the archive without making anybody wait."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter

from features.errors import AuguryError
from serving.archive import Archive
from serving.store import clock_us

_MOST_WAITING = 10_000
_MOST_TOGETHER = 1000
_PAUSE_SECONDS = 1.0
_PARTS = 1 << 32

_log = logging.getLogger(__name__)


class UsageLog:
    """Gathers lines and appends them together, about once a second; for the tasks of one event loop.

    A line is a JSON object: the stream's id (``prediction_id``, say), ``time_us``, and what ``record`` is given;
    ``serving.compaction_streams`` has the columns of each stream.
    """

    def __init__(
        self,
        archive: Archive,
        stream: str,
        share: float = 1.0,
        *,
        counted_in: CollectorRegistry | None = None,
        now_us: Callable[[], int] = clock_us,
    ) -> None:
        """Writes nothing yet.

        Args:
            archive: where the lines go.
            stream: of the archive, named after what is logged: ``predictions``.
            share: of the lines that are logged, 0 to 1, by their ids.
            counted_in: where lines are counted.
            now_us: the clock.
        """
        self._archive, self._stream, self._now_us = archive, stream, now_us
        self._id_name = f"{stream.removesuffix('s')}_id"
        self._below = round(share * _PARTS)
        self._lines: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._counts = Counter(
            f"augury_logged_{stream}",
            f"{stream.capitalize()} by whether they were logged",
            ("outcome",),
            registry=counted_in if counted_in is not None else CollectorRegistry(),
        )

    async def start(self) -> None:
        """Begins to write what ``record`` is given."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"log of {self._stream}")

    def record(self, line_id: str, line: dict[str, Any]) -> None:
        """Takes a line, if it is one of the share that is logged.

        Args:
            line_id: 32 hexadecimal digits drawn at random.
            line: the fields beside the id and the time.
        """
        if int(line_id[:8], 16) >= self._below:
            self._counts.labels("left_out").inc()
            return
        if len(self._lines) >= _MOST_WAITING:
            self._counts.labels("lost").inc()
            return
        self._lines.append(orjson.dumps({self._id_name: line_id, "time_us": self._now_us(), **line}))

    async def close(self) -> None:
        """Writes what is waiting, then stops."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._flush()
        if self._lines:
            self._counts.labels("lost").inc(len(self._lines))
            _log.error("%d %s could not be logged", len(self._lines), self._stream)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            # Not to be interrupted between the writing and the forgetting: a line would be written twice.
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._writing:
            while self._lines:
                lines = [self._lines[place] for place in range(min(len(self._lines), _MOST_TOGETHER))]
                try:
                    await self._archive.append(self._stream, lines, self._now_us())
                except (AuguryError, OSError) as e:
                    _log.error("%s cannot be logged now: %s", self._stream, e)
                    return
                for _ in lines:
                    self._lines.popleft()
                self._counts.labels("logged").inc(len(lines))
