"""The network against a second implementation of its parts in NumPy, and against padding."""

import numpy as np
import pytest
import tensorflow as tf

from models.behavior.layout import Layout, Packed
from models.behavior.network import BehaviorNetwork
from models.behavior.options import NetworkOptions

LAYOUT = Layout(32, {"dwell": 5, "position": 4}, {"device": 3, "visits": 6}, frozenset({"visits"}), ("span",), 3)


def packed(lengths: list[int], layout: Layout = LAYOUT, seed: int = 0) -> Packed:
    random = np.random.default_rng(seed)
    steps, count = sum(lengths), len(lengths)
    bits = random.integers(0, 4, steps)
    return Packed(
        np.array(lengths, np.int32),
        bits.astype(np.int32),
        random.integers(0, layout.hash_size, bits.sum()).astype(np.int32),
        np.array([random.integers(0, size, steps) for size in layout.steps.values()], np.int32).T.reshape(steps, -1),
        np.array([random.integers(0, size, count) for size in layout.categories.values()], np.int32).T.reshape(
            count, -1
        ),
        random.random((count, len(layout.numbers))).astype(np.float32),
    )


def run(network: BehaviorNetwork, part: Packed, training: bool = False) -> np.ndarray:
    return network({name: tf.constant(v) for name, v in part.arrays().items()}, training=training).numpy()


@pytest.fixture(params=["gru", "cnn"])
def network(request) -> BehaviorNetwork:
    return BehaviorNetwork(LAYOUT, NetworkOptions(encoder=request.param, units=8, embedding_units=6), seed=1)


def test_logits_have_a_column_per_class(network) -> None:
    logits = run(network, packed([3, 1, 7]))
    assert logits.shape == (3, 3)
    assert logits.dtype == np.float32


def test_padding_changes_nothing(network) -> None:
    """An instance gets the same logits alone as beside a longer one, which makes it padded."""
    part = packed([2, 9, 1, 5])
    together = run(network, part)
    alone = np.concatenate([run(network, part.take(np.array([row]))) for row in range(4)])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_every_input_matters(network) -> None:
    part = packed([3])
    before = run(network, part)
    for name, values in part.arrays().items():
        if name in ("lengths", "hash_lengths"):
            continue
        other = dict(part.arrays())
        other[name] = (values + 1).astype(values.dtype) % 3
        assert np.abs(run(network, Packed(**other)) - before).max() > 1e-6, name


def test_a_step_is_its_multi_hot_vector_times_the_table(network) -> None:
    part = packed([2, 3])
    table = np.concatenate([network.hash_table.numpy(), network.step_table.numpy()])
    expected = np.zeros((5, 6), np.float32)
    bits = np.split(part.hash_values, np.cumsum(part.hash_lengths)[:-1])
    for step in range(5):
        multi_hot = np.zeros(32 + 5 + 4)
        np.add.at(multi_hot, bits[step], 1)
        multi_hot[32 : 32 + part.steps[step, 0] + 1] += 1  # dwell stands after the hash buckets, as a thermometer
        multi_hot[32 + 5 : 32 + 5 + part.steps[step, 1] + 1] += 1  # position after dwell
        expected[step] = multi_hot @ table
    batch = {name: tf.constant(values) for name, values in part.arrays().items()}
    np.testing.assert_allclose(network.embed(batch).numpy(), expected, atol=1e-6)


def test_the_gru_is_the_one_of_the_paper() -> None:
    """Cho et al. 2014 with the reset after the recurrent product, step by step in float64."""
    network = BehaviorNetwork(LAYOUT, NetworkOptions(units=4, embedding_units=3), seed=2)
    kernel, recurrent, bias = (value.astype(np.float64) for value in network.encoders[0].get_weights())
    events = np.random.default_rng(0).normal(size=(1, 6, 3))
    mask = np.array([[True, True, True, True, False, False]])
    state, states = np.zeros(4), []
    for step in range(4):
        z_x, r_x, n_x = np.split(events[0, step] @ kernel + bias[0], 3)
        z_h, r_h, n_h = np.split(state @ recurrent + bias[1], 3)
        update, reset = 1 / (1 + np.exp(-(z_x + z_h))), 1 / (1 + np.exp(-(r_x + r_h)))
        state = update * state + (1 - update) * np.tanh(n_x + reset * n_h)
        states.append(state)
    expected = np.concatenate([states[-1], np.mean(states, axis=0), np.max(states, axis=0)])
    encoded = network.encode(tf.constant(events, tf.float32), tf.constant(mask)).numpy()
    np.testing.assert_allclose(encoded[0], expected, atol=1e-5)


def test_categories_have_rows_and_buckets_of_numbers_have_thermometers(network) -> None:
    part = packed([2, 3])
    table = network.category_table.numpy()
    device, visits = part.categories.T
    batch = {name: tf.constant(values) for name, values in part.arrays().items()}
    weight, bias = network.numbers.get_weights()
    expected = [table[device[row]] + table[3 : 3 + visits[row] + 1].sum(axis=0) for row in range(2)]
    np.testing.assert_allclose(network.describe(batch).numpy(), expected + part.numbers @ weight + bias, atol=1e-6)


def test_features_that_are_not_there_are_no_trouble() -> None:
    bare = Layout(8, {}, {}, frozenset(), (), 2)
    network = BehaviorNetwork(bare, NetworkOptions(units=4, embedding_units=3))
    assert run(network, packed([2, 1], bare)).shape == (2, 2)


def test_dropout_only_in_training() -> None:
    network = BehaviorNetwork(LAYOUT, NetworkOptions(units=8, dropout=0.5))
    part = packed([4, 4])
    np.testing.assert_array_equal(run(network, part), run(network, part))
    assert np.abs(run(network, part, training=True) - run(network, part)).max() > 1e-4


def test_a_seed_decides_the_weights() -> None:
    part = packed([3])
    options = NetworkOptions(units=8)
    first, same, other = (run(BehaviorNetwork(LAYOUT, options, seed), part) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 1e-4


def test_the_penalty_is_l2_times_the_squared_weights() -> None:
    network = BehaviorNetwork(LAYOUT, NetworkOptions(units=4, embedding_units=3, l2=0.5))
    weights = [v.numpy() for v in network.trainable_variables]
    expected = 0.5 * sum((w.astype(np.float64) ** 2).sum() for w in weights if w.ndim > 1)
    assert float(network.penalty()) == pytest.approx(expected, rel=1e-5)
