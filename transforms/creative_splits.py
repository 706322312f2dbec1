"""Which split each product belongs to: products whose photos look alike are never in two of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import mmh3
import numpy as np
import numpy.typing as npt

from features.images_hash import near_duplicates
from transforms.creative_work import Looks

UNREAD = -1


@dataclass(frozen=True)
class SplitShares:
    """How products are divided.

    Attributes:
        validation: share of validation.
        test: share of test.
        seed: of the hash that decides.
        near_bits: photos whose perceptual hashes differ in at most so many of 64 bits are near-duplicates; None looks
            for none.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    near_bits: int | None = 4


@dataclass(frozen=True)
class ProductSplits:
    """The split of every product of a job.

    Attributes:
        numbers: int8 (products,): index in ``features.splits.SPLITS``, or ``UNREAD`` where the photo could not be read.
        groups: number of groups of products with near-duplicate photos, of two or more.
        grouped: number of products in them.
    """

    numbers: npt.NDArray[np.int8]
    groups: int
    grouped: int


def split_hashes(products: Iterable[str], seed: int) -> npt.NDArray[np.uint32]:
    """Returns a seeded hash of each product's id, uint32: whatever else is in the catalogue, it stays the same."""
    return np.array([mmh3.hash(product, seed, signed=False) for product in products], np.uint32)


def assign_product_splits(hashes: npt.NDArray[np.uint32], looks: Iterable[Looks], shares: SplitShares) -> ProductSplits:
    """Assigns every product whose photo was read to a split.

    The hash of its id decides; a group of near-duplicates goes where the least hash of its members sends it, which does
    not depend on the order of the catalogue.

    Args:
        hashes: uint32 (products,), what ``split_hashes`` returned.
        looks: of the photos that were read.
        shares: how to divide.
    """
    looks = list(looks)
    splits = np.full(len(hashes), UNREAD, np.int8)
    if not sum(len(some.numbers) for some in looks):
        return ProductSplits(splits, 0, 0)
    numbers = np.concatenate([some.numbers for some in looks])
    order = np.argsort(numbers)
    numbers = numbers[order]
    alike = np.concatenate([some.hashes for some in looks])[order]
    firsts = np.arange(len(numbers)) if shares.near_bits is None else near_duplicates(alike, shares.near_bits)
    least = np.full(len(numbers), np.iinfo(np.uint32).max, np.uint32)
    np.minimum.at(least, firsts, hashes[numbers])
    share = least[firsts] / 2**32
    splits[numbers] = np.digitize(share, [1 - shares.validation - shares.test, 1 - shares.test])
    sizes = np.bincount(firsts)
    return ProductSplits(splits, int((sizes > 1).sum()), int(sizes[sizes > 1].sum()))
