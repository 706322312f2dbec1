"""Options of the variant recogniser: everything that decides a network or a training run, refused at start-up."""

from dataclasses import dataclass
from pathlib import Path

from features.options import option
from models.fit_options import FitOptions
from models.options import ArtifactOptions, OptionError, one_of, within

__all__ = ["BACKBONES", "EnsembleOptions", "NetworkOptions", "OptionError", "TrainOptions"]

BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101")
"""The networks, torchvision's (He et al. 2016, "Deep residual learning for image recognition")."""


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of the network."""

    backbone: str = option("resnet50", f"network: {', '.join(BACKBONES)}")
    image_size: int = option(
        0, "side, pixels, that stored images are scaled to within the network, after tones are counted; 0: as stored"
    )
    tones: int = option(64, "features made of the shares of light and dark pixels, beside the backbone's; 0: none")
    dropout: float = option(0.0, "share of the features dropped in training, before the last layer")

    def __post_init__(self) -> None:
        one_of("backbone", self.backbone, BACKBONES)
        within("dropout", self.dropout, 0.0, 0.95, float)
        within("tones", self.tones, 0, 1024, int)
        if self.image_size != 0:
            within("image_size", self.image_size, 32, 1024, int)


@dataclass(frozen=True)
class TrainOptions(NetworkOptions, FitOptions):
    """What to train on, where to write, and how to train."""

    irrelevant = (*FitOptions.irrelevant, "golden_products")
    least_batch = 2

    examples: str = option("", "folder that the creative pipeline wrote (local or gs://)")
    weights: str = option(
        "imagenet",
        "what training begins with: imagenet, the name of one of torchvision's weights, a file of them, the folder of "
        "a recogniser that was trained before (of the same variants), or none: from scratch",
    )
    backbone_rate: float = option(0.3, "step size of pretrained weights, as a share of learning_rate; 0 freezes them")
    weight_decay: float = option(5e-2, "AdamW's decay of weights (biases and norms are left out)")
    batch_size: int = option(48, "images a step: all variants of as many products as fit")
    label_smoothing: float = option(0.02, "share of each label's weight that is spread over all variants")
    shift: float = option(0.06, "most that a training image is moved, as a share of its side")
    flip: bool = option(False, "mirror half of the training images: a swivelled photo then turns either way")
    golden_products: int = option(16, "products of the golden set, each with all its variants")
    seed: int = option(0, "decides initial weights, order of products, augmentation and dropout")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_fit()
        if not self.weights:
            raise OptionError(
                "weights is ''; expected none, imagenet, the name of torchvision weights, a file or folder"
            )
        within("backbone_rate", self.backbone_rate, 0.0, 10.0, float)
        within("label_smoothing", self.label_smoothing, 0.0, 0.5, float)
        within("shift", self.shift, 0.0, 0.5, float)
        within("golden_products", self.golden_products, 1, 1000, int)

    @property
    def pretrained(self) -> bool:
        """Whether training begins with weights that were trained before."""
        return self.weights != "none"

    @property
    def begins_with_recogniser(self) -> bool:
        """Whether they are those of a recogniser, last layer included."""
        return Path(self.weights).is_dir()


@dataclass(frozen=True)
class EnsembleOptions(ArtifactOptions):
    """Which recognisers to put side by side, on what to judge them, and where to write."""

    members: str = option("", "folders of trained recognisers, parted by commas")
    examples: str = option("", "folder that the creative pipeline wrote, whose images the ensemble will be shown")
    output: str = option("", "folder of the artifact; it must not exist yet")
    golden_products: int = option(16, "products of the golden set, each with all its variants")

    def __post_init__(self) -> None:
        for name in ("members", "examples", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name it with --{name}")
        if len(self.member_folders) < 2 or not all(self.member_folders):
            raise OptionError(f"members is {self.members!r}; expected two folders or more, parted by commas")
        within("golden_products", self.golden_products, 1, 1000, int)

    @property
    def member_folders(self) -> tuple[str, ...]:
        """The folders of the members, in the order in which they are given."""
        return tuple(self.members.split(","))
