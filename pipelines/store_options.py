"""Where the recent events that a pipeline writes go, from what its options say."""

import os

from features.errors import AuguryError
from features.recent_events import RecentEventsError, RecentRules
from transforms.recent_store import StoreOptions, check_url


class StoreOptionError(AuguryError, ValueError):
    """An option about the fast store that cannot be."""


def make_store(
    redis_url: str | None,
    *,
    count: int,
    max_age_days: float,
    types: tuple[str, ...],
    namespace: str,
    link_visitors: bool = True,
) -> StoreOptions:
    """Returns where recent events go; without a URL, that of the environment's ``REDIS_URL``.

    No message is marked as seen: the marks are for the service, which sets them itself.

    Raises:
        StoreOptionError: no URL, or rules that cannot be.
        StoreUrlError: a URL that names no Redis.
    """
    url = redis_url or os.environ.get("REDIS_URL")
    if not url:
        raise StoreOptionError("no Redis to write recent events to; give redis_url or set REDIS_URL")
    check_url(url)
    try:
        rules = RecentRules(
            count=count,
            max_age_days=max_age_days,
            types=types,
            dedup_seconds=0,
            link_visitors=link_visitors,
            namespace=namespace,
        )
    except RecentEventsError as e:
        raise StoreOptionError(f"store: {e}") from e
    return StoreOptions(url, rules)
