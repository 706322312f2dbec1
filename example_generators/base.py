"""What an example generator is: the only site-specific code, saying where to predict and what the answer was."""

from collections.abc import Iterator
from typing import ClassVar

from features.sessions import Session, Sessions
from features.slices import Slice, Slices


class ExampleGenerator:
    """Where to predict and what the answer was.

    A generator is a frozen dataclass whose fields are its parameters (they travel in the feature spec and the model
    card). Write ``slices`` for one session; write ``slices_of`` as well where speed matters: both must give the same
    slices. It imports features/ alone.

    Attributes:
        hides: names of events that an instance never sees (the event filter).
        begins_after: names of events that a slice never reaches back beyond: it begins right after the last of them
            before its ``end``, or with the session. The service begins there too, and ``check-generator`` compares.
        requires: event columns the generator reads beyond ``visitor``, ``timestamp_us``, ``event`` and ``type``.
        stats: names of the stats that every slice carries.
        classes: number of classes.
        only_at_end: whether a slice answers for the moment at its end alone. Where it does not, a prediction made
            within a slice is about that slice's answer; see ``transforms.judge_predictions``.
    """

    hides: ClassVar[tuple[str, ...]] = ()
    begins_after: ClassVar[tuple[str, ...]] = ()
    requires: ClassVar[tuple[str, ...]] = ()
    stats: ClassVar[tuple[str, ...]] = ()
    classes: ClassVar[int] = 2
    only_at_end: ClassVar[bool] = False

    @property
    def needs_fitting(self) -> bool:
        """Whether a parameter is still to come from a sample of sessions."""
        return False

    def fit(self, sessions: Sessions) -> "ExampleGenerator":
        """Returns the generator with everything that ``needs_fitting`` resolved from ``sessions``."""
        return self

    def slices(self, session: Session) -> Iterator[Slice]:
        """Yields the slices of one session, in order of ``end``."""
        raise NotImplementedError(f"{type(self).__name__} defines neither slices nor slices_of")

    def slices_of(self, sessions: Sessions) -> Slices:
        """Returns the slices of all sessions; this form loops over ``slices``."""
        return Slices.from_rows((self.slices(session) for session in sessions), self.stats)
