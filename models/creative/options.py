"""Options of the variant recogniser: everything that decides a network or a training run, refused at start-up."""

from dataclasses import dataclass

from features.options import option
from models.options import SCHEDULES, OptionError, TrainingRun, one_of, within

__all__ = ["BACKBONES", "NetworkOptions", "OptionError", "TrainOptions"]

BACKBONES = ("resnet18", "resnet34", "resnet50", "resnet101")
"""The networks, torchvision's (He et al. 2016, "Deep residual learning for image recognition")."""


@dataclass(frozen=True)
class NetworkOptions:
    """The shape of the network."""

    backbone: str = option("resnet50", f"network: {', '.join(BACKBONES)}")
    image_size: int = option(0, "side, pixels, that stored images are scaled to within the network; 0: as stored")
    tones: int = option(64, "features made of the shares of light and dark pixels, beside the backbone's; 0: none")
    dropout: float = option(0.0, "share of the features dropped in training, before the last layer")

    def __post_init__(self) -> None:
        one_of("backbone", self.backbone, BACKBONES)
        within("dropout", self.dropout, 0.0, 0.95, float)
        within("tones", self.tones, 0, 1024, int)
        if self.image_size != 0:
            within("image_size", self.image_size, 32, 1024, int)


@dataclass(frozen=True)
class TrainOptions(NetworkOptions, TrainingRun):
    """What to train on, where to write, and how to train."""

    irrelevant = (*TrainingRun.irrelevant, "device", "threads", "golden_products")

    examples: str = option("", "folder that the creative pipeline wrote (local or gs://)")
    output: str = option("", "folder of the artifact; it must not exist yet")
    work_dir: str | None = option(None, "folder of checkpoints and TensorBoard logs; <output>.work if not given")
    weights: str = option(
        "imagenet",
        "what training begins with: imagenet, the name of one of torchvision's weights, a file of them, or none: "
        "from scratch",
    )
    learning_rate: float = option(1e-3, "AdamW's largest step size")
    backbone_rate: float = option(0.3, "step size of pretrained weights, as a share of learning_rate; 0 freezes them")
    frozen_norms: bool = option(False, "keep the batch norms of pretrained weights as they are")
    weight_decay: float = option(5e-2, "AdamW's decay of weights (biases and norms are left out)")
    schedule: str = option("cosine", "of the step size: cosine to 0 at max_epochs, plateau, or constant")
    warmup_steps: int = option(50, "steps over which the step size grows from 0")
    batch_size: int = option(48, "images a step: all variants of as many products as fit")
    max_epochs: int = option(8, "most passes over the training images")
    patience: int = option(4, "epochs without a better validation loss before training stops")
    average: float = option(0.99, "decay a step of the running average of weights that is judged and kept; 0 for none")
    label_smoothing: float = option(0.02, "share of each label's weight that is spread over all variants")
    shift: float = option(0.06, "most that a training image is moved, as a share of its side")
    flip: bool = option(False, "mirror half of the training images: a swivelled photo then turns either way")
    full_precision: bool = option(False, "do not use half precision on a GPU")
    device: str = option("auto", "auto (a GPU where there is one), cpu, cuda, or cuda:1")
    threads: int = option(0, "CPU threads; 0 leaves it to torch")
    golden_products: int = option(16, "products of the golden set, each with all its variants")
    seed: int = option(0, "decides initial weights, order of products, augmentation and dropout")
    resume: bool = option(False, "go on from the checkpoint in the work folder, where there is one")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("examples", "output"):
            if not getattr(self, name):
                raise OptionError(f"{name} is missing; name a folder with --{name}")
        if not self.weights:
            raise OptionError("weights is ''; expected none, imagenet, the name of torchvision weights, or a file")
        one_of("schedule", self.schedule, SCHEDULES)
        within("learning_rate", self.learning_rate, 1e-8, 1.0, float)
        within("backbone_rate", self.backbone_rate, 0.0, 10.0, float)
        within("weight_decay", self.weight_decay, 0.0, 1.0, float)
        within("warmup_steps", self.warmup_steps, 0, 1_000_000, int)
        within("batch_size", self.batch_size, 2, 4096, int)
        within("max_epochs", self.max_epochs, 1, 100_000, int)
        within("patience", self.patience, 1, 100_000, int)
        within("average", self.average, 0.0, 0.99999, float)
        within("label_smoothing", self.label_smoothing, 0.0, 0.5, float)
        within("shift", self.shift, 0.0, 0.5, float)
        within("threads", self.threads, 0, 1024, int)
        within("golden_products", self.golden_products, 1, 1000, int)
        within("seed", self.seed, 0, 2**31 - 1, int)
        if self.device not in ("auto", "cpu") and not self.device.startswith("cuda"):
            raise OptionError(f"device is {self.device!r}; expected auto, cpu, cuda or cuda:N")

    @property
    def pretrained(self) -> bool:
        """Whether training begins with weights that somebody else trained."""
        return self.weights != "none"
