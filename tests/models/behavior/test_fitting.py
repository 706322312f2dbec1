import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.behavior.checkpoint import Checkpoint
from models.behavior.dataset import ExamplesFolder
from models.behavior.fitting import FitState, Fitter, Labelled, cross_entropy, epoch_batches, softmax
from models.behavior.layout import Layout, pack
from models.behavior.network import BehaviorNetwork
from models.behavior.options import TrainOptions
from models.checkpoint import TrainingError, identity_of


def quiet(*_) -> None:
    pass


@pytest.fixture(scope="module")
def data(examples):
    folder = ExamplesFolder.open(str(examples))
    layout = Layout.of(folder.spec)
    parts = [folder.read(split) for split in ("train", "validation")]
    return layout, *(Labelled(pack(part.coded, layout), part.labels) for part in parts)


def fitter(data, **changes) -> Fitter:
    layout, train, validation = data
    small = {"units": 8, "embedding_units": 4, "max_epochs": 3, "batch_size": 64, "learning_rate": 0.01}
    options = TrainOptions(**{"examples": "data", "output": "model", **small, **changes})
    return Fitter(BehaviorNetwork(layout, options, options.seed), train, validation, options)


@given(st.integers(0, 300), st.integers(1, 40), st.integers(0, 5), st.integers(0, 5))
def test_every_row_is_in_one_batch(count, batch_size, seed, epoch) -> None:
    lengths = np.random.default_rng(count).integers(1, 40, count)
    batches = epoch_batches(lengths, batch_size, seed, epoch)
    assert sorted(np.concatenate([*batches, np.zeros(0, np.int64)]).tolist()) == list(range(count))
    assert all(0 < len(batch) <= batch_size for batch in batches)
    again = epoch_batches(lengths, batch_size, seed, epoch)
    assert [batch.tolist() for batch in batches] == [batch.tolist() for batch in again]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    lengths = np.ones(100, np.int64)
    orders = [np.concatenate(epoch_batches(lengths, 10, *key)).tolist() for key in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]


def test_batches_hold_instances_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 41, 1600)
    spans = [np.ptp(lengths[batch]) for batch in epoch_batches(lengths, 50, 0, 0)]
    assert max(spans) <= 3  # 32 batches over 40 lengths: one or two lengths each, where shuffled ones would span 38


def test_cross_entropy_by_hand() -> None:
    logits = np.log(np.array([[1, 3], [4, 1]], np.float32))
    np.testing.assert_allclose(softmax(logits), [[0.25, 0.75], [0.8, 0.2]], rtol=1e-6)
    assert cross_entropy(logits, np.array([1, 0])) == pytest.approx(-(math.log(0.75) + math.log(0.8)) / 2, rel=1e-6)


def test_a_fresh_network_predicts_the_base_rate_on_average(data) -> None:
    made = fitter(data)
    rate = data[1].labels.mean()
    assert made.network.head.bias.numpy() == pytest.approx(np.log([1 - rate, rate]), rel=1e-5)


@pytest.mark.parametrize("encoder", ["gru", "cnn"])
def test_it_learns_a_tiny_set_by_heart(data, encoder) -> None:
    layout, train, _ = data
    rows = np.arange(32)
    tiny = Labelled(train.packed.take(rows), train.labels[rows])
    made = fitter(
        (layout, tiny, tiny), encoder=encoder, units=32, dropout=0.0, l2=0.0, batch_size=16, max_epochs=60, patience=60
    )
    made.run(quiet, quiet)
    assert (made.predict(tiny.packed).argmax(axis=1) == tiny.labels).all()
    assert made.state.best_loss < 0.1


def test_class_weights_do_not_bend_the_probabilities(data) -> None:
    """The mean prediction stays near the label rate; bent by a weight of 9 it would be above 0.7."""
    made = fitter(data, class_weight="9", max_epochs=4)
    made.run(quiet, quiet)
    mean = softmax(made.predict(data[2].packed))[:, 1].mean()
    assert mean == pytest.approx(data[2].labels.mean(), abs=0.15)


def test_the_order_of_prediction_is_the_order_of_the_instances(data) -> None:
    made = fitter(data)
    part = data[2].packed
    rows = np.random.default_rng(0).permutation(len(part))
    np.testing.assert_allclose(made.predict(part.take(rows)), made.predict(part)[rows], atol=1e-6)


def test_it_stops_early_and_goes_back_to_the_best_weights(data) -> None:
    layout, train, validation = data
    noise = Labelled(validation.packed, 1 - validation.labels)  # what is learnt makes this worse and worse
    made = fitter((layout, train, noise), max_epochs=30, patience=2)
    losses = []
    made.run(lambda state: losses.append(state.history[-1]["validation_loss"]), quiet)
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2
    assert cross_entropy(made.predict(noise.packed), noise.labels) == pytest.approx(losses[best], rel=1e-6)


def test_a_loss_that_is_no_number_ends_the_training(data) -> None:
    made = fitter(data, learning_rate=1.0)
    made.network.head.kernel.assign(np.full((8, 2), np.nan))
    with pytest.raises(TrainingError, match=r"validation loss is nan after epoch 1; lower --learning-rate \(now 1\)"):
        made.run(quiet, quiet)


class Killed(Exception):
    pass


def test_a_resumed_training_ends_with_the_same_bits(data, tmp_path) -> None:
    whole = fitter(data)
    whole.run(quiet, quiet)

    checkpoint = Checkpoint(str(tmp_path), {})
    first = fitter(data)

    def save_then_stop(state: FitState) -> None:
        checkpoint.save(first)
        if len(state.history) == 2:
            raise Killed

    with pytest.raises(Killed):
        first.run(save_then_stop, quiet)
    second = fitter(data)
    assert checkpoint.restore(second)
    second.run(quiet, quiet)
    assert second.state.history == whole.state.history
    for resumed, unbroken in zip(second.variables, whole.variables, strict=True):
        np.testing.assert_array_equal(resumed.numpy(), unbroken.numpy())


def test_without_a_checkpoint_there_is_nothing_to_resume(data, tmp_path) -> None:
    assert not Checkpoint(str(tmp_path), {}).restore(fitter(data))


def test_a_checkpoint_of_other_options_is_refused(data, tmp_path) -> None:
    options = TrainOptions(examples="data", output="model")
    Checkpoint(str(tmp_path), identity_of(options, {})).save(fitter(data))
    other = identity_of(TrainOptions(examples="moved", output="other", units=32), {})
    with pytest.raises(TrainingError, match="was made with units 64, now it is 32; go back to that or train without"):
        Checkpoint(str(tmp_path), other).restore(fitter(data))


def test_a_checkpoint_of_other_examples_is_refused(data, tmp_path) -> None:
    options = TrainOptions(examples="data", output="model")
    Checkpoint(str(tmp_path), identity_of(options, {"fingerprint": "a"})).save(fitter(data))
    with pytest.raises(TrainingError, match=r"checkpoint.npz was made with dataset card \w+, now it is \w+"):
        Checkpoint(str(tmp_path), identity_of(options, {"fingerprint": "b"})).restore(fitter(data))


def test_a_torn_checkpoint_is_refused(data, tmp_path) -> None:
    checkpoint = Checkpoint(str(tmp_path), {})
    checkpoint.save(fitter(data))
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="cannot read the checkpoint .*checkpoint.npz .*train without --resume"):
        checkpoint.restore(fitter(data))
