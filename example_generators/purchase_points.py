"""Purchases, asked for at prediction points, which are chosen without looking ahead."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from example_generators import checks
from example_generators.base import ExampleGenerator
from example_generators.errors import GeneratorError
from example_generators.random_points import is_random_point, is_random_point_of
from example_generators.stats import BROWSING_STATS, browsing_stats, browsing_stats_of
from features.sessions import Session, Sessions
from features.slices import CENSORED, Slice, Slices

_SECOND_US = 1_000_000


@dataclass(frozen=True)
class PurchasePoints(ExampleGenerator):
    """Will this visitor buy soon? Asked after page views, at synthetic events or at random.

    Label 1 where an order follows the point within the horizon. The instance is all of the session up to the point.
    Unlike ``purchase``, nothing about an instance (its length, its place) knows how the visit goes on, and past orders
    stay visible, as they are to the service. A point whose horizon ends after the data does is censored, whatever is
    known of it already: to keep only its early orders would raise the label rate near the end of the data.

    Attributes:
        event: the name of the order event.
        points: ``page_views``: after every page view; ``synthetic``: at every ``point_event`` in the stream, which
            itself is never visible nor counted; ``random``: after a seeded random ``share`` of all events but orders.
        view_events: the names that count as page views; none means every event of type ``page`` or ``screen``.
        point_event: the name of the synthetic event.
        share: share of the events that are random points.
        seed: seed of the random points.
        horizon_events: look for the order among that many next events of the session.
        horizon_seconds: look for it that many seconds from the point, within the session. With neither, the horizon is
            the rest of the session.
        session_gap_seconds: where the horizon is not given in seconds, a session whose last event is nearer than this
            to the end of the data may still be running, so that its missing events are unknown rather than absent.
    """

    event: str = "Order Completed"
    points: str = "page_views"
    view_events: tuple[str, ...] = ()
    point_event: str = "Prediction Point"
    share: float = 0.1
    seed: int = 0
    horizon_events: int | None = None
    horizon_seconds: float | None = None
    session_gap_seconds: float = 1800.0

    stats = BROWSING_STATS
    only_at_end = True

    def __post_init__(self) -> None:
        checks.one_of("page_views", "synthetic", "random", points=self.points)
        checks.share(share=self.share)
        checks.at_least(1, horizon_events=self.horizon_events)
        checks.more_than(0, horizon_seconds=self.horizon_seconds)
        checks.at_least(0, session_gap_seconds=self.session_gap_seconds, seed=self.seed)
        if self.horizon_events is not None and self.horizon_seconds is not None:
            raise GeneratorError(
                f"horizon_events is {self.horizon_events} and horizon_seconds is {self.horizon_seconds:g}; "
                "a horizon is counted in one of them: leave the other out"
            )
        if self.points == "synthetic" and self.point_event == self.event:
            raise GeneratorError(f"point_event and event are both {self.event!r}; a point must not be the outcome")

    @property
    def hides(self) -> tuple[str, ...]:  # type: ignore[override]  # follows a parameter
        return (self.point_event,) if self.points == "synthetic" else ()

    def slices(self, session: Session) -> Iterator[Slice]:
        time_us, length = session.time_us, len(session)
        orders = session.where(event=self.event)
        hidden = session.where(event=self.point_event) if self.points == "synthetic" else []
        running = int(time_us[-1]) + self._gap_us >= session.window.end_us
        for point in self._points(session, orders):
            end = point if hidden else point + 1
            visible = end - bisect_left(hidden, end)
            if not visible:
                continue
            k = bisect_left(orders, end)
            order = orders[k] if k < len(orders) else length
            label = int(order < length)
            if self.horizon_seconds is not None:
                until_us = int(time_us[point]) + round(self.horizon_seconds * _SECOND_US)
                label = CENSORED if until_us >= session.window.end_us else int(label and time_us[order] <= until_us)
            elif self.horizon_events is not None:
                if running and length - bisect_left(hidden, length) - visible < self.horizon_events:
                    label = CENSORED
                elif order - bisect_left(hidden, order) - visible >= self.horizon_events:
                    label = 0
            elif running:
                label = CENSORED
            stats = browsing_stats(time_us, 0, end)
            stats["clicks"] = visible
            yield Slice(0, end, label, stats)

    def slices_of(self, sessions: Sessions) -> Slices:
        offsets, time_us = sessions.offsets, sessions.time_us
        point, seen = self._points_of(sessions)  # seen (E + 1,): visible events before each row
        session = sessions.session_of[point]
        after = point if self.points == "synthetic" else point + 1  # the first row past the instance
        visible = seen[after] - seen[offsets[session]]
        point, session, after, visible = (values[visible > 0] for values in (point, session, after, visible))

        rows, _ = sessions.positions(event=self.event)
        order = np.append(rows, len(time_us))[np.searchsorted(rows, after)]  # the next order, maybe another session's
        bought = order < offsets[session + 1]
        running = time_us[offsets[session + 1] - 1] + self._gap_us >= sessions.window.end_us
        if self.horizon_seconds is not None:
            until_us = time_us[point] + round(self.horizon_seconds * _SECOND_US)
            bought &= np.append(time_us, 0)[order] <= until_us
            censored = until_us >= sessions.window.end_us
        elif self.horizon_events is not None:
            bought &= seen[order] - seen[after] < self.horizon_events
            censored = running & (seen[offsets[session + 1]] - seen[after] < self.horizon_events)
        else:
            censored = running
        label = np.where(censored, CENSORED, bought)
        start, end = np.zeros_like(session), after - offsets[session]
        stats = browsing_stats_of(sessions, session, start, end) | {"clicks": visible.astype(np.float32)}
        return Slices(session, start, end, label, stats)

    def _points(self, session: Session, orders: list[int]) -> list[int]:
        if self.points == "synthetic":
            return session.where(event=self.point_event)
        if self.points == "random":
            drawn = np.flatnonzero(is_random_point(session, self.share, self.seed)).tolist()
            return [i for i in drawn if i not in orders]
        found = [i for equals in self._views() for i in session.where(**equals)]
        return sorted(set(found).difference(orders))

    def _points_of(self, sessions: Sessions) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Returns the rows of the points, int64 (P,), and how many visible events precede each row, int64 (E + 1,)."""
        if self.points == "synthetic":
            point, _ = sessions.positions(event=self.point_event)
            visible = np.ones(len(sessions.time_us), np.int64)
            visible[point] = 0
            return point, np.concatenate(([0], np.cumsum(visible)))
        if self.points == "random":
            chosen = is_random_point_of(sessions, self.share, self.seed)
        else:
            chosen = np.any([sessions.mask(**equals) for equals in self._views()], axis=0)
        chosen &= ~sessions.mask(event=self.event)
        return np.flatnonzero(chosen), np.arange(len(chosen) + 1)

    def _views(self) -> list[dict[str, str]]:
        return [{"event": name} for name in self.view_events] or [{"type": "page"}, {"type": "screen"}]

    @property
    def _gap_us(self) -> int:
        return round(self.session_gap_seconds * _SECOND_US)
