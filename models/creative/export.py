"""Export: the recogniser, normalisation included, as one ONNX graph that answers any number of images a call."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch

from features.creative_spec import CreativeSpec
from models.artifact import DESCRIPTION_FILE, write_json
from models.creative.network import Network, ServedNetwork
from models.creative.recognizer import FORMAT, MODEL_FILE
from models.onnx_export import OPSET, check_parity, write_graph

_OUTPUTS = ("logits", "features")


@dataclass(frozen=True)
class Exported:
    """How far the exported graph is from torch: the largest difference of a logit, and of a feature."""

    logits_max_abs: float
    features_max_abs: float


def export(
    network: Network, spec: CreativeSpec, folder: Path, probes: Sequence[npt.NDArray[np.uint8]] = ()
) -> Exported:
    """Writes ``model.onnx`` and ``model.json``, which says what goes in and comes out; compares the graph with torch.

    Args:
        network: trained; it is left on the CPU, in evaluation mode.
        spec: of the images.
        folder: where to write.
        probes: images uint8 (H, W, 3) to compare the answers on; noise is always tried.

    Raises:
        ExportError: a logit or a feature differs by more than ``PARITY``.
    """
    served = ServedNetwork(network.cpu().eval()).eval()
    noise = np.random.default_rng(0).integers(0, 256, (2, spec.height, spec.width, 3), np.uint8)
    images = np.concatenate([noise, np.stack(probes)]) if probes else noise
    path = folder / MODEL_FILE
    write_graph(served, torch.from_numpy(noise), path, "image", _OUTPUTS, any_batch=True)
    exported = compare(served, path, images)
    check_parity(max(exported.logits_max_abs, exported.features_max_abs))
    size = [None, spec.height, spec.width, 3]
    outputs = zip(_OUTPUTS, (len(spec.variants), network.dimension), strict=True)
    description = {
        "format": FORMAT,
        "onnx_opset": OPSET,
        "torch": version("torch"),
        "fingerprint": spec.fingerprint,
        "backbone": network.name,
        "inputs": [{"name": "image", "dtype": "uint8", "shape": size}],
        "outputs": [{"name": name, "dtype": "float32", "shape": [None, width]} for name, width in outputs],
    }
    write_json(folder / DESCRIPTION_FILE, description)
    return exported


def compare(served: ServedNetwork, path: Path, images: npt.NDArray[np.uint8]) -> Exported:
    """Returns how far the graph in the file ``path`` is from torch on images uint8 (B, H, W, 3)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs: list[Any] = session.run(list(_OUTPUTS), {"image": images})
    with torch.no_grad():
        ours = [value.numpy() for value in served(torch.from_numpy(images))]
    return Exported(*(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True)))
