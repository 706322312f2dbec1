"""How far shares of regions can be trusted: the number of effective fixations of a model, measured on real ones."""

from collections.abc import Iterable
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from features.attention_regions import Region, region_shares
from models.attention.metrics import MetricsError

BOXES = 20
_SMALLEST, _LARGEST = 0.1, 0.6
_MOST = 100_000
_LEAST_VARIANCE = 1e-12


def effective_fixations(
    pairs: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]], *, boxes: int = BOXES, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Returns for how many fixations a model's shares stand, and how often the intervals of that number hold.

    Random boxes, a tenth to six tenths of the image wide and high, are laid on each image. With a predicted share s and
    the share t of the real density, ``z = abs(t - s) / sqrt(s (1 - s))`` would be less than ``u / sqrt(n)`` in a share
    ``level`` of boxes, had n fixations been drawn from a perfect map (u is the normal quantile, 1.96 for 0.95). The
    number n is the one that makes it so. Every other image gives n, the rest judge its intervals.

    Args:
        pairs: (predicted map, true density), each (H, W), at least two.
        boxes: on each image.
        level: of the intervals.
        seed: of the boxes and intervals.

    Returns:
        ``effective_fixations``, ``coverage``, ``level``, ``mean_error`` (the mean of abs(t - s)), ``boxes``.

    Raises:
        MetricsError: fewer than two images.
    """
    rng = np.random.default_rng(seed)
    kept: list[tuple[npt.ArrayLike, list[Region], npt.NDArray[np.float64]]] = []
    distances: list[float] = []
    errors: list[float] = []
    for index, (predicted, truth) in enumerate(pairs):
        height, width = np.asarray(predicted).shape
        regions = [_box(str(number), width, height, rng) for number in range(boxes)]
        said = np.array([share.share for share in region_shares(predicted, regions, effective_fixations=1)])
        real = np.array([share.share for share in region_shares(truth, regions, effective_fixations=1)])
        errors += np.abs(real - said).tolist()
        if index % 2:
            kept.append((predicted, regions, real))
        else:
            deviation = np.sqrt(np.maximum(said * (1 - said), _LEAST_VARIANCE))
            distances += (np.abs(real - said) / deviation).tolist()
    if not kept:
        raise MetricsError(f"{len(errors) // boxes} images; expected at least two, one to fit and one to judge")
    far = float(np.quantile(distances, level))
    bound = NormalDist().inv_cdf((1 + level) / 2)
    number = int(np.clip(round((bound / far) ** 2), 1, _MOST)) if far > 0 else _MOST
    held = [
        share.low <= t <= share.high
        for predicted, regions, real in kept
        for share, t in zip(
            region_shares(predicted, regions, effective_fixations=number, level=level, seed=seed), real, strict=True
        )
    ]
    return {
        "effective_fixations": number,
        "coverage": float(np.mean(held)),
        "level": level,
        "mean_error": float(np.mean(errors)),
        "boxes": len(errors),
    }


def _box(name: str, width: int, height: int, rng: np.random.Generator) -> Region:
    wide, high = (rng.uniform(_SMALLEST, _LARGEST) * size for size in (width, height))
    return Region(name, rng.uniform(0, width - wide), rng.uniform(0, height - high), wide, high)
