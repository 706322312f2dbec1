"""VariantNetwork: a ResNet from a product photo to which variant it is, and to the vector that says so."""

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from models.creative.options import NetworkOptions
from models.weights import load_pretrained

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB values in 0..1: what torchvision's weights expect their input normalised with."""

LEVELS = (1, 2, 4, *range(8, 249, 8), 252, 254, 255)
"""The levels whose shares of pixels the network may know: finer at both ends, where exposure clips."""


class Network(nn.Module):
    """What can be exported as a recogniser: photos in, features out, and logits that are a linear function of them.

    Attributes:
        name: of the backbone.
        dimension: D, the number of features.
        head: from features to one logit a variant.
    """

    name: str
    dimension: int
    head: nn.Linear

    def features(self, images: Tensor) -> Tensor:
        """Returns the features, float32 (B, D), of images (B, 3, H, W), RGB, 0..255, of any dtype."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits, float32 (B, V), of images (B, 3, H, W), RGB, 0..255, of any dtype."""
        return self.head(self.features(images))


class VariantNetwork(Network):
    """Photos in; out come one logit a variant, and the features that they are a linear function of.

    Args:
        options: the shape of the network.
        variants: number of variants.
        weights: as ``TrainOptions.weights`` names them.

    Raises:
        WeightsError: the weights cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, options: NetworkOptions, variants: int, weights: str = "none") -> None:
        super().__init__()
        self.options = options
        self.name = options.backbone
        backbone = torchvision.models.get_model(options.backbone)
        if weights != "none":
            load_pretrained(backbone, options.backbone, weights)
        self.dimension = int(backbone.fc.in_features) + options.tones  # 512 or, of bottlenecks, 2048 are the backbone's
        backbone.fc = nn.Identity()
        self.backbone = backbone
        self.tones = Tones(options.tones) if options.tones else None
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(self.dimension, variants)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits, float32 (B, V), of images (B, 3, H, W), RGB, 0..255, of any dtype."""
        return self.head(self.dropout(self.features(images)))

    def features(self, images: Tensor) -> Tensor:
        """Returns the features, float32 (B, D): means over the image of what the last stage gives, then the tones'."""
        x = (images.float() / 255 - self.mean) / self.std  # (B, 3, H, W)
        if self.options.image_size:
            x = F.interpolate(x, (self.options.image_size,) * 2, mode="bilinear", align_corners=False)
        found = self.backbone(x)
        return found if self.tones is None else torch.cat([found, self.tones(self.pixels(images))], 1)

    def pixels(self, images: Tensor) -> Tensor:
        """Returns the pixels that tones are counted of: where images are scaled, every n-th, none of them a mean.

        Scaling averages away the few darkest and lightest pixels, by which an exposure is told from another.
        """
        step = max(1, min(images.shape[2:]) // self.options.image_size) if self.options.image_size else 1
        return images[:, :, ::step, ::step]


class Tones(nn.Module):
    """Features of how light and dark an image is: what convolutions, which look at edges, learn only slowly.

    They are a linear function, rectified, of the log-odds that a pixel is at or above each of ``LEVELS``, in every
    channel and in the darkest and lightest of the three. Log-odds tell one dark pixel from none, which is what an
    exposure leaves behind; half a pixel is added to both sides (Haldane 1956; Anscombe 1956).

    Args:
        features: how many.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(5 * len(LEVELS))
        self.linear = nn.Linear(5 * len(LEVELS), features)

    def forward(self, images: Tensor) -> Tensor:
        """Returns float32 (B, features) of images (B, 3, H, W), 0..255."""
        x = images.float()
        x = torch.cat([x, x.amin(1, keepdim=True), x.amax(1, keepdim=True)], 1)  # (B, 5, H, W)
        shares = torch.stack([(x >= level).float().mean((2, 3)) for level in LEVELS], 2)  # (B, 5, levels)
        pixels = x.shape[2] * x.shape[3]
        odds = torch.log((shares * pixels + 0.5) / ((1 - shares) * pixels + 0.5))
        return self.linear(self.norm(odds.flatten(1))).relu()


class ServedNetwork(nn.Module):
    """What is exported: uint8 (B, H, W, 3) RGB in, logits float32 (B, V) and features float32 (B, D) out.

    Args:
        network: trained.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (logits, features)."""
        features = self.network.features(images.permute(0, 3, 1, 2))
        return self.network.head(features), features
