import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from features.images_fit import IMAGENET_MEAN
from models.creative.augment import augment, moved
from models.creative.dataset import Batch


def batch(count=64) -> Batch:
    images = np.random.default_rng(0).integers(0, 256, (count, 10, 10, 3), np.uint8)
    return Batch(images, np.arange(count))


def test_an_image_is_moved_by_whole_pixels() -> None:
    image = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    found = moved(image, 1, -2)
    np.testing.assert_array_equal(found[1:, 0], image[:2, 2])
    assert (found[0] == IMAGENET_MEAN).all()
    assert (found[:, 1:] == IMAGENET_MEAN).all()


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_moving_back_loses_only_what_went_out(down: int, right: int) -> None:
    image = np.random.default_rng(1).integers(0, 256, (10, 10, 3), np.uint8)
    back = moved(moved(image, down, right), -down, -right)
    rows = slice(max(0, -down), 10 + min(0, -down))
    columns = slice(max(0, -right), 10 + min(0, -right))
    np.testing.assert_array_equal(back[rows, columns], image[rows, columns])


def test_half_are_mirrored_and_no_pixel_gets_another_value() -> None:
    before = batch()
    after = augment(before, np.random.default_rng(0), flip=True, shift=0.0)
    same = [np.array_equal(a, b) for a, b in zip(before.images, after.images, strict=True)]
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(before.images, after.images, strict=True)]
    assert all(a != b for a, b in zip(same, mirrored, strict=True))
    assert 20 < sum(mirrored) < 44
    assert after.labels is before.labels


def test_without_either_nothing_changes_and_what_is_given_never_does() -> None:
    before = batch()
    kept = before.images.copy()
    after = augment(before, np.random.default_rng(0), flip=False, shift=0.0)
    np.testing.assert_array_equal(after.images, kept)
    augment(before, np.random.default_rng(0), flip=True, shift=0.3)
    np.testing.assert_array_equal(before.images, kept)


def test_moves_stay_within_their_share() -> None:
    white = Batch(np.full((64, 20, 20, 3), 255, np.uint8), np.zeros(64, np.int64))
    found = augment(white, np.random.default_rng(0), flip=True, shift=0.1).images
    lost = 1 - (found == 255).all(3).mean((1, 2))
    assert 0 < lost.max() <= 1 - (18 / 20) ** 2
