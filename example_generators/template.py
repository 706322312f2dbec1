"""A generator to copy: the one that the guide (docs/example-generators.md) builds up."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from example_generators.base import ExampleGenerator
from features.sessions import Session, Sessions
from features.slices import Slice, Slices


@dataclass(frozen=True)
class Template(ExampleGenerator):
    """Three events into a visit: will something still go into the cart?"""

    after: int = 3

    def slices(self, session: Session) -> Iterator[Slice]:
        if len(session) >= self.after:
            later = [i for i in session.where(event="Product Added") if i >= self.after]
            yield Slice(0, self.after, label=1 if later else 0)

    def slices_of(self, sessions: Sessions) -> Slices:
        rows, _ = sessions.positions(event="Product Added")
        later = rows[rows - sessions.offsets[sessions.session_of[rows]] >= self.after]
        session = np.flatnonzero(np.diff(sessions.offsets) >= self.after)
        label = np.isin(session, sessions.session_of[later]).astype(np.int64)
        return Slices(session, np.zeros_like(session), np.full_like(session, self.after), label)
