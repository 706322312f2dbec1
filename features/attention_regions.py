"""Shares of named regions in an attention map, with intervals and ranks, and how they change between two maps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features.attention_scores import AttentionScoreError, Map, as_density, covered

MOST_REGIONS = 100
EFFECTIVE_FIXATIONS = 60
"""How many fixations an interval stands for where a model does not say better; see ``region_shares``."""

_DRAWS = 2000
_KEYS = frozenset({"name", "x", "y", "width", "height"})
_ROUNDING_PX = 1e-6


@dataclass(frozen=True)
class Region:
    """A named box: ``x`` and ``y`` of its upper left corner, ``width`` and ``height``, in pixels, fractions allowed."""

    name: str
    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise AttentionScoreError(f"a region is named {self.name!r}; expected a text that is not empty")
        for key in ("x", "y", "width", "height"):
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
                raise AttentionScoreError(f"region {self.name!r}: {key} is {value!r}; expected a number of pixels")
        if self.width <= 0 or self.height <= 0:
            raise AttentionScoreError(
                f"region {self.name!r}: {self.width:g} x {self.height:g} pixels; expected both above 0"
            )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Region":
        """Returns the region of a JSON object; refuses unknown and missing keys."""
        if not isinstance(value, Mapping) or set(value) != _KEYS:
            got = sorted(value) if isinstance(value, Mapping) else type(value).__name__
            raise AttentionScoreError(f"a region with {got}; expected exactly {', '.join(sorted(_KEYS))}")
        return cls(**value)


class RegionShare(NamedTuple):
    """A region's part of all attention, with its interval, and its place among the regions (1 has most).

    ``area`` is its part of the image; ``lift`` is ``share / area``: 1 where attention is as dense as on average.
    """

    name: str
    share: float
    low: float
    high: float
    rank: int
    rank_low: int
    rank_high: int
    area: float
    lift: float


class ShareChange(NamedTuple):
    """A region's share before and after; ``apart`` says whether the two intervals have nothing in common."""

    name: str
    before: float
    after: float
    change: float
    apart: bool


def region_shares(
    attention: npt.ArrayLike,
    regions: Sequence[Region],
    *,
    effective_fixations: int = EFFECTIVE_FIXATIONS,
    level: float = 0.95,
    seed: int = 0,
) -> list[RegionShare]:
    """Returns each region's share of the attention, in the order given; regions may overlap.

    A pixel that a box covers in part counts for that part. The interval is a parametric bootstrap (Efron and
    Tibshirani, "An introduction to the bootstrap", 1993, section 6.5): ``effective_fixations`` fixations are drawn from
    the map again and again, and the middle ``level`` of the shares they show is reported, ranks likewise. It says what
    so many independent fixations would show if the map were right; a model's own number of effective fixations,
    measured against real ones, makes it cover the model's error as well. The same map, regions and seed give the
    same numbers.

    Raises:
        AttentionScoreError: no or too many regions, a name twice, a region that is not wholly on the map, or an option
            that cannot be.
    """
    density = as_density(attention)
    height, width = density.shape
    if not 1 <= len(regions) <= MOST_REGIONS:
        raise AttentionScoreError(f"{len(regions)} regions; expected 1 to {MOST_REGIONS}")
    names = [region.name for region in regions]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise AttentionScoreError(f"region {twice!r} is named twice; give each region a name of its own")
    for region in regions:
        over_x, over_y = region.x + region.width - width, region.y + region.height - height
        if min(region.x, region.y) < 0 or max(over_x, over_y) > _ROUNDING_PX:
            raise AttentionScoreError(
                f"region {region.name!r} goes from ({region.x:g}, {region.y:g}) to ({region.x + region.width:g}, "
                f"{region.y + region.height:g}); expected it inside the image of {width} x {height}"
            )
    if effective_fixations < 1 or not 0 < level < 1:
        raise AttentionScoreError(
            f"effective_fixations {effective_fixations} and level {level}; expected at least 1, and between 0 and 1"
        )
    cells, member = _cells(density, regions)
    shares = cells @ member
    drawn = _draw(cells, member, effective_fixations, seed)
    low, high = np.quantile(drawn, ((1 - level) / 2, (1 + level) / 2), axis=0)
    ranks = _ranks(drawn)
    rank_low, rank_high = np.quantile(ranks, ((1 - level) / 2, (1 + level) / 2), axis=0, method="nearest")
    rank = _ranks(shares[None])[0]
    return [
        RegionShare(
            name=region.name,
            share=float(shares[index]),
            low=float(low[index]),
            high=float(high[index]),
            rank=int(rank[index]),
            rank_low=int(rank_low[index]),
            rank_high=int(rank_high[index]),
            area=region.width * region.height / (width * height),
            lift=float(shares[index]) * width * height / (region.width * region.height),
        )
        for index, region in enumerate(regions)
    ]


