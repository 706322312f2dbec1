"""A recommendation as JSON and as pictures: what the service answers, the command writes and a notebook shows."""

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from features.creative_spec import CreativeSpec
from features.images import Pixels
from features.images_encode import encode_image
from features.images_fit import letterbox
from models.creative.recommendation import Recommendation

_QUALITY = 90


def variant_images(image: Pixels, spec: CreativeSpec, size: int = 0) -> dict[str, Pixels]:
    """Returns every variant of a photo, to be looked at and used.

    The model sees them smaller. Variants are made of lengths that are shares of the image, so they look the same.

    Args:
        image: uint8 (H, W, 3), RGB.
        spec: what is made.
        size: the photo is shrunk to this many pixels of its longer side first; 0 leaves it as it is.
    """
    if size and max(image.shape[:2]) > size:
        framed, placed = letterbox(image, size, size)
        shown = framed[placed.top : placed.top + placed.height, placed.left : placed.left + placed.width]
        image = np.ascontiguousarray(shown)
    return {name: maker.apply(image) for name, maker in zip(spec.variant_names, spec.makers, strict=True)}


def as_json(found: Recommendation, pictures: Mapping[str, Pixels] | None = None) -> dict[str, Any]:
    """Returns a recommendation as JSON-able values.

    Args:
        found: what is told.
        pictures: of the variants, by name, to be there as data URLs (RFC 2397), and with them the alternates'
            thumbnails; None leaves pictures out.
    """
    shown = pictures is not None
    variants = []
    for version in found.variants:
        told = {**asdict(version), **asdict(version.rate), "ruled_out": list(version.ruled_out)}
        del told["rate"]
        picture = encode_image(pictures[version.name], "jpeg", _QUALITY) if pictures is not None else b""
        variants.append({**told, "image": _data_url(picture) if shown else None})
    alternates = []
    for other in found.alternates:
        told = {"product": other.product, **other.about, "alike": other.alike, **asdict(other.rate)}
        told["shoe_type"] = told.pop("kind")
        alternates.append({**told, "image": _data_url(other.thumbnail) if shown else None})
    return {
        "target": found.target,
        "less_is_better": found.less_is_better,
        "confidence": found.confidence,
        "simulated": found.simulated,
        "given": {name: value for name, value in asdict(found.given).items() if name in ("probability", "low", "high")},
        "variants": variants,
        "best_variant": asdict(found.best_variant),
        "alternates": alternates,
        "best_alternate": None if found.best_alternate is None else asdict(found.best_alternate),
        "known": dict(found.known),
        "notes": list(found.notes),
    }


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
