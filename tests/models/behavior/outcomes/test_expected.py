"""What calibrated scores promise, by hand on a few of them and by simulating their outcomes many times."""

import itertools

import numpy as np
import pytest
from scipy.stats import rankdata

from models.behavior import metrics
from models.behavior.outcomes.expected import (
    clustered_auc,
    expected_auc,
    expected_figures,
    spread,
    top_weights,
)


def test_two_scores_by_hand() -> None:
    """p = 0.8 and 0.4. Pairs of a positive and a negative: (0.8 yes, 0.4 no) 0.48, in order; the other way 0.08."""
    scores = np.array([0.8, 0.4])
    assert expected_auc(scores) == pytest.approx(0.48 / (0.48 + 0.08))
    found = expected_figures(scores, np.array([0, 1]), 0.5)
    assert found["positive_rate"].value == pytest.approx(0.6)
    assert found["brier"].value == pytest.approx((0.16 + 0.24) / 2)
    # the rate of two independent coins: variance (0.16 + 0.24) / 4
    assert found["positive_rate"].high == pytest.approx(0.6 + 0.674490 * np.sqrt(0.1))
    assert expected_figures(scores, np.array([0, 1]), 0.95)["positive_rate"].high == 1  # 1.22, cut


def test_ties_and_what_has_no_auc() -> None:
    assert expected_auc(np.array([0.3, 0.3, 0.3])) == pytest.approx(0.5)
    assert expected_auc(np.array([0.0, 0.0])) is None
    assert expected_auc(np.array([1.0, 1.0])) is None
    assert expected_auc(np.array([0.5])) is None
    assert "auc" not in expected_figures(np.array([0.0, 0.0]), np.array([0, 1]), 0.9)
    with pytest.raises(metrics.MetricsError, match="no predictions to expect anything of"):
        expected_figures(np.zeros(0), np.zeros(0, np.int64), 0.9)


def test_the_expected_auc_is_the_ratio_of_expected_pairs() -> None:
    """All outcomes of five scores, each with its probability, enumerated."""
    scores = np.array([0.1, 0.2, 0.2, 0.7, 0.9])
    right = pairs = 0.0
    for outcome in itertools.product((0, 1), repeat=5):
        y = np.array(outcome)
        weight = np.prod(np.where(y, scores, 1 - scores))
        above = (scores[:, None] > scores) + 0.5 * (scores[:, None] == scores)
        right += weight * (y[:, None] * (1 - y) * above).sum()
        pairs += weight * y.sum() * (1 - y).sum()
    assert expected_auc(scores) == pytest.approx(right / pairs)


@pytest.mark.parametrize("each", [1, 3])
def test_intervals_hold_what_calibrated_outcomes_give(each: int) -> None:
    """Brute force: outcomes are drawn from the scores, a visitor's from one uniform number, as the module says."""
    random = np.random.default_rng(5)
    visitors = np.repeat(np.arange(900 // each), each)
    scores = random.beta(1, 5, 900)
    promised = expected_figures(scores, visitors, 0.95)
    y = (random.random((4000, 900 // each))[:, visitors] < scores).astype(float)  # (draws, N)
    positives = y.sum(axis=1)
    ranked = y @ rankdata(scores) - positives * (positives + 1) / 2
    drawn = {
        "auc": ranked / (positives * (900 - positives)),
        "positive_rate": positives / 900,
        "log_loss": -(y @ np.log(scores) + (1 - y) @ np.log(1 - scores)) / 900,
        "brier": ((y - scores) ** 2).mean(axis=1),
        "top_10_rate": y @ (scores >= np.sort(scores)[-90]) / 90,
    }
    assert drawn.keys() == promised.keys()
    for name, values in drawn.items():
        value, low, high = promised[name]
        deviation = values.std()
        assert value == pytest.approx(values.mean(), abs=0.1 * deviation), name
        assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.08), name
        assert np.mean((low <= values) & (values <= high)) == pytest.approx(0.95, abs=0.02), name


def test_the_spread_of_a_visitor_s_outcomes_by_hand() -> None:
    """p = 0.5 and 0.2 of one visitor: both with 0.2, the first alone with 0.3. Means: 0.7; of squares 0.2*4 + 0.3."""
    scores, ones = np.array([0.2, 0.5]), np.ones(2)
    assert spread(scores, ones, np.array([4, 4])) == pytest.approx(np.sqrt(1.1 - 0.49))
    assert spread(scores, ones, np.array([4, 7])) == pytest.approx(np.sqrt(0.25 + 0.16))
    assert spread(scores, np.array([1.0, -1.0]), np.array([4, 4])) == pytest.approx(np.sqrt(0.3 - 0.09))


def test_the_top_tenth_shares_what_is_tied() -> None:
    assert top_weights(np.array([0.9, 0.1, 0.5, 0.5]), 0.5).tolist() == [0.5, 0.0, 0.25, 0.25]
    assert top_weights(np.full(10, 0.3), 0.1).tolist() == pytest.approx([0.1] * 10)
    random = np.random.default_rng(0)
    scores = random.integers(0, 20, 500) / 20
    positive = random.random(500) < scores
    assert top_weights(scores, 0.1) @ positive == pytest.approx(metrics.positive_rate(positive, scores))


def test_a_visitor_is_one_opinion() -> None:
    """Each visitor's predictions repeated four times: the AUC stays, and so does its interval."""
    random = np.random.default_rng(1)
    scores = random.random(300)
    positive = random.random(300) < scores
    once = clustered_auc(positive, scores, np.arange(300))
    labels, both = positive.astype(int), np.column_stack([1 - scores, scores])
    assert once == pytest.approx(metrics.auc_with_interval(labels, both), abs=1e-12)
    fourfold = clustered_auc(np.repeat(positive, 4), np.repeat(scores, 4), np.repeat(np.arange(300), 4))
    assert fourfold == pytest.approx(once, abs=2e-3)
