"""Ready-made attention maps beside images, as SALICON hands them out: a grey picture for each image."""

import numpy as np

from features.errors import AuguryError
from features.gaze import EMPTY_MASK, OTHER_SHAPE
from features.gaze_density import Map, normalised
from features.images import ImageLimits, decode_image
from features.images_fit import Placement

MOST_UNEQUAL = 0.02
"""A mask may be smaller or larger than its image, but its proportions may differ by this share at most."""


class MaskError(AuguryError, ValueError):
    """A mask that cannot be used; ``reason`` says why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def read_mask(data: bytes, placement: Placement, limits: ImageLimits) -> Map:
    """Returns the density that a mask's file shows, laid out as its image is stored.

    Args:
        data: an image file; its brightness is the density, black is none.
        placement: where the image lies in the stored one.
        limits: what is still decoded.

    Returns:
        float32 (model_height, model_width), sum 1, zero in the border.

    Raises:
        ImageError: it is not decoded.
        MaskError: black everywhere, or of another shape than the image.
    """
    grey = decode_image(data, limits).mean(axis=2, dtype=np.float32)
    height, width = grey.shape
    ratio = (width / height) / (placement.image_width / placement.image_height)
    if abs(ratio - 1) > MOST_UNEQUAL:
        shape = f"{placement.image_width}x{placement.image_height}"
        raise MaskError(OTHER_SHAPE, f"{width}x{height} beside an image of {shape}; expected the same proportions")
    if not grey.any():
        raise MaskError(EMPTY_MASK, "black everywhere; expected some attention somewhere")
    fitted = Placement(
        width, height, placement.model_width, placement.model_height,
        placement.left, placement.top, placement.width, placement.height,
    )  # fmt: skip
    return normalised(fitted.place(grey).clip(0))
