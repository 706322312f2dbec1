"""The fast store as pipelines reach it: where it is, a client that is patient, and one line when it is away."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from features.errors import AuguryError
from features.recent_events import PushCounts, RecentRules, push_events

_TIMEOUT_SECONDS = 5.0


class RecentEventsWriteError(AuguryError, ConnectionError):
    """The fast store is away, or refuses."""


class StoreUrlError(AuguryError, ValueError):
    """A URL that names no Redis."""


@dataclass(frozen=True)
class StoreOptions:
    """Where recent events go.

    Attributes:
        url: ``redis://`` or ``rediss://``, or ``unix://``; may hold a password, so it is left out of ``repr``.
        rules: what is kept of each visitor.
        retries: how often a write is tried again, waiting 0.2 s, then twice as long each time up to 5 s, before the
            bundle fails and the runner has it.
    """

    url: str = field(repr=False)
    rules: RecentRules
    retries: int = 8


def check_url(url: str) -> None:
    """Refuses a URL that is none of Redis.

    Raises:
        StoreUrlError: it is none; the message leaves out what might be a password.
    """
    try:
        redis.ConnectionPool.from_url(url)
    except ValueError as e:
        raise StoreUrlError(
            f"the URL of the fast store begins with {urlsplit(url).scheme[:20]!r}; expected redis://HOST:PORT/0, "
            "rediss://HOST:PORT/0 or unix:///PATH"
        ) from e


def store_client(store: StoreOptions) -> redis.Redis:
    """Returns a client, which connects when it is first used."""
    return redis.Redis.from_url(
        store.url,
        socket_timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        retry=Retry(ExponentialBackoff(cap=5, base=0.1), store.retries),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
    )


def push_batch(client: redis.Redis, store: StoreOptions, events: pa.RecordBatch, now_us: int) -> PushCounts:
    """Pushes events, see ``features.recent_events.push_events``.

    Raises:
        RecentEventsWriteError: the fast store is away, or refuses.
    """
    try:
        return push_events(client, events, store.rules, now_us)
    except redis.RedisError as e:
        raise RecentEventsWriteError(
            f"cannot write to the fast store at {_place(store.url)} ({type(e).__name__}: {_line(e)}); "
            "start it, or check its address and password"
        ) from e


def _place(url: str) -> str:
    """Returns host and port, or the path, of a URL, without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path


def _line(error: Any) -> str:
    return " ".join(str(error).split())[:200]
