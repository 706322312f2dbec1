"""Photos and variants as they are stored: one size, one frame, made after shrinking."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import variants
from features.creative_spec import CreativeSpec, VariantSpec
from features.images import decode_image
from features.images_fit import IMAGENET_MEAN
from features.variants import Brighter, Rotated, Variant, VariantError
from features.variants_stored import encode_variant, make_variants, shrink_photo

SPEC = CreativeSpec(width=16, height=16)


def test_a_photo_is_shrunk_and_the_frame_is_laid_on_last() -> None:
    image = np.repeat(np.repeat(np.arange(96, dtype=np.uint8).reshape(8, 4, 3), 4, axis=0), 4, axis=1)  # 32x16
    photo = shrink_photo(image, SPEC)
    assert photo.shape == (16, 8, 3)
    made = dict(zip(SPEC.variant_names, make_variants(image, SPEC), strict=True))
    assert all(found.shape == (16, 16, 3) and found.dtype == np.uint8 for found in made.values())
    for name in ("original", "brighter", "darker", "sketch", "swivel"):
        assert (made[name][:, :4] == IMAGENET_MEAN).all() and (made[name][:, 12:] == IMAGENET_MEAN).all(), name
    assert np.array_equal(made["original"][:, 4:12], photo)
    assert np.array_equal(made["brighter"][:, 4:12], Brighter().apply(photo))
    assert np.array_equal(made["rotated"][4:12], Rotated().apply(photo))
    assert (made["rotated"][:4] == IMAGENET_MEAN).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_any_proportions_give_the_stored_size(height: int, width: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    made = make_variants(image, SPEC)
    assert [found.shape for found in made] == [(16, 16, 3)] * 6
    for one, other in zip(made, make_variants(image, SPEC), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(decode_image(encode_variant(made[0], SPEC)), made[0])  # PNG keeps every bit


def test_jpeg_is_close() -> None:
    image = np.full((16, 16, 3), (90, 120, 200), np.uint8)
    encoded = encode_variant(image, CreativeSpec(width=16, height=16, image_format="jpeg"))
    assert encoded[:2] == b"\xff\xd8"
    assert np.abs(decode_image(encoded).astype(int) - image).max() <= 3


@dataclass(frozen=True)
class Cut(Variant):
    """Returns half a photo."""

    def apply(self, image: np.ndarray) -> np.ndarray:
        return image[: len(image) // 2]


def test_a_variant_that_is_no_photo_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(variants._SHIPPED, "cut", f"{__name__}:Cut")
    monkeypatch.setitem(__import__("sys").modules, __name__, __import__("types").SimpleNamespace(Cut=Cut))
    spec = CreativeSpec(variants=(VariantSpec("original"), VariantSpec("cut")))
    with pytest.raises(VariantError, match=r"^variant 'cut' returned uint8 \(64, 128, 3\) for a photo \(128, 128, 3\)"):
        make_variants(np.zeros((256, 256, 3), np.uint8), spec)
