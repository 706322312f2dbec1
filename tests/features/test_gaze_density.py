"""Densities against the Gaussian written out, and the merge rule by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.gaze import GazeError
from features.gaze_density import (
    decode_map,
    density,
    encode_map,
    merge_maps,
    merged_method,
    normalised,
    sigma_of_degrees,
)


def by_hand(
    points: list[tuple[float, float]], weights: list[float], height: int, width: int, sigma: float
) -> np.ndarray:
    """The sum of Gaussians at the centres of the points' pixels, cut at 4 sigmas, divided by its sum."""
    reach = int(4 * sigma + 0.5)
    rows, columns = np.mgrid[:height, :width]
    total = np.zeros((height, width))
    for (x, y), weight in zip(points, weights, strict=True):
        down, right = rows - math.floor(y), columns - math.floor(x)
        near = (abs(down) <= reach) & (abs(right) <= reach)
        total += weight * near * np.exp(-(down**2 + right**2) / (2 * sigma**2))
    return total / total.sum()


def test_a_density_is_the_sum_of_gaussians_at_the_centres_of_pixels() -> None:
    points, weights = [(3.2, 4.9), (17.0, 0.0), (3.9, 4.0), (19.99, 11.5)], [1.0, 2.0, 0.5, 3.0]
    found = density(np.array(points), np.array(weights), 12, 20, 2.5)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(points, weights, 12, 20, 2.5), atol=2e-7)


def test_a_sigma_larger_than_the_image_is_no_trouble() -> None:
    found = density(np.array([[1.0, 1.0]]), None, 4, 6, 50.0)
    np.testing.assert_allclose(found, by_hand([(1, 1)], [1], 4, 6, 50.0), atol=2e-7)


@given(
    st.lists(st.tuples(st.floats(0, 29.99), st.floats(0, 19.99)), min_size=1, max_size=20),
    st.floats(0.3, 12),
)
def test_a_density_sums_to_one_and_the_order_of_points_makes_no_difference(
    points: list[tuple[float, float]], sigma: float
) -> None:
    found = density(np.array(points), None, 20, 30, sigma)
    assert found.shape == (20, 30)
    assert found.min() >= 0
    assert abs(float(found.sum(dtype=np.float64)) - 1) < 1e-5
    np.testing.assert_array_equal(found, density(np.array(points[::-1]), None, 20, 30, sigma))
    turned = density(np.array([(y, x) for x, y in points]), None, 30, 20, sigma)
    np.testing.assert_allclose(turned.T, found, atol=1e-6)


def test_what_has_no_density_is_refused() -> None:
    with pytest.raises(GazeError, match="no points to make a density of"):
        density(np.zeros((0, 2)), None, 4, 4, 1)
    for point in ([4.0, 0.0], [-0.1, 0.0], [0.0, 4.0]):
        with pytest.raises(GazeError, match="points outside an image of 4 x 4"):
            density(np.array([point]), None, 4, 4, 1)
    with pytest.raises(GazeError, match="a map has sum 0"):
        density(np.array([[1.0, 1.0]]), np.array([0.0]), 4, 4, 1)


def test_sigma_from_degrees() -> None:
    assert sigma_of_degrees(1.5, 24) == 36
    with pytest.raises(GazeError, match="pixels_per_degree is 0; expected a positive number"):
        sigma_of_degrees(1, 0)
    with pytest.raises(GazeError, match="sigma_degrees is nan"):
        sigma_of_degrees(math.nan, 24)


def test_methods_count_by_their_weight_and_not_by_their_samples() -> None:
    eye, mouse = np.array([[1.0, 0.0]], np.float32), np.array([[0.25, 0.75]], np.float32)
    merged = merge_maps({"mouse_samples": mouse, "eye": eye}, {"eye": 1.0, "mouse_samples": 0.25})
    # (1 + 0.25 * 0.25) / 1.25 and (0.25 * 0.75) / 1.25
    np.testing.assert_allclose(merged, [[0.85, 0.15]], atol=1e-7)
    assert merge_maps({"eye": eye}, {"eye": 0.1}) is eye
    assert merged_method({"mouse_samples": 1, "eye": 1}) == "eye+mouse_samples"
    with pytest.raises(GazeError, match="no weight for clicks; add it to merge"):
        merge_maps({"eye": eye, "clicks": eye}, {"eye": 1.0})
    with pytest.raises(GazeError, match="no map to merge"):
        merge_maps({}, {"eye": 1.0})


def test_only_a_map_is_normalised() -> None:
    np.testing.assert_array_equal(normalised(np.array([[1, 3]])), np.array([[0.25, 0.75]], np.float32))
    for bad in ([[0.0, 0.0]], [[-1.0, 2.0]], [[np.nan, 1.0]], [[np.inf, 1.0]]):
        with pytest.raises(GazeError, match="expected none negative, some positive"):
            normalised(np.array(bad))


@given(st.lists(st.floats(0, 1, width=32), min_size=6, max_size=6).filter(any))
def test_a_stored_map_is_off_by_half_a_level(values: list[float]) -> None:
    most = max(values)
    if most < 1e-30:
        return
    stored, found = encode_map(np.array(values, np.float32).reshape(2, 3))
    assert found == np.float32(most)
    back = decode_map(stored, found)
    assert back.shape == (2, 3)
    np.testing.assert_allclose(back.ravel(), values, atol=most / 131070 * 1.001)


def test_what_is_no_stored_map_is_refused() -> None:
    with pytest.raises(GazeError, match="is not a 16-bit grey PNG"):
        decode_map(b"no image", 1.0)
