"""A running service of which a test can see all that it keeps: Redis, and the archive as pipelines read it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from features.recent_rows import decode_events
from features.recent_rules import Recent, RecentRules
from serving.compaction import compact
from serving.store import RecentEventsStore
from tests.real_redis import RedisServer
from tests.running_service import Service
from tests.spooled import rows_of


@dataclass
class Collected:
    """A running service and the Redis that it stores in."""

    service: Service
    redis: RedisServer

    @property
    def url(self) -> str:
        return self.service.url

    def stored(self, visitor: str) -> list[dict[str, Any]]:
        """Returns a visitor's events in Redis, oldest first."""

        async def ask() -> Recent:
            store = RecentEventsStore(self.redis.url, RecentRules())
            try:
                return await store.recent(visitor)
            finally:
                await store.close()

        recent = asyncio.run(ask())
        return decode_events(recent.rows, [recent.visitor] * len(recent.rows)).to_pylist()

    def archived(self) -> list[dict[str, Any]]:
        """Ends the service and returns all rows of its archive."""
        assert self.service.stop() == 0
        archive = self.service.folder / "archive"
        compact(self.service.folder / "spool", str(archive))
        return rows_of(archive)
