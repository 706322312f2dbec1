"""Heavy work beside the event loop: a few threads, a few places to wait in, a time limit.

A place is taken before a request's body is read, so that what waits in memory is limited, too.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from features.errors import AuguryError

T = TypeVar("T")

_CLOSED = "the service is shutting down; ask again"

Check = Callable[[], None]
"""Called between the steps of a job; raises ``TimeUpError`` once nobody waits for it any more."""


class WorkshopError(AuguryError, RuntimeError):
    """Work that is not done now."""


class BusyError(WorkshopError):
    """All places are taken."""


class ClosedError(WorkshopError):
    """The service is shutting down."""


class TimeUpError(WorkshopError):
    """It took longer than it may."""


class Workshop:
    """Threads and places; for the tasks of one event loop.

    Attributes:
        taken: places that are taken now, those of the threads among them.
    """

    def __init__(
        self,
        threads: int,
        most_waiting: int,
        seconds: float,
        watch: Callable[[int], object] = lambda _: None,
        *,
        name: str = "heatmap",
        remedy: str = "send a smaller image, or ask again later",
    ) -> None:
        """Starts nothing yet.

        Args:
            threads: jobs that are done at once.
            most_waiting: further jobs that may wait.
            seconds: time limit of a job, waiting included.
            watch: told how many places are taken, whenever that changes.
            name: that its threads' names begin with.
            remedy: what to do about a job that took too long.
        """
        self._watch = watch
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threads + most_waiting
        self._seconds = seconds
        self._remedy = remedy
        self._closed = False
        self.taken = 0

    @contextmanager
    def place(self) -> Iterator["Place"]:
        """Takes a place for one job.

        Raises:
            BusyError: there is none.
            ClosedError: the service is shutting down.
        """
        if self._closed:
            raise ClosedError(_CLOSED)
        if self.taken >= self._places:
            raise BusyError(f"{self.taken} requests are at work or waiting; ask again in a second")
        place = Place(self._threads, self._seconds, self._remedy)
        self._take(1)
        try:
            yield place
        finally:
            left = place.left_behind()
            if left is None:
                self._take(-1)
            else:  # nothing stops a thread; until it is done its place is not free
                loop = asyncio.get_running_loop()
                left.add_done_callback(lambda _: loop.call_soon_threadsafe(self._take, -1))

    async def close(self) -> None:
        """Waits for what is being done; what has not begun is given up."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)  # at once, before a thread is free for one more
        await asyncio.to_thread(self._threads.shutdown, wait=True)

    def _take(self, places: int) -> None:
        self.taken += places
        self._watch(self.taken)


class Place:
    """A place in the workshop, for one job."""

    def __init__(self, threads: ThreadPoolExecutor, seconds: float, remedy: str) -> None:
        self._threads, self._seconds, self._remedy = threads, seconds, remedy
        self._job: Future[Any] | None = None

    async def run(self, job: Callable[[Check], T]) -> T:
        """Has a job done in a thread.

        Raises:
            TimeUpError: it was not done in time.
            ClosedError: the service is shutting down.
        """
        until = time.monotonic() + self._seconds

        def check() -> None:
            if time.monotonic() > until:
                raise self._time_up()

        try:
            self._job = self._threads.submit(_in_time, job, check)
        except RuntimeError as e:
            raise ClosedError(_CLOSED) from e
        try:
            async with asyncio.timeout(self._seconds):
                found: T = await asyncio.wrap_future(self._job)
                return found
        except TimeoutError:
            raise self._time_up() from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise ClosedError(_CLOSED) from None  # it is the job that was cancelled, not who waits for it

    def _time_up(self) -> TimeUpError:
        return TimeUpError(f"it took longer than {self._seconds:g} s; {self._remedy}")

    def left_behind(self) -> "Future[Any] | None":
        """Returns the job if it is still being done; one that has not begun is given up."""
        if self._job is None or self._job.cancel() or self._job.done():
            return None
        return self._job


def _in_time(job: Callable[[Check], T], check: Check) -> T:
    check()
    return job(check)
