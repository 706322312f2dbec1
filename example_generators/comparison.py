"""Telling two codings of the same instances apart, part by part."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt


def differences(before: Any, after: Any, count: int) -> Iterator[tuple[str, int]]:
    """Yields (part, number of instances that differ in it) for every part that is not bit for bit the same.

    Args:
        before: coded instances of ``count`` slices; a slice that was dropped is an empty instance.
        after: the same slices coded again. ``event_rows`` point into other tables and are not compared.
        count: number of slices.
    """
    first, second = _parts(before), _parts(after)
    for part, (values, bounds) in first.items():
        others, other_bounds = second[part]
        if np.array_equal(bounds, other_bounds) and values.tobytes() == others.tobytes():
            continue
        old, new = _instances(before.rows, values, bounds, count), _instances(after.rows, others, other_bounds, count)
        different = sum(x != y for x, y in zip(old, new, strict=True))
        if different:
            yield part, different


def _parts(coded: Any) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[np.int64]]]:
    """Returns part -> flat values, and int64 (N + 1,) offsets of the instances in them."""
    steps = np.concatenate(([0], np.cumsum(coded.lengths)))
    bits = np.concatenate(([0], np.cumsum(coded.hash_lengths)))[steps]
    ones = np.arange(len(coded.rows) + 1)
    return {
        "hash": (coded.hash_values, bits),
        "hash lengths": (coded.hash_lengths, steps),
        **{f"step {name}": (values, steps) for name, values in coded.steps.items()},
        **{f"metadata {name}": (values, ones) for name, values in coded.metadata.items()},
        "last time": (coded.last_time_us, ones),
    }


def _instances(
    rows: npt.NDArray[np.int64], values: npt.NDArray[Any], bounds: npt.NDArray[np.int64], count: int
) -> list[bytes]:
    found = [b""] * count
    for row, first, last in zip(rows.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        found[row] = values[first:last].tobytes()
    return found
