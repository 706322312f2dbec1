import json
import shutil

import cv2
import numpy as np
import pytest
import torch

from features.creative_spec import CreativeSpec, VariantSpec
from models.creative.export import export
from models.creative.members import EnsembleNetwork, Member, area_weights, open_member
from models.creative.network import VariantNetwork
from models.creative.options import NetworkOptions, OptionError
from models.weights import WeightsError


def network(seed: int, **changes) -> VariantNetwork:
    torch.manual_seed(seed)
    return VariantNetwork(NetworkOptions(**{"backbone": "resnet18", **changes}), 6).eval()


def spec(side: int, **changes) -> CreativeSpec:
    return CreativeSpec(**{"width": side, "height": side, **changes})


def images(side: int, count: int = 2):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, 3, side, side), np.uint8))


def test_parts_of_a_line_by_hand() -> None:
    """Three pixels in two parts: the middle one counts half in both."""
    expected = torch.tensor([[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])
    torch.testing.assert_close(area_weights(3, 2), expected)
    torch.testing.assert_close(area_weights(4, 4), torch.eye(4))
    torch.testing.assert_close(area_weights(256, 96).sum(1), torch.ones(96))


@pytest.mark.parametrize(("side", "fewer"), [(64, 32), (256, 96), (70, 33)])
def test_images_are_scaled_as_opencv_scales_them(side, fewer) -> None:
    given = images(side, 1)
    seen = []
    inner = network(0)
    inner.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        Member(inner, spec(fewer), spec(side)).features(given)
    found = (seen[0][0] * inner.std[0] + inner.mean[0]) * 255  # (3, h, w)
    theirs = cv2.resize(given[0].permute(1, 2, 0).numpy(), (fewer, fewer), interpolation=cv2.INTER_AREA)
    difference = np.abs(found.round().numpy().transpose(1, 2, 0) - theirs)
    assert difference.max() <= 1  # means that are half way are rounded up here, to the even level there
    assert (difference > 0).mean() < 0.15


def test_white_stays_white() -> None:
    """Weights are rounded to float32: their sum over a white part may fall short of 255, and tones would notice."""
    seen = []
    inner = network(0)
    assert inner.tones is not None
    inner.tones.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        Member(inner, spec(33), spec(70)).features(torch.full((1, 3, 70, 70), 255, dtype=torch.uint8))
    assert seen[0].unique().tolist() == [255.0]


def test_logits_are_the_mean_of_the_members_and_a_linear_function_of_the_features() -> None:
    one, two = network(0), network(1, image_size=32, tones=8)
    both = EnsembleNetwork([Member(one, spec(32), spec(64)), Member(two, spec(64), spec(64))]).eval()
    given = images(64)
    small = torch.from_numpy(
        np.stack(
            [
                cv2.resize(image.permute(1, 2, 0).float().numpy(), (32, 32), interpolation=cv2.INTER_AREA)
                for image in given
            ]
        )
    ).permute(0, 3, 1, 2)
    with torch.no_grad():
        # Parts of 2 by 2 pixels: their means are quarters, and the half is rounded up.
        expected = (one((small + 0.5).floor()) + two(given)) / 2
        torch.testing.assert_close(both(given), expected, atol=1e-5, rtol=1e-5)
        features = both.features(given)
        torch.testing.assert_close(both.head(features), both(given))
    assert features.shape == (2, both.dimension) == (2, 576 + 520)
    assert both.name == "resnet18 + resnet18"


@pytest.mark.parametrize(("trained", "shown"), [(32, 64), (33, 70)])
def test_the_graph_of_an_ensemble_answers_as_torch_does(trained, shown, tmp_path) -> None:
    both = EnsembleNetwork(
        [Member(network(0), spec(trained), spec(shown)), Member(network(1), spec(shown), spec(shown))]
    )
    found = export(both.eval(), spec(shown), tmp_path, [image.permute(1, 2, 0).numpy() for image in images(shown, 5)])
    assert found.logits_max_abs <= 1e-4
    described = json.loads((tmp_path / "model.json").read_text())
    assert (described["backbone"], described["outputs"][1]["shape"]) == ("resnet18 + resnet18", [None, 1152])


def test_images_that_would_have_to_be_enlarged_are_refused() -> None:
    with pytest.raises(OptionError, match="images are of 32 pixels, a member was trained on 64; expected no smaller"):
        Member(network(0), spec(64), spec(32))


def test_a_member_is_the_network_of_its_artifact(artifact, make) -> None:
    member = open_member(str(artifact), make.spec())
    assert not member.scaled and not member.training
    assert member.network.options == NetworkOptions(backbone="resnet18")


def test_other_variants_are_refused(artifact, make) -> None:
    wanted = make.spec(variants=(VariantSpec("original"), VariantSpec("brighter", params={"stops": 1.0})))
    with pytest.raises(WeightsError, match=r"brighter \{.*'stops': 1.0.*\}; name recognisers of the same"):
        open_member(str(artifact), wanted)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("model_card.json", "{}", "model_card.json does not say what network it is .*of one recogniser as"),
        ("model_card.json", '{"arguments": {"members": "a,b"}}', "does not say what network it is"),
        ("weights.npz", "nothing", "cannot begin with .*expected an artifact of a network with the same options"),
    ],
)
def test_what_is_no_recogniser_is_one_line(file, text, said, artifact, make, tmp_path) -> None:
    folder = tmp_path / "member"
    shutil.copytree(artifact, folder)
    (folder / file).write_text(text)
    with pytest.raises(WeightsError, match=said) as e:
        open_member(str(folder), make.spec())
    assert "\n" not in str(e.value)
