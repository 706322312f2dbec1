"""Options of the attention model: everything that decides a network or a training run, refused at start-up."""

import math
from dataclasses import dataclass

from features.options import option
from models.fit_options import FitOptions
from models.options import OptionError, one_of, within

__all__ = ["ENCODERS", "LOSSES", "NetworkOptions", "OptionError", "TrainOptions", "parse_loss"]

ENCODERS = ("plain", "vgg16", "vgg19", "resnet18", "resnet34", "resnet50", "mobilenet_v2")
"""The encoders: "plain" is the U-Net of Ronneberger et al. 2015, the others are torchvision's."""

LOSSES = ("kl", "cc", "nss", "dice", "bce")
"""The terms that a loss can be a weighted sum of."""

_COORDINATES = ("none", "ij", "ijr")
_PRIORS = ("none", "shared", "per_set")


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of the network."""

    encoder: str = option("mobilenet_v2", f"encoder: {', '.join(ENCODERS)}")
    depth: int = option(5, "encoder stages used, each half the size of the one before it")
    width: int = option(16, "channels of the decoder at full size; each halving of the size doubles them, up to 256")
    output_stride: int = option(2, "size of the input over that of the last decoder stage: 1, 2 or 4, then enlarged")
    coordinates: str = option("none", "CoordConv channels: none, ij (row, column) or ijr (and the radius)")
    prior: str = option("shared", "learned bias of place: none, shared, or per_set (shared and each set's own)")
    dropout: float = option(0.1, "share of the channels of the deepest stage dropped in training")

    def __post_init__(self) -> None:
        one_of("encoder", self.encoder, ENCODERS)
        one_of("coordinates", self.coordinates, _COORDINATES)
        one_of("prior", self.prior, _PRIORS)
        within("depth", self.depth, 2, 5, int)
        within("width", self.width, 1, 256, int)
        within("dropout", self.dropout, 0.0, 0.95, float)
        if isinstance(self.output_stride, bool) or self.output_stride not in (1, 2, 4):
            raise OptionError(f"output_stride is {self.output_stride!r}; expected 1, 2 or 4")
        if self.output_stride >= 2**self.depth:
            raise OptionError(f"output_stride {self.output_stride} leaves nothing to decode at depth {self.depth}")

    @property
    def multiple(self) -> int:
        """What width and height of an image must be a multiple of."""
        return int(2**self.depth)


@dataclass(frozen=True)
class TrainOptions(NetworkOptions, FitOptions):
    """What to train on, where to write, and how to train."""

    irrelevant = (*FitOptions.irrelevant, "golden_images", "int8")

    examples: str = option("", "folder that the attention pipeline wrote (local or gs://)")
    encoder_weights: str = option(
        "auto",
        "pretrained encoder: imagenet, the name of one of torchvision's weights, a file of them, none, or auto: "
        "imagenet but for the plain encoder",
    )
    loss: str = option("kl=1,cc=1,nss=0.1", f"weighted sum to minimise, of {', '.join(LOSSES)} (cc and nss negated)")
    encoder_rate: float = option(0.3, "step size of a pretrained encoder, as a share of learning_rate; 0 freezes it")
    frozen_norms: bool = option(False, "keep the batch norms of a pretrained encoder as they are")
    weight_decay: float = option(1e-2, "AdamW's decay of weights (biases, norms and the prior are left out)")
    max_epochs: int = option(12, "most passes over the training images")
    color: float = option(0.1, "largest change of brightness, contrast and saturation of a training image")
    no_flip: bool = option(False, "do not mirror training images")
    methods: str = option("all", "what a training image's fixations were measured with: all, or names such as eye,mask")
    mirror: bool = option(False, "export a network that also looks at the mirrored image, at twice the time")
    export_set: str | None = option(None, "with --prior per_set: the set whose prior is exported, not the shared one")
    golden_images: int = option(32, "images of the golden set")
    int8: bool = option(False, "also export the network with 8-bit weights and activations")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_fit()
        if not self.encoder_weights or (self.encoder == "plain" and self.encoder_weights not in ("auto", "none")):
            raise OptionError(
                f"encoder_weights is {self.encoder_weights!r} for the encoder {self.encoder}; expected none"
                + ("" if self.encoder == "plain" else ", imagenet, the name of torchvision weights, or a file")
            )
        parse_loss(self.loss)
        within("encoder_rate", self.encoder_rate, 0.0, 10.0, float)
        within("color", self.color, 0.0, 0.5, float)
        within("golden_images", self.golden_images, 1, 1000, int)
        if not self.methods or not all(self.methods.split(",")):
            raise OptionError(f"methods is {self.methods!r}; expected all, or names parted by commas such as eye,mask")
        if self.export_set and self.prior != "per_set":
            raise OptionError(f"export_set is {self.export_set!r}, but no set has a prior; give --prior per_set")

    @property
    def pretrained(self) -> str:
        """The weights that the encoder begins with: "none", "imagenet", a name of torchvision's, or a file."""
        if self.encoder_weights != "auto":
            return self.encoder_weights
        return "none" if self.encoder == "plain" else "imagenet"


def parse_loss(text: str) -> dict[str, float]:
    """Returns weights by term of a loss such as ``kl=1,cc=1,nss=0.1``.

    Raises:
        OptionError: an unknown term, one given twice, or a weight that is not a positive number.
    """
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if name not in LOSSES or name in weights or not 0 < value < math.inf:
            raise OptionError(
                f"loss is {text!r}: {part!r} does not fit; expected terms of {', '.join(LOSSES)}, each once with a "
                "positive weight, such as kl=1,cc=1,nss=0.1"
            )
        weights[name] = value
    if weights.keys() == {"nss"}:
        raise OptionError(f"loss is {text!r}: NSS alone has no least value; add kl, cc, dice or bce")
    return weights
