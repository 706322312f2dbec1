"""An image of any size meets a model of one size: letterbox and tiles, with the way back.

Points are (x, y) in pixels from the top left corner of an image: the pixel in row r and column c covers c <= x < c + 1
and r <= y < r + 1, so its centre is (c + 0.5, r + 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from features.images import Pixels
from features.strict import whole

Map = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

IMAGENET_MEAN = (124, 116, 104)
"""The mean colour of ImageNet: zero to a network that its encoder's normalisation feeds."""


@dataclass(frozen=True)
class Placement:
    """Where an image lies in a model's input, in pixels.

    Attributes:
        image_width: of the image.
        image_height: of the image.
        model_width: of the model's input.
        model_height: of the model's input.
        left: first column of the model's input that shows the image.
        top: first row that does.
        width: columns that do.
        height: rows that do.
    """

    image_width: int
    image_height: int
    model_width: int
    model_height: int
    left: int
    top: int
    width: int
    height: int

    def to_model(self, points: npt.ArrayLike) -> Points:
        """Maps points (N, 2) of the image to the model's input, float64 (N, 2)."""
        return np.asarray(points, np.float64) * self._scale() + (self.left, self.top)

    def to_image(self, points: npt.ArrayLike) -> Points:
        """Maps points (N, 2) of the model's input to the image, float64 (N, 2); those of the border lie outside."""
        return (np.asarray(points, np.float64) - (self.left, self.top)) / self._scale()

    def place(self, values: npt.NDArray[np.floating]) -> Map:
        """Resamples a map (image_height, image_width) to the model's input, 0 in the border: float32."""
        _expect(values, self.image_height, self.image_width)
        full = np.zeros((self.model_height, self.model_width), np.float32)
        full[self._rows(), self._columns()] = _resample(values.astype(np.float32), self.width, self.height)
        return full

    def restore(self, values: npt.NDArray[np.floating], *, density: bool = False) -> Map:
        """Resamples a map (model_height, model_width) to the image's size, leaving out the border.

        Args:
            values: of any float type.
            density: whether the answer is scaled to sum to 1, as a density must; a map of zeros becomes uniform.

        Returns:
            float32 (image_height, image_width).
        """
        _expect(values, self.model_height, self.model_width)
        shown = values[self._rows(), self._columns()].astype(np.float32)
        full = _resample(shown, self.image_width, self.image_height)
        if not density:
            return full
        total = float(full.sum(dtype=np.float64))
        if total <= 0:
            return np.full(full.shape, 1 / full.size, np.float32)
        full /= np.float32(total)  # in place: a long page's map may have 40 million pixels
        return full

    def _scale(self) -> Points:
        return np.array([self.width / self.image_width, self.height / self.image_height])

    def _rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    def _columns(self) -> slice:
        return slice(self.left, self.left + self.width)


def place_image(image_height: int, image_width: int, width: int, height: int) -> Placement:
    """Returns where an image lies in a model's input: as large as fits with its proportions, in the middle.

    A side is never less than a pixel, so an image of extreme proportions is shown wider than it is.
    """
    for name, value in (("image_height", image_height), ("image_width", image_width), ("width", width)):
        whole(name, value, 1)
    whole("height", height, 1)
    scale = min(width / image_width, height / image_height)
    shown_width = min(width, max(1, round(image_width * scale)))
    shown_height = min(height, max(1, round(image_height * scale)))
    left, top = (width - shown_width) // 2, (height - shown_height) // 2
    return Placement(image_width, image_height, width, height, left, top, shown_width, shown_height)


