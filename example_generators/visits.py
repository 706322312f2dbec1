"""Visits: runs of a visitor's events that no inactivity of 30 minutes interrupts, within the visitor's one session.

Generators that look from one visit to the next need all of a visitor's events in one session, so they refuse sessions
that were already cut by inactivity: there the next visit would be out of sight and every answer a wrong 0.
"""

import numpy as np
import numpy.typing as npt

from example_generators.errors import GeneratorError
from features.sessions import VISITOR, Session, Sessions

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


def visit_ends(session: Session, gap_seconds: float) -> list[int]:
    """Returns the positions of the last events of a session's visits.

    Raises:
        GeneratorError: the session is not all of its visitor's events.
    """
    codes, _ = session.sessions.codes(VISITOR)
    first = session.sessions.offsets[session.index]
    if first and codes[first - 1] == codes[first]:
        _refuse(session.sessions, int(first))
    time_us = session.time_us
    return [*np.flatnonzero(np.diff(time_us) > round(gap_seconds * SECOND_US)).tolist(), len(time_us) - 1]


def visit_ends_of(sessions: Sessions, gap_seconds: float) -> npt.NDArray[np.int64]:
    """Returns int64 (V,): the rows of the last events of all visits.

    Raises:
        GeneratorError: a session is not all of its visitor's events.
    """
    codes, _ = sessions.codes(VISITOR)
    cut = sessions.offsets[1:-1]
    split = cut[codes[cut - 1] == codes[cut]]
    if len(split):
        _refuse(sessions, int(split[0]))
    ends = np.diff(sessions.time_us, append=0) > round(gap_seconds * SECOND_US)
    ends[sessions.offsets[1:] - 1] = True
    return np.flatnonzero(ends)


def _refuse(sessions: Sessions, row: int) -> None:
    codes, distinct = sessions.codes(VISITOR)
    raise GeneratorError(
        f"visitor {distinct[int(codes[row])].as_py()!r} has several sessions, but this generator looks from one visit "
        "to the next; keep all of a visitor's events in one session: leave the inactivity gap of the sessions out"
    )
