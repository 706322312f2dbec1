"""Puts a worker's services together, and takes them apart in the order that loses nothing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from features.cleaning_file import read_cleaning_rules
from features.errors import AuguryError
from features.recent_events import RecentRules
from serving.answering import open_answering
from serving.archive import Archive, SpoolArchive
from serving.catch_up import CatchUp
from serving.ingest import Ingest
from serving.metrics import Metrics
from serving.settings import Settings, SettingsError
from serving.state import Services
from serving.store import RecentEventsStore, StoreUnavailableError

_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


@asynccontextmanager
async def open_services(settings: Settings, metrics: Metrics) -> AsyncIterator[Services]:
    """Opens archive, store, ingest, models and logs; closes them when the block ends.

    Raises:
        AuguryError: something that the settings name cannot be opened.
    """
    cleaning = read_cleaning_rules(settings.cleaning)
    async with AsyncExitStack() as stack:
        store = RecentEventsStore(store_url(settings), recent_rules(settings))
        stack.push_async_callback(store.close)
        archive, catch_up = _open_archive(settings)
        stack.push_async_callback(archive.close)
        await store.ping()
        ingest = Ingest(
            archive=archive,
            store=store,
            catch_up=catch_up,
            metrics=metrics,
            cleaning=cleaning,
            queue_events=settings.queue_events,
        )
        await ingest.start()
        stack.push_async_callback(ingest.close)
        services = Services(settings, metrics, store, archive, ingest, catch_up, cleaning=cleaning)
        stack.push_async_callback(_cancel, asyncio.create_task(_catch_up(services), name="catch up"))
        await stack.enter_async_context(open_answering(services, store.rules))
        yield services


def recent_rules(settings: Settings) -> RecentRules:
    """Returns what the settings say about the fast store.

    Raises:
        RecentEventsError: an impossible value.
    """
    return RecentRules(
        count=settings.store_events,
        max_age_days=settings.store_days,
        types=settings.store_types,
        dedup_seconds=settings.dedup_seconds,
    )


def store_url(settings: Settings) -> str:
    """Returns where the fast store is.

    Raises:
        SettingsError: nowhere; ``augury serve`` starts an embedded one and sets ``REDIS_URL`` for its workers.
    """
    if not settings.redis_url:
        raise SettingsError("REDIS_URL is not set; name a Redis server, or start the service with: augury serve")
    return settings.redis_url


def _open_archive(settings: Settings) -> tuple[Archive, CatchUp | None]:
    if settings.pubsub_topic:
        from serving.pubsub_archive import PubSubArchive

        return PubSubArchive(settings.pubsub_topic), None
    spool = SpoolArchive(settings.spool, rotate_seconds=settings.spool_rotate_seconds, fsync=settings.spool_fsync)
    return spool, CatchUp(settings.spool / "behind")


async def _catch_up(services: Services) -> None:
    """Brings the fast store up to date whenever it is back; one of the workers does it for all."""
    catch_up, store, metrics = services.catch_up, services.store, services.metrics
    while True:
        if store.available:
            await store.ping()  # nobody else may ask it for a long time, and /readyz has to know
        metrics.store_up.set(int(store.available))
        if catch_up is not None and store.available and catch_up.pending:
            try:
                pushed = await catch_up.replay(store)
                metrics.caught_up.inc(pushed)
                if pushed:
                    _log.info("the fast store caught up with %d events", pushed)
            except StoreUnavailableError:
                _log.warning("the fast store went away again while it was catching up")
            except (AuguryError, OSError) as e:
                _log.error("the fast store cannot catch up: %s", e)
        await asyncio.sleep(_LOOK_SECONDS)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
