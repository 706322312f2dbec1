"""The evaluation as a whole: figures side by side, slices, views, and that it is plain JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.behavior import metrics
from models.behavior.calibration import fit_matrix_scaling
from models.behavior.evaluation import evaluate
from models.behavior.metrics import MetricsError


def world(n=3000, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.3, (n, classes))
    logits[:, 0] += 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    return logits, p, labels


def whole(classes=2):
    logits, p, labels = world(classes=classes)
    weighted = logits + np.eye(classes)[1] * 2
    scaling = fit_matrix_scaling(weighted, labels)
    bare = np.exp(weighted) / np.exp(weighted).sum(axis=1, keepdims=True)
    found = evaluate(
        labels,
        {"model": scaling.apply(weighted), "trees": 0.5 * p + 0.5 / classes, "base_rate": np.full_like(p, 1 / classes)},
        {"clicks": np.arange(len(p)) % 7},
        uncalibrated=bare,
        calibration=scaling,
        history=[{"epoch": 1, "train_loss": 0.5, "validation_loss": 0.6}],
        truth=p,
    )
    return found, p, labels


def test_every_figure_stands_side_by_side():
    found, p, labels = whole()
    assert set(found["figures"]) == {"model", "trees", "base_rate"}
    assert found["metrics"] == found["figures"]["model"]
    trees = 0.5 * p + 0.25
    assert found["figures"]["trees"]["log_loss"] == metrics.log_loss(labels, trees)
    assert found["figures"]["trees"]["ece"] == metrics.ece(labels, trees)
    assert found["figures"]["base_rate"]["auc"] == 0.5
    assert found["figures"]["base_rate"]["top_20_share"] == pytest.approx(0.2)
    assert found["figures"]["base_rate"]["top_10_rate"] == pytest.approx(labels.mean())
    assert set(found["differences"]) == {"trees", "base_rate"}
    assert found["differences"]["base_rate"]["value"] == pytest.approx(found["metrics"]["auc"] - 0.5)
    assert found["label_counts"] == [int((labels == 0).sum()), int(labels.sum())]


@pytest.mark.parametrize("classes", [2, 3])
def test_it_is_plain_json(classes):
    found, _, _ = whole(classes)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_calibration_says_before_and_after_here_and_where_it_was_judged():
    found, _, _ = whole()
    assert found["calibration"]["kept"]
    assert found["calibration"]["ece_after"] == found["metrics"]["ece"] < found["calibration"]["ece_before"]
    assert found["calibration"]["judged"]["ece_after"] <= found["calibration"]["judged"]["ece_before"]
    assert sum(bucket["examples"] for bucket in found["views"][0]["calibration_before"]) == found["examples"]


def test_the_truth_knows_how_far_everyone_is_from_it():
    found, p, labels = whole()
    truth = found["truth"]
    assert truth["mean_distance"]["trees"] == pytest.approx(np.abs(0.25 - 0.5 * p[:, 1]).mean())
    assert truth["auc_gap"]["trees"] == pytest.approx(0)
    assert truth["auc"] == metrics.roc_auc(labels == 1, p[:, 1])


def test_more_classes_have_a_view_each():
    found, _, labels = whole(3)
    assert [view["name"] for view in found["views"]] == ["class 0", "class 1", "class 2"]
    assert [view["positives"] for view in found["views"]] == np.bincount(labels).tolist()
    aucs = [view["curves"]["model"]["auc"] for view in found["views"]]
    assert found["metrics"]["auc"] == pytest.approx(np.mean(aucs))


def test_two_classes_have_one_view_of_class_one():
    found, _, labels = whole()
    (view,) = found["views"]
    assert (view["class"], view["name"], view["positives"]) == (1, "yes", labels.sum())


def slices_of(values, labels=None, scores=None):
    n = len(values)
    labels = np.arange(n) % 2 if labels is None else np.asarray(labels)
    scores = np.linspace(0.1, 0.9, n) if scores is None else np.asarray(scores)
    (view,) = evaluate(labels, {"model": np.stack([1 - scores, scores], axis=1)}, {"x": values})["views"]
    return view["slices"]


def test_a_stat_is_cut_at_its_quarters():
    found = slices_of(np.arange(100))
    assert [row["slice"] for row in found] == ["up to 24", "above 24, up to 49", "above 49, up to 74", "above 74"]
    assert [row["examples"] for row in found] == [25] * 4
    assert {row["stat"] for row in found} == {"x"}


@given(
    st.lists(st.tuples(st.floats(allow_infinity=False, width=32), st.integers(0, 1)), min_size=2, max_size=60).filter(
        lambda rows: len({label for _, label in rows}) == 2
    )
)
@settings(max_examples=60, deadline=None)
def test_every_example_is_in_exactly_one_slice_of_a_stat(rows):
    values, labels = zip(*rows, strict=True)
    found = slices_of(list(values), list(labels))
    assert sum(row["examples"] for row in found) == len(rows)
    assert sum(row["positives"] for row in found) == sum(labels)
    assert all(row["examples"] for row in found)


def test_few_values_stand_for_themselves_and_missing_ones_apart():
    found = slices_of([1, 0, 1, math.nan, 0, 1])
    assert [(row["slice"], row["examples"]) for row in found] == [("0", 2), ("1", 3), ("missing", 1)]


def test_a_skewed_stat_makes_no_empty_slice():
    found = slices_of([0] * 90 + [1, 2, 3, 4, 5, 6])
    assert [(row["slice"], row["examples"]) for row in found] == [("up to 0", 90), ("above 0", 6)]


def test_the_top_tenth_is_that_of_the_slice():
    # Slice 0 has one positive of ten, ranked first; slice 1 has its one positive ranked last.
    labels = [1] + [0] * 9 + [1] + [0] * 9
    scores = np.r_[0.9, np.linspace(0.1, 0.2, 9), 0.3, np.linspace(0.5, 0.8, 9)]
    first, second = slices_of([0] * 10 + [1] * 10, labels, scores)
    assert first["figures"]["model"]["top_10_rate"] == pytest.approx(1)
    assert second["figures"]["model"]["top_10_rate"] == pytest.approx(0)
    assert (first["figures"]["model"]["auc"], second["figures"]["model"]["auc"]) == (1, 0)
    assert second["figures"]["model"]["mean_prediction"] == pytest.approx(scores[10:].mean())
    assert first["rate"] == 0.1


def test_a_slice_of_one_class_has_no_auc():
    found = slices_of([0, 0, 1, 1], [0, 0, 0, 1])
    assert [row["figures"]["model"]["auc"] for row in found] == [None, 0.5 + 0.5]


GOOD = np.array([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])


@pytest.mark.parametrize(
    ("labels", "predictions", "options", "message"),
    [
        ([0, 1, 0], {"trees": GOOD}, {}, "predictions .'trees'. lack 'model'"),
        ([0, 0, 0], {"model": GOOD}, {}, "model: all 3 labels are 0; expected at least two classes"),
        ([], {"model": np.empty((0, 2))}, {}, "model: no examples to evaluate"),
        ([0, 1, 0], {"model": GOOD, "trees": GOOD * math.nan}, {}, "trees: 3 of 3 predictions are not finite"),
        ([0, 1, 0], {"model": GOOD, "trees": np.full((3, 3), 1 / 3)}, {}, "classes where the model has 2"),
        ([0, 1, 0], {"model": GOOD}, {"stats": {"clicks": [1, 2]}}, r"stats column 'clicks' has shape \(2,\)"),
        ([0, 1, 0], {"model": GOOD}, {"class_names": ["yes"]}, "1 class names for 2 classes"),
        ([0, 1, 0], {"model": GOOD}, {"truth": GOOD[:2]}, "truth: labels"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_one_line(labels, predictions, options, message):
    with pytest.raises(MetricsError, match=message) as error:
        evaluate(labels, predictions, **options)
    assert "\n" not in str(error.value)
