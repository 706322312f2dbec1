"""Matrix scaling: the optimum it should find, the rule by which it is kept, and what it must never do."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from models.behavior.calibration import (
    CalibrationError,
    MatrixScaling,
    ScalingOptions,
    _descend,
    fit_matrix_scaling,
)
from models.behavior.metrics import ece, log_loss


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def world(n, classes=2, slope=1.0, shift=0.0, seed=0):
    """Logits that are ``slope`` times the true ones, plus ``shift`` on class 1; class 0 is the most frequent."""
    rng = np.random.default_rng(seed)
    true = rng.normal(0, 1, (n, classes))
    true[:, 0] += 2
    labels = (rng.random((n, 1)) > np.cumsum(softmax(true), axis=1)).sum(axis=1)
    logits = slope * true
    logits[:, 1] += shift
    return logits, labels


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_gradient_descent_arrives_where_an_independent_optimiser_does(classes):
    logits, labels = world(3000, classes, slope=1.7, shift=1.5, seed=classes)
    options = ScalingOptions(iterations=5000, decay=0.001)
    centred = logits - logits.mean(axis=1, keepdims=True)  # what is common to a row means nothing to softmax

    def objective(flat):
        weight, bias = flat[: classes**2].reshape(classes, classes), flat[classes**2 :]
        p = softmax(centred @ weight.T + bias)
        fit = -np.log(p[np.arange(len(labels)), labels]).mean()
        return fit + options.l2 / (2 * len(labels)) * np.sum((weight - np.eye(classes)) ** 2)

    start = np.r_[np.eye(classes).ravel(), np.zeros(classes)]
    best = minimize(objective, start, method="L-BFGS-B", options={"maxiter": 2000})
    weight, bias, _ = _descend(logits, labels, logits[:9], labels[:9], options)
    assert objective(np.r_[weight.ravel(), bias].astype(float)) <= best.fun + 1e-6
    expected = softmax(centred @ best.x[: classes**2].reshape(classes, classes).T + best.x[classes**2 :])
    assert softmax(logits @ weight.T.astype(float) + bias) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("classes", [2, 3])
def test_class_weights_are_undone(classes):
    # Training with weight w on class 1 moves its logit by ln w.
    logits, labels = world(20_000, classes, slope=1.2, shift=math.log(12))
    fresh, truth = world(20_000, classes, slope=1.2, shift=math.log(12), seed=1)
    found = fit_matrix_scaling(logits, labels)
    before, after = softmax(fresh), found.apply(fresh)
    assert found.kept
    assert ece(truth, before) > 0.15
    assert ece(truth, after) <= 0.01
    assert log_loss(truth, after) < log_loss(truth, before)
    assert "examples that the fit did not see, log loss went from" in found.reason


def test_a_calibrated_model_is_left_alone():
    logits, labels = world(4000, seed=5)
    found = fit_matrix_scaling(logits, labels)
    assert not found.kept
    assert found.weight.tolist() == np.eye(2).tolist()
    assert found.bias.tolist() == [0, 0]
    assert (found.ece_after, found.log_loss_after) == (found.ece_before, found.log_loss_before)
    assert found.apply(logits) == pytest.approx(softmax(logits))
    assert found.reason.startswith("not kept")


@settings(max_examples=25)
@given(
    st.integers(20, 400),
    st.integers(2, 4),
    st.floats(0.2, 4),
    st.floats(-4, 4),
    st.integers(0, 1000),
)
def test_by_its_own_rule_it_never_hurts(n, classes, slope, shift, seed):
    found = fit_matrix_scaling(*world(n, classes, slope, shift, seed), ScalingOptions(iterations=50))
    if not math.isnan(found.ece_before):
        assert found.ece_after <= found.ece_before
    assert found.log_loss_after <= found.log_loss_before
    assert np.isfinite(found.weight).all()
    assert np.isfinite(found.bias).all()


@pytest.mark.parametrize("classes", [2, 4])
def test_the_fit_never_raises_the_loss_it_minimises(classes):
    logits, labels = world(2000, classes, slope=3, shift=-2)
    found = fit_matrix_scaling(logits, labels, ScalingOptions(learning_rate=1.0))
    losses = [row["fit_log_loss"] for row in found.history]
    # The first row is the start with matching rates; L2 may hold back a hair.
    assert losses[-1] < losses[0]
    assert (np.diff(losses) < 1e-9).all()
    rates = [row["learning_rate"] for row in found.history]
    assert rates[0] == 1
    assert (np.diff(rates) < 0).all()


def test_strong_l2_holds_the_weight_at_the_identity_but_leaves_the_bias_free():
    logits, labels = world(6000, slope=2, shift=3)
    found = fit_matrix_scaling(logits, labels, ScalingOptions(l2=1e9))
    assert found.kept
    assert found.weight == pytest.approx(np.eye(2), abs=1e-4)
    assert found.bias[0] - found.bias[1] > 2


def test_the_result_is_the_same_every_time_and_depends_on_the_seed():
    logits, labels = world(2000, shift=2)
    assert fit_matrix_scaling(logits, labels).to_json() == fit_matrix_scaling(logits, labels).to_json()
    other = fit_matrix_scaling(logits, labels, ScalingOptions(seed=1))
    assert not np.array_equal(other.weight, fit_matrix_scaling(logits, labels).weight)


@given(st.floats(-1e4, 1e4))
@settings(max_examples=10)
def test_what_is_common_to_all_logits_of_a_row_does_not_matter(offset):
    logits, labels = world(500, shift=2)
    moved, plain = fit_matrix_scaling(logits + offset, labels), fit_matrix_scaling(logits, labels)
    assert moved.weight == pytest.approx(plain.weight, abs=1e-4)
    assert moved.bias == pytest.approx(plain.bias, abs=1e-3)


def test_halves_hold_their_share_of_every_class():
    labels = np.r_[np.zeros(1000, int), np.ones(6, int)]
    found = fit_matrix_scaling(np.tile([0, 2.0], (1006, 1)), labels)
    # Both halves have 3 of 503, so that the fitted base rate is exactly right on the judging half.
    assert found.kept
    assert found.ece_after == pytest.approx(0, abs=1e-6)
    assert found.apply([[0, 2.0]])[0, 1] == pytest.approx(3 / 503, rel=1e-5)


@pytest.mark.parametrize("labels", [[0] * 30, [0] * 29 + [1]])
def test_a_class_too_rare_to_judge_leaves_the_model_as_it_is(labels):
    found = fit_matrix_scaling(np.zeros((30, 2)), labels)
    assert not found.kept
    assert found.reason == "not kept: every class needs at least two validation examples"
    assert math.isnan(found.ece_before)
    again = MatrixScaling.from_json(found.to_json())
    assert math.isnan(again.ece_before)
    assert found.log_loss_after == pytest.approx(math.log(2))


def test_huge_logits_stay_finite():
    logits, labels = world(400)
    assert np.isfinite(fit_matrix_scaling(logits * 1e6, labels).apply(logits * 1e6)).all()
    found = fit_matrix_scaling(logits * 20, labels)
    assert found.kept
    assert found.log_loss_after < found.log_loss_before


def test_json_survives_the_round_trip_bit_for_bit():
    found = fit_matrix_scaling(*world(3000, 3, slope=2, shift=1))
    again = MatrixScaling.from_json(found.to_json())
    assert again.weight.dtype == again.bias.dtype == np.float32
    assert np.array_equal(again.weight, found.weight)
    assert np.array_equal(again.bias, found.bias)
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "calibration is not JSON"),
        ("[]", "calibration has keys"),
        ('{"weight": 1}', "calibration has keys .'weight'.; expected .'bias', 'ece_after'"),
    ],
)
def test_a_broken_file_is_refused(text, message):
    with pytest.raises(CalibrationError, match=message):
        MatrixScaling.from_json(text)


def test_shapes_that_do_not_fit_are_refused():
    found = json.loads(fit_matrix_scaling(*world(100)).to_json()) | {"bias": [0.0]}
    with pytest.raises(CalibrationError, match=r"weight \(2, 2\) and bias \(1,\); expected \(C, C\), \(C,\)"):
        MatrixScaling.from_json(json.dumps(found))


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 2)), [], "no examples to calibrate on"),
        (np.zeros(3), [0, 1, 0], r"logits \(3,\) and labels \(3,\)"),
        (np.zeros((2, 2)), [0, 2], "labels from 0 to 2 .int64.; expected 0 to 1"),
        ([[0, math.nan], [0, 1]], [0, 1], "1 of 2 logits are not finite; check training"),
    ],
)
def test_bad_input_is_refused_in_one_line(logits, labels, message):
    with pytest.raises(CalibrationError, match=message) as error:
        fit_matrix_scaling(logits, labels)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("learning_rate", 2.0, "above 0 and below 2"), ("l2", 0, "above 0"), ("fit_share", 1.0, "above 0 and below 1")],
)
def test_impossible_options_are_refused(name, value, expected):
    with pytest.raises(CalibrationError, match=f"calibration option {name} is {value}; expected {expected}"):
        ScalingOptions(**{name: value})


def test_examples_of_one_visitor_are_never_on_both_sides_and_count_as_one_voice() -> None:
    rng = np.random.default_rng(5)
    visitors = np.repeat(np.arange(60), 50)
    # whoever a visitor is decides all of his labels: 3,000 examples, but 60 opinions
    labels = (rng.random(60) < 0.5).astype(np.int64)[visitors]
    logits = np.stack([np.zeros(3000), rng.normal(0.25, 0.1, 3000)], axis=1)
    apart = fit_matrix_scaling(logits, labels)
    together = fit_matrix_scaling(logits, labels, groups=visitors)
    assert not together.kept
    needed = [float(found.reason.split("fall above ")[1].split()[0]) for found in (apart, together)]
    # 50 like examples a group: the error is nearer that of 60 draws than that of 3,000, at most sqrt(50) times as large
    assert 2 < needed[1] / needed[0] < 11


def test_groups_of_one_are_as_if_there_were_none_in_size() -> None:
    rng = np.random.default_rng(6)
    labels = (rng.random(2000) < 0.2).astype(np.int64)
    logits = np.stack([np.zeros(2000), rng.normal(0, 1, 2000)], axis=1)
    assert fit_matrix_scaling(logits, labels, groups=np.arange(2000)).kept == fit_matrix_scaling(logits, labels).kept
