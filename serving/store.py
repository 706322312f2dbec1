"""The fast store as the service uses it: recent events in Redis, over asyncio, with a circuit that opens and heals.

Whatever is wrong with Redis - away, hanging, still loading, a read-only replica, out of memory - becomes
``StoreUnavailableError``. The circuit then opens: calls fail at once, nobody waits for a time-out, and a task in the
background tries a write until one succeeds.
"""

import asyncio
import contextlib
import logging
import random
import re
import time
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError

from features.errors import AuguryError
from features.recent_calls import (
    Call,
    forget_call,
    push_calls,
    read_forgotten,
    read_push,
    read_recent,
    read_seen,
    recent_calls,
    seen_calls,
)
from features.recent_rules import Forgotten, PushCounts, Recent, RecentRules

_log = logging.getLogger(__name__)

_CONNECTIONS = 32
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_ANSWERS = {
    "LOADING": "it is still loading its data",
    "READONLY": "it is a read-only replica",
    "OOM": "it is out of memory",
    "MISCONF": "it cannot write its data to disk",
    "NOREPLICAS": "it has too few replicas",
    "MASTERDOWN": "its primary is away",
    "BUSY": "a script keeps it busy",
    "NOAUTH": "it wants a password",
    "WRONGPASS": "it refuses the user name or password",
    "NOPERM": "the user may not run these commands",
}
"""What Redis's error codes mean; all of them are mended from outside, so the circuit opens until they are."""
_CODE = re.compile(rf"(?:^|[\s-])({'|'.join(_ANSWERS)})\s")
_CODES = {
    "BusyLoadingError": "LOADING",
    "ReadOnlyError": "READONLY",
    "OutOfMemoryError": "OOM",
    "MasterDownError": "MASTERDOWN",
    "AuthenticationError": "WRONGPASS",
    "NoPermissionError": "NOPERM",
}
"""The client takes the code out of the text of these."""


class StoreUnavailableError(AuguryError, ConnectionError):
    """The fast store cannot be used now; it is tried again in the background."""


class StoreSettingsError(AuguryError, ValueError):
    """An address of the fast store that cannot be."""


def clock_us() -> int:
    """Returns the time now, int64 microseconds UTC."""
    return time.time_ns() // 1000


