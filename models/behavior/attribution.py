"""Attribution: which events moved a prediction, by leaving each one out and asking the graph again (occlusion).

Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, section 4.1, on events instead of
patches. Integrated gradients (Sundararajan et al. 2017) need the gradient of the output by the input, and what goes
into the exported graph are whole numbers, hash buckets and bins, which have none.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.coding import CodedInstances
from features.ragged import Ints
from features.sessions import Sessions
from features.slices import CENSORED, Slices
from models.behavior.loaded import Floats, LoadedModel
from models.behavior.scoring import History, code_histories

OCCLUSION = "occlusion"

_MOST_STEPS = 1 << 16
"""So many steps of instances that lack an event are coded at once."""


@dataclass(frozen=True)
class EventChange:
    """One event of an instance.

    Attributes:
        message_id: of the event.
        event: its name.
        time_us: its time.
        change: what it moved the probability by: the probability with it minus that without it.
    """

    message_id: str
    event: str
    time_us: int
    change: float


@dataclass(frozen=True)
class Attribution:
    """What the events of an instance did to its prediction.

    For every event, ``probability - change`` is what the model says of the instance's other events. The changes need
    not add up to ``probability - base``: of two events that say the same neither is missed, and two that count only
    together are each credited with all of it. Of an instance of one event the sum is exact.

    Attributes:
        method: ``occlusion``.
        base: the probability without any event: the base rate of the training examples.
        events: in the order of the instance's steps.
    """

    method: str
    base: float
    events: tuple[EventChange, ...]

    def to_dict(self) -> dict[str, Any]:
        """Returns what JSON holds."""
        return asdict(self)


def occlude(
    model: LoadedModel, history: History, probabilities: Floats, before_call: Callable[[], None] = lambda: None
) -> Attribution:
    """Returns what each event of a visitor's instance moved the probability by.

    An event that is left out leaves the others as they are: they are coded again as an instance of their own, with what
    that changes (the pause before the next one, positions, counts), but no older event takes its place, and where
    the session begins is not found out anew. The graph is called once an event, at most ``sequence_length`` times.

    Args:
        model: that predicted.
        history: of the visitor.
        probabilities: float32 (C,) that it predicted from this history. Of more than two classes, the likeliest is the
            one whose probability is looked at.
        before_call: called before each call of the graph; may wait, and may raise to end it.

    Raises:
        RecentEventsError: a stored row that this version cannot read.
    """
    label = model.leading_class(probabilities)
    base, full = float(model.base_rates[label]), float(probabilities[label])
    if not history.rows:
        return Attribution(OCCLUSION, base, ())
    instances = code_histories(model.coder, model.columns, [history])
    if not len(instances.coded):
        return Attribution(OCCLUSION, base, ())
    rows = instances.coded.event_rows
    steps = instances.sessions.events.take(pa.array(rows)).combine_chunks()
    without = [base]
    if len(rows) > 1:
        without = []
        for coded in _without_each(model, steps, instances.sessions):
            for row in range(len(coded)):
                before_call()
                without.append(float(model.predictor.predict(coded.take(np.array([row])))[0, label]))
    told = zip(
        steps.column("message_id").to_pylist(),
        steps.column("event").to_pylist(),
        steps.column("timestamp_us").to_pylist(),
        without,
        strict=True,
    )
    return Attribution(
        OCCLUSION, base, tuple(EventChange(message_id, event, at, full - rest) for message_id, event, at, rest in told)
    )


def _without_each(model: LoadedModel, steps: pa.Table, sessions: Sessions) -> Iterator[CodedInstances]:
    """Yields the instances that lack one of T events each, first the one without the first, coded some at a time."""
    total = steps.num_rows
    together = max(1, _MOST_STEPS // total)
    for start in range(0, total, together):
        left_out = np.arange(start, min(start + together, total))
        kept = _others(total, left_out)
        count = len(left_out)
        events = steps.take(pa.array(kept)).combine_chunks()
        each = Sessions(events, np.arange(count + 1) * (total - 1), sessions.window)
        lengths = np.full(count, total - 1)
        slices = Slices(np.arange(count), np.zeros(count, np.int64), lengths, np.full(count, CENSORED, np.int64))
        yield model.coder.encode(each, slices)


def _others(total: int, left_out: Ints) -> Ints:
    """Returns the places 0 to ``total`` - 1 but for one, for each that is left out, end to end."""
    kept: npt.NDArray[np.bool_] = np.ones((len(left_out), total), np.bool_)
    kept[np.arange(len(left_out)), left_out] = False
    return np.nonzero(kept)[1]
