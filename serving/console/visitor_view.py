"""A visitor's recent events and how the probability moved along them: one prediction after each event.

The last of them is the prediction that the API gives now, to the bit: both are made by ``serving.scoring`` of the same
rows. Earlier ones are of the rows up to that event, as they would have been given then if nothing came late.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from features.recent_events import Recent, decode_events
from models.behavior.loaded import LoadedModel
from models.behavior.scoring import History, Scored
from serving.scoring import Scorer

MOST_STEPS = 40
"""Events that are shown, the newest."""

_COLUMNS = ("message_id", "type", "event", "timestamp_us", "url")


@dataclass(frozen=True)
class Step:
    """An event and what the model said after it.

    Attributes:
        message_id: of the event.
        time_us: when it happened.
        type: of the call.
        event: its name.
        url: of the page; may be empty.
        hidden: whether the model does not see it.
        probability: that the answer would have led with.
        change: less the one before; None for the first where nothing is before it.
        segment: of the probability.
        known: false where there was nothing to predict from, and it is the base rate.
    """

    message_id: str
    time_us: int
    type: str
    event: str
    url: str
    hidden: bool
    probability: float
    change: float | None
    segment: str
    known: bool


@dataclass(frozen=True)
class VisitorView:
    """What is known of a visitor.

    Attributes:
        visitor: whose events they are: ``user:`` and an id where a login is known.
        model: name of the model.
        version: of the model.
        steps: oldest first.
        left_out: older events that are kept and not shown.
        base_rate: what is said of somebody unknown.
        edges: probabilities between the segments.
        last: the prediction now.
        seen: stands for all that this view was made from.
    """

    visitor: str
    model: str
    version: str
    steps: Sequence[Step]
    left_out: int
    base_rate: float
    edges: Sequence[float]
    last: Scored
    seen: str


def stamp(recent: Recent, model: LoadedModel) -> str:
    """Returns what stands for a visitor's rows and the model: as long as it is the same, so is the view."""
    found = hashlib.sha256(f"{model.name}\0{model.version}\0{recent.visitor}\0".encode(errors="surrogatepass"))
    for row in recent.rows:
        found.update(row + b"\n")
    return found.hexdigest()[:24]


async def view_visitor(scorer: Scorer, model: LoadedModel, recent: Recent, most: int = MOST_STEPS) -> VisitorView:
    """Returns a visitor's newest events with the probability after each.

    The predictions are asked for one after the other, so that those of others never wait for more than one of them.

    Args:
        scorer: of the worker.
        model: that is asked.
        recent: the visitor's rows, in order.
        most: events to show.

    Raises:
        ScorerBusyError: too many predictions wait.
        RecentEventsError: a stored row that this version cannot read.
    """
    rows = recent.rows
    first = max(0, len(rows) - most)
    scored: list[Scored] = []
    for end in range(first, len(rows) + 1):
        # The store leaves out old rows of who has many; of the prefix it is the same rows that are missing.
        scored.append(await scorer.score(model, History(rows[:end], recent.full)))
    label = 1 if len(model.base_rates) == 2 else int(scored[-1].probabilities.argmax())
    shown = [float(each.probabilities[label]) for each in scored]
    events = decode_events(rows[first:], [""] * (len(rows) - first), _COLUMNS).to_pylist()
    edges = model.segment_edges[label]
    steps = [
        Step(
            message_id=event["message_id"],
            time_us=event["timestamp_us"],
            type=event["type"],
            event=event["event"],
            url=event["url"] or "",
            hidden=event["event"] in model.spec.hides,
            probability=shown[place + 1],
            change=shown[place + 1] - shown[place],
            segment=model.headline(scored[place + 1].probabilities)[1],
            known=scored[place + 1].known,
        )
        for place, event in enumerate(events)
    ]
    return VisitorView(
        visitor=recent.visitor,
        model=model.name,
        version=model.version,
        steps=steps,
        left_out=first,
        base_rate=float(model.base_rates[label]),
        edges=edges,
        last=scored[-1],
        seen=stamp(recent, model),
    )