class RecentEventsStore:
    """Recent events, links of visitors and marks of seen messages; safe to share by the tasks of one event loop.

    Attributes:
        available: whether the circuit is closed: the last call went well, or a try since.
        where: the address without user name and password, for messages.
    """

    def __init__(
        self,
        url: str,
        rules: RecentRules,
        *,
        timeout_seconds: float = 1.0,
        now_us: Callable[[], int] = clock_us,
    ) -> None:
        """Connects to nothing yet.

        Args:
            url: ``redis://[user:password@]host:port/db``, ``rediss://`` or ``unix:///path``.
            rules: what is kept.
            timeout_seconds: the longest that a call may take, connecting included.
            now_us: the clock that events age by.

        Raises:
            StoreSettingsError: the address cannot be, or the time-out is not positive.
        """
        if not timeout_seconds > 0:
            raise StoreSettingsError(f"timeout_seconds {timeout_seconds!r} is not possible; expected more than 0")
        self.rules = rules
        self.where = _public_address(url)
        self.available = True
        self._timeout_seconds = timeout_seconds
        self._now_us = now_us
        self._recovery: asyncio.Task[None] | None = None
        self._reason = ""
        try:
            pool = BlockingConnectionPool.from_url(
                url,
                max_connections=_CONNECTIONS,
                timeout=None,
                protocol=2,
                socket_timeout=None,  # the time-out is one for the whole call
                socket_connect_timeout=None,
                # A pooled connection that the server has closed meanwhile; everything here may be done twice.
                retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
            )
        except (ValueError, TypeError):
            raise StoreSettingsError(_bad_address(self.where)) from None
        self._redis: Any = Redis.from_pool(pool)  # half of its methods are untyped

    async def ping(self) -> bool:
        """Tries a write and returns whether it went well; opens or closes the circuit accordingly."""
        try:
            await self._guarded(self._try_write)
        except StoreUnavailableError:
            return False
        if not self.available:
            _log.info("the fast store at %s is back", self.where)
        self.available = True
        return True

    async def seen(self, keys: Sequence[tuple[str, str]]) -> list[bool]:
        """Says of each (anonymous_id, message_id) whether it was pushed before.

        That is known for ``dedup_seconds``, and as long as the event is among its visitor's recent ones: a browser may
        send the last events of a visit again when the visitor comes back, weeks later. The second of two equal ones in
        ``keys`` counts as seen.

        Raises:
            StoreUnavailableError: the store cannot be used now.
        """
        if not keys:
            return []
        calls = seen_calls(keys, self.rules)
        found = read_seen(await self._call(lambda: self._run(calls)))
        earlier: set[tuple[str, str]] = set()
        answers = []
        for key, before in zip(keys, found, strict=True):
            answers.append(before or key in earlier)
            earlier.add(key)
        return answers

    async def push(self, events: pa.RecordBatch) -> PushCounts:
        """Adds events to their visitors' recent ones and marks them as seen; again changes nothing.

        Args:
            events: (N,) in ``EVENT_SCHEMA``; strings may be dictionary-encoded.

        Raises:
            StoreUnavailableError: the store cannot be used now; some visitors may have their events already.
        """
        if not events.num_rows:
            return PushCounts()
        self._refuse_if_open()
        calls, counts = push_calls(events, self.rules, self._now_us())
        answers = await self._call(lambda: self._run(calls))
        return counts + read_push(answers) if answers else counts

    async def recent(self, visitor: str) -> Recent:
        """Returns a visitor's recent events, none for an unknown one.

        Args:
            visitor: an anonymous id, or ``user:<user_id>``.

        Raises:
            StoreUnavailableError: the store cannot be used now.
        """
        return (await self.recent_many([visitor]))[0]

    async def recent_many(self, visitors: Sequence[str]) -> list[Recent]:
        """Returns the recent events of several visitors, in their order; see ``recent``."""
        calls = recent_calls(visitors, self.rules, self._now_us())
        return read_recent(await self._call(lambda: self._run(calls)), self.rules)

    async def forget(self, visitor: str) -> Forgotten:
        """Removes a visitor and all names linked to it, and refuses what was received until now from then on.

        Args:
            visitor: an anonymous id, or ``user:<user_id>``.

        Raises:
            StoreUnavailableError: the store cannot be used now.
        """
        call = forget_call(visitor, self.rules, self._now_us())
        (answer,) = await self._call(lambda: self._run([call]))
        return read_forgotten(answer)

    async def close(self) -> None:
        """Ends the background task and closes the connections."""
        if self._recovery is not None:
            self._recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._recovery
            self._recovery = None
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _run(self, calls: Sequence[Call]) -> list[Any]:
        answers = await self._send(calls)
        missing = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if missing:
            for text in {calls[place].script.text for place in missing}:
                await self._redis.script_load(text)
            again = await self._send([calls[place] for place in missing])
            for place, answer in zip(missing, again, strict=True):
                answers[place] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    async def _send(self, calls: Sequence[Call]) -> list[Any]:
        if len(calls) == 1:
            try:
                return [await self._redis.execute_command(*calls[0].command)]
            except ResponseError as e:
                return [e]
        pipeline = self._redis.pipeline(transaction=False)
        for call in calls:
            pipeline.execute_command(*call.command)
        return list(await pipeline.execute(raise_on_error=False))

    async def _try_write(self) -> None:
        await self._redis.set(f"{self.rules.namespace}:probe", b"1", px=1000)

    def _refuse_if_open(self) -> None:
        if not self.available:
            raise StoreUnavailableError(f"{self._reason}; it is tried again in the background")

    async def _call(self, function: Callable[[], Any]) -> Any:
        self._refuse_if_open()
        return await self._guarded(function)

    async def _guarded(self, function: Callable[[], Any]) -> Any:
        """Awaits what a function returns; opens the circuit when the store is not usable.

        The exceptions of the client are not chained: what they quote may hold a password or a visitor's id.
        """
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await function()
        except TimeoutError:
            problem, passing = f"it did not answer within {self._timeout_seconds:g} s", True
        except (RedisError, OSError) as e:
            problem, passing = _explain(e)
        self._reason = f"the fast store at {self.where} cannot be used: {problem}"
        if passing:
            self._open()
        raise StoreUnavailableError(self._reason) from None

    def _open(self) -> None:
        if self.available:
            _log.warning("%s; it is tried again in the background", self._reason)
        self.available = False
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.get_running_loop().create_task(self._recover(), name="fast store recovery")

    async def _recover(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self.available:
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            await self.ping()


def _public_address(url: str) -> str:
    """Returns an address without what must not be shown.

    Raises:
        StoreSettingsError: it is no address of a Redis server.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise StoreSettingsError(_bad_address("given")) from None
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise StoreSettingsError(_bad_address("given"))
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.hostname or 'localhost'}:{port or 6379}"


def _bad_address(shown: str) -> str:
    return (
        f"the address {shown} of the fast store is not possible; expected redis://[user:password@]host:port/db, "
        "rediss://... or unix:///path, with / # ? @ in a password written as %2F %23 %3F %40"
    )


def _explain(error: Exception) -> tuple[str, bool]:
    """Returns what is wrong in words of our own, and whether the circuit has to open."""
    name = type(error).__name__
    found = _CODE.search(str(error))
    code = _CODES.get(name) or (found[1] if found else "")
    if code:
        return _ANSWERS[code], True
    if isinstance(error, ResponseError):
        return f"it answered with an error ({name}); another program may use the same namespace", False
    return f"no connection ({name})", True