def letterbox(
    image: Pixels, width: int, height: int, fill: tuple[int, int, int] = IMAGENET_MEAN
) -> tuple[Pixels, Placement]:
    """Resizes an image to fit (width, height) with its proportions and fills the border.

    Pixels are averaged by area when shrinking and interpolated linearly when enlarging.

    Args:
        image: uint8 (H, W, 3).
        width: of the model's input, pixels.
        height: of the model's input, pixels.
        fill: colour of the border.

    Returns:
        uint8 (height, width, 3), and where in it the image lies.
    """
    placement = place_image(image.shape[0], image.shape[1], width, height)
    full = np.empty((height, width, 3), np.uint8)
    full[:] = fill
    full[placement._rows(), placement._columns()] = _resample(image, placement.width, placement.height)
    return full, placement


@dataclass(frozen=True)
class Tile:
    """A part of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the part of an image or map (H, W, ...), as a view."""
        return values[self.top : self.top + self.height, self.left : self.left + self.width]


def tiles(height: int, width: int, tile: tuple[int, int], overlap: int) -> list[Tile]:
    """Covers an image with equal tiles that overlap by at least so many pixels.

    Args:
        height: of the image.
        width: of the image.
        tile: height and width of a tile; where the image is smaller, so is the tile.
        overlap: pixels that neighbours share at least; less than a tile, along each side that is cut.

    Returns:
        The tiles by rows, spread evenly, the first at the top left and the last at the bottom right corner.
    """
    whole("height", height, 1)
    whole("width", width, 1)
    whole("tile height", tile[0], 1)
    whole("tile width", tile[1], 1)
    cut = [side for side, length in zip(tile, (height, width), strict=True) if side < length]
    whole("overlap", overlap, 0, min(cut, default=max(tile)) - 1)
    tile_height, tile_width = min(tile[0], height), min(tile[1], width)
    tops, lefts = _starts(height, tile_height, overlap), _starts(width, tile_width, overlap)
    return [Tile(top, left, tile_height, tile_width) for top in tops for left in lefts]


def stitch(parts: Sequence[npt.NDArray[np.floating]], placed: Sequence[Tile], height: int, width: int) -> Map:
    """Blends the maps of tiles into one: where tiles overlap, each weighs the more the farther its edge is.

    A weight is the product of one along the rows and one along the columns, so that a tile fades out towards every
    neighbour, also along the image's own edge.

    Args:
        parts: float (tile.height, tile.width) for each tile, all on one scale (logits or unnormalised intensities: a
            density that sums to 1 in each tile would make every tile equally attractive).
        placed: what ``tiles`` returned for this height and width.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        float32 (height, width).
    """
    total = np.zeros((height, width))
    weights = np.zeros((height, width))
    for part, tile in zip(parts, placed, strict=True):
        _expect(part, tile.height, tile.width)
        weight = np.outer(_ramp(tile.height), _ramp(tile.width))
        tile.cut(total)[...] += weight * part
        tile.cut(weights)[...] += weight
    if not weights.all():
        raise ValueError(f"the tiles leave a part of {width}x{height} uncovered; expected what tiles() returns")
    return (total / weights).astype(np.float32)


def _starts(length: int, tile: int, overlap: int) -> list[int]:
    count = 1 if tile >= length else 1 - (tile - length) // (tile - overlap)
    return [number * (length - tile) // max(1, count - 1) for number in range(count)]


def _ramp(length: int) -> Points:
    """Returns how far each of so many pixels is from the nearer end, at least 1."""
    up = np.arange(1, length + 1, dtype=np.float64)
    return np.minimum(up, up[::-1])


def _resample(values: npt.NDArray[Any], width: int, height: int) -> npt.NDArray[Any]:
    """Resizes (H, W, ...) with the corners of the image kept in place, averaging along what shrinks.

    OpenCV averages by area only where both sides shrink, so the sides are done one after the other.
    """
    for size in ((width, values.shape[0]), (width, height)):
        if size != (values.shape[1], values.shape[0]):
            smaller = size[0] <= values.shape[1] and size[1] <= values.shape[0]
            values = cv2.resize(values, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return values


def _expect(values: npt.NDArray[np.generic], height: int, width: int) -> None:
    if values.shape != (height, width):
        raise ValueError(f"a map of shape {values.shape}; expected ({height}, {width})")
