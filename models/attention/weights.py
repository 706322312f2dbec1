"""The trained weights in an artifact, as NumPy's .npz without pickles, and the network made of them again."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from features.attention_spec import SPEC, AttentionSpec
from features.errors import AuguryError
from features.storage import read_bytes, read_text
from models.attention.network import AttentionNetwork
from models.attention.options import NetworkOptions

WEIGHTS_FILE = "weights.npz"


class WeightsError(AuguryError, ValueError):
    """An artifact whose weights cannot be read or do not fit its card."""


def save_weights(network: AttentionNetwork, folder: Path) -> None:
    """Writes ``weights.npz``: one array a tensor of the network's state."""
    arrays: dict[str, Any] = {name: value.cpu().numpy() for name, value in network.state_dict().items()}
    np.savez(folder / WEIGHTS_FILE, **arrays)


def load_network(folder: str | Path) -> AttentionNetwork:
    """Returns the trained network of an artifact, on the CPU, in evaluation mode.

    Raises:
        WeightsError: the weights cannot be read or do not fit.
        StorageError: a file is missing.
    """
    spec = AttentionSpec.from_json(read_text(f"{folder}/{SPEC}"))
    try:
        arguments: dict[str, Any] = json.loads(read_bytes(f"{folder}/model_card.json"))["arguments"]
        names = {field.name for field in dataclasses.fields(NetworkOptions)}
        options = NetworkOptions(**{name: value for name, value in arguments.items() if name in names})
        network = AttentionNetwork(options, spec.height, spec.width, spec.sets)
        with np.load(Path(folder) / WEIGHTS_FILE, allow_pickle=False) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        network.load_state_dict(state, strict=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile) as e:
        reason = " ".join(str(e).split())[:200]
        raise WeightsError(
            f"{folder}: {WEIGHTS_FILE} and model_card.json make no network ({reason}); open the version again"
        ) from e
    return network.eval()
