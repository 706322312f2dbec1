"""EnsembleNetwork: trained recognisers side by side, whose logits are the mean of theirs."""

import json
from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor, nn

from features.creative_spec import SPEC, CreativeSpec
from features.storage import read_text
from models.creative.network import Network, VariantNetwork
from models.creative.options import NetworkOptions, OptionError
from models.weights import WeightsError, load_trained

_ABOVE_HALF = 0.5 + 1e-4
"""Added before rounding down: a mean that is half way but for float32's last bit is rounded up wherever it runs."""


class Member(nn.Module):
    """A trained recogniser that is shown images of another size than it was trained on.

    Args:
        network: trained.
        trained: the spec of the images that it was trained on.
        shown: the spec of those that it will be shown, no smaller; both are square.

    Raises:
        OptionError: they are smaller.
    """

    area: Tensor

    def __init__(self, network: VariantNetwork, trained: CreativeSpec, shown: CreativeSpec) -> None:
        super().__init__()
        if shown.width < trained.width:
            raise OptionError(
                f"the examples' images are of {shown.width} pixels, a member was trained on {trained.width}; expected "
                "no smaller ones: write the examples again with a larger --size"
            )
        self.network = network
        self.scaled = shown.width != trained.width
        self.register_buffer("area", area_weights(shown.width, trained.width), persistent=False)  # (h, H)

    def features(self, images: Tensor) -> Tensor:
        """Returns the features, float32 (B, D), of images (B, 3, H, W), RGB, 0..255, of any dtype."""
        if not self.scaled:
            return self.network.features(images)
        means = self.area @ images.float() @ self.area.T  # (B, 3, h, w)
        return self.network.features((means + _ABOVE_HALF).floor())


class EnsembleNetwork(Network):
    """Recognisers side by side: the features of all, and logits that are the mean of theirs.

    Networks that err on different images err less together (Hansen and Salamon 1990, "Neural network ensembles"). The
    mean is taken of logits, not of probabilities, so that logits stay a linear function of the features.

    Args:
        members: two or more, of the same variants.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        networks = [member.network for member in members]
        self.members = nn.ModuleList(members)
        self.name = " + ".join(network.name for network in networks)
        self.dimension = sum(network.dimension for network in networks)
        self.head = nn.Linear(self.dimension, networks[0].head.out_features)
        with torch.no_grad():
            self.head.weight.copy_(torch.cat([network.head.weight for network in networks], 1) / len(networks))
            self.head.bias.copy_(torch.stack([network.head.bias for network in networks]).mean(0))

    def features(self, images: Tensor) -> Tensor:
        """Returns the features of every member in turn, float32 (B, D)."""
        return torch.cat([member.features(images) for member in self.members], 1)


def area_weights(pixels: int, fewer: int) -> Tensor:
    """Returns float32 (fewer, pixels): what each pixel counts in the mean over each of ``fewer`` parts of a line.

    Parts are of equal length; a pixel counts by the share of it that lies in the part, as in OpenCV's ``INTER_AREA``.
    """
    edges = torch.linspace(0, pixels, fewer + 1, dtype=torch.float64)
    places = torch.arange(pixels, dtype=torch.float64)
    inside = torch.minimum(edges[1:, None], places + 1) - torch.maximum(edges[:-1, None], places)
    return (inside.clamp(min=0) * fewer / pixels).float()


def open_member(folder: str, spec: CreativeSpec) -> Member:
    """Returns the recogniser of an artifact as a member for images of ``spec``.

    Raises:
        WeightsError: it is no artifact of a recogniser, is damaged, or tells other variants apart.
        OptionError: its images are larger.
        StorageError: a file is missing.
    """
    trained = CreativeSpec.from_json(read_text(f"{folder}/{SPEC}"))
    if trained.variants != spec.variants:
        raise WeightsError(
            f"the recogniser in {folder} tells {_names(trained)} apart, the examples are {_names(spec)}; name "
            "recognisers of the same variants, made in the same way"
        )
    try:
        arguments = json.loads(read_text(f"{folder}/model_card.json"))["arguments"]
        options = NetworkOptions(**{field.name: arguments[field.name] for field in fields(NetworkOptions)})
    except (ValueError, KeyError, TypeError) as e:
        reason = " ".join(str(e).split())[:200]
        raise WeightsError(
            f"{folder}/model_card.json does not say what network it is ({reason}); name the artifact of one recogniser "
            "as `augury train variants` wrote it"
        ) from e
    network = VariantNetwork(options, len(spec.variants))
    load_trained(network, folder)
    return Member(network, trained, spec).eval()


def _names(spec: CreativeSpec) -> str:
    return ", ".join(variant.name + (f" {dict(variant.params)}" if variant.params else "") for variant in spec.variants)
