"""Scoring for whoever asks: several visitors coded at once, in one thread.

Coding works on columns, whose fixed cost is shared by whoever waits; ``models.behavior.scoring`` says why no answer
depends on who else did.
"""

import asyncio
import queue
import threading
from typing import NamedTuple

from features.errors import AuguryError
from models.behavior.loaded import LoadedModel
from models.behavior.scoring import History, Scored, score

_MOST_TOGETHER = 16


class ScorerBusyError(AuguryError, RuntimeError):
    """More predictions wait than can be made soon."""


class _Asked(NamedTuple):
    model: LoadedModel
    history: History
    done: "asyncio.Future[Scored]"


class Scorer:
    """Scores in one thread of its own whatever is waiting; for the tasks of one event loop."""

    def __init__(self, most_waiting: int = 1000) -> None:
        """Starts the thread.

        Args:
            most_waiting: predictions that may wait.
        """
        self._most_waiting = most_waiting
        self._waiting = 0
        self._closed = False
        self._queue: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="scorer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> bool:
        """Whether a prediction waits to be made, or is being made."""
        return self._waiting > 0

    async def score(self, model: LoadedModel, history: History) -> Scored:
        """Returns what a model says of a visitor.

        Raises:
            ScorerBusyError: too many wait, or the service is shutting down.
            RecentEventsError: a stored row that this version cannot read.
        """
        if self._closed:
            raise ScorerBusyError("the service is shutting down; ask again")
        if self._waiting >= self._most_waiting:
            raise ScorerBusyError(f"{self._waiting} predictions are waiting; ask again in a second")
        self._waiting += 1
        done: asyncio.Future[Scored] = self._loop.create_future()
        self._queue.put(_Asked(model, history, done))
        try:
            return await done
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """Answers what is waiting, then ends the thread."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while True:
            taken = self._take()
            asked = [each for each in taken if each is not None]
            for model in {id(each.model): each.model for each in asked}.values():
                group = [each for each in asked if each.model is model]
                answers = _try(model, [each.history for each in group])
                self._loop.call_soon_threadsafe(_deliver, group, answers)
            if len(asked) < len(taken):
                return

    def _take(self) -> list[_Asked | None]:
        taken = [self._queue.get()]
        while len(taken) < _MOST_TOGETHER and taken[-1] is not None:
            try:
                taken.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return taken


def _try(model: LoadedModel, histories: list[History]) -> list[Scored | Exception]:
    """Scores together, and each by itself if that fails in a way that one of them may be the cause of."""
    try:
        return list(score(model, histories))
    except Exception as e:  # noqa: BLE001 - goes to whoever asked
        if len(histories) == 1:
            return [e]
        return [answer for history in histories for answer in _try(model, [history])]


def _deliver(group: list[_Asked], answers: list[Scored | Exception]) -> None:
    for asked, answer in zip(group, answers, strict=True):
        if asked.done.done():
            continue  # whoever asked has gone
        if isinstance(answer, Exception):
            asked.done.set_exception(answer)
        else:
            asked.done.set_result(answer)
