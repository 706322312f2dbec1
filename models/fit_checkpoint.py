"""Checkpoints: all that the next epoch needs, in one file that is replaced as a whole after every epoch.

The weights, their average, the best average so far, AdamW's moments, and the rest of the state.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from models.checkpoint import CheckpointFile
from models.fitting import BaseFitter, FitState


class Checkpoint(CheckpointFile):
    """The checkpoint of one training run."""

    def save(self, fitter: BaseFitter[Any]) -> None:
        """Writes where ``fitter`` stands, replacing the checkpoint before it.

        Raises:
            StorageError: full disk, permission.
        """
        arrays: dict[str, Any] = {f"{part}/{name}": value.cpu().numpy() for part, name, value in _tensors(fitter)}
        self.write(arrays, {**dataclasses.asdict(fitter.state), "scaler": fitter.scaler.state_dict()})

    def restore(self, fitter: BaseFitter[Any]) -> bool:
        """Sets ``fitter`` to where the checkpoint stands; returns False where there is none.

        Raises:
            TrainingError: the checkpoint is unreadable, or was made with other options or other examples.
        """
        if not self.path.exists():
            return False
        with self.reading() as (arrays, state):
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
        return True


def _tensors(fitter: BaseFitter[Any]) -> list[tuple[str, str, Tensor]]:
    found = [("network", name, value) for name, value in fitter.network.state_dict().items()]
    found += [("averaged", name, value) for name, value in fitter.averaged.state_dict().items()]
    found += [("best", name, value) for name, value in fitter.best.items()]
    for index, moments in fitter.optimizer.state_dict()["state"].items():
        found += [("optimizer", f"{index}/{name}", value) for name, value in moments.items()]
    return found


def _optimizer_state(fitter: BaseFitter[Any], tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    parameters = [parameter for group in fitter.optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition("/")
        like = parameters[int(index)]
        if value.shape == like.shape:  # moments lie in memory as their parameter does: the fused AdamW counts on it
            value = torch.empty_like(like, requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[name] = value
    return {**fitter.optimizer.state_dict(), "state": state}
