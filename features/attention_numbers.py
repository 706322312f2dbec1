"""What the service and ``augury heatmap`` say of an attention map in numbers: one JSON object, computed once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from features.attention_regions import EFFECTIVE_FIXATIONS, MOST_REGIONS, Region, region_shares
from features.attention_scores import AttentionScoreError, above_the_fold, focus_score, hottest_points

FOCUS_FORMULA = "100 * (1 - exp(H) / N), H = -sum(p ln p) over the N pixels' shares p"
"""As ``features.attention_scores.focus_score`` computes it."""

LEVEL = 0.95
"""Of the intervals."""

FOLD_PX = 900.0
"""Height of the first screen unless something else is said: that of a laptop of 1440x900."""

MOST_POINTS = 50
MOST_REGIONS_BYTES = 256 * 2**10
"""Size of a JSON text of regions: a hundred with long names."""

_RADIUS_SHARE = 1 / 20


@dataclass(frozen=True)
class NumbersWanted:
    """What is to be said of a map.

    Attributes:
        points: how many hottest points, at most.
        radius_px: how far attention counts to a point, pixels; a twentieth of the shorter side if not given.
        fold_px: height of the first screen, pixels.
    """

    points: int = 5
    radius_px: float | None = None
    fold_px: float = FOLD_PX

    def __post_init__(self) -> None:
        if not 1 <= self.points <= MOST_POINTS:
            raise AttentionScoreError(f"points {self.points}; expected 1 to {MOST_POINTS}")
        for name in ("radius_px", "fold_px"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise AttentionScoreError(f"{name} {value}; expected a number of pixels above 0")


def attention_numbers(
    density: npt.NDArray[np.floating],
    regions: Sequence[Region] = (),
    wanted: NumbersWanted = NumbersWanted(),
    *,
    measured_fixations: int | None = None,
) -> dict[str, Any]:
    """Returns the numbers of a map, as plain JSON values.

    Args:
        density: (H, W), not negative, of the image's own size: all places are in its pixels.
        regions: named boxes to give the shares of.
        wanted: what else.
        measured_fixations: what the model's card says that the intervals stand for; None where it says nothing.

    Returns:
        ``regions`` (each with its box and its ``RegionShare``), ``interval``, ``hottest_points``,
        ``hottest_radius_px``, ``focus_score``, ``focus_formula`` and ``above_the_fold``.

    Raises:
        AttentionScoreError: a map or a region that cannot be.
    """
    radius_px = wanted.radius_px or max(1.0, min(density.shape) * _RADIUS_SHARE)
    return {
        "regions": numbered_regions(density, regions, measured_fixations),
        "interval": interval(measured_fixations),
        "hottest_points": [point._asdict() for point in hottest_points(density, wanted.points, radius_px)],
        "hottest_radius_px": radius_px,
        "focus_score": focus_score(density),
        "focus_formula": FOCUS_FORMULA,
        "above_the_fold": {"fold_px": wanted.fold_px, "share": above_the_fold(density, wanted.fold_px)},
    }


def numbered_regions(
    density: npt.NDArray[np.floating], regions: Sequence[Region], measured_fixations: int | None
) -> list[dict[str, Any]]:
    """Returns each region's box and share, in the order given; none for none.

    Raises:
        AttentionScoreError: as ``features.attention_regions.region_shares``.
    """
    if not regions:
        return []
    fixations = measured_fixations or EFFECTIVE_FIXATIONS
    shares = region_shares(density, regions, effective_fixations=fixations, level=LEVEL)
    return [{**asdict(region), **share._asdict()} for region, share in zip(regions, shares, strict=True)]


def interval(measured_fixations: int | None) -> dict[str, Any]:
    """Returns what the intervals of shares stand for."""
    source = "default" if measured_fixations is None else "model card"
    return {"level": LEVEL, "effective_fixations": measured_fixations or EFFECTIVE_FIXATIONS, "source": source}


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
