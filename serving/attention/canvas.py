"""Two images of any sizes on one canvas, so that their attention can be compared pixel by pixel."""

from dataclasses import dataclass

import numpy as np

from features.images import Pixels
from features.images_fit import Map, Placement

SAME, TOP, SCALED = "same", "top", "scaled"


@dataclass(frozen=True, eq=False)
class Canvas:
    """What is compared.

    Attributes:
        image: uint8 (H, W, 3), the newer image, white where it has nothing.
        before: float32 (H, W), density of the older image.
        after: float32 (H, W), density of the newer image.
        aligned: how the two were brought together, "same", "top" or "scaled".
    """

    image: Pixels
    before: Map
    after: Map
    aligned: str


def on_one_canvas(image: Pixels, before: Map, after: Map) -> Canvas:
    """Brings two densities together.

    Images of one size are left as they are ("same"). Images of one width are two lengths of one page: their tops are
    laid together and the shorter one is continued with nothing, which nobody looks at ("top"). Of all others the older
    one's density is resampled to the newer one's size ("scaled").

    Args:
        image: uint8 (H, W, 3), the newer image.
        before: float32 (h, w), sum 1, of the older image.
        after: float32 (H, W), sum 1, of the newer image.
    """
    if before.shape == after.shape:
        return Canvas(image, before, after, SAME)
    if before.shape[1] == after.shape[1]:
        rows = max(before.shape[0], after.shape[0])
        white = np.full((rows - len(image), *image.shape[1:]), 255, np.uint8)
        return Canvas(np.concatenate([image, white]), _continued(before, rows), _continued(after, rows), TOP)
    (height, width), (rows, columns) = after.shape, before.shape
    scaled = Placement(width, height, columns, rows, 0, 0, columns, rows).restore(before, density=True)
    return Canvas(image, scaled, after, SCALED)


def _continued(density: Map, rows: int) -> Map:
    return np.concatenate([density, np.zeros((rows - len(density), density.shape[1]), np.float32)])
