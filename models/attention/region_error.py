"""How far shares of regions can be trusted: the number of effective fixations of a model, measured on real ones."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from features.attention_regions import Region, region_shares
from models.attention.metrics import MetricsError

BOXES = 20
_SMALLEST, _LARGEST = 0.1, 0.6
_MOST = 100_000


def effective_fixations(
    pairs: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]], *, boxes: int = BOXES, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Returns for how many fixations a model's shares stand, and how often the intervals of that number hold.

    Random boxes, a tenth to six tenths of the image wide and high, are laid on each image. With a predicted share s and
    the share t of the real density, the number n solves ``sum((t - s)^2) = sum(s (1 - s)) / n``: n independent
    fixations drawn from a perfect map would miss by as much. Half of the images give n, the other half the coverage,
    which for intervals that can be trusted is near ``level``.

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
    spread: list[float] = []
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
            spread += [float(np.sum((real - said) ** 2)), float(np.sum(said * (1 - said)))]
    if not kept:
        raise MetricsError(f"{len(spread) // 2} images; expected at least two, one to fit and one to judge")
    squared, variance = sum(spread[::2]), sum(spread[1::2])
    number = int(np.clip(round(variance / squared), 1, _MOST)) if squared > 0 else _MOST
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
