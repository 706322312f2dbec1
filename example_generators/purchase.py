"""Purchases, sliced as in the paper: at the order, or where the session ends."""

from collections.abc import Iterator
from dataclasses import dataclass

from example_generators.base import ExampleGenerator
from example_generators.outcomes import outcome_slices, outcome_slices_of
from example_generators.stats import BROWSING_STATS
from features.sessions import Session, Sessions
from features.slices import Slice, Slices


@dataclass(frozen=True)
class Purchase(ExampleGenerator):
    """Will this visit end in a purchase? Asked at the order, or where the session ends.

    Label 1 up to each order, 0 over what follows the last one to the end of the session.

    Attributes:
        event: the name of the order event (Segment's e-commerce specification); never visible inside an instance.
    """

    event: str = "Order Completed"

    stats = BROWSING_STATS

    @property
    def hides(self) -> tuple[str, ...]:  # type: ignore[override]  # follows a parameter
        return (self.event,)

    @property
    def begins_after(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self.event,)

    def slices(self, session: Session) -> Iterator[Slice]:
        return outcome_slices(session, self.event)

    def slices_of(self, sessions: Sessions) -> Slices:
        return outcome_slices_of(sessions, self.event)
