"""Splits of images: official ones, hashed ones, and near-duplicates, by hand."""

import mmh3
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.attention_splits import LEFT_OUT, UNREAD, assign_image_splits
from transforms.attention_work import ImageTask, image_numbers, stem_of
from transforms.image_sets import Looks, SplitShares

TRAIN, VALIDATION, TEST = 0, 1, 2
FAR = [0, 0xFFFF, 0xFFFF0000, 0xFFFF00000000, 0xFFFF000000000000]


def image(number: int, split: str | None = None, set_name: str = "s") -> ImageTask:
    return ImageTask(set_name, f"{number}.jpg", f"/images/{number}.jpg", None, split)


def looks(*hashes: int) -> list[Looks]:
    """Of all images, in two pieces, the later first."""
    numbers, values = np.arange(len(hashes), dtype=np.int32), np.array(hashes, np.uint64)
    half = len(hashes) // 2
    return [Looks(numbers[half:], values[half:]), Looks(numbers[:half], values[:half])]


def test_official_splits_are_kept() -> None:
    images = [image(0, "test"), image(1, "train"), image(2, "validation")]
    found = assign_image_splits(images, looks(*FAR[:3]), SplitShares())
    assert found.numbers.tolist() == [TEST, TRAIN, VALIDATION]
    assert (found.groups, found.grouped) == (0, 0)


def test_of_near_duplicates_in_several_official_splits_only_the_tests_stay() -> None:
    images = [image(0, "train"), image(1, "test"), image(2, "validation"), image(3, "test"), image(4, "train")]
    found = assign_image_splits(images, looks(0, 1, 3, 2, FAR[1]), SplitShares(near_bits=1))
    assert found.numbers.tolist() == [LEFT_OUT, TEST, LEFT_OUT, TEST, TRAIN]
    assert (found.groups, found.grouped) == (1, 4)


def test_an_image_without_a_split_follows_its_near_duplicate_in_another_set() -> None:
    images = [image(0, set_name="web"), image(1, "validation", set_name="photos"), image(2, set_name="web")]
    for seed in range(20):
        found = assign_image_splits(images, looks(7, 7, FAR[4]), SplitShares(seed=seed, near_bits=0))
        assert found.numbers[:2].tolist() == [VALIDATION, VALIDATION]
        share = mmh3.hash("web/2.jpg", seed, signed=False) / 2**32
        assert found.numbers[2] == (TRAIN if share < 0.8 else VALIDATION if share < 0.9 else TEST)


def test_looking_for_none_leaves_near_duplicates_where_they_are() -> None:
    images = [image(0, "train"), image(1, "test")]
    found = assign_image_splits(images, looks(5, 5), SplitShares(near_bits=None))
    assert found.numbers.tolist() == [TRAIN, TEST]


def test_an_image_that_was_not_read_has_no_split() -> None:
    images = [image(0, "train"), image(1, "test")]
    some = [Looks(np.array([1], np.int32), np.array([9], np.uint64))]
    assert assign_image_splits(images, some, SplitShares()).numbers.tolist() == [UNREAD, TEST]
    assert assign_image_splits(images, [], SplitShares()).numbers.tolist() == [UNREAD, UNREAD]


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 1, 3, *FAR[1:]]), st.sampled_from([None, "train", "validation", "test"])),
        min_size=1,
        max_size=12,
    )
)
def test_no_two_near_duplicates_are_ever_in_two_splits(given_images: list[tuple[int, str | None]]) -> None:
    images = [image(number, split) for number, (_, split) in enumerate(given_images)]
    hashes = [value for value, _ in given_images]
    found = assign_image_splits(images, looks(*hashes), SplitShares(near_bits=2)).numbers.tolist()
    names = ("train", "validation", "test")
    for one, (value, official) in enumerate(given_images):
        assert found[one] >= LEFT_OUT
        assert official is None or found[one] in (LEFT_OUT, names.index(official))
        for other in range(one):
            if LEFT_OUT not in (found[one], found[other]) and (value ^ hashes[other]).bit_count() <= 2:
                assert found[one] == found[other]


def test_gaze_may_name_an_image_without_its_suffix() -> None:
    images = (image(0), image(1), ImageTask("s", "a.b/x.jpg", ""), ImageTask("s", "a.b/x.png", ""), image(9, None, "t"))
    found = image_numbers(images, "s")
    assert found == {"0.jpg": 0, "0": 0, "1.jpg": 1, "1": 1, "a.b/x.jpg": 2, "a.b/x.png": 3}
    assert (stem_of("a.b/x"), stem_of(".hidden")) == ("a.b/x", ".hidden")
