import math

import numpy as np
import pytest
import torch

from models.attention.dataset import ExamplesFolder
from models.attention.fitting import Fitter
from models.attention.network import AttentionNetwork
from models.attention.options import TrainOptions
from models.checkpoint import TrainingError
from models.fitting import epoch_batches

torch.set_num_threads(1)


@pytest.fixture
def fitter(examples, make):
    def made(**changes) -> Fitter:
        folder = ExamplesFolder.open(str(examples))
        options = TrainOptions(examples="e", output="o", **{**make.small, **changes})
        torch.manual_seed(0)
        network = AttentionNetwork(options, 48, 64, folder.spec.sets)
        return Fitter(network, folder.read("train"), folder.read("validation"), options, torch.device("cpu"))

    return made


def quiet(*_) -> None:
    pass


@pytest.mark.parametrize("loss", ["kl=1,cc=1,nss=0.1", "dice=1,bce=1"])
def test_it_learns(loss, fitter) -> None:
    made = fitter(loss=loss, max_epochs=8, prior="per_set", coordinates="ijr")
    before = made.judge(made.validation)["loss"]
    made.run(quiet, quiet)
    assert made.judge(made.validation)["loss"] < before - 0.1
    assert made.state.best_loss == pytest.approx(made.judge(made.validation)["loss"])
    assert [e["epoch"] for e in made.state.history] == list(range(1, len(made.state.history) + 1))


def test_the_loss_of_a_split_is_the_mean_over_its_images(fitter) -> None:
    """Whatever the batches: 6 images in batches of 4 and 2, or one by one."""
    four, one = fitter(loss="kl=1,cc=1"), fitter(loss="kl=1,cc=1", batch_size=1)
    assert four.judge(four.validation)["loss"] == pytest.approx(one.judge(one.validation)["loss"], abs=1e-4)


def test_the_cosine_falls_to_nothing(fitter) -> None:
    made = fitter(warmup_steps=0, max_epochs=10)
    shares = []
    for made.state.steps in (0, 20, 40):
        shares.append(made.rate_share(4))
    assert shares == pytest.approx([1, 0.5, 0])


def test_the_first_steps_are_small(fitter) -> None:
    made = fitter(warmup_steps=3, schedule="constant")
    shares = []
    for made.state.steps in range(5):
        shares.append(made.rate_share(4))
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1, 1])


def test_on_a_plateau_the_steps_get_smaller_and_then_training_stops(fitter) -> None:
    made = fitter(schedule="plateau", patience=2, max_epochs=50, learning_rate=1e-8)
    made.state.best_loss = -math.inf  # nothing is better
    made.best = made.averaged.state_dict()
    made.run(quiet, quiet)
    assert len(made.state.history) == 2
    assert made.state.reduced == pytest.approx(0.09)


def test_steps_that_became_smaller_are_given_time_before_they_become_smaller_again(fitter) -> None:
    """With patience 4 they shrink in the second and fourth epoch in vain, not in the third."""
    made = fitter(schedule="plateau", patience=4, max_epochs=50, learning_rate=1e-8)
    made.state.best_loss = -1e9
    shares = []
    while not made.state.finished:
        made.run_epoch(lambda *_: None)
        shares.append(made.state.reduced)
    assert shares == pytest.approx([1.0, 0.3, 0.3, 0.09])


def test_a_loss_that_is_no_number_ends_the_training(fitter) -> None:
    made = fitter()
    with torch.no_grad():
        made.averaged.head.bias.fill_(math.nan)
        made.network.head.bias.fill_(math.nan)
    with pytest.raises(
        TrainingError, match=r"validation loss is nan after epoch 1; lower --learning-rate \(now 0.01\)"
    ):
        made.run_epoch(quiet)


def test_the_average_is_the_mean_of_weights_past(fitter) -> None:
    """After step 1 it keeps 1/11 of the weights before it."""
    made = fitter(average=0.99)
    before = made.averaged.head.weight.clone()
    batch = made.train.batch(range(4))
    made.step(batch, 4)
    expected = before / 11 + made.network.head.weight.detach() * 10 / 11
    torch.testing.assert_close(made.averaged.head.weight, expected)


def test_without_an_average_the_weights_themselves_are_judged(fitter) -> None:
    made = fitter(average=0.0)
    made.step(made.train.batch(range(4)), 4)
    torch.testing.assert_close(made.averaged.state_dict(), made.network.state_dict())


def test_a_frozen_encoder_stays_as_it_is(fitter, tmp_path) -> None:
    import torchvision

    path = tmp_path / "mobilenet.pth"
    torch.save(torchvision.models.mobilenet_v2().state_dict(), path)
    made = fitter(encoder="mobilenet_v2", encoder_rate=0.0, encoder_weights=str(path))
    before = {name: value.clone() for name, value in made.network.encoder.state_dict().items()}
    head = made.network.head.weight.clone()
    made.set_mode()
    made.step(made.train.batch(range(4)), 4)
    torch.testing.assert_close(made.network.encoder.state_dict(), before)
    assert not torch.equal(made.network.head.weight, head)


def test_steps_and_decay_by_kind_of_weight(fitter, tmp_path) -> None:
    import torchvision

    path = tmp_path / "mobilenet.pth"
    torch.save(torchvision.models.mobilenet_v2().state_dict(), path)
    made = fitter(encoder="mobilenet_v2", encoder_weights=str(path), encoder_rate=0.5, learning_rate=0.1)
    names = {id(p): name for name, p in made.network.named_parameters()}
    found = {}
    for group in made.optimizer.param_groups:
        for parameter in group["params"]:
            found[names[id(parameter)]] = (group["full_rate"], group["weight_decay"])
    assert found["encoder.stages.0.0.0.weight"] == (0.05, 0.01)
    assert found["head.weight"] == (0.1, 0.01)
    assert found["head.bias"] == (0.1, 0.0)
    assert found["prior.shared"] == (0.1, 0.0)
    assert len(found) == len(names)


def test_an_epoch_is_every_image_once_in_another_order() -> None:
    first, second = epoch_batches(10, 4, 0, 0), epoch_batches(10, 4, 0, 1)
    assert [len(rows) for rows in first] == [4, 4, 2]
    assert sorted(np.concatenate(first).tolist()) == list(range(10))
    assert first == epoch_batches(10, 4, 0, 0)
    assert first != second
