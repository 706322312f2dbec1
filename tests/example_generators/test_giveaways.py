"""The rank statistics, against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from example_generators.giveaways import Giveaway, rank_auc, telling_values


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 1)), min_size=2, max_size=50))
def test_auc_is_sklearns_turned_upwards(rows):
    values, label = (np.array(column) for column in zip(*rows, strict=True))
    expected = roc_auc_score(label, values) if 0 < label.sum() < len(label) else 0.5
    assert rank_auc(values.astype(float), label).auc == pytest.approx(max(expected, 1 - expected))


def test_noise_and_limit_by_hand():
    # 2 positives, 2 negatives, perfectly ranked: AUC 1, but sqrt(5 / 48) = 0.3227 makes that an accident
    giveaway = rank_auc(np.array([1.0, 2, 3, 4]), np.array([0, 0, 1, 1]))
    assert (giveaway.auc, giveaway.noise) == (1.0, pytest.approx(0.32275, abs=1e-5))
    assert not giveaway.exceeds(0.8)
    assert Giveaway(0.8, 0.09).exceeds(0.8)
    assert not Giveaway(0.79, 0.01).exceeds(0.8)


def test_the_best_told_of_three_classes_counts():
    label = np.repeat([0, 1, 2], 50)
    values = np.where(label == 1, 9.0, 0.0)  # tells class 1 wholly, classes 0 and 2 not apart
    assert rank_auc(values, label).auc == 1.0


def test_values_that_tell_by_being_there():
    label = np.repeat([1, 0], 100)
    # value 0 in all instances, value 1 twice in each positive, value 2 in half of the positives, -1 is none
    codes = np.concatenate((np.zeros(200), np.ones(200), np.full(50, 2), np.full(200, -1))).astype(np.int32)
    instance = np.concatenate((np.arange(200), np.repeat(np.arange(100), 2), np.arange(50), np.arange(200)))
    [(value, hits, others, giveaway)] = telling_values(codes, instance, label, 0.9)
    assert (value, hits, others, giveaway.auc) == (1, 1.0, 0.0, 1.0)
    assert telling_values(codes, instance, np.zeros(200, np.int64), 0.9) == []
    assert len(telling_values(codes, instance, label, 0.75)) == 2
