"""A registry with a model of a simulated shop in it, for benchmarks of what answers with it, not of how well."""

from pathlib import Path
from typing import NamedTuple

from augury.simulator import SimulationOptions, simulate
from benchmarks.shop_messages import NO_TROUBLE
from benchmarks.trained import train
from models.gates import GateResult
from models.registry import Registry
from pipelines.behavior_examples import make_examples
from pipelines.behavior_recipe import ExamplesOptions

_VISITORS = 20_000


class Published(NamedTuple):
    """Where everything is.

    Attributes:
        events: pattern of the shop's events, Parquet.
        model: folder of the artifact.
        registry: root of the registry, in which the model is the champion of ``behavior/purchase``.
    """

    events: str
    model: Path
    registry: str


def publish_model(scratch: Path) -> Published:
    """Simulates a shop, trains a model of the default size for two epochs, and makes it the champion unjudged."""
    made = simulate(SimulationOptions(str(scratch / "shop"), _VISITORS, format="parquet", trouble=NO_TROUBLE))
    make_examples(ExamplesOptions((made.events,), str(scratch / "examples"), adapter="canonical"))
    train(scratch / "examples", scratch / "model", 0, "--max-epochs=2")
    registry = Registry(scratch / "registry")
    version = registry.publish(scratch / "model", "behavior", "purchase")
    registry.promote("behavior", "purchase", version, lambda _, __: [GateResult("benchmark", True, "not judged")])
    return Published(made.events, scratch / "model", str(scratch / "registry"))
