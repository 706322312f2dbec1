import numpy as np
import pytest

from features.gaze_density import density
from models.attention import baselines, metrics
from models.attention.metrics import MetricsError


def test_the_centre_prior_is_the_mean_of_densities() -> None:
    a, b = np.array([[1.0, 3.0]]), np.array([[2.0, 2.0]])
    np.testing.assert_allclose(baselines.centre_prior([a, b * 10]), [[0.375, 0.625]])


def test_maps_that_cannot_be_a_prior() -> None:
    with pytest.raises(MetricsError, match="no maps to make a centre prior of"):
        baselines.centre_prior([])
    with pytest.raises(MetricsError, match=r"shapes \(2, 2\) and \(2, 3\); expected one size"):
        baselines.centre_prior([np.ones((2, 2)), np.ones((2, 3))])


def test_the_residual_finds_the_odd_one_out() -> None:
    image = np.full((240, 320, 3), 200, np.uint8)
    image[::16], image[:, ::16] = 40, 40  # a regular grid is what the spectrum expects
    image[100:120, 210:235] = (230, 30, 30)
    found = baselines.spectral_residual(image)
    assert (found.shape, found.dtype) == ((240, 320), np.float32)
    assert (found.min() >= 0, found.max() <= 1) == (True, True)
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert 80 <= row < 140 and 190 <= column < 255


def test_a_blank_image_has_no_residual_that_matters() -> None:
    found = baselines.residual_with_prior(np.full((30, 40, 3), 7, np.uint8), np.ones((30, 40)), 2)
    assert np.isfinite(found).all() and found.sum() == pytest.approx(1)


def test_images_that_have_no_residual() -> None:
    with pytest.raises(MetricsError, match=r"expected uint8 \(H, W, 3\) RGB"):
        baselines.spectral_residual(np.zeros((3, 4), np.uint8))
    with pytest.raises(MetricsError, match=r"a prior of shape \(2, 2\) for an image of \(3, 4\)"):
        baselines.residual_with_prior(np.zeros((3, 4, 3), np.uint8), np.ones((2, 2)), 2)


def test_people_who_agree_and_people_who_do_not() -> None:
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(6), 10)
    spot = rng.normal((30, 20), 3, (60, 2))
    same = baselines.human_consistency(*spot.T, subject, 60, 80, 4)
    anywhere = rng.random((60, 2)) * (80, 60)
    apart = baselines.human_consistency(*anywhere.T, subject, 60, 80, 4)
    assert same.people == 6
    assert same.nss > 3 > 0.5 > abs(apart.nss)
    assert same.auc > 0.95 and 0.35 < apart.auc < 0.65
    assert same.cc > 0.9 > 0.5 > apart.cc


def test_consistency_by_its_definition() -> None:
    x, y, subject = np.array([5.0, 6, 30, 31, 7]), np.array([5.0, 8, 20, 9, 6]), np.array([4, 4, 9, 9, 2])
    points = np.stack([x, y], axis=1)
    scores = []
    for person in (2, 4, 9):
        others = density(points[subject != person], None, 30, 40, 3)
        scores.append(metrics.nss(others, x[subject == person], y[subject == person]))
    found = baselines.human_consistency(x, y, subject, 30, 40, 3)
    assert found.nss == pytest.approx(np.mean(scores))
    halves = density(points[subject != 4], None, 30, 40, 3), density(points[subject == 4], None, 30, 40, 3)
    assert found.cc == pytest.approx(metrics.cc(*halves))


def test_one_person_has_nobody_to_agree_with() -> None:
    with pytest.raises(MetricsError, match="fixations of 1 people; consistency needs at least two"):
        baselines.human_consistency([1, 2], [1, 2], [3, 3], 10, 10, 2)
