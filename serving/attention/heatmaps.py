"""What a worker makes heatmaps with: threads, limits, the log of what was asked, and what is counted."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from typing import Any
from uuid import uuid4

import cv2
from asgi_correlation_id import correlation_id
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from features.errors import AuguryError
from features.fetching_policy import FetchPolicy
from features.images import ImageLimits
from serving.archive import HEATMAPS
from serving.attention.kept_images import KeptImages
from serving.image_questions import Made
from serving.images_in import fetch_policy
from serving.state import Services
from serving.usage_log import UsageLog
from serving.workshop import Check, Place, Workshop

_SECONDS = (0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_PIXELS = (1e4, 1e5, 3e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7)

_PRUNE_SECONDS = 3600.0

_log = logging.getLogger(__name__)


class Heatmaps:
    """One for each worker.

    Attributes:
        limits: on an image.
        max_bytes: on the image files of a request together.
        policy: which addresses images may be fetched from; None: from none.
    """

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.limits = ImageLimits(max_bytes=settings.heatmap_max_bytes, max_pixels=settings.heatmap_max_pixels)
        self.max_bytes = settings.heatmap_max_bytes
        self.policy: FetchPolicy | None = fetch_policy(settings)
        registry = services.metrics.registry
        self.log = UsageLog(services.archive, HEATMAPS, settings.prediction_log_share, counted_in=registry)
        self._kept: KeptImages | None = None
        folder = settings.state_dir / "heatmap-images"
        if settings.heatmap_images_mb or folder.exists():
            self._kept = KeptImages(folder, settings.heatmap_images_mb << 20, settings.heatmap_images_days)
        self._metrics = _Metrics(registry)
        limits = (settings.heatmap_threads, settings.heatmap_queue, settings.heatmap_seconds)
        self._workshop = Workshop(*limits, watch=self._metrics.places.set)

    async def close(self) -> None:
        """Lets what is being made be finished."""
        await self._workshop.close()

    def place(self) -> AbstractContextManager[Place]:
        """Takes a place in the workshop; see ``Workshop.place``."""
        return self._workshop.place()

    async def prune(self) -> None:
        """Removes, again and again, kept images that are too old, or that the settings do not allow any more."""
        while self._kept is not None:
            try:
                await asyncio.to_thread(self._kept.prune)
            except OSError as e:
                _log.error("images that are too old cannot be removed: %s", e)
            await asyncio.sleep(_PRUNE_SECONDS)

    async def make(self, place: Place, job: Callable[[Check], tuple[Made, Mapping[str, bytes]]]) -> Made:
        """Has an answer made in a thread.

        Args:
            place: taken for it.
            job: makes the answer, and returns it with the image files by name.

        Raises:
            WorkshopError: it was not made.
            ProblemError: it cannot be.
        """

        def run(check: Check) -> Made:
            with self._metrics.making.time():
                made, files = job(check)
            self._keep(files)
            return made

        return await place.run(run)

    def record(self, line: Mapping[str, Any]) -> None:
        """Logs and counts what became of a request; ``serving.compaction_streams.HEATMAP_SCHEMA`` has the fields."""
        self.log.record(uuid4().hex, {"request_id": correlation_id.get(), **line})
        self._metrics.requests.labels(line["kind"], line["outcome"]).inc()
        if line["width"]:
            self._metrics.pixels.observe(line["width"] * line["height"])

    def _keep(self, files: Mapping[str, bytes]) -> None:
        if self._kept is None:
            return
        try:
            for data in files.values():
                self._kept.keep(hashlib.sha256(data).hexdigest(), data)
        except (AuguryError, OSError) as e:
            _log.error("an image cannot be kept: %s", e)


class _Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "augury_heatmaps", "Requests for heatmaps and comparisons", ("kind", "outcome"), registry=registry
        )
        self.making = Histogram(
            "augury_heatmap_seconds", "Time to make one, without waiting", registry=registry, buckets=_SECONDS
        )
        self.pixels = Histogram("augury_heatmap_pixels", "Pixels of what was asked", registry=registry, buckets=_PIXELS)
        self.places = Gauge(
            "augury_heatmap_places",
            "Requests being answered or waiting",
            registry=registry,
            multiprocess_mode="livesum",
        )


@asynccontextmanager
async def open_heatmaps(services: Services) -> AsyncIterator[Heatmaps]:
    """Opens what heatmaps are made with, and closes it when the block ends.

    Args:
        services: with the archive open.
    """
    cv2.setNumThreads(services.settings.heatmap_model_threads)  # of its own pool; ONNX Runtime is told by the model
    heatmaps = Heatmaps(services)
    pruning = asyncio.create_task(heatmaps.prune(), name="prune images")
    try:
        await heatmaps.log.start()
        yield heatmaps
    finally:
        pruning.cancel()
        with suppress(asyncio.CancelledError):
            await pruning
        await heatmaps.close()
        await heatmaps.log.close()
