"""Attention on pages of any length: an ordinary one is asked about at once, a full-page screenshot tile by tile.

Letterboxed into the model's input, a screenshot of many screens would shrink until nothing on it can be told apart.
So it is made as wide as the input (a wide one as high) and cut into tiles of exactly the input's size, each sharing
half of itself with the next. What a tile's map says is where attention goes *within* the tile: a network trained on
densities gives its logits no common level. The level between tiles is the coarse pass's, which sees the whole page
letterboxed: every tile is scaled to hold as much attention as the coarse map has where the tile lies, and where tiles
overlap the nearer one weighs more. So the coarse pass decides how much, and the tiles decide where. A coarse map that
the tiles agree with is reproduced, and no edge of a tile shows, since a tile weighs next to nothing at its edge.
"""

import numpy as np
import numpy.typing as npt

from features.images_fit import Map, Placement, Tile, letterbox, place_image, stitch, tiles
from models.attention.predictor import Predictor, checked

SHOWN_AT_LEAST = 0.5
"""Share of the model's input that a letterboxed image fills at least; one that would fill less is cut into tiles."""

MOST_TILES = 31
"""Tiles of one page; a page so long that it would take more is shown narrower in each."""


def attend(predictor: Predictor, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Returns where people look on a page: a density, float32 (H, W) of sum 1, of the image's own size.

    Args:
        predictor: the model; the same image gives the same bits, whatever its threads.
        image: uint8 (H, W, 3) RGB of any size. Where it fills half of the model's input or more, this is
            ``Predictor.predict``, bit for bit.

    Raises:
        PredictorError: another shape or dtype.
    """
    if not is_long(predictor, checked(image)):
        return predictor.predict(image)
    width, height = predictor.spec.width, predictor.spec.height
    tall = image.shape[0] * width > image.shape[1] * height
    reach = (1 + MOST_TILES) // 2
    strip, placement = letterbox(image, width, height * reach) if tall else letterbox(image, width * reach, height)
    page = Tile(placement.top, 0, placement.height, width) if tall else Tile(0, placement.left, height, placement.width)
    shown = np.zeros(strip.shape[:2], np.float32)
    page.cut(shown)[...] = _stitched(predictor, page.cut(strip), _coarse(predictor, image, placement, page))
    return placement.restore(shown, density=True)


def is_long(predictor: Predictor, image: npt.NDArray[np.uint8]) -> bool:
    """Whether ``attend`` cuts an image into tiles: letterboxed, it would leave most of the model's input empty."""
    placed = place_image(image.shape[0], image.shape[1], predictor.spec.width, predictor.spec.height)
    return placed.width * placed.height < SHOWN_AT_LEAST * predictor.spec.width * predictor.spec.height


def _coarse(predictor: Predictor, image: npt.NDArray[np.uint8], fine: Placement, page: Tile) -> Map:
    """Returns the density of the whole page at once, float32 (page.height, page.width), 0 beside the image."""
    canvas, placed = letterbox(image, predictor.spec.width, predictor.spec.height)
    # from the model's input straight to the strip: the image's own size may be a thousand times either
    small = Placement(
        fine.width,
        fine.height,
        placed.model_width,
        placed.model_height,
        placed.left,
        placed.top,
        placed.width,
        placed.height,
    )
    found = np.zeros((page.height, page.width), np.float32)  # wider than the image where that is extremely long
    top, left = fine.top - page.top, fine.left - page.left
    found[top : top + fine.height, left : left + fine.width] = small.restore(predictor.density(canvas), density=True)
    return found


def _stitched(predictor: Predictor, page: npt.NDArray[np.uint8], coarse: Map) -> Map:
    height, width = predictor.spec.height, predictor.spec.width
    overlap = (height if page.shape[0] > height else width) // 2
    placed = tiles(page.shape[0], page.shape[1], (height, width), overlap)
    parts = []
    for tile in placed:
        share = float(tile.cut(coarse).sum(dtype=np.float64))
        parts.append(predictor.density(np.ascontiguousarray(tile.cut(page))) * np.float32(share))
    return stitch(parts, placed, page.shape[0], page.shape[1])
