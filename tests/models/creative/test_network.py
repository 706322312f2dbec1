import math

import pytest
import torch
import torchvision

from models.creative.network import LEVELS, ServedNetwork, Tones, VariantNetwork
from models.creative.options import NetworkOptions
from models.weights import WeightsError


def network(backbone="resnet18", variants=6, weights="none", **changes) -> VariantNetwork:
    torch.manual_seed(0)
    return VariantNetwork(NetworkOptions(backbone=backbone, **changes), variants, weights).eval()


@pytest.mark.parametrize(("backbone", "dimension"), [("resnet18", 576), ("resnet34", 576), ("resnet50", 2112)])
def test_one_logit_a_variant_and_the_features_behind_them(backbone, dimension) -> None:
    made = network(backbone, variants=7)
    images = torch.randint(0, 256, (2, 3, 32, 48), dtype=torch.uint8)
    with torch.no_grad():
        logits, features = made(images), made.features(images)
        assert (logits.shape, features.shape) == ((2, 7), (2, dimension))
        torch.testing.assert_close(made.head(features), logits)
    assert made.dimension == dimension


def test_resnet101_is_one_too() -> None:
    assert network("resnet101", tones=0).dimension == 2048


def test_it_is_torchvisions_network_on_normalised_pixels(tmp_path) -> None:
    torch.manual_seed(1)
    theirs = torchvision.models.resnet18().eval()
    torch.save(theirs.state_dict(), tmp_path / "w.pth")
    made = network(weights=str(tmp_path / "w.pth"), tones=0)
    images = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    normalised = torchvision.transforms.functional.normalize(
        images.float() / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    theirs.fc = torch.nn.Identity()
    with torch.no_grad():
        torch.testing.assert_close(made.features(images), theirs(normalised))


def test_weights_of_another_network_are_refused(tmp_path) -> None:
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="cannot load the weights .*into resnet18") as e:
        network(weights=str(tmp_path / "w.pth"))
    assert "\n" not in str(e.value)


def test_images_are_scaled_within() -> None:
    """A grey image is the same at every size."""
    made = network(image_size=32, tones=0)
    seen = []
    made.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    with torch.no_grad():
        large, small = (made.features(torch.full((1, 3, side, side), 128)) for side in (64, 32))
    torch.testing.assert_close(large, small)
    assert seen == [(1, 3, 32, 32)] * 2


def test_tones_are_counted_of_pixels_as_they_are_stored() -> None:
    """Every fourth row is white: scaled to half, rows are grey; of those taken as they are, every second is white."""
    made = network(image_size=32)
    assert made.tones is not None
    seen = []
    made.tones.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.zeros((1, 3, 96, 64), dtype=torch.uint8)
    image[:, :, ::4] = 255
    made(image)
    torch.testing.assert_close(seen[0], image[:, :, ::2, ::2])
    assert seen[0].unique().tolist() == [0, 255]


def test_what_is_served_takes_images_as_they_are_decoded() -> None:
    made = network()
    images = torch.randint(0, 256, (3, 32, 40, 3), dtype=torch.uint8)
    with torch.no_grad():
        logits, features = ServedNetwork(made)(images)
        torch.testing.assert_close(logits, made(images.permute(0, 3, 1, 2)))
        torch.testing.assert_close(features, made.features(images.permute(0, 3, 1, 2)))


def test_tones_are_the_log_odds_of_pixels_at_or_above_each_level() -> None:
    tones = Tones(3)
    seen = []
    tones.norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    image = torch.tensor([[[[0, 255]], [[100, 8]], [[7, 8]]]], dtype=torch.uint8)  # pixels (0, 100, 7) and (255, 8, 8)
    tones.eval()(image)
    odds = seen[0].reshape(5, len(LEVELS))
    none, half, all_of_them = math.log(0.5 / 2.5), 0.0, math.log(2.5 / 0.5)
    expected = {
        1: [half, all_of_them, all_of_them, half, all_of_them],
        8: [half, all_of_them, half, half, all_of_them],
        96: [half, half, none, none, all_of_them],
        104: [half, none, none, none, half],
        255: [half, none, none, none, half],
    }
    for level, values in expected.items():
        assert odds[:, LEVELS.index(level)].tolist() == pytest.approx(values, abs=1e-6)
