"""Slices as rows and as columns."""

import numpy as np
import pytest

from features.slices import Slice, SliceError, Slices


def test_rows_become_columns_in_order() -> None:
    slices = Slices.from_rows([[Slice(0, 2, 1, {"clicks": 3.0})], [], [Slice(1, 4, 0, {"clicks": 5.0})]], ("clicks",))
    assert slices.session.tolist() == [0, 2]
    assert slices.start.tolist() == [0, 1]
    assert slices.end.tolist() == [2, 4]
    assert slices.label.tolist() == [1, 0]
    assert slices.stats["clicks"].tolist() == [3.0, 5.0]
    assert slices.take(np.array([1])).stats["clicks"].tolist() == [5.0]


def test_stats_that_the_generator_does_not_declare_are_refused() -> None:
    with pytest.raises(SliceError, match=r"slice \(0, 1, 0\) of session 0 has stats \['clicks'\]; .* declares \[\]"):
        Slices.from_rows([[Slice(0, 1, 0, {"clicks": 1.0})]])


def test_columns_of_different_lengths_are_refused() -> None:
    one, two = np.zeros(1, np.int64), np.zeros(2, np.int64)
    with pytest.raises(SliceError, match=r"lengths \[1, 2\]"):
        Slices(one, one, two, one)
