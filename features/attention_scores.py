"""What an attention map says in numbers: hottest points, focus, what is above the fold, what moved.

A map is (H, W), not negative, with some attention in it; only its proportions matter. Positions are in pixels of the
map, pixel i covering [i, i + 1).
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError

Map = npt.NDArray[np.float64]


class AttentionScoreError(AuguryError, ValueError):
    """A region, a map or an option that cannot be."""


class HotPoint(NamedTuple):
    """A local maximum: its pixel's centre, and the share of attention within the radius."""

    x: float
    y: float
    share: float


def hottest_points(attention: npt.ArrayLike, count: int = 5, radius_px: float = 24.0) -> list[HotPoint]:
    """Returns up to ``count`` maxima, hottest first, each further than ``radius_px`` from those before it.

    What lies within the radius of a point found is out of the search, so that one broad hot area does not fill
    the list; ``share`` is what this point newly covers, so shares may be added up.
    """
    if count < 1 or radius_px <= 0:
        raise AttentionScoreError(f"count {count} and radius_px {radius_px}; expected at least 1 and above 0")
    left = as_density(attention)
    width = left.shape[1]
    found: list[HotPoint] = []
    while len(found) < count and left.max() > 0:
        row, column = divmod(int(left.argmax()), width)
        reach = math.ceil(radius_px)
        top, start = max(row - reach, 0), max(column - reach, 0)
        near = left[top : row + reach + 1, start : column + reach + 1]
        rows, columns = np.ogrid[top : top + near.shape[0], start : start + near.shape[1]]
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius_px**2
        found.append(HotPoint(column + 0.5, row + 0.5, float(near[disc].sum())))
        near[disc] = 0
    return found


def focus_score(attention: npt.ArrayLike) -> float:
    """Returns how concentrated the attention is, 0 (even over the image) to 100 (all in one place).

    ``100 * (1 - exp(H) / N)`` with the entropy ``H = -sum(p ln p)`` of the density p over N pixels. exp(H), the
    perplexity, is the number of pixels that evenly spread attention of the same entropy would cover; a score of 80
    says that attention covers as much as a fifth of the image would. Finer pixels change neither side of the fraction.
    """
    density = as_density(attention)
    held = density[density > 0]
    entropy = -float(np.sum(held * np.log(held)))
    return float(np.clip(100 * (1 - math.exp(entropy) / density.size), 0, 100))


def above_the_fold(attention: npt.ArrayLike, fold_px: float) -> float:
    """Returns the share of attention in the first ``fold_px`` pixels from the top; 1 for images that are no longer."""
    density = as_density(attention)
    if not fold_px > 0:
        raise AttentionScoreError(f"fold_px is {fold_px}; expected the height of the first screen, above 0")
    if fold_px >= density.shape[0]:
        return 1.0  # and not a rounding less
    return float(np.clip(covered(0.0, fold_px, density.shape[0]) @ density.sum(axis=1), 0, 1))


def difference(before: npt.ArrayLike, after: npt.ArrayLike) -> tuple[npt.NDArray[np.float32], float]:
    """Returns density ``after`` less density ``before``, float32 (H, W), and how much attention moved, 0 to 1.

    What moved is the total variation distance, half the sum of absolute differences: the least share of attention
    that has to go elsewhere to make one map the other.

    Raises:
        AttentionScoreError: maps of different sizes.
    """
    old, new = as_density(before), as_density(after)
    if old.shape != new.shape:
        raise AttentionScoreError(f"maps of {old.shape} and {new.shape}; expected one size, so resize one image")
    change = new - old
    return change.astype(np.float32), float(np.abs(change).sum() / 2)


def as_density(attention: npt.ArrayLike) -> Map:
    """Returns the map as float64 (H, W), sum 1.

    Raises:
        AttentionScoreError: not two-dimensional, not finite, negative somewhere, or zero everywhere.
    """
    values = np.array(attention, np.float64)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all() or values.min() < 0 or not values.any():
        raise AttentionScoreError(
            f"a map of shape {values.shape}; expected (H, W), finite, none negative, some attention in it"
        )
    values /= values.max()  # so that the sum of very small or large values stays in range
    return np.asarray(values / values.sum())


def covered(start: float, stop: float, size: int) -> Map:
    """Returns how much of each pixel of a line [start, stop) covers, float64 (size,), 0 to 1."""
    places = np.arange(size, dtype=np.float64)
    return np.asarray(np.clip(np.minimum(places + 1, stop) - np.maximum(places, start), 0, 1))
