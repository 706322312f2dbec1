"""Export: the network, normalisation and prior included, as one ONNX graph that answers one image a call."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from torch import Tensor, nn

from features.attention_spec import AttentionSpec
from models.artifact import DESCRIPTION_FILE, write_json
from models.attention.network import AttentionNetwork, density
from models.attention.predictor import FORMAT, MODEL_FILE
from models.onnx_export import OPSET, check_parity, write_graph


@dataclass(frozen=True)
class Exported:
    """How far the exported graph is from torch: the largest difference of a logit, and of density times pixels."""

    logits_max_abs: float
    density_max_abs: float


class ServedNetwork(nn.Module):
    """What is exported: uint8 (1, H, W, 3) RGB in, logits and density float32 (1, H, W) out.

    Args:
        network: trained.
        probability: as for ``density``.
        set_number: whose prior; None: the shared one.
        mirror: answer with the mean of the logits of the image and, mirrored back, of its mirror image.
    """

    prior: Tensor

    def __init__(self, network: AttentionNetwork, probability: bool, set_number: int | None, mirror: bool) -> None:
        super().__init__()
        self.network, self.probability, self.mirror = network, probability, mirror
        sets = None if set_number is None else torch.tensor([set_number])
        with torch.no_grad():
            self.register_buffer("prior", network.prior(sets))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Returns (logits, density)."""
        images = image.permute(0, 3, 1, 2).float()  # (1, 3, H, W)
        if self.mirror:
            images = torch.cat([images, images.flip(3)])  # (2, 3, H, W)
        logits = self.network.evidence(images) + self.prior  # (1 or 2, H, W)
        if self.mirror:
            logits = (logits[:1] + logits[1:].flip(2)) / 2
        return logits, density(logits, self.probability)


def export(
    network: AttentionNetwork,
    spec: AttentionSpec,
    folder: Path,
    *,
    probability: bool,
    set_number: int | None = None,
    mirror: bool = False,
    probes: Iterable[npt.NDArray[np.uint8]] = (),
) -> Exported:
    """Writes ``model.onnx`` and ``model.json``, which says what goes in and comes out; compares the graph with torch.

    Args:
        network: trained; it is left on the CPU, in evaluation mode.
        spec: of the images.
        folder: where to write.
        probability: as for ``density``.
        set_number: whose prior to export; None: the shared one.
        mirror: see ``ServedNetwork``.
        probes: images uint8 (H, W, 3) to compare the answers on; noise is always tried.

    Raises:
        ExportError: a logit differs by more than ``PARITY``.
    """
    served = ServedNetwork(network.cpu().eval(), probability, set_number, mirror).eval()
    noise = np.random.default_rng(0).integers(0, 256, (spec.height, spec.width, 3), np.uint8)
    path = folder / MODEL_FILE
    write_graph(served, torch.from_numpy(noise)[None], path, "image", ("logits", "density"))
    exported = compare(served, path, [noise, *probes])
    check_parity(exported.logits_max_abs)
    size = [1, spec.height, spec.width]
    description = {
        "format": FORMAT,
        "onnx_opset": OPSET,
        "torch": version("torch"),
        "fingerprint": spec.fingerprint,
        "inputs": [{"name": "image", "dtype": "uint8", "shape": [*size, 3]}],
        "outputs": [{"name": name, "dtype": "float32", "shape": size} for name in ("logits", "density")],
        "set": None if set_number is None else spec.sets[set_number],
        "mirror": mirror,
    }
    write_json(folder / DESCRIPTION_FILE, description)
    return exported


def compare(served: ServedNetwork, path: Path, images: Iterable[npt.NDArray[np.uint8]]) -> Exported:
    """Returns how far the graph in the file ``path`` is from torch on some images uint8 (H, W, 3)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    logits, densities = 0.0, 0.0
    for image in images:
        theirs: list[Any] = session.run(["logits", "density"], {"image": image[None]})
        with torch.no_grad():
            ours = [value.numpy() for value in served(torch.from_numpy(image)[None])]
        logits = max(logits, float(np.abs(ours[0] - theirs[0]).max()))
        densities = max(densities, float(np.abs(ours[1] - theirs[1]).max()) * ours[1].size)
    return Exported(logits, densities)
