import json

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, precision_score, recall_score

from models.creative.evaluation import evaluate, share

NAMES = ("original", "brighter", "sketch")


def judged(count=300, right=0.9):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, count)
    probabilities = rng.dirichlet([1, 1, 1], count) * 0.4
    probabilities[np.arange(count), np.where(rng.random(count) < right, labels, rng.integers(0, 3, count))] += 0.6
    products = [f"p{row // 3}" for row in range(count)]
    kinds = [("Shoes", "Hat", "")[row // 3 % 3] for row in range(count)]
    return labels, probabilities, NAMES, products, kinds


def test_the_figures_are_those_of_scikit_learn() -> None:
    labels, probabilities, *rest = judged()
    found = evaluate(labels, probabilities, *rest)
    said = probabilities.argmax(1)
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy_score(labels, said))
    assert found["metrics"]["log_loss"] == pytest.approx(log_loss(labels, probabilities))
    assert found["confusion"] == confusion_matrix(labels, said).tolist()
    assert [r["recall"] for r in found["by_variant"]] == pytest.approx(recall_score(labels, said, average=None))
    assert [r["precision"] for r in found["by_variant"]] == pytest.approx(precision_score(labels, said, average=None))
    assert found["metrics"]["least_recall"] == pytest.approx(min(recall_score(labels, said, average=None)))
    json.dumps(found, allow_nan=False)


def test_every_kind_of_product_has_its_own_figure() -> None:
    labels, probabilities, names, products, kinds = judged()
    rows = evaluate(labels, probabilities, names, products, kinds)["by_kind"]
    assert [row["kind"] for row in rows] == ["Hat", "Shoes", "unknown"] or rows[0]["images"] > rows[-1]["images"]
    for row in rows:
        chosen = [i for i, kind in enumerate(kinds) if (kind or "unknown") == row["kind"]]
        assert row["accuracy"] == pytest.approx((probabilities[chosen].argmax(1) == labels[chosen]).mean())
        assert row["products"] == len({products[i] for i in chosen})
    assert sum(row["images"] for row in rows) == 300


def test_mistakes_are_told_the_surest_first() -> None:
    labels = np.array([0, 1, 2])
    probabilities = np.array([[0.3, 0.7, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]])
    found = evaluate(labels, probabilities, NAMES, ["a", "b", "c"], ["", "", ""])
    assert [(m["product"], m["variant"], m["taken_for"], m["row"]) for m in found["mistakes"]] == [
        ("b", "brighter", "original", 1),
        ("a", "original", "brighter", 0),
    ]


def test_a_variant_that_is_never_there_has_no_recall() -> None:
    found = evaluate(np.array([0, 0]), np.eye(3)[[0, 1]], NAMES, ["a", "b"], ["", ""])
    assert [row["recall"] for row in found["by_variant"]] == [0.5, None, None]
    assert [row["precision"] for row in found["by_variant"]] == [1.0, 0.0, None]


@pytest.mark.parametrize(("right", "count"), [(948, 950), (10, 10), (0, 10), (1, 3)])
def test_the_interval_is_wilsons(right, count) -> None:
    found, expected = share(right, count), binomtest(right, count).proportion_ci(method="wilson")
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high), abs=1e-12)
