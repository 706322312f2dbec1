import pytest

from models.attention.options import NetworkOptions, OptionError, TrainOptions, parse_loss

NEEDED = {"examples": "data", "output": "model"}


def test_options_come_back_from_their_dictionary() -> None:
    options = TrainOptions(**NEEDED, encoder="resnet18", coordinates="ijr", loss="dice=1,bce=2")
    assert TrainOptions.from_dict(options.to_dict()) == options
    assert options.work_folder == "model.work"
    assert NetworkOptions(depth=4).multiple == 16


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"output": ""}, "output is missing; name a folder with --output"),
        ({"encoder": "vgg11"}, "encoder is 'vgg11'; expected one of plain, vgg16, vgg19, resnet18"),
        ({"coordinates": "xy"}, "coordinates is 'xy'; expected one of none, ij, ijr"),
        ({"prior": "own"}, "prior is 'own'; expected one of none, shared, per_set"),
        ({"depth": 6}, "depth is 6; expected a whole number from 2 to 5"),
        ({"width": 1.5}, "width is 1.5; expected a whole number from 1 to 256"),
        ({"output_stride": 3}, "output_stride is 3; expected 1, 2 or 4"),
        ({"output_stride": True}, "output_stride is True; expected 1, 2 or 4"),
        ({"output_stride": 4, "depth": 2}, "output_stride 4 leaves nothing to decode at depth 2"),
        ({"encoder": "plain", "encoder_weights": "imagenet"}, "for the encoder plain; expected none"),
        ({"encoder_weights": ""}, "encoder_weights is '' for the encoder mobilenet_v2; expected none, imagenet"),
        ({"schedule": "step"}, "schedule is 'step'; expected one of cosine, plateau, constant"),
        ({"learning_rate": float("nan")}, "learning_rate is nan; expected a number"),
        ({"average": 1.0}, "average is 1.0; expected a number from 0 to 0.99999"),
        ({"device": "tpu"}, "device is 'tpu'; expected auto, cpu, cuda or cuda:N"),
        ({"methods": "eye,"}, "methods is 'eye,'; expected all, or names parted by commas"),
        ({"export_set": "osie"}, "export_set is 'osie', but no set has a prior; give --prior per_set"),
        ({"unheard": 1}, "unknown option 'unheard'; expected one of average, batch_size"),
    ],
)
def test_the_impossible_is_refused(values, message) -> None:
    with pytest.raises(OptionError, match=message):
        TrainOptions.from_dict({**NEEDED, **values})


def test_an_encoder_is_pretrained_unless_it_is_the_plain_one() -> None:
    assert TrainOptions(**NEEDED).pretrained == "imagenet"
    assert TrainOptions(**NEEDED, encoder="plain").pretrained == "none"
    assert TrainOptions(**NEEDED, encoder_weights="w.pth").pretrained == "w.pth"


def test_a_loss_is_a_weighted_sum() -> None:
    assert parse_loss("kl=1,cc=0.5,nss=.1") == {"kl": 1.0, "cc": 0.5, "nss": 0.1}


@pytest.mark.parametrize("text", ["", "kl", "kl=", "kl=0", "kl=-1", "kl=inf", "kl=nan", "kl=1,kl=2", "mse=1", "kl=1,"])
def test_a_loss_that_makes_no_sense_is_refused(text) -> None:
    with pytest.raises(OptionError, match="does not fit; expected terms of kl, cc, nss, dice, bce, each once"):
        parse_loss(text)


def test_nss_alone_is_refused() -> None:
    with pytest.raises(OptionError, match="NSS alone has no least value"):
        TrainOptions(**NEEDED, loss="nss=1")
