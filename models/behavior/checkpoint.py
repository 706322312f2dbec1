"""Checkpoints: all that the next epoch needs, in one file that is replaced as a whole after every epoch.

A checkpoint is NumPy's .npz without pickles: the variables in the order of ``Fitter.variables``, the best weights so
far, and the rest of the state as JSON.
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

from features.storage import open_atomic
from models.behavior.fitting import FitState, Fitter, TrainingError
from models.behavior.options import TrainOptions

_IRRELEVANT = ("examples", "output", "work_dir", "resume")


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
        state = {**dataclasses.asdict(fitter.state), "identity": self.identity, "best": len(fitter.state.best)}
        arrays = {f"variable/{i}": v.numpy() for i, v in enumerate(fitter.variables)}
        arrays |= {f"best/{i}": v for i, v in enumerate(fitter.state.best)}
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
                best = [arrays[f"best/{i}"] for i in range(state.pop("best"))]
                values = [arrays[f"variable/{i}"] for i in range(len(fitter.variables))]
        except TrainingError:
            raise
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError) as e:
            raise TrainingError(f"cannot read the checkpoint {self.path} ({e}); train without --resume") from e
        for variable, value in zip(fitter.variables, values, strict=True):
            variable.assign(value)
        fitter.state = FitState(**state, best=best)
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
