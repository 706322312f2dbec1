"""What the pages about models show, read from the registry; for a thread, since a registry may be far away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from features.errors import AuguryError
from features.fingerprinted import DATASET_CARD
from models.gates import Thresholds, flat_numbers, lower_is_better
from models.manifest import Manifest
from models.overview import MODEL_CARD, days_of, examples_of, lines_about, main_metrics, mapping, read_json_of, standing
from models.registry import Champion, Registry
from models.versions import UnknownModelError

MOST_VERSIONS = 50
"""Versions that a page shows, the newest."""

MOST_HISTORY = 200
"""Lines of a history that a page shows, the newest."""

_EVALUATION = "evaluation.json"
_MOST_EVALUATION = 16 << 20
_ABOUT = ("generator", "code_version", "seconds", "simulated", "device", "encoder")


@dataclass(frozen=True)
class VersionRow:
    """A version in a table.

    Attributes:
        version: its name.
        created_at_us: when it was published.
        standing: champion, predecessor, pinned, being removed.
        days: first and last day of its data, empty where that has no time.
        metrics: the family's main ones; None where it has none.
    """

    version: str
    created_at_us: int
    standing: tuple[str, ...]
    days: str
    metrics: Mapping[str, float | None]


@dataclass(frozen=True)
class ModelView:
    """A model with its newest versions, newest first.

    Attributes:
        family: of the model.
        name: of the model.
        champion: who it is and how that came about; None while there is none.
        rows: its versions.
        wanted: names of the main metrics.
        left_out: how many older versions are not shown.
        problem: why nothing can be shown of it; empty where something can.
    """

    family: str
    name: str
    champion: Champion | None
    rows: Sequence[VersionRow]
    wanted: Sequence[str]
    left_out: int
    problem: str = ""

    @property
    def crowned(self) -> VersionRow | None:
        """The champion's row; None where it is not among those shown."""
        return next((row for row in self.rows if "champion" in row.standing), None)

    def course(self, metric: str) -> list[float]:
        """Returns a metric of the versions that have it, oldest first."""
        return [found for row in reversed(self.rows) if (found := row.metrics.get(metric)) is not None]


@dataclass(frozen=True)
class VersionView:
    """All about one version.

    Attributes:
        manifest: what it consists of.
        champion: of its model, as in ``ModelView``.
        standing: as in ``VersionRow``.
        card: its model card.
        data: the card of its data; empty where there is none.
        days: as in ``VersionRow``.
        metrics: all of them, sorted by name.
        limits: metric -> what the gates say of it, in words.
        evaluation: curves, segments and slices; empty where there are none.
        lines: of the history, those about it, newest first.
        about: further facts as (name, text).
    """

    manifest: Manifest
    champion: Champion | None
    standing: tuple[str, ...]
    card: Mapping[str, Any]
    data: Mapping[str, Any]
    days: str
    metrics: Sequence[tuple[str, float]]
    limits: Mapping[str, str]
    evaluation: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    about: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class MetricPair:
    """A metric of two versions; ``better`` says which has the better value, 0 for neither."""

    metric: str
    first: float | None
    second: float | None
    better: int

    @property
    def difference(self) -> float | None:
        """Second less first."""
        return None if self.first is None or self.second is None else self.second - self.first


def read_models(registry: Registry, families: Sequence[str], most: int) -> list[ModelView]:
    """Returns the models of some families that have versions; one that cannot be read says why, and hides no other.

    Raises:
        AuguryError: the registry cannot be listed.
    """
    found = []
    for family, name in [(each, name) for each in families for name in registry.names(each)]:
        try:
            if registry.versions(family, name):
                found.append(read_model(registry, family, name, most))
        except AuguryError as e:
            found.append(ModelView(family, name, None, [], main_metrics(family), 0, str(e)))
    return found


