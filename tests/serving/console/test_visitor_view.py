"""How the probability moved along a visitor's events."""

import asyncio

import pytest

from features.recent_events import Recent, encode_events
from models.behavior.loaded import LoadedModel, load_model
from models.behavior.scoring import History, score
from serving.console.visitor_view import VisitorView, stamp, view_visitor
from serving.scoring import Scorer
from tests.tiny_model import SPEC, artifact, shop_events


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(artifact(), "purchase", "v1")


@pytest.fixture(scope="module")
def rows() -> list[bytes]:
    """One visitor's rows, in order: at least a dozen, an order among them."""
    from features.events import EVENT_SCHEMA

    events = shop_events(60, 7)
    by_visitor = {
        visitor: events.filter([each == visitor for each in events.column("visitor").to_pylist()])
        for visitor in set(events.column("visitor").to_pylist())
    }
    chosen = max(by_visitor.values(), key=lambda each: ("Order Completed" in each["event"].to_pylist(), len(each)))
    names = [name for name in EVENT_SCHEMA.names if name in chosen.column_names]
    full = chosen.select(names).combine_chunks().to_batches()[0]
    columns = [
        full.column(field.name) if field.name in names else _nothing(len(full), field.type) for field in EVENT_SCHEMA
    ]
    import pyarrow as pa

    return encode_events(pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA))


def _nothing(count: int, kind: object) -> object:
    import pyarrow as pa

    return pa.nulls(count, kind)


def view(model: LoadedModel, recent: Recent, most: int = 40) -> VisitorView:
    async def run() -> VisitorView:
        scorer = Scorer()
        try:
            return await view_visitor(scorer, model, recent, most)
        finally:
            await scorer.close()

    return asyncio.run(run())


def test_each_step_is_what_was_said_then(model: LoadedModel, rows: list[bytes]) -> None:
    found = view(model, Recent("v", rows, False))
    assert len(found.steps) == len(rows) >= 12
    for place, step in enumerate(found.steps):
        [alone] = score(model, [History(rows[: place + 1])])
        assert step.probability == float(alone.probabilities[1])  # the same bits
        assert step.known == alone.known
        before = found.steps[place - 1].probability if place else found.base_rate
        assert step.change == step.probability - before
        assert step.hidden == (step.event in SPEC.hides)
    orders = [place for place, step in enumerate(found.steps) if step.event == "Order Completed"]
    assert orders
    assert all(found.steps[place].probability == found.base_rate for place in orders)  # nothing counts after an order
    assert found.left_out == 0


def test_only_the_newest_are_asked_about(model: LoadedModel, rows: list[bytes]) -> None:
    everything, few = view(model, Recent("v", rows, True)), view(model, Recent("v", rows, True), most=3)
    assert list(few.steps) == list(everything.steps[-3:])
    assert few.left_out == len(rows) - 3


def test_nobody(model: LoadedModel) -> None:
    found = view(model, Recent("nobody", [], False))
    assert (found.steps, found.last.known) == ([], False)
    assert found.base_rate == model.base_rate


def test_the_stamp_changes_with_what_is_shown(model: LoadedModel, rows: list[bytes]) -> None:
    recent = Recent("v", rows, False)
    assert stamp(recent, model) == view(model, recent).seen
    stamps = {stamp(each, model) for each in (recent, Recent("v", rows[:-1], False), Recent("w", rows, False))}
    assert len(stamps) == 3
