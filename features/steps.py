"""Steps: the visible events of every instance, the last ``sequence_length`` of a slice after the event filters."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from features.ragged import Ints, changes, offsets_of, places_of
from features.sessions import Sessions
from features.slices import SliceError, Slices

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US


@dataclass(frozen=True)
class Steps:
    """T steps of N instances, laid end to end; every instance has at least one.

    Attributes:
        sessions: where the events are.
        rows: int64 (N,) which slices the instances are.
        lengths: int64 (N,) steps of each.
        event_rows: int64 (T,) row of ``sessions.events`` of each step.
    """

    sessions: Sessions
    rows: Ints
    lengths: Ints
    event_rows: Ints

    @cached_property
    def offsets(self) -> Ints:
        """int64 (N + 1,): instance n has steps ``offsets[n]`` to ``offsets[n + 1] - 1``."""
        return offsets_of(self.lengths)

    @property
    def first(self) -> Ints:
        """int64 (N,) first step of each instance."""
        return self.offsets[:-1]

    @property
    def last(self) -> Ints:
        """int64 (N,) last step of each instance."""
        return self.offsets[1:] - 1

    @cached_property
    def time_us(self) -> Ints:
        """int64 (T,) time of each step."""
        return self.sessions.time_us[self.event_rows]

    @cached_property
    def position(self) -> Ints:
        """int64 (T,): 0 for the first step of its instance."""
        return np.arange(len(self.event_rows)) - np.repeat(self.first, self.lengths)

    @cached_property
    def since_us(self) -> Ints:
        """int64 (T,) time since the step before; meaningless at the first step of an instance."""
        return changes(self.time_us, 0)


def visible_steps(sessions: Sessions, slices: Slices, hides: tuple[str, ...], sequence_length: int) -> Steps:
    """Returns the steps of every slice that has any.

    Raises:
        SliceError: a slice lies outside its session.
    """
    _check(sessions, slices)
    begin = sessions.offsets[slices.session]
    hidden = np.zeros(sessions.events.num_rows, np.bool_)
    for name in hides:
        hidden |= sessions.mask(event=name)
    if not hidden.any():
        ends = begin + slices.end
        lengths = np.minimum(slices.end - slices.start, sequence_length)
        return _steps(sessions, ends, lengths, None)
    seen = np.flatnonzero(~hidden)
    before = offsets_of((~hidden).astype(np.int64))  # visible events before each row
    ends = before[begin + slices.end]
    lengths = np.minimum(ends - before[begin + slices.start], sequence_length)
    return _steps(sessions, ends, lengths, seen)


def _steps(sessions: Sessions, ends: Ints, lengths: Ints, seen: Ints | None) -> Steps:
    rows = np.flatnonzero(lengths)
    ends, lengths = ends[rows], lengths[rows]
    places = places_of(ends - lengths, lengths)
    return Steps(sessions, rows, lengths, places if seen is None else seen[places])


def _check(sessions: Sessions, slices: Slices) -> None:
    fits: npt.NDArray[np.bool_] = (slices.session >= 0) & (slices.session < len(sessions))
    if fits.all():
        sizes = np.diff(sessions.offsets)[slices.session]
        fits = (slices.start >= 0) & (slices.start <= slices.end) & (slices.end <= sizes)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise SliceError(
            f"slice {row} (session {slices.session[row]}, start {slices.start[row]}, end {slices.end[row]}) lies "
            f"outside the {len(sessions)} sessions; a slice has 0 <= start <= end <= events of its session"
        )
