import math

import numpy as np
import pytest
import torch
import torchvision

from models.creative.dataset import Batch, ExamplesFolder
from models.creative.fitting import Fitter
from models.creative.network import VariantNetwork
from models.creative.options import TrainOptions


@pytest.fixture
def fitter(examples, make):
    def made(**changes) -> Fitter:
        folder = ExamplesFolder.open(str(examples))
        options = TrainOptions(examples="e", output="o", **{**make.small, **changes})
        torch.manual_seed(0)
        network = VariantNetwork(options, 6, options.weights)
        return Fitter(network, folder.read("train"), folder.read("validation"), options, torch.device("cpu"))

    return made


def test_a_batch_holds_whole_products_and_an_epoch_every_image_once(fitter) -> None:
    made = fitter(batch_size=13)  # two products of six
    first, second = made.rows(0), made.rows(1)
    assert [len(rows) for rows in first] == [12] * 4
    assert sorted(np.concatenate(first).tolist()) == list(range(48))
    for rows in first:
        assert np.bincount(made.train.labels[rows]).tolist() == [2] * 6
    assert first == made.rows(0)
    assert first != second
    assert [len(rows) for rows in fitter(batch_size=2).rows(0)] == [6] * 8


def test_the_loss_is_cross_entropy_with_smoothed_labels(fitter) -> None:
    """By hand: with V variants and smoothing s, -(1 - s + s / V) log p of the right one, -s / V log p of the others."""
    made = fitter(label_smoothing=0.3)
    logits = torch.log(torch.tensor([[0.5, 0.1, 0.1, 0.1, 0.1, 0.1], [0.2, 0.3, 0.2, 0.1, 0.1, 0.1]]))
    batch = made.prepare(Batch(np.zeros((2, 4, 4, 3), np.uint8), np.array([0, 3])))
    loss, terms = made.loss(logits, batch)
    first = -(0.75 * math.log(0.5) + 0.25 * math.log(0.1))
    second = -(0.75 * math.log(0.1) + 0.05 * (2 * math.log(0.2) + math.log(0.3) + 2 * math.log(0.1)))
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-5)
    assert float(terms["accuracy"]) == 0.5


def test_a_step_makes_the_loss_less(fitter) -> None:
    made = fitter(warmup_steps=0, learning_rate=1e-3)
    batch = made.train.batch(made.rows(0)[0])
    losses = [made.step(batch, 100)["loss"] for _ in range(6)]
    assert losses[-1] < losses[0]


def test_frozen_weights_stay_as_they_are(fitter, tmp_path) -> None:
    path = tmp_path / "resnet.pth"
    torch.save(torchvision.models.resnet18().state_dict(), path)
    made = fitter(weights=str(path), backbone_rate=0.0)
    before = {name: value.clone() for name, value in made.network.backbone.state_dict().items()}
    head = made.network.head.weight.clone()
    made.set_mode()
    made.step(made.train.batch(range(6)), 4)
    torch.testing.assert_close(made.network.backbone.state_dict(), before)
    assert not torch.equal(made.network.head.weight, head)


def test_pretrained_weights_take_smaller_steps(fitter, tmp_path) -> None:
    path = tmp_path / "resnet.pth"
    torch.save(torchvision.models.resnet18().state_dict(), path)
    for weights, rate in ((str(path), 0.05), ("none", 0.1)):
        made = fitter(weights=weights, backbone_rate=0.5, learning_rate=0.1)
        names = {id(p): name for name, p in made.network.named_parameters()}
        rates = {names[id(p)]: g["full_rate"] for g in made.optimizer.param_groups for p in g["params"]}
        assert (rates["backbone.conv1.weight"], rates["head.weight"]) == (rate, 0.1)


def test_augmentation_is_the_same_for_the_same_seed_and_place(fitter) -> None:
    made = fitter()
    batch = made.train.batch(range(6))
    same = [made.change(batch, 1, 2).images for _ in range(2)]
    np.testing.assert_array_equal(*same)
    assert not np.array_equal(same[0], made.change(batch, 1, 3).images)
