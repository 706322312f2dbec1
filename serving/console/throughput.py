"""What collection took during the last minutes, from the service's own counts, all workers together."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from serving.metrics import Metrics

_LOOK_SECONDS = 5.0
_WINDOW_SECONDS = 600.0
_IDLE_SECONDS = 900.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """The counts at one moment.

    Attributes:
        at: seconds, of a clock that never goes back.
        events: (outcome, reason) -> events so far.
        refused: reason -> requests refused whole so far.
    """

    at: float
    events: dict[tuple[str, ...], float]
    refused: dict[tuple[str, ...], float]

    def taken(self, outcome: str) -> float:
        """Returns how many events had an outcome."""
        return sum(value for (found, _), value in self.events.items() if found == outcome)


@dataclass(frozen=True)
class Rate:
    """Events a second between two looks; ``ago`` is how many seconds before the last look the span ended."""

    ago: float
    seconds: float
    accepted: float
    other: float


class Throughput:
    """Looks at the counts every few seconds while somebody looks at them; for the tasks of one event loop.

    Args:
        metrics: of the service.
        now: the clock, seconds.
    """

    def __init__(self, metrics: Metrics, now: Callable[[], float] = time.monotonic) -> None:
        self._metrics, self._now = metrics, now
        self._looks: deque[Look] = deque()
        self._task: asyncio.Task[None] | None = None
        self._asked = now()

    async def looks(self) -> list[Look]:
        """Returns the looks of the last minutes, one made just now the last of them."""
        self._asked = self._now()
        if self._task is None or self._task.done():
            self._looks.clear()  # counts of a while ago would be spread over the gap
            self._task = asyncio.create_task(self._follow(), name="throughput")
        await self._look()
        return list(self._looks)

    async def close(self) -> None:
        """Stops looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while self._now() - self._asked < _IDLE_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look()
            except Exception:  # noqa: BLE001 - a file of a worker that just ended; the next look may go well
                _log.exception("the service's counts cannot be read")

    async def _look(self) -> None:
        events, refused = await asyncio.to_thread(self._read)
        now = self._now()
        if self._looks and now - self._looks[-1].at < 1.0:
            self._looks.pop()
        self._looks.append(Look(now, events, refused))
        while self._looks[0].at < now - _WINDOW_SECONDS:
            self._looks.popleft()

    def _read(self) -> tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], float]]:
        return self._metrics.totals("augury_events"), self._metrics.totals("augury_refused_requests")


def rates(looks: list[Look]) -> list[Rate]:
    """Returns the rates between looks (N,), N - 1 of them, oldest first."""
    found = []
    for before, after in pairwise(looks):
        seconds = after.at - before.at
        if seconds <= 0:
            continue
        accepted = after.taken("accepted") - before.taken("accepted")
        everything = sum(after.events.values()) - sum(before.events.values())
        # A counter that fell is a worker's that began anew.
        accepted, other = max(0.0, accepted), max(0.0, everything - accepted)
        found.append(Rate(looks[-1].at - after.at, seconds, accepted / seconds, other / seconds))
    return found
