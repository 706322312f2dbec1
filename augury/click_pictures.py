"""The side-by-side picture of clicks and of what was predicted."""

import cv2
import numpy as np
import numpy.typing as npt

from features.heatmaps import HeatmapStyle, draw_heatmap
from features.images import Pixels

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GROUND, _INK = (24, 27, 33), (236, 238, 242)


def side_by_side(
    image: Pixels, clicks: npt.NDArray[np.floating] | None, predicted: npt.NDArray[np.floating], titles: tuple[str, str]
) -> Pixels:
    """Returns the screenshot under its clicks, and under the prediction, with a title over each, uint8 RGB.

    Args:
        image: uint8 (H, W, 3).
        clicks: density (H, W); None where nobody clicked: the bare screenshot stands there.
        predicted: density (H, W).
        titles: of the two; drawn as they are, as far as there is room.
    """
    style = HeatmapStyle(legend=False)
    left = image if clicks is None else draw_heatmap(image, clicks, style)
    return _beside(_titled(left, titles[0]), _titled(draw_heatmap(image, predicted, style), titles[1]))


def _titled(image: Pixels, title: str) -> Pixels:
    width = image.shape[1]
    scale = float(np.clip(width / 900, 0.35, 1.1))
    bar = np.full((round(60 * scale), width, 3), _GROUND, np.uint8)
    place = (round(12 * scale), round(38 * scale))
    cv2.putText(bar, title, place, _FONT, 0.8 * scale, _INK, max(1, round(1.3 * scale)), cv2.LINE_AA)
    return np.vstack([bar, image])


def _beside(left: Pixels, right: Pixels) -> Pixels:
    gap = np.full((left.shape[0], max(4, left.shape[1] // 100), 3), _GROUND, np.uint8)
    return np.hstack([left, gap, right])
