"""Which split each product belongs to: products whose photos look alike are never in two of them."""

from collections.abc import Iterable
from dataclasses import dataclass

import mmh3
import numpy as np
import numpy.typing as npt

from transforms.image_sets import Looks, SplitShares, find_alike

UNREAD = -1


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
    splits = np.full(len(hashes), UNREAD, np.int8)
    alike = find_alike(list(looks), shares.near_bits)
    least = np.full(len(alike.numbers), np.iinfo(np.uint32).max, np.uint32)
    np.minimum.at(least, alike.firsts, hashes[alike.numbers])
    splits[alike.numbers] = shares.split_of(least[alike.firsts] / 2**32)
    return ProductSplits(splits, len(alike.sizes), int(alike.sizes.sum()))
