"""Figures of binomial rows: by hand, and equal to those of one row a message by scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from models.creative.conversion import metrics as m


def arrays(*columns):
    return (np.array(column) for column in columns)


def test_by_hand():
    count, among, rates = arrays([3, 1], [4, 5], [0.75, 0.25])
    # 3 of 4 and 4 of 5 are right.
    assert m.accuracy(count, among, rates) == pytest.approx(7 / 9)
    # |3 - 3| and |1 - 1.25| messages of 9.
    assert m.ece(count, among, rates) == pytest.approx(0.25 / 9)
    # A yes is of the first row 3 times in 4, a no 1 time in 5: above 3*4, below 1*1, tied 3*1 + 1*4 of 20 pairs.
    assert m.roc_auc(count, among, rates) == pytest.approx((12 + 7 / 2) / 20)
    loss = -(3 * np.log(0.75) + np.log(0.25) + np.log(0.25) + 4 * np.log(0.75)) / 9
    assert m.log_loss(count, among, rates) == pytest.approx(loss)


def test_bins_of_the_calibration_error_do_not_mix():
    count, among, rates = arrays([10, 0], [10, 10], [0.7, 0.3])
    assert m.ece(count, among, rates) == pytest.approx(0.3)
    assert m.ece(count, among, rates, bins=1) == pytest.approx(0.0)


def test_a_certain_prediction_belongs_to_the_last_bin_and_has_a_finite_loss():
    count, among, rates = arrays([1], [2], [1.0])
    assert m.ece(count, among, rates) == pytest.approx(0.5)
    assert np.isfinite(m.log_loss(count, among, rates))


def test_the_ceiling_is_the_accuracy_that_the_truth_is_expected_to_have():
    assert m.ceiling(np.array([10, 30]), np.array([0.8, 0.1])) == pytest.approx((8 + 27) / 40)


def test_no_ranking_of_one_class():
    assert np.isnan(m.roc_auc(np.array([2, 3]), np.array([2, 3]), np.array([0.1, 0.2])))


def test_wilson_by_hand():
    # Wilson's interval of 8 of 10, as Brown, Cai and DasGupta 2001 compute it.
    assert m.wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-5)
    assert m.wilson(0, 5)[0] == 0.0


def test_buckets_hold_about_as_many_messages_each():
    count, among, rates = arrays([1, 2, 3, 4], [10, 10, 10, 10], [0.4, 0.1, 0.3, 0.2])
    low, high = m.buckets(count, among, rates, most=2)
    assert (low.messages, low.predicted, low.rate) == pytest.approx((20, 0.15, 0.3))
    assert (high.messages, high.predicted, high.rate) == pytest.approx((20, 0.35, 0.2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 19)), min_size=2, max_size=12).filter(
        lambda rows: sum(row[0] for row in rows) and sum(row[1] for row in rows)
    )
)
def test_weighted_rows_are_messages(rows):
    rows = [row for row in rows if row[0] + row[1]]
    count = np.array([yes for yes, _, _ in rows])
    among = np.array([yes + no for yes, no, _ in rows])
    rates = np.array([rate / 20 for _, _, rate in rows])
    labels = np.concatenate([[1] * yes + [0] * no for yes, no, _ in rows])
    scores = np.repeat(rates, among)
    assert m.roc_auc(count, among, rates) == pytest.approx(sk.roc_auc_score(labels, scores))
    assert m.log_loss(count, among, rates) == pytest.approx(sk.log_loss(labels, scores))
    assert m.accuracy(count, among, rates) == pytest.approx(sk.accuracy_score(labels, scores >= 0.5))
