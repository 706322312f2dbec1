"""Trees on counts: one leaf by hand, counts as weights, members by products, bits that do not depend on neighbours."""

import numpy as np
import pytest

from models.artifact import PredictorError
from models.creative.conversion.calibration import sigmoid
from models.creative.conversion.trees import GROWN_ON, Counts, Grower, Stopping, TreeOptions, Trees

PLAIN = TreeOptions(max_depth=1, learning_rate=1.0, min_child_weight=0.0, subsample=1.0, colsample=1.0, l2=0.0)


def counts(column, count, among, product=None, kinds=("q",)):
    matrix = np.array(column, np.float32).reshape(len(count), -1)
    product = np.arange(len(count)) if product is None else np.array(product)
    return Counts(matrix, kinds, np.array(count), np.array(among), product)


def grower(rows, rounds=1):
    return Grower(rows, rows, Stopping(rounds, rounds), 0, 1)


def test_a_leaf_is_newtons_step_with_counts_as_weights():
    rows = counts([0, 0, 1, 1], [8, 3, 10, 30], [10, 30, 40, 40])
    base = 51 / 120
    trees = Trees([grower(rows).members(PLAIN, 1, 2)._members[0][:1]] * 2, 1)  # one member, one tree
    drawn = np.random.default_rng([0, 0]).multinomial(4, np.full(4, 1 / 4))
    expected = []
    for half in (slice(0, 2), slice(2, 4)):
        k, n = rows.count[half] * drawn[half], rows.among[half] * drawn[half]
        step = (k.sum() - n.sum() * base) / (n.sum() * base * (1 - base))
        expected += [np.log(base / (1 - base)) + step] * 2
    np.testing.assert_allclose(trees.answer(rows.matrix), expected, rtol=1e-5)


def test_a_row_of_counts_is_its_messages():
    rows = counts([0, 1], [8, 3], [10, 20])
    each = counts([0] * 10 + [1] * 20, [1] * 8 + [0] * 2 + [1] * 3 + [0] * 17, [1] * 30)
    loss, _ = grower(rows, 5).judge(PLAIN)
    assert loss == pytest.approx(grower(each, 5).judge(PLAIN)[0], rel=1e-5)
    by_hand = -(8 * np.log(0.8) + 2 * np.log(0.2) + 3 * np.log(0.15) + 17 * np.log(0.85)) / 30
    assert loss == pytest.approx(by_hand, rel=1e-3)


def test_training_stops_where_other_products_gain_nothing():
    random = np.random.default_rng(0)
    train, validation = (counts(random.normal(size=(50, 3)), [1, 0] * 25, [1] * 50, kinds="qqq") for _ in range(2))
    _, rounds = Grower(train, validation, Stopping(500, 5), 0, 1).judge(TreeOptions(min_child_weight=0.1))
    assert rounds < 100


def small(seed=0, rows=200):
    random = np.random.default_rng(seed)
    matrix = np.c_[random.normal(size=(rows, 2)), random.integers(0, 3, rows)].astype(np.float32)
    among = random.integers(1, 9, rows)
    count = random.binomial(among, sigmoid(matrix[:, 0] + (matrix[:, 2] == 1)))
    return Counts(matrix, ["q", "q", "c"], count, among, np.arange(rows) // 4)


def test_the_same_seed_gives_the_same_bits_and_another_others():
    rows = small()
    first, again, other = (
        Grower(rows, rows, Stopping(9, 9), seed, 1).members(TreeOptions(), 9, 3).margins(rows.matrix)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_order_of_rows_and_their_company_change_no_bit():
    rows = small()
    trees = Grower(rows, rows, Stopping(9, 9), 0, 1).members(TreeOptions(), 9, 3)
    together = trees.margins(rows.matrix)
    np.testing.assert_array_equal(together[:, ::-1], trees.margins(rows.matrix[::-1].copy()))
    np.testing.assert_array_equal(together[:, 7:8], trees.margins(rows.matrix[7:8]))
    assert trees.margins(rows.matrix[:0]).shape == (3, 0)
    assert trees.answer(rows.matrix[:0]).shape == (0,)


def test_members_differ_and_grow_on(tmp_path):
    rows = small()
    trees = Grower(rows, rows, Stopping(9, 9), 0, 1).members(TreeOptions(), 9, 3)
    assert trees.rounds == 9
    assert all(member.num_boosted_rounds() == 9 * GROWN_ON for member in trees._members)
    assert trees.margins(rows.matrix).std(axis=0).min() > 0
    assert (trees.answer(rows.matrix) != trees.margins(rows.matrix).mean(axis=0)).any()


def test_files_keep_every_bit(tmp_path):
    rows = small()
    trees = Grower(rows, rows, Stopping(9, 9), 0, 1).members(TreeOptions(), 9, 3)
    trees.save(tmp_path / "trees")
    again = Trees.load(tmp_path / "trees", 3, 9, 3)
    np.testing.assert_array_equal(again.margins(rows.matrix), trees.margins(rows.matrix))
    np.testing.assert_array_equal(again.answer(rows.matrix), trees.answer(rows.matrix))
    with pytest.raises(PredictorError, match="has 27 trees on 3 columns; expected at least 9 on 4: open the version"):
        Trees.load(tmp_path / "trees", 3, 9, 4)
    with pytest.raises(PredictorError, match="expected at least 28 on 3"):
        Trees.load(tmp_path / "trees", 3, 28, 3)
    with pytest.raises(PredictorError, match="cannot read the trees .*member-003.ubj .*No such file"):
        Trees.load(tmp_path / "trees", 4, 9, 3)
    (tmp_path / "trees/member-000.ubj").write_bytes(b"{}")
    with pytest.raises(PredictorError, match="cannot read the trees .*member-000.ubj"):
        Trees.load(tmp_path / "trees", 3, 9, 3)
