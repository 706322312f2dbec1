"""Augmentations that do not move gaze within what is seen: mirroring, and small changes of colour."""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.attention.dataset import Batch

_GREY = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of R, G and B in luma (ITU-R BT.601)."""


def augment(batch: Batch, rng: np.random.Generator, *, flip: bool, color: float) -> Batch:
    """Returns a batch in which each image is mirrored with chance 1/2, its map and fixations with it, and recoloured.

    Args:
        batch: of B images.
        rng: where chance comes from; the same draws are made whatever is switched on.
        flip: mirror left and right.
        color: brightness, contrast and saturation are each scaled by a factor from 1 - color to 1 + color.
    """
    mirrored = rng.random(len(batch.images)) < 0.5
    factors = rng.uniform(1 - color, 1 + color, (len(batch.images), 3)).astype(np.float32)
    if flip:
        batch = batch._replace(
            images=_mirror(batch.images, mirrored),
            maps=_mirror(batch.maps, mirrored),
            fixations=_mirror(batch.fixations, mirrored),
            valid=_mirror(batch.valid, mirrored),
        )
    if not color:
        return batch
    images = [recolor(image, *factor) for image, factor in zip(batch.images, factors, strict=True)]
    return batch._replace(images=np.stack(images))


def recolor(image: npt.NDArray[np.uint8], brightness: float, contrast: float, saturation: float) -> Any:
    """Returns uint8 (H, W, 3): scaled in brightness, then about its mean grey, then about the grey of each pixel."""
    colors = image.astype(np.float32) * np.float32(brightness)
    mean = (colors.mean((0, 1)) * _GREY).sum()
    colors = (colors - mean) * np.float32(contrast) + mean
    grey = (colors @ _GREY)[:, :, None]
    colors = (colors - grey) * np.float32(saturation) + grey
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)


def _mirror(values: npt.NDArray[Any], where: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Returns values (B, H, W, ...) with the columns of those where bool (B,) holds in reverse order."""
    mirrored = values.copy()
    mirrored[where] = values[where][:, :, ::-1]
    return mirrored
