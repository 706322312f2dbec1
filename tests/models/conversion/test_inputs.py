"""What the trees see: categories by hand, unseen ones counted, reductions that do not depend on their company."""

import numpy as np
import pyarrow as pa
import pytest

from models.artifact import PredictorError
from models.creative.conversion.inputs import Inputs, Reduction, categories_of

INPUTS = Inputs("logits", 2, {"brand": ("Aster", "Birk"), "kind": ("shoe",)})
VECTORS = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32)


def test_columns_by_hand():
    found, unseen = INPUTS.matrix(
        VECTORS, {"brand": ["Birk", "Aster", "Elm", None], "kind": ["", "shoe", "hat", "tie"]}
    )
    nan = np.nan
    expected = [[1, 2, 1, nan], [3, 4, 0, 0], [5, 6, nan, nan], [7, 8, nan, nan]]
    np.testing.assert_array_equal(found, np.array(expected, np.float32))
    assert unseen == {"brand": 1, "kind": 2}
    assert (INPUTS.kinds, INPUTS.columns) == (["q", "q", "c", "c"], ["photo", "photo", "brand", "kind"])


def test_what_is_left_out_is_missing():
    found, unseen = INPUTS.matrix(VECTORS[:1], {})
    np.testing.assert_array_equal(found, np.array([[1, 2, np.nan, np.nan]], np.float32))
    assert unseen == {"brand": 0, "kind": 0}


@pytest.mark.parametrize(
    ("vectors", "campaigns", "said"),
    [
        (VECTORS[:, :1], {}, r"vectors 'logits' have shape \(4, 1\); expected finite numbers \(N, 2\)"),
        (VECTORS * np.nan, {}, "expected finite numbers"),
        (VECTORS, {"size": ["9"] * 4}, "unknown category 'size'; expected one of brand, kind"),
        (VECTORS, {"brand": ["Birk"]}, "category 'brand' has 1 values for 4 vectors"),
    ],
)
def test_what_does_not_fit_is_refused(vectors, campaigns, said):
    with pytest.raises(PredictorError, match=said):
        INPUTS.matrix(vectors, campaigns)


def test_categories_are_the_most_frequent_among_products():
    columns = {"brand": pa.array(["b", "b", "b", "a", "c", "a", ""])}
    product = np.array([0, 0, 0, 1, 2, 3, 4])  # b has three rows of one product, a two products
    assert categories_of(["brand"], columns, product) == ({"brand": ("a", "b", "c")}, {"brand": 0})
    assert categories_of(["brand"], columns, product, most=2) == ({"brand": ("a", "b")}, {"brand": 1})


def test_components_are_those_of_the_singular_value_decomposition():
    vectors = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32) @ np.diag([5, 1, 3, 0.5, 2])
    reduction = Reduction.of(vectors.astype(np.float32), 2)
    centred = vectors - vectors.mean(axis=0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(reduction.components.T @ rows[:2].T), np.eye(2), atol=1e-5)
    seen = reduction.apply(vectors.astype(np.float32))
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen[3:4], reduction.apply(vectors[3:4].astype(np.float32)))
    assert reduction.apply(np.zeros((0, 5), np.float32)).shape == (0, 2)


@pytest.mark.parametrize("reduced", [False, True])
def test_files_keep_every_bit(tmp_path, reduced):
    inputs = Inputs("logits", 2, INPUTS.categories, Reduction.of(VECTORS, 1) if reduced else None)
    inputs.save(tmp_path)
    again = Inputs.load(tmp_path)
    campaigns = {"brand": ["Birk"] * 4}
    np.testing.assert_array_equal(again.matrix(VECTORS, campaigns)[0], inputs.matrix(VECTORS, campaigns)[0])
    assert again.categories == inputs.categories
    (tmp_path / "inputs.json").write_text('{"vector": "logits"}')
    with pytest.raises(PredictorError, match="does not hold together"):
        Inputs.load(tmp_path)
