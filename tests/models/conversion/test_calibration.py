"""Calibration: chosen where it helps, left alone where it does not, fitted as other libraries fit."""

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from models.artifact import PredictorError
from models.creative.conversion.calibration import (
    Calibration,
    choose_calibration,
    fit_isotonic,
    fit_platt,
    sigmoid,
)


def world(products: int, distort, sent: int = 200, seed: int = 0):
    """Returns margins that ``distort`` made of the true log odds, counts, and whose rows they are: four a product."""
    random = np.random.default_rng(seed)
    product = np.repeat(np.arange(products), 4)
    odds = random.normal(0, 1.5, len(product))
    among = np.full(len(product), sent)
    return distort(odds), random.binomial(among, sigmoid(odds)), among, product


def test_what_is_calibrated_is_left_alone():
    margins, count, among, product = world(100, lambda odds: odds)
    chosen = choose_calibration(margins, count, among, product, 0)
    assert chosen.kind == "none"
    assert chosen.reason.startswith("none: on validation products that a fit did not see")
    np.testing.assert_array_equal(chosen.apply(margins), sigmoid(margins))


def test_overconfidence_is_undone_by_platt_scaling():
    margins, count, among, product = world(100, lambda odds: 2 * odds + 1)
    chosen = choose_calibration(margins, count, among, product, 0)
    assert chosen.kind == "platt"
    assert (chosen.slope, chosen.offset) == pytest.approx((0.5, -0.5), abs=0.03)


def test_a_bend_that_no_line_undoes_takes_isotonic_regression():
    margins, count, among, product = world(300, lambda odds: np.sign(odds) * np.abs(odds) ** 4)
    assert choose_calibration(margins, count, among, product, 0).kind == "isotonic"


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_one_class_leaves_all_as_it_is(rate):
    among = np.full(20, 5)
    chosen = choose_calibration(np.zeros(20), (among * rate).astype(int), among, np.arange(20), 0)
    assert (chosen.kind, chosen.reason.split(":")[0]) == ("none", "none")


def test_the_choice_depends_on_the_seed_alone():
    given = world(60, lambda odds: 1.5 * odds)
    assert choose_calibration(*given, 3) == choose_calibration(*given, 3)


def test_platt_finds_the_rate_by_hand():
    # One margin only: the offset must make 30 % of it, but for the pull of one message.
    fitted = fit_platt(np.zeros(2), np.array([3000, 3000]), np.array([10000, 10000]))
    assert fitted.apply(np.zeros(1))[0] == pytest.approx(0.3, abs=1e-3)


def test_platt_does_not_turn_margins_round():
    margins = np.array([-2.0, 2.0])
    assert fit_platt(margins, np.array([90, 10]), np.array([100, 100])) == Calibration()


def test_isotonic_is_that_of_scikit_learn():
    margins, count, among, _ = world(20, lambda odds: odds, sent=7)
    fitted = fit_isotonic(margins, count, among)
    other = IsotonicRegression(y_min=0.5 / among.sum(), y_max=1 - 0.5 / among.sum(), out_of_bounds="clip")
    other.fit(margins, count / among, sample_weight=among)
    asked = np.linspace(-5, 5, 41)
    np.testing.assert_allclose(fitted.apply(asked), other.predict(asked), atol=1e-9)


def test_json_keeps_every_bit():
    margins, count, among, _ = world(20, lambda odds: odds, sent=7)
    for calibration in (fit_isotonic(margins, count, among), fit_platt(margins, count, among), Calibration()):
        again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
        assert again == calibration


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "magic"},
        {"slope": 0.0},
        {"kind": "isotonic"},
        {"kind": "isotonic", "margins": [1.0, 0.0], "rates": [0.1, 0.2]},
        {"kind": "isotonic", "margins": [0.0, 1.0], "rates": [0.3, 0.2]},
        {"kind": "platt", "offset": "x"},
        {"more": 1},
    ],
)
def test_a_damaged_one_is_refused(broken):
    with pytest.raises(PredictorError, match="again"):
        Calibration.from_dict({**Calibration().to_dict(), **broken})


def test_sigmoid_does_not_overflow():
    np.testing.assert_allclose(sigmoid(np.array([-1000.0, 0.0, 1000.0])), [0.0, 0.5, 1.0])
