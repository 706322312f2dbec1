"""What a training says of its model: the metrics of the exported graph on the test images."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from models.attention import metrics
from models.attention.dataset import Split
from models.attention.predictor import Predictor


def measure(
    predictor: Predictor, split: Split, progress: Callable[[str, int, int, str], None] = lambda *_: None
) -> dict[str, float]:
    """Returns the mean over the images of a split of NSS, AUC (all pixels), CC, SIM and KLD.

    Measured on the stored images, of the model's size, within what is image and not letterbox; NSS and AUC over the
    images that have fixations (absent where none has).

    Args:
        predictor: to measure.
        split: whose images to measure on.
        progress: told of the images done.
    """
    found: dict[str, list[float]] = {}
    for row, item in enumerate(split.stored):
        place = item.placement(split.spec)
        shown = (slice(place.top, place.top + place.height), slice(place.left, place.left + place.width))
        density, truth = predictor.density(item.image())[shown], item.map()[shown]
        scores = {
            "cc": metrics.cc(density, truth),
            "sim": metrics.sim(density, truth),
            "kld": metrics.kld(density, truth),
        }
        x, y = _inside(item.x - place.left, item.y - place.top, place.width, place.height)
        if len(x):
            scores |= {"nss": metrics.nss(density, x, y), "auc": metrics.auc(density, x, y)}
        for name, value in scores.items():
            found.setdefault(name, []).append(value)
        progress("test", row + 1, len(split), "")
    return {name: float(np.mean(values)) for name, values in found.items()}


def _inside(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], width: int, height: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return x[kept], y[kept]
