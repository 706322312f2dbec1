"""Every prediction, or a share of them, written to the archive's stream of predictions without making anybody wait."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from prometheus_client import CollectorRegistry, Counter

from features.errors import AuguryError
from serving.archive import PREDICTIONS, Archive
from serving.store import clock_us

_MOST_WAITING = 10_000
_MOST_TOGETHER = 1000
_PAUSE_SECONDS = 1.0
_PARTS = 1 << 32

_log = logging.getLogger(__name__)


class PredictionLog:
    """Gathers predictions and appends them together, about once a second; for the tasks of one event loop.

    A line is a JSON object: ``prediction_id``, ``time_us``, ``model``, ``version``, ``visitor``, ``known``,
    ``probability``, ``segment``, ``events_used``, ``events_hash``, ``truncated``, ``probabilities`` and ``asked_by``
    ("visitor" or "events").
    """

    def __init__(
        self,
        archive: Archive,
        share: float = 1.0,
        *,
        counted_in: CollectorRegistry | None = None,
        now_us: Callable[[], int] = clock_us,
    ) -> None:
        """Writes nothing yet.

        Args:
            archive: where the lines go.
            share: of the predictions that are logged, 0 to 1, by their ids.
            counted_in: where lines are counted.
            now_us: the clock.
        """
        self._archive, self._now_us = archive, now_us
        self._below = round(share * _PARTS)
        self._lines: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._counts = Counter(
            "augury_logged_predictions",
            "Predictions by whether they were logged",
            ("outcome",),
            registry=counted_in if counted_in is not None else CollectorRegistry(),
        )

    async def start(self) -> None:
        """Begins to write what ``record`` is given."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="prediction log")

    def record(self, prediction_id: str, line: dict[str, Any]) -> None:
        """Takes a prediction, if it is one of the share that is logged.

        Args:
            prediction_id: 32 hexadecimal digits drawn at random.
            line: the fields beside the id and the time.
        """
        if int(prediction_id[:8], 16) >= self._below:
            self._counts.labels("left_out").inc()
            return
        if len(self._lines) >= _MOST_WAITING:
            self._counts.labels("lost").inc()
            return
        self._lines.append(orjson.dumps({"prediction_id": prediction_id, "time_us": self._now_us(), **line}))

    async def close(self) -> None:
        """Writes what is waiting, then stops."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._flush()
        if self._lines:
            self._counts.labels("lost").inc(len(self._lines))
            _log.error("%d predictions could not be logged", len(self._lines))

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
                    await self._archive.append(PREDICTIONS, lines, self._now_us())
                except (AuguryError, OSError) as e:
                    _log.error("predictions cannot be logged now: %s", e)
                    return
                for _ in lines:
                    self._lines.popleft()
                self._counts.labels("logged").inc(len(lines))
