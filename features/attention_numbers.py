"""What the service and ``augury heatmap`` say of an attention map in numbers: one JSON object, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from features.attention_regions import EFFECTIVE_FIXATIONS, MOST_REGIONS, Region, region_shares
from features.attention_scores import AttentionScoreError, above_the_fold, focus_score, hottest_points

MOST_POINTS = 100
MOST_REGIONS_BYTES = 256 * 2**10
"""Size of a JSON text of regions: a hundred with long names."""

_RADIUS_SHARE = 0.04


@dataclass(frozen=True)
class NumbersWanted:
    """What is to be said of a map.

    Attributes:
        points: how many hottest points, at most.
        radius_px: how far attention counts to a point, pixels; a twenty-fifth of the narrower side if not given, as a
            degree of vision is of the photographs that eyes are tracked on.
        fold_px: height of the first screen, pixels; without it nothing is said of the fold.
    """

    points: int = 5
    radius_px: float | None = None
    fold_px: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.points <= MOST_POINTS:
            raise AttentionScoreError(f"points {self.points}; expected 0 to {MOST_POINTS}")
        for name in ("radius_px", "fold_px"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise AttentionScoreError(f"{name} {value}; expected a number of pixels above 0")


def attention_numbers(
    density: npt.NDArray[np.floating],
    regions: Sequence[Region] = (),
    wanted: NumbersWanted = NumbersWanted(),
    *,
    effective_fixations: int | None = None,
) -> dict[str, Any]:
    """Returns the numbers of a map, as plain JSON values.

    Args:
        density: (H, W), not negative, of the image's own size: all places are in its pixels.
        regions: named boxes to give the shares of.
        wanted: what else.
        effective_fixations: what the model's card says that the intervals stand for; None where it says nothing.

    Returns:
        ``width``, ``height``, ``focus`` (0 to 100), ``hottest`` (list of x, y, share), ``radius_px``,
        ``above_the_fold`` (share, or None), ``effective_fixations``, ``regions`` (list of ``RegionShare`` as objects).

    Raises:
        AttentionScoreError: a map or a region that cannot be.
    """
    height, width = density.shape
    radius_px = wanted.radius_px or _RADIUS_SHARE * min(height, width)
    fixations = effective_fixations or EFFECTIVE_FIXATIONS
    shares = region_shares(density, regions, effective_fixations=fixations) if regions else []
    hottest = hottest_points(density, wanted.points, radius_px) if wanted.points else []
    return {
        "width": width,
        "height": height,
        "focus": focus_score(density),
        "hottest": [point._asdict() for point in hottest],
        "radius_px": radius_px,
        "above_the_fold": above_the_fold(density, wanted.fold_px) if wanted.fold_px else None,
        "effective_fixations": fixations,
        "regions": [share._asdict() for share in shares],
    }


def read_regions(text: str | bytes) -> list[Region]:
    """Returns the regions of a JSON text: a list of objects with ``name``, ``x``, ``y``, ``width`` and ``height``.

    Raises:
        AttentionScoreError: too long, not JSON, not such a list, or too many.
    """
    if len(text) > MOST_REGIONS_BYTES:
        raise AttentionScoreError(f"regions of {len(text)} bytes; expected at most {MOST_REGIONS_BYTES}")
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as e:
        raise AttentionScoreError(
            f'regions are not JSON ({e}); expected [{{"name": "hero", "x": 0, "y": 0, "width": 9, "height": 9}}, ...]'
        ) from e
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_REGIONS:
        what = f"a list of {len(given)}" if isinstance(given, list) else f"a JSON {type(given).__name__}"
        raise AttentionScoreError(f"regions are {what}; expected a list of 1 to {MOST_REGIONS} regions")
    return [Region.from_dict(each) for each in given]
