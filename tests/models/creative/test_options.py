import re

import pytest

from models.creative.options import EnsembleOptions, NetworkOptions, OptionError, TrainOptions


def test_a_resnet50_with_imagenets_weights_is_the_default() -> None:
    options = TrainOptions(examples="e", output="o")
    assert (options.backbone, options.weights, options.pretrained) == ("resnet50", "imagenet", True)
    assert not TrainOptions(examples="e", output="o", weights="none").pretrained
    assert options.work_folder == "o.work"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone": "resnet152"}, "backbone is 'resnet152'; expected one of resnet18, resnet34, resnet50, resnet101"),
        ({"image_size": 8}, "image_size is 8; expected a whole number from 32 to 1024"),
        ({"dropout": 1.0}, "dropout is 1.0; expected a number from 0 to 0.95"),
        ({"tones": -1}, "tones is -1; expected a whole number from 0 to 1024"),
        ({"weights": ""}, "weights is ''; expected none, imagenet"),
        ({"examples": ""}, "examples is missing; name a folder with --examples"),
        ({"output": ""}, "output is missing"),
        ({"schedule": "linear"}, "schedule is 'linear'; expected one of cosine, plateau, constant"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"batch_size": 1}, "batch_size is 1; expected a whole number from 2 to 4096"),
        ({"shift": 0.6}, "shift is 0.6"),
        ({"device": "tpu"}, "device is 'tpu'; expected auto, cpu, cuda or cuda:N"),
        ({"golden_products": 0}, "golden_products is 0"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_what_is_impossible_is_refused_in_one_line(changes, message) -> None:
    with pytest.raises(OptionError, match=re.escape(message)) as e:
        TrainOptions(**{"examples": "e", "output": "o", **changes})
    assert "\n" not in str(e.value)


def test_options_survive_json_and_unknown_ones_do_not() -> None:
    options = TrainOptions(examples="e", output="o", backbone="resnet34", image_size=64)
    assert TrainOptions.from_dict(options.to_dict()) == options
    with pytest.raises(OptionError, match="unknown option 'brightness'"):
        TrainOptions.from_dict({**options.to_dict(), "brightness": 0.2})


def test_the_networks_own_options_stand_alone() -> None:
    assert NetworkOptions() == NetworkOptions("resnet50", 0, 64, 0.0)


def test_an_ensemble_has_two_members_or_more() -> None:
    options = EnsembleOptions(members="a,gs://b/c", examples="e", output="o")
    assert options.member_folders == ("a", "gs://b/c")
    for members in ("a", "a,", ",a"):
        with pytest.raises(OptionError, match=f"members is '{members}'; expected two folders or more"):
            EnsembleOptions(members=members, examples="e", output="o")
    with pytest.raises(OptionError, match="members is missing"):
        EnsembleOptions(examples="e", output="o")
