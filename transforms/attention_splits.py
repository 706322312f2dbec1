"""Which split each image belongs to: official splits respected, near-duplicates never in two of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mmh3
import numpy as np
import numpy.typing as npt

from features.splits import SPLITS
from transforms.attention_work import ImageTask
from transforms.image_sets import Looks, SplitShares, find_alike

NEAR_DUPLICATE = "near_duplicate_in_another_split"

UNREAD = -2
LEFT_OUT = -1


@dataclass(frozen=True)
class ImageSplits:
    """The split of every image of a job.

    Attributes:
        numbers: int8 (images,): index in ``SPLITS``, ``LEFT_OUT``, or ``UNREAD`` where the image could not be read.
        groups: number of groups of near-duplicates, of two images or more.
        grouped: number of images in them.
    """

    numbers: npt.NDArray[np.int8]
    groups: int
    grouped: int


def assign_image_splits(images: Sequence[ImageTask], looks: Iterable[Looks], shares: SplitShares) -> ImageSplits:
    """Assigns every image that was read to a split.

    Near-duplicates, across all sets, share one split. An official split is never changed: where a group has images of
    several official splits, those of test stay, and those of train (and of validation, if test has one) are left out,
    since what is tested must not have been seen. An image without an official split follows those of its group that
    have one; a group without any goes where the seeded hash of its first image sends it.

    Args:
        images: all images of the job.
        looks: of those that were read.
        shares: how to divide.
    """
    splits = np.full(len(images), UNREAD, np.int8)
    alike = find_alike(list(looks), shares.near_bits)
    numbers, firsts = alike.numbers, alike.firsts
    official = np.array([_official(images[number]) for number in numbers.tolist()], np.int8)
    highest = np.full(len(numbers), UNREAD, np.int8)
    np.maximum.at(highest, firsts, official)  # by group, at the place of its first image
    for place in np.flatnonzero((firsts == np.arange(len(numbers))) & (highest < 0)).tolist():
        highest[place] = _hashed(images[numbers[place]], shares)
    group = highest[firsts]
    splits[numbers] = np.where((official >= 0) & (official < group), LEFT_OUT, group)
    return ImageSplits(splits, len(alike.sizes), int(alike.sizes.sum()))


def _official(task: ImageTask) -> int:
    return UNREAD if task.split is None else SPLITS.index(task.split)


def _hashed(task: ImageTask, shares: SplitShares) -> int:
    share = mmh3.hash(f"{task.set_name}/{task.image}", shares.seed, signed=False) / 2**32
    return int(shares.split_of(share))
