"""Points: order, traces, and what is inside an image."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.gaze import GAZE_SCHEMA, Points, check_points, gaze_batch, no_points, subject_number, subject_numbers


def points(*rows: tuple[int, int, float, float]) -> Points:
    """Rows of subject, order, x, y."""
    subject, order, x, y = (np.array(column) for column in zip(*rows, strict=True))
    times = np.full(len(rows), np.nan)
    return Points.in_order(
        subject.astype(np.int64), order.astype(np.int32), x.astype(np.float32), y.astype(np.float32), times
    )


def test_points_are_sorted_by_subject_and_order_whatever_order_they_came_in() -> None:
    rows = [(2, 0, 5.0, 1.0), (1, 1, 3.0, 1.0), (1, 0, 4.0, 1.0), (2, 1, 6.0, 1.0)]
    for given_rows in (rows, rows[::-1]):
        found = points(*given_rows)
        assert found.x.tolist() == [4, 3, 5, 6]
        assert list(found.traces()) == [slice(0, 2), slice(2, 4)]
    assert list(Points.none().traces()) == []


def test_a_point_on_the_last_pixel_is_inside_and_one_beyond_is_not() -> None:
    found = points((1, 0, 0, 0), (1, 1, 9.99, 4.99), (1, 2, 10, 0), (1, 3, 0, 5), (1, 4, -0.01, 0), (1, 5, np.nan, 0))
    kept, dropped = check_points(found, height=5, width=10)
    assert kept.order.tolist() == [0, 1]
    assert dropped == {"outside_image": 4}


def test_the_forced_first_fixation_is_the_lowest_order_of_anyone() -> None:
    # person 2 has no point of order 0: their first fixation was not recorded, so nothing of theirs was forced
    found = points((1, 0, 5, 2), (1, 1, 1, 1), (2, 1, 2, 2), (2, 2, 3, 3), (3, 0, 99, 99))
    kept, dropped = check_points(found, height=5, width=10, drop_first=True)
    assert list(zip(kept.subject.tolist(), kept.order.tolist(), strict=True)) == [(1, 1), (2, 1), (2, 2)]
    assert dropped == {"forced_first_fixation": 2}
    assert len(check_points(Points.none(), 5, 10, drop_first=True)[0]) == 0


@given(st.lists(st.tuples(st.floats(-20, 20, width=32), st.floats(-20, 20, width=32)), max_size=20))
def test_every_point_is_kept_or_counted(places: list[tuple[float, float]]) -> None:
    found = points(*((1, n, x, y) for n, (x, y) in enumerate(places))) if places else Points.none()
    kept, dropped = check_points(found, height=8, width=12)
    assert len(kept) + sum(dropped.values()) == len(places)
    assert [(x, y) for x, y in places if 0 <= x < 12 and 0 <= y < 8] == list(
        zip(kept.x.tolist(), kept.y.tolist(), strict=True)
    )


def test_a_batch_of_points_is_in_the_schema() -> None:
    batch = gaze_batch("osie", "eye", pa.array(["a", "b"]), pa.array([1, 2]), [0, 1], [1.5, 2.5], [3, 4])
    assert batch.schema == GAZE_SCHEMA == no_points().schema
    assert batch.to_pylist()[1] == {
        "set": "osie",
        "image": "b",
        "method": "eye",
        "subject": 2,
        "order": 1,
        "x": 2.5,
        "y": 4.0,
        "duration_ms": None,
        "time_ms": None,
    }
    assert np.isnan(Points.of(batch).time_ms).all()


@pytest.mark.parametrize(("name", "number"), [("7", 7), (" -3 ", -3), ("", 0)])
def test_a_person_is_their_number(name: str, number: int) -> None:
    assert subject_number(name) == number


def test_a_person_with_a_name_has_its_hash() -> None:
    # murmur3_x86_32 of "hello" with seed 0, as the reference implementation gives it
    assert subject_number("hello") == 613153351
    assert subject_number(str(10**30)) == subject_number(f" {10**30}")
    assert subject_numbers(pa.array(["hello", "2", None, "hello"])).to_pylist() == [613153351, 2, 0, 613153351]
