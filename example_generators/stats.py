"""The stats that the shipped generators attach to every slice, in both forms.

Stats slice the evaluation later ("does the model still rank visitors who stay under a minute?"); they are never
features.
"""

import numpy as np
import numpy.typing as npt

from features.sessions import Sessions

BROWSING_STATS = ("clicks", "time_on_site_seconds")
"""``clicks``: events in the slice. ``time_on_site_seconds``: from its first event to its last."""

_SECOND_US = 1_000_000


def browsing_stats(time_us: npt.NDArray[np.int64], start: int, end: int) -> dict[str, float]:
    """Returns the stats of one slice, given the session's event times, int64 (len,)."""
    return {"clicks": end - start, "time_on_site_seconds": int(time_us[end - 1] - time_us[start]) / _SECOND_US}


def browsing_stats_of(
    sessions: Sessions,
    session: npt.NDArray[np.int64],
    start: npt.NDArray[np.int64],
    end: npt.NDArray[np.int64],
) -> dict[str, npt.NDArray[np.float32]]:
    """Returns the stats of N slices as float32 (N,) columns; all arguments are int64 (N,), as in ``Slices``."""
    first = sessions.offsets[session]
    span_us = sessions.time_us[first + end - 1] - sessions.time_us[first + start]
    return {
        "clicks": (end - start).astype(np.float32),
        "time_on_site_seconds": (span_us / _SECOND_US).astype(np.float32),
    }
