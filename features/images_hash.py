"""Images that look alike: a perceptual hash, and groups of near-duplicates among many hashes."""

import cv2
import numpy as np
import numpy.typing as npt

from features.images import Pixels
from features.strict import whole

Hashes = npt.NDArray[np.uint64]

BITS = 64

_SIDE = 32
_FREQUENCIES = 8
_FLAT = 1e-2
_PAIRS_AT_ONCE = 4_000_000


def perceptual_hash(image: Pixels) -> np.uint64:
    """Hashes what an image looks like: equal or few bits apart for copies that were scaled, compressed or toned.

    The DCT hash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), section
    3.2.1: grey, averaged to 32x32, DCT-II, the 8x8 lowest frequencies but the constant ones; a bit says whether a
    coefficient is greater than their median. Coefficients of less than a hundredth count as 0, so an image of one
    colour has the hash 0, whatever the colour.

    Args:
        image: uint8 (H, W, 3), RGB.

    Returns:
        64 bits, the lowest vertical frequency in the highest eight.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    low = _DCT @ small @ _DCT.T
    low[np.abs(low) < _FLAT] = 0
    return np.packbits(low > np.median(low)).view(">u8")[0].astype(np.uint64)  # type: ignore[no-any-return]


def bits_apart(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Returns in how many bits hashes differ, 0 to 64, broadcast."""
    return np.bitwise_count(np.bitwise_xor(np.asarray(one, np.uint64), np.asarray(other, np.uint64)))


def near_duplicates(hashes: Hashes, most_bits: int) -> npt.NDArray[np.int64]:
    """Groups hashes: who is at most so many bits from somebody of a group belongs to it, and so on along the chain.

    Hashes that differ in at most k bits are equal in at least one of k + 1 parts of their bits (Norouzi, Punjani and
    Fleet, "Fast Search in Hamming Space with Multi-Index Hashing", CVPR 2012), so only hashes that share a part are
    compared.

    Args:
        hashes: uint64 (N,).
        most_bits: the greatest distance of near-duplicates, 0 to 31; 0 groups equal hashes alone.

    Returns:
        int64 (N,): for each hash the index of the first of its group; its own where it is alone.
    """
    whole("most_bits", most_bits, 0, BITS // 2 - 1)
    distinct, first, back = np.unique(hashes.astype(np.uint64), return_index=True, return_inverse=True)
    # Numbered by first appearance, so that the least number of a group is its first hash's.
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    codes, groups = distinct[order], np.arange(len(order))
    for number in range(most_bits + 1 if most_bits else 0):
        groups = _join_where_part_is_equal(codes, groups, _part(number, most_bits + 1), most_bits)
    return first[order][groups][rank[back]].astype(np.int64)


def _part(number: int, parts: int) -> np.uint64:
    """Returns the mask of one of so many parts of 64 bits, of nearly equal lengths."""
    start, end = BITS * number // parts, BITS * (number + 1) // parts
    return np.uint64(((1 << (end - start)) - 1) << start)


def _join_where_part_is_equal(
    codes: Hashes, groups: npt.NDArray[np.int64], mask: np.uint64, most_bits: int
) -> npt.NDArray[np.int64]:
    parts = codes & mask
    by_part = np.argsort(parts, kind="stable")
    starts = np.flatnonzero(np.diff(parts[by_part])) + 1
    for bucket in np.split(by_part, starts):
        rows = max(1, _PAIRS_AT_ONCE // max(1, len(bucket)))
        for at in range(0, len(bucket) - 1, rows):
            some, later = bucket[at : at + rows], bucket[at + 1 :]
            near = bits_apart(codes[some][:, None], codes[later]) <= most_bits
            a, b = np.nonzero(near)
            groups = _join(groups, some[a], later[b])
    return groups


def _join(
    groups: npt.NDArray[np.int64], some: npt.NDArray[np.int64], others: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Joins the groups of each pair: the lesser number wins, and numbers always lead to their group's least."""
    while True:
        a, b = groups[some], groups[others]
        apart = a != b
        if not apart.any():
            return groups
        some, others, a, b = some[apart], others[apart], a[apart], b[apart]
        np.minimum.at(groups, np.maximum(a, b), np.minimum(a, b))
        while True:
            nearer = groups[groups]
            if np.array_equal(nearer, groups):
                break
            groups = nearer


def _dct_rows() -> npt.NDArray[np.float64]:
    """Returns rows 1 to 8 of the orthonormal DCT-II of 32 points."""
    frequency, place = np.mgrid[1 : _FREQUENCIES + 1, 0:_SIDE]
    rows: npt.NDArray[np.float64] = np.sqrt(2 / _SIDE) * np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))
    return rows


_DCT = _dct_rows()
