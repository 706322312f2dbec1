"""Where an instance begins: what training found in whole histories, found again in a visitor's recent events.

Training makes instances of slices, which a generator chose with a session's past and future in view. The service has
the events up to now and no generator. Both begin an instance after the last event named in ``begins_after``, or with
the session, so both code the same events.
"""

from collections.abc import Sequence

import numpy as np

from features.ragged import Ints
from features.sessions import VISITOR, Sessions
from features.slices import CENSORED, Slices
from features.spec import FeatureSpec


def current_slices(sessions: Sessions, spec: FeatureSpec) -> Slices:
    """Returns one slice a visitor: of the last session, from after the last ``begins_after`` event to the end.

    Args:
        sessions: made by ``build_sessions`` with the gap of ``spec.session_rules``, without a limit of events.
        spec: says what no instance reaches back beyond.

    Returns:
        V slices in the order of the visitors, label ``CENSORED`` and no stats. A slice is empty (start equal to end)
        where nothing came after such an event, and the coder then makes no instance of it.
    """
    codes, _ = sessions.codes(VISITOR)
    owner = codes[sessions.offsets[:-1]]
    last = np.flatnonzero(np.diff(owner, append=-2))
    end = sessions.offsets[last + 1] - sessions.offsets[last]
    start = beginnings(sessions, last, end, spec.begins_after)
    return Slices(last, start, end, np.full(len(last), CENSORED, np.int64))


def beginnings(sessions: Sessions, session: Ints, end: Ints, begins_after: Sequence[str]) -> Ints:
    """Returns where an instance that ends at ``end`` begins, int64 (N,), counted within its session.

    Args:
        sessions: where the sessions are.
        session: int64 (N,) index of each instance's session.
        end: int64 (N,) one past the last event that it sees, within the session.
        begins_after: names of the events that it does not reach back beyond.
    """
    start = np.zeros(len(session), np.int64)
    first = sessions.offsets[session]
    for name in begins_after:
        rows, _ = sessions.positions(event=name)
        after = np.append(0, rows + 1)[np.searchsorted(rows, first + end)]  # one past the last such row before the end
        np.maximum(start, after - first, out=start)
    return start
