"""What a worker answers with, opened and closed as one: the models of each family, what runs them, and the logs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from prometheus_client import Counter

from features.recent_events import RecentRules
from serving.archive import PREDICTIONS
from serving.behavior_models import behavior_family
from serving.explanations import Explainer
from serving.models import Family, Loaded, ModelShelf, loads_counter
from serving.scoring import Scorer
from serving.state import Services
from serving.usage_log import UsageLog

M = TypeVar("M", bound=Loaded)


@asynccontextmanager
async def open_answering(services: Services, rules: RecentRules) -> AsyncIterator[None]:
    """Gives the services their shelves and what uses them, if a registry is set, and closes them afterwards.

    Args:
        services: with the archive open; ``shelves``, ``scorer``, ``explainer``, ``prediction_log``, ``heatmaps``
            and ``recommendations`` are set.
        rules: what the fast store keeps.
    """
    settings, counted_in = services.settings, services.metrics.registry
    if settings.registry is None:
        yield
        return
    loads = loads_counter(counted_in)
    async with AsyncExitStack() as stack:
        if settings.names_of("behavior") is not None:
            share = settings.prediction_log_share
            log = UsageLog(services.archive, PREDICTIONS, share, counted_in=counted_in)
            stack.push_async_callback(log.close)
            await log.start()
            scorer = Scorer()
            stack.push_async_callback(scorer.close)
            explainer = Explainer(
                settings.explain_queue, settings.explain_seconds, lambda: scorer.waiting, counted_in=counted_in
            )
            stack.push_async_callback(explainer.close)
            services.scorer, services.explainer, services.prediction_log = scorer, explainer, log
            await _open_shelf(stack, services, behavior_family(rules), loads)
        if settings.names_of("attention") is not None:
            from serving.attention.heatmaps import open_heatmaps
            from serving.attention.loaded import attention_family

            services.heatmaps = await stack.enter_async_context(open_heatmaps(services))
            family = attention_family(settings.heatmap_model_threads, settings.heatmap_device)
            await _open_shelf(stack, services, family, loads)
        if settings.names_of("creative") is not None:
            from serving.creative.recommendations import open_recommendations

            services.recommendations = await stack.enter_async_context(open_recommendations(services))
            await _open_creative(stack, services, loads)
        yield


async def _open_creative(stack: AsyncExitStack, services: Services, loads: Counter) -> None:
    from models.creative.brand_rules import BrandRuleError, BrandRules
    from serving.creative.loaded import CreativeLoader

    settings = services.settings
    rules = BrandRules() if settings.recommend_rules is None else BrandRules.read(settings.recommend_rules)
    loader = CreativeLoader(rules, settings.recommend_max_distance, settings.recommend_model_threads)
    await _open_shelf(stack, services, loader.family, loads)
    if loader.refused:  # a rule that does nothing is one that nobody notices: better no service
        raise BrandRuleError(f"AUGURY_RECOMMEND_RULES does not fit {loader.refused[0]}")


async def _open_shelf(stack: AsyncExitStack, services: Services, family: Family[M], loads: Counter) -> None:
    settings = services.settings
    assert settings.registry is not None
    names = settings.names_of(family.name) or ()
    shelf = ModelShelf(settings.registry, family, names, settings.model_poll_seconds, loads=loads)
    stack.push_async_callback(shelf.close)
    await shelf.start()
    services.shelves[family.name] = shelf
