import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.attention.augment import augment, recolor
from models.attention.dataset import Batch


def batch(count=6, height=4, width=6) -> Batch:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, height, width, 3), np.uint8)
    maps = rng.random((count, height, width)).astype(np.float32)
    fixations = rng.integers(0, 2, (count, height, width)).astype(np.float32)
    valid = rng.random((count, height, width)) < 0.5
    return Batch(images, maps, fixations, valid, np.zeros(count, np.int64))


@given(st.integers(0, 1000))
def test_everything_of_an_image_is_mirrored_or_nothing(seed) -> None:
    before = batch()
    after = augment(before, np.random.default_rng(seed), flip=True, color=0.0)
    for row in range(6):
        same = [np.array_equal(new[row], old[row]) for new, old in zip(after[:4], before[:4], strict=True)]
        mirrored = [np.array_equal(new[row], old[row][:, ::-1]) for new, old in zip(after[:4], before[:4], strict=True)]
        assert all(same) or all(mirrored)


def test_about_half_are_mirrored() -> None:
    before = batch(400, 2, 3)
    after = augment(before, np.random.default_rng(1), flip=True, color=0.0)
    share = np.mean([not np.array_equal(a, b) for a, b in zip(after.images, before.images, strict=True)])
    assert 0.4 < share < 0.6


def test_color_leaves_maps_alone() -> None:
    before = batch()
    after = augment(before, np.random.default_rng(0), flip=False, color=0.3)
    for new, old in zip(after[1:], before[1:], strict=True):
        np.testing.assert_array_equal(new, old)
    assert after.images.dtype == np.uint8
    assert not np.array_equal(after.images, before.images)


def test_switched_off_it_changes_nothing() -> None:
    before = batch()
    assert augment(before, np.random.default_rng(0), flip=False, color=0.0) is before


def test_colors_by_hand() -> None:
    image = np.array([[[100, 100, 100], [200, 200, 200]]], np.uint8)
    assert recolor(image, 1.1, 1, 1).ravel().tolist() == [110] * 3 + [220] * 3
    assert recolor(image, 1, 0.5, 1).ravel().tolist() == [125] * 3 + [175] * 3
    assert recolor(image, 1, 1, 0).ravel().tolist() == [100] * 3 + [200] * 3
    assert recolor(image, 2, 1, 1).ravel().tolist() == [200] * 3 + [255] * 3
    red = np.array([[[200, 0, 0]]], np.uint8)
    assert recolor(red, 1, 1, 0).ravel().tolist() == [60] * 3  # luma: 0.299 * 200
