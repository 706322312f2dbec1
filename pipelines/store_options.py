"""Where the recent events that a pipeline writes go, from what its options say."""

import os
from dataclasses import dataclass, field
from typing import Any

from features.checks import EVENT_TYPES
from features.errors import AuguryError
from features.options import option
from features.recent_events import RecentEventsError, RecentRules
from transforms.recent_store import StoreOptions, check_url


class StoreOptionError(AuguryError, ValueError):
    """An option about the fast store that cannot be."""


@dataclass(frozen=True, kw_only=True)
class RecentEventsOptions:
    """Options of every pipeline that writes visitors' recent events; each is a command-line flag of that name."""

    redis_url: str | None = field(
        default=None, repr=False, metadata={"help": "redis:// or rediss:// URL; by default that of REDIS_URL"}
    )
    store_events: int = option(200, "recent events kept of each visitor; as AUGURY_STORE_EVENTS")
    store_days: float = option(30, "days after which a recent event is dropped; as AUGURY_STORE_DAYS")
    store_types: tuple[str, ...] = option(EVENT_TYPES, "types of message kept as recent events; as AUGURY_STORE_TYPES")
    store_namespace: str = option("augury", "what the keys in Redis begin with")

    def store(self) -> StoreOptions:
        """Returns where recent events go; without a URL, that of the environment's ``REDIS_URL``.

        No message is marked as seen: the marks are for the service, which sets them itself.

        Raises:
            StoreOptionError: no URL, or rules that cannot be.
            StoreUrlError: a URL that names no Redis.
        """
        url = self.redis_url or os.environ.get("REDIS_URL")
        if not url:
            raise StoreOptionError("no Redis to write recent events to; give redis_url or set REDIS_URL")
        check_url(url)
        try:
            return StoreOptions(url, RecentRules(**self.rules()))
        except RecentEventsError as e:
            raise StoreOptionError(f"store: {e}") from e

    def rules(self) -> dict[str, Any]:
        """Returns the arguments of ``RecentRules``."""
        return {
            "count": self.store_events,
            "max_age_days": self.store_days,
            "types": self.store_types,
            "namespace": self.store_namespace,
            "dedup_seconds": 0,
        }
