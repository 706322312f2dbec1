import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.images import Pixels, decode_image
from features.images_fit import letterbox
from features.images_hash import bits_apart, near_duplicates, perceptual_hash
from features.strict import FeatureSpecError


def scene(seed: int, height: int = 120, width: int = 160) -> Pixels:
    """Returns blurred noise: an image with low frequencies, as photographs have."""
    noise = np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(noise, (0, 0), 9)
    return ((soft - soft.min()) / (soft.max() - soft.min()) * 255).astype(np.uint8)


def test_the_hash_is_that_of_another_dct() -> None:
    image = scene(1)
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (32, 32), interpolation=3)
    low = cv2.dct(grey)[1:9, 1:9].ravel()
    expected = sum(1 << (63 - index) for index, value in enumerate(low) if value > np.median(low))
    assert perceptual_hash(image) == np.uint64(expected)


def test_a_wave_sets_its_own_bit() -> None:
    # cos(pi * 2 * (2x + 1) / 64) is the second horizontal frequency; the first of the vertical ones goes with it.
    place = np.arange(32)
    wave = np.outer(np.cos(np.pi * (2 * place + 1) / 64), np.cos(np.pi * 2 * (2 * place + 1) / 64))
    image = np.repeat((128 + 100 * wave).round().astype(np.uint8)[:, :, None], 3, axis=2)
    assert int(perceptual_hash(image)) >> 62 & 1 == 1
    assert int(perceptual_hash(255 - image)) >> 62 & 1 == 0


def test_copies_are_close_and_others_far() -> None:
    original = scene(2, 480, 640)
    copies = [
        cv2.resize(original, (200, 150), interpolation=cv2.INTER_AREA),
        cv2.convertScaleAbs(original, alpha=0.9, beta=10),
        decode_image(cv2.imencode(".jpg", original[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 30])[1].tobytes()),
        letterbox(original, 320, 240)[0],
    ]
    apart = [int(bits_apart(perceptual_hash(original), perceptual_hash(np.asarray(copy)))) for copy in copies]
    assert max(apart) <= 4
    others = np.array([perceptual_hash(scene(seed)) for seed in range(10, 40)])
    assert bits_apart(perceptual_hash(original), others).min() >= 12


def test_one_color_and_one_pixel_have_no_structure() -> None:
    for image in (np.zeros((9, 9, 3), np.uint8), np.full((50, 40, 3), 201, np.uint8), np.full((1, 1, 3), 7, np.uint8)):
        assert perceptual_hash(image) == 0
    assert perceptual_hash(scene(1)).dtype == np.uint64


def test_bits_apart_counts_bits() -> None:
    np.testing.assert_array_equal(bits_apart([0, 1, 3, 2**64 - 1], 0), [0, 1, 2, 64])


def test_groups_by_hand() -> None:
    # 0, 3 and 15 are two bits apart each: a chain. 2**40 and its twin are one group, all ones are alone.
    hashes = np.array([2**40, 15, 2**64 - 1, 0, 2**40, 3, 2**40 + 1], np.uint64)
    assert near_duplicates(hashes, 2).tolist() == [0, 0, 2, 0, 0, 0, 0]
    hashes = np.array([2**50 - 1, 15, 2**64 - 1, 0, 2**50 - 1, 3], np.uint64)
    assert near_duplicates(hashes, 2).tolist() == [0, 1, 2, 1, 0, 1]
    assert near_duplicates(hashes, 1).tolist() == [0, 1, 2, 3, 0, 5]
    assert near_duplicates(hashes, 0).tolist() == [0, 1, 2, 3, 0, 5]
    assert near_duplicates(np.zeros(0, np.uint64), 3).tolist() == []


@given(st.lists(st.integers(0, 2**64 - 1), max_size=12), st.integers(0, 31), st.integers(0, 2**32))
def test_groups_are_the_connected_ones(seeds: list[int], most_bits: int, shuffle: int) -> None:
    rng = np.random.default_rng(shuffle)
    hashes = [seed ^ sum(1 << int(bit) for bit in rng.choice(64, rng.integers(0, 12), False)) for seed in seeds * 3]
    expected = list(range(len(hashes)))
    for _ in hashes:
        for one, left in enumerate(hashes):
            for other, right in enumerate(hashes):
                if (left ^ right).bit_count() <= most_bits:
                    expected[other] = min(expected[other], expected[one])
    assert near_duplicates(np.array(hashes, np.uint64), most_bits).tolist() == expected


def test_a_hundred_thousand_hashes_with_known_copies() -> None:
    rng = np.random.default_rng(3)
    originals = rng.integers(0, 2**64, 90_000, np.uint64)
    flips = np.uint64(1) << rng.integers(0, 64, (3, 10_000), np.uint64)
    hashes = np.r_[originals, originals[:10_000] ^ flips[0] ^ flips[1] ^ flips[2]]
    groups = near_duplicates(hashes, 3)
    np.testing.assert_array_equal(groups[:90_000], np.arange(90_000))
    np.testing.assert_array_equal(groups[90_000:], np.arange(10_000))


def test_many_alike_are_one_group() -> None:
    rng = np.random.default_rng(4)
    hashes = np.uint64(1) << rng.integers(0, 64, (4000, 2), np.uint64)
    assert set(near_duplicates(hashes[:, 0] | hashes[:, 1], 4).tolist()) == {0}


def test_impossible_distances_are_refused() -> None:
    with pytest.raises(FeatureSpecError, match="most_bits: 32 is not possible; expected an integer from 0 to 31"):
        near_duplicates(np.zeros(2, np.uint64), 32)


def test_real_photographs_are_told_apart() -> None:
    folder = Path(os.environ.get("AUGURY_DATA", "../shared/data")) / "osie" / "images"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set AUGURY_DATA to the folder of data sets")
    images = [decode_image(path.read_bytes()) for path in sorted(folder.glob("*.jpg"))[:40]]
    hashes = np.array([perceptual_hash(image) for image in images + [letterbox(i, 320, 240)[0] for i in images]])
    assert near_duplicates(hashes, 6).tolist() == [*range(40), *range(40)]
