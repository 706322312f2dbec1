"""Slicing at outcomes, the paper's way: at the positive event, or where the session ends.

It is the natural reading of "did this visit end in a purchase?", and it is what a model that answers at any moment
should not be trained on alone: the cut itself knows the outcome, so length and position can give the answer away.
``augury check-generator`` measures how much; ``purchase_points`` slices without looking ahead.
"""

from collections.abc import Iterator

import numpy as np

from example_generators.stats import browsing_stats, browsing_stats_of
from features.sessions import Session, Sessions
from features.slices import Slice, Slices


def outcome_slices(session: Session, event: str) -> Iterator[Slice]:
    """Yields a slice labelled 1 up to each ``event``, and one labelled 0 over what follows the last of them.

    An event that directly follows another (or opens the session) leaves nothing to see and gives no slice.
    """
    time_us = session.time_us
    start = 0
    for i in session.where(event=event):
        if i > start:
            yield Slice(start, i, 1, browsing_stats(time_us, start, i))
        start = i + 1
    end = len(time_us)
    if start < end:
        yield Slice(start, end, 0, browsing_stats(time_us, start, end))


def outcome_slices_of(sessions: Sessions, event: str) -> Slices:
    """Returns what ``outcome_slices`` yields, for all sessions at once."""
    rows, bounds = sessions.positions(event=event)
    offsets, count = sessions.offsets, len(sessions)
    # An outcome's slice begins after the outcome before it, a session's last slice after its last outcome.
    after = np.concatenate(([0], rows + 1))  # (P + 1,): one past outcome k - 1
    hit_session = sessions.session_of[rows]
    hit_start = np.maximum(offsets[hit_session], after[:-1])
    tail_session = np.arange(count)
    tail_start = np.maximum(offsets[:-1], after[bounds[1:]])

    session = np.concatenate((hit_session, tail_session))
    start = np.concatenate((hit_start, tail_start))
    end = np.concatenate((rows, offsets[1:]))
    label = np.repeat(np.array([1, 0], np.int64), (len(rows), count))
    order = np.argsort(session, kind="stable")  # the tail of a session comes after its outcomes, as it ends last
    order = order[start[order] < end[order]]
    session, start, end, label = session[order], start[order], end[order], label[order]
    start, end = start - offsets[session], end - offsets[session]
    return Slices(session, start, end, label, browsing_stats_of(sessions, session, start, end))
