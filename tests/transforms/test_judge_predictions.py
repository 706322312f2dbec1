"""Labels of predictions, derived by hand from a few visitors' events."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from example_generators.base import ExampleGenerator
from example_generators.purchase import Purchase
from example_generators.purchase_points import PurchasePoints
from example_generators.return_visit import ReturnVisit
from example_generators.signup import Signup
from features.sessions import SessionRules, Window
from features.slices import CENSORED
from features.weeks import WEEK_US
from transforms.judge_predictions import OUTCOME_SCHEMA, Judge, judge_shard

MINUTE_US, HOUR_US, DAY_US = 60_000_000, 3_600_000_000, 86_400_000_000
MONDAY_US = 1_767_571_200_000_000
"""2026-01-05T00:00Z, a Monday."""

PAGE, ADD, ORDER = "Page Viewed", "Product Added", "Order Completed"


def minutes(*values: float) -> list[int]:
    return [MONDAY_US + round(value * MINUTE_US) for value in values]


def shop(*visits: tuple[str, Sequence[tuple[float, str]]]) -> pa.Table:
    """Events of visitors, as (minute of the week, name)."""
    rows = [(visitor, minute, name) for visitor, events in visits for minute, name in events]
    return pa.table(
        {
            "visitor": pa.array([visitor for visitor, _, _ in rows], pa.string()),
            "message_id": pa.array([f"m{index}" for index in range(len(rows))], pa.string()),
            "timestamp_us": pa.array(minutes(*(minute for _, minute, _ in rows)), pa.int64()),
            "event": pa.array([name for _, _, name in rows], pa.string()),
            "type": pa.array(["page" if name == PAGE else "track" for _, _, name in rows], pa.string()),
        }
    )


def asked(*predictions: tuple[str, float], version: str = "v1") -> pa.Table:
    """Predictions about visitors, as (visitor, minute of the week)."""
    count = len(predictions)
    return pa.table(
        {
            "visitor": [visitor for visitor, _ in predictions],
            "asked": [visitor for visitor, _ in predictions],
            "prediction_id": [f"p{index}" for index in range(count)],
            "time_us": minutes(*(minute for _, minute in predictions)),
            "version": [version] * count,
            "known": [True] * count,
            "probability": pa.array([0.5] * count, pa.float32()),
            "predicted": [1] * count,
        }
    )


def judged(
    events: pa.Table,
    predictions: pa.Table,
    generator: ExampleGenerator,
    *,
    gap_minutes: float | None = None,
    days: float = 40,
    settle_days: float = 7,
    max_events: int | None = None,
) -> list[tuple[str, int | None, int]]:
    """Status, label and events before of each prediction in the order asked, the events ending after so many days."""
    rules = SessionRules(None if gap_minutes is None else gap_minutes * 60, max_events)
    judge = Judge(generator, rules, tuple(generator.hides), tuple(generator.begins_after))
    window = Window(MONDAY_US, MONDAY_US + round(days * DAY_US))
    table = judge_shard(events, predictions, {"v1": judge}, window, round(settle_days * DAY_US))
    assert table.schema == OUTCOME_SCHEMA
    rows = {row["prediction_id"]: row for row in table.to_pylist()}
    assert {row["week_us"] for row in rows.values()} <= {MONDAY_US + n * WEEK_US for n in range(-1, 6)}
    return [
        (rows[name]["status"], rows[name]["label"], rows[name]["events_before"])
        for name in predictions.column("prediction_id").to_pylist()
    ]


def test_a_prediction_has_the_label_of_the_slice_that_it_was_made_in() -> None:
    """Two pages, an order, two pages: the first slice ends at the order (1), the second at the end (0)."""
    events = shop(("a", [(0, PAGE), (10, PAGE), (20, ORDER), (30, PAGE), (40, PAGE)]))
    predictions = asked(("a", 5), ("a", 15), ("a", 25), ("a", 35), ("a", 45), ("a", -5))
    assert judged(events, predictions, Purchase()) == [
        ("known", 1, 1),
        ("known", 1, 2),
        ("no_instance", None, 0),  # nothing since the order: the service has nothing to predict from, either
        ("known", 0, 1),
        ("known", 0, 2),
        ("no_events", None, 0),
    ]


def test_a_prediction_sees_what_came_before_it_and_not_what_came_with_it() -> None:
    events = shop(("a", [(0, PAGE), (10, ORDER), (20, PAGE)]))
    assert judged(events, asked(("a", 10), ("a", 10.001)), Purchase()) == [("known", 1, 1), ("no_instance", None, 0)]


def test_an_order_after_the_week_s_moment_is_none_and_so_a_settled_week_never_changes() -> None:
    """The week ends on day 7 and settles 7 days later: an order on day 13 counts, one on day 15 does not."""
    for day, label in ((13, 1), (15, 0)):
        events = shop(("a", [(0, PAGE), (day * 1440, ORDER)]))
        for until in (16, 40):
            assert judged(events, asked(("a", 5)), Purchase(), days=until) == [("known", label, 1)]


def test_a_week_whose_moment_is_to_come_is_censored_whatever_is_known_of_it_already() -> None:
    events = shop(("buyer", [(0, PAGE), (1, ORDER)]), ("other", [(0, PAGE)]), ("later", [(0, PAGE), (9000, PAGE)]))
    predictions = asked(("buyer", 0.5), ("other", 5), ("buyer", 2))
    assert judged(events, predictions, Purchase(), days=13.99) == [
        ("week_open", None, 1),
        ("week_open", None, 1),
        ("no_instance", None, 0),  # there is no answer to wait for
    ]
    assert judged(events, predictions, Purchase(), days=14) == [
        ("known", 1, 1),
        ("known", 0, 1),
        ("no_instance", None, 0),
    ]


def test_a_session_that_may_go_on_is_censored_and_one_that_is_over_is_a_negative() -> None:
    """Sessions end after 30 minutes of silence; the moment is the end of the week: minute 10080."""
    events = shop(
        ("over", [(10_000, PAGE)]),
        ("running", [(10_060, PAGE)]),
        ("running-buyer", [(10_055, PAGE), (10_060, ORDER)]),
        ("two", [(0, PAGE), (60, PAGE), (70, ORDER)]),
    )
    predictions = asked(("over", 10_005), ("running", 10_065), ("running-buyer", 10_057), ("two", 5), ("two", 65))
    assert judged(events, predictions, Purchase(), gap_minutes=30, settle_days=0) == [
        ("known", 0, 1),
        ("still_running", None, 1),
        ("still_running", None, 1),  # to keep the early orders alone would raise the rate
        ("known", 0, 1),  # another session bought
        ("known", 1, 1),
    ]


def test_the_horizon_of_a_generator_censors_by_itself() -> None:
    """Back within 7 days? Visits at day 0 and 3, then at day 8.9: the week settles on day 9."""
    day = 1440
    events = shop(
        ("back", [(0, PAGE), (1, PAGE), (3 * day, PAGE)]), ("gone", [(day, PAGE)]), ("late", [(6 * day, PAGE)])
    )
    predictions = asked(("back", 0.5), ("back", 2), ("back", 3 * day + 1), ("gone", day + 1), ("late", 6 * day + 1))
    assert judged(events, predictions, ReturnVisit(days=7), settle_days=2) == [
        ("known", 1, 1),  # in the middle of the visit: about the visit that was going on
        ("known", 1, 2),
        ("censored_by_generator", None, 3),  # day 10 is after day 9
        ("known", 0, 1),
        ("censored_by_generator", None, 1),
    ]


def test_a_generator_of_points_answers_at_its_points_alone() -> None:
    """Points after page views: minute 0, 10 and 30; the order at 25 is within an hour of the first two."""
    events = shop(("a", [(0, PAGE), (10, PAGE), (15, ADD), (25, ORDER), (30, PAGE)]))
    predictions = asked(("a", 5), ("a", 12), ("a", 20), ("a", 27), ("a", 35))
    generator = PurchasePoints(horizon_seconds=3600)
    assert judged(events, predictions, generator) == [
        ("known", 1, 1),
        ("known", 1, 2),
        ("no_instance", None, 3),
        ("no_instance", None, 4),
        ("known", 0, 5),
    ]


def test_a_synthetic_point_that_was_seen_counts_for_nothing() -> None:
    """The browser library records the point, then asks: the instance ends before the point."""
    events = shop(("a", [(0, PAGE), (1, "Prediction Point"), (2, PAGE), (5, ORDER)]))
    generator = PurchasePoints(points="synthetic", horizon_seconds=3600)
    assert judged(events, asked(("a", 1.5), ("a", 2.5)), generator) == [("known", 1, 1), ("no_instance", None, 2)]


def test_no_answer_is_given_after_the_fact() -> None:
    """Sign-ups: one slice a session, up to the first of them."""
    events = shop(("a", [(0, PAGE), (10, "Signed Up"), (20, PAGE)]))
    assert judged(events, asked(("a", 5), ("a", 15), ("a", 25)), Signup()) == [
        ("known", 1, 1),
        ("no_instance", None, 1),
        ("no_instance", None, 2),
    ]


def test_a_visitor_over_the_limit_was_never_trained_on() -> None:
    events = shop(("robot", [(minute, PAGE) for minute in range(4)]), ("a", [(0, PAGE)]))
    assert judged(events, asked(("robot", 2), ("a", 2)), Purchase(), max_events=3) == [
        ("visitor_over_limit", None, 0),
        ("known", 0, 1),
    ]


def test_versions_are_judged_each_in_its_own_way() -> None:
    events = shop(("a", [(0, PAGE), (10, ORDER), (20, PAGE), (30, "Signed Up")]))
    both = pa.concat_tables([asked(("a", 5)), asked(("a", 5), version="v2")])
    judges = {
        name: Judge(generator, SessionRules(), tuple(generator.hides), tuple(generator.begins_after))
        for name, generator in (("v1", Purchase(event="Signed Up")), ("v2", Purchase(event="Nothing")))
    }
    rows = judge_shard(events, both, judges, Window(MONDAY_US, MONDAY_US + 40 * DAY_US), 0).to_pylist()
    assert [(row["version"], row["label"]) for row in rows] == [("v1", 1), ("v2", 0)]


def test_events_come_in_any_order_and_copies_count_once() -> None:
    events = shop(("a", [(0, PAGE), (10, PAGE), (20, ORDER)]), ("b", [(0, PAGE)]))
    shuffled = pa.concat_tables([events.take([3, 2, 0, 1]), events.take([1, 2])])
    predictions = asked(("b", 5), ("a", 15))
    assert judged(shuffled, predictions, Purchase()) == judged(events, predictions, Purchase())


@pytest.mark.parametrize("generator", [Purchase(), PurchasePoints()])
def test_no_events_at_all(generator: Any) -> None:
    assert judged(shop(), asked(("a", 5)), generator) == [("no_events", None, 0)]
    assert CENSORED == -1
