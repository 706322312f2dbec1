"""High value: the revenue of what follows a visit, against a quantile of all such revenues."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from example_generators import checks
from example_generators.base import ExampleGenerator
from example_generators.errors import GeneratorError
from example_generators.stats import BROWSING_STATS, browsing_stats, browsing_stats_of
from example_generators.visits import DAY_US, visit_ends, visit_ends_of
from features.sessions import Session, Sessions
from features.slices import CENSORED, Slice, Slices

# Revenue is summed in ten-thousandths: integers add up to the same sum in any order, and no currency has finer coins.
_UNITS = 10_000
_MOST = 10**11 * _UNITS


@dataclass(frozen=True)
class HighValue(ExampleGenerator):
    """Will this visitor's later revenue be among the highest? Asked at the end of every visit.

    One slice a visit, of all that the visitor did up to its end; label 1 where later revenue exceeds the threshold. The
    threshold is a quantile of that revenue over the visits of a sample: ``fit`` finds it and returns a generator
    that has it. Where most visitors never buy, the quantile is 0 and any revenue at all is high. A visit whose horizon
    ends after the data does is censored.

    Attributes:
        days: how many days of revenue count, from the visit's last event.
        quantile: the share of visits that are not high.
        threshold: the revenue to exceed; None until fitted.
        event: the name of the order event.
        revenue_property: the property that holds an order's revenue; orders without a number count as 0.
        visit_gap_seconds: inactivity that separates two visits.
    """

    days: float = 30.0
    quantile: float = 0.8
    threshold: float | None = None
    event: str = "Order Completed"
    revenue_property: str = "revenue"
    visit_gap_seconds: float = 1800.0

    requires = ("properties",)
    stats = BROWSING_STATS

    def __post_init__(self) -> None:
        checks.more_than(0, visit_gap_seconds=self.visit_gap_seconds)
        checks.more_than(self.visit_gap_seconds / 86_400, days=self.days)
        checks.at_least(0, threshold=self.threshold)
        if not 0 < self.quantile < 1:
            raise GeneratorError(f"quantile is {self.quantile}; expected a number between 0 and 1, e.g. 0.8")

    @property
    def needs_fitting(self) -> bool:
        """Whether the quantile still has to be turned into a threshold."""
        return self.threshold is None

    def fit(self, sessions: Sessions) -> "HighValue":
        """Returns this generator with the quantile of the given sessions' revenues as its threshold.

        Raises:
            GeneratorError: no visit of the sessions is old enough for its revenue to be known.
        """
        session, last = self._visits(sessions)
        known = ~self._censored(sessions.time_us[last], sessions.window.end_us)
        if not known.any():
            raise GeneratorError(
                f"none of the {len(last)} visits has its {self.days:g} days of revenue before the data ends, so "
                f"quantile {self.quantile:g} cannot be found; give more data, fewer days, or the threshold itself"
            )
        revenue = self._revenue_of(sessions, session[known], last[known])
        return replace(self, threshold=float(np.quantile(revenue, self.quantile)))

    def slices(self, session: Session) -> Iterator[Slice]:
        threshold, time_us = self._fitted(), session.time_us
        orders = session.where(event=self.event)
        units = _units(session.numbers("properties", self.revenue_property)[orders]) if orders else _units(np.zeros(0))
        order_us = time_us[orders]
        for last in visit_ends(session, self.visit_gap_seconds):
            label = CENSORED
            if not self._censored(time_us[last], session.window.end_us):
                counts = (order_us > time_us[last]) & (order_us <= time_us[last] + self._within_us)
                label = int(units[counts].sum() / _UNITS > threshold)
            yield Slice(0, last + 1, label, browsing_stats(time_us, 0, last + 1))

    def slices_of(self, sessions: Sessions) -> Slices:
        threshold = self._fitted()
        session, last = self._visits(sessions)
        high = self._revenue_of(sessions, session, last) > threshold
        label = np.where(self._censored(sessions.time_us[last], sessions.window.end_us), CENSORED, high)
        start, end = np.zeros_like(session), last + 1 - sessions.offsets[session]
        return Slices(session, start, end, label, browsing_stats_of(sessions, session, start, end))

    def _visits(self, sessions: Sessions) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        last = visit_ends_of(sessions, self.visit_gap_seconds)
        return sessions.session_of[last], last

    def _revenue_of(
        self, sessions: Sessions, session: npt.NDArray[np.int64], last: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Returns float64 (V,): revenue after row ``last`` of its session and within the horizon."""
        orders, _ = sessions.positions(event=self.event)
        units = _units(sessions.numbers("properties", self.revenue_property)[orders])
        total = np.concatenate(([0], np.cumsum(units)))  # (P + 1,): revenue of the first k orders
        # Orders and deadlines in one sorted line: the orders before a deadline are those that may count.
        kind = np.repeat([0, 1], (len(orders), len(last)))
        time_us = np.concatenate((sessions.time_us[orders], sessions.time_us[last] + self._within_us))
        line = np.lexsort((kind, time_us, np.concatenate((sessions.session_of[orders], session))))
        passed = np.cumsum(kind[line] == 0)[kind[line] == 1]
        before = np.empty_like(passed)
        before[line[kind[line] == 1] - len(orders)] = passed
        return (total[before] - total[np.searchsorted(orders, last, side="right")]) / _UNITS

    def _censored(self, last_us: npt.NDArray[np.int64], end_us: int) -> npt.NDArray[np.bool_]:
        return last_us + self._within_us >= end_us

    def _fitted(self) -> float:
        if self.threshold is None:
            raise GeneratorError(
                f"high_value knows quantile {self.quantile:g} but not the revenue it stands for; "
                "fit it on a sample of sessions, or give its parameter 'threshold'"
            )
        return self.threshold

    @property
    def _within_us(self) -> int:
        return round(self.days * DAY_US)


def _units(revenue: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Returns whole ten-thousandths; no number counts as 0, and what no order can cost is cut."""
    return np.rint(np.clip(np.nan_to_num(revenue * _UNITS, nan=0.0), -_MOST, _MOST)).astype(np.int64)
