import cv2
import numpy as np
import pytest

from models.attention.metrics import MetricsError
from models.attention.region_error import effective_fixations


def _map(rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(rng.random((60, 80)) ** 30, (0, 0), 4) + 1e-6


def _sampled(density: np.ndarray, fixations: int, rng: np.random.Generator) -> np.ndarray:
    return rng.multinomial(fixations, density.ravel() / density.sum()).reshape(density.shape).astype(float)


def test_a_perfect_model_stands_for_the_fixations_there_were() -> None:
    rng = np.random.default_rng(0)
    maps = [_map(rng) for _ in range(60)]
    found = effective_fixations([(each, _sampled(each, 40, rng)) for each in maps])
    assert 30 <= found["effective_fixations"] <= 52
    assert 0.91 <= found["coverage"] <= 0.99
    assert found["boxes"] == 60 * 20


def test_a_worse_model_stands_for_fewer() -> None:
    rng = np.random.default_rng(1)
    maps = [_map(rng) for _ in range(20)]
    wrong = [(one, _sampled(other, 40, rng)) for one, other in zip(maps, maps[1:] + maps[:1], strict=True)]
    right = [(each, _sampled(each, 40, rng)) for each in maps]
    bad, good = effective_fixations(wrong), effective_fixations(right)
    assert bad["effective_fixations"] < good["effective_fixations"]
    assert bad["mean_error"] > good["mean_error"]
    assert effective_fixations(right) == good


def test_a_model_that_is_never_wrong() -> None:
    rng = np.random.default_rng(2)
    maps = [_map(rng) for _ in range(2)]
    assert effective_fixations([(each, each) for each in maps])["effective_fixations"] == 100_000


def test_one_image_is_too_few() -> None:
    with pytest.raises(MetricsError, match="1 images; expected at least two, one to fit and one to judge"):
        effective_fixations([(np.ones((9, 9)), np.ones((9, 9)))])
