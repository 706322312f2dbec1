"""Hash buckets: a set of strings as the set bits of a vector of m, a Bloom filter with one hash function.

Algorithm 1 of Zap (https://arxiv.org/abs/1807.06046): start from m zeros; for every string s set bit
``murmur3(s, seed) mod m``. Two strings may share a bit; how often they do is what ``features.inspection`` measures.
"""

from collections.abc import Iterable
from functools import lru_cache

import mmh3
import numpy as np
import numpy.typing as npt


@lru_cache(maxsize=1 << 16)  # segments, query keys and the like recur in one URL after another
def bucket_of(text: str, size: int, seed: int) -> int:
    """Returns the bucket of a string, 0 to ``size`` - 1: unsigned 32-bit murmur3 of its UTF-8 bytes, mod ``size``."""
    # a lone surrogate has no UTF-8 form; Arrow strings cannot hold one, decoded URLs and JSON might
    return int(mmh3.hash(text.encode("utf-8", "surrogatepass"), seed, signed=False) % size)


def hash_buckets(strings: Iterable[str], size: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Returns the set bits of Algorithm 1: sorted distinct int64 (K,), each 0 to ``size`` - 1.

    Args:
        strings: the set; order and repetition make no difference.
        size: number of buckets m, at least 1.
        seed: unsigned 32-bit seed of the hash.
    """
    return np.array(sorted({bucket_of(text, size, seed) for text in strings}), np.int64)
