"""What a running app holds, for its routes: ``request.app.state.services``."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import Request

from features.cleaning import CleaningRules
from serving.metrics import Metrics
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.ingest import Ingest


@dataclass
class Services:
    """Everything that a request may need; one for each worker.

    Attributes:
        settings: as loaded.
        metrics: what is counted; register further metrics with ``metrics.registry``.
        store: ``serving.store.RecentEventsStore``.
        archive: ``serving.archive.Archive``.
        ingest: takes events; ``await ingest.accept(messages)``.
        catch_up: ``serving.catch_up.CatchUp``, or None where the archive leaves no local files.
        shelves: ``serving.models.ModelShelf`` of each family that is served, by its name; empty without a registry.
        scorer: what answers with the models of ``behavior``, or None.
        explainer: what explains their predictions, or None.
        prediction_log: where predictions are logged, or None.
        heatmaps: ``serving.attention.heatmaps.Heatmaps``, or None where ``attention`` is not served.
        recommendations: ``serving.creative.recommendations.Recommendations``, or None where ``creative`` is not served.
        cleaning: which events no visitor made.
    """

    settings: Settings
    metrics: Metrics
    store: Any
    archive: Any
    ingest: "Ingest"
    catch_up: Any = None
    shelves: dict[str, Any] = field(default_factory=dict)
    scorer: Any = None
    explainer: Any = None
    prediction_log: Any = None
    heatmaps: Any = None
    recommendations: Any = None
    cleaning: CleaningRules = field(default_factory=CleaningRules)


def services(request: Request) -> Services:
    """Returns the app's services; a dependency."""
    found: Services = request.app.state.services
    return found
