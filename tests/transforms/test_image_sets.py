"""What the jobs that turn images into examples have in common."""

import numpy as np

from transforms.image_sets import ImageLayout, Looks, SplitShares, find_alike


def looks(**hashes: int) -> Looks:
    numbers = np.array([int(name[1:]) for name in hashes], np.int32)
    return Looks(numbers, np.array(list(hashes.values()), np.uint64))


def test_images_that_look_alike_are_a_group_in_the_order_of_their_numbers() -> None:
    alike = find_alike([looks(n7=0b111, n2=1 << 40), looks(n5=0b011, n9=1 << 41)], near_bits=1)
    assert alike.numbers.tolist() == [2, 5, 7, 9]
    assert alike.firsts.tolist() == [0, 1, 1, 3]  # 5 and 7 differ in one bit, 2 and 9 in two
    assert alike.sizes.tolist() == [2]


def test_where_none_are_looked_for_each_is_by_itself() -> None:
    alike = find_alike([looks(n1=5, n0=5)], near_bits=None)
    assert (alike.numbers.tolist(), alike.firsts.tolist(), alike.sizes.tolist()) == ([0, 1], [0, 1], [])


def test_no_images() -> None:
    alike = find_alike([], near_bits=4)
    assert (len(alike.numbers), len(alike.firsts), len(alike.sizes)) == (0, 0, 0)


def test_shares_of_splits() -> None:
    shares = SplitShares(validation=0.25, test=0.5)
    assert shares.split_of([0.0, 0.24, 0.25, 0.49, 0.5, 0.99]).tolist() == [0, 0, 1, 1, 2, 2]


def test_where_files_go() -> None:
    layout = ImageLayout("data", 12)
    assert layout.examples_path("test", 3) == "data/test/examples-00003-of-00012.tfrecord"
    assert layout.spool_path(40) == "data/.spool/images-0000040.arrow"
