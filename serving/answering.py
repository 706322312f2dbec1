"""What a worker answers predictions with, opened and closed as one: models, scorer and log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from features.recent_events import RecentRules
from serving.models import ModelShelf
from serving.prediction_log import PredictionLog
from serving.scoring import Scorer
from serving.state import Services


@asynccontextmanager
async def open_answering(services: Services, rules: RecentRules) -> AsyncIterator[None]:
    """Gives the services their models, scorer and prediction log, if a registry is set, and closes them afterwards.

    Args:
        services: with the archive open; ``models``, ``scorer`` and ``prediction_log`` are set.
        rules: what the fast store keeps.
    """
    settings, counted_in = services.settings, services.metrics.registry
    if settings.registry is None:
        yield
        return
    shelf = ModelShelf(
        settings.registry, settings.models, settings.model_poll_seconds, rules=rules, counted_in=counted_in
    )
    log = PredictionLog(services.archive, settings.prediction_log_share, counted_in=counted_in)
    scorer = Scorer()
    services.models, services.scorer, services.prediction_log = shelf, scorer, log
    try:
        await log.start()
        await shelf.start()
        yield
    finally:
        await shelf.close()
        await scorer.close()
        await log.close()
