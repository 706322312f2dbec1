"""What the jobs that turn images into examples have in common: where files go, what images look like, shares of splits.

Image bytes never cross from one stage to the next: they wait in spool files, in the data set's folder while it is being
written. What crosses is hashes, counts and the names of spool files.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.images_hash import near_duplicates


@dataclass(frozen=True)
class ImageLayout:
    """Where the files of a data set of images go.

    Attributes:
        folder: the (staged) folder.
        shards: number of shards, which is in every file name.
        flush: whether every file is flushed to the disk by itself.
    """

    folder: str
    shards: int
    flush: bool = True

    def examples_path(self, split: str, shard: int) -> str:
        """Returns the TFRecord file of one shard of a split."""
        return f"{self.folder}/{split}/examples-{shard:05d}-of-{self.shards:05d}.tfrecord"

    @property
    def spool(self) -> str:
        """The folder of spool files; it is gone when the data set is in place."""
        return f"{self.folder}/.spool"

    def spool_path(self, number: int) -> str:
        """Returns the spool file of what is read together, by a number of its own."""
        return f"{self.spool}/images-{number:07d}.arrow"


@dataclass(frozen=True)
class Looks:
    """What some images look like.

    Attributes:
        numbers: int32 (N,), of the images.
        hashes: uint64 (N,), perceptual hashes.
    """

    numbers: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SplitShares:
    """How images that belong to no split are divided.

    Attributes:
        validation: share of validation.
        test: share of test.
        seed: of the hash that decides.
        near_bits: images whose perceptual hashes differ in at most so many of 64 bits are near-duplicates; None
            looks for none.
    """

    validation: float = 0.1
    test: float = 0.1
    seed: int = 0
    near_bits: int | None = 4

    def split_of(self, share: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Returns the index in ``features.splits.SPLITS`` of hashes as shares of their range, each from 0 to 1."""
        return np.digitize(np.asarray(share, np.float64), [1 - self.validation - self.test, 1 - self.test])


@dataclass(frozen=True)
class Alike:
    """The images that were read, in the order of their numbers, in groups of near-duplicates.

    Attributes:
        numbers: int32 (N,), of the images.
        firsts: int64 (N,): for each, the place of the first of its group.
    """

    numbers: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int64]

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """int64 (groups,): of the groups of two images or more."""
        sizes = np.bincount(self.firsts)
        return sizes[sizes > 1]


def find_alike(looks: Sequence[Looks], near_bits: int | None) -> Alike:
    """Returns the groups of near-duplicates.

    Args:
        looks: of the images that were read.
        near_bits: as ``SplitShares`` has it.
    """
    if not sum(len(some.numbers) for some in looks):
        return Alike(np.zeros(0, np.int32), np.zeros(0, np.int64))
    numbers = np.concatenate([some.numbers for some in looks])
    order = np.argsort(numbers)
    hashes = np.concatenate([some.hashes for some in looks])[order]
    return Alike(numbers[order], np.arange(len(order)) if near_bits is None else near_duplicates(hashes, near_bits))
