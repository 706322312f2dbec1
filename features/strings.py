"""Every distinct string of a column described once: as integers, and as the hash buckets it sets."""

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from features.ragged import Ints

Description = tuple[Sequence[int], tuple[int, ...]]
"""What is known of a string: its buckets, and the numbers that its kind of column has."""


class Names:
    """Strings numbered 0, 1, 2, ... in the order they were first seen."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def number(self, name: object) -> int:
        """Returns the number of a name."""
        return self._numbers.setdefault(name, len(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def listed(self) -> list[str]:
        """Returns the names in the order of their numbers."""
        return [str(name) for name in self._numbers]


class StringTable:
    """The descriptions of the strings met so far, as columns.

    Strings with the same buckets share a profile: there are far fewer of them than of, say, URLs.
    """

    def __init__(self, describe: Callable[[str | None], Description], width: int, lock: threading.Lock) -> None:
        """Sets what describes a string (None is one too), how many numbers it gives, and the lock to hold."""
        self._describe = describe
        self._rows: dict[str | None, int] = {}
        self._profiles = Names()
        self._numbers = _Growing(1 + width)
        self._buckets = _Growing(1)
        self._ends = _Growing(1)
        self._ends.extend([0])
        self._lock = lock

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def profiles(self) -> int:
        """Number of profiles."""
        return len(self._profiles)

    def rows(self, strings: pa.Array) -> Ints:
        """Returns int64 (D + 1,): the row of each string, and in the last place that of null."""
        with self._lock:
            known = self._rows
            asked = [*strings.to_pylist(), None]
            found = [known.get(text, -1) for text in asked]
            if -1 in found:
                self._add([text for text, row in zip(asked, found, strict=True) if row < 0])
                found = [known[text] for text in asked]
        return np.array(found, np.int64)

    def profile(self, rows: Ints) -> Ints:
        """Returns the profile of each row."""
        return self._numbers.array[:, 0][rows]

    def column(self, place: int, rows: Ints) -> Ints:
        """Returns the number at ``place`` of each row's description."""
        return self._numbers.array[:, 1 + place][rows]

    def buckets(self) -> tuple[Ints, Ints]:
        """Returns the buckets of all profiles laid end to end, and the offsets of each profile in them."""
        return self._buckets.array[:, 0], self._ends.array[:, 0]

    def _add(self, strings: list[str | None]) -> None:
        numbers: list[tuple[int, ...]] = []
        buckets: list[int] = []
        ends: list[int] = []
        last = len(self._buckets.array)
        for text in strings:
            if text in self._rows:
                continue
            bits, values = self._describe(text)
            self._rows[text] = len(self._rows)
            known = len(self._profiles)
            profile = self._profiles.number(tuple(bits))
            numbers.append((profile, *values))
            if profile == known:
                buckets.extend(bits)
                ends.append(last + len(buckets))
        self._numbers.extend(numbers)
        self._buckets.extend(buckets)
        self._ends.extend(ends)


class _Growing:
    """An int64 array (n, width) that doubles its room, so that adding to it costs no copy of the whole each time."""

    def __init__(self, width: int) -> None:
        self._data = np.empty((256, width), np.int64)
        self._used = 0

    @property
    def array(self) -> Ints:
        return self._data[: self._used]

    def extend(self, rows: Sequence[int] | Sequence[tuple[int, ...]]) -> None:
        if not len(rows):
            return
        added = np.array(rows, np.int64).reshape(len(rows), -1)
        needed = self._used + len(added)
        if needed > len(self._data):
            room = np.empty((max(needed, 2 * len(self._data)), self._data.shape[1]), np.int64)
            room[: self._used] = self.array
            self._data = room
        self._data[self._used : needed] = added
        self._used = needed
