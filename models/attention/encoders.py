"""Encoders: torchvision's classification networks cut into stages of half the size each, and the plain U-Net's own.

Pretrained weights come from torchvision's enums (downloaded to its cache) or from a file as torchvision publishes it.
"""

from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from models.weights import load_pretrained

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Of ImageNet's RGB values in 0..1: what torchvision's weights expect their input normalised with."""


class Encoder(nn.Module):
    """Stages applied one after the other; stage k gives channels[k] channels at 1 / 2^(k+1) of the input's size.

    Args:
        stages: each of which halves the size.
        channels: of what each stage gives.
        first: the convolution that sees the image.
    """

    def __init__(self, stages: list[nn.Module], channels: list[int], first: nn.Conv2d) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels
        self._first = [first]  # in a list, so that it is not registered a second time

    def forward(self, x: Tensor) -> list[Tensor]:
        """Returns what each stage gives, (B, channels[k], H / 2^(k+1), W / 2^(k+1)), of x (B, C, H, W)."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def take_more_inputs(self, more: int) -> None:
        """Lets the first convolution see ``more`` channels beside the image, with weights that begin at 0.

        So a pretrained encoder answers as before until it has learnt what to do with them.
        """
        first = self._first[0]
        weight = torch.zeros(first.out_channels, first.in_channels + more, *first.kernel_size)  # (O, C + more, k, k)
        weight[:, : first.in_channels] = first.weight.detach()
        first.weight = nn.Parameter(weight)
        first.in_channels += more


def make_encoder(name: str, weights: str, depth: int, width: int) -> Encoder:
    """Returns an encoder.

    Args:
        name: of ``models.attention.options.ENCODERS``.
        weights: "none", "imagenet", the name of a member of torchvision's enum, or a file.
        depth: stages to use.
        width: channels of the plain encoder's first stage, doubled by each further one up to 256.

    Raises:
        WeightsError: the weights cannot be had or do not fit.
    """
    if name == "plain":
        return _plain(depth, width)
    network = torchvision.models.get_model(name)
    if weights != "none":
        load_pretrained(network, name, weights)
    cut = _resnet if name.startswith("resnet") else _mobilenet if name.startswith("mobilenet") else _vgg
    stages, channels, first = cut(network)
    return Encoder(stages[:depth], channels[:depth], first)


Cut = tuple[list[nn.Module], list[int], nn.Conv2d]


def _resnet(network: Any) -> Cut:
    stem = nn.Sequential(network.conv1, network.bn1, network.relu)
    stages = [stem, nn.Sequential(network.maxpool, network.layer1), network.layer2, network.layer3, network.layer4]
    wide = network.fc.in_features  # 512, or 2048 of bottlenecks
    return stages, [64, wide // 8, wide // 4, wide // 2, wide], network.conv1


def _mobilenet(network: Any) -> Cut:
    # The last layer widens 320 channels to 1280 for the classifier; what is to be located is in the 320 as well.
    ends = (2, 4, 7, 14, 18)
    stages = [network.features[start:end] for start, end in zip((0, *ends), ends, strict=False)]
    return stages, [16, 24, 32, 96, 320], network.features[0][0]


def _vgg(network: Any) -> Cut:
    # A stage ends with its pooling, so that it gives half the size; what it gives at full size is not used.
    stages: list[nn.Module] = []
    layers: list[nn.Module] = []
    for layer in network.features:
        layers.append(layer)
        if isinstance(layer, nn.MaxPool2d):
            stages.append(nn.Sequential(*layers))
            layers = []
    return stages, [64, 128, 256, 512, 512], network.features[0]


def _plain(depth: int, width: int) -> Encoder:
    channels = [min(width * 2**k, 256) for k in range(1, depth + 1)]
    blocks = [double_convolution(before, after) for before, after in zip([3, *channels], channels, strict=False)]
    first = blocks[0][0]
    assert isinstance(first, nn.Conv2d)
    return Encoder([nn.Sequential(block, nn.MaxPool2d(2)) for block in blocks], channels, first)


def double_convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Returns two 3x3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
