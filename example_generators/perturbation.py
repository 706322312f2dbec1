"""Sessions with another future: what the linter asks the coder and the generator about again."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sessions import VISITOR, Sessions
from features.slices import Slices

INTACT, REMOVED, SHUFFLED, ALTERED = "intact", "removed", "shuffled", "altered"
FUTURES = (REMOVED, SHUFFLED, ALTERED)
"""What may become of the events at and after a slice's ``end``.

``removed``: the session stops there. ``shuffled``: what happens changes order, its times do not. ``altered``: other
events of the data (names, properties, all) happen in their place, and later.
"""

_TIMES = ("timestamp_us", "received_at_us")
_DELAY_US = 3_600_000_000


def with_future(sessions: Sessions, slices: Slices, future: str, rng: np.random.Generator) -> Sessions:
    """Returns N sessions, the k-th holding the session of slice k with its future as named.

    Args:
        sessions: the sessions that the slices were cut from.
        slices: N slices, at most one of a session where ``visit_ends`` must not see a visitor twice in a row.
        future: ``intact`` or one of ``FUTURES``.
        rng: draws the orders and the events.
    """
    first = sessions.offsets[slices.session]
    count = slices.end if future == REMOVED else np.diff(sessions.offsets)[slices.session]
    offsets = np.concatenate(([0], np.cumsum(count)))
    owner = np.repeat(np.arange(len(slices)), count)
    place = np.arange(offsets[-1]) - offsets[owner]
    rows = first[owner] + place
    later = np.flatnonzero(place >= slices.end[owner])
    shown = rows.copy()
    time_us = sessions.time_us[rows]
    if future == SHUFFLED:
        shown[later] = rows[later[np.lexsort((rng.random(len(later)), owner[later]))]]
    elif future == ALTERED:
        shown[later] = rng.integers(0, len(sessions.time_us), len(later))
        now_us = time_us[offsets[owner[later]] + slices.end[owner[later]] - 1]
        time_us[later] += time_us[later] - now_us + _DELAY_US
    events = sessions.events.take(pa.array(shown))
    columns = {name: _compact(events.column(name)) for name in events.column_names if name not in _TIMES}
    columns[VISITOR] = _compact(sessions.events.column(VISITOR).take(pa.array(rows)))
    columns |= {name: pa.array(time_us) for name in _TIMES if name in events.column_names}
    return Sessions(pa.table(columns), offsets, sessions.window)


def one_per_session(slices: Slices) -> list[npt.NDArray[np.int64]]:
    """Returns the rows of the slices in groups, none of which has two slices of one session."""
    starts = np.flatnonzero(np.diff(slices.session, prepend=-1))
    rank = np.arange(len(slices)) - np.repeat(starts, np.diff(starts, append=len(slices)))
    order = np.argsort(rank, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(rank[order])) + 1)


def _compact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the column with no more distinct strings than it uses: parsing them is what a coder pays for."""
    if not pa.types.is_dictionary(column.type):
        return column.combine_chunks()
    return column.cast(column.type.value_type).dictionary_encode().combine_chunks()
