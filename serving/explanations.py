"""Which events moved a prediction, worked out beside the predictions: one explanation at a time, and after them.

An explanation asks the graph once for every event, so it is made in a thread of its own, of which there is one a
worker; before each call of the graph it lets the predictions go first that are waiting.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Query
from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, Field

from models.behavior.attribution import OCCLUSION, occlude
from models.behavior.loaded import LoadedModel
from models.behavior.scoring import History, Scored
from serving.errors import ProblemError
from serving.workshop import BusyError, Check, Place, TimeUpError, Workshop, WorkshopError

_PAUSE_SECONDS = 0.0005

Explain = Annotated[
    str | None,
    Query(
        max_length=64,
        description="how to find out which events moved the probability; needs an admin key",
        json_schema_extra={"enum": [OCCLUSION]},
    ),
]


class EventMoved(BaseModel):
    """An event that the prediction was made from."""

    message_id: str
    event: str = Field(description="its name")
    time_us: int = Field(description="its time, microseconds UTC")
    change: float = Field(description="the probability minus what the model says of the other events alone")


class Attributed(BaseModel):
    """Which events moved the probability; the changes need not add up to the probability minus ``base``."""

    method: str
    base: float = Field(description="the probability without any event: the base rate of the training examples")
    events: list[EventMoved] = Field(description="the events used, oldest first")


class Explainer:
    """Explains predictions; for the tasks of one event loop."""

    def __init__(
        self,
        most_waiting: int,
        seconds: float,
        predictions_wait: Callable[[], bool] = lambda: False,
        *,
        counted_in: CollectorRegistry | None = None,
    ) -> None:
        """Starts nothing yet.

        Args:
            most_waiting: explanations that may wait for the one that is made.
            seconds: time limit of one, waiting included.
            predictions_wait: says whether a prediction waits to be made; asked in a thread.
            counted_in: where explanations are counted.
        """
        self._workshop = Workshop(1, most_waiting, seconds, name="explainer", remedy="ask again later")
        self._predictions_wait = predictions_wait
        self._counts = Counter(
            "augury_explanations",
            "Predictions that were to be explained, by what became of it",
            ("outcome",),
            registry=counted_in if counted_in is not None else CollectorRegistry(),
        )

    @contextmanager
    def place(self) -> Iterator[Place]:
        """Takes a place for one explanation, before anything is predicted.

        Raises:
            ProblemError: 429 if all places are taken; 503 if it took too long, or the service is shutting down.
        """
        try:
            with self._workshop.place() as place:
                yield place
        except BusyError as e:
            self._counts.labels("busy").inc()
            raise ProblemError(429, "busy", f"explanations: {e}", headers={"Retry-After": "1"}) from None
        except WorkshopError as e:
            error = "too_slow" if isinstance(e, TimeUpError) else "shutting_down"
            self._counts.labels(error).inc()
            raise ProblemError(503, error, f"explanations: {e}", headers={"Retry-After": "5"}) from None

    async def explain(self, place: Place, model: LoadedModel, history: History, scored: Scored) -> dict[str, Any]:
        """Returns what ``Attributed`` says.

        Args:
            place: taken for it.
            model: that predicted.
            history: what it predicted from.
            scored: what it predicted.

        Raises:
            WorkshopError: it was not made; ``place`` makes a ``ProblemError`` of it.
        """

        def make(check: Check) -> dict[str, Any]:
            def after_predictions() -> None:
                check()
                while self._predictions_wait():
                    time.sleep(_PAUSE_SECONDS)
                    check()

            return occlude(model, history, scored.probabilities, after_predictions).to_dict()

        found = await place.run(make)
        self._counts.labels("made").inc()
        return found

    async def close(self) -> None:
        """Lets what is being made be finished."""
        await self._workshop.close()


def check_method(method: str | None) -> None:
    """Refuses a way to explain that there is not.

    Raises:
        ProblemError: 400.
    """
    if method in (None, OCCLUSION):
        return
    why = ""
    if method == "integrated_gradients":
        why = ": the model reads whole numbers (hash buckets and bins), which have no gradient"
    raise ProblemError(400, "unknown_explanation", f"explain is {method!r}{why}; expected {OCCLUSION}")
