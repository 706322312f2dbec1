"""A photo and its variants as examples hold them and models see them: all of one size, in one frame.

A photo is first shrunk to the stored size and the variants are made of that. Strokes and borders then look the same
whatever the size of the source, no later shrinking wears them off, and a large photo costs no more than a small one.
The frame around it is laid on last and has one colour for all, so that it tells nothing of a variant but its shape.
"""

import numpy as np

from features.creative_spec import CreativeSpec
from features.images import Pixels
from features.images_encode import encode_image
from features.images_fit import letterbox
from features.variants import VariantError


def shrink_photo(image: Pixels, spec: CreativeSpec) -> Pixels:
    """Returns a photo (H, W, 3) as large as fits into the stored size with its proportions, without a frame."""
    framed, placed = letterbox(image, spec.width, spec.height)
    shown = framed[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width]
    return np.ascontiguousarray(shown)


def make_variants(image: Pixels, spec: CreativeSpec) -> list[Pixels]:
    """Returns every variant of a photo, in the order of the spec.

    Args:
        image: uint8 (H, W, 3), RGB, of any size.
        spec: what is made.

    Returns:
        For each variant uint8 (spec.height, spec.width, 3).

    Raises:
        VariantError: a variant that another package made returned something that is no image.
    """
    photo = shrink_photo(image, spec)
    made = []
    for name, maker in zip(spec.variant_names, spec.makers, strict=True):
        changed = maker.apply(photo)
        if changed.dtype != np.uint8 or changed.shape not in (photo.shape, (*photo.shape[1::-1], 3)):
            raise VariantError(
                f"variant {name!r} returned {changed.dtype} {changed.shape} for a photo {photo.shape}; expected uint8 "
                "with the same sides, or with the two swapped"
            )
        made.append(letterbox(changed, spec.width, spec.height)[0])
    return made


def encode_variant(image: Pixels, spec: CreativeSpec) -> bytes:
    """Returns a stored variant as the file that examples hold."""
    return encode_image(image, spec.image_format, spec.jpeg_quality)
