"""Lists of different lengths laid end to end: a flat array and the length of every list."""

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def offsets_of(lengths: Ints) -> Ints:
    """Returns int64 (R + 1,): list r of R is ``flat[offsets[r] : offsets[r + 1]]``."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def places_of(starts: Ints, lengths: Ints) -> Ints:
    """Returns the places ``starts[r], starts[r] + 1, ..`` of each list in turn, int64 (sum(lengths),)."""
    offsets = offsets_of(lengths)
    places = np.arange(offsets[-1])
    places += np.repeat(starts - offsets[:-1], lengths)
    return places


def take_lists(flat: Ints, offsets: Ints, rows: Ints) -> tuple[Ints, Ints]:
    """Returns the lists at ``rows`` laid end to end, and their lengths."""
    starts = offsets[rows]
    lengths = offsets[1:][rows] - starts
    return flat[places_of(starts, lengths)], lengths


def changes(values: npt.NDArray[Any], before: int) -> npt.NDArray[Any]:
    """Returns what ``np.diff(values, prepend=before)`` does, at a fifth of its cost where there are few values."""
    made = np.empty_like(values)
    made[:1] = values[:1] - before
    np.subtract(values[1:], values[:-1], out=made[1:])
    return made
