"""Scoring: visitors' recent events to probabilities, several visitors coded at once, one graph call for each.

Coding works on columns, whose fixed cost is shared by whoever waits. Every instance is coded from its own events and
is a call of the graph by itself, so no bit of an answer depends on who else was waiting.
"""

import asyncio
import hashlib
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from features.coding import CodedInstances, FeatureCoder
from features.current import current_slices
from features.errors import AuguryError
from features.ragged import offsets_of
from features.recent_events import decode_events
from features.sessions import SessionRules, Sessions, Window, build_sessions
from features.slices import Slices
from serving.loaded import Floats, LoadedModel

_MOST_TOGETHER = 16
_ANY_TIME = Window(0, 1)  # decides what is censored, which nobody asks here


class ScorerBusyError(AuguryError, RuntimeError):
    """More predictions wait than can be made soon."""


class History(NamedTuple):
    """A visitor's recent events.

    Attributes:
        rows: as ``features.recent_events.encode_events`` writes them, in any order.
        full: whether older events may have been left out.
    """

    rows: Sequence[bytes]
    full: bool = False


@dataclass(frozen=True)
class Scored:
    """What the model says of a visitor.

    Attributes:
        probabilities: float32 (C,); the base rates where there is nothing to predict from.
        known: whether there was.
        events_used: number of steps of the instance.
        events_hash: BLAKE2b-128, in hex, of their message ids, each with a line feed after it; empty where none.
        truncated: the instance has fewer steps than the model reads and begins at the first event that is kept, so that
            training, which had older ones, might have seen more.
    """

    probabilities: Floats
    known: bool = False
    events_used: int = 0
    events_hash: str = ""
    truncated: bool = False


class Instances(NamedTuple):
    """The instances of several visitors.

    Attributes:
        sessions: of those who have events.
        slices: one a visitor who has events.
        coded: one a visitor who has a visible event; ``coded.rows`` are rows of ``slices``.
    """

    sessions: Sessions
    slices: Slices
    coded: CodedInstances


def code_histories(coder: FeatureCoder, columns: Sequence[str], histories: Sequence[History]) -> Instances:
    """Returns the instances of several visitors, those without events left out, in their order.

    Args:
        coder: of the model's spec.
        columns: ``required_columns`` of that spec.
        histories: at least one of them has events.

    Raises:
        RecentEventsError: a stored row that this version cannot read.
    """
    rows = [row for history in histories for row in history.rows]
    # Names that sort as their numbers do: the sessions come in the order of the histories.
    names = [f"{index:06d}" for index, history in enumerate(histories) for _ in history.rows]
    rules = SessionRules(coder.spec.session_rules.gap_seconds, None)
    sessions, _ = build_sessions(decode_events(rows, names, columns), rules, _ANY_TIME)
    slices = current_slices(sessions, coder.spec)
    return Instances(sessions, slices, coder.encode(sessions, slices))


def score(model: LoadedModel, histories: Sequence[History]) -> list[Scored]:
    """Returns what a model says of several visitors (N,), the same bits for each as if asked alone.

    Raises:
        RecentEventsError: a stored row that this version cannot read.
    """
    answers = [Scored(model.base_rates)] * len(histories)
    asked = [index for index, history in enumerate(histories) if history.rows]
    if not asked:
        return answers
    sessions, slices, coded = code_histories(model.coder, model.columns, histories)
    predictions = model.predictor.predict(coded)

    first_session = np.concatenate([[0], slices.session[:-1] + 1])
    at_the_beginning = (slices.session == first_session) & (slices.start == 0)
    lengths = np.zeros(len(slices), np.int64)
    lengths[coded.rows] = coded.lengths
    short = (at_the_beginning & (lengths < model.spec.sequence_length)).tolist()
    for place, index in enumerate(asked):
        if histories[index].full and short[place]:
            answers[index] = Scored(model.base_rates, truncated=True)
    ids = sessions.events.column("message_id").take(pa.array(coded.event_rows)).to_pylist()
    ends = offsets_of(coded.lengths).tolist()
    for row, place in enumerate(coded.rows.tolist()):
        index = asked[place]
        used = ids[ends[row] : ends[row + 1]]
        answers[index] = Scored(
            predictions[row], True, len(used), events_hash(used), histories[index].full and short[place]
        )
    return answers


def events_hash(message_ids: Sequence[str]) -> str:
    """Returns BLAKE2b-128, in hex, of message ids, each with a line feed after it."""
    text = "".join(f"{message_id}\n" for message_id in message_ids)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


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
