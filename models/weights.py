"""Weights of torch networks: pretrained ones of torchvision's, and those in an artifact, as .npz without pickles.

Pretrained weights come from torchvision's enums (downloaded to its cache) or from a file as torchvision publishes it.
"""

import hashlib
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision
from torch import Tensor, nn

from features.errors import AuguryError

WEIGHTS_FILE = "weights.npz"

_HASHED = re.compile(r"-([0-9a-f]{8,64})\.pth$")


class WeightsError(AuguryError, ValueError):
    """Weights that cannot be had or read, or that do not fit."""


def save_weights(network: nn.Module, folder: Path) -> None:
    """Writes ``weights.npz``: one array a tensor of the network's state."""
    arrays: dict[str, Any] = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    np.savez(folder / WEIGHTS_FILE, **arrays)


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """Returns the tensors of ``weights.npz`` by name.

    Raises:
        OSError, ValueError, EOFError, zipfile.BadZipFile: it is no such file; the family's own code says so.
    """
    with np.load(Path(folder) / WEIGHTS_FILE, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def load_trained(network: nn.Module, folder: str | Path) -> None:
    """Loads the weights of an artifact, strictly, into a network of the same shape.

    Raises:
        WeightsError: there are none, they are damaged, or they are another network's.
    """
    try:
        network.load_state_dict(read_weights(folder), strict=True)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RuntimeError) as e:
        reason = " ".join(str(e).split())[:200] or type(e).__name__
        raise WeightsError(
            f"cannot begin with {folder} ({reason}); expected an artifact of a network with the same options"
        ) from e


def load_pretrained(network: nn.Module, name: str, weights: str) -> None:
    """Loads pretrained weights, strictly, into torchvision's network ``name``.

    Raises:
        WeightsError: an unknown name, no connection, a damaged file, or another network's weights.
    """
    enum = torchvision.models.get_model_weights(name)
    member = enum.__members__.get("IMAGENET1K_V1" if weights == "imagenet" else weights)
    try:
        state = member.get_state_dict(progress=False, check_hash=True) if member is not None else _file(weights, enum)
        network.load_state_dict(state, strict=True)
    except (OSError, RuntimeError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as e:
        reason = " ".join(str(e).split())[:200] or type(e).__name__
        raise WeightsError(
            f"cannot load the weights {weights!r} into {name} ({reason}); expected a file of torchvision's {name} "
            "weights, or a connection to download them"
        ) from e


def _file(path: str, enum: Any) -> dict[str, Tensor]:
    file = Path(path)
    if not file.is_file():
        raise WeightsError(
            f"the weights are {path!r}, which is no file; expected none, imagenet, a file, or one of "
            f"{', '.join(enum.__members__)}"
        )
    # torchvision's file names end with the beginning of their SHA-256.
    promised = _HASHED.search(file.name)
    if promised:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if not found.startswith(promised[1]):
            raise WeightsError(f"{path} has SHA-256 {found[:12]}, not the {promised[1]} of its name; fetch it again")
    state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state
