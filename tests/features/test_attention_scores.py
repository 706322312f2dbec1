import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import attention_scores as scores
from features.attention_scores import AttentionScoreError


def _random(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 30, 2)
    return rng.random((height, width)) ** 3 + 1e-9


def test_hottest_points_by_hand() -> None:
    attention = np.zeros((10, 20), np.float32)
    attention[2, 3], attention[2, 4], attention[8, 15] = 5, 3, 2
    first, second = scores.hottest_points(attention, 5, radius_px=2)
    assert first == scores.HotPoint(3.5, 2.5, pytest.approx(0.8))
    assert second == scores.HotPoint(15.5, 8.5, pytest.approx(0.2))
    assert len(scores.hottest_points(attention, 5, radius_px=0.5)) == 3
    assert scores.hottest_points(attention, 1, radius_px=100)[0].share == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_points_are_apart_and_fall(seed: int) -> None:
    attention = _random(seed)
    found = scores.hottest_points(attention, 8, radius_px=3)
    heights = [attention[int(point.y), int(point.x)] for point in found]
    assert heights == sorted(heights, reverse=True)
    assert sum(point.share for point in found) <= 1 + 1e-9
    for index, one in enumerate(found):
        assert all(math.dist(one[:2], other[:2]) > 3 for other in found[:index])


def test_focus_by_hand() -> None:
    assert scores.focus_score(np.ones((7, 9))) == pytest.approx(0, abs=1e-9)
    half = np.zeros((4, 5))
    half[:2] = 1
    assert scores.focus_score(half) == pytest.approx(50)  # even over half of the image
    one = np.zeros((10, 10))
    one[3, 3] = 1e-30
    assert scores.focus_score(one) == pytest.approx(99)  # one pixel of a hundred


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-9, 1e9))
def test_finer_pixels_and_another_scale_change_nothing(seed: int, scale: float) -> None:
    attention = _random(seed)
    finer = np.repeat(np.repeat(attention, 3, axis=0), 2, axis=1) * scale
    assert scores.focus_score(finer) == pytest.approx(scores.focus_score(attention), abs=1e-6)
    assert scores.above_the_fold(finer, 9.0) == pytest.approx(scores.above_the_fold(attention, 3.0))
    assert 0 <= scores.focus_score(attention) < 100


def test_above_the_fold_by_hand() -> None:
    attention = np.array([[1.0], [2.0], [5.0]])
    assert scores.above_the_fold(attention, 1) == pytest.approx(1 / 8)
    assert scores.above_the_fold(attention, 1.5) == pytest.approx(2 / 8)
    assert scores.above_the_fold(attention, 3) == scores.above_the_fold(attention, 900) == pytest.approx(1)


def test_difference_by_hand() -> None:
    change, moved = scores.difference([[1.0, 3.0]], [[2.0, 2.0]])
    assert change.dtype == np.float32 and change.tolist() == [[0.25, -0.25]]
    assert moved == pytest.approx(0.25)
    assert scores.difference([[1.0, 0.0]], [[0.0, 1.0]])[1] == pytest.approx(1)


def test_a_map_is_not_written_to() -> None:
    attention = np.arange(12.0).reshape(3, 4)
    before = attention.copy()
    scores.hottest_points(attention, 2, 1)
    scores.difference(attention, attention)
    np.testing.assert_array_equal(attention, before)


def test_very_small_and_very_large_maps_are_densities() -> None:
    for size in (5e-324, 1e-300, 1e308):
        np.testing.assert_allclose(scores.as_density(np.full((2, 2), size)), 0.25)


@pytest.mark.parametrize("attention", [[1, 2], [[]], [[np.nan]], [[-1.0, 2.0]], [[0.0, 0.0]], [[np.inf]]])
def test_what_is_no_map_is_refused(attention: list[object]) -> None:
    with pytest.raises(AttentionScoreError, match=r"expected \(H, W\), finite, none negative, some attention in it"):
        scores.focus_score(attention)


def test_options_that_cannot_be() -> None:
    with pytest.raises(AttentionScoreError, match="count 0 and radius_px 3; expected at least 1 and above 0"):
        scores.hottest_points([[1.0]], 0, 3)
    with pytest.raises(AttentionScoreError, match="fold_px is nan; expected the height of the first screen"):
        scores.above_the_fold([[1.0]], math.nan)
    with pytest.raises(AttentionScoreError, match=r"maps of \(1, 1\) and \(1, 2\); expected one size"):
        scores.difference([[1.0]], [[1.0, 1.0]])
