"""Micro-batches: whatever is waiting is adapted, archived and pushed together, and nobody waits for a batch to fill.

While a batch is being written the next one gathers by itself: an event alone waits for nothing, and under load many
share the cost of the columns, of the flush to the disk and of the round trip to the fast store.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from features.checks import dead_letters
from features.cleaning import DROPS, CleaningRules, judge
from features.errors import AuguryError
from features.segment import adapt_messages
from serving.archive import EVENTS, REJECTED, Archive, dead_letter_lines
from serving.catch_up import CatchUp
from serving.metrics import Metrics
from serving.spool import ArchiveError
from serving.store import RecentEventsStore, StoreUnavailableError, clock_us

_SAMPLE = {"type": "page", "messageId": "m", "anonymousId": "a", "context": {"userAgent": "-", "page": {"url": "/"}}}

SOURCE = "http"
"""The source that dead letters of the service name."""

_QUEUE_BYTES = 64 << 20  # of JSON; the parsed messages take a few times as much

_log = logging.getLogger(__name__)


class BusyError(AuguryError, RuntimeError):
    """More events wait than the settings allow; they can be sent again shortly."""


class Outcome(NamedTuple):
    """What became of one message: ``accepted``, ``duplicate``, ``dropped`` or ``rejected``, and why."""

    kind: str
    reason: str = ""


ACCEPTED = Outcome("accepted")
DUPLICATE = Outcome("duplicate")
_DROPPED = [Outcome("dropped", reason) for reason in DROPS]


@dataclass
class _Waiting:
    messages: Sequence[dict[str, Any]]
    texts: Sequence[bytes]
    letters: Sequence[tuple[str, str]]
    size: int
    done: "asyncio.Future[list[Outcome]]"


class Ingest:
    """Takes received messages; one for each worker."""

    def __init__(
        self,
        *,
        archive: Archive,
        store: RecentEventsStore,
        catch_up: CatchUp | None,
        metrics: Metrics,
        cleaning: CleaningRules | None = None,
        queue_events: int = 20_000,
        batch_events: int = 1000,
        now_us: Callable[[], int] = clock_us,
    ) -> None:
        """Begins nothing yet; see ``start``.

        Args:
            archive: where accepted and rejected messages are kept.
            store: where the visitors' recent events are.
            catch_up: notes what the store missed; None where the archive leaves no files.
            metrics: what is counted.
            cleaning: which events no visitor made.
            queue_events: messages that may wait.
            batch_events: messages that are written together.
            now_us: the clock.
        """
        self._archive, self._store, self._catch_up, self._metrics = archive, store, catch_up, metrics
        self._cleaning = cleaning or CleaningRules()
        self._queue_events, self._batch_events, self._now_us = queue_events, batch_events, now_us
        self._queue: deque[_Waiting] = deque()
        self._queued = self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to write what ``accept`` is given, having done once what the first event would wait for."""
        judge(adapt_messages([_SAMPLE], [orjson.dumps(_SAMPLE)], SOURCE).events, self._cleaning)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="ingest")

    @property
    def waiting(self) -> int:
        """Messages that nobody has begun to write."""
        return self._queued

    async def accept(
        self,
        messages: Sequence[dict[str, Any]],
        texts: Sequence[bytes] | None = None,
        letters: Sequence[tuple[str, str]] = (),
    ) -> list[Outcome]:
        """Returns what became of each message, once the archive and the fast store hold those accepted.

        Where the fast store is away the archive alone does, and a note that the store is behind.

        Args:
            messages: received messages (N,), see ``features.received``.
            texts: the same as compact JSON; made here if None.
            letters: reason and text of what was refused already, for the stream of dead letters.

        Returns:
            Outcomes (N,), in the order of the messages.

        Raises:
            BusyError: too many messages wait.
            ArchiveError: the archive cannot be written; nothing was acknowledged.
        """
        if self._closing:
            raise ArchiveError("the service is shutting down; send the events again")
        made = texts if texts is not None else [orjson.dumps(message) for message in messages]
        size = sum(map(len, made)) + sum(len(text) for _, text in letters)
        full = self._queued + len(messages) > self._queue_events or self._queued_bytes + size > _QUEUE_BYTES
        if full and self._queue:
            raise BusyError(f"{self._queued} events are waiting; send these again in a second")
        done: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(messages, made, letters, size, done))
        self._queued += len(messages)
        self._queued_bytes += size
        self._wake.set()
        return await done

    async def close(self) -> None:
        """Writes what is waiting, then stops; later messages are refused."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            taken = self._take()
            with self._metrics.batch_seconds.time():
                await self._write_all(taken)
            self._metrics.queued.set(self._queued)

    def _take(self) -> list[_Waiting]:
        taken = [self._queue.popleft()]
        size = len(taken[0].messages)
        while self._queue and size + len(self._queue[0].messages) <= self._batch_events:
            taken.append(self._queue.popleft())
            size += len(taken[-1].messages)
        self._queued -= size
        self._queued_bytes -= sum(waiting.size for waiting in taken)
        self._metrics.batches.observe(size)
        return taken

    async def _write_all(self, taken: list[_Waiting]) -> None:
        """Writes requests together, and each by itself if that fails in a way that one of them may be the cause of."""
        try:
            outcomes = await self._write(
                [message for waiting in taken for message in waiting.messages],
                [text for waiting in taken for text in waiting.texts],
                [letter for waiting in taken for letter in waiting.letters],
            )
        except ArchiveError as e:
            _log.error("events cannot be archived: %s", e)
            for waiting in taken:
                _fail(waiting, ArchiveError("events cannot be stored now; send them again later"))
        except Exception as e:  # noqa: BLE001 - whatever one request's events cause must not take the others along
            if len(taken) == 1:
                _log.exception("a batch failed")
                _fail(taken[0], e)
                return
            for waiting in taken:
                await self._write_all([waiting])
        else:
            start = 0
            for waiting in taken:
                end = start + len(waiting.messages)
                if not waiting.done.done():  # whoever asked may have gone
                    waiting.done.set_result(outcomes[start:end])
                start = end

    async def _write(
        self, messages: list[dict[str, Any]], texts: list[bytes], letters: list[tuple[str, str]]
    ) -> list[Outcome]:
        now_us = self._now_us()
        outcomes = [ACCEPTED] * len(messages)
        adapted = adapt_messages(messages, texts, SOURCE, now_us)
        dead = dead_letter_lines(adapted.rejected) if adapted.reasons else []
        for row, reason in zip(adapted.refused.tolist(), adapted.reasons, strict=True):
            outcomes[row] = Outcome("rejected", reason)
        if letters:
            refused = dead_letters([reason for reason, _ in letters], [text for _, text in letters], SOURCE)
            dead += dead_letter_lines(refused)
        events, rows = adapted.events, np.delete(np.arange(len(messages)), adapted.refused)
        codes = judge(events, self._cleaning)
        if codes.any():
            for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
                if code:
                    outcomes[row] = _DROPPED[code - 1]
            events, rows = _keep(events, rows, codes == 0)
        copies = await self._copies(events)
        if copies.any():
            for row in rows[copies].tolist():
                outcomes[row] = DUPLICATE
            events, rows = _keep(events, rows, ~copies)
        await self._store_events(events, [texts[row] for row in rows.tolist()], dead, now_us)
        for outcome, count in Counter(outcomes).items():
            self._metrics.events.labels(outcome.kind, outcome.reason).inc(count)
        return outcomes

    async def _copies(self, events: pa.RecordBatch) -> npt.NDArray[np.bool_]:
        """Returns bool (N,): which events came before, in an earlier request or in this batch."""
        keys = list(
            zip(events.column("anonymous_id").to_pylist(), events.column("message_id").to_pylist(), strict=True)
        )
        try:
            return np.array(await self._store.seen(keys), np.bool_)
        except StoreUnavailableError:
            first = {key: i for i, key in reversed(list(enumerate(keys)))}
            return np.array([first[key] != i for i, key in enumerate(keys)], np.bool_)

    async def _store_events(self, events: pa.RecordBatch, lines: list[bytes], dead: list[bytes], now_us: int) -> None:
        """Archives lines and dead letters, then pushes the events; the archive comes first, because it is complete."""
        if dead:
            await self._archive.append(REJECTED, dead, now_us)
        if not lines:
            return
        appended = await self._archive.append(EVENTS, lines, now_us)
        try:
            await self._store.push(events)
        except StoreUnavailableError:
            self._metrics.behind.inc(len(lines))
            if self._catch_up is not None and appended.path is not None:
                await asyncio.to_thread(self._catch_up.mark, appended.path, lines)


def _keep(
    events: pa.RecordBatch, rows: npt.NDArray[np.int64], keep: npt.NDArray[np.bool_]
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    return events.filter(pa.array(keep)), rows[keep]


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
