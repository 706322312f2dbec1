"""Slices: where to predict and what the answer was, as one tuple and as columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.errors import AuguryError

CENSORED = -1
"""The label of a slice whose answer lies past the end of the data: left out of the examples and counted, never a 0."""


class SliceError(AuguryError, ValueError):
    """A slice that lies outside its session, or columns that do not fit together."""


class Slice(NamedTuple):
    """One instance of one session: it sees events ``start`` to ``end - 1``, so it cannot see its own future.

    Attributes:
        start: first event, counted within the session.
        end: one past the last event, counted within the session; greater than ``start``.
        label: class index, 0 to classes - 1; or ``CENSORED`` where the answer is not known yet.
        stats: values kept beside the example for later slicing of metrics; never features.
    """

    start: int
    end: int
    label: int
    stats: Mapping[str, float] = {}


@dataclass(frozen=True)
class Slices:
    """The slices of many sessions, as columns of equal length N, ordered by session, then by ``end``.

    Attributes:
        session: int64 (N,) index into the ``Sessions``.
        start: int64 (N,) first event, within the session.
        end: int64 (N,) one past the last event, within the session.
        label: int64 (N,) class index or ``CENSORED``.
        stats: name -> float32 (N,).
    """

    session: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    stats: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes = {len(self.session), len(self.start), len(self.end), len(self.label), *map(len, self.stats.values())}
        if len(sizes) > 1:
            raise SliceError(f"slice columns have lengths {sorted(sizes)}; expected one common length")

    def __len__(self) -> int:
        return len(self.session)

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Slices":
        """Returns the slices at ``rows`` (indices or a boolean mask)."""
        return Slices(
            self.session[rows],
            self.start[rows],
            self.end[rows],
            self.label[rows],
            {name: values[rows] for name, values in self.stats.items()},
        )

    @classmethod
    def from_rows(cls, per_session: Iterable[Iterable[Slice]], stats: Sequence[str] = ()) -> "Slices":
        """Gathers the slices of session 0, 1, 2, ... into columns.

        Raises:
            SliceError: a slice carries other stats than ``stats``.
        """
        rows: list[tuple[int, Slice]] = [(i, row) for i, found in enumerate(per_session) for row in found]
        wanted = set(stats)
        for i, row in rows:
            if row.stats.keys() != wanted:
                raise SliceError(
                    f"slice {row[:3]} of session {i} has stats {sorted(row.stats)}; the generator declares "
                    f"{sorted(wanted)}"
                )
        return cls(
            np.array([i for i, _ in rows], np.int64),
            np.array([row.start for _, row in rows], np.int64),
            np.array([row.end for _, row in rows], np.int64),
            np.array([row.label for _, row in rows], np.int64),
            {name: np.array([row.stats[name] for _, row in rows], np.float32) for name in stats},
        )
