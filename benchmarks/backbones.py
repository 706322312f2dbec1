"""The backbones of the variant recogniser side by side: ``make bench-backbones`` (about 20 minutes on two cores).

The same product photographs, epochs and seed for all, without pretrained weights: small on purpose, to set the networks
side by side and not to be good. Reported: accuracy on held-out products, in all and by kind of product; time to train
and to answer for one image; size of the graph.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, write_results
from benchmarks.product_photos import make_examples
from benchmarks.variant_accuracy import train
from models.creative.options import BACKBONES
from models.creative.recognizer import MODEL_FILE, Recognizer

LEAST_IMAGES = 100
"""Kinds of products with fewer test images are told together, as the rest."""

_ROUNDS = 60


def main() -> None:
    """Measures, and writes ``benchmarks/results/backbones.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=48, help="of photos, pixels (default 48)")
    parser.add_argument("--max-epochs", type=int, default=5, help="passes over the training images (default 5)")
    parser.add_argument("--backbones", nargs="+", default=BACKBONES, choices=BACKBONES)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="augury-bench-"))
    figures: list[Figure] = []
    try:
        make_examples(folder / "examples", given.size, test=0.2, validation=0.05)
        for backbone in given.backbones:
            flags = {"backbone": backbone, "weights": "none", "epochs": given.max_epochs, "seed": 0}
            train(folder / "examples", folder / backbone, flags)
            setting = f"{given.size} px, {given.max_epochs} epochs, from scratch"
            figures += measured(folder / backbone, backbone, setting)
    finally:
        shutil.rmtree(folder)
    write_results("backbones", figures)


def measured(artifact: Path, backbone: str, setting: str) -> Iterator[Figure]:
    """Yields the figures of one trained network."""
    card = json.loads((artifact / "model_card.json").read_text())
    evaluation = json.loads((artifact / "evaluation.json").read_text())
    whole = evaluation["overall"]
    kinds = ", ".join(f"{kind} {right / images:.4f} of {images}" for kind, right, images in by_kind(evaluation))
    text = (
        f"{backbone}, {setting}: accuracy on {whole['images']} images of {evaluation['products_judged']} held-out "
        f"products (95 % {whole['low']:.4f} to {whole['high']:.4f}); by kind of product: {kinds}"
    )
    yield Figure(f"backbone_accuracy_{backbone}", text, whole["accuracy"], "share")
    yield Figure(f"backbone_train_{backbone}", f"{backbone}, {setting}: training, whole", card["seconds"], "s")
    answer = f"{backbone}, {setting}: vectors of one image, ONNX Runtime, median of {_ROUNDS}"
    yield Figure(f"backbone_ms_{backbone}", answer, median_ms(Recognizer.load(artifact)), "ms")
    size = (artifact / MODEL_FILE).stat().st_size / 1e6
    yield Figure(f"backbone_mb_{backbone}", f"{backbone}: size of the exported graph", size, "MB")


def by_kind(evaluation: dict[str, Any]) -> list[tuple[str, int, int]]:
    """Returns (kind of product, images named rightly, images), small kinds added up."""
    rows = [(row["kind"], row["right"], row["images"]) for row in evaluation["by_kind"]]
    large = [row for row in rows if row[2] >= LEAST_IMAGES]
    small = [row for row in rows if row[2] < LEAST_IMAGES]
    return [*large, *([("the rest", sum(r for _, r, _ in small), sum(n for _, _, n in small))] if small else [])]


def median_ms(recognizer: Recognizer) -> float:
    """Returns the time to answer for one image, ms."""
    image = np.random.default_rng(0).integers(0, 256, (1, recognizer.spec.height, recognizer.spec.width, 3), np.uint8)
    times = []
    for _ in range(_ROUNDS + 5):
        started = time.perf_counter()
        recognizer.embed(image)
        times.append(time.perf_counter() - started)
    return float(np.median(times[5:]) * 1000)


if __name__ == "__main__":
    main()
