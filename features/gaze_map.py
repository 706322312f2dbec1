"""All that was recorded on one image to the map and the fixations that are stored of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.attention_spec import AttentionSpec
from features.gaze import Points, check_points
from features.gaze_density import Map, density, merge_maps, merged_method
from features.gaze_resample import resample
from features.images_fit import Placement


@dataclass(frozen=True)
class AttentionMap:
    """What is stored of the gaze on one image.

    Attributes:
        values: float32 (height, width) of the stored image, sum 1, zero in the letterbox's border; None where no
            method has a point inside the image.
        method: the methods merged, as ``merged_method`` names them.
        fixations: points in pixels of the stored image: the eye's fixations, else the clicks, else the resampled
            cursor, else none.
        dropped: points left out, reason -> count.
    """

    values: Map | None
    method: str
    fixations: Points
    dropped: Mapping[str, int]


def map_of_image(
    points: Mapping[str, Points],
    mask: Map | None,
    placement: Placement,
    spec: AttentionSpec,
    *,
    set_name: str,
    split: str,
    drop_first: bool,
) -> AttentionMap:
    """Makes the map of one image: points checked, cursor samples resampled, a density a method, the methods merged.

    Args:
        points: method -> points in pixels of the original image.
        mask: ready-made map, float32 (spec.height, spec.width), sum 1; None where there is none.
        placement: where the image lies in the stored one.
        spec: sizes, sigma, weights, resampling.
        set_name: the set of the image, for its sigma.
        split: the split of the image: whether its maps are merged.
        drop_first: leave out the forced first fixation of each person (method "eye").

    Raises:
        GazeError: cursor samples cannot be resampled as the spec says.
    """
    kept: dict[str, Points] = {}
    dropped: dict[str, int] = {}
    for method, found in points.items():
        finite = found.take(np.isfinite(found.x) & np.isfinite(found.y))
        inside, counts = check_points(
            found, placement.image_height, placement.image_width, drop_first=drop_first and method == "eye"
        )
        if method == "mouse_samples":
            # what the cursor did outside belongs to its way, so samples are left out after resampling
            even, too_long = resample(finite, spec.resample_by, spec.resample_step)
            counts = {**counts, **too_long}
            inside, _ = check_points(even, placement.image_height, placement.image_width)
        for reason, n in counts.items():
            dropped[reason] = dropped.get(reason, 0) + n
        if len(inside):
            kept[method] = _to_model(inside, placement)
    sigma = spec.sigma_of(set_name) * float(np.sqrt(_scale(placement)))
    alone = "eye" in kept and split not in spec.merge_splits
    maps = {method: _place(found, placement, sigma) for method, found in kept.items() if method == "eye" or not alone}
    if mask is not None and not alone:
        maps["mask"] = mask
    fixations = next((kept[method] for method in ("eye", "clicks", "mouse_samples") if method in kept), Points.none())
    values = merge_maps(maps, spec.merge) if maps else None
    return AttentionMap(values, merged_method(maps), fixations, dropped)


def _scale(placement: Placement) -> float:
    """Returns the product of the scales of both sides, which rounding makes a little unequal."""
    return placement.width * placement.height / (placement.image_width * placement.image_height)


def _to_model(points: Points, placement: Placement) -> Points:
    x, y = placement.to_model(np.stack([points.x, points.y], axis=1)).T
    # float32 could round a point up to the first pixel beyond
    x = _below(x, placement.left + placement.width)
    y = _below(y, placement.top + placement.height)
    return Points(points.subject, points.order, x, y, points.time_ms)


def _below(values: npt.NDArray[np.float64], limit: int) -> npt.NDArray[np.float32]:
    return np.minimum(values.astype(np.float32), np.nextafter(np.float32(limit), np.float32(0)))


def _place(points: Points, placement: Placement, sigma_px: float) -> Map:
    """Returns the density over the part that shows the image, 0 in the border."""
    full = np.zeros((placement.model_height, placement.model_width), np.float32)
    shown = np.stack([points.x - placement.left, points.y - placement.top], axis=1)
    rows = slice(placement.top, placement.top + placement.height)
    columns = slice(placement.left, placement.left + placement.width)
    full[rows, columns] = density(shown, None, placement.height, placement.width, sigma_px)
    return full
