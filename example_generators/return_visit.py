"""Return visits: what follows a visit within some days."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from example_generators import checks
from example_generators.base import ExampleGenerator
from example_generators.stats import BROWSING_STATS, browsing_stats, browsing_stats_of
from example_generators.visits import DAY_US, visit_ends, visit_ends_of
from features.sessions import Session, Sessions
from features.slices import CENSORED, Slice, Slices


@dataclass(frozen=True)
class ReturnVisit(ExampleGenerator):
    """Will this visitor come back within N days? Asked at the end of every visit.

    One slice a visit, of all that the visitor did up to its end; label 1 where the next visit begins in time. A visit
    whose N days end after the data does is censored, whether or not the visitor has come back already: to keep only
    those that have would raise the label rate near the end of the data.

    Attributes:
        days: within how many days of the visit's last event the next visit must begin.
        visit_gap_seconds: inactivity that separates two visits.
    """

    days: float = 7.0
    visit_gap_seconds: float = 1800.0

    stats = BROWSING_STATS

    def __post_init__(self) -> None:
        checks.more_than(0, visit_gap_seconds=self.visit_gap_seconds)
        checks.more_than(self.visit_gap_seconds / 86_400, days=self.days)

    def slices(self, session: Session) -> Iterator[Slice]:
        time_us, length = session.time_us, len(session)
        for last in visit_ends(session, self.visit_gap_seconds):
            until_us = int(time_us[last]) + self._within_us
            label = int(last + 1 < length and time_us[last + 1] <= until_us)
            if until_us >= session.window.end_us:
                label = CENSORED
            yield Slice(0, last + 1, label, browsing_stats(time_us, 0, last + 1))

    def slices_of(self, sessions: Sessions) -> Slices:
        time_us, offsets = sessions.time_us, sessions.offsets
        last = visit_ends_of(sessions, self.visit_gap_seconds)
        session = sessions.session_of[last]
        until_us = time_us[last] + self._within_us
        returned = (last + 1 < offsets[session + 1]) & (np.append(time_us, 0)[last + 1] <= until_us)
        label = np.where(until_us >= sessions.window.end_us, CENSORED, returned)
        start, end = np.zeros_like(session), last + 1 - offsets[session]
        return Slices(session, start, end, label, browsing_stats_of(sessions, session, start, end))

    @property
    def _within_us(self) -> int:
        return round(self.days * DAY_US)