def share_changes(before: Sequence[RegionShare], after: Sequence[RegionShare]) -> list[ShareChange]:
    """Returns what became of each region, in the order of ``before``.

    Raises:
        AttentionScoreError: the two do not have the same names.
    """
    new = {share.name: share for share in after}
    if [share.name for share in before] != [share.name for share in after]:
        missing = sorted({share.name for share in before} ^ new.keys())
        raise AttentionScoreError(f"regions differ in {missing or 'their order'}; give both images the same regions")
    return [
        ShareChange(
            old.name,
            old.share,
            new[old.name].share,
            new[old.name].share - old.share,
            new[old.name].low > old.high or new[old.name].high < old.low,
        )
        for old in before
    ]


def _cells(density: Map, regions: Sequence[Region]) -> tuple[Map, npt.NDArray[np.bool_]]:
    """Cuts the image along all edges of all regions.

    Returns:
        The attention of each cell that holds any, float64 (C,), and whether the cell is in the region, bool (C, R).
    """
    edges_x, edges_y = (
        np.unique([0.0, size, *starts, *ends])
        for size, starts, ends in (
            (density.shape[1], [r.x for r in regions], [r.x + r.width for r in regions]),
            (density.shape[0], [r.y for r in regions], [r.y + r.height for r in regions]),
        )
    )
    across = np.array([covered(a, b, density.shape[1]) for a, b in pairwise(edges_x)])
    down = np.array([covered(a, b, density.shape[0]) for a, b in pairwise(edges_y)])
    mass = np.maximum(down @ density @ across.T, 0)
    rows, columns = np.nonzero(mass)
    member = [
        (edges_x[columns] >= r.x)
        & (edges_x[columns] < r.x + r.width)
        & (edges_y[rows] >= r.y)
        & (edges_y[rows] < r.y + r.height)
        for r in regions
    ]
    cells = mass[rows, columns]
    return np.asarray(cells / cells.sum()), np.array(member, np.bool_).T


def _draw(cells: Map, member: npt.NDArray[np.bool_], fixations: int, seed: int) -> Map:
    """Returns the shares that drawn fixations show, float64 (draws, R)."""
    rng = np.random.default_rng(seed)
    # Draws are of the classes of cells that are in the same regions: far fewer than cells.
    classes, which = np.unique(member, axis=0, return_inverse=True)
    weights = np.bincount(which.ravel(), cells, minlength=len(classes))
    counts = rng.multinomial(fixations, weights / weights.sum(), _DRAWS)
    return np.asarray(counts @ classes / fixations)


def _ranks(shares: Map) -> npt.NDArray[np.int64]:
    """Returns the place of each share in its row, 1 for the greatest, equal ones sharing the better place."""
    rounded = shares.round(12)  # equal boxes may differ in the last bit
    return np.asarray(1 + np.sum(rounded[:, None, :] > rounded[:, :, None], axis=2))
