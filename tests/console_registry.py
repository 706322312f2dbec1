"""A registry of all families for the console: several versions, curves of many points, a history with a refusal.

    from tests.console_registry import console_registry  # a fixture; needs creative_artifact of tests.served_creative

The figures of the older versions are made up for the tests; the models are the tiny ones of the other tests.
"""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from models.gates import GateResult
from models.registry import RefusedError, Registry
from tests import served_attention, served_creative, tiny_model

DAY_US = 86_400_000_000
START_US = 1_790_000_000_000_000
VERSIONS = ((0.712, 0.014), (0.731, 0.011), (0.744, 0.008))
"""AUC and calibration error of the versions of behavior/purchase."""


def write_registry(root: Path, creative_artifact: Path, work: Path) -> None:
    """Publishes three versions of behavior/purchase, the last of them champion, and a model of each other family."""
    clock = iter(range(START_US, START_US + 100 * DAY_US, DAY_US))
    registry = Registry(root, now_us=lambda: next(clock))
    for number, figures in enumerate(VERSIONS):
        folder = behavior_version(work / f"behavior-{number}", number, *figures)
        version = registry.publish(folder, "behavior", tiny_model.NAME, "anna")
        registry.promote("behavior", tiny_model.NAME, version, _passes, f"retrained for week {number + 30}", "anna")
        if number == 0:
            refuse(registry, behavior_version(work / "behavior-bad", 9, 0.512, 0.09))
    served_attention.promote(root, served_attention.artifact(work / "attention"))
    served_creative.promote(root, creative_artifact)


def behavior_version(folder: Path, week: int, auc: float, ece: float) -> Path:
    """Copies the tiny model and gives it figures of its own."""
    shutil.copytree(tiny_model.artifact(), folder)

    def change(file: str, how: Callable[[dict[str, Any]], object]) -> None:
        content = json.loads((folder / file).read_text())
        how(content)
        (folder / file).write_text(json.dumps(content))

    figures = {"auc": auc, "auc_low": auc - 0.012, "auc_high": auc + 0.012, "ece": ece, "log_loss": 0.9 - auc * 0.6}
    start = START_US - (40 - 7 * week) * DAY_US
    change("model_card.json", lambda card: card["metrics"].update(figures))
    change("dataset_card.json", lambda card: card.update(window={"start_us": start, "end_us": start + 30 * DAY_US}))
    change("evaluation.json", lambda found: found["views"][0].update(_curves(found["views"][0], ece)))
    return folder


def refuse(registry: Registry, folder: Path) -> None:
    """Publishes a version that no gate lets through."""
    version = registry.publish(folder, "behavior", tiny_model.NAME, "anna")
    failed = GateResult("auc at least 0.55", False, "auc is 0.512, expected at least 0.55")
    with suppress(RefusedError):
        registry.promote("behavior", tiny_model.NAME, version, lambda *_: [failed], "looked promising", "ben")


@pytest.fixture(scope="session")
def console_registry(creative_artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The registry; not to be changed."""
    folder = tmp_path_factory.mktemp("console")
    write_registry(folder / "registry", creative_artifact, folder)
    return folder / "registry"


def _passes(*_: object) -> list[GateResult]:
    return [
        GateResult("auc at least 0.55", True, "auc is more than 0.7, expected at least 0.55"),
        GateResult("golden set", True, "60 of 60 predictions are identical bit for bit"),
    ]


def _curves(view: dict[str, Any], ece: float) -> dict[str, Any]:
    after = [_bucket(0.03 + 0.07 * place, (-1) ** place * ece, 900 - 80 * place) for place in range(10)]
    before = [_bucket(0.05 + 0.09 * place, -0.02 * place, 900 - 80 * place) for place in range(10)]
    view["curves"]["model"]["calibration"] = after
    return {"curves": view["curves"], "calibration_before": before}


def _bucket(predicted: float, off: float, examples: int) -> dict[str, float]:
    rate = max(0.0, predicted + off)
    half = 1.96 * (rate * (1 - rate) / examples) ** 0.5
    positives = round(rate * examples)
    low, high = max(0.0, rate - half), rate + half
    return {
        "examples": examples,
        "positives": positives,
        "predicted": predicted,
        "rate": rate,
        "low": low,
        "high": high,
    }
