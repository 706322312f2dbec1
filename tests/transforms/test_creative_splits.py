"""Splits of products: by hash, look-alikes together, whatever the order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms.creative_splits import UNREAD, assign_product_splits, split_hashes
from transforms.image_sets import Looks, SplitShares

SHARES = SplitShares(validation=0.25, test=0.25)


def looks(numbers: list[int], hashes: list[int]) -> Looks:
    return Looks(np.array(numbers, np.int32), np.array(hashes, np.uint64))


def test_the_hash_of_a_product_decides_and_an_unread_photo_has_no_split() -> None:
    hashes = (np.array([0.1, 0.49, 0.51, 0.74, 0.76, 0.99]) * 2**32).astype(np.uint32)
    far_apart = [0, 0xFF, 0xFF00, 0xFF0000, 0xFF000000]
    found = assign_product_splits(hashes, [looks([0, 1, 2], far_apart[:3]), looks([4, 3], far_apart[3:])], SHARES)
    assert found.numbers.tolist() == [0, 0, 1, 1, 2, UNREAD]
    assert (found.groups, found.grouped) == (0, 0)


def test_look_alikes_go_where_the_least_hash_of_them_goes() -> None:
    hashes = (np.array([0.9, 0.6, 0.1, 0.9]) * 2**32).astype(np.uint32)
    # 0 and 1 differ in 3 bits, 1 and 2 in 4 others: a chain; 3 is far from all
    found = assign_product_splits(hashes, [looks([0, 1, 2, 3], [0, 0b111, 0b1111111, 0xFFFF << 32])], SHARES)
    assert found.numbers.tolist() == [0, 0, 0, 2]
    assert (found.groups, found.grouped) == (1, 3)
    alone = SplitShares(validation=0.25, test=0.25, near_bits=None)
    found = assign_product_splits(hashes, [looks([0, 1, 2, 3], [0, 0, 0, 0])], alone)
    assert found.numbers.tolist() == [2, 1, 0, 2]


def test_nothing_read_is_nothing_split() -> None:
    found = assign_product_splits(split_hashes(["a", "b"], 0), [looks([], [])], SHARES)
    assert (found.numbers.tolist(), found.groups) == ([UNREAD, UNREAD], 0)


@given(st.permutations(range(8)), st.integers(0, 3))
def test_neither_the_order_of_the_catalogue_nor_of_the_work_matters(order: list[int], seed: int) -> None:
    names = [f"product {number}" for number in range(8)]
    alike = [0, 1, 3 << 20, 1 << 40, 1 << 50, 7 << 40, 9 << 60, 2**64 - 1]
    usual = assign_product_splits(split_hashes(names, seed), [looks(list(range(8)), alike)], SHARES).numbers
    hashes = split_hashes([names[number] for number in order], seed)
    given_looks = [looks([place], [alike[number]]) for place, number in enumerate(order)]
    found = assign_product_splits(hashes, given_looks[::-1], SHARES).numbers
    assert found.tolist() == usual[list(order)].tolist()
