"""The trained weights in an artifact, as NumPy's .npz without pickles, and the network made of them again."""

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

from features.attention_spec import SPEC, AttentionSpec
from features.storage import read_bytes, read_text
from models.attention.network import AttentionNetwork
from models.attention.options import NetworkOptions
from models.weights import WEIGHTS_FILE, WeightsError, read_weights


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
        network.load_state_dict(read_weights(folder), strict=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, EOFError, zipfile.BadZipFile) as e:
        reason = " ".join(str(e).split())[:200]
        raise WeightsError(
            f"{folder}: {WEIGHTS_FILE} and model_card.json make no network ({reason}); open the version again"
        ) from e
    return network.eval()
