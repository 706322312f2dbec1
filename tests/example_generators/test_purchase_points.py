"""Prediction points, horizons and censoring, against cases worked out by hand."""

import numpy as np
import pytest

from example_generators.catalogue import load_generator
from example_generators.errors import GeneratorError

VIEW, CART, ORDER, POINT = "Page Viewed", "Product Added", "Order Completed", "Prediction Point"
SHOP = [("a", 0, VIEW), ("a", 10, CART), ("a", 20, VIEW), ("a", 30, ORDER), ("a", 40, VIEW)]


def points(rows, sessions_of, tuples, window=(0, 10**6), **params):
    return tuples(load_generator("purchase_points", params).slices_of(sessions_of(rows, window)))


def test_after_every_page_view_until_the_session_ends(sessions_of, tuples):
    assert points(SHOP, sessions_of, tuples) == [(0, 0, 1, 1), (0, 0, 3, 1), (0, 0, 5, 0)]


def test_a_horizon_in_events_counts_the_next_events_of_the_session(sessions_of, tuples):
    assert [row[3] for row in points(SHOP, sessions_of, tuples, horizon_events=2)] == [0, 1, 0]
    assert [row[3] for row in points(SHOP, sessions_of, tuples, horizon_events=3)] == [1, 1, 0]


def test_a_horizon_in_seconds_includes_its_last_moment(sessions_of, tuples):
    assert [row[3] for row in points(SHOP, sessions_of, tuples, horizon_seconds=30)] == [1, 1, 0]
    assert [row[3] for row in points(SHOP, sessions_of, tuples, horizon_seconds=29.999999)] == [0, 1, 0]


def test_a_horizon_past_the_end_of_the_data_is_censored_even_where_the_order_came(sessions_of, tuples):
    found = points(SHOP, sessions_of, tuples, window=(0, 50), horizon_seconds=25)
    assert [row[3] for row in found] == [0, 1, -1]
    found = points(SHOP, sessions_of, tuples, window=(0, 45), horizon_seconds=25)
    assert [row[3] for row in found] == [0, -1, -1]


@pytest.mark.parametrize(("end", "labels"), [(1841, [1, 1, 0]), (1840, [1, 1, -1])])
def test_a_session_that_may_still_be_running_has_unknown_events(end, labels, sessions_of, tuples):
    found = points(SHOP, sessions_of, tuples, window=(0, end), horizon_events=2)
    assert [row[3] for row in found] == [0, 1, labels[-1]]  # two events follow the first two points: known
    found = points(SHOP, sessions_of, tuples, window=(0, end))
    assert [row[3] for row in found] == (labels if end == 1841 else [-1, -1, -1])


def test_synthetic_points_are_neither_seen_nor_counted(sessions_of, tuples):
    rows = [("a", 0, POINT), ("a", 1, VIEW), ("a", 2, POINT), ("a", 3, POINT), ("a", 4, VIEW), ("a", 5, ORDER)]
    generator = load_generator("purchase_points", {"points": "synthetic", "horizon_events": 2})
    assert generator.hides == (POINT,)
    found = generator.slices_of(sessions_of(rows))
    assert tuples(found) == [(0, 0, 2, 1), (0, 0, 3, 1)]  # the point at 0 has nothing to see
    assert found.stats["clicks"].tolist() == [1, 1]
    assert [row[3] for row in points(rows, sessions_of, tuples, points="synthetic", horizon_events=1)] == [0, 0]


def test_a_named_event_can_be_the_page_view(sessions_of, tuples):
    assert points(SHOP, sessions_of, tuples, view_events=[CART]) == [(0, 0, 2, 1)]


def test_random_points_depend_on_seed_and_visitor_alone(sessions_of):
    rows = [(visitor, 60 * i, VIEW) for visitor in ("ann", "bob", "cyd") for i in range(200)]
    generator = load_generator("purchase_points", {"points": "random", "share": 0.25})
    drawn = generator.slices_of(sessions_of(rows))
    per_visitor = [drawn.end[drawn.session == s].tolist() for s in range(3)]
    assert len({tuple(ends) for ends in per_visitor}) == 3
    assert len(drawn) == pytest.approx(150, abs=3 * np.sqrt(600 * 0.25 * 0.75))  # 3 standard deviations
    for k, visitor in enumerate(("ann", "bob", "cyd")):
        alone = generator.slices_of(sessions_of([row for row in rows if row[0] == visitor][::-1]))
        assert alone.end.tolist() == per_visitor[k]
    reseeded = load_generator("purchase_points", {"points": "random", "share": 0.25, "seed": 1})
    assert reseeded.slices_of(sessions_of(rows)).end.tolist() != drawn.end.tolist()


def test_random_points_of_one_seed_are_nested(sessions_of, tuples):
    rows = [("ann", 60 * i, VIEW) for i in range(100)]
    few = points(rows, sessions_of, tuples, points="random", share=0.2)
    many = points(rows, sessions_of, tuples, points="random", share=0.6)
    assert set(few) < set(many)
    assert len(points(rows, sessions_of, tuples, points="random", share=1)) == 100


def test_an_order_is_no_point(sessions_of, tuples):
    assert points([("a", 0, ORDER), ("a", 1, ORDER)], sessions_of, tuples, points="random", share=1) == []


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"points": "views"}, "points is 'views'; expected one of page_views, synthetic, random"),
        ({"share": 0}, "share is 0.0; expected a share above 0 and at most 1"),
        ({"horizon_events": 0}, "horizon_events is 0; expected a number of at least 1"),
        ({"horizon_seconds": -1}, "horizon_seconds is -1.0; expected a number above 0"),
        ({"horizon_seconds": float("nan")}, "horizon_seconds is nan; expected a number above 0"),
        (
            {"horizon_seconds": 60, "horizon_events": 5},
            "horizon_events is 5 and horizon_seconds is 60; a horizon is counted in one of them: leave the other out",
        ),
        (
            {"points": "synthetic", "point_event": ORDER},
            "point_event and event are both 'Order Completed'; a point must not be the outcome",
        ),
    ],
)
def test_impossible_parameters_are_refused(params, message):
    with pytest.raises(GeneratorError) as caught:
        load_generator("purchase_points", params)
    assert str(caught.value) == message
