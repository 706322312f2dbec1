"""How far a version may be from its photo, on vectors made by hand."""

import json

import numpy as np
import pytest

from features.creative_spec import CreativeSpec, VariantSpec
from models.artifact import PredictorError
from models.creative.sameness import SAMENESS_FILE, UNMEASURED_LIMIT, Sameness
from tests.served_creative import creative_artifact

__all__ = ["creative_artifact"]  # a fixture

SPEC = CreativeSpec(width=32, height=32, variants=(VariantSpec("original"), VariantSpec("sketch")))


def products(count: int, noise: float, seed: int) -> np.ndarray:
    """Returns products (P, 2, 6): a sketch is its photo, moved by the same vector for all, and noise."""
    random = np.random.default_rng(seed)
    photos = random.normal(size=(count, 6))
    moved = photos + [9, 0, 0, 9, 0, 0] + noise * random.normal(size=(count, 6))
    return np.stack([photos, moved], axis=1).astype(np.float32)


def test_what_all_sketches_have_in_common_is_no_distance() -> None:
    train, validation = products(200, 0.0, 1), products(50, 0.0, 2)
    found, _ = Sameness.measure(SPEC, train, validation)
    np.testing.assert_allclose(found.means, train.mean(axis=0), rtol=1e-5)
    assert found.measured
    for photo in products(20, 0.0, 3):
        np.testing.assert_allclose(found.distances(photo), [0, 0], atol=1e-5)


def test_a_limit_lies_between_the_own_product_and_others() -> None:
    found, confused = Sameness.measure(SPEC, products(400, 0.1, 1), products(200, 0.1, 2))
    own = products(50, 0.1, 3)
    assert all((found.distances(each) <= found.limits).all() for each in own)
    swapped = own.copy()
    swapped[:, 1] = np.roll(own[:, 1], 1, axis=0)
    far = [found.distances(each)[1] > found.limits[1] for each in swapped]
    assert np.mean(far) > 0.9
    assert confused[1] < 0.1


def test_it_is_read_as_it_was_written(tmp_path) -> None:
    found, confused = Sameness.measure(SPEC, products(30, 0.1, 1), products(20, 0.1, 2))
    found.save(tmp_path, SPEC, 20, confused)
    again = Sameness.load(tmp_path, SPEC, 6)
    assert again.measured and again.original == 0
    np.testing.assert_array_equal(again.means, found.means)
    np.testing.assert_array_equal(again.limits, found.limits)
    assert json.loads((tmp_path / SAMENESS_FILE).read_text())["products"] == 20


def test_an_artifact_in_which_it_was_not_measured_has_the_default(tmp_path) -> None:
    found = Sameness.load(tmp_path, SPEC, 6)
    assert not found.measured
    assert found.limits.tolist() == [UNMEASURED_LIMIT] * 2
    # 1 - cos of (1, 0, ..) and (0, 1, ..) is 1; of (1, 0, ..) and (1, 1, ..) it is 1 - 1 / sqrt 2.
    vectors = np.zeros((2, 6), np.float32)
    vectors[0, 0] = vectors[1, 0] = vectors[1, 1] = 1
    np.testing.assert_allclose(found.distances(vectors), [0, 1 - 2**-0.5])
    vectors[1, 0] = 0
    np.testing.assert_allclose(found.distances(vectors), [0, 1])


def test_what_does_not_hold_together(tmp_path) -> None:
    found, confused = Sameness.measure(SPEC, products(30, 0.1, 1), products(20, 0.1, 2))
    found.save(tmp_path, SPEC, 20, confused)
    with pytest.raises(PredictorError, match="does not hold together .*means"):
        Sameness.load(tmp_path, SPEC, 7)
    (tmp_path / SAMENESS_FILE).write_text("{}")
    with pytest.raises(PredictorError, match="does not hold together"):
        Sameness.load(tmp_path, SPEC, 6)


def test_training_measures_it(creative_artifact) -> None:
    spec = CreativeSpec.from_json((creative_artifact / "creative_spec.json").read_text())
    found = Sameness.load(creative_artifact, spec, 4)
    assert found.measured and found.limits[0] == 0 and (found.limits[1:] > 0).all()
    assert json.loads((creative_artifact / SAMENESS_FILE).read_text())["products"] == 12
