"""OSIE from raw files to a scored model; shared by the benchmarks of the attention model.

Scores are those of the protocol: maps of 800 x 600 pixels, fixations as they are, densities of sigma 24 pixels.
"""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attention_metrics import MAPS, OSIE, map_scores, read_osie
from benchmarks.trained import TrainingFailedError
from features.images import decode_image
from models.attention.predictor import Predictor
from models.processes import run_module
from pipelines.attention_examples import make_attention_examples
from pipelines.attention_options import AttentionExamplesOptions

WEIGHTS = OSIE.parents[1] / "weights" / "mobilenet_v2-b0353104.pth"

_SETS = """\
[[set]]
name = "osie"
images = "{folder}/images"
split = "{folder}/split.csv"
drop_first = true
sigma_px = 24

[[set.gaze]]
path = "{folder}/fixations.csv.gz"
method = "eye"
"""
_CURSOR = """
[[set.gaze]]
path = "{folder}/mouse_contingent.csv.gz"
method = "mouse_samples"
sample_ms = 20
"""


def make_osie_examples(folder: Path, *, cursor: bool = False, width: int = 320, height: int = 240) -> Path:
    """Returns the folder of OSIE's examples, made if it is not there.

    Args:
        folder: where examples are kept.
        cursor: merge what the mouse-contingent viewers looked at into the training maps.
        width: of the model's input, pixels.
        height: likewise.
    """
    name = f"examples-{width}x{height}{'-cursor' if cursor else ''}"
    output = folder / name
    if not output.exists():
        folder.mkdir(parents=True, exist_ok=True)
        sets = folder / f"{name}.toml"
        sets.write_text((_SETS + _CURSOR * cursor).format(folder=OSIE.resolve()), encoding="utf-8")
        make_attention_examples(
            AttentionExamplesOptions(sets=str(sets), output=str(output), width=width, height=height)
        )
    return output


def train_osie(examples: Path, output: Path, flags: Sequence[str]) -> dict[str, Any]:
    """Returns the model card of an artifact trained as ``augury train attention`` does; one that is there is kept.

    Raises:
        TrainingFailedError: training ended with an error.
    """
    if not output.exists():
        weights = [] if "--encoder=plain" in flags else [f"--encoder-weights={WEIGHTS}"]
        arguments = [f"--examples={examples}", f"--output={output}", "--resume", *weights, *flags]
        code = run_module("models.attention.train", arguments)
        if code:
            raise TrainingFailedError(f"training of {output.name} ended with exit code {code}")
        shutil.rmtree(f"{output}.work", ignore_errors=True)
    card: dict[str, Any] = json.loads((output / "model_card.json").read_bytes())
    return card


def osie_scores(artifact: Path, which: str = "test", *, mirror: bool = False) -> dict[str, list[float]]:
    """Returns, for each of the protocol's metrics, the score of every image of a split, in the order of their names.

    Args:
        artifact: of the model.
        which: the split.
        mirror: take the mean of the maps of the image and of its mirror image.
    """
    predictor = Predictor.load(artifact)
    gaze, split = read_osie()
    names = sorted(name for name in split if split[name] == which)
    found: dict[str, list[float]] = {metric: [] for metric in MAPS}
    for name in names:
        image = decode_image((OSIE / "images" / name).read_bytes())
        attention = predictor.predict(image)
        if mirror:
            attention = (attention + predictor.predict(np.ascontiguousarray(image[:, ::-1]))[:, ::-1]) / 2
        for metric, value in map_scores(attention, gaze[name], gaze[name].density()).items():
            found[metric].append(value)
    return found


def means(scores: dict[str, list[float]]) -> dict[str, float]:
    """Returns the mean of each metric."""
    return {metric: float(np.mean(values)) for metric, values in scores.items()}
