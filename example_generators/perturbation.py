"""Sessions with another future: what the linter asks the coder and the generator about again."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.sessions import VISITOR, Sessions
from features.slices import Slices

INTACT, REMOVED, SHUFFLED, ALTERED = "intact", "removed", "shuffled", "altered"
FUTURES = (REMOVED, SHUFFLED, ALTERED)
"""What may become of the events from some place on.

``removed``: the session stops there. ``shuffled``: what happens changes order, its times do not. ``altered``: other
events of the data (names, properties, all) happen in their place, and later.
"""

_DELAY_US = 3_600_000_000


def with_future(
    sessions: Sessions,
    session: npt.NDArray[np.int64],
    since: npt.NDArray[np.int64],
    future: str,
    rng: np.random.Generator,
) -> Sessions:
    """Returns N sessions, the k-th being ``session[k]`` with its future as named.

    Args:
        sessions: where the sessions are.
        session: int64 (N,) index of each; none should come twice, lest a visitor seem to have two sessions.
        since: int64 (N,) place in the session, above 0, where its future begins.
        future: ``intact`` or one of ``FUTURES``.
        rng: draws the orders and the events.
    """
    first = sessions.offsets[session]
    count = np.diff(sessions.offsets)[session]
    if future == REMOVED:
        count = np.minimum(count, since)
    offsets = np.concatenate(([0], np.cumsum(count)))
    owner = np.repeat(np.arange(len(session)), count)
    place = np.arange(offsets[-1]) - offsets[owner]
    rows = first[owner] + place
    later = np.flatnonzero(place >= since[owner])
    shown = rows.copy()
    time_us = sessions.time_us[rows]
    if future == SHUFFLED:
        shown[later] = rows[later[np.lexsort((rng.random(len(later)), owner[later]))]]
    elif future == ALTERED:
        shown[later] = rng.integers(0, len(sessions.time_us), len(later))
        now_us = time_us[offsets[owner[later]] + since[owner[later]] - 1]
        time_us[later] += time_us[later] - now_us + _DELAY_US
    events = sessions.events.take(pa.array(shown))
    columns = {name: _compact(events.column(name)) for name in events.column_names}
    columns[VISITOR] = _compact(sessions.events.column(VISITOR).take(pa.array(rows)))
    columns["timestamp_us"] = pa.array(time_us)
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
