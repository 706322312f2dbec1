"""``augury forget`` and ``augury archive``: what the service does, done by hand, beside it or while it is stopped."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from features.recent_rules import Forgotten
from serving.assembly import recent_rules
from serving.compaction import CompactionReport, compact_once
from serving.compaction_parts import BusyError
from serving.embedded import EmbeddedStore
from serving.forgetting import forget_visitor
from serving.settings import Settings
from serving.store import RecentEventsStore, clock_us


@dataclass(frozen=True)
class Erased:
    """What was removed where.

    Attributes:
        forgotten: what the fast store removed, and the names that tombstones were set for.
        had_store: whether there was a fast store.
        report: what the compaction did that rid the archive of the visitor; None where another one was at work, which
            will do it.
    """

    forgotten: Forgotten
    had_store: bool
    report: CompactionReport | None


def erase(settings: Settings, visitor: str) -> Erased:
    """Forgets a visitor in the fast store and in the archive.

    Raises:
        AuguryError: the store cannot be reached, or the archive cannot be read or written; do it again then.
    """
    with _store_url(settings) as url:
        forgotten = asyncio.run(_forget(settings, url, visitor))
    try:
        report = compact_once(settings)
    except BusyError:
        report = None
    return Erased(forgotten, url is not None, report)


async def _forget(settings: Settings, url: str | None, visitor: str) -> Forgotten:
    if url is None:
        return await forget_visitor(None, settings.archive, visitor, clock_us())
    store = RecentEventsStore(url, recent_rules(settings), timeout_seconds=10.0)
    try:
        return await forget_visitor(store, settings.archive, visitor, clock_us())
    finally:
        await store.close()


@contextmanager
def _store_url(settings: Settings) -> Iterator[str | None]:
    """Yields where the fast store is: as set, or the embedded one, started if need be; None if there is none."""
    folder = settings.state_dir / "store"
    if settings.redis_url is not None:
        yield settings.redis_url
    elif not folder.is_dir():
        yield None
    elif _answers(EmbeddedStore(folder).url):
        yield EmbeddedStore(folder).url
    else:
        with EmbeddedStore(folder) as store:
            yield store.url


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
