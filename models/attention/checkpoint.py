"""Checkpoints: all that the next epoch needs, in one file that is replaced as a whole after every epoch.

A checkpoint is NumPy's .npz without pickles: the weights, their average, the best average so far, AdamW's moments, and
the rest of the state as JSON.
"""

import dataclasses
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from features.storage import open_atomic
from models.attention.fitting import FitState, Fitter, TrainingError
from models.attention.options import TrainOptions

_IRRELEVANT = ("examples", "output", "work_dir", "resume", "device", "threads", "golden_images", "int8")


class Checkpoint:
    """The checkpoint of one training run.

    Args:
        folder: local folder it lies in.
        identity: what must be equal for a training to go on from it, as text by name.
    """

    def __init__(self, folder: str, identity: Mapping[str, str]) -> None:
        self.path = Path(folder) / "checkpoint.npz"
        self.identity = dict(identity)

    def save(self, fitter: Fitter) -> None:
        """Writes where ``fitter`` stands, replacing the checkpoint before it.

        Raises:
            StorageError: full disk, permission.
        """
        state = {**dataclasses.asdict(fitter.state), "identity": self.identity, "scaler": fitter.scaler.state_dict()}
        arrays: dict[str, Any] = {f"{part}/{name}": value.cpu().numpy() for part, name, value in _tensors(fitter)}
        arrays["state"] = np.frombuffer(json.dumps(state).encode(), np.uint8)
        with open_atomic(self.path) as file:
            np.savez(file, **arrays)

    def restore(self, fitter: Fitter) -> bool:
        """Sets ``fitter`` to where the checkpoint stands; returns False where there is none.

        Raises:
            TrainingError: the checkpoint is unreadable, or was made with other options or other examples.
        """
        if not self.path.exists():
            return False
        try:
            with np.load(io.BytesIO(self.path.read_bytes()), allow_pickle=False) as arrays:
                state = json.loads(arrays["state"].tobytes())
                self._check(state.pop("identity"))
                parts: dict[str, dict[str, Tensor]] = {}
                for key in arrays.files:
                    part, _, name = key.partition("/")
                    if part != "state":
                        parts.setdefault(part, {})[name] = torch.from_numpy(arrays[key].copy()).to(fitter.device)
            scaler = state.pop("scaler")
            if scaler:
                fitter.scaler.load_state_dict(scaler)
            fitter.network.load_state_dict(parts["network"])
            fitter.averaged.load_state_dict(parts["averaged"])
            fitter.best = parts["best"]
            fitter.optimizer.load_state_dict(_optimizer_state(fitter, parts["optimizer"]))
            fitter.state = FitState(**state)
        except TrainingError:
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, zipfile.BadZipFile, EOFError) as e:
            reason = " ".join(str(e).split())[:200]
            raise TrainingError(f"cannot read the checkpoint {self.path} ({reason}); train without --resume") from e
        return True

    def remove(self) -> None:
        """Removes the checkpoint; a finished training needs none."""
        self.path.unlink(missing_ok=True)

    def _check(self, found: Mapping[str, str]) -> None:
        for name in sorted(found.keys() | self.identity.keys()):
            if found.get(name) != self.identity.get(name):
                raise TrainingError(
                    f"the checkpoint {self.path} was made with {name} {found.get(name)}, now it is "
                    f"{self.identity.get(name)}; go back to that or train without --resume"
                )


def identity_of(options: TrainOptions, card: Mapping[str, Any]) -> dict[str, str]:
    """Returns what must be equal for a training to go on: the options that matter, and the examples' card."""
    kept = {name: str(value) for name, value in options.to_dict().items() if name not in _IRRELEVANT}
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()[:16]
    return {**kept, "dataset card": digest}


def _tensors(fitter: Fitter) -> list[tuple[str, str, Tensor]]:
    found = [("network", name, value) for name, value in fitter.network.state_dict().items()]
    found += [("averaged", name, value) for name, value in fitter.averaged.state_dict().items()]
    found += [("best", name, value) for name, value in fitter.best.items()]
    for index, moments in fitter.optimizer.state_dict()["state"].items():
        found += [("optimizer", f"{index}/{name}", value) for name, value in moments.items()]
    return found


def _optimizer_state(fitter: Fitter, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    parameters = [parameter for group in fitter.optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition("/")
        like = parameters[int(index)]
        if value.shape == like.shape:  # moments lie in memory as their parameter does: the fused AdamW counts on it
            value = torch.empty_like(like, requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[name] = value
    return {**fitter.optimizer.state_dict(), "state": state}
