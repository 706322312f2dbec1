"""``python -m models.attention.rescore``: a champion's figures on the test images of a candidate."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.storage import read_bytes
from models.attention.evaluation import METRICS, MODEL, paired_interval
from models.rescored import Change, Rescored, RescoreError, SliceChange, rescore_command

SLICED = "cc"
"""The figure that slices are compared by: a share of what people did, and of every map the same range."""

_FEWEST = 10
_LEVEL = 0.95


def compare(champion: Mapping[str, Any], candidate: Mapping[str, Any]) -> Rescored:
    """Compares what ``models.attention.evaluation.evaluate`` found of two models on the same images.

    Intervals are bootstrap intervals of the mean of the differences, image by image.

    Raises:
        RescoreError: the images are not the same.
    """
    theirs, ours = (_scores(evaluation) for evaluation in (champion, candidate))
    if theirs.keys() != ours.keys():
        odd = sorted(theirs.keys() ^ ours.keys())
        raise RescoreError(
            f"{len(odd)} images were judged of one model only, the first {odd[0]}; judge both on the same examples"
        )
    rng = np.random.default_rng(0)
    changes = {}
    for metric in METRICS:
        gaps = [ours[name][metric] - scores[metric] for name, scores in theirs.items() if metric in scores]
        if len(gaps) == len(theirs) and metric in champion["metrics"]:
            changes[metric] = Change(*paired_interval(np.array(gaps), rng, _LEVEL))
    return Rescored(dict(champion["metrics"]), changes, tuple(_slices(champion, theirs, ours, rng)))


def _slices(
    champion: Mapping[str, Any],
    theirs: Mapping[str, Mapping[str, float]],
    ours: Mapping[str, Mapping[str, float]],
    rng: np.random.Generator,
) -> Iterator[SliceChange]:
    parts: dict[str, list[str]] = {}
    for row in champion["images"]:
        for by in ("set", "kind"):
            parts.setdefault(f"{by} {row[by]}", []).append(row["image"])
    judged = {name: images for name, images in parts.items() if len(images) >= _FEWEST}
    level = 1 - (1 - _LEVEL) / max(len(judged), 1)
    for name, images in judged.items():
        before, after = (np.array([scores[image][SLICED] for image in images]) for scores in (theirs, ours))
        change = Change(*paired_interval(after - before, rng, level))
        yield SliceChange(name, len(images), float(before.mean()), float(after.mean()), change)


def _scores(evaluation: Mapping[str, Any]) -> dict[str, Mapping[str, float]]:
    try:
        return {row["image"]: row["scores"][MODEL] for row in evaluation["images"]}
    except (KeyError, TypeError) as e:
        raise RescoreError(f"an evaluation.json says nothing of its images ({e!r}); train again") from e


def rescore(champion: Path, candidate: Path, examples: str) -> Rescored:
    """Asks a champion about the test images of a candidate and compares the two.

    Args:
        champion: folder of its version.
        candidate: folder of its version.
        examples: the candidate's; images of another size than the champion's cannot be judged by it.

    Raises:
        RescoreError: other images, or of another size.
        DatasetError, PredictorError, StorageError: one line each.
    """
    from models.attention.dataset import ExamplesFolder
    from models.attention.measuring import measure
    from models.attention.predictor import Predictor

    folder = ExamplesFolder.open(examples)
    predictor = Predictor.load(champion)
    sizes = [(spec.width, spec.height) for spec in (predictor.spec, folder.spec)]
    if sizes[0] != sizes[1]:
        raise RescoreError(
            f"the champion takes images of {sizes[0][0]}x{sizes[0][1]}, the examples {examples} are "
            f"{sizes[1][0]}x{sizes[1][1]}; make examples of the champion's size, or publish under another name"
        )
    try:
        told = json.loads(read_bytes(candidate / "evaluation.json"))
    except ValueError as e:
        raise RescoreError(f"{candidate}/evaluation.json is not JSON ({e}); train again") from e
    found = measure(predictor, folder.read("test"), folder.read("train").mean_map())
    return compare(found, told)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    return rescore_command("python -m models.attention.rescore", rescore, argv)


if __name__ == "__main__":
    sys.exit(main())
