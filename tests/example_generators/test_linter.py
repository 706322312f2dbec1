"""The linter catches every kind of leak that is built in here, and lets the shipped generators pass."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from example_generators.base import ExampleGenerator
from example_generators.catalogue import load_generator
from example_generators.errors import GeneratorError
from example_generators.linter import check_generator, lint
from example_generators.perturbation import ALTERED, INTACT, REMOVED, SHUFFLED, one_per_session, with_future
from features.coding import FeatureCoder
from features.sessions import Session
from features.slices import Slice, Slices
from features.spec import FeatureSpec

VIEW, CART, ORDER, POINT = "Page Viewed", "Product Added", "Order Completed", "Prediction Point"
DAY = 86400


@pytest.fixture(scope="module")
def shop(sessions_of):
    """400 visitors whose next event does not depend on how many came before; all data is over long before its end."""
    rng = np.random.default_rng(7)
    rows = []
    for visitor in range(400):
        second = float(rng.integers(0, 10 * DAY))
        for _ in range(rng.geometric(0.12)):
            second += float(rng.choice([20, 90, DAY], p=[0.6, 0.3, 0.1]))
            event = str(rng.choice([VIEW, CART, ORDER, "Signed Up", POINT], p=[0.5, 0.2, 0.12, 0.08, 0.1]))
            rows.append((f"v{visitor}", second, event, f'{{"revenue": {rng.integers(1, 200)}}}'))
    return sessions_of(rows, (0, 1000 * DAY))


def coder(generator):
    return FeatureCoder(FeatureSpec(hides=generator.hides, stats=generator.stats))


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("purchase", {}),
        ("signup", {}),
        ("purchase_points", {"horizon_seconds": 600}),
        ("purchase_points", {"points": "synthetic", "horizon_events": 4}),
        ("purchase_points", {"points": "random", "share": 0.5, "horizon_seconds": 3600}),
        ("return_visit", {"days": 3}),
        ("high_value", {}),
        ("template", {}),
    ],
    ids=str,
)
def test_shipped_generators_pass(name, params, shop):
    generator = load_generator(name, params)
    report = lint(generator, shop, coder(generator))
    assert report.findings == []
    assert report.slices > 100


@dataclass(frozen=True)
class SeesTheOrder(ExampleGenerator):
    """Ends one event too late, and hides nothing."""

    def slices(self, session: Session) -> Iterator[Slice]:
        start = 0
        for i in session.where(event=ORDER):
            yield Slice(start, i + 1, 1)
            start = i + 1
        if start < len(session):
            yield Slice(start, len(session), 0)


def test_a_visible_outcome_is_caught_by_name(shop):
    begin, *found = check_generator(SeesTheOrder(), shop, coder(SeesTheOrder()))
    assert begin.check == "begin"  # a slice that holds the order cannot begin after it
    assert [(finding.check, finding.value) for finding in found] == [("sight", 1.0), ("sight", 1.0)]
    assert found[0].message == (
        "event 'Order Completed' is visible in 100.0% of the instances of one label and 0.0% of the others "
        "(AUC 1.000, limit 0.97): hide it, or end the slices before it"
    )
    assert found[1].message.startswith("url 'https://shop.example/order-completed' is visible in")


@dataclass(frozen=True)
class LooksAhead(ExampleGenerator):
    """Sees more of those who will buy, and counts what they will spend."""

    hides = (POINT, ORDER)
    stats = ("later_orders",)

    def slices(self, session: Session) -> Iterator[Slice]:
        orders = session.where(event=ORDER)
        for point in session.where(event=POINT):
            later = sum(i > point for i in orders)
            if point:
                yield Slice(0 if later else point - 1, point, int(later > 0), {"later_orders": later})


def test_a_generator_that_looks_ahead_is_caught(shop):
    findings = check_generator(LooksAhead(), shop, coder(LooksAhead()))
    found = {finding.check: finding for finding in findings}
    assert found.keys() == {"view", "length", "begin"}
    assert re.match(r"what the generator says of a slice \(start\) changes in \d+ of ", findings[0].message)
    assert any("(stat later_orders) changes" in finding.message for finding in findings)
    assert found["view"].message.endswith("let nothing at or after `end` decide it")
    assert found["length"].message.startswith("the number of events in an instance alone predicts the label with an ")


@dataclass(frozen=True)
class CountsBackwards(ExampleGenerator):
    """Predicts two events before the session ends."""

    hides = (ORDER,)

    def slices(self, session: Session) -> Iterator[Slice]:
        end = len(session) - 2
        if end > 0:
            yield Slice(0, end, int(any(i >= end for i in session.where(event=ORDER))))


def test_a_place_that_the_future_decides_is_caught(shop):
    found = check_generator(CountsBackwards(), shop, coder(CountsBackwards()))
    assert [finding.check for finding in found] == ["place"]
    assert found[0].value == 1.0
    assert re.match(
        r"(\d+) of \1 slices are not there when what follows the event at their `end` is removed: let", found[0].message
    )


@dataclass(frozen=True)
class StopsAtRandom(ExampleGenerator):
    """Cuts buyers right after their first view and the others at the end: the cut gives them away."""

    hides = (ORDER,)

    def slices(self, session: Session) -> Iterator[Slice]:
        bought = bool(session.where(event=ORDER)[1:])
        if len(session) > 3:
            yield Slice(0, 1 if bought else len(session), int(bought))


def test_length_and_position_that_tell_are_reported_with_the_number(shop):
    report = lint(StopsAtRandom(), shop, coder(StopsAtRandom()))
    assert {finding.check for finding in report.findings} >= {"length", "position"}
    position = next(finding for finding in report.findings if finding.check == "position")
    assert position.value == report.position.auc == 1.0
    assert position.message == (
        "the place of an instance in its session alone predicts the label with an AUC of 1.000 (limit 0.8): slice at "
        "prediction points, chosen without looking at the outcome"
    )


@dataclass(frozen=True)
class BeginsAfterTheCart(ExampleGenerator):
    """Begins after the last addition to the cart, as ``purchase`` does after the order."""

    hides = (POINT,)

    def slices(self, session: Session) -> Iterator[Slice]:
        for point in session.where(event=POINT):
            start = max((i + 1 for i in session.where(event=CART) if i < point), default=0)
            if start < point:
                yield Slice(start, point, point % 2)


@dataclass(frozen=True)
class SaysSo(BeginsAfterTheCart):
    begins_after = (CART,)


def test_a_beginning_that_the_service_would_not_find_is_caught(shop):
    [found] = check_generator(BeginsAfterTheCart(), shop, coder(BeginsAfterTheCart()))
    assert found.check == "begin"
    assert 0 < found.value < 1
    assert re.fullmatch(
        r"the service would see other events in \d+ of \d+ slices: it begins with the session, as begins_after is "
        r"empty; begin the slices there, or name in begins_after the events that they begin after",
        found.message,
    )
    assert check_generator(SaysSo(), shop, coder(SaysSo())) == []


@dataclass(frozen=True)
class NamesTheWrongEvent(BeginsAfterTheCart):
    begins_after = (ORDER,)


def test_a_beginning_after_another_event_is_caught(shop):
    [found] = check_generator(NamesTheWrongEvent(), shop, coder(NamesTheWrongEvent()))
    assert "it begins after the last 'Order Completed' of the session; begin" in found.message


class CountsTheWholeSession(FeatureCoder):
    """A coder that reads past the end of the slice."""

    def encode(self, sessions, slices):
        coded = super().encode(sessions, slices)
        count = np.diff(sessions.offsets)[slices.session[coded.rows]]
        return replace(coded, metadata={**coded.metadata, "event_count": count})


def test_a_coder_that_reads_past_the_end_is_caught(shop):
    generator = load_generator("template")
    [finding] = check_generator(generator, shop, CountsTheWholeSession(FeatureSpec()))
    assert finding.check == "coder"
    assert finding.message.startswith("what the model sees (metadata event_count) changes in ")
    assert finding.message.endswith("when the future is removed: code an instance from its own visible events alone")


def test_no_slice_at_all_is_an_error(shop):
    generator = load_generator("signup", {"event": "Page Viewed", "member_event": "Page Viewed"})
    with pytest.raises(GeneratorError, match=r"^PurchasePoints gives no slice on these 400 sessions; check the event"):
        generator = load_generator("purchase_points", {"points": "synthetic", "point_event": "Nowhere"})
        lint(generator, shop, coder(generator))


def test_perturbed_futures_leave_the_past_alone(sessions_of):
    sessions = sessions_of([("a", s, VIEW) for s in range(5)] + [("b", s, CART) for s in range(4)])
    session, since = np.array([0, 1]), np.array([2, 3])
    rng = np.random.default_rng(0)
    intact = with_future(sessions, session, since, INTACT, rng)
    assert intact.events.to_pylist() == sessions.events.to_pylist()
    assert intact.offsets.tolist() == [0, 5, 9]
    assert with_future(sessions, session, since, REMOVED, rng).offsets.tolist() == [0, 2, 5]
    for future in (SHUFFLED, ALTERED):
        other = with_future(sessions, session, since, future, rng)
        assert other.offsets.tolist() == [0, 5, 9]
        for first, count in ((0, 2), (5, 3)):
            assert other.events.slice(first, count).to_pylist() == intact.events.slice(first, count).to_pylist()
        assert (np.diff(other.time_us[:5]) > 0).all()
        assert other.events.column("visitor").to_pylist() == ["a"] * 5 + ["b"] * 4
    shuffled = with_future(sessions, session, since, SHUFFLED, rng)
    ids = [sorted(events.column("message_id").to_pylist()) for events in (shuffled.events, intact.events)]
    assert ids[0] == ids[1]
    assert shuffled.time_us.tolist() == intact.time_us.tolist()


def test_groups_hold_one_slice_of_a_session():
    session = np.array([0, 0, 0, 2, 5, 5])
    slices = Slices(session, session, session, session)
    assert [group.tolist() for group in one_per_session(slices)] == [[0, 3, 4], [1, 5], [2]]