def read_model(registry: Registry, family: str, name: str, most: int = MOST_VERSIONS) -> ModelView:
    """Returns a model and its newest versions.

    Raises:
        UnknownModelError: there is no such model.
        AuguryError: the registry cannot be read.
    """
    versions = registry.versions(family, name)
    champion = registry.champion(family, name)
    if not versions and champion is None:
        raise UnknownModelError(f"there is no {family}/{name} in this registry; go back to the list of models")
    wanted = main_metrics(family)
    shown = list(reversed(versions))[:most]
    if champion is not None and champion.version in versions and champion.version not in shown:
        shown.append(champion.version)
    rows = [_row(registry, registry.manifest(family, name, version), champion, wanted) for version in shown]
    return ModelView(family, name, champion, rows, wanted, len(versions) - len(rows))


def read_version(registry: Registry, family: str, name: str, version: str) -> VersionView:
    """Returns all about one version.

    Raises:
        UnknownModelError: there is no such version.
        AuguryError: the registry cannot be read, or a file of it was changed.
    """
    manifest = registry.manifest(family, name, version)
    champion = registry.champion(family, name)
    card, data = _json(registry, manifest, MODEL_CARD), _json(registry, manifest, DATASET_CARD)
    lines = lines_about(version, read_history(registry, family, name))
    return VersionView(
        manifest=manifest,
        champion=champion,
        standing=standing(version, champion),
        card=card,
        data=data,
        days=days_of(data),
        metrics=sorted(flat_numbers(mapping(card.get("metrics"))).items()),
        limits=_limits(family),
        evaluation=_json(registry, manifest, _EVALUATION),
        lines=lines,
        about=_about(manifest, card, data),
    )


def read_history(registry: Registry, family: str, name: str) -> list[dict[str, Any]]:
    """Returns what happened to a model, newest first."""
    return list(reversed(registry.history(family, name)))[:MOST_HISTORY]


def compare(registry: Registry, family: str, name: str, first: str, second: str) -> list[MetricPair]:
    """Returns the metrics of two versions, as their model cards give them.

    Raises:
        UnknownModelError: there is no such version.
        AuguryError: the registry cannot be read, or a file of it was changed.
    """
    cards = [_json(registry, registry.manifest(family, name, version), MODEL_CARD) for version in (first, second)]
    one, two = (flat_numbers(mapping(card.get("metrics"))) for card in cards)
    return [
        MetricPair(metric, one.get(metric), two.get(metric), _better(metric, one.get(metric), two.get(metric)))
        for metric in sorted(one.keys() | two.keys())
    ]


def _limits(family: str) -> dict[str, str]:
    limits = Thresholds.of(family)
    found = {metric: f"at least {value:g}" for metric, value in limits.at_least.items()}
    found |= {metric: f"at most {value:g}" for metric, value in limits.at_most.items()}
    if limits.max_ece is not None:
        found[limits.ece_metric] = f"at most {limits.max_ece:g}"
    for metric, margin in limits.margins.items():
        words = f"no more than {margin:g} worse than the champion's"
        found[metric] = f"{found[metric]}; {words}" if metric in found else words
    return found


def _row(registry: Registry, manifest: Manifest, champion: Champion | None, wanted: Sequence[str]) -> VersionRow:
    metrics = flat_numbers(mapping(_json(registry, manifest, MODEL_CARD).get("metrics")))
    return VersionRow(
        manifest.version,
        manifest.created_at_us,
        standing(manifest.version, champion),
        days_of(_json(registry, manifest, DATASET_CARD)),
        {metric: metrics.get(metric) for metric in wanted},
    )


def _json(registry: Registry, manifest: Manifest, file: str) -> Mapping[str, Any]:
    return read_json_of(registry, manifest, file, _MOST_EVALUATION)


def _about(manifest: Manifest, card: Mapping[str, Any], data: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [(key.replace("_", " "), str(card[key])) for key in _ABOUT if isinstance(card.get(key), (str, int, float))]
    return [*found, *((f"examples, {split}", f"{count:,}") for split, count in examples_of(data).items())]


def _better(metric: str, first: float | None, second: float | None) -> int:
    if first is None or second is None or first == second:
        return 0
    return 1 if (first < second) == lower_is_better(metric) else 2
