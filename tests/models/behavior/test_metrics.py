"""Metrics against counting by hand, brute force, the bootstrap and scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from models.behavior import metrics
from models.behavior.metrics import MetricsError


def two(scores):
    """Probabilities (N, 2) whose class 1 has ``scores``."""
    p = np.asarray(scores, float)
    return np.stack([1 - p, p], axis=1)


@st.composite
def labelled(draw, most=40):
    """Labels with both classes, and scores with many ties."""
    n = draw(st.integers(2, most))
    labels = draw(st.lists(st.integers(0, 1), min_size=n, max_size=n))
    assume(0 < sum(labels) < n)
    scores = draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))
    return np.array(labels), np.array(scores) / 8


def simulated(n, seed=0, classes=2):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.2, (n, classes))
    logits[:, 0] += 1.0
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (rng.random((n, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
    return labels, p


@given(labelled())
def test_auc_counts_pairs_with_ties_half(case):
    labels, scores = case
    pairs = list(itertools.product(scores[labels == 1], scores[labels == 0]))
    expected = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs) / len(pairs)
    assert metrics.roc_auc(labels == 1, scores) == pytest.approx(expected)
    found = metrics.auc_with_interval(labels, two(scores))
    assert found.value == pytest.approx(expected)
    assert 0 <= found.low <= found.value <= found.high <= 1


@given(labelled())
def test_delong_variance_equals_its_definition(case):
    labels, scores = case
    positives, negatives = scores[labels == 1], scores[labels == 0]
    assume(len(positives) > 1 and len(negatives) > 1)
    kernel = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    variance = kernel.mean(axis=1).var(ddof=1) / len(positives) + kernel.mean(axis=0).var(ddof=1) / len(negatives)
    _, influence = metrics.roc_auc_influence(labels == 1, scores)
    assert np.sum(influence**2) == pytest.approx(variance, abs=1e-12)


def test_delong_interval_agrees_with_the_bootstrap():
    labels, p = simulated(1500, seed=3)
    found = metrics.auc_with_interval(labels, p)
    rng = np.random.default_rng(0)
    drawn = [roc_auc_score(labels[rows], p[rows, 1]) for rows in (rng.integers(0, len(p), len(p)) for _ in range(400))]
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(drawn), rel=0.12)


def test_paired_difference_agrees_with_the_bootstrap_and_is_narrower_than_unpaired():
    labels, p = simulated(1500, seed=4)
    rng = np.random.default_rng(1)
    noisy = np.clip(p[:, 1] + rng.normal(0, 0.1, len(p)), 0, 1)
    found = metrics.auc_difference(labels, p, two(noisy))
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, len(p), len(p))
        drawn.append(roc_auc_score(labels[rows], p[rows, 1]) - roc_auc_score(labels[rows], noisy[rows]))
    assert found.value == pytest.approx(roc_auc_score(labels, p[:, 1]) - roc_auc_score(labels, noisy))
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(drawn), rel=0.12)
    own = metrics.auc_with_interval(labels, p)
    assert found.high - found.low < own.high - own.low


def test_auc_of_a_model_against_itself_differs_by_exactly_nothing():
    labels, p = simulated(200)
    assert metrics.auc_difference(labels, p, p) == (0.0, 0.0, 0.0)


def test_macro_auc_is_scikit_learns_one_vs_rest():
    labels, p = simulated(800, classes=4)
    expected = roc_auc_score(labels, p, multi_class="ovr", average="macro")
    assert metrics.auc_with_interval(labels, p).value == pytest.approx(expected)


def test_macro_auc_leaves_out_classes_that_never_occur():
    labels, p = simulated(400, classes=3)
    rows = labels != 2
    expected = np.mean([roc_auc_score(labels[rows] == k, p[rows, k]) for k in (0, 1)])
    assert metrics.auc_with_interval(labels[rows], p[rows]).value == pytest.approx(expected)


@given(labelled(), st.floats(0.1, 9))
def test_ranking_figures_do_not_change_with_a_rising_transform(case, power):
    labels, scores = case
    bent = (0.1 + scores) ** power / 2**power
    positive = labels == 1
    assert metrics.roc_auc(positive, bent) == pytest.approx(metrics.roc_auc(positive, scores))
    for top in (0.1, 0.2, 0.55):
        assert metrics.share_of_positives(positive, bent, top) == pytest.approx(
            metrics.share_of_positives(positive, scores, top)
        )


@given(labelled(), st.randoms(use_true_random=False))
def test_no_figure_depends_on_the_order_of_the_rows(case, random):
    labels, scores = case
    order = list(range(len(labels)))
    random.shuffle(order)
    for figure in (metrics.pr_auc, metrics.log_loss, metrics.brier, metrics.ece):
        assert figure(labels[order], two(scores[order])) == pytest.approx(figure(labels, two(scores)))
    for a, b in zip(
        metrics.segments(labels[order] == 1, scores[order]), metrics.segments(labels == 1, scores), strict=True
    ):
        assert a.positives == pytest.approx(b.positives)


def test_log_loss_and_brier_by_hand():
    labels, p = [1, 0, 1], two([0.8, 0.4, 0.5])
    assert metrics.log_loss(labels, p) == pytest.approx(-(math.log(0.8) + math.log(0.6) + math.log(0.5)) / 3)
    assert metrics.brier(labels, p) == pytest.approx((0.2**2 + 0.4**2 + 0.5**2) / 3)
    three = [[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]
    assert metrics.brier([0, 1], three) == pytest.approx(((0.25 + 0.09 + 0.04) + (0.01 + 0.81 + 0.64)) / 2)
    assert metrics.log_loss([0, 1], three) == pytest.approx(-(math.log(0.5) + math.log(0.1)) / 2)


def test_pr_auc_by_hand():
    # By falling score: positive, negative, positive; precision 1 at recall 1/2, then 2/3 at recall 1.
    assert metrics.pr_auc([1, 0, 1], two([0.9, 0.6, 0.3])) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_ece_by_hand():
    # Bins (0, 1/3], (1/3, 2/3], (2/3, 1]; 1/3 belongs to the first.
    scores, labels = [0.1, 1 / 3, 0.5, 0.9, 0.8], [0, 1, 0, 1, 1]
    gaps = [abs(1 - 0.1 - 1 / 3), abs(0 - 0.5), abs(2 - 1.7)]
    assert metrics.ece(labels, two(scores), bins=3) == pytest.approx(sum(gaps) / 5)


def test_ece_of_many_classes_compares_confidence_with_accuracy():
    p = [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]]
    # Confidence 0.6 was right once in two, 0.8 was right.
    assert metrics.ece([0, 1, 2], p) == pytest.approx((abs(1 - 1.2) + abs(1 - 0.8)) / 3)


def test_ece_in_equal_groups_by_hand():
    scores, labels = [0.01, 0.02, 0.03, 0.04], [0, 1, 0, 0]
    assert metrics.ece(labels, two(scores), bins=2) == pytest.approx(abs(1 - 0.1) / 4)
    assert metrics.ece(labels, two(scores), bins=2, equal_mass=True) == pytest.approx((0.97 + 0.07) / 4)


@given(labelled())
def test_ece_is_within_its_bounds_and_zero_for_the_base_rate(case):
    labels, scores = case
    assert 0 <= metrics.ece(labels, two(scores)) <= 1
    constant = two(np.full(len(labels), labels.mean()))
    assert metrics.ece(labels, constant) == pytest.approx(0, abs=1e-12)
    assert metrics.ece(labels, constant, equal_mass=True) == pytest.approx(0, abs=1e-12)


@given(labelled(200), st.integers(1, 30))
def test_calibration_buckets_hold_enough_positives_and_every_example_once(case, least):
    labels, scores = case
    buckets = metrics.calibration_curve(labels == 1, scores, least)
    assert sum(bucket.examples for bucket in buckets) == len(labels)
    assert sum(bucket.positives for bucket in buckets) == labels.sum()
    if labels.sum() >= least:
        assert all(bucket.positives >= least for bucket in buckets)
    else:
        assert len(buckets) == 1
    assert all(a.predicted < b.predicted for a, b in itertools.pairwise(buckets))
    assert all(bucket.low <= bucket.rate <= bucket.high for bucket in buckets)


def test_calibration_curve_by_hand():
    scores = np.array([0.1, 0.1, 0.3, 0.3, 0.6, 0.6, 0.9])
    positive = np.array([1, 0, 0, 1, 1, 0, 1], bool)
    first, second = metrics.calibration_curve(positive, scores, 2)
    assert first[:4] == (4, 2, pytest.approx(0.2), 0.5)
    assert second[:4] == (3, 2, pytest.approx(0.7), pytest.approx(2 / 3))
    # Wilson, 95 %: (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2), with z = 1.96, k = 2, n = 4.
    z = 1.959964
    half = z * math.sqrt(1 + z**2 / 4)
    assert (first.low, first.high) == pytest.approx(
        ((2 + z**2 / 2 - half) / (4 + z**2), (2 + z**2 / 2 + half) / (4 + z**2))
    )


def test_calibration_curve_makes_at_most_twenty_buckets():
    labels, p = simulated(20_000)
    buckets = metrics.calibration_curve(labels == 1, p[:, 1])
    assert 15 <= len(buckets) <= 20
    assert min(bucket.positives for bucket in buckets) >= 100


def test_gain_segments_and_top_rate_by_hand():
    # Ten examples by rising score; the positives are the 6th, 9th and 10th.
    scores, positive = np.arange(10) / 10, np.isin(np.arange(10), [5, 8, 9])
    assert metrics.share_of_positives(positive, scores) == pytest.approx(2 / 3)
    assert metrics.positive_rate(positive, scores, 0.1) == pytest.approx(1.0)
    assert metrics.positive_rate(positive, scores, 0.5) == pytest.approx(3 / 5)
    found = metrics.segments(positive, scores)
    assert [segment.name for segment in found] == ["very low", "low", "medium", "high", "very high"]
    assert [segment.positives for segment in found] == pytest.approx([0, 0, 1, 0, 2])
    assert [segment.odds for segment in found] == [0, 0, pytest.approx(1), pytest.approx(0), None]
    assert [segment.lift for segment in found] == pytest.approx([0, 0, 0.5 / 0.3, 0, 1 / 0.3])


def test_a_constant_prediction_has_no_lift():
    positive = np.arange(30) < 6  # sorted by label: an unstable order would show
    scores = np.full(30, 0.2)
    assert metrics.share_of_positives(positive, scores) == pytest.approx(0.2)
    assert metrics.positive_rate(positive, scores) == pytest.approx(0.2)
    assert [segment.lift for segment in metrics.segments(positive, scores)] == pytest.approx([1] * 5)
    recall, precision = metrics.pr_points(positive, scores)
    assert precision == pytest.approx(0.2)
    assert recall[[0, -1]].tolist() == [0, 1]


@given(labelled())
def test_segments_hold_everything(case):
    labels, scores = case
    found = metrics.segments(labels == 1, scores)
    assert sum(segment.examples for segment in found) == pytest.approx(len(labels))
    assert sum(segment.positives for segment in found) == pytest.approx(labels.sum())


def test_distribution_by_hand():
    positive = np.array([True, False, False, True])
    negatives, positives = metrics.distribution(positive, np.array([0.9, 0.1, 0.6, 1.0]), np.array([0, 0.5, 1]))
    assert negatives.tolist() == [0.5, 0.5]
    assert positives.tolist() == [0, 1]


def test_curves_are_thinned_and_keep_their_ends():
    labels, p = simulated(5000)
    for points in (metrics.roc_points, metrics.pr_points):
        x, y = points(labels == 1, p[:, 1], 50)
        assert len(x) == len(y) <= 50
        assert (x[0], x[-1]) == (0, 1)
        assert (np.diff(x) >= 0).all()


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.empty((0, 2)), "no examples to evaluate"),
        ([0, 1], [0.2, 0.3], r"labels \(2,\) and probabilities \(2,\); expected \(N,\) and \(N, C\), C >= 2"),
        ([1, 1], two([0.2, 0.3]), "all 2 labels are 1; expected at least two classes"),
        ([0, 1], two([0.2, math.nan]), "1 of 2 predictions are not finite, the first at row 1"),
        ([0, 1], [[0.5, 0.6], [0.5, 0.5]], "expected probabilities that sum to 1 .apply softmax to logits"),
        ([0, 1], [[-0.5, 1.5], [0.5, 0.5]], "values from -0.5 to 1.5"),
        ([0, 2], two([0.2, 0.3]), "labels from 0 to 2 .int64.; expected 0 to 1"),
        ([0.0, 1.0], two([0.2, 0.3]), "labels from 0.0 to 1.0 .float64.; expected 0 to 1"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_line(labels, probabilities, message):
    with pytest.raises(MetricsError, match=message) as error:
        metrics.log_loss(labels, probabilities)
    assert "\n" not in str(error.value)


def test_auc_of_one_class_is_refused():
    with pytest.raises(MetricsError, match="AUC needs positives and negatives; got 0 and 3"):
        metrics.roc_auc(np.zeros(3, bool), np.zeros(3))


def test_float32_rounding_is_no_error():
    labels, p = simulated(300, classes=7)
    assert metrics.log_loss(labels, p.astype(np.float32)) == pytest.approx(metrics.log_loss(labels, p), rel=1e-5)
