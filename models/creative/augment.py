"""Augmentations that leave a variant what it is: mirroring and moving. Light and rotation would make it another one."""

import numpy as np
import numpy.typing as npt

from features.images_fit import IMAGENET_MEAN
from models.creative.dataset import Batch


def augment(batch: Batch, rng: np.random.Generator, *, flip: bool, shift: float) -> Batch:
    """Returns a batch in which each image is mirrored with chance 1/2 and moved; what comes in has the frame's colour.

    Args:
        batch: of B images.
        rng: where chance comes from; the same draws are made whatever is switched on.
        flip: mirror left and right: a swivelled photo is then turned the other way, which is a swivel all the same.
        shift: the most that an image is moved either way, as a share of its side.
    """
    images = batch.images.copy()
    mirrored = rng.random(len(images)) < 0.5
    moves = rng.uniform(-shift, shift, (len(images), 2))
    if flip:
        images[mirrored] = images[mirrored][:, :, ::-1]
    sides = np.array(images.shape[1:3])
    for index, (down, right) in enumerate(np.rint(moves * sides).astype(np.int64).tolist()):
        images[index] = moved(images[index], down, right)
    return batch._replace(images=images)


def moved(image: npt.NDArray[np.uint8], down: int, right: int) -> npt.NDArray[np.uint8]:
    """Returns uint8 (H, W, 3): the image moved by whole pixels, of which less than a side is left out."""
    height, width = image.shape[:2]
    found = np.empty_like(image)
    found[:] = IMAGENET_MEAN
    found[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = image[
        max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)
    ]
    return found
