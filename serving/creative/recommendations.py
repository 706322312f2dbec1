"""What a worker recommends with: threads, limits, the log of what was asked, and what is counted."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any
from uuid import uuid4

from asgi_correlation_id import correlation_id
from prometheus_client import Counter, Gauge, Histogram

from features.fetching_policy import FetchPolicy
from features.images import ImageLimits
from serving.archive import RECOMMENDATIONS
from serving.image_questions import Made
from serving.images_in import fetch_policy
from serving.state import Services
from serving.usage_log import UsageLog
from serving.workshop import Check, Place, Workshop

_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 2.5, 5.0, 10.0, 20.0)


class Recommendations:
    """One for each worker; the limits on images are those of heatmaps.

    Attributes:
        limits: on an image.
        max_bytes: on the image file of a request.
        policy: which addresses images may be fetched from; None: from none.
        log: of what was asked.
    """

    def __init__(self, services: Services) -> None:
        settings, registry = services.settings, services.metrics.registry
        self.limits = ImageLimits(max_bytes=settings.heatmap_max_bytes, max_pixels=settings.heatmap_max_pixels)
        self.max_bytes = settings.heatmap_max_bytes
        self.policy: FetchPolicy | None = fetch_policy(settings)
        self.log = UsageLog(services.archive, RECOMMENDATIONS, settings.prediction_log_share, counted_in=registry)
        self._requests = Counter(
            "augury_recommendations", "Requests for recommendations", ("outcome",), registry=registry
        )
        self._making = Histogram(
            "augury_recommendation_seconds", "Time to make one, without waiting", registry=registry, buckets=_SECONDS
        )
        places = Gauge(
            "augury_recommendation_places",
            "Requests being answered or waiting",
            registry=registry,
            multiprocess_mode="livesum",
        )
        limits = (settings.recommend_threads, settings.recommend_queue, settings.recommend_seconds)
        self._workshop = Workshop(*limits, watch=places.set)

    async def close(self) -> None:
        """Lets what is being made be finished."""
        await self._workshop.close()

    def place(self) -> AbstractContextManager[Place]:
        """Takes a place in the workshop; see ``Workshop.place``."""
        return self._workshop.place()

    async def make(self, place: Place, job: Callable[[Check], tuple[Made, Mapping[str, bytes]]]) -> Made:
        """Has an answer made in a thread; see ``serving.image_questions.Works``."""

        def run(check: Check) -> Made:
            with self._making.time():
                return job(check)[0]

        return await place.run(run)

    def record(self, line: Mapping[str, Any]) -> None:
        """Logs and counts what became of a request; ``compaction_streams.RECOMMENDATION_SCHEMA`` has the fields."""
        self.log.record(uuid4().hex, {"request_id": correlation_id.get(), **line})
        self._requests.labels(line["outcome"]).inc()


@asynccontextmanager
async def open_recommendations(services: Services) -> AsyncIterator[Recommendations]:
    """Opens what recommendations are made with, and closes it when the block ends.

    Args:
        services: with the archive open.
    """
    found = Recommendations(services)
    try:
        await found.log.start()
        yield found
    finally:
        await found.close()
        await found.log.close()
