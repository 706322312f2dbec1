"""Baselines: aggregates counted by hand, and trees that learn what aggregates can show."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.behavior.baselines import BaselineError, Layout, TreesOptions, base_rate, train_boosted_trees
from models.behavior.metrics import ece, log_loss, roc_auc


def instances(steps, metadata=None):
    """Columns of instances given as lists of steps, each (bits, dwell bucket)."""
    flat = [step for instance in steps for step in instance]
    return SimpleNamespace(
        lengths=np.array([len(instance) for instance in steps], np.int64),
        hash_values=np.array([bit for bits, _ in flat for bit in bits], np.int64),
        hash_lengths=np.array([len(bits) for bits, _ in flat], np.int64),
        steps={"dwell": np.array([dwell for _, dwell in flat], np.int64)},
        metadata=metadata or {},
    )


def world(n, seed, classes=2):
    """Instances whose label depends on how often bit 3 occurs, on the last event, and on the device."""
    rng = np.random.default_rng(seed)
    steps, score, device = [], np.zeros(n), rng.integers(0, 3, n)
    for i in range(n):
        words = rng.integers(0, 6, rng.integers(1, 8))
        steps.append([((int(word), 6 + int(word) % 2), int(rng.integers(0, 4))) for word in words])
        score[i] = 0.8 * (words == 3).sum() + 1.5 * (words[-1] == 1) + (device[i] == 2) - 1.5
    chance = 1 / (1 + np.exp(-score))
    labels = (rng.random(n) < chance).astype(int)
    if classes == 3:
        labels += (device == 0) & (labels == 1)
    columns = instances(steps, {"device": device, "visits": rng.random(n).astype(np.float32)})
    return columns, labels, chance


def test_aggregates_by_hand():
    train = instances(
        [[((0, 5), 1), ((0,), 2), ((7,), 0)], [((5,), 3)]],
        {"device": np.array([0, 2]), "price": np.array([0.5, np.nan], np.float32)},
    )
    layout = Layout.of(train, TreesOptions(min_examples=1, half_life=1.0))
    assert layout.bits.tolist() == [0, 5, 7]
    first, second = layout.matrix(train).toarray()
    counts, recent, last = [2, 1, 1], [0.25 + 0.5, 0.25, 1], [0, 0, 1]
    length, dwell = [4], [2, 1, 3, 2, 1, 3]  # one more than: length; first, last, previous, mean, least and most
    device, price = [1, 1, 0, 0], [1.5]
    assert first.tolist() == [*counts, *recent, *last, *length, *dwell, 1, 1, 1, 0, *device, *price]
    assert second[:9].tolist() == [0, 1, 0, 0, 1, 0, 0, 1, 0]
    assert second[9:20].tolist() == [2, 4, 4, 0, 4, 4, 4, 0, 0, 0, 1]
    assert second[20:24].tolist() == [3, 0, 0, 1]
    assert np.isnan(second[24])


def test_other_instances_get_the_columns_of_training():
    layout = Layout.of(instances([[((0,), 1)], [((2,), 1)]]), TreesOptions(min_examples=1))
    other = instances([[((0, 1, 9), 5)], []])
    matrix = layout.matrix(other).toarray()
    # Bits 0 and 2 as counts, recent counts and last bits; length; six summaries; buckets 0 and 1 of dwell.
    assert matrix.shape == (2, 6 + 1 + 6 + 2)
    assert matrix[0].tolist() == [1, 0, 1, 0, 1, 0, 2, 6, 6, 0, 6, 6, 6, 0, 0]
    assert matrix[1].tolist() == [0] * 6 + [1] + [0] * 8


def test_rare_bits_are_left_out():
    many = instances([[((4,), 0)]] * 30 + [[((8,), 0)]])
    assert Layout.of(many, TreesOptions(min_examples=20)).bits.tolist() == [4]


def test_trees_learn_counts_last_event_and_metadata():
    (train, y, _), (validation, yv, _), (test, yt, chance) = world(4000, 1), world(1500, 2), world(3000, 3)
    trees = train_boosted_trees(train, y, validation, yv)
    found = trees.predict(test)
    assert found.shape == (3000, 2)
    assert found.sum(axis=1) == pytest.approx(1)
    assert roc_auc(yt == 1, found[:, 1]) > roc_auc(yt == 1, chance) - 0.02
    assert ece(yt, found) < 0.05
    assert len(trees.history) == trees.rounds + TreesOptions().patience  # it stopped early
    assert min(trees.history) == trees.history[trees.rounds - 1]


def test_trees_of_three_classes():
    (train, y, _), (validation, yv, _), (test, yt, _) = (
        world(n, seed, 3) for n, seed in ((2000, 1), (700, 2), (900, 3))
    )
    found = train_boosted_trees(train, y, validation, yv, 3, TreesOptions(rounds=60)).predict(test)
    assert found.shape == (900, 3)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert log_loss(yt, found) < 0.8 * log_loss(yt, base_rate(y, 3, 900))


def test_the_same_seed_gives_the_same_trees():
    (train, y, _), (validation, yv, _) = world(600, 1), world(300, 2)
    options = TreesOptions(rounds=20, seed=7)
    first, second = (train_boosted_trees(train, y, validation, yv, 2, options) for _ in range(2))
    assert np.array_equal(first.predict(validation), second.predict(validation))


def test_base_rate_is_that_of_training():
    assert base_rate([0, 0, 0, 1], 2, 3).tolist() == [[0.75, 0.25]] * 3
    assert base_rate([0, 2], 4, 1).tolist() == [[0.5, 0, 0.5, 0]]
    with pytest.raises(BaselineError, match="no training labels"):
        base_rate([], 2, 1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1, 1], "all 2 training labels are 1; expected at least two classes"),
        ([0, 1, 1], r"\(3,\) labels for 2 instances"),
        ([0, 5], "labels from 0 to 5 .int64.; expected 0 to 1"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    columns = instances([[((0,), 0)], [((1,), 0)]])
    with pytest.raises(BaselineError, match=message):
        train_boosted_trees(columns, labels, columns, [0, 1])


def test_impossible_options_are_refused():
    with pytest.raises(BaselineError, match="baseline option half_life is 0; expected a value above 0"):
        TreesOptions(half_life=0)
