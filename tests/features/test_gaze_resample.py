"""Traces at an even pace, by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.gaze import GazeError, Points
from features.gaze_resample import resample


def points(*rows: tuple[int, float, float, float]) -> Points:
    """Rows of subject, x, y, time."""
    subject, x, y, time = (np.array(column) for column in zip(*rows, strict=True))
    order = np.arange(len(rows), dtype=np.int32)
    return Points.in_order(
        subject.astype(np.int64), order, x.astype(np.float32), y.astype(np.float32), time.astype(np.float64)
    )


def places(found: Points) -> list[tuple[int, float, float]]:
    return list(zip(found.subject.tolist(), found.x.tolist(), found.y.tolist(), strict=True))


# along the sides of a right angle: 6 to the right in 40 ms, a rest of 20 ms, 8 down in 20 ms
ANGLE = points((7, 0, 0, 100), (7, 6, 0, 140), (7, 6, 0, 160), (7, 6, 8, 180))


def test_by_distance_a_rest_counts_once() -> None:
    found, dropped = resample(ANGLE, "distance", 2)
    assert dropped == {}
    assert places(found) == [(7, 0, 0), (7, 2, 0), (7, 4, 0), (7, 6, 0), (7, 6, 2), (7, 6, 4), (7, 6, 6), (7, 6, 8)]
    assert found.order.tolist() == list(range(8))


def test_by_time_a_rest_counts_by_its_length() -> None:
    found, _ = resample(ANGLE, "time", 20)
    assert places(found) == [(7, 0, 0), (7, 3, 0), (7, 6, 0), (7, 6, 0), (7, 6, 8)]
    assert found.time_ms.tolist() == [100, 120, 140, 160, 180]


def test_each_person_has_a_trace_of_their_own() -> None:
    found, _ = resample(points((1, 0, 0, 0), (2, 50, 50, 0), (1, 4, 0, 10), (2, 50, 52, 10)), "distance", 2)
    assert places(found) == [(1, 0, 0), (1, 2, 0), (1, 4, 0), (2, 50, 50), (2, 50, 52)]


def test_one_sample_and_none_stay_as_they_are() -> None:
    assert places(resample(points((3, 5, 6, 0)), "distance", 10)[0]) == [(3, 5, 6)]
    assert len(resample(Points.none(), "time", 10)[0]) == 0
    assert resample(ANGLE, "none", 10)[0] is ANGLE


def test_a_clock_that_steps_back_stands_still_meanwhile() -> None:
    found, _ = resample(points((1, 0, 0, 0), (1, 10, 0, 20), (1, 20, 0, 10), (1, 30, 0, 40)), "time", 20)
    assert len(found) == 3
    assert places(found)[0] == (1, 0, 0)
    assert places(found)[-1] == (1, 30, 0)


def test_without_times_there_is_no_resampling_by_time() -> None:
    with pytest.raises(GazeError, match="no time_ms to resample by; say their sample_ms"):
        resample(points((1, 0, 0, np.nan)), "time", 20)


def test_a_trace_of_absurd_length_is_left_out_and_counted() -> None:
    found, dropped = resample(points((1, 0, 0, 0), (1, 1, 0, 1e15), (2, 0, 0, 0), (2, 4, 0, 2)), "time", 1)
    assert dropped == {"trace_too_long": 2}
    assert places(found) == [(2, 0, 0), (2, 2, 0), (2, 4, 0)]


@given(st.lists(st.tuples(st.floats(0, 800, width=32), st.floats(0, 600, width=32)), min_size=1, max_size=30))
def test_how_often_a_device_samples_a_straight_line_makes_no_difference(way: list[tuple[float, float]]) -> None:
    rows = [(1, x, y, 10.0 * n) for n, (x, y) in enumerate(way)]
    halfway = [(1, (a[1] + b[1]) / 2, (a[2] + b[2]) / 2, (a[3] + b[3]) / 2) for a, b in pairwise(rows)]
    denser = sorted([*rows, *halfway], key=lambda row: row[3])
    for step in (5.0, 7.0):
        one, other = resample(points(*rows), "time", step)[0], resample(points(*denser), "time", step)[0]
        np.testing.assert_allclose(one.x, other.x, atol=1e-3)
        np.testing.assert_allclose(one.y, other.y, atol=1e-3)
