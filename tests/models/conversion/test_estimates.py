"""Rates and differences with their intervals, by hand; and how often intervals hold a known truth."""

import numpy as np
import pytest
from scipy import stats

from models.creative.conversion.calibration import Calibration, sigmoid
from models.creative.conversion.ensemble import Ensemble, quantile
from models.creative.conversion.trees import Counts, Grower, Stopping, TreeOptions
from models.creative.estimates import Difference, Estimates


class Fixed:
    """Trees that give these margins."""

    def __init__(self, answer, margins):
        self._answer, self._margins = np.array(answer), np.array(margins)

    def __len__(self):
        return len(self._margins)

    def answer(self, matrix):
        return self._answer

    def margins(self, matrix):
        return self._margins


def test_an_interval_by_hand():
    # Margins 0, 1, 2: standard deviation 1; Student's t of 95 % with 2 degrees of freedom is 4.30265.
    found = Ensemble(Fixed([0.5], [[0.0], [1.0], [2.0]]), Calibration(), 0.95).estimate(np.zeros((1, 1), np.float32))
    assert found.quantile == pytest.approx(4.302653)
    assert found.probability[0] == sigmoid(np.array(0.5))
    assert (found.low[0], found.high[0]) == pytest.approx(sigmoid(np.array([0.5 - 4.302653, 0.5 + 4.302653])))


def test_the_steps_of_isotonic_regression_do_not_hide_the_spread():
    steps = Calibration("isotonic", margins=(-9.0, -0.1, 0.1, 9.0), rates=(0.3, 0.3, 0.6, 0.6))
    ensemble = Ensemble(Fixed([-1.0, 1.0], [[-2.0, 0.0], [-1.0, 1.0], [0.0, 2.0]]), steps, 0.95)
    found, bare = ensemble.estimate(np.zeros((2, 1), np.float32)), sigmoid(np.array([-1.0, 1.0]))
    assert found.probability == pytest.approx([0.3, 0.6])
    assert found.high[0] == pytest.approx(0.3 + sigmoid(np.array(3.302653)) - bare[0], abs=1e-6)
    assert found.low[1] == pytest.approx(max(0, 0.6 + sigmoid(np.array(-3.302653)) - bare[1]), abs=1e-6)
    assert found.members[:, 0] == pytest.approx(sigmoid(np.array([-2.0, -1.0, 0.0])))


def test_the_quantile_is_that_of_students_t():
    assert quantile(20, 0.9) == pytest.approx(stats.t.ppf(0.95, 19))


def test_what_moves_both_does_not_blur_the_difference():
    members = np.array([[0.2, 0.3], [0.5, 0.6], [0.8, 0.9]])
    together = Estimates(np.array([0.5, 0.6]), np.array([0.0, 0.0]), np.array([1.0, 1.0]), members, 4.3)
    found = together.difference(1, 0)
    assert found == pytest.approx((0.1, 0.1, 0.1))
    assert found.reliable
    assert together.difference(0, 1).reliable
    assert not together.difference(0, 0).reliable


def test_a_difference_by_hand():
    members = np.array([[0.1, 0.2], [0.1, 0.4]])  # differences 0.1 and 0.3: standard deviation 0.141421
    found = Estimates(np.array([0.1, 0.3]), np.zeros(2), np.ones(2), members, 2.0).difference(1, 0)
    assert found == pytest.approx((0.2, 0.2 - 0.282843, 0.2 + 0.282843), abs=1e-6)
    assert not found.reliable
    assert not Difference(0.1, 0.0, 0.2).reliable


def test_intervals_hold_a_known_truth_about_as_often_as_they_say():
    def draw(products, seed):
        random = np.random.default_rng(seed)
        product = np.repeat(np.arange(products), 6)
        variant, brand = np.tile(np.arange(6), products), random.integers(0, 4, products)[product]
        effects = np.random.default_rng(9).normal(0, 0.6, (6, 4))
        truth = sigmoid(effects[variant, brand] - 0.5)
        among = np.full(len(product), 20)
        matrix = np.c_[variant, brand].astype(np.float32)
        return Counts(matrix, ["c", "c"], random.binomial(among, truth), among, product), truth, variant

    (train, _, _), (validation, _, _), (test, truth, variant) = draw(150, 0), draw(40, 1), draw(60, 2)
    grower = Grower(train, validation, Stopping(300, 20), 0, 1)
    options = TreeOptions(colsample=1.0)  # of two columns, each tree would see one, and no interaction of the two
    trees = grower.members(options, grower.judge(options)[1], 12)
    found = Ensemble(trees, Calibration(), 0.9).estimate(test.matrix)
    # 24 different truths, most of them a few times: chance moves the shares by several hundredths.
    assert ((found.low <= truth) & (truth <= found.high)).mean() >= 0.75
    first = np.flatnonzero(variant < 5)
    _, low, high = found.differences(first, first + 1)
    gap = truth[first] - truth[first + 1]
    assert ((low <= gap) & (gap <= high)).mean() >= 0.75
    assert (found.high - found.low).mean() < 0.3
