"""Sign-ups, sliced at the sign-up, or where the session ends."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from example_generators.base import ExampleGenerator
from example_generators.stats import BROWSING_STATS, browsing_stats, browsing_stats_of
from features.sessions import Session, Sessions
from features.slices import Slice, Slices


@dataclass(frozen=True)
class Signup(ExampleGenerator):
    """Will this visitor sign up? Asked at the sign-up, or where the session ends.

    One slice a session: up to the first sign-up (1), or to the session's end (0). Members are no candidates.

    Attributes:
        event: the name of the sign-up event; never visible inside an instance.
        member_event: an event that only members make; a session that shows it before any sign-up gives no slice.
    """

    event: str = "Signed Up"
    member_event: str = "Signed In"

    stats = BROWSING_STATS

    @property
    def hides(self) -> tuple[str, ...]:  # type: ignore[override]  # follows a parameter
        return (self.event,)

    def slices(self, session: Session) -> Iterator[Slice]:
        length = len(session)
        signup = next(iter(session.where(event=self.event)), length)
        member = next(iter(session.where(event=self.member_event)), length)
        if 0 < signup <= member:
            yield Slice(0, signup, int(signup < length), browsing_stats(session.time_us, 0, signup))

    def slices_of(self, sessions: Sessions) -> Slices:
        signup, member = _first(sessions, self.event), _first(sessions, self.member_event)
        session = np.flatnonzero((signup > 0) & (signup <= member))
        start, end = np.zeros_like(session), signup[session]
        label = (end < np.diff(sessions.offsets)[session]).astype(np.int64)
        return Slices(session, start, end, label, browsing_stats_of(sessions, session, start, end))


def _first(sessions: Sessions, event: str) -> npt.NDArray[np.int64]:
    """Returns int64 (S,): the position of the first ``event`` in each session, its length where there is none."""
    rows, bounds = sessions.positions(event=event)
    first = np.append(rows, sessions.offsets[-1])[bounds[:-1]]
    return np.minimum(first, sessions.offsets[1:]) - sessions.offsets[:-1]
