import numpy as np
import pytest
import torch
import torchvision

from models.attention.coordinates import coordinate_channels
from models.attention.encoders import make_encoder
from models.attention.network import AttentionNetwork, Prior, density
from models.attention.options import ENCODERS, NetworkOptions
from models.weights import WeightsError

torch.set_num_threads(1)


def images(height=48, width=80, count=2) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_stages_halve_the_size(encoder) -> None:
    made = make_encoder(encoder, "none", 5, 4).eval()
    stages = made(torch.zeros(1, 3, 64, 96))
    assert [tuple(s.shape) for s in stages] == [
        (1, channels, 64 // 2**k, 96 // 2**k) for k, channels in enumerate(made.channels, 1)
    ]


@pytest.mark.parametrize("encoder", ["plain", "resnet18", "mobilenet_v2"])
@pytest.mark.parametrize("coordinates", ["none", "ijr"])
@pytest.mark.parametrize("output_stride", [1, 2, 4])
def test_logits_have_the_size_of_the_image(encoder, coordinates, output_stride) -> None:
    options = NetworkOptions(
        encoder=encoder, depth=3, width=4, coordinates=coordinates, output_stride=output_stride, prior="none"
    )
    network = AttentionNetwork(options, 50, 78).eval()  # 8 divides neither side
    assert network(images(50, 78)).shape == (2, 50, 78)


def test_an_image_is_answered_where_it_lies() -> None:
    """With a head that copies, what the decoder sees is not shifted by the border around an odd size."""
    options = NetworkOptions(encoder="plain", depth=3, width=4, output_stride=1, prior="none")
    network = AttentionNetwork(options, 50, 78).eval()
    torch.nn.init.normal_(network.head.weight, generator=torch.Generator().manual_seed(1))
    blank = torch.full((1, 3, 50, 78), 100)
    spot = blank.clone()
    spot[:, :, 20:23, 40:43] = 255
    with torch.no_grad():
        change = (network(spot) - network(blank))[0].abs()
    row, column = np.unravel_index(int(change.argmax()), (50, 78))
    assert abs(row - 21) <= 3
    assert abs(column - 41) <= 3


def test_a_new_network_says_its_prior() -> None:
    network = AttentionNetwork(NetworkOptions(encoder="plain", depth=3, width=4), 64, 96).eval()
    mean = torch.zeros(64, 96)
    mean[32:, 48:] = 1 / (32 * 48)
    network.prior.begin_at(mean)
    found = density(network(images(64, 96, 1)), False)[0]
    assert found[34:, 50:].sum() > 0.85
    assert found[:30, :46].sum() < 0.05


def test_each_set_has_a_prior_of_its_own() -> None:
    prior = Prior("per_set", 64, 96, 2)
    with torch.no_grad():
        prior.shared.fill_(1.0)
        prior.own[1] = 2.0
    found = prior(torch.tensor([0, 1, -1]))
    assert found.mean((1, 2)).tolist() == pytest.approx([1, 3, 1])
    assert prior(None).shape == (1, 64, 96)
    assert Prior("per_set", 64, 96, 1).own is None
    assert Prior("none", 64, 96, 2)(None).item() == 0


def test_coordinates_by_hand() -> None:
    i, j, radius = coordinate_channels(3, 5, "ijr")[0]
    assert i[:, 0].tolist() == [-1, 0, 1]
    assert j[0].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert i[0].tolist() == [-1] * 5
    assert j[:, 0].tolist() == [-1] * 3
    corner = (1 + 4) ** 0.5  # half the sides in steps of a pixel: 1 and 2
    assert radius[1].tolist() == pytest.approx([2 / corner, 1 / corner, 0, 1 / corner, 2 / corner])
    assert radius[0, 2].item() == pytest.approx(1 / corner)  # as far up as to the side: a circle is a circle
    assert radius[0, 0].item() == pytest.approx(1)
    assert coordinate_channels(3, 5, "ij").shape == (1, 2, 3, 5)
    assert coordinate_channels(1, 1, "ijr").tolist() == [[[[0.0]], [[0.0]], [[0.0]]]]


@pytest.mark.parametrize("encoder", ["plain", "vgg16", "resnet18", "mobilenet_v2"])
def test_coordinates_change_nothing_in_an_encoder_before_training(encoder) -> None:
    made = make_encoder(encoder, "none", 2, 4).eval()
    x = torch.rand(1, 3, 32, 48)
    with torch.no_grad():
        before = made(x)
        made.take_more_inputs(3)
        after = made(torch.cat([x, torch.rand(1, 3, 32, 48)], 1))
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b)


def test_densities_sum_to_one_inside() -> None:
    logits = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0)) * 5
    valid = torch.zeros(2, 6, 8, dtype=torch.bool)
    valid[:, :, 2:6] = True
    for probability in (False, True):
        found = density(logits, probability, valid)
        torch.testing.assert_close(found.sum((1, 2)), torch.ones(2))
        assert found[~valid].abs().max() == 0
        assert (found >= 0).all()


def test_weights_are_loaded_from_a_file(tmp_path) -> None:
    path = tmp_path / "resnet18.pth"
    source = torchvision.models.resnet18()
    torch.save(source.state_dict(), path)
    made = make_encoder("resnet18", str(path), 5, 16)
    torch.testing.assert_close(made.stages[3][0].conv1.weight, source.layer3[0].conv1.weight)


@pytest.mark.parametrize("name", ["vgg16", "resnet50"])
def test_the_other_encoders_load_their_own_weights_too(name, tmp_path) -> None:
    path = tmp_path / f"{name}.pth"
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in torchvision.models.get_model(name).state_dict().items()}
    state = {key: torch.zeros(()).expand(shape).half() for key, shape in shapes.items()}
    torch.save(state, path)
    made = make_encoder(name, str(path), 1, 16)
    assert float(next(made.parameters()).detach().abs().sum()) == 0


def test_weights_that_do_not_fit_are_refused_in_one_line(tmp_path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match=r"cannot load the weights .*w.pth' into resnet18 .*expected a file of") as e:
        make_encoder("resnet18", str(path), 5, 16)
    assert "\n" not in str(e.value)
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot load the weights"):
        make_encoder("resnet18", str(path), 5, 16)


def test_a_file_that_runs_code_is_refused(tmp_path) -> None:
    path = tmp_path / "w.pth"
    torch.save({"a": AttentionNetwork}, path)
    with pytest.raises(WeightsError, match="cannot load the weights"):
        make_encoder("resnet18", str(path), 5, 16)


def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path) -> None:
    path = tmp_path / "resnet18-00000000.pth"
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="has SHA-256 .*, not the 00000000 of its name; fetch it again"):
        make_encoder("resnet18", str(path), 5, 16)


def test_an_unknown_name_of_weights_lists_what_there_is() -> None:
    with pytest.raises(
        WeightsError, match="'IMAGENET', which is no file; expected none, imagenet, a file, or one of IM"
    ):
        make_encoder("resnet50", "IMAGENET", 5, 16)
